/* SPDX-License-Identifier: MIT */
#pragma once

#include "packbridge/export.h"

/**
 * Reads "HOST", "HOST:PORT", "[IPV6]:PORT", an IPv6 address alone, any of them behind "tcp:" or
 * "rtu-over-tcp:", and "rtu:DEVICE@BAUD,8N1".
 * @return 0; -EINVAL with the reason in @why.
 */
int pb_export_target_read(struct pb_export_target *target, const char *text, char *why,
			  size_t why_cap);
