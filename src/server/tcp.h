/* SPDX-License-Identifier: MIT */
/*
 * The TCP server's insides: tcp.c owns the listeners and the loop, client.c serves one client.
 */
#pragma once

#include "door.h"
#include "listen.h"
#include "peers.h"
#include "service.h"

enum {
	IN_MAX = 520,	/**< two of the largest frames, or 43 reads: a client's share of a turn */
	OUT_MAX = 3400, /**< 13 of the largest replies; a client fits a page of memory */
};

struct client {
	struct socket socket;
	struct client *older, *newer; /* client.c says in which order */
	struct peer *peer;	      /* its address */
	bool blocked;	    /* its replies do not go out: waiting for EPOLLOUT, not reading */
	bool ended;	    /* nothing more is read: it finished, or its stream broke */
	uint64_t since_ms;  /* of the connect */
	uint64_t active_ms; /* last whole request, at first the connect */
	uint64_t stuck_ms;  /* since when a request or its replies are half done; 0: they are not */
	uint16_t in_len;
	uint16_t out_at, out_len;
	uint32_t requests, exceptions; /* answered, and of them so */
	uint32_t told;		       /* in which round of pb_server_clients() */
	uint8_t in[IN_MAX];
	uint8_t out[OUT_MAX];
	struct client_rtu { /* one, when frames are as on a serial line; else none */
		struct pb_rtu framer;
		struct rtu_seen seen;
		uint64_t heard_ms; /* its last byte */
	} rtu[];
};

struct pb_server {
	struct service service;
	struct pb_hub *hub;
	struct pb_server *next; /* of the hub */
	sd_event_source *pause; /* accepts again */
	struct socket listeners[LISTEN_SOCKETS];
	size_t listener_count;
	uint16_t port;
	sd_event_source *sweep; /* looks for clients whose time is over */
	bool sweeping;		/* it is armed */
	uint32_t max_clients, frame_timeout_ms, idle_timeout_ms;
	bool rtu;
	uint32_t gap_ms; /* rtu */
	struct pb_network *allow;
	size_t allow_count;
	struct peer *peers;
	struct client *oldest, *newest;
	struct client *next_told; /* pb_server_clients() goes on there; NULL: it is through */
	uint32_t told_round;
	struct client *last_new; /* the last of those that never asked; NULL: none */
	struct notice malformed, evicted, refused, full;
	char name[128];
};

/**
 * Makes a client of an accepted socket, which it takes when it succeeds.
 * @return 0; -ENOMEM and other errnos.
 */
int tcp_client_new(struct client **ret, struct pb_server *server, int fd, uint64_t now_ms);
void tcp_client_close(struct client *client);
/** Serves a client whose socket is ready, a bounded amount. May close it. */
void tcp_client_turn(struct client *client, uint32_t events, uint64_t now_ms);
/** RTU: a frame of unknown length has ended if the line was silent for the gap. May close it. */
void tcp_client_silence(struct client *client, uint64_t now_ms);
/** Takes one new client of a listener that is ready. */
void tcp_accept(struct pb_server *server, int listener, uint64_t now_ms);
/** Makes sure that clients whose time is over are looked for. */
void tcp_sweep_later(struct pb_server *server);
/** Its address for messages, in @host or behind its start. */
const char *tcp_client_peer(const struct client *client, char *host, size_t cap);
