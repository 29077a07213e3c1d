/* SPDX-License-Identifier: MIT */
#pragma once

#include "packbridge/bms.h"

/** Radio modules that are a transparent serial line: any board may be behind any of them. */
extern const struct pb_pipe bms_serial_pipes[];
