/* SPDX-License-Identifier: MIT */
/*
 * The settings of an instance of ioBroker.modbus, as its administration loads them from a file.
 *
 * The adapter joins neighbours into one request, and an exception is for all of it. So what can
 * always be read is asked for as input registers and coils, and the rest as holding registers and
 * discrete inputs: quality and age stay current while the pack is silent. What is not available is
 * null.
 */
#include "format.h"

#include <errno.h>
#include <jansson.h>
#include <string.h>

static const char *iobroker_type(const struct pb_map *map, const struct pb_row_info *row)
{
	bool low = pb_map_low_word_first(map);

	switch (row->type) {
	case PB_ROW_S16:
		return "int16be";
	case PB_ROW_U32:
		return low ? "uint32sw" : "uint32be";
	case PB_ROW_S32:
		return low ? "int32sw" : "int32be";
	case PB_ROW_U64:
		return "uint64be";
	case PB_ROW_F32:
		return low ? "floatsw" : "floatbe";
	case PB_ROW_STRING:
		return "string";
	case PB_ROW_U16:
	case PB_ROW_BITS:
	case PB_ROW_COIL:
	case PB_ROW_RESERVED:
		break;
	}
	return "uint16be";
}

static const char *iobroker_role(const struct variable *variable)
{
	static const struct {
		const char *unit, *role;
	} roles[] = {
		{"V", "value.voltage"},	 {"mV", "value.voltage"}, {"A", "value.current"},
		{"mA", "value.current"}, {"W", "value.power"},	  {"degC", "value.temperature"},
	};

	if (!variable_is_register(variable))
		return "indicator";
	if (variable->row.type == PB_ROW_STRING)
		return "text";
	for (size_t i = 0; i < PB_ARRAY_SIZE(roles); i++)
		if (strcmp(roles[i].unit, variable->row.unit) == 0)
			return roles[i].role;
	return "value";
}

/* "x === 65535 ? null : (x - 400) * 0.1"; "" where the register is the value. */
static void iobroker_formula(const struct variable *variable, char *out, size_t cap)
{
	const struct pb_row_info *row = &variable->row;
	char value[64] = "x", missing[64] = "", na[32];

	export_na_number(row, na, sizeof(na));
	if (row->type == PB_ROW_F32)
		snprintf(missing, sizeof(missing), "isNaN(x) ? null : ");
	else if (row->has_na)
		snprintf(missing, sizeof(missing), "x === %s ? null : ", na);
	if (row->offset)
		snprintf(value, sizeof(value), "(x - %lld)", (long long)row->offset);
	if (*missing || row->offset || strcmp(row->scale, "1") != 0)
		snprintf(out, cap, "%s%s * %s", missing, value, row->scale);
	else
		snprintf(out, cap, "%s", "");
}

static json_t *iobroker_bit(const struct pb_export_unit *unit, const struct variable *variable,
			    const char *addr, const char *name)
{
	return json_pack("{s:s, s:i, s:s, s:s, s:s, s:s, s:b}", "_address", addr, "deviceId",
			 (int)unit->unit, "name", name, "description", variable->row.description,
			 "formula", "", "role", iobroker_role(variable), "poll", 1);
}

static json_t *iobroker_register(const struct pb_export_unit *unit, const struct variable *variable,
				 const char *addr, const char *name)
{
	const struct pb_row_info *row = &variable->row;
	char formula[160] = "";

	if (row->type != PB_ROW_STRING)
		iobroker_formula(variable, formula, sizeof(formula));
	return json_pack("{s:s, s:i, s:s, s:s, s:s, s:s, s:i, s:i, s:i, s:s, s:s, s:b}", "_address",
			 addr, "deviceId", (int)unit->unit, "name", name, "description",
			 row->description, "unit",
			 strcmp(row->unit, "degC") == 0 ? "°C" : row->unit, "type",
			 iobroker_type(unit->map, row), "len", row->words, "factor", 1, "offset", 0,
			 "formula", formula, "role", iobroker_role(variable), "poll", 1);
}

