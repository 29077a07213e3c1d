/* SPDX-License-Identifier: MIT */
#include "allow.h"

#include "packbridge/server.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>

enum { V4_AT = 96 /* where IPv4 begins in a mapped address */ };

static void map_v4(uint8_t *out, const struct in_addr *v4)
{
	memset(out, 0, 10);
	out[10] = out[11] = 0xFF;
	memcpy(out + 12, v4, 4);
}

/* Bits behind the network's would never match, and mean a mistake. */
static bool bits_left(const struct allow *allow)
{
	for (unsigned int bit = allow->bits; bit < 128; bit++)
		if (allow->network[bit / 8] >> (7 - bit % 8) & 1)
			return true;
	return false;
}

int allow_parse(struct allow *ret, const char *text, char *why, size_t why_cap)
{
	char host[64];
	const char *slash = strchr(text, '/');
	size_t len = slash ? (size_t)(slash - text) : strlen(text);
	struct allow allow;
	struct in_addr v4;
	int64_t bits, base = 0;

	snprintf(why, why_cap, "'%s', expected a network like 192.168.1.0/24 or fd00::/8", text);
	if (len >= sizeof(host))
		return -EINVAL;
	memcpy(host, text, len);
	host[len] = '\0';
	if (inet_pton(AF_INET, host, &v4) == 1) {
		map_v4(allow.network, &v4);
		base = V4_AT;
	} else if (inet_pton(AF_INET6, host, allow.network) != 1) {
		return -EINVAL;
	}
	bits = 128 - base;
	if (slash && pb_int_parse(slash + 1, 0, 128 - base, &bits) < 0)
		return -EINVAL;
	allow.bits = (uint8_t)(base + bits);
	if (bits_left(&allow)) {
		snprintf(why, why_cap, "'%s' has bits behind the /%d, expected a network's address",
			 text, (int)bits);
		return -EINVAL;
	}
	*ret = allow;
	return 0;
}

static bool has(const struct allow *allow, const uint8_t *address)
{
	size_t whole = allow->bits / 8, rest = allow->bits % 8;

	return memcmp(allow->network, address, whole) == 0 &&
	       (rest == 0 || (allow->network[whole] ^ address[whole]) >> (8 - rest) == 0);
}

bool allow_match(const struct allow *list, size_t count, const struct sockaddr *address)
{
	uint8_t mapped[16];

	if (count == 0)
		return true;
	if (address->sa_family == AF_INET)
		map_v4(mapped, &((const struct sockaddr_in *)(const void *)address)->sin_addr);
	else if (address->sa_family == AF_INET6)
		memcpy(mapped, &((const struct sockaddr_in6 *)(const void *)address)->sin6_addr,
		       sizeof(mapped));
	else
		return false;
	for (size_t i = 0; i < count; i++)
		if (has(&list[i], mapped))
			return true;
	return false;
}

int pb_server_allow_check(const char *network, char *why, size_t why_cap)
{
	struct allow allow;

	return allow_parse(&allow, network, why, why_cap);
}
