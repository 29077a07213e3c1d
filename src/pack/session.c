/* SPDX-License-Identifier: MIT */
/*
 * The poll plan. s->step runs through the codec's queries three times: first those sent before all
 * others (PB_ONCE_BEFORE), then those of each poll, whose end is the reading, then those sent
 * rarely (PB_ONCE_AFTER), whose values show from the next reading on.
 *
 * Age. Replies carry no timestamp. But nothing overtakes on the way, so a reply was made after the
 * request that it answers was sent, and so was everything that comes behind it: that time is
 * s->proof_ms. Which request a reply answers is not always clear, as replies get lost or come late.
 * Then it counts as the answer to the oldest one that it may answer (requests.h). A reading is as
 * old as the oldest of its parts.
 *
 * Proof. When readings come out too old because older requests of the same kind are open, a request
 * of another kind, the marker, is sent, and then the poll begins anew: the marker's reply shows
 * that the older ones were lost. If the marker has open requests, too, it is sent once more than
 * there are. A board that does not answer is asked one kind of request only, so that the others
 * stay good as markers. At the start, and when the pack was left to others, replies may be on the
 * way that this program never asked for. They count as replies to requests sent long ago, so a
 * marker goes first.
 *
 * Some boards send by themselves once they were asked. Then a poll is to listen for the next frame,
 * and the request is repeated as often as stale_after_s needs, at least each PROOF_MOST_MS: on a
 * line that is slower than the board, frames get older and older, and only the proof shows it.
 *
 * A sleeping board does not answer the request that wakes it (docs/protocols/jbd.md, "Sleep"): up
 * to two requests after connecting, or after 20 s of silence, may be lost without being a fault.
 */
#include "requests.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

enum {
	FAILED_CYCLES_MAX = 3,
	WAKES = 2,
	SLEEPS_AFTER_MS = 20000,
	HALF_FRAME_MS = 300,   /**< silence in the middle of a frame: the rest never comes */
	RETRY_CYCLE_MS = 5000, /**< after a failed poll, however long the poll interval is */
	JITTER_PERCENT = 20,
	ROUNDS_TO_STALE = 3,
	STALE_MOST_S = 600, /**< however long a round of turns takes */
	ASK_AGAIN_MS = 600000,
	STREAM_LOST_MS = 2000, /**< no frame for so long: it has stopped, or we were */
	PROOF_MOST_MS = 5000,  /**< between two requests to a board that sends by itself */
	MARKERS_MAX = 1000,
	HOPELESS = 30,		     /**< open requests: a silence is the quicker way */
	LONG_AGO_MS = 1,	     /**< when others sent requests */
	OTHERS_POLLS = 2,	     /**< replies on the way to them, to each request of a poll */
	OTHERS_DETAILS = 1,	     /**< and to each of those that are sent rarely */
	OTHERS_MANY = HOPELESS,	     /**< the same, when some have come */
	STRANGE_POLLS = 2,	     /**< without a reading, after an unsolicited reply */
	SHARED_MS = 10000,	     /**< without a reading, after a sign of several boards */
	METER_SLACK_S = 5,	     /**< a board's clock counts whole seconds, and is not ours */
	DRAIN_MS = 20000,	     /**< so long a silence: nothing is on the way any more */
	DRAIN_MOST_MS = 60000,	     /**< a board that sends by itself is never silent */
	RARE_MS = 60000,	     /**< between two requests for what hardly changes */
	RARE_LIMIT_MS = 4 * RARE_MS, /**< not answered for so long: it is not shown any more */
	LASTED_MS = 30000,	     /**< a connection that was there for so long is a good one */
	SAY_AGAIN_MS = 60000,	     /**< lost connections are told once in this time */
	/*
	 * Bytes without a frame that end a connection. A line of 115200 baud brings so many in 91
	 * s: noise on it has made three polls fail by then, also behind DRAIN_MOST_MS, and that is
	 * named better.
	 */
	UNFRAMED_MAX = 1024 * 1024,
};

/* The first failure is tried again at once: with real packs, one connect in three or four fails. */
static const uint32_t backoff_s[] = {0, 1, 2, 5, 10, 30};

static const enum pb_when rounds[] = {PB_ONCE_BEFORE, PB_EACH_POLL, PB_ONCE_AFTER};

bool pb_session_searching(const struct pb_session *session)
{
	return !session->codec_known && (session->config.others || session->config.codec->next);
}

const char *pb_session_state_text(enum pb_session_state state)
{
	switch (state) {
	case PB_STATE_OFF:
		return "off";
	case PB_STATE_CONNECTING:
		return "connecting";
	case PB_STATE_SETTLING:
	case PB_STATE_LOGIN:
	case PB_STATE_WAITING:
	case PB_STATE_GAP:
	case PB_STATE_RESTING:
		return "connected";
	case PB_STATE_BACKOFF:
		return "waiting to connect again";
	case PB_STATE_PARKED:
		return "waiting for its turn";
	case PB_STATE_RELEASED:
		return "released";
	}
	return "?";
}

static void expect_replies(struct pb_session *s, const struct pb_codec *codec, bool many)
{
	for (; codec; codec = codec->next)
		for (size_t i = 0; i < codec->query_count; i++) {
			const struct pb_query *query = &codec->queries[i];
			uint32_t few = query->when == PB_EACH_POLL ? OTHERS_POLLS : OTHERS_DETAILS;

			requests_expect(&s->requests, codec, query->command,
					many ? OTHERS_MANY : few, LONG_AGO_MS);
		}
}

/*
 * Another program may have sent requests and left, whose replies are still on the way. What is open
 * itself comes before those and stays.
 */
static void expect_others(struct pb_session *s, bool many)
{
	const struct pb_codec *const *others = s->config.others;

	/* the board, or a device between, may have kept what is open */
	requests_sent_long_ago(&s->requests, LONG_AGO_MS);
	if (!others)
		expect_replies(s, s->config.codec, many);
	for (; others && *others; others++)
		expect_replies(s, *others, many);
}

void pb_session_init(struct pb_session *s, const struct pb_session_config *config)
{
	memset(s, 0, sizeof(*s));
	assert(config->codec->query_count <= PB_QUERIES_MAX);
	s->config = *config;
	s->codec = config->codec;
	s->status.stale_after_s = config->stale_after_s;
	s->deadline_ms = UINT64_MAX;
	s->stale_ms = UINT64_MAX;
	pb_random_seed(&s->random, config->seed);
	expect_others(s, false);
}

static unsigned int note(struct pb_session *s, enum pb_log_level level, const char *format, ...)
	PB_PRINTF(3, 4);

