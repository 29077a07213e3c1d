/* SPDX-License-Identifier: MIT */
/*
 * The inner parts of the TCP server, in three files:
 *
 *	tcp.c      one server: settings, listening sockets, public functions
 *	clients.c  its clients: their order, timeouts, which one is closed for a new one
 *	client.c   one client: bytes -> requests -> replies -> bytes
 *
 * A client has a stream (stream.h: how bytes are received and sent) and a framing (modbus.h: how
 * requests are found in the bytes). Only the framing knows whether it is Modbus TCP or RTU frames
 * over TCP.
 */
#pragma once

#include "door.h"
#include "listen.h"
#include "peers.h"
#include "service.h"
#include "stream.h"

enum {
	IN_MAX = 520,	/**< two of the largest frames, or 43 reads: a client's share of a turn */
	OUT_MAX = 3120, /**< 12 of the largest replies; a client fits a page of memory */
};

struct client {
	struct socket socket;
	struct stream stream;
	struct pb_peer peer;
	struct client *older, *newer; /* clients.c says in which order */
	struct peer_count *count;     /* of its address */
	bool blocked;		      /* its replies do not go out: not reading until they do */
	bool ended;		      /* nothing more is read: it finished, or its stream broke */
	uint32_t waits_for;	      /* its events in the epoll set */
	uint64_t since_ms;	      /* of the connect */
	uint64_t active_ms;	      /* last whole request, at first the connect */
	uint64_t stuck_ms; /* since when a request or its replies are half done; 0: they are not */
	uint64_t heard_ms; /* its last byte */
	uint16_t in_len;
	uint16_t out_at, out_len;
	uint32_t requests, exceptions; /* answered, and of them so */
	uint32_t told;		       /* in which round of pb_server_clients() */
	uint8_t in[IN_MAX];
	uint8_t out[OUT_MAX];
	_Alignas(max_align_t) uint8_t framer[]; /* of the server's framing */
};

struct pb_server {
	struct service service;
	const struct pb_framing *framing;
	struct pb_hub *hub;
	struct pb_server *next; /* of the hub */
	sd_event_source *pause; /* accepts again */
	struct socket listeners[LISTEN_SOCKETS];
	size_t listener_count;
	uint16_t port;
	sd_event_source *sweep; /* looks for clients whose time is over */
	bool sweeping;		/* it is armed */
	uint32_t max_clients, frame_timeout_ms, idle_timeout_ms;
	uint32_t gap_ms; /* framings that go by silence */
	struct pb_network *allow, *write;
	size_t allow_count, write_count;
	struct peer_count *peers;
	struct client *oldest, *newest;
	struct client *next_told; /* pb_server_clients() goes on there; NULL: it is through */
	uint32_t told_round;
	struct client *last_new; /* the last of those that never asked; NULL: none */
	struct notice malformed, evicted, refused, full;
	char name[128];
};

/* ---- tcp.c ---- */

/** Takes one new client of a listener that is ready. */
void tcp_accept(struct pb_server *server, int listener, uint64_t now_ms);

/* ---- clients.c ---- */

/** Makes what looks for clients whose time is over. @return 0; negative errno. */
int clients_start(struct pb_server *server);
/** Adds one that has not asked anything yet. */
void clients_add(struct pb_server *server, struct client *client);
void clients_remove(struct pb_server *server, struct client *client);
/** It has asked something just now. */
void clients_touch(struct pb_server *server, struct client *client, uint64_t now_ms);
/** Makes sure that clients whose time is over are looked for. */
void clients_sweep_later(struct pb_server *server);
/**
 * Closes one for another. @newcomer: not that one; NULL: there is none. @cause: for the log.
 */
void clients_evict(struct pb_server *server, const struct client *newcomer, const char *cause,
		   uint64_t now_ms);

/* ---- client.c ---- */

/**
 * Makes a client of an accepted socket, which it takes when it succeeds.
 * @peer: copied.
 * @return 0; -ENOMEM and other errnos.
 */
int client_new(struct client **ret, struct pb_server *server, int fd, const struct pb_peer *peer,
	       uint64_t now_ms);
void client_close(struct client *client);
/** Serves a client whose socket is ready, a bounded amount. May close it. */
void client_turn(struct client *client, uint32_t events, uint64_t now_ms);
/** A frame of unknown length has ended if nothing came for the gap. May close it. */
void client_silence(struct client *client, uint64_t now_ms);
/** @return whether it was half done, or without a request, for too long. */
bool client_is_over(const struct client *client, uint64_t now_ms);
