/* SPDX-License-Identifier: MIT */
/*
 * Remembers the history of all batteries in one file. Saving is done in a thread, on a copy:
 * a disk can block for seconds.
 */
#pragma once

#include "site.h"

struct recorder;

/**
 * Reads the file, gives @site what is known of its batteries, and begins to save. @site: of which
 * each save takes the present one.
 */
int recorder_new(struct recorder **ret, sd_event *event, struct site *const *site);
/** Saves for the last time. */
struct recorder *recorder_free(struct recorder *recorder);

/**
 * @after has taken over what it has in common with @before: keeps the rest, and gives @after what
 * was kept of its new batteries. NULL for @recorder: nothing.
 */
void recorder_take(struct recorder *recorder, struct site *before, struct site *after);
/** The present site has another configuration, which counts from now on; and saves. */
void recorder_apply(struct recorder *recorder);
/** Keeps what is known of a pack that has been replaced. NULL for @recorder: nothing. */
void recorder_former(struct recorder *recorder, const char *pack,
		     const struct pb_history_state *former);
/** Saves soon. NULL for @recorder: nothing. */
void recorder_save(struct recorder *recorder);
