/* SPDX-License-Identifier: MIT */
#include "packbridge/base.h"
#include "packbridge/modbus.h"
#include "suite.h"

#include <stdio.h>
#include <string.h>

/*
 * The image, by table (i input, h holding, d discrete inputs, c coils):
 *
 *	ih  0..9    d  0..12    c 0..7	ih  10..11 behind it without a gap
 *	ih 20..144  old: exception 0B	h   145..149 old: silence
 *	h  150..160 good		c   65528..65535	ih 65530..65535
 *	c  100..2199			d   13..19 behind the first	d 20..29 old: 0B
 */
static uint8_t first[20], second[4], big[250], silent[10], after[22], last[12];
static uint8_t bits_a[2] = {0xA5, 0x0C}, bits_b[1] = {0x5D}, coils[1] = {0x81};
static uint8_t many[263], coils_end[1] = {0xC3}, bits_old[2] = {0xFF, 0xFF};

static const struct pb_block blocks[] = {
	{PB_TABLE_INPUT | PB_TABLE_HOLDING, PB_FAULT_NONE, 0, 10, first, NULL},
	{PB_TABLE_DISCRETE, PB_FAULT_NONE, 0, 13, bits_a, NULL},
	{PB_TABLE_COIL, PB_FAULT_NONE, 0, 8, coils, NULL},
	{PB_TABLE_INPUT | PB_TABLE_HOLDING, PB_FAULT_NONE, 10, 2, second, NULL},
	{PB_TABLE_DISCRETE, PB_FAULT_NONE, 13, 7, bits_b, NULL},
	{PB_TABLE_INPUT | PB_TABLE_HOLDING, PB_FAULT_EXCEPTION, 20, 125, big, NULL},
	{PB_TABLE_DISCRETE, PB_FAULT_EXCEPTION, 20, 10, bits_old, NULL},
	{PB_TABLE_COIL, PB_FAULT_NONE, 100, 2100, many, NULL},
	{PB_TABLE_HOLDING, PB_FAULT_SILENT, 145, 5, silent, NULL},
	{PB_TABLE_HOLDING, PB_FAULT_NONE, 150, 11, after, NULL},
	{PB_TABLE_COIL, PB_FAULT_NONE, 65528, 8, coils_end, NULL},
	{PB_TABLE_INPUT | PB_TABLE_HOLDING, PB_FAULT_NONE, 65530, 6, last, NULL},
};
static const struct pb_image image = {.blocks = blocks, .block_count = PB_ARRAY_SIZE(blocks)};

/* each block starts with its own value and counts up: 0x0100.., 0x0200.. */
static void number(uint8_t *bytes, size_t len, uint8_t high)
{
	for (size_t i = 0; i + 1 < len; i += 2) {
		bytes[i] = high;
		bytes[i + 1] = (uint8_t)(i / 2);
	}
}

static void setup(void)
{
	number(first, sizeof(first), 1);
	number(second, sizeof(second), 2);
	number(big, sizeof(big), 3);
	number(silent, sizeof(silent), 4);
	number(after, sizeof(after), 5);
	number(last, sizeof(last), 6);
	for (size_t i = 0; i < sizeof(many); i++)
		many[i] = (uint8_t)(i * 37 + 11);
}

