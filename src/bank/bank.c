/* SPDX-License-Identifier: MIT */
/*
 * Many batteries as one. Sums and means need the value of every pack that counts, else there is
 * none: a sum that lacks a pack would be wrong. Extremes are those of the packs that tell.
 */
#include "inner.h"

#include "packbridge/base.h"

#include <stdio.h>
#include <string.h>

/* The packs that count. */
struct fleet {
	const struct pb_bank_setup *setup;
	size_t count;
	const struct pb_battery *packs[PB_MEMBERS_MAX];
	int number[PB_MEMBERS_MAX]; /* in the bank, from 1 */
	struct pb_battery *bank;
};

static bool in_series(const struct fleet *fleet)
{
	return fleet->setup->topology == PB_TOPOLOGY_SERIES;
}

/* ---- folding a member over the packs ---- */

#define OF(member)                                                                                 \
	offsetof(struct pb_battery, member), sizeof(((struct pb_battery *)0)->member) == 8

static int64_t load(const struct pb_battery *pack, size_t offset, bool wide)
{
	int64_t value64;
	int32_t value32;

	memcpy(&value64, (const char *)pack + offset, wide ? sizeof(value64) : sizeof(value32));
	memcpy(&value32, (const char *)pack + offset, sizeof(value32));
	return wide ? value64 : value32;
}

static bool all_have(const struct fleet *fleet, enum pb_has what)
{
	for (size_t i = 0; i < fleet->count; i++)
		if (!battery_has(fleet->packs[i], what))
			return false;
	return true;
}

static bool sum(const struct fleet *fleet, enum pb_has what, size_t offset, bool wide, int64_t *ret)
{
	*ret = 0;
	for (size_t i = 0; i < fleet->count; i++)
		*ret += load(fleet->packs[i], offset, wide);
	return all_have(fleet, what);
}

/* @sign: 1 the least, -1 the greatest. @return the place of the first such pack; -1: none tells */
static int extreme(const struct fleet *fleet, enum pb_has what, size_t offset, bool wide, int sign,
		   int64_t *ret)
{
	int place = -1;

	for (size_t i = 0; i < fleet->count; i++) {
		int64_t value;

		if (!battery_has(fleet->packs[i], what))
			continue;
		value = load(fleet->packs[i], offset, wide);
		if (place >= 0 && sign * value >= sign * *ret)
			continue;
		place = (int)i;
		*ret = value;
	}
	return place;
}

static int32_t narrow(int64_t value)
{
	return (int32_t)pb_clamp(value, INT32_MIN, INT32_MAX);
}

/* The least or greatest when all packs have it. */
static bool bound(const struct fleet *fleet, enum pb_has what, size_t offset, bool wide, int sign,
		  int64_t *ret)
{
	return all_have(fleet, what) && extreme(fleet, what, offset, wide, sign, ret) >= 0;
}

/* Capacity as learned, else by design, that all packs have. @return whether there is one */
static bool weights(const struct fleet *fleet, int64_t *ret, int64_t *ret_sum)
{
	bool full = all_have(fleet, PB_HAS_FULL);

	if (!full && !all_have(fleet, PB_HAS_NOMINAL))
		return false;
	*ret_sum = 0;
	for (size_t i = 0; i < fleet->count; i++) {
		const struct pb_sample *s = &fleet->packs[i]->sample;

		ret[i] = full ? s->full_mah : s->nominal_mah;
		if (ret[i] <= 0)
			return false;
		*ret_sum += ret[i];
	}
	return true;
}

/* The mean by capacity. A single pack needs none. */
static bool weighted(const struct fleet *fleet, enum pb_has what, size_t offset, int32_t *ret)
{
	int64_t weight[PB_MEMBERS_MAX] = {1}, total = 1, of_all = 0;

	if (!all_have(fleet, what) || (fleet->count > 1 && !weights(fleet, weight, &total)))
		return false;
	for (size_t i = 0; i < fleet->count; i++)
		of_all += load(fleet->packs[i], offset, false) * weight[i];
	*ret = narrow(pb_scale(of_all, 1, total));
	return true;
}

/* ---- electric values ---- */

static void put32(struct pb_battery *bank, int32_t *place, int64_t value, enum pb_has what)
{
	*place = narrow(value);
	battery_mark(bank, what);
}

