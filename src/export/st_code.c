/* SPDX-License-Identifier: MIT */
/*
 * The members of a map's structure: for each value one, with a flag "_ok" where its register can
 * mean "not available", and a text where its number has one; for each named bit of a word another.
 */
#include "st_code.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* Types of 64 bits are missing in many a compiler; the same values are there in 32 bits. */
bool st_shown(const struct variable *variable)
{
	return variable_is_register(variable) && variable->row.type != PB_ROW_STRING &&
	       variable->row.type != PB_ROW_U64;
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
	case PB_ROW_U64:
	case PB_ROW_F32:
	case PB_ROW_STRING:
	case PB_ROW_COIL:
	case PB_ROW_RESERVED:
		break;
	}
	return "REAL";
}

bool st_has_flag(const struct variable *variable)
{
	return variable->row.has_na && variable->row.type != PB_ROW_BITS;
}

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

static const struct st_text texts[] = {
	{"control_reason", "PB_CONTROL_REASON"},
	{"control_state", "PB_CONTROL_STATE"},
	{"_reason", "PB_REASON"},
	{"last_error", "PB_ERROR"},
	{"quality", "PB_QUALITY"},
};

const struct st_text *st_text_of(const struct variable *variable)
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
struct st_part {
	char name[ST_NAME];
	unsigned int bit, width;
};

/* The name alone where it is free, else behind that of its word. */
static void st_code_part_name(const struct st_code *code, const struct variable *variable,
			      const char *name, struct st_part *part)
{
	if (has_member(code, name))
		snprintf(part->name, sizeof(part->name), "%s_%s", variable->name, name);
	else
		snprintf(part->name, sizeof(part->name), "%s", name);
}

static bool bits_part(const struct st_code *code, const struct variable *variable, unsigned int bit,
		      struct st_part *ret)
{
	struct pb_bit_info info;
	char name[VARIABLE_NAME];

	if (bit > 15 || !pb_map_bit(code->map, variable->index, bit, &info))
		return false;
	variable_bit_name(&info, name, sizeof(name));
	*ret = (struct st_part){.bit = bit, .width = info.number ? info.width : 1};
	st_code_part_name(code, variable, name, ret);
	return true;
}

/* The bits of a mask that have names: protections, warnings, alarms. */
static bool mask_part(const struct st_code *code, const struct variable *variable, unsigned int bit,
		      struct st_part *ret)
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
	*ret = (struct st_part){.bit = bit, .width = 1};
	st_code_part_name(code, variable, name, ret);
	return true;
}

static bool st_code_part_of(const struct st_code *code, const struct variable *variable,
			    unsigned int bit, struct st_part *ret)
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
	struct st_part part;
	int r = 0;

	for (unsigned int bit = 0; r >= 0 && bit < 32; bit++) {
		if (!st_code_part_of(code, variable, bit, &part))
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
	if (r >= 0 && st_has_flag(variable)) {
		snprintf(member.name, sizeof(member.name), "%s_ok", variable->name);
		member.type = "BOOL";
		r = add_member(code, &member);
	}
	if (r >= 0 && st_text_of(variable)) {
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
	pb_export_identifier(pb_map_name(map), ret->name, sizeof(ret->name));
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
