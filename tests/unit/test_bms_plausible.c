/* SPDX-License-Identifier: MIT */
/*
 * What boards say that cannot be, through the real codecs and pb_sample_check(): every maker and
 * dialect, each value by itself. And the other side: every captured frame, and the extremes of real
 * packs, pass whole.
 */
#include "packbridge/bms.h"
#include "packbridge/model/battery.h"
#include "packbridge/model/field.h"

#include "frames.h"
#include "refused.h"
#include "suite.h"

#include <errno.h>
#include <string.h>

static const struct pb_codec *dialect(const char *name)
{
	const struct pb_codec *codec = &pb_codec_daly;

	while (codec && strcmp(codec->dialect, name) != 0)
		codec = codec->next;
	ck_assert_ptr_nonnull(codec);
	return codec;
}

static int decode(const struct pb_codec *codec, const uint8_t *bytes, size_t len,
		  struct pb_sample *s)
{
	struct pb_frame frame;

	ck_assert_int_eq(codec->frame(bytes, len, NULL, &frame), (int)len);
	return codec->decode(&frame, s);
}

static uint8_t sum8(const uint8_t *bytes, size_t len)
{
	unsigned int sum = 0;

	for (size_t i = 0; i < len; i++)
		sum += bytes[i];
	return (uint8_t)sum;
}

/* ---- boards that are well, to be spoilt ---- */

/* JBD: 4 cells, two probes, the tail. */
static const uint8_t jbd_basic[36] = {
	[0] = 0x05,  [1] = 0x30,	      /* 13.28 V */
	[4] = 0x1F,  [5] = 0x40,  [6] = 0x27, /* 80 of 100 Ah */
	[7] = 0x10,  [18] = 0x80, [19] = 80,   [20] = 3,    [21] = 4,
	[22] = 2,    [23] = 0x0B, [24] = 0x73, [25] = 0x0B, /* 20.0 degC */
	[26] = 0x73, [30] = 0x27, [31] = 0x10,
};

static int jbd(uint8_t reg, const uint8_t *payload, size_t len, struct pb_sample *s)
{
	uint8_t bytes[300] = {0xDD, reg, 0, (uint8_t)len};
	unsigned int total = (unsigned int)len;

	memcpy(bytes + 4, payload, len);
	for (size_t i = 0; i < len; i++)
		total += payload[i];
	pb_put_be16(bytes + 4 + len, (uint16_t)(0x10000 - total));
	bytes[6 + len] = 0x77;
	return decode(&pb_codec_jbd, bytes, len + 7, s);
}

/* A reading of which @bytes of register 03 from @at on are @value. */
static struct pb_sample jbd_pack(size_t at, size_t bytes, uint16_t value)
{
	static const uint8_t cells[8] = {0x0C, 0xF8, 0x0C, 0xF8, 0x0C, 0xF8, 0x0C, 0xF8};
	uint8_t basic[sizeof(jbd_basic)];
	struct pb_sample s = {0};

	memcpy(basic, jbd_basic, sizeof(basic));
	if (bytes == 1)
		basic[at] = (uint8_t)value;
	else if (bytes == 2)
		pb_put_be16(basic + at, value);
	ck_assert_int_eq(jbd(0x03, basic, sizeof(basic), &s), 0);
	ck_assert_int_eq(jbd(0x04, cells, sizeof(cells), &s), 0);
	return s;
}

/* Daly's words, from @first on. */
struct block {
	uint16_t first, words;
	uint16_t word[81];
};

static struct block d2_status(void)
{
	struct block block = {0, 62, {0}};

	for (int i = 0; i < 16; i++)
		block.word[i] = 3320;
	block.word[0x20] = block.word[0x21] = 60;
	block.word[0x28] = 531;
	block.word[0x29] = 30000;
	block.word[0x2A] = 800;
	block.word[0x30] = 800;
	block.word[0x31] = 16;
	block.word[0x32] = 2;
	block.word[0x35] = block.word[0x36] = 1;
	return block;
}

