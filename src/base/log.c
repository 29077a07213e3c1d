/* SPDX-License-Identifier: MIT */
/*
 * The log: one line per message.
 *
 *	pb_log(), pb_log_about() ──▶ the sink (e.g. the journal)
 *	                        └──▶ stderr.c, if there is no sink or it fails
 *
 * A message that would block is dropped and counted. pb_log_catch_up() reports the count later.
 */
#include "packbridge/base.h"

#include "stderr.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

/* The mutable globals of the program: every room logs, and none should carry a handle for it. */
static enum pb_log_level shown = PB_LOG_INFO;
static pb_log_sink *sink;
static struct {
	uint32_t total;
	uint32_t unsaid; /* of them, not reported to the log yet */
} left_out;

enum { TEXT_MAX = 1024 };

void pb_log_set_level(enum pb_log_level level)
{
	shown = level;
}

bool pb_log_enabled(enum pb_log_level level)
{
	return level <= shown;
}

void pb_log_set_sink(pb_log_sink *new_sink)
{
	sink = new_sink;
}

void pb_log_never_wait(void)
{
	stderr_never_wait();
}

uint32_t pb_log_left_out(void)
{
	return left_out.total;
}

/* One write a line, so that lines of several processes do not mix. With a sink, stderr is read by
 * the same journal, which takes a level in front. */
static int put_stderr(enum pb_log_level level, const char *text)
{
	char line[TEXT_MAX + 8];
	int len = sink ? snprintf(line, sizeof(line), "<%d>%s\n", (int)level, text)
		       : snprintf(line, sizeof(line), "%s\n", text);

	return len < 0 ? -EINVAL : stderr_line(line, (size_t)len);
}

static int log_put(enum pb_log_level level, const struct pb_log_about *about, const char *text)
{
	int r = sink ? sink(level, about, text) : -ENOENT;

	return r == 0 || r == -EAGAIN ? r : put_stderr(level, text);
}

void pb_log_catch_up(void)
{
	static const struct pb_log_about nothing;
	char text[80];

	if (stderr_rest() < 0 || !left_out.unsaid)
		return;
	snprintf(text, sizeof(text), "%u messages were left out, since the log took no more",
		 left_out.unsaid);
	if (log_put(PB_LOG_WARNING, &nothing, text) == 0)
		left_out.unsaid = 0;
}

PB_PRINTF(3, 0)
static void log_line(enum pb_log_level level, const struct pb_log_about *about, const char *format,
		     va_list args)
{
	char text[TEXT_MAX];

	if (vsnprintf(text, sizeof(text), format, args) < 0)
		return;
	/* whoever wrote a part of it: it stays one line, and does nothing to a terminal */
	pb_text_clean(text, sizeof(text), text, strlen(text));
	pb_log_catch_up();
	/* what comes later must not overtake the word that something is missing */
	if (!left_out.unsaid && log_put(level, about, text) == 0)
		return;
	left_out.total++;
	left_out.unsaid++;
}

void pb_log(enum pb_log_level level, const char *format, ...)
{
	static const struct pb_log_about nothing;
	va_list args;

	if (!pb_log_enabled(level))
		return;
	va_start(args, format);
	log_line(level, &nothing, format, args);
	va_end(args);
}

void pb_log_about(enum pb_log_level level, const struct pb_log_about *about, const char *format,
		  ...)
{
	va_list args;

	if (!pb_log_enabled(level))
		return;
	va_start(args, format);
	log_line(level, about, format, args);
	va_end(args);
}

uint64_t pb_now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_BOOTTIME, &now);
	return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}
