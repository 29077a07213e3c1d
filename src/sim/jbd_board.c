/* SPDX-License-Identifier: MIT */
/*
 * A board that speaks JBD, docs/protocols/jbd.md:
 *
 *	request  DD A5 reg len data.. ck ck 77   (5A: a write)
 *	reply    DD reg status len data.. ck ck 77
 *
 * The checksum is 0x10000 less the sum of the bytes from reg (request) or status (reply) to the
 * last one of data.
 */
#include "packbridge/sim.h"
#include "switches.h"

#include <string.h>

enum {
	START = 0xDD,
	OP_READ = 0xA5,
	OP_WRITE = 0x5A,
	END = 0x77,
	OVERHEAD = 7, /* bytes of a frame that are not data */
	STATUS_DONE = 0x00,
	STATUS_REFUSED = 0x80,
	STATUS_WRONG_PIN = 0x83,
	REG_BASIC = 0x03,
	REG_CELLS = 0x04,
	REG_NAME = 0x05,
	REG_COUNTERS = 0xAA,
	REG_PIN = 0x06,
	REG_FETS = 0xE1, /* a mask of both */
	REG_FET = 0xFB,	 /* one of them, or both */
	PIN_LEN = 6,
	FET_CHARGE = 1 << 0,
	FET_DISCHARGE = 1 << 1,
	FLAG_TENTHS = 1 << 7, /* in the FET byte: current and charge in 0.1 A and 0.1 Ah */
	KELVIN_TENTHS = 2731,
};

/* Bytes written one behind the other. */
struct writer {
	uint8_t *at;
};

static void put8(struct writer *w, int64_t value)
{
	*w->at++ = (uint8_t)pb_clamp(value, 0, UINT8_MAX);
}

static void put16(struct writer *w, int64_t value)
{
	pb_put_be16(w->at, (uint16_t)pb_clamp(value, 0, UINT16_MAX));
	w->at += 2;
}

static void put16s(struct writer *w, int64_t value)
{
	pb_put_be16(w->at, (uint16_t)(int16_t)pb_clamp(value, INT16_MIN, INT16_MAX));
	w->at += 2;
}

/* Bits beyond a field's width are cut off: a mask cannot saturate. */
static void put_mask16(struct writer *w, uint64_t mask)
{
	put16(w, (int64_t)(mask & UINT16_MAX));
}

static uint16_t checksum(const uint8_t *bytes, size_t len)
{
	unsigned int sum = 0;

	for (size_t i = 0; i < len; i++)
		sum += bytes[i];
	return (uint16_t)(0x10000 - sum);
}

/* True when a field in hundredths cannot hold what this pack has or carries. */
static bool needs_tenths(const struct pb_sample *sample)
{
	int64_t most_mah = sample->nominal_mah;

	most_mah = sample->full_mah > most_mah ? sample->full_mah : most_mah;
	most_mah = sample->remaining_mah > most_mah ? sample->remaining_mah : most_mah;
	return most_mah > INT64_C(10) * UINT16_MAX || sample->current_ma > 10 * INT16_MAX ||
	       sample->current_ma < 10 * INT16_MIN;
}

/* bits 15..9 year from 2000, 8..5 month, 4..0 day; @date: YYYYMMDD */
static int32_t date_word(int32_t date)
{
	int32_t year = date / 10000, month = date / 100 % 100, day = date % 100;

	return year < 2000 ? 0 : (year - 2000) << 9 | month << 5 | day;
}

static void put_temperatures(struct writer *w, const struct pb_sample *sample)
{
	put8(w, sample->temperature_count);
	for (int i = 0; i < sample->temperature_count; i++) {
		bool fitted = sample->temperature_has >> i & 1;

		put16(w, fitted ? pb_scale(sample->temperature_mc[i], 1, 100) + KELVIN_TENTHS : 0);
	}
}

