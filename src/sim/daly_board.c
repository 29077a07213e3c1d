/* SPDX-License-Identifier: MIT */
/*
 * Boards that speak Daly's dialects, docs/protocols/daly.md. Written from the documents and the
 * captures, not from the codec: the tests hold one against the other.
 *
 * What has no place in a dialect is left out: D2's alarm words end before the short circuit, and
 * nobody knows P81's.
 */
#include "packbridge/base.h"
#include "packbridge/sim.h"
#include "switches.h"

#include <string.h>

enum daly_variant { D2, P81, A5, A5_WIRE };

enum {
	CELSIUS_ZERO = 40,
	NO_PROBE = 0xFF,
	CURRENT_ZERO = 30000,
	WORDS_MAX = 81,
	D2_CHARGE = 0xA5,
	P81_CHARGE = 0x121, /* the discharge switch follows, in both */
	A5_DISCHARGE = 0xD9,
	A5_CHARGE = 0xDA,
	READ_LEN = 8,
	A5_LEN = 13,
	A5_CELL_FRAMES = 16, /* over Bluetooth, however many cells there are */
	A5_PROBE_FRAMES = 3,
};

static uint16_t u16(int64_t value)
{
	return (uint16_t)pb_clamp(value, 0, UINT16_MAX);
}

/* Degrees and 40; the ends are marks of no probe. */
static uint8_t degrees(int32_t mc)
{
	return (uint8_t)pb_clamp(pb_scale(mc, 1, 1000) + CELSIUS_ZERO, 1, NO_PROBE - 1);
}

/* A probe's place: its temperature, or the mark of none. */
static uint8_t probe(const struct pb_sample *s, int i)
{
	if (i < 0 || i >= s->temperature_count || !(s->temperature_has >> i & 1))
		return NO_PROBE;
	return degrees(s->temperature_mc[i]);
}

static bool has_extremes(const struct pb_sample *s)
{
	return s->has & PB_HAS(PB_HAS_TEMPERATURE_EXTREMES);
}

static uint8_t hottest(const struct pb_sample *s)
{
	return has_extremes(s) ? degrees(s->temperature_max_mc) : NO_PROBE;
}

static uint8_t coldest(const struct pb_sample *s)
{
	return has_extremes(s) ? degrees(s->temperature_min_mc) : NO_PROBE;
}

/* Whichever way it flows. */
static uint16_t watts(const struct pb_sample *s)
{
	return u16(pb_scale(s->power_mw < 0 ? -s->power_mw : s->power_mw, 1, 1000));
}

static uint16_t current(const struct pb_sample *s)
{
	return u16(CURRENT_ZERO + pb_scale(s->current_ma, 1, 100));
}

/* idle, charging, discharging */
static uint16_t state(const struct pb_sample *s)
{
	return s->current_ma > 0 ? 1 : s->current_ma < 0 ? 2 : 0;
}

/* Second levels only; bit n is bit n % 8 of byte n / 8. */
static uint64_t daly_board_alarm_bits(const struct pb_sample *s)
{
	static const uint8_t bits[PB_PROTECT_COUNT] = {
		[PB_PROTECT_CELL_OVERVOLTAGE] = 1,
		[PB_PROTECT_CELL_UNDERVOLTAGE] = 3,
		[PB_PROTECT_PACK_OVERVOLTAGE] = 5,
		[PB_PROTECT_PACK_UNDERVOLTAGE] = 7,
		[PB_PROTECT_CHARGE_OVERTEMPERATURE] = 9,
		[PB_PROTECT_CHARGE_UNDERTEMPERATURE] = 11,
		[PB_PROTECT_DISCHARGE_OVERTEMPERATURE] = 13,
		[PB_PROTECT_DISCHARGE_UNDERTEMPERATURE] = 15,
		[PB_PROTECT_CHARGE_OVERCURRENT] = 17,
		[PB_PROTECT_DISCHARGE_OVERCURRENT] = 19,
		[PB_PROTECT_CHARGE_FET_BROKEN] = 36,
		[PB_PROTECT_DISCHARGE_FET_BROKEN] = 37,
		[PB_PROTECT_FRONT_END] = 40,
		[PB_PROTECT_SHORT_CIRCUIT] = 50,
	};
	uint64_t set = 0;

	for (int i = 0; i < PB_PROTECT_COUNT; i++)
		if (bits[i] && s->protection_mask >> i & 1)
			set |= UINT64_C(1) << bits[i];
	return set;
}

