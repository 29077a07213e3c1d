/* SPDX-License-Identifier: MIT */
/*
 * The page's insides: http_library.c has the library, http.c the sockets and the loop,
 * http_request.c what becomes of one request.
 */
#pragma once

#include "door.h"
#include "guard.h"
#include "listen.h"

#include <microhttpd.h>

/* ---- http_library.c ---- */

/** What is used of the library: NULL until pb_http_available() has loaded it. */
extern struct http_library {
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

/* ---- http.c, and who owns what ---- */

/** One socket of the page, with the library's part behind it. */
struct http_listener {
	struct pb_http *http;
	int fd; /* until its door has it */
	struct door door;
	struct MHD_Daemon *daemon;
	struct http_request *requests;
	sd_event_source *io, *timer, *sweep;
};

/** One request, from its head to the last byte of its answer. */
struct http_request {
	struct pb_asker asker; /* the first member: it is this request */
	struct http_listener *listener;
	struct http_request *next; /* of the listener */
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
	struct http_listener listeners[LISTEN_SOCKETS];
};

/* ---- http_request.c ---- */

/** For MHD_start_daemon(); @userdata is a listener. */
enum MHD_Result http_on_request(void *userdata, struct MHD_Connection *connection, const char *url,
				const char *method, const char *version, const char *upload,
				size_t *upload_len, void **state);
/** For MHD_OPTION_NOTIFY_COMPLETED. */
void http_end_request(void *userdata, struct MHD_Connection *connection, void **state,
		      enum MHD_RequestTerminationCode code);
/** Waits for no answer any more: the backend forgets the request. */
void http_forget(struct http_request *request);
