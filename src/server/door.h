/* SPDX-License-Identifier: MIT */
/* Listening sockets: accept connections, also when no descriptor is left. */
#pragma once

#include "hub.h"

#include "packbridge/net.h"

typedef struct sd_event_source sd_event_source;

/** A message that clients can cause at will is logged once a minute, with the number left out. */
struct notice {
	bool logged;
	uint64_t logged_ms;
	uint32_t left_out;
};

/** @return whether to log now; if not, it is counted in left_out. */
bool notice_is_due(struct notice *notice, uint64_t now_ms);

enum { DOOR_PAUSE_MS = 1000 /* when even the reserve descriptor does not help */ };

/**
 * Takes the next connection of a listener, without blocking.
 * @ret_peer: its address; NULL: not needed. Unix sockets have none.
 * @return its descriptor, close-on-exec and non-blocking; negative errno.
 */
int door_take(int listener, union pb_address *ret_peer);
/** @return whether door_take() failed for want of room, so that the connection still waits. */
bool door_lacks_room(int error);

/** A listening socket on sd-event: each turn takes one connection. */
struct door {
	struct pb_hub *hub;
	const char *name; /**< for messages; borrowed */
	int fd;		  /**< its own; -1: closed */
	sd_event_source *io, *pause;
	struct notice notice;
	void (*came)(void *userdata, int fd); /**< takes @fd */
	void *userdata;
};

/**
 * Takes @fd, which listens. Connections that there is no descriptor for are taken by the one that
 * the hub keeps in reserve, and closed; when that fails too, the door rests for a second.
 * @return 0; negative errno, and @fd is closed.
 */
int door_open(struct door *door, struct pb_hub *hub, int fd, const char *name,
	      void (*came)(void *userdata, int fd), void *userdata);
void door_close(struct door *door);
/** Leaves who comes in the kernel's queue, or takes them again. */
void door_hold(struct door *door, bool hold);
