/* SPDX-License-Identifier: MIT */
/*
 * All that a command may send to a pack: exact bytes, written by hand from the documents of the
 * protocols (docs/protocols, "Switching"), not made by the codecs' code. Whatever is not in this
 * list must never be sent.
 */
#pragma once

#include "packbridge/bms.h"

#include <string.h>

/** Of the module in the tests, in display order. */
static const uint8_t allowed_mac[6] = {1, 2, 3, 4, 5, 6};

struct allowed {
	const char *codec, *hex;
};

static const struct allowed allowed_frames[] = {
	/* both FETs, then one: off and on */
	{"jbd", "DD5AE1020000FF1D77"},
	{"jbd", "DD5AE1020001FF1C77"},
	{"jbd", "DD5AE1020002FF1B77"},
	{"jbd", "DD5AE1020003FF1A77"},
	{"jbd", "DD5AFB020101FF0177"},
	{"jbd", "DD5AFB020100FF0277"},
	{"jbd", "DD5AFB020001FF0277"},
	{"jbd", "DD5AFB020000FF0377"},
	{"jbd", "FFAA170017"},
	/* discharge, then charge: on and off */
	{"daly", "A540D9080100000000000000C7"},
	{"daly", "A540D9080000000000000000C6"},
	{"daly", "A540DA080100000000000000C8"},
	{"daly", "A540DA080000000000000000C7"},
	{"daly", "A580D908010000000000000007"},
	{"daly", "A580D908000000000000000006"},
	{"daly", "A580DA08010000000000000008"},
	{"daly", "A580DA08000000000000000007"},
	/* charge, then discharge: on and off */
	{"daly", "D20600A500014B8A"},
	{"daly", "D20600A500008A4A"},
	{"daly", "D20600A60001BB8A"},
	{"daly", "D20600A600007A4A"},
	{"daly", "810601210001063C"},
	{"daly", "810601210000C7FC"},
	{"daly", "810601220001F63C"},
	{"daly", "81060122000037FC"},
	{"jk", "AA5590EB1D04010000000000000000000000009C"},
	{"jk", "AA5590EB1D04000000000000000000000000009B"},
	{"jk", "AA5590EB1E04010000000000000000000000009D"},
	{"jk", "AA5590EB1E04000000000000000000000000009C"},
};

/* On a line of several boards the first bytes and the checksum have the board's address in them. */
static inline size_t allowed_to_board_1(const struct pb_codec *codec, uint8_t address,
					const uint8_t *bytes, size_t len, uint8_t *out)
{
	memcpy(out, bytes, len);
	if (!codec->addresses && !codec->request)
		return len;
	if (len == 13 && bytes[1] == 0x3F + address) { /* A5: host 40 is board 1 */
		out[1] = 0x40;
		out[12] = (uint8_t)(bytes[12] - (address - 1));
	} else if (len == 8 && bytes[0] == 0x80 + address &&
		   pb_crc16(bytes, 6) == (bytes[6] | bytes[7] << 8)) {
		out[0] = 0x81;
		out[6] = (uint8_t)pb_crc16(out, 6);
		out[7] = (uint8_t)(pb_crc16(out, 6) >> 8);
	} else {
		return 0;
	}
	return len;
}

/* 06: the PIN "123456" of the tests. 1D: the root password, hidden by any random byte. */
static inline bool allowed_secret(const uint8_t *bytes, size_t len)
{
	static const uint8_t pin[] = {0xDD, 0x5A, 0x06, 0x07, 0x06, 1,	  2,
				      3,    4,	  5,	6,    0xFF, 0xD8, 0x77};
	static const char root[] = "JBDbtpwd!@#2023";
	uint8_t hidden[20] = {0xFF, 0xAA, 0x1D, 0x0F};

	if (len == sizeof(pin) && memcmp(bytes, pin, len) == 0)
		return true;
	for (unsigned int random = 0; random < 256 && len == sizeof(hidden); random++) {
		unsigned int sum = 0x1D + 0x0F;

		for (size_t i = 0; i < 15; i++) {
			unsigned int mask = i < 6 ? allowed_mac[i] : 0U;

			hidden[4 + i] = (uint8_t)(((uint8_t)root[i] ^ mask) + random);
			sum += hidden[4 + i];
		}
		hidden[19] = (uint8_t)sum;
		if (memcmp(bytes, hidden, len) == 0)
			return true;
	}
	return false;
}

/** @return whether a command to a pack at @address may send @bytes. */
static inline bool allowed(const struct pb_codec *codec, uint8_t address, const uint8_t *bytes,
			   size_t len)
{
	uint8_t frame[PB_REQUEST_MAX], known[PB_REQUEST_MAX];
	size_t count = allowed_to_board_1(codec, address, bytes, len, frame);
	int r;

	for (size_t i = 0; i < PB_ARRAY_SIZE(allowed_frames); i++) {
		if (strcmp(allowed_frames[i].codec, codec->name) != 0)
			continue;
		r = pb_hex_parse(allowed_frames[i].hex, known, sizeof(known));
		if (r > 0 && (size_t)r == count && memcmp(known, frame, count) == 0)
			return true;
	}
	return strcmp(codec->name, "jbd") == 0 && allowed_secret(bytes, len);
}
