/* SPDX-License-Identifier: MIT */
/*
 * What `packbridge check` prints about control:
 *
 *	each pack with control      directions, lease, shortest interval
 *	each bank of such packs     how many of them stay closed
 *	each listener with write:   networks, and the units by which they can switch what
 */
#include "check_control.h"

#include "packbridge/net.h"

#include <stdio.h>
#include <string.h>

static bool check_has_control(const struct pb_pack_config *pack)
{
	return pack->control.mode != PB_CONTROL_OFF;
}

static bool any_control(const struct pb_config *config)
{
	for (size_t i = 0; i < config->pack_count; i++)
		if (check_has_control(&config->packs[i]))
			return true;
	return false;
}

/* ---- packs and banks ---- */

static void print_pack(const struct pb_pack_config *pack)
{
	const struct pb_control_setup *control = &pack->control;

	printf("%s: %s may be inhibited", pack->name,
	       control->mode == PB_CONTROL_BOTH ? "charging and discharging" : "charging");
	if (control->lease_s)
		printf(" for %u s after the last renewal; then the switches %s", control->lease_s,
		       control->lease_end == PB_LEASE_KEEP ? "stay as they are"
							   : "are closed again");
	else
		fputs(" until it is released, there is no lease", stdout);
	printf("\n  a switch closes %u s after the last change or later; at most %u changes an "
	       "hour\n",
	       control->min_s, control->per_hour);
}

static void print_bank(const struct pb_config *config, const struct pb_bank_config *bank)
{
	size_t count = 0;

	for (size_t i = 0; i < bank->pack_count; i++)
		count += check_has_control(&config->packs[bank->packs[i]]);
	if (count == 0)
		return;
	printf("bank %s: ", bank->name);
	if (bank->keep_closed)
		printf("at least %u of its %zu packs stay closed in each direction",
		       bank->keep_closed, bank->pack_count);
	else
		fputs("keep_closed is 0, so all packs with control may be inhibited at once",
		      stdout);
	puts(count < bank->pack_count ? "; it is not switched as a whole, since some of its packs "
					"have no control"
				      : "");
}

/* ---- listeners ---- */

/* @return whether clients can switch by this map */
static bool map_has_control(struct pb_maps *maps, const char *name)
{
	struct pb_report report = {0};
	const struct pb_map *map;
	int r = pb_maps_get(maps, name, &map, &report);

	pb_report_clear(&report);
	for (size_t i = 0; r >= 0 && i < pb_map_row_count(map); i++) {
		struct pb_row_info row;

		pb_map_row(map, i, &row);
		if (!row.ignored && row.field &&
		    strncmp(row.field->name, "inhibit_", strlen("inhibit_")) == 0)
			return true;
	}
	return false;
}

/* Prints one unit of a listener, if what it shows can be switched. @return how many were printed */
static size_t print_unit(struct pb_maps *maps, int mode, int32_t unit, const char *name,
			 const char *map, size_t before)
{
	if (mode == PB_CONTROL_OFF)
		return 0;
	printf("%s%s (unit %d, %s", before ? ", " : "", name, unit,
	       mode == PB_CONTROL_BOTH ? "charge and discharge" : "charge");
	if (!map_has_control(maps, map))
		printf(", but map %s has no registers for it", map);
	putchar(')');
	return 1;
}

static size_t print_usual_units(const struct pb_config *config, struct pb_maps *maps)
{
	size_t count = 0;

	for (size_t i = 0; i < config->pack_count; i++) {
		const struct pb_pack_config *pack = &config->packs[i];

		count += print_unit(maps, pack->control.mode, pack->unit, pack->name, pack->map,
				    count);
	}
	for (size_t i = 0; i < config->bank_count; i++) {
		const struct pb_bank_config *bank = &config->banks[i];

		count += print_unit(maps, pb_bank_control(config, bank), bank->unit, bank->name,
				    bank->map, count);
	}
	return count;
}

static size_t print_own_units(const struct pb_config *config, const struct pb_listen_config *listen,
			      struct pb_maps *maps)
{
	size_t count = 0;

	for (size_t i = 0; i < listen->unit_count; i++) {
		const struct pb_show_config *unit = &listen->units[i];
		int mode = unit->pack[0] ? config->packs[unit->index].control.mode
					 : pb_bank_control(config, &config->banks[unit->index]);

		count += print_unit(maps, mode, unit->unit, unit->pack[0] ? unit->pack : unit->bank,
				    unit->map, count);
	}
	return count;
}

