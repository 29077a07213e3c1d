/* SPDX-License-Identifier: MIT */
/*
 * HTTP by libmicrohttpd on our event loop: without threads, with its epoll set inside ours. Our
 * doors accept the connections and pass them on, since the library would retry endlessly while no
 * descriptor is left.
 */
#include "http.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <systemd/sd-event.h>
#include <time.h>
#include <unistd.h>

enum {
	CONNECTIONS_PER_ADDRESS = 16,
	IDLE_S = 15,		  /* a connection without a request */
	CONNECTION_BYTES = 16384, /* for the request's head */
	SEND_BYTES = 131072,	  /* what the kernel takes of an answer */
	SWEEP_US = 5000000,
};

/* ---- the loop ---- */

static unsigned int connections(const struct http_listener *listener)
{
	const union MHD_DaemonInfo *info =
		mhd.get_daemon_info(listener->daemon, MHD_DAEMON_INFO_CURRENT_CONNECTIONS);

	return info ? info->num_connections : 0;
}

static int http_run(struct http_listener *listener)
{
	MHD_UNSIGNED_LONG_LONG ms;

	mhd.run(listener->daemon);
	door_hold(&listener->door, connections(listener) >= PB_HTTP_CLIENTS);
	if (mhd.get_timeout(listener->daemon, &ms) != MHD_YES) {
		sd_event_source_set_enabled(listener->timer, SD_EVENT_OFF);
		return 0;
	}
	sd_event_source_set_time_relative(listener->timer, (uint64_t)ms * 1000);
	sd_event_source_set_enabled(listener->timer, SD_EVENT_ONESHOT);
	return 0;
}

static int http_on_io(sd_event_source *source, int fd, uint32_t revents, void *userdata)
{
	(void)source;
	(void)fd;
	(void)revents;
	return http_run(userdata);
}

static int http_on_timer(sd_event_source *source, uint64_t usec, void *userdata)
{
	(void)source;
	(void)usec;
	return http_run(userdata);
}

/* Who reads a little now and then is ended as well: it holds an answer. */
static int http_on_sweep(sd_event_source *source, uint64_t usec, void *userdata)
{
	struct http_listener *listener = userdata;
	uint64_t now_ms = pb_now_ms();

	(void)usec;
	for (struct http_request *request = listener->requests; request; request = request->next) {
		const union MHD_ConnectionInfo *info = mhd.get_connection_info(
			request->connection, MHD_CONNECTION_INFO_CONNECTION_FD);

		if (now_ms >= request->until_ms && info)
			shutdown(info->connect_fd, SHUT_RDWR); /* the library will notice */
	}
	sd_event_source_set_time_relative(source, SWEEP_US);
	return sd_event_source_set_enabled(source,
					   listener->requests ? SD_EVENT_ONESHOT : SD_EVENT_OFF);
}

/* The library itself would try for ever while there is no descriptor. */
static void http_on_client(void *userdata, int fd)
{
	struct http_listener *listener = userdata;
	union pb_address address = {0};
	socklen_t len = sizeof(address);

	/* what it is sent in one go is bounded by what the kernel takes */
	setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &(int){SEND_BYTES}, sizeof(int));
	if (getpeername(fd, &address.any, &len) < 0 ||
	    !guard_address(&listener->http->guard, &address))
		close(fd);
	else /* closes it when it has too many */
		mhd.add_connection(listener->daemon, fd, &address.any, len);
	http_run(listener);
}

