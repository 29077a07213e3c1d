/* SPDX-License-Identifier: MIT */
/*
 * Daly, in three dialects. Big endian.
 *
 *	D2   request  D2 03 reg reg words words crc crc     reply  D2 03 bytes data.. crc crc
 *	P81  request  81 03 ...                             reply  51 03 ...
 *	A5   request  A5 host cmd 08 00*8 sum               reply  A5 01 cmd 08 data*8 sum
 *
 * Nothing in a reply of the first two tells its register; the number of words does, since no two
 * reads of a plan have the same. A5 answers cells and temperatures in several frames, numbered from
 * 1; slots beyond the count hold what was in the frame before. Hosts of A5 are 80 (Bluetooth) and
 * 40 (wires, and some Bluetooth modules); a wrong one is not answered.
 *
 * Source: docs/protocols/daly.md; every frame of tests/data/daly/frames.json is a test.
 */
#include "codec.h"
#include "packbridge/base.h"
#include "packbridge/bms.h"
#include "packbridge/model/plausible.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

enum {
	D2 = 0xD2,
	P81_REPLY = 0x51,
	P81_REQUEST = 0x81,
	A5 = 0xA5,
	A5_BMS = 0x01,
	A5_DATA = 8,
	A5_LEN = 4 + A5_DATA + 1,

	FUNCTION_READ = 0x03,
	FUNCTION_WRITE = 0x06,
	FUNCTION_REFUSED = 0x83,
	WRITE_LEN = 8,
	REFUSED_LEN = 5,
	UNKNOWN_REFUSAL = 0xFF,
	WORD_HEAD = 3, /* address, function, bytes */
	CRC_LEN = 2,
	WORD_BYTES_MAX = 250,
	NO_WORD = 0xFFFF, /* a register that the board does not have */

	STATUS = 0x00,
	BALANCE = 0x3E,
	SETTINGS = 0x80,
	VERSIONS = 0xA9,
	P81_STATUS = 0x41,
	P81_ALARMS = 0xA4,
	P81_SETTINGS = 0x100,
	P81_VERSIONS = 0x178,

	CURRENT_ZERO = 30000, /* 0.1 A */
	CELSIUS_ZERO = 40,
	NO_PROBE = 0xFF,
	D2_CELLS = 32,
	PROBES = 8,
	NAME_LEN = 16,
	ALARM_BYTES = 7,
	P81_NAME_LEN = 28,

	CELLS_A_FRAME = 3,
	PROBES_A_FRAME = 7,
	FROM_ZERO = 1, /* pb_sample.carry.layout */
};

/* Some modules say this once notifications are on. */
static const uint8_t greeting[] = "char1_ntf_data";

/* ---- what the dialects have in common ---- */

static int32_t current_ma(uint16_t raw)
{
	return (raw - CURRENT_ZERO) * 100;
}

/* @return false: there is no probe. */
static bool temperature(unsigned int raw, int32_t *ret_mc)
{
	*ret_mc = ((int32_t)raw - CELSIUS_ZERO) * 1000;
	return raw != 0 && raw != NO_PROBE && raw != NO_WORD;
}

static void put_probe(struct pb_sample *s, unsigned int index, unsigned int raw)
{
	if (temperature(raw, &s->temperature_mc[index]))
		s->temperature_has |= UINT64_C(1) << index;
}

static void put_mos(struct pb_sample *s, unsigned int raw)
{
	if (temperature(raw, &s->mos_temperature_mc))
		s->has |= PB_HAS(PB_HAS_MOS_TEMPERATURE);
}

static void put_capacity(struct pb_sample *s, int64_t *member, enum pb_has has, uint32_t mah)
{
	if (mah == 0 || mah == UINT32_MAX)
		return;
	*member = mah;
	s->has |= PB_HAS(has);
}

static void put_firmware(struct pb_sample *s, const uint8_t *text, size_t len)
{
	if (pb_get_be16(text) == NO_WORD)
		return;
	bms_text(s->firmware, sizeof(s->firmware), text, strnlen((const char *)text, len));
	if (s->firmware[0])
		s->has |= PB_HAS(PB_HAS_FIRMWARE);
}

static void put_switches(struct pb_sample *s, unsigned int charge, unsigned int discharge)
{
	if (bms_bool(charge, &s->charge_fet))
		s->has |= PB_HAS(PB_HAS_CHARGE_FET);
	if (bms_bool(discharge, &s->discharge_fet))
		s->has |= PB_HAS(PB_HAS_DISCHARGE_FET);
}

