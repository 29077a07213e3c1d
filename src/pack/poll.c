/* SPDX-License-Identifier: MIT */
/*
 * A poll: ask what the plan says, take the replies, make a reading of them.
 *
 *	poll_begin --> poll_go_on --> poll_ask --> poll_send or poll_listen --> (WAITING)
 *	                 ^  |                                                       |
 *	                 |  |<-------- finish_query <-- take_reply <-- a frame -----|
 *	                 |  |<-------- give_up_query <-- poll_time_out <------------'
 *	                 |  |
 *	                 |  |--> publish_reading   all parts are there
 *	                 |  |--> session_rest      nothing more to ask
 *	                 |  '--> poll_fail         no reading in this poll
 *	                 |
 *	                 '---- poll_next_codec     nobody spoke this one
 *
 * Some boards send by themselves once they were asked. Streamed frames carry no timestamp and can
 * queue up (stopped process, slow line). A frame counts only if it arrived after the notice that
 * answers our latest request: order is preserved, so it is newer than that request. So a poll only
 * listens for the next frame; the request is repeated every proof_interval_ms().
 *
 * A sleeping board does not answer the request that wakes it (docs/protocols/jbd.md, "Sleep"): up
 * to two requests after connecting, or after 20 s of silence, may be lost without being a fault.
 */
#include "state.h"

#include <stdio.h>
#include <string.h>

enum {
	FAILED_CYCLES_MAX = 3,
	SLEEPS_AFTER_MS = 20000,
	STREAM_LOST_MS = 2000, /**< no frame for so long: it has stopped, or we were */
};

/* ---- asking ---- */

static unsigned int poll_send(struct session *s, uint64_t now)
{
	uint32_t limit_ms = s->config.reply_timeout_ms;

	/* what comes by itself has a pace of its own */
	if (s->plan.query->streams && limit_ms < STREAM_LOST_MS)
		limit_ms = STREAM_LOST_MS;
	s->listening = false;
	s->need_ms = now;
	s->in_parts = false;
	/* what is left of earlier replies can't belong to this one */
	pb_stream_flush(&s->stream);
	proof_sent(&s->plan, s->request.command, now);
	s->bad_before = s->stream.bad_frames;
	s->garbage_before = s->stream.garbage_bytes;
	return PB_DO_SEND | session_enter(s, PB_STATE_WAITING, now + limit_ms);
}

void poll_left(struct session *s, uint64_t now)
{
	requests_left(&s->plan.requests, s->plan.codec, s->request.command, now);
}

/* Waits for the next frame of those that the board sends by itself. */
static unsigned int poll_listen(struct session *s, uint64_t now)
{
	s->listening = true;
	s->need_ms = 0;
	if (s->plan.first_ms == 0)
		s->plan.first_ms = s->plan.proof_ms;
	return session_enter(s, PB_STATE_WAITING, now + STREAM_LOST_MS);
}

unsigned int poll_ask(struct session *s, uint64_t now)
{
	const struct plan *plan = &s->plan;
	/* the reply to a request also tells what the switches are commanded to do */
	bool flows = plan->query->streams && now - s->streamed_ms < STREAM_LOST_MS &&
		     plan->proof_ms >= s->head.command.sent_ms && s->checks_left == 0;

	/* half a poll early rather than half a poll late */
	if (flows && now - plan->proof_ms + s->config.poll_ms / 2 < proof_interval_ms(plan))
		return poll_listen(s, s->streamed_ms);
	return poll_send(s, now);
}

/* Sends the query, after the silence that boards need behind a reply. */
static unsigned int send_after_gap(struct session *s, uint64_t now)
{
	if (s->config.gap_ms == 0)
		return poll_ask(s, now);
	return session_enter(s, PB_STATE_GAP, now + s->config.gap_ms);
}

/* ---- the end of a poll ---- */

