/* SPDX-License-Identifier: MIT */
/*
 * Maps as text: everything here is printed from the compiled map alone.
 */
#include "export.h"

#include <errno.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

void pb_export_tables(uint8_t set, const char *separator, char *out, size_t cap)
{
	size_t at = 0;

	out[0] = '\0';
	for (size_t i = 0; i < PB_ARRAY_SIZE(pb_tables) && at < cap; i++)
		if (set & pb_tables[i].table)
			at += (size_t)snprintf(out + at, cap - at, "%s%s", at ? separator : "",
					       pb_tables[i].name);
}

void pb_export_field(const struct pb_row_info *row, char *out, size_t cap)
{
	size_t at;

	out[0] = '\0';
	if (!row->field)
		return;
	at = (size_t)snprintf(out, cap, "%s", row->field->name);
	if (row->index >= 0 && at < cap)
		at += (size_t)snprintf(out + at, cap - at, "[%d]", row->index);
	if (row->bit >= 0 && row->width > 0 && at < cap)
		snprintf(out + at, cap - at, " bits %d-%d", row->bit, row->bit + row->width - 1);
	else if (row->bit >= 0 && at < cap)
		snprintf(out + at, cap - at, " bit %d", row->bit);
}

/* The not-available value as a number, "" without one. */
static void print_na(const struct pb_row_info *row, char *out, size_t cap)
{
	out[0] = '\0';
	if (row->has_na && row->type == PB_ROW_F32)
		snprintf(out, cap, "NaN");
	else if (row->has_na)
		snprintf(out, cap, "%lld", (long long)row->na);
}

void pb_export_na(const struct pb_row_info *row, char *out, size_t cap)
{
	unsigned int words = row->words;

	if (!row->has_na || row->type == PB_ROW_F32)
		print_na(row, out, cap);
	else
		snprintf(out, cap, "0x%0*X", (int)(4 * words),
			 (unsigned int)row->na & (words == 1 ? 0xFFFF : 0xFFFFFFFF));
}

void pb_export_scale(const struct pb_row_info *row, char *out, size_t cap)
{
	bool plain = strcmp(row->scale, "1") == 0;

	if (row->offset)
		snprintf(out, cap, "%s, offset %lld", row->scale, (long long)row->offset);
	else
		snprintf(out, cap, "%s", plain ? "" : row->scale);
}

void pb_export_xml(const char *text, FILE *out)
{
	const char *end = text + strlen(text);
	char one[4];
	size_t n;

	while (text < end) {
		if (*text == '\n' || *text == '\t') { /* of our own code */
			fputc(*text++, out);
			continue;
		}
		n = pb_text_next(&text, end, one);
		if (one[0] == '<')
			fputs("&lt;", out);
		else if (one[0] == '>')
			fputs("&gt;", out);
		else if (one[0] == '&')
			fputs("&amp;", out);
		else if (one[0] == '"')
			fputs("&quot;", out);
		else
			fwrite(one, 1, n, out);
	}
}

static const char *stale_text(enum pb_map_stale stale)
{
	switch (stale) {
	case PB_STALE_EXCEPTION:
		return "exception 0B";
	case PB_STALE_NOT_AVAILABLE:
		return "the not-available values";
	case PB_STALE_LAST:
		return "the last reading";
	case PB_STALE_SILENCE:
		return "no reply";
	}
	return "?";
}

/* ---- markdown ---- */

/*
 * A text within a line. '|' would end a cell, the others begin links, pictures, HTML; what begins a
 * block does so at the start of a line only. Code between backticks ends with its line.
 */
static void markdown_text(const char *text, FILE *out)
{
	const char *end = text + strlen(text);
	char one[4];
	size_t n, at = 0;

	for (; (n = pb_text_next(&text, end, one)) > 0; at += n) {
		if (one[0] == '<')
			fputs("&lt;", out);
		else if (one[0] == '&')
			fputs("&amp;", out);
		else
			fprintf(out, "%s%.*s",
				strchr("\\|[]~", one[0]) || (at == 0 && strchr("#>-+=*`", one[0]))
					? "\\"
					: "",
				(int)n, one);
	}
}

static bool same_constant(const struct pb_row_info *row, const struct pb_row_info *next)
{
	return next->constant && next->value == row->value && next->text == row->text &&
	       next->block == row->block && next->type == row->type &&
	       next->description == row->description && next->ignored == row->ignored;
}

