/* SPDX-License-Identifier: MIT */
#pragma once

#include "packbridge/bridge.h"

/**
 * Connects to the packs of a configuration and prints what each speaks and says, or why not.
 * @return packs without a reading; negative errno, said on stderr.
 */
int pb_cli_check_probe(const struct pb_config *config);
