/* SPDX-License-Identifier: MIT */
/*
 * JK (Jikong). Little endian.
 *
 *	request  AA 55 90 EB cmd len data*13 sum                20 bytes
 *	reply    55 AA EB 90 type counter data*293 sum          300 bytes
 *	module   AA 55 90 EB C8 ...*14 sum, and "AT" CR LF      between the replies
 *	line     address 10 16 .. 00 01 crc crc                 behind a reply: parallel boards
 *
 * Types are 01 settings, 02 cells, 03 device, 05 log; what others (06) hold is not known. Request
 * 97 brings 03. Request 96 brings 01 and then 02 again and again, about twice a second, without
 * being asked anew.
 *
 * The cells' frame is decoded in jk_cells.c.
 *
 * The device's frame holds passcodes in clear text. They are not decoded, and redacted where bytes
 * are shown.
 *
 * Source: docs/protocols/jk.md; every frame of tests/data/jk/frames.json is a test.
 */
#include "codec.h"
#include "jk_cells.h"
#include "packbridge/base.h"
#include "packbridge/bms.h"
#include "packbridge/model/plausible.h"
#include "pipes.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
	REPLY_LEN = 300,
	REQUEST_LEN = 20,
	HEAD_LEN = 4,
	TYPE_AT = 4,
	TYPE_SETTINGS = 1,
	TYPE_CELLS = 2,
	TYPE_DEVICE = 3,
	TYPE_LOG = 5,
	TYPES = 15,
	CMD_CELLS = 0x96,
	CMD_DEVICE = 0x97,
	CMD_LOG = 0xA1,
	CMD_CHARGE = 0x1D,
	CMD_DISCHARGE = 0x1E,
	CMD_DONE = 0xC8,
	VALUE_LEN = 4,

	PAYLOAD_AT = 6,
	SETTINGS_RELEASE_AT = 22, /* of cell over-voltage */
	SETTINGS_CHARGE_AT = 118, /* the switches, as commanded */
	SETTINGS_DISCHARGE_AT = 122,
	SETTINGS_CAPACITY_AT = 130,
	DEVICE_MODEL_AT = 6,
	DEVICE_HARDWARE_AT = 22,
	DEVICE_SOFTWARE_AT = 30,
	DEVICE_NAME_AT = 46,
	DEVICE_DATE_AT = 78,
	MODEL_LEN = 16,
	VERSION_LEN = 8,
	DATE_LEN = 6, /* YYMMDD */
};

static const uint8_t reply_head[HEAD_LEN] = {0x55, 0xAA, 0xEB, 0x90};
static const uint8_t module_head[HEAD_LEN] = {0xAA, 0x55, 0x90, 0xEB};
static const uint8_t at_command[] = {'A', 'T', '\r', '\n'};

/* ---- frames ---- */

/* How much of @head stands there? -EPROTO: it does not begin so; else bytes that agree. */
static int begins(const uint8_t *buf, size_t len, const uint8_t *head)
{
	size_t known = len < HEAD_LEN ? len : HEAD_LEN;

	return memcmp(buf, head, known) == 0 ? (int)known : -EPROTO;
}

static int jk_module_frame(const uint8_t *buf, size_t len, struct pb_frame *ret)
{
	ret->kind = PB_FRAME_MODULE;
	ret->len = buf[0] == at_command[0] ? sizeof(at_command) : REQUEST_LEN;
	if (len < ret->len)
		return PB_FRAME_MORE;
	ret->payload = buf + HEAD_LEN;
	ret->payload_len = ret->len - HEAD_LEN;
	if (ret->len == sizeof(at_command))
		return (int)ret->len;
	ret->command = buf[HEAD_LEN];
	return bms_checksum(ret, 2, buf[REQUEST_LEN - 1], bms_sum(buf, REQUEST_LEN - 1) & 0xFF);
}

enum {
	ADDRESS_MAX = 15,
	DONE_LEN = 8,  /* address 10 16 .. 00 01 crc crc: a write is acknowledged */
	WRITE_LEN = 11 /* address 10 16 .. 00 01 02 .. .. crc crc: the master's request */
};

/* @return whether the bytes that are there could be the begin of a write, or of what answers it. */
static bool is_line(const uint8_t *buf, size_t len)
{
	return buf[0] <= ADDRESS_MAX && (len < 2 || buf[1] == 0x10) &&
	       (len < 3 || buf[2] == 0x16) && (len < 5 || buf[4] == 0) && (len < 6 || buf[5] == 1);
}