/* All bits of a byte exclude each other (on for ever, and never): the board does not have it. */
static bool alarms_are_there(uint64_t bits)
{
	for (unsigned int i = 0; i < ALARM_BYTES; i++)
		if ((bits >> 8 * i & 0xFF) == 0xFF)
			return false;
	return true;
}

/*
 * Bit n of @bits is bit n % 8 of alarm byte n / 8, as A5 numbers them. Of the pairs, the first bit
 * is a warning and the second means that the board acts. docs/protocols/README.md has the table.
 */
static void put_alarms(struct pb_sample *s, uint64_t bits)
{
	static const struct {
		uint8_t byte, bit, protection;
	} meanings[] = {
		{0, 1, PB_PROTECT_CELL_OVERVOLTAGE},
		{0, 3, PB_PROTECT_CELL_UNDERVOLTAGE},
		{0, 5, PB_PROTECT_PACK_OVERVOLTAGE},
		{0, 7, PB_PROTECT_PACK_UNDERVOLTAGE},
		{1, 1, PB_PROTECT_CHARGE_OVERTEMPERATURE},
		{1, 3, PB_PROTECT_CHARGE_UNDERTEMPERATURE},
		{1, 5, PB_PROTECT_DISCHARGE_OVERTEMPERATURE},
		{1, 7, PB_PROTECT_DISCHARGE_UNDERTEMPERATURE},
		{2, 1, PB_PROTECT_CHARGE_OVERCURRENT},
		{2, 3, PB_PROTECT_DISCHARGE_OVERCURRENT},
		{4, 0, PB_PROTECT_CHARGE_OVERTEMPERATURE}, /* the transistors */
		{4, 1, PB_PROTECT_DISCHARGE_OVERTEMPERATURE},
		{4, 4, PB_PROTECT_CHARGE_FET_BROKEN}, /* always on */
		{4, 5, PB_PROTECT_DISCHARGE_FET_BROKEN},
		{4, 6, PB_PROTECT_CHARGE_FET_BROKEN}, /* never on */
		{4, 7, PB_PROTECT_DISCHARGE_FET_BROKEN},
		{5, 0, PB_PROTECT_FRONT_END},
		{5, 1, PB_PROTECT_FRONT_END}, /* wire to a cell */
		{6, 0, PB_PROTECT_FRONT_END}, /* current is not measured */
		{6, 1, PB_PROTECT_FRONT_END}, /* nor the voltage */
		{6, 2, PB_PROTECT_SHORT_CIRCUIT},
	};

	if (!alarms_are_there(bits))
		return;
	s->protection_mask = 0;
	for (size_t i = 0; i < PB_ARRAY_SIZE(meanings); i++)
		if (bits >> (8 * meanings[i].byte + meanings[i].bit) & 1)
			s->protection_mask |= UINT32_C(1) << meanings[i].protection;
	s->alarm_mask = (uint32_t)bits & 0x0FFFFFFF; /* the highest four are reserved */
	s->has |= PB_HAS(PB_HAS_PROTECTION) | PB_HAS(PB_HAS_ALARM);
}

static int greeting_frame(const uint8_t *buf, size_t len, struct pb_frame *ret)
{
	size_t size = sizeof(greeting) - 1;

	ret->kind = PB_FRAME_MODULE;
	ret->payload = buf;
	ret->len = size;
	if (memcmp(buf, greeting, len < size ? len : size) != 0)
		return -EPROTO;
	return len < size ? PB_FRAME_MORE : (int)size;
}

/* ---- D2 and P81: frames of words ---- */

/* A read, as its reply can be told by its length. */
struct block {
	uint16_t reg, words;
};

struct word_dialect {
	uint8_t address; /* of replies */
	size_t count;
	struct block blocks[8];
};

static const struct word_dialect d2 = {
	D2,
	5,
	{{STATUS, 62}, {STATUS, 80}, {BALANCE, 9}, {SETTINGS, 41}, {VERSIONS, 32}},
};

static const struct word_dialect p81 = {
	P81_REPLY,
	5,
	{{STATUS, 64}, {P81_STATUS, 62}, {P81_ALARMS, 10}, {P81_SETTINGS, 81}, {P81_VERSIONS, 74}},
};

