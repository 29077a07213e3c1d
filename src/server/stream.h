/* SPDX-License-Identifier: MIT */
/*
 * The byte stream of one connection. Plain streams are in plain.c. TLS will be another type: its
 * receive() may have to wait until the socket can send, and its send() until it can receive. So the
 * server asks want() which event to wait for.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct stream;

struct stream_type {
	/**
	 * @return 1..@cap bytes that came; 0: the peer has finished; -EAGAIN: there are none now;
	 *         another negative errno: the connection is dead.
	 */
	ssize_t (*receive)(struct stream *stream, uint8_t *buf, size_t cap);
	/** @return 1..@len bytes that were taken; -EAGAIN: none now; else it is dead. */
	ssize_t (*send)(struct stream *stream, const uint8_t *bytes, size_t len);
	/** @return EPOLLIN or EPOLLOUT: what the next receive() waits for; @sending: send(). */
	uint32_t (*want)(const struct stream *stream, bool sending);
};

struct stream {
	const struct stream_type *type;
	int fd; /**< non-blocking; whoever has the stream closes it */
};

extern const struct stream_type stream_plain;
