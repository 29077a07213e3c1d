/* SPDX-License-Identifier: MIT */
/*
 * Every captured frame of tests/data/jk/frames.json: whole, in the pieces it came in, and cut at
 * every size, with and without its device's frame before it; then what no capture shows.
 */
#include "packbridge/bms.h"
#include "packbridge/model/sample.h"

#include "frames.h"
#include "suite.h"

#include <errno.h>
#include <math.h>
#include <string.h>

enum { ENTRIES = 31, TYPE_AT = 4, LEN = 300, CELLS = 2, DEVICE = 3 };

static json_t *frames;

struct result {
	size_t count;	/* frames of the board */
	size_t modules; /* and of the radio module */
	uint8_t types[4];
	uint16_t command;
	int decoded;
	struct pb_sample sample;
};

/* Feeds the bytes in pieces of @size and decodes what comes out, into what the sample knows. */
static void feed(const struct captured *captured, size_t size, const struct pb_query *pending,
		 struct result *ret)
{
	struct pb_stream stream = {0};
	struct pb_frame frame;

	ret->count = ret->modules = 0;
	for (size_t at = 0; at < captured->len; at += size) {
		size_t left = captured->len - at;

		pb_stream_push(&stream, captured->bytes + at, left < size ? left : size);
		while (pb_stream_next(&stream, &pb_codec_jk, pending, &frame)) {
			if (frame.kind == PB_FRAME_MODULE) {
				ret->modules++;
				ck_assert_int_eq(pb_codec_jk.decode(&frame, &ret->sample), 0);
				continue;
			}
			ck_assert_uint_lt(ret->count, 4);
			ret->types[ret->count++] = frame.bytes[TYPE_AT];
			ret->command = frame.command;
			ret->decoded = pb_codec_jk.decode(&frame, &ret->sample);
		}
	}
}

static bool has(const struct pb_sample *s, enum pb_has what)
{
	return s->has & PB_HAS(what);
}

static const char *text_of(const struct captured *captured, const char *key)
{
	return json_string_value(json_object_get(captured->entry, key));
}

static void check_number(const struct captured *c, const char *key, double scale, bool reported,
			 int64_t value)
{
	const json_t *wanted = captured_expect(c, key);

	if (!wanted)
		return;
	ck_assert_msg(reported, "%s: no %s", c->id, key);
	ck_assert_msg(value == llround(json_number_value(wanted) * scale),
		      "%s %s: %lld, expected %g", c->id, key, (long long)value,
		      json_number_value(wanted) * scale);
}

static void check_truth(const struct captured *c, const char *key, bool reported, bool value)
{
	const json_t *wanted = captured_expect(c, key);

	if (wanted)
		ck_assert_msg(reported && value == json_is_true(wanted), "%s %s", c->id, key);
}

static void check_text(const struct captured *c, const char *key, const char *value)
{
	const char *wanted = json_string_value(captured_expect(c, key));

	if (wanted)
		ck_assert_str_eq(value, wanted);
}

static void check_cells(const struct captured *c, const struct pb_sample *s)
{
	const json_t *list = captured_expect(c, "cell_voltages_v");

	for (size_t i = 0; i < json_array_size(list); i++) {
		ck_assert_msg(s->cell_has >> i & 1, "%s: cell %zu", c->id, i);
		ck_assert_int_eq(
			s->cell_mv[i],
			(int32_t)lround(json_number_value(json_array_get(list, i)) * 1000));
	}
	if (list)
		ck_assert_uint_eq(s->cell_has >> json_array_size(list), 0);
}

static void check_probe(const struct captured *c, const struct pb_sample *s, int index,
			const json_t *wanted)
{
	ck_assert_msg(s->temperature_has >> index & 1, "%s: probe %d", c->id, index);
	ck_assert_int_eq(s->temperature_mc[index],
			 (int32_t)lround(json_number_value(wanted) * 1000));
}