static void put64(struct pb_battery *bank, int64_t *place, int64_t value, enum pb_has what)
{
	*place = value;
	battery_mark(bank, what);
}

static void add_flow(const struct fleet *fleet)
{
	struct pb_sample *s = &fleet->bank->sample;
	int64_t count = (int64_t)fleet->count, value;

	if (sum(fleet, PB_HAS_VOLTAGE, OF(sample.voltage_mv), &value))
		put32(fleet->bank, &s->voltage_mv,
		      in_series(fleet) ? value : pb_scale(value, 1, count), PB_HAS_VOLTAGE);
	if (sum(fleet, PB_HAS_CURRENT, OF(sample.current_ma), &value))
		put32(fleet->bank, &s->current_ma,
		      in_series(fleet) ? pb_scale(value, 1, count) : value, PB_HAS_CURRENT);
}

static void add_power(const struct fleet *fleet)
{
	int64_t value;

	if (sum(fleet, PB_HAS_POWER, OF(sample.power_mw), &value))
		put64(fleet->bank, &fleet->bank->sample.power_mw, value, PB_HAS_POWER);
}

/* In a string, the pack that is empty first and the one that is full first bound what can be used.
 */
static void add_charge(const struct fleet *fleet)
{
	struct pb_sample *s = &fleet->bank->sample;
	struct pb_members *m = &fleet->bank->members;
	int64_t remaining, full, value, consumed;
	bool has_remaining, has_full;

	if (in_series(fleet)) {
		has_remaining =
			bound(fleet, PB_HAS_REMAINING, OF(sample.remaining_mah), 1, &remaining);
		has_full = has_remaining &&
			   bound(fleet, PB_HAS_CONSUMED, OF(sample.consumed_mah), 1, &consumed);
		full = has_full ? remaining + consumed : 0;
		if (bound(fleet, PB_HAS_NOMINAL, OF(sample.nominal_mah), 1, &value))
			put64(fleet->bank, &s->nominal_mah, value, PB_HAS_NOMINAL);
	} else {
		has_remaining = sum(fleet, PB_HAS_REMAINING, OF(sample.remaining_mah), &remaining);
		has_full = sum(fleet, PB_HAS_FULL, OF(sample.full_mah), &full);
		if (sum(fleet, PB_HAS_NOMINAL, OF(sample.nominal_mah), &value))
			put64(fleet->bank, &s->nominal_mah, value, PB_HAS_NOMINAL);
	}
	if (has_remaining)
		put64(fleet->bank, &s->remaining_mah, remaining, PB_HAS_REMAINING);
	if (has_full)
		put64(fleet->bank, &s->full_mah, full, PB_HAS_FULL);
	if (has_remaining && has_full && full > 0)
		put32(fleet->bank, &m->soc_total_permille,
		      pb_clamp(pb_scale(remaining, 1000, full), 0, 1000), PB_HAS_SOC_TOTAL);
}

static void add_states(const struct fleet *fleet)
{
	struct pb_sample *s = &fleet->bank->sample;
	struct pb_members *m = &fleet->bank->members;
	int64_t value;

	if (weighted(fleet, PB_HAS_SOC, offsetof(struct pb_battery, sample.soc_permille),
		     &s->soc_permille))
		battery_mark(fleet->bank, PB_HAS_SOC);
	if (in_series(fleet)
		    ? bound(fleet, PB_HAS_SOH, OF(sample.soh_permille), 1, &value)
		    : weighted(fleet, PB_HAS_SOH, offsetof(struct pb_battery, sample.soh_permille),
			       &s->soh_permille)) {
		if (in_series(fleet))
			s->soh_permille = narrow(value);
		battery_mark(fleet->bank, PB_HAS_SOH);
	}
	if (bound(fleet, PB_HAS_SOC, OF(sample.soc_permille), 1, &value)) {
		m->soc_min_permille = narrow(value);
		bound(fleet, PB_HAS_SOC, OF(sample.soc_permille), -1, &value);
		put32(fleet->bank, &m->soc_max_permille, value, PB_HAS_SOC_SPREAD);
	}
	if (bound(fleet, PB_HAS_CYCLES, OF(sample.cycles), -1, &value))
		put32(fleet->bank, &s->cycles, value, PB_HAS_CYCLES);
	if (bound(fleet, PB_HAS_VOLTAGE, OF(sample.voltage_mv), -1, &value)) {
		int64_t least;

		bound(fleet, PB_HAS_VOLTAGE, OF(sample.voltage_mv), 1, &least);
		put32(fleet->bank, &m->voltage_spread_mv, value - least, PB_HAS_VOLTAGE_SPREAD);
	}
}

