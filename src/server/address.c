/* SPDX-License-Identifier: MIT */
#include "address.h"

#include "packbridge/server.h"

#include <errno.h>
#include <netdb.h>
#include <stdio.h>
#include <string.h>

enum { HOST_MAX = 256 };

#define EXPECTED "expected HOST:PORT or [IPV6]:PORT, e.g. 0.0.0.0:502, [::]:502, 127.0.0.1:1502"

static int refuse(char *why, size_t why_cap, const char *text, const char *what)
{
	snprintf(why, why_cap, "address '%s': %s, " EXPECTED, text, what);
	return -EINVAL;
}

/* Cuts "HOST:PORT" or "[HOST]:PORT". @return 0, or -EINVAL. */
static int split(const char *text, char *host, const char **ret_port)
{
	const char *colon = strrchr(text, ':');
	size_t len = colon ? (size_t)(colon - text) : 0;
	bool brackets = len >= 2 && text[0] == '[' && text[len - 1] == ']';

	if (len == 0 || len >= HOST_MAX)
		return -EINVAL;
	if (brackets) {
		text++;
		len -= 2;
	} else if (memchr(text, ':', len)) {
		return -EINVAL; /* an IPv6 address needs brackets, or its end is taken for a port */
	}
	memcpy(host, text, len);
	host[len] = '\0';
	*ret_port = colon + 1;
	return len ? 0 : -EINVAL;
}

int pb_address_parse(struct pb_address *ret, const char *text, char *why, size_t why_cap)
{
	struct addrinfo hints = {.ai_socktype = SOCK_STREAM,
				 .ai_flags = AI_NUMERICHOST | AI_NUMERICSERV | AI_PASSIVE};
	struct addrinfo *info;
	char host[HOST_MAX];
	const char *name = host, *port;
	int64_t number;

	if (split(text, host, &port) < 0)
		return refuse(why, why_cap, text, "no host and port");
	if (pb_int_parse(port, 0, 65535, &number) < 0)
		return refuse(why, why_cap, text, "the port is not 0..65535");
	if (strcmp(host, "*") == 0)
		name = "::";
	else if (strcmp(host, "localhost") == 0)
		name = "127.0.0.1";
	if (getaddrinfo(name, port, &hints, &info) != 0)
		return refuse(why, why_cap, text, "the host is not a numeric address");

	memset(ret, 0, sizeof(*ret));
	memcpy(&ret->sockaddr, info->ai_addr, info->ai_addrlen);
	ret->len = info->ai_addrlen;
	ret->dual = strcmp(name, "::") == 0;
	freeaddrinfo(info);
	return 0;
}

int pb_server_tcp_check(const char *address, char *why, size_t why_cap)
{
	struct pb_address ignored;

	return pb_address_parse(&ignored, address, why, why_cap);
}
