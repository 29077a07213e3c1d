/* SPDX-License-Identifier: MIT */
/*
 * Rows and data -> the bytes of one unit.
 */
#include "packbridge/model/battery.h"
#include "packbridge/model/gateway.h"

#include "image.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static size_t block_bytes(const struct block *block)
{
	return table_is_bits(block->tables) ? (block->count + 7) / 8 : 2 * (size_t)block->count;
}

/* ---- one row ---- */

static void put_words(const struct pb_map *map, const struct row *row, uint8_t *p, uint64_t raw)
{
	for (unsigned int i = 0; i < row->words; i++) { /* from the low word on */
		unsigned int at = map->low_word_first ? i : row->words - 1U - i;

		pb_put_be16(p + 2 * (size_t)at, (uint16_t)(raw >> 16 * i));
	}
}

/* @way: as pb_scale_toward() */
static uint32_t float_bits(double value, int way)
{
	float f = (float)value;
	bool beyond = way < 0 ? (double)f > value : way > 0 && (double)f < value;
	uint32_t bits;

	memcpy(&bits, &f, sizeof(bits));
	if (!beyond)
		return bits;
	return (f < 0) == (way < 0) ? bits + 1 : bits - 1; /* the neighbour; f is not 0 here */
}

static uint64_t number_raw(const struct row *row, int64_t value)
{
	if (row->values)
		return value >= 0 && (size_t)value < row->value_count ? (uint64_t)row->values[value]
								      : (uint64_t)row->na;
	if (row->width)
		value = (int64_t)((uint64_t)value >> row->shift &
				  ((UINT64_C(1) << row->width) - 1));
	value += row->bias;
	if (row->type == PB_ROW_F32)
		return float_bits((double)value * (double)row->num / (double)row->den +
					  (double)row->offset,
				  row->way);
	value = pb_scale_toward(value, row->num, row->den, row->way);
	value = pb_clamp(value, INT64_MIN / 2, INT64_MAX / 2) + row->offset;
	return (uint64_t)pb_clamp(value, row->min, row->max);
}

static void put_string(const struct pb_map *map, const struct row *row, const char *text,
		       uint8_t *p)
{
	size_t cap = 2 * (size_t)row->words, len = text ? strnlen(text, cap) : 0;

	memcpy(p, text ? text : "", len);
	memset(p + len, map->blanks ? ' ' : 0, cap - len);
}

static bool bit_of(const struct bit_source *source, const void *data, bool stale)
{
	int64_t value;
	bool set;

	if (!source->field)
		return source->value;
	if ((stale && source->field->data) ||
	    !pb_field_get(source->field, data, source->index, &value))
		return false;
	if (source->any)
		set = ((uint64_t)value & source->any) != 0;
	else if (source->mask_bit >= 0)
		set = (uint64_t)value >> source->mask_bit & 1;
	else
		set = source->equals >= 0 ? value == source->equals : value != 0;
	return set != source->invert;
}

/* What is not there, because there are fewer elements, is not stood in for. */
static bool stands_in(const struct row *row, const void *data, bool stale)
{
	int64_t count;

	if (!row->other || (stale && row->other->data))
		return false;
	return !row->within || (pb_field_get(row->within, data, 0, &count) && row->index < count);
}

/* The row's value, or that of the field that stands in. */
static bool row_number(const struct row *row, const void *data, bool stale, int64_t *ret)
{
	if (!(stale && row->field->data) && pb_field_get(row->field, data, row->index, ret))
		return true;
	return stands_in(row, data, stale) && pb_field_get(row->other, data, 0, ret);
}

/* What begins at one bit, as many bits as it has. */
static unsigned int part_raw(const struct bit_source *source, const void *data, bool stale)
{
	int64_t value;

	if (!source->field)
		return source->value;
	if (!source->number)
		return bit_of(source, data, stale);
	return row_number(source->number, data, stale, &value)
		       ? (unsigned int)number_raw(source->number, value)
		       : (unsigned int)source->number->na;
}

static uint16_t bits_raw(const struct row *row, const void *data, bool stale)
{
	unsigned int raw = 0;

	for (unsigned int i = 0; i < ROW_BITS; i++)
		if (row->bits[i].width)
			raw |= part_raw(&row->bits[i], data, stale) << i;
	return (uint16_t)raw;
}

static void put_bit(uint8_t *bytes, uint32_t bit, bool value)
{
	uint8_t mask = (uint8_t)(1 << bit % 8);

	bytes[bit / 8] = (uint8_t)(value ? bytes[bit / 8] | mask : bytes[bit / 8] & ~mask);
}

