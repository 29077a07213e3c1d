/* SPDX-License-Identifier: MIT */
#include "cli.h"
#include "map_export.h"
#include "maps.h"
#include "options.h"
#include "shown.h"

#include "packbridge/bridge.h"
#include "packbridge/export.h"
#include "packbridge/yaml.h"

#include <errno.h>
#include <getopt.h>
#include <jansson.h>
#include <stdio.h>
#include <string.h>

static void map_usage(FILE *stream)
{
	fputs("Usage: packbridge map list [--json]\n"
	      "       packbridge map show NAME\n"
	      "       packbridge map export NAME --format FORMAT [--host HOST:PORT] [--unit LIST]\n"
	      "       packbridge map export --config FILE --format FORMAT [--host HOST:PORT]\n"
	      "Lists, shows and exports register maps. NAME is the name of a map, or the path of "
	      "a\n"
	      "map file (NAME.yaml), which is then also checked. Options can follow the name, as "
	      "in\n"
	      "packbridge+na+low-first; `list` shows the options of each map:\n"
	      "  +low-first, +high-first  word order of 32-bit values\n"
	      "  +other-sign              opposite sign of currents and powers\n"
	      "  +na                      stale data: not-available values, no exception\n"
	      "  +exception               stale data: exception 0B\n"
	      "  +blanks                  texts padded with blanks, not with NULs\n"
	      "  +coarse                  larger steps, for a large battery\n"
	      "\n",
	      stream);
	map_export_help(stream);
	fputs("  -j, --json           list as JSON\n"
	      "  -h, --help           this text\n",
	      stream);
}

static json_t *json_options(const struct pb_map *map)
{
	const char *options[PB_MAP_OPTIONS_MAX];
	size_t count = pb_map_options(map, options);
	json_t *array = json_array();

	for (size_t i = 0; i < count; i++)
		json_array_append_new(array, json_string(options[i]));
	return array;
}

/* " +low-first +na", "" for none */
static void list_options(const struct pb_map *map)
{
	const char *options[PB_MAP_OPTIONS_MAX];
	size_t count = pb_map_options(map, options);

	for (size_t i = 0; i < count; i++)
		printf(" +%s", options[i]);
}

/* A line each: programs take the first words. */
static void list_one(const struct pb_map *map)
{
	printf("%-22s %-8s v%-3d %s;", SHOWN(pb_map_name(map)), pb_scope_name(pb_map_scope(map)),
	       pb_map_version(map), SHOWN(pb_map_title(map)));
	list_options(map);
	putchar('\n');
}

static int list(struct map_work *work, bool json)
{
	char **names = NULL;
	json_t *array = json_array();
	int status = 0;

	if (pb_maps_names(work->maps, &names) < 0)
		return 1;
	for (char **name = names; *name; name++) {
		const struct pb_map *map = pb_cli_find_map(work, "map", *name);

		pb_report_clear(&work->report);
		if (!map) {
			status = 1;
			continue;
		}
		if (json)
			json_array_append_new(
				array, json_pack("{s:s, s:i, s:s, s:s, s:o}", "map",
						 pb_map_name(map), "version", pb_map_version(map),
						 "scope", pb_scope_name(pb_map_scope(map)), "title",
						 pb_map_title(map), "options", json_options(map)));
		else
			list_one(map);
	}
	if (json) {
		json_dumpf(array, stdout, JSON_INDENT(1));
		putchar('\n');
	}
	json_decref(array);
	pb_maps_names_free(names);
	return status;
}

static void show_row(const struct pb_row_info *row)
{
	char field[96], place[16], scale[64], na[24];
	unsigned int end = row->addr + row->words - 1U;

	pb_export_field(row, field, sizeof(field));
	pb_export_scale(row, scale, sizeof(scale));
	pb_export_na(row, na, sizeof(na));
	if (row->words > 1)
		snprintf(place, sizeof(place), "%u-%u", row->addr, end);
	else
		snprintf(place, sizeof(place), "%u", row->addr);
	printf("%11s  %-8s  %-35s  %-8s  %-6s  %-10s  %s\n", place, pb_row_type_name(row->type),
	       SHOWN(field), row->unit, scale, na, SHOWN(row->description));
}

