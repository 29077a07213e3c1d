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

static const uint8_t some[4] = {0xF0, 0xFF, 0xFF, 0x0F};

static const struct pb_block blocks[] = {
	{PB_TABLE_HOLDING | PB_TABLE_INPUT, 0, 0, 16, words, some},
	{PB_TABLE_HOLDING | PB_TABLE_INPUT, 0, 16, 100, words, NULL},
	{PB_TABLE_HOLDING, PB_FAULT_EXCEPTION, 200, 10, words, NULL},
	{PB_TABLE_INPUT, PB_FAULT_SILENT, 200, 10, words, NULL},
	{PB_TABLE_HOLDING, 0, 65530, 6, words, NULL},
	{PB_TABLE_COIL | PB_TABLE_DISCRETE, 0, 3, 9, bits, some},
	{PB_TABLE_COIL | PB_TABLE_DISCRETE, 0, 12, 150, bits, NULL},
};

static enum pb_exception store(void *userdata, const struct pb_peer *peer, enum pb_table table,
			       uint16_t addr, uint16_t count, const uint8_t *bytes)
{
	uint32_t first = table == PB_TABLE_COIL ? 3 + 4 : 4,
		 past = table == PB_TABLE_COIL ? 12 : 16;

	assert(userdata == words && count > 0 && !peer);
	assert(table == PB_TABLE_COIL || table == PB_TABLE_HOLDING);
	assert(addr >= first && addr + (uint32_t)count <= past);
	if (table == PB_TABLE_HOLDING)
		memcpy(words + 2 * (size_t)addr, bytes, 2 * (size_t)count);
	return bytes[0] == 0x77 ? PB_EXCEPTION_DEVICE_BUSY : PB_EXCEPTION_NONE;
}

static const struct pb_image image = {
	.blocks = blocks,
	.block_count = PB_ARRAY_SIZE(blocks),
	.name = "fuzz",
	.write = store,
	.userdata = words,
};
static const struct pb_identity identity = {"v", "p", "r", "u", "n"};
static struct pb_diagnostics diagnostics;
static const struct pb_origin origin = {NULL, &identity, &diagnostics};

static void check_read(const struct pb_adu *request, const uint8_t *reply, size_t len)
{
	assert(request->pdu_len == 5 || request->pdu[0] == PB_FC_READ_WRITE_REGISTERS);
	assert(len == 2 + (size_t)reply[1]);
	if (request->pdu[0] >= 3)
		assert(reply[1] == 2 * pb_get_be16(request->pdu + 3));
	else
		assert(reply[1] == (pb_get_be16(request->pdu + 3) + 7) / 8);
}

static void check(const struct pb_adu *request, const uint8_t *reply, size_t len)
{
	uint8_t function = request->pdu[0];

	if (len == 0)
		return;
	assert(len >= 2 && len <= PB_PDU_MAX);
	assert((reply[0] & 0x7F) == (function & 0x7F));
	if (reply[0] & 0x80) {
		assert(len == 2);
		assert((reply[1] >= 1 && reply[1] <= 3) || reply[1] == 6 || reply[1] == 10 ||
		       reply[1] == 11);
		return;
	}
	switch (function) {
	case 1:
	case 2:
	case 3:
	case 4:
	case PB_FC_READ_WRITE_REGISTERS:
		check_read(request, reply, len);
		break;
	case PB_FC_WRITE_COIL:
	case PB_FC_WRITE_REGISTER:
	case PB_FC_WRITE_COILS:
	case PB_FC_WRITE_REGISTERS:
	case PB_FC_MASK_WRITE_REGISTER:
		assert(len <= request->pdu_len && memcmp(reply, request->pdu, len) == 0);
		break;
	default:
		assert(function == 7 || function == 8 || function == 17 || function == 43);
		break;
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	size_t at = 0;

	for (size_t i = 0; i < sizeof(words); i++)
		words[i] = (uint8_t)i;
	memset(bits, 0xA5, sizeof(bits));
	while (at < size) {
		uint8_t adu[PB_TCP_ADU_MAX];
		struct pb_adu request, again;
		int r = pb_mbap_next(data + at, size - at, &request);
		size_t len;

		if (r <= 0)
			break;
		assert((size_t)r <= size - at && request.pdu_len >= 1);
		assert(request.pdu_len <= PB_PDU_MAX);
		len = pb_modbus_reply(&origin, request.unit == 9 ? NULL : &image, request.pdu,
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
