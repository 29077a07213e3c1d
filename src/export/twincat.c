/* SPDX-License-Identifier: MIT */
/*
 * The same as `st` in PLCopen XML (TC6 0201), for TwinCAT: with function blocks around Beckhoff's
 * FB_MBReadRegs that read, a program that calls one for each unit, and for maps with control a
 * function block around FB_MBWriteRegs, which the program does not call: what is asked of a pack is
 * up to the user.
 */
#include "st_code.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define WORDS "<array><dimension lower=\"0\" upper=\"119\"/><baseType><WORD/></baseType></array>"

#define CONTROL_WORDS                                                                              \
	"<array><dimension lower=\"0\" upper=\"3\"/><baseType><WORD/></baseType></array>"

static void xml_open(const struct pb_export_job *job, FILE *out)
{
	fprintf(out,
		"<?xml version=\"1.0\" encoding=\"utf-8\"?>\n"
		"<project xmlns=\"http://www.plcopen.org/xml/tc6_0200\">\n"
		"  <fileHeader companyName=\"packbridge\" productName=\"packbridge\" "
		"productVersion=\"%d\" creationDateTime=\"2000-01-01T00:00:00\"/>\n"
		"  <contentHeader name=\"packbridge\">\n"
		"    <coordinateInfo><fbd><scaling x=\"1\" y=\"1\"/></fbd>"
		"<ld><scaling x=\"1\" y=\"1\"/></ld><sfc><scaling x=\"1\" y=\"1\"/></sfc>"
		"</coordinateInfo>\n"
		"  </contentHeader>\n"
		"  <types>\n",
		pb_map_version(job->units[0].map));
}

/* An elementary type; a string has a small letter there. */
static void xml_type_name(const char *type, FILE *out)
{
	if (strcmp(type, "STRING") == 0)
		fputs("<string/>", out);
	else
		fprintf(out, "<%s/>", type);
}

static void xml_member(const struct st_member *member, FILE *out)
{
	char *text = NULL;
	size_t len = 0;
	FILE *memory = member->about ? open_memstream(&text, &len) : NULL;

	fprintf(out, "          <variable name=\"%s\"><type>", member->name);
	if (member->count > 1)
		fprintf(out, "<array><dimension lower=\"%d\" upper=\"%d\"/><baseType>",
			member->first, member->first + (int)member->count - 1);
	xml_type_name(member->type, out);
	fputs(member->count > 1 ? "</baseType></array></type>" : "</type>", out);
	if (memory) {
		st_describe(member->about, memory);
		fclose(memory);
		fputs("<documentation><xhtml xmlns=\"http://www.w3.org/1999/xhtml\">", out);
		export_xml(text, out);
		fputs("</xhtml></documentation>", out);
		free(text);
	}
	fputs("</variable>\n", out);
}

static void xml_structure(const struct st_code *code, FILE *out)
{
	fprintf(out, "      <dataType name=\"PB_%s\">\n        <baseType><struct>\n", code->name);
	for (size_t i = 0; i < code->member_count; i++)
		xml_member(&code->members[i], out);
	fputs("        </struct></baseType>\n      </dataType>\n", out);
}

static void xml_variable(const char *name, const char *type, const char *value, FILE *out)
{
	fprintf(out, "          <variable name=\"%s\"><type>%s</type>", name, type);
	if (value) {
		fputs("<initialValue><simpleValue value=\"", out);
		export_xml(value, out);
		fputs("\"/></initialValue>", out);
	}
	fputs("</variable>\n", out);
}

static void xml_st(const char *text, FILE *out)
{
	fputs("        <body><ST><xhtml xmlns=\"http://www.w3.org/1999/xhtml\">", out);
	export_xml(text, out);
	fputs("</xhtml></ST></body>\n      </pou>\n", out);
}

/* ---- functions ---- */

static int xml_function(const struct st_function *function, FILE *out)
{
	char type[32], *text = NULL;
	size_t len = 0;
	FILE *memory = open_memstream(&text, &len);

	if (!memory)
		return -ENOMEM;
	function->print(memory);
	fclose(memory);
	fprintf(out,
		"      <pou name=\"%s\" pouType=\"function\">\n        <interface>\n"
		"          <returnType>",
		function->name);
	xml_type_name(function->returns, out);
	fputs("</returnType>\n          <inputVars>\n", out);
	snprintf(type, sizeof(type), "<%s/>", function->input_type);
	xml_variable(function->input, type, NULL, out);
	fputs("          </inputVars>\n", out);
	if (function->local) {
		fputs("          <localVars>\n", out);
		snprintf(type, sizeof(type), "<%s/>", function->local_type);
		xml_variable(function->local, type, NULL, out);
		fputs("          </localVars>\n", out);
	}
	fputs("        </interface>\n", out);
	xml_st(text, out);
	free(text);
	return 0;
}

