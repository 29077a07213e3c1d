/* SPDX-License-Identifier: MIT */
/*
 * Which units an export is about, by which maps and under which names. Without --config they are
 * those of --unit; with it, those of a listener of the configuration, and --unit picks some of
 * them.
 */
#include "map_units.h"

#include "configfile.h"
#include "export_target.h"

#include <errno.h>
#include <string.h>

#define GATEWAY_MAP "packbridge-gateway"

static unsigned int usual_unit(enum pb_scope scope)
{
	return scope == PB_SCOPE_GATEWAY ? 0 : scope == PB_SCOPE_BANK ? 100 : 1;
}

/* ---- one unit ---- */

/* Names go into all kinds of files, so they are of the kind that configurations have. */
static bool map_units_is_name(const char *name, size_t len)
{
	static const char good[] =
		"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
	size_t i = 0;

	while (i < len && strchr(good, name[i]))
		i++;
	return len > 0 && len < PB_CONFIG_NAME && i == len;
}

static bool is_gateway(unsigned int unit)
{
	return unit == 0 || unit == 255;
}

/* Units that would fit are listed by their numbers. */
static int refuse_more(const struct map_export *work)
{
	char list[64] = "";
	size_t at = 0;

	for (size_t i = 0; i < work->job.count && at < sizeof(list) - 8; i++)
		at += (size_t)snprintf(list + at, sizeof(list) - at, "%s%u", i ? "," : "",
				       work->units[i].unit);
	return map_refuse(
		"%s takes %zu unit%s in one export, expected --unit with so many, such as "
		"--unit %s",
		work->format->name, work->format->units_max, work->format->units_max > 1 ? "s" : "",
		list);
}

static void name_unit(struct pb_export_unit *unit, const char *name)
{
	enum pb_scope scope = pb_map_scope(unit->map);

	if (*name)
		snprintf(unit->name, sizeof(unit->name), "%s", name);
	else if (scope == PB_SCOPE_GATEWAY)
		snprintf(unit->name, sizeof(unit->name), "gateway");
	else
		snprintf(unit->name, sizeof(unit->name), "%s %u", pb_scope_name(scope), unit->unit);
	pb_export_identifier(unit->name, unit->id, sizeof(unit->id));
}

static int check_unit(const struct map_export *work, const struct pb_export_unit *unit)
{
	bool gateway = pb_map_scope(unit->map) == PB_SCOPE_GATEWAY;

	if (is_gateway(unit->unit) && !gateway)
		return map_refuse("unit %u is the gateway, and %s is not a map of the gateway",
				  unit->unit, pb_map_name(unit->map));
	if (gateway && !is_gateway(unit->unit))
		return map_refuse("%s is a map of the gateway, which is unit 0 or 255, not %u",
				  pb_map_name(unit->map), unit->unit);
	for (size_t i = 0; i < work->job.count; i++) {
		const struct pb_export_unit *other = &work->units[i];

		if (other->unit == unit->unit)
			return map_refuse("unit %u appears twice, expected once", unit->unit);
		if (strcmp(other->id, unit->id) == 0)
			return map_refuse("units %u and %u are both called '%s', expected names of "
					  "their own: --unit %u=NAME,%u=NAME",
					  other->unit, unit->unit, unit->name, other->unit,
					  unit->unit);
	}
	return 0;
}

static int add_unit(struct map_export *work, unsigned int number, const char *name,
		    const struct pb_map *map)
{
	struct pb_export_unit *unit = &work->units[work->job.count];
	int r;

	if (work->job.count == work->format->units_max || work->job.count == MAP_UNITS_MAX)
		return refuse_more(work);
	*unit = (struct pb_export_unit){.map = map, .unit = number};
	name_unit(unit, name);
	r = check_unit(work, unit);
	if (r >= 0)
		work->job.count++;
	return r;
}

/* ---- units of the command line ---- */

/* One entry of --unit: N[=NAME][:MAP]. */
struct asked {
	unsigned int unit;
	char name[PB_CONFIG_NAME], map[PB_CONFIG_MAP];
};

