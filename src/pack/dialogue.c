/* SPDX-License-Identifier: MIT */
/*
 * Dialogues: several requests, each made from the reply before (struct pb_dialogue). The codec
 * makes the requests, the session sends them and waits. Three kinds:
 *
 *	login      SETTLING --> DIALOGUE <--.           --> the first poll
 *	                           '-- SEND-'  DONE, NONE
 *	                                       REFUSED  --> BACKOFF
 *
 *	command    RESTING --> GAP --> DIALOGUE         --> the next poll, at once
 *	              ^         ^-- SEND --'   else                    |
 *	              |                                                | three readings,
 *	              '------------------------------------------------' at most 1 s apart
 *
 *	read       a query of the plan in several requests; poll.c sends them as it sends all others
 *
 * A command is taken only while there is a live reading, runs between two polls and is never kept
 * for another connection. Only the codec repeats requests. The readings after a command show
 * whether the pack executed it. If it accepted the command and they show no effect, the codec may
 * have another way to command it, which is tried once.
 */
#include "state.h"

#include <errno.h>
#include <string.h>

/* The effect of an accepted command shows in a reading that was asked for later than this; the
 * slowest board that was captured needs less (docs/protocols/jbd.md, "Switching"). */
enum { EFFECT_MS = 1000 };

static bool is_under_way(const struct session *s)
{
	return s->head.command.state == PB_COMMAND_WAITING ||
	       s->head.command.state == PB_COMMAND_RUNNING;
}

static enum pb_dialogue_result next_step(struct session *s, const struct pb_frame *reply)
{
	enum pb_dialogue_result result = s->plan.codec->dialogue(&s->dialogue, reply);

	if (result == PB_DIALOGUE_SEND)
		s->request = s->dialogue.request;
	return result;
}

/* @return the first step of a dialogue whose other members are set. */
static enum pb_dialogue_result first_step(struct session *s, enum pb_dialogue_kind kind)
{
	if (!s->plan.codec->dialogue)
		return PB_DIALOGUE_NONE;
	s->dialogue.kind = kind;
	s->dialogue.address = s->config.address;
	s->dialogue.step = 0;
	return next_step(s, NULL);
}

void dialogue_left(struct session *s, uint64_t now)
{
	if (s->dialogue.kind != PB_DIALOGUE_LOGIN)
		s->head.command.sent_ms = now;
}

unsigned int dialogue_send(struct session *s, uint64_t now)
{
	dialogue_left(s, now);
	pb_stream_flush(&s->stream);
	return PB_DO_SEND | session_enter(s, PB_STATE_DIALOGUE, now + s->config.reply_timeout_ms);
}

/* ---- login ---- */

static unsigned int end_login(struct session *s, enum pb_dialogue_result result, uint64_t now)
{
	if (result == PB_DIALOGUE_REFUSED)
		return PB_DO_CLOSE | session_back_off(s, PB_ERROR_PASSWORD,
						      "the radio module did not take it", now);
	if (result == PB_DIALOGUE_DONE)
		s->head.logged_in = true;
	return poll_begin(s, false, now);
}

unsigned int dialogue_login(struct session *s, uint64_t now)
{
	enum pb_dialogue_result result;

	if (!s->config.password[0] || !s->has_radio)
		return poll_begin(s, false, now);
	memcpy(s->dialogue.password, s->config.password, sizeof(s->dialogue.password));
	result = first_step(s, PB_DIALOGUE_LOGIN);
	return result == PB_DIALOGUE_SEND ? dialogue_send(s, now) : end_login(s, result, now);
}

/* ---- commands ---- */

int pb_session_may_command(const struct pb_session *head, uint64_t now_ms)
{
	const struct session *s = (const struct session *)head;

	if (!s->config.control)
		return -EACCES;
	if (is_under_way(s))
		return -EBUSY;
	if (!head->status.connected || !s->read_here)
		return -ENOTCONN;
	return pb_status_is_stale(&head->status, now_ms) ? -ENODATA : 0;
}

/* Boards need a silence between a reply and the next request. */
static unsigned int dialogue_send_after_gap(struct session *s, uint64_t now)
{
	uint64_t at_ms = s->reply_ms + s->config.gap_ms;

	return now >= at_ms ? dialogue_send(s, now) : session_enter(s, PB_STATE_GAP, at_ms);
}

/* @result: not SEND. What became of it is read at once, and again soon. */
static unsigned int end_command(struct session *s, enum pb_dialogue_result result, uint64_t now)
{
	struct pb_command_status *command = &s->head.command;

	if (result == PB_DIALOGUE_NONE)
		command->state = command->sent_ms ? PB_COMMAND_UNANSWERED : PB_COMMAND_UNSUPPORTED;
	else
		command->state = result == PB_DIALOGUE_DONE ? PB_COMMAND_DONE : PB_COMMAND_REFUSED;
	if (command->sent_ms == 0)
		return PB_DO_STATUS;
	s->checks_left = SESSION_CHECKS;
	return PB_DO_STATUS | poll_begin(s, true, now);
}

