/* SPDX-License-Identifier: MIT */
/*
 * Control of three packs of a bank: two clients and a person wish at random, boards obey, refuse,
 * ignore, close again, are switched by an app, fall silent or lose the link, and the configuration
 * is loaded anew. Each pair of bytes is one event. What must hold is checked at each command and
 * after each event:
 *
 * - nothing is sent with control off, on a stale reading or over a connection that was not read;
 * - no switch is opened against keep_closed or an opposite current, and none without a wish;
 * - only switches that were opened here are closed, or those whose release was asked for;
 * - what is sent changes something; a change is sent twice at most, a closing once;
 * - no state is CONFIRMED or LOCAL that the FETs of the last reading contradict;
 * - some time after a wish has ended nothing is locked that was locked here.
 */
#include "packbridge/plant.h"
#include "packbridge/yaml.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { PACKS = 3, BANK = PACKS, BATTERIES, SWITCHES = 2 };
enum { POLL_MS = 2000, COMMAND_MS = 100, LATE_MS = 1500, STALE_S = 15, CALM_MS = 60000 };

enum answer { OBEYS, IGNORES, REFUSES, LOSES, IS_SILENT, LACKS, DROPS, ANSWERS };

struct board {
	bool locked[SWITCHES], guarded[SWITCHES], forced[SWITCHES];
	bool hides, mute, late; /* late: readings are older than the time they come at */
	enum answer answer;
	int32_t current_ma;
	uint64_t poll_ms, answer_ms; /* UINT64_MAX: no command is under way */
	struct pb_sample sample;     /* the last that was read */
	struct pb_status status;
	struct pb_command_status result;
	struct pb_command command;
	uint32_t read_connects; /* the connection of the last reading */
	int refuse;		/* of command() */
	/* what the checks remember */
	bool ours[SWITCHES];	  /* opened by a command of ours */
	bool requested[SWITCHES]; /* its release was asked for */
	int opens[SWITCHES], closes[SWITCHES];
	bool unanswered;  /* the last command */
	uint64_t calm_ms; /* since when nothing disturbs */
};

static struct {
	struct pb_plant *plant;
	struct pb_battery_setup setups[2][BATTERIES];
	struct pb_control_setup controls[2][PACKS];
	int made;
	struct board boards[PACKS];
	uint64_t now_ms, due_ms;
	bool in_time, letting;
	bool kept; /* a configuration lets what is locked stay so */
} fuzz;

static struct pb_limit_setup limits;
static struct pb_alarm_setup alarms;
static struct pb_bank_setup parallel;
static const size_t members[] = {0, 1, 2};
static struct pb_map *gateway_map;

static const struct pb_control_setup *control_of(int pack)
{
	return &fuzz.controls[fuzz.made % 2][pack];
}

static const struct pb_battery *told(int battery)
{
	return pb_plant_battery(fuzz.plant, (size_t)battery, fuzz.now_ms);
}

static bool wishes(int pack, int which)
{
	const struct pb_control *control = &told(pack)->control;

	return which ? control->inhibit_discharge : control->inhibit_charge;
}

static bool fet_of(const struct board *b, int which)
{
	return which ? b->sample.discharge_fet : b->sample.charge_fet;
}

static bool is_fresh(const struct board *b)
{
	return b->status.connected && b->read_connects == b->status.connects &&
	       !pb_status_is_stale(&b->status, fuzz.now_ms);
}

/* ---- the boards ---- */

static void step(struct pb_plant_event event)
{
	event.day = PB_HISTORY_DAY_NONE;
	fuzz.due_ms = pb_plant_step(fuzz.plant, &event, fuzz.now_ms);
}

static void hand_up(int pack, bool new_reading)
{
	static const struct pb_note note;
	static const struct pb_refusals refusals;
	struct board *b = &fuzz.boards[pack];
	const struct pb_reading reading = {
		.new_reading = new_reading,
		.new_status = true,
		.sample = &b->sample,
		.status = &b->status,
		.protocol = "jbd",
		.state = "connected",
		.note = &note,
		.refusals = &refusals,
		.command = &b->result,
	};

	step((struct pb_plant_event){
		.type = PB_PLANT_READING, .battery = pack, .reading = &reading});
}

