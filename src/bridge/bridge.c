/* SPDX-License-Identifier: MIT */
/*
 * Packs, their units and the listeners. A reading is copied into its unit when it comes and
 * encoded when a client asks; whether it is old is decided at the request, by the clock, so that
 * no late timer can show an old value as live.
 */
#include "packbridge/bridge.h"
#include "packbridge/pack.h"
#include "packbridge/server.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define GATEWAY_MAP "packbridge-gateway"

struct unit {
	struct pb_bridge *bridge;
	struct pb_pack *pack;
	struct pb_unit_image *image;
	struct pb_pack_data data;
	bool dirty; /* data is newer than the image */
	bool old;   /* as the image shows it */
};

struct pb_bridge {
	const struct pb_config *config;
	struct pb_bluez *bluez;
	struct pb_adapter_limit *limits;
	uint64_t start_ms;
	struct unit *units; /* one for each pack of the configuration */
	struct unit *by_id[PB_UNITS_MAX + 1];
	struct pb_gateway gateway;
	struct pb_identity identity;
	struct pb_server_backend backend;
	struct pb_unit_image *gateway_image;
	uint64_t gateway_ms;	    /* when the image was made */
	struct pb_server **servers; /* one for each listener: this */
	struct pb_line **lines;	    /* or this, the other is NULL */
	struct pb_control *control;
};

/* 1..65535 and again from 1: 0 would look like "nobody there" */
static uint16_t heartbeat(const struct pb_bridge *bridge, uint64_t now_ms)
{
	return (uint16_t)((now_ms - bridge->start_ms) / 1000 % 65535 + 1);
}

static bool reported(const struct pb_sample *sample, int what)
{
	return (sample->has & PB_HAS(what)) != 0;
}