/* @return the register that a reply of so many words is about, or PB_COMMAND_UNKNOWN. */
static uint16_t register_of(const struct word_dialect *dialect, size_t words)
{
	for (size_t i = 0; i < dialect->count; i++)
		if (dialect->blocks[i].words == words)
			return dialect->blocks[i].reg;
	return PB_COMMAND_UNKNOWN;
}

static int check_crc(const uint8_t *buf, struct pb_frame *ret)
{
	size_t at = ret->len - CRC_LEN;

	return bms_checksum(ret, 4, pb_get_le16(buf + at), pb_crc16(buf, at));
}

/* A reply that carries no words: a refusal, or the echo of a write, which we never send. */
static int short_frame(const uint8_t *buf, size_t len, const struct pb_query *pending,
		       struct pb_frame *ret)
{
	bool refused = buf[1] == FUNCTION_REFUSED;

	if (!refused && (buf[1] != FUNCTION_WRITE || pending))
		return -EPROTO;
	ret->len = refused ? REFUSED_LEN : WRITE_LEN;
	if (len < ret->len)
		return PB_FRAME_MORE;
	ret->command = refused && pending ? pending->command : PB_COMMAND_UNKNOWN;
	ret->status = !refused ? 0 : buf[2] ? buf[2] : UNKNOWN_REFUSAL;
	ret->payload = buf + 2;
	ret->payload_len = ret->len - 2 - CRC_LEN;
	return check_crc(buf, ret);
}

static int word_frame(const struct word_dialect *dialect, const uint8_t *buf, size_t len,
		      const struct pb_query *pending, struct pb_frame *ret)
{
	*ret = (struct pb_frame){.bytes = buf};
	if (len == 0)
		return PB_FRAME_MORE;
	if (buf[0] == greeting[0])
		return greeting_frame(buf, len, ret);
	if (buf[0] != dialect->address)
		return -EPROTO;
	if (len < WORD_HEAD)
		return PB_FRAME_MORE;
	if (buf[1] != FUNCTION_READ)
		return short_frame(buf, len, pending, ret);
	ret->payload = buf + WORD_HEAD;
	ret->payload_len = buf[2];
	ret->command = register_of(dialect, ret->payload_len / 2);
	if (ret->payload_len == 0 || ret->payload_len % 2 || ret->payload_len > WORD_BYTES_MAX ||
	    (pending && ret->command == PB_COMMAND_UNKNOWN))
		return -EPROTO;
	ret->len = WORD_HEAD + ret->payload_len + CRC_LEN;
	return len < ret->len ? PB_FRAME_MORE : check_crc(buf, ret);
}

static int d2_frame(const uint8_t *buf, size_t len, const struct pb_query *pending,
		    struct pb_frame *ret)
{
	return word_frame(&d2, buf, len, pending, ret);
}

static int p81_frame(const uint8_t *buf, size_t len, const struct pb_query *pending,
		     struct pb_frame *ret)
{
	return word_frame(&p81, buf, len, pending, ret);
}

/* Where word @index of a block stands. */
static const uint8_t *place(const uint8_t *p, size_t index)
{
	return p + 2 * index;
}

static uint16_t word(const uint8_t *p, size_t index)
{
	return pb_get_be16(place(p, index));
}

/* 0 mV is a reading: a broken sense wire. @return 0; -EPROTO: there can't be so many cells. */
static int put_cells(struct pb_sample *s, const uint8_t *p, unsigned int count, unsigned int places)
{
	s->cell_count = (int32_t)count;
	s->has |= PB_HAS(PB_HAS_CELLS);
	s->cell_has = 0;
	if (count == 0 || count > places)
		return -EPROTO;
	s->cell_has = (UINT64_C(1) << count) - 1;
	for (unsigned int i = 0; i < count; i++)
		s->cell_mv[i] = word(p, i);
	return 0;
}

static void put_probes(struct pb_sample *s, const uint8_t *p, unsigned int count)
{
	s->temperature_has = 0;
	if (count == NO_WORD)
		return;
	s->temperature_count = (int32_t)count;
	s->has |= PB_HAS(PB_HAS_TEMPERATURES);
	for (unsigned int i = 0; i < count && count <= PROBES; i++)
		put_probe(s, i, word(p, i));
}

