/* SPDX-License-Identifier: MIT */
/* An object a value, for programs. */
#include "format.h"

#include <errno.h>
#include <jansson.h>
#include <stdlib.h>

static json_t *json_tables(uint8_t set)
{
	json_t *list = json_array();

	for (size_t i = 0; i < PB_ARRAY_SIZE(pb_tables); i++)
		if (set & pb_tables[i].table)
			json_array_append_new(list, json_string(pb_tables[i].name));
	return list;
}

/* A whole scale as an integer, else a real that prints as the map has it. */
static json_t *json_scale(const char *scale)
{
	int64_t num = 1, den = 1;

	if (pb_ratio_parse(scale, &num, &den) < 0 || den != 1)
		return json_real(strtod(scale, NULL));
	return json_integer(num);
}

/* All bits of a u64 are more than an integer of JSON programs holds. */
static json_t *json_na(const struct pb_row_info *row)
{
	if (!row->has_na || row->type == PB_ROW_F32)
		return json_null();
	return row->type == PB_ROW_U64 ? json_real((double)(uint64_t)row->na)
				       : json_integer(row->na);
}

static json_t *json_row(const struct pb_row_info *row)
{
	json_t *na = json_na(row);
	json_t *object;

	object = json_pack("{s:i, s:o, s:i, s:s, s:s?, s:o, s:o, s:s, s:o, s:o, s:s, s:s}",
			   "address", row->addr, "table", json_tables(row->tables), "words",
			   row->words, "type", pb_row_type_name(row->type), "field",
			   row->field ? row->field->name : NULL, "index",
			   row->index >= 0 ? json_integer(row->index) : json_null(), "bit",
			   row->bit >= 0 ? json_integer(row->bit) : json_null(), "unit", row->unit,
			   "scale", json_scale(row->scale), "na", na, "access", export_access(row),
			   "description", row->description);
	if (row->offset)
		json_object_set_new(object, "offset", json_integer(row->offset));
	if (row->has_absent)
		json_object_set_new(object, "absent", json_integer(row->na));
	if (row->needed)
		json_object_set_new(object, "absent", json_string("old"));
	if (row->other)
		json_object_set_new(object, "or", json_string(row->other->name));
	if (row->constant)
		json_object_set_new(object, "value",
				    row->type == PB_ROW_STRING ? json_string(row->text)
							       : json_integer(row->value));
	if (row->values) {
		json_t *values = json_array();

		for (size_t i = 0; i < row->value_count; i++)
			json_array_append_new(values, json_integer(row->values[i]));
		json_object_set_new(object, "values", values);
	}
	return object;
}

/* What the bits of a register show. */
static json_t *json_bits(const struct pb_map *map, size_t index)
{
	json_t *bits = json_array();

	for (unsigned int bit = 0; bit < 16; bit++) {
		struct pb_bit_info info;
		json_t *object;

		if (!pb_map_bit(map, index, bit, &info))
			continue;
		object = json_pack("{s:i, s:i, s:s}", "bit", (int)bit, "width", (int)info.width,
				   "field", info.field->name);
		if (info.index >= 0)
			json_object_set_new(object, "index", json_integer(info.index));
		if (info.mask_bit >= 0)
			json_object_set_new(object, "mask_bit", json_integer(info.mask_bit));
		if (info.any)
			json_object_set_new(object, "any", json_integer((json_int_t)info.any));
		if (info.equals >= 0)
			json_object_set_new(object, "equals", json_integer(info.equals));
		if (info.invert)
			json_object_set_new(object, "not", json_true());
		json_array_append_new(bits, object);
	}
	return bits;
}

int export_json(const struct pb_export_job *job, FILE *out)
{
	const struct pb_map *map = job->units[0].map;
	json_t *rows = json_array(), *root;
	int r;

	for (size_t i = 0; i < pb_map_row_count(map); i++) {
		struct pb_row_info row;

		pb_map_row(map, i, &row);
		if (row.type == PB_ROW_RESERVED)
			continue;
		json_array_append_new(rows, json_row(&row));
		if (row.type == PB_ROW_BITS)
			json_object_set_new(json_array_get(rows, json_array_size(rows) - 1), "bits",
					    json_bits(map, i));
	}
	root = json_pack("{s:s, s:i, s:s, s:s, s:s, s:o}", "map", pb_map_name(map), "version",
			 pb_map_version(map), "scope", pb_scope_name(pb_map_scope(map)), "title",
			 pb_map_title(map), "word_order",
			 pb_map_low_word_first(map) ? "low-first" : "high-first", "rows", rows);
	if (!root)
		return -ENOMEM;
	r = json_dumpf(root, out, JSON_INDENT(1) | JSON_REAL_PRECISION(12));
	fputc('\n', out);
	json_decref(root);
	return r < 0 ? -EIO : 0;
}