static void print_writer(const struct pb_config *config, const struct pb_listen_config *listen,
			 struct pb_maps *maps)
{
	char name[PB_LISTEN_NAME];
	size_t count;

	pb_listen_name(listen, name, sizeof(name));
	printf("%s: ", name);
	if (listen->kind == PB_LISTEN_RTU)
		fputs("the line's master", stdout);
	for (size_t i = 0; i < listen->write_count; i++)
		printf("%s%s", i ? ", " : "", listen->write[i]);
	fputs(" may switch ", stdout);
	count = listen->unit_count ? print_own_units(config, listen, maps)
				   : print_usual_units(config, maps);
	puts(count ? "" : "nothing: no unit here is a pack with control");
}

static bool is_writer(const struct pb_listen_config *listen)
{
	return listen->kind == PB_LISTEN_RTU ? listen->write_line : listen->write_count > 0;
}

void check_print_control(const struct pb_config *config, struct pb_maps *maps)
{
	if (!any_control(config))
		return;
	puts("\ncontrol of the packs' switches; no safety function, no isolation "
	     "(docs/control.md)");
	for (size_t i = 0; i < config->pack_count; i++)
		if (check_has_control(&config->packs[i]))
			print_pack(&config->packs[i]);
	for (size_t i = 0; i < config->bank_count; i++)
		print_bank(config, &config->banks[i]);
	for (size_t i = 0; i < config->listen_count; i++)
		if (is_writer(&config->listens[i]))
			print_writer(config, &config->listens[i], maps);
	printf("this machine: `packbridge switch`, by who may use %s\n",
	       config->sockets[PB_SOCKET_CONTROL].path);
}

/* ---- warnings ---- */

static void warn_pack(const struct pb_pack_config *pack, void (*say)(const char *text))
{
	char text[400];

	if (!check_has_control(pack))
		return;
	if (pack->control.lease_s == 0) {
		snprintf(text, sizeof(text),
			 "pack '%s': lease_s is 0, so a client that dies leaves the pack inhibited "
			 "until somebody releases it",
			 pack->name);
		say(text);
	}
	if (pack->control.mode == PB_CONTROL_BOTH) {
		snprintf(
			text, sizeof(text),
			"pack '%s': with discharge control a client can cut the supply of all that "
			"the pack feeds: also of this machine, its network and the PLC, if they "
			"hang on it",
			pack->name);
		say(text);
	}
}

/* Two networks have an address in common if the larger has the other's first one. */
static bool networks_overlap(const char *one, const char *other)
{
	struct pb_network a, b;
	char why[160];

	return pb_network_parse(&a, one, why, sizeof(why)) >= 0 &&
	       pb_network_parse(&b, other, why, sizeof(why)) >= 0 &&
	       (pb_networks_have(&a, 1, b.address) || pb_networks_have(&b, 1, a.address));
}

static bool may_connect(const struct pb_listen_config *listen, const char *network)
{
	for (size_t i = 0; i < listen->allow_count; i++)
		if (networks_overlap(listen->allow[i], network))
			return true;
	return listen->allow_count == 0;
}

static void warn_network(const struct pb_listen_config *listen, const char *network,
			 void (*say)(const char *text))
{
	char name[PB_LISTEN_NAME], text[2 * PB_LISTEN_NAME];
	const char *slash = strchr(network, '/');

	pb_listen_name(listen, name, sizeof(name));
	if (slash && strcmp(slash, "/0") == 0)
		snprintf(text, sizeof(text),
			 "%s: write: %s lets everyone who can connect switch packs; Modbus has no "
			 "password",
			 name, network);
	else if (!may_connect(listen, network))
		snprintf(text, sizeof(text),
			 "%s: write: %s is not in `allow`, so it cannot connect", name, network);
	else
		return;
	say(text);
}

void check_warn_control(const struct pb_config *config, void (*say)(const char *text))
{
	size_t writers = 0;

	for (size_t i = 0; i < config->pack_count; i++)
		warn_pack(&config->packs[i], say);
	for (size_t i = 0; i < config->listen_count; i++) {
		const struct pb_listen_config *listen = &config->listens[i];

		writers += is_writer(listen);
		for (size_t n = 0; n < listen->write_count; n++)
			warn_network(listen, listen->write[n], say);
	}
	if (any_control(config) && !writers)
		say("packs have control, but no listener has `write:`, so only `packbridge switch` "
		    "on this machine can switch them");
	if (!any_control(config) && writers)
		say("a listener has `write:`, but no pack has control, so nothing can be switched");
}
