/* SPDX-License-Identifier: MIT */
/*
 * One line, several packs: see packbridge/link.h.
 *
 *	tap_send() --> queue of its tap --turn--> multidrop_begin() --> the real link
 *	                                              | data
 *	     handler->data() <-- multidrop_on_data() <----------'
 *	tap_done() --> the gap --> the next turn
 *
 * turns.c decides whose turn it is; for it the line is a place with one slot. quiet.c decides how
 * long the line must be silent before a request. Handlers are called from the event loop only: by
 * the real link (multidrop_on_data() and similar), or by one timer, which does one thing in each
 * turn of the loop.
 */
#include "quiet.h"
#include "turns.h"

#include "packbridge/link.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <systemd/sd-event.h>
#include <time.h>

enum {
	SEND_MAX = 1024, /* as the contract says */
	MUTE_TURNS = 3,	 /* turns of each pack without a byte on the line: it may be dead */
	OUT_MAX = 2048, /* what may wait for a turn, with two bytes of length before each request */
};

/*
 *	CLOSED --open()--> OPENING --the line is up--> UP
 *	  ^                   |                        |
 *	  '--down()-- FAILED <'------ the line ended --'
 */
enum tap_state {
	TAP_CLOSED,
	TAP_OPENING,
	TAP_UP,
	TAP_FAILED, /* the owner will be told from the event loop */
};

struct tap {
	struct pb_link head;
	struct pb_multidrop *line;
	struct tap *next;
	enum tap_state state;
	struct turn turn;  /* STARTING: its exchange is on the line */
	uint64_t since_ms; /* WAITING: since when */
	unsigned int mute; /* its turns since it is up and the line was heard */
	int error;	   /* FAILED: the error for down() */
	const char *why;
	size_t out_len;
	uint8_t out[OUT_MAX];
};

enum multidrop_state { MULTIDROP_CLOSED, MULTIDROP_OPENING, MULTIDROP_UP };

struct pb_multidrop {
	unsigned int owners;
	struct pb_link *real;
	enum multidrop_state state;
	struct tap *taps;
	struct turns turns;
	struct quiet quiet;
	sd_event_source *timer;
	char why[256]; /* of the last end, for taps without down() yet */
};

static struct tap *tap_of(struct pb_link *link)
{
	assert(link->type == &pb_link_tap);
	return (struct tap *)link;
}

/* @return the tap whose exchange is on the line; NULL: it is free. */
static struct tap *multidrop_asking(const struct pb_multidrop *line)
{
	for (struct tap *tap = line->taps; tap; tap = tap->next)
		if (turn_is_granted(&tap->turn))
			return tap;
	return NULL;
}

static struct tap *multidrop_find(const struct pb_multidrop *line, enum tap_state state)
{
	for (struct tap *tap = line->taps; tap; tap = tap->next)
		if (tap->state == state)
			return tap;
	return NULL;
}

/* ---- what the loop does next ---- */

static void multidrop_wake(struct pb_multidrop *line, uint64_t at_ms)
{
	sd_event_source_set_time(line->timer, at_ms * 1000);
	sd_event_source_set_enabled(line->timer, SD_EVENT_ONESHOT);
}

/* Closes the real link when nobody needs it any more; else arms the timer for what comes next. */
static void multidrop_plan(struct pb_multidrop *line)
{
	struct turns_view view = turns_view(&line->turns, line);
	bool used = multidrop_find(line, TAP_OPENING) || multidrop_find(line, TAP_UP);

	if (!used && line->state != MULTIDROP_CLOSED) {
		line->state = MULTIDROP_CLOSED;
		line->real->type->close(line->real);
	}

	if (multidrop_find(line, TAP_FAILED) ||
	    (line->state == MULTIDROP_UP && multidrop_find(line, TAP_OPENING))) {
		multidrop_wake(line, 0);
	} else if (line->state == MULTIDROP_UP && view.held == 0 && view.next) {
		const struct tap *tap = view.next->owner;

		multidrop_wake(line, quiet_due_ms(&line->quiet, tap->since_ms));
	}
}

static void tap_end_turn(struct tap *tap)
{
	struct pb_multidrop *line = tap->line;

	if (turn_is_granted(&tap->turn))
		line->quiet.ended_ms = pb_now_ms();
	turn_end(&tap->turn);
	tap->out_len = 0;
	multidrop_plan(line);
}

/* ---- exchanges ---- */

static void tap_queue(struct tap *tap, const uint8_t *bytes, size_t len)
{
	pb_put_be16(tap->out + tap->out_len, (uint16_t)len);
	memcpy(tap->out + tap->out_len + 2, bytes, len);
	tap->out_len += len + 2;
}

