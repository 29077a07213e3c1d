/* SPDX-License-Identifier: MIT */
/*
 * Dialogues of a session, with a toy codec. Requests are ADDRESS COMMAND VALUE SUM, made at run
 * time; replies are F0 COMMAND VALUE.
 *
 *	command   ENTER -> 0; SWITCH mask -> 0 taken, 1 refused
 *	read      COUNT -> n; FIRST + i -> temperature i, for each i below n
 */
#include "../../src/pack/state.h"
#include "suite.h"
#include "toy_frame.h"

#include <errno.h>
#include <string.h>

enum { ADDRESS = 7, GAP_MS = 100, POLL_MS = 5000, REPLY_MS = 50 };
enum { VOLTS = 0x02, COUNT = 0x10, FIRST = 0x11, ENTER = 0x30, SWITCH = 0x31, STREAM = 0x40 };
enum { INHIBIT_CHARGE = 1, INHIBIT_DISCHARGE = 2 };

static int toy_frame(const uint8_t *buf, size_t len, const struct pb_query *pending,
		     struct pb_frame *ret)
{
	(void)pending;
	return toy_frame_from(TOY_START, buf, len, ret);
}

/* The board says STREAM's notice as value 0, and by itself the others. */
static int stream_frame(const uint8_t *buf, size_t len, const struct pb_query *pending,
			struct pb_frame *ret)
{
	int r = toy_frame(buf, len, pending, ret);

	if (r == 3 && ret->command == STREAM && buf[2] == 0)
		ret->kind = PB_FRAME_NOTICE;
	return r;
}

static int toy_decode(const struct pb_frame *frame, struct pb_sample *s)
{
	int32_t value = frame->payload[0];

	if (frame->command == VOLTS || (frame->command == STREAM && value)) {
		s->voltage_mv = value * 1000;
		s->has |= PB_HAS(PB_HAS_VOLTAGE);
	} else if (frame->command == COUNT) {
		s->temperature_count = value;
		s->has |= PB_HAS(PB_HAS_TEMPERATURES);
	} else if (frame->command >= FIRST && frame->command < ENTER) {
		s->temperature_mc[frame->command - FIRST] = value * 1000;
		s->temperature_has |= UINT64_C(1) << (frame->command - FIRST);
	}
	return 0;
}

static void seal(struct pb_query *out, uint8_t address, uint8_t value)
{
	out->len = 4;
	out->bytes[0] = address;
	out->bytes[1] = (uint8_t)out->command;
	out->bytes[2] = value;
	out->bytes[3] = (uint8_t)(address + out->command + value);
}

static void toy_request(const struct pb_query *query, uint8_t address, struct pb_query *out)
{
	ck_assert_uint_eq(query->command, out->command);
	seal(out, address, 0);
}

static enum pb_dialogue_result ask(struct pb_dialogue *d, int step, uint8_t command, uint8_t value)
{
	d->step = step;
	d->request = (struct pb_query){.name = "toy", .command = command};
	seal(&d->request, d->address, value);
	return PB_DIALOGUE_SEND;
}

static enum pb_dialogue_result toy_command(struct pb_dialogue *d, const struct pb_frame *reply)
{
	unsigned int mask = (d->command.inhibit_charge ? INHIBIT_CHARGE : 0U) |
			    (d->command.inhibit_discharge ? INHIBIT_DISCHARGE : 0U);

	if (d->step == 0)
		return ask(d, 1, ENTER, 0);
	if (!reply)
		return PB_DIALOGUE_NONE;
	if (d->step == 1)
		return ask(d, 2, SWITCH, (uint8_t)mask);
	return reply->payload[0] == 0 ? PB_DIALOGUE_DONE : PB_DIALOGUE_REFUSED;
}

/* step: 1 + how many temperatures were asked for; the number of them stands in the high part */
static enum pb_dialogue_result toy_read(struct pb_dialogue *d, const struct pb_frame *reply)
{
	int parts = d->step >> 8, asked = d->step & 0xFF;

