/* SPDX-License-Identifier: MIT */
/*
 * A pack with a BMS of every character, and the machine that controls it, in simulated time. The
 * pack is polled once a second. A command takes 100 ms, then a poll follows at once.
 */
#pragma once

#include "packbridge/base.h"
#include "packbridge/control.h"

#include <stdio.h>
#include <string.h>

enum bench_answer {
	BENCH_OBEYS,
	BENCH_IGNORES, /* acknowledges, and does nothing */
	BENCH_REFUSES,
	BENCH_LOSES,	 /* obeys, but the acknowledgement is lost */
	BENCH_IS_SILENT, /* no acknowledgement, and no effect */
	BENCH_LACKS,	 /* the protocol has no such command */
	BENCH_DROPS,	 /* the connection ends before anything was sent */
};

enum { BENCH_POLL_MS = 1000, BENCH_COMMAND_MS = 100, BENCH_COMMANDS = 64 };

struct control_bench {
	struct pb_control_machine machine;
	struct pb_control_setup setup;
	struct pb_control_facts facts;
	struct pb_sample sample;
	struct pb_status status;
	struct pb_command_status result;
	uint64_t now_ms, poll_ms, answer_ms; /* UINT64_MAX: no command is under way */
	/* the BMS */
	enum bench_answer answer;
	bool locked[PB_SWITCHES];    /* by command */
	bool protected[PB_SWITCHES]; /* its FET is open whatever is commanded */
	bool closed[PB_SWITCHES];    /* its FET conducts whatever is commanded */
	bool hides;		     /* it does not tell how it is commanded */
	int r;			     /* of the reader's command() */
	struct pb_command command;
	/* what was sent */
	size_t commands;
	struct {
		struct pb_command command;
		uint64_t at_ms;
	} sent[BENCH_COMMANDS];
};

static inline void bench_init(struct control_bench *b)
{
	memset(b, 0, sizeof(*b));
	b->setup = (struct pb_control_setup){
		.mode = PB_CONTROL_BOTH, .lease_s = 60, .min_s = 10, .per_hour = 12};
	b->status = (struct pb_status){.connected = true, .connects = 1, .stale_after_s = 15};
	b->now_ms = 1000000;
	b->poll_ms = b->now_ms;
	b->answer_ms = UINT64_MAX;
	b->machine.due_ms = UINT64_MAX;
	b->facts = (struct pb_control_facts){.setup = &b->setup,
					     .sample = &b->sample,
					     .status = &b->status,
					     .command = &b->result,
					     .may_send = true};
}

static inline void bench_measure(struct control_bench *b)
{
	struct pb_sample *s = &b->sample;
	bool fet[PB_SWITCHES], guarded = false;

	for (int i = 0; i < PB_SWITCHES; i++) {
		fet[i] = b->closed[i] || (!b->locked[i] && !b->protected[i]);
		guarded |= b->protected[i];
	}
	s->has = PB_HAS(PB_HAS_CURRENT) | PB_HAS(PB_HAS_CHARGE_FET) | PB_HAS(PB_HAS_DISCHARGE_FET) |
		 PB_HAS(PB_HAS_PROTECTION);
	s->charge_fet = fet[PB_SWITCH_CHARGE];
	s->discharge_fet = fet[PB_SWITCH_DISCHARGE];
	s->protection_mask = guarded ? 1 << PB_PROTECT_CELL_OVERVOLTAGE : 0;
	if (b->hides)
		return;
	s->has |= PB_HAS(PB_HAS_CHARGE_SWITCH) | PB_HAS(PB_HAS_DISCHARGE_SWITCH);
	s->charge_switch = !b->locked[PB_SWITCH_CHARGE];
	s->discharge_switch = !b->locked[PB_SWITCH_DISCHARGE];
}

static inline void bench_step(struct control_bench *b)
{
	struct pb_command command;

	if (!pb_control_step(&b->machine, &b->facts, b->now_ms, &command))
		return;
	if (b->r < 0) {
		pb_control_result(&b->machine, b->r);
		return;
	}
	pb_control_result(&b->machine, 0);
	b->command = command;
	b->result = (struct pb_command_status){.state = PB_COMMAND_RUNNING,
					       .number = b->result.number + 1};
	b->answer_ms = b->now_ms + BENCH_COMMAND_MS;
	if (b->commands < BENCH_COMMANDS) {
		b->sent[b->commands].command = command;
		b->sent[b->commands].at_ms = b->now_ms;
	}
	b->commands++;
}

