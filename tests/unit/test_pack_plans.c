/* SPDX-License-Identifier: MIT */
/*
 * What a session makes of a codec's plan, with toy codecs whose frames are F0 command value:
 * requests before all others, replies in parts, boards that send by themselves, requests that a
 * board does not know, and dialects.
 */
#include "../../src/pack/state.h"
#include "suite.h"
#include "toy_frame.h"

#include <errno.h>
#include <string.h>

enum {
	REFUSED = 0x40,
	BEFORE = 0x01,
	VOLTS = 0x02,
	PARTS = 0x03,
	EXTRA = 0x04,
	AFTER = 0x05,
	NOTE = 0x06
};
enum { OTHER_START = 0xE0, PARTS_COUNT = 3 };

static int frame_from(uint8_t start, const uint8_t *buf, size_t len, struct pb_frame *ret)
{
	int r = toy_frame_from(start, buf, len, ret);

	if (r <= 0)
		return r;
	ret->kind = buf[1] == NOTE ? PB_FRAME_NOTICE : PB_FRAME_REPLY;
	ret->command = (uint16_t)(buf[1] == NOTE ? VOLTS : buf[1] & ~REFUSED);
	ret->status = buf[1] & REFUSED ? buf[2] : 0;
	ret->in_parts = ret->command == PARTS;
	return r;
}

static int toy_frame(const uint8_t *buf, size_t len, const struct pb_query *pending,
		     struct pb_frame *ret)
{
	(void)pending;
	return frame_from(TOY_START, buf, len, ret);
}

static int other_frame(const uint8_t *buf, size_t len, const struct pb_query *pending,
		       struct pb_frame *ret)
{
	(void)pending;
	return frame_from(OTHER_START, buf, len, ret);
}

/* volts are told only to those who know what BEFORE said */
static int toy_decode(const struct pb_frame *frame, struct pb_sample *s)
{
	int32_t value = frame->payload[0];

	switch (frame->kind == PB_FRAME_NOTICE ? NOTE : frame->command) {
	case BEFORE:
		s->carry.layout = (uint8_t)value;
		return 0;
	case VOLTS:
		s->voltage_mv = value * 1000 + s->carry.layout;
		s->has |= PB_HAS(PB_HAS_VOLTAGE);
		return 0;
	case PARTS:
		s->cell_count = PARTS_COUNT;
		s->cell_mv[value - 1] = 4000 + value; /* 12 V together */
		s->cell_has |= UINT64_C(1) << (value - 1);
		s->has |= PB_HAS(PB_HAS_CELLS);
		return s->cell_has != 7;
	case EXTRA:
		s->cycles = value;
		s->has |= PB_HAS(PB_HAS_CYCLES);
		return 0;
	case AFTER:
	case NOTE:
		if (value == 0)
			return 0;
		s->nominal_mah = value;
		s->has |= PB_HAS(PB_HAS_NOMINAL);
		return 0;
	default:
		return 0;
	}
}

static const struct pb_query full_plan[] = {
	{"after", AFTER, .when = PB_ONCE_AFTER, .len = 1, .bytes = {AFTER}},
	{"volts", VOLTS, .required = true, .len = 1, .bytes = {VOLTS}},
	{"parts", PARTS, .required = true, .len = 1, .bytes = {PARTS}},
	{"extra", EXTRA, .len = 1, .bytes = {EXTRA}},
	{"before", BEFORE, .when = PB_ONCE_BEFORE, .len = 1, .bytes = {BEFORE}},
};

static const struct pb_query stream_plan[] = {
	{"before", BEFORE, .when = PB_ONCE_BEFORE, .len = 1, .bytes = {BEFORE}},
	{"volts", VOLTS, .required = true, .streams = true, .len = 1, .bytes = {VOLTS}},
};

static const struct pb_query fenced_plan[] = {
	{"volts", VOLTS, .required = true, .len = 1, .bytes = {VOLTS}},
	{"after", AFTER, .when = PB_ONCE_AFTER, .len = 1, .bytes = {AFTER}},
};

static const struct pb_query other_plan[] = {
	{"volts", VOLTS, .required = true, .len = 1, .bytes = {0x80 | VOLTS}},
};