static unsigned int note(struct pb_session *s, enum pb_log_level level, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vsnprintf(s->note.text, sizeof(s->note.text), format, args);
	va_end(args);
	s->note.level = level;
	s->note.error = s->status.last_error;
	s->note.lasting = strlen(s->note.text);
	return PB_DO_LOG;
}

static void enter(struct pb_session *s, enum pb_session_state state, uint64_t deadline_ms)
{
	s->state = state;
	s->deadline_ms = deadline_ms;
	s->note.next_ms = state == PB_STATE_BACKOFF ? deadline_ms : 0;
}

static unsigned int connect_link(struct pb_session *s, uint64_t now)
{
	uint32_t limit_ms = s->config.connect_timeout_ms;

	enter(s, PB_STATE_CONNECTING, limit_ms ? now + limit_ms : UINT64_MAX);
	return PB_DO_OPEN;
}

static uint32_t backoff_ms(struct pb_session *s, uint32_t attempt)
{
	size_t last = PB_ARRAY_SIZE(backoff_s) - 1;
	uint32_t ms = backoff_s[attempt < last ? attempt : last] * 1000;

	/* packs that were lost together must not come back together */
	return ms / 100 *
	       (100 - JITTER_PERCENT + pb_random_below(&s->random, 2 * JITTER_PERCENT + 1));
}

/*
 * How loud a trouble is told. One that began within a minute of the last, which was over by then,
 * is counted, and told when the minute is over.
 */
static enum pb_log_level trouble_level(struct pb_session *s, uint64_t now)
{
	bool again = s->said_ms && now - s->said_ms < SAY_AGAIN_MS;

	if (!s->trouble && again) {
		s->quiet = true;
		s->unsaid++;
	} else if (!again) {
		s->quiet = false;
	}
	if (!s->trouble && !again)
		s->said_ms = now;
	s->trouble = true;
	return s->quiet ? PB_LOG_DEBUG : PB_LOG_WARNING;
}

/* What was not told before. @return text to be put behind a message, in @out. */
static const char *unsaid(struct pb_session *s, char *out, size_t cap)
{
	out[0] = '\0';
	if (s->quiet || s->unsaid == 0)
		return out;
	snprintf(out, cap, "; %u more such troubles since the last message", s->unsaid);
	s->unsaid = 0;
	return out;
}

/*
 * A link that worked and is lost has not failed to connect yet: it is made anew at once, and later
 * each time that it did not last, but not so much later that its readings get stale.
 */
static uint32_t wait_after_loss(struct pb_session *s, uint64_t now)
{
	uint32_t most_ms = s->config.poll_ms > RETRY_CYCLE_MS ? s->config.poll_ms : RETRY_CYCLE_MS;
	uint32_t wait_ms;

	if (now - s->up_ms >= LASTED_MS)
		s->flaps = 0;
	wait_ms = backoff_ms(s, s->flaps++);
	return wait_ms < most_ms ? wait_ms : most_ms;
}

/* The link is down or given up: try again later. */
static unsigned int back_off(struct pb_session *s, enum pb_error error, const char *why,
			     uint64_t now)
{
	bool worked = s->read_here && error == PB_ERROR_LINK_LOST;
	bool known = s->trouble && s->attempt > 0 && error == s->status.last_error;
	/* no alarm before the second try */
	bool first = error == PB_ERROR_CONNECT && s->attempt == 0;
	enum pb_log_level level = PB_LOG_DEBUG;
	char more[64], what[PB_NOTE_MAX - 96];
	unsigned int todo;
	uint32_t wait_ms;

	s->status.connect_failures += error == PB_ERROR_CONNECT;
	wait_ms = worked ? wait_after_loss(s, now) : backoff_ms(s, s->attempt);
	s->attempt += !worked;
	s->read_here = false;
	s->turned = false;
	if (!first) {
		level = trouble_level(s, now);
		s->status.last_error = error;
	}
	if (s->status.connected)
		s->status.reconnects++;
	s->status.connected = false;
	enter(s, PB_STATE_BACKOFF, now + wait_ms);
	unsaid(s, more, sizeof(more));
	snprintf(what, sizeof(what), "%s%s%s", pb_error_text(error), why ? ": " : "",
		 why ? why : "");
	if (wait_ms == 0)
		todo = note(s, level, "%s, trying again at once%s", what, more);
	else
		todo = note(s, known ? PB_LOG_DEBUG : level,
			    "%s, next attempt in %u.%u s (attempt %u)%s", what, wait_ms / 1000,
			    wait_ms % 1000 / 100, s->attempt + 1, more);
	s->note.lasting = strlen(what);
	s->note.attempt = s->attempt + 1;
	return PB_DO_STATUS | todo;
}

static size_t query_index(const struct pb_session *s)
{
	return (size_t)(s->query - s->codec->queries);
}

static uint64_t query_bit(const struct pb_session *s)
{
	return UINT64_C(1) << query_index(s);
}

/* Is s->query asked for the reading of this poll? */
static bool in_poll(const struct pb_session *s)
{
	return rounds[s->step / s->codec->query_count] == PB_EACH_POLL;
}

static unsigned int send_query(struct pb_session *s, uint64_t now)
{
	uint32_t limit_ms = s->config.reply_timeout_ms;

	/* what comes by itself has a pace of its own */
	if (s->query->streams && limit_ms < STREAM_LOST_MS)
		limit_ms = STREAM_LOST_MS;
	s->listening = false;
	s->need_ms = now;
	if (in_poll(s) && s->first_ms == 0)
		s->first_ms = now;
	s->in_parts = false;
	/* what is left of earlier replies can't belong to this one */
	pb_stream_flush(&s->stream);
	requests_sent(&s->requests, s->codec, s->query->command, now);
	s->bad_before = s->stream.bad_frames;
	s->garbage_before = s->stream.garbage_bytes;
	enter(s, PB_STATE_WAITING, now + limit_ms);
	return PB_DO_SEND;
}

/* How often a board that sends by itself must be asked, so that its frames count as new. */
static uint64_t proof_interval_ms(const struct pb_session *s)
{
	uint64_t ms = (uint64_t)s->config.stale_after_s * 1000 / ROUNDS_TO_STALE;

	return ms < PROOF_MOST_MS ? ms : PROOF_MOST_MS;
}

/* Waits for the next frame of those that the board sends by itself. */
static unsigned int listen_on(struct pb_session *s, uint64_t now)
{
	s->listening = true;
	s->need_ms = 0;
	if (s->first_ms == 0)
		s->first_ms = s->proof_ms;
	enter(s, PB_STATE_WAITING, now + STREAM_LOST_MS);
	return 0;
}

/* The query's turn has come: its replies may be on their way without a request. */
static unsigned int ask(struct pb_session *s, uint64_t now)
{
	bool flows = s->query->streams && now - s->streamed_ms < STREAM_LOST_MS;

	/* half a poll early rather than half a poll late */
	if (flows && now - s->proof_ms + s->config.poll_ms / 2 < proof_interval_ms(s))
		return listen_on(s, s->streamed_ms);
	return send_query(s, now);
}