/* Voltage, current and SoC stand side by side in both maps. */
static void put_pack(struct pb_sample *s, const uint8_t *p)
{
	s->voltage_mv = word(p, 0) * 100;
	s->current_ma = current_ma(word(p, 1));
	s->soc_permille = word(p, 2);
	s->has |= PB_HAS(PB_HAS_VOLTAGE) | PB_HAS(PB_HAS_CURRENT) | PB_HAS(PB_HAS_SOC);
}

static void put_charge(struct pb_sample *s, unsigned int remaining, unsigned int cycles)
{
	s->remaining_mah = (int64_t)remaining * 100;
	s->cycles = (int32_t)cycles;
	if (remaining != NO_WORD)
		s->has |= PB_HAS(PB_HAS_REMAINING);
	if (cycles != NO_WORD)
		s->has |= PB_HAS(PB_HAS_CYCLES);
}

/*
 * The block from 3E on, alone or as the end of the long status. A board that balances and names no
 * cell does not tell which.
 */
static void d2_balance(const uint8_t *p, struct pb_sample *s)
{
	uint64_t mask = word(p, 0) | (uint64_t)word(p, 1) << 16;
	bool nameless = mask == 0 && s->has & PB_HAS(PB_HAS_BALANCING) && s->balancing;

	if (!nameless && word(p, 0) != NO_WORD && word(p, 1) != NO_WORD) {
		s->balance_mask = mask;
		s->has |= PB_HAS(PB_HAS_BALANCE);
	}
	put_mos(s, word(p, 4));
}

static int d2_status(const uint8_t *p, size_t words, struct pb_sample *s)
{
	unsigned int probes = word(p, 0x32);

	if (put_cells(s, p, word(p, 0x31), D2_CELLS) < 0)
		return -EPROTO;
	/* boards exist that count no probe and have one */
	if (probes == 0 && word(p, 0x20) != 0 && word(p, 0x20) < NO_PROBE)
		probes = 1;
	put_probes(s, place(p, 0x20), probes);
	put_pack(s, place(p, 0x28));
	put_charge(s, word(p, 0x30), word(p, 0x33));
	s->balancing = word(p, 0x34) != 0;
	if (word(p, 0x34) != NO_WORD)
		s->has |= PB_HAS(PB_HAS_BALANCING);
	put_switches(s, word(p, 0x35), word(p, 0x36));
	/* A5's bytes 0 and 1, 2 and 3, 4 and 5, the first of each in the low half */
	put_alarms(s,
		   word(p, 0x3A) | (uint64_t)word(p, 0x3B) << 16 | (uint64_t)word(p, 0x3C) << 32);
	if (words >= BALANCE + 9)
		d2_balance(place(p, BALANCE), s);
	return 0;
}

static int d2_decode(const struct pb_frame *frame, struct pb_sample *s)
{
	const uint8_t *p = frame->payload;

	if (frame->kind != PB_FRAME_REPLY || frame->status != 0)
		return 0;
	switch (frame->command) {
	case STATUS:
		return d2_status(p, frame->payload_len / 2, s);
	case BALANCE:
		d2_balance(p, s);
		return 0;
	case SETTINGS:
		if (word(p, 0) != NO_WORD)
			put_capacity(s, &s->nominal_mah, PB_HAS_NOMINAL, word(p, 0) * 100u);
		return 0;
	case VERSIONS:
		put_firmware(s, p, NAME_LEN);
		return 0;
	default:
		return 0;
	}
}

static int p81_cells(const uint8_t *p, struct pb_sample *s)
{
	if (put_cells(s, p, word(p, 0x3C), PB_CELLS_MAX) < 0)
		return -EPROTO;
	put_probes(s, place(p, 0x30), word(p, 0x3D));
	put_pack(s, place(p, 0x38));
	return 0;
}

static void p81_balance(const uint8_t *p, struct pb_sample *s)
{
	s->balance_mask = 0;
	for (unsigned int i = 0; i < 3; i++) {
		if (word(p, i) == NO_WORD)
			return;
		s->balance_mask |= (uint64_t)word(p, i) << 16 * i;
	}
	s->has |= PB_HAS(PB_HAS_BALANCE);
}

/* Of a register that the board does not have, nobody knows whether it is a switch. */
static bool is_switch(uint16_t raw)
{
	return raw <= 1 || raw == NO_WORD;
}

