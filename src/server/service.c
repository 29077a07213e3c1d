/* SPDX-License-Identifier: MIT */
#include "service.h"

enum { UNIT_MAX = 247 /* on serial lines, SER 2.2 */ };

/* What function 8 tells; the counters are 16 bits and start again. */
static void count(struct service *service, bool known, const uint8_t *reply, size_t len)
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
 * Where an inverter's line would stay quiet, as protocols that have no other word for old data want
 * it, Modbus TCP has an exception: a client that waits for one unit holds up all others of its
 * connection. RTU over TCP is a line: a converter may stand there, with the inverter behind it.
 */
static size_t instead_of_silence(uint8_t function, uint8_t *pdu)
{
	pdu[0] = function | 0x80;
	pdu[1] = PB_EXCEPTION_GATEWAY_TARGET;
	return 2;
}

size_t service_reply_tcp(struct service *service, const struct pb_mbap *request, uint64_t now_ms,
			 uint8_t *adu)
{
	const struct pb_host host = {service->backend->identity, &service->diagnostics};
	const struct pb_image *image =
		service->backend->unit(service->userdata, request->unit, now_ms);
	size_t len =
		pb_modbus_reply(&host, image, request->pdu, request->pdu_len, adu + PB_MBAP_LEN);

	if (len == 0)
		len = instead_of_silence(request->pdu[0], adu + PB_MBAP_LEN);
	service->diagnostics.bus_messages++;
	count(service, image != NULL, adu + PB_MBAP_LEN, len);
	return pb_mbap_wrap(adu, request, len);
}

static const struct pb_image *line_unit(struct service *service, uint8_t unit, uint64_t now_ms)
{
	return unit >= 1 && unit <= UNIT_MAX
		       ? service->backend->unit(service->userdata, unit, now_ms)
		       : NULL;
}

bool service_owns(void *userdata, uint8_t unit)
{
	return line_unit(userdata, unit, pb_now_ms()) != NULL;
}

void service_saw(void *userdata, const struct pb_rtu_frame *request)
{
	struct service *service = userdata;

	if (service->trace)
		trace_add(&service->trace,
			  &(struct trace_exchange){.peer = "line",
						   .unit = request->unit,
						   .request = request->pdu,
						   .request_len = request->pdu_len},
			  pb_now_ms());
}

size_t service_reply_rtu(struct service *service, const struct pb_rtu_frame *request,
			 uint64_t now_ms, uint8_t *adu)
{
	const struct pb_host host = {service->backend->identity, &service->diagnostics};
	const struct pb_image *image = line_unit(service, request->unit, now_ms);
	size_t len = 0;

	/* a function code that no request has is noise to a serial line */
	if (image && request->pdu[0] != 0 && !(request->pdu[0] & 0x80))
		len = pb_modbus_reply(&host, image, request->pdu, request->pdu_len, adu + 1);
	/* a broadcast is for us, too, but never answered, and nothing here is written by it */
	count(service, image || request->unit == 0, adu + 1, len);
	return len ? pb_rtu_wrap(adu, request->unit, len) : 0;
}

void service_count_frames(struct service *service, const struct pb_rtu *rtu, struct rtu_seen *seen)
{
	struct pb_diagnostics *d = &service->diagnostics;

	d->bus_messages = (uint16_t)(d->bus_messages + rtu->frames - seen->frames);
	d->bus_errors = (uint16_t)(d->bus_errors + rtu->errors - seen->errors);
	d->overruns = (uint16_t)(d->overruns + rtu->overruns - seen->overruns);
	service->stats.malformed += rtu->errors - seen->errors + rtu->overruns - seen->overruns;
	*seen = (struct rtu_seen){rtu->frames, rtu->errors, rtu->overruns};
}
