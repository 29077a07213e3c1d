/* SPDX-License-Identifier: MIT */
/*
 * What `packbridge read` prints: a unit as text or JSON, and why blocks could not be read.
 */
#include "read.h"

#include "packbridge/export.h"
#include "packbridge/json.h"
#include "shown.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

static void explain_old(const struct look *look, int64_t unit, FILE *out)
{
	int64_t age_s, error, quality;

	fprintf(out, "unit %d is configured, but its pack has ", (int)unit);
	if (read_find_number(look, "quality", &quality) && quality == PB_QUALITY_NEVER)
		fputs("not answered since the start", out);
	else if (read_find_number(look, "age_s", &age_s))
		fprintf(out, "not answered for %lld s", (long long)age_s);
	else
		fputs("not answered in time", out);
	if (read_find_number(look, "last_error", &error) && error != PB_ERROR_NONE)
		fprintf(out, " (%s)", pb_error_text((enum pb_error)error));
}

static void read_show_explain(const struct look *look, size_t block_index, int64_t unit, FILE *out)
{
	int code = look->results[block_index];
	struct pb_block_info block;
	uint32_t last;

	pb_map_block(look->map, block_index, &block);
	last = block.addr + block.count - 1;
	if (code < 0) {
		fprintf(out, "packbridge read: %s\n", SHOWN(look->why));
		return;
	}
	fprintf(out, "packbridge read: %s (%u to %u): %02X: ", SHOWN(block.name), block.addr, last,
		(unsigned int)code);
	switch (code) {
	case PB_EXCEPTION_ILLEGAL_FUNCTION:
		fputs("the device does not know this function", out);
		break;
	case PB_EXCEPTION_ILLEGAL_ADDRESS:
		fprintf(out, "unit %d does not have these addresses: is %s its map?", (int)unit,
			SHOWN(pb_map_name(look->map)));
		break;
	case PB_EXCEPTION_ILLEGAL_VALUE:
		fputs("the device does not take so many at a time, or the request was damaged",
		      out);
		break;
	case PB_EXCEPTION_DEVICE_FAILURE:
		fputs("the device failed to answer", out);
		break;
	case PB_EXCEPTION_DEVICE_BUSY:
		fputs("the device is busy, try again", out);
		break;
	case PB_EXCEPTION_GATEWAY_PATH:
		fprintf(out, "there is no unit %d behind this address", (int)unit);
		break;
	case PB_EXCEPTION_GATEWAY_TARGET:
		explain_old(look, unit, out);
		break;
	default:
		fputs("an unknown exception", out);
	}
	fputc('\n', out);
}

int read_explain_all(const struct look *look, int64_t unit)
{
	int told = 0;

	for (size_t i = 0; i < pb_map_block_count(look->map); i++) {
		int result = look->results[i];

		if (result == 0 || result == -ECANCELED || result == told)
			continue;
		read_show_explain(look, i, unit, stderr);
		told = result;
	}
	return told ? 1 : 0;
}

/* ---- showing ---- */

static int decimals(const struct pb_row_info *row)
{
	const char *point = strchr(row->scale, '.');
	int count = point ? (int)strlen(point + 1) : 0;

	/* a float holds more than a person wants to see: as fine as the catalogue is enough */
	if (row->type == PB_ROW_F32 && count == 0 && row->field)
		count = strcmp(row->unit, pb_uom_symbol(row->field->uom)) == 0 ? 0 : 3;
	return count;
}

static const char *read_show_words_of(const struct pb_field *field, int64_t value)
{
	if (strcmp(field->name, "quality") == 0)
		return pb_quality_text((enum pb_quality)value);
	if (strcmp(field->name, "last_error") == 0)
		return pb_error_text((enum pb_error)value);
	return "";
}

/* "connected, charge_fet": the bits of a word that are set */
static void print_bits(const struct look *look, size_t index, int64_t value)
{
	const char *separator = "";

	for (unsigned int bit = 0; bit < 16; bit++) {
		struct pb_bit_info info;

		if (!pb_map_bit(look->map, index, bit, &info) ||
		    (!info.number && !(value >> bit & 1)))
			continue;
		printf("%s%s%s", separator, info.invert ? "not " : "", info.field->name);
		if (info.index >= 0)
			printf("[%d]", info.index);
		if (info.any)
			printf(" of %#llx", (unsigned long long)info.any);
		if (info.mask_bit >= 0)
			printf(" bit %d", info.mask_bit);
		if (info.equals >= 0)
			printf(" = %d", info.equals);
		if (info.number) {
			struct pb_row_value part;

			pb_map_part(look->map, index, bit, (uint16_t)value, &part);
			printf(" %lld", (long long)part.value);
		}
		separator = ", ";
	}
}

static void read_show_print_value(const struct look *look, size_t index,
				  const struct pb_row_info *row, const struct pb_row_value *value)
{
	bool mask = row->field && row->field->kind == PB_KIND_MASK;

	if (!value->available)
		printf("%12s", "n/a");
	else if (row->type == PB_ROW_STRING)
		pb_cli_put(value->text, false, stdout);
	else if (value->several) /* the register does not show which of its states it is */
		printf("%12lld", (long long)row->values[value->value]);
	else if (row->type == PB_ROW_BITS || (mask && row->type != PB_ROW_COIL))
		printf("%#12llx", (unsigned long long)value->value);
	else
		printf("%12.*f %s", decimals(row), value->number, row->unit);
	if (value->available && row->type == PB_ROW_BITS) {
		fputs("  ", stdout);
		print_bits(look, index, value->value);
	} else if (value->available && !value->several && row->field &&
		   *read_show_words_of(row->field, value->value)) {
		printf(" %s", read_show_words_of(row->field, value->value));
	}
}

