/* SPDX-License-Identifier: MIT */
/*
 * The list of open requests: those that were sent and may still be answered. It tells how old a
 * reply can be at most.
 *
 * Replies carry no time and no number. But nothing overtakes on the way, there and back, and a
 * request has at most one reply. So a reply to a command may answer the oldest open request with
 * that command, and once it is here, requests sent before that one will not be answered any more.
 * Commands of dialects that share pb_codec.frame() count as the same: their replies do not differ.
 *
 * The list outlives connections: a serial device server may keep a reply while nobody is
 * connected, and send it later. No request is forgotten because time has passed.
 */
#pragma once

#include "packbridge/bms.h"

enum { PB_REQUESTS_MAX = 64 };

/** An open request: sent, and perhaps still to be answered. Or several of the same command. */
struct pb_request {
	uint64_t first_ms;	      /**< none of them was sent earlier */
	uint64_t last_ms;	      /**< when the last of them was sent */
	const struct pb_codec *codec; /**< NULL: it stands for every codec and command */
	uint16_t command;
	uint32_t count; /**< at most so many replies are to come */
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
 * The request that was noted last leaves only at @now_ms: it waited for its turn on a line.
 * Nothing was sent since. Where that is not clear, it stays as old as it was noted.
 */
void requests_left(struct pb_requests *requests, const struct pb_codec *codec, uint16_t command,
		   uint64_t now_ms);

/**
 * A reply to @command has come: strikes the request that it answers, and those before it.
 * @return when the oldest request was sent that it may answer; 0: none is open, it is unsolicited.
 */
uint64_t requests_answered(struct pb_requests *requests, const struct pb_codec *codec,
			   uint16_t command);

/** @return how many requests with @command are open. */
uint32_t requests_open(const struct pb_requests *requests, const struct pb_codec *codec,
		       uint16_t command);

/** Replies to @count requests of others may come, who sent them at @sent_ms. */
void requests_expect(struct pb_requests *requests, const struct pb_codec *codec, uint16_t command,
		     uint32_t count, uint64_t sent_ms);

/** @return when the newest request with @command was sent that is open; 0: none is. */
uint64_t requests_newest_ms(const struct pb_requests *requests, const struct pb_codec *codec,
			    uint16_t command);

/** All that is open counts as sent at @sent_ms, a time before. */
void requests_sent_long_ago(struct pb_requests *requests, uint64_t sent_ms);
