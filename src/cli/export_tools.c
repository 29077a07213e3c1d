/* SPDX-License-Identifier: MIT */
/*
 * Configurations of programs that read Modbus: Home Assistant, Telegraf, Node-RED, ModbusScope, and
 * command lines of mbpoll.
 */
#include "export.h"
#include "shown.h"
#include "variables.h"

#include <errno.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

/* Of a pair of tables, the one that every client can read. */
static bool holding(const struct pb_row_info *row)
{
	return row->tables & PB_TABLE_HOLDING;
}

/* What a client calls the table that it reads a block from. */
static const char *table_name(uint8_t tables, const char *holding, const char *input,
			      const char *discrete, const char *coil)
{
	return tables & PB_TABLE_HOLDING    ? holding
	       : tables & PB_TABLE_INPUT    ? input
	       : tables & PB_TABLE_DISCRETE ? discrete
					    : coil;
}

static int decimals_of(const char *scale)
{
	const char *point = strchr(scale, '.');

	return point ? (int)strlen(point + 1) : 0;
}

static unsigned int element_addr(const struct variable *variable, size_t element)
{
	return variable->row.addr + (unsigned int)element * variable->row.words;
}

/* ---- texts of the map, in what these programs read ---- */

/* Behind '#', up to the end of the line: YAML, TOML, shell. */
static void hash_comment(const char *text, FILE *out)
{
	pb_cli_put(text, false, out);
}

/* Between double quotes: YAML and TOML have these two escapes in common. */
static void quoted(const char *text, FILE *out)
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

/* "# NAME, version 1: TITLE." and who printed it, without the end of that line */
static void hash_head(const struct pb_map *map, const char *format, FILE *out)
{
	fputs("# ", out);
	hash_comment(pb_map_name(map), out);
	fprintf(out, ", version %d: ", pb_map_version(map));
	hash_comment(pb_map_title(map), out);
	fputs(".\n# Printed by `packbridge map export ", out);
	hash_comment(pb_map_name(map), out);
	fprintf(out, " --format %s`", format);
}

static void not_modbus(const struct pb_map *map, const char *comment, FILE *out)
{
	if (pb_map_word_count(map))
		fprintf(out,
			"%s Replies of this map are not Modbus: only inverters made for it can "
			"read "
			"them.\n",
			comment);
}

/* ---- Home Assistant ---- */

static const char *ha_type(const struct pb_row_info *row)
{
	static const char *const types[] = {
		[PB_ROW_U16] = "uint16",  [PB_ROW_S16] = "int16",   [PB_ROW_U32] = "uint32",
		[PB_ROW_S32] = "int32",	  [PB_ROW_F32] = "float32", [PB_ROW_STRING] = "string",
		[PB_ROW_BITS] = "uint16", [PB_ROW_COIL] = "uint16", [PB_ROW_RESERVED] = "uint16",
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
	{"degC", "°C", "temperature", "measurement"},
	{"K", "K", "temperature", "measurement"},
	{"dBm", "dBm", "signal_strength", "measurement"},
	{"s", "s", "duration", NULL},
	{"min", "min", "duration", NULL},
	{"Ah", "Ah", NULL, "measurement"},
	{"mAh", "mAh", NULL, "measurement"},
	{"%", "%", NULL, "measurement"},
};

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

	if (strcmp(row->scale, "1") != 0)
		fprintf(out, "        scale: %s\n", row->scale);
	if (row->offset)
		fprintf(out, "        offset: %.6g\n", -(double)row->offset * scale);
	if (row->type == PB_ROW_F32)
		fputs("        precision: 3\n", out);
	else if (decimals_of(row->scale))
		fprintf(out, "        precision: %d\n", decimals_of(row->scale));
	if (row->words == 2 && pb_map_low_word_first(map))
		fputs("        swap: word\n", out);
	if (row->has_na && row->type != PB_ROW_F32)
		fprintf(out, "        nan_value: %lld\n", (long long)row->na);
	ha_unit(row, out);
}

static void ha_name(const struct pb_map *map, const char *name, FILE *out)
{
	fputs("      - name: \"", out);
	quoted(pb_map_name(map), out);
	fprintf(out, " %s\"\n", name);
}

