/* SPDX-License-Identifier: MIT */
/*
 * The cells' frame of JK, type 02. It comes in layouts that it does not name: 24 or 32 cell slots,
 * or (JK04) floats. The software version in the device's frame decides. Without that, the mask of
 * the cells does: it stands elsewhere in each layout.
 *
 * Source: docs/protocols/jk.md
 */
#include "jk_cells.h"

#include "codec.h"
#include "packbridge/base.h"

#include <errno.h>
#include <string.h>

enum {
	CELLS_AT = 6,
	NO_PROBE = -2000,
	BALANCER_MAX = 2,
};

/* Where things stand in a cells' frame. */
struct places {
	uint8_t slots;
	uint8_t mask, mos, voltage, current, probes, alarms, alarm_bytes, balancer;
	uint8_t soc; /* remaining, full and cycles follow */
	uint8_t soh, charge_switch;
	uint8_t through, running;
};

static const struct places places_24 = {.slots = 24,
					.mask = 54,
					.voltage = 118,
					.current = 126,
					.probes = 130,
					.mos = 134,
					.alarms = 136,
					.alarm_bytes = 2,
					.balancer = 140,
					.soc = 141,
					.soh = 158,
					.charge_switch = 166,
					.through = 154,
					.running = 162};
static const struct places places_32 = {.slots = 32,
					.mask = 70,
					.mos = 144,
					.voltage = 150,
					.current = 158,
					.probes = 162,
					.alarms = 166,
					.alarm_bytes = 4,
					.balancer = 172,
					.soc = 173,
					.soh = 190,
					.charge_switch = 198,
					.through = 186,
					.running = 194};

/* Of places_32, with JK_LAYOUT_32S_PROBES. */
enum { PRESENT_AT = 214, PROBE_3_AT = 256, PROBE_4_AT = 258 };

static int16_t le16s(const uint8_t *p)
{
	return (int16_t)pb_get_le16(p);
}

/* Cells from the first on, as nearly all packs have them. */
static bool is_mask(uint32_t mask)
{
	return mask != 0 && (mask & (mask + 1)) == 0;
}

/*
 * @return the places of this frame; NULL: it fits no layout, more than one, or another than the
 * device told.
 */
static const struct places *places_of(const uint8_t *f, uint8_t layout)
{
	bool is_24 = is_mask(pb_get_le32(f + places_24.mask));
	bool is_32 = is_mask(pb_get_le32(f + places_32.mask));

	switch ((enum jk_layout)layout) {
	case JK_LAYOUT_24S:
		return is_32 && !is_24 ? NULL : &places_24;
	case JK_LAYOUT_32S:
	case JK_LAYOUT_32S_PROBES:
		return is_24 && !is_32 ? NULL : &places_32;
	case JK_LAYOUT_UNKNOWN:
		return is_24 == is_32 ? NULL : is_24 ? &places_24 : &places_32;
	case JK_LAYOUT_JK04:
		break;
	}
	return NULL;
}

/* Bits of the maker to the common ones; docs/protocols/README.md has the table. */
static uint32_t protections(uint32_t alarms)
{
	enum {
		BOTH_HOT = 1 << PB_PROTECT_CHARGE_OVERTEMPERATURE |
			   1 << PB_PROTECT_DISCHARGE_OVERTEMPERATURE,
	};
	static const uint32_t meanings[32] = {
		[1] = BOTH_HOT, /* the transistors */
		[5] = 1 << PB_PROTECT_PACK_OVERVOLTAGE,
		[6] = 1 << PB_PROTECT_CHARGE_OVERCURRENT,
		[7] = 1 << PB_PROTECT_SHORT_CIRCUIT,
		[8] = 1 << PB_PROTECT_CHARGE_OVERTEMPERATURE,
		[9] = 1 << PB_PROTECT_CHARGE_UNDERTEMPERATURE,
		[10] = 1 << PB_PROTECT_FRONT_END, /* no link to the coprocessor */
		[11] = 1 << PB_PROTECT_CELL_UNDERVOLTAGE,
		[12] = 1 << PB_PROTECT_PACK_UNDERVOLTAGE,
		[13] = 1 << PB_PROTECT_DISCHARGE_OVERCURRENT,
		[14] = 1 << PB_PROTECT_SHORT_CIRCUIT,
		[15] = 1 << PB_PROTECT_DISCHARGE_OVERTEMPERATURE,
		[16] = 1 << PB_PROTECT_CHARGE_FET_BROKEN,
		[17] = 1 << PB_PROTECT_DISCHARGE_FET_BROKEN,
		[20] = 1 << PB_PROTECT_DISCHARGE_FET_BROKEN, /* does not switch on */
		[21] = BOTH_HOT,			     /* the battery */
		[24] = 1 << PB_PROTECT_SHORT_CIRCUIT,	     /* it is still there */
		[25] = 1 << PB_PROTECT_DISCHARGE_OVERCURRENT,
		[26] = 1 << PB_PROTECT_DISCHARGE_OVERCURRENT,
		[27] = 1 << PB_PROTECT_DISCHARGE_UNDERTEMPERATURE,
	};
	uint32_t mask = 0;

	for (unsigned int i = 0; i < PB_ARRAY_SIZE(meanings); i++)
		if (alarms >> i & 1)
			mask |= meanings[i];
	return mask;
}

