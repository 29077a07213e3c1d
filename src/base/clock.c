/* SPDX-License-Identifier: MIT */
/* The machine's clock, where people want to know what time it was. */
#include "packbridge/base.h"

#define CLOCK_SET_S INT64_C(1767225600) /* 2026-01-01 */

bool pb_clock_is_set(time_t now)
{
	return now >= CLOCK_SET_S;
}

void pb_utc_text(time_t at, char *out, size_t cap)
{
	struct tm utc;

	*out = '\0';
	if (gmtime_r(&at, &utc))
		strftime(out, cap, "%Y-%m-%dT%H:%M:%SZ", &utc);
}
