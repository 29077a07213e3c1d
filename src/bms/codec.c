/* SPDX-License-Identifier: MIT */
/* What several codecs need: sums, texts, explanations, and the secrets of a kind of frame. */
#include "codec.h"

#include <errno.h>
#include <stdio.h>

unsigned int bms_sum(const uint8_t *bytes, size_t len)
{
	unsigned int total = 0;

	while (len--)
		total += *bytes++;
	return total;
}

int bms_checksum(struct pb_frame *frame, uint8_t digits, uint32_t expected, uint32_t calculated)
{
	frame->has_checksum = true;
	frame->checksum_digits = digits;
	frame->checksum_expected = expected;
	frame->checksum_calculated = calculated;
	return expected == calculated ? (int)frame->len : -EBADMSG;
}

void bms_text(char *out, size_t cap, const uint8_t *text, size_t len)
{
	while (len > 0 && (text[len - 1] == '\0' || text[len - 1] == ' '))
		len--;
	if (len >= cap)
		len = cap - 1;
	for (size_t i = 0; i < len; i++)
		out[i] = text[i] >= 0x20 && text[i] < 0x7F ? (char)text[i] : '?';
	out[len] = '\0';
}

int32_t bms_int32(uint32_t raw)
{
	return raw > INT32_MAX ? INT32_MAX : (int32_t)raw;
}

bool bms_bool(unsigned int raw, bool *ret)
{
	if (raw > 1)
		return false;
	*ret = raw;
	return true;
}

bool bms_explain(size_t len, size_t least, int reason, const struct pb_frame *frame, char *out,
		 size_t cap)
{
	if (reason == PB_FRAME_MORE && frame->len)
		snprintf(out, cap, "short: the frame needs %zu bytes, %zu are there", frame->len,
			 len);
	else if (reason == PB_FRAME_MORE)
		snprintf(out, cap, "short: a frame has at least %zu bytes, %zu are there", least,
			 len);
	else if (reason == -EBADMSG)
		snprintf(out, cap, "bad checksum: expected %0*X, calculated %0*X",
			 frame->checksum_digits, frame->checksum_expected, frame->checksum_digits,
			 frame->checksum_calculated);
	else
		return false;
	return true;
}

static bool is_secret(const struct bms_secret *secret, size_t at)
{
	for (size_t i = 0; i < PB_ARRAY_SIZE(secret->ranges); i++)
		if (at >= secret->ranges[i].from && at < secret->ranges[i].to)
			return true;
	return false;
}

/*
 * One byte inside a frame. Both checksums are linear: the share of the redacted bytes is taken out
 * of the checksum, whatever the other bytes are. A wrong checksum stays wrong.
 */
static uint8_t codec_redact(const struct bms_secret *secret, struct pb_conceal *conceal,
			    uint8_t byte)
{
	uint8_t gone = is_secret(secret, conceal->at) ? byte : 0;
	size_t left = secret->len - conceal->at;

	if (secret->crc && left <= 2)
		return byte ^ (uint8_t)(conceal->lost >> (left == 2 ? 0 : 8));
	if (!secret->crc && left == 1)
		return (uint8_t)(byte - conceal->lost);
	if (secret->crc)
		conceal->lost = pb_crc16_add(conceal->lost, &gone, 1);
	else
		conceal->lost = (uint16_t)(conceal->lost + gone);
	return (uint8_t)(byte - gone);
}

static bool is_head(const struct bms_secret *secret, size_t at, uint8_t byte)
{
	uint8_t spread = at == 0 ? secret->spread : 0;

	return byte >= secret->head[at] && byte - secret->head[at] <= spread;
}

/* A head begins a frame wherever it stands: the one before may have been cut off. */
void bms_conceal(const struct bms_secret *secret, struct pb_conceal *conceal, uint8_t *bytes,
		 size_t len)
{
	for (size_t i = 0; i < len; i++) {
		uint8_t byte = bytes[i];

		if (conceal->at > 0) {
			bytes[i] = codec_redact(secret, conceal, byte);
			conceal->at = conceal->at + 1 < secret->len ? conceal->at + 1 : 0;
		}
		if (is_head(secret, conceal->head, byte))
			conceal->head++;
		else
			conceal->head = is_head(secret, 0, byte);
		if (conceal->head == secret->head_len)
			*conceal = (struct pb_conceal){.at = secret->head_len};
	}
}