	if (d->step == 0)
		return ask(d, 1, COUNT, 0);
	if (reply->payload[0] == 0xFF)
		return PB_DIALOGUE_REFUSED;
	if (parts == 0)
		parts = reply->payload[0];
	if (asked > parts)
		return PB_DIALOGUE_DONE;
	return ask(d, parts << 8 | (asked + 1), (uint8_t)(FIRST + asked - 1), 0);
}

static enum pb_dialogue_result toy_dialogue(struct pb_dialogue *d, const struct pb_frame *reply)
{
	switch (d->kind) {
	case PB_DIALOGUE_COMMAND:
		return toy_command(d, reply);
	case PB_DIALOGUE_READ:
		return toy_read(d, reply);
	case PB_DIALOGUE_COMMAND_AGAIN:
	case PB_DIALOGUE_LOGIN:
		break;
	}
	return PB_DIALOGUE_NONE;
}

static enum pb_dialogue_result no_dialogue(struct pb_dialogue *d, const struct pb_frame *reply)
{
	(void)d;
	(void)reply;
	return PB_DIALOGUE_NONE;
}

static const struct pb_query plain_plan[] = {{"volts", VOLTS, .required = true}};

static const struct pb_query read_plan[] = {
	{"volts", VOLTS, .required = true},
	{"temperatures", COUNT, .required = true, .dialogue = true},
};

static const struct pb_query optional_plan[] = {
	{"volts", VOLTS, .required = true},
	{"temperatures", COUNT, .dialogue = true},
};

static const struct pb_query stream_plan[] = {
	{"volts", STREAM, .required = true, .streams = true},
};

#define TOY(plan, frame_, dialogue_)                                                               \
	{                                                                                          \
		.name = "toy", .queries = plan, .query_count = PB_ARRAY_SIZE(plan),                \
		.frame = frame_, .decode = toy_decode, .request = toy_request,                     \
		.dialogue = dialogue_                                                              \
	}

static const struct pb_codec plain = TOY(plain_plan, toy_frame, toy_dialogue);
static const struct pb_codec reading = TOY(read_plan, toy_frame, toy_dialogue);
static const struct pb_codec optional = TOY(optional_plan, toy_frame, toy_dialogue);
static const struct pb_codec helpless = TOY(optional_plan, toy_frame, no_dialogue);
static const struct pb_codec streaming = TOY(stream_plan, stream_frame, toy_dialogue);
static const struct pb_codec silent = TOY(plain_plan, toy_frame, NULL);
static const struct pb_codec unable = TOY(plain_plan, toy_frame, no_dialogue);

static const struct pb_command both_off = {.inhibit_charge = true,
					   .inhibit_discharge = true,
					   .change_charge = true,
					   .change_discharge = true};

static struct session session;
static uint64_t now, deadline, sent_at;
static struct pb_query last;
static size_t sends, publishes, closes, told;

static void event(struct pb_session_event what)
{
	unsigned int todo = pb_session_step(&session.head, &what, now, &deadline);

	publishes += (todo & PB_DO_PUBLISH) != 0;
	closes += (todo & PB_DO_CLOSE) != 0;
	told += (todo & PB_DO_STATUS) != 0;
	if (!(todo & PB_DO_SEND))
		return;
	ck_assert(!session.head.secret);
	last = *session.head.request;
	sent_at = now;
	sends++;
}

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

static void give(uint8_t command, uint8_t value)
{
	uint8_t bytes[] = {TOY_START, command, value};

	event((struct pb_session_event){.type = PB_SESSION_DATA, .bytes = bytes, .len = 3});
}

/* Waits until @command is asked, with the address, @value and the sum in it. */
static void expect(uint8_t command, uint8_t value)
{
	size_t before = sends;

	for (int ms = 0; sends == before && ms < 2 * POLL_MS; ms++)
		pass(1);
	ck_assert_uint_eq(sends, before + 1);
	ck_assert_uint_eq(last.len, 4);
	ck_assert_uint_eq(last.bytes[0], ADDRESS);
	ck_assert_uint_eq(last.bytes[1], command);
	ck_assert_uint_eq(last.bytes[2], value);
	ck_assert_uint_eq(last.bytes[3], (uint8_t)(ADDRESS + command + value));
}