static bool has_crc(const uint8_t *buf, size_t len)
{
	return pb_crc16(buf, len - 2) == pb_get_le16(buf + len - 2);
}

/*
 * JK boards in parallel share an RS485 line. The master asks each by a Modbus write to 161C, 161E
 * or 1620; the reply is 300 bytes as ever, with the acknowledgement of the write behind it. Those
 * 300 bytes do not tell whose they are.
 */
static int line_frame(const uint8_t *buf, size_t len, struct pb_frame *ret)
{
	ret->kind = PB_FRAME_SHARED;
	ret->command = PB_COMMAND_UNKNOWN;
	ret->address = buf[0];
	ret->len = DONE_LEN;
	if (len < DONE_LEN)
		return PB_FRAME_MORE;
	if (has_crc(buf, DONE_LEN))
		return DONE_LEN;
	if (buf[6] != 2)
		return -EPROTO;
	ret->len = WRITE_LEN;
	if (len < WRITE_LEN)
		return PB_FRAME_MORE;
	return has_crc(buf, WRITE_LEN) ? WRITE_LEN : -EPROTO;
}

/* @return false: there is no such type. */
static bool take_type(uint8_t type, struct pb_frame *ret)
{
	static const uint16_t commands[TYPES + 1] = {
		[TYPE_SETTINGS] = CMD_CELLS,
		[TYPE_CELLS] = CMD_CELLS,
		[TYPE_DEVICE] = CMD_DEVICE,
		[TYPE_LOG] = CMD_LOG,
	};

	if (type == 0 || type > TYPES)
		return false;
	ret->kind = type == TYPE_SETTINGS ? PB_FRAME_NOTICE : PB_FRAME_REPLY;
	ret->command = commands[type] ? commands[type] : PB_COMMAND_UNKNOWN;
	return true;
}

static int jk_frame(const uint8_t *buf, size_t len, const struct pb_query *pending,
		    struct pb_frame *ret)
{
	(void)pending; /* the type identifies the reply */
	*ret = (struct pb_frame){.bytes = buf};
	if (len == 0)
		return PB_FRAME_MORE;
	if (begins(buf, len, module_head) > 0 || begins(buf, len, at_command) > 0)
		return jk_module_frame(buf, len, ret);
	if (is_line(buf, len))
		return line_frame(buf, len, ret);
	if (begins(buf, len, reply_head) < 0)
		return -EPROTO;
	if (len > TYPE_AT && !take_type(buf[TYPE_AT], ret))
		return -EPROTO;
	ret->len = REPLY_LEN;
	if (len < REPLY_LEN)
		return PB_FRAME_MORE;
	ret->payload = buf + PAYLOAD_AT;
	ret->payload_len = REPLY_LEN - PAYLOAD_AT - 1;
	return bms_checksum(ret, 2, buf[REPLY_LEN - 1], bms_sum(buf, REPLY_LEN - 1) & 0xFF);
}

/* ---- the device ---- */

static enum jk_layout layout_of(const char *model, const char *hardware, const char *software)
{
	long major = strtol(software, NULL, 10);

	if ((hardware[0] == '3' && major == 3) || strncmp(model, "JK-B5A24S", 9) == 0)
		return JK_LAYOUT_JK04;
	if (major >= 14)
		return JK_LAYOUT_32S_PROBES;
	return major >= 11 ? JK_LAYOUT_32S : major > 0 ? JK_LAYOUT_24S : JK_LAYOUT_UNKNOWN;
}

static void text(char *out, size_t cap, const uint8_t *p, size_t len)
{
	bms_text(out, cap, p, strnlen((const char *)p, len));
}

/* @return YYYYMMDD, 0 for no date */
static int32_t jk_date(const uint8_t *p)
{
	int32_t number = 0, month, day;

	for (int i = 0; i < DATE_LEN; i++) {
		if (p[i] < '0' || p[i] > '9')
			return 0;
		number = number * 10 + p[i] - '0';
	}
	month = number / 100 % 100;
	day = number % 100;
	return month < 1 || month > 12 || day < 1 || day > 31 ? 0 : 20000000 + number;
}

