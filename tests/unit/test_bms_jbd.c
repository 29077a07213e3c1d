/* SPDX-License-Identifier: MIT */
/*
 * Every captured frame of tests/data/jbd/frames.json: whole, in the pieces it came in, and cut at
 * every size, through the same reassembly that a session uses.
 */
#include "packbridge/bms.h"
#include "packbridge/model/sample.h"

#include "frames.h"
#include "suite.h"

#include <errno.h>
#include <math.h>
#include <string.h>

enum { ENTRIES = 98 };

static json_t *frames;

struct result {
	size_t count; /* frames found */
	uint16_t command;
	uint8_t status;
	uint8_t payload[256];
	size_t payload_len;
	size_t frame_len;
	int decoded;
	struct pb_sample sample;
};

/* Feeds the bytes in pieces of @size and decodes what comes out. */
static void feed(const uint8_t *bytes, size_t len, size_t size, const struct pb_query *pending,
		 struct result *ret)
{
	struct pb_stream stream = {0};
	struct pb_frame frame;

	memset(ret, 0, sizeof(*ret));
	for (size_t at = 0; at < len; at += size) {
		pb_stream_push(&stream, bytes + at, len - at < size ? len - at : size);
		while (pb_stream_next(&stream, &pb_codec_jbd, pending, &frame)) {
			ret->count++;
			ret->command = frame.command;
			ret->status = frame.status;
			ret->frame_len = frame.len;
			ret->payload_len = frame.payload_len;
			memcpy(ret->payload, frame.payload, frame.payload_len);
			ret->decoded = pb_codec_jbd.decode(&frame, &ret->sample);
		}
	}
}

static const json_t *expect_of(const json_t *expect, const char *key)
{
	return json_object_get(expect, key);
}

static void check_number(const char *id, const json_t *expect, const char *key, double scale,
			 bool has, int64_t value)
{
	const json_t *wanted = expect_of(expect, key);

	if (!wanted)
		return;
	ck_assert_msg(has, "%s: no %s", id, key);
	ck_assert_msg(value == llround(json_number_value(wanted) * scale),
		      "%s %s: %lld, expected %g", id, key, (long long)value,
		      json_number_value(wanted) * scale);
}

static void check_truth(const char *id, const json_t *expect, const char *key, bool has, bool value)
{
	const json_t *wanted = expect_of(expect, key);

	if (wanted)
		ck_assert_msg(has && value == json_is_true(wanted), "%s %s", id, key);
}

static void check_date(const char *id, const json_t *expect, const struct pb_sample *s)
{
	const char *wanted = json_string_value(expect_of(expect, "production_date"));
	char text[16];

	if (!wanted)
		return;
	ck_assert_msg(s->has & PB_HAS(PB_HAS_PRODUCTION_DATE), "%s: no date", id);
	snprintf(text, sizeof(text), "%04d-%02d-%02d", s->production_date / 10000,
		 s->production_date / 100 % 100, s->production_date % 100);
	ck_assert_str_eq(text, wanted);
}

static bool has(const struct pb_sample *s, enum pb_has what)
{
	return s->has & PB_HAS(what);
}

static void check_temperatures(const char *id, const json_t *expect, const struct pb_sample *s)
{
	const json_t *list = expect_of(expect, "temperatures_c");
	size_t count = json_array_size(list);

	if (!list)
		return;
	ck_assert_int_eq(s->temperature_count, (int)count);
	for (size_t i = 0; i < count; i++) {
		const json_t *wanted = json_array_get(list, i);
		bool reported = s->temperature_has >> i & 1;

		ck_assert_msg(reported == json_is_number(wanted), "%s: probe %zu", id, i);
		if (reported)
			ck_assert_int_eq(s->temperature_mc[i],
					 (int32_t)lround(json_number_value(wanted) * 1000));
	}
}

