/* SPDX-License-Identifier: MIT */
/*
 * The responder against libmodbus's modbus_reply(), which others wrote: the same request on an
 * equal mapping must give the same bytes, MBAP header included.
 *
 * Left out, because libmodbus does not follow the specification there (3.1.6): reads of a wrong
 * length (it does not look; we answer 03), functions 0 and 128..255 (it cuts code + 128 to eight
 * bits, which looks like a good reply), 7 (no reply at all); and what it serves and we do not: 5,
 * 6, 15, 16, 17, 22, 23.
 *
 * modbus_reply() sends by itself; a socket pair of datagrams catches what it sends.
 */
#include "packbridge/base.h"
#include "packbridge/modbus.h"
#include "suite.h"

#include <modbus/modbus.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
	COILS_AT = 0x130,
	COILS = 2100,
	DISCRETES_AT = 0x1C4,
	DISCRETES = 77,
	HOLDINGS_AT = 0,
	HOLDINGS = 300,
	INPUTS_AT = 65536 - 140,
	INPUTS = 140,
	RANDOM_REQUESTS = 4000,
};

static modbus_t *ctx;
static modbus_mapping_t *mapping;
static int far_end;

static uint8_t coils[(COILS + 7) / 8 + 1], discretes[(DISCRETES + 7) / 8 + 1];
static uint8_t holdings[2 * HOLDINGS], inputs[2 * INPUTS];

/* the same content in one piece and cut into several, whose bits start anywhere in a byte */
static const struct pb_block whole[] = {
	{PB_TABLE_HOLDING, PB_FAULT_NONE, HOLDINGS_AT, HOLDINGS, holdings, NULL},
	{PB_TABLE_COIL, PB_FAULT_NONE, COILS_AT, COILS, coils, NULL},
	{PB_TABLE_DISCRETE, PB_FAULT_NONE, DISCRETES_AT, DISCRETES, discretes, NULL},
	{PB_TABLE_INPUT, PB_FAULT_NONE, INPUTS_AT, INPUTS, inputs, NULL},
};
static uint8_t coils_cut[4][(COILS + 7) / 8 + 1];
static const struct pb_block cut[] = {
	{PB_TABLE_HOLDING, PB_FAULT_NONE, HOLDINGS_AT, 7, holdings, NULL},
	{PB_TABLE_HOLDING, PB_FAULT_NONE, HOLDINGS_AT + 7, 1, holdings + 14, NULL},
	{PB_TABLE_HOLDING, PB_FAULT_NONE, HOLDINGS_AT + 8, HOLDINGS - 8, holdings + 16, NULL},
	{PB_TABLE_COIL, PB_FAULT_NONE, COILS_AT, 13, coils_cut[0], NULL},
	{PB_TABLE_COIL, PB_FAULT_NONE, COILS_AT + 13, 1, coils_cut[1], NULL},
	{PB_TABLE_COIL, PB_FAULT_NONE, COILS_AT + 14, 1001, coils_cut[2], NULL},
	{PB_TABLE_DISCRETE, PB_FAULT_NONE, DISCRETES_AT, DISCRETES, discretes, NULL},
	{PB_TABLE_COIL, PB_FAULT_NONE, COILS_AT + 1015, COILS - 1015, coils_cut[3], NULL},
	{PB_TABLE_INPUT, PB_FAULT_NONE, INPUTS_AT, 100, inputs, NULL},
	{PB_TABLE_INPUT, PB_FAULT_NONE, INPUTS_AT + 100, 40, inputs + 200, NULL},
};
static const struct pb_image images[] = {
	{.blocks = whole, .block_count = PB_ARRAY_SIZE(whole)},
	{.blocks = cut, .block_count = PB_ARRAY_SIZE(cut)},
};

static void set_bit(uint8_t *bytes, size_t bit)
{
	bytes[bit / 8] |= (uint8_t)(1U << bit % 8);
}

static void fill(void)
{
	struct pb_random random;
	size_t block = 3;

	pb_random_seed(&random, 20240229);
	for (size_t i = 0; i < HOLDINGS; i++) {
		mapping->tab_registers[i] = (uint16_t)pb_random_next(&random);
		pb_put_be16(holdings + 2 * i, mapping->tab_registers[i]);
	}
	for (size_t i = 0; i < INPUTS; i++) {
		mapping->tab_input_registers[i] = (uint16_t)pb_random_next(&random);
		pb_put_be16(inputs + 2 * i, mapping->tab_input_registers[i]);
	}
	for (size_t i = 0; i < DISCRETES; i++) {
		mapping->tab_input_bits[i] = pb_random_next(&random) >> 16 & 1;
		if (mapping->tab_input_bits[i])
			set_bit(discretes, i);
	}
	for (size_t i = 0, from = 0; i < COILS; i++) {
		if (i == 13 || i == 14 || i == 1015) {
			block += block == 5 ? 2 : 1;
			from = i;
		}
		mapping->tab_bits[i] = pb_random_next(&random) >> 16 & 1;
		if (mapping->tab_bits[i]) {
			set_bit(coils, i);
			set_bit(cut[block].bytes, i - from);
		}
	}
}

static void setup(void)
{
	int pair[2];

	ck_assert_int_eq(
		socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, pair), 0);
	far_end = pair[1];
	ctx = modbus_new_tcp("127.0.0.1", 502);
	ck_assert_ptr_nonnull(ctx);
	modbus_set_socket(ctx, pair[0]);
	/* it sleeps this long on some requests; 0 is refused */
	ck_assert_int_eq(modbus_set_response_timeout(ctx, 0, 1), 0);
	mapping = modbus_mapping_new_start_address(COILS_AT, COILS, DISCRETES_AT, DISCRETES,
						   HOLDINGS_AT, HOLDINGS, INPUTS_AT, INPUTS);
	ck_assert_ptr_nonnull(mapping);
	fill();
}

