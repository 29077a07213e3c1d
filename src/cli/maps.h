/* SPDX-License-Identifier: MIT */
#pragma once

#include "packbridge/bridge.h"
#include "packbridge/yaml.h"

/** The maps that a command works with, and a map that was given as a file. Zero it to start. */
struct map_work {
	struct pb_maps *maps;
	struct pb_map *file;
	struct pb_report report;
};

/**
 * A map by its name, or by the path of its file. @command: for messages.
 * @return borrowed; NULL after an error, which is reported on stderr.
 */
const struct pb_map *pb_cli_find_map(struct map_work *work, const char *command, const char *name);
void pb_cli_map_done(struct map_work *work);
