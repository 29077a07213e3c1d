/* SPDX-License-Identifier: MIT */
/*
 * Who is at the other end, and how often the log hears of it: a peer that misbehaves in a loop
 * must not fill the journal, and many of them together must not either.
 */
#pragma once

#include <netinet/in.h>
#include <stdbool.h>
#include <stdint.h>

enum {
	PEER_TEXT_MAX = INET6_ADDRSTRLEN + sizeof("[]:65535"),
	MUTES = 16,
	MUTE_MS = 60000,
};

struct peer {
	struct in6_addr host; /**< IPv4 as ::ffff:a.b.c.d */
	uint16_t port;
};

struct peer peer_of(const struct sockaddr_storage *addr);
/** Prints "1.2.3.4:5" or "[::1]:5" into @out, PEER_TEXT_MAX bytes; returns it. */
const char *peer_text(const struct peer *peer, char *out);

/** Hosts that the log has heard of within MUTE_MS. All zero is a good start. */
struct mutes {
	struct {
		struct in6_addr host;
		uint64_t until_ms;
	} entries[MUTES];
};

/**
 * Whether to log about @host now: once a minute for each, and at most MUTES lines a minute for all
 * (then others wait until an entry runs out).
 */
bool mutes_may_log(struct mutes *mutes, const struct in6_addr *host, uint64_t now_ms);
