/* SPDX-License-Identifier: MIT */
/*
 * Northbound: sockets that speak Modbus. A server knows no battery: it asks for a unit's image and
 * answers from it.
 */
#pragma once

#include "packbridge/base.h"
#include "packbridge/modbus.h"
#include "packbridge/serial.h"

#include <stdio.h>

typedef struct sd_event sd_event;

/** Where a server gets the units from. */
struct pb_server_backend {
	const struct pb_identity *identity; /**< for functions 17 and 43/14; NULL: unknown */
	/** @return whether there is @unit (0..255), without a look at what it shows. */
	bool (*owns)(void *userdata, uint8_t unit);
	/**
	 * The image that @unit (0..255) shows now to @peer, brought up to date for @now_ms. It may
	 * set timers of the event loop.
	 * @return borrowed, good until the call returns to the event loop; NULL: no such unit.
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
	uint32_t exceptions; /**< of them answered by an exception */
	uint32_t malformed;  /**< connections closed because their bytes were no Modbus TCP; of RTU,
				silences without a right CRC */
	uint32_t refused;    /**< connections that `allow` does not have */
	uint32_t timeouts;   /**< closed: half a request, replies not taken, or idle for too long */
};

/** The sockets of all servers of one event loop. */
struct pb_hub;

int pb_hub_new(struct pb_hub **ret, sd_event *event);
/** To be freed after its servers. */
struct pb_hub *pb_hub_free(struct pb_hub *hub);
PB_DEFINE_FREEP(struct pb_hub, pb_hub_free)
/**
 * Runs the event loop until sd_event_exit(), as sd_event_loop() does, which works too; but here a
 * request costs one system call less.
 * @return the exit code; negative errno.
 */
int pb_hub_run(struct pb_hub *hub);

struct pb_server;

struct pb_server_config {
	const char *address;  /**< HOST:PORT, [HOST]:PORT, *:PORT; a numeric port and address,
				 or localhost; [::] and * take IPv4 and IPv6 */
	uint32_t max_clients; /**< 1..4096; above it one that never asked, or else the longest idle
				 of the address that has the most, is closed for a new one */
	uint32_t frame_timeout_ms; /**< for the rest of a request that has begun, and for a client
				      to take its replies; 0: 5000 */
	uint32_t idle_timeout_ms;  /**< without a request; 0: for ever */
	const char *const *allow;  /**< networks that may connect, "192.168.1.0/24" */
	size_t allow_count;	   /**< 0: everyone may */
	bool rtu; /**< frames as on a serial line, with address and CRC, instead of MBAP: units that
		     are not ours are silent, and unit 0 is the broadcast */
	uint32_t gap_ms; /**< rtu: silence that ends a frame of unknown length; 0: 100 */
};

/**
 * Listens. Timeouts are looked at four times as often as they are long: no timer is set by a
 * request.
 * @hub: borrowed for the server's life. @config: borrowed for the call.
 * @why: reason for a person when it fails ("port 502 needs a right: ...").
 * @return 0; -EINVAL bad address; -EADDRINUSE, -EACCES and other errnos of bind().
 */
int pb_server_tcp_new(struct pb_server **ret, struct pb_hub *hub,
		      const struct pb_server_config *config,
		      const struct pb_server_backend *backend, void *userdata, char *why,
		      size_t why_cap);
/** Asks the backend with @userdata from now on. */
void pb_server_set_userdata(struct pb_server *server, void *userdata);
/**
 * Other settings from now on; its address and kind stay. Clients that `allow` no longer has are
 * closed, the others stay.
 * @return 0; negative with the reason in @why, and nothing has changed.
 */
int pb_server_tcp_configure(struct pb_server *server, const struct pb_server_config *config,
			    char *why, size_t why_cap);
