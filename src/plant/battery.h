/* SPDX-License-Identifier: MIT */
/*
 * What the plant keeps of each battery, and what readings and time make of it. Notes.c puts it into
 * words for the log, unit.c shows it to clients.
 */
#pragma once

#include "packbridge/control.h"
#include "packbridge/plant.h"

/** What events were about last: see events.c. */
struct battery_past {
	bool lost;
	enum pb_error why;
	uint64_t live_ms;     /**< of the last live reading; 0: there was none */
	uint64_t lost_ms;     /**< likewise, when it was lost */
	uint8_t phase;	      /**< enum pb_phase, as known last */
	uint8_t fet[2];	      /**< PB_EVENT_FET_OPEN or _CLOSED; 0: not known yet */
	uint32_t protections; /**< set of 1 << enum pb_protection */
	uint8_t alarm_level[PB_ALARM_COUNT];
	uint64_t alarm_ms[PB_ALARM_COUNT]; /**< when it began */
	uint64_t protection_ms[PB_PROTECT_COUNT];
};

/** What a reload carries over to the same battery of the next plant, as it is. */
struct battery_memory {
	struct pb_alarm_state alarm_state;
	uint64_t changed_ms;	 /**< of the first reading that all later ones are the same as */
	struct pb_repeat repeat; /**< of notes about alarms and limits */
	/* as notes told it last */
	bool allowed_known, charge_allowed, discharge_allowed;
	bool mixed;	 /**< packs of a bank do not fit together */
	int32_t lacking; /**< packs of a bank without a good reading */
	bool settled;	 /**< each of its packs has been read, or it is known why not */
	struct pb_history_state history;
	/* a pack */
	struct pb_limit_state limit_state;
	struct battery_past past;
	struct pb_control_machine control;
	struct pb_repeat control_repeat; /**< of notes about control */
	unsigned int control_notes;	 /**< in the minute that runs */
};

/** A pack or a bank. */
struct battery {
	struct pb_plant *plant;
	const struct pb_battery_setup *setup;
	struct pb_battery data; /**< age, quality and heartbeat: as battery_at() set them last */
	uint32_t version;	/**< goes up when the rest of @data changes */
	uint32_t words;		/**< goes up when only @reader changes */
	struct battery_memory memory;
	uint64_t alarm_ms; /**< when time alone changes an alarm; UINT64_MAX: never */
	/** A pack: when its reading turns stale. A bank: when that of a pack that counts does.
	 * UINT64_MAX: never, as it stands. */
	uint64_t stale_ms;
	/* a pack */
	struct pb_plant_pack reader;
	struct pb_refusals *refusals;	  /**< those of @reader, see plant->refusals */
	bool good, alarmed;		  /**< as the plant's summary counts it */
	struct pb_command_status command; /**< of the last command */
};

struct unit;

struct pb_plant {
	size_t pack_count, bank_count;
	bool has_control;	   /**< of one pack at least */
	struct battery *batteries; /**< packs, then banks */
	/** When each battery needs the time. Apart from them, since each step looks at all. */
	uint64_t *due_ms;
	/** Of each pack. Apart, as most packs have none: their memory is never touched. */
	struct pb_refusals *refusals;
	struct pb_plant_summary summary;
	uint64_t start_ms;
	int32_t day;		  /**< of the last event */
	struct pb_events *events; /**< NULL: none are kept */
	const struct pb_plant_handler *handler;
	void *userdata;
	/* units: see unit.c */
	struct unit *units;
	struct pb_unit_table *tables;
	struct pb_gateway gateway;
	struct pb_unit_image *gateway_image;
	const struct pb_unit_table *gateway_table; /**< whose units the image shows */
	uint64_t gateway_ms;			   /**< when it was encoded */
};

/** Updates all that follows from reading, status and time. @new_reading: since the last update. */
void battery_update_pack(struct battery *pack, bool new_reading, uint64_t now_ms);
/** The same for the bank. @new_reading: of a pack of it. */
void battery_update_bank(struct battery *bank, bool new_reading, uint64_t now_ms);
/** A pack, and then the banks that it is in. */
void battery_update_with_banks(struct battery *pack, bool new_reading, uint64_t now_ms);
/** Control of the pack has changed what its limits follow from: updates them, and its banks. */
void battery_update_limits(struct battery *pack, uint64_t now_ms);
/** Enters when the battery needs the time. */
void battery_schedule(const struct battery *battery);
/** Copies what a reader handed up, and updates what follows from it. */
void battery_read(struct battery *pack, const struct pb_reading *reading, uint64_t now_ms);
/** Goes on from the same battery of another plant; to be updated then. */
void battery_take(struct battery *battery, const struct battery *before);

enum pb_quality battery_quality(const struct battery *battery, uint64_t now_ms);
/**
 * Brings @data to @now_ms: age, quality, heartbeat; and a bank's values, when a pack of it has
 * turned stale since. What else follows from that is for the step that is due by then.
 * @return @data
 */
const struct pb_battery *battery_at(struct battery *battery, uint64_t now_ms);
uint16_t battery_heartbeat(const struct pb_plant *plant, uint64_t now_ms);

static inline struct battery *battery_of_bank(const struct battery *bank, size_t member)
{
	return &bank->plant->batteries[bank->setup->packs[member]];
}
