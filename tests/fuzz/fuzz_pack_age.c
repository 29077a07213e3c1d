/* SPDX-License-Identifier: MIT */
/*
 * Is the age honest? A session and a board whose every value is the time at which it was measured
 * (clock_boards.h), and between them a line that keeps its order, but may delay, be slower than the
 * board, lose requests and replies, break, and keep bytes while it is broken; the process may be
 * stopped, and bytes may be left over from an earlier process. Whatever happens: a reading is never
 * said to be younger than the oldest value in it. And when the line has been good for three
 * minutes, so are the readings.
 *
 * data[0]: board, and whether its protocol must be found; data[1]: flags (enum flag); then pairs of
 * an operation (enum operation) and its argument.
 *
 * PB_VERBOSE=1 in the environment prints what happens.
 */
#include "../../src/pack/state.h"
#include "clock_boards.h"

#include <assert.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { QUEUE = 4096, REQUESTS = 64, OPERATIONS_MAX = 100, STEPS_MAX = 2000 };

enum flag {
	KEEPS = 1 << 0,	      /* the far end keeps bytes while nobody is connected */
	NO_SETTLE = 1 << 1,   /* the first request goes out at once */
	FAST = 1 << 2,	      /* the board streams each 200 ms, else each 500 ms */
	EACH_SECOND = 1 << 3, /* polls, with stale_after_s 5; else 5 s and 15 */
	ONE_TRY = 1 << 4,
	LONG_LIMIT = 1 << 5, /* replies have 3 s, else 1 s */
	LEFT_OVER = 1 << 6,  /* a reply to an earlier process is still under way */
	RECOVER = 1 << 7,    /* in the end all is well for a while */
};

enum operation {
	WAIT,
	WAIT_LONG,
	DELAY,
	RATE,
	LOSE,
	STOP, /* the process */
	BREAK,
	SILENCE, /* the board stops streaming until it is asked */
	RESTART, /* another process, which knows nothing of this one */
	RELEASE, /* and taken back */
	OPERATIONS,
};

struct chunk {
	uint64_t at_ms;
	size_t len;
	uint8_t bytes[CLOCK_FRAME_MAX];
};

static const uint64_t start_ms = 1000000; /* the board's clock is 0 a little before */
static const uint64_t zero_ms = 900000;

static struct {
	const struct clock_board *board;
	struct pb_session_config config;
	struct session session;
	struct chunk down[QUEUE], up[REQUESTS]; /* to us, from us */
	size_t down_head, down_count, up_count;
	uint64_t now_ms, deadline_ms, last_down_ms, stream_ms, period_ms, back_ms;
	uint32_t delay_ms, rate; /* bytes a second; 0: no limit */
	unsigned int flags;
	bool up_now, opening, streams, lose_reply, lose_request, verbose;
} w;

#define SAY(...)                                                                                   \
	do {                                                                                       \
		if (w.verbose) {                                                                   \
			fprintf(stderr, "%9.3f ", (double)(w.now_ms - zero_ms) / 1000);            \
			fprintf(stderr, __VA_ARGS__);                                              \
			fprintf(stderr, "\n");                                                     \
		}                                                                                  \
	} while (0)

/* ---- the line ---- */

static struct chunk *down_at(size_t i)
{
	return &w.down[(w.down_head + i) % QUEUE];
}

static void board_sends(void *userdata, const uint8_t *bytes, size_t len)
{
	uint64_t at_ms = w.now_ms + w.delay_ms;
	struct chunk *chunk;

	(void)userdata;
	if (w.lose_reply || w.down_count == QUEUE) {
		w.lose_reply = false;
		return;
	}
	if (at_ms < w.last_down_ms)
		at_ms = w.last_down_ms;
	if (w.rate)
		at_ms += len * 1000 / w.rate;
	w.last_down_ms = at_ms;
	chunk = down_at(w.down_count++);
	chunk->at_ms = at_ms;
	chunk->len = len;
	memcpy(chunk->bytes, bytes, len);
}