static void ha_sensor(const struct pb_map *map, const struct pb_export_target *target,
		      const struct variable *variable, size_t element, FILE *out)
{
	const struct pb_row_info *row = &variable->row;
	char name[96], map_name[64];

	variable_element_name(variable, element, name, sizeof(name));
	variable_identifier(pb_map_name(map), map_name, sizeof(map_name));
	ha_name(map, name, out);
	fprintf(out,
		"        unique_id: %s_%u_%u\n"
		"        slave: %u\n"
		"        address: %u\n",
		map_name, target->unit, element_addr(variable, element), target->unit,
		element_addr(variable, element));
	fprintf(out, "        input_type: %s\n        data_type: %s\n",
		holding(row) ? "holding" : "input", ha_type(row));
	if (row->type == PB_ROW_STRING)
		fprintf(out, "        count: %u\n", row->words);
	else if (variable_is_number(variable))
		ha_number(map, row, out);
}

static void ha_binary(const struct pb_map *map, const struct pb_export_target *target,
		      const struct variable *variable, size_t element, FILE *out)
{
	char name[96], map_name[64];

	variable_element_name(variable, element, name, sizeof(name));
	variable_identifier(pb_map_name(map), map_name, sizeof(map_name));
	ha_name(map, name, out);
	fprintf(out,
		"        unique_id: %s_%u_bit_%u\n"
		"        slave: %u\n"
		"        address: %u\n"
		"        input_type: %s\n",
		map_name, target->unit, element_addr(variable, element), target->unit,
		element_addr(variable, element),
		variable->row.tables & PB_TABLE_DISCRETE ? "discrete_input" : "coil");
}

int export_homeassistant(const struct pb_map *map, const struct pb_export_target *target, FILE *out)
{
	struct variables variables;
	int r = variables_of(map, &variables);
	bool bits = false;

	if (r < 0)
		return r;
	hash_head(map, "homeassistant", out);
	fputs("; goes into\n"
	      "# configuration.yaml. Delete what you don't want: each entity is a request.\n",
	      out);
	not_modbus(map, "#", out);
	fprintf(out,
		"modbus:\n  - name: packbridge_%u\n    type: tcp\n    host: %s\n    port: %u\n"
		"    sensors:\n",
		target->unit, target->host, target->port);
	for (size_t i = 0; i < variables.count; i++) {
		const struct variable *variable = &variables.items[i];

		bits |= !variable_is_register(variable);
		for (size_t n = 0; variable_is_register(variable) && n < variable->count; n++)
			ha_sensor(map, target, variable, n, out);
	}
	if (bits)
		fputs("    binary_sensors:\n", out);
	for (size_t i = 0; i < variables.count; i++)
		for (size_t n = 0;
		     !variable_is_register(&variables.items[i]) && n < variables.items[i].count;
		     n++)
			ha_binary(map, target, &variables.items[i], n, out);
	variables_done(&variables);
	return 0;
}

/* ---- Telegraf ---- */

static const char *telegraf_type(const struct pb_row_info *row)
{
	static const char *const types[] = {
		[PB_ROW_U16] = "UINT16",  [PB_ROW_S16] = "INT16",   [PB_ROW_U32] = "UINT32",
		[PB_ROW_S32] = "INT32",	  [PB_ROW_F32] = "FLOAT32", [PB_ROW_STRING] = "STRING",
		[PB_ROW_BITS] = "UINT16", [PB_ROW_COIL] = "",	    [PB_ROW_RESERVED] = "",
	};

	return types[row->type];
}

static void telegraf_field(const struct variable *variable, size_t element, FILE *out)
{
	const struct pb_row_info *row = &variable->row;
	char name[96], scale[32];

	variable_element_name(variable, element, name, sizeof(name));
	fprintf(out, "      { address=%u, name=\"%s\"", element_addr(variable, element), name);
	if (row->type == PB_ROW_STRING)
		fprintf(out, ", type=\"STRING\", length=%u", row->words);
	else if (row->type != PB_ROW_COIL)
		fprintf(out, ", type=\"%s\"", telegraf_type(row));
	if (variable_is_real(variable) && strcmp(row->scale, "1") != 0) {
		snprintf(scale, sizeof(scale), "%s%s", row->scale,
			 strchr(row->scale, '.') ? "" : ".0");
		fprintf(out, ", scale=%s, output=\"FLOAT64\"", scale);
	}
	fputs(" },", out);
	if (row->has_na && row->type != PB_ROW_F32 && element == 0)
		fprintf(out, " # %lld: not available", (long long)row->na);
	if (row->offset && element == 0)
		fprintf(out, " # subtract %lld times the scale", (long long)row->offset);
	fputc('\n', out);
}