static void put_basic(struct writer *w, const struct pb_sample *sample)
{
	bool tenths = needs_tenths(sample);
	int64_t unit = tenths ? 100 : 10; /* mA and mAh */

	put16(w, pb_scale(sample->voltage_mv, 1, 10));
	put16s(w, pb_scale(sample->current_ma, 1, unit));
	put16(w, pb_scale(sample->remaining_mah, 1, unit));
	put16(w, pb_scale(sample->nominal_mah, 1, unit));
	put16(w, sample->cycles);
	put16(w, date_word(sample->production_date));
	put_mask16(w, sample->balance_mask);
	put_mask16(w, sample->balance_mask >> 16);
	put_mask16(w, sample->protection_mask);
	put8(w, sample->version);
	put8(w, pb_scale(sample->soc_permille, 1, 10));
	put8(w, (sample->charge_fet ? FET_CHARGE : 0) |
			(sample->discharge_fet ? FET_DISCHARGE : 0) | (tenths ? FLAG_TENTHS : 0));
	put8(w, sample->cell_count);
	put_temperatures(w, sample);
	/* the tail of newer boards */
	put8(w, 0); /* humidity */
	put_mask16(w, sample->alarm_mask);
	put16(w, pb_scale(sample->full_mah, 1, unit));
	put16(w, pb_scale(sample->remaining_mah, 1, unit));
	put16(w, 0); /* balance current */
}

static void jbd_board_put_cells(struct writer *w, const struct pb_sample *sample)
{
	for (int i = 0; i < sample->cell_count; i++)
		put16(w, sample->cell_mv[i]);
}

static void put_name(struct writer *w, const struct pb_sample *sample)
{
	size_t len = strnlen(sample->device_name, sizeof(sample->device_name));

	memcpy(w->at, sample->device_name, len);
	w->at += len;
}

static void put_counters(struct writer *w, const struct pb_sample *sample)
{
	static const uint8_t order[] = {
		PB_COUNTER_SHORT_CIRCUIT,
		PB_COUNTER_CHARGE_OVERCURRENT,
		PB_COUNTER_DISCHARGE_OVERCURRENT,
		PB_COUNTER_CELL_OVERVOLTAGE,
		PB_COUNTER_CELL_UNDERVOLTAGE,
		PB_COUNTER_CHARGE_OVERTEMPERATURE,
		PB_COUNTER_CHARGE_UNDERTEMPERATURE,
		PB_COUNTER_DISCHARGE_OVERTEMPERATURE,
		PB_COUNTER_DISCHARGE_UNDERTEMPERATURE,
		PB_COUNTER_PACK_OVERVOLTAGE,
		PB_COUNTER_PACK_UNDERVOLTAGE,
		PB_COUNTER_SYSTEM_RESTARTS,
	};

	for (size_t i = 0; i < PB_ARRAY_SIZE(order); i++)
		put16(w, sample->counters[order[i]]);
}

static bool is_sound(const uint8_t *request, size_t len)
{
	if (len < OVERHEAD || request[0] != START || len != (size_t)OVERHEAD + request[3])
		return false;
	if (request[1] != OP_READ && request[1] != OP_WRITE)
		return false;
	return request[len - 1] == END &&
	       pb_get_be16(request + len - 3) == checksum(request + 2, len - 5);
}

/* @return false: there is no such register to read. */
static bool put_register(struct writer *w, const struct pb_sample *sample, uint8_t reg)
{
	switch (reg) {
	case REG_BASIC:
		put_basic(w, sample);
		return true;
	case REG_CELLS:
		jbd_board_put_cells(w, sample);
		return true;
	case REG_NAME:
		put_name(w, sample);
		return true;
	case REG_COUNTERS:
		put_counters(w, sample);
		return true;
	default:
		return false;
	}
}

/* ---- commands ---- */

/* Both switches, by a mask of those that are to be open. */
static enum sim_outcome command_mask(struct pb_sim_talk *talk, const uint8_t *data)
{
	return sim_switch(talk, SIM_E1, PB_SIM_CHARGE | PB_SIM_DISCHARGE, data[1]);
}

/* @return the switches that FB names; 0: none that we have. */
static unsigned int switches_of(uint8_t target)
{
	return target == 0x00	? PB_SIM_DISCHARGE
	       : target == 0x01 ? PB_SIM_CHARGE
	       : target == 0x0A ? PB_SIM_CHARGE | PB_SIM_DISCHARGE
				: 0;
}