static void copy_counters(struct pb_session *s)
{
	s->status.bad_frames = s->stream.bad_frames;
	s->status.garbage_bytes = s->stream.garbage_bytes;
	s->status.impossible_readings = s->refusals.readings;
	s->status.impossible_values = s->refusals.values;
}

/* Makes room for another pack until the next poll is due. */
static unsigned int park(struct pb_session *s, uint64_t due_ms)
{
	s->wanted = false;
	s->turned = true;
	s->flaps = 0;
	s->status.connected = false;
	enter(s, PB_STATE_PARKED, due_ms);
	return PB_DO_CLOSE | PB_DO_STATUS;
}

static unsigned int rest(struct pb_session *s, uint32_t interval_ms, uint64_t now)
{
	uint64_t next = s->cycle_ms + interval_ms;

	s->query = NULL;
	copy_counters(s);
	/* a poll that took longer than the interval is not made up for by a burst */
	if (next < now + s->config.gap_ms)
		next = now + s->config.gap_ms;
	if (s->wanted)
		return park(s, next);
	enter(s, PB_STATE_RESTING, next);
	return 0;
}

/* What a pack that answers no poll may have on its mind. */
static enum pb_error silence_error(const struct pb_session *s, enum pb_error error)
{
	if (!s->has_radio)
		return error;
	if (s->echoed)
		return PB_ERROR_ECHO;
	return error == PB_ERROR_TIMEOUT && !s->heard ? PB_ERROR_SILENT : error;
}

/* What goes before all else must be asked anew. */
static void forget_before(struct pb_session *s)
{
	for (size_t i = 0; i < s->codec->query_count; i++)
		if (s->codec->queries[i].when == PB_ONCE_BEFORE)
			s->done &= ~(UINT64_C(1) << i);
}

/* Were there frames of several boards lately? Whose the next one is, nobody knows. */
static bool is_shared(const struct pb_session *s, uint64_t now)
{
	return s->shared_ms && now - s->shared_ms < SHARED_MS;
}

static unsigned int fail_cycle(struct pb_session *s, uint64_t now)
{
	uint32_t retry_ms = s->config.poll_ms < RETRY_CYCLE_MS ? s->config.poll_ms : RETRY_CYCLE_MS;
	const char *name = s->query ? s->query->name : "all";
	unsigned int todo = PB_DO_STATUS;
	char why[PB_NOTE_MAX - 64], text[PB_NOTE_MAX - 64], more[64];
	enum pb_log_level level;

	s->status.failures++;
	/* what the board was told at first, it may have forgotten */
	forget_before(s);
	s->cycle_error =
		is_shared(s, now) ? PB_ERROR_SHARED_LINE : silence_error(s, s->cycle_error);
	s->status.last_error = s->cycle_error;
	s->failed_cycles++;
	s->turned = false;
	copy_counters(s);
	pb_refusals_error_text(&s->refusals, s->cycle_error, text, sizeof(text));
	/* a new connection would find the same boards on the line */
	if (s->failed_cycles >= FAILED_CYCLES_MAX && s->cycle_error != PB_ERROR_SHARED_LINE) {
		snprintf(why, sizeof(why), "%u polls in a row failed%s", s->failed_cycles,
			 text + strlen(pb_error_text(s->cycle_error)));
		s->drain = s->cycle_error == PB_ERROR_LATE;
		s->codec_known = false; /* perhaps another pack is there now */
		return PB_DO_CLOSE | back_off(s, s->cycle_error, why, now);
	}
	if (s->failed_cycles == 1 && !s->trouble) {
		level = trouble_level(s, now);
		todo |= note(s, level, "poll failed, request '%s': %s%s", name, text,
			     unsaid(s, more, sizeof(more)));
	}
	return todo | rest(s, retry_ms, now);
}

/*
 * How much of the time since @since_ms this program was there, when late_ms was @late_ms then. What
 * it slept through, or stood still, says nothing about the pace of a board or of turns.
 */
static uint64_t awake_ms(const struct pb_session *s, uint64_t since_ms, uint64_t late_ms,
			 uint64_t now)
{
	uint64_t all_ms = now - since_ms, away_ms = s->late_ms - late_ms;

	return all_ms > away_ms ? all_ms - away_ms : 0;
}

/*
 * Packs that share an adapter's places by turns are read once a round, so the age at which a
 * reading counts as old follows the round: as the adapter reckons it at first, as it is measured
 * then. It is published with the reading.
 */
static void follow_round(struct pb_session *s, uint64_t now)
{
	uint64_t stale_s = s->config.stale_after_s, round_ms;

	if (s->turned && s->status.sequence != 0) {
		round_ms = awake_ms(s, s->status.sampled_ms, s->read_late_ms, now);
		s->round_ms = round_ms > s->round_ms
				      ? (uint32_t)pb_clamp((int64_t)round_ms, 0, INT32_MAX)
				      : s->round_ms / 4 * 3 + (uint32_t)round_ms / 4;
	} else if (!s->wanted) {
		s->round_ms = 0;
	}
	s->turned = false;
	round_ms = (uint64_t)s->round_ms * ROUNDS_TO_STALE;
	if (!s->config.stale_fixed && round_ms / 1000 + 1 > stale_s && s->round_ms)
		stale_s = round_ms / 1000 + 1 > STALE_MOST_S ? STALE_MOST_S : round_ms / 1000 + 1;
	if (stale_s < s->config.stale_after_s)
		stale_s = s->config.stale_after_s;
	s->status.stale_after_s = (uint32_t)stale_s;
}

/*
 * A board that takes longer for its replies than a poll should last has readings as rarely. One
 * poll that takes long is no pace: then the line stood still, and may be about to end.
 */
static void follow_pace(struct pb_session *s, uint64_t now)
{
	uint64_t took_ms = awake_ms(s, s->begun_ms, s->begun_late_ms, now), pace_ms, stale_s;

	pace_ms = took_ms < s->took_ms ? took_ms : s->took_ms;
	s->took_ms = took_ms;
	stale_s = pace_ms * ROUNDS_TO_STALE / 1000 + 1;
	if (pace_ms <= s->config.poll_ms || s->config.stale_fixed)
		return;
	if (stale_s > STALE_MOST_S)
		stale_s = STALE_MOST_S;
	if (stale_s > s->status.stale_after_s)
		s->status.stale_after_s = (uint32_t)stale_s;
}

