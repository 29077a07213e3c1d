/* SPDX-License-Identifier: MIT */
/*
 * The plant: the state of all batteries (packs, and banks of packs), and the units that publish
 * them to clients.
 *
 *	reading, time, reset ──▶ pb_plant_step() ──▶ notes for the log, the next deadline
 *	                              │
 *	                     battery: reading, limits, alarms; its banks
 *	                              │
 *	request, time ───────▶ pb_plant_image() ──▶ the registers of one unit
 *
 * Pure: no clock, no event loop, no log, no link and no server. Memory is allocated when a plant is
 * made, never by a step or a request. A request changes no deadline: if it finds e.g. that a
 * reading has turned stale, the next step at the deadline finds it as well.
 */
#pragma once

#include "packbridge/bank.h"
#include "packbridge/base.h"
#include "packbridge/history.h"
#include "packbridge/modbus.h"
#include "packbridge/model/battery.h"
#include "packbridge/model/gateway.h"
#include "packbridge/model/reading.h"
#include "packbridge/regmap.h"

struct pb_events;
struct pb_plant;
struct pb_unit_table;

/** A pack or a bank. All pointers are borrowed for the plant's life. */
struct pb_battery_setup {
	const char *name;     /**< unique among packs and banks */
	const char *protocol; /**< of a pack: used until a reading names it; of a bank: "bank" */
	int32_t unit;	      /**< its unit id in the configuration, for notes */
	const struct pb_alarm_setup *alarms;
	/* a pack */
	const struct pb_limit_setup *limits; /**< NULL: a bank */
	uint32_t stale_after_s;		     /**< used until its reader reports a status */
	bool keep;			     /**< pb_plant_take() takes over its state */
	/** Without @keep: it is the same pack by another reader. pb_plant_take() takes over what
	 * control knows of it. */
	bool same_link;
	const struct pb_control_setup *control; /**< NULL: off */
	const char *address; /**< of the pack itself, not of a line; "" or NULL: not known */
	/* a bank */
	const struct pb_bank_setup *bank; /**< NULL: a pack */
	const size_t *packs;		  /**< indexes of its packs */
	size_t pack_count;		  /**< 1..PB_MEMBERS_MAX */
	uint32_t keep_closed; /**< packs whose switches must stay closed, in each direction */
};

/** Callbacks of the plant. */
struct pb_plant_handler {
	/**
	 * One line for the log. Called while pb_plant_step() or a client's write runs, as often as
	 * there is something to report; must not call the plant. All pointers are borrowed.
	 */
	void (*note)(void *userdata, enum pb_log_level level, const struct pb_log_about *about,
		     const char *text);
	/** Sets the fields that the plant does not know: counters of the servers and of the log. */
	void (*count)(void *userdata, struct pb_gateway *gateway);
	/**
	 * Sends a command to the reader of @pack. Called for PB_PLANT_TIME only, so no reader is
	 * just handing up something. The result comes with later readings; PB_PLANT_READING may
	 * come from inside this call. NULL: there are no packs with control.
	 * @return as pb_reader_type.command().
	 */
	int (*command)(void *userdata, size_t pack, const struct pb_command *command);
	/**
	 * Another pack has taken the place of @pack, whose history begins anew. @former: what is
	 * known of the one before, borrowed. Called while pb_plant_step() runs. May be NULL.
	 */
	void (*replaced)(void *userdata, size_t pack, const struct pb_history_state *former);
	/** Between two steps, a client's write has made PB_PLANT_TIME due. May be NULL. */
	void (*due)(void *userdata);
};

struct pb_plant_setup {
	const struct pb_battery_setup *batteries; /**< packs, then banks; borrowed */
	size_t pack_count, bank_count;
	size_t table_count;		  /**< unit tables */
	const struct pb_map *gateway_map; /**< of the units 0 and 255; borrowed */
	const char *version;		  /**< of the program; copied */
	struct pb_events *events;	  /**< gets what happens; borrowed. NULL: nobody wants it */
	uint64_t start_ms;		  /**< of the program, for uptime and heartbeat */
	const struct pb_plant_handler *handler;
	void *userdata; /**< of @handler */
};

/** @return 0; -ENOMEM. Has no units yet: see pb_plant_add_unit(). */
int pb_plant_new(struct pb_plant **ret, const struct pb_plant_setup *setup);
struct pb_plant *pb_plant_free(struct pb_plant *plant);
PB_DEFINE_FREEP(struct pb_plant, pb_plant_free)

/**
 * Publishes @battery as unit @id (1..247) of unit table @table with @map (borrowed). The same
 * battery with the same map is encoded once for all tables.
 * @return 0; -ENOMEM.
 */
int pb_plant_add_unit(struct pb_plant *plant, size_t table, int32_t id, size_t battery,
		      const struct pb_map *map);

/**
 * Takes over the state of another plant: of packs with the same name that are set up with @keep,
 * and of all banks with the same name. That is reading, status, latched alarms, running limits,
 * sequence and repeated notes; also the history of all packs of the same name, and values that
 * clients wrote to units of the same name and map. Call it before PB_PLANT_START. Notes which
 * switches stay open because the new configuration does not let anybody close them.
 */
void pb_plant_take(struct pb_plant *plant, const struct pb_plant *before);

