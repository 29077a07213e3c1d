/* SPDX-License-Identifier: MIT */
/*
 * Every captured frame of tests/data/daly/frames.json: whole, in the pieces it came in, and cut at
 * every size, through the same reassembly that a session uses; then what no capture shows.
 */
#include "packbridge/bms.h"
#include "packbridge/model/sample.h"

#include "frames.h"
#include "suite.h"

#include <errno.h>
#include <math.h>
#include <string.h>

enum { ENTRIES = 61, FRAMES_MAX = 8 };

static json_t *frames;

static const struct pb_codec *dialect(const char *name)
{
	const struct pb_codec *codec = &pb_codec_daly;

	while (codec && strcmp(codec->dialect, name) != 0)
		codec = codec->next;
	ck_assert_ptr_nonnull(codec);
	return codec;
}

static const struct pb_codec *codec_of(const struct captured *captured)
{
	const char *protocol = json_string_value(json_object_get(captured->entry, "protocol"));

	return dialect(strcmp(protocol, "daly-d2") == 0	   ? "D2"
		       : strcmp(protocol, "daly-p81") == 0 ? "P81"
							   : "A5");
}

struct result {
	size_t count; /* frames found */
	size_t len[FRAMES_MAX];
	uint16_t command;
	uint8_t status;
	int decoded;
	struct pb_sample sample;
};

/* Feeds the bytes in pieces of @size and decodes what comes out, into what the sample knows. */
static void feed(const struct pb_codec *codec, const struct captured *captured, size_t size,
		 const struct pb_query *pending, struct result *ret)
{
	struct pb_stream stream = {0};
	struct pb_frame frame;

	ret->count = 0;
	for (size_t at = 0; at < captured->len; at += size) {
		size_t left = captured->len - at;

		pb_stream_push(&stream, captured->bytes + at, left < size ? left : size);
		while (pb_stream_next(&stream, codec, pending, &frame)) {
			ck_assert_uint_lt(ret->count, FRAMES_MAX);
			ret->len[ret->count++] = frame.len;
			ret->command = frame.command;
			ret->status = frame.status;
			ret->decoded = codec->decode(&frame, &ret->sample);
		}
	}
}

static bool has(const struct pb_sample *s, enum pb_has what)
{
	return s->has & PB_HAS(what);
}

static const json_t *expect_of(const struct captured *captured, const char *key)
{
	return captured_expect(captured, key);
}

static void check_number(const struct captured *c, const char *key, double scale, bool reported,
			 int64_t value)
{
	const json_t *wanted = expect_of(c, key);

	if (!wanted || json_is_null(wanted))
		return;
	ck_assert_msg(reported, "%s: no %s", c->id, key);
	ck_assert_msg(value == llround(json_number_value(wanted) * scale),
		      "%s %s: %lld, expected %g", c->id, key, (long long)value,
		      json_number_value(wanted) * scale);
}

static void check_truth(const struct captured *c, const char *key, bool reported, bool value)
{
	const json_t *wanted = expect_of(c, key);

	if (wanted)
		ck_assert_msg(reported && value == json_is_true(wanted), "%s %s", c->id, key);
}

/* @absent: what stands in the capture for a slot without a probe */
static void check_temperatures(const struct captured *c, const char *key, const struct pb_sample *s)
{
	const json_t *list = expect_of(c, key);

	if (!list)
		return;
	ck_assert_msg(has(s, PB_HAS_TEMPERATURES), "%s", c->id);
	ck_assert_int_eq(s->temperature_count, (int)json_array_size(list));
	for (size_t i = 0; i < json_array_size(list); i++) {
		const json_t *wanted = json_array_get(list, i);
		bool fitted = json_is_number(wanted) && json_number_value(wanted) != -40;

		ck_assert_msg((s->temperature_has >> i & 1) == fitted, "%s: probe %zu", c->id, i);
		if (fitted)
			ck_assert_int_eq(s->temperature_mc[i],
					 (int32_t)lround(json_number_value(wanted) * 1000));
	}
}

static void check_cells(const struct captured *c, const char *key, const struct pb_sample *s)
{
	const json_t *list = expect_of(c, key);
	size_t count = json_array_size(list);

	if (!list)
		return;
	ck_assert_int_eq(s->cell_count, (int)count);
	ck_assert_uint_eq(s->cell_has, (UINT64_C(1) << count) - 1);
	for (size_t i = 0; i < count; i++)
		ck_assert_int_eq(
			s->cell_mv[i],
			(int32_t)lround(json_number_value(json_array_get(list, i)) * 1000));
}

/* Alarm words or bytes of the capture, as the mask that shows them. */
static void check_alarms(const struct captured *c, const struct pb_sample *s)
{
	const json_t *words = expect_of(c, "alarm_words");
	const char *hex = json_string_value(expect_of(c, "alarm_bytes_hex"));
	uint64_t mask = 0;
	uint8_t bytes[8];

	for (size_t i = 0; i < json_array_size(words); i++)
		mask |= (uint64_t)json_integer_value(json_array_get(words, i)) << 16 * i;
	if (hex) {
		ck_assert_int_eq(pb_hex_parse(hex, bytes, sizeof(bytes)), 8);
		for (int i = 0; i < 7; i++)
			mask |= (uint64_t)bytes[i] << 8 * i;
	}
	if (!hex && !words)
		return;
	ck_assert(has(s, PB_HAS_ALARM) && has(s, PB_HAS_PROTECTION));
	ck_assert_uint_eq(s->alarm_mask, mask & 0x0FFFFFFF);
	/* all captures are of packs without a fault: SoC low is none */
	ck_assert_uint_eq(s->protection_mask, 0);
}

