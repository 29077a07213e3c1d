/* SPDX-License-Identifier: MIT */
/*
 * Many batteries as one. Sums and means need the value of every pack that counts, else there is
 * none: a sum that lacks a pack would be wrong. Extremes are those of the packs that tell.
 */
#include "fleet.h"

#include <stdio.h>
#include <string.h>

/* What battery.has tells of the members. */
#define HAS_MEMBERS                                                                                \
	(PB_HAS(PB_HAS_SOC_TOTAL) | PB_HAS(PB_HAS_SOC_SPREAD) | PB_HAS(PB_HAS_VOLTAGE_SPREAD) |    \
	 PB_HAS(PB_HAS_PACK_CELLS) | PB_HAS(PB_HAS_CELL_PACKS) |                                   \
	 PB_HAS(PB_HAS_TEMPERATURE_PACKS) | PB_HAS(PB_HAS_SWITCHES))

/* The mean by capacity. A single pack needs none. */
static bool weighted(const struct fleet *fleet, enum pb_has what, size_t offset, int32_t *ret)
{
	int64_t weight[PB_MEMBERS_MAX] = {1}, total = 1, of_all = 0;

	if (!bank_all_have(fleet, what) ||
	    (fleet->count > 1 && !bank_weights(fleet, weight, &total)))
		return false;
	for (size_t i = 0; i < fleet->count; i++)
		of_all += bank_load(fleet->packs[i], offset, false) * weight[i];
	*ret = narrow(pb_scale(of_all, 1, total));
	return true;
}

/* ---- electric values ---- */

static void add_flow(const struct fleet *fleet)
{
	struct pb_sample *s = &fleet->bank->sample;
	int64_t count = (int64_t)fleet->count, value;

	if (bank_sum(fleet, PB_HAS_VOLTAGE, OF(sample.voltage_mv), &value))
		bank_put32(fleet->bank, &s->voltage_mv,
			   in_series(fleet) ? value : pb_scale(value, 1, count), PB_HAS_VOLTAGE);
	if (bank_sum(fleet, PB_HAS_CURRENT, OF(sample.current_ma), &value))
		bank_put32(fleet->bank, &s->current_ma,
			   in_series(fleet) ? pb_scale(value, 1, count) : value, PB_HAS_CURRENT);
}

static void add_power(const struct fleet *fleet)
{
	int64_t value;

	if (bank_sum(fleet, PB_HAS_POWER, OF(sample.power_mw), &value))
		bank_put64(fleet->bank, &fleet->bank->sample.power_mw, value, PB_HAS_POWER);
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
		has_remaining = bank_bound(fleet, PB_HAS_REMAINING, OF(sample.remaining_mah), 1,
					   &remaining);
		has_full = has_remaining && bank_bound(fleet, PB_HAS_CONSUMED,
						       OF(sample.consumed_mah), 1, &consumed);
		full = has_full ? remaining + consumed : 0;
		if (bank_bound(fleet, PB_HAS_NOMINAL, OF(sample.nominal_mah), 1, &value))
			bank_put64(fleet->bank, &s->nominal_mah, value, PB_HAS_NOMINAL);
	} else {
		has_remaining =
			bank_sum(fleet, PB_HAS_REMAINING, OF(sample.remaining_mah), &remaining);
		has_full = bank_sum(fleet, PB_HAS_FULL, OF(sample.full_mah), &full);
		if (bank_sum(fleet, PB_HAS_NOMINAL, OF(sample.nominal_mah), &value))
			bank_put64(fleet->bank, &s->nominal_mah, value, PB_HAS_NOMINAL);
	}
	if (has_remaining)
		bank_put64(fleet->bank, &s->remaining_mah, remaining, PB_HAS_REMAINING);
	if (has_full)
		bank_put64(fleet->bank, &s->full_mah, full, PB_HAS_FULL);
	if (has_remaining && has_full && full > 0)
		bank_put32(fleet->bank, &m->soc_total_permille,
			   pb_clamp(pb_scale(remaining, 1000, full), 0, 1000), PB_HAS_SOC_TOTAL);
}

