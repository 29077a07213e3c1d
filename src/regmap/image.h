/* SPDX-License-Identifier: MIT */
/*
 * The image of one unit, inside: image.c encodes into it, write.c takes what clients write.
 */
#pragma once

#include "map.h"

struct pb_unit_image {
	const struct pb_map *map;
	struct pb_image image;
	char model[64]; /* the map's name and version */
	struct pb_block *blocks;
	uint8_t *bytes; /* of all blocks, one behind the other */
	bool made;	/* everything has been encoded once */
	bool stale;	/* as encoded last */
	size_t live_count;
	struct live {
		uint16_t block;
		uint32_t row;
	} * live;	   /* rows that change with the clock */
	uint8_t *writable; /* the blocks' sets of what can be written; NULL: nothing can */
	pb_written *written;
	void *userdata;
};

/** Lets clients write the map's writable rows. @return 0, -ENOMEM. */
int image_allow_writes(struct pb_unit_image *image);
