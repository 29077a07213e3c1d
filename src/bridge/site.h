/* SPDX-License-Identifier: MIT */
/*
 * What one configuration makes: batteries, and what clients see of them. A reload makes another
 * site beside it, which takes over what has not changed.
 */
#pragma once

#include "packbridge/bridge.h"
#include "view.h"

#define GATEWAY_MAP "packbridge-gateway"

struct site {
	const struct pb_config *config;
	struct show show;
	struct view *views; /* the first shows each battery as its unit; then one a listener */
};

struct site_setup {
	sd_event *event;
	struct pb_bluez *bluez;
	const struct pb_config *config;
	struct pb_maps *maps;
	const char *version;
	uint64_t start_ms; /* of the program */
	void (*count)(void *userdata, struct pb_gateway *gateway);
	void *userdata;
};

/**
 * @before: packs that it has just so are left out, for site_take(); NULL: there is none.
 * @return 0; negative with the errors in @report.
 */
int site_new(struct site **ret, const struct site_setup *setup, const struct site *before,
	     struct pb_report *report);
struct site *site_free(struct site *site);
PB_DEFINE_FREEP(struct site, site_free)

/** Takes over the packs that are the same, all that is known of batteries, and what clients wrote.
 */
void site_take(struct site *site, struct site *before);
/** Connects the packs that are new. */
int site_start(struct site *site);
/** What listener @index shows. */
struct view *site_view(const struct site *site, size_t index);
/** @return NULL: there is no such pack. */
struct source *site_pack(const struct site *site, const char *name);
