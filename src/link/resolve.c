/* SPDX-License-Identifier: MIT */
#include "resolve.h"

#include "packbridge/base.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <errno.h>
#include <netdb.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct question {
	int fd; /* answers go here; owned by the thread */
	char host[PB_HOST_MAX];
	char port[PB_PORT_MAX];
};

static int lookup(const char *host, const char *port, int flags, struct pb_addresses *ret)
{
	const struct addrinfo hints = {
		.ai_family = AF_UNSPEC,
		.ai_socktype = SOCK_STREAM,
		.ai_flags = flags | AI_NUMERICSERV,
	};
	struct addrinfo *list;
	int r = getaddrinfo(host, port, &hints, &list);

	memset(ret, 0, sizeof(*ret));
	if (r != 0) {
		snprintf(ret->why, sizeof(ret->why), "%s",
			 r == EAI_SYSTEM ? strerrordesc_np(errno) : gai_strerror(r));
		return r;
	}
	for (const struct addrinfo *i = list; i && ret->count < PB_ADDRESS_MAX; i = i->ai_next)
		if (i->ai_addrlen <= sizeof(ret->list[0]))
			memcpy(&ret->list[ret->count++], i->ai_addr, i->ai_addrlen);
	freeaddrinfo(list);
	return 0;
}

int pb_resolve_numeric(const char *host, const char *port, struct pb_addresses *ret)
{
	/* no name at all means the loopback addresses */
	const char *name = strcmp(host, "localhost") == 0 ? NULL : host;

	return lookup(name, port, AI_NUMERICHOST, ret) == 0 ? 0 : -ENOENT;
}

static void print_numeric(const union pb_address *address, const char *port, char *out, size_t cap)
{
	char text[INET6_ADDRSTRLEN] = "";
	uint32_t scope = 0;

	if (address->any.sa_family == AF_INET) {
		inet_ntop(AF_INET, &address->in.sin_addr, text, sizeof(text));
	} else if (IN6_IS_ADDR_V4MAPPED(&address->in6.sin6_addr)) {
		inet_ntop(AF_INET, &address->in6.sin6_addr.s6_addr[12], text, sizeof(text));
	} else {
		inet_ntop(AF_INET6, &address->in6.sin6_addr, text, sizeof(text));
		scope = address->in6.sin6_scope_id;
	}
	snprintf(out, cap, "%s%%%u:%s", text, scope, port);
}

void pb_resolve_canonical(const char *host, const char *port, char *out, size_t cap)
{
	struct pb_addresses numeric;
	size_t len = strlen(host);

	if (strcasecmp(host, "localhost") == 0)
		host = "127.0.0.1";
	if (pb_resolve_numeric(host, port, &numeric) == 0 && numeric.count > 0) {
		print_numeric(&numeric.list[0], port, out, cap);
		return;
	}
	len -= len > 0 && host[len - 1] == '.';
	snprintf(out, cap, "%.*s:%s", (int)len, host, port);
	for (char *c = out; *c; c++)
		*c = (char)tolower((unsigned char)*c);
}

static void *answer(void *userdata)
{
	struct question *question = userdata;
	struct pb_addresses addresses;

	lookup(question->host, question->port, 0, &addresses);
	/* when the other end is closed, nobody waits any more */
	(void)send(question->fd, &addresses, sizeof(addresses), MSG_NOSIGNAL);
	close(question->fd);
	free(question);
	return NULL;
}

static int start_thread(struct question *question)
{
	sigset_t all, before;
	pthread_attr_t detached;
	pthread_t thread;
	int r = pthread_attr_init(&detached);

	if (r != 0)
		return -r;
	pthread_attr_setdetachstate(&detached, PTHREAD_CREATE_DETACHED);
	/* signals are for the loop's thread */
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	r = pthread_create(&thread, &detached, answer, question);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	pthread_attr_destroy(&detached);
	return -r;
}

int pb_resolve_start(const char *host, const char *port, int *ret_fd)
{
	struct question *question = calloc(1, sizeof(*question));
	int pair[2], r;

	if (!question)
		return -ENOMEM;
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, pair) < 0) {
		r = -errno;
		free(question);
		return r;
	}
	question->fd = pair[1];
	snprintf(question->host, sizeof(question->host), "%s", host);
	snprintf(question->port, sizeof(question->port), "%s", port);
	r = start_thread(question);
	if (r < 0) {
		close(pair[0]);
		close(pair[1]);
		free(question);
		return r;
	}
	*ret_fd = pair[0];
	return 0;
}

void pb_resolve_finish(int fd, struct pb_addresses *ret)
{
	ssize_t n = recv(fd, ret, sizeof(*ret), MSG_DONTWAIT);

	if (n == (ssize_t)sizeof(*ret))
		return;
	memset(ret, 0, sizeof(*ret));
	snprintf(ret->why, sizeof(ret->why), "no answer");
}

/* ---- addresses as people write them ---- */

static int refuse(char *why, size_t why_cap, const char *format, ...) PB_PRINTF(3, 4);

static int refuse(char *why, size_t why_cap, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vsnprintf(why, why_cap, format, args);
	va_end(args);
	return -EINVAL;
}

static int check_host(const char *host, const char *port, bool bracketed, char *why, size_t why_cap)
{
	struct in_addr v4;
	struct pb_addresses addresses;

	if (!*host)
		return refuse(why, why_cap, "no host, expected HOST:PORT");
	if (bracketed)
		return pb_resolve_numeric(host, port, &addresses) == 0 && strchr(host, ':')
			       ? 0
			       : refuse(why, why_cap, "'%s' is no IPv6 address", host);
	if (strchr(host, ':'))
		return refuse(why, why_cap, "an IPv6 address needs brackets: [%s]:%s", host, port);
	if (strspn(host, "0123456789.") == strlen(host) && inet_pton(AF_INET, host, &v4) != 1)
		return refuse(why, why_cap, "'%s' is no IPv4 address", host);
	for (const char *c = host; *c; c++)
		if (!isalnum((unsigned char)*c) && !strchr(".-_", *c))
			return refuse(why, why_cap, "'%s' is no host name", host);
	return 0;
}

int pb_resolve_parse(const char *address, char *host, char *port, char *why, size_t why_cap)
{
	const char *colon = strrchr(address, ':');
	size_t len = colon ? (size_t)(colon - address) : 0;
	bool bracketed = len >= 2 && address[0] == '[' && address[len - 1] == ']';
	int64_t number;

	if (!colon || (address[0] == '[' && !bracketed))
		return refuse(why, why_cap, "'%s', expected HOST:PORT or [IPV6]:PORT", address);
	if (pb_int_parse(colon + 1, 1, 65535, &number) < 0 || !isdigit((unsigned char)colon[1]))
		return refuse(why, why_cap, "port '%s', expected 1 to 65535", colon + 1);
	if (bracketed) {
		address++;
		len -= 2;
	}
	if (len >= PB_HOST_MAX)
		return refuse(why, why_cap, "the host name is longer than %d characters",
			      PB_HOST_MAX - 1);
	snprintf(host, PB_HOST_MAX, "%.*s", (int)len, address);
	snprintf(port, PB_PORT_MAX, "%u", (unsigned int)number);
	return check_host(host, port, bracketed, why, why_cap);
}
