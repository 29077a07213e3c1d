/* SPDX-License-Identifier: MIT */
/*
 * sim:replay=FILE, a link whose far end is a recording. A request gets what the same request got
 * when it was recorded, with the same pauses and in the same pieces; each further one what it got
 * the next time, and from the beginning again. What came without a request comes again after
 * connecting. A request that was never recorded stays without a reply.
 */
#include "recording.h"
#include "replay.h"

#include "packbridge/base.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <systemd/sd-event.h>
#include <time.h>

enum state { CLOSED, OPENING, UP };

struct replay_link {
	struct pb_link head;
	enum state state;
	sd_event_source *timer;
	struct recording recording;
	size_t cursor;	  /* from where the next request is looked for */
	size_t next;	  /* event that comes next; at an end of what belongs together: none does */
	uint64_t base_ms; /* the clock's time less the recording's */
};

static struct replay_link *replay_of(struct pb_link *link)
{
	return (struct replay_link *)link;
}

static int arm_at(struct replay_link *replay, uint64_t ms)
{
	int r = sd_event_source_set_time(replay->timer, ms * 1000);

	return r < 0 ? r : sd_event_source_set_enabled(replay->timer, SD_EVENT_ONESHOT);
}

/* What comes from the far end by itself, or NULL: it waits for a request. */
static const struct recording_event *coming(const struct replay_link *replay)
{
	const struct recording_event *event;

	if (replay->next >= replay->recording.count)
		return NULL;
	event = &replay->recording.events[replay->next];
	return event->kind == RECORDING_RECEIVED || event->kind == RECORDING_DOWN ? event : NULL;
}

static int replay_arm(struct replay_link *replay)
{
	const struct recording_event *event = coming(replay);

	return event ? arm_at(replay, replay->base_ms + event->ms)
		     : sd_event_source_set_enabled(replay->timer, SD_EVENT_OFF);
}

/* Goes on behind event @place as if it happened now. */
static void go_on_behind(struct replay_link *replay, size_t place)
{
	replay->next = place + 1;
	replay->base_ms = pb_now_ms() - replay->recording.events[place].ms;
}

static void replay_shut(struct replay_link *replay)
{
	replay->state = CLOSED;
	sd_event_source_set_enabled(replay->timer, SD_EVENT_OFF);
}

static int replay_come_up(struct replay_link *replay)
{
	const struct recording *recording = &replay->recording;
	size_t place = replay->cursor;
	int r;

	replay->state = UP;
	/* the next time that it came up */
	for (size_t i = 0; i < recording->count; i++, place++)
		if (recording->events[place % recording->count].kind == RECORDING_UP)
			break;
	replay->next = recording->count;
	if (place < replay->cursor + recording->count)
		go_on_behind(replay, place % recording->count);
	r = replay_arm(replay);
	replay->head.handler->up(replay->head.userdata);
	return r;
}

/* One event a turn, and nothing behind it: the owner may close the link. */
static int replay_deliver(struct replay_link *replay)
{
	const struct recording_event *event = coming(replay);
	const uint8_t *bytes;
	int r;

	if (!event || replay->base_ms + event->ms > pb_now_ms())
		return replay_arm(replay);
	bytes = replay->recording.bytes + event->at;
	replay->next++;
	if (event->kind == RECORDING_DOWN) {
		replay->cursor = replay->next;
		replay_shut(replay);
		replay->head.handler->down(replay->head.userdata, -ECONNRESET,
					   event->len ? (const char *)bytes : "as recorded");
		return 0;
	}
	r = replay_arm(replay);
	replay->head.handler->data(replay->head.userdata, bytes, event->len);
	return r;
}

static int replay_on_timer(sd_event_source *source, uint64_t usec, void *userdata)
{
	struct replay_link *replay = userdata;

	(void)source;
	(void)usec;
	if (replay->state == OPENING)
		return replay_come_up(replay);
	return replay->state == UP ? replay_deliver(replay) : 0;
}

/* ---- the link ---- */

static int replay_open(struct pb_link *link)
{
	struct replay_link *replay = replay_of(link);

	if (replay->state != CLOSED)
		return -EALREADY;
	replay->state = OPENING;
	return arm_at(replay, pb_now_ms());
}

static void replay_close(struct pb_link *link)
{
	replay_shut(replay_of(link));
}

static int replay_send(struct pb_link *link, const uint8_t *bytes, size_t len)
{
	struct replay_link *replay = replay_of(link);
	size_t place;

	if (replay->state != UP)
		return -ENOTCONN;
	if (len > RECORDING_BYTES_MAX)
		return -EMSGSIZE;
	place = recording_find(&replay->recording, replay->cursor, bytes, len);
	if (place == SIZE_MAX)
		return 0;
	replay->cursor = place + 1;
	go_on_behind(replay, place);
	return replay_arm(replay);
}

static void replay_free(struct pb_link *link)
{
	struct replay_link *replay = replay_of(link);

	sd_event_source_disable_unref(replay->timer);
	recording_clear(&replay->recording);
	free(replay);
}

/* Not in the registry: it is a kind of `sim:`. */
static const struct pb_link_type replay_type = {
	.name = "sim",
	.usage = "sim:replay=FILE",
	.doc = "a recording of a pack",
	.open = replay_open,
	.close = replay_close,
	.send = replay_send,
	.free = replay_free,
};

int replay_create(struct pb_link **ret, const struct pb_link_setup *setup, const char *path,
		  char *why, size_t why_cap)
{
	struct recording recording;
	struct replay_link *replay;
	int r = recording_load(&recording, path, why, why_cap);

	if (r < 0)
		return r;
	if (!ret) {
		recording_clear(&recording);
		return 0;
	}
	replay = calloc(1, sizeof(*replay));
	if (!replay) {
		recording_clear(&recording);
		return -ENOMEM;
	}
	replay->head = (struct pb_link){&replay_type, setup->handler, setup->userdata};
	replay->recording = recording;
	r = sd_event_add_time(setup->event, &replay->timer, CLOCK_BOOTTIME, UINT64_MAX, 1,
			      replay_on_timer, replay);
	if (r >= 0)
		r = sd_event_source_set_enabled(replay->timer, SD_EVENT_OFF);
	if (r < 0) {
		snprintf(why, why_cap, "%s", strerrordesc_np(-r));
		replay_free(&replay->head);
		return r;
	}
	*ret = &replay->head;
	return 0;
}