enum pb_plant_event_type {
	PB_PLANT_START,	  /**< first, once */
	PB_PLANT_READING, /**< a pack's reader has a new reading, or only a new status */
	PB_PLANT_TIME,	  /**< the deadline passed (calling too early does no harm) */
	PB_PLANT_RESET,	  /**< forget latched alarms that have ended */
	PB_PLANT_LET_GO,  /**< all wishes end, and no request is taken any more: before the end, see
			     pb_plant_is_closing() */
};

enum { PB_PLANT_ALL = -1 };

/**
 * A client asks to switch the pack or bank @battery. Sends nothing by itself: PB_PLANT_TIME is due
 * then, see pb_plant_handler.due(). For a bank: to each of its packs, or to none. What is told of
 * the battery has changed when it returns. What the request means: packbridge/control.h.
 * @request: its owner is copied.
 * @return PB_EXCEPTION_NONE: accepted, the state tells what becomes of it; ILLEGAL_ADDRESS: not
 *         enabled; ILLEGAL_VALUE; DEVICE_BUSY: another owner.
 */
enum pb_exception pb_plant_control(struct pb_plant *plant, size_t battery,
				   const struct pb_control_request *request, uint64_t now_ms);

/** @return whether a switch of the pack is open, or may be, that was opened here. */
bool pb_plant_holds(const struct pb_plant *plant, size_t pack);
/** @return whether a switch is still being closed after PB_PLANT_LET_GO. */
bool pb_plant_is_closing(const struct pb_plant *plant);

struct pb_plant_event {
	enum pb_plant_event_type type;
	int battery; /**< READING: index of the pack; RESET, LET_GO: of the battery or pack, or
			PB_PLANT_ALL */
	const struct pb_reading *reading; /**< READING; copied */
	int32_t day; /**< number of the local day; PB_HISTORY_DAY_NONE: the clock is not set */
};

/**
 * Processes one event; passes notes to the handler.
 * @now_ms: above 0, never goes back.
 * @return when PB_PLANT_TIME is due; UINT64_MAX: not needed.
 */
uint64_t pb_plant_step(struct pb_plant *plant, const struct pb_plant_event *event, uint64_t now_ms);

/* ---- for Modbus clients ---- */

/** @return the table, valid for the plant's life. */
struct pb_unit_table *pb_plant_table(struct pb_plant *plant, size_t table);
/** @return whether there is a unit @id (0..255); makes no image. */
bool pb_plant_owns(const struct pb_unit_table *table, uint8_t id);
/**
 * Gives the registers of unit @id (0..255) at @now_ms; 0 and 255 are the gateway itself. This call
 * decides by @now_ms whether a reading is stale, so a late PB_PLANT_TIME does no harm.
 * @return borrowed, valid until the next step or request; NULL: no such unit.
 */
const struct pb_image *pb_plant_image(struct pb_unit_table *table, uint8_t id, uint64_t now_ms);
/** @return the map that decodes the image of an existing unit. */
const struct pb_map *pb_plant_map(const struct pb_unit_table *table, uint8_t id);

/* ---- for status, metrics and pages ---- */

/** @return the index of the battery of that name; -ENOENT. */
int pb_plant_find(const struct pb_plant *plant, const char *name);
/**
 * Gives the battery at @now_ms, with age, quality and heartbeat. Only with PB_QUALITY_GOOD may its
 * reading be shown as live.
 * @return borrowed, valid until the next step or request.
 */
const struct pb_battery *pb_plant_battery(struct pb_plant *plant, size_t battery, uint64_t now_ms);

/** @return the history of a battery as of @now_ms; borrowed, valid until the next step. */
const struct pb_history_state *pb_plant_history(struct pb_plant *plant, size_t battery,
						uint64_t now_ms);
/** Replaces it: by what was remembered, or by zeros to begin anew. */
void pb_plant_set_history(struct pb_plant *plant, size_t battery,
			  const struct pb_history_state *state);
/**
 * @return a number that has another value whenever something about the battery has changed, also
 *         its quality, but not what only goes with the clock.
 */
uint32_t pb_plant_changes(const struct pb_plant *plant, size_t battery);

/** Data from a pack's reader, besides the reading. */
struct pb_plant_pack {
	const char *state; /**< a word or two for a person; static storage */
	struct pb_note note;
	const struct pb_refusals *refusals; /**< never NULL for a pack */
};

/** @return borrowed, as of the last PB_PLANT_READING; @state is "off" before the first. */
const struct pb_plant_pack *pb_plant_pack(const struct pb_plant *plant, size_t pack);

/** One alarm of a battery, for a person. */
struct pb_plant_alarm {
	enum pb_level level;
	uint64_t since_ms; /**< when it reached that level */
	const char *pack; /**< for a bank's alarm: the pack that causes it; NULL: the bank itself */
	char text[PB_ALARM_TEXT_MAX];
};

/** @return whether the battery has an alarm or a warning of that kind. */
bool pb_plant_alarm(const struct pb_plant *plant, size_t battery, enum pb_alarm alarm,
		    struct pb_plant_alarm *ret);

/** @return the gateway's fields at @now_ms, all except unit_status. */
const struct pb_gateway *pb_plant_gateway(struct pb_plant *plant, uint64_t now_ms);

/** Summary of the whole plant, as of the last step. */
struct pb_plant_summary {
	size_t packs;
	size_t good;   /**< packs with a good reading */
	size_t alarms; /**< packs with an alarm */
};

struct pb_plant_summary pb_plant_summary(const struct pb_plant *plant);
