/* SPDX-License-Identifier: MIT */
/* Functions that the code of all maps shares: floats, and texts of published numbers. */
#include "st_code.h"

#include "packbridge/model/battery.h"

#include <string.h>

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

static const char *control_state_text(int number)
{
	return pb_control_state_text((enum pb_control_state)number);
}

static const char *control_reason_text(int number)
{
	return pb_control_reason_text((enum pb_control_reason)number);
}

static void print_control_state(FILE *out)
{
	print_texts("PB_CONTROL_STATE", PB_CONTROL_STATE_COUNT, control_state_text, out);
}

static void print_control_reason(FILE *out)
{
	print_texts("PB_CONTROL_REASON", PB_CONTROL_REASON_COUNT, control_reason_text, out);
}

static bool uses_text(const struct st_code *code, const char *function)
{
	for (size_t i = 0; i < code->variables.count; i++) {
		const struct st_text *text = st_text_of(&code->variables.items[i]);

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

static bool uses_control_state(const struct st_code *code)
{
	return uses_text(code, "PB_CONTROL_STATE");
}

static bool uses_control_reason(const struct st_code *code)
{
	return uses_text(code, "PB_CONTROL_REASON");
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
	{"PB_CONTROL_STATE", "STRING", "code", "UINT", NULL, NULL, print_control_state,
	 uses_control_state},
	{"PB_CONTROL_REASON", "STRING", "code", "UINT", NULL, NULL, print_control_reason,
	 uses_control_reason},
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