/* What was found out about the pack goes with it. */
static unsigned int note_first(struct pb_session *s)
{
	const struct pb_codec *codec = s->codec;
	const char *dialect = codec->dialect ? codec->dialect : "";
	bool open = s->config.others || *dialect;
	char voltage[32] = "";

	if (s->sample.has & PB_HAS(PB_HAS_VOLTAGE))
		snprintf(voltage, sizeof(voltage), "%d.%02d V, ", s->sample.voltage_mv / 1000,
			 s->sample.voltage_mv % 1000 / 10);
	return note(s, PB_LOG_INFO, "first reading: %s%d cells%s%s%s%s", voltage,
		    s->sample.cell_count, open ? ", protocol " : "", open ? codec->name : "",
		    *dialect ? " " : "", dialect);
}

/* Values of requests that are asked rarely: those not answered for too long are not shown. */
static void drop_old_details(struct pb_session *s, uint64_t now)
{
	uint64_t oldest_ms = 0;

	for (size_t i = 0; i < s->codec->query_count; i++) {
		const struct pb_query *query = &s->codec->queries[i];
		uint64_t limit_ms =
			query->live ? s->config.stale_after_s * UINT64_C(1000) : RARE_LIMIT_MS;

		if (s->base_ms[i] == 0)
			continue;
		if (query->when == PB_ONCE_AFTER && now - s->base_ms[i] >= limit_ms) {
			s->base.has &= ~query->brings;
			s->work.has &= ~query->brings;
			s->base_ms[i] = 0;
		} else if (oldest_ms == 0 || s->base_ms[i] < oldest_ms) {
			oldest_ms = s->base_ms[i];
		}
	}
	s->status.details_ms = oldest_ms;
}

/* A poll is complete, but must not count as a reading. @return PB_ERROR_NONE: it may. */
static enum pb_error not_to_be_shown(const struct pb_session *s, uint64_t now)
{
	if (is_shared(s, now))
		return PB_ERROR_SHARED_LINE;
	if (s->strangers > 0)
		return PB_ERROR_UNSOLICITED;
	return now - s->work_ms >= s->status.stale_after_s * UINT64_C(1000) ? PB_ERROR_LATE
									    : PB_ERROR_NONE;
}

static unsigned int publish(struct pb_session *s, uint64_t now)
{
	bool first = s->read_codec != s->codec, trouble = s->trouble;
	uint16_t age_s = pb_status_age_s(&s->status, now);

	follow_round(s, s->work_ms);
	follow_pace(s, now);
	s->cycle_error = not_to_be_shown(s, now);
	if (s->cycle_error != PB_ERROR_NONE)
		return fail_cycle(s, now);
	drop_old_details(s, now);
	s->codec_known = s->read_here = true;
	s->strange = false;
	s->read_codec = s->codec;
	pb_sample_derive(&s->work);
	s->sample = s->work;
	s->status.polls++;
	s->status.sequence = s->status.sequence == 65535 ? 1 : (uint16_t)(s->status.sequence + 1);
	s->status.sampled_ms = s->work_ms;
	s->read_late_ms = s->late_ms;
	s->stale_ms = s->work_ms + (uint64_t)s->status.stale_after_s * 1000;
	s->failed_cycles = 0;
	s->attempt = 0;
	s->trouble = false;
	copy_counters(s);
	if (first)
		return PB_DO_PUBLISH | note_first(s);
	if (trouble)
		return PB_DO_PUBLISH | note(s, s->quiet ? PB_LOG_DEBUG : PB_LOG_INFO,
					    "readings again, the last was %u s ago", age_s);
	return PB_DO_PUBLISH;
}

/* Sends the query, after the silence that boards need behind a reply. */
static unsigned int send_after_gap(struct pb_session *s, uint64_t now)
{
	if (s->config.gap_ms == 0)
		return ask(s, now);
	enter(s, PB_STATE_GAP, now + s->config.gap_ms);
	return 0;
}

/* The query at the place in the plan, or NULL: nothing to ask there. */
static const struct pb_query *query_at(const struct pb_session *s, size_t step)
{
	size_t count = s->codec->query_count, index = step % count;
	const struct pb_query *query = &s->codec->queries[index];

	if (query->when == rounds[step / count] && !(s->done >> index & 1))
		return query;
	return rounds[step / count] == PB_ONCE_BEFORE && query == s->marker ? query : NULL;
}

static unsigned int next_codec(struct pb_session *s, uint64_t now);

/* What was read cannot be: it is a failed poll, the last reading stays until it is stale. */
static unsigned int refuse_reading(struct pb_session *s, uint64_t now)
{
	s->cycle_error = PB_ERROR_IMPOSSIBLE;
	return pb_session_searching(s) ? next_codec(s, now) : fail_cycle(s, now);
}

/*
 * Goes on to the next query, from s->step. @gap: leave the silence before it that boards need.
 */
static unsigned int go_on(struct pb_session *s, bool gap, uint64_t now)
{
	size_t count = s->codec->query_count;
	unsigned int todo = 0;

	for (s->query = NULL; s->step < PB_ARRAY_SIZE(rounds) * count; s->step++) {
		if (s->step == count)
			s->work = s->base;
		if (s->step == 2 * count) {
			if (s->work_ms == 0) /* all was refused */
				return fail_cycle(s, now);
			if (pb_sample_check(&s->work, s->codec->bounds, &s->refusals) < 0)
				return refuse_reading(s, now);
			todo |= publish(s, now);
			if (!(todo & PB_DO_PUBLISH))
				return todo;
		}
		s->query = query_at(s, s->step);
		if (s->query)
			break;
	}
	if (!s->query)
		return todo | rest(s, s->config.poll_ms, now);
	/* what a board has not answered lately costs one time limit a poll, not all of them */
	s->tries_left = (pb_session_searching(s) && !s->spoken) || s->silent & query_bit(s) ||
					(s->query == s->marker && !(s->ever & query_bit(s)))
				? 1
				: s->config.tries;
	return todo | (gap ? send_after_gap(s, now) : ask(s, now));
}

static uint32_t open_requests(const struct pb_session *s, const struct pb_query *query)
{
	return requests_open(&s->requests, s->codec, query->command);
}

/* The first request of each poll: a reading is at least as old as it. */
static const struct pb_query *first_query(const struct pb_session *s)
{
	const struct pb_query *first = s->codec->queries;

	while (first->when != PB_EACH_POLL)
		first++;
	return first;
}

/* How bad a query is as a marker; UINT32_MAX: it can't be one. */
static uint32_t marker_cost(const struct pb_session *s, size_t index)
{
	const struct pb_query *query = &s->codec->queries[index];
	uint64_t bit = UINT64_C(1) << index;
	bool unknown = s->done & bit && !(s->answered & bit);
	uint32_t open = open_requests(s, query);

	if (query->streams || s->mute & bit || unknown || open >= MARKERS_MAX)
		return UINT32_MAX;
	/* what is not part of each poll is better; the first query itself is the last resort */
	return open * 4 + (query->when == PB_EACH_POLL) + (query == first_query(s));
}

