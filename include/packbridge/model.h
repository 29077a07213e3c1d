/* SPDX-License-Identifier: MIT */
/*
 * What is known of a battery, a pack or a bank of packs (struct pb_battery): one reading (struct
 * pb_sample), the state of the connection (struct pb_status), what packbridge makes of them
 * (alarms, limits, members); what is known of the gateway itself (struct pb_gateway); and the field
 * catalogues that maps, JSON, `decode`, the simulator and the documentation are all driven by.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
	PB_CELLS_MAX = 48, /**< Daly's P81 dialect has 48 slots, JBD's balance words 32 */
	PB_TEMPERATURES_MAX = 16,
	PB_NAME_MAX =
		32, /**< text fields, the NUL included: JBD names have at most 31 characters */
	PB_UNITS_MAX = 247,
	PB_MEMBERS_MAX = 64, /**< packs of one bank: as many as a set has bits */
};

/** Protection counters of JBD register 0xAA, in its order (docs/protocols/jbd.md). */
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

/** Which way the charge flows, by a current of at least PB_ACTIVE_MA; the numbers are published. */
enum pb_activity { PB_ACTIVITY_IDLE = 0, PB_ACTIVITY_CHARGING = 1, PB_ACTIVITY_DISCHARGING = 2 };

enum {
	PB_ACTIVE_MA = 100,
	PB_POWER_MAX_MW = 1000000000,	  /**< 1 MW: more is left out */
	PB_TIME_TO_EMPTY_MAX_S = 3600000, /**< 1000 h: longer is idle */
};

/** What can be absent of a battery: bit n of sample.has stands for value n. */
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
	/* of the other members of struct pb_battery */
	PB_HAS_CHARGE_VOLTAGE,
	PB_HAS_DISCHARGE_VOLTAGE,
	PB_HAS_CHARGE_CURRENT,
	PB_HAS_DISCHARGE_CURRENT,
	PB_HAS_REQUESTS, /**< charge_allowed and what else is asked for */
	PB_HAS_SOC_TOTAL,
	PB_HAS_SOC_SPREAD, /**< soc_min_permille and soc_max_permille */
	PB_HAS_VOLTAGE_SPREAD,
	PB_HAS_PACK_CELLS, /**< pack_cell_count */
	PB_HAS_CELL_PACKS, /**< which packs have the extreme cells */
	PB_HAS_TEMPERATURE_PACKS,
	PB_HAS_SWITCHES, /**< charge_all and its neighbours */
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
	int32_t soc_percent;	  /**< in whole %; 0 and 100 only when it is just that */
	int32_t dod_permille;	  /**< what @soc_permille is short of 1000 */
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
	bool balancing;		  /**< some cell is */
	bool protection_active;	  /**< some protection that is a fault */
	uint32_t protection_mask; /**< set of 1 << enum pb_protection */
	uint32_t alarm_mask; /**< the BMS's own warning bits 0..30, as the maker numbers them */
	int32_t version;     /**< the BMS's firmware byte, raw: makers disagree on its coding */
	bool charge_fet;     /**< conducting */
	bool discharge_fet;  /**< conducting */
	int32_t cell_count;  /**< 0..PB_CELLS_MAX */
	int32_t cells_said;  /**< the same as the board counts them elsewhere; 0: it does not */
	uint64_t cell_has;   /**< bit 0: cell_mv[0] was reported */
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
	int32_t mos_temperature_mc;    /**< of the transistors, no cell's: not among the others */
	char device_name[PB_NAME_MAX];
	char firmware[PB_NAME_MAX];
	uint64_t counter_has; /**< bit n: counters[n] was reported */
	int32_t counters[PB_COUNTER_COUNT];
	/** What the codec must know of earlier frames of the connection: its own, 0 unknown. */
	struct {
		uint8_t layout, cells, probes;
		uint16_t release_mv; /**< a cell below it has no over-voltage any more */
	} carry;
};

/** Computes what follows from reported members: power, activity, what was consumed, the time to
 * empty, cell and temperature extremes. */
void pb_sample_derive(struct pb_sample *sample);
/**
 * @return whether two readings measure and report the same: voltage, current, cells, temperatures,
 *         switches, balancing, protections and warnings, as decoded. Not what a board counts by
 *         itself, whether it still measures or not: charge, state of charge, cycles, counters.
 */
bool pb_sample_same(const struct pb_sample *a, const struct pb_sample *b);

