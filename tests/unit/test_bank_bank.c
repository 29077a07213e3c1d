/* SPDX-License-Identifier: MIT */
/*
 * Banks: what must hold of any of them. Their figures are held against a second computation in
 * tests/fleets.
 */
#include "packbridge/bank.h"
#include "packbridge/base.h"
#include "packbridge/model/field.h"
#include "suite.h"

#include <string.h>

static struct pb_random dice;
static struct pb_battery packs[PB_MEMBERS_MAX], bank, other;
static struct pb_member members[PB_MEMBERS_MAX];
static struct pb_bank_setup setup;

static int32_t roll(int32_t min, int32_t max)
{
	return min + (int32_t)pb_random_below(&dice, (uint32_t)(max - min) + 1);
}

static void make_pack(size_t i, bool odd)
{
	struct pb_sample *s = &packs[i].sample;
	struct pb_limit_state state = {0};
	struct pb_limit_setup limits;

	packs[i] = (struct pb_battery){.status = {.sequence = 1, .sampled_ms = 1000 + i}};
	members[i] = (struct pb_member){.battery = &packs[i], .stale = odd && roll(0, 3) == 0};
	s->voltage_mv = roll(12800, 14000);
	s->current_ma = roll(-100000, 100000);
	s->soc_permille = roll(0, 1000);
	s->nominal_mah = s->full_mah = roll(1000, 300000);
	s->remaining_mah = roll(0, (int32_t)s->full_mah);
	s->charge_fet = roll(0, 4) > 0;
	s->discharge_fet = roll(0, 4) > 0;
	s->cell_count = 4;
	s->cell_has = 0xF;
	for (int n = 0; n < 4; n++)
		s->cell_mv[n] = roll(3000, 3400);
	s->temperature_count = 1;
	s->temperature_has = 1;
	s->temperature_mc[0] = roll(5000, 40000);
	s->has = PB_HAS(PB_HAS_COUNTERS) - 1;
	if (odd)
		s->has &= ~PB_HAS(pb_random_below(&dice, 20));
	s->has &= ~(PB_HAS(PB_HAS_POWER) | PB_HAS(PB_HAS_CELL_EXTREMES) |
		    PB_HAS(PB_HAS_TEMPERATURE_EXTREMES));
	pb_sample_derive(s);
	pb_limit_preset(&limits, PB_CHEMISTRY_LIFEPO4);
	pb_bank_single(&packs[i], members[i].stale);
	pb_limit_step(&limits, &state, &packs[i], members[i].stale, 1000);
}

static size_t make_fleet(bool odd)
{
	size_t count = (size_t)roll(1, 8);

	setup = (struct pb_bank_setup){.topology = (enum pb_topology)roll(0, 1)};
	setup.missing = setup.topology == PB_TOPOLOGY_SERIES ? PB_MISSING_FAULT
							     : (enum pb_missing)roll(0, 1);
	for (size_t i = 0; i < count; i++)
		make_pack(i, odd);
	return count;
}

/* What says which pack it is, and which of equal ones is named. */
static void forget_numbers(struct pb_battery *battery)
{
	struct pb_members *m = &battery->members;

	m->packs_online_set = 0;
	m->cell_min_pack = m->cell_max_pack = m->temperature_min_pack = m->temperature_max_pack = 0;
	memset(m->cell_min_name, 0, sizeof(m->cell_min_name));
	memset(m->cell_max_name, 0, sizeof(m->cell_max_name));
	memset(m->temperature_min_name, 0, sizeof(m->temperature_min_name));
	memset(m->temperature_max_name, 0, sizeof(m->temperature_max_name));
	battery->limits.charge_voltage_pack = battery->limits.charge_current_pack =
		battery->limits.discharge_current_pack = 0;
	battery->sample.cell_min_index = battery->sample.cell_max_index = 0;
	battery->sample.temperature_min_index = battery->sample.temperature_max_index = 0;
	/* of packs with equal limits, and of the string's cells, the order is that of the packs */
	battery->limits.charge_voltage_reason = battery->limits.charge_current_reason =
		battery->limits.discharge_current_reason = 0;
	memset(battery->limits.charge_voltage_text, 0, PB_NAME_MAX);
	memset(battery->limits.charge_current_text, 0, PB_NAME_MAX);
	memset(battery->limits.discharge_current_text, 0, PB_NAME_MAX);
	memset(battery->sample.cell_mv, 0, sizeof(battery->sample.cell_mv));
	battery->sample.balance_mask = 0;
	battery->status.last_error = PB_ERROR_NONE;
}

