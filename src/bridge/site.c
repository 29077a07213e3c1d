/* SPDX-License-Identifier: MIT */
/*
 *	readers ──▶ site_pack ──▶ plant ◀── unit tables ◀── listeners
 *	                           │ ▲
 *	                 notes, deadline  timer
 *
 * The plant is pure; the site drives it: it brings the readings and the time, logs the notes and
 * tells systemd how many packs are well.
 */
#include "site.h"
#include "packbridge/events.h"
#include "packbridge/pack.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

/* ---- the plant's driver ---- */

static void plant_note(void *userdata, enum pb_log_level level, const struct pb_log_about *about,
		       const char *text)
{
	(void)userdata;
	pb_log_about(level, about, "%s", text);
}

static void plant_count(void *userdata, struct pb_gateway *gateway)
{
	const struct site *site = userdata;

	site->count(site->userdata, gateway);
}

static void plant_replaced(void *userdata, size_t pack, const struct pb_history_state *former)
{
	const struct site *site = userdata;

	if (site->replaced)
		site->replaced(site->userdata, site->config->packs[pack].name, former);
}

/* For `systemctl status`. */
static void tell_summary(struct site *site)
{
	struct pb_plant_summary now = pb_plant_summary(site->plant);
	char also[48] = "";

	if (now.good == site->told.good && now.alarms == site->told.alarms)
		return;
	site->told = now;
	if (now.alarms)
		snprintf(also, sizeof(also), ", %zu with an alarm", now.alarms);
	pb_notify("STATUS=%zu of %zu packs with a good reading%s", now.good, now.packs, also);
}

/* The log says so itself as soon as it can; whoever asks for events need not wait for that. */
static void site_tell_losses(struct site *site)
{
	uint32_t left_out = pb_log_left_out();
	struct pb_event event = {.kind = PB_EVENT_LOG_LOST, .level = PB_LEVEL_WARNING};

	if (left_out == site->left_out)
		return;
	site->left_out = left_out;
	snprintf(event.text, sizeof(event.text),
		 "the log did not take all messages: %lu left out since the start",
		 (unsigned long)left_out);
	pb_events_add(site->events, &event, pb_now_ms());
}

/* A timer that rings too early does no harm, so it is not put off by each reading. */
static void site_arm(struct site *site, uint64_t deadline_ms)
{
	if (deadline_ms >= site->timer_ms)
		return;
	site->timer_ms = deadline_ms;
	sd_event_source_set_time(site->timer, deadline_ms * 1000);
	sd_event_source_set_enabled(site->timer, SD_EVENT_ONESHOT);
}

static int plant_command(void *userdata, size_t pack, const struct pb_command *command)
{
	const struct site *site = userdata;
	struct pb_reader *reader = site->packs[pack].reader;

	return reader->type->command(reader, command);
}

/* The step itself waits for the loop: a client's request is being answered. */
static void plant_due(void *userdata)
{
	site_arm(userdata, pb_now_ms());
}

static const struct pb_plant_handler plant_handler = {
	.note = plant_note,
	.count = plant_count,
	.command = plant_command,
	.replaced = plant_replaced,
	.due = plant_due,
};

/* By the clock and time zone as they are set now, which both may change. */
static int32_t local_day(time_t now)
{
	const struct tm *local = localtime(&now); /* unlike localtime_r(), it sees another zone */
	struct tm day = {0};

	if (!pb_clock_is_set(now) || !local)
		return PB_HISTORY_DAY_NONE;
	day.tm_year = local->tm_year;
	day.tm_mon = local->tm_mon;
	day.tm_mday = local->tm_mday;
	return (int32_t)(timegm(&day) / 86400);
}

static int32_t site_day(struct site *site)
{
	time_t now = time(NULL);

	if (now / 60 != site->day_minute) {
		site->day_minute = now / 60;
		site->day = local_day(now);
	}
	return site->day;
}

