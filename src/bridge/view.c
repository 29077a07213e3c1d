/* SPDX-License-Identifier: MIT */
/*
 * A reading is copied into its source when it comes and encoded when a client asks; whether it is
 * old is decided at the request, by the clock, so that no late timer can show an old value as live.
 */
#include "view.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static uint16_t heartbeat(const struct show *show, uint64_t now_ms)
{
	return (uint16_t)((now_ms - show->start_ms) / 1000 % 65535 + 1);
}

void show_clock(const struct show *show, struct source *source, uint64_t now_ms)
{
	struct pb_battery *data = &source->data;

	data->status.quality = source_quality(source, now_ms);
	data->age_s = pb_status_age_s(&data->status, now_ms);
	data->details_age_s = pb_status_details_age_s(&data->status, now_ms);
	data->heartbeat = heartbeat(show, now_ms);
}

static bool reported(const struct pb_sample *sample, int what)
{
	return (sample->has & PB_HAS(what)) != 0;
}

/* The eight bits of function 7: old, protection, warning, charging blocked, discharging blocked;
 * and whether packbridge itself warns, and has an alarm. */
static uint8_t exception_status(const struct pb_battery *data, bool old)
{
	const struct pb_sample *sample = &data->sample;
	unsigned int bits = 0;

	bits |= (unsigned int)(data->alarms.severity >= PB_LEVEL_WARNING) << 5;
	bits |= (unsigned int)(data->alarms.severity == PB_LEVEL_ALARM) << 6;
	if (old)
		return (uint8_t)(bits | 1);
	if (reported(sample, PB_HAS_PROTECTION) && sample->protection_mask)
		bits |= 1 << 1;
	if (reported(sample, PB_HAS_ALARM) && sample->alarm_mask)
		bits |= 1 << 2;
	if (reported(sample, PB_HAS_CHARGE_FET) && !sample->charge_fet)
		bits |= 1 << 3;
	if (reported(sample, PB_HAS_DISCHARGE_FET) && !sample->discharge_fet)
		bits |= 1 << 4;
	return (uint8_t)bits;
}

/* ---- batteries ---- */

/* When a second is full that is counted from @since_ms. */
static uint64_t next_second_ms(uint64_t since_ms, uint64_t now_ms)
{
	return now_ms + 1000 - (now_ms - since_ms) % 1000;
}

/* When the heartbeat or an age, and with it whether the reading is old, changes next. */
static uint64_t next_change_ms(const struct show *show, const struct pb_status *status,
			       uint64_t now_ms)
{
	uint64_t next_ms = next_second_ms(show->start_ms, now_ms);
	uint64_t age_ms = next_second_ms(status->sampled_ms, now_ms);
	uint64_t details_ms = next_second_ms(status->details_ms, now_ms);

	if (status->sequence && age_ms < next_ms)
		next_ms = age_ms;
	return status->details_ms && details_ms < next_ms ? details_ms : next_ms;
}

static const struct pb_image *look(const struct show *show, struct face *face, uint64_t now_ms)
{
	struct pb_battery *data = &face->source->data;
	bool old = source_is_old(face->source, now_ms); /* may bring news */

	if (face->news == face->source->news && now_ms < face->until_ms)
		return pb_unit_image_get(face->image);
	show_clock(show, face->source, now_ms);
	if (face->news != face->source->news || old != face->old)
		pb_unit_image_encode(face->image, data, old);
	else
		pb_unit_image_refresh(face->image, data);
	pb_unit_image_describe(face->image, exception_status(data, old), data->name,
			       data->protocol);
	face->news = face->source->news;
	face->old = old;
	face->until_ms = next_change_ms(show, &data->status, now_ms);
	return pb_unit_image_get(face->image);
}

/* Nothing that can be written changes anything but itself, so it is only told. */
static enum pb_exception log_writes(void *userdata, const struct pb_map *map,
				    const struct pb_write *writes, size_t count)
{
	const struct face *face = userdata;

	for (size_t i = 0; i < count; i++)
		pb_log(PB_LOG_DEBUG, "%s: %s %u of map %s is written: %lld",
		       face->source->data.name,
		       writes[i].table == PB_TABLE_COIL ? "coil" : "register", writes[i].addr,
		       pb_map_name(map), (long long)writes[i].value);
	return PB_EXCEPTION_NONE;
}

