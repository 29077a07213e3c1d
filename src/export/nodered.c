/* SPDX-License-Identifier: MIT */
/*
 * A Node-RED flow for node-red-contrib-modbus: a client for all units; for each, a reader for each
 * block and a function behind it that makes an object with names of the words.
 */
#include "format.h"

#include <errno.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

static void js_value(const struct variable *variable, const char *at, FILE *out)
{
	static const char *const readers[] = {
		[PB_ROW_U16] = "u16",  [PB_ROW_S16] = "s16",  [PB_ROW_U32] = "u32",
		[PB_ROW_S32] = "s32",  [PB_ROW_F32] = "f32",  [PB_ROW_STRING] = "text",
		[PB_ROW_BITS] = "u16", [PB_ROW_COIL] = "bit", [PB_ROW_RESERVED] = "u16",
		[PB_ROW_U64] = "u64",
	};
	const struct pb_row_info *row = &variable->row;
	char na[32];

	export_na_number(row, na, sizeof(na));
	if (row->type == PB_ROW_STRING)
		fprintf(out, "text(%s, %u)", at, row->words);
	else if (row->type == PB_ROW_F32 || (!variable_is_number(variable) && !row->has_na))
		fprintf(out, "%s(%s)", readers[row->type], at);
	else if (row->has_na)
		fprintf(out, "number(%s(%s), %s, %lld, %s)", readers[row->type], at, row->scale,
			(long long)row->offset, na);
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
	"const u64 = i => %s;\n"
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
static char *js_block(const struct export_values *values, size_t block,
		      const struct pb_block_info *info)
{
	char *text = NULL;
	size_t len = 0;
	FILE *out = open_memstream(&text, &len);

	if (!out)
		return NULL;
	fprintf(out, js_head,
		pb_map_low_word_first(values->unit->map) ? "w[i + 1] * 65536 + w[i]"
							 : "w[i] * 65536 + w[i + 1]",
		pb_map_low_word_first(values->unit->map) ? "u32(i + 2) * 4294967296 + u32(i)"
							 : "u32(i) * 4294967296 + u32(i + 2)");
	for (size_t i = 0; i < values->variables.count; i++) {
		const struct variable *variable = &values->variables.items[i];
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

/* Any texts that differ: the same ones at each export, so that one can compare. */
static void node_id(const struct pb_export_job *job, unsigned int unit, const char *what,
		    size_t block, char *out, size_t cap)
{
	snprintf(out, cap, "packbridge.%s.%u.%s.%zu", job->target.id, unit, what, block);
}

static json_t *nodered_line(const struct pb_export_target *target)
{
	const struct pb_export_line *line = &target->line;

	return json_pack("{s:s, s:s, s:s, s:i, s:i, s:i, s:s}", "clienttype", "serial",
			 "serialPort", target->host, "serialType", "RTU-BUFFERD", "serialBaudrate",
			 (int)line->baud, "serialDatabits", line->data_bits, "serialStopbits",
			 line->stop_bits, "serialParity", export_parity(line));
}

static json_t *nodered_socket(const struct pb_export_target *target)
{
	char port[16];

	snprintf(port, sizeof(port), "%u", target->port);
	return json_pack("{s:s, s:s, s:s, s:s}", "clienttype", "tcp", "tcpHost", target->host,
			 "tcpPort", port, "tcpType",
			 target->way == PB_EXPORT_TCP ? "DEFAULT" : "TCP-RTU-BUFFERED");
}

static json_t *nodered_client(const struct pb_export_job *job, const char *id)
{
	json_t *client =
		json_pack("{s:s, s:s, s:s, s:b, s:i, s:i, s:b, s:i, s:b}", "id", id, "type",
			  "modbus-client", "name", "packbridge", "bufferCommands", 1, "unit_id",
			  (int)job->units[0].unit, "clientTimeout", 1000, "reconnectOnTimeout", 1,
			  "reconnectTimeout", 2000, "parallelUnitIdsAllowed", 1);

	json_object_update_new(client, job->target.way == PB_EXPORT_RTU
					       ? nodered_line(&job->target)
					       : nodered_socket(&job->target));
	return client;
}

static int nodered_block(const struct pb_export_job *job, const struct export_values *values,
			 size_t block, int y, json_t *flow)
{
	unsigned int number = values->unit->unit;
	struct pb_block_info info;
	char tab[192], client[192], read[192], decode[192], debug[192], unit[16], addr[16],
		count[16], name[160];
	char *code;

	pb_map_block(values->unit->map, block, &info);
	code = js_block(values, block, &info);
	if (!code)
		return -ENOMEM;
	node_id(job, 0, "tab", 0, tab, sizeof(tab));
	node_id(job, 0, "client", 0, client, sizeof(client));
	node_id(job, number, "read", block, read, sizeof(read));
	node_id(job, number, "decode", block, decode, sizeof(decode));
	node_id(job, 0, "debug", 0, debug, sizeof(debug));
	snprintf(unit, sizeof(unit), "%u", number);
	snprintf(addr, sizeof(addr), "%u", info.addr);
	snprintf(count, sizeof(count), "%u", info.count);
	snprintf(name, sizeof(name), "%s %.64s", values->unit->name, info.name);
	json_array_append_new(
		flow,
		json_pack("{s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:b, s:i, "
			  "s:i, s:[[s], []]}",
			  "id", read, "type", "modbus-read", "z", tab, "name", name, "topic", name,
			  "unitid", unit, "dataType",
			  export_table(info.tables, "HoldingRegister", "InputRegister", "Input",
				       "Coil"),
			  "adr", addr, "quantity", count, "rate", "5", "rateUnit", "s", "server",
			  client, "showErrors", 1, "x", 150, "y", y, "wires", decode));
	json_array_append_new(flow,
			      json_pack("{s:s, s:s, s:s, s:s, s:s, s:i, s:i, s:i, s:[[s]]}", "id",
					decode, "type", "function", "z", tab, "name", name, "func",
					code, "outputs", 1, "x", 380, "y", y, "wires", debug));
	free(code);
	return 0;
}

static bool nodered_shows(const struct export_values *values, size_t block)
{
	for (size_t i = 0; i < values->variables.count; i++)
		if (values->variables.items[i].block == block)
			return true;
	return false;
}

static int nodered_unit(const struct pb_export_job *job, size_t unit, int *y, json_t *flow)
{
	struct export_values values;
	int r = export_values_of(job, unit, &values);

	for (size_t i = 0; r >= 0 && i < pb_map_block_count(values.unit->map); i++) {
		if (!nodered_shows(&values, i))
			continue;
		r = nodered_block(job, &values, i, *y, flow);
		*y += 60;
	}
	export_values_done(&values);
	return r;
}

int export_nodered(const struct pb_export_job *job, FILE *out)
{
	json_t *flow = json_array();
	char tab[192], client[192], debug[192], label[320];
	int r = 0, y = 80;

	node_id(job, 0, "tab", 0, tab, sizeof(tab));
	node_id(job, 0, "client", 0, client, sizeof(client));
	node_id(job, 0, "debug", 0, debug, sizeof(debug));
	snprintf(label, sizeof(label), "packbridge %s", job->target.url);
	json_array_append_new(flow,
			      json_pack("{s:s, s:s, s:s, s:s}", "id", tab, "type", "tab", "label",
					label, "info", pb_map_title(job->units[0].map)));
	json_array_append_new(flow, nodered_client(job, client));
	json_array_append_new(flow,
			      json_pack("{s:s, s:s, s:s, s:s, s:s, s:b, s:i, s:i, s:[]}", "id",
					debug, "type", "debug", "z", tab, "name", "", "complete",
					"payload", "active", 1, "x", 600, "y", 80, "wires"));
	for (size_t i = 0; r >= 0 && i < job->count; i++)
		r = nodered_unit(job, i, &y, flow);
	if (r >= 0 && json_dumpf(flow, out, JSON_INDENT(1)) < 0)
		r = -EIO;
	fputc('\n', out);
	json_decref(flow);
	return r;
}
