/* SPDX-License-Identifier: MIT */
#include "web.h"

#include "packbridge/json.h"

#include <string.h>

/* page.html, as it is. */
__asm__(".section .rodata\n"
	".balign 4\n.global web_page_size\nweb_page_size:\n.long 2f - 1f\n"
	".global web_page\nweb_page:\n1:\n.incbin \"" PB_PAGE "\"\n2:\n"
	".previous\n");
extern const uint32_t web_page_size;
extern const char web_page[];

enum { OK = 200, BAD_REQUEST = 400, NOT_FOUND = 404 };

/* ---- registers ---- */

static const struct pb_block *block_of(const struct pb_image *image, const struct pb_row_info *row)
{
	for (size_t i = 0; i < image->block_count; i++) {
		const struct pb_block *block = &image->blocks[i];

		if (block->tables & row->tables && row->addr >= block->addr &&
		    (uint32_t)row->addr - block->addr < block->count)
			return block;
	}
	return NULL;
}

static json_t *json_tables(uint8_t tables)
{
	json_t *array = json_array();

	for (size_t i = 0; i < PB_ARRAY_SIZE(pb_tables); i++)
		if (tables & pb_tables[i].table)
			json_array_append_new(array, json_string(pb_tables[i].name));
	return array;
}

/* What the registers hold, and what it means. */
static void set_value(json_t *object, const struct pb_map *map, size_t index,
		      const struct pb_row_info *row, const struct pb_block *block)
{
	bool bits = block->tables & (PB_TABLE_COIL | PB_TABLE_DISCRETE);
	uint32_t at = (uint32_t)row->addr - block->addr;
	struct pb_row_value value;
	json_t *raw = json_array(), *shown = NULL;
	uint8_t bit;

	if (bits) {
		bit = block->bytes[at / 8] >> at % 8 & 1;
		pb_map_decode(map, index, &bit, &value);
		json_array_append_new(raw, json_integer(bit));
	} else {
		pb_map_decode(map, index, block->bytes + 2 * (size_t)at, &value);
		for (unsigned int i = 0; i < row->words; i++)
			json_array_append_new(raw, json_integer(pb_get_be16(block->bytes +
									    2 * (size_t)(at + i))));
	}
	if (value.available && row->type == PB_ROW_STRING)
		shown = json_string(value.text);
	else if (value.available && row->field && row->field->kind == PB_KIND_DATE)
		shown = pb_json_value(row->field, value.value);
	else if (value.available)
		shown = json_real(value.number);
	json_object_set_new(object, "raw", raw);
	json_object_set_new(object, "value", shown ? shown : json_null());
}

static json_t *json_row(const struct pb_map *map, size_t index, const struct pb_image *image)
{
	struct pb_row_info row;
	const struct pb_block *block;
	json_t *object;
	char name[96] = "";

	pb_map_row(map, index, &row);
	block = block_of(image, &row);
	if (row.type == PB_ROW_RESERVED || !block)
		return NULL;
	if (row.field && row.index >= 0)
		snprintf(name, sizeof(name), "%s[%d]", row.field->name, row.index);
	else if (row.field)
		snprintf(name, sizeof(name), "%s", row.field->name);
	object = json_pack("{s:i, s:o, s:s, s:s, s:s, s:s}", "address", row.addr, "tables",
			   json_tables(row.tables), "type", pb_row_type_name(row.type), "name",
			   name, "unit", row.unit, "description", row.description);
	if (block->fault == PB_FAULT_NONE)
		set_value(object, map, index, &row, block);
	return object;
}

static unsigned int write_registers(const struct shown *shown, const char *text, FILE *out)
{
	struct view *view = &shown->site->views[0];
	const struct pb_image *image;
	const struct pb_map *map;
	json_t *rows = json_array(), *all;
	int64_t unit;

	if (!text || pb_int_parse(text, 0, PB_UNITS_MAX, &unit) < 0) {
		json_decref(rows);
		return BAD_REQUEST;
	}
	image = view_unit(view, (uint8_t)unit, shown->now_ms);
	if (!image) {
		json_decref(rows);
		return NOT_FOUND;
	}
	map = unit == 0 ? shown->site->show.gateway_map : view->by_id[unit]->map;
	for (size_t i = 0; i < pb_map_row_count(map); i++) {
		json_t *row = json_row(map, i, image);

		if (row)
			json_array_append_new(rows, row);
	}
	all = json_pack("{s:I, s:s, s:s, s:s, s:o}", "unit", (json_int_t)unit, "name",
			image->name ? image->name : "", "map", pb_map_name(map), "title",
			pb_map_title(map), "rows", rows);
	json_dumpf(all, out, JSON_COMPACT | JSON_REAL_PRECISION(9));
	json_decref(all);
	return OK;
}

/* ---- pages ---- */

unsigned int web_get(const struct shown *shown, const char *path,
		     const char *(*argument)(void *query, const char *name), void *query, FILE *out,
		     const char **ret_type)
{
	if (strcmp(path, "/") == 0) {
		*ret_type = "text/html; charset=utf-8";
		fwrite(web_page, 1, web_page_size, out);
		return OK;
	}
	if (strcmp(path, "/metrics") == 0) {
		*ret_type = "text/plain; version=0.0.4; charset=utf-8";
		metrics_write(shown, out);
		return OK;
	}
	if (strcmp(path, "/status.json") == 0) {
		*ret_type = "application/json";
		status_write(shown, out);
		return OK;
	}
	if (strcmp(path, "/registers.json") == 0) {
		unsigned int status = write_registers(shown, argument(query, "unit"), out);

		if (status == OK)
			*ret_type = "application/json";
		return status;
	}
	return NOT_FOUND;
}