/* ---- D2 and P81: registers ---- */

static void daly_board_put_cells(uint16_t *words, const struct pb_sample *s)
{
	for (int i = 0; i < s->cell_count; i++)
		words[i] = u16(s->cell_mv[i]);
}

/* Places without a probe are 0 beyond the count, as on real boards. */
static void daly_board_put_probes(uint16_t *words, const struct pb_sample *s, int places)
{
	for (int i = 0; i < places && i < s->temperature_count; i++)
		words[i] = probe(s, i);
}

static void daly_board_d2_status(uint16_t *w, const struct pb_sample *s, unsigned int ordered)
{
	uint64_t alarms = daly_board_alarm_bits(s);

	daly_board_put_cells(w, s);
	daly_board_put_probes(w + 0x20, s, 8);
	w[0x28] = u16(pb_scale(s->voltage_mv, 1, 100));
	w[0x29] = current(s);
	w[0x2A] = u16(s->soc_permille);
	w[0x2B] = u16(s->cell_max_mv);
	w[0x2C] = u16(s->cell_min_mv);
	w[0x2D] = hottest(s);
	w[0x2E] = coldest(s);
	w[0x2F] = state(s);
	w[0x30] = u16(pb_scale(s->remaining_mah, 1, 100));
	w[0x31] = u16(s->cell_count);
	w[0x32] = u16(s->temperature_count);
	w[0x33] = u16(s->cycles);
	w[0x34] = s->balance_mask != 0;
	w[0x35] = s->charge_fet;
	w[0x36] = s->discharge_fet;
	w[0x37] = u16(s->cell_avg_mv);
	w[0x38] = u16(s->cell_delta_mv);
	w[0x39] = watts(s);
	w[0x3A] = (uint16_t)alarms;
	w[0x3B] = (uint16_t)(alarms >> 16);
	w[0x3C] = (uint16_t)(alarms >> 32);
	w[0x3D] = ordered ? 1 << 4 : 0;
}

static void daly_board_d2_balance(uint16_t *w, const struct pb_sample *s)
{
	w[0] = (uint16_t)s->balance_mask;
	w[1] = (uint16_t)(s->balance_mask >> 16);
	w[2] = CURRENT_ZERO;
	w[4] = probe(s, s->temperature_count - 1); /* the last one sits at the transistors */
}

static void d2_settings(uint16_t *w, const struct pb_sample *s, unsigned int ordered)
{
	w[0x00] = u16(pb_scale(s->nominal_mah, 1, 100));
	w[0x02] = 1;
	w[0x03] = u16(s->cell_count);
	w[0x06] = u16(s->temperature_count);
	w[0x25] = !(ordered & PB_SIM_CHARGE);
	w[0x26] = !(ordered & PB_SIM_DISCHARGE);
	w[0x27] = u16(s->soc_permille);
}

static void put_words_text(uint16_t *w, const char *text)
{
	for (size_t i = 0; text[i]; i++)
		w[i / 2] |= (uint16_t)((uint8_t)text[i] << (i % 2 ? 0 : 8));
}

/* @return false: this board has no such block, and answers FFFF. */
static bool d2_block(uint16_t first, uint16_t count, const struct pb_sample *s,
		     unsigned int ordered, uint16_t *w)
{
	uint16_t all[41] = {0};

	if (first == 0 && (count == 62 || count == 80)) {
		daly_board_d2_status(w, s, ordered);
		if (count == 80)
			daly_board_d2_balance(w + 0x3E, s);
	} else if (first == 0x3E && count == 9) {
		daly_board_d2_balance(w, s);
	} else if (first >= 0x80 && first + count <= 0x80 + 41) { /* settings */
		d2_settings(all, s, ordered);
		memcpy(w, all + (first - 0x80), sizeof(*w) * count);
	} else if (first == 0xA9 && count == 32) {
		put_words_text(w, "SIM_D2_01");
		put_words_text(w + 8, "SIM-SMB");
	} else {
		return false;
	}
	return true;
}

