/* SPDX-License-Identifier: MIT */
/* Counting: charge, energy, gaps, full, depth, extremes, protections, days, other packs. */
#include "packbridge/history.h"

#include "suite.h"

#include <string.h>

enum { HOUR_MS = 3600000, STALE_S = 7200 };

static struct pb_history_state state;
static struct pb_battery battery;
static struct pb_history shown;

static void setup(void)
{
	memset(&state, 0, sizeof(state));
	memset(&battery, 0, sizeof(battery));
	battery.status.stale_after_s = STALE_S;
}

static void set(int32_t ma, int32_t mv)
{
	battery.sample.has |= PB_HAS(PB_HAS_CURRENT) | PB_HAS(PB_HAS_VOLTAGE);
	battery.sample.current_ma = ma;
	battery.sample.voltage_mv = mv;
	pb_sample_derive(&battery.sample);
}

static void read_at(int64_t at_ms, int32_t ma, int32_t mv)
{
	set(ma, mv);
	pb_history_read(&state, &battery, at_ms, true);
	pb_history_show(&state, at_ms, &shown);
}

START_TEST(test_area)
{
	read_at(1000, 10000, 10000);
	ck_assert_int_eq(shown.charged_mah, 0); /* one reading is no time */
	read_at(1000 + HOUR_MS, 20000, 10000);
	ck_assert_int_eq(shown.charged_mah, 15000);
	ck_assert_int_eq(shown.charged_mwh, 150000);
	ck_assert_int_eq(shown.discharged_mah, 0);
	read_at(1000 + 2 * HOUR_MS, -10000, 10000); /* half of the hour each way */
	ck_assert_int_eq(shown.charged_mah, 25000);
	ck_assert_int_eq(shown.discharged_mah, 5000);
	ck_assert_int_eq(shown.discharged_mwh, 50000);
	read_at(1000 + 3 * HOUR_MS, 0, 10000);
	ck_assert_int_eq(shown.discharged_mah, 10000);
	read_at(1000 + 4 * HOUR_MS, 0, 10000);
	ck_assert_int_eq(shown.discharged_mah, 10000);
	ck_assert_int_eq(shown.unmeasured_s, 0);
}
END_TEST

/* 1 mA for 100 days, a second at a time: nothing is lost to rounding. */
START_TEST(test_small)
{
	for (int64_t at = 0; at <= 100 * 24 * INT64_C(3600); at++) {
		set(at % 2 ? 1 : -1, 3300);
		pb_history_read(&state, &battery, 1000 * at, true);
	}
	pb_history_show(&state, 0, &shown);
	ck_assert_int_eq(shown.charged_mah, 1200);
	ck_assert_int_eq(shown.discharged_mah, 1200);
}
END_TEST

START_TEST(test_without_power)
{
	read_at(0, 1000, 10000);
	battery.sample.has &= ~(PB_HAS(PB_HAS_VOLTAGE) | PB_HAS(PB_HAS_POWER));
	pb_history_read(&state, &battery, HOUR_MS, true);
	read_at(2 * HOUR_MS, 1000, 10000);
	ck_assert_int_eq(shown.charged_mah, 2000);
	ck_assert_int_eq(shown.charged_mwh, 0);
	read_at(3 * HOUR_MS, 1000, 10000);
	ck_assert_int_eq(shown.charged_mwh, 10000);
}
END_TEST

/* Readings that are too far apart were not both live: the hours between them are not counted. */
START_TEST(test_gap)
{
	read_at(0, 1000, 10000);
	read_at(2 * HOUR_MS, 1000, 10000);
	ck_assert_int_eq(shown.charged_mah, 2000);
	read_at(4 * HOUR_MS + 1, 1000, 10000);
	ck_assert_int_eq(shown.charged_mah, 2000);
	ck_assert_int_eq(shown.unmeasured_s, 7200);
	read_at(5 * HOUR_MS + 1, 1000, 10000);
	ck_assert_int_eq(shown.charged_mah, 3000);
	ck_assert_int_eq(shown.unmeasured_s, 7200);
}
END_TEST

/* The unmeasured time goes on while nothing comes, and does not fall when a reading comes that is
 * older than the last look. */