/* "" as the reply means silence */
static const struct {
	const char *request, *reply;
} cases[] = {
	/* registers: input and holding, one and several, spans */
	{"03 0000 0001", "03 02 0100"},
	{"04 0000 0003", "04 06 0100 0101 0102"},
	{"03 0009 0001", "03 02 0109"},
	{"03 0009 0003", "03 06 0109 0200 0201"},
	{"04 0000 000C", "04 18 0100 0101 0102 0103 0104 0105 0106 0107 0108 0109 0200 0201"},
	{"03 FFFA 0006", "03 0C 0600 0601 0602 0603 0604 0605"},
	{"04 FFFF 0001", "04 02 0605"},
	{"03 0096 000B", "03 16 0500 0501 0502 0503 0504 0505 0506 0507 0508 0509 050A"},

	/* bits: the first in the lowest bit, unaligned, over blocks, padded with 0 */
	{"02 0000 0001", "02 01 01"},
	{"02 0000 0008", "02 01 A5"},
	{"02 0000 000D", "02 02 A5 0C"},
	{"02 0001 0007", "02 01 52"},
	{"02 0003 0008", "02 01 94"},
	{"02 0000 0014", "02 03 A5 AC 0B"},
	{"02 000C 0002", "02 01 02"},
	{"02 000D 0007", "02 01 5D"},
	{"01 0000 0008", "01 01 81"},
	{"01 0007 0001", "01 01 01"},
	{"01 FFF8 0008", "01 01 C3"},
	{"01 FFFF 0001", "01 01 01"},

	/* 01: functions that are not there; the top bit is set, whatever the code is */
	{"08 0000 0001", "88 01"},
	{"11", "91 01"},
	{"14 07 06 0001 0000 0001", "94 01"},
	{"2B 0E 01 00", "AB 01"},
	{"42", "C2 01"},
	{"7F", "FF 01"},
	{"00", "80 01"},
	{"80 0000 0001", "80 01"},
	{"83 0000 0001", "83 01"},
	{"FF", "FF 01"},

	/* writes: known, but nothing here can be written: 02 */
	{"05 0000 FF00", "85 02"},
	{"06 0000 0001", "86 02"},
	{"0F 0000 0001 01 01", "8F 02"},
	{"10 0000 0001 02 0001", "90 02"},
	{"16 0000 0000 0001", "96 02"},
	{"17 0000 0001 0000 0001 02 0001", "97 02"},

	/* 03: quantity */
	{"03 0000 0000", "83 03"},
	{"03 0000 007E", "83 03"},
	{"04 0000 FFFF", "84 03"},
	{"01 0064 0000", "81 03"},
	{"01 0064 07D1", "81 03"},
	{"02 0000 FFFF", "82 03"},

	/* 03: length */
	{"03", "83 03"},
	{"03 0000 00", "83 03"},
	{"03 0000 0001 00", "83 03"},
	{"01 0000 0001 00 00 00", "81 03"},
	{"04 0000", "84 03"},

	/* 02: holes, ends, overflow, the wrong table */
	{"03 000C 0001", "83 02"},
	{"03 000B 0002", "83 02"},
	{"04 0013 0001", "84 02"},
	{"04 0091 0001", "84 02"},
	{"03 00A0 0002", "83 02"},
	{"03 FFF9 0002", "83 02"},
	{"03 FFFF 0002", "83 02"},
	{"03 FFFF 007D", "83 02"},
	{"01 0008 0001", "81 02"},
	{"01 0007 0002", "81 02"},
	{"01 FFFF 0002", "81 02"},
	{"01 FFFF 07D0", "81 02"},
	{"02 FFF8 0001", "82 02"},
	{"02 001E 0001", "82 02"},

	/* old data: exception or silence for whoever touches it */
	{"03 0014 0001", "83 0B"},
	{"04 0014 007D", "84 0B"},
	{"04 0090 0001", "84 0B"},
	{"02 0013 0002", "82 0B"},
	{"03 0091 0001", ""},
	{"03 0095 0002", ""},
	{"03 0090 0002", "83 0B"},

	/* the order of the checks, in pairs: 01 < 03 < 02 < fault */
	{"08 FFFF 0000", "88 01"},
	{"03 FFFF 0000", "83 03"},
	{"03 000C 007E", "83 03"},
	{"03 0014 0000", "83 03"},
	{"03 0014 007E", "83 03"},
	{"03 0091 0000", "83 03"},
	{"03 0014 0001 00", "83 03"},
	{"04 0013 0002", "84 02"},
	{"04 008C 0006", "84 02"},
	{"02 001D 0002", "82 02"},
	{"03 0091 0011", "83 02"},
};

static size_t parse(const char *hex, uint8_t *out, size_t cap)
{
	int len = pb_hex_parse(hex, out, cap);

	ck_assert_int_ge(len, 0);
	return (size_t)len;
}

START_TEST(answers)
{
	uint8_t request[PB_PDU_MAX], expected[PB_PDU_MAX], reply[PB_PDU_MAX];
	size_t request_len = parse(cases[_i].request, request, sizeof(request));
	size_t expected_len = parse(cases[_i].reply, expected, sizeof(expected));

	memset(reply, 0xEE, sizeof(reply));
	ck_assert_uint_eq(pb_modbus_reply(NULL, &image, request, request_len, reply), expected_len);
	ck_assert_mem_eq(reply, expected, expected_len);
}
END_TEST

