/* SPDX-License-Identifier: MIT */
/*
 * The wiring: all that one configuration makes, and who owns it.
 *
 *   bridge -- configuration, maps         read by cli, owned here
 *          -- site: packs, banks, units   made of them (site.c)
 *          -- listeners                   show the site's units (listeners.c)
 *          -- doors: control and status socket, the page (doors.c, command.c)
 *          -- hub, Bluetooth client       stay through each reload (reload.c)
 */
#include "parts.h"

#include "packbridge/events.h"
#include "packbridge/pack.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

static void count_clients(void *userdata, struct pb_gateway *gateway)
{
	struct pb_bridge *bridge = userdata;

	gateway->clients = gateway->requests = gateway->exceptions = 0;
	gateway->malformed = gateway->evicted = gateway->refused = gateway->timeouts = 0;
	gateway->log_left_out = pb_log_left_out();
	for (size_t i = 0; i < bridge->site->config->listen_count; i++) {
		struct pb_server_stats stats;

		listener_stats(&bridge->listeners.all[i], &stats);
		if (bridge->site->config->listens[i].kind != PB_LISTEN_RTU)
			gateway->clients += stats.clients;
		gateway->requests += stats.requests;
		gateway->exceptions += stats.exceptions;
		gateway->malformed += stats.malformed;
		gateway->evicted += stats.evicted;
		gateway->refused += stats.refused;
		gateway->timeouts += stats.timeouts;
	}
}

static void keep_former(void *userdata, const char *pack, const struct pb_history_state *former)
{
	const struct pb_bridge *bridge = userdata;

	recorder_former(bridge->recorder, pack, former);
}

/* @userdata: a unit table. */
static bool bridge_owns(void *userdata, uint8_t unit)
{
	return pb_plant_owns(userdata, unit);
}

static const struct pb_image *bridge_image(void *userdata, const struct pb_peer *peer, uint8_t unit,
					   uint64_t now_ms)
{
	(void)peer; /* everybody may read all units */
	return pb_plant_image(userdata, unit, now_ms);
}

/* ---- Bluetooth ---- */

int bridge_adapter_limits(const struct pb_config *config, struct pb_adapter_limit **ret)
{
	const struct pb_bluetooth_config *bluetooth = &config->bluetooth;
	struct pb_adapter_limit *limits = calloc(bluetooth->adapter_count + 1, sizeof(*limits));

	if (!limits)
		return -ENOMEM;
	for (size_t i = 0; i < bluetooth->adapter_count; i++) {
		snprintf(limits[i].adapter, sizeof(limits[i].adapter), "%s",
			 bluetooth->adapters[i].name);
		limits[i].max_connections = bluetooth->adapters[i].max_connections;
	}
	*ret = limits;
	return 0;
}

struct pb_bluez_config bridge_bluez_config(const struct pb_config *config,
					   const struct pb_adapter_limit *limits)
{
	const struct pb_bluetooth_config *bluetooth = &config->bluetooth;

	return (struct pb_bluez_config){
		.max_connections = bluetooth->max_connections,
		.power_cycle_after = bluetooth->power_cycle_after,
		.acquire = bluetooth->acquire,
		.limit_count = bluetooth->adapter_count,
		.limits = limits,
	};
}

/* ---- life ---- */

struct site_setup bridge_site_setup(struct pb_bridge *bridge, const struct pb_config *config,
				    struct pb_maps *maps)
{
	return (struct site_setup){
		.event = bridge->event,
		.bluez = bridge->bluez,
		.config = config,
		.maps = maps,
		.version = bridge->version,
		.start_ms = bridge->start_ms,
		.events = bridge->events,
		.count = count_clients,
		.replaced = keep_former,
		.userdata = bridge,
	};
}

struct listeners_setup bridge_listeners_setup(const struct pb_bridge *bridge)
{
	return (struct listeners_setup){bridge->event, bridge->hub, &bridge->backend};
}

static int make_all(struct pb_bridge *bridge, const struct pb_config *config, struct pb_maps *maps,
		    struct pb_report *report)
{
	struct listeners_setup listeners = bridge_listeners_setup(bridge);
	struct pb_bluez_config bluez;
	struct site_setup site;
	int r = pb_hub_new(&bridge->hub, bridge->event);