static struct block p81_cells(void)
{
	struct block block = {0, 64, {0}};

	for (int i = 0; i < 16; i++)
		block.word[i] = 3320;
	block.word[0x30] = block.word[0x31] = 60;
	block.word[0x38] = 531;
	block.word[0x39] = 30000;
	block.word[0x3A] = 800;
	block.word[0x3C] = 16;
	block.word[0x3D] = 2;
	return block;
}

static struct block p81_status(void)
{
	struct block block = {0x41, 62, {0}};

	block.word[0x4B - 0x41] = 800;
	block.word[0x52 - 0x41] = block.word[0x53 - 0x41] = 1;
	block.word[0x5A - 0x41] = 60;
	return block;
}

static int words(const char *name, const struct block *block, struct pb_sample *s)
{
	bool d2 = strcmp(name, "D2") == 0;
	size_t len = 3 + 2 * (size_t)block->words;
	uint8_t bytes[256] = {d2 ? 0xD2 : 0x51, 0x03, (uint8_t)(2 * block->words)};

	for (size_t i = 0; i < block->words; i++)
		pb_put_be16(bytes + 3 + 2 * i, block->word[i]);
	pb_put_le16(bytes + len, pb_crc16(bytes, len));
	return decode(dialect(name), bytes, len + 2, s);
}

/* A reading of which register @reg is @value. */
static struct pb_sample words_pack(const char *name, uint16_t reg, uint16_t value)
{
	struct block blocks[2] = {d2_status()};
	struct pb_sample s = {0};
	size_t count = 1;

	if (strcmp(name, "P81") == 0) {
		blocks[0] = p81_cells();
		blocks[1] = p81_status();
		count = 2;
	}
	for (size_t i = 0; i < count; i++) {
		if (reg >= blocks[i].first && reg < blocks[i].first + blocks[i].words)
			blocks[i].word[reg - blocks[i].first] = value;
		words(name, &blocks[i], &s);
	}
	return s;
}

static int a5(uint8_t command, const uint8_t *data, struct pb_sample *s)
{
	uint8_t bytes[13] = {0xA5, 0x01, command, 0x08};

	memcpy(bytes + 4, data, 8);
	bytes[12] = sum8(bytes, 12);
	return decode(dialect("A5"), bytes, sizeof(bytes), s);
}

/* A reading of four cells, of which the reply to @command is @data. */
static struct pb_sample a5_pack(uint8_t command, const uint8_t *data)
{
	static const struct {
		uint8_t command, data[8];
	} replies[] = {
		{0x90, {0x00, 133, 0, 0, 0x75, 0x30, 0x03, 0x20}},
		{0x94, {4, 2}},
		{0x95, {1, 0x0C, 0xF8, 0x0C, 0xF8, 0x0C, 0xF8}},
		{0x95, {2, 0x0C, 0xF8}},
		{0x93, {0, 1, 1, 0, 0, 1, 0x38, 0x80}},
		{0x96, {1, 60, 60}},
		{0x97, {0}},
		{0x98, {0}},
	};
	struct pb_sample s = {0};

	for (size_t i = 0; i < PB_ARRAY_SIZE(replies); i++)
		if (a5(replies[i].command, command == replies[i].command ? data : replies[i].data,
		       &s) < 0)
			break;
	return s;
}

/* JK: 32 places, four cells. */
static struct pb_sample jk_pack(size_t at, size_t bytes, uint32_t value, int *ret_decoded)
{
	uint8_t f[300] = {0x55, 0xAA, 0xEB, 0x90, 0x02};
	struct pb_sample s = {.carry.layout = 3};

