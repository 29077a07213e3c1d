/* SPDX-License-Identifier: MIT */
/*
 * Who asks for what, and for how long.
 *
 *	free ──a client inhibits──▶ owned by it ──wish clear, lease ended──▶ free
 *	  ▲                             │ a person switches
 *	  └──given back, lease ended── owned by "local"
 *
 * While the pack is owned, others are refused. A person takes over what the client wished, and goes
 * on from there. A lease that a client writes counts for all later wishes of the same client, also
 * if it is written before them.
 */
#include "machine.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

bool control_has_wish(const struct pb_control_machine *machine)
{
	return machine->switches[PB_SWITCH_CHARGE].wish ||
	       machine->switches[PB_SWITCH_DISCHARGE].wish;
}

int pb_control_allows(const struct pb_control_machine *machine,
		      const struct pb_control_setup *setup,
		      const struct pb_control_request *request)
{
	if (setup->mode == PB_CONTROL_OFF)
		return -EPERM;
	if (request->has_discharge && request->inhibit_discharge &&
	    !control_allowed(setup, PB_SWITCH_DISCHARGE))
		return -EPERM;
	if (request->has_lease && request->lease_s == PB_LEASE_NONE_S)
		return -EINVAL;
	if (machine->letting)
		return -EBUSY;
	if (machine->owner[0] && !request->local && strcmp(machine->owner, request->owner) != 0)
		return -EBUSY;
	return 0;
}

/* ---- parts of a request ---- */

static void give_up(struct pb_control_machine *machine)
{
	machine->owner[0] = 0;
	machine->local = false;
	machine->lease_end_ms = 0;
}

/* The switch may be closed from here on, whoever opened it. Of a foreign one only while the reading
 * is live: nothing is closed later that nobody has seen open. */
static void adopt(const struct pb_control_machine *machine, struct pb_control_switch *one)
{
	one->keep = false;
	if (machine->live && one->said == PB_SWITCH_OPEN && !one->ours)
		one->ours = one->adopted = true;
}

static void forget_failure(struct pb_control_machine *machine, struct pb_control_switch *one)
{
	one->failed = PB_SWITCH_UNKNOWN;
	if (machine->phase == PB_CONTROL_REST)
		machine->writes = 0;
}

static void set_wish(struct pb_control_machine *machine, int which, bool inhibit, bool whole)
{
	struct pb_control_switch *one = &machine->switches[which];

	if (one->wish != inhibit)
		forget_failure(machine, one);
	/* a clear wish that was clear before asks for nothing */
	if (!inhibit && (one->wish || one->keep))
		adopt(machine, one);
	one->wish = inhibit;
	one->whole = inhibit && whole;
	if (inhibit)
		one->keep = false;
	else
		one->diode = false;
}

static void set_wishes(struct pb_control_machine *machine, const struct pb_control_request *request,
		       bool whole)
{
	if (request->has_charge)
		set_wish(machine, PB_SWITCH_CHARGE, request->inhibit_charge, whole);
	if (request->has_discharge)
		set_wish(machine, PB_SWITCH_DISCHARGE, request->inhibit_discharge, whole);
}

/* Failures are forgotten, and what nobody here wishes to be open may be closed. */
static void start_over(struct pb_control_machine *machine, const struct pb_control_setup *setup)
{
	for (int i = 0; i < PB_SWITCHES; i++) {
		struct pb_control_switch *one = &machine->switches[i];

		forget_failure(machine, one);
		if (control_allowed(setup, i) && !control_has_wish(machine))
			adopt(machine, one);
	}
}

static void give_back(struct pb_control_machine *machine, const struct pb_control_setup *setup)
{
	for (int i = 0; i < PB_SWITCHES; i++)
		set_wish(machine, i, false, false);
	start_over(machine, setup);
	give_up(machine);
	machine->ended = false;
}

/* ---- the lease ---- */

static void set_lease(struct pb_control_machine *machine, const struct pb_control_request *request)
{
	machine->lease_s = request->lease_s;
	snprintf(machine->lease_of, sizeof(machine->lease_of), "%s", request->owner);
}