/* ---- blocks of a map ---- */

static void xml_in_out_data(const struct st_code *code, FILE *out)
{
	char type[128];

	snprintf(type, sizeof(type), "<derived name=\"PB_%s\"/>", code->name);
	fputs("          <inOutVars>\n", out);
	xml_variable("data", type, NULL, out);
	fputs("          </inOutVars>\n", out);
}

static int xml_block(const struct st_code *code, size_t block, FILE *out)
{
	char name[64], *text = NULL;
	size_t len = 0;
	FILE *memory = open_memstream(&text, &len);

	if (!memory)
		return -ENOMEM;
	st_print_block(code, block, memory);
	fclose(memory);
	st_block_name(code, block, name, sizeof(name));
	fprintf(out,
		"      <pou name=\"PB_%s_%s\" pouType=\"functionBlock\">\n        <interface>\n"
		"          <inputVars>\n",
		code->name, name);
	xml_variable("w", WORDS, NULL, out);
	fputs("          </inputVars>\n", out);
	xml_in_out_data(code, out);
	if (st_block_has_arrays(code, block)) {
		fputs("          <localVars>\n", out);
		xml_variable("i", "<INT/>", NULL, out);
		fputs("          </localVars>\n", out);
	}
	fputs("        </interface>\n", out);
	xml_st(text, out);
	free(text);
	return 0;
}

static void xml_reader_variable(const struct st_code *code, const struct st_reader_variable *v,
				FILE *out)
{
	char type[128];

	if (!v->type)
		snprintf(type, sizeof(type), "<derived name=\"PB_%s\"/>", code->name);
	else if (strcmp(v->type, "words") == 0)
		snprintf(type, sizeof(type), WORDS);
	else
		snprintf(type, sizeof(type), "<%s/>", v->type);
	xml_variable(v->name, type, NULL, out);
}

static void xml_reader_interface(const struct st_code *code, FILE *out)
{
	static const char *const sections[] = {"inputVars", "outputVars", "localVars"};
	char name[80], block[64], type[160];

	for (size_t section = 0; section < PB_ARRAY_SIZE(sections); section++) {
		fprintf(out, "          <%s>\n", sections[section]);
		for (const struct st_reader_variable *v = st_reader_variables; v->name; v++)
			if (v->section == section && st_reader_has(code, v))
				xml_reader_variable(code, v, out);
		for (size_t i = 0; section == ST_LOCAL && i < pb_map_block_count(code->map); i++) {
			if (!st_block_shows(code, i))
				continue;
			st_block_name(code, i, block, sizeof(block));
			snprintf(name, sizeof(name), "fb_%s", block);
			snprintf(type, sizeof(type), "<derived name=\"PB_%s_%s\"/>", code->name,
				 block);
			xml_variable(name, type, NULL, out);
		}
		fprintf(out, "          </%s>\n", sections[section]);
	}
}

/* Prints a part of the block for a whole map. */
typedef void print_part(const struct st_code *code, FILE *out);

/* "PB_NAME_WHICH", from its interface and its body. */
static int xml_map_block(const struct st_code *code, const char *which, print_part *interface,
			 print_part *body, FILE *out)
{
	char *text = NULL;
	size_t len = 0;
	FILE *memory = open_memstream(&text, &len);

	if (!memory)
		return -ENOMEM;
	body(code, memory);
	fclose(memory);
	fprintf(out,
		"      <pou name=\"PB_%s_%s\" pouType=\"functionBlock\">\n        "
		"<interface>\n",
		code->name, which);
	interface(code, out);
	fputs("        </interface>\n", out);
	xml_st(text, out);
	free(text);
	return 0;
}

/* ---- Beckhoff's part ---- */

