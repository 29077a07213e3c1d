/* SPDX-License-Identifier: MIT */
/*
 * Boards of each protocol and dialect whose values are the time at which they were measured: @ms,
 * since some start, below CLOCK_MAX_MS. All else that they report is plausible and constant. What
 * has not enough bits for the time holds its upper part, and is read as the latest time that it can
 * mean.
 */
#pragma once

#include "packbridge/base.h"
#include "packbridge/bms.h"
#include "packbridge/model/sample.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
	CLOCK_MAX_MS = 9900000,
	CLOCK_FRAME_MAX = 300,
	CLOCK_CELLS = 24, /**< of Daly boards: as many as a balance mask needs for the time */
};

/** A board sends a frame. */
typedef void clock_send(void *userdata, const uint8_t *bytes, size_t len);

struct clock_board {
	const char *name;
	const struct pb_codec *codec; /**< of the first dialect */
	size_t dialect;		      /**< how many steps along @codec->next */
	/** Answers a request that came at @ms. @return whether it streams from now on. */
	bool (*answer)(const uint8_t *request, size_t len, uint32_t ms, clock_send *send,
		       void *userdata);
	/** Sends a frame without a request; NULL: it never does. */
	void (*stream)(uint32_t ms, clock_send *send, void *userdata);
	/** The oldest time in a reading: of what the poll brought, and of what is asked rarely. */
	void (*oldest)(const struct pb_sample *s, uint32_t *poll_ms, uint32_t *rare_ms);
};

static inline void clock_older(uint32_t *oldest, uint64_t ms)
{
	if (ms < *oldest)
		*oldest = (uint32_t)ms;
}

/* The upper part of a time, without its lowest @bits bits. */
static inline uint64_t clock_upper(uint64_t value, unsigned int bits)
{
	return value << bits | ((UINT64_C(1) << bits) - 1);
}

static inline bool clock_has(const struct pb_sample *s, enum pb_has what)
{
	return s->has & PB_HAS(what);
}

static inline uint8_t clock_sum(const uint8_t *bytes, size_t len)
{
	unsigned int sum = 0;

	while (len--)
		sum += *bytes++;
	return (uint8_t)sum;
}

static inline void clock_be(uint8_t *p, size_t bytes, uint64_t value)
{
	for (size_t i = 0; i < bytes; i++)
		p[i] = (uint8_t)(value >> 8 * (bytes - 1 - i));
}

static inline void clock_le(uint8_t *p, size_t bytes, uint64_t value)
{
	for (size_t i = 0; i < bytes; i++)
		p[i] = (uint8_t)(value >> 8 * i);
}

/* Six bits a cell, around 3.3 V. */
static inline uint32_t clock_cell(uint32_t ms, unsigned int from_bit)
{
	return 3300 + (ms >> from_bit & 63);
}

static inline uint64_t clock_cells(const struct pb_sample *s, unsigned int first,
				   unsigned int count)
{
	uint64_t ms = 0;

	for (unsigned int i = 0; i < count; i++)
		ms = ms << 6 | ((uint64_t)s->cell_mv[first + i] - 3300);
	return ms;
}

static inline void clock_text(const char *text, bool reported, uint32_t *oldest)
{
	if (reported)
		clock_older(oldest, strtoul(text, NULL, 10));
}

/* ---- JBD ---- */

static inline void clock_jbd_send(uint8_t reg, const uint8_t *payload, size_t len, clock_send *send,
				  void *userdata)
{
	uint8_t f[64] = {0xDD, reg, 0, (uint8_t)len};
	unsigned int sum = (unsigned int)len;

	for (size_t i = 0; i < len; i++)
		sum += payload[i];
	memcpy(f + 4, payload, len);
	clock_be(f + 4 + len, 2, 0x10000 - sum);
	f[6 + len] = 0x77;
	send(userdata, f, len + 7);
}

