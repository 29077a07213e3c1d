/* SPDX-License-Identifier: MIT */
/*
 * What clients do to a server, out of malice or by mistake. Each abuse is a function that goes on
 * until its process is killed.
 */
#include "victims.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { IDLE_MAX = 1100, NOISE_MAX = 600, PEERS_MAX = 32, DEPTH_MAX = 8, PATIENCE_MS = 1000 };

void make_request(uint8_t request[REQUEST], uint16_t id)
{
	memcpy(request,
	       ((const uint8_t[REQUEST]){(uint8_t)(id >> 8), (uint8_t)id, 0, 0, 0, 6, 1, 3, 0, 0, 0,
					 125}),
	       REQUEST);
}

int try_connect(uint16_t port)
{
	static const struct timeval patience = {.tv_sec = PATIENCE_MS / 1000};
	struct sockaddr_in address = {.sin_family = AF_INET,
				      .sin_addr.s_addr = htonl(INADDR_LOOPBACK),
				      .sin_port = htons(port)};
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	if (fd < 0)
		die("socket");
	setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof(patience));
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &(int){1}, sizeof(int));
	if (connect(fd, (struct sockaddr *)&address, sizeof(address)) == 0)
		return fd;
	close(fd);
	return -1;
}

/* Connected at last. */
static int open_to(uint16_t port)
{
	int fd;

	do
		fd = try_connect(port);
	while (fd < 0);
	return fd;
}

/* Without a FIN, and without a port that stays taken for a minute. */
static void reset(int fd)
{
	setsockopt(fd, SOL_SOCKET, SO_LINGER, &(struct linger){.l_onoff = 1},
		   sizeof(struct linger));
	close(fd);
}

static void rest_ms(long ms)
{
	nanosleep(&(struct timespec){.tv_nsec = ms * 1000000}, NULL);
}

static void none(const struct abuse *abuse, uint16_t port, struct tally *tally)
{
	(void)abuse;
	(void)port;
	(void)tally;
	pause();
}

/* Many connections that begin a request, or only are there. */
static void hold(const struct abuse *abuse, uint16_t port, struct tally *tally)
{
	uint8_t request[REQUEST], byte;
	int fds[IDLE_MAX];

	make_request(request, 0);
	for (int i = 0; i < abuse->connections; i++) {
		fds[i] = open_to(port);
		send(fds[i], request, (size_t)abuse->len, MSG_NOSIGNAL);
		tally->done++;
	}
	while (!abuse->again)
		pause();
	for (;; rest_ms(1))
		for (int i = 0; i < abuse->connections; i++) {
			if (recv(fds[i], &byte, 1, MSG_DONTWAIT) < 0 && errno == EAGAIN)
				continue;
			reset(fds[i]);
			fds[i] = open_to(port);
			tally->done++;
		}
}

static void byte_by_byte(const struct abuse *abuse, uint16_t port, struct tally *tally)
{
	uint8_t request[REQUEST], in[REPLY];
	int fds[PEERS_MAX];

	make_request(request, 0);
	for (int i = 0; i < abuse->connections; i++)
		fds[i] = open_to(port);
	for (;; tally->done++)
		for (int at = 0; at < REQUEST; at++)
			for (int i = 0; i < abuse->connections; i++) {
				ssize_t len;

				send(fds[i], request + at, 1, MSG_NOSIGNAL);
				len = recv(fds[i], in, sizeof(in), MSG_DONTWAIT);
				if (len > 0 || (len < 0 && errno == EAGAIN))
					continue;
				tally->wrong++;
				close(fds[i]);
				fds[i] = open_to(port);
			}
}

static void never_read(const struct abuse *abuse, uint16_t port, struct tally *tally)
{
	uint8_t requests[REQUEST * 40];

	(void)abuse;
	for (uint16_t i = 0; i < 40; i++)
		make_request(requests + i * REQUEST, i);
	for (;;) {
		int fd = open_to(port);

		/* a send that took long is tried again: it takes the rest up where the last ended
		 */
		for (size_t at = 0;;) {
			ssize_t len = send(fd, requests + at, sizeof(requests) - at, MSG_NOSIGNAL);

			if (len < 0 && errno != EAGAIN)
				break;
			at = (at + (len > 0 ? (size_t)len : 0)) % sizeof(requests);
			tally->done++;
		}
		close(fd);
	}
}

