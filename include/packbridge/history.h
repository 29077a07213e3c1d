/* SPDX-License-Identifier: MIT */
/*
 * Counts what flows into a battery and out of it, and remembers its extremes.
 *
 *	reading ──▶ pb_history_read() ─▶ state ──▶ pb_history_show() ──▶ struct pb_history
 *	no reading ─▶ pb_history_gap() ──▲  ▲└──▶ pb_history_print() ──▶ text
 *	                                    └─── pb_history_parse() ◀──── text
 *
 * Pure: no clock, no file. Times are those of pb_now_ms(), in ms; after a restart they may lie
 * before the machine's start, so they are signed. Nothing is allocated but by pb_history_parse().
 */
#pragma once

#include "packbridge/model/battery.h"

#include <stddef.h>

/** A count of whole milli-units, and what is left to the next in halves of milli-units * ms. */
struct pb_history_sum {
	int64_t whole; /**< mAh, mWh */
	int64_t rest;  /**< 0..PB_HISTORY_REST - 1 */
};

/** Halves of mA * ms in one mAh, of mW * ms in one mWh. */
#define PB_HISTORY_REST INT64_C(7200000)

/** Both directions of one quantity. */
struct pb_history_flow {
	struct pb_history_sum in, out; /**< charged, discharged */
};

enum {
	PB_HISTORY_IDENTITY = 48,
	PB_HISTORY_DAY_NONE = 0, /**< the clock is not set */
};

/** What tells one pack from another; a part that is not known is "" or 0. */
struct pb_history_identity {
	char address[PB_HISTORY_IDENTITY]; /**< of the pack itself, e.g. its Bluetooth address */
	char device_name[PB_NAME_MAX];
	int32_t production_date;
};

/** All that is known of one battery's past. Zero it to begin. Plain memory: copy freely. */
struct pb_history_state {
	struct pb_history_identity identity;
	struct pb_history_flow charge, energy;
	int64_t unmeasured_ms;
	int64_t gap_ms; /**< since when nothing is measured; counted in @unmeasured_ms until then */
	bool open;	/**< nothing is measured now */
	bool begun;	/**< there has been a reading, or something to remember */
	/* the last reading, while not @open */
	int64_t at_ms;
	int64_t current_ma, power_mw;
	bool powered; /**< @power_mw was reported */
	/* full */
	bool has_full, full; /**< it has been full; and it is, until the charge falls clearly */
	int64_t full_ms;     /**< when it was full last */
	uint32_t full_charges;
	/* discharge, all in mAh, as far as counted */
	int64_t top_mah; /**< largest charged - discharged since it was full */
	int64_t last_discharge_mah, deepest_discharge_mah;
	/* extremes */
	uint32_t extreme_has; /**< set of 1 << enum pb_extreme */
	int32_t extreme[PB_EXTREME_COUNT];
	int64_t extreme_ms[PB_EXTREME_COUNT];
	/* protections */
	uint32_t protections; /**< active by the last reading that reported them */
	uint32_t protections_seen[PB_PROTECT_COUNT];
	/* days */
	int32_t day;	/**< local, as the caller numbers them; PB_HISTORY_DAY_NONE: not known */
	int64_t day_ms; /**< since when it is this day */
	bool clock;	/**< it is known which day it is now */
	bool yesterday; /**< @yesterday_in and @yesterday_out count */
	int64_t day_in_mwh, day_out_mwh; /**< counted when the day began */
	int64_t yesterday_in_mwh, yesterday_out_mwh;
	uint32_t changes; /**< goes up when something changes that is worth remembering */
};

/**
 * Takes a live reading.
 * @battery: its sample, phase of charging and stale_after_s count.
 * @at_ms: time of the reading. If the one before is older than stale_after_s, nothing is counted
 *         between them, and the time is unmeasured. A time that goes back counts as the same time.
 * @whole: false: the values are not of all packs of the bank, so the current is not the bank's.
 */
void pb_history_read(struct pb_history_state *state, const struct pb_battery *battery,
		     int64_t at_ms, bool whole);
/** There is no live reading from the last one on; nothing is counted until the next. */
void pb_history_gap(struct pb_history_state *state, int64_t now_ms);
/** @day: number of the local day, one more each midnight; PB_HISTORY_DAY_NONE: not known now. */
void pb_history_day(struct pb_history_state *state, int32_t day, int64_t now_ms);
/** Writes the values as of @now_ms. An open gap is counted up to then. */
void pb_history_show(struct pb_history_state *state, int64_t now_ms, struct pb_history *ret);

/**
 * Compares the pack of @sample, at @address ("": not known), with the one that @state is of.
 * @return whether it is certainly another one. Else @state learns what was not known yet.
 */
bool pb_history_is_other(struct pb_history_state *state, const char *address,
			 const struct pb_sample *sample);

/* ---- as text ---- */

enum {
	PB_HISTORY_VERSION = 1,
	PB_HISTORY_RECORD_MAX = 3072, /**< bytes that one record takes as text, the NUL included */
};

/** The history of one battery, apart from the battery. */
struct pb_history_record {
	char name[PB_NAME_MAX]; /**< in the configuration */
	bool bank;
	/** Of a pack that another has replaced: when, seconds since 1970; 1: not known when.
	 * 0: it is the present one. */
	int64_t former_s;
	struct pb_history_state state;
};

/**
 * Prints one record as lines of text; times as ages at @now_ms.
 * @return its length.
 */
size_t pb_history_print(const struct pb_history_record *record, int64_t now_ms,
			char out[static PB_HISTORY_RECORD_MAX]);
/**
 * Reads records. Lines with unknown words are passed over. Ages count from @saved_ms, and from
 * then on nothing was measured.
 * @max: of records that are wanted; more are not read.
 * @return 0 and an array (@ret, free() it) of @ret_count; -EBADMSG, with the number of the line in
 *         @ret_line; -ENOMEM.
 */
int pb_history_parse(const char *text, size_t len, int64_t saved_ms, size_t max,
		     struct pb_history_record **ret, size_t *ret_count, unsigned int *ret_line);