static const struct pb_codec full = {.name = "toy",
				     .queries = full_plan,
				     .query_count = PB_ARRAY_SIZE(full_plan),
				     .frame = toy_frame,
				     .decode = toy_decode};
static const struct pb_codec streaming = {.name = "toy",
					  .queries = stream_plan,
					  .query_count = PB_ARRAY_SIZE(stream_plan),
					  .frame = toy_frame,
					  .decode = toy_decode};
static const struct pb_codec newer = {.name = "toy",
				      .dialect = "new",
				      .queries = full_plan,
				      .query_count = PB_ARRAY_SIZE(full_plan),
				      .frame = toy_frame,
				      .decode = toy_decode};
static const struct pb_codec fenced = {.name = "toy",
				       .queries = fenced_plan,
				       .query_count = PB_ARRAY_SIZE(fenced_plan),
				       .frame = toy_frame,
				       .decode = toy_decode};
static const struct pb_codec alone = {.name = "toy",
				      .queries = other_plan,
				      .query_count = 1,
				      .frame = other_frame,
				      .decode = toy_decode};
static const struct pb_codec older = {.name = "toy",
				      .dialect = "old",
				      .next = &newer,
				      .queries = other_plan,
				      .query_count = 1,
				      .frame = other_frame,
				      .decode = toy_decode};

static struct session session;
static uint64_t now, deadline;
static uint8_t sent[64];
static size_t sends, publishes, closes;

static void event(struct pb_session_event what)
{
	unsigned int todo = pb_session_step(&session.head, &what, now, &deadline);

	if (todo & PB_DO_SEND)
		sent[sends++ % sizeof(sent)] = session.head.request->bytes[0];
	publishes += (todo & PB_DO_PUBLISH) != 0;
	closes += (todo & PB_DO_CLOSE) != 0;
}

/* Lets time pass, in which nothing comes. */
static void pass(uint64_t ms)
{
	uint64_t until = now + ms;

	for (int steps = 0; deadline <= until; steps++) {
		ck_assert_int_lt(steps, 1000);
		now = deadline > now ? deadline : now;
		event((struct pb_session_event){.type = PB_SESSION_TIME});
	}
	now = until;
}

static void give_from(uint8_t start, uint8_t command, uint8_t value)
{
	uint8_t bytes[] = {start, command, value};

	event((struct pb_session_event){.type = PB_SESSION_DATA, .bytes = bytes, .len = 3});
}

static void give(uint8_t command, uint8_t value)
{
	give_from(TOY_START, command, value);
}

/* The last request was @command: a moment later, its reply. */
static void answer(uint8_t command, uint8_t value)
{
	pass(0);
	ck_assert_uint_eq(sent[(sends - 1) % sizeof(sent)], command);
	now += 50;
	give(command, value);
}

static void begin(const struct pb_codec *codec)
{
	struct pb_session_config config = {
		.codec = codec,
		.poll_ms = 5000,
		.reply_timeout_ms = 1000,
		.tries = 3,
		.stale_after_s = 15,
	};

	session_init(&session, &config);
	session.plan.requests.count = 0; /* nobody else has asked anything */
	now = 1000000;
	sends = publishes = closes = 0;
	event((struct pb_session_event){.type = PB_SESSION_START});
	event((struct pb_session_event){.type = PB_SESSION_UP});
	pass(0);
}

static void answer_parts(void)
{
	for (uint8_t i = 1; i <= PARTS_COUNT; i++)
		answer(PARTS, i);
}

static void next_poll(void)
{
	ck_assert_int_eq(session.head.state, PB_STATE_RESTING);
	pass(deadline - now);
}

static void expect_sent(const uint8_t *bytes, size_t count)
{
	ck_assert_uint_eq(sends, count);
	ck_assert_mem_eq(sent, bytes, count);
}

