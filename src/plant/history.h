/* SPDX-License-Identifier: MIT */
/* What the plant lets room history count of each battery. */
#pragma once

#include "battery.h"

/** After an update of the pack. */
void history_pack(struct battery *pack, bool new_reading, bool stale, uint64_t now_ms);
/** After an update of the bank. @reading: it has one now. */
void history_bank(struct battery *bank, bool new_reading, bool reading, uint64_t now_ms);
/** The day of the present event; a new one begins for all batteries, with a reading or without. */
void history_day(struct pb_plant *plant, int32_t day, uint64_t now_ms);
/** Writes battery->data.history as of now. */
void history_show(struct battery *battery, uint64_t now_ms);