	for (size_t i = 0; i < 4; i++)
		pb_put_le16(f + 6 + 2 * i, 3320);
	f[70] = 0x0F;
	pb_put_le16(f + 150, 13280);
	pb_put_le16(f + 144, 210);
	pb_put_le16(f + 162, 200);
	pb_put_le16(f + 164, 200);
	pb_put_le16(f + 256, 200);
	pb_put_le16(f + 258, 200);
	f[173] = 80;
	pb_put_le16(f + 174, 40000);
	pb_put_le16(f + 178, 50000);
	f[190] = 100;
	f[198] = f[199] = 1;
	f[214] = 0xFF;
	for (size_t i = 0; i < bytes; i++)
		f[at + i] = (uint8_t)(value >> 8 * i);
	f[299] = sum8(f, 299);
	*ret_decoded = decode(&pb_codec_jk, f, sizeof(f), &s);
	return s;
}

/* Each field of which there is one, where it is. */
static bool has(const struct pb_sample *s, const char *field)
{
	const struct pb_field *f = pb_field_find(PB_SCOPE_PACK, field);
	struct pb_battery data = {.sample = *s};
	int64_t value;

	ck_assert_ptr_nonnull(f);
	return pb_field_get(f, &data, 0, &value);
}

START_TEST(well)
{
	struct pb_sample s = jbd_pack(0, 0, 0);
	int decoded;

	refused_nothing(&pb_codec_jbd, &s);
	s = words_pack("D2", 0xFFFF, 0);
	refused_nothing(dialect("D2"), &s);
	s = words_pack("P81", 0xFFFF, 0);
	refused_nothing(dialect("P81"), &s);
	s = a5_pack(0, NULL);
	refused_nothing(dialect("A5"), &s);
	s = jk_pack(0, 0, 0, &decoded);
	ck_assert_int_eq(decoded, 0);
	refused_nothing(&pb_codec_jk, &s);
}
END_TEST

/* ---- what cannot be ---- */

enum fate { NONE, READING, VALUE, ABSENT }; /* ABSENT: a code for "not there" */

struct spoilt {
	uint16_t at;
	uint8_t bytes;
	uint32_t value;
	enum fate fate;
	const char *field;
	int64_t shown; /* as refused */
};

static void judge(const struct pb_codec *codec, struct pb_sample *s, const struct spoilt *spoilt)
{
	switch (spoilt->fate) {
	case READING:
		refused_whole(codec, s, spoilt->field, spoilt->shown);
		break;
	case VALUE:
		refused_value(codec, s, spoilt->field, spoilt->shown);
		ck_assert_msg(!has(s, spoilt->field), "%s", spoilt->field);
		break;
	case ABSENT:
		refused_nothing(codec, s);
		ck_assert_msg(!has(s, spoilt->field), "%s", spoilt->field);
		break;
	case NONE:
		refused_nothing(codec, s);
		ck_assert_msg(has(s, spoilt->field), "%s", spoilt->field);
		break;
	}
}

static const struct spoilt jbd_bad[] = {
	{0, 2, 0xFFFF, READING, "voltage_mv", 655350},
	{0, 2, 0, READING, "voltage_mv", 0},
	{0, 2, 5312, READING, "voltage_mv", 53120}, /* of 16 cells */
	{19, 1, 101, READING, "soc_permille", 1010},
	{19, 1, 255, READING, "soc_permille", 2550},
	{21, 1, 16, READING, "cell_count", 4}, /* 04 has four */
	{21, 1, 255, READING, "cell_count", 4},
	{8, 2, 0xFFFF, VALUE, "cycles", 65535},
	{4, 2, 12501, VALUE, "remaining_mah", 125010},
	{4, 2, 12500, NONE, "remaining_mah", 0},
	{12, 2, 0x0010, VALUE, "balance_mask", 0x10},
	{14, 2, 0xFFFF, VALUE, "balance_mask", 0xFFFF0000},
	{16, 2, 0xFFFF, ABSENT, "protection_mask", 0},
	{16, 2, 0x8000, NONE, "protection_mask", 0},
	{23, 2, 0xFFFF, VALUE, "temperature_mc", 6280400},
	{23, 2, 0x8000, VALUE, "temperature_mc", 3003700},
	{23, 2, 4232, VALUE, "temperature_mc", 150100},
	{23, 2, 4231, NONE, "temperature_mc", 0}, /* 150.0 degC */
	{23, 2, 2331, NONE, "temperature_mc", 0}, /* -40.0 */
	{23, 2, 2330, ABSENT, "temperature_mc", 0},
	{23, 2, 0, ABSENT, "temperature_mc", 0},
	{28, 2, 0xFFFF, ABSENT, "alarm_mask", 0},
};

