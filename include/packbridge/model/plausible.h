/* SPDX-License-Identifier: MIT */
/* Plausibility of readings: ranges of values; impossible values are refused and counted. */
#pragma once

#include "packbridge/model/sample.h"
#include "packbridge/model/status.h"

#include <stddef.h>

/** A tighter range than the catalogue's, e.g. of one maker's boards. */
struct pb_bound {
	uint16_t offset; /**< of the member in struct pb_sample; 0 ends a list */
	int64_t min, max;
};

/** The bound of a member of struct pb_sample. */
#define PB_BOUND(member, min, max)                                                                 \
	{                                                                                          \
		offsetof(struct pb_sample, member), min, max                                       \
	}

/** The reason why a value was refused. */
enum pb_against {
	PB_AGAINST_RANGE, /**< its possible range */
	PB_AGAINST_CELLS, /**< the voltages or the number of the cells */
	PB_AGAINST_COUNT, /**< the number of cells in another place of the reply */
	PB_AGAINST_FULL,  /**< the full capacity */
	PB_AGAINST_FORM,  /**< a whole reply with the wrong form */
};

/** One refused value: the field, the reason, how often, and the last value. */
struct pb_refusal {
	const struct pb_field *field; /**< NULL: a whole reply, see @reply */
	const char *reply;	      /**< name of its request; borrowed */
	enum pb_against against;
	unsigned int index; /**< index of the first refused element of an array */
	uint32_t times;	    /**< number of readings refused or without this value; wraps */
	int64_t value;
	int64_t min, max; /**< the possible range */
};

enum {
	PB_REFUSALS_MAX = 40,
	PB_REFUSAL_TEXT_MAX = 128,
};

/** All refusals of a pack, one row for each field and reason. Begins as zeros. */
struct pb_refusals {
	uint32_t readings, values; /**< struct pb_status: impossible_readings, impossible_values */
	size_t count;
	size_t last; /**< row that caused the last refused reading */
	struct pb_refusal rows[PB_REFUSALS_MAX];
};

/**
 * Checks a whole reading: each field against its range, and values that the board reports twice
 * against each other. Impossible values are removed from @sample and become absent. An impossible
 * value of a vital field (voltage, current, SoC, cells) makes the whole reading invalid. Call it
 * before pb_sample_derive(). Ranges and their reasons: docs/protocols/README.md.
 * @bounds: the codec's own ranges, ended by a row of zeros; may be NULL.
 * @refusals: refused values are added; may be NULL.
 * @return 0; -EPROTO: not a reading (each value left in @sample is possible by itself).
 */
int pb_sample_check(struct pb_sample *sample, const struct pb_bound *bounds,
		    struct pb_refusals *refusals);
/**
 * Adds a reply that a codec refused: for an impossible value in @sample, or as a whole.
 * @reply: its request's name; static storage.
 */
void pb_refusals_add_reply(struct pb_refusals *refusals, const char *reply,
			   const struct pb_sample *sample, const struct pb_bound *bounds);
/** Prints a refusal, e.g. "current_ma is 3553500, expected -2000000 to 2000000". */
void pb_refusal_text(const struct pb_refusal *refusal, char *out, size_t cap);
/** Prints pb_error_text(), for PB_ERROR_IMPOSSIBLE with the value that was refused last. */
void pb_refusals_error_text(const struct pb_refusals *refusals, enum pb_error error, char *out,
			    size_t cap);
