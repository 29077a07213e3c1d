/* SPDX-License-Identifier: MIT */
#include "battery.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static const char *kind_of(const struct source *source)
{
	return source->bank ? "bank" : "pack";
}

struct pb_log_about source_about(const struct source *source)
{
	return (struct pb_log_about){
		.pack = source->bank ? NULL : source->data.name,
		.bank = source->bank ? source->data.name : NULL,
		.unit = source->unit,
	};
}

enum { UNCHANGED_MAX_S = 65534 };

static void has_news(struct source *source)
{
	source->news++;
}

/* ---- what is said ---- */

/* Keys of source.repeat: each alarm with each level, two of each limit, whether a bank lacks packs,
 * or has packs that do not fit, and each cause that a BMS can name. */
enum {
	SAY_CHARGE = PB_ALARM_COUNT * (PB_LEVEL_ALARM + 1),
	SAY_DISCHARGE = SAY_CHARGE + 2,
	SAY_MEMBERS = SAY_DISCHARGE + 2,
	SAY_MIXED = SAY_MEMBERS + 2,
	SAY_CAUSES = SAY_MIXED + 2,
	SAY_KEYS = SAY_CAUSES + PB_PROTECT_COUNT
};

_Static_assert((int)SAY_KEYS <= (int)PB_REPEAT_KEYS, "a bit for each");

static enum pb_level level_of(const struct source *source, int alarm)
{
	return (enum pb_level)source->alarm_state.kinds[alarm].shown;
}

/* An alarm that ends because a reload has switched its rule off says nothing of its cause. */
static bool is_watched(const struct source *source, int alarm)
{
	const struct pb_alarm_rule *rule = &source->alarms->rules[alarm];

	return rule->has_warning || rule->has_alarm;
}

static void say_alarm(const struct source *source, int alarm)
{
	const struct pb_battery *data = &source->data;
	enum pb_level level = level_of(source, alarm);
	const char *name = pb_alarm_name((enum pb_alarm)alarm);
	struct pb_log_about about = source_about(source);
	char what[PB_ALARM_TEXT_MAX];

	pb_alarm_describe((enum pb_alarm)alarm, data, what, sizeof(what));
	about.alarm = name;
	if (level == PB_LEVEL_NONE)
		pb_log_about(PB_LOG_INFO, &about, "%s %s: %s is %s", kind_of(source), data->name,
			     name, is_watched(source, alarm) ? "over" : "no longer watched");
	else
		pb_log_about(level == PB_LEVEL_ALARM ? PB_LOG_ERR : PB_LOG_WARNING, &about,
			     "%s %s: %s: %s, %s", kind_of(source), data->name,
			     level == PB_LEVEL_ALARM ? "ALARM" : "warning", name, what);
}

/* A cause that joins others is no repetition. */
static unsigned int key_of(const struct source *source, int alarm)
{
	uint32_t causes = source->alarm_state.kinds[alarm].new_causes;

	if (alarm == PB_ALARM_PROTECTION && causes)
		return SAY_CAUSES + (unsigned int)__builtin_ctz(causes);
	return (unsigned int)alarm * (PB_LEVEL_ALARM + 1) + level_of(source, alarm);
}

static void say_alarms(struct source *source, uint32_t changed, uint64_t now_ms)
{
	for (int i = 0; i < PB_ALARM_COUNT; i++)
		if (changed >> i & 1 && pb_repeat_say(&source->repeat, key_of(source, i), now_ms))
			say_alarm(source, i);
}

static void say_direction(struct source *source, unsigned int key, const char *what, bool before,
			  bool now, const char *why, uint64_t now_ms)
{
	struct pb_log_about about = source_about(source);

	if (before == now || !pb_repeat_say(&source->repeat, key + now, now_ms))
		return;
	if (now)
		pb_log_about(PB_LOG_INFO, &about, "%s %s: %s again", kind_of(source),
			     source->data.name, what);
	else
		pb_log_about(PB_LOG_WARNING, &about, "%s %s: no more %s: %s", kind_of(source),
			     source->data.name, what, why);
}