START_TEST(jbd_says)
{
	const struct spoilt *spoilt = &jbd_bad[_i];
	struct pb_sample s = jbd_pack(spoilt->at, spoilt->bytes, (uint16_t)spoilt->value);

	judge(&pb_codec_jbd, &s, spoilt);
}
END_TEST

/* The reply to 04 alone: none, too few, too many, an impossible one. */
START_TEST(jbd_cells)
{
	uint8_t cells[64];
	struct pb_sample s = {0};
	struct pb_refusals refusals = {0};

	for (size_t i = 0; i < 32; i++)
		pb_put_be16(cells + 2 * i, 3320);
	for (size_t count = 0; count <= 32; count++) {
		s = jbd_pack(0, 0, 0);
		if (jbd(0x04, cells, 2 * count, &s) < 0) {
			ck_assert_uint_eq(count, 0);
			pb_refusals_add_reply(&refusals, "cells", &s, pb_codec_jbd.bounds);
			ck_assert_str_eq(refusals.rows[0].field->name, "cell_count");
		} else if (count != 4) {
			refused_whole(&pb_codec_jbd, &s, "cell_count", (int64_t)count);
		}
	}
	pb_put_be16(cells, 0xFFFF);
	s = jbd_pack(0, 0, 0);
	ck_assert_int_eq(jbd(0x04, cells, 8, &s), 0);
	refused_whole(&pb_codec_jbd, &s, "cell_mv", 65535);
}
END_TEST

