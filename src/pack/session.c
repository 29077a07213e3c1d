/* SPDX-License-Identifier: MIT */
/*
 * The connection: when to connect, give up, yield to others or try again. The states and their
 * drawing are in session.h, the other parts in state.h.
 *
 *	event -> take_event -> one function per event, or state_timeout -> session_enter
 *
 * A step does one thing. If two are due, the deadline is in the past and the next step follows at
 * once.
 */
#include "state.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
	HALF_FRAME_MS = 300, /**< silence in the middle of a frame: the rest never comes */
	JITTER_PERCENT = 20,
	DRAIN_MS = 20000,      /**< so long a silence: nothing is on the way any more */
	DRAIN_MOST_MS = 60000, /**< a board that sends by itself is never silent */
	LASTED_MS = 30000,     /**< a connection that was there for so long is a good one */
	/*
	 * Bytes without a frame that end a connection. A line of 115200 baud brings so many in 91
	 * s: noise on it has made three polls fail by then, also behind DRAIN_MOST_MS, and that is
	 * named better.
	 */
	UNFRAMED_MAX = 1024 * 1024,
};

/* The first failure is tried again at once: with real packs, one connect in three or four fails. */
static const uint32_t backoff_s[] = {0, 1, 2, 5, 10, 30};

void session_init(struct session *s, const struct pb_session_config *config)
{
	memset(s, 0, sizeof(*s));
	plan_init(&s->plan, config->codec, config->others, config->stale_after_s, config->control);
	s->config = *config;
	s->head.codec = config->codec;
	s->head.searching = plan_searching(&s->plan);
	s->head.status.stale_after_s = config->stale_after_s;
	s->deadline_ms = UINT64_MAX;
	s->stale_ms = UINT64_MAX;
	pb_random_seed(&s->random, config->seed);
}

int pb_session_new(struct pb_session **ret, const struct pb_session_config *config)
{
	struct session *session = malloc(sizeof(*session));

	if (!session)
		return -ENOMEM;
	session_init(session, config);
	*ret = &session->head;
	return 0;
}

struct pb_session *pb_session_free(struct pb_session *head)
{
	free(head);
	return NULL;
}

const struct pb_query *session_query(const struct session *s)
{
	return s->head.state == PB_STATE_DIALOGUE || s->plan.query ? &s->request : NULL;
}

unsigned int session_enter(struct session *s, enum pb_session_state state, uint64_t deadline_ms)
{
	s->head.state = state;
	s->deadline_ms = deadline_ms;
	s->held_ms = 0;
	s->head.note.next_ms = state == PB_STATE_BACKOFF ? deadline_ms : 0;
	switch (state) {
	case PB_STATE_CONNECTING:
		return PB_DO_OPEN;
	case PB_STATE_SETTLING:
		return dialogue_abort(s);
	case PB_STATE_BACKOFF:
		s->head.status.connected = false;
		return PB_DO_STATUS | dialogue_abort(s);
	case PB_STATE_PARKED:
	case PB_STATE_RELEASED:
		s->head.status.connected = false;
		return PB_DO_CLOSE | PB_DO_STATUS | dialogue_abort(s);
	case PB_STATE_OFF:
	case PB_STATE_DIALOGUE:
	case PB_STATE_WAITING:
	case PB_STATE_GAP:
	case PB_STATE_RESTING:
		break;
	}
	return 0;
}

static unsigned int connect_link(struct session *s, uint64_t now)
{
	uint32_t limit_ms = s->config.connect_timeout_ms;

	return session_enter(s, PB_STATE_CONNECTING, limit_ms ? now + limit_ms : UINT64_MAX);
}

static uint32_t backoff_ms(struct session *s, uint32_t attempt)
{
	size_t last = PB_ARRAY_SIZE(backoff_s) - 1;
	uint32_t ms = backoff_s[attempt < last ? attempt : last] * 1000;

	/* packs that were lost together must not come back together */
	return ms / 100 *
	       (100 - JITTER_PERCENT + pb_random_below(&s->random, 2 * JITTER_PERCENT + 1));
}

/*
 * A link that worked and is lost has not failed to connect yet: it is made anew at once, and later
 * each time that it did not last, but not so much later that its readings get stale.
 */
