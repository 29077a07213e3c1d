/* SPDX-License-Identifier: MIT */
#pragma once

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

/** Asks the status socket @path. @return 0, with the text for free(); negative errno. */
int status_fetch_text(const char *path, const char *question, char **ret);
/** @return the answer of the status socket @path; NULL with its errno in @ret_error. */
json_t *status_fetch(const char *path, int *ret_error);

/**
 * The table of packs or banks: its head, and one battery's line. Of the columns behind the name,
 * those are left out at the right that do not fit into @width.
 */
enum { STATUS_COLUMNS = 70 }; /**< all of them */
void status_head(const char *title, int name_width, int width, FILE *out);
void status_line(json_t *battery, int name_width, int width, FILE *out);
/** @return the length of the longest name, at least 6. */
int status_longest_name(json_t *all);
/** Of a bank that lacks packs: "1 of 2 packs", else "". */
void status_members(json_t *battery, char *out, size_t cap);
/** "protection: short circuit, since 21:14 (3 min 2 s)" */
void status_alarm(json_t *alarm, char *out, size_t cap);
/**
 * What is asked of a battery's switches, and what has become of it: "charging inhibited, confirmed;
 * by 192.168.1.20, ends in 42 s; FETs: charge off, discharge on". "": it has no control.
 */
void status_control(json_t *battery, char *out, size_t cap);
/** @return whether it is an alarm, not a warning. */
bool status_is_alarm(json_t *alarm);
/** @return the worst level of a battery's alarms: 0 none, 1 warning, 2 alarm. */
int status_severity(json_t *battery);
/** "3 d 4 h", "12 min 5 s" */
void status_duration(json_int_t seconds, char *out, size_t cap);
/** The first line: version, time, how many are well. */
void status_title(json_t *all, FILE *out);
/** @return the member of "fields", or its default when it is absent. */
json_int_t status_number(json_t *battery, const char *field, json_int_t absent);
const char *status_text(json_t *object, const char *key);
