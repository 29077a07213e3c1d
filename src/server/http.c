/* SPDX-License-Identifier: MIT */
/*
 * HTTP by libmicrohttpd, on our event loop: no thread of its own, its epoll set inside ours. The
 * library brings a TLS library with it, more memory than all of the daemon, so it is loaded when a
 * page is configured and not before.
 */
#include "packbridge/server.h"

#include "door.h"
#include "guard.h"
#include "listen.h"

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
	CONNECTIONS_PER_ADDRESS = 16,
	IDLE_S = 15,		  /* a connection without a request */
	CONNECTION_BYTES = 16384, /* for the request's head */
	SEND_BYTES = 131072,	  /* what the kernel takes of an answer */
	BLOCK_BYTES = 32768,	  /* of an answer, a turn */
	WHOLE_MS = 60000,	  /* for a request and its answer */
	SWEEP_US = 5000000,
};

/* What is used of the library. */
static struct library {
	void *handle;
	__typeof__(&MHD_start_daemon) start_daemon;
	__typeof__(&MHD_stop_daemon) stop_daemon;
	__typeof__(&MHD_run) run;
	__typeof__(&MHD_add_connection) add_connection;
	__typeof__(&MHD_get_timeout) get_timeout;
	__typeof__(&MHD_get_daemon_info) get_daemon_info;
	__typeof__(&MHD_lookup_connection_value) lookup_connection_value;
	__typeof__(&MHD_get_connection_info) get_connection_info;
	__typeof__(&MHD_suspend_connection) suspend_connection;
	__typeof__(&MHD_resume_connection) resume_connection;
	__typeof__(&MHD_create_response_from_callback) create_response_from_callback;
	__typeof__(&MHD_add_response_header) add_response_header;
	__typeof__(&MHD_queue_response) queue_response;
	__typeof__(&MHD_destroy_response) destroy_response;
} mhd;

/* One socket of it. */
struct listener {
	struct pb_http *http;
	int fd; /* until its door has it */
	struct door door;
	struct MHD_Daemon *daemon;
	struct request *requests;
	sd_event_source *io, *timer, *sweep;
};

/* One request, from its head to the last byte of its answer. */
struct request {
	struct pb_asker asker; /* the first member: it is this request */
	struct listener *listener;
	struct request *next; /* of the listener */
	struct MHD_Connection *connection;
	bool whole, asking, suspended;
	struct pb_answer *answer;
	uint64_t until_ms; /* then it is over, however slowly it is read */
};

struct pb_http {
	const struct pb_http_backend *backend;
	void *userdata;
	struct pb_hub *hub;
	uint16_t port;
	struct guard guard;
	size_t listener_count;
	struct listener listeners[LISTEN_SOCKETS];
};

/* ---- the library ---- */

static bool load_symbol(const char *name, void *ret, size_t size)
{
	void *symbol = dlsym(mhd.handle, name);

	memcpy(ret, &symbol, size);
	return symbol != NULL;
}

static bool load_symbols(void)
{
#define LOAD(name) load_symbol("MHD_" #name, &mhd.name, sizeof(mhd.name))
	return LOAD(start_daemon) && LOAD(stop_daemon) && LOAD(run) && LOAD(add_connection) &&
	       LOAD(get_timeout) && LOAD(get_daemon_info) && LOAD(lookup_connection_value) &&
	       LOAD(get_connection_info) && LOAD(suspend_connection) && LOAD(resume_connection) &&
	       LOAD(create_response_from_callback) && LOAD(add_response_header) &&
	       LOAD(queue_response) && LOAD(destroy_response);
#undef LOAD
}

/* A library without one of them is as good as none. */
static bool load_library(char *why, size_t why_cap)
{
	if (mhd.handle)
		return true;
	mhd.handle = dlopen("libmicrohttpd.so.12", RTLD_NOW | RTLD_LOCAL);
	if (mhd.handle && load_symbols())
		return true;
	snprintf(why, why_cap, "%s", dlerror());
	if (mhd.handle)
		dlclose(mhd.handle);
	mhd.handle = NULL;
	return false;
}

bool pb_http_available(char *why, size_t why_cap)
{
	char reason[256];

	if (load_library(reason, sizeof(reason)))
		return true;
	snprintf(why, why_cap,
		 "a status page needs libmicrohttpd 0.9 (Debian: apt install libmicrohttpd12): %s",
		 reason);
	return false;
}

/* ---- one request ---- */

static ssize_t read_answer(void *userdata, uint64_t at, char *out, size_t cap)
{
	const struct pb_answer *answer = userdata;
	size_t rest = answer->len - (size_t)at, len = rest < cap ? rest : cap;

	memcpy(out, answer->bytes + at, len);
	return (ssize_t)len;
}

static void free_answer(void *userdata)
{
	pb_answer_unref(userdata);
}

static enum MHD_Result respond(struct request *request)
{
	struct pb_answer *answer = request->answer;
	struct MHD_Response *response = mhd.create_response_from_callback(
		answer->len, BLOCK_BYTES, read_answer, pb_answer_ref(answer), free_answer);
	enum MHD_Result r;