static void measure(struct board *b)
{
	struct pb_sample *s = &b->sample;

	*s = (struct pb_sample){
		.has = PB_HAS(PB_HAS_CURRENT) | PB_HAS(PB_HAS_CHARGE_FET) |
		       PB_HAS(PB_HAS_DISCHARGE_FET) | PB_HAS(PB_HAS_PROTECTION),
		.current_ma = b->current_ma,
		.charge_fet = b->forced[0] || (!b->locked[0] && !b->guarded[0]),
		.discharge_fet = b->forced[1] || (!b->locked[1] && !b->guarded[1]),
	};
	if (b->guarded[0] || b->guarded[1])
		s->protection_mask |= 1 << PB_PROTECT_CELL_OVERVOLTAGE;
	if (b->locked[0] || b->locked[1])
		s->protection_mask |= 1 << PB_PROTECT_FET_LOCKED;
	if (b->hides && s->protection_mask)
		return;
	s->has |= PB_HAS(PB_HAS_CHARGE_SWITCH) | PB_HAS(PB_HAS_DISCHARGE_SWITCH);
	s->charge_switch = !b->locked[0];
	s->discharge_switch = !b->locked[1];
}

/* Until a command is judged, what it was meant to open counts as opened here: nobody can tell a
 * late effect from somebody else who does the same. */
static bool is_judged(int pack)
{
	uint8_t state = told(pack)->control.state;

	return state != PB_CONTROL_STATE_FAILED && state != PB_CONTROL_STATE_WRITING &&
	       state != PB_CONTROL_STATE_VERIFYING && state != PB_CONTROL_STATE_EXPIRED;
}

static void poll(int pack)
{
	struct board *b = &fuzz.boards[pack];

	b->poll_ms = fuzz.now_ms + POLL_MS;
	if (!b->status.connected || b->mute || b->answer_ms != UINT64_MAX)
		return;
	measure(b);
	for (int i = 0; i < SWITCHES; i++) {
		if (b->locked[i])
			b->opens[i] = 0;
		else if (!b->late && is_judged(pack) && (!b->hides || fet_of(b, i)))
			b->closes[i] = b->ours[i] = b->requested[i] = 0;
	}
	b->status.sampled_ms = fuzz.now_ms - (b->late ? LATE_MS : 0);
	b->status.sequence = b->status.sequence == 65535 ? 1 : (uint16_t)(b->status.sequence + 1);
	b->read_connects = b->status.connects;
	hand_up(pack, true);
}

static void answer(int pack)
{
	static const enum pb_command_state states[ANSWERS] = {
		PB_COMMAND_DONE,       PB_COMMAND_DONE,	      PB_COMMAND_REFUSED,
		PB_COMMAND_UNANSWERED, PB_COMMAND_UNANSWERED, PB_COMMAND_UNSUPPORTED,
		PB_COMMAND_DROPPED,
	};
	struct board *b = &fuzz.boards[pack];
	bool obeys = b->answer == OBEYS || b->answer == LOSES;

	b->answer_ms = UINT64_MAX;
	b->result.state = states[b->answer];
	b->unanswered = b->result.state == PB_COMMAND_UNANSWERED;
	if (b->answer < LACKS)
		b->result.sent_ms = fuzz.now_ms - COMMAND_MS;
	if (b->answer >= LACKS)
		for (int i = 0; i < SWITCHES; i++)
			b->opens[i] = b->closes[i] = 0; /* nothing was sent */
	if (obeys && b->command.change_charge)
		b->locked[0] = b->command.inhibit_charge;
	if (obeys && b->command.change_discharge)
		b->locked[1] = b->command.inhibit_discharge;
	b->poll_ms = fuzz.now_ms + 1;
	hand_up(pack, false);
}

