/* SPDX-License-Identifier: MIT */
/* Any text as a recording; what is taken must be sound and can be looked up. */
#include "../../src/sim/recording.h"

#include <assert.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct recording recording;
	char why[128];
	uint64_t last_ms = 0;

	if (recording_parse(&recording, (const char *)data, size, why, sizeof(why)) < 0) {
		assert(strlen(why) > 0);
		return 0;
	}
	for (size_t i = 0; i < recording.count; i++) {
		const struct recording_event *event = &recording.events[i];

		assert(event->ms >= last_ms);
		last_ms = event->ms;
		assert(event->at + event->len <= size);
		if (event->kind == RECORDING_SENT)
			assert(recording_find(&recording, i, recording.bytes + event->at,
					      event->len) == i);
	}
	recording_clear(&recording);
	return 0;
}
