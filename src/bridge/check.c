/* SPDX-License-Identifier: MIT */
/*
 * Checks that need more than the configuration: whether links, codecs, maps and addresses are
 * valid.
 */
#include "listeners.h"
#include "site.h"

#include "packbridge/net.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static void no_map(struct pb_maps *maps, const char *name, char *out, size_t cap)
{
	const char *slash = strrchr(name, '/'), *file = slash ? slash + 1 : name;
	const char *end = strstr(file, ".yaml"), *near = NULL;
	char **names = NULL;

	if (pb_maps_names(maps, &names) == 0)
		near = pb_nearest(name, (const char *const *)names);
	if (slash || end)
		snprintf(out, cap,
			 "no map '%s', expected the name alone, %.*s, of a file in "
			 "/etc/packbridge/maps",
			 name, (int)(end ? end - file : (ptrdiff_t)strlen(file)), file);
	else if (near)
		snprintf(out, cap, "no map '%s', expected '%s' perhaps", name, near);
	else
		snprintf(out, cap, "no map '%s', expected one that `packbridge map list` shows",
			 name);
	pb_maps_names_free(names);
}

/* The program has no maps of its own: reported once, not for each unit. */
static bool has_maps(const struct pb_config *config, struct pb_maps *maps, struct pb_report *report)
{
	char **names = NULL, dirs[600], text[800];
	bool none = pb_maps_names(maps, &names) == 0 && !names[0];

	pb_maps_names_free(names);
	if (!none)
		return true;
	pb_maps_dirs(maps, dirs, sizeof(dirs));
	snprintf(text, sizeof(text),
		 "no maps in %s, expected those of the program: install it completely, or set "
		 "PACKBRIDGE_MAPS to the folder that has packbridge.yaml of its maps",
		 dirs);
	pb_report_at(report, config->file, (struct pb_mark){0}, text);
	return false;
}

/*
 * Loads a map. That it has no such option ("packbridge+lowfirst") is a mistake of the
 * configuration, not of the map's file.
 */
static int get_map(const struct pb_config *config, struct pb_mark mark, const char *name,
		   struct pb_maps *maps, const struct pb_map **ret, struct pb_report *report)
{
	struct pb_report of_options = {0};
	char base[PB_CONFIG_MAP];
	int r;

	snprintf(base, sizeof(base), "%.*s", (int)strcspn(name, "+"), name);
	r = pb_maps_get(maps, base, ret, report);
	if (r < 0 || strcmp(base, name) == 0)
		return r;
	r = pb_maps_get(maps, name, ret, &of_options);
	for (size_t i = 0; i < of_options.told; i++) {
		const char *text = strstr(of_options.lines[i], ": ");

		pb_report_at(report, config->file, mark, text ? text + 2 : of_options.lines[i]);
	}
	pb_report_clear(&of_options);
	return r;
}

/* @maps: NULL when there are none */
static void check_map(const struct pb_config *config, struct pb_mark mark, const char *name,
		      enum pb_scope scope, struct pb_maps *maps, struct pb_report *report)
{
	bool battery = scope == PB_SCOPE_PACK || scope == PB_SCOPE_BANK;
	const struct pb_map *map;
	size_t before = report->count;
	char text[240];
	int r;

	if (pb_report_is_full(report) || !*name || !maps)
		return;
	r = get_map(config, mark, name, maps, &map, report);
	if (r == -ENOENT) {
		no_map(maps, name, text, sizeof(text));
		pb_report_at(report, config->file, mark, text);
	} else if (r < 0 && report->count == before) {
		snprintf(text, sizeof(text), "map '%s' can't be loaded: %s", name,
			 r == -EINVAL ? "it has the errors above" : strerrordesc_np(-r));
		pb_report_at(report, config->file, mark, text);
	} else if (r == 0 && pb_map_scope(map) != scope &&
		   !(battery && pb_map_scope(map) == PB_SCOPE_BATTERY)) {
		snprintf(text, sizeof(text), "map '%s' is for a %s, expected one for a %s", name,
			 pb_scope_name(pb_map_scope(map)), pb_scope_name(scope));
		pb_report_at(report, config->file, mark, text);
	}
}

