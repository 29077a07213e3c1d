/* SPDX-License-Identifier: MIT */
#pragma once

#include "packbridge/regmap.h"

/** A Modbus device, as libmodbus speaks with it. */
struct endpoint;

/**
 * Reads "tcp:HOST[:PORT]" or "rtu:DEVICE[@BAUD[,8N1]]"; nothing is opened yet.
 * @timeout_ms: for each reply. @return 0; -EINVAL with the reason in @why; -ENOMEM.
 */
int endpoint_new(struct endpoint **ret, const char *text, int unit, uint32_t timeout_ms, char *why,
		 size_t why_cap);
struct endpoint *endpoint_free(struct endpoint *endpoint);
PB_DEFINE_FREEP(struct endpoint, endpoint_free)

/**
 * Reads a block in one request, connecting when that is needed.
 * @bytes: registers as on the wire; of bits, one byte each.
 * @return 0; 1..255: the device answered this exception; negative errno, the connection is closed,
 *         with the reason in @why.
 */
int endpoint_read(struct endpoint *endpoint, const struct pb_block_info *block, uint8_t *bytes,
		  char *why, size_t why_cap);

/** Replies count registers in two bytes from now on (pb_map_word_count()). */
void endpoint_count_words(struct endpoint *endpoint);

enum { ENDPOINT_MODEL = 64 };

/**
 * Asks for the model (function 43/14, object 5), which is the map's name and version of a unit of
 * packbridge: "packbridge-bank 1".
 * @ret_model: room for ENDPOINT_MODEL; "" when the device does not say.
 * @return 0; negative errno: no connection, with the reason in @why.
 */
int endpoint_model(struct endpoint *endpoint, char *ret_model, char *why, size_t why_cap);
