/* SPDX-License-Identifier: MIT */
/*
 * Notes go to the plant's handler one by one, so none is lost however many there are. Each kind of
 * note has a key of battery->memory.repeat: the same key again within a minute is counted, and a
 * line at the end of the minute sums up what was left out. Of control each change is noted, but for
 * a client that changes its mind more than thirty times a minute.
 */
#include "notes.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

enum { LINE_MAX = 1024, SUM_MAX = 768, CONTROL_NOTES = 30 };

/* Each alarm with each level, two of each limit, whether a bank lacks packs or has packs that do
 * not fit, and each cause that a BMS can name. */
enum {
	KEY_CHARGE = PB_ALARM_COUNT * (PB_LEVEL_ALARM + 1),
	KEY_DISCHARGE = KEY_CHARGE + 2,
	KEY_MEMBERS = KEY_DISCHARGE + 2,
	KEY_MIXED = KEY_MEMBERS + 2,
	KEY_CAUSES = KEY_MIXED + 2,
	KEYS = KEY_CAUSES + PB_PROTECT_COUNT
};

_Static_assert((int)KEYS <= (int)PB_REPEAT_KEYS, "a bit for each");

void notes_line(const struct battery *battery, enum pb_log_level level, const char *alarm,
		const char *format, ...)
{
	const struct pb_battery_setup *setup = battery->setup;
	const struct pb_plant *plant = battery->plant;
	struct pb_log_about about = {
		.pack = setup->bank ? NULL : setup->name,
		.bank = setup->bank ? setup->name : NULL,
		.unit = setup->unit,
		.alarm = alarm,
	};
	char text[LINE_MAX];
	va_list args;

	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	plant->handler->note(plant->userdata, level, &about, text);
}

