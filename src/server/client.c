/* SPDX-License-Identifier: MIT */
/*
 * One client: its turn is one recv, all whole requests that are there, and one send of their
 * replies. When it does not take its replies, nothing more is read from it until it does, so its
 * memory is bounded.
 */
#include "tcp.h"

#include <errno.h>
#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

/*
 * ---- clients, in the order in which they would make way for others ----
 *
 * First those that never asked anything, by age, then the others, the longest idle first: a storm
 * of connections pushes itself out, and nobody who works. Of those that work it is one of the
 * address that has the most (who_makes_way() in tcp.c).
 */

static void list_remove(struct pb_server *server, struct client *client)
{
	if (server->last_new == client)
		server->last_new = client->older;
	if (server->next_told == client)
		server->next_told = client->newer;
	*(client->older ? &client->older->newer : &server->oldest) = client->newer;
	*(client->newer ? &client->newer->older : &server->newest) = client->older;
}

/* @older: NULL at the head */
static void list_insert(struct pb_server *server, struct client *client, struct client *older)
{
	client->older = older;
	client->newer = older ? older->newer : server->oldest;
	*(older ? &older->newer : &server->oldest) = client;
	*(client->newer ? &client->newer->older : &server->newest) = client;
}

static void touch(struct pb_server *server, struct client *client, uint64_t now_ms)
{
	client->active_ms = now_ms;
	list_remove(server, client);
	list_insert(server, client, server->newest);
}

void tcp_client_close(struct client *client)
{
	struct pb_server *server = client->socket.server;

	/* closed over unread bytes, TCP resets, and replies on their way would be lost with it */
	recv(client->socket.fd, client->out, OUT_MAX, MSG_DONTWAIT);
	list_remove(server, client);
	peers_leave(&server->peers, client->peer);
	server->service.stats.clients--;
	close(client->socket.fd); /* this takes it out of the epoll set as well */
	free(client);
}

static int set_blocked(struct client *client, bool blocked)
{
	if (client->blocked == blocked)
		return 0;
	client->blocked = blocked;
	return hub_watch(client->socket.server->hub, &client->socket, blocked ? EPOLLOUT : EPOLLIN,
			 true);
}

const char *tcp_client_peer(const struct client *client, char *host, size_t cap)
{
	struct sockaddr_storage address;
	socklen_t len = sizeof(address);

	snprintf(host, cap, "?");
	if (getpeername(client->socket.fd, (struct sockaddr *)&address, &len) == 0)
		getnameinfo((struct sockaddr *)&address, len, host, (socklen_t)cap, NULL, 0,
			    NI_NUMERICHOST);
	/* IPv4 on a socket that takes both */
	return strncmp(host, "::ffff:", 7) == 0 ? host + 7 : host;
}

static void log_malformed(struct pb_server *server, const struct client *client, uint64_t now_ms)
{
	struct notice *notice = &server->malformed;
	char host[64], hex[3 * PB_MBAP_LEN + 1];
	size_t len = client->in_len < PB_MBAP_LEN ? client->in_len : PB_MBAP_LEN;

	if (!notice_is_due(notice, now_ms))
		return;
	pb_hex_print(hex, sizeof(hex), client->in, len, ' ');
	pb_log(PB_LOG_WARNING,
	       "%s: client %s sent bytes that are no Modbus TCP (%s), connection closed (%u more "
	       "since the last such line)",
	       server->name, tcp_client_peer(client, host, sizeof(host)), hex, notice->left_out);
	notice->left_out = 0;
}

int tcp_client_new(struct client **ret, struct pb_server *server, int fd, uint64_t now_ms)
{
	struct client *client =
		malloc(sizeof(*client) + (server->rtu ? sizeof(client->rtu[0]) : 0));
	int r;

	if (!client)
		return -ENOMEM;
	/* the buffers are left as they are, their pages untouched */
	memset(client, 0, offsetof(struct client, in));
	client->socket = (struct socket){.fd = fd, .server = server};
	client->since_ms = client->active_ms = now_ms;
	if (server->rtu)
		client->rtu[0] = (struct client_rtu){.framer = {.ours = service_owns,
								.other = service_saw,
								.userdata = &server->service}};
	client->peer = peers_join(&server->peers, fd);
	r = client->peer ? hub_watch(server->hub, &client->socket, EPOLLIN, false) : -ENOMEM;
	if (r < 0) {
		peers_leave(&server->peers, client->peer);
		free(client);
		return r;
	}
	list_insert(server, client, server->last_new);
	server->last_new = client;
	server->service.stats.clients++;
	server->service.stats.accepted++;
	*ret = client;
	return 0;
}

/* ---- one client's turn ---- */