static void check_sample(const struct captured *c, const struct pb_sample *s)
{
	const json_t *masks = expect_of(c, "balance_masks");

	check_number(c, "total_voltage_v", 1000, has(s, PB_HAS_VOLTAGE), s->voltage_mv);
	check_number(c, "current_a", 1000, has(s, PB_HAS_CURRENT), s->current_ma);
	check_number(c, "soc_percent", 10, has(s, PB_HAS_SOC), s->soc_permille);
	check_number(c, "capacity_remaining_ah", 1000, has(s, PB_HAS_REMAINING), s->remaining_mah);
	check_number(c, "capacity_full_ah", 1000, has(s, PB_HAS_NOMINAL), s->nominal_mah);
	check_number(c, "cycles", 1, has(s, PB_HAS_CYCLES), s->cycles);
	check_number(c, "cell_count", 1, has(s, PB_HAS_CELLS), s->cell_count);
	check_number(c, "balance_mask", 1, has(s, PB_HAS_BALANCE), (int64_t)s->balance_mask);
	check_number(c, "mos_temperature_c", 1000, has(s, PB_HAS_MOS_TEMPERATURE),
		     s->mos_temperature_mc);
	check_truth(c, "charge_fet", has(s, PB_HAS_CHARGE_FET), s->charge_fet);
	check_truth(c, "discharge_fet", has(s, PB_HAS_DISCHARGE_FET), s->discharge_fet);
	check_cells(c, "cell_voltages_v", s);
	check_cells(c, "cell_slots_v", s);
	check_temperatures(c, "temperatures_c", s);
	check_temperatures(c, "temperature_slots_c", s);
	check_alarms(c, s);
	if (expect_of(c, "software"))
		ck_assert_str_eq(s->firmware, json_string_value(expect_of(c, "software")));
	for (size_t i = 0; i < json_array_size(masks); i++)
		ck_assert_uint_eq(s->balance_mask >> 16 * i & 0xFFFF,
				  (uint64_t)json_integer_value(json_array_get(masks, i)));
}

/* Frames that must come out of the entry; what is wrong with the others, its `error` says. */
static size_t sound_frames(const struct captured *captured)
{
	static const char *const rejected[] = {"a5-echo", "d2-write-echo-bad-crc", "d2-bad-crc",
					       "d2-short-17"};
	const json_t *list = json_object_get(captured->entry, "frames");
	const json_t *replies = captured_expect(captured, "replies");

	for (size_t i = 0; i < PB_ARRAY_SIZE(rejected); i++)
		if (strcmp(rejected[i], captured->id) == 0)
			return 0;
	return list ? json_array_size(list) : replies ? (size_t)json_integer_value(replies) : 1;
}

static bool is_glued(const struct captured *captured)
{
	return strncmp(captured->id, "d2-glued", 8) == 0;
}

static void check_result(const struct captured *captured, const struct result *result)
{
	const json_t *lengths = captured_expect(captured, "lengths");

	ck_assert_msg(result->count == sound_frames(captured), "%s: %zu frames", captured->id,
		      result->count);
	for (size_t i = 0; i < json_array_size(lengths); i++)
		ck_assert_int_eq((int)result->len[i],
				 (int)json_integer_value(json_array_get(lengths, i)));
	if (result->count == 0 || is_glued(captured))
		return;
	ck_assert_msg(result->decoded == 0, "%s: %d", captured->id, result->decoded);
	ck_assert_uint_eq(result->status, 0);
	check_sample(captured, &result->sample);
}

/* The request of the dialect's plan that the entry answers; NULL: it is not in the plan. */
static const struct pb_query *query_of(const struct pb_codec *codec,
				       const struct captured *captured)
{
	const char *text = json_string_value(json_object_get(captured->entry, "request_hex"));
	uint8_t bytes[16];
	int len = text ? pb_hex_parse(text, bytes, sizeof(bytes)) : 0;

	for (size_t i = 0; i < codec->query_count; i++) {
		const struct pb_query *query = &codec->queries[i];

		if (query->len == len && memcmp(query->bytes, bytes, query->len) == 0)
			return query;
	}
	return NULL;
}

START_TEST(every_entry)
{
	const struct pb_codec *codec;
	const struct pb_query *query;
	struct captured captured;

	captured_get(frames, (size_t)_i, &captured);
	codec = codec_of(&captured);
	query = query_of(codec, &captured);
	for (size_t size = 1; size <= captured.len; size++) {
		struct result result = {0};

		feed(codec, &captured, size, NULL, &result);
		check_result(&captured, &result);
		if (!query)
			continue;
		result = (struct result){0};
		feed(codec, &captured, size, query, &result);
		check_result(&captured, &result);
		if (result.count > 0)
			ck_assert_uint_eq(result.command, query->command);
	}
}
END_TEST

