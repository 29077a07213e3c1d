/* SPDX-License-Identifier: MIT */
/*
 * One request of the page:
 *
 *	head ─ begin_request() ─▶ all of it ─ http_ask() ─▶ answer ─ respond() ─▶ http_end_request()
 *	                                        └─▶ suspended ─ http_on_answer() ─┘
 *
 * The library calls http_on_request() for the head, for the whole, and once more when a suspended
 * request has its answer.
 */
#include "http.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <systemd/sd-event.h>

enum {
	BLOCK_BYTES = 32768, /* of an answer, a turn */
	WHOLE_MS = 60000,    /* for a request and its answer */
};

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

static enum MHD_Result respond(struct http_request *request)
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

static void http_on_answer(struct pb_asker *asker, struct pb_answer *answer)
{
	struct http_request *request = (struct http_request *)asker;

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

static const char *host_of(const struct http_request *request)
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
static bool http_may_connect(const struct http_request *request)
{
	const union MHD_ConnectionInfo *info =
		mhd.get_connection_info(request->connection, MHD_CONNECTION_INFO_CLIENT_ADDRESS);

	return info && http_allows(request->listener->http, info->client_addr);
}

/* @return the status that the request gets without looking at what it asks for; 0: none */
static unsigned int verdict(const struct http_request *request, const char *method)
{
	if (!http_may_connect(request))
		return MHD_HTTP_FORBIDDEN;
	if (!guard_host(&request->listener->http->guard, host_of(request)))
		return MHD_HTTP_MISDIRECTED_REQUEST;
	if (strcmp(method, "GET") != 0 && strcmp(method, "HEAD") != 0)
		return MHD_HTTP_METHOD_NOT_ALLOWED;
	return 0;
}

static void http_explain_host(const char *host, FILE *out)
{
	char name[256];

	fprintf(out,
		"This page does not answer to the name '%s'. If the name is yours, add it to the "
		"configuration of packbridge:\n"
		"\n"
		"http:\n"
		"  address: HOST:PORT\n"
		"  hosts: [NAME]\n",
		pb_text_clean(name, sizeof(name), host, strlen(host)));
}

static struct pb_answer *http_refusal(const struct http_request *request, unsigned int status)
{
	char *text = NULL;
	size_t len;
	FILE *out = open_memstream(&text, &len);

	if (!out)
		return NULL;
	fprintf(out, "%u\n", status);
	if (status == MHD_HTTP_MISDIRECTED_REQUEST)
		http_explain_host(host_of(request), out);
	if (fclose(out) == 0)
		return pb_answer_new(status, "text/plain; charset=utf-8", text, len);
	free(text);
	return NULL;
}

/* ---- from the head to the end ---- */

static enum MHD_Result begin_request(struct http_listener *listener,
				     struct MHD_Connection *connection, void **state)
{
	struct http_request *request = calloc(1, sizeof(*request));

	if (!request)
		return MHD_NO;
	request->asker.answer = http_on_answer;
	request->listener = listener;
	request->connection = connection;
	request->until_ms = pb_now_ms() + WHOLE_MS;
	request->next = listener->requests;
	listener->requests = request;
	sd_event_source_set_enabled(listener->sweep, SD_EVENT_ONESHOT);
	*state = request;
	return MHD_YES;
}

void http_forget(struct http_request *request)
{
	struct pb_http *http = request->listener->http;

	if (request->asking)
		http->backend->forget(http->userdata, &request->asker);
	request->asking = false;
}

void http_end_request(void *userdata, struct MHD_Connection *connection, void **state,
		      enum MHD_RequestTerminationCode code)
{
	struct http_request *request = *state, **at;

	(void)userdata;
	(void)connection;
	(void)code;
	if (!request)
		return;
	http_forget(request);
	for (at = &request->listener->requests; *at != request; at = &(*at)->next)
		;
	*at = request->next;
	pb_answer_unref(request->answer);
	free(request);
	*state = NULL;
}

static void http_ask(struct http_request *request, const char *url, const char *method)
{
	struct pb_http *http = request->listener->http;

	unsigned int status = verdict(request, method);

	request->whole = true;
	if (status) {
		request->answer = http_refusal(request, status);
		return;
	}
	request->asking = true;
	http->backend->get(http->userdata, &request->asker, url, argument, request->connection);
	if (!request->asking)
		return;
	request->suspended = true;
	mhd.suspend_connection(request->connection);
}

enum MHD_Result http_on_request(void *userdata, struct MHD_Connection *connection, const char *url,
				const char *method, const char *version, const char *upload,
				size_t *upload_len, void **state)
{
	struct http_request *request = *state;

	(void)version;
	(void)upload;
	if (!request) /* only the head is there: the answer is for the next call */
		return begin_request(userdata, connection, state);
	if (*upload_len) { /* nobody has asked for it */
		*upload_len = 0;
		return MHD_YES;
	}
	if (!request->whole)
		http_ask(request, url, method);
	if (request->answer)
		return respond(request);
	return request->suspended ? MHD_YES : MHD_NO;
}
