/* SPDX-License-Identifier: MIT */
/*
 * A byte stream of a board, for one codec. The first byte chooses the outstanding request and the
 * size of the pieces; the rest is the stream.
 */
#pragma once

#include "packbridge/bms.h"
#include "packbridge/model/battery.h"
#include "packbridge/model/field.h"
#include "packbridge/model/plausible.h"

#include <assert.h>
#include <string.h>

/* Of a reading that passed: every field is in its range, and what is said twice agrees. */
static inline void fuzz_fields(const struct pb_sample *s)
{
	struct pb_battery battery = {.sample = *s};
	size_t count;
	const struct pb_field *fields = pb_fields(PB_SCOPE_PACK, &count);
	int64_t value, min, max;

	for (size_t i = 0; i < count; i++) {
		if (!fields[i].data || fields[i].offset >= sizeof(*s) ||
		    fields[i].kind == PB_KIND_TEXT)
			continue;
		pb_field_range(&fields[i], PB_SCOPE_PACK, &min, &max);
		for (unsigned int n = 0; n < fields[i].count; n++)
			assert(!pb_field_get(&fields[i], &battery, n, &value) ||
			       (value >= min && value <= max));
	}
}

/* The cells' sum, more or less: less than one cell that is measured wrongly and 20 %. */
static inline void fuzz_cells(const struct pb_sample *s)
{
	int64_t sum = 0, others = __builtin_popcountll(s->cell_has) - 1;

	if (!(s->has & PB_HAS(PB_HAS_CELLS)) || s->cell_has == 0)
		return;
	assert(s->cell_count > 0 && s->cell_has >> s->cell_count == 0);
	assert(s->cells_said == 0 || s->cells_said == s->cell_count);
	for (int i = 0; i < s->cell_count; i++)
		if (s->cell_has >> i & 1)
			sum += s->cell_mv[i];
	if (s->has & PB_HAS(PB_HAS_VOLTAGE)) {
		assert(s->voltage_mv <= (sum + s->cell_max_mv) * 6 / 5 + 1000);
		assert(s->voltage_mv >= (sum - s->cell_max_mv) * 4 / 5 - 1000 || others == 0);
	}
	if (s->has & PB_HAS(PB_HAS_BALANCE))
		assert(s->balance_mask >> s->cell_count == 0);
}

static inline void fuzz_check(const struct pb_codec *codec, const struct pb_sample *sample)
{
	struct pb_refusals refusals = {0};
	struct pb_sample s = *sample;
	char text[PB_REFUSAL_TEXT_MAX];
	int r;

	assert(s.cell_has >> PB_CELLS_MAX == 0);
	assert(s.temperature_has >> PB_TEMPERATURES_MAX == 0);
	assert(memchr(s.device_name, 0, sizeof(s.device_name)));
	assert(memchr(s.firmware, 0, sizeof(s.firmware)));
	r = pb_sample_check(&s, codec->bounds, &refusals);
	for (size_t i = 0; i < refusals.count; i++)
		pb_refusal_text(&refusals.rows[i], text, sizeof(text));
	assert(refusals.readings == (r < 0));
	if (r < 0)
		return;
	pb_sample_derive(&s);
	fuzz_fields(&s);
	fuzz_cells(&s);
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
			codec->decode(&frame, &sample);
			fuzz_check(codec, &sample);
		}
	}
}
