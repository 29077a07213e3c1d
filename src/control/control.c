/* SPDX-License-Identifier: MIT */
/*
 * The step: the lease, then what readings show, then the command if one is due, then the state.
 *
 *	wish, said          needs_change()   must the switch be commanded?
 *	reading, banks      why_not()        may it be commanded now? Else a reason, perhaps a time
 *	                    order()          one command for all switches that may
 *	                    judge()          the state that is told
 */
#include "machine.h"

#include <stdio.h>

enum { HOUR_MS = 3600000 };

/* ---- may it be sent? ---- */

static bool needs_change(const struct pb_control_switch *one)
{
	if (control_target(one) == PB_SWITCH_OPEN)
		return one->said != PB_SWITCH_OPEN;
	return one->ours && !one->keep && one->said != PB_SWITCH_CLOSED;
}

bool pb_control_wants_open(const struct pb_control_machine *machine, int which)
{
	const struct pb_control_switch *one = &machine->switches[which];

	return control_target(one) == PB_SWITCH_OPEN && one->said != PB_SWITCH_OPEN;
}

/* The @back-th change before now, from 1; 0: there was none. */
static uint64_t change_ms(const struct pb_control_machine *machine, uint32_t back)
{
	return back > machine->changes
		       ? 0
		       : machine->changes_ms[(machine->changes - back) % PB_CONTROL_PER_HOUR_MAX];
}

/* There must be room for this change and for the one that will close the switch again. */
static bool has_room(struct pb_control_machine *machine, const struct pb_control_setup *setup,
		     uint64_t now_ms)
{
	uint32_t most = setup->per_hour < PB_CONTROL_PER_HOUR_MAX ? setup->per_hour
								  : PB_CONTROL_PER_HOUR_MAX;
	uint64_t at_ms;

	if (most < 2)
		return false;
	at_ms = change_ms(machine, most - 1);
	if (at_ms == 0 || now_ms - at_ms >= HOUR_MS)
		return true;
	control_due(machine, at_ms + HOUR_MS);
	return false;
}

static bool have_limits_dropped(struct pb_control_machine *machine, struct pb_control_switch *one,
				bool in_bank, uint64_t now_ms)
{
	uint64_t at_ms = one->granted_ms + PB_CONTROL_LIMITS_MS;

	if (!in_bank || now_ms >= at_ms)
		return true;
	control_due(machine, at_ms);
	return false;
}

static enum pb_control_reason why_not_open(struct pb_control_machine *machine, int which,
					   const struct pb_control_facts *facts, uint64_t now_ms)
{
	struct pb_control_switch *one = &machine->switches[which];
	uint64_t granted_ms = one->granted_ms ? one->granted_ms : now_ms;

	one->granted_ms = 0;
	if (!(facts->sample->has & PB_HAS(PB_HAS_CURRENT)))
		return PB_CONTROL_REASON_UNKNOWN;
	if (control_is_opposite(facts->sample, which))
		return PB_CONTROL_REASON_OPPOSITE;
	if (facts->hold[which] != PB_CONTROL_REASON_NONE)
		return (enum pb_control_reason)facts->hold[which];
	if (!has_room(machine, facts->setup, now_ms))
		return PB_CONTROL_REASON_RATE;
	one->granted_ms = granted_ms;
	return have_limits_dropped(machine, one, facts->in_bank, now_ms) ? PB_CONTROL_REASON_NONE
									 : PB_CONTROL_REASON_LIMITS;
}

/* Nothing waits when everything is given up: there may be no later. */
static enum pb_control_reason why_not_close(struct pb_control_machine *machine,
					    const struct pb_control_setup *setup, uint64_t now_ms)
{
	uint64_t last_ms = change_ms(machine, 1), at_ms = last_ms + 1000 * (uint64_t)setup->min_s;

	if (last_ms == 0 || now_ms >= at_ms || machine->letting)
		return PB_CONTROL_REASON_NONE;
	control_due(machine, at_ms);
	return PB_CONTROL_REASON_RATE;
}

