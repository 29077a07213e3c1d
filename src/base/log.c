/* SPDX-License-Identifier: MIT */
#include "packbridge/base.h"

#include <stdio.h>
#include <time.h>
#include <unistd.h>

/* The mutable globals of the program: every room logs, and none should carry a handle for it. */
static enum pb_log_level shown = PB_LOG_INFO;
static void (*sink)(enum pb_log_level level, const struct pb_log_about *about, const char *text);

void pb_log_set_level(enum pb_log_level level)
{
	shown = level;
}

bool pb_log_enabled(enum pb_log_level level)
{
	return level <= shown;
}

void pb_log_set_sink(void (*new_sink)(enum pb_log_level level, const struct pb_log_about *about,
				      const char *text))
{
	sink = new_sink;
}

static void log_line(enum pb_log_level level, const struct pb_log_about *about, const char *format,
		     va_list args)
{
	char line[1024];
	int len = vsnprintf(line, sizeof(line) - 1, format, args);

	if (len < 0)
		return;
	if ((size_t)len > sizeof(line) - 2)
		len = (int)sizeof(line) - 2;
	if (sink) {
		sink(level, about, line);
		return;
	}
	line[len] = '\n';
	/* one write a line, so that lines of several processes do not mix; a full disk is not our
	 * end */
	if (write(STDERR_FILENO, line, (size_t)len + 1) < 0)
		return;
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
