/* SPDX-License-Identifier: MIT */
/*
 * Daly's D2 and P81: registers of 16 bits in frames like those of Modbus RTU. Big endian.
 *
 *	D2   request  D2 03 reg reg words words crc crc     reply  D2 03 bytes data.. crc crc
 *	P81  request  81 03 ...                             reply  51 03 ...
 *
 *	write         D2 06 reg reg value value crc crc     the reply repeats it, P81's from 51
 *
 * A reply does not name its register. Its length does: no two reads of a plan have the same number
 * of words.
 *
 * Source: docs/protocols/daly.md
 */
#include "codec.h"
#include "daly.h"
#include "packbridge/base.h"
#include "pipes.h"

#include <errno.h>
#include <stdio.h>

enum {
	D2 = DALY_D2,
	P81_REPLY = 0x51, /* of board 1; others count on */
	P81_REQUEST = DALY_P81,

	FUNCTION_READ = 0x03,
	FUNCTION_WRITE = DALY_WRITE,
	FUNCTION_ERROR = 0x80, /* with the function that is refused */
	WRITE_LEN = 8,
	REQUEST_LEN = 8,
	REFUSED_LEN = 5,
	UNKNOWN_REFUSAL = 0xFF,
	WORD_HEAD = 3, /* address, function, bytes */
	CRC_LEN = 2,
	WORD_BYTES_MAX = 250,

	STATUS = 0x00,
	BALANCE = 0x3E,
	SETTINGS = 0x80,
	VERSIONS = 0xA9,
	D2_REASONS = 0x3D,
	P81_REASONS = 0x73,
	P81_STATUS = 0x41,
	P81_ALARMS = 0xA4,
	P81_SETTINGS = 0x100,
	P81_VERSIONS = 0x178,

	D2_CELLS = 32,
	PROBES = 8,
	NAME_LEN = 16,
	P81_NAME_LEN = 28,
};

/* A read; its reply is recognised by its length. */
struct word_read {
	uint16_t reg, words;
};

struct word_dialect {
	uint8_t address; /* of replies */
	size_t count;
	struct word_read blocks[8];
};

static const struct word_dialect d2 = {
	D2,
	6,
	{{STATUS, 62},
	 {STATUS, 80},
	 {BALANCE, 9},
	 {SETTINGS, 41},
	 {VERSIONS, 32},
	 {DALY_D2_SWITCHES, 2}},
};