/* A command may carry both switches, so both have to be known. */
static enum pb_control_reason why_not(struct pb_control_machine *machine, int which,
				      const struct pb_control_facts *facts, uint64_t now_ms)
{
	const struct pb_control_switch *one = &machine->switches[which];

	if (one->failed == control_target(one))
		return (enum pb_control_reason)machine->why;
	if (!machine->live || machine->unread)
		return PB_CONTROL_REASON_STALE;
	for (int i = 0; i < PB_SWITCHES; i++)
		if (machine->switches[i].said == PB_SWITCH_UNKNOWN)
			return PB_CONTROL_REASON_UNKNOWN;
	return control_target(one) == PB_SWITCH_OPEN ? why_not_open(machine, which, facts, now_ms)
						     : why_not_close(machine, facts->setup, now_ms);
}

/* ---- the command ---- */

static void add(struct pb_command *command, int which, bool change, bool inhibit)
{
	if (which == PB_SWITCH_CHARGE) {
		command->change_charge = change;
		command->inhibit_charge = inhibit;
	} else {
		command->change_discharge = change;
		command->inhibit_discharge = inhibit;
	}
}

/* The other switch is carried as the reading shows it. */
static bool collect(struct pb_control_machine *machine, const struct pb_control_facts *facts,
		    uint64_t now_ms, struct pb_command *ret)
{
	bool any = false;

	*ret = (struct pb_command){0};
	for (int i = 0; i < PB_SWITCHES; i++) {
		struct pb_control_switch *one = &machine->switches[i];
		bool needs = control_allowed(facts->setup, i) && needs_change(one);
		bool change;

		one->wait = (uint8_t)(needs ? why_not(machine, i, facts, now_ms)
					    : PB_CONTROL_REASON_NONE);
		change = needs && one->wait == PB_CONTROL_REASON_NONE;
		add(ret, i, change, (change ? control_target(one) : one->said) == PB_SWITCH_OPEN);
		any |= change;
	}
	return any;
}

static void begin(struct pb_control_machine *machine, const struct pb_command *command,
		  uint32_t number, uint64_t now_ms)
{
	const bool change[PB_SWITCHES] = {command->change_charge, command->change_discharge};

	for (int i = 0; i < PB_SWITCHES; i++) {
		struct pb_control_switch *one = &machine->switches[i];

		machine->ours_before[i] = one->ours;
		one->closing &= !change[i];
		if (change[i] && control_target(one) == PB_SWITCH_OPEN)
			one->ours = true;
		else if (change[i])
			one->closing = true;
	}
	machine->phase = PB_CONTROL_ASKED;
	machine->command = *command;
	machine->number = number;
	machine->changes_ms[machine->changes++ % PB_CONTROL_PER_HOUR_MAX] = now_ms;
}

static bool order(struct pb_control_machine *machine, const struct pb_control_facts *facts,
		  uint64_t now_ms, struct pb_command *ret)
{
	if (machine->phase != PB_CONTROL_REST || !collect(machine, facts, now_ms, ret))
		return false;
	if (!facts->may_send) {
		control_due(machine, now_ms);
		return false;
	}
	begin(machine, ret, facts->command->number + 1, now_ms);
	return true;
}

/* ---- the state ---- */

struct verdict {
	enum pb_control_state state;
	enum pb_control_reason reason;
};

static bool has_diode(const struct pb_control_machine *machine)
{
	return machine->switches[PB_SWITCH_CHARGE].diode ||
	       machine->switches[PB_SWITCH_DISCHARGE].diode;
}

/* Of a pack that waits for something, or for nothing but the next step. */
static enum pb_control_reason or_usual(const struct pb_control_machine *machine,
				       enum pb_control_reason reason)
{
	if (has_diode(machine))
		return PB_CONTROL_REASON_OPPOSITE;
	if (reason == PB_CONTROL_REASON_NONE && machine->ended)
		return PB_CONTROL_REASON_LEASE_ENDED;
	return reason;
}

static struct verdict under_way(const struct pb_control_machine *machine)
{
	enum pb_control_reason reason =
		machine->live ? PB_CONTROL_REASON_NONE : PB_CONTROL_REASON_STALE;
	enum pb_control_state state = machine->phase == PB_CONTROL_ASKED
					      ? PB_CONTROL_STATE_WRITING
					      : PB_CONTROL_STATE_VERIFYING;

	return (struct verdict){machine->ended ? PB_CONTROL_STATE_EXPIRED : state,
				or_usual(machine, reason)};
}

