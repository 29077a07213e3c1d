/* SPDX-License-Identifier: MIT */
/*
 * After each update, what is known now is compared with what was known (battery->memory.past), and
 * each difference becomes an event:
 *
 *	live ⇄ stale                 lost, back       a pack, a bank
 *	level of each alarm          alarm_begin, alarm_end
 *	phase of charging            phase
 *	each protection of the BMS   protection_begin, protection_end   a pack, by its readings only
 *	each FET                     fet_open, fet_closed               likewise
 *
 * The first reading shows how things are; only protections and alarms that it finds are events.
 */
#include "events.h"

#include "packbridge/events.h"

#include <stdio.h>

static void duration_text(uint64_t ms, char *out, size_t cap)
{
	unsigned long s = (unsigned long)(ms / 1000);

	if (s < 120)
		snprintf(out, cap, "%lu s", s);
	else if (s < 7200)
		snprintf(out, cap, "%lu min", s / 60);
	else
		snprintf(out, cap, "%lu h %lu min", s / 3600, s / 60 % 60);
}

static void events_add(struct battery *battery, struct pb_event *event, bool live, uint64_t now_ms)
{
	struct pb_events *events = battery->plant->events;

	if (!events)
		return;
	event->bank = battery->setup->bank != NULL;
	snprintf(event->name, sizeof(event->name), "%s", battery->setup->name);
	if (live)
		pb_event_facts(&event->facts, &battery->data.sample);
	pb_event_mark(&battery->data.event, pb_events_add(events, event, now_ms));
	battery->version++;
}

void events_show(struct battery *battery)
{
	const struct pb_event *last =
		battery->plant->events
			? pb_events_last_of(battery->plant->events, battery->setup->name,
					    battery->setup->bank != NULL)
			: NULL;

	if (last)
		pb_event_mark(&battery->data.event, last);
}

/* ---- lost and back ---- */

static void add_lost(struct battery *battery, uint64_t now_ms)
{
	const struct pb_status *status = &battery->data.status;
	struct battery_past *past = &battery->memory.past;
	struct pb_event event = {.kind = PB_EVENT_LOST, .level = PB_LEVEL_WARNING};

	past->lost = true;
	past->lost_ms = past->live_ms;
	past->why = status->last_error;
	event.code = (uint16_t)past->why;
	if (battery->setup->bank)
		snprintf(event.text, sizeof(event.text), "no live reading: %d of %d packs have one",
			 battery->data.members.packs_online, battery->data.members.packs);
	else
		snprintf(event.text, sizeof(event.text), "no live reading%s%s",
			 past->why ? ": " : "", past->why ? pb_error_text(past->why) : "");
	events_add(battery, &event, false, now_ms);
}

static void add_back(struct battery *battery, uint64_t now_ms)
{
	struct battery_past *past = &battery->memory.past;
	struct pb_event event = {.kind = PB_EVENT_BACK, .code = (uint16_t)past->why};
	char text[32];

	past->lost = false;
	event.duration_ms = past->live_ms - past->lost_ms;
	duration_text(event.duration_ms, text, sizeof(text));
	snprintf(event.text, sizeof(event.text), "live again after %s%s%s", text,
		 past->why ? "; it was: " : "", past->why ? pb_error_text(past->why) : "");
	events_add(battery, &event, true, now_ms);
}

/* Only what had a reading can be lost: at the start there is none yet. */
static void compare_live(struct battery *battery, bool live, uint64_t live_ms, uint64_t now_ms)
{
	struct battery_past *past = &battery->memory.past;

	if (live)
		past->live_ms = live_ms;
	if (live && past->lost)
		add_back(battery, now_ms);
	else if (!live && !past->lost && past->live_ms)
		add_lost(battery, now_ms);
}

/* ---- alarms ---- */

static void add_alarm(struct battery *battery, int alarm, enum pb_level level, bool live,
		      uint64_t now_ms)
{
	struct battery_past *past = &battery->memory.past;
	struct pb_event event = {.code = (uint16_t)alarm, .level = (uint8_t)level};
	const char *name = pb_alarm_name((enum pb_alarm)alarm);
	char what[PB_ALARM_TEXT_MAX];

	if (level != PB_LEVEL_NONE) {
		event.kind = PB_EVENT_ALARM_BEGIN;
		if (past->alarm_level[alarm] == PB_LEVEL_NONE)
			past->alarm_ms[alarm] = now_ms;
		pb_alarm_describe((enum pb_alarm)alarm, &battery->data, what, sizeof(what));
		snprintf(event.text, sizeof(event.text), "%s: %s, %.*s",
			 level == PB_LEVEL_ALARM ? "alarm" : "warning", name,
			 (int)sizeof(event.text) - 32, what);
	} else {
		event.kind = PB_EVENT_ALARM_END;
		event.duration_ms = now_ms - past->alarm_ms[alarm];
		duration_text(event.duration_ms, what, sizeof(what));
		snprintf(event.text, sizeof(event.text), "%s is over after %.32s", name, what);
	}
	past->alarm_level[alarm] = (uint8_t)level;
	events_add(battery, &event, live, now_ms);
}

