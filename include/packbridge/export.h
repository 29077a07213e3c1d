/* SPDX-License-Identifier: MIT */
/*
 * Register maps as text for people and for other programs. Input: a compiled map and the units that
 * use it. Output: pages, tables, settings and code. Pure: opens no file, reads no option.
 */
#pragma once

#include "packbridge/regmap.h"

#include <stdio.h>

/** How clients reach packbridge; bits of a set. */
enum pb_export_way {
	PB_EXPORT_TCP = 1,
	PB_EXPORT_RTU_TCP = 2,
	PB_EXPORT_RTU = 4,
	PB_EXPORT_NUMBERS = 8, /**< of a format: it needs an IPv4 address, not a host name */
};

/** Groups of values, so that a client can select some of them. Bits of a set. */
enum pb_export_group {
	PB_EXPORT_MAIN = 1,	   /**< the main values for people */
	PB_EXPORT_CELLS = 2,	   /**< single cells and probes */
	PB_EXPORT_ALARMS = 4,	   /**< alarms, warnings and protections one by one */
	PB_EXPORT_DIAGNOSTICS = 8, /**< counters, words of bits, texts and the rest */
	PB_EXPORT_CONTROL = 16,	   /**< what is asked of a pack, and what has become of it */
	PB_EXPORT_ALL = 31,
};

/** Where clients find packbridge. */
struct pb_export_target {
	enum pb_export_way way;
	char host[256]; /**< a name or an address without brackets; of a line, its device */
	char url[300];	/**< "192.168.1.10:502", "[::1]:502"; of a line, its device */
	char id[128];	/**< within identifiers: "192_168_1_10", with the port unless it is 502 */
	unsigned int port;
	/** Settings of the line; PB_EXPORT_RTU only. */
	struct pb_export_line {
		uint32_t baud;
		char parity; /**< 'N', 'E' or 'O' */
		uint8_t data_bits, stop_bits;
	} line;
};

enum { PB_EXPORT_NAME = 48 };

/** A unit that a client reads. */
struct pb_export_unit {
	const struct pb_map *map;
	unsigned int unit;
	char name[PB_EXPORT_NAME]; /**< of the pack or bank, "house"; else "pack 1" */
	char id[PB_EXPORT_NAME];   /**< the same as an identifier, unique in the job */
};

/** Input of one export. */
struct pb_export_job {
	struct pb_export_target target;
	const struct pb_export_unit *units;
	size_t count;	     /**< at least 1, at most units_max of the format */
	unsigned int groups; /**< set of enum pb_export_group that the client wants */
};

/** A format. */
struct pb_export {
	const char *name; /**< "homeassistant" */
	const char *doc;  /**< a few words for --help */
	/** Prints the text. @return 0; negative errno. */
	int (*print)(const struct pb_export_job *job, FILE *out);
	size_t units_max;    /**< the most units in one text */
	unsigned int ways;   /**< set of enum pb_export_way that the program supports */
	unsigned int groups; /**< default for pb_export_job.groups */
};

/** All formats, ended by a NULL name. */
extern const struct pb_export pb_exports[];

/** @return whether @unit is the first unit of the job with its map. */
bool pb_export_is_first(const struct pb_export_job *job, size_t unit);

/** Turns a text into an identifier: "packbridge-bank" becomes "packbridge_bank". */
void pb_export_identifier(const char *text, char *out, size_t cap);

/** Prints the field of a row: "voltage_mv", "cell_mv[3]", "balance_mask bits 0-23", "" for none. */
void pb_export_field(const struct pb_row_info *row, char *out, size_t cap);
/** Prints the register value that means "not available"; "" if there is none. */
void pb_export_na(const struct pb_row_info *row, char *out, size_t cap);
/** Prints the scale: "0.1", "0.1, offset 40", "" for 1. */
void pb_export_scale(const struct pb_row_info *row, char *out, size_t cap);
/** Prints the names of tables, "input, holding". @set: of enum pb_table. */
void pb_export_tables(uint8_t set, const char *separator, char *out, size_t cap);
