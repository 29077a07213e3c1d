/* SPDX-License-Identifier: MIT */
/*
 * What packbridge makes of readings: alarms and limits of one battery, and many batteries as one
 * bank. Pure: a setup, a state that the caller keeps, a reading and the time go in, members of
 * struct pb_battery come out. No clock, no log, no allocation.
 *
 * docs/charge-control.md, docs/alarms.md and docs/banks.md tell the rules and where they come from.
 */
#pragma once

#include "packbridge/model/battery.h"

#include <stddef.h>

enum { PB_CURVE_MAX = 12 };

/** A function by points: straight between them, constant beyond the ends. */
struct pb_curve {
	size_t count; /**< 0: there is none */
	struct pb_point {
		int32_t at;	  /**< rising from point to point: mV, milli-degrees or permille */
		int32_t permille; /**< 0..1000 of the maximum */
	} points[PB_CURVE_MAX];
};

/** @return 0..1000; the curve must have a point. */
int32_t pb_curve_at(const struct pb_curve *curve, int32_t at);

/** @return "lifepo4" and so on, ended by NULL. */
extern const char *const pb_chemistry_names[];

/* ---- limits ---- */

/** Voltages are of one cell. */
struct pb_limit_setup {
	int32_t chemistry;			 /**< enum pb_chemistry */
	int32_t charge_max_ma, discharge_max_ma; /**< 0: by the rate */
	int32_t charge_rate, discharge_rate;	 /**< permille of the nominal capacity an hour */
	int32_t nominal_mv;			 /**< for energy and power */
	int32_t absorption_mv, float_mv, empty_mv;
	bool to_float;			   /**< false: absorption is kept for ever */
	uint32_t absorption_s;		   /**< with balanced cells */
	uint32_t absorption_max_s;	   /**< however the cells are */
	int32_t balanced_mv;		   /**< cells within it are balanced */
	int32_t bulk_soc_permille;	   /**< below it, float is over */
	int32_t bulk_spread_mv;		   /**< from it on too */
	bool cell_control;		   /**< the charge voltage falls when one cell runs high */
	bool by_switch, by_protection;	   /**< 0 while the BMS says so */
	struct pb_curve charge_by_cell;	   /**< by the highest cell */
	struct pb_curve discharge_by_cell; /**< by the lowest cell */
	/** By the worse of the coldest and the hottest probe. */
	struct pb_curve charge_by_temperature, discharge_by_temperature;
	struct pb_curve charge_by_soc, discharge_by_soc;
	uint32_t hold_s;	      /**< after a fall, before a current limit rises again */
	int32_t rise;		      /**< permille of the maximum a second */
	int32_t charge_now_permille;  /**< SoC up to which charge_now is asked for; -1: never */
	int32_t charge_soon_permille; /**< the same for charge_soon */
};

/** The usual values for a chemistry. */
void pb_limit_preset(struct pb_limit_setup *ret, enum pb_chemistry chemistry);

/** A value that falls at once and rises slowly. */
struct pb_ramp {
	bool valid;
	int32_t value;
	uint64_t fell_ms;
};

/** Zero it to start. */
struct pb_limit_state {
	uint64_t at_ms; /**< of the last reading; 0: none yet */
	int32_t cells;
	enum pb_phase phase;
	uint64_t absorbed_ms; /**< with balanced cells */
	uint64_t phase_ms;    /**< in this phase */
	struct pb_ramp voltage, charge, discharge;
	bool now, soon;	  /**< as asked for last */
	bool protections; /**< the pack tells them */
};

/**
 * Sets battery->limits and battery->rating by battery->sample. Call it for each new reading and
 * when the reading turns old (@old: nothing is allowed, for want of knowledge).
 * @now_ms: above 0, never goes back.
 */
void pb_limit_step(const struct pb_limit_setup *setup, struct pb_limit_state *state,
		   struct pb_battery *battery, bool old, uint64_t now_ms);

/* ---- alarms ---- */

/** Where one kind begins. High ones begin at the value and above it, low ones at it and below. */
struct pb_alarm_rule {
	bool has_warning, has_alarm;
	bool per_cell; /**< times the number of cells */
	/** mV, milli-degrees, permille, mA; silent, protection, switched_off, frozen: s that it
	 * has been so */
	int32_t warning, alarm;
	int32_t hysteresis; /**< so far back it ends */
	uint32_t delay_s;   /**< it must last so long to begin */
};

