/* SPDX-License-Identifier: MIT */
/*
 * Random fleets and what room bank makes of them, one JSON object a line, for fleets.py, which
 * computes the same on its own. Usage: fleets COUNT SEED
 */
#include "packbridge/bank.h"
#include "packbridge/base.h"
#include "packbridge/model/field.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct pb_random dice;

static int32_t roll(int32_t min, int32_t max)
{
	return min + (int32_t)pb_random_below(&dice, (uint32_t)(max - min) + 1);
}

static bool chance(uint32_t percent)
{
	return pb_random_below(&dice, 100) < percent;
}

/* Most fleets are of packs that may stand side by side. 0: each pack as it falls. */
static int32_t of_cells, of_mv;

static void fill_cells(struct pb_sample *s)
{
	s->cell_count = of_cells ? of_cells : roll(1, 24);
	for (int i = 0; i < s->cell_count; i++) {
		s->cell_mv[i] = roll(2500, 3700);
		s->cell_has |= UINT64_C(1) << i;
	}
	s->has |= PB_HAS(PB_HAS_CELLS);
	s->temperature_count = roll(0, 4);
	for (int i = 0; i < s->temperature_count; i++) {
		s->temperature_mc[i] = roll(-15000, 60000);
		s->temperature_has |= (uint64_t)chance(90) << i;
	}
	s->has |= PB_HAS(PB_HAS_TEMPERATURES);
}

static void fill(struct pb_battery *pack, uint32_t lacks_percent)
{
	struct pb_sample *s = &pack->sample;

	s->voltage_mv = of_mv ? roll(of_mv - of_mv / 15, of_mv) : roll(0, 600000);
	s->current_ma = chance(10) ? roll(-120, 120) : roll(-4000000, 4000000);
	s->soc_permille = roll(0, 1000);
	s->soh_permille = roll(0, 1000);
	s->nominal_mah = roll(0, 10000000);
	s->full_mah = chance(5) ? 0 : roll(0, 10000000);
	s->remaining_mah = roll(0, 10000000);
	s->cycles = roll(0, 65534);
	s->balance_mask = chance(50) ? pb_random_next(&dice) & 0xFFFFFF : 0;
	s->protection_mask = chance(70) ? 0 : pb_random_next(&dice) & 0x7FFF;
	s->charge_fet = chance(80);
	s->discharge_fet = chance(80);
	for (int i = 0; i < PB_HAS_CELLS; i++)
		if (!chance(lacks_percent))
			s->has |= PB_HAS(i);
	s->has &= ~PB_HAS(PB_HAS_POWER);
	if (!chance(lacks_percent))
		fill_cells(s);
	if (!chance(lacks_percent))
		pb_battery_mark(pack, PB_HAS_UNCHANGED);
	pack->unchanged_s = (uint16_t)roll(0, 65534);
	pb_sample_derive(s);
	pack->status = (struct pb_status){
		.sequence = (uint16_t)roll(0, 3),
		.connected = chance(80),
		.sampled_ms = pb_random_next(&dice),
		.stale_after_s = (uint32_t)roll(15, 60),
		.polls = pb_random_next(&dice),
		.failures = pb_random_next(&dice),
		.connect_failures = pb_random_next(&dice),
		.last_error = (enum pb_error)roll(0, PB_ERROR_COUNT - 1),
	};
}

static void judge(struct pb_battery *pack, bool old)
{
	struct pb_limit_setup limits;
	struct pb_alarm_setup alarms;
	struct pb_limit_state limit_state = {0};
	struct pb_alarm_state alarm_state = {0};
	uint64_t next_ms;

	pb_limit_preset(&limits, (enum pb_chemistry)roll(0, PB_CHEMISTRY_COUNT - 1));
	pb_alarm_preset(&alarms, PB_CHEMISTRY_LIFEPO4);
	limits.charge_max_ma = chance(50) ? roll(1, 4000000) : 0;
	limits.discharge_max_ma = chance(50) ? roll(1, 4000000) : 0;
	limits.by_switch = chance(80);
	limits.by_protection = chance(80);
	if (chance(60)) /* else nearly every pack stands at 0 */
		limits.charge_by_cell.count = limits.discharge_by_cell.count =
			limits.charge_by_temperature.count = limits.discharge_by_temperature.count =
				0;
	for (int i = 0; i < PB_ALARM_COUNT; i++)
		alarms.rules[i].delay_s = 0;
	pb_bank_single(pack, old);
	pb_limit_step(&limits, &limit_state, pack, old, 1000);
	pb_alarm_step(&alarms, &alarm_state, pack, old, 1000, &next_ms);
}

