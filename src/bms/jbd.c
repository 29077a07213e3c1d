/* SPDX-License-Identifier: MIT */
/*
 * JBD (Jiabaida; sold as Xiaoxiang, LLT, Overkill Solar). Big endian.
 *
 *	request  DD A5 reg len data.. ck ck 77
 *	reply    DD reg status len data.. ck ck 77     ck = -(status + len + data..), 16 bits
 *	module   FF AA cmd len data.. ck               ck = cmd + len + data.., 8 bits; the radio
 *	                                               module's own, never seen by the board
 *
 * The register byte of a reply is not covered by its checksum, so it is held against the request.
 * Source: docs/protocols/jbd.md; every frame of tests/data/jbd/frames.json is a test.
 */
#include "codec.h"
#include "jbd_module.h"
#include "packbridge/base.h"
#include "packbridge/bms.h"
#include "packbridge/model/plausible.h"
#include "pipes.h"

#include <errno.h>
#include <stdio.h>

enum {
	START = 0xDD,
	END = 0x77,
	HEAD = 4, /* start, register, status, length */
	TAIL = 3, /* checksum, end */
	MODULE_START_1 = 0xFF,
	MODULE_START_2 = 0xAA,

	REG_BASIC = 0x03,
	REG_CELLS = 0x04,
	REG_NAME = 0x05,
	REG_CHARGE_LIMIT = 0x28,
	REG_DISCHARGE_LIMIT = 0x29,
	REG_TEXT_FIRST = 0xA0,
	REG_TEXT_LAST = 0xA2,
	REG_COUNTERS = 0xAA,

	BASIC_MIN = 23,	       /* payload of register 03 without probes */
	BASIC_TAIL_MIN = 9,    /* humidity 1, alarms 2, full 2, remaining 2, balance current 2 */
	KELVIN_0C = 2731,      /* 0.1 K */
	PROBE_MIN_MC = -40000, /* colder means that no probe is fitted */
	NO_WORD = 0xFFFF,
	UNIT_100MA = 0x80, /* FET byte: currents and capacities are in 0.1 A and 0.1 Ah */
};

/* Registers that boards are known to have: what a reply can be about when nothing was asked. */
static bool known_register(unsigned int reg)
{
	return reg <= 0x01 || (reg >= REG_BASIC && reg <= 0x07) || reg == 0x09 || reg == 0x0A ||
	       (reg >= 0x10 && reg <= 0x47) || (reg >= 0xA0 && reg <= 0xA2) ||
	       reg == REG_COUNTERS || (reg >= 0xAD && reg <= 0xCF) ||
	       (reg >= 0xD0 && reg <= 0xD7) || (reg >= 0xE0 && reg <= 0xE3) ||
	       (reg >= 0xFA && reg <= 0xFC);
}

/* Registers of the poll plan: a late reply to one of them is taken whole and ignored by its reader,
 * rather than searched for starts inside. */
static bool plan_register(unsigned int reg)
{
	return reg == REG_BASIC || reg == REG_CELLS || reg == REG_NAME || reg == REG_COUNTERS;
}

static bool good_status(uint8_t status)
{
	return status == 0 || (status >= 0x80 && status <= 0x83);
}

static bool expected(uint8_t reg, const struct pb_query *pending)
{
	return pending ? reg == pending->command || plan_register(reg) : known_register(reg);
}

static int jbd_module_frame(const uint8_t *buf, size_t len, struct pb_frame *ret)
{
	ret->kind = PB_FRAME_MODULE;
	if (len > 1 && buf[1] != MODULE_START_2)
		return -EPROTO;
	if (len < HEAD)
		return PB_FRAME_MORE;
	ret->command = buf[2];
	ret->payload = buf + HEAD;
	ret->payload_len = buf[3];
	ret->len = HEAD + ret->payload_len + 1;
	if (len < ret->len)
		return PB_FRAME_MORE;
	return bms_checksum(ret, 2, buf[ret->len - 1], bms_sum(buf + 2, ret->len - 3) & 0xFF);
}

static int reply_frame(const uint8_t *buf, size_t len, const struct pb_query *pending,
		       struct pb_frame *ret)
{
	int r;

