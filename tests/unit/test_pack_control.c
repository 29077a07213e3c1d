/* SPDX-License-Identifier: MIT */
/*
 * Commands of a session, with the real codecs and simulated time. A JBD board that obeys, refuses,
 * ignores or wants a PIN; and the proof that without control nothing else is sent than before.
 */
#include "../../src/pack/state.h"
#include "allowed.h"
#include "suite.h"

#include <errno.h>

enum { POLL_MS = 60000, GAP_MS = 100, REPLY_MS = 80, SENT_MAX = 4096 };

/* ---- the board ---- */

static struct {
	unsigned int mask;    /* bit 0: charge is off, bit 1: discharge is off */
	bool ignores_mask;    /* acknowledged, without effect */
	const char *refusal;  /* of E1 */
	bool loses_ack;	      /* of E1 and FB */
	bool wants_pin, open; /* silent to E1 until the PIN was sent */
	const char *before;   /* another frame, in front of each reply to a write */
} board;

static struct session session;
static uint64_t now, deadline;
static struct {
	uint64_t at_ms;
	size_t len;
	uint8_t bytes[PB_REQUEST_MAX];
	bool secret;
} sent[SENT_MAX];
static size_t sends, publishes;
static uint8_t reply[PB_STREAM_MAX];
static size_t reply_len;
static uint64_t reply_ms;

static void say(const char *hex)
{
	int len = pb_hex_parse(hex, reply + reply_len, sizeof(reply) - reply_len);

	ck_assert_int_gt(len, 0);
	reply_len += (size_t)len;
	reply_ms = now + REPLY_MS;
}

/* The captured reading of a 4-cell board, with the mask in it. */
static void say_basic(void)
{
	unsigned int sum = 0;
	uint8_t *p;

	say("DD03001D0533000068C96D6000002C7C00000000000080600304030B6D0B6D0B69000077");
	p = reply + reply_len - 36;
	p[20] = board.mask ? 0x10 : 0;
	p[24] = (uint8_t)(3 & ~board.mask);
	for (size_t i = 2; i < 33; i++)
		sum += p[i];
	p[33] = (uint8_t)(-sum >> 8);
	p[34] = (uint8_t)-sum;
}

static void take_mask(uint8_t mask)
{
	if (board.wants_pin && !board.open)
		return;
	if (board.refusal) {
		say(board.refusal);
		return;
	}
	if (!board.ignores_mask)
		board.mask = mask;
	if (!board.loses_ack)
		say("DDE10000000077");
}

static void take_fet(uint8_t fet, bool off)
{
	unsigned int bit = fet == 1 ? 1 : 2;

	board.mask = off ? board.mask | bit : board.mask & ~bit;
	if (!board.loses_ack)
		say("DDFB0000000077");
}

static void take_request(const uint8_t *p)
{
	if (p[1] == 0x5A && board.before)
		say(board.before);
	if (p[1] == 0xA5 && p[2] == 0x03)
		say_basic();
	else if (p[1] == 0xA5 && p[2] == 0x04)
		say("DD0400080CFD0CFD0CFD0CFDFBD477");
	else if (p[1] == 0x5A && p[2] == 0xE1)
		take_mask(p[5]);
	else if (p[1] == 0x5A && p[2] == 0xFB)
		take_fet(p[4], p[5]);
	else if (p[1] == 0x5A && p[2] == 0x06) {
		board.open = true;
		say("DD060000000077");
	}
}

/* ---- the session ---- */

static void event(struct pb_session_event what)
{
	unsigned int todo = pb_session_step(&session.head, &what, now, &deadline);
	const struct pb_query *request = session.head.request;

	publishes += (todo & PB_DO_PUBLISH) != 0;
	if (!(todo & PB_DO_SEND))
		return;
	ck_assert_uint_lt(sends, SENT_MAX);
	sent[sends].at_ms = now;
	sent[sends].len = request->len;
	sent[sends].secret = session.head.secret;
	memcpy(sent[sends].bytes, request->bytes, request->len);
	sends++;
	take_request(request->bytes);
}