START_TEST(test_gap_open)
{
	pb_history_gap(&state, 500); /* before the first reading there is no history */
	pb_history_show(&state, 1000, &shown);
	ck_assert_int_eq(shown.unmeasured_s, 0);
	read_at(1000, 1000, 10000);
	pb_history_gap(&state, 11000);
	pb_history_show(&state, 61000, &shown);
	ck_assert_int_eq(shown.unmeasured_s, 60);
	read_at(58000, 1000, 10000);
	ck_assert_int_eq(shown.unmeasured_s, 60);
	ck_assert_int_eq(shown.charged_mah, 0);
	read_at(58000 + HOUR_MS, 1000, 10000);
	ck_assert_int_eq(shown.charged_mah, 1000);
	ck_assert_int_eq(shown.unmeasured_s, 60);
}
END_TEST

/* A bank without one of its packs, and a pack that does not tell its current. */
START_TEST(test_not_whole)
{
	read_at(0, 1000, 10000);
	pb_history_read(&state, &battery, HOUR_MS, false);
	read_at(2 * HOUR_MS, 1000, 10000);
	ck_assert_int_eq(shown.charged_mah, 0);
	ck_assert_int_eq(shown.unmeasured_s, 7200);
	battery.sample.has &= ~PB_HAS(PB_HAS_CURRENT);
	pb_history_read(&state, &battery, 3 * HOUR_MS, true);
	pb_history_show(&state, 3 * HOUR_MS, &shown);
	ck_assert_int_eq(shown.unmeasured_s, 10800);
}
END_TEST

START_TEST(test_time_back)
{
	read_at(HOUR_MS, 1000, 10000);
	read_at(HOUR_MS / 2, 2000, 10000);
	ck_assert_int_eq(shown.charged_mah, 0);
	read_at(2 * HOUR_MS, 2000, 10000);
	ck_assert_int_eq(shown.charged_mah, 2000);
}
END_TEST

/* The largest flow of the largest bank over the longest time does not overflow. */
START_TEST(test_large)
{
	battery.status.stale_after_s = 65535;
	set(4000000, 600000);
	battery.sample.has |= PB_HAS(PB_HAS_POWER);
	battery.sample.current_ma = 64 * 4000000;
	battery.sample.power_mw = INT64_C(64000000000);
	pb_history_read(&state, &battery, 0, true);
	pb_history_read(&state, &battery, 65535000, true);
	pb_history_show(&state, 65535000, &shown);
	ck_assert_int_eq(shown.charged_mah, INT64_C(256000000) * 65535 / 3600);
	ck_assert_int_eq(shown.charged_mwh, INT64_C(64000000000) * 65535 / 3600);
}
END_TEST

static void soc(int32_t permille)
{
	battery.sample.has |= PB_HAS(PB_HAS_SOC);
	battery.sample.soc_permille = permille;
}

START_TEST(test_full_by_soc)
{
	soc(900);
	read_at(0, 10000, 13000);
	ck_assert(!(shown.has & 1U << PB_HISTORY_FULL));
	soc(1000);
	read_at(HOUR_MS, 10000, 13000);
	ck_assert(shown.has & 1U << PB_HISTORY_FULL);
	ck_assert_uint_eq(shown.full_charges, 1);
	soc(990);
	read_at(2 * HOUR_MS, -10000, 13000);
	ck_assert_int_eq(shown.since_full_s, 3600);
	soc(1000); /* it was not empty between: the same charge */
	read_at(3 * HOUR_MS, 0, 13000);
	ck_assert_uint_eq(shown.full_charges, 1);
	ck_assert_int_eq(shown.since_full_s, 0);
	soc(940);
	read_at(4 * HOUR_MS, 0, 13000);
	soc(1000);
	read_at(5 * HOUR_MS, 0, 13000);
	ck_assert_uint_eq(shown.full_charges, 2);
}
END_TEST

START_TEST(test_full_by_voltage)
{
	battery.limits.charge_phase = PB_PHASE_ABSORPTION;
	read_at(0, 10000, 14000);
	ck_assert_uint_eq(shown.full_charges, 0);
	battery.limits.charge_phase = PB_PHASE_FLOAT;
	read_at(HOUR_MS, 0, 14000);
	ck_assert_uint_eq(shown.full_charges, 1);
	read_at(2 * HOUR_MS, -5000, 13300); /* in float still, but it is being discharged */
	ck_assert_int_eq(shown.since_full_s, 3600);
	battery.limits.charge_phase = PB_PHASE_BULK;
	read_at(3 * HOUR_MS, 5000, 13300);
	battery.limits.charge_phase = PB_PHASE_FLOAT;
	read_at(4 * HOUR_MS, 0, 14000);
	ck_assert_uint_eq(shown.full_charges, 2);
}
END_TEST

