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

enum { NOTICE_PAUSE_MS = 60000 };

/* ---- clients, from the longest idle to the last active ---- */

static void list_remove(struct pb_server *server, struct client *client)
{
	*(client->older ? &client->older->newer : &server->oldest) = client->newer;
	*(client->newer ? &client->newer->older : &server->newest) = client->older;
}

static void list_append(struct pb_server *server, struct client *client)
{
	client->older = server->newest;
	client->newer = NULL;
	*(server->newest ? &server->newest->newer : &server->oldest) = client;
	server->newest = client;
}

static void touch(struct pb_server *server, struct client *client, uint64_t now_ms)
{
	client->active_ms = now_ms;
	list_remove(server, client);
	list_append(server, client);
}

void tcp_client_close(struct pb_server *server, struct client *client)
{
	/* closed over unread bytes, TCP resets, and replies on their way would be lost with it */
	recv(client->socket.fd, client->out, OUT_MAX, MSG_DONTWAIT);
	list_remove(server, client);
	server->stats.clients--;
	close(client->socket.fd); /* this takes it out of the epoll set as well */
	free(client);
}

static int set_blocked(struct pb_server *server, struct client *client, bool blocked)
{
	struct epoll_event event = {.events = blocked ? EPOLLOUT : EPOLLIN,
				    .data.ptr = &client->socket};

	if (client->blocked == blocked)
		return 0;
	client->blocked = blocked;
	return epoll_ctl(server->epoll_fd, EPOLL_CTL_MOD, client->socket.fd, &event) < 0 ? -errno
											 : 0;
}

bool tcp_notice_is_due(struct notice *notice, uint64_t now_ms)
{
	if (notice->logged && now_ms - notice->logged_ms < NOTICE_PAUSE_MS) {
		notice->left_out++;
		return false;
	}
	notice->logged = true;
	notice->logged_ms = now_ms;
	return true;
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

	if (!tcp_notice_is_due(notice, now_ms))
		return;
	pb_hex_print(hex, sizeof(hex), client->in, len, ' ');
	pb_log(PB_LOG_WARNING,
	       "%s: client %s sent bytes that are no Modbus TCP (%s), connection closed (%u more "
	       "since the last such line)",
	       server->name, tcp_client_peer(client, host, sizeof(host)), hex, notice->left_out);
	notice->left_out = 0;
}

int tcp_client_new(struct pb_server *server, int fd, uint64_t now_ms)
{
	struct client *client = malloc(sizeof(*client));
	struct epoll_event event = {.events = EPOLLIN};
	int r;

	if (!client)
		return -ENOMEM;
	client->socket = (struct socket){.fd = fd};
	client->blocked = client->ended = false;
	client->active_ms = now_ms;
	client->stuck_ms = 0;
	client->in_len = client->out_at = client->out_len = 0;
	event.data.ptr = &client->socket;
	if (epoll_ctl(server->epoll_fd, EPOLL_CTL_ADD, fd, &event) < 0) {
		r = -errno;
		free(client);
		return r;
	}
	list_append(server, client);
	server->stats.clients++;
	server->stats.accepted++;
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

/* What function 8 tells; the counters are 16 bits and start again. */
static void count(struct pb_diagnostics *d, bool known, const uint8_t *reply, size_t len)
{
	d->bus_messages++;
	d->server_messages += known;
	if (known && len == 0)
		d->no_response++;
	if (len > 0 && reply[0] & 0x80) {
		d->exceptions++;
		if (reply[1] == PB_EXCEPTION_DEVICE_BUSY)
			d->busy++;
	}
}

static void answer(struct pb_server *server, struct client *client, const struct pb_mbap *request,
		   uint64_t now_ms)
{
	const struct pb_host host = {server->backend->identity, &server->diagnostics};
	const struct pb_image *image =
		server->backend->unit(server->userdata, request->unit, now_ms);
	uint8_t *adu = client->out + client->out_len;
	size_t len =
		pb_modbus_reply(&host, image, request->pdu, request->pdu_len, adu + PB_MBAP_LEN);

	server->stats.requests++;
	count(&server->diagnostics, image != NULL, adu + PB_MBAP_LEN, len);
	if (len == 0)
		return;
	if (adu[PB_MBAP_LEN] & 0x80)
		server->stats.exceptions++;
	client->out_len = (uint16_t)(client->out_len + pb_mbap_wrap(adu, request, len));
}

/*
 * Answers the whole requests of the input, as many as the output has room for.
 * @return false: what follows is no Modbus TCP
 */
static bool answer_all(struct pb_server *server, struct client *client, uint64_t now_ms)
{
	size_t at = 0;
	int len = 0;

	while (client->out_len + PB_TCP_ADU_MAX <= OUT_MAX) {
		struct pb_mbap request;

		len = pb_mbap_next(client->in + at, client->in_len - at, &request);
		if (len <= 0)
			break;
		answer(server, client, &request, now_ms);
		at += (size_t)len;
	}
	client->in_len = (uint16_t)(client->in_len - at);
	memmove(client->in, client->in + at, client->in_len);
	if (at > 0) {
		client->stuck_ms = 0;
		touch(server, client, now_ms);
	}
	return len >= 0;
}

static void stream_broke(struct pb_server *server, struct client *client, uint64_t now_ms)
{
	server->stats.malformed++;
	log_malformed(server, client, now_ms);
	client->ended = true;
	client->in_len = 0;
}

/* @return 0, or negative: close it */
static int serve(struct pb_server *server, struct client *client, uint64_t now_ms)
{
	int r;

	/* what a stream asked before it broke is answered all the same */
	do {
		r = send_replies(client);
		if (r < 0)
			break;
		if (!answer_all(server, client, now_ms))
			stream_broke(server, client, now_ms);
	} while (client->out_len > 0);
	if (r < 0 && r != -EAGAIN)
		return r;
	if (r == 0 && client->ended)
		return -ESHUTDOWN;
	return set_blocked(server, client, r == -EAGAIN);
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

void tcp_client_turn(struct pb_server *server, struct client *client, uint32_t events,
		     uint64_t now_ms)
{
	int r = 0;

	if (!client->blocked)
		r = receive(client);
	else if (events & (EPOLLERR | EPOLLHUP))
		r = -ECONNRESET;
	if (r == 0)
		r = serve(server, client, now_ms);
	if (r < 0) {
		tcp_client_close(server, client);
		return;
	}
	if (client->in_len == 0 && !client->blocked) {
		client->stuck_ms = 0;
	} else if (client->stuck_ms == 0) {
		client->stuck_ms = now_ms;
		tcp_sweep_later(server);
	}
}
