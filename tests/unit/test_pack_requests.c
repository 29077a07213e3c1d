/* SPDX-License-Identifier: MIT */
/* Which request may a reply answer, and how old is it then at most? */
#include "../../src/pack/requests.h"
#include "suite.h"

static const struct pb_codec *const jbd = &pb_codec_jbd, *const jk = &pb_codec_jk;
static struct pb_requests list;

static void begin(void)
{
	list = (struct pb_requests){0};
}

START_TEST(one_reply_a_request)
{
	begin();
	requests_sent(&list, jbd, 3, 1000);
	ck_assert_uint_eq(requests_open(&list, jbd, 3), 1);
	ck_assert_uint_eq(requests_open(&list, jbd, 4), 0);
	ck_assert_uint_eq(requests_open(&list, jk, 3), 0);
	ck_assert_uint_eq(requests_answered(&list, jk, 3), 0);
	ck_assert_uint_eq(requests_answered(&list, jbd, 3), 1000);
	ck_assert_uint_eq(requests_answered(&list, jbd, 3), 0);
}
END_TEST

/* Daly's replies to host 80 and to host 40 are the same bytes. */
START_TEST(dialects_share_replies)
{
	const struct pb_codec *host_80 = pb_codec_daly.next->next, *host_40 = host_80->next;

	begin();
	requests_sent(&list, host_80, 0x90, 1000);
	requests_sent(&list, host_40, 0x90, 2000);
	ck_assert_uint_eq(requests_open(&list, host_40, 0x90), 2);
	ck_assert_uint_eq(requests_answered(&list, host_40, 0x90), 1000);
	ck_assert_uint_eq(requests_answered(&list, host_80, 0x90), 2000);
}
END_TEST

/* A list that is full of what was sent long ago would never tell a new time again. */
START_TEST(long_ago)
{
	begin();
	for (uint64_t n = 1; n <= 40; n++) {
		requests_sent(&list, jbd, 3, 1000 * n);
		requests_sent(&list, jk, 4, 1000 * n);
		requests_sent_long_ago(&list, 1);
		requests_expect(&list, jbd, 3, 2, 1);
	}
	ck_assert_uint_eq(list.count, 2);
	ck_assert_uint_eq(requests_open(&list, jbd, 3), 3 * 40);
	ck_assert_uint_eq(requests_newest_ms(&list, jbd, 3), 1);
	requests_sent(&list, jbd, 3, 90000);
	ck_assert_uint_eq(requests_newest_ms(&list, jbd, 3), 90000);
	for (int n = 0; n < 3 * 40; n++)
		ck_assert_uint_eq(requests_answered(&list, jbd, 3), 1);
	ck_assert_uint_eq(requests_answered(&list, jbd, 3), 90000);
}
END_TEST

/* The oldest one that it may answer; those before it will not be answered any more. */
START_TEST(oldest_first)
{
	begin();
	requests_sent(&list, jbd, 3, 1000);
	requests_sent(&list, jbd, 4, 2000);
	requests_sent(&list, jbd, 3, 3000);
	requests_sent(&list, jbd, 4, 4000);
	ck_assert_uint_eq(requests_answered(&list, jbd, 4), 2000);
	ck_assert_uint_eq(requests_open(&list, jbd, 3), 1);
	ck_assert_uint_eq(requests_answered(&list, jbd, 4), 4000);
	ck_assert_uint_eq(list.count, 0);
}
END_TEST

/* Sent in the same millisecond: either may have gone first, so both stay. */
START_TEST(same_time)
{
	begin();
	requests_sent(&list, jbd, 3, 1000);
	requests_sent(&list, jbd, 4, 1000);
	ck_assert_uint_eq(requests_answered(&list, jbd, 4), 1000);
	ck_assert_uint_eq(requests_answered(&list, jbd, 3), 1000);
}
END_TEST

/*
 * More requests than places: however many replies are left out, no reply counts as younger than the
 * request that it answers; and when nothing is lost, the last one is exact again.
 */
