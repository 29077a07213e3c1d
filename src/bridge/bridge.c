/* SPDX-License-Identifier: MIT */
/*
 * The wiring: packs, what shows them, and the listeners.
 */
#include "packbridge/bridge.h"
#include "packbridge/pack.h"
#include "packbridge/server.h"
#include "view.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define GATEWAY_MAP "packbridge-gateway"

/** One of the two is there, the other NULL. */
struct listener {
	struct pb_server *server;
	struct pb_line *line;
};

struct pb_bridge {
	const struct pb_config *config;
	struct pb_bluez *bluez;
	struct pb_adapter_limit *limits;
	struct show show;
	struct view
		*views; /* the first shows each battery as its unit; then one for each listener */
	struct pb_identity identity;
	struct pb_server_backend backend;
	struct pb_hub *hub;
	struct listener *listeners; /* of the configuration, in their order */
	struct pb_control *control;
};

static void count_clients(void *userdata, struct pb_gateway *gateway)
{
	struct pb_bridge *bridge = userdata;

	gateway->clients = gateway->requests = gateway->exceptions = 0;
	gateway->malformed = gateway->evicted = gateway->refused = gateway->timeouts = 0;
	for (size_t i = 0; i < bridge->config->listen_count; i++) {
		struct pb_server_stats stats;

		pb_bridge_listener_stats(bridge, i, &stats);
		gateway->clients += stats.clients;
		gateway->requests += stats.requests;
		gateway->exceptions += stats.exceptions;
		gateway->malformed += stats.malformed;
		gateway->evicted += stats.evicted;
		gateway->refused += stats.refused;
		gateway->timeouts += stats.timeouts;
	}
}

static void pack_changed(void *userdata, const struct pb_sample *sample,
			 const struct pb_status *status, bool new_reading)
{
	struct source *source = userdata;
	struct pb_battery *data = &source->data;

	if (new_reading) /* `protocol: auto` knows by now */
		snprintf(data->protocol, sizeof(data->protocol), "%s",
			 pb_pack_session(source->pack)->codec->name);
	source_changed(source, sample, status, new_reading, pb_now_ms());
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
	bool battery = scope == PB_SCOPE_PACK || scope == PB_SCOPE_BANK;
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
	} else if (r == 0 && pb_map_scope(map) != scope &&
		   !(battery && pb_map_scope(map) == PB_SCOPE_BATTERY)) {
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
			   .rs485 = listen->rs485,
			   .rts_low = listen->rts == PB_RTS_LOW,
			   .rts_before_ms = listen->rts_before_ms,
			   .rts_after_ms = listen->rts_after_ms},
		.gap_ms = listen->gap_ms,
		.reply_delay_ms = listen->reply_delay_ms,
		.echo = listen->echo,
	};
	snprintf(ret->serial.device, sizeof(ret->serial.device), "%.*s", PB_SERIAL_DEVICE - 1,
		 listen->address);
}

static int check_line(const struct pb_listen_config *listen, char *why, size_t why_cap)
{
	struct pb_line_config config;

	line_config(listen, &config);
	return pb_serial_check(&config.serial, why, why_cap);
}

static void check_listen(const struct pb_config *config, const struct pb_listen_config *listen,
			 struct pb_maps *maps, struct pb_report *report)
{
	char why[512];

	if ((listen->kind == PB_LISTEN_RTU
		     ? check_line(listen, why, sizeof(why))
		     : pb_server_tcp_check(listen->address, why, sizeof(why))) < 0)
		mark_error(report, config, listen->mark, why);
	for (size_t i = 0; i < listen->allow_count; i++)
		if (pb_server_allow_check(listen->allow[i], why, sizeof(why)) < 0)
			mark_error(report, config, listen->mark, why);
	for (size_t i = 0; i < listen->unit_count; i++)
		check_map(config, listen->units[i].map_mark, listen->units[i].map,
			  listen->units[i].pack[0] ? PB_SCOPE_PACK : PB_SCOPE_BANK, maps, report);
}

