/* SPDX-License-Identifier: MIT */
#include "serve.h"

#include "packbridge/yaml.h"

#include <errno.h>
#include <malloc.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <systemd/sd-daemon.h>
#include <systemd/sd-event.h>

int pb_cli_event_new(sd_event **ret)
{
	static const int signals[] = {SIGTERM, SIGINT};
	sd_event *event = NULL;
	int r = sd_event_default(&event);

	/* without a handler of ours, sd-event ends its loop on the signal */
	for (size_t i = 0; r >= 0 && i < PB_ARRAY_SIZE(signals); i++)
		r = sd_event_add_signal(event, NULL, signals[i] | SD_EVENT_SIGNAL_PROCMASK, NULL,
					NULL);
	if (r >= 0)
		r = sd_event_set_watchdog(event, true);
	if (r < 0) {
		sd_event_unref(event);
		return r;
	}
	*ret = event;
	return 0;
}

static int serve(sd_event *event, const struct pb_config *config, struct pb_maps *maps,
		 void (*ready)(const struct pb_config *config, const struct pb_bridge *bridge))
{
	PB_CLEANUP(pb_bridge_freep) struct pb_bridge *bridge = NULL;
	struct pb_report report = {0};
	int r = pb_bridge_new(&bridge, event, config, maps, PB_VERSION, &report);

	pb_report_print(&report, stderr);
	if (r < 0 && report.count == 0)
		pb_log(PB_LOG_ERR, "can't start: %s", strerror(-r));
	pb_report_clear(&report);
	if (r < 0)
		return r;

	for (size_t i = 0; i < config->listen_count; i++)
		if (config->listens[i].kind != PB_LISTEN_RTU) /* a line says itself when it opens */
			pb_log(PB_LOG_INFO, "Modbus %s on %s, port %u",
			       config->listens[i].kind == PB_LISTEN_TCP ? "TCP" : "RTU over TCP",
			       config->listens[i].address, pb_bridge_port(bridge, i));
	if (ready)
		ready(config, bridge);
	malloc_trim(0); /* what files were parsed in is not needed again */
	r = pb_bridge_start(bridge);
	if (r >= 0) {
		sd_notify(false, "READY=1");
		r = pb_bridge_run(bridge);
	}
	sd_notify(false, "STOPPING=1");
	if (r < 0)
		pb_log(PB_LOG_ERR, "ended: %s", strerror(-r));
	return r;
}

int pb_cli_serve(const struct pb_config *config, struct pb_maps *maps,
		 void (*ready)(const struct pb_config *config, const struct pb_bridge *bridge))
{
	sd_event *event = NULL;
	int r;

	signal(SIGPIPE, SIG_IGN);
	r = pb_cli_event_new(&event);
	if (r < 0)
		pb_log(PB_LOG_ERR, "no event loop: %s", strerror(-r));
	else
		r = serve(event, config, maps, ready);
	sd_event_unref(event);
	return r < 0 ? EXIT_FAILURE : EXIT_SUCCESS;
}
