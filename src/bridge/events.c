/* SPDX-License-Identifier: MIT */
/*
 * Events as JSON, one a piece, the oldest first:
 *
 *	{"newest":N,"events":[{...},{...}]}
 *
 * The list may change between two pieces. Each piece takes the next higher number, so the document
 * rises, and an event that repeats meanwhile stands at its new place.
 */
#include "document.h"

#include "packbridge/events.h"

#include <jansson.h>

#include <stdlib.h>
#include <string.h>
#include <time.h>

/* "2026-11-28T21:14:03Z", by the clock as it is set now. @return NULL: it is not set */
static json_t *events_time(uint64_t at_ms, uint64_t now_ms)
{
	time_t now = time(NULL), at = now - (time_t)((now_ms - at_ms) / 1000);
	char text[32];

	pb_utc_text(at, text, sizeof(text));
	return pb_clock_is_set(now) && *text ? json_string(text) : json_null();
}

static void set_fact(json_t *values, const struct pb_event_facts *facts, enum pb_has has,
		     const char *name, int32_t value)
{
	if (facts->has & PB_HAS(has))
		json_object_set_new(values, name, json_integer(value));
}

static json_t *json_facts(const struct pb_event_facts *facts)
{
	json_t *values = json_object();

	set_fact(values, facts, PB_HAS_VOLTAGE, "voltage_mv", facts->voltage_mv);
	set_fact(values, facts, PB_HAS_CURRENT, "current_ma", facts->current_ma);
	set_fact(values, facts, PB_HAS_SOC, "soc_permille", facts->soc_permille);
	set_fact(values, facts, PB_HAS_CELL_EXTREMES, "cell_min_mv", facts->cell_min_mv);
	set_fact(values, facts, PB_HAS_CELL_EXTREMES, "cell_min_index", facts->cell_min_index);
	set_fact(values, facts, PB_HAS_CELL_EXTREMES, "cell_max_mv", facts->cell_max_mv);
	set_fact(values, facts, PB_HAS_CELL_EXTREMES, "cell_max_index", facts->cell_max_index);
	set_fact(values, facts, PB_HAS_TEMPERATURE_EXTREMES, "temperature_min_mc",
		 facts->temperature_min_mc);
	set_fact(values, facts, PB_HAS_TEMPERATURE_EXTREMES, "temperature_max_mc",
		 facts->temperature_max_mc);
	return values;
}

static json_t *events_json(const struct pb_event *event, uint64_t now_ms)
{
	json_t *object =
		json_pack("{s:I, s:s, s:i, s:s, s:I, s:s}", "number", (json_int_t)event->number,
			  "kind", pb_event_name((enum pb_event_kind)event->kind), "code",
			  (int)event->code, "level", pb_level_name((enum pb_level)event->level),
			  "count", (json_int_t)event->count, "text", event->text);

	json_object_set_new(object, "battery",
			    *event->name ? json_string(event->name) : json_null());
	json_object_set_new(object, "bank", json_boolean(event->bank));
	json_object_set_new(object, "time", events_time(event->at_ms, now_ms));
	json_object_set_new(object, "first_time", events_time(event->first_ms, now_ms));
	json_object_set_new(object, "at_ms", json_integer((json_int_t)event->at_ms));
	json_object_set_new(object, "age_s",
			    json_integer((json_int_t)((now_ms - event->at_ms) / 1000)));
	if (event->duration_ms)
		json_object_set_new(object, "duration_s",
				    json_integer((json_int_t)(event->duration_ms / 1000)));
	json_object_set_new(object, "values", json_facts(&event->facts));
	return object;
}

/* document->at: 0 before the head, else 1; document->sub: number of the last event */
static bool events_step(struct document *document)
{
	const struct pb_events *events = document->snapshot.site->events;
	const struct pb_event *event = pb_events_after(events, (uint32_t)document->sub);
	json_t *object;

	if (document->at++ == 0) {
		fprintf(document->out, "{\"newest\":%lu,\"events\":[",
			(unsigned long)pb_events_newest(events));
		return true;
	}
	if (!event) {
		fputs("]}\n", document->out);
		return false;
	}
	object = events_json(event, document->snapshot.now_ms);
	if (document->sub)
		fputc(',', document->out);
	json_dumpf(object, document->out, JSON_COMPACT);
	json_decref(object);
	document->sub = event->number;
	return true;
}

const struct document_kind document_events = {"application/json", events_step};
