/* SPDX-License-Identifier: MIT */
/*
 * Modbus TCP. All sockets of a server stand in an epoll set of its own, and that set is one source
 * of the event loop: however many clients are ready, the loop turns once. When there are too many
 * clients, the longest idle makes way.
 */
#include "tcp.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <systemd/sd-event.h>
#include <time.h>
#include <unistd.h>

enum {
	MAX_CLIENTS = 4096,
	BATCH = 64, /* ready sockets a turn of the loop */
	FRAME_TIMEOUT_MS = 5000,
	SWEEPS = 4,		/* in the shortest timeout */
	ACCEPT_PAUSE_MS = 1000, /* when there is no descriptor, and no client to take one from */
};

/* ---- clients whose time is over ---- */

static uint32_t sweep_ms(const struct pb_server *server)
{
	uint32_t least = server->frame_timeout_ms;

	if (server->idle_timeout_ms && server->idle_timeout_ms < least)
		least = server->idle_timeout_ms;
	return least / SWEEPS + 1;
}

void tcp_sweep_later(struct pb_server *server)
{
	if (server->sweeping)
		return;
	sd_event_source_set_time_relative(server->sweep, sweep_ms(server) * UINT64_C(1000));
	sd_event_source_set_enabled(server->sweep, SD_EVENT_ONESHOT);
	server->sweeping = true;
}

static int sweep(sd_event_source *source, uint64_t usec, void *userdata)
{
	struct pb_server *server = userdata;
	uint64_t now_ms = pb_now_ms();
	bool again = server->idle_timeout_ms && server->oldest;

	(void)source;
	(void)usec;
	server->sweeping = false;
	for (struct client *client = server->oldest, *newer; client; client = newer) {
		newer = client->newer;
		if ((client->stuck_ms && now_ms - client->stuck_ms >= server->frame_timeout_ms) ||
		    (server->idle_timeout_ms &&
		     now_ms - client->active_ms >= server->idle_timeout_ms)) {
			server->stats.timeouts++;
			tcp_client_close(server, client);
		} else if (client->stuck_ms) {
			again = true;
		}
	}
	if (again)
		tcp_sweep_later(server);
	return 0;
}

/* ---- new clients ---- */

static bool may_connect(struct pb_server *server, int fd, uint64_t now_ms)
{
	struct sockaddr_storage address = {0};
	socklen_t len = sizeof(address);
	struct client nobody = {.socket = {.fd = fd}};
	char host[64];

	if (server->allow_count == 0)
		return true;
	if (getpeername(fd, (struct sockaddr *)&address, &len) == 0 &&
	    allow_match(server->allow, server->allow_count, (struct sockaddr *)&address))
		return true;
	server->stats.refused++;
	if (tcp_notice_is_due(&server->refused, now_ms)) {
		pb_log(PB_LOG_WARNING,
		       "%s: %s is not among `allow`, refused (%u more since the last such line)",
		       server->name, tcp_client_peer(&nobody, host, sizeof(host)),
		       server->refused.left_out);
		server->refused.left_out = 0;
	}
	return false;
}

static void evict_oldest(struct pb_server *server, const char *cause, uint64_t now_ms)
{
	struct client *client = server->oldest;
	struct notice *notice = &server->evicted;
	char host[64];

	if (tcp_notice_is_due(notice, now_ms)) {
		pb_log(PB_LOG_WARNING,
		       "%s: %s: client %s, idle for %.1f s and the longest of %u, closed for a new "
		       "one (%u more since the last such line)",
		       server->name, cause, tcp_client_peer(client, host, sizeof(host)),
		       (double)(now_ms - client->active_ms) / 1000, server->stats.clients,
		       notice->left_out);
		notice->left_out = 0;
	}
	server->stats.evicted++;
	tcp_client_close(server, client);
}

