/* SPDX-License-Identifier: MIT */
/*
 * Numbers: unit, scale, what means "not available", and whether all that can occur fits.
 */
#include "compile.h"

#include <errno.h>
#include <string.h>

static int64_t mask_of(unsigned int width)
{
	return width >= 63 ? INT64_MAX : (INT64_C(1) << width) - 1;
}

/* The scale's text with the other sign. */
static const char *turned(struct pb_map *map, const char *scale)
{
	char text[32];

	if (*scale == '-')
		return map_text(map, scale + 1);
	snprintf(text, sizeof(text), "-%s", *scale ? scale : "1");
	return map_text(map, text);
}

static int64_t most(const struct row *row)
{
	return row->part ? mask_of(row->part) : row_limits[row->type].max;
}

/* The value's safe side is the other one of a register that falls when it rises. */
static int8_t safe_way(const struct row *row)
{
	int8_t way = row->field->safe == PB_SAFE_BELOW	 ? -1
		     : row->field->safe == PB_SAFE_ABOVE ? 1
							 : 0;

	return row->den < 0 ? (int8_t)-way : way;
}

static int compile_scale(struct compiler *c, const struct map_source *s, struct row *row)
{
	const struct unit *unit = unit_find(s->unit, row->field->uom);
	int64_t scale_num = 1, scale_den = 1;
	char known[128];

	if (!unit) {
		unit_list(row->field->uom, known, sizeof(known));
		pb_yaml_error(c->report, compile_at(s, "unit"),
			      "unit '%s' for %s, expected one of %s", s->unit, row->field->name,
			      known);
		return -EINVAL;
	}
	if (*s->scale && (pb_ratio_parse(s->scale, &scale_num, &scale_den) < 0 || scale_num == 0 ||
			  scale_num > 1000000 || scale_num < -1000000)) {
		pb_yaml_error(c->report, compile_at(s, "scale"),
			      "scale '%s', expected a decimal number such as 0.1, not 0", s->scale);
		return -EINVAL;
	}
	if (c->map->other_sign && row->field->flow) {
		char text[256];

		scale_num = -scale_num;
		row->scale = turned(c->map, s->scale);
		snprintf(text, sizeof(text), "%s (here with the other sign)",
			 *row->description ? row->description : row->field->description);
		row->description = map_text(c->map, text);
	}
	row->unit = unit->symbol;
	row->bias = unit->bias;
	row->num = scale_den;
	row->den = scale_num * unit->den;
	row->offset = s->offset;
	row->saturate = s->saturate;
	row->way = safe_way(row);
	return 0;
}

/* Better no reading at all than one without this value; but with the option na, not available. */
static int compile_needed(struct compiler *c, const struct map_source *s, struct row *row)
{
	if (!pb_field_can_be_absent(row->field) ||
	    (c->stale != PB_STALE_EXCEPTION && c->stale != PB_STALE_SILENCE)) {
		pb_yaml_error(c->report, s->absent,
			      "absent: old, expected that of a field that can be missing, in a map "
			      "with stale: exception or silence");
		return -EINVAL;
	}
	row->needed = c->map->stale != PB_STALE_NOT_AVAILABLE;
	row->has_na = !row->needed || s->na;
	c->map->needs |= row->needed;
	return 0;
}

/* A map that has no register for "not available" says what stands there instead. */
static int compile_absent(struct compiler *c, const struct map_source *s, struct row *row)
{
	if (!pb_field_can_be_absent(row->field)) {
		pb_yaml_error(c->report, s->absent,
			      "absent, but %s is always there, expected no absent",
			      row->field->name);
		return -EINVAL;
	}
	row->has_na = false;
	if (compile_raw(row, s->absent, &row->na) == 0 && row->na <= most(row))
		return 0;
	pb_yaml_error(c->report, s->absent, "absent '%s', expected a register that fits",
		      s->absent->text ? s->absent->text : "");
	return -EINVAL;
}

static bool is_old(const struct row *row, const struct pb_yaml *absent)
{
	return !row->part && absent->type == PB_YAML_SCALAR && strcmp(absent->text, "old") == 0;
}

static int compile_na(struct compiler *c, const struct map_source *s, struct row *row)
{
	row->has_na = pb_field_can_be_absent(row->field) && !row->part;
	row->na = row->part ? 0 : row_limits[row->type].na;
	if (s->absent && is_old(row, s->absent)) {
		if (compile_needed(c, s, row) < 0)
			return -EINVAL;
	} else if (s->absent && s->na) {
		pb_yaml_error(c->report, s->na, "na and absent, expected one of them");
		return -EINVAL;
	} else if (s->absent) {
		return compile_absent(c, s, row);
	}
	if (!s->na)
		return 0;
	if (!row->has_na) {
		pb_yaml_error(c->report, s->na, "na, but %s is always there, expected no na",
			      row->field->name);
		return -EINVAL;
	}
	if (compile_raw(row, s->na, &row->na) == 0)
		return 0;
	pb_yaml_error(c->report, s->na, "na '%s', expected a register of type %s",
		      s->na->text ? s->na->text : "", pb_row_type_name(row->type));
	return -EINVAL;
}

