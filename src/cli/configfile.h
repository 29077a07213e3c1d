/* SPDX-License-Identifier: MIT */
#pragma once

#include "packbridge/bridge.h"

#define PB_CONFIG_FILE "/etc/packbridge/packbridge.yaml"

/**
 * Reads the options that `run` and `check` share.
 * @return -1: go on with @ret_file (borrowed); else the exit status to end with.
 */
int pb_cli_config_options(int argc, char **argv, const char *help, const char **ret_file);

/**
 * Loads a configuration and the maps that it names, and checks all of it; errors go to stderr.
 * @return 0; negative errno.
 */
int pb_cli_config_load(const char *file, struct pb_config **ret_config, struct pb_maps **ret_maps);
