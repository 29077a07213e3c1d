/* SPDX-License-Identifier: MIT */
#pragma once

#include "packbridge/modbus.h"

/**
 * One request and its reply, for what libmodbus does not know. @pdu: with its function.
 * @return the length of the reply PDU (@reply, room for PB_PDU_MAX); -ETIMEDOUT and other errnos.
 */
int exchange_tcp(int fd, uint8_t unit, const uint8_t *pdu, size_t len, uint32_t timeout_ms,
		 uint8_t *reply);
/** The same on a serial line. */
int exchange_rtu(int fd, uint8_t unit, const uint8_t *pdu, size_t len, uint32_t timeout_ms,
		 uint8_t *reply);
