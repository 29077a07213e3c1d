/* SPDX-License-Identifier: MIT */
/*
 * Reloads the configuration while the daemon runs: a thread reads and checks the file and its maps,
 * then the event loop changes to the result.
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
 * Starts a reload; if one is running, another follows it, since the file may have changed.
 * @asker: NULL when nobody waits for an answer.
 */
void reload_ask(struct reload *reload, struct pb_asker *asker);
/** @asker has gone. */
void reload_forget(struct reload *reload, const struct pb_asker *asker);
