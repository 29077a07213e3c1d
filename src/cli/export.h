/* SPDX-License-Identifier: MIT */
#pragma once

#include "packbridge/regmap.h"

#include <stdio.h>

/** One way to print a map. */
struct pb_export {
	const char *name; /**< as --format takes it */
	const char *doc;
	/** @return 0, or -ENOMEM. */
	int (*print)(const struct pb_map *map, FILE *out);
};

/** Ended by a NULL name. */
extern const struct pb_export pb_exports[];

/** "input, holding"; @out is at least 32 bytes. */
void pb_export_tables(uint8_t tables, const char *separator, char *out, size_t cap);
/** "cell_mv[3]", "protection_mask bit 2", "" without a field. */
void pb_export_field(const struct pb_row_info *row, char *out, size_t cap);
/** The register that means "not available", in hex; "" without one. */
void pb_export_na(const struct pb_row_info *row, char *out, size_t cap);
/** "0.1", "0.1, offset 2731", "" for a register that is the value. */
void pb_export_scale(const struct pb_row_info *row, char *out, size_t cap);