/* ---- checks ---- */

static void check_open(int pack, int which)
{
	const struct board *b = &fuzz.boards[pack];
	int32_t opposite_ma = which ? b->sample.current_ma : -b->sample.current_ma;
	uint32_t closed = 0;

	assert(wishes(pack, which));
	assert(opposite_ma <= 2000);
	for (int i = 0; i < PACKS; i++) {
		const struct board *o = &fuzz.boards[i];
		bool ordered = o->answer_ms != UINT64_MAX &&
			       (which ? o->command.change_discharge && o->command.inhibit_discharge
				      : o->command.change_charge && o->command.inhibit_charge);

		closed += i != pack && fet_of(o, which) && !ordered && o->status.sequence &&
			  !pb_status_is_stale(&o->status, fuzz.now_ms);
	}
	assert(closed >= fuzz.setups[fuzz.made % 2][BANK].keep_closed);
}

static void check_change(int pack, int which, bool inhibit)
{
	struct board *b = &fuzz.boards[pack];
	uint64_t has = PB_HAS(which ? PB_HAS_DISCHARGE_SWITCH : PB_HAS_CHARGE_SWITCH);

	assert(!which || control_of(pack)->mode == PB_CONTROL_BOTH);
	if (b->sample.has & has) /* it changes something */
		assert((which ? b->sample.discharge_switch : b->sample.charge_switch) == inhibit);
	if (inhibit) {
		check_open(pack, which);
		assert(++b->opens[which] == 1 || (b->opens[which] == 2 && b->unanswered));
		b->ours[which] = true;
	} else {
		assert(b->ours[which] || b->requested[which]);
		assert(++b->closes[which] == 1);
	}
}

/* What stays of the other switch is what the reading shows. */
static void check_stays(const struct board *b, int which, bool inhibit)
{
	uint64_t has = PB_HAS(which ? PB_HAS_DISCHARGE_SWITCH : PB_HAS_CHARGE_SWITCH);

	if (b->sample.has & has)
		assert((which ? b->sample.discharge_switch : b->sample.charge_switch) != inhibit);
}

static int on_command(void *userdata, size_t pack, const struct pb_command *command)
{
	struct board *b = &fuzz.boards[pack];

	(void)userdata;
	assert(fuzz.in_time);
	assert(control_of((int)pack)->mode != PB_CONTROL_OFF);
	assert(is_fresh(b) && b->answer_ms == UINT64_MAX);
	assert(command->change_charge || command->change_discharge);
	if (b->refuse < 0)
		return b->refuse;
	b->command = *command;
	if (command->change_charge)
		check_change((int)pack, 0, command->inhibit_charge);
	else
		check_stays(b, 0, command->inhibit_charge);
	if (command->change_discharge)
		check_change((int)pack, 1, command->inhibit_discharge);
	else
		check_stays(b, 1, command->inhibit_discharge);
	b->result = (struct pb_command_status){.state = PB_COMMAND_RUNNING,
					       .number = b->result.number + 1};
	b->answer_ms = fuzz.now_ms + COMMAND_MS;
	hand_up((int)pack, false); /* as a session does, from inside */
	return 0;
}