static void print_battery(const struct pb_battery *battery)
{
	size_t count;
	const struct pb_field *fields = pb_fields(PB_SCOPE_BANK, &count);
	const char *comma = "";

	putchar('{');
	for (size_t i = 0; i < count; i++) {
		int64_t value;

		if (fields[i].kind == PB_KIND_TEXT)
			continue;
		printf("%s\"%s\":%s", comma, fields[i].name, fields[i].indexed ? "[" : "");
		for (unsigned int n = 0; n < fields[i].count; n++) {
			if (pb_field_get(&fields[i], battery, n, &value))
				printf("%s%lld", n ? "," : "", (long long)value);
			else
				printf("%snull", n ? "," : "");
		}
		fputs(fields[i].indexed ? "]" : "", stdout);
		comma = ",";
	}
	printf(",\"sampled_ms\":%llu}", (unsigned long long)battery->status.sampled_ms);
}

static void print_fleet(void)
{
	static struct pb_battery packs[PB_MEMBERS_MAX], bank;
	struct pb_member members[PB_MEMBERS_MAX];
	size_t count = (size_t)(chance(90) ? roll(1, 5) : roll(1, PB_MEMBERS_MAX));
	struct pb_bank_setup setup = {
		.topology = (enum pb_topology)roll(0, 1),
		.charge_max_ma = chance(30) ? roll(1, 8000000) : 0,
		.discharge_max_ma = chance(30) ? roll(1, 8000000) : 0,
	};
	uint32_t lacks_percent = chance(50) ? 0 : 5, old_percent = chance(50) ? 0 : 30;
	bool reading;

	setup.missing = setup.topology == PB_TOPOLOGY_SERIES ? PB_MISSING_FAULT
							     : (enum pb_missing)roll(0, 1);
	of_cells = chance(80) ? roll(1, 24) : 0;
	of_mv = chance(80) ? roll(0, 600000) : 0;
	for (size_t i = 0; i < count; i++) {
		packs[i] = (struct pb_battery){0};
		members[i] = (struct pb_member){&packs[i], chance(old_percent)};
		fill(&packs[i], lacks_percent);
		judge(&packs[i], members[i].stale);
	}
	bank = (struct pb_battery){0};
	reading = pb_bank_compute(&setup, members, count, &bank);
	pb_bank_alarms(members, count, &bank);
	bank.quality = pb_bank_quality(&setup, members, count);
	printf("{\"series\":%d,\"fault\":%d,\"charge_max_ma\":%d,\"discharge_max_ma\":%d,"
	       "\"reading\":%d,\"old\":[",
	       setup.topology == PB_TOPOLOGY_SERIES, setup.missing == PB_MISSING_FAULT,
	       setup.charge_max_ma, setup.discharge_max_ma, reading);
	for (size_t i = 0; i < count; i++)
		printf("%s%d", i ? "," : "", members[i].stale);
	fputs("],\"packs\":[", stdout);
	for (size_t i = 0; i < count; i++) {
		fputs(i ? "," : "", stdout);
		print_battery(&packs[i]);
	}
	fputs("],\"bank\":", stdout);
	print_battery(&bank);
	puts("}");
}

int main(int argc, char **argv)
{
	long count = argc > 1 ? strtol(argv[1], NULL, 10) : 1;

	pb_random_seed(&dice, argc > 2 ? strtoull(argv[2], NULL, 10) : 1);
	for (long i = 0; i < count; i++)
		print_fleet();
	return ferror(stdout) ? EXIT_FAILURE : EXIT_SUCCESS;
}
