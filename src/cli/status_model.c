/* SPDX-License-Identifier: MIT */
/*
 * The status of a running daemon, fetched from its status socket, and how its parts are printed:
 * what `packbridge status` and its live view have in common.
 */
#include "status_model.h"

#include "ask.h"
#include "shown.h"

#include "packbridge/base.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

int status_fetch_text(const char *path, const char *question, char **ret)
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

	*ret_error = status_fetch_text(path, "status\n", &text);
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

/* ---- alarms ---- */

bool status_is_alarm(json_t *alarm)
{
	return strcmp(status_text(alarm, "level"), "alarm") == 0;
}

int status_severity(json_t *battery)
{
	json_t *alarm;
	size_t i;
	int worst = 0;

	json_array_foreach(json_object_get(battery, "alarms"), i, alarm)
	{
		if (status_is_alarm(alarm))
			return 2;
		worst = 1;
	}
	return worst;
}

/* "21:14", or with its day when that is another one */
static void say_since(json_int_t passed_s, char *out, size_t cap)
{
	time_t now = time(NULL), since = now - (time_t)passed_s;
	struct tm today, then;

	*out = '\0';
	if (localtime_r(&now, &today) && localtime_r(&since, &then))
		strftime(out, cap, today.tm_yday == then.tm_yday ? "%H:%M" : "%Y-%m-%d %H:%M",
			 &then);
}

void status_alarm(json_t *alarm, char *out, size_t cap)
{
	json_t *since_s = json_object_get(alarm, "since_s");
	char since[32], passed[48];

	say_since(json_integer_value(since_s), since, sizeof(since));
	status_duration(json_integer_value(since_s), passed, sizeof(passed));
	snprintf(out, cap, "%s, %s, since %s (%s)", status_text(alarm, "alarm"),
		 status_text(alarm, "text"), since, passed);
}

/* ---- control ---- */

static const char *say_wish(json_t *control)
{
	bool charge = json_is_true(json_object_get(control, "inhibit_charge"));
	bool discharge = json_is_true(json_object_get(control, "inhibit_discharge"));

	return charge && discharge ? "charging and discharging inhibited"
	       : charge		   ? "charging inhibited"
	       : discharge	   ? "discharging inhibited"
				   : "nothing inhibited";
}

static const char *say_fet(json_t *battery, const char *field)
{
	json_t *fet = json_object_get(json_object_get(battery, "fields"), field);

	return json_is_true(fet) ? "on" : json_is_false(fet) ? "off" : "unknown";
}

/* "; by 192.168.1.20, ends in 42 s" */
static void say_owner(json_t *control, char *out, size_t cap)
{
	json_t *lease = json_object_get(control, "lease_s");
	const char *owner = status_text(control, "owner");
	char left[48];

	*out = '\0';
	if (!*owner)
		return;
	status_duration(json_integer_value(lease), left, sizeof(left));
	if (json_is_integer(lease))
		snprintf(out, cap, "; by %s, ends in %s", owner, left);
	else
		snprintf(out, cap, "; by %s, until it is released", owner);
}

void status_control(json_t *battery, char *out, size_t cap)
{
	json_t *control = json_object_get(battery, "control");
	const char *reason = status_text(control, "reason");
	char owner[128];

	*out = '\0';
	if (!control)
		return;
	say_owner(control, owner, sizeof(owner));
	snprintf(out, cap, "%s, %s%s%s%s; FETs: charge %s, discharge %s", say_wish(control),
		 status_text(control, "state"), *reason ? ": " : "", reason, owner,
		 say_fet(battery, "charge_fet"), say_fet(battery, "discharge_fet"));
}

/* ---- the table ---- */

void status_members(json_t *battery, char *out, size_t cap)
{
	json_int_t packs = status_number(battery, "packs", 1);
	json_int_t online = status_number(battery, "packs_online", packs);

	*out = '\0';
	if (json_object_get(battery, "topology") && online < packs)
		snprintf(out, cap, "%lld of %lld packs", (long long)online, (long long)packs);
}

/* A number of thousandths with @digits behind the point; "-" when it is absent. */
static void say_number(json_t *battery, const char *field, int digits, char *out, size_t cap)
{
	static const int steps[] = {1000, 100, 10};
	json_int_t value = status_number(battery, field, INT32_MIN), part;

	snprintf(out, cap, "-");
	if (value == INT32_MIN)
		return;
	part = (value < 0 ? -value : value) + steps[digits] / 2;
	part -= part % steps[digits];
	if (digits == 0)
		snprintf(out, cap, "%s%lld", value < 0 && part ? "-" : "",
			 (long long)(part / 1000));
	else
		snprintf(out, cap, "%s%lld.%0*lld", value < 0 && part ? "-" : "",
			 (long long)(part / 1000), digits,
			 (long long)(part % 1000 / steps[digits]));
}

static void say_unit(json_t *battery, char *out, size_t cap)
{
	snprintf(out, cap, "%lld", (long long)json_integer_value(json_object_get(battery, "unit")));
}

/* What the reading is worth; of a good one what is wrong with it. */
static void say_state(json_t *battery, char *out, size_t cap)
{
	static const char *const good[] = {"good", "warn", "ALARM"};
	const char *quality = status_text(battery, "quality");
	json_int_t packs = status_number(battery, "packs", 1);
	char members[32];

	status_members(battery, members, sizeof(members));
	if (strcmp(quality, "stale, link lost") == 0)
		quality = "lost";
	else if (strcmp(quality, "never read") == 0)
		quality = "never";
	else if (strcmp(quality, "good") == 0)
		quality = good[status_severity(battery)];
	if (*members && strcmp(status_text(battery, "quality"), "good") == 0)
		snprintf(out, cap, "%lld/%lld",
			 (long long)status_number(battery, "packs_online", packs),
			 (long long)packs);
	else
		snprintf(out, cap, "%s", quality);
}

