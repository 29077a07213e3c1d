/* SPDX-License-Identifier: MIT */
/*
 * What clients see: the faces that show batteries by a map, and views, which give faces unit ids.
 * Listeners with the same units share a view.
 */
#pragma once

#include "battery.h"
#include "packbridge/model/gateway.h"
#include "packbridge/server.h"

/** A battery by a map. */
struct face {
	struct face *next;
	struct source *source;
	const struct pb_map *map;
	struct pb_unit_image *image;
	/* as the image shows it */
	uint32_t news;
	bool old;
	uint64_t until_ms; /* before it, the clock changes nothing of that */
};

/** What one listener, or several, show. */
struct view {
	struct show *show;
	struct face *by_id[PB_UNITS_MAX + 1]; /* borrowed */
};

/** All of it. */
struct show {
	uint64_t start_ms;
	struct fleet fleet;
	struct face *faces;
	struct pb_gateway gateway; /* counters are filled in by @count */
	struct pb_unit_image *gateway_image;
	const struct pb_map *gateway_map;
	const struct view *gateway_view; /* whose units the image shows */
	uint64_t gateway_ms;		 /* when it was made */
	void (*count)(void *userdata, struct pb_gateway *gateway);
	void *userdata;
};

/** @return 0; -ENOMEM. Made once for a pair, then shared. */
int show_face(struct show *show, struct source *source, const struct pb_map *map,
	      struct face **ret);
/** Brings what the clock changes up to date: quality, age, heartbeat. */
void show_clock(const struct show *show, struct source *source, uint64_t now_ms);
/** The gateway's fields for @now_ms, but its table of units. */
const struct pb_gateway *show_gateway(struct show *show, uint64_t now_ms);
/** What clients have written stays, in faces of the same battery by the same map. */
void show_take_writes(struct show *show, const struct show *before);
void show_clear(struct show *show);
/** For struct pb_server_backend; @userdata is a view. */
const struct pb_image *view_unit(void *userdata, uint8_t id, uint64_t now_ms);
