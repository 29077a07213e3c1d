/* SPDX-License-Identifier: MIT */
#include "packbridge/base/store.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { HEAD_MAX = 80, TAIL_LEN = sizeof("checksum 0123456789abcdef\n") - 1 };

#define SUM_START UINT64_C(0xCBF29CE484222325)

/* FNV-1a: it finds what was cut off or overwritten; it is no protection against a forger. */
static uint64_t sum_add(uint64_t sum, const char *bytes, size_t len)
{
	for (size_t i = 0; i < len; i++)
		sum = (sum ^ (uint8_t)bytes[i]) * UINT64_C(0x100000001B3);
	return sum;
}

static size_t print_head(const struct pb_store_kind *kind, char out[static HEAD_MAX])
{
	return (size_t)snprintf(out, HEAD_MAX, "%.60s %d\n", kind->name, kind->version);
}

/* ---- reading ---- */

static int store_bad(int error, char *why, size_t why_cap, const char *text)
{
	snprintf(why, why_cap, "%s", text);
	return error;
}

/* @ret_len: of the head */
static int check_head(const struct pb_store_kind *kind, const char *text, size_t len,
		      size_t *ret_len, char *why, size_t why_cap)
{
	char head[HEAD_MAX];
	size_t name = strlen(kind->name);

	*ret_len = print_head(kind, head);
	if (len >= *ret_len && memcmp(text, head, *ret_len) == 0)
		return 0;
	if (len > name && memcmp(text, kind->name, name) == 0 && text[name] == ' ')
		return store_bad(-EPROTO, why, why_cap, "is of another version of packbridge");
	return store_bad(-EPROTO, why, why_cap, "is no file of this kind");
}

static int check_sum(const char *text, size_t len, char *why, size_t why_cap)
{
	char tail[TAIL_LEN + 1];

	snprintf(tail, sizeof(tail), "checksum %016" PRIx64 "\n",
		 sum_add(SUM_START, text, len - TAIL_LEN));
	if (memcmp(text + len - TAIL_LEN, tail, TAIL_LEN) == 0)
		return 0;
	return store_bad(-EBADMSG, why, why_cap, "its checksum is wrong");
}

int pb_store_read(const char *path, const struct pb_store_kind *kind, char **ret, size_t *ret_len,
		  char *why, size_t why_cap)
{
	char *text = NULL;
	size_t len = 0, head = 0;
	int r = pb_file_read(path, kind->max, &text, &len, why, why_cap);

	if (r < 0)
		return r;
	r = check_head(kind, text, len, &head, why, why_cap);
	if (r == 0 && len < head + TAIL_LEN)
		r = store_bad(-EBADMSG, why, why_cap, "its end is missing");
	if (r == 0)
		r = check_sum(text, len, why, why_cap);
	if (r < 0) {
		free(text);
		return r;
	}
	*ret_len = len - head - TAIL_LEN;
	memmove(text, text + head, *ret_len);
	text[*ret_len] = '\0';
	*ret = text;
	return 0;
}

int pb_store_put_aside(const char *path, char *ret, size_t cap)
{
	for (int i = 1; i <= PB_STORE_ASIDE_MAX; i++) {
		snprintf(ret, cap, "%s.broken-%d", path, i);
		if (faccessat(AT_FDCWD, ret, F_OK, AT_SYMLINK_NOFOLLOW) < 0)
			break;
	}
	return rename(path, ret) < 0 ? -errno : 0;
}

/* ---- writing ---- */

static bool path_new(const char *path, char out[static PATH_MAX])
{
	return snprintf(out, PATH_MAX, "%s.new", path) < PATH_MAX;
}

static int write_all(int fd, const char *bytes, size_t len)
{
	while (len > 0) {
		ssize_t put = write(fd, bytes, len);

		if (put < 0 && errno != EINTR)
			return -errno;
		if (put > 0) {
			bytes += put;
			len -= (size_t)put;
		}
	}
	return 0;
}

static int step_open(struct pb_store_writing *w)
{
	char path[PATH_MAX];

	if (!path_new(w->path, path))
		return -ENAMETOOLONG;
	w->fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0644);
	return w->fd < 0 ? -errno : 0;
}

static int step_text(struct pb_store_writing *w)
{
	char head[HEAD_MAX], tail[TAIL_LEN + 1];
	size_t len = print_head(w->kind, head);
	uint64_t sum = sum_add(sum_add(SUM_START, head, len), w->text, w->len);
	int r = write_all(w->fd, head, len);

	snprintf(tail, sizeof(tail), "checksum %016" PRIx64 "\n", sum);
	if (r == 0)
		r = write_all(w->fd, w->text, w->len);
	return r < 0 ? r : write_all(w->fd, tail, TAIL_LEN);
}

static int step_sync(struct pb_store_writing *w)
{
	return fsync(w->fd) < 0 ? -errno : 0;
}

static int step_close(struct pb_store_writing *w)
{
	int r = close(w->fd) < 0 ? -errno : 0;

	w->fd = -1;
	return r;
}

static int step_rename(struct pb_store_writing *w)
{
	char path[PATH_MAX];

	path_new(w->path, path);
	return rename(path, w->path) < 0 ? -errno : 0;
}

/* The name has to be on the disk as well. Some file systems can't do that, and need not. */
static int step_folder(struct pb_store_writing *w)
{
	char folder[PATH_MAX];
	const char *slash = strrchr(w->path, '/');
	int fd;

	snprintf(folder, sizeof(folder), "%.*s", slash ? (int)(slash - w->path + 1) : 1,
		 slash ? w->path : ".");
	fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd >= 0) {
		fsync(fd);
		close(fd);
	}
	return 0;
}

static int (*const steps[])(struct pb_store_writing *) = {
	step_open, step_text, step_sync, step_close, step_rename, step_folder,
};

static void undo(const struct pb_store_writing *w)
{
	char path[PATH_MAX];

	if (w->fd >= 0)
		close(w->fd);
	if (w->step > 0 && path_new(w->path, path))
		unlink(path);
}

void pb_store_begin(struct pb_store_writing *writing, const char *path,
		    const struct pb_store_kind *kind, const char *text, size_t len)
{
	*writing = (struct pb_store_writing){
		.path = path, .text = text, .len = len, .kind = kind, .fd = -1};
}

int pb_store_step(struct pb_store_writing *writing)
{
	int r = steps[writing->step](writing);

	if (r < 0) {
		undo(writing);
		return r;
	}
	return ++writing->step < (int)PB_ARRAY_SIZE(steps);
}

int pb_store_write(const char *path, const struct pb_store_kind *kind, const char *text, size_t len)
{
	struct pb_store_writing writing;
	int r;

	pb_store_begin(&writing, path, kind, text, len);
	do {
		r = pb_store_step(&writing);
	} while (r > 0);
	return r;
}
