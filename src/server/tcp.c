/* SPDX-License-Identifier: MIT */
/*
 * Modbus over TCP: a server's settings, its listening sockets, and who comes by them.
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
	FRAME_TIMEOUT_MS = 5000,
	GAP_MS = 100,
};

/* ---- new clients ---- */

static bool is_allowed(const struct pb_server *server, const struct pb_peer *peer)
{
	return pb_networks_have(server->allow, server->allow_count, peer->address);
}

/* Without `write` nobody may, while without `allow` everyone may connect. */
static bool may_control(const struct pb_server *server, const struct pb_peer *peer)
{
	return server->write_count > 0 &&
	       pb_networks_have(server->write, server->write_count, peer->address);
}

static bool may_connect(struct pb_server *server, const struct pb_peer *peer, uint64_t now_ms)
{
	if (is_allowed(server, peer))
		return true;
	server->service.stats.refused++;
	if (notice_is_due(&server->refused, now_ms)) {
		pb_log_about(PB_LOG_WARNING,
			     &(struct pb_log_about){.listener = server->name, .client = peer->name},
			     "%s: %s is not in `allow`, refused (%u more since the last such line)",
			     server->name, peer->name, server->refused.left_out);
		server->refused.left_out = 0;
	}
	return false;
}

/* Descriptors are of all servers alike: the one that has the most clients gives one. */
static struct pb_server *fullest(struct pb_hub *hub)
{
	struct pb_server *full = *hub_servers(hub);

	for (struct pb_server *server = full; server; server = server->next)
		if (server->service.stats.clients > full->service.stats.clients)
			full = server;
	return full;
}

static int watch_listeners(struct pb_server *server, uint32_t events, bool again)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < server->listener_count; i++)
		r = hub_watch(server->hub, &server->listeners[i], events, again);
	return r;
}

static int accept_again(sd_event_source *source, uint64_t usec, void *userdata)
{
	struct pb_server *server = userdata;

	(void)source;
	(void)usec;
	watch_listeners(server, EPOLLIN, true);
	return 0;
}

static void say_full(struct pb_server *server, int error, const char *what, uint64_t now_ms)
{
	if (!notice_is_due(&server->full, now_ms))
		return;
	pb_log(PB_LOG_ERR,
	       "%s: no room for a new client (%s), %s (%u more since the last such line)",
	       server->name, strerror(-error), what, server->full.left_out);
	server->full.left_out = 0;
}

/* The connection that waits would wake us at once again: the listeners rest. */
static void pause_accepting(struct pb_server *server, int error, uint64_t now_ms)
{
	say_full(server, error, "trying again in 1 s", now_ms);
	if (sd_event_source_set_time(server->pause, (pb_now_ms() + DOOR_PAUSE_MS) * 1000) >= 0 &&
	    sd_event_source_set_enabled(server->pause, SD_EVENT_ONESHOT) >= 0)
		watch_listeners(server, 0, true);
}

/* There is no client of ours to take a descriptor from, and none of any other kind. */
static void turn_away(struct pb_server *server, int listener, int error, uint64_t now_ms)
{
	if (hub_turn_away(server->hub, listener) < 0)
		pause_accepting(server, error, now_ms);
	else
		say_full(server, error, "closed", now_ms);
}

/* Takes a connection, of which it may have to close another one for the descriptor. */
static int take_connection(struct pb_server *server, int listener, union pb_address *ret,
			   uint64_t now_ms)
{
	struct pb_server *full = fullest(server->hub);
	int fd = door_take(listener, ret);

	if ((fd == -EMFILE || fd == -ENFILE) && full->oldest) {
		clients_evict(full, NULL, "no file descriptor left", now_ms);
		fd = door_take(listener, ret);
	}
	return fd;
}