	if (!response) {
		pb_answer_unref(answer);
		return MHD_NO;
	}
	mhd.add_response_header(response, "Content-Type", answer->type);
	mhd.add_response_header(response, "Cache-Control", "no-store");
	mhd.add_response_header(response, "X-Content-Type-Options", "nosniff");
	mhd.add_response_header(response, "X-Frame-Options", "DENY");
	/* the page has all that it needs in itself, and asks only us */
	mhd.add_response_header(response, "Content-Security-Policy",
				"default-src 'none'; style-src 'unsafe-inline'; "
				"script-src 'unsafe-inline'; connect-src 'self'; img-src data:; "
				"base-uri 'none'; form-action 'none'; frame-ancestors 'none'");
	if (answer->status == MHD_HTTP_METHOD_NOT_ALLOWED)
		mhd.add_response_header(response, "Allow", "GET, HEAD");
	r = mhd.queue_response(request->connection, answer->status, response);
	mhd.destroy_response(response);
	return r;
}

static const char *argument(void *userdata, const char *name)
{
	return mhd.lookup_connection_value(userdata, MHD_GET_ARGUMENT_KIND, name);
}

static void on_answer(struct pb_asker *asker, struct pb_answer *answer)
{
	struct request *request = (struct request *)asker;

	request->asking = false;
	request->answer = pb_answer_ref(answer);
	if (!request->suspended)
		return;
	/* in its next run the library calls on_request() again */
	request->suspended = false;
	mhd.resume_connection(request->connection);
	sd_event_source_set_time_relative(request->listener->timer, 0);
	sd_event_source_set_enabled(request->listener->timer, SD_EVENT_ONESHOT);
}

/* ---- what is refused ---- */

static const char *host_of(const struct request *request)
{
	return mhd.lookup_connection_value(request->connection, MHD_HEADER_KIND,
					   MHD_HTTP_HEADER_HOST);
}

static bool http_allows(const struct pb_http *http, const struct sockaddr *client)
{
	union pb_address address = {0};

	memcpy(&address, client,
	       client->sa_family == AF_INET6 ? sizeof(address.in6) : sizeof(address.in));
	return guard_address(&http->guard, &address);
}

/* Who was let in may have been taken from the list since. */
static bool http_may_connect(const struct request *request)
{
	const union MHD_ConnectionInfo *info =
		mhd.get_connection_info(request->connection, MHD_CONNECTION_INFO_CLIENT_ADDRESS);

	return info && http_allows(request->listener->http, info->client_addr);
}

/* @return the status that the request gets without looking at what it asks for; 0: none */
static unsigned int verdict(const struct request *request, const char *method)
{
	if (!http_may_connect(request))
		return MHD_HTTP_FORBIDDEN;
	if (!guard_host(&request->listener->http->guard, host_of(request)))
		return MHD_HTTP_MISDIRECTED_REQUEST;
	if (strcmp(method, "GET") != 0 && strcmp(method, "HEAD") != 0)
		return MHD_HTTP_METHOD_NOT_ALLOWED;
	return 0;
}

static void explain_host(const char *host, FILE *out)
{
	char name[256];

	fprintf(out,
		"This page is not shown by the name '%s'. If the name is yours, add it to the "
		"configuration of packbridge:\n\nhttp:\n  address: HOST:PORT\n  hosts: [NAME]\n",
		pb_text_clean(name, sizeof(name), host, strlen(host)));
}

static struct pb_answer *refusal(const struct request *request, unsigned int status)
{
	char *text = NULL;
	size_t len;
	FILE *out = open_memstream(&text, &len);

	if (!out)
		return NULL;
	fprintf(out, "%u\n", status);
	if (status == MHD_HTTP_MISDIRECTED_REQUEST)
		explain_host(host_of(request), out);
	if (fclose(out) == 0)
		return pb_answer_new(status, "text/plain; charset=utf-8", text, len);
	free(text);
	return NULL;
}

/* ---- from the head to the end ---- */

static enum MHD_Result begin_request(struct listener *listener, struct MHD_Connection *connection,
				     void **state)
{
	struct request *request = calloc(1, sizeof(*request));

	if (!request)
		return MHD_NO;
	request->asker.answer = on_answer;
	request->listener = listener;
	request->connection = connection;
	request->until_ms = pb_now_ms() + WHOLE_MS;
	request->next = listener->requests;
	listener->requests = request;
	sd_event_source_set_enabled(listener->sweep, SD_EVENT_ONESHOT);
	*state = request;
	return MHD_YES;
}

static void forget(struct request *request)
{
	struct pb_http *http = request->listener->http;

	if (request->asking)
		http->backend->forget(http->userdata, &request->asker);
	request->asking = false;
}

static void end_request(void *userdata, struct MHD_Connection *connection, void **state,
			enum MHD_RequestTerminationCode code)
{
	struct request *request = *state, **at;