static void check_told(int pack)
{
	const struct board *b = &fuzz.boards[pack];
	const struct pb_control *c = &told(pack)->control;
	bool calm = fuzz.now_ms >= b->calm_ms + CALM_MS && b->answer == OBEYS && is_fresh(b) &&
		    !b->hides && b->refuse == 0;

	assert((c->state == PB_CONTROL_STATE_OFF) == (control_of(pack)->mode == PB_CONTROL_OFF));
	for (int i = 0; i < SWITCHES; i++) {
		bool wish = wishes(pack, i);

		if (c->state == PB_CONTROL_STATE_CONFIRMED || c->state == PB_CONTROL_STATE_LOCAL) {
			assert(is_fresh(b));
			assert(b->status.sampled_ms > b->result.sent_ms);
			assert(!wish || !fet_of(b, i));
		}
		if (calm && !wish && c->state != PB_CONTROL_STATE_FAILED &&
		    c->state != PB_CONTROL_STATE_OFF && !fuzz.letting &&
		    !(fuzz.kept && c->state == PB_CONTROL_STATE_EXPIRED) &&
		    (i == 0 || control_of(pack)->mode == PB_CONTROL_BOTH))
			assert(!b->ours[i] || !b->locked[i]);
	}
	assert(c->state != PB_CONTROL_STATE_CONFIRMED || c->inhibit_charge || c->inhibit_discharge);
	assert(c->owner[0] || !(c->inhibit_charge || c->inhibit_discharge));
}

static void check_all(void)
{
	for (int i = 0; i < PACKS; i++)
		check_told(i);
	told(BANK);
}

/* ---- time ---- */

static uint64_t next_ms(void)
{
	uint64_t first_ms = fuzz.due_ms;

	for (int i = 0; i < PACKS; i++) {
		const struct board *b = &fuzz.boards[i];

		if (b->poll_ms < first_ms)
			first_ms = b->poll_ms;
		if (b->answer_ms < first_ms)
			first_ms = b->answer_ms;
	}
	return first_ms > fuzz.now_ms ? first_ms : fuzz.now_ms;
}

static void take_time(void)
{
	fuzz.in_time = true;
	step((struct pb_plant_event){.type = PB_PLANT_TIME});
	fuzz.in_time = false;
	assert(fuzz.due_ms > fuzz.now_ms);
}

static void pass(uint64_t ms)
{
	uint64_t end_ms = fuzz.now_ms + ms;

	while (next_ms() <= end_ms) {
		fuzz.now_ms = next_ms();
		if (fuzz.due_ms <= fuzz.now_ms) {
			take_time();
			check_all();
		}
		for (int i = 0; i < PACKS; i++) {
			if (fuzz.boards[i].answer_ms <= fuzz.now_ms)
				answer(i);
			else if (fuzz.boards[i].poll_ms <= fuzz.now_ms)
				poll(i);
			else
				continue;
			check_told(i);
		}
	}
	fuzz.now_ms = end_ms;
}

/* ---- events ---- */

static void disturb(int pack)
{
	fuzz.boards[pack].calm_ms = fuzz.now_ms;
}

static void mark_requested(int pack, bool charge, bool discharge)
{
	struct board *b = &fuzz.boards[pack];

	b->requested[0] |= charge;
	b->requested[1] |= discharge;
	for (int i = 0; i < SWITCHES; i++)
		b->opens[i] = b->closes[i] = 0;
}

/* What a request may close: all when it is given back or reset, else a wish that it clears. */
static void ask(int battery, const struct pb_control_request *request)
{
	bool charge[PACKS], discharge[PACKS];
	bool all = request->give_back || request->reset;
	enum pb_exception r;

	for (int i = 0; i < PACKS; i++) {
		charge[i] = wishes(i, 0) || told(i)->control.state == PB_CONTROL_STATE_EXPIRED;
		discharge[i] = wishes(i, 1) || told(i)->control.state == PB_CONTROL_STATE_EXPIRED;
	}
	r = pb_plant_control(fuzz.plant, (size_t)battery, request, fuzz.now_ms);
	fuzz.due_ms = fuzz.now_ms;
	for (int i = 0; i < PACKS; i++) {
		if (r != PB_EXCEPTION_NONE || (battery != BANK && battery != i))
			continue;
		disturb(i);
		mark_requested(
			i, all || (request->has_charge && !request->inhibit_charge && charge[i]),
			all || (request->has_discharge && !request->inhibit_discharge &&
				discharge[i]));
	}
}

