/* SPDX-License-Identifier: MIT */
/* What time alone changes, and what the plant asks to be called for. */
#include "plant_bench.h"
#include "suite.h"

#include <errno.h>

/* ---- the deadline ---- */

/* Without a reading, silence is the first that time brings. */
START_TEST(silence_is_due)
{
	ck_assert_uint_eq(bench.deadline_ms, bench.now_ms + 30000);
	bench_wait(29999);
	ck_assert_uint_eq(bench.lines, 0);
	bench_wait(1);
	ck_assert_uint_eq(bench.lines, 4);
	ck_assert_uint_eq(bench_lines("pack a: warning: silent, no reading"), 1);
	ck_assert_uint_eq(bench_lines("bank all: warning: silent, no reading"), 1);
	bench_wait(89999);
	ck_assert_uint_eq(bench.lines, 4);
	bench_wait(1);
	ck_assert_uint_eq(bench_lines("pack a: ALARM: silent, no reading"), 1);
	ck_assert_uint_eq(bench.deadline_ms, UINT64_MAX);
}
END_TEST

/* A value that is beyond its limit has to be so for 5 s: no reading has to tell that they are over.
 */
START_TEST(delay_is_due)
{
	struct pb_sample high = bench_sample();

	high.cell_mv[2] = 3640;
	bench_read(PACK_A, high);
	ck_assert_uint_eq(bench.deadline_ms, bench.now_ms + 5000);
	bench_wait(4999);
	ck_assert_uint_eq(bench.lines, 0);
	bench_wait(1);
	ck_assert_uint_eq(bench.lines, 1);
	ck_assert_str_eq(bench_last(), "pack a: warning: cell_high, cell 3 at 3.640 V");
	ck_assert_int_eq(bench_battery(BANK_ALL)->alarms.severity, PB_LEVEL_WARNING);
}
END_TEST

/* A reading is stale by the deadline, whether its reader hands that up or not. */
START_TEST(stale_is_due)
{
	bench_read(PACK_A, bench_sample());
	ck_assert_uint_eq(bench.deadline_ms, bench.now_ms + 1000 * STALE_S);
	ck_assert(bench_battery(PACK_A)->limits.charge_allowed);
	bench_wait(1000 * STALE_S - 1);
	ck_assert(bench_battery(PACK_A)->limits.charge_allowed);
	ck_assert_int_eq(bench_battery(PACK_A)->quality, PB_QUALITY_GOOD);
	bench_wait(1);
	ck_assert(!bench_battery(PACK_A)->limits.charge_allowed);
	ck_assert_int_eq(bench_battery(PACK_A)->members.packs_stale, 1);
	ck_assert_int_eq(bench_battery(PACK_A)->quality, PB_QUALITY_STALE);
	ck_assert_int_eq(bench_battery(BANK_ALL)->quality, PB_QUALITY_STALE);
	ck_assert_uint_gt(bench.deadline_ms, bench.now_ms);
}
END_TEST

START_TEST(too_early_does_no_harm)
{
	uint64_t deadline_ms;

	bench_read(PACK_A, bench_sample());
	deadline_ms = bench.deadline_ms;
	for (int i = 0; i < 10; i++) {
		bench.now_ms += 100;
		bench_step((struct pb_plant_event){.type = PB_PLANT_TIME});
		ck_assert_uint_eq(bench.deadline_ms, deadline_ms);
	}
	ck_assert_uint_eq(bench.lines, 0);
}
END_TEST

/* However late it is called, all of it happens, in one step. */
START_TEST(too_late)
{
	bench_read_all();
	bench.now_ms += 3600 * 1000;
	bench_step((struct pb_plant_event){.type = PB_PLANT_TIME});
	ck_assert_int_eq(bench_battery(PACK_A)->members.packs_stale, 1);
	ck_assert_uint_eq(bench_lines("bank all: 0 of 2 packs with a good reading"), 1);
	ck_assert_uint_gt(bench.deadline_ms, bench.now_ms);
}
END_TEST

/* ---- a request ---- */

/* It sees at once that the bank has lost a pack; the notes and the alarms come with the step. */
START_TEST(bank_at_a_request)
{
	uint64_t deadline_ms;

	bench_read(PACK_A, bench_sample());
	bench.now_ms += 5000;
	bench_read(PACK_B, bench_sample());
	deadline_ms = bench.deadline_ms;
	bench.now_ms += 10000;
	ck_assert_int_eq(bench_battery(BANK_ALL)->members.packs_online, 1);
	ck_assert_int_eq(bench_battery(BANK_ALL)->quality, PB_QUALITY_GOOD);
	ck_assert_int_eq(bench_battery(BANK_STRICT)->quality, PB_QUALITY_STALE);
	ck_assert_int_eq(bench_battery(PACK_A)->quality, PB_QUALITY_STALE);
	ck_assert_uint_eq(bench.lines, 0);
	ck_assert_uint_eq(deadline_ms, bench.now_ms);
	bench_step((struct pb_plant_event){.type = PB_PLANT_TIME});
	ck_assert_uint_eq(bench_lines("bank all: 1 of 2 packs with a good reading"), 1);
	ck_assert_uint_eq(bench_lines("bank strict: 1 of 2 packs with a good reading"), 1);
	bench.now_ms += 5000;
	ck_assert_int_eq(bench_battery(BANK_ALL)->quality, PB_QUALITY_STALE);
	ck_assert_int_eq(bench_battery(BANK_ALL)->members.packs_online, 0);
}
END_TEST

/* A pack that was the only one to be discharged turns stale: a request that sees it first takes
 * nothing from the note. */
