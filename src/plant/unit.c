/* SPDX-License-Identifier: MIT */
/*
 * A reading is copied into its battery when it comes and encoded when a client asks. Whether it is
 * stale is decided at the request, by the clock, so that no late timer can show a stale value as
 * live. An image stays as it is until its battery gets another version or the clock changes an age
 * or the heartbeat.
 */
#include "unit.h"
#include "notes.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* The eight bits of function 7: stale, protection, warning, charging blocked, discharging blocked;
 * and whether packbridge itself warns, and has an alarm. */
static uint8_t unit_exception_status(const struct pb_battery *data, bool stale)
{
	const struct pb_sample *sample = &data->sample;
	unsigned int bits = 0;

	bits |= (unsigned int)(data->alarms.severity >= PB_LEVEL_WARNING) << 5;
	bits |= (unsigned int)(data->alarms.severity == PB_LEVEL_ALARM) << 6;
	if (stale)
		return (uint8_t)(bits | 1);
	if (pb_battery_has(data, PB_HAS_PROTECTION) && sample->protection_mask)
		bits |= 1 << 1;
	if (pb_battery_has(data, PB_HAS_ALARM) && sample->alarm_mask)
		bits |= 1 << 2;
	if (pb_battery_has(data, PB_HAS_CHARGE_FET) && !sample->charge_fet)
		bits |= 1 << 3;
	if (pb_battery_has(data, PB_HAS_DISCHARGE_FET) && !sample->discharge_fet)
		bits |= 1 << 4;
	return (uint8_t)bits;
}

/* ---- batteries ---- */

/* When a second is full that is counted from @since_ms. */
static uint64_t next_second_ms(uint64_t since_ms, uint64_t now_ms)
{
	return now_ms + 1000 - (now_ms - since_ms) % 1000;
}

/* When the heartbeat, an age, or what follows from an age changes next. */
static uint64_t next_change_ms(const struct battery *battery, uint64_t now_ms)
{
	const struct pb_status *status = &battery->data.status;
	uint64_t next_ms = next_second_ms(battery->plant->start_ms, now_ms);
	uint64_t age_ms = next_second_ms(status->sampled_ms, now_ms);
	uint64_t details_ms = next_second_ms(status->details_ms, now_ms);

	if (status->sequence && age_ms < next_ms)
		next_ms = age_ms;
	if (status->details_ms && details_ms < next_ms)
		next_ms = details_ms;
	return battery->stale_ms < next_ms ? battery->stale_ms : next_ms;
}

static const struct pb_image *unit_image(struct unit *unit, uint64_t now_ms)
{
	struct battery *battery = unit->battery;
	const struct pb_battery *data = &battery->data;
	bool stale;

	unit->asked_ms = now_ms;
	if (unit->version == battery->version && now_ms < unit->until_ms)
		return pb_unit_image_get(unit->image);
	stale = battery_at(battery, now_ms)->quality != PB_QUALITY_GOOD; /* may change @version */
	if (unit->version != battery->version || stale != unit->stale)
		pb_unit_image_encode(unit->image, data, stale);
	else
		pb_unit_image_refresh(unit->image, data);
	pb_unit_image_describe(unit->image, unit_exception_status(data, stale), data->name,
			       data->protocol);
	unit->version = battery->version;
	unit->stale = stale;
	unit->until_ms = next_change_ms(battery, now_ms);
	return pb_unit_image_get(unit->image);
}

/* ---- writes ---- */

static void take_wish(const struct pb_write *write, struct pb_control_request *request)
{
	switch (write->field->offset) {
	case offsetof(struct pb_battery, control.inhibit_charge):
		request->has_charge = true;
		request->inhibit_charge = write->value;
		break;
	case offsetof(struct pb_battery, control.inhibit_discharge):
		request->has_discharge = true;
		request->inhibit_discharge = write->value;
		break;
	case offsetof(struct pb_battery, control.inhibit_both):
		request->has_charge = request->has_discharge = true;
		request->inhibit_charge = request->inhibit_discharge = write->value;
		break;
	case offsetof(struct pb_battery, control.lease_s):
		request->has_lease = true;
		request->lease_s = (uint16_t)write->value;
		break;
	case offsetof(struct pb_battery, control.reset):
		request->reset = write->value;
		break;
	}
}

