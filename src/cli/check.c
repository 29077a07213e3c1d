/* SPDX-License-Identifier: MIT */
#include "check_control.h"
#include "check_probe.h"
#include "cli.h"
#include "configfile.h"
#include "options.h"
#include "warnings.h"

#include "packbridge/server.h"
#include "packbridge/yaml.h"

#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <string.h>

static const char help[] =
	"Usage: packbridge check [FILE] [--probe]\n"
	"Checks a configuration and all maps. Prints every error as file:line:col: what, expected\n"
	"what. (A syntax error of YAML is printed alone, since nothing after it can be read.)\n"
	"Without errors, prints the resulting units and listeners, the limits of each pack's "
	"charge\n"
	"and discharge current, and who may switch which packs.\n"
	"Without --probe, opens and contacts nothing. With --probe, connects to each pack for up "
	"to a\n"
	"minute, and shows its protocol and values, or what to do. Stop a running daemon first,\n"
	"since it is connected to its packs. The exit status is 1 if a pack has no reading.\n"
	"\n"
	"  -c, --config FILE  the same as FILE (default " PB_CONFIG_FILE ")\n"
	"  -p, --probe        connect to the packs\n"
	"  -h, --help         this text\n";

static void print_units(const struct pb_config *config)
{
	puts("unit  pack              map                   poll      stale   link");
	for (size_t i = 0; i < config->pack_count; i++) {
		const struct pb_pack_config *pack = &config->packs[i];
		char address[24] = "";

		if (pack->address)
			snprintf(address, sizeof(address), ", address %u", pack->address);
		printf("%4d  %-16s  %-20s  %4u.%u s  %4u s  %s (%s%s)\n", pack->unit, pack->name,
		       pack->map, pack->poll_ms / 1000, pack->poll_ms % 1000 / 100,
		       pack->stale_after_s, pack->link, pack->protocol, address);
	}
	for (size_t i = 0; i < config->bank_count; i++) {
		const struct pb_bank_config *bank = &config->banks[i];

		printf("%4d  %-16s  %-20s  bank of", bank->unit, bank->name, bank->map);
		for (size_t n = 0; n < bank->pack_count; n++)
			printf("%s %s", n ? "," : "", config->packs[bank->packs[n]].name);
		printf(" in %s; %s\n",
		       bank->setup.topology == PB_TOPOLOGY_SERIES ? "series" : "parallel",
		       bank->setup.missing == PB_MISSING_FAULT
			       ? "without a pack, it has no reading"
			       : "packs without a reading are left out");
	}
	puts("0,255 (the gateway)     packbridge-gateway");
}

/* ---- limits ---- */

/* Thousandths, or tenths of a percent, as a person writes them: "3.45", "12.5". */
static void print_number(int32_t value, int32_t factor)
{
	char text[32];
	size_t len;

	snprintf(text, sizeof(text), "%.*f", factor == 1000 ? 3 : 1,
		 (double)value / (double)factor);
	len = strlen(text);
	while (text[len - 1] == '0')
		text[--len] = '\0';
	if (text[len - 1] == '.')
		text[--len] = '\0';
	fputs(text, stdout);
}

static void print_curve(const char *name, const struct pb_curve *curve, int32_t factor,
			const char *unit)
{
	printf("  %-26s ", name);
	if (curve->count == 0)
		fputs("off", stdout);
	for (size_t i = 0; i < curve->count; i++) {
		fputs(i ? ", " : "", stdout);
		print_number(curve->points[i].at, factor);
		printf(" %s ", unit);
		print_number(curve->points[i].permille, 10);
		fputs(" %", stdout);
	}
	putchar('\n');
}

static void print_maximum(const char *what, int32_t max_ma, int32_t rate)
{
	printf("%s up to ", what);
	if (max_ma) {
		print_number(max_ma, 1000);
		fputs(" A", stdout);
	} else {
		print_number(rate, 1000);
		fputs(" C (of the nominal capacity)", stdout);
	}
}

