/* SPDX-License-Identifier: MIT */
/* The packs of a bank that count. */
#pragma once

#include "battery.h"

#include "packbridge/base.h"
#include "packbridge/model/field.h"

/*
 * A number of struct pb_battery as the field catalogue has it, but found by the compiler. @has_:
 * enum pb_has, or -1. A test compares: see pb_bank_rule().
 */
#define BANK_FIELD(member, has_)                                                                   \
	{                                                                                          \
		.offset = offsetof(struct pb_battery, member),                                     \
		.size = sizeof(((struct pb_battery *)0)->member),                                  \
		.is_signed = _Generic(((struct pb_battery *)0)->member, int32_t                    \
				      : true, int64_t                                              \
				      : true, default                                              \
				      : false),                                                    \
		.count = 1, .has = (has_), .element_has = -1                                       \
	}

/** The packs that count. */
struct fleet {
	const struct pb_bank_setup *setup;
	size_t count;
	const struct pb_battery *packs[PB_MEMBERS_MAX];
	int number[PB_MEMBERS_MAX]; /**< in the bank, from 1 */
	struct pb_battery *bank;
};

static inline bool in_series(const struct fleet *fleet)
{
	return fleet->setup->topology == PB_TOPOLOGY_SERIES;
}

static inline int32_t narrow(int64_t value)
{
	return (int32_t)pb_clamp(value, INT32_MIN, INT32_MAX);
}

/** @return whether all packs have that value. */
bool bank_all_have(const struct fleet *fleet, enum pb_has what);
/**
 * The extreme value of a field, of the packs that have one. @sign: 1 the least, -1 the greatest.
 * @return the index of the first such pack; -1: no pack has a value.
 */
int bank_extreme(const struct fleet *fleet, const struct pb_field *field, int sign, int64_t *ret);
/** Capacity as learned, else by design, that all packs have. @return whether there is one. */
bool bank_weights(const struct fleet *fleet, int64_t *ret, int64_t *ret_sum);
/** Sets a member of the bank. */
void bank_put32(struct pb_battery *bank, int32_t *place, int64_t value, enum pb_has what);
void bank_put64(struct pb_battery *bank, int64_t *place, int64_t value, enum pb_has what);
/** @return whether the BMS lets a current pass in this direction. */
static inline bool passes(const struct pb_battery *pack, bool charge)
{
	return bank_blocked_by(pack, charge) == PB_REASON_UNKNOWN;
}

/** cells.c: extremes and lists; need cell_count. */
void bank_add_cells(const struct fleet *fleet);
void bank_add_temperatures(const struct fleet *fleet);
/** share.c: limits and ratings; ratings need the bank's sample. */
void bank_add_limits(const struct fleet *fleet);
void bank_add_rating(const struct fleet *fleet);
