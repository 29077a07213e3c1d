/* SPDX-License-Identifier: MIT */
#include "cli.h"
#include "configfile.h"

#include <stdio.h>

static const char help[] =
	"Usage: packbridge check [-c FILE]\n"
	"Checks a configuration and the maps that it names. Prints every error as\n"
	"file:line:col: what, expected what; without errors, the units and listeners that result.\n"
	"Nothing is opened or contacted.\n\n"
	"  -c, --config FILE  configuration (default " PB_CONFIG_FILE ")\n"
	"  -h, --help         this text\n";

static void print_units(const struct pb_config *config)
{
	puts("unit  pack              map                   poll      stale   link");
	for (size_t i = 0; i < config->pack_count; i++) {
		const struct pb_pack_config *pack = &config->packs[i];

		printf("%4d  %-16s  %-20s  %4u.%u s  %4u s  %s (%s)\n", pack->unit, pack->name,
		       pack->map, pack->poll_ms / 1000, pack->poll_ms % 1000 / 100,
		       pack->stale_after_s, pack->link, pack->protocol);
	}
	puts("0,255 (the gateway)     packbridge-gateway");
}

static void print_listen(const struct pb_listen_config *listen)
{
	if (listen->kind == PB_LISTEN_RTU)
		printf("listen  Modbus RTU on %s, %u baud, %u%c%u\n", listen->address, listen->baud,
		       listen->data_bits, "NEO"[listen->parity], listen -> stop_bits);
	else
		printf("listen  Modbus %s on %s, up to %u clients%s",
		       listen->kind == PB_LISTEN_TCP ? "TCP" : "RTU over TCP", listen->address,
		       listen->max_clients, listen->allow_count ? " from" : "\n");
	for (size_t i = 0; i < listen->allow_count; i++)
		printf(" %s%s", listen->allow[i], i + 1 < listen->allow_count ? "," : "\n");
	if (listen->unit_count)
		puts("        shows instead of the units above:");
	for (size_t i = 0; i < listen->unit_count; i++)
		printf("%4d  %-16s  %s\n", listen->units[i].unit, listen->units[i].pack,
		       listen->units[i].map);
}

int pb_cli_check(int argc, char **argv)
{
	PB_CLEANUP(pb_config_freep) struct pb_config *config = NULL;
	PB_CLEANUP(pb_maps_freep) struct pb_maps *maps = NULL;
	const char *file;
	int status = pb_cli_config_options(argc, argv, help, &file);

	if (status >= 0)
		return status;
	if (pb_cli_config_load(file, &config, &maps) < 0)
		return 1;
	print_units(config);
	for (size_t i = 0; i < config->listen_count; i++)
		print_listen(&config->listens[i]);
	printf("%s: good\n", file);
	return 0;
}