/* Equal constants that follow each other make one line, too. */
static size_t constants(const struct pb_map *map, size_t first)
{
	struct pb_row_info row, next;
	size_t count = 1;

	pb_map_row(map, first, &row);
	for (; row.constant && first + count < pb_map_row_count(map); count++) {
		pb_map_row(map, first + count, &next);
		if (!same_constant(&row, &next))
			break;
	}
	return count;
}

/* Rows of an array that follow each other make one line. @return how many rows from @first */
static size_t run_length(const struct pb_map *map, size_t first)
{
	struct pb_row_info row, next;
	size_t count = 1;

	pb_map_row(map, first, &row);
	if (!row.field)
		return constants(map, first);
	if ((row.index < 0 && row.bit < 0) || row.width > 0)
		return 1;
	for (; first + count < pb_map_row_count(map); count++) {
		pb_map_row(map, first + count, &next);
		if (next.field != row.field || next.block != row.block || next.type != row.type ||
		    next.description != row.description ||
		    (row.index >= 0 && next.index != row.index + (int)count) ||
		    (row.bit >= 0 && next.bit != row.bit + (int)count))
			break;
	}
	return count;
}

static void markdown_field(const struct pb_row_info *row, const struct pb_row_info *last, FILE *out)
{
	char text[96];

	pb_export_field(row, text, sizeof(text));
	if (row == last || !row->field)
		fprintf(out, "%s%s%s", *text ? "`" : "", text, *text ? "`" : "");
	else if (row->index >= 0)
		fprintf(out, "`%s[%d..%d]`", row->field->name, row->index, last->index);
	else
		fprintf(out, "`%s` bits %d-%d", row->field->name, row->bit, last->bit);
}

static void markdown_constant(const struct pb_row_info *row, FILE *out)
{
	fputs(*row->description ? ". Constant: " : "Constant: ", out);
	if (row->type == PB_ROW_STRING && !*row->text)
		fputs("empty", out);
	else if (row->type == PB_ROW_STRING)
		markdown_text(row->text, out);
	else
		fprintf(out, "%lld", (long long)row->value);
	if (row->type != PB_ROW_STRING && row->value > INT16_MAX)
		fprintf(out, ", 0x%0*llX", 4 * row->words, (unsigned long long)row->value);
}

/* What the columns have no place for. */
static void markdown_more(const struct pb_row_info *row, FILE *out)
{
	if (row->constant)
		markdown_constant(row, out);
	for (size_t i = 0; i < row->value_count; i++)
		fprintf(out, "%s%lld",
			i ? ", " : ". Registers for 0, 1...: ", (long long)row->values[i]);
	if (row->other)
		fprintf(out, ". When missing, `%s`", row->other->name);
	if (row->within)
		fprintf(out, ", where there are so many (`%s`)", row->within->name);
	if (row->needed)
		fputs(". Without it, the reading counts as old", out);
	if (row->writable)
		fputs(". Can be written", out);
	if (row->ignored)
		fputs(". Writes are ignored", out);
}

static void markdown_line(const struct pb_map *map, size_t first, size_t count, FILE *out)
{
	struct pb_row_info row, last;
	char na[24], scale[64];
	unsigned int end;
	int digits;

	pb_map_row(map, first, &row);
	pb_map_row(map, first + count - 1, &last);
	end = last.addr + last.words - 1U;
	digits = end < 9999 ? 4 : 5; /* behind the first one */
	pb_export_na(&row, na, sizeof(na));
	if (row.has_absent)
		snprintf(na, sizeof(na), "%lld", (long long)row.na);
	pb_export_scale(&row, scale, sizeof(scale));
	fprintf(out, end > row.addr ? "| %u-%u | " : "| %u | ", row.addr, end);
	for (size_t i = 0, shown = 0; i < PB_ARRAY_SIZE(pb_tables); i++)
		if (row.tables & pb_tables[i].table)
			fprintf(out, "%s%c%0*u", shown++ ? ", " : "", pb_tables[i].digit, digits,
				row.addr + 1U);
	fprintf(out, " | %s | ", pb_row_type_name(row.type));
	markdown_field(&row, count > 1 ? &last : &row, out);
	fprintf(out, " | %s | %s | %s | ", row.unit, scale, na);
	markdown_text(row.description, out);
	markdown_more(&row, out);
	fputs(" |\n", out);
}

