/* SPDX-License-Identifier: MIT */
/*
 * One client. A turn is one receive, all whole requests received so far, and one send of their
 * replies:
 *
 *	stream ── receive() ──▶ in ── framing next() ──▶ request
 *	stream ◀── send() ── out ◀── service_reply() ───────┘
 *
 * If a client does not read its replies, nothing more is read from it until it does, so its memory
 * is bounded.
 */
#include "tcp.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

enum { PAGE = 4096, MALLOC_HEAD = 8 };

static_assert(sizeof(struct client) + sizeof(struct pb_framer) + MALLOC_HEAD <= PAGE,
	      "a client of Modbus TCP is at most a page");

static struct pb_framer *framer_of(struct client *client)
{
	return (struct pb_framer *)(void *)client->framer;
}

/* ---- life ---- */

int client_new(struct client **ret, struct pb_server *server, int fd, const struct pb_peer *peer,
	       uint64_t now_ms)
{
	const struct pb_framing *framing = server->framing;
	struct client *client = malloc(sizeof(*client) + framing->framer_size);
	int r;

	if (!client)
		return -ENOMEM;
	/* the buffers are left as they are, their pages untouched */
	memset(client, 0, offsetof(struct client, in));
	memset(client->framer, 0, framing->framer_size);
	client->socket = (struct socket){.fd = fd, .server = server};
	client->stream = (struct stream){&stream_plain, fd};
	client->peer = *peer;
	client->since_ms = client->active_ms = now_ms;
	service_frames(&server->service, framer_of(client));
	client->waits_for = client->stream.type->want(&client->stream, false);
	client->count = peers_join(&server->peers, peer->address);
	r = client->count ? hub_watch(server->hub, &client->socket, client->waits_for, false)
			  : -ENOMEM;
	if (r < 0) {
		peers_leave(&server->peers, client->count);
		free(client);
		return r;
	}
	clients_add(server, client);
	*ret = client;
	return 0;
}

void client_close(struct client *client)
{
	struct pb_server *server = client->socket.server;

	/* closed over unread bytes, TCP resets, and replies on their way would be lost with it */
	recv(client->socket.fd, client->out, OUT_MAX, MSG_DONTWAIT);
	clients_remove(server, client);
	peers_leave(&server->peers, client->count);
	close(client->socket.fd); /* this takes it out of the epoll set as well */
	free(client);
}

/* ---- bytes ---- */

/* Waits for bytes to come, or (@sending) to go. */
static int client_wait(struct client *client, bool sending)
{
	uint32_t events = client->stream.type->want(&client->stream, sending);

	client->blocked = sending;
	if (events == client->waits_for)
		return 0;
	client->waits_for = events;
	return hub_watch(client->socket.server->hub, &client->socket, events, true);
}

/* @return 0, or negative: close it */
static int client_receive(struct client *client, uint64_t now_ms)
{
	ssize_t len = client->stream.type->receive(&client->stream, client->in + client->in_len,
						   (size_t)(IN_MAX - client->in_len));

	if (len < 0)
		return len == -EAGAIN ? 0 : (int)len;
	client->ended = len == 0;
	client->in_len = (uint16_t)(client->in_len + len);
	client->heard_ms = now_ms;
	return 0;
}

/* @return 0; -EAGAIN when not all went out; another negative errno: the connection is dead */
static int send_replies(struct client *client)
{
	while (client->out_at < client->out_len) {
		ssize_t len =
			client->stream.type->send(&client->stream, client->out + client->out_at,
						  (size_t)(client->out_len - client->out_at));

		if (len < 0)
			return (int)len;
		client->out_at = (uint16_t)(client->out_at + len);
		client->stuck_ms = 0; /* it goes on */
	}
	client->out_at = client->out_len = 0;
	return 0;
}

static void drop_input(struct client *client, size_t len)
{
	client->in_len = (uint16_t)(client->in_len - len);
	if (client->in_len > 0)
		memmove(client->in, client->in + len, client->in_len);
}

/* ---- requests ---- */

/* @return whether a reply of any size still fits */
static bool has_room(const struct client *client)
{
	return client->out_len + PB_TCP_ADU_MAX <= OUT_MAX;
}

