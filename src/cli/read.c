/* SPDX-License-Identifier: MIT */
/*
 * A Modbus client that shows one unit by the names of its map. Each block is one request; when the
 * map has a sequence number, blocks of two readings are not mixed.
 */
#include "cli.h"
#include "endpoint.h"
#include "maps.h"
#include "options.h"
#include "packbridge/export.h"
#include "packbridge/json.h"
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

struct options {
	const char *endpoint, *map;
	int64_t unit, timeout_ms;
	double watch_s; /* 0: once */
	bool all, json;
};

/* All of a unit. */
struct look {
	const struct pb_map *map;
	struct endpoint *endpoint;
	int *results;	/* of each block, as of endpoint_read() */
	uint8_t *bytes; /* BLOCK_BYTES of each block */
	char why[256];	/* the last negative result's reason */
};

/* ---- options ---- */

static int misused(const char *what)
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
static int read_options(int argc, char **argv, struct options *ret)
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

	*ret = (struct options){.unit = 1, .timeout_ms = TIMEOUT_MS};
	status = pb_cli_options(argc, argv, rows, help, "ENDPOINT");
	if (status >= 0)
		return status;
	if (watch && !parse_watch(watch, &ret->watch_s))
		return misused("--watch, expected 0.1 to 3600 seconds");
	ret->endpoint = argv[optind];
	return -1;
}

/* ---- the map ---- */

/* It comes from whom we ask: a name may be one of ours, never a file's. */
static bool is_name(const char *text)
{
	return *text && !text[strspn(text, "abcdefghijklmnopqrstuvwxyz0123456789-+")];
}

/* What the unit says of itself: "packbridge-bank 1". @return 0; negative: there is no connection */
static int ask_map(struct endpoint *endpoint, const struct options *options, char *ret_name,
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
	if (version && is_name(model))
		snprintf(ret_name, cap, "%s", model);
	else
		snprintf(ret_name, cap, "%s",
			 options->unit == 0 || options->unit == 255 ? GATEWAY_MAP : PACK_MAP);
	return 0;
}

/* @return NULL: there is none, which was said */
static const struct pb_map *choose_map(struct map_work *work, struct endpoint *endpoint,
				       const struct options *options)
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

static uint8_t *bytes_of(const struct look *look, size_t block)
{
	return look->bytes + block * BLOCK_BYTES;
}

/* @return whether it makes sense to ask for more */
static bool read_block(struct look *look, size_t index)
{
	struct pb_block_info block;

	pb_map_block(look->map, index, &block);
	look->results[index] = endpoint_read(look->endpoint, &block, bytes_of(look, index),
					     look->why, sizeof(look->why));
	return look->results[index] >= 0;
}

static size_t block_of(const struct look *look, const struct pb_row_info *row)
{
	for (size_t i = 0; i < pb_map_block_count(look->map); i++) {
		struct pb_block_info block;

		pb_map_block(look->map, i, &block);
		if (block.name == row->block)
			return i;
	}
	return 0;
}

/* Decodes a row. @return whether its block was read */
static bool decode(const struct look *look, size_t index, const struct pb_row_info *row,
		   struct pb_row_value *ret)
{
	size_t block_index = block_of(look, row);
	struct pb_block_info block;
	uint32_t at;

	if (look->results[block_index] != 0)
		return false;
	pb_map_block(look->map, block_index, &block);
	at = (uint32_t)row->addr - block.addr;
	if (!(block.tables & (PB_TABLE_COIL | PB_TABLE_DISCRETE)))
		at *= 2;
	pb_map_decode(look->map, index, bytes_of(look, block_index) + at, ret);
	return true;
}

