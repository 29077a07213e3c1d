/* SPDX-License-Identifier: MIT */
/* A reading as a pack's reader hands it up. */
#pragma once

#include "../../src/bridge/battery.h"

static inline void hand_up(struct source *source, const struct pb_sample *sample,
			   const struct pb_status *status, bool new_reading, uint64_t now_ms)
{
	const struct pb_reading reading = {
		.new_reading = new_reading,
		.new_status = true,
		.sample = sample,
		.status = status,
		.protocol = "jbd",
		.state = "connected",
		.note = &(struct pb_note){0},
		.refusals = &(struct pb_refusals){0},
	};

	source_reading(source, &reading, now_ms);
}
