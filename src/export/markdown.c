/* SPDX-License-Identifier: MIT */
/*
 * A page for people: a head, and for each block of registers a table. Rows of one array that follow
 * each other are one line of it, and so are equal constants.
 */
#include "format.h"

#include <string.h>

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
	if (row->control)
		fputs(". Can be written where control is enabled", out);
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

/* How stale data is answered, and in which blocks. Nothing for a map without stale data. */
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
