/* SPDX-License-Identifier: MIT */
/* Listens for advertisements and reports which of them are packs, and why. */
#include "cli.h"
#include "options.h"
#include "remedy.h"
#include "serve.h"
#include "shown.h"

#include "packbridge/bridge.h"

#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <systemd/sd-event.h>
#include <time.h>
#include <unistd.h>

enum { SECONDS = 10, TICK_MS = 500, TROUBLE_TICKS = 4 };

static const char help[] =
	"Usage: packbridge scan [--seconds N] [--adapter hciN] [--all] [--json]\n"
	"Lists the Bluetooth packs in range, how each was recognised, and a configuration for "
	"them.\n"
	"A pack that is connected to a phone cannot be heard.\n"
	"\n"
	"  -n, --seconds N     duration in s, 1 to 600 (default 10)\n"
	"  -i, --adapter hciN  use this adapter only (default: all)\n"
	"  -a, --all           list other devices, too\n"
	"  -j, --json          one JSON object per device and line\n"
	"  -h, --help          this text\n";

struct scan_options {
	int64_t seconds;
	const char *adapter;
	bool all, json;
};

struct found {
	struct pb_seen seen;
	const struct pb_codec *codec; /* NULL: none knows it */
	const char *rule;
};

struct scan {
	struct scan_options options;
	struct pb_bluez *bluez;
	sd_event *event;
	uint64_t end_ms;
	int trouble_ticks, trouble;
	char why[256];
	size_t count, packs;
	struct found *found;
};

/* @return -1: go on; else the exit status to end with. */
static int scan_read_options(int argc, char **argv, struct scan_options *ret)
{
	const struct option_row rows[] = {
		{"seconds", 'n', OPTION_NUMBER, &ret->seconds, 1, 600},
		{"adapter", 'i', OPTION_TEXT, &ret->adapter, 0, 0},
		{"all", 'a', OPTION_FLAG, &ret->all, 0, 0},
		{"json", 'j', OPTION_FLAG, &ret->json, 0, 0},
		{0},
	};

	*ret = (struct scan_options){.seconds = SECONDS, .adapter = ""};
	return pb_cli_options(argc, argv, rows, help, "");
}

/* ---- collecting ---- */

static struct found *same_device(struct scan *scan, const struct pb_seen *seen)
{
	for (size_t i = 0; i < scan->count; i++)
		if (memcmp(scan->found[i].seen.advert.mac, seen->advert.mac, 6) == 0 &&
		    strcmp(scan->found[i].seen.adapter, seen->adapter) == 0)
			return &scan->found[i];
	return NULL;
}

static void each(void *userdata, const struct pb_seen *seen)
{
	struct scan *scan = userdata;
	struct found *found = same_device(scan, seen), *more;
	const struct pb_sign *sign;

	if (!found) {
		more = realloc(scan->found, (scan->count + 1) * sizeof(*more));
		if (!more)
			return;
		scan->found = more;
		found = &more[scan->count++];
	}
	*found = (struct found){.seen = *seen};
	found->codec = pb_codec_of_advert(pb_codecs, &seen->advert, &sign);
	found->rule = sign ? sign->text : NULL;
}

static void scan_collect(struct scan *scan)
{
	pb_bluez_seen(scan->bluez, each, scan);
	scan->packs = 0;
	for (size_t i = 0; i < scan->count; i++)
		if (scan->found[i].rule)
			scan->packs++;
}

static int scan_arm(struct scan *scan, sd_event_source *source)
{
	uint64_t now = pb_now_ms(), ms = TICK_MS;

	if (scan->end_ms > now && scan->end_ms - now < ms)
		ms = scan->end_ms - now;
	sd_event_source_set_time_relative(source, ms * 1000);
	return sd_event_source_set_enabled(source, SD_EVENT_ONESHOT);
}

static int on_tick(sd_event_source *source, uint64_t usec, void *userdata)
{
	struct scan *scan = userdata;
	uint64_t now = pb_now_ms();
	int r;

	(void)usec;
	scan_collect(scan);
	r = pb_bluez_trouble(scan->bluez, scan->options.adapter, scan->why, sizeof(scan->why));
	scan->trouble_ticks = r < 0 && r != -EAGAIN ? scan->trouble_ticks + 1 : 0;
	scan->trouble = r;
	if (isatty(STDERR_FILENO))
		fprintf(stderr, "\rlistening, %2d s left, %zu devices, %zu packs  ",
			scan->end_ms > now ? (int)((scan->end_ms - now + 999) / 1000) : 0,
			scan->count, scan->packs);
	if (now >= scan->end_ms || scan->trouble_ticks >= TROUBLE_TICKS)
		return sd_event_exit(scan->event, 0);
	return scan_arm(scan, source);
}

/* ---- showing ---- */

/* Packs first, the strongest first. */
static int compare(const void *a, const void *b)
{
	const struct found *x = a, *y = b;

	if (!x->rule != !y->rule)
		return x->rule ? -1 : 1;
	return y->seen.rssi_dbm - x->seen.rssi_dbm;
}

static void mac_text(char *out, size_t cap, const struct pb_seen *seen)
{
	pb_hex_print(out, cap, seen->advert.mac, sizeof(seen->advert.mac), ':');
}

static void print_json(const struct found *found)
{
	const struct pb_seen *seen = &found->seen;
	char mac[18];
	json_t *object;

	mac_text(mac, sizeof(mac), seen);
	object = json_pack("{s:s, s:s, s:s, s:b, s:b}", "address", mac, "name",
			   SHOWN(seen->advert.name), "adapter", seen->adapter, "connected",
			   (int)seen->connected, "paired", (int)seen->paired);
	json_object_set_new(object, "rssi_dbm",
			    seen->has_rssi ? json_integer(seen->rssi_dbm) : json_null());
	json_object_set_new(object, "protocol",
			    found->codec ? json_string(found->codec->name) : json_null());
	json_object_set_new(object, "rule", found->rule ? json_string(found->rule) : json_null());
	json_dumpf(object, stdout, JSON_COMPACT);
	putchar('\n');
	json_decref(object);
}

