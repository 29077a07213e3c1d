/* SPDX-License-Identifier: MIT */
/*
 * What the pictures of docs/charge-control.md show, from the real code, as one JSON document;
 * plot.py draws it.
 */
#include "packbridge/bank.h"
#include "packbridge/base.h"

#include <stdio.h>
#include <string.h>

static void print_curve(const char *name, const struct pb_curve *curve, int32_t from, int32_t to,
			int32_t step, double factor, const char *comma)
{
	printf("\"%s\":[", name);
	for (int32_t at = from; at <= to; at += step)
		printf("%s[%g,%g]", at > from ? "," : "", at / factor,
		       pb_curve_at(curve, at) / 10.0);
	printf("]%s\n", comma);
}

static void print_chemistry(enum pb_chemistry chemistry)
{
	static const int32_t ranges[PB_CHEMISTRY_COUNT][2] = {
		[PB_CHEMISTRY_LIFEPO4] = {2700, 3600},
		[PB_CHEMISTRY_NMC] = {2900, 4300},
		[PB_CHEMISTRY_LTO] = {1600, 2850},
		[PB_CHEMISTRY_LEAD] = {1700, 2600},
	};
	struct pb_limit_setup s;

	pb_limit_preset(&s, chemistry);
	printf("\"%s\":{", pb_chemistry_names[chemistry]);
	print_curve("charge", &s.charge_by_cell, ranges[chemistry][0], ranges[chemistry][1], 5,
		    1000, ",");
	print_curve("discharge", &s.discharge_by_cell, ranges[chemistry][0], ranges[chemistry][1],
		    5, 1000, ",");
	print_curve("charge_warm", &s.charge_by_temperature, -35000, 65000, 500, 1000, ",");
	print_curve("discharge_warm", &s.discharge_by_temperature, -35000, 65000, 500, 1000, "");
	printf("},\n");
}

/* ---- a pack that is charged, by a charger that obeys ---- */

enum { CELLS = 16, STEP_S = 10, HOURS = 12 };

struct cell {
	double charge; /* of 1 */
	double capacity_ah;
};

/* A LiFePO4 cell at rest: flat, with an end that rises. */
static double rest_v(double charge)
{
	double v = 3.20 + 0.14 * charge;

	if (charge < 0.1)
		v -= (0.1 - charge) * 4;
	if (charge > 0.95)
		v += (charge - 0.95) * (charge - 0.95) * 60;
	return v;
}

/* @ahead: by how much the first cell is fuller than the others */
static void print_charge(const char *name, double ahead, const char *comma)
{
	struct cell cells[CELLS];
	struct pb_limit_setup setup;
	struct pb_limit_state state = {0};
	struct pb_battery b = {0};
	double current_a = 0;

	pb_limit_preset(&setup, PB_CHEMISTRY_LIFEPO4);
	for (int i = 0; i < CELLS; i++)
		cells[i] = (struct cell){0.55 + (i == 0 ? ahead : 0.0004 * i), 100};
	printf("\"%s\":[\n", name);
	for (int t = 0; t < HOURS * 3600; t += STEP_S) {
		double sum = 0, mean = 0, limit_a;

		b.sample = (struct pb_sample){.cell_count = CELLS, .temperature_count = 1};
		for (int i = 0; i < CELLS; i++) {
			double v;

			/* the BMS bleeds what is above 3.40 V, by 0.1 A */
			v = rest_v(cells[i].charge) + 0.0006 * current_a;
			cells[i].charge += (current_a - (v > 3.40 ? 0.1 : 0)) * (double)STEP_S /
					   3600 / cells[i].capacity_ah;
			v = rest_v(cells[i].charge) + 0.0006 * current_a;
			b.sample.cell_mv[i] = (int32_t)(v * 1000 + 0.5);
			b.sample.cell_has |= UINT64_C(1) << i;
			sum += v;
			mean += cells[i].charge / (double)CELLS;
		}
		b.sample.voltage_mv = (int32_t)(sum * 1000);
		b.sample.current_ma = (int32_t)(current_a * 1000);
		b.sample.soc_permille = mean > 1 ? 1000 : (int32_t)(mean * 1000);
		b.sample.nominal_mah = 100000;
		b.sample.temperature_mc[0] = 25000;
		b.sample.temperature_has = 1;
		b.sample.charge_fet = b.sample.discharge_fet = true;
		b.sample.has = PB_HAS(PB_HAS_CELLS) | PB_HAS(PB_HAS_TEMPERATURES) |
			       PB_HAS(PB_HAS_VOLTAGE) | PB_HAS(PB_HAS_CURRENT) |
			       PB_HAS(PB_HAS_SOC) | PB_HAS(PB_HAS_NOMINAL) |
			       PB_HAS(PB_HAS_CHARGE_FET) | PB_HAS(PB_HAS_DISCHARGE_FET);
		pb_sample_derive(&b.sample);
		pb_limit_step(&setup, &state, &b, false, 1000 + 1000 * (uint64_t)t);
		if (t % 60 == 0)
			printf("%s[%g,%g,%g,%g,%g,%g,%g,%d]\n", t ? "," : "", t / 3600.0,
			       b.sample.voltage_mv / 1000.0, b.limits.charge_voltage_mv / 1000.0,
			       b.limits.charge_current_ma / 1000.0, current_a,
			       b.sample.cell_max_mv / 1000.0, b.sample.cell_min_mv / 1000.0,
			       b.limits.charge_phase);
		/* a charger: as much as it may, less when the voltage is reached */
		limit_a = b.limits.charge_current_ma / 1000.0;
		current_a += (b.limits.charge_voltage_mv / 1000.0 - sum) * 4;
		current_a = current_a > limit_a ? limit_a : current_a < 0 ? 0 : current_a;
	}
	printf("]%s\n", comma);
}

int main(void)
{
	printf("{");
	for (int i = 0; i < PB_CHEMISTRY_COUNT; i++)
		print_chemistry((enum pb_chemistry)i);
	print_charge("balanced", 0, ",");
	print_charge("ahead", 0.03, "");
	puts("}");
	return 0;
}
