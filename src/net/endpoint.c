/* SPDX-License-Identifier: MIT */
/*
 * HOST:PORT. The text is first cut in two, then each half is judged by itself:
 *
 *	[fe80::1%eth0]:502     192.168.1.7:502     *:502     packs.lan     ::1
 *	 '---host---'  '-port   '--host--' '-port            host alone, where a port has a default
 */
#include "packbridge/net.h"

#include "packbridge/base.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <errno.h>
#include <net/if.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

enum {
	LABEL_MAX = 63, /* RFC 1035, 2.3.4 */
	NAME_MAX_LEN = 253,
	PORT_DIGITS = 5,
};

#define DIGITS	"0123456789"
#define LETTERS "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz" DIGITS "-_"

/* ---- cutting ---- */

/* A text, cut. Borrowed from it. */
struct halves {
	const char *host;
	size_t host_len;
	bool bracketed;
	const char *port; /* NULL: none */
};

static bool cut_brackets(const char *text, struct halves *ret)
{
	const char *end = strchr(text, ']');

	if (!end || (end[1] && end[1] != ':'))
		return false;
	*ret = (struct halves){.host = text + 1,
			       .host_len = (size_t)(end - text - 1),
			       .bracketed = true,
			       .port = end[1] ? end + 2 : NULL};
	return true;
}

static bool endpoint_cut(const char *text, enum pb_endpoint_use use, struct halves *ret)
{
	const char *colon = strrchr(text, ':');

	if (text[0] == '[')
		return cut_brackets(text, ret);
	if (colon && use == PB_ENDPOINT_MODBUS && strchr(text, ':') != colon)
		colon = NULL; /* an IPv6 address, all of it */
	*ret = (struct halves){.host = text,
			       .host_len = colon ? (size_t)(colon - text) : strlen(text),
			       .port = colon ? colon + 1 : NULL};
	return true;
}

/* ---- judging ---- */

static bool endpoint_is_name(const char *text)
{
	const char *label = text;
	size_t len = strlen(text), label_len;

	if (len == 0 || len - (text[len - 1] == '.') > NAME_MAX_LEN)
		return false;
	for (;;) {
		label_len = strspn(label, LETTERS);
		if (label_len == 0 || label_len > LABEL_MAX || label[0] == '-' ||
		    label[label_len - 1] == '-')
			return false;
		if (label[label_len] != '.' || !label[label_len + 1])
			break;
		label += label_len + 1;
	}
	return (label[label_len] == '\0' || label[label_len] == '.') &&
	       strspn(label, DIGITS) < label_len;
}

static bool endpoint_is_v6(const char *text)
{
	char address[INET6_ADDRSTRLEN];
	size_t len = strcspn(text, "%");
	const char *zone = text[len] ? text + len + 1 : NULL;
	struct in6_addr found;

	if (len >= sizeof(address))
		return false;
	snprintf(address, sizeof(address), "%.*s", (int)len, text);
	if (inet_pton(AF_INET6, address, &found) != 1)
		return false;
	return !zone || (*zone && zone[strspn(zone, LETTERS ".")] == '\0');
}

/* @port: whether one stands behind the host */
static enum pb_endpoint_fault judge_host(struct pb_endpoint *endpoint, bool bracketed, bool port,
					 enum pb_endpoint_use use)
{
	const char *host = endpoint->host;
	struct in_addr v4;

	if (!*host)
		return PB_ENDPOINT_NO_HOST;
	endpoint->kind = PB_HOST_V6;
	if (strchr(host, ':') && !bracketed && port)
		return PB_ENDPOINT_BARE_V6;
	if (strchr(host, ':') || bracketed)
		return endpoint_is_v6(host) ? PB_ENDPOINT_GOOD : PB_ENDPOINT_BAD_V6;
	endpoint->kind = PB_HOST_ALL;
	if (use == PB_ENDPOINT_LISTEN && strcmp(host, "*") == 0)
		return PB_ENDPOINT_GOOD;
	endpoint->kind = PB_HOST_V4;
	if (strspn(host, DIGITS ".") == strlen(host))
		return inet_pton(AF_INET, host, &v4) == 1 ? PB_ENDPOINT_GOOD : PB_ENDPOINT_BAD_V4;
	endpoint->kind = PB_HOST_NAME;
	return endpoint_is_name(host) ? PB_ENDPOINT_GOOD : PB_ENDPOINT_BAD_NAME;
}

static bool read_port(const char *text, enum pb_endpoint_use use, uint16_t *ret)
{
	size_t digits = strspn(text, DIGITS);
	long port = strtol(text, NULL, 10);

	if (digits < 1 || digits > PORT_DIGITS || text[digits] || port > UINT16_MAX)
		return false;
	*ret = (uint16_t)port;
	return port > 0 || use == PB_ENDPOINT_LISTEN;
}

enum pb_endpoint_fault pb_endpoint_parse(struct pb_endpoint *ret, const char *text,
					 enum pb_endpoint_use use)
{
	struct pb_endpoint endpoint = {.port = PB_PORT_MODBUS};
	struct halves halves;
	enum pb_endpoint_fault fault;

