/* SPDX-License-Identifier: MIT */
/*
 * Serial lines for servers and links. libmodbus opens and configures the line; then plain
 * non-blocking read() and write() on the descriptor are used.
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
	bool rs485;		       /**< the kernel's driver switches the direction with RTS */
	bool rts_low;		       /**< RTS is low while sending, instead of high */
	uint32_t rts_before_ms;	       /**< time from switching RTS to the first bit */
	uint32_t rts_after_ms;	       /**< time from the last bit to switching back */
};

/**
 * Parses "DEVICE@BAUD,8N1". Missing parts stay unchanged in @config.
 * @return 0; -EINVAL with the reason in @why.
 */
int pb_serial_parse(struct pb_serial_config *config, const char *text, char *why, size_t why_cap);
/**
 * @return 0; -EINVAL with the reason in @why: needed because libmodbus uses 9600 for an unknown
 *         rate.
 */
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
