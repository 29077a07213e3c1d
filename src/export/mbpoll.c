/* SPDX-License-Identifier: MIT */
/*
 * Command lines of mbpoll: values of one type that follow each other are one line.
 */
#include "format.h"

#include <string.h>

static const char *mbpoll_type(const struct pb_map *map, const struct pb_row_info *row)
{
	bool low = pb_map_low_word_first(map);
	bool input = !(row->tables & PB_TABLE_HOLDING);

	switch (row->type) {
	case PB_ROW_U32:
	case PB_ROW_S32:
		return input ? (low ? "3:int" : "3:int -B") : low ? "4:int" : "4:int -B";
	case PB_ROW_F32:
		return input ? (low ? "3:float" : "3:float -B") : low ? "4:float" : "4:float -B";
	case PB_ROW_STRING:
	case PB_ROW_U64:
	case PB_ROW_BITS:
		return input ? "3:hex" : "4:hex";
	case PB_ROW_COIL:
		return row->tables & PB_TABLE_DISCRETE ? "1" : "0";
	case PB_ROW_U16:
	case PB_ROW_S16:
	case PB_ROW_RESERVED:
		break;
	}
	return input ? "3" : "4";
}

/* mbpoll has no type for it, and shows its registers one by one. */
static bool as_words(const struct variable *variable)
{
	return variable->row.type == PB_ROW_STRING || variable->row.type == PB_ROW_U64;
}

static size_t mbpoll_count(const struct variable *variable)
{
	return as_words(variable) ? variable->row.words * variable->count : variable->count;
}

/* Values that follow each other and are of one type are one line. */
static bool joins(const struct pb_map *map, const struct variable *first,
		  const struct variable *last, const struct variable *next)
{
	size_t end = last->row.addr + last->count * last->row.words;

	return next->block == last->block && next->row.addr == end && !as_words(next) &&
	       !as_words(last) &&
	       strcmp(mbpoll_type(map, &first->row), mbpoll_type(map, &next->row)) == 0;
}

/* mbpoll reads so many values at a time. */
enum { MBPOLL_MAX = 125 };

static void mbpoll_lines(const struct pb_export_target *target, const struct pb_export_unit *unit,
			 const struct variable *first, size_t count, FILE *out)
{
	const struct pb_export_line *line = &target->line;
	unsigned int step = as_words(first) ? 1 : first->row.words;

	for (size_t at = 0; at < count; at += MBPOLL_MAX) {
		if (target->way == PB_EXPORT_RTU)
			fprintf(out, "mbpoll -m rtu -b %u -d %u -s %u -P %s", line->baud,
				line->data_bits, line->stop_bits, export_parity(line));
		else
			fprintf(out, "mbpoll -m tcp -p %u", target->port);
		fprintf(out, " -a %u -0 -r %u -c %zu -t %s -1 %s\n", unit->unit,
			first->row.addr + (unsigned int)at * step,
			count - at < MBPOLL_MAX ? count - at : MBPOLL_MAX,
			mbpoll_type(unit->map, &first->row), target->host);
	}
}

static void mbpoll_comment(const struct variable *variable, FILE *out)
{
	char scale[64];

	pb_export_scale(&variable->row, scale, sizeof(scale));
	fprintf(out, "# %u: %s", variable->row.addr, variable->name);
	if (variable->count > 1)
		fprintf(out, " %d to %d", variable->first,
			variable->first + (int)variable->count - 1);
	if (*scale || *variable->row.unit)
		fprintf(out, ", %s%s%s", scale, *scale && *variable->row.unit ? " " : "",
			variable->row.unit);
	fputc('\n', out);
}

static int mbpoll_unit(const struct pb_export_job *job, size_t unit, FILE *out)
{
	struct export_values values;
	int r = export_values_of(job, unit, &values);
	const struct variables *variables = &values.variables;

	if (r >= 0)
		fprintf(out, "# unit %u, %s\n", values.unit->unit, values.unit->name);
	for (size_t i = 0; r >= 0 && i < variables->count;) {
		const struct variable *first = &variables->items[i];
		size_t end = i + 1, count = mbpoll_count(first);

		while (end < variables->count &&
		       joins(values.unit->map, first, &variables->items[end - 1],
			     &variables->items[end]))
			count += mbpoll_count(&variables->items[end++]);
		for (size_t n = i; n < end; n++)
			mbpoll_comment(&variables->items[n], out);
		mbpoll_lines(&job->target, values.unit, first, count, out);
		i = end;
	}
	export_values_done(&values);
	return r;
}

int export_mbpoll(const struct pb_export_job *job, FILE *out)
{
	int r = 0;

	export_head(job, "#", "mbpoll", out);
	fputs(".\n", out);
	for (size_t i = 0; r >= 0 && i < job->count; i++)
		r = mbpoll_unit(job, i, out);
	return r;
}