static void move_cells(struct pb_sample *s, int32_t by_mv)
{
	for (int n = 0; n < s->cell_count; n++)
		s->cell_mv[n] += roll(-by_mv, by_mv);
	pb_sample_derive(s);
}

/* Noise of a millivolt moves no value of the list by more, whichever pack it is of: packs side by
 * side differ by tens of them. The extremes are in the list. */
START_TEST(cells_do_not_flicker)
{
	enum { NOISE_MV = 1 };

	pb_random_seed(&dice, 12);
	for (int round = 0; round < 5000; round++) {
		size_t count = make_fleet(false);
		int32_t least = INT32_MAX, most = 0;

		setup = (struct pb_bank_setup){.topology = PB_TOPOLOGY_PARALLEL};
		pb_bank_compute(&setup, members, count, &bank);
		for (size_t i = 0; i < count; i++)
			move_cells(&packs[i].sample, NOISE_MV);
		pb_bank_compute(&setup, members, count, &other);
		for (int n = 0; n < 4; n++) {
			ck_assert_int_le(other.sample.cell_mv[n],
					 bank.sample.cell_mv[n] + NOISE_MV);
			ck_assert_int_ge(other.sample.cell_mv[n],
					 bank.sample.cell_mv[n] - NOISE_MV);
			if (bank.sample.cell_mv[n] < least)
				least = bank.sample.cell_mv[n];
			if (bank.sample.cell_mv[n] > most)
				most = bank.sample.cell_mv[n];
		}
		ck_assert_int_eq(least, bank.sample.cell_min_mv);
		ck_assert_int_eq(most, bank.sample.cell_max_mv);
	}
}
END_TEST

START_TEST(order_changes_nothing)
{
	pb_random_seed(&dice, 11);
	for (int round = 0; round < 5000; round++) {
		size_t count = make_fleet(true);

		memset(&bank, 0, sizeof(bank));
		memset(&other, 0, sizeof(other));
		pb_bank_compute(&setup, members, count, &bank);
		for (size_t i = count; i > 1; i--) {
			size_t n = pb_random_below(&dice, (uint32_t)i);
			struct pb_member swap = members[n];

			members[n] = members[i - 1];
			members[i - 1] = swap;
		}
		pb_bank_compute(&setup, members, count, &other);
		forget_numbers(&bank);
		forget_numbers(&other);
		ck_assert_mem_eq(&bank, &other, sizeof(bank));
	}
}
END_TEST

/* At the bank's limit, shared by capacity, no pack is beyond its own. */
START_TEST(no_pack_beyond_its_limit)
{
	int limited = 0;

	pb_random_seed(&dice, 12);
	for (int round = 0; round < 5000; round++) {
		size_t count = make_fleet(false);
		int64_t capacity = 0;

		setup.topology = PB_TOPOLOGY_PARALLEL;
		memset(&bank, 0, sizeof(bank));
		pb_bank_compute(&setup, members, count, &bank);
		for (size_t i = 0; i < count; i++)
			if (packs[i].sample.charge_fet)
				capacity += packs[i].sample.full_mah;
		for (size_t i = 0; i < count; i++) {
			const struct pb_battery *pack = &packs[i];
			int64_t part;

			if (!pack->sample.charge_fet)
				continue;
			part = bank.limits.charge_current_ma * pack->sample.full_mah / capacity;
			ck_assert_int_le(part, pack->limits.charge_current_ma + 1);
			limited += part > 0 && part >= pack->limits.charge_current_ma - 1;
		}
		if (capacity == 0)
			ck_assert_int_eq(bank.limits.charge_current_ma, 0);
	}
	ck_assert_int_gt(limited, 4000); /* and one of them is at its own */
}
END_TEST

