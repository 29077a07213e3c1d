/* SPDX-License-Identifier: MIT */
/*
 * One row of a map's file -> compiled rows.
 */
#include "compile.h"

#include <errno.h>
#include <string.h>

static const char *const type_names[] = {"u16",	   "s16",  "u32",  "s32",      "u64", "f32",
					 "string", "bits", "coil", "reserved", NULL};
enum access { ACCESS_R, ACCESS_RW, ACCESS_IGNORE, ACCESS_CONTROL };
static const char *const access_names[] = {"r", "rw", "ignore", "control", NULL};

#define SOURCE(member) offsetof(struct map_source, member), sizeof(((struct map_source *)0)->member)

/* clang-format off */
static const struct pb_yaml_row source_rows[] = {
	{"addr", PB_YAML_INT, SOURCE(addr), .required = true, .min = 0, .max = 65535,
	 .doc = "wire address of the first register or bit"},
	{"name", PB_YAML_TEXT, SOURCE(name),
	 .doc = "what exports call it, in place of the field's name: small letters, digits, _"},
	{"type", PB_YAML_ENUM, SOURCE(type), .required = true, .words = type_names,
	 .doc = "what stands there"},
	{"field", PB_YAML_TEXT, SOURCE(field), .doc = "the catalogue's name of the value"},
	{"index", PB_YAML_INT, SOURCE(index), .min = 0, .max = 1023, .preset = "-1",
	 .doc = "element of an array, the first one with `count`; from 0"},
	{"count", PB_YAML_INT, SOURCE(count), .min = 1, .max = 1024, .preset = "1",
	 .doc = "elements of an array, bits of a mask, or equal constants, one behind the other"},
	{"words", PB_YAML_INT, SOURCE(words), .min = 1, .max = 2000, .preset = "0",
	 .doc = "registers of a string, registers or bits that are reserved"},
	{"unit", PB_YAML_TEXT, SOURCE(unit), .doc = "unit of the published value"},
	{"scale", PB_YAML_TEXT, SOURCE(scale), .doc = "value = register * scale"},
	{"offset", PB_YAML_INT, SOURCE(offset), .min = -1000000000, .max = 1000000000, .preset = "0",
	 .doc = "added to the register"},
	{"na", PB_YAML_NODE, SOURCE(na), .doc = "register that means 'not available'"},
	{"absent", PB_YAML_NODE, SOURCE(absent),
	 .doc = "register of a missing value, though it could be one; or old: without it the reading counts as old"},
	{"or", PB_YAML_TEXT, SOURCE(other), .doc = "a field that stands in when the first is missing"},
	{"within", PB_YAML_TEXT, SOURCE(within),
	 .doc = "of an array with `or`: a field that is the number of its elements; nothing stands in from there on"},
	{"coarse", PB_YAML_NODE, SOURCE(coarse),
	 .doc = "the scale, or the constant, in the map NAME+coarse, which large batteries get"},
	{"values", PB_YAML_NODE, SOURCE(values),
	 .doc = "registers for the values 0, 1, 2... of a number with names, or of a truth value"},
	{"value", PB_YAML_NODE, SOURCE(value), .doc = "a constant, instead of a field"},
	{"saturate", PB_YAML_BOOL, SOURCE(saturate), .preset = "false",
	 .doc = "values that do not fit stop at the end of the range"},
	{"access", PB_YAML_ENUM, SOURCE(access), .words = access_names, .preset = "r",
	 .doc = "r: read only; rw: clients can write it, and read what they wrote; ignore: they can write it, and nothing comes of it; control: what they write is asked of the pack"},
	{"min", PB_YAML_INT, SOURCE(min), .min = INT32_MIN, .max = UINT32_MAX, .preset = "0",
	 .doc = "rw: the least register that can be written"},
	{"max", PB_YAML_INT, SOURCE(max), .min = INT32_MIN, .max = UINT32_MAX, .preset = "0",
	 .doc = "rw: the largest register that can be written"},
	{"bits", PB_YAML_NODE, SOURCE(bits), .doc = "for type bits: what each bit shows"},
	{"bit", PB_YAML_INT, SOURCE(bit), .min = 0, .max = 63, .preset = "-1",
	 .doc = "coil: the mask's bit that it shows"},
	{"shift", PB_YAML_INT, SOURCE(shift), .min = 0, .max = 63, .preset = "0",
	 .doc = "part of a mask: its first bit"},
	{"width", PB_YAML_INT, SOURCE(width), .min = 1, .max = 32, .preset = "0",
	 .doc = "part of a mask: its number of bits"},
	{"equals", PB_YAML_INT, SOURCE(equals), .min = 0, .max = 32767, .preset = "-1",
	 .doc = "coil: set when the field is this number"},
	{"not", PB_YAML_BOOL, SOURCE(invert), .preset = "false", .doc = "coil: set when it would not be"},
	{"description", PB_YAML_NODE, SOURCE(description), .doc = "what a reader must know"},
	{0},
};
/* clang-format on */