/* @return 0; -EACCES: it may not connect; another negative errno */
static int add_client(struct pb_server *server, int fd, const union pb_address *address,
		      uint64_t now_ms)
{
	struct pb_peer peer = {0};
	struct client *client;
	int r;

	pb_address_bytes(address, peer.address);
	pb_address_print(address, peer.name, sizeof(peer.name));
	if (!may_connect(server, &peer, now_ms))
		return -EACCES;
	peer.may_control = may_control(server, &peer);
	r = client_new(&client, server, fd, &peer, now_ms);
	if (r < 0)
		return r;
	if (server->service.stats.clients > server->max_clients)
		clients_evict(server, client, "max_clients reached", now_ms);
	if (server->idle_timeout_ms)
		clients_sweep_later(server);
	return 0;
}

/*
 * Takes one client; for the next one the listener is ready again. Without another look at an empty
 * queue: accept() wants a descriptor before it looks, and a client would be evicted for nothing.
 */
void tcp_accept(struct pb_server *server, int listener, uint64_t now_ms)
{
	union pb_address address;
	int fd = take_connection(server, listener, &address, now_ms), r;

	if (fd < 0) {
		if (door_lacks_room(fd))
			turn_away(server, listener, fd, now_ms);
		return; /* else the client has given up already */
	}
	r = add_client(server, fd, &address, now_ms);
	if (r < 0)
		close(fd);
	if (r < 0 && r != -EACCES)
		pause_accepting(server, r, now_ms);
}

/* ---- opening ---- */

static int make_sources(struct pb_server *server)
{
	sd_event *event = hub_event(server->hub);
	int r = watch_listeners(server, EPOLLIN, false);

	if (r < 0)
		return r;
	/* made now: the moment that it is for may have no descriptor left */
	r = sd_event_add_time(event, &server->pause, CLOCK_BOOTTIME, UINT64_MAX, 0, accept_again,
			      server);
	if (r >= 0)
		r = sd_event_source_set_enabled(server->pause, SD_EVENT_OFF);
	return r < 0 ? r : clients_start(server);
}

static int make_listeners(struct pb_server *server, const struct listen_address *address,
			  const char *text, char *why, size_t why_cap)
{
	int fds[LISTEN_SOCKETS];
	int r = listen_open(address, text, fds, &server->port, why, why_cap);

	if (r < 0)
		return r;
	server->listener_count = (size_t)r;
	for (size_t i = 0; i < server->listener_count; i++)
		server->listeners[i] =
			(struct socket){.fd = fds[i], .listens = true, .server = server};
	return 0;
}

static int make_server(struct pb_server **ret, struct pb_hub *hub,
		       const struct listen_address *address, const struct pb_server_config *config,
		       char *why, size_t why_cap)
{
	PB_CLEANUP(pb_server_freep) struct pb_server *server = calloc(1, sizeof(*server));
	int r;

	if (!server)
		return -ENOMEM;
	server->hub = hub;
	server->next = *hub_servers(hub);
	*hub_servers(hub) = server;
	server->framing = config->rtu ? &pb_framing_rtu : &pb_framing_mbap;
	snprintf(server->name, sizeof(server->name), "Modbus %s %s", server->framing->over_tcp,
		 config->address);
	r = make_listeners(server, address, config->address, why, why_cap);
	if (r == 0)
		r = make_sources(server);
	if (r < 0)
		return r;
	*ret = server;
	server = NULL;
	return 0;
}

/* @return 0; negative with the reason in @why, and nothing has changed */
static int configure_networks(struct pb_server *server, const struct pb_server_config *config,
			      char *why, size_t why_cap)
{
	struct pb_network *allow, *write;
	int r = pb_networks_parse(&allow, config->allow, config->allow_count, why, why_cap);

	if (r < 0)
		return r;
	r = pb_networks_parse(&write, config->write, config->write_count, why, why_cap);
	if (r < 0) {
		free(allow);
		return r;
	}
	free(server->allow);
	free(server->write);
	server->allow = allow;
	server->write = write;
	server->allow_count = config->allow_count;
	server->write_count = config->write_count;
	return 0;
}

