/* SPDX-License-Identifier: MIT */
/* A history as text, and back. */
#include "packbridge/history.h"

#include "suite.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

enum { SAVED_MS = 5000000 };

static struct pb_history_record sample_record(void)
{
	struct pb_history_record record = {.name = "house"};
	struct pb_history_state *s = &record.state;

	strcpy(s->identity.address, "A4:C1:38:00:00:01");
	strcpy(s->identity.device_name, "My pack 1");
	s->identity.production_date = 20230405;
	s->charge.in = (struct pb_history_sum){123456, 7199999};
	s->charge.out = (struct pb_history_sum){654321, 1};
	s->energy.in = (struct pb_history_sum){INT64_C(5000000000), 17};
	s->energy.out = (struct pb_history_sum){4, 5};
	s->unmeasured_ms = 77000;
	s->begun = true;
	s->at_ms = SAVED_MS - 2000;
	s->has_full = s->full = true;
	s->full_ms = 1000000;
	s->full_charges = 12;
	s->top_mah = -300;
	s->last_discharge_mah = 17;
	s->deepest_discharge_mah = 90000;
	s->extreme_has = 1U << PB_EXTREME_CELL_LOWEST | 1U << PB_EXTREME_TEMPERATURE_LOWEST;
	s->extreme[PB_EXTREME_CELL_LOWEST] = 2900;
	s->extreme_ms[PB_EXTREME_CELL_LOWEST] = 4000000;
	s->extreme[PB_EXTREME_TEMPERATURE_LOWEST] = -12000;
	s->extreme_ms[PB_EXTREME_TEMPERATURE_LOWEST] = -9000000;
	s->protections = 5;
	s->protections_seen[PB_PROTECT_SHORT_CIRCUIT] = 3;
	s->protections_seen[PB_PROTECT_CELL_OVERVOLTAGE] = 9;
	s->day = 20786;
	s->day_ms = 3000000;
	s->day_in_mwh = 40;
	s->day_out_mwh = 3;
	s->yesterday = true;
	s->yesterday_in_mwh = 8;
	s->yesterday_out_mwh = 6;
	return record;
}

static int parse(const char *text, struct pb_history_record **ret, size_t *ret_count)
{
	unsigned int line;

	return pb_history_parse(text, strlen(text), 100, 300, ret, ret_count, &line);
}

/* At the same moment of another clock, all is as it was but for the current. */
START_TEST(test_there_and_back)
{
	struct pb_history_record record = sample_record(), *back;
	struct pb_history before, after;
	char text[2 * PB_HISTORY_RECORD_MAX], again[PB_HISTORY_RECORD_MAX];
	unsigned int line;
	size_t len = pb_history_print(&record, SAVED_MS, text), count;

	ck_assert_uint_eq(len, strlen(text));
	record.bank = true;
	strcpy(record.name, "bank-1");
	len += pb_history_print(&record, SAVED_MS, text + len);
	ck_assert_int_eq(pb_history_parse(text, len, 100, 10, &back, &count, &line), 0);
	ck_assert_uint_eq(count, 2);
	ck_assert_str_eq(back[0].name, "house");
	ck_assert(!back[0].bank && back[1].bank);
	pb_history_day(&record.state, 20786, SAVED_MS);
	pb_history_day(&back[0].state, 20786, 100);
	pb_history_show(&record.state, SAVED_MS, &before);
	pb_history_show(&back[0].state, 100, &after);
	ck_assert_int_eq(after.unmeasured_s, 79); /* and the 2 s behind the last reading */
	before.unmeasured_s = after.unmeasured_s;
	ck_assert_mem_eq(&before, &after, sizeof(before));
	ck_assert_str_eq(back[0].state.identity.device_name, "My pack 1");
	ck_assert(back[0].state.open);
	pb_history_print(&back[0], 100, again);
	ck_assert(strncmp(text, again, strlen(again)) == 0);
	free(back);
}
END_TEST

START_TEST(test_former)
{
	struct pb_history_record record = sample_record(), *back;
	char text[PB_HISTORY_RECORD_MAX];
	size_t count;

	record.former_s = 1764394800;
	pb_history_print(&record, SAVED_MS, text);
	ck_assert(strncmp(text, "former-pack house 1764394800\n", 29) == 0);
	ck_assert_int_eq(parse(text, &back, &count), 0);
	ck_assert_int_eq(back[0].former_s, 1764394800);
	free(back);
}
END_TEST