/* ---- cells and probes ---- */

/* "2.3": cell 3 of pack 2 */
static void say_place(char *out, size_t cap, int pack, int32_t index)
{
	snprintf(out, cap, "%d.%d", pack % 100, (int)(index % 100));
}

/* Of all cells that tell, whatever their pack. */
static int32_t mean_cell(const struct fleet *fleet)
{
	int64_t total = 0, cells = 0;

	for (size_t i = 0; i < fleet->count; i++) {
		const struct pb_sample *s = &fleet->packs[i]->sample;

		for (int n = 0; n < PB_CELLS_MAX; n++) {
			if (!(s->cell_has >> n & 1))
				continue;
			total += s->cell_mv[n];
			cells++;
		}
	}
	return cells ? narrow(pb_scale(total, 1, cells)) : 0;
}

static void add_cell_extremes(const struct fleet *fleet)
{
	struct pb_sample *s = &fleet->bank->sample;
	struct pb_members *m = &fleet->bank->members;
	int64_t least, most;
	int low = extreme(fleet, PB_HAS_CELL_EXTREMES, OF(sample.cell_min_mv), 1, &least);
	int high = extreme(fleet, PB_HAS_CELL_EXTREMES, OF(sample.cell_max_mv), -1, &most);

	if (low < 0 || high < 0)
		return;
	s->cell_min_mv = narrow(least);
	s->cell_max_mv = narrow(most);
	s->cell_delta_mv = s->cell_max_mv - s->cell_min_mv;
	s->cell_avg_mv = mean_cell(fleet);
	s->cell_min_index = fleet->packs[low]->sample.cell_min_index;
	s->cell_max_index = fleet->packs[high]->sample.cell_max_index;
	m->cell_min_pack = fleet->number[low];
	m->cell_max_pack = fleet->number[high];
	say_place(m->cell_min_name, sizeof(m->cell_min_name), m->cell_min_pack, s->cell_min_index);
	say_place(m->cell_max_name, sizeof(m->cell_max_name), m->cell_max_pack, s->cell_max_index);
	battery_mark(fleet->bank, PB_HAS_CELL_EXTREMES);
	battery_mark(fleet->bank, PB_HAS_CELL_PACKS);
}

static void add_mean_temperature(const struct fleet *fleet)
{
	int64_t total = 0, probes = 0;

	for (size_t i = 0; i < fleet->count; i++) {
		const struct pb_sample *s = &fleet->packs[i]->sample;

		for (int n = 0; n < PB_TEMPERATURES_MAX; n++) {
			if (!(s->temperature_has >> n & 1))
				continue;
			total += s->temperature_mc[n];
			probes++;
		}
	}
	if (probes)
		fleet->bank->sample.temperature_avg_mc = narrow(pb_scale(total, 1, probes));
}

static void add_temperatures(const struct fleet *fleet)
{
	struct pb_sample *s = &fleet->bank->sample;
	struct pb_members *m = &fleet->bank->members;
	int64_t least, most;
	int low = extreme(fleet, PB_HAS_TEMPERATURE_EXTREMES, OF(sample.temperature_min_mc), 1,
			  &least);
	int high = extreme(fleet, PB_HAS_TEMPERATURE_EXTREMES, OF(sample.temperature_max_mc), -1,
			   &most);

	if (low < 0 || high < 0)
		return;
	s->temperature_min_mc = narrow(least);
	s->temperature_max_mc = narrow(most);
	s->temperature_min_index = fleet->packs[low]->sample.temperature_min_index;
	s->temperature_max_index = fleet->packs[high]->sample.temperature_max_index;
	m->temperature_min_pack = fleet->number[low];
	m->temperature_max_pack = fleet->number[high];
	say_place(m->temperature_min_name, sizeof(m->temperature_min_name), m->temperature_min_pack,
		  s->temperature_min_index);
	say_place(m->temperature_max_name, sizeof(m->temperature_max_name), m->temperature_max_pack,
		  s->temperature_max_index);
	add_mean_temperature(fleet);
	battery_mark(fleet->bank, PB_HAS_TEMPERATURE_EXTREMES);
	battery_mark(fleet->bank, PB_HAS_TEMPERATURE_PACKS);
}

