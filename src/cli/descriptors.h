/* SPDX-License-Identifier: MIT */
#pragma once

#include "packbridge/bridge.h"

/** Raises the soft limit of descriptors to the hard one, as far as it can be. */
void pb_cli_raise_descriptors(void);
/**
 * Says in @out what is short when the hard limit is below what @config may come to need.
 * @return whether it is.
 */
bool pb_cli_lacks_descriptors(const struct pb_config *config, char *out, size_t cap);
