/* SPDX-License-Identifier: MIT */
/*
 *	start: file ─▶ records ─▶ the site's batteries; what no battery has is kept for later
 *
 *	timer, reload ─▶ save_begin(): copies all states ─▶ thread: text, write, fsync, rename
 *	                                                        │ eventfd
 *	                                       on_saved() ◀─────┘ on the loop
 *
 * One save runs at a time. The thread owns its job and shares nothing. What it needs is there
 * before it begins, and the loop never waits for the disk, but for the last save, when the loop
 * has ended. The first save follows the start: it shows whether the file can be written, and marks
 * it as one of a program that runs, so that the next start knows whether something was lost.
 */
#include "recorder.h"

#include "packbridge/base/store.h"

#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

enum {
	TICK_MS = 60000, /* a new day, and whether a save is due */
	KEPT_MAX = 256,	 /* records of batteries that are not there now */
	RECORDS_MAX = KEPT_MAX + 1024,
	HEAD_MAX = 512,
	STACK_BYTES = 256 * 1024,
};

static const struct pb_store_kind store_kind = {
	.name = "packbridge-history",
	.version = PB_HISTORY_VERSION,
	.max = HEAD_MAX + (size_t)RECORDS_MAX * PB_HISTORY_RECORD_MAX,
};

/* One save: all that the thread needs. */
struct job {
	char path[PATH_MAX];
	int done; /* an event descriptor; -1: nobody waits */
	bool ended;
	int64_t now_ms, wall_s;
	int r;
	size_t count;
	struct pb_history_record records[];
};

struct recorder {
	sd_event *event;
	struct site *const *site;
	char path[PATH_MAX]; /* "": nothing is saved */
	uint32_t interval_s;
	sd_event_source *timer, *io;
	int fd;
	pthread_t thread;
	struct job *job; /* NULL: none runs */
	bool again;	 /* asked for since it began */
	bool failed;	 /* the last save did */
	uint64_t saved_ms, saved_changes;
	uint32_t kept_changes;
	size_t kept_count;
	struct pb_history_record kept[KEPT_MAX];
};

/* ---- saving ---- */

/* For a person who looks into the file: the time of the save, as UTC. */
static size_t recorder_head(const struct job *job, char out[static HEAD_MAX])
{
	char when[32];

	pb_utc_text((time_t)job->wall_s, when, sizeof(when));
	return (size_t)snprintf(out, HEAD_MAX,
				"saved %" PRId64 " %s\nended %s\n"
				"# what packbridge has counted: docs/history.md. A file that is "
				"edited has a wrong checksum.\n",
				job->wall_s, when, job->ended ? "yes" : "no");
}

static int recorder_write(const struct job *job)
{
	char *text = malloc(HEAD_MAX + job->count * PB_HISTORY_RECORD_MAX);
	size_t len;
	int r;

	if (!text)
		return -ENOMEM;
	len = recorder_head(job, text);
	for (size_t i = 0; i < job->count; i++)
		len += pb_history_print(&job->records[i], job->now_ms, text + len);
	r = pb_store_write(job->path, &store_kind, text, len);
	free(text);
	return r;
}

static void *recorder_thread(void *userdata)
{
	struct job *job = userdata;

	job->r = recorder_write(job);
	eventfd_write(job->done, 1);
	return NULL;
}

static int recorder_start_thread(struct recorder *recorder, struct job *job)
{
	sigset_t all, before;
	pthread_attr_t attr;
	int r = pthread_attr_init(&attr);

	if (r != 0)
		return -r;
	pthread_attr_setstacksize(&attr, STACK_BYTES);
	sigfillset(&all); /* signals are for the loop's thread */
	pthread_sigmask(SIG_SETMASK, &all, &before);
	r = pthread_create(&recorder->thread, &attr, recorder_thread, job);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	pthread_attr_destroy(&attr);
	return -r;
}

static size_t battery_count(const struct site *site)
{
	return site->config->pack_count + site->config->bank_count;
}

static uint64_t recorder_changes(const struct recorder *recorder)
{
	struct site *site = *recorder->site;
	uint64_t changes = recorder->kept_changes;

	for (size_t i = 0; i < battery_count(site); i++)
		changes += pb_plant_history(site->plant, i, pb_now_ms())->changes;
	return changes;
}

