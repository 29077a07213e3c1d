/* SPDX-License-Identifier: MIT */
/*
 * Fields as JSON with the catalogue's names, as `decode`, `probe`, `read` and `status` print them.
 */
#pragma once

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

struct pb_battery;
struct pb_field;
struct pb_gateway;
struct pb_refusals;
struct pb_sample;

/**
 * Makes an object of the reading's fields with the catalogue's names. Absent fields are left out;
 * elements of an array that were not reported are null. A '.' in a name makes a nested object. The
 * caller owns the object.
 */
json_t *pb_json_sample(const struct pb_sample *sample);
/**
 * The same for all fields of a battery. @stale: fields of the reading are left out, since they
 * would look like live values.
 */
json_t *pb_json_battery(const struct pb_battery *battery, bool stale);
/** The same for the gateway, without its table of units. */
json_t *pb_json_gateway(const struct pb_gateway *gateway);

/** Converts a number by @field's kind: to a boolean, a date or a number. */
json_t *pb_json_value(const struct pb_field *field, int64_t value);
/**
 * Sets a field's value, or element @index of it, at the place that pb_json_sample() uses. Takes
 * ownership of @value. An array ends with its last element that is not null.
 */
void pb_json_set(json_t *object, const struct pb_field *field, unsigned int index, json_t *value);
/** @return whether that value exists and is not null. */
bool pb_json_has(json_t *object, const struct pb_field *field, unsigned int index);

/**
 * Makes an array of the impossible values that a pack reported, one object for each field and
 * reason: `field` (or `reply` for a whole reply), `index` of an array's element, `value`, `min`,
 * `max`, `times`, `reading` (whether the whole reading was refused), `text`. The caller owns the
 * array.
 */
json_t *pb_json_refusals(const struct pb_refusals *refusals);
/** Prints each of them on a line: @head, then its text. */
void pb_json_print_refusals(json_t *refusals, const char *head);

/** Prints each member of an object as a line "  NAME  VALUE". */
void pb_json_print(json_t *object);