/* A string's cells are those of its packs, one behind the other, as far as there are places. */
static void add_string_cells(const struct fleet *fleet, int total)
{
	struct pb_battery *bank = fleet->bank;
	struct pb_sample *s = &bank->sample;
	int at = 0;

	if (total > PB_CELLS_MAX)
		return;
	for (size_t i = 0; i < fleet->count; i++) {
		const struct pb_sample *pack = &fleet->packs[i]->sample;

		for (int n = 0; n < pack->cell_count; n++, at++) {
			s->cell_mv[at] = pack->cell_mv[n];
			s->cell_has |= (pack->cell_has >> n & 1) << at;
			s->balance_mask |= (pack->balance_mask >> n & 1) << at;
		}
	}
	if (all_have(fleet, PB_HAS_BALANCE))
		battery_mark(bank, PB_HAS_BALANCE);
}

static void add_cells(const struct fleet *fleet)
{
	struct pb_sample *s = &fleet->bank->sample;
	int64_t total, least, most;

	add_cell_extremes(fleet);
	if (!sum(fleet, PB_HAS_CELLS, OF(sample.cell_count), &total))
		return;
	bound(fleet, PB_HAS_CELLS, OF(sample.cell_count), 1, &least);
	bound(fleet, PB_HAS_CELLS, OF(sample.cell_count), -1, &most);
	if (!in_series(fleet) && least != most)
		return;
	put32(fleet->bank, &s->cell_count, in_series(fleet) ? total : most, PB_HAS_CELLS);
	if (in_series(fleet))
		add_string_cells(fleet, (int)total);
}

/* ---- switches and protections ---- */

static bool passes(const struct pb_battery *pack, bool charge)
{
	return blocked_by(pack, charge) == PB_REASON_UNKNOWN;
}

static void add_switches(const struct fleet *fleet, size_t packs)
{
	struct pb_battery *bank = fleet->bank;
	struct pb_sample *s = &bank->sample;
	struct pb_members *m = &bank->members;
	size_t charge = 0, discharge = 0;
	bool balances = all_have(fleet, PB_HAS_BALANCING);

	for (size_t i = 0; i < fleet->count; i++) {
		const struct pb_battery *pack = fleet->packs[i];

		charge += battery_has(pack, PB_HAS_CHARGE_FET) && pack->sample.charge_fet;
		discharge += battery_has(pack, PB_HAS_DISCHARGE_FET) && pack->sample.discharge_fet;
		m->packs_charge += passes(pack, true);
		m->packs_discharge += passes(pack, false);
		if (battery_has(pack, PB_HAS_PROTECTION)) {
			s->protection_mask |= pack->sample.protection_mask;
			battery_mark(bank, PB_HAS_PROTECTION);
		}
		if (battery_has(pack, PB_HAS_BALANCING) && pack->sample.balancing) {
			s->balancing = true;
			balances = true;
		}
	}
	if (balances)
		battery_mark(bank, PB_HAS_BALANCING);
	if (all_have(fleet, PB_HAS_CHARGE_FET)) {
		s->charge_fet = in_series(fleet) ? charge == fleet->count : charge > 0;
		battery_mark(bank, PB_HAS_CHARGE_FET);
	}
	if (all_have(fleet, PB_HAS_DISCHARGE_FET)) {
		s->discharge_fet = in_series(fleet) ? discharge == fleet->count : discharge > 0;
		battery_mark(bank, PB_HAS_DISCHARGE_FET);
	}
	m->packs_charge_blocked = m->packs_online - m->packs_charge;
	m->packs_discharge_blocked = m->packs_online - m->packs_discharge;
	s->protection_active = s->protection_mask & ~(UINT32_C(1) << PB_PROTECT_FET_LOCKED);
	m->charge_any = m->packs_charge > 0;
	m->discharge_any = m->packs_discharge > 0;
	m->charge_all = (size_t)m->packs_charge == packs;
	m->discharge_all = (size_t)m->packs_discharge == packs;
	battery_mark(bank, PB_HAS_SWITCHES);
}

/* ---- limits ---- */