/* Something is to be changed, and is not. */
static bool is_waiting(const struct pb_control_machine *machine,
		       const struct pb_control_setup *setup, struct verdict *ret)
{
	bool waits = has_diode(machine);

	*ret = (struct verdict){machine->ended ? PB_CONTROL_STATE_EXPIRED
					       : PB_CONTROL_STATE_PENDING,
				PB_CONTROL_REASON_NONE};
	for (int i = 0; i < PB_SWITCHES; i++) {
		const struct pb_control_switch *one = &machine->switches[i];

		if (!control_allowed(setup, i) || !needs_change(one))
			continue;
		waits = true;
		if (one->failed == control_target(one)) {
			*ret = (struct verdict){PB_CONTROL_STATE_FAILED,
						(enum pb_control_reason)machine->why};
			return true;
		}
		if (ret->reason == PB_CONTROL_REASON_NONE)
			ret->reason = (enum pb_control_reason)one->wait;
	}
	ret->reason = or_usual(machine, ret->reason);
	return waits;
}

/* Why a FET is not as its switch is commanded; NONE: it is, or nobody here has to do with it. */
static enum pb_control_reason overridden(const struct pb_control_machine *machine, int which,
					 const struct pb_sample *sample)
{
	const struct pb_control_switch *one = &machine->switches[which];
	bool closed = one->closing || (machine->local && !one->wish);

	if (one->wish && one->said == PB_SWITCH_OPEN && control_fet_conducts(sample, which))
		return control_is_opposite(sample, which) ? PB_CONTROL_REASON_OPPOSITE
							  : PB_CONTROL_REASON_BMS;
	if (!closed || one->said != PB_SWITCH_CLOSED || !control_fet_is_open(sample, which))
		return PB_CONTROL_REASON_NONE;
	return sample->has & PB_HAS(PB_HAS_PROTECTION) &&
			       sample->protection_mask & PB_PROTECT_FAULTS
		       ? PB_CONTROL_REASON_PROTECTION
		       : PB_CONTROL_REASON_BMS;
}

static bool is_foreign(const struct pb_control_switch *one)
{
	return !one->wish && !one->ours && one->said == PB_SWITCH_OPEN;
}

/* Nothing is to be changed: what the reading shows. */
static struct verdict settled(const struct pb_control_machine *machine,
			      const struct pb_control_facts *facts)
{
	bool wish = control_has_wish(machine), foreign = false, keep = false, unknown = false;

	for (int i = 0; i < PB_SWITCHES; i++) {
		const struct pb_control_switch *one = &machine->switches[i];
		enum pb_control_reason reason = overridden(machine, i, facts->sample);

		if (!control_allowed(facts->setup, i))
			continue;
		if (reason != PB_CONTROL_REASON_NONE)
			return (struct verdict){PB_CONTROL_STATE_OVERRIDDEN, reason};
		foreign |= is_foreign(one);
		keep |= one->keep;
		unknown |= one->said == PB_SWITCH_UNKNOWN;
	}
	if (keep && !wish)
		return (struct verdict){PB_CONTROL_STATE_EXPIRED, PB_CONTROL_REASON_LEASE_ENDED};
	if (foreign && !wish)
		return (struct verdict){PB_CONTROL_STATE_FOREIGN, PB_CONTROL_REASON_FOREIGN};
	return (struct verdict){
		machine->local ? PB_CONTROL_STATE_LOCAL
		: wish	       ? PB_CONTROL_STATE_CONFIRMED
			       : PB_CONTROL_STATE_IDLE,
		foreign	  ? PB_CONTROL_REASON_FOREIGN
		: unknown ? PB_CONTROL_REASON_UNKNOWN
			  : or_usual(machine, PB_CONTROL_REASON_NONE),
	};
}

/* Nothing is to be changed, as far as it is known. A foreign lock stands until a reading shows its
 * end.
 */
static struct verdict unread(const struct pb_control_machine *machine)
{
	enum pb_control_state state = PB_CONTROL_STATE_IDLE;

	if (control_has_wish(machine) || machine->local)
		state = PB_CONTROL_STATE_PENDING;
	else if (machine->state == PB_CONTROL_STATE_FOREIGN)
		state = PB_CONTROL_STATE_FOREIGN;
	return (struct verdict){state, PB_CONTROL_REASON_STALE};
}