/* A person renews nothing: without a lease of its own a local wish does not end. */
static void renew(struct pb_control_machine *machine, const struct pb_control_setup *setup,
		  uint64_t now_ms)
{
	uint32_t seconds = machine->local ? 0 : setup->lease_s;

	if (strcmp(machine->lease_of, machine->owner) == 0)
		seconds = machine->lease_s;
	machine->lease_end_ms = seconds ? now_ms + 1000 * (uint64_t)seconds : UINT64_MAX;
}

static void end_wishes(struct pb_control_machine *machine, bool keep)
{
	for (int i = 0; i < PB_SWITCHES; i++) {
		struct pb_control_switch *one = &machine->switches[i];

		one->keep |= keep && one->ours;
		one->wish = one->whole = one->diode = false;
	}
	give_up(machine);
}

void control_step_lease(struct pb_control_machine *machine, const struct pb_control_setup *setup,
			uint64_t now_ms)
{
	if (!machine->owner[0])
		return;
	if (machine->lease_end_ms > now_ms) {
		control_due(machine, machine->lease_end_ms);
		return;
	}
	end_wishes(machine, setup->lease_end == PB_LEASE_KEEP);
	machine->ended = true;
}

void pb_control_let_go(struct pb_control_machine *machine, const struct pb_control_setup *setup)
{
	end_wishes(machine, setup->lease_end == PB_LEASE_KEEP);
	machine->letting = true;
}

/* A command of the reader before is over: what it did, the next reading shows. */
static void begin_anew(struct pb_control_machine *machine)
{
	machine->phase = PB_CONTROL_REST;
	machine->writes = 0;
	machine->live = machine->unread = false;
	machine->sequence = 0;
	machine->connects = UINT32_MAX; /* of none */
}

void pb_control_move(struct pb_control_machine *machine, const struct pb_control_setup *setup,
		     bool same_reader)
{
	for (int i = 0; i < PB_SWITCHES; i++) {
		struct pb_control_switch *one = &machine->switches[i];

		if (!control_allowed(setup, i))
			*one = (struct pb_control_switch){.said = one->said};
	}
	if (setup->mode == PB_CONTROL_OFF) {
		machine->state = PB_CONTROL_STATE_OFF;
		machine->reason = PB_CONTROL_REASON_NOT_ENABLED;
		machine->due_ms = UINT64_MAX;
	}
	if (setup->mode == PB_CONTROL_OFF || (!control_has_wish(machine) && !machine->local))
		give_up(machine);
	if (!same_reader)
		begin_anew(machine);
}

/* ---- the whole ---- */

/* The client that inhibits something becomes the owner. A person who switches always does. */
static void set_owner(struct pb_control_machine *machine, const struct pb_control_request *request)
{
	bool same = strcmp(machine->owner, request->owner) == 0;

	if (!request->local && !control_has_wish(machine)) {
		give_up(machine);
		return;
	}
	/* the lease of an earlier order of a person is over */
	if (request->local && !same && !request->has_lease &&
	    strcmp(machine->lease_of, request->owner) == 0)
		machine->lease_of[0] = 0;
	machine->local = request->local;
	if (!same)
		snprintf(machine->owner, sizeof(machine->owner), "%s", request->owner);
}

void pb_control_take(struct pb_control_machine *machine, const struct pb_control_setup *setup,
		     const struct pb_control_request *request, bool whole, uint64_t now_ms)
{
	bool switches = request->has_charge || request->has_discharge;

	if (request->give_back) {
		give_back(machine, setup);
		return;
	}
	if (request->has_lease)
		set_lease(machine, request);
	set_wishes(machine, request, whole);
	if (request->reset)
		start_over(machine, setup);
	if (switches)
		set_owner(machine, request);
	if (control_has_wish(machine))
		machine->ended = false;
	if (machine->owner[0] && strcmp(machine->owner, request->owner) == 0 &&
	    (switches || request->has_lease))
		renew(machine, setup, now_ms);
}
