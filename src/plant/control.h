/* SPDX-License-Identifier: MIT */
/* Control of packs: see control.c. */
#pragma once

#include "battery.h"

/**
 * Brings all packs up to date, and with @may_send sends what is due. It comes last in a step, when
 * all batteries show the present: a reader may hand up a reading while it takes a command.
 */
void control_step_all(struct pb_plant *plant, bool may_send, uint64_t now_ms);
/**
 * Goes on from the same pack of another plant: the wish, and what is locked. @same_reader: its
 * reader goes on as well.
 */
void control_take(struct battery *pack, const struct battery *before, bool same_reader);
/** Ends all wishes; nothing is taken any more. @battery: of a pack, or PB_PLANT_ALL. */
void control_let_go(struct pb_plant *plant, int battery);
/** Brings data.control to @now_ms: of a pack its own, of a bank that of its packs together. */
void control_at(struct battery *battery, uint64_t now_ms);
/** @return when the pack needs the time for its control; UINT64_MAX: never. */
uint64_t control_due_ms(const struct battery *pack);