static uint32_t board_ms(void)
{
	return (uint32_t)(w.now_ms - zero_ms);
}

/* What the far end does by @until, whether we run or not. */
static void far_end(uint64_t until_ms)
{
	uint64_t now_ms = w.now_ms;

	for (;;) {
		uint64_t next_ms = w.streams ? w.stream_ms : UINT64_MAX;
		bool request = w.up_count > 0 && w.up[0].at_ms <= next_ms;

		if (request)
			next_ms = w.up[0].at_ms;
		if (next_ms > until_ms)
			break;
		w.now_ms = next_ms > w.now_ms ? next_ms : w.now_ms;
		if (request) {
			struct chunk chunk = w.up[0];

			memmove(w.up, w.up + 1, --w.up_count * sizeof(w.up[0]));
			if (w.board->answer(chunk.bytes, chunk.len, board_ms(), board_sends,
					    NULL) &&
			    !w.streams) {
				w.streams = true;
				w.stream_ms = w.now_ms + 100;
			}
		} else {
			w.board->stream(board_ms(), board_sends, NULL);
			w.stream_ms += w.period_ms;
		}
	}
	w.now_ms = now_ms;
}

/* Nobody is connected any more. */
static void line_breaks(void)
{
	w.up_now = w.opening = false;
	w.up_count = 0;
	if (w.flags & KEEPS)
		return;
	w.down_count = 0;
	w.last_down_ms = 0;
	w.streams = false;
}

/* What was kept comes now. */
static void line_is_back(void)
{
	for (size_t i = 0; i < w.down_count; i++)
		down_at(i)->at_ms = w.now_ms + w.delay_ms;
	w.last_down_ms = w.now_ms + w.delay_ms;
}

/* ---- the session ---- */

static void check_reading(void)
{
	const struct pb_status *status = &w.session.head.status;
	uint32_t poll_ms = UINT32_MAX, rare_ms = UINT32_MAX;

	w.board->oldest(&w.session.head.sample, &poll_ms, &rare_ms);
	SAY("reading of %.3f, said to be of %.3f; rare values of %.3f, said to be of %.3f",
	    poll_ms / 1000.0, (double)(status->sampled_ms - zero_ms) / 1000, rare_ms / 1000.0,
	    status->details_ms ? (double)(status->details_ms - zero_ms) / 1000 : 0.0);
	assert(status->sampled_ms <= zero_ms + poll_ms && "the reading is older than it says");
	assert((rare_ms == UINT32_MAX ||
		(status->details_ms && status->details_ms <= zero_ms + rare_ms)) &&
	       "rare values are older than it says");
}

static void obey(unsigned int todo)
{
	const struct pb_query *query = w.session.head.request;

	if (todo & PB_DO_LOG)
		SAY("note: %s", w.session.head.note.text);
	if (todo & PB_DO_CLOSE)
		line_breaks();
	if (todo & PB_DO_OPEN)
		w.opening = true;
	if (todo & PB_DO_PUBLISH)
		check_reading();
	if (todo & PB_DO_SEND) {
		SAY("> %s%s", query->name, w.lose_request ? ", lost" : "");
		if (!w.lose_request && w.up_count < REQUESTS) {
			struct chunk *chunk = &w.up[w.up_count++];

			chunk->at_ms = w.now_ms;
			chunk->len = query->len;
			memcpy(chunk->bytes, query->bytes, query->len);
		}
		w.lose_request = false;
	}
}

static void feed(struct pb_session_event event)
{
	obey(pb_session_step(&w.session.head, &event, w.now_ms, &w.deadline_ms));
	assert(w.session.head.status.last_error != PB_ERROR_SHARED_LINE &&
	       "one board, taken for two");
}