static void telegraf_request(const struct pb_map *map, const struct pb_export_target *target,
			     const struct pb_block_info *info, FILE *out)
{
	fputs("\n  [[inputs.modbus.request]] # ", out);
	hash_comment(info->name, out);
	fprintf(out,
		"\n    slave_id = %u\n    byte_order = \"%s\"\n"
		"    register = \"%s\"\n    measurement = \"",
		target->unit, pb_map_low_word_first(map) ? "CDAB" : "ABCD",
		table_name(info->tables, "holding", "input", "discrete", "coil"));
	quoted(pb_map_name(map), out);
	fputs("\"\n    fields = [\n", out);
}

static void telegraf_block(const struct pb_map *map, const struct pb_export_target *target,
			   const struct variables *variables, size_t block, FILE *out)
{
	struct pb_block_info info;
	size_t shown = 0;

	pb_map_block(map, block, &info);
	for (size_t i = 0; i < variables->count; i++) {
		const struct variable *variable = &variables->items[i];

		if (variable->block != block)
			continue;
		if (shown++ == 0)
			telegraf_request(map, target, &info, out);
		for (size_t n = 0; n < variable->count; n++)
			telegraf_field(variable, n, out);
	}
	if (shown)
		fputs("    ]\n", out);
}

int export_telegraf(const struct pb_map *map, const struct pb_export_target *target, FILE *out)
{
	struct variables variables;
	int r = variables_of(map, &variables);

	if (r < 0)
		return r;
	hash_head(map, "telegraf", out);
	fputs(".\n", out);
	not_modbus(map, "#", out);
	fprintf(out,
		"[[inputs.modbus]]\n  name = \"packbridge_%u\"\n"
		"  controller = \"tcp://%s:%u\"\n  configuration_type = \"request\"\n",
		target->unit, target->host, target->port);
	for (size_t i = 0; i < pb_map_block_count(map); i++)
		telegraf_block(map, target, &variables, i, out);
	variables_done(&variables);
	return 0;
}

/* ---- Node-RED ---- */

static void js_value(const struct variable *variable, const char *at, FILE *out)
{
	static const char *const readers[] = {
		[PB_ROW_U16] = "u16",  [PB_ROW_S16] = "s16",  [PB_ROW_U32] = "u32",
		[PB_ROW_S32] = "s32",  [PB_ROW_F32] = "f32",  [PB_ROW_STRING] = "text",
		[PB_ROW_BITS] = "u16", [PB_ROW_COIL] = "bit", [PB_ROW_RESERVED] = "u16",
	};
	const struct pb_row_info *row = &variable->row;

	if (row->type == PB_ROW_STRING)
		fprintf(out, "text(%s, %u)", at, row->words);
	else if (!variable_is_number(variable) || row->type == PB_ROW_F32)
		fprintf(out, "%s(%s)", readers[row->type], at);
	else if (row->has_na)
		fprintf(out, "number(%s(%s), %s, %lld, %lld)", readers[row->type], at, row->scale,
			(long long)row->offset, (long long)row->na);
	else
		fprintf(out, "number(%s(%s), %s, %lld, null)", readers[row->type], at, row->scale,
			(long long)row->offset);
}

static const char js_head[] =
	"const w = msg.payload;\n"
	"const u16 = i => w[i];\n"
	"const s16 = i => w[i] << 16 >> 16;\n"
	"const u32 = i => %s;\n"
	"const s32 = i => u32(i) | 0;\n"
	"const f32 = i => {\n"
	"    const view = new DataView(new ArrayBuffer(4));\n"
	"    view.setUint32(0, u32(i));\n"
	"    const x = view.getFloat32(0);\n"
	"    return Number.isNaN(x) ? null : Number(x.toPrecision(7));\n"
	"};\n"
	"const bit = i => Boolean(w[i]);\n"
	"const text = (i, words) => {\n"
	"    let s = '';\n"
	"    for (let n = i; n < i + words; n++)\n"
	"        s += String.fromCharCode(w[n] >> 8, w[n] & 255);\n"
	"    return s.replace(/\\0.*$/s, '');\n"
	"};\n"
	"const number = (raw, scale, offset, na) =>\n"
	"    raw === na ? null : Number(((raw - offset) * scale).toPrecision(12));\n"
	"const v = {};\n";

