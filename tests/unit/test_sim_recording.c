/* SPDX-License-Identifier: MIT */
/* Recordings: what is taken, what is refused and where, and which reply a request gets. */
#include "packbridge/base.h"
#include "suite.h"

#include "../../src/sim/recording.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

static struct recording recording;
static char why[256];

static int parse(const char *text)
{
	return recording_parse(&recording, text, strlen(text), why, sizeof(why));
}

#define HEAD "packbridge recording 1\n"

START_TEST(events)
{
	ck_assert_int_eq(parse(HEAD "# a comment\n0 up\n\n35 > DDa503\r\n48 < 00\n48 < FF01\n"
				    "1200 down out of reach\n1300 down\n"),
			 0);
	ck_assert_uint_eq(recording.count, 6);
	ck_assert_int_eq(recording.events[0].kind, RECORDING_UP);
	ck_assert_int_eq(recording.events[1].kind, RECORDING_SENT);
	ck_assert_uint_eq(recording.events[1].ms, 35);
	ck_assert_mem_eq(recording.bytes + recording.events[1].at, "\xDD\xA5\x03", 3);
	ck_assert_uint_eq(recording.events[3].len, 2);
	ck_assert_mem_eq(recording.bytes + recording.events[3].at, "\xFF\x01", 2);
	ck_assert_str_eq((char *)recording.bytes + recording.events[4].at, "out of reach");
	ck_assert_str_eq((char *)recording.bytes + recording.events[5].at, "");
	recording_clear(&recording);
	ck_assert_int_eq(parse("packbridge recording 1"), 0);
	ck_assert_uint_eq(recording.count, 0);
	recording_clear(&recording);
}
END_TEST

static const struct {
	const char *text, *why;
} refused[] = {
	{"", "line 0: expected 'packbridge recording 1'"},
	{"packbridge recording 2\n", "line 1: expected 'packbridge recording 1'"},
	{HEAD "up\n", "line 2: expected the time in ms, then up, >, < or down"},
	{HEAD "5\n", "line 2: expected the time in ms, then up, >, < or down"},
	{HEAD "0 up\n-1 up\n", "line 3: expected the time in ms, then up, >, < or down"},
	{HEAD "9999999999999999 up\n", "line 2: expected the time in ms, then up, >, < or down"},
	{HEAD "5 up\n4 up\n", "line 3: expected a time that is not before the last one"},
	{HEAD "0 sideways\n", "line 2: expected up, > BYTES, < BYTES or down WHY"},
	{HEAD "0 > \n", "line 2: expected up, > BYTES, < BYTES or down WHY"},
	{HEAD "0 > D\n", "line 2: expected 1 to 1024 bytes as hex digits"},
	{HEAD "0 < 0G\n", "line 2: expected hex digits"},
	{HEAD "0 < 0xDD\n", "line 2: expected hex digits"},
	{HEAD "0 < DD  03\n", "line 2: expected hex digits"},
};

START_TEST(mistakes)
{
	ck_assert_int_eq(parse(refused[_i].text), -EINVAL);
	ck_assert_str_eq(why, refused[_i].why);
	ck_assert_ptr_null(recording.events);
}
END_TEST

START_TEST(too_long)
{
	char text[4096] = HEAD "0 < ";
	size_t len = strlen(text);

	memset(text + len, 'A', 2 * RECORDING_BYTES_MAX);
	ck_assert_int_eq(parse(text), 0);
	recording_clear(&recording);
	strcat(text, "AA");
	ck_assert_int_eq(parse(text), -EINVAL);
}
END_TEST

/* The same request gets what came after it the next time, and from the beginning again. */
START_TEST(finding)
{
	static const uint8_t one[] = {1}, two[] = {2}, none[] = {3};

	ck_assert_int_eq(parse(HEAD "0 up\n1 > 01\n2 < 0A\n3 > 02\n4 < 0B\n5 > 01\n6 < 0C\n"), 0);
	ck_assert_uint_eq(recording_find(&recording, 0, one, 1), 1);
	ck_assert_uint_eq(recording_find(&recording, 2, one, 1), 5);
	ck_assert_uint_eq(recording_find(&recording, 6, one, 1), 1);
	ck_assert_uint_eq(recording_find(&recording, 7, two, 1), 3);
	ck_assert_uint_eq(recording_find(&recording, 0, none, 1), SIZE_MAX);
	ck_assert_uint_eq(recording_find(&recording, 0, (const uint8_t[]){1, 1}, 2), SIZE_MAX);
	recording_clear(&recording);
	ck_assert_uint_eq(recording_find(&recording, 0, one, 1), SIZE_MAX);
}
END_TEST

int main(void)
{
	TCase *tcase = tcase_create("recording");

	tcase_add_test(tcase, events);
	tcase_add_loop_test(tcase, mistakes, 0, PB_ARRAY_SIZE(refused));
	tcase_add_test(tcase, too_long);
	tcase_add_test(tcase, finding);
	return pb_run_suite("sim/recording", tcase);
}
