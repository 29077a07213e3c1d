/* SPDX-License-Identifier: MIT */
/*
 * IEC 61131-3 as plain text, for any compiler: for each map a structure of its values, a function
 * block for each block of registers that makes values of words, and a block that reads them all.
 */
#include "st_code.h"

#include <errno.h>
#include <string.h>

#define WORDS "ARRAY[0..119] OF WORD"

static void st_structure(const struct st_code *code, FILE *out)
{
	fprintf(out, "TYPE\n\tPB_%s : STRUCT\n", code->name);
	for (size_t i = 0; i < code->member_count; i++) {
		const struct st_member *member = &code->members[i];

		fprintf(out, "\t\t%s : ", member->name);
		if (member->count > 1)
			fprintf(out, "ARRAY[%d..%d] OF ", member->first,
				member->first + (int)member->count - 1);
		fprintf(out, "%s;", member->type);
		if (member->about) {
			fputs(" (* ", out);
			st_describe(member->about, out);
			fputs(" *)", out);
		}
		fputc('\n', out);
	}
	fputs("\tEND_STRUCT;\nEND_TYPE\n\n", out);
}

static void st_function(const struct st_function *function, FILE *out)
{
	fprintf(out, "FUNCTION %s : %s\nVAR_INPUT\n\t%s : %s;\nEND_VAR\n", function->name,
		function->returns, function->input, function->input_type);
	if (function->local)
		fprintf(out, "VAR\n\t%s : %s;\nEND_VAR\n", function->local, function->local_type);
	function->print(out);
	fputs("END_FUNCTION\n\n", out);
}

static int st_shared(const struct pb_export_job *job, FILE *out)
{
	int r = 0;

	for (const struct st_function *function = st_functions; r >= 0 && function->name;
	     function++) {
		bool needed = false;

		r = st_function_needed(job, function, &needed);
		if (r >= 0 && needed)
			st_function(function, out);
	}
	return r;
}

static void st_block(const struct st_code *code, size_t block, FILE *out)
{
	struct pb_block_info info;
	char name[64];

	pb_map_block(code->map, block, &info);
	st_block_name(code, block, name, sizeof(name));
	fprintf(out, "(* registers %u to %u: read %u from %u%s *)\n", info.addr,
		info.addr + info.count - 1, info.count, info.addr,
		info.always ? ", always readable" : "");
	fprintf(out,
		"FUNCTION_BLOCK PB_%s_%s\nVAR_INPUT\n\tw : " WORDS
		";\nEND_VAR\nVAR_IN_OUT\n\tdata : PB_%s;\nEND_VAR\n",
		code->name, name, code->name);
	if (st_block_has_arrays(code, block))
		fputs("VAR\n\ti : INT;\nEND_VAR\n", out);
	st_print_block(code, block, out);
	fputs("END_FUNCTION_BLOCK\n\n", out);
}

static void st_reader(const struct st_code *code, FILE *out)
{
	static const char *const sections[] = {"VAR_INPUT", "VAR_OUTPUT", "VAR"};
	char name[64];

	fprintf(out, "FUNCTION_BLOCK PB_%s_reader\n", code->name);
	for (size_t section = 0; section < PB_ARRAY_SIZE(sections); section++) {
		fprintf(out, "%s\n", sections[section]);
		for (const struct st_reader_variable *v = st_reader_variables; v->name; v++) {
			if (v->section != section || !st_reader_has(code, v))
				continue;
			if (!v->type)
				fprintf(out, "\t%s : PB_%s;\n", v->name, code->name);
			else
				fprintf(out, "\t%s : %s;\n", v->name,
					strcmp(v->type, "words") == 0 ? WORDS : v->type);
		}
		for (size_t i = 0; section == ST_LOCAL && i < pb_map_block_count(code->map); i++)
			if (st_block_shows(code, i)) {
				st_block_name(code, i, name, sizeof(name));
				fprintf(out, "\tfb_%s : PB_%s_%s;\n", name, code->name, name);
			}
		fputs("END_VAR\n", out);
	}
	st_print_reader(code, out);
	fputs("END_FUNCTION_BLOCK\n\n", out);
}

static void st_control(const struct st_code *code, FILE *out)
{
	static const char *const sections[] = {"VAR_INPUT", "VAR_OUTPUT", "VAR"};
	unsigned int addr;

	if (!st_control_has(code, &addr))
		return;
	fprintf(out, "FUNCTION_BLOCK PB_%s_switch\n", code->name);
	for (size_t section = 0; section < PB_ARRAY_SIZE(sections); section++) {
		fprintf(out, "%s\n", sections[section]);
		for (const struct st_control_variable *v = st_control_variables; v->name; v++) {
			if (v->section != section)
				continue;
			fprintf(out, "\t%s : %s%s%s;\n", v->name,
				strcmp(v->type, "words") == 0	? "ARRAY[0..3] OF WORD"
				: strcmp(v->type, "timer") == 0 ? "TON"
								: v->type,
				v->initial ? " := " : "", v->initial ? v->initial : "");
		}
		fputs("END_VAR\n", out);
	}
	fprintf(out, "VAR_IN_OUT\n\tdata : PB_%s;\nEND_VAR\n", code->name);
	st_print_control(code, out);
	fputs("END_FUNCTION_BLOCK\n\n", out);
}

static int st_map(const struct pb_map *map, FILE *out)
{
	struct st_code code;
	int r = st_code_of(map, &code);

	if (r >= 0) {
		st_structure(&code, out);
		for (size_t i = 0; i < pb_map_block_count(map); i++)
			if (st_block_shows(&code, i))
				st_block(&code, i, out);
		st_reader(&code, out);
		st_control(&code, out);
	}
	st_code_done(&code);
	return r;
}

static void st_head(const struct pb_export_job *job, FILE *out)
{
	fputs("(* ", out);
	for (size_t i = 0; i < job->count; i++) {
		const struct pb_map *map = job->units[i].map;

		if (!pb_export_is_first(job, i))
			continue;
		st_print_comment(pb_map_name(map), out);
		fprintf(out, ", version %d: ", pb_map_version(map));
		st_print_comment(pb_map_title(map), out);
		fputs(".\n   ", out);
		if (pb_map_word_count(map))
			fputs("Replies of this map are not Modbus: a Modbus block can't read "
			      "them.\n   ",
			      out);
	}
	fputs("Printed by `packbridge map export --format st`.\n"
	      "   Each block PB_<map>_<block> makes values of the words of one block of registers. "
	      "_ok\n"
	      "   tells whether the value is there. Texts are left out.\n"
	      "   PB_<map>_reader reads all blocks: while bRequest is TRUE, read nCount registers "
	      "from\n"
	      "   nAddr by function 3 with your system's own Modbus block, and give the words back "
	      "with\n"
	      "   bDone for one call, or bDone and bFailed with the error's number in nFailure.\n"
	      "   PB_<map>_switch, of maps with control, writes in the same way by function 16. *)"
	      "\n\n",
	      out);
}

int export_st(const struct pb_export_job *job, FILE *out)
{
	int r;

	st_head(job, out);
	r = st_shared(job, out);
	for (size_t i = 0; r >= 0 && i < job->count; i++)
		if (pb_export_is_first(job, i))
			r = st_map(job->units[i].map, out);
	return r;
}