/* A number by its field's name, wherever the map has it. @return false: nowhere, or not read */
static bool find_number(const struct look *look, const char *name, int64_t *ret)
{
	for (size_t i = 0; i < pb_map_row_count(look->map); i++) {
		struct pb_row_info row;
		struct pb_row_value value;

		pb_map_row(look->map, i, &row);
		if (!row.field || strcmp(row.field->name, name) != 0 || row.type == PB_ROW_COIL ||
		    !decode(look, i, &row, &value) || !value.available || value.several)
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
		if (!find_number(look, "sequence", &before))
			return;
		for (size_t i = 0; i < pb_map_block_count(look->map); i++) {
			struct pb_block_info block;

			pb_map_block(look->map, i, &block);
			if (block.always && look->results[i] == 0 && !read_block(look, i))
				return;
		}
		if (find_number(look, "sequence", &after) && before == after)
			return;
	}
}

/* ---- what went wrong ---- */

static void explain_old(const struct look *look, int64_t unit, FILE *out)
{
	int64_t age_s, error, quality;

	fprintf(out, "unit %d is configured, but its pack has ", (int)unit);
	if (find_number(look, "quality", &quality) && quality == PB_QUALITY_NEVER)
		fputs("not answered since the start", out);
	else if (find_number(look, "age_s", &age_s))
		fprintf(out, "not answered for %lld s", (long long)age_s);
	else
		fputs("not answered in time", out);
	if (find_number(look, "last_error", &error) && error != PB_ERROR_NONE)
		fprintf(out, " (%s)", pb_error_text((enum pb_error)error));
}

static void explain(const struct look *look, size_t block_index, int64_t unit, FILE *out)
{
	int code = look->results[block_index];
	struct pb_block_info block;
	uint32_t last;

	pb_map_block(look->map, block_index, &block);
	last = block.addr + block.count - 1;
	if (code < 0) {
		fprintf(out, "packbridge read: %s\n", SHOWN(look->why));
		return;
	}
	fprintf(out, "packbridge read: %s (%u to %u): %02X: ", SHOWN(block.name), block.addr, last,
		(unsigned int)code);
	switch (code) {
	case PB_EXCEPTION_ILLEGAL_FUNCTION:
		fputs("the device does not know this function", out);
		break;
	case PB_EXCEPTION_ILLEGAL_ADDRESS:
		fprintf(out, "unit %d does not have these addresses: is %s its map?", (int)unit,
			SHOWN(pb_map_name(look->map)));
		break;
	case PB_EXCEPTION_ILLEGAL_VALUE:
		fputs("the device does not take so many at a time, or the request was damaged",
		      out);
		break;
	case PB_EXCEPTION_DEVICE_FAILURE:
		fputs("the device failed to answer", out);
		break;
	case PB_EXCEPTION_DEVICE_BUSY:
		fputs("the device is busy, try again", out);
		break;
	case PB_EXCEPTION_GATEWAY_PATH:
		fprintf(out, "there is no unit %d behind this address", (int)unit);
		break;
	case PB_EXCEPTION_GATEWAY_TARGET:
		explain_old(look, unit, out);
		break;
	default:
		fputs("an unknown exception", out);
	}
	fputc('\n', out);
}

/* Blocks that fail for the same reason are told once. @return the exit status */
static int explain_all(const struct look *look, int64_t unit)
{
	int told = 0;

	for (size_t i = 0; i < pb_map_block_count(look->map); i++) {
		int result = look->results[i];

		if (result == 0 || result == -ECANCELED || result == told)
			continue;
		explain(look, i, unit, stderr);
		told = result;
	}
	return told ? 1 : 0;
}

/* ---- showing ---- */

static int decimals(const struct pb_row_info *row)
{
	const char *point = strchr(row->scale, '.');
	int count = point ? (int)strlen(point + 1) : 0;

	/* a float holds more than a person wants to see: as fine as the catalogue is enough */
	if (row->type == PB_ROW_F32 && count == 0 && row->field)
		count = strcmp(row->unit, pb_uom_symbol(row->field->uom)) == 0 ? 0 : 3;
	return count;
}