/* BEFORE first, wherever it stands; a reply in parts is one reply; AFTER shows a poll later. */
START_TEST(order)
{
	static const uint8_t expected[] = {BEFORE, VOLTS, PARTS, EXTRA, AFTER, VOLTS, PARTS, EXTRA};

	begin(&full);
	answer(BEFORE, 7);
	answer(VOLTS, 12);
	answer_parts();
	ck_assert_uint_eq(publishes, 0);
	answer(EXTRA, 33);
	ck_assert_uint_eq(publishes, 1);
	ck_assert_int_eq(session.head.sample.voltage_mv, 12007);
	ck_assert_uint_eq(session.head.sample.cell_has, 7);
	ck_assert_int_eq(session.head.sample.cycles, 33);
	ck_assert(!(session.head.sample.has & PB_HAS(PB_HAS_NOMINAL)));
	answer(AFTER, 50);
	pass(5000);
	answer(VOLTS, 13);
	answer_parts();
	answer(EXTRA, 34);
	ck_assert_int_eq(session.head.sample.voltage_mv, 13007);
	ck_assert_int_eq(session.head.sample.nominal_mah, 50);
	ck_assert_uint_eq(publishes, 2);
	expect_sent(expected, sizeof(expected));
}
END_TEST

/* A part that is lost: asked again, and what came stays. Without all parts there is no reading. */
START_TEST(parts_get_lost)
{
	begin(&full);
	answer(BEFORE, 7);
	answer(VOLTS, 12);
	answer(PARTS, 1);
	pass(950);
	ck_assert_uint_eq(sends, 4);
	answer(PARTS, 1);
	now += 10;
	give(PARTS, 3);
	pass(940);
	ck_assert_uint_eq(sends, 5);
	answer(PARTS, 2);
	answer(EXTRA, 33);
	ck_assert_uint_eq(publishes, 1);
	ck_assert_uint_eq(session.head.sample.cell_has, 7);
	ck_assert_uint_eq(session.head.status.failures, 0);
	answer(AFTER, 1);

	next_poll();
	answer(VOLTS, 12);
	for (int i = 0; i < 3; i++) {
		answer(PARTS, 2);
		pass(950);
	}
	ck_assert_uint_eq(publishes, 1);
	ck_assert_uint_eq(session.head.status.failures, 1);
	ck_assert_uint_eq(session.head.sample.cell_has, 7);
	/* what came then is not for the next poll */
	next_poll();
	answer(BEFORE, 7);
	answer(VOLTS, 12);
	answer(PARTS, 1);
	now += 10;
	give(PARTS, 3);
	pass(2990);
	ck_assert_uint_eq(publishes, 1);
}
END_TEST

/* Parts that never end give no more time than one would have. */
START_TEST(parts_without_end)
{
	begin(&full);
	answer(BEFORE, 7);
	answer(VOLTS, 12);
	for (int i = 0; i < 100; i++) {
		pass(90);
		give(PARTS, 1);
	}
	ck_assert_uint_ge(session.head.status.failures, 1);
	ck_assert_uint_eq(publishes, 0);
}
END_TEST

/* What a board does not know is asked in one poll; what it once knew, in each. */
START_TEST(unknown_requests)
{
	begin(&full);
	answer(BEFORE, 7);
	answer(VOLTS, 12);
	answer_parts();
	pass(3000); /* EXTRA: three tries */
	ck_assert_uint_eq(publishes, 1);
	ck_assert_uint_eq(sends, 1 + 1 + 1 + 3 + 1);
	answer(AFTER, 1);
	next_poll();
	answer(VOLTS, 12);
	answer_parts();
	ck_assert_uint_eq(publishes, 2);
	ck_assert_int_eq(session.head.state, PB_STATE_RESTING);

	begin(&full);
	answer(BEFORE, 7);
	answer(VOLTS, 12);
	answer_parts();
	answer(EXTRA, 33);
	answer(AFTER, 1);
	next_poll();
	answer(VOLTS, 12);
	answer_parts();
	pass(3000);
	ck_assert_uint_eq(publishes, 2);
	ck_assert(!(session.head.sample.has & PB_HAS(PB_HAS_CYCLES)));
	next_poll();
	answer(VOLTS, 12);
	answer_parts();
	answer(EXTRA, 34);
	ck_assert_int_eq(session.head.sample.cycles, 34);
}
END_TEST

