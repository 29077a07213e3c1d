/* SPDX-License-Identifier: MIT */
/*
 * The session over simulated time: a board and a link that can be told to misbehave, and a clock
 * that jumps from event to event.
 */
#include "../../src/pack/requests.h"
#include "../../src/pack/state.h"
#include "suite.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* replies as captured, tests/data/jbd/frames.json: sp04s034-280ah-03 and the like */
static const char *const reply_basic =
	"dd03001d0534000068c96d6000002c7c00000000000080600304030b6d0b6d0b69fab677";
static const char *const reply_cells = "dd0400080d000d010d020d03ffbe77";
static const char *const reply_name = "dd0500154a42442d53503034533036302d333030412d4c3453fafd77";
static const char *const reply_counters =
	"ddaa001600000000000000000004000000000000000000000000ffe677";
static const char *const reply_no_cells = "dd048000ff8077";

enum board {
	BOARD_GOOD,
	BOARD_SILENT,
	BOARD_BAD_CHECKSUM,
	BOARD_GARBAGE,
	BOARD_NO_CELLS,
	BOARD_TWO,
	BOARD_ECHO
};

enum { QUEUE = 16 };

struct pending {
	uint64_t at;
	enum pb_session_event_type type;
	uint8_t bytes[64];
	size_t len;
};

struct world {
	struct session session;
	uint64_t now, deadline;
	struct pending queue[QUEUE];
	size_t queued;
	enum board board;
	bool connects; /* the link comes up when opened */
	bool link_open;
	uint32_t wake; /* requests to swallow */
	uint32_t reply_ms;
	uint32_t turn_ms; /* a request waits so long for its turn on a line; 0: there is none */
	const struct pb_advert *advert; /* of the radio module; NULL: a wire */
	bool locked;			/* silent until the password was given */
	bool wrong;			/* it does not like that */
	bool no_counters;		/* it does not answer AA any more */
	size_t warnings, loud;		/* loud: more than debug */
	/* what was seen */
	uint64_t sent_at[64], opened_at[64], published_at;
	uint8_t sent[64];
	uint64_t left_at[64]; /* behind their turns */
	size_t lefts;
	size_t sends, opens, closes, publishes, logs;
	uint64_t last_reply_at;
	uint64_t least_gap;
	bool outstanding;
	uint64_t late_ms; /* of every timer */
};

static void queue(struct world *w, uint64_t delay, enum pb_session_event_type type, const char *hex)
{
	struct pending *p = &w->queue[w->queued++];

	ck_assert_uint_le(w->queued, QUEUE);
	*p = (struct pending){.at = w->now + delay, .type = type};
	if (hex) {
		int len = pb_hex_parse(hex, p->bytes, sizeof(p->bytes));

		ck_assert_int_gt(len, 0);
		p->len = (size_t)len;
	}
}

static const char *right_reply(uint16_t command)
{
	return command == 3   ? reply_basic
	       : command == 4 ? reply_cells
	       : command == 5 ? reply_name
			      : reply_counters;
}

static void answer(struct world *w, uint16_t command)
{
	const char *hex = right_reply(command);

	if (w->wake > 0) {
		w->wake--;
		return;
	}
	if (w->no_counters && command == 0xAA)
		return;
	switch (w->board) {
	case BOARD_GOOD:
		queue(w, w->reply_ms, PB_SESSION_DATA, hex);
		break;
	case BOARD_SILENT:
		break;
	case BOARD_BAD_CHECKSUM:
		queue(w, w->reply_ms, PB_SESSION_DATA, hex);
		w->queue[w->queued - 1].bytes[5] ^= 1;
		break;
	case BOARD_GARBAGE:
		queue(w, w->reply_ms, PB_SESSION_DATA, "025100ff34");
		break;
	case BOARD_NO_CELLS:
		queue(w, w->reply_ms, PB_SESSION_DATA, command == 4 ? reply_no_cells : hex);
		break;
	case BOARD_ECHO:
		queue(w, w->reply_ms, PB_SESSION_DATA, NULL);
		memcpy(w->queue[w->queued - 1].bytes, w->session.head.request->bytes,
		       w->session.head.request->len);
		w->queue[w->queued - 1].len = w->session.head.request->len;
		break;
	case BOARD_TWO: /* the reply of the other request comes first */
		queue(w, w->reply_ms, PB_SESSION_DATA, command == 4 ? reply_basic : reply_cells);
		queue(w, w->reply_ms + 1, PB_SESSION_DATA, hex);
		break;
	}
}

/* What a radio module with a password says. @return false: the bytes are for the board. */
static bool module_answer(struct world *w)
{
	static const char *const good[] = {"FFAA15010016", "FFAA1701247C", "FFAA18010019",
					   "FFAA1D01001E"};
	const uint8_t *request = w->session.head.request->bytes;
	char reply[16];

	if (request[0] != 0xFF)
		return w->locked;
	if (!w->advert || w->board == BOARD_ECHO)
		return false;
	for (size_t i = 0; i < PB_ARRAY_SIZE(good); i++) {
		snprintf(reply, sizeof(reply), "%s", good[i]);
		if (strncmp(reply + 4, "17", 2) == 0) /* the checksum that 24 gives */
			memcpy(reply + 10, "3C", 2);
		if (w->wrong && request[2] != 0x17) /* refused: 01, and the checksum with it */
			snprintf(reply, sizeof(reply), "FFAA%02X0101%02X", request[2],
				 request[2] + 2U);
		if (request[2] == (i == 0 ? 0x15 : i == 1 ? 0x17 : i == 2 ? 0x18 : 0x1D))
			queue(w, 20, PB_SESSION_DATA, reply);
	}
	if (request[2] == 0x18 && !w->wrong)
		w->locked = false;
	return true;
}

static void step(struct world *w, struct pb_session_event event);

static void do_send(struct world *w)
{
	ck_assert(w->link_open);
	ck_assert(w->session.head.status.connected);
	if (w->last_reply_at && w->now - w->last_reply_at < w->least_gap)
		w->least_gap = w->now - w->last_reply_at;
	w->sent_at[w->sends % 64] = w->now;
	w->sent[w->sends % 64] = (uint8_t)w->session.head.request->command;
	w->sends++;
	if (w->turn_ms) {
		step(w, (struct pb_session_event){.type = PB_SESSION_QUEUED});
		queue(w, w->turn_ms, PB_SESSION_SENT, NULL);
	} else if (!module_answer(w))
		answer(w, w->session.head.request->command);
}

static void step(struct world *w, struct pb_session_event event)
{
	unsigned int todo = pb_session_step(&w->session.head, &event, w->now, &w->deadline);

	if (todo & PB_DO_LOG) {
		ck_assert_uint_gt(strlen(w->session.head.note.text), 0);
		w->logs++;
		w->warnings += w->session.head.note.level <= PB_LOG_WARNING;
		w->loud += w->session.head.note.level <= PB_LOG_INFO;
	}
	if (todo & PB_DO_CLOSE) {
		w->link_open = false;
		w->queued = 0;
		w->closes++;
	}
	if (todo & PB_DO_OPEN) {
		ck_assert(!w->link_open);
		w->link_open = true;
		w->opened_at[w->opens++ % 64] = w->now;
		if (w->connects)
			queue(w, 50, PB_SESSION_UP, NULL);
	}
	if (todo & PB_DO_PUBLISH) {
		w->publishes++;
		w->published_at = w->now;
		ck_assert_int_eq(pb_status_quality(&w->session.head.status, w->now),
				 PB_QUALITY_GOOD);
	}
	if (todo & PB_DO_SEND)
		do_send(w);
}

