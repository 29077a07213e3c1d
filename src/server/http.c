/* SPDX-License-Identifier: MIT */
/*
 * HTTP by libmicrohttpd, on our event loop: no thread of its own, its epoll set inside ours. The
 * library brings a TLS library with it, more memory than all of the daemon, so it is loaded when a
 * page is configured and not before.
 */
#include "packbridge/server.h"

#include "address.h"

#include <dlfcn.h>
#include <errno.h>
#include <microhttpd.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <systemd/sd-event.h>
#include <time.h>
#include <unistd.h>

enum {
	CONNECTIONS_MAX = 32,
	CONNECTIONS_PER_ADDRESS = 16,
	IDLE_S = 15,		  /* a connection without a request */
	CONNECTION_BYTES = 16384, /* for the request's head */
};

/* What is used of the library. */
static struct library {
	void *handle;
	__typeof__(&MHD_start_daemon) start_daemon;
	__typeof__(&MHD_stop_daemon) stop_daemon;
	__typeof__(&MHD_run) run;
	__typeof__(&MHD_get_timeout) get_timeout;
	__typeof__(&MHD_get_daemon_info) get_daemon_info;
	__typeof__(&MHD_lookup_connection_value) lookup_connection_value;
	__typeof__(&MHD_create_response_from_buffer) create_response_from_buffer;
	__typeof__(&MHD_add_response_header) add_response_header;
	__typeof__(&MHD_queue_response) queue_response;
	__typeof__(&MHD_destroy_response) destroy_response;
} mhd;

/* One socket of it. */
struct listener {
	struct pb_http *http;
	int fd;
	struct MHD_Daemon *daemon;
	sd_event_source *io, *timer;
};

struct pb_http {
	const struct pb_http_backend *backend;
	void *userdata;
	sd_event *event;
	uint16_t port;
	size_t listener_count;
	struct listener listeners[PB_ADDRESS_SOCKETS];
};

/* ---- the library ---- */

static bool load_symbol(const char *name, void *ret, size_t size)
{
	void *symbol = dlsym(mhd.handle, name);

	memcpy(ret, &symbol, size);
	return symbol != NULL;
}

static bool load_library(void)
{
	if (mhd.handle)
		return true;
	mhd.handle = dlopen("libmicrohttpd.so.12", RTLD_NOW | RTLD_LOCAL);
#define LOAD(name) load_symbol("MHD_" #name, &mhd.name, sizeof(mhd.name))
	return mhd.handle && LOAD(start_daemon) && LOAD(stop_daemon) && LOAD(run) &&
	       LOAD(get_timeout) && LOAD(get_daemon_info) && LOAD(lookup_connection_value) &&
	       LOAD(create_response_from_buffer) && LOAD(add_response_header) &&
	       LOAD(queue_response) && LOAD(destroy_response);
#undef LOAD
}

/* ---- one request ---- */

static enum MHD_Result respond(struct MHD_Connection *connection, unsigned int status,
			       const char *type, void *bytes, size_t len)
{
	struct MHD_Response *response =
		mhd.create_response_from_buffer(len, bytes, MHD_RESPMEM_MUST_FREE);
	enum MHD_Result r;

	if (!response) {
		free(bytes);
		return MHD_NO;
	}
	mhd.add_response_header(response, "Content-Type", type);
	mhd.add_response_header(response, "Cache-Control", "no-store");
	mhd.add_response_header(response, "X-Content-Type-Options", "nosniff");
	mhd.add_response_header(response, "X-Frame-Options", "DENY");
	/* the page has all that it needs in itself, and asks only us */
	mhd.add_response_header(response, "Content-Security-Policy",
				"default-src 'none'; style-src 'unsafe-inline'; "
				"script-src 'unsafe-inline'; connect-src 'self'; img-src data:; "
				"base-uri 'none'; form-action 'none'; frame-ancestors 'none'");
	if (status == MHD_HTTP_METHOD_NOT_ALLOWED)
		mhd.add_response_header(response, "Allow", "GET, HEAD");
	r = mhd.queue_response(connection, status, response);
	mhd.destroy_response(response);
	return r;
}

static const char *argument(void *userdata, const char *name)
{
	return mhd.lookup_connection_value(userdata, MHD_GET_ARGUMENT_KIND, name);
}

static enum MHD_Result on_request(void *userdata, struct MHD_Connection *connection,
				  const char *url, const char *method, const char *version,
				  const char *upload, size_t *upload_len, void **state)
{
	static int seen;
	struct pb_http *http = userdata;
	const char *type = "text/plain; charset=utf-8";
	unsigned int status = MHD_HTTP_METHOD_NOT_ALLOWED;
	char *bytes = NULL;
	size_t len = 0;
	FILE *out;

	(void)version;
	(void)upload;
	if (!*state) { /* only the head is there: the answer is for the next call */
		*state = &seen;
		return MHD_YES;
	}
	if (*upload_len) { /* nobody has asked for it */
		*upload_len = 0;
		return MHD_YES;
	}
	out = open_memstream(&bytes, &len);
	if (!out)
		return MHD_NO;
	if (strcmp(method, "GET") == 0 || strcmp(method, "HEAD") == 0)
		status = http->backend->get(http->userdata, url, argument, connection, out, &type);
	if (status != MHD_HTTP_OK)
		fprintf(out, "%u\n", status);
	if (fclose(out) != 0) {
		free(bytes);
		return MHD_NO;
	}
	return respond(connection, status, type, bytes, len);
}