static int watch_listeners(struct pb_server *server, int operation, uint32_t events)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < server->listener_count; i++) {
		struct socket *listener = &server->listeners[i];
		struct epoll_event event = {.events = events, .data.ptr = listener};

		if (epoll_ctl(server->epoll_fd, operation, listener->fd, &event) < 0)
			r = -errno;
	}
	return r;
}

static int accept_again(sd_event_source *source, uint64_t usec, void *userdata)
{
	struct pb_server *server = userdata;

	(void)source;
	(void)usec;
	watch_listeners(server, EPOLL_CTL_MOD, EPOLLIN);
	return 0;
}

/* The connection that waits would wake us at once again: the listeners rest. */
static void pause_accepting(struct pb_server *server, int error)
{
	pb_log(PB_LOG_ERR, "%s: no room for a new client (%s), trying again in %.1f s",
	       server->name, strerror(error), (double)ACCEPT_PAUSE_MS / 1000);
	if (sd_event_source_set_time_relative(server->pause, ACCEPT_PAUSE_MS * UINT64_C(1000)) >=
		    0 &&
	    sd_event_source_set_enabled(server->pause, SD_EVENT_ONESHOT) >= 0)
		watch_listeners(server, EPOLL_CTL_MOD, 0);
}

/*
 * Takes one client; for the next one the listener is ready again. Without another look at an empty
 * queue: accept() wants a descriptor before it looks, and a client would be evicted for nothing.
 */
static void accept_client(struct pb_server *server, int listener, uint64_t now_ms)
{
	const int flags = SOCK_NONBLOCK | SOCK_CLOEXEC;
	int fd = accept4(listener, NULL, NULL, flags), r;

	if (fd < 0 && (errno == EMFILE || errno == ENFILE) && server->oldest) {
		evict_oldest(server, "no file descriptor left", now_ms);
		fd = accept4(listener, NULL, NULL, flags);
	}
	if (fd < 0) {
		if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM)
			pause_accepting(server, errno);
		return; /* else the client has given up already */
	}
	if (!may_connect(server, fd, now_ms)) {
		close(fd);
		return;
	}
	if (server->stats.clients >= server->max_clients)
		evict_oldest(server, "max_clients reached", now_ms);
	r = tcp_client_new(server, fd, now_ms);
	if (r < 0) {
		close(fd);
		pause_accepting(server, -r);
	} else if (server->idle_timeout_ms) {
		tcp_sweep_later(server);
	}
}

static int server_turn(sd_event_source *source, int fd, uint32_t revents, void *userdata)
{
	struct pb_server *server = userdata;
	struct epoll_event events[BATCH];
	int count = epoll_wait(fd, events, BATCH, 0);
	uint64_t now_ms = pb_now_ms();
	int knocked[PB_ADDRESS_SOCKETS];
	size_t knocks = 0;

	(void)source;
	(void)revents;
	for (int i = 0; i < count; i++) {
		struct socket *socket = events[i].data.ptr;

		if (socket->listens)
			knocked[knocks++] = socket->fd;
		else
			tcp_client_turn(server, (struct client *)socket, events[i].events, now_ms);
	}
	/* last, because it may close a client that has its turn in this batch */
	for (size_t i = 0; i < knocks; i++)
		accept_client(server, knocked[i], now_ms);
	return 0;
}

/* ---- opening ---- */

static int make_sources(struct pb_server *server, sd_event *event)
{
	int r;

	server->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	if (server->epoll_fd < 0)
		return -errno;
	r = watch_listeners(server, EPOLL_CTL_ADD, EPOLLIN);
	if (r < 0)
		return r;
	r = sd_event_add_io(event, &server->source, server->epoll_fd, EPOLLIN, server_turn, server);
	if (r < 0)
		return r;
	/* made now: the moment that it is for may have no descriptor left */
	r = sd_event_add_time(event, &server->pause, CLOCK_BOOTTIME, UINT64_MAX, 0, accept_again,
			      server);
	if (r >= 0)
		r = sd_event_source_set_enabled(server->pause, SD_EVENT_OFF);
	if (r >= 0)
		r = sd_event_add_time(event, &server->sweep, CLOCK_BOOTTIME, UINT64_MAX, 0, sweep,
				      server);
	return r < 0 ? r : sd_event_source_set_enabled(server->sweep, SD_EVENT_OFF);
}

