/* SPDX-License-Identifier: MIT */
/*
 * The history of each battery, kept in its memory so that a reload carries it over. A pack counts
 * at the times of its readings. A bank has a reading whenever one of its packs has; it counts at
 * those times, and only while all of its packs have a live reading: the current of the others is
 * not that of the bank.
 */
#include "history.h"
#include "notes.h"

#include <stdio.h>

/* ---- another pack ---- */

static void identity_text(const struct pb_history_identity *identity, char *out, size_t cap)
{
	size_t at = (size_t)snprintf(out, cap, "%s", identity->address);

	if (*identity->device_name && at < cap)
		at += (size_t)snprintf(out + at, cap - at, "%s'%s'", at ? ", " : "",
				       identity->device_name);
	if (identity->production_date && at < cap)
		snprintf(out + at, cap - at, "%sof %d", at ? ", " : "", identity->production_date);
}

static void begin_anew(struct battery *pack, const char *address)
{
	const struct pb_plant *plant = pack->plant;
	struct pb_history_state *state = &pack->memory.history;
	const struct pb_history_state former = *state;
	char before[128], now[128];

	*state = (struct pb_history_state){0};
	pb_history_is_other(state, address, &pack->data.sample);
	identity_text(&former.identity, before, sizeof(before));
	identity_text(&state->identity, now, sizeof(now));
	notes_line(pack, PB_LOG_WARNING, NULL,
		   "pack %s: another pack (%s) than before (%s): its history begins anew, the "
		   "earlier one is kept",
		   pack->setup->name, now, before);
	if (plant->handler->replaced)
		plant->handler->replaced(plant->userdata, (size_t)(pack - plant->batteries),
					 &former);
}

/* ---- counting ---- */

void history_pack(struct battery *pack, bool new_reading, bool stale, uint64_t now_ms)
{
	struct pb_history_state *state = &pack->memory.history;
	const char *address = pack->setup->address ? pack->setup->address : "";

	if (stale) {
		pb_history_gap(state, (int64_t)now_ms);
		return;
	}
	if (!new_reading)
		return;
	if (pb_history_is_other(state, address, &pack->data.sample))
		begin_anew(pack, address);
	pb_history_day(state, pack->plant->day, (int64_t)now_ms);
	pb_history_read(state, &pack->data, (int64_t)pack->data.status.sampled_ms, true);
}

void history_bank(struct battery *bank, bool new_reading, bool reading, uint64_t now_ms)
{
	struct pb_history_state *state = &bank->memory.history;
	bool whole = bank->data.members.packs_online == bank->data.members.packs;

	if (!reading || !whole)
		pb_history_gap(state, (int64_t)now_ms);
	if (!reading || !new_reading)
		return;
	pb_history_day(state, bank->plant->day, (int64_t)now_ms);
	pb_history_read(state, &bank->data, (int64_t)now_ms, whole);
}

void history_day(struct pb_plant *plant, int32_t day, uint64_t now_ms)
{
	if (day == plant->day)
		return;
	plant->day = day;
	for (size_t i = 0; i < plant->pack_count + plant->bank_count; i++)
		pb_history_day(&plant->batteries[i].memory.history, day, (int64_t)now_ms);
}

/* ---- what others see ---- */

void history_show(struct battery *battery, uint64_t now_ms)
{
	struct pb_history_state *state = &battery->memory.history;

	pb_history_day(state, battery->plant->day, (int64_t)now_ms);
	pb_history_show(state, (int64_t)now_ms, &battery->data.history);
}

const struct pb_history_state *pb_plant_history(struct pb_plant *plant, size_t battery,
						uint64_t now_ms)
{
	history_show(&plant->batteries[battery], now_ms);
	return &plant->batteries[battery].memory.history;
}

void pb_plant_set_history(struct pb_plant *plant, size_t battery,
			  const struct pb_history_state *state)
{
	plant->batteries[battery].memory.history = *state;
	plant->batteries[battery].version++;
}
