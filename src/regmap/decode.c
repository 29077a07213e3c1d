/* SPDX-License-Identifier: MIT */
/*
 * Registers -> values: the way back, for a client.
 */
#include "map.h"

#include <stdlib.h>
#include <string.h>

static uint64_t decode_words_of(const struct pb_map *map, const struct row *row,
				const uint8_t *bytes)
{
	uint64_t raw = 0;

	for (unsigned int i = 0; i < row->words; i++) { /* from the high word on */
		unsigned int at = map->low_word_first ? row->words - 1U - i : i;

		raw = raw << 16 | pb_get_be16(bytes + 2 * (size_t)at);
	}
	return raw;
}

static int64_t signed_raw(enum pb_row_type type, uint64_t raw)
{
	return type == PB_ROW_S16 ? (int16_t)raw : type == PB_ROW_S32 ? (int32_t)raw : (int64_t)raw;
}

static double float_of(uint32_t raw)
{
	float f;

	memcpy(&f, &raw, sizeof(f));
	return (double)f;
}

/* llround(), without the library that it would bring into the daemon's memory */
static int64_t nearest(double value)
{
	const double limit = 9e18;

	if (value >= limit || value <= -limit)
		return value < 0 ? INT64_MIN : INT64_MAX;
	return (int64_t)(value < 0 ? value - 0.5 : value + 0.5);
}

/* Of values that share a register, the first, and that there are others. */
static void decode_values(const struct row *row, int64_t raw, struct pb_row_value *ret)
{
	size_t i = 0, other;

	while (i < row->value_count && row->values[i] != raw)
		i++;
	other = i + 1;
	while (other < row->value_count && row->values[other] != raw)
		other++;
	ret->several = other < row->value_count;
	ret->available = i < row->value_count;
	ret->value = (int64_t)i;
	ret->number = (double)i;
}

/* A value of the field from what the register shows of it. */
static void decode_field(const struct row *row, uint64_t raw, struct pb_row_value *ret)
{
	int64_t number = signed_raw(row->type, raw);
	double scale = strtod(row->scale, NULL);

	if (row->type == PB_ROW_F32) {
		double f = float_of((uint32_t)raw);

		ret->available = __builtin_isfinite(f);
		if (!ret->available)
			return;
		ret->number = (f - (double)row->offset) * scale;
		ret->value =
			nearest((f - (double)row->offset) * (double)row->den / (double)row->num -
				(double)row->bias);
		return;
	}
	ret->available = !row->has_na || number != row->na;
	if (row->values) {
		decode_values(row, number, ret);
		return;
	}
	ret->number = (double)(number - row->offset) * scale;
	ret->at_end = row->saturate && (number == row->min || number == row->max);
	if (row->field->kind == PB_KIND_MASK)
		ret->value = (int64_t)((uint64_t)number << row->shift);
	else
		ret->value = pb_scale(number - row->offset, row->den, row->num) - row->bias;
}

void pb_map_decode(const struct pb_map *map, size_t index, const uint8_t *bytes,
		   struct pb_row_value *ret)
{
	const struct block *block;
	const struct row *row = map_row(map, index, &block);
	size_t cap = 2 * (size_t)row->words;

	*ret = (struct pb_row_value){.available = true};
	switch (row->type) {
	case PB_ROW_STRING:
		while (cap > 0 && bytes[cap - 1] == ' ')
			cap--;
		pb_text_clean(ret->text, sizeof(ret->text), (const char *)bytes, cap);
		ret->available = ret->text[0] != '\0';
		break;
	case PB_ROW_COIL:
		ret->value = bytes[0] != 0;
		ret->number = bytes[0] != 0;
		break;
	case PB_ROW_U16:
	case PB_ROW_S16:
	case PB_ROW_U32:
	case PB_ROW_S32:
	case PB_ROW_U64:
	case PB_ROW_F32:
	case PB_ROW_BITS:
		if (row->field) {
			decode_field(row, decode_words_of(map, row, bytes), ret);
			break;
		}
		ret->value = signed_raw(row->type, decode_words_of(map, row, bytes));
		ret->number = (double)ret->value;
		break;
	case PB_ROW_RESERVED:
		ret->available = false;
		break;
	}
}

bool pb_map_bit(const struct pb_map *map, size_t index, unsigned int bit, struct pb_bit_info *ret)
{
	const struct block *block;
	const struct row *row = map_row(map, index, &block);
	const struct bit_source *source = row->type == PB_ROW_COIL ? &row->bit : &row->bits[bit];

	*ret = (struct pb_bit_info){
		.name = source->name ? source->name : "",
		.field = source->field,
		.index = source->field && source->field->indexed ? source->index : -1,
		.mask_bit = source->mask_bit,
		.equals = source->equals,
		.any = source->any,
		.invert = source->invert,
		.number = source->number != NULL,
		.width = source->width,
	};
	return source->field != NULL;
}

void pb_map_part(const struct pb_map *map, size_t index, unsigned int bit, uint16_t raw,
		 struct pb_row_value *ret)
{
	const struct block *block;
	const struct bit_source *source = &map_row(map, index, &block)->bits[bit];

	*ret = (struct pb_row_value){.available = true};
	decode_field(source->number, (unsigned int)raw >> bit & ((1U << source->width) - 1), ret);
}
