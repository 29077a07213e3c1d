/* SPDX-License-Identifier: MIT */
/*
 * Entries keep their slots; a chain through them has the order:
 *
 *	oldest ⇄ ... ⇄ newest        each slot: the numbers of its neighbours, from 1; 0: none
 *
 * An event that repeats leaves its place in the chain and joins at the end. A full list takes the
 * slot of the oldest.
 */
#include "packbridge/events.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

struct slot {
	struct pb_event event;
	uint16_t older, newer;
};

struct pb_events {
	uint32_t newest_number;
	uint16_t used, oldest, newest;
	struct slot slots[PB_EVENTS_MAX + 1]; /* number 0 is none */
};

int pb_events_new(struct pb_events **ret)
{
	struct pb_events *events = calloc(1, sizeof(*events));

	if (!events)
		return -ENOMEM;
	*ret = events;
	return 0;
}

struct pb_events *pb_events_free(struct pb_events *events)
{
	free(events);
	return NULL;
}

/* ---- the chain ---- */

static void events_unlink(struct pb_events *events, uint16_t at)
{
	struct slot *slot = &events->slots[at];

	if (slot->older)
		events->slots[slot->older].newer = slot->newer;
	else
		events->oldest = slot->newer;
	if (slot->newer)
		events->slots[slot->newer].older = slot->older;
	else
		events->newest = slot->older;
}

static void events_append(struct pb_events *events, uint16_t at)
{
	struct slot *slot = &events->slots[at];

	slot->older = events->newest;
	slot->newer = 0;
	if (events->newest)
		events->slots[events->newest].newer = at;
	else
		events->oldest = at;
	events->newest = at;
	slot->event.number = ++events->newest_number;
}

static bool events_same(const struct pb_event *a, const struct pb_event *b)
{
	return a->kind == b->kind && a->code == b->code && a->level == b->level &&
	       a->bank == b->bank && strcmp(a->name, b->name) == 0;
}

/* @return the slot of the same event, if it is recent; 0: there is none */
static uint16_t find_recent(const struct pb_events *events, const struct pb_event *event,
			    uint64_t now_ms)
{
	for (uint16_t at = events->newest; at; at = events->slots[at].older) {
		const struct pb_event *here = &events->slots[at].event;

		if (here->at_ms + PB_EVENTS_FOLD_MS <= now_ms)
			return 0; /* all before are older */
		if (events_same(here, event))
			return at;
	}
	return 0;
}

static uint16_t free_slot(struct pb_events *events)
{
	uint16_t at = events->oldest;

	if (events->used < PB_EVENTS_MAX)
		return ++events->used;
	events_unlink(events, at);
	return at;
}

const struct pb_event *pb_events_add(struct pb_events *events, const struct pb_event *event,
				     uint64_t now_ms)
{
	uint16_t at = find_recent(events, event, now_ms);
	uint64_t first_ms = at ? events->slots[at].event.first_ms : now_ms;
	uint32_t count = at ? events->slots[at].event.count : 0;
	struct pb_event *entry;

	if (at)
		events_unlink(events, at);
	else
		at = free_slot(events);
	entry = &events->slots[at].event;
	*entry = *event;
	entry->count = count < UINT32_MAX ? count + 1 : count;
	entry->first_ms = first_ms;
	entry->at_ms = now_ms;
	pb_text_clean(entry->text, sizeof(entry->text), event->text, strlen(event->text));
	events_append(events, at);
	return entry;
}

/* ---- what there is to see ---- */

uint32_t pb_events_newest(const struct pb_events *events)
{
	return events->newest_number;
}

const struct pb_event *pb_events_after(const struct pb_events *events, uint32_t number)
{
	const struct pb_event *next = NULL;

	for (uint16_t at = events->newest; at && events->slots[at].event.number > number;
	     at = events->slots[at].older)
		next = &events->slots[at].event;
	return next;
}

const struct pb_event *pb_events_last_of(const struct pb_events *events, const char *name,
					 bool bank)
{
	for (uint16_t at = events->newest; at; at = events->slots[at].older) {
		const struct pb_event *event = &events->slots[at].event;

		if (event->bank == bank && *event->name && strcmp(event->name, name) == 0)
			return event;
	}
	return NULL;
}

void pb_event_facts(struct pb_event_facts *ret, const struct pb_sample *sample)
{
	*ret = (struct pb_event_facts){
		.has = sample->has &
		       (PB_HAS(PB_HAS_VOLTAGE) | PB_HAS(PB_HAS_CURRENT) | PB_HAS(PB_HAS_SOC) |
			PB_HAS(PB_HAS_CELL_EXTREMES) | PB_HAS(PB_HAS_TEMPERATURE_EXTREMES)),
		.voltage_mv = sample->voltage_mv,
		.current_ma = sample->current_ma,
		.soc_permille = sample->soc_permille,
		.cell_min_mv = sample->cell_min_mv,
		.cell_max_mv = sample->cell_max_mv,
		.cell_min_index = sample->cell_min_index,
		.cell_max_index = sample->cell_max_index,
		.temperature_min_mc = sample->temperature_min_mc,
		.temperature_max_mc = sample->temperature_max_mc,
	};
}

void pb_event_mark(struct pb_event_mark *ret, const struct pb_event *event)
{
	*ret = (struct pb_event_mark){
		.number = event->number,
		.kind = event->kind,
		.code = event->code,
		.level = event->level,
		.count = (uint16_t)(event->count < 65534 ? event->count : 65534),
	};
}