static struct pb_history_record record_of(const struct site *site, size_t battery)
{
	struct pb_history_record record = {.bank = battery >= site->config->pack_count};

	snprintf(record.name, sizeof(record.name), "%s", site->batteries[battery].name);
	record.state = *pb_plant_history(site->plant, battery, pb_now_ms());
	return record;
}

/* A copy of all that is to be saved. */
static struct job *job_new(const struct recorder *recorder, bool ended)
{
	const struct site *site = *recorder->site;
	size_t count = battery_count(site) + recorder->kept_count;
	struct job *job = calloc(1, sizeof(*job) + count * sizeof(job->records[0]));

	if (!job)
		return NULL;
	snprintf(job->path, sizeof(job->path), "%s", recorder->path);
	job->done = recorder->fd;
	job->ended = ended;
	job->now_ms = (int64_t)pb_now_ms();
	job->wall_s = time(NULL);
	for (size_t i = 0; i < battery_count(site); i++) {
		struct pb_history_record record = record_of(site, i);

		if (record.state.begun || record.state.extreme_has)
			job->records[job->count++] = record;
	}
	for (size_t i = 0; i < recorder->kept_count; i++)
		job->records[job->count++] = recorder->kept[i];
	return job;
}

/* Once when it begins to fail, and once when it is good again. */
static void tell_result(struct recorder *recorder, int r)
{
	if (r < 0 && !recorder->failed)
		pb_log(PB_LOG_WARNING,
		       "history: can't save %s: %s; counting goes on, what was saved before stays, "
		       "the next attempt is in %u s",
		       recorder->path, strerrordesc_np(-r), recorder->interval_s);
	else if (r >= 0 && recorder->failed)
		pb_log(PB_LOG_INFO, "history: %s is saved again", recorder->path);
	recorder->failed = r < 0;
}

static void save_begin(struct recorder *recorder)
{
	struct job *job = job_new(recorder, false);
	int r = job ? recorder_start_thread(recorder, job) : -ENOMEM;

	recorder->again = false;
	recorder->saved_ms = pb_now_ms();
	if (r < 0) {
		free(job);
		tell_result(recorder, r);
		return;
	}
	recorder->saved_changes = recorder_changes(recorder);
	recorder->job = job;
}

void recorder_save(struct recorder *recorder)
{
	if (!recorder || !*recorder->path)
		return;
	if (recorder->job)
		recorder->again = true;
	else
		save_begin(recorder);
}

static int save_end(struct recorder *recorder)
{
	struct job *job = recorder->job;
	int r;

	pthread_join(recorder->thread, NULL);
	recorder->job = NULL;
	r = job->r;
	free(job);
	return r;
}

static int on_saved(sd_event_source *source, int fd, uint32_t revents, void *userdata)
{
	struct recorder *recorder = userdata;
	eventfd_t count;

	(void)source;
	(void)revents;
	if (eventfd_read(fd, &count) < 0 || !recorder->job)
		return 0;
	tell_result(recorder, save_end(recorder));
	if (recorder->again)
		save_begin(recorder);
	return 0;
}

/* ---- the time ---- */

static bool save_is_due(const struct recorder *recorder)
{
	if (pb_now_ms() - recorder->saved_ms < 1000 * (uint64_t)recorder->interval_s)
		return false;
	return recorder->failed || recorder_changes(recorder) != recorder->saved_changes;
}

static int on_tick(sd_event_source *source, uint64_t usec, void *userdata)
{
	struct recorder *recorder = userdata;

	(void)usec;
	site_tick(*recorder->site);
	if (save_is_due(recorder))
		recorder_save(recorder);
	sd_event_source_set_time(source, (pb_now_ms() + TICK_MS) * 1000);
	return sd_event_source_set_enabled(source, SD_EVENT_ONESHOT);
}

/* ---- records without a battery ---- */

static void keep(struct recorder *recorder, const struct pb_history_record *record)
{
	if (recorder->kept_count == KEPT_MAX) /* the oldest goes */
		memmove(recorder->kept, recorder->kept + 1,
			--recorder->kept_count * sizeof(recorder->kept[0]));
	recorder->kept[recorder->kept_count++] = *record;
	recorder->kept_changes++;
}