static void daly_board_p81_cells(uint16_t *w, const struct pb_sample *s)
{
	daly_board_put_cells(w, s);
	daly_board_put_probes(w + 0x30, s, 8);
	w[0x38] = u16(pb_scale(s->voltage_mv, 1, 100));
	w[0x39] = current(s);
	w[0x3A] = u16(s->soc_permille);
	w[0x3C] = u16(s->cell_count);
	w[0x3D] = u16(s->temperature_count);
	w[0x3E] = u16(s->cell_max_mv);
	w[0x3F] = u16(s->cell_max_index);
}

/* @w: register 41 on */
static void daly_board_p81_status(uint16_t *w, const struct pb_sample *s, unsigned int ordered)
{
	w[0x41 - 0x41] = u16(s->cell_delta_mv);
	w[0x43 - 0x41] = hottest(s);
	w[0x44 - 0x41] = u16(s->temperature_max_index);
	w[0x45 - 0x41] = coldest(s);
	w[0x46 - 0x41] = u16(s->temperature_min_index);
	w[0x48 - 0x41] = state(s);
	w[0x4B - 0x41] = u16(pb_scale(s->remaining_mah, 1, 100));
	w[0x4C - 0x41] = u16(s->cycles);
	w[0x4D - 0x41] = s->balance_mask != 0;
	w[0x4F - 0x41] = (uint16_t)s->balance_mask;
	w[0x50 - 0x41] = (uint16_t)(s->balance_mask >> 16);
	w[0x51 - 0x41] = (uint16_t)(s->balance_mask >> 32);
	w[0x52 - 0x41] = s->charge_fet;
	w[0x53 - 0x41] = s->discharge_fet;
	w[0x57 - 0x41] = u16(s->cell_avg_mv);
	w[0x58 - 0x41] = watts(s);
	w[0x5A - 0x41] = probe(s, s->temperature_count - 1);
	w[0x73 - 0x41] = (uint16_t)(ordered << 8);
}

static void put_words_u32(uint16_t *w, int64_t value)
{
	w[0] = (uint16_t)(value >> 16);
	w[1] = (uint16_t)value;
}

static void p81_settings(uint16_t *w, const struct pb_sample *s, unsigned int ordered)
{
	w[0x01] = u16(s->cell_count);
	put_words_u32(w + 0x09, s->nominal_mah);
	put_words_u32(w + 0x0B, s->full_mah);
	w[0x21] = !(ordered & PB_SIM_CHARGE);
	w[0x22] = !(ordered & PB_SIM_DISCHARGE);
}

static bool p81_block(uint16_t first, uint16_t count, const struct pb_sample *s,
		      unsigned int ordered, uint16_t *w)
{
	uint16_t all[WORDS_MAX] = {0};

	if (first == 0 && count == 64) {
		daly_board_p81_cells(w, s);
	} else if (first == 0x41 && count == 62) {
		daly_board_p81_status(w, s, ordered);
	} else if (first >= 0x100 && first + count <= 0x100 + 81) { /* settings */
		p81_settings(all, s, ordered);
		memcpy(w, all + (first - 0x100), sizeof(*w) * count);
	} else if (first == 0x178 && count == 74) {
		put_words_text(w, "SIM_P81_01");
	} else {
		return false;
	}
	return true;
}

/* The reply to a command is its echo, from the board's own address. */
static size_t write_word(bool d2, struct pb_sim_talk *talk, const uint8_t *request, uint8_t *reply)
{
	uint16_t first = d2 ? D2_CHARGE : P81_CHARGE, reg = pb_get_be16(request + 2);
	uint16_t value = pb_get_be16(request + 4);
	unsigned int which = reg == first ? PB_SIM_CHARGE : PB_SIM_DISCHARGE;
	enum sim_outcome outcome;

	if (request[1] != 6 || reg < first || reg > first + 1 || value > 1) {
		sim_offend(talk);
		return 0;
	}
	outcome = sim_switch(talk, SIM_PLAIN, which, value ? 0 : which);
	if (outcome != SIM_ACKNOWLEDGED && outcome != SIM_GARBLED)
		return 0;
	memcpy(reply, request, READ_LEN);
	reply[0] = d2 ? 0xD2 : 0x51;
	pb_put_le16(reply + 6, pb_crc16(reply, 6));
	reply[6] ^= outcome == SIM_GARBLED ? 0x55 : 0;
	return READ_LEN;
}