/* It may only have got lost: once in ten minutes it is asked again. */
START_TEST(asked_again)
{
	size_t polls = 0;

	begin(&full);
	answer(BEFORE, 7);
	answer(VOLTS, 12);
	answer_parts();
	pass(3000);
	answer(AFTER, 1);
	do {
		next_poll();
		answer(VOLTS, 12);
		answer_parts();
		pass(0);
		polls++;
		if (sent[(sends - 1) % sizeof(sent)] == AFTER) /* once a minute */
			answer(AFTER, 1);
	} while (session.head.state == PB_STATE_RESTING);
	ck_assert_uint_eq(polls, 600 / 5);
	answer(EXTRA, 35);
	ck_assert_int_eq(session.head.sample.cycles, 35);
	pass(0);
	if (session.head.state != PB_STATE_RESTING)
		answer(AFTER, 1);
	next_poll();
	answer(VOLTS, 12);
	answer_parts();
	answer(EXTRA, 36);
	ck_assert_int_eq(session.head.sample.cycles, 36);
}
END_TEST

/* The last request was VOLTS: its notice, and the first of what comes by itself. */
static void answer_stream(uint8_t notice, uint8_t value)
{
	pass(0);
	ck_assert_uint_eq(sent[(sends - 1) % sizeof(sent)], VOLTS);
	now += 50;
	give(NOTE, notice);
	give(VOLTS, value);
}

static void begin_stream(void)
{
	begin(&streaming);
	answer(BEFORE, 7);
	answer_stream(9, 12);
	ck_assert_uint_eq(publishes, 1);
	ck_assert_uint_eq(sends, 2);
}

/* A frame each half second, and the notice when it was asked for again. */
static void stream(uint64_t ms)
{
	size_t before = sends;

	for (uint64_t at = 0; at < ms; at += 500) {
		pass(500);
		if (sends != before)
			give(NOTE, 9);
		before = sends;
		give(VOLTS, (uint8_t)(20 + at / 500 % 50));
	}
}

/* One frame a poll is taken. It is asked for as often as it takes to know that frames are new. */
START_TEST(sends_by_itself)
{
	begin_stream();
	stream(60000 - 500);
	ck_assert_uint_eq(sends, 2 + 55 / 5);
	ck_assert_uint_eq(publishes, 1 + 55 / 5);
	ck_assert_uint_eq(session.head.status.timeouts, 0);
	ck_assert_uint_eq(session.head.status.failures, 0);
	ck_assert_uint_lt(now - session.head.status.sampled_ms, 5500);
	stream(60000);
	ck_assert_uint_eq(sends, 2 + 115 / 5);
	ck_assert_uint_eq(publishes, 1 + 115 / 5);
	ck_assert_int_eq(session.head.sample.voltage_mv % 1000, 7);
}
END_TEST

/* A notice holds from when it came, for readings of this connection. */
START_TEST(notice)
{
	begin_stream();
	ck_assert_int_eq(session.head.sample.nominal_mah, 9);
	stream(4500);
	pass(500);
	answer_stream(99, 40);
	ck_assert_uint_eq(publishes, 2);
	ck_assert_int_eq(session.head.sample.nominal_mah, 99);
	event((struct pb_session_event){.type = PB_SESSION_DOWN});
	pass(0);
	event((struct pb_session_event){.type = PB_SESSION_UP});
	answer(BEFORE, 8);
	pass(0);
	give(VOLTS, 50); /* it sends already, but was not asked in this connection */
	ck_assert_uint_eq(sends, 5);
	ck_assert_uint_eq(publishes, 2);
	give(NOTE, 0x55);
	give(VOLTS, 51);
	ck_assert_uint_eq(publishes, 3);
	ck_assert_int_eq(session.head.sample.voltage_mv, 51008);
	ck_assert_int_eq(session.head.sample.nominal_mah, 0x55);
}
END_TEST

/* What the connection before said is not said by this one. */
START_TEST(nothing_is_carried_over)
{
	begin(&streaming);
	answer(BEFORE, 7);
	answer_stream(9, 12);
	event((struct pb_session_event){.type = PB_SESSION_DOWN});
	pass(0);
	event((struct pb_session_event){.type = PB_SESSION_UP});
	answer(BEFORE, 0);
	ck_assert_uint_eq(sent[(sends - 1) % sizeof(sent)], VOLTS);
	now += 50;
	give(NOTE, 0); /* toys have no capacity of 0 */
	give(VOLTS, 13);
	ck_assert_uint_eq(publishes, 2);
	ck_assert_int_eq(session.head.sample.voltage_mv, 13000);
	ck_assert(!(session.head.sample.has & PB_HAS(PB_HAS_NOMINAL)));
}
END_TEST