static void add_states(const struct fleet *fleet)
{
	struct pb_sample *s = &fleet->bank->sample;
	struct pb_members *m = &fleet->bank->members;
	int64_t value = 0;

	if (weighted(fleet, PB_HAS_SOC, offsetof(struct pb_battery, sample.soc_permille),
		     &s->soc_permille))
		pb_battery_mark(fleet->bank, PB_HAS_SOC);
	if (in_series(fleet)
		    ? bank_bound(fleet, PB_HAS_SOH, OF(sample.soh_permille), 1, &value)
		    : weighted(fleet, PB_HAS_SOH, offsetof(struct pb_battery, sample.soh_permille),
			       &s->soh_permille)) {
		if (in_series(fleet))
			s->soh_permille = narrow(value);
		pb_battery_mark(fleet->bank, PB_HAS_SOH);
	}
	if (bank_bound(fleet, PB_HAS_SOC, OF(sample.soc_permille), 1, &value)) {
		m->soc_min_permille = narrow(value);
		bank_bound(fleet, PB_HAS_SOC, OF(sample.soc_permille), -1, &value);
		bank_put32(fleet->bank, &m->soc_max_permille, value, PB_HAS_SOC_SPREAD);
	}
	if (bank_bound(fleet, PB_HAS_CYCLES, OF(sample.cycles), -1, &value))
		bank_put32(fleet->bank, &s->cycles, value, PB_HAS_CYCLES);
	if (bank_bound(fleet, PB_HAS_VOLTAGE, OF(sample.voltage_mv), -1, &value)) {
		int64_t least = value;

		bank_bound(fleet, PB_HAS_VOLTAGE, OF(sample.voltage_mv), 1, &least);
		bank_put32(fleet->bank, &m->voltage_spread_mv, value - least,
			   PB_HAS_VOLTAGE_SPREAD);
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
	int low = bank_extreme(fleet, PB_HAS_CELL_EXTREMES, OF(sample.cell_min_mv), 1, &least);
	int high = bank_extreme(fleet, PB_HAS_CELL_EXTREMES, OF(sample.cell_max_mv), -1, &most);

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
	pb_battery_mark(fleet->bank, PB_HAS_CELL_EXTREMES);
	pb_battery_mark(fleet->bank, PB_HAS_CELL_PACKS);
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
	int low = bank_extreme(fleet, PB_HAS_TEMPERATURE_EXTREMES, OF(sample.temperature_min_mc), 1,
			       &least);
	int high = bank_extreme(fleet, PB_HAS_TEMPERATURE_EXTREMES, OF(sample.temperature_max_mc),
				-1, &most);

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
	pb_battery_mark(fleet->bank, PB_HAS_TEMPERATURE_EXTREMES);
	pb_battery_mark(fleet->bank, PB_HAS_TEMPERATURE_PACKS);
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
	if (bank_all_have(fleet, PB_HAS_BALANCE))
		pb_battery_mark(bank, PB_HAS_BALANCE);
}

/* The lowest of the cells side by side at each place. @return the last place that has one; -1: none
 */
static int add_lowest_cells(const struct fleet *fleet, int *ret_first)
{
	struct pb_sample *s = &fleet->bank->sample;
	int last = -1;

	*ret_first = -1;
	for (int n = 0; n < s->cell_count; n++) {
		for (size_t i = 0; i < fleet->count; i++) {
			const struct pb_sample *pack = &fleet->packs[i]->sample;
			bool known = s->cell_has >> n & 1;

			if (!(pack->cell_has >> n & 1) ||
			    (known && pack->cell_mv[n] >= s->cell_mv[n]))
				continue;
			s->cell_mv[n] = pack->cell_mv[n];
			s->cell_has |= UINT64_C(1) << n;
			last = n;
		}
		if (*ret_first < 0 && last == n)
			*ret_first = n;
	}
	return last;
}

/*
 * Cells side by side are one to who sees a single battery, and the lowest and the highest of all
 * must be among them. Each place has its lowest cell; the last one has the highest of all, and
 * gives its lowest to the first. As that is fixed, no value of the list moves further than a cell
 * does, and all banks of the same packs have the same list.
 */
static void add_parallel_cells(const struct fleet *fleet)
{
	struct pb_sample *s = &fleet->bank->sample;
	int first, last = add_lowest_cells(fleet, &first);

	if (fleet->count < 2 || last == first)
		return;
	if (s->cell_mv[last] < s->cell_mv[first])
		s->cell_mv[first] = s->cell_mv[last];
	s->cell_mv[last] = s->cell_max_mv;
}

static void add_cells(const struct fleet *fleet)
{
	struct pb_sample *s = &fleet->bank->sample;
	int64_t total, least, most;

	add_cell_extremes(fleet);
	if (!bank_sum(fleet, PB_HAS_CELLS, OF(sample.cell_count), &total))
		return;
	bank_bound(fleet, PB_HAS_CELLS, OF(sample.cell_count), 1, &least);
	bank_bound(fleet, PB_HAS_CELLS, OF(sample.cell_count), -1, &most);
	if (!in_series(fleet) && least != most)
		return;
	bank_put32(fleet->bank, &s->cell_count, in_series(fleet) ? total : most, PB_HAS_CELLS);
	if (least == most)
		bank_put32(fleet->bank, &fleet->bank->members.pack_cell_count, most,
			   PB_HAS_PACK_CELLS);
	if (in_series(fleet))
		add_string_cells(fleet, (int)total);
	else
		add_parallel_cells(fleet);
}

/* ---- switches and protections ---- */

static void add_switches(const struct fleet *fleet, size_t packs)
{
	struct pb_battery *bank = fleet->bank;
	struct pb_sample *s = &bank->sample;
	struct pb_members *m = &bank->members;
	size_t charge = 0, discharge = 0;
	bool balances = bank_all_have(fleet, PB_HAS_BALANCING);

	for (size_t i = 0; i < fleet->count; i++) {
		const struct pb_battery *pack = fleet->packs[i];

		charge += pb_battery_has(pack, PB_HAS_CHARGE_FET) && pack->sample.charge_fet;
		discharge +=
			pb_battery_has(pack, PB_HAS_DISCHARGE_FET) && pack->sample.discharge_fet;
		m->packs_charge += passes(pack, true);
		m->packs_discharge += passes(pack, false);
		if (pb_battery_has(pack, PB_HAS_PROTECTION)) {
			s->protection_mask |= pack->sample.protection_mask;
			pb_battery_mark(bank, PB_HAS_PROTECTION);
		}
		if (pb_battery_has(pack, PB_HAS_BALANCING) && pack->sample.balancing) {
			s->balancing = true;
			balances = true;
		}
	}
	if (balances)
		pb_battery_mark(bank, PB_HAS_BALANCING);
	if (bank_all_have(fleet, PB_HAS_CHARGE_FET)) {
		s->charge_fet = in_series(fleet) ? charge == fleet->count : charge > 0;
		pb_battery_mark(bank, PB_HAS_CHARGE_FET);
	}
	if (bank_all_have(fleet, PB_HAS_DISCHARGE_FET)) {
		s->discharge_fet = in_series(fleet) ? discharge == fleet->count : discharge > 0;
		pb_battery_mark(bank, PB_HAS_DISCHARGE_FET);
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

static void add_unchanged(const struct fleet *fleet)
{
	struct pb_battery *bank = fleet->bank;

	bank->unchanged_s = 0;
	for (size_t i = 0; i < fleet->count; i++) {
		if (!pb_battery_has(fleet->packs[i], PB_HAS_UNCHANGED))
			continue;
		if (fleet->packs[i]->unchanged_s > bank->unchanged_s)
			bank->unchanged_s = fleet->packs[i]->unchanged_s;
		pb_battery_mark(bank, PB_HAS_UNCHANGED);
	}
}

/* ---- the whole ---- */

static void add_counters(struct pb_status *status, const struct pb_status *of)
{
	status->polls += of->polls;
	status->failures += of->failures;
	status->connects += of->connects;
	status->connect_failures += of->connect_failures;
	status->reconnects += of->reconnects;
	status->timeouts += of->timeouts;
	status->bad_frames += of->bad_frames;
	status->garbage_bytes += of->garbage_bytes;
	status->unsolicited += of->unsolicited;
	status->impossible_readings += of->impossible_readings;
	status->impossible_values += of->impossible_values;
}

static void add_status(const struct pb_member *members, size_t count, struct pb_battery *bank)
{
	struct pb_status *status = &bank->status;

	status->polls = status->failures = status->connects = status->reconnects = 0;
	status->connect_failures = 0;
	status->timeouts = status->bad_frames = status->garbage_bytes = status->unsolicited = 0;
	status->details_ms = 0;
	status->impossible_readings = status->impossible_values = 0;
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
		if (!members[i].old && of->details_ms &&
		    (status->details_ms == 0 || of->details_ms < status->details_ms))
			status->details_ms = of->details_ms;
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
		good += !members[i].old;
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
	add_unchanged(fleet);
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
	add_status(members, count, ret);
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

static void raise_level(uint8_t *level, uint8_t of, int kind)
{
	/* that the bank has no reading is for its own alarm to say */
	if (kind == PB_ALARM_SILENT && of > PB_LEVEL_WARNING)
		of = PB_LEVEL_WARNING;
	if (of > *level)
		*level = of;
}

/* Of cells side by side, one that is low or high speaks for all, then one without a value. */
static void add_state(uint8_t *state, uint8_t of)
{
	bool speaks = *state == PB_NORMAL_LOW || *state == PB_NORMAL_HIGH;

	if (!speaks && of != PB_NORMAL)
		*state = of;
}

/* The cells' states are numbered as the bank's cells. */
static void add_cell_states(const struct pb_member *members, size_t count, struct pb_battery *bank)
{
	struct pb_alarms *alarms = &bank->alarms;
	uint64_t there = alarms->cell_has;
	int at = 0;

	memset(alarms->cell, PB_NORMAL, sizeof(alarms->cell));
	for (size_t i = 0; i < count; i++) {
		const struct pb_battery *pack = members[i].battery;

		for (int n = 0; n < pack->sample.cell_count && !members[i].old; n++)
			if (at + n < PB_CELLS_MAX && there >> (at + n) & 1)
				add_state(&alarms->cell[at + n], pack->alarms.cell[n]);
		if (bank->members.packs_series > 1 && !members[i].old)
			at += pack->sample.cell_count;
	}
}

static uint8_t probe_state(const struct pb_member *members, size_t count, int32_t pack,
			   int32_t probe)
{
	if (pack < 1 || (size_t)pack > count || probe < 1 || probe > PB_TEMPERATURES_MAX)
		return PB_NORMAL_UNKNOWN;
	return members[pack - 1].battery->alarms.temperature[probe - 1];
}

/* A bank has no single probes: the first is the hottest, the second the coldest of all. */
static void add_probe_states(const struct pb_member *members, size_t count, struct pb_battery *bank)
{
	const struct pb_sample *s = &bank->sample;
	const struct pb_members *m = &bank->members;

	if (!pb_battery_has(bank, PB_HAS_TEMPERATURE_PACKS))
		return;
	bank->alarms.temperature_has = 3;
	bank->alarms.temperature[0] =
		probe_state(members, count, m->temperature_max_pack, s->temperature_max_index);
	bank->alarms.temperature[1] =
		probe_state(members, count, m->temperature_min_pack, s->temperature_min_index);
}

void pb_bank_alarms(const struct pb_member *members, size_t count, struct pb_battery *ret)
{
	struct pb_alarms *alarms = &ret->alarms;

	for (int kind = 0; kind < PB_ALARM_COUNT; kind++) {
		uint8_t *level = &alarms->level[kind];

		for (size_t i = 0; i < count; i++) {
			raise_level(level, members[i].battery->alarms.level[kind], kind);
			raise_level(&alarms->worst[kind], members[i].battery->alarms.worst[kind],
				    kind);
		}
		alarms->warnings |= (uint32_t)(*level >= PB_LEVEL_WARNING) << kind;
		alarms->alarms |= (uint32_t)(*level == PB_LEVEL_ALARM) << kind;
		if (*level > alarms->severity)
			alarms->severity = *level;
	}
	add_cell_states(members, count, ret);
	add_probe_states(members, count, ret);
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

void pb_bank_single(struct pb_battery *battery, bool old)
{
	struct pb_members *m = &battery->members;
	struct pb_sample *s = &battery->sample;
	struct pb_members before = *m;

	*m = (struct pb_members){
		.packs = 1,
		.packs_online = !old,
		.packs_stale = old,
		.packs_parallel = 1,
		.packs_series = 1,
		.packs_online_set = !old,
	};
	if (old) {
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
	if (pb_battery_has(battery, PB_HAS_REMAINING) && pb_battery_has(battery, PB_HAS_FULL) &&
	    s->full_mah > 0)
		bank_put32(battery, &m->soc_total_permille,
			   pb_clamp(pb_scale(s->remaining_mah, 1000, s->full_mah), 0, 1000),
			   PB_HAS_SOC_TOTAL);
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
