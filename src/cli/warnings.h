/* SPDX-License-Identifier: MIT */
#pragma once

#include "packbridge/config.h"

/** Reports the weak points of a valid configuration, one by one. @text: valid during the call. */
void warnings_each(const struct pb_config *config, void (*say)(const char *text));