/* The next thing that happens, not later than @until. @return false: nothing by then. */
static bool happen(struct world *w, uint64_t until)
{
	size_t first = w->queued;
	struct pending event;

	for (size_t i = 0; i < w->queued; i++)
		if (first == w->queued || w->queue[i].at < w->queue[first].at)
			first = i;
	if (first < w->queued && w->queue[first].at <= until && w->queue[first].at <= w->deadline) {
		event = w->queue[first];
		w->queue[first] = w->queue[--w->queued];
		w->now = event.at > w->now ? event.at : w->now;
		if (event.type == PB_SESSION_DATA)
			w->last_reply_at = w->now;
		if (event.type == PB_SESSION_DOWN) {
			w->link_open = false;
			w->queued = 0;
		}
		step(w, (struct pb_session_event){.type = event.type,
						  .bytes = event.bytes,
						  .len = event.len,
						  .advert = event.type == PB_SESSION_UP ? w->advert
											: NULL});
		if (event.type == PB_SESSION_SENT) {
			w->left_at[w->lefts++ % 64] = w->now;
			answer(w, w->session.head.request->command);
		}
		return true;
	}
	if (w->deadline > until)
		return false;
	w->now = (w->deadline > w->now ? w->deadline : w->now) + w->late_ms;
	step(w, (struct pb_session_event){.type = PB_SESSION_TIME});
	return true;
}

static void run(struct world *w, uint64_t ms)
{
	uint64_t until = w->now + ms;
	uint64_t last = w->now;
	int same = 0;

	while (happen(w, until)) {
		/* time must go on: a session that spins would stop the daemon's loop */
		same = w->now == last ? same + 1 : 0;
		ck_assert_int_lt(same, 20);
		last = w->now;
	}
	w->now = until;
}

static struct world world(void)
{
	struct world w = {
		.now = 1000000, .connects = true, .reply_ms = 70, .least_gap = UINT64_MAX};
	struct pb_session_config config = {
		.codec = &pb_codec_jbd,
		.poll_ms = 5000,
		.gap_ms = 500,
		.settle_ms = 300,
		.reply_timeout_ms = 1000,
		.tries = 3,
		.connect_timeout_ms = 20000,
		.stale_after_s = 15,
		.seed = 7,
	};

	session_init(&w.session, &config);
	w.session.plan.requests.count = 0; /* nobody else has asked anything */
	return w;
}

static void start(struct world *w)
{
	step(w, (struct pb_session_event){.type = PB_SESSION_START});
}

/* ---- a line that several packs share ---- */

/* However long a request waits for its turn, no reply is missed before it has left. */
START_TEST(waits_for_its_turn)
{
	struct world w = world();

	w.turn_ms = 3000;
	start(&w);
	run(&w, 9000);
	ck_assert_uint_eq(w.session.head.status.timeouts, 0);
	ck_assert_uint_eq(w.publishes, 1);
	/* as old as the first request that its values answer, from when that really left */
	ck_assert_uint_eq(w.session.head.status.sampled_ms, w.left_at[0]);
	ck_assert_uint_eq(w.left_at[0], w.sent_at[0] + 3000);
	run(&w, 600000);
	ck_assert_uint_eq(w.session.head.status.timeouts, 0);
	ck_assert_uint_ge(w.publishes, 60);
	ck_assert_uint_eq(w.closes, 0);
	ck_assert_uint_eq(pb_status_quality(&w.session.head.status, w.now), PB_QUALITY_GOOD);
}
END_TEST

START_TEST(reply_time_begins_in_its_turn)
{
	struct world w = world();

	w.turn_ms = 3000;
	w.board = BOARD_SILENT;
	start(&w);
	run(&w, 60000);
	ck_assert_uint_ge(w.sends, 3);
	for (size_t i = 1; i < 3; i++)
		ck_assert_uint_ge(w.sent_at[i], w.left_at[i - 1] + 1000);
	ck_assert_uint_le(w.sent_at[1], w.left_at[0] + 1000 + 500);
	ck_assert_uint_ge(w.session.head.status.timeouts, 3);
	ck_assert_uint_ge(w.closes, 1);
}
END_TEST

/* A word that a request leaves, when none waits: a close came before it. */
START_TEST(sent_without_waiting)
{
	struct world w = world();
	uint64_t deadline;

	start(&w);
	run(&w, 400);
	deadline = w.deadline;
	step(&w, (struct pb_session_event){.type = PB_SESSION_SENT});
	ck_assert_uint_eq(w.deadline, deadline);
	/* released while its request waits */
	w.turn_ms = 3000;
	run(&w, 6000);
	step(&w, (struct pb_session_event){.type = PB_SESSION_RELEASE, .ms = 60000});
	deadline = w.deadline;
	step(&w, (struct pb_session_event){.type = PB_SESSION_SENT});
	ck_assert_uint_eq(w.deadline, deadline);
}
END_TEST

START_TEST(plan)
{
	/* the counters change by themselves, so they are asked for often */
	static const uint8_t expected[] = {3, 4, 5, 0xAA, 3, 4, 3, 4, 0xAA};
	struct world w = world();

	start(&w);
	run(&w, 12000);
	ck_assert_uint_eq(w.sends, sizeof(expected));
	ck_assert_mem_eq(w.sent, expected, sizeof(expected));
	ck_assert_uint_eq(w.sent_at[0], 1000000 + 50 + 300);
	ck_assert_uint_eq(w.sent_at[4] - w.sent_at[0], 5000);
	ck_assert_uint_eq(w.sent_at[6] - w.sent_at[4], 5000);
	ck_assert_uint_ge(w.least_gap, 500);
	ck_assert_uint_eq(w.publishes, 3);
	ck_assert_uint_eq(w.session.head.status.polls, 3);
	ck_assert_uint_eq(w.session.head.status.sequence, 3);
	ck_assert_uint_eq(w.session.head.status.failures, 0);
	ck_assert_uint_eq(w.session.head.status.timeouts, 0);
	ck_assert_int_eq(w.session.head.sample.voltage_mv, 13320);
	ck_assert_int_eq(w.session.head.sample.cell_mv[3], 3331);
	ck_assert_int_eq(w.session.head.sample.cell_max_index, 4);
	ck_assert_str_eq(w.session.head.sample.device_name, "JBD-SP04S060-300A-L4S");
	ck_assert_int_eq(w.session.head.sample.counters[PB_COUNTER_CELL_UNDERVOLTAGE], 4);
}
END_TEST

START_TEST(late_timers_do_not_add_up)
{
	struct world w = world();

	start(&w);
	run(&w, 12000);
	w.late_ms = 40;
	w.sends = 0;
	run(&w, 100 * 5000);
	/* the counters at each second poll, the name once a minute */
	ck_assert_uint_ge(w.sends, 2 * 100 + 50);
	ck_assert_uint_le(w.sends, 2 * 100 + 50 + 9);
	ck_assert_uint_eq(w.session.head.status.polls, 3 + 100);
	/* but a machine that slept does not catch up */
	w.late_ms = 0;
	w.now += 3600000;
	w.sends = 0;
	run(&w, 10000);
	ck_assert_uint_le(w.sends, 3 * 3);
}
END_TEST