/* The next thing that is due until @until: a reply, or the session's time. */
static void pass(uint64_t ms)
{
	uint64_t until = now + ms;

	while ((reply_len && reply_ms <= until) || deadline <= until) {
		bool replies = reply_len && reply_ms <= deadline;
		struct pb_session_event what = {.type = replies ? PB_SESSION_DATA : PB_SESSION_TIME,
						.bytes = reply,
						.len = reply_len};

		now = replies ? reply_ms : deadline > now ? deadline : now;
		if (replies)
			reply_len = 0;
		event(what);
	}
	now = until;
}

static void begin(bool control)
{
	struct pb_session_config config = {
		.codec = &pb_codec_jbd,
		.poll_ms = POLL_MS,
		.gap_ms = GAP_MS,
		.reply_timeout_ms = 500,
		.tries = 2,
		.stale_after_s = 180,
		.pin = "123456",
		.control = control,
	};

	if (!board.wants_pin)
		config.pin[0] = '\0';
	session_init(&session, &config);
	session.plan.requests.count = 0;
	now = 1000000;
	sends = publishes = reply_len = 0;
	event((struct pb_session_event){.type = PB_SESSION_START});
	event((struct pb_session_event){.type = PB_SESSION_UP});
	pass(10000);
	ck_assert_uint_eq(publishes, 1);
	ck_assert_int_eq(session.head.state, PB_STATE_RESTING);
}

static void setup(void)
{
	memset(&board, 0, sizeof(board));
}

static void command(bool charge_off)
{
	const struct pb_command wish = {.inhibit_charge = charge_off, .change_charge = true};

	event((struct pb_session_event){.type = PB_SESSION_COMMAND, .command = &wish});
}

/* @return how many writes were sent since @from; all are allowed. */
static size_t writes(size_t from)
{
	size_t count = 0;

	for (size_t i = from; i < sends; i++) {
		if (sent[i].bytes[1] != 0x5A)
			continue;
		ck_assert(allowed(&pb_codec_jbd, 0, sent[i].bytes, sent[i].len));
		count++;
	}
	return count;
}

static enum pb_command_state state(void)
{
	return session.head.command.state;
}

/* ---- tests ---- */

START_TEST(the_result_is_known_soon)
{
	size_t before;
	uint64_t sent_ms;

	begin(true);
	before = sends;
	sent_ms = now;
	command(true);
	pass(3000);
	ck_assert_int_eq(state(), PB_COMMAND_DONE);
	ck_assert_uint_eq(session.head.command.sent_ms, sent_ms);
	ck_assert_uint_eq(publishes, 4);
	ck_assert_uint_eq(writes(before), 1);
	ck_assert(!session.head.sample.charge_switch && session.head.sample.discharge_switch);
	ck_assert(!session.head.sample.charge_fet && session.head.sample.discharge_fet);
	/* then the rhythm is as it was */
	pass(POLL_MS - 5000);
	ck_assert_uint_eq(publishes, 4);
	pass(5000);
	ck_assert_uint_eq(publishes, 5);
	ck_assert_uint_eq(writes(before), 1);
}
END_TEST

START_TEST(control_is_off)
{
	size_t before;

	begin(false);
	before = sends;
	ck_assert_int_eq(pb_session_may_command(&session.head, now), -EACCES);
	command(true);
	pass(POLL_MS / 2);
	ck_assert_int_eq(state(), PB_COMMAND_NONE);
	ck_assert_uint_eq(sends, before);
}
END_TEST

