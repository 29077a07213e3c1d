/* SPDX-License-Identifier: MIT */
#include "packbridge/model/battery.h"
#include "packbridge/model/gateway.h"

#include "map_text.h"
#include "suite.h"

#include <stdlib.h>

/* ---- every allocation is counted; under AddressSanitizer, which has its own, none is ---- */

static size_t allocations;

#ifndef __SANITIZE_ADDRESS__
void *__libc_malloc(size_t size);
void *__libc_calloc(size_t count, size_t size);
void *__libc_realloc(void *p, size_t size);

void *malloc(size_t size)
{
	allocations++;
	return __libc_malloc(size);
}

void *calloc(size_t count, size_t size)
{
	allocations++;
	return __libc_calloc(count, size);
}

void *realloc(void *p, size_t size)
{
	allocations++;
	return __libc_realloc(p, size);
}
#endif

/* ---- bench: one map, one image, one pack's data ---- */

struct bench {
	struct pb_map *map;
	struct pb_unit_image *image;
	struct pb_battery data;
};

static void set_up(struct bench *bench, const struct map_text *text)
{
	*bench = (struct bench){.map = map_good(text)};
	ck_assert_int_eq(pb_unit_image_new(&bench->image, bench->map), 0);
}

static void tear_down(struct bench *bench)
{
	pb_unit_image_free(bench->image);
	pb_map_free(bench->map);
}

static void set(struct bench *bench, const char *field, unsigned int index, int64_t value)
{
	const struct pb_field *found = pb_field_find(PB_SCOPE_PACK, field);

	ck_assert_msg(found != NULL, "%s", field);
	pb_field_set(found, &bench->data, index, value);
}

static const struct pb_block *block_of(const struct bench *bench, size_t index)
{
	const struct pb_image *image = pb_unit_image_get(bench->image);

	ck_assert_uint_lt(index, image->block_count);
	return &image->blocks[index];
}

static uint16_t reg(const struct bench *bench, unsigned int addr)
{
	const struct pb_block *block = block_of(bench, 0);

	ck_assert_uint_ge(addr, block->addr);
	ck_assert_uint_lt(addr, block->addr + block->count);
	return pb_get_be16(block->bytes + 2 * (addr - block->addr));
}

static uint32_t reg32(const struct bench *bench, unsigned int addr)
{
	return (uint32_t)reg(bench, addr) << 16 | reg(bench, addr + 1);
}

static bool coil(const struct bench *bench, unsigned int addr)
{
	const struct pb_block *block = block_of(bench, 0);
	unsigned int bit = addr - block->addr;

	return block->bytes[bit / 8] >> bit % 8 & 1;
}

/* ---- numbers ---- */