/* @return the best one, NULL: there is none. */
static const struct pb_query *best_marker(const struct pb_session *s)
{
	const struct pb_query *best = NULL;
	uint32_t least = UINT32_MAX;

	for (size_t i = 0; i < s->codec->query_count; i++) {
		uint32_t cost = marker_cost(s, i);

		if (cost < least) {
			least = cost;
			best = &s->codec->queries[i];
		}
	}
	return best;
}

static void set_marker(struct pb_session *s, const struct pb_query *marker, uint64_t now)
{
	s->marker = marker;
	s->marker_ms = now;
	s->markers_left = open_requests(s, marker) + 1;
}

/* Replies to others may be on the way: what goes before the first poll? */
static void set_first_marker(struct pb_session *s, uint64_t now)
{
	const struct pb_query *marker = best_marker(s);

	if (marker && s->requests.count > 0 && s->requests.open[0].first_ms == LONG_AGO_MS &&
	    !pb_session_searching(s))
		set_marker(s, marker, now);
}

/*
 * The first reply of the poll may answer an older request. If it was so in the last poll, too, or
 * if it makes the reading much too old: a marker, and the poll begins anew.
 */
static bool wants_proof(struct pb_session *s, uint64_t asked_ms, uint64_t now)
{
	bool unclear = asked_ms < s->first_ms;

	if (!in_poll(s) || s->query != first_query(s) || !s->may_prove)
		return false;
	s->may_prove = false;
	s->unclear_polls = unclear ? s->unclear_polls + 1 : 0;
	if (!unclear ||
	    (s->unclear_polls < 2 && now - asked_ms < s->config.stale_after_s * UINT64_C(1000) / 2))
		return false;
	s->marker = best_marker(s);
	return s->marker;
}

static unsigned int prove(struct pb_session *s, uint64_t now)
{
	set_marker(s, s->marker, now);
	s->work_ms = s->first_ms = 0;
	s->step = 0;
	return go_on(s, true, now);
}

/* Does nothing but a silence tell which requests will not be answered any more? */
static bool is_hopeless(const struct pb_session *s)
{
	const struct pb_query *marker = best_marker(s);

	return open_requests(s, first_query(s)) >= HOPELESS &&
	       (!marker || open_requests(s, marker) >= HOPELESS);
}

/*
 * What was never answered may only have got lost: once in a while it is asked again. What is asked
 * rarely comes again when its time is up, one a poll.
 */
static void ask_again(struct pb_session *s, uint64_t now)
{
	bool all = now - s->again_ms >= ASK_AGAIN_MS;
	bool one = false;

	if (all)
		s->again_ms = now;
	if (now - s->muted_ms >= RARE_MS)
		s->mute = 0;
	for (size_t i = 0; i < s->codec->query_count; i++) {
		const struct pb_query *query = &s->codec->queries[i];
		uint64_t bit = UINT64_C(1) << i;
		uint64_t after_ms = query->live ? proof_interval_ms(s) : RARE_MS;

		if (all && query->when != PB_ONCE_BEFORE && !(s->answered & bit))
			s->done &= ~bit;
		/* perhaps it answered an older request: then it seems older than it is */
		if (query->when == PB_ONCE_BEFORE && s->base_ms[i] && s->base_ms[i] < s->up_ms &&
		    s->proof_ms >= s->up_ms)
			s->done &= ~bit;
		if (one || query->when != PB_ONCE_AFTER || !(s->done & s->answered & bit) ||
		    now - s->rare_ms[i] < after_ms)
			continue;
		s->done &= ~bit;
		one = true;
	}
}

static unsigned int begin_cycle(struct pb_session *s, uint64_t now)
{
	/* from when it was due, so that late wake-ups don't add up */
	bool late = s->state == PB_STATE_RESTING && now - s->deadline_ms < s->config.poll_ms;

	s->cycle_ms = late ? s->deadline_ms : now;
	s->begun_ms = now;
	s->begun_late_ms = s->late_ms;
	s->work_ms = 0;
	s->step = 0;
	s->begun = s->codec;
	s->spoken = false;
	s->cycle_error = PB_ERROR_NONE;
	s->strangers -= s->strangers > 0;
	ask_again(s, now);
	s->marker = NULL;
	s->first_ms = 0;
	s->may_prove = true;
	set_first_marker(s, now);
	if (s->reply_ms && now - s->reply_ms > SLEEPS_AFTER_MS)
		s->wakes_left = WAKES;
	return go_on(s, false, now);
}

/* The query is answered, refused or given up. */
static unsigned int finish_query(struct pb_session *s, uint64_t now)
{
	if (s->query->when != PB_EACH_POLL) {
		s->done |= query_bit(s);
		s->rare_ms[query_index(s)] = now;
	}
	s->step++;
	return go_on(s, true, now);
}

/* Another codec, or another connection: nothing is known of what is answered. */
static void forget_answers(struct pb_session *s)
{
	s->done = s->answered = s->silent = s->mute = 0;
	memset(&s->base, 0, sizeof(s->base));
	memset(s->base_ms, 0, sizeof(s->base_ms));
}

/* The one to be tried behind the one that was tried: its dialects, then those of others. */
static const struct pb_codec *following(struct pb_session *s)
{
	const struct pb_codec *const *others = s->config.others;

	if (s->codec->next)
		return s->codec->next;
	if (!others)
		return s->config.codec;
	s->candidate++;
	if (!others[s->candidate])
		s->candidate = 0;
	return others[s->candidate];
}

/* Nobody spoke this codec: on to the next, until all were tried in this poll. */
static unsigned int next_codec(struct pb_session *s, uint64_t now)
{
	s->codec = following(s);
	s->ever = 0;
	forget_answers(s);
	s->step = 0;
	return s->codec == s->begun ? fail_cycle(s, now) : go_on(s, true, now);
}

/* The query is of no use as the marker. @return false: it was not meant to be one. */
static bool drop_marker(struct pb_session *s, uint64_t now)
{
	if (s->query != s->marker || in_poll(s))
		return false;
	s->mute |= query_bit(s);
	s->muted_ms = now;
	s->marker = NULL;
	s->may_prove = true; /* by another one */
	return true;
}

/*
 * The query brought nothing, or not all of its parts, however often it was tried. Part of the cells
 * is no reading: the highest may be among the others.
 */
static unsigned int give_up_query(struct pb_session *s, uint64_t now)
{
	if (drop_marker(s, now) && s->query->when == PB_EACH_POLL)
		return finish_query(s, now);
	if (s->query->required)
		return pb_session_searching(s) && !s->spoken ? next_codec(s, now)
							     : fail_cycle(s, now);
	s->silent |= query_bit(s);
	/* silent to what it has always answered: it will not answer others either */
	if (s->query->when == PB_ONCE_BEFORE && s->ever & query_bit(s))
		return fail_cycle(s, now);
	if (!(s->answered & query_bit(s)))
		s->done |= query_bit(s);
	return finish_query(s, now);
}