static void answer(uint8_t command, uint8_t value)
{
	pass(REPLY_MS);
	give(command, value);
}

static void connect_to(const struct pb_codec *codec)
{
	struct pb_session_config config = {
		.codec = codec,
		.poll_ms = POLL_MS,
		.gap_ms = GAP_MS,
		.reply_timeout_ms = 1000,
		.tries = 2,
		.stale_after_s = 15,
		.address = ADDRESS,
		.control = true,
	};

	session_init(&session, &config);
	session.plan.requests.count = 0; /* nobody else has asked anything */
	now = 1000000;
	sends = publishes = closes = told = 0;
	event((struct pb_session_event){.type = PB_SESSION_START});
	event((struct pb_session_event){.type = PB_SESSION_UP});
}

static void begin(const struct pb_codec *codec)
{
	connect_to(codec);
	expect(VOLTS, 0);
	answer(VOLTS, 12);
	ck_assert_uint_eq(publishes, 1);
	pass(1000);
	ck_assert_int_eq(session.head.state, PB_STATE_RESTING);
}

static void command(void)
{
	event((struct pb_session_event){.type = PB_SESSION_COMMAND, .command = &both_off});
}

static enum pb_command_state state(void)
{
	return session.head.command.state;
}

START_TEST(a_command_runs_between_polls)
{
	uint64_t switched_ms;

	begin(&plain);
	ck_assert_int_eq(state(), PB_COMMAND_NONE);
	ck_assert_int_eq(pb_session_may_command(&session.head, now), 0);
	told = 0;
	command();
	ck_assert_uint_eq(told, 1);
	ck_assert_int_eq(state(), PB_COMMAND_RUNNING);
	/* the last reply was long enough ago */
	ck_assert_uint_eq(last.command, ENTER);
	ck_assert_str_eq(pb_session_state_text(session.head.state), "connected");
	answer(ENTER, 0);
	expect(SWITCH, INHIBIT_CHARGE | INHIBIT_DISCHARGE);
	switched_ms = sent_at;
	answer(SWITCH, 0);
	ck_assert_int_eq(state(), PB_COMMAND_DONE);
	ck_assert_uint_eq(session.head.command.number, 1);
	ck_assert_uint_eq(session.head.command.sent_ms, switched_ms);
	/* what it did shows in the next reading, which comes at once */
	ck_assert_uint_lt(session.head.status.sampled_ms, switched_ms);
	expect(VOLTS, 0);
	ck_assert_uint_eq(sent_at, switched_ms + REPLY_MS + GAP_MS);
	answer(VOLTS, 11);
	ck_assert_uint_eq(publishes, 2);
	ck_assert_uint_gt(session.head.status.sampled_ms, switched_ms);
	/* two more follow quickly, and then polls are as always */
	for (uint64_t second = 1; second <= 2; second++) {
		expect(VOLTS, 0);
		ck_assert_uint_eq(sent_at, switched_ms + REPLY_MS + second * 1000);
		answer(VOLTS, 11);
	}
	expect(VOLTS, 0);
	ck_assert_uint_eq(sent_at, switched_ms + REPLY_MS + 2000 + POLL_MS);
}
END_TEST

/* Boards need a silence behind each of their replies. */
START_TEST(gaps_are_left_in_a_command)
{
	uint64_t replied_ms;

	connect_to(&plain);
	expect(VOLTS, 0);
	answer(VOLTS, 12);
	replied_ms = now;
	command();
	expect(ENTER, 0);
	ck_assert_uint_eq(sent_at - replied_ms, GAP_MS);
	answer(ENTER, 0);
	replied_ms = now;
	expect(SWITCH, INHIBIT_CHARGE | INHIBIT_DISCHARGE);
	ck_assert_uint_eq(sent_at - replied_ms, GAP_MS);
}
END_TEST

