/* SPDX-License-Identifier: MIT */
#pragma once

#include "packbridge/model.h"

#include <jansson.h>

/**
 * The reading's fields by the catalogue's names, absent ones left out; of an array, elements that
 * were not reported are null. A '.' in a name nests. The caller owns the object.
 */
json_t *pb_json_sample(const struct pb_sample *sample);

/** Prints each member of an object as a line "  NAME  VALUE". */
void pb_json_print(json_t *object);