static void deliver(void)
{
	while (w.up_now && w.down_count > 0 && down_at(0)->at_ms <= w.now_ms) {
		struct chunk chunk = *down_at(0);

		w.down_head = (w.down_head + 1) % QUEUE;
		w.down_count--;
		SAY("< %02X %02X %02X.., %zu bytes", chunk.bytes[0], chunk.bytes[1], chunk.bytes[2],
		    chunk.len);
		feed((struct pb_session_event){
			.type = PB_SESSION_DATA, .bytes = chunk.bytes, .len = chunk.len});
	}
}

static uint64_t next_ms(uint64_t until_ms)
{
	uint64_t next = until_ms < w.deadline_ms ? until_ms : w.deadline_ms;

	if (w.up_now && w.down_count > 0 && down_at(0)->at_ms < next)
		next = down_at(0)->at_ms;
	if (w.up_count > 0 && w.up[0].at_ms < next)
		next = w.up[0].at_ms;
	if (w.streams && w.stream_ms < next)
		next = w.stream_ms;
	if (w.opening && w.back_ms < next)
		next = w.back_ms;
	return next > w.now_ms ? next : w.now_ms;
}

static void run(uint64_t ms)
{
	uint64_t until_ms = w.now_ms + ms;

	for (int steps = 0; w.now_ms < until_ms && steps < STEPS_MAX; steps++) {
		uint64_t next = next_ms(until_ms);

		far_end(next);
		w.now_ms = next;
		deliver();
		if (w.deadline_ms <= w.now_ms)
			feed((struct pb_session_event){.type = PB_SESSION_TIME});
		if (w.opening && w.now_ms >= w.back_ms) {
			w.opening = false;
			w.up_now = true;
			line_is_back();
			feed((struct pb_session_event){.type = PB_SESSION_UP});
		}
	}
}

static bool is_well(void)
{
	const struct pb_status *status = &w.session.head.status;

	return pb_status_quality(status, w.now_ms) == PB_QUALITY_GOOD &&
	       pb_status_age_s(status, w.now_ms) <= (w.session.config.poll_ms + 5000) / 1000 + 1;
}

/* ---- what the input says ---- */

/* Another process takes over the line, which may keep what comes for the first. */
static void restart(uint64_t pause_ms)
{
	line_breaks();
	w.back_ms = w.now_ms + pause_ms;
	w.deadline_ms = UINT64_MAX;
	run(pause_ms);
	session_init(&w.session, &w.config);
	feed((struct pb_session_event){.type = PB_SESSION_START});
}

/* Also when only what is still under way is: nothing overtakes it. */
static bool is_late(void)
{
	return w.delay_ms > 350 || w.rate || w.last_down_ms > w.now_ms + 350;
}

static void operate(enum operation operation, uint8_t argument)
{
	static const uint32_t delays_ms[] = {0,	   20,	 100,  350,  700,  900,	 1200,	1500,
					     2000, 2500, 3500, 5000, 7000, 9000, 12000, 0};
	static const uint32_t rates[] = {0, 0, 100, 200, 340, 480, 620, 960, 1500, 2000};

	switch (operation) {
	case WAIT:
		run(20 + argument * 100U);
		break;
	case WAIT_LONG:
		run(5000 + argument * 500U);
		break;
	case DELAY:
		w.delay_ms = delays_ms[argument % PB_ARRAY_SIZE(delays_ms)];
		SAY("delay %u ms", w.delay_ms);
		break;
	case RATE:
		w.rate = rates[argument % PB_ARRAY_SIZE(rates)];
		SAY("rate %u bytes/s", w.rate);
		break;
	case LOSE:
		w.lose_reply = argument & 1;
		w.lose_request = argument & 2;
		break;
	case STOP:
		SAY("stopped for %u ms", argument * 200U);
		far_end(w.now_ms + argument * 200U);
		w.now_ms += argument * 200U;
		deliver();
		break;
	case BREAK:
		if (!w.up_now)
			break;
		SAY("broken for %u ms", argument * 400U);
		line_breaks();
		w.back_ms = w.now_ms + argument * 400U;
		feed((struct pb_session_event){.type = PB_SESSION_DOWN});
		break;
	case SILENCE:
		w.streams = false;
		break;
	case RESTART:
		/* on a line that is late, what the first leaves may not show: ARCHITECTURE.md */
		if (!is_well() || is_late())
			break;
		SAY("another process, %u ms later", argument * 20U);
		restart(argument * 20U);
		break;
	case RELEASE:
		SAY("released for %u ms", argument * 100U);
		feed((struct pb_session_event){.type = PB_SESSION_RELEASE, .ms = argument * 100U});
		break;
	case OPERATIONS:
		break;
	}
}

