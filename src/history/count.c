/* SPDX-License-Identifier: MIT */
/*
 * Charge and energy between two readings are the area under a straight line between them:
 *
 *	current      b
 *	      ______/|
 *	   a /       |        (a + b) / 2 * time
 *	  __|________|____ time
 *
 * If one is charging and the other is not, each counts for its half of the time. That is what a
 *load that is switched at any moment between them makes on average; a line through zero would count
 *too little in both directions. All numbers are integers, and what is less than a whole milli-unit
 *is kept for the next time, so a counter has no error of its own however long it runs. Sums are in
 * halves, which saves the division by two.
 *
 * A gap is not bridged. It is counted up to the moment at which somebody looks (@gap_ms), so that
 * the time without a reading never falls when a reading comes that is a little older than the look.
 */
#include "packbridge/history.h"

#include "packbridge/base.h"

#include <string.h>

enum {
	FULL_PERMILLE = 1000,
	NOT_FULL_PERMILLE = 950, /* below it, the next time that it is full counts as another */
	DAY_BACK_MS =
		3600000, /* a clock that is set back over midnight by so much is the same day */
};

/* ---- sums ---- */

/* @halves: 0 or more. @return whether the whole number has changed */
static bool sum_add(struct pb_history_sum *sum, int64_t halves)
{
	int64_t more = halves / PB_HISTORY_REST;

	sum->rest += halves % PB_HISTORY_REST;
	if (sum->rest >= PB_HISTORY_REST) {
		sum->rest -= PB_HISTORY_REST;
		more++;
	}
	sum->whole += more;
	return more != 0;
}

/* From @a to @b in @ms. @return whether a whole number has changed */
static bool flow_add(struct pb_history_flow *flow, int64_t a, int64_t b, int64_t ms)
{
	int64_t in = (a > 0 ? a : 0) + (b > 0 ? b : 0);
	bool more_in = sum_add(&flow->in, in * ms);
	bool more_out = sum_add(&flow->out, (in - a - b) * ms);

	return more_in || more_out;
}

/* ---- gaps ---- */

static void count_gap(struct pb_history_state *state, int64_t until_ms)
{
	if (until_ms <= state->gap_ms)
		return;
	state->unmeasured_ms += until_ms - state->gap_ms;
	state->gap_ms = until_ms;
	state->changes++;
}

static void open_gap(struct pb_history_state *state)
{
	if (state->open || !state->begun)
		return;
	state->open = true;
	state->gap_ms = state->at_ms;
}

void pb_history_gap(struct pb_history_state *state, int64_t now_ms)
{
	open_gap(state);
	if (state->open)
		count_gap(state, now_ms);
}

/* ---- full, and how deep it was discharged since ---- */

/* By the limits: it was held at its absorption voltage for long enough. By the BMS: 100 %. */
static bool is_full(const struct pb_battery *battery)
{
	const struct pb_sample *s = &battery->sample;
	bool rests = s->has & PB_HAS(PB_HAS_CURRENT) && s->current_ma > -PB_ACTIVE_MA;

	if (s->has & PB_HAS(PB_HAS_SOC) && s->soc_permille >= FULL_PERMILLE)
		return true;
	return battery->limits.charge_phase == PB_PHASE_FLOAT && rests;
}

static bool is_no_longer_full(const struct pb_battery *battery)
{
	if (battery->sample.has & PB_HAS(PB_HAS_SOC))
		return battery->sample.soc_permille < NOT_FULL_PERMILLE;
	return battery->limits.charge_phase == PB_PHASE_BULK;
}

static int64_t net_mah(const struct pb_history_state *state)
{
	return state->charge.in.whole - state->charge.out.whole;
}

static void read_full(struct pb_history_state *state, const struct pb_battery *battery,
		      int64_t at_ms)
{
	if (!is_full(battery)) {
		state->full &= !is_no_longer_full(battery);
		return;
	}
	if (!state->full) {
		state->full = state->has_full = true;
		state->full_charges++;
		state->changes++;
	}
	state->full_ms = at_ms;
	state->top_mah = net_mah(state);
	state->last_discharge_mah = 0;
}

