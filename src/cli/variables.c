/* SPDX-License-Identifier: MIT */
#include "variables.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void variable_identifier(const char *text, char *out, size_t cap)
{
	size_t at = 0;

	for (; *text && at + 2 < cap; text++) {
		bool digit = *text >= '0' && *text <= '9';
		bool good = digit || (*text >= 'a' && *text <= 'z');

		/* it begins with a letter, and has no two underscores behind each other, which
		 * IEC 61131-3 forbids */
		if (digit && at == 0)
			out[at++] = 'n';
		if (good || (at > 0 && out[at - 1] != '_'))
			out[at++] = good ? *text : '_';
	}
	if (at == 0)
		out[at++] = 'n';
	out[at] = '\0';
}

/* Values come in the units of people, so the catalogue's is left out of the name. */
static void name_of(const struct pb_row_info *row, char *out, size_t cap)
{
	static const char *const units[] = {"_mv", "_ma",  "_mw", "_mah",     "_mwh",
					    "_mc", "_dbm", "_s",  "_permille"};
	size_t len;

	if (!row->field) {
		snprintf(out, cap, "%s_%u", row->type == PB_ROW_BITS ? "bits" : "stored",
			 row->addr);
		return;
	}
	/* of a bit, what it says is the better name: "warning_cell_high" */
	if (row->type == PB_ROW_COIL && row->bit >= 0 &&
	    row->description != row->field->description) {
		variable_identifier(row->description, out, cap);
		return;
	}
	variable_identifier(row->field->name, out, cap);
	len = strlen(out);
	for (size_t i = 0; i < PB_ARRAY_SIZE(units); i++) {
		size_t unit = strlen(units[i]);

		if (len > unit && strcmp(out + len - unit, units[i]) == 0) {
			out[len - unit] = '\0';
			return;
		}
	}
}

/* Of two that show one value, all but the first have their address in the name. */
static void make_unique(struct variables *variables, struct variable *variable)
{
	size_t len = strlen(variable->name);

	for (size_t i = 0; i < variables->count; i++) {
		if (strcmp(variables->items[i].name, variable->name) != 0)
			continue;
		snprintf(variable->name + len, sizeof(variable->name) - len, "%s%u",
			 variable_is_register(variable) ? "_" : "_bit_", variable->row.addr);
		return;
	}
}

static bool continues(const struct variable *variable, const struct pb_row_info *next)
{
	const struct pb_row_info *row = &variable->row;

	if (next->block != row->block || next->type != row->type || next->field != row->field ||
	    !row->field || next->addr != row->addr + variable->count * row->words ||
	    next->description != row->description)
		return false;
	if (row->type == PB_ROW_COIL)
		return row->bit >= 0 ? next->bit == row->bit + (int)variable->count
				     : row->index >= 0 &&
					       next->index == row->index + (int)variable->count;
	return row->index >= 0 && next->index == row->index + (int)variable->count;
}

static bool shows(const struct pb_row_info *row)
{
	return row->type != PB_ROW_RESERVED &&
	       (row->field || row->type == PB_ROW_BITS || row->writable);
}

int variables_of(const struct pb_map *map, struct variables *ret)
{
	struct variable *last = NULL;
	const char *name = NULL;
	size_t block = 0;

	*ret = (struct variables){.items = calloc(pb_map_row_count(map) + 1, sizeof(*ret->items))};
	if (!ret->items)
		return -ENOMEM;
	for (size_t i = 0; i < pb_map_row_count(map); i++) {
		struct variable next = {.index = i, .count = 1};

		pb_map_row(map, i, &next.row);
		block += name && next.row.block != name;
		name = next.row.block;
		next.block = block;
		if (!shows(&next.row))
			continue;
		if (last && continues(last, &next.row)) {
			last->count++;
			continue;
		}
		name_of(&next.row, next.name, sizeof(next.name));
		make_unique(ret, &next);
		last = &ret->items[ret->count++];
		*last = next;
	}
	return 0;
}

void variables_done(struct variables *variables)
{
	free(variables->items);
}

bool variable_is_number(const struct variable *variable)
{
	const struct pb_row_info *row = &variable->row;

	switch (row->type) {
	case PB_ROW_U16:
	case PB_ROW_S16:
	case PB_ROW_U32:
	case PB_ROW_S32:
	case PB_ROW_F32:
		return !row->field || row->field->kind != PB_KIND_MASK;
	case PB_ROW_STRING:
	case PB_ROW_BITS:
	case PB_ROW_COIL:
	case PB_ROW_RESERVED:
		break;
	}
	return false;
}

bool variable_is_real(const struct variable *variable)
{
	const struct pb_row_info *row = &variable->row;

	return variable_is_number(variable) &&
	       (row->type == PB_ROW_F32 || strcmp(row->scale, "1") != 0 || row->offset != 0);
}
