/* SPDX-License-Identifier: MIT */
#pragma once

#include "packbridge/bridge.h"

/** Prints who may switch which packs, and how. Prints nothing if no pack has control. */
void check_print_control(const struct pb_config *config, struct pb_maps *maps);

/** Reports what a person should know before packs are switched. @text: valid during the call. */
void check_warn_control(const struct pb_config *config, void (*say)(const char *text));
