/* SPDX-License-Identifier: MIT */
/*
 * Computes one bank from its packs.
 *
 *	packs with a good reading -> rules.c (sums, means, extremes) -> pb_sample_derive()
 *	                          -> cells.c, share.c (limits, rating) -> the bank's values
 *	all packs                 -> rules.c (counters), members.c (alarms)
 *
 * Most values follow from the table in rules.c. This and the other files compute the values that a
 * row of that table cannot express.
 */
#include "rules.h"

#include <stdio.h>
#include <string.h>

/* Bits of battery.has for pb_members. */
#define HAS_MEMBERS                                                                                \
	(PB_HAS(PB_HAS_SOC_TOTAL) | PB_HAS(PB_HAS_SOC_SPREAD) | PB_HAS(PB_HAS_VOLTAGE_SPREAD) |    \
	 PB_HAS(PB_HAS_PACK_CELLS) | PB_HAS(PB_HAS_CELL_PACKS) |                                   \
	 PB_HAS(PB_HAS_TEMPERATURE_PACKS) | PB_HAS(PB_HAS_SWITCHES))

static void add_switches(const struct fleet *fleet, size_t packs)
{
	struct pb_battery *bank = fleet->bank;
	struct pb_sample *s = &bank->sample;
	struct pb_members *m = &bank->members;

	for (size_t i = 0; i < fleet->count; i++) {
		m->packs_charge += passes(fleet->packs[i], true);
		m->packs_discharge += passes(fleet->packs[i], false);
	}
	m->packs_charge_blocked = m->packs_online - m->packs_charge;
	m->packs_discharge_blocked = m->packs_online - m->packs_discharge;
	s->protection_active = s->protection_mask & ~(UINT32_C(1) << PB_PROTECT_FET_LOCKED);
	m->charge_any = m->packs_charge > 0;
	m->discharge_any = m->packs_discharge > 0;
	m->charge_all = (size_t)m->packs_charge == packs;
	m->discharge_all = (size_t)m->packs_discharge == packs;
	pb_battery_mark(bank, PB_HAS_SWITCHES);
}

/* What is left of what the battery can hold. */
static void add_total(struct pb_battery *battery)
{
	const struct pb_sample *s = &battery->sample;

	if (pb_battery_has(battery, PB_HAS_REMAINING) && pb_battery_has(battery, PB_HAS_FULL) &&
	    s->full_mah > 0)
		bank_put32(battery, &battery->members.soc_total_permille,
			   pb_clamp(pb_scale(s->remaining_mah, 1000, s->full_mah), 0, 1000),
			   PB_HAS_SOC_TOTAL);
}

