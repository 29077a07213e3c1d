/* SPDX-License-Identifier: MIT */
/*
 * packbridge switch: inhibits charging or discharging of a pack, by a person on this machine.
 *
 * The daemon accepts an order at once, but only a later reading of the pack shows whether it was
 * done. So the state is asked for again and again, until it is final or the patience ends.
 */
#include "ask.h"
#include "cli.h"
#include "options.h"
#include "shown.h"
#include "status_model.h"

#include "packbridge/base.h"
#include "packbridge/config.h"

#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { PATIENCE_MS = 15000, PAUSE_MS = 200, LEASE_MAX_S = PB_LEASE_NONE_S - 1 };

static const char help[] =
	"Usage: packbridge switch NAME charge|discharge off|on [--for TIME]\n"
	"       packbridge switch NAME release\n"
	"       packbridge switch --status [NAME]\n"
	"Inhibits charging or discharging of a pack or bank of the running daemon (off), or ends "
	"that\n"
	"(on), by the switches of the BMS. Needs `control:` of the pack, docs/control.md. It is no "
	"safety\n"
	"function and no isolation: the switches are closed again by a release, and, unless "
	"lease_end\n"
	"is keep, when the time ends or the daemon stops.\n"
	"An order takes over the pack from Modbus clients. `release` closes what was opened and "
	"gives\n"
	"the pack back; a client has to write its wish again.\n"
	"Waits up to 15 s for a reading that shows the effect.\n"
	"\n"
	"      --for TIME     ends by itself after TIME: seconds, or 90s, 10m, 2h; up to 18h\n"
	"                     (default: it holds until `release`, or until the daemon stops)\n"
	"      --status       who inhibits what, and how far it is; changes nothing\n"
	"  -j, --json         the same as JSON\n"
	"  -s, --socket PATH  the daemon's control socket\n"
	"                     (default " PB_CONFIG_CONTROL ", key `control:` of its file)\n"
	"  -h, --help         this text\n"
	"\n"
	"Exit status: 0 a later reading shows the effect; 1 it does not, or not yet; 2 wrong "
	"usage.\n";

struct switch_options {
	const char *socket, *duration;
	const char *name, *what, *position; /* operands; NULL: not given */
	bool status, json;
	int64_t lease_s; /* 0: none */
};

/* ---- the command line ---- */

static int wrong_usage(const char *text)
{
	fprintf(stderr, "packbridge switch: %s\n\n%s", text, help);
	return 2;
}

/* "600", "600s", "10m", "2h". @return 0, -EINVAL */
static int parse_duration(const char *text, int64_t *ret_s)
{
	static const struct {
		const char *unit;
		int64_t seconds;
	} units[] = {{"", 1}, {"s", 1}, {"m", 60}, {"min", 60}, {"h", 3600}};
	size_t digits = strspn(text, "0123456789"), i = 0;
	char number[16];
	int64_t value;

	while (i < PB_ARRAY_SIZE(units) && strcmp(units[i].unit, text + digits) != 0)
		i++;
	if (i == PB_ARRAY_SIZE(units) || digits >= sizeof(number))
		return -EINVAL;
	snprintf(number, sizeof(number), "%.*s", (int)digits, text);
	if (pb_int_parse(number, 1, LEASE_MAX_S / units[i].seconds, &value) < 0)
		return -EINVAL;
	*ret_s = value * units[i].seconds;
	return 0;
}

/* @return -1: they fit together; else the exit status */
static int check_order(struct switch_options *options)
{
	bool release = options->what && strcmp(options->what, "release") == 0;

	if (options->status)
		return options->what || options->duration
			       ? wrong_usage("--status takes a name and nothing else")
			       : -1;
	if (!options->name || !options->what || (!release && !options->position))
		return wrong_usage("expected NAME charge|discharge off|on, NAME release, or "
				   "--status");
	if (release && (options->position || options->duration))
		return wrong_usage("release takes nothing else");
	if (release)
		return -1;
	if (strcmp(options->what, "charge") != 0 && strcmp(options->what, "discharge") != 0)
		return wrong_usage("expected charge, discharge or release behind the name");
	if (strcmp(options->position, "off") != 0 && strcmp(options->position, "on") != 0)
		return wrong_usage("expected off or on");
	if (options->duration && parse_duration(options->duration, &options->lease_s) < 0)
		return wrong_usage("--for, expected 1 s to 18 h: 90s, 10m or 2h");
	return -1;
}

