/* SPDX-License-Identifier: MIT */
/* The list of events: numbers rise, what repeats is counted, the oldest goes. */
#include "packbridge/events.h"
#include "suite.h"

#include <stdio.h>
#include <string.h>

static struct pb_events *events;

static void setup(void)
{
	ck_assert_int_eq(pb_events_new(&events), 0);
}

static void teardown(void)
{
	events = pb_events_free(events);
}

static const struct pb_event *add(const char *name, int kind, int code, uint64_t now_ms)
{
	struct pb_event event = {.kind = (uint8_t)kind, .code = (uint16_t)code};

	snprintf(event.name, sizeof(event.name), "%s", name);
	snprintf(event.text, sizeof(event.text), "%s %d", name, code);
	return pb_events_add(events, &event, now_ms);
}

static size_t count_all(void)
{
	size_t count = 0;
	uint32_t last = 0;

	for (const struct pb_event *at = pb_events_after(events, 0); at;
	     at = pb_events_after(events, at->number)) {
		ck_assert_uint_gt(at->number, last);
		last = at->number;
		count++;
	}
	ck_assert_uint_eq(last, pb_events_newest(events));
	return count;
}

START_TEST(empty)
{
	ck_assert_uint_eq(pb_events_newest(events), 0);
	ck_assert_ptr_null(pb_events_after(events, 0));
	ck_assert_ptr_null(pb_events_last_of(events, "a", false));
}
END_TEST

START_TEST(numbers_rise)
{
	ck_assert_uint_eq(add("a", PB_EVENT_LOST, 3, 1000)->number, 1);
	ck_assert_uint_eq(add("a", PB_EVENT_BACK, 3, 2000)->number, 2);
	ck_assert_uint_eq(add("b", PB_EVENT_LOST, 3, 3000)->number, 3);
	ck_assert_uint_eq(count_all(), 3);
	ck_assert_int_eq(pb_events_after(events, 1)->kind, PB_EVENT_BACK);
	ck_assert_uint_eq(pb_events_last_of(events, "a", false)->number, 2);
	ck_assert_ptr_null(pb_events_last_of(events, "a", true));
	ck_assert_ptr_null(pb_events_last_of(events, "", false));
}
END_TEST

START_TEST(what_repeats_moves_and_is_counted)
{
	const struct pb_event *event;

	add("a", PB_EVENT_LOST, 3, 1000);
	add("a", PB_EVENT_BACK, 3, 2000);
	add("b", PB_EVENT_LOST, 3, 2500);
	event = add("a", PB_EVENT_LOST, 3, 3000);
	ck_assert_uint_eq(event->number, 4);
	ck_assert_uint_eq(event->count, 2);
	ck_assert_uint_eq(event->first_ms, 1000);
	ck_assert_uint_eq(event->at_ms, 3000);
	ck_assert_uint_eq(count_all(), 3);
	ck_assert_uint_eq(pb_events_last_of(events, "a", false)->number, 4);
	/* again, from the newest place */
	ck_assert_uint_eq(add("a", PB_EVENT_LOST, 3, 4000)->count, 3);
	ck_assert_uint_eq(count_all(), 3);
}
END_TEST

START_TEST(another_code_level_or_kind_is_another_event)
{
	struct pb_event event = {.kind = PB_EVENT_ALARM_BEGIN, .level = 1, .name = "a"};

	pb_events_add(events, &event, 1000);
	event.level = 2;
	ck_assert_uint_eq(pb_events_add(events, &event, 1000)->count, 1);
	event.bank = true;
	ck_assert_uint_eq(pb_events_add(events, &event, 1000)->count, 1);
	event.code = 7;
	ck_assert_uint_eq(pb_events_add(events, &event, 1000)->count, 1);
	ck_assert_uint_eq(count_all(), 4);
}
END_TEST

START_TEST(what_comes_later_is_not_counted)
{
	add("a", PB_EVENT_LOST, 3, 1000);
	ck_assert_uint_eq(add("a", PB_EVENT_LOST, 3, 1000 + PB_EVENTS_FOLD_MS - 1)->count, 2);
	ck_assert_uint_eq(add("a", PB_EVENT_LOST, 3, 1000 + 3 * PB_EVENTS_FOLD_MS)->count, 1);
	ck_assert_uint_eq(count_all(), 2);
}
END_TEST

START_TEST(the_oldest_goes)
{
	char name[PB_NAME_MAX];

	for (int i = 0; i < PB_EVENTS_MAX + 100; i++) {
		snprintf(name, sizeof(name), "p%d", i);
		add(name, PB_EVENT_LOST, 1, 1000 + (uint64_t)i);
	}
	ck_assert_uint_eq(count_all(), PB_EVENTS_MAX);
	ck_assert_uint_eq(pb_events_after(events, 0)->number, 101);
	ck_assert_ptr_null(pb_events_last_of(events, "p99", false));
	ck_assert_ptr_nonnull(pb_events_last_of(events, "p100", false));
}
END_TEST

START_TEST(what_flaps_does_not_push_out)
{
	add("calm", PB_EVENT_LOST, 1, 500);
	for (uint64_t i = 0; i < 100000; i++)
		add("a", i % 2 ? PB_EVENT_BACK : PB_EVENT_LOST, 1, 1000 + i * 150);
	ck_assert_uint_eq(count_all(), 3);
	ck_assert_uint_eq(pb_events_newest(events), 100001);
	ck_assert_uint_eq(pb_events_last_of(events, "a", false)->count, 50000);
	ck_assert_str_eq(pb_events_after(events, 0)->name, "calm");
}
END_TEST

START_TEST(texts_are_cleaned)
{
	struct pb_event event = {.kind = PB_EVENT_RELOAD, .text = "a\x1b[31mb\n"};

	ck_assert_str_eq(pb_events_add(events, &event, 1)->text, "a?[31mb ");
}
END_TEST

START_TEST(facts_and_mark)
{
	struct pb_sample sample = {
		.has = PB_HAS(PB_HAS_VOLTAGE) | PB_HAS(PB_HAS_CYCLES),
		.voltage_mv = 13000,
	};
	struct pb_event event = {
		.number = 7, .kind = PB_EVENT_PHASE, .code = 2, .level = 1, .count = 70000};
	struct pb_event_facts facts;
	struct pb_event_mark mark;

	pb_event_facts(&facts, &sample);
	ck_assert_uint_eq(facts.has, PB_HAS(PB_HAS_VOLTAGE));
	ck_assert_int_eq(facts.voltage_mv, 13000);
	pb_event_mark(&mark, &event);
	ck_assert_uint_eq(mark.number, 7);
	ck_assert_uint_eq(mark.count, 65534);
	ck_assert_str_eq(pb_event_name((enum pb_event_kind)mark.kind), "phase");
	ck_assert_str_eq(pb_event_name(PB_EVENT_COUNT), "?");
}
END_TEST

int main(void)
{
	TCase *tcase = tcase_create("events");

	tcase_add_checked_fixture(tcase, setup, teardown);
	tcase_add_test(tcase, empty);
	tcase_add_test(tcase, numbers_rise);
	tcase_add_test(tcase, what_repeats_moves_and_is_counted);
	tcase_add_test(tcase, another_code_level_or_kind_is_another_event);
	tcase_add_test(tcase, what_comes_later_is_not_counted);
	tcase_add_test(tcase, the_oldest_goes);
	tcase_add_test(tcase, what_flaps_does_not_push_out);
	tcase_add_test(tcase, texts_are_cleaned);
	tcase_add_test(tcase, facts_and_mark);
	return pb_run_suite("events/events", tcase);
}
