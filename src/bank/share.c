/* SPDX-License-Identifier: MIT */
/* Limits and ratings of a bank: what its packs allow together. */
#include "rules.h"

enum { APART_PERCENT = 10 }; /* of the highest voltage */

static const struct pb_field cell_count = BANK_FIELD(sample.cell_count, PB_HAS_CELLS);
static const struct pb_field pack_voltage = BANK_FIELD(sample.voltage_mv, PB_HAS_VOLTAGE);
static const struct pb_field charge_voltage =
	BANK_FIELD(limits.charge_voltage_mv, PB_HAS_CHARGE_VOLTAGE);

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

struct bank_limit {
	bool known;
	int64_t value;
	uint8_t reason, pack;
};

static struct bank_limit current_of(const struct pb_battery *pack, bool charge)
{
	const struct pb_limits *limits = &pack->limits;

	return (struct bank_limit){
		.known = pb_battery_has(pack,
					charge ? PB_HAS_CHARGE_CURRENT : PB_HAS_DISCHARGE_CURRENT),
		.value = charge ? limits->charge_current_ma : limits->discharge_current_ma,
		.reason = charge ? limits->charge_current_reason : limits->discharge_current_reason,
	};
}

/*
 * Packs in parallel share a current by their capacity. So the largest current is that at which the
 * first of them reaches its own limit: the least of limit * (sum of capacities) / capacity. Where
 * capacities are not known, one pack may get all of it.
 */
static struct bank_limit share_current(const struct fleet *fleet, bool charge)
{
	int64_t weight[PB_MEMBERS_MAX], total = 1;
	bool shared = !in_series(fleet) && bank_weights(fleet, weight, &total);
	struct bank_limit least = {.known = true, .value = INT64_MAX};

	for (size_t i = 0; i < fleet->count; i++) {
		struct bank_limit limit = current_of(fleet->packs[i], charge);

		if (!limit.known)
			return (struct bank_limit){.reason = PB_REASON_UNKNOWN};
		if (shared)
			limit.value = pb_scale(limit.value, total, weight[i]);
		if (limit.value >= least.value)
			continue;
		least = limit;
		least.pack = (uint8_t)fleet->number[i];
	}
	return least;
}

/* A pack that lets no current pass, rather one with a protection; there is one. */
static struct bank_limit stopped_by(const struct fleet *fleet, bool charge)
{
	struct bank_limit limit = {.known = true, .reason = PB_REASON_UNKNOWN};

	for (size_t i = 0; i < fleet->count; i++) {
		enum pb_reason reason = bank_blocked_by(fleet->packs[i], charge);

		if (limit.reason != PB_REASON_UNKNOWN && reason != PB_REASON_PROTECTION)
			continue;
		if (reason == PB_REASON_UNKNOWN || limit.reason == PB_REASON_PROTECTION)
			continue;
		limit.reason = (uint8_t)reason;
		limit.pack = (uint8_t)fleet->number[i];
	}
	return limit;
}

/*
 * Packs in parallel have one voltage, but for the drop in their wires. Readings that differ are of
 * packs that must not be connected in parallel, or that the file joins by mistake.
 */
static bool same_cells(const struct fleet *fleet)
{
	int64_t least, most;

	return bank_extreme(fleet, &cell_count, 1, &least) < 0 ||
	       bank_extreme(fleet, &cell_count, -1, &most) < 0 || least == most;
}

static bool near_voltage(const struct fleet *fleet)
{
	int64_t least, most;

	return bank_extreme(fleet, &pack_voltage, 1, &least) < 0 ||
	       bank_extreme(fleet, &pack_voltage, -1, &most) < 0 ||
	       (most - least) * 100 <= most * APART_PERCENT;
}

/* @part: those of @fleet that take part; one that is cut off may have another voltage */
static bool is_mixed(const struct fleet *fleet, const struct fleet *part)
{
	return !in_series(fleet) && (!same_cells(fleet) || !near_voltage(part));
}

static struct bank_limit bank_current(const struct fleet *fleet, bool charge)
{
	int32_t max_ma = charge ? fleet->setup->charge_max_ma : fleet->setup->discharge_max_ma;
	struct fleet part;
	struct bank_limit limit;

	take_part(fleet, charge, &part);
	if (is_mixed(fleet, &part)) {
		fleet->bank->members.mixed = true;
		return (struct bank_limit){.known = true, .reason = PB_REASON_BLOCKED};
	}
	if (part.count == fleet->count)
		limit = share_current(fleet, charge);
	else if (in_series(fleet))
		limit = stopped_by(fleet, charge); /* in series, one stops all */
	else if (part.count > 0)
		limit = share_current(&part, charge);
	else
		limit = (struct bank_limit){.known = true, .reason = PB_REASON_BLOCKED};
	if (limit.known && max_ma && limit.value > max_ma)
		limit = (struct bank_limit){true, max_ma, PB_REASON_BANK, 0};
	return limit;
}