START_TEST(a_command_waits_for_the_end_of_the_poll)
{
	begin(&plain);
	expect(VOLTS, 0);
	command();
	ck_assert_int_eq(state(), PB_COMMAND_WAITING);
	ck_assert_uint_eq(last.command, VOLTS);
	answer(VOLTS, 13);
	ck_assert_uint_eq(publishes, 2);
	ck_assert_int_eq(state(), PB_COMMAND_RUNNING);
	expect(ENTER, 0);
	answer(ENTER, 0);
	expect(SWITCH, INHIBIT_CHARGE | INHIBIT_DISCHARGE);
	answer(SWITCH, 0);
	ck_assert_int_eq(state(), PB_COMMAND_DONE);
}
END_TEST

START_TEST(a_refused_command)
{
	begin(&plain);
	command();
	answer(ENTER, 0);
	expect(SWITCH, INHIBIT_CHARGE | INHIBIT_DISCHARGE);
	answer(SWITCH, 1);
	ck_assert_int_eq(state(), PB_COMMAND_REFUSED);
	expect(VOLTS, 0);
	ck_assert_int_eq(session.head.status.last_error, PB_ERROR_NONE);
}
END_TEST

START_TEST(a_lost_reply)
{
	begin(&plain);
	command();
	answer(ENTER, 0);
	expect(SWITCH, INHIBIT_CHARGE | INHIBIT_DISCHARGE);
	pass(999);
	ck_assert_int_eq(state(), PB_COMMAND_RUNNING);
	pass(1);
	ck_assert_int_eq(state(), PB_COMMAND_UNANSWERED);
	ck_assert_uint_eq(session.head.status.timeouts, 1);
	/* nothing is repeated; what the pack did, the next reading shows */
	expect(VOLTS, 0);
	/* the reply was only late: it answers nothing any more */
	answer(SWITCH, 0);
	ck_assert_int_eq(state(), PB_COMMAND_UNANSWERED);
	ck_assert_uint_eq(session.head.status.unsolicited, 0);
	answer(VOLTS, 12);
	ck_assert_uint_eq(publishes, 2);
}
END_TEST

static void come_back(void)
{
	pass(0);
	ck_assert_int_eq(session.head.state, PB_STATE_CONNECTING);
	event((struct pb_session_event){.type = PB_SESSION_UP});
	expect(VOLTS, 0);
	answer(VOLTS, 12);
	pass(1000);
	ck_assert_int_eq(session.head.state, PB_STATE_RESTING);
}

/* A pack that comes back finds no command of before. */
START_TEST(a_link_lost_in_the_middle)
{
	size_t before;

	begin(&plain);
	command();
	answer(ENTER, 0);
	expect(SWITCH, INHIBIT_CHARGE | INHIBIT_DISCHARGE);
	event((struct pb_session_event){.type = PB_SESSION_DOWN});
	ck_assert_int_eq(state(), PB_COMMAND_UNANSWERED);
	before = sends;
	come_back();
	ck_assert_uint_eq(sends, before + 1);
	ck_assert_int_eq(state(), PB_COMMAND_UNANSWERED);
}
END_TEST

START_TEST(a_link_lost_before_anything_was_sent)
{
	begin(&plain);
	expect(VOLTS, 0);
	command();
	event((struct pb_session_event){.type = PB_SESSION_DOWN});
	ck_assert_int_eq(state(), PB_COMMAND_DROPPED);
	ck_assert_uint_eq(session.head.command.sent_ms, 0);
	come_back();
	ck_assert_int_eq(state(), PB_COMMAND_DROPPED);
}
END_TEST

/* In the silence before its first request. */
START_TEST(a_released_pack_drops_it)
{
	connect_to(&plain);
	expect(VOLTS, 0);
	answer(VOLTS, 12);
	command();
	ck_assert_int_eq(session.head.state, PB_STATE_GAP);
	event((struct pb_session_event){.type = PB_SESSION_RELEASE, .ms = 60000});
	ck_assert_int_eq(state(), PB_COMMAND_DROPPED);
	ck_assert_int_eq(pb_session_may_command(&session.head, now), -ENOTCONN);
}
END_TEST

