/* SPDX-License-Identifier: MIT */
/*
 * There and back: samples of random values are encoded by every map of packbridge, and each row is
 * decoded again. What comes back is what went in, as fine as the row shows it.
 */
#include "packbridge/model/battery.h"
#include "packbridge/model/gateway.h"

#include "map_text.h"
#include "suite.h"

#include <dirent.h>
#include <math.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

enum { ROUNDS = 50 };

union data {
	struct pb_battery pack;
	struct pb_gateway gateway;
};

static struct pb_map *map;
static struct pb_unit_image *image;
static union data data;

/* Deterministic, the same everywhere. */
static uint64_t next_random(uint64_t *state)
{
	*state ^= *state << 13;
	*state ^= *state >> 7;
	*state ^= *state << 17;
	return *state;
}

static int64_t random_in(uint64_t *state, int64_t min, int64_t max)
{
	switch (next_random(state) % 8) {
	case 0:
		return min;
	case 1:
		return max;
	default:
		return min + (int64_t)(next_random(state) % ((uint64_t)(max - min) + 1));
	}
}

static void fill(uint64_t *state, unsigned int absent_percent)
{
	size_t count;
	const struct pb_field *fields = pb_fields(pb_map_scope(map), &count);

	memset(&data, 0, sizeof(data));
	for (size_t i = 0; i < count; i++) {
		if (fields[i].kind == PB_KIND_TEXT) {
			if (next_random(state) % 100 < absent_percent)
				continue;
			snprintf((char *)&data + fields[i].offset, fields[i].size, "text %u",
				 (unsigned int)(next_random(state) % 1000));
			if (fields[i].has >= 0)
				pb_battery_mark(&data.pack, (enum pb_has)fields[i].has);
			continue;
		}
		for (unsigned int n = 0; n < fields[i].count; n++) {
			int64_t min, max;

			pb_field_range(&fields[i], pb_map_scope(map), &min, &max);
			if (next_random(state) % 100 >= absent_percent)
				pb_field_set(&fields[i], &data, n, random_in(state, min, max));
		}
	}
}

static void open_map(const char *path)
{
	struct pb_report report = {0};
	int r = pb_map_load(&map, path, &report);

	ck_assert_msg(r == 0, "%s: %s", path, report.count ? report.lines[0] : "?");
	ck_assert_int_eq(pb_unit_image_new(&image, map), 0);
}

static void close_map(void)
{
	image = pb_unit_image_free(image);
	map = pb_map_free(map);
}

/* A row's bytes, as a client gets them. */
static const uint8_t *bytes_of(const struct pb_row_info *row, uint8_t *bit)
{
	const struct pb_image *unit = pb_unit_image_get(image);

	for (size_t i = 0; i < unit->block_count; i++) {
		const struct pb_block *block = &unit->blocks[i];
		uint32_t at = (uint32_t)row->addr - block->addr;

		if (!(block->tables & row->tables) || row->addr < block->addr || at >= block->count)
			continue;
		if (!(block->tables & (PB_TABLE_COIL | PB_TABLE_DISCRETE)))
			return block->bytes + 2 * (size_t)at;
		*bit = block->bytes[at / 8] >> at % 8 & 1;
		return bit;
	}
	ck_abort_msg("no block has address %u", row->addr);
	return NULL;
}

static bool shown_bit(size_t index, unsigned int bit)
{
	struct pb_bit_info info;
	int64_t is;
	bool set;

	if (!pb_map_bit(map, index, bit, &info) ||
	    !pb_field_get(info.field, &data, info.index < 0 ? 0 : (unsigned int)info.index, &is))
		return false;
	if (info.any)
		set = ((uint64_t)is & info.any) != 0;
	else if (info.mask_bit >= 0)
		set = (uint64_t)is >> info.mask_bit & 1;
	else
		set = info.equals >= 0 ? is == info.equals : is != 0;
	return set != info.invert;
}

