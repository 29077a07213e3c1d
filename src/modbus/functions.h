/* SPDX-License-Identifier: MIT */
/*
 * The functions of Modbus, by the file that has them, and what they share. All take a PDU of @len
 * >= 1 bytes, and a @reply with room for PB_PDU_MAX bytes.
 */
#pragma once

#include "packbridge/modbus.h"

enum { EXCEPTION_FLAG = 0x80 };

static inline size_t modbus_exception(uint8_t function, enum pb_exception code, uint8_t *reply)
{
	reply[0] = function | EXCEPTION_FLAG;
	reply[1] = (uint8_t)code;
	return 2;
}

/** A run of addresses of one table, as a request names it. */
struct modbus_range {
	uint8_t table; /**< one of enum pb_table */
	uint32_t addr;
	uint32_t count;
};

/* image.c */

/**
 * Copies what @range holds to @out, as on the wire; NULL: only looks whether the image has all of
 * it. It may span blocks that stand next to each other.
 * @ret_fault: the fault of the first faulty block.
 * @return PB_EXCEPTION_NONE or ILLEGAL_ADDRESS, with @out partly written.
 */
enum pb_exception modbus_take(const struct pb_image *image, const struct modbus_range *range,
			      uint8_t *out, uint8_t *ret_fault);
/** The block of @table that holds @addr, or NULL. */
const struct pb_block *modbus_find(const struct pb_image *image, uint8_t table, uint32_t addr);

/* write.c: 5, 6, 15, 16, 22, 23; @peer: who writes, or NULL */
size_t modbus_write(const struct pb_image *image, const struct pb_peer *peer, const uint8_t *pdu,
		    size_t len, uint8_t *reply);
/* device.c: 8, 17, 43/14 */
size_t modbus_diagnostics(struct pb_diagnostics *diagnostics, const uint8_t *pdu, size_t len,
			  uint8_t *reply);
size_t modbus_report_id(const struct pb_identity *identity, const struct pb_image *image,
			const uint8_t *pdu, size_t len, uint8_t *reply);
size_t modbus_identify(const struct pb_identity *identity, const struct pb_image *image,
		       const uint8_t *pdu, size_t len, uint8_t *reply);
