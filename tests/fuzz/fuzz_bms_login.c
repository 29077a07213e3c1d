/* SPDX-License-Identifier: MIT */
/*
 * The dialogue with a radio module that wants a password (FF AA): the first byte is the size of the
 * pieces, then the bytes that come. What is sent must be sound, and it must come to an end.
 */
#include "packbridge/bms.h"

#include <assert.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const struct pb_codec *codec = &pb_codec_jbd;
	struct pb_dialogue login = {.password = "123456", .mac = {1, 2, 3, 4, 5, 6}};
	enum pb_dialogue_result result = codec->dialogue(&login, NULL);
	struct pb_stream stream = {0};
	struct pb_frame frame;
	size_t step, sent = 0;

	if (size < 1)
		return 0;
	step = (size_t)(data[0] & 31) + 1;
	for (size_t at = 1; at < size && result == PB_DIALOGUE_SEND; at += step) {
		pb_stream_push(&stream, data + at, size - at < step ? size - at : step);
		while (result == PB_DIALOGUE_SEND &&
		       pb_stream_next(&stream, codec, &login.request, &frame)) {
			assert(login.request.len > 0);
			result = codec->dialogue(&login, &frame);
			assert(memchr(login.password, 0, sizeof(login.password)));
			assert(++sent < 16 || result != PB_DIALOGUE_SEND);
		}
	}
	return 0;
}
