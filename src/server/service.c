/* SPDX-License-Identifier: MIT */
#include "service.h"

/* Counters of function 8: 16 bits, they wrap. */
static void service_count(struct service *service, bool known, const uint8_t *reply, size_t len)
{
	struct pb_diagnostics *d = &service->diagnostics;

	service->stats.requests++;
	d->server_messages += known;
	if (known && len == 0)
		d->no_response++;
	if (len == 0 || !(reply[0] & 0x80))
		return;
	service->stats.exceptions++;
	d->exceptions++;
	if (reply[1] == PB_EXCEPTION_DEVICE_BUSY)
		d->busy++;
}

/*
 * Stale data with the rule "silence": on a serial line there is no reply, as some inverter
 * protocols require. On Modbus TCP the reply is an exception, since a client that waits for one
 * unit delays all others of its connection. RTU over TCP counts as a line: there may be a converter
 * with the inverter behind it.
 */
static size_t instead_of_silence(uint8_t function, uint8_t *pdu)
{
	pdu[0] = function | 0x80;
	pdu[1] = PB_EXCEPTION_GATEWAY_TARGET;
	return 2;
}

static bool is_line_unit(uint8_t unit)
{
	return unit >= 1 && unit <= PB_RTU_UNIT_MAX;
}

/* On a line a function code that no request has is noise, and who is not there does not answer. */
static bool service_answers(const struct pb_framing *framing, const struct pb_image *image,
			    uint8_t function)
{
	return !framing->line || (image && function != 0 && !(function & 0x80));
}

size_t service_reply(struct service *service, const struct pb_framing *framing,
		     const struct pb_peer *peer, const struct pb_adu *request, uint64_t now_ms,
		     uint8_t *adu)
{
	const struct pb_server_backend *backend = service->backend;
	const struct pb_origin origin = {peer, backend->identity, &service->diagnostics};
	const struct pb_image *image = NULL;
	uint8_t *pdu = adu + framing->head;
	size_t len = 0;

	if (!framing->line || is_line_unit(request->unit))
		image = backend->unit(service->userdata, peer, request->unit, now_ms);
	if (service_answers(framing, image, request->pdu[0]))
		len = pb_modbus_reply(&origin, image, request->pdu, request->pdu_len, pdu);
	if (len == 0 && !framing->line)
		len = instead_of_silence(request->pdu[0], pdu);
	/* a broadcast is for us, too, but never answered, and nothing here is written by it */
	service_count(service, image || (framing->line && request->unit == 0), pdu, len);
	return len ? framing->wrap(adu, request, len) : 0;
}

void service_trace(struct service *service, const struct pb_framing *framing, const char *peer,
		   const struct pb_adu *request, const uint8_t *adu, size_t len)
{
	struct trace_exchange exchange = {.peer = peer,
					  .unit = request->unit,
					  .request = request->pdu,
					  .request_len = request->pdu_len};

	if (len > 0) {
		exchange.reply = adu + framing->head;
		exchange.reply_len = len - framing->head - framing->tail;
	}
	trace_add(&service->trace, &exchange, pb_now_ms());
}

/* ---- framers ---- */

static bool service_owns(void *userdata, uint8_t unit)
{
	const struct service *service = userdata;

	return is_line_unit(unit) && service->backend->owns(service->userdata, unit);
}

/* A request for another server is seen in a trace. */
static void service_saw(void *userdata, const struct pb_adu *request)
{
	struct service *service = userdata;

	if (service->trace)
		service_trace(service, &pb_framing_rtu, "line", request, NULL, 0);
}

void service_frames(struct service *service, struct pb_framer *framer)
{
	framer->ours = service_owns;
	framer->other = service_saw;
	framer->userdata = service;
}

void service_count_frames(struct service *service, struct pb_framer *framer)
{
	struct pb_diagnostics *d = &service->diagnostics;

	d->bus_messages = (uint16_t)(d->bus_messages + framer->frames);
	d->bus_errors = (uint16_t)(d->bus_errors + framer->errors);
	d->overruns = (uint16_t)(d->overruns + framer->overruns);
	service->stats.malformed += framer->errors + framer->overruns;
	framer->frames = framer->errors = framer->overruns = 0;
}
