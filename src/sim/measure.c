/* SPDX-License-Identifier: MIT */
/* What a BMS would measure of the model: with noise, and rounded. */
#include "model.h"
#include "switches.h"
#include "world.h"

#include <stdio.h>

#define CURRENT_BAND_MA 50 /* boards show 0 below */

static int32_t round_of(double x)
{
	return (int32_t)(x < 0 ? x - 0.5 : x + 0.5);
}

/* Noise of a measurement: -1..1, another one each second. */
static double noise(const struct pb_sim *sim, int channel)
{
	return 2 * pb_sim_hash(sim->options.seed, (uint32_t)channel, (int64_t)sim->time_s) - 1;
}

static void read_cells(const struct pb_sim *sim, struct pb_sample *ret)
{
	double sum_mv = 0;

	ret->cell_count = sim->options.profile->cells;
	for (int i = 0; i < ret->cell_count; i++) {
		double mv = pb_sim_cell_mv(sim, i);

		ret->cell_mv[i] = round_of(mv + noise(sim, CHANNEL_CELL_NOISE + i));
		ret->cell_has |= UINT64_C(1) << i;
		sum_mv += mv;
	}
	ret->voltage_mv = round_of(sum_mv + 8 * noise(sim, CHANNEL_PACK_NOISE));
	ret->has |= PB_HAS(PB_HAS_CELLS) | PB_HAS(PB_HAS_VOLTAGE);
}

static void read_temperatures(const struct pb_sim *sim, struct pb_sample *ret)
{
	int count = sim->options.profile->temperatures;
	double part = sim->current_c / sim->current_max_c;

	ret->temperature_count = count;
	for (int i = 0; i < count; i++) {
		double c = sim->core_c + 2 * pb_sim_hash(sim->options.seed, CHANNEL_PROBE, i) - 1;

		/* with three or more, the last one sits at the transistors */
		if (i >= 2 && i == count - 1)
			c += 2 + 12 * part * part;
		ret->temperature_mc[i] =
			round_of(1000 * c + 80 * noise(sim, CHANNEL_PROBE_NOISE + i));
		ret->temperature_has |= UINT64_C(1) << i;
	}
	ret->has |= PB_HAS(PB_HAS_TEMPERATURES);
}

static void read_charge(const struct pb_sim *sim, struct pb_sample *ret)
{
	double current_ma = sim->current_c * sim->full_mah, charge = pb_sim_mean_charge(sim);

	charge = charge < 0 ? 0 : charge > 1 ? 1 : charge;
	current_ma *= 1 + 0.003 * noise(sim, CHANNEL_CURRENT_NOISE);
	ret->current_ma = round_of(current_ma);
	if (ret->current_ma < CURRENT_BAND_MA && ret->current_ma > -CURRENT_BAND_MA)
		ret->current_ma = 0;
	ret->soc_permille = round_of(charge * 1000);
	ret->full_mah = round_of(sim->full_mah);
	ret->remaining_mah = round_of(charge * sim->full_mah);
	ret->nominal_mah = sim->options.capacity_mah;
	ret->cycles = (int32_t)sim->discharged_c_h;
	ret->has |= PB_HAS(PB_HAS_CURRENT) | PB_HAS(PB_HAS_SOC) | PB_HAS(PB_HAS_FULL) |
		    PB_HAS(PB_HAS_REMAINING) | PB_HAS(PB_HAS_NOMINAL) | PB_HAS(PB_HAS_CYCLES);
}

static void read_state(const struct pb_sim *sim, struct pb_sample *ret)
{
	ret->balance_mask = sim->balance_mask;
	ret->protection_mask = sim->protection_mask;
	if (sim->open)
		ret->protection_mask |= 1U << PB_PROTECT_FET_LOCKED;
	ret->charge_fet = sim_closed(sim, PB_SIM_CHARGE, sim->current_c);
	ret->discharge_fet = sim_closed(sim, PB_SIM_DISCHARGE, sim->current_c);
	ret->has |= PB_HAS(PB_HAS_BALANCE) | PB_HAS(PB_HAS_PROTECTION) | PB_HAS(PB_HAS_ALARM) |
		    PB_HAS(PB_HAS_CHARGE_FET) | PB_HAS(PB_HAS_DISCHARGE_FET);
	for (int i = 0; i < PB_COUNTER_COUNT; i++) {
		ret->counters[i] = sim->counters[i];
		ret->counter_has |= UINT64_C(1) << i;
	}
	ret->has |= PB_HAS(PB_HAS_COUNTERS);
}

static void read_identity(const struct pb_sim *sim, struct pb_sample *ret)
{
	uint64_t seed = sim->options.seed;

	ret->version = 0x26;
	ret->production_date = 10000 * (2021 + (int)(5 * pb_sim_hash(seed, CHANNEL_HISTORY, 1))) +
			       100 * (1 + (int)(12 * pb_sim_hash(seed, CHANNEL_HISTORY, 2))) + 1 +
			       (int)(28 * pb_sim_hash(seed, CHANNEL_HISTORY, 3));
	snprintf(ret->device_name, sizeof(ret->device_name), "%s",
		 sim->options.profile->device_name);
	ret->has |= PB_HAS(PB_HAS_VERSION) | PB_HAS(PB_HAS_PRODUCTION_DATE) |
		    PB_HAS(PB_HAS_DEVICE_NAME);
}

void pb_sim_read(const struct pb_sim *sim, struct pb_sample *ret)
{
	*ret = (struct pb_sample){0};
	read_cells(sim, ret);
	read_temperatures(sim, ret);
	read_charge(sim, ret);
	read_state(sim, ret);
	read_identity(sim, ret);
	pb_sample_derive(ret);
}
