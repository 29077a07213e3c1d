/* SPDX-License-Identifier: MIT */
/*
 * The list of what has happened to batteries and to the program: bounded, newest last, pure.
 *
 *	pb_events_add() ──▶ 17 18 19 21 22 ──▶ pb_events_after()
 *	                       └─▶ the same again within 15 minutes: number 23, counted
 *
 * The number of an event is higher than all before it. When the same happens again, its entry gets
 * another number and the newest place, and counts: what flaps keeps one place per kind and does
 * not push out all else. When the list is full, the entry with the lowest number goes.
 */
#pragma once

#include "packbridge/base.h"
#include "packbridge/model/event.h"
#include "packbridge/model/sample.h"

enum {
	PB_EVENTS_MAX = 512,
	PB_EVENT_TEXT_MAX = 160,
	PB_EVENTS_FOLD_MS = 15 * 60000, /**< since it happened last */
};

/** Values of the moment. A member counts only if its bit is in @has. */
struct pb_event_facts {
	uint64_t has; /**< set of PB_HAS(): VOLTAGE, CURRENT, SOC, CELL_EXTREMES,
			 TEMPERATURE_EXTREMES */
	int32_t voltage_mv, current_ma, soc_permille;
	int32_t cell_min_mv, cell_max_mv, cell_min_index, cell_max_index;
	int32_t temperature_min_mc, temperature_max_mc;
};

/** Plain memory, to be copied. */
struct pb_event {
	uint32_t number;	      /**< from 1 */
	uint32_t count;		      /**< how often it happened, from 1 */
	uint8_t kind;		      /**< enum pb_event_kind */
	uint8_t level;		      /**< enum pb_level */
	uint16_t code;		      /**< see enum pb_event_kind */
	bool bank;		      /**< @name is that of a bank */
	uint64_t at_ms, first_ms;     /**< pb_now_ms() of the last and the first time */
	uint64_t duration_ms;	      /**< of what has ended with it; 0: nothing has */
	char name[PB_NAME_MAX];	      /**< of the battery; "": the program */
	char text[PB_EVENT_TEXT_MAX]; /**< for a person, cleaned */
	struct pb_event_facts facts;
};

struct pb_events;

/** @return 0; -ENOMEM. Nothing is allocated later. */
int pb_events_new(struct pb_events **ret);
struct pb_events *pb_events_free(struct pb_events *events);
PB_DEFINE_FREEP(struct pb_events, pb_events_free)

/**
 * Adds what happens at @now_ms. Of @event all members count but number, count and times. The same
 * means: name, kind, code and level.
 * @return the entry, borrowed until the next call.
 */
const struct pb_event *pb_events_add(struct pb_events *events, const struct pb_event *event,
				     uint64_t now_ms);
/** @return the number of the newest event; 0: there was none. */
uint32_t pb_events_newest(const struct pb_events *events);
/** @return the next event with a higher number than @number; NULL: there is none. */
const struct pb_event *pb_events_after(const struct pb_events *events, uint32_t number);
/** @return the newest event of the battery; NULL: there is none. */
const struct pb_event *pb_events_last_of(const struct pb_events *events, const char *name,
					 bool bank);

/** Takes the values of the moment from a reading. */
void pb_event_facts(struct pb_event_facts *ret, const struct pb_sample *sample);
void pb_event_mark(struct pb_event_mark *ret, const struct pb_event *event);
