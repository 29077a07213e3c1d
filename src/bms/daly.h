/* SPDX-License-Identifier: MIT */
/* What Daly's dialects have in common. */
#pragma once

#include "packbridge/bms.h"
#include "packbridge/model/plausible.h"

enum {
	DALY_NO_PROBE = 0xFF,
	DALY_NO_WORD = 0xFFFF, /**< a register that the board does not have */
	DALY_GREETING = 'c', /**< first byte of what some modules send when notifications are on */
};

/** What reads and writes of the dialects have in common. */
enum {
	DALY_D2 = 0xD2,
	DALY_P81 = 0x81,   /**< to board 1; others count on */
	DALY_WRITE = 0x06, /**< function of D2 and P81 */
	DALY_WRITES =
		0x8000, /**< in pb_frame.command: the echo of a write, not the reply to a read */
	DALY_D2_SWITCHES = 0xA5,   /**< register of the charge switch; the next one is discharge */
	DALY_P81_SWITCHES = 0x121, /**< likewise */
	DALY_A5 = 0xA5,
	DALY_A5_WIRE = 0x40, /**< host that asks board 1; others count on */
	DALY_A5_RADIO = 0x80,
};

/** pb_codec.dialogue() of each dialect: commands. */
enum pb_dialogue_result daly_d2_dialogue(struct pb_dialogue *d, const struct pb_frame *reply);
enum pb_dialogue_result daly_p81_dialogue(struct pb_dialogue *d, const struct pb_frame *reply);
enum pb_dialogue_result daly_a5_dialogue(struct pb_dialogue *d, const struct pb_frame *reply);
enum pb_dialogue_result daly_a5_wire_dialogue(struct pb_dialogue *d, const struct pb_frame *reply);
enum pb_dialogue_result daly_a5_multidrop_dialogue(struct pb_dialogue *d,
						   const struct pb_frame *reply);

/** A5, the dialect that is tried when D2 and P81 are not answered. */
extern const struct pb_codec daly_a5_codec;

/** P81 and A5 on a line that several boards share, joined by `next`. */
extern const struct pb_codec daly_p81_multidrop, daly_a5_multidrop;
enum { DALY_BOARDS = 16 /**< on one line */ };

extern const struct pb_sign daly_signs[];

/** @return mA, positive while charging, of a raw current of D2 and P81; A5 has the other sign. */
int32_t daly_current_ma(uint16_t raw);
/** Puts probe @index into @s, unless @raw means that there is none. */
void daly_put_probe(struct pb_sample *s, unsigned int index, unsigned int raw);
/** The same for the temperature of the transistors. */
void daly_put_mos(struct pb_sample *s, unsigned int raw);
/** Puts a capacity into @member, unless it means that there is none. */
void daly_put_capacity(struct pb_sample *s, int64_t *member, enum pb_has has, uint32_t mah);
void daly_put_firmware(struct pb_sample *s, const uint8_t *text, size_t len);
/** Puts the two switches; a value other than 0 and 1 is none. */
void daly_put_switches(struct pb_sample *s, unsigned int charge, unsigned int discharge);
/** Puts protections and warnings. Bit n of @bits is bit n % 8 of alarm byte n / 8, as A5 has them.
 */
void daly_put_alarms(struct pb_sample *s, uint64_t bits);
/** Measures the greeting of a module; as pb_codec.frame(). */
int daly_greeting_frame(const uint8_t *buf, size_t len, struct pb_frame *ret);

/** Raw currents count from 30000, so 0 and FFFF are -3000.0 and 3553.5 A. */
#define DALY_BOUNDS                                                                                \
	PB_BOUND(current_ma, -2000000, 2000000), PB_BOUND(cell_mv, 0, 6500),                       \
		PB_BOUND(temperature_mc, -40000, 150000),                                          \
		PB_BOUND(mos_temperature_mc, -40000, 150000)
