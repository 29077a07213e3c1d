/* SPDX-License-Identifier: MIT */
/*
 * Alarms of one battery: a level for each kind, with hysteresis and delay.
 */
#include "inner.h"

#include "packbridge/base.h"

#include <stdio.h>

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
	case PB_ALARM_COUNT:
		break;
	}
	return false;
}

/* What a kind looks at. @return false: the reading does not have it */
static bool value_of(enum pb_alarm alarm, const struct pb_sample *s, int64_t *ret)
{
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
	};

	*ret = values[alarm];
	return s->has & PB_HAS(needs[alarm]);
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
			  enum pb_alarm alarm, const struct pb_sample *s, uint64_t now_ms,
			  uint64_t *next_ms)
{
	uint8_t level = PB_LEVEL_NONE, before = state->kinds[alarm].level;
	int64_t value;

	if (!value_of(alarm, s, &value) || (rule->per_cell && s->cell_count == 0))
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

static uint8_t step_silence(const struct pb_alarm_rule *rule, struct pb_alarm_state *state,
			    bool old, uint64_t now_ms, uint64_t *next_ms)
{
	uint64_t warning_ms, alarm_ms;

	if (!old) {
		state->silent_ms = 0;
		return PB_LEVEL_NONE;
	}
	if (!state->silent_ms)
		state->silent_ms = now_ms;
	warning_ms = state->silent_ms + 1000 * (uint64_t)rule->warning;
	alarm_ms = state->silent_ms + 1000 * (uint64_t)rule->alarm;
	if (rule->has_alarm && now_ms < alarm_ms)
		wake_at(next_ms, alarm_ms);
	if (rule->has_warning && now_ms < warning_ms)
		wake_at(next_ms, warning_ms);
	if (rule->has_alarm && now_ms >= alarm_ms)
		return PB_LEVEL_ALARM;
	return rule->has_warning && now_ms >= warning_ms ? PB_LEVEL_WARNING : PB_LEVEL_NONE;
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

static void look_at_each(const struct pb_alarm_setup *setup, const struct pb_sample *s,
			 struct pb_alarms *alarms)
{
	const struct pb_alarm_rule *rules = setup->rules;

	for (int i = 0; i < PB_CELLS_MAX; i++)
		alarms->cell[i] = s->cell_has >> i & 1
					  ? normality(&rules[PB_ALARM_CELL_LOW],
						      &rules[PB_ALARM_CELL_HIGH], s->cell_mv[i])
					  : PB_NORMAL;
	for (int i = 0; i < PB_TEMPERATURES_MAX; i++)
		alarms->temperature[i] =
			s->temperature_has >> i & 1
				? normality(&rules[PB_ALARM_DISCHARGE_COLD],
					    &rules[PB_ALARM_CHARGE_HOT], s->temperature_mc[i])
				: PB_NORMAL;
}

static void tell_limits(const struct pb_alarm_setup *setup, struct pb_battery *battery)
{
	const struct pb_alarm_rule *high = &setup->rules[PB_ALARM_CELL_HIGH];
	const struct pb_alarm_rule *low = &setup->rules[PB_ALARM_CELL_LOW];

	if (!high->has_alarm || !low->has_alarm)
		return;
	battery->rating.cell_high_mv = high->alarm;
	battery->rating.cell_low_mv = low->alarm;
	battery_mark(battery, PB_HAS_CELL_LEVELS);
}

uint32_t pb_alarm_step(const struct pb_alarm_setup *setup, struct pb_alarm_state *state,
		       struct pb_battery *battery, bool old, uint64_t now_ms, uint64_t *ret_next_ms)
{
	struct pb_alarms *alarms = &battery->alarms;
	uint32_t changed = 0;

	*ret_next_ms = UINT64_MAX;
	alarms->warnings = alarms->alarms = 0;
	alarms->severity = PB_LEVEL_NONE;
	for (int i = 0; i < PB_ALARM_COUNT; i++) {
		const struct pb_alarm_rule *rule = &setup->rules[i];
		uint8_t level = state->kinds[i].level;

		if (i == PB_ALARM_SILENT)
			level = step_silence(rule, state, old, now_ms, ret_next_ms);
		else if (!old) /* an old reading proves nothing, neither way */
			level = step_value(rule, state, (enum pb_alarm)i, &battery->sample, now_ms,
					   ret_next_ms);
		state->kinds[i].level = level;
		state->kinds[i].latched |= setup->latch && level == PB_LEVEL_ALARM;
		if (state->kinds[i].latched)
			level = PB_LEVEL_ALARM;
		if (level != state->kinds[i].shown)
			changed |= UINT32_C(1) << i;
		state->kinds[i].shown = level;
		alarms->level[i] = level;
		alarms->warnings |= (uint32_t)(level >= PB_LEVEL_WARNING) << i;
		alarms->alarms |= (uint32_t)(level == PB_LEVEL_ALARM) << i;
		if (level > alarms->severity)
			alarms->severity = level;
	}
	if (!old)
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

void pb_alarm_describe(enum pb_alarm alarm, const struct pb_battery *battery, char *out, size_t cap)
{
	const struct pb_sample *s = &battery->sample;
	const struct pb_members *m = &battery->members;
	char n[32];
	int64_t value = 0;

	if (alarm != PB_ALARM_SILENT)
		value_of(alarm, s, &value);
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
	case PB_ALARM_SILENT:
	case PB_ALARM_COUNT:
		snprintf(out, cap, "no reading");
		break;
	}
}
