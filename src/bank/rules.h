/* SPDX-License-Identifier: MIT */
/* Values of a bank that follow from the same value of its packs, by the table in rules.c. */
#pragma once

#include "fleet.h"

/** How the packs' values become the bank's. */
enum bank_op {
	OP_OWN, /**< computed by its own code; the table only describes it */
	OP_SUM,
	OP_MEAN,
	OP_WEIGHTED, /**< mean by capacity: bank_weights() */
	OP_LEAST,
	OP_MOST,
	OP_SPREAD, /**< most minus least */
	OP_SAME,   /**< there is one only if all are equal */
	OP_ANY,	   /**< of truth values: one is true */
	OP_ALL,	   /**< all are true */
	OP_BITS,   /**< all bits that are set in one */
	OP_USABLE, /**< of full_mah: what can be used before the first pack is full or empty */
};

/** When a rule is applied, and to which packs. */
enum bank_stage {
	STAGE_COUNTED,	/**< to all packs, with a good reading or without */
	STAGE_MEASURED, /**< to packs with a good reading; pb_sample_derive() needs it */
	STAGE_DERIVED,	/**< the same, after pb_sample_derive() */
};

/** Sets the bank's values of one stage. */
void bank_apply(const struct fleet *fleet, enum bank_stage stage);
/** Computes one value. @return false: a pack does not have it, so the bank does not either. */
bool bank_value(const struct fleet *fleet, enum bank_op op, const struct pb_field *field,
		int64_t *ret);
