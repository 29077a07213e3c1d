/* SPDX-License-Identifier: MIT */
/*
 * A serial line: pieces of bytes with silences between them. The first byte of a piece says its
 * length (bits 0-6) and whether a silence follows (bit 7). What is found must be sound and ours.
 */
#include "packbridge/base.h"
#include "packbridge/modbus.h"

#include <assert.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static bool ours(void *userdata, uint8_t unit)
{
	(void)userdata;
	return unit == 1 || unit == 2;
}

static void take(struct pb_rtu *rtu, bool silence)
{
	struct pb_adu frame;

	for (int i = 0; pb_rtu_next(rtu, silence, &frame); i++) {
		uint8_t adu[PB_RTU_ADU_MAX];
		size_t len;

		assert(i < PB_RTU_ADU_MAX / PB_RTU_ADU_MIN);
		assert(frame.unit == 0 || ours(NULL, frame.unit));
		assert(frame.pdu_len >= 1 && frame.pdu_len <= PB_PDU_MAX);
		memcpy(adu + 1, frame.pdu, frame.pdu_len);
		len = pb_rtu_wrap(adu, frame.unit, frame.pdu_len);
		assert(memcmp(adu + len - 2, frame.pdu + frame.pdu_len, 2) == 0);
	}
	assert(!silence || rtu->len == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct pb_rtu rtu = {.framer.ours = ours};

	while (size > 0) {
		bool silence = data[0] & 0x80;
		size_t len = data[0] & 0x7F;

		data++;
		size--;
		if (len > size)
			len = size;
		size -= len;
		while (len > 0) {
			size_t taken = pb_rtu_push(&rtu, data, len);

			assert(taken > 0 && taken <= len);
			take(&rtu, false);
			data += taken;
			len -= taken;
		}
		if (silence)
			take(&rtu, true);
	}
	take(&rtu, true);
	return 0;
}
