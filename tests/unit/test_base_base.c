/* SPDX-License-Identifier: MIT */
#include "packbridge/base.h"
#include "suite.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static const struct {
	int64_t value, num, den, expected;
} scales[] = {
	{13320, 1, 10, 1332},
	{13325, 1, 10, 1333},
	{-13325, 1, 10, -1333},
	{13324, 1, 10, 1332},
	{5, -1, 1, -5},
	{5, 1, -2, -3},
	{0, 7, 3, 0},
	{INT64_MAX, 10, 1, INT64_MAX},
	{INT64_MIN, 10, 1, INT64_MIN},
	{INT64_MIN, -1, 1, INT64_MAX},
	{INT64_MAX, 10, 10, INT64_MAX},
	/* products of more than 64 bits, on machines of 32 bits as well */
	{INT64_MAX, INT64_MAX, INT64_MAX, INT64_MAX},
	{INT64_MIN, INT64_MIN, INT64_MAX, INT64_MAX},
	{INT64_MIN, INT64_MAX, INT64_MIN, INT64_MAX},
	{INT64_MIN, INT64_MIN, INT64_MIN, INT64_MIN},
	{INT64_C(6000000000000000000), 3, 4, INT64_C(4500000000000000000)},
	{INT64_C(-6000000000000000001), 3, 4, INT64_C(-4500000000000000001)},
	{INT64_C(1) << 62, (INT64_C(1) << 62) + 1, INT64_C(1) << 62, (INT64_C(1) << 62) + 1},
	{(INT64_C(1) << 62) + 1, 2, INT64_C(1) << 62, 2},
	{(INT64_C(3) << 61) - 1, INT64_C(1) << 40, INT64_C(1) << 62, INT64_C(1649267441664)},
	{INT64_MAX - 1, 3, INT64_MIN + 1, -3},
};

START_TEST(scale)
{
	ck_assert_int_eq(pb_scale(scales[_i].value, scales[_i].num, scales[_i].den),
			 scales[_i].expected);
}
END_TEST

static const struct {
	const char *text;
	int result;
	int64_t num, den;
} ratios[] = {
	{"1", 0, 1, 1},
	{"0.1", 0, 1, 10},
	{"-0.1", 0, -1, 10},
	{"2.50", 0, 5, 2},
	{"+10", 0, 10, 1},
	{".5", 0, 1, 2},
	{"0", 0, 0, 1},
	{"0.000000001", 0, 1, 1000000000},
	{"0.0000000001", -ERANGE, 0, 0},
	{"99999999999999999999", -ERANGE, 0, 0},
	{"", -EINVAL, 0, 0},
	{".", -EINVAL, 0, 0},
	{"-", -EINVAL, 0, 0},
	{"1.2.3", -EINVAL, 0, 0},
	{"1e3", -EINVAL, 0, 0},
	{" 1", -EINVAL, 0, 0},
	{"1 ", -EINVAL, 0, 0},
};

START_TEST(ratio)
{
	int64_t num = 77, den = 77;

	ck_assert_int_eq(pb_ratio_parse(ratios[_i].text, &num, &den), ratios[_i].result);
	ck_assert_int_eq(num, ratios[_i].result ? 77 : ratios[_i].num);
	ck_assert_int_eq(den, ratios[_i].result ? 77 : ratios[_i].den);
}
END_TEST

static const struct {
	const char *text;
	int result;
	int64_t value;
} ints[] = {
	{"0", 0, 0},	     {"100", 0, 100},	   {"-100", 0, -100},
	{"0x10", 0, 16},     {"0XfF", 0, 255},	   {"010", 0, 10},
	{"101", -ERANGE, 0}, {"-101", -ERANGE, 0}, {"99999999999999999999999", -ERANGE, 0},
	{"", -EINVAL, 0},    {"0x", -EINVAL, 0},   {"-", -EINVAL, 0},
	{"1x", -EINVAL, 0},  {" 1", -EINVAL, 0},   {"1.5", -EINVAL, 0},
	{"ten", -EINVAL, 0},
};

START_TEST(integer)
{
	int64_t value = 77;
	int64_t max = ints[_i].value == 255 ? 255 : 100;

	ck_assert_int_eq(pb_int_parse(ints[_i].text, -100, max, &value), ints[_i].result);
	ck_assert_int_eq(value, ints[_i].result ? 77 : ints[_i].value);
}
END_TEST