static size_t answer_words(enum daly_variant variant, struct pb_sim_talk *talk,
			   const struct pb_sample *s, const uint8_t *request, size_t len,
			   uint8_t *reply)
{
	bool d2 = variant == D2;
	uint16_t words[WORDS_MAX] = {0}, first, count;
	size_t at = 3;

	if (len != READ_LEN || request[0] != (d2 ? 0xD2 : 0x81) || pb_crc16(request, len) != 0)
		return 0;
	if (request[1] != 3)
		return write_word(d2, talk, request, reply);
	first = pb_get_be16(request + 2);
	count = pb_get_be16(request + 4);
	if (count == 0 || count > WORDS_MAX)
		return 0;
	if (!(d2 ? d2_block : p81_block)(first, count, s, sim_ordered(talk), words))
		memset(words, 0xFF, sizeof(words));
	reply[0] = d2 ? 0xD2 : 0x51;
	reply[1] = 3;
	reply[2] = (uint8_t)(2 * count);
	for (uint16_t i = 0; i < count; i++, at += 2)
		pb_put_be16(reply + at, words[i]);
	pb_put_le16(reply + at, pb_crc16(reply, at));
	return at + 2;
}

/* ---- A5: frames of eight bytes ---- */

/* @return the end of the frame at @frame, whose data is there. */
static uint8_t *daly_board_finish(uint8_t *frame, uint8_t command)
{
	uint8_t sum = 0;

	frame[0] = 0xA5;
	frame[1] = 0x01;
	frame[2] = command;
	frame[3] = 8;
	for (int i = 0; i < A5_LEN - 1; i++)
		sum = (uint8_t)(sum + frame[i]);
	frame[A5_LEN - 1] = sum;
	return frame + A5_LEN;
}

static uint8_t *daly_board_a5_cells(uint8_t *frame, const struct pb_sample *s)
{
	uint8_t data[8] = {0};

	/* what is behind the last cell keeps what stood there before */
	for (int n = 0; n < A5_CELL_FRAMES; n++) {
		data[0] = (uint8_t)(n + 1);
		for (int i = 0; i < 3 && 3 * n + i < s->cell_count; i++)
			pb_put_be16(data + 1 + 2 * (size_t)i, u16(s->cell_mv[3 * n + i]));
		memcpy(frame + 4, data, sizeof(data));
		frame = daly_board_finish(frame, 0x95);
	}
	return frame;
}

static uint8_t *daly_board_a5_probes(uint8_t *frame, const struct pb_sample *s)
{
	for (int n = 0; n < A5_PROBE_FRAMES; n++) {
		frame[4] = (uint8_t)(n + 1);
		for (int i = 0; i < 7; i++)
			frame[5 + i] = 7 * n + i < s->temperature_count ? probe(s, 7 * n + i) : 0;
		frame = daly_board_finish(frame, 0x96);
	}
	return frame;
}

static void put_le(uint8_t *data, uint64_t bits, int bytes)
{
	for (int i = 0; i < bytes; i++)
		data[i] = (uint8_t)(bits >> 8 * i);
}

static void put_be32(uint8_t *data, int64_t value)
{
	pb_put_be16(data, (uint16_t)(value >> 16));
	pb_put_be16(data + 2, (uint16_t)value);
}

/* @return false: there is no such command, and no answer. */
static bool a5_data(uint8_t command, const struct pb_sample *s, uint8_t *d)
{
	memset(d, 0, 8);
	switch (command) {
	case 0x50:
		put_be32(d, s->nominal_mah);
		pb_put_be16(d + 6, 3200);
		return true;
	case 0x90:
		pb_put_be16(d, u16(pb_scale(s->voltage_mv, 1, 100)));
		pb_put_be16(d + 4, u16(CURRENT_ZERO - pb_scale(s->current_ma, 1, 100)));
		pb_put_be16(d + 6, u16(s->soc_permille));
		return true;
	case 0x91:
		pb_put_be16(d, u16(s->cell_max_mv));
		d[2] = (uint8_t)s->cell_max_index;
		pb_put_be16(d + 3, u16(s->cell_min_mv));
		d[5] = (uint8_t)s->cell_min_index;
		return true;
	case 0x92:
		d[0] = hottest(s);
		d[1] = (uint8_t)s->temperature_max_index;
		d[2] = coldest(s);
		d[3] = (uint8_t)s->temperature_min_index;
		return true;
	case 0x93:
		d[0] = (uint8_t)state(s);
		d[1] = s->charge_fet;
		d[2] = s->discharge_fet;
		put_be32(d + 4, s->remaining_mah);
		return true;
	case 0x94:
		d[0] = (uint8_t)s->cell_count;
		d[1] = (uint8_t)s->temperature_count;
		pb_put_be16(d + 5, u16(s->cycles));
		return true;
	case 0x97:
		put_le(d, s->balance_mask, 6);
		return true;
	case 0x98:
		put_le(d, daly_board_alarm_bits(s), 7);
		return true;
	default:
		return false;
	}
}