static unsigned int start_command(struct session *s, uint64_t now)
{
	enum pb_dialogue_result result;

	if (pb_status_is_stale(&s->head.status, now))
		return dialogue_abort(s);
	s->head.command.state = PB_COMMAND_RUNNING;
	s->may_repeat = true;
	memcpy(s->dialogue.pin, s->config.pin, sizeof(s->dialogue.pin));
	s->dialogue.sample = &s->head.sample;
	result = first_step(s, PB_DIALOGUE_COMMAND);
	return PB_DO_STATUS | (result == PB_DIALOGUE_SEND ? dialogue_send_after_gap(s, now)
							  : end_command(s, result, now));
}

/* @return whether a switch is still as it was before the command: as commanded, and in fact. */
static bool is_unchanged(const struct session *s)
{
	const struct pb_command *command = &s->dialogue.command;
	const struct pb_sample *sample = &s->head.sample;
	uint64_t charge = PB_HAS(PB_HAS_CHARGE_SWITCH) | PB_HAS(PB_HAS_CHARGE_FET);
	uint64_t discharge = PB_HAS(PB_HAS_DISCHARGE_SWITCH) | PB_HAS(PB_HAS_DISCHARGE_FET);

	return (command->change_charge && (sample->has & charge) == charge &&
		sample->charge_switch == command->inhibit_charge &&
		sample->charge_fet == command->inhibit_charge) ||
	       (command->change_discharge && (sample->has & discharge) == discharge &&
		sample->discharge_switch == command->inhibit_discharge &&
		sample->discharge_fet == command->inhibit_discharge);
}

/* The first reading that must show the effect decides, once. */
static unsigned int check_effect(struct session *s, uint64_t now)
{
	const struct pb_command_status *command = &s->head.command;

	if (!s->may_repeat || command->state != PB_COMMAND_DONE ||
	    s->head.status.sampled_ms < command->sent_ms + EFFECT_MS)
		return 0;
	s->may_repeat = false;
	if (pb_status_is_stale(&s->head.status, now) || !is_unchanged(s) ||
	    first_step(s, PB_DIALOGUE_COMMAND_AGAIN) != PB_DIALOGUE_SEND)
		return 0;
	s->head.command.state = PB_COMMAND_RUNNING;
	return PB_DO_STATUS | dialogue_send_after_gap(s, now);
}

unsigned int dialogue_command(struct session *s, uint64_t now)
{
	return s->head.command.state == PB_COMMAND_WAITING ? start_command(s, now)
							   : check_effect(s, now);
}

unsigned int dialogue_take_command(struct session *s, const struct pb_command *command,
				   uint64_t now)
{
	bool changes = command->change_charge || command->change_discharge;

	if (pb_session_may_command(&s->head, now) < 0)
		return 0;
	s->head.command = (struct pb_command_status){
		.state = changes ? PB_COMMAND_WAITING : PB_COMMAND_DONE,
		.number = s->head.command.number + 1,
	};
	s->may_repeat = false;
	s->dialogue.command = *command;
	return PB_DO_STATUS |
	       (s->head.state == PB_STATE_RESTING && changes ? dialogue_command(s, now) : 0);
}

void dialogue_note_reading(struct session *s)
{
	if (s->checks_left > 0 && s->head.status.sampled_ms > s->head.command.sent_ms)
		s->checks_left--;
}

uint32_t dialogue_interval_ms(const struct session *s, uint32_t interval_ms)
{
	return s->checks_left > 0 && interval_ms > SESSION_CHECK_MS ? SESSION_CHECK_MS
								    : interval_ms;
}

unsigned int dialogue_abort(struct session *s)
{
	if (!is_under_way(s))
		return 0;
	s->head.command.state =
		s->head.command.sent_ms ? PB_COMMAND_UNANSWERED : PB_COMMAND_DROPPED;
	return PB_DO_STATUS;
}

/* ---- both ---- */

unsigned int dialogue_step(struct session *s, const struct pb_frame *reply, uint64_t now)
{
	bool login = s->dialogue.kind == PB_DIALOGUE_LOGIN;
	enum pb_dialogue_result result = next_step(s, reply);

	if (!login && reply)
		s->reply_ms = now;
	if (!login && !reply)
		s->head.status.timeouts++;
	if (result == PB_DIALOGUE_SEND)
		return login ? dialogue_send(s, now) : dialogue_send_after_gap(s, now);
	return login ? end_login(s, result, now) : end_command(s, result, now);
}

bool dialogue_awaits(const struct session *s, const struct pb_frame *frame)
{
	return s->head.state == PB_STATE_DIALOGUE && frame->command == s->request.command &&
	       frame->kind == (s->request.module ? PB_FRAME_MODULE : PB_FRAME_REPLY);
}

/* ---- reads ---- */

bool dialogue_prepare(struct session *s)
{
	const struct pb_query *query = s->plan.query;

	s->request = *query;
	if (s->plan.codec->request)
		s->plan.codec->request(query, s->config.address, &s->request);
	if (!query->dialogue)
		return true;
	s->dialogue.query = query;
	return first_step(s, PB_DIALOGUE_READ) == PB_DIALOGUE_SEND;
}

enum pb_dialogue_result dialogue_next_part(struct session *s, const struct pb_frame *reply)
{
	return s->plan.query->dialogue ? next_step(s, reply) : PB_DIALOGUE_DONE;
}
