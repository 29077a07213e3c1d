/* SPDX-License-Identifier: MIT */
/*
 * A Modbus client that shows one unit by the names of its map. Each block is one request; when the
 * map has a sequence number, blocks of two readings are not mixed.
 */
#include "read.h"

#include "cli.h"
#include "options.h"
#include "shown.h"

#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum { BLOCK_BYTES = 2000, MIXED_TRIES = 3, TIMEOUT_MS = 1000 };

#define PACK_MAP    "packbridge"
#define GATEWAY_MAP "packbridge-gateway"

static const char help[] =
	"Usage: packbridge read [OPTION...] ENDPOINT\n"
	"Reads a unit over Modbus and shows its values by the names in its map. ENDPOINT is\n"
	"tcp:HOST:PORT (default port 502) or rtu:DEVICE@BAUD,8N1 (default 9600,8N1).\n"
	"\n"
	"  -u, --unit N        Modbus unit id, 0 to 255 (default 1)\n"
	"  -m, --map NAME      register map, or the path of a map file; default: the map that the\n"
	"                      unit reports (43/14), or else packbridge\n"
	"  -w, --watch SECONDS repeat at this interval, 0.1 to 3600\n"
	"  -a, --all           also show missing values, constants and reserved addresses\n"
	"  -T, --timeout MS    for each reply, 50 to 60000 (default 1000)\n"
	"  -j, --json          one JSON object per reading, in units of the field catalogue\n"
	"  -h, --help          this text\n"
	"\n"
	"Exit status: 0 all was read, 1 something was not (the reason is on stderr), 2 wrong "
	"usage.\n";

/* ---- options ---- */

static int read_misused(const char *what)
{
	fprintf(stderr, "packbridge read: %s\n\n%s", what, help);
	return 2;
}

static bool parse_watch(const char *text, double *ret)
{
	char *end;

	*ret = strtod(text, &end);
	return *text && !*end && *ret >= 0.1 && *ret <= 3600;
}

/* @return -1: go on; else the exit status to end with. */
static int read_options(int argc, char **argv, struct read_options *ret)
{
	const char *watch = NULL;
	const struct option_row rows[] = {
		{"unit", 'u', OPTION_NUMBER, &ret->unit, 0, 255},
		{"map", 'm', OPTION_TEXT, &ret->map, 0, 0},
		{"watch", 'w', OPTION_TEXT, &watch, 0, 0},
		{"all", 'a', OPTION_FLAG, &ret->all, 0, 0},
		{"timeout", 'T', OPTION_NUMBER, &ret->timeout_ms, 50, 60000},
		{"json", 'j', OPTION_FLAG, &ret->json, 0, 0},
		{0},
	};
	int status;

	*ret = (struct read_options){.unit = 1, .timeout_ms = TIMEOUT_MS};
	status = pb_cli_options(argc, argv, rows, help, "ENDPOINT");
	if (status >= 0)
		return status;
	if (watch && !parse_watch(watch, &ret->watch_s))
		return read_misused("--watch, expected 0.1 to 3600 seconds");
	ret->endpoint = argv[optind];
	return -1;
}

/* ---- the map ---- */

/* It comes from whom we ask: a name may be one of ours, never a file's. */
static bool read_is_name(const char *text)
{
	return *text && !text[strspn(text, "abcdefghijklmnopqrstuvwxyz0123456789-+")];
}

/* What the unit says of itself: "packbridge-bank 1". @return 0; negative: there is no connection */
static int ask_map(struct endpoint *endpoint, const struct read_options *options, char *ret_name,
		   size_t cap)
{
	char model[ENDPOINT_MODEL], why[256];
	char *version;
	int r = endpoint_model(endpoint, model, why, sizeof(why));

	if (r < 0) {
		fprintf(stderr, "packbridge read: %s\n", SHOWN(why));
		return r;
	}
	version = strrchr(model, ' ');
	if (version)
		*version = '\0';
	if (version && read_is_name(model))
		snprintf(ret_name, cap, "%s", model);
	else
		snprintf(ret_name, cap, "%s",
			 options->unit == 0 || options->unit == 255 ? GATEWAY_MAP : PACK_MAP);
	return 0;
}

/* @return NULL: there is none, already reported */
static const struct pb_map *choose_map(struct map_work *work, struct endpoint *endpoint,
				       const struct read_options *options)
{
	char name[ENDPOINT_MODEL];
	const struct pb_map *map;

	if (options->map)
		return pb_cli_find_map(work, "read", options->map);
	if (ask_map(endpoint, options, name, sizeof(name)) < 0)
		return NULL;
	map = pb_cli_find_map(work, "read", name);
	if (!map)
		fprintf(stderr,
			"packbridge read: unit %d reports the map '%s', which is not here; give "
			"the path of its file, or another map, with --map\n",
			(int)options->unit, name);
	return map;
}

/* ---- reading ---- */

static uint8_t *read_bytes_of(const struct look *look, size_t block)
{
	return look->bytes + block * BLOCK_BYTES;
}