/* Bit 4: charging has ended, because the pack is full or a cell too high. */
static uint32_t end_of_charge(uint32_t alarms, const struct pb_sample *s)
{
	if (!(alarms >> 4 & 1) || s->carry.release_mv == 0)
		return 0;
	for (int i = 0; i < s->cell_count; i++)
		if (s->cell_has >> i & 1 && s->cell_mv[i] > s->carry.release_mv)
			return 1 << PB_PROTECT_CELL_OVERVOLTAGE;
	return 0;
}

static void jk_cells_put_probe(struct pb_sample *s, unsigned int index, const uint8_t *p,
			       bool present)
{
	s->temperature_count = (int32_t)index + 1;
	s->temperature_mc[index] = le16s(p) * 100;
	if (present && le16s(p) != NO_PROBE)
		s->temperature_has |= UINT64_C(1) << index;
}

static void decode_temperatures(const uint8_t *f, const struct places *at, struct pb_sample *s)
{
	bool many = s->carry.layout == JK_LAYOUT_32S_PROBES;
	/* bit 0 stands for the transistors, 1 to 5 for the probes: ours are the maker's 1, 2, 4
	 * and 5, as his third one repeats the transistors */
	unsigned int present = many ? f[PRESENT_AT] : 0xFF;

	s->temperature_has = 0;
	jk_cells_put_probe(s, 0, f + at->probes, present >> 1 & 1);
	jk_cells_put_probe(s, 1, f + at->probes + 2, present >> 2 & 1);
	if (many) {
		jk_cells_put_probe(s, 2, f + PROBE_3_AT, present >> 4 & 1);
		jk_cells_put_probe(s, 3, f + PROBE_4_AT, present >> 5 & 1);
	}
	s->mos_temperature_mc = le16s(f + at->mos) * 100;
	s->has |= PB_HAS(PB_HAS_TEMPERATURES);
	if (present & 1 && le16s(f + at->mos) != NO_PROBE)
		s->has |= PB_HAS(PB_HAS_MOS_TEMPERATURE);
}

static void decode_charge(const uint8_t *f, const struct places *at, struct pb_sample *s)
{
	const uint8_t *p = f + at->soc;

	s->soc_permille = p[0] * 10;
	s->remaining_mah = pb_get_le32(p + 1);
	s->full_mah = pb_get_le32(p + 5);
	s->cycles = bms_int32(pb_get_le32(p + 9));
	s->soh_permille = f[at->soh] * 10;
	s->has |= PB_HAS(PB_HAS_SOC) | PB_HAS(PB_HAS_REMAINING) | PB_HAS(PB_HAS_CYCLES);
	if (s->full_mah > 0)
		s->has |= PB_HAS(PB_HAS_FULL);
	if (f[at->soh] > 0)
		s->has |= PB_HAS(PB_HAS_SOH);
}

