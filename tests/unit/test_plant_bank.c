/* SPDX-License-Identifier: MIT */
/* A bank whose packs come and go, in simulated time. */
#include "plant_bench.h"
#include "suite.h"

static void setup(void)
{
	bench_setup();
	bench.of = "all";
}

/* Of two packs that share a bank, the first cannot be charged. */
static struct pb_sample full(void)
{
	struct pb_sample sample = bench_sample();

	sample.protection_mask = 1 << PB_PROTECT_CELL_OVERVOLTAGE;
	return sample;
}

/* The first pack can't be charged, the second one can: the bank never was "no more". */
START_TEST(packs_come_one_by_one)
{
	bench_read(PACK_A, full());
	bench_read(PACK_B, bench_sample());
	bench_wait(1000);
	bench_read(PACK_A, full());
	ck_assert_msg(bench.lines == 0, "%s", bench_last());
	ck_assert_int_eq(bench_battery(BANK_ALL)->members.packs_online, 2);
}
END_TEST

/* The deadline finds it, no reading has to come. */
START_TEST(a_pack_is_lost_and_comes_back)
{
	bench_read_all();
	bench_wait(5000);
	bench_read(PACK_B, bench_sample());
	bench_wait(9999);
	ck_assert_uint_eq(bench.lines, 0);
	bench_wait(1);
	ck_assert_uint_eq(bench.lines, 1);
	ck_assert_str_eq(bench_last(), "bank all: 1 of 2 packs with a good reading");
	ck_assert_int_eq(bench.line[0].level, PB_LOG_WARNING);
	ck_assert(bench.line[0].bank);
	ck_assert_int_eq(bench.line[0].unit, 3);
	bench_read(PACK_B, bench_sample());
	ck_assert_uint_eq(bench.lines, 1);
	bench_read(PACK_A, bench_sample());
	ck_assert_uint_eq(bench.lines, 2);
	ck_assert_str_eq(bench_last(), "bank all: all 2 packs with a good reading");
	ck_assert_int_eq(bench.line[1].level, PB_LOG_INFO);
}
END_TEST

/* One that is not there at the start: noted as soon as that is known. */
START_TEST(a_pack_is_missing_from_the_start)
{
	bench_read(PACK_A, bench_sample());
	ck_assert_uint_eq(bench.lines, 0);
	bench_fail(PACK_B, PB_ERROR_CONNECT);
	ck_assert_uint_eq(bench.lines, 1);
	ck_assert_str_eq(bench_last(), "bank all: 1 of 2 packs with a good reading");
}
END_TEST

/* Its packs may have been read: that does not make a reading of it. */
START_TEST(never_read)
{
	bench_read(PACK_A, bench_sample());
	ck_assert_int_eq(bench_battery(BANK_ALL)->quality, PB_QUALITY_GOOD);
	ck_assert_int_eq(bench_battery(BANK_STRICT)->quality, PB_QUALITY_NEVER);
	ck_assert_uint_eq(bench_battery(BANK_STRICT)->age_s, 65535);
	bench_read(PACK_B, bench_sample());
	ck_assert_int_eq(bench_battery(BANK_STRICT)->quality, PB_QUALITY_GOOD);
	bench.now_ms += 16000; /* the deadline is late */
	ck_assert_int_eq(bench_battery(BANK_STRICT)->quality, PB_QUALITY_STALE);
	bench_fail(PACK_A, PB_ERROR_CONNECT);
	bench_fail(PACK_B, PB_ERROR_CONNECT);
	ck_assert_int_eq(bench_battery(BANK_STRICT)->quality, PB_QUALITY_LOST);
	ck_assert_uint_eq(bench_battery(BANK_STRICT)->age_s, 16);
}
END_TEST

/* One for each reading of a pack that makes a reading of the bank; 0 is left out. */
START_TEST(sequence)
{
	bench_read(PACK_A, bench_sample());
	ck_assert_uint_eq(bench_battery(BANK_ALL)->status.sequence, 1);
	ck_assert_uint_eq(bench_battery(BANK_STRICT)->status.sequence, 0);
	bench_read(PACK_B, bench_sample());
	ck_assert_uint_eq(bench_battery(BANK_ALL)->status.sequence, 2);
	ck_assert_uint_eq(bench_battery(BANK_STRICT)->status.sequence, 1);
	bench_fail(PACK_B, PB_ERROR_CONNECT);
	ck_assert_uint_eq(bench_battery(BANK_STRICT)->status.sequence, 1);
	for (int i = 2; i < 65535; i++)
		bench_read(PACK_A, bench_sample());
	ck_assert_uint_eq(bench_battery(BANK_ALL)->status.sequence, 65535);
	bench_read(PACK_A, bench_sample());
	ck_assert_uint_eq(bench_battery(BANK_ALL)->status.sequence, 1);
}
END_TEST

/* Each alarm of a pack, the BMS's own as well. */
START_TEST(alarms_of_its_packs)
{
	struct pb_plant_alarm alarm;
	const struct pb_battery *bank = bench_battery(BANK_ALL);

	bench_read(PACK_A, full());
	ck_assert_int_eq(bank->alarms.level[PB_ALARM_PROTECTION], PB_LEVEL_ALARM);
	ck_assert_int_eq(bank->alarms.worst[PB_ALARM_CELL_HIGH], PB_LEVEL_ALARM);
	ck_assert_int_eq(bank->alarms.severity, PB_LEVEL_ALARM);
	bench_wait(10000);
	bench_read(PACK_A, full());
	bench_wait(1000);
	bench_read(PACK_B, bench_sample());
	ck_assert_uint_eq(bench_battery(PACK_A)->unchanged_s, 10);
	ck_assert_uint_eq(bank->unchanged_s, 10);
	ck_assert(pb_plant_alarm(bench.plant, BANK_ALL, PB_ALARM_PROTECTION, &alarm));
	ck_assert_int_eq(alarm.level, PB_LEVEL_ALARM);
	ck_assert_uint_eq(alarm.since_ms, bench.start_ms + 500);
	ck_assert_str_eq(alarm.text, "cell over-voltage");
}
END_TEST