/* 10 Ah out, 4 Ah in, 8 Ah out: 14 Ah deep. A correction of the SoC changes nothing. */
START_TEST(test_depth)
{
	soc(1000);
	read_at(0, -10000, 13000);
	soc(500);
	read_at(HOUR_MS, -10000, 13000);
	read_at(HOUR_MS, 4000, 13000);
	soc(0);
	read_at(2 * HOUR_MS, 4000, 13000);
	ck_assert_int_eq(shown.last_discharge_mah, 10000);
	read_at(2 * HOUR_MS, -8000, 13000);
	soc(300);
	read_at(3 * HOUR_MS, -8000, 13000);
	ck_assert_int_eq(shown.last_discharge_mah, 14000);
	soc(1000);
	read_at(4 * HOUR_MS, 0, 13000);
	ck_assert_int_eq(shown.last_discharge_mah, 0);
	ck_assert_int_eq(shown.deepest_discharge_mah, 18000);
	soc(600);
	read_at(4 * HOUR_MS, -1000, 13000);
	read_at(5 * HOUR_MS, -1000, 13000);
	ck_assert_int_eq(shown.last_discharge_mah, 1000);
	ck_assert_int_eq(shown.deepest_discharge_mah, 18000);
}
END_TEST

START_TEST(test_extremes)
{
	struct pb_sample *s = &battery.sample;

	read_at(0, 0, 13000);
	ck_assert(!(shown.has & 1U << PB_EXTREME_CELL_LOWEST));
	s->has |= PB_HAS(PB_HAS_CELLS) | PB_HAS(PB_HAS_TEMPERATURES);
	s->cell_count = 2;
	s->cell_has = 3;
	s->cell_mv[0] = 3200;
	s->cell_mv[1] = 3300;
	s->temperature_count = 1;
	s->temperature_has = 1;
	s->temperature_mc[0] = -5000;
	read_at(1000, 0, 12900);
	s->cell_mv[0] = 3250;
	s->cell_mv[1] = 3400;
	s->temperature_mc[0] = 20000;
	read_at(61000, 0, 12900);
	ck_assert_int_eq(shown.extreme[PB_EXTREME_CELL_LOWEST], 3200);
	ck_assert_int_eq(shown.since_s[PB_EXTREME_CELL_LOWEST], 60);
	ck_assert_int_eq(shown.extreme[PB_EXTREME_CELL_HIGHEST], 3400);
	ck_assert_int_eq(shown.since_s[PB_EXTREME_CELL_HIGHEST], 0);
	ck_assert_int_eq(shown.extreme[PB_EXTREME_VOLTAGE_LOWEST], 12900);
	ck_assert_int_eq(shown.since_s[PB_EXTREME_VOLTAGE_LOWEST], 60); /* the first time */
	ck_assert_int_eq(shown.extreme[PB_EXTREME_VOLTAGE_HIGHEST], 13000);
	ck_assert_int_eq(shown.extreme[PB_EXTREME_TEMPERATURE_LOWEST], -5000);
	ck_assert_int_eq(shown.extreme[PB_EXTREME_TEMPERATURE_HIGHEST], 20000);
}
END_TEST

START_TEST(test_protections)
{
	static const uint32_t masks[] = {1, 1, 3, 2, 3, 0};

	for (int i = 0; i < 6; i++) {
		battery.sample.has |= PB_HAS(PB_HAS_PROTECTION);
		battery.sample.protection_mask = masks[i];
		read_at(i * 1000, 0, 13000);
		battery.sample.has &= ~PB_HAS(PB_HAS_PROTECTION); /* not told between */
		battery.sample.protection_mask = 0;
		read_at(i * 1000 + 500, 0, 13000);
	}
	ck_assert_uint_eq(shown.protections_seen[0], 2);
	ck_assert_uint_eq(shown.protections_seen[1], 1);
	ck_assert_uint_eq(shown.protections_seen[2], 0);
}
END_TEST

static void hour(int32_t day, int64_t n)
{
	pb_history_day(&state, day, n * HOUR_MS);
	read_at(n * HOUR_MS, 1000, 10000);
}

