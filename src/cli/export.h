/* SPDX-License-Identifier: MIT */
/*
 * Maps as text: pages, tables and client code, all printed from the compiled map alone.
 */
#pragma once

#include "packbridge/regmap.h"

#include <stdio.h>

/** Where client code finds the unit. */
struct pb_export_target {
	const char *host;
	unsigned int port, unit;
};

struct pb_export {
	const char *name;
	const char *doc;
	/** @return 0; negative errno. */
	int (*print)(const struct pb_map *map, const struct pb_export_target *target, FILE *out);
};

/** All formats, ended by a NULL name. */
extern const struct pb_export pb_exports[];

/* export.c */
int export_markdown(const struct pb_map *map, const struct pb_export_target *target, FILE *out);
int export_csv(const struct pb_map *map, const struct pb_export_target *target, FILE *out);
int export_json(const struct pb_map *map, const struct pb_export_target *target, FILE *out);
/* export_st.c */
int export_st(const struct pb_map *map, const struct pb_export_target *target, FILE *out);
int export_twincat(const struct pb_map *map, const struct pb_export_target *target, FILE *out);
/* export_tools.c */
int export_homeassistant(const struct pb_map *map, const struct pb_export_target *target,
			 FILE *out);
int export_telegraf(const struct pb_map *map, const struct pb_export_target *target, FILE *out);
int export_nodered(const struct pb_map *map, const struct pb_export_target *target, FILE *out);
int export_modbusscope(const struct pb_map *map, const struct pb_export_target *target, FILE *out);
int export_mbpoll(const struct pb_map *map, const struct pb_export_target *target, FILE *out);

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
