/* SPDX-License-Identifier: MIT */
#include "site.h"
#include "packbridge/pack.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- packs ---- */

static void pack_reading(void *userdata, const struct pb_reading *reading)
{
	source_reading(userdata, reading, pb_now_ms());
}

static void pack_says(void *userdata, const struct pb_note *note)
{
	const struct source *source = userdata;
	struct pb_log_about about = source_about(source);

	if (note->level <= PB_LOG_WARNING && note->error != PB_ERROR_NONE)
		about.error = pb_error_text(note->error);
	pb_log_about(note->level, &about, "pack %s: %s", source->data.name, note->text);
}

static const struct pb_reader_handler pack_handler = {.reading = pack_reading, .note = pack_says};

/* All that its session and its link go by. */
static bool same_pack(const struct pb_pack_config *a, const struct pb_pack_config *b)
{
	return !(pb_yaml_changes(pb_config_pack_rows(), a, b) &
		 (PB_CHANGE_REPLACES | PB_CHANGE_RECONNECTS));
}

static struct source *find_same(const struct site *site, const struct pb_pack_config *pack)
{
	for (size_t i = 0; site && i < site->config->pack_count; i++)
		if (same_pack(&site->config->packs[i], pack))
			return &site->show.fleet.sources[i];
	return NULL;
}

struct source *site_pack(const struct site *site, const char *name)
{
	for (size_t i = 0; i < site->config->pack_count; i++)
		if (strcmp(site->config->packs[i].name, name) == 0)
			return &site->show.fleet.sources[i];
	return NULL;
}

int site_start(struct site *site)
{
	int r = 0;

	for (size_t i = 0; r >= 0 && i < site->config->pack_count; i++) {
		struct pb_reader *reader = site->show.fleet.sources[i].reader;

		r = reader->type->start(reader);
	}
	return r;
}

/* ---- what is shown ---- */

static int add_unit(struct site *site, struct view *view, int32_t id, struct source *source,
		    const char *map_name, struct pb_maps *maps, struct pb_report *report)
{
	const struct pb_map *map;
	int r = pb_maps_get(maps, map_name, &map, report);

	return r < 0 ? r : show_face(&site->show, source, map, &view->by_id[id]);
}

static int make_views(struct site *site, struct pb_maps *maps, struct pb_report *report)
{
	const struct pb_config *config = site->config;
	struct fleet *fleet = &site->show.fleet;
	int r = 0;

	for (size_t i = 0; i <= config->listen_count; i++)
		site->views[i].show = &site->show;
	for (size_t i = 0; r >= 0 && i < config->pack_count; i++)
		r = add_unit(site, &site->views[0], config->packs[i].unit, &fleet->sources[i],
			     config->packs[i].map, maps, report);
	for (size_t i = 0; r >= 0 && i < config->bank_count; i++)
		r = add_unit(site, &site->views[0], config->banks[i].unit, fleet_bank(fleet, i),
			     config->banks[i].map, maps, report);
	for (size_t i = 0; i < config->listen_count; i++) {
		const struct pb_listen_config *listen = &config->listens[i];

		for (size_t n = 0; r >= 0 && n < listen->unit_count; n++) {
			const struct pb_show_config *shown = &listen->units[n];

			r = add_unit(site, &site->views[i + 1], shown->unit,
				     shown->pack[0] ? &fleet->sources[shown->index]
						    : fleet_bank(fleet, shown->index),
				     shown->map, maps, report);
		}
	}
	return r;
}

static int make_gateway(struct site *site, const struct site_setup *setup, struct pb_report *report)
{
	struct pb_gateway *gateway = &site->show.gateway;
	const struct pb_map *map;
	int r = pb_maps_get(setup->maps, GATEWAY_MAP, &map, report);

	if (r < 0)
		return r;
	snprintf(gateway->product, sizeof(gateway->product), "packbridge");
	snprintf(gateway->version, sizeof(gateway->version), "%s", setup->version);
	gateway->packs = (int32_t)site->config->pack_count;
	gateway->banks = (int32_t)site->config->bank_count;
	site->show.gateway_map = map;
	r = pb_unit_image_new(&site->show.gateway_image, map);
	if (r >= 0)
		pb_unit_image_describe(site->show.gateway_image, 0, "gateway", NULL);
	return r;
}

struct view *site_view(const struct site *site, size_t index)
{
	return &site->views[site->config->listens[index].unit_count ? index + 1 : 0];
}

/* ---- the whole ---- */

int site_new(struct site **ret, const struct site_setup *setup, const struct site *before,
	     struct pb_report *report)
{
	PB_CLEANUP(site_freep) struct site *site = calloc(1, sizeof(*site));
	const struct pb_config *config = setup->config;
	int r;

	if (!site)
		return -ENOMEM;
	site->config = config;
	site->show.start_ms = setup->start_ms;
	site->show.count = setup->count;
	site->show.userdata = setup->userdata;
	site->views = calloc(config->listen_count + 1, sizeof(*site->views));
	if (!site->views)
		return -ENOMEM;
	r = fleet_init(&site->show.fleet, setup->event, config, setup->version);
	if (r >= 0)
		r = make_gateway(site, setup, report);
	for (size_t i = 0; r >= 0 && i < config->pack_count; i++)
		if (!find_same(before, &config->packs[i]))
			r = pb_bridge_pack(&site->show.fleet.sources[i].reader, &config->packs[i],
					   setup->event, setup->bluez, &pack_handler,
					   &site->show.fleet.sources[i]);
	if (r >= 0)
		r = make_views(site, setup->maps, report);
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
	show_clear(&site->show);
	free(site->views);
	free(site);
	return NULL;
}

static struct source *bank_before(const struct site *before, const char *name)
{
	for (size_t i = 0; i < before->config->bank_count; i++)
		if (strcmp(before->config->banks[i].name, name) == 0)
			return fleet_bank(&before->show.fleet, i);
	return NULL;
}

void site_take(struct site *site, struct site *before)
{
	struct fleet *fleet = &site->show.fleet;
	uint64_t now_ms = pb_now_ms();

	for (size_t i = 0; i < site->config->pack_count; i++)
		if (!fleet->sources[i].reader)
			source_take_pack(&fleet->sources[i],
					 find_same(before, &site->config->packs[i]), now_ms);
	for (size_t i = 0; i < site->config->bank_count; i++) {
		struct source *bank = bank_before(before, site->config->banks[i].name);

		if (bank)
			source_take_bank(fleet_bank(fleet, i), bank, now_ms);
	}
	show_take_writes(&site->show, &before->show);
}
