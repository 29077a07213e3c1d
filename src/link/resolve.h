/* SPDX-License-Identifier: MIT */
/*
 * Host names to addresses without holding the event loop.
 *
 * getaddrinfo() waits for name servers, so it runs in a thread of its own. The thread shares
 * nothing with the loop: it owns a copy of the name and answers by one datagram on a socket pair.
 * Whoever no longer wants the answer closes the descriptor. (getaddrinfo_a() would need memory
 * that both sides know, and cannot be cancelled while a server is being asked.)
 */
#pragma once

#include <netinet/in.h>
#include <stddef.h>
#include <sys/socket.h>

enum {
	PB_HOST_MAX = 256,  /**< a host name with its NUL; DNS allows 253 characters */
	PB_PORT_MAX = 6,    /**< a port in digits with its NUL */
	PB_ADDRESS_MAX = 8, /**< addresses of one name that are tried */
};

union pb_address {
	struct sockaddr any;
	struct sockaddr_in in;
	struct sockaddr_in6 in6;
};

/** Where a host can be reached, the best address first. */
struct pb_addresses {
	size_t count;
	union pb_address list[PB_ADDRESS_MAX];
	char why[96]; /**< when count is 0: why, in words */
};

/**
 * Splits "HOST:PORT" or "[IPV6]:PORT".
 * @host, @port: room for PB_HOST_MAX and PB_PORT_MAX bytes.
 * @return 0; -EINVAL with the reason in @why.
 */
int pb_resolve_parse(const char *address, char *host, char *port, char *why, size_t why_cap);

/**
 * Takes a numeric address, or "localhost", which needs no name server.
 * @return 0; -ENOENT: neither of them.
 */
int pb_resolve_numeric(const char *host, const char *port, struct pb_addresses *ret);

/**
 * Writes "HOST:PORT" as one text for one place: numeric addresses in their usual form, IPv4 within
 * IPv6 as IPv4, localhost as 127.0.0.1; names in small letters, without a dot at the end.
 */
void pb_resolve_canonical(const char *host, const char *port, char *out, size_t cap);

/**
 * Asks for the addresses of a name.
 * @ret_fd: readable once the answer is there; owned by the caller, who may close it at any time.
 * @return 0; negative errno.
 */
int pb_resolve_start(const char *host, const char *port, int *ret_fd);

/** Reads the answer from a readable descriptor of pb_resolve_start(); leaves it open. */
void pb_resolve_finish(int fd, struct pb_addresses *ret);
