/* SPDX-License-Identifier: MIT */
/*
 * Several boards on one line, of each kind: one unit shows one pack, or none. And one board alone
 * is never taken for two.
 */
#include "../../src/pack/state.h"

#include "fuzz/clock_boards.h"
#include "suite.h"

#include <jansson.h>

enum { STEP_MS = 10, QUEUE = 64, STREAM_MS = 500, APART_MS = 100000, LINE_GAP_MS = 350 };

static const struct pb_codec *const codecs[] = {
	&pb_codec_jbd,
	&pb_codec_daly,
	&pb_codec_jk,
	NULL,
};

/* Boards on a line: each hears all requests, and all that they send comes to us. */
struct line {
	struct session session;
	const struct clock_board *board;
	uint64_t now, deadline;
	int boards;	   /* the second one's clock is APART_MS ahead */
	uint32_t ahead_ms; /* of our clock */
	bool streams[2];
	uint64_t delay_ms; /* of what is being sent */
	size_t queued;
	struct {
		uint64_t at;
		size_t len;
		uint8_t bytes[CLOCK_FRAME_MAX];
	} queue[QUEUE];
	int readings[2]; /* of each board */
};

static void to_us(void *userdata, const uint8_t *bytes, size_t len)
{
	struct line *line = userdata;
	size_t i = line->queued++;

	ck_assert_uint_le(line->queued, QUEUE);
	line->queue[i].at = line->now + line->delay_ms;
	line->queue[i].len = len;
	memcpy(line->queue[i].bytes, bytes, len);
}

static uint32_t clock_of(const struct line *line, int index)
{
	return (uint32_t)(line->now - 1000000) + (index ? APART_MS : 0) + line->ahead_ms;
}

static void do_send(struct line *line)
{
	const struct pb_query *query = line->session.head.request;

	for (int i = 0; line->board && i < line->boards; i++) {
		line->delay_ms = 50 + 20 * (uint64_t)i;
		line->streams[i] |= line->board->answer(query->bytes, query->len, clock_of(line, i),
							to_us, line);
	}
}

/* Whose is the reading? */
static void count_reading(struct line *line)
{
	uint32_t poll_ms = UINT32_MAX, rare_ms = UINT32_MAX;

	if (!line->board) {
		line->readings[0]++;
		return;
	}
	line->board->oldest(&line->session.head.sample, &poll_ms, &rare_ms);
	line->readings[poll_ms > clock_of(line, 0) + APART_MS / 10]++;
}

static void step(struct line *line, struct pb_session_event event)
{
	unsigned int todo =
		pb_session_step(&line->session.head, &event, line->now, &line->deadline);

	if (todo & PB_DO_PUBLISH)
		count_reading(line);
	if (todo & PB_DO_CLOSE)
		line->queued = 0;
	if (todo & PB_DO_SEND)
		do_send(line);
	if (todo & PB_DO_OPEN)
		step(line, (struct pb_session_event){.type = PB_SESSION_UP});
}

static void deliver(struct line *line)
{
	for (size_t i = 0; i < line->queued;) {
		uint8_t bytes[CLOCK_FRAME_MAX];
		size_t len = line->queue[i].len;

		if (line->queue[i].at > line->now) {
			i++;
			continue;
		}
		memcpy(bytes, line->queue[i].bytes, len);
		line->queued--;
		memmove(&line->queue[i], &line->queue[i + 1],
			(line->queued - i) * sizeof(line->queue[0]));
		step(line, (struct pb_session_event){
				   .type = PB_SESSION_DATA, .bytes = bytes, .len = len});
	}
}

static void run(struct line *line, uint64_t ms)
{
	for (uint64_t until = line->now + ms; line->now < until; line->now += STEP_MS) {
		deliver(line);
		for (int i = 0; line->board && i < line->boards; i++) {
			line->delay_ms = 0;
			if (line->streams[i] && (line->now + 130 * (uint64_t)i) % STREAM_MS == 0)
				line->board->stream(clock_of(line, i), to_us, line);
		}
		if (line->now >= line->deadline)
			step(line, (struct pb_session_event){.type = PB_SESSION_TIME});
	}
}

static struct line *begin(const struct clock_board *board, const struct pb_codec *codec,
			  uint32_t poll_ms)
{
	static struct line line;
	struct pb_session_config config = {
		.codec = codec ? codec : codecs[0],
		.others = codec ? NULL : codecs,
		.poll_ms = poll_ms,
		.reply_timeout_ms = 1000,
		.tries = 3,
		.connect_timeout_ms = 10000,
		.stale_after_s = 15,
		.seed = 7,
	};

	line = (struct line){.board = board, .now = 1000000, .boards = 1};
	session_init(&line.session, &config);
	line.session.plan.requests.count = 0; /* nobody else has asked anything */
	step(&line, (struct pb_session_event){.type = PB_SESSION_START});
	return &line;
}

