/* SPDX-License-Identifier: MIT */
/* packbridge status: prints the state of a running daemon, read from its status socket. */
#include "status.h"

#include "ask.h"
#include "cli.h"
#include "options.h"
#include "shown.h"
#include "status_model.h"

#include "packbridge/config.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char help[] =
	"Usage: packbridge status [--watch | --json | --metrics] [--socket PATH]\n"
	"       packbridge status --trace LISTENER [--seconds N] [--count N] [--socket PATH]\n"
	"Shows the state of the running daemon: packs, banks, alarms, listeners and their "
	"clients.\n"
	"\n"
	"  -w, --watch        live, with the cells of one pack as bars; q ends it\n"
	"  -j, --json         everything, as one JSON object\n"
	"      --metrics      the same as metrics for Prometheus\n"
	"  -t, --trace LISTENER requests to this listener, and its replies. LISTENER is its "
	"address in\n"
	"                     the configuration, or its number in status, from 1\n"
	"      --seconds N    duration, 1 to 3600 (default 30)\n"
	"      --count N      at most N requests\n"
	"  -s, --socket PATH  the daemon's status socket\n"
	"                     (default " PB_CONFIG_STATUS ", key `status:` of its file);\n"
	"                     with --trace the control socket (" PB_CONFIG_CONTROL ")\n"
	"  -h, --help         this text\n"
	"\n"
	"Exit status: 0 all packs have a good reading and there is no alarm; 1 otherwise, or if "
	"the\n"
	"daemon does not answer (with --json and --metrics only in this case); 2 wrong usage.\n";

static void print_table(json_t *all, const char *list, const char *title, int width)
{
	json_t *battery, *batteries = json_object_get(all, list);
	size_t i;

	if (json_array_size(batteries) == 0)
		return;
	putchar('\n');
	status_head(title, width, INT_MAX, stdout);
	json_array_foreach(batteries, i, battery)
	{
		status_line(battery, width, INT_MAX, stdout);
	}
}

static void print_lacking(json_t *all, bool *begun)
{
	json_t *bank;
	size_t i;

	json_array_foreach(json_object_get(all, "banks"), i, bank)
	{
		char members[32];

		status_members(bank, members, sizeof(members));
		if (*members)
			printf("%sbank %s: %s with a good reading\n", *begun ? "" : "\nTROUBLE\n",
			       status_text(bank, "name"), members);
		*begun |= *members != '\0';
	}
}

/* @return whether there is trouble */
static bool status_print_trouble(json_t *all)
{
	json_t *pack;
	size_t i;
	bool trouble = false;

	json_array_foreach(json_object_get(all, "packs"), i, pack)
	{
		const char *message = status_text(pack, "last_message");
		json_int_t failed = status_number(pack, "connect_failures", 0);

		if (strcmp(status_text(pack, "quality"), "good") == 0)
			continue;
		printf("%s%s (%s), %s%s%s", trouble ? "" : "\nTROUBLE\n", status_text(pack, "name"),
		       status_text(pack, "link"), status_text(pack, "state"),
		       *message ? ": " : ", no reading yet", message);
		if (failed)
			printf("; %lld connections failed so far", (long long)failed);
		putchar('\n');
		trouble = true;
	}
	print_lacking(all, &trouble);
	return trouble;
}

/* Packs and banks whose switches clients may operate. */
static void print_control(json_t *all)
{
	static const char *const lists[] = {"packs", "banks"};
	bool any = false;

	for (size_t l = 0; l < PB_ARRAY_SIZE(lists); l++) {
		json_t *battery;
		size_t i;

		json_array_foreach(json_object_get(all, lists[l]), i, battery)
		{
			char text[512];

			status_control(battery, text, sizeof(text));
			if (*text)
				printf("%s%s: %s\n", any ? "" : "\nCONTROL\n",
				       status_text(battery, "name"), text);
			any |= *text != '\0';
		}
	}
}

/* Impossible values of packs, with or without a good reading. */
static void print_impossible(json_t *all)
{
	json_t *pack, *refusal;
	size_t i, n;
	bool any = false;

	json_array_foreach(json_object_get(all, "packs"), i, pack)
	{
		json_array_foreach(json_object_get(pack, "impossible"), n, refusal)
		{
			printf("%s%s: %s, %s %lld times\n", any ? "" : "\nIMPOSSIBLE\n",
			       status_text(pack, "name"), status_text(refusal, "text"),
			       json_is_true(json_object_get(refusal, "reading")) ? "refused"
										 : "left out",
			       (long long)json_integer_value(json_object_get(refusal, "times")));
			any = true;
		}
	}
}

/* @return whether one of them is an alarm */
static bool print_alarms_of(json_t *battery, const char *kind, bool *begun)
{
	json_t *alarm;
	size_t i;

	json_array_foreach(json_object_get(battery, "alarms"), i, alarm)
	{
		char text[512];

		status_alarm(alarm, text, sizeof(text));
		printf("%s%-7s %s %s: %s\n", *begun ? "" : "\nALARMS\n",
		       status_is_alarm(alarm) ? "ALARM" : "warning", kind,
		       status_text(battery, "name"), text);
		*begun = true;
	}
	return status_severity(battery) == 2;
}