int show_face(struct show *show, struct source *source, const struct pb_map *map, struct face **ret)
{
	struct face *face;
	int r;

	for (face = show->faces; face; face = face->next) {
		if (face->source == source && face->map == map) {
			*ret = face;
			return 0;
		}
	}
	face = calloc(1, sizeof(*face));
	if (!face)
		return -ENOMEM;
	r = pb_unit_image_new(&face->image, map);
	if (r < 0) {
		free(face);
		return r;
	}
	pb_unit_image_on_write(face->image, log_writes, face);
	face->source = source;
	face->map = map;
	face->news = source->news - 1; /* not encoded yet */
	face->next = show->faces;
	show->faces = face;
	*ret = face;
	return 0;
}

void show_take_writes(struct show *show, const struct show *before)
{
	for (struct face *face = show->faces; face; face = face->next)
		for (const struct face *old = before->faces; old; old = old->next)
			if (strcmp(face->source->data.name, old->source->data.name) == 0 &&
			    strcmp(pb_map_name(face->map), pb_map_name(old->map)) == 0)
				pb_unit_image_keep_writes(face->image, old->image);
}

void show_clear(struct show *show)
{
	while (show->faces) {
		struct face *face = show->faces;

		show->faces = face->next;
		pb_unit_image_free(face->image);
		free(face);
	}
	pb_unit_image_free(show->gateway_image);
	fleet_clear(&show->fleet);
}

/* ---- the gateway ---- */

static void count_packs(struct show *show, uint64_t now_ms)
{
	struct pb_gateway *gateway = &show->gateway;

	gateway->online = gateway->stale = gateway->warnings = gateway->alarms = 0;
	for (size_t i = 0; i < show->fleet.pack_count; i++) {
		struct source *pack = &show->fleet.sources[i];

		if (source_is_old(pack, now_ms))
			gateway->stale++;
		else
			gateway->online++;
		gateway->warnings += pack->data.alarms.severity >= PB_LEVEL_WARNING;
		gateway->alarms += pack->data.alarms.severity == PB_LEVEL_ALARM;
	}
}

const struct pb_gateway *show_gateway(struct show *show, uint64_t now_ms)
{
	struct pb_gateway *gateway = &show->gateway;

	gateway->uptime_s = (uint32_t)((now_ms - show->start_ms) / 1000);
	gateway->heartbeat = heartbeat(show, now_ms);
	count_packs(show, now_ms);
	show->count(show->userdata, gateway);
	return gateway;
}

static void list_units(const struct view *view, struct pb_gateway *gateway, uint64_t now_ms)
{
	for (size_t id = 0; id < PB_ARRAY_SIZE(view->by_id); id++) {
		const struct face *face = view->by_id[id];

		gateway->unit_status[id] =
			face ? (uint16_t)(source_quality(face->source, now_ms) + 1) : 0;
	}
}

static const struct pb_image *look_at_gateway(const struct view *view, uint64_t now_ms)
{
	struct show *show = view->show;
	struct pb_gateway *gateway = &show->gateway;

	/* a burst of requests is one look */
	if (now_ms == show->gateway_ms && view == show->gateway_view)
		return pb_unit_image_get(show->gateway_image);
	show->gateway_ms = now_ms;
	show->gateway_view = view;
	show_gateway(show, now_ms);
	list_units(view, gateway, now_ms);
	pb_unit_image_encode(show->gateway_image, gateway, false);
	return pb_unit_image_get(show->gateway_image);
}

const struct pb_image *view_unit(void *userdata, uint8_t id, uint64_t now_ms)
{
	const struct view *view = userdata;

	/* clients without a unit id send 0 or 255; both mean the gateway itself */
	if (id == 0 || id == 255)
		return look_at_gateway(view, now_ms);
	if (id > PB_UNITS_MAX || !view->by_id[id])
		return NULL;
	return look(view->show, view->by_id[id], now_ms);
}
