/* SPDX-License-Identifier: MIT */
/*
 * The TCP server's insides: tcp.c owns the listeners and the loop, client.c serves one client.
 */
#pragma once

#include "address.h"
#include "allow.h"

#include "packbridge/server.h"

typedef struct sd_event_source sd_event_source;

enum {
	IN_MAX = 520,	/**< two of the largest frames, or 43 reads: a client's share of a turn */
	OUT_MAX = 3400, /**< 13 of the largest replies; a client fits a page of memory */
};

/** A message that clients can cause at will is logged once a minute, with the number left out. */
struct notice {
	bool logged;
	uint64_t logged_ms;
	uint32_t left_out;
};

/** What stands in the epoll set: a listener, or the head of a client. */
struct socket {
	int fd;
	bool listens;
};

struct client {
	struct socket socket;
	struct client *older, *newer; /* by last request */
	bool blocked;	    /* its replies do not go out: waiting for EPOLLOUT, not reading */
	bool ended;	    /* nothing more is read: it finished, or its stream broke */
	uint64_t active_ms; /* last whole request, at first the connect */
	uint64_t stuck_ms;  /* since when a request or its replies are half done; 0: they are not */
	uint16_t in_len;
	uint16_t out_at, out_len;
	uint8_t in[IN_MAX];
	uint8_t out[OUT_MAX];
};

struct pb_server {
	sd_event_source *source; /* epoll_fd */
	sd_event_source *pause;	 /* accepts again */
	int epoll_fd;
	struct socket listeners[PB_ADDRESS_SOCKETS];
	size_t listener_count;
	uint16_t port;
	sd_event_source *sweep; /* looks for clients whose time is over */
	bool sweeping;		/* it is armed */
	uint32_t max_clients, frame_timeout_ms, idle_timeout_ms;
	struct allow *allow;
	size_t allow_count;
	struct client *oldest, *newest;
	const struct pb_server_backend *backend;
	void *userdata;
	struct pb_server_stats stats;
	struct pb_diagnostics diagnostics;
	struct notice malformed, evicted, refused;
	char name[128];
};

/**
 * Makes a client of an accepted socket, which it takes when it succeeds.
 * @return 0; -ENOMEM and other errnos.
 */
int tcp_client_new(struct pb_server *server, int fd, uint64_t now_ms);
void tcp_client_close(struct pb_server *server, struct client *client);
/** Serves a client whose socket is ready, a bounded amount. May close it. */
void tcp_client_turn(struct pb_server *server, struct client *client, uint32_t events,
		     uint64_t now_ms);
/** Makes sure that clients whose time is over are looked for. */
void tcp_sweep_later(struct pb_server *server);
/** Its address for messages, in @host or behind its start. */
const char *tcp_client_peer(const struct client *client, char *host, size_t cap);

/** @return whether to log now; if not, it is counted in left_out. */
bool tcp_notice_is_due(struct notice *notice, uint64_t now_ms);
