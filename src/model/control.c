/* SPDX-License-Identifier: MIT */
#include "packbridge/model/control.h"

#include "packbridge/base.h"

const char *pb_control_state_text(enum pb_control_state state)
{
	static const char *const texts[PB_CONTROL_STATE_COUNT] = {
		"off",	     "local",	   "idle",   "pending", "writing", "verifying",
		"confirmed", "overridden", "failed", "expired", "foreign",
	};

	return (size_t)state < PB_CONTROL_STATE_COUNT ? texts[state] : "?";
}

const char *pb_control_reason_text(enum pb_control_reason reason)
{
	static const char *const texts[PB_CONTROL_REASON_COUNT] = {
		"",
		"not enabled by the configuration",
		"no live reading",
		"too few packs of the bank would stay closed",
		"too soon after the last change, or too many changes",
		"the lease has ended",
		"another client owns it",
		"a current flows in the opposite direction",
		"nothing else would feed the bank",
		"the BMS refused",
		"the BMS did not answer",
		"the BMS acknowledged, but did nothing",
		"a protection of the BMS",
		"locked by somebody else",
		"the protocol has no such command",
		"the limits of the bank drop first",
		"the reading does not tell what is locked",
		"the BMS holds it otherwise",
	};

	return (size_t)reason < PB_CONTROL_REASON_COUNT ? texts[reason] : "?";
}