static size_t sum_alarm(const struct source *source, int alarm, const char *between, char *out,
			size_t cap)
{
	bool high = level_of(source, alarm) == PB_LEVEL_ALARM;
	char what[PB_ALARM_TEXT_MAX];

	pb_alarm_describe((enum pb_alarm)alarm, &source->data, what, sizeof(what));
	return (size_t)snprintf(out, cap, "%s%s %s, %s", between, high ? "ALARM" : "warning",
				pb_alarm_name((enum pb_alarm)alarm), what);
}

/* What flaps is summed up, with how it stands: the last change may be among those left out. */
static void say_sum(struct source *source, uint64_t now_ms)
{
	uint32_t count = pb_repeat_sum(&source->repeat, now_ms);
	struct pb_log_about about = source_about(source);
	char now[768] = "";
	size_t at = 0;

	if (count == 0)
		return;
	for (int i = 0; i < PB_ALARM_COUNT && at < sizeof(now); i++)
		if (level_of(source, i) != PB_LEVEL_NONE)
			at += sum_alarm(source, i, at ? "; " : "", now + at, sizeof(now) - at);
	pb_log_about(PB_LOG_WARNING, &about,
		     "%s %s: alarms or limits changed %u times more in the last minute; now %s",
		     kind_of(source), source->data.name, count, at ? now : "no alarm");
}

/* Only between two readings that both know; that there is none is said elsewhere, and while the
 * packs of a bank come one by one at the start nothing is. */
static void say_limits(struct source *source, const struct pb_limits *before, uint64_t now_ms)
{
	const struct pb_limits *now = &source->data.limits;
	bool known = source->settled && pb_battery_has(&source->data, PB_HAS_REQUESTS);

	if (known && source->allowed_known) {
		say_direction(source, SAY_CHARGE, "charging", before->charge_allowed,
			      now->charge_allowed, now->charge_current_text, now_ms);
		say_direction(source, SAY_DISCHARGE, "discharging", before->discharge_allowed,
			      now->discharge_allowed, now->discharge_current_text, now_ms);
	}
	source->allowed_known = known;
}

/* How many packs a bank has, when that changes. */
static void say_members(struct source *bank, uint64_t now_ms)
{
	const struct pb_members *m = &bank->data.members;
	struct pb_log_about about = source_about(bank);
	bool lacking = m->packs_online < m->packs;

	if (!bank->settled || m->packs_stale == bank->lacking)
		return;
	bank->lacking = m->packs_stale;
	if (!pb_repeat_say(&bank->repeat, SAY_MEMBERS + lacking, now_ms))
		return;
	if (lacking)
		pb_log_about(PB_LOG_WARNING, &about, "bank %s: %d of %d packs with a good reading",
			     bank->data.name, m->packs_online, m->packs);
	else
		pb_log_about(PB_LOG_INFO, &about, "bank %s: all %d pack%s with a good reading",
			     bank->data.name, m->packs, m->packs == 1 ? "" : "s");
}

/* Once, when it comes and when it goes: the bank has no current meanwhile. */
static void say_mixed(struct source *bank, uint64_t now_ms)
{
	bool mixed = bank->data.members.mixed;
	struct pb_log_about about = source_about(bank);

	if (!bank->settled || mixed == bank->mixed)
		return;
	bank->mixed = mixed;
	if (!pb_repeat_say(&bank->repeat, SAY_MIXED + mixed, now_ms))
		return;
	if (mixed)
		pb_log_about(PB_LOG_ERR, &about,
			     "bank %s: packs side by side differ in cells or voltage: no current "
			     "is allowed",
			     bank->data.name);
	else
		pb_log_about(PB_LOG_INFO, &about, "bank %s: packs have one voltage again",
			     bank->data.name);
}

/* ---- time ---- */

/* When an alarm changes by time alone, or changes are summed up. */
static uint64_t due_ms(const struct source *source)
{
	uint64_t sum_ms = pb_repeat_due_ms(&source->repeat);

	return sum_ms < source->alarm_ms ? sum_ms : source->alarm_ms;
}