static int decode_device(const uint8_t *f, struct pb_sample *s)
{
	char model[MODEL_LEN + 1], hardware[VERSION_LEN + 1];

	text(model, sizeof(model), f + DEVICE_MODEL_AT, MODEL_LEN);
	text(hardware, sizeof(hardware), f + DEVICE_HARDWARE_AT, VERSION_LEN);
	text(s->firmware, sizeof(s->firmware), f + DEVICE_SOFTWARE_AT, VERSION_LEN);
	text(s->device_name, sizeof(s->device_name), f + DEVICE_NAME_AT, MODEL_LEN);
	s->carry.layout = (uint8_t)layout_of(model, hardware, s->firmware);
	s->production_date = jk_date(f + DEVICE_DATE_AT);
	if (s->firmware[0])
		s->has |= PB_HAS(PB_HAS_FIRMWARE);
	if (s->device_name[0])
		s->has |= PB_HAS(PB_HAS_DEVICE_NAME);
	if (s->production_date)
		s->has |= PB_HAS(PB_HAS_PRODUCTION_DATE);
	return 0;
}

/* A switch as commanded; the FETs are in the cells' frame. */
static void put_switch(const uint8_t *p, bool *ret, enum pb_has has, struct pb_sample *s)
{
	s->has &= ~PB_HAS(has);
	if (bms_bool(pb_get_le32(p), ret))
		s->has |= PB_HAS(has);
}

/* What the owner has set: the switches, the capacity by design, and a limit that alarm bit 4 needs.
 * JK04's settings stand elsewhere. */
static int decode_settings(const uint8_t *f, struct pb_sample *s)
{
	uint32_t mah = pb_get_le32(f + SETTINGS_CAPACITY_AT);
	uint32_t release_mv = pb_get_le32(f + SETTINGS_RELEASE_AT);

	if (s->carry.layout == JK_LAYOUT_JK04)
		return 0;
	s->carry.release_mv = release_mv <= UINT16_MAX ? (uint16_t)release_mv : 0;
	put_switch(f + SETTINGS_CHARGE_AT, &s->charge_switch, PB_HAS_CHARGE_SWITCH, s);
	put_switch(f + SETTINGS_DISCHARGE_AT, &s->discharge_switch, PB_HAS_DISCHARGE_SWITCH, s);
	if (mah == 0)
		return 0;
	s->nominal_mah = mah;
	s->has |= PB_HAS(PB_HAS_NOMINAL);
	return 0;
}

static int jk_decode(const struct pb_frame *frame, struct pb_sample *s)
{
	const uint8_t *f = frame->bytes;

	if (frame->kind == PB_FRAME_MODULE || frame->kind == PB_FRAME_SHARED)
		return 0;
	switch (f[TYPE_AT]) {
	case TYPE_SETTINGS:
		return decode_settings(f, s);
	case TYPE_CELLS:
		return jk_decode_cells(f, s);
	case TYPE_DEVICE:
		return decode_device(f, s);
	default:
		return 0;
	}
}

static bool jk_meters(const struct pb_frame *frame, const struct pb_sample *s,
		      struct pb_meters *ret)
{
	const uint8_t *f = frame->bytes;

	return frame->kind == PB_FRAME_REPLY && f[TYPE_AT] == TYPE_CELLS &&
	       jk_cells_meters(f, s, ret);
}

/* ---- commands ---- */

static enum pb_dialogue_result jk_write(struct pb_dialogue *d, uint8_t command, bool on)
{
	struct pb_query *request = &d->request;

	*request = (struct pb_query){
		.name = "command", .command = CMD_DONE, .module = true, .len = REQUEST_LEN};
	memcpy(request->bytes, module_head, HEAD_LEN);
	request->bytes[HEAD_LEN] = command;
	request->bytes[HEAD_LEN + 1] = VALUE_LEN;
	request->bytes[HEAD_LEN + 2] = on;
	request->bytes[REQUEST_LEN - 1] = (uint8_t)bms_sum(request->bytes, REQUEST_LEN - 1);
	d->step = command;
	return PB_DIALOGUE_SEND;
}

/*
 * A write for each switch that differs. The acknowledgement is the same for every write, so it
 * proves nothing but that the board lives. JK04 boards have other writes.
 */