/* None of the other codecs takes the bytes for its own. */
START_TEST(no_other_dialect)
{
	struct captured captured;
	struct result result;

	captured_get(frames, (size_t)_i, &captured);
	for (const struct pb_codec *codec = &pb_codec_daly; codec; codec = codec->next) {
		if (codec->frame == codec_of(&captured)->frame)
			continue;
		result = (struct result){0};
		feed(codec, &captured, captured.len, NULL, &result);
		ck_assert_msg(result.count == 0, "%s as %s", captured.id, codec->dialect);
	}
}
END_TEST

START_TEST(all_entries_are_there)
{
	ck_assert_uint_eq(json_array_size(json_object_get(frames, "entries")), ENTRIES);
}
END_TEST

static void captured_find(const char *id, struct captured *ret)
{
	size_t count = json_array_size(json_object_get(frames, "entries"));

	for (size_t i = 0; i < count; i++) {
		captured_get(frames, i, ret);
		if (strcmp(ret->id, id) == 0)
			return;
	}
	ck_abort_msg("no entry %s", id);
}

/* The refused entries, and why. */
static const struct {
	const char *id, *why;
} refusals[] = {
	{"a5-echo", "a request of host 40, not a reply"},
	{"d2-write-echo-bad-crc", "bad checksum: expected 8A1C, calculated 966B"},
	{"d2-bad-crc", "bad checksum: expected 57D7, calculated A965"},
	{"d2-short-17", "17 bytes of data, expected an even number from 2 to 250"},
	{"a5-leading-zeros", "no start byte: expected A5, found 00"},
};

START_TEST(says_why)
{
	struct captured captured;
	struct pb_frame frame;
	char why[128];
	const struct pb_codec *codec;
	int r;

	captured_find(refusals[_i].id, &captured);
	codec = codec_of(&captured);
	r = codec->frame(captured.bytes, captured.len, NULL, &frame);
	ck_assert_int_le(r, 0);
	codec->explain(captured.bytes, captured.len, r, &frame, why, sizeof(why));
	ck_assert_str_eq(why, refusals[_i].why);
	r = codec->frame(captured.bytes, 4, NULL, &frame);
	if (r < 0)
		return;
	codec->explain(captured.bytes, 4, r, &frame, why, sizeof(why));
	ck_assert_ptr_nonnull(strstr(why, "short: "));
}
END_TEST

/* Any single wrong bit of a frame with a CRC is found; A5's sum finds a single one, too. */
static const char *const spoiled[] = {"d2-16s-it-status", "p81-16s-ess-cells", "a5-16s-venus-90a"};

START_TEST(wrong_bits)
{
	struct captured captured;

	captured_find(spoiled[_i], &captured);
	for (size_t i = 0; i < captured.len; i++) {
		for (int bit = 0; bit < 8; bit++) {
			struct result result = {0};

			captured.bytes[i] ^= (uint8_t)(1 << bit);
			feed(codec_of(&captured), &captured, 20, NULL, &result);
			ck_assert_msg(result.count == 0, "byte %zu bit %d", i, bit);
			captured.bytes[i] ^= (uint8_t)(1 << bit);
		}
	}
}
END_TEST

/* What the phone app sends, and what boards answer: two of the captures are its own requests. */
START_TEST(requests)
{
	for (const struct pb_codec *codec = &pb_codec_daly; codec; codec = codec->next) {
		for (size_t i = 0; i < codec->query_count; i++) {
			const struct pb_query *q = &codec->queries[i];
			unsigned int sum = 0;

			if (q->len == 8) {
				ck_assert_uint_eq(pb_crc16(q->bytes, 8), 0);
				ck_assert_uint_eq(pb_get_be16(q->bytes + 2), q->command);
				continue;
			}
			ck_assert_uint_eq(q->len, 13);
			for (int b = 0; b < 12; b++)
				sum += q->bytes[b];
			ck_assert_uint_eq(q->bytes[12], sum & 0xFF);
			ck_assert_uint_eq(q->bytes[2], q->command);
		}
	}
	ck_assert_uint_eq(dialect("A5")->queries[0].bytes[1], 0x80);
	ck_assert_uint_eq(dialect("A5, host 40")->queries[0].bytes[1], 0x40);
	ck_assert_uint_eq(dialect("A5, host 40")->queries[0].bytes[12], 0xCD);
}
END_TEST

/* A whole poll of captured frames: cells are cut to the count, whatever the last slots hold. */
static const struct {
	const char *counts, *cells;
	int count;
	int32_t last_mv;
} packs[] = {
	{"a5-14s-sr-94", "a5-14s-sr-95", 14, 3776},
	{"a5-16s-kr-94", "a5-16s-kr-95", 16, 3277},
	{"a5-12s-94", "a5-12s-95", 12, 3654},
};

START_TEST(cells_are_cut)
{
	const struct pb_codec *codec = dialect("A5");
	struct result result = {0};
	struct captured captured;

	captured_find(packs[_i].counts, &captured);
	feed(codec, &captured, 13, NULL, &result);
	ck_assert_uint_eq(result.sample.cell_has, 0);
	captured_find(packs[_i].cells, &captured);
	feed(codec, &captured, 13, NULL, &result);
	ck_assert_int_eq(result.decoded, 0);
	ck_assert_int_eq(result.sample.cell_count, packs[_i].count);
	ck_assert_uint_eq(result.sample.cell_has, (UINT64_C(1) << packs[_i].count) - 1);
	ck_assert_int_eq(result.sample.cell_mv[packs[_i].count - 1], packs[_i].last_mv);

	/* without the second frame, cells 4 to 6 are unknown and more is waited for */
	result.sample.cell_has = 0;
	memmove(captured.bytes + 13, captured.bytes + 26, captured.len - 26);
	captured.len -= 13;
	feed(codec, &captured, 13, NULL, &result);
	ck_assert_int_eq(result.decoded, 1);
	ck_assert_uint_eq(result.sample.cell_has >> 3 & 7, 0);
}
END_TEST

