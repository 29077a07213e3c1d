/* SPDX-License-Identifier: MIT */
/*
 * Maps as text: pages, tables and configurations of other programs, printed from compiled maps and
 * from where their units are. One file a program.
 */
#pragma once

#include "variables.h"

#include "packbridge/regmap.h"
#include "packbridge/serial.h"

#include <stdio.h>

/** How clients reach packbridge; bits of a set. */
enum pb_export_way {
	PB_EXPORT_TCP = 1,
	PB_EXPORT_RTU_TCP = 2,
	PB_EXPORT_RTU = 4,
	PB_EXPORT_NUMBERS = 8, /**< of a program: sockets by their IPv4 address alone */
};

/** Where clients find packbridge. */
struct pb_export_target {
	enum pb_export_way way;
	char host[256]; /**< a name or an address without brackets; of a line, its device */
	char url[300];	/**< "192.168.1.10:502", "[::1]:502" */
	char id[128];	/**< of it in identifiers: "192_168_1_10", with the port unless it is 502 */
	unsigned int port;
	struct pb_serial_config line; /**< PB_EXPORT_RTU */
};

/**
 * Reads "HOST", "HOST:PORT", "[IPV6]:PORT", an IPv6 address alone, any of them behind "tcp:" or
 * "rtu-over-tcp:", and "rtu:DEVICE@BAUD,8N1".
 * @return 0; -EINVAL with the reason in @why.
 */
int pb_export_target_read(struct pb_export_target *target, const char *text, char *why,
			  size_t why_cap);
/** @return "even", "odd" or "none": clients call the parity so. Static storage. */
const char *pb_export_parity(const struct pb_serial_config *line);

enum { PB_EXPORT_NAME = 48 };

/** A unit that a client reads. */
struct pb_export_unit {
	const struct pb_map *map;
	unsigned int unit;
	char name[PB_EXPORT_NAME]; /**< of the pack or bank, "house"; else "pack 1" */
	char id[PB_EXPORT_NAME];   /**< the same as an identifier, unique in the job */
};

/** What one export is about: all formats but the pages want at least one unit. */
struct pb_export_job {
	struct pb_export_target target;
	const struct pb_export_unit *units;
	size_t count;
	unsigned int groups; /**< set of enum variable_group that the client wants */
};

struct pb_export {
	const char *name;
	const char *doc;
	/** @return 0; negative errno. */
	int (*print)(const struct pb_export_job *job, FILE *out);
	size_t units_max;    /**< how many units fit in one text */
	unsigned int ways;   /**< set of enum pb_export_way that the program can take */
	unsigned int groups; /**< what it gets unless asked for more */
};

/** All formats, ended by a NULL name. */
extern const struct pb_export pb_exports[];

/* export.c */
int export_markdown(const struct pb_export_job *job, FILE *out);
int export_csv(const struct pb_export_job *job, FILE *out);
int export_json(const struct pb_export_job *job, FILE *out);
/* export_st.c */
int export_st(const struct pb_export_job *job, FILE *out);
int export_twincat(const struct pb_export_job *job, FILE *out);
/* a file each */
int export_homeassistant(const struct pb_export_job *job, FILE *out);
int export_telegraf(const struct pb_export_job *job, FILE *out);
int export_nodered(const struct pb_export_job *job, FILE *out);
int export_iobroker(const struct pb_export_job *job, FILE *out);
int export_openhab(const struct pb_export_job *job, FILE *out);
int export_modbusscope(const struct pb_export_job *job, FILE *out);
int export_mbpoll(const struct pb_export_job *job, FILE *out);

/** "voltage_mv", "cell_mv[3]", "balance_mask bits 0-23", "" for none. */
void pb_export_field(const struct pb_row_info *row, char *out, size_t cap);
/** The register that means "not available", "" without one. */
void pb_export_na(const struct pb_row_info *row, char *out, size_t cap);
/** "0.1", "0.1, offset 40", "" for 1. */
void pb_export_scale(const struct pb_row_info *row, char *out, size_t cap);
/** A text in XML, between tags or in an attribute; cleaned, but for our own line ends and tabs. */
void pb_export_xml(const char *text, FILE *out);
/** "input, holding" */
void pb_export_tables(uint8_t set, const char *separator, char *out, size_t cap);

/* export_client.c: what configurations of clients have in common */

/** A unit's values with what the job wants of them. */
struct pb_export_values {
	const struct pb_export_unit *unit;
	struct variables variables;
};

/** @return 0, -ENOMEM; free with pb_export_values_done(). */
int pb_export_values_of(const struct pb_export_job *job, size_t unit, struct pb_export_values *ret);
void pb_export_values_done(struct pb_export_values *values);
/** The first unit of the job with this one's map: what is said once of a map is said there. */
bool pb_export_is_first(const struct pb_export_job *job, size_t unit);
/** What the client calls the table that it reads a block from: the one that all can read. */
const char *pb_export_table(uint8_t tables, const char *holding, const char *input,
			    const char *discrete, const char *coil);
unsigned int pb_export_addr(const struct variable *variable, size_t element);
/** Digits behind the point of a scale. */
int pb_export_decimals(const char *scale);
/** Behind '#', up to the end of the line: YAML, TOML, shell. */
void pb_export_comment(const char *text, FILE *out);
/** Between double quotes: YAML and TOML have these two escapes in common. */
void pb_export_quoted(const char *text, FILE *out);
/**
 * "# NAME, version 1: TITLE." for each map, and who printed it, without the end of that line; a
 * line for maps whose replies are no Modbus. @comment: what begins a line.
 */
void pb_export_head(const struct pb_export_job *job, const char *comment, const char *format,
		    FILE *out);
/** "house_cell 1" as people write it: "house cell 1". */
void pb_export_words(const char *name, const char *value, char *out, size_t cap);
