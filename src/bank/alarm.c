/* SPDX-License-Identifier: MIT */
/*
 * Alarms of one battery: a level for each kind, with hysteresis and delay.
 */
#include "battery.h"

#include "packbridge/base.h"

#include <stdio.h>

/* What PB_ALARM_SWITCHED_OFF is about. */
enum { OFF_CHARGE = 1 << 0, OFF_DISCHARGE = 1 << 1 };

static bool is_low(enum pb_alarm alarm)
{
	switch (alarm) {
	case PB_ALARM_CELL_LOW:
	case PB_ALARM_VOLTAGE_LOW:
	case PB_ALARM_CHARGE_COLD:
	case PB_ALARM_DISCHARGE_COLD:
	case PB_ALARM_SOC_LOW:
		return true;
	case PB_ALARM_CELL_HIGH:
	case PB_ALARM_VOLTAGE_HIGH:
	case PB_ALARM_CELL_SPREAD:
	case PB_ALARM_CHARGE_HOT:
	case PB_ALARM_DISCHARGE_HOT:
	case PB_ALARM_CHARGE_CURRENT:
	case PB_ALARM_DISCHARGE_CURRENT:
	case PB_ALARM_SILENT:
	case PB_ALARM_PROTECTION:
	case PB_ALARM_SWITCHED_OFF:
	case PB_ALARM_FROZEN:
	case PB_ALARM_COUNT:
		break;
	}
	return false;
}

/*
 * A pack at rest may repeat its values. At C/100 and above, cells and current cannot stay equal for
 * long.
 */
static bool flows(const struct pb_sample *s)
{
	int64_t capacity_mah = s->has & PB_HAS(PB_HAS_NOMINAL) ? s->nominal_mah : 0;
	int64_t least_ma = capacity_mah / 100 > PB_ACTIVE_MA ? capacity_mah / 100 : PB_ACTIVE_MA;

	return s->has & PB_HAS(PB_HAS_CURRENT) &&
	       (s->current_ma >= least_ma || s->current_ma <= -least_ma);
}

/* The value that a kind of alarm checks. @return false: not in the reading */
static bool alarm_value_of(enum pb_alarm alarm, const struct pb_battery *battery, int64_t *ret)
{
	const struct pb_sample *s = &battery->sample;
	static const enum pb_has needs[PB_ALARM_COUNT] = {
		[PB_ALARM_CELL_HIGH] = PB_HAS_CELL_EXTREMES,
		[PB_ALARM_CELL_LOW] = PB_HAS_CELL_EXTREMES,
		[PB_ALARM_VOLTAGE_HIGH] = PB_HAS_VOLTAGE,
		[PB_ALARM_VOLTAGE_LOW] = PB_HAS_VOLTAGE,
		[PB_ALARM_CELL_SPREAD] = PB_HAS_CELL_EXTREMES,
		[PB_ALARM_CHARGE_HOT] = PB_HAS_TEMPERATURE_EXTREMES,
		[PB_ALARM_CHARGE_COLD] = PB_HAS_TEMPERATURE_EXTREMES,
		[PB_ALARM_DISCHARGE_HOT] = PB_HAS_TEMPERATURE_EXTREMES,
		[PB_ALARM_DISCHARGE_COLD] = PB_HAS_TEMPERATURE_EXTREMES,
		[PB_ALARM_SOC_LOW] = PB_HAS_SOC,
		[PB_ALARM_CHARGE_CURRENT] = PB_HAS_CURRENT,
		[PB_ALARM_DISCHARGE_CURRENT] = PB_HAS_CURRENT,
		[PB_ALARM_FROZEN] = PB_HAS_UNCHANGED,
	};
	const int64_t values[PB_ALARM_COUNT] = {
		[PB_ALARM_CELL_HIGH] = s->cell_max_mv,
		[PB_ALARM_CELL_LOW] = s->cell_min_mv,
		[PB_ALARM_VOLTAGE_HIGH] = s->voltage_mv,
		[PB_ALARM_VOLTAGE_LOW] = s->voltage_mv,
		[PB_ALARM_CELL_SPREAD] = s->cell_delta_mv,
		[PB_ALARM_CHARGE_HOT] = s->temperature_max_mc,
		[PB_ALARM_CHARGE_COLD] = s->temperature_min_mc,
		[PB_ALARM_DISCHARGE_HOT] = s->temperature_max_mc,
		[PB_ALARM_DISCHARGE_COLD] = s->temperature_min_mc,
		[PB_ALARM_SOC_LOW] = s->soc_permille,
		[PB_ALARM_CHARGE_CURRENT] = s->current_ma,
		[PB_ALARM_DISCHARGE_CURRENT] = -(int64_t)s->current_ma,
		[PB_ALARM_FROZEN] = flows(s) ? battery->unchanged_s : -1,
	};

	*ret = values[alarm];
	return pb_battery_has(battery, needs[alarm]);
}

