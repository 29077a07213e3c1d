/* SPDX-License-Identifier: MIT */
#include "quiet.h"

#include <stddef.h>

uint64_t quiet_due_ms(const struct quiet *quiet, uint64_t since_ms)
{
	uint64_t due_ms = quiet->ended_ms ? quiet->ended_ms + quiet->gap_ms : 0;
	uint64_t most_ms = (due_ms > since_ms ? due_ms : since_ms) + QUIET_BABBLE_MS;
	uint64_t silent_ms = quiet->heard_ms ? quiet->heard_ms + quiet->gap_ms : 0;

	if (silent_ms > most_ms)
		silent_ms = most_ms;
	return silent_ms > due_ms ? silent_ms : due_ms;
}
