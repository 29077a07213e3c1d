/* SPDX-License-Identifier: MIT */
/*
 * sim:PROFILE[,key=value...], a link whose far end is a simulated pack, with the faults of real
 * ones on request.
 *
 * The model moves on when a request comes, by the time that has passed since the one before: a
 * link that is not used costs nothing.
 */
#include "packbridge/base.h"
#include "packbridge/sim.h"
#include "replay.h"
#include "world.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <systemd/sd-event.h>
#include <time.h>

enum {
	SEND_MAX = 1024, /* as the link contract says */
	STRAY_MAX = 4,
	ECHO_MAX = 32,
	BYTES_MAX = STRAY_MAX + PB_SIM_REPLY_MAX + ECHO_MAX,
	QUEUE_MAX = 8, /* replies on their way; more are lost, as on a board */
	CHANNEL_RSSI = 512,
};

#define REPLAY "replay="

enum sim_state { SIM_CLOSED, SIM_OPENING, SIM_UP };

/* Something on its way to the owner: bytes, or (len 0) the end of the link. */
struct item {
	uint64_t due_ms;
	size_t len, done;
	uint32_t piece; /* largest piece that it comes in; 0: whole */
	uint8_t bytes[BYTES_MAX];
};

struct sim_link {
	struct pb_link head;
	enum sim_state state;
	sd_event_source *now;	/* the next turn of the loop */
	sd_event_source *later; /* delay= */
	struct pb_sim_options options;
	struct pb_sim sim;
	struct pb_sim_talk talk;
	uint64_t stream_ms;	 /* when the board sends by itself next */
	struct pb_random faults; /* apart from the model's, so that a fault does not change it */
	uint64_t born_ms, moved_ms;
	struct pb_sample sample; /* as measured last */
	bool frozen, app, off;	 /* that span goes on */
	uint32_t requests;	 /* since the link came up */
	uint32_t replies;	 /* likewise */
	uint32_t total;		 /* requests ever, wraps */
	const char *why;	 /* of the end that is in the queue */
	size_t first, count;
	struct item queue[QUEUE_MAX];
};

static struct sim_link *sim_of(struct pb_link *link)
{
	assert(link->type == &pb_link_sim);
	return (struct sim_link *)link;
}

/* ---- what is on its way ---- */

static int sim_arm(struct sim_link *sim)
{
	uint64_t due_ms = sim->stream_ms;
	int r;

	if (sim->count > 0 && sim->queue[sim->first].due_ms < due_ms)
		due_ms = sim->queue[sim->first].due_ms;
	if (due_ms == UINT64_MAX)
		return 0;
	if (due_ms <= pb_now_ms())
		return sd_event_source_set_enabled(sim->now, SD_EVENT_ONESHOT);
	r = sd_event_source_set_time(sim->later, due_ms * 1000);
	return r < 0 ? r : sd_event_source_set_enabled(sim->later, SD_EVENT_ONESHOT);
}

/* @return a new last item, or NULL: no room. */
static struct item *push(struct sim_link *sim)
{
	struct item *item = &sim->queue[(sim->first + sim->count) % QUEUE_MAX];

	if (sim->count == QUEUE_MAX)
		return NULL;
	sim->count++;
	item->due_ms = pb_now_ms() + sim->options.delay_ms;
	item->len = 0;
	item->done = 0;
	item->piece = sim->options.chunk;
	return item;
}

static void pop(struct sim_link *sim)
{
	sim->first = (sim->first + 1) % QUEUE_MAX;
	sim->count--;
}

static void sim_put(struct item *item, const uint8_t *bytes, size_t len)
{
	assert(item->len + len <= sizeof(item->bytes));
	memcpy(item->bytes + item->len, bytes, len);
	item->len += len;
}

static void push_end(struct sim_link *sim, const char *why)
{
	while (!push(sim))
		pop(sim);
	sim->why = why;
}

static void sim_shut(struct sim_link *sim)
{
	sim->state = SIM_CLOSED;
	sim->count = 0;
	sim->stream_ms = UINT64_MAX;
	sd_event_source_set_enabled(sim->now, SD_EVENT_OFF);
	sd_event_source_set_enabled(sim->later, SD_EVENT_OFF);
}

/* ---- faults ---- */

static bool hit(struct sim_link *sim, uint32_t percent)
{
	return pb_random_below(&sim->faults, 100) < percent;
}