static void check_tail(const char *id, const json_t *expect, const struct pb_sample *s)
{
	const json_t *tail = expect_of(expect, "tail");

	if (json_is_array(expect_of(expect, "temperatures_c")))
		ck_assert_msg(has(s, PB_HAS_FULL) == (tail != NULL), "%s: tail", id);
	check_number(id, tail, "alarm_mask", 1, has(s, PB_HAS_ALARM), s->alarm_mask);
	check_number(id, tail, "capacity_learned_ah", 1000, has(s, PB_HAS_FULL), s->full_mah);
	check_number(id, tail, "capacity_remaining_ah", 1000, has(s, PB_HAS_REMAINING),
		     s->remaining_mah);
}

static void check_basic(const char *id, const json_t *expect, const struct pb_sample *s)
{
	check_number(id, expect, "total_voltage_v", 1000, has(s, PB_HAS_VOLTAGE), s->voltage_mv);
	check_number(id, expect, "current_a", 1000, has(s, PB_HAS_CURRENT), s->current_ma);
	check_number(id, expect, "capacity_remaining_ah", 1000, has(s, PB_HAS_REMAINING),
		     s->remaining_mah);
	check_number(id, expect, "capacity_full_ah", 1000, has(s, PB_HAS_NOMINAL), s->nominal_mah);
	check_number(id, expect, "cycles", 1, has(s, PB_HAS_CYCLES), s->cycles);
	check_number(id, expect, "balance_mask", 1, has(s, PB_HAS_BALANCE),
		     (int64_t)s->balance_mask);
	check_number(id, expect, "protection_mask", 1, has(s, PB_HAS_PROTECTION),
		     s->protection_mask);
	check_number(id, expect, "version_raw", 1, has(s, PB_HAS_VERSION), s->version);
	check_number(id, expect, "soc_percent", 10, has(s, PB_HAS_SOC), s->soc_permille);
	check_number(id, expect, "cell_count", 1, has(s, PB_HAS_CELLS), s->cell_count);
	check_truth(id, expect, "charge_fet", has(s, PB_HAS_CHARGE_FET), s->charge_fet);
	check_truth(id, expect, "discharge_fet", has(s, PB_HAS_DISCHARGE_FET), s->discharge_fet);
	check_date(id, expect, s);
	check_temperatures(id, expect, s);
	check_tail(id, expect, s);
}

static void check_cells(const json_t *expect, const struct pb_sample *s)
{
	const json_t *list = expect_of(expect, "cell_voltages_v");
	size_t count = json_array_size(list);

	ck_assert_int_eq(s->cell_count, (int)count);
	ck_assert_uint_eq(s->cell_has, (UINT64_C(1) << count) - 1);
	for (size_t i = 0; i < count; i++)
		ck_assert_int_eq(
			s->cell_mv[i],
			(int32_t)lround(json_number_value(json_array_get(list, i)) * 1000));
}

static const char *const counter_names[PB_COUNTER_COUNT] = {
	"short_circuit",	   "charge_overcurrent",	"discharge_overcurrent",
	"cell_overvoltage",	   "cell_undervoltage",		"charge_overtemperature",
	"charge_undertemperature", "discharge_overtemperature", "discharge_undertemperature",
	"pack_overvoltage",	   "pack_undervoltage",		"system_restarts",
};

static void check_counters(const char *id, const json_t *expect, const struct pb_sample *s)
{
	const json_t *wanted = expect_of(expect, "counters");

	for (int i = 0; wanted && i < PB_COUNTER_COUNT; i++) {
		bool reported = s->counter_has >> i & 1;

		ck_assert_msg(reported == (expect_of(wanted, counter_names[i]) != NULL), "%s: %s",
			      id, counter_names[i]);
		check_number(id, wanted, counter_names[i], 1, reported, s->counters[i]);
	}
}

static void check_payload(const struct captured *captured, const struct result *result)
{
	const char *wanted = json_string_value(captured_expect(captured, "payload_hex"));
	uint8_t bytes[256];
	int len;

	if (!wanted)
		return;
	len = pb_hex_parse(wanted, bytes, sizeof(bytes));
	ck_assert_int_ge(len, 0);
	ck_assert_uint_eq(result->payload_len, (size_t)len);
	ck_assert_mem_eq(result->payload, bytes, (size_t)len);
	ck_assert_uint_eq(result->sample.has, 0);
}

