/* SPDX-License-Identifier: MIT */
/* What a pack notes, in simulated time: a change at once, what flaps once a minute. */
#include "plant_bench.h"
#include "suite.h"

enum { POLL_MS = 150 };

static void setup(void)
{
	bench_setup();
	bench.alarms[PACK_A].rules[PB_ALARM_CELL_HIGH] =
		(struct pb_alarm_rule){.has_alarm = true, .alarm = 3600};
	bench.of = "a";
}

static void reading(int32_t cell_mv)
{
	struct pb_sample sample = {.cell_count = 4, .cell_has = 0xF, .has = PB_HAS(PB_HAS_CELLS)};

	for (size_t i = 0; i < 4; i++)
		sample.cell_mv[i] = cell_mv;
	bench_read(PACK_A, sample);
}

static size_t count_sums(void)
{
	size_t sums = 0;

	for (size_t i = 0; i < bench.lines; i++)
		sums += strstr(bench.line[i].text, " times more ") != NULL;
	return sums;
}

/* Polled each 150 ms, once it made 7 lines a second. */
START_TEST(flapping_is_summed_up)
{
	const uint64_t start_ms = bench.now_ms;

	for (int i = 0; bench.now_ms < start_ms + 10 * PB_REPEAT_MS; i++) {
		reading(i % 2 ? 3700 : 3300);
		bench_wait(POLL_MS);
	}
	ck_assert_uint_ge(count_sums(), 9);
	ck_assert_uint_le(bench.lines, 2 * 10 + 4);
}
END_TEST

START_TEST(a_change_is_noted_at_once)
{
	reading(3300);
	ck_assert_uint_eq(bench.lines, 0);
	reading(3700);
	ck_assert_uint_eq(bench.lines, 1);
	ck_assert_str_eq(bench_last(), "pack a: ALARM: cell_high, cell 1 at 3.700 V");
	ck_assert_int_eq(bench.line[0].level, PB_LOG_ERR);
	ck_assert_str_eq(bench.line[0].alarm, "cell_high");
	ck_assert_int_eq(bench.line[0].unit, 1);
	ck_assert(!bench.line[0].bank);
	reading(3300);
	ck_assert_uint_eq(bench.lines, 2);
	ck_assert_str_eq(bench_last(), "pack a: cell_high is over");
	ck_assert_int_eq(bench.line[1].level, PB_LOG_INFO);
}
END_TEST

/* A rule that a reload switches off ends its alarm; of its cause it says nothing. */
START_TEST(no_longer_watched)
{
	reading(3700);
	ck_assert_ptr_nonnull(strstr(bench_last(), "ALARM: cell_high"));
	bench.alarms[PACK_A].rules[PB_ALARM_CELL_HIGH] = (struct pb_alarm_rule){0};
	bench_reload();
	ck_assert_str_eq(bench_last(), "pack a: cell_high is no longer watched");
	reading(3300);
	ck_assert_uint_eq(bench.lines, 2);
}
END_TEST

/* The last change is left out: the sum says how it stands, though no reading comes any more. */
START_TEST(the_sum_says_how_it_stands)
{
	for (int i = 0; i < 10; i++) {
		reading(i % 2 ? 3700 : 3300);
		bench_wait(POLL_MS);
	}
	ck_assert_uint_eq(count_sums(), 0);
	bench_wait(PB_REPEAT_MS);
	ck_assert_uint_eq(count_sums(), 1);
	ck_assert_uint_eq(bench_lines("pack a: alarms or limits changed 7 times more in the last "
				      "minute; now ALARM cell_high, cell 1 at 3.700 V; warning "
				      "silent, no reading"),
			  1);
}
END_TEST

START_TEST(no_alarm_is_left_of_it)
{
	for (int i = 0; i < 11; i++) {
		reading(i % 2 ? 3700 : 3300);
		bench_wait(POLL_MS);
	}
	for (int i = 0; i < 60; i++) {
		reading(3300);
		bench_wait(1000);
	}
	ck_assert_uint_eq(count_sums(), 1);
	ck_assert_str_eq(bench_last(), "pack a: alarms or limits changed 8 times more in the last "
				       "minute; now no alarm");
}
END_TEST

/* ---- limits ---- */

START_TEST(no_more_charging)
{
	struct pb_sample sample = bench_sample();

	bench_read(PACK_A, sample);
	sample.charge_fet = false;
	bench.alarms[PACK_A].rules[PB_ALARM_SWITCHED_OFF] = (struct pb_alarm_rule){0};
	bench_read(PACK_A, sample);
	ck_assert_uint_eq(bench.lines, 1);
	ck_assert_str_eq(bench_last(), "pack a: no more charging: switched off by the BMS");
	ck_assert_int_eq(bench.line[0].level, PB_LOG_WARNING);
	sample.charge_fet = true;
	sample.discharge_fet = false;
	for (int i = 0; i < 60; i++) {
		bench_wait(1000);
		bench_read(PACK_A, sample);
	}
	ck_assert_uint_eq(bench.lines, 3);
	ck_assert_str_eq(bench.line[1].text,
			 "pack a: no more discharging: switched off by the BMS");
	ck_assert_str_eq(bench_last(), "pack a: charging again");
	ck_assert_int_eq(bench.line[2].level, PB_LOG_INFO);
}
END_TEST

/* That there is no reading is the reader's to say; when it is back, nothing has changed. */
START_TEST(no_reading_is_no_change)
{
	bench_read(PACK_A, bench_sample());
	bench_wait(20000);
	ck_assert(!bench_battery(PACK_A)->limits.charge_allowed);
	ck_assert(!pb_battery_has(bench_battery(PACK_A), PB_HAS_REQUESTS));
	bench_read(PACK_A, bench_sample());
	ck_assert_msg(bench.lines == 0, "%s", bench_last());
}
END_TEST

