/* SPDX-License-Identifier: MIT */
#include "web.h"

#include "packbridge/json.h"

#include <stdlib.h>
#include <string.h>

/* page.html, as it is. */
__asm__(".section .rodata\n"
	".balign 4\n.global web_page_size\nweb_page_size:\n.long 2f - 1f\n"
	".global web_page\nweb_page:\n1:\n.incbin \"" PB_PAGE "\"\n2:\n"
	".previous\n");
extern const uint32_t web_page_size;
extern const char web_page[];

enum { OK = 200, BAD_REQUEST = 400, NOT_FOUND = 404, UNAVAILABLE = 503 };

/* ---- registers ---- */

static const struct pb_block *web_block_of(const struct pb_image *image,
					   const struct pb_row_info *row)
{
	for (size_t i = 0; i < image->block_count; i++) {
		const struct pb_block *block = &image->blocks[i];

		if (block->tables & row->tables && row->addr >= block->addr &&
		    (uint32_t)row->addr - block->addr < block->count)
			return block;
	}
	return NULL;
}

static json_t *web_json_tables(uint8_t tables)
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
	json_t *raw = json_array(), *meaning = NULL;
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
		meaning = json_string(value.text);
	else if (value.available && row->field && row->field->kind == PB_KIND_DATE)
		meaning = pb_json_value(row->field, value.value);
	else if (value.available)
		meaning = json_real(value.number);
	json_object_set_new(object, "raw", raw);
	json_object_set_new(object, "value", meaning ? meaning : json_null());
}

static json_t *web_json_row(const struct pb_map *map, size_t index, const struct pb_image *image)
{
	struct pb_row_info row;
	const struct pb_block *block;
	json_t *object;
	char name[96] = "";

	pb_map_row(map, index, &row);
	block = web_block_of(image, &row);
	if (row.type == PB_ROW_RESERVED || !block)
		return NULL;
	if (row.field && row.index >= 0)
		snprintf(name, sizeof(name), "%s[%d]", row.field->name, row.index);
	else if (row.field)
		snprintf(name, sizeof(name), "%s", row.field->name);
	object = json_pack("{s:i, s:o, s:s, s:s, s:s, s:s}", "address", row.addr, "tables",
			   web_json_tables(row.tables), "type", pb_row_type_name(row.type), "name",
			   name, "unit", row.unit, "description", row.description);
	if (block->fault == PB_FAULT_NONE)
		set_value(object, map, index, &row, block);
	return object;
}

/* The image as it was when the text was begun. */
struct registers {
	const struct pb_map *map;
	struct pb_image image;
	struct pb_block blocks[];
};

static size_t web_block_bytes(const struct pb_block *block)
{
	bool bits = block->tables & (PB_TABLE_COIL | PB_TABLE_DISCRETE);

	return bits ? (block->count + 7) / 8 : 2 * (size_t)block->count;
}

static struct registers *copy_image(const struct pb_image *image, const struct pb_map *map)
{
	size_t size = 0;
	struct registers *copy;
	uint8_t *bytes;

	for (size_t i = 0; i < image->block_count; i++)
		size += web_block_bytes(&image->blocks[i]);
	copy = malloc(sizeof(*copy) + image->block_count * sizeof(copy->blocks[0]) + size);
	if (!copy)
		return NULL;
	copy->map = map;
	copy->image = *image;
	copy->image.blocks = copy->blocks;
	bytes = (uint8_t *)(copy->blocks + image->block_count);
	for (size_t i = 0; i < image->block_count; i++) {
		copy->blocks[i] = image->blocks[i];
		copy->blocks[i].bytes =
			memcpy(bytes, image->blocks[i].bytes, web_block_bytes(&image->blocks[i]));
		bytes += web_block_bytes(&image->blocks[i]);
	}
	return copy;
}

static void write_head(struct document *document, const struct registers *registers)
{
	json_t *head =
		json_pack("{s:I, s:s, s:s, s:s}", "unit", (json_int_t)document->unit, "name",
			  registers->image.name ? registers->image.name : "", "map",
			  pb_map_name(registers->map), "title", pb_map_title(registers->map));
	char *text = json_dumps(head, JSON_COMPACT);

	if (text)
		fprintf(document->out, "%.*s,\"rows\":[", (int)strlen(text) - 1, text);
	free(text);
	json_decref(head);
}

/* @return false: there is nothing of it */
static bool begin_registers(struct document *document)
{
	struct pb_unit_table *table = pb_plant_table(document->snapshot.site->plant, 0);
	uint8_t unit = (uint8_t)document->unit;
	const struct pb_image *image = pb_plant_image(table, unit, document->snapshot.now_ms);

	document->status = NOT_FOUND;
	if (!image)
		return false;
	document->status = UNAVAILABLE;
	document->kept = copy_image(image, pb_plant_map(table, unit));
	if (!document->kept)
		return false;
	document->status = OK;
	write_head(document, document->kept);
	return true;
}

static void web_row(struct document *document, const struct registers *registers)
{
	json_t *row = web_json_row(registers->map, document->at, &registers->image);

	if (!row)
		return;
	if (document->sub++ > 0)
		fputc(',', document->out);
	json_dumpf(row, document->out, JSON_COMPACT | JSON_REAL_PRECISION(9));
	json_decref(row);
}

static bool registers_step(struct document *document)
{
	const struct registers *registers = document->kept;

	if (!registers)
		return begin_registers(document);
	if (document->at == pb_map_row_count(registers->map)) {
		fputs("]}", document->out);
		return false;
	}
	web_row(document, registers);
	document->at++;
	return true;
}

const struct document_kind document_registers = {"application/json", registers_step};

/* ---- pages ---- */

unsigned int web_find(const char *path, const char *(*argument)(void *query, const char *name),
		      void *query, struct web_page *ret)
{
	*ret = (struct web_page){0};
	if (strcmp(path, "/") == 0) {
		ret->text = web_page;
		ret->len = web_page_size;
		ret->type = "text/html; charset=utf-8";
		return OK;
	}
	if (strcmp(path, "/metrics") == 0)
		ret->kind = &document_metrics;
	else if (strcmp(path, "/status.json") == 0)
		ret->kind = &document_status;
	else if (strcmp(path, "/events.json") == 0)
		ret->kind = &document_events;
	else if (strcmp(path, "/registers.json") == 0)
		ret->kind = &document_registers;
	else
		return NOT_FOUND;
	if (ret->kind == &document_registers) {
		const char *unit = argument(query, "unit");

		if (!unit || pb_int_parse(unit, 0, PB_UNITS_MAX, &ret->unit) < 0)
			return BAD_REQUEST;
	}
	return OK;
}
