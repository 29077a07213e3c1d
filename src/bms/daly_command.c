/* SPDX-License-Identifier: MIT */
/*
 * Commands to the FETs of a Daly board: a write for each switch that differs, charge first. 1 is
 * closed.
 *
 *	A5   A5 host DA 08 state 00*7 sum (D9: discharge)    reply  A5 board DA 08 state ..*7 sum
 *	D2   D2 06 00 A5 00 state crc crc (A6: discharge)    reply  the same
 *	P81  81 06 01 21 00 state crc crc (122: discharge)   reply  51, and the rest the same
 *
 * A reply with another state is a refusal; none, or a damaged one, means that only a reading can
 * tell.
 *
 * Source: docs/protocols/daly.md, "Switching"
 */
#include "codec.h"
#include "daly.h"
#include "packbridge/base.h"

#include <string.h>

enum { A5_DISCHARGE = 0xD9, A5_CHARGE = 0xDA, A5_DATA = 8, A5_LEN = 13, WORD_LEN = 8, CRC_LEN = 2 };
enum { STEP_START, STEP_CHARGE, STEP_DISCHARGE };

/* Makes the request that opens or closes one of the switches. */
typedef void make_write(const struct pb_dialogue *d, bool charge, bool on, struct pb_query *out);

static enum pb_dialogue_result send_next(struct pb_dialogue *d, make_write *make)
{
	const struct pb_command *command = &d->command;
	bool charge = d->step < STEP_CHARGE && command->change_charge;

	if (!charge && (d->step == STEP_DISCHARGE || !command->change_discharge))
		return PB_DIALOGUE_DONE;
	d->step = charge ? STEP_CHARGE : STEP_DISCHARGE;
	d->request = (struct pb_query){.name = "command"};
	make(d, charge, !(charge ? command->inhibit_charge : command->inhibit_discharge),
	     &d->request);
	return PB_DIALOGUE_SEND;
}

/* @confirms: whether the reply repeats what the request asked for. */
static enum pb_dialogue_result daly_command(struct pb_dialogue *d, const struct pb_frame *reply,
					    bool (*confirms)(const struct pb_query *request,
							     const struct pb_frame *reply),
					    make_write *make)
{
	bool changes = d->command.change_charge || d->command.change_discharge;
	bool answered =
		reply && reply->kind == PB_FRAME_REPLY && reply->command == d->request.command;

	if (d->kind != PB_DIALOGUE_COMMAND || !changes || (d->step != STEP_START && !answered))
		return PB_DIALOGUE_NONE;
	if (d->step != STEP_START && (reply->status != 0 || !confirms(&d->request, reply)))
		return PB_DIALOGUE_REFUSED;
	return send_next(d, make);
}

/* ---- D2 and P81 ---- */

/* Register @reg is the charge switch, the next one the discharge switch. */
static void put_word(uint8_t board, unsigned int reg, bool on, struct pb_query *out)
{
	out->bytes[0] = board;
	out->bytes[1] = DALY_WRITE;
	pb_put_be16(out->bytes + 2, (uint16_t)reg);
	pb_put_be16(out->bytes + 4, on);
	pb_put_le16(out->bytes + WORD_LEN - CRC_LEN, pb_crc16(out->bytes, WORD_LEN - CRC_LEN));
	out->len = WORD_LEN;
	out->command = (uint16_t)(DALY_WRITES | reg);
}

static void make_d2(const struct pb_dialogue *d, bool charge, bool on, struct pb_query *out)
{
	(void)d;
	put_word(DALY_D2, DALY_D2_SWITCHES + !charge, on, out);
}

/* Without an address, it is board 1. */
static void make_p81(const struct pb_dialogue *d, bool charge, bool on, struct pb_query *out)
{
	uint8_t above = d->address ? (uint8_t)(d->address - 1) : 0;

	put_word((uint8_t)(DALY_P81 + above), DALY_P81_SWITCHES + !charge, on, out);
}

/* Register and value. */
static bool word_confirms(const struct pb_query *request, const struct pb_frame *reply)
{
	return reply->payload_len == 4 && memcmp(reply->payload, request->bytes + 2, 4) == 0;
}

enum pb_dialogue_result daly_d2_dialogue(struct pb_dialogue *d, const struct pb_frame *reply)
{
	return daly_command(d, reply, word_confirms, make_d2);
}

enum pb_dialogue_result daly_p81_dialogue(struct pb_dialogue *d, const struct pb_frame *reply)
{
	return daly_command(d, reply, word_confirms, make_p81);
}

/* ---- A5 ---- */

static void put_a5(uint8_t host, bool charge, bool on, struct pb_query *out)
{
	const uint8_t head[] = {DALY_A5, host, charge ? A5_CHARGE : A5_DISCHARGE, A5_DATA, on};

	memcpy(out->bytes, head, sizeof(head));
	out->bytes[A5_LEN - 1] = (uint8_t)bms_sum(out->bytes, A5_LEN - 1);
	out->len = A5_LEN;
	out->command = head[2];
}

static void make_a5(const struct pb_dialogue *d, bool charge, bool on, struct pb_query *out)
{
	(void)d;
	put_a5(DALY_A5_RADIO, charge, on, out);
}

static void make_a5_wire(const struct pb_dialogue *d, bool charge, bool on, struct pb_query *out)
{
	(void)d;
	put_a5(DALY_A5_WIRE, charge, on, out);
}

static void make_a5_multidrop(const struct pb_dialogue *d, bool charge, bool on,
			      struct pb_query *out)
{
	put_a5((uint8_t)(DALY_A5_WIRE - 1 + d->address), charge, on, out);
}

/* The reply's first byte is the state; the others are leftovers. */
static bool a5_confirms(const struct pb_query *request, const struct pb_frame *reply)
{
	return reply->payload_len == A5_DATA && reply->payload[0] == request->bytes[4];
}

enum pb_dialogue_result daly_a5_dialogue(struct pb_dialogue *d, const struct pb_frame *reply)
{
	return daly_command(d, reply, a5_confirms, make_a5);
}

enum pb_dialogue_result daly_a5_wire_dialogue(struct pb_dialogue *d, const struct pb_frame *reply)
{
	return daly_command(d, reply, a5_confirms, make_a5_wire);
}

enum pb_dialogue_result daly_a5_multidrop_dialogue(struct pb_dialogue *d,
						   const struct pb_frame *reply)
{
	return daly_command(d, reply, a5_confirms, make_a5_multidrop);
}