static int map_show(const struct pb_map *map)
{
	const char *block = NULL;

	printf("%s, version %d: %s\n\n", SHOWN(pb_map_name(map)), pb_map_version(map),
	       SHOWN(pb_map_title(map)));
	pb_cli_put(pb_map_description(map), false, stdout);
	fputs("\n\nOptions:", stdout);
	list_options(map);
	putchar('\n');
	for (size_t i = 0; i < pb_map_row_count(map); i++) {
		struct pb_row_info row;
		char names[32];

		pb_map_row(map, i, &row);
		if (row.block != block) {
			pb_export_tables(row.tables, ", ", names, sizeof(names));
			printf("\n%s (%s)\n%11s  %-8s  %-35s  %-8s  %-6s  %-10s  %s\n",
			       SHOWN(row.block), names, "address", "type", "field", "unit", "scale",
			       "n/a", "meaning");
			block = row.block;
		}
		show_row(&row);
	}
	return 0;
}

struct map_options {
	struct map_export_options export;
	bool json;
};

static int map_misused(const char *what)
{
	fprintf(stderr, "packbridge map: %s\n\n", what);
	map_usage(stderr);
	return 2;
}

static int map_do_export(struct map_work *work, char *const *words, int count,
			 const struct map_export_options *options)
{
	if (!options->format)
		return map_misused("expected --format");
	if (count != (options->config ? 0 : 1))
		return map_misused(options->config ? "expected no map name with --config"
						   : "expected one map's name");
	if (options->listener && !options->config)
		return map_misused("--listener, expected --config, too");
	return map_export(work, words[0], options);
}

/* Any option that only an export has. */
static bool exports(const struct map_export_options *options)
{
	return options->format || options->host || options->units || options->with ||
	       options->config || options->listener;
}

static int work_on(struct map_work *work, char *const *words, int count,
		   const struct map_options *options)
{
	const struct pb_map *map;

	if (count >= 1 && strcmp(words[0], "export") == 0)
		return map_do_export(work, words + 1, count - 1, &options->export);
	if (exports(&options->export))
		return map_misused("options of an export, expected export NAME");
	if (count == 1 && strcmp(words[0], "list") == 0)
		return list(work, options->json);
	if (count < 1 || strcmp(words[0], "show") != 0)
		return map_misused("expected list, show NAME or export NAME");
	if (count != 2)
		return map_misused("expected one map's name");
	map = pb_cli_find_map(work, "map", words[1]);
	return map ? map_show(map) : 1;
}

int pb_cli_map(int argc, char **argv)
{
	struct map_work work = {0};
	struct map_options chosen = {0};
	const struct option_row rows[] = {
		{"format", 'f', OPTION_TEXT, &chosen.export.format, 0, 0},
		{"host", 'H', OPTION_TEXT, &chosen.export.host, 0, 0},
		{"unit", 'u', OPTION_TEXT, &chosen.export.units, 0, 0},
		{"config", 'c', OPTION_TEXT, &chosen.export.config, 0, 0},
		{"listener", 'l', OPTION_TEXT, &chosen.export.listener, 0, 0},
		{"with", 'w', OPTION_TEXT, &chosen.export.with, 0, 0},
		{"json", 'j', OPTION_FLAG, &chosen.json, 0, 0},
		{0},
	};
	char help[4096] = "";
	FILE *text = fmemopen(help, sizeof(help), "w");
	int status;

	if (text) {
		map_usage(text);
		fclose(text);
	}
	status = pb_cli_options(argc, argv, rows, help, "...");
	if (status >= 0)
		return status;
	if (pb_cli_maps(&work.maps) < 0) {
		fputs("packbridge map: out of memory\n", stderr);
		return 1;
	}
	status = work_on(&work, argv + optind, argc - optind, &chosen);
	pb_cli_map_done(&work);
	return status;
}
