/* SPDX-License-Identifier: MIT */
/*
 * What goes on around a simulated pack. Sun and weather are functions of the time alone, so that
 * they are the same whatever steps the time goes in.
 */
#pragma once

#include "packbridge/sim.h"

#define PB_SIM_DAY_S 86400.0

/** Independent random courses of one seed. The numbers make what a seed shows: never change them.
 */
enum pb_sim_channel {
	CHANNEL_WEATHER = 1,
	CHANNEL_CLOUDS,
	CHANNEL_WARMTH,
	CHANNEL_START,
	CHANNEL_BASE_LOAD,
	CHANNEL_IMBALANCE = 16,
	CHANNEL_RESISTANCE,
	CHANNEL_LEAK,
	CHANNEL_AGE,
	CHANNEL_HISTORY = 32,
	CHANNEL_PROBE,
	CHANNEL_CELL_NOISE, /**< and one for each further cell */
	CHANNEL_PACK_NOISE = CHANNEL_CELL_NOISE + PB_SIM_CELLS_MAX,
	CHANNEL_CURRENT_NOISE,
	CHANNEL_PROBE_NOISE, /**< and one for each further probe */
};

/** @return 0..1, always the same for the same arguments. */
double pb_sim_hash(uint64_t seed, uint32_t channel, int64_t index);
/** @return what the sun offers, in C. */
double pb_sim_sun_c(uint64_t seed, double time_s);
/** @return what is always switched on, in C: little, and never quite the same. */
double pb_sim_base_load_c(uint64_t seed, double time_s);
/** @return degree Celsius, about -5..32 over a year. */
double pb_sim_ambient_c(uint64_t seed, double time_s);
/** @return a late morning or afternoon in the warm half of the first year. */
double pb_sim_first_time_s(uint64_t seed);