/* ---- what a type can hold ---- */

const struct compile_limits row_limits[] = {
	[PB_ROW_U16] = {1, 0, UINT16_MAX, UINT16_MAX},
	[PB_ROW_S16] = {1, INT16_MIN, INT16_MAX, INT16_MIN},
	[PB_ROW_U32] = {2, 0, UINT32_MAX, UINT32_MAX},
	[PB_ROW_S32] = {2, INT32_MIN, INT32_MAX, INT32_MIN},
	[PB_ROW_U64] = {4, 0, INT64_MAX, -1},
	[PB_ROW_F32] = {2, INT64_MIN, INT64_MAX, 0x7FC00000},
	[PB_ROW_STRING] = {0},
	[PB_ROW_BITS] = {1, 0, UINT16_MAX, UINT16_MAX},
	[PB_ROW_COIL] = {1, 0, 1, 0},
	[PB_ROW_RESERVED] = {0},
};

const struct pb_yaml *compile_at(const struct map_source *s, const char *key)
{
	return pb_yaml_at(s->node, key);
}

/* What every program of others takes for a name, IEC 61131-3 too: no two underscores in a row. */
bool compile_is_name(struct compiler *c, const struct pb_yaml *node, const char *name)
{
	size_t len = strlen(name);
	bool good = strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789_") == len &&
		    !strstr(name, "__") && (len == 0 || (name[0] >= 'a' && name[len - 1] != '_'));

	if (!good)
		pb_yaml_error(c->report, node,
			      "name '%s', expected small letters, digits and single underscores, "
			      "a letter first",
			      name);
	return good;
}

const struct pb_field *compile_find_field(struct compiler *c, const struct pb_yaml *node,
					  const char *name)
{
	const struct pb_field *field = pb_field_find(c->map->scope, name);
	const char *near;

	if (field)
		return field;
	near = pb_report_is_full(c->report) ? NULL : pb_field_nearest(c->map->scope, name);
	pb_yaml_error(c->report, node, "no field '%s' of a %s, expected %s%s%s", name,
		      pb_scope_name(c->map->scope), near ? "'" : "one of the catalogue",
		      near ? near : "", near ? "' perhaps" : "");
	return NULL;
}

int compile_raw(const struct row *row, const struct pb_yaml *node, int64_t *ret)
{
	const struct compile_limits *limit = &row_limits[row->type];
	int64_t top = limit->min < 0 ? limit->max - limit->min : limit->max; /* all bits set */
	int64_t value;

	if (node->type != PB_YAML_SCALAR || pb_int_parse(node->text, limit->min, top, &value) < 0)
		return -EINVAL;
	*ret = value > limit->max ? value - top - 1 : value;
	return 0;
}

