/* SPDX-License-Identifier: MIT */
/*
 * Control of packs, from the plant's side. Room control decides for one pack alone. Here is what it
 * cannot know: the other packs of a bank, the limits that follow from a switch, the notes.
 *
 *	pb_plant_control() ──▶ the machine of each pack ──▶ PB_PLANT_TIME is due
 *	reading, time ──▶ control_step_all(): hold, step, tell ──▶ handler->command()
 *	                                              │
 *	                             limits, banks, notes
 *
 * A command is sent with PB_PLANT_TIME only. With a reading it would come back to the reader that
 * is just handing it up.
 */
#include "control.h"
#include "notes.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

static const struct pb_control_setup *control_setup(const struct battery *pack)
{
	static const struct pb_control_setup off = {.mode = PB_CONTROL_OFF};

	return pack->setup->control ? pack->setup->control : &off;
}

static bool is_on(const struct battery *pack)
{
	return control_setup(pack)->mode != PB_CONTROL_OFF;
}

uint64_t control_due_ms(const struct battery *pack)
{
	uint64_t note_ms = pb_repeat_due_ms(&pack->memory.control_repeat);

	/* a pack without control is not stepped, so what it leaves out of the log is never due */
	if (!is_on(pack))
		return UINT64_MAX;
	return pack->memory.control.due_ms < note_ms ? pack->memory.control.due_ms : note_ms;
}

/* ---- what banks forbid ---- */

/* A pack whose switch is closed, and stays so as far as is known. */
static bool counts_as_closed(const struct battery *pack, int which, uint64_t now_ms)
{
	const struct pb_control_switch *one = &pack->memory.control.switches[which];
	const struct pb_sample *s = &pack->data.sample;
	bool charge = which == PB_SWITCH_CHARGE;

	if (pb_status_is_stale(&pack->data.status, now_ms) ||
	    !(s->has & PB_HAS(charge ? PB_HAS_CHARGE_FET : PB_HAS_DISCHARGE_FET)) ||
	    !(charge ? s->charge_fet : s->discharge_fet))
		return false;
	return !pb_control_blocks(&pack->memory.control, which) && !(one->wish && one->whole);
}

static bool bank_has(const struct battery *bank, const struct battery *pack)
{
	for (size_t i = 0; i < bank->setup->pack_count; i++)
		if (battery_of_bank(bank, i) == pack)
			return true;
	return false;
}

static enum pb_control_reason held_by(const struct battery *bank, const struct battery *pack,
				      int which, uint64_t now_ms)
{
	bool whole = pack->memory.control.switches[which].whole;
	uint32_t closed = 0;

	for (size_t i = 0; i < bank->setup->pack_count; i++) {
		const struct battery *other = battery_of_bank(bank, i);

		closed += other != pack && counts_as_closed(other, which, now_ms);
	}
	if (closed < bank->setup->keep_closed)
		return PB_CONTROL_REASON_KEEP_CLOSED;
	if (which != PB_SWITCH_DISCHARGE || whole)
		return PB_CONTROL_REASON_NONE;
	/* in series, one pack stops all */
	return closed == 0 || bank->setup->bank->topology == PB_TOPOLOGY_SERIES
		       ? PB_CONTROL_REASON_LAST_SOURCE
		       : PB_CONTROL_REASON_NONE;
}

static void find_holds(const struct battery *pack, uint64_t now_ms, struct pb_control_facts *facts)
{
	const struct pb_plant *plant = pack->plant;

	for (size_t b = 0; b < plant->bank_count; b++) {
		const struct battery *bank = &plant->batteries[plant->pack_count + b];

		if (!bank_has(bank, pack))
			continue;
		facts->in_bank = true;
		for (int i = 0; i < PB_SWITCHES; i++)
			if (facts->hold[i] == PB_CONTROL_REASON_NONE)
				facts->hold[i] = (uint8_t)held_by(bank, pack, i, now_ms);
	}
}

/* ---- one pack ---- */

