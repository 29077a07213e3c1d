/* SPDX-License-Identifier: MIT */
/*
 * Writes. All checks come before any change: structure and value (03), missing or read-only
 * addresses (02), stale data (the block's fault). Then the image's own write() executes all of it
 * or nothing.
 */
#include "functions.h"

#include "packbridge/base.h"

#include <string.h>

enum {
	SINGLE_LEN = 5, /* APP 6.5, 6.6 */
	MULTI_HEAD = 6, /* APP 6.11, 6.12: function, address, quantity, byte count */
	MASK_LEN = 7,	/* APP 6.16 */
	BOTH_HEAD = 10, /* APP 6.17 */
};

/* One request's write. */
struct write_job {
	const struct pb_peer *peer;
	struct modbus_range range;
	const uint8_t *bytes; /* as on the wire */
};

static bool writable(const struct pb_image *image, const struct modbus_range *range)
{
	for (uint32_t addr = range->addr; addr < range->addr + range->count; addr++) {
		const struct pb_block *block = modbus_find(image, range->table, addr);
		uint32_t at = addr - block->addr;

		if (!block->writable || !(block->writable[at / 8] >> at % 8 & 1))
			return false;
	}
	return image->write != NULL;
}

/* @ret_silent: the answer is none at all. */
static enum pb_exception write_allowed(const struct pb_image *image,
				       const struct modbus_range *range, bool write,
				       bool *ret_silent)
{
	uint8_t fault;
	enum pb_exception code = modbus_take(image, range, NULL, &fault);

	*ret_silent = false;
	if (code != PB_EXCEPTION_NONE)
		return code;
	if (write && !writable(image, range))
		return PB_EXCEPTION_ILLEGAL_ADDRESS;
	*ret_silent = fault == PB_FAULT_SILENT;
	return *ret_silent ? PB_EXCEPTION_NONE : (enum pb_exception)fault;
}

static enum pb_exception carry_out(const struct pb_image *image, const struct write_job *job)
{
	return image->write(image->userdata, job->peer, (enum pb_table)job->range.table,
			    (uint16_t)job->range.addr, (uint16_t)job->range.count, job->bytes);
}

/* Checks and writes; good replies repeat the request's first @echo bytes. */
static size_t write_finish(const struct pb_image *image, const struct write_job *job,
			   const uint8_t *pdu, size_t echo, uint8_t *reply)
{
	bool silent;
	enum pb_exception code = write_allowed(image, &job->range, true, &silent);

	if (silent)
		return 0;
	if (code == PB_EXCEPTION_NONE)
		code = carry_out(image, job);
	if (code != PB_EXCEPTION_NONE)
		return modbus_exception(pdu[0], code, reply);
	memcpy(reply, pdu, echo);
	return echo;
}

static size_t write_single(const struct pb_image *image, const struct pb_peer *peer,
			   const uint8_t *pdu, size_t len, uint8_t *reply)
{
	bool coil = pdu[0] == PB_FC_WRITE_COIL;
	uint8_t bit;
	struct write_job job = {.peer = peer, .range = {.count = 1}};

	if (len != SINGLE_LEN)
		return modbus_exception(pdu[0], PB_EXCEPTION_ILLEGAL_VALUE, reply);
	if (coil && (pdu[4] != 0 || (pdu[3] != 0 && pdu[3] != 0xFF)))
		return modbus_exception(pdu[0], PB_EXCEPTION_ILLEGAL_VALUE, reply);
	bit = pdu[3] != 0;
	job.range.table = coil ? PB_TABLE_COIL : PB_TABLE_HOLDING;
	job.range.addr = pb_get_be16(pdu + 1);
	job.bytes = coil ? &bit : pdu + 3;
	return write_finish(image, &job, pdu, SINGLE_LEN, reply);
}

