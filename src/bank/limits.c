/* SPDX-License-Identifier: MIT */
/*
 * Limits of one battery. The algorithm is that of dbus-serialbattery v2.1, with three changes: a
 * limit that rises again never exceeds what the present reading allows; equal limits keep their own
 * reasons; if the reading lacks a value that a rule needs, the current is 0 and the rule is not
 * skipped.
 */
#include "battery.h"

#include "packbridge/base.h"

#include <stdio.h>

/* Bits of battery.has for limits and rating. */
#define HAS_LIMITS                                                                                 \
	(PB_HAS(PB_HAS_CHARGE_VOLTAGE) | PB_HAS(PB_HAS_DISCHARGE_VOLTAGE) |                        \
	 PB_HAS(PB_HAS_CHARGE_CURRENT) | PB_HAS(PB_HAS_DISCHARGE_CURRENT) |                        \
	 PB_HAS(PB_HAS_REQUESTS))
#define HAS_RATING                                                                                 \
	(PB_HAS(PB_HAS_CHARGE_MAX) | PB_HAS(PB_HAS_DISCHARGE_MAX) | PB_HAS(PB_HAS_FULL_VOLTAGE) |  \
	 PB_HAS(PB_HAS_ENERGY) | PB_HAS(PB_HAS_CHARGE_POWER) | PB_HAS(PB_HAS_DISCHARGE_POWER))

enum {
	NEAR_MV = 10,	     /* a cell so near to the absorption voltage has reached it */
	LEFT_MV = 50,	     /* so far below, the charger is gone */
	SETTLE_MS = 3600000, /* in float, before a spread of cells counts: they have to relax */
	STEP_MAX_MS = 60000, /* a longer gap between readings counts as so much */
	VOLTAGE_HOLD_MS = 60000,
	VOLTAGE_RATE_UV = 100, /* a second and cell */
	RETURN_PERMILLE = 15,  /* from 0, a current limit comes back when it is worth so much */
	NOTABLE_PERMILLE = 20, /* a fall by less is noise, and starts no new hold */
	AGAIN_PERMILLE = 10,   /* hysteresis of charge_now and charge_soon */
};

int32_t pb_curve_at(const struct pb_curve *curve, int32_t at)
{
	const struct pb_point *p = curve->points;
	size_t i = 1;

	if (at <= p[0].at)
		return p[0].permille;
	while (i < curve->count && at >= p[i].at)
		i++;
	if (i >= curve->count)
		return p[curve->count - 1].permille;
	return p[i - 1].permille + (int32_t)pb_scale((int64_t)at - p[i - 1].at,
						     p[i].permille - p[i - 1].permille,
						     (int64_t)p[i].at - p[i - 1].at);
}

/* ---- currents ---- */

/* Keeps the lowest offered value; of equal ones the first. */
struct lowest {
	int32_t value;
	enum pb_reason reason;
};

static void offer(struct lowest *lowest, int32_t value, enum pb_reason reason)
{
	if (value < lowest->value)
		*lowest = (struct lowest){value, reason};
}

/* @known: the reading has what the curve is of */
static void offer_curve(struct lowest *lowest, const struct pb_curve *curve, bool known, int32_t at,
			int32_t max_ma, enum pb_reason reason)
{
	if (curve->count == 0)
		return;
	if (!known)
		offer(lowest, 0, PB_REASON_INCOMPLETE);
	else
		offer(lowest, (int32_t)pb_scale(max_ma, pb_curve_at(curve, at), 1000), reason);
}

enum pb_reason bank_blocked_by(const struct pb_battery *battery, bool charge)
{
	const struct pb_sample *s = &battery->sample;
	uint32_t stops = charge ? STOPS_CHARGE : STOPS_DISCHARGE;

