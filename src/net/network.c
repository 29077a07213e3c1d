/* SPDX-License-Identifier: MIT */
#include "packbridge/net.h"

#include "packbridge/base.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { V4_AT = 96 /* where IPv4 begins in a mapped address */ };

static void map_v4(uint8_t *out, const struct in_addr *v4)
{
	memset(out, 0, 10);
	out[10] = out[11] = 0xFF;
	memcpy(out + 12, v4, 4);
}

/* Bits behind the network's would never match, and mean a mistake. */
static bool bits_left(const struct pb_network *network)
{
	for (unsigned int bit = network->bits; bit < 128; bit++)
		if (network->address[bit / 8] >> (7 - bit % 8) & 1)
			return true;
	return false;
}

int pb_network_parse(struct pb_network *ret, const char *text, char *why, size_t why_cap)
{
	char host[64];
	const char *slash = strchr(text, '/');
	size_t len = slash ? (size_t)(slash - text) : strlen(text);
	struct pb_network network;
	struct in_addr v4;
	int64_t bits, base = 0;

	snprintf(why, why_cap, "'%s', expected a network like 192.168.1.0/24 or fd00::/8", text);
	if (len >= sizeof(host))
		return -EINVAL;
	memcpy(host, text, len);
	host[len] = '\0';
	if (inet_pton(AF_INET, host, &v4) == 1) {
		map_v4(network.address, &v4);
		base = V4_AT;
	} else if (inet_pton(AF_INET6, host, network.address) != 1) {
		return -EINVAL;
	}
	bits = 128 - base;
	if (slash && pb_int_parse(slash + 1, 0, 128 - base, &bits) < 0)
		return -EINVAL;
	network.bits = (uint8_t)(base + bits);
	if (bits_left(&network)) {
		snprintf(why, why_cap, "'%s' has bits after the /%d, expected a network's address",
			 text, (int)bits);
		return -EINVAL;
	}
	*ret = network;
	return 0;
}

static bool network_has(const struct pb_network *network, const uint8_t *address)
{
	size_t whole = network->bits / 8, rest = network->bits % 8;

	return memcmp(network->address, address, whole) == 0 &&
	       (rest == 0 || (network->address[whole] ^ address[whole]) >> (8 - rest) == 0);
}

bool pb_networks_have(const struct pb_network *list, size_t count,
		      const uint8_t address[PB_ADDRESS_BYTES])
{
	for (size_t i = 0; i < count; i++)
		if (network_has(&list[i], address))
			return true;
	return count == 0;
}

int pb_networks_parse(struct pb_network **ret, const char *const *texts, size_t count, char *why,
		      size_t why_cap)
{
	struct pb_network *list = calloc(count + 1, sizeof(*list));

	if (!list)
		return -ENOMEM;
	for (size_t i = 0; i < count; i++) {
		if (pb_network_parse(&list[i], texts[i], why, why_cap) < 0) {
			free(list);
			return -EINVAL;
		}
	}
	*ret = list;
	return 0;
}
