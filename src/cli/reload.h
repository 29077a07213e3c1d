/* SPDX-License-Identifier: MIT */
/*
 * Loads the configuration anew while the daemon runs: a thread reads and checks the file and its
 * maps, the loop goes over to what it made.
 */
#pragma once

#include "serve.h"

#include <systemd/sd-event.h>

struct reload;

/** @done: called after each change, borrowed. @return 0; negative errno. */
int reload_new(struct reload **ret, sd_event *event, struct daemon *daemon,
	       void (*done)(struct daemon *daemon));
/** To be called behind the bridge's end. What a thread still reads is left to it. */
struct reload *reload_free(struct reload *reload);

/**
 * Loads, or does so once more when it is at it: the file may have changed since it was read.
 * @asker: NULL when nobody waits for an answer.
 */
void reload_ask(struct reload *reload, struct pb_asker *asker);
/** @asker has gone. */
void reload_forget(struct reload *reload, const struct pb_asker *asker);
