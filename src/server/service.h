/* SPDX-License-Identifier: MIT */
/*
 * Handles one whole request, for listeners of any kind: gets the unit's image, lets the responder
 * answer from it, and counts.
 */
#pragma once

#include "trace.h"

#include "packbridge/server.h"

/** A listener, as the responder and its counters see it. */
struct service {
	const struct pb_server_backend *backend;
	void *userdata;
	struct pb_server_stats stats;
	struct pb_diagnostics diagnostics;
	struct trace *trace; /**< NULL: no trace */
};

/**
 * Answers one request of @peer into @adu, which has room for the framing's largest ADU.
 *
 * On a line, broadcasts and units that are not ours get no reply, since another server may be
 * meant; nor does a unit that is silent because its data is stale. Elsewhere each request has a
 * reply: exception 0A and 0B.
 * @return length of the reply; 0: none.
 */
size_t service_reply(struct service *service, const struct pb_framing *framing,
		     const struct pb_peer *peer, const struct pb_adu *request, uint64_t now_ms,
		     uint8_t *adu);
/** Records the exchange in the trace. @adu, @len: the reply of service_reply(). */
void service_trace(struct service *service, const struct pb_framing *framing, const char *peer,
		   const struct pb_adu *request, const uint8_t *adu, size_t len);
/** Connects @framer to this service. */
void service_frames(struct service *service, struct pb_framer *framer);
/** Adds the counters of @framer. */
void service_count_frames(struct service *service, struct pb_framer *framer);