START_TEST(probes_are_cut)
{
	const struct pb_codec *codec = dialect("A5");
	struct result result = {0};
	struct captured captured;

	captured_find("a5-16s-kr-94", &captured);
	feed(codec, &captured, 13, NULL, &result);
	captured_find("a5-16s-kr-96", &captured);
	captured.len = 13;
	feed(codec, &captured, 13, NULL, &result);
	ck_assert_int_eq(result.decoded, 0);
	ck_assert_int_eq(result.sample.temperature_count, 1);
	ck_assert_uint_eq(result.sample.temperature_has, 1);
	ck_assert_int_eq(result.sample.temperature_mc[0], 22000);
}
END_TEST

/* ---- what no capture shows ---- */

static int decode_a5(uint8_t command, const char *data, struct pb_sample *s)
{
	uint8_t bytes[13] = {0xA5, 0x01, command, 0x08};
	unsigned int sum = 0;
	struct pb_frame frame;

	ck_assert_int_eq(pb_hex_parse(data, bytes + 4, 8), 8);
	for (int i = 0; i < 12; i++)
		sum += bytes[i];
	bytes[12] = (uint8_t)sum;
	ck_assert_int_eq(dialect("A5")->frame(bytes, 13, NULL, &frame), 13);
	return dialect("A5")->decode(&frame, s);
}

START_TEST(impossible_a5)
{
	struct pb_sample s = {0}, before = s;

	ck_assert_int_eq(decode_a5(0x94, "0001000002000000", &s), -EPROTO); /* no cells */
	ck_assert_int_eq(decode_a5(0x94, "3101000002000000", &s), -EPROTO); /* 49 */
	ck_assert_int_eq(s.cell_count, 49);				    /* to be named */
	s = before;
	ck_assert_int_eq(decode_a5(0x96, "003E3E3E3E3E3E3E", &s), -EPROTO);
	ck_assert_mem_eq(&s, &before, sizeof(s));
	ck_assert_int_eq(decode_a5(0xD8, "FFFFFFFFFFFFFFFF", &s), 0);
	ck_assert_mem_eq(&s, &before, sizeof(s));
	/* a frame far behind the count changes nothing, and the wanted ones may still come */
	ck_assert_int_eq(decode_a5(0x94, "1001000002000000", &s), 0);
	ck_assert_int_eq(decode_a5(0x95, "FF0CC00CC00CC000", &s), 1);
	ck_assert_uint_eq(s.cell_has, 0);
}
END_TEST

/* Frames of temperatures: the second is none without the first, and a late one ends nothing. */
START_TEST(probes_in_order)
{
	struct pb_sample s = {0};

	ck_assert_int_eq(decode_a5(0x94, "0409000002000000", &s), 0); /* nine */
	ck_assert_int_eq(decode_a5(0x96, "023E3F0000000000", &s), 1);
	ck_assert_uint_eq(s.temperature_has, 0);
	ck_assert_int_eq(decode_a5(0x96, "01FF3C3C3C3C3C00", &s), 1);
	ck_assert_int_eq(decode_a5(0x96, "01FF3C3C3C3C3C00", &s), 1);
	ck_assert_int_eq(decode_a5(0x96, "033E3F0000000000", &s), 1);
	ck_assert_int_eq(s.temperature_count, 7);
	ck_assert_int_eq(decode_a5(0x96, "023E3F0000000000", &s), 0);
	ck_assert_int_eq(s.temperature_count, 9);
	ck_assert_uint_eq(s.temperature_has, 0x1BE);

	s = (struct pb_sample){0};
	ck_assert_int_eq(decode_a5(0x94, "0402000002000000", &s), 0);
	ck_assert_int_eq(decode_a5(0x96, "0200000000000000", &s), 1);
	ck_assert(!has(&s, PB_HAS_TEMPERATURES));
	ck_assert_int_eq(decode_a5(0x96, "013E3F0000000000", &s), 0);
	ck_assert_int_eq(s.temperature_count, 2);

	s = (struct pb_sample){0};
	ck_assert_int_eq(decode_a5(0x94, "0400000002000000", &s), 0);
	ck_assert_int_eq(decode_a5(0x96, "0100000000000000", &s), 0);
	ck_assert_int_eq(s.temperature_count, 0);
}
END_TEST

/* A board that counts its frames from 0 would show other cells: none in this connection. */
START_TEST(counts_from_zero)
{
	struct pb_sample s = {0}, base = {0};

	ck_assert_int_eq(decode_a5(0x94, "0601000002000000", &s), 0);
	ck_assert_int_eq(decode_a5(0x95, "000CC00CC00CC000", &s), -EPROTO);
	ck_assert_int_eq(decode_a5(0x95, "010CC00CC00CC000", &s), -EPROTO);
	ck_assert_uint_eq(s.cell_has, 0);
	base.carry = s.carry;
	ck_assert_int_eq(decode_a5(0x94, "0601000002000000", &base), 0);
	ck_assert_int_eq(decode_a5(0x95, "010CC00CC00CC000", &base), -EPROTO);
	ck_assert_int_eq(decode_a5(0x90, "0203000077240338", &base), 0);
}
END_TEST