/* Alarms are known to be somewhere, but not where. */
static int p81_status(const uint8_t *block, struct pb_sample *s)
{
	const uint8_t *p = place(block, 0x48 - P81_STATUS); /* from register 48 on */

	if (!is_switch(word(p, 0x52 - 0x48)) || !is_switch(word(p, 0x53 - 0x48)))
		return -EPROTO;
	put_charge(s, word(p, 0x4B - 0x48), word(p, 0x4C - 0x48));
	p81_balance(place(p, 0x4F - 0x48), s);
	put_switches(s, word(p, 0x52 - 0x48), word(p, 0x53 - 0x48));
	put_mos(s, word(p, 0x5A - 0x48));
	return 0;
}

static int p81_decode(const struct pb_frame *frame, struct pb_sample *s)
{
	const uint8_t *p = frame->payload;

	if (frame->kind != PB_FRAME_REPLY || frame->status != 0)
		return 0;
	switch (frame->command) {
	case STATUS:
		return p81_cells(p, s);
	case P81_STATUS:
		return p81_status(p, s);
	case P81_SETTINGS:
		put_capacity(s, &s->nominal_mah, PB_HAS_NOMINAL, pb_get_be32(place(p, 0x09)));
		put_capacity(s, &s->full_mah, PB_HAS_FULL, pb_get_be32(place(p, 0x0B)));
		return 0;
	case P81_VERSIONS:
		put_firmware(s, p, P81_NAME_LEN);
		return 0;
	default:
		return 0;
	}
}

/* The settings hold the password of the app. */
static void p81_conceal(struct pb_conceal *conceal, uint8_t *bytes, size_t len)
{
	static const struct bms_secret settings = {
		.head = {P81_REPLY, FUNCTION_READ, 2 * 81},
		.head_len = 3,
		.len = WORD_HEAD + 2 * 81 + CRC_LEN,
		.crc = true,
		.ranges = {{WORD_HEAD + 2 * 0x26, WORD_HEAD + 2 * 0x29}},
	};

	bms_conceal(&settings, conceal, bytes, len);
}

/* ---- A5 ---- */

static int a5_frame(const uint8_t *buf, size_t len, const struct pb_query *pending,
		    struct pb_frame *ret)
{
	static const uint8_t head[] = {A5, A5_BMS};

	(void)pending; /* every frame names its command, and those of others are taken whole */
	*ret = (struct pb_frame){.bytes = buf};
	if (len == 0)
		return PB_FRAME_MORE;
	if (buf[0] == greeting[0])
		return greeting_frame(buf, len, ret);
	if (memcmp(buf, head, len < sizeof(head) ? len : sizeof(head)) != 0 ||
	    (len > 3 && buf[3] != A5_DATA))
		return -EPROTO;
	if (len < 4)
		return PB_FRAME_MORE;
	ret->len = A5_LEN;
	if (len < A5_LEN)
		return PB_FRAME_MORE;
	ret->command = buf[2];
	ret->in_parts = buf[2] == 0x95 || buf[2] == 0x96;
	ret->payload = buf + 4;
	ret->payload_len = A5_DATA;
	return bms_checksum(ret, 2, buf[A5_LEN - 1], bms_sum(buf, A5_LEN - 1) & 0xFF);
}

static void a5_pack(const uint8_t *p, struct pb_sample *s)
{
	s->voltage_mv = pb_get_be16(p) * 100;
	s->current_ma = -current_ma(pb_get_be16(p + 4)); /* the other way round than D2 */
	s->soc_permille = pb_get_be16(p + 6);
	s->has |= PB_HAS(PB_HAS_VOLTAGE) | PB_HAS(PB_HAS_CURRENT) | PB_HAS(PB_HAS_SOC);
}

static int a5_counts(const uint8_t *p, struct pb_sample *s)
{
	s->cell_count = p[0];
	s->cycles = pb_get_be16(p + 5);
	s->has |= PB_HAS(PB_HAS_CELLS) | PB_HAS(PB_HAS_CYCLES);
	if (p[0] == 0 || p[0] > PB_CELLS_MAX)
		return -EPROTO;
	s->carry.cells = p[0];
	s->carry.probes = p[1];
	if (p[1] <= PB_TEMPERATURES_MAX)
		return 0;
	s->carry.probes = 0;
	s->temperature_count = p[1];
	s->has |= PB_HAS(PB_HAS_TEMPERATURES);
	return 0;
}