static void client_answer(struct client *client, const struct pb_adu *request, uint64_t now_ms)
{
	struct pb_server *server = client->socket.server;
	struct service *service = &server->service;
	uint8_t *reply = client->out + client->out_len;
	size_t len = service_reply(service, server->framing, &client->peer, request, now_ms, reply);

	if (service->trace)
		service_trace(service, server->framing, client->peer.name, request, reply, len);
	client->requests++;
	if (len == 0)
		return;
	client->exceptions += reply[server->framing->head] >> 7;
	client->out_len = (uint16_t)(client->out_len + len);
}

/*
 * Answers the whole requests of the input, as many as the output has room for.
 * @return 0; -EPROTO: what follows can't be read
 */
static int answer_all(struct client *client, bool silence, uint64_t now_ms)
{
	struct pb_server *server = client->socket.server;
	struct pb_framer *framer = framer_of(client);
	uint32_t before = client->requests;
	size_t at = 0, taken;
	int r = 0;

	while (has_room(client)) {
		struct pb_adu request;

		r = server->framing->next(framer, client->in + at, client->in_len - at, silence,
					  &taken, &request);
		at += taken;
		if (r <= 0)
			break;
		client_answer(client, &request, now_ms);
		service_count_frames(&server->service, framer);
	}
	service_count_frames(&server->service, framer);
	drop_input(client, at);
	if (client->requests != before) {
		client->stuck_ms = 0;
		clients_touch(server, client, now_ms);
	}
	return r < 0 ? r : 0;
}

static void log_malformed(struct pb_server *server, const struct client *client, uint64_t now_ms)
{
	struct notice *notice = &server->malformed;
	char hex[3 * PB_MBAP_LEN + 1];
	size_t len = client->in_len < PB_MBAP_LEN ? client->in_len : PB_MBAP_LEN;

	if (!notice_is_due(notice, now_ms))
		return;
	pb_hex_print(hex, sizeof(hex), client->in, len, ' ');
	pb_log(PB_LOG_WARNING,
	       "%s: client %s sent bytes that are no Modbus TCP (%s), connection closed (%u more "
	       "since the last such line)",
	       server->name, client->peer.name, hex, notice->left_out);
	notice->left_out = 0;
}

static void stream_broke(struct client *client, uint64_t now_ms)
{
	struct pb_server *server = client->socket.server;

	server->service.stats.malformed++;
	log_malformed(server, client, now_ms);
	client->ended = true;
	client->in_len = 0;
}

/* @return 0, or negative: close it */
static int client_serve(struct client *client, bool silence, uint64_t now_ms)
{
	int r;

	/* what a stream asked before it broke is answered all the same */
	do {
		r = send_replies(client);
		if (r < 0)
			break;
		if (answer_all(client, silence, now_ms) < 0)
			stream_broke(client, now_ms);
	} while (client->out_len > 0);
	if (r < 0 && r != -EAGAIN)
		return r;
	if (r == 0 && client->ended)
		return -ESHUTDOWN;
	return client_wait(client, r == -EAGAIN);
}

/* ---- a turn ---- */

/* @return whether it waits for the rest of a request, or to be rid of replies */
static bool is_stuck(struct client *client)
{
	return client->in_len > 0 || client->blocked ||
	       client->socket.server->framing->pending(framer_of(client));
}

static void end_turn(struct client *client, int r, uint64_t now_ms)
{
	if (r < 0) {
		client_close(client);
	} else if (!is_stuck(client)) {
		client->stuck_ms = 0;
	} else if (client->stuck_ms == 0) {
		client->stuck_ms = now_ms;
		clients_sweep_later(client->socket.server);
	}
}

void client_turn(struct client *client, uint32_t events, uint64_t now_ms)
{
	int r = 0;

	if (!client->blocked)
		r = client_receive(client, now_ms);
	else if (events & (EPOLLERR | EPOLLHUP))
		r = -ECONNRESET;
	if (r == 0)
		r = client_serve(client, false, now_ms);
	end_turn(client, r, now_ms);
}

void client_silence(struct client *client, uint64_t now_ms)
{
	if (client->blocked || now_ms - client->heard_ms < client->socket.server->gap_ms)
		return;
	end_turn(client, client_serve(client, true, now_ms), now_ms);
}

bool client_is_over(const struct client *client, uint64_t now_ms)
{
	const struct pb_server *server = client->socket.server;

	return (client->stuck_ms && now_ms - client->stuck_ms >= server->frame_timeout_ms) ||
	       (server->idle_timeout_ms && now_ms - client->active_ms >= server->idle_timeout_ms);
}
