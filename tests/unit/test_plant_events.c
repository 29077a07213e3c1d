/* SPDX-License-Identifier: MIT */
/* What becomes an event, in simulated time, and what the registers show of it. */
#include "plant_bench.h"
#include "suite.h"

static const struct pb_event *last(void)
{
	uint32_t newest = pb_events_newest(bench.events);

	return newest ? pb_events_after(bench.events, newest - 1) : NULL;
}

static size_t count_kind(enum pb_event_kind kind)
{
	size_t count = 0;

	for (const struct pb_event *at = pb_events_after(bench.events, 0); at;
	     at = pb_events_after(bench.events, at->number))
		count += at->kind == kind ? at->count : 0;
	return count;
}

static const struct pb_event *find(const char *name, enum pb_event_kind kind, int code)
{
	const struct pb_event *found = NULL;

	for (const struct pb_event *at = pb_events_after(bench.events, 0); at;
	     at = pb_events_after(bench.events, at->number))
		if (at->kind == kind && at->code == code && strcmp(at->name, name) == 0)
			found = at;
	return found;
}

START_TEST(a_start_is_quiet)
{
	bench_read_all();
	bench_wait(1000);
	bench_read_all();
	ck_assert_uint_eq(pb_events_newest(bench.events), 0);
	ck_assert_uint_eq(bench_battery(PACK_A)->event.number, 0);
}
END_TEST

START_TEST(lost_and_back)
{
	const struct pb_event *event;

	bench_read_all();
	bench_wait(5000);
	bench_fail(PACK_A, PB_ERROR_TIMEOUT);
	ck_assert_ptr_null(find("a", PB_EVENT_LOST, PB_ERROR_TIMEOUT));
	bench_read(PACK_B, bench_sample());
	bench_wait((STALE_S - 5) * 1000);
	event = find("a", PB_EVENT_LOST, PB_ERROR_TIMEOUT);
	ck_assert_ptr_nonnull(event);
	ck_assert_uint_eq(event->facts.has, 0);
	ck_assert_ptr_nonnull(strstr(event->text, "no live reading: "));
	ck_assert_uint_eq(bench_battery(PACK_A)->event.kind, PB_EVENT_LOST);
	bench_wait(45000);
	bench_read(PACK_A, bench_sample());
	event = find("a", PB_EVENT_BACK, PB_ERROR_TIMEOUT);
	ck_assert_ptr_nonnull(event);
	ck_assert_uint_eq(event->duration_ms, 60000);
	ck_assert_ptr_nonnull(strstr(event->text, "live again after 60 s; it was: "));
	ck_assert_int_eq(event->facts.voltage_mv, 13200);
}
END_TEST

/* The bank that may lack no pack is lost with its first one. */
START_TEST(a_bank_is_lost_too)
{
	bench_read_all();
	bench_wait(10000);
	bench_read(PACK_B, bench_sample());
	bench_wait(6000);
	ck_assert_ptr_nonnull(find("strict", PB_EVENT_LOST, 0));
	ck_assert(find("strict", PB_EVENT_LOST, 0)->bank);
	ck_assert_ptr_null(find("all", PB_EVENT_LOST, 0));
	bench_read_all();
	ck_assert_ptr_nonnull(find("strict", PB_EVENT_BACK, 0));
}
END_TEST

START_TEST(what_was_never_read_is_not_lost)
{
	bench_wait(600000);
	ck_assert_uint_eq(count_kind(PB_EVENT_LOST), 0);
	/* that there is no reading is an alarm */
	ck_assert_ptr_nonnull(find("a", PB_EVENT_ALARM_BEGIN, PB_ALARM_SILENT));
}
END_TEST

