/* SPDX-License-Identifier: MIT */
/* What the plant counts of packs and banks, in simulated time. */
#include "plant_bench.h"
#include "suite.h"

enum { TURNS = 720, TURN_MS = 5000 }; /* an hour */

static struct pb_history_state former;
static int replaced;

static void setup(void)
{
	bench_setup();
	replaced = 0;
}

static const struct pb_history *history_of(int battery)
{
	return &bench_battery(battery)->history;
}

/* An hour in which A discharges by 35 A, and B as well if it is heard. */
static void an_hour(bool b)
{
	for (int i = 0; i < TURNS; i++) {
		bench_read(PACK_A, bench_sample());
		bench_wait(TURN_MS / 2);
		if (b)
			bench_read(PACK_B, bench_sample());
		bench_wait(TURN_MS / 2);
	}
	bench_read(PACK_A, bench_sample());
	if (b)
		bench_read(PACK_B, bench_sample());
}

START_TEST(packs_and_banks)
{
	an_hour(true);
	ck_assert_int_eq(history_of(PACK_A)->discharged_mah, 35000);
	ck_assert_int_eq(history_of(PACK_A)->discharged_mwh, 462000);
	ck_assert_int_eq(history_of(PACK_A)->charged_mah, 0);
	ck_assert_int_eq(history_of(PACK_A)->unmeasured_s, 0);
	/* from B's first reading on, both */
	ck_assert_int_eq(history_of(BANK_ALL)->discharged_mah, 70000 * INT64_C(35975) / 36000);
	ck_assert_int_eq(history_of(BANK_ALL)->unmeasured_s, 0);
	ck_assert_int_eq(history_of(BANK_ALL)->extreme[PB_EXTREME_CELL_LOWEST], 3300);
}
END_TEST

/* A pack that is not heard is not taken for one without a current, in any kind of bank. */
START_TEST(a_missing_pack_is_not_zero)
{
	an_hour(true);
	an_hour(false);
	for (int i = BANK_ALL; i <= BANK_STRICT; i++) {
		ck_assert_int_le(history_of(i)->discharged_mah, 70000 + 300);
		ck_assert_int_ge(history_of(i)->unmeasured_s, 3580);
		ck_assert_int_le(history_of(i)->unmeasured_s, 3600);
	}
	ck_assert_int_eq(history_of(PACK_B)->unmeasured_s, 3600);
	ck_assert_int_eq(history_of(PACK_A)->discharged_mah, 70000);
	bench_read(PACK_B, bench_sample());
	an_hour(true);
	ck_assert_int_ge(history_of(BANK_ALL)->discharged_mah, 140000 - 300);
	ck_assert_int_le(history_of(BANK_ALL)->discharged_mah, 140000 + 300);
}
END_TEST

/* The time goes on without readings, and the registers with it. */
START_TEST(a_gap_is_live)
{
	bench_read_all();
	bench_wait(100000);
	ck_assert_int_eq(history_of(PACK_A)->unmeasured_s, 100);
	bench_wait(1000);
	ck_assert_int_eq(history_of(PACK_A)->unmeasured_s, 101);
	ck_assert_int_eq(history_of(BANK_ALL)->unmeasured_s, 101);
}
END_TEST

/* A reload carries it over, also of a pack that is connected anew. */
START_TEST(over_a_reload)
{
	an_hour(true);
	bench.setup[PACK_B].keep = false;
	bench_reload();
	ck_assert_int_eq(history_of(PACK_A)->discharged_mah, 35000);
	ck_assert_int_eq(history_of(PACK_B)->discharged_mah, 35000 * INT64_C(35975) / 36000);
	ck_assert_int_ge(history_of(BANK_ALL)->discharged_mah, 69900);
}
END_TEST

static void on_replaced(void *userdata, size_t pack, const struct pb_history_state *state)
{
	ck_assert_ptr_eq(userdata, &bench);
	ck_assert_uint_eq(pack, PACK_A);
	former = *state;
	replaced++;
}

static struct pb_sample named(const char *name)
{
	struct pb_sample sample = bench_sample();

	sample.has |= PB_HAS(PB_HAS_DEVICE_NAME);
	snprintf(sample.device_name, sizeof(sample.device_name), "%s", name);
	return sample;
}

START_TEST(another_pack)
{
	static const struct pb_plant_handler handler = {
		.note = bench_note, .count = bench_count, .replaced = on_replaced};

	bench.handler = &handler;
	bench.setup[PACK_A].address = "A4:C1:38:00:00:01";
	bench_reload();
	bench_read(PACK_A, named("first"));
	an_hour(true);
	bench_read(PACK_A, named("second"));
	ck_assert_int_eq(replaced, 1);
	ck_assert_int_eq(former.charge.out.whole, 35000);
	ck_assert_str_eq(former.identity.device_name, "first");
	ck_assert_int_eq(history_of(PACK_A)->discharged_mah, 0);
	ck_assert_uint_eq(
		bench_lines("pack a: another pack (A4:C1:38:00:00:01, 'second') than before "
			    "(A4:C1:38:00:00:01, 'first'): its history begins anew, the earlier "
			    "one is kept"),
		1);
	an_hour(true);
	ck_assert_int_eq(history_of(PACK_A)->discharged_mah, 35000);
	ck_assert_int_eq(replaced, 1);
	/* by its address alone */
	bench.setup[PACK_A].address = "A4:C1:38:00:00:02";
	bench_reload();
	bench_read(PACK_A, bench_sample());
	ck_assert_int_eq(replaced, 2);
}
END_TEST

START_TEST(set_and_get)
{
	struct pb_history_state state = {0};

	an_hour(true);
	state = *pb_plant_history(bench.plant, PACK_A, bench.now_ms);
	ck_assert_int_eq(state.charge.out.whole, 35000);
	state.charge.out.whole = 5;
	pb_plant_set_history(bench.plant, PACK_A, &state);
	ck_assert_int_eq(history_of(PACK_A)->discharged_mah, 5);
}
END_TEST

START_TEST(days)
{
	an_hour(true);
	ck_assert(!(history_of(PACK_A)->has & 1U << PB_HISTORY_TODAY));
	bench_step((struct pb_plant_event){.type = PB_PLANT_TIME, .day = 100});
	ck_assert(history_of(PACK_A)->has & 1U << PB_HISTORY_TODAY);
	ck_assert_int_eq(history_of(PACK_A)->discharged_today_mwh, 0);
	bench_step((struct pb_plant_event){.type = PB_PLANT_TIME, .day = 101});
	ck_assert(history_of(BANK_ALL)->has & 1U << PB_HISTORY_YESTERDAY);
}
END_TEST

int main(void)
{
	TCase *tcase = tcase_create("history");

	tcase_add_checked_fixture(tcase, setup, bench_teardown);
	tcase_add_test(tcase, packs_and_banks);
	tcase_add_test(tcase, a_missing_pack_is_not_zero);
	tcase_add_test(tcase, a_gap_is_live);
	tcase_add_test(tcase, over_a_reload);
	tcase_add_test(tcase, another_pack);
	tcase_add_test(tcase, set_and_get);
	tcase_add_test(tcase, days);
	return pb_run_suite("plant/history", tcase);
}