/*
 * Without a count (`decode` of single frames) every slot is shown. A frame 0 means that this board
 * counts from 0, and that its other frames are not what they seem: no reading in this connection.
 */
static int a5_cells(const uint8_t *p, struct pb_sample *s)
{
	unsigned int count = s->carry.cells ? s->carry.cells : PB_CELLS_MAX;
	unsigned int first = (p[0] - 1u) * CELLS_A_FRAME;

	if (p[0] == 0)
		s->carry.layout = FROM_ZERO;
	if (s->carry.layout == FROM_ZERO)
		return -EPROTO;
	for (unsigned int i = 0; i < CELLS_A_FRAME && first + i < count; i++) {
		s->cell_mv[first + i] = pb_get_be16(p + 1 + 2 * (size_t)i);
		s->cell_has |= UINT64_C(1) << (first + i);
		if (!s->carry.cells)
			s->cell_count = (int32_t)(first + i + 1);
	}
	s->has |= PB_HAS(PB_HAS_CELLS);
	return s->carry.cells && s->cell_has != (UINT64_C(1) << count) - 1;
}

/* Frames in their order only: a place without a probe does not tell whether its frame came. */
static int a5_probes(const uint8_t *p, struct pb_sample *s)
{
	bool known = s->carry.cells;
	unsigned int count = known ? s->carry.probes : PB_TEMPERATURES_MAX;
	unsigned int first = (p[0] - 1u) * PROBES_A_FRAME;

	if (p[0] == 0)
		return -EPROTO;
	if (known && count > 0 && (first >= count || s->temperature_count != (int32_t)first))
		return 1;
	for (unsigned int i = 0; i < PROBES_A_FRAME && first + i < count; i++) {
		put_probe(s, first + i, p[1 + i]);
		s->temperature_count = (int32_t)(first + i + 1);
	}
	s->has |= PB_HAS(PB_HAS_TEMPERATURES);
	return known && first + PROBES_A_FRAME < count;
}

static uint64_t le_bits(const uint8_t *p, size_t bytes)
{
	uint64_t bits = 0;

	for (size_t i = 0; i < bytes; i++)
		bits |= (uint64_t)p[i] << 8 * i;
	return bits;
}

static int a5_decode(const struct pb_frame *frame, struct pb_sample *s)
{
	const uint8_t *p = frame->payload;

	if (frame->kind != PB_FRAME_REPLY)
		return 0;
	switch (frame->command) {
	case 0x50:
		put_capacity(s, &s->nominal_mah, PB_HAS_NOMINAL, pb_get_be32(p));
		return 0;
	case 0x90:
		a5_pack(p, s);
		return 0;
	case 0x93:
		put_switches(s, p[1], p[2]);
		s->remaining_mah = pb_get_be32(p + 4);
		s->has |= PB_HAS(PB_HAS_REMAINING);
		return 0;
	case 0x94:
		return a5_counts(p, s);
	case 0x95:
		return a5_cells(p, s);
	case 0x96:
		return a5_probes(p, s);
	case 0x97:
		s->balance_mask = le_bits(p, 6);
		s->has |= PB_HAS(PB_HAS_BALANCE);
		return 0;
	case 0x98:
		put_alarms(s, le_bits(p, 7));
		return 0;
	default:
		return 0;
	}
}

/* ---- how they are found, and what is wrong with bytes ---- */

static const char *const names[] = {"DL-*", "JHB-*", NULL};

/* One row for each id: known without "DL" behind it. PACE's id 0001 has the same form. */
#define DALY_ID(id, source)                                                                        \
	{"its own address behind a Daly maker id", (source), .maker = id "..@@*"},                 \
	{                                                                                          \
		"service fff0 and a Daly maker id", (source), .maker = id "*", .service = 0xFFF0   \
	}

/* Behind any id: one byte, the own address, and who made the board. */
static const struct pb_sign signs[] = {
	{"its own address and \"DL\" in maker data", "aiobmsble, 4 captured advertisements",
	 .maker = "......@@444C*"},
	{"its own address and \"JHB\" in maker data", "aiobmsble, 3 captured advertisements",
	 .maker = "......@@4A4842*"},
	DALY_ID("0201", "BMS_BLE-HA #204, #262"),
	DALY_ID("0401", "BMS_BLE-HA #145, #160"),
	DALY_ID("0601", "BMS_BLE-HA #806"),
	DALY_ID("0203", "BMS_BLE-HA #160, #174, #640"),
	DALY_ID("0303", "BMS_BLE-HA #85"),
	DALY_ID("0204", "BMS_BLE-HA #510"),
	{"a Daly name", "the maker's default", .names = names},
	{0},
};

