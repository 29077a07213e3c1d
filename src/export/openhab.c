/* SPDX-License-Identifier: MIT */
/*
 * openHAB's Modbus binding: things and items, as text. openHAB reads them from two files; the parts
 * are marked. An endpoint has one unit, so each unit has its own; the binding uses one connection
 * for what has one host and port. Texts are left out: the binding has no type for them.
 */
#include "format.h"

#include <errno.h>
#include <string.h>

static const char *openhab_type(const struct pb_map *map, const struct pb_row_info *row)
{
	bool low = pb_map_low_word_first(map);

	switch (row->type) {
	case PB_ROW_S16:
		return "int16";
	case PB_ROW_U32:
		return low ? "uint32_swap" : "uint32";
	case PB_ROW_S32:
		return low ? "int32_swap" : "int32";
	case PB_ROW_U64:
		return low ? "uint64_swap" : "uint64";
	case PB_ROW_F32:
		return low ? "float32_swap" : "float32";
	case PB_ROW_COIL:
		return "bit";
	case PB_ROW_U16:
	case PB_ROW_STRING:
	case PB_ROW_BITS:
	case PB_ROW_RESERVED:
		break;
	}
	return "uint16";
}

struct openhab_unit {
	const char *unit, *symbol, *dimension;
};

static const struct openhab_unit *openhab_unit(const char *unit)
{
	static const struct openhab_unit units[] = {
		{"V", "V", "ElectricPotential"},
		{"mV", "mV", "ElectricPotential"},
		{"A", "A", "ElectricCurrent"},
		{"mA", "mA", "ElectricCurrent"},
		{"W", "W", "Power"},
		{"mW", "mW", "Power"},
		{"kW", "kW", "Power"},
		{"Wh", "Wh", "Energy"},
		{"kWh", "kWh", "Energy"},
		{"Ah", "Ah", "ElectricCharge"},
		{"mAh", "mAh", "ElectricCharge"},
		{"degC", "°C", "Temperature"},
		{"K", "K", "Temperature"},
		{"%", "%", "Dimensionless"},
		{"s", "s", "Time"},
		{"min", "min", "Time"},
	};

	for (size_t i = 0; i < PB_ARRAY_SIZE(units); i++)
		if (strcmp(units[i].unit, unit) == 0)
			return &units[i];
	return NULL;
}

static bool openhab_shows(const struct variable *variable)
{
	return variable->row.type != PB_ROW_STRING;
}

/* ---- things ---- */

static void openhab_things_of(const struct export_values *values, const struct variable *variable,
			      FILE *out)
{
	char name[VARIABLE_NAME];

	for (size_t n = 0; n < variable->count; n++) {
		variable_element_name(variable, n, name, sizeof(name));
		fprintf(out, "        Thing data %s [ readStart=\"%u\", readValueType=\"%s\" ]\n",
			name, export_addr(variable, n),
			openhab_type(values->unit->map, &variable->row));
	}
}

static void openhab_poller(const struct export_values *values, size_t block, FILE *out)
{
	struct pb_block_info info;
	size_t shown = 0;

	pb_map_block(values->unit->map, block, &info);
	for (size_t i = 0; i < values->variables.count; i++) {
		const struct variable *variable = &values->variables.items[i];

		if (variable->block != block || !openhab_shows(variable))
			continue;
		if (shown++ == 0)
			fprintf(out,
				"    Bridge poller block%zu [ start=%u, length=%u, refresh=5000, "
				"type=\"%s\" ] {\n",
				block, info.addr, info.count,
				export_table(info.tables, "holding", "input", "discrete", "coil"));
		openhab_things_of(values, variable, out);
	}
	if (shown)
		fputs("    }\n", out);
}

static const char *openhab_way(const struct pb_export_target *target)
{
	return target->way == PB_EXPORT_RTU ? "serial" : "tcp";
}

static void openhab_bridge(const struct pb_export_target *target, const struct pb_export_unit *unit,
			   FILE *out)
{
	const struct pb_export_line *line = &target->line;

	fprintf(out, "Bridge modbus:%s:%s_%s \"%s\" [ ", openhab_way(target), target->id, unit->id,
		unit->name);
	if (target->way == PB_EXPORT_RTU)
		fprintf(out,
			"port=\"%s\", id=%u, baud=%u, dataBits=%u, parity=\"%s\", "
			"stopBits=\"%u.0\", encoding=\"rtu\" ] {\n",
			target->host, unit->unit, line->baud, line->data_bits, export_parity(line),
			line->stop_bits);
	else
		fprintf(out, "host=\"%s\", port=%u, id=%u, rtuEncoded=%s ] {\n", target->host,
			target->port, unit->unit, target->way == PB_EXPORT_TCP ? "false" : "true");
}