/* The board refuses the query. Without the first of a reading, there is none. */
static unsigned int refused(struct pb_session *s, uint64_t now)
{
	drop_marker(s, now);
	s->cycle_error = PB_ERROR_REFUSED;
	return s->query->required && s->work_ms == 0 ? give_up_query(s, now) : finish_query(s, now);
}

static bool has_streams(const struct pb_codec *codec)
{
	for (size_t i = 0; i < codec->query_count; i++)
		if (codec->queries[i].streams)
			return true;
	return false;
}

/*
 * Replies to an earlier program are on the way, and nobody knows how many: nothing is proved. A
 * line that falls silent has brought all of them. A board that sends by itself is never silent: the
 * program before may have left as many open as this one does at most, and a marker is sent once
 * more than that.
 */
static unsigned int await_others(struct pb_session *s, uint64_t now)
{
	bool polls = s->state == PB_STATE_WAITING || s->state == PB_STATE_GAP;
	unsigned int todo = note(s, PB_LOG_INFO, "replies to an earlier program come");

	s->strange = true;
	forget_answers(s);
	s->proof_ms = s->work_ms = s->first_ms = 0;
	s->step = 0;
	if (!has_streams(s->codec)) {
		s->drain = true;
		s->drain_ms = now;
		enter(s, PB_STATE_SETTLING, now + DRAIN_MS);
		return todo;
	}
	expect_others(s, true);
	set_first_marker(s, now);
	return polls ? todo | go_on(s, true, now) : todo;
}

static unsigned int reply_timeout(struct pb_session *s, uint64_t now)
{
	bool bad = s->stream.bad_frames != s->bad_before;
	bool garbage = s->stream.garbage_bytes != s->garbage_before || s->stream.len > 0;

	if (s->listening)
		return send_query(s, now);
	/* frames come, but none that is proved to be new: the way is slow, or the notice got lost
	 */
	if (s->query->streams && now - s->streamed_ms < STREAM_LOST_MS && s->proof_ms)
		return listen_on(s, now);
	if (s->wakes_left > 0 && !bad && !garbage) {
		s->wakes_left--;
		return send_query(s, now);
	}
	s->wakes_left = 0;
	s->status.timeouts++;
	/* what one codec was told says more than the silence of those tried behind it */
	if (!pb_session_searching(s) || s->cycle_error != PB_ERROR_IMPOSSIBLE)
		s->cycle_error = bad	   ? PB_ERROR_CHECKSUM
				 : garbage ? PB_ERROR_GARBAGE
					   : PB_ERROR_TIMEOUT;
	return --s->tries_left > 0 ? send_query(s, now) : give_up_query(s, now);
}

/* When what a reply has brought was measured at the earliest. */
static void note_time(struct pb_session *s, uint64_t asked_ms)
{
	if (s->query->when != PB_EACH_POLL)
		s->base_ms[query_index(s)] = asked_ms;
	else if (in_poll(s) && (s->work_ms == 0 || asked_ms < s->work_ms))
		s->work_ms = asked_ms;
}

/* The marker was answered. @return whether it must be sent once more. */
static bool marker_again(struct pb_session *s, uint64_t asked_ms)
{
	if (s->query != s->marker || in_poll(s))
		return false;
	if (asked_ms < s->marker_ms && --s->markers_left > 0)
		return true;
	s->marker = NULL;
	return false;
}

/* @asked_ms: when it was asked for at the earliest; 0: it belongs to the part before. */
static unsigned int take_reply(struct pb_session *s, const struct pb_frame *frame,
			       uint64_t asked_ms, uint64_t now)
{
	/* what is asked rarely stays for all readings until it is asked again */
	struct pb_sample *target = s->query->when == PB_EACH_POLL ? &s->work : &s->base;
	int r;

	s->reply_ms = now;
	s->wakes_left = 0;
	s->answered |= query_bit(s);
	s->ever |= query_bit(s);
	s->silent &= ~query_bit(s);
	s->in_parts = false;
	if (frame->status != 0)
		return refused(s, now);
	s->mute &= ~query_bit(s);
	r = s->codec->decode(frame, target);
	s->base.carry = target->carry;
	if (r < 0) {
		pb_refusals_add_reply(&s->refusals, s->query->name, target, s->codec->bounds);
		s->cycle_error = PB_ERROR_IMPOSSIBLE;
		return --s->tries_left > 0 ? send_after_gap(s, now) : give_up_query(s, now);
	}
	s->spoken = true;
	if (asked_ms)
		note_time(s, asked_ms);
	/* more parts have the time that is left: boards send them without a pause */
	s->in_parts = r > 0;
	if (r > 0)
		return 0;
	if (asked_ms && marker_again(s, asked_ms))
		return send_after_gap(s, now);
	if (asked_ms && wants_proof(s, asked_ms, now))
		return prove(s, now);
	return finish_query(s, now);
}

/* One step of the login: @reply is the module's answer, NULL for none. */
static unsigned int login(struct pb_session *s, const struct pb_frame *reply, uint64_t now)
{
	switch (s->codec->login(&s->login, reply)) {
	case PB_LOGIN_SEND:
		s->query = &s->login.request;
		pb_stream_flush(&s->stream);
		enter(s, PB_STATE_LOGIN, now + s->config.reply_timeout_ms);
		return PB_DO_SEND;
	case PB_LOGIN_REFUSED:
		return PB_DO_CLOSE |
		       back_off(s, PB_ERROR_PASSWORD, "the radio module did not take it", now);
	case PB_LOGIN_DONE:
		s->logged_in = true;
		break;
	case PB_LOGIN_NONE:
		break;
	}
	return begin_cycle(s, now);
}

/* The link is up and the module had time to settle. */
static unsigned int settled(struct pb_session *s, uint64_t now)
{
	uint64_t silent_at_ms = s->received_ms + DRAIN_MS, most_ms = s->drain_ms + DRAIN_MOST_MS;

	if (s->drain && now < silent_at_ms && now < most_ms) {
		enter(s, PB_STATE_SETTLING, silent_at_ms < most_ms ? silent_at_ms : most_ms);
		return 0;
	}
	if (s->drain && now >= silent_at_ms) {
		s->requests.count = 0;
		s->strangers = 0;
	}
	s->drain = false;
	if (!s->config.password[0] || !s->has_radio || !s->codec->login)
		return begin_cycle(s, now);
	s->login.step = 0;
	memcpy(s->login.password, s->config.password, sizeof(s->login.password));
	return login(s, NULL, now);
}