static const char *words_of(const struct pb_field *field, int64_t value)
{
	if (strcmp(field->name, "quality") == 0)
		return pb_quality_text((enum pb_quality)value);
	if (strcmp(field->name, "last_error") == 0)
		return pb_error_text((enum pb_error)value);
	return "";
}

/* "connected, charge_fet": the bits of a word that are set */
static void print_bits(const struct look *look, size_t index, int64_t value)
{
	const char *separator = "";

	for (unsigned int bit = 0; bit < 16; bit++) {
		struct pb_bit_info info;

		if (!pb_map_bit(look->map, index, bit, &info) ||
		    (!info.number && !(value >> bit & 1)))
			continue;
		printf("%s%s%s", separator, info.invert ? "not " : "", info.field->name);
		if (info.index >= 0)
			printf("[%d]", info.index);
		if (info.any)
			printf(" of %#llx", (unsigned long long)info.any);
		if (info.mask_bit >= 0)
			printf(" bit %d", info.mask_bit);
		if (info.equals >= 0)
			printf(" = %d", info.equals);
		if (info.number) {
			struct pb_row_value part;

			pb_map_part(look->map, index, bit, (uint16_t)value, &part);
			printf(" %lld", (long long)part.value);
		}
		separator = ", ";
	}
}

static void print_value(const struct look *look, size_t index, const struct pb_row_info *row,
			const struct pb_row_value *value)
{
	bool mask = row->field && row->field->kind == PB_KIND_MASK;

	if (!value->available)
		printf("%12s", "n/a");
	else if (row->type == PB_ROW_STRING)
		pb_cli_put(value->text, false, stdout);
	else if (value->several) /* which of its states it is, the register does not tell */
		printf("%12lld", (long long)row->values[value->value]);
	else if (row->type == PB_ROW_BITS || (mask && row->type != PB_ROW_COIL))
		printf("%#12llx", (unsigned long long)value->value);
	else
		printf("%12.*f %s", decimals(row), value->number, row->unit);
	if (value->available && row->type == PB_ROW_BITS) {
		fputs("  ", stdout);
		print_bits(look, index, value->value);
	} else if (value->available && !value->several && row->field &&
		   *words_of(row->field, value->value)) {
		printf(" %s", words_of(row->field, value->value));
	}
}

/* @return whether it says anything that a person who did not ask for all wants to see */
static bool of_interest(const struct pb_row_info *row, const struct pb_row_value *value)
{
	bool listed = row->field && row->field->kind == PB_KIND_ENUM && row->index >= 0;

	/* of flags, and of a list of states, those that say something */
	if (row->type == PB_ROW_COIL || listed)
		return value->value != 0;
	return value->available && (row->field || row->type == PB_ROW_BITS || row->writable);
}

static void show_text(const struct look *look, const struct options *options)
{
	const char *block = NULL;
	size_t left_out = 0;

	for (size_t i = 0; i < pb_map_row_count(look->map); i++) {
		struct pb_row_info row;
		struct pb_row_value value;
		char name[96];

		pb_map_row(look->map, i, &row);
		if (!decode(look, i, &row, &value))
			continue;
		if (!options->all && !of_interest(&row, &value)) {
			left_out += row.type != PB_ROW_RESERVED;
			continue;
		}
		if (row.block != block) {
			char tables[32];

			pb_export_tables(row.tables, ", ", tables, sizeof(tables));
			printf("%s%s (%s)\n", block ? "\n" : "", SHOWN(row.block), tables);
			block = row.block;
		}
		pb_export_field(&row, name, sizeof(name));
		printf("%6u  %-32.32s ", row.addr, SHOWN(*name ? name : row.description));
		print_value(look, i, &row, &value);
		putchar('\n');
	}
	if (left_out)
		printf("\n"
		       "%zu more: missing values, bits that are 0, constants; --all shows them\n",
		       left_out);
}