/* What a pack that answers no poll may have on its mind. */
static enum pb_error silence_error(const struct session *s, enum pb_error error)
{
	if (!s->has_radio)
		return error;
	if (s->echoed)
		return PB_ERROR_ECHO;
	return error == PB_ERROR_TIMEOUT && !s->heard ? PB_ERROR_SILENT : error;
}

unsigned int poll_fail(struct session *s, uint64_t now)
{
	uint32_t poll_ms = s->config.poll_ms;
	const char *name = s->plan.query ? s->plan.query->name : "all";
	unsigned int todo = PB_DO_STATUS;
	char why[PB_NOTE_MAX - 64], text[PB_NOTE_MAX - 64], more[64];
	enum pb_log_level level;

	s->head.status.failures++;
	/* the board may have forgotten the first requests of the connection */
	plan_forget_before(&s->plan);
	s->cycle_error = proof_is_shared(&s->plan, now) ? PB_ERROR_SHARED_LINE
							: silence_error(s, s->cycle_error);
	s->head.status.last_error = s->cycle_error;
	s->failed_cycles++;
	s->turned = false;
	session_copy_counters(s);
	pb_refusals_error_text(&s->head.refusals, s->cycle_error, text, sizeof(text));
	/* a new connection would find the same boards on the line */
	if (s->failed_cycles >= FAILED_CYCLES_MAX && s->cycle_error != PB_ERROR_SHARED_LINE) {
		snprintf(why, sizeof(why), "%u polls in a row failed%s", s->failed_cycles,
			 text + strlen(pb_error_text(s->cycle_error)));
		s->drain = s->cycle_error == PB_ERROR_LATE;
		s->plan.codec_known = false; /* perhaps another pack is there now */
		return PB_DO_CLOSE | session_back_off(s, s->cycle_error, why, now);
	}
	if (s->failed_cycles == 1 && !s->trouble) {
		level = note_trouble(s, now);
		todo |= note_write(s, level, "poll failed, request '%s': %s%s", name, text,
				   note_unsaid(s, more, sizeof(more)));
	}
	return todo | session_rest(s, poll_ms < SESSION_RETRY_MS ? poll_ms : SESSION_RETRY_MS, now);
}

/* ---- on to the next ---- */

static unsigned int refused(struct session *s, uint64_t now);

/* Nobody spoke this codec: on to the next, until all were tried in this poll. */
static unsigned int poll_next_codec(struct session *s, uint64_t now)
{
	return plan_next_codec(&s->plan) ? poll_go_on(s, true, now) : poll_fail(s, now);
}

/* The parts of a reading are together. What cannot be is a failed poll. */
static unsigned int finish_reading(struct session *s, uint64_t now)
{
	struct plan *plan = &s->plan;

	if (plan->work_ms == 0) /* all was refused */
		return poll_fail(s, now);
	if (pb_sample_check(&plan->work, plan->codec->bounds, &s->head.refusals) == 0)
		return publish_reading(s, now);
	s->cycle_error = PB_ERROR_IMPOSSIBLE;
	return plan_searching(plan) ? poll_next_codec(s, now) : poll_fail(s, now);
}

/* @gap: leave the silence before the next query that boards need. */
unsigned int poll_go_on(struct session *s, bool gap, uint64_t now)
{
	enum plan_next next = plan_next(&s->plan);
	unsigned int todo = 0;

	if (next == PLAN_READING) {
		todo = finish_reading(s, now);
		if (!(todo & PB_DO_PUBLISH))
			return todo;
		next = plan_next(&s->plan);
	}
	if (next == PLAN_END)
		return todo | session_rest(s, s->config.poll_ms, now);
	s->tries_left = plan_tries(&s->plan, s->config.tries);
	if (!dialogue_prepare(s))
		return todo | refused(s, now);
	return todo | (gap ? send_after_gap(s, now) : poll_ask(s, now));
}

