/* SPDX-License-Identifier: MIT */
/*
 * The sockets and serial lines that the configuration names, in its order.
 */
#pragma once

#include "packbridge/server.h"
#include "site.h"

/** One of the two is set, the other is NULL. */
struct listener {
	struct pb_server *server;
	struct pb_line *line;
	size_t kept; /* while a reload is prepared: 1 + place of the one that it goes on from */
};

struct listeners {
	const struct pb_config *config;
	struct listener *all;
};

/** What all listeners need. */
struct listeners_setup {
	sd_event *event;
	struct pb_hub *hub;
	const struct pb_server_backend *backend;
};

/** Only checks an address and a line's rate. @return 0, or -EINVAL with the reason in @why and its
 * place. */
int listener_check(const struct pb_listen_config *listen, struct pb_mark *ret_mark, char *why,
		   size_t why_cap);

/**
 * Checks whether packs, listeners, the page and the sockets conflict with each other.
 * @return 0, also with errors in @report; -ENOMEM.
 */
int check_conflicts(const struct pb_config *config, struct pb_report *report);

/**
 * Opens the sockets that @before does not have (NULL: all). Serial lines are opened by
 * listeners_take(), when those of @before have been closed.
 * @return 0; negative with every error in @report.
 */
int listeners_prepare(struct listeners *ret, const struct listeners_setup *setup,
		      const struct site *site, const struct listeners *before,
		      struct pb_report *report);
/**
 * Listeners of @before that @config does not continue accept no more clients, so that their ports
 * are free: 127.0.0.1:502 can become 0.0.0.0:502. Their clients stay for now.
 * @return how many there are; -ENOMEM.
 */
int listeners_make_room(const struct listeners *before, const struct pb_config *config);
/** Reverses listeners_make_room(). Failures are in @report; the next reload tries again. */
void listeners_return(const struct listeners *listeners, struct pb_report *report);
/**
 * Serves @site from now on: takes over continued listeners from @before (NULL: none), closes its
 * others, opens serial lines.
 */
int listeners_take(struct listeners *listeners, const struct listeners_setup *setup,
		   const struct site *site, struct listeners *before, struct pb_report *report);
void listeners_clear(struct listeners *listeners);
void listener_stats(const struct listener *listener, struct pb_server_stats *ret);
