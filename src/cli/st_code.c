/* SPDX-License-Identifier: MIT */
#include "packbridge/model/battery.h"

#include "st_code.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static bool st_shown(const struct variable *variable)
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

/* ---- members ---- */

static bool has_member(const struct st_code *code, const char *name)
{
	for (size_t i = 0; i < code->member_count; i++)
		if (strcmp(code->members[i].name, name) == 0)
			return true;
	for (size_t i = 0; i < code->variables.count; i++)
		if (st_shown(&code->variables.items[i]) &&
		    strcmp(code->variables.items[i].name, name) == 0)
			return true;
	return false;
}

static int add_member(struct st_code *code, const struct st_member *member)
{
	if (code->member_count == code->member_room) {
		size_t room = code->member_room ? 2 * code->member_room : 64;
		struct st_member *more = realloc(code->members, room * sizeof(*more));

		if (!more)
			return -ENOMEM;
		code->members = more;
		code->member_room = room;
	}
	code->members[code->member_count++] = *member;
	return 0;
}

/* What a register's number means, as a text. */
struct text_of {
	const char *ending; /* of the field's name */
	const char *function;
};

static const struct text_of texts[] = {
	{"_reason", "PB_REASON"},
	{"last_error", "PB_ERROR"},
	{"quality", "PB_QUALITY"},
};

static const struct text_of *text_of(const struct variable *variable)
{
	const struct pb_row_info *row = &variable->row;
	size_t len = row->field ? strlen(row->field->name) : 0;

	if (!row->field || row->type != PB_ROW_U16 || row->values || variable->count > 1)
		return NULL;
	for (size_t i = 0; i < PB_ARRAY_SIZE(texts); i++) {
		size_t n = strlen(texts[i].ending);

		if (len >= n && strcmp(row->field->name + len - n, texts[i].ending) == 0)
			return &texts[i];
	}
	return NULL;
}

/* A flag or a small number within a word: a bit of a register of bits, or of a mask with names. */
struct part {
	char name[ST_NAME];
	unsigned int bit, width;
};

/* The name alone where it is free, else behind that of its word. */
static void part_name(const struct st_code *code, const struct variable *variable, const char *name,
		      struct part *part)
{
	if (has_member(code, name))
		snprintf(part->name, sizeof(part->name), "%s_%s", variable->name, name);
	else
		snprintf(part->name, sizeof(part->name), "%s", name);
}

static bool bits_part(const struct st_code *code, const struct variable *variable, unsigned int bit,
		      struct part *ret)
{
	struct pb_bit_info info;
	char name[VARIABLE_NAME];

	if (bit > 15 || !pb_map_bit(code->map, variable->index, bit, &info))
		return false;
	variable_bit_name(&info, name, sizeof(name));
	*ret = (struct part){.bit = bit, .width = info.number ? info.width : 1};
	part_name(code, variable, name, ret);
	return true;
}

/* The bits of a mask that have names: protections, warnings, alarms. */
static bool mask_part(const struct st_code *code, const struct variable *variable, unsigned int bit,
		      struct part *ret)
{
	const struct pb_row_info *row = &variable->row;
	unsigned int first = row->bit > 0 ? (unsigned int)row->bit : 0;
	const char *part;
	char name[VARIABLE_NAME];

	if (row->width > 0 && bit >= (unsigned int)row->width)
		return false;
	part = bit < 16u * row->words ? pb_field_part(row->field, first + bit) : NULL;
	if (!part)
		return false;
	snprintf(name, sizeof(name), "%s_%s", pb_field_stem(row->field), part);
	*ret = (struct part){.bit = bit, .width = 1};
	part_name(code, variable, name, ret);
	return true;
}

static bool part_of(const struct st_code *code, const struct variable *variable, unsigned int bit,
		    struct part *ret)
{
	if (variable->row.type == PB_ROW_BITS)
		return bits_part(code, variable, bit, ret);
	return variable->row.field && variable->row.field->kind == PB_KIND_MASK &&
	       variable->row.type != PB_ROW_F32 && variable->count == 1 &&
	       mask_part(code, variable, bit, ret);
}

static int add_parts(struct st_code *code, const struct variable *variable)
{
	struct st_member member = {.count = 1, .word = variable};
	struct part part;
	int r = 0;

	for (unsigned int bit = 0; r >= 0 && bit < 32; bit++) {
		if (!part_of(code, variable, bit, &part))
			continue;
		memcpy(member.name, part.name, sizeof(member.name));
		member.type = part.width > 1 ? "UINT" : "BOOL";
		member.bit = part.bit;
		member.width = part.width;
		r = add_member(code, &member);
	}
	return r;
}

static int add_variable(struct st_code *code, const struct variable *variable)
{
	struct st_member member = {
		.type = type_of(variable),
		.first = variable->first > 0 ? variable->first : 0,
		.count = variable->count,
		.about = variable,
	};
	int r;

	snprintf(member.name, sizeof(member.name), "%s", variable->name);
	r = add_member(code, &member);
	member.about = NULL;
	if (r >= 0 && has_flag(variable)) {
		snprintf(member.name, sizeof(member.name), "%s_ok", variable->name);
		member.type = "BOOL";
		r = add_member(code, &member);
	}
	if (r >= 0 && text_of(variable)) {
		snprintf(member.name, sizeof(member.name), "%s_text", variable->name);
		member.type = "STRING";
		r = add_member(code, &member);
	}
	return r;
}