	(void)userdata;
	(void)connection;
	(void)code;
	if (!request)
		return;
	forget(request);
	for (at = &request->listener->requests; *at != request; at = &(*at)->next)
		;
	*at = request->next;
	pb_answer_unref(request->answer);
	free(request);
	*state = NULL;
}

static void ask(struct request *request, const char *url, const char *method)
{
	struct pb_http *http = request->listener->http;

	unsigned int status = verdict(request, method);

	request->whole = true;
	if (status) {
		request->answer = refusal(request, status);
		return;
	}
	request->asking = true;
	http->backend->get(http->userdata, &request->asker, url, argument, request->connection);
	if (!request->asking)
		return;
	request->suspended = true;
	mhd.suspend_connection(request->connection);
}

static enum MHD_Result on_request(void *userdata, struct MHD_Connection *connection,
				  const char *url, const char *method, const char *version,
				  const char *upload, size_t *upload_len, void **state)
{
	struct request *request = *state;

	(void)version;
	(void)upload;
	if (!request) /* only the head is there: the answer is for the next call */
		return begin_request(userdata, connection, state);
	if (*upload_len) { /* nobody has asked for it */
		*upload_len = 0;
		return MHD_YES;
	}
	if (!request->whole)
		ask(request, url, method);
	if (request->answer)
		return respond(request);
	return request->suspended ? MHD_YES : MHD_NO;
}

/* ---- the loop ---- */

static unsigned int connections(const struct listener *listener)
{
	const union MHD_DaemonInfo *info =
		mhd.get_daemon_info(listener->daemon, MHD_DAEMON_INFO_CURRENT_CONNECTIONS);

	return info ? info->num_connections : 0;
}

static int run(struct listener *listener)
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

/* Who reads a little now and then is ended as well: it holds an answer. */
static int on_sweep(sd_event_source *source, uint64_t usec, void *userdata)
{
	struct listener *listener = userdata;
	uint64_t now_ms = pb_now_ms();

	(void)usec;
	for (struct request *request = listener->requests; request; request = request->next) {
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
static void on_client(void *userdata, int fd)
{
	struct listener *listener = userdata;
	union pb_address address = {0};
	socklen_t len = sizeof(address);

	/* what it is sent in one go is bounded by what the kernel takes */
	setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &(int){SEND_BYTES}, sizeof(int));
	if (getpeername(fd, &address.any, &len) < 0 ||
	    !guard_address(&listener->http->guard, &address))
		close(fd);
	else /* closes it when it has too many */
		mhd.add_connection(listener->daemon, fd, &address.any, len);
	run(listener);
}

static int open_listener(struct listener *listener)
{
	const union MHD_DaemonInfo *info;
	sd_event *event = hub_event(listener->http->hub);
	int r;

	listener->daemon = mhd.start_daemon(
		MHD_USE_EPOLL | MHD_USE_NO_LISTEN_SOCKET | MHD_ALLOW_SUSPEND_RESUME, 0, NULL, NULL,
		on_request, listener, MHD_OPTION_NOTIFY_COMPLETED, end_request, NULL,
		MHD_OPTION_CONNECTION_LIMIT, (unsigned int)PB_HTTP_CLIENTS,
		MHD_OPTION_PER_IP_CONNECTION_LIMIT, (unsigned int)CONNECTIONS_PER_ADDRESS,
		MHD_OPTION_CONNECTION_TIMEOUT, (unsigned int)IDLE_S,
		MHD_OPTION_CONNECTION_MEMORY_LIMIT, (size_t)CONNECTION_BYTES, MHD_OPTION_END);
	if (!listener->daemon)
		return -ENOMEM;
	info = mhd.get_daemon_info(listener->daemon, MHD_DAEMON_INFO_EPOLL_FD);
	if (!info)
		return -ENOTSUP;
	r = sd_event_add_io(event, &listener->io, info->listen_fd, EPOLLIN, on_io, listener);
	if (r >= 0)
		r = sd_event_add_time(event, &listener->timer, CLOCK_BOOTTIME, UINT64_MAX, 1,
				      on_timer, listener);
	if (r >= 0)
		r = sd_event_source_set_enabled(listener->timer, SD_EVENT_OFF);
	if (r >= 0)
		r = sd_event_add_time_relative(event, &listener->sweep, CLOCK_BOOTTIME, SWEEP_US, 0,
					       on_sweep, listener);
	if (r >= 0)
		r = sd_event_source_set_enabled(listener->sweep, SD_EVENT_OFF);
	if (r < 0)
		return r;
	r = door_open(&listener->door, listener->http->hub, listener->fd, "status page", on_client,
		      listener);
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
				(struct listener){.http = http, .fd = fds[i], .door.fd = -1};
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
static void let_go(struct listener *listener)
{
	for (struct request *request = listener->requests; request; request = request->next) {
		forget(request);
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
		struct listener *listener = &http->listeners[i];

		door_close(&listener->door);
		sd_event_source_disable_unref(listener->io);
		sd_event_source_disable_unref(listener->timer);
		sd_event_source_disable_unref(listener->sweep);
		let_go(listener);
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