/* In parallel the lowest voltage that a pack asks for, in series the sum. */
static struct bank_limit bank_voltage(const struct fleet *fleet)
{
	struct fleet part;
	struct bank_limit limit = {0};
	int place;

	take_part(fleet, true, &part);
	if (in_series(fleet) || part.count == 0)
		part = *fleet;
	limit.known = bank_value(&part, in_series(fleet) ? OP_SUM : OP_LEAST, &charge_voltage,
				 &limit.value);
	if (!limit.known)
		return limit;
	place = bank_extreme(&part, &charge_voltage, 1, &(int64_t){0});
	limit.reason = part.packs[place]->limits.charge_voltage_reason;
	limit.pack = (uint8_t)part.number[place];
	return limit;
}

static void add_voltages(const struct fleet *fleet)
{
	struct pb_battery *bank = fleet->bank;
	struct pb_limits *limits = &bank->limits;
	struct bank_limit voltage = bank_voltage(fleet);

	limits->charge_voltage_reason = voltage.reason;
	limits->charge_voltage_pack = voltage.pack;
	if (voltage.known)
		bank_put32(bank, &limits->charge_voltage_mv, voltage.value, PB_HAS_CHARGE_VOLTAGE);
}

void bank_add_limits(const struct fleet *fleet)
{
	struct pb_battery *bank = fleet->bank;
	struct pb_limits *limits = &bank->limits;
	struct bank_limit charge = bank_current(fleet, true),
			  discharge = bank_current(fleet, false);

	add_voltages(fleet);
	limits->charge_current_reason = charge.reason;
	limits->charge_current_pack = charge.pack;
	limits->discharge_current_reason = discharge.reason;
	limits->discharge_current_pack = discharge.pack;
	if (charge.known)
		bank_put32(bank, &limits->charge_current_ma, charge.value, PB_HAS_CHARGE_CURRENT);
	if (discharge.known)
		bank_put32(bank, &limits->discharge_current_ma, discharge.value,
			   PB_HAS_DISCHARGE_CURRENT);
	for (size_t i = 0; i < fleet->count; i++) {
		const struct pb_limits *of = &fleet->packs[i]->limits;

		limits->charge_now |= of->charge_now;
		limits->charge_soon |= of->charge_soon;
	}
	if (charge.known || discharge.known) {
		limits->charge_allowed = limits->charge_current_ma > 0;
		limits->discharge_allowed = limits->discharge_current_ma > 0;
		limits->charge_now &= limits->charge_allowed;
		limits->charge_soon &= limits->charge_allowed && !limits->charge_now;
		pb_battery_mark(bank, PB_HAS_REQUESTS);
	}
}

/* ---- ratings ---- */

static int64_t rated_current(const struct fleet *fleet, bool charge)
{
	int32_t own_ma = charge ? fleet->setup->charge_max_ma : fleet->setup->discharge_max_ma;
	int64_t weight[PB_MEMBERS_MAX], total = 1, least = INT64_MAX;
	bool shared = !in_series(fleet) && bank_weights(fleet, weight, &total);

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
	bool power = pb_battery_has(bank, PB_HAS_ENERGY) && bank->sample.nominal_mah > 0;
	int64_t max_mw = power ? pb_scale(max_ma, rating->energy_mwh, bank->sample.nominal_mah) : 0;

	if (!bank_all_have(fleet, charge ? PB_HAS_CHARGE_MAX : PB_HAS_DISCHARGE_MAX))
		return;
	bank_put32(bank, charge ? &rating->charge_max_ma : &rating->discharge_max_ma, max_ma,
		   charge ? PB_HAS_CHARGE_MAX : PB_HAS_DISCHARGE_MAX);
	if (power)
		bank_put64(bank, charge ? &rating->charge_max_mw : &rating->discharge_max_mw,
			   max_mw, charge ? PB_HAS_CHARGE_POWER : PB_HAS_DISCHARGE_POWER);
}

void bank_add_rating(const struct fleet *fleet)
{
	struct pb_battery *bank = fleet->bank;
	struct pb_rating *rating = &bank->rating;

	rating->chemistry = fleet->packs[0]->rating.chemistry;
	if (!pb_battery_has(bank, PB_HAS_NOMINAL)) {
		rating->energy_mwh = 0;
		bank->has &= ~PB_HAS(PB_HAS_ENERGY);
	}
	add_current_rating(fleet, true);
	add_current_rating(fleet, false);
}
