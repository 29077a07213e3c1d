/* SPDX-License-Identifier: MIT */
/*
 * One pack, from the first connection to the second reading, which is the first with name and
 * counters; or the reason why not, and what to do about it.
 */
#include "cli.h"
#include "onepack.h"
#include "packbridge/json.h"
#include "remedy.h"
#include "shown.h"

#include <stdio.h>
#include <string.h>
#include <systemd/sd-event.h>

enum { READINGS = 2 };

static const char help[] =
	"Usage: packbridge probe [OPTION...] LINK\n"
	"Connects to one pack. Shows its device, its services, the login that it needs and the\n"
	"values of the second poll; or the problem, and what to do. LINK as in the configuration,\n"
	"e.g. ble:A4:C1:38:12:34:56, ble:name=xiaoxiang*, tcp:192.168.1.20:4001, sim:lfp-4s.\n"
	"A running daemon is connected to its packs: first use `packbridge release`.\n"
	"\n"
	"  -p, --protocol NAME  protocol of the pack (default auto: detect it)\n"
	"  -P, --password TEXT  of the radio module, if the maker's app asks for one\n"
	"  -k, --passkey N      number for Bluetooth pairing, if the pack needs it\n"
	"  -n, --seconds N      how long to try, in s, 1 to 600 (default 60)\n"
	"  -t, --trace          show the bytes that are sent (>) and received (<)\n"
	"  -j, --json           one JSON object\n"
	"  -h, --help           this text\n";

struct probe {
	struct onepack one;
	bool trace, json;
	json_t *found; /* lines about the far end */
	struct pb_sample sample;
	struct pb_status status;
	struct pb_refusals refusals;
	const char *protocol, *dialect;
	bool logged_in;
	int link_error;
	bool good;
};

/* @return -1: go on; else the exit status to end with. */
static int probe_read_options(int argc, char **argv, struct probe *ret)
{
	const struct option_row more[] = {
		{"seconds", 'n', OPTION_NUMBER, &ret->one.seconds, 1, 600},
		{"trace", 't', OPTION_FLAG, &ret->trace, 0, 0},
		{"json", 'j', OPTION_FLAG, &ret->json, 0, 0},
		{0},
	};

	return onepack_options(&ret->one, argc, argv, more, help, "LINK");
}

/* ---- what happens ---- */

static void found_line(void *userdata, const char *text)
{
	struct probe *probe = userdata;

	json_array_append_new(probe->found, json_string(SHOWN(text)));
	if (!probe->json)
		printf("%s\n", SHOWN(text));
}

static void describe(struct probe *probe)
{
	struct pb_reader *reader = probe->one.reader;

	if (json_array_size(probe->found) == 0)
		reader->type->describe(reader, found_line, probe);
	fflush(stdout);
}

static void probe_on_reading(void *userdata, const struct pb_reading *reading)
{
	struct probe *probe = userdata;

	if (!reading->new_status)
		return;
	probe->sample = *reading->sample;
	probe->status = *reading->status;
	probe->refusals = *reading->refusals;
	probe->protocol = reading->protocol;
	probe->dialect = reading->dialect;
	probe->logged_in = reading->logged_in;
	probe->link_error = reading->link_error;
	if (probe->status.connected)
		describe(probe);
	probe->good = probe->status.sequence >= READINGS;
	if (probe->good || onepack_hopeless(reading))
		sd_event_exit(probe->one.event, 0);
}

static void probe_on_bytes(void *userdata, bool sent, const uint8_t *bytes, size_t len)
{
	struct probe *probe = userdata;
	char hex[3 * 1024];

	if (!probe->trace)
		return;
	if (bytes)
		pb_hex_trace(hex, sizeof(hex), bytes, len);
	else
		snprintf(hex, sizeof(hex), "%zu bytes of a password's dialogue", len);
	fprintf(stderr, "%c %s\n", sent ? '>' : '<', hex);
}

static void probe_on_note(void *userdata, const struct pb_note *note)
{
	struct probe *probe = userdata;

	if (note->level <= PB_LOG_INFO || probe->trace)
		fprintf(stderr, "%s\n", SHOWN(note->text));
}

static const struct pb_reader_handler handler = {
	.reading = probe_on_reading,
	.bytes = probe_on_bytes,
	.note = probe_on_note,
};

/* ---- the result ---- */

static const char *scheme(const struct probe *probe)
{
	if (probe->logged_in)
		return "password (FF AA)";
	if (probe->one.passkey != PB_NO_PASSKEY)
		return "pairing with a passkey";
	return "open";
}

static int show_good(struct probe *probe)
{
	json_t *fields = pb_json_sample(&probe->sample);
	json_t *impossible = pb_json_refusals(&probe->refusals);

	if (probe->json) {
		json_t *object = json_pack("{s:s, s:s, s:s, s:O, s:O}", "link", probe->one.link,
					   "protocol", probe->protocol, "scheme", scheme(probe),
					   "device", probe->found, "fields", fields);

		if (probe->dialect)
			json_object_set_new(object, "dialect", json_string(probe->dialect));
		if (probe->refusals.count > 0)
			json_object_set(object, "impossible", impossible);
		json_dumpf(object, stdout, JSON_COMPACT);
		putchar('\n');
		json_decref(object);
	} else {
		printf("protocol %s%s%s, %s\n", probe->protocol, probe->dialect ? " " : "",
		       probe->dialect ? probe->dialect : "", scheme(probe));
		pb_json_print(fields);
		pb_json_print_refusals(impossible, "impossible: ");
	}
	json_decref(impossible);
	json_decref(fields);
	return 0;
}

static int show_bad(struct probe *probe)
{
	enum pb_error error = probe->status.last_error;
	bool link = error == PB_ERROR_CONNECT || error == PB_ERROR_LINK_LOST;
	const char *remedy = link ? pb_remedy_link(probe->link_error) : pb_remedy_session(error);
	char text[64 + PB_REFUSAL_TEXT_MAX];

	describe(probe);
	pb_refusals_error_text(&probe->refusals, error, text, sizeof(text));
	if (error == PB_ERROR_NONE)
		fprintf(stderr, "packbridge probe: %s: nothing within %d s\n", probe->one.link,
			(int)probe->one.seconds);
	else
		fprintf(stderr, "packbridge probe: %s: %s%s%s\n", probe->one.link, text,
			remedy ? "\n  " : "", remedy ? remedy : "");
	return 1;
}

static int probe_run(struct probe *probe)
{
	int r = onepack_run(&probe->one);

	if (r >= 0)
		return probe->good ? show_good(probe) : show_bad(probe);
	fprintf(stderr, "packbridge probe: %s\n", strerror(-r));
	return 1;
}

int pb_cli_probe(int argc, char **argv)
{
	struct probe probe = {.one = {.poll_ms = 500, .stale_after_s = 60}};
	int status = probe_read_options(argc, argv, &probe);

	if (status >= 0)
		return status;
	/* the link's own messages would only repeat the final one */
	pb_log_set_level(PB_LOG_ERR);
	probe.found = json_array();
	status = onepack_open(&probe.one, &handler, &probe);
	if (status < 0)
		status = probe_run(&probe);
	onepack_close(&probe.one);
	json_decref(probe.found);
	return status;
}
