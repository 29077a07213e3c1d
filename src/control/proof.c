/* SPDX-License-Identifier: MIT */
/*
 * What readings show of the switches, and whether they show that a command was obeyed.
 *
 *	REST ──pb_control_step()──▶ ASKED ──sent──▶ SENT ──readings──▶ REST
 *	                              │ not sent, refused
 *	                              └──────────────────▶ REST
 *
 * A reading counts for a command only if it was asked for after the command was sent. A command is
 * looked after to its end, even if the wish is another one meanwhile: its effect may come late.
 */
#include "machine.h"

#include <errno.h>
#include <string.h>

/* ---- one reading ---- */

static bool fet(const struct pb_sample *sample, int which, bool *ret)
{
	bool charge = which == PB_SWITCH_CHARGE;

	*ret = charge ? sample->charge_fet : sample->discharge_fet;
	return sample->has & PB_HAS(charge ? PB_HAS_CHARGE_FET : PB_HAS_DISCHARGE_FET);
}

bool control_fet_is_open(const struct pb_sample *sample, int which)
{
	bool conducts;

	return fet(sample, which, &conducts) && !conducts;
}

bool control_fet_conducts(const struct pb_sample *sample, int which)
{
	bool conducts;

	return fet(sample, which, &conducts) && conducts;
}

bool control_is_opposite(const struct pb_sample *sample, int which)
{
	int32_t ma = which == PB_SWITCH_CHARGE ? -sample->current_ma : sample->current_ma;

	return sample->has & PB_HAS(PB_HAS_CURRENT) && ma > PB_CONTROL_OPPOSITE_MA;
}

/*
 * A board may not tell how it is commanded, or not always. Then it is taken as commanded open if
 * it was opened here and its FET is open, or conducts only because of the opposite current. A FET
 * that conducts shows a closed switch, unless the board reports that it has locked one of the two.
 */
static enum pb_switch_position guess(const struct pb_control_switch *one,
				     const struct pb_sample *sample, int which)
{
	bool locked = sample->has & PB_HAS(PB_HAS_PROTECTION) &&
		      sample->protection_mask & 1 << PB_PROTECT_FET_LOCKED;

	if (control_fet_is_open(sample, which))
		return one->ours ? PB_SWITCH_OPEN : PB_SWITCH_UNKNOWN;
	if (!control_fet_conducts(sample, which))
		return PB_SWITCH_UNKNOWN;
	if (!locked)
		return PB_SWITCH_CLOSED;
	return one->ours && control_is_opposite(sample, which) ? PB_SWITCH_OPEN : PB_SWITCH_UNKNOWN;
}

static enum pb_switch_position position(const struct pb_control_switch *one,
					const struct pb_sample *sample, int which)
{
	bool charge = which == PB_SWITCH_CHARGE;

	if (!(sample->has & PB_HAS(charge ? PB_HAS_CHARGE_SWITCH : PB_HAS_DISCHARGE_SWITCH)))
		return guess(one, sample, which);
	return (charge ? sample->charge_switch : sample->discharge_switch) ? PB_SWITCH_CLOSED
									   : PB_SWITCH_OPEN;
}

/* A reading that does not tell leaves what an earlier one of the same connection told: nobody else
 * can have changed it since. */
static void read_switch(struct pb_control_switch *one, const struct pb_sample *sample, int which)
{
	enum pb_switch_position found = position(one, sample, which);

	if (found != PB_SWITCH_UNKNOWN)
		one->said = (uint8_t)found;
	if (control_fet_conducts(sample, which))
		one->closing = false;
}

/* The diode of an open FET must not carry the opposite current for long. */
static void watch_diode(struct pb_control_switch *one, const struct pb_sample *sample, int which,
			uint64_t now_ms)
{
	bool opposite = control_is_opposite(sample, which);

	if (one->wish && one->ours && opposite && one->said == PB_SWITCH_OPEN &&
	    control_fet_is_open(sample, which))
		one->diode = true;
	if (!one->diode || opposite)
		one->low_ms = 0;
	else if (one->low_ms == 0)
		one->low_ms = now_ms;
}

/* ---- the command ---- */

static bool changes(const struct pb_command *command, int which)
{
	return which == PB_SWITCH_CHARGE ? command->change_charge : command->change_discharge;
}