/* The eight bits of function 7: old, protection, warning, charging blocked, discharging blocked. */
static uint8_t exception_status(const struct pb_sample *sample, bool old)
{
	unsigned int bits = 0;

	if (old)
		return 1;
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

static const struct pb_image *show_pack(struct unit *unit, uint64_t now_ms)
{
	struct pb_pack_data *data = &unit->data;
	bool old = pb_status_is_old(&data->status, now_ms);
	uint16_t age_s = pb_status_age_s(&data->status, now_ms);
	uint16_t beat = heartbeat(unit->bridge, now_ms);

	if (unit->dirty || old != unit->old || age_s != data->age_s || beat != data->heartbeat) {
		data->status.quality = pb_status_quality(&data->status, now_ms);
		data->age_s = age_s;
		data->heartbeat = beat;
		if (unit->dirty || old != unit->old)
			pb_unit_image_encode(unit->image, data, old);
		else
			pb_unit_image_refresh(unit->image, data);
		unit->dirty = false;
		unit->old = old;
		pb_unit_image_describe(unit->image, exception_status(&data->sample, old),
				       data->name, data->protocol);
	}
	return pb_unit_image_get(unit->image);
}

static void count_clients(struct pb_bridge *bridge)
{
	struct pb_gateway *gateway = &bridge->gateway;

	gateway->clients = gateway->requests = gateway->exceptions = 0;
	gateway->malformed = gateway->evicted = 0;
	for (size_t i = 0; i < bridge->config->listen_count; i++) {
		struct pb_server_stats stats;

		if (bridge->lines[i])
			pb_line_stats(bridge->lines[i], &stats);
		else
			pb_server_stats(bridge->servers[i], &stats);
		gateway->clients += stats.clients;
		gateway->requests += stats.requests;
		gateway->exceptions += stats.exceptions;
		gateway->malformed += stats.malformed;
		gateway->evicted += stats.evicted;
	}
}

static void count_packs(struct pb_bridge *bridge, uint64_t now_ms)
{
	struct pb_gateway *gateway = &bridge->gateway;

	gateway->online = gateway->stale = 0;
	for (size_t i = 0; i < bridge->config->pack_count; i++) {
		enum pb_quality quality = pb_status_quality(&bridge->units[i].data.status, now_ms);

		if (quality == PB_QUALITY_GOOD)
			gateway->online++;
		else
			gateway->stale++;
		gateway->unit_status[bridge->config->packs[i].unit] = (uint16_t)(quality + 1);
	}
}

static const struct pb_image *show_gateway(struct pb_bridge *bridge, uint64_t now_ms)
{
	struct pb_gateway *gateway = &bridge->gateway;

	if (now_ms == bridge->gateway_ms) /* a burst of requests is one look */
		return pb_unit_image_get(bridge->gateway_image);
	bridge->gateway_ms = now_ms;
	gateway->uptime_s = (uint32_t)((now_ms - bridge->start_ms) / 1000);
	gateway->heartbeat = heartbeat(bridge, now_ms);
	count_packs(bridge, now_ms);
	count_clients(bridge);
	pb_unit_image_encode(bridge->gateway_image, gateway, false);
	return pb_unit_image_get(bridge->gateway_image);
}

static const struct pb_image *show_unit(void *userdata, uint8_t id, uint64_t now_ms)
{
	struct pb_bridge *bridge = userdata;

	/* clients without a unit id send 0 or 255; both mean the gateway itself */
	if (id == 0 || id == 255)
		return show_gateway(bridge, now_ms);
	if (id > PB_UNITS_MAX || !bridge->by_id[id])
		return NULL;
	return show_pack(bridge->by_id[id], now_ms);
}

static void pack_changed(void *userdata, const struct pb_sample *sample,
			 const struct pb_status *status, bool new_reading)
{
	struct unit *unit = userdata;

	if (new_reading)
		unit->data.sample = *sample;
	unit->data.status = *status;
	if (new_reading) /* `protocol: auto` knows by now */
		snprintf(unit->data.protocol, sizeof(unit->data.protocol), "%s",
			 pb_pack_session(unit->pack)->codec->name);
	unit->dirty = true;
}

static const struct pb_pack_handler pack_handler = {.changed = pack_changed};

static void mark_error(struct pb_report *report, const struct pb_config *config,
		       struct pb_mark mark, const char *text)
{
	pb_report_add(report, config->file, mark.line, mark.col, "%s", text);
}

static void no_map(struct pb_maps *maps, const char *name, char *out, size_t cap)
{
	char **names = NULL;
	const char *near = NULL;

	if (pb_maps_names(maps, &names) == 0)
		near = pb_nearest(name, (const char *const *)names);
	if (near)
		snprintf(out, cap, "no map '%s', expected '%s' perhaps", name, near);
	else
		snprintf(out, cap, "no map '%s', expected one that `packbridge map list` shows",
			 name);
	pb_maps_names_free(names);
}

static void check_map(const struct pb_config *config, struct pb_mark mark, const char *name,
		      enum pb_scope scope, struct pb_maps *maps, struct pb_report *report)
{
	const struct pb_map *map;
	size_t before = report->count;
	int r = pb_maps_get(maps, name, &map, report);
	char text[160];

	if (r == -ENOENT) {
		no_map(maps, name, text, sizeof(text));
		mark_error(report, config, mark, text);
	} else if (r < 0 && report->count == before) {
		snprintf(text, sizeof(text), "map '%s' can't be loaded: %s", name, strerror(-r));
		mark_error(report, config, mark, text);
	} else if (r == 0 && pb_map_scope(map) != scope) {
		snprintf(text, sizeof(text), "map '%s' shows a %s, expected one that shows a %s",
			 name, pb_scope_name(pb_map_scope(map)), pb_scope_name(scope));
		mark_error(report, config, mark, text);
	}
}

static void check_pack(const struct pb_config *config, const struct pb_pack_config *pack,
		       struct pb_maps *maps, struct pb_report *report)
{
	struct pb_link_setup setup = {0};
	const struct pb_link_type *type;
	char why[512];

	type = pb_link_find(pack->link, &setup.address, why, sizeof(why));
	if (!type || type->create(NULL, &setup, why, sizeof(why)) < 0)
		mark_error(report, config, pack->link_mark, why);
	if (!pb_codec_find(pack->protocol) && strcmp(pack->protocol, PB_PROTOCOL_AUTO) != 0) {
		snprintf(why, sizeof(why), "no protocol '%s', expected jbd or auto",
			 pack->protocol);
		mark_error(report, config, pack->protocol_mark, why);
	}
	check_map(config, pack->map_mark, pack->map, PB_SCOPE_PACK, maps, report);
}

static void line_config(const struct pb_listen_config *listen, struct pb_line_config *ret)
{
	*ret = (struct pb_line_config){
		.serial = {.baud = listen->baud,
			   .parity = "NEO"[listen->parity],
			   .data_bits = (uint8_t)listen->data_bits,
			   .stop_bits = (uint8_t)listen->stop_bits,
			   .rs485 = listen->rs485},
		.gap_ms = listen->gap_ms,
		.reply_delay_ms = listen->reply_delay_ms,
		.echo = listen->echo,
	};
	snprintf(ret->serial.device, sizeof(ret->serial.device), "%.*s", PB_SERIAL_DEVICE - 1,
		 listen->rtu);
}

static int check_line(const struct pb_listen_config *listen, char *why, size_t why_cap)
{
	struct pb_line_config config;

	line_config(listen, &config);
	return pb_serial_check(&config.serial, why, why_cap);
}

int pb_bridge_check(const struct pb_config *config, struct pb_maps *maps, struct pb_report *report)
{
	char why[512];

	for (size_t i = 0; i < config->pack_count; i++)
		check_pack(config, &config->packs[i], maps, report);
	check_map(config, (struct pb_mark){0}, GATEWAY_MAP, PB_SCOPE_GATEWAY, maps, report);
	for (size_t i = 0; i < config->listen_count; i++) {
		const struct pb_listen_config *listen = &config->listens[i];

		if ((listen->rtu[0] ? check_line(listen, why, sizeof(why))
				    : pb_server_tcp_check(listen->tcp, why, sizeof(why))) < 0)
			mark_error(report, config, listen->mark, why);
		for (size_t n = 0; n < listen->allow_count; n++)
			if (pb_server_allow_check(listen->allow[n], why, sizeof(why)) < 0)
				mark_error(report, config, listen->mark, why);
	}
	return report->count ? -EINVAL : 0;
}

/* FNV-1a: packs get their own jitter, and the same one at each start */
static uint64_t seed_of(const char *name)
{
	uint64_t hash = UINT64_C(0xCBF29CE484222325);

	for (; *name; name++)
		hash = (hash ^ (uint8_t)*name) * UINT64_C(0x100000001B3);
	return hash;
}

static int make_unit(struct pb_bridge *bridge, size_t index, sd_event *event, struct pb_maps *maps,
		     struct pb_report *report)
{
	const struct pb_pack_config *pack = &bridge->config->packs[index];
	struct unit *unit = &bridge->units[index];
	struct pb_session_config session = {
		.poll_ms = pack->poll_ms,
		.gap_ms = pack->gap_ms,
		.settle_ms = pack->settle_ms,
		.reply_timeout_ms = pack->reply_timeout_ms,
		.tries = pack->tries,
		.connect_timeout_ms = pack->connect_timeout_ms,
		.stale_after_s = pack->stale_after_s,
		.stale_fixed = pack->stale_fixed,
		.seed = seed_of(pack->name),
	};
	struct pb_link_setup link = {
		.event = event,
		.bluez = bridge->bluez,
		.name = pack->name,
		.limit_ms = pack->connect_timeout_ms,
		.passkey = pack->passkey,
	};
	const struct pb_link_type *type;
	const struct pb_map *map;
	char why[512];
	int r;

	pb_session_protocol(&session, pack->protocol);
	snprintf(session.password, sizeof(session.password), "%s", pack->password);
	unit->bridge = bridge;
	unit->dirty = true;
	unit->data.status.stale_after_s = pack->stale_after_s;
	snprintf(unit->data.name, sizeof(unit->data.name), "%s", pack->name);
	snprintf(unit->data.protocol, sizeof(unit->data.protocol), "%.15s", pack->protocol);
	bridge->by_id[pack->unit] = unit;

	r = pb_maps_get(maps, pack->map, &map, report);
	if (r == 0)
		r = pb_unit_image_new(&unit->image, map);
	if (r < 0)
		return r;
	type = pb_link_find(pack->link, &link.address, why, sizeof(why));
	return pb_pack_new(&unit->pack, &session, type, &link, &pack_handler, unit);
}

static int make_gateway(struct pb_bridge *bridge, struct pb_maps *maps, const char *version,
			struct pb_report *report)
{
	const struct pb_map *map;
	int r = pb_maps_get(maps, GATEWAY_MAP, &map, report);

	if (r < 0)
		return r;
	snprintf(bridge->gateway.product, sizeof(bridge->gateway.product), "packbridge");
	snprintf(bridge->gateway.version, sizeof(bridge->gateway.version), "%s", version);
	bridge->gateway.packs = (int32_t)bridge->config->pack_count;
	bridge->identity = (struct pb_identity){
		.vendor = "packbridge",
		.product = "packbridge",
		.revision = bridge->gateway.version,
		.product_name = "packbridge, battery packs as Modbus units",
	};
	bridge->backend =
		(struct pb_server_backend){.identity = &bridge->identity, .unit = show_unit};
	r = pb_unit_image_new(&bridge->gateway_image, map);
	if (r >= 0)
		pb_unit_image_describe(bridge->gateway_image, 0, "gateway", NULL);
	return r;
}

static int make_server(struct pb_bridge *bridge, size_t index, sd_event *event,
		       struct pb_report *report)
{
	const struct pb_listen_config *listen = &bridge->config->listens[index];
	struct pb_server_config tcp = {
		.address = listen->tcp,
		.max_clients = listen->max_clients,
		.frame_timeout_ms = listen->frame_timeout_ms,
		.idle_timeout_ms = 1000 * listen->idle_timeout_s,
		.allow = (const char *const *)listen->allow,
		.allow_count = listen->allow_count,
	};
	struct pb_line_config line;
	char why[512];
	int r;

	line_config(listen, &line);
	if (listen->rtu[0])
		r = pb_line_new(&bridge->lines[index], event, &line, &bridge->backend, bridge, why,
				sizeof(why));
	else
		r = pb_server_tcp_new(&bridge->servers[index], event, &tcp, &bridge->backend,
				      bridge, why, sizeof(why));
	if (r < 0)
		mark_error(report, bridge->config, listen->mark, why);
	return r;
}

static int make_bluez(struct pb_bridge *bridge, sd_event *event)
{
	const struct pb_bluetooth_config *bluetooth = &bridge->config->bluetooth;
	struct pb_bluez_config config = {
		.max_connections = bluetooth->max_connections,
		.power_cycle_after = bluetooth->power_cycle_after,
		.acquire = bluetooth->acquire,
		.limit_count = bluetooth->adapter_count,
	};

	bridge->limits = calloc(bluetooth->adapter_count + 1, sizeof(*bridge->limits));
	if (!bridge->limits)
		return -ENOMEM;
	for (size_t i = 0; i < bluetooth->adapter_count; i++) {
		struct pb_adapter_limit *limit = &bridge->limits[i];

		snprintf(limit->adapter, sizeof(limit->adapter), "%s", bluetooth->adapters[i].name);
		limit->max_connections = bluetooth->adapters[i].max_connections;
	}
	config.limits = bridge->limits;
	return pb_bluez_new(&bridge->bluez, event, &config);
}

/* "release PACK SECONDS", "take PACK" */
static void command(void *userdata, const char *line, char *answer, size_t cap)
{
	struct pb_bridge *bridge = userdata;
	char word[16] = "", pack[PB_CONFIG_NAME] = "", extra[2] = "";
	unsigned int seconds = 0;
	int count = sscanf(line, "%15s %31s %u %1s", word, pack, &seconds, extra);
	bool take = strcmp(word, "take") == 0 && count == 2;
	bool release = strcmp(word, "release") == 0 && count == 3;

	if (!take && !release)
		snprintf(answer, cap, "error: expected 'release PACK SECONDS' or 'take PACK'");
	else if (release && (seconds < 1 || seconds > PB_RELEASE_MAX_S))
		snprintf(answer, cap, "error: %u s, expected 1 to %d", seconds, PB_RELEASE_MAX_S);
	else if (pb_bridge_release(bridge, pack, seconds * 1000) < 0)
		snprintf(answer, cap, "error: there is no pack '%s'", pack);
	else if (take)
		snprintf(answer, cap, "ok: connecting to %s", pack);
	else
		snprintf(answer, cap, "ok: %s is free for %u min %u s", pack, seconds / 60,
			 seconds % 60);
}

static const struct pb_control_backend control_backend = {.command = command};

static int make_control(struct pb_bridge *bridge, sd_event *event, struct pb_report *report)
{
	const struct pb_config *config = bridge->config;
	char why[PB_CONFIG_LINK + 64];
	int r = pb_control_new(&bridge->control, event, config->control, &control_backend, bridge);

	if (r >= 0)
		return 0;
	snprintf(why, sizeof(why), "control socket %s: %s", config->control, strerror(-r));
	if (config->control_fixed) {
		mark_error(report, config, config->control_mark, why);
		return r;
	}
	/* nobody asked for it: the usual place needs a folder that only an installed unit has */
	pb_log(r == -ENOENT || r == -EACCES ? PB_LOG_DEBUG : PB_LOG_WARNING, "%s", why);
	return 0;
}

static int make_all(struct pb_bridge *bridge, sd_event *event, struct pb_maps *maps,
		    const char *version, struct pb_report *report)
{
	const struct pb_config *config = bridge->config;
	int r;

	bridge->units = calloc(config->pack_count, sizeof(*bridge->units));
	bridge->servers = calloc(config->listen_count, sizeof(*bridge->servers));
	bridge->lines = calloc(config->listen_count, sizeof(struct pb_line *));
	if (!bridge->units || !bridge->servers || !bridge->lines)
		return -ENOMEM;
	r = make_bluez(bridge, event);
	if (r >= 0)
		r = make_gateway(bridge, maps, version, report);
	for (size_t i = 0; r >= 0 && i < config->pack_count; i++)
		r = make_unit(bridge, i, event, maps, report);
	if (r < 0)
		return r;
	r = make_control(bridge, event, report);
	/* all listeners are tried, so that every one in use is said in one go */
	for (size_t i = 0; i < config->listen_count; i++)
		if (make_server(bridge, i, event, report) < 0)
			r = -EADDRINUSE;
	return r;
}

int pb_bridge_new(struct pb_bridge **ret, sd_event *event, const struct pb_config *config,
		  struct pb_maps *maps, const char *version, struct pb_report *report)
{
	PB_CLEANUP(pb_bridge_freep) struct pb_bridge *bridge = NULL;
	int r = pb_bridge_check(config, maps, report);

	if (r < 0)
		return r;
	bridge = calloc(1, sizeof(*bridge));
	if (!bridge)
		return -ENOMEM;
	bridge->config = config;
	bridge->start_ms = pb_now_ms();
	r = make_all(bridge, event, maps, version, report);
	if (r < 0)
		return r;
	*ret = bridge;
	bridge = NULL;
	return 0;
}

int pb_bridge_start(struct pb_bridge *bridge)
{
	int r = 0;

	for (size_t i = 0; r >= 0 && i < bridge->config->pack_count; i++)
		r = pb_pack_start(bridge->units[i].pack);
	return r;
}

struct pb_bridge *pb_bridge_free(struct pb_bridge *bridge)
{
	if (!bridge)
		return NULL;
	pb_control_free(bridge->control);
	for (size_t i = 0; bridge->servers && i < bridge->config->listen_count; i++)
		pb_server_free(bridge->servers[i]);
	for (size_t i = 0; bridge->lines && i < bridge->config->listen_count; i++)
		pb_line_free(bridge->lines[i]);
	for (size_t i = 0; bridge->units && i < bridge->config->pack_count; i++) {
		pb_pack_free(bridge->units[i].pack);
		pb_unit_image_free(bridge->units[i].image);
	}
	pb_unit_image_free(bridge->gateway_image);
	pb_bluez_free(bridge->bluez);
	free(bridge->limits);
	free(bridge->servers);
	free(bridge->lines);
	free(bridge->units);
	free(bridge);
	return NULL;
}

int pb_bridge_release(struct pb_bridge *bridge, const char *pack, uint32_t ms)
{
	for (size_t i = 0; i < bridge->config->pack_count; i++) {
		if (strcmp(bridge->config->packs[i].name, pack) != 0)
			continue;
		pb_pack_release(bridge->units[i].pack, ms);
		return 0;
	}
	return -ENOENT;
}

uint16_t pb_bridge_port(const struct pb_bridge *bridge, size_t index)
{
	return bridge->servers[index] ? pb_server_port(bridge->servers[index]) : 0;
}