/* The packs of @fleet that let a current pass. */
static void take_part(const struct fleet *fleet, bool charge, struct fleet *ret)
{
	*ret = (struct fleet){.setup = fleet->setup, .bank = fleet->bank};
	for (size_t i = 0; i < fleet->count; i++) {
		if (!passes(fleet->packs[i], charge))
			continue;
		ret->packs[ret->count] = fleet->packs[i];
		ret->number[ret->count++] = fleet->number[i];
	}
}

struct limit {
	bool known;
	int64_t value;
	uint8_t reason, pack;
};

static struct limit current_of(const struct pb_battery *pack, bool charge)
{
	const struct pb_limits *limits = &pack->limits;

	return (struct limit){
		.known = battery_has(pack,
				     charge ? PB_HAS_CHARGE_CURRENT : PB_HAS_DISCHARGE_CURRENT),
		.value = charge ? limits->charge_current_ma : limits->discharge_current_ma,
		.reason = charge ? limits->charge_current_reason : limits->discharge_current_reason,
	};
}

/*
 * Packs side by side share a current by their capacity. So the largest current is that at which the
 * first of them reaches its own limit: the least of limit * (sum of capacities) / capacity. Where
 * capacities are not known, one pack may get all of it.
 */
static struct limit share_current(const struct fleet *fleet, bool charge)
{
	int64_t weight[PB_MEMBERS_MAX], total = 1;
	bool shared = !in_series(fleet) && weights(fleet, weight, &total);
	struct limit least = {.known = true, .value = INT64_MAX};

	for (size_t i = 0; i < fleet->count; i++) {
		struct limit limit = current_of(fleet->packs[i], charge);

		if (!limit.known)
			return (struct limit){.reason = PB_REASON_UNKNOWN};
		if (shared)
			limit.value = pb_scale(limit.value, total, weight[i]);
		if (limit.value >= least.value)
			continue;
		least = limit;
		least.pack = (uint8_t)fleet->number[i];
	}
	return least;
}

static struct limit bank_current(const struct fleet *fleet, bool charge)
{
	int32_t max_ma = charge ? fleet->setup->charge_max_ma : fleet->setup->discharge_max_ma;
	struct fleet part;
	struct limit limit;

	take_part(fleet, charge, &part);
	if (in_series(fleet) || part.count == fleet->count)
		limit = share_current(fleet, charge); /* in a string, one stops all */
	else if (part.count > 0)
		limit = share_current(&part, charge);
	else
		limit = (struct limit){.known = true, .reason = PB_REASON_BLOCKED};
	if (limit.known && max_ma && limit.value > max_ma)
		limit = (struct limit){true, max_ma, PB_REASON_BANK, 0};
	return limit;
}

/* Packs side by side get the lowest voltage that one of them asks for, a string the sum. */
static struct limit bank_voltage(const struct fleet *fleet)
{
	struct fleet part;
	struct limit limit = {0};
	int place;

	take_part(fleet, true, &part);
	if (in_series(fleet) || part.count == 0)
		part = *fleet;
	if (in_series(fleet))
		limit.known = sum(&part, PB_HAS_CHARGE_VOLTAGE, OF(limits.charge_voltage_mv),
				  &limit.value);
	else
		limit.known = bound(&part, PB_HAS_CHARGE_VOLTAGE, OF(limits.charge_voltage_mv), 1,
				    &limit.value);
	if (!limit.known)
		return limit;
	place = extreme(&part, PB_HAS_CHARGE_VOLTAGE, OF(limits.charge_voltage_mv), 1,
			&(int64_t){0});
	limit.reason = part.packs[place]->limits.charge_voltage_reason;
	limit.pack = (uint8_t)part.number[place];
	return limit;
}

static void add_voltages(const struct fleet *fleet)
{
	struct pb_battery *bank = fleet->bank;
	struct pb_limits *limits = &bank->limits;
	struct limit voltage = bank_voltage(fleet);
	int64_t value;

	limits->charge_voltage_reason = voltage.reason;
	limits->charge_voltage_pack = voltage.pack;
	if (voltage.known)
		put32(bank, &limits->charge_voltage_mv, voltage.value, PB_HAS_CHARGE_VOLTAGE);
	if (in_series(fleet)
		    ? sum(fleet, PB_HAS_DISCHARGE_VOLTAGE, OF(limits.discharge_voltage_mv), &value)
		    : bound(fleet, PB_HAS_DISCHARGE_VOLTAGE, OF(limits.discharge_voltage_mv), -1,
			    &value))
		put32(bank, &limits->discharge_voltage_mv, value, PB_HAS_DISCHARGE_VOLTAGE);
}