/* The largest record fits. */
START_TEST(test_largest)
{
	struct pb_history_record record = sample_record();
	struct pb_history_state *s = &record.state;
	char text[PB_HISTORY_RECORD_MAX];

	memset(record.name, 'x', sizeof(record.name) - 1);
	memset(s->identity.address, 'x', sizeof(s->identity.address) - 1);
	memset(s->identity.device_name, 'x', sizeof(s->identity.device_name) - 1);
	s->identity.production_date = 99999999;
	s->charge = s->energy = (struct pb_history_flow){{INT64_MAX / 2, PB_HISTORY_REST - 1},
							 {INT64_MAX / 2, PB_HISTORY_REST - 1}};
	s->unmeasured_ms = s->top_mah = s->last_discharge_mah = s->deepest_discharge_mah =
		INT64_MAX / 2;
	s->day_in_mwh = s->day_out_mwh = s->yesterday_in_mwh = s->yesterday_out_mwh = INT64_MAX;
	s->extreme_has = (1U << PB_EXTREME_COUNT) - 1;
	s->full_ms = -INT64_MAX / 2;
	for (int i = 0; i < PB_EXTREME_COUNT; i++) {
		s->extreme[i] = INT32_MIN;
		s->extreme_ms[i] = -INT64_MAX / 2;
	}
	for (int i = 0; i < PB_PROTECT_COUNT; i++)
		s->protections_seen[i] = UINT32_MAX;
	record.former_s = INT64_MAX;
	ck_assert_uint_lt(pb_history_print(&record, SAVED_MS, text), PB_HISTORY_RECORD_MAX - 1);
}
END_TEST

START_TEST(test_bad)
{
	static const char *const bad[] = {
		"pack\n",
		"pack aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\n",
		"former-pack house\n",
		"former-pack house x\n",
		"pack house\n charged_mah x\n",
		"pack house\n charged_mah -1\n",
		"pack house\n charged_mah 99999999999999999999999999999999999999999999999999\n",
		"pack house\n charged_mah 1 7200000\n",
		"pack house\n cell_lowest_mv 1 -1\n",
		"pack house\n full_charges -1\n",
		"pack house\n seen short_circuit\n",
		"pack house\n seen short_circuit x\n",
		"pack house\n day 0\n",
		"pack house\n yesterday_mwh x\n",
		"pack house\n production_date x\n",
		"pack house\n protections_active x\n",
	};

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		struct pb_history_record *records;
		unsigned int line;
		size_t count;

		ck_assert_int_eq(
			pb_history_parse(bad[i], strlen(bad[i]), 0, 10, &records, &count, &line),
			-EBADMSG);
		ck_assert_uint_eq(line, strncmp(bad[i], "pack house", 10) == 0 ? 2 : 1);
	}
}
END_TEST

START_TEST(test_unknown)
{
	struct pb_history_record *records;
	size_t count;

	ck_assert_int_eq(parse("# said before\nlater 1\npack a\n later word 7\n seen later 2\n"
			       " charged_mah 5\n",
			       &records, &count),
			 0);
	ck_assert_uint_eq(count, 1);
	ck_assert_int_eq(records[0].state.charge.in.whole, 5);
	free(records);
	ck_assert_int_eq(parse("", &records, &count), 0);
	ck_assert_uint_eq(count, 0);
	free(records);
}
END_TEST

START_TEST(test_many)
{
	struct pb_history_record *records;
	char text[100 * 16] = "";
	unsigned int line;
	size_t count;

	for (int i = 0; i < 100; i++)
		snprintf(text + strlen(text), 16, "pack p%d\n", i);
	ck_assert_int_eq(parse(text, &records, &count), 0);
	ck_assert_uint_eq(count, 100);
	ck_assert_str_eq(records[99].name, "p99");
	free(records);
	ck_assert_int_eq(pb_history_parse(text, strlen(text), 0, 70, &records, &count, &line), 0);
	ck_assert_uint_eq(count, 70);
	free(records);
}
END_TEST

int main(void)
{
	TCase *tcase = tcase_create("text");

	tcase_add_test(tcase, test_there_and_back);
	tcase_add_test(tcase, test_former);
	tcase_add_test(tcase, test_largest);
	tcase_add_test(tcase, test_bad);
	tcase_add_test(tcase, test_unknown);
	tcase_add_test(tcase, test_many);
	return pb_run_suite("history", tcase);
}
