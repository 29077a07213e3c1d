/* SPDX-License-Identifier: MIT */
/*
 * What there is to see of a site and its listeners: status.c as JSON, metrics.c for Prometheus,
 * web.c a unit's registers. Each text is made in pieces, between which clients are served.
 */
#pragma once

#include "listeners.h"

struct shown {
	const struct pb_config *config;
	struct site *site;
	const struct listeners *listeners;
	uint64_t now_ms;
};

/** A text under way. */
struct telling {
	struct shown shown; /**< as it is for this piece; the site is the same for all of them */
	FILE *out;
	int64_t unit;	      /**< whose registers */
	unsigned int status;  /**< as HTTP has it; 200 unless a step sets it */
	size_t part, at, sub; /**< the step's own: where it goes on; 0 at first */
	void *kept; /**< the step's own: what must not change between pieces; free() ends it */
};

/** A kind of text. */
struct telling_kind {
	const char *type; /**< Content-Type */
	/** Writes a piece, what one pack or one client takes. @return whether there is more. */
	bool (*step)(struct telling *telling);
};

extern const struct telling_kind telling_status, telling_metrics, telling_registers;