/*
 * Probes 3 and 4 are real from software 14 on. The list has the bytes 258, 256, 254: the maker's
 * probes 5, 4 and 3, whose last repeats the transistors'.
 */
static void check_temperatures(const struct captured *c, const struct pb_sample *s, bool many)
{
	const json_t *list = captured_expect(c, "temperatures_c");
	const json_t *more = captured_expect(c, "temperatures345_c");

	if (!list)
		return;
	ck_assert_uint_eq(json_array_size(list), 2);
	ck_assert_int_eq(s->temperature_count, many ? 4 : 2);
	check_probe(c, s, 0, json_array_get(list, 0));
	check_probe(c, s, 1, json_array_get(list, 1));
	for (int i = 0; many && i < 2; i++)
		check_probe(c, s, 3 - i, json_array_get(more, (size_t)i));
}

static void check_sample(const struct captured *c, const struct pb_sample *s, bool many)
{
	const char *date = json_string_value(captured_expect(c, "manufacturing_date"));

	check_number(c, "total_voltage_v", 1000, has(s, PB_HAS_VOLTAGE), s->voltage_mv);
	check_number(c, "current_a", 1000, has(s, PB_HAS_CURRENT), s->current_ma);
	check_number(c, "soc_percent", 10, has(s, PB_HAS_SOC), s->soc_permille);
	check_number(c, "soh_percent", 10, has(s, PB_HAS_SOH), s->soh_permille);
	check_number(c, "capacity_remaining_ah", 1000, has(s, PB_HAS_REMAINING), s->remaining_mah);
	check_number(c, "cycles", 1, has(s, PB_HAS_CYCLES), s->cycles);
	check_number(c, "mos_temperature_c", 1000, has(s, PB_HAS_MOS_TEMPERATURE),
		     s->mos_temperature_mc);
	check_number(c, "alarm_mask", 1, has(s, PB_HAS_ALARM), s->alarm_mask);
	check_number(c, "cell_mask", 1, has(s, PB_HAS_CELLS), (int64_t)s->cell_has);
	if (strcmp(text_of(c, "protocol"), "jk04") == 0 || captured_expect(c, "cell_mask"))
		check_number(c, "cell_count", 1, has(s, PB_HAS_CELLS), s->cell_count);
	/* settings have what was bought, cells what is left of it */
	if (captured_expect(c, "charge_switch"))
		check_number(c, "capacity_full_ah", 1000, has(s, PB_HAS_NOMINAL), s->nominal_mah);
	else
		check_number(c, "capacity_full_ah", 1000, has(s, PB_HAS_FULL), s->full_mah);
	check_truth(c, "charge_fet", has(s, PB_HAS_CHARGE_FET), s->charge_fet);
	check_truth(c, "discharge_fet", has(s, PB_HAS_DISCHARGE_FET), s->discharge_fet);
	if (captured_expect(c, "balance_action"))
		ck_assert(has(s, PB_HAS_BALANCING) &&
			  s->balancing ==
				  (json_integer_value(captured_expect(c, "balance_action")) != 0));
	check_text(c, "sw_version", s->firmware);
	check_text(c, "name", s->device_name);
	if (date && *date)
		ck_assert_int_eq(s->production_date, 20000000 + atoi(date));
	check_cells(c, s);
	check_temperatures(c, s, many);
}

static void check_result(const struct captured *captured, const struct result *result, bool many)
{
	size_t expected = json_object_get(captured->entry, "error") ? 0 : 1;

	if (strcmp(captured->id, "jk-glued") == 0) {
		ck_assert_uint_eq(result->count, 2);
		ck_assert_uint_eq(result->types[0], 1);
		ck_assert_uint_eq(result->types[1], 3);
		return;
	}
	ck_assert_msg(result->count == expected, "%s: %zu frames", captured->id, result->count);
	if (strcmp(captured->id, "jk-ready-and-at") == 0)
		ck_assert_uint_eq(result->modules, 2);
	if (expected == 0)
		return;
	ck_assert_msg(result->decoded == 0, "%s: %d", captured->id, result->decoded);
	check_sample(captured, &result->sample, many);
}

