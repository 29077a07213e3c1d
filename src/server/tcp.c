/* SPDX-License-Identifier: MIT */
/*
 * Modbus TCP. All sockets of a server stand in an epoll set of its own, and that set is one source
 * of the event loop: however many clients are ready, the loop turns once.
 *
 * A client's turn is one recv, all whole requests that are there, and one send of their replies.
 * When a client does not take its replies, nothing more is read from it until it does, so its
 * memory is bounded; when there are too many clients, the longest idle makes way.
 */
#include "address.h"

#include "packbridge/server.h"

#include <assert.h>
#include <errno.h>
#include <netdb.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <systemd/sd-event.h>
#include <time.h>
#include <unistd.h>

enum {
	IN_MAX = 520,	/* two of the largest frames, or 43 reads */
	OUT_MAX = 3400, /* 13 of the largest replies; a client fits a page of memory */
	BATCH = 64,	/* ready sockets a turn of the loop */
	ACCEPTS = 16,	/* new clients a turn of the loop */
	BACKLOG = 128,
	ACCEPT_PAUSE_MS = 1000, /* when there is no descriptor, and no client to take one from */
	LOG_PAUSE_MS = 60000,
	USER_TIMEOUT_MS = 90000,
};

struct client {
	struct client *older, *newer; /* by last turn */
	int fd;
	bool blocked; /* its replies do not go out: waiting for EPOLLOUT, not reading */
	bool ended;   /* it has sent its last byte */
	uint16_t in_len;
	uint16_t out_at, out_len;
	uint8_t in[IN_MAX];
	uint8_t out[OUT_MAX];
};

struct pb_server {
	sd_event_source *source; /* epoll_fd */
	sd_event_source *pause;	 /* accepts again */
	int epoll_fd;
	int listener;
	uint16_t port;
	bool paused;
	uint32_t max_clients;
	struct client *oldest, *newest;
	const struct pb_server_backend *backend;
	void *userdata;
	struct pb_server_stats stats;
	uint64_t logged_ms; /* last line about a malformed stream */
	uint32_t unlogged;  /* malformed streams since */
	char name[128];
};

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

static void client_close(struct pb_server *server, struct client *client)
{
	list_remove(server, client);
	server->stats.clients--;
	close(client->fd); /* this takes it out of the epoll set as well */
	free(client);
}

static void set_blocked(struct pb_server *server, struct client *client, bool blocked)
{
	struct epoll_event event = {.events = blocked ? EPOLLOUT : EPOLLIN, .data.ptr = client};

	if (client->blocked == blocked)
		return;
	client->blocked = blocked;
	epoll_ctl(server->epoll_fd, EPOLL_CTL_MOD, client->fd, &event);
}

static void log_malformed(struct pb_server *server, const struct client *client, uint64_t now_ms)
{
	struct sockaddr_storage address;
	socklen_t len = sizeof(address);
	char host[64] = "?";

	if (server->logged_ms && now_ms - server->logged_ms < LOG_PAUSE_MS) {
		server->unlogged++;
		return;
	}
	if (getpeername(client->fd, (struct sockaddr *)&address, &len) == 0)
		getnameinfo((struct sockaddr *)&address, len, host, sizeof(host), NULL, 0,
			    NI_NUMERICHOST);
	pb_log(PB_LOG_WARNING,
	       "%s: client %s sent bytes that are no Modbus TCP, connection closed (%u more since "
	       "the last such line)",
	       server->name, host, server->unlogged);
	server->logged_ms = now_ms;
	server->unlogged = 0;
}

/* ---- one client's turn ---- */

/* @return 0; -EAGAIN when not all went out; another negative errno: the connection is dead */
static int send_replies(struct client *client)
{
	while (client->out_at < client->out_len) {
		ssize_t len = send(client->fd, client->out + client->out_at,
				   (size_t)(client->out_len - client->out_at), MSG_NOSIGNAL);

		if (len < 0) {
			if (errno == EINTR)
				continue;
			return errno == EWOULDBLOCK ? -EAGAIN : -errno;
		}
		client->out_at = (uint16_t)(client->out_at + len);
	}
	client->out_at = client->out_len = 0;
	return 0;
}

static void answer(struct pb_server *server, struct client *client, const struct pb_mbap *request,
		   uint64_t now_ms)
{
	const struct pb_image *image =
	    server->backend->unit(server->userdata, request->unit, now_ms);
	uint8_t *adu = client->out + client->out_len;
	size_t len = pb_modbus_reply(image, request->pdu, request->pdu_len, adu + PB_MBAP_LEN);

	server->stats.requests++;
	if (len == 0)
		return;
	if (adu[PB_MBAP_LEN] & 0x80)
		server->stats.exceptions++;
	client->out_len = (uint16_t)(client->out_len + pb_mbap_wrap(adu, request, len));
}

/*
 * Answers the whole requests of the input, as many as the output has room for.
 * @return 1 when that was all; 0 when the output is full; -EPROTO for a broken stream
 */
