/* SPDX-License-Identifier: MIT */
/* Commands to the switches of a simulated pack, as all boards take them. */
#pragma once

#include "packbridge/sim.h"

enum sim_outcome {
	SIM_SILENT,
	SIM_ACKNOWLEDGED,
	SIM_GARBLED, /* acknowledged, with a wrong checksum */
	SIM_REFUSED,
	SIM_REFUSED_BADLY,
};

enum sim_command_kind {
	SIM_PLAIN,
	SIM_E1, /* JBD's older command, which some boards have no more */
};

/**
 * Opens those of @switches that are in @open, closes the others. Sets what follows for the
 * connection in @talk.
 */
enum sim_outcome sim_switch(struct pb_sim_talk *talk, enum sim_command_kind kind,
			    unsigned int switches, unsigned int open);
/** @return the status byte of a refusal (JBD). */
uint8_t sim_refusal(const struct pb_sim_talk *talk);
/** Notes a request that must never be sent to a pack. */
void sim_offend(struct pb_sim_talk *talk);
/** @return the switches that are open by command, as the board remembers it. */
unsigned int sim_ordered(const struct pb_sim_talk *talk);
/** Lets the switches follow a command whose time has come. */
void sim_follow(struct pb_sim *sim);
/** @return whether one of the switches is closed while @current_c flows. */
bool sim_closed(const struct pb_sim *sim, unsigned int which, double current_c);