/* The range that is left for values, and whether what can occur fits into it. */
static int compile_range(struct compiler *c, const struct map_source *s, struct row *row)
{
	const struct compile_limits *limit = &row_limits[row->type];
	int64_t first = 0, last = mask_of(row->width), low, high;

	if (!row->width)
		pb_field_range(row->field, c->map->scope, &first, &last);
	low = pb_scale(first + row->bias, row->num, row->den) + row->offset;
	high = pb_scale(last + row->bias, row->num, row->den) + row->offset;
	if (low > high) {
		int64_t swap = low;

		low = high;
		high = swap;
	}
	row->min = limit->min;
	row->max = most(row);
	if (row->type == PB_ROW_F32)
		return 0;
	if (row->has_na && row->na == row->min)
		row->min++;
	else if (row->has_na && row->na == row->max)
		row->max--;
	else if (row->has_na && row->na >= low && row->na <= high) {
		pb_yaml_error(c->report, compile_at(s, "na"),
			      "na %lld is a value that %s can have (%lld to %lld), expected one "
			      "outside",
			      (long long)row->na, row->field->name, (long long)low,
			      (long long)high);
		return -EINVAL;
	}
	if ((low < row->min || high > row->max) && !s->saturate) {
		pb_yaml_error(c->report, compile_at(s, "type"),
			      "%s needs registers from %lld to %lld, but %s holds %lld to %lld; "
			      "expected %s, a coarser scale, or saturate: true",
			      row->field->name, (long long)low, (long long)high,
			      row->part ? "its width" : pb_row_type_name(row->type),
			      (long long)row->min, (long long)row->max,
			      row->part ? "more bits" : "a wider type");
		return -EINVAL;
	}
	return 0;
}

/* Masks are shown as they are; a part of one has to be cut out. */
static int compile_mask(struct compiler *c, const struct map_source *s, struct row *row)
{
	if (row->field->kind != PB_KIND_MASK) {
		if (s->width == 0 && s->shift == 0)
			return 0;
		pb_yaml_error(c->report, compile_at(s, s->width ? "width" : "shift"),
			      "%s is no mask, expected no shift and width", row->field->name);
		return -EINVAL;
	}
	if (*s->scale || *s->unit || s->saturate || s->offset) {
		pb_yaml_error(c->report, s->node,
			      "%s is a mask, expected no scale, unit, offset or "
			      "saturate",
			      row->field->name);
		return -EINVAL;
	}
	row->shift = (uint8_t)s->shift;
	row->width = (uint8_t)s->width;
	if (row->field->max >> s->shift == 0) {
		pb_yaml_error(c->report, compile_at(s, "shift"),
			      "%s has no bit %d, expected a lower one", row->field->name, s->shift);
		return -EINVAL;
	}
	if (s->shift && !s->width) {
		pb_yaml_error(c->report, compile_at(s, "shift"),
			      "shift without width, expected both");
		return -EINVAL;
	}
	return 0;
}

/* A register for each value that the field can have. */
static int compile_values(struct compiler *c, const struct map_source *s, struct row *row)
{
	size_t count = (size_t)row->field->max + 1, i = 0;
	bool named = row->field->kind == PB_KIND_ENUM || row->field->kind == PB_KIND_BOOL;
	int64_t *values;

	if (!named || *s->scale || *s->unit || s->saturate || s->offset || s->shift || s->width) {
		pb_yaml_error(c->report, s->values,
			      "values, expected a field that is a number with names or a truth "
			      "value, and no scale, unit, offset or saturate");
		return -EINVAL;
	}
	if (s->values->type != PB_YAML_SEQUENCE || pb_yaml_count(s->values) != count) {
		pb_yaml_error(c->report, s->values, "values of %s, expected a list of %zu",
			      row->field->name, count);
		return -EINVAL;
	}
	values = map_alloc(c->map, count * sizeof(*values));
	for (const struct pb_yaml *item = s->values->child; item; item = item->next, i++) {
		if (compile_raw(row, item, &values[i]) < 0 || values[i] > most(row)) {
			pb_yaml_error(c->report, item, "value '%s', expected a register that fits",
				      item->text ? item->text : "");
			return -EINVAL;
		}
	}
	row->values = values;
	row->value_count = count;
	row->num = 1;
	row->min = row_limits[row->type].min;
	row->max = most(row);
	return compile_na(c, s, row);
}

int compile_number(struct compiler *c, const struct map_source *s, struct row *row)
{
	int r;

	if (row->field->kind == PB_KIND_TEXT) {
		pb_yaml_error(c->report, compile_at(s, "type"), "%s is text, expected type string",
			      row->field->name);
		return -EINVAL;
	}
	if (s->values)
		return compile_values(c, s, row);
	r = compile_mask(c, s, row);
	if (r == 0)
		r = compile_scale(c, s, row);
	if (r == 0)
		r = compile_na(c, s, row);
	return r < 0 ? r : compile_range(c, s, row);
}