/* True in the second part of a time that goes @after_s + @for_s, again and again. */
static bool in_span(const struct sim_link *sim, uint32_t after_s, uint32_t for_s)
{
	uint64_t age_s = (pb_now_ms() - sim->born_ms) / 1000;

	return for_s > 0 && age_s % (after_s + for_s) >= after_s;
}

static bool is_away(const struct sim_link *sim)
{
	return in_span(sim, sim->options.down_after_s, sim->options.down_for_s);
}

static void put_stray(struct sim_link *sim, struct item *item)
{
	uint32_t len = 1 + pb_random_below(&sim->faults, STRAY_MAX);

	for (uint32_t i = 0; i < len; i++)
		item->bytes[item->len++] = (uint8_t)pb_random_below(&sim->faults, 256);
}

/* What boards send behind a reply: the request again, or zeros (docs/protocols/jbd.md, quirks). */
static void put_tail(struct sim_link *sim, struct item *item, const uint8_t *request, size_t len)
{
	static const uint8_t zeros[STRAY_MAX];

	if (pb_random_below(&sim->faults, 2) == 0 && len <= ECHO_MAX)
		sim_put(item, request, len);
	else
		sim_put(item, zeros, 1 + pb_random_below(&sim->faults, STRAY_MAX));
}

/* A single 00 right after connecting, as many radio modules send. */
static void greet(struct sim_link *sim)
{
	struct item *item = hit(sim, sim->options.stray) ? push(sim) : NULL;

	if (item)
		sim_put(item, (const uint8_t[]){0}, 1);
}

/* ---- requests ---- */

static void move_on(struct sim_link *sim)
{
	uint64_t now_ms = pb_now_ms();

	pb_sim_run(&sim->sim, (double)(now_ms - sim->moved_ms) * sim->options.speed / 1000.0);
	sim->moved_ms = now_ms;
}

/* drop=: so many replies, and the next one breaks off with the link. */
static void break_off(struct sim_link *sim, struct item *item)
{
	item->len = (item->len + 1) / 2;
	push_end(sim, "the simulated pack hung up (drop=)");
}

/* Boards that send more frames than there are cells are not heard to the end: the first is bad. */
static void sim_spoil(const struct pb_sim_board *board, uint8_t *reply, size_t len)
{
	reply[(board->frame_len ? board->frame_len : len) - board->spoil] ^= 0x55;
}

/* What somebody else does to the board, as it begins and ends. */
static void suffer(struct sim_link *sim)
{
	const struct pb_sim_options *o = &sim->options;
	bool app = in_span(sim, o->app_after_s, o->app_for_s);
	bool off = in_span(sim, o->off_after_s, o->off_for_s);

	if (app != sim->app)
		pb_sim_app(&sim->sim, PB_SIM_CHARGE, app);
	if (off && !sim->off)
		pb_sim_power_cycle(&sim->sim);
	sim->app = app;
	sim->off = off;
	sim->sim.forced_protection = in_span(sim, o->protect_after_s, o->protect_for_s)
					     ? 1 << PB_PROTECT_CELL_OVERVOLTAGE
					     : 0;
}

/* What the board has measured, or in frozen= what it had when that began. */
static const struct pb_sample *measured(struct sim_link *sim)
{
	bool frozen = in_span(sim, sim->options.frozen_after_s, sim->options.frozen_for_s);

	suffer(sim);
	move_on(sim);
	if (!frozen || !sim->frozen)
		pb_sim_read(&sim->sim, &sim->sample);
	sim->frozen = frozen;
	return &sim->sample;
}

/* Asks the board; without a request, what it sends by itself. @return length, 0: nothing. */
static size_t board_says(struct sim_link *sim, const uint8_t *request, size_t len, uint8_t *reply)
{
	const struct pb_sim_board *board = sim->options.profile->board;
	const struct pb_sample *sample = measured(sim);

	return request ? board->answer(board, &sim->talk, sample, request, len, reply)
		       : board->stream(board, &sim->talk, sample, reply);
}

