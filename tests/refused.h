/* SPDX-License-Identifier: MIT */
#pragma once

#include "packbridge/bms.h"
#include "packbridge/model/plausible.h"

#include <check.h>
#include <errno.h>
#include <string.h>

/** What pb_sample_check() says of a sample by the bounds of its codec. */
struct refused {
	int result;
	struct pb_refusals all;
};

static inline struct refused refused_check(const struct pb_codec *codec, struct pb_sample *sample)
{
	struct refused refused = {0};

	refused.result = pb_sample_check(sample, codec->bounds, &refused.all);
	return refused;
}

/** The row of @field, which must be there. */
static inline const struct pb_refusal *refused_row(const struct refused *refused, const char *field)
{
	for (size_t i = 0; i < refused->all.count; i++)
		if (refused->all.rows[i].field &&
		    strcmp(refused->all.rows[i].field->name, field) == 0)
			return &refused->all.rows[i];
	ck_abort_msg("%s was not refused", field);
}

/** No reading, because of @field's @value. */
static inline void refused_whole(const struct pb_codec *codec, struct pb_sample *sample,
				 const char *field, int64_t value)
{
	struct refused refused = refused_check(codec, sample);

	ck_assert_msg(refused.result == -EPROTO, "%s %lld was taken", field, (long long)value);
	ck_assert_uint_eq(refused.all.readings, 1);
	ck_assert_str_eq(refused.all.rows[refused.all.last].field->name, field);
	ck_assert_int_eq(refused.all.rows[refused.all.last].value, value);
}

/** A reading without @field, because of its @value. */
static inline void refused_value(const struct pb_codec *codec, struct pb_sample *sample,
				 const char *field, int64_t value)
{
	struct refused refused = refused_check(codec, sample);

	ck_assert_int_eq(refused.result, 0);
	ck_assert_int_eq(refused_row(&refused, field)->value, value);
}

/** A reading with all that it says. */
static inline void refused_nothing(const struct pb_codec *codec, struct pb_sample *sample)
{
	struct refused refused = refused_check(codec, sample);
	char text[PB_REFUSAL_TEXT_MAX] = "";

	if (refused.all.count > 0)
		pb_refusal_text(&refused.all.rows[0], text, sizeof(text));
	ck_assert_msg(refused.result == 0 && refused.all.count == 0, "refused: %s", text);
}
