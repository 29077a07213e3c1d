/* SPDX-License-Identifier: MIT */
/*
 * `packbridge map export`: for which program, at which host, with which values.
 */
#include "map_export.h"

#include "export_target.h"
#include "map_units.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdarg.h>
#include <string.h>

static const struct {
	const char *name, *doc;
	unsigned int groups;
} groups[] = {
	{"cells", "single cells and probes", PB_EXPORT_CELLS},
	{"alarms", "alarms, warnings and protections one by one", PB_EXPORT_ALARMS},
	{"diagnostics", "counters, words of bits, texts and all others", PB_EXPORT_DIAGNOSTICS},
	{"control", "what is asked of a pack, with switches where a client has them",
	 PB_EXPORT_CONTROL},
	{"all", "all of them", PB_EXPORT_ALL},
};

void map_export_help(FILE *out)
{
	fputs("  -f, --format FORMAT  format of the export:\n", out);
	for (const struct pb_export *export = pb_exports; export->name; export ++)
		fprintf(out, "                         %-13s %s\n", export->name, export->doc);
	fputs("  -H, --host HOST:PORT where client code finds packbridge (default 127.0.0.1:502): "
	      "a name,\n"
	      "                       an address, [IPV6]:PORT; rtu-over-tcp:HOST:PORT; or\n"
	      "                       rtu:DEVICE@BAUD,8N1 for a serial line\n"
	      "  -u, --unit LIST      units there: N, N=NAME or N=NAME:MAP, with commas between "
	      "them\n"
	      "                       (default 1; 100 for a bank, 0 for the gateway)\n"
	      "  -c, --config FILE    take units, names, maps and the listener from a "
	      "configuration;\n"
	      "                       --unit selects some of them, N=NAME renames one\n"
	      "  -l, --listener TEXT  with --config: the listener with this address (default: the "
	      "first)\n"
	      "  -w, --with GROUPS    homeassistant, iobroker and openhab have the main values. "
	      "Add\n"
	      "                       others, with commas between them:\n",
	      out);
	for (size_t i = 0; i < PB_ARRAY_SIZE(groups); i++)
		fprintf(out, "                         %-13s %s\n", groups[i].name, groups[i].doc);
}

size_t map_next_entry(const char **next, const char **ret)
{
	const char *text = *next;
	size_t len = strcspn(text, ",");

	*next = text[len] ? text + len + 1 : NULL;
	for (; len > 0 && *text == ' '; len--)
		text++;
	while (len > 0 && text[len - 1] == ' ')
		len--;
	*ret = text;
	return len;
}

int map_refuse(const char *format, ...)
{
	va_list ap;

	fputs("packbridge map: ", stderr);
	va_start(ap, format);
	vfprintf(stderr, format, ap);
	va_end(ap);
	fputc('\n', stderr);
	return -EINVAL;
}

static int read_groups(struct map_export *work)
{
	const char *next = work->options.with, *text;

	work->job.groups = work->format->groups;
	if (next && work->job.groups == PB_EXPORT_ALL)
		return map_refuse("--with, expected none: %s has all values anyway",
				  work->format->name);
	while (next) {
		size_t len = map_next_entry(&next, &text), i = 0;

		while (i < PB_ARRAY_SIZE(groups) &&
		       (strlen(groups[i].name) != len || strncmp(groups[i].name, text, len) != 0))
			i++;
		if (i == PB_ARRAY_SIZE(groups))
			return map_refuse("--with '%.*s', expected cells, alarms, diagnostics, "
					  "control or all",
					  (int)len, text);
		work->job.groups |= groups[i].groups;
	}
	return 0;
}

static int read_host(struct map_export *work)
{
	const char *host = work->options.host;
	char why[400];

	if (pb_export_target_read(&work->job.target, host ? host : "127.0.0.1:502", why,
				  sizeof(why)) < 0)
		return map_refuse("--host: %s", why);
	return 0;
}

static int check_way(const struct map_export *work)
{
	static const char *const names[] = {
		[PB_EXPORT_TCP] = "Modbus TCP",
		[PB_EXPORT_RTU_TCP] = "RTU over TCP",
		[PB_EXPORT_RTU] = "a serial line",
	};
	const struct pb_export_target *target = &work->job.target;
	struct in_addr found;

	if (!(work->format->ways & target->way))
		return map_refuse("%s does not support %s", work->format->name, names[target->way]);
	if (work->format->ways & PB_EXPORT_NUMBERS && inet_pton(AF_INET, target->host, &found) != 1)
		return map_refuse("%s supports only IPv4 addresses, not '%s'", work->format->name,
				  target->host);
	return 0;
}

static int find_format(struct map_export *work)
{
	for (work->format = pb_exports; work->format->name; work->format++)
		if (strcmp(work->format->name, work->options.format) == 0)
			return 0;
	return map_refuse("no format '%s', see --help", work->options.format);
}

/* Not all formats have a place for remarks, and a client's code alone looks as if it worked. */
static void warn_no_modbus(const struct map_export *work)
{
	for (size_t i = 0; work->format->units_max > 1 && i < work->job.count; i++)
		if (pb_map_word_count(work->units[i].map) && pb_export_is_first(&work->job, i))
			fprintf(stderr,
				"packbridge map: replies of %s are not Modbus: only inverters made "
				"for it can read them, %s can't\n",
				pb_map_name(work->units[i].map), work->format->name);
}

static int map_export_job(struct map_export *work, const char *name)
{
	if (find_format(work) < 0 || read_groups(work) < 0 || read_host(work) < 0)
		return 2;
	if (map_units(work, name) < 0 || check_way(work) < 0)
		return 1;
	warn_no_modbus(work);
	return work->format->print(&work->job, stdout) < 0 ? 1 : 0;
}

int map_export(struct map_work *maps, const char *name, const struct map_export_options *options)
{
	struct map_export work = {.maps = maps, .options = *options};
	int status;

	work.job.units = work.units;
	status = map_export_job(&work, name);
	pb_config_free(work.config);
	pb_maps_free(work.config_maps);
	return status;
}
