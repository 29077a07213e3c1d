/* SPDX-License-Identifier: MIT */
/*
 * What a session does with readings that cannot be, with a toy codec whose reply is F0 and a state
 * of charge in %, and FF for "no cells": the last reading stays, three in a row are too many, the
 * rhythm is kept, and in a search another dialect is tried.
 */
#include "../../src/pack/state.h"
#include "suite.h"

#include <errno.h>
#include <string.h>

enum { START = 0xF0, POLL_MS = 2000, STALE_S = 5, NO_CELLS = 0xFF };

static int toy_frame(const uint8_t *buf, size_t len, const struct pb_query *pending,
		     struct pb_frame *ret)
{
	*ret = (struct pb_frame){.bytes = buf, .len = 2, .command = pending ? pending->command : 0};
	if (buf[0] != START)
		return -EPROTO;
	ret->payload = buf + 1;
	ret->payload_len = 1;
	return len < 2 ? PB_FRAME_MORE : 2;
}

/* Beside it a temperature that cannot be, of which the reading does without. */
static int toy_decode(const struct pb_frame *frame, struct pb_sample *s)
{
	if (frame->payload[0] == NO_CELLS) {
		s->has |= PB_HAS(PB_HAS_CELLS);
		return -EPROTO;
	}
	s->soc_permille = frame->payload[0] * 10;
	s->temperature_mc[0] = 6280400;
	s->temperature_mc[1] = 20000;
	s->temperature_count = 2;
	s->temperature_has = 3;
	s->has |= PB_HAS(PB_HAS_SOC) | PB_HAS(PB_HAS_TEMPERATURES);
	return 0;
}

static const struct pb_query old_query = {
	.name = "old", .command = 2, .required = true, .len = 1, .bytes = {2}};
static const struct pb_codec old_codec = {.name = "toy",
					  .dialect = "old",
					  .queries = &old_query,
					  .query_count = 1,
					  .frame = toy_frame,
					  .decode = toy_decode};
static const struct pb_query new_query = {
	.name = "new", .command = 1, .required = true, .len = 1, .bytes = {1}};
static const struct pb_codec new_codec = {.name = "toy",
					  .dialect = "new",
					  .next = &old_codec,
					  .queries = &new_query,
					  .query_count = 1,
					  .frame = toy_frame,
					  .decode = toy_decode};

static struct session session;
static uint64_t now, deadline;
static size_t sends, publishes, closes, steps;
static uint8_t said[3]; /* what the board answers to request 1, 2; 0: nothing */

static void event(struct pb_session_event event)
{
	bool ask;

	do {
		unsigned int todo = pb_session_step(&session.head, &event, now, &deadline);
		static uint8_t reply[2] = {START};
		uint8_t answer = todo & PB_DO_SEND ? said[session.head.request->command] : 0;

		steps++;
		sends += !!(todo & PB_DO_SEND);
		publishes += !!(todo & PB_DO_PUBLISH);
		closes += !!(todo & PB_DO_CLOSE);
		reply[1] = answer;
		ask = answer || todo & PB_DO_OPEN;
		event = answer ? (struct pb_session_event){.type = PB_SESSION_DATA,
							   .bytes = reply,
							   .len = 2}
			       : (struct pb_session_event){.type = PB_SESSION_UP};
	} while (ask);
}

static void run(uint64_t ms)
{
	uint64_t until = now + ms;

	while (deadline <= until) {
		now = deadline > now ? deadline : now;
		event((struct pb_session_event){.type = PB_SESSION_TIME});
	}
	now = until;
}

static void begin(const struct pb_codec *codec, uint8_t first, uint8_t second)
{
	struct pb_session_config config = {
		.codec = codec,
		.poll_ms = POLL_MS,
		.reply_timeout_ms = 500,
		.tries = 2,
		.stale_after_s = STALE_S,
	};

	session_init(&session, &config);
	session.plan.requests.count = 0; /* nobody else has asked anything */
	now = 1000000;
	sends = publishes = closes = steps = 0;
	said[1] = first;
	said[2] = second;
	event((struct pb_session_event){.type = PB_SESSION_START});
	run(0);
}