START_TEST(nothing_is_to_be_changed)
{
	const struct pb_command same = {.inhibit_charge = true};
	size_t before;

	begin(true);
	before = sends;
	event((struct pb_session_event){.type = PB_SESSION_COMMAND, .command = &same});
	pass(3000);
	ck_assert_int_eq(state(), PB_COMMAND_DONE);
	ck_assert_uint_eq(session.head.command.number, 1);
	ck_assert_uint_eq(session.head.command.sent_ms, 0);
	ck_assert_uint_eq(sends, before);
}
END_TEST

/* It may have been executed: readings tell. */
START_TEST(the_acknowledgement_is_lost)
{
	size_t before;

	board.loses_ack = true;
	begin(true);
	before = sends;
	command(true);
	pass(3000);
	ck_assert_int_eq(state(), PB_COMMAND_UNANSWERED);
	ck_assert_uint_eq(writes(before), 1);
	ck_assert_uint_eq(publishes, 4);
	ck_assert(!session.head.sample.charge_fet);
}
END_TEST

static const char *const refusals[] = {"DDE18000FF8077", "DDE18000000077"};

START_TEST(a_refusal_is_answered_by_the_other_way)
{
	size_t before;

	board.refusal = refusals[_i];
	begin(true);
	before = sends;
	command(true);
	pass(3000);
	ck_assert_int_eq(state(), PB_COMMAND_DONE);
	ck_assert_uint_eq(writes(before), 2);
	ck_assert(!session.head.sample.charge_fet);
	/* it is remembered */
	before = sends;
	command(false);
	pass(3000);
	ck_assert_uint_eq(writes(before), 1);
	ck_assert(session.head.sample.charge_fet);
}
END_TEST

START_TEST(no_effect_is_answered_by_the_other_way_once)
{
	size_t before;
	uint64_t first_ms;

	board.ignores_mask = true;
	begin(true);
	before = sends;
	first_ms = now;
	command(true);
	pass(1000);
	ck_assert_int_eq(state(), PB_COMMAND_DONE);
	ck_assert_uint_eq(writes(before), 1);
	pass(3000);
	ck_assert_int_eq(state(), PB_COMMAND_DONE);
	ck_assert_uint_eq(writes(before), 2);
	ck_assert_uint_gt(session.head.command.sent_ms, first_ms + 1000);
	ck_assert_uint_lt(session.head.command.sent_ms, first_ms + 2000);
	ck_assert_uint_eq(session.head.command.number, 1);
	ck_assert(!session.head.sample.charge_switch && !session.head.sample.charge_fet);
	/* somebody else changes it later: that is not repeated */
	board.mask = 0;
	pass(3 * POLL_MS);
	ck_assert_uint_eq(writes(before), 2);
}
END_TEST

/* What worked and is changed later by somebody else is no reason either. */
START_TEST(nothing_is_repeated_later)
{
	size_t before;

	begin(true);
	before = sends;
	command(true);
	pass(3000);
	board.mask = 0;
	pass(3 * POLL_MS);
	ck_assert_uint_eq(writes(before), 1);
}
END_TEST

START_TEST(a_pin_is_sent_once_a_connection_and_never_shown)
{
	size_t before;

	board.wants_pin = true;
	begin(true);
	before = sends;
	command(true);
	pass(3000);
	ck_assert_int_eq(state(), PB_COMMAND_DONE);
	ck_assert_uint_eq(writes(before), 2);
	ck_assert_uint_eq(sent[before].bytes[2], 0x06);
	for (size_t i = 0; i < sends; i++)
		ck_assert_int_eq(sent[i].secret, sent[i].bytes[2] == 0x06);
	before = sends;
	command(false);
	pass(3000);
	ck_assert_uint_eq(writes(before), 1);
	event((struct pb_session_event){.type = PB_SESSION_DOWN});
	pass(0);
	event((struct pb_session_event){.type = PB_SESSION_UP});
	pass(5000);
	before = sends;
	command(true);
	pass(3000);
	ck_assert_uint_eq(writes(before), 2);
	ck_assert_uint_eq(sent[before].bytes[2], 0x06);
}
END_TEST

