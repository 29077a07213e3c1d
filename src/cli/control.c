/* SPDX-License-Identifier: MIT */
/*
 * What asks a running daemon through its control socket: to free a pack, to forget alarms. It needs
 * neither D-Bus nor Modbus: `echo "release house 600" | socat -
 * UNIX-CONNECT:/run/packbridge/control.sock` is the same.
 */
#include "cli.h"

#include "packbridge/bridge.h"

#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

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

static int connect_to(const char *path)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	struct timeval patience = {.tv_sec = 5};
	int fd, r;

	if (strlen(path) >= sizeof(address.sun_path))
		return -ENAMETOOLONG;
	strcpy(address.sun_path, path);
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return -errno;
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
	if (connect(fd, (const struct sockaddr *)&address, sizeof(address)) == 0)
		return fd;
	r = -errno;
	close(fd);
	return r;
}

/* Sends @line and reads the daemon's one line. @return 0; negative errno. */
static int ask(int fd, const char *line, char *answer, size_t cap)
{
	size_t len = 0;
	ssize_t n;

	if (send(fd, line, strlen(line), MSG_NOSIGNAL) < 0)
		return -errno;
	while (len + 1 < cap && (n = recv(fd, answer + len, cap - 1 - len, 0)) > 0)
		len += (size_t)n;
	answer[len] = '\0';
	return len ? 0 : -ETIMEDOUT;
}

/* @return the exit status */
static int command_daemon(const char *command, const char *socket, const char *line)
{
	char answer[512];
	int fd = connect_to(socket), r;

	if (fd < 0) {
		fprintf(stderr,
			"packbridge %s: %s: %s (does the daemon run, and is this its control "
			"socket?)\n",
			command, socket, strerror(-fd));
		return 1;
	}
	r = ask(fd, line, answer, sizeof(answer));
	close(fd);
	if (r < 0) {
		fprintf(stderr, "packbridge %s: no answer: %s\n", command, strerror(-r));
		return 1;
	}
	fputs(answer, strncmp(answer, "ok", 2) == 0 ? stdout : stderr);
	return strncmp(answer, "ok", 2) == 0 ? 0 : 1;
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

int pb_cli_reset(int argc, char **argv)
{
	static const struct option options[] = {
		{"socket", required_argument, NULL, 's'},
		{"help", no_argument, NULL, 'h'},
		{0},
	};
	const char *socket = PB_CONFIG_CONTROL;
	char line[256];
	int option;

	while ((option = getopt_long(argc, argv, "s:h", options, NULL)) != -1) {
		switch (option) {
		case 's':
			socket = optarg;
			break;
		case 'h':
			fputs(reset_help, stdout);
			return 0;
		default:
			fputs(reset_help, stderr);
			return 2;
		}
	}
	if (argc - optind > 1) {
		fprintf(stderr, "packbridge reset: expected one NAME at most\n\n%s", reset_help);
		return 2;
	}
	snprintf(line, sizeof(line), "reset %s\n", optind < argc ? argv[optind] : "");
	return command_daemon("reset", socket, line);
}