int st_code_of(const struct pb_map *map, struct st_code *ret)
{
	int r;

	*ret = (struct st_code){.map = map};
	variable_identifier(pb_map_name(map), ret->name, sizeof(ret->name));
	r = variables_of(map, &ret->variables);
	for (size_t i = 0; r >= 0 && i < ret->variables.count; i++)
		if (st_shown(&ret->variables.items[i]))
			r = add_variable(ret, &ret->variables.items[i]);
	/* last, so that their names give way */
	for (size_t i = 0; r >= 0 && i < ret->variables.count; i++)
		if (st_shown(&ret->variables.items[i]))
			r = add_parts(ret, &ret->variables.items[i]);
	return r;
}

void st_code_done(struct st_code *code)
{
	variables_done(&code->variables);
	free(code->members);
}

/* ---- the body that makes values of words ---- */

/* The register's words as an expression; @at: index of the first in `w`. */
static void words_of(const struct st_code *code, const struct variable *variable, const char *at,
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

static void print_value(const struct st_code *code, const struct variable *variable,
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
	words_of(code, variable, first, second, words, sizeof(words));
	value_of(variable, words, value, sizeof(value));
	bracket(value, sizeof(value));
	if (!has_flag(variable)) {
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
		const struct text_of *text = text_of(variable);

		if (variable->block != block || !st_shown(variable))
			continue;
		print_value(code, variable, (unsigned int)variable->row.addr - info.addr, out);
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
	variable_identifier(info.name, out, cap);
}

/* ---- comments ---- */

void st_print_comment(const char *text, FILE *out)
{
	const char *end = text + strlen(text);
	char one[4];
	size_t n;

	while ((n = pb_text_next(&text, end, one)) > 0)
		fwrite(one[0] == '*' ? "+" : one, 1, n, out);
}

void st_describe(const struct variable *variable, FILE *out)
{
	const struct pb_row_info *row = &variable->row;

	fprintf(out, "%u", row->addr);
	if (*row->unit)
		fprintf(out, ", %s", row->unit);
	fputs(": ", out);
	/* what the register shows with another sign or origin, the variable does not */
	if (row->field && (row->scale[0] == '-' || row->offset)) {
		st_print_comment(row->field->description, out);
		fputs("; the register: ", out);
	}
	st_print_comment(row->description, out);
}

/* ---- functions ---- */

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

static void print_real(FILE *out)
{
	fputs(real_body, out);
}

static void print_texts(const char *function, unsigned int count, const char *(*text)(int number),
			FILE *out)
{
	fputs("CASE code OF\n", out);
	for (unsigned int i = 0; i < count; i++) {
		fprintf(out, "%u: %s := '", i, function);
		for (const char *at = text((int)i); *at; at++)
			fprintf(out, "%s%c", *at == '\'' || *at == '$' ? "$" : "", *at);
		fputs("';\n", out);
	}
	fprintf(out, "ELSE\n\t%s := '?';\nEND_CASE;\n", function);
}

static const char *reason_text(int number)
{
	return pb_reason_text((enum pb_reason)number);
}

static const char *error_text(int number)
{
	return pb_error_text((enum pb_error)number);
}

static const char *quality_text(int number)
{
	return pb_quality_text((enum pb_quality)number);
}

static void print_reason(FILE *out)
{
	print_texts("PB_REASON", PB_REASON_COUNT, reason_text, out);
}

static void print_error(FILE *out)
{
	print_texts("PB_ERROR", PB_ERROR_COUNT, error_text, out);
}

static void print_quality(FILE *out)
{
	print_texts("PB_QUALITY", PB_QUALITY_LOST + 1, quality_text, out);
}

static bool uses_text(const struct st_code *code, const char *function)
{
	for (size_t i = 0; i < code->variables.count; i++) {
		const struct text_of *text = text_of(&code->variables.items[i]);

		if (text && strcmp(text->function, function) == 0)
			return true;
	}
	return false;
}

static bool uses_reason(const struct st_code *code)
{
	return uses_text(code, "PB_REASON");
}

static bool uses_error(const struct st_code *code)
{
	return uses_text(code, "PB_ERROR");
}

static bool uses_quality(const struct st_code *code)
{
	return uses_text(code, "PB_QUALITY");
}

static bool uses_real(const struct st_code *code)
{
	for (size_t i = 0; i < code->variables.count; i++)
		if (code->variables.items[i].row.type == PB_ROW_F32)
			return true;
	return false;
}

const struct st_function st_functions[] = {
	{"PB_REAL", "REAL", "bits", "DWORD", "exponent", "DINT", print_real, uses_real},
	{"PB_REASON", "STRING", "code", "UINT", NULL, NULL, print_reason, uses_reason},
	{"PB_ERROR", "STRING", "code", "UINT", NULL, NULL, print_error, uses_error},
	{"PB_QUALITY", "STRING", "code", "UINT", NULL, NULL, print_quality, uses_quality},
	{0},
};

int st_function_needed(const struct pb_export_job *job, const struct st_function *function,
		       bool *ret)
{
	bool needed = false;
	int r = 0;

	for (size_t i = 0; r >= 0 && i < job->count; i++) {
		struct st_code code;

		r = st_code_of(job->units[i].map, &code);
		needed |= r >= 0 && function->needed(&code);
		st_code_done(&code);
	}
	*ret = needed;
	return r;
}

/* ---- the block that reads ---- */

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

static const struct variable *find(const struct st_code *code, const char *name)
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
	const struct variable *quality = find(code, "quality"), *sequence = find(code, "sequence");

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
