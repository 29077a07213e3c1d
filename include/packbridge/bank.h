/* SPDX-License-Identifier: MIT */
/*
 * Computes alarms and limits of one battery from its readings, and one bank from many batteries.
 * Pure. Input: a setup, a state that the caller keeps, a reading and the time. Output: members of
 * struct pb_battery. No clock, no log, no allocation.
 *
 * The rules and their sources are in docs/charge-control.md, docs/alarms.md and docs/banks.md.
 */
#pragma once

#include "packbridge/model/battery.h"

#include <stddef.h>

enum { PB_CURVE_MAX = 12 };

/** A curve given by points: linear between them, constant beyond the ends. */
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
	int32_t charge_max_ma, discharge_max_ma; /**< 0: follows from the rate */
	int32_t charge_rate, discharge_rate;	 /**< permille of the nominal capacity per hour */
	int32_t nominal_mv;			 /**< for energy and power */
	int32_t absorption_mv, float_mv, empty_mv;
	bool to_float;			/**< false: stay in absorption */
	uint32_t absorption_s;		/**< with balanced cells */
	uint32_t absorption_max_s;	/**< the longest, balanced or not */
	int32_t balanced_mv;		/**< cells count as balanced within this spread */
	int32_t bulk_soc_permille;	/**< float ends below this SoC */
	int32_t bulk_spread_mv;		/**< float also ends at this cell spread or above */
	bool cell_control;		/**< lower the charge voltage when one cell is too high */
	bool by_switch, by_protection;	/**< limit is 0 while the BMS blocks the direction */
	struct pb_curve charge_by_cell; /**< by the highest cell */
	struct pb_curve discharge_by_cell; /**< by the lowest cell */
	/** By the worse of the coldest and the hottest probe. */
	struct pb_curve charge_by_temperature, discharge_by_temperature;
	struct pb_curve charge_by_soc, discharge_by_soc;
	uint32_t hold_s;	      /**< time after a fall before a current limit rises again */
	int32_t rise;		      /**< permille of the maximum per second */
	int32_t charge_now_permille;  /**< charge_now is requested up to this SoC; -1: never */
	int32_t charge_soon_permille; /**< the same for charge_soon */
};

/** The usual values for a chemistry. */
void pb_limit_preset(struct pb_limit_setup *ret, enum pb_chemistry chemistry);

/** A limit that may fall at once but rises slowly. */
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
	bool now, soon;	  /**< last requests */
	bool protections; /**< the pack reports protections */
};

/**
 * Sets battery->limits and battery->rating from battery->sample. Call it for each new reading, and
 * when the reading turns stale. @stale: no current is allowed, because the state of the pack is
 * unknown.
 * @now_ms: above 0, never goes back.
 */
void pb_limit_step(const struct pb_limit_setup *setup, struct pb_limit_state *state,
		   struct pb_battery *battery, bool stale, uint64_t now_ms);

/* ---- alarms ---- */

/**
 * Thresholds of one kind of alarm. High alarms begin at the value or above it, low alarms at the
 * value or below it.
 */
struct pb_alarm_rule {
	bool has_warning, has_alarm;
	bool per_cell; /**< thresholds are multiplied by the number of cells */
	/**
	 * Thresholds in mV, milli-degrees, permille or mA. For silent, protection, switched_off and
	 * frozen: the duration in s
	 */
	int32_t warning, alarm;
	int32_t hysteresis; /**< the alarm ends this far inside the threshold */
	uint32_t delay_s;   /**< the value must be beyond the threshold for this long */
};

struct pb_alarm_setup {
	struct pb_alarm_rule rules[PB_ALARM_COUNT];
	bool latch; /**< alarms stay until pb_alarm_reset() */
};

void pb_alarm_preset(struct pb_alarm_setup *ret, enum pb_chemistry chemistry);