int pb_bridge_check(const struct pb_config *config, struct pb_maps *maps, struct pb_report *report)
{
	for (size_t i = 0; i < config->pack_count; i++)
		check_pack(config, &config->packs[i], maps, report);
	for (size_t i = 0; i < config->bank_count; i++)
		check_map(config, config->banks[i].map_mark, config->banks[i].map, PB_SCOPE_BANK,
			  maps, report);
	check_map(config, (struct pb_mark){0}, GATEWAY_MAP, PB_SCOPE_GATEWAY, maps, report);
	for (size_t i = 0; i < config->listen_count; i++)
		check_listen(config, &config->listens[i], maps, report);
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

static int make_pack(struct pb_bridge *bridge, size_t index, sd_event *event)
{
	const struct pb_pack_config *pack = &bridge->config->packs[index];
	struct source *source = &bridge->show.fleet.sources[index];
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
	char why[512];

	pb_session_protocol(&session, pack->protocol);
	snprintf(session.password, sizeof(session.password), "%s", pack->password);
	type = pb_link_find(pack->link, &link.address, why, sizeof(why));
	return pb_pack_new(&source->pack, &session, type, &link, &pack_handler, source);
}

static int add_unit(struct pb_bridge *bridge, struct view *view, int32_t id, struct source *source,
		    const char *map_name, struct pb_maps *maps, struct pb_report *report)
{
	const struct pb_map *map;
	int r = pb_maps_get(maps, map_name, &map, report);

	return r < 0 ? r : show_face(&bridge->show, source, map, &view->by_id[id]);
}

static int make_views(struct pb_bridge *bridge, struct pb_maps *maps, struct pb_report *report)
{
	const struct pb_config *config = bridge->config;
	struct fleet *fleet = &bridge->show.fleet;
	int r = 0;

	for (size_t i = 0; i <= config->listen_count; i++)
		bridge->views[i].show = &bridge->show;
	for (size_t i = 0; r >= 0 && i < config->pack_count; i++)
		r = add_unit(bridge, &bridge->views[0], config->packs[i].unit, &fleet->sources[i],
			     config->packs[i].map, maps, report);
	for (size_t i = 0; r >= 0 && i < config->bank_count; i++)
		r = add_unit(bridge, &bridge->views[0], config->banks[i].unit, fleet_bank(fleet, i),
			     config->banks[i].map, maps, report);
	for (size_t i = 0; i < config->listen_count; i++) {
		const struct pb_listen_config *listen = &config->listens[i];

		for (size_t n = 0; r >= 0 && n < listen->unit_count; n++) {
			const struct pb_show_config *shown = &listen->units[n];

			r = add_unit(bridge, &bridge->views[i + 1], shown->unit,
				     shown->pack[0] ? &fleet->sources[shown->index]
						    : fleet_bank(fleet, shown->index),
				     shown->map, maps, report);
		}
	}
	return r;
}

static int make_gateway(struct pb_bridge *bridge, struct pb_maps *maps, const char *version,
			struct pb_report *report)
{
	struct pb_gateway *gateway = &bridge->show.gateway;
	const struct pb_map *map;
	int r = pb_maps_get(maps, GATEWAY_MAP, &map, report);

	if (r < 0)
		return r;
	snprintf(gateway->product, sizeof(gateway->product), "packbridge");
	snprintf(gateway->version, sizeof(gateway->version), "%s", version);
	gateway->packs = (int32_t)bridge->config->pack_count;
	gateway->banks = (int32_t)bridge->config->bank_count;
	bridge->identity = (struct pb_identity){
		.vendor = "packbridge",
		.product = "packbridge",
		.revision = gateway->version,
		.product_name = "packbridge, battery packs as Modbus units",
	};
	bridge->backend =
		(struct pb_server_backend){.identity = &bridge->identity, .unit = view_unit};
	r = pb_unit_image_new(&bridge->show.gateway_image, map);
	if (r >= 0)
		pb_unit_image_describe(bridge->show.gateway_image, 0, "gateway", NULL);
	return r;
}

static int make_server(struct pb_bridge *bridge, size_t index, sd_event *event,
		       struct pb_report *report)
{
	const struct pb_listen_config *listen = &bridge->config->listens[index];
	struct view *view = &bridge->views[listen->unit_count ? index + 1 : 0];
	struct pb_server_config socket = {
		.address = listen->address,
		.max_clients = listen->max_clients,
		.frame_timeout_ms = listen->frame_timeout_ms,
		.idle_timeout_ms = 1000 * listen->idle_timeout_s,
		.allow = (const char *const *)listen->allow,
		.allow_count = listen->allow_count,
		.rtu = listen->kind == PB_LISTEN_RTU_TCP,
		.gap_ms = listen->gap_ms,
	};
	struct pb_line_config line;
	char why[512];
	int r;

	line_config(listen, &line);
	if (listen->kind == PB_LISTEN_RTU)
		r = pb_line_new(&bridge->listeners[index].line, event, &line, &bridge->backend,
				view, why, sizeof(why));
	else
		r = pb_server_tcp_new(&bridge->listeners[index].server, bridge->hub, &socket,
				      &bridge->backend, view, why, sizeof(why));
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

static void reset_alarms(struct pb_bridge *bridge, const char *name, char *answer, size_t cap)
{
	if (fleet_reset_alarms(&bridge->show.fleet, name, pb_now_ms()) < 0)
		snprintf(answer, cap, "error: there is no pack or bank '%s'", name);
	else
		snprintf(answer, cap, "ok: alarms of %s that are over are forgotten",
			 *name ? name : "all packs and banks");
}

/* "release PACK SECONDS", "take PACK", "reset", "reset NAME" */
static void command(void *userdata, const char *line, char *answer, size_t cap)
{
	struct pb_bridge *bridge = userdata;
	char word[16] = "", pack[PB_CONFIG_NAME] = "", extra[2] = "";
	unsigned int seconds = 0;
	int count = sscanf(line, "%15s %31s %u %1s", word, pack, &seconds, extra);
	bool take = strcmp(word, "take") == 0 && count == 2;
	bool release = strcmp(word, "release") == 0 && count == 3;
	bool reset = strcmp(word, "reset") == 0 && (count == 1 || count == 2);

	if (reset)
		reset_alarms(bridge, pack, answer, cap);
	else if (!take && !release)
		snprintf(answer, cap,
			 "error: expected 'release PACK SECONDS', 'take PACK' or 'reset [NAME]'");
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

	bridge->views = calloc(config->listen_count + 1, sizeof(*bridge->views));
	bridge->listeners = calloc(config->listen_count, sizeof(*bridge->listeners));
	if (!bridge->views || !bridge->listeners)
		return -ENOMEM;
	r = fleet_init(&bridge->show.fleet, event, config, version);
	if (r >= 0)
		r = pb_hub_new(&bridge->hub, event);
	if (r >= 0)
		r = make_bluez(bridge, event);
	if (r >= 0)
		r = make_gateway(bridge, maps, version, report);
	for (size_t i = 0; r >= 0 && i < config->pack_count; i++)
		r = make_pack(bridge, i, event);
	if (r >= 0)
		r = make_views(bridge, maps, report);
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
	bridge->show.start_ms = pb_now_ms();
	bridge->show.count = count_clients;
	bridge->show.userdata = bridge;
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
		r = pb_pack_start(bridge->show.fleet.sources[i].pack);
	return r;
}

int pb_bridge_run(struct pb_bridge *bridge)
{
	return pb_hub_run(bridge->hub);
}

struct pb_bridge *pb_bridge_free(struct pb_bridge *bridge)
{
	if (!bridge)
		return NULL;
	pb_control_free(bridge->control);
	for (size_t i = 0; bridge->listeners && i < bridge->config->listen_count; i++) {
		pb_server_free(bridge->listeners[i].server);
		pb_line_free(bridge->listeners[i].line);
	}
	pb_hub_free(bridge->hub);
	show_clear(&bridge->show);
	pb_bluez_free(bridge->bluez);
	free(bridge->limits);
	free(bridge->listeners);
	free(bridge->views);
	free(bridge);
	return NULL;
}

int pb_bridge_release(struct pb_bridge *bridge, const char *pack, uint32_t ms)
{
	for (size_t i = 0; i < bridge->config->pack_count; i++) {
		if (strcmp(bridge->config->packs[i].name, pack) != 0)
			continue;
		pb_pack_release(bridge->show.fleet.sources[i].pack, ms);
		return 0;
	}
	return -ENOENT;
}

uint16_t pb_bridge_port(const struct pb_bridge *bridge, size_t index)
{
	const struct pb_server *server = bridge->listeners[index].server;

	return server ? pb_server_port(server) : 0;
}

void pb_bridge_listener_stats(const struct pb_bridge *bridge, size_t index,
			      struct pb_server_stats *ret)
{
	const struct listener *listener = &bridge->listeners[index];

	if (listener->line)
		pb_line_stats(listener->line, ret);
	else
		pb_server_stats(listener->server, ret);
}
