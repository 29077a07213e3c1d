/* SPDX-License-Identifier: MIT */
/*
 * One pack, from the first connection to the second reading, which is the first with name and
 * counters; or the reason why not, and what to do about it.
 */
#include "cli.h"
#include "options.h"
#include "packbridge/json.h"
#include "remedy.h"
#include "serve.h"

#include "packbridge/bridge.h"
#include "packbridge/pack.h"

#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <string.h>
#include <systemd/sd-event.h>
#include <time.h>

enum { SECONDS = 60, READINGS = 2 };

static const char help[] =
	"Usage: packbridge probe [OPTION...] LINK\n"
	"Connects to one pack and shows its device, its services, how it wants to be spoken to "
	"and\n"
	"two polls of values; or why that fails, and what to do. LINK as in the configuration, "
	"e.g.\n"
	"ble:A4:C1:38:12:34:56, ble:name=xiaoxiang*, tcp:192.168.1.20:4001, sim:lfp-4s. A running\n"
	"daemon holds its packs: `packbridge release` frees one.\n\n"
	"  -p, --protocol NAME  what the pack speaks (default auto: find out)\n"
	"  -P, --password TEXT  of the radio module, when the maker's app asks for one\n"
	"  -k, --passkey N      number for Bluetooth pairing, when the pack wants that\n"
	"  -n, --seconds N      how long to try, 1 to 600 (default 60)\n"
	"  -t, --trace          show the bytes that are sent (>) and received (<)\n"
	"  -j, --json           one JSON object\n"
	"  -h, --help           this text\n";

struct options {
	const char *link, *protocol, *password;
	int64_t passkey, seconds;
	bool trace, json;
};

struct probe {
	struct options options;
	sd_event *event;
	struct pb_bluez *bluez;
	struct pb_pack *pack;
	json_t *found; /* lines about the far end */
	struct pb_sample sample;
	struct pb_status status;
	char note[PB_NOTE_MAX]; /* the last one that was no debug */
	bool good;
};

/* @return -1: go on; else the exit status to end with. */
static int read_options(int argc, char **argv, struct options *ret)
{
	const struct option_row rows[] = {
		{"protocol", 'p', OPTION_TEXT, &ret->protocol, 0, 0},
		{"password", 'P', OPTION_TEXT, &ret->password, 0, 0},
		{"passkey", 'k', OPTION_NUMBER, &ret->passkey, 0, 999999},
		{"seconds", 'n', OPTION_NUMBER, &ret->seconds, 1, 600},
		{"trace", 't', OPTION_FLAG, &ret->trace, 0, 0},
		{"json", 'j', OPTION_FLAG, &ret->json, 0, 0},
		{0},
	};
	int status;

	*ret = (struct options){.protocol = PB_PROTOCOL_AUTO,
				.password = "",
				.passkey = PB_NO_PASSKEY,
				.seconds = SECONDS};
	status = pb_cli_options(argc, argv, rows, help, "LINK");
	if (status >= 0)
		return status;
	ret->link = argv[optind];
	return pb_cli_check_pack("probe", ret->protocol, ret->password);
}

/* ---- what happens ---- */

static void found_line(void *userdata, const char *text)
{
	struct probe *probe = userdata;

	json_array_append_new(probe->found, json_string(text));
	if (!probe->options.json)
		printf("%s\n", text);
}

static void describe(struct probe *probe)
{
	struct pb_link *link = pb_pack_link(probe->pack);

	if (link->type->describe && json_array_size(probe->found) == 0)
		link->type->describe(link, found_line, probe);
	fflush(stdout);
}

/* @return true when nothing better will come of it. */
static bool hopeless(const struct pb_status *status)
{
	if (status->last_error == PB_ERROR_NONE)
		return false;
	/* a link that does not come up has been tried twice by now */
	return !status->connected || status->failures > 0;
}

static void on_changed(void *userdata, const struct pb_sample *sample,
		       const struct pb_status *status, bool new_reading)
{
	struct probe *probe = userdata;

	probe->status = *status;
	if (new_reading)
		probe->sample = *sample;
	if (status->connected)
		describe(probe);
	probe->good = status->sequence >= READINGS;
	if (probe->good || hopeless(status))
		sd_event_exit(probe->event, 0);
}

static void on_bytes(void *userdata, bool sent, const uint8_t *bytes, size_t len)
{
	struct probe *probe = userdata;
	char hex[3 * 320];

	if (!probe->options.trace)
		return;
	pb_hex_print(hex, sizeof(hex), bytes, len, ' ');
	fprintf(stderr, "%c %s\n", sent ? '>' : '<', hex);
}

static void on_note(void *userdata, enum pb_log_level level, const char *text)
{
	struct probe *probe = userdata;

	if (level > PB_LOG_INFO && !probe->options.trace)
		return;
	snprintf(probe->note, sizeof(probe->note), "%s", text);
	fprintf(stderr, "%s\n", text);
}

static const struct pb_pack_handler handler = {
	.changed = on_changed,
	.bytes = on_bytes,
	.note = on_note,
};

