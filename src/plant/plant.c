/* SPDX-License-Identifier: MIT */
/*
 * The plant as a whole: its life, the step, and what others look up. Battery.c has the rules of one
 * battery, unit.c what clients see.
 */
#include "control.h"
#include "events.h"
#include "history.h"
#include "unit.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static size_t plant_battery_count(const struct pb_plant *plant)
{
	return plant->pack_count + plant->bank_count;
}

static bool is_bank(const struct battery *battery)
{
	return battery->setup->bank != NULL;
}

/* ---- life ---- */

static void init_battery(struct pb_plant *plant, struct battery *battery,
			 const struct pb_battery_setup *setup, const char *version)
{
	struct pb_battery *data = &battery->data;

	battery->plant = plant;
	battery->setup = setup;
	battery->alarm_ms = battery->stale_ms = UINT64_MAX;
	battery->memory.settled = !setup->bank;
	battery->reader.state = "off";
	if (!setup->bank)
		battery->reader.refusals = battery->refusals =
			&plant->refusals[battery - plant->batteries];
	data->status.stale_after_s = setup->stale_after_s;
	snprintf(data->name, sizeof(data->name), "%s", setup->name);
	snprintf(data->protocol, sizeof(data->protocol), "%.15s", setup->protocol);
	snprintf(data->software, sizeof(data->software), "%s", version);
	events_show(battery);
}

static int init_gateway(struct pb_plant *plant, const struct pb_plant_setup *setup)
{
	struct pb_gateway *gateway = &plant->gateway;
	int r = pb_unit_image_new(&plant->gateway_image, setup->gateway_map);

	if (r < 0)
		return r;
	pb_unit_image_describe(plant->gateway_image, 0, "gateway", NULL);
	snprintf(gateway->product, sizeof(gateway->product), "packbridge");
	snprintf(gateway->version, sizeof(gateway->version), "%s", setup->version);
	gateway->packs = (int32_t)setup->pack_count;
	gateway->banks = (int32_t)setup->bank_count;
	return 0;
}

int pb_plant_new(struct pb_plant **ret, const struct pb_plant_setup *setup)
{
	PB_CLEANUP(pb_plant_freep) struct pb_plant *plant = calloc(1, sizeof(*plant));
	size_t count = setup->pack_count + setup->bank_count;
	int r;

	if (!plant)
		return -ENOMEM;
	plant->batteries = calloc(count, sizeof(*plant->batteries));
	plant->due_ms = calloc(count, sizeof(*plant->due_ms));
	plant->tables = calloc(setup->table_count, sizeof(*plant->tables));
	plant->refusals = calloc(setup->pack_count, sizeof(*plant->refusals));
	if (!plant->batteries || !plant->due_ms || !plant->tables || !plant->refusals)
		return -ENOMEM;
	plant->pack_count = plant->summary.packs = setup->pack_count;
	plant->bank_count = setup->bank_count;
	plant->start_ms = setup->start_ms;
	plant->events = setup->events;
	plant->handler = setup->handler;
	for (size_t i = 0; i < setup->pack_count; i++)
		plant->has_control |= setup->batteries[i].control &&
				      setup->batteries[i].control->mode != PB_CONTROL_OFF;
	plant->userdata = setup->userdata;
	for (size_t i = 0; i < setup->table_count; i++)
		plant->tables[i].plant = plant;
	for (size_t i = 0; i < count; i++)
		init_battery(plant, &plant->batteries[i], &setup->batteries[i], setup->version);
	r = init_gateway(plant, setup);
	if (r < 0)
		return r;
	*ret = plant;
	plant = NULL;
	return 0;
}

struct pb_plant *pb_plant_free(struct pb_plant *plant)
{
	if (!plant)
		return NULL;
	unit_free_all(plant);
	free(plant->tables);
	free(plant->due_ms);
	free(plant->refusals);
	free(plant->batteries);
	free(plant);
	return NULL;
}

/* Of a pack that is read another way from now on. */
static void plant_take_other(struct battery *pack, const struct battery *before)
{
	pack->memory.history = before->memory.history;
	if (pack->setup->same_link)
		control_take(pack, before, false);
}

void pb_plant_take(struct pb_plant *plant, const struct pb_plant *before)
{
	for (size_t i = 0; i < plant_battery_count(plant); i++) {
		struct battery *battery = &plant->batteries[i];
		int place = pb_plant_find(before, battery->setup->name);

		if (place >= 0 && is_bank(battery) == is_bank(&before->batteries[place]) &&
		    (is_bank(battery) || battery->setup->keep))
			battery_take(battery, &before->batteries[place]);
		else if (place >= 0 && is_bank(battery) == is_bank(&before->batteries[place]))
			plant_take_other(battery, &before->batteries[place]);
	}
	unit_take_writes(plant, before);
}