/* What all rows of one request ask for together. @return whether all values are possible. */
static bool take_wishes(const struct pb_write *writes, size_t count,
			struct pb_control_request *request)
{
	bool valid = true;

	for (size_t i = 0; i < count; i++) {
		if (writes[i].field)
			take_wish(&writes[i], request);
		valid &= writes[i].valid;
	}
	return valid;
}

/* Of a bank: in each of its packs. */
static bool is_enabled(const struct battery *battery, int least)
{
	const struct pb_battery_setup *setup = battery->setup;

	if (!setup->bank)
		return setup->control && setup->control->mode >= least;
	for (size_t i = 0; i < setup->pack_count; i++)
		if (!is_enabled(battery_of_bank(battery, i), least))
			return false;
	return true;
}

/*
 * Whoever writes all registers of the block in one request means nothing by a 0 for a direction
 * that is not enabled. Without any other register it gets exception 02.
 */
static void drop_needless(const struct battery *battery, struct pb_control_request *request)
{
	bool more = request->has_charge || request->has_lease || request->reset;

	if (more && !request->inhibit_discharge && !is_enabled(battery, PB_CONTROL_BOTH))
		request->has_discharge = false;
}

/*
 * The order of exceptions, when several would fit: not enabled (02), a client that may not (01), no
 * such value (03), another owner (06).
 */
static enum pb_exception unit_control(struct unit *unit, const struct pb_peer *peer,
				      const struct pb_write *writes, size_t count)
{
	struct battery *battery = unit->battery;
	struct pb_plant *plant = battery->plant;
	struct pb_control_request request = {.owner = peer ? peer->name : ""};
	bool valid = take_wishes(writes, count, &request);
	enum pb_exception code;

	drop_needless(battery, &request);
	if (!is_enabled(battery, request.has_discharge ? PB_CONTROL_BOTH : PB_CONTROL_CHARGE))
		return PB_EXCEPTION_ILLEGAL_ADDRESS;
	if (!peer || !peer->may_control)
		return PB_EXCEPTION_ILLEGAL_FUNCTION;
	if (!valid)
		return PB_EXCEPTION_ILLEGAL_VALUE;
	code = pb_plant_control(plant, (size_t)(battery - plant->batteries), &request,
				unit->asked_ms);
	if (code != PB_EXCEPTION_NONE)
		return code;
	for (struct unit *one = plant->units; one; one = one->next)
		one->until_ms = 0;	  /* a lease that was renewed changes no version */
	unit_image(unit, unit->asked_ms); /* function 23 reads it now */
	return code;
}

static bool asks_for_control(const struct pb_write *writes, size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (writes[i].field)
			return true;
	return false;
}

/* What is stored changes nothing but itself, so it is only noted. */
static enum pb_exception on_write(void *userdata, const struct pb_peer *peer,
				  const struct pb_map *map, const struct pb_write *writes,
				  size_t count)
{
	struct unit *unit = userdata;

	if (asks_for_control(writes, count))
		return unit_control(unit, peer, writes, count);
	for (size_t i = 0; i < count && pb_log_enabled(PB_LOG_DEBUG); i++)
		notes_line(unit->battery, PB_LOG_DEBUG, NULL,
			   "%s: %s %u of map %s is written: %lld", unit->battery->data.name,
			   writes[i].table == PB_TABLE_COIL ? "coil" : "register", writes[i].addr,
			   pb_map_name(map), (long long)writes[i].value);
	return PB_EXCEPTION_NONE;
}

static int unit_new(struct unit **ret, struct battery *battery, const struct pb_map *map)
{
	struct unit *unit = calloc(1, sizeof(*unit));
	int r;

	if (!unit)
		return -ENOMEM;
	r = pb_unit_image_new(&unit->image, map);
	if (r < 0) {
		free(unit);
		return r;
	}
	pb_unit_image_on_write(unit->image, on_write, unit);
	unit->battery = battery;
	unit->map = map;
	unit->version = battery->version - 1; /* not encoded yet */
	*ret = unit;
	return 0;
}

