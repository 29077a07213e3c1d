/* SPDX-License-Identifier: MIT */
/*
 *	SIGHUP, `reload` ──▶ reload_ask() ──▶ thread: reads and checks the file and its maps
 *	                                          │ eventfd
 *	      pb_bridge_reload() ◀── on_done() ◀──┘  in the event loop
 *
 * The thread shares only its job with the loop. If it is asked again while the thread runs, it
 * loads once more afterwards, since the file may have changed.
 */
#include "reload.h"

#include "changes.h"
#include "configfile.h"

#include "packbridge/server.h"

#include <errno.h>
#include <limits.h>
#include <malloc.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

enum { CHANGES_TEXT = 8192 };

/* What the thread fills; it shares nothing else with the loop. */
struct job {
	const char *file;
	int done; /* an event descriptor */
	int r;
	struct pb_config *config;
	struct pb_maps *maps;
	struct pb_report report;
	char *changes; /* what the loop found; NULL: not known */
};

struct reload {
	struct daemon *daemon;
	void (*done)(struct daemon *daemon);
	int fd; /* made at the start: later there may be no descriptor */
	sd_event_source *io;
	struct job *job; /* NULL: nothing is read now */
	bool again;	 /* asked for since then */
	struct pb_asker *now, *next;
};

/* ---- the thread ---- */

static void *read_config(void *userdata)
{
	struct job *job = userdata;

	job->r = pb_cli_config_read(job->file, &job->config, &job->maps, &job->report);
	eventfd_write(job->done, 1);
	return NULL;
}

static int reload_start_thread(struct job *job)
{
	sigset_t all, before;
	pthread_t thread;
	int r;

	/* signals are for the loop's thread */
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	r = pthread_create(&thread, NULL, read_config, job);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	if (r == 0)
		pthread_detach(thread);
	return -r;
}

/* ---- messages ---- */

static void reload_tell(struct pb_asker **askers, const char *text, size_t len)
{
	char *bytes = malloc(len + 1);
	struct pb_answer *answer;

	if (bytes)
		memcpy(bytes, text, len);
	answer = bytes ? pb_answer_new(200, "", bytes, len) : NULL;
	while (*askers) {
		struct pb_asker *asker = *askers;

		*askers = asker->next;
		asker->answer(asker, answer);
	}
	pb_answer_unref(answer);
}

static const char *reload_plural(size_t count)
{
	return count == 1 ? "" : "s";
}

static void print_loaded(const struct job *job, const struct pb_config *config, char *out,
			 size_t cap)
{
	snprintf(out, cap, "%s is loaded: %zu pack%s, %zu bank%s, %zu listener%s; %s", job->file,
		 config->pack_count, reload_plural(config->pack_count), config->bank_count,
		 reload_plural(config->bank_count), config->listen_count,
		 reload_plural(config->listen_count), job->changes ? job->changes : "");
}

/* Answers the askers with the text that is logged. */
static void reload_say(struct reload *reload, const struct job *job)
{
	char line[PATH_MAX + CHANGES_TEXT], *text = NULL;
	size_t len = 0;
	FILE *out = open_memstream(&text, &len);

	if (job->r < 0)
		snprintf(line, sizeof(line),
			 "%s is not loaded, the running configuration stays:", job->file);
	else
		print_loaded(job, pb_bridge_config(reload->daemon->bridge), line, sizeof(line));
	pb_log(job->r < 0 ? PB_LOG_ERR : PB_LOG_INFO, "%s", line);
	pb_bridge_event(reload->daemon->bridge, PB_EVENT_RELOAD,
			job->r < 0 ? PB_LEVEL_WARNING : PB_LEVEL_NONE, line);
	if (out) {
		fprintf(out, "%s: %s\n", job->r < 0 ? "error" : "ok", line);
		if (job->r < 0)
			pb_report_print(&job->report, out);
		fclose(out);
	}
	for (size_t i = 0; i < job->report.told; i++)
		pb_log(PB_LOG_ERR, "%s", job->report.lines[i]);
	reload_tell(&reload->now, text ? text : "", len);
	free(text);
}

