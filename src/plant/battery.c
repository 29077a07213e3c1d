/* SPDX-License-Identifier: MIT */
/*
 *  reading --> battery_read() --.
 *                               v
 *  time ----> battery_update_with_banks()
 *               |
 *               |-- battery_update_pack(): pb_bank_single(), pb_limit_step(), pb_alarm_step()
 *               '-- battery_update_bank() of each bank: pb_bank_compute(), pb_alarm_step(),
 *                                                       pb_bank_alarms()
 *
 * Both update functions end alike: notes to the handler, then schedule() for the next time. Quality
 * and age are not kept: they follow from the status and the time, see battery_at().
 */
#include "battery.h"
#include "control.h"
#include "events.h"
#include "history.h"
#include "notes.h"

#include <stdio.h>
#include <string.h>

enum { UNCHANGED_MAX_S = 65534 };

/* ---- time ---- */

static uint64_t first_of(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

static uint64_t turns_stale_ms(const struct pb_status *status, uint64_t now_ms)
{
	return pb_status_is_stale(status, now_ms)
		       ? UINT64_MAX
		       : status->sampled_ms + 1000 * (uint64_t)status->stale_after_s;
}

/* When it has to be updated without a reading. A bank is updated when a pack of it turns stale. */
void battery_schedule(const struct battery *battery)
{
	struct pb_plant *plant = battery->plant;
	uint64_t due_ms = first_of(battery->alarm_ms, pb_repeat_due_ms(&battery->memory.repeat));

	if (!battery->setup->bank) {
		due_ms = first_of(due_ms, battery->stale_ms);
		due_ms = first_of(due_ms, control_due_ms(battery));
	}
	plant->due_ms[battery - plant->batteries] = due_ms;
}

uint16_t battery_heartbeat(const struct pb_plant *plant, uint64_t now_ms)
{
	return (uint16_t)((now_ms - plant->start_ms) / 1000 % 65535 + 1);
}

static void step_alarms(struct battery *battery, bool stale, uint64_t now_ms)
{
	uint32_t changed = pb_alarm_step(battery->setup->alarms, &battery->memory.alarm_state,
					 &battery->data, stale, now_ms, &battery->alarm_ms);

	notes_alarms(battery, changed, now_ms);
	if (changed)
		battery->version++;
}

/* ---- banks ---- */

static size_t list_members(const struct battery *bank, uint64_t now_ms, struct pb_member *ret)
{
	for (size_t i = 0; i < bank->setup->pack_count; i++) {
		const struct pb_battery *pack = &battery_of_bank(bank, i)->data;

		ret[i] = (struct pb_member){
			.battery = pack,
			.stale = pb_status_is_stale(&pack->status, now_ms),
		};
	}
	return bank->setup->pack_count;
}

/* At the start packs come one by one. The state of the bank is known when each pack has been read,
 * or could not be read. */
static bool has_settled(const struct pb_member *members, size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (members[i].battery->status.sequence == 0 &&
		    members[i].battery->status.last_error == PB_ERROR_NONE)
			return false;
	return true;
}

/* @return whether it has a reading */
static bool compute_bank(struct battery *bank, const struct pb_member *members, size_t count,
			 uint64_t now_ms)
{
	bank->stale_ms = UINT64_MAX;
	for (size_t i = 0; i < count; i++)
		bank->stale_ms = first_of(bank->stale_ms,
					  turns_stale_ms(&members[i].battery->status, now_ms));
	bank->version++;
	return pb_bank_compute(bank->setup->bank, members, count, &bank->data);
}

void battery_update_bank(struct battery *bank, bool new_reading, uint64_t now_ms)
{
	struct pb_member members[PB_MEMBERS_MAX] = {0};
	size_t count = list_members(bank, now_ms, members);
	struct pb_status *status = &bank->data.status;
	bool reading = compute_bank(bank, members, count, now_ms);

	bank->memory.settled |= has_settled(members, count);
	/* a bank that a reload has made of packs that were read has a first reading at once */
	if (reading && (new_reading || status->sequence == 0))
		status->sequence = status->sequence == 65535 ? 1 : (uint16_t)(status->sequence + 1);
	notes_members(bank, now_ms);
	notes_limits(bank, now_ms);
	step_alarms(bank, !reading, now_ms);
	pb_bank_alarms(members, count, &bank->data);
	history_bank(bank, new_reading, reading, now_ms);
	events_bank(bank, reading, now_ms);
	battery_schedule(bank);
}

/* ---- packs ---- */

static void battery_sum_up(struct battery *pack, bool stale)
{
	struct pb_plant_summary *summary = &pack->plant->summary;
	bool alarmed = pack->data.alarms.severity == PB_LEVEL_ALARM;

	summary->good += (size_t)!stale - (size_t)pack->good;
	summary->alarms += (size_t)alarmed - (size_t)pack->alarmed;
	pack->good = !stale;
	pack->alarmed = alarmed;
}

void battery_update_pack(struct battery *pack, bool new_reading, uint64_t now_ms)
{
	bool stale = pb_status_is_stale(&pack->data.status, now_ms);

	pack->stale_ms = turns_stale_ms(&pack->data.status, now_ms);
	pack->version++;
	pb_bank_single(&pack->data, stale);
	if (new_reading || stale) {
		pb_limit_step(pack->setup->limits, &pack->memory.limit_state, &pack->data, stale,
			      now_ms);
		notes_limits(pack, now_ms);
	}
	step_alarms(pack, stale, now_ms);
	history_pack(pack, new_reading, stale, now_ms);
	events_pack(pack, new_reading, stale, now_ms);
	battery_sum_up(pack, stale);
	battery_schedule(pack);
}

static void update_banks_of(const struct battery *pack, bool new_reading, uint64_t now_ms)
{
	struct pb_plant *plant = pack->plant;

	for (size_t b = 0; b < plant->bank_count; b++) {
		struct battery *bank = &plant->batteries[plant->pack_count + b];

		for (size_t i = 0; i < bank->setup->pack_count; i++)
			if (battery_of_bank(bank, i) == pack)
				battery_update_bank(bank, new_reading, now_ms);
	}
}

void battery_update_with_banks(struct battery *pack, bool new_reading, uint64_t now_ms)
{
	battery_update_pack(pack, new_reading, now_ms);
	update_banks_of(pack, new_reading, now_ms);
}

void battery_update_limits(struct battery *pack, uint64_t now_ms)
{
	battery_update_pack(pack, true, now_ms);
	update_banks_of(pack, false, now_ms);
}

static void take_sample(struct battery *pack, const struct pb_reading *reading)
{
	uint64_t sampled_ms = reading->status->sampled_ms, unchanged_s;
	struct pb_battery *data = &pack->data;

	if (pack->memory.changed_ms == 0 || !pb_sample_same(&data->sample, reading->sample))
		pack->memory.changed_ms = sampled_ms;
	unchanged_s = (sampled_ms - pack->memory.changed_ms) / 1000;
	data->unchanged_s = unchanged_s < UNCHANGED_MAX_S ? (uint16_t)unchanged_s : UNCHANGED_MAX_S;
	pb_battery_mark(data, PB_HAS_UNCHANGED);
	data->sample = *reading->sample;
	/* `protocol: auto` knows by now */
	snprintf(data->protocol, sizeof(data->protocol), "%s", reading->protocol);
}

/* Only rows that are used: the whole is more than all else of a reading. Most packs have none. */
static void copy_refusals(struct pb_refusals *to, const struct pb_refusals *from)
{
	if (from->count > 0)
		memcpy(to, from,
		       offsetof(struct pb_refusals, rows) + from->count * sizeof(from->rows[0]));
}

void battery_read(struct battery *pack, const struct pb_reading *reading, uint64_t now_ms)
{
	struct pb_battery *data = &pack->data;

	pack->reader.state = reading->state;
	pack->reader.note = *reading->note;
	copy_refusals(pack->refusals, reading->refusals);
	pack->command = *reading->command;
	pack->words++;
	if (!reading->new_status)
		return;
	if (reading->new_reading)
		take_sample(pack, reading);
	data->status = *reading->status;
	data->link_has = reading->has_rssi;
	data->rssi_dbm = reading->rssi_dbm;
	battery_update_with_banks(pack, reading->new_reading, now_ms);
}

void battery_take(struct battery *battery, const struct battery *before)
{
	struct pb_battery *data = &battery->data;

	battery->memory = before->memory;
	battery->command = before->command;
	if (!battery->setup->bank)
		control_take(battery, before, true);
	battery->reader.state = before->reader.state;
	battery->reader.note = before->reader.note;
	if (before->refusals)
		copy_refusals(battery->refusals, before->refusals);
	data->sample = before->data.sample;
	data->has = before->data.has & PB_HAS(PB_HAS_UNCHANGED);
	data->alarms = before->data.alarms;
	data->unchanged_s = before->data.unchanged_s;
	data->status = before->data.status;
	data->link_has = before->data.link_has;
	data->rssi_dbm = before->data.rssi_dbm;
	memcpy(data->protocol, before->data.protocol, sizeof(data->protocol));
}

/* ---- as of now ---- */

enum pb_quality battery_quality(const struct battery *battery, uint64_t now_ms)
{
	struct pb_member members[PB_MEMBERS_MAX];

	if (!battery->setup->bank)
		return pb_status_quality(&battery->data.status, now_ms);
	return pb_bank_quality(battery->setup->bank, members,
			       list_members(battery, now_ms, members));
}

const struct pb_battery *battery_at(struct battery *battery, uint64_t now_ms)
{
	struct pb_member members[PB_MEMBERS_MAX];
	struct pb_battery *data = &battery->data;

	if (battery->setup->bank && now_ms >= battery->stale_ms)
		compute_bank(battery, members, list_members(battery, now_ms, members), now_ms);
	data->quality = battery_quality(battery, now_ms);
	/* a bank has its status of packs that it had under another configuration, too */
	data->age_s = data->quality == PB_QUALITY_NEVER ? PB_AGE_NONE_S
							: pb_status_age_s(&data->status, now_ms);
	data->details_age_s = pb_status_details_age_s(&data->status, now_ms);
	data->heartbeat = battery_heartbeat(battery->plant, now_ms);
	history_show(battery, now_ms);
	control_at(battery, now_ms);
	data->control.inhibit_both =
		data->control.inhibit_charge && data->control.inhibit_discharge;
	return data;
}
