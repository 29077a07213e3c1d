/* SPDX-License-Identifier: MIT */
/*
 * What Daly's dialects have in common: what their numbers mean, and how their modules are found.
 * The dialects are in daly_word.c (D2, P81) and daly_a5.c, their commands in daly_command.c;
 * pb_codec_daly, the first of them, is D2.
 *
 * Source: docs/protocols/daly.md; every frame of tests/data/daly/frames.json is a test.
 */
#include "daly.h"

#include "codec.h"
#include "packbridge/base.h"

#include <errno.h>
#include <string.h>

enum {
	CURRENT_ZERO = 30000, /* 0.1 A */
	CELSIUS_ZERO = 40,
	ALARM_BYTES = 7,
};

static const uint8_t greeting[] = "char1_ntf_data";

_Static_assert(DALY_GREETING == 'c', "the first character of the greeting");

int32_t daly_current_ma(uint16_t raw)
{
	return (raw - CURRENT_ZERO) * 100;
}

/* @return false: there is no probe. */
static bool temperature(unsigned int raw, int32_t *ret_mc)
{
	*ret_mc = ((int32_t)raw - CELSIUS_ZERO) * 1000;
	return raw != 0 && raw != DALY_NO_PROBE && raw != DALY_NO_WORD;
}

void daly_put_probe(struct pb_sample *s, unsigned int index, unsigned int raw)
{
	if (temperature(raw, &s->temperature_mc[index]))
		s->temperature_has |= UINT64_C(1) << index;
}

void daly_put_mos(struct pb_sample *s, unsigned int raw)
{
	if (temperature(raw, &s->mos_temperature_mc))
		s->has |= PB_HAS(PB_HAS_MOS_TEMPERATURE);
}

void daly_put_capacity(struct pb_sample *s, int64_t *member, enum pb_has has, uint32_t mah)
{
	if (mah == 0 || mah == UINT32_MAX)
		return;
	*member = mah;
	s->has |= PB_HAS(has);
}

void daly_put_firmware(struct pb_sample *s, const uint8_t *text, size_t len)
{
	if (pb_get_be16(text) == DALY_NO_WORD)
		return;
	bms_text(s->firmware, sizeof(s->firmware), text, strnlen((const char *)text, len));
	if (s->firmware[0])
		s->has |= PB_HAS(PB_HAS_FIRMWARE);
}

void daly_put_switches(struct pb_sample *s, unsigned int charge, unsigned int discharge)
{
	if (bms_bool(charge, &s->charge_fet))
		s->has |= PB_HAS(PB_HAS_CHARGE_FET);
	if (bms_bool(discharge, &s->discharge_fet))
		s->has |= PB_HAS(PB_HAS_DISCHARGE_FET);
}

/* All bits of a byte exclude each other (on for ever, and never): the board does not have it. */
static bool alarms_are_there(uint64_t bits)
{
	for (unsigned int i = 0; i < ALARM_BYTES; i++)
		if ((bits >> 8 * i & 0xFF) == 0xFF)
			return false;
	return true;
}

/*
 * Of the pairs of bits, the first is a warning and the second means that the board acts.
 * docs/protocols/README.md has the table.
 */
void daly_put_alarms(struct pb_sample *s, uint64_t bits)
{
	static const struct {
		uint8_t byte, bit, protection;
	} meanings[] = {
		{0, 1, PB_PROTECT_CELL_OVERVOLTAGE},
		{0, 3, PB_PROTECT_CELL_UNDERVOLTAGE},
		{0, 5, PB_PROTECT_PACK_OVERVOLTAGE},
		{0, 7, PB_PROTECT_PACK_UNDERVOLTAGE},
		{1, 1, PB_PROTECT_CHARGE_OVERTEMPERATURE},
		{1, 3, PB_PROTECT_CHARGE_UNDERTEMPERATURE},
		{1, 5, PB_PROTECT_DISCHARGE_OVERTEMPERATURE},
		{1, 7, PB_PROTECT_DISCHARGE_UNDERTEMPERATURE},
		{2, 1, PB_PROTECT_CHARGE_OVERCURRENT},
		{2, 3, PB_PROTECT_DISCHARGE_OVERCURRENT},
		{4, 0, PB_PROTECT_CHARGE_OVERTEMPERATURE}, /* the transistors */
		{4, 1, PB_PROTECT_DISCHARGE_OVERTEMPERATURE},
		{4, 4, PB_PROTECT_CHARGE_FET_BROKEN}, /* always on */
		{4, 5, PB_PROTECT_DISCHARGE_FET_BROKEN},
		{4, 6, PB_PROTECT_CHARGE_FET_BROKEN}, /* never on */
		{4, 7, PB_PROTECT_DISCHARGE_FET_BROKEN},
		{5, 0, PB_PROTECT_FRONT_END},
		{5, 1, PB_PROTECT_FRONT_END}, /* wire to a cell */
		{6, 0, PB_PROTECT_FRONT_END}, /* current is not measured */
		{6, 1, PB_PROTECT_FRONT_END}, /* nor the voltage */
		{6, 2, PB_PROTECT_SHORT_CIRCUIT},
	};

	if (!alarms_are_there(bits))
		return;
	s->protection_mask = 0;
	for (size_t i = 0; i < PB_ARRAY_SIZE(meanings); i++)
		if (bits >> (8 * meanings[i].byte + meanings[i].bit) & 1)
			s->protection_mask |= UINT32_C(1) << meanings[i].protection;
	s->alarm_mask = (uint32_t)bits & 0x0FFFFFFF; /* the highest four are reserved */
	s->has |= PB_HAS(PB_HAS_PROTECTION) | PB_HAS(PB_HAS_ALARM);
}

int daly_greeting_frame(const uint8_t *buf, size_t len, struct pb_frame *ret)
{
	size_t size = sizeof(greeting) - 1;

	ret->kind = PB_FRAME_MODULE;
	ret->payload = buf;
	ret->len = size;
	if (memcmp(buf, greeting, len < size ? len : size) != 0)
		return -EPROTO;
	return len < size ? PB_FRAME_MORE : (int)size;
}

static const char *const names[] = {"DL-*", "JHB-*", NULL};

/* One row for each id: known without "DL" behind it. PACE's id 0001 has the same form. */
#define DALY_ID(id, source)                                                                        \
	{"its own address behind a Daly maker id", (source), .maker = id "..@@*"},                 \
	{                                                                                          \
		"service fff0 and a Daly maker id", (source), .maker = id "*", .service = 0xFFF0   \
	}

/* Behind any id: one byte, the own address, and who made the board. */
const struct pb_sign daly_signs[] = {
	{"its own address and \"DL\" in maker data", "aiobmsble, 4 captured advertisements",
	 .maker = "......@@444C*"},
	{"its own address and \"JHB\" in maker data", "aiobmsble, 3 captured advertisements",
	 .maker = "......@@4A4842*"},
	DALY_ID("0201", "BMS_BLE-HA #204, #262"),
	DALY_ID("0401", "BMS_BLE-HA #145, #160"),
	DALY_ID("0601", "BMS_BLE-HA #806"),
	DALY_ID("0203", "BMS_BLE-HA #160, #174, #640"),
	DALY_ID("0303", "BMS_BLE-HA #85"),
	DALY_ID("0204", "BMS_BLE-HA #510"),
	{"a Daly name", "the maker's default", .names = names},
	{0},
};