struct pb_alarm_kind {
	uint8_t level;	      /**< level that follows from the values */
	uint8_t shown;	      /**< level given out last */
	bool latched;	      /**< it has reached the level alarm */
	uint64_t since_ms[2]; /**< since when the value is beyond warning, alarm; 0: it is not.
				 Kinds that depend on time only use the first */
	uint64_t shown_ms;    /**< since when it has the level @shown; 0: it never changed */
	uint32_t causes;      /**< that the BMS reports for @shown: protections, FETs */
	uint32_t new_causes;  /**< causes that are new since the last step */
};

/** Zero it to start. */
struct pb_alarm_state {
	struct pb_alarm_kind kinds[PB_ALARM_COUNT];
};

enum { PB_ALARM_TEXT_MAX = 384 }; /**< all protections at once */

/**
 * Sets battery->alarms from battery->sample. Call it for each new reading, when the reading turns
 * stale (@stale), and at @ret_next_ms.
 * @ret_next_ms: the next time at which an alarm can change without a new reading; UINT64_MAX:
 * never.
 * @return set of 1 << enum pb_alarm whose level changed, or that the BMS has a new cause for.
 */
uint32_t pb_alarm_step(const struct pb_alarm_setup *setup, struct pb_alarm_state *state,
		       struct pb_battery *battery, bool stale, uint64_t now_ms,
		       uint64_t *ret_next_ms);
/** Forgets latched alarms that have ended; the next step shows it. */
void pb_alarm_reset(struct pb_alarm_state *state);
/** What an alarm is about, with the value: "cell 3 at 3.652 V". @cap: PB_ALARM_TEXT_MAX does. */
void pb_alarm_describe(enum pb_alarm alarm, const struct pb_battery *battery, char *out,
		       size_t cap);

/* ---- banks ---- */

enum pb_topology { PB_TOPOLOGY_PARALLEL, PB_TOPOLOGY_SERIES };
enum pb_missing {
	PB_MISSING_EXCLUDE, /**< the other packs are the bank; not for packs in series */
	PB_MISSING_FAULT,   /**< the bank has no reading while a pack has none */
};

struct pb_bank_setup {
	enum pb_topology topology;
	enum pb_missing missing;
	int32_t charge_max_ma, discharge_max_ma; /**< maximum of the whole bank; 0: none */
};

/** One pack of a bank, as it is now. */
struct pb_member {
	const struct pb_battery *battery; /**< with its alarms and limits */
	bool stale;			  /**< its reading is stale, so it does not count */
};

/**
 * Sets sample, limits, members and rating of @ret, and of its status the counters, @connected and
 * @sampled_ms. Alarms and all other members stay. The order of @members changes only the numbers of
 * packs, and which one of several equal cells is named.
 * @count: 1..PB_MEMBERS_MAX.
 * @return whether the bank has a reading; without one, sample and limits are empty.
 */
bool pb_bank_compute(const struct pb_bank_setup *setup, const struct pb_member *members,
		     size_t count, struct pb_battery *ret);
/**
 * @return the quality of a bank: GOOD if pb_bank_compute() returns true, else why there is no
 *         reading.
 */
enum pb_quality pb_bank_quality(const struct pb_bank_setup *setup, const struct pb_member *members,
				size_t count);

/** How a field of a bank is computed from its packs: one row of the table in docs/banks.md. */
struct pb_bank_rule {
	const char *field;	       /**< one name, or several separated by "`, `" */
	const char *parallel, *series; /**< the rule, in words */
	const char *from;	       /**< field of the packs; NULL: the same */
	bool reported; /**< computed from the packs that report it, even if others do not */
	bool counted;  /**< computed from all packs, with a good reading or without */
};

/** @return false: there is no rule @index. */
bool pb_bank_rule(size_t index, struct pb_bank_rule *ret);

/** Merges the alarms of the members into the bank's own alarms in @ret. */
void pb_bank_alarms(const struct pb_member *members, size_t count, struct pb_battery *ret);
/** Sets battery->members for a single pack. Its reading counts unless it is @stale. */
void pb_bank_single(struct pb_battery *battery, bool stale);