/* The code of a block's function node; NULL when out of memory. */
static char *js_block(const struct pb_map *map, const struct variables *variables, size_t block,
		      const struct pb_block_info *info)
{
	char *text = NULL;
	size_t len = 0;
	FILE *out = open_memstream(&text, &len);

	if (!out)
		return NULL;
	fprintf(out, js_head,
		pb_map_low_word_first(map) ? "w[i + 1] * 65536 + w[i]" : "w[i] * 65536 + w[i + 1]");
	for (size_t i = 0; i < variables->count; i++) {
		const struct variable *variable = &variables->items[i];
		unsigned int at = variable->row.addr - info->addr;
		char place[48];

		if (variable->block != block)
			continue;
		fprintf(out, "v.%s = ", variable->name);
		if (variable->count == 1) {
			snprintf(place, sizeof(place), "%u", at);
			js_value(variable, place, out);
		} else {
			snprintf(place, sizeof(place), "%u + %u * n", at, variable->row.words);
			fprintf(out, "Array.from({length: %zu}, (_, n) => ", variable->count);
			js_value(variable, place, out);
			fputc(')', out);
		}
		fputs(";\n", out);
	}
	fputs("return {topic: msg.topic, payload: v};\n", out);
	fclose(out);
	return text;
}

/* Node-RED's ids are any texts that differ: the same ones at each export, so that one can compare.
 */
static void node_id(const struct pb_map *map, const char *what, size_t block, char *out, size_t cap)
{
	snprintf(out, cap, "packbridge.%s.%s.%zu", pb_map_name(map), what, block);
}

static json_t *nodered_client(const struct pb_export_target *target, const char *id)
{
	char port[16];

	snprintf(port, sizeof(port), "%u", target->port);
	return json_pack("{s:s, s:s, s:s, s:s, s:b, s:s, s:s, s:s, s:i, s:i, s:b, s:i, s:b}", "id",
			 id, "type", "modbus-client", "name", "packbridge", "clienttype", "tcp",
			 "bufferCommands", 1, "tcpHost", target->host, "tcpPort", port, "tcpType",
			 "DEFAULT", "unit_id", (int)target->unit, "clientTimeout", 1000,
			 "reconnectOnTimeout", 1, "reconnectTimeout", 2000,
			 "parallelUnitIdsAllowed", 1);
}

static int nodered_block(const struct pb_map *map, const struct pb_export_target *target,
			 const struct variables *variables, size_t block, json_t *flow)
{
	struct pb_block_info info;
	char tab[128], client[128], read[128], decode[128], debug[128], unit[16], addr[16],
		count[16];
	char *code;
	int y = 80 + 60 * (int)block;

	pb_map_block(map, block, &info);
	code = js_block(map, variables, block, &info);
	if (!code)
		return -ENOMEM;
	node_id(map, "tab", 0, tab, sizeof(tab));
	node_id(map, "client", 0, client, sizeof(client));
	node_id(map, "read", block, read, sizeof(read));
	node_id(map, "decode", block, decode, sizeof(decode));
	node_id(map, "debug", 0, debug, sizeof(debug));
	snprintf(unit, sizeof(unit), "%u", target->unit);
	snprintf(addr, sizeof(addr), "%u", info.addr);
	snprintf(count, sizeof(count), "%u", info.count);
	json_array_append_new(
		flow,
		json_pack("{s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:b, s:i, "
			  "s:i, s:[[s], []]}",
			  "id", read, "type", "modbus-read", "z", tab, "name", info.name, "topic",
			  info.name, "unitid", unit, "dataType",
			  table_name(info.tables, "HoldingRegister", "InputRegister", "Input",
				     "Coil"),
			  "adr", addr, "quantity", count, "rate", "5", "rateUnit", "s", "server",
			  client, "showErrors", 1, "x", 150, "y", y, "wires", decode));
	json_array_append_new(flow, json_pack("{s:s, s:s, s:s, s:s, s:s, s:i, s:i, s:i, s:[[s]]}",
					      "id", decode, "type", "function", "z", tab, "name",
					      info.name, "func", code, "outputs", 1, "x", 380, "y",
					      y, "wires", debug));
	free(code);
	return 0;
}