	ret->kind = PB_FRAME_REPLY;
	if ((len > 1 && !expected(buf[1], pending)) || (len > 2 && !good_status(buf[2])))
		return -EPROTO;
	if (len < HEAD)
		return PB_FRAME_MORE;
	ret->command = buf[1];
	ret->status = buf[2];
	ret->payload = buf + HEAD;
	ret->payload_len = buf[3];
	ret->len = HEAD + ret->payload_len + TAIL;
	if (len < ret->len)
		return PB_FRAME_MORE;
	/* modulo 65536: an empty reply has checksum 0000 */
	r = bms_checksum(ret, 4, pb_get_be16(buf + ret->len - TAIL),
			 -bms_sum(buf + 2, 2 + ret->payload_len) & 0xFFFF);
	/* some boards refuse without a checksum */
	if (r == -EBADMSG && ret->status != 0 && ret->payload_len == 0)
		r = (int)ret->len;
	return buf[ret->len - 1] == END ? r : -EILSEQ;
}

static int jbd_frame(const uint8_t *buf, size_t len, const struct pb_query *pending,
		     struct pb_frame *ret)
{
	*ret = (struct pb_frame){.bytes = buf};
	if (len == 0)
		return PB_FRAME_MORE;
	if (buf[0] == MODULE_START_1)
		return jbd_module_frame(buf, len, ret);
	return buf[0] == START ? reply_frame(buf, len, pending, ret) : -EPROTO;
}