static void site_step(struct site *site, struct pb_plant_event event)
{
	event.day = site_day(site);
	site_arm(site, pb_plant_step(site->plant, &event, pb_now_ms()));
	tell_summary(site);
	site_tell_losses(site);
}

void site_tick(struct site *site)
{
	site_step(site, (struct pb_plant_event){.type = PB_PLANT_TIME});
}

static int site_on_timer(sd_event_source *timer, uint64_t usec, void *userdata)
{
	struct site *site = userdata;

	(void)timer;
	(void)usec;
	site->timer_ms = UINT64_MAX;
	site_tick(site);
	return 0;
}

int site_reset_alarms(struct site *site, const char *name)
{
	int battery = *name ? pb_plant_find(site->plant, name) : PB_PLANT_ALL;

	if (*name && battery < 0)
		return battery;
	site_step(site, (struct pb_plant_event){.type = PB_PLANT_RESET, .battery = battery});
	return 0;
}

int site_control(struct site *site, const char *name, const struct pb_control_request *request)
{
	int battery = pb_plant_find(site->plant, name), r;

	if (battery < 0)
		return battery;
	r = (int)pb_plant_control(site->plant, (size_t)battery, request, pb_now_ms());
	site_tick(site);
	return r;
}

void site_let_go(struct site *site)
{
	site_step(site, (struct pb_plant_event){.type = PB_PLANT_LET_GO, .battery = PB_PLANT_ALL});
}

bool site_is_closing(const struct site *site)
{
	return pb_plant_is_closing(site->plant);
}

/* ---- packs ---- */

static void count_command(struct site_pack *pack, const struct pb_command_status *command)
{
	if (command->state < PB_COMMAND_DONE || command->number == pack->command)
		return;
	pack->command = command->number;
	pack->commands[command->state]++;
}

static void pack_reading(void *userdata, const struct pb_reading *reading)
{
	struct site_pack *pack = userdata;

	count_command(pack, reading->command);
	site_step(pack->site, (struct pb_plant_event){.type = PB_PLANT_READING,
						      .battery = (int)pack->index,
						      .reading = reading});
}

static void pack_note(void *userdata, const struct pb_note *note)
{
	const struct site_pack *pack = userdata;
	const struct pb_pack_config *config = &pack->site->config->packs[pack->index];
	struct pb_log_about about = {.pack = config->name, .unit = config->unit};

	if (note->level <= PB_LOG_WARNING && note->error != PB_ERROR_NONE)
		about.error = pb_error_text(note->error);
	pb_log_about(note->level, &about, "pack %s: %s", config->name, note->text);
}

static const struct pb_reader_handler pack_handler = {.reading = pack_reading, .note = pack_note};

/* All that its session and its link go by. */
static bool same_pack(const struct pb_pack_config *a, const struct pb_pack_config *b)
{
	return !(pb_yaml_changes(pb_config_pack_rows(), a, b) &
		 (PB_CHANGE_REPLACES | PB_CHANGE_RECONNECTS));
}

static struct site_pack *site_find_same(const struct site *site, const struct pb_pack_config *pack)
{
	for (size_t i = 0; site && i < site->config->pack_count; i++)
		if (same_pack(&site->config->packs[i], pack))
			return &site->packs[i];
	return NULL;
}

/* With another reader it is still the same pack, if it is at the same place. */
static bool has_same_link(const struct site *site, const struct pb_pack_config *pack)
{
	for (size_t i = 0; site && i < site->config->pack_count; i++)
		if (strcmp(site->config->packs[i].name, pack->name) == 0)
			return strcmp(site->config->packs[i].link, pack->link) == 0 &&
			       site->config->packs[i].address == pack->address;
	return false;
}