START_TEST(no_gap)
{
	struct world w = world();

	w.session.config.gap_ms = 0;
	start(&w);
	run(&w, 1000);
	ck_assert_uint_eq(w.sends, 4);
	ck_assert_uint_eq(w.sent_at[1], w.sent_at[0] + 70);
}
END_TEST

/* jbd.md: the first request after connecting may be lost, and the second; neither is a fault */
START_TEST(wake_up)
{
	struct world w = world();

	w.wake = (uint32_t)_i;
	start(&w);
	run(&w, 4900);
	ck_assert_uint_eq(w.publishes, 1);
	ck_assert_uint_eq(w.session.head.status.timeouts, 0);
	ck_assert_uint_eq(w.session.head.status.failures, 0);
	ck_assert_uint_eq(w.sent_at[_i] - w.sent_at[0], (uint64_t)_i * 1000);
}
END_TEST

START_TEST(wake_up_after_long_rest)
{
	struct world w = world();

	w.session.config.poll_ms = 60000;
	w.session.config.stale_after_s = w.session.plan.stale_after_s =
		w.session.head.status.stale_after_s = 180;
	start(&w);
	run(&w, 30000);
	ck_assert_uint_eq(w.publishes, 1);
	w.wake = 1;
	run(&w, 60000);
	ck_assert_uint_eq(w.publishes, 2);
	ck_assert_uint_eq(w.session.head.status.timeouts, 0);
}
END_TEST

START_TEST(lost_reply_is_tried_again)
{
	struct world w = world();

	start(&w);
	run(&w, 4000);
	w.wake = 1;
	run(&w, 5000);
	ck_assert_uint_eq(w.session.head.status.timeouts, 1);
	ck_assert_uint_eq(w.session.head.status.failures, 0);
	ck_assert_uint_eq(w.session.head.status.polls, 2);
}
END_TEST

START_TEST(once_queries_may_stay_unanswered)
{
	struct world w = world();

	start(&w);
	run(&w, 1100); /* both each-poll replies are in, the name is not yet asked for */
	ck_assert_uint_eq(w.publishes, 1);
	w.wake = 6; /* 3 tries of 0x05 and of 0xAA */
	run(&w, 15000);
	ck_assert_uint_eq(w.wake, 0);
	ck_assert_uint_eq(w.session.head.status.failures, 0);
	ck_assert_uint_gt(w.publishes, 2);
	ck_assert(!(w.session.head.sample.has & PB_HAS(PB_HAS_DEVICE_NAME)));
}
END_TEST

START_TEST(three_failed_polls_reconnect)
{
	static const uint32_t expected_s[] = {0, 1, 2, 5, 10, 30, 30};
	struct world w = world();
	size_t logs, warnings;

	start(&w);
	run(&w, 4000);
	w.board = BOARD_SILENT;
	w.connects = false;
	run(&w, 26000);
	ck_assert_uint_eq(w.closes, 1);
	ck_assert_uint_ge(w.session.head.status.failures, 3);
	ck_assert_uint_eq(w.session.head.status.reconnects, 1);
	ck_assert_int_eq(w.session.head.status.last_error, PB_ERROR_TIMEOUT);
	warnings = w.warnings;
	logs = w.logs;
	run(&w, 400000);
	/* from one failed connect (20 s) to the next attempt: the back-off, give or take 20 % */
	for (size_t i = 2; i < 7; i++) {
		uint64_t waited = w.opened_at[i] - w.opened_at[i - 1] - 20000;

		ck_assert_uint_ge(waited, expected_s[i - 1] * 800);
		ck_assert_uint_le(waited, expected_s[i - 1] * 1200);
	}
	ck_assert_int_eq(pb_status_quality(&w.session.head.status, w.now), PB_QUALITY_LOST);
	/* "no connection" once, not at every attempt: the rest is debug */
	ck_assert_uint_ge(w.logs - logs, 10);
	ck_assert_uint_eq(w.warnings - warnings, 1);

	w.connects = true;
	w.board = BOARD_GOOD;
	run(&w, 90000);
	ck_assert_int_eq(pb_status_quality(&w.session.head.status, w.now), PB_QUALITY_GOOD);
	ck_assert_uint_eq(w.session.attempt, 0);
}
END_TEST

START_TEST(goes_stale_in_time)
{
	struct world w = world();
	uint64_t sampled;

	start(&w);
	run(&w, 1500);
	sampled = w.session.head.status.sampled_ms;
	/* no younger than what was asked for, however long the reply lay somewhere */
	ck_assert_uint_eq(sampled, w.sent_at[0]);
	w.board = BOARD_SILENT;
	run(&w, sampled + 15000 - 1 - w.now);
	ck_assert_int_eq(pb_status_quality(&w.session.head.status, w.now), PB_QUALITY_GOOD);
	ck_assert_uint_eq(pb_status_age_s(&w.session.head.status, w.now), 14);
	run(&w, 1);
	ck_assert_int_ne(pb_status_quality(&w.session.head.status, w.now), PB_QUALITY_GOOD);
	ck_assert(pb_status_is_stale(&w.session.head.status, w.now));
	ck_assert_uint_eq(pb_status_age_s(&w.session.head.status, w.now), 15);
	ck_assert_uint_eq(pb_status_age_s(&w.session.head.status, w.now + 70000000), 65534);
	w.board = BOARD_GOOD;
	run(&w, 40000);
	ck_assert_int_eq(pb_status_quality(&w.session.head.status, w.now), PB_QUALITY_GOOD);
}
END_TEST

START_TEST(never_read)
{
	struct world w = world();

	w.connects = false;
	start(&w);
	run(&w, 100000);
	ck_assert_int_eq(pb_status_quality(&w.session.head.status, w.now), PB_QUALITY_NEVER);
	ck_assert(pb_status_is_stale(&w.session.head.status, w.now));
	ck_assert_uint_eq(pb_status_age_s(&w.session.head.status, w.now), 65535);
	ck_assert_int_eq(w.session.head.status.last_error, PB_ERROR_CONNECT);
	ck_assert_uint_eq(w.session.head.status.reconnects, 0);
}
END_TEST

static const struct {
	enum board board;
	enum pb_error error;
} faults[] = {
	{BOARD_SILENT, PB_ERROR_TIMEOUT},
	{BOARD_BAD_CHECKSUM, PB_ERROR_CHECKSUM},
	{BOARD_GARBAGE, PB_ERROR_GARBAGE},
};

START_TEST(names_the_fault)
{
	struct world w = world();

	start(&w);
	run(&w, 4000);
	w.board = faults[_i].board;
	run(&w, 10000);
	ck_assert_int_eq(w.session.head.status.last_error, faults[_i].error);
	ck_assert_uint_gt(w.session.head.status.failures, 0);
	ck_assert_uint_eq(w.session.head.status.polls, 1);
	if (faults[_i].error == PB_ERROR_CHECKSUM)
		ck_assert_uint_gt(w.session.head.status.bad_frames, 0);
	if (faults[_i].error == PB_ERROR_GARBAGE)
		ck_assert_uint_gt(w.session.head.status.garbage_bytes, 0);
	w.board = BOARD_GOOD;
	run(&w, 30000);
	ck_assert_int_eq(pb_status_quality(&w.session.head.status, w.now), PB_QUALITY_GOOD);
}
END_TEST

