/* SPDX-License-Identifier: MIT */
/*
 * Northbound side: servers for Modbus clients. A server does not know batteries: it asks its
 * backend for the image of a unit and answers from it.
 */
#pragma once

#include "packbridge/base.h"
#include "packbridge/modbus.h"
#include "packbridge/serial.h"

#include <stdio.h>

typedef struct sd_event sd_event;

/** The source of the units of a server. */
struct pb_server_backend {
	const struct pb_identity *identity; /**< for functions 17 and 43/14; NULL: unknown */
	/** @return whether @unit (0..255) exists; makes no image. */
	bool (*owns)(void *userdata, uint8_t unit);
	/**
	 * Gives the image of @unit (0..255) for @peer, up to date for @now_ms. May set timers of
	 * the event loop.
	 * @return borrowed, valid until the caller returns to the event loop; NULL: no such unit.
	 */
	const struct pb_image *(*unit)(void *userdata, const struct pb_peer *peer, uint8_t unit,
				       uint64_t now_ms);
};

/** Counters of one server; they wrap at 2^32 (clients is a gauge). */
struct pb_server_stats {
	uint32_t clients; /**< connected now */
	uint32_t accepted;
	uint32_t evicted;    /**< closed to let a new client in */
	uint32_t requests;   /**< whole frames taken */
	uint32_t exceptions; /**< requests answered by an exception */
	uint32_t malformed;  /**< TCP: connections closed because their bytes were not Modbus TCP.
				RTU: frames ended by silence without a valid CRC */
	uint32_t refused;    /**< connections from addresses that `allow` does not contain */
	uint32_t timeouts;   /**< clients closed for an unfinished request, unread replies or being
				idle */
};

/** The sockets of all servers of one event loop. */
struct pb_hub;

int pb_hub_new(struct pb_hub **ret, sd_event *event);
/** Free it after its servers. */
struct pb_hub *pb_hub_free(struct pb_hub *hub);
PB_DEFINE_FREEP(struct pb_hub, pb_hub_free)
/**
 * Runs the event loop until sd_event_exit(), like sd_event_loop(), but with one system call less
 * for each request. sd_event_loop() works too.
 * @return the exit code; negative errno.
 */
int pb_hub_run(struct pb_hub *hub);

struct pb_server;

struct pb_server_config {
	const char *address;  /**< HOST:PORT, [HOST]:PORT or *:PORT with a numeric address or
				 localhost; [::] and * accept IPv4 and IPv6 */
	uint32_t max_clients; /**< 1..4096. If it is reached, a new client replaces one that never
				 sent a request, or else the longest idle one of the address with
				 most clients */
	uint32_t frame_timeout_ms; /**< time limit for the rest of a request, and for a client to
				      read its replies; 0: 5000 */
	uint32_t idle_timeout_ms;  /**< time without a request; 0: no limit */
	const char *const *allow;  /**< networks that may connect, "192.168.1.0/24" */
	size_t allow_count;	   /**< 0: everyone may */
	const char *const *write;  /**< networks whose clients may switch packs */
	size_t write_count;	   /**< 0: nobody may */
	bool rtu; /**< RTU frames with address and CRC instead of MBAP. As on a serial line, unknown
		     units get no reply, and unit 0 is the broadcast */
	uint32_t gap_ms; /**< rtu: silence that ends a frame of unknown length; 0: 100 */
};

/**
 * Listens. A request sets no timer: timeouts are checked four times within their length.
 * @hub: borrowed for the server's life. @config: borrowed for the call.
 * @why: reason for a person when it fails ("port 502 needs a right: ...").
 * @return 0; -EINVAL bad address; -EADDRINUSE, -EACCES and other errnos of bind().
 */
int pb_server_tcp_new(struct pb_server **ret, struct pb_hub *hub,
		      const struct pb_server_config *config,
		      const struct pb_server_backend *backend, void *userdata, char *why,
		      size_t why_cap);
/** Sets the @userdata for the backend. */
void pb_server_set_userdata(struct pb_server *server, void *userdata);
/**
 * Changes the settings, but not address and kind. Clients that `allow` no longer contains are
 * closed, the others stay; what they may switch follows @config from their next request on.
 * @return 0; negative with the reason in @why, and nothing has changed.
 */
int pb_server_tcp_configure(struct pb_server *server, const struct pb_server_config *config,
			    char *why, size_t why_cap);