/* Capacities that no pack has change nothing that is known. */
START_TEST(impossible_capacity)
{
	struct pb_sample s = {0};

	ck_assert_int_eq(decode_a5(0x50, "000186A000000C80", &s), 0);
	ck_assert_int_eq(s.nominal_mah, 100000);
	ck_assert_int_eq(decode_a5(0x50, "0000000000000C80", &s), 0);
	ck_assert_int_eq(decode_a5(0x50, "FFFFFFFF00000C80", &s), 0);
	ck_assert_int_eq(s.nominal_mah, 100000);
	/* others are for pb_sample_check() */
	ck_assert_int_eq(decode_a5(0x50, "FFFFFFFE00000C80", &s), 0);
	ck_assert_int_eq(s.nominal_mah, 0xFFFFFFFE);
}
END_TEST

/* Every alarm bit of A5, alone: what it becomes (docs/protocols/README.md). */
static uint32_t protection_by_hand(int bit)
{
	switch (bit) {
	case 1:
		return 1 << PB_PROTECT_CELL_OVERVOLTAGE;
	case 3:
		return 1 << PB_PROTECT_CELL_UNDERVOLTAGE;
	case 5:
		return 1 << PB_PROTECT_PACK_OVERVOLTAGE;
	case 7:
		return 1 << PB_PROTECT_PACK_UNDERVOLTAGE;
	case 8 + 1:
	case 32 + 0:
		return 1 << PB_PROTECT_CHARGE_OVERTEMPERATURE;
	case 8 + 3:
		return 1 << PB_PROTECT_CHARGE_UNDERTEMPERATURE;
	case 8 + 5:
	case 32 + 1:
		return 1 << PB_PROTECT_DISCHARGE_OVERTEMPERATURE;
	case 8 + 7:
		return 1 << PB_PROTECT_DISCHARGE_UNDERTEMPERATURE;
	case 16 + 1:
		return 1 << PB_PROTECT_CHARGE_OVERCURRENT;
	case 16 + 3:
		return 1 << PB_PROTECT_DISCHARGE_OVERCURRENT;
	case 32 + 4:
	case 32 + 6:
		return 1 << PB_PROTECT_CHARGE_FET_BROKEN;
	case 32 + 5:
	case 32 + 7:
		return 1 << PB_PROTECT_DISCHARGE_FET_BROKEN;
	case 40 + 0:
	case 40 + 1:
	case 48 + 0:
	case 48 + 1:
		return 1 << PB_PROTECT_FRONT_END;
	case 48 + 2:
		return 1 << PB_PROTECT_SHORT_CIRCUIT;
	default:
		return 0;
	}
}

START_TEST(alarm_bits)
{
	struct pb_sample s = {0};
	uint8_t bytes[8] = {0};
	char hex[20];

	bytes[_i / 8] = (uint8_t)(1 << _i % 8);
	pb_hex_print(hex, sizeof(hex), bytes, sizeof(bytes), 0);
	ck_assert_int_eq(decode_a5(0x98, hex, &s), 0);
	ck_assert_uint_eq(s.protection_mask, protection_by_hand(_i));
	ck_assert_uint_eq(s.alarm_mask, _i < 28 ? UINT32_C(1) << _i : 0);
}
END_TEST

/* A reply of @words words, all 0 but for the given ones, which are pairs of register and value. */
static int decode_words(const char *name, uint8_t address, uint16_t first, size_t words,
			const uint16_t *given, struct pb_sample *s)
{
	const struct pb_codec *codec = dialect(name);
	uint8_t bytes[256] = {address, 0x03, (uint8_t)(2 * words)};
	size_t len = 3 + 2 * words;
	struct pb_frame frame;

	for (; given[0] || given[1]; given += 2)
		pb_put_be16(bytes + 3 + 2 * (given[0] - (size_t)first), given[1]);
	pb_put_le16(bytes + len, pb_crc16(bytes, len));
	ck_assert_int_eq(codec->frame(bytes, len + 2, NULL, &frame), (int)len + 2);
	return codec->decode(&frame, s);
}

START_TEST(impossible_words)
{
	static const uint16_t counts[] = {0, 49, 0xFFFF};
	static const uint16_t bad_switch[] = {0x52, 2, 0, 0};
	struct pb_sample s = {0}, before = s;

	for (size_t i = 0; i < PB_ARRAY_SIZE(counts); i++) {
		uint16_t given[] = {0x31, counts[i], 0, 0}, given_p81[] = {0x3C, counts[i], 0, 0};

		ck_assert_int_eq(decode_words("D2", 0xD2, 0, 62, given, &s), -EPROTO);
		ck_assert_int_eq(s.cell_count, counts[i]); /* to be named */
		ck_assert_int_eq(decode_words("P81", 0x51, 0, 64, given_p81, &s), -EPROTO);
		ck_assert_int_eq(s.cell_count, counts[i]);
		ck_assert_uint_eq(s.cell_has, 0);
	}
	s = before;
	ck_assert_int_eq(decode_words("P81", 0x51, 0x41, 62, bad_switch, &s), -EPROTO);
	ck_assert_mem_eq(&s, &before, sizeof(s));
}
END_TEST

