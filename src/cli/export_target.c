/* SPDX-License-Identifier: MIT */
/*
 * Where clients find packbridge. The text goes into files and commands of others, so what is no
 * host is refused.
 */
#include "export.h"

#include <arpa/inet.h>
#include <errno.h>
#include <string.h>

enum { PORT = 502, LABEL_MAX = 63, HOST_MAX = 253 };

#define LABEL_CHARACTERS "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"

/* RFC 1123, and the underscore that is met all the same. A name does not end in a number. */
static bool is_name(const char *text)
{
	size_t len = strlen(text);
	const char *label = text, *last = text;

	if (len == 0 || len > HOST_MAX)
		return false;
	for (;;) {
		size_t n = strspn(label, LABEL_CHARACTERS);

		if (n == 0 || n > LABEL_MAX || label[0] == '-' || label[n - 1] == '-')
			return false;
		last = label;
		if (label[n] == '\0')
			break;
		if (label[n] != '.')
			return false;
		label += n + 1;
		if (*label == '\0')
			break; /* the point of a whole name */
	}
	return strspn(last, "0123456789.") < strlen(last);
}

static bool is_ipv6(const char *text)
{
	char address[INET6_ADDRSTRLEN + 1];
	size_t len = strcspn(text, "%"); /* a zone: fe80::1%eth0 */
	struct in6_addr found;

	if (len >= sizeof(address))
		return false;
	snprintf(address, sizeof(address), "%.*s", (int)len, text);
	if (inet_pton(AF_INET6, address, &found) != 1)
		return false;
	return text[len] == '\0' ||
	       (text[len + 1] != '\0' &&
		strspn(text + len + 1, LABEL_CHARACTERS ".") == strlen(text + len + 1));
}

static bool is_host(const char *text)
{
	struct in_addr found;

	return is_ipv6(text) || inet_pton(AF_INET, text, &found) == 1 || is_name(text);
}

/* Parts @text at the colon in front of the port; an IPv6 address stands in brackets then. */
static int split(const char *text, char *host, size_t cap, const char **ret_port)
{
	const char *end, *colon = strrchr(text, ':');
	bool brackets = text[0] == '[';
	size_t len;

	*ret_port = NULL;
	if (brackets) {
		end = strchr(text, ']');
		if (!end || (end[1] != '\0' && end[1] != ':'))
			return -EINVAL;
		len = (size_t)(end - text - 1);
		*ret_port = end[1] ? end + 2 : NULL;
		text++;
	} else if (!colon || strchr(text, ':') != colon) {
		len = strlen(text); /* a name; or an IPv6 address, all of it */
	} else {
		len = (size_t)(colon - text);
		*ret_port = colon + 1;
	}
	if (len == 0 || len >= cap)
		return -EINVAL;
	snprintf(host, cap, "%.*s", (int)len, text);
	/* brackets are for IPv6 alone */
	return brackets && !is_ipv6(host) ? -EINVAL : 0;
}

/* It stands behind other letters, so it can begin with a digit. */
static void make_id(struct pb_export_target *target, const char *text)
{
	char with_letter[304], id[sizeof(target->id) + 1];

	snprintf(with_letter, sizeof(with_letter), "h%s", text);
	variable_identifier(with_letter, id, sizeof(id));
	snprintf(target->id, sizeof(target->id), "%s", id + 1 + strspn(id + 1, "_"));
}

static int read_socket(struct pb_export_target *target, const char *text, char *why, size_t why_cap)
{
	const char *port;
	int64_t number = PORT;
	char id[300];

	if (split(text, target->host, sizeof(target->host), &port) < 0 || !is_host(target->host)) {
		snprintf(why, why_cap,
			 "host '%s', expected a name, an address, or [IPV6], with :PORT behind it",
			 text);
		return -EINVAL;
	}
	if (port && pb_int_parse(port, 1, 65535, &number) < 0) {
		snprintf(why, why_cap, "port '%s', expected 1 to 65535", port);
		return -EINVAL;
	}
	target->port = (unsigned int)number;
	snprintf(target->url, sizeof(target->url), strchr(target->host, ':') ? "[%s]:%u" : "%s:%u",
		 target->host, target->port);
	snprintf(id, sizeof(id), target->port == PORT ? "%s" : "%s_%u", target->host, target->port);
	make_id(target, id);
	return 0;
}

static int read_line(struct pb_export_target *target, const char *text, char *why, size_t why_cap)
{
	target->line = (struct pb_serial_config){
		.baud = 9600, .parity = 'N', .data_bits = 8, .stop_bits = 1};
	if (pb_serial_parse(&target->line, text, why, why_cap) < 0 ||
	    pb_serial_check(&target->line, why, why_cap) < 0)
		return -EINVAL;
	if (strspn(target->line.device, LABEL_CHARACTERS "/.:+@,=") < strlen(target->line.device)) {
		snprintf(why, why_cap, "device '%s', expected a path", target->line.device);
		return -EINVAL;
	}
	snprintf(target->host, sizeof(target->host), "%s", target->line.device);
	snprintf(target->url, sizeof(target->url), "%s", target->line.device);
	make_id(target, target->line.device);
	return 0;
}

int pb_export_target_read(struct pb_export_target *target, const char *text, char *why,
			  size_t why_cap)
{
	*target = (struct pb_export_target){.way = PB_EXPORT_TCP};
	if (strncmp(text, "rtu:", 4) == 0) {
		target->way = PB_EXPORT_RTU;
		return read_line(target, text + 4, why, why_cap);
	}
	if (strncmp(text, "rtu-over-tcp:", 13) == 0) {
		target->way = PB_EXPORT_RTU_TCP;
		text += 13;
	} else if (strncmp(text, "tcp:", 4) == 0) {
		text += 4;
	}
	return read_socket(target, text, why, why_cap);
}

const char *pb_export_parity(const struct pb_serial_config *line)
{
	return line->parity == 'E' ? "even" : line->parity == 'O' ? "odd" : "none";
}
