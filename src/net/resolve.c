/* SPDX-License-Identifier: MIT */
#include "packbridge/net.h"

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
	struct pb_endpoint endpoint;
};

/* @host: NULL: the loopback addresses */
static int lookup(const char *host, uint16_t port, int flags, struct pb_addresses *ret)
{
	const struct addrinfo hints = {
		.ai_family = AF_UNSPEC,
		.ai_socktype = SOCK_STREAM,
		.ai_flags = flags | AI_NUMERICSERV,
	};
	struct addrinfo *list;
	char digits[6];
	int r;

	snprintf(digits, sizeof(digits), "%u", port);
	r = getaddrinfo(host, digits, &hints, &list);
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

int pb_resolve_numeric(const struct pb_endpoint *endpoint, struct pb_addresses *ret)
{
	bool localhost = pb_endpoint_is_localhost(endpoint);

	if (!localhost && endpoint->kind != PB_HOST_V4 && endpoint->kind != PB_HOST_V6)
		return -ENOENT;
	return lookup(localhost ? NULL : endpoint->host, endpoint->port, AI_NUMERICHOST, ret) == 0
		       ? 0
		       : -ENOENT;
}

static void *resolve_answer(void *userdata)
{
	struct question *question = userdata;
	struct pb_addresses addresses;

	lookup(question->endpoint.host, question->endpoint.port, 0, &addresses);
	/* when the other end is closed, nobody waits any more */
	(void)send(question->fd, &addresses, sizeof(addresses), MSG_NOSIGNAL);
	close(question->fd);
	free(question);
	return NULL;
}

static int resolve_start_thread(struct question *question)
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
	r = pthread_create(&thread, &detached, resolve_answer, question);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	pthread_attr_destroy(&detached);
	return -r;
}

int pb_resolve_start(const struct pb_endpoint *endpoint, int *ret_fd)
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
	question->endpoint = *endpoint;
	r = resolve_start_thread(question);
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
