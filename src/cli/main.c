/* SPDX-License-Identifier: MIT */
#include "cli.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

struct command {
	const char *name;
	int (*run)(int argc, char **argv);
	const char *help;
};

static const struct command commands[] = {
	{"run", pb_cli_run, "the daemon, in the foreground"},
	{"demo", pb_cli_demo,
	 "the daemon with three simulated packs: nothing needed but this program"},
	{"check", pb_cli_check, "check a configuration and its maps, show the units that result"},
	{"scan", pb_cli_scan, "list the Bluetooth packs in range, with a configuration for them"},
	{"probe", pb_cli_probe, "connect to one pack, show what it says or why it does not"},
	{"record", pb_cli_record,
	 "what one pack sends, to a file for a bug report or for sim:replay="},
	{"status", pb_cli_status,
	 "what a running daemon sees: packs, alarms, clients; live with --watch"},
	{"release", pb_cli_release, "let a running daemon free a pack for the phone app"},
	{"reset", pb_cli_reset, "let a running daemon forget alarms that are over"},
	{"reload", pb_cli_reload, "let a running daemon load its configuration anew"},
	{"decode", pb_cli_decode, "bytes of a battery protocol, as hex, to fields"},
	{"read", pb_cli_read, "a unit over Modbus, by the names of its map"},
	{"map", pb_cli_map, "list, show and export register maps"},
};

static void usage(FILE *stream)
{
	fputs("Usage: packbridge COMMAND [OPTION...]\n"
	      "Serves lithium battery packs as Modbus units.\n\n"
	      "Commands:\n",
	      stream);
	for (size_t i = 0; i < sizeof(commands) / sizeof(commands[0]); i++)
		fprintf(stream, "  %-8s %s\n", commands[i].name, commands[i].help);
	fputs("\n"
	      "  packbridge COMMAND --help says more of one command.\n"
	      "  packbridge --version prints the version.\n"
	      "\n"
	      "Exit status: 0 good, 1 the answer is no or the work failed, 2 usage.\n",
	      stream);
}

/* @return the exit status of @name */
static int run(const char *name, int argc, char **argv)
{
	if (name && strcmp(name, "--version") == 0) {
		puts("packbridge " PB_VERSION);
		return 0;
	}
	if (name &&
	    (strcmp(name, "--help") == 0 || strcmp(name, "-h") == 0 || strcmp(name, "help") == 0)) {
		usage(stdout);
		return 0;
	}
	for (size_t i = 0; name && i < sizeof(commands) / sizeof(commands[0]); i++)
		if (strcmp(name, commands[i].name) == 0)
			return commands[i].run(argc - 1, argv + 1);
	if (name)
		fprintf(stderr, "packbridge: no command '%s'\n\n", name);
	usage(stderr);
	return 2;
}

int main(int argc, char **argv)
{
	const char *name = argc > 1 ? argv[1] : NULL;
	int status = run(name, argc, argv);

	/* what was not written is no success, whichever command it was */
	errno = 0;
	if (fflush(stdout) == 0 && !ferror(stdout))
		return status;
	fprintf(stderr, "packbridge: can't write the output%s%s\n", errno ? ": " : "",
		errno ? strerror(errno) : "");
	return status ? status : 1;
}