START_TEST(refused_cells_leave_the_rest)
{
	struct world w = world();

	w.board = BOARD_NO_CELLS;
	start(&w);
	run(&w, 4000);
	ck_assert_uint_eq(w.publishes, 1);
	ck_assert_int_eq(w.session.head.sample.voltage_mv, 13320);
	ck_assert_uint_eq(w.session.head.sample.cell_has, 0);
	ck_assert_uint_eq(w.session.head.status.timeouts, 0);
}
END_TEST

/* Each request has two replies: two boards on one line, or somebody else who asks. */
START_TEST(unsolicited_replies_make_no_reading)
{
	struct world w = world();

	w.board = BOARD_TWO;
	start(&w);
	run(&w, 60000);
	ck_assert_uint_eq(w.session.head.status.polls, 0);
	ck_assert_uint_ge(w.session.head.status.unsolicited, 10);
	ck_assert_int_eq(w.session.head.status.last_error, PB_ERROR_UNSOLICITED);
	ck_assert_uint_eq(w.session.head.status.timeouts, 0);
	w.board = BOARD_GOOD;
	run(&w, 30000);
	ck_assert_int_eq(pb_status_quality(&w.session.head.status, w.now), PB_QUALITY_GOOD);
	ck_assert_int_eq(w.session.head.sample.cell_mv[0], 3328);
}
END_TEST

START_TEST(link_lost_in_the_middle_of_a_frame)
{
	struct world w = world();

	start(&w);
	run(&w, 4000);
	w.board = BOARD_SILENT;
	run(&w, 1400); /* a request is out */
	ck_assert_int_eq(w.session.head.state, PB_STATE_WAITING);
	queue(&w, 0, PB_SESSION_DATA, "dd03001d0534000068c96d60");
	queue(&w, 10, PB_SESSION_DOWN, NULL);
	run(&w, 100);
	/* the first try to get it back comes at once */
	ck_assert_uint_eq(w.opens, 2);
	ck_assert_uint_eq(w.session.head.status.reconnects, 1);
	ck_assert_int_eq(w.session.head.status.last_error, PB_ERROR_LINK_LOST);
	w.board = BOARD_GOOD;
	run(&w, 5000);
	ck_assert_uint_eq(w.session.head.status.polls, 2);
	ck_assert_uint_eq(w.session.head.status.connects, 2);
}
END_TEST

/* @return how many bytes it took of rubbish, @len at a time, until it hung up, or @most */
static size_t flood(struct world *w, size_t len, size_t most)
{
	static uint8_t rubbish[4096];
	size_t taken = 0, closes = w->closes;

	memset(rubbish, 0xDD, sizeof(rubbish));
	while (w->closes == closes && taken < most) {
		step(w, (struct pb_session_event){
				.type = PB_SESSION_DATA, .bytes = rubbish, .len = len});
		taken += len;
	}
	return taken;
}

/* A far end that sends without end and never a frame is left alone, longer each time. */
START_TEST(floods_end_the_connection)
{
	struct world w = world();
	uint64_t waits[4];

	w.board = BOARD_SILENT;
	start(&w);
	for (int i = 0; i < 4; i++) {
		run(&w, 60);
		ck_assert(w.session.head.status.connected);
		ck_assert_uint_eq(flood(&w, 4096, SIZE_MAX), 1024 * 1024 + 4096);
		ck_assert(!w.session.head.status.connected);
		ck_assert_int_eq(w.session.head.status.last_error, PB_ERROR_GARBAGE);
		ck_assert_uint_gt(w.session.head.status.garbage_bytes, 0);
		waits[i] = w.deadline - w.now;
		w.now = w.deadline;
		step(&w, (struct pb_session_event){.type = PB_SESSION_TIME});
	}
	ck_assert_uint_eq(waits[0], 0);
	ck_assert_uint_gt(waits[3], 2 * waits[1]);
}
END_TEST

/* Noise between good replies never adds up to that, however long it lasts. */
START_TEST(noise_between_replies_does_not)
{
	struct world w = world();

	start(&w);
	for (int i = 0; i < 20; i++) {
		run(&w, 5000);
		flood(&w, 512, 1000 * 1024);
		w.now += 400; /* the silence in front of the next frame */
	}
	ck_assert_uint_eq(w.closes, 0);
	ck_assert_uint_ge(w.publishes, 19);
}
END_TEST

START_TEST(bytes_in_any_state_do_no_harm)
{
	struct world w = world();
	struct pb_session_event event = {
		.type = PB_SESSION_DATA, .bytes = (const uint8_t *)"\0\xDD\x03", .len = 3};

	step(&w, event);
	start(&w);
	step(&w, event);
	run(&w, 100);
	step(&w, event); /* settling: modules do send a byte then */
	run(&w, 2000);
	step(&w, event);
	run(&w, 10000);
	ck_assert_uint_eq(w.session.head.status.polls, 3);
}
END_TEST

START_TEST(sequence_skips_zero)
{
	struct world w = world();

	start(&w);
	run(&w, 4000);
	w.session.head.status.sequence = 65535;
	run(&w, 5000);
	ck_assert_uint_eq(w.session.head.status.sequence, 1);
}
END_TEST

static void event(struct world *w, enum pb_session_event_type type, uint32_t ms)
{
	step(w, (struct pb_session_event){.type = type, .ms = ms});
}

/* Takes up what was on its way while this program stood still for @ms. */
static void stand_still(struct world *w, uint64_t ms)
{
	while (w->session.head.state != PB_STATE_WAITING || w->session.head.request->command != 4)
		ck_assert(happen(w, w->now + 60000));
	w->now += ms;
	ck_assert_uint_eq(w->queued, 1);
	happen(w, w->now);
}

/* Stopped in the middle of a poll: the reply is old then, and the board no slower than before. */
START_TEST(stopped_in_a_poll)
{
	static const uint32_t stops_ms[] = {9000, 14000, 30000, 200000, 100000000};
	struct world w = world();

	start(&w);
	run(&w, 12000);
	for (int i = 0; i < 3; i++) { /* again and again is no pace either */
		stand_still(&w, stops_ms[_i]);
		ck_assert_uint_eq(w.session.head.status.stale_after_s, 15);
		ck_assert(pb_status_is_stale(&w.session.head.status, w.now) ==
			  (w.now - w.session.head.status.sampled_ms >= 15000));
		ck_assert_int_eq(pb_status_is_stale(&w.session.head.status, w.now),
				 stops_ms[_i] > 14000);
	}
	run(&w, 60000);
	ck_assert_int_eq(pb_status_quality(&w.session.head.status, w.now), PB_QUALITY_GOOD);
	ck_assert_uint_eq(w.session.head.status.stale_after_s, 15);
}
END_TEST

/* The same for turns: a machine that slept has had no long round. */
START_TEST(stopped_in_a_round)
{
	struct world w = world();

	start(&w);
	run(&w, 4000);
	event(&w, PB_SESSION_WANTED, 1000);
	ck_assert_int_eq(w.session.head.state, PB_STATE_PARKED);
	w.now += 300000;
	run(&w, 3000);
	ck_assert_int_eq(pb_status_quality(&w.session.head.status, w.now), PB_QUALITY_GOOD);
	ck_assert_uint_le(w.session.head.status.stale_after_s, 3 * 9);
}
END_TEST