static void read_depth(struct pb_history_state *state)
{
	int64_t depth = state->top_mah - net_mah(state);

	if (depth < 0)
		state->top_mah = net_mah(state);
	if (depth > state->last_discharge_mah)
		state->last_discharge_mah = depth;
	if (depth > state->deepest_discharge_mah)
		state->deepest_discharge_mah = depth;
}

/* ---- extremes and protections ---- */

static void read_extreme(struct pb_history_state *state, enum pb_extreme which, int32_t value,
			 int64_t at_ms)
{
	bool high = which % 2; /* they come in pairs */
	bool known = state->extreme_has >> which & 1;

	if (known && (high ? value <= state->extreme[which] : value >= state->extreme[which]))
		return;
	state->extreme_has |= 1U << which;
	state->extreme[which] = value;
	state->extreme_ms[which] = at_ms;
	state->changes++;
}

static void read_extremes(struct pb_history_state *state, const struct pb_sample *s, int64_t at_ms)
{
	if (s->has & PB_HAS(PB_HAS_CELL_EXTREMES)) {
		read_extreme(state, PB_EXTREME_CELL_LOWEST, s->cell_min_mv, at_ms);
		read_extreme(state, PB_EXTREME_CELL_HIGHEST, s->cell_max_mv, at_ms);
	}
	if (s->has & PB_HAS(PB_HAS_VOLTAGE)) {
		read_extreme(state, PB_EXTREME_VOLTAGE_LOWEST, s->voltage_mv, at_ms);
		read_extreme(state, PB_EXTREME_VOLTAGE_HIGHEST, s->voltage_mv, at_ms);
	}
	if (s->has & PB_HAS(PB_HAS_TEMPERATURE_EXTREMES)) {
		read_extreme(state, PB_EXTREME_TEMPERATURE_LOWEST, s->temperature_min_mc, at_ms);
		read_extreme(state, PB_EXTREME_TEMPERATURE_HIGHEST, s->temperature_max_mc, at_ms);
	}
}

static void read_protections(struct pb_history_state *state, const struct pb_sample *s)
{
	uint32_t begun;

	if (!(s->has & PB_HAS(PB_HAS_PROTECTION)))
		return;
	begun = s->protection_mask & ~state->protections;
	if (state->protections != s->protection_mask)
		state->changes++;
	state->protections = s->protection_mask;
	for (int i = 0; begun && i < PB_PROTECT_COUNT; i++)
		state->protections_seen[i] += begun >> i & 1;
}

/* ---- a reading ---- */

static void count_between(struct pb_history_state *state, const struct pb_sample *s, int64_t ms)
{
	bool power = state->powered && s->has & PB_HAS(PB_HAS_POWER);
	bool changed = flow_add(&state->charge, state->current_ma, s->current_ma, ms);

	if (power)
		changed |= flow_add(&state->energy, state->power_mw, s->power_mw, ms);
	state->changes += changed;
}

/* A reading that a current can be counted from. */
static void read_current(struct pb_history_state *state, const struct pb_battery *battery,
			 int64_t at_ms)
{
	const struct pb_sample *s = &battery->sample;
	int64_t limit_ms = 1000 * (int64_t)battery->status.stale_after_s;

	if (state->begun && !state->open && at_ms - state->at_ms > limit_ms)
		open_gap(state);
	if (state->open)
		count_gap(state, at_ms);
	else if (state->begun && at_ms > state->at_ms)
		count_between(state, s, at_ms - state->at_ms);
	if (state->open || !state->begun || at_ms > state->at_ms)
		state->at_ms = at_ms;
	state->open = false;
	state->begun = true;
	state->current_ma = s->current_ma;
	state->power_mw = s->power_mw;
	state->powered = s->has & PB_HAS(PB_HAS_POWER);
}

void pb_history_read(struct pb_history_state *state, const struct pb_battery *battery,
		     int64_t at_ms, bool whole)
{
	if (whole && battery->sample.has & PB_HAS(PB_HAS_CURRENT))
		read_current(state, battery, at_ms);
	else
		pb_history_gap(state, at_ms);
	read_depth(state); /* up to here; if it is full now, from 0 on */
	read_full(state, battery, at_ms);
	read_extremes(state, &battery->sample, at_ms);
	read_protections(state, &battery->sample);
}

/* ---- days ---- */