struct pb_alarm_setup {
	struct pb_alarm_rule rules[PB_ALARM_COUNT];
	bool latch; /**< alarms stay until pb_alarm_reset() */
};

void pb_alarm_preset(struct pb_alarm_setup *ret, enum pb_chemistry chemistry);

struct pb_alarm_kind {
	uint8_t level;	      /**< by the values */
	uint8_t shown;	      /**< as given last */
	bool latched;	      /**< it has been an alarm */
	uint64_t since_ms[2]; /**< warning, alarm: the value is beyond it; 0: it is not. Kinds that
				 go by time alone have the first */
	uint64_t
		shown_ms; /**< since then it has the level that is shown; 0: it never had another */
	uint32_t causes;  /**< what the BMS says: protections, FETs; of the level that is shown */
	uint32_t new_causes; /**< those that came with the last step */
};

/** Zero it to start. */
struct pb_alarm_state {
	struct pb_alarm_kind kinds[PB_ALARM_COUNT];
};

enum { PB_ALARM_TEXT_MAX = 384 }; /**< all protections at once */

/**
 * Sets battery->alarms by battery->sample. Call it for each new reading, when the reading turns
 * old, and at @ret_next_ms.
 * @ret_next_ms: when time alone changes something; UINT64_MAX: never.
 * @return set of 1 << enum pb_alarm whose level changed, or that the BMS has a new cause for.
 */
uint32_t pb_alarm_step(const struct pb_alarm_setup *setup, struct pb_alarm_state *state,
		       struct pb_battery *battery, bool old, uint64_t now_ms,
		       uint64_t *ret_next_ms);
/** Forgets alarms that are over; the next step shows it. */
void pb_alarm_reset(struct pb_alarm_state *state);
/** What an alarm is about, with the value: "cell 3 at 3.652 V". @cap: PB_ALARM_TEXT_MAX does. */
void pb_alarm_describe(enum pb_alarm alarm, const struct pb_battery *battery, char *out,
		       size_t cap);

/* ---- banks ---- */

enum pb_topology { PB_TOPOLOGY_PARALLEL, PB_TOPOLOGY_SERIES };
enum pb_missing {
	PB_MISSING_EXCLUDE, /**< the bank is what is left; not for packs in series */
	PB_MISSING_FAULT,   /**< the bank has no reading while a pack has none */
};

struct pb_bank_setup {
	enum pb_topology topology;
	enum pb_missing missing;
	int32_t charge_max_ma, discharge_max_ma; /**< of the whole; 0: none */
};

/** One pack of a bank, as it is now. */
struct pb_member {
	const struct pb_battery *battery; /**< with its alarms and limits */
	bool old;			  /**< its reading does not count */
};

/**
 * Sets sample, limits, members, rating, and of the status the counters, @connected and @sampled_ms.
 * Leaves alarms and all else of @ret. The order of members changes no value but the numbers of
 * packs, and which of equal cells is named.
 * @count: 1..PB_MEMBERS_MAX.
 * @return whether the bank has a reading; without one, sample and limits are empty.
 */
bool pb_bank_compute(const struct pb_bank_setup *setup, const struct pb_member *members,
		     size_t count, struct pb_battery *ret);
/** @return a bank's quality: as pb_bank_compute() returns, and why there is no reading. */
enum pb_quality pb_bank_quality(const struct pb_bank_setup *setup, const struct pb_member *members,
				size_t count);

/** How a field of a bank follows from its packs: a row of the table in docs/banks.md. */
struct pb_bank_rule {
	const char *field;	       /**< or several, with "`, `" between them */
	const char *parallel, *series; /**< how, in words */
	const char *from;	       /**< field of the packs; NULL: the same */
	bool reported;		       /**< of the packs that have it, if others do not */
	bool counted;		       /**< of all packs, with a good reading or without */
};

/** @return false: @index is behind the last rule. */
bool pb_bank_rule(size_t index, struct pb_bank_rule *ret);

/** Adds what the members' alarms say to the bank's own, which are in @ret. */
void pb_bank_alarms(const struct pb_member *members, size_t count, struct pb_battery *ret);
/** Sets battery->members for a single pack, whose reading counts if not @old. */
void pb_bank_single(struct pb_battery *battery, bool old);