static struct verdict judge(const struct pb_control_machine *machine,
			    const struct pb_control_facts *facts)
{
	struct verdict verdict;

	if (machine->phase != PB_CONTROL_REST)
		return under_way(machine);
	if (is_waiting(machine, facts->setup, &verdict))
		return verdict;
	return machine->live ? settled(machine, facts) : unread(machine);
}

static void control_enter(struct pb_control_machine *machine, struct verdict verdict,
			  uint64_t now_ms)
{
	if (machine->state != verdict.state)
		machine->since_ms = now_ms;
	machine->state = (uint8_t)verdict.state;
	machine->reason = (uint8_t)verdict.reason;
}

/* ---- the whole ---- */

static void step_diodes(struct pb_control_machine *machine, const struct pb_control_setup *setup,
			uint64_t now_ms)
{
	for (int i = 0; i < PB_SWITCHES; i++) {
		struct pb_control_switch *one = &machine->switches[i];
		uint64_t at_ms = one->low_ms + 1000 * (uint64_t)setup->min_s;

		if (!one->diode || one->low_ms == 0)
			continue;
		if (now_ms >= at_ms)
			one->diode = false;
		else
			control_due(machine, at_ms);
	}
}

bool pb_control_step(struct pb_control_machine *machine, const struct pb_control_facts *facts,
		     uint64_t now_ms, struct pb_command *ret)
{
	bool send;

	machine->due_ms = UINT64_MAX;
	if (facts->setup->mode == PB_CONTROL_OFF) {
		control_enter(machine,
			      (struct verdict){PB_CONTROL_STATE_OFF, PB_CONTROL_REASON_NOT_ENABLED},
			      now_ms);
		return false;
	}
	control_step_lease(machine, facts->setup, now_ms);
	control_read(machine, facts, now_ms);
	step_diodes(machine, facts->setup, now_ms);
	send = order(machine, facts, now_ms, ret);
	control_enter(machine, judge(machine, facts), now_ms);
	return send;
}

bool pb_control_blocks(const struct pb_control_machine *machine, int which)
{
	const struct pb_control_switch *one = &machine->switches[which];

	return one->granted_ms != 0 || one->diode || pb_control_holds(machine, which);
}

bool pb_control_holds(const struct pb_control_machine *machine, int which)
{
	const struct pb_control_switch *one = &machine->switches[which];

	return one->ours && one->said != PB_SWITCH_CLOSED;
}

bool pb_control_is_closing(const struct pb_control_machine *machine)
{
	if (!machine->letting || machine->phase != PB_CONTROL_REST)
		return machine->letting;
	for (int i = 0; i < PB_SWITCHES; i++)
		if (needs_change(&machine->switches[i]) &&
		    machine->switches[i].wait == PB_CONTROL_REASON_NONE)
			return true;
	return false;
}

static uint16_t whole_s(uint64_t ms)
{
	uint64_t s = ms / 1000;

	return (uint16_t)(s < PB_LEASE_NONE_S - 1 ? s : PB_LEASE_NONE_S - 1);
}

void pb_control_tell(const struct pb_control_machine *machine, uint64_t now_ms,
		     struct pb_control *ret)
{
	bool lease = machine->owner[0] && machine->lease_end_ms != UINT64_MAX;
	uint64_t left_ms = machine->lease_end_ms > now_ms ? machine->lease_end_ms - now_ms : 0;

	*ret = (struct pb_control){
		.inhibit_charge = machine->switches[PB_SWITCH_CHARGE].wish,
		.inhibit_discharge = machine->switches[PB_SWITCH_DISCHARGE].wish,
		.lease_s = lease ? whole_s(left_ms + 999) : PB_LEASE_NONE_S,
		.state = machine->state,
		.reason = machine->reason,
		.age_s = whole_s(machine->since_ms ? now_ms - machine->since_ms : 0),
		.blocks_charge = pb_control_blocks(machine, PB_SWITCH_CHARGE),
		.blocks_discharge = pb_control_blocks(machine, PB_SWITCH_DISCHARGE),
	};
	snprintf(ret->owner, sizeof(ret->owner), "%s", machine->owner);
}