static const struct word_dialect p81 = {
	P81_REPLY,
	6,
	{{STATUS, 64},
	 {P81_STATUS, 62},
	 {P81_ALARMS, 10},
	 {P81_SETTINGS, 81},
	 {P81_VERSIONS, 74},
	 {DALY_P81_SWITCHES, 2}},
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

/* The request that waits for a reply is a write. */
static bool is_write(const struct pb_query *pending)
{
	return pending && pending->bytes[1] == FUNCTION_WRITE;
}

/* A reply that carries no words: a refusal, or the echo of a write. */
static int short_frame(const uint8_t *buf, size_t len, const struct pb_query *pending,
		       struct pb_frame *ret)
{
	uint8_t asked = is_write(pending) ? FUNCTION_WRITE : FUNCTION_READ;
	bool refused = buf[1] == (FUNCTION_ERROR | asked);

	if (!refused && (buf[1] != FUNCTION_WRITE || (pending && !is_write(pending))))
		return -EPROTO;
	ret->len = refused ? REFUSED_LEN : WRITE_LEN;
	if (len < ret->len)
		return PB_FRAME_MORE;
	ret->command = !refused	 ? (uint16_t)(DALY_WRITES | pb_get_be16(buf + 2))
		       : pending ? pending->command
				 : PB_COMMAND_UNKNOWN;
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
	if (buf[0] == DALY_GREETING)
		return daly_greeting_frame(buf, len, ret);
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

/* The request of a master, to whichever board. */
static int request_frame(const uint8_t *buf, size_t len, struct pb_frame *ret)
{
	if (len > 1 && buf[1] != FUNCTION_READ && buf[1] != FUNCTION_WRITE)
		return -EPROTO;
	ret->payload = buf + 2;
	ret->payload_len = REQUEST_LEN - 2 - CRC_LEN;
	ret->len = REQUEST_LEN;
	return len < REQUEST_LEN ? PB_FRAME_MORE : check_crc(buf, ret);
}

/* @return what @byte is above @first as the address of a board, from 1; 0: it is none. */
static uint8_t board_of(uint8_t byte, uint8_t first)
{
	return byte >= first && byte - first < DALY_BOARDS ? (uint8_t)(byte - first + 1) : 0;
}

static int p81_multidrop_frame(const uint8_t *buf, size_t len, const struct pb_query *pending,
			       struct pb_frame *ret)
{
	uint8_t own = pending ? board_of(pending->bytes[0], P81_REQUEST) : 0;
	struct word_dialect board = p81;
	uint8_t sender, asked;
	int r;

	*ret = (struct pb_frame){.bytes = buf};
	if (len == 0)
		return PB_FRAME_MORE;
	sender = board_of(buf[0], P81_REPLY);
	asked = board_of(buf[0], P81_REQUEST);
	if (!sender && !asked)
		return -EPROTO;
	board.address = buf[0];
	r = asked ? request_frame(buf, len, ret)
		  : word_frame(&board, buf, len, sender == own ? pending : NULL, ret);
	ret->address = sender ? sender : asked;
	ret->kind = sender && sender == own ? PB_FRAME_REPLY : PB_FRAME_OTHER;
	return r;
}

static void p81_request(const struct pb_query *query, uint8_t address, struct pb_query *out)
{
	(void)query;
	out->bytes[0] = (uint8_t)(P81_REQUEST - 1 + address);
	pb_put_le16(out->bytes + REQUEST_LEN - CRC_LEN,
		    pb_crc16(out->bytes, REQUEST_LEN - CRC_LEN));
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
static int daly_word_put_cells(struct pb_sample *s, const uint8_t *p, unsigned int count,
			       unsigned int places)
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

static void daly_word_put_probes(struct pb_sample *s, const uint8_t *p, unsigned int count)
{
	s->temperature_has = 0;
	if (count == DALY_NO_WORD)
		return;
	s->temperature_count = (int32_t)count;
	s->has |= PB_HAS(PB_HAS_TEMPERATURES);
	for (unsigned int i = 0; i < count && count <= PROBES; i++)
		daly_put_probe(s, i, word(p, i));
}

/* Voltage, current and SoC have adjacent registers in both maps. */
static void put_pack(struct pb_sample *s, const uint8_t *p)
{
	s->voltage_mv = word(p, 0) * 100;
	s->current_ma = daly_current_ma(word(p, 1));
	s->soc_permille = word(p, 2);
	s->has |= PB_HAS(PB_HAS_VOLTAGE) | PB_HAS(PB_HAS_CURRENT) | PB_HAS(PB_HAS_SOC);
}

static void put_charge(struct pb_sample *s, unsigned int remaining, unsigned int cycles)
{
	s->remaining_mah = (int64_t)remaining * 100;
	s->cycles = (int32_t)cycles;
	if (remaining != DALY_NO_WORD)
		s->has |= PB_HAS(PB_HAS_REMAINING);
	if (cycles != DALY_NO_WORD)
		s->has |= PB_HAS(PB_HAS_CYCLES);
}

/*
 * The block from 3E on, alone or as the end of the long status. A board that balances and names no
 * cell does not tell which.
 */
static void daly_word_d2_balance(const uint8_t *p, struct pb_sample *s)
{
	uint64_t mask = word(p, 0) | (uint64_t)word(p, 1) << 16;
	bool nameless = mask == 0 && s->has & PB_HAS(PB_HAS_BALANCING) && s->balancing;

	if (!nameless && word(p, 0) != DALY_NO_WORD && word(p, 1) != DALY_NO_WORD) {
		s->balance_mask = mask;
		s->has |= PB_HAS(PB_HAS_BALANCE);
	}
	daly_put_mos(s, word(p, 4));
}

/* What the switches are commanded to do, where the board tells. */
static void put_commands(struct pb_sample *s, unsigned int charge, unsigned int discharge)
{
	if (bms_bool(charge, &s->charge_switch))
		s->has |= PB_HAS(PB_HAS_CHARGE_SWITCH);
	if (bms_bool(discharge, &s->discharge_switch))
		s->has |= PB_HAS(PB_HAS_DISCHARGE_SWITCH);
}

/*
 * Why FETs are open: a bit for a command stands for those that are open. Clear bits prove nothing.
 * The registers of the switches are asked for only with control on, and count for more.
 */
static void put_reasons(struct pb_sample *s, bool charge, bool discharge)
{
	put_commands(s, charge && s->has & PB_HAS(PB_HAS_CHARGE_FET) && !s->charge_fet ? 0 : 2,
		     discharge && s->has & PB_HAS(PB_HAS_DISCHARGE_FET) && !s->discharge_fet ? 0
											     : 2);
}

static int daly_word_d2_status(const uint8_t *p, size_t words, struct pb_sample *s)
{
	unsigned int probes = word(p, 0x32);

	if (daly_word_put_cells(s, p, word(p, 0x31), D2_CELLS) < 0)
		return -EPROTO;
	/* boards exist that count no probe and have one */
	if (probes == 0 && word(p, 0x20) != 0 && word(p, 0x20) < DALY_NO_PROBE)
		probes = 1;
	daly_word_put_probes(s, place(p, 0x20), probes);
	put_pack(s, place(p, 0x28));
	put_charge(s, word(p, 0x30), word(p, 0x33));
	s->balancing = word(p, 0x34) != 0;
	if (word(p, 0x34) != DALY_NO_WORD)
		s->has |= PB_HAS(PB_HAS_BALANCING);
	daly_put_switches(s, word(p, 0x35), word(p, 0x36));
	if (word(p, D2_REASONS) != DALY_NO_WORD)
		put_reasons(s, word(p, D2_REASONS) >> 4 & 1, word(p, D2_REASONS) >> 4 & 1);
	/* A5's bytes 0 and 1, 2 and 3, 4 and 5, the first of each in the low half */
	daly_put_alarms(s, word(p, 0x3A) | (uint64_t)word(p, 0x3B) << 16 |
				   (uint64_t)word(p, 0x3C) << 32);
	if (words >= BALANCE + 9)
		daly_word_d2_balance(place(p, BALANCE), s);
	return 0;
}

static int d2_decode(const struct pb_frame *frame, struct pb_sample *s)
{
	const uint8_t *p = frame->payload;

	if (frame->kind != PB_FRAME_REPLY || frame->status != 0)
		return 0;
	switch (frame->command) {
	case STATUS:
		return daly_word_d2_status(p, frame->payload_len / 2, s);
	case BALANCE:
		daly_word_d2_balance(p, s);
		return 0;
	case SETTINGS:
		if (word(p, 0) != DALY_NO_WORD)
			daly_put_capacity(s, &s->nominal_mah, PB_HAS_NOMINAL, word(p, 0) * 100u);
		return 0;
	case VERSIONS:
		daly_put_firmware(s, p, NAME_LEN);
		return 0;
	case DALY_D2_SWITCHES:
		put_commands(s, word(p, 0), word(p, 1));
		return 0;
	default:
		return 0;
	}
}

static int daly_word_p81_cells(const uint8_t *p, struct pb_sample *s)
{
	if (daly_word_put_cells(s, p, word(p, 0x3C), PB_CELLS_MAX) < 0)
		return -EPROTO;
	daly_word_put_probes(s, place(p, 0x30), word(p, 0x3D));
	put_pack(s, place(p, 0x38));
	return 0;
}

static void p81_balance(const uint8_t *p, struct pb_sample *s)
{
	s->balance_mask = 0;
	for (unsigned int i = 0; i < 3; i++) {
		if (word(p, i) == DALY_NO_WORD)
			return;
		s->balance_mask |= (uint64_t)word(p, i) << 16 * i;
	}
	s->has |= PB_HAS(PB_HAS_BALANCE);
}

/* Of a register that the board does not have, nobody knows whether it is a switch. */
static bool is_switch(uint16_t raw)
{
	return raw <= 1 || raw == DALY_NO_WORD;
}

/* Alarms are known to be somewhere, but not where. */
static int daly_word_p81_status(const uint8_t *block, struct pb_sample *s)
{
	const uint8_t *p = place(block, 0x48 - P81_STATUS); /* from register 48 on */
	uint16_t reasons = word(block, P81_REASONS - P81_STATUS);

	if (!is_switch(word(p, 0x52 - 0x48)) || !is_switch(word(p, 0x53 - 0x48)))
		return -EPROTO;
	put_charge(s, word(p, 0x4B - 0x48), word(p, 0x4C - 0x48));
	p81_balance(place(p, 0x4F - 0x48), s);
	daly_put_switches(s, word(p, 0x52 - 0x48), word(p, 0x53 - 0x48));
	if (reasons != DALY_NO_WORD)
		put_reasons(s, reasons >> 8 & 1, reasons >> 9 & 1);
	daly_put_mos(s, word(p, 0x5A - 0x48));
	return 0;
}

static int p81_decode(const struct pb_frame *frame, struct pb_sample *s)
{
	const uint8_t *p = frame->payload;

	if (frame->kind != PB_FRAME_REPLY || frame->status != 0)
		return 0;
	switch (frame->command) {
	case STATUS:
		return daly_word_p81_cells(p, s);
	case P81_STATUS:
		return daly_word_p81_status(p, s);
	case P81_SETTINGS:
		daly_put_capacity(s, &s->nominal_mah, PB_HAS_NOMINAL, pb_get_be32(place(p, 0x09)));
		daly_put_capacity(s, &s->full_mah, PB_HAS_FULL, pb_get_be32(place(p, 0x0B)));
		return 0;
	case P81_VERSIONS:
		daly_put_firmware(s, p, P81_NAME_LEN);
		return 0;
	case DALY_P81_SWITCHES:
		put_commands(s, word(p, 0), word(p, 1));
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
		.spread = DALY_BOARDS - 1,
		.head_len = 3,
		.len = WORD_HEAD + 2 * 81 + CRC_LEN,
		.crc = true,
		.ranges = {{WORD_HEAD + 2 * 0x26, WORD_HEAD + 2 * 0x29}},
	};

	bms_conceal(&settings, conceal, bytes, len);
}

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

#define SETTINGS_BRING (PB_HAS(PB_HAS_NOMINAL) | PB_HAS(PB_HAS_FULL))
#define VERSIONS_BRING PB_HAS(PB_HAS_FIRMWARE)

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

static const struct pb_query d2_queries[] = {
	{"status", STATUS, .required = true, .len = 8,
	 .bytes = {D2, 0x03, 0x00, 0x00, 0x00, 0x3E, 0xD7, 0xB9}},
	{"balance", BALANCE, .len = 8, .bytes = {D2, 0x03, 0x00, 0x3E, 0x00, 0x09, 0xF7, 0xA3}},
	{"settings", SETTINGS, .when = PB_ONCE_AFTER, .brings = SETTINGS_BRING, .len = 8,
	 .bytes = {D2, 0x03, 0x00, 0x80, 0x00, 0x29, 0x96, 0x5F}},
	{"versions", VERSIONS, .when = PB_ONCE_AFTER, .brings = VERSIONS_BRING, .len = 8,
	 .bytes = {D2, 0x03, 0x00, 0xA9, 0x00, 0x20, 0x87, 0x91}},
	{"switches", DALY_D2_SWITCHES, .control = true, .len = 8,
	 .bytes = {D2, 0x03, 0x00, 0xA5, 0x00, 0x02, 0xC7, 0x8B}},
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
	{"switches", DALY_P81_SWITCHES, .control = true, .len = 8,
	 .bytes = {P81_REQUEST, 0x03, 0x01, 0x21, 0x00, 0x02, 0x8A, 0x3D}},
};

static const struct pb_codec p81_codec = {
	.name = "daly",
	.dialect = "P81",
	.next = &daly_a5_codec,
	.queries = p81_queries,
	.query_count = PB_ARRAY_SIZE(p81_queries),
	.bounds = p81_bounds,
	.frame = p81_frame,
	.decode = p81_decode,
	.dialogue = daly_p81_dialogue,
	.conceal = p81_conceal,
	.explain = p81_explain,
};

const struct pb_codec daly_p81_multidrop = {
	.name = "daly",
	.dialect = "P81",
	.next = &daly_a5_multidrop,
	.addresses = DALY_BOARDS,
	.queries = p81_queries,
	.query_count = PB_ARRAY_SIZE(p81_queries),
	.bounds = p81_bounds,
	.frame = p81_multidrop_frame,
	.decode = p81_decode,
	.dialogue = daly_p81_dialogue,
	.request = p81_request,
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
	.dialogue = daly_d2_dialogue,
	.signs = daly_signs,
	.pipes = bms_serial_pipes,
	.multidrop = &daly_p81_multidrop,
	.explain = d2_explain,
};
