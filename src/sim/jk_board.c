/* SPDX-License-Identifier: MIT */
/*
 * Boards that speak JK, docs/protocols/jk.md: of 24 and of 32 cell slots, with an old and a new
 * firmware. Once the device and the cells were asked for, cells come by themselves. Written from
 * the documents and the captures, not from the codec.
 */
#include "packbridge/base.h"
#include "packbridge/sim.h"
#include "switches.h"

#include <stdio.h>
#include <string.h>

enum jk_variant { OLD_24S, OLD_32S, NEW_32S };

enum {
	LEN = 300,
	ACK_LEN = 20,
	REQUEST_LEN = 20,
	CHARGE_SWITCH = 0x1D,
	DISCHARGE_SWITCH = 0x1E,
	ASKED_DEVICE = 1,
	ASKED_CELLS = 2,
	NO_PROBE = -2000,
	STREAM_MS = 540,
};

static void put32(uint8_t *at, int64_t value)
{
	pb_put_le16(at, (uint16_t)value);
	pb_put_le16(at + 2, (uint16_t)(value >> 16));
}

static uint8_t sum_of(const uint8_t *bytes, size_t len)
{
	uint8_t sum = 0;

	for (size_t i = 0; i < len; i++)
		sum = (uint8_t)(sum + bytes[i]);
	return sum;
}

static void begin(struct pb_sim_talk *talk, uint8_t type, uint8_t *f)
{
	memset(f, 0, LEN);
	memcpy(f, (const uint8_t[]){0x55, 0xAA, 0xEB, 0x90, type, talk->counter++}, 6);
}

/* It names neither what was asked nor what was written. */
static size_t put_acknowledgement(uint8_t *f)
{
	memset(f, 0, ACK_LEN);
	memcpy(f, (const uint8_t[]){0xAA, 0x55, 0x90, 0xEB, 0xC8, 1, 1}, 7);
	f[ACK_LEN - 1] = sum_of(f, ACK_LEN - 1);
	return ACK_LEN;
}

/* Behind the answers to requests. */
static size_t acknowledge(uint8_t *f)
{
	f[LEN - 1] = sum_of(f, LEN - 1);
	return LEN + put_acknowledgement(f + LEN);
}

static void put_text(uint8_t *at, const char *text, size_t cap)
{
	memcpy(at, text, strnlen(text, cap));
}

static size_t device(enum jk_variant variant, struct pb_sim_talk *talk, const struct pb_sample *s,
		     uint8_t *f)
{
	static const char *const models[] = {"JK-BD6A24S10P", "JK_B2A8S20P", "JK-PB2A16S20P"};
	static const char *const hardware[] = {"10.XG", "11.XW", "19A"};
	static const char *const software[] = {"10.07", "11.48", "19.27"};
	char date[16];

	begin(talk, 3, f);
	put_text(f + 6, models[variant], 16);
	put_text(f + 22, hardware[variant], 8);
	put_text(f + 30, software[variant], 8);
	put_text(f + 46, s->device_name, 16);
	snprintf(date, sizeof(date), "%06d", s->production_date % 1000000);
	put_text(f + 78, date, 6);
	put_text(f + 86, "SIM0001", 16);
	return acknowledge(f);
}

static size_t settings(struct pb_sim_talk *talk, const struct pb_sample *s, uint8_t *f)
{
	begin(talk, 1, f);
	f[114] = (uint8_t)s->cell_count;
	/* what is commanded, whatever the FETs do */
	f[118] = talk->sim ? !(talk->sim->ordered & PB_SIM_CHARGE) : s->charge_fet;
	f[122] = talk->sim ? !(talk->sim->ordered & PB_SIM_DISCHARGE) : s->discharge_fet;
	put32(f + 130, s->nominal_mah);
	return acknowledge(f);
}

static uint32_t jk_board_alarm_bits(const struct pb_sample *s)
{
	static const uint8_t bits[PB_PROTECT_COUNT] = {
		[PB_PROTECT_PACK_OVERVOLTAGE] = 5,
		[PB_PROTECT_CHARGE_OVERCURRENT] = 6,
		[PB_PROTECT_CHARGE_OVERTEMPERATURE] = 8,
		[PB_PROTECT_CHARGE_UNDERTEMPERATURE] = 9,
		[PB_PROTECT_FRONT_END] = 10,
		[PB_PROTECT_CELL_UNDERVOLTAGE] = 11,
		[PB_PROTECT_PACK_UNDERVOLTAGE] = 12,
		[PB_PROTECT_DISCHARGE_OVERCURRENT] = 13,
		[PB_PROTECT_SHORT_CIRCUIT] = 14,
		[PB_PROTECT_DISCHARGE_OVERTEMPERATURE] = 15,
	};
	uint32_t set = 0;

	for (int i = 0; i < PB_PROTECT_COUNT; i++)
		if (bits[i] && s->protection_mask >> i & 1)
			set |= UINT32_C(1) << bits[i];
	return set;
}

static void jk_board_put_probe(uint8_t *at, const struct pb_sample *s, int i)
{
	bool fitted = i >= 0 && i < s->temperature_count && s->temperature_has >> i & 1;

	pb_put_le16(at, (uint16_t)(fitted ? pb_scale(s->temperature_mc[i], 1, 100) : NO_PROBE));
}

/* Behind the mask of the cells, in both layouts; numbers of cells are from 0. */
static void put_extremes(uint8_t *at, const struct pb_sample *s)
{
	pb_put_le16(at, (uint16_t)s->cell_avg_mv);
	pb_put_le16(at + 2, (uint16_t)s->cell_delta_mv);
	at[4] = (uint8_t)(s->cell_max_index - 1);
	at[5] = (uint8_t)(s->cell_min_index - 1);
}