START_TEST(hex)
{
	uint8_t bytes[4];
	char text[16];

	ck_assert_int_eq(pb_hex_parse("dd A5:03-0x00", bytes, sizeof(bytes)), 4);
	ck_assert_mem_eq(bytes, "\xDD\xA5\x03\x00", 4);
	ck_assert_int_eq(pb_hex_parse("", bytes, sizeof(bytes)), 0);
	ck_assert_int_eq(pb_hex_parse("dda50300ff", bytes, sizeof(bytes)), -ENOSPC);
	ck_assert_int_eq(pb_hex_parse("dda", bytes, sizeof(bytes)), -EINVAL);
	ck_assert_int_eq(pb_hex_parse("d d", bytes, sizeof(bytes)), -EINVAL);
	ck_assert_int_eq(pb_hex_parse("0x", bytes, sizeof(bytes)), -EINVAL);
	ck_assert_int_eq(pb_hex_parse("gg", bytes, sizeof(bytes)), -EINVAL);
	pb_hex_print(text, sizeof(text), bytes, 3, ' ');
	ck_assert_str_eq(text, "DD A5 03");
	pb_hex_print(text, 6, bytes, 3, 0);
	ck_assert_str_eq(text, "DDA5");
}
END_TEST

/* Every size of the text: as many whole pairs as fit, and never more. */
START_TEST(hex_room)
{
	static const uint8_t bytes[] = {0x12, 0x34, 0x56, 0x78};

	for (size_t cap = 0; cap < 16; cap++) {
		for (int sep = 0; sep < 2; sep++) {
			char text[17];
			size_t fit = cap < 3 ? 0 : sep ? cap / 3 : (cap - 1) / 2;

			memset(text, '?', sizeof(text));
			if (fit > sizeof(bytes))
				fit = sizeof(bytes);
			ck_assert_uint_eq(pb_hex_print(text, cap, bytes, 4, sep ? ':' : 0), fit);
			if (cap)
				ck_assert_uint_eq(strlen(text), sep && fit ? 3 * fit - 1 : 2 * fit);
			ck_assert_int_eq(text[cap], '?');
		}
	}
}
END_TEST

START_TEST(hex_trace)
{
	static const uint8_t bytes[100];
	char text[64], whole[300];

	pb_hex_trace(text, sizeof(text), bytes, 21);
	ck_assert_uint_eq(strlen(text), 62);
	pb_hex_trace(text, sizeof(text), bytes, 100);
	ck_assert_str_eq(text, "00 00 00 00 00 00 00 00 00 00 and 90 bytes more");
	pb_hex_trace(whole, sizeof(whole), bytes, 100);
	ck_assert_ptr_null(strstr(whole, "more"));
	ck_assert_uint_eq(strlen(whole), 299);
}
END_TEST

START_TEST(nearest)
{
	static const char *const words[] = {"poll_ms", "packs", "listen", "link", NULL};

	ck_assert_str_eq(pb_nearest("pol_ms", words), "poll_ms");
	ck_assert_str_eq(pb_nearest("pack", words), "packs");
	ck_assert_str_eq(pb_nearest("lnik", words), "link");
	ck_assert_ptr_null(pb_nearest("temperature", words));
	ck_assert_ptr_null(
		pb_nearest("a-word-far-longer-than-any-that-could-be-meant-here", words));
}
END_TEST

START_TEST(random_course)
{
	struct pb_random a, b, c;
	unsigned int same = 0, low = 0;

	pb_random_seed(&a, 1);
	pb_random_seed(&b, 1);
	pb_random_seed(&c, 2);
	for (int i = 0; i < 1000; i++) {
		uint32_t value = pb_random_next(&a);

		ck_assert_uint_eq(value, pb_random_next(&b));
		same += value == pb_random_next(&c);
		low += pb_random_below(&a, 10) < 5;
		pb_random_below(&b, 10);
	}
	ck_assert_uint_lt(same, 3);
	ck_assert_uint_gt(low, 400);
	ck_assert_uint_lt(low, 600);
	ck_assert_uint_eq(pb_random_below(&a, 0), 0);
}
END_TEST

START_TEST(clock_goes_on)
{
	uint64_t before = pb_now_ms();

	ck_assert_uint_gt(before, 0);
	ck_assert_uint_ge(pb_now_ms(), before);
}
END_TEST

int main(void)
{
	TCase *tcase = tcase_create("base");

	tcase_add_loop_test(tcase, scale, 0, PB_ARRAY_SIZE(scales));
	tcase_add_loop_test(tcase, ratio, 0, PB_ARRAY_SIZE(ratios));
	tcase_add_loop_test(tcase, integer, 0, PB_ARRAY_SIZE(ints));
	tcase_add_test(tcase, hex);
	tcase_add_test(tcase, hex_room);
	tcase_add_test(tcase, hex_trace);
	tcase_add_test(tcase, nearest);
	tcase_add_test(tcase, random_course);
	tcase_add_test(tcase, clock_goes_on);
	return pb_run_suite("base", tcase);
}