/** What a unit says of its data; the numbers are published in a register and never change. */
enum pb_quality {
	PB_QUALITY_NEVER = 0, /**< no reading since the start */
	PB_QUALITY_GOOD = 1,
	PB_QUALITY_STALE = 2, /**< the last reading is older than stale_after_s, the link is up */
	PB_QUALITY_LOST = 3,  /**< the same, and there is no connection to the pack */
};

/** Why the last poll or connection failed; published, the numbers never change. */
enum pb_error {
	PB_ERROR_NONE = 0,
	PB_ERROR_CONNECT = 1,	   /**< the link did not come up */
	PB_ERROR_LINK_LOST = 2,	   /**< the link went down while in use */
	PB_ERROR_TIMEOUT = 3,	   /**< connected, but no reply */
	PB_ERROR_CHECKSUM = 4,	   /**< replies with a wrong checksum */
	PB_ERROR_GARBAGE = 5,	   /**< bytes that hold no frame */
	PB_ERROR_REFUSED = 6,	   /**< the BMS refused the request */
	PB_ERROR_IMPOSSIBLE = 7,   /**< a sound frame with impossible content */
	PB_ERROR_SILENT = 8,	   /**< connected, but not one byte: wants a password, or sleeps */
	PB_ERROR_ECHO = 9,	   /**< repeats requests instead of answering: wants to be paired */
	PB_ERROR_PASSWORD = 10,	   /**< the radio module refused the password */
	PB_ERROR_RELEASED = 11,	   /**< let go on request, for the phone app */
	PB_ERROR_LATE = 12,	   /**< replies are too old when they come */
	PB_ERROR_UNSOLICITED = 13, /**< replies that nobody asked for */
	PB_ERROR_SHARED_LINE = 14, /**< frames of several boards, which can't be told apart */
	PB_ERROR_COUNT
};

/** @return a few words for a person, static storage; "?" for a number that is none. */
const char *pb_error_text(enum pb_error error);
const char *pb_quality_text(enum pb_quality quality);

/** The connection of one pack; kept by its session. Counters wrap at 2^32, `sequence` at 65535. */
struct pb_status {
	enum pb_quality quality;
	bool connected;
	uint16_t sequence;   /**< 0: no reading yet; then 1..65535, one more for each reading */
	uint64_t sampled_ms; /**< pb_now_ms() of the reading; undefined while sequence is 0 */
	uint32_t stale_after_s;
	uint32_t polls;		   /**< poll cycles with a reading */
	uint32_t failures;	   /**< poll cycles without one */
	uint32_t connects;	   /**< times that the link came up */
	uint32_t connect_failures; /**< attempts to connect that failed */
	uint32_t reconnects; /**< times that the link was given up or lost, after the first success
			      */
	uint32_t timeouts;   /**< requests without a reply; a wake-up request is none */
	uint32_t bad_frames; /**< frames with a wrong checksum or end */
	uint32_t garbage_bytes; /**< bytes that belonged to no frame */
	uint32_t unsolicited;	/**< replies that answer no request of ours */
	uint64_t details_ms; /**< pb_now_ms() of the oldest value that is asked for rarely; 0: there
				is none */
	uint32_t impossible_readings; /**< replies and readings refused for what they said */
	uint32_t impossible_values;   /**< values that were left out of readings */
	enum pb_error last_error;
	uint64_t link_has; /**< bit 0: rssi_dbm is known */
	int32_t rssi_dbm;  /**< received signal strength of the link, where it has one */
};

/** @return true when the reading is too old to be shown as live at @now_ms, or there is none. */
bool pb_status_is_old(const struct pb_status *status, uint64_t now_ms);
/** Age of the reading in whole seconds, at most 65534; 65535: never read. */
uint16_t pb_status_age_s(const struct pb_status *status, uint64_t now_ms);
/** Age of the oldest value that is asked for rarely, likewise; 65535: there is none. */
uint16_t pb_status_details_age_s(const struct pb_status *status, uint64_t now_ms);
/** The quality that a client must be shown at @now_ms, whatever timers did or missed. */
enum pb_quality pb_status_quality(const struct pb_status *status, uint64_t now_ms);

/** What packbridge watches; published as bits and as places of alarm_level, so they never change.
 */