static int compile_constant(struct compiler *c, const struct map_source *s, struct row *row)
{
	static const char *const of_fields[] = {"unit",	 "scale",  "offset", "na",     "saturate",
						"shift", "width",  "bit",    "equals", "absent",
						"or",	 "values", "not",    "within"};
	int r = 0;

	for (size_t i = 0; i < PB_ARRAY_SIZE(of_fields); i++) {
		if (!pb_yaml_get(s->node, of_fields[i]))
			continue;
		pb_yaml_error(c->report, compile_at(s, of_fields[i]),
			      "%s has no meaning for a constant, expected none", of_fields[i]);
		r = -EINVAL;
	}
	if (r < 0)
		return r;
	if (s->value->type != PB_YAML_SCALAR) {
		pb_yaml_error(c->report, s->value, "value, expected a number or a text");
		return -EINVAL;
	}
	if (row->type == PB_ROW_STRING) {
		row->text = map_text(c->map, s->value->text);
		if (strlen(row->text) <= 2 * (size_t)row->words)
			return 0;
		pb_yaml_error(c->report, s->value, "text of %zu characters, expected at most %d",
			      strlen(row->text), 2 * row->words);
		return -EINVAL;
	}
	if (compile_raw(row, s->value, &row->value) < 0) {
		pb_yaml_error(c->report, s->value,
			      "value '%s', expected a whole number that %s holds", s->value->text,
			      type_names[row->type]);
		return -EINVAL;
	}
	return 0;
}

static int compile_field(struct compiler *c, const struct map_source *s, struct row *row)
{
	switch (row->type) {
	case PB_ROW_STRING:
		if (row->field->kind == PB_KIND_TEXT)
			return 0;
		pb_yaml_error(c->report, compile_at(s, "type"),
			      "%s is no text, expected a type for numbers", row->field->name);
		return -EINVAL;
	case PB_ROW_COIL:
		return compile_coil(c, s, row);
	case PB_ROW_U16:
	case PB_ROW_S16:
	case PB_ROW_U32:
	case PB_ROW_S32:
	case PB_ROW_U64:
	case PB_ROW_F32:
		return compile_number(c, s, row);
	case PB_ROW_BITS:
	case PB_ROW_RESERVED:
		break;
	}
	pb_yaml_error(c->report, compile_at(s, "field"), "type %s, expected no field",
		      type_names[row->type]);
	return -EINVAL;
}

/* ---- the row as a whole ---- */

#define TYPE(name) (1U << PB_ROW_##name)
#define INTEGERS   (TYPE(U16) | TYPE(S16) | TYPE(U32) | TYPE(S32) | TYPE(U64))

/* A key that would do nothing is a mistake of the one who wrote it. */
static void check_keys(struct compiler *c, const struct map_source *s)
{
	static const struct {
		const char *key;
		unsigned int types;
	} meanings[] = {
		{"field", INTEGERS | TYPE(F32) | TYPE(STRING) | TYPE(COIL)},
		{"value", INTEGERS | TYPE(STRING) | TYPE(COIL)},
		{"index", INTEGERS | TYPE(F32) | TYPE(COIL)},
		{"count", INTEGERS | TYPE(F32) | TYPE(COIL)},
		{"unit", INTEGERS | TYPE(F32)},
		{"scale", INTEGERS | TYPE(F32)},
		{"offset", INTEGERS | TYPE(F32)},
		{"coarse", INTEGERS},
		{"na", INTEGERS},
		{"absent", INTEGERS},
		{"values", INTEGERS},
		{"or", INTEGERS | TYPE(F32)},
		{"within", INTEGERS | TYPE(F32)},
		{"not", TYPE(COIL)},
		{"saturate", INTEGERS},
		{"shift", INTEGERS},
		{"width", INTEGERS},
		{"bits", TYPE(BITS)},
		{"bit", TYPE(COIL)},
		{"equals", TYPE(COIL)},
		{"min", INTEGERS},
		{"max", INTEGERS},
	};

	for (size_t i = 0; i < PB_ARRAY_SIZE(meanings); i++) {
		const struct pb_yaml *node = pb_yaml_get(s->node, meanings[i].key);

		if (node && !(meanings[i].types & 1U << s->type))
			pb_yaml_error(c->report, node,
				      "%s has no meaning for type %s, expected none",
				      meanings[i].key, type_names[s->type]);
	}
}

