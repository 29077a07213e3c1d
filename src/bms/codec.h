/* SPDX-License-Identifier: MIT */
/* What several codecs need. */
#pragma once

#include "packbridge/bms.h"

/** @return sum of all bytes. */
unsigned int bms_sum(const uint8_t *bytes, size_t len);
/** Checks what frame() found at the end of a frame. @return its length; -EBADMSG. */
int bms_checksum(struct pb_frame *frame, uint8_t digits, uint32_t expected, uint32_t calculated);
/** Copies a text of a board: without blanks and NULs at its end, '?' for what is not printable. */
void bms_text(char *out, size_t cap, const uint8_t *text, size_t len);
/** @return @raw, or the most that fits: out of every range. */
int32_t bms_int32(uint32_t raw);
/** A switch or a state of 0 and 1; @return false: it is neither, so nobody knows. */
bool bms_bool(unsigned int raw, bool *ret);
/**
 * Explains missing bytes and wrong checksums.
 * @least: bytes of the shortest frame.
 * @return false: it is something else.
 */
bool bms_explain(size_t len, size_t least, int reason, const struct pb_frame *frame, char *out,
		 size_t cap);

/** A kind of frame that holds secrets. */
struct bms_secret {
	uint8_t head[5];
	uint8_t spread; /**< head[0] may be up to so much higher: the addresses of several boards */
	size_t head_len, len;
	bool crc; /**< Modbus's, at its end; else the sum of all bytes in the last one */
	struct {
		size_t from, to;
	} ranges[4]; /**< from, and before; ended by 0, 0 */
};

/** pb_codec.conceal() for one kind of frame. */
void bms_conceal(const struct bms_secret *secret, struct pb_conceal *conceal, uint8_t *bytes,
		 size_t len);