static const struct {
	const char *row, *field;
	int64_t value;
	uint32_t raw; /* of two registers */
} numbers[] = {
	/* exact units, rounding half away from zero */
	{"type: u16, field: voltage_mv, unit: V, scale: 0.01", "voltage_mv", 13320, 1332},
	{"type: u16, field: voltage_mv, unit: V, scale: 0.01", "voltage_mv", 13324, 1332},
	{"type: u16, field: voltage_mv, unit: V, scale: 0.01", "voltage_mv", 13325, 1333},
	{"type: s16, field: current_ma, unit: A, scale: 0.5", "current_ma", -1250, 0xFFFD},
	{"type: s32, field: current_ma, unit: A, scale: 0.001", "current_ma", -123456, 0xFFFE1DC0},
	{"type: s32, field: current_ma", "current_ma", 123456, 123456},
	{"type: s32, field: power_mw, unit: kW, scale: 0.001", "power_mw", -2500000, 0xFFFFF63C},
	{"type: u16, field: soc_permille, unit: '%'", "soc_permille", 655, 66},
	{"type: u16, field: soc_permille, unit: '%', scale: 0.1", "soc_permille", 655, 655},
	{"type: s16, field: temperature_avg_mc, unit: degC, scale: 0.1", "temperature_avg_mc",
	 -10250, 0xFF99},
	{"type: u16, field: temperature_avg_mc, unit: K, scale: 0.1", "temperature_avg_mc", 25000,
	 2982},
	{"type: u16, field: temperature_avg_mc, unit: K, scale: 0.1", "temperature_avg_mc", -100000,
	 1732},
	{"type: s16, field: temperature_avg_mc, unit: degC, offset: 40", "temperature_avg_mc",
	 -40000, 0},
	{"type: s32, field: current_ma, scale: -1", "current_ma", 5, 0xFFFFFFFB},
	{"type: u32, field: remaining_mah, unit: Ah, scale: 0.01", "remaining_mah", 10000000,
	 1000000},
	{"type: u32, field: production_date", "production_date", 20240229, 20240229},
	{"type: u32, field: polls", "polls", UINT32_MAX, UINT32_MAX}, /* always there: no na */
	{"type: u16, field: sequence", "sequence", 65535, 65535},
	{"type: u16, field: charge_fet", "charge_fet", 1, 1},

	/* at the ends: just inside the not-available value, never around the corner */
	{"type: u16, field: voltage_mv, saturate: true", "voltage_mv", 600000, 0xFFFE},
	{"type: u16, field: voltage_mv, saturate: true", "voltage_mv", 65535, 0xFFFE},
	{"type: u16, field: current_ma, saturate: true", "current_ma", -1, 0},
	{"type: s16, field: current_ma, saturate: true", "current_ma", 32768, 0x7FFF},
	{"type: s16, field: current_ma, saturate: true", "current_ma", -32768, 0x8001},
	{"type: s16, field: current_ma, saturate: true", "current_ma", INT32_MIN, 0x8001},
	{"type: s16, field: current_ma, saturate: true, na: 0x7FFF", "current_ma", 40000, 0x7FFE},
	{"type: s16, field: current_ma, saturate: true, na: 0x7FFF", "current_ma", -40000, 0x8000},
	{"type: s16, field: current_ma, scale: -1, saturate: true", "current_ma", 40000, 0x8001},
	{"type: u32, field: remaining_mah", "remaining_mah", -5, 0},
	{"type: s32, field: power_mw", "power_mw", INT64_MAX, 0x7FFFFFFF},
	{"type: s32, field: power_mw", "power_mw", INT64_MIN, 0x80000001},
	{"type: s32, field: power_mw, scale: 0.000001, saturate: true", "power_mw", INT64_MIN,
	 0x80000001},
	/* beyond what the catalogue promises, without saturate */
	{"type: u16, field: soc_permille", "soc_permille", 70000, 0xFFFE},

	/* parts of a mask */
	{"type: u32, field: balance_mask, width: 24", "balance_mask", 0x123456789ABC, 0x789ABC},
	{"type: u32, field: balance_mask, shift: 24, width: 24", "balance_mask", 0x123456789ABC,
	 0x123456},
	{"type: u16, field: protection_mask, width: 15", "protection_mask", 0xFFFF, 0x7FFF},

	/* floats */
	{"type: f32, field: voltage_mv, unit: V", "voltage_mv", 53120, 0x42547AE1},
	{"type: f32, field: current_ma, unit: A", "current_ma", -1500, 0xBFC00000},
	{"type: f32, field: temperature_avg_mc, unit: K", "temperature_avg_mc", 0, 0x43889333},
	{"type: f32, field: soc_permille, unit: '%', scale: 100", "soc_permille", 500, 0x3F000000},
};

static void number_map(struct map_text *text, const char *row, char *buf, size_t cap)
{
	bool wide = strstr(row, "32,") != NULL;

	snprintf(buf, cap, "addr: 0, %s", row);
	*text = (struct map_text){.count = 2,
				  .rows = {buf, wide ? NULL
						     : "addr: 1, type: reserved"
						       ", words: 1"}};
}

static uint32_t number_raw(const struct bench *bench, const char *row)
{
	return strstr(row, "32,") ? reg32(bench, 0) : reg(bench, 0);
}

START_TEST(number)
{
	const char *row = numbers[_i].row;
	struct map_text text;
	struct bench bench;
	char buf[160];

	number_map(&text, row, buf, sizeof(buf));
	set_up(&bench, &text);
	set(&bench, numbers[_i].field, 0, numbers[_i].value);
	pb_unit_image_encode(bench.image, &bench.data, false);
	ck_assert_msg(number_raw(&bench, row) == numbers[_i].raw, "%s: %lld gives %#x, not %#x",
		      row, (long long)numbers[_i].value, number_raw(&bench, row), numbers[_i].raw);
	tear_down(&bench);
}
END_TEST

static const struct {
	const char *row;
	uint32_t raw;
} absent[] = {
	{"type: u16, field: soc_permille", 0xFFFF},
	{"type: s16, field: soc_permille", 0x8000},
	{"type: u32, field: soc_permille", 0xFFFFFFFF},
	{"type: s32, field: soc_permille", 0x80000000},
	{"type: f32, field: soc_permille", 0x7FC00000},
	{"type: s16, field: soc_permille, na: 0x7FFF", 0x7FFF},
	{"type: s16, field: soc_permille, na: 0xFFFF", 0xFFFF},
	{"type: s16, field: soc_permille, na: -32768", 0x8000},
	{"type: u16, field: cell_mv, index: 3", 0xFFFF},
	{"type: u16, field: counters.short_circuit", 0xFFFF},
	{"type: s16, field: rssi_dbm", 0x8000},
	{"type: u32, field: balance_mask, width: 24", 0xFFFFFFFF},
	{"type: u16, field: charge_fet", 0xFFFF},
};