static void check_link(const struct pb_config *config, const struct pb_pack_config *pack,
		       struct pb_report *report)
{
	struct pb_link_setup setup = {0};
	const struct pb_link_type *type;
	const char *speaks;
	char why[512];

	type = pb_link_find(pack->link, &setup.address, why, sizeof(why));
	if (!type || type->create(NULL, &setup, why, sizeof(why)) < 0) {
		pb_report_at(report, config->file, pack->link_mark, why);
		return;
	}
	speaks = type->speaks ? type->speaks(setup.address) : NULL;
	if (!speaks || strcmp(speaks, pack->protocol) == 0 ||
	    strcmp(pack->protocol, PB_PROTOCOL_AUTO) == 0 || !pb_codec_find(pack->protocol))
		return;
	snprintf(why, sizeof(why),
		 "protocol '%s' on %s, expected protocol: %s, which that link uses", pack->protocol,
		 pack->link, speaks);
	pb_report_at(report, config->file, pack->protocol_mark, why);
}

/* Which protocols have boards that can share a line. */
static void multidrop_protocols(char *out, size_t cap)
{
	int at = 0;

	*out = '\0';
	for (const struct pb_codec *const *codec = pb_codecs; *codec; codec++)
		if ((*codec)->multidrop && at >= 0 && (size_t)at < cap)
			at += snprintf(out + at, cap - (size_t)at, "%s%s", at ? " or " : "",
				       (*codec)->name);
}

/* @return false with the reason in @why. */
static bool good_address(const struct pb_pack_config *pack, char *why, size_t cap)
{
	const struct pb_codec *codec = pb_codec_multidrop(pack->protocol);
	char address[16], names[64], other[200];
	const char *rest;
	const struct pb_link_type *type = pb_link_find(pack->link, &rest, other, sizeof(other));

	snprintf(address, sizeof(address), "address %u", pack->address);
	multidrop_protocols(names, sizeof(names));
	if (type && type != &pb_link_serial && type != &pb_link_tcp)
		snprintf(why, cap, "%s on %s, expected a serial: or tcp: link, which packs share",
			 address, pack->link);
	else if (!codec)
		snprintf(why, cap,
			 "%s with protocol '%s', expected protocol: %s, whose boards can "
			 "share a line",
			 address, pack->protocol, names);
	else if (pack->address > codec->addresses)
		snprintf(why, cap, "%s, expected 1 to %u, which %s boards have", address,
			 codec->addresses, codec->name);
	else
		return true;
	return false;
}

/* What control needs of a pack, beyond its own keys. */
static void check_control(const struct pb_config *config, const struct pb_pack_config *pack,
			  struct pb_report *report)
{
	static const char recording[] = "sim:replay=";
	char why[PB_CONFIG_LINK + 128];

	if (pack->control.mode != PB_CONTROL_OFF &&
	    strncmp(pack->link, recording, strlen(recording)) == 0) {
		snprintf(why, sizeof(why),
			 "control on %s, expected control: off: a recording obeys no command",
			 pack->link);
		pb_report_at(report, config->file, pack->control_mark, why);
	}
	if (*pack->pin && strcmp(pack->protocol, PB_PROTOCOL_AUTO) != 0 &&
	    pb_codec_find(pack->protocol) && pb_codec_find(pack->protocol) != &pb_codec_jbd) {
		snprintf(why, sizeof(why),
			 "a pin with protocol '%s', expected protocol: %s, whose "
			 "boards can have one",
			 pack->protocol, pb_codec_jbd.name);
		pb_report_at(report, config->file, pack->pin_mark, why);
	}
}

static void check_pack(const struct pb_config *config, const struct pb_pack_config *pack,
		       struct pb_maps *maps, struct pb_report *report)
{
	char why[512];

	if (*pack->link)
		check_link(config, pack, report);
	if (*pack->protocol && pb_protocol_check(pack->protocol, why, sizeof(why)) < 0)
		pb_report_at(report, config->file, pack->protocol_mark, why);
	if (pack->address && !good_address(pack, why, sizeof(why)))
		pb_report_at(report, config->file, pack->link_mark, why);
	check_control(config, pack, report);
	check_map(config, pack->map_mark, pack->map, PB_SCOPE_PACK, maps, report);
}

