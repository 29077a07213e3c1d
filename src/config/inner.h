/* SPDX-License-Identifier: MIT */
/*
 * The parts of packbridge.yaml: config.c reads packs and the rest, listen.c the listeners.
 */
#pragma once

#include "packbridge/config.h"

/** Where @key stands in @node; the node itself when it is missing. */
struct pb_mark config_mark(const struct pb_yaml *node, const char *key);
/** @return an array of @size a item of the sequence @node, NULL when it is none or empty. */
void *config_items(const struct pb_yaml *node, size_t size, size_t *ret_count, const char *what,
		   struct pb_report *report);

/** Reads `listen:`, whose units may show the packs of @config. @return 0, -ENOMEM. */
int config_read_listens(struct pb_config *config, const struct pb_yaml *node,
			struct pb_report *report);
void config_free_listens(struct pb_config *config);
