/* SPDX-License-Identifier: MIT */
/*
 * Writes: what is refused and in which order, that a refused one changes nothing, and that the
 * others do to the registers what libmodbus's modbus_reply() does.
 */
#include "packbridge/base.h"
#include "packbridge/modbus.h"
#include "suite.h"

#include <modbus.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/*
 *	h 0..9 writable but 5	h 10..19 writable	h 20..29 old, writable	h 30..39 read-only
 *	i 0..9			c 0..12 writable	c 13..20 read-only	h 100..355 writable
 *	h 40 old and silent, writable
 */
static uint8_t low[20], high[20], old[20], fixed[20], silent[2], coils[2], more_coils[1], big[512];
static const uint8_t but_5[] = {0xDF, 0x03}, all[32] = {[0 ... 31] = 0xFF};

static const struct pb_block blocks[] = {
	{PB_TABLE_HOLDING, PB_FAULT_NONE, 0, 10, low, but_5},
	{PB_TABLE_INPUT, PB_FAULT_NONE, 0, 10, low, NULL},
	{PB_TABLE_COIL, PB_FAULT_NONE, 0, 13, coils, all},
	{PB_TABLE_HOLDING, PB_FAULT_NONE, 10, 10, high, all},
	{PB_TABLE_COIL, PB_FAULT_NONE, 13, 8, more_coils, NULL},
	{PB_TABLE_HOLDING, PB_FAULT_EXCEPTION, 20, 10, old, all},
	{PB_TABLE_HOLDING, PB_FAULT_NONE, 30, 10, fixed, NULL},
	{PB_TABLE_HOLDING, PB_FAULT_SILENT, 40, 1, silent, all},
	{PB_TABLE_HOLDING, PB_FAULT_NONE, 100, 256, big, all},
};

static unsigned int writes;
static enum pb_exception refusal;

static void put_bit(uint8_t *bytes, uint32_t at, bool on)
{
	bytes[at / 8] = (uint8_t)((bytes[at / 8] & ~(1U << at % 8)) | (unsigned int)on << at % 8);
}

static const struct pb_peer somebody = {.name = "10.0.0.7"};
static const struct pb_origin origin = {.peer = &somebody};

static enum pb_exception store(void *userdata, const struct pb_peer *peer, enum pb_table table,
			       uint16_t addr, uint16_t count, const uint8_t *bytes)
{
	ck_assert_ptr_eq(userdata, &writes);
	ck_assert_ptr_eq(peer, &somebody);
	writes++;
	if (refusal != PB_EXCEPTION_NONE)
		return refusal;
	for (uint32_t i = 0; i < count; i++) {
		uint32_t at = addr + i;

		if (table == PB_TABLE_COIL)
			put_bit(coils, at, bytes[i / 8] >> i % 8 & 1);
		else
			memcpy(at < 10	 ? low + 2 * at
			       : at < 20 ? high + 2 * (at - 10)
					 : big + 2 * (at - 100),
			       bytes + 2 * (size_t)i, 2);
	}
	return PB_EXCEPTION_NONE;
}

static const struct pb_image image = {
	.blocks = blocks,
	.block_count = PB_ARRAY_SIZE(blocks),
	.write = store,
	.userdata = &writes,
};

static void setup(void)
{
	writes = 0;
	refusal = PB_EXCEPTION_NONE;
	for (size_t i = 0; i < 10; i++) {
		pb_put_be16(low + 2 * i, (uint16_t)(0x1000 + i));
		pb_put_be16(high + 2 * i, (uint16_t)(0x2000 + i));
		pb_put_be16(fixed + 2 * i, (uint16_t)(0x3000 + i));
	}
	memset(coils, 0, sizeof(coils));
}

static void expect(const char *request_hex, const char *reply_hex)
{
	uint8_t request[PB_PDU_MAX], expected[PB_PDU_MAX], reply[PB_PDU_MAX];
	int request_len = pb_hex_parse(request_hex, request, sizeof(request));
	int expected_len = pb_hex_parse(reply_hex, expected, sizeof(expected));
	size_t len;

	ck_assert_int_gt(request_len, 0);
	len = pb_modbus_reply(&origin, &image, request, (size_t)request_len, reply);
	ck_assert_msg(len == (size_t)expected_len && memcmp(reply, expected, len) == 0,
		      "%s is not answered by %s", request_hex, reply_hex);
}