/** Checks an address. @return 0, or -EINVAL with the reason in @why. */
int pb_server_tcp_check(const char *address, char *why, size_t why_cap);
/**
 * @return whether listeners at these two addresses exclude each other; false for invalid addresses.
 */
bool pb_server_tcp_overlap(const char *one, const char *other);
struct pb_server *pb_server_free(struct pb_server *server);
PB_DEFINE_FREEP(struct pb_server, pb_server_free)

/** Closes the listening sockets, so that another server can use the port. Clients stay. */
void pb_server_pause(struct pb_server *server);
/**
 * Listens again after pb_server_pause(), on its former @address and port. Does nothing if it
 * already listens.
 * @return 0; negative errno with the reason in @why.
 */
int pb_server_resume(struct pb_server *server, const char *address, char *why, size_t why_cap);

/**
 * Prints requests and replies from number @since on; 0: from now on. First a line "trace NEXT
 * LEFT", then lines for people. Exchanges are recorded only while this is called at least every
 * five seconds; else a request only checks a pointer.
 * @return 0, -ENOMEM.
 */
int pb_server_trace(struct pb_server *server, uint64_t since, uint64_t now_ms, FILE *out);
void pb_server_stats(const struct pb_server *server, struct pb_server_stats *ret);
/** One client of a server. */
struct pb_client_info {
	char peer[64];	      /**< its address, numeric, without the port */
	uint32_t connected_s; /**< for how long */
	uint32_t idle_s;      /**< since its last whole request, or since it connected */
	uint32_t requests, exceptions;
};

/**
 * Calls @each for up to @count clients, the longest idle first. The next call continues from there;
 * @first: start again. No client is given twice. @info is borrowed.
 * @return whether there may be more.
 */
bool pb_server_clients(struct pb_server *server, bool first, size_t count, uint64_t now_ms,
		       void (*each)(void *userdata, const struct pb_client_info *info),
		       void *userdata);
/** The port that it really listens on (for port 0 in tests). */
uint16_t pb_server_port(const struct pb_server *server);

/* ---- RTU ---- */

struct pb_line_config {
	struct pb_serial_config serial;
	uint32_t gap_ms;	 /**< silence that ends a frame; at least 3.5 characters are used */
	uint32_t reply_delay_ms; /**< before a reply, in addition to 3.5 characters */
	bool echo;		 /**< the adapter receives its own output, which is removed */
	bool write;		 /**< the line's master may switch packs */
};

/**
 * A serial line on which we are Modbus servers: our units answer, for other units we stay silent.
 */
struct pb_line;

/**
 * Opens the line; retries every second while the device is missing. Broadcasts are counted, not
 * executed.
 * @backend: asked for units 1..247.
 * @return 0, also when the device is missing; -EINVAL with the reason in @why.
 */
int pb_line_new(struct pb_line **ret, sd_event *event, const struct pb_line_config *config,
		const struct pb_server_backend *backend, void *userdata, char *why, size_t why_cap);
struct pb_line *pb_line_free(struct pb_line *line);
PB_DEFINE_FREEP(struct pb_line, pb_line_free)
/** Sets the @userdata for the backend. */
void pb_line_set_userdata(struct pb_line *line, void *userdata);
/** Sets whether the line's master may switch packs, from its next request on. */
void pb_line_set_write(struct pb_line *line, bool write);
/** clients: 1 while the line is open. */
void pb_line_stats(const struct pb_line *line, struct pb_server_stats *ret);
/** As pb_server_trace(), for all requests on the line, also those for other servers. */
int pb_line_trace(struct pb_line *line, uint64_t since, uint64_t now_ms, FILE *out);

/* ---- questions and their answers ---- */

/** An answer, shared by all who asked for it at the same time. Its bytes do not change. */
struct pb_answer {
	unsigned int users;
	unsigned int status; /**< HTTP status: 200, 400, 404, 503 */
	const char *type;    /**< Content-Type; static storage */
	char *bytes;
	size_t len;
	void (*freed)(void *userdata, size_t len); /**< called when it is freed; may be NULL */
	void *userdata;
};

/**
 * Takes ownership of @bytes from malloc().
 * @return an answer with one reference; NULL: no memory, and @bytes are freed.
 */
struct pb_answer *pb_answer_new(unsigned int status, const char *type, char *bytes, size_t len);
struct pb_answer *pb_answer_ref(struct pb_answer *answer);
struct pb_answer *pb_answer_unref(struct pb_answer *answer);