/* It stops: asked again, by itself at first, with all that goes before it then. */
START_TEST(stops_sending)
{
	static const uint8_t expected[] = {BEFORE, VOLTS, VOLTS, VOLTS, VOLTS, BEFORE};

	begin_stream();
	stream(2000);
	pass(3000 - 50); /* the poll is due, and nothing came for 3 s: it is asked at once */
	ck_assert_uint_eq(sends, 3);
	pass(6000); /* each try is given two seconds, as it sends at its own pace */
	ck_assert_uint_eq(session.head.status.failures, 1);
	ck_assert_uint_eq(session.head.status.last_error, PB_ERROR_TIMEOUT);
	ck_assert_uint_eq(publishes, 1);
	pass(0);
	expect_sent(expected, sizeof(expected));
	/* and it is old in time */
	pass(7000);
	ck_assert_int_ne(pb_status_quality(&session.head.status, now), PB_QUALITY_GOOD);
	pass(12000);
	ck_assert_uint_eq(closes, 1);
	/* what it has always answered it does not answer now, so nothing else is asked */
	for (size_t i = sizeof(expected); i < sends; i++)
		ck_assert_uint_eq(sent[i], BEFORE);
}
END_TEST

/* A request starts it again; what comes before its notice may be old. */
START_TEST(starts_again)
{
	begin_stream();
	pass(5000);
	ck_assert_uint_eq(sends, 3);
	now += 50;
	give(VOLTS, 54);
	ck_assert_uint_eq(publishes, 1);
	give(NOTE, 9);
	give(VOLTS, 56);
	ck_assert_uint_eq(publishes, 2);
	ck_assert_int_eq(session.head.sample.voltage_mv, 56007);
	stream(5500);
	ck_assert_uint_eq(publishes, 3);
	ck_assert_uint_eq(sends, 4);
}
END_TEST

/*
 * The process was stopped for a minute, or the way to it was: what was sent meanwhile comes at
 * once, or with pauses. It must not pass for new, whatever the pace and even with a notice among
 * it.
 */
START_TEST(held_back)
{
	static const uint64_t pace_ms[] = {1, 90, 300, 900};

	begin_stream();
	stream(3000);
	now += 30000; /* a request of before would still do, if it were not for the pause */
	for (int i = 0; i < 40; i++) {
		give(VOLTS, 99);
		if (i == 3)
			pass(0); /* the timers come among them */
		pass(pace_ms[_i]);
	}
	ck_assert_uint_eq(publishes, 1);
	ck_assert_int_ne(pb_status_quality(&session.head.status, now), PB_QUALITY_GOOD);
	give(NOTE, 9);
	give(VOLTS, 44);
	ck_assert_int_eq(session.head.sample.voltage_mv, publishes == 2 ? 44007 : 12007);
}
END_TEST

/* A way that gets slower and slower makes no pause: the request of each poll shows it. */
START_TEST(lags_behind)
{
	begin_stream();
	stream(5000 - 500);
	pass(500);
	ck_assert_uint_eq(sends, 3);
	publishes = 0;
	for (int i = 0; i < 3; i++) {
		pass(500);
		give(VOLTS, 99);
	}
	ck_assert_uint_eq(publishes, 0);
	give(NOTE, 9);
	give(VOLTS, 45);
	ck_assert_uint_eq(publishes, 1);
	ck_assert_uint_eq(now - session.head.status.sampled_ms, 1600); /* as old as the request */
}
END_TEST

/* When the notice does not come in time, a frame counts that an earlier notice proves. */
START_TEST(notice_comes_late)
{
	begin_stream();
	stream(5000 - 500);
	pass(500);
	for (int i = 0; i < 5; i++) {
		pass(500);
		give(VOLTS, (uint8_t)(30 + i));
	}
	ck_assert_uint_eq(publishes, 2);
	ck_assert_int_eq(session.head.sample.voltage_mv / 1000, 33);
	ck_assert_uint_ge(now - session.head.status.sampled_ms,
			  5000 + 2000); /* the first request */
	ck_assert_uint_eq(sends, 3);
}
END_TEST

