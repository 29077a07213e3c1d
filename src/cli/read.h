/* SPDX-License-Identifier: MIT */
/* `packbridge read`: read.c reads a unit, read_show.c prints it. */
#pragma once

#include "endpoint.h"
#include "maps.h"

/** Of the command line. */
struct read_options {
	const char *endpoint, *map;
	int64_t unit, timeout_ms;
	double watch_s; /**< 0: once */
	bool all, json;
};

/** All of a unit. */
struct look {
	const struct pb_map *map;
	struct endpoint *endpoint;
	int *results;	/**< of each block, as of endpoint_read() */
	uint8_t *bytes; /**< of each block, all of one length */
	char why[256];	/**< the last negative result's reason */
};

/** Decodes row @index. @return false: its block was not read. */
bool read_decode(const struct look *look, size_t index, const struct pb_row_info *row,
		 struct pb_row_value *ret);
/** Finds a number by the name of its field. @return false: the map has none, or it was not read. */
bool read_find_number(const struct look *look, const char *name, int64_t *ret);
/** Prints the unit as text. */
void read_show_text(const struct look *look, const struct read_options *options);
/** Prints the unit as one JSON object. @complete: all blocks were read. */
void read_show_json(const struct look *look, const struct read_options *options, bool complete);
/** Prints to stderr which blocks were not read, and why: once for each reason. @return exit status.
 */
int read_explain_all(const struct look *look, int64_t unit);