/** Only checks an address. @return 0, or -EINVAL with the reason in @why. */
int pb_server_tcp_check(const char *address, char *why, size_t why_cap);
/** @return whether two listeners at these addresses can't be there at a time; wrong ones: false. */
bool pb_server_tcp_overlap(const char *one, const char *other);
struct pb_server *pb_server_free(struct pb_server *server);
PB_DEFINE_FREEP(struct pb_server, pb_server_free)

/** Closes the listening sockets, for another server to have the port. Clients stay. */
void pb_server_pause(struct pb_server *server);
/**
 * Listens again after pb_server_pause(), on @address, which it had before, and the same port; does
 * nothing to one that listens.
 * @return 0; negative errno with the reason in @why.
 */
int pb_server_resume(struct pb_server *server, const char *address, char *why, size_t why_cap);

/**
 * Prints requests and replies since number @since, which 0 is for "from now on": a line
 * "trace NEXT LEFT", then lines for people. There is a trace while it is asked for, at least each
 * five seconds; without, a request costs the look at a pointer.
 * @return 0, -ENOMEM.
 */
int pb_server_trace(struct pb_server *server, uint64_t since, uint64_t now_ms, FILE *out);
void pb_server_stats(const struct pb_server *server, struct pb_server_stats *ret);
/** One client of a server. */
struct pb_client_info {
	char peer[64];	      /**< its address, numeric, without the port */
	uint32_t connected_s; /**< for how long */
	uint32_t idle_s;      /**< since its last whole request, at first since it connected */
	uint32_t requests, exceptions;
};

/**
 * Calls @each for up to @count clients, the longest idle first, and goes on from there the next
 * time; @first: begins anew. None is told twice. @info is borrowed.
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
	uint32_t gap_ms;	 /**< silence that ends a frame; never less than 3.5 characters */
	uint32_t reply_delay_ms; /**< before a reply, beyond the 3.5 characters */
	bool echo;		 /**< the adapter hears what it sends: it is taken off */
};

/** A serial line that we are servers on: our units answer, for all others it is silent. */
struct pb_line;

/**
 * Opens the line, and again each second while it is not there. Broadcasts are counted, not done.
 * @backend: units 1..247 are asked for.
 * @return 0, also when the device is not there yet; -EINVAL with the reason in @why.
 */
int pb_line_new(struct pb_line **ret, sd_event *event, const struct pb_line_config *config,
		const struct pb_server_backend *backend, void *userdata, char *why, size_t why_cap);
struct pb_line *pb_line_free(struct pb_line *line);
PB_DEFINE_FREEP(struct pb_line, pb_line_free)
/** Asks the backend with @userdata from now on. */
void pb_line_set_userdata(struct pb_line *line, void *userdata);
/** clients: 1 while the line is open. */
void pb_line_stats(const struct pb_line *line, struct pb_server_stats *ret);
/** As pb_server_trace(), of all requests on the line, those for others too. */
int pb_line_trace(struct pb_line *line, uint64_t since, uint64_t now_ms, FILE *out);

/* ---- questions and their answers ---- */

/** An answer, of all who asked for it at the same time. Its bytes do not change. */
struct pb_answer {
	unsigned int users;
	unsigned int status; /**< as HTTP has it: 200, 400, 404, 503 */
	const char *type;    /**< Content-Type; static storage */
	char *bytes;
	size_t len;
	void (*freed)(void *userdata, size_t len); /**< NULL: nobody has to know */
	void *userdata;
};

/**
 * Takes @bytes, which malloc() gave.
 * @return one user's; NULL: no memory, and @bytes are freed.
 */
struct pb_answer *pb_answer_new(unsigned int status, const char *type, char *bytes, size_t len);
struct pb_answer *pb_answer_ref(struct pb_answer *answer);
struct pb_answer *pb_answer_unref(struct pb_answer *answer);

/** Somebody who waits for an answer. */
struct pb_asker {
	struct pb_asker *next; /**< whoever owes the answer may use it */
	/** Called once at the most. @answer: borrowed; NULL: there will be none. */
	void (*answer)(struct pb_asker *asker, struct pb_answer *answer);
};