/* Whether the value is beyond a level's limit; @before: it was, so the hysteresis counts. */
static bool beyond(enum pb_alarm alarm, const struct pb_alarm_rule *rule, enum pb_level level,
		   int64_t cells, int64_t value, bool before)
{
	int64_t limit = level == PB_LEVEL_ALARM ? rule->alarm : rule->warning;
	int64_t back = rule->hysteresis;

	if (!(level == PB_LEVEL_ALARM ? rule->has_alarm : rule->has_warning))
		return false;
	if (rule->per_cell) {
		limit *= cells;
		back *= cells;
	}
	if (is_low(alarm))
		return before ? value < limit + back || value <= limit : value <= limit;
	return before ? value > limit - back || value >= limit : value >= limit;
}

static void wake_at(uint64_t *next_ms, uint64_t ms)
{
	if (ms < *next_ms)
		*next_ms = ms;
}

/* The level of a kind that looks at a value. */
static uint8_t step_value(const struct pb_alarm_rule *rule, struct pb_alarm_state *state,
			  enum pb_alarm alarm, const struct pb_battery *battery, uint64_t now_ms,
			  uint64_t *next_ms)
{
	const struct pb_sample *s = &battery->sample;
	uint8_t level = PB_LEVEL_NONE, before = state->kinds[alarm].level;
	int64_t value;

	if (!alarm_value_of(alarm, battery, &value) || (rule->per_cell && s->cell_count == 0))
		return before;
	for (int i = PB_LEVEL_WARNING; i <= PB_LEVEL_ALARM; i++) {
		uint64_t *since_ms = &state->kinds[alarm].since_ms[i - 1], due_ms;

		if (!beyond(alarm, rule, (enum pb_level)i, s->cell_count, value, before >= i)) {
			*since_ms = 0;
			continue;
		}
		if (!*since_ms)
			*since_ms = now_ms;
		due_ms = *since_ms + 1000 * (uint64_t)rule->delay_s;
		if (before >= i || now_ms >= due_ms)
			level = (uint8_t)i;
		else
			wake_at(next_ms, due_ms);
	}
	return level;
}

/* The level of a kind that depends on a duration only. */
static uint8_t step_lasting(const struct pb_alarm_rule *rule, uint64_t *since_ms, bool is_so,
			    uint64_t now_ms, uint64_t *next_ms)
{
	uint64_t warning_ms, alarm_ms;

	if (!is_so) {
		*since_ms = 0;
		return PB_LEVEL_NONE;
	}
	if (!*since_ms)
		*since_ms = now_ms;
	warning_ms = *since_ms + 1000 * (uint64_t)rule->warning;
	alarm_ms = *since_ms + 1000 * (uint64_t)rule->alarm;
	if (rule->has_alarm && now_ms < alarm_ms)
		wake_at(next_ms, alarm_ms);
	if (rule->has_warning && now_ms < warning_ms)
		wake_at(next_ms, warning_ms);
	if (rule->has_alarm && now_ms >= alarm_ms)
		return PB_LEVEL_ALARM;
	return rule->has_warning && now_ms >= warning_ms ? PB_LEVEL_WARNING : PB_LEVEL_NONE;
}

/*
 * Causes of an alarm that the BMS itself reports, as bits. @return false: it does not report them
 */
