/* SPDX-License-Identifier: MIT */
/* Questions about one battery, shared by the files of this room. */
#pragma once

#include "packbridge/bank.h"

/** Protections that forbid charging, and discharging. */
enum {
	STOPS_BOTH = 1 << PB_PROTECT_SHORT_CIRCUIT | 1 << PB_PROTECT_FRONT_END,
	STOPS_CHARGE = STOPS_BOTH | 1 << PB_PROTECT_CELL_OVERVOLTAGE |
		       1 << PB_PROTECT_PACK_OVERVOLTAGE | 1 << PB_PROTECT_CHARGE_OVERTEMPERATURE |
		       1 << PB_PROTECT_CHARGE_UNDERTEMPERATURE |
		       1 << PB_PROTECT_CHARGE_OVERCURRENT | 1 << PB_PROTECT_CHARGE_FET_BROKEN,
	STOPS_DISCHARGE =
		STOPS_BOTH | 1 << PB_PROTECT_CELL_UNDERVOLTAGE | 1 << PB_PROTECT_PACK_UNDERVOLTAGE |
		1 << PB_PROTECT_DISCHARGE_OVERTEMPERATURE |
		1 << PB_PROTECT_DISCHARGE_UNDERTEMPERATURE | 1 << PB_PROTECT_DISCHARGE_OVERCURRENT |
		1 << PB_PROTECT_DISCHARGE_FET_BROKEN,
};

/** Why the BMS blocks one direction; PB_REASON_UNKNOWN: it does not. */
enum pb_reason bank_blocked_by(const struct pb_battery *battery, bool charge);
/** Writes the reasons of the limits as texts. */
void bank_say_limits(struct pb_limits *limits);