enum pb_alarm {
	PB_ALARM_CELL_HIGH,
	PB_ALARM_CELL_LOW,
	PB_ALARM_VOLTAGE_HIGH,
	PB_ALARM_VOLTAGE_LOW,
	PB_ALARM_CELL_SPREAD,
	PB_ALARM_CHARGE_HOT, /**< too hot to be charged, whether it is being charged or not */
	PB_ALARM_CHARGE_COLD,
	PB_ALARM_DISCHARGE_HOT,
	PB_ALARM_DISCHARGE_COLD,
	PB_ALARM_SOC_LOW,
	PB_ALARM_CHARGE_CURRENT,
	PB_ALARM_DISCHARGE_CURRENT,
	PB_ALARM_SILENT,       /**< no reading */
	PB_ALARM_PROTECTION,   /**< the BMS reports a protection that is a fault */
	PB_ALARM_SWITCHED_OFF, /**< the BMS has switched a FET off, and no protection tells why */
	PB_ALARM_FROZEN,       /**< a current flows, and no value changes */
	PB_ALARM_COUNT
};

enum pb_level { PB_LEVEL_NONE = 0, PB_LEVEL_WARNING = 1, PB_LEVEL_ALARM = 2 };

/** @return the kind's name as in the configuration, "cell_high"; "?" for a number that is none. */
const char *pb_alarm_name(enum pb_alarm alarm);

/** State of one cell or probe by the alarms' limits; published. */
enum pb_normal {
	PB_NORMAL = 0,
	PB_NORMAL_LOW = 1,
	PB_NORMAL_HIGH = 2,
	PB_NORMAL_UNKNOWN = 3, /**< the BMS has a place for it, and reports no value */
};

/** What the alarms say. They keep what they last said while there is no reading. */
struct pb_alarms {
	uint32_t warnings;	       /**< set of 1 << enum pb_alarm that are at least warnings */
	uint32_t alarms;	       /**< those of them that are alarms */
	uint8_t level[PB_ALARM_COUNT]; /**< enum pb_level */
	uint8_t severity;	       /**< the highest of them */
	/** The same, or PB_LEVEL_ALARM where the BMS has a protection of that kind. */
	uint8_t worst[PB_ALARM_COUNT];
	uint64_t cell_has;	    /**< cells that are there, with or without a value */
	uint64_t temperature_has;   /**< the same of probes */
	uint8_t cell[PB_CELLS_MAX]; /**< enum pb_normal, of those that are there */
	uint8_t temperature[PB_TEMPERATURES_MAX];
};

/** Why a limit is what it is; published, the numbers never change. */
enum pb_reason {
	PB_REASON_UNKNOWN = 0, /**< there is no limit yet */
	PB_REASON_MAXIMUM = 1, /**< of the configuration, or by the nominal capacity */
	PB_REASON_CELL = 2,    /**< a cell's voltage */
	PB_REASON_TEMPERATURE = 3,
	PB_REASON_SOC = 4,
	PB_REASON_SWITCH = 5,	  /**< the BMS has switched this direction off */
	PB_REASON_PROTECTION = 6, /**< the BMS reports a protection that stops this direction */
	PB_REASON_SILENT = 7,	  /**< no reading */
	PB_REASON_RISING = 8,	  /**< a lower limit is over, and this one comes back slowly */
	PB_REASON_INCOMPLETE = 9, /**< the reading lacks what a rule needs */
	PB_REASON_BANK = 10,	  /**< the bank's own maximum */
	PB_REASON_ABSORPTION = 11,
	PB_REASON_FLOAT = 12,
	PB_REASON_CELL_HIGH = 13, /**< one cell runs ahead of the others */
	PB_REASON_BLOCKED = 14,	  /**< no pack of the bank takes part */
	PB_REASON_COUNT
};

/** @return a few words for a person, static storage; "?" for a number that is none. */
const char *pb_reason_text(enum pb_reason reason);

/** Where charging stands; published. */
enum pb_phase {
	PB_PHASE_UNKNOWN = 0,
	PB_PHASE_BULK = 1,
	PB_PHASE_ABSORPTION = 2,
	PB_PHASE_FLOAT = 3,
};