static bool print_alarms(json_t *all)
{
	static const struct {
		const char *list, *kind;
	} lists[] = {{"packs", "pack"}, {"banks", "bank"}};
	bool begun = false, alarm = false;

	for (size_t l = 0; l < PB_ARRAY_SIZE(lists); l++) {
		json_t *battery;
		size_t i;

		json_array_foreach(json_object_get(all, lists[l].list), i, battery)
		{
			alarm |= print_alarms_of(battery, lists[l].kind, &begun);
		}
	}
	return alarm;
}

static void print_clients(json_t *listener)
{
	json_t *client;
	size_t i;

	json_array_foreach(json_object_get(listener, "connections"), i, client)
	{
		char connected[48], idle[48];

		status_duration(json_integer_value(json_object_get(client, "connected_s")),
				connected, sizeof(connected));
		status_duration(json_integer_value(json_object_get(client, "idle_s")), idle,
				sizeof(idle));
		printf("  %s: for %s, idle %s, %lld requests, %lld exceptions\n",
		       status_text(client, "peer"), connected, idle,
		       (long long)json_integer_value(json_object_get(client, "requests")),
		       (long long)json_integer_value(json_object_get(client, "exceptions")));
	}
}

static void print_listeners(json_t *all)
{
	static const char *const counters[] = {"requests", "exceptions", "malformed",
					       "evicted",  "refused",	 "timeouts"};
	json_t *listener, *unit;
	size_t i, n;

	puts("\nLISTENERS");
	json_array_foreach(json_object_get(all, "listeners"), i, listener)
	{
		printf("%s %s:", status_text(listener, "kind"), status_text(listener, "address"));
		if (strcmp(status_text(listener, "kind"), "rtu") == 0)
			printf(" %s,", json_integer_value(json_object_get(listener, "clients"))
					       ? "open"
					       : "closed");
		else
			printf(" %lld clients,",
			       (long long)json_integer_value(json_object_get(listener, "clients")));
		for (n = 0; n < PB_ARRAY_SIZE(counters); n++) {
			json_int_t value =
				json_integer_value(json_object_get(listener, counters[n]));

			if (n < 2 || value)
				printf("%s %lld %s", n ? "," : "", (long long)value, counters[n]);
		}
		putchar('\n');
		json_array_foreach(json_object_get(listener, "units"), n, unit)
		{
			printf("  unit %lld: %s, map %s\n",
			       (long long)json_integer_value(json_object_get(unit, "unit")),
			       status_text(unit, "battery"), status_text(unit, "map"));
		}
		print_clients(listener);
	}
}

/* @return the exit status */
static int print_page(json_t *all)
{
	int width = status_longest_name(all);
	bool trouble, alarm;

	status_title(all, stdout);
	alarm = print_alarms(all);
	print_table(all, "packs", "PACK", width);
	print_table(all, "banks", "BANK", width);
	trouble = status_print_trouble(all);
	print_impossible(all);
	print_control(all);
	print_listeners(all);
	return trouble || alarm ? 1 : 0;
}

/* ---- the command ---- */

struct status_options {
	const char *socket, *trace;
	int64_t seconds, count;
	bool watch, json, metrics;
};

/* @return -1: go on; else the exit status to end with. */
static int status_read_options(int argc, char **argv, struct status_options *ret)
{
	const struct option_row rows[] = {
		{"watch", 'w', OPTION_FLAG, &ret->watch, 0, 0},
		{"json", 'j', OPTION_FLAG, &ret->json, 0, 0},
		{"metrics", 0, OPTION_FLAG, &ret->metrics, 0, 0},
		{"trace", 't', OPTION_TEXT, &ret->trace, 0, 0},
		{"seconds", 0, OPTION_NUMBER, &ret->seconds, 1, 3600},
		{"count", 0, OPTION_NUMBER, &ret->count, 1, 1000000},
		{"socket", 's', OPTION_TEXT, &ret->socket, 0, 0},
		{0},
	};
	int status;

	*ret = (struct status_options){.seconds = 30};
	status = pb_cli_options(argc, argv, rows, help, "");
	if (!ret->socket)
		ret->socket = ret->trace ? PB_CONFIG_CONTROL : PB_CONFIG_STATUS;
	if (status >= 0 || (ret->trace != NULL) + ret->watch + ret->json + ret->metrics <= 1)
		return status;
	fprintf(stderr,
		"packbridge status: expected one of --watch, --json, --metrics and --trace\n\n%s",
		help);
	return 2;
}

/* Prints the daemon's answer unchanged. */
static int print_raw(const char *path, const char *question)
{
	char *text = NULL;
	int r = status_fetch_text(path, question, &text);
	bool refused;

	if (r < 0) {
		pb_cli_ask_failed("status", path, "status", r);
		return 1;
	}
	refused = strncmp(text, "error:", strlen("error:")) == 0;
	if (refused)
		fprintf(stderr, "packbridge status: %s: ", path);
	pb_cli_put(text, true, refused ? stderr : stdout);
	free(text);
	return refused;
}

int pb_cli_status(int argc, char **argv)
{
	struct status_options options;
	json_t *all;
	int status = status_read_options(argc, argv, &options), error;

	if (status >= 0)
		return status;
	if (options.json || options.metrics)
		return print_raw(options.socket, options.json ? "status\n" : "metrics\n");
	if (options.trace)
		return status_trace(options.socket, options.trace, (unsigned int)options.seconds,
				    (unsigned int)options.count);
	if (options.watch)
		return status_watch(options.socket);
	all = status_fetch(options.socket, &error);
	if (!all) {
		pb_cli_ask_failed("status", options.socket, "status", error);
		return 1;
	}
	status = print_page(all);
	json_decref(all);
	return status;
}