static void word_explain(const struct word_dialect *dialect, const uint8_t *buf, size_t len,
			 int reason, const struct pb_frame *frame, char *out, size_t cap)
{
	if (bms_explain(len, REFUSED_LEN, reason, frame, out, cap))
		return;
	if (buf[0] != dialect->address)
		snprintf(out, cap, "no start byte: expected %02X, found %02X", dialect->address,
			 buf[0]);
	else if (buf[1] != FUNCTION_READ)
		snprintf(out, cap, "function %02X, expected 03", buf[1]);
	else
		snprintf(out, cap, "%u bytes of data, expected an even number from 2 to %d", buf[2],
			 WORD_BYTES_MAX);
}

static void d2_explain(const uint8_t *buf, size_t len, int reason, const struct pb_frame *frame,
		       char *out, size_t cap)
{
	word_explain(&d2, buf, len, reason, frame, out, cap);
}

static void p81_explain(const uint8_t *buf, size_t len, int reason, const struct pb_frame *frame,
			char *out, size_t cap)
{
	word_explain(&p81, buf, len, reason, frame, out, cap);
}

static void a5_explain(const uint8_t *buf, size_t len, int reason, const struct pb_frame *frame,
		       char *out, size_t cap)
{
	if (bms_explain(len, A5_LEN, reason, frame, out, cap))
		return;
	if (buf[0] != A5)
		snprintf(out, cap, "no start byte: expected A5, found %02X", buf[0]);
	else if (len > 1 && (buf[1] == 0x40 || buf[1] == 0x80))
		snprintf(out, cap, "a request of host %02X, not a reply", buf[1]);
	else if (len > 1 && buf[1] != A5_BMS)
		snprintf(out, cap, "sent by %02X, expected 01", buf[1]);
	else
		snprintf(out, cap, "%u bytes of data, expected 8", len > 3 ? buf[3] : 0U);
}

/* ---- plans ---- */

#define SETTINGS_BRING (PB_HAS(PB_HAS_NOMINAL) | PB_HAS(PB_HAS_FULL))
#define VERSIONS_BRING PB_HAS(PB_HAS_FIRMWARE)

/* Raw currents count from 30000, so 0 and FFFF are -3000.0 and 3553.5 A. */
#define DALY_BOUNDS                                                                                \
	PB_BOUND(current_ma, -2000000, 2000000), PB_BOUND(cell_mv, 0, 6500),                       \
		PB_BOUND(temperature_mc, -40000, 150000),                                          \
		PB_BOUND(mos_temperature_mc, -40000, 150000)

static const struct pb_bound d2_bounds[] = {
	DALY_BOUNDS,
	PB_BOUND(cell_count, 1, D2_CELLS),
	PB_BOUND(temperature_count, 0, PROBES),
	{0},
};

static const struct pb_bound p81_bounds[] = {
	DALY_BOUNDS,
	PB_BOUND(temperature_count, 0, PROBES),
	{0},
};

static const struct pb_bound a5_bounds[] = {DALY_BOUNDS, {0}};

static const struct pb_query d2_queries[] = {
	{"status", STATUS, .required = true, .len = 8,
	 .bytes = {D2, 0x03, 0x00, 0x00, 0x00, 0x3E, 0xD7, 0xB9}},
	{"balance", BALANCE, .len = 8, .bytes = {D2, 0x03, 0x00, 0x3E, 0x00, 0x09, 0xF7, 0xA3}},
	{"settings", SETTINGS, .when = PB_ONCE_AFTER, .brings = SETTINGS_BRING, .len = 8,
	 .bytes = {D2, 0x03, 0x00, 0x80, 0x00, 0x29, 0x96, 0x5F}},
	{"versions", VERSIONS, .when = PB_ONCE_AFTER, .brings = VERSIONS_BRING, .len = 8,
	 .bytes = {D2, 0x03, 0x00, 0xA9, 0x00, 0x20, 0x87, 0x91}},
};

