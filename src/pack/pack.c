/* SPDX-License-Identifier: MIT */
/*
 * The reader over a link. It drives a session: link events and one timer in, the session's orders
 * out. A reading is handed up whenever something in it has changed.
 */
#include "session.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <systemd/sd-event.h>
#include <time.h>

enum { CODECS_MAX = 16 /* that `protocol: auto` chooses from */ };

struct pb_pack {
	struct pb_reader reader;
	struct pb_session *session;
	const struct pb_codec *const *others; /* as in pb_session_config */
	const struct pb_codec *codec;	      /* the same */
	struct pb_link *link;
	sd_event_source *timer;
	int link_error;
	struct pb_conceal conceal[16]; /* of each codec that may be the right one */
	uint64_t timer_ms; /* what the timer is set to, so that it is not set again for nothing */
	const char *state; /* as handed up last */
	char name[PB_NAME_MAX];
};

/* All that there is to know. */
static void hand_up(struct pb_pack *pack, unsigned int todo)
{
	const struct pb_session *session = pack->session;
	const struct pb_link_type *type = pack->link->type;
	struct pb_reading reading = {
		.new_reading = todo & PB_DO_PUBLISH,
		.new_status = todo & (PB_DO_PUBLISH | PB_DO_STATUS),
		.sample = &session->sample,
		.status = &session->status,
		.protocol = session->codec->name,
		.dialect = session->codec->dialect,
		.state = pb_session_state_text(session->state),
		.searching = session->searching,
		.logged_in = session->logged_in,
		.link_error = pack->link_error,
		.note = &session->note,
		.refusals = &session->refusals,
		.command = &session->command,
	};

	reading.has_rssi = type->rssi && type->rssi(pack->link, &reading.rssi_dbm);
	pack->state = reading.state;
	pack->reader.handler->reading(pack->reader.userdata, &reading);
}

static bool has_changed(const struct pb_pack *pack, unsigned int todo)
{
	return todo & (PB_DO_PUBLISH | PB_DO_STATUS | PB_DO_LOG) ||
	       pack->state != pb_session_state_text(pack->session->state);
}

/*
 * All that is shown of what goes over the link passes here. The password of a radio module can be
 * computed from the dialogue, so nothing of it is shown. What a module answers later than the
 * session waits for it tells nothing without what was sent.
 */
static void pack_show(const struct pb_pack *pack, bool sent, const uint8_t *bytes, size_t len)
{
	char hex[3 * 320];

	if (pack->session->secret)
		bytes = NULL;
	if (pack->reader.handler->bytes)
		pack->reader.handler->bytes(pack->reader.userdata, sent, bytes, len);
	if (!pb_log_enabled(PB_LOG_DEBUG))
		return;
	if (bytes)
		pb_hex_trace(hex, sizeof(hex), bytes, len);
	else
		snprintf(hex, sizeof(hex), "%zu bytes of a password's dialogue", len);
	pb_log(PB_LOG_DEBUG, "pack %s: %c %s", pack->name, sent ? '>' : '<', hex);
}

/*
 * Redacts secrets of the codec and of all its dialects, since any may be in use. @at: index of
 * their first state. @return the index behind their states.
 */
static size_t pack_redact(struct pb_pack *pack, const struct pb_codec *codec, size_t at,
			  uint8_t *bytes, size_t len)
{
	for (; codec && at < PB_ARRAY_SIZE(pack->conceal); codec = codec->next, at++)
		if (codec->conceal)
			codec->conceal(&pack->conceal[at], bytes, len);
	return at;
}

static void pack_redact_all(struct pb_pack *pack, uint8_t *bytes, size_t len)
{
	const struct pb_codec *const *codec = pack->others;
	size_t at = 0;

	if (!codec)
		pack_redact(pack, pack->codec, 0, bytes, len);
	for (; codec && *codec; codec++)
		at = pack_redact(pack, *codec, at, bytes, len);
}

/* Received bytes, without the secrets that may be among them. */
static void show_received(struct pb_pack *pack, const uint8_t *bytes, size_t len)
{
	uint8_t copy[PB_STREAM_MAX];

	if (!pack->reader.handler->bytes && !pb_log_enabled(PB_LOG_DEBUG))
		return;
	for (size_t at = 0, n; at < len; at += n) {
		n = len - at < sizeof(copy) ? len - at : sizeof(copy);
		memcpy(copy, bytes + at, n);
		pack_redact_all(pack, copy, n);
		pack_show(pack, false, copy, n);
	}
}

