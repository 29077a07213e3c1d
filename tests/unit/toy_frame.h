/* SPDX-License-Identifier: MIT */
/* Frames of the toy protocols that sessions are tested with: start, command, value. */
#pragma once

#include "packbridge/bms.h"

#include <errno.h>

enum { TOY_START = 0xF0, TOY_FRAME = 3 };

/** As pb_codec.frame(): a reply to the command in its second byte, with one byte of payload. */
static inline int toy_frame_from(uint8_t start, const uint8_t *buf, size_t len,
				 struct pb_frame *ret)
{
	*ret = (struct pb_frame){.bytes = buf, .len = TOY_FRAME};
	if (buf[0] != start)
		return -EPROTO;
	if (len < TOY_FRAME)
		return PB_FRAME_MORE;
	ret->command = buf[1];
	ret->payload = buf + 2;
	ret->payload_len = 1;
	return TOY_FRAME;
}
