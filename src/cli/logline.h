/* SPDX-License-Identifier: MIT */
/* Bytes in the lines of logs, for `decode`. */
#pragma once

#include <stddef.h>
#include <stdint.h>

/**
 * Takes the received bytes out of a line: plain hex, a line of `packbridge record`, or of another
 * program's log with times, words and marks around the hex. Of several runs of hex it is the
 * longest one, behind a mark like "<" or "RX:" if there is one.
 * @out: room for half of the line's length.
 * @return how many; 0: there are none, or they were sent (">", "TX:").
 */
size_t logline_bytes(const char *line, uint8_t *out);