static bool causes_of(enum pb_alarm alarm, const struct pb_battery *battery, uint32_t *ret)
{
	const struct pb_sample *s = &battery->sample;

	if (alarm == PB_ALARM_PROTECTION) {
		*ret = s->protection_mask & PB_PROTECT_FAULTS;
		return pb_battery_has(battery, PB_HAS_PROTECTION);
	}
	*ret = 0;
	if (bank_blocked_by(battery, true) == PB_REASON_SWITCH)
		*ret |= OFF_CHARGE;
	if (bank_blocked_by(battery, false) == PB_REASON_SWITCH)
		*ret |= OFF_DISCHARGE;
	return pb_battery_has(battery, PB_HAS_CHARGE_FET) ||
	       pb_battery_has(battery, PB_HAS_DISCHARGE_FET);
}

static bool is_locked(const struct pb_battery *battery)
{
	return pb_battery_has(battery, PB_HAS_PROTECTION) &&
	       battery->sample.protection_mask & 1 << PB_PROTECT_FET_LOCKED;
}

static uint8_t step_causes(const struct pb_alarm_rule *rule, struct pb_alarm_state *state,
			   enum pb_alarm alarm, const struct pb_battery *battery, uint64_t now_ms,
			   uint64_t *next_ms)
{
	struct pb_alarm_kind *kind = &state->kinds[alarm];
	uint32_t causes;
	uint8_t level;

	if (!causes_of(alarm, battery, &causes))
		return kind->level;
	level = step_lasting(rule, &kind->since_ms[0], causes != 0, now_ms, next_ms);
	/* a requested state is no fault */
	if (alarm == PB_ALARM_SWITCHED_OFF && level == PB_LEVEL_ALARM && is_locked(battery))
		level = PB_LEVEL_WARNING;
	kind->new_causes = level == PB_LEVEL_NONE ? 0 : causes & ~kind->causes;
	kind->causes = level == PB_LEVEL_NONE ? 0 : causes;
	return level;
}

static uint8_t step_kind(const struct pb_alarm_rule *rule, struct pb_alarm_state *state,
			 enum pb_alarm alarm, const struct pb_battery *battery, bool stale,
			 uint64_t now_ms, uint64_t *next_ms)
{
	state->kinds[alarm].new_causes = 0;
	if (alarm == PB_ALARM_SILENT)
		return step_lasting(rule, &state->kinds[alarm].since_ms[0], stale, now_ms, next_ms);
	if (stale) /* a stale reading proves nothing, neither way */
		return state->kinds[alarm].level;
	if (alarm == PB_ALARM_PROTECTION || alarm == PB_ALARM_SWITCHED_OFF)
		return step_causes(rule, state, alarm, battery, now_ms, next_ms);
	return step_value(rule, state, alarm, battery, now_ms, next_ms);
}

/* Raises each kind that the BMS has a protection of. */
static void add_protections(const struct pb_sample *s, uint8_t *worst)
{
	static const uint32_t masks[PB_ALARM_COUNT] = {
		[PB_ALARM_CELL_HIGH] = 1 << PB_PROTECT_CELL_OVERVOLTAGE,
		[PB_ALARM_CELL_LOW] = 1 << PB_PROTECT_CELL_UNDERVOLTAGE,
		[PB_ALARM_VOLTAGE_HIGH] = 1 << PB_PROTECT_PACK_OVERVOLTAGE,
		[PB_ALARM_VOLTAGE_LOW] = 1 << PB_PROTECT_PACK_UNDERVOLTAGE,
		[PB_ALARM_CHARGE_HOT] = 1 << PB_PROTECT_CHARGE_OVERTEMPERATURE,
		[PB_ALARM_CHARGE_COLD] = 1 << PB_PROTECT_CHARGE_UNDERTEMPERATURE,
		[PB_ALARM_DISCHARGE_HOT] = 1 << PB_PROTECT_DISCHARGE_OVERTEMPERATURE,
		[PB_ALARM_DISCHARGE_COLD] = 1 << PB_PROTECT_DISCHARGE_UNDERTEMPERATURE,
		[PB_ALARM_CHARGE_CURRENT] = 1 << PB_PROTECT_CHARGE_OVERCURRENT,
		[PB_ALARM_DISCHARGE_CURRENT] =
			1 << PB_PROTECT_DISCHARGE_OVERCURRENT | 1 << PB_PROTECT_SHORT_CIRCUIT,
	};

	for (int i = 0; i < PB_ALARM_COUNT; i++)
		if (s->has & PB_HAS(PB_HAS_PROTECTION) && s->protection_mask & masks[i])
			worst[i] = PB_LEVEL_ALARM;
}

