/* SPDX-License-Identifier: MIT */
#include "export.h"
#include "shown.h"

#include <stdlib.h>
#include <string.h>

int pb_export_values_of(const struct pb_export_job *job, size_t unit, struct pb_export_values *ret)
{
	struct variables *all = &ret->variables;
	size_t kept = 0;
	int r;

	*ret = (struct pb_export_values){.unit = &job->units[unit]};
	r = variables_of(ret->unit->map, all);
	if (r < 0)
		return r;
	for (size_t i = 0; i < all->count; i++)
		if (all->items[i].group & job->groups)
			all->items[kept++] = all->items[i];
	all->count = kept;
	return 0;
}

void pb_export_values_done(struct pb_export_values *values)
{
	variables_done(&values->variables);
}

bool pb_export_is_first(const struct pb_export_job *job, size_t unit)
{
	for (size_t i = 0; i < unit; i++)
		if (job->units[i].map == job->units[unit].map)
			return false;
	return true;
}

const char *pb_export_table(uint8_t tables, const char *holding, const char *input,
			    const char *discrete, const char *coil)
{
	return tables & PB_TABLE_HOLDING    ? holding
	       : tables & PB_TABLE_INPUT    ? input
	       : tables & PB_TABLE_DISCRETE ? discrete
					    : coil;
}

unsigned int pb_export_addr(const struct variable *variable, size_t element)
{
	return variable->row.addr + (unsigned int)element * variable->row.words;
}

int pb_export_decimals(const char *scale)
{
	const char *point = strchr(scale, '.');

	return point ? (int)strlen(point + 1) : 0;
}

void pb_export_comment(const char *text, FILE *out)
{
	pb_cli_put(text, false, out);
}

void pb_export_quoted(const char *text, FILE *out)
{
	const char *end = text + strlen(text);
	char one[4];
	size_t n;

	while ((n = pb_text_next(&text, end, one)) > 0) {
		if (one[0] == '"' || one[0] == '\\')
			fputc('\\', out);
		fwrite(one, 1, n, out);
	}
}

void pb_export_head(const struct pb_export_job *job, const char *comment, const char *format,
		    FILE *out)
{
	for (size_t i = 0; i < job->count; i++) {
		const struct pb_map *map = job->units[i].map;

		if (!pb_export_is_first(job, i))
			continue;
		fprintf(out, "%s ", comment);
		pb_export_comment(pb_map_name(map), out);
		fprintf(out, ", version %d: ", pb_map_version(map));
		pb_export_comment(pb_map_title(map), out);
		fputs(".\n", out);
		if (pb_map_word_count(map))
			fprintf(out,
				"%s Replies of this map are not Modbus: only inverters made for it "
				"can read them.\n",
				comment);
	}
	fprintf(out, "%s Printed by `packbridge map export --format %s`", comment, format);
}

void pb_export_words(const char *name, const char *value, char *out, size_t cap)
{
	size_t at = (size_t)snprintf(out, cap, "%s ", name);

	for (; *value && at + 1 < cap; value++)
		out[at++] = *value;
	if (cap)
		out[at < cap ? at : cap - 1] = '\0';
	for (size_t i = strlen(name); i < at && i < cap; i++)
		if (out[i] == '_')
			out[i] = ' ';
}