static enum pb_switch_position ordered(const struct pb_command *command, int which)
{
	return (which == PB_SWITCH_CHARGE ? command->inhibit_charge : command->inhibit_discharge)
		       ? PB_SWITCH_OPEN
		       : PB_SWITCH_CLOSED;
}

static bool closes(const struct pb_command *command)
{
	return (command->change_charge && !command->inhibit_charge) ||
	       (command->change_discharge && !command->inhibit_discharge);
}

static void rest(struct pb_control_machine *machine, bool again)
{
	machine->phase = PB_CONTROL_REST;
	if (!again)
		machine->writes = 0;
}

/* After a command without an effect. */
static void put_back(struct pb_control_machine *machine)
{
	for (int i = 0; i < PB_SWITCHES; i++) {
		machine->switches[i].ours = machine->ours_before[i];
		machine->switches[i].closing = false;
	}
}

static void fail(struct pb_control_machine *machine, int which, enum pb_control_reason why)
{
	struct pb_control_switch *one = &machine->switches[which];
	enum pb_switch_position order = ordered(&machine->command, which);

	one->granted_ms = 0;
	if (control_target(one) != order)
		return; /* another wish by now */
	one->failed = (uint8_t)order;
	machine->why = (uint8_t)why;
}

static void fail_all(struct pb_control_machine *machine, enum pb_control_reason why)
{
	put_back(machine);
	for (int i = 0; i < PB_SWITCHES; i++)
		if (changes(&machine->command, i))
			fail(machine, i, why);
	rest(machine, false);
}

static void unsupported(struct pb_control_machine *machine)
{
	machine->changes--;
	fail_all(machine, PB_CONTROL_REASON_UNSUPPORTED);
}

/* The next reading shows whether there is still a connection. */
static void nothing_sent(struct pb_control_machine *machine)
{
	put_back(machine);
	machine->changes--;
	machine->unread = true;
	rest(machine, true);
}

/* What earlier readings showed of the switches counts no more. */
static void forget_readings(struct pb_control_machine *machine, uint64_t sent_ms)
{
	machine->sent_ms = sent_ms;
	for (int i = 0; i < PB_SWITCHES; i++)
		if (changes(&machine->command, i))
			machine->switches[i].said = PB_SWITCH_UNKNOWN;
}

static void sent(struct pb_control_machine *machine, const struct pb_command_status *status)
{
	machine->phase = PB_CONTROL_SENT;
	machine->acknowledged = status->state == PB_COMMAND_DONE;
	machine->looks = 0;
	machine->writes++;
	machine->changes_ms[(machine->changes - 1) % PB_CONTROL_PER_HOUR_MAX] = status->sent_ms;
	forget_readings(machine, status->sent_ms);
}

/* A codec may know another way to the same command, and try it when readings show no effect. */
static bool is_other_way(const struct pb_control_machine *machine,
			 const struct pb_command_status *status)
{
	return machine->phase == PB_CONTROL_SENT && status->sent_ms > machine->sent_ms;
}

static void take_result(struct pb_control_machine *machine, const struct pb_command_status *status)
{
	if (status->number != machine->number ||
	    (machine->phase != PB_CONTROL_ASKED && !is_other_way(machine, status)))
		return;
	switch (status->state) {
	case PB_COMMAND_NONE:
	case PB_COMMAND_WAITING:
	case PB_COMMAND_RUNNING:
		break;
	case PB_COMMAND_DONE:
	case PB_COMMAND_UNANSWERED:
		sent(machine, status);
		break;
	case PB_COMMAND_REFUSED:
		forget_readings(machine, status->sent_ms);
		fail_all(machine, PB_CONTROL_REASON_REFUSED);
		break;
	case PB_COMMAND_UNSUPPORTED:
		unsupported(machine);
		break;
	case PB_COMMAND_DROPPED:
		nothing_sent(machine);
		break;
	}
}

void pb_control_result(struct pb_control_machine *machine, int r)
{
	if (r >= 0)
		return;
	if (r == -EOPNOTSUPP)
		unsupported(machine);
	else
		nothing_sent(machine);
}

/* ---- the proof ---- */

static bool is_shown(const struct pb_control_machine *machine, const struct pb_sample *sample,
		     int which)
{
	enum pb_switch_position order = ordered(&machine->command, which);

	if (!changes(&machine->command, which))
		return true;
	if (machine->switches[which].said != order)
		return false;
	return order == PB_SWITCH_OPEN ? !control_fet_conducts(sample, which)
				       : !control_fet_is_open(sample, which);
}