START_TEST(test_days)
{
	hour(PB_HISTORY_DAY_NONE, 0);
	hour(PB_HISTORY_DAY_NONE, 1);
	ck_assert(!(shown.has & 1U << PB_HISTORY_TODAY));
	hour(100, 2); /* the clock is set */
	ck_assert(shown.has & 1U << PB_HISTORY_TODAY);
	ck_assert(!(shown.has & 1U << PB_HISTORY_YESTERDAY));
	ck_assert_int_eq(shown.charged_today_mwh, 10000); /* of the hour that ends in it */
	hour(100, 3);
	hour(101, 4);
	ck_assert(shown.has & 1U << PB_HISTORY_YESTERDAY);
	ck_assert_int_eq(shown.charged_yesterday_mwh, 20000);
	ck_assert_int_eq(shown.charged_today_mwh, 10000);
	pb_history_day(&state, 100, 4 * HOUR_MS + 1000); /* a clock that is corrected by seconds */
	pb_history_day(&state, 101, 4 * HOUR_MS + 2000);
	hour(101, 5);
	ck_assert_int_eq(shown.charged_today_mwh, 20000);
	ck_assert_int_eq(shown.charged_yesterday_mwh, 20000);
	hour(90, 6); /* a clock that is set otherwise */
	ck_assert(!(shown.has & 1U << PB_HISTORY_YESTERDAY));
	ck_assert_int_eq(shown.charged_today_mwh, 10000);
	ck_assert_int_eq(shown.discharged_today_mwh, 0);
	hour(PB_HISTORY_DAY_NONE, 7);
	ck_assert(!(shown.has & 1U << PB_HISTORY_TODAY));
}
END_TEST

START_TEST(test_other)
{
	struct pb_sample a = {0}, b = {0};

	ck_assert(!pb_history_is_other(&state, "", &a));
	strcpy(a.device_name, "A");
	ck_assert(!pb_history_is_other(&state, "", &a)); /* not reported */
	a.has = PB_HAS(PB_HAS_DEVICE_NAME);
	ck_assert(!pb_history_is_other(&state, "", &a));
	ck_assert(!pb_history_is_other(&state, "11:22:33:44:55:66", &a));
	ck_assert(pb_history_is_other(&state, "11:22:33:44:55:67", &a));
	ck_assert(!pb_history_is_other(&state, "", &b));
	b = a;
	b.has |= PB_HAS(PB_HAS_PRODUCTION_DATE);
	b.production_date = 20230101;
	ck_assert(!pb_history_is_other(&state, "", &b));
	b.production_date = 20230102;
	ck_assert(pb_history_is_other(&state, "", &b));
	b = a;
	strcpy(b.device_name, "B");
	ck_assert(pb_history_is_other(&state, "", &b));
	ck_assert_str_eq(state.identity.device_name, "A");
}
END_TEST

/* Only what is worth to be written counts as a change. */
START_TEST(test_changes)
{
	uint32_t before;

	read_at(0, 0, 13000);
	before = state.changes;
	for (int i = 1; i < 100; i++)
		read_at(i * 1000, 0, 13000);
	ck_assert_uint_eq(state.changes, before);
	read_at(HOUR_MS, 10, 13000);
	ck_assert_uint_ne(state.changes, before);
}
END_TEST

int main(void)
{
	TCase *tcase = tcase_create("count");

	tcase_add_checked_fixture(tcase, setup, NULL);
	tcase_add_test(tcase, test_area);
	tcase_add_test(tcase, test_small);
	tcase_add_test(tcase, test_without_power);
	tcase_add_test(tcase, test_gap);
	tcase_add_test(tcase, test_gap_open);
	tcase_add_test(tcase, test_not_whole);
	tcase_add_test(tcase, test_time_back);
	tcase_add_test(tcase, test_large);
	tcase_add_test(tcase, test_full_by_soc);
	tcase_add_test(tcase, test_full_by_voltage);
	tcase_add_test(tcase, test_depth);
	tcase_add_test(tcase, test_extremes);
	tcase_add_test(tcase, test_protections);
	tcase_add_test(tcase, test_days);
	tcase_add_test(tcase, test_other);
	tcase_add_test(tcase, test_changes);
	return pb_run_suite("history", tcase);
}