static inline bool clock_jbd_answer(const uint8_t *request, size_t len, uint32_t ms,
				    clock_send *send, void *userdata)
{
	uint8_t p[32] = {0};
	char name[12];

	if (len != 7 || request[0] != 0xDD)
		return false;
	switch (request[2]) {
	case 0x03:
		clock_be(p, 2, 4 * 3330 / 10);
		clock_be(p + 4, 2, 5000);
		clock_be(p + 6, 2, 10000);
		clock_be(p + 8, 2, ms & 0xFFFF); /* cycles */
		p[18] = (uint8_t)(ms >> 16);	 /* version */
		p[19] = 50;
		p[20] = 3;
		p[21] = 4;
		clock_jbd_send(3, p, 23, send, userdata);
		break;
	case 0x04:
		for (unsigned int i = 0; i < 4; i++)
			clock_be(p + 2 * i, 2, clock_cell(ms, 18 - 6 * i));
		clock_jbd_send(4, p, 8, send, userdata);
		break;
	case 0x05:
		snprintf(name, sizeof(name), "%u", ms);
		clock_jbd_send(5, (const uint8_t *)name, strlen(name), send, userdata);
		break;
	case 0xAA:
		clock_be(p, 4, ms);
		clock_jbd_send(0xAA, p, 24, send, userdata);
		break;
	default:
		break;
	}
	return false;
}

static inline void clock_jbd_oldest(const struct pb_sample *s, uint32_t *poll_ms, uint32_t *rare_ms)
{
	clock_older(poll_ms, (uint64_t)s->version << 16 | (uint64_t)s->cycles);
	clock_older(poll_ms, clock_cells(s, 0, 4));
	clock_text(s->device_name, clock_has(s, PB_HAS_DEVICE_NAME), rare_ms);
	if (clock_has(s, PB_HAS_COUNTERS))
		clock_older(rare_ms, (uint64_t)s->counters[0] << 16 | (uint64_t)s->counters[1]);
}

/* ---- Daly, words ---- */

static inline void clock_word(uint8_t *block, unsigned int index, uint32_t value)
{
	clock_be(block + 2 * (size_t)index, 2, value);
}

static inline void clock_words_send(uint8_t address, const uint8_t *block, unsigned int words,
				    clock_send *send, void *userdata)
{
	uint8_t f[256] = {address, 3, (uint8_t)(2 * words)};
	size_t len = 3 + 2 * (size_t)words;

	memcpy(f + 3, block, 2 * (size_t)words);
	clock_le(f + len, 2, pb_crc16(f, len));
	send(userdata, f, len + 2);
}

static inline void clock_words_pack(uint8_t *block, unsigned int at, unsigned int counts,
				    uint32_t ms)
{
	for (unsigned int i = 0; i < CLOCK_CELLS; i++)
		clock_word(block, i, i < 4 ? clock_cell(ms, 18 - 6 * i) : 3330);
	clock_word(block, at, CLOCK_CELLS * 333 / 10);
	clock_word(block, at + 1, 30000);
	clock_word(block, at + 2, 500);
	clock_word(block, counts, CLOCK_CELLS);
	clock_word(block, counts + 1, 0);
}

static inline bool clock_d2_answer(const uint8_t *request, size_t len, uint32_t ms,
				   clock_send *send, void *userdata)
{
	uint8_t block[256] = {0};

	if (len != 8 || request[0] != 0xD2)
		return false;
	switch (request[3]) {
	case 0x00:
		clock_words_pack(block, 0x28, 0x31, ms);
		clock_words_send(0xD2, block, 62, send, userdata);
		break;
	case 0x3E:
		clock_word(block, 0, ms & 0xFFFF);
		clock_word(block, 1, ms >> 16);
		clock_words_send(0xD2, block, 9, send, userdata);
		break;
	case 0x80:
		clock_word(block, 0, (ms >> 8) + 1);
		clock_words_send(0xD2, block, 41, send, userdata);
		break;
	case 0xA9:
		snprintf((char *)block, 16, "%08u", ms);
		clock_words_send(0xD2, block, 32, send, userdata);
		break;
	default:
		break;
	}
	return false;
}

static inline void clock_d2_oldest(const struct pb_sample *s, uint32_t *poll_ms, uint32_t *rare_ms)
{
	clock_older(poll_ms, clock_cells(s, 0, 4));
	if (clock_has(s, PB_HAS_BALANCE))
		clock_older(poll_ms, s->balance_mask);
	if (clock_has(s, PB_HAS_NOMINAL))
		clock_older(rare_ms, clock_upper((uint64_t)(s->nominal_mah / 100 - 1), 8));
	clock_text(s->firmware, clock_has(s, PB_HAS_FIRMWARE), rare_ms);
}

