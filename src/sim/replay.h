/* SPDX-License-Identifier: MIT */
#pragma once

#include "packbridge/link.h"

/** sim:replay=FILE; @path: the file. As pb_link_type.create. */
int replay_create(struct pb_link **ret, const struct pb_link_setup *setup, const char *path,
		  char *why, size_t why_cap);
