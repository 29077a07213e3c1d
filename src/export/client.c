/* SPDX-License-Identifier: MIT */
/* What configurations of clients have in common: the values of a unit, and where they stand. */
#include "format.h"

#include <string.h>

bool pb_export_is_first(const struct pb_export_job *job, size_t unit)
{
	for (size_t i = 0; i < unit; i++)
		if (job->units[i].map == job->units[unit].map)
			return false;
	return true;
}

int export_values_of(const struct pb_export_job *job, size_t unit, struct export_values *ret)
{
	struct variables *all = &ret->variables;
	size_t kept = 0;
	int r;

	*ret = (struct export_values){.unit = &job->units[unit]};
	r = variables_of(ret->unit->map, all);
	if (r < 0)
		return r;
	for (size_t i = 0; i < all->count; i++)
		if (all->items[i].group & job->groups)
			all->items[kept++] = all->items[i];
	all->count = kept;
	return 0;
}

void export_values_done(struct export_values *values)
{
	variables_done(&values->variables);
}

const char *export_table(uint8_t tables, const char *holding, const char *input,
			 const char *discrete, const char *coil)
{
	return tables & PB_TABLE_HOLDING    ? holding
	       : tables & PB_TABLE_INPUT    ? input
	       : tables & PB_TABLE_DISCRETE ? discrete
					    : coil;
}

unsigned int export_addr(const struct variable *variable, size_t element)
{
	return variable->row.addr + (unsigned int)element * variable->row.words;
}

int export_decimals(const char *scale)
{
	const char *point = strchr(scale, '.');

	return point ? (int)strlen(point + 1) : 0;
}

const char *export_parity(const struct pb_export_line *line)
{
	return line->parity == 'E' ? "even" : line->parity == 'O' ? "odd" : "none";
}

void export_head(const struct pb_export_job *job, const char *comment, const char *format,
		 FILE *out)
{
	for (size_t i = 0; i < job->count; i++) {
		const struct pb_map *map = job->units[i].map;

		if (!pb_export_is_first(job, i))
			continue;
		fprintf(out, "%s ", comment);
		export_comment(pb_map_name(map), out);
		fprintf(out, ", version %d: ", pb_map_version(map));
		export_comment(pb_map_title(map), out);
		fputs(".\n", out);
		if (pb_map_word_count(map))
			fprintf(out,
				"%s Replies of this map are not Modbus: only inverters made for it "
				"can read them.\n",
				comment);
	}
	fprintf(out, "%s Printed by `packbridge map export --format %s`", comment, format);
}