START_TEST(no_command_without_a_live_reading)
{
	size_t before;

	connect_to(&plain);
	ck_assert_int_eq(pb_session_may_command(&session.head, now), -ENOTCONN);
	command();
	ck_assert_int_eq(state(), PB_COMMAND_NONE);
	ck_assert_uint_eq(session.head.command.number, 0);
	expect(VOLTS, 0);
	answer(VOLTS, 12);
	/* the board answers no more, and the connection stands */
	pass(15000 - REPLY_MS);
	ck_assert(session.head.status.connected);
	ck_assert_int_eq(pb_session_may_command(&session.head, now), -ENODATA);
	before = sends;
	command();
	ck_assert_uint_eq(sends, before);
	ck_assert_int_eq(state(), PB_COMMAND_NONE);
}
END_TEST

/* It was live when the command was taken, and is not when its turn has come. */
START_TEST(a_reading_turns_stale_before_its_turn)
{
	begin(&plain);
	session.config.reply_timeout_ms = 20000;
	expect(VOLTS, 0);
	command();
	ck_assert_int_eq(state(), PB_COMMAND_WAITING);
	pass(2 * 20000);
	ck_assert_int_eq(state(), PB_COMMAND_DROPPED);
	ck_assert_uint_ne(last.command, ENTER);
}
END_TEST

START_TEST(one_command_at_a_time)
{
	static const struct pb_command free_again = {.change_charge = true};

	begin(&plain);
	command();
	ck_assert_int_eq(pb_session_may_command(&session.head, now), -EBUSY);
	event((struct pb_session_event){.type = PB_SESSION_COMMAND, .command = &free_again});
	ck_assert_uint_eq(session.head.command.number, 1);
	answer(ENTER, 0);
	expect(SWITCH, INHIBIT_CHARGE | INHIBIT_DISCHARGE);
	answer(SWITCH, 0);
	/* the poll behind it need not be over */
	ck_assert_int_eq(pb_session_may_command(&session.head, now), 0);
	event((struct pb_session_event){.type = PB_SESSION_COMMAND, .command = &free_again});
	ck_assert_int_eq(state(), PB_COMMAND_WAITING);
	ck_assert_uint_eq(session.head.command.number, 2);
	ck_assert_uint_eq(session.head.command.sent_ms, 0);
	expect(VOLTS, 0);
	answer(VOLTS, 12);
	expect(ENTER, 0);
	answer(ENTER, 0);
	expect(SWITCH, 0);
}
END_TEST

/* An answer to a request from before the command proves nothing of it. */
START_TEST(a_late_reading_is_older_than_the_command)
{
	begin(&plain);
	expect(VOLTS, 0);
	pass(1000); /* lost, or late */
	ck_assert_uint_eq(last.command, VOLTS);
	answer(VOLTS, 12);
	pass(1000);
	command();
	answer(ENTER, 0);
	expect(SWITCH, INHIBIT_CHARGE | INHIBIT_DISCHARGE);
	answer(SWITCH, 0);
	expect(VOLTS, 0);
	answer(VOLTS, 12);
	ck_assert_uint_eq(publishes, 3);
	ck_assert_uint_lt(session.head.status.sampled_ms, session.head.command.sent_ms);
}
END_TEST

START_TEST(a_protocol_without_commands)
{
	const struct pb_codec *const codecs[] = {&silent, &unable};
	size_t before;

	begin(codecs[_i]);
	before = sends;
	command();
	ck_assert_int_eq(state(), PB_COMMAND_UNSUPPORTED);
	ck_assert_uint_eq(sends, before);
	ck_assert_int_eq(session.head.state, PB_STATE_RESTING);
	/* also when its turn comes as others wait for the place */
	expect(VOLTS, 0);
	event((struct pb_session_event){.type = PB_SESSION_WANTED, .ms = 1000});
	command();
	answer(VOLTS, 12);
	ck_assert_int_eq(state(), PB_COMMAND_UNSUPPORTED);
	ck_assert_int_eq(session.head.state, PB_STATE_PARKED);
	ck_assert_uint_eq(closes, 1);
}
END_TEST