static const struct pb_query p81_queries[] = {
	{"cells", STATUS, .required = true, .len = 8,
	 .bytes = {P81_REQUEST, 0x03, 0x00, 0x00, 0x00, 0x40, 0x5B, 0xFA}},
	{"status", P81_STATUS, .required = true, .len = 8,
	 .bytes = {P81_REQUEST, 0x03, 0x00, 0x41, 0x00, 0x3E, 0x8B, 0xCE}},
	{"settings", P81_SETTINGS, .when = PB_ONCE_AFTER, .brings = SETTINGS_BRING, .len = 8,
	 .bytes = {P81_REQUEST, 0x03, 0x01, 0x00, 0x00, 0x51, 0x9A, 0x0A}},
	{"versions", P81_VERSIONS, .when = PB_ONCE_AFTER, .brings = VERSIONS_BRING, .len = 8,
	 .bytes = {P81_REQUEST, 0x03, 0x01, 0x78, 0x00, 0x4A, 0x5A, 0x18}},
};

/*
 * The data of a request means nothing. On wires, requests whose data is 00 get lost far more often
 * than with AA, which has an edge in every bit [docs/protocols/daly.md].
 */
#define A5_QUERY(host, fill, cmd)                                                                  \
	.command = (cmd), .len = A5_LEN,                                                           \
	.bytes = {A5,                                                                              \
		  (host),                                                                          \
		  (cmd),                                                                           \
		  A5_DATA,                                                                         \
		  (fill),                                                                          \
		  (fill),                                                                          \
		  (fill),                                                                          \
		  (fill),                                                                          \
		  (fill),                                                                          \
		  (fill),                                                                          \
		  (fill),                                                                          \
		  (fill),                                                                          \
		  (A5 + (host) + (cmd) + A5_DATA + A5_DATA * (fill)) & 0xFF}

/* The counts go before the cells: they cut them. */
#define A5_PLAN(host, fill)                                                                        \
	{                                                                                          \
		{"pack", .required = true, A5_QUERY(host, fill, 0x90)},                            \
			{"counts", .required = true, A5_QUERY(host, fill, 0x94)},                  \
			{"cells", .required = true, A5_QUERY(host, fill, 0x95)},                   \
			{"switches", A5_QUERY(host, fill, 0x93)},                                  \
			{"temperatures", A5_QUERY(host, fill, 0x96)},                              \
			{"balance", A5_QUERY(host, fill, 0x97)},                                   \
			{"alarms", A5_QUERY(host, fill, 0x98)},                                    \
			{"capacity", .when = PB_ONCE_AFTER, .brings = PB_HAS(PB_HAS_NOMINAL),      \
			 A5_QUERY(host, fill, 0x50)},                                              \
	}

static const struct pb_query a5_queries[] = A5_PLAN(0x80, 0x00);
static const struct pb_query a5_wire_queries[] = A5_PLAN(0x40, 0xAA);

static const struct pb_codec a5_wire_codec = {
	.name = "daly",
	.dialect = "A5, host 40",
	.queries = a5_wire_queries,
	.query_count = PB_ARRAY_SIZE(a5_wire_queries),
	.bounds = a5_bounds,
	.frame = a5_frame,
	.decode = a5_decode,
	.explain = a5_explain,
};

static const struct pb_codec a5_codec = {
	.name = "daly",
	.dialect = "A5",
	.next = &a5_wire_codec,
	.queries = a5_queries,
	.query_count = PB_ARRAY_SIZE(a5_queries),
	.bounds = a5_bounds,
	.frame = a5_frame,
	.decode = a5_decode,
	.explain = a5_explain,
};

static const struct pb_codec p81_codec = {
	.name = "daly",
	.dialect = "P81",
	.next = &a5_codec,
	.queries = p81_queries,
	.query_count = PB_ARRAY_SIZE(p81_queries),
	.bounds = p81_bounds,
	.frame = p81_frame,
	.decode = p81_decode,
	.conceal = p81_conceal,
	.explain = p81_explain,
};

const struct pb_codec pb_codec_daly = {
	.name = "daly",
	.title = "Daly",
	.dialect = "D2",
	.next = &p81_codec,
	.queries = d2_queries,
	.query_count = PB_ARRAY_SIZE(d2_queries),
	.bounds = d2_bounds,
	.frame = d2_frame,
	.decode = d2_decode,
	.signs = signs,
	.explain = d2_explain,
};