static void add_status(const struct pb_bank_setup *setup, const struct pb_member *members,
		       size_t count, struct pb_battery *bank)
{
	struct fleet all = {.setup = setup, .count = count, .bank = bank};
	struct pb_status *status = &bank->status;

	status->details_ms = 0;
	status->sampled_ms = UINT64_MAX;
	status->last_error = PB_ERROR_NONE;
	for (size_t i = 0; i < count; i++) {
		const struct pb_status *of = &members[i].battery->status;

		all.packs[i] = members[i].battery;
		if (!members[i].stale && of->sampled_ms < status->sampled_ms)
			status->sampled_ms = of->sampled_ms;
		if (!members[i].stale && of->details_ms &&
		    (status->details_ms == 0 || of->details_ms < status->details_ms))
			status->details_ms = of->details_ms;
		if (members[i].stale && status->last_error == PB_ERROR_NONE)
			status->last_error = of->last_error;
	}
	bank_apply(&all, STAGE_COUNTED);
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

/* Whether there can have been a reading: of those packs that it takes for one. */
static bool was_read(const struct pb_bank_setup *setup, const struct pb_member *members,
		     size_t count)
{
	size_t read = 0;

	for (size_t i = 0; i < count; i++)
		read += members[i].battery->status.sequence != 0;
	return setup->missing == PB_MISSING_FAULT ? read == count : read > 0;
}

/* @good: so many of its packs have a reading that counts. */
static bool has_reading(const struct pb_bank_setup *setup, size_t good, size_t count)
{
	return good == count || (setup->missing == PB_MISSING_EXCLUDE && good > 0);
}

enum pb_quality pb_bank_quality(const struct pb_bank_setup *setup, const struct pb_member *members,
				size_t count)
{
	size_t good = 0;
	bool connected = false;

	for (size_t i = 0; i < count; i++) {
		good += !members[i].stale;
		connected |= members[i].battery->status.connected;
	}
	if (has_reading(setup, good, count))
		return PB_QUALITY_GOOD;
	if (!was_read(setup, members, count))
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
		if (members[i].stale)
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
	struct pb_battery *bank = fleet->bank;

	bank->unchanged_s = 0;
	bank_apply(fleet, STAGE_MEASURED);
	add_total(bank);
	pb_sample_derive(&bank->sample); /* of single cells and probes there are none yet */
	bank_apply(fleet, STAGE_DERIVED);
	bank_add_cells(fleet);
	bank_add_temperatures(fleet);
	add_switches(fleet, packs);
	bank_add_limits(fleet);
	bank_add_rating(fleet);
}

bool pb_bank_compute(const struct pb_bank_setup *setup, const struct pb_member *members,
		     size_t count, struct pb_battery *ret)
{
	struct fleet fleet = {.setup = setup, .bank = ret};
	bool reading;

	count_members(setup, members, count, &fleet);
	reading = has_reading(setup, fleet.count, count);
	ret->sample = (struct pb_sample){0};
	ret->has = 0;
	ret->limits = (struct pb_limits){0};
	ret->rating = (struct pb_rating){.chemistry = members[0].battery->rating.chemistry};
	add_status(setup, members, count, ret);
	if (!reading)
		ret->status.sampled_ms = oldest_ms(members, count);
	if (reading) {
		add_all(&fleet, count);
	} else {
		ret->limits.charge_voltage_reason = ret->limits.charge_current_reason =
			ret->limits.discharge_current_reason = PB_REASON_SILENT;
	}
	bank_say_limits(&ret->limits);
	return reading;
}

/* Alarms stay while there is no reading, and are of the cell or probe that they were of. */
static void keep_names(struct pb_members *members, const struct pb_members *before)
{
	memcpy(members->cell_min_name, before->cell_min_name, sizeof(before->cell_min_name));
	memcpy(members->cell_max_name, before->cell_max_name, sizeof(before->cell_max_name));
	memcpy(members->temperature_min_name, before->temperature_min_name,
	       sizeof(before->temperature_min_name));
	memcpy(members->temperature_max_name, before->temperature_max_name,
	       sizeof(before->temperature_max_name));
}

void pb_bank_single(struct pb_battery *battery, bool stale)
{
	struct pb_members *m = &battery->members;
	struct pb_sample *s = &battery->sample;
	struct pb_members before = *m;

	*m = (struct pb_members){
		.packs = 1,
		.packs_online = !stale,
		.packs_stale = stale,
		.packs_parallel = 1,
		.packs_series = 1,
		.packs_online_set = !stale,
	};
	if (stale) {
		keep_names(m, &before);
		return;
	}
	battery->has &= ~HAS_MEMBERS;
	m->packs_charge = m->charge_all = m->charge_any = passes(battery, true);
	m->packs_discharge = m->discharge_all = m->discharge_any = passes(battery, false);
	m->packs_charge_blocked = !m->packs_charge;
	m->packs_discharge_blocked = !m->packs_discharge;
	pb_battery_mark(battery, PB_HAS_SWITCHES);
	if (pb_battery_has(battery, PB_HAS_SOC)) {
		m->soc_min_permille = m->soc_max_permille = s->soc_permille;
		pb_battery_mark(battery, PB_HAS_SOC_SPREAD);
	}
	add_total(battery);
	if (pb_battery_has(battery, PB_HAS_VOLTAGE))
		pb_battery_mark(battery, PB_HAS_VOLTAGE_SPREAD);
	if (pb_battery_has(battery, PB_HAS_CELLS))
		bank_put32(battery, &m->pack_cell_count, s->cell_count, PB_HAS_PACK_CELLS);
	if (pb_battery_has(battery, PB_HAS_CELL_EXTREMES)) {
		m->cell_min_pack = m->cell_max_pack = 1;
		snprintf(m->cell_min_name, sizeof(m->cell_min_name), "%d",
			 s->cell_min_index % 1000);
		snprintf(m->cell_max_name, sizeof(m->cell_max_name), "%d",
			 s->cell_max_index % 1000);
		pb_battery_mark(battery, PB_HAS_CELL_PACKS);
	}
	if (pb_battery_has(battery, PB_HAS_TEMPERATURE_EXTREMES)) {
		m->temperature_min_pack = m->temperature_max_pack = 1;
		snprintf(m->temperature_min_name, sizeof(m->temperature_min_name), "%d",
			 s->temperature_min_index % 1000);
		snprintf(m->temperature_max_name, sizeof(m->temperature_max_name), "%d",
			 s->temperature_max_index % 1000);
		pb_battery_mark(battery, PB_HAS_TEMPERATURE_PACKS);
	}
}