/* An alarm of a bank that is one pack's alone says which. */
START_TEST(whose_alarm)
{
	struct pb_sample empty = bench_sample();
	struct pb_plant_alarm alarm;

	empty.soc_permille = 50;
	bench_read(PACK_A, bench_sample());
	bench_read(PACK_B, empty);
	ck_assert(pb_plant_alarm(bench.plant, BANK_ALL, PB_ALARM_SOC_LOW, &alarm));
	ck_assert_str_eq(alarm.pack, "b");
	ck_assert_str_eq(alarm.text, "5.0 %");
	ck_assert_uint_eq(alarm.since_ms, bench.now_ms);
	ck_assert(pb_plant_alarm(bench.plant, PACK_B, PB_ALARM_SOC_LOW, &alarm));
	ck_assert_ptr_null(alarm.pack);
	ck_assert(!pb_plant_alarm(bench.plant, PACK_A, PB_ALARM_SOC_LOW, &alarm));
	bench_read(PACK_A, empty); /* of several packs the first is named */
	ck_assert(pb_plant_alarm(bench.plant, BANK_ALL, PB_ALARM_SOC_LOW, &alarm));
	ck_assert_str_eq(alarm.pack, "a");
}
END_TEST

/* The packs have been read, so it is known from now on that they do not fit together. */
START_TEST(packs_of_two_kinds)
{
	struct pb_sample three = bench_sample();

	three.cell_count = 3;
	bench_read(PACK_A, bench_sample());
	bench_read(PACK_B, three);
	ck_assert_uint_eq(bench.lines, 1);
	ck_assert_str_eq(
		bench_last(),
		"bank all: packs in parallel differ in cells or voltage: no current is allowed");
	ck_assert_int_eq(bench.line[0].level, PB_LOG_ERR);
	ck_assert(!bench_battery(BANK_ALL)->limits.discharge_allowed);
	bench_read(PACK_B, three);
	ck_assert_uint_eq(bench.lines, 1);
	bench_read(PACK_B, bench_sample());
	ck_assert_uint_ge(bench.lines, 2);
	ck_assert_str_eq(bench.line[1].text, "bank all: packs have one voltage again");
}
END_TEST

/* Notes of different kinds are no repetition of each other, though all come in one minute. */
START_TEST(all_in_one_minute)
{
	struct pb_sample sample = bench_sample();

	bench.alarms[BANK_ALL].rules[PB_ALARM_PROTECTION] =
		bench.alarms[BANK_ALL].rules[PB_ALARM_SOC_LOW] =
			(struct pb_alarm_rule){.has_alarm = true, .alarm = 0};
	bench_read(PACK_A, sample);
	bench_read(PACK_B, sample);
	ck_assert_uint_eq(bench.lines, 0);
	sample.charge_fet = false;
	bench_read(PACK_A, sample);
	bench_read(PACK_B, sample);
	sample.discharge_fet = false;
	bench_read(PACK_A, sample);
	bench_read(PACK_B, sample);
	ck_assert_uint_eq(bench.lines, 2);
	ck_assert_uint_eq(bench_lines("bank all: no more charging: no pack takes part"), 1);
	ck_assert_uint_eq(bench_lines("bank all: no more discharging: no pack takes part"), 1);
	for (int i = 0; i < PB_PROTECT_COUNT; i++) {
		if (i == PB_PROTECT_FET_LOCKED)
			continue;
		sample.protection_mask |= UINT32_C(1) << i;
		bench_read(PACK_A, sample);
	}
	ck_assert_uint_eq(bench.lines, 2 + PB_PROTECT_COUNT - 1);
	sample.cell_count = 3;
	bench_read(PACK_A, sample);
	ck_assert_uint_eq(bench.lines, 3 + PB_PROTECT_COUNT - 1);
	bench_wait(14000);
	bench_read(PACK_A, sample);
	bench_wait(1000);
	ck_assert_uint_eq(bench_lines("bank all: 1 of 2 packs with a good reading"), 1);
	ck_assert_uint_eq(bench_lines("bank all: packs have one voltage again"), 1);
	sample = bench_sample();
	bench_read(PACK_B, sample);
	ck_assert_uint_eq(bench_lines("bank all: all 2 packs with a good reading"), 1);
	bench_read(PACK_A, sample);
	ck_assert_uint_eq(bench_lines("bank all: protection is over"), 1);
}
END_TEST

int main(void)
{
	TCase *tcase = tcase_create("bank");

	tcase_add_checked_fixture(tcase, setup, bench_teardown);
	tcase_add_test(tcase, packs_come_one_by_one);
	tcase_add_test(tcase, a_pack_is_lost_and_comes_back);
	tcase_add_test(tcase, a_pack_is_missing_from_the_start);
	tcase_add_test(tcase, never_read);
	tcase_add_test(tcase, sequence);
	tcase_add_test(tcase, alarms_of_its_packs);
	tcase_add_test(tcase, whose_alarm);
	tcase_add_test(tcase, packs_of_two_kinds);
	tcase_add_test(tcase, all_in_one_minute);
	return pb_run_suite("plant/bank", tcase);
}