/* @return whether readings show that a switch is as it was before the command */
static bool is_unchanged(const struct pb_control_machine *machine, int which)
{
	uint8_t said = machine->switches[which].said;

	return changes(&machine->command, which) && said != PB_SWITCH_UNKNOWN &&
	       said != ordered(&machine->command, which);
}

/* After all readings. A FET that differs from its switch is no failure. */
static void conclude(struct pb_control_machine *machine)
{
	enum pb_control_reason why =
		machine->acknowledged ? PB_CONTROL_REASON_IGNORED : PB_CONTROL_REASON_UNANSWERED;

	if (!machine->acknowledged && machine->writes < 2 && !closes(&machine->command) &&
	    (is_unchanged(machine, PB_SWITCH_CHARGE) ||
	     is_unchanged(machine, PB_SWITCH_DISCHARGE))) {
		rest(machine, true);
		return;
	}
	for (int i = 0; i < PB_SWITCHES; i++) {
		if (is_unchanged(machine, i))
			fail(machine, i, why);
		else if (changes(&machine->command, i) &&
			 machine->switches[i].said == PB_SWITCH_UNKNOWN)
			fail(machine, i, PB_CONTROL_REASON_UNKNOWN);
	}
	rest(machine, false);
}

static bool looked_enough(struct pb_control_machine *machine, uint64_t now_ms)
{
	uint64_t end_ms = machine->sent_ms + PB_CONTROL_VERIFY_MS;

	if (machine->looks < PB_CONTROL_LOOKS)
		return false;
	if (now_ms < end_ms)
		control_due(machine, end_ms);
	return now_ms >= end_ms;
}

static void verify(struct pb_control_machine *machine, const struct pb_control_facts *facts,
		   bool counts, uint64_t now_ms)
{
	if (machine->phase != PB_CONTROL_SENT)
		return;
	if (counts && machine->looks < UINT8_MAX)
		machine->looks++;
	if (counts && is_shown(machine, facts->sample, PB_SWITCH_CHARGE) &&
	    is_shown(machine, facts->sample, PB_SWITCH_DISCHARGE))
		rest(machine, false);
	else if (looked_enough(machine, now_ms))
		conclude(machine);
}

/* ---- the whole ---- */

/* Meanwhile the pack may have been restarted, or switched by an app. */
static void forget_connection(struct pb_control_machine *machine)
{
	for (int i = 0; i < PB_SWITCHES; i++) {
		struct pb_control_switch *one = &machine->switches[i];

		one->said = PB_SWITCH_UNKNOWN;
		if (one->adopted)
			one->ours = one->adopted = false;
	}
}

static void read_new(struct pb_control_machine *machine, const struct pb_control_facts *facts,
		     bool counts, uint64_t now_ms)
{
	if (facts->status->connects != machine->connects)
		forget_connection(machine);
	machine->connects = facts->status->connects;
	machine->sequence = facts->status->sequence;
	machine->unread = false;
	for (int i = 0; i < PB_SWITCHES && counts; i++) {
		read_switch(&machine->switches[i], facts->sample, i);
		watch_diode(&machine->switches[i], facts->sample, i, now_ms);
	}
}

/* At rest, what a reading shows is settled. */
static void settle(struct pb_control_switch *one)
{
	if (one->said == one->failed)
		one->failed = PB_SWITCH_UNKNOWN;
	/* what could not be opened may still open late */
	if (one->said == PB_SWITCH_CLOSED && (!one->wish || one->failed == PB_SWITCH_UNKNOWN))
		one->ours = one->adopted = one->keep = false;
	if (!one->wish || one->said == PB_SWITCH_OPEN)
		one->granted_ms = 0;
}

void control_read(struct pb_control_machine *machine, const struct pb_control_facts *facts,
		  uint64_t now_ms)
{
	const struct pb_status *status = facts->status;
	bool new_reading = status->sequence != machine->sequence, counts;

	take_result(machine, facts->command);
	counts = new_reading && status->sampled_ms > machine->sent_ms;
	if (new_reading)
		read_new(machine, facts, counts, now_ms);
	machine->live = status->connected && status->sequence != 0 &&
			status->connects == machine->connects &&
			!pb_status_is_stale(status, now_ms);
	verify(machine, facts, counts, now_ms);
	for (int i = 0; i < PB_SWITCHES && machine->live && machine->phase == PB_CONTROL_REST; i++)
		settle(&machine->switches[i]);
}
