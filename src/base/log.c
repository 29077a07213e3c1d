/* SPDX-License-Identifier: MIT */
#include "packbridge/base.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

/* The one mutable global of the program: every room logs, and none should carry a handle for it. */
static enum pb_log_level shown = PB_LOG_INFO;

void pb_log_set_level(enum pb_log_level level)
{
	shown = level;
}

bool pb_log_enabled(enum pb_log_level level)
{
	return level <= shown;
}

void pb_log(enum pb_log_level level, const char *format, ...)
{
	char line[1024];
	int head = 0, body;
	va_list args;

	if (!pb_log_enabled(level))
		return;
	/* systemd sets JOURNAL_STREAM when stderr is the journal; it takes the level from <N> */
	if (getenv("JOURNAL_STREAM"))
		head = snprintf(line, sizeof(line), "<%d>", (int)level);
	va_start(args, format);
	body = vsnprintf(line + head, sizeof(line) - (size_t)head - 1, format, args);
	va_end(args);
	if (body < 0)
		return;
	if ((size_t)(head + body) > sizeof(line) - 2)
		body = (int)sizeof(line) - 2 - head;
	line[head + body] = '\n';
	/* one write a line, so that lines of several processes do not mix; a full disk is not our
	 * end */
	if (write(STDERR_FILENO, line, (size_t)(head + body + 1)) < 0)
		return;
}

uint64_t pb_now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_BOOTTIME, &now);
	return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}