static void add_limits(const struct fleet *fleet)
{
	struct pb_battery *bank = fleet->bank;
	struct pb_limits *limits = &bank->limits;
	struct limit charge = bank_current(fleet, true), discharge = bank_current(fleet, false);

	add_voltages(fleet);
	limits->charge_current_reason = charge.reason;
	limits->charge_current_pack = charge.pack;
	limits->discharge_current_reason = discharge.reason;
	limits->discharge_current_pack = discharge.pack;
	if (charge.known)
		put32(bank, &limits->charge_current_ma, charge.value, PB_HAS_CHARGE_CURRENT);
	if (discharge.known)
		put32(bank, &limits->discharge_current_ma, discharge.value,
		      PB_HAS_DISCHARGE_CURRENT);
	limits->charge_phase = PB_PHASE_FLOAT;
	for (size_t i = 0; i < fleet->count; i++) {
		const struct pb_limits *of = &fleet->packs[i]->limits;

		if (of->charge_phase < limits->charge_phase)
			limits->charge_phase = of->charge_phase;
		limits->charge_now |= of->charge_now;
		limits->charge_soon |= of->charge_soon;
	}
	if (charge.known && discharge.known) {
		limits->charge_allowed = limits->charge_current_ma > 0;
		limits->discharge_allowed = limits->discharge_current_ma > 0;
		limits->charge_now &= limits->charge_allowed;
		limits->charge_soon &= limits->charge_allowed && !limits->charge_now;
		battery_mark(bank, PB_HAS_REQUESTS);
	}
}

/* ---- what it is rated for ---- */

static int64_t rated_current(const struct fleet *fleet, bool charge)
{
	int32_t own_ma = charge ? fleet->setup->charge_max_ma : fleet->setup->discharge_max_ma;
	int64_t weight[PB_MEMBERS_MAX], total = 1, least = INT64_MAX;
	bool shared = !in_series(fleet) && weights(fleet, weight, &total);

	for (size_t i = 0; i < fleet->count; i++) {
		const struct pb_rating *rating = &fleet->packs[i]->rating;
		int64_t max_ma = charge ? rating->charge_max_ma : rating->discharge_max_ma;

		if (shared)
			max_ma = pb_scale(max_ma, total, weight[i]);
		if (max_ma < least)
			least = max_ma;
	}
	return own_ma && own_ma < least ? own_ma : least;
}

static void add_current_rating(const struct fleet *fleet, bool charge)
{
	struct pb_battery *bank = fleet->bank;
	struct pb_rating *rating = &bank->rating;
	int64_t max_ma = rated_current(fleet, charge);
	bool power = battery_has(bank, PB_HAS_ENERGY) && bank->sample.nominal_mah > 0;
	int64_t max_mw = power ? pb_scale(max_ma, rating->energy_mwh, bank->sample.nominal_mah) : 0;

	if (!all_have(fleet, charge ? PB_HAS_CHARGE_MAX : PB_HAS_DISCHARGE_MAX))
		return;
	put32(bank, charge ? &rating->charge_max_ma : &rating->discharge_max_ma, max_ma,
	      charge ? PB_HAS_CHARGE_MAX : PB_HAS_DISCHARGE_MAX);
	if (power)
		put64(bank, charge ? &rating->charge_max_mw : &rating->discharge_max_mw, max_mw,
		      charge ? PB_HAS_CHARGE_POWER : PB_HAS_DISCHARGE_POWER);
}

