/* SPDX-License-Identifier: MIT */
/*
 * What asks a running daemon through its control socket: to free a pack, to forget alarms, to load
 * its configuration anew. It needs
 * neither D-Bus nor Modbus: `echo "release house 600" | socat -
 * UNIX-CONNECT:/run/packbridge/control.sock` is the same.
 */
#include "ask.h"
#include "cli.h"

#include "packbridge/bridge.h"

#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char help[] =
	"Usage: packbridge release [--minutes N | --take] [--socket PATH] PACK\n"
	"Lets a running daemon end its connection to a pack, so that the phone app can have it: a\n"
	"pack speaks with one at a time. The daemon takes it back by itself when the time is "
	"over.\n"
	"Meanwhile its values turn stale, as always when there are no new ones.\n\n"
	"  -m, --minutes N    for how long, 1 to 1440 (default 10)\n"
	"  -t, --take         end it now\n"
	"  -s, --socket PATH  the daemon's control socket\n"
	"                     (default " PB_CONFIG_CONTROL ", key `control:` of its file)\n"
	"  -h, --help         this text\n";

struct options {
	const char *socket, *pack;
	int64_t minutes;
	bool take;
};

/* @return -1: go on; else the exit status to end with. */
static int read_options(int argc, char **argv, struct options *ret)
{
	static const struct option options[] = {
		{"minutes", required_argument, NULL, 'm'},
		{"take", no_argument, NULL, 't'},
		{"socket", required_argument, NULL, 's'},
		{"help", no_argument, NULL, 'h'},
		{0},
	};
	int option;

	*ret = (struct options){.socket = PB_CONFIG_CONTROL, .minutes = 10};
	while ((option = getopt_long(argc, argv, "m:ts:h", options, NULL)) != -1) {
		switch (option) {
		case 'm':
			if (pb_int_parse(optarg, 1, PB_RELEASE_MAX_S / 60, &ret->minutes) == 0)
				break;
			fprintf(stderr, "packbridge release: --minutes %s, expected 1 to %d\n",
				optarg, PB_RELEASE_MAX_S / 60);
			return 2;
		case 't':
			ret->take = true;
			break;
		case 's':
			ret->socket = optarg;
			break;
		case 'h':
			fputs(help, stdout);
			return 0;
		default:
			fputs(help, stderr);
			return 2;
		}
	}
	if (optind != argc - 1) {
		fprintf(stderr,
			"packbridge release: expected one PACK, a name of the "
			"configuration\n\n%s",
			help);
		return 2;
	}
	ret->pack = argv[optind];
	return -1;
}

/* Prints what the daemon says: good news to stdout. @return the exit status */
static int command_daemon(const char *command, const char *socket, const char *line)
{
	char *answer = NULL;
	size_t len;
	FILE *out = open_memstream(&answer, &len);
	bool good = false;
	int r = out ? pb_cli_ask(socket, line, out) : -ENOMEM;

	if (out)
		fclose(out);
	if (r < 0) {
		pb_cli_ask_failed(command, socket, "control", r);
	} else {
		good = strncmp(answer, "ok", 2) == 0;
		fputs(answer, good ? stdout : stderr);
	}
	free(answer);
	return good ? 0 : 1;
}

int pb_cli_release(int argc, char **argv)
{
	struct options options;
	char line[256];
	int status = read_options(argc, argv, &options);

	if (status >= 0)
		return status;
	if (options.take)
		snprintf(line, sizeof(line), "take %s\n", options.pack);
	else
		snprintf(line, sizeof(line), "release %s %d\n", options.pack,
			 (int)options.minutes * 60);
	return command_daemon("release", options.socket, line);
}

/* ---- alarms ---- */

static const char reset_help[] =
	"Usage: packbridge reset [--socket PATH] [NAME]\n"
	"Lets a running daemon forget latched alarms that are over, of the pack or bank NAME, or "
	"of\n"
	"all. Alarms that are still there stay.\n\n"
	"  -s, --socket PATH  the daemon's control socket\n"
	"                     (default " PB_CONFIG_CONTROL ", key `control:` of its file)\n"
	"  -h, --help         this text\n";

/* A command with no option but the socket. @count: of the operands that it may have.
 * @return -1: go on; else the exit status to end with. */
static int plain_options(int argc, char **argv, const char *text, int count,
			 const char **ret_socket)
{
	static const struct option options[] = {
		{"socket", required_argument, NULL, 's'},
		{"help", no_argument, NULL, 'h'},
		{0},
	};
	int option;

	*ret_socket = PB_CONFIG_CONTROL;
	while ((option = getopt_long(argc, argv, "s:h", options, NULL)) != -1) {
		switch (option) {
		case 's':
			*ret_socket = optarg;
			break;
		case 'h':
			fputs(text, stdout);
			return 0;
		default:
			fputs(text, stderr);
			return 2;
		}
	}
	if (argc - optind <= count)
		return -1;
	fprintf(stderr, "packbridge %s: '%s' is not expected here\n\n%s", argv[0],
		argv[optind + count], text);
	return 2;
}

int pb_cli_reset(int argc, char **argv)
{
	const char *socket;
	char line[256];
	int status = plain_options(argc, argv, reset_help, 1, &socket);

	if (status >= 0)
		return status;
	snprintf(line, sizeof(line), "reset %s\n", optind < argc ? argv[optind] : "");
	return command_daemon("reset", socket, line);
}

/* ---- the configuration ---- */

static const char reload_help[] =
	"Usage: packbridge reload [--socket PATH]\n"
	"Lets a running daemon load its configuration and its maps anew, wholly or not at all. "
	"Packs\n"
	"that have not changed stay connected, and clients stay on their sockets.\n\n"
	"  -s, --socket PATH  the daemon's control socket\n"
	"                     (default " PB_CONFIG_CONTROL ", key `control:` of its file)\n"
	"  -h, --help         this text\n";

int pb_cli_reload(int argc, char **argv)
{
	const char *socket;
	int status = plain_options(argc, argv, reload_help, 0, &socket);

	return status >= 0 ? status : command_daemon("reload", socket, "reload\n");
}