/* The same in D2 and P81, but for the registers. */
static const struct word_bad {
	uint16_t d2, p81, value;
	enum fate fate;
	const char *field;
	int64_t shown;
} words_bad[] = {
	{0x28, 0x38, 0xFFFF, READING, "voltage_mv", 6553500},
	{0x28, 0x38, 0, READING, "voltage_mv", 0},
	{0x29, 0x39, 0, READING, "current_ma", -3000000},
	{0x29, 0x39, 1, READING, "current_ma", -2999900},
	{0x29, 0x39, 9999, READING, "current_ma", -2000100},
	{0x29, 0x39, 10000, NONE, "current_ma", 0},
	{0x29, 0x39, 50000, NONE, "current_ma", 0},
	{0x29, 0x39, 50001, READING, "current_ma", 2000100},
	{0x29, 0x39, 0xFFFF, READING, "current_ma", 3553500},
	{0x2A, 0x3A, 1000, NONE, "soc_permille", 0},
	{0x2A, 0x3A, 1001, READING, "soc_permille", 1001},
	{0x2A, 0x3A, 0xFFFF, READING, "soc_permille", 65535},
	{0x00, 0x00, 0xFFFF, READING, "cell_mv", 65535},
	{0x0F, 0x0F, 6501, READING, "cell_mv", 6501},
	{0x0F, 0x0F, 0, NONE, "cell_mv", 0}, /* a broken wire */
	{0x31, 0x3C, 0, READING, "cell_count", 0},
	{0x31, 0, 33, READING, "cell_count", 33},
	{0x31, 0x3C, 49, READING, "cell_count", 49},
	{0x31, 0x3C, 0xFFFF, READING, "cell_count", 65535},
	{0x31, 0x3C, 8, READING, "voltage_mv", 53100}, /* of twice as many cells */
	{0x32, 0x3D, 9, VALUE, "temperature_count", 9},
	{0x32, 0x3D, 0xFFFF, ABSENT, "temperature_count", 0},
	{0x20, 0x30, 0, ABSENT, "temperature_mc", 0},
	{0x20, 0x30, 0xFF, ABSENT, "temperature_mc", 0},
	{0x20, 0x30, 0xFFFF, ABSENT, "temperature_mc", 0},
	{0x20, 0x30, 0x0100, VALUE, "temperature_mc", 216000},
	{0x20, 0x30, 191, VALUE, "temperature_mc", 151000},
	{0x20, 0x30, 190, NONE, "temperature_mc", 0},
	{0x20, 0x30, 1, NONE, "temperature_mc", 0},
	{0x30, 0x4B, 0xFFFF, ABSENT, "remaining_mah", 0},
	{0x33, 0x4C, 0xFFFF, ABSENT, "cycles", 0},
	{0x34, 0, 0xFFFF, ABSENT, "balancing", 0},
	{0x35, 0x52, 0xFFFF, ABSENT, "charge_fet", 0},
	{0x36, 0x53, 0xFFFF, ABSENT, "discharge_fet", 0},
	{0x35, 0, 2, ABSENT, "charge_fet", 0},
	{0x3A, 0, 0xFFFF, ABSENT, "protection_mask", 0},
	{0x3B, 0, 0xFFFF, ABSENT, "protection_mask", 0},
	{0x3C, 0, 0xFFFF, ABSENT, "protection_mask", 0},
	{0x3A, 0, 0x00FF, ABSENT, "alarm_mask", 0},
	{0, 0x4F, 0xFFFF, ABSENT, "balance_mask", 0},
	{0, 0x50, 0xFFFF, ABSENT, "balance_mask", 0},
	{0, 0x50, 1, VALUE, "balance_mask", 0x10000},
	{0, 0x5A, 0xFFFF, ABSENT, "mos_temperature_mc", 0},
	{0, 0x5A, 0x0200, VALUE, "mos_temperature_mc", 472000},
};

START_TEST(words_say)
{
	const struct word_bad *bad = &words_bad[_i];
	static const char *const names[] = {"D2", "P81"};

	for (size_t i = 0; i < 2; i++) {
		uint16_t reg = i ? bad->p81 : bad->d2;
		struct spoilt spoilt = {
			.fate = bad->fate, .field = bad->field, .shown = bad->shown};
		struct pb_sample s;

		if (reg == 0 && strcmp(bad->field, "cell_mv") != 0)
			continue;
		s = words_pack(names[i], reg, bad->value);
		judge(dialect(names[i]), &s, &spoilt);
	}
}
END_TEST

/* Whole blocks of registers that the board does not have: no reading, and nothing from the rest. */
START_TEST(words_not_there)
{
	static const uint16_t blocks[][2] = {{0, 62},	 {0, 80},     {0x3E, 9},
					     {0x80, 41}, {0xA9, 32},  {0, 64},
					     {0x41, 62}, {0x100, 81}, {0x178, 74}};

	for (size_t i = 0; i < PB_ARRAY_SIZE(blocks); i++) {
		struct block block = {blocks[i][0], blocks[i][1], {0}};
		const char *name = i < 5 ? "D2" : "P81";
		struct pb_sample s = {0};

		memset(block.word, 0xFF, sizeof(block.word));
		if (words(name, &block, &s) < 0)
			refused_whole(dialect(name), &s, "cell_count", 65535);
		else
			ck_assert_uint_eq(s.has, 0);
	}
}
END_TEST