/* Not available in a new image, without a value, and again once the value is gone. */
START_TEST(not_available)
{
	const char *row = absent[_i].row;
	struct map_text text;
	struct bench bench;
	char buf[160];

	number_map(&text, row, buf, sizeof(buf));
	set_up(&bench, &text);
	ck_assert_uint_eq(number_raw(&bench, row), absent[_i].raw);
	pb_unit_image_encode(bench.image, &bench.data, false);
	ck_assert_uint_eq(number_raw(&bench, row), absent[_i].raw);

	set(&bench, "soc_permille", 0, 1);
	set(&bench, "cell_mv", 3, 1);
	set(&bench, "counters.short_circuit", 0, 1);
	set(&bench, "rssi_dbm", 0, -1);
	set(&bench, "balance_mask", 0, 1);
	set(&bench, "charge_fet", 0, 1);
	pb_unit_image_encode(bench.image, &bench.data, false);
	ck_assert_uint_ne(number_raw(&bench, row), absent[_i].raw);
	bench.data = (struct pb_battery){0};
	pb_unit_image_encode(bench.image, &bench.data, false);
	ck_assert_uint_eq(number_raw(&bench, row), absent[_i].raw);
	tear_down(&bench);
}
END_TEST

START_TEST(array_with_gaps)
{
	const struct map_text text = {.addr = 100,
				      .count = 48,
				      .rows = {"addr: 100, type: u16, field: cell_mv, count: 48"}};
	struct bench bench;

	set_up(&bench, &text);
	for (unsigned int i = 0; i < 48; i += 2)
		set(&bench, "cell_mv", i, 3000 + i);
	pb_unit_image_encode(bench.image, &bench.data, false);
	for (unsigned int i = 0; i < 48; i++)
		ck_assert_uint_eq(reg(&bench, 100 + i), i % 2 ? 0xFFFF : 3000 + i);
	tear_down(&bench);
}
END_TEST

START_TEST(word_order)
{
	const struct map_text text = {.head = "word_order: low-first",
				      .count = 6,
				      .rows = {"addr: 0, type: u32, field: polls",
					       "addr: 2, type: f32, field: voltage_mv, unit: V",
					       "addr: 4, type: u32, value: 0x00010002"}};
	struct bench bench;

	set_up(&bench, &text);
	ck_assert_uint_eq(reg32(&bench, 2), 0x00007FC0);
	ck_assert_uint_eq(reg32(&bench, 4), 0x00020001);
	bench.data.status.polls = 0xAABBCCDD;
	set(&bench, "voltage_mv", 0, 53120);
	pb_unit_image_encode(bench.image, &bench.data, false);
	ck_assert_uint_eq(reg32(&bench, 0), 0xCCDDAABB);
	ck_assert_uint_eq(reg32(&bench, 2), 0x7AE14254);
	tear_down(&bench);
}
END_TEST

START_TEST(strings)
{
	const struct map_text text = {
		.count = 12,
		.rows = {"addr: 0, type: string, words: 4, field: name",
			 "addr: 4, type: string, words: 2, field: device_name",
			 "addr: 6, type: string, words: 4, value: abcde",
			 "addr: 10, type: reserved, words: 2"}};
	struct bench bench;
	const uint8_t *bytes;

	set_up(&bench, &text);
	bytes = block_of(&bench, 0)->bytes;
	ck_assert_mem_eq(bytes, "\0\0\0\0\0\0\0\0\0\0\0\0abcde\0\0\0\0\0\0", 24);
	strcpy(bench.data.name, "house");
	strcpy(bench.data.sample.device_name, "longer than four");
	pb_unit_image_encode(bench.image, &bench.data, false);
	ck_assert_mem_eq(bytes, "house\0\0\0\0\0\0\0", 12); /* not reported: NULs */
	bench.data.sample.has |= PB_HAS(PB_HAS_DEVICE_NAME);
	pb_unit_image_encode(bench.image, &bench.data, false);
	ck_assert_mem_eq(bytes, "house\0\0\0longabcde\0\0\0", 20);
	strcpy(bench.data.name, "x"); /* nothing of the longer one stays behind */
	pb_unit_image_encode(bench.image, &bench.data, false);
	ck_assert_mem_eq(bytes, "x\0\0\0\0\0\0\0long", 12);
	tear_down(&bench);
}
END_TEST

