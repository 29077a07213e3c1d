/* SPDX-License-Identifier: MIT */
/* The cells' frame of JK. All take a whole frame of 300 bytes. */
#pragma once

#include "packbridge/bms.h"
#include "packbridge/model/sample.h"

/** How the cells' frame of a board is laid out; pb_sample.carry.layout. */
enum jk_layout {
	JK_LAYOUT_UNKNOWN,
	JK_LAYOUT_24S,
	JK_LAYOUT_32S,
	JK_LAYOUT_32S_PROBES, /**< software 14 and later: probes 3 and 4 are real */
	JK_LAYOUT_JK04,
};

/** Decodes a cells' frame by s->carry.layout. @return 0; -EPROTO: its content is impossible. */
int jk_decode_cells(const uint8_t *f, struct pb_sample *s);
/** Reads the meters of a cells' frame. @return false: its layout is not known. */
bool jk_cells_meters(const uint8_t *f, const struct pb_sample *s, struct pb_meters *ret);