static void put_number(const struct pb_map *map, const struct row *row, uint8_t *p,
		       const void *data, bool stale)
{
	int64_t value;

	if (!row->field)
		put_words(map, row, p, (uint64_t)row->value);
	else if (!row_number(row, data, stale, &value))
		put_words(map, row, p, (uint64_t)row->na);
	else
		put_words(map, row, p, number_raw(row, value));
}

static const char *row_text(const struct row *row, const void *data, bool stale)
{
	if (!row->field)
		return row->text;
	return stale && row->field->data ? NULL : pb_field_text(row->field, data);
}

/* @stale: data rows show their not-available value */
static void encode_row(const struct pb_map *map, const struct row *row,
		       const struct pb_block *block, const void *data, bool stale)
{
	uint32_t at = (uint32_t)row->addr - block->addr;
	uint8_t *p = block->bytes + 2 * (size_t)at;

	switch (row->type) {
	case PB_ROW_U16:
	case PB_ROW_S16:
	case PB_ROW_U32:
	case PB_ROW_S32:
	case PB_ROW_U64:
	case PB_ROW_F32:
		put_number(map, row, p, data, stale);
		break;
	case PB_ROW_STRING:
		put_string(map, row, row_text(row, data, stale), p);
		break;
	case PB_ROW_BITS:
		pb_put_be16(p, bits_raw(row, data, stale));
		break;
	case PB_ROW_COIL:
		put_bit(block->bytes, at,
			row->field ? bit_of(&row->bit, data, stale) : row->value != 0);
		break;
	case PB_ROW_RESERVED:
		break;
	}
}

/* ---- the image ---- */

static bool is_live(const struct row *row)
{
	if ((row->field && row->field->live) || (row->other && row->other->live))
		return true;
	for (size_t i = 0; row->bits && i < ROW_BITS; i++)
		if (row->bits[i].field && row->bits[i].field->live)
			return true;
	return false;
}

static int find_live(struct pb_unit_image *image)
{
	const struct pb_map *map = image->map;

	image->live = calloc(map->row_count + 1, sizeof(*image->live));
	if (!image->live)
		return -ENOMEM;
	for (size_t b = 0; b < map->block_count; b++) {
		const struct block *block = &map->blocks[b];

		for (size_t i = block->row; i < block->row + block->row_count; i++)
			if (is_live(&map->rows[i]))
				image->live[image->live_count++] =
					(struct live){(uint16_t)b, (uint32_t)i};
	}
	return 0;
}

static void name_model(struct pb_unit_image *image)
{
	snprintf(image->model, sizeof(image->model), "%.48s %d", image->map->name,
		 image->map->version);
}

int pb_unit_image_new(struct pb_unit_image **ret, const struct pb_map *map)
{
	static const union {
		struct pb_battery pack;
		struct pb_gateway gateway;
	} nothing;
	PB_CLEANUP(pb_unit_image_freep) struct pb_unit_image *image = calloc(1, sizeof(*image));
	size_t total = 0;

	if (!image)
		return -ENOMEM;
	image->map = map;
	for (size_t i = 0; i < map->block_count; i++)
		total += block_bytes(&map->blocks[i]);
	image->blocks = calloc(map->block_count, sizeof(*image->blocks));
	image->bytes = calloc(1, total);
	if (!image->blocks || !image->bytes || find_live(image) < 0)
		return -ENOMEM;

	total = 0;
	for (size_t i = 0; i < map->block_count; i++) {
		const struct block *block = &map->blocks[i];

		image->blocks[i] = (struct pb_block){
			.tables = block->tables,
			.addr = block->addr,
			.count = block->count,
			.bytes = image->bytes + total,
		};
		total += block_bytes(block);
	}
	name_model(image);
	image->image = (struct pb_image){
		.blocks = image->blocks,
		.block_count = map->block_count,
		.model = image->model,
		.word_count = map->word_count,
	};
	pb_unit_image_encode(image, &nothing, map->scope != PB_SCOPE_GATEWAY);
	image->made = true; /* from now on, what can be written stays as it was written */
	if (image_allow_writes(image) < 0)
		return -ENOMEM;
	*ret = image;
	image = NULL;
	return 0;
}

struct pb_unit_image *pb_unit_image_free(struct pb_unit_image *image)
{
	if (!image)
		return NULL;
	free(image->live);
	free(image->writable);
	free(image->bytes);
	free(image->blocks);
	free(image);
	return NULL;
}