/* Back over midnight by a little, as when a clock is corrected: the new day goes on. */
static bool is_set_back(const struct pb_history_state *state, int32_t day, int64_t now_ms)
{
	return day == state->day - 1 && now_ms - state->day_ms < DAY_BACK_MS;
}

void pb_history_day(struct pb_history_state *state, int32_t day, int64_t now_ms)
{
	state->clock = day != PB_HISTORY_DAY_NONE;
	if (day == state->day || !state->clock || is_set_back(state, day, now_ms))
		return;
	state->yesterday = state->day != PB_HISTORY_DAY_NONE && day == state->day + 1;
	state->yesterday_in_mwh = state->energy.in.whole - state->day_in_mwh;
	state->yesterday_out_mwh = state->energy.out.whole - state->day_out_mwh;
	state->day_in_mwh = state->energy.in.whole;
	state->day_out_mwh = state->energy.out.whole;
	state->day = day;
	state->day_ms = now_ms;
	state->changes++;
}

/* ---- what is shown ---- */

static int64_t since_s(int64_t at_ms, int64_t now_ms)
{
	return now_ms > at_ms ? (now_ms - at_ms) / 1000 : 0;
}

static void show_day(const struct pb_history_state *state, struct pb_history *ret)
{
	if (!state->clock)
		return;
	ret->has |= 1U << PB_HISTORY_TODAY;
	ret->charged_today_mwh = state->energy.in.whole - state->day_in_mwh;
	ret->discharged_today_mwh = state->energy.out.whole - state->day_out_mwh;
	if (!state->yesterday)
		return;
	ret->has |= 1U << PB_HISTORY_YESTERDAY;
	ret->charged_yesterday_mwh = state->yesterday_in_mwh;
	ret->discharged_yesterday_mwh = state->yesterday_out_mwh;
}

static void show_extremes(const struct pb_history_state *state, int64_t now_ms,
			  struct pb_history *ret)
{
	ret->has |= state->extreme_has;
	for (int i = 0; i < PB_EXTREME_COUNT; i++) {
		if (!(state->extreme_has >> i & 1))
			continue;
		ret->extreme[i] = state->extreme[i];
		ret->since_s[i] = since_s(state->extreme_ms[i], now_ms);
	}
}

void pb_history_show(struct pb_history_state *state, int64_t now_ms, struct pb_history *ret)
{
	if (state->open)
		count_gap(state, now_ms);
	*ret = (struct pb_history){
		.has = (uint64_t)state->has_full << PB_HISTORY_FULL,
		.charged_mah = state->charge.in.whole,
		.discharged_mah = state->charge.out.whole,
		.charged_mwh = state->energy.in.whole,
		.discharged_mwh = state->energy.out.whole,
		.unmeasured_s = state->unmeasured_ms / 1000,
		.since_full_s = state->has_full ? since_s(state->full_ms, now_ms) : 0,
		.full_charges = state->full_charges,
		.last_discharge_mah = state->last_discharge_mah,
		.deepest_discharge_mah = state->deepest_discharge_mah,
	};
	show_day(state, ret);
	show_extremes(state, now_ms, ret);
	memcpy(ret->protections_seen, state->protections_seen, sizeof(ret->protections_seen));
}

/* ---- another pack ---- */

static bool texts_differ(const char *a, const char *b)
{
	return *a && *b && strcmp(a, b) != 0;
}

static void learn_text(char *to, size_t cap, const char *from)
{
	size_t len = strnlen(from, cap - 1);

	if (*to)
		return;
	memcpy(to, from, len);
	to[len] = '\0';
}

bool pb_history_is_other(struct pb_history_state *state, const char *address,
			 const struct pb_sample *sample)
{
	struct pb_history_identity *identity = &state->identity;
	const char *name = sample->has & PB_HAS(PB_HAS_DEVICE_NAME) ? sample->device_name : "";
	int32_t date = sample->has & PB_HAS(PB_HAS_PRODUCTION_DATE) ? sample->production_date : 0;

	if (texts_differ(identity->address, address) || texts_differ(identity->device_name, name) ||
	    (date && identity->production_date && date != identity->production_date))
		return true;
	learn_text(identity->address, sizeof(identity->address), address);
	learn_text(identity->device_name, sizeof(identity->device_name), name);
	if (date)
		identity->production_date = date;
	return false;
}
