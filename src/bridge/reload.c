/* SPDX-License-Identifier: MIT */
/*
 * From one configuration to the next, wholly or not at all. ARCHITECTURE.md has the whole way; here
 * are the steps on the loop:
 *
 *   next_make()       what the new one needs is made beside what runs, which is not touched: the
 *                     site without the packs that stay the same, the sockets that are new
 *   next_make_room()  only when an address is in use: listeners and the page of ours that go stop
 *                     to listen, and next_make() is tried again; if it fails, they listen again
 *   go_over()         nothing can fail any more: packs that stay go over with all that is known
 *                     of them, listeners that stay keep their clients, the rest is freed
 */
#include "parts.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* What a reload makes before anything changes. */
struct next {
	struct pb_adapter_limit *limits;
	struct site *site;
	struct listeners listeners;
	bool moves[PB_SOCKETS],
		page_moves; /* sockets and http count; else the earlier ones go on */
	struct pb_ask_socket *sockets[PB_SOCKETS];
	struct pb_http *http;
};

static void next_clear(struct next *next)
{
	listeners_clear(&next->listeners);
	for (int i = 0; i < PB_SOCKETS; i++)
		pb_ask_socket_free(next->sockets[i]);
	pb_http_free(next->http);
	site_free(next->site);
	free(next->limits);
}

static int next_make_doors(struct pb_bridge *bridge, const struct pb_config *config,
			   struct next *next, struct pb_report *report)
{
	int r = 0;

	for (int i = 0; r >= 0 && i < PB_SOCKETS; i++) {
		next->moves[i] = doors_socket_moves(bridge, config, (enum pb_socket)i);
		if (next->moves[i])
			r = doors_open_socket(bridge, config, (enum pb_socket)i, &next->sockets[i],
					      report);
	}
	next->page_moves = doors_page_moves(bridge, config);
	if (r >= 0 && next->page_moves)
		r = doors_open_page(bridge, config, &next->http, report);
	return r;
}

static int next_make(struct pb_bridge *bridge, const struct pb_config *config, struct pb_maps *maps,
		     struct next *next, struct pb_report *report)
{
	struct listeners_setup listeners = bridge_listeners_setup(bridge);
	struct site_setup site = bridge_site_setup(bridge, config, maps);
	int r = bridge_adapter_limits(config, &next->limits);

	if (r >= 0)
		r = site_new(&next->site, &site, bridge->site, report);
	if (r >= 0)
		r = next_make_doors(bridge, config, next, report);
	if (r >= 0)
		r = listeners_prepare(&next->listeners, &listeners, next->site, &bridge->listeners,
				      report);
	return r;
}

/* From here on there is no way back. */
static void go_over(struct pb_bridge *bridge, struct next *next, struct pb_report *report)
{
	const struct pb_config *config = next->site->config;
	struct listeners_setup listeners = bridge_listeners_setup(bridge);
	struct pb_bluez_config bluez = bridge_bluez_config(config, next->limits);

	doors_restart(bridge);
	site_take(next->site, bridge->site);
	recorder_take(bridge->recorder, bridge->site, next->site);
	listeners_take(&next->listeners, &listeners, next->site, &bridge->listeners, report);
	bridge->listeners = next->listeners;
	site_free(bridge->site);
	bridge->site = next->site;
	recorder_apply(bridge->recorder);
	pb_bluez_configure(bridge->bluez, &bluez);
	free(bridge->limits);
	bridge->limits = next->limits;
	if (next->page_moves) {
		pb_http_free(bridge->http);
		bridge->http = next->http;
	} else {
		doors_configure_page(bridge, config);
	}
	for (int i = 0; i < PB_SOCKETS; i++)
		if (next->moves[i])
			doors_replace_socket(bridge, (enum pb_socket)i, next->sockets[i]);
}

/*
 * Once more, when an address is in use: perhaps by a listener or a page of ours that goes. These
 * make room first, and come back if that was not all.
 */
static int next_make_room(struct pb_bridge *bridge, const struct pb_config *config,
			  struct pb_maps *maps, struct next *next, struct pb_report *report)
{
	const struct pb_config *before = bridge->site->config;
	bool page_goes = bridge->http && doors_page_moves(bridge, config);
	int r = listeners_make_room(&bridge->listeners, config);

	if (r < 0 || (r == 0 && !page_goes))
		return -EADDRINUSE;
	if (page_goes)
		bridge->http = pb_http_free(bridge->http);
	pb_report_clear(report);
	next_clear(next);
	*next = (struct next){0};
	r = next_make(bridge, config, maps, next, report);
	if (r >= 0)
		return r;
	next_clear(next);
	*next = (struct next){0};
	listeners_return(&bridge->listeners, report);
	if (page_goes)
		doors_open_page(bridge, before, &bridge->http, report);
	return r;
}

int pb_bridge_reload(struct pb_bridge *bridge, struct pb_config *config, struct pb_maps *maps,
		     struct pb_report *report)
{
	struct next next = {0};
	int r = next_make(bridge, config, maps, &next, report);

	if (r == -EADDRINUSE)
		r = next_make_room(bridge, config, maps, &next, report);
	if (r < 0) {
		next_clear(&next);
		return r;
	}
	go_over(bridge, &next, report);
	pb_config_free(bridge->config);
	pb_maps_free(bridge->maps);
	bridge->config = config;
	bridge->maps = maps;
	r = site_start(bridge->site);
	if (r < 0) /* it is the configuration that runs by now, whatever becomes of it */
		pb_report_add(report, config->file, 0, 0, "a pack can't be started: %s",
			      strerror(-r));
	return 0;
}
