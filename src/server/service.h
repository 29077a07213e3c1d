/* SPDX-License-Identifier: MIT */
/*
 * What a listener of any kind does with a whole request: it asks for the unit's image, has the
 * responder answer from it, and counts.
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
	struct trace *trace; /**< NULL: nobody looks on */
};

/**
 * Answers one request of Modbus TCP into @adu, room for PB_TCP_ADU_MAX bytes. A unit that is silent
 * on a line answers exception 0B here.
 * @return length of the reply.
 */
size_t service_reply_tcp(struct service *service, const struct pb_mbap *request, uint64_t now_ms,
			 uint8_t *adu);
/**
 * The same for an RTU frame, room for PB_RTU_ADU_MAX bytes. Broadcasts and units that are not ours
 * get no reply, since another server of the line may be meant; nor do units that are silent.
 * @return length of the reply; 0: none.
 */
size_t service_reply_rtu(struct service *service, const struct pb_rtu_frame *request,
			 uint64_t now_ms, uint8_t *adu);
/** For struct pb_rtu: @userdata is the service. */
bool service_owns(void *userdata, uint8_t unit);
/** For struct pb_rtu likewise: a request for another server is seen in a trace. */
void service_saw(void *userdata, const struct pb_rtu_frame *request);
/** What a framer had counted when it was looked at last. */
struct rtu_seen {
	uint32_t frames, errors, overruns;
};

/** Takes over what @rtu has counted since. */
void service_count_frames(struct service *service, const struct pb_rtu *rtu, struct rtu_seen *seen);
