/* SPDX-License-Identifier: MIT */
/*
 * A byte stream of a Daly board, in each dialect; and the same bytes as contents of frames with
 * right checksums.
 */
#include "bms.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void take(const struct pb_codec *codec, const uint8_t *bytes, size_t len,
		 struct pb_sample *sample)
{
	struct pb_frame frame;

	assert(codec->frame(bytes, len, NULL, &frame) == (int)len);
	codec->decode(&frame, sample);
	fuzz_check(codec, sample);
}

/* What the first byte chooses: the length of a reply tells what it is about. */
static void words(const struct pb_codec *codec, uint8_t address, const uint8_t *data, size_t size)
{
	static const uint8_t counts[] = {62, 80, 9, 41, 32, 64, 10, 81, 74};
	struct pb_sample sample = {0};

	while (size > 0) {
		size_t bytes = 2u * counts[data[0] % sizeof(counts)];
		size_t len = size - 1 < bytes ? size - 1 : bytes;
		uint8_t reply[256] = {address, 0x03, (uint8_t)bytes};

		memcpy(reply + 3, data + 1, len);
		pb_put_le16(reply + 3 + bytes, pb_crc16(reply, 3 + bytes));
		take(codec, reply, 5 + bytes, &sample);
		data += 1 + len;
		size -= 1 + len;
	}
}

static void eights(const struct pb_codec *codec, const uint8_t *data, size_t size)
{
	struct pb_sample sample = {0};

	for (; size >= 9; data += 9, size -= 9) {
		uint8_t reply[13] = {0xA5, 0x01, (uint8_t)(0x90 + data[0] % 9), 0x08};

		if (data[0] == 0xFF)
			reply[2] = 0x50;
		memcpy(reply + 4, data + 1, 8);
		for (int i = 0; i < 12; i++)
			reply[12] = (uint8_t)(reply[12] + reply[i]);
		take(codec, reply, sizeof(reply), &sample);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const struct pb_codec *p81 = pb_codec_daly.next;

	for (const struct pb_codec *codec = &pb_codec_daly; codec; codec = codec->next)
		fuzz_codec(codec, data, size);
	for (const struct pb_codec *codec = pb_codec_daly.multidrop; codec; codec = codec->next)
		fuzz_codec(codec, data, size);
	words(&pb_codec_daly, 0xD2, data, size);
	words(p81, 0x51, data, size);
	eights(p81->next, data, size);
	return 0;
}