	if (pb_battery_has(battery, PB_HAS_PROTECTION) && s->protection_mask & stops)
		return PB_REASON_PROTECTION;
	if (charge ? battery->control.blocks_charge : battery->control.blocks_discharge)
		return PB_REASON_CONTROL;
	if (pb_battery_has(battery, charge ? PB_HAS_CHARGE_FET : PB_HAS_DISCHARGE_FET) &&
	    !(charge ? s->charge_fet : s->discharge_fet))
		return PB_REASON_SWITCH;
	return PB_REASON_UNKNOWN;
}

/* What the reading allows of a maximum. */
static struct lowest allowed(const struct pb_limit_setup *setup, const struct pb_limit_state *state,
			     const struct pb_battery *battery, bool charge, int32_t max_ma)
{
	const struct pb_sample *s = &battery->sample;
	const struct pb_curve *warmth =
		charge ? &setup->charge_by_temperature : &setup->discharge_by_temperature;
	struct lowest lowest = {max_ma, PB_REASON_MAXIMUM};
	enum pb_reason block = bank_blocked_by(battery, charge);
	bool warm = pb_battery_has(battery, PB_HAS_TEMPERATURE_EXTREMES);

	if ((block == PB_REASON_PROTECTION && setup->by_protection) ||
	    (block == PB_REASON_SWITCH && setup->by_switch) || block == PB_REASON_CONTROL)
		offer(&lowest, 0, block);
	/* a pack that usually reports protections may have one that is missing in this reading */
	if (setup->by_protection && state->protections &&
	    !pb_battery_has(battery, PB_HAS_PROTECTION))
		offer(&lowest, 0, PB_REASON_INCOMPLETE);
	offer_curve(&lowest, charge ? &setup->charge_by_cell : &setup->discharge_by_cell,
		    pb_battery_has(battery, PB_HAS_CELL_EXTREMES),
		    charge ? s->cell_max_mv : s->cell_min_mv, max_ma, PB_REASON_CELL);
	offer_curve(&lowest, warmth, warm, s->temperature_min_mc, max_ma, PB_REASON_TEMPERATURE);
	offer_curve(&lowest, warmth, warm, s->temperature_max_mc, max_ma, PB_REASON_TEMPERATURE);
	offer_curve(&lowest, charge ? &setup->charge_by_soc : &setup->discharge_by_soc,
		    pb_battery_has(battery, PB_HAS_SOC), s->soc_permille, max_ma, PB_REASON_SOC);
	return lowest;
}

/* Follows a lower value at once, and a higher one slowly. */
static void ramp_current(const struct pb_limit_setup *setup, struct pb_ramp *ramp, int32_t max_ma,
			 uint64_t passed_ms, uint64_t now_ms, struct lowest *lowest)
{
	int32_t target = lowest->value;
	int64_t next;

	if (!ramp->valid || target <= ramp->value) {
		if (!ramp->valid || target == 0 ||
		    ramp->value - target > pb_scale(max_ma, NOTABLE_PERMILLE, 1000))
			ramp->fell_ms = now_ms;
		ramp->valid = true;
		ramp->value = target;
		return;
	}
	if (ramp->value == 0 && target < pb_scale(max_ma, RETURN_PERMILLE, 1000)) {
		lowest->value = 0;
		return;
	}
	next = ramp->value;
	if (now_ms - ramp->fell_ms >= 1000 * (uint64_t)setup->hold_s)
		next += pb_scale((int64_t)passed_ms, (int64_t)max_ma * setup->rise, 1000000);
	ramp->value = (int32_t)pb_clamp(next, 0, target);
	if (ramp->value < target)
		*lowest = (struct lowest){ramp->value, PB_REASON_RISING};
}

/* @return the largest current; 0: not known */
static int32_t maximum(int32_t configured_ma, int32_t rate, const struct pb_battery *battery)
{
	if (configured_ma || !pb_battery_has(battery, PB_HAS_NOMINAL))
		return configured_ma;
	return (int32_t)pb_clamp(pb_scale(battery->sample.nominal_mah, rate, 1000), 0, 4000000);
}