static void arm(struct fleet *fleet)
{
	uint64_t next_ms = UINT64_MAX;

	for (size_t i = 0; i < fleet->pack_count + fleet->bank_count; i++)
		if (due_ms(&fleet->sources[i]) < next_ms)
			next_ms = due_ms(&fleet->sources[i]);
	/* one that rings too early does no harm, so it is not put off */
	if (next_ms >= fleet->timer_ms)
		return;
	fleet->timer_ms = next_ms;
	sd_event_source_set_time(fleet->timer, next_ms * 1000);
	sd_event_source_set_enabled(fleet->timer, SD_EVENT_ONESHOT);
}

static void step_alarms(struct source *source, bool old, uint64_t now_ms)
{
	uint32_t changed = pb_alarm_step(source->alarms, &source->alarm_state, &source->data, old,
					 now_ms, &source->alarm_ms);

	say_sum(source, now_ms);
	say_alarms(source, changed, now_ms);
	if (changed)
		has_news(source);
}

/* ---- banks ---- */

static size_t list_members(const struct source *bank, uint64_t now_ms, struct pb_member *ret)
{
	for (size_t i = 0; i < bank->bank->pack_count; i++) {
		const struct source *pack = &bank->fleet->sources[bank->bank->packs[i]];

		ret[i] = (struct pb_member){
			.battery = &pack->data,
			.old = pb_status_is_old(&pack->data.status, now_ms),
		};
	}
	return bank->bank->pack_count;
}

static uint64_t turns_old_ms(const struct pb_member *members, size_t count)
{
	uint64_t first_ms = UINT64_MAX;

	for (size_t i = 0; i < count; i++) {
		const struct pb_status *status = &members[i].battery->status;
		uint64_t ms = status->sampled_ms + 1000 * (uint64_t)status->stale_after_s;

		if (!members[i].old && ms < first_ms)
			first_ms = ms;
	}
	return first_ms;
}

/* At the start, packs come one by one: how the bank is can be told when each has been read, or
 * cannot be. */
static bool has_settled(const struct pb_member *members, size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (members[i].battery->status.sequence == 0 &&
		    members[i].battery->status.last_error == PB_ERROR_NONE)
			return false;
	return true;
}

static void update_bank(struct source *bank, bool new_reading, uint64_t now_ms)
{
	struct pb_member members[PB_MEMBERS_MAX] = {0};
	struct pb_limits limits = bank->data.limits;
	size_t count = list_members(bank, now_ms, members);
	struct pb_status *status = &bank->data.status;

	bank->reading = pb_bank_compute(&bank->bank->setup, members, count, &bank->data);
	bank->old_ms = turns_old_ms(members, count);
	bank->settled |= has_settled(members, count);
	if (new_reading && bank->reading)
		status->sequence = status->sequence == 65535 ? 1 : (uint16_t)(status->sequence + 1);
	has_news(bank);
	say_members(bank, now_ms);
	say_mixed(bank, now_ms);
	say_limits(bank, &limits, now_ms);
	step_alarms(bank, !bank->reading, now_ms);
	pb_bank_alarms(members, count, &bank->data);
}

static void update_banks_of(const struct source *pack, bool new_reading, uint64_t now_ms)
{
	struct fleet *fleet = pack->fleet;
	size_t place = (size_t)(pack - fleet->sources);

	for (size_t b = 0; b < fleet->bank_count; b++) {
		struct source *bank = fleet_bank(fleet, b);

		for (size_t i = 0; i < bank->bank->pack_count; i++)
			if (bank->bank->packs[i] == place)
				update_bank(bank, new_reading, now_ms);
	}
}

/* ---- packs ---- */

static void judge(struct source *pack, bool new_reading, uint64_t now_ms)
{
	bool old = pb_status_is_old(&pack->data.status, now_ms);
	struct pb_limits limits = pack->data.limits;

	pb_bank_single(&pack->data, old);
	if (new_reading || old) {
		pb_limit_step(pack->limits, &pack->limit_state, &pack->data, old, now_ms);
		say_limits(pack, &limits, now_ms);
	}
	step_alarms(pack, old, now_ms);
}

