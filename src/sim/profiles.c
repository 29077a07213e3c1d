/* SPDX-License-Identifier: MIT */
/*
 * Chemistries and the profiles made of them. Curves are typical resting voltages as data sheets
 * of such cells show them; limits are usual settings of boards for these cells.
 */
#include "packbridge/sim.h"

/* clang-format off */
static const struct pb_sim_point lfp_curve[] = {
	{-20, 2000}, {0, 2600},   {20, 2900},  {50, 3050},  {100, 3180}, {200, 3235},
	{300, 3265}, {400, 3282}, {500, 3290}, {600, 3298}, {700, 3318}, {800, 3328},
	{900, 3336}, {970, 3350}, {990, 3390}, {1000, 3460}, {1010, 3600},
};

static const struct pb_sim_point lead_curve[] = {
	{-50, 1600},  {0, 1950},   {100, 1990}, {200, 2015}, {400, 2055}, {600, 2090},
	{800, 2120},  {1000, 2160}, {1010, 2280}, {1020, 2370}, {1050, 2600},
};

static const struct pb_sim_point nmc_curve[] = {
	{-20, 2300}, {0, 3000},   {20, 3250},  {50, 3400},  {100, 3480}, {200, 3570},
	{300, 3620}, {400, 3670}, {500, 3740}, {600, 3830}, {700, 3910}, {800, 3990},
	{900, 4060}, {1000, 4150}, {1010, 4210}, {1030, 4400},
};
/* clang-format on */

static const struct pb_sim_chemistry lfp = {
	.curve = lfp_curve,
	.points = PB_ARRAY_SIZE(lfp_curve),
	.resistance_mv = 80,
	.polarisation_mv = 60,
	.full_mv = 3500,
	.over_mv = 3650,
	.over_release_mv = 3450,
	.under_mv = 2500,
	.under_release_mv = 2900,
	.balance_mv = 3400,
	.balance_delta_mv = 15,
	.charge_min_mc = 0,
};

static const struct pb_sim_chemistry lead = {
	.curve = lead_curve,
	.points = PB_ARRAY_SIZE(lead_curve),
	.resistance_mv = 150,
	.polarisation_mv = 150,
	.full_mv = 2350,
	.over_mv = 2500,
	.over_release_mv = 2380,
	.under_mv = 1850,
	.under_release_mv = 2010,
	.balance_mv = 2200,
	.balance_delta_mv = 12,
	.charge_min_mc = -15000,
};

static const struct pb_sim_chemistry nmc = {
	.curve = nmc_curve,
	.points = PB_ARRAY_SIZE(nmc_curve),
	.resistance_mv = 90,
	.polarisation_mv = 60,
	.full_mv = 4150,
	.over_mv = 4250,
	.over_release_mv = 4130,
	.under_mv = 2800,
	.under_release_mv = 3200,
	.balance_mv = 4080,
	.balance_delta_mv = 5,
	.charge_min_mc = 0,
};

static const struct pb_sim_profile profiles[] = {
	{.name = "lfp-4s",
	 .doc = "LiFePO4, 4 cells, 12.8 V 100 Ah: camper, boat",
	 .chemistry = &lfp,
	 .cells = 4,
	 .temperatures = 3,
	 .capacity_mah = 100000,
	 .current_max_ma = 100000,
	 .device_name = "SIM-SP04S034-L4S-100A",
	 .board = &pb_sim_jbd},
	{.name = "lfp-8s",
	 .doc = "LiFePO4, 8 cells, 25.6 V 200 Ah: truck, workshop",
	 .chemistry = &lfp,
	 .cells = 8,
	 .temperatures = 2,
	 .capacity_mah = 200000,
	 .current_max_ma = 150000,
	 .device_name = "SIM-SP08S020-L8S-150A",
	 .board = &pb_sim_jbd},
	{.name = "lfp-16s",
	 .doc = "LiFePO4, 16 cells, 51.2 V 280 Ah: house storage",
	 .chemistry = &lfp,
	 .cells = 16,
	 .temperatures = 4,
	 .capacity_mah = 280000,
	 .current_max_ma = 200000,
	 .device_name = "SIM-SP16S020-L16S-200A",
	 .board = &pb_sim_jbd},
	{.name = "lead-12v",
	 .doc = "lead acid, 6 cells of 2 V, 12 V 100 Ah: starter battery",
	 .chemistry = &lead,
	 .cells = 6,
	 .temperatures = 1,
	 .capacity_mah = 100000,
	 .current_max_ma = 120000,
	 .device_name = "SIM-LEAD-6S",
	 .board = &pb_sim_jbd},
	{.name = "nmc-13s",
	 .doc = "NMC, 13 cells, 48 V 50 Ah: vehicle",
	 .chemistry = &nmc,
	 .cells = 13,
	 .temperatures = 2,
	 .capacity_mah = 50000,
	 .current_max_ma = 60000,
	 .device_name = "SIM-SP15S001-P13S-60A",
	 .board = &pb_sim_jbd},
	{.name = NULL},
};

const struct pb_sim_profile *pb_sim_profiles(void)
{
	return profiles;
}