START_TEST(limits_of_a_bank_at_a_request)
{
	struct pb_sample empty = bench_sample();

	empty.discharge_fet = false;
	bench.of = "all";
	bench_read(PACK_A, bench_sample());
	bench.now_ms += 5000;
	bench_read(PACK_B, empty);
	ck_assert(bench_battery(BANK_ALL)->limits.discharge_allowed);
	bench.now_ms += 10000;
	ck_assert(!bench_battery(BANK_ALL)->limits.discharge_allowed);
	bench_step((struct pb_plant_event){.type = PB_PLANT_TIME});
	ck_assert_uint_eq(bench_lines("bank all: no more discharging: no pack takes part"), 1);
}
END_TEST

/* ---- a step touches what it is about ---- */

START_TEST(one_pack_and_its_banks)
{
	static const size_t only_a[] = {PACK_A};
	struct pb_battery b, strict;

	bench.setup[BANK_ALL].packs = only_a;
	bench.setup[BANK_ALL].pack_count = 1;
	bench_reload();
	bench_read_all();
	b = *bench_battery(PACK_B);
	ck_assert_uint_eq(bench_battery(BANK_ALL)->status.sequence, 1);
	ck_assert_uint_eq(bench_battery(BANK_STRICT)->status.sequence, 1);
	strict = *bench_battery(BANK_STRICT);
	bench_read(PACK_A, bench_sample());
	ck_assert_mem_eq(bench_battery(PACK_B), &b, sizeof(b));
	ck_assert_uint_eq(bench_battery(BANK_ALL)->status.sequence, 2);
	ck_assert_uint_eq(bench_battery(BANK_STRICT)->status.sequence, strict.status.sequence + 1);
}
END_TEST

/* ---- reset ---- */

static void latch_both(void)
{
	struct pb_sample fault = bench_sample();

	bench.alarms[PACK_A].latch = bench.alarms[PACK_B].latch = true;
	fault.protection_mask = 1 << PB_PROTECT_SHORT_CIRCUIT;
	bench_read(PACK_A, fault);
	bench_read(PACK_B, fault);
	bench_read_all();
	ck_assert_int_eq(bench_battery(PACK_A)->alarms.severity, PB_LEVEL_ALARM);
	ck_assert_int_eq(bench_battery(PACK_B)->alarms.severity, PB_LEVEL_ALARM);
	ck_assert_int_eq(bench_battery(BANK_ALL)->alarms.severity, PB_LEVEL_ALARM);
}

START_TEST(reset_one)
{
	latch_both();
	ck_assert_int_eq(pb_plant_find(bench.plant, "b"), PACK_B);
	bench_step((struct pb_plant_event){.type = PB_PLANT_RESET, .battery = PACK_B});
	ck_assert_int_eq(bench_battery(PACK_A)->alarms.severity, PB_LEVEL_ALARM);
	ck_assert_int_eq(bench_battery(PACK_B)->alarms.severity, PB_LEVEL_NONE);
	ck_assert_int_eq(bench_battery(BANK_ALL)->alarms.severity, PB_LEVEL_ALARM);
	bench_step((struct pb_plant_event){.type = PB_PLANT_RESET, .battery = PACK_A});
	ck_assert_int_eq(bench_battery(BANK_ALL)->alarms.severity, PB_LEVEL_NONE);
}
END_TEST

START_TEST(reset_all)
{
	latch_both();
	bench_step((struct pb_plant_event){.type = PB_PLANT_RESET, .battery = PB_PLANT_ALL});
	ck_assert_int_eq(bench_battery(PACK_A)->alarms.severity, PB_LEVEL_NONE);
	ck_assert_int_eq(bench_battery(PACK_B)->alarms.severity, PB_LEVEL_NONE);
	ck_assert_int_eq(bench_battery(BANK_ALL)->alarms.severity, PB_LEVEL_NONE);
	ck_assert_uint_eq(bench_lines("pack a: protection is over"), 1);
	ck_assert_int_eq(bench_battery(BANK_ALL)->members.packs, 2);
	ck_assert_int_eq(pb_plant_find(bench.plant, "c"), -ENOENT);
}
END_TEST

/* ---- the whole plant in a line ---- */

static void check_summary(size_t good, size_t alarms)
{
	struct pb_plant_summary summary = pb_plant_summary(bench.plant);

	ck_assert_uint_eq(summary.packs, 2);
	ck_assert_uint_eq(summary.good, good);
	ck_assert_uint_eq(summary.alarms, alarms);
}

START_TEST(summary)
{
	struct pb_sample fault = bench_sample();

	check_summary(0, 0);
	bench_read(PACK_A, bench_sample());
	check_summary(1, 0);
	fault.protection_mask = 1 << PB_PROTECT_SHORT_CIRCUIT;
	bench_read(PACK_B, fault);
	check_summary(2, 1);
	bench_wait(14000);
	bench_read(PACK_A, bench_sample());
	bench_wait(1000);
	check_summary(1, 1);
	bench_read(PACK_B, bench_sample());
	check_summary(2, 0);
	bench_wait(120000 + 15000);
	check_summary(0, 2);
}
END_TEST

int main(void)
{
	TCase *tcase = tcase_create("time");

	tcase_add_checked_fixture(tcase, bench_setup, bench_teardown);
	tcase_add_test(tcase, silence_is_due);
	tcase_add_test(tcase, delay_is_due);
	tcase_add_test(tcase, stale_is_due);
	tcase_add_test(tcase, too_early_does_no_harm);
	tcase_add_test(tcase, too_late);
	tcase_add_test(tcase, bank_at_a_request);
	tcase_add_test(tcase, limits_of_a_bank_at_a_request);
	tcase_add_test(tcase, one_pack_and_its_banks);
	tcase_add_test(tcase, reset_one);
	tcase_add_test(tcase, reset_all);
	tcase_add_test(tcase, summary);
	return pb_run_suite("plant/time", tcase);
}