static void ask_by(const char *owner, bool local, uint8_t arg)
{
	const struct pb_control_request request = {
		.owner = owner,
		.local = local,
		.has_charge = arg & 4,
		.inhibit_charge = arg & 8,
		.has_discharge = arg & 16,
		.inhibit_discharge = arg & 32,
		.has_lease = arg & 64,
		.lease_s = arg & 128 ? 20 : 65535,
	};

	ask(arg & 3, &request);
}

static void reload(uint8_t arg);

static void change_board(int pack, uint8_t what, uint8_t arg)
{
	struct board *b = &fuzz.boards[pack];

	disturb(pack);
	switch (what) {
	case 0:
		b->answer = (enum answer)(arg / 4 % ANSWERS);
		break;
	case 1:
		b->current_ma = (arg / 4 - 32) * 1000;
		break;
	case 2:
		b->guarded[arg >> 2 & 1] = arg & 8;
		break;
	case 3:
		b->forced[arg >> 2 & 1] = arg & 8;
		break;
	case 4: /* an app, or another master */
		b->locked[arg >> 2 & 1] = arg & 8;
		break;
	case 5:
		b->status.connected = false;
		if (b->answer_ms != UINT64_MAX) {
			b->answer_ms = UINT64_MAX;
			b->result.state = PB_COMMAND_UNANSWERED;
			b->result.sent_ms = fuzz.now_ms;
			b->unanswered = true;
		}
		hand_up(pack, false);
		break;
	case 6:
		if (b->status.connected)
			return;
		b->status.connected = true;
		b->status.connects++;
		hand_up(pack, false);
		break;
	case 7:
		b->mute = arg & 4;
		b->hides = arg & 8;
		b->refuse = arg & 16 ? -107 : 0;
		b->late = arg & 32;
		break;
	case 8: /* it is restarted */
		b->locked[0] = b->locked[1] = false;
		break;
	default:
		break;
	}
}

static void happen(uint8_t op, uint8_t arg)
{
	static const struct pb_control_request back = {
		.owner = "local", .local = true, .give_back = true};

	switch (op % 16) {
	case 0:
		pass((uint64_t)arg * 100);
		break;
	case 1:
		pass((uint64_t)(arg & 127) * 1000);
		break;
	case 2:
		ask_by("10.0.0.1", false, arg);
		break;
	case 3:
		ask_by("10.0.0.2", false, arg);
		break;
	case 4:
		ask_by("local", true, arg);
		break;
	case 5:
		ask(arg & 3, &back);
		break;
	case 6:
		ask(arg & 3, &(struct pb_control_request){
				     .owner = arg & 4 ? "10.0.0.1" : "10.0.0.2", .reset = true});
		break;
	case 7:
		reload(arg);
		break;
	case 8:
		if (arg != 255)
			break;
		fuzz.letting = true;
		step((struct pb_plant_event){.type = PB_PLANT_LET_GO, .battery = PB_PLANT_ALL});
		fuzz.due_ms = fuzz.now_ms;
		break;
	default:
		if ((arg & 3) < PACKS)
			change_board(arg & 3, op / 16 % 9, arg);
		break;
	}
	pass(0);
	check_all();
}

/* ---- the plant ---- */

static void on_note(void *userdata, enum pb_log_level level, const struct pb_log_about *about,
		    const char *text)
{
	(void)userdata;
	(void)level;
	(void)about;
	assert(*text);
}

static void on_count(void *userdata, struct pb_gateway *gateway)
{
	(void)userdata;
	(void)gateway;
}

static void on_due(void *userdata)
{
	(void)userdata;
}

static const struct pb_plant_handler handler = {
	.note = on_note, .count = on_count, .command = on_command, .due = on_due};

/* @arg: two bits of each pack's mode, then keep_closed, and the end of a lease. */
static struct pb_plant *make(uint8_t arg)
{
	static const char *const names[] = {"a", "b", "c", "all"};
	struct pb_battery_setup *setups = fuzz.setups[++fuzz.made % 2];
	struct pb_control_setup *controls = fuzz.controls[fuzz.made % 2];
	struct pb_plant *plant = NULL;
	struct pb_plant_setup setup = {
		.batteries = setups,
		.pack_count = PACKS,
		.bank_count = 1,
		.table_count = 1,
		.gateway_map = gateway_map,
		.version = "1",
		.start_ms = 1000,
		.handler = &handler,
	};