/* One such reading: the last one stays, the connection too, and the next poll comes in its time. */
START_TEST(once)
{
	begin(&old_codec, 0, 50);
	ck_assert_uint_eq(publishes, 1);
	ck_assert_uint_eq(session.head.sample.temperature_has, 2);
	ck_assert_int_eq(session.head.sample.temperature_max_mc, 20000);
	said[2] = 101;
	sends = 0;
	run(POLL_MS);
	ck_assert_uint_eq(sends, 1);
	ck_assert_uint_eq(publishes, 1);
	ck_assert_int_eq(session.head.sample.soc_permille, 500);
	ck_assert_int_eq(pb_status_quality(&session.head.status, now), PB_QUALITY_GOOD);
	ck_assert_int_eq(session.head.status.last_error, PB_ERROR_IMPOSSIBLE);
	ck_assert_ptr_nonnull(
		strstr(session.head.note.text, "soc_permille is 1010, expected 0 to 1000"));
	said[2] = 51;
	run(POLL_MS);
	ck_assert_uint_eq(publishes, 2);
	ck_assert_uint_eq(closes, 0);
	ck_assert_uint_eq(session.head.status.failures, 1);
	ck_assert_uint_eq(session.head.status.impossible_readings, 1);
	ck_assert_uint_eq(session.head.status.impossible_values, 3);
}
END_TEST

/* As three failed polls: a new connection; until then, and from then on, no faster than polls. */
START_TEST(for_ever)
{
	begin(&old_codec, 0, 50);
	said[2] = 250;
	run(3 * POLL_MS - 1);
	ck_assert_uint_eq(closes, 0);
	ck_assert_int_eq(pb_status_quality(&session.head.status, now), PB_QUALITY_STALE);
	run(1);
	ck_assert_uint_eq(closes, 1);
	ck_assert_ptr_nonnull(
		strstr(session.head.note.text, "soc_permille is 2500, expected 0 to 1000"));
	sends = steps = 0;
	run(600000);
	ck_assert_uint_le(sends, 600000 / POLL_MS + 10);
	ck_assert_uint_le(steps, 3 * sends + 500);
	ck_assert_int_eq(session.head.sample.soc_permille, 500);
	ck_assert_int_ne(pb_status_quality(&session.head.status, now), PB_QUALITY_GOOD);
	ck_assert_uint_eq(publishes, 1);
}
END_TEST

/* What the codec cannot take is tried again at once, as often as other requests are. */
START_TEST(no_cells)
{
	char text[256];

	begin(&old_codec, 0, NO_CELLS);
	ck_assert_uint_eq(sends, 2);
	ck_assert_uint_eq(publishes, 0);
	pb_refusals_error_text(&session.head.refusals, session.head.status.last_error, text,
			       sizeof(text));
	ck_assert_str_eq(text, "a reply with impossible content: "
			       "cell_count is 0, the BMS sees no cells");
}
END_TEST

/* In a search: the other dialect in the same poll, and the reason is not lost over its silence. */
START_TEST(search)
{
	begin(&new_codec, 101, 50);
	ck_assert_uint_eq(publishes, 1);
	ck_assert_str_eq(session.head.codec->dialect, "old");

	begin(&new_codec, 101, 0);
	run(2000);
	ck_assert_uint_eq(publishes, 0);
	ck_assert_uint_ge(session.head.status.failures, 1);
	ck_assert_int_eq(session.head.status.last_error, PB_ERROR_IMPOSSIBLE);
}
END_TEST

int main(void)
{
	TCase *tcase = tcase_create("plausible");

	tcase_add_test(tcase, once);
	tcase_add_test(tcase, for_ever);
	tcase_add_test(tcase, no_cells);
	tcase_add_test(tcase, search);
	return pb_run_suite("pack/plausible", tcase);
}