/* After so many ms: waiting for the PIN's reply, before E1, waiting for its reply, reading back. */
START_TEST(the_link_is_lost)
{
	static const struct {
		uint64_t ms;
		enum pb_command_state state;
	} rows[] = {{40, PB_COMMAND_UNANSWERED},
		    {120, PB_COMMAND_UNANSWERED},
		    {200, PB_COMMAND_UNANSWERED},
		    {300, PB_COMMAND_DONE}};
	size_t before;

	board.wants_pin = true;
	begin(true);
	before = sends;
	command(true);
	pass(rows[_i].ms);
	reply_len = 0;
	event((struct pb_session_event){.type = PB_SESSION_DOWN});
	ck_assert_int_eq(state(), rows[_i].state);
	before = sends;
	pass(0);
	event((struct pb_session_event){.type = PB_SESSION_UP});
	ck_assert_int_eq(pb_session_may_command(&session.head, now), -ENOTCONN);
	pass(POLL_MS + 10000);
	/* it is not kept for another connection */
	ck_assert_uint_eq(writes(before), 0);
	ck_assert_int_eq(pb_session_may_command(&session.head, now), 0);
}
END_TEST

/* A late reply to a read, and one to a write that was never sent. */
START_TEST(another_reply_comes_first)
{
	static const char *const frames[] = {"DD0400080CFD0CFD0CFD0CFDFBD477", "DD2D0000000077",
					     "FFAA18010019"};
	size_t before;

	board.before = frames[_i];
	begin(true);
	before = sends;
	command(true);
	pass(3000);
	ck_assert_int_eq(state(), PB_COMMAND_DONE);
	ck_assert_uint_eq(writes(before), 1);
	ck_assert(!session.head.sample.charge_fet);
}
END_TEST

/* ---- without control ---- */

static const struct pb_codec *const firsts[] = {&pb_codec_jbd, &pb_codec_daly, &pb_codec_jk};

/* What the codec was before it had commands: no dialogue, no queries for them. */
static const struct pb_codec *stripped(const struct pb_codec *codec, bool multidrop)
{
	static struct pb_codec copies[8];
	size_t count = 0;

	for (codec = multidrop ? codec->multidrop : codec; codec; codec = codec->next, count++) {
		copies[count] = *codec;
		copies[count].dialogue = NULL;
		while (codec->queries[copies[count].query_count - 1].control)
			copies[count].query_count--;
		copies[count].next = codec->next ? &copies[count + 1] : NULL;
	}
	return copies;
}

static uint64_t next_hash(uint64_t hash, const void *data, size_t len)
{
	const uint8_t *bytes = data;

	while (len--)
		hash = (hash ^ *bytes++) * UINT64_C(0x100000001B3);
	return hash;
}

/* A board of D2 or P81 that has whatever is asked: 16 cells, all else 0. */
static void answer_words(const uint8_t *p, bool asked)
{
	uint8_t frame[256] = {p[0] == 0xD2 ? 0xD2 : (uint8_t)(p[0] - 0x30), 0x03,
			      (uint8_t)(2 * p[5])};
	size_t len = 3 + 2u * p[5], cells = p[0] == 0xD2 ? 0x31 : 0x3C;

	if (!asked || p[1] != 0x03 || p[0] == 0xA5 || p[0] == 0xDD)
		return;
	for (size_t i = 0; i < 16 && p[5] >= 62; i++)
		pb_put_be16(frame + 3 + 2 * i, 3300);
	if (p[5] >= 62 && p[3] == 0) {
		pb_put_be16(frame + 3 + 2 * cells, 16);
		pb_put_be16(frame + 3 + 2 * (p[0] == 0xD2 ? 0x28 : 0x38), 528);
		pb_put_be16(frame + 5 + 2 * (p[0] == 0xD2 ? 0x28 : 0x38), 30000);
	} else {
		memset(frame + 3, 0, 2u * p[5]);
	}
	pb_put_le16(frame + len, pb_crc16(frame, len));
	memcpy(reply, frame, len + 2);
	reply_len = len + 2;
	reply_ms = now + REPLY_MS;
}