/* Between backticks, where nothing can be escaped. */
static void markdown_code(const char *text, FILE *out)
{
	const char *end = text + strlen(text);
	char one[4];
	size_t n;

	fputc('`', out);
	while ((n = pb_text_next(&text, end, one)) > 0)
		fwrite(one[0] == '`' ? "'" : one, 1, n, out);
	fputc('`', out);
}

/* What happens to old data, and where. Nothing for a map that is always shown. */
static void markdown_stale(const struct pb_map *map, FILE *out)
{
	struct pb_block_info block;
	size_t always = 0, count = pb_map_block_count(map), shown = 0;

	for (size_t i = 0; i < count; i++) {
		pb_map_block(map, i, &block);
		always += block.always;
	}
	if (always == count)
		return;
	fprintf(out, " Old data: %s", stale_text(pb_map_stale(map)));
	for (size_t i = 0; i < count; i++) {
		pb_map_block(map, i, &block);
		if (!block.always)
			continue;
		fputs(shown++ ? ", " : "; always readable: ", out);
		markdown_code(block.name, out);
	}
	fputs(".", out);
}

static void markdown_options(const struct pb_map *map, FILE *out)
{
	const char *options[PB_MAP_OPTIONS_MAX];
	size_t count = pb_map_options(map, options);

	for (size_t i = 0; i < count; i++)
		fprintf(out, "%s`+%s`", i ? ", " : " Options: ", options[i]);
	fputs(count ? "." : "", out);
}

/* A paragraph of its own, with a capital in front and a point behind; nothing for "". */
static void markdown_sentence(const char *text, FILE *out)
{
	bool small = *text >= 'a' && *text <= 'z';

	if (!*text)
		return;
	if (small)
		fputc(*text - 'a' + 'A', out);
	markdown_text(text + small, out);
	fputs(".\n\n", out);
}

int export_markdown(const struct pb_export_job *job, FILE *out)
{
	const struct pb_map *map = job->units[0].map;
	size_t row = 0;

	fputs("# ", out);
	markdown_text(pb_map_name(map), out);
	fputs(": ", out);
	markdown_text(pb_map_title(map), out);
	fputs("\n\n", out);
	fprintf(out, "Map version %d, shows a %s. 32-bit values: %s word first.",
		pb_map_version(map), pb_scope_name(pb_map_scope(map)),
		pb_map_low_word_first(map) ? "low" : "high");
	markdown_stale(map, out);
	markdown_options(map, out);
	fputs("\n\n", out);
	if (*pb_map_description(map)) {
		markdown_text(pb_map_description(map), out);
		fputs("\n\n", out);
	}
	fputs("Addresses are those on the wire, from 0 (`mbpoll -0`); the second column is the "
	      "same "
	      "in\n"
	      "Modicon's form, which counts from 1. Value = (register - offset) × scale. `n/a` is "
	      "the\n"
	      "register that means \"not available\", when the value is not reported. A "
	      "number in it\n"
	      "without 0x is shown then, too, but can be a value. A bit that is not reported is 0, "
	      "a text\n"
	      "that is not reported is empty.\n",
	      out);
	for (size_t i = 0; i < pb_map_block_count(map); i++) {
		struct pb_block_info block;
		struct pb_row_info info;
		char names[32];

		pb_map_block(map, i, &block);
		pb_export_tables(block.tables, " and ", names, sizeof(names));
		fputs("\n## ", out);
		markdown_text(block.name, out);
		fprintf(out, ": %u to %u, %s\n\n", block.addr, block.addr + block.count - 1, names);
		markdown_sentence(block.description, out);
		fputs("| address | Modicon | type | field | unit | scale | n/a | meaning |\n"
		      "| --- | --- | --- | --- | --- | --- | --- | --- |\n",
		      out);
		while (row < pb_map_row_count(map)) {
			size_t count;

			pb_map_row(map, row, &info);
			if (info.block != block.name)
				break;
			count = run_length(map, row);
			markdown_line(map, row, count, out);
			row += count;
		}
	}
	return 0;
}