/* How many sound frames the entry holds: what is wrong with the others, its `error` says. */
static size_t sound_frames(const struct captured *captured)
{
	static const char *const rejected[] = {
		"sp15s001-11s-03-bad-checksum",
		"vendor-15s-03-v11-misprint",
		"syn-aiobmsble-03-wrong-end",
		"syn-aiobmsble-04-wrong-crc",
		"mal-interleaved",
		"mal-truncated-first-chunk",
		"mal-header-a5",
		"mal-unsolicited-zero",
		"mal-serial-partial-a",
	};

	for (size_t i = 0; i < PB_ARRAY_SIZE(rejected); i++)
		if (strcmp(rejected[i], captured->id) == 0)
			return 0;
	return 1;
}

static void check_result(const struct captured *captured, const struct result *result)
{
	const json_t *expect = json_object_get(captured->entry, "expect");
	const json_t *status = captured_expect(captured, "status");
	const char *command = json_string_value(json_object_get(captured->entry, "command"));

	ck_assert_msg(result->count == sound_frames(captured), "%s: %zu frames", captured->id,
		      result->count);
	if (result->count == 0)
		return;
	ck_assert_uint_eq(result->command, strtoul(command, NULL, 16));
	ck_assert_uint_eq(result->status, status ? (uint8_t)json_integer_value(status) : 0);
	if (strcmp(captured->id, "syn-odd-cell-payload") == 0) {
		ck_assert_int_eq(result->decoded, -EPROTO);
		ck_assert_uint_eq(result->sample.has, 0);
		return;
	}
	ck_assert_msg(result->decoded == 0, "%s: %d", captured->id, result->decoded);
	if (result->command == 0x03)
		check_basic(captured->id, expect, &result->sample);
	if (expect_of(expect, "cell_voltages_v"))
		check_cells(expect, &result->sample);
	if (expect_of(expect, "device_name"))
		ck_assert_str_eq(result->sample.device_name,
				 json_string_value(expect_of(expect, "device_name")));
	check_counters(captured->id, expect, &result->sample);
	check_payload(captured, result);
}

/* The test's outstanding request: whatever register the entry is about. */
static struct pb_query query_for(const struct captured *captured)
{
	const char *command = json_string_value(json_object_get(captured->entry, "command"));

	return (struct pb_query){.command = (uint8_t)strtoul(command, NULL, 16)};
}

START_TEST(every_entry)
{
	struct captured captured;
	struct pb_query query;
	struct result result;

	captured_get(frames, (size_t)_i, &captured);
	query = query_for(&captured);
	feed(captured.bytes, captured.len, captured.len, NULL, &result);
	check_result(&captured, &result);
	for (size_t size = 1; size <= 20; size++) {
		feed(captured.bytes, captured.len, size, &query, &result);
		check_result(&captured, &result);
	}
}
END_TEST

START_TEST(all_entries_are_there)
{
	size_t count = json_array_size(json_object_get(frames, "entries"));

	ck_assert_uint_eq(count, ENTRIES);
}
END_TEST

/* Any single wrong byte of a frame must not go through as the same register with other values. */
START_TEST(wrong_bytes)
{
	struct captured captured;
	struct result result;

	captured_get(frames, 0, &captured);
	for (size_t i = 2; i < captured.len; i++) {
		for (int bit = 0; bit < 8; bit++) {
			captured.bytes[i] ^= (uint8_t)(1 << bit);
			feed(captured.bytes, captured.len, 20, NULL, &result);
			ck_assert_uint_eq(result.count, 0);
			captured.bytes[i] ^= (uint8_t)(1 << bit);
		}
	}
}
END_TEST

/* A reply behind every kind of rubbish still comes out whole. */
static const char *const rubbish[] = {
	"00",
	"dd",
	"dddddd",
	"dd0300",
	"dd03001d0534",
	"ddff00",
	"dda50300fffd77",
	"ffaa",
	"ffaa15",
	"02510000ffff0036",
	"dd03801d",
	"ff",
};

