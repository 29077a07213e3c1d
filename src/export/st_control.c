/* SPDX-License-Identifier: MIT */
/*
 * The block that asks for control of a pack and renews the lease: for maps whose rows stand one
 * behind the other: inhibit_charge, inhibit_discharge, control_lease_s, control_reset. Whatever
 * does the requests writes nCount words of `w` from nAddr by function 16 while bRequest is TRUE.
 */
#include "st_code.h"

#include "packbridge/model/control.h"

#include <string.h>

const struct st_control_variable st_control_variables[] = {
	{"bEnable", "BOOL", NULL, ST_INPUT},
	{"bInhibitCharge", "BOOL", NULL, ST_INPUT},
	{"bInhibitDischarge", "BOOL", NULL, ST_INPUT},
	{"bReset", "BOOL", NULL, ST_INPUT},
	{"nLease", "UINT", "60", ST_INPUT},
	{"tRenew", "TIME", "T#20S", ST_INPUT},
	{"bDone", "BOOL", NULL, ST_INPUT},
	{"bFailed", "BOOL", NULL, ST_INPUT},
	{"nFailure", "UDINT", NULL, ST_INPUT},
	{"bRequest", "BOOL", NULL, ST_OUTPUT},
	{"nAddr", "UINT", NULL, ST_OUTPUT},
	{"nCount", "UINT", NULL, ST_OUTPUT},
	{"w", "words", NULL, ST_OUTPUT},
	{"bConfirmed", "BOOL", NULL, ST_OUTPUT},
	{"nState", "UINT", NULL, ST_OUTPUT},
	{"nReason", "UINT", NULL, ST_OUTPUT},
	{"bError", "BOOL", NULL, ST_OUTPUT},
	{"nErrId", "UDINT", NULL, ST_OUTPUT},
	{"fbRenew", "timer", NULL, ST_LOCAL},
	{"bBefore", "BOOL", NULL, ST_LOCAL},
	{"bCharge", "BOOL", NULL, ST_LOCAL},
	{"bDischarge", "BOOL", NULL, ST_LOCAL},
	{"bResetBefore", "BOOL", NULL, ST_LOCAL},
	{"bResetNow", "BOOL", NULL, ST_LOCAL},
	{0},
};

static const struct variable *control_find(const struct st_code *code, const char *name)
{
	for (size_t i = 0; i < code->variables.count; i++) {
		const struct variable *variable = &code->variables.items[i];

		if (variable->row.field && strcmp(variable->row.field->name, name) == 0 &&
		    variable->row.type == PB_ROW_U16 && !variable->row.values)
			return variable;
	}
	return NULL;
}

bool st_control_has(const struct st_code *code, unsigned int *ret_addr)
{
	static const char *const rows[] = {"inhibit_charge", "inhibit_discharge", "control_lease_s",
					   "control_reset"};

	if (!control_find(code, "control_state") || !control_find(code, "control_reason"))
		return false;
	for (unsigned int i = 0; i < PB_ARRAY_SIZE(rows); i++) {
		const struct variable *variable = control_find(code, rows[i]);

		if (!variable || !variable->row.control)
			return false;
		if (i == 0)
			*ret_addr = variable->row.addr;
		if (variable->row.addr != *ret_addr + i)
			return false;
	}
	return true;
}

static const char about[] =
	"(* Asks for control of the pack: needs control: of the pack and write: of the listener "
	"in\n"
	"   the configuration of packbridge; else bError with exception 2 or 1. While bEnable is\n"
	"   TRUE, what is asked for is written when it changes, and each tRenew: let that be a\n"
	"   third of nLease (in s; 0: it does not end). With bEnable FALSE nothing is written any\n"
	"   more, and the lease runs out. bConfirmed: by a reading, the pack does what is asked\n"
	"   for. An edge of bReset forgets a failure. *)\n";

static const char answer[] =
	"IF bReset AND NOT bResetBefore THEN\n"
	"\tbResetNow := TRUE;\n"
	"END_IF;\n"
	"bResetBefore := bReset;\n"
	"IF bRequest AND bDone THEN\n"
	"\tbRequest := FALSE;\n"
	"\tbError := bFailed;\n"
	"\tnErrId := 0;\n"
	"\tIF bFailed THEN\n"
	"\t\tnErrId := nFailure;\n"
	"\tEND_IF;\n"
	"END_IF;\n"
	"fbRenew(IN := bEnable AND NOT bRequest AND NOT fbRenew.Q, PT := tRenew);\n"
	"IF bEnable AND NOT bRequest AND (fbRenew.Q OR NOT bBefore OR bResetNow\n"
	"\t\tOR (bInhibitCharge <> bCharge) OR (bInhibitDischarge <> bDischarge)) THEN\n"
	"\tbCharge := bInhibitCharge;\n"
	"\tbDischarge := bInhibitDischarge;\n"
	"\tw[0] := WORD#0;\n"
	"\tIF bCharge THEN\n\t\tw[0] := WORD#1;\n\tEND_IF;\n"
	"\tw[1] := WORD#0;\n"
	"\tIF bDischarge THEN\n\t\tw[1] := WORD#1;\n\tEND_IF;\n"
	"\tw[2] := UINT_TO_WORD(nLease);\n"
	"\tw[3] := WORD#0;\n"
	"\tIF bResetNow THEN\n\t\tw[3] := WORD#1;\n\tEND_IF;\n"
	"\tbResetNow := FALSE;\n"
	"\tbRequest := TRUE;\n";

void st_print_control(const struct st_code *code, FILE *out)
{
	const char *state = control_find(code, "control_state")->name;
	const char *reason = control_find(code, "control_reason")->name;
	const char *charge = control_find(code, "inhibit_charge")->name;
	const char *discharge = control_find(code, "inhibit_discharge")->name;
	unsigned int addr = 0;

	st_control_has(code, &addr);
	fputs(about, out);
	fputs(answer, out);
	fprintf(out,
		"\tnAddr := %u;\n\tnCount := 4;\n"
		"END_IF;\n"
		"bBefore := bEnable;\n"
		"nState := data.%s;\n"
		"nReason := data.%s;\n"
		"bConfirmed := bEnable AND NOT bError AND ((data.%s <> 0) = bInhibitCharge)\n"
		"\tAND ((data.%s <> 0) = bInhibitDischarge)\n"
		"\tAND ((nState = %d) OR ((nState = %d) AND NOT bInhibitCharge AND NOT "
		"bInhibitDischarge));\n",
		addr, state, reason, charge, discharge, PB_CONTROL_STATE_CONFIRMED,
		PB_CONTROL_STATE_IDLE);
}