static inline void bench_obey(struct control_bench *b)
{
	if (b->command.change_charge)
		b->locked[PB_SWITCH_CHARGE] = b->command.inhibit_charge;
	if (b->command.change_discharge)
		b->locked[PB_SWITCH_DISCHARGE] = b->command.inhibit_discharge;
}

static inline void bench_answer(struct control_bench *b)
{
	static const enum pb_command_state states[] = {
		[BENCH_OBEYS] = PB_COMMAND_DONE,	   [BENCH_IGNORES] = PB_COMMAND_DONE,
		[BENCH_REFUSES] = PB_COMMAND_REFUSED,	   [BENCH_LOSES] = PB_COMMAND_UNANSWERED,
		[BENCH_IS_SILENT] = PB_COMMAND_UNANSWERED, [BENCH_LACKS] = PB_COMMAND_UNSUPPORTED,
		[BENCH_DROPS] = PB_COMMAND_DROPPED,
	};

	b->answer_ms = UINT64_MAX;
	b->result.state = states[b->answer];
	if (b->answer != BENCH_LACKS && b->answer != BENCH_DROPS)
		b->result.sent_ms = b->now_ms - BENCH_COMMAND_MS;
	if (b->answer == BENCH_OBEYS || b->answer == BENCH_LOSES)
		bench_obey(b);
	b->poll_ms = b->now_ms + 1;
	bench_step(b);
}

static inline void bench_poll(struct control_bench *b)
{
	b->poll_ms = b->now_ms + BENCH_POLL_MS;
	if (!b->status.connected || b->answer_ms != UINT64_MAX)
		return;
	bench_measure(b);
	b->status.sampled_ms = b->now_ms;
	b->status.sequence = b->status.sequence == 65535 ? 1 : (uint16_t)(b->status.sequence + 1);
	bench_step(b);
}

/* Time passes, with polls, answers and deadlines in their order. */
static inline void bench_wait(struct control_bench *b, uint64_t ms)
{
	uint64_t end_ms = b->now_ms + ms;

	for (;;) {
		uint64_t next_ms = b->poll_ms;

		if (b->answer_ms < next_ms)
			next_ms = b->answer_ms;
		if (b->machine.due_ms < next_ms)
			next_ms = b->machine.due_ms;
		if (next_ms > end_ms)
			break;
		if (next_ms > b->now_ms)
			b->now_ms = next_ms;
		if (b->now_ms >= b->answer_ms)
			bench_answer(b);
		else if (b->now_ms >= b->poll_ms)
			bench_poll(b);
		else
			bench_step(b);
	}
	b->now_ms = end_ms;
}

static inline int bench_ask(struct control_bench *b, struct pb_control_request request)
{
	int r;

	if (!request.owner)
		request.owner = request.local ? "local" : "192.168.1.7";
	r = pb_control_allows(&b->machine, &b->setup, &request);
	if (r < 0)
		return r;
	pb_control_take(&b->machine, &b->setup, &request, false, b->now_ms);
	bench_step(b);
	return 0;
}

static inline int bench_charge(struct control_bench *b, bool inhibit)
{
	return bench_ask(
		b, (struct pb_control_request){.has_charge = true, .inhibit_charge = inhibit});
}

static inline int bench_discharge(struct control_bench *b, bool inhibit)
{
	return bench_ask(b, (struct pb_control_request){.has_discharge = true,
							.inhibit_discharge = inhibit});
}

static inline void bench_lose(struct control_bench *b)
{
	b->status.connected = false;
	if (b->answer_ms == UINT64_MAX)
		return;
	b->answer_ms = UINT64_MAX;
	b->result.state = PB_COMMAND_UNANSWERED;
	b->result.sent_ms = b->now_ms;
	bench_step(b);
}

static inline void bench_connect(struct control_bench *b)
{
	b->status.connected = true;
	b->status.connects++;
	b->poll_ms = b->now_ms + 200;
	bench_step(b);
}
