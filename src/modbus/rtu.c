/* SPDX-License-Identifier: MIT */
/*
 * Frames on a serial line. By SER only silence ends a frame. But USB adapters remove silence and
 * add silence, so a frame ends first of all at the length given by its function, if the CRC is
 * valid there.
 */
#include "packbridge/base.h"
#include "packbridge/modbus.h"

#include <string.h>

enum {
	CRC_LEN = 2,
	NOISE_MAX = 3, /* bytes that a line's turn-around may put before a frame */
	UNKNOWN = 0,
};

size_t pb_rtu_wrap(uint8_t *adu, uint8_t unit, size_t pdu_len)
{
	uint16_t crc;

	adu[0] = unit;
	crc = pb_crc16(adu, 1 + pdu_len);
	adu[1 + pdu_len] = (uint8_t)crc;
	adu[2 + pdu_len] = (uint8_t)(crc >> 8);
	return 1 + pdu_len + CRC_LEN;
}

uint32_t pb_rtu_gap_us(uint32_t baud)
{
	return baud > 19200 || baud == 0 ? 1750 : (uint32_t)(UINT64_C(38500000) / baud);
}

static bool rtu_sound(const uint8_t *bytes, size_t len)
{
	/* a whole frame with its CRC behind it leaves 0 */
	return len >= PB_RTU_ADU_MIN && len <= PB_RTU_ADU_MAX && pb_crc16(bytes, len) == 0;
}

/* The length of the request ADU at @b, if @len bytes are enough to know it; else UNKNOWN. */
static size_t request_len(const uint8_t *b, size_t len)
{
	switch (b[1]) {
	case 1:
	case 2:
	case 3:
	case 4:
	case 5:
	case 6:
		return 8;
	case 7:
	case 11:
	case 12:
	case 17:
		return 4;
	case 8: /* sub-function 0 may be longer: by the silence then */
		return 8;
	case 15:
	case 16:
		return len > 6 ? 9 + (size_t)b[6] : UNKNOWN;
	case 20:
	case 21:
		return len > 2 ? 5 + (size_t)b[2] : UNKNOWN;
	case 22:
		return 10;
	case 23:
		return len > 10 ? 13 + (size_t)b[10] : UNKNOWN;
	case 24:
		return 6;
	case 43:
		return len > 2 && b[2] == 14 ? 7 : UNKNOWN;
	default:
		return UNKNOWN;
	}
}

/* The same for a reply. */
static size_t reply_len(const uint8_t *b, size_t len)
{
	if (b[1] & 0x80)
		return 5;
	switch (b[1]) {
	case 1:
	case 2:
	case 3:
	case 4:
	case 12:
	case 17:
	case 20:
	case 21:
	case 23:
		return len > 2 ? 5 + (size_t)b[2] : UNKNOWN;
	case 5:
	case 6:
	case 8:
	case 11:
	case 15:
	case 16:
		return 8;
	case 7:
		return 5;
	case 22:
		return 10;
	default:
		return UNKNOWN;
	}
}

size_t pb_rtu_push(struct pb_rtu *rtu, const uint8_t *bytes, size_t len)
{
	size_t room;

	memmove(rtu->bytes, rtu->bytes + rtu->taken, rtu->len - rtu->taken);
	rtu->len -= rtu->taken;
	rtu->taken = 0;
	room = sizeof(rtu->bytes) - rtu->len;
	if (room == 0 && len > 0 && !rtu->lost) { /* no frame is that long */
		rtu->framer.overruns++;
		rtu->lost = true;
		rtu->len = 0;
	}
	if (rtu->lost)
		return len; /* until the silence */
	if (len > room)
		len = room;
	memcpy(rtu->bytes + rtu->len, bytes, len);
	rtu->len += len;
	return len;
}

static void rtu_drop(struct pb_rtu *rtu, size_t count)
{
	rtu->len -= count;
	memmove(rtu->bytes, rtu->bytes + count, rtu->len);
}

/* A sound frame of @len bytes stands at the head. @return whether it is a request for us */
static bool rtu_take(struct pb_rtu *rtu, size_t len, bool reply, struct pb_adu *ret)
{
	uint8_t unit = rtu->bytes[0];
	const struct pb_adu frame = {
		.unit = unit, .pdu = rtu->bytes + 1, .pdu_len = len - 1 - CRC_LEN};

	rtu->framer.frames++;
	rtu->foreign = false;
	if (!reply && (unit == 0 || rtu->framer.ours(rtu->framer.userdata, unit))) {
		*ret = frame;
		rtu->taken = len;
		return true;
	}
	if (!reply) {
		rtu->foreign = true;
		rtu->foreign_unit = unit;
		rtu->foreign_function = rtu->bytes[1];
		if (rtu->framer.other)
			rtu->framer.other(rtu->framer.userdata, &frame);
	}
	rtu_drop(rtu, len);
	return false;
}