/* For `systemctl status`. */
static void say_state(struct fleet *fleet, uint64_t now_ms)
{
	size_t good = 0, alarms = 0;
	char also[48] = "";

	for (size_t i = 0; i < fleet->pack_count; i++) {
		const struct pb_battery *data = &fleet->sources[i].data;

		good += !pb_status_is_old(&data->status, now_ms);
		alarms += data->alarms.severity == PB_LEVEL_ALARM;
	}
	if (good == fleet->good && alarms == fleet->alarms)
		return;
	fleet->good = good;
	fleet->alarms = alarms;
	if (alarms)
		snprintf(also, sizeof(also), ", %zu with an alarm", alarms);
	pb_notify("STATUS=%zu of %zu packs with a good reading%s", good, fleet->pack_count, also);
}

static void take_sample(struct source *pack, const struct pb_reading *reading)
{
	uint64_t sampled_ms = reading->status->sampled_ms, unchanged_s;
	struct pb_battery *data = &pack->data;

	if (pack->changed_ms == 0 || !pb_sample_same(&data->sample, reading->sample))
		pack->changed_ms = sampled_ms;
	unchanged_s = (sampled_ms - pack->changed_ms) / 1000;
	data->unchanged_s = unchanged_s < UNCHANGED_MAX_S ? (uint16_t)unchanged_s : UNCHANGED_MAX_S;
	data->sample = *reading->sample;
	pb_battery_mark(data, PB_HAS_UNCHANGED);
	/* `protocol: auto` knows by now */
	snprintf(data->protocol, sizeof(data->protocol), "%s", reading->protocol);
}

void source_reading(struct source *source, const struct pb_reading *reading, uint64_t now_ms)
{
	struct pb_battery *data = &source->data;

	source->state = reading->state;
	source->note = *reading->note;
	source->refusals = *reading->refusals;
	if (!reading->new_status)
		return;
	if (reading->new_reading)
		take_sample(source, reading);
	data->status = *reading->status;
	data->link_has = reading->has_rssi;
	data->rssi_dbm = reading->rssi_dbm;
	has_news(source);
	judge(source, reading->new_reading, now_ms);
	update_banks_of(source, reading->new_reading, now_ms);
	arm(source->fleet);
	say_state(source->fleet, now_ms);
}

static void take_judgement(struct source *source, const struct source *before)
{
	source->alarm_state = before->alarm_state;
	source->changed_ms = before->changed_ms;
	source->allowed_known = before->allowed_known;
	source->settled = before->settled;
	source->lacking = before->lacking;
	source->mixed = before->mixed;
	source->repeat = before->repeat;
	source->data.alarms = before->data.alarms;
	source->data.limits = before->data.limits;
}

/* The reading is judged anew, by this configuration. */
void source_take_pack(struct source *source, struct source *before, uint64_t now_ms)
{
	struct pb_battery *data = &source->data;

	take_judgement(source, before);
	source->limit_state = before->limit_state;
	source->reader = before->reader;
	before->reader = NULL;
	source->reader->userdata = source;
	source->state = before->state;
	source->note = before->note;
	source->refusals = before->refusals;
	data->sample = before->data.sample;
	data->has |= before->data.has & PB_HAS(PB_HAS_UNCHANGED);
	data->unchanged_s = before->data.unchanged_s;
	data->status = before->data.status;
	data->link_has = before->data.link_has;
	data->rssi_dbm = before->data.rssi_dbm;
	memcpy(data->protocol, before->data.protocol, sizeof(data->protocol));
	has_news(source);
	judge(source, true, now_ms);
	update_banks_of(source, false, now_ms);
	arm(source->fleet);
}

void source_take_bank(struct source *source, struct source *before, uint64_t now_ms)
{
	take_judgement(source, before);
	source->data.status.sequence = before->data.status.sequence;
	update_bank(source, false, now_ms);
	arm(source->fleet);
}

bool source_is_old(struct source *source, uint64_t now_ms)
{
	if (!source->bank)
		return pb_status_is_old(&source->data.status, now_ms);
	if (now_ms >= source->old_ms) {
		update_bank(source, false, now_ms);
		arm(source->fleet);
	}
	return !source->reading;
}

enum pb_quality source_quality(struct source *source, uint64_t now_ms)
{
	bool old = source_is_old(source, now_ms); /* brings a bank's quality up to date */