/** What a charger and an inverter may do. Numbers that are absent in sample.has are unknown. */
struct pb_limits {
	int32_t charge_voltage_mv;    /**< CVL */
	int32_t discharge_voltage_mv; /**< stop discharging below */
	int32_t charge_current_ma;    /**< CCL, 0 or more */
	int32_t discharge_current_ma; /**< DCL, 0 or more */
	uint8_t charge_voltage_reason, charge_current_reason, discharge_current_reason;
	uint8_t charge_phase; /**< enum pb_phase */
	/** Of a bank: the number of the pack that sets the limit, from 1; 0: none, or no bank. */
	uint8_t charge_voltage_pack, charge_current_pack, discharge_current_pack;
	bool charge_allowed;	/**< CCL is not 0 */
	bool discharge_allowed; /**< DCL is not 0 */
	bool charge_now;	/**< so empty that it should be charged from wherever possible */
	bool charge_soon;	/**< nearly so */
	char charge_voltage_text[PB_NAME_MAX]; /**< the reasons in words */
	char charge_current_text[PB_NAME_MAX];
	char discharge_current_text[PB_NAME_MAX];
};

/** What a battery is made of. A pack is a bank of one. */
struct pb_members {
	int32_t packs, packs_online, packs_stale;
	int32_t packs_parallel, packs_series; /**< how they are connected; one of them is 1 */
	int32_t packs_charge,
		packs_discharge; /**< packs with a reading that can be charged, discharged */
	int32_t packs_charge_blocked,
		packs_discharge_blocked; /**< those with a reading that can't */
	bool charge_all, charge_any, discharge_all, discharge_any; /**< the same, of all packs */
	/** Packs side by side with different numbers of cells or voltages: no current is allowed.
	 */
	bool mixed;
	uint64_t packs_online_set;		    /**< bit 0: the first pack has a reading */
	int32_t soc_total_permille;		    /**< remaining_mah / full_mah */
	int32_t soc_min_permille, soc_max_permille; /**< of the packs */
	int32_t voltage_spread_mv;		    /**< highest minus lowest pack voltage */
	int32_t pack_cell_count;		    /**< of each pack, when all have as many */
	/** Numbers of packs, from 1, in the bank's order. */
	int32_t cell_min_pack, cell_max_pack, temperature_min_pack, temperature_max_pack;
	char cell_min_name[8], cell_max_name[8]; /**< "3", in a bank "2.3": pack 2, cell 3 */
	char temperature_min_name[8], temperature_max_name[8];
};

enum pb_chemistry {
	PB_CHEMISTRY_LIFEPO4,
	PB_CHEMISTRY_NMC,
	PB_CHEMISTRY_LTO,
	PB_CHEMISTRY_LEAD,
	PB_CHEMISTRY_COUNT
};

/** What the configuration says of a battery, where it has a number for it. */
struct pb_rating {
	int32_t chemistry; /**< enum pb_chemistry; of a bank: its first pack's */
	int32_t charge_max_ma, discharge_max_ma;
	int32_t full_voltage_mv;		 /**< absorption voltage of all cells */
	int64_t energy_mwh;			 /**< nominal capacity at nominal voltage */
	int64_t charge_max_mw, discharge_max_mw; /**< maximum current at nominal voltage */
	int32_t cell_high_mv, cell_low_mv;	 /**< where the alarms of cells begin */
};

/** What a map of a pack or of a bank can show, side by side, so that one offset reaches it. */
struct pb_battery {
	struct pb_sample sample;
	struct pb_status status; /**< of a bank: sums, and the oldest reading */
	struct pb_alarms alarms;
	struct pb_limits limits;
	struct pb_members members;
	struct pb_rating rating;
	uint16_t age_s;		/**< age of the reading; 65534 or more: 65534; 65535: never read */
	uint16_t details_age_s; /**< age of the oldest value that is asked for rarely: counters,
				   names, capacity by design; 65535: there is none */
	uint16_t unchanged_s; /**< for so long all readings have been pb_sample_same(); 65534: that
				 or more; of a bank: the longest of its packs */
	uint16_t heartbeat;   /**< one more each second that the daemon runs, 1..65535 */
	char name[PB_NAME_MAX];	    /**< its name in the configuration */
	char protocol[16];	    /**< codec name; of a bank "bank" */
	char software[PB_NAME_MAX]; /**< packbridge's version */
};

