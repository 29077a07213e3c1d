/* SPDX-License-Identifier: MIT */
/*
 * The formats, a file each, and what they share: text.c, rows.c, client.c.
 */
#pragma once

#include "variables.h"

#include "packbridge/base.h"
#include "packbridge/export.h"

#include <stdio.h>

int export_markdown(const struct pb_export_job *job, FILE *out);
int export_csv(const struct pb_export_job *job, FILE *out);
int export_json(const struct pb_export_job *job, FILE *out);
int export_st(const struct pb_export_job *job, FILE *out);
int export_twincat(const struct pb_export_job *job, FILE *out);
int export_homeassistant(const struct pb_export_job *job, FILE *out);
int export_telegraf(const struct pb_export_job *job, FILE *out);
int export_nodered(const struct pb_export_job *job, FILE *out);
int export_iobroker(const struct pb_export_job *job, FILE *out);
int export_openhab(const struct pb_export_job *job, FILE *out);
int export_modbusscope(const struct pb_export_job *job, FILE *out);
int export_mbpoll(const struct pb_export_job *job, FILE *out);

/* ---- rows.c ---- */

/** The not-available value as a decimal number or "NaN", "" without one. */
void export_na_number(const struct pb_row_info *row, char *out, size_t cap);

/** "r", "rw", "ignore" or "control", as a map says it. */
const char *export_access(const struct pb_row_info *row);

/* ---- text.c ---- */

/** Text in XML, between tags or in an attribute; cleaned, but for our own line ends and tabs. */
void export_xml(const char *text, FILE *out);
/** Behind '#', up to the end of the line: YAML, TOML, shell. */
void export_comment(const char *text, FILE *out);
/** Between double quotes: YAML and TOML have these two escapes in common. */
void export_quoted(const char *text, FILE *out);
/** "house_cell 1" as people write it: "house cell 1". */
void export_words(const char *name, const char *value, char *out, size_t cap);

/* ---- client.c ---- */

/** A unit's values in the groups that the job wants. */
struct export_values {
	const struct pb_export_unit *unit;
	struct variables variables;
};

/** @return 0, -ENOMEM; free with export_values_done(). */
int export_values_of(const struct pb_export_job *job, size_t unit, struct export_values *ret);
void export_values_done(struct export_values *values);
/** What the client calls the table that it reads a block from: the one that all can read. */
const char *export_table(uint8_t tables, const char *holding, const char *input,
			 const char *discrete, const char *coil);
unsigned int export_addr(const struct variable *variable, size_t element);
/** Digits behind the point of a scale. */
int export_decimals(const char *scale);
/** @return "even", "odd" or "none": clients call the parity so. Static storage. */
const char *export_parity(const struct pb_export_line *line);
/**
 * "# NAME, version 1: TITLE." for each map, and who printed it, without the end of that line; a
 * line for maps whose replies are no Modbus. @comment: what begins a line.
 */
void export_head(const struct pb_export_job *job, const char *comment, const char *format,
		 FILE *out);