static const struct {
	const char *request, *reply;
	unsigned int writes;
} cases[] = {
	{"06 0000 ABCD", "06 0000 ABCD", 1},
	{"10 0008 0004 08 0001 0002 0003 0004", "10 0008 0004", 1},
	{"05 0003 FF00", "05 0003 FF00", 1},
	{"05 0003 0000", "05 0003 0000", 1},
	{"0F 0002 000A 02 FF03", "0F 0002 000A", 1},
	{"16 0001 F2F2 0025", "16 0001 F2F2 0025", 1},
	/* 22 on 0x1001: (1001 & F2F2) | (0025 & 0D0D) = 1000 | 0005; read back by 23 */
	{"17 001E 0002 0000 0001 02 BEEF", "17 04 3000 3001", 1},
	{"17 0000 0002 0000 0001 02 BEEF", "17 04 BEEF 1001", 1},

	/* 03: structure and values, before addresses */
	{"05 0003 0001", "85 03", 0},
	{"05 0003 FF01", "85 03", 0},
	{"05 FFFF 1234", "85 03", 0},
	{"05 0003 FF", "85 03", 0},
	{"06 0000", "86 03", 0},
	{"06 0000 0001 00", "86 03", 0},
	{"0F 0000 0000 00", "8F 03", 0},
	{"0F 0000 07B1 F7", "8F 03", 0},
	{"0F 0000 0008 02 0000", "8F 03", 0},
	{"0F 0000 0009 01 00", "8F 03", 0},
	{"0F 0000 0008 01", "8F 03", 0},
	{"10 0000 0000 00", "90 03", 0},
	{"10 0000 0001 04 0001 0002", "90 03", 0},
	{"10 0000 0002 02 0001", "90 03", 0},
	{"10 0000 0001 02 00", "90 03", 0},
	{"10 0000 0001 02 0001 00", "90 03", 0},
	{"10 0000 0001", "90 03", 0},
	{"16 0000 FFFF", "96 03", 0},
	{"16 0000 FFFF 0000 00", "96 03", 0},
	{"17 0000 0000 0000 0001 02 0001", "97 03", 0},
	{"17 0000 007E 0000 0001 02 0001", "97 03", 0},
	{"17 0000 0001 0000 0000 00", "97 03", 0},
	{"17 0000 0001 0000 0001 04 0001", "97 03", 0},
	{"17 0000 0001 0000 0001 02 0001 00", "97 03", 0},
	{"17 0000 0001 0000", "97 03", 0},
	{"10 FFFF 0001 03 0001", "90 03", 0},

	/* 02: not there, read-only, also in the middle; the other tables don't count */
	{"06 0005 0001", "86 02", 0},
	{"06 001E 0001", "86 02", 0},
	{"06 0032 0001", "86 02", 0},
	{"10 0004 0003 06 0001 0002 0003", "90 02", 0},
	{"10 FFFF 0002 04 0001 0002", "90 02", 0},
	{"05 000D FF00", "85 02", 0},
	{"0F 000C 0002 01 03", "8F 02", 0},
	{"16 0005 FFFF 0000", "96 02", 0},
	{"17 0032 0001 0000 0001 02 0001", "97 02", 0},
	{"17 0000 0001 0005 0001 02 0001", "97 02", 0},
	{"06 0055 0001", "86 02", 0},

	/* old data */
	{"06 0014 0001", "86 0B", 0},
	{"10 0013 0002 04 0001 0002", "90 0B", 0},
	{"17 0014 0001 0000 0001 02 0001", "97 0B", 0},
	{"16 0014 FFFF 0000", "96 0B", 0},
	{"06 0028 0001", "", 0},
	{"17 0028 0001 0000 0001 02 0001", "", 0},
};

START_TEST(answers)
{
	expect(cases[_i].request, cases[_i].reply);
	ck_assert_uint_eq(writes, cases[_i].writes);
}
END_TEST

START_TEST(changes)
{
	expect("16 0001 F2F2 0025", "16 0001 F2F2 0025");
	ck_assert_uint_eq(pb_get_be16(low + 2), (0x1001 & 0xF2F2) | (0x0025 & 0x0D0D));
	expect("10 0009 0002 04 AAAA BBBB", "10 0009 0002");
	ck_assert_uint_eq(pb_get_be16(low + 18), 0xAAAA);
	ck_assert_uint_eq(pb_get_be16(high), 0xBBBB);
	ck_assert_uint_eq(pb_get_be16(high + 2), 0x2001);
	expect("0F 0002 0003 01 FD", "0F 0002 0003");
	ck_assert_uint_eq(coils[0], 5 << 2);
	expect("05 0002 0000", "05 0002 0000");
	ck_assert_uint_eq(coils[0], 4 << 2);
}
END_TEST