static int make_readers(struct site *site, const struct site_setup *setup,
			const struct site *before)
{
	const struct pb_config *config = site->config;
	int r = pb_lines_new(&site->lines, config, setup->event, before ? before->lines : NULL);

	for (size_t i = 0; r >= 0 && i < config->pack_count; i++) {
		struct site_pack *pack = &site->packs[i];

		pack->site = site;
		pack->index = i;
		site->batteries[i].keep = site_find_same(before, &config->packs[i]) != NULL;
		site->batteries[i].same_link = has_same_link(before, &config->packs[i]);
		if (!site->batteries[i].keep)
			r = pb_bridge_pack(
				&pack->reader, &config->packs[i], setup->event, setup->bluez,
				pb_lines_of(site->lines, &config->packs[i]), &pack_handler, pack);
	}
	return r;
}

struct pb_reader *site_reader(const struct site *site, const char *name)
{
	for (size_t i = 0; i < site->config->pack_count; i++)
		if (strcmp(site->config->packs[i].name, name) == 0)
			return site->packs[i].reader;
	return NULL;
}

int site_start(struct site *site)
{
	int r = 0;

	for (size_t i = 0; r >= 0 && i < site->config->pack_count; i++)
		r = site->packs[i].reader->type->start(site->packs[i].reader);
	return r;
}

/* ---- the plant ---- */

/* A Bluetooth address is that of the pack. Others are those of a port or a gateway, behind which
 * another pack may stand tomorrow. */
static const char *describe_address(struct site_pack *pack, const char *link)
{
	const char *address = link + strlen("ble:");
	size_t len;

	if (strncmp(link, "ble:", strlen("ble:")) != 0)
		return "";
	len = strspn(address, "0123456789abcdefABCDEF:");
	if (len != sizeof(pack->address) - 1 || (address[len] && address[len] != '@'))
		return "";
	for (size_t i = 0; i < len; i++)
		pack->address[i] = (char)toupper((unsigned char)address[i]);
	return pack->address;
}

static void describe_batteries(struct site *site)
{
	const struct pb_config *config = site->config;
	struct pb_battery_setup *battery = site->batteries;

	for (size_t i = 0; i < config->pack_count; i++) {
		const struct pb_pack_config *pack = &config->packs[i];

		*battery++ = (struct pb_battery_setup){
			.name = pack->name,
			.protocol = pack->protocol,
			.unit = pack->unit,
			.alarms = &pack->alarms,
			.limits = &pack->limits,
			.stale_after_s = pack->stale_after_s,
			.address = describe_address(&site->packs[i], pack->link),
			.control = &pack->control,
		};
	}
	for (size_t i = 0; i < config->bank_count; i++) {
		const struct pb_bank_config *bank = &config->banks[i];

		*battery++ = (struct pb_battery_setup){
			.name = bank->name,
			.protocol = "bank",
			.unit = bank->unit,
			.alarms = &bank->alarms,
			.bank = &bank->setup,
			.packs = bank->packs,
			.pack_count = bank->pack_count,
			.keep_closed = bank->keep_closed,
		};
	}
}

static int make_plant(struct site *site, const struct site_setup *setup, struct pb_report *report)
{
	const struct pb_config *config = site->config;
	struct pb_plant_setup plant = {
		.batteries = site->batteries,
		.pack_count = config->pack_count,
		.bank_count = config->bank_count,
		.table_count = config->listen_count + 1,
		.version = setup->version,
		.start_ms = setup->start_ms,
		.events = setup->events,
		.handler = &plant_handler,
		.userdata = site,
	};
	int r = pb_maps_get(setup->maps, GATEWAY_MAP, &plant.gateway_map, report);

	describe_batteries(site);
	return r < 0 ? r : pb_plant_new(&site->plant, &plant);
}

static int site_add_unit(struct site *site, size_t table, int32_t id, size_t battery,
			 const char *map_name, struct pb_maps *maps, struct pb_report *report)
{
	const struct pb_map *map;
	int r = pb_maps_get(maps, map_name, &map, report);

	return r < 0 ? r : pb_plant_add_unit(site->plant, table, id, battery, map);
}

