/* SPDX-License-Identifier: MIT */
#include "packbridge/net.h"

#include <arpa/inet.h>
#include <net/if.h>
#include <stdio.h>
#include <string.h>

union pb_address pb_address_v4(in_addr_t host, uint16_t port)
{
	return (union pb_address){.in = {.sin_family = AF_INET,
					 .sin_addr.s_addr = htonl(host),
					 .sin_port = htons(port)}};
}

union pb_address pb_address_v6(const struct in6_addr *host, uint16_t port)
{
	return (union pb_address){
		.in6 = {.sin6_family = AF_INET6, .sin6_addr = *host, .sin6_port = htons(port)}};
}

static bool address_is_v6(const union pb_address *address)
{
	return address->any.sa_family == AF_INET6;
}

socklen_t pb_address_len(const union pb_address *address)
{
	return address_is_v6(address) ? sizeof(address->in6) : sizeof(address->in);
}

uint16_t pb_address_port(const union pb_address *address)
{
	return ntohs(address_is_v6(address) ? address->in6.sin6_port : address->in.sin_port);
}

void pb_address_set_port(union pb_address *address, uint16_t port)
{
	if (address_is_v6(address))
		address->in6.sin6_port = htons(port);
	else
		address->in.sin_port = htons(port);
}

bool pb_address_is_any(const union pb_address *address)
{
	if (address_is_v6(address))
		return IN6_IS_ADDR_UNSPECIFIED(&address->in6.sin6_addr);
	return address->in.sin_addr.s_addr == htonl(INADDR_ANY);
}

static bool address_is_v4_within(const union pb_address *address)
{
	return address_is_v6(address) && IN6_IS_ADDR_V4MAPPED(&address->in6.sin6_addr);
}

/* IPv4 within IPv6 as IPv4, since a socket for both families takes both. */
static union pb_address address_plain(const union pb_address *address)
{
	in_addr_t v4;

	if (!address_is_v4_within(address))
		return *address;
	memcpy(&v4, &address->in6.sin6_addr.s6_addr[12], sizeof(v4));
	return pb_address_v4(ntohl(v4), pb_address_port(address));
}

bool pb_address_is_loopback(const union pb_address *address)
{
	union pb_address plain = address_plain(address);

	if (address_is_v6(&plain))
		return IN6_IS_ADDR_LOOPBACK(&plain.in6.sin6_addr);
	return ntohl(plain.in.sin_addr.s_addr) >> IN_CLASSA_NSHIFT == IN_LOOPBACKNET;
}

void pb_address_bytes(const union pb_address *address, uint8_t ret[PB_ADDRESS_BYTES])
{
	memset(ret, 0, PB_ADDRESS_BYTES);
	if (address_is_v6(address)) {
		memcpy(ret, &address->in6.sin6_addr, PB_ADDRESS_BYTES);
	} else if (address->any.sa_family == AF_INET) {
		memset(ret + 10, 0xFF, 2);
		memcpy(ret + 12, &address->in.sin_addr, 4);
	}
}

const char *pb_address_print(const union pb_address *address, char *out, size_t cap)
{
	char zone[IF_NAMESIZE];
	uint8_t bytes[PB_ADDRESS_BYTES];
	bool v4 = address->any.sa_family == AF_INET || address_is_v4_within(address);
	size_t len;

	snprintf(out, cap, "?");
	if (!v4 && !address_is_v6(address))
		return out;
	pb_address_bytes(address, bytes);
	if (!inet_ntop(v4 ? AF_INET : AF_INET6, v4 ? bytes + 12 : bytes, out, (socklen_t)cap))
		return out;
	len = strlen(out);
	if (!v4 && address->in6.sin6_scope_id && if_indextoname(address->in6.sin6_scope_id, zone))
		snprintf(out + len, cap - len, "%%%s", zone);
	return out;
}

bool pb_address_overlap(const union pb_address *one, const union pb_address *other)
{
	union pb_address a = address_plain(one), b = address_plain(other);
	bool a6 = address_is_v6(&a), b6 = address_is_v6(&b);

	if (pb_address_port(&a) != pb_address_port(&b) || pb_address_port(&a) == 0)
		return false;
	if ((a6 && pb_address_is_any(&a)) || (b6 && pb_address_is_any(&b)))
		return true;
	if (a6 != b6)
		return false;
	if (a6)
		return memcmp(&a.in6.sin6_addr, &b.in6.sin6_addr, PB_ADDRESS_BYTES) == 0 &&
		       a.in6.sin6_scope_id == b.in6.sin6_scope_id;
	return pb_address_is_any(&a) || pb_address_is_any(&b) ||
	       a.in.sin_addr.s_addr == b.in.sin_addr.s_addr;
}
