/* SPDX-License-Identifier: MIT */
/*
 * IEC 61131-3: a structure of the map's values, and a function block for each block of registers
 * that makes values of words. `st` is that as plain text for any compiler; `twincat` the same as
 * PLCopen XML (TC6 0201), with a function block around Beckhoff's FB_MBReadRegs that reads them.
 * Texts are left out: filling a string byte by byte is different in each system.
 */
#include "export.h"
#include "variables.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum { WORDS_MAX = 120 }; /* of one block, see docs/map-format.md */

struct code {
	const struct pb_map *map;
	struct variables variables;
	char name[64]; /* of the map, as an identifier */
	FILE *out;
};

static bool shown(const struct variable *variable)
{
	return variable_is_register(variable) && variable->row.type != PB_ROW_STRING;
}

static const char *type_of(const struct variable *variable)
{
	if (variable_is_real(variable))
		return "REAL";
	switch (variable->row.type) {
	case PB_ROW_U16:
		return variable_is_number(variable) ? "UINT" : "WORD";
	case PB_ROW_S16:
		return "INT";
	case PB_ROW_U32:
		return variable_is_number(variable) ? "UDINT" : "DWORD";
	case PB_ROW_S32:
		return "DINT";
	case PB_ROW_BITS:
		return "WORD";
	case PB_ROW_F32:
	case PB_ROW_STRING:
	case PB_ROW_COIL:
	case PB_ROW_RESERVED:
		break;
	}
	return "REAL";
}

/* Whether a register can say that there is no value, so that there is a flag for it. */
static bool has_flag(const struct variable *variable)
{
	return variable->row.has_na && variable->row.type != PB_ROW_BITS;
}

static bool block_shows(const struct code *code, size_t block)
{
	for (size_t i = 0; i < code->variables.count; i++)
		if (code->variables.items[i].block == block && shown(&code->variables.items[i]))
			return true;
	return false;
}

/* ---- the body that makes values of words ---- */

/* The register's words as an expression; @at: index of the first in `w`. */
static void words_of(const struct code *code, const struct variable *variable, const char *at,
		     const char *next, char *out, size_t cap)
{
	bool low = pb_map_low_word_first(code->map);

	if (variable->row.words == 1)
		snprintf(out, cap, "w[%s]", at);
	else
		snprintf(out, cap, "SHL(WORD_TO_DWORD(w[%s]), 16) OR WORD_TO_DWORD(w[%s])",
			 low ? next : at, low ? at : next);
}

/* Words to the register's own number, and its name as a type. */
static const char *number_of(const struct variable *variable)
{
	switch (variable->row.type) {
	case PB_ROW_U16:
		return "UINT";
	case PB_ROW_S16:
		return "INT";
	case PB_ROW_U32:
		return "UDINT";
	case PB_ROW_S32:
		return "DINT";
	case PB_ROW_F32:
	case PB_ROW_STRING:
	case PB_ROW_BITS:
	case PB_ROW_COIL:
	case PB_ROW_RESERVED:
		break;
	}
	return "REAL";
}

/* The scale as a REAL literal, which needs a point. */
static void real_literal(const char *text, char *out, size_t cap)
{
	snprintf(out, cap, "%s%s", text, strchr(text, '.') ? "" : ".0");
}

static void value_of(const struct variable *variable, const char *words, char *out, size_t cap)
{
	const struct pb_row_info *row = &variable->row;
	const char *from = row->words == 1 ? "WORD" : "DWORD", *number = number_of(variable);
	char text[256], scale[32];

	if (!variable_is_number(variable)) {
		snprintf(out, cap, "%s", words);
		return;
	}
	if (row->type == PB_ROW_F32)
		snprintf(text, sizeof(text), "PB_REAL(%s)", words);
	else
		snprintf(text, sizeof(text), "%s_TO_%s(%s)", from, number, words);
	if (!variable_is_real(variable)) {
		snprintf(out, cap, "%s", text);
		return;
	}
	real_literal(row->scale, scale, sizeof(scale));
	if (row->type != PB_ROW_F32) {
		char inner[256];

		snprintf(inner, sizeof(inner), "%s", text);
		snprintf(text, sizeof(text), "%s_TO_REAL(%.200s)", number, inner);
	}
	if (row->offset)
		snprintf(out, cap, "(%s - %lld.0) * %s", text, (long long)row->offset, scale);
	else if (strcmp(row->scale, "1") != 0)
		snprintf(out, cap, "%s * %s", text, scale);
	else
		snprintf(out, cap, "%s", text);
}

