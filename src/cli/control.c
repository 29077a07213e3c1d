/* SPDX-License-Identifier: MIT */
/*
 * Commands to a running daemon through its control socket: release a pack, forget alarms, reload
 * the configuration. They need neither D-Bus nor Modbus. This does the same:
 *
 *	echo "release house 600" | socat - UNIX-CONNECT:/run/packbridge/control.sock
 */
#include "ask.h"
#include "cli.h"
#include "options.h"
#include "shown.h"

#include "packbridge/bridge.h"

#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char help[] =
	"Usage: packbridge release [--minutes N | --take] [--socket PATH] PACK\n"
	"Disconnects a pack of the running daemon, so that the phone app can use it: a pack "
	"accepts\n"
	"one connection at a time. After the time the daemon connects to it again by itself. "
	"Until\n"
	"then the values of the pack become stale.\n"
	"\n"
	"  -m, --minutes N    duration, 1 to 1440 (default 10)\n"
	"  -t, --take         end the release now\n"
	"  -s, --socket PATH  the daemon's control socket\n"
	"                     (default " PB_CONFIG_CONTROL ", key `control:` of its file)\n"
	"  -h, --help         this text\n";

struct control_options {
	const char *socket, *pack;
	int64_t minutes;
	bool take;
};

/* @return -1: go on; else the exit status to end with. */
static int control_read_options(int argc, char **argv, struct control_options *ret)
{
	const struct option_row rows[] = {
		{"minutes", 'm', OPTION_NUMBER, &ret->minutes, 1, PB_RELEASE_MAX_S / 60},
		{"take", 't', OPTION_FLAG, &ret->take, 0, 0},
		{"socket", 's', OPTION_TEXT, &ret->socket, 0, 0},
		{0},
	};
	int status;

	*ret = (struct control_options){.socket = PB_CONFIG_CONTROL, .minutes = 10};
	status = pb_cli_options(argc, argv, rows, help, "PACK");
	if (status < 0)
		ret->pack = argv[optind];
	return status;
}

/* Prints the daemon's answer; "ok" goes to stdout. @return the exit status */
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
		pb_cli_put(answer, true, good ? stdout : stderr);
	}
	free(answer);
	return good ? 0 : 1;
}

int pb_cli_release(int argc, char **argv)
{
	struct control_options options;
	char line[256];
	int status = control_read_options(argc, argv, &options);

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
	"Resets latched alarms of the running daemon whose cause has gone: those of the pack or "
	"bank\n"
	"NAME, or all. Other alarms stay.\n"
	"\n"
	"  -s, --socket PATH  the daemon's control socket\n"
	"                     (default " PB_CONFIG_CONTROL ", key `control:` of its file)\n"
	"  -h, --help         this text\n";

/* A command with no option but the socket. @return as pb_cli_options(). */
static int plain_options(int argc, char **argv, const char *text, const char *operands,
			 const char **ret_socket)
{
	const struct option_row rows[] = {{"socket", 's', OPTION_TEXT, ret_socket, 0, 0}, {0}};

	*ret_socket = PB_CONFIG_CONTROL;
	return pb_cli_options(argc, argv, rows, text, operands);
}

int pb_cli_reset(int argc, char **argv)
{
	const char *socket;
	char line[256];
	int status = plain_options(argc, argv, reset_help, "[NAME]", &socket);

	if (status >= 0)
		return status;
	snprintf(line, sizeof(line), "reset %s\n", optind < argc ? argv[optind] : "");
	return command_daemon("reset", socket, line);
}

/* ---- the configuration ---- */

static const char reload_help[] =
	"Usage: packbridge reload [--socket PATH]\n"
	"Loads the changed configuration and its maps into the running daemon. If there is an "
	"error,\n"
	"nothing changes. Packs whose settings did not change stay connected, and so do clients.\n"
	"\n"
	"  -s, --socket PATH  the daemon's control socket\n"
	"                     (default " PB_CONFIG_CONTROL ", key `control:` of its file)\n"
	"  -h, --help         this text\n";

int pb_cli_reload(int argc, char **argv)
{
	const char *socket;
	int status = plain_options(argc, argv, reload_help, "", &socket);

	return status >= 0 ? status : command_daemon("reload", socket, "reload\n");
}