int export_nodered(const struct pb_map *map, const struct pb_export_target *target, FILE *out)
{
	struct variables variables;
	json_t *flow = json_array();
	char tab[128], client[128], debug[128], label[160];
	int r = variables_of(map, &variables);

	node_id(map, "tab", 0, tab, sizeof(tab));
	node_id(map, "client", 0, client, sizeof(client));
	node_id(map, "debug", 0, debug, sizeof(debug));
	snprintf(label, sizeof(label), "%s, unit %u", pb_map_name(map), target->unit);
	json_array_append_new(flow, json_pack("{s:s, s:s, s:s, s:s}", "id", tab, "type", "tab",
					      "label", label, "info", pb_map_title(map)));
	json_array_append_new(flow, nodered_client(target, client));
	json_array_append_new(flow,
			      json_pack("{s:s, s:s, s:s, s:s, s:s, s:b, s:i, s:i, s:[]}", "id",
					debug, "type", "debug", "z", tab, "name", "", "complete",
					"payload", "active", 1, "x", 600, "y", 80, "wires"));
	for (size_t i = 0; r >= 0 && i < pb_map_block_count(map); i++)
		r = nodered_block(map, target, &variables, i, flow);
	if (r >= 0 && json_dumpf(flow, out, JSON_INDENT(1)) < 0)
		r = -EIO;
	fputc('\n', out);
	json_decref(flow);
	variables_done(&variables);
	return r;
}

/* ---- ModbusScope ---- */

static void scope_register(const struct variable *variable, size_t element, size_t number,
			   FILE *out)
{
	static const char *const colors[] = {"#1f77b4", "#ff7f0e", "#2ca02c", "#d62728",
					     "#9467bd", "#8c564b", "#e377c2", "#17becf"};
	static const char *const types[] = {
		[PB_ROW_U16] = "",	[PB_ROW_S16] = ":s16b", [PB_ROW_U32] = ":32b",
		[PB_ROW_S32] = ":s32b", [PB_ROW_F32] = ":f32b", [PB_ROW_STRING] = "",
		[PB_ROW_BITS] = "",	[PB_ROW_COIL] = "",	[PB_ROW_RESERVED] = "",
	};
	const struct pb_row_info *row = &variable->row;
	char name[96];

	variable_element_name(variable, element, name, sizeof(name));
	fprintf(out, "  <register active=\"true\">\n   <text>%s%s%s</text>\n", name,
		*row->unit ? ", " : "", row->unit);
	fputs("   <expression><![CDATA[", out);
	if (row->offset)
		fputc('(', out);
	fprintf(out, "${%c%u%s}", holding(row) ? 'h' : 'i', element_addr(variable, element),
		types[row->type]);
	if (row->offset)
		fprintf(out, " - %lld)", (long long)row->offset);
	if (strcmp(row->scale, "1") != 0)
		fprintf(out, " * %s", row->scale);
	fprintf(out, "]]></expression>\n   <color>%s</color>\n   <valueaxis>0</valueaxis>\n",
		colors[number % PB_ARRAY_SIZE(colors)]);
	fputs("  </register>\n", out);
}

