/* SPDX-License-Identifier: MIT */
#include "bluetooth.h"

#include <check.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

enum { ANSWER_MS = 10000 };

static const char bus_config[] =
	"<!DOCTYPE busconfig PUBLIC '-//freedesktop//DTD D-Bus Bus Configuration 1.0//EN' "
	"'http://www.freedesktop.org/standards/dbus/1.0/busconfig.dtd'>\n"
	"<busconfig><type>system</type><listen>%s</listen><auth>EXTERNAL</auth>%s</busconfig>\n";

const char bluetooth_open_bus[] =
	"<policy context='default'><allow send_destination='*' eavesdrop='true'/>"
	"<allow eavesdrop='true'/><allow own='*'/><allow user='*'/></policy>";

const char bluetooth_debian_bus[] =
	"<policy context='default'><allow user='*'/>"
	"<deny send_type='method_call'/><allow send_type='signal'/>"
	"<allow send_requested_reply='true' send_type='method_return'/>"
	"<allow send_requested_reply='true' send_type='error'/>"
	"<allow receive_type='method_call'/><allow receive_type='method_return'/>"
	"<allow receive_type='error'/><allow receive_type='signal'/>"
	"<allow send_destination='org.freedesktop.DBus'/>"
	"<allow own='org.bluez'/><allow send_destination='org.bluez'/></policy>";

const char bluetooth_deaf_bus[] =
	"<policy context='default'><allow send_destination='*' eavesdrop='true'/>"
	"<allow eavesdrop='true'/><allow own='*'/><allow user='*'/>"
	"<deny receive_type='signal'/></policy>";

/* Starts @argv with @in and @out (-1: as they are); it ends when this test does. */
static pid_t spawn(const char *const *argv, int in, int out)
{
	union {
		const char *const *in;
		char *const *out;
	} for_exec = {argv};
	pid_t pid = fork();

	ck_assert_int_ge(pid, 0);
	if (pid > 0)
		return pid;
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (in < 0) /* dbus-daemon tells that it can't raise its limits */
		dup2(open("/dev/null", O_WRONLY | O_CLOEXEC), STDERR_FILENO);
	if (in >= 0)
		dup2(in, STDIN_FILENO);
	if (out >= 0)
		dup2(out, STDOUT_FILENO);
	execvp(argv[0], for_exec.out);
	_exit(127);
}

/* One line of the fake's stdout. */
static void read_line(struct bluetooth *b)
{
	size_t len = 0;

	for (;;) {
		struct pollfd fd = {.fd = b->out, .events = POLLIN};

		ck_assert_int_gt(poll(&fd, 1, ANSWER_MS), 0);
		ck_assert_int_eq(read(b->out, b->answer + len, 1), 1);
		if (b->answer[len] == '\n')
			break;
		ck_assert_uint_lt(++len, sizeof(b->answer));
	}
	b->answer[len] = '\0';
}

void bluetooth_serve_bus(struct bluetooth *b)
{
	char config[96];
	const char *const argv[] = {"dbus-daemon", "--config-file",   config, "--nofork",
				    "--nopidfile", "--print-address", NULL};
	char byte;
	int ends[2];

	snprintf(config, sizeof(config), "%s/bus.conf", b->folder);
	ck_assert_int_eq(pipe2(ends, O_CLOEXEC), 0);
	b->bus = spawn(argv, -1, ends[1]);
	close(ends[1]);
	/* its address is printed once it listens */
	ck_assert_int_eq(read(ends[0], &byte, 1), 1);
	close(ends[0]);
}

void bluetooth_serve(struct bluetooth *b)
{
	const char *const argv[] = {PB_FAKE_BLUEZ, NULL};
	int in[2], out[2];

	ck_assert_int_eq(pipe2(in, O_CLOEXEC), 0);
	ck_assert_int_eq(pipe2(out, O_CLOEXEC), 0);
	b->bluez = spawn(argv, in[0], out[1]);
	close(in[0]);
	close(out[1]);
	b->in = in[1];
	b->out = out[0];
	read_line(b);
	ck_assert_str_eq(b->answer, "ready");
}

void bluetooth_start(struct bluetooth *b)
{
	bluetooth_start_with(b, bluetooth_open_bus);
}

void bluetooth_start_with(struct bluetooth *b, const char *policy)
{
	char path[96];
	FILE *file;

	memset(b, 0, sizeof(*b));
	snprintf(b->folder, sizeof(b->folder), "/tmp/packbridge-bus-XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(b->folder));
	snprintf(b->address, sizeof(b->address), "unix:path=%s/bus", b->folder);
	snprintf(path, sizeof(path), "%s/bus.conf", b->folder);
	file = fopen(path, "w");
	ck_assert_ptr_nonnull(file);
	fprintf(file, bus_config, b->address, policy);
	fclose(file);
	setenv("DBUS_SYSTEM_BUS_ADDRESS", b->address, 1);
	bluetooth_serve_bus(b);
	bluetooth_serve(b);
}

const char *bluetooth_say(struct bluetooth *b, const char *format, ...)
{
	char line[512];
	va_list args;
	int len;

	va_start(args, format);
	len = vsnprintf(line, sizeof(line) - 1, format, args);
	va_end(args);
	line[len] = '\n';
	ck_assert_int_eq(write(b->in, line, (size_t)len + 1), len + 1);
	read_line(b);
	ck_assert_msg(strncmp(b->answer, "ok", 2) == 0, "%.*s: %s", len, line, b->answer);
	return b->answer + 2;
}

unsigned int bluetooth_count(struct bluetooth *b, const char *name)
{
	const char *stats = bluetooth_say(b, "stats"), *found;
	char key[64];

	snprintf(key, sizeof(key), " %s=", name);
	found = strstr(stats, key);
	ck_assert_msg(found != NULL, "no '%s' in %s", name, stats);
	return (unsigned int)strtoul(found + strlen(key), NULL, 10);
}

static void end(pid_t *pid)
{
	if (*pid > 0) {
		kill(*pid, SIGKILL);
		waitpid(*pid, NULL, 0);
	}
	*pid = 0;
}

void bluetooth_kill(struct bluetooth *b)
{
	if (b->bluez == 0)
		return;
	end(&b->bluez);
	close(b->in);
	close(b->out);
}

void bluetooth_kill_bus(struct bluetooth *b)
{
	end(&b->bus);
	bluetooth_kill(b);
}

void bluetooth_stop(struct bluetooth *b)
{
	static const char *const names[] = {"bus", "bus.conf"};
	char path[96];

	bluetooth_kill_bus(b);
	for (size_t i = 0; i < 2; i++) {
		snprintf(path, sizeof(path), "%s/%s", b->folder, names[i]);
		unlink(path);
	}
	rmdir(b->folder);
}