static size_t write_multiple(const struct pb_image *image, const struct pb_peer *peer,
			     const uint8_t *pdu, size_t len, uint8_t *reply)
{
	bool coils = pdu[0] == PB_FC_WRITE_COILS;
	uint32_t most = coils ? PB_WRITE_BITS_MAX : PB_WRITE_REGISTERS_MAX;
	struct write_job job = {.peer = peer,
				.range = {.table = coils ? PB_TABLE_COIL : PB_TABLE_HOLDING}};
	uint32_t count;

	if (len < MULTI_HEAD)
		return modbus_exception(pdu[0], PB_EXCEPTION_ILLEGAL_VALUE, reply);
	count = pb_get_be16(pdu + 3);
	if (count < 1 || count > most || pdu[5] != (coils ? (count + 7) / 8 : 2 * count) ||
	    len != MULTI_HEAD + (size_t)pdu[5])
		return modbus_exception(pdu[0], PB_EXCEPTION_ILLEGAL_VALUE, reply);
	job.range.addr = pb_get_be16(pdu + 1);
	job.range.count = count;
	job.bytes = pdu + MULTI_HEAD;
	return write_finish(image, &job, pdu, MULTI_HEAD - 1, reply);
}

static size_t write_mask(const struct pb_image *image, const struct pb_peer *peer,
			 const uint8_t *pdu, size_t len, uint8_t *reply)
{
	struct write_job job = {.peer = peer, .range = {.table = PB_TABLE_HOLDING, .count = 1}};
	uint8_t now[2], next[2], fault;
	bool silent;

	if (len != MASK_LEN)
		return modbus_exception(pdu[0], PB_EXCEPTION_ILLEGAL_VALUE, reply);
	job.range.addr = pb_get_be16(pdu + 1);
	job.bytes = next;
	if (write_allowed(image, &job.range, true, &silent) == PB_EXCEPTION_NONE && !silent) {
		modbus_take(image, &job.range, now, &fault);
		for (size_t i = 0; i < 2; i++)
			next[i] = (uint8_t)((now[i] & pdu[3 + i]) | (pdu[5 + i] & ~pdu[3 + i]));
	}
	return write_finish(image, &job, pdu, MASK_LEN, reply);
}

/* The write comes first; what is read shows it (APP 6.17). */
static size_t read_write(const struct pb_image *image, const struct pb_peer *peer,
			 const uint8_t *pdu, size_t len, uint8_t *reply)
{
	struct modbus_range read = {.table = PB_TABLE_HOLDING};
	struct write_job job = {.peer = peer, .range = {.table = PB_TABLE_HOLDING}};
	enum pb_exception code;
	bool no_read, no_write;
	uint8_t fault;

	if (len < BOTH_HEAD)
		return modbus_exception(pdu[0], PB_EXCEPTION_ILLEGAL_VALUE, reply);
	read.addr = pb_get_be16(pdu + 1);
	read.count = pb_get_be16(pdu + 3);
	job.range.addr = pb_get_be16(pdu + 5);
	job.range.count = pb_get_be16(pdu + 7);
	job.bytes = pdu + BOTH_HEAD;
	if (read.count < 1 || read.count > PB_READ_REGISTERS_MAX || job.range.count < 1 ||
	    job.range.count > PB_READWRITE_WRITE_MAX || pdu[9] != 2 * job.range.count ||
	    len != BOTH_HEAD + (size_t)pdu[9])
		return modbus_exception(pdu[0], PB_EXCEPTION_ILLEGAL_VALUE, reply);
	code = write_allowed(image, &read, false, &no_read);
	if (code == PB_EXCEPTION_NONE)
		code = write_allowed(image, &job.range, true, &no_write);
	if (code == PB_EXCEPTION_NONE && (no_read || no_write))
		return 0;
	if (code == PB_EXCEPTION_NONE)
		code = carry_out(image, &job);
	if (code != PB_EXCEPTION_NONE)
		return modbus_exception(pdu[0], code, reply);
	reply[0] = pdu[0];
	reply[1] = (uint8_t)(2 * read.count);
	modbus_take(image, &read, reply + 2, &fault);
	return 2 + (size_t)reply[1];
}

size_t modbus_write(const struct pb_image *image, const struct pb_peer *peer, const uint8_t *pdu,
		    size_t len, uint8_t *reply)
{
	switch (pdu[0]) {
	case PB_FC_WRITE_COILS:
	case PB_FC_WRITE_REGISTERS:
		return write_multiple(image, peer, pdu, len, reply);
	case PB_FC_MASK_WRITE_REGISTER:
		return write_mask(image, peer, pdu, len, reply);
	case PB_FC_READ_WRITE_REGISTERS:
		return read_write(image, peer, pdu, len, reply);
	default:
		return write_single(image, peer, pdu, len, reply);
	}
}