static int open_listener(struct http_listener *listener)
{
	const union MHD_DaemonInfo *info;
	sd_event *event = hub_event(listener->http->hub);
	int r;

	listener->daemon = mhd.start_daemon(
		MHD_USE_EPOLL | MHD_USE_NO_LISTEN_SOCKET | MHD_ALLOW_SUSPEND_RESUME, 0, NULL, NULL,
		http_on_request, listener, MHD_OPTION_NOTIFY_COMPLETED, http_end_request, NULL,
		MHD_OPTION_CONNECTION_LIMIT, (unsigned int)PB_HTTP_CLIENTS,
		MHD_OPTION_PER_IP_CONNECTION_LIMIT, (unsigned int)CONNECTIONS_PER_ADDRESS,
		MHD_OPTION_CONNECTION_TIMEOUT, (unsigned int)IDLE_S,
		MHD_OPTION_CONNECTION_MEMORY_LIMIT, (size_t)CONNECTION_BYTES, MHD_OPTION_END);
	if (!listener->daemon)
		return -ENOMEM;
	info = mhd.get_daemon_info(listener->daemon, MHD_DAEMON_INFO_EPOLL_FD);
	if (!info)
		return -ENOTSUP;
	r = sd_event_add_io(event, &listener->io, info->listen_fd, EPOLLIN, http_on_io, listener);
	if (r >= 0)
		r = sd_event_add_time(event, &listener->timer, CLOCK_BOOTTIME, UINT64_MAX, 1,
				      http_on_timer, listener);
	if (r >= 0)
		r = sd_event_source_set_enabled(listener->timer, SD_EVENT_OFF);
	if (r >= 0)
		r = sd_event_add_time_relative(event, &listener->sweep, CLOCK_BOOTTIME, SWEEP_US, 0,
					       http_on_sweep, listener);
	if (r >= 0)
		r = sd_event_source_set_enabled(listener->sweep, SD_EVENT_OFF);
	if (r < 0)
		return r;
	r = door_open(&listener->door, listener->http->hub, listener->fd, "status page",
		      http_on_client, listener);
	listener->fd = -1;
	return r;
}

int pb_http_configure(struct pb_http *http, const struct pb_http_config *config)
{
	struct guard guard;
	char why[256];
	int r = guard_make(&guard, config->hosts, config->host_count, config->allow,
			   config->allow_count, why, sizeof(why));

	if (r < 0)
		return r;
	guard_clear(&http->guard);
	http->guard = guard;
	return 0;
}

int pb_http_new(struct pb_http **ret, struct pb_hub *hub, const struct pb_http_config *config,
		const struct pb_http_backend *backend, void *userdata, char *why, size_t why_cap)
{
	PB_CLEANUP(pb_http_freep) struct pb_http *http = NULL;
	const char *address = config->address;
	struct listen_address parsed;
	int fds[LISTEN_SOCKETS];
	uint16_t port;
	int r = listen_parse(&parsed, address, why, why_cap);

	if (r < 0)
		return r;
	if (!pb_http_available(why, why_cap))
		return -ENOENT;
	r = listen_open(&parsed, address, fds, &port, why, why_cap);
	if (r < 0)
		return r;
	http = calloc(1, sizeof(*http));
	for (int i = 0; i < r; i++) {
		if (!http)
			close(fds[i]);
		else
			http->listeners[http->listener_count++] =
				(struct http_listener){.http = http, .fd = fds[i], .door.fd = -1};
	}
	snprintf(why, why_cap, "%s: out of memory or descriptors", address);
	if (!http)
		return -ENOMEM;
	http->port = port;
	http->backend = backend;
	http->userdata = userdata;
	http->hub = hub;
	r = guard_make(&http->guard, config->hosts, config->host_count, config->allow,
		       config->allow_count, why, why_cap);
	if (r < 0)
		return r;
	for (size_t i = 0; i < http->listener_count; i++) {
		r = open_listener(&http->listeners[i]);
		if (r < 0)
			return r;
	}
	*ret = http;
	http = NULL;
	return 0;
}

/* A suspended connection can not be ended by the library. */
static void http_let_go(struct http_listener *listener)
{
	for (struct http_request *request = listener->requests; request; request = request->next) {
		http_forget(request);
		if (request->suspended)
			mhd.resume_connection(request->connection);
		request->suspended = false;
	}
}

struct pb_http *pb_http_free(struct pb_http *http)
{
	if (!http)
		return NULL;
	for (size_t i = 0; i < http->listener_count; i++) {
		struct http_listener *listener = &http->listeners[i];

		door_close(&listener->door);
		sd_event_source_disable_unref(listener->io);
		sd_event_source_disable_unref(listener->timer);
		sd_event_source_disable_unref(listener->sweep);
		http_let_go(listener);
		if (listener->daemon)
			mhd.stop_daemon(listener->daemon);
		if (listener->fd >= 0)
			close(listener->fd);
	}
	guard_clear(&http->guard);
	free(http);
	return NULL;
}

uint16_t pb_http_port(const struct pb_http *http)
{
	return http->port;
}
