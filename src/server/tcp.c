/* SPDX-License-Identifier: MIT */
/*
 * Modbus TCP. Listeners and clients stand in an epoll set of their own, which is one source of the
 * event loop: however many clients are ready, it is one turn of the loop.
 */
#include "tcp.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <systemd/sd-event.h>
#include <unistd.h>

enum {
	MAX_CLIENTS = 4096,
	READY_PER_TURN = 64,
	ACCEPTS_PER_TURN = 16,
	PAUSE_MS = 200,
};

static bool ring_empty(const struct client *head)
{
	return head->next == head;
}

static void ring_remove(struct client *client)
{
	client->prev->next = client->next;
	client->next->prev = client->prev;
}

static void ring_append(struct client *head, struct client *client)
{
	client->prev = head->prev;
	client->next = head;
	head->prev->next = client;
	head->prev = client;
}

static void ring_init(struct client *head)
{
	head->prev = head->next = head;
}

void tcp_touch(struct pb_server *server, struct client *client)
{
	client->active_ms = server->now_ms;
	ring_remove(client);
	ring_append(&server->idle, client);
}

void tcp_close(struct pb_server *server, struct client *client)
{
	close(client->fd);
	client->fd = -1;
	server->stats.clients--;
	ring_remove(client);
	ring_append(&server->free, client);
}

/* The event's data is an index: clients first, the listeners behind them. */
static int watch(const struct pb_server *server, int operation, int fd, uint32_t events,
		 uint32_t index)
{
	struct epoll_event event = {.events = events, .data.u32 = index};

	return epoll_ctl(server->epoll_fd, operation, fd, &event) < 0 ? -errno : 0;
}

static uint32_t index_of(const struct pb_server *server, const struct client *client)
{
	return (uint32_t)(client - server->clients);
}

int tcp_watch(struct pb_server *server, struct client *client)
{
	return watch(server, EPOLL_CTL_MOD, client->fd, client->blocked ? EPOLLOUT : EPOLLIN,
		     index_of(server, client));
}

static int watch_listeners(struct pb_server *server, int operation, uint32_t events)
{
	int r = 0;

	for (uint32_t i = 0; r == 0 && i < server->listener_count; i++)
		r = watch(server, operation, server->listeners[i], events, server->max_clients + i);
	return r;
}

/* Closes the longest idle client for the sake of a new one. @return whether there was one. */
static bool evict(struct pb_server *server, const char *cause)
{
	struct client *oldest = server->idle.next;
	char text[PEER_TEXT_MAX];

	if (ring_empty(&server->idle))
		return false;
	if (mutes_may_log(&server->mutes, &oldest->peer.host, server->now_ms))
		pb_log(PB_LOG_WARNING,
		       "tcp %s: %s; client %s, idle for %.1f s and the longest of %u, closed for a "
		       "new one",
		       server->address, cause, peer_text(&oldest->peer, text),
		       (double)(server->now_ms - oldest->active_ms) / 1000, server->stats.clients);
	tcp_close(server, oldest);
	server->stats.evicted++;
	return true;
}

static int add_client(struct pb_server *server, int fd, const struct sockaddr_storage *addr)
{
	struct client *client;
	int r;

	if (ring_empty(&server->free))
		evict(server, "max_clients reached");
	client = server->free.next;
	r = watch(server, EPOLL_CTL_ADD, fd, EPOLLIN, index_of(server, client));
	if (r < 0)
		return r;
	client->fd = fd;
	client->peer = peer_of(addr);
	client->in_len = client->out_len = 0;
	client->blocked = client->ending = false;
	tcp_touch(server, client);
	server->stats.clients++;
	server->stats.accepted++;
	return 0;
}

static int accept_client(struct pb_server *server, int listener)
{
	struct sockaddr_storage addr = {0};
	socklen_t len = sizeof(addr);
	int flags = SOCK_NONBLOCK | SOCK_CLOEXEC;
	int fd, r;

	fd = accept4(listener, (struct sockaddr *)&addr, &len, flags);
	if (fd < 0 && (errno == EMFILE || errno == ENFILE) && evict(server, strerror(errno)))
		fd = accept4(listener, (struct sockaddr *)&addr, &len, flags);
	if (fd < 0)
		return -errno;
	r = add_client(server, fd, &addr);
	if (r < 0)
		close(fd);
	return r;
}

/* The waiting connection would wake us at once again: look away for a moment. */
static void pause_accepting(struct pb_server *server, int error)
{
	if (mutes_may_log(&server->mutes, &in6addr_any, server->now_ms))
		pb_log(PB_LOG_ERR, "tcp %s: can't take new clients: %s; trying again every %d ms",
		       server->address, strerror(error), PAUSE_MS);
	if (sd_event_source_set_time_relative(server->resume, PAUSE_MS * 1000) >= 0 &&
	    sd_event_source_set_enabled(server->resume, SD_EVENT_ONESHOT) >= 0)
		watch_listeners(server, EPOLL_CTL_MOD, 0);
}

