/* SPDX-License-Identifier: MIT */
/*
 * The list of open requests: those that were sent and may still be answered. It gives the maximum
 * age of a reply.
 *
 * Replies carry no time and no number. But requests and replies keep their order, and a request has
 * at most one reply. So a reply to a command may answer the oldest open request with that command.
 * After it, requests sent before that one will not be answered any more. Commands of dialects that
 * share pb_codec.frame() count as the same, because their replies are the same.
 *
 * The list outlives connections: a serial device server may keep a reply while nobody is
 * connected, and send it later. No request is forgotten because time has passed.
 */
#pragma once

#include "packbridge/bms.h"

enum { PB_REQUESTS_MAX = 64 };

/** An open request, or several of the same command: sent, and perhaps still to be answered. */
struct pb_request {
	uint64_t first_ms;	      /**< none of them was sent earlier */
	uint64_t last_ms;	      /**< when the last of them was sent */
	const struct pb_codec *codec; /**< NULL: it stands for every codec and command */
	uint16_t command;
	uint32_t count; /**< the most replies that can still arrive */
};

/** Open requests of all connections, oldest first. */
struct pb_requests {
	size_t count;
	struct pb_request open[PB_REQUESTS_MAX];
};

/** Notes that a request was sent at @now_ms. A full list makes later ages older, never younger. */
void requests_sent(struct pb_requests *requests, const struct pb_codec *codec, uint16_t command,
		   uint64_t now_ms);

/**
 * The last noted request is really sent at @now_ms, since it waited for its turn on a line. Nothing
 * was sent in between. If that is unclear, it keeps its earlier time.
 */
void requests_left(struct pb_requests *requests, const struct pb_codec *codec, uint16_t command,
		   uint64_t now_ms);

/**
 * A reply to @command has come: strikes the request that it answers, and those before it.
 * @return the time of the oldest request that it may answer; 0: none is open, so it is unsolicited.
 */
uint64_t requests_answered(struct pb_requests *requests, const struct pb_codec *codec,
			   uint16_t command);

/** @return how many requests with @command are open. */
uint32_t requests_open(const struct pb_requests *requests, const struct pb_codec *codec,
		       uint16_t command);

/** Notes @count requests that other programs sent at @sent_ms; their replies may arrive. */
void requests_expect(struct pb_requests *requests, const struct pb_codec *codec, uint16_t command,
		     uint32_t count, uint64_t sent_ms);

/** @return the time of the newest open request with @command; 0: none is open. */
uint64_t requests_newest_ms(const struct pb_requests *requests, const struct pb_codec *codec,
			    uint16_t command);

/** Treats all open requests as sent at @sent_ms, an earlier time. */
void requests_sent_long_ago(struct pb_requests *requests, uint64_t sent_ms);
