/* SPDX-License-Identifier: MIT */
/*
 * Values of a map as variables of a program: runs of one array become one variable with elements,
 * and each gets a name that is unique in the map, and a group.
 */
#include "variables.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void pb_export_identifier(const char *text, char *out, size_t cap)
{
	size_t at = 0;

	for (; *text && at + 2 < cap; text++) {
		bool digit = *text >= '0' && *text <= '9';
		bool capital = *text >= 'A' && *text <= 'Z';
		bool good = digit || capital || (*text >= 'a' && *text <= 'z');

		/* it begins with a letter, and has no two underscores behind each other, which
		 * IEC 61131-3 forbids */
		if (digit && at == 0)
			out[at++] = 'n';
		if (good || (at > 0 && out[at - 1] != '_'))
			out[at++] = (char)(capital ? *text - 'A' + 'a' : good ? *text : '_');
	}
	while (at > 0 && out[at - 1] == '_')
		at--;
	if (at == 0)
		out[at++] = 'n';
	out[at] = '\0';
}

/* Values come in the units of people, so the catalogue's is left out of the name. */
static void strip_unit(char *name)
{
	static const char *const units[] = {"_mv", "_ma",  "_mw", "_mah",     "_mwh",
					    "_mc", "_dbm", "_s",  "_permille"};
	size_t len = strlen(name);

	for (size_t i = 0; i < PB_ARRAY_SIZE(units); i++) {
		size_t unit = strlen(units[i]);

		if (len > unit && strcmp(name + len - unit, units[i]) == 0) {
			name[len - unit] = '\0';
			return;
		}
	}
}

static void field_name(const struct pb_field *field, char *out, size_t cap)
{
	pb_export_identifier(field->name, out, cap);
	strip_unit(out);
}

/* "cell_3", "protection_short_circuit"; @stem in place of the catalogue's, NULL: that. */
static void variables_part_name(const struct pb_field *field, unsigned int part, const char *stem,
				char *out, size_t cap)
{
	const char *name = pb_field_part(field, part);
	char text[64];

	pb_export_identifier(stem ? stem : pb_field_stem(field), text, sizeof(text));
	if (!stem)
		strip_unit(text);
	if (name)
		snprintf(out, cap, "%s_%s", text, name);
	else
		snprintf(out, cap, "%s_%u", text, pb_field_first(field) + part);
}

/* The element or the mask's bit that a row shows, -1 when it shows all of a field. */
static int variables_part_of(const struct pb_row_info *row)
{
	if (row->index >= 0)
		return row->index;
	return row->type == PB_ROW_COIL ? row->bit : -1;
}

/* Of a single value, or of an array as a whole: by the map, by the catalogue. */
static void variables_name_of(const struct pb_row_info *row, bool is_array, char *out, size_t cap)
{
	int part = variables_part_of(row);

	if (*row->name)
		snprintf(out, cap, "%s", row->name);
	else if (!row->field)
		snprintf(out, cap, "%s_%u", row->type == PB_ROW_BITS ? "bits" : "stored",
			 row->addr);
	else if (part < 0)
		field_name(row->field, out, cap);
	else if (!is_array)
		variables_part_name(row->field, (unsigned int)part, NULL, out, cap);
	else {
		pb_export_identifier(pb_field_stem(row->field), out, cap);
		strip_unit(out);
	}
}

/* Of two of one name, all but the first have the number of their first element, or their address.
 */
static void make_unique(struct variables *variables, struct variable *variable)
{
	size_t len = strlen(variable->name), room = sizeof(variable->name) - len;

	for (size_t i = 0; i < variables->count; i++) {
		if (strcmp(variables->items[i].name, variable->name) != 0)
			continue;
		if (variable->first >= 0 && variable->count > 1)
			snprintf(variable->name + len, room, "_from_%d", variable->first);
		else
			snprintf(variable->name + len, room, "%s%u",
				 variable_is_register(variable) ? "_" : "_bit_",
				 variable->row.addr);
		return;
	}
}

void variable_element_name(const struct variable *variable, size_t element, char *out, size_t cap)
{
	const struct pb_row_info *row = &variable->row;
	int part = variables_part_of(row);

	if (variable->count == 1 || part < 0)
		snprintf(out, cap, "%s", variable->name);
	else
		variables_part_name(row->field, (unsigned int)part + (unsigned int)element,
				    *row->name ? row->name : NULL, out, cap);
}