static uint8_t fault_of(const struct pb_map *map, const struct block *block, bool stale)
{
	if (!stale || block->always)
		return PB_FAULT_NONE;
	switch (map->stale) {
	case PB_STALE_EXCEPTION:
		return PB_FAULT_EXCEPTION;
	case PB_STALE_SILENCE:
		return PB_FAULT_SILENT;
	case PB_STALE_NOT_AVAILABLE:
	case PB_STALE_LAST:
		break;
	}
	return PB_FAULT_NONE;
}

/*
 * Stale data is replaced by "not available" unless the map keeps the last reading. (Under a fault
 * it is not readable anyway.)
 */
static bool image_blank(const struct pb_unit_image *image, bool stale)
{
	return stale && image->map->stale != PB_STALE_LAST;
}

/* A map that can't say that a value is missing may need it. */
static bool lacks(const struct pb_map *map, const void *data)
{
	int64_t value;

	for (size_t i = 0; map->needs && i < map->row_count; i++)
		if (map->rows[i].needed && !row_number(&map->rows[i], data, false, &value))
			return true;
	return false;
}

static bool fits(const struct row *row, int64_t value)
{
	int64_t raw = pb_scale(value, row->num, row->den) + row->offset;

	return raw >= row->min && raw <= row->max;
}

/* The largest current that the battery is rated for; 0: not known. */
static int64_t rated_ma(const struct pb_battery *battery)
{
	const struct pb_rating *rating = &battery->rating;
	int64_t in = pb_battery_has(battery, PB_HAS_CHARGE_MAX) ? rating->charge_max_ma : 0;
	int64_t out = pb_battery_has(battery, PB_HAS_DISCHARGE_MAX) ? rating->discharge_max_ma : 0;

	return in > out ? in : out;
}

/* The same of a field that is a current or a power: at the largest voltage. */
static int64_t rated(const struct pb_battery *battery, enum pb_uom uom)
{
	bool full = pb_battery_has(battery, PB_HAS_FULL_VOLTAGE);

	if (uom != PB_UOM_MW)
		return rated_ma(battery);
	return full ? pb_scale(rated_ma(battery), battery->rating.full_voltage_mv, 1000) : 0;
}

/* A flow has to fit at its largest, in both directions. */
static bool too_large(const struct row *row, const void *data)
{
	int64_t value;

	if (row_number(row, data, false, &value) && !fits(row, value))
		return true;
	if (!row->field->flow)
		return false;
	value = rated(data, row->field->uom);
	return !fits(row, value) || !fits(row, -value);
}

/* Once and for all: a client may have taken the scales for constants. */
static void widen(struct pb_unit_image *image, const void *data)
{
	const struct pb_map *map = image->map;

	for (size_t i = 0; map->wide && i < map->row_count; i++) {
		if (!map->rows[i].fine || !too_large(&map->rows[i], data))
			continue;
		image->map = map->wide;
		name_model(image);
		return;
	}
}

void pb_unit_image_encode(struct pb_unit_image *image, const void *data, bool stale)
{
	const struct pb_map *map;

	widen(image, data);
	map = image->map;
	stale = stale || lacks(map, data);
	image->stale = stale;
	for (size_t b = 0; b < map->block_count; b++) {
		const struct block *block = &map->blocks[b];

		image->blocks[b].fault = fault_of(map, block, stale);
		for (size_t i = block->row; i < block->row + block->row_count; i++)
			if (!map->rows[i].writable || !image->made)
				encode_row(map, &map->rows[i], &image->blocks[b], data,
					   image_blank(image, stale));
	}
}

void pb_unit_image_refresh(struct pb_unit_image *image, const void *data)
{
	for (size_t i = 0; i < image->live_count; i++) {
		const struct live *live = &image->live[i];

		encode_row(image->map, &image->map->rows[live->row], &image->blocks[live->block],
			   data, image_blank(image, image->stale));
	}
}

void pb_unit_image_describe(struct pb_unit_image *image, uint8_t status, const char *name,
			    const char *protocol)
{
	image->image.exception_status = status;
	image->image.name = name;
	image->image.protocol = protocol;
}

const struct pb_image *pb_unit_image_get(const struct pb_unit_image *image)
{
	return &image->image;
}

const struct pb_map *pb_unit_image_map(const struct pb_unit_image *image)
{
	return image->map;
}