/* bits 15..9 year from 2000, 8..5 month, 4..0 day; @return YYYYMMDD, 0 for no date */
static int32_t jbd_date(uint16_t raw)
{
	static const uint8_t days[] = {0, 31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
	int32_t year = 2000 + (raw >> 9), month = raw >> 5 & 15, day = raw & 31;

	if (month < 1 || month > 12 || day < 1 || day > days[month])
		return 0;
	return year * 10000 + month * 100 + day;
}

/* Probes that are announced but not sent, or not fitted, stay absent. */
static void decode_probes(const uint8_t *p, size_t len, unsigned int count, struct pb_sample *s)
{
	s->temperature_count = (int32_t)count;
	s->temperature_has = 0;
	s->has |= PB_HAS(PB_HAS_TEMPERATURES);
	for (unsigned int i = 0; i < count && 2 * i + 1 < len; i++) {
		int32_t mc = (pb_get_be16(p + 2 * (size_t)i) - KELVIN_0C) * 100;

		if (mc < PROBE_MIN_MC)
			continue;
		s->temperature_mc[i] = mc;
		s->temperature_has |= UINT64_C(1) << i;
	}
}

/* The word for the balance current is left out: nobody knows yet what it counts. */
static void decode_tail(const uint8_t *p, int32_t unit, struct pb_sample *s)
{
	s->alarm_mask = pb_get_be16(p + 1);
	s->full_mah = (int64_t)pb_get_be16(p + 3) * unit;
	s->has |= PB_HAS(PB_HAS_FULL);
	if (s->alarm_mask != NO_WORD) /* all warnings at once */
		s->has |= PB_HAS(PB_HAS_ALARM);
}

/*
 * What the board is commanded to do: bit 12 tells that a FET is locked by a command, not which. A
 * protection opens FETs, too, and a current in the other direction closes a locked one again
 * (docs/protocols/jbd.md, "Switching").
 */
static void put_switches(struct pb_sample *s)
{
	bool locked = s->protection_mask >> PB_PROTECT_FET_LOCKED & 1;
	bool clear = s->protection_mask == UINT32_C(1) << PB_PROTECT_FET_LOCKED &&
		     !(s->charge_fet && s->discharge_fet);

	if (s->protection_mask == NO_WORD || (locked && !clear))
		return;
	s->charge_switch = !locked || s->charge_fet;
	s->discharge_switch = !locked || s->discharge_fet;
	s->has |= PB_HAS(PB_HAS_CHARGE_SWITCH) | PB_HAS(PB_HAS_DISCHARGE_SWITCH);
}

static int decode_basic(const uint8_t *p, size_t len, struct pb_sample *s)
{
	unsigned int probes;
	int32_t unit;

	if (len < BASIC_MIN || p[22] > PB_TEMPERATURES_MAX)
		return -EPROTO;
	unit = p[20] & UNIT_100MA ? 100 : 10; /* mA, mAh */
	probes = p[22];

	s->voltage_mv = pb_get_be16(p) * 10;
	s->current_ma = pb_get_be16s(p + 2) * unit;
	s->remaining_mah = (int64_t)pb_get_be16(p + 4) * unit;
	s->nominal_mah = (int64_t)pb_get_be16(p + 6) * unit;
	s->cycles = pb_get_be16(p + 8);
	s->production_date = jbd_date(pb_get_be16(p + 10));
	s->balance_mask = pb_get_be16(p + 12) | (uint64_t)pb_get_be16(p + 14) << 16;
	/* numbered as enum pb_protection is; bit 15, which JBD reserves, is passed on as it is */
	s->protection_mask = pb_get_be16(p + 16);
	s->version = p[18];
	s->soc_permille = p[19] * 10;
	s->charge_fet = p[20] & 1;
	s->discharge_fet = p[20] >> 1 & 1;
	s->has |= PB_HAS(PB_HAS_VOLTAGE) | PB_HAS(PB_HAS_CURRENT) | PB_HAS(PB_HAS_REMAINING) |
		  PB_HAS(PB_HAS_NOMINAL) | PB_HAS(PB_HAS_CYCLES) | PB_HAS(PB_HAS_BALANCE) |
		  PB_HAS(PB_HAS_VERSION) | PB_HAS(PB_HAS_SOC) | PB_HAS(PB_HAS_CHARGE_FET) |
		  PB_HAS(PB_HAS_DISCHARGE_FET);
	if (s->protection_mask != NO_WORD) /* all at once */
		s->has |= PB_HAS(PB_HAS_PROTECTION);
	put_switches(s);
	if (s->production_date)
		s->has |= PB_HAS(PB_HAS_PRODUCTION_DATE);
	s->cell_count = s->cells_said = p[21];
	s->has |= PB_HAS(PB_HAS_CELLS);
	decode_probes(p + BASIC_MIN, len - BASIC_MIN, probes, s);
	if (len >= BASIC_MIN + 2 * (size_t)probes + BASIC_TAIL_MIN)
		decode_tail(p + BASIC_MIN + 2 * (size_t)probes, unit, s);
	return 0;
}

static int jbd_decode_cells(const uint8_t *p, size_t len, struct pb_sample *s)
{
	size_t count = len / 2;

	if (len % 2 || count > PB_CELLS_MAX)
		return -EPROTO;
	s->cell_count = (int32_t)count;
	s->cell_has = (UINT64_C(1) << count) - 1;
	s->has |= PB_HAS(PB_HAS_CELLS);
	/* 0 mV is a reading: a broken sense wire */
	for (size_t i = 0; i < count; i++)
		s->cell_mv[i] = pb_get_be16(p + 2 * i);
	return count > 0 ? 0 : -EPROTO;
}

static int decode_name(const uint8_t *p, size_t len, struct pb_sample *s)
{
	if (len >= PB_NAME_MAX)
		return -EPROTO;
	bms_text(s->device_name, sizeof(s->device_name), p, len);
	s->has |= PB_HAS(PB_HAS_DEVICE_NAME);
	return 0;
}

/* Words of register AA, in their order (docs/protocols/jbd.md). */
static const uint8_t counter_words[] = {
	PB_COUNTER_SHORT_CIRCUIT,
	PB_COUNTER_CHARGE_OVERCURRENT,
	PB_COUNTER_DISCHARGE_OVERCURRENT,
	PB_COUNTER_CELL_OVERVOLTAGE,
	PB_COUNTER_CELL_UNDERVOLTAGE,
	PB_COUNTER_CHARGE_OVERTEMPERATURE,
	PB_COUNTER_CHARGE_UNDERTEMPERATURE,
	PB_COUNTER_DISCHARGE_OVERTEMPERATURE,
	PB_COUNTER_DISCHARGE_UNDERTEMPERATURE,
	PB_COUNTER_PACK_OVERVOLTAGE,
	PB_COUNTER_PACK_UNDERVOLTAGE,
	PB_COUNTER_SYSTEM_RESTARTS,
};

static int decode_counters(const uint8_t *p, size_t len, struct pb_sample *s)
{
	size_t count = len / 2;

	/* 11 words, or 12 with the restarts; a longer reply may come with a newer firmware */
	if (len % 2 || count < PB_ARRAY_SIZE(counter_words) - 1)
		return -EPROTO;
	if (count > PB_ARRAY_SIZE(counter_words))
		count = PB_ARRAY_SIZE(counter_words);
	s->counter_has = 0;
	for (size_t i = 0; i < count; i++) {
		s->counters[counter_words[i]] = pb_get_be16(p + 2 * i);
		s->counter_has |= UINT64_C(1) << counter_words[i];
	}
	s->has |= PB_HAS(PB_HAS_COUNTERS);
	return 0;
}

static int jbd_decode(const struct pb_frame *frame, struct pb_sample *sample)
{
	if (frame->kind != PB_FRAME_REPLY || frame->status != 0)
		return 0;
	switch (frame->command) {
	case REG_BASIC:
		return decode_basic(frame->payload, frame->payload_len, sample);
	case REG_CELLS:
		return jbd_decode_cells(frame->payload, frame->payload_len, sample);
	case REG_NAME:
		return decode_name(frame->payload, frame->payload_len, sample);
	case REG_COUNTERS:
		return decode_counters(frame->payload, frame->payload_len, sample);
	default:
		return 0;
	}
}

/* EEPROM parameters: words, but A0 to A2, which are texts behind a length byte. */
static bool jbd_parameter(const struct pb_frame *frame, struct pb_parameter *ret)
{
	const uint8_t *p = frame->payload;

	*ret = (struct pb_parameter){0};
	if (frame->kind != PB_FRAME_REPLY || plan_register(frame->command) ||
	    frame->payload_len == 0)
		return false;
	if (frame->command >= REG_TEXT_FIRST && frame->command <= REG_TEXT_LAST) {
		ret->has_text = p[0] < frame->payload_len;
		if (ret->has_text)
			bms_text(ret->text, sizeof(ret->text), p + 1, p[0]);
	} else if (frame->payload_len == 2) {
		ret->has_value = true;
		ret->value = pb_get_be16(p);
		if (frame->command == REG_CHARGE_LIMIT || frame->command == REG_DISCHARGE_LIMIT)
			ret->value = pb_get_be16s(p);
	}
	return true;
}

static enum pb_dialogue_result jbd_dialogue(struct pb_dialogue *d, const struct pb_frame *reply)
{
	switch (d->kind) {
	case PB_DIALOGUE_LOGIN:
		return jbd_login(d, reply);
	case PB_DIALOGUE_COMMAND:
	case PB_DIALOGUE_COMMAND_AGAIN:
		return jbd_command(d, reply);
	case PB_DIALOGUE_READ:
		break;
	}
	return PB_DIALOGUE_NONE;
}

static void jbd_explain(const uint8_t *buf, size_t len, int reason, const struct pb_frame *frame,
			char *out, size_t cap)
{
	if (bms_explain(len, HEAD + TAIL, reason, frame, out, cap))
		return;
	if (reason == -EILSEQ)
		snprintf(out, cap, "no end byte: expected 77, found %02X", buf[frame->len - 1]);
	else if (buf[0] != START)
		snprintf(out, cap, "no start byte: expected DD, found %02X", buf[0]);
	else if (len > 2 && (buf[1] == 0xA5 || buf[1] == 0x5A) && !good_status(buf[2]))
		snprintf(out, cap, "a request to register %02X, not a reply", buf[2]);
	else if (len > 1 && !known_register(buf[1]))
		snprintf(out, cap, "no register %02X is known", buf[1]);
	else
		snprintf(out, cap, "status %02X, expected 00 or 80 to 83", buf[2]);
}

static const struct pb_bound bounds[] = {
	PB_BOUND(current_ma, -2000000, 2000000),
	PB_BOUND(cell_mv, 0, 6500),
	PB_BOUND(temperature_mc, PROBE_MIN_MC, 150000),
	{0},
};

static const struct pb_query queries[] = {
	{"basic", REG_BASIC, .required = true, .len = 7,
	 .bytes = {0xDD, 0xA5, 0x03, 0x00, 0xFF, 0xFD, 0x77}},
	{"cells", REG_CELLS, .required = true, .len = 7,
	 .bytes = {0xDD, 0xA5, 0x04, 0x00, 0xFF, 0xFC, 0x77}},
	{"name", REG_NAME, .when = PB_ONCE_AFTER, .brings = PB_HAS(PB_HAS_DEVICE_NAME), .len = 7,
	 .bytes = {0xDD, 0xA5, 0x05, 0x00, 0xFF, 0xFB, 0x77}},
	{"counters", REG_COUNTERS, .when = PB_ONCE_AFTER, .brings = PB_HAS(PB_HAS_COUNTERS),
	 .live = true, .len = 7, .bytes = {0xDD, 0xA5, 0xAA, 0x00, 0xFF, 0x56, 0x77}},
};

const struct pb_codec pb_codec_jbd = {
	.name = "jbd",
	.title = "JBD, Xiaoxiang, LLT, Overkill Solar",
	.queries = queries,
	.query_count = PB_ARRAY_SIZE(queries),
	.bounds = bounds,
	.frame = jbd_frame,
	.decode = jbd_decode,
	.parameter = jbd_parameter,
	.dialogue = jbd_dialogue,
	.signs = jbd_signs,
	.pipes = bms_serial_pipes,
	.explain = jbd_explain,
};
