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
#include <unistd.h>

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
	"       packbridge reset --history [--yes] [--socket PATH] NAME\n"
	"Resets latched alarms of the running daemon whose cause has gone: those of the pack or "
	"bank\n"
	"NAME, or all. Other alarms stay.\n"
	"\n"
	"With --history it forgets what has been counted for NAME instead: energy, charge, "
	"extremes,\n"
	"full charges and protections begin anew at 0. It asks before.\n"
	"\n"
	"  -H, --history      forget the history of NAME\n"
	"  -y, --yes          do not ask\n"
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

/* @return whether a person said yes; without a terminal nobody can */
static bool control_confirm(const char *name)
{
	char answer[16];

	if (!isatty(STDIN_FILENO)) {
		fputs("packbridge reset: expected --yes, as there is no terminal to ask at\n",
		      stderr);
		return false;
	}
	fprintf(stderr,
		"This forgets all that has been counted for %s: energy, charge, extremes, full "
		"charges.\nIt can't be undone. Go on? [y/N] ",
		name);
	if (!fgets(answer, sizeof(answer), stdin))
		return false;
	return answer[0] == 'y' || answer[0] == 'Y';
}

static int reset_history(const char *socket, const char *name, bool yes)
{
	char line[256];

	if (!*name) {
		fputs("packbridge reset: --history, expected the NAME of a pack or bank\n", stderr);
		return 2;
	}
	if (!yes && !control_confirm(name))
		return 1;
	snprintf(line, sizeof(line), "reset-history %s\n", name);
	return command_daemon("reset", socket, line);
}

int pb_cli_reset(int argc, char **argv)
{
	const char *socket = PB_CONFIG_CONTROL, *name;
	bool history = false, yes = false;
	const struct option_row rows[] = {
		{"history", 'H', OPTION_FLAG, &history, 0, 0},
		{"yes", 'y', OPTION_FLAG, &yes, 0, 0},
		{"socket", 's', OPTION_TEXT, &socket, 0, 0},
		{0},
	};
	char line[256];
	int status = pb_cli_options(argc, argv, rows, reset_help, "[NAME]");

	if (status >= 0)
		return status;
	name = optind < argc ? argv[optind] : "";
	if (history)
		return reset_history(socket, name, yes);
	if (yes) {
		fputs("packbridge reset: --yes has no meaning without --history\n", stderr);
		return 2;
	}
	snprintf(line, sizeof(line), "reset %s\n", name);
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
