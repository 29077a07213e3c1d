/* SPDX-License-Identifier: MIT */
/*
 * The epoll set of all sockets, inside: what stands in it.
 */
#pragma once

#include "packbridge/server.h"

/** What stands in the set: a listener, or the head of a client. */
struct socket {
	int fd;
	bool listens;
	struct pb_server *server;
};

/** Adds a socket, or (@again) waits for other @events. @return 0, negative errno. */
int hub_watch(struct pb_hub *hub, struct socket *socket, uint32_t events, bool again);
sd_event *hub_event(const struct pb_hub *hub);
/** The servers of this hub, one after the other by pb_server.next. */
struct pb_server **hub_servers(struct pb_hub *hub);
/**
 * Takes the next connection of @listener by the descriptor that is kept in reserve, and closes it.
 * @return 0; negative errno, also when there is nobody.
 */
int hub_turn_away(struct pb_hub *hub, int listener);