static inline bool clock_p81_answer(const uint8_t *request, size_t len, uint32_t ms,
				    clock_send *send, void *userdata)
{
	uint8_t block[256] = {0};

	if (len != 8 || request[0] != 0x81)
		return false;
	switch (request[2] << 8 | request[3]) {
	case 0x000:
		clock_words_pack(block, 0x38, 0x3C, ms);
		clock_words_send(0x51, block, 64, send, userdata);
		break;
	case 0x041:
		clock_word(block, 0x4F - 0x41, ms & 0xFFFF); /* balance mask */
		clock_word(block, 0x50 - 0x41, ms >> 16);
		clock_words_send(0x51, block, 62, send, userdata);
		break;
	case 0x100:
		clock_be(block + 2 * 0x09, 4, ms + 1);
		clock_words_send(0x51, block, 81, send, userdata);
		break;
	case 0x178:
		snprintf((char *)block, 28, "%08u", ms);
		clock_words_send(0x51, block, 74, send, userdata);
		break;
	default:
		break;
	}
	return false;
}

static inline void clock_p81_oldest(const struct pb_sample *s, uint32_t *poll_ms, uint32_t *rare_ms)
{
	clock_older(poll_ms, clock_cells(s, 0, 4));
	if (clock_has(s, PB_HAS_BALANCE))
		clock_older(poll_ms, s->balance_mask);
	if (clock_has(s, PB_HAS_NOMINAL))
		clock_older(rare_ms, (uint64_t)s->nominal_mah - 1);
	clock_text(s->firmware, clock_has(s, PB_HAS_FIRMWARE), rare_ms);
}

/* ---- Daly, A5 ---- */

static inline void clock_a5_send(uint8_t cmd, const uint8_t *data, clock_send *send, void *userdata)
{
	uint8_t f[13] = {0xA5, 1, cmd, 8};

	memcpy(f + 4, data, 8);
	f[12] = clock_sum(f, 12);
	send(userdata, f, 13);
}

static inline bool clock_a5_answer_host(uint8_t host, const uint8_t *request, size_t len,
					uint32_t ms, clock_send *send, void *userdata)
{
	uint8_t p[8] = {0};

	if (len != 13 || request[0] != 0xA5 || request[1] != host)
		return false;
	switch (request[2]) {
	case 0x90:
		clock_be(p, 2, CLOCK_CELLS * 333 / 10);
		clock_be(p + 4, 2, 30000 + (ms >> 5 & 1023)); /* current */
		clock_be(p + 6, 2, ms >> 15 & 511);	      /* SoC */
		break;
	case 0x93:
		p[1] = p[2] = 1;
		clock_be(p + 4, 4, ms); /* remaining */
		break;
	case 0x94:
		p[0] = CLOCK_CELLS;
		p[1] = 6;
		clock_be(p + 5, 2, ms >> 8); /* cycles */
		break;
	case 0x95: /* eight frames of three cells */
		for (p[0] = 1; p[0] <= CLOCK_CELLS / 3; p[0]++) {
			for (unsigned int i = 0; i < 3; i++)
				clock_be(p + 1 + 2 * i, 2, clock_cell(ms, 18 - 6 * i));
			clock_a5_send(0x95, p, send, userdata);
		}
		return false;
	case 0x96: /* four bits a probe */
		p[0] = 1;
		for (unsigned int i = 0; i < 6; i++)
			p[1 + i] = (uint8_t)(60 + (ms >> (20 - 4 * i) & 15));
		break;
	case 0x97:
		clock_le(p, 6, ms);
		break;
	case 0x98:
		break;
	case 0x50:
		clock_be(p, 4, ms + 1);
		break;
	default:
		return false;
	}
	clock_a5_send(request[2], p, send, userdata);
	return false;
}

static inline bool clock_a5_answer(const uint8_t *request, size_t len, uint32_t ms,
				   clock_send *send, void *userdata)
{
	return clock_a5_answer_host(0x80, request, len, ms, send, userdata);
}

static inline bool clock_a5_wire_answer(const uint8_t *request, size_t len, uint32_t ms,
					clock_send *send, void *userdata)
{
	return clock_a5_answer_host(0x40, request, len, ms, send, userdata);
}

static inline void clock_a5_oldest(const struct pb_sample *s, uint32_t *poll_ms, uint32_t *rare_ms)
{
	uint64_t probes = 0;

	clock_older(
		poll_ms,
		clock_upper((uint64_t)s->soc_permille << 10 | (uint64_t)(-s->current_ma / 100), 5));
	clock_older(poll_ms, clock_upper((uint64_t)s->cycles, 8));
	for (unsigned int i = 0; i < CLOCK_CELLS; i += 3)
		clock_older(poll_ms, clock_upper(clock_cells(s, i, 3), 6));
	if (clock_has(s, PB_HAS_REMAINING))
		clock_older(poll_ms, (uint64_t)s->remaining_mah);
	if (clock_has(s, PB_HAS_BALANCE))
		clock_older(poll_ms, s->balance_mask);
	for (int i = 0; i < 6; i++)
		probes = probes << 4 | (uint64_t)(s->temperature_mc[i] / 1000 - 20);
	if (clock_has(s, PB_HAS_TEMPERATURES))
		clock_older(poll_ms, probes);
	if (clock_has(s, PB_HAS_NOMINAL))
		clock_older(rare_ms, (uint64_t)s->nominal_mah - 1);
}

