/* SPDX-License-Identifier: MIT */
#include "packbridge/base.h"
#include "packbridge/modbus.h"

#include <errno.h>

enum {
	LENGTH_MIN = 2,		     /* unit and function code */
	LENGTH_MAX = PB_PDU_MAX + 1, /* unit and PDU */
	BEFORE_UNIT = 6,	     /* what the length field does not count */
};

int pb_mbap_next(const uint8_t *buf, size_t len, struct pb_adu *ret)
{
	size_t length;

	if (len >= 4 && pb_get_be16(buf + 2) != 0)
		return -EPROTO;
	if (len < BEFORE_UNIT)
		return 0;
	length = pb_get_be16(buf + 4);
	if (length < LENGTH_MIN || length > LENGTH_MAX)
		return -EPROTO;
	if (len < BEFORE_UNIT + length)
		return 0;
	ret->transaction = pb_get_be16(buf);
	ret->unit = buf[BEFORE_UNIT];
	ret->pdu = buf + PB_MBAP_LEN;
	ret->pdu_len = length - 1;
	return (int)(BEFORE_UNIT + length);
}

size_t pb_mbap_wrap(uint8_t *adu, const struct pb_adu *request, size_t pdu_len)
{
	pb_put_be16(adu, request->transaction);
	pb_put_be16(adu + 2, 0);
	pb_put_be16(adu + 4, (uint16_t)(pdu_len + 1));
	adu[BEFORE_UNIT] = request->unit;
	return PB_MBAP_LEN + pdu_len;
}

static int mbap_next(struct pb_framer *framer, const uint8_t *bytes, size_t len, bool silence,
		     size_t *ret_taken, struct pb_adu *ret)
{
	int r = pb_mbap_next(bytes, len, ret);

	(void)silence;
	*ret_taken = r > 0 ? (size_t)r : 0;
	framer->frames += r > 0;
	return r > 0 ? 1 : r;
}

/* What it does not take stays with the caller. */
static bool mbap_pending(const struct pb_framer *framer)
{
	(void)framer;
	return false;
}

const struct pb_framing pb_framing_mbap = {
	.over_tcp = "TCP",
	.framer_size = sizeof(struct pb_framer),
	.head = PB_MBAP_LEN,
	.next = mbap_next,
	.pending = mbap_pending,
	.wrap = pb_mbap_wrap,
};