/* @return whether there is one for battery @index of @site; it is no longer kept then */
static bool take_kept(struct recorder *recorder, const struct site *site, size_t index)
{
	for (size_t i = 0; i < recorder->kept_count; i++) {
		const struct pb_history_record *record = &recorder->kept[i];

		if (record->former_s || record->bank != (index >= site->config->pack_count) ||
		    strcmp(record->name, site->batteries[index].name) != 0)
			continue;
		pb_plant_set_history(site->plant, index, &record->state);
		memmove(&recorder->kept[i], &recorder->kept[i + 1],
			(--recorder->kept_count - i) * sizeof(recorder->kept[0]));
		return true;
	}
	return false;
}

void recorder_former(struct recorder *recorder, const char *pack,
		     const struct pb_history_state *former)
{
	struct pb_history_record record = {.former_s = time(NULL), .state = *former};

	if (!recorder)
		return;
	snprintf(record.name, sizeof(record.name), "%s", pack);
	if (!pb_clock_is_set(record.former_s))
		record.former_s = 1;
	keep(recorder, &record);
}

/* ---- the file at the start ---- */

/* How long ago it was saved; 0: the clock does not tell. */
static int64_t away_s(int64_t saved_s)
{
	int64_t now_s = time(NULL);

	return !pb_clock_is_set(saved_s) || now_s < saved_s ? 0 : now_s - saved_s;
}

static void tell_loaded(const struct recorder *recorder, size_t count, int64_t away, bool ended)
{
	if (ended)
		pb_log(PB_LOG_INFO, "history: %s has %zu record%s", recorder->path, count,
		       count == 1 ? "" : "s");
	else if (away)
		pb_log(PB_LOG_WARNING,
		       "history: the program did not end by itself; what it counted in at most "
		       "%" PRId64 " s since the last save is lost",
		       away < recorder->interval_s ? away : (int64_t)recorder->interval_s);
	else
		pb_log(PB_LOG_WARNING, "history: the program did not end by itself; what it "
				       "counted since the last save is lost");
}

/* "saved SECONDS ...", then "ended yes" if the program ended by itself. */
static bool take_head(const char *text, int64_t *ret_saved_s, bool *ret_ended)
{
	static const char saved[] = "saved ", ended[] = "ended ", yes[] = "ended yes\n";
	const char *line = strchr(text, '\n');
	char *end;

	if (strncmp(text, saved, strlen(saved)) != 0 || !line ||
	    strncmp(line + 1, ended, strlen(ended)) != 0)
		return false;
	*ret_saved_s = strtoll(text + strlen(saved), &end, 10);
	*ret_ended = strncmp(line + 1, yes, strlen(yes)) == 0;
	return end > text + strlen(saved) && *end == ' ';
}

/* @return 0; -EBADMSG, with the reason in @why */
static int take_text(struct recorder *recorder, const char *text, size_t len, char *why,
		     size_t why_cap)
{
	struct pb_history_record *records = NULL;
	int64_t saved_s = 0, away;
	bool ended = false;
	unsigned int line = 0;
	size_t count = 0;
	int r;

	if (!take_head(text, &saved_s, &ended)) {
		snprintf(why, why_cap, "its second line is broken");
		return -EBADMSG;
	}
	away = away_s(saved_s);
	r = pb_history_parse(text, len, (int64_t)pb_now_ms() - 1000 * away, RECORDS_MAX, &records,
			     &count, &line);
	if (r < 0) {
		snprintf(why, why_cap, "line %u is broken", line + 1);
		return r;
	}
	for (size_t i = 0; i < count; i++)
		keep(recorder, &records[i]);
	free(records);
	tell_loaded(recorder, count, away, ended);
	return 0;
}

/* What can't be read is never overwritten. */
static void put_aside(struct recorder *recorder, const char *why)
{
	char where[PATH_MAX + 16];
	int r = pb_store_put_aside(recorder->path, where, sizeof(where));

	if (r >= 0) {
		pb_log(PB_LOG_ERR, "history: %s %s; it is kept as %s, counting begins anew",
		       recorder->path, why, where);
		return;
	}
	pb_log(PB_LOG_ERR,
	       "history: %s %s, and can't be renamed: %s; counting begins anew, and nothing is "
	       "saved",
	       recorder->path, why, strerrordesc_np(-r));
	*recorder->path = '\0';
}