static void step_current(const struct pb_limit_setup *setup, struct pb_limit_state *state,
			 struct pb_battery *battery, bool charge, uint64_t passed_ms,
			 uint64_t now_ms)
{
	struct pb_ramp *ramp = charge ? &state->charge : &state->discharge;
	struct pb_limits *limits = &battery->limits;
	int32_t max_ma = charge ? battery->rating.charge_max_ma : battery->rating.discharge_max_ma;
	struct lowest lowest;

	/* without a maximum, only a limit of 0 is known */
	lowest = allowed(setup, state, battery, charge, max_ma ? max_ma : INT32_MAX);
	if (max_ma)
		ramp_current(setup, ramp, max_ma, passed_ms, now_ms, &lowest);
	else if (lowest.value)
		lowest = (struct lowest){0, PB_REASON_UNKNOWN};
	if (charge) {
		limits->charge_current_ma = lowest.value;
		limits->charge_current_reason = (uint8_t)lowest.reason;
	} else {
		limits->discharge_current_ma = lowest.value;
		limits->discharge_current_reason = (uint8_t)lowest.reason;
	}
	if (max_ma || lowest.reason != PB_REASON_UNKNOWN)
		pb_battery_mark(battery, charge ? PB_HAS_CHARGE_CURRENT : PB_HAS_DISCHARGE_CURRENT);
}

/* ---- the charge voltage ---- */

static void enter(struct pb_limit_state *state, enum pb_phase phase)
{
	state->phase = phase;
	state->absorbed_ms = 0;
	state->phase_ms = 0;
}

static bool wants_bulk(const struct pb_limit_setup *setup, const struct pb_limit_state *state,
		       const struct pb_sample *s)
{
	if (state->phase_ms >= SETTLE_MS && s->cell_delta_mv >= setup->bulk_spread_mv)
		return true;
	if (s->has & PB_HAS(PB_HAS_SOC))
		return s->soc_permille < setup->bulk_soc_permille;
	return s->cell_max_mv < setup->float_mv - LEFT_MV;
}

static void step_phase(const struct pb_limit_setup *setup, struct pb_limit_state *state,
		       const struct pb_sample *s, uint64_t passed_ms)
{
	switch (state->phase) {
	case PB_PHASE_UNKNOWN:
	case PB_PHASE_BULK:
		enter(state, s->cell_max_mv >= setup->absorption_mv - NEAR_MV ? PB_PHASE_ABSORPTION
									      : PB_PHASE_BULK);
		break;
	case PB_PHASE_ABSORPTION:
		if (s->cell_max_mv < setup->absorption_mv - LEFT_MV) {
			enter(state, PB_PHASE_BULK);
			break;
		}
		state->phase_ms += passed_ms;
		if (s->cell_delta_mv <= setup->balanced_mv)
			state->absorbed_ms += passed_ms;
		else if (s->cell_delta_mv > setup->balanced_mv + setup->balanced_mv / 3)
			state->absorbed_ms = 0;
		if (setup->to_float &&
		    (state->absorbed_ms >= 1000 * (uint64_t)setup->absorption_s ||
		     state->phase_ms >= 1000 * (uint64_t)setup->absorption_max_s))
			enter(state, PB_PHASE_FLOAT);
		break;
	case PB_PHASE_FLOAT:
		state->phase_ms += passed_ms;
		if (!setup->to_float || wants_bulk(setup, state, s))
			enter(state, PB_PHASE_BULK);
		break;
	}
}

/* The sum of cells with those that run high cut down to the absorption voltage. */
static int32_t cut_sum(const struct pb_limit_setup *setup, const struct pb_sample *s)
{
	int64_t sum = 0;

	for (int i = 0; i < s->cell_count; i++)
		sum += s->cell_mv[i] < setup->absorption_mv ? s->cell_mv[i] : setup->absorption_mv;
	return (int32_t)pb_clamp(sum, (int64_t)setup->empty_mv * s->cell_count,
				 (int64_t)setup->absorption_mv * s->cell_count);
}

