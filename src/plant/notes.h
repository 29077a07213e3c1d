/* SPDX-License-Identifier: MIT */
/* Log messages about a battery: a change at once, a flapping state once a minute. */
#pragma once

#include "battery.h"

/** @changed: set of 1 << enum pb_alarm, as pb_alarm_step() returned it. */
void notes_alarms(struct battery *battery, uint32_t changed, uint64_t now_ms);
/** Whether charging and discharging are allowed. */
void notes_limits(struct battery *battery, uint64_t now_ms);
/** How many packs of a bank have a good reading, and whether they fit together. */
void notes_members(struct battery *bank, uint64_t now_ms);
/** One line to the handler, as it stands. */
void notes_line(const struct battery *battery, enum pb_log_level level, const char *alarm,
		const char *format, ...) PB_PRINTF(4, 5);