/* `scale` may be negative: "* -0.1" needs brackets in some compilers. */
static void bracket(char *text, size_t cap)
{
	char *minus = strstr(text, "* -"), rest[64];

	if (!minus)
		return;
	snprintf(rest, sizeof(rest), "%s", minus + 2);
	snprintf(minus + 2, cap - (size_t)(minus + 2 - text), "(%s)", rest);
}

static void print_flag(const struct code *code, const struct variable *variable,
		       const char *element, const char *words)
{
	const struct pb_row_info *row = &variable->row;
	unsigned long long na = (unsigned long long)row->na;

	/* of a float, all ones in the exponent: NaN */
	if (row->type == PB_ROW_F32)
		fprintf(code->out,
			"data.%s_ok%s := ((%s) AND DWORD#16#7F800000) <> DWORD#16#7F800000;\n",
			variable->name, element, words);
	else if (row->words == 1)
		fprintf(code->out, "data.%s_ok%s := %s <> WORD#16#%04llX;\n", variable->name,
			element, words, na & 0xFFFF);
	else
		fprintf(code->out, "data.%s_ok%s := (%s) <> DWORD#16#%08llX;\n", variable->name,
			element, words, na & 0xFFFFFFFF);
}

static void print_value(const struct code *code, const struct variable *variable, unsigned int at)
{
	char first[48], second[48], words[160], value[512];
	const char *element = variable->count > 1 ? "[i]" : "";
	const char *zero = variable_is_real(variable)	  ? "0.0"
			   : variable_is_number(variable) ? "0"
			   : variable->row.words == 1	  ? "WORD#0"
							  : "DWORD#0";
	const char *tab = "";

	if (variable->count > 1) {
		unsigned int step = variable->row.words;

		snprintf(first, sizeof(first), step == 1 ? "%u + i" : "%u + 2 * i", at - step);
		snprintf(second, sizeof(second), "%u + 2 * i", at - step + 1);
		if (at < step) /* "-1 + i" */
			snprintf(first, sizeof(first), step == 1 ? "i - 1" : "2 * i - 2");
		if (at + 1 < step)
			snprintf(second, sizeof(second), "2 * i - 1");
		fprintf(code->out, "FOR i := 1 TO %zu DO\n", variable->count);
		tab = "\t";
	} else {
		snprintf(first, sizeof(first), "%u", at);
		snprintf(second, sizeof(second), "%u", at + 1);
	}
	words_of(code, variable, first, second, words, sizeof(words));
	value_of(variable, words, value, sizeof(value));
	bracket(value, sizeof(value));
	if (!has_flag(variable)) {
		fprintf(code->out, "%sdata.%s%s := %s;\n", tab, variable->name, element, value);
	} else {
		fputs(tab, code->out);
		print_flag(code, variable, element, words);
		fprintf(code->out, "%sIF data.%s_ok%s THEN\n", tab, variable->name, element);
		fprintf(code->out, "%s\tdata.%s%s := %s;\n", tab, variable->name, element, value);
		fprintf(code->out, "%sELSE\n%s\tdata.%s%s := %s;\n%sEND_IF;\n", tab, tab,
			variable->name, element, zero, tab);
	}
	if (variable->count > 1)
		fputs("END_FOR;\n", code->out);
}

static bool has_arrays(const struct code *code, size_t block)
{
	for (size_t i = 0; i < code->variables.count; i++) {
		const struct variable *variable = &code->variables.items[i];

		if (variable->block == block && shown(variable) && variable->count > 1)
			return true;
	}
	return false;
}

static void print_body(const struct code *code, size_t block)
{
	struct pb_block_info info;

	pb_map_block(code->map, block, &info);
	for (size_t i = 0; i < code->variables.count; i++) {
		const struct variable *variable = &code->variables.items[i];

		if (variable->block == block && shown(variable))
			print_value(code, variable, (unsigned int)variable->row.addr - info.addr);
	}
}

static bool has_floats(const struct code *code)
{
	for (size_t i = 0; i < code->variables.count; i++)
		if (code->variables.items[i].row.type == PB_ROW_F32)
			return true;
	return false;
}