/* What stands at the same distance in both layouts: @at of 24 slots, @shift more with 32. */
static void put_common(uint8_t *f, size_t shift, const struct pb_sample *s)
{
	uint8_t *at = f + shift;

	put32(at + 118, s->voltage_mv);
	put32(at + 122, s->power_mw < 0 ? -s->power_mw : s->power_mw);
	put32(at + 126, s->current_ma);
	jk_board_put_probe(at + 130, s, 0);
	jk_board_put_probe(at + 132, s, 1);
	at[140] = s->balance_mask ? 1 : 0;
	at[141] = (uint8_t)pb_scale(s->soc_permille, 1, 10);
	put32(at + 142, s->remaining_mah);
	put32(at + 146, s->full_mah);
	put32(at + 150, s->cycles);
	at[158] = (uint8_t)pb_scale(s->full_mah, 100, s->nominal_mah);
	at[166] = s->charge_fet;
	at[167] = s->discharge_fet;
}

static size_t cells(enum jk_variant variant, struct pb_sim_talk *talk, const struct pb_sample *s,
		    uint8_t *f)
{
	bool small = variant == OLD_24S;
	int mos = s->temperature_count - 1;

	begin(talk, 2, f);
	for (int i = 0; i < s->cell_count; i++) {
		pb_put_le16(f + 6 + 2 * (size_t)i, (uint16_t)pb_clamp(s->cell_mv[i], 0, 65535));
		pb_put_le16(f + (small ? 64 : 80) + 2 * (size_t)i, (uint16_t)(60 + i));
	}
	put32(f + (small ? 54 : 70), (int64_t)s->cell_has);
	put_extremes(f + (small ? 58 : 74), s);
	put_common(f, small ? 0 : 32, s);
	jk_board_put_probe(f + (small ? 134 : 144), s, mos);
	if (small)
		pb_put_le16(f + 136, (uint16_t)jk_board_alarm_bits(s));
	else
		put32(f + 166, jk_board_alarm_bits(s));
	if (variant == NEW_32S) {
		f[214] = (uint8_t)((UINT64_C(1) << (s->temperature_count + 1)) - 1);
		jk_board_put_probe(f + 256, s, 2);
		jk_board_put_probe(f + 258, s, 3);
		jk_board_put_probe(f + 254, s, mos);
	}
	f[LEN - 1] = sum_of(f, LEN - 1);
	return LEN;
}

static size_t wrap_in_modem(uint8_t *bytes, size_t len)
{
	memmove(bytes + 4, bytes, len);
	memcpy(bytes, "AT\r\n", 4);
	memcpy(bytes + 4 + len, "AT\r\n", 4);
	return len + 8;
}

static size_t jk_board_command(struct pb_sim_talk *talk, const uint8_t *request, uint8_t *reply)
{
	unsigned int which = request[4] == CHARGE_SWITCH ? PB_SIM_CHARGE : PB_SIM_DISCHARGE;
	enum sim_outcome outcome;

	if ((request[4] != CHARGE_SWITCH && request[4] != DISCHARGE_SWITCH) || request[5] != 4 ||
	    request[6] > 1) {
		sim_offend(talk);
		return put_acknowledgement(reply);
	}
	outcome = sim_switch(talk, SIM_PLAIN, which, request[6] ? 0 : which);
	if (outcome != SIM_ACKNOWLEDGED && outcome != SIM_GARBLED)
		return 0;
	put_acknowledgement(reply);
	reply[ACK_LEN - 1] ^= outcome == SIM_GARBLED ? 0x55 : 0;
	return talk->sim->options.obey == PB_SIM_WRAPS ? wrap_in_modem(reply, ACK_LEN) : ACK_LEN;
}

static size_t jk_board_answer(const struct pb_sim_board *board, struct pb_sim_talk *talk,
			      const struct pb_sample *sample, const uint8_t *request, size_t len,
			      uint8_t *reply)
{
	if (len != REQUEST_LEN || memcmp(request, "\xAA\x55\x90\xEB", 4) != 0 ||
	    request[REQUEST_LEN - 1] != sum_of(request, REQUEST_LEN - 1))
		return 0;
	if (request[4] == 0x97) {
		talk->asked |= ASKED_DEVICE;
		return device((enum jk_variant)board->variant, talk, sample, reply);
	}
	if (request[4] != 0x96)
		return jk_board_command(talk, request, reply);
	talk->asked |= ASKED_CELLS;
	return settings(talk, sample, reply);
}

/* New firmwares put the command of a modem between the frames. */
static size_t jk_board_stream(const struct pb_sim_board *board, struct pb_sim_talk *talk,
			      const struct pb_sample *sample, uint8_t *bytes)
{
	static const uint8_t modem[] = {'A', 'T', '\r', '\n'};
	size_t at = 0;

	if (talk->asked != (ASKED_DEVICE | ASKED_CELLS))
		return 0;
	if (board->variant == NEW_32S) {
		memcpy(bytes, modem, sizeof(modem));
		at = sizeof(modem);
	}
	return at + cells((enum jk_variant)board->variant, talk, sample, bytes + at);
}

#define JK_BOARD(which)                                                                            \
	{                                                                                          \
		.maker = "jk", .variant = (which), .answer = jk_board_answer,                      \
		.spoil = ACK_LEN + 1, .stream_ms = STREAM_MS, .stream = jk_board_stream            \
	}

const struct pb_sim_board pb_sim_jk_24s = JK_BOARD(OLD_24S);
const struct pb_sim_board pb_sim_jk_32s = JK_BOARD(OLD_32S);
const struct pb_sim_board pb_sim_jk_new = JK_BOARD(NEW_32S);
