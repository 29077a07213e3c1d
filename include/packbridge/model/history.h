/* SPDX-License-Identifier: MIT */
/*
 * struct pb_history: what packbridge has counted of a battery since its history began, as clients
 * are shown it. Room history counts it; docs/history.md explains it for users.
 */
#pragma once

#include "packbridge/model/sample.h"

#include <stdint.h>

/** Values of which the lowest or the highest is remembered. */
enum pb_extreme {
	PB_EXTREME_CELL_LOWEST, /**< mV, of any cell */
	PB_EXTREME_CELL_HIGHEST,
	PB_EXTREME_VOLTAGE_LOWEST, /**< mV, of the battery */
	PB_EXTREME_VOLTAGE_HIGHEST,
	PB_EXTREME_TEMPERATURE_LOWEST, /**< milli-degrees Celsius, of any probe */
	PB_EXTREME_TEMPERATURE_HIGHEST,
	PB_EXTREME_COUNT
};

/** Members that can be absent: bits of pb_history.has. Bit n < PB_EXTREME_COUNT: extreme n. */
enum pb_history_has {
	PB_HISTORY_FULL = PB_EXTREME_COUNT, /**< it has been full */
	PB_HISTORY_TODAY,		    /**< the machine's clock is set */
	PB_HISTORY_YESTERDAY,		    /**< it was set yesterday as well */
};

/**
 * Counted values of one battery. The counters never fall: only `packbridge reset --history`, and
 * another pack in the place of this one, begin a new history.
 */
struct pb_history {
	uint64_t has;					 /**< set of 1 << enum pb_history_has */
	int64_t charged_mah, discharged_mah;		 /**< charge in and out */
	int64_t charged_mwh, discharged_mwh;		 /**< energy in and out */
	int64_t charged_today_mwh, discharged_today_mwh; /**< since local midnight */
	int64_t charged_yesterday_mwh, discharged_yesterday_mwh;
	int64_t unmeasured_s; /**< time without a live current, in which nothing was counted */
	int64_t since_full_s;
	uint32_t full_charges;		   /**< times that it became full */
	int64_t last_discharge_mah;	   /**< largest net charge drawn since it was full last */
	int64_t deepest_discharge_mah;	   /**< the largest @last_discharge_mah */
	int32_t extreme[PB_EXTREME_COUNT]; /**< mV, or milli-degrees Celsius */
	int64_t since_s[PB_EXTREME_COUNT]; /**< when it was so the first time */
	uint32_t protections_seen[PB_PROTECT_COUNT]; /**< times that each protection began */
};