static void openhab_things(const struct pb_export_job *job, const struct export_values *values,
			   FILE *out)
{
	openhab_bridge(&job->target, values->unit, out);
	for (size_t i = 0; i < pb_map_block_count(values->unit->map); i++)
		openhab_poller(values, i, out);
	fputs("}\n", out);
}

/* ---- items ---- */

/* The profile makes value and unit of the register: (register - offset) * gain. */
static void openhab_profile(const struct pb_row_info *row, const struct openhab_unit *unit,
			    FILE *out)
{
	if (!unit && strcmp(row->scale, "1") == 0 && !row->offset)
		return;
	fprintf(out,
		" [ profile=\"modbus:gainOffset\", gain=\"%s%s%s\", pre-gain-offset=\"%lld\" ]",
		row->scale, unit ? " " : "", unit ? unit->symbol : "", -(long long)row->offset);
}

static void openhab_item(const struct pb_export_job *job, const struct pb_export_unit *unit,
			 const struct variable *variable, size_t element, FILE *out)
{
	const struct pb_row_info *row = &variable->row;
	const struct openhab_unit *shown = openhab_unit(row->unit);
	bool bit = !variable_is_register(variable);
	char value[VARIABLE_NAME], label[PB_EXPORT_NAME + VARIABLE_NAME];

	variable_element_name(variable, element, value, sizeof(value));
	export_words(unit->name, value, label, sizeof(label));
	fprintf(out, "%s%s%s %s_%s \"%s", bit ? "Switch" : "Number", !bit && shown ? ":" : "",
		!bit && shown ? shown->dimension : "", unit->id, value, label);
	if (!bit)
		fprintf(out, " [%%.%df%s]",
			row->type == PB_ROW_F32 ? 3 : export_decimals(row->scale),
			shown ? " %unit%" : "");
	fprintf(out, "\" { channel=\"modbus:data:%s_%s:block%zu:%s:%s\"", job->target.id, unit->id,
		variable->block, value, bit ? "switch" : "number");
	if (!bit)
		openhab_profile(row, shown, out);
	fputs(" }\n", out);
}

static void openhab_items(const struct pb_export_job *job, const struct export_values *values,
			  FILE *out)
{
	for (size_t i = 0; i < values->variables.count; i++) {
		const struct variable *variable = &values->variables.items[i];

		for (size_t n = 0; openhab_shows(variable) && n < variable->count; n++)
			openhab_item(job, values->unit, variable, n, out);
	}
}

static int openhab_part(const struct pb_export_job *job,
			void (*print)(const struct pb_export_job *job,
				      const struct export_values *values, FILE *out),
			FILE *out)
{
	int r = 0;

	for (size_t i = 0; r >= 0 && i < job->count; i++) {
		struct export_values values;

		r = export_values_of(job, i, &values);
		if (r >= 0)
			print(job, &values, out);
		export_values_done(&values);
	}
	return r;
}

/*
 * The binding scales whatever a register has: the integer that means "not available" would be
 * stored as a value. A float's NaN becomes UNDEF.
 */
static bool openhab_mistakes(const struct variable *variable)
{
	return !variable->always && openhab_shows(variable) && variable->row.has_na &&
	       variable->row.type != PB_ROW_F32;
}

static int openhab_check(const struct pb_export_job *job, size_t unit)
{
	const struct pb_map *map = job->units[unit].map;
	struct export_values values;
	bool mistakes = false;
	int r;

	if (pb_map_stale(map) != PB_STALE_NOT_AVAILABLE)
		return 0;
	r = export_values_of(job, unit, &values);
	for (size_t i = 0; r >= 0 && i < values.variables.count; i++)
		mistakes = mistakes || openhab_mistakes(&values.variables.items[i]);
	export_values_done(&values);
	if (r < 0 || !mistakes)
		return r;
	fprintf(stderr,
		"packbridge map: openhab takes 'not available' in integers for values, and unit %u "
		"(%s) shows that for all old data, expected a map without +na, a float map "
		"(packbridge-float+na), or +exception\n",
		job->units[unit].unit, pb_map_name(map));
	return -EINVAL;
}

int export_openhab(const struct pb_export_job *job, FILE *out)
{
	int r = 0;

	for (size_t i = 0; r >= 0 && i < job->count; i++)
		r = openhab_check(job, i);
	if (r < 0)
		return r;
	export_head(job, "//", "openhab", out);
	fputs(".\n\n// ---- up to the next line of this kind: things/packbridge.things ----\n",
	      out);
	r = openhab_part(job, openhab_things, out);
	if (r < 0)
		return r;
	fputs("\n// ---- from here on: items/packbridge.items ----\n", out);
	return openhab_part(job, openhab_items, out);
}
