/* SPDX-License-Identifier: MIT */
/* Cells and probes of a bank: extremes of all packs, and the list of cells. */
#include "fleet.h"

#include <stdio.h>

/* Of all cells with a value, whatever their pack. */
static int32_t mean_cell(const struct fleet *fleet)
{
	int64_t total = 0, cells = 0;

	for (size_t i = 0; i < fleet->count; i++) {
		const struct pb_sample *s = &fleet->packs[i]->sample;

		for (int n = 0; n < PB_CELLS_MAX; n++) {
			if (!(s->cell_has >> n & 1))
				continue;
			total += s->cell_mv[n];
			cells++;
		}
	}
	return cells ? narrow(pb_scale(total, 1, cells)) : 0;
}

/* An extreme value of all packs, the number of its cell or probe, its pack, and both as a name. */
struct extreme {
	struct pb_field value, index, pack;
	uint16_t name; /* its offset in struct pb_battery */
	int sign;      /* 1 the least, -1 the greatest */
};

#define EXTREME(of, unit, what, packs, sign_)                                                      \
	{                                                                                          \
		.value = BANK_FIELD(sample.of##unit, PB_HAS_##what),                               \
		.index = BANK_FIELD(sample.of##_index, PB_HAS_##what),                             \
		.pack = BANK_FIELD(members.of##_pack, PB_HAS_##packs),                             \
		.name = offsetof(struct pb_battery, members.of##_name), .sign = (sign_)            \
	}

static const struct extreme cell_extremes[] = {
	EXTREME(cell_min, _mv, CELL_EXTREMES, CELL_PACKS, 1),
	EXTREME(cell_max, _mv, CELL_EXTREMES, CELL_PACKS, -1),
};
static const struct extreme temperature_extremes[] = {
	EXTREME(temperature_min, _mc, TEMPERATURE_EXTREMES, TEMPERATURE_PACKS, 1),
	EXTREME(temperature_max, _mc, TEMPERATURE_EXTREMES, TEMPERATURE_PACKS, -1),
};

static void add_extreme(const struct fleet *fleet, const struct extreme *extreme)
{
	const size_t cap = sizeof(fleet->bank->members.cell_min_name);
	int64_t value, number = 0;
	int at = bank_extreme(fleet, &extreme->value, extreme->sign, &value);

	if (at < 0)
		return;
	pb_field_get(&extreme->index, fleet->packs[at], 0, &number);
	pb_field_set(&extreme->value, fleet->bank, 0, value);
	pb_field_set(&extreme->index, fleet->bank, 0, number);
	pb_field_set(&extreme->pack, fleet->bank, 0, fleet->number[at]);
	/* "2.3": cell 3 of pack 2 */
	snprintf((char *)fleet->bank + extreme->name, cap, "%d.%d", fleet->number[at] % 100,
		 (int)(number % 100));
}

static void add_mean_temperature(const struct fleet *fleet)
{
	int64_t total = 0, probes = 0;

	for (size_t i = 0; i < fleet->count; i++) {
		const struct pb_sample *s = &fleet->packs[i]->sample;

		for (int n = 0; n < PB_TEMPERATURES_MAX; n++) {
			if (!(s->temperature_has >> n & 1))
				continue;
			total += s->temperature_mc[n];
			probes++;
		}
	}
	if (probes && pb_battery_has(fleet->bank, PB_HAS_TEMPERATURE_EXTREMES))
		fleet->bank->sample.temperature_avg_mc = narrow(pb_scale(total, 1, probes));
}

void bank_add_temperatures(const struct fleet *fleet)
{
	add_extreme(fleet, &temperature_extremes[0]);
	add_extreme(fleet, &temperature_extremes[1]);
	add_mean_temperature(fleet);
}

/* Cells in series: those of all packs, one pack after the other, if there are slots for all. */
static void add_series_cells(const struct fleet *fleet, int total)
{
	struct pb_battery *bank = fleet->bank;
	struct pb_sample *s = &bank->sample;
	int at = 0;

	if (total > PB_CELLS_MAX)
		return;
	for (size_t i = 0; i < fleet->count; i++) {
		const struct pb_sample *pack = &fleet->packs[i]->sample;

		for (int n = 0; n < pack->cell_count; n++, at++) {
			s->cell_mv[at] = pack->cell_mv[n];
			s->cell_has |= (pack->cell_has >> n & 1) << at;
			s->balance_mask |= (pack->balance_mask >> n & 1) << at;
		}
	}
	if (bank_all_have(fleet, PB_HAS_BALANCE))
		pb_battery_mark(bank, PB_HAS_BALANCE);
}

/* The lowest of the parallel cells at each index. @return the last index that has one; -1: none */
static int add_lowest_cells(const struct fleet *fleet, int *ret_first)
{
	struct pb_sample *s = &fleet->bank->sample;
	int last = -1;

	*ret_first = -1;
	for (int n = 0; n < s->cell_count; n++) {
		for (size_t i = 0; i < fleet->count; i++) {
			const struct pb_sample *pack = &fleet->packs[i]->sample;
			bool known = s->cell_has >> n & 1;

			if (!(pack->cell_has >> n & 1) ||
			    (known && pack->cell_mv[n] >= s->cell_mv[n]))
				continue;
			s->cell_mv[n] = pack->cell_mv[n];
			s->cell_has |= UINT64_C(1) << n;
			last = n;
		}
		if (*ret_first < 0 && last == n)
			*ret_first = n;
	}
	return last;
}

/*
 * The list has one entry for the parallel cells of each index. It must contain the lowest and the
 * highest cell of the bank. Each entry is the lowest cell of its index, with one exception: the
 * last entry is the highest cell of the bank, and the lowest cell of the last index goes into the
 * first entry. Since these two indices are fixed, an entry never jumps by more than a cell changes,
 * and all banks of the same packs have the same list.
 */
static void add_parallel_cells(const struct fleet *fleet)
{
	struct pb_sample *s = &fleet->bank->sample;
	int first, last = add_lowest_cells(fleet, &first);

	if (fleet->count < 2 || last == first)
		return;
	if (s->cell_mv[last] < s->cell_mv[first])
		s->cell_mv[first] = s->cell_mv[last];
	s->cell_mv[last] = s->cell_max_mv;
}

static void add_cell_extremes(const struct fleet *fleet)
{
	struct pb_sample *s = &fleet->bank->sample;

	add_extreme(fleet, &cell_extremes[0]);
	add_extreme(fleet, &cell_extremes[1]);
	if (!pb_battery_has(fleet->bank, PB_HAS_CELL_EXTREMES))
		return;
	s->cell_delta_mv = s->cell_max_mv - s->cell_min_mv;
	s->cell_avg_mv = mean_cell(fleet);
}

void bank_add_cells(const struct fleet *fleet)
{
	add_cell_extremes(fleet);
	if (!pb_battery_has(fleet->bank, PB_HAS_CELLS))
		return;
	if (in_series(fleet))
		add_series_cells(fleet, fleet->bank->sample.cell_count);
	else
		add_parallel_cells(fleet);
}
