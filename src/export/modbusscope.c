/* SPDX-License-Identifier: MIT */
/*
 * A ModbusScope project of level 4, which has three connections at most.
 */
#include "format.h"

#include <string.h>

static void scope_register(const struct pb_export_job *job, size_t unit,
			   const struct variable *variable, size_t element, size_t number,
			   FILE *out)
{
	static const char *const colors[] = {"#1f77b4", "#ff7f0e", "#2ca02c", "#d62728",
					     "#9467bd", "#8c564b", "#e377c2", "#17becf"};
	static const char *const types[] = {
		[PB_ROW_U16] = "",	[PB_ROW_S16] = ":s16b", [PB_ROW_U32] = ":32b",
		[PB_ROW_S32] = ":s32b", [PB_ROW_F32] = ":f32b", [PB_ROW_STRING] = "",
		[PB_ROW_BITS] = "",	[PB_ROW_COIL] = "",	[PB_ROW_RESERVED] = "",
		[PB_ROW_U64] = "",
	};
	const struct pb_row_info *row = &variable->row;
	char value[VARIABLE_NAME], name[PB_EXPORT_NAME + VARIABLE_NAME], place[32] = "";

	variable_element_name(variable, element, value, sizeof(value));
	export_words(job->units[unit].name, value, name, sizeof(name));
	if (job->count > 1)
		snprintf(place, sizeof(place), "@%zu", unit + 1);
	fprintf(out, "  <register active=\"true\">\n   <text>%s%s%s</text>\n", name,
		*row->unit ? ", " : "", row->unit);
	fputs("   <expression><![CDATA[", out);
	if (row->offset)
		fputc('(', out);
	fprintf(out, "${%s%u%s%s}", export_table(row->tables, "h", "i", "d", "c"),
		export_addr(variable, element), place, types[row->type]);
	if (row->offset)
		fprintf(out, " - %lld)", (long long)row->offset);
	if (strcmp(row->scale, "1") != 0)
		fprintf(out, " * %s", row->scale);
	fprintf(out, "]]></expression>\n   <color>%s</color>\n   <valueaxis>0</valueaxis>\n",
		colors[number % PB_ARRAY_SIZE(colors)]);
	fputs("  </register>\n", out);
}

static void scope_connection(const struct pb_export_target *target,
			     const struct pb_export_unit *unit, size_t index, FILE *out)
{
	const struct pb_export_line *line = &target->line;

	fprintf(out,
		"  <connection>\n   <enabled>true</enabled>\n   <connectionid>%zu</connectionid>\n",
		index);
	if (target->way == PB_EXPORT_RTU)
		fprintf(out,
			"   <type>serial</type>\n   <portname>%s</portname>\n"
			"   <baudrate>%u</baudrate>\n   <parity>%d</parity>\n"
			"   <stopbits>%u</stopbits>\n   <databits>%u</databits>\n",
			target->host, line->baud,
			line->parity == 'E'   ? 2
			: line->parity == 'O' ? 3
					      : 0,
			line->stop_bits, line->data_bits);
	else
		fprintf(out, "   <type>tcp</type>\n   <ip>%s</ip>\n   <port>%u</port>\n",
			target->host, target->port);
	fprintf(out,
		"   <slaveid>%u</slaveid>\n   <timeout>1000</timeout>\n"
		"   <consecutivemax>120</consecutivemax>\n"
		"   <int32littleendian>%s</int32littleendian>\n"
		"   <persistentconnection>true</persistentconnection>\n  </connection>\n",
		unit->unit, pb_map_low_word_first(unit->map) ? "true" : "false");
}

static int scope_unit(const struct pb_export_job *job, size_t unit, size_t *number, FILE *out)
{
	struct export_values values;
	int r = export_values_of(job, unit, &values);

	for (size_t i = 0; r >= 0 && i < values.variables.count; i++) {
		const struct variable *variable = &values.variables.items[i];

		if (!variable_is_register(variable) || !variable_is_number(variable) ||
		    variable->row.type == PB_ROW_U64) /* it has none of 64 bits */
			continue;
		for (size_t n = 0; n < variable->count; n++)
			scope_register(job, unit, variable, n, (*number)++, out);
	}
	export_values_done(&values);
	return r;
}

int export_modbusscope(const struct pb_export_job *job, FILE *out)
{
	size_t number = 0;
	int r = 0;

	fputs("<?xml version=\"1.0\"?>\n<modbusscope datalevel=\"4\">\n <modbus>\n", out);
	for (size_t i = 0; i < job->count; i++)
		scope_connection(&job->target, &job->units[i], i, out);
	fputs("  <log>\n   <polltime>1000</polltime>\n   <absolutetimes>false</absolutetimes>\n"
	      "   <logtofile enabled=\"false\"/>\n  </log>\n </modbus>\n <scope>\n",
	      out);
	for (size_t i = 0; r >= 0 && i < job->count; i++)
		r = scope_unit(job, i, &number, out);
	fputs(" </scope>\n</modbusscope>\n", out);
	return r;
}