static void add_rating(const struct fleet *fleet)
{
	struct pb_battery *bank = fleet->bank;
	struct pb_rating *rating = &bank->rating;
	int64_t value, low;

	rating->chemistry = fleet->packs[0]->rating.chemistry;
	if (battery_has(bank, PB_HAS_NOMINAL) &&
	    sum(fleet, PB_HAS_ENERGY, OF(rating.energy_mwh), &value))
		put64(bank, &rating->energy_mwh, value, PB_HAS_ENERGY);
	add_current_rating(fleet, true);
	add_current_rating(fleet, false);
	if (in_series(fleet)
		    ? sum(fleet, PB_HAS_FULL_VOLTAGE, OF(rating.full_voltage_mv), &value)
		    : bound(fleet, PB_HAS_FULL_VOLTAGE, OF(rating.full_voltage_mv), 1, &value))
		put32(bank, &rating->full_voltage_mv, value, PB_HAS_FULL_VOLTAGE);
	if (bound(fleet, PB_HAS_CELL_LEVELS, OF(rating.cell_high_mv), 1, &value) &&
	    bound(fleet, PB_HAS_CELL_LEVELS, OF(rating.cell_low_mv), -1, &low)) {
		rating->cell_high_mv = narrow(value);
		put32(bank, &rating->cell_low_mv, low, PB_HAS_CELL_LEVELS);
	}
}

/* ---- the whole ---- */

static void add_counters(struct pb_status *status, const struct pb_status *of)
{
	status->polls += of->polls;
	status->failures += of->failures;
	status->connects += of->connects;
	status->reconnects += of->reconnects;
	status->timeouts += of->timeouts;
	status->bad_frames += of->bad_frames;
	status->garbage_bytes += of->garbage_bytes;
}

static void add_status(const struct pb_member *members, size_t count, struct pb_battery *bank)
{
	struct pb_status *status = &bank->status;

	status->polls = status->failures = status->connects = status->reconnects = 0;
	status->timeouts = status->bad_frames = status->garbage_bytes = 0;
	status->connected = false;
	status->stale_after_s = 0;
	status->sampled_ms = UINT64_MAX;
	status->last_error = PB_ERROR_NONE;
	for (size_t i = 0; i < count; i++) {
		const struct pb_status *of = &members[i].battery->status;

		add_counters(status, of);
		status->connected |= of->connected;
		if (of->stale_after_s > status->stale_after_s)
			status->stale_after_s = of->stale_after_s;
		if (!members[i].old && of->sampled_ms < status->sampled_ms)
			status->sampled_ms = of->sampled_ms;
		if (members[i].old && status->last_error == PB_ERROR_NONE)
			status->last_error = of->last_error;
	}
}

/* Of all readings that there ever were. */
static uint64_t oldest_ms(const struct pb_member *members, size_t count)
{
	uint64_t least_ms = UINT64_MAX;

	for (size_t i = 0; i < count; i++) {
		const struct pb_status *status = &members[i].battery->status;

		if (status->sequence && status->sampled_ms < least_ms)
			least_ms = status->sampled_ms;
	}
	return least_ms;
}

static enum pb_quality quality_of(const struct pb_member *members, size_t count, bool reading,
				  bool connected)
{
	bool read = false;

	if (reading)
		return PB_QUALITY_GOOD;
	for (size_t i = 0; i < count; i++)
		read |= members[i].battery->status.sequence != 0;
	if (!read)
		return PB_QUALITY_NEVER;
	return connected ? PB_QUALITY_STALE : PB_QUALITY_LOST;
}

static void count_members(const struct pb_bank_setup *setup, const struct pb_member *members,
			  size_t count, struct fleet *fleet)
{
	struct pb_members *m = &fleet->bank->members;

	*m = (struct pb_members){.packs = (int32_t)count, .packs_parallel = 1, .packs_series = 1};
	if (setup->topology == PB_TOPOLOGY_SERIES)
		m->packs_series = (int32_t)count;
	else
		m->packs_parallel = (int32_t)count;
	for (size_t i = 0; i < count; i++) {
		if (members[i].old)
			continue;
		fleet->packs[fleet->count] = members[i].battery;
		fleet->number[fleet->count++] = (int)i + 1;
		m->packs_online_set |= UINT64_C(1) << i;
	}
	m->packs_online = (int32_t)fleet->count;
	m->packs_stale = (int32_t)(count - fleet->count);
}

static void add_all(const struct fleet *fleet, size_t packs)
{
	add_flow(fleet);
	add_charge(fleet);
	add_states(fleet);
	pb_sample_derive(&fleet->bank->sample); /* of single cells and probes there are none yet */
	add_power(fleet);
	add_cells(fleet);
	add_temperatures(fleet);
	add_switches(fleet, packs);
	add_limits(fleet);
	add_rating(fleet);
}