	fuzz.kept |= arg & 64;
	memset(setups, 0, sizeof(fuzz.setups[0]));
	for (int i = 0; i < PACKS; i++) {
		int mode = 2 - (arg >> i & 1);

		controls[i] = (struct pb_control_setup){
			.mode = arg == 255 ? PB_CONTROL_OFF : mode,
			.lease_s = 30,
			.lease_end = arg & 64 ? PB_LEASE_KEEP : PB_LEASE_RELEASE,
			.min_s = 10,
			.per_hour = 60,
		};
		setups[i] = (struct pb_battery_setup){
			.name = names[i],
			.protocol = "jbd",
			.unit = i + 1,
			.alarms = &alarms,
			.limits = &limits,
			.stale_after_s = STALE_S,
			.keep = !(arg & 32 && i == 1),
			.same_link = true,
			.control = &controls[i],
		};
	}
	setups[BANK] = (struct pb_battery_setup){
		.name = names[BANK],
		.protocol = "bank",
		.unit = BANK + 1,
		.alarms = &alarms,
		.bank = &parallel,
		.packs = members,
		.pack_count = PACKS,
		.keep_closed = arg >> 3 & 3,
	};
	if (pb_plant_new(&plant, &setup) < 0)
		abort();
	return plant;
}

/* Another reader: it has nothing yet. */
static void begin_anew(struct board *b)
{
	b->status = (struct pb_status){.connected = true, .connects = 1, .stale_after_s = STALE_S};
	b->result = (struct pb_command_status){0};
	b->read_connects = 0;
	b->answer_ms = UINT64_MAX;
	for (int i = 0; i < SWITCHES; i++)
		b->opens[i] = b->closes[i] = 0;
}

static void reload(uint8_t arg)
{
	struct pb_plant *next = make(arg);

	pb_plant_take(next, fuzz.plant);
	pb_plant_free(fuzz.plant);
	fuzz.plant = next;
	for (int i = 0; i < PACKS; i++) {
		disturb(i);
		if (!fuzz.setups[fuzz.made % 2][i].keep)
			begin_anew(&fuzz.boards[i]);
		if (control_of(i)->mode != PB_CONTROL_BOTH)
			fuzz.boards[i].ours[1] = false;
		if (control_of(i)->mode == PB_CONTROL_OFF)
			fuzz.boards[i].ours[0] = false;
	}
	step((struct pb_plant_event){.type = PB_PLANT_START});
}

static void load_once(void)
{
	struct pb_report report = {0};

	if (gateway_map)
		return;
	if (pb_map_load(&gateway_map, PB_FUZZ_MAPS "/packbridge-gateway.yaml", &report) < 0) {
		pb_report_print(&report, stderr);
		abort();
	}
	pb_limit_preset(&limits, PB_CHEMISTRY_LIFEPO4);
	pb_alarm_preset(&alarms, PB_CHEMISTRY_LIFEPO4);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	load_once();
	memset(&fuzz, 0, sizeof(fuzz));
	fuzz.now_ms = 2000;
	for (int i = 0; i < PACKS; i++)
		fuzz.boards[i] = (struct board){
			.status = {.connected = true, .connects = 1, .stale_after_s = STALE_S},
			.answer_ms = UINT64_MAX,
			.poll_ms = fuzz.now_ms + 100,
		};
	fuzz.plant = make(size ? data[0] : 0);
	step((struct pb_plant_event){.type = PB_PLANT_START});
	pass(1500);
	for (size_t i = 1; i + 1 < size && i < 120; i += 2)
		happen(data[i], data[i + 1]);
	pb_plant_free(fuzz.plant);
	return 0;
}