/* Its turn has come: what waits leaves. A real link that does not take it is about to go down. */
static void multidrop_begin(struct pb_multidrop *line, struct tap *tap)
{
	size_t len;

	turn_begin(&tap->turn, pb_now_ms());
	tap->mute++;
	if (tap->head.handler->sent)
		tap->head.handler->sent(tap->head.userdata);
	/* it may have been closed in there */
	for (size_t at = 0; at < tap->out_len; at += len + 2) {
		len = pb_get_be16(tap->out + at);
		line->real->type->send(line->real, tap->out + at + 2, len);
	}
	tap->out_len = 0;
}

static void multidrop_tell(struct pb_multidrop *line)
{
	struct tap *tap = multidrop_find(line, TAP_FAILED);

	if (tap) {
		tap->state = TAP_CLOSED;
		tap->head.handler->down(tap->head.userdata, tap->error, tap->why);
		return;
	}
	tap = line->state == MULTIDROP_UP ? multidrop_find(line, TAP_OPENING) : NULL;
	if (tap) {
		tap->state = TAP_UP;
		tap->mute = 0;
		tap->head.handler->up(tap->head.userdata);
	}
}

static int multidrop_on_timer(sd_event_source *source, uint64_t usec, void *userdata)
{
	struct pb_multidrop *line = userdata;
	struct turns_view view = turns_view(&line->turns, line);

	(void)source;
	(void)usec;
	if (multidrop_find(line, TAP_FAILED) || multidrop_find(line, TAP_OPENING))
		multidrop_tell(line);
	else if (line->state == MULTIDROP_UP && view.held == 0 && view.next)
		multidrop_begin(line, view.next->owner);
	multidrop_plan(line);
	return 0;
}

/* ---- the real link ---- */

/* Ends the tap; its owner gets down() from the event loop. */
static void tap_fail(struct tap *tap, int error, const char *why)
{
	tap->state = TAP_FAILED;
	tap->error = error;
	tap->why = why;
	tap_end_turn(tap);
}

static void multidrop_on_up(void *userdata)
{
	struct pb_multidrop *line = userdata;

	line->state = MULTIDROP_UP;
	multidrop_plan(line);
}

/* All taps end. */
static void multidrop_fail(struct pb_multidrop *line, int error, const char *why)
{
	line->state = MULTIDROP_CLOSED;
	snprintf(line->why, sizeof(line->why), "%s", why);
	for (struct tap *tap = line->taps; tap; tap = tap->next)
		if (tap->state == TAP_OPENING || tap->state == TAP_UP)
			tap_fail(tap, error, line->why);
}

static void multidrop_on_down(void *userdata, int error, const char *why)
{
	multidrop_fail(userdata, error, why);
}

static void multidrop_on_data(void *userdata, const uint8_t *bytes, size_t len)
{
	struct pb_multidrop *line = userdata;
	struct tap *tap = multidrop_asking(line);

	for (struct tap *each = line->taps; each; each = each->next)
		each->mute = 0;
	if (tap) {
		tap->head.handler->data(tap->head.userdata, bytes, len);
		return;
	}
	line->quiet.heard_ms = pb_now_ms();
	multidrop_plan(line);
}

static const struct pb_link_handler multidrop_handler = {
	.up = multidrop_on_up, .down = multidrop_on_down, .data = multidrop_on_data};

int pb_multidrop_new(struct pb_multidrop **ret, const struct pb_link_type *type,
		     const struct pb_link_setup *setup, uint32_t gap_ms, char *why, size_t why_cap)
{
	PB_CLEANUP(pb_multidrop_unrefp) struct pb_multidrop *line = calloc(1, sizeof(*line));
	struct pb_link_setup real = *setup;
	int r;

	assert(!type->self_timed);
	if (!line)
		return -ENOMEM;
	line->owners = 1;
	line->quiet.gap_ms = gap_ms;
	real.handler = &multidrop_handler;
	real.userdata = line;
	r = type->create(&line->real, &real, why, why_cap);
	if (r < 0)
		return r;
	/* 1 ms of accuracy: the default of 250 ms would be many gaps */
	r = sd_event_add_time(setup->event, &line->timer, CLOCK_BOOTTIME, UINT64_MAX, 1000,
			      multidrop_on_timer, line);
	if (r >= 0)
		r = sd_event_source_set_enabled(line->timer, SD_EVENT_OFF);
	if (r < 0) {
		snprintf(why, why_cap, "%s", strerrordesc_np(-r));
		return r;
	}
	*ret = line;
	line = NULL;
	return 0;
}

