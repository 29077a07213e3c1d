/* SPDX-License-Identifier: MIT */
/*
 * Files that people name. What stands at a path may be anything: a FIFO that nobody writes to, a
 * terminal, /dev/urandom. Opening such a thing can wait for ever or change it (a modem line
 * drops, a tape rewinds), so it is looked at first; and again when it is open, since it may have
 * been exchanged.
 */
#include "packbridge/base.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { FIRST_ROOM = 4096 };

static const char *file_kind(mode_t mode)
{
	return S_ISDIR(mode)	? "a folder"
	       : S_ISFIFO(mode) ? "a pipe"
	       : S_ISSOCK(mode) ? "a socket"
				: "a device";
}

static int file_check(const struct stat *info, char *why, size_t why_cap)
{
	if (S_ISREG(info->st_mode))
		return 0;
	snprintf(why, why_cap, "is %s", file_kind(info->st_mode));
	return S_ISDIR(info->st_mode) ? -EISDIR : -ENODEV;
}

static int file_failed(char *why, size_t why_cap)
{
	int error = errno;

	snprintf(why, why_cap, "%s", strerrordesc_np(error));
	return -error;
}

static int file_open(const char *path, char *why, size_t why_cap)
{
	struct stat info;
	int fd, r;

	if (stat(path, &info) < 0)
		return file_failed(why, why_cap);
	r = file_check(&info, why, why_cap);
	if (r < 0)
		return r;
	fd = open(path, O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
	if (fd < 0)
		return file_failed(why, why_cap);
	r = fstat(fd, &info) < 0 ? file_failed(why, why_cap) : file_check(&info, why, why_cap);
	if (r < 0) {
		close(fd);
		return r;
	}
	return fd;
}

/* @return 0, 1 when there is more than @max, -errno. Sizes of files in /proc are 0: it grows. */
static int file_take(int fd, size_t max, char **text, size_t *ret_len)
{
	size_t room = FIRST_ROOM, len = 0;
	ssize_t got;

	for (;;) {
		char *longer = realloc(*text, room + 1);

		if (!longer)
			return -ENOMEM;
		*text = longer;
		got = read(fd, longer + len, room - len);
		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			return -errno;
		len += (size_t)got;
		if (len > max)
			return 1;
		if (got == 0)
			break;
		room = len < room ? room : 2 * room;
	}
	(*text)[len] = '\0';
	*ret_len = len;
	return 0;
}

int pb_file_read(const char *path, size_t max, char **ret, size_t *ret_len, char *why,
		 size_t why_cap)
{
	char *text = NULL;
	int fd = file_open(path, why, why_cap), r;

	if (fd < 0)
		return fd;
	r = file_take(fd, max, &text, ret_len);
	close(fd);
	if (r == 0) {
		*ret = text;
		return 0;
	}
	free(text);
	if (r < 0)
		snprintf(why, why_cap, "%s", strerrordesc_np(-r));
	else
		snprintf(why, why_cap, "has more than %zu bytes", max);
	return r < 0 ? r : -EFBIG;
}

void pb_path_canonical(const char *path, char *out, size_t cap)
{
	char folder[PATH_MAX], *real = realpath(path, NULL);
	const char *slash = strrchr(path, '/'), *name = slash ? slash + 1 : path;

	if (!real) { /* the last part may be missing */
		snprintf(folder, sizeof(folder), "%.*s", slash ? (int)(slash - path + 1) : 1,
			 slash ? path : ".");
		real = realpath(folder, NULL);
		if (real)
			snprintf(out, cap, "%s/%s", strcmp(real, "/") == 0 ? "" : real, name);
		else
			snprintf(out, cap, "%s", path);
	} else {
		snprintf(out, cap, "%s", real);
	}
	free(real);
}