static void recorder_load(struct recorder *recorder)
{
	char why[256] = "", *text = NULL;
	size_t len = 0;
	int r = pb_store_read(recorder->path, &store_kind, &text, &len, why, sizeof(why));

	if (r == 0)
		r = take_text(recorder, text, len, why, sizeof(why));
	free(text);
	if (r < 0 && r != -ENOENT && r != -ENOMEM)
		put_aside(recorder, why);
}

/* By the configuration, else in the folder that systemd made for the service. */
static void find_path(const struct pb_history_section *config, char out[static PATH_MAX])
{
	const char *folders = getenv("STATE_DIRECTORY");

	*out = '\0';
	if (!config->keep)
		return;
	if (*config->path)
		snprintf(out, PATH_MAX, "%s", config->path);
	else if (folders && *folders)
		snprintf(out, PATH_MAX, "%.*s/history", (int)strcspn(folders, ":"), folders);
}

/* ---- life ---- */

/* Another path is a new file: what is counted goes on, and is not mixed with what stands there. */
static void recorder_configure(struct recorder *recorder)
{
	const struct pb_history_section *config = &(*recorder->site)->config->history;
	char path[PATH_MAX];

	find_path(config, path);
	recorder->interval_s = config->interval_s;
	if (strcmp(path, recorder->path) == 0)
		return;
	snprintf(recorder->path, sizeof(recorder->path), "%s", path);
	recorder->failed = false;
	if (*path && access(path, F_OK) == 0)
		put_aside(recorder, "is there already, from an earlier time");
}

void recorder_apply(struct recorder *recorder)
{
	if (!recorder)
		return;
	recorder_configure(recorder);
	recorder_save(recorder);
}

void recorder_take(struct recorder *recorder, struct site *before, struct site *after)
{
	if (!recorder)
		return;
	for (size_t i = 0; i < battery_count(before); i++) {
		struct pb_history_record record = record_of(before, i);
		int at = pb_plant_find(after->plant, record.name);

		if (at < 0 || record.bank != ((size_t)at >= after->config->pack_count))
			keep(recorder, &record);
	}
	for (size_t i = 0; i < battery_count(after); i++)
		take_kept(recorder, after, i); /* kept: it was in no configuration until now */
}

int recorder_new(struct recorder **ret, sd_event *event, struct site *const *site)
{
	struct recorder *recorder = calloc(1, sizeof(*recorder));
	const struct pb_history_section *config = &(*site)->config->history;
	int r;

	if (!recorder)
		return -ENOMEM;
	recorder->event = event;
	recorder->site = site;
	recorder->interval_s = config->interval_s;
	recorder->fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	r = recorder->fd < 0 ? -errno
			     : sd_event_add_io(event, &recorder->io, recorder->fd, EPOLLIN,
					       on_saved, recorder);
	if (r >= 0)
		r = sd_event_add_time(event, &recorder->timer, CLOCK_BOOTTIME,
				      (pb_now_ms() + TICK_MS) * 1000, 1000000, on_tick, recorder);
	if (r < 0) {
		recorder_free(recorder);
		return r;
	}
	find_path(config, recorder->path);
	if (*recorder->path)
		recorder_load(recorder);
	else if (config->keep)
		pb_log(PB_LOG_INFO,
		       "history: counted energy and extremes begin anew at each start: "
		       "there is no StateDirectory of a service; `history: {path: "
		       "FILE}` in the configuration keeps them");
	for (size_t i = 0; i < battery_count(*site); i++)
		take_kept(recorder, *site, i);
	recorder_save(recorder);
	*ret = recorder;
	return 0;
}

static void save_last(struct recorder *recorder)
{
	struct job *job = job_new(recorder, true);

	tell_result(recorder, job ? recorder_write(job) : -ENOMEM);
	free(job);
}

struct recorder *recorder_free(struct recorder *recorder)
{
	if (!recorder)
		return NULL;
	if (recorder->job)
		save_end(recorder);
	if (*recorder->path)
		save_last(recorder);
	sd_event_source_disable_unref(recorder->io);
	sd_event_source_disable_unref(recorder->timer);
	if (recorder->fd >= 0)
		close(recorder->fd);
	free(recorder);
	return NULL;
}
