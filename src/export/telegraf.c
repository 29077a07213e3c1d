/* SPDX-License-Identifier: MIT */
/*
 * Telegraf's inputs.modbus in the request style, valid for releases before 1.37, too: they take no
 * comment within an array. Texts are left out, which releases before 1.29 do not know; the name is
 * a tag anyway.
 *
 * A plugin stops reading a unit at the first exception. So the blocks that can always be read have
 * their own plugin section. A processor drops the values that mean "not available", and puts right
 * what has an offset: the plugin can do neither.
 */
#include "format.h"

#include <stdlib.h>
#include <string.h>

static const char *telegraf_type(const struct pb_row_info *row)
{
	static const char *const types[] = {
		[PB_ROW_U16] = "UINT16",  [PB_ROW_S16] = "INT16",   [PB_ROW_U32] = "UINT32",
		[PB_ROW_S32] = "INT32",	  [PB_ROW_F32] = "FLOAT32", [PB_ROW_STRING] = "",
		[PB_ROW_BITS] = "UINT16", [PB_ROW_COIL] = "",	    [PB_ROW_RESERVED] = "",
		[PB_ROW_U64] = "UINT64",
	};

	return types[row->type];
}

/* InfluxDB has tags of these names beside the fields: one can't be asked for then. */
static void telegraf_name(const struct variable *variable, size_t element, char *out, size_t cap)
{
	static const char *const taken[] = {"name", "type", "slave_id", "host", "time"};
	char name[VARIABLE_NAME];

	variable_element_name(variable, element, name, sizeof(name));
	for (size_t i = 0; i < PB_ARRAY_SIZE(taken); i++)
		if (strcmp(taken[i], name) == 0) {
			snprintf(out, cap, "battery_%s", name);
			return;
		}
	snprintf(out, cap, "%s", name);
}

static void telegraf_field(const struct variable *variable, size_t element, FILE *out)
{
	const struct pb_row_info *row = &variable->row;
	char name[VARIABLE_NAME + 16], scale[32];

	telegraf_name(variable, element, name, sizeof(name));
	fprintf(out, "      { address=%u, name=\"%s\"", export_addr(variable, element), name);
	if (row->type != PB_ROW_COIL)
		fprintf(out, ", type=\"%s\"", telegraf_type(row));
	if (variable_is_real(variable) && row->type != PB_ROW_F32) {
		snprintf(scale, sizeof(scale), "%s%s", row->scale,
			 strchr(row->scale, '.') ? "" : ".0");
		fprintf(out, ", scale=%s, output=\"FLOAT64\"", scale);
	}
	fputs(" },\n", out);
}

static bool telegraf_shows(const struct variable *variable)
{
	return variable->row.type != PB_ROW_STRING;
}

static void telegraf_request(const struct pb_export_unit *unit, const struct pb_block_info *info,
			     FILE *out)
{
	fputs("\n  # ", out);
	export_comment(info->name, out);
	fprintf(out,
		"\n  [[inputs.modbus.request]]\n    slave_id = %u\n    byte_order = \"%s\"\n"
		"    register = \"%s\"\n    measurement = \"",
		unit->unit, pb_map_low_word_first(unit->map) ? "CDAB" : "ABCD",
		export_table(info->tables, "holding", "input", "discrete", "coil"));
	export_quoted(pb_map_name(unit->map), out);
	fputs("\"\n    fields = [\n", out);
}

static void telegraf_block(const struct export_values *values, size_t block, FILE *out)
{
	struct pb_block_info info;
	size_t shown = 0;

	pb_map_block(values->unit->map, block, &info);
	for (size_t i = 0; i < values->variables.count; i++) {
		const struct variable *variable = &values->variables.items[i];

		if (variable->block != block || !telegraf_shows(variable))
			continue;
		if (shown++ == 0)
			telegraf_request(values->unit, &info, out);
		for (size_t n = 0; n < variable->count; n++)
			telegraf_field(variable, n, out);
	}
	if (shown)
		fputs("    ]\n", out);
}

static bool telegraf_has(const struct export_values *values, bool always)
{
	for (size_t i = 0; i < values->variables.count; i++)
		if (values->variables.items[i].always == always &&
		    telegraf_shows(&values->variables.items[i]))
			return true;
	return false;
}

