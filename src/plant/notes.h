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
/** What has changed of the control of a pack, from @before to data.control. */
void notes_control(struct battery *pack, const struct pb_control *before, uint64_t now_ms);
/** Sums up what was left out, when that is due. */
void notes_control_sum(struct battery *pack, uint64_t now_ms);
/** Of switches that stay open, because nobody here may close them any more. */
void notes_left(const struct battery *pack, bool charge, bool discharge);
/** What is sent to the pack. */
void notes_command(const struct battery *pack, const struct pb_command *command);
/** One line to the handler, as it stands. */
void notes_line(const struct battery *battery, enum pb_log_level level, const char *alarm,
		const char *format, ...) PB_PRINTF(4, 5);
