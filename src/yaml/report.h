/* SPDX-License-Identifier: MIT */
#pragma once

#include "packbridge/yaml.h"

/** pb_report_add() with its arguments as a list. */
void report_add(struct pb_report *report, const char *file, unsigned int line, unsigned int col,
		const char *format, va_list args) PB_PRINTF(5, 0);