/* What boards answer that do not have a register: no value. */
START_TEST(registers_that_are_not_there)
{
	uint16_t all[2 * 42] = {0};
	struct pb_sample s = {0};

	for (uint16_t i = 0; i < 41; i++) {
		all[2 * i] = (uint16_t)(0x80 + i);
		all[2 * i + 1] = 0xFFFF;
	}
	ck_assert_int_eq(decode_words("D2", 0xD2, 0x80, 41, all, &s), 0);
	ck_assert(!has(&s, PB_HAS_NOMINAL));
	for (uint16_t i = 0; i < 9; i++)
		all[2 * i] = (uint16_t)(0x3E + i);
	all[18] = all[19] = 0;
	ck_assert_int_eq(decode_words("D2", 0xD2, 0x3E, 9, all, &s), 0);
	ck_assert(!has(&s, PB_HAS_BALANCE) && !has(&s, PB_HAS_MOS_TEMPERATURE));
	ck_assert_uint_eq(s.has, 0);
}
END_TEST

START_TEST(words_by_hand)
{
	static const uint16_t given[] = {0x31, 4,      0x32, 4,	     0x20, 0x0000, 0x21, 0x00FF,
					 0x22, 0x28,   0x23, 0x0C,   0x29, 29999,  0x3A, 0x0802,
					 0x3B, 0x0002, 0x3C, 0x0110, 0,	   0};
	struct pb_sample s = {0};

	ck_assert_int_eq(decode_words("D2", 0xD2, 0, 62, given, &s), 0);
	ck_assert_int_eq(s.temperature_count, 4);
	ck_assert_uint_eq(s.temperature_has, 0xC); /* the first two are not fitted */
	ck_assert_int_eq(s.temperature_mc[2], 0);
	ck_assert_int_eq(s.temperature_mc[3], -28000);
	ck_assert_int_eq(s.current_ma, -100);
	ck_assert_uint_eq(s.protection_mask, 1 << PB_PROTECT_CELL_OVERVOLTAGE |
						     1 << PB_PROTECT_CHARGE_UNDERTEMPERATURE |
						     1 << PB_PROTECT_CHARGE_OVERCURRENT |
						     1 << PB_PROTECT_CHARGE_FET_BROKEN |
						     1 << PB_PROTECT_FRONT_END);
	ck_assert_uint_eq(s.alarm_mask, 0x00020802);
}
END_TEST

/* 34 says that it balances, 3E names no cell: which ones is not known. */
START_TEST(balances_somewhere)
{
	const struct pb_codec *codec = dialect("D2");
	struct result result = {0};
	struct captured captured;

	captured_find("d2-4s-aio-status", &captured);
	feed(codec, &captured, 20, NULL, &result);
	captured_find("d2-4s-aio-3e", &captured);
	feed(codec, &captured, 20, NULL, &result);
	pb_sample_derive(&result.sample);
	ck_assert(has(&result.sample, PB_HAS_BALANCING) && result.sample.balancing);
	ck_assert(!has(&result.sample, PB_HAS_BALANCE));
	ck_assert(has(&result.sample, PB_HAS_MOS_TEMPERATURE));
}
END_TEST

/* P81's settings hold the app's password: blanked in whatever pieces, and the CRC stays right. */
START_TEST(concealed)
{
	const struct pb_codec *codec = dialect("P81");
	struct captured captured;
	struct pb_frame frame;
	uint8_t bytes[3 * 167];

	captured_find("p81-16s-ess-settings", &captured);
	ck_assert_uint_eq(captured.len, 167);
	ck_assert_ptr_nonnull(memmem(captured.bytes, captured.len, "123456", 6));
	for (size_t size = 1; size <= sizeof(bytes); size++) {
		struct pb_conceal conceal = {0};

		/* cut off, and whole, and with a wrong CRC, which stays wrong */
		memcpy(bytes, captured.bytes, 167);
		memcpy(bytes + 70, captured.bytes, 167);
		memcpy(bytes + 237, captured.bytes, 167);
		bytes[237 + 165] ^= 1;
		for (size_t at = 0; at < 237 + 167; at += size)
			codec->conceal(&conceal, bytes + at,
				       237 + 167 - at < size ? 237 + 167 - at : size);
		ck_assert_ptr_null(memmem(bytes, 237 + 167, "123456", 6));
		ck_assert_int_eq(codec->frame(bytes + 70, 167, NULL, &frame), 167);
		ck_assert_int_eq(codec->frame(bytes + 237, 167, NULL, &frame), -EBADMSG);
	}
}
END_TEST

START_TEST(refused_by_the_board)
{
	uint8_t bytes[] = {0xD2, 0x83, 0x02, 0, 0};
	const struct pb_query *query = &pb_codec_daly.queries[2];
	struct pb_frame frame;
	struct pb_sample s = {0};

	for (unsigned int code = 0; code < 3; code++) {
		bytes[2] = (uint8_t)code;
		pb_put_le16(bytes + 3, pb_crc16(bytes, 3));
		ck_assert_int_eq(pb_codec_daly.frame(bytes, 5, query, &frame), 5);
		ck_assert_uint_eq(frame.command, query->command);
		ck_assert_uint_ne(frame.status, 0);
		ck_assert_int_eq(pb_codec_daly.decode(&frame, &s), 0);
		ck_assert_uint_eq(s.has, 0);
	}
}
END_TEST