/* With `protocol: auto`: what it says of itself may tell where to begin. */
static void guess_codec(struct pb_session *s, const struct pb_advert *advert)
{
	const struct pb_codec *codec;
	const struct pb_sign *sign;

	if (s->codec_known || !s->config.others || !advert)
		return;
	codec = pb_codec_of_advert(s->config.others, advert, &sign);
	if (!codec)
		return;
	for (s->candidate = 0; s->config.others[s->candidate] != codec;)
		s->candidate++;
	s->codec = codec;
	s->ever = 0;
}

static bool is_streamed(const struct pb_session *s, const struct pb_frame *frame)
{
	for (size_t i = 0; i < s->codec->query_count; i++)
		if (s->codec->queries[i].streams && s->codec->queries[i].command == frame->command)
			return true;
	return false;
}

/*
 * A reply that answers no open request: another device answers, too, or another program asks. Which
 * replies are ours, then nobody knows.
 */
static void take_unsolicited(struct pb_session *s, const struct pb_frame *frame)
{
	for (size_t i = 0; i < s->codec->query_count; i++) {
		const struct pb_query *query = &s->codec->queries[i];

		if (query->command != frame->command || query->when != PB_EACH_POLL)
			continue;
		s->status.unsolicited++;
		s->strangers = STRANGE_POLLS;
		return;
	}
}

/* A reply that comes when it is not waited for: at least the board knows the request. */
static void take_late(struct pb_session *s, const struct pb_frame *frame)
{
	for (size_t i = 0; i < s->codec->query_count; i++) {
		const struct pb_query *query = &s->codec->queries[i];
		uint64_t bit = UINT64_C(1) << i;

		if (query->command != frame->command)
			continue;
		if (!(s->answered & bit))
			s->done &= ~bit;
		s->answered |= bit;
		s->mute &= ~bit;
	}
}

/*
 * A reply, or the notice ahead of streamed ones: what it proves.
 * @return when it was asked for at the earliest; 0: it answers no open request.
 */
static uint64_t take_proof(struct pb_session *s, const struct pb_frame *frame)
{
	uint64_t asked_ms = requests_answered(&s->requests, s->codec, frame->command);

	if (asked_ms == 0)
		return 0;
	if (asked_ms > s->proof_ms)
		s->proof_ms = asked_ms;
	return s->proof_ms;
}

/* What holds until the next one, sent ahead of streamed frames. */
static void take_notice(struct pb_session *s, const struct pb_frame *frame)
{
	take_proof(s, frame);
	if (s->proof_ms == 0)
		return;
	s->codec->decode(frame, &s->base);
	s->codec->decode(frame, &s->work);
	for (size_t i = 0; i < s->codec->query_count; i++)
		if (s->codec->queries[i].command == frame->command)
			s->base_ms[i] = s->proof_ms;
}

/*
 * What one board counts does not fall, and its clock does not run ahead of ours: the frame before
 * was measured after meters_ms.
 */
static bool is_other_board(const struct pb_session *s, const struct pb_meters *meters, uint64_t now)
{
	uint64_t most_s = (now - s->meters_ms) / 1000 * 17 / 16 + METER_SLACK_S;

	return meters->running_s < s->meters.running_s ||
	       meters->through_mah < s->meters.through_mah ||
	       meters->running_s - s->meters.running_s > most_s;
}

/* Two boards that both send by themselves: a frame names neither. */
static void watch_meters(struct pb_session *s, const struct pb_frame *frame, uint64_t now)
{
	struct pb_meters meters;

	if (s->proof_ms == 0 || !s->codec->meters || !s->codec->meters(frame, &s->base, &meters))
		return;
	if (s->meters_ms && is_other_board(s, &meters, now))
		s->shared_ms = now;
	s->meters = meters;
	s->meters_ms = s->proof_ms;
}

static unsigned int take_streamed(struct pb_session *s, const struct pb_frame *frame, bool awaited,
				  uint64_t now)
{
	s->streamed_ms = now;
	watch_meters(s, frame, now);
	if (!awaited || s->proof_ms == 0 || s->proof_ms < s->need_ms)
		return 0;
	return take_reply(s, frame, s->proof_ms, now);
}

/* Does it answer what this program has not sent? Told once before a reading; then such are
 * expected. */
static bool is_stranger(const struct pb_session *s, const struct pb_frame *frame)
{
	return !s->strange &&
	       requests_newest_ms(&s->requests, s->codec, frame->command) == LONG_AGO_MS;
}

/* @awaited: it answers the request that is out, perhaps a late one of the same kind. */
static unsigned int take_bms_reply(struct pb_session *s, const struct pb_frame *frame, bool awaited,
				   uint64_t now)
{
	uint64_t asked_ms;

	/* only with the first part of a reply it is clear where it begins */
	if (frame->in_parts && (s->in_parts || !awaited))
		return awaited ? take_reply(s, frame, 0, now) : 0;
	/* what is refused, some boards do not tell */
	if (frame->status != 0)
		return awaited ? take_reply(s, frame, 0, now) : 0;
	asked_ms = take_proof(s, frame);
	if (asked_ms == 0)
		take_unsolicited(s, frame);
	else if (!awaited)
		take_late(s, frame);
	return awaited && asked_ms ? take_reply(s, frame, asked_ms, now) : 0;
}

/* Late replies of earlier requests, and the radio module's own frames, are passed over. */
static unsigned int take_frame(struct pb_session *s, const struct pb_frame *frame, uint64_t now)
{
	bool expected = s->query && frame->command == s->query->command;
	bool awaited = s->state == PB_STATE_WAITING && expected;
	bool answers = frame->kind == PB_FRAME_NOTICE ||
		       (frame->kind == PB_FRAME_REPLY && !is_streamed(s, frame));

	if (answers && is_stranger(s, frame))
		return await_others(s, now);
	switch (frame->kind) {
	case PB_FRAME_NOTICE:
		take_notice(s, frame);
		return 0;
	case PB_FRAME_REPLY:
		return is_streamed(s, frame) ? take_streamed(s, frame, awaited, now)
					     : take_bms_reply(s, frame, awaited, now);
	case PB_FRAME_MODULE:
		return s->state == PB_STATE_LOGIN && expected ? login(s, frame, now) : 0;
	case PB_FRAME_SHARED:
		s->shared_ms = now;
		return 0;
	}
	return 0;
}

/* No board sends so much of nothing: it would only cost us time. */
static unsigned int end_flood(struct pb_session *s, uint64_t now)
{
	char why[64];

	snprintf(why, sizeof(why), "%u bytes without a frame", s->unframed_bytes);
	copy_counters(s);
	return PB_DO_CLOSE | back_off(s, PB_ERROR_GARBAGE, why, now);
}