/* ---- late replies ---- */

/* All replies come later than the time limit: readings are as old as the requests they answer. */
START_TEST(late_replies)
{
	uint64_t first;

	begin(&full);
	answer(BEFORE, 7);
	pass(0);
	first = now;
	pass(2500); /* three tries of VOLTS */
	give(VOLTS, 12);
	answer_parts();
	answer(EXTRA, 1);
	ck_assert_uint_eq(publishes, 1);
	ck_assert_uint_eq(session.head.status.sampled_ms, first);
	/* the replies to the other tries are late; what is asked now may be answered by them */
	answer(AFTER, 1);
	next_poll();
	answer(VOLTS, 13);
	answer_parts();
	answer(EXTRA, 1);
	ck_assert_uint_eq(session.head.status.sampled_ms, now - 5 * 50);
}
END_TEST

/* With one kind of request only, one more than are open shows which reply is the newest. */
START_TEST(late_replies_of_one_kind)
{
	begin(&older);
	session.plan.codec = &alone;
	session.plan.first = &alone;
	pass(1500); /* two requests are out */
	give_from(OTHER_START, VOLTS, 1);
	ck_assert_uint_eq(now - session.head.status.sampled_ms,
			  1500); /* the first was another dialect's, of the same replies */
	for (int i = 0; i < 8; i++) {
		next_poll();
		if (i == 2)
			pass(1000); /* lost */
		for (int n = 0; n < 12 && session.head.state == PB_STATE_WAITING; n++) {
			now += 50;
			give_from(OTHER_START, VOLTS, 1);
			pass(0);
		}
		/* an unclear reply costs one poll's time, then some requests more */
		ck_assert_uint_le(now - session.head.status.sampled_ms, i == 0 ? 4050 : 150);
	}
	ck_assert_uint_eq(publishes, 9);
}
END_TEST

/* A reply got lost, so the next ones could be its: a request of another kind settles that. */
START_TEST(settled_by_another)
{
	begin(&fenced);
	answer(VOLTS, 1);
	answer(AFTER, 1);
	next_poll();
	pass(1000); /* lost */
	answer(VOLTS, 2);
	ck_assert_uint_eq(now - session.head.status.sampled_ms, 1050);
	next_poll();
	answer(VOLTS, 3);
	ck_assert_uint_eq(now - session.head.status.sampled_ms, 4050);
	next_poll();
	answer(VOLTS, 3); /* unclear once more */
	answer(AFTER, 1);
	for (int i = 0; i < 3; i++) {
		answer(VOLTS, 4);
		ck_assert_uint_eq(now - session.head.status.sampled_ms, 50);
		ck_assert_int_eq(session.head.state, PB_STATE_RESTING);
		next_poll();
	}
}
END_TEST

/* Replies that take longer than a poll should last: readings are rarer, and not old for that. */
START_TEST(slow_board)
{
	begin(&full);
	session.config.reply_timeout_ms = 2500;
	pass(2400);
	for (int poll = 0; poll < 3; poll++) {
		if (poll == 0)
			give(BEFORE, 7);
		pass(2400);
		give(VOLTS, 12);
		pass(2400);
		for (uint8_t i = 1; i <= PARTS_COUNT; i++)
			give(PARTS, i);
		pass(2400);
		give(EXTRA, 1);
		ck_assert_int_eq(pb_status_quality(&session.head.status, now), PB_QUALITY_GOOD);
		pass(0);
		if (poll == 0) {
			pass(2400);
			give(AFTER, 1);
		}
	}
	ck_assert_uint_eq(publishes, 3);
	ck_assert_uint_ge(session.head.status.stale_after_s, 3 * 7);
	ck_assert_uint_le(session.head.status.stale_after_s, 3 * 8);
}
END_TEST

/* ---- refusals, and requests that are not answered any more ---- */

static void refuse(uint8_t command)
{
	pass(0);
	ck_assert_uint_eq(sent[(sends - 1) % sizeof(sent)] & 0x7F, command);
	now += 50;
	give_from(session.head.codec == &full || session.head.codec == &newer ? TOY_START
									      : OTHER_START,
		  REFUSED | command, 1);
}

