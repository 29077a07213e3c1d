/* SPDX-License-Identifier: MIT */
#include "packbridge/model/sample.h"
#include "packbridge/base.h"

static void derive_power(struct pb_sample *s)
{
	if (!(s->has & PB_HAS(PB_HAS_VOLTAGE)) || !(s->has & PB_HAS(PB_HAS_CURRENT)))
		return;
	s->power_mw = pb_scale(s->voltage_mv, s->current_ma, 1000);
	if (s->power_mw >= -PB_POWER_MAX_MW && s->power_mw <= PB_POWER_MAX_MW)
		s->has |= PB_HAS(PB_HAS_POWER);
}

static void derive_flow(struct pb_sample *s)
{
	if (!(s->has & PB_HAS(PB_HAS_CURRENT)))
		return;
	s->activity = s->current_ma >= PB_ACTIVE_MA    ? PB_ACTIVITY_CHARGING
		      : s->current_ma <= -PB_ACTIVE_MA ? PB_ACTIVITY_DISCHARGING
						       : PB_ACTIVITY_IDLE;
	s->has |= PB_HAS(PB_HAS_ACTIVITY);
}

static void derive_percent(struct pb_sample *s)
{
	if (!(s->has & PB_HAS(PB_HAS_SOC)))
		return;
	s->dod_permille = 1000 - s->soc_permille;
	s->soc_percent = (s->soc_permille + 5) / 10;
	if (s->soc_percent == 0 && s->soc_permille > 0)
		s->soc_percent = 1;
	if (s->soc_percent == 100 && s->soc_permille < 1000)
		s->soc_percent = 99;
}

static void derive_balancing(struct pb_sample *s)
{
	if (!(s->has & PB_HAS(PB_HAS_BALANCE)))
		return;
	s->balancing = s->balance_mask != 0;
	s->has |= PB_HAS(PB_HAS_BALANCING);
}

static void derive_protection(struct pb_sample *s)
{
	s->protection_active =
		s->has & PB_HAS(PB_HAS_PROTECTION) && s->protection_mask & PB_PROTECT_FAULTS;
}

static void derive_charge(struct pb_sample *s)
{
	if (!(s->has & PB_HAS(PB_HAS_REMAINING)))
		return;
	if (s->has & PB_HAS(PB_HAS_FULL)) {
		s->consumed_mah =
			s->full_mah > s->remaining_mah ? s->full_mah - s->remaining_mah : 0;
		s->has |= PB_HAS(PB_HAS_CONSUMED);
	}
	if (s->has & PB_HAS(PB_HAS_ACTIVITY) && s->activity == PB_ACTIVITY_DISCHARGING) {
		int64_t seconds = pb_scale(s->remaining_mah, 3600, -(int64_t)s->current_ma);

		s->time_to_empty_s = (int32_t)pb_clamp(seconds, 0, PB_TIME_TO_EMPTY_MAX_S);
		s->has |= PB_HAS(PB_HAS_TIME_TO_EMPTY);
	}
}

static void derive_cells(struct pb_sample *s)
{
	int64_t sum = 0;
	int min = -1, max = -1, n = 0;

	for (int i = 0; i < PB_CELLS_MAX; i++) {
		if (!(s->cell_has >> i & 1))
			continue;
		if (min < 0 || s->cell_mv[i] < s->cell_mv[min])
			min = i;
		if (max < 0 || s->cell_mv[i] > s->cell_mv[max])
			max = i;
		sum += s->cell_mv[i];
		n++;
	}
	if (min < 0)
		return;
	s->cell_min_mv = s->cell_mv[min];
	s->cell_max_mv = s->cell_mv[max];
	s->cell_min_index = min + 1;
	s->cell_max_index = max + 1;
	s->cell_delta_mv = s->cell_max_mv - s->cell_min_mv;
	s->cell_avg_mv = (int32_t)pb_scale(sum, 1, n);
	s->has |= PB_HAS(PB_HAS_CELL_EXTREMES);
}

static void derive_temperatures(struct pb_sample *s)
{
	int64_t sum = 0;
	int n = 0, min = -1, max = -1;

	for (int i = 0; i < PB_TEMPERATURES_MAX; i++) {
		if (!(s->temperature_has >> i & 1))
			continue;
		if (min < 0 || s->temperature_mc[i] < s->temperature_mc[min])
			min = i;
		if (max < 0 || s->temperature_mc[i] > s->temperature_mc[max])
			max = i;
		sum += s->temperature_mc[i];
		n++;
	}
	if (n == 0)
		return;
	s->temperature_min_mc = s->temperature_mc[min];
	s->temperature_max_mc = s->temperature_mc[max];
	s->temperature_min_index = min + 1;
	s->temperature_max_index = max + 1;
	s->temperature_avg_mc = (int32_t)pb_scale(sum, 1, n);
	s->has |= PB_HAS(PB_HAS_TEMPERATURE_EXTREMES);
}

void pb_sample_derive(struct pb_sample *sample)
{
	derive_power(sample);
	derive_flow(sample);
	derive_balancing(sample);
	derive_percent(sample);
	derive_protection(sample);
	derive_charge(sample);
	derive_cells(sample);
	derive_temperatures(sample);
}

/* ---- whether anything has changed ---- */

static bool same_elements(const int32_t *a, const int32_t *b, uint64_t has)
{
	for (unsigned int i = 0; has >> i; i++)
		if (has >> i & 1 && a[i] != b[i])
			return false;
	return true;
}

static bool same_states(const struct pb_sample *a, const struct pb_sample *b)
{
	return a->balance_mask == b->balance_mask && a->protection_mask == b->protection_mask &&
	       a->alarm_mask == b->alarm_mask && a->charge_fet == b->charge_fet &&
	       a->discharge_fet == b->discharge_fet;
}

bool pb_sample_same(const struct pb_sample *a, const struct pb_sample *b)
{
	const uint64_t has = PB_HAS(PB_HAS_VOLTAGE) | PB_HAS(PB_HAS_CURRENT) |
			     PB_HAS(PB_HAS_MOS_TEMPERATURE) | PB_HAS(PB_HAS_BALANCE) |
			     PB_HAS(PB_HAS_PROTECTION) | PB_HAS(PB_HAS_ALARM) |
			     PB_HAS(PB_HAS_CHARGE_FET) | PB_HAS(PB_HAS_DISCHARGE_FET);

	/* what is absent is 0 in both */
	return ((a->has ^ b->has) & has) == 0 && a->voltage_mv == b->voltage_mv &&
	       a->current_ma == b->current_ma && a->mos_temperature_mc == b->mos_temperature_mc &&
	       same_states(a, b) && a->cell_has == b->cell_has &&
	       same_elements(a->cell_mv, b->cell_mv, a->cell_has) &&
	       a->temperature_has == b->temperature_has &&
	       same_elements(a->temperature_mc, b->temperature_mc, a->temperature_has);
}
