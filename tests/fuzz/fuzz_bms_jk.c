/* SPDX-License-Identifier: MIT */
/* A byte stream of a JK board; and the same bytes as contents of frames with right checksums. */
#include "bms.h"

enum { LEN = 300, HEAD = 6 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void contents(const uint8_t *data, size_t size)
{
	uint8_t bytes[LEN] = {0x55, 0xAA, 0xEB, 0x90};
	struct pb_sample sample = {0};
	struct pb_frame frame;

	while (size > 0) {
		size_t len = size - 1 < LEN - HEAD - 1 ? size - 1 : LEN - HEAD - 1;

		bytes[4] = 1 + data[0] % 3;
		memcpy(bytes + HEAD, data + 1, len);
		bytes[LEN - 1] = 0;
		for (size_t i = 0; i < LEN - 1; i++)
			bytes[LEN - 1] = (uint8_t)(bytes[LEN - 1] + bytes[i]);
		assert(pb_codec_jk.frame(bytes, LEN, NULL, &frame) == LEN);
		pb_codec_jk.decode(&frame, &sample);
		fuzz_check(&pb_codec_jk, &sample);
		data += 1 + len;
		size -= 1 + len;
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	fuzz_codec(&pb_codec_jk, data, size);
	contents(data, size);
	return 0;
}
