/* SPDX-License-Identifier: MIT */
#pragma once

#include "packbridge/bridge.h"

#include <systemd/sd-event.h>

/** What the daemon runs on. */
struct daemon {
	const char *file;	  /**< from which it can be loaded anew; NULL: it can't */
	struct pb_config *config; /**< with maps: until the bridge has taken them, then NULL */
	struct pb_maps *maps;
	/** Called once the listeners are open; NULL: nothing to be done then. */
	void (*ready)(const struct pb_config *config, const struct pb_bridge *bridge);
	struct pb_bridge *bridge; /**< while it runs */
	struct reload *reload;	  /**< NULL: there is no file */
};

/**
 * Runs the daemon until SIGTERM or SIGINT; SIGHUP loads its file anew. Takes config and maps.
 * @return exit status: 0 ended by a signal, 1 could not start (reported on stderr).
 */
int pb_cli_serve(struct daemon *daemon);

/**
 * An event loop that ends on SIGTERM and SIGINT.
 * @stop: called for these signals instead; NULL: the loop ends.
 * @return 0; negative errno.
 */
int pb_cli_event_new(sd_event **ret, sd_event_signal_handler_t stop, void *userdata);