/* The list of the settings that a value goes into. */
static const char *iobroker_list(const struct variable *variable)
{
	uint8_t tables = variable->row.tables;

	if (variable->always && tables & PB_TABLE_INPUT)
		return "inputRegs";
	if (variable->always && tables & PB_TABLE_COIL)
		return "coils";
	return export_table(tables, "holdingRegs", "inputRegs", "disInputs", "coils");
}

static int iobroker_unit(const struct pb_export_job *job, size_t unit, json_t *settings)
{
	struct export_values values;
	int r = export_values_of(job, unit, &values);

	for (size_t i = 0; r >= 0 && i < values.variables.count; i++) {
		const struct variable *variable = &values.variables.items[i];
		bool bit = !variable_is_register(variable);

		/* of the orders of 64 bits it has not that one */
		if (variable->row.type == PB_ROW_U64 && pb_map_low_word_first(values.unit->map))
			continue;
		for (size_t n = 0; n < variable->count; n++) {
			char value[VARIABLE_NAME], name[PB_EXPORT_NAME + VARIABLE_NAME], addr[16];

			variable_element_name(variable, n, value, sizeof(value));
			snprintf(name, sizeof(name), "%s_%s", values.unit->id, value);
			snprintf(addr, sizeof(addr), "%u", export_addr(variable, n));
			json_array_append_new(json_object_get(settings, iobroker_list(variable)),
					      (bit ? iobroker_bit : iobroker_register)(
						      values.unit, variable, addr, name));
		}
	}
	export_values_done(&values);
	return r;
}

static json_t *iobroker_line(const struct pb_export_target *target)
{
	const struct pb_export_line *line = &target->line;

	return json_pack("{s:s, s:s, s:i, s:i, s:i, s:s}", "type", "serial", "comName",
			 target->host, "baudRate", (int)line->baud, "dataBits", line->data_bits,
			 "stopBits", line->stop_bits, "parity", export_parity(line));
}

static json_t *iobroker_socket(const struct pb_export_target *target)
{
	char port[16];

	snprintf(port, sizeof(port), "%u", target->port);
	return json_pack("{s:s, s:s, s:s}", "type", target->way == PB_EXPORT_TCP ? "tcp" : "tcprtu",
			 "host", target->host, "port", port);
}

static json_t *iobroker_params(const struct pb_export_job *job)
{
	json_t *params = job->target.way == PB_EXPORT_RTU ? iobroker_line(&job->target)
							  : iobroker_socket(&job->target);

	json_object_update_new(
		params,
		json_pack("{s:s, s:i, s:b, s:b, s:b, s:s, s:s, s:s, s:s, s:i, s:i, s:i, s:i, s:i, "
			  "s:i, s:b, s:b}",
			  "slave", "0", "deviceId", (int)job->units[0].unit, "multiDeviceId", 1,
			  "showAliases", 0, "directAddresses", 1, "disInputsOffset", "0",
			  "coilsOffset", "0", "inputRegsOffset", "0", "holdingRegsOffset", "0",
			  "timeout", 5000, "poll", 5000, "recon", 10000, "maxBlock", 100, "maxGap",
			  0, "round", 3, "doNotIncludeAdrInId", 1, "doNotRoundAddressToWord", 1));
	return params;
}

int export_iobroker(const struct pb_export_job *job, FILE *out)
{
	json_t *settings =
		json_pack("{s:o, s:[], s:[], s:[], s:[]}", "params", iobroker_params(job),
			  "disInputs", "coils", "inputRegs", "holdingRegs");
	int r = settings ? 0 : -ENOMEM;

	for (size_t i = 0; r >= 0 && i < job->count; i++)
		r = iobroker_unit(job, i, settings);
	if (r >= 0 && json_dumpf(settings, out, JSON_INDENT(1)) < 0)
		r = -EIO;
	fputc('\n', out);
	json_decref(settings);
	return r;
}