START_TEST(bits)
{
	const struct map_text text = {
		.count = 2,
		.rows = {"addr: 0, type: bits, bits: [{bit: 0, field: charge_fet}, "
			 "{bit: 2, field: protection_mask, mask_bit: 10}, "
			 "{bit: 4, field: quality, equals: 1}, "
			 "{bit: 5, field: cell_mv, index: 1, equals: 3300}, "
			 "{bit: 15, field: discharge_fet}]",
			 "addr: 1, type: s16, value: 0x8000"}};
	struct bench bench;

	set_up(&bench, &text);
	ck_assert_uint_eq(reg(&bench, 0), 0);
	ck_assert_uint_eq(reg(&bench, 1), 0x8000);
	set(&bench, "charge_fet", 0, 1);
	set(&bench, "discharge_fet", 0, 1);
	set(&bench, "protection_mask", 0, 1 << PB_PROTECT_SHORT_CIRCUIT);
	set(&bench, "quality", 0, PB_QUALITY_GOOD);
	set(&bench, "cell_mv", 1, 3300);
	pb_unit_image_encode(bench.image, &bench.data, false);
	ck_assert_uint_eq(reg(&bench, 0), 0x8035);
	set(&bench, "discharge_fet", 0, 0);
	set(&bench, "protection_mask", 0, ~(1 << PB_PROTECT_SHORT_CIRCUIT) & 0x7FFF);
	set(&bench, "cell_mv", 1, 3301);
	pb_unit_image_encode(bench.image, &bench.data, false);
	ck_assert_uint_eq(reg(&bench, 0), 0x0011);
	tear_down(&bench);
}
END_TEST

START_TEST(coils)
{
	const struct map_text text = {
		.tables = "[discrete, coil]",
		.addr = 3,
		.count = 21,
		.rows = {"addr: 3, type: coil, field: charge_fet",
			 "addr: 4, type: coil, field: alarm_mask, bit: 0, count: 16",
			 "addr: 20, type: coil, field: quality, equals: 1",
			 "addr: 21, type: coil, value: 1}\n      - {addr: 22, type: reserved, "
			 "words: 2"}};
	struct bench bench;

	set_up(&bench, &text);
	for (unsigned int i = 3; i < 24; i++)
		ck_assert_int_eq(coil(&bench, i), i == 21);
	set(&bench, "charge_fet", 0, 1);
	set(&bench, "alarm_mask", 0, 0x8005);
	set(&bench, "quality", 0, PB_QUALITY_GOOD);
	pb_unit_image_encode(bench.image, &bench.data, false);
	for (unsigned int i = 3; i < 24; i++)
		ck_assert_int_eq(coil(&bench, i),
				 i == 3 || i == 4 || i == 6 || i == 19 || i == 20 || i == 21);
	set(&bench, "alarm_mask", 0, 2);
	pb_unit_image_encode(bench.image, &bench.data, false);
	for (unsigned int i = 4; i < 20; i++)
		ck_assert_int_eq(coil(&bench, i), i == 5);
	tear_down(&bench);
}
END_TEST

/* ---- old readings ---- */

/* Two blocks: one that is always shown, and a reading behind it. */
static void old_map(struct bench *bench, const char *stale)
{
	struct pb_report report = {0};
	char text[512];

	snprintf(text, sizeof(text),
		 "{map: m, version: 1, title: t, scope: pack, stale: %s, blocks: ["
		 "{name: s, tables: [input], addr: 0, count: 2, always: true, rows: ["
		 "{addr: 0, type: u16, field: age_s}, {addr: 1, type: u16, value: 7}]},"
		 "{name: d, tables: [input], addr: 2, count: 4, rows: ["
		 "{addr: 2, type: u16, field: soc_permille}, {addr: 3, type: u16, field: age_s},"
		 "{addr: 4, type: bits, bits: [{bit: 0, field: charge_fet}]},"
		 "{addr: 5, type: string, words: 1, field: device_name}]}]}",
		 stale);
	*bench = (struct bench){0};
	ck_assert_int_eq(pb_map_parse(&bench->map, "f", text, strlen(text), &report), 0);
	ck_assert_int_eq(pb_unit_image_new(&bench->image, bench->map), 0);
}