static uint32_t wait_after_loss(struct session *s, uint64_t now)
{
	uint32_t most_ms =
		s->config.poll_ms > SESSION_RETRY_MS ? s->config.poll_ms : SESSION_RETRY_MS;
	uint32_t wait_ms;

	if (now - s->plan.up_ms >= LASTED_MS)
		s->flaps = 0;
	wait_ms = backoff_ms(s, s->flaps++);
	return wait_ms < most_ms ? wait_ms : most_ms;
}

/* The link is down or given up: try again later. */
unsigned int session_back_off(struct session *s, enum pb_error error, const char *why, uint64_t now)
{
	bool worked = s->read_here && error == PB_ERROR_LINK_LOST;
	bool known = s->trouble && s->attempt > 0 && error == s->head.status.last_error;
	/* no alarm before the second try */
	bool first = error == PB_ERROR_CONNECT && s->attempt == 0;
	enum pb_log_level level = PB_LOG_DEBUG;
	char more[64], what[PB_NOTE_MAX - 96];
	unsigned int todo;
	uint32_t wait_ms;

	s->head.status.connect_failures += error == PB_ERROR_CONNECT;
	wait_ms = worked ? wait_after_loss(s, now) : backoff_ms(s, s->attempt);
	s->attempt += !worked;
	s->read_here = false;
	s->turned = false;
	if (!first) {
		level = note_trouble(s, now);
		s->head.status.last_error = error;
	}
	if (s->head.status.connected)
		s->head.status.reconnects++;
	todo = session_enter(s, PB_STATE_BACKOFF, now + wait_ms);
	note_unsaid(s, more, sizeof(more));
	snprintf(what, sizeof(what), "%s%s%s", pb_error_text(error), why ? ": " : "",
		 why ? why : "");
	if (wait_ms == 0)
		todo |= note_write(s, level, "%s, trying again at once%s", what, more);
	else
		todo |= note_write(s, known ? PB_LOG_DEBUG : level,
				   "%s, next attempt in %u.%u s (attempt %u)%s", what,
				   wait_ms / 1000, wait_ms % 1000 / 100, s->attempt + 1, more);
	s->head.note.lasting = strlen(what);
	s->head.note.attempt = s->attempt + 1;
	return todo;
}

void session_copy_counters(struct session *s)
{
	s->head.status.bad_frames = s->stream.bad_frames;
	s->head.status.garbage_bytes = s->stream.garbage_bytes;
	s->head.status.impossible_readings = s->head.refusals.readings;
	s->head.status.impossible_values = s->head.refusals.values;
}

/* Yields the slot to another pack until the next poll is due. */
static unsigned int session_yield(struct session *s, uint64_t due_ms)
{
	s->wanted = false;
	s->turned = true;
	s->flaps = 0;
	return session_enter(s, PB_STATE_PARKED, due_ms);
}

/* Others wait, and this pack has nothing to do: what a command did is read first. */
static bool gives_way(const struct session *s)
{
	return s->wanted && s->head.state == PB_STATE_RESTING && s->checks_left == 0;
}

unsigned int session_rest(struct session *s, uint32_t interval_ms, uint64_t now)
{
	uint64_t next = s->cycle_ms + dialogue_interval_ms(s, interval_ms);
	unsigned int todo;

	s->plan.query = NULL;
	session_copy_counters(s);
	/* a poll that took longer than the interval is not made up for by a burst */
	if (next < now + s->config.gap_ms)
		next = now + s->config.gap_ms;
	todo = session_enter(s, PB_STATE_RESTING, next) | dialogue_command(s, now);
	return gives_way(s) ? todo | session_yield(s, next) : todo;
}

/*
 * A line that falls silent has brought all replies to an earlier program. A board that sends by
 * itself is never silent: the program before may have left as many requests open as this one does
 * at most, and a marker is sent once more than that.
 */
unsigned int session_await_others(struct session *s, uint64_t now)
{
	bool polls = s->plan.query &&
		     (s->head.state == PB_STATE_WAITING || s->head.state == PB_STATE_GAP);
	unsigned int todo = note_write(s, PB_LOG_INFO, "replies to an earlier program come");

	proof_forget(&s->plan);
	if (!proof_has_streams(&s->plan)) {
		s->drain = true;
		s->drain_ms = now;
		return todo | session_enter(s, PB_STATE_SETTLING, now + DRAIN_MS);
	}
	proof_expect_others(&s->plan, true);
	proof_set_first_marker(&s->plan, now);
	return polls ? todo | poll_go_on(s, true, now) : todo;
}