/* ---- CSV, RFC 4180 but for the line end ---- */

/* Spreadsheets take a text that begins so for a formula; behind an apostrophe, for a text. */
static bool is_formula(const char *text)
{
	return *text && strchr("=+-@", *text);
}

static void csv_text(const char *text, FILE *out)
{
	const char *end = text + strlen(text);
	bool plain = !strpbrk(text, ",\"\n") && !is_formula(text);
	char one[4];
	size_t n;

	fputs(plain ? "" : is_formula(text) ? "\"'" : "\"", out);
	while ((n = pb_text_next(&text, end, one)) > 0)
		fprintf(out, "%s%.*s", one[0] == '"' ? "\"" : "", (int)n, one);
	fputs(plain ? "" : "\"", out);
}

int export_csv(const struct pb_export_job *job, FILE *out)
{
	const struct pb_map *map = job->units[0].map;
	fputs("address,table,words,type,field,index,bit,unit,scale,offset,na,access,description\n",
	      out);
	for (size_t i = 0; i < pb_map_row_count(map); i++) {
		struct pb_row_info row;
		char names[32], na[24], index[16] = "", bit[16] = "";

		pb_map_row(map, i, &row);
		if (row.type == PB_ROW_RESERVED)
			continue;
		pb_export_tables(row.tables, " ", names, sizeof(names));
		print_na(&row, na, sizeof(na));
		if (row.index >= 0)
			snprintf(index, sizeof(index), "%d", row.index);
		if (row.bit >= 0)
			snprintf(bit, sizeof(bit), "%d", row.bit);
		fprintf(out, "%u,%s,%u,%s,%s,%s,%s,%s,%s,%lld,%s,%s,", row.addr, names, row.words,
			pb_row_type_name(row.type), row.field ? row.field->name : "", index, bit,
			row.unit, row.scale, (long long)row.offset, na,
			row.writable  ? "rw"
			: row.ignored ? "ignore"
				      : "r");
		csv_text(row.description, out);
		fputc('\n', out);
	}
	return 0;
}

/* ---- JSON ---- */

static json_t *json_tables(uint8_t set)
{
	json_t *list = json_array();

	for (size_t i = 0; i < PB_ARRAY_SIZE(pb_tables); i++)
		if (set & pb_tables[i].table)
			json_array_append_new(list, json_string(pb_tables[i].name));
	return list;
}

/* A whole scale as an integer, else a real that prints as the map has it. */
static json_t *json_scale(const char *scale)
{
	int64_t num = 1, den = 1;

	if (pb_ratio_parse(scale, &num, &den) < 0 || den != 1)
		return json_real(strtod(scale, NULL));
	return json_integer(num);
}

static json_t *json_row(const struct pb_row_info *row)
{
	json_t *na = row->has_na && row->type != PB_ROW_F32 ? json_integer(row->na) : json_null();
	json_t *object;

	object = json_pack("{s:i, s:o, s:i, s:s, s:s?, s:o, s:o, s:s, s:o, s:o, s:s, s:s}",
			   "address", row->addr, "table", json_tables(row->tables), "words",
			   row->words, "type", pb_row_type_name(row->type), "field",
			   row->field ? row->field->name : NULL, "index",
			   row->index >= 0 ? json_integer(row->index) : json_null(), "bit",
			   row->bit >= 0 ? json_integer(row->bit) : json_null(), "unit", row->unit,
			   "scale", json_scale(row->scale), "na", na, "access",
			   row->writable  ? "rw"
			   : row->ignored ? "ignore"
					  : "r",
			   "description", row->description);
	if (row->offset)
		json_object_set_new(object, "offset", json_integer(row->offset));
	if (row->has_absent)
		json_object_set_new(object, "absent", json_integer(row->na));
	if (row->needed)
		json_object_set_new(object, "absent", json_string("old"));
	if (row->other)
		json_object_set_new(object, "or", json_string(row->other->name));
	if (row->constant)
		json_object_set_new(object, "value",
				    row->type == PB_ROW_STRING ? json_string(row->text)
							       : json_integer(row->value));
	if (row->values) {
		json_t *values = json_array();

		for (size_t i = 0; i < row->value_count; i++)
			json_array_append_new(values, json_integer(row->values[i]));
		json_object_set_new(object, "values", values);
	}
	return object;
}

