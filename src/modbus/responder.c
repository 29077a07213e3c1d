/* SPDX-License-Identifier: MIT */
/*
 * Requests against an image. The order of checks is that of the state diagrams of APP section 6:
 * function (01), quantity and structure (03), addresses (02), then what the processing brings.
 */
#include "functions.h"

#include "packbridge/base.h"

enum { READ_PDU_LEN = 5 }; /* function, address, quantity: APP 6.1 to 6.4 */

static size_t read_range(const struct pb_image *image, uint8_t table, uint32_t max,
			 const uint8_t *pdu, size_t len, uint8_t *reply)
{
	bool bits = table == PB_TABLE_COIL || table == PB_TABLE_DISCRETE;
	struct modbus_range range = {.table = table};
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
static size_t responder_device(const struct pb_origin *origin, const struct pb_image *image,
			       const uint8_t *pdu, size_t len, uint8_t *reply)
{
	if (origin && origin->diagnostics && pdu[0] == PB_FC_DIAGNOSTICS)
		return modbus_diagnostics(origin->diagnostics, pdu, len, reply);
	if (origin && origin->identity && pdu[0] == PB_FC_REPORT_SERVER_ID)
		return modbus_report_id(origin->identity, image, pdu, len, reply);
	if (origin && origin->identity && pdu[0] == PB_FC_ENCAPSULATED)
		return modbus_identify(origin->identity, image, pdu, len, reply);
	return modbus_exception(pdu[0], PB_EXCEPTION_ILLEGAL_FUNCTION, reply);
}

size_t pb_modbus_reply(const struct pb_origin *origin, const struct pb_image *image,
		       const uint8_t *pdu, size_t len, uint8_t *reply)
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
		return modbus_write(image, origin ? origin->peer : NULL, pdu, len, reply);
	case PB_FC_READ_EXCEPTION_STATUS:
		return exception_status(image, pdu, len, reply);
	default:
		return responder_device(origin, image, pdu, len, reply);
	}
}
