/* SPDX-License-Identifier: MIT */
/*
 * The ceiling for bench_victims: a server with no Modbus in it, one recv and one send a batch, but
 * with the manners that keep it alive under abuse. It stops reading from clients that do not read,
 * and closes the longest idle when it has no descriptor left.
 */
#include "victims.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

enum { IN_MAX = 520, BATCH = 64 };

struct client {
	bool open, blocked;
	uint64_t active; /* number of the last request, of all */
	size_t in_len, out_at, out_len;
	uint8_t in[IN_MAX];
	uint8_t out[REPLY * (IN_MAX / REQUEST)];
};

static struct client clients[DESCRIPTORS]; /* by descriptor */
static uint64_t requests;
static int set;

int echo_listen(uint16_t *ret_port)
{
	struct sockaddr_in address = {.sin_family = AF_INET,
				      .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t len = sizeof(address);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (fd < 0 || bind(fd, (struct sockaddr *)&address, len) < 0 || listen(fd, SOMAXCONN) < 0 ||
	    getsockname(fd, (struct sockaddr *)&address, &len) < 0)
		die("listen");
	*ret_port = ntohs(address.sin_port);
	return fd;
}

static void end(int fd)
{
	close(fd);
	clients[fd].open = false;
}

static void answer(struct client *client)
{
	size_t count = client->in_len / REQUEST;

	for (size_t i = 0; i < count; i++) {
		uint8_t *reply = client->out + i * REPLY;

		memcpy(reply, client->in + i * REQUEST, 8);
		reply[4] = (REPLY - 6) >> 8;
		reply[5] = (REPLY - 6) & 0xFF;
	}
	client->out_len = count * REPLY;
	client->in_len -= count * REQUEST;
	memmove(client->in, client->in + count * REQUEST, client->in_len);
	if (count > 0)
		client->active = ++requests;
}

static void block(int fd, bool blocked)
{
	struct epoll_event event = {.events = blocked ? EPOLLOUT : EPOLLIN, .data.fd = fd};

	if (clients[fd].blocked != blocked)
		epoll_ctl(set, EPOLL_CTL_MOD, fd, &event);
	clients[fd].blocked = blocked;
}

static void take_turn(int fd)
{
	struct client *client = &clients[fd];
	ssize_t len;

	if (!client->blocked) {
		len = recv(fd, client->in + client->in_len, IN_MAX - client->in_len, MSG_DONTWAIT);
		if (len <= 0) {
			if (len == 0 || errno != EAGAIN)
				end(fd);
			return;
		}
		client->in_len += (size_t)len;
		answer(client);
	}
	if (client->out_len == 0)
		return;
	len = send(fd, client->out + client->out_at, client->out_len - client->out_at,
		   MSG_NOSIGNAL | MSG_DONTWAIT);
	if (len < 0 && errno != EAGAIN) {
		end(fd);
		return;
	}
	client->out_at += len > 0 ? (size_t)len : 0;
	if (client->out_at == client->out_len)
		client->out_at = client->out_len = 0;
	block(fd, client->out_len > 0);
}

static void end_longest_idle(void)
{
	int oldest = -1;

	for (int fd = 0; fd < DESCRIPTORS; fd++)
		if (clients[fd].open && (oldest < 0 || clients[fd].active < clients[oldest].active))
			oldest = fd;
	if (oldest >= 0)
		end(oldest);
}

static void let_in(int listener)
{
	struct epoll_event event = {.events = EPOLLIN};
	int fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK);

	if (fd < 0 && errno == EMFILE) {
		end_longest_idle();
		fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK);
	}
	if (fd < 0)
		return;
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &(int){1}, sizeof(int));
	/* one that has asked nothing yet is as old as the last request before it */
	memset(&clients[fd], 0, offsetof(struct client, in));
	clients[fd].open = true;
	clients[fd].active = requests;
	event.data.fd = fd;
	epoll_ctl(set, EPOLL_CTL_ADD, fd, &event);
}

void echo_serve(int listener)
{
	struct epoll_event events[BATCH], event = {.events = EPOLLIN, .data.fd = listener};

	set = epoll_create1(0);
	epoll_ctl(set, EPOLL_CTL_ADD, listener, &event);
	for (;;) {
		int count = epoll_wait(set, events, BATCH, -1);
		bool knocked = false;

		for (int i = 0; i < count; i++) {
			if (events[i].data.fd == listener)
				knocked = true;
			else
				take_turn(events[i].data.fd);
		}
		/* last, because it may end a client that has its turn in this batch */
		if (knocked)
			let_in(listener);
	}
}