/* IEEE 754 by arithmetic, since no standard function makes a REAL of its bits. */
static const char real_body[] =
	"exponent := DWORD_TO_DINT(SHR(bits, 23) AND DWORD#16#FF);\n"
	"PB_REAL := DINT_TO_REAL(DWORD_TO_DINT(bits AND DWORD#16#7FFFFF));\n"
	"IF exponent = 0 THEN\n"
	"\texponent := 1;\n"
	"ELSE\n"
	"\tPB_REAL := PB_REAL + 8388608.0;\n"
	"END_IF;\n"
	"WHILE exponent > 150 DO\n"
	"\tPB_REAL := PB_REAL * 2.0;\n"
	"\texponent := exponent - 1;\n"
	"END_WHILE;\n"
	"WHILE exponent < 150 DO\n"
	"\tPB_REAL := PB_REAL * 0.5;\n"
	"\texponent := exponent + 1;\n"
	"END_WHILE;\n"
	"IF (bits AND DWORD#16#80000000) <> DWORD#0 THEN\n"
	"\tPB_REAL := -PB_REAL;\n"
	"END_IF;\n";

/* ---- plain text ---- */

/* A comment can hold neither the end of one nor, for compilers that nest them, the beginning. */
static void print_comment(const char *text, FILE *out)
{
	const char *end = text + strlen(text);
	char one[4];
	size_t n;

	while ((n = pb_text_next(&text, end, one)) > 0)
		fwrite(one[0] == '*' ? "+" : one, 1, n, out);
}

static void describe(const struct variable *variable, FILE *out)
{
	const struct pb_row_info *row = &variable->row;

	fprintf(out, "%u", row->addr);
	if (*row->unit)
		fprintf(out, ", %s", row->unit);
	fputs(": ", out);
	/* what the register shows with another sign or origin, the variable does not */
	if (row->field && (row->scale[0] == '-' || row->offset)) {
		print_comment(row->field->description, out);
		fputs("; the register: ", out);
	}
	print_comment(row->description, out);
}

static void st_structure(const struct code *code)
{
	fprintf(code->out, "TYPE\n\tPB_%s : STRUCT\n", code->name);
	for (size_t i = 0; i < code->variables.count; i++) {
		const struct variable *variable = &code->variables.items[i];
		char array[sizeof("ARRAY[1..18446744073709551615] OF ")] = "";

		if (!shown(variable))
			continue;
		if (variable->count > 1)
			snprintf(array, sizeof(array), "ARRAY[1..%zu] OF ", variable->count);
		fprintf(code->out, "\t\t%s : %s%s; (* ", variable->name, array, type_of(variable));
		describe(variable, code->out);
		fputs(" *)\n", code->out);
		if (has_flag(variable))
			fprintf(code->out, "\t\t%s_ok : %sBOOL;\n", variable->name, array);
	}
	fputs("\tEND_STRUCT;\nEND_TYPE\n\n", code->out);
}

static void st_real(const struct code *code)
{
	fputs("FUNCTION PB_REAL : REAL (* of its bits *)\n"
	      "VAR_INPUT\n\tbits : DWORD;\nEND_VAR\n"
	      "VAR\n\texponent : DINT;\nEND_VAR\n",
	      code->out);
	fputs(real_body, code->out);
	fputs("END_FUNCTION\n\n", code->out);
}

static void st_block(const struct code *code, size_t block)
{
	struct pb_block_info info;
	char name[64];

	pb_map_block(code->map, block, &info);
	variable_identifier(info.name, name, sizeof(name));
	fprintf(code->out, "(* registers %u to %u: read %u from %u *)\n", info.addr,
		info.addr + info.count - 1, info.count, info.addr);
	fprintf(code->out,
		"FUNCTION_BLOCK PB_%s_%s\n"
		"VAR_INPUT\n\tw : ARRAY[0..%d] OF WORD;\nEND_VAR\n"
		"VAR_IN_OUT\n\tdata : PB_%s;\nEND_VAR\n",
		code->name, name, WORDS_MAX - 1, code->name);
	if (has_arrays(code, block))
		fputs("VAR\n\ti : INT;\nEND_VAR\n", code->out);
	print_body(code, block);
	fputs("END_FUNCTION_BLOCK\n\n", code->out);
}

static int begin(struct code *code, const struct pb_map *map, FILE *out)
{
	*code = (struct code){.map = map, .out = out};
	variable_identifier(pb_map_name(map), code->name, sizeof(code->name));
	return variables_of(map, &code->variables);
}