static const struct {
	uint8_t command, data[8];
	struct spoilt spoilt;
} a5_bad[] = {
	{0x90,
	 {0, 0, 0, 0, 0, 0, 0, 0},
	 {.fate = READING, .field = "current_ma", .shown = 3000000}},
	{0x90,
	 {0, 133, 0, 0, 0, 0, 3, 0x20},
	 {.fate = READING, .field = "current_ma", .shown = 3000000}},
	{0x90,
	 {0, 133, 0, 0, 0xFF, 0xFF, 3, 0x20},
	 {.fate = READING, .field = "current_ma", .shown = -3553500}},
	{0x90,
	 {0xFF, 0xFF, 0, 0, 0x75, 0x30, 3, 0x20},
	 {.fate = READING, .field = "voltage_mv", .shown = 6553500}},
	{0x90,
	 {0, 133, 0, 0, 0x75, 0x30, 3, 0xE9},
	 {.fate = READING, .field = "soc_permille", .shown = 1001}},
	{0x90, {0, 133, 0, 0, 0x75, 0x30, 3, 0xE8}, {.fate = NONE, .field = "soc_permille"}},
	{0x94, {0, 2}, {.fate = READING, .field = "cell_count", .shown = 0}},
	{0x94, {49, 2}, {.fate = READING, .field = "cell_count", .shown = 49}},
	{0x94, {255, 255}, {.fate = READING, .field = "cell_count", .shown = 255}},
	{0x94, {4, 17}, {.fate = VALUE, .field = "temperature_count", .shown = 17}},
	{0x94, {4, 255}, {.fate = VALUE, .field = "temperature_count", .shown = 255}},
	{0x94, {4, 2, 0, 0, 0, 0xFF, 0xFF}, {.fate = VALUE, .field = "cycles", .shown = 65535}},
	{0x95,
	 {1, 0xFF, 0xFF, 12, 248, 12, 248},
	 {.fate = READING, .field = "cell_mv", .shown = 65535}},
	{0x93,
	 {0, 1, 1, 0, 255, 255, 255, 255},
	 {.fate = VALUE, .field = "remaining_mah", .shown = 4294967295}},
	{0x93, {0, 255, 1, 0, 0, 1, 0x38, 0x80}, {.fate = ABSENT, .field = "charge_fet"}},
	{0x93, {0, 1, 255, 0, 0, 1, 0x38, 0x80}, {.fate = ABSENT, .field = "discharge_fet"}},
	{0x96, {1, 0, 60}, {.fate = ABSENT, .field = "temperature_mc"}},
	{0x96, {1, 255, 60}, {.fate = ABSENT, .field = "temperature_mc"}},
	{0x96, {1, 191, 60}, {.fate = VALUE, .field = "temperature_mc", .shown = 151000}},
	{0x96, {1, 25, 60}, {.fate = NONE, .field = "temperature_mc"}},
	{0x97, {0x10}, {.fate = VALUE, .field = "balance_mask", .shown = 0x10}},
	{0x98, {0xFF}, {.fate = ABSENT, .field = "protection_mask"}},
	{0x98, {0, 0, 0, 0, 0xFF}, {.fate = ABSENT, .field = "protection_mask"}},
};

START_TEST(a5_says)
{
	struct pb_sample s = a5_pack(a5_bad[_i].command, a5_bad[_i].data);

	if (a5_bad[_i].command == 0x95)
		a5(0x95, a5_bad[_i].data, &s); /* the second frame's place in a5_pack() has it */
	judge(dialect("A5"), &s, &a5_bad[_i].spoilt);
}
END_TEST