/* @return whether a write is one of those that are allowed. */
static bool may_write(const uint8_t *request)
{
	const uint8_t *data = request + 4;

	switch (request[2]) {
	case REG_FETS:
		return request[3] == 2 && data[0] == 0 && data[1] <= 3;
	case REG_FET:
		return request[3] == 2 && switches_of(data[0]) && data[1] <= 1;
	case REG_PIN:
		return request[3] == 1 + PIN_LEN && data[0] == PIN_LEN;
	default:
		return false;
	}
}

static uint8_t take_pin(struct pb_sim_talk *talk, const uint8_t *digits)
{
	const char *pin = talk->sim->options.pin;

	talk->pin = pin[0] != '\0';
	for (size_t i = 0; i < PIN_LEN; i++)
		talk->pin = talk->pin && digits[i] == pin[i] - '0';
	return talk->pin ? STATUS_DONE : pin[0] ? STATUS_WRONG_PIN : STATUS_REFUSED;
}

static size_t finish_reply(uint8_t *reply, uint8_t reg, uint8_t status, size_t data)
{
	struct writer w = {reply + 4 + data};

	reply[0] = START;
	reply[1] = reg;
	reply[2] = status;
	reply[3] = (uint8_t)data;
	put16(&w, checksum(reply + 2, data + 2));
	put8(&w, END);
	return (size_t)(w.at - reply);
}

static size_t answer_write(struct pb_sim_talk *talk, const uint8_t *request, uint8_t *reply)
{
	uint8_t reg = request[2], status = STATUS_DONE;
	const uint8_t *data = request + 4;
	enum sim_outcome outcome;
	size_t len;

	if (!may_write(request))
		sim_offend(talk);
	if (!may_write(request) || !talk->sim)
		return finish_reply(reply, reg, STATUS_REFUSED, 0);
	if (reg == REG_PIN)
		return finish_reply(reply, reg, take_pin(talk, data + 1), 0);
	outcome = reg == REG_FETS ? command_mask(talk, data)
				  : sim_switch(talk, SIM_PLAIN, switches_of(data[0]),
					       data[1] ? switches_of(data[0]) : 0);
	if (outcome == SIM_SILENT)
		return 0;
	if (outcome == SIM_REFUSED || outcome == SIM_REFUSED_BADLY)
		status = sim_refusal(talk);
	len = finish_reply(reply, reg, status, 0);
	if (outcome == SIM_REFUSED_BADLY || outcome == SIM_GARBLED)
		reply[len - 2] ^= 0x55;
	return len;
}

/* ---- the module's own ---- */

enum { MODULE_LEN = 5, MODULE_SET_PASSWORD = 0x16, MODULE_ROOT = 0x1D };

/* Of the radio module only what concerns commands: its login, and what must not be sent. */
static size_t answer_module(struct pb_sim_talk *talk, const uint8_t *request, size_t len,
			    uint8_t *reply)
{
	static const uint8_t done[] = {0xFF, 0xAA, MODULE_ROOT, 1, 0, MODULE_ROOT + 1};

	if (len < MODULE_LEN || request[1] != 0xAA)
		return 0;
	if (request[2] == MODULE_SET_PASSWORD)
		sim_offend(talk);
	if (request[2] != MODULE_ROOT || !talk->sim || !talk->sim->options.login)
		return 0;
	talk->unlocked = true;
	memcpy(reply, done, sizeof(done));
	return sizeof(done);
}

static size_t jbd_board_answer(const struct pb_sim_board *board, struct pb_sim_talk *talk,
			       const struct pb_sample *sample, const uint8_t *request, size_t len,
			       uint8_t *reply)
{
	struct writer w = {reply + 4};
	bool done;
	size_t data;

	(void)board;
	if (len > 0 && request[0] == 0xFF)
		return answer_module(talk, request, len, reply);
	if (!is_sound(request, len))
		return 0;
	if (request[1] == OP_WRITE)
		return answer_write(talk, request, reply);
	done = put_register(&w, sample, request[2]);
	data = (size_t)(w.at - reply) - 4;
	return finish_reply(reply, request[2], done ? STATUS_DONE : STATUS_REFUSED, data);
}

const struct pb_sim_board pb_sim_jbd = {
	.maker = "jbd", .answer = jbd_board_answer, .spoil = 2, .forgets = true};