/* Without its first reply there is no reading; a dialect that only refuses is not the right one. */
START_TEST(refusals)
{
	begin(&full);
	answer(BEFORE, 7);
	refuse(VOLTS);
	ck_assert_uint_eq(publishes, 0);
	ck_assert_uint_eq(session.head.status.failures, 1);
	ck_assert_int_eq(session.head.status.last_error, PB_ERROR_REFUSED);

	begin(&older);
	refuse(VOLTS);
	ck_assert_ptr_eq(session.head.codec, &newer);
	answer(BEFORE, 7);
	answer(VOLTS, 12);
	answer_parts();
	answer(EXTRA, 1);
	ck_assert_uint_eq(publishes, 1);
}
END_TEST

/* An optional request that was answered and is not any more costs one time limit a poll. */
START_TEST(not_any_more)
{
	size_t before;

	begin(&full);
	answer(BEFORE, 7);
	answer(VOLTS, 12);
	answer_parts();
	answer(EXTRA, 33);
	answer(AFTER, 1);
	next_poll();
	answer(VOLTS, 12);
	answer_parts();
	pass(3000);
	ck_assert_uint_eq(publishes, 2);
	for (int i = 0; i < 3; i++) {
		next_poll();
		before = sends;
		answer(VOLTS, 12);
		answer_parts();
		pass(1000);
		ck_assert_uint_eq(sends, before + 2);
	}
	ck_assert_uint_eq(publishes, 5);
	next_poll();
	answer(VOLTS, 12);
	answer_parts();
	answer(EXTRA, 34);
	ck_assert_int_eq(session.head.sample.cycles, 34);
}
END_TEST

/* Dialects are tried once each a poll, and what answered stays. */
START_TEST(dialects)
{
	static const uint8_t expected[] = {0x80 | VOLTS, 0x80 | VOLTS, 0x80 | VOLTS, BEFORE};

	begin(&older);
	pass(3000); /* two requests may be needed to wake it up, then one try */
	expect_sent(expected, sizeof(expected));
	/* a late reply of the first is none of the second */
	give_from(OTHER_START, VOLTS, 1);
	ck_assert_uint_eq(publishes, 0);
	answer(BEFORE, 7);
	answer(VOLTS, 12);
	answer_parts();
	answer(EXTRA, 1);
	ck_assert_uint_eq(publishes, 1);
	ck_assert_str_eq(session.head.codec->dialect, "new");
	ck_assert_uint_eq(session.head.status.failures, 0);
	event((struct pb_session_event){.type = PB_SESSION_DOWN});
	pass(0);
	event((struct pb_session_event){.type = PB_SESSION_UP});
	pass(0);
	ck_assert_uint_eq(sent[(sends - 1) % sizeof(sent)], BEFORE);

	/* a dialect that is tried again asks all that it has, as at first */
	begin(&older);
	pass(4000);
	ck_assert_uint_eq(sent[3], BEFORE);
	pass(4999);
	ck_assert_uint_eq(sent[6], BEFORE);

	/* nobody: a failed poll, and from the beginning again */
	begin(&older);
	pass(4999);
	sends = 0;
	pass(1);
	ck_assert_uint_eq(session.head.status.failures, 1);
	ck_assert(session.head.searching);
	pass(3000);
	ck_assert_uint_eq(sent[0], 0x80 | VOLTS);
	ck_assert_uint_eq(sent[1], BEFORE);
	ck_assert_uint_eq(sent[2], VOLTS);
	ck_assert_uint_eq(session.head.status.failures, 2);
}
END_TEST

/* Among codecs, all dialects of one before the next. */
START_TEST(dialects_among_codecs)
{
	static const struct pb_codec *const codecs[] = {&older, &streaming, NULL};

	begin(&older);
	session.plan.others = codecs;
	pass(3000 + 1000 + 1000);
	ck_assert_uint_eq(sends, 6);
	ck_assert_ptr_eq(session.head.codec, &streaming);
	answer(BEFORE, 3);
	answer_stream(9, 3);
	/* newer's requests have the same replies: perhaps it was one of these */
	ck_assert_uint_eq(publishes, 0);
	pass(2000);
	answer_stream(9, 3);
	ck_assert_uint_eq(publishes, 1);
	ck_assert(session.plan.codec_known);
}
END_TEST