/* @return as pb_link_type.send(). */
static int pack_send(struct pb_pack *pack)
{
	const struct pb_query *query = pack->session->request;
	const struct pb_link_type *type = pack->link->type;

	/* a request that is sent again waits for its turn as any other */
	if (type->done)
		type->done(pack->link);
	pack_show(pack, true, query->bytes, query->len);
	return type->send(pack->link, query->bytes, query->len);
}

/*
 * Does what the session orders. @return 0; 1 when the request waits for its turn; or the error of a
 * link that failed at once.
 */
static int obey(struct pb_pack *pack, unsigned int todo)
{
	const struct pb_session *session = pack->session;
	const struct pb_link_type *type = pack->link->type;
	int r = 0;

	if (todo & PB_DO_LOG)
		pack->reader.handler->note(pack->reader.userdata, &session->note);
	if (todo & PB_DO_CLOSE)
		type->close(pack->link);
	if (todo & PB_DO_OPEN)
		r = type->open(pack->link);
	if (has_changed(pack, todo))
		hand_up(pack, todo);
	if (todo & PB_DO_SEND)
		r = pack_send(pack);
	return r;
}

static void set_timer(struct pb_pack *pack, uint64_t deadline_ms)
{
	if (deadline_ms == pack->timer_ms)
		return;
	pack->timer_ms = deadline_ms;
	sd_event_source_set_time(pack->timer,
				 deadline_ms == UINT64_MAX ? UINT64_MAX : deadline_ms * 1000);
}

/* Others on the line may send, unless a reply is waited for. */
static void give_turn(struct pb_pack *pack)
{
	enum pb_session_state state = pack->session->state;

	if (pack->link->type->done && state != PB_STATE_WAITING && state != PB_STATE_DIALOGUE)
		pack->link->type->done(pack->link);
}

static void pack_feed(struct pb_pack *pack, struct pb_session_event event)
{
	static const struct pb_session_event queued = {.type = PB_SESSION_QUEUED};
	uint64_t deadline_ms;
	int r;

	for (;;) {
		r = obey(pack, pb_session_step(pack->session, &event, pb_now_ms(), &deadline_ms));
		if (r > 0)
			pb_session_step(pack->session, &queued, pb_now_ms(), &deadline_ms);
		if (r >= 0)
			break;
		/* a link that refuses an order is down, whatever it believes itself */
		pack->link->type->close(pack->link);
		event = (struct pb_session_event){.type = PB_SESSION_DOWN,
						  .why = strerrordesc_np(-r)};
	}
	give_turn(pack);
	set_timer(pack, deadline_ms);
}

static void on_up(void *userdata)
{
	struct pb_pack *pack = userdata;
	const struct pb_link_type *type = pack->link->type;
	struct pb_advert advert;
	bool known = type->advert && type->advert(pack->link, &advert);

	memset(pack->conceal, 0, sizeof(pack->conceal));
	pack_feed(pack, (struct pb_session_event){.type = PB_SESSION_UP,
						  .advert = known ? &advert : NULL});
}

static void on_retry(void *userdata)
{
	pack_feed(userdata, (struct pb_session_event){.type = PB_SESSION_RETRY});
}

static void on_sent(void *userdata)
{
	pack_feed(userdata, (struct pb_session_event){.type = PB_SESSION_SENT});
}

static void on_wanted(void *userdata, uint32_t round_ms)
{
	pack_feed(userdata, (struct pb_session_event){.type = PB_SESSION_WANTED, .ms = round_ms});
}

static void on_down(void *userdata, int error, const char *why)
{
	struct pb_pack *pack = userdata;

	pack->link_error = error;
	pack_feed(pack, (struct pb_session_event){.type = PB_SESSION_DOWN, .why = why});
}

static void on_data(void *userdata, const uint8_t *bytes, size_t len)
{
	show_received(userdata, bytes, len);
	pack_feed(userdata,
		  (struct pb_session_event){.type = PB_SESSION_DATA, .bytes = bytes, .len = len});
}

static const struct pb_link_handler link_handler = {
	.up = on_up,
	.down = on_down,
	.data = on_data,
	.retry = on_retry,
	.wanted = on_wanted,
	.sent = on_sent,
};

