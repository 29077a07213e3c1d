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
		.has_absent =
			row->field && !row->has_na && !row->needed && row->type <= PB_ROW_S32 &&
			(row->field->has >= 0 || row->field->element_has >= 0 || row->field->data),
		.needed = row->needed,
		.writable = row->writable,
		.ignored = row->ignored,
		.values = row->values,
		.value_count = row->value_count,
		.other = row->other,
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
