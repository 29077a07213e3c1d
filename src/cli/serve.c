/* SPDX-License-Identifier: MIT */
#include "serve.h"

#include "configfile.h"
#include "descriptors.h"
#include "journal.h"
#include "reload.h"
#include "warnings.h"

#include "packbridge/net.h"

#include <errno.h>
#include <malloc.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <systemd/sd-event.h>

int pb_cli_event_new(sd_event **ret, sd_event_signal_handler_t stop, void *userdata)
{
	static const int signals[] = {SIGTERM, SIGINT};
	sd_event *event = NULL;
	int r = sd_event_default(&event);

	/* without a handler of ours, sd-event ends its loop on the signal */
	for (size_t i = 0; r >= 0 && i < PB_ARRAY_SIZE(signals); i++)
		r = sd_event_add_signal(event, NULL, signals[i] | SD_EVENT_SIGNAL_PROCMASK, stop,
					userdata);
	if (r < 0) {
		sd_event_unref(event);
		return r;
	}
	*ret = event;
	return 0;
}

/* The port that the kernel chose for port 0. */
static void say_listener(const struct pb_listen_config *listen, uint16_t port)
{
	const char *kind = listen->kind == PB_LISTEN_TCP ? "TCP" : "RTU over TCP";
	struct pb_endpoint endpoint = {0};

	pb_endpoint_parse(&endpoint, listen->address, PB_ENDPOINT_LISTEN);
	if (endpoint.port == port)
		pb_log(PB_LOG_INFO, "Modbus %s on %s", kind, listen->address);
	else
		pb_log(PB_LOG_INFO, "Modbus %s on %s, port %u", kind, listen->address, port);
}

/*
 * Listeners that a reload did not change were logged before. A serial line logs itself when it
 * opens.
 */
static void say_listeners(const struct daemon *daemon)
{
	const struct pb_config *config = pb_bridge_config(daemon->bridge);

	for (size_t i = 0; i < config->listen_count; i++)
		if (config->listens[i].kind != PB_LISTEN_RTU &&
		    pb_bridge_listener_is_new(daemon->bridge, i))
			say_listener(&config->listens[i], pb_bridge_port(daemon->bridge, i));
}

/* ---- another configuration ---- */

static void warn(const char *text)
{
	pb_log(PB_LOG_WARNING, "%s", text);
}

static void loaded(struct daemon *daemon)
{
	say_listeners(daemon);
	warnings_each(pb_bridge_config(daemon->bridge), warn);
}

static void serve_reload(void *userdata, struct pb_asker *asker)
{
	const struct daemon *daemon = userdata;

	reload_ask(daemon->reload, asker);
}

static void serve_forget(void *userdata, struct pb_asker *asker)
{
	const struct daemon *daemon = userdata;

	reload_forget(daemon->reload, asker);
}

static const struct pb_reloader reloader = {.reload = serve_reload, .forget = serve_forget};

static int on_hangup(sd_event_source *source, const struct signalfd_siginfo *info, void *userdata)
{
	const struct daemon *daemon = userdata;

	(void)source;
	(void)info;
	if (daemon->reload)
		reload_ask(daemon->reload, NULL);
	else
		pb_log(PB_LOG_INFO, "SIGHUP: there is no file to reload");
	return 0;
}

/* ---- life ---- */

static int on_stop(sd_event_source *source, const struct signalfd_siginfo *info, void *userdata)
{
	const struct daemon *daemon = userdata;

	(void)info;
	if (daemon->bridge && pb_bridge_stop(daemon->bridge))
		return 0;
	return sd_event_exit(sd_event_source_get_event(source), 0);
}

/*
 * After each event: reports dropped messages to a log that was full, also when nothing more
 * happens.
 */
static int on_any(sd_event_source *source, void *userdata)
{
	(void)source;
	(void)userdata;
	pb_log_catch_up();
	return 0;
}

static int serve_loop(sd_event *event, struct daemon *daemon)
{
	struct pb_report report = {0};
	int r = sd_event_add_signal(event, NULL, SIGHUP | SD_EVENT_SIGNAL_PROCMASK, on_hangup,
				    daemon);

	if (r >= 0)
		r = sd_event_add_post(event, NULL, on_any, NULL);
	if (r >= 0)
		r = pb_bridge_new(&daemon->bridge, event, daemon->config, daemon->maps, PB_VERSION,
				  &report);
	for (size_t i = 0; i < report.told; i++)
		pb_log(PB_LOG_ERR, "%s", report.lines[i]);
	if (r < 0 && report.count == 0)
		pb_log(PB_LOG_ERR, "can't start: %s", strerror(-r));
	pb_report_clear(&report);
	if (r < 0)
		return r;
	daemon->config = NULL;
	daemon->maps = NULL;
	if (daemon->file) {
		r = reload_new(&daemon->reload, event, daemon, loaded);
		if (r < 0)
			return r;
		pb_bridge_on_reload(daemon->bridge, &reloader, daemon);
	}
	r = pb_bridge_remember(daemon->bridge);
	if (r < 0)
		return r;
	loaded(daemon);
	if (daemon->ready)
		daemon->ready(pb_bridge_config(daemon->bridge), daemon->bridge);
	malloc_trim(0); /* what files were parsed in is not needed again */
	r = pb_bridge_start(daemon->bridge);
	if (r >= 0) {
		pb_notify("READY=1");
		r = pb_bridge_run(daemon->bridge);
	}
	pb_notify("STOPPING=1");
	if (r < 0)
		pb_log(PB_LOG_ERR, "ended: %s", strerror(-r));
	return r;
}

int pb_cli_serve(struct daemon *daemon)
{
	sd_event *event = NULL;
	int r;

	signal(SIGPIPE, SIG_IGN);
	signal(SIGXFSZ, SIG_IGN); /* a log that may not grow any more is not our end */
	pb_cli_raise_descriptors();
	pb_log_never_wait();
	pb_cli_journal();
	r = pb_cli_event_new(&event, on_stop, daemon);
	if (r < 0)
		pb_log(PB_LOG_ERR, "no event loop: %s", strerror(-r));
	else
		r = serve_loop(event, daemon);
	daemon->bridge = pb_bridge_free(daemon->bridge);
	daemon->reload = reload_free(daemon->reload);
	daemon->config = pb_config_free(daemon->config);
	daemon->maps = pb_maps_free(daemon->maps);
	sd_event_unref(event);
	return r < 0 ? EXIT_FAILURE : EXIT_SUCCESS;
}
