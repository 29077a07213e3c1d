/* SPDX-License-Identifier: MIT */
/*
 * stderr without blocking. Another program reads the other end of stderr and may stop reading: a
 * pipe into a program that hangs, a terminal stopped by ^S, a journald that waits for its SD card.
 *
 * O_NONBLOCK belongs to the open file, which the shell and other programs share. If we set it
 * there, they would get EAGAIN in the middle of their output, even after our end. So:
 *
 *	pipe, terminal  opened once more, to get our own open file with O_NONBLOCK
 *	socket          cannot be opened again, but has MSG_DONTWAIT
 *	plain file      never blocks
 *
 * If a pipe cannot be opened again (it belongs to another user), a line is written only if poll()
 * reports room. This can block only if another program fills that room in between.
 */
#include "stderr.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdbool.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

enum { LINE_CAP = 1280 };

enum stderr_way { STDERR_PLAIN, STDERR_SOCKET, STDERR_POLL };

static struct {
	int fd;
	enum stderr_way way;
	size_t rest_len; /* of a line that was taken in part */
	char rest[LINE_CAP];
} out = {.fd = STDERR_FILENO};

void stderr_never_wait(void)
{
	struct stat info;
	int fd;

	if (fstat(STDERR_FILENO, &info) < 0 || S_ISREG(info.st_mode))
		return;
	out.way = S_ISSOCK(info.st_mode) ? STDERR_SOCKET : STDERR_POLL;
	if (out.way == STDERR_SOCKET || out.fd != STDERR_FILENO)
		return;
	fd = open("/proc/self/fd/2", O_WRONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
	if (fd < 0)
		return;
	out.fd = fd;
	out.way = STDERR_PLAIN;
}

static ssize_t stderr_write(const char *bytes, size_t len)
{
	struct pollfd room = {.fd = out.fd, .events = POLLOUT};
	ssize_t n;

	if (out.way == STDERR_POLL && poll(&room, 1, 0) == 0)
		return -EAGAIN;
	n = out.way == STDERR_SOCKET ? send(out.fd, bytes, len, MSG_DONTWAIT | MSG_NOSIGNAL)
				     : write(out.fd, bytes, len);
	return n < 0 ? -errno : n;
}

int stderr_rest(void)
{
	ssize_t n;

	if (out.rest_len == 0)
		return 0;
	n = stderr_write(out.rest, out.rest_len);
	if (n < 0)
		return (int)n;
	out.rest_len -= (size_t)n;
	memmove(out.rest, out.rest + n, out.rest_len);
	return out.rest_len ? -EAGAIN : 0;
}

int stderr_line(const char *line, size_t len)
{
	ssize_t n;
	int r = stderr_rest();

	assert(len <= sizeof(out.rest));
	if (r < 0)
		return r;
	n = stderr_write(line, len);
	if (n < 0)
		return (int)n;
	out.rest_len = len - (size_t)n;
	memcpy(out.rest, line + n, out.rest_len);
	return 0;
}