START_TEST(without_what_is_needed)
{
	const struct map_text text = {
		.count = 2,
		.head = "stale: silence",
		.rows = {"addr: 0, type: u16, field: soc_permille, absent: old",
			 "addr: 1, type: u16, field: cycles, absent: 0"}};
	struct bench bench;

	set_up(&bench, &text);
	set(&bench, "cycles", 0, 9);
	pb_unit_image_encode(bench.image, &bench.data, false);
	ck_assert_uint_eq(block_of(&bench, 0)->fault, PB_FAULT_SILENT);
	ck_assert_uint_eq(reg(&bench, 1), 0);
	set(&bench, "soc_permille", 0, 0);
	pb_unit_image_encode(bench.image, &bench.data, false);
	ck_assert_uint_eq(block_of(&bench, 0)->fault, PB_FAULT_NONE);
	ck_assert_uint_eq(reg(&bench, 1), 9);
	pb_unit_image_encode(bench.image, &bench.data, true);
	ck_assert_uint_eq(block_of(&bench, 0)->fault, PB_FAULT_SILENT);
	tear_down(&bench);
}
END_TEST

/* A client that obeys a limit stays within it: whatever the scale, its sign and the type. */
static const struct {
	const char *row, *field;
	int64_t value;
	uint32_t shown; /* one or two registers */
} limits[] = {
	{"type: u16, field: charge_current_ma, unit: A, saturate: true", "charge_current_ma", 999,
	 0},
	{"type: u16, field: charge_current_ma, unit: A, saturate: true", "charge_current_ma", 1000,
	 1},
	{"type: u16, field: discharge_current_ma, unit: A, scale: 0.1, saturate: true",
	 "discharge_current_ma", 139999, 1399},
	{"type: u16, field: charge_voltage_mv, unit: V, scale: 0.1, saturate: true",
	 "charge_voltage_mv", 55299, 552},
	{"type: u16, field: discharge_voltage_mv, unit: V, scale: 0.1, saturate: true",
	 "discharge_voltage_mv", 46401, 465},
	{"type: u16, field: discharge_voltage_mv, unit: V, scale: 0.1, saturate: true",
	 "discharge_voltage_mv", 46400, 464},
	/* the register falls when the limit rises: -55.2 and not -55.3; -46.5 and not -46.4 */
	{"type: s16, field: charge_voltage_mv, unit: V, scale: -0.1", "charge_voltage_mv", 55299,
	 (uint16_t)-552},
	{"type: s16, field: discharge_voltage_mv, unit: V, scale: -0.1", "discharge_voltage_mv",
	 46401, (uint16_t)-465},
	{"type: s16, field: discharge_current_ma, unit: A, scale: -1", "discharge_current_ma", 1999,
	 (uint16_t)-1},
	{"type: u16, field: charge_max_mw, unit: W, scale: 10, saturate: true", "charge_max_mw",
	 7168000, 716},
	{"type: u16, field: discharge_max_ma, unit: A", "discharge_max_ma", 139999, 139},
	{"type: u16, field: full_voltage_mv, unit: V", "full_voltage_mv", 55900, 55},
	{"type: u16, field: cell_high_mv, unit: V, scale: 0.1", "cell_high_mv", 3650, 36},
	{"type: u16, field: cell_low_mv, unit: V, scale: 0.1", "cell_low_mv", 2810, 29},
	/* 16777.217 lies between the floats 16777.216 and 16777.218 */
	{"type: f32, field: charge_current_ma, unit: mA", "charge_current_ma", 16777217,
	 0x4B800000},
	{"type: f32, field: discharge_voltage_mv, unit: mV", "discharge_voltage_mv", 16777217,
	 0x4B800001},
	{"type: f32, field: charge_current_ma, unit: mA, scale: -1", "charge_current_ma", 16777217,
	 0xCB800000},
	{"type: f32, field: discharge_voltage_mv, unit: mV, scale: -1", "discharge_voltage_mv",
	 16777217, 0xCB800001},
	/* what is no limit goes to the nearest */
	{"type: u16, field: voltage_mv, unit: V", "voltage_mv", 55900, 56},
};

START_TEST(safe_side)
{
	bool wide = strstr(limits[_i].row, "f32") != NULL;
	char row[256];
	struct map_text text = {.count = wide ? 2 : 1, .rows = {row}};
	struct bench bench;

	snprintf(row, sizeof(row), "addr: 0, %s", limits[_i].row);
	set_up(&bench, &text);
	set(&bench, limits[_i].field, 0, limits[_i].value);
	pb_unit_image_encode(bench.image, &bench.data, false);
	ck_assert_uint_eq(wide ? (uint32_t)reg(&bench, 0) << 16 | reg(&bench, 1) : reg(&bench, 0),
			  limits[_i].shown);
	tear_down(&bench);
}
END_TEST

