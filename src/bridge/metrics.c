/* SPDX-License-Identifier: MIT */
/*
 * The fields of all batteries as metrics, in base units as Prometheus wants them. What is absent,
 * or old, has no line.
 */
#include "status.h"

#include <inttypes.h>
#include <string.h>

/* How a unit of the catalogue is called, and how many of it make one. */
static const struct {
	const char *suffix;
	int digits; /* of the decimal fraction: 3 for thousandths */
} units[] = {
	[PB_UOM_NONE] = {"", 0},
	[PB_UOM_MV] = {"_volts", 3},
	[PB_UOM_MA] = {"_amperes", 3},
	[PB_UOM_MW] = {"_watts", 3},
	[PB_UOM_MAH] = {"_ampere_hours", 3},
	[PB_UOM_MWH] = {"_watt_hours", 3},
	[PB_UOM_PERMILLE] = {"_ratio", 3},
	[PB_UOM_MC] = {"_celsius", 3},
	[PB_UOM_S] = {"_seconds", 0},
	[PB_UOM_DBM] = {"_dbm", 0},
};

static bool is_counter(const struct pb_field *field)
{
	return !field->data && field->max == UINT32_MAX && field->uom == PB_UOM_NONE;
}

/* "cell_mv" -> "packbridge_cell_volts" */
static void metric_name(const struct pb_field *field, const char *prefix, char *out, size_t cap)
{
	size_t len = strlen(field->name);
	const char *last = strrchr(field->name, '_');

	/* the name ends with its unit, where it has one */
	if (field->uom != PB_UOM_NONE && last)
		len = (size_t)(last - field->name);
	snprintf(out, cap, "%s%.*s%s%s", prefix, (int)len, field->name, units[field->uom].suffix,
		 is_counter(field) ? "_total" : "");
	for (char *c = out; *c; c++)
		if (*c == '.')
			*c = '_';
}

static void print_head(const struct pb_field *field, const char *name, FILE *out)
{
	fprintf(out, "# HELP %s %s\n# TYPE %s %s\n", name, field->description, name,
		is_counter(field) ? "counter" : "gauge");
}

static void print_value(const struct pb_field *field, int64_t value, FILE *out)
{
	uint64_t whole = value < 0 ? -(uint64_t)value : (uint64_t)value;

	if (units[field->uom].digits == 0)
		fprintf(out, " %" PRId64 "\n", value);
	else
		fprintf(out, " %s%" PRIu64 ".%03" PRIu64 "\n", value < 0 ? "-" : "", whole / 1000,
			whole % 1000);
}

static void print_field(const struct shown *shown, const struct pb_field *field, FILE *out)
{
	const struct fleet *fleet = &shown->site->show.fleet;
	bool begun = false;
	char name[96];

	metric_name(field, "packbridge_", name, sizeof(name));
	for (size_t i = 0; i < fleet->pack_count + fleet->bank_count; i++) {
		struct source *source = &fleet->sources[i];
		bool old = source_is_old(source, shown->now_ms);

		for (unsigned int n = 0; n < field->count; n++) {
			int64_t value;

			if ((old && field->data) || !pb_field_get(field, &source->data, n, &value))
				continue;
			if (!begun)
				print_head(field, name, out);
			begun = true;
			fprintf(out, "%s{%s=\"%s\"", name, source->bank ? "bank" : "pack",
				source->data.name);
			if (field->indexed)
				fprintf(out, ",index=\"%u\"", n + 1);
			fputc('}', out);
			print_value(field, value, out);
		}
	}
}

static void print_gateway(const struct shown *shown, FILE *out)
{
	const struct pb_gateway *gateway = show_gateway(&shown->site->show, shown->now_ms);
	size_t count;
	const struct pb_field *fields = pb_fields(PB_SCOPE_GATEWAY, &count);

	for (size_t i = 0; i < count; i++) {
		char name[96];
		int64_t value;

		if (fields[i].kind == PB_KIND_TEXT || fields[i].indexed ||
		    !pb_field_get(&fields[i], gateway, 0, &value))
			continue;
		metric_name(&fields[i], "packbridge_gateway_", name, sizeof(name));
		print_head(&fields[i], name, out);
		fputs(name, out);
		print_value(&fields[i], value, out);
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

static void print_listeners(const struct shown *shown, FILE *out)
{
	static const struct {
		const char *name, *help;
		size_t offset;
		bool gauge;
	} rows[] = {
#define ROW(member, help, gauge) {#member, help, offsetof(struct pb_server_stats, member), gauge}
		ROW(clients, "clients connected now; of a serial line 1 while it is open", true),
		ROW(requests, "requests taken", false),
		ROW(exceptions, "requests answered by an exception", false),
		ROW(malformed, "connections closed over their bytes, frames with a wrong CRC",
		    false),
		ROW(evicted, "idle clients closed to let a new one in", false),
		ROW(refused, "connections that `allow` does not have", false),
		ROW(timeouts, "clients closed because their time was over", false),
	};

	for (size_t r = 0; r < PB_ARRAY_SIZE(rows); r++) {
		const char *end = rows[r].gauge ? "" : "_total";

		fprintf(out,
			"# HELP packbridge_listener_%s%s %s\n# TYPE packbridge_listener_%s%s %s\n",
			rows[r].name, end, rows[r].help, rows[r].name, end,
			rows[r].gauge ? "gauge" : "counter");
		for (size_t i = 0; i < shown->config->listen_count; i++) {
			struct pb_server_stats stats;
			char name[PB_CONFIG_LINK + 16];
			uint32_t value;

			listener_stats(&shown->listeners->all[i], &stats);
			memcpy(&value, (const char *)&stats + rows[r].offset, sizeof(value));
			status_listener_name(&shown->config->listens[i], name, sizeof(name));
			fprintf(out, "packbridge_listener_%s%s{listener=\"", rows[r].name, end);
			print_quoted(name, out);
			fprintf(out, "\"} %u\n", value);
		}
	}
}

void metrics_write(const struct shown *shown, FILE *out)
{
	const struct fleet *fleet = &shown->site->show.fleet;
	size_t count;
	const struct pb_field *fields = pb_fields(PB_SCOPE_BATTERY, &count);

	for (size_t i = 0; i < fleet->pack_count + fleet->bank_count; i++)
		show_clock(&shown->site->show, &fleet->sources[i], shown->now_ms);
	for (size_t i = 0; i < count; i++)
		if (fields[i].kind != PB_KIND_TEXT && fields[i].kind != PB_KIND_DATE)
			print_field(shown, &fields[i], out);
	print_gateway(shown, out);
	print_listeners(shown, out);
}