static void compare_alarms(struct battery *battery, bool live, uint64_t now_ms)
{
	for (int i = 0; i < PB_ALARM_COUNT; i++) {
		uint8_t level = battery->memory.alarm_state.kinds[i].shown;

		if (level != battery->memory.past.alarm_level[i])
			add_alarm(battery, i, (enum pb_level)level, live, now_ms);
	}
}

/* ---- what readings show ---- */

static void add_protection(struct battery *pack, int which, bool active, uint64_t now_ms)
{
	struct battery_past *past = &pack->memory.past;
	const char *name = pb_protection_name((enum pb_protection)which);
	bool fault = PB_PROTECT_FAULTS >> which & 1;
	struct pb_event event = {
		.kind = active ? PB_EVENT_PROTECTION_BEGIN : PB_EVENT_PROTECTION_END,
		.code = (uint16_t)which,
		.level = active && fault ? PB_LEVEL_ALARM : PB_LEVEL_NONE,
	};
	char text[32];

	if (active) {
		past->protection_ms[which] = now_ms;
		snprintf(event.text, sizeof(event.text), "the BMS reports: %s", name);
	} else {
		event.duration_ms = now_ms - past->protection_ms[which];
		duration_text(event.duration_ms, text, sizeof(text));
		snprintf(event.text, sizeof(event.text), "%s is over after %s", name, text);
	}
	events_add(pack, &event, true, now_ms);
}

static void compare_protections(struct battery *pack, uint64_t now_ms)
{
	uint32_t mask = pack->data.sample.protection_mask, changed;

	if (!pb_battery_has(&pack->data, PB_HAS_PROTECTION))
		return;
	changed = mask ^ pack->memory.past.protections;
	pack->memory.past.protections = mask;
	for (int i = 0; changed && i < PB_PROTECT_COUNT; i++)
		if (changed >> i & 1)
			add_protection(pack, i, mask >> i & 1, now_ms);
}

static void compare_fet(struct battery *pack, enum pb_event_fet fet, enum pb_has has, bool closed,
			uint64_t now_ms)
{
	uint8_t state = closed ? PB_EVENT_FET_CLOSED : PB_EVENT_FET_OPEN;
	uint8_t *before = &pack->memory.past.fet[fet - PB_EVENT_FET_CHARGE];
	struct pb_event event = {.kind = state, .code = (uint16_t)fet};

	if (!pb_battery_has(&pack->data, has) || *before == state)
		return;
	snprintf(event.text, sizeof(event.text), "the %s FET %s",
		 fet == PB_EVENT_FET_CHARGE ? "charge" : "discharge",
		 closed ? "conducts" : "is open");
	if (*before)
		events_add(pack, &event, true, now_ms);
	*before = state;
}

static void compare_phase(struct battery *battery, uint64_t now_ms)
{
	static const char *const names[] = {"", "bulk", "absorption", "float"};
	uint8_t phase = battery->data.limits.charge_phase, before = battery->memory.past.phase;
	struct pb_event event = {.kind = PB_EVENT_PHASE, .code = phase};

	if (phase == PB_PHASE_UNKNOWN || phase == before)
		return;
	battery->memory.past.phase = phase;
	if (before == PB_PHASE_UNKNOWN)
		return;
	snprintf(event.text, sizeof(event.text), "charging: %s after %s", names[phase],
		 names[before]);
	events_add(battery, &event, true, now_ms);
}

/* ---- all of it ---- */

void events_pack(struct battery *pack, bool new_reading, bool stale, uint64_t now_ms)
{
	const struct pb_sample *sample = &pack->data.sample;

	compare_live(pack, !stale, pack->data.status.sampled_ms, now_ms);
	if (new_reading && !stale) {
		compare_protections(pack, now_ms);
		compare_fet(pack, PB_EVENT_FET_CHARGE, PB_HAS_CHARGE_FET, sample->charge_fet,
			    now_ms);
		compare_fet(pack, PB_EVENT_FET_DISCHARGE, PB_HAS_DISCHARGE_FET,
			    sample->discharge_fet, now_ms);
		compare_phase(pack, now_ms);
	}
	compare_alarms(pack, !stale, now_ms);
}

void events_bank(struct battery *bank, bool reading, uint64_t now_ms)
{
	compare_live(bank, reading, now_ms, now_ms);
	if (reading)
		compare_phase(bank, now_ms);
	compare_alarms(bank, reading, now_ms);
}