/* Others get the place behind the readings that show what the command did. */
START_TEST(others_wait_for_the_place)
{
	begin(&plain);
	command();
	event((struct pb_session_event){.type = PB_SESSION_WANTED, .ms = 1000});
	answer(ENTER, 0);
	expect(SWITCH, INHIBIT_CHARGE | INHIBIT_DISCHARGE);
	answer(SWITCH, 0);
	for (size_t i = 0; i < 3; i++) {
		expect(VOLTS, 0);
		ck_assert_uint_eq(closes, 0);
		answer(VOLTS, 12);
		ck_assert_uint_eq(publishes, 2 + i);
		event((struct pb_session_event){.type = PB_SESSION_WANTED, .ms = 1000});
	}
	ck_assert_int_eq(session.head.state, PB_STATE_PARKED);
}
END_TEST

/* Replies to an earlier program: the line must fall silent, whatever was under way. */
START_TEST(an_earlier_program_is_heard_in_the_middle)
{
	begin(&plain);
	session.plan.requests.count = 0;
	requests_expect(&session.plan.requests, &plain, VOLTS, 2, 1);
	command();
	give(VOLTS, 12);
	ck_assert_int_eq(session.head.state, PB_STATE_SETTLING);
	ck_assert_int_eq(state(), PB_COMMAND_UNANSWERED);
}
END_TEST

/* A board that sends by itself: frames from before the command would be taken for new ones. */
START_TEST(streams_are_asked_anew_behind_a_command)
{
	uint64_t replied_ms;

	connect_to(&streaming);
	expect(STREAM, 0);
	give(STREAM, 0);
	answer(STREAM, 12);
	ck_assert_uint_eq(publishes, 1);
	pass(GAP_MS);
	command();
	ck_assert_uint_eq(last.command, ENTER);
	answer(ENTER, 0);
	give(STREAM, 12);
	expect(SWITCH, INHIBIT_CHARGE | INHIBIT_DISCHARGE);
	give(STREAM, 12);
	answer(SWITCH, 0);
	replied_ms = now;
	give(STREAM, 12);
	expect(STREAM, 0);
	ck_assert_uint_eq(sent_at - replied_ms, GAP_MS);
	give(STREAM, 12);
	ck_assert_uint_eq(publishes, 1);
	give(STREAM, 0);
	give(STREAM, 12);
	ck_assert_uint_eq(publishes, 2);
	ck_assert_uint_gt(session.head.status.sampled_ms, session.head.command.sent_ms);
	/* the next two, too: only the notice tells what is commanded */
	for (size_t i = 0; i < 2; i++) {
		pass(500);
		give(STREAM, 12);
		expect(STREAM, 0);
		give(STREAM, 0);
		give(STREAM, 12);
		ck_assert_uint_eq(publishes, 3 + i);
	}
}
END_TEST

/* ---- reads in parts ---- */

static void read_temperatures(uint8_t count)
{
	expect(VOLTS, 0);
	answer(VOLTS, 12);
	expect(COUNT, 0);
	answer(COUNT, count);
	for (uint8_t i = 0; i < count; i++) {
		expect((uint8_t)(FIRST + i), 0);
		answer((uint8_t)(FIRST + i), (uint8_t)(20 + i));
	}
}

START_TEST(a_read_takes_as_many_requests_as_it_needs)
{
	const struct pb_sample *sample = &session.head.sample;

	connect_to(&reading);
	read_temperatures(3);
	ck_assert_uint_eq(publishes, 1);
	ck_assert_int_eq(sample->temperature_count, 3);
	ck_assert_uint_eq(sample->temperature_has, 7);
	ck_assert_int_eq(sample->temperature_mc[2], 22000);
	ck_assert_int_eq(session.head.state, PB_STATE_RESTING);
	/* the next poll may be another */
	read_temperatures(1);
	ck_assert_uint_eq(publishes, 2);
	ck_assert_int_eq(sample->temperature_count, 1);
	ck_assert_int_eq(sample->temperature_mc[0], 20000);
}
END_TEST

