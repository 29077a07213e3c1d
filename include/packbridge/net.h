/* SPDX-License-Identifier: MIT */
/*
 * Names and numbers of the network: HOST:PORT as people write it, socket addresses, host names and
 * their look-up, and lists of networks. Opens no sockets but the pair of a look-up.
 *
 *	text ── pb_endpoint_parse() ──▶ pb_endpoint ── numeric: pb_resolve_numeric() ──▶
 *pb_addresses └─ a name: pb_resolve_start() .. _finish() ─┘
 *
 * One grammar for all texts:
 *
 *	HOST:PORT    HOST   a name, an IPv4 address, or [IPV6], in brackets, perhaps [IPV6%ZONE]
 *	             PORT   1 to 65535, decimal digits
 *
 * A name is what RFC 1123 allows, and underscores: labels of 1 to 63 letters, digits, '-' and '_',
 * no '-' at a label's end, 253 characters in all, perhaps a dot behind it. Its last label is no
 * number, so what looks like an IPv4 address is one or is wrong. Old forms such as 127.1 are wrong.
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
	PB_ADDRESS_MAX = 8,    /**< addresses of one name that are tried */
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
	char why[96]; /**< when count is 0: why, in words */
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
/** Its 16 bytes, IPv4 as ::ffff:a.b.c.d; of another family all are 0. */
void pb_address_bytes(const union pb_address *address, uint8_t ret[PB_ADDRESS_BYTES]);
/**
 * Prints it without its port, for people: IPv4 within IPv6 as IPv4, the zone by its name.
 * @return @out; "?" when it is of another family.
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

/** What a text is for; each has its own liberties. */
enum pb_endpoint_use {
	PB_ENDPOINT_CONNECT, /**< none */
	PB_ENDPOINT_LISTEN,  /**< * is a host: all addresses; 0 is a port: any that is free */
	PB_ENDPOINT_MODBUS,  /**< without a port it is PB_PORT_MODBUS; an IPv6 address alone needs
				no brackets */
};

enum pb_host_kind {
	PB_HOST_NAME,
	PB_HOST_V4,
	PB_HOST_V6,
	PB_HOST_ALL, /**< "*" */
};

/** A HOST:PORT that was read. */
struct pb_endpoint {
	enum pb_host_kind kind;
	char host[PB_HOST_MAX]; /**< as it was written, without brackets */
	uint16_t port;
};

/** What is wrong with a text. */
enum pb_endpoint_fault {
	PB_ENDPOINT_GOOD,
	PB_ENDPOINT_NO_PORT,  /**< there is none, or something else stands behind the brackets */
	PB_ENDPOINT_BAD_PORT, /**< it is no number, or none of a port */
	PB_ENDPOINT_NO_HOST,
	PB_ENDPOINT_BARE_V6, /**< an IPv6 address in front of a port, without brackets */
	PB_ENDPOINT_BAD_V6,
	PB_ENDPOINT_BAD_V4,
	PB_ENDPOINT_BAD_NAME,
};

/** Reads a text. @ret: written when it is good. Looks no name up, not even a zone's. */
enum pb_endpoint_fault pb_endpoint_parse(struct pb_endpoint *ret, const char *text,
					 enum pb_endpoint_use use);
/** Says in words what is wrong with @text. @return -EINVAL. */
int pb_endpoint_explain(enum pb_endpoint_fault fault, const char *text, char *why, size_t why_cap);
/** Prints HOST:PORT, with brackets around an IPv6 address. @return @out. */
const char *pb_endpoint_print(const struct pb_endpoint *endpoint, char *out, size_t cap);
/**
 * Prints it as one text for one place, to be compared: numeric addresses in their usual form, IPv4
 * within IPv6 as IPv4, localhost as 127.0.0.1; names in small letters, without a dot at the end.
 */
void pb_endpoint_canonical(const struct pb_endpoint *endpoint, char *out, size_t cap);
/** @return whether it is the name localhost, which needs no look-up. */
bool pb_endpoint_is_localhost(const struct pb_endpoint *endpoint);
/** @return whether it leads to this machine without a look-up: localhost, 127.0.0.0/8, ::1. */
bool pb_endpoint_is_loopback(const struct pb_endpoint *endpoint);
/**
 * How a program on this machine reaches who listens there: all addresses by the loopback address.
 */
void pb_endpoint_reach(const struct pb_endpoint *listens, struct pb_endpoint *ret);

/* ---- looking names up ---- */

/**
 * The addresses of an endpoint that needs no name server: a numeric one, or localhost.
 * @return 0; -ENOENT: it needs one, or its zone is none of this machine's interfaces.
 */
int pb_resolve_numeric(const struct pb_endpoint *endpoint, struct pb_addresses *ret);

/**
 * Asks for the addresses of a name.
 *
 * getaddrinfo() waits for name servers, so it runs in a thread of its own. The thread shares
 * nothing with the loop: it owns a copy of the name and answers by one datagram on a socket pair.
 * Whoever no longer wants the answer closes the descriptor. (getaddrinfo_a() would need memory
 * that both sides know, and cannot be cancelled while a server is being asked.) Nothing ends a
 * thread that waits: a caller has one at a time.
 * @ret_fd: readable once the answer is there; owned by the caller, who may close it at any time.
 * @return 0; negative errno.
 */
int pb_resolve_start(const struct pb_endpoint *endpoint, int *ret_fd);
/** Reads the answer from a readable descriptor of pb_resolve_start(); leaves it open. */
void pb_resolve_finish(int fd, struct pb_addresses *ret);

/* ---- lists of networks ---- */

/** A network, as "192.168.1.0/24", "fd00::/8", or one address. */
struct pb_network {
	uint8_t address[PB_ADDRESS_BYTES];
	uint8_t bits; /**< of them, that count: 0..128 */
};

/** @return 0; -EINVAL with the reason in @why. */
int pb_network_parse(struct pb_network *ret, const char *text, char *why, size_t why_cap);
/**
 * @address: as pb_address_bytes() gives it.
 * @return whether one of the @count networks has it; without networks, true.
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
