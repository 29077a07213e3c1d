/* SPDX-License-Identifier: MIT */
#include "packbridge/base.h"
#include "suite.h"

enum { UP, DOWN };

START_TEST(each_message_is_said_once_a_minute)
{
	struct pb_repeat repeat = {0};

	ck_assert(pb_repeat_say(&repeat, UP, 0));
	ck_assert(pb_repeat_say(&repeat, DOWN, 10));
	ck_assert(!pb_repeat_say(&repeat, UP, 20));
	ck_assert(!pb_repeat_say(&repeat, UP, PB_REPEAT_MS - 1));
	ck_assert(pb_repeat_say(&repeat, PB_REPEAT_KEYS - 1, PB_REPEAT_MS - 1));
	ck_assert_uint_eq(pb_repeat_sum(&repeat, PB_REPEAT_MS - 1), 0);
	ck_assert_uint_eq(pb_repeat_due_ms(&repeat), PB_REPEAT_MS);
	ck_assert_uint_eq(pb_repeat_sum(&repeat, PB_REPEAT_MS), 2);
	ck_assert_uint_eq(pb_repeat_sum(&repeat, PB_REPEAT_MS), 0);
	ck_assert_uint_eq(pb_repeat_due_ms(&repeat), UINT64_MAX);
}
END_TEST

/* What goes on repeating is only summed up; what did not repeat is said anew. */
START_TEST(what_goes_on_is_only_summed_up)
{
	struct pb_repeat repeat = {0};
	unsigned int said = 0, sums = 0, summed = 0;

	for (uint64_t now_ms = 0; now_ms <= 10 * PB_REPEAT_MS; now_ms += 100) {
		unsigned int sum = pb_repeat_sum(&repeat, now_ms);

		sums += sum > 0;
		summed += sum;
		said += pb_repeat_say(&repeat, now_ms % 200 ? UP : DOWN, now_ms);
	}
	ck_assert_uint_eq(said, 2);
	ck_assert_uint_eq(sums, 10);
	ck_assert_uint_eq(said + summed + repeat.left_out, 10 * PB_REPEAT_MS / 100 + 1);
	ck_assert(pb_repeat_say(&repeat, 5, 10 * PB_REPEAT_MS));
}
END_TEST

/* A quiet minute ends it. */
START_TEST(after_a_quiet_minute_it_is_new)
{
	struct pb_repeat repeat = {0};
	const uint64_t later_ms = 3 * PB_REPEAT_MS;

	ck_assert(pb_repeat_say(&repeat, UP, 0));
	ck_assert(pb_repeat_say(&repeat, UP, PB_REPEAT_MS));
	ck_assert(!pb_repeat_say(&repeat, UP, PB_REPEAT_MS + 1));
	ck_assert_uint_eq(pb_repeat_sum(&repeat, 2 * PB_REPEAT_MS), 1);
	ck_assert(pb_repeat_say(&repeat, UP, later_ms));
	ck_assert_uint_eq(repeat.until_ms, later_ms + PB_REPEAT_MS);
}
END_TEST

/* Whoever asks for the sum late loses none of it. */
START_TEST(a_late_sum_has_all)
{
	struct pb_repeat repeat = {0};

	ck_assert(pb_repeat_say(&repeat, UP, 0));
	ck_assert(!pb_repeat_say(&repeat, UP, 1));
	ck_assert(!pb_repeat_say(&repeat, UP, 5 * PB_REPEAT_MS));
	ck_assert_uint_eq(pb_repeat_sum(&repeat, 6 * PB_REPEAT_MS), 2);
}
END_TEST

int main(void)
{
	TCase *tcase = tcase_create("repeat");

	tcase_add_test(tcase, each_message_is_said_once_a_minute);
	tcase_add_test(tcase, what_goes_on_is_only_summed_up);
	tcase_add_test(tcase, after_a_quiet_minute_it_is_new);
	tcase_add_test(tcase, a_late_sum_has_all);
	return pb_run_suite("repeat", tcase);
}
