/* SPDX-License-Identifier: MIT */
#include "map.h"

const struct pb_table_name pb_tables[] = {
	{PB_TABLE_INPUT, "input", '3'},
	{PB_TABLE_HOLDING, "holding", '4'},
	{PB_TABLE_DISCRETE, "discrete", '1'},
	{PB_TABLE_COIL, "coil", '0'},
};

const char *pb_map_name(const struct pb_map *map)
{
	return map->name;
}

const char *pb_map_title(const struct pb_map *map)
{
	return map->title;
}

const char *pb_map_description(const struct pb_map *map)
{
	return map->description;
}

int pb_map_version(const struct pb_map *map)
{
	return map->version;
}

enum pb_scope pb_map_scope(const struct pb_map *map)
{
	return map->scope;
}

enum pb_map_stale pb_map_stale(const struct pb_map *map)
{
	return map->stale;
}

bool pb_map_low_word_first(const struct pb_map *map)
{
	return map->low_word_first;
}

static bool has_type(const struct pb_map *map, enum pb_row_type first, enum pb_row_type last)
{
	for (size_t i = 0; i < map->row_count; i++)
		if (map->rows[i].type >= first && map->rows[i].type <= last)
			return true;
	return false;
}

static bool grows_old(const struct pb_map *map)
{
	for (size_t i = 0; i < map->block_count; i++)
		if (!map->blocks[i].always)
			return true;
	return false;
}

size_t pb_map_options(const struct pb_map *map, const char *ret[PB_MAP_OPTIONS_MAX])
{
	const struct {
		const char *name;
		bool offered;
	} options[PB_MAP_OPTIONS_MAX] = {
		{map->low_word_first ? "high-first" : "low-first",
		 has_type(map, PB_ROW_U32, PB_ROW_F32)},
		{"other-sign", map->turnable && !map->other_sign},
		{"na", grows_old(map) && !map->mute && map->stale != PB_STALE_NOT_AVAILABLE},
		{"exception", grows_old(map) && map->stale != PB_STALE_EXCEPTION},
		{"coarse", map->wide != NULL},
		{"blanks", has_type(map, PB_ROW_STRING, PB_ROW_STRING) && !map->blanks},
	};
	size_t count = 0;

	for (size_t i = 0; i < PB_MAP_OPTIONS_MAX; i++)
		if (options[i].offered)
			ret[count++] = options[i].name;
	return count;
}

bool pb_map_pads_blanks(const struct pb_map *map)
{
	return map->blanks;
}

bool pb_map_word_count(const struct pb_map *map)
{
	return map->word_count;
}

size_t pb_map_row_count(const struct pb_map *map)
{
	return map->row_count;
}

const struct row *map_row(const struct pb_map *map, size_t index, const struct block **ret_block)
{
	const struct block *block = map->blocks;

	while (index >= block->row_count)
		index -= block++->row_count;
	*ret_block = block;
	return &map->rows[block->row + index];
}

static int shown_bit(const struct row *row)
{
	if (row->type == PB_ROW_COIL)
		return row->field ? row->bit.mask_bit : -1;
	return row->width ? row->shift : -1;
}

void pb_map_row(const struct pb_map *map, size_t index, struct pb_row_info *ret)
{
	const struct block *block;
	const struct row *row = map_row(map, index, &block);

	*ret = (struct pb_row_info){
		.name = row->name ? row->name : "",
		.block = block->name,
		.tables = block->tables,
		.addr = row->addr,
		.words = row->words,
		.type = row->type,
		.field = row->field,
		.index = row->field && row->field->indexed ? row->index : -1,
		.bit = shown_bit(row),
		.width = row->width ? row->width : -1,
		.unit = row->unit,
		.scale = row->scale,
		.offset = row->offset,
		.has_na = row->has_na,
		.na = row->na,
		.has_absent = row->field && !row->has_na && !row->needed &&
			      row->type <= PB_ROW_U64 && pb_field_can_be_absent(row->field),
		.needed = row->needed,
		.constant = !row->field && row->type != PB_ROW_BITS &&
			    row->type != PB_ROW_RESERVED && !row->writable,
		.value = row->value,
		.text = row->text,
		.writable = row->writable,
		.ignored = row->ignored,
		.control = row->control,
		.values = row->values,
		.value_count = row->value_count,
		.other = row->other,
		.within = row->within,
		.description = *row->description || !row->field ? row->description
								: row->field->description,
	};
}

size_t pb_map_block_count(const struct pb_map *map)
{
	return map->block_count;
}

void pb_map_block(const struct pb_map *map, size_t index, struct pb_block_info *ret)
{
	const struct block *block = &map->blocks[index];

	*ret = (struct pb_block_info){
		.name = block->name,
		.description = block->description,
		.tables = block->tables,
		.addr = block->addr,
		.count = block->count,
		.always = block->always,
	};
}
