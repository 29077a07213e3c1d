/* SPDX-License-Identifier: MIT */
/*
 * Network names and addresses: HOST:PORT as text, socket addresses, look-up of host names, and
 * lists of networks. Opens no sockets except the socket pair of a look-up.
 *
 *	text ── pb_endpoint_parse() ──▶ pb_endpoint
 *
 *	pb_endpoint ── numeric ── pb_resolve_numeric() ──────────▶ pb_addresses
 *	            └─ a name ─── pb_resolve_start(), _finish() ─▶ pb_addresses
 *
 * One grammar for all texts:
 *
 *	HOST:PORT    HOST   a name, an IPv4 address, or [IPV6], in brackets, perhaps [IPV6%ZONE]
 *	             PORT   1 to 65535, decimal digits
 *
 * A name is what RFC 1123 allows, and underscores: labels of 1 to 63 letters, digits, '-' and '_',
 * no '-' at a label's end, 253 characters in all, perhaps a dot behind it. Its last label must not
 * be a number. So a text that looks like an IPv4 address must be a valid one; old forms such as
 * 127.1 are refused.
 */
#pragma once

#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

/* ---- socket addresses ---- */

enum {
	PB_ADDRESS_TEXT = 64,  /**< room for an address without its port, with its zone */
	PB_ADDRESS_BYTES = 16, /**< an IPv6 address, or ::ffff:a.b.c.d */
	PB_ADDRESS_MAX = 8,    /**< at most so many addresses of one name are tried */
};

/** One socket address, IPv4 or IPv6 by its family. */
union pb_address {
	struct sockaddr any;
	struct sockaddr_in in;
	struct sockaddr_in6 in6;
};

/** Where a host can be reached, the best address first. */
struct pb_addresses {
	size_t count;
	union pb_address list[PB_ADDRESS_MAX];
	char why[96]; /**< if count is 0: the reason, in words */
};

/** @host: in host order, e.g. INADDR_LOOPBACK. */
union pb_address pb_address_v4(in_addr_t host, uint16_t port);
union pb_address pb_address_v6(const struct in6_addr *host, uint16_t port);
socklen_t pb_address_len(const union pb_address *address);
uint16_t pb_address_port(const union pb_address *address);
void pb_address_set_port(union pb_address *address, uint16_t port);
/** @return whether it is 0.0.0.0 or [::]. */
bool pb_address_is_any(const union pb_address *address);
/** @return whether it is 127.0.0.0/8 or ::1, also as IPv4 within IPv6. */
bool pb_address_is_loopback(const union pb_address *address);
/** Writes its 16 bytes, IPv4 as ::ffff:a.b.c.d; another family gives zeros. */
void pb_address_bytes(const union pb_address *address, uint8_t ret[PB_ADDRESS_BYTES]);
/**
 * Prints it without its port, for people: IPv4 within IPv6 as IPv4, the zone by its name.
 * @return @out; "?" for another family.
 */
const char *pb_address_print(const union pb_address *address, char *out, size_t cap);
/** @return whether the kernel refuses to listen on one while another socket listens on the other.
 */
bool pb_address_overlap(const union pb_address *one, const union pb_address *other);

/* ---- HOST:PORT ---- */

enum {
	PB_HOST_MAX = 256,     /**< a host name with its NUL; DNS allows 253 characters */
	PB_ENDPOINT_MAX = 264, /**< [HOST]:PORT with its NUL */
	PB_PORT_MODBUS = 502,
};

/** The use of a HOST:PORT text decides what is allowed in it. */
enum pb_endpoint_use {
	PB_ENDPOINT_CONNECT, /**< the grammar above, nothing more */
	PB_ENDPOINT_LISTEN,  /**< also * as host (all addresses), and 0 as port (any free port) */
	PB_ENDPOINT_MODBUS,  /**< the port may be missing (PB_PORT_MODBUS); then an IPv6 address
				needs no brackets */
};

enum pb_host_kind {
	PB_HOST_NAME,
	PB_HOST_V4,
	PB_HOST_V6,
	PB_HOST_ALL, /**< "*" */
};

/** A parsed HOST:PORT. */
struct pb_endpoint {
	enum pb_host_kind kind;
	char host[PB_HOST_MAX]; /**< as it was written, without brackets */
	uint16_t port;
};