static int on_resume(sd_event_source *source, uint64_t usec, void *userdata)
{
	struct pb_server *server = userdata;

	(void)source;
	(void)usec;
	watch_listeners(server, EPOLL_CTL_MOD, EPOLLIN);
	return 0;
}

static void accept_clients(struct pb_server *server, int listener)
{
	for (int i = 0; i < ACCEPTS_PER_TURN; i++) {
		int r = accept_client(server, listener);

		if (r == -EAGAIN)
			return;
		/* given up by the peer while it waited: the next one may be good */
		if (r < 0 && r != -ECONNABORTED && r != -EINTR) {
			pause_accepting(server, -r);
			return;
		}
	}
}

static int on_ready(sd_event_source *source, int fd, uint32_t revents, void *userdata)
{
	struct pb_server *server = userdata;
	struct epoll_event events[READY_PER_TURN];
	int count = epoll_wait(fd, events, READY_PER_TURN, 0);

	(void)source;
	(void)revents;
	server->now_ms = pb_now_ms();
	for (int i = 0; i < count; i++) {
		uint32_t index = events[i].data.u32;

		/*
		 * A client that was evicted a moment ago may still have its event here, even with a
		 * new client in its place: a turn too many does no harm.
		 */
		if (index >= server->max_clients)
			accept_clients(server, server->listeners[index - server->max_clients]);
		else if (server->clients[index].fd >= 0)
			tcp_client_serve(server, &server->clients[index]);
	}
	return 0;
}

static int make_clients(struct pb_server *server, uint32_t max_clients)
{
	server->clients = calloc(max_clients, sizeof(*server->clients));
	server->stores = calloc(max_clients, sizeof(*server->stores));
	if (!server->clients || !server->stores)
		return -ENOMEM;
	server->max_clients = max_clients;
	for (uint32_t i = 0; i < max_clients; i++) {
		server->clients[i].fd = -1;
		server->clients[i].store = &server->stores[i];
		ring_append(&server->free, &server->clients[i]);
	}
	return 0;
}

static int make_sources(struct pb_server *server, sd_event *event)
{
	int r;

	server->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	if (server->epoll_fd < 0)
		return -errno;
	r = watch_listeners(server, EPOLL_CTL_ADD, EPOLLIN);
	if (r < 0)
		return r;
	r = sd_event_add_io(event, &server->ready, server->epoll_fd, EPOLLIN, on_ready, server);
	if (r < 0)
		return r;
	/* made now, because the moment that it is for may have no descriptor left */
	r = sd_event_add_time(event, &server->resume, CLOCK_MONOTONIC, 0, 0, on_resume, server);
	if (r < 0)
		return r;
	r = sd_event_source_set_enabled(server->resume, SD_EVENT_OFF);
	if (r < 0)
		return r;
	return sd_event_source_set_description(server->ready, server->address);
}

static int make_server(struct pb_server **ret, sd_event *event, const struct tcp_address *address,
		       const char *text, uint32_t max_clients, char *why, size_t why_cap)
{
	PB_CLEANUP(pb_server_freep) struct pb_server *server = calloc(1, sizeof(*server));
	int r;

	if (!server)
		return -ENOMEM;
	server->epoll_fd = -1;
	ring_init(&server->idle);
	ring_init(&server->free);
	server->address = strdup(text);
	if (!server->address)
		return -ENOMEM;
	r = make_clients(server, max_clients);
	if (r < 0)
		return r;
	r = tcp_address_listen(address, text, server->listeners, &server->port, why, why_cap);
	if (r < 0)
		return r;
	server->listener_count = (uint32_t)r;
	r = make_sources(server, event);
	if (r < 0)
		return r;
	*ret = server;
	server = NULL;
	return 0;
}

int pb_server_tcp_new(struct pb_server **ret, sd_event *event, const char *address,
		      uint32_t max_clients, const struct pb_server_backend *backend, void *userdata,
		      char *why, size_t why_cap)
{
	struct tcp_address parsed;
	int r = tcp_address_parse(&parsed, address, why, why_cap);

	if (r < 0)
		return r;
	if (max_clients < 1 || max_clients > MAX_CLIENTS) {
		snprintf(why, why_cap, "%s: %u clients, expected 1 to %d", address, max_clients,
			 MAX_CLIENTS);
		return -EINVAL;
	}
	why[0] = '\0';
	r = make_server(ret, event, &parsed, address, max_clients, why, why_cap);
	if (r < 0 && !why[0])
		snprintf(why, why_cap, "can't listen on %s: %s", address, strerror(-r));
	if (r < 0)
		return r;
	(*ret)->backend = backend;
	(*ret)->userdata = userdata;
	return 0;
}

struct pb_server *pb_server_free(struct pb_server *server)
{
	if (!server)
		return NULL;
	sd_event_source_disable_unref(server->ready);
	sd_event_source_disable_unref(server->resume);
	while (!ring_empty(&server->idle))
		tcp_close(server, server->idle.next);
	for (uint32_t i = 0; i < server->listener_count; i++)
		close(server->listeners[i]);
	if (server->epoll_fd >= 0)
		close(server->epoll_fd);
	free(server->clients);
	free(server->stores);
	free(server->address);
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
