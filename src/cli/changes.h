/* SPDX-License-Identifier: MIT */
#pragma once

#include "packbridge/config.h"

#include <stdio.h>

/**
 * Writes the differences from @before to @after: "pack solar added; pack house changed: poll_ms,
 * limits; listener tcp 0.0.0.0:502 removed"; or that nothing has changed.
 */
void changes_print(const struct pb_config *before, const struct pb_config *after, FILE *out);