static int pack_on_timer(sd_event_source *source, uint64_t usec, void *userdata)
{
	struct pb_pack *pack = userdata;
	int r;

	(void)usec;
	pack->timer_ms = 0;
	pack_feed(pack, (struct pb_session_event){.type = PB_SESSION_TIME});
	/* sd-event switches a timer off when it fires */
	r = sd_event_source_set_enabled(source, SD_EVENT_ONESHOT);
	return r < 0 ? r : 0;
}

static int pack_start(struct pb_reader *reader)
{
	pack_feed((struct pb_pack *)reader, (struct pb_session_event){.type = PB_SESSION_START});
	return 0;
}

static void pack_release(struct pb_reader *reader, uint32_t ms)
{
	pack_feed((struct pb_pack *)reader,
		  (struct pb_session_event){.type = ms ? PB_SESSION_RELEASE : PB_SESSION_TAKE,
					    .ms = ms});
}

static int pack_command(struct pb_reader *reader, const struct pb_command *command)
{
	struct pb_pack *pack = (struct pb_pack *)reader;
	int r = pb_session_may_command(pack->session, pb_now_ms());

	if (r < 0)
		return r;
	pack_feed(pack, (struct pb_session_event){.type = PB_SESSION_COMMAND, .command = command});
	return 0;
}

static void pack_describe(struct pb_reader *reader, void (*line)(void *userdata, const char *text),
			  void *userdata)
{
	struct pb_link *link = ((struct pb_pack *)reader)->link;

	if (link->type->describe)
		link->type->describe(link, line, userdata);
}

static void pack_free(struct pb_reader *reader)
{
	struct pb_pack *pack = (struct pb_pack *)reader;

	sd_event_source_disable_unref(pack->timer);
	pb_link_free(pack->link);
	pb_session_free(pack->session);
	free(pack);
}

static const struct pb_reader_type pack_type = {
	.start = pack_start,
	.release = pack_release,
	.command = pack_command,
	.describe = pack_describe,
	.free = pack_free,
};

/* Of each codec that may be the right one, in their order. @lists: has room for CODECS_MAX + 1. */
static void collect_pipes(const struct pb_session_config *config, const struct pb_pipe **lists)
{
	const struct pb_codec *const one[] = {config->codec, NULL};
	const struct pb_codec *const *codec = config->others ? config->others : one;
	size_t count = 0;

	for (; *codec && count < CODECS_MAX; codec++)
		if ((*codec)->pipes)
			lists[count++] = (*codec)->pipes;
	lists[count] = NULL;
}

/* @self_timed: the link has limits of its own. */
static int new_session(struct pb_pack *pack, struct pb_session_config config, bool self_timed)
{
	if (self_timed)
		config.connect_timeout_ms = 0;
	return pb_session_new(&pack->session, &config);
}

int pb_pack_new(struct pb_reader **ret, const struct pb_session_config *config,
		const struct pb_link_type *type, const struct pb_link_setup *setup,
		const struct pb_reader_handler *handler, void *userdata)
{
	struct pb_pack *pack = calloc(1, sizeof(*pack));
	PB_CLEANUP(pb_reader_freep) struct pb_reader *reader = pack ? &pack->reader : NULL;
	const struct pb_pipe *pipes[CODECS_MAX + 1];
	struct pb_link_setup link = *setup;
	char why[256];
	int r;

	if (!pack)
		return -ENOMEM;
	pack->reader = (struct pb_reader){&pack_type, handler, userdata};
	pack->codec = config->codec;
	pack->others = config->others;
	r = new_session(pack, *config, type->self_timed);
	if (r < 0)
		return r;
	pack->state = pb_session_state_text(pack->session->state);
	pack->timer_ms = UINT64_MAX;
	snprintf(pack->name, sizeof(pack->name), "%s", setup->name ? setup->name : setup->address);
	collect_pipes(config, pipes);
	link.pipes = pipes;
	link.handler = &link_handler;
	link.userdata = pack;
	r = type->create(&pack->link, &link, why, sizeof(why));
	if (r < 0)
		return r;
	/* 1 ms of accuracy: sd-event's default of 250 ms would be half a command gap */
	r = sd_event_add_time(setup->event, &pack->timer, CLOCK_BOOTTIME, UINT64_MAX, 1000,
			      pack_on_timer, pack);
	if (r < 0)
		return r;
	*ret = reader;
	reader = NULL;
	return 0;
}