/* @return whether it says anything that a person who did not ask for all wants to see */
static bool of_interest(const struct pb_row_info *row, const struct pb_row_value *value)
{
	bool listed = row->field && row->field->kind == PB_KIND_ENUM && row->index >= 0;

	/* of flags, and of a list of states, those that say something */
	if (row->type == PB_ROW_COIL || listed)
		return value->value != 0;
	return value->available && (row->field || row->type == PB_ROW_BITS || row->writable);
}

void read_show_text(const struct look *look, const struct read_options *options)
{
	const char *block = NULL;
	size_t left_out = 0;

	for (size_t i = 0; i < pb_map_row_count(look->map); i++) {
		struct pb_row_info row;
		struct pb_row_value value;
		char name[96];

		pb_map_row(look->map, i, &row);
		if (!read_decode(look, i, &row, &value))
			continue;
		if (!options->all && !of_interest(&row, &value)) {
			left_out += row.type != PB_ROW_RESERVED;
			continue;
		}
		if (row.block != block) {
			char tables[32];

			pb_export_tables(row.tables, ", ", tables, sizeof(tables));
			printf("%s%s (%s)\n", block ? "\n" : "", SHOWN(row.block), tables);
			block = row.block;
		}
		pb_export_field(&row, name, sizeof(name));
		printf("%6u  %-32.32s ", row.addr, SHOWN(*name ? name : row.description));
		read_show_print_value(look, i, &row, &value);
		putchar('\n');
	}
	if (left_out)
		printf("\n"
		       "%zu more: missing values, bits that are 0, constants; --all shows them\n",
		       left_out);
}

/* The field's value out of a row; part of a mask joins what is there of it. */
static json_t *json_of(json_t *fields, const struct pb_row_info *row,
		       const struct pb_row_value *value)
{
	json_t *old = json_object_get(fields, row->field->name);

	if (!value->available || value->several)
		return json_null();
	if (row->field->kind == PB_KIND_TEXT)
		return json_string(value->text);
	if (row->field->kind == PB_KIND_MASK && json_is_integer(old))
		return json_integer(json_integer_value(old) | value->value);
	return pb_json_value(row->field, value->value);
}

/* Fields that stand in bits of a register, and nowhere before it. */
static void collect_bits(const struct look *look, size_t index, int64_t value, json_t *fields)
{
	for (unsigned int bit = 0; bit < 16; bit++) {
		struct pb_bit_info info;
		struct pb_row_value part = {.value = value >> bit & 1};
		unsigned int element;

		if (!pb_map_bit(look->map, index, bit, &info) ||
		    (!info.number && (info.field->kind != PB_KIND_BOOL || info.invert)))
			continue;
		element = info.index < 0 ? 0 : (unsigned int)info.index;
		if (info.number)
			pb_map_part(look->map, index, bit, (uint16_t)value, &part);
		if (!pb_json_has(fields, info.field, element))
			pb_json_set(fields, info.field, element,
				    pb_json_value(info.field, part.value));
	}
}

/* @ends: rows whose register is at an end, where the value may lie beyond; else the others */
static void collect_rows(const struct look *look, bool ends, json_t *fields)
{
	for (size_t i = 0; i < pb_map_row_count(look->map); i++) {
		struct pb_row_info row;
		struct pb_row_value value;
		struct pb_bit_info bit;
		unsigned int element;

		pb_map_row(look->map, i, &row);
		if ((!row.field && row.type != PB_ROW_BITS) ||
		    !read_decode(look, i, &row, &value) || value.at_end != ends)
			continue;
		if (!row.field) {
			collect_bits(look, i, value.value, fields);
			continue;
		}
		element = row.index < 0 ? 0 : (unsigned int)row.index;
		/* of rows that show one value the first counts, but parts of a mask join */
		if (row.field->kind != PB_KIND_MASK && pb_json_has(fields, row.field, element))
			continue;
		/* registers came first; a bit tells more only of what is a truth value */
		if (row.type == PB_ROW_COIL &&
		    (row.field->kind != PB_KIND_BOOL || !pb_map_bit(look->map, i, 0, &bit)))
			continue;
		pb_json_set(fields, row.field, element, json_of(fields, &row, &value));
	}
}

static json_t *read_show_collect(const struct look *look)
{
	json_t *fields = json_object();

	collect_rows(look, false, fields);
	collect_rows(look, true, fields);
	return fields;
}

void read_show_json(const struct look *look, const struct read_options *options, bool complete)
{
	json_t *object = json_pack("{s:s, s:I, s:s, s:b, s:o}", "endpoint", options->endpoint,
				   "unit", (json_int_t)options->unit, "map", pb_map_name(look->map),
				   "complete", complete, "fields", read_show_collect(look));

	if (!object)
		return;
	json_dumpf(object, stdout, options->watch_s > 0 ? JSON_COMPACT : JSON_INDENT(1));
	putchar('\n');
	json_decref(object);
}