/* The last ones came later, and are few bytes: those of the corpus keep their meaning. */
static enum operation operation_of(uint8_t byte)
{
	return byte >= 0xFC ? (enum operation)(RESTART + byte % 2)
			    : (enum operation)(byte % RESTART);
}

/* A line that has been good for so long: so are the readings, whatever was before. */
static void must_recover(void)
{
	w.delay_ms = 20;
	w.rate = 0;
	w.lose_reply = w.lose_request = false;
	w.back_ms = 0;
	line_is_back();
	SAY("all is well again");
	for (int i = 0; i < 60; i++) {
		run(10000);
		if (i >= 18 && is_well())
			return;
	}
	assert(false && "the readings do not come back");
}

static void begin(unsigned int board, bool search)
{
	static const struct pb_codec *const codecs[] = {&pb_codec_jbd, &pb_codec_daly, &pb_codec_jk,
							NULL};
	struct pb_session_config config = {
		.codec = clock_boards[board].codec,
		.poll_ms = w.flags & EACH_SECOND ? 1000 : 5000,
		.gap_ms = w.flags & EACH_SECOND ? 20 : 500,
		.settle_ms = w.flags & NO_SETTLE ? 0 : 300,
		.reply_timeout_ms = w.flags & LONG_LIMIT ? 3000 : 1000,
		.tries = w.flags & ONE_TRY ? 1 : 3,
		.connect_timeout_ms = 20000,
		.stale_after_s = w.flags & EACH_SECOND ? 5 : 15,
		.seed = 1,
	};

	w.board = &clock_boards[board];
	if (search) {
		config.codec = codecs[0];
		config.others = codecs;
	} else {
		for (size_t i = 0; i < w.board->dialect; i++)
			config.codec = config.codec->next;
	}
	w.period_ms = w.flags & FAST ? 200 : 500;
	w.deadline_ms = UINT64_MAX;
	w.now_ms = start_ms;
	w.config = config;
	session_init(&w.session, &config);
	if (w.flags & LEFT_OVER) {
		const struct pb_query *query =
			&config.codec->queries[board % config.codec->query_count];

		w.now_ms -= 50000;
		w.board->answer(query->bytes, query->len, board_ms(), board_sends, NULL);
		w.now_ms = start_ms;
	}
	feed((struct pb_session_event){.type = PB_SESSION_START});
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (size < 2)
		return 0;
	w.down_count = w.up_count = w.down_head = 0;
	w.last_down_ms = w.back_ms = 0;
	w.delay_ms = w.rate = 0;
	w.up_now = w.opening = w.streams = w.lose_reply = w.lose_request = false;
	w.verbose = getenv("PB_VERBOSE");
	w.flags = data[1];
	begin(data[0] % PB_ARRAY_SIZE(clock_boards), data[0] & 0x80);
	for (size_t at = 2; at + 1 < size && at < 2 + 2 * OPERATIONS_MAX; at += 2) {
		if (w.now_ms - zero_ms > CLOCK_MAX_MS - 900000)
			break;
		operate(operation_of(data[at]), data[at + 1]);
	}
	if (w.flags & RECOVER)
		must_recover();
	return 0;
}
