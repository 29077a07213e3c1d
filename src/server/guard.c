/* SPDX-License-Identifier: MIT */
#include "guard.h"

#include "packbridge/server.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

enum { HOST_MAX = 253 /* RFC 1035, 2.3.4, as text */ };

/* ---- names ---- */

/* What can be a name in DNS or in /etc/hosts; no port. */
static bool guard_good_name(const char *name)
{
	size_t len = strlen(name);

	return len > 0 && len <= HOST_MAX && name[0] != '.' && name[0] != '-' &&
	       strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._") ==
		       len;
}

int pb_http_host_check(const char *name, char *why, size_t why_cap)
{
	if (guard_good_name(name))
		return 0;
	snprintf(why, why_cap, "'%s', expected a name like packbridge.lan, without a port", name);
	return -EINVAL;
}

/* A dot at the end only marks a fully qualified name. */
static bool same_name(const char *a, const char *b)
{
	size_t len_a = strlen(a), len_b = strlen(b);

	if (len_a > 0 && a[len_a - 1] == '.')
		len_a--;
	if (len_b > 0 && b[len_b - 1] == '.')
		len_b--;
	return len_a > 0 && len_a == len_b && strncasecmp(a, b, len_a) == 0;
}

/* The machine's name, whole or its first part, also as mDNS has it: those are given by who runs the
 * network at hand, not by a web site. */
static bool is_own(const char *own, const char *host)
{
	char name[sizeof(((struct guard *)0)->own) + sizeof(".local")];
	size_t first = strcspn(own, ".");

	if (!*own)
		return false;
	if (same_name(own, host))
		return true;
	snprintf(name, sizeof(name), "%.*s", (int)first, own);
	if (same_name(name, host))
		return true;
	snprintf(name, sizeof(name), "%.*s.local", (int)first, own);
	return same_name(name, host);
}

/* ---- Host: ---- */

/* ":502", or nothing */
static bool is_port(const char *text)
{
	int64_t port;

	return !*text ||
	       (*text == ':' && (!text[1] || pb_int_parse(text + 1, 0, 65535, &port) == 0));
}

/* "[::1]:502" */
static bool guard_is_v6(const char *header)
{
	struct in6_addr v6;
	char text[INET6_ADDRSTRLEN];
	const char *end = strchr(header, ']');
	size_t len = end ? (size_t)(end - header - 1) : 0;

	if (!end || len >= sizeof(text) || !is_port(end + 1))
		return false;
	memcpy(text, header + 1, len);
	text[len] = '\0';
	return inet_pton(AF_INET6, text, &v6) == 1;
}

bool guard_host(const struct guard *guard, const char *header)
{
	struct in_addr v4;
	char host[HOST_MAX + 2];
	size_t len;

	if (!header)
		return true;
	if (header[0] == '[')
		return guard_is_v6(header);
	len = strcspn(header, ":");
	if (len == 0 || len >= sizeof(host) || !is_port(header + len))
		return false;
	memcpy(host, header, len);
	host[len] = '\0';
	if (same_name(host, "localhost") || is_own(guard->own, host))
		return true;
	for (size_t i = 0; i < guard->host_count; i++)
		if (same_name(host, guard->hosts[i]))
			return true;
	if (host[len - 1] == '.')
		host[len - 1] = '\0';
	return inet_pton(AF_INET, host, &v4) == 1;
}

bool guard_address(const struct guard *guard, const union pb_address *address)
{
	uint8_t bytes[PB_ADDRESS_BYTES];

	pb_address_bytes(address, bytes);
	return pb_networks_have(guard->allow, guard->allow_count, bytes);
}

/* ---- life ---- */

void guard_clear(struct guard *guard)
{
	for (size_t i = 0; i < guard->host_count; i++)
		free(guard->hosts[i]);
	free(guard->hosts);
	free(guard->allow);
	*guard = (struct guard){0};
}

static int take_hosts(struct guard *guard, const char *const *hosts, size_t count, char *why,
		      size_t why_cap)
{
	guard->hosts = calloc(count + 1, sizeof(*guard->hosts));
	for (size_t i = 0; guard->hosts && i < count; i++) {
		if (pb_http_host_check(hosts[i], why, why_cap) < 0)
			return -EINVAL;
		guard->hosts[i] = strdup(hosts[i]);
		if (!guard->hosts[i])
			return -ENOMEM;
		guard->host_count++;
	}
	return guard->hosts ? 0 : -ENOMEM;
}

int guard_make(struct guard *ret, const char *const *hosts, size_t host_count,
	       const char *const *allow, size_t allow_count, char *why, size_t why_cap)
{
	struct guard guard = {0};
	int r;

	snprintf(why, why_cap, "out of memory");
	r = take_hosts(&guard, hosts, host_count, why, why_cap);
	if (r >= 0)
		r = pb_networks_parse(&guard.allow, allow, allow_count, why, why_cap);
	guard.allow_count = r >= 0 ? allow_count : 0;
	if (gethostname(guard.own, sizeof(guard.own) - 1) < 0 || same_name(guard.own, "(none)"))
		guard.own[0] = '\0';
	if (r < 0)
		guard_clear(&guard);
	else
		*ret = guard;
	return r;
}
