/* SPDX-License-Identifier: MIT */
/*
 * A TCP client's byte stream: MBAP frames, then the responder on a fixed image with neighbours, a
 * hole, a stale block, a silent one and bits. Replies must be well formed and tell the truth.
 */
#include "packbridge/base.h"
#include "packbridge/modbus.h"

#include <assert.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { WORDS = 120 };

static uint8_t words[2 * WORDS], bits[20];

static const struct pb_block blocks[] = {
	{PB_TABLE_HOLDING | PB_TABLE_INPUT, 0, 0, 16, words},
	{PB_TABLE_HOLDING | PB_TABLE_INPUT, 0, 16, 100, words},
	{PB_TABLE_HOLDING, PB_FAULT_EXCEPTION, 200, 10, words},
	{PB_TABLE_INPUT, PB_FAULT_SILENT, 200, 10, words},
	{PB_TABLE_HOLDING, 0, 65530, 6, words},
	{PB_TABLE_COIL | PB_TABLE_DISCRETE, 0, 3, 9, bits},
	{PB_TABLE_COIL | PB_TABLE_DISCRETE, 0, 12, 150, bits},
};

static const struct pb_image image = {blocks, PB_ARRAY_SIZE(blocks)};

static void check(const struct pb_mbap *request, const uint8_t *reply, size_t len)
{
	uint8_t function = request->pdu[0];

	if (len == 0)
		return;
	assert(len >= 2 && len <= PB_PDU_MAX);
	assert((reply[0] & 0x7F) == (function & 0x7F));
	if (reply[0] & 0x80) {
		assert(len == 2);
		assert(reply[1] == 1 || reply[1] == 2 || reply[1] == 3 || reply[1] == 10 ||
		       reply[1] == 11);
		return;
	}
	assert(function >= 1 && function <= 4 && request->pdu_len == 5);
	assert(len == 2 + (size_t)reply[1]);
	if (function >= 3)
		assert(reply[1] == 2 * pb_get_be16(request->pdu + 3));
	else
		assert(reply[1] == (pb_get_be16(request->pdu + 3) + 7) / 8);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	size_t at = 0;

	for (size_t i = 0; i < sizeof(words); i++)
		words[i] = (uint8_t)i;
	memset(bits, 0xA5, sizeof(bits));
	while (at < size) {
		uint8_t adu[PB_TCP_ADU_MAX];
		struct pb_mbap request, again;
		int r = pb_mbap_next(data + at, size - at, &request);
		size_t len;

		if (r <= 0)
			break;
		assert((size_t)r <= size - at && request.pdu_len >= 1);
		assert(request.pdu_len <= PB_PDU_MAX);
		len = pb_modbus_reply(request.unit == 9 ? NULL : &image, request.pdu,
				      request.pdu_len, adu + PB_MBAP_LEN);
		check(&request, adu + PB_MBAP_LEN, len);
		if (len > 0) {
			len = pb_mbap_wrap(adu, &request, len);
			assert(pb_mbap_next(adu, len, &again) == (int)len);
			assert(again.transaction == request.transaction);
			assert(again.unit == request.unit);
		}
		at += (size_t)r;
	}
	return 0;
}