/* "pack house: ..." */
#define NOTE(battery, level, alarm, format, ...)                                                   \
	notes_line(battery, level, alarm, "%s %s: " format,                                        \
		   (battery)->setup->bank ? "bank" : "pack", (battery)->setup->name,               \
		   ##__VA_ARGS__)

/* ---- alarms ---- */

static enum pb_level level_of(const struct battery *battery, int alarm)
{
	return (enum pb_level)battery->memory.alarm_state.kinds[alarm].shown;
}

/* An alarm that ends because a reload has removed its rule does not show that its cause is gone. */
static bool is_watched(const struct battery *battery, int alarm)
{
	const struct pb_alarm_rule *rule = &battery->setup->alarms->rules[alarm];

	return rule->has_warning || rule->has_alarm;
}

static void note_alarm(const struct battery *battery, int alarm)
{
	enum pb_level level = level_of(battery, alarm);
	const char *name = pb_alarm_name((enum pb_alarm)alarm);
	char what[PB_ALARM_TEXT_MAX];

	pb_alarm_describe((enum pb_alarm)alarm, &battery->data, what, sizeof(what));
	if (level == PB_LEVEL_NONE)
		NOTE(battery, PB_LOG_INFO, name, "%s is %s", name,
		     is_watched(battery, alarm) ? "over" : "no longer watched");
	else if (level == PB_LEVEL_ALARM)
		NOTE(battery, PB_LOG_ERR, name, "ALARM: %s, %s", name, what);
	else
		NOTE(battery, PB_LOG_WARNING, name, "warning: %s, %s", name, what);
}

/* A cause that joins others is no repetition. */
static unsigned int key_of(const struct battery *battery, int alarm)
{
	uint32_t causes = battery->memory.alarm_state.kinds[alarm].new_causes;

	if (alarm == PB_ALARM_PROTECTION && causes)
		return KEY_CAUSES + (unsigned int)__builtin_ctz(causes);
	return (unsigned int)alarm * (PB_LEVEL_ALARM + 1) + level_of(battery, alarm);
}

static size_t sum_alarm(const struct battery *battery, int alarm, const char *between, char *out,
			size_t cap)
{
	bool high = level_of(battery, alarm) == PB_LEVEL_ALARM;
	char what[PB_ALARM_TEXT_MAX];

	pb_alarm_describe((enum pb_alarm)alarm, &battery->data, what, sizeof(what));
	return (size_t)snprintf(out, cap, "%s%s %s, %s", between, high ? "ALARM" : "warning",
				pb_alarm_name((enum pb_alarm)alarm), what);
}

/* What flaps is summed up, with how it stands: the last change may be among those left out. */
static void note_sum(struct battery *battery, uint64_t now_ms)
{
	uint32_t count = pb_repeat_sum(&battery->memory.repeat, now_ms);
	char now[SUM_MAX] = "";
	size_t at = 0;

	if (count == 0)
		return;
	for (int i = 0; i < PB_ALARM_COUNT && at < sizeof(now); i++)
		if (level_of(battery, i) != PB_LEVEL_NONE)
			at += sum_alarm(battery, i, at ? "; " : "", now + at, sizeof(now) - at);
	NOTE(battery, PB_LOG_WARNING, NULL,
	     "alarms or limits changed %u times more in the last minute; now %s", count,
	     at ? now : "no alarm");
}

void notes_alarms(struct battery *battery, uint32_t changed, uint64_t now_ms)
{
	note_sum(battery, now_ms);
	for (int i = 0; i < PB_ALARM_COUNT; i++)
		if (changed >> i & 1 &&
		    pb_repeat_say(&battery->memory.repeat, key_of(battery, i), now_ms))
			note_alarm(battery, i);
}

/* ---- limits ---- */

static void note_direction(struct battery *battery, unsigned int key, const char *what, bool before,
			   bool now, const char *why, uint64_t now_ms)
{
	if (before == now || !pb_repeat_say(&battery->memory.repeat, key + now, now_ms))
		return;
	if (now)
		NOTE(battery, PB_LOG_INFO, NULL, "%s again", what);
	else
		NOTE(battery, PB_LOG_WARNING, NULL, "no more %s: %s", what, why);
}

/* Only between two readings that both know; that there is none is said elsewhere, and while the
 * packs of a bank come one by one at the start nothing is. */
void notes_limits(struct battery *battery, uint64_t now_ms)
{
	const struct pb_limits *limits = &battery->data.limits;
	bool known = battery->memory.settled && pb_battery_has(&battery->data, PB_HAS_REQUESTS);

	if (known && battery->memory.allowed_known) {
		note_direction(battery, KEY_CHARGE, "charging", battery->memory.charge_allowed,
			       limits->charge_allowed, limits->charge_current_text, now_ms);
		note_direction(battery, KEY_DISCHARGE, "discharging",
			       battery->memory.discharge_allowed, limits->discharge_allowed,
			       limits->discharge_current_text, now_ms);
	}
	battery->memory.allowed_known = known;
	battery->memory.charge_allowed = limits->charge_allowed;
	battery->memory.discharge_allowed = limits->discharge_allowed;
}

/* ---- the packs of a bank ---- */

static void note_lacking(struct battery *bank, uint64_t now_ms)
{
	const struct pb_members *m = &bank->data.members;
	bool lacking = m->packs_online < m->packs;

	if (m->packs_stale == bank->memory.lacking)
		return;
	bank->memory.lacking = m->packs_stale;
	if (!pb_repeat_say(&bank->memory.repeat, KEY_MEMBERS + lacking, now_ms))
		return;
	if (lacking)
		NOTE(bank, PB_LOG_WARNING, NULL, "%d of %d packs with a good reading",
		     m->packs_online, m->packs);
	else
		NOTE(bank, PB_LOG_INFO, NULL, "all %d pack%s with a good reading", m->packs,
		     m->packs == 1 ? "" : "s");
}

/* Once, when it comes and when it goes: the bank has no current meanwhile. */
static void note_mixed(struct battery *bank, uint64_t now_ms)
{
	bool mixed = bank->data.members.mixed;

	if (mixed == bank->memory.mixed)
		return;
	bank->memory.mixed = mixed;
	if (!pb_repeat_say(&bank->memory.repeat, KEY_MIXED + mixed, now_ms))
		return;
	if (mixed)
		NOTE(bank, PB_LOG_ERR, NULL,
		     "packs in parallel differ in cells or voltage: no current is allowed");
	else
		NOTE(bank, PB_LOG_INFO, NULL, "packs have one voltage again");
}

void notes_members(struct battery *bank, uint64_t now_ms)
{
	if (!bank->memory.settled)
		return;
	note_lacking(bank, now_ms);
	note_mixed(bank, now_ms);
}

/* ---- control ---- */

static const char *directions(bool charge, bool discharge)
{
	if (charge)
		return discharge ? "charging and discharging" : "charging";
	return discharge ? "discharging" : "nothing";
}

static const char *inhibited(const struct pb_control *control)
{
	return directions(control->inhibit_charge, control->inhibit_discharge);
}

void notes_control_sum(struct battery *pack, uint64_t now_ms)
{
	uint32_t count = pb_repeat_sum(&pack->memory.control_repeat, now_ms);

	if (count)
		NOTE(pack, PB_LOG_WARNING, NULL,
		     "control changed %u times more in the last minute; now it is %s, inhibited: "
		     "%s",
		     count, pb_control_state_text((enum pb_control_state)pack->data.control.state),
		     inhibited(&pack->data.control));
}

static bool may_note_control(struct battery *pack, uint64_t now_ms)
{
	struct battery_memory *memory = &pack->memory;

	if (now_ms >= memory->control_repeat.until_ms)
		memory->control_notes = 0;
	if (memory->control_notes < CONTROL_NOTES)
		memory->control_notes++;
	return pb_repeat_say(&memory->control_repeat, memory->control_notes, now_ms);
}

static void note_lease(const struct pb_control *control, char *out, size_t cap)
{
	if (control->lease_s == PB_LEASE_NONE_S)
		snprintf(out, cap, "without a lease");
	else
		snprintf(out, cap, "lease %u s", control->lease_s);
}

static void note_wish(struct battery *pack, const struct pb_control *before, uint64_t now_ms)
{
	const struct pb_control *now = &pack->data.control;
	bool ended = now->reason == PB_CONTROL_REASON_LEASE_ENDED ||
		     now->state == PB_CONTROL_STATE_EXPIRED;
	char lease[32];

	if (!may_note_control(pack, now_ms))
		return;
	note_lease(now, lease, sizeof(lease));
	if (now->owner[0])
		NOTE(pack, PB_LOG_INFO, NULL, "%s inhibits %s, %s; before: %s%s%s", now->owner,
		     inhibited(now), lease, inhibited(before), before->owner[0] ? " by " : "",
		     before->owner);
	else if (ended)
		NOTE(pack, PB_LOG_WARNING, NULL,
		     "the lease of %s has ended, nothing is inhibited any more; before: %s",
		     before->owner, inhibited(before));
	else
		NOTE(pack, PB_LOG_INFO, NULL, "%s inhibits nothing any more; before: %s",
		     before->owner, inhibited(before));
}

static enum pb_log_level level_of_state(int state)
{
	switch (state) {
	case PB_CONTROL_STATE_FAILED:
		return PB_LOG_ERR;
	case PB_CONTROL_STATE_OVERRIDDEN:
	case PB_CONTROL_STATE_FOREIGN:
		return PB_LOG_WARNING;
	default:
		return PB_LOG_INFO;
	}
}

static void note_state(struct battery *pack, uint64_t now_ms)
{
	const struct pb_control *now = &pack->data.control;
	const char *why = pb_control_reason_text((enum pb_control_reason)now->reason);

	if (!may_note_control(pack, now_ms))
		return;
	NOTE(pack, level_of_state(now->state), NULL, "control is %s%s%s; inhibited: %s%s%s",
	     pb_control_state_text((enum pb_control_state)now->state), *why ? ": " : "", why,
	     inhibited(now), now->owner[0] ? " by " : "", now->owner);
}

/* A pack that was never switched has nothing to note. */
static bool is_usual(const struct pb_control *control)
{
	return control->state == PB_CONTROL_STATE_OFF || control->state == PB_CONTROL_STATE_IDLE;
}

void notes_control(struct battery *pack, const struct pb_control *before, uint64_t now_ms)
{
	const struct pb_control *now = &pack->data.control;

	if (before->inhibit_charge != now->inhibit_charge ||
	    before->inhibit_discharge != now->inhibit_discharge ||
	    strcmp(before->owner, now->owner) != 0)
		note_wish(pack, before, now_ms);
	if ((before->state != now->state || before->reason != now->reason) &&
	    !(is_usual(before) && is_usual(now)))
		note_state(pack, now_ms);
}

void notes_left(const struct battery *pack, bool charge, bool discharge)
{
	if (charge || discharge)
		NOTE(pack, PB_LOG_WARNING, NULL,
		     "%s stays inhibited by the pack's switch: packbridge opened it, and may not "
		     "close it any more",
		     directions(charge, discharge));
}

void notes_command(const struct battery *pack, const struct pb_command *command)
{
	const char *charge = command->inhibit_charge ? "open" : "closed";
	const char *discharge = command->inhibit_discharge ? "open" : "closed";

	NOTE(pack, PB_LOG_INFO, NULL, "sends a command: %s%s%s%s%s",
	     command->change_charge ? "charge switch " : "", command->change_charge ? charge : "",
	     command->change_charge && command->change_discharge ? ", " : "",
	     command->change_discharge ? "discharge switch " : "",
	     command->change_discharge ? discharge : "");
}