/* What the bits of a register show. */
static json_t *json_bits(const struct pb_map *map, size_t index)
{
	json_t *bits = json_array();

	for (unsigned int bit = 0; bit < 16; bit++) {
		struct pb_bit_info info;
		json_t *object;

		if (!pb_map_bit(map, index, bit, &info))
			continue;
		object = json_pack("{s:i, s:i, s:s}", "bit", (int)bit, "width", (int)info.width,
				   "field", info.field->name);
		if (info.index >= 0)
			json_object_set_new(object, "index", json_integer(info.index));
		if (info.mask_bit >= 0)
			json_object_set_new(object, "mask_bit", json_integer(info.mask_bit));
		if (info.any)
			json_object_set_new(object, "any", json_integer((json_int_t)info.any));
		if (info.equals >= 0)
			json_object_set_new(object, "equals", json_integer(info.equals));
		if (info.invert)
			json_object_set_new(object, "not", json_true());
		json_array_append_new(bits, object);
	}
	return bits;
}

int export_json(const struct pb_export_job *job, FILE *out)
{
	const struct pb_map *map = job->units[0].map;
	json_t *rows = json_array(), *root;
	int r;

	for (size_t i = 0; i < pb_map_row_count(map); i++) {
		struct pb_row_info row;

		pb_map_row(map, i, &row);
		if (row.type == PB_ROW_RESERVED)
			continue;
		json_array_append_new(rows, json_row(&row));
		if (row.type == PB_ROW_BITS)
			json_object_set_new(json_array_get(rows, json_array_size(rows) - 1), "bits",
					    json_bits(map, i));
	}
	root = json_pack("{s:s, s:i, s:s, s:s, s:s, s:o}", "map", pb_map_name(map), "version",
			 pb_map_version(map), "scope", pb_scope_name(pb_map_scope(map)), "title",
			 pb_map_title(map), "word_order",
			 pb_map_low_word_first(map) ? "low-first" : "high-first", "rows", rows);
	if (!root)
		return -ENOMEM;
	r = json_dumpf(root, out, JSON_INDENT(1) | JSON_REAL_PRECISION(12));
	fputc('\n', out);
	json_decref(root);
	return r < 0 ? -EIO : 0;
}

enum {
	MANY = 256,
	SCOPE_UNITS = 3, /* connections of a project of level 4 */
	TCP = PB_EXPORT_TCP,
	ANY_WAY = PB_EXPORT_TCP | PB_EXPORT_RTU_TCP | PB_EXPORT_RTU,
	ALL = VARIABLE_ALL,
};

/* clang-format off */
const struct pb_export pb_exports[] = {
	{"markdown", "a page for people", export_markdown, 1, ANY_WAY, ALL},
	{"csv", "one line a value", export_csv, 1, ANY_WAY, ALL},
	{"json", "one object a value", export_json, 1, ANY_WAY, ALL},
	{"twincat", "TwinCAT: structures and blocks on FB_MBReadRegs, as PLCopen XML",
	 export_twincat, MANY, TCP | PB_EXPORT_NUMBERS, ALL},
	{"st", "the same without Beckhoff's library, as plain IEC 61131-3", export_st, MANY, ANY_WAY, ALL},
	{"homeassistant", "Home Assistant's modbus integration, YAML", export_homeassistant, MANY, ANY_WAY,
	 VARIABLE_MAIN},
	{"telegraf", "Telegraf's inputs.modbus, TOML", export_telegraf, MANY, ANY_WAY, ALL},
	{"nodered", "a Node-RED flow, JSON", export_nodered, MANY, ANY_WAY, ALL},
	{"iobroker", "settings of ioBroker.modbus, JSON", export_iobroker, MANY, ANY_WAY, VARIABLE_MAIN},
	{"openhab", "things and items of openHAB's Modbus binding", export_openhab, MANY, ANY_WAY,
	 VARIABLE_MAIN},
	{"modbusscope", "a ModbusScope project", export_modbusscope, SCOPE_UNITS,
	 PB_EXPORT_TCP | PB_EXPORT_RTU, ALL},
	{"mbpoll", "mbpoll command lines", export_mbpoll, MANY, TCP | PB_EXPORT_RTU, ALL},
	{0},
};
/* clang-format on */