static void decode_state(const uint8_t *f, const struct places *at, struct pb_sample *s)
{
	uint32_t alarms = pb_get_le16(f + at->alarms);

	if (at->alarm_bytes == 4)
		alarms = pb_get_le32(f + at->alarms);
	s->alarm_mask = alarms & INT32_MAX;
	s->protection_mask = protections(alarms) | end_of_charge(alarms, s);
	s->balancing = f[at->balancer] != 0;
	if (alarms != (at->alarm_bytes == 4 ? UINT32_MAX : UINT16_MAX)) /* all at once */
		s->has |= PB_HAS(PB_HAS_ALARM) | PB_HAS(PB_HAS_PROTECTION);
	if (f[at->balancer] <= BALANCER_MAX)
		s->has |= PB_HAS(PB_HAS_BALANCING);
	if (bms_bool(f[at->charge_switch], &s->charge_fet))
		s->has |= PB_HAS(PB_HAS_CHARGE_FET);
	if (bms_bool(f[at->charge_switch + 1], &s->discharge_fet))
		s->has |= PB_HAS(PB_HAS_DISCHARGE_FET);
}

static int no_cells(struct pb_sample *s)
{
	s->cell_count = 0;
	s->cell_has = 0;
	s->has |= PB_HAS(PB_HAS_CELLS);
	return -EPROTO;
}

static int jk_cells_decode(const uint8_t *f, struct pb_sample *s)
{
	const struct places *at = places_of(f, s->carry.layout);
	uint32_t mask;

	if (!at)
		return -EPROTO;
	mask = pb_get_le32(f + at->mask);
	if (mask == 0)
		return no_cells(s);
	if ((uint64_t)mask >> at->slots)
		return -EPROTO;
	s->cell_has = mask;
	s->cell_count = 0;
	for (int i = 0; i < at->slots; i++) {
		s->cell_mv[i] = pb_get_le16(f + CELLS_AT + 2 * (size_t)i);
		if (mask >> i & 1)
			s->cell_count = i + 1;
	}
	s->voltage_mv = bms_int32(pb_get_le32(f + at->voltage));
	s->current_ma = (int32_t)pb_get_le32(f + at->current);
	s->has |= PB_HAS(PB_HAS_CELLS) | PB_HAS(PB_HAS_VOLTAGE) | PB_HAS(PB_HAS_CURRENT);
	decode_temperatures(f, at, s);
	decode_charge(f, at, s);
	decode_state(f, at, s);
	return 0;
}

/* A float (IEEE 754, 32 bits) of volts in mV. @return -1: no voltage of a cell. */
static int32_t float_mv(uint32_t bits)
{
	enum { EXPONENT_BIAS = 127, MANTISSA_BITS = 23, LEAST = 117, MOST = 129 };
	uint32_t exponent = bits >> MANTISSA_BITS;
	uint64_t mantissa = (bits & 0x7FFFFF) | 0x800000;
	unsigned int shift;

	if (exponent < LEAST || exponent > MOST) /* 1 mV to 8 V; negative ones are beyond */
		return bits == 0 ? 0 : -1;
	shift = EXPONENT_BIAS + MANTISSA_BITS - exponent;
	return (int32_t)((mantissa * 1000 + (UINT64_C(1) << (shift - 1))) >> shift);
}

/* Nothing else of this frame is known. */
static int decode_floats(const uint8_t *f, struct pb_sample *s)
{
	int32_t mv[24], count = 0;
	uint64_t has = 0;

	for (int i = 0; i < 24; i++) {
		mv[i] = float_mv(pb_get_le32(f + CELLS_AT + 4 * (size_t)i));
		if (mv[i] < 0)
			return -EPROTO;
		if (mv[i] > 0) {
			has |= UINT64_C(1) << i;
			count = i + 1;
		}
	}
	if (count == 0)
		return no_cells(s);
	memcpy(s->cell_mv, mv, sizeof(mv));
	s->cell_count = count;
	s->cell_has = has;
	s->has |= PB_HAS(PB_HAS_CELLS);
	return 0;
}

int jk_decode_cells(const uint8_t *f, struct pb_sample *s)
{
	return s->carry.layout == JK_LAYOUT_JK04 ? decode_floats(f, s) : jk_cells_decode(f, s);
}

bool jk_cells_meters(const uint8_t *f, const struct pb_sample *s, struct pb_meters *ret)
{
	const struct places *at = places_of(f, s->carry.layout);

	if (!at)
		return false;
	*ret = (struct pb_meters){.running_s = pb_get_le32(f + at->running),
				  .through_mah = pb_get_le32(f + at->through)};
	return true;
}
