/* SPDX-License-Identifier: MIT */
/* What the model's files share. */
#pragma once

#include "packbridge/sim.h"

/** Protections that hold the charge or discharge FET off. */
enum {
	PB_SIM_STOPS_CHARGE = 1 << PB_PROTECT_CELL_OVERVOLTAGE | 1 << PB_PROTECT_PACK_OVERVOLTAGE |
			      1 << PB_PROTECT_CHARGE_OVERTEMPERATURE |
			      1 << PB_PROTECT_CHARGE_UNDERTEMPERATURE,
	PB_SIM_STOPS_DISCHARGE =
		1 << PB_PROTECT_CELL_UNDERVOLTAGE | 1 << PB_PROTECT_PACK_UNDERVOLTAGE |
		1 << PB_PROTECT_DISCHARGE_OVERTEMPERATURE |
		1 << PB_PROTECT_DISCHARGE_UNDERTEMPERATURE | 1 << PB_PROTECT_DISCHARGE_OVERCURRENT,
};

/** @return voltage at the terminals of cell @i, mV. */
double pb_sim_cell_mv(const struct pb_sim *sim, int i);
/** @return charge of the pack, 0..1 and a bit around it. */
double pb_sim_mean_charge(const struct pb_sim *sim);