/* @return 0; -EAGAIN when not all went out; another negative errno: the connection is dead */
static int send_replies(struct client *client)
{
	while (client->out_at < client->out_len) {
		ssize_t len = send(client->socket.fd, client->out + client->out_at,
				   (size_t)(client->out_len - client->out_at), MSG_NOSIGNAL);

		if (len < 0) {
			if (errno == EINTR)
				continue;
			return errno == EWOULDBLOCK ? -EAGAIN : -errno;
		}
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

/* @return whether a reply of any size still fits */
static bool has_room(const struct client *client)
{
	return client->out_len + PB_TCP_ADU_MAX <= OUT_MAX;
}

enum { RTU_CRC = 2 };

/* Somebody looks on. @len: of the reply's ADU, 0: none; @crc: what stands behind its PDU */
static void traced(struct client *client, uint8_t unit, const uint8_t *pdu, size_t pdu_len,
		   const uint8_t *reply, size_t len, size_t function_at, size_t crc)
{
	char host[64];
	struct trace_exchange exchange = {.peer = tcp_client_peer(client, host, sizeof(host)),
					  .unit = unit,
					  .request = pdu,
					  .request_len = pdu_len,
					  .reply = reply + function_at};

	exchange.reply_len = len > function_at + crc ? len - function_at - crc : 0;
	trace_add(&client->socket.server->service.trace, &exchange, pb_now_ms());
}

static void answered(struct client *client, size_t len, size_t function_at)
{
	client->requests++;
	if (len == 0)
		return;
	client->exceptions += client->out[client->out_len + function_at] >> 7;
	client->out_len = (uint16_t)(client->out_len + len);
}

/*
 * Answers the whole requests of the input, as many as the output has room for.
 * @return false: what follows is no Modbus TCP
 */
static bool answer_tcp(struct client *client, uint64_t now_ms)
{
	struct service *service = &client->socket.server->service;
	size_t at = 0;
	int len = 0;

	while (has_room(client)) {
		struct pb_mbap request;
		size_t reply_len;
		uint8_t *reply;

		len = pb_mbap_next(client->in + at, client->in_len - at, &request);
		if (len <= 0)
			break;
		reply = client->out + client->out_len;
		reply_len = service_reply_tcp(service, &request, now_ms, reply);
		if (service->trace)
			traced(client, request.unit, request.pdu, request.pdu_len, reply, reply_len,
			       PB_MBAP_LEN, 0);
		answered(client, reply_len, PB_MBAP_LEN);
		at += (size_t)len;
	}
	drop_input(client, at);
	return len >= 0;
}

static void answer_frames(struct client *client, bool silence, uint64_t now_ms)
{
	struct service *service = &client->socket.server->service;
	struct client_rtu *rtu = client->rtu;
	struct pb_rtu_frame request;

	while (has_room(client) && pb_rtu_next(&rtu->framer, silence, &request)) {
		uint8_t *reply = client->out + client->out_len;
		size_t len = service_reply_rtu(service, &request, now_ms, reply);

		if (service->trace)
			traced(client, request.unit, request.pdu, request.pdu_len, reply, len, 1,
			       RTU_CRC);
		answered(client, len, 1);
	}
	service_count_frames(service, &rtu->framer, &rtu->seen);
}

static void answer_rtu(struct client *client, uint64_t now_ms)
{
	size_t at = 0, taken;

	do {
		taken = pb_rtu_push(&client->rtu->framer, client->in + at, client->in_len - at);
		at += taken;
		answer_frames(client, false, now_ms);
	} while (taken > 0 && has_room(client));
	drop_input(client, at);
}

/* @return false: what follows can't be read */
static bool answer_all(struct client *client, uint64_t now_ms)
{
	struct pb_server *server = client->socket.server;
	uint32_t before = client->requests;
	bool good = true;

	if (server->rtu)
		answer_rtu(client, now_ms);
	else
		good = answer_tcp(client, now_ms);
	if (client->requests != before) {
		client->stuck_ms = 0;
		touch(server, client, now_ms);
	}
	return good;
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
static int serve(struct client *client, uint64_t now_ms)
{
	int r;

	/* what a stream asked before it broke is answered all the same */
	do {
		r = send_replies(client);
		if (r < 0)
			break;
		if (!answer_all(client, now_ms))
			stream_broke(client, now_ms);
	} while (client->out_len > 0);
	if (r < 0 && r != -EAGAIN)
		return r;
	if (r == 0 && client->ended)
		return -ESHUTDOWN;
	return set_blocked(client, r == -EAGAIN);
}

/* @return 0, or negative: close it */
static int receive(struct client *client)
{
	ssize_t len = recv(client->socket.fd, client->in + client->in_len,
			   (size_t)(IN_MAX - client->in_len), 0);

	if (len < 0)
		return errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR ? 0 : -errno;
	client->ended = len == 0;
	client->in_len = (uint16_t)(client->in_len + len);
	return 0;
}

/* @return whether it waits for the rest of a request, or to be rid of replies */
static bool is_stuck(const struct client *client)
{
	if (client->in_len > 0 || client->blocked)
		return true;
	if (!client->socket.server->rtu)
		return false;
	return client->rtu->framer.len > client->rtu->framer.taken || client->rtu->framer.lost;
}

static void end_turn(struct client *client, int r, uint64_t now_ms)
{
	if (r < 0) {
		tcp_client_close(client);
	} else if (!is_stuck(client)) {
		client->stuck_ms = 0;
	} else if (client->stuck_ms == 0) {
		client->stuck_ms = now_ms;
		tcp_sweep_later(client->socket.server);
	}
}

void tcp_client_turn(struct client *client, uint32_t events, uint64_t now_ms)
{
	int r = 0;

	if (!client->blocked) {
		r = receive(client);
		if (client->socket.server->rtu)
			client->rtu->heard_ms = now_ms;
	} else if (events & (EPOLLERR | EPOLLHUP)) {
		r = -ECONNRESET;
	}
	if (r == 0)
		r = serve(client, now_ms);
	end_turn(client, r, now_ms);
}

void tcp_client_silence(struct client *client, uint64_t now_ms)
{
	if (client->blocked || now_ms - client->rtu->heard_ms < client->socket.server->gap_ms)
		return;
	answer_frames(client, true, now_ms);
	end_turn(client, serve(client, now_ms), now_ms);
}
