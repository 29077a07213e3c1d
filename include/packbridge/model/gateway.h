/* SPDX-License-Identifier: MIT */
/* struct pb_gateway: packbridge's own state, for the gateway's unit. */
#pragma once

#include "packbridge/model/sample.h"

enum { PB_UNITS_MAX = 247 }; /**< highest unit id of Modbus */

/** All fields that a gateway map can use. */
struct pb_gateway {
	char product[PB_NAME_MAX];
	char version[PB_NAME_MAX];
	uint32_t uptime_s;
	uint16_t heartbeat;  /**< as in struct pb_battery */
	int32_t packs;	     /**< configured */
	int32_t banks;	     /**< configured */
	int32_t online;	     /**< with quality GOOD */
	int32_t stale;	     /**< with any other quality */
	int32_t warnings;    /**< packs with a warning or an alarm */
	int32_t alarms;	     /**< packs with an alarm */
	uint32_t clients;    /**< connected now; an open serial line does not count */
	uint32_t requests;   /**< answered since the start, wraps */
	uint32_t exceptions; /**< requests answered by an exception, wraps */
	uint32_t malformed;  /**< connections closed because their bytes were no Modbus, and frames
				with a wrong CRC; wraps */
	uint32_t evicted;    /**< idle clients closed to let a new one in, wraps */
	uint32_t refused;    /**< clients refused by `allow`, wraps */
	uint32_t timeouts;   /**< clients closed for an unfinished request, unread replies or
				idleness, wraps */
	uint32_t log_left_out; /**< messages dropped because the log would block, wraps */
	uint16_t unit_status[PB_UNITS_MAX + 1]; /**< by unit id: 0 no such unit, else quality + 1 */
};