/* The link is up and the module had time to settle. */
static unsigned int settled(struct session *s, uint64_t now)
{
	uint64_t silent_at_ms = s->received_ms + DRAIN_MS, most_ms = s->drain_ms + DRAIN_MOST_MS;

	if (s->drain && now < silent_at_ms && now < most_ms)
		return session_enter(s, PB_STATE_SETTLING,
				     silent_at_ms < most_ms ? silent_at_ms : most_ms);
	if (s->drain && now >= silent_at_ms) {
		s->plan.requests.count = 0;
		s->plan.strangers = 0;
	}
	s->drain = false;
	return dialogue_login(s, now);
}

/* No board sends so much of nothing: it would only cost us time. */
static unsigned int end_flood(struct session *s, uint64_t now)
{
	char why[64];

	snprintf(why, sizeof(why), "%u bytes without a frame", s->unframed_bytes);
	session_copy_counters(s);
	return PB_DO_CLOSE | session_back_off(s, PB_ERROR_GARBAGE, why, now);
}

static unsigned int session_take_bytes(struct session *s, const struct pb_session_event *event,
				       uint64_t now)
{
	const struct pb_query *query = session_query(s);
	unsigned int todo = 0;
	struct pb_frame frame;

	if (s->stream.len > 0 && now - s->received_ms > HALF_FRAME_MS)
		pb_stream_flush(&s->stream);
	s->received_ms = now;
	s->heard = true;
	s->echoed |= query && event->len == query->len &&
		     memcmp(event->bytes, query->bytes, event->len) == 0;
	pb_stream_push(&s->stream, event->bytes, event->len);
	s->unframed_bytes += (uint32_t)event->len;
	while (todo == 0 && pb_stream_next(&s->stream, s->plan.codec, session_query(s), &frame)) {
		s->unframed_bytes = 0;
		todo = poll_take_frame(s, &frame, now);
	}
	return todo == 0 && s->unframed_bytes > UNFRAMED_MAX ? end_flood(s, now) : todo;
}

static unsigned int link_up(struct session *s, const struct pb_advert *advert, uint64_t now)
{
	struct pb_stream *stream = &s->stream;

	s->has_radio = advert;
	if (advert)
		memcpy(s->dialogue.mac, advert->mac, sizeof(s->dialogue.mac));
	plan_connect(&s->plan, advert, now);
	s->wanted = s->heard = s->echoed = s->head.logged_in = s->read_here = false;
	s->head.status.connected = true;
	s->head.status.connects++;
	stream->len = 0;
	stream->eaten = 0;
	s->unframed_bytes = 0;
	s->received_ms = s->drain_ms = now;
	s->streamed_ms = 0;
	s->drain |= proof_is_hopeless(&s->plan);
	s->failed_cycles = 0;
	s->wakes_left = SESSION_WAKES;
	s->reply_ms = 0;
	s->checks_left = 0;
	s->may_repeat = false;
	s->dialogue.unlocked = 0;
	return PB_DO_STATUS | session_enter(s, PB_STATE_SETTLING, now + s->config.settle_ms);
}

static unsigned int state_timeout(struct session *s, uint64_t now)
{
	char why[64];

	switch (s->head.state) {
	case PB_STATE_CONNECTING:
		snprintf(why, sizeof(why), "not within %u ms", s->config.connect_timeout_ms);
		return PB_DO_CLOSE | session_back_off(s, PB_ERROR_CONNECT, why, now);
	case PB_STATE_SETTLING:
		return settled(s, now);
	case PB_STATE_DIALOGUE:
		return dialogue_step(s, NULL, now);
	case PB_STATE_RESTING:
		return poll_begin(s, false, now);
	case PB_STATE_WAITING:
		return poll_time_out(s, now);
	case PB_STATE_GAP:
		return s->plan.query ? poll_ask(s, now) : dialogue_send(s, now);
	case PB_STATE_BACKOFF:
	case PB_STATE_PARKED:
		return connect_link(s, now);
	case PB_STATE_RELEASED:
		return connect_link(s, now) | note_write(s, PB_LOG_INFO, "taking it back");
	case PB_STATE_OFF:
		break;
	}
	return 0;
}

static unsigned int wanted(struct session *s, uint32_t round_ms)
{
	if (round_ms > s->round_ms)
		s->round_ms = round_ms;
	s->wanted = s->head.status.connected;
	return gives_way(s) ? session_yield(s, s->deadline_ms) : 0;
}

