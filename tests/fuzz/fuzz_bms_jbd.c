/* SPDX-License-Identifier: MIT */
/* A byte stream of a JBD board; and the same bytes as contents of frames with right checksums. */
#include "bms.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void take(uint8_t reg, const uint8_t *payload, size_t len, struct pb_sample *sample)
{
	uint8_t bytes[4 + 255 + 3] = {0xDD, reg, 0, (uint8_t)len};
	unsigned int sum = (unsigned int)len;
	struct pb_frame frame;

	memcpy(bytes + 4, payload, len);
	for (size_t i = 0; i < len; i++)
		sum += payload[i];
	pb_put_be16(bytes + 4 + len, (uint16_t)-sum);
	bytes[6 + len] = 0x77;
	assert(pb_codec_jbd.frame(bytes, len + 7, NULL, &frame) == (int)len + 7);
	pb_codec_jbd.decode(&frame, sample);
	fuzz_check(&pb_codec_jbd, sample);
}

/* Register, length, payload, and so on: readings of several replies. */
static void contents(const uint8_t *data, size_t size)
{
	static const uint8_t registers[] = {0x03, 0x04, 0x05, 0xAA};
	struct pb_sample sample = {0};

	while (size > 1) {
		size_t len = data[1] < size - 2 ? data[1] : size - 2;

		take(registers[data[0] % sizeof(registers)], data + 2, len, &sample);
		data += 2 + len;
		size -= 2 + len;
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	contents(data, size);
	fuzz_codec(&pb_codec_jbd, data, size);
	return 0;
}
