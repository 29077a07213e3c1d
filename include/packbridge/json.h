/* SPDX-License-Identifier: MIT */
/*
 * Fields as JSON, by the catalogue's names: what `decode`, `probe`, `read` and `status` print.
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
 * The reading's fields by the catalogue's names, absent ones left out; of an array, elements that
 * were not reported are null. A '.' in a name nests. The caller owns the object.
 */
json_t *pb_json_sample(const struct pb_sample *sample);
/**
 * The same for all that is known of a battery. @old: what belongs to the reading is left out, since
 * it would look like a live value.
 */
json_t *pb_json_battery(const struct pb_battery *battery, bool old);
/** All fields of the gateway but its table of units. */
json_t *pb_json_gateway(const struct pb_gateway *gateway);

/** A number of @field's kind: truth values, dates and numbers. */
json_t *pb_json_value(const struct pb_field *field, int64_t value);
/**
 * Puts a field's value, or element @index of it, where pb_json_sample() would. Takes @value. An
 * array ends with its last element that is not null.
 */
void pb_json_set(json_t *object, const struct pb_field *field, unsigned int index, json_t *value);
/** @return whether it is there, and not null. */
bool pb_json_has(json_t *object, const struct pb_field *field, unsigned int index);

/**
 * What a pack said that can't be, one object a field and reason: `field` (of a whole reply
 * `reply`), `index` of an array's element, `value`, `min`, `max`, `times`, `reading` whether it
 * spoils the reading, `text`. The caller owns the array.
 */
json_t *pb_json_refusals(const struct pb_refusals *refusals);
/** Prints each of them as a line, its text behind @head. */
void pb_json_print_refusals(json_t *refusals, const char *head);

/** Prints each member of an object as a line "  NAME  VALUE". */
void pb_json_print(json_t *object);