START_TEST(behind_rubbish)
{
	struct captured captured;
	struct result result;
	struct pb_query query = {.command = 0x03};
	uint8_t bytes[600];
	int len = pb_hex_parse(rubbish[_i], bytes, sizeof(bytes));

	ck_assert_int_gt(len, 0);
	captured_get(frames, 0, &captured);
	/* twice: a start that swallows the first reply must give the second one back */
	memcpy(bytes + len, captured.bytes, captured.len);
	memcpy(bytes + len + captured.len, captured.bytes, captured.len);
	feed(bytes, (size_t)len + 2 * captured.len, 20, &query, &result);
	ck_assert_uint_ge(result.count, 1);
	ck_assert_int_eq(result.sample.voltage_mv, 13320);
}
END_TEST

START_TEST(module_frames_are_recognised)
{
	struct pb_frame frame;
	uint8_t bytes[16];
	int len = pb_hex_parse("FFAA15010016", bytes, sizeof(bytes));
	struct pb_sample sample = {0};

	ck_assert_int_eq(pb_codec_jbd.frame(bytes, (size_t)len, NULL, &frame), len);
	ck_assert_int_eq(frame.kind, PB_FRAME_MODULE);
	ck_assert_uint_eq(frame.command, 0x15);
	ck_assert_int_eq(pb_codec_jbd.decode(&frame, &sample), 0);
	ck_assert_uint_eq(sample.has, 0);
	bytes[4] ^= 1;
	ck_assert_int_eq(pb_codec_jbd.frame(bytes, (size_t)len, NULL, &frame), -EBADMSG);
}
END_TEST

/* What the frame can say but no capture shows. */
static void build(uint8_t reg, const uint8_t *payload, size_t len, uint8_t *out)
{
	unsigned int total = (unsigned int)len;

	out[0] = 0xDD;
	out[1] = reg;
	out[2] = 0;
	out[3] = (uint8_t)len;
	memcpy(out + 4, payload, len);
	for (size_t i = 0; i < len; i++)
		total += payload[i];
	pb_put_be16(out + 4 + len, (uint16_t)(0x10000 - total));
	out[6 + len] = 0x77;
}

static int decode(uint8_t reg, const uint8_t *payload, size_t len, struct pb_sample *sample)
{
	uint8_t bytes[300];
	struct pb_frame frame;

	build(reg, payload, len, bytes);
	ck_assert_int_eq(pb_codec_jbd.frame(bytes, len + 7, NULL, &frame), (int)len + 7);
	return pb_codec_jbd.decode(&frame, sample);
}

START_TEST(coarse_units)
{
	uint8_t payload[23] = {[1] = 100, [2] = 0xFF, [3] = 0x9C, [5] = 50, [7] = 200, [20] = 0x83};
	struct pb_sample s = {0};

	ck_assert_int_eq(decode(0x03, payload, sizeof(payload), &s), 0);
	ck_assert_int_eq(s.voltage_mv, 1000);
	ck_assert_int_eq(s.current_ma, -10000); /* -100 x 0.1 A */
	ck_assert_int_eq(s.remaining_mah, 5000);
	ck_assert_int_eq(s.nominal_mah, 20000);
	ck_assert(s.charge_fet && s.discharge_fet);
}
END_TEST

START_TEST(probes)
{
	/* four announced: 25.0 degC, not fitted (0 K), -40.1 degC, and one that is not sent */
	uint8_t payload[29] = {[22] = 4, [23] = 0x0B, [24] = 0xA5, [27] = 0x09, [28] = 0x1A};
	struct pb_sample s = {0};

	ck_assert_int_eq(decode(0x03, payload, sizeof(payload), &s), 0);
	ck_assert_int_eq(s.temperature_count, 4);
	ck_assert_uint_eq(s.temperature_has, 1);
	ck_assert_int_eq(s.temperature_mc[0], 25000);
	ck_assert(!(s.has & PB_HAS(PB_HAS_PRODUCTION_DATE)));
}
END_TEST