/* Pieces of a frame come soon after each other. What comes later begins a new one. */
START_TEST(half_frames)
{
	static const uint8_t half[] = {TOY_START, VOLTS};
	struct pb_session_event piece = {.type = PB_SESSION_DATA, .bytes = half, .len = 1};

	begin(&fenced);
	pass(100);
	event(piece);
	pass(400);
	give(VOLTS, 12);
	ck_assert_uint_eq(publishes, 1);
	ck_assert_uint_eq(session.head.status.garbage_bytes, 1);
}
END_TEST

START_TEST(frames_in_pieces)
{
	static const uint8_t frame[] = {TOY_START, VOLTS, 12};

	begin(&fenced);
	for (size_t i = 0; i < sizeof(frame); i++) {
		pass(200);
		event((struct pb_session_event){
			.type = PB_SESSION_DATA, .bytes = &frame[i], .len = 1});
	}
	ck_assert_uint_eq(publishes, 1);
}
END_TEST

/*
 * A board that sends by itself is never silent. So replies to an earlier program are sorted out by
 * the marker: it is sent once more than that program may have left open.
 */
START_TEST(streams_behind_an_earlier_program)
{
	size_t asked = 0;

	begin(&streaming);
	proof_expect_others(&session.plan, false);
	ck_assert_uint_eq(sent[sends - 1], BEFORE);
	give(NOTE, 9);
	ck_assert_ptr_nonnull(strstr(session.head.note.text, "an earlier program"));
	ck_assert_uint_eq(publishes, 0);
	while (publishes == 0) {
		ck_assert_uint_lt(++asked, 100);
		pass(0);
		if (sent[(sends - 1) % sizeof(sent)] == BEFORE)
			answer(BEFORE, 7);
		else
			answer_stream(9, 12);
	}
	ck_assert_uint_gt(asked, 30);
}
END_TEST

/*
 * The only marker has many open requests: each would have to be sent once more before it is a
 * proof. A silence before the first request of the connection is quicker. It is not needed while
 * the first request of a poll has no open ones, since its reply is clear then.
 */
START_TEST(silence_instead_of_many_markers)
{
	begin_stream();
	requests_expect(&session.plan.requests, &streaming, BEFORE, 40, now);
	requests_expect(&session.plan.requests, &streaming, VOLTS, (uint32_t)_i, now);
	event((struct pb_session_event){.type = PB_SESSION_DOWN});
	pass(0);
	event((struct pb_session_event){.type = PB_SESSION_UP});
	sends = 0;
	pass(19000);
	ck_assert_uint_eq(sends > 0, _i == 0);
	pass(1000);
	ck_assert_uint_gt(sends, 0);
	ck_assert_uint_eq(requests_open(&session.plan.requests, &streaming, VOLTS), 0);
}
END_TEST

int main(void)
{
	TCase *tcase = tcase_create("plans");

	tcase_add_test(tcase, order);
	tcase_add_test(tcase, parts_get_lost);
	tcase_add_test(tcase, parts_without_end);
	tcase_add_test(tcase, unknown_requests);
	tcase_add_test(tcase, asked_again);
	tcase_add_test(tcase, sends_by_itself);
	tcase_add_test(tcase, notice);
	tcase_add_test(tcase, stops_sending);
	tcase_add_test(tcase, starts_again);
	tcase_add_test(tcase, nothing_is_carried_over);
	tcase_add_loop_test(tcase, held_back, 0, 4);
	tcase_add_test(tcase, lags_behind);
	tcase_add_test(tcase, notice_comes_late);
	tcase_add_test(tcase, late_replies);
	tcase_add_test(tcase, late_replies_of_one_kind);
	tcase_add_test(tcase, settled_by_another);
	tcase_add_test(tcase, slow_board);
	tcase_add_test(tcase, refusals);
	tcase_add_test(tcase, not_any_more);
	tcase_add_test(tcase, dialects);
	tcase_add_test(tcase, dialects_among_codecs);
	tcase_add_test(tcase, half_frames);
	tcase_add_test(tcase, frames_in_pieces);
	tcase_add_test(tcase, streams_behind_an_earlier_program);
	tcase_add_loop_test(tcase, silence_instead_of_many_markers, 0, 2);
	return pb_run_suite("pack/plans", tcase);
}
