/* SPDX-License-Identifier: MIT */
/*
 * The poll plan of one connection, as a place that counts three times round the codec's queries:
 * what is asked once a connection before all else, what is asked at every poll (its end is the
 * reading), and what is asked once a connection and shows from the next reading on.
 *
 * Some boards send by themselves once they were asked. Then a poll is to listen for the next frame.
 * Such frames bear no time, and the way to us may hold back many of them: while the process was
 * stopped, or for good, on a line that is too slow. So they count only behind the notice that
 * answers the last request, since nothing overtakes on the way; and the request is repeated once a
 * minute, after a pause, and when none comes.
 *
 * A reply is as old as the oldest request that it may answer: one that came too late may answer a
 * request that was given up.
 *
 * A sleeping board does not answer the request that wakes it (docs/protocols/jbd.md, "Sleep"): up
 * to two requests after connecting, or after 20 s of silence, may be lost without being a fault.
 */
#include "packbridge/pack.h"

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
	LATE_MS = 20000, /**< a reply that has not come by then never will */
	IN_TIME_MS = 1000,
	STREAM_PROOF_MS = 60000,
	STREAM_LOST_MS = 2000, /**< no frame for so long: it has stopped, or we were */
};

/* The first failure is tried again at once: with real packs, one connect in three or four fails. */
static const uint32_t backoff_s[] = {0, 1, 2, 5, 10, 30};

#define UNKNOWN_LAG UINT64_MAX

static const enum pb_when rounds[] = {PB_ONCE_BEFORE, PB_EACH_POLL, PB_ONCE_AFTER};

bool pb_status_is_old(const struct pb_status *status, uint64_t now_ms)
{
	return status->sequence == 0 ||
	       now_ms - status->sampled_ms >= (uint64_t)status->stale_after_s * 1000;
}

uint16_t pb_status_age_s(const struct pb_status *status, uint64_t now_ms)
{
	uint64_t age_s;

	if (status->sequence == 0)
		return 65535;
	age_s = (now_ms - status->sampled_ms) / 1000;
	return age_s > 65534 ? 65534 : (uint16_t)age_s;
}

enum pb_quality pb_status_quality(const struct pb_status *status, uint64_t now_ms)
{
	if (status->sequence == 0)
		return PB_QUALITY_NEVER;
	if (!pb_status_is_old(status, now_ms))
		return PB_QUALITY_GOOD;
	return status->connected ? PB_QUALITY_STALE : PB_QUALITY_LOST;
}

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

void pb_session_init(struct pb_session *s, const struct pb_session_config *config)
{
	memset(s, 0, sizeof(*s));
	s->config = *config;
	s->codec = config->codec;
	s->status.stale_after_s = config->stale_after_s;
	s->deadline_ms = UINT64_MAX;
	s->stale_ms = UINT64_MAX;
	pb_random_seed(&s->random, config->seed);
}

static unsigned int note(struct pb_session *s, enum pb_log_level level, const char *format, ...)
	PB_PRINTF(3, 4);

static unsigned int note(struct pb_session *s, enum pb_log_level level, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vsnprintf(s->note, sizeof(s->note), format, args);
	va_end(args);
	s->note_level = level;
	return PB_DO_LOG;
}

static void enter(struct pb_session *s, enum pb_session_state state, uint64_t deadline_ms)
{
	s->state = state;
	s->deadline_ms = deadline_ms;
}

static unsigned int connect_link(struct pb_session *s, uint64_t now)
{
	uint32_t limit_ms = s->config.connect_timeout_ms;

	enter(s, PB_STATE_CONNECTING, limit_ms ? now + limit_ms : UINT64_MAX);
	return PB_DO_OPEN;
}

static uint32_t backoff_ms(struct pb_session *s)
{
	size_t last = PB_ARRAY_SIZE(backoff_s) - 1;
	uint32_t ms = backoff_s[s->attempt < last ? s->attempt : last] * 1000;

	/* packs that were lost together must not come back together */
	return ms / 100 *
	       (100 - JITTER_PERCENT + pb_random_below(&s->random, 2 * JITTER_PERCENT + 1));
}

