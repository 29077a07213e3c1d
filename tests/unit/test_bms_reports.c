/* SPDX-License-Identifier: MIT */
/*
 * Frames from people's reports, through the whole way of a reading: stream, codec, what cannot be.
 * Whole, byte by byte, and in the pieces that radios send.
 */
#include "packbridge/bms.h"
#include "packbridge/model/battery.h"
#include "packbridge/model/field.h"
#include "packbridge/model/plausible.h"

#include "suite.h"

#include <jansson.h>
#include <string.h>

enum { ENTRIES = 21, REPORT_MAX = 1024 };

static const size_t pieces[] = {REPORT_MAX, 1, 20, 128};

static json_t *root;

/* What came of one report. */
struct outcome {
	struct pb_battery battery;
	struct pb_refusals refusals;
	int frames, readings;
};

static const struct pb_codec *codec_of(const json_t *entry)
{
	static const struct pb_codec *const codecs[] = {&pb_codec_jbd, &pb_codec_daly,
							&pb_codec_jk};
	const char *name = json_string_value(json_object_get(entry, "protocol"));
	const char *dialect = json_string_value(json_object_get(entry, "dialect"));

	for (size_t i = 0; i < PB_ARRAY_SIZE(codecs); i++)
		for (const struct pb_codec *codec = codecs[i]; codec; codec = codec->next)
			if (strcmp(codec->name, name) == 0 &&
			    (!dialect || strcmp(codec->dialect, dialect) == 0))
				return codec;
	ck_abort_msg("no codec '%s'", name);
	return NULL;
}

static void take(const struct pb_codec *codec, const struct pb_frame *frame,
		 struct outcome *outcome)
{
	struct pb_sample *sample = &outcome->battery.sample;

	outcome->frames++;
	if (codec->decode(frame, sample) < 0)
		pb_refusals_add_reply(&outcome->refusals, "reply", sample, codec->bounds);
	else if (pb_sample_check(sample, codec->bounds, &outcome->refusals) >= 0)
		outcome->readings++;
	pb_sample_derive(sample);
}

static struct outcome run(const json_t *entry, size_t piece)
{
	const struct pb_codec *codec = codec_of(entry);
	struct outcome outcome = {0};
	struct pb_stream stream = {0};
	const json_t *chunk;
	size_t i;

	json_array_foreach(json_object_get(entry, "chunks"), i, chunk)
	{
		uint8_t bytes[REPORT_MAX];
		int len = pb_hex_parse(json_string_value(chunk), bytes, sizeof(bytes));

		ck_assert_int_gt(len, 0);
		for (size_t at = 0; at < (size_t)len; at += piece) {
			size_t left = (size_t)len - at;
			struct pb_frame frame;

			pb_stream_push(&stream, bytes + at, left < piece ? left : piece);
			while (pb_stream_next(&stream, codec, NULL, &frame))
				take(codec, &frame, &outcome);
		}
	}
	return outcome;
}

static const struct pb_field *field_of(const char *name)
{
	size_t count;
	const struct pb_field *fields = pb_fields(PB_SCOPE_PACK, &count);

	for (size_t i = 0; i < count; i++)
		if (strcmp(fields[i].name, name) == 0)
			return &fields[i];
	ck_abort_msg("no field '%s'", name);
	return NULL;
}

static void check_value(const struct outcome *outcome, const char *id, const char *name,
			unsigned int index, const json_t *expected)
{
	int64_t value = 0;
	bool has = pb_field_get(field_of(name), &outcome->battery, index, &value);

	ck_assert_msg(has == !json_is_null(expected), "%s: %s is %s", id, name,
		      has ? "there" : "absent");
	if (json_is_boolean(expected))
		ck_assert_msg(value == json_is_true(expected), "%s: %s", id, name);
	else if (has)
		ck_assert_msg(value == json_integer_value(expected), "%s: %s[%u] is %lld", id, name,
			      index, (long long)value);
}

static void check_field(const struct outcome *outcome, const char *id, const char *name,
			const json_t *expected)
{
	const json_t *element;
	int64_t value;
	size_t i;

	if (!json_is_array(expected)) {
		check_value(outcome, id, name, 0, expected);
		return;
	}
	json_array_foreach(expected, i, element)
		check_value(outcome, id, name, (unsigned int)i, element);
	ck_assert_msg(!pb_field_get(field_of(name), &outcome->battery, (unsigned int)i, &value),
		      "%s: more of %s", id, name);
}

static void check(const struct outcome *outcome, const json_t *entry)
{
	const char *id = json_string_value(json_object_get(entry, "id"));
	const char *refused = json_string_value(json_object_get(entry, "refused"));
	const char *name;
	json_t *expected;

	if (json_object_get(entry, "frames")) {
		ck_assert_msg(outcome->frames == 0, "%s", id);
		return;
	}
	ck_assert_msg(outcome->frames > 0, "%s: no frame", id);
	ck_assert_msg(!refused == (outcome->refusals.readings == 0), "%s", id);
	if (refused)
		ck_assert_msg(outcome->refusals.count == 1 &&
				      outcome->refusals.rows[0].field == field_of(refused),
			      "%s", id);
	json_object_foreach(json_object_get(entry, "expect"), name, expected)
		check_field(outcome, id, name, expected);
}

START_TEST(each_report)
{
	const json_t *entry =
		json_array_get(json_object_get(root, "entries"), (size_t)_i % ENTRIES);
	struct outcome outcome = run(entry, pieces[(size_t)_i / ENTRIES]);

	check(&outcome, entry);
}
END_TEST

START_TEST(all_are_there)
{
	ck_assert_uint_eq(json_array_size(json_object_get(root, "entries")), ENTRIES);
}
END_TEST

static void load(void)
{
	root = json_load_file(PB_TEST_DATA "/reports/frames.json", 0, NULL);
	ck_assert_ptr_nonnull(root);
}

static void unload(void)
{
	json_decref(root);
}

int main(void)
{
	TCase *tcase = tcase_create("reports");

	tcase_add_unchecked_fixture(tcase, load, unload);
	tcase_add_test(tcase, all_are_there);
	tcase_add_loop_test(tcase, each_report, 0, ENTRIES * (int)PB_ARRAY_SIZE(pieces));
	return pb_run_suite("bms/reports", tcase);
}
