/* SPDX-License-Identifier: MIT */
#include "daemon.h"

#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

uint64_t daemon_clock_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

void daemon_write_file(char *path, size_t cap, const char *name, const char *text)
{
	char folder[] = "/tmp/packbridge-test-XXXXXX";
	FILE *file;

	ck_assert_ptr_nonnull(mkdtemp(folder));
	snprintf(path, cap, "%s/%s", folder, name);
	file = fopen(path, "w");
	ck_assert_ptr_nonnull(file);
	ck_assert_int_ge(fputs(text, file), 0);
	ck_assert_int_eq(fclose(file), 0);
}

/* The child's end: @fd becomes its @target. */
static void become(const char *const *args, int fd, int target)
{
	prctl(PR_SET_PDEATHSIG, SIGKILL); /* a failed test leaves nothing behind */
	const char *argv[16] = {PB_PROGRAM};
	union {
		const char **in;
		char *const *out;
	} for_exec = {argv};

	for (size_t i = 0; args[i]; i++)
		argv[i + 1] = args[i];
	dup2(fd, target);
	execv(PB_PROGRAM, for_exec.out);
	_exit(127);
}

void daemon_start(struct daemon *daemon, const char *const *args)
{
	int ends[2];

	ck_assert_int_eq(pipe2(ends, O_CLOEXEC), 0);
	daemon_start_at(daemon, args, ends[1], ends[0]);
	close(ends[1]);
}

void daemon_start_at(struct daemon *daemon, const char *const *args, int err, int heard)
{
	*daemon = (struct daemon){.err = heard};
	daemon->pid = fork();
	ck_assert_int_ge(daemon->pid, 0);
	if (daemon->pid == 0)
		become(args, err, STDERR_FILENO);
}

const char *daemon_wait_for(struct daemon *daemon, const char *needle)
{
	uint64_t deadline = daemon_clock_ms() + 10000;
	const char *found;

	while (!(found = strstr(daemon->said, needle))) {
		struct pollfd fd = {.fd = daemon->err, .events = POLLIN};
		uint64_t now = daemon_clock_ms();
		ssize_t len;

		ck_assert_msg(now < deadline, "not said: '%s', but: %s", needle, daemon->said);
		if (poll(&fd, 1, (int)(deadline - now)) <= 0)
			continue;
		len = read(daemon->err, daemon->said + daemon->len,
			   sizeof(daemon->said) - 1 - daemon->len);
		ck_assert_msg(len > 0, "ended without '%s': %s", needle, daemon->said);
		daemon->len += (size_t)len;
		daemon->said[daemon->len] = '\0';
	}
	return found;
}

uint16_t daemon_port(struct daemon *daemon, const char *address)
{
	char line[128];
	unsigned int port = 0;

	snprintf(line, sizeof(line), " on %s, port ", address);
	/* the newline shows that the number is whole */
	while (!strchr(daemon_wait_for(daemon, line), '\n'))
		daemon_wait_for(daemon, "\n");
	sscanf(daemon_wait_for(daemon, line) + strlen(line), "%u", &port);
	ck_assert_uint_gt(port, 0);
	return (uint16_t)port;
}

/* Waits for the child's end, at most @ms. */
static int wait_end(pid_t pid, uint64_t ms)
{
	uint64_t deadline = daemon_clock_ms() + ms;
	int status;

	while (waitpid(pid, &status, WNOHANG) == 0) {
		if (daemon_clock_ms() > deadline) {
			kill(pid, SIGKILL);
			waitpid(pid, &status, 0);
			ck_abort_msg("still running %u ms after SIGTERM", (unsigned int)ms);
		}
		poll(NULL, 0, 5);
	}
	return status;
}

void daemon_stop(struct daemon *daemon)
{
	int status;

	ck_assert_int_eq(kill(daemon->pid, SIGTERM), 0);
	status = wait_end(daemon->pid, 1000);
	ck_assert_msg(WIFEXITED(status) && WEXITSTATUS(status) == 0, "wait status %#x after: %s",
		      (unsigned int)status, daemon->said);
	close(daemon->err);
}

static int run_to_end(char *out, size_t cap, const char *const *args, int target)
{
	int ends[2], status;
	size_t len = 0;
	ssize_t got;
	pid_t pid;

	ck_assert_int_eq(pipe2(ends, O_CLOEXEC), 0);
	pid = fork();
	ck_assert_int_ge(pid, 0);
	if (pid == 0)
		become(args, ends[1], target);
	close(ends[1]);
	while (len + 1 < cap && (got = read(ends[0], out + len, cap - 1 - len)) > 0)
		len += (size_t)got;
	out[len] = '\0';
	close(ends[0]);
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

int daemon_output(char *out, size_t cap, const char *const *args)
{
	return run_to_end(out, cap, args, STDOUT_FILENO);
}

int daemon_messages(char *out, size_t cap, const char *const *args)
{
	return run_to_end(out, cap, args, STDERR_FILENO);
}