unsigned int poll_begin(struct session *s, bool gap, uint64_t now)
{
	/* from when it was due, so that late wake-ups don't add up */
	bool late = s->head.state == PB_STATE_RESTING && now - s->deadline_ms < s->config.poll_ms;

	s->cycle_ms = late ? s->deadline_ms : now;
	s->begun_ms = now;
	s->begun_late_ms = s->late_ms;
	s->cycle_error = PB_ERROR_NONE;
	plan_begin(&s->plan, now);
	if (s->reply_ms && now - s->reply_ms > SLEEPS_AFTER_MS)
		s->wakes_left = SESSION_WAKES;
	return poll_go_on(s, gap, now);
}

/* The query is answered, refused or given up. */
static unsigned int finish_query(struct session *s, uint64_t now)
{
	plan_finish_query(&s->plan, now);
	return poll_go_on(s, true, now);
}

/*
 * The query brought nothing, or not all of its parts, however often it was tried. Part of the cells
 * is no reading: the highest may be among the others.
 */
static unsigned int give_up_query(struct session *s, uint64_t now)
{
	struct plan *plan = &s->plan;

	if (proof_drop_marker(plan, now) && plan->query->when == PB_EACH_POLL)
		return finish_query(s, now);
	if (plan->query->required)
		return plan_searching(plan) && !plan->spoken ? poll_next_codec(s, now)
							     : poll_fail(s, now);
	return plan_was_silent(plan) ? finish_query(s, now) : poll_fail(s, now);
}

/* The board refuses the query. Without the first of a reading, there is none. */
static unsigned int refused(struct session *s, uint64_t now)
{
	struct plan *plan = &s->plan;

	proof_drop_marker(plan, now);
	s->cycle_error = PB_ERROR_REFUSED;
	return plan->query->required && plan->work_ms == 0 ? give_up_query(s, now)
							   : finish_query(s, now);
}

unsigned int poll_time_out(struct session *s, uint64_t now)
{
	bool bad = s->stream.bad_frames != s->bad_before;
	bool garbage = s->stream.garbage_bytes != s->garbage_before || s->stream.len > 0;

	if (s->listening)
		return poll_send(s, now);
	/* frames come, but none that is proved to be new: the way is slow, or the notice got lost
	 */
	if (s->plan.query->streams && now - s->streamed_ms < STREAM_LOST_MS && s->plan.proof_ms)
		return poll_listen(s, now);
	if (s->wakes_left > 0 && !bad && !garbage) {
		s->wakes_left--;
		return poll_send(s, now);
	}
	s->wakes_left = 0;
	s->head.status.timeouts++;
	/* the answer to one codec is a better reason than silence on the codecs tried after it */
	if (!plan_searching(&s->plan) || s->cycle_error != PB_ERROR_IMPOSSIBLE)
		s->cycle_error = bad	   ? PB_ERROR_CHECKSUM
				 : garbage ? PB_ERROR_GARBAGE
					   : PB_ERROR_TIMEOUT;
	return --s->tries_left > 0 ? poll_send(s, now) : give_up_query(s, now);
}

/* ---- replies ---- */

/* Into the reading. @return as pb_codec.decode(). */
static int poll_decode(struct session *s, const struct pb_frame *frame)
{
	struct plan *plan = &s->plan;
	/* what is asked rarely stays for all readings until it is asked again */
	struct pb_sample *target = plan->query->when == PB_EACH_POLL ? &plan->work : &plan->base;
	int r = plan->codec->decode(frame, target);

	plan->base.carry = target->carry;
	if (r < 0)
		pb_refusals_add_reply(&s->head.refusals, plan->query->name, target,
				      plan->codec->bounds);
	return r;
}

/* A reply is there as a whole. Of a query that is a dialogue, more may be to ask. */
static unsigned int finish_part(struct session *s, const struct pb_frame *frame, uint64_t now)
{
	switch (dialogue_next_part(s, frame)) {
	case PB_DIALOGUE_SEND:
		s->tries_left = s->config.tries;
		return send_after_gap(s, now);
	case PB_DIALOGUE_DONE:
		return finish_query(s, now);
	case PB_DIALOGUE_NONE:
	case PB_DIALOGUE_REFUSED:
		break;
	}
	return refused(s, now);
}

