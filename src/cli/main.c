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
	{"run", pb_cli_run, "run the daemon in the foreground"},
	{"demo", pb_cli_demo, "run the daemon with three simulated packs; needs nothing else"},
	{"check", pb_cli_check, "check a configuration and its maps, show the resulting units"},
	{"scan", pb_cli_scan, "list the Bluetooth packs in range, with a configuration for them"},
	{"probe", pb_cli_probe, "connect to one pack, show its values or the problem"},
	{"record", pb_cli_record, "record the bytes of one pack, for a bug report or sim:replay="},
	{"status", pb_cli_status,
	 "show packs, alarms and clients of the daemon; live with --watch"},
	{"events", pb_cli_events, "show what has happened to the packs of the daemon"},
	{"release", pb_cli_release, "disconnect a pack of the daemon, for its phone app"},
	{"switch", pb_cli_switch, "inhibit charging or discharging of a pack of the daemon"},
	{"reset", pb_cli_reset, "reset latched alarms of the daemon"},
	{"reload", pb_cli_reload, "load the changed configuration into the daemon"},
	{"decode", pb_cli_decode, "decode bytes of a battery protocol, given as hex"},
	{"read", pb_cli_read, "read a unit over Modbus, show its values by name"},
	{"map", pb_cli_map, "list, show and export register maps"},
};

static void main_usage(FILE *stream)
{
	fputs("Usage: packbridge COMMAND [OPTION...]\n"
	      "Serves lithium battery packs as Modbus units.\n\n"
	      "Commands:\n",
	      stream);
	for (size_t i = 0; i < sizeof(commands) / sizeof(commands[0]); i++)
		fprintf(stream, "  %-8s %s\n", commands[i].name, commands[i].help);
	fputs("\n"
	      "  packbridge COMMAND --help describes one command.\n"
	      "  packbridge --version prints the version.\n"
	      "\n"
	      "Exit status: 0 success, 1 failure or a negative result, 2 wrong usage.\n",
	      stream);
}

/* @return the exit status of @name */
static int main_run(const char *name, int argc, char **argv)
{
	if (name && strcmp(name, "--version") == 0) {
		puts("packbridge " PB_VERSION);
		return 0;
	}
	if (name &&
	    (strcmp(name, "--help") == 0 || strcmp(name, "-h") == 0 || strcmp(name, "help") == 0)) {
		main_usage(stdout);
		return 0;
	}
	for (size_t i = 0; name && i < sizeof(commands) / sizeof(commands[0]); i++)
		if (strcmp(name, commands[i].name) == 0)
			return commands[i].run(argc - 1, argv + 1);
	if (name)
		fprintf(stderr, "packbridge: no command '%s'\n\n", name);
	main_usage(stderr);
	return 2;
}

int main(int argc, char **argv)
{
	const char *name = argc > 1 ? argv[1] : NULL;
	int status = main_run(name, argc, argv);

	/* what was not written is no success, whichever command it was */
	errno = 0;
	if (fflush(stdout) == 0 && !ferror(stdout))
		return status;
	fprintf(stderr, "packbridge: can't write the output%s%s\n", errno ? ": " : "",
		errno ? strerror(errno) : "");
	return status ? status : 1;
}