/* @return whether it makes sense to ask for more */
static bool read_block(struct look *look, size_t index)
{
	struct pb_block_info block;

	pb_map_block(look->map, index, &block);
	look->results[index] = endpoint_read(look->endpoint, &block, read_bytes_of(look, index),
					     look->why, sizeof(look->why));
	return look->results[index] >= 0;
}

static size_t read_block_of(const struct look *look, const struct pb_row_info *row)
{
	for (size_t i = 0; i < pb_map_block_count(look->map); i++) {
		struct pb_block_info block;

		pb_map_block(look->map, i, &block);
		if (block.name == row->block)
			return i;
	}
	return 0;
}

bool read_decode(const struct look *look, size_t index, const struct pb_row_info *row,
		 struct pb_row_value *ret)
{
	size_t block_index = read_block_of(look, row);
	struct pb_block_info block;
	uint32_t at;

	if (look->results[block_index] != 0)
		return false;
	pb_map_block(look->map, block_index, &block);
	at = (uint32_t)row->addr - block.addr;
	if (!(block.tables & (PB_TABLE_COIL | PB_TABLE_DISCRETE)))
		at *= 2;
	pb_map_decode(look->map, index, read_bytes_of(look, block_index) + at, ret);
	return true;
}

bool read_find_number(const struct look *look, const char *name, int64_t *ret)
{
	for (size_t i = 0; i < pb_map_row_count(look->map); i++) {
		struct pb_row_info row;
		struct pb_row_value value;

		pb_map_row(look->map, i, &row);
		if (!row.field || strcmp(row.field->name, name) != 0 || row.type == PB_ROW_COIL ||
		    !read_decode(look, i, &row, &value) || !value.available || value.several)
			continue;
		*ret = value.value;
		return true;
	}
	return false;
}

static void read_all(struct look *look)
{
	size_t count = pb_map_block_count(look->map);

	for (size_t i = 0; i < count; i++)
		look->results[i] = -ECANCELED;
	for (size_t i = 0; i < count; i++)
		if (!read_block(look, i))
			return;
}

/* Reads all blocks, and again when a new reading came meanwhile. */
static void take_look(struct look *look)
{
	for (int tries = 0; tries < MIXED_TRIES; tries++) {
		int64_t before = 0, after = 0;

		read_all(look);
		if (!read_find_number(look, "sequence", &before))
			return;
		for (size_t i = 0; i < pb_map_block_count(look->map); i++) {
			struct pb_block_info block;

			pb_map_block(look->map, i, &block);
			if (block.always && look->results[i] == 0 && !read_block(look, i))
				return;
		}
		if (read_find_number(look, "sequence", &after) && before == after)
			return;
	}
}

static int once(struct look *look, const struct read_options *options)
{
	bool screen = options->watch_s > 0 && !options->json && isatty(STDOUT_FILENO);
	bool any = false;
	int status;

	take_look(look);
	for (size_t i = 0; i < pb_map_block_count(look->map); i++)
		any |= look->results[i] == 0;
	if (screen)
		fputs("\033[H\033[2J", stdout);
	if (options->json)
		read_show_json(look, options, read_explain_all(look, options->unit) == 0);
	else if (any)
		read_show_text(look, options);
	fflush(stdout);
	status = options->json ? 0 : read_explain_all(look, options->unit);
	for (size_t i = 0; i < pb_map_block_count(look->map); i++)
		status |= look->results[i] != 0;
	return status;
}

static void pause_until(struct timespec *due, double seconds)
{
	time_t whole = (time_t)seconds;

	due->tv_sec += whole;
	due->tv_nsec += (long)((seconds - (double)whole) * 1e9);
	if (due->tv_nsec >= 1000000000) {
		due->tv_nsec -= 1000000000;
		due->tv_sec++;
	}
	clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, due, NULL);
}

static int watch(struct look *look, const struct read_options *options)
{
	struct timespec due;
	int status;

	clock_gettime(CLOCK_MONOTONIC, &due);
	status = once(look, options);
	while (options->watch_s > 0 && !ferror(stdout)) {
		pause_until(&due, options->watch_s);
		status = once(look, options);
	}
	return status;
}

int pb_cli_read(int argc, char **argv)
{
	PB_CLEANUP(endpoint_freep) struct endpoint *endpoint = NULL;
	struct map_work work = {0};
	struct look look = {0};
	struct read_options options;
	char why[256] = "out of memory";
	int status = read_options(argc, argv, &options);

	if (status >= 0)
		return status;
	if (endpoint_new(&endpoint, options.endpoint, (int)options.unit,
			 (uint32_t)options.timeout_ms, why, sizeof(why)) < 0)
		return read_misused(why);
	status = 1;
	look.endpoint = endpoint;
	look.map = choose_map(&work, endpoint, &options);
	if (look.map) {
		size_t count = pb_map_block_count(look.map);

		if (pb_map_word_count(look.map))
			endpoint_count_words(endpoint);
		look.results = calloc(count, sizeof(*look.results));
		look.bytes = calloc(count, BLOCK_BYTES);
		if (look.results && look.bytes)
			status = watch(&look, &options);
	}
	free(look.results);
	free(look.bytes);
	pb_cli_map_done(&work);
	return status;
}