/** What a gateway map can show. */
struct pb_gateway {
	char product[PB_NAME_MAX];
	char version[PB_NAME_MAX];
	uint32_t uptime_s;
	uint16_t heartbeat;  /**< as in struct pb_battery */
	int32_t packs;	     /**< configured */
	int32_t banks;	     /**< configured */
	int32_t online;	     /**< with quality GOOD */
	int32_t stale;	     /**< with any other quality */
	int32_t warnings;    /**< packs with a warning or an alarm */
	int32_t alarms;	     /**< packs with an alarm */
	uint32_t clients;    /**< connected now; an open serial line is none */
	uint32_t requests;   /**< answered since the start, wraps */
	uint32_t exceptions; /**< of them answered by an exception, wraps */
	uint32_t malformed;  /**< connections closed because their bytes were no Modbus, and frames
				with a wrong CRC; wraps */
	uint32_t evicted;    /**< idle clients closed to let a new one in, wraps */
	uint32_t refused;    /**< clients that the configuration does not allow, wraps */
	uint32_t timeouts;   /**< clients closed over half a request, replies not taken or idleness,
				wraps */
	uint32_t log_left_out;			/**< messages that the log did not take, wraps */
	uint16_t unit_status[PB_UNITS_MAX + 1]; /**< by unit id: 0 no such unit, else quality + 1 */
};

/* ---- the catalogues ---- */

enum pb_kind {
	PB_KIND_NUMBER,
	PB_KIND_BOOL,
	PB_KIND_MASK, /**< bits; JSON shows a number */
	PB_KIND_DATE, /**< YYYYMMDD; JSON shows "YYYY-MM-DD" */
	PB_KIND_ENUM, /**< a number with names; see `description` */
	PB_KIND_TEXT,
};

enum pb_uom {
	PB_UOM_NONE,
	PB_UOM_MV,
	PB_UOM_MA,
	PB_UOM_MW,
	PB_UOM_MAH,
	PB_UOM_MWH,
	PB_UOM_PERMILLE,
	PB_UOM_MC, /**< milli-degree Celsius */
	PB_UOM_S,
	PB_UOM_DBM,
};

/** What a map shows. The first three have one catalogue; a bank's values reach further. */
enum pb_scope {
	PB_SCOPE_PACK,
	PB_SCOPE_BANK,
	PB_SCOPE_BATTERY, /**< a pack or a bank */
	PB_SCOPE_GATEWAY,
	PB_SCOPE_COUNT
};

/**
 * Which side of a value is the safe one, when a register is too coarse for it: a client that obeys
 * a limit may get less than it could have, never more.
 */
enum pb_safe {
	PB_SAFE_NEAREST, /**< no limit: the nearest step */
	PB_SAFE_BELOW,	 /**< a maximum: at most the value */
	PB_SAFE_ABOVE,	 /**< a minimum: at least the value */
};

/** One field: a scalar, or an array of @count elements (@indexed). */
struct pb_field {
	const char *name; /**< e.g. "voltage_mv"; a '.' nests in JSON: "counters.short_circuit" */
	enum pb_kind kind;
	enum pb_uom uom;
	int64_t min, max; /**< what can really occur; a map must be able to hold it */
	uint16_t offset;  /**< of the value, or of element 0 */
	uint8_t size;	  /**< bytes of one element; for text, of the whole */
	bool is_signed;
	bool indexed;	/**< an array, shown as name[0].. */
	bool live;	/**< changes with the clock, not only with a reading */
	bool data;	/**< belongs to the reading, so it is old when the reading is */
	uint16_t count; /**< elements; 1 for a scalar */
	bool vital;	/**< where a reading has it, it must be possible: see pb_sample_check() */
	bool has_none;	/**< @none is no value: it is stored when there is none */
	int64_t none;
	enum pb_safe safe;
	bool flow;	     /**< its sign is the direction of the charge */
	bool sum;	     /**< a bank adds it up: PB_MEMBERS_MAX times as far */
	int8_t has;	     /**< enum pb_has in sample.has, or -1: always there */
	int16_t element_has; /**< offset of the uint64_t with a bit for each element, or -1 */
	uint8_t element_bit; /**< the bit of a scalar in the word at @element_has */
	const char *description;
};

/** @return whether the field can be without a value: not reported, or too old. */
bool pb_field_can_be_absent(const struct pb_field *field);

/** @return the catalogue of @scope, and how many fields it has. Static storage. */
const struct pb_field *pb_fields(enum pb_scope scope, size_t *ret_count);
/** @return the field of that name, or NULL. */
const struct pb_field *pb_field_find(enum pb_scope scope, const char *name);
/** @return the name of the field nearest to @name, for "did you mean"; NULL if none is near. */
const char *pb_field_nearest(enum pb_scope scope, const char *name);
/** Number that people give part 0, an element or a mask's bit: 1 for cells, probes and packs, 0 for
 * what is numbered by its meaning: units, alarms, bits of the maker. */