	if (r >= 0)
		r = pb_events_new(&bridge->events);
	if (r >= 0)
		r = doors_init(bridge);
	if (r >= 0)
		r = bridge_adapter_limits(config, &bridge->limits);
	if (r < 0)
		return r;
	bluez = bridge_bluez_config(config, bridge->limits);
	r = pb_bluez_new(&bridge->bluez, bridge->event, &bluez);
	if (r < 0)
		return r;
	listeners.hub = bridge->hub;
	site = bridge_site_setup(bridge, config, maps);
	r = site_new(&bridge->site, &site, NULL, report);
	if (r < 0)
		return r;
	site_take(bridge->site, NULL);
	for (int i = 0; r >= 0 && i < PB_SOCKETS; i++)
		r = doors_open_socket(bridge, config, (enum pb_socket)i, &bridge->sockets[i],
				      report);
	if (listeners_prepare(&bridge->listeners, &listeners, bridge->site, NULL, report) < 0)
		return -EADDRINUSE;
	if (r >= 0)
		r = doors_open_page(bridge, config, &bridge->http, report);
	if (r >= 0)
		r = listeners_take(&bridge->listeners, &listeners, bridge->site, NULL, report);
	return r;
}

int pb_bridge_new(struct pb_bridge **ret, sd_event *event, struct pb_config *config,
		  struct pb_maps *maps, const char *version, struct pb_report *report)
{
	PB_CLEANUP(pb_bridge_freep) struct pb_bridge *bridge = calloc(1, sizeof(*bridge));
	int r;

	if (!bridge)
		return -ENOMEM;
	bridge->event = event;
	bridge->version = version;
	bridge->start_ms = pb_now_ms();
	bridge->identity = (struct pb_identity){
		.vendor = "packbridge",
		.product = "packbridge",
		.revision = version,
		.product_name = "packbridge, battery packs as Modbus units",
	};
	bridge->backend = (struct pb_server_backend){
		.identity = &bridge->identity, .owns = bridge_owns, .unit = bridge_image};
	r = make_all(bridge, config, maps, report);
	if (r < 0)
		return r;
	bridge->config = config;
	bridge->maps = maps;
	*ret = bridge;
	bridge = NULL;
	return 0;
}

const struct pb_config *pb_bridge_config(const struct pb_bridge *bridge)
{
	return bridge->config;
}

int pb_bridge_remember(struct pb_bridge *bridge)
{
	return recorder_new(&bridge->recorder, bridge->event, &bridge->site);
}

void pb_bridge_event(struct pb_bridge *bridge, enum pb_event_kind kind, enum pb_level level,
		     const char *text)
{
	struct pb_event event = {.kind = (uint8_t)kind, .level = (uint8_t)level};

	snprintf(event.text, sizeof(event.text), "%s", text);
	pb_events_add(bridge->events, &event, pb_now_ms());
}

int pb_bridge_start(struct pb_bridge *bridge)
{
	char text[PB_EVENT_TEXT_MAX];

	snprintf(text, sizeof(text), "packbridge %s starts", bridge->version);
	pb_bridge_event(bridge, PB_EVENT_START, PB_LEVEL_NONE, text);
	return site_start(bridge->site);
}

int pb_bridge_run(struct pb_bridge *bridge)
{
	return pb_hub_run(bridge->hub);
}

struct pb_bridge *pb_bridge_free(struct pb_bridge *bridge)
{
	if (!bridge)
		return NULL;
	recorder_free(bridge->recorder);
	sd_event_source_disable_unref(bridge->stop);
	doors_clear(bridge);
	listeners_clear(&bridge->listeners);
	pb_hub_free(bridge->hub);
	site_free(bridge->site);
	pb_events_free(bridge->events);
	pb_bluez_free(bridge->bluez);
	free(bridge->limits);
	pb_config_free(bridge->config);
	pb_maps_free(bridge->maps);
	free(bridge);
	return NULL;
}

int pb_bridge_release(struct pb_bridge *bridge, const char *pack, uint32_t ms)
{
	struct pb_reader *reader = site_reader(bridge->site, pack);

	if (!reader)
		return -ENOENT;
	reader->type->release(reader, ms);
	return 0;
}

bool pb_bridge_listener_is_new(const struct pb_bridge *bridge, size_t index)
{
	return !bridge->listeners.all[index].kept;
}

uint16_t pb_bridge_port(const struct pb_bridge *bridge, size_t index)
{
	const struct pb_server *server = bridge->listeners.all[index].server;

	return server ? pb_server_port(server) : 0;
}
