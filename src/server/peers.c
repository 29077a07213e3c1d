/* SPDX-License-Identifier: MIT */
#include "peers.h"

#include <stdlib.h>
#include <string.h>

enum { NETWORK_BYTES = 8, MAPPED_BYTES = 12 /* in front of an IPv4 address */ };

/* What one machine may have all of: one IPv4 address, an IPv6 network. */
static void find_network(const uint8_t address[16], uint8_t ret[16])
{
	static const uint8_t mapped[MAPPED_BYTES] = {[10] = 0xFF, [11] = 0xFF};
	bool v4 = memcmp(address, mapped, sizeof(mapped)) == 0;

	memset(ret, 0, 16);
	memcpy(ret, address, v4 ? 16 : NETWORK_BYTES);
}

struct peer_count *peers_join(struct peer_count **peers, const uint8_t address[16])
{
	uint8_t network[16];
	struct peer_count *peer;

	find_network(address, network);
	for (peer = *peers; peer; peer = peer->next) {
		if (memcmp(peer->network, network, sizeof(network)) == 0) {
			peer->clients++;
			return peer;
		}
	}
	peer = calloc(1, sizeof(*peer));
	if (!peer)
		return NULL;
	memcpy(peer->network, network, sizeof(network));
	peer->clients = 1;
	peer->next = *peers;
	*peers = peer;
	return peer;
}

void peers_leave(struct peer_count **peers, struct peer_count *peer)
{
	struct peer_count **at = peers;

	if (!peer || --peer->clients > 0)
		return;
	while (*at != peer)
		at = &(*at)->next;
	*at = peer->next;
	free(peer);
}

uint32_t peers_most(const struct peer_count *peers)
{
	uint32_t most = 0;

	for (; peers; peers = peers->next)
		most = peers->clients > most ? peers->clients : most;
	return most;
}