static int answer_all(struct pb_server *server, struct client *client, uint64_t now_ms)
{
	size_t at = 0;
	int r = 1;

	while (r == 1) {
		struct pb_mbap request;
		int len = pb_mbap_next(client->in + at, client->in_len - at, &request);

		if (len < 0)
			return len;
		if (len == 0)
			break;
		if (client->out_len + PB_TCP_ADU_MAX > OUT_MAX) {
			r = 0;
			break;
		}
		answer(server, client, &request, now_ms);
		at += (size_t)len;
	}
	client->in_len = (uint16_t)(client->in_len - at);
	memmove(client->in, client->in + at, client->in_len);
	return r;
}

/* @return 0, or negative: close it */
static int serve(struct pb_server *server, struct client *client, uint64_t now_ms)
{
	int all, r;

	do {
		all = answer_all(server, client, now_ms);
		/* what was asked before the stream broke is answered all the same */
		r = send_replies(client);
	} while (all == 0 && r == 0);
	if (all < 0) {
		server->stats.malformed++;
		log_malformed(server, client, now_ms);
		return all;
	}
	if (r < 0 && r != -EAGAIN)
		return r;
	if (r == 0 && client->ended)
		return -ESHUTDOWN;
	set_blocked(server, client, r == -EAGAIN);
	return 0;
}

/* @return 0, or negative: close it */
static int receive(struct client *client)
{
	ssize_t len =
	    recv(client->fd, client->in + client->in_len, (size_t)(IN_MAX - client->in_len), 0);

	if (len < 0)
		return errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR ? 0 : -errno;
	client->ended = len == 0;
	client->in_len = (uint16_t)(client->in_len + len);
	return 0;
}

static void client_turn(struct pb_server *server, struct client *client, uint32_t events,
			uint64_t now_ms)
{
	int r = 0;

	list_remove(server, client);
	list_append(server, client);
	if (!client->blocked)
		r = receive(client);
	else if (events & (EPOLLERR | EPOLLHUP))
		r = -ECONNRESET;
	if (r == 0)
		r = serve(server, client, now_ms);
	if (r < 0)
		client_close(server, client);
}

/* ---- new clients ---- */

static void set_option(int fd, int level, int option, int value)
{
	/* what a kernel lacks makes a connection no worse than it was */
	(void)setsockopt(fd, level, option, &value, sizeof(value));
}

static int client_new(struct pb_server *server, int fd)
{
	struct client *client = malloc(sizeof(*client));
	struct epoll_event event = {.events = EPOLLIN, .data.ptr = client};

	if (!client)
		return -ENOMEM;
	*client = (struct client){.fd = fd};
	if (epoll_ctl(server->epoll_fd, EPOLL_CTL_ADD, fd, &event) < 0) {
		free(client);
		return -errno;
	}
	set_option(fd, IPPROTO_TCP, TCP_NODELAY, 1);
	/* a PLC that loses power leaves its connection behind: found out within 90 s */
	set_option(fd, SOL_SOCKET, SO_KEEPALIVE, 1);
	set_option(fd, IPPROTO_TCP, TCP_KEEPIDLE, 60);
	set_option(fd, IPPROTO_TCP, TCP_KEEPINTVL, 10);
	set_option(fd, IPPROTO_TCP, TCP_KEEPCNT, 3);
	set_option(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, USER_TIMEOUT_MS);
	list_append(server, client);
	server->stats.clients++;
	server->stats.accepted++;
	return 0;
}

static void evict_oldest(struct pb_server *server)
{
	server->stats.evicted++;
	client_close(server, server->oldest);
}

static void listen_events(struct pb_server *server, uint32_t events)
{
	struct epoll_event event = {.events = events, .data.ptr = NULL};

	epoll_ctl(server->epoll_fd, EPOLL_CTL_MOD, server->listener, &event);
}

static int accept_again(sd_event_source *source, uint64_t usec, void *userdata)
{
	struct pb_server *server = userdata;

	(void)source;
	(void)usec;
	server->paused = false;
	listen_events(server, EPOLLIN);
	return 0;
}

/* No descriptor or memory is left. A client's is taken; without clients, the listener rests. */
static void make_room(struct pb_server *server)
{
	if (server->oldest) {
		evict_oldest(server);
		return;
	}
	pb_log(PB_LOG_ERR, "%s: no file descriptor for a new client, trying again in 1 s",
	       server->name);
	server->paused = true;
	listen_events(server, 0);
	sd_event_source_set_time(server->pause, (pb_now_ms() + ACCEPT_PAUSE_MS) * 1000);
	sd_event_source_set_enabled(server->pause, SD_EVENT_ONESHOT);
}

static void accept_clients(struct pb_server *server)
{
	for (int i = 0; i < ACCEPTS && !server->paused; i++) {
		int fd = accept4(server->listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);

		if (fd < 0) {
			if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS ||
			    errno == ENOMEM)
				make_room(server);
			else if (errno == EAGAIN || errno == EWOULDBLOCK)
				return;
			continue; /* the client gave up already, or was evicted for the next try */
		}
		if (server->stats.clients >= server->max_clients)
			evict_oldest(server);
		if (client_new(server, fd) < 0)
			close(fd);
	}
}

