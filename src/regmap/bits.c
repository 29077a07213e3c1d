/* SPDX-License-Identifier: MIT */
/*
 * Bits: a coil, and a register whose bits are fields of their own.
 */
#include "compile.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

bool compile_mask_has(const struct pb_field *field, int32_t bit)
{
	return bit >= 0 && bit < 63 && field->max >> bit != 0;
}

/* A truth value, a bit of a mask, or a number that equals something. */
static int compile_truth(struct compiler *c, const struct pb_yaml *node,
			 const struct pb_field *field, int32_t mask_bit, int64_t any,
			 int32_t equals)
{
	bool mask = field->kind == PB_KIND_MASK;

	if (field->kind == PB_KIND_TEXT) {
		pb_yaml_error(c->report, node, "%s is text, expected a truth value or a mask",
			      field->name);
		return -EINVAL;
	}
	if (mask && equals >= 0) {
		pb_yaml_error(c->report, node, "%s is a mask, expected its bit and no 'equals'",
			      field->name);
		return -EINVAL;
	}
	if (mask ? (any ? mask_bit >= 0 || (any & ~field->max) : !compile_mask_has(field, mask_bit))
		 : mask_bit >= 0 || any) {
		pb_yaml_error(c->report, node, "%s, expected %s", field->name,
			      mask ? "the mask's bit that is shown, one that it can have"
				   : "no bit, it is no mask");
		return -EINVAL;
	}
	if (!mask && field->kind != PB_KIND_BOOL && equals < 0) {
		pb_yaml_error(c->report, node,
			      "%s is a number, expected 'equals: N' to make a bit of it",
			      field->name);
		return -EINVAL;
	}
	return 0;
}

int compile_coil(struct compiler *c, const struct map_source *s, struct row *row)
{
	if (compile_truth(c, compile_at(s, "field"), row->field, s->bit, 0, s->equals) < 0)
		return -EINVAL;
	row->bit = (struct bit_source){
		.field = row->field,
		.index = (uint16_t)(s->index < 0 ? 0 : s->index),
		.mask_bit = (int8_t)s->bit,
		.equals = (int16_t)s->equals,
		.invert = s->invert,
		.width = 1,
	};
	return 0;
}

/* ---- type bits ---- */

struct bit_entry {
	int32_t bit, index, mask_bit, equals, width;
	int64_t value, any;
	bool invert, saturate;
	char name[41], field[64], unit[16], scale[24];
	const struct pb_yaml *values, *absent;
};

#define BIT(member) offsetof(struct bit_entry, member), sizeof(((struct bit_entry *)0)->member)

/* clang-format off */
static const struct pb_yaml_row bit_rows[] = {
	{"bit", PB_YAML_INT, BIT(bit), .required = true, .min = 0, .max = 15,
	 .doc = "bit of the register, 0 is the lowest; of several the lowest"},
	{"name", PB_YAML_TEXT, BIT(name), .doc = "what exports call it, as of a row"},
	{"field", PB_YAML_TEXT, BIT(field), .doc = "the catalogue's name"},
	{"index", PB_YAML_INT, BIT(index), .min = 0, .max = 1023, .preset = "-1",
	 .doc = "element of an array"},
	{"mask_bit", PB_YAML_INT, BIT(mask_bit), .min = 0, .max = 63, .preset = "-1",
	 .doc = "bit of a mask field"},
	{"any", PB_YAML_INT, BIT(any), .min = 1, .max = INT64_MAX, .preset = "0",
	 .doc = "bits of a mask field, of which one must be set: 0x5 for bit 0 or bit 2"},
	{"equals", PB_YAML_INT, BIT(equals), .min = 0, .max = 32767, .preset = "-1",
	 .doc = "set when the field is this number"},
	{"not", PB_YAML_BOOL, BIT(invert), .preset = "false", .doc = "set when it would not be"},
	{"width", PB_YAML_INT, BIT(width), .min = 1, .max = 16, .preset = "0",
	 .doc = "several bits: a number"},
	{"unit", PB_YAML_TEXT, BIT(unit), .doc = "of a number: its unit"},
	{"scale", PB_YAML_TEXT, BIT(scale), .doc = "of a number: value = bits * scale"},
	{"saturate", PB_YAML_BOOL, BIT(saturate), .preset = "false",
	 .doc = "of a number: values that do not fit stop at the end of the range"},
	{"values", PB_YAML_NODE, BIT(values), .doc = "bits for the values 0, 1, 2..."},
	{"absent", PB_YAML_NODE, BIT(absent), .doc = "of a number: bits of a missing value, 0 when not given"},
	{"value", PB_YAML_INT, BIT(value), .min = 0, .max = 65535, .preset = "-1",
	 .doc = "a constant, instead of a field"},
	{0},
};
/* clang-format on */

static int check_element(struct compiler *c, const struct pb_yaml *node,
			 const struct pb_field *field, int32_t index)
{
	if (field->indexed ? index >= 0 && index < field->count : index < 0)
		return 0;
	if (field->indexed)
		pb_yaml_error(c->report, node, "%s is an array, expected an index from 0 to %u",
			      field->name, field->count - 1U);
	else
		pb_yaml_error(c->report, node, "%s is no array, expected no index", field->name);
	return -EINVAL;
}

