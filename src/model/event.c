/* SPDX-License-Identifier: MIT */
#include "packbridge/model/event.h"

#include "packbridge/base.h"

const char *pb_event_name(enum pb_event_kind kind)
{
	static const char *const names[PB_EVENT_COUNT] = {
		"none",		"start",       "stop",	     "reload",		 "lost",
		"back",		"alarm_begin", "alarm_end",  "protection_begin", "protection_end",
		"phase",	"fet_open",    "fet_closed", "control",		 "log_lost",
		"history_lost",
	};

	return (size_t)kind < PB_EVENT_COUNT ? names[kind] : "?";
}
