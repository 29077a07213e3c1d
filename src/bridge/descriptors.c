/* SPDX-License-Identifier: MIT */
/*
 * How many descriptors a configuration may come to need.
 */
#include "packbridge/bridge.h"

#include "packbridge/server.h"

enum {
	A_PACK = 2, /* two directions over Bluetooth; a socket, and a name that is looked up */
	A_LISTENER = 2,
	BESIDE = 32, /* the loop and its timers, D-Bus, log, files that are read, reserve */
};

struct pb_descriptors pb_bridge_descriptors(const struct pb_config *config)
{
	struct pb_descriptors need = {.packs = A_PACK * config->pack_count, .others = BESIDE};

	for (size_t i = 0; i < config->listen_count; i++) {
		need.others += A_LISTENER;
		if (config->listens[i].kind != PB_LISTEN_RTU)
			need.clients += config->listens[i].max_clients;
	}
	for (int i = 0; i < PB_SOCKETS; i++)
		if (config->sockets[i].path[0])
			need.others += PB_ASK_SOCKET_DESCRIPTORS;
	if (config->http.address[0])
		need.others += PB_HTTP_DESCRIPTORS;
	need.all = need.packs + need.clients + need.others;
	return need;
}
