/* SPDX-License-Identifier: MIT */
/* One pack that a command connects to by itself. */
#pragma once

#include "options.h"

#include "packbridge/bridge.h"
#include "packbridge/pack.h"

struct onepack {
	const char *name; /**< in logs; NULL: its link */
	uint32_t poll_ms, stale_after_s;
	/* of the command line */
	const char *command, *link, *protocol, *password;
	int64_t passkey, seconds;
	/* while it is open */
	sd_event *event;
	struct pb_bluez *bluez;
	struct pb_reader *reader;
};

/**
 * Reads a command line whose first operand is LINK. @more: options beside those of the pack.
 * @return as pb_cli_options().
 */
int onepack_options(struct onepack *one, int argc, char **argv, const struct option_row *more,
		    const char *help, const char *operands);
/**
 * Makes the pack; errors are reported on stderr. Close it in any case.
 * @return -1: go on; else the exit status to end with.
 */
int onepack_open(struct onepack *one, const struct pb_reader_handler *handler, void *userdata);
/** Connects, and polls for @seconds or until the loop is ended. @return as sd_event_loop(). */
int onepack_run(struct onepack *one);
void onepack_close(struct onepack *one);
/** @return true when nothing better will come of a pack that has no reading yet. */
bool onepack_hopeless(const struct pb_reading *reading);
