/* SPDX-License-Identifier: MIT */
/* Alarms of a bank that follow from the alarms of its packs. */
#include "battery.h"

#include <string.h>

static void raise_level(uint8_t *level, uint8_t of, int kind)
{
	/* a bank without a reading has its own alarm for that */
	if (kind == PB_ALARM_SILENT && of > PB_LEVEL_WARNING)
		of = PB_LEVEL_WARNING;
	if (of > *level)
		*level = of;
}

/* Of cells in parallel, one that is low or high decides, then one without a value. */
static void add_state(uint8_t *state, uint8_t of)
{
	bool decided = *state == PB_NORMAL_LOW || *state == PB_NORMAL_HIGH;

	if (!decided && of != PB_NORMAL)
		*state = of;
}

/* The cells' states are numbered as the bank's cells. */
static void add_cell_states(const struct pb_member *members, size_t count, struct pb_battery *bank)
{
	struct pb_alarms *alarms = &bank->alarms;
	uint64_t there = alarms->cell_has;
	int at = 0;

	memset(alarms->cell, PB_NORMAL, sizeof(alarms->cell));
	for (size_t i = 0; i < count; i++) {
		const struct pb_battery *pack = members[i].battery;

		for (int n = 0; n < pack->sample.cell_count && !members[i].stale; n++)
			if (at + n < PB_CELLS_MAX && there >> (at + n) & 1)
				add_state(&alarms->cell[at + n], pack->alarms.cell[n]);
		if (bank->members.packs_series > 1 && !members[i].stale)
			at += pack->sample.cell_count;
	}
}

static uint8_t probe_state(const struct pb_member *members, size_t count, int32_t pack,
			   int32_t probe)
{
	if (pack < 1 || (size_t)pack > count || probe < 1 || probe > PB_TEMPERATURES_MAX)
		return PB_NORMAL_UNKNOWN;
	return members[pack - 1].battery->alarms.temperature[probe - 1];
}

/* A bank has no single probes: the first is the hottest, the second the coldest of all. */
static void add_probe_states(const struct pb_member *members, size_t count, struct pb_battery *bank)
{
	const struct pb_sample *s = &bank->sample;
	const struct pb_members *m = &bank->members;

	if (!pb_battery_has(bank, PB_HAS_TEMPERATURE_PACKS))
		return;
	bank->alarms.temperature_has = 3;
	bank->alarms.temperature[0] =
		probe_state(members, count, m->temperature_max_pack, s->temperature_max_index);
	bank->alarms.temperature[1] =
		probe_state(members, count, m->temperature_min_pack, s->temperature_min_index);
}

void pb_bank_alarms(const struct pb_member *members, size_t count, struct pb_battery *ret)
{
	struct pb_alarms *alarms = &ret->alarms;

	for (int kind = 0; kind < PB_ALARM_COUNT; kind++) {
		uint8_t *level = &alarms->level[kind];

		for (size_t i = 0; i < count; i++) {
			raise_level(level, members[i].battery->alarms.level[kind], kind);
			raise_level(&alarms->worst[kind], members[i].battery->alarms.worst[kind],
				    kind);
		}
		alarms->warnings |= (uint32_t)(*level >= PB_LEVEL_WARNING) << kind;
		alarms->alarms |= (uint32_t)(*level == PB_LEVEL_ALARM) << kind;
		if (*level > alarms->severity)
			alarms->severity = *level;
	}
	add_cell_states(members, count, ret);
	add_probe_states(members, count, ret);
}
