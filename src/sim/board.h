/* SPDX-License-Identifier: MIT */
/* What the boards of big endian makers share. */
#pragma once

#include "packbridge/base.h"
#include "packbridge/sim.h"

/* Bytes written one behind the other. */
struct writer {
	uint8_t *at;
};

static inline void put8(struct writer *w, int64_t value)
{
	*w->at++ = (uint8_t)pb_clamp(value, 0, UINT8_MAX);
}

static inline void put16(struct writer *w, int64_t value)
{
	pb_put_be16(w->at, (uint16_t)pb_clamp(value, 0, UINT16_MAX));
	w->at += 2;
}

static inline void put16s(struct writer *w, int64_t value)
{
	pb_put_be16(w->at, (uint16_t)(int16_t)pb_clamp(value, INT16_MIN, INT16_MAX));
	w->at += 2;
}

/* Bits beyond a field's width are cut off: a mask cannot saturate. */
static inline void put_mask16(struct writer *w, uint64_t mask)
{
	put16(w, (int64_t)(mask & UINT16_MAX));
}