/* ---- the step ---- */

/* Readings of the plant before are as new to this one's alarms and limits. */
static void plant_start(struct pb_plant *plant, uint64_t now_ms)
{
	for (size_t i = 0; i < plant->pack_count; i++)
		battery_update_pack(&plant->batteries[i],
				    plant->batteries[i].data.status.sequence != 0, now_ms);
	for (size_t i = plant->pack_count; i < plant_battery_count(plant); i++)
		battery_update_bank(&plant->batteries[i], false, now_ms);
}

static void plant_update(struct pb_plant *plant, size_t index, uint64_t now_ms)
{
	if (index < plant->pack_count)
		battery_update_with_banks(&plant->batteries[index], false, now_ms);
	else
		battery_update_bank(&plant->batteries[index], false, now_ms);
}

/* Packs come first, and a pack updates its banks, which are not due any more then. */
static void plant_take_time(struct pb_plant *plant, uint64_t now_ms)
{
	for (size_t i = 0; i < plant_battery_count(plant); i++)
		if (plant->due_ms[i] <= now_ms)
			plant_update(plant, i, now_ms);
}

static void plant_reset(struct pb_plant *plant, int battery, uint64_t now_ms)
{
	for (int i = 0; i < (int)plant_battery_count(plant); i++) {
		if (battery != PB_PLANT_ALL && battery != i)
			continue;
		pb_alarm_reset(&plant->batteries[i].memory.alarm_state);
		plant_update(plant, (size_t)i, now_ms);
	}
}

static uint64_t first_due_ms(const struct pb_plant *plant)
{
	uint64_t first_ms = UINT64_MAX;

	for (size_t i = 0; i < plant_battery_count(plant); i++)
		if (plant->due_ms[i] < first_ms)
			first_ms = plant->due_ms[i];
	return first_ms;
}

uint64_t pb_plant_step(struct pb_plant *plant, const struct pb_plant_event *event, uint64_t now_ms)
{
	history_day(plant, event->day, now_ms);
	switch (event->type) {
	case PB_PLANT_START:
		plant_start(plant, now_ms);
		break;
	case PB_PLANT_READING:
		battery_read(&plant->batteries[event->battery], event->reading, now_ms);
		break;
	case PB_PLANT_TIME:
		plant_take_time(plant, now_ms);
		break;
	case PB_PLANT_RESET:
		plant_reset(plant, event->battery, now_ms);
		break;
	case PB_PLANT_LET_GO:
		control_let_go(plant, event->battery);
		break;
	}
	control_step_all(plant, event->type == PB_PLANT_TIME, now_ms);
	return first_due_ms(plant);
}

/* ---- what there is to see ---- */

int pb_plant_find(const struct pb_plant *plant, const char *name)
{
	for (size_t i = 0; i < plant_battery_count(plant); i++)
		if (strcmp(plant->batteries[i].setup->name, name) == 0)
			return (int)i;
	return -ENOENT;
}

const struct pb_battery *pb_plant_battery(struct pb_plant *plant, size_t battery, uint64_t now_ms)
{
	return battery_at(&plant->batteries[battery], now_ms);
}

uint32_t pb_plant_changes(const struct pb_plant *plant, size_t battery)
{
	return plant->batteries[battery].version + plant->batteries[battery].words;
}

const struct pb_plant_pack *pb_plant_pack(const struct pb_plant *plant, size_t pack)
{
	return &plant->batteries[pack].reader;
}

/* A bank's alarm may be that of one of its packs. */
static const struct battery *whose_alarm(const struct battery *battery, enum pb_alarm alarm)
{
	uint8_t level = battery->data.alarms.level[alarm];
	const struct battery *whose = battery;

	if (battery->memory.alarm_state.kinds[alarm].shown == level)
		return battery;
	for (size_t i = 0; whose == battery && i < battery->setup->pack_count; i++)
		if (battery_of_bank(battery, i)->data.alarms.level[alarm] >= level)
			whose = battery_of_bank(battery, i);
	return whose;
}

bool pb_plant_alarm(const struct pb_plant *plant, size_t battery, enum pb_alarm alarm,
		    struct pb_plant_alarm *ret)
{
	const struct battery *of = &plant->batteries[battery];
	const struct battery *whose = whose_alarm(of, alarm);

	ret->level = (enum pb_level)of->data.alarms.level[alarm];
	if (ret->level == PB_LEVEL_NONE)
		return false;
	ret->since_ms = whose->memory.alarm_state.kinds[alarm].shown_ms;
	ret->pack = whose == of ? NULL : whose->setup->name;
	pb_alarm_describe(alarm, &whose->data, ret->text, sizeof(ret->text));
	return true;
}

struct pb_plant_summary pb_plant_summary(const struct pb_plant *plant)
{
	return plant->summary;
}
