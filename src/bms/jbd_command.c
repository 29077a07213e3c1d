/* SPDX-License-Identifier: MIT */
/*
 * A command to the FETs of a JBD board.
 *
 *	FF AA 17, FF AA 1D     only if the module did not take the root password at the login
 *	06 PIN                 only with a PIN, once in a connection
 *	E1 00 mask             both FETs, bit 0 charge, bit 1 discharge: 1 is off
 *	  or
 *	FB FET state           one FET, 01 charge, 00 discharge: 1 is off
 *
 * New firmware has FB instead of E1. It refuses E1 with status 80, then FB follows at once; or it
 * accepts E1 and does nothing, then the session asks for the other way (COMMAND_AGAIN). Which way
 * works is kept in pb_dialogue.way. Boards acknowledge what they do not have, so a way that seems
 * to work is left again when a reading shows no effect.
 *
 * Source: docs/protocols/jbd.md, "Switching"
 */
#include "codec.h"
#include "jbd_module.h"
#include "packbridge/base.h"

#include <string.h>

enum { REG_PIN = 0x06, REG_MASK = 0xE1, REG_FET = 0xFB };
enum { FET_DISCHARGE = 0x00, FET_CHARGE = 0x01 };
enum { STATUS_REFUSED = 0x80, STATUS_WRONG_PIN = 0x83 };
enum { PIN_LEN = 6, HEAD = 4, TAIL = 3 };

enum way { WAY_MASK, WAY_FET };

enum step {
	STEP_START,
	STEP_RANDOM,
	STEP_ROOT,
	STEP_PIN,
	STEP_MASK,
	STEP_CHARGE,
	STEP_DISCHARGE,
	STEP_END,
};

static enum pb_dialogue_result jbd_write(struct pb_dialogue *d, enum step step, uint8_t reg,
					 const uint8_t *data, size_t len)
{
	struct pb_query *request = &d->request;

	*request = (struct pb_query){.name = "command",
				     .command = reg,
				     .secret = reg == REG_PIN,
				     .len = (uint8_t)(HEAD + len + TAIL)};
	request->bytes[0] = 0xDD;
	request->bytes[1] = 0x5A;
	request->bytes[2] = reg;
	request->bytes[3] = (uint8_t)len;
	memcpy(request->bytes + HEAD, data, len);
	pb_put_be16(request->bytes + HEAD + len, (uint16_t)-bms_sum(request->bytes + 2, 2 + len));
	request->bytes[HEAD + len + 2] = 0x77;
	d->step = (int)step;
	return PB_DIALOGUE_SEND;
}

/* Its length, then each digit as its value. @return false: there is no PIN. */
static bool jbd_pin(const struct pb_dialogue *d, uint8_t *ret_data)
{
	ret_data[0] = PIN_LEN;
	for (size_t i = 0; i < PIN_LEN; i++) {
		if (d->pin[i] < '0' || d->pin[i] > '9')
			return false;
		ret_data[1 + i] = (uint8_t)(d->pin[i] - '0');
	}
	return true;
}

static enum pb_dialogue_result send_mask(struct pb_dialogue *d)
{
	const struct pb_command *command = &d->command;
	uint8_t data[2] = {0, (uint8_t)(command->inhibit_charge | command->inhibit_discharge << 1)};

	return jbd_write(d, STEP_MASK, REG_MASK, data, sizeof(data));
}

static enum pb_dialogue_result send_fet(struct pb_dialogue *d, enum step step, uint8_t fet,
					bool inhibit)
{
	uint8_t data[2] = {fet, inhibit};

	return jbd_write(d, step, REG_FET, data, sizeof(data));
}

/* Sends the next request that is needed, @step or a later one. */
static enum pb_dialogue_result send_from(struct pb_dialogue *d, enum step step)
{
	const struct pb_command *command = &d->command;
	bool mask = d->way == WAY_MASK;
	uint8_t pin[1 + PIN_LEN];

	if (step <= STEP_RANDOM && d->unlocked & JBD_NO_ROOT)
		return jbd_module_root(d, NULL, STEP_RANDOM);
	if (step <= STEP_PIN && !(d->unlocked & JBD_PIN) && jbd_pin(d, pin))
		return jbd_write(d, STEP_PIN, REG_PIN, pin, sizeof(pin));
	if (step <= STEP_MASK && mask)
		return send_mask(d);
	if (step <= STEP_CHARGE && !mask && command->change_charge)
		return send_fet(d, STEP_CHARGE, FET_CHARGE, command->inhibit_charge);
	if (step <= STEP_DISCHARGE && !mask && command->change_discharge)
		return send_fet(d, STEP_DISCHARGE, FET_DISCHARGE, command->inhibit_discharge);
	return PB_DIALOGUE_DONE;
}

static enum pb_dialogue_result jbd_begin(struct pb_dialogue *d)
{
	if (!d->command.change_charge && !d->command.change_discharge)
		return PB_DIALOGUE_NONE;
	if (d->kind == PB_DIALOGUE_COMMAND)
		return send_from(d, STEP_RANDOM);
	d->way = d->way == WAY_MASK ? WAY_FET : WAY_MASK;
	return send_from(d, STEP_MASK);
}

/* Firmware without PIN refuses it, which means nothing. */
static enum pb_dialogue_result jbd_take_pin(struct pb_dialogue *d, uint8_t status)
{
	if (status == STATUS_WRONG_PIN)
		return PB_DIALOGUE_REFUSED;
	if (status == 0)
		d->unlocked |= JBD_PIN;
	return send_from(d, STEP_MASK);
}

static enum pb_dialogue_result jbd_take_mask(struct pb_dialogue *d, uint8_t status)
{
	if (status == 0)
		return PB_DIALOGUE_DONE;
	if (status != STATUS_REFUSED || d->kind != PB_DIALOGUE_COMMAND)
		return PB_DIALOGUE_REFUSED;
	d->way = WAY_FET;
	return send_from(d, STEP_CHARGE);
}

static enum pb_dialogue_result jbd_take_fet(struct pb_dialogue *d, uint8_t status)
{
	if (status == 0)
		return send_from(d, (enum step)(d->step + 1));
	d->way = WAY_MASK;
	return PB_DIALOGUE_REFUSED;
}

enum pb_dialogue_result jbd_command(struct pb_dialogue *d, const struct pb_frame *reply)
{
	enum step step = (enum step)d->step;

	if (step == STEP_START)
		return jbd_begin(d);
	if (step == STEP_RANDOM || step == STEP_ROOT)
		return jbd_module_root(d, reply, STEP_RANDOM) == PB_DIALOGUE_SEND
			       ? PB_DIALOGUE_SEND
			       : send_from(d, STEP_PIN);
	if (!reply || reply->kind != PB_FRAME_REPLY || reply->command != d->request.command) {
		d->way = step >= STEP_CHARGE ? WAY_MASK : d->way;
		return PB_DIALOGUE_NONE;
	}
	if (step == STEP_PIN)
		return jbd_take_pin(d, reply->status);
	return step == STEP_MASK ? jbd_take_mask(d, reply->status) : jbd_take_fet(d, reply->status);
}