/* @request: NULL, 0: the board sends by itself */
static void sim_answer(struct sim_link *sim, const uint8_t *request, size_t len)
{
	/* all are drawn each time, so that one kind of fault does not move the others */
	bool lost = hit(sim, sim->options.lost), bad = hit(sim, sim->options.bad);
	bool stray = hit(sim, sim->options.stray);
	uint8_t reply[PB_SIM_REPLY_MAX];
	struct item *item;
	size_t reply_len;

	if (lost || sim->requests <= sim->options.wake ||
	    in_span(sim, sim->options.silent_after_s, sim->options.silent_for_s) ||
	    in_span(sim, sim->options.off_after_s, sim->options.off_for_s))
		return;
	reply_len = board_says(sim, request, len, reply);
	item = reply_len > 0 ? push(sim) : NULL;
	if (!item)
		return;
	if (sim->talk.piece)
		item->piece = (uint32_t)sim->talk.piece;
	if (bad)
		sim_spoil(sim->options.profile->board, reply, reply_len);
	if (stray)
		put_stray(sim, item);
	sim_put(item, reply, reply_len);
	if (stray && request)
		put_tail(sim, item, request, len);
	sim->replies++;
	if (sim->options.drop > 0 && sim->replies > sim->options.drop)
		break_off(sim, item);
	else if (sim->talk.hang_up)
		push_end(sim, "the simulated pack hung up (command=hangup)");
}

/* What only the last request meant. */
static void forget_request(struct sim_link *sim)
{
	if (sim->talk.offence)
		push_end(sim, "the simulated pack was sent a request that no pack may get");
	sim->talk.piece = 0;
	sim->talk.offence = sim->talk.hang_up = false;
}

/* What the board sends by itself, when its time has come. */
static void sim_stream(struct sim_link *sim)
{
	if (pb_now_ms() < sim->stream_ms)
		return;
	sim->stream_ms = pb_now_ms() + sim->options.profile->board->stream_ms;
	if (is_away(sim))
		push_end(sim, "the simulated pack went out of reach (down=)");
	else
		sim_answer(sim, NULL, 0);
}

static int sim_send(struct pb_link *link, const uint8_t *bytes, size_t len)
{
	struct sim_link *sim = sim_of(link);

	if (sim->state != SIM_UP)
		return -ENOTCONN;
	if (len > SEND_MAX)
		return -EMSGSIZE;
	sim->requests++;
	sim->total++;
	if (is_away(sim))
		push_end(sim, "the simulated pack went out of reach (down=)");
	else
		sim_answer(sim, bytes, len);
	forget_request(sim);
	return sim_arm(sim);
}

/* ---- turns of the loop ---- */

/* Tells the owner; it may open the link again at once, so nothing may follow this. */
static void sim_go_down(struct sim_link *sim, int error, const char *why)
{
	sim_shut(sim);
	sim->head.handler->down(sim->head.userdata, error, why);
}

static int sim_come_up(struct sim_link *sim)
{
	int r;

	if (is_away(sim)) {
		sim_go_down(sim, -EHOSTUNREACH, "the simulated pack is out of reach (down=)");
		return 0;
	}
	sim->state = SIM_UP;
	sim->requests = 0;
	sim->replies = 0;
	sim->talk = (struct pb_sim_talk){.sim = &sim->sim};
	if (sim->options.profile->board->stream)
		sim->stream_ms = pb_now_ms() + sim->options.profile->board->stream_ms;
	greet(sim);
	r = sim_arm(sim);
	sim->head.handler->up(sim->head.userdata);
	return r;
}

/* One piece a turn, and nothing behind it: the owner may close the link. */
static int sim_deliver(struct sim_link *sim)
{
	uint8_t piece[BYTES_MAX];
	struct item *item;
	size_t len;
	int r;

	sim_stream(sim); /* may change which item is the first */
	item = &sim->queue[sim->first];
	if (sim->count == 0 || item->due_ms > pb_now_ms())
		return sim_arm(sim);
	if (item->len == 0) {
		sim_go_down(sim, -ECONNRESET, sim->why);
		return 0;
	}
	len = item->len - item->done;
	if (item->piece > 0 && len > item->piece)
		len = item->piece;
	/* a copy, for the owner may send, and that fills the queue again */
	memcpy(piece, item->bytes + item->done, len);
	item->done += len;
	if (item->done == item->len)
		pop(sim);
	r = sim_arm(sim);
	sim->head.handler->data(sim->head.userdata, piece, len);
	return r;
}

