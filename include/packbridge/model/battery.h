/* SPDX-License-Identifier: MIT */
/*
 * struct pb_battery: all data of a pack or of a bank of packs. It holds one reading (sample.h), the
 * state of the connection (status.h), and the results of packbridge: alarms, limits, members.
 */
#pragma once

#include "packbridge/model/control.h"
#include "packbridge/model/event.h"
#include "packbridge/model/history.h"
#include "packbridge/model/sample.h"
#include "packbridge/model/status.h"

enum { PB_MEMBERS_MAX = 64 }; /**< packs of one bank: one bit of a set for each */

/**
 * Kinds of alarms. Published as bits and as indices of alarm_level, so the numbers never change.
 */
enum pb_alarm {
	PB_ALARM_CELL_HIGH,
	PB_ALARM_CELL_LOW,
	PB_ALARM_VOLTAGE_HIGH,
	PB_ALARM_VOLTAGE_LOW,
	PB_ALARM_CELL_SPREAD,
	PB_ALARM_CHARGE_HOT, /**< too hot to charge, whether it is charging or not */
	PB_ALARM_CHARGE_COLD,
	PB_ALARM_DISCHARGE_HOT,
	PB_ALARM_DISCHARGE_COLD,
	PB_ALARM_SOC_LOW,
	PB_ALARM_CHARGE_CURRENT,
	PB_ALARM_DISCHARGE_CURRENT,
	PB_ALARM_SILENT,       /**< no reading */
	PB_ALARM_PROTECTION,   /**< the BMS reports a protection that is a fault */
	PB_ALARM_SWITCHED_OFF, /**< the BMS has switched a FET off without a protection that
				  explains it */
	PB_ALARM_FROZEN,       /**< a current flows, but no value changes */
	PB_ALARM_COUNT
};

enum pb_level { PB_LEVEL_NONE = 0, PB_LEVEL_WARNING = 1, PB_LEVEL_ALARM = 2 };

/** @return "none", "warning" or "alarm"; static storage; "?" for an invalid number. */
const char *pb_level_name(enum pb_level level);
/** @return the kind's name as in the configuration, "cell_high"; "?" for an invalid number. */
const char *pb_alarm_name(enum pb_alarm alarm);

/** State of one cell or probe by the limits of the alarms; published. */
enum pb_normal {
	PB_NORMAL = 0,
	PB_NORMAL_LOW = 1,
	PB_NORMAL_HIGH = 2,
	PB_NORMAL_UNKNOWN = 3, /**< the BMS has a slot for it, and reports no value */
};

/** Levels of all alarms. They keep their last state while there is no reading. */
struct pb_alarms {
	uint32_t warnings;	       /**< set of 1 << enum pb_alarm at level warning or alarm */
	uint32_t alarms;	       /**< those of them at level alarm */
	uint8_t level[PB_ALARM_COUNT]; /**< enum pb_level */
	uint8_t severity;	       /**< the highest of them */
	/** @level, raised to PB_LEVEL_ALARM if the BMS has a protection of the same kind. */
	uint8_t worst[PB_ALARM_COUNT];
	uint64_t cell_has;	    /**< cells that exist, with or without a value */
	uint64_t temperature_has;   /**< the same for probes */
	uint8_t cell[PB_CELLS_MAX]; /**< enum pb_normal, of cells that exist */
	uint8_t temperature[PB_TEMPERATURES_MAX];
};

/** Why a limit is what it is; published, the numbers never change. */
enum pb_reason {
	PB_REASON_UNKNOWN = 0, /**< there is no limit yet */
	PB_REASON_MAXIMUM = 1, /**< from the configuration, or from the nominal capacity */
	PB_REASON_CELL = 2,    /**< a cell's voltage */
	PB_REASON_TEMPERATURE = 3,
	PB_REASON_SOC = 4,
	PB_REASON_SWITCH = 5,	  /**< the BMS has switched this direction off */
	PB_REASON_PROTECTION = 6, /**< the BMS reports a protection that stops this direction */
	PB_REASON_SILENT = 7,	  /**< no reading */
	PB_REASON_RISING = 8,	  /**< a lower limit has ended; this one rises slowly */
	PB_REASON_INCOMPLETE = 9, /**< a value that a rule needs is missing */
	PB_REASON_BANK = 10,	  /**< the bank's own maximum */
	PB_REASON_ABSORPTION = 11,
	PB_REASON_FLOAT = 12,
	PB_REASON_CELL_HIGH = 13, /**< one cell is much higher than the others */
	PB_REASON_BLOCKED = 14,	  /**< every pack of the bank is blocked */
	PB_REASON_CONTROL = 15,	  /**< inhibited by a client of packbridge */
	PB_REASON_COUNT
};

/** @return a few words for a person, static storage; "?" for an invalid number. */
const char *pb_reason_text(enum pb_reason reason);

