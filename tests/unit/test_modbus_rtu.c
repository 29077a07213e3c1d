/* SPDX-License-Identifier: MIT */
#include "packbridge/base.h"
#include "packbridge/modbus.h"
#include "suite.h"

#include <stdio.h>
#include <string.h>

static struct pb_rtu rtu;

/* units 1 and 0x11 are ours */
static bool ours(void *userdata, uint8_t unit)
{
	ck_assert_ptr_eq(userdata, &rtu);
	return unit == 1 || unit == 0x11;
}

static void setup(void)
{
	rtu = (struct pb_rtu){.framer = {.ours = ours, .userdata = &rtu}};
}

/* @adu gets the bytes of @hex and their CRC. */
static size_t frame(uint8_t *adu, const char *hex)
{
	int len = pb_hex_parse(hex, adu, PB_RTU_ADU_MAX - 2);

	ck_assert_int_gt(len, 1);
	return pb_rtu_wrap(adu, adu[0], (size_t)len - 1);
}

/* What was found, as "unit:pdu unit:pdu ". */
static char found[65536];
static size_t found_len;

static void take(bool silence)
{
	struct pb_adu f;

	while (pb_rtu_next(&rtu, silence, &f)) {
		char hex[2 * PB_PDU_MAX + 1];

		ck_assert_uint_ge(f.pdu_len, 1);
		ck_assert_uint_le(f.pdu_len, PB_PDU_MAX);
		for (size_t i = 0; i < f.pdu_len; i++)
			snprintf(hex + 2 * i, 3, "%02X", f.pdu[i]);
		found_len += (size_t)snprintf(found + found_len, sizeof(found) - found_len,
					      "%02X:%s ", f.unit, hex);
	}
}

static void feed(const uint8_t *bytes, size_t len, size_t chunk)
{
	while (len > 0) {
		size_t part = len < chunk ? len : chunk;
		size_t taken = pb_rtu_push(&rtu, bytes, part);

		take(false);
		bytes += taken;
		len -= taken;
	}
}

static void start(void)
{
	found_len = 0;
	found[0] = '\0';
}

/*
 * A line: frames in hex without their CRC, divided by
 *	" " one behind the other	"/" a silence between
 * and before a frame: "!" its CRC is wrong, "~" bytes as they are, without a CRC.
 */
static size_t line(const char *text, uint8_t *out, size_t *silences, size_t *ret_count)
{
	char copy[1024], *save = NULL;
	size_t len = 0;

	*ret_count = 0;
	snprintf(copy, sizeof(copy), "%s", text);
	for (char *word = strtok_r(copy, " ", &save); word; word = strtok_r(NULL, " ", &save)) {
		if (strcmp(word, "/") == 0) {
			silences[(*ret_count)++] = len;
		} else if (word[0] == '~') {
			len += (size_t)pb_hex_parse(word + 1, out + len, 512);
		} else {
			len += frame(out + len, word + (word[0] == '!'));
			if (word[0] == '!')
				out[len - 1] ^= 0x40;
		}
	}
	return len;
}