static int turn(struct sim_link *sim)
{
	switch (sim->state) {
	case SIM_OPENING:
		return sim_come_up(sim);
	case SIM_UP:
		return sim_deliver(sim);
	case SIM_CLOSED:
		break;
	}
	return 0;
}

static int on_now(sd_event_source *source, void *userdata)
{
	(void)source;
	return turn(userdata);
}

static int sim_on_later(sd_event_source *source, uint64_t usec, void *userdata)
{
	(void)source;
	(void)usec;
	return turn(userdata);
}

/* ---- the link ---- */

static int sim_open(struct pb_link *link)
{
	struct sim_link *sim = sim_of(link);

	if (sim->state != SIM_CLOSED)
		return -EALREADY;
	sim->state = SIM_OPENING;
	return sd_event_source_set_enabled(sim->now, SD_EVENT_ONESHOT);
}

static void sim_close(struct pb_link *link)
{
	sim_shut(sim_of(link));
}

static bool sim_rssi(struct pb_link *link, int32_t *ret_dbm)
{
	struct sim_link *sim = sim_of(link);
	uint64_t seed = sim->options.seed;

	if (sim->state != SIM_UP)
		return false;
	*ret_dbm = (int32_t)(-85 + 30 * pb_sim_hash(seed, CHANNEL_RSSI, 0) +
			     5 * pb_sim_hash(seed, CHANNEL_RSSI, 1 + (int64_t)sim->total));
	return true;
}

static void sim_free(struct pb_link *link)
{
	struct sim_link *sim = sim_of(link);

	sd_event_source_disable_unref(sim->now);
	sd_event_source_disable_unref(sim->later);
	free(sim);
}

static int sim_add_sources(struct sim_link *sim, sd_event *event)
{
	int r = sd_event_add_defer(event, &sim->now, on_now, sim);

	if (r < 0)
		return r;
	r = sd_event_source_set_enabled(sim->now, SD_EVENT_OFF);
	if (r < 0)
		return r;
	/* 1 us of accuracy means: do not gather wake-ups, delay= is to be exact */
	r = sd_event_add_time(event, &sim->later, CLOCK_BOOTTIME, UINT64_MAX, 1, sim_on_later, sim);
	return r < 0 ? r : sd_event_source_set_enabled(sim->later, SD_EVENT_OFF);
}

static int sim_create(struct pb_link **ret, const struct pb_link_setup *setup, char *why,
		      size_t why_cap)
{
	struct pb_sim_options options;
	struct sim_link *sim;
	int r;

	if (strncmp(setup->address, REPLAY, strlen(REPLAY)) == 0)
		return replay_create(ret, setup, setup->address + strlen(REPLAY), why, why_cap);
	r = pb_sim_options_parse(&options, setup->address, why, why_cap);
	if (r < 0 || !ret)
		return r;
	sim = calloc(1, sizeof(*sim));
	if (!sim)
		return -ENOMEM;
	sim->head = (struct pb_link){&pb_link_sim, setup->handler, setup->userdata};
	sim->options = options;
	sim->stream_ms = UINT64_MAX;
	sim->born_ms = sim->moved_ms = pb_now_ms();
	pb_random_seed(&sim->faults, ~options.seed);
	pb_sim_start(&sim->sim, &options);
	r = sim_add_sources(sim, setup->event);
	if (r < 0) {
		snprintf(why, why_cap, "%s", strerrordesc_np(-r));
		sim_free(&sim->head);
		return r;
	}
	*ret = &sim->head;
	return 0;
}

/* Simulated packs come as often as asked for. */
static void sim_identity(const char *address, char *out, size_t cap)
{
	(void)address;
	(void)cap;
	*out = '\0';
}

static const char *sim_speaks(const char *address)
{
	struct pb_sim_options options;
	char why[256];

	if (pb_sim_options_parse(&options, address, why, sizeof(why)) < 0) /* a recording */
		return NULL;
	return options.profile->board->maker;
}

const struct pb_link_type pb_link_sim = {
	.name = "sim",
	.usage = "sim:PROFILE[,key=value...] or sim:replay=FILE",
	.doc = "a simulated pack; faults can be switched on",
	.create = sim_create,
	.identity = sim_identity,
	.speaks = sim_speaks,
	.open = sim_open,
	.close = sim_close,
	.send = sim_send,
	.rssi = sim_rssi,
	.free = sim_free,
};
