/* SPDX-License-Identifier: MIT */
/*
 * A map's rows, from the file to struct row: row.c what all have, number.c numbers, bits.c bits.
 */
#pragma once

#include "map.h"

/** A row as it stands in the file. */
struct map_source {
	const struct pb_yaml *node;
	int32_t addr, index, count, words, offset, bit, shift, width, equals;
	int64_t min, max;
	int type, access;
	bool saturate, invert;
	char name[41], field[64], other[64], within[64], unit[16], scale[24];
	const struct pb_yaml *na, *absent, *value, *values, *bits, *description, *coarse;
};

/** What a type can hold. */
struct compile_limits {
	uint16_t words;
	int64_t min, max;
	int64_t na;
};

extern const struct compile_limits row_limits[];

/** Where @key stands; the row itself when it is missing. */
const struct pb_yaml *compile_at(const struct map_source *source, const char *key);
/** @return whether @name, which may be missing (""), is one; an error is reported at @node. */
bool compile_is_name(struct compiler *compiler, const struct pb_yaml *node, const char *name);
/** A field that a row names. @return NULL after an error. */
const struct pb_field *compile_find_field(struct compiler *compiler, const struct pb_yaml *node,
					  const char *name);
/** A number as it stands in the register: 0x8000 and -32768 are the same s16. @return -EINVAL. */
int compile_raw(const struct row *row, const struct pb_yaml *node, int64_t *ret);

/** number.c: a number of row->field. @return 0, -EINVAL after an error. */
int compile_number(struct compiler *compiler, const struct map_source *source, struct row *row);

/** bits.c: a coil, and type bits. */
int compile_coil(struct compiler *compiler, const struct map_source *source, struct row *row);
int compile_bits(struct compiler *compiler, const struct map_source *source, struct row *row);
/** How far a mask's bits reach. */
bool compile_mask_has(const struct pb_field *field, int32_t bit);