int export_st(const struct pb_map *map, const struct pb_export_target *target, FILE *out)
{
	struct code code;
	int r = begin(&code, map, out);

	(void)target;
	if (r < 0)
		return r;
	fputs("(* ", out);
	print_comment(pb_map_name(map), out);
	fprintf(out, ", version %d: ", pb_map_version(map));
	print_comment(pb_map_title(map), out);
	fputs(".\n   Printed by `packbridge map export ", out);
	print_comment(pb_map_name(map), out);
	fputs(" --format st`.\n"
	      "   Each function block makes values of the words of one block of registers, read "
	      "by\n"
	      "   function 3 or 4 with your system's own Modbus blocks. _ok tells whether the "
	      "value\n"
	      "   is there. Texts are left out. *)\n\n",
	      out);
	st_structure(&code);
	if (has_floats(&code))
		st_real(&code);
	for (size_t i = 0; i < pb_map_block_count(map); i++)
		if (block_shows(&code, i))
			st_block(&code, i);
	variables_done(&code.variables);
	return 0;
}

/* ---- PLCopen XML ---- */

static void xml_open(const struct code *code)
{
	fprintf(code->out,
		"<?xml version=\"1.0\" encoding=\"utf-8\"?>\n"
		"<project xmlns=\"http://www.plcopen.org/xml/tc6_0200\">\n"
		"  <fileHeader companyName=\"packbridge\" productName=\"packbridge\" "
		"productVersion=\"%d\" creationDateTime=\"2000-01-01T00:00:00\"/>\n"
		"  <contentHeader name=\"%s\">\n"
		"    <coordinateInfo><fbd><scaling x=\"1\" y=\"1\"/></fbd>"
		"<ld><scaling x=\"1\" y=\"1\"/></ld><sfc><scaling x=\"1\" y=\"1\"/></sfc>"
		"</coordinateInfo>\n"
		"  </contentHeader>\n"
		"  <types>\n",
		pb_map_version(code->map), code->name);
}

static void xml_type(const char *type, size_t count, FILE *out)
{
	if (count > 1)
		fprintf(out,
			"<type><array><dimension lower=\"1\" upper=\"%zu\"/>"
			"<baseType><%s/></baseType></array></type>",
			count, type);
	else
		fprintf(out, "<type><%s/></type>", type);
}

static void xml_member(const struct variable *variable, FILE *out)
{
	char *text = NULL;
	size_t len = 0;
	FILE *memory = open_memstream(&text, &len);

	fprintf(out, "          <variable name=\"%s\">", variable->name);
	xml_type(type_of(variable), variable->count, out);
	if (memory) {
		describe(variable, memory);
		fclose(memory);
		fputs("<documentation><xhtml xmlns=\"http://www.w3.org/1999/xhtml\">", out);
		pb_export_xml(text, out);
		fputs("</xhtml></documentation>", out);
		free(text);
	}
	fputs("</variable>\n", out);
	if (!has_flag(variable))
		return;
	fprintf(out, "          <variable name=\"%s_ok\">", variable->name);
	xml_type("BOOL", variable->count, out);
	fputs("</variable>\n", out);
}

static void xml_structure(const struct code *code)
{
	fprintf(code->out,
		"    <dataTypes>\n      <dataType name=\"PB_%s\">\n        <baseType><struct>\n",
		code->name);
	for (size_t i = 0; i < code->variables.count; i++)
		if (shown(&code->variables.items[i]))
			xml_member(&code->variables.items[i], code->out);
	fputs("        </struct></baseType>\n      </dataType>\n    </dataTypes>\n", code->out);
}

static void xml_variable(const char *name, const char *type, const char *value, FILE *out)
{
	fprintf(out, "          <variable name=\"%s\"><type>%s</type>", name, type);
	if (value) {
		fputs("<initialValue><simpleValue value=\"", out);
		pb_export_xml(value, out);
		fputs("\"/></initialValue>", out);
	}
	fputs("</variable>\n", out);
}

static void xml_st(const char *text, FILE *out)
{
	fputs("        <body><ST><xhtml xmlns=\"http://www.w3.org/1999/xhtml\">", out);
	pb_export_xml(text, out);
	fputs("</xhtml></ST></body>\n      </pou>\n", out);
}

