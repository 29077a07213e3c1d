/* SPDX-License-Identifier: MIT */
/* struct pb_sample: one reading of one pack, as decoded by a codec, and values derived from it. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

enum {
	PB_CELLS_MAX = 48, /**< Daly's P81 dialect has 48 slots, JBD's balance words 32 */
	PB_TEMPERATURES_MAX = 16,
	PB_NAME_MAX =
		32, /**< text fields, the NUL included: JBD names have at most 31 characters */
};

/** How often each protection acted since the board's counters were reset; index of
 * pb_sample.counters. */
enum pb_counter {
	PB_COUNTER_SHORT_CIRCUIT,
	PB_COUNTER_CHARGE_OVERCURRENT,
	PB_COUNTER_DISCHARGE_OVERCURRENT,
	PB_COUNTER_CELL_OVERVOLTAGE,
	PB_COUNTER_CELL_UNDERVOLTAGE,
	PB_COUNTER_CHARGE_OVERTEMPERATURE,
	PB_COUNTER_CHARGE_UNDERTEMPERATURE,
	PB_COUNTER_DISCHARGE_OVERTEMPERATURE,
	PB_COUNTER_DISCHARGE_UNDERTEMPERATURE,
	PB_COUNTER_PACK_OVERVOLTAGE,
	PB_COUNTER_PACK_UNDERVOLTAGE,
	PB_COUNTER_SYSTEM_RESTARTS,
	PB_COUNTER_COUNT
};

/** Protection bits, the common meaning of `protection_mask` whatever the maker. */
enum pb_protection {
	PB_PROTECT_CELL_OVERVOLTAGE,
	PB_PROTECT_CELL_UNDERVOLTAGE,
	PB_PROTECT_PACK_OVERVOLTAGE,
	PB_PROTECT_PACK_UNDERVOLTAGE,
	PB_PROTECT_CHARGE_OVERTEMPERATURE,
	PB_PROTECT_CHARGE_UNDERTEMPERATURE,
	PB_PROTECT_DISCHARGE_OVERTEMPERATURE,
	PB_PROTECT_DISCHARGE_UNDERTEMPERATURE,
	PB_PROTECT_CHARGE_OVERCURRENT,
	PB_PROTECT_DISCHARGE_OVERCURRENT,
	PB_PROTECT_SHORT_CIRCUIT,
	PB_PROTECT_FRONT_END,  /**< the measuring chip failed */
	PB_PROTECT_FET_LOCKED, /**< a FET is held off by command: no fault */
	PB_PROTECT_CHARGE_FET_BROKEN,
	PB_PROTECT_DISCHARGE_FET_BROKEN,
	PB_PROTECT_COUNT
};

/** Protections that are faults: all but a FET that is locked by command. */
enum { PB_PROTECT_FAULTS = ((1 << PB_PROTECT_COUNT) - 1) & ~(1 << PB_PROTECT_FET_LOCKED) };

/** @return its name for a person, "short circuit"; static storage; "?" for a number that is none.
 */
const char *pb_protection_name(enum pb_protection protection);

/** Direction of the current, if it is at least PB_ACTIVE_MA; the numbers are published. */
enum pb_activity { PB_ACTIVITY_IDLE = 0, PB_ACTIVITY_CHARGING = 1, PB_ACTIVITY_DISCHARGING = 2 };

enum {
	PB_ACTIVE_MA = 100,
	PB_POWER_MAX_MW = 1000000000,	  /**< 1 MW: more is left out */
	PB_TIME_TO_EMPTY_MAX_S = 3600000, /**< 1000 h: longer is idle */
};

/**
 * Values of a battery that can be absent. Bit n of sample.has is value n, from PB_HAS_OF_SAMPLE on
 * bit n of battery.has.
 */
enum pb_has {
	PB_HAS_VOLTAGE,
	PB_HAS_CURRENT,
	PB_HAS_POWER,
	PB_HAS_SOC,
	PB_HAS_SOH,
	PB_HAS_REMAINING,
	PB_HAS_NOMINAL,
	PB_HAS_FULL,
	PB_HAS_CYCLES,
	PB_HAS_PRODUCTION_DATE,
	PB_HAS_BALANCE,
	PB_HAS_PROTECTION,
	PB_HAS_ALARM,
	PB_HAS_VERSION,
	PB_HAS_CHARGE_FET,
	PB_HAS_DISCHARGE_FET,
	PB_HAS_CELLS, /**< cell_count; each cell has its own bit in cell_has */
	PB_HAS_CELL_EXTREMES,
	PB_HAS_TEMPERATURES, /**< temperature_count; each probe its own bit in temperature_has */
	PB_HAS_TEMPERATURE_EXTREMES,
	PB_HAS_DEVICE_NAME,
	PB_HAS_FIRMWARE,
	PB_HAS_MOS_TEMPERATURE,
	PB_HAS_COUNTERS, /**< each counter has its own bit in counter_has */
	PB_HAS_ACTIVITY,
	PB_HAS_BALANCING,
	PB_HAS_CONSUMED,
	PB_HAS_TIME_TO_EMPTY,
	PB_HAS_CHARGE_SWITCH,
	PB_HAS_DISCHARGE_SWITCH,
	/* members of struct pb_battery outside of its sample */
	PB_HAS_OF_SAMPLE,
	PB_HAS_CHARGE_VOLTAGE = PB_HAS_OF_SAMPLE,
	PB_HAS_DISCHARGE_VOLTAGE,
	PB_HAS_CHARGE_CURRENT,
	PB_HAS_DISCHARGE_CURRENT,
	PB_HAS_REQUESTS, /**< charge_allowed, discharge_allowed, charge_now, charge_soon */
	PB_HAS_SOC_TOTAL,
	PB_HAS_SOC_SPREAD, /**< soc_min_permille and soc_max_permille */
	PB_HAS_VOLTAGE_SPREAD,
	PB_HAS_PACK_CELLS, /**< pack_cell_count */
	PB_HAS_CELL_PACKS, /**< which packs have the extreme cells */
	PB_HAS_TEMPERATURE_PACKS,
	PB_HAS_SWITCHES, /**< charge_all, charge_any, discharge_all, discharge_any */
	PB_HAS_CHARGE_MAX,
	PB_HAS_DISCHARGE_MAX,
	PB_HAS_FULL_VOLTAGE,
	PB_HAS_ENERGY,
	PB_HAS_CHARGE_POWER,
	PB_HAS_DISCHARGE_POWER,
	PB_HAS_CELL_LEVELS, /**< cell_high_mv and cell_low_mv */
	PB_HAS_UNCHANGED,
	PB_HAS_COUNT
};