void variable_bit_name(const struct pb_bit_info *bit, char *out, size_t cap)
{
	int part = bit->index >= 0 ? bit->index : bit->mask_bit;

	if (*bit->name)
		snprintf(out, cap, "%s", bit->name);
	else if (part >= 0)
		variables_part_name(bit->field, (unsigned int)part, NULL, out, cap);
	else
		field_name(bit->field, out, cap);
}

/* ---- groups ---- */

static bool one_of(const char *const names[], size_t count, const char *name)
{
	for (size_t i = 0; i < count; i++)
		if (strcmp(names[i], name) == 0)
			return true;
	return false;
}

#define ONE_OF(names, name) one_of(names, PB_ARRAY_SIZE(names), name)

static enum pb_export_group group_of(const struct pb_row_info *row)
{
	static const char *const cells[] = {"cell_mv", "cell_state", "temperature_mc",
					    "temperature_state", "balance_mask"};
	static const char *const alarms[] = {"warnings", "alarms", "alarm_level", "protection_mask",
					     "alarm_mask"};
	static const char *const main_fields[] = {
		"quality",
		"age_s",
		"severity",
		"voltage_mv",
		"current_ma",
		"power_mw",
		"soc_permille",
		"soc_percent",
		"soh_permille",
		"cycles",
		"remaining_mah",
		"full_mah",
		"cell_min_mv",
		"cell_max_mv",
		"cell_delta_mv",
		"temperature_min_mc",
		"temperature_max_mc",
		"temperature_avg_mc",
		"mos_temperature_mc",
		"charge_fet",
		"discharge_fet",
		"time_to_empty_s",
		"charged_mwh",
		"discharged_mwh",
		"charge_voltage_mv",
		"charge_current_ma",
		"discharge_current_ma",
		"packs",
		"packs_online",
		"unit_status",
		"online",
		"stale",
	};
	const struct pb_field *field = row->field;

	if (field && (field->wish || strncmp(field->name, "control_", 8) == 0))
		return PB_EXPORT_CONTROL;
	if (!field || row->type == PB_ROW_STRING || row->type == PB_ROW_U64)
		return PB_EXPORT_DIAGNOSTICS;
	/* a mask as a number is for programs; for people there are its bits */
	if (field->kind == PB_KIND_MASK && row->type != PB_ROW_COIL)
		return PB_EXPORT_DIAGNOSTICS;
	if (ONE_OF(cells, field->name))
		return PB_EXPORT_CELLS;
	if (ONE_OF(alarms, field->name))
		return PB_EXPORT_ALARMS;
	return ONE_OF(main_fields, field->name) ? PB_EXPORT_MAIN : PB_EXPORT_DIAGNOSTICS;
}

/* ---- from rows ---- */

static bool continues(const struct variable *variable, const struct pb_row_info *next)
{
	const struct pb_row_info *row = &variable->row;
	int part = variables_part_of(row);

	return row->field && part >= 0 && next->block == row->block && next->type == row->type &&
	       next->field == row->field && next->description == row->description &&
	       strcmp(next->name, row->name) == 0 &&
	       next->addr == row->addr + variable->count * row->words &&
	       variables_part_of(next) == part + (int)variable->count;
}

static bool shows(const struct pb_row_info *row)
{
	return row->type != PB_ROW_RESERVED &&
	       (row->field || row->type == PB_ROW_BITS || row->writable);
}

/* Names come last, when it is known what is an array. */
static void name_all(struct variables *variables)
{
	size_t count = variables->count;

	for (variables->count = 0; variables->count < count; variables->count++) {
		struct variable *variable = &variables->items[variables->count];
		int part = variables_part_of(&variable->row);

		variable->first = variable->row.field && part >= 0
					  ? part + (int)pb_field_first(variable->row.field)
					  : -1;
		variable->group = group_of(&variable->row);
		variables_name_of(&variable->row, variable->count > 1, variable->name,
				  sizeof(variable->name));
		make_unique(variables, variable);
	}
}

int variables_of(const struct pb_map *map, struct variables *ret)
{
	struct variable *last = NULL;
	struct pb_block_info info;
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
		pb_map_block(map, block, &info);
		next.always = info.always;
		last = &ret->items[ret->count++];
		*last = next;
	}
	name_all(ret);
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
	case PB_ROW_U64:
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
