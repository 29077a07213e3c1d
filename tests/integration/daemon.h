/* SPDX-License-Identifier: MIT */
#pragma once

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/** The real program as a child, and what it has said on stderr so far. */
struct daemon {
	pid_t pid;
	int err; /* its stderr, read end */
	size_t len;
	char said[65536];
};

/** Writes @text to a new file in the test's own folder; @path gets its name. */
void daemon_write_file(char *path, size_t cap, const char *name, const char *text);
/** Starts `packbridge ARGS...` (ended by NULL). */
void daemon_start(struct daemon *daemon, const char *const *args);
/** The same with its stderr at @err; what it says is read from @heard. */
void daemon_start_at(struct daemon *daemon, const char *const *args, int err, int heard);
/** Reads what it says until @needle is among it (at most 10 s). @return where it stands. */
const char *daemon_wait_for(struct daemon *daemon, const char *needle);
/** Waits for listener @address ("127.0.0.1:0") and gives its port. */
uint16_t daemon_port(struct daemon *daemon, const char *address);
/** SIGTERM; fails the test unless it ends with status 0 within one second. */
void daemon_stop(struct daemon *daemon);
/** Runs `packbridge ARGS...` to its end with stdout in @out. @return its exit status. */
int daemon_output(char *out, size_t cap, const char *const *args);
/** The same for stderr. */
int daemon_messages(char *out, size_t cap, const char *const *args);
/** Milliseconds of CLOCK_MONOTONIC. */
uint64_t daemon_clock_ms(void);