/* @return -1: go on; else the exit status to end with. */
static int switch_read_options(int argc, char **argv, struct switch_options *ret)
{
	const struct option_row rows[] = {
		{"for", 0, OPTION_TEXT, &ret->duration, 0, 0},
		{"status", 0, OPTION_FLAG, &ret->status, 0, 0},
		{"json", 'j', OPTION_FLAG, &ret->json, 0, 0},
		{"socket", 's', OPTION_TEXT, &ret->socket, 0, 0},
		{0},
	};
	const char **operands[] = {&ret->name, &ret->what, &ret->position};
	int status;

	*ret = (struct switch_options){.socket = PB_CONFIG_CONTROL};
	status = pb_cli_options(argc, argv, rows, help, "[NAME] [ORDER] [POSITION]");
	if (status >= 0)
		return status;
	for (size_t i = 0; i < PB_ARRAY_SIZE(operands) && optind + (int)i < argc; i++)
		*operands[i] = argv[optind + (int)i];
	return check_order(ret);
}

/* ---- the daemon ---- */

/* Asks one line. @return the answer, for free(); NULL: it is reported on stderr */
static char *switch_ask(const struct switch_options *options, const char *line)
{
	char *answer = NULL;
	size_t len;
	FILE *out = open_memstream(&answer, &len);
	int r = out ? pb_cli_ask(options->socket, line, out) : -ENOMEM;

	if (out)
		fclose(out);
	if (r >= 0 && strncmp(answer, "error:", strlen("error:")) != 0)
		return answer;
	if (r < 0)
		pb_cli_ask_failed("switch", options->socket, "control", r);
	else
		pb_cli_put(answer, true, stderr);
	free(answer);
	return NULL;
}

/* @return the list of those with control; NULL: reported */
static json_t *ask_switches(const struct switch_options *options)
{
	char line[256], *answer;
	json_t *all, *list;

	snprintf(line, sizeof(line), "switch %s\n", options->name ? options->name : "");
	answer = switch_ask(options, line);
	if (!answer)
		return NULL;
	all = json_loads(answer, 0, NULL);
	list = json_incref(json_object_get(all, "switches"));
	json_decref(all);
	free(answer);
	pb_cli_clean_json(list);
	if (!list)
		pb_cli_ask_failed("switch", options->socket, "control", -EPROTO);
	return list;
}

/* ---- --status ---- */

static void print_json(json_t *value)
{
	json_dumpf(value, stdout, JSON_COMPACT);
	putchar('\n');
}

static void say_no_control(const struct switch_options *options)
{
	fprintf(stderr, "%s has no control, expected control: in its configuration\n",
		SHOWN(options->name));
}

static int print_status(const struct switch_options *options)
{
	json_t *list = ask_switches(options), *battery;
	size_t i;
	bool none = list && json_array_size(list) == 0;

	if (!list)
		return 1;
	if (options->json)
		print_json(list);
	else if (none && options->name)
		say_no_control(options);
	else if (none)
		puts("no pack has control");
	json_array_foreach(list, i, battery)
	{
		char text[512];

		status_control(battery, text, sizeof(text));
		if (!options->json)
			printf("%s: %s\n", status_text(battery, "name"), text);
	}
	json_decref(list);
	return none && options->name ? 1 : 0;
}

/* ---- orders ---- */

enum outcome { OUTCOME_WAIT, OUTCOME_DONE, OUTCOME_NOT };

static bool is_one_of(const char *word, const char *const *words)
{
	while (*words && strcmp(word, *words) != 0)
		words++;
	return *words;
}