/* ---- JK ---- */

static inline void clock_jk_frame(bool wide, uint8_t type, uint32_t ms, clock_send *send,
				  void *userdata)
{
	uint8_t f[300] = {0x55, 0xAA, 0xEB, 0x90, type};
	size_t soc = wide ? 173 : 141;

	if (type == 3) {
		memcpy(f + 6, "JK-B1A8S", 8);
		memcpy(f + 22, wide ? "11.XW" : "10.XW", 5);
		memcpy(f + 30, wide ? "11.48" : "10.07", 5);
		snprintf((char *)f + 46, 16, "%u", ms); /* name */
	}
	if (type == 1)
		clock_le(f + 130, 4, ms + 1); /* nominal */
	if (type == 2) {
		for (size_t i = 0; i < 4; i++)
			clock_le(f + 6 + 2 * i, 2, clock_cell(ms, 18 - 6 * (unsigned int)i));
		clock_le(f + (wide ? 70 : 54), 4, 15);
		clock_le(f + (wide ? 150 : 118), 4, 13320);
		f[soc] = 50;
		clock_le(f + soc + 1, 4, ms); /* remaining */
		f[wide ? 198 : 166] = f[wide ? 199 : 167] = 1;
		clock_le(f + (wide ? 194 : 162), 4, ms / 1000); /* running time */
	}
	f[299] = clock_sum(f, 299);
	send(userdata, f, 300);
}

static inline bool clock_jk_answer_wide(bool wide, const uint8_t *request, size_t len, uint32_t ms,
					clock_send *send, void *userdata)
{
	if (len != 20 || request[0] != 0xAA)
		return false;
	if (request[4] == 0x97)
		clock_jk_frame(wide, 3, ms, send, userdata);
	if (request[4] == 0x96)
		clock_jk_frame(wide, 1, ms, send, userdata);
	return request[4] == 0x96;
}

static inline bool clock_jk32_answer(const uint8_t *request, size_t len, uint32_t ms,
				     clock_send *send, void *userdata)
{
	return clock_jk_answer_wide(true, request, len, ms, send, userdata);
}

static inline bool clock_jk24_answer(const uint8_t *request, size_t len, uint32_t ms,
				     clock_send *send, void *userdata)
{
	return clock_jk_answer_wide(false, request, len, ms, send, userdata);
}

static inline void clock_jk32_stream(uint32_t ms, clock_send *send, void *userdata)
{
	clock_jk_frame(true, 2, ms, send, userdata);
}

static inline void clock_jk24_stream(uint32_t ms, clock_send *send, void *userdata)
{
	clock_jk_frame(false, 2, ms, send, userdata);
}

static inline void clock_jk_oldest(const struct pb_sample *s, uint32_t *poll_ms, uint32_t *rare_ms)
{
	clock_older(poll_ms, (uint64_t)s->remaining_mah);
	clock_older(poll_ms, clock_cells(s, 0, 4));
	if (clock_has(s, PB_HAS_NOMINAL))
		clock_older(rare_ms, (uint64_t)s->nominal_mah - 1);
	clock_text(s->device_name, clock_has(s, PB_HAS_DEVICE_NAME), rare_ms);
}

static const struct clock_board clock_boards[] = {
	{"JBD", &pb_codec_jbd, 0, clock_jbd_answer, NULL, clock_jbd_oldest},
	{"D2", &pb_codec_daly, 0, clock_d2_answer, NULL, clock_d2_oldest},
	{"P81", &pb_codec_daly, 1, clock_p81_answer, NULL, clock_p81_oldest},
	{"A5", &pb_codec_daly, 2, clock_a5_answer, NULL, clock_a5_oldest},
	{"A5, host 40", &pb_codec_daly, 3, clock_a5_wire_answer, NULL, clock_a5_oldest},
	{"JK, 32 cells", &pb_codec_jk, 0, clock_jk32_answer, clock_jk32_stream, clock_jk_oldest},
	{"JK, 24 cells", &pb_codec_jk, 0, clock_jk24_answer, clock_jk24_stream, clock_jk_oldest},
};