int pb_plant_add_unit(struct pb_plant *plant, size_t table, int32_t id, size_t battery,
		      const struct pb_map *map)
{
	struct battery *of = &plant->batteries[battery];
	struct unit *unit = plant->units;
	int r;

	while (unit && (unit->battery != of || unit->map != map))
		unit = unit->next;
	if (!unit) {
		r = unit_new(&unit, of, map);
		if (r < 0)
			return r;
		unit->next = plant->units;
		plant->units = unit;
	}
	plant->tables[table].by_id[id] = unit;
	return 0;
}

void unit_take_writes(struct pb_plant *plant, const struct pb_plant *before)
{
	for (struct unit *unit = plant->units; unit; unit = unit->next)
		for (const struct unit *old = before->units; old; old = old->next)
			if (strcmp(unit->battery->setup->name, old->battery->setup->name) == 0 &&
			    strcmp(pb_map_name(unit->map), pb_map_name(old->map)) == 0)
				pb_unit_image_keep_writes(unit->image, old->image);
}

void unit_free_all(struct pb_plant *plant)
{
	while (plant->units) {
		struct unit *unit = plant->units;

		plant->units = unit->next;
		pb_unit_image_free(unit->image);
		free(unit);
	}
	pb_unit_image_free(plant->gateway_image);
}

/* ---- the gateway ---- */

static void count_packs(const struct pb_plant *plant, struct pb_gateway *gateway, uint64_t now_ms)
{
	gateway->online = gateway->stale = gateway->warnings = gateway->alarms = 0;
	for (size_t i = 0; i < plant->pack_count; i++) {
		const struct battery *pack = &plant->batteries[i];

		if (pb_status_is_stale(&pack->data.status, now_ms))
			gateway->stale++;
		else
			gateway->online++;
		gateway->warnings += pack->data.alarms.severity >= PB_LEVEL_WARNING;
		gateway->alarms += pack->data.alarms.severity == PB_LEVEL_ALARM;
	}
}

const struct pb_gateway *pb_plant_gateway(struct pb_plant *plant, uint64_t now_ms)
{
	struct pb_gateway *gateway = &plant->gateway;

	gateway->uptime_s = (uint32_t)((now_ms - plant->start_ms) / 1000);
	gateway->heartbeat = battery_heartbeat(plant, now_ms);
	count_packs(plant, gateway, now_ms);
	plant->handler->count(plant->userdata, gateway);
	return gateway;
}

static void list_units(const struct pb_unit_table *table, struct pb_gateway *gateway,
		       uint64_t now_ms)
{
	for (size_t id = 0; id < PB_ARRAY_SIZE(table->by_id); id++) {
		const struct unit *unit = table->by_id[id];

		gateway->unit_status[id] =
			unit ? (uint16_t)(battery_quality(unit->battery, now_ms) + 1) : 0;
	}
}

static const struct pb_image *gateway_image(const struct pb_unit_table *table, uint64_t now_ms)
{
	struct pb_plant *plant = table->plant;

	/* a burst of requests is one look */
	if (now_ms == plant->gateway_ms && table == plant->gateway_table)
		return pb_unit_image_get(plant->gateway_image);
	plant->gateway_ms = now_ms;
	plant->gateway_table = table;
	pb_plant_gateway(plant, now_ms);
	list_units(table, &plant->gateway, now_ms);
	pb_unit_image_encode(plant->gateway_image, &plant->gateway, false);
	return pb_unit_image_get(plant->gateway_image);
}

/* ---- unit tables ---- */

/* Clients without a unit id send 0 or 255; both mean the gateway itself. */
static bool unit_is_gateway(uint8_t id)
{
	return id == 0 || id == 255;
}

bool pb_plant_owns(const struct pb_unit_table *table, uint8_t id)
{
	return unit_is_gateway(id) || (id <= PB_UNITS_MAX && table->by_id[id]);
}

const struct pb_image *pb_plant_image(struct pb_unit_table *table, uint8_t id, uint64_t now_ms)
{
	if (unit_is_gateway(id))
		return gateway_image(table, now_ms);
	return pb_plant_owns(table, id) ? unit_image(table->by_id[id], now_ms) : NULL;
}

const struct pb_map *pb_plant_map(const struct pb_unit_table *table, uint8_t id)
{
	return pb_unit_image_map(unit_is_gateway(id) ? table->plant->gateway_image
						     : table->by_id[id]->image);
}

struct pb_unit_table *pb_plant_table(struct pb_plant *plant, size_t table)
{
	return &plant->tables[table];
}