/* One slow poll: its reading gets no longer a time for it. */
START_TEST(one_slow_poll)
{
	struct world w = world();

	w.session.config.tries = 8;
	start(&w);
	run(&w, 12000);
	w.wake = 6; /* requests that bring nothing */
	for (int i = 0; i < 120; i++) {
		run(&w, 100);
		ck_assert_uint_eq(w.session.head.status.stale_after_s, 15);
	}
	ck_assert_uint_eq(w.session.head.status.failures, 0);
	ck_assert_uint_ge(w.session.head.status.timeouts, 4);
}
END_TEST

/* Released with requests open: the board may have kept all their replies until it is taken back. */
START_TEST(kept_while_released)
{
	enum { OPEN = 6 };
	static const uint8_t commands[] = {5, 3, 4};
	struct world w = world();
	uint64_t released_ms;

	start(&w);
	run(&w, 12000);
	released_ms = w.now;
	for (int i = 0; i < OPEN * 3; i++)
		requests_sent(&w.session.plan.requests, &pb_codec_jbd, commands[i % 3], w.now);
	event(&w, PB_SESSION_RELEASE, 60000);
	w.board = BOARD_SILENT; /* but for what it has kept */
	event(&w, PB_SESSION_TAKE, 0);
	run(&w, 50 + 300);
	for (int i = 0; i < OPEN * 3; i++) {
		queue(&w, 0, PB_SESSION_DATA, right_reply(commands[i % 3]));
		run(&w, 600);
	}
	ck_assert_uint_le(w.session.head.status.sampled_ms, released_ms);
}
END_TEST

/* A week of random trouble: the invariants hold throughout, and it always comes back. */
START_TEST(weeks)
{
	struct world w = world();
	struct pb_random random;
	uint64_t end;

	pb_random_seed(&random, (uint64_t)_i);
	w.session.config.seed = (uint64_t)_i;
	w.session.config.poll_ms = 1000 + pb_random_below(&random, 20000);
	w.session.config.stale_after_s = w.session.plan.stale_after_s =
		w.session.head.status.stale_after_s = 90;
	start(&w);
	end = w.now + UINT64_C(7) * 24 * 3600 * 1000;
	while (w.now < end) {
		w.board = (enum board)pb_random_below(&random, BOARD_TWO + 1);
		w.connects = pb_random_below(&random, 3) > 0;
		w.wake = pb_random_below(&random, 3);
		w.reply_ms = pb_random_below(&random, 900);
		if (w.link_open && w.connects && pb_random_below(&random, 3) == 0)
			queue(&w, pb_random_below(&random, 3000), PB_SESSION_DOWN, NULL);
		run(&w, pb_random_below(&random, 300000));

		w.board = BOARD_GOOD;
		w.connects = true;
		w.wake = 0;
		w.reply_ms = 70;
		/* the longest way back: a connect that hangs (20 s), back-off (36 s), a poll */
		run(&w, 90000);
		ck_assert_msg(pb_status_quality(&w.session.head.status, w.now) == PB_QUALITY_GOOD,
			      "state %d, attempt %u, failed %u, age %u s, poll %u ms: %s",
			      w.session.head.state, w.session.attempt, w.session.failed_cycles,
			      pb_status_age_s(&w.session.head.status, w.now),
			      w.session.config.poll_ms, w.session.head.note.text);
		ck_assert_uint_le(pb_status_age_s(&w.session.head.status, w.now), 30);
	}
	ck_assert_uint_gt(w.publishes, 5000);
	/* late replies may come just before a request goes out, so only real gaps are looked at */
	ck_assert_uint_lt(w.session.head.status.failures, w.session.head.status.polls * 3);
}
END_TEST

/* ---- radio ---- */

static const struct pb_advert module = {
	.mac = {0x10, 0xA5, 0x62, 0x32, 0x75, 0x36},
	.uuid_count = 1,
	.uuids = {0xFF00},
};

/* A connect that fails is tried again at once, and nobody is alarmed by the first. */
START_TEST(second_try_comes_at_once)
{
	struct world w = world();

	w.connects = false;
	start(&w);
	run(&w, 1000);
	queue(&w, 0, PB_SESSION_DOWN, NULL);
	run(&w, 0);
	ck_assert_uint_eq(w.opens, 2);
	ck_assert_uint_eq(w.opened_at[1], 1001000);
	ck_assert_uint_eq(w.warnings, 0);
	ck_assert_int_eq(w.session.head.status.last_error, PB_ERROR_NONE);
	queue(&w, 0, PB_SESSION_DOWN, NULL);
	run(&w, 700);
	ck_assert_uint_eq(w.opens, 2);
	ck_assert_uint_eq(w.warnings, 1);
	ck_assert_int_eq(w.session.head.status.last_error, PB_ERROR_CONNECT);
	run(&w, 600);
	ck_assert_uint_eq(w.opens, 3);
}
END_TEST

/* The quiet first one as well; and the time to the next one goes down. */
START_TEST(failed_connections_are_counted)
{
	struct world w = world();
	char text[PB_NOTE_MAX], later[PB_NOTE_MAX];

	w.connects = false;
	start(&w);
	run(&w, 200000);
	while (w.session.head.state != PB_STATE_BACKOFF)
		run(&w, 1000);
	ck_assert_uint_eq(w.session.head.status.connect_failures, w.opens);
	ck_assert_uint_ge(w.opens, 5);
	ck_assert_uint_eq(w.session.head.status.failures, 0);
	pb_note_text(&w.session.head.note, w.session.deadline_ms - 24300, text, sizeof(text));
	ck_assert_msg(strstr(text, ": not within 20000 ms, next attempt in 24 s (attempt ") != NULL,
		      "%s", text);
	pb_note_text(&w.session.head.note, w.session.deadline_ms - 4300, later, sizeof(later));
	ck_assert_msg(strstr(later, ", next attempt in 4 s (attempt ") != NULL, "%s", later);
	w.connects = true;
	event(&w, PB_SESSION_RETRY, 0);
	run(&w, 1000);
	ck_assert_uint_eq(w.session.head.status.connect_failures, w.opens - 1);
	pb_note_text(&w.session.head.note, w.now, text, sizeof(text));
	ck_assert_str_eq(text, w.session.head.note.text);
}
END_TEST

START_TEST(retry_ends_the_back_off)
{
	struct world w = world();

	w.connects = false;
	start(&w);
	run(&w, 200000);
	while (w.session.head.state != PB_STATE_BACKOFF)
		run(&w, 1000);
	w.connects = true;
	event(&w, PB_SESSION_RETRY, 0);
	run(&w, 1000);
	ck_assert_int_eq(pb_status_quality(&w.session.head.status, w.now), PB_QUALITY_GOOD);
	/* and does nothing in any other state */
	event(&w, PB_SESSION_RETRY, 0);
	ck_assert(w.session.head.status.connected);
}
END_TEST

