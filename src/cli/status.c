/* SPDX-License-Identifier: MIT */
/*
 * packbridge status: what a running daemon has to tell, through its status socket.
 */
#include "status.h"

#include "ask.h"
#include "cli.h"
#include "options.h"
#include "shown.h"

#include "packbridge/config.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char help[] =
	"Usage: packbridge status [--watch | --json | --metrics] [--socket PATH]\n"
	"       packbridge status --trace LISTENER [--seconds N] [--count N] [--socket PATH]\n"
	"Tells what a running daemon sees: packs, banks, alarms, listeners and their clients.\n\n"
	"  -w, --watch        live, with the cells of one pack as bars; q ends it\n"
	"  -j, --json         everything, as one JSON object\n"
	"      --metrics      the same as metrics for Prometheus\n"
	"  -t, --trace LISTENER what this listener is asked, and what it answers: its address as "
	"in\n"
	"                     the configuration, or its number in status, from 1\n"
	"      --seconds N    for how long, 1 to 3600 (default 30)\n"
	"      --count N      at most so many requests\n"
	"  -s, --socket PATH  the daemon's status socket\n"
	"                     (default " PB_CONFIG_STATUS ", key `status:` of its file);\n"
	"                     with --trace the control socket (" PB_CONFIG_CONTROL ")\n"
	"  -h, --help         this text\n\n"
	"Exit status: 0 all packs have a good reading and there is no alarm, 1 otherwise, or when "
	"the\n"
	"daemon can't be asked (with --json and --metrics only then), 2 usage.\n";

/* ---- what the daemon tells ---- */

static int fetch_text(const char *path, const char *question, char **ret)
{
	size_t len;
	FILE *out = open_memstream(ret, &len);
	int r;

	if (!out)
		return -ENOMEM;
	r = pb_cli_ask(path, question, out);
	fclose(out);
	if (r < 0) {
		free(*ret);
		*ret = NULL;
	}
	return r;
}

json_t *status_fetch(const char *path, int *ret_error)
{
	char *text = NULL;
	json_t *all;

	*ret_error = fetch_text(path, "status\n", &text);
	if (*ret_error < 0)
		return NULL;
	all = json_loads(text, 0, NULL);
	free(text);
	if (!all)
		*ret_error = -EPROTO;
	/* who holds the socket is not known */
	pb_cli_clean_json(all);
	return all;
}

json_int_t status_number(json_t *battery, const char *field, json_int_t absent)
{
	json_t *value = json_object_get(json_object_get(battery, "fields"), field);

	return json_is_integer(value) ? json_integer_value(value) : absent;
}

const char *status_text(json_t *object, const char *key)
{
	const char *text = json_string_value(json_object_get(object, key));

	return text ? text : "";
}

void status_duration(json_int_t seconds, char *out, size_t cap)
{
	static const struct {
		json_int_t seconds;
		const char *name;
	} units[] = {{86400, "d"}, {3600, "h"}, {60, "min"}, {1, "s"}};
	size_t i = 0;

	while (i < 3 && seconds < units[i].seconds)
		i++;
	if (i == 3)
		snprintf(out, cap, "%lld s", (long long)seconds);
	else
		snprintf(out, cap, "%lld %s %lld %s", (long long)(seconds / units[i].seconds),
			 units[i].name,
			 (long long)(seconds % units[i].seconds / units[i + 1].seconds),
			 units[i + 1].name);
}

/* ---- the table ---- */

void status_head(const char *title, int name_width, FILE *out)
{
	fprintf(out, "%-*.*s %4s %-5s %4s %6s %7s %5s %9s %4s %4s %7s %4s\n", name_width,
		name_width, title, "UNIT", "STATE", "AGE", "V", "A", "%", "CELLS mV", "C", "RSSI",
		"POLLS", "FAIL");
}

/* A number of thousandths with @digits behind the point, right in @width; "-" when it is absent. */
static void cell(json_t *battery, const char *field, int width, int digits, FILE *out)
{
	static const int steps[] = {1000, 100, 10};
	json_int_t value = status_number(battery, field, INT32_MIN), part;
	char text[32];

	if (value == INT32_MIN) {
		fprintf(out, " %*s", width, "-");
		return;
	}
	part = (value < 0 ? -value : value) + steps[digits] / 2;
	part -= part % steps[digits];
	if (digits == 0)
		snprintf(text, sizeof(text), "%s%lld", value < 0 && part ? "-" : "",
			 (long long)(part / 1000));
	else
		snprintf(text, sizeof(text), "%s%lld.%0*lld", value < 0 && part ? "-" : "",
			 (long long)(part / 1000), digits,
			 (long long)(part % 1000 / steps[digits]));
	fprintf(out, " %*s", width, text);
}

static const char *short_quality(const char *quality)
{
	if (strcmp(quality, "stale, link lost") == 0)
		return "lost";
	return strcmp(quality, "never read") == 0 ? "never" : quality;
}

