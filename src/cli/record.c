/* SPDX-License-Identifier: MIT */
/*
 * What a pack sends, to a file that can go with a bug report: bytes and times, without addresses
 * and passwords. `sim:replay=FILE` plays it.
 */
#include "cli.h"
#include "onepack.h"
#include "shown.h"

#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <systemd/sd-event.h>

enum { EVENT_MAX = 1024 }; /* bytes, as `sim:replay` takes them */

static const char help[] =
	"Usage: packbridge record [OPTION...] LINK FILE\n"
	"Polls one pack and writes the sent and received bytes to FILE, as text with times, for a "
	"bug\n"
	"report or for `sim:replay=FILE`. The file contains no secrets: no address of the pack, "
	"no\n"
	"passcodes that the BMS sends, and no password dialogue with the radio module. Ends after\n"
	"the time, or with Ctrl-C.\n"
	"\n"
	"  -p, --protocol NAME  protocol of the pack (default auto: detect it)\n"
	"  -P, --password TEXT  of the radio module, if the maker's app asks for one\n"
	"  -k, --passkey N      number for Bluetooth pairing, if the pack needs it\n"
	"  -n, --seconds N      duration in s, 1 to 86400 (default 60)\n"
	"  -h, --help           this text\n";

struct record {
	struct onepack one;
	const char *file;
	FILE *out;
	uint64_t begun_ms;
	bool connected;
	bool failed; /* to be written */
	char why[PB_NOTE_MAX];
	unsigned int readings, sent, received;
};

/* @return -1: go on; else the exit status to end with. */
static int record_read_options(int argc, char **argv, struct record *ret)
{
	const struct option_row more[] = {
		{"seconds", 'n', OPTION_NUMBER, &ret->one.seconds, 1, 86400},
		{0},
	};
	int status = onepack_options(&ret->one, argc, argv, more, help, "LINK FILE");

	if (status < 0)
		ret->file = argv[optind + 1];
	return status;
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
	fprintf(stderr, "packbridge record: %s: %s\n", record->file, strerror(errno));
	record->failed = true;
	sd_event_exit(record->one.event, 1);
}

static void record_on_reading(void *userdata, const struct pb_reading *reading)
{
	struct record *record = userdata;
	bool connected = reading->status->connected;

	if (!reading->new_status)
		return;
	if (connected && !record->connected)
		write_line(record, "up");
	else if (!connected && record->connected)
		write_line(record, "down %s", record->why);
	record->connected = connected;
	record->readings += reading->new_reading;
}

static void record_on_bytes(void *userdata, bool sent, const uint8_t *bytes, size_t len)
{
	struct record *record = userdata;
	char hex[2 * EVENT_MAX + 1];

	if (!bytes) {
		fprintf(record->out, "# %zu bytes of a password's dialogue, %s\n", len,
			sent ? "sent" : "received");
		return;
	}
	*(sent ? &record->sent : &record->received) += 1;
	/* a longer piece is several events of a recording */
	for (size_t at = 0, part; at < len; at += part) {
		part = len - at < EVENT_MAX ? len - at : EVENT_MAX;
		pb_hex_print(hex, sizeof(hex), bytes + at, part, '\0');
		write_line(record, "%c %s", sent ? '>' : '<', hex);
	}
}

static void record_on_note(void *userdata, const struct pb_note *note)
{
	struct record *record = userdata;

	snprintf(record->why, sizeof(record->why), "%s", SHOWN(note->text));
	if (note->level <= PB_LOG_INFO)
		fprintf(stderr, "%s\n", SHOWN(note->text));
}

static const struct pb_reader_handler handler = {
	.reading = record_on_reading,
	.bytes = record_on_bytes,
	.note = record_on_note,
};

/* ---- the run ---- */

static int record_run(struct record *record)
{
	fprintf(record->out, "packbridge recording 1\n# packbridge %s, link %.*s\n", PB_VERSION,
		(int)strcspn(record->one.link, ":"), record->one.link);
	record->begun_ms = pb_now_ms();
	return onepack_run(&record->one);
}

static int record_pack(struct record *record)
{
	int r = onepack_open(&record->one, &handler, record);

	if (r >= 0)
		return r;
	record->out = fopen(record->file, "wxe");
	if (!record->out) {
		fprintf(stderr, "packbridge record: %s: %s\n", record->file, strerror(errno));
		return 1;
	}
	r = record_run(record);
	if (fclose(record->out) != 0 && !record->failed) {
		fprintf(stderr, "packbridge record: %s: %s\n", record->file, strerror(errno));
		record->failed = true;
	}
	fprintf(stderr, "%s: %u readings, %u requests, %u pieces of replies\n", record->file,
		record->readings, record->sent, record->received);
	return r < 0 || record->failed || record->received == 0 ? 1 : 0;
}

int pb_cli_record(int argc, char **argv)
{
	struct record record = {.one = {.name = "pack", .poll_ms = 1000, .stale_after_s = 15}};
	int status = record_read_options(argc, argv, &record);

	if (status >= 0)
		return status;
	status = record_pack(&record);
	onepack_close(&record.one);
	return status;
}