static bool control_differs(const struct pb_control *a, const struct pb_control *b)
{
	return a->inhibit_charge != b->inhibit_charge ||
	       a->inhibit_discharge != b->inhibit_discharge || a->state != b->state ||
	       a->reason != b->reason || a->blocks_charge != b->blocks_charge ||
	       a->blocks_discharge != b->blocks_discharge || strcmp(a->owner, b->owner) != 0;
}

/* Its images and those of its banks are encoded anew. */
static void show(struct battery *pack)
{
	struct pb_plant *plant = pack->plant;

	pack->version++;
	for (size_t b = 0; b < plant->bank_count; b++) {
		struct battery *bank = &plant->batteries[plant->pack_count + b];

		if (bank_has(bank, pack))
			bank->version++;
	}
}

/* @return whether it has changed what limits follow from */
static bool tell(struct battery *pack, uint64_t now_ms)
{
	struct pb_control before = pack->data.control;
	struct pb_control *now = &pack->data.control;

	notes_control_sum(pack, now_ms);
	control_at(pack, now_ms);
	if (!control_differs(&before, now))
		return false;
	notes_control(pack, &before, now_ms);
	show(pack);
	return before.blocks_charge != now->blocks_charge ||
	       before.blocks_discharge != now->blocks_discharge;
}

/* The command itself is the last thing: the reader may hand up a reading at once. */
static void step_pack(struct battery *pack, bool may_send, uint64_t now_ms)
{
	struct pb_plant *plant = pack->plant;
	struct pb_control_machine *machine = &pack->memory.control;
	struct pb_control_facts facts = {
		.setup = control_setup(pack),
		.sample = &pack->data.sample,
		.status = &pack->data.status,
		.command = &pack->command,
		.may_send = may_send,
	};
	struct pb_command command;
	bool send;

	if (pb_control_wants_open(machine, PB_SWITCH_CHARGE) ||
	    pb_control_wants_open(machine, PB_SWITCH_DISCHARGE))
		find_holds(pack, now_ms, &facts);
	send = pb_control_step(machine, &facts, now_ms, &command);
	if (tell(pack, now_ms))
		battery_update_limits(pack, now_ms);
	battery_schedule(pack);
	if (!send)
		return;
	notes_command(pack, &command);
	pb_control_result(machine,
			  plant->handler->command(plant->userdata,
						  (size_t)(pack - plant->batteries), &command));
}

void control_step_all(struct pb_plant *plant, bool may_send, uint64_t now_ms)
{
	for (size_t i = 0; plant->has_control && i < plant->pack_count; i++)
		if (is_on(&plant->batteries[i]))
			step_pack(&plant->batteries[i], may_send, now_ms);
}

void control_let_go(struct pb_plant *plant, int battery)
{
	for (int i = 0; i < (int)plant->pack_count; i++) {
		struct battery *pack = &plant->batteries[i];

		if ((battery == PB_PLANT_ALL || battery == i) && is_on(pack))
			pb_control_let_go(&pack->memory.control, control_setup(pack));
	}
}

/* Of a switch that the new configuration does not let us close. */
static bool is_left(const struct battery *pack, const struct battery *before, int which)
{
	return pb_control_holds(&before->memory.control, which) &&
	       !pb_control_holds(&pack->memory.control, which);
}

void control_take(struct battery *pack, const struct battery *before, bool same_reader)
{
	pack->memory.control = before->memory.control;
	pb_control_move(&pack->memory.control, control_setup(pack), same_reader);
	pack->data.control = before->data.control;
	if (!is_on(pack))
		pack->data.control = (struct pb_control){0};
	notes_left(pack, is_left(pack, before, PB_SWITCH_CHARGE),
		   is_left(pack, before, PB_SWITCH_DISCHARGE));
}

/* ---- banks ---- */

