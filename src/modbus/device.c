/* SPDX-License-Identifier: MIT */
/*
 * Functions about the device itself: diagnostics (8), server id (17), identification (43/14). The
 * specification has 8 and 17 for serial lines; scanners send them over TCP as well.
 */
#include "functions.h"

#include "packbridge/base.h"

#include <string.h>

enum {
	SUB_ECHO = 0x00, /* APP 6.8 */
	SUB_CLEAR = 0x0A,
	SUB_FIRST_COUNTER = 0x0B,
	SUB_LAST_COUNTER = 0x12,
	SERVER_ID = 0x50, /* ours; APP 6.13 leaves it to the device */
	RUNNING = 0xFF,
	MEI_IDENTIFICATION = 14, /* APP 6.21 */
	CONFORMITY = 0x83,	 /* extended, streams and single objects */
	OBJECT_PROTOCOL = 0x80,	 /* the first of our own */
	IDENTIFY_LEN = 4,
	IDENTIFY_HEAD = 7,
};

/* ---- 8 ---- */

static uint16_t counter(const struct pb_diagnostics *d, uint16_t sub)
{
	const uint16_t values[] = {
		d->bus_messages, d->bus_errors, d->exceptions, d->server_messages,
		d->no_response,	 d->naks,	d->busy,       d->overruns};

	return values[sub - SUB_FIRST_COUNTER];
}

size_t modbus_diagnostics(struct pb_diagnostics *diagnostics, const uint8_t *pdu, size_t len,
			  uint8_t *reply)
{
	uint16_t sub;

	if (len < 3)
		return modbus_exception(pdu[0], PB_EXCEPTION_ILLEGAL_VALUE, reply);
	sub = pb_get_be16(pdu + 1);
	if (sub != SUB_ECHO && (sub < SUB_CLEAR || sub > SUB_LAST_COUNTER))
		return modbus_exception(pdu[0], PB_EXCEPTION_ILLEGAL_FUNCTION, reply);
	if (sub != SUB_ECHO && (len != 5 || pb_get_be16(pdu + 3) != 0))
		return modbus_exception(pdu[0], PB_EXCEPTION_ILLEGAL_VALUE, reply);
	memcpy(reply, pdu, len);
	if (sub == SUB_CLEAR)
		*diagnostics = (struct pb_diagnostics){0};
	else if (sub != SUB_ECHO)
		pb_put_be16(reply + 3, counter(diagnostics, sub));
	return len;
}

/* ---- 17 ---- */

static size_t device_append(uint8_t *reply, size_t len, const char *text)
{
	size_t text_len = strlen(text), room = PB_PDU_MAX - len;

	if (text_len > room)
		text_len = room;
	memcpy(reply + len, text, text_len);
	return len + text_len;
}

size_t modbus_report_id(const struct pb_identity *identity, const struct pb_image *image,
			const uint8_t *pdu, size_t len, uint8_t *reply)
{
	size_t at = 4;

	if (len != 1)
		return modbus_exception(pdu[0], PB_EXCEPTION_ILLEGAL_VALUE, reply);
	reply[0] = pdu[0];
	reply[2] = SERVER_ID;
	reply[3] = RUNNING;
	at = device_append(reply, at, identity->product);
	at = device_append(reply, at, " ");
	at = device_append(reply, at, identity->revision);
	if (image->name) {
		at = device_append(reply, at, " ");
		at = device_append(reply, at, image->name);
	}
	reply[1] = (uint8_t)(at - 2);
	return at;
}

/* ---- 43/14 ---- */

static const char *object(const struct pb_identity *identity, const struct pb_image *image,
			  unsigned int id)
{
	switch (id) {
	case 0:
		return identity->vendor;
	case 1:
		return identity->product;
	case 2:
		return identity->revision;
	case 3:
		return identity->url;
	case 4:
		return identity->product_name;
	case 5:
		return image->model;
	case 6:
		return image->name;
	case OBJECT_PROTOCOL:
		return image->protocol;
	default:
		return NULL;
	}
}

/* Appends an object whole. @return the new length; 0: it does not fit */
static size_t append_object(uint8_t *reply, size_t len, unsigned int id, const char *text)
{
	size_t text_len = strlen(text);

	if (text_len > PB_PDU_MAX - IDENTIFY_HEAD - 2) /* alone it must fit */
		text_len = PB_PDU_MAX - IDENTIFY_HEAD - 2;
	if (len + 2 + text_len > PB_PDU_MAX)
		return 0;
	reply[len] = (uint8_t)id;
	reply[len + 1] = (uint8_t)text_len;
	memcpy(reply + len + 2, text, text_len);
	reply[6]++;
	return len + 2 + text_len;
}

size_t modbus_identify(const struct pb_identity *identity, const struct pb_image *image,
		       const uint8_t *pdu, size_t len, uint8_t *reply)
{
	/* the last object of each kind of stream: basic, regular, extended */
	static const uint8_t last[] = {0, 2, 6, OBJECT_PROTOCOL};
	size_t at = IDENTIFY_HEAD;
	unsigned int code, id, end;

	if (len < 2 || pdu[1] != MEI_IDENTIFICATION)
		return modbus_exception(pdu[0],
					len < 2 ? PB_EXCEPTION_ILLEGAL_VALUE
						: PB_EXCEPTION_ILLEGAL_FUNCTION,
					reply);
	if (len != IDENTIFY_LEN || pdu[2] < 1 || pdu[2] > 4)
		return modbus_exception(pdu[0], PB_EXCEPTION_ILLEGAL_VALUE, reply);
	code = pdu[2];
	id = pdu[3];
	if (code == 4 && !object(identity, image, id))
		return modbus_exception(pdu[0], PB_EXCEPTION_ILLEGAL_ADDRESS, reply);
	end = code == 4 ? id : last[code];
	if (id > end || !object(identity, image, id)) /* APP 6.21: from the beginning */
		id = 0;
	memcpy(reply, pdu, 3);
	reply[3] = CONFORMITY;
	memset(reply + 4, 0, 3);
	for (; id <= end; id++) {
		const char *text = object(identity, image, id);
		size_t next = text ? append_object(reply, at, id, text) : at;

		if (next == 0) {
			reply[4] = 0xFF;
			reply[5] = (uint8_t)id;
			break;
		}
		at = next;
	}
	return at;
}