/** The error in a HOST:PORT text. */
enum pb_endpoint_fault {
	PB_ENDPOINT_GOOD,
	PB_ENDPOINT_NO_PORT,  /**< no port, or other text behind the brackets */
	PB_ENDPOINT_BAD_PORT, /**< not a number, or outside the range of ports */
	PB_ENDPOINT_NO_HOST,
	PB_ENDPOINT_BARE_V6, /**< IPv6 address and port without brackets */
	PB_ENDPOINT_BAD_V6,
	PB_ENDPOINT_BAD_V4,
	PB_ENDPOINT_BAD_NAME,
};

/** Parses a text. @ret: set when the text is valid. No look-up of names or zones. */
enum pb_endpoint_fault pb_endpoint_parse(struct pb_endpoint *ret, const char *text,
					 enum pb_endpoint_use use);
/** Explains the error in @text to a person. @return -EINVAL. */
int pb_endpoint_explain(enum pb_endpoint_fault fault, const char *text, char *why, size_t why_cap);
/** Prints HOST:PORT, with brackets around an IPv6 address. @return @out. */
const char *pb_endpoint_print(const struct pb_endpoint *endpoint, char *out, size_t cap);
/**
 * Prints it in canonical form, for comparison: numeric addresses in their usual form, IPv4 within
 * IPv6 as IPv4, localhost as 127.0.0.1; names in lower case, without a dot at the end.
 */
void pb_endpoint_canonical(const struct pb_endpoint *endpoint, char *out, size_t cap);
/** @return whether it is the name localhost, which needs no look-up. */
bool pb_endpoint_is_localhost(const struct pb_endpoint *endpoint);
/** @return whether it is this machine: localhost, 127.0.0.0/8 or ::1. */
bool pb_endpoint_is_loopback(const struct pb_endpoint *endpoint);
/**
 * Gives the endpoint by which a program on this machine reaches a listener at @listens: if it
 * listens on all addresses, the loopback address.
 */
void pb_endpoint_reach(const struct pb_endpoint *listens, struct pb_endpoint *ret);

/* ---- look-up of names ---- */

/**
 * Gives the addresses of an endpoint without a name server: numeric, or localhost.
 * @return 0; -ENOENT: it needs a name server, or its zone is not an interface of this machine.
 */
int pb_resolve_numeric(const struct pb_endpoint *endpoint, struct pb_addresses *ret);

/**
 * Starts a look-up of a host name.
 *
 * getaddrinfo() waits for name servers, so it runs in its own thread. The thread shares no memory
 * with the loop: it owns a copy of the name and answers with one datagram on a socket pair. To
 * cancel, close the descriptor. (getaddrinfo_a() would need shared memory, and cannot be cancelled
 * while it waits for a server.) A waiting thread cannot be ended, so a caller should have only one
 * at a time.
 * @ret_fd: becomes readable when the answer has arrived; owned by the caller, who may close it at
 * any time.
 * @return 0; negative errno.
 */
int pb_resolve_start(const struct pb_endpoint *endpoint, int *ret_fd);
/** Reads the answer from a readable descriptor of pb_resolve_start(); does not close it. */
void pb_resolve_finish(int fd, struct pb_addresses *ret);

/* ---- lists of networks ---- */

/** A network, as "192.168.1.0/24", "fd00::/8", or one address. */
struct pb_network {
	uint8_t address[PB_ADDRESS_BYTES];
	uint8_t bits; /**< length of the prefix, 0..128 */
};

/** @return 0; -EINVAL with the reason in @why. */
int pb_network_parse(struct pb_network *ret, const char *text, char *why, size_t why_cap);
/**
 * @address: as pb_address_bytes() gives it.
 * @return whether one of the @count networks contains it; true if @count is 0.
 */
bool pb_networks_have(const struct pb_network *list, size_t count,
		      const uint8_t address[PB_ADDRESS_BYTES]);
/**
 * Parses a list.
 * @ret: to be freed; never NULL on success.
 * @return 0; -EINVAL with the reason in @why; -ENOMEM.
 */
int pb_networks_parse(struct pb_network **ret, const char *const *texts, size_t count, char *why,
		      size_t why_cap);