/* Whether the wish is no more what was ordered: another person has ordered something else. */
static bool is_other_wish(const struct switch_options *options, json_t *control)
{
	bool charge = strcmp(options->what, "charge") == 0;
	json_t *wish = json_object_get(control, charge ? "inhibit_charge" : "inhibit_discharge");

	return json_is_true(wish) != (strcmp(options->position, "off") == 0);
}

static enum outcome judge(const struct switch_options *options, json_t *control)
{
	static const char *const ended[] = {"failed", "overridden", "foreign", "off", NULL};
	static const char *const reached[] = {"confirmed", "local", NULL};
	const char *state = status_text(control, "state"), *owner = status_text(control, "owner");
	bool release = strcmp(options->what, "release") == 0;

	if (release && *owner && strcmp(owner, "local") != 0)
		return OUTCOME_DONE; /* a client has asked for something already */
	if (!release && is_other_wish(options, control))
		return OUTCOME_NOT;
	if (is_one_of(state, ended))
		return OUTCOME_NOT;
	if (!release && is_one_of(state, reached))
		return OUTCOME_DONE;
	if (strcmp(state, "idle") == 0 && (release || strcmp(options->position, "on") == 0))
		return OUTCOME_DONE;
	return OUTCOME_WAIT;
}

/* Tells once what it waits for. @told: the last reason */
static void print_reason(json_t *control, char *told, size_t cap)
{
	const char *reason = status_text(control, "reason");

	if (*reason && strcmp(reason, told) != 0)
		fprintf(stderr, "%s: %s; waiting\n", status_text(control, "state"), reason);
	snprintf(told, cap, "%s", reason);
}

/* Asks until it is final or too late. @return its last state; NULL: reported */
static json_t *follow(const struct switch_options *options, enum outcome *ret)
{
	uint64_t end_ms = pb_now_ms() + PATIENCE_MS;
	char told[128] = "";

	for (;;) {
		json_t *list = ask_switches(options);
		json_t *battery = json_incref(json_array_get(list, 0));
		json_t *control = json_object_get(battery, "control");

		if (list && !battery)
			say_no_control(options);
		json_decref(list);
		if (!battery)
			return NULL;
		*ret = judge(options, control);
		if (*ret != OUTCOME_WAIT || pb_now_ms() >= end_ms)
			return battery;
		print_reason(control, told, sizeof(told));
		json_decref(battery);
		poll(NULL, 0, PAUSE_MS);
	}
}

static void print_outcome(const struct switch_options *options, enum outcome outcome,
			  json_t *battery)
{
	static const char *const texts[] = {
		[OUTCOME_WAIT] = "not confirmed within 15 s, still wanted: ",
		[OUTCOME_DONE] = "",
		[OUTCOME_NOT] = "not confirmed: ",
	};
	FILE *out = outcome == OUTCOME_DONE ? stdout : stderr;
	char text[512];

	if (options->json)
		print_json(battery);
	if (options->json && outcome == OUTCOME_DONE)
		return;
	status_control(battery, text, sizeof(text));
	fprintf(out, "%s: %s%s\n", SHOWN(options->name), texts[outcome], text);
}

static int give_order(const struct switch_options *options)
{
	char line[256], lease[24] = "", *answer;
	enum outcome outcome = OUTCOME_WAIT;
	json_t *battery;

	if (options->lease_s)
		snprintf(lease, sizeof(lease), " %" PRId64, options->lease_s);
	snprintf(line, sizeof(line), "switch %s %s%s%s%s\n", options->name, options->what,
		 options->position ? " " : "", options->position ? options->position : "", lease);
	answer = switch_ask(options, line);
	if (!answer)
		return 1;
	free(answer);
	battery = follow(options, &outcome);
	if (!battery)
		return 1;
	print_outcome(options, outcome, battery);
	json_decref(battery);
	return outcome == OUTCOME_DONE ? 0 : 1;
}

int pb_cli_switch(int argc, char **argv)
{
	struct switch_options options;
	int status = switch_read_options(argc, argv, &options);

	if (status >= 0)
		return status;
	return options.status ? print_status(&options) : give_order(&options);
}