START_TEST(refused_by_the_image)
{
	refusal = PB_EXCEPTION_ILLEGAL_VALUE;
	expect("06 0000 0001", "86 03");
	refusal = PB_EXCEPTION_DEVICE_BUSY;
	expect("10 0000 0001 02 0001", "90 06");
	refusal = PB_EXCEPTION_DEVICE_FAILURE;
	expect("17 0000 0001 0000 0001 02 0001", "97 04");
	ck_assert_uint_eq(pb_get_be16(low), 0x1000);
}
END_TEST

/* ---- against libmodbus ---- */

enum { AT = 100, COUNT = 256 };

static modbus_t *ctx;
static modbus_mapping_t *mapping;
static int far_end;

static size_t theirs(const uint8_t *adu, size_t len, uint8_t *reply)
{
	ssize_t n;

	modbus_reply(ctx, adu, (int)len, mapping);
	n = recv(far_end, reply, PB_TCP_ADU_MAX, 0);
	ck_assert_int_gt(n, PB_MBAP_LEN);
	return (size_t)n;
}

static size_t random_request(struct pb_random *random, uint8_t *pdu)
{
	static const uint8_t functions[] = {6, 16, 22, 23};
	uint32_t count = 1 + pb_random_below(random, 121), read = 1 + pb_random_below(random, 125);
	uint8_t function = functions[pb_random_below(random, 4)];
	/* some reach over the end */
	uint16_t addr = (uint16_t)(AT + pb_random_below(random, COUNT));
	size_t len = function == 6 ? 5 : function == 22 ? 7 : function == 16 ? 6 : 10;

	for (size_t i = 0; i < PB_PDU_MAX; i++)
		pdu[i] = (uint8_t)pb_random_next(random);
	pdu[0] = function;
	pb_put_be16(pdu + 1, addr);
	if (function == 16) {
		pb_put_be16(pdu + 3, (uint16_t)count);
		pdu[5] = (uint8_t)(2 * count);
		len += 2 * count;
	} else if (function == 23) {
		pb_put_be16(pdu + 3, (uint16_t)read);
		pb_put_be16(pdu + 5, (uint16_t)(AT + pb_random_below(random, COUNT)));
		pb_put_be16(pdu + 7, (uint16_t)count);
		pdu[9] = (uint8_t)(2 * count);
		len += 2 * count;
	}
	return len;
}

static void compare(const uint8_t *pdu, size_t len)
{
	uint8_t adu[PB_TCP_ADU_MAX] = {0, 1}, expected[PB_TCP_ADU_MAX], reply[PB_TCP_ADU_MAX];
	size_t expected_len, reply_len;

	pb_put_be16(adu + 4, (uint16_t)(len + 1));
	adu[6] = 1;
	memcpy(adu + PB_MBAP_LEN, pdu, len);
	expected_len = theirs(adu, PB_MBAP_LEN + len, expected) - PB_MBAP_LEN;
	reply_len = pb_modbus_reply(&origin, &image, pdu, len, reply);
	ck_assert_uint_eq(reply_len, expected_len);
	ck_assert_mem_eq(reply, expected + PB_MBAP_LEN, reply_len);
	for (size_t i = 0; i < COUNT; i++)
		ck_assert_uint_eq(pb_get_be16(big + 2 * i), mapping->tab_registers[i]);
}

START_TEST(as_libmodbus)
{
	struct pb_random random;
	uint8_t pdu[PB_PDU_MAX];
	int pair[2];

	ck_assert_int_eq(
		socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, pair), 0);
	far_end = pair[1];
	ctx = modbus_new_tcp("127.0.0.1", 502);
	modbus_set_socket(ctx, pair[0]);
	modbus_set_response_timeout(ctx, 0, 1);
	mapping = modbus_mapping_new_start_address(0, 0, 0, 0, AT, COUNT, 0, 0);
	ck_assert_ptr_nonnull(mapping);
	memset(big, 0, sizeof(big));
	pb_random_seed(&random, 23);
	for (int i = 0; i < 20000; i++)
		compare(pdu, random_request(&random, pdu));
	ck_assert_uint_gt(writes, 5000);
	modbus_mapping_free(mapping);
	modbus_free(ctx);
	close(pair[0]);
	close(pair[1]);
}
END_TEST

int main(void)
{
	TCase *tcase = tcase_create("write");

	tcase_add_checked_fixture(tcase, setup, NULL);
	tcase_add_loop_test(tcase, answers, 0, (int)PB_ARRAY_SIZE(cases));
	tcase_add_test(tcase, changes);
	tcase_add_test(tcase, refused_by_the_image);
	tcase_add_test(tcase, as_libmodbus);
	return pb_run_suite("modbus/write", tcase);
}
