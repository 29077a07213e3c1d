/* SPDX-License-Identifier: MIT */
/* What happens to a battery becomes an event of room events. */
#pragma once

#include "battery.h"

/** After an update of a pack, its alarms included. @new_reading: since the last update. */
void events_pack(struct battery *pack, bool new_reading, bool stale, uint64_t now_ms);
/** After an update of a bank. @reading: it has one now. */
void events_bank(struct battery *bank, bool reading, uint64_t now_ms);
/** Shows the newest event of before: of the same battery, before a reload. */
void events_show(struct battery *battery);
