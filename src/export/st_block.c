/* SPDX-License-Identifier: MIT */
/*
 * The body of the function block of one block of registers: it makes values of the words in `w`.
 *For example, of a register in 0.1 A that can mean "not available":
 *
 *	data.current_ok := w[2] <> WORD#16#8000;
 *	IF data.current_ok THEN
 *		data.current := INT_TO_REAL(WORD_TO_INT(w[2])) * 0.1;
 *	ELSE
 *		data.current := 0.0;
 *	END_IF;
 */
#include "st_code.h"

#include <string.h>

/* The register's words as an expression; @at: index of the first in `w`. */
static void st_block_words_of(const struct st_code *code, const struct variable *variable,
			      const char *at, const char *next, char *out, size_t cap)
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
	case PB_ROW_U64:
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

static void st_block_value_of(const struct variable *variable, const char *words, char *out,
			      size_t cap)
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

static void print_flag(const struct variable *variable, const char *element, const char *words,
		       FILE *out)
{
	const struct pb_row_info *row = &variable->row;
	unsigned long long na = (unsigned long long)row->na;

	/* of a float, all ones in the exponent: NaN */
	if (row->type == PB_ROW_F32)
		fprintf(out, "data.%s_ok%s := ((%s) AND DWORD#16#7F800000) <> DWORD#16#7F800000;\n",
			variable->name, element, words);
	else if (row->words == 1)
		fprintf(out, "data.%s_ok%s := %s <> WORD#16#%04llX;\n", variable->name, element,
			words, na & 0xFFFF);
	else
		fprintf(out, "data.%s_ok%s := (%s) <> DWORD#16#%08llX;\n", variable->name, element,
			words, na & 0xFFFFFFFF);
}

static void print_loop(const struct variable *variable, FILE *out)
{
	fprintf(out, "FOR i := %d TO %d DO\n", variable->first,
		variable->first + (int)variable->count - 1);
}

/* The index of a word in `w`, of the loop's element or of the only one. */
static void place_of(const struct variable *variable, unsigned int at, char *out, size_t cap)
{
	int step = variable->row.words, offset = (int)at - variable->first * step;

	if (variable->count == 1)
		snprintf(out, cap, "%u", at);
	else
		snprintf(out, cap, "%si %c %d", step == 1 ? "" : "2 * ", offset < 0 ? '-' : '+',
			 offset < 0 ? -offset : offset);
}

static void st_block_print_value(const struct st_code *code, const struct variable *variable,
				 unsigned int at, FILE *out)
{
	char first[48], second[48], words[160], value[512];
	const char *element = variable->count > 1 ? "[i]" : "";
	const char *zero = variable_is_real(variable)	  ? "0.0"
			   : variable_is_number(variable) ? "0"
			   : variable->row.words == 1	  ? "WORD#0"
							  : "DWORD#0";
	const char *tab = variable->count > 1 ? "\t" : "";

	if (variable->count > 1)
		print_loop(variable, out);
	place_of(variable, at, first, sizeof(first));
	place_of(variable, at + 1, second, sizeof(second));
	st_block_words_of(code, variable, first, second, words, sizeof(words));
	st_block_value_of(variable, words, value, sizeof(value));
	bracket(value, sizeof(value));
	if (!st_has_flag(variable)) {
		fprintf(out, "%sdata.%s%s := %s;\n", tab, variable->name, element, value);
	} else {
		fputs(tab, out);
		print_flag(variable, element, words, out);
		fprintf(out, "%sIF data.%s_ok%s THEN\n", tab, variable->name, element);
		fprintf(out, "%s\tdata.%s%s := %s;\n", tab, variable->name, element, value);
		fprintf(out, "%sELSE\n%s\tdata.%s%s := %s;\n%sEND_IF;\n", tab, tab, variable->name,
			element, zero, tab);
	}
	if (variable->count > 1)
		fputs("END_FOR;\n", out);
}

static void print_part(const struct st_member *member, FILE *out)
{
	const char *word = member->word->row.words == 1 ? "WORD" : "DWORD";

	if (member->width > 1)
		fprintf(out, "data.%s := WORD_TO_UINT(SHR(data.%s, %u) AND WORD#16#%X);\n",
			member->name, member->word->name, member->bit, (1u << member->width) - 1);
	else
		fprintf(out, "data.%s := (data.%s AND %s#16#%X) <> %s#0;\n", member->name,
			member->word->name, word, 1u << member->bit, word);
}

static void print_parts(const struct st_code *code, const struct variable *variable, FILE *out)
{
	for (size_t i = 0; i < code->member_count; i++)
		if (code->members[i].word == variable)
			print_part(&code->members[i], out);
}

void st_print_block(const struct st_code *code, size_t block, FILE *out)
{
	struct pb_block_info info;

	pb_map_block(code->map, block, &info);
	for (size_t i = 0; i < code->variables.count; i++) {
		const struct variable *variable = &code->variables.items[i];
		const struct st_text *text = st_text_of(variable);

		if (variable->block != block || !st_shown(variable))
			continue;
		st_block_print_value(code, variable, (unsigned int)variable->row.addr - info.addr,
				     out);
		if (text)
			fprintf(out, "data.%s_text := %s(data.%s);\n", variable->name,
				text->function, variable->name);
		print_parts(code, variable, out);
	}
}

bool st_block_shows(const struct st_code *code, size_t block)
{
	for (size_t i = 0; i < code->variables.count; i++)
		if (code->variables.items[i].block == block && st_shown(&code->variables.items[i]))
			return true;
	return false;
}

bool st_block_has_arrays(const struct st_code *code, size_t block)
{
	for (size_t i = 0; i < code->variables.count; i++) {
		const struct variable *variable = &code->variables.items[i];

		if (variable->block == block && st_shown(variable) && variable->count > 1)
			return true;
	}
	return false;
}

void st_block_name(const struct st_code *code, size_t block, char *out, size_t cap)
{
	struct pb_block_info info;

	pb_map_block(code->map, block, &info);
	pb_export_identifier(info.name, out, cap);
}