bool pb_bank_compute(const struct pb_bank_setup *setup, const struct pb_member *members,
		     size_t count, struct pb_battery *ret)
{
	struct fleet fleet = {.setup = setup, .bank = ret};
	bool reading;

	count_members(setup, members, count, &fleet);
	reading = fleet.count == count || (setup->missing == PB_MISSING_EXCLUDE && fleet.count > 0);
	ret->sample = (struct pb_sample){0};
	ret->limits = (struct pb_limits){0};
	ret->rating = (struct pb_rating){.chemistry = members[0].battery->rating.chemistry};
	add_status(members, count, ret);
	if (!reading)
		ret->status.sampled_ms = oldest_ms(members, count);
	ret->status.quality = quality_of(members, count, reading, ret->status.connected);
	if (reading) {
		add_all(&fleet, count);
	} else {
		ret->limits.charge_voltage_reason = ret->limits.charge_current_reason =
			ret->limits.discharge_current_reason = PB_REASON_SILENT;
	}
	limits_say(&ret->limits);
	return reading;
}

void pb_bank_alarms(const struct pb_member *members, size_t count, struct pb_battery *ret)
{
	struct pb_alarms *alarms = &ret->alarms;

	for (int kind = 0; kind < PB_ALARM_COUNT; kind++) {
		uint8_t *level = &alarms->level[kind];

		for (size_t i = 0; i < count; i++) {
			uint8_t of = members[i].battery->alarms.level[kind];

			/* that the bank has no reading is for its own alarm to say */
			if (kind == PB_ALARM_SILENT && of > PB_LEVEL_WARNING)
				of = PB_LEVEL_WARNING;
			if (of > *level)
				*level = of;
		}
		alarms->warnings |= (uint32_t)(*level >= PB_LEVEL_WARNING) << kind;
		alarms->alarms |= (uint32_t)(*level == PB_LEVEL_ALARM) << kind;
		if (*level > alarms->severity)
			alarms->severity = *level;
	}
}

void pb_bank_single(struct pb_battery *battery, bool old)
{
	struct pb_members *m = &battery->members;
	struct pb_sample *s = &battery->sample;

	*m = (struct pb_members){
		.packs = 1,
		.packs_online = !old,
		.packs_stale = old,
		.packs_parallel = 1,
		.packs_series = 1,
		.packs_online_set = !old,
	};
	if (old)
		return;
	m->packs_charge = m->charge_all = m->charge_any = passes(battery, true);
	m->packs_discharge = m->discharge_all = m->discharge_any = passes(battery, false);
	m->packs_charge_blocked = !m->packs_charge;
	m->packs_discharge_blocked = !m->packs_discharge;
	battery_mark(battery, PB_HAS_SWITCHES);
	if (battery_has(battery, PB_HAS_SOC)) {
		m->soc_min_permille = m->soc_max_permille = s->soc_permille;
		battery_mark(battery, PB_HAS_SOC_SPREAD);
	}
	if (battery_has(battery, PB_HAS_REMAINING) && battery_has(battery, PB_HAS_FULL) &&
	    s->full_mah > 0)
		put32(battery, &m->soc_total_permille,
		      pb_clamp(pb_scale(s->remaining_mah, 1000, s->full_mah), 0, 1000),
		      PB_HAS_SOC_TOTAL);
	if (battery_has(battery, PB_HAS_VOLTAGE))
		battery_mark(battery, PB_HAS_VOLTAGE_SPREAD);
	if (battery_has(battery, PB_HAS_CELL_EXTREMES)) {
		m->cell_min_pack = m->cell_max_pack = 1;
		snprintf(m->cell_min_name, sizeof(m->cell_min_name), "%d",
			 s->cell_min_index % 1000);
		snprintf(m->cell_max_name, sizeof(m->cell_max_name), "%d",
			 s->cell_max_index % 1000);
		battery_mark(battery, PB_HAS_CELL_PACKS);
	}
	if (battery_has(battery, PB_HAS_TEMPERATURE_EXTREMES)) {
		m->temperature_min_pack = m->temperature_max_pack = 1;
		snprintf(m->temperature_min_name, sizeof(m->temperature_min_name), "%d",
			 s->temperature_min_index % 1000);
		snprintf(m->temperature_max_name, sizeof(m->temperature_max_name), "%d",
			 s->temperature_max_index % 1000);
		battery_mark(battery, PB_HAS_TEMPERATURE_PACKS);
	}
}