	if (!endpoint_cut(text, use, &halves) || (!halves.port && use != PB_ENDPOINT_MODBUS))
		return PB_ENDPOINT_NO_PORT;
	if (halves.host_len >= sizeof(endpoint.host))
		return PB_ENDPOINT_BAD_NAME;
	memcpy(endpoint.host, halves.host, halves.host_len);
	if (halves.port && !read_port(halves.port, use, &endpoint.port))
		return PB_ENDPOINT_BAD_PORT;
	fault = judge_host(&endpoint, halves.bracketed, halves.port != NULL, use);
	if (fault == PB_ENDPOINT_GOOD)
		*ret = endpoint;
	return fault;
}

/* ---- in words ---- */

static int endpoint_explain_host(enum pb_endpoint_fault fault, const struct halves *halves,
				 char *why, size_t why_cap)
{
	static const char *const what[] = {
		[PB_ENDPOINT_BAD_V6] = "is no IPv6 address",
		[PB_ENDPOINT_BAD_V4] = "is no IPv4 address",
		[PB_ENDPOINT_BAD_NAME] = "is no host name",
	};

	if (halves->host_len > NAME_MAX_LEN + 1)
		snprintf(why, why_cap, "the host name is longer than %d characters", NAME_MAX_LEN);
	else
		snprintf(why, why_cap, "'%.*s' %s", (int)halves->host_len, halves->host,
			 what[fault]);
	return -EINVAL;
}

int pb_endpoint_explain(enum pb_endpoint_fault fault, const char *text, char *why, size_t why_cap)
{
	const char *colon = strrchr(text, ':');
	struct halves halves = {.host = text, .host_len = strlen(text)};

	/* where a port has a default, a text that has several colons is a host alone */
	endpoint_cut(text, fault == PB_ENDPOINT_BAD_V6 ? PB_ENDPOINT_MODBUS : PB_ENDPOINT_CONNECT,
		     &halves);
	switch (fault) {
	case PB_ENDPOINT_GOOD:
		break;
	case PB_ENDPOINT_NO_PORT:
		snprintf(why, why_cap, "'%s', expected HOST:PORT or [IPV6]:PORT", text);
		break;
	case PB_ENDPOINT_BAD_PORT:
		snprintf(why, why_cap, "port '%s', expected 1 to 65535",
			 halves.port ? halves.port : "");
		break;
	case PB_ENDPOINT_NO_HOST:
		snprintf(why, why_cap, "no host, expected HOST:PORT");
		break;
	case PB_ENDPOINT_BARE_V6:
		snprintf(why, why_cap, "an IPv6 address needs brackets: [%.*s]:%s",
			 (int)halves.host_len, halves.host, colon ? colon + 1 : "");
		break;
	case PB_ENDPOINT_BAD_V6:
	case PB_ENDPOINT_BAD_V4:
	case PB_ENDPOINT_BAD_NAME:
		return endpoint_explain_host(fault, &halves, why, why_cap);
	}
	return -EINVAL;
}

/* ---- out again ---- */

const char *pb_endpoint_print(const struct pb_endpoint *endpoint, char *out, size_t cap)
{
	snprintf(out, cap, endpoint->kind == PB_HOST_V6 ? "[%s]:%u" : "%s:%u", endpoint->host,
		 endpoint->port);
	return out;
}

bool pb_endpoint_is_localhost(const struct pb_endpoint *endpoint)
{
	return endpoint->kind == PB_HOST_NAME && strcasecmp(endpoint->host, "localhost") == 0;
}

bool pb_endpoint_is_loopback(const struct pb_endpoint *endpoint)
{
	struct pb_addresses numeric;

	return pb_resolve_numeric(endpoint, &numeric) == 0 &&
	       pb_address_is_loopback(&numeric.list[0]);
}

void pb_endpoint_canonical(const struct pb_endpoint *endpoint, char *out, size_t cap)
{
	struct pb_endpoint same = *endpoint;
	struct pb_addresses numeric;
	char host[PB_ADDRESS_TEXT];
	size_t len = strlen(endpoint->host);

	if (pb_endpoint_is_localhost(endpoint))
		same = (struct pb_endpoint){PB_HOST_V4, "127.0.0.1", endpoint->port};
	if (pb_resolve_numeric(&same, &numeric) == 0) {
		pb_address_print(&numeric.list[0], host, sizeof(host));
		snprintf(out, cap, strchr(host, ':') ? "[%s]:%u" : "%s:%u", host, same.port);
		return;
	}
	len -= len > 0 && same.host[len - 1] == '.';
	snprintf(out, cap, "%.*s:%u", (int)len, same.host, same.port);
	for (char *c = out; *c; c++)
		*c = (char)tolower((unsigned char)*c);
}

void pb_endpoint_reach(const struct pb_endpoint *listens, struct pb_endpoint *ret)
{
	struct pb_addresses numeric;
	bool any =
		pb_resolve_numeric(listens, &numeric) == 0 && pb_address_is_any(&numeric.list[0]);

	*ret = *listens;
	if (listens->kind == PB_HOST_ALL || (any && listens->kind == PB_HOST_V4))
		*ret = (struct pb_endpoint){PB_HOST_V4, "127.0.0.1", listens->port};
	else if (any && listens->kind == PB_HOST_V6)
		*ret = (struct pb_endpoint){PB_HOST_V6, "::1", listens->port};
}