/* A fall into float is no hurry: @slow. */
static void ramp_voltage(struct pb_ramp *ramp, int32_t target, bool slow, int64_t step_mv,
			 uint64_t now_ms)
{
	if (!ramp->valid || (target < ramp->value && !slow)) {
		ramp->valid = true;
		ramp->value = target;
		ramp->fell_ms = now_ms;
	} else if (target < ramp->value) {
		ramp->value = (int32_t)pb_clamp(ramp->value - step_mv, target, ramp->value);
	} else if (target > ramp->value && now_ms - ramp->fell_ms >= VOLTAGE_HOLD_MS) {
		ramp->value = (int32_t)pb_clamp(ramp->value + step_mv, ramp->value, target);
	}
}

static void set_voltage(struct pb_battery *battery, int32_t mv, enum pb_reason reason)
{
	battery->limits.charge_voltage_mv = mv;
	battery->limits.charge_voltage_reason = (uint8_t)reason;
	pb_battery_mark(battery, PB_HAS_CHARGE_VOLTAGE);
}

static void step_voltage(const struct pb_limit_setup *setup, struct pb_limit_state *state,
			 struct pb_battery *battery, uint64_t passed_ms, uint64_t now_ms)
{
	const struct pb_sample *s = &battery->sample;
	uint64_t all = s->cell_count ? UINT64_MAX >> (64 - s->cell_count) : 0;
	enum pb_reason reason = PB_REASON_ABSORPTION;
	int32_t target, full = setup->absorption_mv * s->cell_count;

	if (!all || (s->cell_has & all) != all) {
		state->voltage.valid = false;
		if (all)
			set_voltage(battery, setup->float_mv * s->cell_count, PB_REASON_INCOMPLETE);
		return;
	}
	step_phase(setup, state, s, passed_ms);
	target = full;
	if (state->phase == PB_PHASE_FLOAT) {
		target = setup->float_mv * s->cell_count;
		reason = PB_REASON_FLOAT;
	}
	if (setup->cell_control && s->cell_max_mv > setup->absorption_mv &&
	    cut_sum(setup, s) < target) {
		target = cut_sum(setup, s);
		reason = PB_REASON_CELL_HIGH;
	}
	ramp_voltage(
		&state->voltage, target, reason == PB_REASON_FLOAT,
		pb_scale((int64_t)passed_ms, (int64_t)VOLTAGE_RATE_UV * s->cell_count, 1000000),
		now_ms);
	if (state->voltage.value < target)
		reason = PB_REASON_RISING;
	set_voltage(battery, state->voltage.value, reason);
}

/* ---- the whole ---- */

static void rate(const struct pb_limit_setup *setup, struct pb_battery *battery)
{
	const struct pb_sample *s = &battery->sample;
	struct pb_rating *rating = &battery->rating;
	int64_t nominal_mv = (int64_t)setup->nominal_mv * s->cell_count;

	rating->chemistry = setup->chemistry;
	rating->charge_max_ma = maximum(setup->charge_max_ma, setup->charge_rate, battery);
	rating->discharge_max_ma = maximum(setup->discharge_max_ma, setup->discharge_rate, battery);
	if (rating->charge_max_ma)
		pb_battery_mark(battery, PB_HAS_CHARGE_MAX);
	if (rating->discharge_max_ma)
		pb_battery_mark(battery, PB_HAS_DISCHARGE_MAX);
	if (!pb_battery_has(battery, PB_HAS_CELLS) || s->cell_count == 0)
		return;
	rating->full_voltage_mv = setup->absorption_mv * s->cell_count;
	battery->limits.discharge_voltage_mv = setup->empty_mv * s->cell_count;
	pb_battery_mark(battery, PB_HAS_FULL_VOLTAGE);
	pb_battery_mark(battery, PB_HAS_DISCHARGE_VOLTAGE);
	if (pb_battery_has(battery, PB_HAS_NOMINAL)) {
		rating->energy_mwh = pb_scale(s->nominal_mah, nominal_mv, 1000);
		pb_battery_mark(battery, PB_HAS_ENERGY);
	}
	if (rating->charge_max_ma) {
		rating->charge_max_mw = pb_scale(rating->charge_max_ma, nominal_mv, 1000);
		pb_battery_mark(battery, PB_HAS_CHARGE_POWER);
	}
	if (rating->discharge_max_ma) {
		rating->discharge_max_mw = pb_scale(rating->discharge_max_ma, nominal_mv, 1000);
		pb_battery_mark(battery, PB_HAS_DISCHARGE_POWER);
	}
}