static const struct {
	const char *line, *found;
	uint32_t errors;
} lines[] = {
	{"010300000001", "01:0300000001 ", 0},
	{"010300000001 110400000002", "01:0300000001 11:0400000002 ", 0},
	{"010300000001 010300000001 010300000001", "01:0300000001 01:0300000001 01:0300000001 ", 0},
	/* every function's length */
	{"0105000AFF00 0106000A1234 0107 010800001234 010B 0111",
	 "01:05000AFF00 01:06000A1234 01:07 01:0800001234 01:0B 01:11 ", 0},
	{"010F0000000A02FF03 01100000000204AABBCCDD 011600000F0F1234 010300000001",
	 "01:0F0000000A02FF03 01:100000000204AABBCCDD 01:1600000F0F1234 01:0300000001 ", 0},
	{"011700000001000000010212AB 012B0E0100 01180001",
	 "01:1700000001000000010212AB 01:2B0E0100 01:180001 ", 0},
	/* without a known length: by the silence */
	{"0142DEADBEEF /", "01:42DEADBEEF ", 0},
	{"012B0D0100 / 010300000001", "01:2B0D0100 01:0300000001 ", 0},
	{"010800001234567890 /", "01:0800001234567890 ", 0},
	{"0180 / 010300000001", "01:80 01:0300000001 ", 0},
	/* broadcast */
	{"000600000001", "00:0600000001 ", 0},
	/* others' requests and replies, with silences and in one piece */
	{"050300000001 / 0503021234 / 010300000001", "01:0300000001 ", 0},
	{"050300000001 0503021234 010300000001", "01:0300000001 ", 0},
	{"050300000001 050302ABCD 050300000001 050302ABCD 010300000001", "01:0300000001 ", 0},
	/* absent ones; and who asks again */
	{"050300000001 010300000001", "01:0300000001 ", 0},
	{"050300000001 / 050300000001 / 050300000001 010300000001", "01:0300000001 ", 0},
	{"050300000001 058302 010300000001", "01:0300000001 ", 0},
	{"050600010002 050600010002 010300000001", "01:0300000001 ", 0},
	/* ... of whom an absent one is asked twice, and then refuses */
	{"050600010002 050600010002 058602 010300000001", "01:0300000001 ", 0},
	{"0510000000020412345678 051000000002 010300000001", "01:0300000001 ", 0},
	{"0517000000020000000102ABCD 05170411223344 010300000001", "01:0300000001 ", 0},
	{"0542AA / 0542BBCCDD / 010300000001", "01:0300000001 ", 0},
	/* a reply of another server whose data looks like a request for us, CRC and all */
	{"050300000004 05030801030000000184 / 010300000001", "01:0300000001 ", 0},
	/* wrong CRC: nothing until the silence */
	{"!010300000001 / 010300000001", "01:0300000001 ", 1},
	{"!010300000001 / !010300000001 / 010300000001", "01:0300000001 ", 2},
	/* pieces */
	{"~0103 / 010300000001", "01:0300000001 ", 1},
	{"~01 / ~03 / 010300000001", "01:0300000001 ", 2},
	/* noise of the line's turn-around */
	{"~00 010300000001", "01:0300000001 ", 1},
	{"~FF 010300000001", "01:0300000001 ", 1},
	{"~FFFE00 010300000001 / 010300000002", "01:0300000001 01:0300000002 ", 1},
	{"~FFFE00FF 010300000001 / 010300000002", "01:0300000002 ", 1},
};

START_TEST(finds_requests)
{
	uint8_t bytes[2048];
	size_t silences[32], count, len = line(lines[_i].line, bytes, silences, &count);

	for (size_t chunk = 1; chunk <= len; chunk++) {
		size_t at = 0;

		setup();
		start();
		for (size_t i = 0; i < count; i++) {
			feed(bytes + at, silences[i] - at, chunk);
			take(true);
			at = silences[i];
		}
		feed(bytes + at, len - at, chunk);
		take(true);
		ck_assert_msg(strcmp(found, lines[_i].found) == 0, "'%s' by %zu gives '%s'",
			      lines[_i].line, chunk, found);
		ck_assert_uint_eq(rtu.framer.errors, lines[_i].errors);
	}
}
END_TEST

START_TEST(checksum)
{
	/* published examples: 01 03 00 00 00 0A C5 CD; 11 03 00 6B 00 03 76 87 */
	static const uint8_t a[] = {1, 3, 0, 0, 0, 0x0A}, b[] = {0x11, 3, 0, 0x6B, 0, 3};
	uint8_t adu[8] = {0, 3, 0, 0, 0, 0x0A};

	ck_assert_uint_eq(pb_crc16(a, sizeof(a)), 0xCDC5);
	ck_assert_uint_eq(pb_crc16(b, sizeof(b)), 0x8776);
	ck_assert_uint_eq(pb_rtu_wrap(adu, 1, 5), 8);
	ck_assert_uint_eq(adu[0], 1);
	ck_assert_uint_eq(adu[6], 0xC5);
	ck_assert_uint_eq(adu[7], 0xCD);
}
END_TEST

