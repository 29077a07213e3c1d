/* SPDX-License-Identifier: MIT */
/*
 * Switching packs by `packbridge switch`, and how far they are switched, as JSON.
 */
#pragma once

#include "document.h"
#include "parts.h"

#include <jansson.h>

/**
 * Answers a line of the control socket:
 *
 *	switch NAME charge|discharge off|on [SECONDS]    "ok", or "error: ..."
 *	switch NAME release                              likewise
 *	switch [NAME]                                    JSON: {"switches": [...]}
 */
void switch_command(struct pb_bridge *bridge, const char *line, FILE *answer);

/**
 * What clients asked for, what has become of it, and who asked: {"control": {...}}.
 * @return an empty object for a battery without control; NULL: out of memory.
 */
json_t *switch_json(const struct snapshot *snapshot, size_t battery);
