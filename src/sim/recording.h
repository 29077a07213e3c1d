/* SPDX-License-Identifier: MIT */
/*
 * A recording of a link, as `packbridge record` writes it: one event per line, with its time.
 *
 *	packbridge recording 1
 *	# a comment
 *	0 up
 *	35 > DDA50300FFFD77
 *	48 < DD03001B...
 *	1200 down why, in words
 *
 * The number is the time in milliseconds since the start. Pure.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

enum recording_kind {
	RECORDING_UP,
	RECORDING_SENT,	    /**< by us */
	RECORDING_RECEIVED, /**< by the pack */
	RECORDING_DOWN,
};

enum {
	RECORDING_BYTES_MAX = 1024,	       /**< of one event */
	RECORDING_TEXT_MAX = 16 * 1024 * 1024, /**< of the file */
};

struct recording_event {
	uint64_t ms;
	enum recording_kind kind;
	size_t at, len; /**< in recording.bytes; for DOWN: the reason, ended by NUL */
};

struct recording {
	size_t count;
	struct recording_event *events;
	uint8_t *bytes;
};

/**
 * @return 0; -EINVAL with the reason in @why ("line 3: ..."); -ENOMEM. Free with
 * recording_clear().
 */
int recording_parse(struct recording *ret, const char *text, size_t len, char *why, size_t why_cap);
/** The same for a file; -errno when it can't be read. */
int recording_load(struct recording *ret, const char *path, char *why, size_t why_cap);
void recording_clear(struct recording *recording);
/**
 * Finds the next event that is this request: from index @from to the end, then from the beginning.
 * @return its index; SIZE_MAX: none.
 */
size_t recording_find(const struct recording *recording, size_t from, const uint8_t *request,
		      size_t len);