/* A large battery gets the coarse scale, once and for all, and constants that say so. */
START_TEST(large_battery)
{
	const struct map_text text = {
		.count = 2,
		.rows = {"addr: 0, type: s16, field: power_mw, unit: W, coarse: 10, saturate: true",
			 "addr: 1, type: s16, value: 0, coarse: 1"}};
	struct pb_row_value value;
	struct bench bench;

	set_up(&bench, &text);
	set(&bench, "power_mw", 0, 377000);
	pb_unit_image_encode(bench.image, &bench.data, false);
	ck_assert_uint_eq(reg(&bench, 0), 377);
	set(&bench, "full_voltage_mv", 0, 56000);
	set(&bench, "discharge_max_ma", 0, 585000); /* 32760 W */
	pb_unit_image_encode(bench.image, &bench.data, false);
	ck_assert_uint_eq(reg(&bench, 0), 377);
	ck_assert_uint_eq(reg(&bench, 1), 0);
	ck_assert_str_eq(pb_unit_image_get(bench.image)->model, "m 1");
	set(&bench, "charge_max_ma", 0, 586000); /* 32816 W */
	pb_unit_image_encode(bench.image, &bench.data, true);
	ck_assert_uint_eq(reg(&bench, 1), 1);
	set(&bench, "charge_max_ma", 0, 1000);
	pb_unit_image_encode(bench.image, &bench.data, false);
	ck_assert_uint_eq(reg(&bench, 0), 38);
	ck_assert_uint_eq(reg(&bench, 1), 1);
	ck_assert_str_eq(pb_unit_image_get(bench.image)->model, "m+coarse 1");
	pb_map_decode(pb_unit_image_map(bench.image), 0, block_of(&bench, 0)->bytes, &value);
	ck_assert_int_eq(value.value, 380000);
	tear_down(&bench);
}
END_TEST

/* Also when nobody knows what it is rated for. */
START_TEST(large_value)
{
	const struct map_text text = {.rows = {"addr: 0, type: u16, field: energy_mwh, unit: Wh, "
					       "coarse: 10, saturate: true"}};
	struct bench bench;

	set_up(&bench, &text);
	set(&bench, "energy_mwh", 0, 65534000);
	pb_unit_image_encode(bench.image, &bench.data, false);
	ck_assert_uint_eq(reg(&bench, 0), 65534);
	set(&bench, "energy_mwh", 0, 70000000);
	pb_unit_image_encode(bench.image, &bench.data, false);
	ck_assert_uint_eq(reg(&bench, 0), 7000);
	tear_down(&bench);
}
END_TEST

/* A stand-in stands for a probe that is there and tells nothing, not for one that is not there. */
START_TEST(within)
{
	const struct map_text text = {
		.count = 3,
		.rows = {"addr: 0, type: s16, field: temperature_mc, count: 3, unit: degC, "
			 "or: temperature_avg_mc, within: temperature_count"}};
	struct bench bench;

	set_up(&bench, &text);
	set(&bench, "temperature_avg_mc", 0, 21000);
	pb_unit_image_encode(bench.image, &bench.data, false);
	ck_assert_uint_eq(reg(&bench, 0), 0x8000);
	set(&bench, "temperature_count", 0, 2);
	set(&bench, "temperature_mc", 0, 30000);
	pb_unit_image_encode(bench.image, &bench.data, false);
	ck_assert_uint_eq(reg(&bench, 0), 30);
	ck_assert_uint_eq(reg(&bench, 1), 21);
	ck_assert_uint_eq(reg(&bench, 2), 0x8000);
	tear_down(&bench);
}
END_TEST

static const struct {
	const char *stale;
	uint8_t fault;
	uint16_t soc, bits, text; /* as they stand in the image while the reading is old */
} olds[] = {
	{"exception", PB_FAULT_EXCEPTION, 0xFFFF, 0, 0},
	{"silence", PB_FAULT_SILENT, 0xFFFF, 0, 0},
	{"not-available", PB_FAULT_NONE, 0xFFFF, 0, 0},
	{"last", PB_FAULT_NONE, 655, 1, 0x6162},
};

static uint16_t second(const struct bench *bench, unsigned int addr)
{
	return pb_get_be16(block_of(bench, 1)->bytes + 2 * (addr - 2));
}