/* From the best to the worst. */
static int rank(const struct pb_control *control)
{
	static const uint8_t order[] = {
		PB_CONTROL_STATE_IDLE,	    PB_CONTROL_STATE_CONFIRMED, PB_CONTROL_STATE_LOCAL,
		PB_CONTROL_STATE_VERIFYING, PB_CONTROL_STATE_WRITING,	PB_CONTROL_STATE_PENDING,
		PB_CONTROL_STATE_EXPIRED,   PB_CONTROL_STATE_FOREIGN,	PB_CONTROL_STATE_OVERRIDDEN,
		PB_CONTROL_STATE_FAILED,    PB_CONTROL_STATE_OFF,
	};
	int at = 0;

	while (order[at] != control->state)
		at++;
	return at;
}

static void join(struct pb_control *bank, const struct pb_control *pack)
{
	bank->inhibit_charge &= pack->inhibit_charge;
	bank->inhibit_discharge &= pack->inhibit_discharge;
	bank->blocks_charge &= pack->blocks_charge;
	bank->blocks_discharge &= pack->blocks_discharge;
	if (pack->lease_s < bank->lease_s)
		bank->lease_s = pack->lease_s;
	if (pack->age_s < bank->age_s)
		bank->age_s = pack->age_s;
	if (rank(pack) > rank(bank)) {
		bank->state = pack->state;
		bank->reason = pack->reason;
	}
	if (strcmp(bank->owner, pack->owner) != 0)
		snprintf(bank->owner, sizeof(bank->owner), "several");
}

void control_at(struct battery *battery, uint64_t now_ms)
{
	struct pb_control *ret = &battery->data.control;

	if (!battery->setup->bank) {
		pb_control_tell(&battery->memory.control, now_ms, ret);
		if (!is_on(battery))
			ret->reason = PB_CONTROL_REASON_NOT_ENABLED;
		return;
	}
	for (size_t i = 0; i < battery->setup->pack_count; i++) {
		struct battery *pack = battery_of_bank(battery, i);

		control_at(pack, now_ms);
		if (i == 0)
			*ret = pack->data.control;
		else
			join(ret, &pack->data.control);
	}
}

/* ---- requests ---- */

static enum pb_exception exception_of(int r)
{
	switch (r) {
	case 0:
		return PB_EXCEPTION_NONE;
	case -EINVAL:
		return PB_EXCEPTION_ILLEGAL_VALUE;
	case -EBUSY:
		return PB_EXCEPTION_DEVICE_BUSY;
	default:
		return PB_EXCEPTION_ILLEGAL_ADDRESS;
	}
}

static struct battery *pack_of(struct battery *battery, size_t index)
{
	return battery->setup->bank ? battery_of_bank(battery, index) : battery;
}

/* For all packs of a bank or for none, so all are asked first. */
enum pb_exception pb_plant_control(struct pb_plant *plant, size_t battery,
				   const struct pb_control_request *request, uint64_t now_ms)
{
	struct battery *of = &plant->batteries[battery];
	bool whole = of->setup->bank != NULL;
	size_t count = whole ? of->setup->pack_count : 1;
	int r = 0;

	for (size_t i = 0; r == 0 && i < count; i++)
		r = pb_control_allows(&pack_of(of, i)->memory.control,
				      control_setup(pack_of(of, i)), request);
	for (size_t i = 0; r == 0 && i < count; i++) {
		struct battery *pack = pack_of(of, i);

		pb_control_take(&pack->memory.control, control_setup(pack), request, whole, now_ms);
		plant->due_ms[pack - plant->batteries] = now_ms;
	}
	if (r < 0)
		return exception_of(r);
	control_step_all(plant, false, now_ms);
	if (plant->handler->due)
		plant->handler->due(plant->userdata);
	return PB_EXCEPTION_NONE;
}

bool pb_plant_holds(const struct pb_plant *plant, size_t pack)
{
	const struct pb_control_machine *machine = &plant->batteries[pack].memory.control;

	return pb_control_holds(machine, PB_SWITCH_CHARGE) ||
	       pb_control_holds(machine, PB_SWITCH_DISCHARGE);
}

bool pb_plant_is_closing(const struct pb_plant *plant)
{
	for (size_t i = 0; i < plant->pack_count; i++)
		if (pb_control_is_closing(&plant->batteries[i].memory.control))
			return true;
	return false;
}
