/* SPDX-License-Identifier: MIT */
/*
 * When the next request may go out on a line that several packs share. Pure.
 *
 *	request .. reply |<- gap ->| request ..
 *	request .. reply |<- ga| late bytes |<- gap ->| request ..
 *
 * A line is silent for a gap before each request. Bytes between two exchanges are a late reply, or
 * another master's: they begin the gap anew. One that babbles without end holds nobody up for long.
 */
#pragma once

#include <stdint.h>

enum { QUIET_BABBLE_MS = 1000 /**< a request waits no longer for silence */ };

/** Zero it to begin. Times are 0 until they are known. */
struct quiet {
	uint32_t gap_ms;
	uint64_t ended_ms; /**< when the last exchange was over */
	uint64_t heard_ms; /**< when bytes came last that belong to no exchange */
};

/** @return when a request may go out that waits since @since_ms; no exchange is running. */
uint64_t quiet_due_ms(const struct quiet *quiet, uint64_t since_ms);