static const struct spoilt jk_bad[] = {
	{150, 4, 0, READING, "voltage_mv", 0},
	{150, 4, 600001, READING, "voltage_mv", 600001},
	{150, 4, 0x7FFFFFFF, READING, "voltage_mv", INT32_MAX},
	{150, 4, 0xFFFFFFFF, READING, "voltage_mv", INT32_MAX},
	{158, 4, 0x7FFFFFFF, READING, "current_ma", INT32_MAX},
	{158, 4, 0x80000000, READING, "current_ma", INT32_MIN},
	{158, 4, 2000000, NONE, "current_ma", 0},
	{158, 4, 2000001, READING, "current_ma", 2000001},
	{158, 4, 0xFFFFFFFF, NONE, "current_ma", 0}, /* -1 mA */
	{173, 1, 101, READING, "soc_permille", 1010},
	{173, 1, 255, READING, "soc_permille", 2550},
	{6, 2, 0xFFFF, READING, "cell_mv", 65535},
	{70, 4, 0, READING, "cell_count", 0},
	{174, 4, 0xFFFFFFFF, VALUE, "remaining_mah", 0xFFFFFFFF},
	{174, 4, 62501, VALUE, "remaining_mah", 62501},
	{174, 4, 62500, NONE, "remaining_mah", 0},
	{178, 4, 0xFFFFFFFF, VALUE, "full_mah", 0xFFFFFFFF},
	{178, 4, 0, ABSENT, "full_mah", 0},
	{182, 4, 65535, VALUE, "cycles", 65535},
	{182, 4, 0xFFFFFFFF, VALUE, "cycles", INT32_MAX},
	{190, 1, 0, ABSENT, "soh_permille", 0},
	{190, 1, 101, VALUE, "soh_permille", 1010},
	{162, 2, 0xF830, ABSENT, "temperature_mc", 0}, /* -200.0 degC */
	{162, 2, 0x7FFF, VALUE, "temperature_mc", 3276700},
	{162, 2, 0x8000, VALUE, "temperature_mc", -3276800},
	{162, 2, 0xFDA7, VALUE, "temperature_mc", -60100},
	{162, 2, 0xFE70, NONE, "temperature_mc", 0}, /* -40.0 */
	{144, 2, 0x7FFF, VALUE, "mos_temperature_mc", 3276700},
	{166, 4, 0xFFFFFFFF, ABSENT, "alarm_mask", 0},
	{166, 4, 0xFFFFFFFF, ABSENT, "protection_mask", 0},
	{172, 1, 255, ABSENT, "balancing", 0},
	{198, 1, 255, ABSENT, "charge_fet", 0},
	{199, 1, 2, ABSENT, "discharge_fet", 0},
};

START_TEST(jk_says)
{
	const struct spoilt *spoilt = &jk_bad[_i];
	int decoded;
	struct pb_sample s = jk_pack(spoilt->at, spoilt->bytes, spoilt->value, &decoded);

	ck_assert_int_eq(decoded, spoilt->at == 70 ? -EPROTO : 0);
	judge(&pb_codec_jk, &s, spoilt);
}
END_TEST

/* ---- what can be ---- */

/* Frames that no board sent: a mask made for a test, of a pack that has fewer cells. */
static bool made_up(const char *id)
{
	return strcmp(id, "syn-balancing-msb-claim") == 0 || strcmp(id, "a5-14s-sr-97") == 0;
}

static const struct pb_codec *codec_of(const char *file, const struct captured *captured)
{
	const char *protocol = json_string_value(json_object_get(captured->entry, "protocol"));

	if (file[0] == 'j')
		return file[1] == 'b' ? &pb_codec_jbd : &pb_codec_jk;
	return dialect(strcmp(protocol, "daly-d2") == 0	   ? "D2"
		       : strcmp(protocol, "daly-p81") == 0 ? "P81"
							   : "A5");
}

/* All frames of the entry, added to what its device said before. @return false: none was sound. */
static bool feed(const struct pb_codec *codec, const struct captured *captured, struct pb_sample *s)
{
	struct pb_stream stream = {0};
	struct pb_frame frame;
	bool sound = false;

	pb_stream_push(&stream, captured->bytes, captured->len);
	while (pb_stream_next(&stream, codec, NULL, &frame))
		sound |= codec->decode(&frame, s) == 0;
	return sound;
}