/* Packs that cannot be in parallel allow no current; in series they may be of any kind. */
START_TEST(packs_of_two_kinds)
{
	static const struct {
		int32_t cells, mv;
		bool off, fits;
	} seconds[] = {
		{4, 13200, false, true},  {4, 12000, false, true},   {4, 11800, false, false},
		{4, 11800, true, true},	  {13, 13200, false, false}, {13, 48000, false, false},
		{13, 48000, true, false},
	};

	pb_random_seed(&dice, 3);
	for (size_t i = 0; i < PB_ARRAY_SIZE(seconds); i++) {
		make_pack(0, false);
		make_pack(1, false);
		for (size_t n = 0; n < 2; n++) {
			packs[n].sample.voltage_mv = 13200;
			packs[n].sample.charge_fet = packs[n].sample.discharge_fet = true;
			packs[n].sample.protection_mask = 0;
			packs[n].limits.charge_current_ma = 1000;
			packs[n].limits.discharge_current_ma = 1000;
		}
		packs[1].sample.voltage_mv = seconds[i].mv;
		packs[1].sample.cell_count = seconds[i].cells;
		if (seconds[i].off)
			packs[1].sample.charge_fet = packs[1].sample.discharge_fet = false;
		setup = (struct pb_bank_setup){.topology = PB_TOPOLOGY_PARALLEL};
		ck_assert(pb_bank_compute(&setup, members, 2, &bank));
		ck_assert_msg(bank.members.mixed != seconds[i].fits, "%zu", i);
		ck_assert_int_eq(bank.limits.charge_current_ma > 0, seconds[i].fits);
		ck_assert_int_eq(bank.limits.discharge_current_ma > 0, seconds[i].fits);
		ck_assert_int_eq(bank.limits.charge_allowed, seconds[i].fits);
		members[1].stale = true; /* the others go on without it */
		ck_assert(pb_bank_compute(&setup, members, 2, &bank));
		ck_assert(!bank.members.mixed && bank.limits.charge_allowed);
		setup.topology = PB_TOPOLOGY_SERIES;
		members[1].stale = false;
		ck_assert(pb_bank_compute(&setup, members, 2, &bank));
		ck_assert(!bank.members.mixed);
	}
}
END_TEST

/* 64 packs at the ends of all ranges: sums stay in the catalogue's range for banks. */
START_TEST(nothing_wraps)
{
	size_t count;
	const struct pb_field *fields = pb_fields(PB_SCOPE_BANK, &count);

	for (int high = 0; high < 2; high++) {
		for (size_t i = 0; i < PB_MEMBERS_MAX; i++) {
			packs[i] = (struct pb_battery){.status.sequence = 1};
			members[i] = (struct pb_member){.battery = &packs[i]};
			for (size_t n = 0; n < count; n++)
				for (unsigned int e = 0;
				     fields[n].kind != PB_KIND_TEXT && e < fields[n].count; e++)
					pb_field_set(&fields[n], &packs[i], e,
						     high ? fields[n].max : fields[n].min);
			packs[i].sample.protection_mask = 0;
			packs[i].sample.charge_fet = packs[i].sample.discharge_fet = true;
		}
		for (int topology = 0; topology < 2; topology++) {
			setup = (struct pb_bank_setup){.topology = (enum pb_topology)topology};
			bank = (struct pb_battery){0};
			ck_assert(pb_bank_compute(&setup, members, PB_MEMBERS_MAX, &bank));
			for (size_t n = 0; n < count; n++) {
				int64_t value, least, most;

				if (!fields[n].data || fields[n].kind == PB_KIND_TEXT ||
				    fields[n].indexed ||
				    !pb_field_get(&fields[n], &bank, 0, &value))
					continue;
				pb_field_range(&fields[n], PB_SCOPE_BANK, &least, &most);
				ck_assert_msg(value >= least && value <= most,
					      "%s: %lld, expected %lld to %lld", fields[n].name,
					      (long long)value, (long long)least, (long long)most);
			}
		}
	}
}
END_TEST

