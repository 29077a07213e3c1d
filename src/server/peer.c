/* SPDX-License-Identifier: MIT */
#include "peer.h"

#include <arpa/inet.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

struct peer peer_of(const struct sockaddr_storage *addr)
{
	struct peer peer = {0};

	if (addr->ss_family == AF_INET6) {
		const struct sockaddr_in6 *v6 = (const void *)addr;

		peer.host = v6->sin6_addr;
		peer.port = ntohs(v6->sin6_port);
	} else {
		const struct sockaddr_in *v4 = (const void *)addr;

		peer.host.s6_addr[10] = peer.host.s6_addr[11] = 0xFF;
		memcpy(&peer.host.s6_addr[12], &v4->sin_addr, 4);
		peer.port = ntohs(v4->sin_port);
	}
	return peer;
}

const char *peer_text(const struct peer *peer, char *out)
{
	char host[INET6_ADDRSTRLEN] = "?";

	if (IN6_IS_ADDR_V4MAPPED(&peer->host)) {
		inet_ntop(AF_INET, &peer->host.s6_addr[12], host, sizeof(host));
		snprintf(out, PEER_TEXT_MAX, "%s:%u", host, peer->port);
	} else {
		inet_ntop(AF_INET6, &peer->host, host, sizeof(host));
		snprintf(out, PEER_TEXT_MAX, "[%s]:%u", host, peer->port);
	}
	return out;
}

bool mutes_may_log(struct mutes *mutes, const struct in6_addr *host, uint64_t now_ms)
{
	size_t unused = MUTES;

	for (size_t i = 0; i < MUTES; i++) {
		if (mutes->entries[i].until_ms <= now_ms)
			unused = i;
		else if (IN6_ARE_ADDR_EQUAL(&mutes->entries[i].host, host))
			return false;
	}
	if (unused == MUTES)
		return false;
	mutes->entries[unused].host = *host;
	mutes->entries[unused].until_ms = now_ms + MUTE_MS;
	return true;
}
