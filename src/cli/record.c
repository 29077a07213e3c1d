/* SPDX-License-Identifier: MIT */
/*
 * What a pack sends, to a file that can go with a bug report: bytes and times, without addresses
 * and passwords. `sim:replay=FILE` plays it.
 */
#include "cli.h"
#include "options.h"
#include "serve.h"

#include "packbridge/bridge.h"
#include "packbridge/pack.h"

#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <systemd/sd-event.h>
#include <time.h>

enum { SECONDS = 60, POLL_MS = 1000 };

static const char help[] =
	"Usage: packbridge record [OPTION...] LINK FILE\n"
	"Polls one pack and writes what is sent and received to FILE, as text with times, for a "
	"bug\n"
	"report or for `sim:replay=FILE`. The pack's address is left out, and so is what goes to "
	"and\n"
	"from its radio module while a password is told. Ends after the time, or with Ctrl-C.\n\n"
	"  -p, --protocol NAME  what the pack speaks (default auto: find out)\n"
	"  -P, --password TEXT  of the radio module, when the maker's app asks for one\n"
	"  -k, --passkey N      number for Bluetooth pairing, when the pack wants that\n"
	"  -n, --seconds N      how long, 1 to 86400 (default 60)\n"
	"  -h, --help           this text\n";

struct options {
	const char *link, *file, *protocol, *password;
	int64_t passkey, seconds;
};

struct record {
	struct options options;
	sd_event *event;
	struct pb_bluez *bluez;
	struct pb_pack *pack;
	FILE *out;
	uint64_t begun_ms;
	bool connected;
	bool failed; /* to be written */
	char why[PB_NOTE_MAX];
	unsigned int readings, sent, received;
};

/* @return -1: go on; else the exit status to end with. */
static int read_options(int argc, char **argv, struct options *ret)
{
	const struct option_row rows[] = {
		{"protocol", 'p', OPTION_TEXT, &ret->protocol, 0, 0},
		{"password", 'P', OPTION_TEXT, &ret->password, 0, 0},
		{"passkey", 'k', OPTION_NUMBER, &ret->passkey, 0, 999999},
		{"seconds", 'n', OPTION_NUMBER, &ret->seconds, 1, 86400},
		{0},
	};
	int status;

	*ret = (struct options){.protocol = PB_PROTOCOL_AUTO,
				.password = "",
				.passkey = PB_NO_PASSKEY,
				.seconds = SECONDS};
	status = pb_cli_options(argc, argv, rows, help, "LINK FILE");
	if (status >= 0)
		return status;
	ret->link = argv[optind];
	ret->file = argv[optind + 1];
	return pb_cli_check_pack("record", ret->protocol, ret->password);
}

/* ---- what happens ---- */

/* Each line is on the disk when the next comes: what ends a recording may be what it is about. */
__attribute__((format(printf, 2, 3))) static void write_line(struct record *record,
							     const char *format, ...)
{
	va_list args;

	fprintf(record->out, "%" PRIu64 " ", pb_now_ms() - record->begun_ms);
	va_start(args, format);
	vfprintf(record->out, format, args);
	va_end(args);
	fputc('\n', record->out);
	if (fflush(record->out) == 0 || record->failed)
		return;
	fprintf(stderr, "packbridge record: %s: %s\n", record->options.file, strerror(errno));
	record->failed = true;
	sd_event_exit(record->event, 1);
}

static void on_changed(void *userdata, const struct pb_sample *sample,
		       const struct pb_status *status, bool new_reading)
{
	struct record *record = userdata;

	(void)sample;
	if (status->connected && !record->connected)
		write_line(record, "up");
	else if (!status->connected && record->connected)
		write_line(record, "down %s", record->why);
	record->connected = status->connected;
	record->readings += new_reading;
}

static void on_bytes(void *userdata, bool sent, const uint8_t *bytes, size_t len)
{
	struct record *record = userdata;
	char hex[2 * 1024 + 1];

	if (pb_pack_session(record->pack)->state == PB_STATE_LOGIN) {
		fprintf(record->out, "# %zu bytes of a password's dialogue, %s\n", len,
			sent ? "sent" : "received");
		return;
	}
	*(sent ? &record->sent : &record->received) += 1;
	pb_hex_print(hex, sizeof(hex), bytes, len, '\0');
	write_line(record, "%c %s", sent ? '>' : '<', hex);
}