static int read_asked(const char *text, size_t len, struct asked *ret)
{
	char entry[PB_CONFIG_NAME + PB_CONFIG_MAP + 8], *map, *name;
	int64_t unit;

	*ret = (struct asked){0};
	if (len >= sizeof(entry))
		return map_refuse("--unit, an entry of %zu characters", len);
	snprintf(entry, sizeof(entry), "%.*s", (int)len, text);
	map = strchr(entry, ':');
	if (map)
		*map++ = '\0';
	name = strchr(entry, '=');
	if (name)
		*name++ = '\0';
	if (pb_int_parse(entry, 0, 255, &unit) < 0)
		return map_refuse("--unit, '%s', expected a number from 0 to 255", entry);
	if (name && !map_units_is_name(name, strlen(name)))
		return map_refuse("--unit, name '%s', expected up to 31 letters, digits, - and _",
				  name);
	if (map && (!*map || strchr(map, '/') || strlen(map) >= PB_CONFIG_MAP))
		return map_refuse("--unit, map '%s', expected a map's name", map);
	ret->unit = (unsigned int)unit;
	snprintf(ret->name, sizeof(ret->name), "%s", name ? name : "");
	snprintf(ret->map, sizeof(ret->map), "%s", map ? map : "");
	return 0;
}

/* @next: where to go on, NULL at the end. */
static int next_asked(const char **next, struct asked *ret)
{
	const char *entry;
	size_t len = map_next_entry(next, &entry);

	return read_asked(entry, len, ret);
}

static const struct pb_map *asked_map(struct map_export *work, const struct asked *asked,
				      const struct pb_map *usual)
{
	if (*asked->map)
		return pb_cli_find_map(work->maps, "map", asked->map);
	if (is_gateway(asked->unit) && pb_map_scope(usual) != PB_SCOPE_GATEWAY)
		return pb_cli_find_map(work->maps, "map", GATEWAY_MAP);
	return usual;
}

static int add_asked(struct map_export *work, const struct pb_map *map)
{
	const char *next = work->options.units;
	struct asked asked;
	int r = 0;

	if (!next)
		return add_unit(work, usual_unit(pb_map_scope(map)), "", map);
	while (r >= 0 && next) {
		const struct pb_map *shown = NULL;

		r = next_asked(&next, &asked);
		if (r >= 0)
			shown = asked_map(work, &asked, map);
		if (r >= 0)
			r = shown ? add_unit(work, asked.unit, asked.name, shown) : -ENOENT;
	}
	return r;
}

/* ---- units of a configuration ---- */

/* Whether a unit is wanted, and the name that --unit gives it, "" for none. */
static bool is_picked(struct map_export *work, unsigned int unit, struct asked *ret)
{
	const char *next = work->options.units;

	while (next)
		if (next_asked(&next, ret) >= 0 && ret->unit == unit)
			return true;
	*ret = (struct asked){0};
	return !work->options.units && !is_gateway(unit);
}

static int add_configured(struct map_export *work, int32_t unit, const char *name,
			  const char *map_name)
{
	struct pb_report report = {0};
	const struct pb_map *map = NULL;
	struct asked asked;
	int r;

	if (!is_picked(work, (unsigned int)unit, &asked))
		return 0;
	r = pb_maps_get(work->config_maps, map_name, &map, &report);
	pb_report_print(&report, stderr);
	pb_report_clear(&report);
	if (r < 0)
		return r;
	return add_unit(work, (unsigned int)unit, *asked.name ? asked.name : name, map);
}

static const char *shown_name(const struct pb_show_config *show)
{
	return *show->pack ? show->pack : show->bank;
}

/* What a listener shows as several units has their numbers behind its name, whichever are picked.
 */
static void name_shown(const struct pb_listen_config *listen, size_t unit, char *out, size_t cap)
{
	const char *name = shown_name(&listen->units[unit]);
	size_t shown = 0;

	for (size_t i = 0; i < listen->unit_count; i++)
		shown += strcmp(shown_name(&listen->units[i]), name) == 0;
	if (shown > 1)
		snprintf(out, cap, "%s-%d", name, (int)listen->units[unit].unit);
	else
		snprintf(out, cap, "%s", name);
}

static int add_own_units(struct map_export *work, const struct pb_listen_config *listen)
{
	char name[PB_EXPORT_NAME];
	int r = 0;

	for (size_t i = 0; r >= 0 && i < listen->unit_count; i++) {
		name_shown(listen, i, name, sizeof(name));
		r = add_configured(work, listen->units[i].unit, name, listen->units[i].map);
	}
	return r;
}

static int add_all_units(struct map_export *work)
{
	const struct pb_config *config = work->config;
	int r = 0;

	for (size_t i = 0; r >= 0 && i < config->pack_count; i++)
		r = add_configured(work, config->packs[i].unit, config->packs[i].name,
				   config->packs[i].map);
	for (size_t i = 0; r >= 0 && i < config->bank_count; i++)
		r = add_configured(work, config->banks[i].unit, config->banks[i].name,
				   config->banks[i].map);
	return r;
}

