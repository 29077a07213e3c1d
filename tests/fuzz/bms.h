/* SPDX-License-Identifier: MIT */
/*
 * A byte stream of a board, for one codec. The first byte chooses the outstanding request and the
 * size of the pieces; the rest is the stream.
 */
#pragma once

#include "packbridge/bms.h"
#include "packbridge/model.h"

#include <assert.h>
#include <string.h>

static inline void fuzz_check(const struct pb_sample *s)
{
	assert(s->cell_count >= 0 && s->cell_count <= PB_CELLS_MAX);
	assert(s->temperature_count >= 0 && s->temperature_count <= PB_TEMPERATURES_MAX);
	assert(s->cell_has >> PB_CELLS_MAX == 0);
	assert(s->temperature_has >> PB_TEMPERATURES_MAX == 0);
	assert(memchr(s->device_name, 0, sizeof(s->device_name)));
	assert(memchr(s->firmware, 0, sizeof(s->firmware)));
	assert(s->soc_permille >= 0 && s->soc_permille <= 2550);
	assert(s->alarm_mask <= INT32_MAX);
}

static inline void fuzz_codec(const struct pb_codec *codec, const uint8_t *data, size_t size)
{
	const struct pb_query *pending;
	struct pb_stream stream = {0};
	struct pb_sample sample = {0};
	struct pb_frame frame;
	size_t step;

	if (size < 1)
		return;
	pending = data[0] & 1 ? &codec->queries[(data[0] >> 1 & 7) % codec->query_count] : NULL;
	step = (size_t)(data[0] >> 3) + 1;
	for (size_t at = 1; at < size; at += step) {
		size_t taken = stream.len - stream.eaten, len = size - at < step ? size - at : step;

		pb_stream_push(&stream, data + at, len);
		assert(stream.len <= PB_STREAM_MAX && stream.len <= taken + len);
		while (pb_stream_next(&stream, codec, pending, &frame)) {
			assert(frame.len >= 4 && frame.len <= stream.len);
			assert(frame.payload + frame.payload_len <= frame.bytes + frame.len);
			if (codec->decode(&frame, &sample) >= 0)
				pb_sample_derive(&sample);
			fuzz_check(&sample);
		}
	}
}