static const char read_body[] =
	"(* The reader says what is to be read; FB_MBReadRegs reads it. *)\n"
	"fbReader(bExecute := bExecute, bDone := bDone, bFailed := fbRead.bError,\n"
	"\tnFailure := fbRead.nErrId, w := w);\n"
	"bDone := FALSE;\n"
	"IF fbReader.bRequest AND bRead THEN\n"
	"\tfbRead(sIPAddr := sIPAddr, nTCPPort := nTCPPort, nUnitID := nUnitID,\n"
	"\t\tnQuantity := UINT_TO_WORD(fbReader.nCount), nMBAddr := "
	"UINT_TO_WORD(fbReader.nAddr),\n"
	"\t\tcbLength := SIZEOF(w), pDestAddr := ADR(w), bExecute := TRUE, tTimeout := tTimeout);\n"
	"\tbDone := NOT fbRead.bBUSY;\n"
	"\tbRead := NOT bDone;\n"
	"ELSE (* an edge for the next one *)\n"
	"\tfbRead(bExecute := FALSE);\n"
	"\tbRead := fbReader.bRequest;\n"
	"END_IF;\n"
	"bBusy := fbReader.bBusy;\n"
	"bError := fbReader.bError;\n"
	"nErrId := fbReader.nErrId;\n"
	"bValid := fbReader.bValid;\n";

static const struct st_reader_variable bFresh = {"bFresh", "BOOL", ST_OUTPUT};

static void xml_read_interface(const struct st_code *code, const struct pb_export_job *job,
			       unsigned int unit, FILE *out)
{
	char text[300];

	fputs("          <inputVars>\n", out);
	snprintf(text, sizeof(text), "'%s'", job->target.host);
	xml_variable("sIPAddr", "<string length=\"15\"/>", text, out);
	snprintf(text, sizeof(text), "%u", job->target.port);
	xml_variable("nTCPPort", "<UINT/>", text, out);
	snprintf(text, sizeof(text), "%u", unit);
	xml_variable("nUnitID", "<BYTE/>", text, out);
	xml_variable("bExecute", "<BOOL/>", NULL, out);
	xml_variable("tTimeout", "<TIME/>", "T#5S", out);
	fputs("          </inputVars>\n          <outputVars>\n", out);
	xml_variable("bBusy", "<BOOL/>", NULL, out);
	xml_variable("bError", "<BOOL/>", NULL, out);
	xml_variable("nErrId", "<UDINT/>", NULL, out);
	xml_variable("bValid", "<BOOL/>", NULL, out);
	if (st_reader_has(code, &bFresh))
		xml_variable("bFresh", "<BOOL/>", NULL, out);
	snprintf(text, sizeof(text), "<derived name=\"PB_%s\"/>", code->name);
	xml_variable("data", text, NULL, out);
	fputs("          </outputVars>\n          <localVars>\n", out);
	xml_variable("fbRead", "<derived name=\"FB_MBReadRegs\"/>", NULL, out);
	snprintf(text, sizeof(text), "<derived name=\"PB_%s_reader\"/>", code->name);
	xml_variable("fbReader", text, NULL, out);
	xml_variable("w", WORDS, NULL, out);
	xml_variable("bDone", "<BOOL/>", NULL, out);
	xml_variable("bRead", "<BOOL/>", NULL, out);
	fputs("          </localVars>\n", out);
}

static void xml_read(const struct st_code *code, const struct pb_export_job *job, unsigned int unit,
		     FILE *out)
{
	static const char note[] =
		"(* Replies of this map are not Modbus: FB_MBReadRegs can't read "
		"them. *)\n";
	char text[sizeof(note) + sizeof(read_body) + 80];

	snprintf(text, sizeof(text), "%s%s%sdata := fbReader.data;\n",
		 pb_map_word_count(code->map) ? note : "", read_body,
		 st_reader_has(code, &bFresh) ? "bFresh := fbReader.bFresh;\n" : "");
	fprintf(out,
		"      <pou name=\"FB_Read_%s\" pouType=\"functionBlock\">\n        <interface>\n",
		code->name);
	xml_read_interface(code, job, unit, out);
	fputs("        </interface>\n", out);
	xml_st(text, out);
}

/* ---- control ---- */

static const char *control_type(const struct st_control_variable *v, char *text, size_t cap)
{
	if (strcmp(v->type, "words") == 0)
		return CONTROL_WORDS;
	if (strcmp(v->type, "timer") == 0)
		return "<derived name=\"TON\"/>";
	snprintf(text, cap, "<%s/>", v->type);
	return text;
}

