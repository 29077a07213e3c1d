/* SPDX-License-Identifier: MIT */
#include "inner.h"

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

bool bms_has_service(const struct pb_advert *advert, uint16_t uuid)
{
	for (size_t i = 0; i < advert->uuid_count; i++)
		if (advert->uuids[i] == uuid)
			return true;
	return false;
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