static void check_networks(const struct pb_config *config, char *const *networks,
			   const struct pb_mark *marks, size_t count, struct pb_report *report)
{
	struct pb_network network;
	char why[512];

	for (size_t i = 0; i < count; i++)
		if (pb_network_parse(&network, networks[i], why, sizeof(why)) < 0)
			pb_report_at(report, config->file, marks[i], why);
}

static void check_listen(const struct pb_config *config, const struct pb_listen_config *listen,
			 struct pb_maps *maps, struct pb_report *report)
{
	struct pb_mark mark;
	char why[512];

	if (*listen->address && listener_check(listen, &mark, why, sizeof(why)) < 0)
		pb_report_at(report, config->file, mark, why);
	check_networks(config, listen->allow, listen->allow_marks, listen->allow_count, report);
	check_networks(config, listen->write, listen->write_marks, listen->write_count, report);
	for (size_t i = 0; i < listen->unit_count; i++)
		check_map(config, listen->units[i].map_mark, listen->units[i].map,
			  listen->units[i].pack[0] ? PB_SCOPE_PACK : PB_SCOPE_BANK, maps, report);
}

/* A daemon is started in another folder than the person who writes its file. The folder of the
 * usual places is made at the start, by the unit. */
static int check_folder(const char *path, char *why, size_t why_cap)
{
	const char *slash = strrchr(path, '/');
	int len = slash ? (int)(slash - path) : 0;
	char folder[PB_CONFIG_LINK + 2];

	if (*path != '/') {
		snprintf(why, why_cap, "'%s', expected an absolute path such as /run/packbridge/%s",
			 path, slash ? slash + 1 : path);
		return -EINVAL;
	}
	snprintf(folder, sizeof(folder), "%.*s/.", len, path);
	if (strncmp(PB_CONFIG_CONTROL, path, (size_t)len + 1) == 0 || access(folder, F_OK) == 0 ||
	    (errno != ENOENT && errno != ENOTDIR))
		return 0;
	snprintf(why, why_cap, "%s: its folder does not exist, expected one that exists", path);
	return -ENOENT;
}

/* The usual places are nobody's wish: what is wrong with them is a warning at the start. */
static void check_sockets(const struct pb_config *config, struct pb_report *report)
{
	const struct pb_socket_config *sockets = config->sockets;
	char why[PB_CONFIG_LINK + 256];

	for (int i = 0; i < PB_SOCKETS; i++)
		if (sockets[i].fixed &&
		    (pb_ask_socket_check(sockets[i].path, why, sizeof(why)) < 0 ||
		     check_folder(sockets[i].path, why, sizeof(why)) < 0))
			pb_report_at(report, config->file, sockets[i].mark, why);
}

static void check_http(const struct pb_config *config, struct pb_report *report)
{
	const struct pb_http_section *http = &config->http;
	char why[512];

	if (!http->address[0])
		return;
	if (pb_server_tcp_check(http->address, why, sizeof(why)) < 0)
		pb_report_at(report, config->file, http->mark, why);
	for (size_t i = 0; i < http->host_count; i++)
		if (pb_http_host_check(http->hosts[i], why, sizeof(why)) < 0)
			pb_report_at(report, config->file, http->host_marks[i], why);
	check_networks(config, http->allow, http->allow_marks, http->allow_count, report);
}

int pb_bridge_check(const struct pb_config *config, struct pb_maps *maps, struct pb_report *report)
{
	if (!has_maps(config, maps, report))
		maps = NULL;
	for (size_t i = 0; i < config->pack_count; i++)
		check_pack(config, &config->packs[i], maps, report);
	for (size_t i = 0; i < config->bank_count; i++)
		check_map(config, config->banks[i].map_mark, config->banks[i].map, PB_SCOPE_BANK,
			  maps, report);
	check_map(config, (struct pb_mark){0}, GATEWAY_MAP, PB_SCOPE_GATEWAY, maps, report);
	for (size_t i = 0; i < config->listen_count; i++)
		check_listen(config, &config->listens[i], maps, report);
	check_sockets(config, report);
	check_http(config, report);
	if (check_conflicts(config, report) < 0)
		return -ENOMEM;
	return report->count ? -EINVAL : 0;
}
