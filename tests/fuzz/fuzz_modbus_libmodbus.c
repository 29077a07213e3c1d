/* SPDX-License-Identifier: MIT */
/*
 * The responder against libmodbus's modbus_reply(), request by request, on mappings of the same
 * content, writes included: the replies must be the same bytes, and so must the mappings
 * afterwards. An input chooses function, address, quantity and data of one request whose structure
 * is right; quantities and addresses may be illegal. What is left out, since libmodbus 3.1.6 does
 * not follow the specification there, is listed in docs/modbus.md.
 */
#include "packbridge/base.h"
#include "packbridge/modbus.h"

#include <assert.h>
#include <modbus/modbus.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { BITS_AT = 19, BITS = 2100, WORDS_AT = 65000, WORDS = 300, HEAD = 6, SPAN = 4 };

static modbus_t *ctx;
static modbus_mapping_t *mapping;
static int far_end;
static uint8_t coils[(BITS + 7) / 8 + 1], discretes[(BITS + 7) / 8 + 1];
static uint8_t holdings[2 * WORDS], inputs[2 * WORDS], all[(BITS + 7) / 8];

/* holding registers in two pieces */
static const struct pb_block blocks[] = {
	{PB_TABLE_HOLDING, 0, WORDS_AT, 100, holdings, all},
	{PB_TABLE_HOLDING, 0, WORDS_AT + 100, WORDS - 100, holdings + 200, all},
	{PB_TABLE_INPUT, 0, WORDS_AT, WORDS, inputs, NULL},
	{PB_TABLE_COIL, 0, BITS_AT, BITS, coils, all},
	{PB_TABLE_DISCRETE, 0, BITS_AT, BITS, discretes, NULL},
};

static enum pb_exception store(void *userdata, const struct pb_peer *peer, enum pb_table table,
			       uint16_t addr, uint16_t count, const uint8_t *bytes)
{
	(void)userdata;
	(void)peer;
	if (table == PB_TABLE_HOLDING) {
		memcpy(holdings + 2 * (size_t)(addr - WORDS_AT), bytes, 2 * (size_t)count);
		return PB_EXCEPTION_NONE;
	}
	for (size_t i = 0; i < count; i++) {
		size_t at = (size_t)addr - BITS_AT + i;
		uint8_t mask = (uint8_t)(1 << at % 8);

		coils[at / 8] = (uint8_t)(bytes[i / 8] >> i % 8 & 1 ? coils[at / 8] | mask
								    : coils[at / 8] & ~mask);
	}
	return PB_EXCEPTION_NONE;
}

static const struct pb_image image = {
	.blocks = blocks, .block_count = PB_ARRAY_SIZE(blocks), .write = store};

static void start(void)
{
	int pair[2];

	if (ctx)
		return;
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, pair) < 0)
		abort();
	far_end = pair[1];
	ctx = modbus_new_tcp("127.0.0.1", 502);
	modbus_set_socket(ctx, pair[0]);
	modbus_set_response_timeout(ctx, 0, 1); /* it sleeps this long on some requests */
	mapping = modbus_mapping_new_start_address(BITS_AT, BITS, BITS_AT, BITS, WORDS_AT, WORDS,
						   WORDS_AT, WORDS);
	if (!mapping)
		abort();
	memset(all, 0xFF, sizeof(all));
	for (size_t i = 0; i < WORDS; i++) {
		mapping->tab_input_registers[i] = (uint16_t)(i * 257);
		pb_put_be16(inputs + 2 * i, (uint16_t)(i * 257));
	}
	for (size_t i = 0; i < BITS; i++) {
		mapping->tab_input_bits[i] = i % 3 == 0;
		discretes[i / 8] |= (uint8_t)((i % 3 == 0) << i % 8);
	}
}

/* Mostly where something is. */
static uint16_t address(uint8_t function, uint8_t choice, uint16_t number)
{
	bool bits = function == 1 || function == 2 || function == 5 || function == 15;
	uint32_t at = bits ? BITS_AT : WORDS_AT, count = bits ? BITS : WORDS;

	return (uint16_t)(choice % 8 == 0 ? number : at + number % (count + SPAN) - SPAN / 2);
}