static int check_place(struct compiler *c, const struct map_source *s, const struct block *block)
{
	bool bits = table_is_bits(block->tables);
	size_t before = c->report->count;

	check_keys(c, s);
	if (s->type != PB_ROW_RESERVED && bits != (s->type == PB_ROW_COIL))
		pb_yaml_error(c->report, compile_at(s, "type"),
			      "type %s in a block of %s, expected %s", type_names[s->type],
			      bits ? "bits" : "registers", bits ? "coil" : "a type of registers");
	if ((s->type == PB_ROW_STRING || s->type == PB_ROW_RESERVED) && s->words == 0)
		pb_yaml_error(c->report, s->node, "type %s, expected its number of 'words'",
			      type_names[s->type]);
	if (s->type != PB_ROW_STRING && s->type != PB_ROW_RESERVED && s->words)
		pb_yaml_error(c->report, compile_at(s, "words"),
			      "type %s has its own width, expected no words", type_names[s->type]);
	if (!c->map->unaligned && row_limits[s->type].words >= 2 && s->addr % 2)
		pb_yaml_error(c->report, compile_at(s, "addr"),
			      "%s at odd address %d, expected an even one (or unaligned: true for "
			      "the map)",
			      type_names[s->type], s->addr);
	return c->report->count > before ? -EINVAL : 0;
}

static bool values_differ(const struct row *row)
{
	for (size_t i = 0; i < row->value_count; i++)
		for (size_t k = 0; k < i; k++)
			if (row->values[i] == row->values[k])
				return false;
	return true;
}

/* What is written must have one meaning: the value itself, or one of `values`. */
static bool is_plain(const struct map_source *s, const struct row *row)
{
	if (row->type == PB_ROW_COIL)
		return s->equals < 0;
	return row->type <= PB_ROW_S32 && row->num == row->den && row->bias == 0 &&
	       row->offset == 0 && !row->saturate && !row->other && values_differ(row);
}

static void compile_control(struct compiler *c, const struct map_source *s, struct row *row)
{
	row->control = true;
	if (!row->field || !row->field->wish)
		pb_yaml_error(c->report, compile_at(s, "access"),
			      "access control, expected a field that can be asked for: "
			      "inhibit_charge, inhibit_discharge, inhibit_both, control_lease_s or "
			      "control_reset");
	else if (!is_plain(s, row))
		pb_yaml_error(c->report, s->node,
			      "access control, expected %s as it is, or by different 'values', in "
			      "whole registers or a coil",
			      row->field->name);
}

static void check_ignored(struct compiler *c, const struct map_source *s, const struct row *row)
{
	if (row->field && row->field->wish)
		pb_yaml_error(c->report, compile_at(s, "access"),
			      "access ignore for %s, expected r or control: a client would believe "
			      "that it has asked for it",
			      row->field->name);
}

/* What clients can write is a place of its own, or what may be asked of a pack. */
static void compile_access(struct compiler *c, const struct map_source *s,
			   const struct block *block, struct row *row)
{
	bool limited = pb_yaml_get(s->node, "min") || pb_yaml_get(s->node, "max");

	if (s->access != ACCESS_RW) {
		if (limited)
			pb_yaml_error(c->report,
				      compile_at(s, pb_yaml_get(s->node, "min") ? "min" : "max"),
				      "a limit without access rw, expected both");
		if (s->access == ACCESS_R)
			return;
	}
	row->ignored = s->access == ACCESS_IGNORE;
	row->writable = s->access == ACCESS_RW;
	if (!s->value && row->writable)
		pb_yaml_error(c->report, compile_at(s, "access"),
			      "access rw, expected r, ignore or control: no field of a %s can be "
			      "written",
			      pb_scope_name(c->map->scope));
	else if (!(block->tables & (PB_TABLE_HOLDING | PB_TABLE_COIL)))
		pb_yaml_error(c->report, compile_at(s, "access"),
			      "access %s, expected a block of holding registers or coils",
			      access_names[s->access]);
	if (row->ignored)
		check_ignored(c, s, row);
	if (s->access == ACCESS_CONTROL)
		compile_control(c, s, row);
	if (s->access != ACCESS_RW)
		return;
	row->min = pb_yaml_get(s->node, "min") ? s->min : row_limits[s->type].min;
	row->max = pb_yaml_get(s->node, "max") ? s->max : row_limits[s->type].max;
	if (limited && (row->min > row->max || row->value < row->min || row->value > row->max))
		pb_yaml_error(c->report, s->node,
			      "limits %lld to %lld, expected them around the value %lld",
			      (long long)row->min, (long long)row->max, (long long)row->value);
}

