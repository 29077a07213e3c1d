/* SPDX-License-Identifier: MIT */
/* The status page: what it is made of, by path. */
#pragma once

#include "status.h"

/** Writes what stands at @path. See struct pb_http_backend. */
unsigned int web_get(const struct shown *shown, const char *path,
		     const char *(*argument)(void *query, const char *name), void *query, FILE *out,
		     const char **ret_type);
