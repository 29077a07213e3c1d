/* SPDX-License-Identifier: MIT */
/*
 * The fields of all batteries as metrics, in base units as Prometheus wants them. Absent or stale
 * values have no line.
 */
#include "document.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

enum { UNAVAILABLE = 503 };

/* The base unit of each unit of the catalogue, and what is snapshot of a value: @times of it, with
 * so many @digits as a decimal fraction. */
static const struct {
	const char *suffix;
	int times, digits;
} units[] = {
	[PB_UOM_NONE] = {"", 1, 0},	      [PB_UOM_MV] = {"_volts", 1, 3},
	[PB_UOM_MA] = {"_amperes", 1, 3},     [PB_UOM_MW] = {"_watts", 1, 3},
	[PB_UOM_MAH] = {"_coulombs", 36, 1},  [PB_UOM_MWH] = {"_joules", 36, 1},
	[PB_UOM_PERMILLE] = {"_ratio", 1, 3}, [PB_UOM_MC] = {"_celsius", 1, 3},
	[PB_UOM_S] = {"_seconds", 1, 0},      [PB_UOM_DBM] = {"_dbm", 1, 0},
};

static bool metrics_is_counter(const struct pb_field *field)
{
	return field->total ||
	       (!field->data && field->max == UINT32_MAX && field->uom == PB_UOM_NONE);
}

/* "cell_count" -> "cells": _count is Prometheus's own, for histograms. */
static size_t metrics_plural(const struct pb_field *field, const char **ret_end)
{
	static const char count[] = "_count";
	size_t len = strlen(field->name), tail = sizeof(count) - 1;

	*ret_end = "";
	if (len < tail || strcmp(field->name + len - tail, count) != 0)
		return len;
	*ret_end = "s";
	return len - tail;
}

/* "cell_mv" -> "packbridge_cell_volts" */
static void metric_name(const struct pb_field *field, const char *prefix, char *out, size_t cap)
{
	const char *end, *last = strrchr(field->name, '_');
	size_t len = metrics_plural(field, &end);

	/* the name ends with its unit, where it has one */
	if (field->uom != PB_UOM_NONE && last)
		len = (size_t)(last - field->name);
	snprintf(out, cap, "%s%.*s%s%s%s", prefix, (int)len, field->name, end,
		 units[field->uom].suffix, metrics_is_counter(field) ? "_total" : "");
	for (char *c = out; *c; c++)
		if (*c == '.')
			*c = '_';
}

static void metrics_print_head(const struct pb_field *field, const char *name, FILE *out)
{
	fprintf(out, "# HELP %s %s\n# TYPE %s %s\n", name, field->description, name,
		metrics_is_counter(field) ? "counter" : "gauge");
}

static void metrics_print_value(const struct pb_field *field, int64_t value, FILE *out)
{
	static const uint64_t powers[] = {1, 10, 100, 1000};
	int digits = units[field->uom].digits;
	uint64_t one = powers[digits], whole;

	value *= units[field->uom].times;
	whole = value < 0 ? -(uint64_t)value : (uint64_t)value;
	fprintf(out, " %s%" PRIu64, value < 0 ? "-" : "", whole / one);
	if (digits)
		fprintf(out, ".%0*" PRIu64, digits, whole % one);
	fputc('\n', out);
}

/* All values of a scrape are of the same readings, however many pieces it takes. */
struct readings {
	size_t count;
	struct reading {
		struct pb_battery data;
		bool bank;
	} all[];
};

static struct readings *take_readings(const struct snapshot *snapshot)
{
	size_t packs = snapshot->config->pack_count, count = packs + snapshot->config->bank_count;
	struct readings *readings = malloc(sizeof(*readings) + count * sizeof(readings->all[0]));

	if (!readings)
		return NULL;
	readings->count = count;
	for (size_t i = 0; i < count; i++) {
		struct reading *reading = &readings->all[i];

		reading->bank = i >= packs;
		reading->data = *pb_plant_battery(snapshot->site->plant, i, snapshot->now_ms);
	}
	return readings;
}

/* Which element it is: by its name, where it has one. */
static void metrics_print_part(const struct pb_field *field, unsigned int part, FILE *out)
{
	const char *name = pb_field_part(field, part);

	if (!field->indexed)
		return;
	if (name)
		fprintf(out, ",name=\"%s\"", name);
	else
		fprintf(out, ",index=\"%u\"", part + pb_field_first(field));
}

/* @return whether the head of the field has been printed */
static bool metrics_print_reading(const struct reading *reading, const struct pb_field *field,
				  bool begun, FILE *out)
{
	bool stale = reading->data.quality != PB_QUALITY_GOOD;
	char name[96];

	metric_name(field, "packbridge_", name, sizeof(name));
	for (unsigned int n = 0; n < field->count; n++) {
		int64_t value;

		if ((stale && field->data) || !pb_field_get(field, &reading->data, n, &value))
			continue;
		if (!begun)
			metrics_print_head(field, name, out);
		begun = true;
		fprintf(out, "%s{%s=\"%s\"", name, reading->bank ? "bank" : "pack",
			reading->data.name);
		metrics_print_part(field, n, out);
		fputc('}', out);
		metrics_print_value(field, value, out);
	}
	return begun;
}