START_TEST(largest_reads)
{
	static const uint8_t registers[] = {4, 0, 20, 0, 125};
	static const uint8_t bits[] = {1, 0, 100, 0x07, 0xD0};
	struct pb_block good[PB_ARRAY_SIZE(blocks)];
	struct pb_image fresh = {.blocks = good, .block_count = PB_ARRAY_SIZE(good)};
	uint8_t reply[PB_PDU_MAX];

	memcpy(good, blocks, sizeof(good));
	good[5].fault = PB_FAULT_NONE;
	ck_assert_uint_eq(pb_modbus_reply(NULL, &fresh, registers, sizeof(registers), reply), 252);
	ck_assert_uint_eq(reply[1], 250);
	ck_assert_mem_eq(reply + 2, big, 250);

	ck_assert_uint_eq(pb_modbus_reply(NULL, &fresh, bits, sizeof(bits), reply), 252);
	ck_assert_uint_eq(reply[1], 250);
	ck_assert_mem_eq(reply + 2, many, 250);
}
END_TEST

/* any start and any quantity: each bit of the reply is the bit of that address, the rest is 0 */
START_TEST(every_alignment)
{
	for (unsigned int start = 0; start < 20; start++) {
		for (unsigned int count = 1; count <= 20 - start; count++) {
			uint8_t request[5] = {2, 0, (uint8_t)start, 0, (uint8_t)count};
			uint8_t reply[PB_PDU_MAX], expected[3] = {0};
			size_t bytes = (count + 7) / 8;

			for (unsigned int i = 0; i < count; i++) {
				unsigned int bit = start + i;
				const uint8_t *from = bit < 13 ? bits_a : bits_b;
				unsigned int at = bit < 13 ? bit : bit - 13;
				unsigned int value = (unsigned int)from[at / 8] >> at % 8 & 1;

				expected[i / 8] |= (uint8_t)(value << i % 8);
			}
			memset(reply, 0xEE, sizeof(reply));
			ck_assert_uint_eq(pb_modbus_reply(NULL, &image, request, 5, reply),
					  2 + bytes);
			ck_assert_uint_eq(reply[1], bytes);
			ck_assert_mem_eq(reply + 2, expected, bytes);
		}
	}
}
END_TEST

START_TEST(no_such_unit)
{
	for (unsigned int function = 0; function < 256; function++) {
		uint8_t request[5] = {(uint8_t)function, 0xFF, 0xFF, 0, 0}, reply[PB_PDU_MAX];

		ck_assert_uint_eq(pb_modbus_reply(NULL, NULL, request, sizeof(request), reply), 2);
		ck_assert_uint_eq(reply[0], function | 0x80);
		ck_assert_uint_eq(reply[1], 0x0A);
	}
}
END_TEST

START_TEST(nothing_asked)
{
	uint8_t reply[PB_PDU_MAX];

	ck_assert_uint_eq(pb_modbus_reply(NULL, &image, (const uint8_t *)"", 0, reply), 0);
	ck_assert_uint_eq(pb_modbus_reply(NULL, NULL, (const uint8_t *)"", 0, reply), 0);
}
END_TEST

START_TEST(empty_image)
{
	static const struct pb_image empty = {0};
	static const uint8_t request[] = {3, 0, 0, 0, 1};
	uint8_t reply[PB_PDU_MAX];

	ck_assert_uint_eq(pb_modbus_reply(NULL, &empty, request, sizeof(request), reply), 2);
	ck_assert_uint_eq(reply[1], PB_EXCEPTION_ILLEGAL_ADDRESS);
}
END_TEST

int main(void)
{
	TCase *tcase = tcase_create("responder");

	tcase_add_unchecked_fixture(tcase, setup, NULL);
	tcase_add_loop_test(tcase, answers, 0, PB_ARRAY_SIZE(cases));
	tcase_add_test(tcase, largest_reads);
	tcase_add_test(tcase, every_alignment);
	tcase_add_test(tcase, no_such_unit);
	tcase_add_test(tcase, nothing_asked);
	tcase_add_test(tcase, empty_image);
	return pb_run_suite("modbus/responder", tcase);
}
