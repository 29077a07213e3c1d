/* SPDX-License-Identifier: MIT */
/* What can happen to a battery or to the program; and the newest of it, as registers show it. */
#pragma once

#include <stdint.h>

/** Published, the numbers never change. The code of an event says more: see each kind. */
enum pb_event_kind {
	PB_EVENT_NONE = 0,
	PB_EVENT_START = 1,	       /**< of the program */
	PB_EVENT_STOP = 2,	       /**< likewise */
	PB_EVENT_RELOAD = 3,	       /**< another configuration; level warning: it was refused */
	PB_EVENT_LOST = 4,	       /**< no live reading; code: enum pb_error */
	PB_EVENT_BACK = 5,	       /**< a live reading again; code as it was lost */
	PB_EVENT_ALARM_BEGIN = 6,      /**< or another level of it; code: enum pb_alarm */
	PB_EVENT_ALARM_END = 7,	       /**< code: enum pb_alarm */
	PB_EVENT_PROTECTION_BEGIN = 8, /**< code: enum pb_protection */
	PB_EVENT_PROTECTION_END = 9,   /**< likewise */
	PB_EVENT_PHASE = 10,	       /**< of charging; code: enum pb_phase */
	PB_EVENT_FET_OPEN = 11,	       /**< code: enum pb_event_fet */
	PB_EVENT_FET_CLOSED = 12,      /**< likewise */
	PB_EVENT_CONTROL = 13,	       /**< code: enum pb_control_state */
	PB_EVENT_LOG_LOST = 14,	       /**< messages that the log did not take */
	PB_EVENT_HISTORY_LOST = 15,    /**< what was remembered could not be read or written */
	PB_EVENT_COUNT
};

enum pb_event_fet { PB_EVENT_FET_CHARGE = 1, PB_EVENT_FET_DISCHARGE = 2 };

/** @return a word for programs, "alarm_begin"; static storage; "?" for an invalid number. */
const char *pb_event_name(enum pb_event_kind kind);

/** The newest event of a battery; part of struct pb_battery. Zeros: there is none. */
struct pb_event_mark {
	uint32_t number;
	uint16_t kind; /**< enum pb_event_kind */
	uint16_t code;
	uint16_t level; /**< enum pb_level */
	uint16_t count; /**< how often it repeated, at most 65534 */
};
