/* SPDX-License-Identifier: MIT */
#pragma once

#include "packbridge/bridge.h"

/**
 * Connects to the packs of a configuration and prints protocol and reading of each, or the error.
 * @return packs without a reading; negative errno, reported on stderr.
 */
int pb_cli_check_probe(const struct pb_config *config);