#define PB_HAS(what) (UINT64_C(1) << (what))

/** One reading of one pack. A member counts only if its bit is in @has. Plain data: copy freely. */
struct pb_sample {
	uint64_t has;		  /**< set of PB_HAS(enum pb_has) */
	int32_t voltage_mv;	  /**< at the pack's terminals, 0..1000000 */
	int32_t current_ma;	  /**< positive while charging */
	int64_t power_mw;	  /**< voltage times current, positive while charging */
	int32_t soc_permille;	  /**< state of charge, 0..1000 */
	int32_t soc_percent;	  /**< in whole %, rounded, but 0 and 100 only when exact */
	int32_t dod_permille;	  /**< depth of discharge, 1000 - soc_permille */
	int32_t soh_permille;	  /**< state of health, 0..1000 */
	int64_t remaining_mah;	  /**< charge left */
	int64_t nominal_mah;	  /**< capacity by design */
	int64_t full_mah;	  /**< capacity as learned by the BMS */
	int64_t consumed_mah;	  /**< full_mah - remaining_mah, at least 0 */
	int32_t time_to_empty_s;  /**< at the present current; only while discharging */
	int32_t activity;	  /**< enum pb_activity */
	int32_t cycles;		  /**< full cycles */
	int32_t production_date;  /**< YYYYMMDD */
	uint64_t balance_mask;	  /**< bit 0: cell 1 is being balanced */
	bool balancing;		  /**< at least one cell is being balanced */
	bool protection_active;	  /**< at least one protection of PB_PROTECT_FAULTS */
	uint32_t protection_mask; /**< set of 1 << enum pb_protection */
	uint32_t alarm_mask; /**< the BMS's own warning bits 0..30, as the maker numbers them */
	int32_t version;     /**< the BMS's firmware byte, raw: makers disagree on its coding */
	bool charge_fet;     /**< conducting */
	bool discharge_fet;  /**< conducting */
	/** What the BMS is commanded to do with its FETs, as it says: true: closed. A FET may be
	 * open all the same, e.g. by a protection. Absent: the BMS does not say, or it is not
	 * clear. */
	bool charge_switch, discharge_switch;
	int32_t cell_count; /**< 0..PB_CELLS_MAX */
	int32_t cells_said; /**< number of cells in another place of the reply; 0: there is none */
	uint64_t cell_has;  /**< bit 0: cell_mv[0] was reported */
	int32_t cell_mv[PB_CELLS_MAX];
	int32_t cell_min_mv;
	int32_t cell_max_mv;
	int32_t cell_min_index; /**< from 1; the first of equal ones */
	int32_t cell_max_index; /**< from 1; the first of equal ones */
	int32_t cell_delta_mv;	/**< cell_max_mv - cell_min_mv */
	int32_t cell_avg_mv;
	int32_t temperature_count; /**< probe slots, 0..PB_TEMPERATURES_MAX */
	uint64_t temperature_has; /**< bit 0: temperature_mc[0] was reported; a slot without a probe
				     is not */
	int32_t temperature_mc[PB_TEMPERATURES_MAX]; /**< milli-degrees Celsius */
	int32_t temperature_min_mc;
	int32_t temperature_max_mc;
	int32_t temperature_avg_mc;
	int32_t temperature_min_index; /**< from 1; the first of equal ones */
	int32_t temperature_max_index; /**< from 1; the first of equal ones */
	int32_t mos_temperature_mc;    /**< of the transistors; not part of temperature_mc[] */
	char device_name[PB_NAME_MAX];
	char firmware[PB_NAME_MAX];
	uint64_t counter_has; /**< bit n: counters[n] was reported */
	int32_t counters[PB_COUNTER_COUNT];
	/** Data of the codec from earlier frames of this connection; 0: unknown. */
	struct {
		uint8_t layout, cells, probes;
		uint16_t release_mv; /**< a cell's overvoltage ends below this voltage */
	} carry;
};

/**
 * Computes the members that follow from reported ones: power, activity, consumed charge, time to
 * empty, cell and temperature extremes.
 */
void pb_sample_derive(struct pb_sample *sample);
/**
 * @return whether two readings have the same voltage, current, cells, temperatures, switches,
 *         balancing, protections and warnings, as decoded. Charge, state of charge, cycles and
 *         counters are not compared: a board may continue to count when it no longer measures.
 */
bool pb_sample_same(const struct pb_sample *a, const struct pb_sample *b);