static void xml_control_interface(const struct st_code *code, FILE *out)
{
	static const char *const sections[] = {"inputVars", "outputVars", "localVars"};
	char type[64];

	for (unsigned int section = 0; section < PB_ARRAY_SIZE(sections); section++) {
		if (section == ST_LOCAL)
			xml_in_out_data(code, out);
		fprintf(out, "          <%s>\n", sections[section]);
		for (const struct st_control_variable *v = st_control_variables; v->name; v++)
			if (v->section == section)
				xml_variable(v->name, control_type(v, type, sizeof(type)),
					     v->initial, out);
		fprintf(out, "          </%s>\n", sections[section]);
	}
}

static const char control_body[] =
	"(* The switch says what is to be written; FB_MBWriteRegs writes it. *)\n"
	"fbSwitch(bEnable := bEnable, bInhibitCharge := bInhibitCharge,\n"
	"\tbInhibitDischarge := bInhibitDischarge, bReset := bReset, nLease := nLease,\n"
	"\ttRenew := tRenew, bDone := bDone, bFailed := fbWrite.bError,\n"
	"\tnFailure := fbWrite.nErrId, data := data);\n"
	"bDone := FALSE;\n"
	"IF fbSwitch.bRequest AND bWrite THEN\n"
	"\tw := fbSwitch.w;\n"
	"\tfbWrite(sIPAddr := sIPAddr, nTCPPort := nTCPPort, nUnitID := nUnitID,\n"
	"\t\tnQuantity := UINT_TO_WORD(fbSwitch.nCount), nMBAddr := "
	"UINT_TO_WORD(fbSwitch.nAddr),\n"
	"\t\tcbLength := SIZEOF(w), pSrcAddr := ADR(w), bExecute := TRUE, tTimeout := "
	"tTimeout);\n"
	"\tbDone := NOT fbWrite.bBUSY;\n"
	"\tbWrite := NOT bDone;\n"
	"ELSE (* an edge for the next one *)\n"
	"\tfbWrite(bExecute := FALSE);\n"
	"\tbWrite := fbSwitch.bRequest;\n"
	"END_IF;\n"
	"bConfirmed := fbSwitch.bConfirmed;\n"
	"nState := fbSwitch.nState;\n"
	"nReason := fbSwitch.nReason;\n"
	"bError := fbSwitch.bError;\n"
	"nErrId := fbSwitch.nErrId;\n";

static void xml_write_interface(const struct st_code *code, const struct pb_export_job *job,
				unsigned int unit, FILE *out)
{
	static const char *const outputs[][2] = {{"bConfirmed", "<BOOL/>"},
						 {"nState", "<UINT/>"},
						 {"nReason", "<UINT/>"},
						 {"bError", "<BOOL/>"},
						 {"nErrId", "<UDINT/>"}};
	char text[300];

	fputs("          <inputVars>\n", out);
	snprintf(text, sizeof(text), "'%s'", job->target.host);
	xml_variable("sIPAddr", "<string length=\"15\"/>", text, out);
	snprintf(text, sizeof(text), "%u", job->target.port);
	xml_variable("nTCPPort", "<UINT/>", text, out);
	snprintf(text, sizeof(text), "%u", unit);
	xml_variable("nUnitID", "<BYTE/>", text, out);
	for (size_t i = 0; i < ST_CONTROL_WISHES; i++)
		xml_variable(st_control_variables[i].name,
			     control_type(&st_control_variables[i], text, sizeof(text)),
			     st_control_variables[i].initial, out);
	xml_variable("tTimeout", "<TIME/>", "T#5S", out);
	fputs("          </inputVars>\n          <outputVars>\n", out);
	for (size_t i = 0; i < PB_ARRAY_SIZE(outputs); i++)
		xml_variable(outputs[i][0], outputs[i][1], NULL, out);
	fputs("          </outputVars>\n", out);
	xml_in_out_data(code, out);
	fputs("          <localVars>\n", out);
	xml_variable("fbWrite", "<derived name=\"FB_MBWriteRegs\"/>", NULL, out);
	snprintf(text, sizeof(text), "<derived name=\"PB_%s_switch\"/>", code->name);
	xml_variable("fbSwitch", text, NULL, out);
	xml_variable("w", CONTROL_WORDS, NULL, out);
	xml_variable("bDone", "<BOOL/>", NULL, out);
	xml_variable("bWrite", "<BOOL/>", NULL, out);
	fputs("          </localVars>\n", out);
}