static unsigned int release(struct session *s, uint32_t ms, uint64_t now)
{
	s->head.status.last_error = PB_ERROR_RELEASED;
	s->trouble = true;
	s->quiet = false;
	s->plan.strange = false;
	proof_expect_others(&s->plan, false);
	s->turned = false;
	s->attempt = 0;
	return session_enter(s, PB_STATE_RELEASED, now + ms) |
	       note_write(s, PB_LOG_INFO, "released for %u min %u s", ms / 60000, ms / 1000 % 60);
}

static unsigned int take_time(struct session *s, uint64_t now)
{
	enum pb_log_level level;
	char more[64];

	/* one thing a step: when both are due, the state's own turn follows at once */
	if (now >= s->stale_ms) {
		s->stale_ms = UINT64_MAX;
		level = note_trouble(s, now);
		return PB_DO_STATUS | note_write(s, level, "stale: the last reading is %u s old%s",
						 pb_status_age_s(&s->head.status, now),
						 note_unsaid(s, more, sizeof(more)));
	}
	return now >= s->deadline_ms ? state_timeout(s, now) : 0;
}

/* No reply is due while the request waits for its turn. */
static void queued(struct session *s, uint64_t now)
{
	s->held_ms = s->deadline_ms - now;
	s->deadline_ms = UINT64_MAX;
}

static void sent(struct session *s, uint64_t now)
{
	if (s->held_ms == 0)
		return;
	s->deadline_ms = now + s->held_ms;
	s->held_ms = 0;
	if (s->head.state == PB_STATE_WAITING)
		poll_left(s, now);
	else
		dialogue_left(s, now);
}

static unsigned int take_event(struct session *s, const struct pb_session_event *event,
			       uint64_t now)
{
	switch (event->type) {
	case PB_SESSION_START:
		return s->head.state == PB_STATE_OFF ? connect_link(s, now) : 0;
	case PB_SESSION_UP:
		return s->head.state == PB_STATE_CONNECTING ? link_up(s, event->advert, now) : 0;
	case PB_SESSION_QUEUED:
		queued(s, now);
		return 0;
	case PB_SESSION_SENT:
		sent(s, now);
		return 0;
	case PB_SESSION_RETRY:
		return s->head.state == PB_STATE_BACKOFF ? connect_link(s, now) : 0;
	case PB_SESSION_WANTED:
		return wanted(s, event->ms);
	case PB_SESSION_RELEASE:
		return release(s, event->ms, now);
	case PB_SESSION_TAKE:
		return s->head.state == PB_STATE_RELEASED ? state_timeout(s, now) : 0;
	case PB_SESSION_COMMAND:
		return dialogue_take_command(s, event->command, now);
	case PB_SESSION_DOWN:
		if (s->head.state == PB_STATE_OFF || s->head.state == PB_STATE_BACKOFF ||
		    s->head.state == PB_STATE_PARKED || s->head.state == PB_STATE_RELEASED)
			return 0;
		session_copy_counters(s);
		return session_back_off(
			s, s->head.status.connected ? PB_ERROR_LINK_LOST : PB_ERROR_CONNECT,
			event->why, now);
	case PB_SESSION_DATA:
		return s->head.status.connected ? session_take_bytes(s, event, now) : 0;
	case PB_SESSION_TIME:
		return take_time(s, now);
	}
	return 0;
}

/* The machine slept, or this process was stopped or had no processor. */
static void count_lateness(struct session *s, uint64_t now)
{
	uint64_t due_ms = s->deadline_ms < s->stale_ms ? s->deadline_ms : s->stale_ms;
	uint64_t since_ms = due_ms > s->step_ms ? due_ms : s->step_ms;

	if (s->step_ms && now > since_ms && now > due_ms)
		s->late_ms += now - since_ms;
	s->step_ms = now;
}

unsigned int pb_session_step(struct pb_session *head, const struct pb_session_event *event,
			     uint64_t now_ms, uint64_t *ret_deadline_ms)
{
	struct session *s = (struct session *)head;
	unsigned int todo;

	count_lateness(s, now_ms);
	todo = take_event(s, event, now_ms);
	head->codec = s->plan.codec;
	head->searching = plan_searching(&s->plan);
	head->request = session_query(s);
	head->secret = s->head.state == PB_STATE_DIALOGUE && s->request.secret;
	*ret_deadline_ms = s->deadline_ms < s->stale_ms ? s->deadline_ms : s->stale_ms;
	return todo;
}