/* The echo of a write, which packbridge never sends, answers no request. */
START_TEST(echo_of_a_write)
{
	struct captured captured;
	struct pb_frame frame;

	captured_find("d2-16s-snoop-write-echo", &captured);
	ck_assert_int_eq(pb_codec_daly.frame(captured.bytes, 8, NULL, &frame), 8);
	ck_assert_int_eq(pb_codec_daly.frame(captured.bytes, 8, &pb_codec_daly.queries[0], &frame),
			 -EPROTO);
}
END_TEST

START_TEST(greeting)
{
	static const uint8_t bytes[] = "char1_ntf_data";
	struct pb_sample s = {0};
	struct pb_frame frame;

	for (const struct pb_codec *codec = &pb_codec_daly; codec; codec = codec->next) {
		ck_assert_int_eq(codec->frame(bytes, 3, NULL, &frame), PB_FRAME_MORE);
		ck_assert_int_eq(codec->frame(bytes, 14, NULL, &frame), 14);
		ck_assert_int_eq(frame.kind, PB_FRAME_MODULE);
		ck_assert_int_eq(codec->decode(&frame, &s), 0);
		ck_assert_uint_eq(s.has, 0);
	}
}
END_TEST

/* ---- boards on a line that several share ---- */

static struct pb_query asked(const struct pb_codec *codec, size_t query, uint8_t address)
{
	struct pb_query request = codec->queries[query];

	codec->request(&codec->queries[query], address, &request);
	return request;
}

static void assert_bytes(const struct pb_query *query, const char *hex)
{
	uint8_t bytes[PB_REQUEST_MAX];
	int len = pb_hex_parse(hex, bytes, sizeof(bytes));

	ck_assert_uint_eq(query->len, (unsigned int)len);
	ck_assert_mem_eq(query->bytes, bytes, (size_t)len);
}

START_TEST(line_requests)
{
	const struct pb_codec *p81 = pb_codec_daly.multidrop, *a5 = p81->next;
	struct pb_query first = asked(p81, 0, 1), other = asked(p81, 1, 5);

	ck_assert_uint_eq(p81->addresses, 16);
	ck_assert_ptr_null(a5->next);
	/* board 1 is asked as a board with a line of its own */
	ck_assert_mem_eq(first.bytes, p81->queries[0].bytes, first.len);
	ck_assert_uint_eq(other.bytes[0], 0x85);
	ck_assert_mem_eq(other.bytes + 1, p81->queries[1].bytes + 1, 5);
	ck_assert_uint_eq(pb_crc16(other.bytes, other.len), 0);
	other = asked(p81, 0, 16);
	ck_assert_uint_eq(other.bytes[0], 0x90);
	other = asked(a5, 0, 2);
	assert_bytes(&other, "A5419008AAAAAAAAAAAAAAAACE");
	other = asked(a5, 0, 1);
	ck_assert_mem_eq(other.bytes, a5->queries[0].bytes, other.len);
}
END_TEST

/* Who sent a frame, or is asked by it, as board @own of the line sees it. */
static void assert_frame(const struct pb_codec *codec, uint8_t own, const char *hex,
			 enum pb_frame_kind kind, uint8_t address)
{
	struct pb_query pending = asked(codec, 0, own);
	uint8_t bytes[200];
	int len = pb_hex_parse(hex, bytes, sizeof(bytes));
	struct pb_frame frame;

	for (int cut = 0; cut < len; cut++)
		ck_assert_int_eq(codec->frame(bytes, (size_t)cut, &pending, &frame), PB_FRAME_MORE);
	ck_assert_int_eq(codec->frame(bytes, (size_t)len, &pending, &frame), len);
	ck_assert_int_eq(frame.kind, kind);
	ck_assert_uint_eq(frame.address, address);
	bytes[len - 1] ^= 1;
	ck_assert_int_eq(codec->frame(bytes, (size_t)len, &pending, &frame), -EBADMSG);
}

/* esphome/esphome issue 12445: board 2 is asked with host 41 and answers with 02. */
static const char board2_request[] = "A541900800000000000000007E";
static const char board2_reply[] = "A502900800820000753001F45B";

START_TEST(line_a5)
{
	const struct pb_codec *a5 = pb_codec_daly.multidrop->next;
	struct pb_query pending = asked(a5, 0, 2);
	struct pb_sample s = {0};
	struct pb_frame frame;
	uint8_t bytes[13];

	assert_frame(a5, 2, board2_reply, PB_FRAME_REPLY, 2);
	assert_frame(a5, 1, board2_reply, PB_FRAME_OTHER, 2);
	assert_frame(a5, 2, board2_request, PB_FRAME_OTHER, 2);
	assert_frame(a5, 2, "A5019008008200007530000065", PB_FRAME_OTHER, 1);
	pb_hex_parse(board2_reply, bytes, sizeof(bytes));
	/* nobody was asked */
	ck_assert_int_eq(a5->frame(bytes, sizeof(bytes), NULL, &frame), 13);
	ck_assert_int_eq(frame.kind, PB_FRAME_OTHER);
	ck_assert_int_eq(a5->decode(&frame, &s), 0);
	ck_assert_uint_eq(s.has, 0);
	a5->frame(bytes, sizeof(bytes), &pending, &frame);
	ck_assert_int_eq(a5->decode(&frame, &s), 0);
	ck_assert_int_eq(s.voltage_mv, 13000);
	ck_assert_int_eq(s.current_ma, 0);
	ck_assert_int_eq(s.soc_permille, 500);
	/* no board and no master has these numbers */
	for (size_t i = 0; i < 4; i++) {
		static const uint8_t heads[] = {0x00, 0x11, 0x50, 0x80};

		bytes[1] = heads[i];
		ck_assert_int_eq(a5->frame(bytes, sizeof(bytes), &pending, &frame), -EPROTO);
	}
}
END_TEST