#define WORDS "<array><dimension lower=\"0\" upper=\"119\"/><baseType><WORD/></baseType></array>"

static void xml_real(FILE *out)
{
	fputs("      <pou name=\"PB_REAL\" pouType=\"function\">\n        <interface>\n"
	      "          <returnType><REAL/></returnType>\n          <inputVars>\n",
	      out);
	xml_variable("bits", "<DWORD/>", NULL, out);
	fputs("          </inputVars>\n          <localVars>\n", out);
	xml_variable("exponent", "<DINT/>", NULL, out);
	fputs("          </localVars>\n        </interface>\n", out);
	xml_st(real_body, out);
}

/* What print_body() prints, as a text; NULL when out of memory. */
static char *body_text(struct code *code, size_t block)
{
	FILE *before = code->out;
	char *text = NULL;
	size_t len = 0;

	code->out = open_memstream(&text, &len);
	if (code->out) {
		print_body(code, block);
		fclose(code->out);
	}
	code->out = before;
	return text;
}

static int xml_block(struct code *code, size_t block)
{
	struct pb_block_info info;
	char name[64], type[128], *text = body_text(code, block);
	FILE *out = code->out;

	if (!text)
		return -ENOMEM;
	pb_map_block(code->map, block, &info);
	variable_identifier(info.name, name, sizeof(name));
	snprintf(type, sizeof(type), "<derived name=\"PB_%s\"/>", code->name);
	fprintf(out,
		"      <pou name=\"PB_%s_%s\" pouType=\"functionBlock\">\n        <interface>\n"
		"          <inputVars>\n",
		code->name, name);
	xml_variable("w", WORDS, NULL, out);
	fputs("          </inputVars>\n          <inOutVars>\n", out);
	xml_variable("data", type, NULL, out);
	fputs("          </inOutVars>\n", out);
	if (has_arrays(code, block)) {
		fputs("          <localVars>\n", out);
		xml_variable("i", "<INT/>", NULL, out);
		fputs("          </localVars>\n", out);
	}
	fputs("        </interface>\n", out);
	xml_st(text, out);
	free(text);
	return 0;
}

/* ---- the block that reads ---- */

static void reader_body(const struct code *code, FILE *out)
{
	size_t shown_blocks = 0;

	fputs("(* A rising edge of bExecute reads all blocks once. bValid: the last read was "
	      "whole.\n"
	      "   data keeps what was read last, so look at bValid, and at data.age or\n"
	      "   data.quality, before you use it. *)\n"
	      "IF bExecute AND NOT bBefore AND NOT bBusy THEN\n"
	      "\tnBlock := 1;\n\tbBusy := TRUE;\n\tbError := FALSE;\n\tnErrId := 0;\n"
	      "\tbRead := FALSE;\n"
	      "END_IF;\n"
	      "bBefore := bExecute;\n"
	      "IF NOT bBusy THEN\n"
	      "\tfbRead(bExecute := FALSE);\n"
	      "\tRETURN;\n"
	      "END_IF;\n"
	      "CASE nBlock OF\n",
	      out);
	for (size_t i = 0; i < pb_map_block_count(code->map); i++) {
		struct pb_block_info info;

		if (!block_shows(code, i))
			continue;
		pb_map_block(code->map, i, &info);
		fprintf(out, "%zu: nAddr := 16#%04X; nCount := %u;\n", ++shown_blocks, info.addr,
			info.count);
	}
	fputs("END_CASE;\n"
	      "IF NOT bRead THEN\n"
	      "\tfbRead(bExecute := FALSE);\n"
	      "\tbRead := TRUE;\n"
	      "END_IF;\n"
	      "fbRead(sIPAddr := sIPAddr, nTCPPort := nTCPPort, nUnitID := nUnitID,\n"
	      "\tnQuantity := nCount, nMBAddr := nAddr, cbLength := SIZEOF(w), pDestAddr := "
	      "ADR(w),\n"
	      "\tbExecute := TRUE, tTimeout := tTimeout);\n"
	      "IF fbRead.bBUSY THEN\n"
	      "\tRETURN;\n"
	      "END_IF;\n"
	      "bRead := FALSE;\n"
	      "IF fbRead.bError THEN\n"
	      "\tbError := TRUE;\n\tnErrId := fbRead.nErrId;\n\tbValid := FALSE;\n\tbBusy := "
	      "FALSE;\n"
	      "\tRETURN;\n"
	      "END_IF;\n"
	      "CASE nBlock OF\n",
	      out);
	shown_blocks = 0;
	for (size_t i = 0; i < pb_map_block_count(code->map); i++) {
		struct pb_block_info info;
		char name[64];

		if (!block_shows(code, i))
			continue;
		pb_map_block(code->map, i, &info);
		variable_identifier(info.name, name, sizeof(name));
		fprintf(out, "%zu: fb_%s(w := w, data := data);\n", ++shown_blocks, name);
	}
	fprintf(out,
		"END_CASE;\n"
		"nBlock := nBlock + 1;\n"
		"IF nBlock > %zu THEN\n"
		"\tbBusy := FALSE;\n\tbValid := TRUE;\n"
		"END_IF;\n",
		shown_blocks);
}

