/* SPDX-License-Identifier: MIT */
/* The parts of the machine: wish.c who asks for what, proof.c what readings show, control.c the
 * step. */
#pragma once

#include "packbridge/base.h"
#include "packbridge/control.h"

/** Only switches that the mode allows are commanded. */
static inline bool control_allowed(const struct pb_control_setup *setup, int which)
{
	return setup->mode == PB_CONTROL_BOTH ||
	       (setup->mode == PB_CONTROL_CHARGE && which == PB_SWITCH_CHARGE);
}

/** The position that the switch should have. */
static inline enum pb_switch_position control_target(const struct pb_control_switch *one)
{
	return one->wish && !one->diode ? PB_SWITCH_OPEN : PB_SWITCH_CLOSED;
}

/** The machine needs the time at @at_ms. */
static inline void control_due(struct pb_control_machine *machine, uint64_t at_ms)
{
	if (at_ms < machine->due_ms)
		machine->due_ms = at_ms;
}

/* ---- wish.c ---- */

bool control_has_wish(const struct pb_control_machine *machine);
/** Ends the wish when its lease has ended. */
void control_step_lease(struct pb_control_machine *machine, const struct pb_control_setup *setup,
			uint64_t now_ms);

/* ---- proof.c ---- */

/** Takes the result of the command, and what a new reading shows. */
void control_read(struct pb_control_machine *machine, const struct pb_control_facts *facts,
		  uint64_t now_ms);
/** @return whether the FET of that switch is open; false: it conducts, or is not reported. */
bool control_fet_is_open(const struct pb_sample *sample, int which);
/** @return whether the FET of that switch conducts; false: it is open, or not reported. */
bool control_fet_conducts(const struct pb_sample *sample, int which);
/** @return whether a current flows that an open switch would send through its diode. */
bool control_is_opposite(const struct pb_sample *sample, int which);