/* @return of all that is sent in ten minutes, and of when. */
static uint64_t ten_minutes(const struct pb_codec *codec, bool answers, uint64_t *ret_readings)
{
	const struct pb_session_config config = {
		.codec = codec,
		.poll_ms = 2000,
		.gap_ms = GAP_MS,
		.reply_timeout_ms = 500,
		.tries = 3,
		.stale_after_s = 15,
		.address = codec->addresses ? 3 : 0,
	};
	uint64_t hash = 0xCBF29CE484222325, end;
	unsigned int todo;

	session_init(&session, &config);
	now = 1000000;
	end = now + 600000;
	reply_len = 0;
	*ret_readings = 0;
	pb_session_step(&session.head, &(struct pb_session_event){.type = PB_SESSION_START}, now,
			&deadline);
	for (struct pb_session_event what = {.type = PB_SESSION_UP}; now < end;) {
		todo = pb_session_step(&session.head, &what, now, &deadline);
		*ret_readings += (todo & PB_DO_PUBLISH) != 0;
		if (todo & PB_DO_SEND) {
			const struct pb_query *request = session.head.request;

			hash = next_hash(hash, request->bytes, request->len);
			hash = next_hash(hash, &now, sizeof(now));
			answer_words(request->bytes, answers);
		}
		what = (struct pb_session_event){.type = PB_SESSION_TIME};
		if (todo & PB_DO_OPEN) {
			what.type = PB_SESSION_UP;
		} else if (reply_len && reply_ms <= deadline) {
			now = reply_ms;
			what = (struct pb_session_event){
				.type = PB_SESSION_DATA, .bytes = reply, .len = reply_len};
			reply_len = 0;
		} else {
			now = deadline > now ? deadline : now;
		}
	}
	return hash;
}

/* _i: which protocol, whether boards share a line, and whether it answers. */
START_TEST(without_control_the_bytes_are_those_of_before)
{
	const struct pb_codec *codec = firsts[_i % 3];
	bool multidrop = _i / 3 % 2, answers = _i / 6;
	uint64_t readings, before;

	if (multidrop && !codec->multidrop)
		return;
	for (; codec; codec = codec->next) {
		const struct pb_codec *own = multidrop ? codec->multidrop : codec;
		uint64_t expected = ten_minutes(stripped(codec, multidrop), answers, &before);

		ck_assert_uint_eq(ten_minutes(own, answers, &readings), expected);
		ck_assert_uint_eq(readings, before);
		if (answers && own == &pb_codec_daly)
			ck_assert_uint_gt(readings, 200);
		if (multidrop)
			break;
	}
}
END_TEST

int main(void)
{
	TCase *tcase = tcase_create("control");

	tcase_add_checked_fixture(tcase, setup, NULL);
	tcase_add_test(tcase, the_result_is_known_soon);
	tcase_add_test(tcase, control_is_off);
	tcase_add_test(tcase, nothing_is_to_be_changed);
	tcase_add_test(tcase, the_acknowledgement_is_lost);
	tcase_add_loop_test(tcase, a_refusal_is_answered_by_the_other_way, 0, 2);
	tcase_add_test(tcase, no_effect_is_answered_by_the_other_way_once);
	tcase_add_test(tcase, nothing_is_repeated_later);
	tcase_add_test(tcase, a_pin_is_sent_once_a_connection_and_never_shown);
	tcase_add_loop_test(tcase, the_link_is_lost, 0, 4);
	tcase_add_loop_test(tcase, another_reply_comes_first, 0, 3);
	tcase_add_loop_test(tcase, without_control_the_bytes_are_those_of_before, 0, 12);
	return pb_run_suite("pack/control", tcase);
}