static void reader_interface(const struct code *code, const struct pb_export_target *target)
{
	FILE *out = code->out;
	char text[128];

	fprintf(out,
		"      <pou name=\"FB_Read_%s\" pouType=\"functionBlock\">\n        <interface>\n"
		"          <inputVars>\n",
		code->name);
	snprintf(text, sizeof(text), "'%s'", target->host);
	xml_variable("sIPAddr", "<string length=\"15\"/>", text, out);
	snprintf(text, sizeof(text), "%u", target->port);
	xml_variable("nTCPPort", "<UINT/>", text, out);
	snprintf(text, sizeof(text), "%u", target->unit);
	xml_variable("nUnitID", "<BYTE/>", text, out);
	xml_variable("bExecute", "<BOOL/>", NULL, out);
	xml_variable("tTimeout", "<TIME/>", "T#5S", out);
	fputs("          </inputVars>\n          <outputVars>\n", out);
	xml_variable("bBusy", "<BOOL/>", NULL, out);
	xml_variable("bError", "<BOOL/>", NULL, out);
	xml_variable("nErrId", "<UDINT/>", NULL, out);
	xml_variable("bValid", "<BOOL/>", NULL, out);
	snprintf(text, sizeof(text), "<derived name=\"PB_%s\"/>", code->name);
	xml_variable("data", text, NULL, out);
	fputs("          </outputVars>\n          <localVars>\n", out);
	xml_variable("fbRead", "<derived name=\"FB_MBReadRegs\"/>", NULL, out);
	xml_variable("w", WORDS, NULL, out);
	xml_variable("nBlock", "<INT/>", NULL, out);
	xml_variable("nAddr", "<WORD/>", NULL, out);
	xml_variable("nCount", "<WORD/>", NULL, out);
	xml_variable("bBefore", "<BOOL/>", NULL, out);
	xml_variable("bRead", "<BOOL/>", NULL, out);
	for (size_t i = 0; i < pb_map_block_count(code->map); i++) {
		struct pb_block_info info;
		char name[80], block[64];

		if (!block_shows(code, i))
			continue;
		pb_map_block(code->map, i, &info);
		variable_identifier(info.name, block, sizeof(block));
		snprintf(name, sizeof(name), "fb_%s", block);
		snprintf(text, sizeof(text), "<derived name=\"PB_%.50s_%.40s\"/>", code->name,
			 block);
		xml_variable(name, text, NULL, out);
	}
	fputs("          </localVars>\n        </interface>\n", out);
}

static int xml_reader(const struct code *code, const struct pb_export_target *target)
{
	char *text = NULL;
	size_t len = 0;
	FILE *memory = open_memstream(&text, &len);

	if (!memory)
		return -ENOMEM;
	reader_body(code, memory);
	fclose(memory);
	reader_interface(code, target);
	xml_st(text, code->out);
	free(text);
	return 0;
}

int export_twincat(const struct pb_map *map, const struct pb_export_target *target, FILE *out)
{
	struct code code;
	int r = begin(&code, map, out);

	if (r < 0)
		return r;
	xml_open(&code);
	xml_structure(&code);
	fputs("    <pous>\n", out);
	if (has_floats(&code))
		xml_real(out);
	for (size_t i = 0; r >= 0 && i < pb_map_block_count(map); i++)
		if (block_shows(&code, i))
			r = xml_block(&code, i);
	if (r >= 0)
		r = xml_reader(&code, target);
	fputs("    </pous>\n  </types>\n  <instances><configurations/></instances>\n</project>\n",
	      out);
	variables_done(&code.variables);
	return r;
}