/* The length of the sound frame at the head; 0: none is there yet. */
static size_t rtu_find(const struct pb_rtu *rtu, bool silence, bool *ret_reply)
{
	const uint8_t *b = rtu->bytes;
	size_t len;

	*ret_reply = false;
	if (rtu->len < 2)
		return 0;
	if (rtu->foreign && b[0] == rtu->foreign_unit &&
	    (b[1] & 0x7F) == (rtu->foreign_function & 0x7F)) {
		len = reply_len(b, rtu->len);
		*ret_reply = true;
		if (len != UNKNOWN && len <= rtu->len && rtu_sound(b, len))
			return len;
		if (silence && rtu_sound(b, rtu->len) && request_len(b, rtu->len) != rtu->len)
			return rtu->len;
		*ret_reply = false;
	}
	/* no request has such a function: a refusal, whose request was taken for a reply, since
	 * some functions' replies repeat the request and a master may have asked again */
	*ret_reply = (b[1] & 0x80) != 0;
	len = *ret_reply ? reply_len(b, rtu->len) : request_len(b, rtu->len);
	if (len != UNKNOWN && len <= rtu->len && rtu_sound(b, len))
		return len;
	*ret_reply = false;
	return silence && rtu_sound(b, rtu->len) ? rtu->len : 0;
}

/* Noise in front of a request that ends with the bytes that are there. */
static size_t rtu_noise(const struct pb_rtu *rtu)
{
	for (size_t skip = 1;
	     !rtu->foreign && skip <= NOISE_MAX && skip + PB_RTU_ADU_MIN <= rtu->len; skip++) {
		const uint8_t *b = rtu->bytes + skip;
		size_t len = rtu->len - skip;

		if (request_len(b, len) == len && rtu_sound(b, len) &&
		    (b[0] == 0 || rtu->framer.ours(rtu->framer.userdata, b[0])))
			return skip;
	}
	return 0;
}

bool pb_rtu_next(struct pb_rtu *rtu, bool silence, struct pb_adu *ret)
{
	bool reply;
	size_t len;

	rtu_drop(rtu, rtu->taken);
	rtu->taken = 0;
	while ((len = rtu_find(rtu, silence, &reply)) > 0)
		if (rtu_take(rtu, len, reply, ret))
			return true;
	len = rtu_noise(rtu);
	if (len > 0) {
		rtu->framer.errors++;
		rtu_drop(rtu, len);
		return pb_rtu_next(rtu, silence, ret);
	}
	if (silence) {
		rtu->framer.errors += rtu->len > 0;
		rtu->len = 0;
		rtu->lost = false;
	}
	return false;
}

void pb_rtu_reset(struct pb_rtu *rtu)
{
	rtu->len = rtu->taken = 0;
	rtu->lost = rtu->foreign = false;
}

/* ---- the framing ---- */

/* @framer is the first member of a struct pb_rtu. */
static int rtu_framing_next(struct pb_framer *framer, const uint8_t *bytes, size_t len,
			    bool silence, size_t *ret_taken, struct pb_adu *ret)
{
	struct pb_rtu *rtu = (struct pb_rtu *)framer;

	for (*ret_taken = 0; !pb_rtu_next(rtu, silence, ret);) {
		if (*ret_taken == len)
			return 0;
		*ret_taken += pb_rtu_push(rtu, bytes + *ret_taken, len - *ret_taken);
	}
	return 1;
}

static bool rtu_framing_pending(const struct pb_framer *framer)
{
	const struct pb_rtu *rtu = (const struct pb_rtu *)framer;

	return rtu->len > rtu->taken || rtu->lost;
}

static size_t rtu_framing_wrap(uint8_t *adu, const struct pb_adu *request, size_t pdu_len)
{
	return pb_rtu_wrap(adu, request->unit, pdu_len);
}

const struct pb_framing pb_framing_rtu = {
	.over_tcp = "RTU over TCP",
	.framer_size = sizeof(struct pb_rtu),
	.head = 1,
	.tail = CRC_LEN,
	.line = true,
	.by_silence = true,
	.next = rtu_framing_next,
	.pending = rtu_framing_pending,
	.wrap = rtu_framing_wrap,
};
