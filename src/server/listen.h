/* SPDX-License-Identifier: MIT */
/*
 * Where a server listens: the text of the configuration, and sockets bound to it.
 */
#pragma once

#include "packbridge/net.h"

enum { LISTEN_SOCKETS = 2 /**< localhost: 127.0.0.1 and ::1 */ };

/** The addresses of a HOST:PORT. */
struct listen_address {
	union pb_address first;
	union pb_address second; /**< used when @first can't be had or in addition, see @kind */
	enum {
		LISTEN_ONE,   /**< @first alone */
		LISTEN_BOTH,  /**< localhost: @first, and @second where this machine has it */
		LISTEN_EITHER /**< *: @first, or @second on a machine without IPv6 */
	} kind;
};

/**
 * Parses HOST:PORT, [HOST]:PORT, *:PORT or localhost:PORT; looks no names up.
 * @return 0; -EINVAL with the reason in @why.
 */
int listen_parse(struct listen_address *ret, const char *text, char *why, size_t why_cap);

/** Another port than the one that was parsed. */
void listen_set_port(struct listen_address *address, uint16_t port);

/**
 * Opens listening, non-blocking sockets for @address.
 * @text: the address as configured, for messages.
 * @sockets: room for LISTEN_SOCKETS; on success the caller owns those written.
 * @ret_port: the port that was bound (differs from the address's for port 0).
 * @return number of sockets, 1..LISTEN_SOCKETS; negative errno with the reason in @why.
 */
int listen_open(const struct listen_address *address, const char *text, int *sockets,
		uint16_t *ret_port, char *why, size_t why_cap);
