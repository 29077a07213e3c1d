/* SPDX-License-Identifier: MIT */
#include "suite.h"

#include "packbridge/base.h"

#include <stdio.h>
#include <string.h>

static const struct {
	const char *text, *clean;
} texts[] = {
	{"", ""},
	{"xiaoxiang BMS", "xiaoxiang BMS"},
	{"Gr\u00fc\u00dfe, \u7535\u6c60, \U0001f50b", "Gr\u00fc\u00dfe, \u7535\u6c60, \U0001f50b"},
	/* controls: C0, DEL, C1 */
	{"DL-\033]0;owned\007x", "DL-?]0;owned?x"},
	{"\001\010\016\037\177", "?????"},
	{"a\xc2\x80\xc2\x9b"
	 "31mb\xc2\x9f"
	 "c",
	 "a??31mb?c"},
	/* what parts words */
	{"a\nb\r\nc\td\ve\ff\xc2\x85g\u2028h\u2029i", "a b  c d e f g h i"},
	/* what shows nothing, or turns the direction */
	{"a\u200bb\u200cc\u200dd\u200ee\u200ff", "a?b?c?d?e?f"},
	{"\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069", "?????????"},
	{"\ufeffa\u2060b\u00adc\u061cd\u034fe\ufe0ff", "?a?b?c?d?e?f"},
	{"x\U000e0041\U000e0020y\U000e0100z", "x??y?z"},
	{"\u3164\uffa0\u115f\u180e\ufff9\ufffb", "??????"},
	{"\ufffe\uffff\U0010ffff\ufdd0", "????"},
	/* broken: a cut end, a lone middle, overlong, a surrogate, too high, never a lead */
	{"ab\xe2\x82", "ab?"},
	{"ab\xf0\x9f\x98", "ab?"},
	{"a\x80\x80z", "a?z"},
	{"a\xc3z", "a?z"},
	{"a\xc0\xafz", "a?z"},
	{"a\xe0\x80\x9bz", "a?z"},
	{"a\xed\xa0\x80z", "a?z"},
	{"a\xf4\x90\x80\x80z", "a?z"},
	{"a\xff\xfez", "a??z"},
	{"a\xf8\x88\x80\x80\x80z", "a?z"},
	/* a broken one eats nothing behind it */
	{"a\xe2\033z", "a??z"},
	{"a\xe2\xc3\xa4z", "a?\u00e4z"},
};

START_TEST(texts_are_cleaned)
{
	char out[128], same[128];

	pb_text_clean(out, sizeof(out), texts[_i].text, strlen(texts[_i].text));
	ck_assert_str_eq(out, texts[_i].clean);
	/* in its own place; and what is clean stays */
	snprintf(same, sizeof(same), "%s", texts[_i].text);
	ck_assert_ptr_eq(pb_text_clean(same, sizeof(same), same, strlen(same)), same);
	ck_assert_str_eq(same, out);
	pb_text_clean(same, sizeof(same), same, strlen(same));
	ck_assert_str_eq(same, out);
}
END_TEST

/* Whatever the bytes are, what comes out is clean and fits. */
START_TEST(any_bytes_come_out_clean)
{
	struct pb_random random;

	pb_random_seed(&random, 1);
	for (int round = 0; round < 20000; round++) {
		char text[24], out[16], again[16];
		size_t len = pb_random_below(&random, sizeof(text));
		size_t cap = 1 + pb_random_below(&random, sizeof(out));

		for (size_t i = 0; i < len; i++)
			text[i] = (char)pb_random_next(&random);
		pb_text_clean(out, cap, text, len);
		ck_assert_uint_lt(strlen(out), cap);
		for (const char *c = out; *c; c++)
			ck_assert((unsigned char)*c >= 0x20 && *c != 0x7F);
		pb_text_clean(again, sizeof(again), out, strlen(out));
		ck_assert_str_eq(again, out);
	}
}
END_TEST

START_TEST(cut_between_characters)
{
	static const char text[] = "a\u00e4\u20ac\U0001f50bz";
	static const char *const cuts[] = {
		"",
		"a",
		"a",
		"a\u00e4",
		"a\u00e4",
		"a\u00e4",
		"a\u00e4\u20ac",
		"a\u00e4\u20ac",
		"a\u00e4\u20ac",
		"a\u00e4\u20ac",
		"a\u00e4\u20ac\U0001f50b",
		"a\u00e4\u20ac\U0001f50bz",
	};
	char out[16];

	for (size_t i = 0; i < PB_ARRAY_SIZE(cuts); i++) {
		pb_text_clean(out, i + 1, text, strlen(text));
		ck_assert_str_eq(out, cuts[i]);
	}
	/* a length that ends within a character */
	pb_text_clean(out, sizeof(out), text, 2);
	ck_assert_str_eq(out, "a?");
	/* a NUL ends it, too */
	pb_text_clean(out, sizeof(out), "ab\0c", 4);
	ck_assert_str_eq(out, "ab");
}
END_TEST

int main(void)
{
	TCase *tcase = tcase_create("clean");

	tcase_add_loop_test(tcase, texts_are_cleaned, 0, PB_ARRAY_SIZE(texts));
	tcase_add_test(tcase, any_bytes_come_out_clean);
	tcase_add_test(tcase, cut_between_characters);
	return pb_run_suite("clean", tcase);
}