/* The link is down or given up: try again later. */
static unsigned int back_off(struct pb_session *s, enum pb_error error, const char *why,
			     uint64_t now)
{
	/* a link that worked and is lost has not failed to connect yet */
	bool worked = s->read_here && error == PB_ERROR_LINK_LOST;
	uint32_t wait_ms = worked ? 0 : backoff_ms(s);
	bool known = s->trouble && s->attempt > 0 && error == s->status.last_error;
	/* no alarm before the second try */
	bool again = s->attempt == 0 && error == PB_ERROR_CONNECT;

	s->attempt += !worked;
	s->read_here = false;
	s->trouble |= !again;
	s->turned = false;
	if (!again)
		s->status.last_error = error;
	if (s->status.connected)
		s->status.reconnects++;
	s->status.connected = false;
	enter(s, PB_STATE_BACKOFF, now + wait_ms);
	if (wait_ms == 0)
		return PB_DO_STATUS | note(s, again ? PB_LOG_DEBUG : PB_LOG_WARNING,
					   "%s%s%s, trying again at once", pb_error_text(error),
					   why ? ": " : "", why ? why : "");
	return PB_DO_STATUS | note(s, known ? PB_LOG_DEBUG : PB_LOG_WARNING,
				   "%s%s%s, next attempt in %u.%u s (attempt %u)",
				   pb_error_text(error), why ? ": " : "", why ? why : "",
				   wait_ms / 1000, wait_ms % 1000 / 100, s->attempt + 1);
}

static void remember_request(struct pb_session *s, uint64_t now)
{
	size_t cap = PB_ARRAY_SIZE(s->sent);

	/* a full list keeps its oldest: rather too old than too new */
	if (s->sent_count < cap)
		s->sent[s->sent_count++] = (struct pb_sent){now, s->query->command};
}

/* Strikes out the @count oldest requests. */
static void forget_requests(struct pb_session *s, size_t count)
{
	s->sent_count -= count;
	memmove(s->sent, s->sent + count, s->sent_count * sizeof(*s->sent));
}

/* No reply comes so late; but bytes may wait for us for any time when it is us who come late. */
static void forget_late_requests(struct pb_session *s, uint64_t now)
{
	size_t count = 0;

	while (count < s->sent_count && now - s->sent[count].at_ms > LATE_MS)
		count++;
	forget_requests(s, count);
}

/*
 * When the oldest request was sent that a reply to @command may answer; 0: there is none. Nothing
 * overtakes on the way, so those before it will not be answered any more.
 */
static uint64_t answered_request(struct pb_session *s, uint16_t command)
{
	for (size_t i = 0; i < s->sent_count; i++) {
		uint64_t at_ms = s->sent[i].at_ms;

		if (s->sent[i].command != command)
			continue;
		forget_requests(s, i + 1);
		return at_ms;
	}
	return 0;
}

static unsigned int send_query(struct pb_session *s, uint64_t now)
{
	uint32_t limit_ms = s->config.reply_timeout_ms;

	/* what comes by itself has a pace of its own */
	if (s->query->streams && limit_ms < STREAM_LOST_MS)
		limit_ms = STREAM_LOST_MS;
	s->listening = false;
	if (s->query->streams)
		s->lag_ms = UNKNOWN_LAG;
	/* what is left of earlier replies can't belong to this one */
	pb_stream_flush(&s->stream);
	remember_request(s, now);
	s->bad_before = s->stream.bad_frames;
	s->garbage_before = s->stream.garbage_bytes;
	enter(s, PB_STATE_WAITING, now + limit_ms);
	return PB_DO_SEND;
}

/* May frames that come by themselves be taken, or must the way be measured first? */
static bool lag_is_known(const struct pb_session *s, uint64_t now)
{
	/* a lag may also be a notice that got lost; so it is measured anew when that is settled */
	uint64_t limit_ms = s->lag_ms < STREAM_LOST_MS ? STREAM_PROOF_MS : LATE_MS + IN_TIME_MS;

	return s->lag_ms != UNKNOWN_LAG && now - s->measured_ms < limit_ms &&
	       now - s->streamed_ms < STREAM_LOST_MS;
}

/* The query's turn has come: its replies may be on their way without a request. */
static unsigned int ask(struct pb_session *s, uint64_t now)
{
	if (!s->query->streams || !lag_is_known(s, now))
		return send_query(s, now);
	s->listening = true;
	enter(s, PB_STATE_WAITING, s->streamed_ms + STREAM_LOST_MS);
	return 0;
}

static void copy_counters(struct pb_session *s)
{
	s->status.bad_frames = s->stream.bad_frames;
	s->status.garbage_bytes = s->stream.garbage_bytes;
}

