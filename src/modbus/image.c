/* SPDX-License-Identifier: MIT */
/*
 * Registers and bits of an image by address. An image is a list of blocks in rising order of their
 * addresses; a request may span blocks that stand next to each other.
 */
#include "functions.h"

#include <string.h>

enum { ADDRESSES = 65536 };

/* The block of @table that holds @addr, at @from or behind it; NULL: none. */
static const struct pb_block *image_find(const struct pb_image *image, const struct pb_block *from,
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
	return image_find(image, image->blocks, table, addr);
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

enum pb_exception modbus_take(const struct pb_image *image, const struct modbus_range *range,
			      uint8_t *out, uint8_t *ret_fault)
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

		block = image_find(image, block, range->table, range->addr + at);
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