/* The first table has each battery as its own unit; then there is one for each listener. */
static int site_add_units(struct site *site, struct pb_maps *maps, struct pb_report *report)
{
	const struct pb_config *config = site->config;
	size_t banks = config->pack_count; /* index of the first */
	int r = 0;

	for (size_t i = 0; r >= 0 && i < config->pack_count; i++)
		r = site_add_unit(site, 0, config->packs[i].unit, i, config->packs[i].map, maps,
				  report);
	for (size_t i = 0; r >= 0 && i < config->bank_count; i++)
		r = site_add_unit(site, 0, config->banks[i].unit, banks + i, config->banks[i].map,
				  maps, report);
	for (size_t i = 0; i < config->listen_count; i++) {
		const struct pb_listen_config *listen = &config->listens[i];

		for (size_t n = 0; r >= 0 && n < listen->unit_count; n++) {
			const struct pb_show_config *unit = &listen->units[n];

			r = site_add_unit(site, i + 1, unit->unit,
					  unit->pack[0] ? unit->index : banks + unit->index,
					  unit->map, maps, report);
		}
	}
	return r;
}

struct pb_unit_table *site_table(const struct site *site, size_t index)
{
	return pb_plant_table(site->plant, site->config->listens[index].unit_count ? index + 1 : 0);
}

/* ---- the whole ---- */

static int init_site(struct site *site, const struct site_setup *setup)
{
	const struct pb_config *config = setup->config;
	int r;

	site->config = config;
	site->timer_ms = UINT64_MAX;
	site->told.good = SIZE_MAX; /* nothing yet */
	site->events = setup->events;
	site->left_out = pb_log_left_out();
	site->count = setup->count;
	site->replaced = setup->replaced;
	site->userdata = setup->userdata;
	site->packs = calloc(config->pack_count, sizeof(*site->packs));
	site->batteries = calloc(config->pack_count + config->bank_count, sizeof(*site->batteries));
	if (!site->packs || !site->batteries)
		return -ENOMEM;
	r = sd_event_add_time(setup->event, &site->timer, CLOCK_BOOTTIME, 0, 1000, site_on_timer,
			      site);
	return r < 0 ? r : sd_event_source_set_enabled(site->timer, SD_EVENT_OFF);
}

int site_new(struct site **ret, const struct site_setup *setup, const struct site *before,
	     struct pb_report *report)
{
	PB_CLEANUP(site_freep) struct site *site = calloc(1, sizeof(*site));
	int r;

	if (!site)
		return -ENOMEM;
	r = init_site(site, setup);
	if (r >= 0)
		r = make_plant(site, setup, report);
	if (r >= 0)
		r = make_readers(site, setup, before);
	if (r >= 0)
		r = site_add_units(site, setup->maps, report);
	if (r < 0)
		return r;
	*ret = site;
	site = NULL;
	return 0;
}

struct site *site_free(struct site *site)
{
	if (!site)
		return NULL;
	for (size_t i = 0; site->packs && i < site->config->pack_count; i++)
		pb_reader_free(site->packs[i].reader);
	sd_event_source_disable_unref(site->timer);
	pb_plant_free(site->plant);
	pb_lines_free(site->lines);
	free(site->packs);
	free(site->batteries);
	free(site);
	return NULL;
}

static void take_readers(struct site *site, const struct site *before)
{
	for (size_t i = 0; i < site->config->pack_count; i++) {
		struct site_pack *pack = &site->packs[i];
		struct site_pack *old = site_find_same(before, &site->config->packs[i]);

		if (!old || !old->reader)
			continue;
		pack->reader = old->reader;
		pack->command = old->command;
		memcpy(pack->commands, old->commands, sizeof(pack->commands));
		pack->reader->userdata = pack;
		old->reader = NULL;
	}
}

void site_take(struct site *site, struct site *before)
{
	if (before) {
		take_readers(site, before);
		pb_plant_take(site->plant, before->plant);
	}
	pb_lines_apply(site->lines);
	site_step(site, (struct pb_plant_event){.type = PB_PLANT_START});
}