START_TEST(an_alarm_begins_and_ends)
{
	struct pb_sample sample = bench_sample();
	const struct pb_event *event;

	bench.alarms[PACK_A].rules[PB_ALARM_CELL_HIGH] = (struct pb_alarm_rule){
		.has_warning = true, .warning = 3500, .has_alarm = true, .alarm = 3600};
	sample.cell_mv[2] = 3550;
	bench_read(PACK_A, sample);
	event = find("a", PB_EVENT_ALARM_BEGIN, PB_ALARM_CELL_HIGH);
	ck_assert_ptr_nonnull(event);
	ck_assert_int_eq(event->level, PB_LEVEL_WARNING);
	ck_assert_str_eq(event->text, "warning: cell_high, cell 3 at 3.550 V");
	ck_assert_int_eq(event->facts.cell_max_mv, 3550);
	ck_assert_int_eq(event->facts.cell_max_index, 3);
	bench_wait(1000);
	sample.cell_mv[2] = 3700;
	bench_read(PACK_A, sample);
	ck_assert_int_eq(last()->level, PB_LEVEL_ALARM);
	ck_assert_str_eq(last()->text, "alarm: cell_high, cell 3 at 3.700 V");
	bench_wait(2000);
	bench_read(PACK_A, bench_sample());
	event = find("a", PB_EVENT_ALARM_END, PB_ALARM_CELL_HIGH);
	ck_assert_ptr_nonnull(event);
	ck_assert_uint_eq(event->duration_ms, 3000);
	ck_assert_str_eq(event->text, "cell_high is over after 3 s");
}
END_TEST

START_TEST(a_protection_with_its_values)
{
	struct pb_sample sample = bench_sample();
	const struct pb_event *event;

	bench_read(PACK_A, sample);
	sample.protection_mask = 1 << PB_PROTECT_SHORT_CIRCUIT | 1 << PB_PROTECT_FET_LOCKED;
	sample.current_ma = -99000;
	bench_read(PACK_A, sample);
	event = find("a", PB_EVENT_PROTECTION_BEGIN, PB_PROTECT_SHORT_CIRCUIT);
	ck_assert_ptr_nonnull(event);
	ck_assert_int_eq(event->level, PB_LEVEL_ALARM);
	ck_assert_int_eq(event->facts.current_ma, -99000);
	ck_assert_int_eq(event->facts.temperature_max_mc, 20000);
	ck_assert_str_eq(event->text, "the BMS reports: short circuit");
	/* a lock is no fault */
	event = find("a", PB_EVENT_PROTECTION_BEGIN, PB_PROTECT_FET_LOCKED);
	ck_assert_int_eq(event->level, PB_LEVEL_NONE);
	bench_wait(7000);
	bench_read(PACK_A, bench_sample());
	event = find("a", PB_EVENT_PROTECTION_END, PB_PROTECT_SHORT_CIRCUIT);
	ck_assert_uint_eq(event->duration_ms, 7000);
	/* a reading that does not tell ends nothing and begins nothing */
	sample.has &= ~PB_HAS(PB_HAS_PROTECTION);
	bench_read(PACK_A, sample);
	ck_assert_uint_eq(count_kind(PB_EVENT_PROTECTION_BEGIN), 2);
}
END_TEST

START_TEST(fets)
{
	struct pb_sample sample = bench_sample();

	bench_read(PACK_A, sample);
	sample.discharge_fet = false;
	bench_read(PACK_A, sample);
	ck_assert_str_eq(find("a", PB_EVENT_FET_OPEN, PB_EVENT_FET_DISCHARGE)->text,
			 "the discharge FET is open");
	ck_assert_ptr_null(find("a", PB_EVENT_FET_OPEN, PB_EVENT_FET_CHARGE));
	/* a reading without it in between changes nothing */
	sample.has &= ~PB_HAS(PB_HAS_DISCHARGE_FET);
	bench_read(PACK_A, sample);
	bench_read(PACK_A, bench_sample());
	ck_assert_uint_eq(count_kind(PB_EVENT_FET_CLOSED), 1);
	ck_assert_str_eq(find("a", PB_EVENT_FET_CLOSED, PB_EVENT_FET_DISCHARGE)->text,
			 "the discharge FET conducts");
}
END_TEST