/* What the row shows: its field's value, or that of the one that stands in. */
static bool shown_number(const struct pb_row_info *row, int64_t *ret)
{
	unsigned int element = row->index < 0 ? 0 : (unsigned int)row->index;

	int64_t there = INT64_MAX;

	if (pb_field_get(row->field, &data, element, ret))
		return true;
	if (row->within && !pb_field_get(row->within, &data, 0, &there))
		return false;
	return row->other && element < there && pb_field_get(row->other, &data, 0, ret);
}

static int64_t raw_of(const struct pb_row_info *row, const uint8_t *bytes)
{
	uint64_t raw = 0;

	for (size_t i = 0; i < row->words && i < 4; i++)
		raw = raw << 16 | pb_get_be16(bytes + 2 * i);
	return row->type == PB_ROW_S16	 ? (int16_t)raw
	       : row->type == PB_ROW_S32 ? (int32_t)raw
					 : (int64_t)raw;
}

/* Saturated: at the end of the type's range, with what it shows not beyond that. */
static bool at_the_end(const struct pb_row_info *row, int64_t raw, bool rising, int64_t shown,
		       int64_t is)
{
	static const int64_t mins[] = {0, INT16_MIN, 0, INT32_MIN, 0};
	static const int64_t maxs[] = {UINT16_MAX, INT16_MAX, UINT32_MAX, INT32_MAX, INT64_MAX};

	if (raw <= mins[row->type] + row->has_na)
		return rising ? is <= shown : is >= shown;
	return raw >= maxs[row->type] - row->has_na && (rising ? is >= shown : is <= shown);
}

/* A limit lies at its value or on the safe side of it, by less than a step. */
static void check_safe(const struct pb_row_info *row, int64_t shown, int64_t is, int64_t step)
{
	int64_t off = row->field->safe == PB_SAFE_BELOW ? is - shown : shown - is;

	ck_assert_msg(off >= 0 && off < step + (off == 0 || row->type == PB_ROW_F32),
		      "%u %s: %lld, expected %lld on its safe side, within %lld", row->addr,
		      row->field->name, (long long)shown, (long long)is, (long long)step);
}

static void check_number(size_t index, const struct pb_row_info *row,
			 const struct pb_row_value *value, const uint8_t *bytes)
{
	struct pb_row_value next;
	uint8_t other[8];
	int64_t is, step, raw = raw_of(row, bytes);
	bool rising;

	if (!shown_number(row, &is)) {
		if (row->type != PB_ROW_F32)
			ck_assert_int_eq(raw, row->na);
		ck_assert(value->available == !row->has_na || row->values);
		return;
	}
	ck_assert(value->available);
	if (row->values) {
		ck_assert_int_eq(row->values[value->value], row->values[is]);
		ck_assert_int_eq(raw, row->values[is]);
		return;
	}
	if (row->field->kind == PB_KIND_MASK) {
		uint64_t part =
			row->width < 0 ? UINT64_MAX : ((UINT64_C(1) << row->width) - 1) << row->bit;

		ck_assert_uint_eq((uint64_t)value->value, (uint64_t)is & part);
		return;
	}
	/* one more in the register is how fine the row shows it */
	memcpy(other, bytes, 2 * (size_t)row->words);
	other[2 * row->words - 1] ^= 1;
	pb_map_decode(map, index, other, &next);
	step = row->type == PB_ROW_F32 ? llabs(is) / (1 << 23) + 1 /* bits of the mantissa */
	       : next.available	       ? llabs(next.value - value->value)
				       : INT32_MAX;
	rising = (next.value > value->value) == (raw_of(row, other) > raw);
	if (row->type != PB_ROW_F32 && at_the_end(row, raw, rising, value->value, is))
		return;
	if (row->field->safe != PB_SAFE_NEAREST) {
		check_safe(row, value->value, is, step);
		return;
	}
	ck_assert_msg(2 * llabs(value->value - is) <= step || llabs(value->value - is) <= step / 2,
		      "%u %s: %lld, expected %lld, within %lld", row->addr, row->field->name,
		      (long long)value->value, (long long)is, (long long)step / 2);
}