/* A device's frames stand together; its cells and its voltage may be of different moments. */
START_TEST(captures)
{
	static const char *const files[] = {"jbd/frames.json", "daly/frames.json",
					    "jk/frames.json"};
	json_t *root = captured_load(files[_i]);
	size_t count = json_array_size(json_object_get(root, "entries")), checked = 0;
	const char *device = "", *before;
	struct pb_sample known = {0};

	for (size_t i = 0; i < count; i++) {
		struct captured captured;
		const struct pb_codec *codec;
		struct pb_sample s;

		captured_get(root, i, &captured);
		codec = codec_of(files[_i], &captured);
		before = device;
		device = json_string_value(json_object_get(captured.entry, "device"));
		if (!device || strcmp(device, before) != 0)
			known = (struct pb_sample){0};
		device = device ? device : "";
		s = known;
		if (!feed(codec, &captured, &s) || made_up(captured.id))
			continue;
		known = s;
		refused_nothing(codec, &s);
		checked++;
	}
	json_decref(root);
	ck_assert_uint_gt(checked, count / 2);
}
END_TEST

/* Real extremes, made into frames. */
START_TEST(extremes)
{
	struct pb_sample s;
	uint8_t cells[96];
	int decoded;

	/* JBD in tenths: 500 A, 840 of 1000 Ah, -15 degC */
	static const uint8_t large[27] = {0x15, 0x10, 0x13, 0x88,	 0x20, 0xD0, 0x27,
					  0x10, 0,    0x05, [18] = 0x20, 0x54, 0x83, 0x10,
					  0x02, 0x0A, 0x15, 0x0A,	 0xB0};
	s = (struct pb_sample){0};
	for (size_t i = 0; i < 48; i++)
		pb_put_be16(cells + 2 * i, 3370);
	ck_assert_int_eq(jbd(0x03, large, sizeof(large), &s), 0);
	ck_assert_int_eq(jbd(0x04, cells, 32, &s), 0);
	refused_nothing(&pb_codec_jbd, &s);
	ck_assert_int_eq(s.current_ma, 500000);
	ck_assert_int_eq(s.remaining_mah, 840000);
	ck_assert_int_eq(s.temperature_mc[0], -15000);

	/* P81: 48 cells of which a wire is broken */
	struct block block = p81_cells(), status = p81_status();
	for (int i = 0; i < 48; i++)
		block.word[i] = i == 20 ? 0 : 3320;
	block.word[0x30] = block.word[0x31] = block.word[0x3D] = 0;
	block.word[0x38] = 1594;
	block.word[0x3A] = 1000;
	block.word[0x3C] = 48;
	s = (struct pb_sample){0};
	ck_assert_int_eq(words("P81", &block, &s), 0);
	ck_assert_int_eq(words("P81", &status, &s), 0);
	refused_nothing(dialect("P81"), &s);
	ck_assert_int_eq(s.cell_count, 48);

	/* JK: a learned capacity that is less than what is left, a milliampere, 0 % */
	s = jk_pack(174, 4, 55000, &decoded);
	refused_nothing(&pb_codec_jk, &s);
	s = jk_pack(158, 4, 12, &decoded);
	refused_nothing(&pb_codec_jk, &s);
	s = jk_pack(173, 1, 0, &decoded);
	refused_nothing(&pb_codec_jk, &s);
}
END_TEST

int main(void)
{
	TCase *tcase = tcase_create("plausible");

	tcase_add_test(tcase, well);
	tcase_add_loop_test(tcase, jbd_says, 0, PB_ARRAY_SIZE(jbd_bad));
	tcase_add_test(tcase, jbd_cells);
	tcase_add_loop_test(tcase, words_say, 0, PB_ARRAY_SIZE(words_bad));
	tcase_add_test(tcase, words_not_there);
	tcase_add_loop_test(tcase, a5_says, 0, PB_ARRAY_SIZE(a5_bad));
	tcase_add_loop_test(tcase, jk_says, 0, PB_ARRAY_SIZE(jk_bad));
	tcase_add_loop_test(tcase, captures, 0, 3);
	tcase_add_test(tcase, extremes);
	return pb_run_suite("bms/plausible", tcase);
}
