/* SPDX-License-Identifier: MIT */
/*
 * Requests against an image. The order of checks is that of the state diagrams of APP section 6:
 * function (01), quantity and structure (03), addresses (02), then what the processing brings.
 */
#include "inner.h"

#include "packbridge/base.h"

#include <string.h>

enum {
	READ_PDU_LEN = 5, /* function, address, quantity: APP 6.1 to 6.4 */
	ADDRESSES = 65536,
};

/* The block of @table that holds @addr, at @from or behind it; NULL: none. */
static const struct pb_block *find(const struct pb_image *image, const struct pb_block *from,
				   uint8_t table, uint32_t addr)
{
	for (const struct pb_block *end = image->blocks + image->block_count; from < end; from++) {
		if (!(from->tables & table))
			continue;
		if (from->addr > addr)
			break;
		if (addr - from->addr < from->count)
			return from;
	}
	return NULL;
}

const struct pb_block *modbus_find(const struct pb_image *image, uint8_t table, uint32_t addr)
{
	return find(image, image->blocks, table, addr);
}

/* Copies @count bits, byte by byte of @out, whose bits from @out_bit on are 0. */
static void shift_bits(uint8_t *out, uint32_t out_bit, const uint8_t *in, uint32_t in_bit,
		       uint32_t count)
{
	while (count > 0) {
		uint32_t skip = in_bit % 8, room = 8 - out_bit % 8;
		uint32_t take = count < room ? count : room;
		unsigned int bits = (unsigned int)in[in_bit / 8] >> skip;

		if (skip + take > 8) /* else the next byte may not be there */
			bits |= (unsigned int)in[in_bit / 8 + 1] << (8 - skip);
		bits &= (1U << take) - 1;
		out[out_bit / 8] |= (uint8_t)(bits << out_bit % 8);
		out_bit += take;
		in_bit += take;
		count -= take;
	}
}

enum pb_exception modbus_take(const struct pb_image *image, const struct range *range, uint8_t *out,
			      uint8_t *ret_fault)
{
	const struct pb_block *block = image->blocks;
	bool bits = range->table & (PB_TABLE_COIL | PB_TABLE_DISCRETE);
	uint32_t at = 0;

	*ret_fault = PB_FAULT_NONE;
	if (range->addr + range->count > ADDRESSES)
		return PB_EXCEPTION_ILLEGAL_ADDRESS;
	if (out && bits)
		memset(out, 0, (range->count + 7) / 8);
	for (; at < range->count; block++) {
		uint32_t skip, count;

		block = find(image, block, range->table, range->addr + at);
		if (!block)
			return PB_EXCEPTION_ILLEGAL_ADDRESS;
		if (*ret_fault == PB_FAULT_NONE)
			*ret_fault = block->fault;
		skip = range->addr + at - block->addr;
		count = block->count - skip;
		if (count > range->count - at)
			count = range->count - at;
		if (out && bits)
			shift_bits(out, at, block->bytes, skip, count);
		else if (out)
			memcpy(out + 2 * (size_t)at, block->bytes + 2 * (size_t)skip,
			       2 * (size_t)count);
		at += count;
	}
	return PB_EXCEPTION_NONE;
}

static size_t read_range(const struct pb_image *image, uint8_t table, uint32_t max,
			 const uint8_t *pdu, size_t len, uint8_t *reply)
{
	bool bits = table == PB_TABLE_COIL || table == PB_TABLE_DISCRETE;
	struct range range = {.table = table};
	size_t head = image->word_count && !bits ? 3 : 2;
	enum pb_exception code;
	uint8_t fault;

	if (len != READ_PDU_LEN)
		return modbus_exception(pdu[0], PB_EXCEPTION_ILLEGAL_VALUE, reply);
	range.addr = pb_get_be16(pdu + 1);
	range.count = pb_get_be16(pdu + 3);
	if (range.count < 1 || range.count > max)
		return modbus_exception(pdu[0], PB_EXCEPTION_ILLEGAL_VALUE, reply);
	code = modbus_take(image, &range, reply + head, &fault);
	if (code != PB_EXCEPTION_NONE)
		return modbus_exception(pdu[0], code, reply);
	if (fault == PB_FAULT_SILENT)
		return 0;
	if (fault != PB_FAULT_NONE)
		return modbus_exception(pdu[0], (enum pb_exception)fault, reply);

	reply[0] = pdu[0];
	if (head == 3) {
		pb_put_be16(reply + 1, (uint16_t)range.count);
		return head + 2 * (size_t)range.count;
	}
	reply[1] = (uint8_t)(bits ? (range.count + 7) / 8 : 2 * range.count);
	return head + reply[1];
}

static size_t exception_status(const struct pb_image *image, const uint8_t *pdu, size_t len,
			       uint8_t *reply)
{
	if (len != 1)
		return modbus_exception(pdu[0], PB_EXCEPTION_ILLEGAL_VALUE, reply);
	reply[0] = pdu[0];
	reply[1] = image->exception_status;
	return 2;
}

/* Functions that speak of the device rather than of a unit's registers. */
static size_t device(const struct pb_host *host, const struct pb_image *image, const uint8_t *pdu,
		     size_t len, uint8_t *reply)
{
	if (host && host->diagnostics && pdu[0] == PB_FC_DIAGNOSTICS)
		return modbus_diagnostics(host->diagnostics, pdu, len, reply);
	if (host && host->identity && pdu[0] == PB_FC_REPORT_SERVER_ID)
		return modbus_report_id(host->identity, image, pdu, len, reply);
	if (host && host->identity && pdu[0] == PB_FC_ENCAPSULATED)
		return modbus_identify(host->identity, image, pdu, len, reply);
	return modbus_exception(pdu[0], PB_EXCEPTION_ILLEGAL_FUNCTION, reply);
}

size_t pb_modbus_reply(const struct pb_host *host, const struct pb_image *image, const uint8_t *pdu,
		       size_t len, uint8_t *reply)
{
	if (len == 0)
		return 0;
	if (!image)
		return modbus_exception(pdu[0], PB_EXCEPTION_GATEWAY_PATH, reply);
	switch (pdu[0]) {
	case PB_FC_READ_COILS:
		return read_range(image, PB_TABLE_COIL, PB_READ_BITS_MAX, pdu, len, reply);
	case PB_FC_READ_DISCRETE_INPUTS:
		return read_range(image, PB_TABLE_DISCRETE, PB_READ_BITS_MAX, pdu, len, reply);
	case PB_FC_READ_HOLDING_REGISTERS:
		return read_range(image, PB_TABLE_HOLDING, PB_READ_REGISTERS_MAX, pdu, len, reply);
	case PB_FC_READ_INPUT_REGISTERS:
		return read_range(image, PB_TABLE_INPUT, PB_READ_REGISTERS_MAX, pdu, len, reply);
	case PB_FC_WRITE_COIL:
	case PB_FC_WRITE_REGISTER:
	case PB_FC_WRITE_COILS:
	case PB_FC_WRITE_REGISTERS:
	case PB_FC_MASK_WRITE_REGISTER:
	case PB_FC_READ_WRITE_REGISTERS:
		return modbus_write(image, pdu, len, reply);
	case PB_FC_READ_EXCEPTION_STATUS:
		return exception_status(image, pdu, len, reply);
	default:
		return device(host, image, pdu, len, reply);
	}
}