/* Bits of a register, each, and those that are a number together. */
static void check_bits(size_t index, uint16_t raw)
{
	for (unsigned int bit = 0; bit < 16; bit++) {
		struct pb_bit_info info;
		struct pb_row_value value;
		int64_t is;

		if (!pb_map_bit(map, index, bit, &info))
			continue;
		if (!info.number) {
			ck_assert_int_eq(raw >> bit & 1, shown_bit(index, bit));
			continue;
		}
		pb_map_part(map, index, bit, raw, &value);
		if (pb_field_get(info.field, &data, info.index < 0 ? 0 : (unsigned int)info.index,
				 &is))
			ck_assert_int_eq(value.value, is);
	}
}

static void check_row(size_t index)
{
	struct pb_row_info row;
	struct pb_row_value value;
	const uint8_t *bytes;
	uint8_t bit;

	pb_map_row(map, index, &row);
	bytes = bytes_of(&row, &bit);
	pb_map_decode(map, index, bytes, &value);
	switch (row.type) {
	case PB_ROW_STRING:
		if (row.field) {
			const char *text = pb_field_text(row.field, &data);

			ck_assert_int_eq(value.available, text && *text);
			if (value.available)
				ck_assert_int_eq(strncmp(value.text, text, 2 * (size_t)row.words),
						 0);
		}
		break;
	case PB_ROW_COIL:
		if (row.field)
			ck_assert_int_eq(value.value, shown_bit(index, 0));
		break;
	case PB_ROW_BITS:
		check_bits(index, (uint16_t)value.value);
		break;
	case PB_ROW_U16:
	case PB_ROW_S16:
	case PB_ROW_U32:
	case PB_ROW_S32:
	case PB_ROW_U64:
	case PB_ROW_F32:
		if (row.field)
			check_number(index, &row, &value, bytes);
		break;
	case PB_ROW_RESERVED:
		ck_assert(!value.available);
		break;
	}
}

/* Something is missing without which the map shows nothing. */
static bool lacks(void)
{
	for (size_t i = 0; i < pb_map_row_count(map); i++) {
		struct pb_row_info row;
		int64_t value;

		pb_map_row(map, i, &row);
		if (row.needed && !shown_number(&row, &value))
			return true;
	}
	return false;
}

static void check_old(void)
{
	const struct pb_image *unit = pb_unit_image_get(image);

	for (size_t i = 0; i < unit->block_count; i++) {
		struct pb_block_info block;

		pb_map_block(map, i, &block);
		ck_assert_int_eq(unit->blocks[i].fault != PB_FAULT_NONE, !block.always);
	}
}

static void round_trip(const char *path, unsigned int absent_percent)
{
	uint64_t state = 88172645463325252;

	open_map(path);
	for (int round = 0; round < ROUNDS; round++) {
		fill(&state, absent_percent);
		pb_unit_image_encode(image, &data, false);
		if (lacks()) {
			check_old();
			continue;
		}
		/* too large for its scales: then it is the map NAME+coarse for good */
		if (pb_unit_image_map(image) != map) {
			pb_unit_image_free(image);
			ck_assert_int_eq(pb_unit_image_new(&image, map), 0);
			continue;
		}
		for (size_t i = 0; i < pb_map_row_count(map); i++)
			check_row(i);
	}
	close_map();
}

static const unsigned int absent[] = {0, 100, 30};

START_TEST(every_map)
{
	DIR *dir = opendir(PB_SOURCE_DIR "/maps");
	struct dirent *file;
	int seen = 0;

	ck_assert_ptr_nonnull(dir);
	while ((file = readdir(dir))) {
		char path[1024];

		if (!strstr(file->d_name, ".yaml"))
			continue;
		snprintf(path, sizeof(path), PB_SOURCE_DIR "/maps/%s", file->d_name);
		round_trip(path, absent[_i]);
		seen++;
	}
	closedir(dir);
	ck_assert_int_ge(seen, 9);
}
END_TEST

/* ---- what the native maps do not use ---- */

static void expect(const struct map_text *text, const char *hex, bool available, int64_t value,
		   double number)
{
	uint8_t bytes[64];
	struct pb_row_value got;

	map = map_good(text);
	ck_assert_int_gt(pb_hex_parse(hex, bytes, sizeof(bytes)), 0);
	pb_map_decode(map, 0, bytes, &got);
	ck_assert_int_eq(got.available, available);
	if (available) {
		ck_assert_int_eq(got.value, value);
		ck_assert_double_eq_tol(got.number, number, 1e-6 * (1 + fabs(number)));
	}
	map = pb_map_free(map);
}