/* Connected clients go by the new networks, too. */
static void configure_clients(struct pb_server *server)
{
	for (struct client *client = server->oldest, *newer; client; client = newer) {
		newer = client->newer;
		client->peer.may_control = may_control(server, &client->peer);
		if (!is_allowed(server, &client->peer))
			client_close(client);
	}
}

int pb_server_tcp_configure(struct pb_server *server, const struct pb_server_config *config,
			    char *why, size_t why_cap)
{
	int r;

	if (config->max_clients < 1 || config->max_clients > MAX_CLIENTS) {
		snprintf(why, why_cap, "%s: %u clients, expected 1 to %d", config->address,
			 config->max_clients, MAX_CLIENTS);
		return -EINVAL;
	}
	snprintf(why, why_cap, "%s: out of memory", config->address);
	r = configure_networks(server, config, why, why_cap);
	if (r < 0)
		return r;
	server->max_clients = config->max_clients;
	server->frame_timeout_ms =
		config->frame_timeout_ms ? config->frame_timeout_ms : FRAME_TIMEOUT_MS;
	server->idle_timeout_ms = config->idle_timeout_ms;
	server->gap_ms = config->gap_ms ? config->gap_ms : GAP_MS;
	configure_clients(server);
	if (server->idle_timeout_ms && server->oldest)
		clients_sweep_later(server);
	return 0;
}

int pb_server_tcp_new(struct pb_server **ret, struct pb_hub *hub,
		      const struct pb_server_config *config,
		      const struct pb_server_backend *backend, void *userdata, char *why,
		      size_t why_cap)
{
	PB_CLEANUP(pb_server_freep) struct pb_server *server = NULL;
	struct listen_address parsed;
	int r = listen_parse(&parsed, config->address, why, why_cap);

	if (r < 0)
		return r;
	/* for what fails without a better reason */
	snprintf(why, why_cap, "can't listen on %s: out of memory or descriptors", config->address);
	r = make_server(&server, hub, &parsed, config, why, why_cap);
	if (r < 0)
		return r;
	r = pb_server_tcp_configure(server, config, why, why_cap);
	if (r < 0)
		return r;
	server->service.backend = backend;
	server->service.userdata = userdata;
	why[0] = '\0';
	*ret = server;
	server = NULL;
	return 0;
}

void pb_server_pause(struct pb_server *server)
{
	for (size_t i = 0; i < server->listener_count; i++)
		close(server->listeners[i].fd);
	server->listener_count = 0;
}

int pb_server_resume(struct pb_server *server, const char *address, char *why, size_t why_cap)
{
	struct listen_address parsed;
	int r;

	if (server->listener_count)
		return 0;
	r = listen_parse(&parsed, address, why, why_cap);
	if (r < 0)
		return r;
	listen_set_port(&parsed, server->port); /* of port 0, the one that it got */
	r = make_listeners(server, &parsed, address, why, why_cap);
	return r < 0 ? r : watch_listeners(server, EPOLLIN, false);
}

struct pb_server *pb_server_free(struct pb_server *server)
{
	struct pb_server **at;

	if (!server)
		return NULL;
	for (at = hub_servers(server->hub); *at != server; at = &(*at)->next)
		;
	*at = server->next;
	while (server->oldest)
		client_close(server->oldest);
	sd_event_source_disable_unref(server->pause);
	sd_event_source_disable_unref(server->sweep);
	free(server->allow);
	free(server->write);
	trace_free(server->service.trace);
	for (size_t i = 0; i < server->listener_count; i++)
		close(server->listeners[i].fd);
	free(server);
	return NULL;
}

void pb_server_set_userdata(struct pb_server *server, void *userdata)
{
	server->service.userdata = userdata;
}

void pb_server_stats(const struct pb_server *server, struct pb_server_stats *ret)
{
	*ret = server->service.stats;
}

uint16_t pb_server_port(const struct pb_server *server)
{
	return server->port;
}

int pb_server_trace(struct pb_server *server, uint64_t since, uint64_t now_ms, FILE *out)
{
	return trace_tell(&server->service.trace, since, now_ms, out);
}
