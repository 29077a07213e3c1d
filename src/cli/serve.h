/* SPDX-License-Identifier: MIT */
#pragma once

#include "packbridge/bridge.h"

/**
 * Runs the daemon until SIGTERM or SIGINT.
 * @ready: called once the listeners are open; may be NULL.
 * @return exit status: 0 ended by a signal, 1 could not start (said on stderr).
 */
int pb_cli_serve(const struct pb_config *config, struct pb_maps *maps,
		 void (*ready)(const struct pb_config *config, const struct pb_bridge *bridge));

/** An event loop that ends on SIGTERM and SIGINT. @return 0; negative errno. */
int pb_cli_event_new(sd_event **ret);