static const struct {
	struct map_text text;
	const char *hex;
	bool available;
	int64_t value;
	double number;
} cases[] = {
	{{.rows = {"addr: 0, type: s16, field: current_ma, unit: A, scale: -0.1, saturate: true"}},
	 "ff9c",
	 true,
	 10000,
	 10},
	{{.rows = {"addr: 0, type: u16, field: temperature_max_mc, unit: K, scale: 0.1, saturate: "
		   "true"}},
	 "0ba6",
	 true,
	 25050,
	 298.2},
	{{.rows = {"addr: 0, type: u16, field: temperature_max_mc, unit: degC, offset: 40, "
		   "saturate: true"}},
	 "0041",
	 true,
	 25000,
	 25},
	{{.rows = {"addr: 0, type: u16, field: soc_permille, unit: '%', na: 255"}},
	 "00ff",
	 false,
	 0,
	 0},
	{{.rows = {"addr: 0, type: u16, field: soc_permille, unit: '%', na: 255"}},
	 "0040",
	 true,
	 640,
	 64},
	{{.count = 2, .rows = {"addr: 0, type: f32, field: voltage_mv, unit: V"}},
	 "41533333",
	 true,
	 13200,
	 13.2},
	{{.count = 2, .rows = {"addr: 0, type: f32, field: voltage_mv, unit: V"}},
	 "7fc00000",
	 false,
	 0,
	 0},
	{{.head = "word_order: low-first",
	  .count = 2,
	  .rows = {"addr: 0, type: s32, field: current_ma"}},
	 "e890ffff",
	 true,
	 -6000,
	 -6000},
	{{.count = 4, .rows = {"addr: 0, type: u64, field: charged_mwh, unit: Wh"}},
	 "0000000123456789",
	 true,
	 INT64_C(0x123456789) * 1000,
	 4886718345.0},
	{{.count = 4, .rows = {"addr: 0, type: u64, field: remaining_mah"}},
	 "ffffffffffffffff",
	 false,
	 0,
	 0},
	{{.head = "word_order: low-first",
	  .count = 4,
	  .rows = {"addr: 0, type: u64, field: charged_mah"}},
	 "0004000300020000",
	 true,
	 INT64_C(0x0000000200030004),
	 8590131204.0},
	{{.rows = {"addr: 0, type: u16, value: 7"}}, "0009", true, 9, 9},
	{{.count = 2, .rows = {"addr: 0, type: reserved, words: 2"}}, "00090009", false, 0, 0},
	{{.tables = "[coil]", .rows = {"addr: 0, type: coil, field: charge_fet"}},
	 "01",
	 true,
	 1,
	 1},
};

START_TEST(single_rows)
{
	expect(&cases[_i].text, cases[_i].hex, cases[_i].available, cases[_i].value,
	       cases[_i].number);
}
END_TEST

/* A register that stands for several states names none of them. */
START_TEST(shared_registers)
{
	const struct map_text text = {
		.rows = {"addr: 0, type: u16, field: quality, values: [0, 1, 0, 0]"}};
	static const uint8_t zero[2] = {0, 0}, one[2] = {0, 1};
	struct pb_row_value got;

	map = map_good(&text);
	pb_map_decode(map, 0, one, &got);
	ck_assert(got.available && !got.several);
	ck_assert_int_eq(got.value, PB_QUALITY_GOOD);
	pb_map_decode(map, 0, zero, &got);
	ck_assert(got.available && got.several);
	map = pb_map_free(map);
}
END_TEST

int main(void)
{
	TCase *tcase = tcase_create("decode");

	tcase_set_timeout(tcase, 60);
	tcase_add_loop_test(tcase, every_map, 0, PB_ARRAY_SIZE(absent));
	tcase_add_loop_test(tcase, single_rows, 0, PB_ARRAY_SIZE(cases));
	tcase_add_test(tcase, shared_registers);
	return pb_run_suite("regmap/decode", tcase);
}