START_TEST(old_reading)
{
	struct bench bench;

	old_map(&bench, olds[_i].stale);
	/* before the first reading there is nothing to show, whatever the map says */
	ck_assert_uint_eq(block_of(&bench, 0)->fault, PB_FAULT_NONE);
	ck_assert_uint_eq(block_of(&bench, 1)->fault, olds[_i].fault);
	ck_assert_uint_eq(second(&bench, 2), 0xFFFF);

	set(&bench, "soc_permille", 0, 655);
	set(&bench, "charge_fet", 0, 1);
	strcpy(bench.data.sample.device_name, "ab");
	bench.data.sample.has |= PB_HAS(PB_HAS_DEVICE_NAME);
	bench.data.age_s = 3;
	pb_unit_image_encode(bench.image, &bench.data, false);
	ck_assert_uint_eq(block_of(&bench, 1)->fault, PB_FAULT_NONE);
	ck_assert_uint_eq(second(&bench, 2), 655);
	ck_assert_uint_eq(second(&bench, 4), 1);
	ck_assert_uint_eq(second(&bench, 5), 0x6162);

	bench.data.age_s = 60;
	pb_unit_image_encode(bench.image, &bench.data, true);
	ck_assert_uint_eq(block_of(&bench, 0)->fault, PB_FAULT_NONE);
	ck_assert_uint_eq(block_of(&bench, 1)->fault, olds[_i].fault);
	ck_assert_uint_eq(reg(&bench, 0), 60);
	ck_assert_uint_eq(reg(&bench, 1), 7);
	ck_assert_uint_eq(second(&bench, 2), olds[_i].soc);
	ck_assert_uint_eq(second(&bench, 3), 60); /* the age is no part of the reading */
	ck_assert_uint_eq(second(&bench, 4), olds[_i].bits);
	ck_assert_uint_eq(second(&bench, 5), olds[_i].text);

	/* a second later: the clock goes on, the reading stays as it is */
	bench.data.age_s = 61;
	pb_unit_image_refresh(bench.image, &bench.data);
	ck_assert_uint_eq(reg(&bench, 0), 61);
	ck_assert_uint_eq(second(&bench, 2), olds[_i].soc);
	ck_assert_uint_eq(block_of(&bench, 1)->fault, olds[_i].fault);

	pb_unit_image_encode(bench.image, &bench.data, false);
	ck_assert_uint_eq(block_of(&bench, 1)->fault, PB_FAULT_NONE);
	ck_assert_uint_eq(second(&bench, 2), 655);
	tear_down(&bench);
}
END_TEST

START_TEST(refresh_is_for_the_clock)
{
	const struct map_text text = {.count = 4,
				      .rows = {"addr: 0, type: u16, field: heartbeat",
					       "addr: 1, type: u16, field: soc_permille",
					       "addr: 2, type: bits, bits: [{bit: 0, field: "
					       "quality, equals: 1}]",
					       "addr: 3, type: u16, field: sequence"}};
	struct bench bench;

	set_up(&bench, &text);
	set(&bench, "soc_permille", 0, 655);
	bench.data.heartbeat = 1;
	bench.data.status.sequence = 1;
	pb_unit_image_encode(bench.image, &bench.data, false);
	set(&bench, "soc_permille", 0, 700);
	bench.data.heartbeat = 2;
	bench.data.status.sequence = 2;
	bench.data.quality = PB_QUALITY_GOOD;
	pb_unit_image_refresh(bench.image, &bench.data);
	ck_assert_uint_eq(reg(&bench, 0), 2);
	ck_assert_uint_eq(reg(&bench, 1), 655);
	ck_assert_uint_eq(reg(&bench, 2), 1);
	ck_assert_uint_eq(reg(&bench, 3), 1);
	tear_down(&bench);
}
END_TEST

/* ---- the native maps ---- */

static const char *const natives[] = {"packbridge", "packbridge-gateway"};

START_TEST(native_allocates_nothing)
{
	static union {
		struct pb_battery pack;
		struct pb_gateway gateway;
	} data;
	PB_CLEANUP(pb_map_freep) struct pb_map *map = NULL;
	PB_CLEANUP(pb_unit_image_freep) struct pb_unit_image *image = NULL;
	struct pb_report report = {0};
	size_t before;
	char path[512];

	snprintf(path, sizeof(path), PB_SOURCE_DIR "/maps/%s.yaml", natives[_i]);
	ck_assert_int_eq(pb_map_load(&map, path, &report), 0);
	ck_assert_int_eq(pb_unit_image_new(&image, map), 0);
#ifndef __SANITIZE_ADDRESS__
	ck_assert_uint_gt(allocations, 0); /* they are counted */
#endif
	before = allocations;
	for (int i = 0; i < 100; i++) {
		pb_unit_image_encode(image, &data, i % 2);
		pb_unit_image_refresh(image, &data);
	}
	ck_assert_uint_eq(allocations, before);
}
END_TEST