static uint16_t quantity(uint8_t choice, uint16_t number, uint16_t max)
{
	return (uint16_t)(choice / 8 % 16 == 0 ? number : number % max + 1);
}

/* Fills @pdu behind the head with what the input has, again and again. */
static size_t add_data(uint8_t *pdu, size_t at, size_t len, const uint8_t *data, size_t size)
{
	for (size_t i = 0; i < len; i++)
		pdu[at + i] = data[i % size];
	return at + len;
}

/* @return the PDU's length; 0: it would be too long to be sent */
static size_t make_request(uint8_t *pdu, const uint8_t *data, size_t size)
{
	static const uint8_t functions[] = {1, 2, 3, 4, 5, 6, 15, 16, 22, 23, 0x29, 0x64};
	uint8_t function = functions[data[0] % sizeof(functions)], choice = data[1];
	uint16_t one = pb_get_be16(data + 2), two = pb_get_be16(data + 4), count;
	size_t bytes;

	pdu[0] = function;
	pb_put_be16(pdu + 1, address(function, choice, one));
	switch (function) {
	case 1:
	case 2:
		pb_put_be16(pdu + 3, quantity(choice, two, PB_READ_BITS_MAX));
		return 5;
	case 3:
	case 4:
		pb_put_be16(pdu + 3, quantity(choice, two, PB_READ_REGISTERS_MAX));
		return 5;
	case 5:
		pb_put_be16(pdu + 3, two & 1 ? 0xFF00 : 0);
		return 5;
	case 6:
		pb_put_be16(pdu + 3, two);
		return 5;
	case 15:
	case 16:
		count = quantity(choice, two,
				 function == 15 ? PB_WRITE_BITS_MAX : PB_WRITE_REGISTERS_MAX);
		bytes = function == 15 ? (count + 7U) / 8 : 2U * count;
		if (6 + bytes > PB_PDU_MAX)
			return 0;
		pb_put_be16(pdu + 3, count);
		pdu[5] = (uint8_t)bytes;
		return add_data(pdu, 6, bytes, data, size);
	case 22:
		pb_put_be16(pdu + 3, two);
		pb_put_be16(pdu + 5, (uint16_t)(two * 31U + one));
		return 7;
	case 23:
		pb_put_be16(pdu + 3, quantity(choice, two, PB_READ_REGISTERS_MAX));
		count = (uint16_t)(two % 40 + 1);
		pb_put_be16(pdu + 5, address(function, (uint8_t)(choice / 2), two));
		pb_put_be16(pdu + 7, count);
		pdu[9] = (uint8_t)(2 * count);
		return add_data(pdu, 10, 2 * (size_t)count, data, size);
	default:
		return 5;
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	uint8_t request[PB_TCP_ADU_MAX] = {0x12, 0x34}, theirs[PB_TCP_ADU_MAX + 8];
	uint8_t ours[PB_TCP_ADU_MAX];
	struct pb_adu frame;
	size_t len;
	ssize_t got;

	start();
	if (size < HEAD)
		return 0;
	len = make_request(request + PB_MBAP_LEN, data, size);
	if (len == 0)
		return 0;
	pb_put_be16(request + 4, (uint16_t)(len + 1));
	request[6] = data[1];

	modbus_reply(ctx, request, (int)(PB_MBAP_LEN + len), mapping);
	got = recv(far_end, theirs, sizeof(theirs), 0);
	assert(pb_mbap_next(request, PB_MBAP_LEN + len, &frame) > 0);
	len = pb_modbus_reply(NULL, &image, frame.pdu, frame.pdu_len, ours + PB_MBAP_LEN);
	assert(len > 0 && got == (ssize_t)pb_mbap_wrap(ours, &frame, len));
	assert(memcmp(ours, theirs, (size_t)got) == 0);
	for (size_t i = 0; frame.pdu[0] >= 16 && i < WORDS; i++)
		assert(pb_get_be16(holdings + 2 * i) == mapping->tab_registers[i]);
	return 0;
}