static int server_turn(sd_event_source *source, int fd, uint32_t revents, void *userdata)
{
	struct pb_server *server = userdata;
	struct epoll_event events[BATCH];
	int count = epoll_wait(fd, events, BATCH, 0);
	uint64_t now_ms = pb_now_ms();
	bool knocked = false;

	(void)source;
	(void)revents;
	for (int i = 0; i < count; i++) {
		if (events[i].data.ptr)
			client_turn(server, events[i].data.ptr, events[i].events, now_ms);
		else
			knocked = true;
	}
	/* last, because it may close a client that has its turn in this batch */
	if (knocked)
		accept_clients(server);
	return 0;
}

/* ---- opening ---- */

static void explain(char *why, size_t why_cap, const char *address, int error)
{
	if (error == EADDRINUSE)
		snprintf(why, why_cap,
			 "can't listen on %s: another program holds this port. `ss -ltnp` shows "
			 "which; stop it, or choose another port",
			 address);
	else if (error == EACCES)
		snprintf(why, why_cap,
			 "can't listen on %s: ports below 1024 need a right. Give it by "
			 "AmbientCapabilities=CAP_NET_BIND_SERVICE in the systemd unit, or "
			 "`setcap cap_net_bind_service+ep` on the program, or by sysctl "
			 "net.ipv4.ip_unprivileged_port_start; or choose a port from 1024 on",
			 address);
	else if (error == EADDRNOTAVAIL)
		snprintf(why, why_cap,
			 "can't listen on %s: this machine has no such address. `ip address` shows "
			 "those it has; 0.0.0.0 or [::] takes all",
			 address);
	else
		snprintf(why, why_cap, "can't listen on %s: %s", address, strerror(error));
}

static int open_listener(const struct pb_address *address, uint16_t *ret_port)
{
	struct sockaddr_storage bound;
	socklen_t len = sizeof(bound);
	int family = address->sockaddr.ss_family;
	int fd = socket(family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	int r;

	if (fd < 0)
		return -errno;
	set_option(fd, SOL_SOCKET, SO_REUSEADDR, 1); /* else a restart has to wait a minute */
	if (family == AF_INET6)
		set_option(fd, IPPROTO_IPV6, IPV6_V6ONLY, !address->dual);
	if (bind(fd, (const struct sockaddr *)&address->sockaddr, address->len) < 0 ||
	    listen(fd, BACKLOG) < 0 || getsockname(fd, (struct sockaddr *)&bound, &len) < 0) {
		r = -errno;
		close(fd);
		return r;
	}
	*ret_port = ntohs(family == AF_INET6 ? ((struct sockaddr_in6 *)&bound)->sin6_port
					     : ((struct sockaddr_in *)&bound)->sin_port);
	return fd;
}

static int watch(struct pb_server *server, sd_event *event)
{
	struct epoll_event listener = {.events = EPOLLIN, .data.ptr = NULL};
	int r;

	server->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	if (server->epoll_fd < 0)
		return -errno;
	if (epoll_ctl(server->epoll_fd, EPOLL_CTL_ADD, server->listener, &listener) < 0)
		return -errno;
	r = sd_event_add_io(event, &server->source, server->epoll_fd, EPOLLIN, server_turn, server);
	if (r < 0)
		return r;
	r = sd_event_add_time(event, &server->pause, CLOCK_BOOTTIME, UINT64_MAX, 0, accept_again,
			      server);
	if (r < 0)
		return r;
	return sd_event_source_set_enabled(server->pause, SD_EVENT_OFF);
}

int pb_server_tcp_new(struct pb_server **ret, sd_event *event, const char *address,
		      uint32_t max_clients, const struct pb_server_backend *backend, void *userdata,
		      char *why, size_t why_cap)
{
	PB_CLEANUP(pb_server_freep) struct pb_server *server = NULL;
	struct pb_address parsed;
	int r = pb_address_parse(&parsed, address, why, why_cap);

	if (r < 0)
		return r;
	server = calloc(1, sizeof(*server));
	if (!server) {
		explain(why, why_cap, address, ENOMEM);
		return -ENOMEM;
	}
	server->epoll_fd = -1;
	server->max_clients = max_clients;
	server->backend = backend;
	server->userdata = userdata;
	snprintf(server->name, sizeof(server->name), "Modbus TCP %s", address);
	server->listener = open_listener(&parsed, &server->port);
	r = server->listener < 0 ? server->listener : watch(server, event);
	if (r < 0) {
		explain(why, why_cap, address, -r);
		return r;
	}
	*ret = server;
	server = NULL;
	return 0;
}

struct pb_server *pb_server_free(struct pb_server *server)
{
	if (!server)
		return NULL;
	while (server->oldest)
		client_close(server, server->oldest);
	sd_event_source_disable_unref(server->source);
	sd_event_source_disable_unref(server->pause);
	if (server->listener >= 0)
		close(server->listener);
	if (server->epoll_fd >= 0)
		close(server->epoll_fd);
	free(server);
	return NULL;
}

void pb_server_stats(const struct pb_server *server, struct pb_server_stats *ret)
{
	*ret = server->stats;
}

uint16_t pb_server_port(const struct pb_server *server)
{
	return server->port;
}