START_TEST(a_bank_of_one_is_the_pack)
{
	pb_random_seed(&dice, 13);
	for (int round = 0; round < 2000; round++) {
		size_t count;
		const struct pb_field *fields = pb_fields(PB_SCOPE_BANK, &count);

		make_pack(0, false);
		setup = (struct pb_bank_setup){.topology = (enum pb_topology)roll(0, 1)};
		bank = (struct pb_battery){0};
		ck_assert(pb_bank_compute(&setup, members, 1, &bank));
		for (size_t n = 0; n < count; n++) {
			int64_t is, was;

			if (!fields[n].data || fields[n].indexed ||
			    fields[n].kind == PB_KIND_TEXT || strstr(fields[n].name, "_pack") ||
			    strstr(fields[n].name, "reason") ||
			    !pb_field_get(&fields[n], &bank, 0, &is) ||
			    !pb_field_get(&fields[n], &packs[0], 0, &was))
				continue;
			/* a rated power is made of an energy that is rounded to 1 mWh */
			if (fields[n].uom == PB_UOM_MW && strstr(fields[n].name, "_max_") &&
			    llabs(is - was) == 1)
				continue;
			ck_assert_msg(is == was, "%s: %lld, expected %lld", fields[n].name,
				      (long long)is, (long long)was);
		}
	}
}
END_TEST

/* Which pack sets the charge voltage, numbered in the bank whether the packs before it count or
 * not. */
START_TEST(pack_behind_the_charge_voltage)
{
	const int32_t lowest_mv = 13000;

	pb_random_seed(&dice, 15);
	setup = (struct pb_bank_setup){.topology = PB_TOPOLOGY_PARALLEL};
	for (size_t lowest = 0; lowest < 3; lowest++) {
		for (size_t i = 0; i < 3; i++) {
			make_pack(i, false);
			packs[i].sample.charge_fet = packs[i].sample.discharge_fet = true;
			packs[i].limits.charge_voltage_mv = lowest_mv + (i == lowest ? 0 : 500);
		}
		members[(lowest + 1) % 3].stale = true;
		ck_assert(pb_bank_compute(&setup, members, 3, &bank));
		ck_assert_int_eq(bank.limits.charge_voltage_mv, lowest_mv);
		ck_assert_int_eq(bank.limits.charge_voltage_pack, (int)lowest + 1);
	}
}
END_TEST

START_TEST(missing_packs)
{
	pb_random_seed(&dice, 14);
	for (size_t i = 0; i < 3; i++)
		make_pack(i, false);
	members[1].stale = true;
	packs[1].status.last_error = PB_ERROR_TIMEOUT;
	setup = (struct pb_bank_setup){.missing = PB_MISSING_EXCLUDE};
	ck_assert(pb_bank_compute(&setup, members, 3, &bank));
	ck_assert_int_eq(bank.members.packs_online, 2);
	ck_assert_int_eq(bank.members.packs_stale, 1);
	ck_assert_uint_eq(bank.members.packs_online_set, 5);
	ck_assert(!bank.members.charge_all);
	ck_assert_int_eq(bank.sample.full_mah, packs[0].sample.full_mah + packs[2].sample.full_mah);
	ck_assert_int_eq(bank.status.last_error, PB_ERROR_TIMEOUT);
	ck_assert_int_eq(pb_bank_quality(&setup, members, 3), PB_QUALITY_GOOD);
	setup.missing = PB_MISSING_FAULT;
	ck_assert(!pb_bank_compute(&setup, members, 3, &bank));
	ck_assert_uint_eq(bank.sample.has, 0);
	ck_assert_int_eq(pb_bank_quality(&setup, members, 3), PB_QUALITY_LOST);
	ck_assert_int_eq(bank.members.packs_online, 2);
	ck_assert_str_eq(bank.limits.charge_current_text, "no reading");
	members[0].stale = members[2].stale = true;
	setup.missing = PB_MISSING_EXCLUDE;
	ck_assert(!pb_bank_compute(&setup, members, 3, &bank));
}
END_TEST