/* A link without an own limit is closed after connect_timeout_ms, one with limits never. */
START_TEST(links_with_own_limits_are_waited_for)
{
	struct world w = world();

	w.session.config.connect_timeout_ms = 0;
	w.connects = false;
	start(&w);
	run(&w, 3600000);
	ck_assert_uint_eq(w.opens, 1);
	ck_assert_uint_eq(w.closes, 0);
	queue(&w, 0, PB_SESSION_UP, NULL);
	run(&w, 2000);
	ck_assert_int_eq(pb_status_quality(&w.session.head.status, w.now), PB_QUALITY_GOOD);
}
END_TEST

START_TEST(gives_its_place_away)
{
	struct world w = world();
	size_t sends;

	start(&w);
	run(&w, 4000); /* between two polls */
	ck_assert_int_eq(w.session.head.state, PB_STATE_RESTING);
	sends = w.sends;
	event(&w, PB_SESSION_WANTED, 8000);
	ck_assert_uint_eq(w.closes, 1);
	ck_assert_int_eq(w.session.head.state, PB_STATE_PARKED);
	ck_assert(!w.session.head.status.connected);
	ck_assert_int_eq(pb_status_quality(&w.session.head.status, w.now), PB_QUALITY_GOOD);
	/* back when the next poll is due */
	run(&w, 4000);
	ck_assert_uint_eq(w.opens, 2);
	ck_assert_uint_eq(w.opened_at[1], w.sent_at[0] + 5000);
	ck_assert_uint_gt(w.sends, sends);
	ck_assert_uint_eq(w.session.head.status.reconnects, 0);
	ck_assert_uint_eq(w.warnings, 0);

	/* asked in the middle of a poll, it ends that first */
	while (w.session.head.state != PB_STATE_WAITING)
		run(&w, 10);
	event(&w, PB_SESSION_WANTED, 8000);
	ck_assert_uint_eq(w.closes, 1);
	run(&w, 3000);
	ck_assert_int_eq(w.session.head.state, PB_STATE_PARKED);
	ck_assert_uint_eq(w.closes, 2);
}
END_TEST

/* Turns that take a minute: a reading is old after three rounds, not after 15 s, and says so. */
START_TEST(stale_time_follows_the_round)
{
	struct world w = world();

	start(&w);
	run(&w, 4000);
	for (int round = 0; round < 5; round++) {
		event(&w, PB_SESSION_WANTED, 40000);
		ck_assert_int_eq(w.session.head.state, PB_STATE_PARKED);
		w.connects = false;
		w.session.config.connect_timeout_ms = 0;
		run(&w, 60000); /* in the queue */
		if (round > 0)
			ck_assert_int_eq(pb_status_quality(&w.session.head.status, w.now),
					 PB_QUALITY_GOOD);
		queue(&w, 0, PB_SESSION_UP, NULL);
		run(&w, 3000);
		ck_assert_int_eq(w.session.head.state, PB_STATE_RESTING);
	}
	ck_assert_uint_ge(w.session.head.status.stale_after_s, 3 * 60);
	ck_assert_uint_le(w.session.head.status.stale_after_s, 3 * 70);
	/* alone again: back to what was configured */
	run(&w, 12000);
	ck_assert_uint_eq(w.session.head.status.stale_after_s, 15);
	/* a configured time is a promise */
	w.session.config.stale_fixed = true;
	event(&w, PB_SESSION_WANTED, 40000);
	run(&w, 16000);
	ck_assert_int_ne(pb_status_quality(&w.session.head.status, w.now), PB_QUALITY_GOOD);
}
END_TEST

START_TEST(released_and_taken_back)
{
	struct world w = world();

	start(&w);
	run(&w, 4000);
	event(&w, PB_SESSION_RELEASE, 60000);
	ck_assert_uint_eq(w.closes, 1);
	ck_assert_int_eq(w.session.head.status.last_error, PB_ERROR_RELEASED);
	run(&w, 59000);
	ck_assert_uint_eq(w.opens, 1);
	ck_assert_int_eq(pb_status_quality(&w.session.head.status, w.now), PB_QUALITY_LOST);
	/* what the link may still say does not end it */
	event(&w, PB_SESSION_DOWN, 0);
	event(&w, PB_SESSION_RETRY, 0);
	event(&w, PB_SESSION_WANTED, 1000);
	ck_assert_int_eq(w.session.head.state, PB_STATE_RELEASED);
	run(&w, 5000);
	ck_assert_uint_eq(w.opens, 2);
	ck_assert_int_eq(pb_status_quality(&w.session.head.status, w.now), PB_QUALITY_GOOD);

	event(&w, PB_SESSION_RELEASE, 600000);
	run(&w, 1000);
	event(&w, PB_SESSION_TAKE, 0);
	run(&w, 4000);
	ck_assert_int_eq(pb_status_quality(&w.session.head.status, w.now), PB_QUALITY_GOOD);
}
END_TEST

START_TEST(logs_in)
{
	static const uint8_t expected[] = {0x15, 0x17, 0x18, 0x17, 0x1D, 3, 4};
	struct world w = world();

	w.advert = &module;
	w.locked = true;
	snprintf(w.session.config.password, sizeof(w.session.config.password), "123456");
	start(&w);
	run(&w, 3000);
	ck_assert_uint_ge(w.sends, sizeof(expected));
	ck_assert_mem_eq(w.sent, expected, sizeof(expected));
	ck_assert(w.session.head.logged_in);
	ck_assert_int_eq(pb_status_quality(&w.session.head.status, w.now), PB_QUALITY_GOOD);
}
END_TEST

START_TEST(wrong_password)
{
	struct world w = world();

	w.advert = &module;
	w.locked = w.wrong = true;
	snprintf(w.session.config.password, sizeof(w.session.config.password), "999999");
	start(&w);
	run(&w, 10000);
	ck_assert_int_eq(w.session.head.status.last_error, PB_ERROR_PASSWORD);
	ck_assert_uint_eq(w.session.head.status.polls, 0);
	ck_assert_uint_ge(w.warnings, 1);
}
END_TEST

/* A module without such a login, or none at all: a second lost, no more. */
START_TEST(password_without_login)
{
	struct world w = world();

	snprintf(w.session.config.password, sizeof(w.session.config.password), "123456");
	start(&w); /* a wire: not even tried */
	run(&w, 3000);
	ck_assert_uint_eq(w.sent[0], 3);

	w = world();
	w.advert = &module;
	w.board = BOARD_ECHO;
	snprintf(w.session.config.password, sizeof(w.session.config.password), "123456");
	start(&w);
	run(&w, 60000);
	ck_assert_uint_eq(w.sent[0], 0x15);
	ck_assert_uint_eq(w.sent[1], 3);
	ck_assert_int_eq(w.session.head.status.last_error, PB_ERROR_ECHO);
}
END_TEST

START_TEST(silence_on_radio_is_named)
{
	struct world w = world();

	w.advert = &module;
	w.board = BOARD_SILENT;
	start(&w);
	run(&w, 15000);
	ck_assert_int_eq(w.session.head.status.last_error, PB_ERROR_SILENT);

	/* one that has answered in this connection is only silent */
	w = world();
	w.advert = &module;
	start(&w);
	run(&w, 4000);
	w.board = BOARD_SILENT;
	run(&w, 8000);
	ck_assert_int_eq(w.session.head.status.last_error, PB_ERROR_TIMEOUT);
}
END_TEST

/* ---- protocol: auto ---- */