static void teardown(void)
{
	close(modbus_get_socket(ctx));
	close(far_end);
	modbus_mapping_free(mapping);
	modbus_free(ctx);
}

static size_t theirs(const uint8_t *request, size_t len, uint8_t *reply)
{
	ssize_t n;

	modbus_reply(ctx, request, (int)len, mapping);
	n = recv(far_end, reply, PB_TCP_ADU_MAX, 0);
	ck_assert_int_gt(n, 0);
	return (size_t)n;
}

static size_t ours(const struct pb_image *image, const uint8_t *request, size_t len, uint8_t *reply)
{
	struct pb_adu frame;
	size_t pdu_len;

	ck_assert_int_eq(pb_mbap_next(request, len, &frame), (int)len);
	pdu_len = pb_modbus_reply(NULL, image, frame.pdu, frame.pdu_len, reply + PB_MBAP_LEN);
	ck_assert_uint_gt(pdu_len, 0);
	return pb_mbap_wrap(reply, &frame, pdu_len);
}

/* @return the function code of the reply */
static uint8_t compare(const uint8_t *request, size_t len)
{
	uint8_t expected[PB_TCP_ADU_MAX], reply[PB_TCP_ADU_MAX];
	size_t expected_len = theirs(request, len, expected);
	char text[3 * 16 + 1];

	pb_hex_print(text, sizeof(text), request, len, ' ');
	for (size_t i = 0; i < PB_ARRAY_SIZE(images); i++) {
		size_t reply_len = ours(&images[i], request, len, reply);

		ck_assert_msg(reply_len == expected_len &&
				      memcmp(reply, expected, expected_len) == 0,
			      "image %zu answers %s otherwise", i, text);
	}
	return reply[PB_MBAP_LEN];
}

static uint8_t compare_read(uint16_t transaction, uint8_t unit, uint8_t function, uint32_t addr,
			    uint32_t count)
{
	uint8_t request[12] = {0, 0, 0, 0, 0, 6, unit, function};

	pb_put_be16(request, transaction);
	pb_put_be16(request + 8, (uint16_t)addr);
	pb_put_be16(request + 10, (uint16_t)count);
	return compare(request, sizeof(request));
}

static const struct {
	uint8_t function;
	uint32_t addr, count, max;
} tables[] = {
	{1, COILS_AT, COILS, PB_READ_BITS_MAX},
	{2, DISCRETES_AT, DISCRETES, PB_READ_BITS_MAX},
	{3, HOLDINGS_AT, HOLDINGS, PB_READ_REGISTERS_MAX},
	{4, INPUTS_AT, INPUTS, PB_READ_REGISTERS_MAX},
};

/* every pair of an interesting address and an interesting quantity, far outside too */
START_TEST(borders)
{
	uint32_t start = tables[_i].addr, end = start + tables[_i].count, max = tables[_i].max;
	const uint32_t addrs[] = {0,	     start - 1, start,	    start + 1,
				  start + 6, start + 7, start + 13, start + 14,
				  end - max, end - 8,	end - 1,    end,
				  end + 1,   0x7FFF,	0xFFFE,	    0xFFFF};
	const uint32_t counts[] = {0,	1,   2,	  7,	   8,	9,	 15,	 16,	 17,
				   124, 125, 126, max - 1, max, max + 1, 0x7FFF, 0x8000, 0xFFFF};

	for (size_t i = 0; i < PB_ARRAY_SIZE(addrs); i++)
		for (size_t j = 0; j < PB_ARRAY_SIZE(counts); j++)
			compare_read((uint16_t)(i << 8 | j), (uint8_t)j, tables[_i].function,
				     addrs[i], counts[j]);
}
END_TEST

START_TEST(random_reads)
{
	unsigned int good = 0, bad = 0;
	struct pb_random random;

	pb_random_seed(&random, (uint64_t)_i + 1);
	for (unsigned int i = 0; i < RANDOM_REQUESTS; i++) {
		uint32_t count = 1 + pb_random_below(&random, tables[_i].max);
		uint32_t addr = tables[_i].addr + pb_random_below(&random, tables[_i].count);

		if (i % 3 == 0) /* mostly inside */
			count = 1 + pb_random_below(&random, 40);
		if (compare_read((uint16_t)pb_random_next(&random),
				 (uint8_t)pb_random_next(&random), tables[_i].function, addr,
				 count) &
		    0x80)
			bad++;
		else
			good++;
	}
	/* else the test proves little */
	ck_assert_uint_gt(good, RANDOM_REQUESTS / 8);
	ck_assert_uint_gt(bad, RANDOM_REQUESTS / 8);
}
END_TEST

START_TEST(unknown_functions)
{
	static const uint8_t served[] = {1, 2, 3, 4, 5, 6, 7, 15, 16, 17, 22, 23};

	for (unsigned int function = 1; function < 128; function++) {
		uint8_t request[] = {0x12, 0x34, 0, 0, 0, 6, 9, (uint8_t)function, 0, 0, 0, 1};

		if (!memchr(served, (int)function, sizeof(served)))
			ck_assert_uint_eq(compare(request, sizeof(request)), function | 0x80);
	}
}
END_TEST

int main(void)
{
	TCase *tcase = tcase_create("libmodbus");

	tcase_add_unchecked_fixture(tcase, setup, teardown);
	tcase_set_timeout(tcase, 60);
	tcase_add_loop_test(tcase, borders, 0, PB_ARRAY_SIZE(tables));
	tcase_add_loop_test(tcase, random_reads, 0, PB_ARRAY_SIZE(tables));
	tcase_add_test(tcase, unknown_functions);
	return pb_run_suite("modbus/libmodbus", tcase);
}