START_TEST(merged_alarms)
{
	make_pack(0, false);
	make_pack(1, false);
	bank = (struct pb_battery){0};
	bank.alarms.level[PB_ALARM_SOC_LOW] = PB_LEVEL_ALARM;
	packs[0].alarms.level[PB_ALARM_CELL_HIGH] = PB_LEVEL_WARNING;
	packs[1].alarms.level[PB_ALARM_CELL_HIGH] = PB_LEVEL_ALARM;
	packs[1].alarms.level[PB_ALARM_SILENT] = PB_LEVEL_ALARM;
	pb_bank_alarms(members, 2, &bank);
	ck_assert_int_eq(bank.alarms.level[PB_ALARM_CELL_HIGH], PB_LEVEL_ALARM);
	ck_assert_int_eq(bank.alarms.level[PB_ALARM_SILENT], PB_LEVEL_WARNING);
	ck_assert_uint_eq(bank.alarms.alarms, 1 << PB_ALARM_CELL_HIGH | 1 << PB_ALARM_SOC_LOW);
	ck_assert_int_eq(bank.alarms.severity, PB_LEVEL_ALARM);
}
END_TEST

/* Side by side the cell that is not normal speaks; in a string each cell has its place. */
START_TEST(cell_states)
{
	for (int i = 0; i < 2; i++) {
		make_pack((size_t)i, false);
		packs[i].sample.cell_count = 3;
	}
	packs[0].alarms.cell[1] = PB_NORMAL_LOW;
	packs[1].alarms.cell[1] = PB_NORMAL_UNKNOWN;
	packs[1].alarms.cell[2] = PB_NORMAL_HIGH;
	bank = (struct pb_battery){.members.packs_series = 1, .alarms.cell_has = 0x7};
	pb_bank_alarms(members, 2, &bank);
	ck_assert_int_eq(bank.alarms.cell[0], PB_NORMAL);
	ck_assert_int_eq(bank.alarms.cell[1], PB_NORMAL_LOW);
	ck_assert_int_eq(bank.alarms.cell[2], PB_NORMAL_HIGH);
	packs[0].alarms.cell[1] = PB_NORMAL;
	pb_bank_alarms(members, 2, &bank);
	ck_assert_int_eq(bank.alarms.cell[1], PB_NORMAL_UNKNOWN);
	bank = (struct pb_battery){.members.packs_series = 2, .alarms.cell_has = 0x3F};
	pb_bank_alarms(members, 2, &bank);
	ck_assert_int_eq(bank.alarms.cell[4], PB_NORMAL_UNKNOWN);
	ck_assert_int_eq(bank.alarms.cell[5], PB_NORMAL_HIGH);
	ck_assert_int_eq(bank.alarms.cell[2], PB_NORMAL);
	ck_assert_uint_eq(bank.alarms.temperature_has, 0);
	pb_battery_mark(&bank, PB_HAS_TEMPERATURE_PACKS);
	bank.members.temperature_max_pack = 2;
	bank.sample.temperature_max_index = 3;
	bank.members.temperature_min_pack = bank.sample.temperature_min_index = 1;
	packs[1].alarms.temperature[2] = PB_NORMAL_HIGH;
	packs[0].alarms.temperature[0] = PB_NORMAL_LOW;
	pb_bank_alarms(members, 2, &bank);
	ck_assert_uint_eq(bank.alarms.temperature_has, 0x3);
	ck_assert_int_eq(bank.alarms.temperature[0], PB_NORMAL_HIGH);
	ck_assert_int_eq(bank.alarms.temperature[1], PB_NORMAL_LOW);
	members[1].stale = true;
	pb_bank_alarms(members, 2, &bank);
	ck_assert_int_eq(bank.alarms.cell[5], PB_NORMAL);
}
END_TEST

int main(void)
{
	TCase *tcase = tcase_create("bank");

	tcase_add_test(tcase, cells_do_not_flicker);
	tcase_add_test(tcase, order_changes_nothing);
	tcase_add_test(tcase, no_pack_beyond_its_limit);
	tcase_add_test(tcase, packs_of_two_kinds);
	tcase_add_test(tcase, nothing_wraps);
	tcase_add_test(tcase, a_bank_of_one_is_the_pack);
	tcase_add_test(tcase, pack_behind_the_charge_voltage);
	tcase_add_test(tcase, missing_packs);
	tcase_add_test(tcase, merged_alarms);
	tcase_add_test(tcase, cell_states);
	return pb_run_suite("bank/bank", tcase);
}