/** A client that waits for an answer. */
struct pb_asker {
	struct pb_asker *next; /**< free for the code that will answer */
	/** Called at most once. @answer: borrowed; NULL: there will be no answer. */
	void (*answer)(struct pb_asker *asker, struct pb_answer *answer);
};

/** A Unix socket for questions to the daemon: one line in, one answer out. */
struct pb_ask_socket;

enum { PB_ASK_SOCKET_CLIENTS = 8, PB_ASK_SOCKET_DESCRIPTORS = 1 + PB_ASK_SOCKET_CLIENTS };

struct pb_ask_socket_backend {
	/** Answers the question @line, which is without its newline, at once or later. */
	void (*ask)(void *userdata, struct pb_asker *asker, const char *line);
	/** @asker has disconnected before it got an answer. */
	void (*forget)(void *userdata, struct pb_asker *asker);
};

/**
 * Listens on the Unix socket @path with the file mode @mode. An abandoned socket at @path is
 * replaced; any other file is not, and symbolic links are not followed. More than
 * PB_ASK_SOCKET_CLIENTS clients wait in the kernel's queue. A client has 2 s to send its question,
 * and 2 s to read the answer.
 * @return 0; negative errno with the reason in @why: -EEXIST the file at @path is not a socket,
 *         -EADDRINUSE another program listens there.
 */
int pb_ask_socket_new(struct pb_ask_socket **ret, struct pb_hub *hub, const char *path,
		      uint32_t mode, const struct pb_ask_socket_backend *backend, void *userdata,
		      char *why, size_t why_cap);
/**
 * Checks whether a socket could be made at @path (at most 94 characters). An existing socket is
 * accepted, even if it is in use.
 * @return 0; -EEXIST, -ENAMETOOLONG with the reason in @why.
 */
int pb_ask_socket_check(const char *path, char *why, size_t why_cap);
/** Also removes the socket's file, if it is still the one that was created. */
struct pb_ask_socket *pb_ask_socket_free(struct pb_ask_socket *control);
PB_DEFINE_FREEP(struct pb_ask_socket, pb_ask_socket_free)

/* ---- HTTP ---- */

/** A read-only HTTP server. */
struct pb_http;

enum { PB_HTTP_CLIENTS = 32, PB_HTTP_DESCRIPTORS = 2 * (4 + PB_HTTP_CLIENTS) };

struct pb_http_backend {
	/**
	 * Answers a request for @path ("/" and so on), at once or later.
	 * @argument: gives the value of ?NAME=...; its first argument is @query. NULL: not given.
	 */
	void (*get)(void *userdata, struct pb_asker *asker, const char *path,
		    const char *(*argument)(void *query, const char *name), void *query);
	/** @asker has disconnected before it got an answer. */
	void (*forget)(void *userdata, struct pb_asker *asker);
};

struct pb_http_config {
	const char *address;	  /**< HOST:PORT, as pb_server_tcp_new() takes it */
	const char *const *hosts; /**< names accepted in `Host:`, besides addresses, localhost and
				     the names of this machine; other names get 421 */
	size_t host_count;
	const char *const *allow; /**< networks that may connect; if empty, all may */
	size_t allow_count;
};

/** @return 0; -EINVAL with the reason in @why when @name cannot be a name in `Host:`. */
int pb_http_host_check(const char *name, char *why, size_t why_cap);

/** @return whether the HTTP library is installed; if not, the reason and a remedy are in @why. */
bool pb_http_available(char *why, size_t why_cap);

/**
 * More than PB_HTTP_CLIENTS clients wait in the kernel's queue. A client is closed after 15 s
 * without progress, or 60 s for its whole answer.
 * @config: copied.
 * @return 0; negative errno with the reason in @why, -ENOENT when the library is missing.
 */
int pb_http_new(struct pb_http **ret, struct pb_hub *hub, const struct pb_http_config *config,
		const struct pb_http_backend *backend, void *userdata, char *why, size_t why_cap);
struct pb_http *pb_http_free(struct pb_http *http);
PB_DEFINE_FREEP(struct pb_http, pb_http_free)
/**
 * Changes hosts and networks for new requests; the address stays. @return 0; -EINVAL, -ENOMEM:
 * nothing has changed.
 */
int pb_http_configure(struct pb_http *http, const struct pb_http_config *config);
uint16_t pb_http_port(const struct pb_http *http);