/* ---- what the BMS says ---- */

/* At the first reading, and each that joins it, however short the time between. */
START_TEST(protections_are_named)
{
	struct pb_sample sample = bench_sample();

	sample.protection_mask = 1 << PB_PROTECT_SHORT_CIRCUIT;
	bench_read(PACK_A, sample);
	ck_assert_uint_eq(bench.lines, 1);
	ck_assert_str_eq(bench_last(), "pack a: ALARM: protection, short circuit");
	for (int i = 0; i < 3; i++) {
		bench_wait(POLL_MS);
		bench_read(PACK_A, sample);
	}
	ck_assert_uint_eq(bench.lines, 1);
	bench_wait(POLL_MS);
	sample.protection_mask |= 1 << PB_PROTECT_CELL_OVERVOLTAGE;
	bench_read(PACK_A, sample);
	ck_assert_uint_eq(bench.lines, 2);
	ck_assert_str_eq(bench_last(),
			 "pack a: ALARM: protection, cell over-voltage, short circuit");
	bench_wait(POLL_MS);
	sample.protection_mask = 0;
	bench_read(PACK_A, sample);
	ck_assert_str_eq(bench_last(), "pack a: protection is over");
}
END_TEST

/* ---- a frozen board ---- */

enum { HOUR_MS = 3600 * 1000 };

static void read_at(uint64_t ms, const struct pb_sample *sample)
{
	bench.now_ms = ms;
	bench_read(PACK_A, *sample);
}

START_TEST(frozen)
{
	const uint64_t start_ms = bench.now_ms;
	struct pb_sample sample = bench_sample();

	for (; bench.now_ms - start_ms < 1800 * 1000; bench.now_ms += 1000) {
		sample.remaining_mah--; /* it counts, but does not measure */
		sample.soc_permille = (int32_t)(sample.remaining_mah / 100);
		sample.cycles = (int32_t)((bench.now_ms - start_ms) / 600000);
		bench_read(PACK_A, sample);
		ck_assert_uint_eq(bench_battery(PACK_A)->unchanged_s,
				  (bench.now_ms - start_ms) / 1000);
	}
	ck_assert_uint_eq(bench.lines, 0);
	bench_read(PACK_A, sample);
	ck_assert_uint_eq(bench.lines, 1);
	ck_assert_str_eq(bench_last(),
			 "pack a: warning: frozen, no value has changed for 1800 s at -35.0 A");
	ck_assert_int_eq(bench.line[0].level, PB_LOG_WARNING);
	ck_assert_uint_eq(bench_battery(PACK_A)->alarms.warnings, 1 << PB_ALARM_FROZEN);
	read_at(start_ms + 6 * HOUR_MS, &sample);
	ck_assert_uint_eq(bench_battery(PACK_A)->unchanged_s, 6 * 3600);
	read_at(start_ms + 24 * (uint64_t)HOUR_MS, &sample);
	ck_assert_uint_eq(bench_battery(PACK_A)->unchanged_s, 65534);
	sample.cell_mv[3]++;
	bench_read(PACK_A, sample);
	ck_assert_uint_eq(bench_battery(PACK_A)->unchanged_s, 0);
	ck_assert_uint_eq(bench_battery(PACK_A)->alarms.warnings, 0);
}
END_TEST

/* ---- what the reader hands up ---- */

START_TEST(beside_the_reading)
{
	const struct pb_plant_pack *reader = pb_plant_pack(bench.plant, PACK_A);
	const struct pb_battery *data = bench_battery(PACK_A);
	struct pb_sample sample = bench_sample();
	struct pb_status status = bench_status();

	ck_assert_str_eq(reader->state, "off");
	ck_assert_str_eq(data->name, "a");
	ck_assert_str_eq(data->protocol, "auto");
	ck_assert_str_eq(data->software, "1.2.3");
	status.sequence = 7;
	bench.rssi_dbm = -60;
	bench_hand_up(PACK_A, (struct pb_reading){.new_reading = true,
						  .new_status = true,
						  .sample = &sample,
						  .status = &status});
	ck_assert_str_eq(reader->state, "connected");
	ck_assert_str_eq(reader->note.text, "first reading");
	ck_assert_uint_eq(reader->refusals->readings, 3);
	ck_assert_uint_eq(reader->refusals->count, 2);
	ck_assert_uint_eq(reader->refusals->rows[1].times, 2);
	ck_assert_str_eq(data->protocol, "jbd");
	ck_assert_uint_eq(data->link_has, 1);
	ck_assert_int_eq(data->rssi_dbm, -60);
	/* only what follows the status has changed */
	status.sequence = 8;
	bench_hand_up(PACK_A, (struct pb_reading){.sample = &sample, .status = &status});
	ck_assert_uint_eq(data->status.sequence, 7);
}
END_TEST

int main(void)
{
	TCase *tcase = tcase_create("battery");

	tcase_add_checked_fixture(tcase, setup, bench_teardown);
	tcase_add_test(tcase, flapping_is_summed_up);
	tcase_add_test(tcase, a_change_is_noted_at_once);
	tcase_add_test(tcase, no_longer_watched);
	tcase_add_test(tcase, the_sum_says_how_it_stands);
	tcase_add_test(tcase, no_alarm_is_left_of_it);
	tcase_add_test(tcase, no_more_charging);
	tcase_add_test(tcase, no_reading_is_no_change);
	tcase_add_test(tcase, protections_are_named);
	tcase_add_test(tcase, frozen);
	tcase_add_test(tcase, beside_the_reading);
	return pb_run_suite("plant/battery", tcase);
}
