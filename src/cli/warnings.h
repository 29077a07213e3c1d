/* SPDX-License-Identifier: MIT */
#pragma once

#include "packbridge/config.h"

/** Says, one by one, what in a good configuration holds, but not well; @text: good for the call. */
void warnings_each(const struct pb_config *config, void (*say)(const char *text));