/* Makes room for another pack until the next poll is due. */
static unsigned int park(struct pb_session *s, uint64_t due_ms)
{
	s->wanted = false;
	s->turned = true;
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

static unsigned int fail_cycle(struct pb_session *s, uint64_t now)
{
	uint32_t retry_ms = s->config.poll_ms < RETRY_CYCLE_MS ? s->config.poll_ms : RETRY_CYCLE_MS;
	const char *name = s->query ? s->query->name : "all";
	unsigned int todo = PB_DO_STATUS;
	char why[64];

	s->status.failures++;
	/* what the board was told at first, it may have forgotten */
	for (size_t i = 0; i < s->codec->query_count; i++)
		if (s->codec->queries[i].when == PB_ONCE_BEFORE)
			s->done &= ~(UINT64_C(1) << i);
	s->cycle_error = silence_error(s, s->cycle_error);
	s->status.last_error = s->cycle_error;
	s->failed_cycles++;
	s->turned = false;
	copy_counters(s);
	if (s->failed_cycles >= FAILED_CYCLES_MAX) {
		snprintf(why, sizeof(why), "%u polls in a row failed", s->failed_cycles);
		return PB_DO_CLOSE | back_off(s, s->cycle_error, why, now);
	}
	if (s->failed_cycles == 1 && !s->trouble) {
		todo |= note(s, PB_LOG_WARNING, "poll failed, request '%s': %s", name,
			     pb_error_text(s->cycle_error));
		s->trouble = true;
	}
	return todo | rest(s, retry_ms, now);
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
		round_ms = now - s->status.sampled_ms;
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

/* A board that takes longer for its replies than a poll should last has readings as rarely. */
static void follow_pace(struct pb_session *s, uint64_t now)
{
	uint64_t stale_s = (now - s->work_ms) * ROUNDS_TO_STALE / 1000 + 1;

	if (now - s->work_ms <= s->config.poll_ms || s->config.stale_fixed)
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

static unsigned int publish(struct pb_session *s, uint64_t now)
{
	bool first = s->status.sequence == 0, trouble = s->trouble;
	uint16_t age_s = pb_status_age_s(&s->status, now);

	follow_round(s, s->work_ms);
	follow_pace(s, now);
	s->codec_known = s->read_here = true;
	pb_sample_derive(&s->work);
	s->sample = s->work;
	s->status.polls++;
	s->status.sequence = s->status.sequence == 65535 ? 1 : (uint16_t)(s->status.sequence + 1);
	s->status.sampled_ms = s->work_ms;
	s->stale_ms = s->work_ms + (uint64_t)s->status.stale_after_s * 1000;
	s->failed_cycles = 0;
	s->attempt = 0;
	s->trouble = false;
	copy_counters(s);
	if (first)
		return PB_DO_PUBLISH | note_first(s);
	if (trouble)
		return PB_DO_PUBLISH |
		       note(s, PB_LOG_INFO, "readings again, the last was %u s ago", age_s);
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

	return query->when == rounds[step / count] && !(s->done >> index & 1) ? query : NULL;
}

static uint64_t query_bit(const struct pb_session *s)
{
	return UINT64_C(1) << (s->query - s->codec->queries);
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
			todo |= publish(s, now);
		}
		s->query = query_at(s, s->step);
		if (s->query)
			break;
	}
	if (!s->query)
		return todo | rest(s, s->config.poll_ms, now);
	/* what a board has not answered lately costs one time limit a poll, not all of them */
	s->tries_left = (pb_session_searching(s) && !s->spoken) || s->silent & query_bit(s)
				? 1
				: s->config.tries;
	return todo | (gap ? send_after_gap(s, now) : ask(s, now));
}

/* Is one of the requests left over that a reading's time is taken from? */
static bool time_is_open(const struct pb_session *s)
{
	const struct pb_query *first = s->codec->queries;

	while (first->when != PB_EACH_POLL)
		first++;
	for (size_t i = 0; i < s->sent_count; i++)
		if (s->sent[i].command == first->command)
			return true;
	return false;
}

/*
 * A reply got lost, or is to come, and nothing shows which if the next requests are of the same
 * kind. One of another kind does, since its reply comes behind theirs.
 */
static void settle_requests(struct pb_session *s)
{
	for (size_t i = 0; i < s->codec->query_count; i++) {
		if (s->codec->queries[i].when != PB_ONCE_AFTER || !(s->answered >> i & 1))
			continue;
		if (time_is_open(s))
			s->done &= ~(UINT64_C(1) << i);
		return;
	}
}

/* What was never answered may only have got lost: once in a while it is asked again. */
static void ask_again(struct pb_session *s, uint64_t now)
{
	if (now - s->again_ms < ASK_AGAIN_MS)
		return;
	s->again_ms = now;
	for (size_t i = 0; i < s->codec->query_count; i++)
		if (s->codec->queries[i].when == PB_EACH_POLL)
			s->done &= ~(UINT64_C(1) << i);
}

static unsigned int begin_cycle(struct pb_session *s, uint64_t now)
{
	/* from when it was due, so that late wake-ups don't add up */
	bool late = s->state == PB_STATE_RESTING && now - s->deadline_ms < s->config.poll_ms;

	if (now - s->deadline_ms < IN_TIME_MS)
		forget_late_requests(s, now);
	s->cycle_ms = late ? s->deadline_ms : now;
	s->work_ms = 0;
	s->step = 0;
	s->begun = s->codec;
	s->spoken = false;
	s->cycle_error = PB_ERROR_NONE;
	ask_again(s, now);
	settle_requests(s);
	if (s->reply_ms && now - s->reply_ms > SLEEPS_AFTER_MS)
		s->wakes_left = WAKES;
	return go_on(s, false, now);
}

/* The query is answered, refused or given up. */
static unsigned int finish_query(struct pb_session *s, uint64_t now)
{
	if (s->query->when != PB_EACH_POLL)
		s->done |= query_bit(s);
	s->step++;
	return go_on(s, true, now);
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
	s->done = s->answered = s->silent = 0;
	s->step = 0;
	return s->codec == s->begun ? fail_cycle(s, now) : go_on(s, true, now);
}

/*
 * The query brought nothing, or not all of its parts, however often it was tried. Part of the cells
 * is no reading: the highest may be among the others.
 */
static unsigned int give_up_query(struct pb_session *s, uint64_t now)
{
	if (s->query->required)
		return pb_session_searching(s) && !s->spoken ? next_codec(s, now)
							     : fail_cycle(s, now);
	s->silent |= query_bit(s);
	if (!(s->answered & query_bit(s)))
		s->done |= query_bit(s);
	return finish_query(s, now);
}

/* The board refuses the query. Without the first of a reading, there is none. */
static unsigned int refused(struct pb_session *s, uint64_t now)
{
	s->cycle_error = PB_ERROR_REFUSED;
	return s->query->required && s->work_ms == 0 ? give_up_query(s, now) : finish_query(s, now);
}

static unsigned int reply_timeout(struct pb_session *s, uint64_t now)
{
	bool bad = s->stream.bad_frames != s->bad_before;
	bool garbage = s->stream.garbage_bytes != s->garbage_before || s->stream.len > 0;

	if (s->listening)
		return send_query(s, now);
	if (s->wakes_left > 0 && !bad && !garbage) {
		s->wakes_left--;
		return send_query(s, now);
	}
	s->wakes_left = 0;
	s->status.timeouts++;
	s->cycle_error = bad ? PB_ERROR_CHECKSUM : garbage ? PB_ERROR_GARBAGE : PB_ERROR_TIMEOUT;
	return --s->tries_left > 0 ? send_query(s, now) : give_up_query(s, now);
}

static unsigned int take_reply(struct pb_session *s, const struct pb_frame *frame, uint64_t now)
{
	/* what once-a-connection queries bring stays for all readings of the connection */
	struct pb_sample *target = s->query->when == PB_EACH_POLL ? &s->work : &s->base;
	uint64_t asked_ms =
		s->query->streams ? now - s->lag_ms : answered_request(s, s->query->command);
	int r;

	s->reply_ms = now;
	s->wakes_left = 0;
	s->answered |= query_bit(s);
	s->silent &= ~query_bit(s);
	if (frame->status != 0)
		return refused(s, now);
	r = s->codec->decode(frame, target);
	s->base.carry = target->carry;
	if (r < 0) {
		s->cycle_error = PB_ERROR_IMPOSSIBLE;
		return --s->tries_left > 0 ? send_after_gap(s, now) : give_up_query(s, now);
	}
	s->spoken = true;
	if (s->work_ms == 0 && s->query->when == PB_EACH_POLL)
		s->work_ms = asked_ms ? asked_ms : now;
	/* more parts have the time that is left: boards send them without a pause */
	return r == 0 ? finish_query(s, now) : 0;
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
	if (!s->config.password[0] || !s->has_radio || !s->codec->login)
		return begin_cycle(s, now);
	s->login.step = 0;
	memcpy(s->login.password, s->config.password, sizeof(s->login.password));
	return login(s, NULL, now);
}

/* With `protocol: auto`: what it says of itself may tell where to begin. */
static void guess_codec(struct pb_session *s, const struct pb_advert *advert)
{
	if (s->codec_known || !s->config.others || !advert)
		return;
	for (size_t i = 0; s->config.others[i]; i++) {
		if (s->config.others[i]->identify && s->config.others[i]->identify(advert)) {
			s->candidate = i;
			s->codec = s->config.others[i];
			return;
		}
	}
}

static bool is_streamed(const struct pb_session *s, const struct pb_frame *frame)
{
	for (size_t i = 0; i < s->codec->query_count; i++)
		if (s->codec->queries[i].streams && s->codec->queries[i].command == frame->command)
			return true;
	return false;
}

/* What holds for the connection, sent along with a reply; and how long it was on its way. */
static void take_notice(struct pb_session *s, const struct pb_frame *frame, uint64_t now)
{
	uint64_t asked_ms = answered_request(s, frame->command);

	s->codec->decode(frame, &s->base);
	s->codec->decode(frame, &s->work);
	if (asked_ms == 0)
		return;
	s->lag_ms = now - asked_ms;
	s->measured_ms = s->streamed_ms = now;
}

/* Late replies of earlier requests, and the radio module's own frames, are passed over. */
static unsigned int take_frame(struct pb_session *s, const struct pb_frame *frame, uint64_t now)
{
	if (frame->kind == PB_FRAME_NOTICE)
		take_notice(s, frame, now);
	if (frame->kind == PB_FRAME_REPLY && is_streamed(s, frame)) {
		if (s->lag_ms == UNKNOWN_LAG)
			return 0;
		s->streamed_ms = now;
	}
	if (s->state == PB_STATE_WAITING && frame->kind == PB_FRAME_REPLY &&
	    frame->command == s->query->command)
		return take_reply(s, frame, now);
	if (s->state == PB_STATE_LOGIN && frame->kind == PB_FRAME_MODULE &&
	    frame->command == s->query->command)
		return login(s, frame, now);
	return 0;
}

static unsigned int take_bytes(struct pb_session *s, const struct pb_session_event *event,
			       uint64_t now)
{
	unsigned int todo = 0;
	struct pb_frame frame;

	if (s->stream.len > 0 && now - s->received_ms > HALF_FRAME_MS)
		pb_stream_flush(&s->stream);
	if (now - s->received_ms >= STREAM_LOST_MS)
		s->lag_ms = UNKNOWN_LAG; /* what comes now may be old */
	s->received_ms = now;
	s->heard = true;
	if (s->query && event->len == s->query->len &&
	    memcmp(event->bytes, s->query->bytes, event->len) == 0)
		s->echoed = true;
	pb_stream_push(&s->stream, event->bytes, event->len);
	while (todo == 0 && pb_stream_next(&s->stream, s->codec, s->query, &frame))
		todo = take_frame(s, &frame, now);
	return todo;
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
	memset(&s->base, 0, sizeof(s->base));
	stream->len = 0;
	stream->eaten = 0;
	s->done = s->answered = 0;
	s->again_ms = now;
	s->received_ms = now;
	s->silent = 0;
	s->sent_count = 0;
	s->lag_ms = UNKNOWN_LAG;
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
	s->turned = false;
	s->attempt = 0;
	enter(s, PB_STATE_RELEASED, now + ms);
	return PB_DO_CLOSE | PB_DO_STATUS |
	       note(s, PB_LOG_INFO, "released for %u min %u s", ms / 60000, ms / 1000 % 60);
}

static unsigned int take_time(struct pb_session *s, uint64_t now)
{
	/* one thing a step: when both are due, the state's own turn follows at once */
	if (now >= s->stale_ms) {
		s->stale_ms = UINT64_MAX;
		s->trouble = true;
		return PB_DO_STATUS | note(s, PB_LOG_WARNING, "stale: the last reading is %u s old",
					   pb_status_age_s(&s->status, now));
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

unsigned int pb_session_step(struct pb_session *s, const struct pb_session_event *event,
			     uint64_t now_ms, uint64_t *ret_deadline_ms)
{
	unsigned int todo = take_event(s, event, now_ms);

	s->status.quality = pb_status_quality(&s->status, now_ms);
	*ret_deadline_ms = s->deadline_ms < s->stale_ms ? s->deadline_ms : s->stale_ms;
	return todo;
}
