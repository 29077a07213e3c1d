/* SPDX-License-Identifier: MIT */
/*
 * A trace of the requests and replies of a listener, for a person. It exists only while it is asked
 * for: TRACE_MS after the last question, the next request frees it.
 */
#pragma once

#include "packbridge/modbus.h"

#include <stdio.h>

struct trace;

/** One request with its reply. */
struct trace_exchange {
	const char *peer; /**< the client: an address, or "line" */
	uint8_t unit;
	const uint8_t *request; /**< PDU */
	size_t request_len;	/**< 1..PB_PDU_MAX */
	const uint8_t *reply;	/**< PDU */
	size_t reply_len;	/**< 0: none was sent */
};

/** Keeps an exchange, the oldest goes; drops a trace that nobody asks for any more. */
void trace_add(struct trace **trace, const struct trace_exchange *exchange, uint64_t now_ms);
/**
 * Begins a trace when there is none, and prints what came since @since: a line "trace NEXT LEFT"
 * (where to go on, exchanges that were too many to be kept), then two lines or three for each
 * exchange, at most TRACE_TELL of them.
 * @return 0, -ENOMEM.
 */
int trace_tell(struct trace **trace, uint64_t since, uint64_t now_ms, FILE *out);
struct trace *trace_free(struct trace *trace);
