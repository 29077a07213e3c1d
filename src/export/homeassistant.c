/* SPDX-License-Identifier: MIT */
/*
 * Home Assistant's modbus integration. One hub has all units: of two hubs with one host and port,
 * it loads the first only. Names and unique ids must differ over all of its entities.
 *
 * What can be asked for as a coil is a switch. Its state is read back from that coil, so it shows
 * what packbridge holds to be asked for: it goes off when the lease ends. What the pack does is
 * told by the FETs and by the control state, which are entities of their own.
 *
 * Texts are left out: they end in NULs, which PostgreSQL's recorders refuse, all of a batch. For
 * the reasons there are numbers.
 */
#include "format.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static const char *ha_type(const struct pb_row_info *row)
{
	static const char *const types[] = {
		[PB_ROW_U16] = "uint16",  [PB_ROW_S16] = "int16",   [PB_ROW_U32] = "uint32",
		[PB_ROW_S32] = "int32",	  [PB_ROW_F32] = "float32", [PB_ROW_STRING] = "string",
		[PB_ROW_BITS] = "uint16", [PB_ROW_COIL] = "uint16", [PB_ROW_RESERVED] = "uint16",
		[PB_ROW_U64] = "uint64",
	};

	return types[row->type];
}

struct ha_kind {
	const char *unit, *shown, *device_class, *state_class;
};

static const struct ha_kind ha_kinds[] = {
	{"V", "V", "voltage", "measurement"},
	{"mV", "mV", "voltage", "measurement"},
	{"A", "A", "current", "measurement"},
	{"mA", "mA", "current", "measurement"},
	{"W", "W", "power", "measurement"},
	{"mW", "mW", NULL, "measurement"},
	{"kW", "kW", "power", "measurement"},
	{"Wh", "Wh", NULL, "measurement"},
	{"kWh", "kWh", NULL, "measurement"},
	{"degC", "°C", "temperature", "measurement"},
	{"K", "K", "temperature", "measurement"},
	{"dBm", "dBm", "signal_strength", "measurement"},
	{"s", "s", "duration", NULL},
	{"min", "min", "duration", NULL},
	{"Ah", "Ah", NULL, "measurement"},
	{"mAh", "mAh", NULL, "measurement"},
	{"%", "%", NULL, "measurement"},
};

/* What the energy dashboard takes as it is. Of charge there is no class. */
static bool ha_total(const struct pb_row_info *row, FILE *out)
{
	if (!row->field || !row->field->total || row->field->uom == PB_UOM_S)
		return false;
	if (*row->unit)
		fprintf(out, "        unit_of_measurement: \"%s\"\n", row->unit);
	if (row->field->uom == PB_UOM_MWH)
		fputs("        device_class: energy\n", out);
	fputs("        state_class: total_increasing\n", out);
	return true;
}

static void ha_unit(const struct pb_row_info *row, FILE *out)
{
	bool charge = row->field && strncmp(row->field->name, "soc_p", 5) == 0;

	for (size_t i = 0; i < PB_ARRAY_SIZE(ha_kinds); i++) {
		const struct ha_kind *kind = &ha_kinds[i];

		if (strcmp(kind->unit, row->unit) != 0)
			continue;
		fprintf(out, "        unit_of_measurement: \"%s\"\n", kind->shown);
		if (charge)
			fputs("        device_class: battery\n", out);
		else if (kind->device_class)
			fprintf(out, "        device_class: %s\n", kind->device_class);
		if (kind->state_class)
			fprintf(out, "        state_class: %s\n", kind->state_class);
		return;
	}
}

static void ha_number(const struct pb_map *map, const struct pb_row_info *row, FILE *out)
{
	double scale = strtod(row->scale, NULL);
	char na[32];

	if (strcmp(row->scale, "1") != 0)
		fprintf(out, "        scale: %s\n", row->scale);
	if (row->offset)
		fprintf(out, "        offset: %.6g\n", -(double)row->offset * scale);
	if (row->type == PB_ROW_F32)
		fputs("        precision: 3\n", out);
	else if (export_decimals(row->scale))
		fprintf(out, "        precision: %d\n", export_decimals(row->scale));
	if (row->words > 1 && pb_map_low_word_first(map))
		fputs("        swap: word\n", out);
	export_na_number(row, na, sizeof(na));
	if (*na && row->type != PB_ROW_F32)
		fprintf(out, "        nan_value: %s\n", na);
	if (!ha_total(row, out))
		ha_unit(row, out);
}

enum ha_list { HA_SENSORS, HA_BINARY_SENSORS, HA_SWITCHES, HA_LISTS };

static const char *const ha_keys[HA_LISTS] = {"sensors", "binary_sensors", "switches"};

static bool is_switch(const struct variable *variable)
{
	return variable->row.control && (variable->row.tables & PB_TABLE_COIL);
}

static void ha_switch(const struct variable *variable, unsigned int addr, FILE *out)
{
	fprintf(out,
		"        write_type: coil\n        command_on: 1\n        command_off: 0\n"
		"        verify:\n          input_type: %s\n          address: %u\n",
		variable->row.tables & PB_TABLE_DISCRETE ? "discrete_input" : "coil", addr);
}

