/* SPDX-License-Identifier: MIT */
/*
 * How many clients each address has.
 */
#pragma once

#include "packbridge/base.h"

/**
 * An address with clients. For IPv6 it is the /64 network, since one machine may use all of its
 * addresses.
 */
struct peer_count {
	struct peer_count *next;
	uint32_t clients;
	uint8_t network[16]; /**< IPv4 as ::ffff:a.b.c.d */
};

/**
 * Counts one more client of @address (struct pb_peer). @return the count of its address; NULL: no
 * memory.
 */
struct peer_count *peers_join(struct peer_count **peers, const uint8_t address[16]);
/** Counts one client less; frees the count with the last one. */
void peers_leave(struct peer_count **peers, struct peer_count *peer);
/** @return the most clients that one address has; 0: none. */
uint32_t peers_most(const struct peer_count *peers);
