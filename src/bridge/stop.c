/* SPDX-License-Identifier: MIT */
/*
 * Before the end: switches that packbridge opened are closed again, if the configuration wants that
 * (`lease_end: release`) and the packs can be reached. It takes a command and a reading, so the
 * loop runs on meanwhile: a few seconds at the most. Who still asks for something is refused.
 */
#include "parts.h"

#include <stdio.h>
#include <string.h>

enum {
	STOP_MAX_MS = 5000, /* systemd waits 90 s before it kills */
	STOP_LOOK_MS = 20,
};

static void note_held(const struct site *site)
{
	for (size_t i = 0; i < site->config->pack_count; i++) {
		const struct pb_pack_config *pack = &site->config->packs[i];
		struct pb_log_about about = {.pack = pack->name, .unit = pack->unit};

		if (pb_plant_holds(site->plant, i))
			pb_log_about(PB_LOG_WARNING, &about,
				     "pack %s: a switch that packbridge opened stays open after "
				     "the end (%s)",
				     pack->name,
				     pack->control.lease_end == PB_LEASE_KEEP
					     ? "lease_end: keep"
					     : "it could not be closed in time");
	}
}

static int on_look(sd_event_source *timer, uint64_t usec, void *userdata)
{
	struct pb_bridge *bridge = userdata;

	if (site_is_closing(bridge->site) && pb_now_ms() < bridge->stop_ms) {
		sd_event_source_set_time(timer, usec + UINT64_C(1000) * STOP_LOOK_MS);
		return sd_event_source_set_enabled(timer, SD_EVENT_ONESHOT);
	}
	note_held(bridge->site);
	return sd_event_exit(bridge->event, 0);
}

bool pb_bridge_stop(struct pb_bridge *bridge)
{
	uint64_t now_ms = pb_now_ms();

	if (bridge->stop_ms) /* asked again: nobody wants to wait */
		return false;
	bridge->stop_ms = now_ms + STOP_MAX_MS;
	site_let_go(bridge->site);
	if (site_is_closing(bridge->site) &&
	    sd_event_add_time(bridge->event, &bridge->stop, CLOCK_BOOTTIME,
			      1000 * (now_ms + STOP_LOOK_MS), 1000, on_look, bridge) >= 0) {
		pb_log(PB_LOG_INFO, "before the end, switches that packbridge opened are closed");
		return true;
	}
	note_held(bridge->site);
	return false;
}