/* ---- the loop's part ---- */

static uint64_t reload_clock_us(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000 + (uint64_t)now.tv_nsec / 1000;
}

static void reload_begin(struct reload *reload)
{
	struct job *job = calloc(1, sizeof(*job));
	int r = -ENOMEM;

	reload->again = false;
	reload->now = reload->next;
	reload->next = NULL;
	if (job) {
		*job = (struct job){.file = reload->daemon->file, .done = reload->fd};
		r = reload_start_thread(job);
	}
	if (r >= 0) {
		reload->job = job;
		pb_notify("RELOADING=1\nMONOTONIC_USEC=%llu",
			  (unsigned long long)reload_clock_us());
		return;
	}
	free(job);
	pb_log(PB_LOG_ERR, "can't load: %s", strerror(-r));
	reload_tell(&reload->now, "error: no thread\n", strlen("error: no thread\n"));
}

/* @return a text to be freed; NULL without memory */
static char *find_changes(const struct pb_config *before, const struct pb_config *after)
{
	char *text = NULL;
	size_t len = 0;
	FILE *out = open_memstream(&text, &len);

	if (!out)
		return NULL;
	changes_print(before, after, out);
	fclose(out);
	return text;
}

/* Takes what the thread has made, wholly or not at all. */
static void reload_go_over(struct pb_bridge *bridge, struct job *job)
{
	if (job->r >= 0) {
		/* before the earlier one is gone */
		job->changes = find_changes(pb_bridge_config(bridge), job->config);
		job->r = pb_bridge_reload(bridge, job->config, job->maps, &job->report);
	}
	if (job->r < 0) {
		pb_config_free(job->config);
		pb_maps_free(job->maps);
	}
}

static int on_done(sd_event_source *source, int fd, uint32_t revents, void *userdata)
{
	struct reload *reload = userdata;
	struct job *job = reload->job;
	eventfd_t count;

	(void)source;
	(void)revents;
	eventfd_read(fd, &count);
	reload->job = NULL;
	reload_go_over(reload->daemon->bridge, job);
	reload_say(reload, job);
	if (job->r >= 0)
		reload->done(reload->daemon);
	pb_report_clear(&job->report);
	free(job->changes);
	free(job);
	malloc_trim(0);
	pb_notify("READY=1");
	if (reload->again)
		reload_begin(reload);
	return 0;
}

void reload_ask(struct reload *reload, struct pb_asker *asker)
{
	if (asker) {
		asker->next = reload->next;
		reload->next = asker;
	}
	reload->again = true;
	if (!reload->job)
		reload_begin(reload);
}

static void reload_remove_asker(struct pb_asker **at, const struct pb_asker *asker)
{
	while (*at && *at != asker)
		at = &(*at)->next;
	if (*at)
		*at = asker->next;
}

void reload_forget(struct reload *reload, const struct pb_asker *asker)
{
	reload_remove_asker(&reload->now, asker);
	reload_remove_asker(&reload->next, asker);
}

/* ---- life ---- */

int reload_new(struct reload **ret, sd_event *event, struct daemon *daemon,
	       void (*done)(struct daemon *daemon))
{
	struct reload *reload = calloc(1, sizeof(*reload));
	int r;

	if (!reload)
		return -ENOMEM;
	mallopt(M_ARENA_MAX, 1); /* what the thread makes is the loop's later */
	reload->daemon = daemon;
	reload->done = done;
	reload->fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	r = reload->fd < 0
		    ? -errno
		    : sd_event_add_io(event, &reload->io, reload->fd, EPOLLIN, on_done, reload);
	if (r < 0) {
		reload_free(reload);
		return r;
	}
	*ret = reload;
	return 0;
}

struct reload *reload_free(struct reload *reload)
{
	if (!reload)
		return NULL;
	sd_event_source_disable_unref(reload->io);
	if (reload->fd >= 0 && !reload->job)
		close(reload->fd);
	free(reload);
	return NULL;
}
