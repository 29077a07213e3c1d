/* SPDX-License-Identifier: MIT */
#pragma once

#include "packbridge/bridge.h"
#include "packbridge/yaml.h"

#define PB_CONFIG_FILE "/etc/packbridge/packbridge.yaml"

/**
 * Reads the options that `run` and `check` share.
 * @return -1: go on with @ret_file (borrowed); else the exit status to end with.
 */
int pb_cli_config_options(int argc, char **argv, const char *help, const char **ret_file);

/**
 * Loads a configuration and the maps that it names, and checks all of it.
 * @ret_maps: also after an error, when they are not NULL; @ret_config: not then.
 * @return 0; negative with all the errors in @report.
 */
int pb_cli_config_read(const char *file, struct pb_config **ret_config, struct pb_maps **ret_maps,
		       struct pb_report *report);
/** The same, with the errors to stderr. */
int pb_cli_config_load(const char *file, struct pb_config **ret_config, struct pb_maps **ret_maps);