static int no_frame(const uint8_t *buf, size_t len, const struct pb_query *pending,
		    struct pb_frame *ret)
{
	(void)buf;
	(void)len;
	(void)pending;
	*ret = (struct pb_frame){0};
	return -EPROTO;
}

static const struct pb_query other_query = {
	.name = "other", .command = 0x90, .required = true, .len = 2, .bytes = {0xA5, 0x40}};
static const struct pb_codec other_codec = {
	.name = "other", .queries = &other_query, .query_count = 1, .frame = no_frame};

START_TEST(finds_the_protocol)
{
	static const struct pb_codec *const codecs[] = {&other_codec, &pb_codec_jbd, NULL};
	struct world w = world();

	/* by asking: first the other one in vain, then the right one, in one connection */
	w.session.plan.others = codecs;
	w.session.plan.codec = &other_codec;
	start(&w);
	run(&w, 12000);
	ck_assert_uint_eq(w.sent[0], 0x90);
	ck_assert_str_eq(w.session.head.codec->name, "jbd");
	ck_assert_int_eq(pb_status_quality(&w.session.head.status, w.now), PB_QUALITY_GOOD);
	ck_assert_uint_eq(w.opens, 1);
	ck_assert_uint_eq(w.session.head.status.failures, 0);
	/* it stays so */
	w.board = BOARD_SILENT;
	run(&w, 60000);
	ck_assert_str_eq(w.session.head.codec->name, "jbd");

	/* by the advertisement: nothing is asked in vain */
	w = world();
	w.advert = &module;
	w.session.plan.others = codecs;
	w.session.plan.codec = &other_codec;
	start(&w);
	run(&w, 2000);
	ck_assert_uint_eq(w.sent[0], 3);
	ck_assert_int_eq(pb_status_quality(&w.session.head.status, w.now), PB_QUALITY_GOOD);

	/* nobody answers: all are asked, again and again, and it counts as a failure */
	w = world();
	w.board = BOARD_SILENT;
	w.session.plan.others = codecs;
	w.session.plan.codec = &other_codec;
	start(&w);
	run(&w, 30000);
	ck_assert_uint_ge(w.session.head.status.failures, 1);
	ck_assert_uint_eq(w.session.head.status.polls, 0);
}
END_TEST

/* ---- what others have asked, and what was kept ---- */

static void start_behind_others(struct world *w)
{
	*w = world();
	session_init(&w->session, &(struct pb_session_config){.codec = &pb_codec_jbd,
							      .poll_ms = 5000,
							      .gap_ms = 500,
							      .reply_timeout_ms = 1000,
							      .tries = 3,
							      .stale_after_s = 15});
	start(w);
}

/* Nobody knows what an earlier program asked: two replies to a marker prove that all is new. */
START_TEST(first_connection)
{
	static const uint8_t expected[] = {5, 5, 3, 4, 0xAA};
	struct world w;

	start_behind_others(&w);
	run(&w, 4000);
	ck_assert_mem_eq(w.sent, expected, sizeof(expected));
	ck_assert_uint_eq(w.publishes, 1);
	ck_assert_uint_eq(w.session.head.status.sampled_ms, w.sent_at[2]);
	ck_assert_uint_eq(w.session.head.status.unsolicited, 0);
}
END_TEST

/* But when replies to others do come, there may be many: when the line is silent, all have come. */
START_TEST(others_have_left_replies)
{
	struct world w;

	start_behind_others(&w);
	queue(&w, 400, PB_SESSION_DATA, reply_basic); /* before it was asked for */
	queue(&w, 9000, PB_SESSION_DATA, reply_cells);
	run(&w, 28900);
	ck_assert_uint_eq(w.publishes, 0);
	ck_assert_uint_eq(w.sends, 1); /* the marker */
	run(&w, 5000);
	ck_assert_uint_ge(w.publishes, 1);
	ck_assert_uint_ge(w.session.head.status.sampled_ms, w.sent_at[1]);
	ck_assert_uint_eq(w.session.head.status.failures, 0);
}
END_TEST

/* The far end kept the reply of a request over a broken connection: it is as old as that one. */
START_TEST(kept_reply)
{
	struct world w = world();
	uint64_t broken;

	start(&w);
	run(&w, 4000);
	w.board = BOARD_SILENT;
	run(&w, 1400); /* a request is out */
	broken = w.now;
	queue(&w, 0, PB_SESSION_DOWN, NULL);
	w.connects = false;
	run(&w, 10000);
	w.board = BOARD_GOOD;
	w.publishes = 0;
	queue(&w, 0, PB_SESSION_UP, NULL);
	queue(&w, 301, PB_SESSION_DATA, reply_basic); /* just behind the request */
	run(&w, 3000);
	ck_assert_uint_ge(w.publishes, 1);
	ck_assert_uint_gt(w.session.head.status.sampled_ms, broken + 10000);
	ck_assert_uint_eq(w.session.head.status.last_error, PB_ERROR_LINK_LOST);
}
END_TEST

/* Counters change by themselves: not answered for stale_after_s, they are absent; a name stays. */
START_TEST(counters_get_old)
{
	struct world w = world();

	start(&w);
	run(&w, 12000);
	ck_assert(w.session.head.sample.has & PB_HAS(PB_HAS_COUNTERS));
	ck_assert_uint_le(w.now - w.session.head.status.details_ms, 12000);
	w.no_counters = true;
	run(&w, 30000);
	ck_assert_int_eq(pb_status_quality(&w.session.head.status, w.now), PB_QUALITY_GOOD);
	ck_assert(!(w.session.head.sample.has & PB_HAS(PB_HAS_COUNTERS)));
	ck_assert(w.session.head.sample.has & PB_HAS(PB_HAS_DEVICE_NAME));
	w.no_counters = false;
	run(&w, 16000);
	ck_assert(w.session.head.sample.has & PB_HAS(PB_HAS_COUNTERS));
}
END_TEST

/* ---- what comes and goes ---- */

/* A pack that hangs up after each reading: at once at first, then rarely; and hardly a word. */
START_TEST(hangs_up_after_each_reading)
{
	struct world w = world();
	uint64_t end;

	start(&w);
	for (end = w.now + 600000; w.now < end;) {
		size_t publishes = w.publishes;

		run(&w, 10);
		if (w.publishes != publishes)
			queue(&w, 0, PB_SESSION_DOWN, NULL);
	}
	ck_assert_uint_ge(w.opens, 600 / 8);
	ck_assert_uint_le(w.opens, 600 / 5);
	/* two lines a minute: that it is lost, and that it is back */
	ck_assert_uint_le(w.warnings, 11);
	ck_assert_uint_le(w.loud, 2 * 11 + 1);
	ck_assert_int_eq(pb_status_quality(&w.session.head.status, w.now), PB_QUALITY_GOOD);
	/* a connection that lasts ends it */
	run(&w, 60000);
	queue(&w, 0, PB_SESSION_DOWN, NULL);
	run(&w, 100);
	ck_assert_uint_eq(w.opened_at[(w.opens - 1) % 64], w.now - 100);
}
END_TEST