static void print_limits(const struct pb_pack_config *pack)
{
	const struct pb_limit_setup *s = &pack->limits;

	printf("%s: %s, ", pack->name, pb_chemistry_names[pack->chemistry]);
	print_maximum("charge", s->charge_max_ma, s->charge_rate);
	fputs(" and ", stdout);
	print_number(s->absorption_mv, 1000);
	fputs(" V a cell", stdout);
	if (s->to_float) {
		fputs(", then ", stdout);
		print_number(s->float_mv, 1000);
		fputs(" V", stdout);
	}
	fputs("; ", stdout);
	print_maximum("discharge", s->discharge_max_ma, s->discharge_rate);
	fputs(" and down to ", stdout);
	print_number(s->empty_mv, 1000);
	puts(" V");
	print_curve("charge, highest cell", &s->charge_by_cell, 1000, "V");
	print_curve("discharge, lowest cell", &s->discharge_by_cell, 1000, "V");
	print_curve("charge, temperature", &s->charge_by_temperature, 1000, "degC");
	print_curve("discharge, temperature", &s->discharge_by_temperature, 1000, "degC");
	print_curve("charge, state of charge", &s->charge_by_soc, 10, "%");
	print_curve("discharge, state of charge", &s->discharge_by_soc, 10, "%");
}

static bool same_limits(const struct pb_pack_config *a, const struct pb_pack_config *b)
{
	return a->chemistry == b->chemistry &&
	       !pb_yaml_differs(pb_config_limit_rows(), &a->limits, &b->limits);
}

/* Packs with the same limits are printed together. */
static void print_all_limits(const struct pb_config *config)
{
	puts("\nlimits, in % of the largest current; straight between the points");
	for (size_t i = 0; i < config->pack_count; i++) {
		const struct pb_pack_config *pack = &config->packs[i];
		size_t same = 0;

		while (!same_limits(&config->packs[same], pack))
			same++;
		if (same == i)
			print_limits(pack);
		else
			printf("%s: as %s\n", pack->name, config->packs[same].name);
	}
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
		puts("        serves instead of the units above:");
	for (size_t i = 0; i < listen->unit_count; i++)
		printf("%4d  %-16s  %s\n", listen->units[i].unit,
		       listen->units[i].pack[0] ? listen->units[i].pack : listen->units[i].bank,
		       listen->units[i].map);
}

/* Maps that nothing shows yet are checked, too: whoever writes one asks here. @return 0, -EINVAL */
static int check_maps(struct pb_maps *maps)
{
	struct pb_report report = {0};
	char **names = NULL;
	int r = pb_maps_names(maps, &names);

	for (char **name = names; r >= 0 && *name; name++) {
		const struct pb_map *map;

		pb_maps_get(maps, *name, &map, &report);
	}
	pb_report_print(&report, stderr);
	if (report.count)
		r = -EINVAL;
	pb_report_clear(&report);
	pb_maps_names_free(names);
	return r;
}

static void print_list(const char *before, char *const *texts, size_t count)
{
	for (size_t i = 0; i < count; i++)
		printf("%s%s", i ? ", " : before, texts[i]);
}

static void check_print_page(const struct pb_http_section *http)
{
	printf("page    http://%s", http->address);
	print_list(", from ", http->allow, http->allow_count);
	print_list(", also as ", http->hosts, http->host_count);
	putchar('\n');
}

static void print_warning(const char *text)
{
	printf("\nwarning: %s\n", text);
}

int pb_cli_check(int argc, char **argv)
{
	PB_CLEANUP(pb_config_freep) struct pb_config *config = NULL;
	PB_CLEANUP(pb_maps_freep) struct pb_maps *maps = NULL;
	const char *given = NULL, *file;
	bool probe = false;
	char text[400];
	const struct option_row rows[] = {
		{"config", 'c', OPTION_TEXT, &given, 0, 0},
		{"probe", 'p', OPTION_FLAG, &probe, 0, 0},
		{0},
	};
	int status = pb_cli_options(argc, argv, rows, help, "[FILE]");

	int loaded;

	if (status >= 0)
		return status;
	if (optind < argc && given) {
		fprintf(stderr, "packbridge check: FILE and --config, expected one of them\n");
		return 2;
	}
	file = optind < argc ? argv[optind] : given ? given : PB_CONFIG_FILE;
	loaded = pb_cli_config_load(file, &config, &maps);
	if ((maps && check_maps(maps) < 0) || loaded < 0)
		return 1;
	print_units(config);
	for (size_t i = 0; i < config->listen_count; i++)
		print_listen(&config->listens[i]);
	if (config->http.address[0])
		check_print_page(&config->http);
	print_all_limits(config);
	check_print_control(config, maps);
	check_warn_control(config, print_warning);
	warnings_each(config, print_warning);
	if (config->http.address[0] && !pb_http_available(text, sizeof(text)))
		print_warning(text);
	printf("\n%s: good\n", file);
	fflush(stdout);
	return probe && pb_cli_check_probe(config) != 0 ? 1 : 0;
}