static uint8_t normality(const struct pb_alarm_rule *low, const struct pb_alarm_rule *high,
			 int32_t value)
{
	if ((high->has_warning && value >= high->warning) ||
	    (high->has_alarm && value >= high->alarm))
		return PB_NORMAL_HIGH;
	if ((low->has_warning && value <= low->warning) || (low->has_alarm && value <= low->alarm))
		return PB_NORMAL_LOW;
	return PB_NORMAL;
}

static uint64_t first(int count)
{
	return count >= 64 ? UINT64_MAX : (UINT64_C(1) << count) - 1;
}

static void look_at_each(const struct pb_alarm_setup *setup, const struct pb_sample *s,
			 struct pb_alarms *alarms)
{
	const struct pb_alarm_rule *rules = setup->rules;

	alarms->cell_has = s->has & PB_HAS(PB_HAS_CELLS) ? first(s->cell_count) | s->cell_has : 0;
	for (int i = 0; i < PB_CELLS_MAX; i++)
		alarms->cell[i] = s->cell_has >> i & 1
					  ? normality(&rules[PB_ALARM_CELL_LOW],
						      &rules[PB_ALARM_CELL_HIGH], s->cell_mv[i])
					  : PB_NORMAL_UNKNOWN;
	alarms->temperature_has = s->has & PB_HAS(PB_HAS_TEMPERATURES)
					  ? first(s->temperature_count) | s->temperature_has
					  : 0;
	for (int i = 0; i < PB_TEMPERATURES_MAX; i++)
		alarms->temperature[i] =
			s->temperature_has >> i & 1
				? normality(&rules[PB_ALARM_DISCHARGE_COLD],
					    &rules[PB_ALARM_CHARGE_HOT], s->temperature_mc[i])
				: PB_NORMAL_UNKNOWN;
}

static void tell_limits(const struct pb_alarm_setup *setup, struct pb_battery *battery)
{
	const struct pb_alarm_rule *high = &setup->rules[PB_ALARM_CELL_HIGH];
	const struct pb_alarm_rule *low = &setup->rules[PB_ALARM_CELL_LOW];

	if (!high->has_alarm || !low->has_alarm)
		return;
	battery->rating.cell_high_mv = high->alarm;
	battery->rating.cell_low_mv = low->alarm;
	pb_battery_mark(battery, PB_HAS_CELL_LEVELS);
}

/* @return whether a client or the log must be informed */
static bool show_kind(bool latch, struct pb_alarm_kind *kind, uint8_t level, uint64_t now_ms)
{
	bool changed;

	kind->level = level;
	kind->latched |= latch && level == PB_LEVEL_ALARM;
	if (kind->latched)
		level = PB_LEVEL_ALARM;
	changed = level != kind->shown;
	if (changed)
		kind->shown_ms = now_ms;
	kind->shown = level;
	return changed || kind->new_causes;
}

static void sum_up(struct pb_alarms *alarms)
{
	alarms->warnings = alarms->alarms = 0;
	alarms->severity = PB_LEVEL_NONE;
	for (int i = 0; i < PB_ALARM_COUNT; i++) {
		uint8_t level = alarms->level[i];

		alarms->warnings |= (uint32_t)(level >= PB_LEVEL_WARNING) << i;
		alarms->alarms |= (uint32_t)(level == PB_LEVEL_ALARM) << i;
		if (level > alarms->severity)
			alarms->severity = level;
	}
}

uint32_t pb_alarm_step(const struct pb_alarm_setup *setup, struct pb_alarm_state *state,
		       struct pb_battery *battery, bool stale, uint64_t now_ms,
		       uint64_t *ret_next_ms)
{
	struct pb_alarms *alarms = &battery->alarms;
	uint32_t changed = 0;

	*ret_next_ms = UINT64_MAX;
	for (int i = 0; i < PB_ALARM_COUNT; i++) {
		struct pb_alarm_kind *kind = &state->kinds[i];
		uint8_t level = step_kind(&setup->rules[i], state, (enum pb_alarm)i, battery, stale,
					  now_ms, ret_next_ms);

		if (show_kind(setup->latch, kind, level, now_ms))
			changed |= UINT32_C(1) << i;
		alarms->level[i] = alarms->worst[i] = kind->shown;
	}
	sum_up(alarms);
	add_protections(&battery->sample, alarms->worst);
	if (!stale)
		look_at_each(setup, &battery->sample, alarms);
	tell_limits(setup, battery);
	return changed;
}