static bool a5_command(struct pb_sim_talk *talk, const uint8_t *request, uint8_t *reply)
{
	unsigned int which = request[2] == A5_CHARGE ? PB_SIM_CHARGE : PB_SIM_DISCHARGE;
	enum sim_outcome outcome = sim_switch(talk, SIM_PLAIN, which, request[4] ? 0 : which);

	if (outcome != SIM_ACKNOWLEDGED && outcome != SIM_GARBLED)
		return false;
	/* the state, then what stood there before */
	memcpy(reply + 4, (const uint8_t[]){request[4], 0x0D, 0x13, 0x0D, 0x21, 0x0D, 0x17, 0xC0},
	       8);
	daly_board_finish(reply, request[2]);
	reply[A5_LEN - 1] ^= outcome == SIM_GARBLED ? 0x55 : 0;
	return true;
}

static bool a5_is_command(const uint8_t *request)
{
	return (request[2] == A5_DISCHARGE || request[2] == A5_CHARGE) && request[4] <= 1;
}

static size_t answer_a5(enum daly_variant variant, struct pb_sim_talk *talk,
			const struct pb_sample *s, const uint8_t *request, size_t len,
			uint8_t *reply)
{
	uint8_t *end = reply, sum = 0;

	if (len != A5_LEN || request[0] != 0xA5 || request[3] != 8 ||
	    (request[1] != 0x40 && (variant == A5_WIRE || request[1] != 0x80)))
		return 0;
	for (int i = 0; i < A5_LEN - 1; i++)
		sum = (uint8_t)(sum + request[i]);
	if (sum != request[A5_LEN - 1])
		return 0;
	if (a5_is_command(request))
		return a5_command(talk, request, reply) ? A5_LEN : 0;
	if (request[2] == 0x95)
		end = daly_board_a5_cells(reply, s);
	else if (request[2] == 0x96)
		end = daly_board_a5_probes(reply, s);
	else if (a5_data(request[2], s, reply + 4))
		end = daly_board_finish(reply, request[2]);
	else if (request[2] < 0x50 || request[2] > 0x9F) /* no read at all */
		sim_offend(talk);
	if (request[2] == 0x93 && talk->sim && talk->sim->options.stuck) {
		reply[4 + 2] = 1;
		daly_board_finish(reply, request[2]);
	}
	return (size_t)(end - reply);
}

static size_t daly_board_answer(const struct pb_sim_board *board, struct pb_sim_talk *talk,
				const struct pb_sample *sample, const uint8_t *request, size_t len,
				uint8_t *reply)
{
	enum daly_variant variant = (enum daly_variant)board->variant;

	return variant == D2 || variant == P81
		       ? answer_words(variant, talk, sample, request, len, reply)
		       : answer_a5(variant, talk, sample, request, len, reply);
}

const struct pb_sim_board pb_sim_daly_d2 = {
	.maker = "daly", .variant = D2, .answer = daly_board_answer, .spoil = 1};
const struct pb_sim_board pb_sim_daly_p81 = {
	.maker = "daly", .variant = P81, .answer = daly_board_answer, .spoil = 1};
const struct pb_sim_board pb_sim_daly_a5 = {.maker = "daly",
					    .variant = A5,
					    .answer = daly_board_answer,
					    .frame_len = A5_LEN,
					    .spoil = 1};
const struct pb_sim_board pb_sim_daly_a5_wire = {.maker = "daly",
						 .variant = A5_WIRE,
						 .answer = daly_board_answer,
						 .frame_len = A5_LEN,
						 .spoil = 1};