void status_line(json_t *battery, int name_width, FILE *out)
{
	json_t *age = json_object_get(battery, "age_s");
	json_int_t low = status_number(battery, "cell_min_mv", 0);
	json_int_t high = status_number(battery, "cell_max_mv", 0);
	json_int_t rssi = status_number(battery, "rssi_dbm", 1);
	json_int_t polls = status_number(battery, "polls", 0);
	json_int_t failed = status_number(battery, "failures", 0);
	char text[32] = "-";

	fprintf(out, "%-*.*s %4lld %-5s", name_width, name_width, status_text(battery, "name"),
		(long long)json_integer_value(json_object_get(battery, "unit")),
		short_quality(status_text(battery, "quality")));
	if (json_is_integer(age))
		snprintf(text, sizeof(text), "%lld", (long long)json_integer_value(age));
	fprintf(out, " %4s", text);
	cell(battery, "voltage_mv", 6, 2, out);
	cell(battery, "current_ma", 7, 2, out);
	snprintf(text, sizeof(text), "-");
	if (status_number(battery, "soc_permille", -1) >= 0)
		snprintf(text, sizeof(text), "%.1f",
			 (double)status_number(battery, "soc_permille", 0) / 10);
	fprintf(out, " %5s", text);
	snprintf(text, sizeof(text), "-");
	if (high > 0)
		snprintf(text, sizeof(text), "%lld-%lld", (long long)low, (long long)high);
	fprintf(out, " %9s", text);
	cell(battery, "temperature_avg_mc", 4, 0, out);
	snprintf(text, sizeof(text), "-");
	if (rssi <= 0)
		snprintf(text, sizeof(text), "%lld", (long long)rssi);
	fprintf(out, " %4s %7lld %4lld\n", text, (long long)polls, (long long)failed);
}

void status_title(json_t *all, FILE *out)
{
	json_t *gateway = json_object_get(all, "gateway");
	char up[48];

	status_duration(json_integer_value(json_object_get(all, "uptime_s")), up, sizeof(up));
	fprintf(out, "packbridge %s, up %s: %lld of %lld packs with a good reading, %lld clients\n",
		status_text(all, "version"), up,
		(long long)json_integer_value(json_object_get(gateway, "online")),
		(long long)json_integer_value(json_object_get(gateway, "packs")),
		(long long)json_integer_value(json_object_get(gateway, "clients")));
}

/* ---- the page ---- */

static int longest_name(json_t *all)
{
	static const char *const lists[] = {"packs", "banks"};
	size_t longest = 6;

	for (size_t l = 0; l < PB_ARRAY_SIZE(lists); l++) {
		json_t *battery;
		size_t i;

		json_array_foreach(json_object_get(all, lists[l]), i, battery)
		{
			size_t len = strlen(status_text(battery, "name"));

			if (len > longest)
				longest = len;
		}
	}
	return (int)longest;
}

static void print_table(json_t *all, const char *list, const char *title, int width)
{
	json_t *battery, *batteries = json_object_get(all, list);
	size_t i;

	if (json_array_size(batteries) == 0)
		return;
	putchar('\n');
	status_head(title, width, stdout);
	json_array_foreach(batteries, i, battery)
	{
		status_line(battery, width, stdout);
	}
}

/* @return whether there is trouble */
static bool print_trouble(json_t *all)
{
	json_t *pack;
	size_t i;
	bool trouble = false;

	json_array_foreach(json_object_get(all, "packs"), i, pack)
	{
		if (strcmp(status_text(pack, "quality"), "good") == 0)
			continue;
		printf("%s%s (%s), %s: %s\n", trouble ? "" : "\nTROUBLE\n",
		       status_text(pack, "name"), status_text(pack, "link"),
		       status_text(pack, "state"), status_text(pack, "last_message"));
		trouble = true;
	}
	return trouble;
}

/* What packs said that can't be, whether they have a good reading beside it or not. */
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

static bool print_alarms(json_t *all)
{
	static const char *const lists[] = {"packs", "banks"};
	bool any = false, alarm = false;

	for (size_t l = 0; l < PB_ARRAY_SIZE(lists); l++) {
		json_t *battery, *entry;
		size_t i, n;

		json_array_foreach(json_object_get(all, lists[l]), i, battery)
		{
			json_array_foreach(json_object_get(battery, "alarms"), n, entry)
			{
				bool is_alarm = strcmp(status_text(entry, "level"), "alarm") == 0;

				printf("%s%-7s %s %s: %s, %s\n", any ? "" : "\nALARMS\n",
				       is_alarm ? "ALARM" : "warning", l ? "bank" : "pack",
				       status_text(battery, "name"), status_text(entry, "alarm"),
				       status_text(entry, "text"));
				any = true;
				alarm |= is_alarm;
			}
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
	int width = longest_name(all);
	bool trouble, alarm;

	status_title(all, stdout);
	print_table(all, "packs", "PACK", width);
	print_table(all, "banks", "BANK", width);
	trouble = print_trouble(all);
	print_impossible(all);
	alarm = print_alarms(all);
	print_listeners(all);
	return trouble || alarm ? 1 : 0;
}

/* ---- the command ---- */

struct options {
	const char *socket, *trace;
	int64_t seconds, count;
	bool watch, json, metrics;
};

/* @return -1: go on; else the exit status to end with. */
static int read_options(int argc, char **argv, struct options *ret)
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

	*ret = (struct options){.seconds = 30};
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

/* What the daemon says, as it says it. */
static int print_raw(const char *path, const char *question)
{
	char *text = NULL;
	int r = fetch_text(path, question, &text);
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
	struct options options;
	json_t *all;
	int status = read_options(argc, argv, &options), error;

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