void pb_alarm_reset(struct pb_alarm_state *state)
{
	for (int i = 0; i < PB_ALARM_COUNT; i++)
		state->kinds[i].latched = false;
}

/* "-0.050": what printf can't do with whole numbers */
static const char *decimal(int64_t thousandths, int digits, char *out, size_t cap)
{
	int64_t whole = thousandths < 0 ? -thousandths : thousandths;
	int64_t part = whole % 1000;

	if (digits == 1)
		part /= 100;
	snprintf(out, cap, "%s%lld.%0*lld", thousandths < 0 ? "-" : "", (long long)(whole / 1000),
		 digits, (long long)part);
	return out;
}

/* "cell over-voltage, short circuit" */
static void describe_protections(uint32_t mask, char *out, size_t cap)
{
	size_t at = 0;

	snprintf(out, cap, "over by now");
	for (int i = 0; i < PB_PROTECT_COUNT && at < cap; i++)
		if (mask >> i & 1)
			at += (size_t)snprintf(out + at, cap - at, "%s%s", at ? ", " : "",
					       pb_protection_name((enum pb_protection)i));
}

static void describe_switches(const struct pb_battery *battery, char *out, size_t cap)
{
	static const char *const fets[] = {
		[0] = "on again",
		[OFF_CHARGE] = "charge FET off",
		[OFF_DISCHARGE] = "discharge FET off",
		[OFF_CHARGE | OFF_DISCHARGE] = "charge and discharge FET off",
	};
	uint32_t off;

	causes_of(PB_ALARM_SWITCHED_OFF, battery, &off);
	snprintf(out, cap, "%s%s", fets[off],
		 off && is_locked(battery) ? ", locked by command" : "");
}

void pb_alarm_describe(enum pb_alarm alarm, const struct pb_battery *battery, char *out, size_t cap)
{
	const struct pb_sample *s = &battery->sample;
	const struct pb_members *m = &battery->members;
	char n[32];
	int64_t value = 0;

	alarm_value_of(alarm, battery, &value);
	switch (alarm) {
	case PB_ALARM_CELL_HIGH:
	case PB_ALARM_CELL_LOW:
		snprintf(out, cap, "cell %s at %s V",
			 alarm == PB_ALARM_CELL_LOW ? m->cell_min_name : m->cell_max_name,
			 decimal(value, 3, n, sizeof(n)));
		break;
	case PB_ALARM_VOLTAGE_HIGH:
	case PB_ALARM_VOLTAGE_LOW:
		snprintf(out, cap, "%s V", decimal(value, 3, n, sizeof(n)));
		break;
	case PB_ALARM_CELL_SPREAD:
		snprintf(out, cap, "cells %lld mV apart", (long long)value);
		break;
	case PB_ALARM_CHARGE_HOT:
	case PB_ALARM_CHARGE_COLD:
	case PB_ALARM_DISCHARGE_HOT:
	case PB_ALARM_DISCHARGE_COLD:
		snprintf(out, cap, "probe %s at %s degC",
			 is_low(alarm) ? m->temperature_min_name : m->temperature_max_name,
			 decimal(value, 1, n, sizeof(n)));
		break;
	case PB_ALARM_SOC_LOW:
		snprintf(out, cap, "%s %%", decimal(value * 100, 1, n, sizeof(n)));
		break;
	case PB_ALARM_CHARGE_CURRENT:
	case PB_ALARM_DISCHARGE_CURRENT:
		snprintf(out, cap, "%s A", decimal(value, 1, n, sizeof(n)));
		break;
	case PB_ALARM_PROTECTION:
		describe_protections(s->protection_mask & PB_PROTECT_FAULTS, out, cap);
		break;
	case PB_ALARM_SWITCHED_OFF:
		describe_switches(battery, out, cap);
		break;
	case PB_ALARM_FROZEN:
		snprintf(out, cap, "no value has changed for %u s at %s A", battery->unchanged_s,
			 decimal(s->current_ma, 1, n, sizeof(n)));
		break;
	case PB_ALARM_SILENT:
	case PB_ALARM_COUNT:
		snprintf(out, cap, "no reading");
		break;
	}
}