static bool shows_data(const struct row *row)
{
	if ((row->field && row->field->data) || (row->other && row->other->data))
		return true;
	for (size_t i = 0; row->bits && i < ROW_BITS; i++)
		if (row->bits[i].field && row->bits[i].field->data)
			return true;
	return false;
}

static int check_array(struct compiler *c, const struct map_source *s, const struct row *row)
{
	const struct pb_field *field = row->field;
	bool mask_run = row->type == PB_ROW_COIL && field && field->kind == PB_KIND_MASK;
	int64_t first = s->index < 0 ? 0 : s->index;

	if (mask_run) {
		if (!compile_mask_has(field, s->bit + s->count - 1)) {
			pb_yaml_error(c->report, compile_at(s, "count"),
				      "%s has no bit %d, expected fewer", field->name,
				      s->bit + s->count - 1);
			return -EINVAL;
		}
		return 0;
	}
	if (!field || !field->indexed) {
		if (s->value && row->type != PB_ROW_STRING && s->index < 0)
			return 0;
		if (s->count == 1 && s->index < 0)
			return 0;
		pb_yaml_error(c->report, compile_at(s, s->index < 0 ? "count" : "index"),
			      "%s is no array, expected no index and count",
			      field ? field->name : "this");
		return -EINVAL;
	}
	if (s->index < 0 && !pb_yaml_get(s->node, "count")) {
		pb_yaml_error(c->report, compile_at(s, "field"),
			      "%s is an array, expected index, or count for several", field->name);
		return -EINVAL;
	}
	if (first + s->count > field->count) {
		pb_yaml_error(c->report, compile_at(s, "count"),
			      "%s has %u elements, expected no more", field->name, field->count);
		return -EINVAL;
	}
	return 0;
}

static int expand(struct compiler *c, const struct map_source *s, struct row *row)
{
	bool mask_run = row->type == PB_ROW_COIL && row->bit.mask_bit >= 0;
	uint16_t step = row->words;

	row->index = (uint16_t)(s->index < 0 ? 0 : s->index);
	for (int32_t i = 0; i < s->count; i++) {
		if (!map_add_row(c->map, row))
			return -ENOMEM;
		row->addr = (uint16_t)(row->addr + step);
		if (mask_run)
			row->bit.mask_bit++;
		else if (row->field)
			row->bit.index = ++row->index;
	}
	return 0;
}

/* A field that stands in must be of the same kind. */
static int compile_other(struct compiler *c, const struct map_source *s, struct row *row)
{
	row->other = compile_find_field(c, compile_at(s, "or"), s->other);
	if (!row->other)
		return -EINVAL;
	if (row->other->kind == row->field->kind && row->other->uom == row->field->uom &&
	    !row->other->indexed)
		return 0;
	pb_yaml_error(c->report, compile_at(s, "or"), "%s, expected a single value like %s",
		      s->other, s->field);
	return -EINVAL;
}

static int compile_within(struct compiler *c, const struct map_source *s, struct row *row)
{
	const struct pb_yaml *node = compile_at(s, "within");

	row->within = compile_find_field(c, node, s->within);
	if (!row->within)
		return -EINVAL;
	if (row->other && row->field->indexed && row->within->kind == PB_KIND_NUMBER &&
	    row->within->uom == PB_UOM_NONE && !row->within->indexed)
		return 0;
	pb_yaml_error(c->report, node,
		      "within %s, expected a number of elements, for an array that has 'or'",
		      s->within);
	return -EINVAL;
}