static void connect_and_reset(const struct abuse *abuse, uint16_t port, struct tally *tally)
{
	uint8_t request[REQUEST];

	(void)abuse;
	make_request(request, 0);
	for (;; tally->done++) {
		int fd = open_to(port);

		if (tally->done % 2)
			send(fd, request, REQUEST, MSG_NOSIGNAL);
		reset(fd);
	}
}

/* @return how many bytes came before the end; -1: no end */
static ssize_t read_to_end(int fd, uint8_t *in, size_t cap)
{
	size_t got = 0;
	ssize_t len;

	while (got < cap && (len = recv(fd, in + got, cap - got, 0)) > 0)
		got += (size_t)len;
	return got < cap && len == 0 ? (ssize_t)got : -1;
}

static void half_close(const struct abuse *abuse, uint16_t port, struct tally *tally)
{
	uint8_t request[REQUEST], in[2 * REPLY];

	(void)abuse;
	/* each leaves a port in TIME_WAIT, thus not at full speed */
	for (;; tally->done++, rest_ms(1)) {
		int fd = open_to(port);

		make_request(request, (uint16_t)tally->done);
		send(fd, request, REQUEST, MSG_NOSIGNAL);
		shutdown(fd, SHUT_WR);
		if (read_to_end(fd, in, sizeof(in)) != REPLY || memcmp(in, request, 4) != 0 ||
		    in[7] != 3)
			tally->wrong++;
		close(fd);
	}
}

static void replace(const struct abuse *abuse, uint8_t *request, uint64_t turn)
{
	uint16_t value = abuse->values[turn % 3];

	if (abuse->width == 2)
		request[abuse->at] = (uint8_t)(value >> 8);
	request[abuse->at + abuse->width - 1] = (uint8_t)value;
}

/* @return whether the server closed without an answer; with bytes unread, that is a reset */
static bool is_closed(int fd)
{
	uint8_t byte;
	ssize_t len = recv(fd, &byte, 1, 0);

	return len == 0 || (len < 0 && errno != EAGAIN);
}

/* Requests that end the connection, each on a new one. */
static void break_stream(const struct abuse *abuse, uint16_t port, struct tally *tally)
{
	uint8_t request[REQUEST];

	for (;; tally->done++) {
		int fd = open_to(port);

		make_request(request, (uint16_t)tally->done);
		replace(abuse, request, tally->done);
		send(fd, request, REQUEST, MSG_NOSIGNAL);
		tally->wrong += !is_closed(fd);
		reset(fd);
	}
}

/* Noise, of other protocols or none, each on a new connection. */
static void make_noise(const struct abuse *abuse, uint16_t port, struct tally *tally)
{
	static const uint8_t hello[] = {0x16, 0x03, 0x01, 0x02, 0x00, 0x01,
					0x00, 0x01, 0xFC, 0x03, 0x03};
	uint8_t bytes[NOISE_MAX];
	unsigned int seed = 1;

	for (;; tally->done++) {
		int fd = open_to(port);
		size_t len =
			abuse->len ? (size_t)abuse->len : REQUEST + (size_t)rand_r(&seed) % 300;

		for (size_t i = 0; i < len; i++)
			bytes[i] = (uint8_t)(rand_r(&seed) >> 8);
		if (abuse->len)
			memcpy(bytes, hello, sizeof(hello));
		send(fd, bytes, len, MSG_NOSIGNAL);
		tally->wrong += !is_closed(fd);
		reset(fd);
	}
}

/* ---- at full speed, many requests in flight on each of many connections ---- */

struct peer {
	int fd;
	uint16_t next_sent, next_seen;
	size_t got;
	uint8_t in[REPLY * DEPTH_MAX];
};

static void ask(const struct abuse *abuse, struct peer *peer)
{
	uint8_t out[REQUEST * DEPTH_MAX];

	for (int i = 0; i < abuse->depth; i++, peer->next_sent++) {
		make_request(out + i * REQUEST, peer->next_sent);
		if (abuse->width)
			replace(abuse, out + i * REQUEST, peer->next_sent);
	}
	if (send(peer->fd, out, (size_t)abuse->depth * REQUEST, MSG_NOSIGNAL) < 0)
		peer->next_sent = peer->next_seen; /* hear() will see it */
}

