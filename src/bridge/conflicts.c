/* SPDX-License-Identifier: MIT */
/*
 * Entries that are valid alone but conflict with another one: one pack in two spellings, or one
 * serial line or port used twice. The error of an entry names the first entry that it conflicts
 * with.
 */
#include "listeners.h"
#include "packbridge/net.h"
#include "packbridge/server.h"
#include "packbridge/sim.h"
#include "site.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- packs ---- */

struct pack_place {
	const struct pb_link_type *type; /* NULL: its link is invalid, which is reported already */
	char identity[PB_LINK_IDENTITY];
};

static void find_place(const struct pb_pack_config *pack, struct pack_place *ret)
{
	struct pb_link_setup setup = {0};
	char why[512];

	ret->type = *pack->link ? pb_link_find(pack->link, &setup.address, why, sizeof(why)) : NULL;
	if (ret->type && ret->type->create(NULL, &setup, why, sizeof(why)) < 0)
		ret->type = NULL;
	if (ret->type)
		ret->type->identity(setup.address, ret->identity, sizeof(ret->identity));
}

static bool same_place(const struct pack_place *a, const struct pack_place *b)
{
	return a->type && a->type == b->type && *a->identity &&
	       strcmp(a->identity, b->identity) == 0;
}

/* Several packs share one line when each has an address of its own. */
static bool shares_line(const struct pb_pack_config *a, const struct pb_pack_config *b)
{
	return a->address && b->address && a->address != b->address &&
	       strcmp(a->link, b->link) == 0;
}

static void tell_same_place(const struct pb_pack_config *pack, const struct pb_pack_config *other,
			    char *text, size_t cap)
{
	if (strcmp(other->link, pack->link) != 0)
		snprintf(text, cap,
			 "link '%s' leads to the same device as '%s' of pack '%s', expected %s",
			 pack->link, other->link, other->name,
			 pack->address && other->address ? "the same text" : "another");
	else if (pack->address && pack->address == other->address)
		snprintf(text, cap, "address %u on '%s' is that of pack '%s', expected another",
			 pack->address, pack->link, other->name);
	else if (pack->address || other->address)
		snprintf(text, cap,
			 "link '%s' already leads to pack '%s', and only one of the two has an "
			 "address, expected one for each",
			 pack->link, other->name);
	else
		snprintf(text, cap, "link '%s' already leads to pack '%s', expected another",
			 pack->link, other->name);
}

static void conflicts_check_pack(const struct pb_config *config, const struct pack_place *places,
				 size_t index, struct pb_report *report)
{
	const struct pb_pack_config *pack = &config->packs[index];
	char text[3 * PB_CONFIG_LINK];
	size_t i = 0;

	while (i < index &&
	       (!same_place(&places[i], &places[index]) || shares_line(&config->packs[i], pack)))
		i++;
	if (i == index)
		return;
	tell_same_place(pack, &config->packs[i], text, sizeof(text));
	pb_report_at(report, config->file, pack->link_mark, text);
}

/* Whether what answers at a link's @address is this program. */
static bool is_own_port(const struct pb_config *config, const char *address)
{
	struct pb_endpoint endpoint, reached;
	char loopback[PB_ENDPOINT_MAX];

	if (pb_endpoint_parse(&endpoint, address, PB_ENDPOINT_CONNECT) != PB_ENDPOINT_GOOD)
		return false;
	pb_endpoint_reach(&endpoint, &reached);
	if (!pb_endpoint_is_loopback(&reached))
		return false;
	pb_endpoint_print(&reached, loopback, sizeof(loopback));
	for (size_t i = 0; i <= config->listen_count; i++) {
		const char *own = i == config->listen_count ? config->http.address
				  : config->listens[i].kind == PB_LISTEN_RTU
					  ? ""
					  : config->listens[i].address;

		if (pb_server_tcp_overlap(own, loopback))
			return true;
	}
	return false;
}

static void check_far_end(const struct pb_config *config, const struct pb_pack_config *pack,
			  const struct pack_place *place, struct pb_report *report)
{
	char text[2 * PB_CONFIG_LINK];

	if (place->type != &pb_link_tcp || !is_own_port(config, pack->link + strlen("tcp:")))
		return;
	snprintf(text, sizeof(text),
		 "link '%s' leads to a port that this file listens on, expected the address of the "
		 "device server",
		 pack->link);
	pb_report_at(report, config->file, pack->link_mark, text);
}

/* ---- banks ---- */

/* @return cells of a simulated pack; 0: not known before it is read */
static int conflicts_cells_of(const struct pb_pack_config *pack)
{
	static const char sim[] = "sim:";
	struct pb_sim_options options;
	char why[256];

	if (strncmp(pack->link, sim, strlen(sim)) != 0 ||
	    pb_sim_options_parse(&options, pack->link + strlen(sim), why, sizeof(why)) < 0)
		return 0;
	return options.profile->cells;
}

static void check_bank_cells(const struct pb_config *config, const struct pb_bank_config *bank,
			     struct pb_report *report)
{
	const struct pb_pack_config *first = NULL;
	char text[4 * PB_CONFIG_LINK];