	(void)old;
	return source->bank ? source->data.status.quality
			    : pb_status_quality(&source->data.status, now_ms);
}

/* ---- the fleet ---- */

/* Alarms that wait for the time alone: silence, and delays between two readings. */
static int on_timer(sd_event_source *timer, uint64_t usec, void *userdata)
{
	struct fleet *fleet = userdata;
	uint64_t now_ms = pb_now_ms();

	(void)timer;
	(void)usec;
	fleet->timer_ms = UINT64_MAX;
	for (size_t i = 0; i < fleet->pack_count; i++) {
		struct source *pack = &fleet->sources[i];

		if (due_ms(pack) > now_ms)
			continue;
		judge(pack, false, now_ms);
		update_banks_of(pack, false, now_ms);
	}
	for (size_t i = 0; i < fleet->bank_count; i++)
		if (due_ms(fleet_bank(fleet, i)) <= now_ms)
			update_bank(fleet_bank(fleet, i), false, now_ms);
	arm(fleet);
	return 0;
}

static void init_source(struct fleet *fleet, struct source *source, const char *name,
			const char *protocol, const char *version)
{
	struct pb_battery *data = &source->data;

	source->fleet = fleet;
	source->alarm_ms = source->old_ms = UINT64_MAX;
	snprintf(data->name, sizeof(data->name), "%s", name);
	snprintf(data->protocol, sizeof(data->protocol), "%.15s", protocol);
	snprintf(data->software, sizeof(data->software), "%s", version);
}

int fleet_init(struct fleet *fleet, sd_event *event, const struct pb_config *config,
	       const char *version)
{
	uint64_t now_ms = pb_now_ms();
	int r;

	fleet->timer_ms = UINT64_MAX;
	fleet->good = SIZE_MAX;
	fleet->sources = calloc(config->pack_count + config->bank_count, sizeof(*fleet->sources));
	if (!fleet->sources)
		return -ENOMEM;
	fleet->pack_count = config->pack_count;
	fleet->bank_count = config->bank_count;
	r = sd_event_add_time(event, &fleet->timer, CLOCK_BOOTTIME, 0, 1000, on_timer, fleet);
	if (r >= 0)
		r = sd_event_source_set_enabled(fleet->timer, SD_EVENT_OFF);
	if (r < 0)
		return r;
	for (size_t i = 0; i < config->pack_count; i++) {
		const struct pb_pack_config *pack = &config->packs[i];
		struct source *source = &fleet->sources[i];

		init_source(fleet, source, pack->name, pack->protocol, version);
		source->unit = pack->unit;
		source->settled = true;
		source->state = "off";
		source->limits = &pack->limits;
		source->alarms = &pack->alarms;
		source->data.status.stale_after_s = pack->stale_after_s;
		judge(source, false, now_ms);
	}
	for (size_t i = 0; i < config->bank_count; i++) {
		struct source *source = fleet_bank(fleet, i);

		init_source(fleet, source, config->banks[i].name, "bank", version);
		source->unit = config->banks[i].unit;
		source->bank = &config->banks[i];
		source->alarms = &config->banks[i].alarms;
		update_bank(source, false, now_ms);
	}
	arm(fleet);
	return 0;
}

void fleet_clear(struct fleet *fleet)
{
	for (size_t i = 0; i < fleet->pack_count; i++)
		pb_reader_free(fleet->sources[i].reader);
	sd_event_source_unref(fleet->timer);
	free(fleet->sources);
}

int fleet_reset_alarms(struct fleet *fleet, const char *name, uint64_t now_ms)
{
	int r = *name ? -ENOENT : 0;

	for (size_t i = 0; i < fleet->pack_count + fleet->bank_count; i++) {
		struct source *source = &fleet->sources[i];

		if (*name && strcmp(source->data.name, name) != 0)
			continue;
		r = 0;
		pb_alarm_reset(&source->alarm_state);
		if (source->bank) {
			update_bank(source, false, now_ms);
			continue;
		}
		judge(source, false, now_ms);
		update_banks_of(source, false, now_ms);
	}
	arm(fleet);
	return r;
}
