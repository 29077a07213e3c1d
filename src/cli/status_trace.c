/* SPDX-License-Identifier: MIT */
/*
 * packbridge status --trace: what a listener is asked and what it answers, asked of the daemon's
 * control socket again and again.
 */
#include "ask.h"
#include "shown.h"
#include "status.h"

#include "packbridge/base.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { PAUSE_MS = 200 };

struct trace_watch {
	const char *socket, *listener;
	unsigned long long since, seen, count; /* count 0: all */
};

/* Prints up to as many exchanges as are still wanted; each begins in the first column. */
static void print_exchanges(struct trace_watch *watch, char *text)
{
	while (*text) {
		char *end = strchr(text, '\n');
		size_t len = end ? (size_t)(end - text) + 1 : strlen(text);
		char after = text[len];

		if (*text != ' ' && watch->count && watch->seen == watch->count)
			return;
		watch->seen += *text != ' ';
		text[len] = '\0';
		pb_cli_put(text, true, stdout);
		text[len] = after;
		text += len;
	}
}

/* @return 0; an exit status, after a word on stderr. */
static int status_trace_take_answer(struct trace_watch *watch, char *text)
{
	static const char head[] = "trace ";
	unsigned long long next, left;
	char *rest = strchr(text, '\n'), *at = text + strlen(head);

	if (!rest || strncmp(text, head, strlen(head)) != 0) {
		fputs("packbridge status: ", stderr);
		pb_cli_put(text, true, stderr);
		return 1;
	}
	next = strtoull(at, &at, 10);
	left = strtoull(at, &at, 10);
	if (left && watch->since)
		printf("(%llu more, too fast to be shown)\n", left);
	watch->since = next;
	print_exchanges(watch, rest + 1);
	return fflush(stdout) == 0 ? 0 : 1;
}

static int ask_once(struct trace_watch *watch)
{
	char question[400], *text = NULL;
	size_t len;
	FILE *out = open_memstream(&text, &len);
	int r = out ? 0 : -ENOMEM, status;

	snprintf(question, sizeof(question), "trace %llu %s\n", watch->since, watch->listener);
	if (out) {
		r = pb_cli_ask(watch->socket, question, out);
		fclose(out);
	}
	if (r < 0) {
		pb_cli_ask_failed("status", watch->socket, "control", r);
		free(text);
		return 1;
	}
	status = status_trace_take_answer(watch, text);
	free(text);
	return status;
}

int status_trace(const char *socket, const char *listener, unsigned int seconds, unsigned int count)
{
	struct trace_watch watch = {.socket = socket, .listener = listener, .count = count};
	uint64_t start_ms = pb_now_ms(), end_ms = start_ms + 1000ULL * seconds;
	const struct timespec pause = {.tv_nsec = PAUSE_MS * 1000000L};
	int status = 0;

	while (status == 0 && pb_now_ms() <= end_ms && (!count || watch.seen < count)) {
		status = ask_once(&watch);
		if (status == 0)
			nanosleep(&pause, NULL);
	}
	if (status == 0)
		fprintf(stderr, "%llu request%s in %.1f s\n", watch.seen,
			watch.seen == 1 ? "" : "s", (double)(pb_now_ms() - start_ms) / 1000);
	return status;
}