static void print_gateway(const struct snapshot *snapshot, FILE *out)
{
	const struct pb_gateway *gateway =
		pb_plant_gateway(snapshot->site->plant, snapshot->now_ms);
	size_t count;
	const struct pb_field *fields = pb_fields(PB_SCOPE_GATEWAY, &count);

	for (size_t i = 0; i < count; i++) {
		char name[96];
		int64_t value;

		if (fields[i].kind == PB_KIND_TEXT || fields[i].indexed ||
		    !pb_field_get(&fields[i], gateway, 0, &value))
			continue;
		metric_name(&fields[i], "packbridge_gateway_", name, sizeof(name));
		metrics_print_head(&fields[i], name, out);
		fputs(name, out);
		metrics_print_value(&fields[i], value, out);
	}
	fprintf(out,
		"# HELP packbridge_info version\n# TYPE packbridge_info gauge\n"
		"packbridge_info{version=\"%s\"} 1\n",
		gateway->version);
}

/* A label's value: what a file or an address may hold is quoted. */
static void print_quoted(const char *text, FILE *out)
{
	for (; *text; text++) {
		if (*text == '"' || *text == '\\')
			fputc('\\', out);
		fputc(*text == '\n' ? ' ' : *text, out);
	}
}

static const struct {
	const char *name, *help;
	size_t offset;
	bool gauge;
} listener_rows[] = {
#define ROW(member, help, gauge)                                                                   \
	{                                                                                          \
#member, help, offsetof(struct pb_server_stats, member), gauge                     \
	}
	ROW(clients, "clients connected now; of a serial line 1 while it is open", true),
	ROW(requests, "requests taken", false),
	ROW(exceptions, "requests answered by an exception", false),
	ROW(malformed, "connections closed because of invalid bytes, frames with a wrong CRC",
	    false),
	ROW(evicted, "idle clients closed to let a new one in", false),
	ROW(refused, "connections refused because of `allow`", false),
	ROW(timeouts, "clients closed after a timeout", false),
};

static void metrics_print_listeners(const struct snapshot *snapshot, size_t r, FILE *out)
{
	const char *end = listener_rows[r].gauge ? "" : "_total";

	fprintf(out, "# HELP packbridge_listener_%s%s %s\n# TYPE packbridge_listener_%s%s %s\n",
		listener_rows[r].name, end, listener_rows[r].help, listener_rows[r].name, end,
		listener_rows[r].gauge ? "gauge" : "counter");
	for (size_t i = 0; i < snapshot->config->listen_count; i++) {
		struct pb_server_stats stats;
		char name[PB_LISTEN_NAME];
		uint32_t value;

		listener_stats(&snapshot->listeners->all[i], &stats);
		memcpy(&value, (const char *)&stats + listener_rows[r].offset, sizeof(value));
		pb_listen_name(&snapshot->config->listens[i], name, sizeof(name));
		fprintf(out, "packbridge_listener_%s%s{listener=\"", listener_rows[r].name, end);
		print_quoted(name, out);
		fprintf(out, "\"} %u\n", value);
	}
}

/* How commands to packs with control ended. Nothing if no pack has it. */
static void print_commands(const struct snapshot *snapshot, FILE *out)
{
	static const char *const results[] = {
		[PB_COMMAND_DONE] = "done",
		[PB_COMMAND_REFUSED] = "refused",
		[PB_COMMAND_UNANSWERED] = "unanswered",
		[PB_COMMAND_UNSUPPORTED] = "unsupported",
		[PB_COMMAND_DROPPED] = "dropped",
	};
	bool begun = false;

	for (size_t i = 0; i < snapshot->config->pack_count; i++) {
		if (snapshot->config->packs[i].control.mode == PB_CONTROL_OFF)
			continue;
		if (!begun)
			fputs("# HELP packbridge_commands_total commands to the switches of a pack "
			      "that ended so; done: the BMS took it\n"
			      "# TYPE packbridge_commands_total counter\n",
			      out);
		begun = true;
		for (size_t r = PB_COMMAND_DONE; r < PB_ARRAY_SIZE(results); r++)
			fprintf(out, "packbridge_commands_total{pack=\"%s\",result=\"%s\"} %u\n",
				snapshot->config->packs[i].name, results[r],
				snapshot->site->packs[i].commands[r]);
	}
}

/* ---- piece by piece ---- */

enum part { PART_BEGIN, PART_FIELDS, PART_COMMANDS, PART_GATEWAY, PART_LISTENERS };

/* document->at: the place of a field and a reading; document->sub: its head has been printed */
static bool metrics_field(struct document *document)
{
	const struct readings *readings = document->kept;
	size_t count, f = document->at / readings->count, i = document->at % readings->count;
	const struct pb_field *fields = pb_fields(PB_SCOPE_BATTERY, &count);

	if (f == count) {
		document->part = PART_COMMANDS;
		return true;
	}
	if (i == 0)
		document->sub = false;
	if (fields[f].kind == PB_KIND_TEXT || fields[f].kind == PB_KIND_DATE) {
		document->at += readings->count;
		return true;
	}
	document->sub = metrics_print_reading(&readings->all[i], &fields[f], document->sub != 0,
					      document->out);
	document->at++;
	return true;
}

static bool metrics_step(struct document *document)
{
	switch ((enum part)document->part) {
	case PART_BEGIN:
		document->kept = take_readings(&document->snapshot);
		document->part = PART_FIELDS;
		document->status = document->kept ? document->status : UNAVAILABLE;
		return document->kept != NULL;
	case PART_FIELDS:
		return metrics_field(document);
	case PART_COMMANDS:
		print_commands(&document->snapshot, document->out);
		document->part = PART_GATEWAY;
		return true;
	case PART_GATEWAY:
		print_gateway(&document->snapshot, document->out);
		document->part = PART_LISTENERS;
		document->at = 0;
		return true;
	case PART_LISTENERS:
		metrics_print_listeners(&document->snapshot, document->at, document->out);
		return ++document->at < PB_ARRAY_SIZE(listener_rows);
	}
	return false;
}

const struct document_kind document_metrics = {"text/plain; version=0.0.4; charset=utf-8",
					       metrics_step};
