/* SPDX-License-Identifier: MIT */
/*
 * Where a TCP server listens: the text of the configuration, and sockets bound to it.
 */
#pragma once

#include <netinet/in.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

enum { PB_ADDRESS_SOCKETS = 2 /**< localhost: 127.0.0.1 and ::1 */ };

/** One socket address, IPv4 or IPv6. */
struct pb_endpoint {
	union {
		struct sockaddr any;
		struct sockaddr_in v4;
		struct sockaddr_in6 v6;
	} addr;
	socklen_t len;
};

/** A parsed HOST:PORT. */
struct pb_address {
	struct pb_endpoint first;
	struct pb_endpoint second; /**< used when @first can't be had or in addition, see @kind */
	enum {
		PB_ADDRESS_ONE,	  /**< @first alone */
		PB_ADDRESS_BOTH,  /**< localhost: @first, and @second where this machine has it */
		PB_ADDRESS_EITHER /**< *: @first, or @second on a machine without IPv6 */
	} kind;
};

/**
 * Parses HOST:PORT, [HOST]:PORT, *:PORT or localhost:PORT; looks no names up.
 * @return 0; -EINVAL with the reason in @why.
 */
int pb_address_parse(struct pb_address *ret, const char *text, char *why, size_t why_cap);

/** Another port than the one that was parsed. */
void pb_address_set_port(struct pb_address *address, uint16_t port);

/**
 * Opens listening, non-blocking sockets for @address.
 * @text: the address as configured, for messages.
 * @sockets: room for PB_ADDRESS_SOCKETS; on success the caller owns those written.
 * @ret_port: the port that was bound (differs from the address's for port 0).
 * @return number of sockets, 1..PB_ADDRESS_SOCKETS; negative errno with the reason in @why.
 */
int pb_address_listen(const struct pb_address *address, const char *text, int *sockets,
		      uint16_t *ret_port, char *why, size_t why_cap);