static void scan_print_line(const struct found *found)
{
	const struct pb_seen *seen = &found->seen;
	char mac[18], rssi[16] = "";

	mac_text(mac, sizeof(mac), seen);
	if (seen->has_rssi)
		snprintf(rssi, sizeof(rssi), "%d dBm", seen->rssi_dbm);
	printf("%s  %-8s  %-5s  %-20s  %s%s%s%s\n", mac, rssi, seen->adapter,
	       seen->advert.name[0] ? SHOWN(seen->advert.name) : "(no name)",
	       found->codec ? found->codec->name : "not a known pack", found->rule ? ": " : "",
	       found->rule ? found->rule : "",
	       seen->connected ? ", connected to this machine" : "");
}

/* A pack's name in the configuration, from what it calls itself. */
static void config_name(char *out, size_t cap, const struct found *found, size_t number)
{
	size_t len = 0;

	for (const char *c = found->seen.advert.name; *c && len + 4 < cap; c++) {
		char low = *c >= 'A' && *c <= 'Z' ? (char)(*c + 'a' - 'A') : *c;

		if ((low >= 'a' && low <= 'z') || (low >= '0' && low <= '9'))
			out[len++] = low;
		else if (len > 0 && out[len - 1] != '-')
			out[len++] = '-';
	}
	while (len > 0 && out[len - 1] == '-')
		len--;
	snprintf(out + len, cap - len, "%s%zu", len ? "-" : "pack-", number);
}

static bool heard_before(const struct scan *scan, size_t index)
{
	for (size_t i = 0; i < index; i++)
		if (memcmp(scan->found[i].seen.advert.mac, scan->found[index].seen.advert.mac, 6) ==
		    0)
			return true;
	return false;
}

static void print_snippet(const struct scan *scan)
{
	size_t number = 0;

	puts("\n# for /etc/packbridge/packbridge.yaml; choose names and units as you like\npacks:");
	for (size_t i = 0; i < scan->count; i++) {
		const struct found *found = &scan->found[i];
		char mac[18], name[PB_CONFIG_NAME];

		if (!found->rule || heard_before(scan, i))
			continue;
		mac_text(mac, sizeof(mac), &found->seen);
		config_name(name, sizeof(name), found, ++number);
		printf("  - name: %s\n    link: ble:%s\n    protocol: %s\n    unit: %zu\n", name,
		       mac, found->codec->name, number);
	}
}

static int scan_show(struct scan *scan)
{
	const char *remedy = pb_remedy_link(scan->trouble);
	size_t others = scan->count - scan->packs;

	if (isatty(STDERR_FILENO))
		fputs("\r\033[K", stderr);
	if (scan->trouble < 0 && scan->count == 0) {
		fprintf(stderr, "packbridge scan: %s%s%s\n", SHOWN(scan->why), remedy ? "\n  " : "",
			remedy ? remedy : "");
		return 1;
	}
	qsort(scan->found, scan->count, sizeof(*scan->found), compare);
	for (size_t i = 0; i < scan->count; i++) {
		if (!scan->options.all && !scan->found[i].rule)
			continue;
		if (scan->options.json)
			print_json(&scan->found[i]);
		else
			scan_print_line(&scan->found[i]);
	}
	if (scan->packs > 0 && !scan->options.json)
		print_snippet(scan);
	if (others > 0 && !scan->options.all)
		fprintf(stderr, "%zu other devices were heard; --all shows them\n", others);
	if (scan->packs > 0)
		return 0;
	fprintf(stderr, "packbridge scan: no pack heard in %d s\n  %s\n",
		(int)scan->options.seconds,
		"end the phone app (a connected pack cannot be heard), come nearer, or wake the "
		"pack with a load or a charger");
	return 1;
}

static int scan_run(struct scan *scan)
{
	/* one or two packs are all that it will ever hold: none */
	static const struct pb_bluez_config config = {.max_connections = 1, .acquire = true};
	sd_event_source *tick = NULL;
	int r;

	/* problems of BlueZ are reported at the end, with a remedy */
	pb_log_set_level(PB_LOG_ERR);
	r = pb_bluez_new(&scan->bluez, scan->event, &config);
	if (r >= 0)
		r = sd_event_add_time_relative(scan->event, &tick, CLOCK_BOOTTIME,
					       UINT64_C(1000) * TICK_MS, 0, on_tick, scan);
	if (r >= 0)
		r = pb_bluez_scan(scan->bluez, scan->options.adapter);
	if (r >= 0)
		r = sd_event_loop(scan->event);
	sd_event_source_disable_unref(tick);
	pb_bluez_free(scan->bluez);
	return r;
}

int pb_cli_scan(int argc, char **argv)
{
	struct scan scan = {0};
	int status = scan_read_options(argc, argv, &scan.options), r;

	if (status >= 0)
		return status;
	scan.end_ms = pb_now_ms() + (uint64_t)scan.options.seconds * 1000;
	r = pb_cli_event_new(&scan.event, NULL, NULL);
	if (r >= 0)
		r = scan_run(&scan);
	sd_event_unref(scan.event);
	if (r < 0)
		fprintf(stderr, "packbridge scan: %s\n", strerror(-r));
	status = r < 0 ? 1 : scan_show(&scan);
	free(scan.found);
	return status;
}