unsigned int pb_field_first(const struct pb_field *field);
/** @return what names of parts begin with: "balancing" of balance_mask; static storage. */
const char *pb_field_stem(const struct pb_field *field);
/** @return the name of a part, from 0: "short_circuit"; NULL: it has none but its number. */
const char *pb_field_part(const struct pb_field *field, unsigned int part);
/** What can occur of a field in a map of @scope. */
void pb_field_range(const struct pb_field *field, enum pb_scope scope, int64_t *ret_min,
		    int64_t *ret_max);
/** @return "pack", "bank", "battery" or "gateway". */
const char *pb_scope_name(enum pb_scope scope);

/**
 * Reads element @index (0 for a scalar) of a numeric field.
 * @data is a struct pb_battery or a struct pb_gateway, as the scope says.
 * @return true and the value, or false: absent (@ret untouched).
 */
bool pb_field_get(const struct pb_field *field, const void *data, unsigned int index, int64_t *ret);
/** @return a text field's content, or NULL when absent. Borrowed from @data. */
const char *pb_field_text(const struct pb_field *field, const void *data);
/** Writes a numeric field and marks it present: for simulators and tests. */
void pb_field_set(const struct pb_field *field, void *data, unsigned int index, int64_t value);

/** Symbol for printing: "mV", "permille", "" for none. */
const char *pb_uom_symbol(enum pb_uom uom);

/* ---- what cannot be ---- */

/** What is known of a field's range beyond the catalogue, e.g. of one maker's boards. */
struct pb_bound {
	uint16_t offset; /**< as of its struct pb_field; 0 ends a list */
	int64_t min, max;
};

/** The bound of a member of struct pb_sample. */
#define PB_BOUND(member, min, max)                                                                 \
	{                                                                                          \
		offsetof(struct pb_battery, sample.member), min, max                               \
	}

/** What a refused value disagrees with. */
enum pb_against {
	PB_AGAINST_RANGE, /**< what can occur */
	PB_AGAINST_CELLS, /**< the voltages or the number of the cells */
	PB_AGAINST_COUNT, /**< the number of cells as the board counts them elsewhere */
	PB_AGAINST_FULL,  /**< the full capacity */
	PB_AGAINST_FORM,  /**< it is a whole reply that has not the form of one */
};

/** What was refused: which field, why, how often, and what it said the last time. */
struct pb_refusal {
	const struct pb_field *field; /**< NULL: it is a reply, @reply */
	const char *reply;	      /**< name of its request; borrowed */
	enum pb_against against;
	unsigned int index; /**< of an array's element: the first that was refused */
	uint32_t times;	    /**< readings that it spoilt or was left out of; wraps */
	int64_t value;
	int64_t min, max; /**< what would have been possible */
};

enum {
	PB_REFUSALS_MAX = 40,
	PB_REFUSAL_TEXT_MAX = 128,
};

/** All refusals of a pack, one row a field and reason. Zero it to begin. */
struct pb_refusals {
	uint32_t readings, values; /**< struct pb_status: impossible_readings, impossible_values */
	size_t count;
	size_t last; /**< row that spoilt the last refused reading */
	struct pb_refusal rows[PB_REFUSALS_MAX];
};

/**
 * Holds a whole reading against what can be: each field against its range, and what the board says
 * twice against itself. Values that cannot be are taken out of @sample: they are absent then. One
 * of a vital field (voltage, current, SoC, cells) makes the whole reading impossible. To be called
 * before pb_sample_derive(). Bounds and their reasons: docs/protocols/README.md.
 * @bounds: the codec's own, ended by a row of zeros; may be NULL.
 * @refusals: what was refused is added; may be NULL.
 * @return 0; -EPROTO: no reading (what is left of @sample is possible, each by itself).
 */
int pb_sample_check(struct pb_sample *sample, const struct pb_bound *bounds,
		    struct pb_refusals *refusals);
/**
 * Adds a reply that a codec refused: by the value in @sample that can't be, or as a whole.
 * @reply: its request's name; static storage.
 */
void pb_refusals_add_reply(struct pb_refusals *refusals, const char *reply,
			   const struct pb_sample *sample, const struct pb_bound *bounds);
/** What it is in words, e.g. "current_ma is 3553500, expected -2000000 to 2000000". */
void pb_refusal_text(const struct pb_refusal *refusal, char *out, size_t cap);
/** pb_error_text(); of PB_ERROR_IMPOSSIBLE with what it was. */
void pb_refusals_error_text(const struct pb_refusals *refusals, enum pb_error error, char *out,
			    size_t cap);
