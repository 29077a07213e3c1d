/* SPDX-License-Identifier: MIT */
/*
 * Units: each shows a battery by a map. Unit tables give them unit ids; listeners with the same
 * units share a table.
 */
#pragma once

#include "battery.h"

/** A battery by a map. */
struct unit {
	struct unit *next;
	struct battery *battery;
	const struct pb_map *map;
	struct pb_unit_image *image;
	/* what the image shows */
	uint32_t version;  /**< of the battery */
	bool stale;	   /**< the battery's reading */
	uint64_t until_ms; /**< before it, the clock changes nothing of the image */
	uint64_t asked_ms; /**< of the request that is being answered */
};

struct pb_unit_table {
	struct pb_plant *plant;
	struct unit *by_id[PB_UNITS_MAX + 1]; /**< borrowed; NULL: no such unit */
};

/** What clients have written stays, in units of the same battery by the same map. */
void unit_take_writes(struct pb_plant *plant, const struct pb_plant *before);
void unit_free_all(struct pb_plant *plant);
