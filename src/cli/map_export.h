/* SPDX-License-Identifier: MIT */
#pragma once

#include "maps.h"

#include <stdio.h>

/** What `map export` was asked for. */
struct map_export_options {
	const char *format;
	const char *host;   /**< NULL: 127.0.0.1:502, or the listener's address */
	const char *units;  /**< "1,2=shed,100=all:packbridge-bank"; NULL: the usual one, or all */
	const char *with;   /**< groups; NULL: what the format has by itself */
	const char *config; /**< take units, maps and names from this configuration; NULL: don't */
	const char *listener; /**< its listener; NULL: the first one */
};

/** How to give the options, for --help. */
void map_export_help(FILE *out);
/**
 * Prints an export to stdout. @name: the map, NULL with a configuration.
 * @return the exit status; what was wrong is on stderr. 2: so wrong that the usage helps.
 */
int map_export(struct map_work *work, const char *name, const struct map_export_options *options);
