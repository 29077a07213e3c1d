/* SPDX-License-Identifier: MIT */
/*
 * Serial lines, opened and set up by libmodbus, for servers and for links. The rest is plain
 * non-blocking read() and write() on the descriptor.
 */
#pragma once

#include "packbridge/base.h"

enum { PB_SERIAL_DEVICE = 128 };

struct pb_serial_config {
	char device[PB_SERIAL_DEVICE]; /**< "/dev/ttyUSB0", better "/dev/serial/by-id/..." */
	uint32_t baud;		       /**< 1200 to 230400, the usual steps */
	char parity;		       /**< 'N', 'E' or 'O' */
	uint8_t data_bits;	       /**< 7 or 8 */
	uint8_t stop_bits;	       /**< 1 or 2 */
	bool rs485;		       /**< the kernel's driver switches the direction, by RTS: */
	bool rts_low;		       /**< RTS is low while sending, not high */
	uint32_t rts_before_ms;	       /**< RTS is switched so long before the first bit */
	uint32_t rts_after_ms;	       /**< and so long after the last one */
};

/**
 * Reads "DEVICE@BAUD,8N1"; what is missing stays as it is in @config.
 * @return 0; -EINVAL with the reason in @why.
 */
int pb_serial_parse(struct pb_serial_config *config, const char *text, char *why, size_t why_cap);
/** @return 0; -EINVAL with the reason in @why: libmodbus would take an unknown rate for 9600. */
int pb_serial_check(const struct pb_serial_config *config, char *why, size_t why_cap);

/** An open line, locked against other programs. */
struct pb_serial;

/**
 * @return 0; -ENOENT no such device, -EACCES, -EBUSY another program has it, and other errnos, with
 *         the reason in @why.
 */
int pb_serial_open(struct pb_serial **ret, const struct pb_serial_config *config, char *why,
		   size_t why_cap);
struct pb_serial *pb_serial_free(struct pb_serial *serial);
PB_DEFINE_FREEP(struct pb_serial, pb_serial_free)
/** Non-blocking; read() gives 0 or EIO when the adapter is gone. */
int pb_serial_fd(const struct pb_serial *serial);
