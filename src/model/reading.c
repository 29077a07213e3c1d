/* SPDX-License-Identifier: MIT */
#include "packbridge/model/reading.h"

#include <stdio.h>

void pb_note_text(const struct pb_note *note, uint64_t now_ms, char *out, size_t cap)
{
	uint64_t left_ms = note->next_ms > now_ms ? note->next_ms - now_ms : 0;

	if (note->next_ms)
		snprintf(out, cap, "%.*s, next attempt in %llu s (attempt %u)", (int)note->lasting,
			 note->text, (unsigned long long)(left_ms + 500) / 1000, note->attempt);
	else
		snprintf(out, cap, "%.*s", (int)note->lasting, note->text);
}
