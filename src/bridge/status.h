/* SPDX-License-Identifier: MIT */
/*
 * What there is to see of a site and its listeners: status.c as JSON, metrics.c for Prometheus.
 */
#pragma once

#include "listeners.h"

struct shown {
	const struct pb_config *config;
	struct site *site;
	const struct listeners *listeners;
	uint64_t now_ms;
};

void status_write(const struct shown *shown, FILE *out);
void metrics_write(const struct shown *shown, FILE *out);

/** "tcp 127.0.0.1:502" */
void status_listener_name(const struct pb_listen_config *listen, char *out, size_t cap);