static void ha_entity(const struct pb_export_job *job, const struct pb_export_unit *unit,
		      const struct variable *variable, size_t element, FILE *out)
{
	unsigned int addr = export_addr(variable, element);
	bool bit = !variable_is_register(variable);
	char value[VARIABLE_NAME], name[PB_EXPORT_NAME + VARIABLE_NAME];

	variable_element_name(variable, element, value, sizeof(value));
	export_words(unit->name, value, name, sizeof(name));
	fputs("      - name: \"", out);
	export_quoted(name, out);
	fprintf(out,
		"\"\n        unique_id: packbridge_%s_unit_%u_%s%u\n        slave: %u\n"
		"        address: %u\n",
		job->target.id, unit->unit, bit ? "bit_" : "", addr, unit->unit, addr);
	if (is_switch(variable)) {
		ha_switch(variable, addr, out);
		return;
	}
	fprintf(out, "        input_type: %s\n",
		export_table(variable->row.tables, "holding", "input", "discrete_input", "coil"));
	if (bit)
		return;
	fprintf(out, "        data_type: %s\n", ha_type(&variable->row));
	ha_number(unit->map, &variable->row, out);
}

/* A switch is a binary sensor where the map has it as a bit, too. */
static bool has_bit(const struct variables *variables, const struct pb_row_info *row)
{
	if (!row->field || row->field->kind != PB_KIND_BOOL)
		return false;
	for (size_t i = 0; i < variables->count; i++)
		if (!variable_is_register(&variables->items[i]) &&
		    variables->items[i].row.field == row->field)
			return true;
	return false;
}

static bool ha_shows(const struct variables *variables, const struct variable *variable,
		     enum ha_list list)
{
	if (is_switch(variable))
		return list == HA_SWITCHES;
	if (!variable_is_register(variable))
		return list == HA_BINARY_SENSORS;
	return list == HA_SENSORS && variable->row.type != PB_ROW_STRING &&
	       !has_bit(variables, &variable->row);
}

static int ha_entities(const struct pb_export_job *job, size_t unit, enum ha_list list, FILE *out)
{
	struct export_values values;
	int r = export_values_of(job, unit, &values);

	for (size_t i = 0; r >= 0 && i < values.variables.count; i++) {
		const struct variable *variable = &values.variables.items[i];

		if (!ha_shows(&values.variables, variable, list))
			continue;
		for (size_t n = 0; n < variable->count; n++)
			ha_entity(job, values.unit, variable, n, out);
	}
	export_values_done(&values);
	return r;
}

/* An empty list is refused, so the key comes with the first entity. */
static int ha_print(const struct pb_export_job *job, enum ha_list list, FILE *out)
{
	char *text = NULL;
	size_t len = 0;
	FILE *memory = open_memstream(&text, &len);
	int r = memory ? 0 : -ENOMEM;

	for (size_t i = 0; r >= 0 && i < job->count; i++)
		r = ha_entities(job, i, list, memory);
	if (memory)
		fclose(memory);
	if (r >= 0 && len > 0)
		fprintf(out, "    %s:\n%s", ha_keys[list], text);
	free(text);
	return r;
}

static void ha_hub(const struct pb_export_target *target, FILE *out)
{
	const struct pb_export_line *line = &target->line;

	fprintf(out, "modbus:\n  - name: packbridge_%s\n", target->id);
	if (target->way == PB_EXPORT_RTU)
		fprintf(out,
			"    type: serial\n    method: rtu\n    port: \"%s\"\n    baudrate: %u\n"
			"    bytesize: %u\n    parity: %c\n    stopbits: %u\n",
			target->host, line->baud, line->data_bits, line->parity, line->stop_bits);
	else
		fprintf(out, "    type: %s\n    host: \"%s\"\n    port: %u\n",
			target->way == PB_EXPORT_TCP ? "tcp" : "rtuovertcp", target->host,
			target->port);
}

int export_homeassistant(const struct pb_export_job *job, FILE *out)
{
	int r = 0;

	export_head(job, "#", "homeassistant", out);
	fputs("; goes into\n"
	      "# configuration.yaml, in place of an earlier one: Home Assistant takes one hub for "
	      "a "
	      "host and port.\n"
	      "# Each entity is a request. More of them: --with cells, alarms, diagnostics, "
	      "control "
	      "or all.\n",
	      out);
	if (job->groups & PB_EXPORT_CONTROL)
		fputs("# Switches need control: of the pack and write: of the listener in the "
		      "configuration of\n"
		      "# packbridge; else they are refused. A switch shows what is asked for, and "
		      "goes off when the\n"
		      "# lease ends, so an automation has to turn it on again before. What the "
		      "pack "
		      "does: control\n"
		      "# state, charge fet and discharge fet.\n",
		      out);
	ha_hub(&job->target, out);
	for (int list = 0; r >= 0 && list < HA_LISTS; list++)
		r = ha_print(job, (enum ha_list)list, out);
	return r;
}
