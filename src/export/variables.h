/* SPDX-License-Identifier: MIT */
/*
 * A map's values as variables of a program: what exports of client code are made of.
 */
#pragma once

#include "packbridge/export.h"

enum { VARIABLE_NAME = 80 };

/** A value, or several of one array that stand one behind the other. */
struct variable {
	struct pb_row_info row; /**< the first */
	size_t index;		/**< its place in the map */
	size_t count;		/**< elements; 1 for a single value */
	size_t block;		/**< its place among the map's blocks */
	bool always;		/**< its block can be read even with stale data */
	int first;		/**< number of the first element, as people count; -1: no array */
	enum pb_export_group group;
	char name[VARIABLE_NAME]; /**< an identifier, unique in the map: "voltage", "cell" */
};

struct variables {
	size_t count;
	struct variable *items;
};

/** All that shows something, constants and reserved places left out. @return 0, -ENOMEM. */
int variables_of(const struct pb_map *map, struct variables *ret);
void variables_done(struct variables *variables);

/** "cell_3", "alarm_level_cell_high", or the name of a single value; @element from 0. */
void variable_element_name(const struct variable *variable, size_t element, char *out, size_t cap);
/** The name of a bit, or of a number of several, of a register of type bits. */
void variable_bit_name(const struct pb_bit_info *bit, char *out, size_t cap);

/** It is a register, not a bit of a table of bits. */
static inline bool variable_is_register(const struct variable *variable)
{
	return !(variable->row.tables & (PB_TABLE_COIL | PB_TABLE_DISCRETE));
}

/** A number that is a value in a unit, not a word of bits and no text. */
bool variable_is_number(const struct variable *variable);
/** It has decimals: scaled, or a float. */
bool variable_is_real(const struct variable *variable);