struct pb_multidrop *pb_multidrop_ref(struct pb_multidrop *line)
{
	line->owners++;
	return line;
}

struct pb_multidrop *pb_multidrop_unref(struct pb_multidrop *line)
{
	if (!line || --line->owners > 0)
		return NULL;
	pb_link_free(line->real);
	sd_event_source_disable_unref(line->timer);
	free(line);
	return NULL;
}

void pb_multidrop_set_gap(struct pb_multidrop *line, uint32_t gap_ms)
{
	line->quiet.gap_ms = gap_ms;
}

/* ---- the taps ---- */

static int tap_open(struct pb_link *link)
{
	struct tap *tap = tap_of(link);
	struct pb_multidrop *line = tap->line;
	int r = 0;

	if (tap->state != TAP_CLOSED)
		return -EALREADY;
	if (line->state == MULTIDROP_CLOSED)
		r = line->real->type->open(line->real);
	if (r < 0)
		return r;
	if (line->state == MULTIDROP_CLOSED)
		line->state = MULTIDROP_OPENING;
	tap->state = TAP_OPENING;
	multidrop_plan(line);
	return 0;
}

/* Whether no pack that is up was heard, though each has asked some times. */
static bool multidrop_is_mute(const struct pb_multidrop *line)
{
	for (const struct tap *tap = line->taps; tap; tap = tap->next)
		if (tap->state == TAP_UP && tap->mute < MUTE_TURNS)
			return false;
	return line->state == MULTIDROP_UP;
}

/*
 * Who hears nothing closes its link and tries another connection. The others may keep this one
 * open, each of them for the same reason, so when nobody is heard it ends for all.
 */
static void tap_close(struct pb_link *link)
{
	struct tap *tap = tap_of(link);
	bool mute = tap->state == TAP_UP && multidrop_is_mute(tap->line);

	tap->state = TAP_CLOSED;
	tap_end_turn(tap);
	if (mute && tap->line->state != MULTIDROP_CLOSED) {
		tap->line->real->type->close(tap->line->real);
		multidrop_fail(tap->line, -ETIMEDOUT, "no pack on the line answers");
	}
}

static int tap_send(struct pb_link *link, const uint8_t *bytes, size_t len)
{
	struct tap *tap = tap_of(link);

	if (tap->state != TAP_UP)
		return -ENOTCONN;
	if (len > SEND_MAX)
		return -EMSGSIZE;
	if (turn_is_granted(&tap->turn))
		return tap->line->real->type->send(tap->line->real, bytes, len);
	if (tap->out_len + len + 2 > sizeof(tap->out)) {
		tap_fail(tap, -ENOBUFS, "the line accepts no more bytes");
		return 0;
	}
	tap_queue(tap, bytes, len);
	if (tap->turn.state == TURN_NONE) {
		turn_wait(&tap->line->turns, &tap->turn, tap->line);
		tap->since_ms = pb_now_ms();
	}
	multidrop_plan(tap->line);
	return 1;
}

static void tap_done(struct pb_link *link)
{
	struct tap *tap = tap_of(link);

	if (tap->turn.state != TURN_NONE)
		tap_end_turn(tap);
}

static void tap_free(struct pb_link *link)
{
	struct tap *tap = tap_of(link);
	struct tap **at = &tap->line->taps;

	tap_close(link);
	turns_remove(&tap->line->turns, &tap->turn);
	while (*at && *at != tap)
		at = &(*at)->next;
	if (*at)
		*at = tap->next;
	pb_multidrop_unref(tap->line);
	free(tap);
}

static int tap_create(struct pb_link **ret, const struct pb_link_setup *setup, char *why,
		      size_t why_cap)
{
	struct tap *tap;

	if (!ret)
		return 0;
	if (!setup->multidrop) {
		snprintf(why, why_cap, "no line to share");
		return -EINVAL;
	}
	tap = calloc(1, sizeof(*tap));
	if (!tap)
		return -ENOMEM;
	tap->head = (struct pb_link){&pb_link_tap, setup->handler, setup->userdata};
	tap->line = pb_multidrop_ref(setup->multidrop);
	tap->next = tap->line->taps;
	tap->line->taps = tap;
	turns_add(&tap->line->turns, &tap->turn, tap);
	*ret = &tap->head;
	return 0;
}

const struct pb_link_type pb_link_tap = {
	.name = "tap",
	.usage = "",
	.doc = "one pack's part of a line that several share",
	.create = tap_create,
	.open = tap_open,
	.close = tap_close,
	.send = tap_send,
	.done = tap_done,
	.free = tap_free,
};