	for (size_t i = 0; i < bank->pack_count; i++) {
		const struct pb_pack_config *pack = &config->packs[bank->packs[i]];
		int cells = bank->packs[i] < config->pack_count ? conflicts_cells_of(pack) : 0;

		if (!first && cells)
			first = pack;
		if (!cells || cells == conflicts_cells_of(first) ||
		    pack->chemistry != first->chemistry)
			continue; /* a different chemistry is reported */
		snprintf(text, sizeof(text),
			 "pack '%s' has %d cells and '%s' %d, expected packs in parallel with the "
			 "same number of cells",
			 first->name, conflicts_cells_of(first), pack->name, cells);
		pb_report_at(report, config->file, bank->packs_mark, text);
		return;
	}
}

/* ---- lines ---- */

static void check_line(const struct pb_config *config, const struct pack_place *places,
		       size_t index, struct pb_report *report)
{
	const struct pb_listen_config *listen = &config->listens[index];
	char line[PB_LINK_IDENTITY], other[PB_LINK_IDENTITY], text[3 * PB_CONFIG_LINK] = "";

	pb_path_canonical(listen->address, line, sizeof(line));
	for (size_t i = 0; i < config->pack_count && !*text; i++)
		if (places[i].type == &pb_link_serial && strcmp(places[i].identity, line) == 0)
			snprintf(text, sizeof(text),
				 "'%s' is the line of pack '%s', expected another: a line is for "
				 "packs or for Modbus masters, not for both",
				 listen->address, config->packs[i].name);
	for (size_t i = 0; i < index && !*text; i++) {
		if (config->listens[i].kind != PB_LISTEN_RTU)
			continue;
		pb_path_canonical(config->listens[i].address, other, sizeof(other));
		if (strcmp(line, other) != 0)
			continue;
		if (strcmp(listen->address, config->listens[i].address) == 0)
			snprintf(text, sizeof(text), "'%s' appears twice, expected another line",
				 listen->address);
		else
			snprintf(text, sizeof(text),
				 "'%s' is the same line as '%s', expected another", listen->address,
				 config->listens[i].address);
	}
	if (*text)
		pb_report_at(report, config->file, listen->mark, text);
}

/* ---- ports ---- */

static bool is_socket(const struct pb_listen_config *listen)
{
	return *listen->address && listen->kind != PB_LISTEN_RTU;
}

/* @count: listeners that stand before it */
static void check_address(const struct pb_config *config, size_t count, const char *address,
			  struct pb_mark mark, struct pb_report *report)
{
	char text[3 * PB_CONFIG_LINK];

	for (size_t i = 0; i < count; i++) {
		const struct pb_listen_config *other = &config->listens[i];

		if (!is_socket(other) || !pb_server_tcp_overlap(other->address, address))
			continue;
		if (strcmp(other->address, address) == 0)
			snprintf(text, sizeof(text), "'%s' appears twice, expected another address",
				 address);
		else
			snprintf(text, sizeof(text),
				 "'%s' has the same port as '%s' of this file, expected another",
				 address, other->address);
		pb_report_at(report, config->file, mark, text);
		return;
	}
}

/* ---- Unix sockets ---- */

static void conflicts_check_sockets(const struct pb_config *config, struct pb_report *report)
{
	const struct pb_socket_config *control = &config->sockets[PB_SOCKET_CONTROL];
	const struct pb_socket_config *status = &config->sockets[PB_SOCKET_STATUS];
	char a[PB_LINK_IDENTITY], b[PB_LINK_IDENTITY];

	pb_path_canonical(control->path, a, sizeof(a));
	pb_path_canonical(status->path, b, sizeof(b));
	if (strcmp(a, b) == 0)
		pb_report_at(report, config->file, status->fixed ? status->mark : control->mark,
			     "control and status are the same path, expected two");
}

int check_conflicts(const struct pb_config *config, struct pb_report *report)
{
	struct pack_place *places = calloc(config->pack_count + 1, sizeof(*places));

	if (!places)
		return -ENOMEM;
	for (size_t i = 0; i < config->pack_count; i++)
		find_place(&config->packs[i], &places[i]);
	for (size_t i = 0; i < config->pack_count; i++) {
		conflicts_check_pack(config, places, i, report);
		check_far_end(config, &config->packs[i], &places[i], report);
	}
	for (size_t i = 0; i < config->bank_count; i++)
		if (config->banks[i].setup.topology == PB_TOPOLOGY_PARALLEL)
			check_bank_cells(config, &config->banks[i], report);
	for (size_t i = 0; i < config->listen_count; i++) {
		const struct pb_listen_config *listen = &config->listens[i];

		if (is_socket(listen))
			check_address(config, i, listen->address, listen->mark, report);
		else if (*listen->address)
			check_line(config, places, i, report);
	}
	if (*config->http.address)
		check_address(config, config->listen_count, config->http.address, config->http.mark,
			      report);
	conflicts_check_sockets(config, report);
	free(places);
	return 0;
}