/** A Unix socket that takes questions for the daemon: one line in, an answer out. */
struct pb_control;

enum { PB_CONTROL_CLIENTS = 8, PB_CONTROL_DESCRIPTORS = 1 + PB_CONTROL_CLIENTS };

struct pb_control_backend {
	/** Answers the question @line, which is without its newline, at once or later. */
	void (*ask)(void *userdata, struct pb_asker *asker, const char *line);
	/** @asker, which has no answer yet, has gone. */
	void (*forget)(void *userdata, struct pb_asker *asker);
};

/**
 * Listens on the Unix socket @path with the file mode @mode. A socket there that nobody listens on
 * any more is replaced; nothing else is, and symbolic links are not followed. More than
 * PB_CONTROL_CLIENTS wait in the kernel's queue. A client has 2 s for its question, and 2 s to take
 * the answer.
 * @return 0; negative errno with the reason in @why: -EEXIST what is there is no socket,
 *         -EADDRINUSE somebody listens there.
 */
int pb_control_new(struct pb_control **ret, struct pb_hub *hub, const char *path, uint32_t mode,
		   const struct pb_control_backend *backend, void *userdata, char *why,
		   size_t why_cap);
/**
 * Only looks whether a socket could be made at @path, which has at most 94 characters; a socket
 * that is there may be in use.
 * @return 0; -EEXIST, -ENAMETOOLONG with the reason in @why.
 */
int pb_control_check(const char *path, char *why, size_t why_cap);
/** Removes the socket's file, too, if it still is the one that was made. */
struct pb_control *pb_control_free(struct pb_control *control);
PB_DEFINE_FREEP(struct pb_control, pb_control_free)

/* ---- HTTP ---- */

/** Pages over HTTP, to be read only. */
struct pb_http;

enum { PB_HTTP_CLIENTS = 32, PB_HTTP_DESCRIPTORS = 2 * (4 + PB_HTTP_CLIENTS) };

struct pb_http_backend {
	/**
	 * Answers what is asked for at @path, "/" and so on, at once or later.
	 * @argument: the value of ?NAME=..., with its first argument @query; NULL: not given.
	 */
	void (*get)(void *userdata, struct pb_asker *asker, const char *path,
		    const char *(*argument)(void *query, const char *name), void *query);
	/** @asker, which has no answer yet, has gone. */
	void (*forget)(void *userdata, struct pb_asker *asker);
};

struct pb_http_config {
	const char *address;	  /**< HOST:PORT, as pb_server_tcp_new() takes it */
	const char *const *hosts; /**< names that pass as `Host:`, besides addresses, localhost and
				     what this machine is called; others get 421 */
	size_t host_count;
	const char *const *allow; /**< networks that may connect; without any, all may */
	size_t allow_count;
};

/** @return 0; -EINVAL with the reason in @why when @name is none that `Host:` could have. */
int pb_http_host_check(const char *name, char *why, size_t why_cap);

/** @return whether the library for a page is there; else with the reason and what to do in @why. */
bool pb_http_available(char *why, size_t why_cap);

/**
 * More than PB_HTTP_CLIENTS wait in the kernel's queue. A client has 15 s without any progress, and
 * 60 s for the whole of its answer.
 * @config: copied.
 * @return 0; negative errno with the reason in @why, -ENOENT when the library is not there.
 */
int pb_http_new(struct pb_http **ret, struct pb_hub *hub, const struct pb_http_config *config,
		const struct pb_http_backend *backend, void *userdata, char *why, size_t why_cap);
struct pb_http *pb_http_free(struct pb_http *http);
PB_DEFINE_FREEP(struct pb_http, pb_http_free)
/** Takes other hosts and networks, for requests from now on; not another address.
 * @return 0; -EINVAL, -ENOMEM: all is as before. */
int pb_http_configure(struct pb_http *http, const struct pb_http_config *config);
uint16_t pb_http_port(const struct pb_http *http);