START_TEST(full_list)
{
	enum { SENT = 3 * PB_REQUESTS_MAX };
	int lost = _i;

	begin();
	for (uint64_t n = 0; n < SENT; n++)
		requests_sent(&list, jbd, (uint16_t)(3 + n % 2), 1000 * (n + 1));
	ck_assert_uint_le(list.count, PB_REQUESTS_MAX);
	for (uint64_t n = 0; n < SENT; n++) {
		uint64_t sent_ms = 1000 * (n + 1), at_ms;

		if (lost && n % (unsigned int)(lost + 1) == 0)
			continue;
		at_ms = requests_answered(&list, jbd, (uint16_t)(3 + n % 2));
		ck_assert_uint_gt(at_ms, 0);
		ck_assert_uint_le(at_ms, sent_ms);
		if (!lost && n >= SENT - 2)
			ck_assert_uint_eq(at_ms, sent_ms);
	}
}
END_TEST

/* A request of a kind that was not open before clears a list that overflowed. */
/* What is sent again and again must not blur what is sent rarely: that alone tells a new time. */
START_TEST(full_list_keeps_rare_commands)
{
	begin();
	for (uint64_t rare = 1; rare <= 3; rare++) {
		requests_sent(&list, jk, 0x96, rare * 1000000);
		for (uint64_t n = 1; n <= 4 * PB_REQUESTS_MAX; n++)
			requests_sent(&list, jk, 0x97, rare * 1000000 + 500 * n);
	}
	ck_assert_uint_eq(requests_open(&list, jk, 0x97), 3 * 4 * PB_REQUESTS_MAX);
	for (uint64_t rare = 1; rare <= 3; rare++)
		ck_assert_uint_eq(requests_answered(&list, jk, 0x96), rare * 1000000);
	ck_assert_uint_ge(requests_answered(&list, jk, 0x97), 3000000);
}
END_TEST

START_TEST(full_list_is_cleared)
{
	begin();
	for (uint64_t n = 1; n <= 1000; n++)
		requests_sent(&list, jbd, 3, 1000 * n);
	requests_sent(&list, jbd, 5, 2000000);
	requests_sent(&list, jbd, 3, 3000000);
	ck_assert_uint_eq(requests_answered(&list, jbd, 5), 2000000);
	ck_assert_uint_eq(requests_open(&list, jbd, 3), 1);
	ck_assert_uint_eq(requests_answered(&list, jbd, 3), 3000000);
}
END_TEST

/* More kinds than places: what is left out counts for every kind. */
START_TEST(more_kinds_than_places)
{
	uint64_t at_ms;

	begin();
	for (uint16_t n = 0; n < 2 * PB_REQUESTS_MAX; n++)
		requests_sent(&list, jbd, n, 1000 * (n + 1u));
	for (uint16_t n = 0; n < 2 * PB_REQUESTS_MAX; n++) {
		at_ms = requests_answered(&list, jbd, n);
		ck_assert_uint_gt(at_ms, 0);
		ck_assert_uint_le(at_ms, 1000 * (n + 1u));
	}
}
END_TEST

/* A request that waited for its turn is as young as when it left; earlier ones stay. */
START_TEST(left_later)
{
	begin();
	requests_left(&list, jbd, 3, 1500);
	ck_assert_uint_eq(list.count, 0);
	requests_sent(&list, jbd, 3, 1000);
	requests_sent(&list, jbd, 3, 2000);
	requests_left(&list, jbd, 3, 2500);
	ck_assert_uint_eq(requests_answered(&list, jbd, 3), 1000);
	ck_assert_uint_eq(requests_answered(&list, jbd, 3), 2500);
	/* not clear: another command was noted last, or two at one time */
	requests_sent(&list, jbd, 3, 3000);
	requests_left(&list, jbd, 4, 3500);
	requests_left(&list, jk, 3, 3500);
	requests_sent(&list, jbd, 3, 3000);
	requests_left(&list, jbd, 3, 3500);
	ck_assert_uint_eq(requests_answered(&list, jbd, 3), 3000);
}
END_TEST

int main(void)
{
	TCase *tcase = tcase_create("requests");

	tcase_add_test(tcase, one_reply_a_request);
	tcase_add_test(tcase, left_later);
	tcase_add_test(tcase, dialects_share_replies);
	tcase_add_test(tcase, long_ago);
	tcase_add_test(tcase, oldest_first);
	tcase_add_test(tcase, same_time);
	tcase_add_loop_test(tcase, full_list, 0, 5);
	tcase_add_test(tcase, full_list_is_cleared);
	tcase_add_test(tcase, full_list_keeps_rare_commands);
	tcase_add_test(tcase, more_kinds_than_places);
	return pb_run_suite("pack/requests", tcase);
}