static bool is_expected(const struct abuse *abuse, const struct peer *peer, const uint8_t *reply)
{
	uint16_t id = (uint16_t)(reply[0] << 8 | reply[1]);

	if (id != peer->next_seen)
		return false;
	return abuse->exception ? reply[7] >> 7 && reply[8] == abuse->exception : reply[7] == 3;
}

static size_t reply_len(const struct peer *peer)
{
	size_t len = 6 + (size_t)(peer->in[4] << 8 | peer->in[5]);

	return peer->got >= 6 && peer->got >= len ? len : 0;
}

/* Takes the replies to what ask() sent. @return false: the connection is dead */
static bool hear(const struct abuse *abuse, struct peer *peer, struct tally *tally)
{
	while (peer->next_seen != peer->next_sent) {
		ssize_t got = recv(peer->fd, peer->in + peer->got, sizeof(peer->in) - peer->got, 0);
		size_t len;

		if (got <= 0)
			return false;
		peer->got += (size_t)got;
		while ((len = reply_len(peer)) > 0) {
			tally->done++;
			tally->wrong += !is_expected(abuse, peer, peer->in);
			peer->next_seen++;
			peer->got -= len;
			memmove(peer->in, peer->in + len, peer->got);
		}
	}
	return true;
}

static void flood(const struct abuse *abuse, uint16_t port, struct tally *tally)
{
	static struct peer peers[PEERS_MAX];

	for (int i = 0; i < abuse->connections; i++) {
		peers[i].fd = open_to(port);
		ask(abuse, &peers[i]);
	}
	for (;;)
		for (int i = 0; i < abuse->connections; i++) {
			if (!hear(abuse, &peers[i], tally)) {
				tally->wrong++;
				close(peers[i].fd);
				peers[i] = (struct peer){.fd = open_to(port)};
			}
			ask(abuse, &peers[i]);
		}
}

/* clang-format off */
const struct abuse abuses[] = {
	{"no abuse", none, 1},
	{"16 half headers", hold, 1, .connections = 16, .len = 4},
	{"16 half PDUs", hold, 1, .connections = 16, .len = 9},
	{"8 byte by byte", byte_by_byte, 1, .connections = 8},
	{"never reads", never_read, 1},
	{"128 idle, 64 may", hold, 1, .connections = 128},
	{"128 that come back", hold, 1, .connections = 128, .again = true},
	{"1100 idle, 1024 fds", hold, 1, .exhausts = true, .connections = IDLE_MAX},
	{"1100 that come back", hold, 1, .exhausts = true, .connections = IDLE_MAX, .again = true},
	{"connects and resets", connect_and_reset, 2},
	{"half-close", half_close, 4},
	{"oversized lengths", break_stream, 2, .at = 4, .width = 2, .values = {255, 0x0600, 0xFFFF}},
	{"short lengths", break_stream, 2, .at = 4, .width = 2, .values = {0, 1, 0}},
	{"protocol id not 0", break_stream, 2, .at = 2, .width = 2, .values = {1, 0x1234, 0xFF00}},
	{"random bytes", make_noise, 2},
	{"TLS ClientHello", make_noise, 2, .len = 517},
	{"unknown functions", flood, 1, .connections = 8, .depth = 8,
	 .at = 7, .width = 1, .values = {0x09, 0x41, 0x7F}, .exception = 1},
	{"illegal quantities", flood, 1, .connections = 8, .depth = 8,
	 .at = 10, .width = 2, .values = {0, 126, 0xFFFF}, .exception = 3},
	{"illegal addresses", flood, 1, .connections = 8, .depth = 8,
	 .at = 8, .width = 2, .values = {60000, 0xFFF0, 0xFFFF}, .exception = 2},
	{"flood, 32 x 8", flood, 1, .connections = 32, .depth = DEPTH_MAX},
};
/* clang-format on */
const int abuse_count = sizeof(abuses) / sizeof(abuses[0]);