START_TEST(phases)
{
	struct pb_sample sample = bench_sample();

	bench_read(PACK_A, sample);
	ck_assert_uint_eq(count_kind(PB_EVENT_PHASE), 0);
	sample.current_ma = 5000;
	sample.soc_permille = 1000;
	for (int i = 0; i < 4; i++)
		sample.cell_mv[i] = 3460;
	sample.voltage_mv = 4 * 3460;
	for (int i = 0; i < 10; i++) {
		bench_read(PACK_A, sample);
		bench_wait(1000);
	}
	ck_assert_ptr_nonnull(find("a", PB_EVENT_PHASE, PB_PHASE_ABSORPTION));
	ck_assert_str_eq(find("a", PB_EVENT_PHASE, PB_PHASE_ABSORPTION)->text,
			 "charging: absorption after bulk");
}
END_TEST

/* Over a reload nothing begins again, and numbers go on. */
START_TEST(a_reload_goes_on)
{
	struct pb_sample sample = bench_sample();
	uint32_t before;

	sample.protection_mask = 1 << PB_PROTECT_SHORT_CIRCUIT;
	bench_read(PACK_A, sample);
	before = pb_events_newest(bench.events);
	ck_assert_uint_gt(before, 0);
	bench_reload();
	ck_assert_uint_eq(pb_events_newest(bench.events), before);
	ck_assert_uint_gt(bench_battery(PACK_A)->event.number, 0);
	bench_read(PACK_A, sample);
	ck_assert_uint_eq(pb_events_newest(bench.events), before);
}
END_TEST

START_TEST(registers_show_the_newest)
{
	const struct pb_image *image;
	const uint8_t *bytes = NULL;

	bench_read_all();
	bench_wait(STALE_S * 1000);
	image = pb_plant_image(pb_plant_table(bench.plant, 0), 1, bench.now_ms);
	for (size_t i = 0; i < image->block_count; i++)
		if (image->blocks[i].addr == 520)
			bytes = image->blocks[i].bytes;
	ck_assert_ptr_nonnull(bytes);
	ck_assert_uint_eq(pb_get_be32(bytes), bench_battery(PACK_A)->event.number);
	ck_assert_uint_eq(pb_get_be16(bytes + 4), PB_EVENT_LOST);
	ck_assert_uint_eq(pb_get_be16(bytes + 8), PB_LEVEL_WARNING);
	ck_assert_uint_eq(pb_get_be16(bytes + 10), 1);
}
END_TEST

/* Readers of a reading's news see each change, of words too, and only changes. */
START_TEST(changes)
{
	uint32_t before;

	bench_read_all();
	before = pb_plant_changes(bench.plant, PACK_A);
	bench_wait(1000);
	ck_assert_uint_eq(pb_plant_changes(bench.plant, PACK_A), before);
	bench_hand_up(PACK_A, (struct pb_reading){.new_reading = false});
	ck_assert_uint_ne(pb_plant_changes(bench.plant, PACK_A), before);
	before = pb_plant_changes(bench.plant, PACK_A);
	bench_wait(STALE_S * 1000);
	ck_assert_uint_ne(pb_plant_changes(bench.plant, PACK_A), before);
}
END_TEST

int main(void)
{
	TCase *tcase = tcase_create("events");

	tcase_add_checked_fixture(tcase, bench_setup, bench_teardown);
	tcase_add_test(tcase, a_start_is_quiet);
	tcase_add_test(tcase, lost_and_back);
	tcase_add_test(tcase, a_bank_is_lost_too);
	tcase_add_test(tcase, what_was_never_read_is_not_lost);
	tcase_add_test(tcase, an_alarm_begins_and_ends);
	tcase_add_test(tcase, a_protection_with_its_values);
	tcase_add_test(tcase, fets);
	tcase_add_test(tcase, phases);
	tcase_add_test(tcase, a_reload_goes_on);
	tcase_add_test(tcase, registers_show_the_newest);
	tcase_add_test(tcase, changes);
	return pb_run_suite("plant/events", tcase);
}