static int xml_switch(const struct st_code *code, const struct pb_export_job *job,
		      unsigned int unit, FILE *out)
{
	unsigned int addr;
	int r;

	if (!st_control_has(code, &addr))
		return 0;
	r = xml_map_block(code, "switch", xml_control_interface, st_print_control, out);
	if (r < 0)
		return r;
	fprintf(out,
		"      <pou name=\"FB_Switch_%s\" pouType=\"functionBlock\">\n        "
		"<interface>\n",
		code->name);
	xml_write_interface(code, job, unit, out);
	fputs("        </interface>\n", out);
	xml_st(control_body, out);
	return 0;
}

/* ---- a program with all units ---- */

static void program_body(const struct pb_export_job *job, FILE *out)
{
	fputs("(* Each unit is read every two seconds. *)\n"
	      "fbPoll(IN := NOT fbPoll.Q, PT := T#2S);\n",
	      out);
	for (size_t i = 0; i < job->count; i++)
		fprintf(out,
			"fb_%s(sIPAddr := '%s', nTCPPort := %u, nUnitID := %u, bExecute := "
			"fbPoll.Q);\n",
			job->units[i].id, job->target.host, job->target.port, job->units[i].unit);
}

static int xml_program(const struct pb_export_job *job, FILE *out)
{
	char name[64], type[128], map[64], *text = NULL;
	size_t len = 0;
	FILE *memory = open_memstream(&text, &len);

	if (!memory)
		return -ENOMEM;
	program_body(job, memory);
	fclose(memory);
	fputs("      <pou name=\"PRG_packbridge\" pouType=\"program\">\n        <interface>\n"
	      "          <localVars>\n",
	      out);
	xml_variable("fbPoll", "<derived name=\"TON\"/>", NULL, out);
	for (size_t i = 0; i < job->count; i++) {
		pb_export_identifier(pb_map_name(job->units[i].map), map, sizeof(map));
		snprintf(name, sizeof(name), "fb_%s", job->units[i].id);
		snprintf(type, sizeof(type), "<derived name=\"FB_Read_%s\"/>", map);
		xml_variable(name, type, NULL, out);
	}
	fputs("          </localVars>\n        </interface>\n", out);
	xml_st(text, out);
	free(text);
	return 0;
}

/* ---- the whole ---- */

static int xml_map(const struct pb_export_job *job, size_t unit, bool types, FILE *out)
{
	const struct pb_map *map = job->units[unit].map;
	struct st_code code;
	int r = st_code_of(map, &code);

	if (r >= 0 && types)
		xml_structure(&code, out);
	for (size_t i = 0; r >= 0 && !types && i < pb_map_block_count(map); i++)
		if (st_block_shows(&code, i))
			r = xml_block(&code, i, out);
	if (r >= 0 && !types)
		r = xml_map_block(&code, "reader", xml_reader_interface, st_print_reader, out);
	if (r >= 0 && !types)
		xml_read(&code, job, job->units[unit].unit, out);
	if (r >= 0 && !types)
		r = xml_switch(&code, job, job->units[unit].unit, out);
	st_code_done(&code);
	return r;
}

static int xml_maps(const struct pb_export_job *job, bool types, FILE *out)
{
	int r = 0;

	for (size_t i = 0; r >= 0 && i < job->count; i++)
		if (pb_export_is_first(job, i))
			r = xml_map(job, i, types, out);
	return r;
}

int export_twincat(const struct pb_export_job *job, FILE *out)
{
	int r;

	xml_open(job, out);
	fputs("    <dataTypes>\n", out);
	r = xml_maps(job, true, out);
	fputs("    </dataTypes>\n    <pous>\n", out);
	for (const struct st_function *function = st_functions; r >= 0 && function->name;
	     function++) {
		bool needed = false;

		r = st_function_needed(job, function, &needed);
		if (r >= 0 && needed)
			r = xml_function(function, out);
	}
	if (r >= 0)
		r = xml_maps(job, false, out);
	if (r >= 0)
		r = xml_program(job, out);
	fputs("    </pous>\n  </types>\n  <instances><configurations/></instances>\n</project>\n",
	      out);
	return r;
}
