/* SPDX-License-Identifier: MIT */
#include "packbridge/base.h"
#include "packbridge/model.h"

static void derive_power(struct pb_sample *s)
{
	if (!(s->has & PB_HAS(PB_HAS_VOLTAGE)) || !(s->has & PB_HAS(PB_HAS_CURRENT)))
		return;
	s->power_mw = pb_scale(s->voltage_mv, s->current_ma, 1000);
	s->has |= PB_HAS(PB_HAS_POWER);
}

static void derive_cells(struct pb_sample *s)
{
	int min = -1, max = -1;

	for (int i = 0; i < PB_CELLS_MAX; i++) {
		if (!(s->cell_has >> i & 1))
			continue;
		if (min < 0 || s->cell_mv[i] < s->cell_mv[min])
			min = i;
		if (max < 0 || s->cell_mv[i] > s->cell_mv[max])
			max = i;
	}
	if (min < 0)
		return;
	s->cell_min_mv = s->cell_mv[min];
	s->cell_max_mv = s->cell_mv[max];
	s->cell_min_index = min + 1;
	s->cell_max_index = max + 1;
	s->cell_delta_mv = s->cell_max_mv - s->cell_min_mv;
	s->has |= PB_HAS(PB_HAS_CELL_EXTREMES);
}

static void derive_temperatures(struct pb_sample *s)
{
	int32_t min = INT32_MAX, max = INT32_MIN;
	int64_t sum = 0;
	int n = 0;

	for (int i = 0; i < PB_TEMPERATURES_MAX; i++) {
		if (!(s->temperature_has >> i & 1))
			continue;
		if (s->temperature_mc[i] < min)
			min = s->temperature_mc[i];
		if (s->temperature_mc[i] > max)
			max = s->temperature_mc[i];
		sum += s->temperature_mc[i];
		n++;
	}
	if (n == 0)
		return;
	s->temperature_min_mc = min;
	s->temperature_max_mc = max;
	s->temperature_avg_mc = (int32_t)pb_scale(sum, 1, n);
	s->has |= PB_HAS(PB_HAS_TEMPERATURE_EXTREMES);
}

void pb_sample_derive(struct pb_sample *sample)
{
	derive_power(sample);
	derive_cells(sample);
	derive_temperatures(sample);
}