START_TEST(short_tail_is_ignored)
{
	uint8_t payload[32] = {[24] = 0x7F, [25] = 0xFF};
	struct pb_sample s = {0};

	ck_assert_int_eq(decode(0x03, payload, 31, &s), 0);
	ck_assert(!(s.has & PB_HAS(PB_HAS_ALARM)));
	ck_assert_int_eq(decode(0x03, payload, 32, &s), 0);
	ck_assert(s.has & PB_HAS(PB_HAS_ALARM));
	ck_assert_uint_eq(s.alarm_mask, 0x7FFF);
	/* all warnings at once are a word that the board does not have */
	payload[24] = 0xFF;
	s.has = 0;
	ck_assert_int_eq(decode(0x03, payload, 32, &s), 0);
	ck_assert(!(s.has & PB_HAS(PB_HAS_ALARM)));
}
END_TEST

static const struct {
	uint8_t reg;
	size_t len;
	uint8_t at, value;
} impossible[] = {
	{0x03, 22, 0, 0}, {0x03, 0, 0, 0},    {0x03, 60, 22, 17}, {0x04, 7, 0, 0},
	{0x04, 98, 0, 0}, {0x05, 32, 0, 'a'}, {0xAA, 20, 0, 0},	  {0xAA, 23, 0, 0},
};

START_TEST(impossible_content_changes_nothing)
{
	uint8_t payload[128] = {0};
	struct pb_sample before, s;

	memset(&before, 0x5A, sizeof(before));
	s = before;
	payload[impossible[_i].at] = impossible[_i].value;
	ck_assert_int_eq(decode(impossible[_i].reg, payload, impossible[_i].len, &s), -EPROTO);
	ck_assert_mem_eq(&s, &before, sizeof(s));
}
END_TEST

START_TEST(names)
{
	struct pb_sample s = {0};

	ck_assert_int_eq(decode(0x05, (const uint8_t *)"SP04S\x01 \0\0", 9, &s), 0);
	ck_assert_str_eq(s.device_name, "SP04S?");
	ck_assert_int_eq(decode(0x05, (const uint8_t *)"", 0, &s), 0);
	ck_assert_str_eq(s.device_name, "");
	ck_assert(s.has & PB_HAS(PB_HAS_DEVICE_NAME));
}
END_TEST

START_TEST(queries_are_sound)
{
	struct captured captured;
	struct pb_frame frame;

	for (size_t i = 0; i < pb_codec_jbd.query_count; i++) {
		const struct pb_query *query = &pb_codec_jbd.queries[i];
		unsigned int sum = query->bytes[2] + query->bytes[3];

		ck_assert_uint_eq(query->bytes[2], query->command);
		ck_assert_uint_eq(pb_get_be16(query->bytes + 4), (0x10000 - sum) & 0xFFFF);
		/* an echo of the request is no reply to it */
		ck_assert_int_lt(pb_codec_jbd.frame(query->bytes, query->len, query, &frame), 0);
		for (size_t entry = 0; entry < ENTRIES; entry++) {
			const char *hex;
			uint8_t bytes[32];

			captured_get(frames, entry, &captured);
			hex = json_string_value(json_object_get(captured.entry, "request_hex"));
			if (!hex || query_for(&captured).command != query->command)
				continue;
			ck_assert_int_eq(pb_hex_parse(hex, bytes, sizeof(bytes)), query->len);
			ck_assert_mem_eq(bytes, query->bytes, query->len);
		}
	}
}
END_TEST

static void load(void)
{
	frames = captured_load("jbd/frames.json");
}

static void unload(void)
{
	json_decref(frames);
}

int main(void)
{
	TCase *tcase = tcase_create("jbd");

	tcase_add_unchecked_fixture(tcase, load, unload);
	tcase_add_test(tcase, all_entries_are_there);
	tcase_add_loop_test(tcase, every_entry, 0, ENTRIES);
	tcase_add_test(tcase, wrong_bytes);
	tcase_add_loop_test(tcase, behind_rubbish, 0, PB_ARRAY_SIZE(rubbish));
	tcase_add_test(tcase, module_frames_are_recognised);
	tcase_add_test(tcase, coarse_units);
	tcase_add_test(tcase, probes);
	tcase_add_test(tcase, short_tail_is_ignored);
	tcase_add_loop_test(tcase, impossible_content_changes_nothing, 0,
			    PB_ARRAY_SIZE(impossible));
	tcase_add_test(tcase, names);
	tcase_add_test(tcase, queries_are_sound);
	return pb_run_suite("bms/jbd", tcase);
}