/* Several bits: a register of its own, with less room. */
static int compile_part(struct compiler *c, const struct pb_yaml *item,
			const struct bit_entry *entry, struct bit_source *ret)
{
	struct map_source source = {
		.node = item,
		.type = PB_ROW_U16,
		.saturate = entry->saturate,
		.values = entry->values,
		.absent = entry->absent,
	};
	struct row *number = map_alloc(c->map, sizeof(*number));

	if (entry->mask_bit >= 0 || entry->any || entry->equals >= 0 || entry->invert) {
		pb_yaml_error(
			c->report, item,
			"several bits are a number, expected no mask_bit, any, equals or not");
		return -EINVAL;
	}
	memcpy(source.unit, entry->unit, sizeof(source.unit));
	memcpy(source.scale, entry->scale, sizeof(source.scale));
	*number = (struct row){
		.type = PB_ROW_U16,
		.words = 1,
		.field = ret->field,
		.index = ret->index,
		.part = ret->width,
		.den = 1,
		.unit = "",
		.scale = *entry->scale ? map_text(c->map, entry->scale) : "1",
		.description = "",
	};
	ret->number = number;
	return compile_number(c, &source, number);
}

static int compile_shown(struct compiler *c, const struct pb_yaml *item,
			 const struct bit_entry *entry, struct bit_source *ret)
{
	static const char *const of_numbers[] = {"unit", "scale", "saturate", "values", "absent"};

	ret->field = compile_find_field(c, pb_yaml_at(item, "field"), entry->field);
	if (!ret->field || check_element(c, item, ret->field, entry->index) < 0)
		return -EINVAL;
	ret->index = (uint16_t)(entry->index < 0 ? 0 : entry->index);
	if (entry->width)
		return compile_part(c, item, entry, ret);
	for (size_t i = 0; i < PB_ARRAY_SIZE(of_numbers); i++) {
		if (!pb_yaml_get(item, of_numbers[i]))
			continue;
		pb_yaml_error(c->report, pb_yaml_at(item, of_numbers[i]),
			      "%s is for numbers, expected a width too", of_numbers[i]);
		return -EINVAL;
	}
	ret->any = (uint64_t)entry->any;
	return compile_truth(c, item, ret->field, entry->mask_bit, entry->any, entry->equals);
}

/* One item of `bits`. @taken: the bits that have a meaning so far. */
static void compile_item(struct compiler *c, const struct pb_yaml *item, struct bit_source *bits,
			 uint32_t *taken)
{
	struct bit_entry entry = {0};
	struct bit_source source;
	uint32_t mine;

	if (pb_yaml_fill(item, bit_rows, &entry, c->report) < 0 ||
	    !compile_is_name(c, pb_yaml_at(item, "name"), entry.name))
		return;
	source = (struct bit_source){
		.name = map_text(c->map, entry.name),
		.mask_bit = (int8_t)entry.mask_bit,
		.equals = (int16_t)entry.equals,
		.invert = entry.invert,
		.width = (uint8_t)(entry.width ? entry.width : 1),
	};
	mine = ((UINT32_C(1) << source.width) - 1) << entry.bit;
	if (entry.bit + source.width > ROW_BITS) {
		pb_yaml_error(c->report, item, "bits %d to %d, expected them up to 15", entry.bit,
			      entry.bit + source.width - 1);
		return;
	}
	if (*taken & mine) {
		pb_yaml_error(c->report, item, "bit %d appears twice, expected once", entry.bit);
		return;
	}
	*taken |= mine;
	if (!*entry.field == (entry.value < 0)) {
		pb_yaml_error(c->report, item, "a bit with %s, expected one of field and value",
			      *entry.field ? "a field and a value" : "neither field nor value");
		return;
	}
	if (*entry.field ? compile_shown(c, item, &entry, &source) < 0
			 : entry.value >> source.width != 0) {
		if (!*entry.field)
			pb_yaml_error(c->report, item, "value %lld, expected one of %d bits",
				      (long long)entry.value, source.width);
		return;
	}
	source.value = (uint16_t)(*entry.field ? 0 : entry.value);
	bits[entry.bit] = source;
}

int compile_bits(struct compiler *c, const struct map_source *s, struct row *row)
{
	size_t before = c->report->count;
	struct bit_source *bits = map_alloc(c->map, ROW_BITS * sizeof(*bits));
	uint32_t taken = 0;

	row->has_na = false;
	row->bits = bits;
	if (!s->bits || s->bits->type != PB_YAML_SEQUENCE) {
		pb_yaml_error(c->report, s->node, "type bits, expected a list 'bits'");
		return -EINVAL;
	}
	for (const struct pb_yaml *item = s->bits->child; item; item = item->next)
		compile_item(c, item, bits, &taken);
	return c->report->count > before ? -EINVAL : 0;
}