/* The same part is asked again; without it there is no reading. */
START_TEST(a_part_is_lost)
{
	connect_to(&reading);
	expect(VOLTS, 0);
	answer(VOLTS, 12);
	expect(COUNT, 0);
	answer(COUNT, 2);
	expect(FIRST, 0);
	session.wakes_left = 0;
	expect(FIRST, 0);
	answer(FIRST, 20);
	expect(FIRST + 1, 0);
	expect(FIRST + 1, 0);
	pass(1000);
	ck_assert_uint_eq(publishes, 0);
	ck_assert_uint_eq(session.head.status.failures, 1);
	ck_assert_int_eq(session.head.status.last_error, PB_ERROR_TIMEOUT);
	/* and begins at its begin the next time */
	read_temperatures(2);
	ck_assert_uint_eq(publishes, 1);
}
END_TEST

START_TEST(a_part_is_refused)
{
	connect_to(&optional);
	expect(VOLTS, 0);
	answer(VOLTS, 12);
	expect(COUNT, 0);
	answer(COUNT, 0xFF);
	ck_assert_int_eq(session.head.state, PB_STATE_RESTING);
}
END_TEST

/* As all parts of a reading. */
START_TEST(a_reading_is_as_old_as_its_first_part)
{
	uint64_t first_ms;

	connect_to(&reading);
	session.wakes_left = 0;
	expect(VOLTS, 0);
	first_ms = sent_at;
	answer(VOLTS, 12);
	expect(COUNT, 0);
	answer(COUNT, 1);
	expect(FIRST, 0);
	answer(FIRST, 20);
	ck_assert_uint_eq(publishes, 1);
	ck_assert_uint_eq(session.head.status.sampled_ms, first_ms);
}
END_TEST

START_TEST(a_codec_without_its_dialogue)
{
	connect_to(&helpless);
	expect(VOLTS, 0);
	answer(VOLTS, 12);
	pass(0);
	ck_assert_uint_eq(sends, 1);
	ck_assert_uint_eq(publishes, 1);
	ck_assert_int_eq(session.head.state, PB_STATE_RESTING);
}
END_TEST

int main(void)
{
	TCase *tcase = tcase_create("dialogue");

	tcase_add_test(tcase, a_command_runs_between_polls);
	tcase_add_test(tcase, gaps_are_left_in_a_command);
	tcase_add_test(tcase, a_command_waits_for_the_end_of_the_poll);
	tcase_add_test(tcase, a_refused_command);
	tcase_add_test(tcase, a_lost_reply);
	tcase_add_test(tcase, a_link_lost_in_the_middle);
	tcase_add_test(tcase, a_link_lost_before_anything_was_sent);
	tcase_add_test(tcase, a_released_pack_drops_it);
	tcase_add_test(tcase, no_command_without_a_live_reading);
	tcase_add_test(tcase, a_reading_turns_stale_before_its_turn);
	tcase_add_test(tcase, one_command_at_a_time);
	tcase_add_test(tcase, a_late_reading_is_older_than_the_command);
	tcase_add_loop_test(tcase, a_protocol_without_commands, 0, 2);
	tcase_add_test(tcase, others_wait_for_the_place);
	tcase_add_test(tcase, an_earlier_program_is_heard_in_the_middle);
	tcase_add_test(tcase, streams_are_asked_anew_behind_a_command);
	tcase_add_test(tcase, a_read_takes_as_many_requests_as_it_needs);
	tcase_add_test(tcase, a_part_is_lost);
	tcase_add_test(tcase, a_part_is_refused);
	tcase_add_test(tcase, a_reading_is_as_old_as_its_first_part);
	tcase_add_test(tcase, a_codec_without_its_dialogue);
	return pb_run_suite("pack/dialogue", tcase);
}