/* ---- the loop ---- */

static int run(struct listener *listener)
{
	MHD_UNSIGNED_LONG_LONG ms;

	mhd.run(listener->daemon);
	if (mhd.get_timeout(listener->daemon, &ms) != MHD_YES) {
		sd_event_source_set_enabled(listener->timer, SD_EVENT_OFF);
		return 0;
	}
	sd_event_source_set_time_relative(listener->timer, (uint64_t)ms * 1000);
	sd_event_source_set_enabled(listener->timer, SD_EVENT_ONESHOT);
	return 0;
}

static int on_io(sd_event_source *source, int fd, uint32_t revents, void *userdata)
{
	(void)source;
	(void)fd;
	(void)revents;
	return run(userdata);
}

static int on_timer(sd_event_source *source, uint64_t usec, void *userdata)
{
	(void)source;
	(void)usec;
	return run(userdata);
}

static int open_listener(struct listener *listener)
{
	const union MHD_DaemonInfo *info;
	sd_event *event = listener->http->event;
	int r;

	listener->daemon = mhd.start_daemon(
		MHD_USE_EPOLL, 0, NULL, NULL, on_request, listener->http, MHD_OPTION_LISTEN_SOCKET,
		listener->fd, MHD_OPTION_CONNECTION_LIMIT, (unsigned int)CONNECTIONS_MAX,
		MHD_OPTION_PER_IP_CONNECTION_LIMIT, (unsigned int)CONNECTIONS_PER_ADDRESS,
		MHD_OPTION_CONNECTION_TIMEOUT, (unsigned int)IDLE_S,
		MHD_OPTION_CONNECTION_MEMORY_LIMIT, (size_t)CONNECTION_BYTES, MHD_OPTION_END);
	if (!listener->daemon)
		return -ENOMEM;
	listener->fd = -1; /* it is the library's now */
	info = mhd.get_daemon_info(listener->daemon, MHD_DAEMON_INFO_EPOLL_FD);
	if (!info)
		return -ENOTSUP;
	r = sd_event_add_io(event, &listener->io, info->listen_fd, EPOLLIN, on_io, listener);
	if (r >= 0)
		r = sd_event_add_time(event, &listener->timer, CLOCK_BOOTTIME, UINT64_MAX, 0,
				      on_timer, listener);
	return r < 0 ? r : sd_event_source_set_enabled(listener->timer, SD_EVENT_OFF);
}

int pb_http_new(struct pb_http **ret, sd_event *event, const char *address,
		const struct pb_http_backend *backend, void *userdata, char *why, size_t why_cap)
{
	PB_CLEANUP(pb_http_freep) struct pb_http *http = NULL;
	struct pb_address parsed;
	int fds[PB_ADDRESS_SOCKETS];
	uint16_t port;
	int r = pb_address_parse(&parsed, address, why, why_cap);

	if (r < 0)
		return r;
	if (!load_library()) {
		snprintf(why, why_cap,
			 "%s: a status page needs libmicrohttpd 0.9 (Debian: "
			 "apt install libmicrohttpd12): %s",
			 address, dlerror());
		return -ENOENT;
	}
	r = pb_address_listen(&parsed, address, fds, &port, why, why_cap);
	if (r < 0)
		return r;
	http = calloc(1, sizeof(*http));
	for (int i = 0; i < r; i++) {
		if (!http)
			close(fds[i]);
		else
			http->listeners[http->listener_count++] =
				(struct listener){.http = http, .fd = fds[i]};
	}
	snprintf(why, why_cap, "%s: out of memory or descriptors", address);
	if (!http)
		return -ENOMEM;
	http->port = port;
	http->backend = backend;
	http->userdata = userdata;
	http->event = sd_event_ref(event);
	for (size_t i = 0; i < http->listener_count; i++) {
		r = open_listener(&http->listeners[i]);
		if (r < 0)
			return r;
	}
	*ret = http;
	http = NULL;
	return 0;
}

struct pb_http *pb_http_free(struct pb_http *http)
{
	if (!http)
		return NULL;
	for (size_t i = 0; i < http->listener_count; i++) {
		struct listener *listener = &http->listeners[i];

		sd_event_source_disable_unref(listener->io);
		sd_event_source_disable_unref(listener->timer);
		if (listener->daemon)
			mhd.stop_daemon(listener->daemon);
		if (listener->fd >= 0)
			close(listener->fd);
	}
	sd_event_unref(http->event);
	free(http);
	return NULL;
}

uint16_t pb_http_port(const struct pb_http *http)
{
	return http->port;
}