static void on_note(void *userdata, enum pb_log_level level, const char *text)
{
	struct record *record = userdata;

	snprintf(record->why, sizeof(record->why), "%s", text);
	if (level <= PB_LOG_INFO)
		fprintf(stderr, "%s\n", text);
}

static const struct pb_pack_handler handler = {
	.changed = on_changed,
	.bytes = on_bytes,
	.note = on_note,
};

static int on_end(sd_event_source *source, uint64_t usec, void *userdata)
{
	struct record *record = userdata;

	(void)source;
	(void)usec;
	return sd_event_exit(record->event, 0);
}

/* ---- the run ---- */

static int make_pack(struct record *record, char *why, size_t why_cap)
{
	const struct options *options = &record->options;
	const struct pb_bluez_config bluez = {.max_connections = 1, .acquire = true};
	struct pb_session_config session = {
		.poll_ms = POLL_MS,
		.gap_ms = 100,
		.settle_ms = 300,
		.reply_timeout_ms = 1000,
		.tries = 3,
		.connect_timeout_ms = 20000,
		.stale_after_s = 15,
	};
	struct pb_link_setup link = {.event = record->event,
				     .name = "pack",
				     .limit_ms = 20000,
				     .passkey = (int32_t)options->passkey};
	const struct pb_link_type *type = pb_link_find(options->link, &link.address, why, why_cap);
	int r;

	if (!type)
		return -EINVAL;
	r = type->create(NULL, &link, why, why_cap);
	if (r < 0)
		return r;
	snprintf(why, why_cap, "out of memory or descriptors");
	r = pb_bluez_new(&record->bluez, record->event, &bluez);
	if (r < 0)
		return r;
	link.bluez = record->bluez;
	pb_session_protocol(&session, options->protocol);
	snprintf(session.password, sizeof(session.password), "%s", options->password);
	return pb_pack_new(&record->pack, &session, type, &link, &handler, record);
}

static int run(struct record *record)
{
	int r = sd_event_add_time_relative(record->event, NULL, CLOCK_BOOTTIME,
					   (uint64_t)record->options.seconds * 1000000, 0, on_end,
					   record);

	fprintf(record->out, "packbridge recording 1\n# packbridge %s, link %.*s\n", PB_VERSION,
		(int)strcspn(record->options.link, ":"), record->options.link);
	record->begun_ms = pb_now_ms();
	if (r >= 0)
		r = pb_pack_start(record->pack);
	if (r >= 0)
		r = sd_event_loop(record->event);
	return r;
}

static int record_pack(struct record *record)
{
	char why[512];
	int r = pb_cli_event_new(&record->event);

	if (r < 0) {
		fprintf(stderr, "packbridge record: %s\n", strerror(-r));
		return 1;
	}
	r = make_pack(record, why, sizeof(why));
	if (r < 0) {
		fprintf(stderr, "packbridge record: %s\n", why);
		return 2;
	}
	record->out = fopen(record->options.file, "wxe");
	if (!record->out) {
		fprintf(stderr, "packbridge record: %s: %s\n", record->options.file,
			strerror(errno));
		return 1;
	}
	r = run(record);
	if (fclose(record->out) != 0 && !record->failed)
		fprintf(stderr, "packbridge record: %s: %s\n", record->options.file,
			strerror(errno));
	fprintf(stderr, "%s: %u readings, %u requests, %u pieces of replies\n",
		record->options.file, record->readings, record->sent, record->received);
	return r < 0 || record->failed || record->received == 0 ? 1 : 0;
}

int pb_cli_record(int argc, char **argv)
{
	struct record record = {0};
	int status = read_options(argc, argv, &record.options);

	if (status >= 0)
		return status;
	status = record_pack(&record);
	pb_pack_free(record.pack);
	pb_bluez_free(record.bluez);
	sd_event_unref(record.event);
	return status;
}