static int on_end(sd_event_source *source, uint64_t usec, void *userdata)
{
	struct probe *probe = userdata;

	(void)source;
	(void)usec;
	return sd_event_exit(probe->event, 0);
}

/* ---- the result ---- */

static const char *scheme(const struct probe *probe)
{
	const struct pb_session *session = pb_pack_session(probe->pack);

	if (session->logged_in)
		return "password (FF AA)";
	if (probe->options.passkey != PB_NO_PASSKEY)
		return "pairing with a passkey";
	return "open";
}

static int show_good(struct probe *probe)
{
	const struct pb_codec *codec = pb_pack_session(probe->pack)->codec;
	json_t *fields = pb_json_sample(&probe->sample);

	if (probe->options.json) {
		json_t *object = json_pack("{s:s, s:s, s:s, s:O, s:O}", "link", probe->options.link,
					   "protocol", codec->name, "scheme", scheme(probe),
					   "device", probe->found, "fields", fields);

		if (codec->dialect)
			json_object_set_new(object, "dialect", json_string(codec->dialect));
		json_dumpf(object, stdout, JSON_COMPACT);
		putchar('\n');
		json_decref(object);
	} else {
		printf("protocol %s%s%s, %s\n", codec->name, codec->dialect ? " " : "",
		       codec->dialect ? codec->dialect : "", scheme(probe));
		pb_json_print(fields);
	}
	json_decref(fields);
	return 0;
}

static int show_bad(struct probe *probe)
{
	enum pb_error error = probe->status.last_error;
	bool link = error == PB_ERROR_CONNECT || error == PB_ERROR_LINK_LOST;
	const char *remedy =
		link ? pb_remedy_link(pb_pack_link_error(probe->pack)) : pb_remedy_session(error);

	describe(probe);
	if (error == PB_ERROR_NONE)
		fprintf(stderr, "packbridge probe: %s: nothing within %d s\n", probe->options.link,
			(int)probe->options.seconds);
	else
		fprintf(stderr, "packbridge probe: %s: %s%s%s\n", probe->options.link,
			pb_error_text(error), remedy ? "\n  " : "", remedy ? remedy : "");
	return 1;
}

static int start(struct probe *probe, const struct pb_link_type *type, const char *address)
{
	static const struct pb_bluez_config bluez = {.max_connections = 1, .acquire = true};
	struct pb_session_config session = {
		.poll_ms = 500,
		.gap_ms = 100,
		.settle_ms = 300,
		.reply_timeout_ms = 1000,
		.tries = 3,
		.connect_timeout_ms = 20000,
		.stale_after_s = 60,
	};
	struct pb_link_setup link = {
		.address = address,
		.event = probe->event,
		.name = probe->options.link,
		.limit_ms = 20000,
		.passkey = (int32_t)probe->options.passkey,
	};
	int r;

	pb_session_protocol(&session, probe->options.protocol);
	snprintf(session.password, sizeof(session.password), "%s", probe->options.password);
	r = pb_bluez_new(&probe->bluez, probe->event, &bluez);
	if (r < 0)
		return r;
	link.bluez = probe->bluez;
	r = pb_pack_new(&probe->pack, &session, type, &link, &handler, probe);
	return r < 0 ? r : pb_pack_start(probe->pack);
}

static int run(struct probe *probe, const struct pb_link_type *type, const char *address)
{
	sd_event_source *timer = NULL;
	int r = pb_cli_event_new(&probe->event);

	if (r >= 0)
		r = sd_event_add_time_relative(probe->event, &timer, CLOCK_BOOTTIME,
					       (uint64_t)probe->options.seconds * 1000000, 0,
					       on_end, probe);
	if (r >= 0)
		r = start(probe, type, address);
	if (r >= 0)
		r = sd_event_loop(probe->event);
	if (r >= 0)
		r = probe->good ? show_good(probe) : show_bad(probe);
	pb_pack_free(probe->pack);
	pb_bluez_free(probe->bluez);
	sd_event_source_disable_unref(timer);
	sd_event_unref(probe->event);
	return r;
}

int pb_cli_probe(int argc, char **argv)
{
	struct probe probe = {0};
	struct pb_link_setup setup = {0};
	const struct pb_link_type *type;
	char why[512];
	int status = read_options(argc, argv, &probe.options), r;

	if (status >= 0)
		return status;
	type = pb_link_find(probe.options.link, &setup.address, why, sizeof(why));
	if (!type || type->create(NULL, &setup, why, sizeof(why)) < 0) {
		fprintf(stderr, "packbridge probe: %s\n", why);
		return 2;
	}
	/* the link's own remarks would only repeat what is said at the end */
	pb_log_set_level(PB_LOG_ERR);
	probe.found = json_array();
	r = run(&probe, type, setup.address);
	json_decref(probe.found);
	if (r < 0)
		fprintf(stderr, "packbridge probe: %s\n", strerror(-r));
	return r < 0 ? 1 : r;
}