START_TEST(gaps)
{
	ck_assert_uint_eq(pb_rtu_gap_us(1200), 32083);
	ck_assert_uint_eq(pb_rtu_gap_us(9600), 4010);
	ck_assert_uint_eq(pb_rtu_gap_us(19200), 2005);
	ck_assert_uint_eq(pb_rtu_gap_us(38400), 1750);
	ck_assert_uint_eq(pb_rtu_gap_us(115200), 1750);
}
END_TEST

START_TEST(endless_noise)
{
	uint8_t bytes[PB_RTU_ADU_MAX];
	size_t len;

	start();
	for (int i = 0; i < 100; i++) {
		memset(bytes, 0xA0 + i, 100);
		feed(bytes, 100, 100);
	}
	ck_assert_uint_ge(rtu.framer.overruns, 1);
	take(true);
	ck_assert_str_eq(found, "");
	len = frame(bytes, "010300000001");
	feed(bytes, len, len);
	ck_assert_str_eq(found, "01:0300000001 ");
}
END_TEST

START_TEST(largest_frames)
{
	uint8_t bytes[PB_RTU_ADU_MAX] = {1, 16, 0, 0, 0, 123, 246};

	start();
	ck_assert_uint_eq(pb_rtu_wrap(bytes, 1, 252), 255);
	feed(bytes, 255, 7);
	ck_assert_uint_eq(found_len, 4 + 2 * 252);
	/* 256 bytes, of no known function */
	start();
	bytes[1] = 0x42;
	ck_assert_uint_eq(pb_rtu_wrap(bytes, 1, 253), 256);
	feed(bytes, 256, 50);
	take(true);
	ck_assert_uint_eq(found_len, 4 + 2 * 253);
}
END_TEST

/* A busy line in pieces of any size, without one silence: all of ours in order, nothing else. */
START_TEST(busy_line)
{
	static uint8_t stream[65536];
	static char expected[65536];
	struct pb_random random;
	size_t len = 0, expected_len = 0, at = 0;

	pb_random_seed(&random, 485);
	while (len + 600 < sizeof(stream) && expected_len + 100 < sizeof(expected)) {
		uint8_t unit = (uint8_t)(1 + pb_random_below(&random, 4));
		uint8_t *adu = stream + len, count = (uint8_t)(1 + pb_random_below(&random, 100));

		memcpy(adu, ((const uint8_t[]){unit, 3, 0x10, 0x20, 0, count}), 6);
		len += pb_rtu_wrap(adu, unit, 5);
		if (unit == 1) {
			expected_len += (size_t)snprintf(expected + expected_len,
							 sizeof(expected) - expected_len,
							 "01:03102000%02X ", count);
			continue;
		}
		if (unit == 4) /* is not there */
			continue;
		adu = stream + len;
		memcpy(adu, ((const uint8_t[]){unit, 3, (uint8_t)(2 * count)}), 3);
		for (size_t i = 0; i < 2 * (size_t)count; i++)
			adu[3 + i] = (uint8_t)pb_random_next(&random);
		len += pb_rtu_wrap(adu, unit, 2 + 2 * (size_t)count);
	}
	start();
	while (at < len) {
		size_t part = 1 + pb_random_below(&random, 40);

		if (part > len - at)
			part = len - at;
		feed(stream + at, part, part);
		at += part;
	}
	ck_assert_str_eq(found, expected);
	ck_assert_uint_eq(rtu.framer.errors, 0);
	ck_assert_uint_eq(rtu.framer.overruns, 0);
}
END_TEST

int main(void)
{
	TCase *tcase = tcase_create("rtu");

	tcase_add_checked_fixture(tcase, setup, NULL);
	tcase_add_loop_test(tcase, finds_requests, 0, (int)PB_ARRAY_SIZE(lines));
	tcase_add_test(tcase, checksum);
	tcase_add_test(tcase, gaps);
	tcase_add_test(tcase, endless_noise);
	tcase_add_test(tcase, largest_frames);
	tcase_add_test(tcase, busy_line);
	return pb_run_suite("modbus/rtu", tcase);
}