/* What was found does not answer any more, because another pack is there now. */
START_TEST(looks_again)
{
	static const struct pb_codec *const codecs[] = {&other_codec, &pb_codec_jbd, NULL};
	struct world w = world();

	w.session.plan.others = codecs;
	w.session.plan.codec = w.session.read_codec = &other_codec;
	w.session.plan.codec_known = true;
	start(&w);
	run(&w, 60000);
	ck_assert_str_eq(w.session.head.codec->name, "jbd");
	ck_assert_int_eq(pb_status_quality(&w.session.head.status, w.now), PB_QUALITY_GOOD);
}
END_TEST

/* How long it waits for its sixth attempt, and all later ones: 30 s, give or take 20 %. */
static uint64_t long_wait_ms(uint64_t seed)
{
	struct world w = world();
	uint64_t began_ms;

	pb_random_seed(&w.session.random, seed);
	w.connects = false;
	start(&w);
	while (w.session.head.state != PB_STATE_BACKOFF || w.session.attempt < 6)
		run(&w, 1000);
	began_ms = w.opened_at[w.opens - 1] + 20000;
	return w.session.head.note.next_ms - began_ms;
}

/* Packs that were lost together do not come back together. */
START_TEST(attempts_are_spread)
{
	uint64_t least = UINT64_MAX, most = 0;

	for (uint64_t seed = 0; seed < 60; seed++) {
		uint64_t ms = long_wait_ms(seed);

		least = ms < least ? ms : least;
		most = ms > most ? ms : most;
	}
	ck_assert_uint_ge(least, 24000);
	ck_assert_uint_lt(least, 26000);
	ck_assert_uint_gt(most, 34000);
	ck_assert_uint_le(most, 36000);
}
END_TEST

/* What was tried before it was released does not count. */
START_TEST(a_released_pack_is_tried_as_at_the_start)
{
	struct world w = world();

	w.connects = false;
	start(&w);
	while (w.session.attempt < 6)
		run(&w, 1000);
	event(&w, PB_SESSION_RELEASE, 60000);
	ck_assert_uint_eq(w.session.attempt, 0);
	w.opens = 0;
	run(&w, 60000 + 20000 + 1000);
	ck_assert_uint_eq(w.opens, 2);
	ck_assert_uint_eq(w.opened_at[1] - w.opened_at[0], 20000);
}
END_TEST

/* However long a round of turns takes; but what is configured holds at least. */
START_TEST(stale_time_has_an_end)
{
	static const uint32_t configured_s[] = {15, 1000}, expected_s[] = {600, 1000};
	struct world w = world();

	w.session.config.stale_after_s = w.session.plan.stale_after_s = configured_s[_i];
	start(&w);
	run(&w, 4000);
	event(&w, PB_SESSION_WANTED, 800000);
	ck_assert_int_eq(w.session.head.state, PB_STATE_PARKED);
	run(&w, 5000);
	ck_assert_uint_eq(w.publishes, 2);
	ck_assert_uint_eq(w.session.head.status.stale_after_s, expected_s[_i]);
}
END_TEST

/* Of a device that says nothing of itself, the first codec is tried first. */
START_TEST(an_advertisement_without_a_sign)
{
	static const struct pb_codec *const codecs[] = {&pb_codec_jbd, &other_codec, NULL};
	static const struct pb_advert nothing = {.mac = {1}};
	struct world w = world();

	w.session.plan.others = codecs;
	w.advert = &nothing;
	start(&w);
	run(&w, 100);
	ck_assert(w.session.head.status.connected);
	ck_assert_ptr_eq(w.session.head.codec, &pb_codec_jbd);
	ck_assert(w.session.head.searching);
}
END_TEST

START_TEST(each_state_has_a_text)
{
	for (int i = PB_STATE_OFF; i <= PB_STATE_RELEASED; i++) {
		const char *text = pb_session_state_text((enum pb_session_state)i);

		ck_assert_int_ge(text[0], 'a');
		/* most are one for people: it is connected */
		ck_assert_int_eq(strcmp(text, "connected") == 0,
				 i >= PB_STATE_SETTLING && i <= PB_STATE_RESTING);
	}
	ck_assert_str_eq(pb_session_state_text((enum pb_session_state)(PB_STATE_RELEASED + 1)),
			 "?");
}
END_TEST

int main(void)
{
	TCase *tcase = tcase_create("session");

	tcase_set_timeout(tcase, 60);
	tcase_add_test(tcase, waits_for_its_turn);
	tcase_add_test(tcase, reply_time_begins_in_its_turn);
	tcase_add_test(tcase, sent_without_waiting);
	tcase_add_test(tcase, plan);
	tcase_add_test(tcase, late_timers_do_not_add_up);
	tcase_add_test(tcase, no_gap);
	tcase_add_loop_test(tcase, wake_up, 0, 3);
	tcase_add_test(tcase, wake_up_after_long_rest);
	tcase_add_test(tcase, lost_reply_is_tried_again);
	tcase_add_test(tcase, once_queries_may_stay_unanswered);
	tcase_add_test(tcase, three_failed_polls_reconnect);
	tcase_add_test(tcase, goes_stale_in_time);
	tcase_add_test(tcase, never_read);
	tcase_add_loop_test(tcase, names_the_fault, 0, PB_ARRAY_SIZE(faults));
	tcase_add_test(tcase, refused_cells_leave_the_rest);
	tcase_add_test(tcase, unsolicited_replies_make_no_reading);
	tcase_add_test(tcase, link_lost_in_the_middle_of_a_frame);
	tcase_add_test(tcase, floods_end_the_connection);
	tcase_add_test(tcase, noise_between_replies_does_not);
	tcase_add_test(tcase, bytes_in_any_state_do_no_harm);
	tcase_add_test(tcase, sequence_skips_zero);
	tcase_add_loop_test(tcase, stopped_in_a_poll, 0, 5);
	tcase_add_test(tcase, stopped_in_a_round);
	tcase_add_test(tcase, one_slow_poll);
	tcase_add_test(tcase, kept_while_released);
	tcase_add_loop_test(tcase, weeks, 0, 4);
	tcase_add_test(tcase, second_try_comes_at_once);
	tcase_add_test(tcase, failed_connections_are_counted);
	tcase_add_test(tcase, retry_ends_the_back_off);
	tcase_add_test(tcase, links_with_own_limits_are_waited_for);
	tcase_add_test(tcase, gives_its_place_away);
	tcase_add_test(tcase, stale_time_follows_the_round);
	tcase_add_test(tcase, released_and_taken_back);
	tcase_add_test(tcase, logs_in);
	tcase_add_test(tcase, wrong_password);
	tcase_add_test(tcase, password_without_login);
	tcase_add_test(tcase, silence_on_radio_is_named);
	tcase_add_test(tcase, finds_the_protocol);
	tcase_add_test(tcase, first_connection);
	tcase_add_test(tcase, others_have_left_replies);
	tcase_add_test(tcase, kept_reply);
	tcase_add_test(tcase, counters_get_old);
	tcase_add_test(tcase, hangs_up_after_each_reading);
	tcase_add_test(tcase, looks_again);
	tcase_add_test(tcase, attempts_are_spread);
	tcase_add_test(tcase, a_released_pack_is_tried_as_at_the_start);
	tcase_add_loop_test(tcase, stale_time_has_an_end, 0, 2);
	tcase_add_test(tcase, an_advertisement_without_a_sign);
	tcase_add_test(tcase, each_state_has_a_text);
	return pb_run_suite("pack/session", tcase);
}
