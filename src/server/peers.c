/* SPDX-License-Identifier: MIT */
#include "peers.h"

#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

enum { NETWORK_BYTES = 8 };

/* One that is gone already has no address: zeros. */
static void read_address(int fd, uint8_t address[16])
{
	union {
		struct sockaddr any;
		struct sockaddr_in in;
		struct sockaddr_in6 in6;
	} from = {0};
	socklen_t len = sizeof(from);

	memset(address, 0, 16);
	if (getpeername(fd, &from.any, &len) < 0)
		return;
	if (from.any.sa_family == AF_INET) {
		address[10] = address[11] = 0xFF;
		memcpy(address + 12, &from.in.sin_addr, 4);
	} else if (from.any.sa_family == AF_INET6) {
		bool mapped = IN6_IS_ADDR_V4MAPPED(&from.in6.sin6_addr);

		memcpy(address, &from.in6.sin6_addr, mapped ? 16 : NETWORK_BYTES);
	}
}

struct peer *peers_join(struct peer **peers, int fd)
{
	uint8_t address[16];
	struct peer *peer;

	read_address(fd, address);
	for (peer = *peers; peer; peer = peer->next) {
		if (memcmp(peer->address, address, sizeof(address)) == 0) {
			peer->clients++;
			return peer;
		}
	}
	peer = calloc(1, sizeof(*peer));
	if (!peer)
		return NULL;
	memcpy(peer->address, address, sizeof(address));
	peer->clients = 1;
	peer->next = *peers;
	*peers = peer;
	return peer;
}

void peers_leave(struct peer **peers, struct peer *peer)
{
	struct peer **at = peers;

	if (!peer || --peer->clients > 0)
		return;
	while (*at != peer)
		at = &(*at)->next;
	*at = peer->next;
	free(peer);
}

uint32_t peers_most(const struct peer *peers)
{
	uint32_t most = 0;

	for (; peers; peers = peers->next)
		most = peers->clients > most ? peers->clients : most;
	return most;
}