static void telegraf_plugin(const struct pb_export_target *target,
			    const struct export_values *values, bool always, FILE *out)
{
	const struct pb_export_line *line = &target->line;
	struct pb_block_info info;

	if (!telegraf_has(values, always))
		return;
	fprintf(out, "\n# %s%s\n[[inputs.modbus]]\n  name = \"%s\"\n", values->unit->name,
		always ? ", what can always be read" : "", values->unit->name);
	if (target->way == PB_EXPORT_RTU)
		fprintf(out,
			"  controller = \"file://%s\"\n  baud_rate = %u\n  data_bits = %u\n"
			"  parity = \"%c\"\n  stop_bits = %u\n  transmission_mode = \"RTU\"\n",
			target->host, line->baud, line->data_bits, line->parity, line->stop_bits);
	else
		fprintf(out, "  controller = \"tcp://%s\"\n%s", target->url,
			target->way == PB_EXPORT_TCP ? ""
						     : "  transmission_mode = \"RTUoverTCP\"\n");
	fputs("  configuration_type = \"request\"\n", out);
	for (size_t i = 0; i < pb_map_block_count(values->unit->map); i++) {
		pb_map_block(values->unit->map, i, &info);
		if (info.always == always)
			telegraf_block(values, i, out);
	}
}

/* ---- what the plugin can't do ---- */

static double telegraf_scale(const struct variable *variable)
{
	return variable_is_real(variable) ? strtod(variable->row.scale, NULL) : 1;
}

static bool is_missing_known(const struct variable *variable)
{
	return variable->row.has_na && variable->row.type != PB_ROW_F32;
}

static bool has_offset(const struct variable *variable)
{
	return variable->row.offset != 0;
}

/* name: (number that means "not available", half a step) */
static void telegraf_missing(const struct variable *variable, const char *name, FILE *out)
{
	double scale = telegraf_scale(variable);
	double na = variable->row.type == PB_ROW_U64 ? (double)(uint64_t)variable->row.na
						     : (double)variable->row.na;

	fprintf(out, "  \"%s\": (%.12g, %.12g),\n", name, na * scale,
		(scale < 0 ? -scale : scale) / 2);
}

static void telegraf_shift(const struct variable *variable, const char *name, FILE *out)
{
	fprintf(out, "  \"%s\": %.12g,\n", name,
		-(double)variable->row.offset * telegraf_scale(variable));
}

static size_t
telegraf_table(const struct export_values *values, bool (*wants)(const struct variable *variable),
	       void (*print)(const struct variable *variable, const char *name, FILE *out),
	       FILE *out)
{
	size_t count = 0;

	for (size_t i = 0; i < values->variables.count; i++) {
		const struct variable *variable = &values->variables.items[i];

		for (size_t n = 0; wants(variable) && n < variable->count; n++, count++) {
			char name[VARIABLE_NAME + 16];

			telegraf_name(variable, n, name, sizeof(name));
			if (print)
				print(variable, name, out);
		}
	}
	return count;
}

/* Of one map, once: it looks at all measurements of that name. */
static void telegraf_processor(const struct export_values *values, FILE *out)
{
	if (telegraf_table(values, is_missing_known, NULL, NULL) +
		    telegraf_table(values, has_offset, NULL, NULL) ==
	    0)
		return;
	fputs("\n# what the battery does not report is dropped\n[[processors.starlark]]\n"
	      "  namepass = [\"",
	      out);
	export_quoted(pb_map_name(values->unit->map), out);
	fputs("\"]\n  source = '''\nmissing = {\n", out);
	telegraf_table(values, is_missing_known, telegraf_missing, out);
	fputs("}\nshift = {\n", out);
	telegraf_table(values, has_offset, telegraf_shift, out);
	fputs("}\n\ndef apply(metric):\n"
	      "  for name, value in metric.fields.items():\n"
	      "    number, width = missing.get(name, (0, 0))\n"
	      "    if width != 0 and value > number - width and value < number + width:\n"
	      "      metric.fields.pop(name)\n"
	      "    elif name in shift:\n"
	      "      metric.fields[name] = value + shift[name]\n"
	      "  return metric\n'''\n",
	      out);
}

int export_telegraf(const struct pb_export_job *job, FILE *out)
{
	int r = 0;

	export_head(job, "#", "telegraf", out);
	fputs(".\n", out);
	for (size_t i = 0; r >= 0 && i < job->count; i++) {
		struct export_values values;

		r = export_values_of(job, i, &values);
		if (r >= 0) {
			telegraf_plugin(&job->target, &values, true, out);
			telegraf_plugin(&job->target, &values, false, out);
			if (pb_export_is_first(job, i))
				telegraf_processor(&values, out);
		}
		export_values_done(&values);
	}
	return r;
}