/* The field's value out of a row; part of a mask joins what is there of it. */
static json_t *json_of(json_t *fields, const struct pb_row_info *row,
		       const struct pb_row_value *value)
{
	json_t *old = json_object_get(fields, row->field->name);

	if (!value->available || value->several)
		return json_null();
	if (row->field->kind == PB_KIND_TEXT)
		return json_string(value->text);
	if (row->field->kind == PB_KIND_MASK && json_is_integer(old))
		return json_integer(json_integer_value(old) | value->value);
	return pb_json_value(row->field, value->value);
}

/* Fields that stand in bits of a register, and nowhere before it. */
static void collect_bits(const struct look *look, size_t index, int64_t value, json_t *fields)
{
	for (unsigned int bit = 0; bit < 16; bit++) {
		struct pb_bit_info info;
		struct pb_row_value part = {.value = value >> bit & 1};
		unsigned int element;

		if (!pb_map_bit(look->map, index, bit, &info) ||
		    (!info.number && (info.field->kind != PB_KIND_BOOL || info.invert)))
			continue;
		element = info.index < 0 ? 0 : (unsigned int)info.index;
		if (info.number)
			pb_map_part(look->map, index, bit, (uint16_t)value, &part);
		if (!pb_json_has(fields, info.field, element))
			pb_json_set(fields, info.field, element,
				    pb_json_value(info.field, part.value));
	}
}

/* @ends: rows whose register is at an end, where the value may lie beyond; else the others */
static void collect_rows(const struct look *look, bool ends, json_t *fields)
{
	for (size_t i = 0; i < pb_map_row_count(look->map); i++) {
		struct pb_row_info row;
		struct pb_row_value value;
		struct pb_bit_info bit;
		unsigned int element;

		pb_map_row(look->map, i, &row);
		if ((!row.field && row.type != PB_ROW_BITS) || !decode(look, i, &row, &value) ||
		    value.at_end != ends)
			continue;
		if (!row.field) {
			collect_bits(look, i, value.value, fields);
			continue;
		}
		element = row.index < 0 ? 0 : (unsigned int)row.index;
		/* of rows that show one value the first counts, but parts of a mask join */
		if (row.field->kind != PB_KIND_MASK && pb_json_has(fields, row.field, element))
			continue;
		/* registers came first; a bit tells more only of what is a truth value */
		if (row.type == PB_ROW_COIL &&
		    (row.field->kind != PB_KIND_BOOL || !pb_map_bit(look->map, i, 0, &bit)))
			continue;
		pb_json_set(fields, row.field, element, json_of(fields, &row, &value));
	}
}

static json_t *collect(const struct look *look)
{
	json_t *fields = json_object();

	collect_rows(look, false, fields);
	collect_rows(look, true, fields);
	return fields;
}

static void show_json(const struct look *look, const struct options *options, bool complete)
{
	json_t *object = json_pack("{s:s, s:I, s:s, s:b, s:o}", "endpoint", options->endpoint,
				   "unit", (json_int_t)options->unit, "map", pb_map_name(look->map),
				   "complete", complete, "fields", collect(look));

	if (!object)
		return;
	json_dumpf(object, stdout, options->watch_s > 0 ? JSON_COMPACT : JSON_INDENT(1));
	putchar('\n');
	json_decref(object);
}

static int once(struct look *look, const struct options *options)
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
		show_json(look, options, explain_all(look, options->unit) == 0);
	else if (any)
		show_text(look, options);
	fflush(stdout);
	status = options->json ? 0 : explain_all(look, options->unit);
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

static int watch(struct look *look, const struct options *options)
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
	struct options options;
	char why[256] = "out of memory";
	int status = read_options(argc, argv, &options);

	if (status >= 0)
		return status;
	if (endpoint_new(&endpoint, options.endpoint, (int)options.unit,
			 (uint32_t)options.timeout_ms, why, sizeof(why)) < 0)
		return misused(why);
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
