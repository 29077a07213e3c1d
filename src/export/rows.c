/* SPDX-License-Identifier: MIT */
/* What a row of a map shows, in the words that all formats share. */
#include "format.h"

#include <string.h>

void pb_export_tables(uint8_t set, const char *separator, char *out, size_t cap)
{
	size_t at = 0;

	out[0] = '\0';
	for (size_t i = 0; i < PB_ARRAY_SIZE(pb_tables) && at < cap; i++)
		if (set & pb_tables[i].table)
			at += (size_t)snprintf(out + at, cap - at, "%s%s", at ? separator : "",
					       pb_tables[i].name);
}

void pb_export_field(const struct pb_row_info *row, char *out, size_t cap)
{
	size_t at;

	out[0] = '\0';
	if (!row->field)
		return;
	at = (size_t)snprintf(out, cap, "%s", row->field->name);
	if (row->index >= 0 && at < cap)
		at += (size_t)snprintf(out + at, cap - at, "[%d]", row->index);
	if (row->bit >= 0 && row->width > 0 && at < cap)
		snprintf(out + at, cap - at, " bits %d-%d", row->bit, row->bit + row->width - 1);
	else if (row->bit >= 0 && at < cap)
		snprintf(out + at, cap - at, " bit %d", row->bit);
}

void export_na_number(const struct pb_row_info *row, char *out, size_t cap)
{
	out[0] = '\0';
	if (row->has_na && row->type == PB_ROW_F32)
		snprintf(out, cap, "NaN");
	else if (row->has_na && row->type == PB_ROW_U64)
		snprintf(out, cap, "%llu", (unsigned long long)row->na);
	else if (row->has_na)
		snprintf(out, cap, "%lld", (long long)row->na);
}

void pb_export_na(const struct pb_row_info *row, char *out, size_t cap)
{
	unsigned int bits = 16U * row->words;

	if (!row->has_na || row->type == PB_ROW_F32)
		export_na_number(row, out, cap);
	else
		snprintf(out, cap, "0x%0*llX", (int)bits / 4,
			 (unsigned long long)row->na & (UINT64_MAX >> (64 - bits)));
}

void pb_export_scale(const struct pb_row_info *row, char *out, size_t cap)
{
	bool plain = strcmp(row->scale, "1") == 0;

	if (row->offset)
		snprintf(out, cap, "%s, offset %lld", row->scale, (long long)row->offset);
	else
		snprintf(out, cap, "%s", plain ? "" : row->scale);
}

const char *export_access(const struct pb_row_info *row)
{
	return row->writable ? "rw" : row->ignored ? "ignore" : row->control ? "control" : "r";
}
