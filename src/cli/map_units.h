/* SPDX-License-Identifier: MIT */
#pragma once

#include "map_export.h"

#include "packbridge/bridge.h"
#include "packbridge/export.h"

enum { MAP_UNITS_MAX = 256 };

/** An export that is being put together. */
struct map_export {
	struct map_work *maps;
	struct map_export_options options;
	const struct pb_export *format;
	struct pb_export_job job;
	struct pb_export_unit units[MAP_UNITS_MAX];
	struct pb_config *config;
	struct pb_maps *config_maps;
};

/**
 * Adds the units to the job. @name: the map; NULL with a configuration, which may set the target.
 * @return 0; negative errno, what was wrong is on stderr.
 */
int map_units(struct map_export *work, const char *name);

/** Prints "packbridge map: ..." to stderr. @return -EINVAL */
__attribute__((format(printf, 1, 2))) int map_refuse(const char *format, ...);
/**
 * Takes one entry of a list with commas, without the blanks around it. @next: where to go on, NULL
 * at the end.
 * @return the length of the entry
 */
size_t map_next_entry(const char **next, const char **ret);