static enum pb_dialogue_result jk_dialogue(struct pb_dialogue *d, const struct pb_frame *reply)
{
	static const uint8_t done[] = {CMD_DONE, 0x01, 0x01};
	const struct pb_command *command = &d->command;
	bool changes = command->change_charge || command->change_discharge;
	bool answer = reply && reply->kind == PB_FRAME_MODULE &&
		      reply->payload_len == REQUEST_LEN - HEAD_LEN &&
		      memcmp(reply->payload, done, sizeof(done)) == 0;

	if (d->kind != PB_DIALOGUE_COMMAND || !changes || (d->step != 0 && !answer) ||
	    (d->sample && d->sample->carry.layout == JK_LAYOUT_JK04))
		return PB_DIALOGUE_NONE;
	if (d->step == 0 && command->change_charge)
		return jk_write(d, CMD_CHARGE, !command->inhibit_charge);
	if (d->step != CMD_DISCHARGE && command->change_discharge)
		return jk_write(d, CMD_DISCHARGE, !command->inhibit_discharge);
	return PB_DIALOGUE_DONE;
}

/* ---- what nobody is to see ---- */

static void jk_conceal(struct pb_conceal *conceal, uint8_t *bytes, size_t len)
{
	static const struct bms_secret device = {
		.head = {0x55, 0xAA, 0xEB, 0x90, TYPE_DEVICE},
		.head_len = 5,
		.len = REPLY_LEN,
		/* of the app; Unverified: digits behind a short serial number, the end of a long
		 * one; of the settings */
		.ranges = {{62, 78}, {97, 102}, {118, 134}},
	};

	bms_conceal(&device, conceal, bytes, len);
}

/* ---- how they are found, and what is wrong with bytes ---- */

static const char *const names[] = {"JK[-_]*", NULL};

/*
 * 88 A0 and the own address is how the radio module's maker fills in manufacturer data: ANT, RoyPow
 * and NEEY have it, too. The id before it identifies JK.
 */
static const struct pb_sign signs[] = {
	{"maker data of a JK module", "aiobmsble, 4 captured advertisements",
	 .maker = "650B88A0@@*"},
	{"maker data of a JK module", "BMS_BLE-HA #158", .maker = "4A4B88A0@@*"},
	{"maker data of a JK module", "Louisvdw/dbus-serialbattery #909", .maker = "D6FA88A0@@*"},
	{"service ffe0 and maker id 4B4A, \"JK\"", "BMS_BLE-HA #682", .maker = "4A4B*",
	 .service = 0xFFE0},
	{"a JK name", "the maker's default", .names = names},
	{0},
};

static void jk_explain(const uint8_t *buf, size_t len, int reason, const struct pb_frame *frame,
		       char *out, size_t cap)
{
	if (bms_explain(len, REPLY_LEN, reason, frame, out, cap))
		return;
	if (begins(buf, len, reply_head) < 0)
		snprintf(out, cap, "no start: expected 55 AA EB 90");
	else
		snprintf(out, cap, "type %02X, expected 01 to 0F",
			 len > TYPE_AT ? buf[TYPE_AT] : 0);
}

static const struct pb_bound bounds[] = {
	PB_BOUND(current_ma, -2000000, 2000000),
	PB_BOUND(cell_mv, 0, 6500),
	PB_BOUND(temperature_mc, -60000, 150000),
	PB_BOUND(mos_temperature_mc, -60000, 150000),
	{0},
};

/* The device goes first, for its layout; and boards exist that send no cells without it. */
static const struct pb_query queries[] = {
	{"device", CMD_DEVICE, .when = PB_ONCE_BEFORE, .len = REQUEST_LEN,
	 .bytes = {0xAA, 0x55, 0x90, 0xEB, CMD_DEVICE, [REQUEST_LEN - 1] = 0x11}},
	{"cells", CMD_CELLS, .required = true, .streams = true, .len = REQUEST_LEN,
	 .bytes = {0xAA, 0x55, 0x90, 0xEB, CMD_CELLS, [REQUEST_LEN - 1] = 0x10}},
};

const struct pb_codec pb_codec_jk = {
	.name = "jk",
	.title = "JK (Jikong)",
	.queries = queries,
	.query_count = PB_ARRAY_SIZE(queries),
	.bounds = bounds,
	.frame = jk_frame,
	.decode = jk_decode,
	.meters = jk_meters,
	.dialogue = jk_dialogue,
	.conceal = jk_conceal,
	.signs = signs,
	.pipes = bms_serial_pipes,
	.explain = jk_explain,
};
