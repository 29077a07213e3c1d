/* SPDX-License-Identifier: MIT */
/*
 * How many clients each address has.
 */
#pragma once

#include "packbridge/base.h"

/** An address with clients: of IPv6 the network of 64 bits, all of which one machine may have. */
struct peer_count {
	struct peer_count *next;
	uint32_t clients;
	uint8_t network[16]; /**< IPv4 as ::ffff:a.b.c.d */
};

/** One more client of @address (struct pb_peer). @return its address's; NULL: no memory. */
struct peer_count *peers_join(struct peer_count **peers, const uint8_t address[16]);
/** One less; frees it with the last. */
void peers_leave(struct peer_count **peers, struct peer_count *peer);
/** @return the most clients that one address has; 0: none. */
uint32_t peers_most(const struct peer_count *peers);
