/* SPDX-License-Identifier: MIT */
/*
 * The objects of one configuration: the readers of its packs, and the plant that they feed. A
 * reload makes a second site, which takes over the unchanged packs.
 */
#pragma once

#include "packbridge/bridge.h"
#include "packbridge/plant.h"

#include <systemd/sd-event.h>

#define GATEWAY_MAP "packbridge-gateway"

struct site;

/** Passes the data of a reader to pack @index of the plant. */
struct site_pack {
	struct site *site;
	size_t index;
	struct pb_reader *reader;
	char address[18]; /* of the pack itself, as far as its link tells; "": not known */
	uint32_t commands[PB_COMMAND_DROPPED + 1]; /* that ended, by enum pb_command_state */
	uint32_t command;			   /* number of the last one counted */
};

struct site {
	const struct pb_config *config;
	struct pb_battery_setup *batteries; /* the plant's: packs, then banks */
	struct pb_plant *plant;
	struct site_pack *packs;
	struct pb_lines *lines;	      /* that several of them share */
	sd_event_source *timer;	      /* of the plant's deadline */
	uint64_t timer_ms;	      /* when it is due; UINT64_MAX: it is off */
	struct pb_plant_summary told; /* to systemd */
	int32_t day;		      /* local; PB_HISTORY_DAY_NONE: the clock is not set */
	int64_t day_minute;	      /* when it was looked at, in minutes since 1970 */
	struct pb_events *events;     /* borrowed */
	uint32_t left_out;	      /* of the log, as the last event had it */
	void (*count)(void *userdata, struct pb_gateway *gateway);
	/** Another pack has taken the place of the one of that name; see struct pb_plant_handler.
	 */
	void (*replaced)(void *userdata, const char *pack, const struct pb_history_state *former);
	void *userdata;
};

struct site_setup {
	sd_event *event;
	struct pb_bluez *bluez;
	const struct pb_config *config;
	struct pb_maps *maps;
	const char *version;
	uint64_t start_ms; /* of the program */
	struct pb_events *events;
	void (*count)(void *userdata, struct pb_gateway *gateway);
	void (*replaced)(void *userdata, const char *pack, const struct pb_history_state *former);
	void *userdata;
};

/**
 * @before: packs that it has just so are left out, for site_take(); NULL: there is none.
 * @return 0; negative with the errors in @report.
 */
int site_new(struct site **ret, const struct site_setup *setup, const struct site *before,
	     struct pb_report *report);
struct site *site_free(struct site *site);
PB_DEFINE_FREEP(struct site, site_free)

/**
 * Begins: takes over the packs that are the same, all that is known of batteries, and what clients
 * wrote. @before: NULL: there is none.
 */
void site_take(struct site *site, struct site *before);
/** Takes the time: what is due, and perhaps a new day. Calling it too often does no harm. */
void site_tick(struct site *site);
/** Connects the packs that are new. */
int site_start(struct site *site);
/** The unit table of listener @index. */
struct pb_unit_table *site_table(const struct site *site, size_t index);
/** @return NULL: there is no such pack. */
struct pb_reader *site_reader(const struct site *site, const char *name);
/**
 * Asks to switch the pack or bank of that name, and takes the first step at once.
 * @return as pb_plant_control(); -ENOENT: there is no such battery.
 */
int site_control(struct site *site, const char *name, const struct pb_control_request *request);
/** Ends all wishes of clients, and takes no more: before the end. */
void site_let_go(struct site *site);
/** @return whether a switch is still being closed since. */
bool site_is_closing(const struct site *site);
/** Forgets alarms that are over, of the battery of that name, or of all: "". @return -ENOENT. */
int site_reset_alarms(struct site *site, const char *name);