static void say_age(json_t *battery, char *out, size_t cap)
{
	json_t *age = json_object_get(battery, "age_s");

	snprintf(out, cap, "-");
	if (json_is_integer(age))
		snprintf(out, cap, "%lld", (long long)json_integer_value(age));
}

static void say_volts(json_t *battery, char *out, size_t cap)
{
	say_number(battery, "voltage_mv", 2, out, cap);
}

static void say_amperes(json_t *battery, char *out, size_t cap)
{
	say_number(battery, "current_ma", 2, out, cap);
}

static void say_charge(json_t *battery, char *out, size_t cap)
{
	json_int_t soc = status_number(battery, "soc_permille", -1);

	snprintf(out, cap, "-");
	if (soc >= 0)
		snprintf(out, cap, "%lld.%lld", (long long)(soc / 10), (long long)(soc % 10));
}

static void say_cells(json_t *battery, char *out, size_t cap)
{
	json_int_t high = status_number(battery, "cell_max_mv", 0);

	snprintf(out, cap, "-");
	if (high > 0)
		snprintf(out, cap, "%lld-%lld", (long long)status_number(battery, "cell_min_mv", 0),
			 (long long)high);
}

static void say_warmth(json_t *battery, char *out, size_t cap)
{
	say_number(battery, "temperature_avg_mc", 0, out, cap);
}

static void say_signal(json_t *battery, char *out, size_t cap)
{
	json_int_t rssi = status_number(battery, "rssi_dbm", 1);

	snprintf(out, cap, "-");
	if (rssi <= 0)
		snprintf(out, cap, "%lld", (long long)rssi);
}

static void say_polls(json_t *battery, char *out, size_t cap)
{
	snprintf(out, cap, "%lld", (long long)status_number(battery, "polls", 0));
}

static void say_failures(json_t *battery, char *out, size_t cap)
{
	snprintf(out, cap, "%lld",
		 (long long)(status_number(battery, "failures", 0) +
			     status_number(battery, "connect_failures", 0)));
}

/* Negative widths stand at the left. Their sum with a blank before each is STATUS_COLUMNS. */
static const struct column {
	const char *title;
	int width;
	void (*say)(json_t *battery, char *out, size_t cap);
} columns[] = {
	{"UNIT", 4, say_unit},	    {"STATE", -5, say_state},  {"AGE", 4, say_age},
	{"V", 6, say_volts},	    {"A", 7, say_amperes},     {"%", 5, say_charge},
	{"CELLS mV", 9, say_cells}, {"C", 4, say_warmth},      {"RSSI", 4, say_signal},
	{"POLLS", 7, say_polls},    {"FAIL", 4, say_failures},
};

/* @battery: NULL: the head */
static void status_model_print_line(json_t *battery, const char *name, int name_width, int width,
				    FILE *out)
{
	int left = width - name_width;

	fprintf(out, "%-*.*s", name_width, name_width, name);
	for (size_t i = 0; i < PB_ARRAY_SIZE(columns); i++) {
		const struct column *column = &columns[i];
		char text[48];

		left -= 1 + abs(column->width);
		if (left < 0)
			break;
		snprintf(text, sizeof(text), "%s", column->title);
		if (battery)
			column->say(battery, text, sizeof(text));
		fprintf(out, " %*s", column->width, text);
	}
	fputc('\n', out);
}

void status_head(const char *title, int name_width, int width, FILE *out)
{
	status_model_print_line(NULL, title, name_width, width, out);
}

void status_line(json_t *battery, int name_width, int width, FILE *out)
{
	status_model_print_line(battery, status_text(battery, "name"), name_width, width, out);
}

/* "2 alarms, ", or "" for none */
static void say_count(json_int_t count, const char *what, char *out, size_t cap)
{
	*out = '\0';
	if (count)
		snprintf(out, cap, "%lld %s%s, ", (long long)count, what, count == 1 ? "" : "s");
}

/* Of packs and banks: they are listed one by one below. */
static void count_alarms(json_t *all, json_int_t *ret_alarms, json_int_t *ret_warnings)
{
	static const char *const lists[] = {"packs", "banks"};

	*ret_alarms = *ret_warnings = 0;
	for (size_t l = 0; l < PB_ARRAY_SIZE(lists); l++) {
		json_t *battery, *alarm;
		size_t i, n;

		json_array_foreach(json_object_get(all, lists[l]), i, battery)
		{
			json_array_foreach(json_object_get(battery, "alarms"), n, alarm)
			{
				*(status_is_alarm(alarm) ? ret_alarms : ret_warnings) += 1;
			}
		}
	}
}

void status_title(json_t *all, FILE *out)
{
	json_t *gateway = json_object_get(all, "gateway");
	json_int_t alarms, warnings;
	char up[48], some_alarms[32], some_warnings[32];

	status_duration(json_integer_value(json_object_get(all, "uptime_s")), up, sizeof(up));
	count_alarms(all, &alarms, &warnings);
	say_count(alarms, "alarm", some_alarms, sizeof(some_alarms));
	say_count(warnings, "warning", some_warnings, sizeof(some_warnings));
	fprintf(out,
		"packbridge %s, up %s: %s%s%lld of %lld packs with a good reading, %lld clients\n",
		status_text(all, "version"), up, some_alarms, some_warnings,
		(long long)json_integer_value(json_object_get(gateway, "online")),
		(long long)json_integer_value(json_object_get(gateway, "packs")),
		(long long)json_integer_value(json_object_get(gateway, "clients")));
}

int status_longest_name(json_t *all)
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