static unsigned int take_bytes(struct pb_session *s, const struct pb_session_event *event,
			       uint64_t now)
{
	unsigned int todo = 0;
	struct pb_frame frame;

	if (s->stream.len > 0 && now - s->received_ms > HALF_FRAME_MS)
		pb_stream_flush(&s->stream);
	s->received_ms = now;
	s->heard = true;
	if (s->query && event->len == s->query->len &&
	    memcmp(event->bytes, s->query->bytes, event->len) == 0)
		s->echoed = true;
	pb_stream_push(&s->stream, event->bytes, event->len);
	s->unframed_bytes += (uint32_t)event->len;
	while (todo == 0 && pb_stream_next(&s->stream, s->codec, s->query, &frame)) {
		s->unframed_bytes = 0;
		todo = take_frame(s, &frame, now);
	}
	return todo == 0 && s->unframed_bytes > UNFRAMED_MAX ? end_flood(s, now) : todo;
}

static unsigned int link_up(struct pb_session *s, const struct pb_advert *advert, uint64_t now)
{
	struct pb_stream *stream = &s->stream;

	s->has_radio = advert;
	if (advert)
		memcpy(s->login.mac, advert->mac, sizeof(s->login.mac));
	guess_codec(s, advert);
	s->wanted = s->heard = s->echoed = s->logged_in = s->read_here = false;
	s->status.connected = true;
	s->status.connects++;
	stream->len = 0;
	stream->eaten = 0;
	forget_answers(s);
	s->unframed_bytes = 0;
	s->again_ms = now;
	s->received_ms = s->up_ms = s->drain_ms = now;
	s->streamed_ms = 0;
	s->meters_ms = 0;
	s->drain |= is_hopeless(s);
	s->failed_cycles = 0;
	s->wakes_left = WAKES;
	s->reply_ms = 0;
	s->query = NULL;
	enter(s, PB_STATE_SETTLING, now + s->config.settle_ms);
	return PB_DO_STATUS;
}

static unsigned int state_timeout(struct pb_session *s, uint64_t now)
{
	char why[64];

	switch (s->state) {
	case PB_STATE_CONNECTING:
		snprintf(why, sizeof(why), "not within %u ms", s->config.connect_timeout_ms);
		return PB_DO_CLOSE | back_off(s, PB_ERROR_CONNECT, why, now);
	case PB_STATE_SETTLING:
		return settled(s, now);
	case PB_STATE_LOGIN:
		return login(s, NULL, now);
	case PB_STATE_RESTING:
		return begin_cycle(s, now);
	case PB_STATE_WAITING:
		return reply_timeout(s, now);
	case PB_STATE_GAP:
		return ask(s, now);
	case PB_STATE_BACKOFF:
	case PB_STATE_PARKED:
		return connect_link(s, now);
	case PB_STATE_RELEASED:
		return connect_link(s, now) | note(s, PB_LOG_INFO, "taking it back");
	case PB_STATE_OFF:
		break;
	}
	return 0;
}

static unsigned int wanted(struct pb_session *s, uint32_t round_ms)
{
	if (round_ms > s->round_ms)
		s->round_ms = round_ms;
	s->wanted = s->status.connected;
	return s->state == PB_STATE_RESTING ? park(s, s->deadline_ms) : 0;
}

static unsigned int release(struct pb_session *s, uint32_t ms, uint64_t now)
{
	s->status.last_error = PB_ERROR_RELEASED;
	s->status.connected = false;
	s->trouble = true;
	s->quiet = false;
	s->strange = false;
	expect_others(s, false);
	s->turned = false;
	s->attempt = 0;
	enter(s, PB_STATE_RELEASED, now + ms);
	return PB_DO_CLOSE | PB_DO_STATUS |
	       note(s, PB_LOG_INFO, "released for %u min %u s", ms / 60000, ms / 1000 % 60);
}

static unsigned int take_time(struct pb_session *s, uint64_t now)
{
	enum pb_log_level level;
	char more[64];

	/* one thing a step: when both are due, the state's own turn follows at once */
	if (now >= s->stale_ms) {
		s->stale_ms = UINT64_MAX;
		level = trouble_level(s, now);
		return PB_DO_STATUS | note(s, level, "stale: the last reading is %u s old%s",
					   pb_status_age_s(&s->status, now),
					   unsaid(s, more, sizeof(more)));
	}
	return now >= s->deadline_ms ? state_timeout(s, now) : 0;
}

static unsigned int take_event(struct pb_session *s, const struct pb_session_event *event,
			       uint64_t now)
{
	switch (event->type) {
	case PB_SESSION_START:
		return s->state == PB_STATE_OFF ? connect_link(s, now) : 0;
	case PB_SESSION_UP:
		return s->state == PB_STATE_CONNECTING ? link_up(s, event->advert, now) : 0;
	case PB_SESSION_RETRY:
		return s->state == PB_STATE_BACKOFF ? connect_link(s, now) : 0;
	case PB_SESSION_WANTED:
		return wanted(s, event->ms);
	case PB_SESSION_RELEASE:
		return release(s, event->ms, now);
	case PB_SESSION_TAKE:
		return s->state == PB_STATE_RELEASED ? state_timeout(s, now) : 0;
	case PB_SESSION_DOWN:
		if (s->state == PB_STATE_OFF || s->state == PB_STATE_BACKOFF ||
		    s->state == PB_STATE_PARKED || s->state == PB_STATE_RELEASED)
			return 0;
		copy_counters(s);
		return back_off(s, s->status.connected ? PB_ERROR_LINK_LOST : PB_ERROR_CONNECT,
				event->why, now);
	case PB_SESSION_DATA:
		return s->status.connected ? take_bytes(s, event, now) : 0;
	case PB_SESSION_TIME:
		return take_time(s, now);
	}
	return 0;
}

/* The machine slept, or this process was stopped or had no processor. */
static void count_lateness(struct pb_session *s, uint64_t now)
{
	uint64_t due_ms = s->deadline_ms < s->stale_ms ? s->deadline_ms : s->stale_ms;
	uint64_t since_ms = due_ms > s->step_ms ? due_ms : s->step_ms;

	if (s->step_ms && now > since_ms && now > due_ms)
		s->late_ms += now - since_ms;
	s->step_ms = now;
}

unsigned int pb_session_step(struct pb_session *s, const struct pb_session_event *event,
			     uint64_t now_ms, uint64_t *ret_deadline_ms)
{
	unsigned int todo;

	count_lateness(s, now_ms);
	todo = take_event(s, event, now_ms);
	s->status.quality = pb_status_quality(&s->status, now_ms);
	*ret_deadline_ms = s->deadline_ms < s->stale_ms ? s->deadline_ms : s->stale_ms;
	return todo;
}