/** Phase of charging; published. */
enum pb_phase {
	PB_PHASE_UNKNOWN = 0,
	PB_PHASE_BULK = 1,
	PB_PHASE_ABSORPTION = 2,
	PB_PHASE_FLOAT = 3,
};

/** What a charger and an inverter may do. Numbers without their bit in battery.has are unknown. */
struct pb_limits {
	int32_t charge_voltage_mv;    /**< CVL */
	int32_t discharge_voltage_mv; /**< stop discharging below */
	int32_t charge_current_ma;    /**< CCL, 0 or more */
	int32_t discharge_current_ma; /**< DCL, 0 or more */
	uint8_t charge_voltage_reason, charge_current_reason, discharge_current_reason;
	uint8_t charge_phase; /**< enum pb_phase */
	/** Of a bank: the number of the pack that sets the limit, from 1; 0: none, or no bank. */
	uint8_t charge_voltage_pack, charge_current_pack, discharge_current_pack;
	bool charge_allowed;		       /**< CCL is not 0 */
	bool discharge_allowed;		       /**< DCL is not 0 */
	bool charge_now;		       /**< very empty: any source should charge it */
	bool charge_soon;		       /**< nearly that empty */
	char charge_voltage_text[PB_NAME_MAX]; /**< the reasons in words */
	char charge_current_text[PB_NAME_MAX];
	char discharge_current_text[PB_NAME_MAX];
};

/** The packs of a battery. A single pack counts as a bank of one. */
struct pb_members {
	int32_t packs, packs_online, packs_stale;
	int32_t packs_parallel, packs_series; /**< how the packs are wired; one of the two is 1 */
	int32_t packs_charge,
		packs_discharge; /**< packs with a reading that can be charged, discharged */
	int32_t packs_charge_blocked,
		packs_discharge_blocked; /**< packs with a reading that cannot */
	bool charge_all, charge_any, discharge_all, discharge_any; /**< the same, of all packs */
	/** Parallel packs with different numbers of cells or voltages: no current is allowed. */
	bool mixed;
	uint64_t packs_online_set;		    /**< bit 0: the first pack has a reading */
	int32_t soc_total_permille;		    /**< remaining_mah / full_mah */
	int32_t soc_min_permille, soc_max_permille; /**< of the packs */
	int32_t voltage_spread_mv;		    /**< highest minus lowest pack voltage */
	int32_t pack_cell_count; /**< of each pack, if all have the same number */
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

/** Ratings of a battery from its configuration. */
struct pb_rating {
	int32_t chemistry; /**< enum pb_chemistry; of a bank: its first pack's */
	int32_t charge_max_ma, discharge_max_ma;
	int32_t full_voltage_mv;		 /**< absorption voltage of all cells */
	int64_t energy_mwh;			 /**< nominal capacity at nominal voltage */
	int64_t charge_max_mw, discharge_max_mw; /**< maximum current at nominal voltage */
	int32_t cell_high_mv, cell_low_mv;	 /**< thresholds of the cell alarms */
};

/**
 * All fields that a map of a pack or bank can use, in one structure: a field is an offset into it.
 */
struct pb_battery {
	struct pb_sample sample;
	uint64_t has;		 /**< set of PB_HAS(enum pb_has), for members outside @sample */
	struct pb_status status; /**< for a bank: sums, and the oldest reading */
	uint64_t link_has;	 /**< bit 0: rssi_dbm is known; never for a bank */
	int32_t rssi_dbm;	 /**< received signal strength of the link, where it has one */
	struct pb_alarms alarms;
	struct pb_limits limits;
	struct pb_members members;
	struct pb_rating rating;
	struct pb_control control;
	struct pb_history history;
	struct pb_event_mark event; /**< the newest */
	enum pb_quality
		quality; /**< as of the last update by a clock, like the ages and @heartbeat */
	uint16_t age_s;	 /**< age of the reading; 65534 or more: 65534; 65535: never read */
	uint16_t details_age_s; /**< age of the oldest value that is queried rarely: counters,
				   names, capacity by design; 65535: there is none */
	uint16_t unchanged_s; /**< how long the readings have been equal by pb_sample_same(); 65534:
				 that or more; for a bank: the longest of its packs */
	uint16_t heartbeat;   /**< goes up by one each second, 1..65535 */
	char name[PB_NAME_MAX];	    /**< its name in the configuration */
	char protocol[16];	    /**< codec name; of a bank "bank" */
	char software[PB_NAME_MAX]; /**< packbridge's version */
};

/** @return whether the value @what is present, in @battery or in its sample. */
static inline bool pb_battery_has(const struct pb_battery *battery, enum pb_has what)
{
	uint64_t has = what < PB_HAS_OF_SAMPLE ? battery->sample.has : battery->has;

	return (has & PB_HAS(what)) != 0;
}

/** Marks the value @what as present. */
static inline void pb_battery_mark(struct pb_battery *battery, enum pb_has what)
{
	if (what < PB_HAS_OF_SAMPLE)
		battery->sample.has |= PB_HAS(what);
	else
		battery->has |= PB_HAS(what);
}