static int make_listeners(struct pb_server *server, const struct pb_address *address,
			  const char *text, char *why, size_t why_cap)
{
	int fds[PB_ADDRESS_SOCKETS];
	int r = pb_address_listen(address, text, fds, &server->port, why, why_cap);

	if (r < 0)
		return r;
	server->listener_count = (size_t)r;
	for (size_t i = 0; i < server->listener_count; i++)
		server->listeners[i] = (struct socket){.fd = fds[i], .listens = true};
	return 0;
}

static int make_server(struct pb_server **ret, sd_event *event, const struct pb_address *address,
		       const char *text, char *why, size_t why_cap)
{
	PB_CLEANUP(pb_server_freep) struct pb_server *server = calloc(1, sizeof(*server));
	int r;

	if (!server)
		return -ENOMEM;
	server->epoll_fd = -1;
	snprintf(server->name, sizeof(server->name), "Modbus TCP %s", text);
	r = make_listeners(server, address, text, why, why_cap);
	if (r == 0)
		r = make_sources(server, event);
	if (r < 0)
		return r;
	*ret = server;
	server = NULL;
	return 0;
}

static int set_allow(struct pb_server *server, const struct pb_server_config *config, char *why,
		     size_t why_cap)
{
	server->allow = calloc(config->allow_count + 1, sizeof(*server->allow));
	if (!server->allow)
		return -ENOMEM;
	for (size_t i = 0; i < config->allow_count; i++)
		if (allow_parse(&server->allow[i], config->allow[i], why, why_cap) < 0)
			return -EINVAL;
	server->allow_count = config->allow_count;
	return 0;
}

int pb_server_tcp_new(struct pb_server **ret, sd_event *event,
		      const struct pb_server_config *config,
		      const struct pb_server_backend *backend, void *userdata, char *why,
		      size_t why_cap)
{
	PB_CLEANUP(pb_server_freep) struct pb_server *server = NULL;
	struct pb_address parsed;
	int r = pb_address_parse(&parsed, config->address, why, why_cap);

	if (r < 0)
		return r;
	if (config->max_clients < 1 || config->max_clients > MAX_CLIENTS) {
		snprintf(why, why_cap, "%s: %u clients, expected 1 to %d", config->address,
			 config->max_clients, MAX_CLIENTS);
		return -EINVAL;
	}
	/* for what fails without a better reason */
	snprintf(why, why_cap, "can't listen on %s: out of memory or descriptors", config->address);
	r = make_server(&server, event, &parsed, config->address, why, why_cap);
	if (r >= 0)
		r = set_allow(server, config, why, why_cap);
	if (r < 0)
		return r;
	server->max_clients = config->max_clients;
	server->frame_timeout_ms =
		config->frame_timeout_ms ? config->frame_timeout_ms : FRAME_TIMEOUT_MS;
	server->idle_timeout_ms = config->idle_timeout_ms;
	server->backend = backend;
	server->userdata = userdata;
	why[0] = '\0';
	*ret = server;
	server = NULL;
	return 0;
}

struct pb_server *pb_server_free(struct pb_server *server)
{
	if (!server)
		return NULL;
	while (server->oldest)
		tcp_client_close(server, server->oldest);
	sd_event_source_disable_unref(server->source);
	sd_event_source_disable_unref(server->pause);
	sd_event_source_disable_unref(server->sweep);
	free(server->allow);
	for (size_t i = 0; i < server->listener_count; i++)
		close(server->listeners[i].fd);
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