/* A frame of words with its CRC, as text. */
static const char *word_text(uint8_t address, const char *rest)
{
	static char text[400];
	uint8_t bytes[200];
	int len;

	snprintf(text, sizeof(text), "%02X%s", address, rest);
	len = pb_hex_parse(text, bytes, sizeof(bytes));
	pb_put_le16(bytes + len, pb_crc16(bytes, (size_t)len));
	pb_hex_print(text, sizeof(text), bytes, (size_t)len + 2, 0);
	return text;
}

START_TEST(line_p81)
{
	const struct pb_codec *p81 = pb_codec_daly.multidrop;
	struct pb_query pending = asked(p81, 0, 3);
	static const uint8_t d2[] = {0xD2, 0x03, 0x02};
	struct pb_frame frame;
	char alarms[64] = "0314";

	for (int i = 0; i < 20; i++)
		snprintf(alarms + 4 + 2 * i, sizeof(alarms) - 4 - 2 * (size_t)i, "00");
	assert_frame(p81, 3, word_text(0x53, alarms), PB_FRAME_REPLY, 3);
	assert_frame(p81, 2, word_text(0x53, alarms), PB_FRAME_OTHER, 3);
	/* of a length that we never ask for: another master's */
	assert_frame(p81, 3, word_text(0x60, "03020001"), PB_FRAME_OTHER, 16);
	assert_frame(p81, 3, word_text(0x81, "0300000040"), PB_FRAME_OTHER, 1);
	assert_frame(p81, 3, word_text(0x83, "0601210001"), PB_FRAME_OTHER, 3);
	assert_frame(p81, 3, word_text(0x53, "8302"), PB_FRAME_REPLY, 3);
	ck_assert_int_eq(p81->frame(d2, sizeof(d2), &pending, &frame), -EPROTO);
	ck_assert_int_eq(p81->frame((const uint8_t[]){0x61, 3}, 2, &pending, &frame), -EPROTO);
	ck_assert_int_eq(p81->frame((const uint8_t[]){0x83, 5}, 2, &pending, &frame), -EPROTO);
}
END_TEST

/* The settings of every board have the password of its app. */
START_TEST(line_concealed)
{
	const struct pb_codec *p81 = pb_codec_daly.multidrop;

	for (unsigned int board = 1; board <= 17; board++) {
		uint8_t bytes[3 + 2 * 81 + 2] = {(uint8_t)(0x50 + board), 3, 2 * 81};
		size_t password = 3 + 2 * 0x26, len = sizeof(bytes);
		struct pb_conceal conceal = {0};

		memcpy(bytes + password, "123456", 6);
		pb_put_le16(bytes + len - 2, pb_crc16(bytes, len - 2));
		p81->conceal(&conceal, bytes, len);
		ck_assert_int_eq(bytes[password], board <= 16 ? 0 : '1');
		ck_assert_uint_eq(pb_crc16(bytes, len), 0);
	}
}
END_TEST

static void load(void)
{
	frames = captured_load("daly/frames.json");
}

static void unload(void)
{
	json_decref(frames);
}

int main(void)
{
	TCase *tcase = tcase_create("daly");

	tcase_add_unchecked_fixture(tcase, load, unload);
	tcase_add_test(tcase, all_entries_are_there);
	tcase_add_loop_test(tcase, every_entry, 0, ENTRIES);
	tcase_add_loop_test(tcase, no_other_dialect, 0, ENTRIES);
	tcase_add_loop_test(tcase, says_why, 0, PB_ARRAY_SIZE(refusals));
	tcase_add_loop_test(tcase, wrong_bits, 0, PB_ARRAY_SIZE(spoiled));
	tcase_add_test(tcase, requests);
	tcase_add_loop_test(tcase, cells_are_cut, 0, PB_ARRAY_SIZE(packs));
	tcase_add_test(tcase, probes_are_cut);
	tcase_add_test(tcase, impossible_a5);
	tcase_add_test(tcase, probes_in_order);
	tcase_add_test(tcase, counts_from_zero);
	tcase_add_test(tcase, impossible_capacity);
	tcase_add_test(tcase, balances_somewhere);
	tcase_add_test(tcase, concealed);
	tcase_add_loop_test(tcase, alarm_bits, 0, 56);
	tcase_add_test(tcase, impossible_words);
	tcase_add_test(tcase, registers_that_are_not_there);
	tcase_add_test(tcase, words_by_hand);
	tcase_add_test(tcase, refused_by_the_board);
	tcase_add_test(tcase, echo_of_a_write);
	tcase_add_test(tcase, greeting);
	tcase_add_test(tcase, line_requests);
	tcase_add_test(tcase, line_a5);
	tcase_add_test(tcase, line_p81);
	tcase_add_test(tcase, line_concealed);
	return pb_run_suite("bms/daly", tcase);
}