static int compile_source(struct compiler *c, const struct map_source *s, struct row *row)
{
	int r;

	if (*s->field) {
		row->field = compile_find_field(c, compile_at(s, "field"), s->field);
		if (!row->field)
			return -EINVAL;
	}
	if (row->field && s->value) {
		pb_yaml_error(c->report, s->value, "a field and a value, expected one of them");
		return -EINVAL;
	}
	if (row->field && *s->other && compile_other(c, s, row) < 0)
		return -EINVAL;
	if (row->field && *s->within && compile_within(c, s, row) < 0)
		return -EINVAL;
	if (row->field) {
		r = compile_field(c, s, row);
	} else if (row->type == PB_ROW_BITS) {
		r = compile_bits(c, s, row);
	} else if (row->type == PB_ROW_RESERVED) {
		r = 0;
	} else if (s->value) {
		r = compile_constant(c, s, row);
	} else {
		pb_yaml_error(c->report, s->node, "type %s, expected a field or a value",
			      type_names[row->type]);
		r = -EINVAL;
	}
	return r < 0 ? r : check_array(c, s, row);
}

/* In the map NAME+coarse the row has its other scale, or its other constant. */
static int take_coarse(struct compiler *c, struct map_source *s)
{
	const char *text;

	if (!s->coarse)
		return 0;
	text = s->coarse->type == PB_YAML_SCALAR ? s->coarse->text : "";
	if (!*s->field == !s->value || s->values || !*text || strlen(text) >= sizeof(s->scale)) {
		pb_yaml_error(c->report, s->coarse,
			      "coarse '%s', expected a scale, or the constant beside 'value'",
			      text);
		return -EINVAL;
	}
	c->has_coarse = true;
	if (!c->map->coarse)
		return 0;
	if (s->value)
		s->value = s->coarse;
	else
		strcpy(s->scale, text);
	return 0;
}

int compile_row(struct compiler *c, const struct block *block, const struct pb_yaml *node)
{
	struct map_source s = {.node = node};
	struct row row = {0};
	int64_t end;

	if (pb_yaml_fill(node, source_rows, &s, c->report) < 0 || check_place(c, &s, block) < 0 ||
	    take_coarse(c, &s) < 0)
		return 0;
	if (!compile_is_name(c, compile_at(&s, "name"), s.name))
		return 0;
	row.type = (enum pb_row_type)s.type;
	row.addr = (uint16_t)s.addr;
	row.words = s.words ? (uint16_t)s.words : row_limits[s.type].words;
	row.node = node;
	row.fine = s.coarse && *s.field && !c->map->coarse;
	row.den = 1;
	row.unit = "";
	row.scale = *s.scale ? map_text(c->map, s.scale) : "1";
	row.name = map_text(c->map, s.name);
	row.description = map_node_text(c, s.description);
	row.bit.mask_bit = -1;
	if (compile_source(c, &s, &row) < 0)
		return 0;
	compile_access(c, &s, block, &row);
	if (block->always && shows_data(&row)) {
		pb_yaml_error(c->report, compile_at(&s, "field"),
			      "part of the reading in a block that is always shown, expected a "
			      "block without 'always': stale values would look live");
		return 0;
	}
	end = (int64_t)s.addr + (int64_t)row.words * s.count;
	if (s.addr < block->addr || end > (int64_t)block->addr + block->count) {
		pb_yaml_error(c->report, compile_at(&s, "addr"),
			      "addresses %d to %lld, expected them in the block, %u to %u", s.addr,
			      (long long)end - 1, block->addr, block->addr + block->count - 1);
		return 0;
	}
	return expand(c, &s, &row);
}

const char *pb_row_type_name(enum pb_row_type type)
{
	return type_names[type];
}
