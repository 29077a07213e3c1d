/* SPDX-License-Identifier: MIT */
/* packbridge events: prints what has happened, as the daemon's status socket lists it. */
#include "ask.h"
#include "cli.h"
#include "options.h"
#include "shown.h"
#include "status_model.h"

#include "packbridge/config.h"

#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static const char help[] =
	"Usage: packbridge events [--json] [--since N | --since TIME] [--socket PATH] [NAME]\n"
	"Shows what has happened, the newest last: packs lost and back, alarms, protections, "
	"FETs,\n"
	"phases of charging, reloads. NAME: only of that pack or bank. What repeats within 15 "
	"minutes\n"
	"is one line with its number of times.\n"
	"\n"
	"  -j, --json         one JSON object a line\n"
	"      --since WHEN   only events after number N, or of the last TIME: 90s, 30m, 12h, 7d\n"
	"  -s, --socket PATH  the daemon's status socket\n"
	"                     (default " PB_CONFIG_STATUS ", key `status:` of its file)\n"
	"  -h, --help         this text\n"
	"\n"
	"Exit status: 0; 1 if the daemon does not answer, or NAME is unknown to it; 2 wrong "
	"usage.\n";

struct events_options {
	const char *socket, *name, *since;
	bool json;
	int64_t after_number, within_s; /* -1: all */
};

/* "17", "90s", "30m", "12h", "7d". */
static int parse_since(const char *text, struct events_options *options)
{
	static const struct {
		char letter;
		int64_t s;
	} parts[] = {{'s', 1}, {'m', 60}, {'h', 3600}, {'d', 86400}};
	size_t len = strlen(text);
	char number[16];
	int64_t value;

	if (pb_int_parse(text, 0, UINT32_MAX, &options->after_number) == 0)
		return 0;
	options->after_number = -1;
	if (len < 2 || len >= sizeof(number))
		return -EINVAL;
	snprintf(number, sizeof(number), "%.*s", (int)len - 1, text);
	for (size_t i = 0; i < PB_ARRAY_SIZE(parts); i++)
		if (text[len - 1] == parts[i].letter &&
		    pb_int_parse(number, 0, 100000, &value) == 0) {
			options->within_s = value * parts[i].s;
			return 0;
		}
	return -EINVAL;
}

/* @return -1: go on; else the exit status to end with. */
static int events_read_options(int argc, char **argv, struct events_options *ret)
{
	const struct option_row rows[] = {
		{"json", 'j', OPTION_FLAG, &ret->json, 0, 0},
		{"since", 0, OPTION_TEXT, &ret->since, 0, 0},
		{"socket", 's', OPTION_TEXT, &ret->socket, 0, 0},
		{0},
	};
	int status;

	*ret = (struct events_options){
		.socket = PB_CONFIG_STATUS, .after_number = -1, .within_s = -1};
	status = pb_cli_options(argc, argv, rows, help, "[NAME]");
	if (status >= 0)
		return status;
	ret->name = optind < argc ? argv[optind] : NULL;
	if (!ret->since || parse_since(ret->since, ret) == 0)
		return -1;
	fprintf(stderr,
		"packbridge events: --since %s, expected a number of an event, or a time: 90s, "
		"30m, 12h, 7d\n\n%s",
		ret->since, help);
	return 2;
}

static json_int_t events_number(json_t *event, const char *key)
{
	return json_integer_value(json_object_get(event, key));
}

static bool is_wanted(json_t *event, const struct events_options *options)
{
	if (options->name && strcmp(status_text(event, "battery"), options->name) != 0)
		return false;
	if (options->within_s >= 0 && events_number(event, "age_s") > options->within_s)
		return false;
	return events_number(event, "number") > options->after_number;
}

/* In the local time; "35 s ago" while the daemon's clock is not set. */
static void when_text(json_t *event, char *out, size_t cap)
{
	time_t at = time(NULL) - (time_t)events_number(event, "age_s");
	struct tm local;

	if (json_is_string(json_object_get(event, "time")) && localtime_r(&at, &local))
		strftime(out, cap, "%Y-%m-%d %H:%M:%S", &local);
	else
		snprintf(out, cap, "%lld s ago", (long long)events_number(event, "age_s"));
}

static void print_event(json_t *event)
{
	const char *battery = status_text(event, "battery");
	bool bank = json_is_true(json_object_get(event, "bank"));
	json_int_t count = events_number(event, "count");
	char when[40], line[512];

	when_text(event, when, sizeof(when));
	snprintf(line, sizeof(line), "%s  %s%s%s%s", when,
		 !*battery ? ""
		 : bank	   ? "bank "
			   : "pack ",
		 battery, *battery ? ": " : "", status_text(event, "text"));
	pb_cli_put(line, true, stdout);
	if (count > 1)
		printf(" (%lld times)", (long long)count);
	putchar('\n');
}

static void events_print(json_t *all, const struct events_options *options)
{
	json_t *event;
	size_t i;

	json_array_foreach(json_object_get(all, "events"), i, event)
	{
		if (!is_wanted(event, options))
			continue;
		if (!options->json) {
			print_event(event);
			continue;
		}
		json_dumpf(event, stdout, JSON_COMPACT);
		putchar('\n');
	}
}

/* A name that is misspelt must not look like a pack without events. */
static bool is_known(const char *socket, const char *name)
{
	static const char *const lists[] = {"packs", "banks"};
	json_t *battery, *all;
	bool known = false;
	int error;
	size_t i;

	all = status_fetch(socket, &error);
	for (size_t l = 0; l < PB_ARRAY_SIZE(lists); l++)
		json_array_foreach(json_object_get(all, lists[l]), i, battery)
		{
			known |= strcmp(status_text(battery, "name"), name) == 0;
		}
	json_decref(all);
	return known;
}

int pb_cli_events(int argc, char **argv)
{
	struct events_options options;
	int status = events_read_options(argc, argv, &options), r;
	char *text = NULL;
	json_t *all;

	if (status >= 0)
		return status;
	r = status_fetch_text(options.socket, "events\n", &text);
	all = r < 0 ? NULL : json_loads(text, 0, NULL);
	free(text);
	if (!all) {
		pb_cli_ask_failed("events", options.socket, "status", r < 0 ? r : -EPROTO);
		return 1;
	}
	events_print(all, &options);
	json_decref(all);
	if (!options.name || is_known(options.socket, options.name))
		return 0;
	fprintf(stderr, "packbridge events: there is no pack or bank '%s'\n", options.name);
	return 1;
}
