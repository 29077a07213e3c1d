/* SPDX-License-Identifier: MIT */
/*
 * The packs of a bank that count, and what can be made of one member of all of them. Members are
 * named by OF(sample.voltage_mv): an int32_t, or an int64_t.
 */
#pragma once

#include "battery.h"

#include "packbridge/base.h"

/** The packs that count. */
struct fleet {
	const struct pb_bank_setup *setup;
	size_t count;
	const struct pb_battery *packs[PB_MEMBERS_MAX];
	int number[PB_MEMBERS_MAX]; /**< in the bank, from 1 */
	struct pb_battery *bank;
};

#define OF(member)                                                                                 \
	offsetof(struct pb_battery, member), sizeof(((struct pb_battery *)0)->member) == 8

static inline bool in_series(const struct fleet *fleet)
{
	return fleet->setup->topology == PB_TOPOLOGY_SERIES;
}

static inline int32_t narrow(int64_t value)
{
	return (int32_t)pb_clamp(value, INT32_MIN, INT32_MAX);
}

/** The member of one pack. @wide: it is an int64_t. */
int64_t bank_load(const struct pb_battery *pack, size_t offset, bool wide);
bool bank_all_have(const struct fleet *fleet, enum pb_has what);
/** @return whether all packs have it. */
bool bank_sum(const struct fleet *fleet, enum pb_has what, size_t offset, bool wide, int64_t *ret);
/** @sign: 1 the least, -1 the greatest. @return the place of the first such pack; -1: none tells.
 */
int bank_extreme(const struct fleet *fleet, enum pb_has what, size_t offset, bool wide, int sign,
		 int64_t *ret);
/** The least or greatest when all packs have it. */
bool bank_bound(const struct fleet *fleet, enum pb_has what, size_t offset, bool wide, int sign,
		int64_t *ret);
/** Capacity as learned, else by design, that all packs have. @return whether there is one. */
bool bank_weights(const struct fleet *fleet, int64_t *ret, int64_t *ret_sum);
/** Sets a member of the bank. */
void bank_put32(struct pb_battery *bank, int32_t *place, int64_t value, enum pb_has what);
void bank_put64(struct pb_battery *bank, int64_t *place, int64_t value, enum pb_has what);
/** The BMS lets a current pass in this direction. */
static inline bool passes(const struct pb_battery *pack, bool charge)
{
	return bank_blocked_by(pack, charge) == PB_REASON_UNKNOWN;
}

/** share.c: limits, and what the bank is rated for, which its sample must be there for. */
void bank_add_limits(const struct fleet *fleet);
void bank_add_rating(const struct fleet *fleet);
