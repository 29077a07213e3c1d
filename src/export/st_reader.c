/* SPDX-License-Identifier: MIT */
/*
 * The block that reads all blocks of a map one by one, and the one with quality and sequence once
 * more at the end: the same sequence shows that all values are of one reading.
 */
#include "st_code.h"

#include <string.h>

const struct st_reader_variable st_reader_variables[] = {
	{"bExecute", "BOOL", ST_INPUT},
	{"bDone", "BOOL", ST_INPUT},
	{"bFailed", "BOOL", ST_INPUT},
	{"nFailure", "UDINT", ST_INPUT},
	{"w", "words", ST_INPUT},
	{"bRequest", "BOOL", ST_OUTPUT},
	{"nAddr", "UINT", ST_OUTPUT},
	{"nCount", "UINT", ST_OUTPUT},
	{"bBusy", "BOOL", ST_OUTPUT},
	{"bError", "BOOL", ST_OUTPUT},
	{"nErrId", "UDINT", ST_OUTPUT},
	{"bValid", "BOOL", ST_OUTPUT},
	{"bFresh", "BOOL", ST_OUTPUT},
	{"data", NULL, ST_OUTPUT},
	{"nBlock", "INT", ST_LOCAL},
	{"bBefore", "BOOL", ST_LOCAL},
	{"bBad", "BOOL", ST_LOCAL},
	{"nSequence", "UINT", ST_LOCAL},
	{"bAlways", "BOOL", ST_LOCAL},
	{"bFound", "BOOL", ST_LOCAL},
	{0},
};

static const struct variable *reader_find(const struct st_code *code, const char *name)
{
	for (size_t i = 0; i < code->variables.count; i++)
		if (strcmp(code->variables.items[i].name, name) == 0 &&
		    code->variables.items[i].row.type == PB_ROW_U16 &&
		    code->variables.items[i].always)
			return &code->variables.items[i];
	return NULL;
}

/* The block with quality and sequence is read once more at the end: its number in the map. */
static bool has_sequence(const struct st_code *code, size_t *ret_block)
{
	const struct variable *quality = reader_find(code, "quality"),
			      *sequence = reader_find(code, "sequence");

	if (!quality || !sequence || quality->block != sequence->block)
		return false;
	*ret_block = sequence->block;
	return true;
}

bool st_reader_has(const struct st_code *code, const struct st_reader_variable *variable)
{
	size_t block;

	return has_sequence(code, &block) ||
	       (strcmp(variable->name, "bFresh") != 0 && strcmp(variable->name, "nSequence") != 0);
}

/* Runs @print for all blocks that are read, in their order, numbered from 1. @return how many. */
static size_t each_block(const struct st_code *code,
			 void (*print)(const struct st_code *code, size_t number, size_t block,
				       FILE *out),
			 FILE *out)
{
	size_t number = 0, again;

	for (size_t i = 0; i < pb_map_block_count(code->map); i++)
		if (st_block_shows(code, i))
			print(code, ++number, i, out);
	if (has_sequence(code, &again))
		print(code, ++number, again, out);
	return number;
}

static void print_take(const struct st_code *code, size_t number, size_t block, FILE *out)
{
	char name[64];

	st_block_name(code, block, name, sizeof(name));
	fprintf(out, "\t\t%zu: fb_%s(w := w, data := data);\n", number, name);
}

static void print_place(const struct st_code *code, size_t number, size_t block, FILE *out)
{
	struct pb_block_info info;

	pb_map_block(code->map, block, &info);
	fprintf(out, "\t\t%zu: nAddr := %u; nCount := %u; bAlways := %s;\n", number, info.addr,
		info.count, info.always ? "TRUE" : "FALSE");
}

void st_print_reader(const struct st_code *code, FILE *out)
{
	size_t again, count;
	bool sequence = has_sequence(code, &again);

	fputs("(* A rising edge of bExecute reads all blocks once. bValid: all were read.\n", out);
	if (sequence)
		fputs("   bFresh: the reading is good, and all blocks are of the same one.\n", out);
	fputs("   After an error, blocks that can always be read are read all the same, so "
	      "quality,\n"
	      "   age and alarms in data are current. The others keep what was read last: look at\n"
	      "   bValid before you use them. *)\n"
	      "IF bExecute AND NOT bBefore AND NOT bBusy THEN\n"
	      "\tnBlock := 0;\n\tbBusy := TRUE;\n\tbBad := FALSE;\n\tbRequest := FALSE;\n"
	      "END_IF;\n"
	      "bBefore := bExecute;\n"
	      "IF NOT bBusy OR (bRequest AND NOT bDone) THEN\n"
	      "\tRETURN;\n"
	      "END_IF;\n"
	      "IF bRequest AND bFailed THEN\n"
	      "\tIF NOT bBad THEN\n\t\tnErrId := nFailure;\n\tEND_IF;\n"
	      "\tbBad := TRUE;\n"
	      "\tIF bAlways THEN (* nobody is there *)\n"
	      "\t\tnBlock := 1000;\n"
	      "\tEND_IF;\n"
	      "ELSIF bRequest THEN\n"
	      "\tCASE nBlock OF\n",
	      out);
	count = each_block(code, print_take, out);
	fputs("\tEND_CASE;\n", out);
	if (sequence)
		fputs("\tIF nBlock = 1 THEN\n\t\tnSequence := data.sequence;\n\tEND_IF;\n", out);
	fputs("END_IF;\n"
	      "bRequest := FALSE;\n"
	      "bFound := FALSE;\n"
	      "WHILE NOT bFound DO (* after an error, what can always be read *)\n"
	      "\tnBlock := nBlock + 1;\n"
	      "\tCASE nBlock OF\n",
	      out);
	each_block(code, print_place, out);
	fprintf(out,
		"\tELSE\n\t\tbAlways := TRUE;\n"
		"\tEND_CASE;\n"
		"\tbFound := bAlways OR NOT bBad;\n"
		"END_WHILE;\n"
		"IF nBlock <= %zu THEN\n\tbRequest := TRUE;\n\tRETURN;\nEND_IF;\n"
		"bBusy := FALSE;\n"
		"bError := bBad;\n"
		"IF NOT bBad THEN\n\tnErrId := 0;\nEND_IF;\n"
		"bValid := NOT bBad;\n",
		count);
	if (sequence)
		fputs("bFresh := bValid AND data.quality = 1 AND data.sequence = nSequence;\n",
		      out);
}
