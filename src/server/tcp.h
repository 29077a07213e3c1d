/* SPDX-License-Identifier: MIT */
/*
 * The TCP server's insides: tcp.c owns the sockets and the list of clients, client.c serves one.
 */
#pragma once

#include "address.h"
#include "peer.h"

#include "packbridge/server.h"

typedef struct sd_event_source sd_event_source;

enum {
	/** Bytes taken from a client in one turn; this bounds its share of a turn too. */
	IN_BYTES = 4 * PB_TCP_ADU_MAX,
	/** Replies that wait for one client: 16 requests in flight (TCP 4.3, at most) of any size.
	 */
	OUT_BYTES = 16 * PB_TCP_ADU_MAX,
};

/**
 * What a client has to keep from one turn to the next: half a frame, replies that it does not
 * take. Served clients have neither: their pages are never touched and take no memory.
 */
struct store {
	uint8_t in[IN_BYTES];
	uint8_t out[OUT_BYTES];
};

/*
 * Not in @blocked: its requests are read. In @blocked: replies wait in its store, nothing is read
 * from it until they are gone. In @ending: it sent no Modbus, and is closed once they are gone.
 */
struct client {
	struct client *prev, *next; /**< in the ring of the idle or of the free ones */
	struct store *store;
	struct peer peer;
	uint64_t active_ms; /**< last whole request, at first the connect */
	int fd;		    /**< -1: free */
	uint16_t in_len;    /**< bytes in store->in */
	uint16_t out_len;   /**< bytes in store->out */
	bool blocked;
	bool ending;
};

struct pb_server {
	const struct pb_server_backend *backend;
	void *userdata;
	struct pb_server_stats stats;
	char *address; /**< as configured, for messages */
	uint16_t port;

	int epoll_fd; /**< listeners and clients; itself one source of the event loop */
	sd_event_source *ready;
	sd_event_source *resume; /**< timer: listens again after a pause for lack of resources */
	int listeners[TCP_SOCKETS_MAX];
	uint32_t listener_count;

	struct client *clients; /**< @max_clients of them */
	struct store *stores;
	uint32_t max_clients;
	struct client idle; /**< ring of the connected, the longest idle first */
	struct client free; /**< ring of the unused */

	uint64_t now_ms; /**< of this turn */
	struct mutes mutes;
	uint8_t in[IN_BYTES];
	uint8_t out[OUT_BYTES];
};

/** Serves a client whose socket is ready, a bounded amount. May close it. */
void tcp_client_serve(struct pb_server *server, struct client *client);

/** Takes a client out and closes its socket. */
void tcp_close(struct pb_server *server, struct client *client);
/** Notes that @client has asked something: it is the last one to be evicted now. */
void tcp_touch(struct pb_server *server, struct client *client);
/** What to wait for: room to send (@blocked), or requests. @return 0, negative errno. */
int tcp_watch(struct pb_server *server, struct client *client);