/* @asked_ms: when it was asked for at the earliest; 0: it belongs to the part before. */
static unsigned int take_reply(struct session *s, const struct pb_frame *frame, uint64_t asked_ms,
			       uint64_t now)
{
	struct plan *plan = &s->plan;
	int r;

	s->reply_ms = now;
	s->wakes_left = 0;
	s->in_parts = false;
	plan_answered(plan);
	if (frame->status != 0)
		return refused(s, now);
	plan->mute &= ~plan_query_bit(plan);
	r = poll_decode(s, frame);
	if (r < 0) {
		s->cycle_error = PB_ERROR_IMPOSSIBLE;
		return --s->tries_left > 0 ? send_after_gap(s, now) : give_up_query(s, now);
	}
	plan->spoken = true;
	if (asked_ms)
		proof_note_time(plan, asked_ms);
	/* more parts have the time that is left: boards send them without a pause */
	s->in_parts = r > 0;
	if (r > 0)
		return 0;
	if (asked_ms && proof_marker_again(plan, asked_ms))
		return send_after_gap(s, now);
	if (asked_ms && proof_begins_anew(plan, asked_ms, now))
		return poll_go_on(s, true, now);
	return finish_part(s, frame, now);
}

static unsigned int take_streamed(struct session *s, const struct pb_frame *frame, bool awaited,
				  uint64_t now)
{
	struct plan *plan = &s->plan;

	s->streamed_ms = now;
	proof_watch_meters(plan, frame, now);
	if (!awaited || plan->proof_ms == 0 || plan->proof_ms < s->need_ms)
		return 0;
	return take_reply(s, frame, plan->proof_ms, now);
}

/* @awaited: it answers the request that is out, perhaps a late one of the same kind. */
static unsigned int take_bms_reply(struct session *s, const struct pb_frame *frame, bool awaited,
				   uint64_t now)
{
	uint64_t asked_ms;

	/* only with the first part of a reply it is clear where it begins */
	if (frame->in_parts && (s->in_parts || !awaited))
		return awaited ? take_reply(s, frame, 0, now) : 0;
	/* some boards do not name the request that they refuse */
	if (frame->status != 0)
		return awaited ? take_reply(s, frame, 0, now) : 0;
	asked_ms = proof_take(&s->plan, frame);
	if (asked_ms == 0)
		s->head.status.unsolicited += proof_take_unsolicited(&s->plan, frame);
	else if (!awaited)
		proof_take_late(&s->plan, frame);
	return awaited && asked_ms ? take_reply(s, frame, asked_ms, now) : 0;
}

/* Late replies of earlier requests, and the radio module's own frames, are passed over. */
unsigned int poll_take_frame(struct session *s, const struct pb_frame *frame, uint64_t now)
{
	const struct pb_query *query = session_query(s);
	bool expected = query && frame->command == query->command;
	bool awaited = s->head.state == PB_STATE_WAITING && expected;

	if (dialogue_awaits(s, frame))
		return dialogue_step(s, frame, now);
	if (proof_is_strange(&s->plan, frame))
		return session_await_others(s, now);
	switch (frame->kind) {
	case PB_FRAME_NOTICE:
		proof_take_notice(&s->plan, frame);
		return 0;
	case PB_FRAME_REPLY:
		return proof_is_streamed(&s->plan, frame) ? take_streamed(s, frame, awaited, now)
							  : take_bms_reply(s, frame, awaited, now);
	case PB_FRAME_MODULE:
	case PB_FRAME_OTHER:
		return 0;
	case PB_FRAME_SHARED:
		s->plan.shared_ms = now;
		return 0;
	}
	return 0;
}