static const struct pb_listen_config *find_listener(const struct map_export *work)
{
	const struct pb_config *config = work->config;

	for (size_t i = 0; i < config->listen_count; i++)
		if (!work->options.listener ||
		    strcmp(config->listens[i].address, work->options.listener) == 0)
			return &config->listens[i];
	return NULL;
}

/* An address that stands for all of the machine's is none that a client can connect to. */
static bool is_any(const char *address)
{
	return strncmp(address, "0.0.0.0:", 8) == 0 || strncmp(address, "[::]:", 5) == 0 ||
	       address[0] == ':' || address[0] == '*';
}

static int listener_target(struct map_export *work, const struct pb_listen_config *listen)
{
	static const char *const ways[PB_LISTEN_KINDS] = {[PB_LISTEN_TCP] = "tcp",
							  [PB_LISTEN_RTU] = "rtu",
							  [PB_LISTEN_RTU_TCP] = "rtu-over-tcp"};
	char text[PB_CONFIG_LINK + 64], why[160];

	if (work->options.host)
		return 0;
	if (listen->kind != PB_LISTEN_RTU && is_any(listen->address))
		return map_refuse(
			"%s: %s takes every address of this machine, expected --host with "
			"the one that clients use",
			work->options.config, listen->address);
	if (listen->kind == PB_LISTEN_RTU)
		return map_refuse("%s: %s is this machine's end of a line, expected --host "
				  "rtu:DEVICE@%u with the client's end",
				  work->options.config, listen->address, listen->baud);
	snprintf(text, sizeof(text), "%s:%s", ways[listen->kind], listen->address);
	if (pb_export_target_read(&work->job.target, text, why, sizeof(why)) < 0)
		return map_refuse("%s: %s", work->options.config, why);
	return 0;
}

/* The entries of --unit, before anything is loaded. */
static int check_asked(const struct map_export *work)
{
	const char *next = work->options.units;
	bool seen[256] = {false};
	struct asked asked;
	int r = 0;

	while (r >= 0 && next) {
		r = next_asked(&next, &asked);
		if (r >= 0 && *asked.map)
			return map_refuse("--unit, map '%s', expected none with --config, which "
					  "has the map of unit %u",
					  asked.map, asked.unit);
		if (r >= 0 && seen[asked.unit])
			return map_refuse("unit %u appears twice, expected once", asked.unit);
		seen[asked.unit] = true;
	}
	return r;
}

/* Each entry of --unit has its unit. */
static int check_found(const struct map_export *work)
{
	const char *next = work->options.units;
	struct asked asked;

	while (next && next_asked(&next, &asked) >= 0) {
		size_t i = 0;

		while (i < work->job.count && work->units[i].unit != asked.unit)
			i++;
		if (i == work->job.count)
			return map_refuse("%s has no unit %u at this listener",
					  work->options.config, asked.unit);
	}
	return 0;
}

static int add_gateway(struct map_export *work)
{
	int r = add_configured(work, 0, "", GATEWAY_MAP);

	return r < 0 ? r : add_configured(work, 255, "", GATEWAY_MAP);
}

static int add_config(struct map_export *work)
{
	const struct pb_listen_config *listen;
	int r = check_asked(work);

	if (r >= 0)
		r = pb_cli_config_load(work->options.config, &work->config, &work->config_maps);
	if (r < 0)
		return r;
	listen = find_listener(work);
	if (!listen && (work->options.listener || !work->options.host))
		return map_refuse("%s has no listener%s%s", work->options.config,
				  work->options.listener ? " " : "",
				  work->options.listener ? work->options.listener : "");
	r = listen ? listener_target(work, listen) : 0;
	if (r >= 0)
		r = add_gateway(work);
	if (r >= 0)
		r = listen && listen->unit_count ? add_own_units(work, listen)
						 : add_all_units(work);
	if (r >= 0)
		r = check_found(work);
	if (r >= 0 && work->job.count == 0)
		return map_refuse("%s has no units", work->options.config);
	return r;
}

int map_units(struct map_export *work, const char *name)
{
	const struct pb_map *map;

	if (work->options.config)
		return add_config(work);
	map = pb_cli_find_map(work->maps, "map", name);
	return map ? add_asked(work, map) : -ENOENT;
}