int export_modbusscope(const struct pb_map *map, const struct pb_export_target *target, FILE *out)
{
	struct variables variables;
	int r = variables_of(map, &variables);
	size_t number = 0;

	if (r < 0)
		return r;
	fprintf(out,
		"<?xml version=\"1.0\"?>\n<modbusscope datalevel=\"4\">\n <modbus>\n"
		"  <connection>\n   <enabled>true</enabled>\n   <connectionid>0</connectionid>\n"
		"   <type>tcp</type>\n   <ip>%s</ip>\n   <port>%u</port>\n   "
		"<slaveid>%u</slaveid>\n"
		"   <timeout>1000</timeout>\n   <consecutivemax>120</consecutivemax>\n"
		"   <int32littleendian>%s</int32littleendian>\n"
		"   <persistentconnection>true</persistentconnection>\n  </connection>\n"
		"  <log>\n   <polltime>1000</polltime>\n   <absolutetimes>false</absolutetimes>\n"
		"   <logtofile enabled=\"false\"/>\n  </log>\n </modbus>\n <scope>\n",
		target->host, target->port, target->unit,
		pb_map_low_word_first(map) ? "true" : "false");
	for (size_t i = 0; i < variables.count; i++) {
		const struct variable *variable = &variables.items[i];

		if (!variable_is_register(variable) || !variable_is_number(variable))
			continue;
		for (size_t n = 0; n < variable->count; n++)
			scope_register(variable, n, number++, out);
	}
	fputs(" </scope>\n</modbusscope>\n", out);
	variables_done(&variables);
	return 0;
}

/* ---- mbpoll ---- */

static const char *mbpoll_type(const struct pb_map *map, const struct pb_row_info *row)
{
	bool low = pb_map_low_word_first(map);
	bool input = !holding(row);

	switch (row->type) {
	case PB_ROW_U32:
	case PB_ROW_S32:
		return input ? (low ? "3:int" : "3:int -B") : low ? "4:int" : "4:int -B";
	case PB_ROW_F32:
		return input ? (low ? "3:float" : "3:float -B") : low ? "4:float" : "4:float -B";
	case PB_ROW_STRING:
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

static size_t mbpoll_count(const struct variable *variable)
{
	return variable->row.type == PB_ROW_STRING ? variable->row.words : variable->count;
}

/* Values that follow each other and are of one type are one line. */
static bool joins(const struct pb_map *map, const struct variable *first,
		  const struct variable *last, const struct variable *next)
{
	size_t end = last->row.addr + last->count * last->row.words;

	return next->block == last->block && next->row.addr == end &&
	       next->row.type != PB_ROW_STRING && last->row.type != PB_ROW_STRING &&
	       strcmp(mbpoll_type(map, &first->row), mbpoll_type(map, &next->row)) == 0;
}

/* mbpoll reads so many values at a time. */
enum { MBPOLL_MAX = 125 };

static void mbpoll_lines(const struct pb_map *map, const struct pb_export_target *target,
			 const struct variable *first, size_t count, FILE *out)
{
	unsigned int step = first->row.type == PB_ROW_STRING ? 1 : first->row.words;

	for (size_t at = 0; at < count; at += MBPOLL_MAX)
		fprintf(out, "mbpoll -m tcp -p %u -a %u -0 -r %u -c %zu -t %s -1 %s\n",
			target->port, target->unit, first->row.addr + (unsigned int)at * step,
			count - at < MBPOLL_MAX ? count - at : MBPOLL_MAX,
			mbpoll_type(map, &first->row), target->host);
}

int export_mbpoll(const struct pb_map *map, const struct pb_export_target *target, FILE *out)
{
	struct variables variables;
	int r = variables_of(map, &variables);

	if (r < 0)
		return r;
	hash_head(map, "mbpoll", out);
	fputs(".\n", out);
	not_modbus(map, "#", out);
	for (size_t i = 0; i < variables.count;) {
		const struct variable *first = &variables.items[i];
		size_t end = i + 1, count = mbpoll_count(first);

		while (end < variables.count &&
		       joins(map, first, &variables.items[end - 1], &variables.items[end]))
			count += mbpoll_count(&variables.items[end++]);
		for (size_t n = i; n < end; n++) {
			const struct variable *v = &variables.items[n];
			char scale[64];

			pb_export_scale(&v->row, scale, sizeof(scale));
			fprintf(out, "# %u: %s", v->row.addr, v->name);
			if (v->count > 1)
				fprintf(out, " 1 to %zu", v->count);
			if (*scale || *v->row.unit)
				fprintf(out, ", %s%s%s", scale, *scale && *v->row.unit ? " " : "",
					v->row.unit);
			fputc('\n', out);
		}
		mbpoll_lines(map, target, first, count, out);
		i = end;
	}
	variables_done(&variables);
	return 0;
}