static bool limits_ask(int32_t soc_permille, int32_t limit_permille, bool before)
{
	return limit_permille >= 0 &&
	       soc_permille <= limit_permille + (before ? AGAIN_PERMILLE : 0);
}

static void step_requests(const struct pb_limit_setup *setup, struct pb_limit_state *state,
			  struct pb_battery *battery)
{
	struct pb_limits *limits = &battery->limits;
	const struct pb_sample *s = &battery->sample;

	/* a direction without data is not allowed */
	if (!pb_battery_has(battery, PB_HAS_CHARGE_CURRENT) &&
	    !pb_battery_has(battery, PB_HAS_DISCHARGE_CURRENT))
		return;
	limits->charge_allowed = limits->charge_current_ma > 0;
	limits->discharge_allowed = limits->discharge_current_ma > 0;
	if (pb_battery_has(battery, PB_HAS_SOC)) {
		state->now = limits_ask(s->soc_permille, setup->charge_now_permille, state->now);
		state->soon = !state->now &&
			      limits_ask(s->soc_permille, setup->charge_soon_permille, state->soon);
	}
	limits->charge_now = state->now && limits->charge_allowed;
	limits->charge_soon = state->soon && limits->charge_allowed;
	pb_battery_mark(battery, PB_HAS_REQUESTS);
}

void bank_say_limits(struct pb_limits *limits)
{
	snprintf(limits->charge_voltage_text, sizeof(limits->charge_voltage_text), "%s",
		 pb_reason_text((enum pb_reason)limits->charge_voltage_reason));
	snprintf(limits->charge_current_text, sizeof(limits->charge_current_text), "%s",
		 pb_reason_text((enum pb_reason)limits->charge_current_reason));
	snprintf(limits->discharge_current_text, sizeof(limits->discharge_current_text), "%s",
		 pb_reason_text((enum pb_reason)limits->discharge_current_reason));
}

/* There is no data, so no limit. Ramps start again, the phase continues where it was. */
static void fall_silent(struct pb_limit_state *state, struct pb_battery *battery)
{
	state->voltage.valid = state->charge.valid = state->discharge.valid = false;
	battery->limits.charge_voltage_reason = battery->limits.charge_current_reason =
		battery->limits.discharge_current_reason = PB_REASON_SILENT;
}

void pb_limit_step(const struct pb_limit_setup *setup, struct pb_limit_state *state,
		   struct pb_battery *battery, bool stale, uint64_t now_ms)
{
	uint64_t passed_ms = state->at_ms ? now_ms - state->at_ms : 0;

	battery->limits = (struct pb_limits){0};
	battery->has &= ~HAS_LIMITS;
	if (stale) {
		fall_silent(state, battery);
		bank_say_limits(&battery->limits);
		return;
	}
	if (passed_ms > STEP_MAX_MS)
		passed_ms = STEP_MAX_MS;
	if (state->cells != battery->sample.cell_count) { /* another battery than before */
		*state = (struct pb_limit_state){.cells = battery->sample.cell_count};
		passed_ms = 0;
	}
	state->at_ms = now_ms;
	battery->has &= ~HAS_RATING;
	rate(setup, battery);
	step_voltage(setup, state, battery, passed_ms, now_ms);
	battery->limits.charge_phase = (uint8_t)state->phase;
	state->protections |= pb_battery_has(battery, PB_HAS_PROTECTION);
	step_current(setup, state, battery, true, passed_ms, now_ms);
	step_current(setup, state, battery, false, passed_ms, now_ms);
	step_requests(setup, state, battery);
	bank_say_limits(&battery->limits);
}