/* The frame of the same device that tells the layout. @return false: there is none. */
static bool device_of(const struct captured *captured, struct captured *ret)
{
	for (size_t i = 0; i < ENTRIES; i++) {
		const json_t *type;

		captured_get(frames, i, ret);
		type = json_object_get(ret->entry, "frame_type");
		if (type && json_integer_value(type) == DEVICE &&
		    strcmp(text_of(captured, "device"), text_of(ret, "device")) == 0)
			return true;
	}
	return false;
}

static bool is_type(const struct captured *captured, int type)
{
	return json_integer_value(json_object_get(captured->entry, "frame_type")) == type;
}

START_TEST(every_entry)
{
	struct captured captured, device;
	bool alone, many = false, known;
	struct result before = {0};

	captured_get(frames, (size_t)_i, &captured);
	alone = strcmp(text_of(&captured, "protocol"), "jk04") != 0 || !is_type(&captured, CELLS);
	known = is_type(&captured, CELLS) && device_of(&captured, &device);
	if (known) {
		feed(&device, LEN, NULL, &before);
		many = atoi(before.sample.firmware) >= 14;
	}
	for (size_t size = 1; size <= captured.len; size++) {
		struct result result = {0};

		if (alone) {
			feed(&captured, size, NULL, &result);
			check_result(&captured, &result, false);
		}
		if (!known)
			continue;
		result = before;
		feed(&captured, size, &pb_codec_jk.queries[1], &result);
		check_result(&captured, &result, many);
		ck_assert_uint_eq(result.command, 0x96);
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
	for (size_t i = 0; i < ENTRIES; i++) {
		captured_get(frames, i, ret);
		if (strcmp(ret->id, id) == 0)
			return;
	}
	ck_abort_msg("no entry %s", id);
}

/* Other makers' codecs don't take these for theirs, nor does this one take theirs. */
START_TEST(no_other_maker)
{
	static const struct pb_codec *const others[] = {&pb_codec_jbd, &pb_codec_daly};
	static const char *const files[] = {"jbd/frames.json", "daly/frames.json"};
	struct captured captured;
	struct pb_frame frame;

	for (size_t i = 0; i < PB_ARRAY_SIZE(others); i++) {
		json_t *theirs = captured_load(files[i]);

		for (const struct pb_codec *codec = others[i]; codec; codec = codec->next) {
			for (size_t n = 0; n < ENTRIES; n++) {
				captured_get(frames, n, &captured);
				ck_assert_int_le(codec->frame(captured.bytes, captured.len,
							      &codec->queries[0], &frame),
						 0);
			}
		}
		for (size_t n = 0; n < json_array_size(json_object_get(theirs, "entries")); n++) {
			struct result result = {0};

			captured_get(theirs, n, &captured);
			feed(&captured, 20, NULL, &result);
			ck_assert_uint_eq(result.count, 0);
		}
		json_decref(theirs);
	}
}
END_TEST

START_TEST(wrong_bits)
{
	struct captured captured;

	captured_find("jk-4s-365-02", &captured);
	for (size_t i = 0; i < captured.len; i++) {
		for (int bit = 0; bit < 8; bit++) {
			struct result result = {0};

			captured.bytes[i] ^= (uint8_t)(1 << bit);
			feed(&captured, 128, NULL, &result);
			ck_assert_msg(result.count == 0, "byte %zu bit %d", i, bit);
			captured.bytes[i] ^= (uint8_t)(1 << bit);
		}
	}
}
END_TEST

static const struct {
	const char *bytes, *why;
} refusals[] = {
	{"AA5590EB960000000000000000000000000000FF", "bad checksum: expected FF, calculated 10"},
	{"55AAEB9010", "type 10, expected 01 to 0F"},
	{"55AAEB9002", "short: the frame needs 300 bytes, 5 are there"},
	{"DD03", "no start: expected 55 AA EB 90"},
};

START_TEST(says_why)
{
	uint8_t bytes[32];
	struct pb_frame frame;
	char why[128];
	int len = pb_hex_parse(refusals[_i].bytes, bytes, sizeof(bytes)), r;

	r = pb_codec_jk.frame(bytes, (size_t)len, NULL, &frame);
	ck_assert_int_le(r, 0);
	pb_codec_jk.explain(bytes, (size_t)len, r, &frame, why, sizeof(why));
	ck_assert_str_eq(why, refusals[_i].why);
}
END_TEST

START_TEST(requests)
{
	for (size_t i = 0; i < pb_codec_jk.query_count; i++) {
		const struct pb_query *q = &pb_codec_jk.queries[i];
		struct pb_frame frame;

		ck_assert_uint_eq(q->len, 20);
		ck_assert_uint_eq(q->bytes[4], q->command);
		/* an echo is no reply */
		ck_assert_int_eq(pb_codec_jk.frame(q->bytes, q->len, q, &frame), 20);
		ck_assert_int_eq(frame.kind, PB_FRAME_MODULE);
	}
}
END_TEST

/* ---- what no capture shows: changed captures ---- */

static int decode_changed(struct captured *captured, const struct pb_sample *before,
			  struct pb_sample *ret)
{
	struct pb_frame frame;
	unsigned int sum = 0;

	for (size_t i = 0; i < LEN - 1; i++)
		sum += captured->bytes[i];
	captured->bytes[LEN - 1] = (uint8_t)sum;
	ck_assert_int_eq(pb_codec_jk.frame(captured->bytes, LEN, NULL, &frame), LEN);
	*ret = *before;
	return pb_codec_jk.decode(&frame, ret);
}

/* What decides the layout: model at 6, hardware at 22, software at 30. */
static const struct {
	const char *model, *hardware, *software;
	bool is_24, is_32; /* frames of these layouts are read */
	int probes;
} devices[] = {
	{"JK-B2A24S20P", "10.XG", "10.07", true, false, 2},
	{"JK-BD6A20S10P", "4.0", "4.1.7", true, false, 2},
	{"JK_B2A8S20P", "11.XW", "11.48", false, true, 2},
	{"JK-PB2A16S20P", "19A", "19.27", false, true, 4},
	{"JK-PB2A16S20P", "14A", "14.20", false, true, 4},
	{"JK-B2A16S", "3.0", "3.3.0", false, false, 0},
	{"JK-B5A24S", "8.X", "8.0.3M", false, false, 0},
	{"?", "?", "?", true, true, 2},
};

static void put(struct captured *captured, size_t at, const char *text)
{
	memset(captured->bytes + at, 0, 8);
	memcpy(captured->bytes + at, text, strlen(text));
}

START_TEST(layouts)
{
	static const struct pb_sample nothing = {0};
	struct captured device, cells;
	struct pb_sample known, s;

	captured_find("jk-b2a24s20p-1007-03", &device);
	memset(device.bytes + 6, 0, 16);
	put(&device, 22, devices[_i].hardware);
	put(&device, 30, devices[_i].software);
	memcpy(device.bytes + 6, devices[_i].model, strlen(devices[_i].model));
	ck_assert_int_eq(decode_changed(&device, &nothing, &known), 0);

	captured_find("jk-8s-batmon-dummy-02", &cells);
	ck_assert_int_eq(decode_changed(&cells, &known, &s), devices[_i].is_24 ? 0 : -EPROTO);
	if (!devices[_i].is_24)
		ck_assert_mem_eq(&s, &known, sizeof(s));
	captured_find("jk-pb2a16s20p-1927dg-02", &cells);
	ck_assert_int_eq(decode_changed(&cells, &known, &s), devices[_i].is_32 ? 0 : -EPROTO);
	if (devices[_i].is_32)
		ck_assert_int_eq(s.temperature_count, devices[_i].probes);
}
END_TEST

START_TEST(impossible)
{
	struct pb_sample known = {.carry.layout = 2}, s;
	struct captured captured;

	captured_find("jk-4s-365-02", &captured);
	captured.bytes[73] = 1; /* cell 25 of a mask that has holes is for pb_sample_check() */
	ck_assert_int_eq(decode_changed(&captured, &known, &s), 0);
	memset(captured.bytes + 70, 0, 4); /* no cells */
	ck_assert_int_eq(decode_changed(&captured, &known, &s), -EPROTO);
	ck_assert(has(&s, PB_HAS_CELLS)); /* to be named */
	ck_assert_int_eq(s.cell_count, 0);
}
END_TEST

/* Every alarm bit, alone (docs/protocols/README.md). */
static uint32_t protection_by_hand(int bit)
{
	switch (bit) {
	case 1:
	case 21:
		return 1 << PB_PROTECT_CHARGE_OVERTEMPERATURE |
		       1 << PB_PROTECT_DISCHARGE_OVERTEMPERATURE;
	case 5:
		return 1 << PB_PROTECT_PACK_OVERVOLTAGE;
	case 6:
		return 1 << PB_PROTECT_CHARGE_OVERCURRENT;
	case 7:
	case 14:
	case 24:
		return 1 << PB_PROTECT_SHORT_CIRCUIT;
	case 8:
		return 1 << PB_PROTECT_CHARGE_OVERTEMPERATURE;
	case 9:
		return 1 << PB_PROTECT_CHARGE_UNDERTEMPERATURE;
	case 10:
		return 1 << PB_PROTECT_FRONT_END;
	case 11:
		return 1 << PB_PROTECT_CELL_UNDERVOLTAGE;
	case 12:
		return 1 << PB_PROTECT_PACK_UNDERVOLTAGE;
	case 13:
	case 25:
	case 26:
		return 1 << PB_PROTECT_DISCHARGE_OVERCURRENT;
	case 15:
		return 1 << PB_PROTECT_DISCHARGE_OVERTEMPERATURE;
	case 16:
		return 1 << PB_PROTECT_CHARGE_FET_BROKEN;
	case 17:
	case 20:
		return 1 << PB_PROTECT_DISCHARGE_FET_BROKEN;
	case 27:
		return 1 << PB_PROTECT_DISCHARGE_UNDERTEMPERATURE;
	default:
		return 0;
	}
}

START_TEST(alarm_bits)
{
	struct pb_sample nothing = {0}, s;
	struct captured captured;
	uint32_t mask = UINT32_C(1) << _i;

	captured_find("jk-4s-365-02", &captured);
	for (size_t b = 0; b < 4; b++)
		captured.bytes[166 + b] = (uint8_t)(mask >> 8 * b);
	ck_assert_int_eq(decode_changed(&captured, &nothing, &s), 0);
	ck_assert_uint_eq(s.protection_mask, protection_by_hand(_i));
	ck_assert_uint_eq(s.alarm_mask, _i < 31 ? mask : 0);

	/* 24S has 16 bits, and the balance current behind them */
	captured_find("jk-8s-batmon-dummy-02", &captured);
	for (size_t b = 0; b < 4; b++)
		captured.bytes[136 + b] = (uint8_t)(mask >> 8 * b);
	ck_assert_int_eq(decode_changed(&captured, &nothing, &s), 0);
	ck_assert_uint_eq(s.alarm_mask, _i < 16 ? mask : 0);
	ck_assert_uint_eq(s.protection_mask, _i < 16 ? protection_by_hand(_i) : 0);
}
END_TEST

/* ---- the end of charging ---- */

static const struct {
	int highest_mv; /* of cell 2; released at 3550 */
	bool settings, too_high;
} ends[] = {
	{3296, true, false}, {3549, true, false}, {3550, true, false},
	{3551, true, true},  {3641, true, true},  {3641, false, false},
};

/* Bit 4 is "full" while no cell is above the voltage at which over-voltage is released. */
static void end_of_charge(const char *id, size_t alarms_at, size_t ends_index)
{
	struct pb_sample nothing = {0}, known, s;
	struct captured captured;

	captured_find("jk-b2a8s20p-1117-01", &captured);
	ck_assert_int_eq(decode_changed(&captured, &nothing, &known), 0);
	if (!ends[ends_index].settings)
		known = nothing;
	captured_find(id, &captured);
	for (size_t i = 0; i < 4; i++)
		pb_put_le16(captured.bytes + 6 + 2 * i, 3290);
	pb_put_le16(captured.bytes + 8, (uint16_t)ends[ends_index].highest_mv);
	captured.bytes[alarms_at] = 1 << 4;
	captured.bytes[alarms_at + 1] = 0;
	ck_assert_int_eq(decode_changed(&captured, &known, &s), 0);
	ck_assert_uint_eq(s.protection_mask >> PB_PROTECT_CELL_OVERVOLTAGE & 1,
			  ends[ends_index].too_high);
	/* the bit alone, and no cell that is not there */
	captured.bytes[alarms_at] = 0;
	ck_assert_int_eq(decode_changed(&captured, &known, &s), 0);
	ck_assert_uint_eq(s.protection_mask & 1, 0);
}

START_TEST(full_or_too_high)
{
	end_of_charge("jk-4s-365-02", 166, (size_t)_i);
	end_of_charge("jk-8s-batmon-dummy-02", 136, (size_t)_i);
}
END_TEST

/* ---- parallel boards ---- */

static const struct {
	const char *hex;
	int result; /* of frame() */
	int address;
} lines[] = {
	{"001016200001059a", 8, 0},	   {"0010161e00016456", 8, 0},
	{"011016200001044b", 8, 1},	   {"02101620000102", PB_FRAME_MORE, 2},
	{"03101620000105a9", 8, 3},	   {"011016200001020000d6f1", 11, 1},
	{"021016200001020000c201", 11, 2}, {"021016200001020000c202", -EPROTO, 2},
	{"001016200001059b", -EPROTO, 0},  {"00101620000205", -EPROTO, 0},
	{"0010172000", -EPROTO, 0},	   {"10101620000105", -EPROTO, 0}, /* addresses end at 15 */
	{"0055aaeb90", -EPROTO, 0},
};

/* A write on the line of parallel boards, and what answers it: whole, and cut anywhere. */
START_TEST(line_of_parallel_boards)
{
	struct pb_frame frame;
	struct pb_sample s = {0};
	uint8_t bytes[16];
	int len = pb_hex_parse(lines[_i].hex, bytes, sizeof(bytes));

	ck_assert_int_eq(pb_codec_jk.frame(bytes, (size_t)len, NULL, &frame), lines[_i].result);
	if (lines[_i].result <= 0)
		return;
	ck_assert_int_eq(frame.kind, PB_FRAME_SHARED);
	ck_assert_int_eq(frame.address, lines[_i].address);
	ck_assert_int_eq(pb_codec_jk.decode(&frame, &s), 0);
	ck_assert_uint_eq(s.has, 0);
	for (int cut = 1; cut < len; cut++)
		ck_assert_int_eq(pb_codec_jk.frame(bytes, (size_t)cut, NULL, &frame),
				 PB_FRAME_MORE);
}
END_TEST

/* Frames whose content nobody knows are passed over whole. */
START_TEST(other_types)
{
	struct pb_sample s = {0};
	struct pb_frame frame;
	uint8_t bytes[300] = {0x55, 0xAA, 0xEB, 0x90};

	for (int type = 0; type <= UINT8_MAX; type++) {
		bool known = type >= 1 && type <= 15;
		int r;

		bytes[4] = (uint8_t)type;
		bytes[299] = (uint8_t)(0x55 + 0xAA + 0xEB + 0x90 + type);
		r = pb_codec_jk.frame(bytes, sizeof(bytes), NULL, &frame);
		ck_assert_int_eq(r, known ? 300 : -EPROTO);
		if (type != 4 && (type < 6 || !known))
			continue;
		ck_assert_uint_eq(frame.command, PB_COMMAND_UNKNOWN);
		ck_assert_int_eq(pb_codec_jk.decode(&frame, &s), 0);
		ck_assert_uint_eq(s.has, 0);
	}
}
END_TEST

START_TEST(absent_probes)
{
	struct pb_sample known = {.carry.layout = 3}, s;
	struct captured captured;

	captured_find("jk-pb2a16s20p-1927dg-02", &captured);
	captured.bytes[214] = 0x06; /* probes 1 and 2 only: no transistors', no 3 and 4 */
	captured.bytes[162] = 0x30; /* -2000 */
	captured.bytes[163] = 0xF8;
	ck_assert_int_eq(decode_changed(&captured, &known, &s), 0);
	ck_assert_int_eq(s.temperature_count, 4);
	ck_assert_uint_eq(s.temperature_has, 2);
	ck_assert(!has(&s, PB_HAS_MOS_TEMPERATURE));
	captured.bytes[190] = 0; /* no health that a pack can have */
	ck_assert_int_eq(decode_changed(&captured, &known, &s), 0);
	ck_assert(!has(&s, PB_HAS_SOH));
}
END_TEST

/* A missing cell in the middle is unknown, not 0. */
START_TEST(cells_by_mask)
{
	struct pb_sample known = {.carry.layout = 2}, s;
	struct captured captured;

	captured_find("jk-4s-365-02", &captured);
	captured.bytes[70] = 0x0D;
	ck_assert_int_eq(decode_changed(&captured, &known, &s), 0);
	ck_assert_int_eq(s.cell_count, 4);
	ck_assert_uint_eq(s.cell_has, 0x0D);
	/* and without the device's frame, such a mask is no proof of the layout */
	known.carry.layout = 0;
	ck_assert_int_eq(decode_changed(&captured, &known, &s), -EPROTO);
}
END_TEST

static void put32(struct captured *captured, size_t at, uint32_t value)
{
	pb_put_le16(captured->bytes + at, (uint16_t)value);
	pb_put_le16(captured->bytes + at + 2, (uint16_t)(value >> 16));
}

/* A capacity of 0 is none; numbers that no pack has are for pb_sample_check(), none wraps. */
START_TEST(beyond_reason)
{
	static const uint32_t bad[] = {10000001, UINT32_MAX};
	struct pb_sample s = {0}, known;
	struct captured captured;

	captured_find("jk-4s-365-01", &captured);
	ck_assert_int_eq(decode_changed(&captured, &s, &known), 0);
	ck_assert_int_eq(known.nominal_mah, 320000);
	for (size_t i = 0; i < PB_ARRAY_SIZE(bad); i++) {
		put32(&captured, 130, bad[i]);
		ck_assert_int_eq(decode_changed(&captured, &known, &s), 0);
		ck_assert_int_eq(s.nominal_mah, bad[i]);
	}
	put32(&captured, 130, 0);
	ck_assert_int_eq(decode_changed(&captured, &known, &s), 0);
	ck_assert_int_eq(s.nominal_mah, 320000);
	captured_find("jk-4s-365-02", &captured);
	put32(&captured, 182, UINT32_MAX);
	put32(&captured, 178, 0);
	ck_assert_int_eq(decode_changed(&captured, &known, &s), 0);
	ck_assert_int_eq(s.cycles, INT32_MAX);
	ck_assert(!has(&s, PB_HAS_FULL));
}
END_TEST

/* Passcodes are blanked, in whatever pieces they come, and the frame stays sound. */
START_TEST(concealed)
{
	static const char *const secrets[] = {"1234", "123456"};
	struct captured captured;
	struct pb_sample nothing = {0}, plain, s;
	struct pb_conceal other = {0};
	uint8_t before[LEN];

	captured_find("jk-b2a24s20p-1007-03", &captured);
	ck_assert_int_eq(decode_changed(&captured, &nothing, &plain), 0);
	for (size_t size = 1; size <= LEN; size++) {
		struct pb_conceal conceal = {0};
		uint8_t bytes[2 + 2 * LEN] = {0x55, 0x55};
		struct pb_frame frame;

		/* behind what only looks like a start, and once more behind itself */
		memcpy(bytes + 2, captured.bytes, LEN);
		memcpy(bytes + 2 + LEN, captured.bytes, LEN);
		for (size_t at = 0; at < sizeof(bytes); at += size)
			pb_codec_jk.conceal(&conceal, bytes + at,
					    sizeof(bytes) - at < size ? sizeof(bytes) - at : size);
		for (size_t i = 0; i < PB_ARRAY_SIZE(secrets); i++)
			ck_assert_ptr_null(
				memmem(bytes, sizeof(bytes), secrets[i], strlen(secrets[i])));
		for (size_t n = 0; n < 2; n++) {
			ck_assert_int_eq(pb_codec_jk.frame(bytes + 2 + n * LEN, LEN, NULL, &frame),
					 LEN);
			s = nothing;
			ck_assert_int_eq(pb_codec_jk.decode(&frame, &s), 0);
			ck_assert_mem_eq(&s, &plain, sizeof(s));
		}
	}
	/* other frames are left alone */
	captured_find("jk-b2a24s20p-1007-02", &captured);
	memcpy(before, captured.bytes, LEN);
	pb_codec_jk.conceal(&other, captured.bytes, LEN);
	ck_assert_mem_eq(captured.bytes, before, LEN);
}
END_TEST

/* Floats in mV: as the C library reads them. */
START_TEST(floats)
{
	struct pb_sample known = {.carry.layout = 4}, s;
	struct captured captured;

	captured_find("jk04-b2a16s-330-02", &captured);
	for (int mv = 2; mv < 7900; mv += 7) {
		float volts = (float)mv / 1000.0f;

		memcpy(captured.bytes + 6, &volts, sizeof(volts));
		ck_assert_int_eq(decode_changed(&captured, &known, &s), 0);
		ck_assert_int_eq(s.cell_mv[0], mv);
		ck_assert_uint_eq(s.has, PB_HAS(PB_HAS_CELLS));
	}
	for (int i = 0; i < 4; i++) {
		static const float bad[] = {-3.3f, 9.0f, 1e-6f, INFINITY};

		memcpy(captured.bytes + 6, &bad[i], sizeof(bad[i]));
		ck_assert_int_eq(decode_changed(&captured, &known, &s), -EPROTO);
	}
}
END_TEST

static void load(void)
{
	frames = captured_load("jk/frames.json");
}

static void unload(void)
{
	json_decref(frames);
}

int main(void)
{
	TCase *tcase = tcase_create("jk");

	tcase_add_unchecked_fixture(tcase, load, unload);
	tcase_add_test(tcase, all_entries_are_there);
	tcase_add_loop_test(tcase, every_entry, 0, ENTRIES);
	tcase_add_test(tcase, no_other_maker);
	tcase_add_test(tcase, wrong_bits);
	tcase_add_loop_test(tcase, says_why, 0, PB_ARRAY_SIZE(refusals));
	tcase_add_test(tcase, requests);
	tcase_add_loop_test(tcase, layouts, 0, PB_ARRAY_SIZE(devices));
	tcase_add_test(tcase, impossible);
	tcase_add_loop_test(tcase, alarm_bits, 0, 32);
	tcase_add_loop_test(tcase, full_or_too_high, 0, PB_ARRAY_SIZE(ends));
	tcase_add_loop_test(tcase, line_of_parallel_boards, 0, PB_ARRAY_SIZE(lines));
	tcase_add_test(tcase, other_types);
	tcase_add_test(tcase, absent_probes);
	tcase_add_test(tcase, cells_by_mask);
	tcase_add_test(tcase, beyond_reason);
	tcase_add_test(tcase, concealed);
	tcase_add_test(tcase, floats);
	return pb_run_suite("bms/jk", tcase);
}