/* Each value of a native map inside its block, no address twice, and no hole. */
START_TEST(native_places)
{
	PB_CLEANUP(pb_map_freep) struct pb_map *map = NULL;
	struct pb_report report = {0};
	size_t row = 0;
	char path[512];

	snprintf(path, sizeof(path), PB_SOURCE_DIR "/maps/%s.yaml", natives[_i]);
	ck_assert_int_eq(pb_map_load(&map, path, &report), 0);
	for (size_t b = 0; b < pb_map_block_count(map); b++) {
		struct pb_block_info block;
		uint32_t next;

		pb_map_block(map, b, &block);
		ck_assert_uint_eq(block.tables & (block.tables - 1U) ? 0 : 1, 0); /* mirrored */
		for (next = block.addr; next < block.addr + block.count; row++) {
			struct pb_row_info info;

			ck_assert_uint_lt(row, pb_map_row_count(map));
			pb_map_row(map, row, &info);
			ck_assert_str_eq(info.block, block.name);
			ck_assert_uint_eq(info.addr, next);
			if (info.type != PB_ROW_RESERVED)
				ck_assert_msg(*info.description, "%s %u says nothing", natives[_i],
					      info.addr);
			next += info.words;
		}
		ck_assert_uint_eq(next, block.addr + block.count);
	}
	ck_assert_uint_eq(row, pb_map_row_count(map));
}
END_TEST

/* What the README promises for the first 20 registers. */
START_TEST(native_first_registers)
{
	struct pb_report report = {0};
	struct bench bench = {0};
	static const uint16_t expected[20] = {2, 1, 7, 3, 9, 0, 0xFFC4, 15,  0,	     100,
					      0, 2, 0, 1, 3, 0, 1332,	655, 0xFFFF, 0xFB2E};
	const struct pb_image *image;

	ck_assert_int_eq(pb_map_load(&bench.map, PB_SOURCE_DIR "/maps/packbridge.yaml", &report),
			 0);
	ck_assert_int_eq(pb_unit_image_new(&bench.image, bench.map), 0);
	bench.data.quality = PB_QUALITY_GOOD;
	bench.data.status = (struct pb_status){.connected = true,
					       .sequence = 7,
					       .stale_after_s = 15,
					       .polls = 100,
					       .failures = 2,
					       .reconnects = 1};
	bench.data.age_s = 3;
	bench.data.heartbeat = 9;
	set(&bench, "rssi_dbm", 0, -60);
	set(&bench, "voltage_mv", 0, 13320);
	set(&bench, "soc_permille", 0, 655);
	set(&bench, "current_ma", 0, -1234);
	pb_unit_image_encode(bench.image, &bench.data, false);
	image = pb_unit_image_get(bench.image);
	for (unsigned int i = 0; i < 20; i++) {
		const struct pb_block *block = &image->blocks[i >= 16];
		uint16_t seen = pb_get_be16(block->bytes + 2 * (i - block->addr));

		ck_assert_msg(seen == expected[i], "register %u is %u, not %u", i, seen,
			      expected[i]);
	}
	tear_down(&bench);
}
END_TEST

int main(void)
{
	TCase *tcase = tcase_create("image");

	tcase_add_loop_test(tcase, number, 0, PB_ARRAY_SIZE(numbers));
	tcase_add_loop_test(tcase, not_available, 0, PB_ARRAY_SIZE(absent));
	tcase_add_test(tcase, array_with_gaps);
	tcase_add_test(tcase, word_order);
	tcase_add_test(tcase, strings);
	tcase_add_test(tcase, bits);
	tcase_add_test(tcase, coils);
	tcase_add_test(tcase, without_what_is_needed);
	tcase_add_loop_test(tcase, safe_side, 0, PB_ARRAY_SIZE(limits));
	tcase_add_test(tcase, large_battery);
	tcase_add_test(tcase, large_value);
	tcase_add_test(tcase, within);
	tcase_add_loop_test(tcase, old_reading, 0, PB_ARRAY_SIZE(olds));
	tcase_add_test(tcase, refresh_is_for_the_clock);
	tcase_add_loop_test(tcase, native_allocates_nothing, 0, PB_ARRAY_SIZE(natives));
	tcase_add_loop_test(tcase, native_places, 0, PB_ARRAY_SIZE(natives));
	tcase_add_test(tcase, native_first_registers);
	return pb_run_suite("regmap/image", tcase);
}