/* A second board joins while the first is read: from then on, no reading is of the other one. */
START_TEST(a_second_board_joins)
{
	const struct clock_board *board = &clock_boards[_i];
	struct line *line = begin(board, board->codec, 2000);

	run(line, 60000);
	ck_assert_msg(line->readings[0] > 10, "%s: %d", board->name, line->readings[0]);
	line->boards = 2;
	line->streams[1] = line->streams[0];
	line->readings[0] = 0;
	run(line, 120000);
	ck_assert_msg(line->readings[1] == 0, "%s: %d", board->name, line->readings[1]);
	ck_assert_msg(line->readings[0] <= 2, "%s: %d", board->name, line->readings[0]);
	ck_assert_int_gt(pb_status_quality(&line->session.head.status, line->now), PB_QUALITY_GOOD);
	ck_assert_int_eq(line->session.head.status.last_error,
			 board->stream ? PB_ERROR_SHARED_LINE : PB_ERROR_UNSOLICITED);
	line->boards = 1;
	run(line, 90000);
	ck_assert_msg(line->readings[0] > 5, "%s", board->name);
	ck_assert_int_eq(pb_status_quality(&line->session.head.status, line->now), PB_QUALITY_GOOD);
}
END_TEST

/* Two from the start: whichever is heard first, never both. */
START_TEST(two_boards_from_the_start)
{
	const struct clock_board *board = &clock_boards[_i];
	struct line *line = begin(board, board->codec, 2000);

	line->boards = 2;
	run(line, 180000);
	ck_assert_msg(line->readings[0] == 0 || line->readings[1] == 0, "%s: %d and %d",
		      board->name, line->readings[0], line->readings[1]);
	ck_assert_int_le(line->readings[0] + line->readings[1], 2);
	ck_assert_int_ne(pb_status_quality(&line->session.head.status, line->now), PB_QUALITY_GOOD);
}
END_TEST

/* A board that was restarted counts from 0: a short pause, then it goes on. */
START_TEST(a_restarted_board)
{
	struct line *line = begin(&clock_boards[5], &pb_codec_jk, 2000);

	line->ahead_ms = 3600000;
	run(line, 60000);
	line->ahead_ms = 0;
	run(line, 5000);
	ck_assert_int_eq(line->session.head.status.last_error, PB_ERROR_SHARED_LINE);
	line->readings[0] = 0;
	run(line, 10000);
	ck_assert_int_gt(line->readings[0], 0);
	ck_assert_int_eq(pb_status_quality(&line->session.head.status, line->now), PB_QUALITY_GOOD);
}
END_TEST

/* ---- as captured: the line between two parallel JK boards ---- */

static const struct {
	bool open; /* protocol: auto */
	uint32_t poll_ms;
	size_t piece;
	bool glued; /* a reply and what stands behind it in one piece */
	bool zero;  /* a byte 00 between them, as some adapters have it */
} captures[] = {
	{false, 2300, 1024, false, false}, {true, 2300, 1024, false, false},
	{false, 500, 1, false, false},	   {false, 1000, 20, true, false},
	{true, 10000, 1024, true, true},   {false, 5000, 128, false, true},
};

static void hear(struct line *line, const uint8_t *bytes, size_t len, size_t piece)
{
	for (size_t at = 0; at < len; at += piece)
		step(line, (struct pb_session_event){.type = PB_SESSION_DATA,
						     .bytes = bytes + at,
						     .len = len - at < piece ? len - at : piece});
}

static void play(struct line *line, const json_t *wire, size_t how)
{
	uint8_t bytes[1024];
	const json_t *hex;
	size_t i, len = 0;

	json_array_foreach(wire, i, hex)
	{
		len += (size_t)pb_hex_parse(json_string_value(hex), bytes + len,
					    sizeof(bytes) - len);
		if (len >= 300 && captures[how].zero)
			bytes[len++] = 0;
		if (captures[how].glued && len >= 300 && len <= 301)
			continue;
		hear(line, bytes, len, captures[how].piece);
		len = 0;
		run(line, LINE_GAP_MS);
	}
}

START_TEST(parallel_boards_as_captured)
{
	json_t *root = json_load_file(PB_TEST_DATA "/jk/line.json", 0, NULL);
	struct line *line =
		begin(NULL, captures[_i].open ? NULL : &pb_codec_jk, captures[_i].poll_ms);

	ck_assert_ptr_nonnull(root);
	for (int round = 0; round < 40; round++)
		play(line, json_object_get(root, "wire"), (size_t)_i);
	ck_assert_int_eq(line->readings[0], 0);
	ck_assert_int_eq(pb_status_quality(&line->session.head.status, line->now),
			 PB_QUALITY_NEVER);
	ck_assert_int_eq(line->session.head.status.last_error, PB_ERROR_SHARED_LINE);
	json_decref(root);
}
END_TEST

int main(void)
{
	TCase *tcase = tcase_create("shared");

	tcase_add_loop_test(tcase, a_second_board_joins, 0, PB_ARRAY_SIZE(clock_boards));
	tcase_add_loop_test(tcase, two_boards_from_the_start, 0, PB_ARRAY_SIZE(clock_boards));
	tcase_add_test(tcase, a_restarted_board);
	tcase_add_loop_test(tcase, parallel_boards_as_captured, 0, PB_ARRAY_SIZE(captures));
	return pb_run_suite("pack/shared", tcase);
}
