/* SPDX-License-Identifier: MIT */
/*
 * Files that outlive the program: whole or not at all, whatever happens while one is written.
 */
#include "packbridge/base/store.h"

#include "suite.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static const struct pb_store_kind kind = {"test-kind", 3, 1 << 20};
static char folder[64], path[128];

static void setup(void)
{
	strcpy(folder, "/tmp/pb-store-XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(folder));
	snprintf(path, sizeof(path), "%s/file", folder);
}

static void teardown(void)
{
	DIR *dir = opendir(folder);
	struct dirent *entry;

	while ((entry = readdir(dir)))
		unlinkat(dirfd(dir), entry->d_name, 0);
	closedir(dir);
	rmdir(folder);
}

static void put(const char *text)
{
	ck_assert_int_eq(pb_store_write(path, &kind, text, strlen(text)), 0);
}

/* What is in the file; "" if there is none. */
static const char *now(void)
{
	static char text[4096];
	char why[256], *bytes = NULL;
	size_t len;
	int r = pb_store_read(path, &kind, &bytes, &len, why, sizeof(why));

	ck_assert_msg(r == 0 || r == -ENOENT, "%s", why);
	snprintf(text, sizeof(text), "%s", r == 0 ? bytes : "");
	free(bytes);
	return text;
}

static int refused(const char *expected)
{
	char why[256] = "", *bytes;
	size_t len;
	int r = pb_store_read(path, &kind, &bytes, &len, why, sizeof(why));

	ck_assert_str_eq(why, expected);
	return r;
}

static size_t files(void)
{
	DIR *dir = opendir(folder);
	size_t count = 0;

	while (readdir(dir))
		count++;
	closedir(dir);
	return count - 2;
}

START_TEST(there_and_back)
{
	ck_assert_str_eq(now(), "");
	put("one\n");
	ck_assert_str_eq(now(), "one\n");
	put("");
	ck_assert_str_eq(now(), "");
	put("two\nlines\n");
	ck_assert_str_eq(now(), "two\nlines\n");
	ck_assert_uint_eq(files(), 1);
}
END_TEST

/* Power is cut behind each step: a writer that does no more. What it has not synced is lost. */
START_TEST(power_cut)
{
	for (int steps = 0; steps <= 6; steps++) {
		struct pb_store_writing writing;
		int r = 1;

		put("before\n");
		pb_store_begin(&writing, path, &kind, "after, and longer\n", 18);
		for (int i = 0; i < steps; i++)
			r = pb_store_step(&writing);
		ck_assert_int_eq(r, steps < 6);
		if (steps == 2) /* written and not synced: a part of it at the most */
			ck_assert_int_eq(ftruncate(writing.fd, 5), 0);
		ck_assert_str_eq(now(), steps < 5 ? "before\n" : "after, and longer\n");
		if (writing.fd >= 0)
			close(writing.fd);
		put("again\n"); /* what is left over is in nobody's way */
		ck_assert_str_eq(now(), "again\n");
		ck_assert_uint_eq(files(), 1);
	}
}
END_TEST

/* It is synced before it gets its name. */
START_TEST(order)
{
	struct pb_store_writing writing;
	char name[160];

	snprintf(name, sizeof(name), "%s.new", path);
	pb_store_begin(&writing, path, &kind, "x\n", 2);
	for (int i = 0; i < 4; i++)
		ck_assert_int_eq(pb_store_step(&writing), 1);
	ck_assert_int_eq(writing.fd, -1);
	ck_assert_int_eq(access(name, F_OK), 0);
	ck_assert_int_eq(access(path, F_OK), -1);
	ck_assert_int_eq(pb_store_step(&writing), 1);
	ck_assert_int_eq(access(name, F_OK), -1);
	ck_assert_int_eq(pb_store_step(&writing), 0);
}
END_TEST

/* A disk that takes no more: what was there stays, and the half is removed. */
START_TEST(no_room)
{
	static char large[100000];
	struct rlimit limit;

	memset(large, 'x', sizeof(large));
	put("before\n");
	signal(SIGXFSZ, SIG_IGN);
	getrlimit(RLIMIT_FSIZE, &limit);
	limit.rlim_cur = 5000;
	ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &limit), 0);
	ck_assert_int_eq(pb_store_write(path, &kind, large, sizeof(large)), -EFBIG);
	limit.rlim_cur = limit.rlim_max;
	setrlimit(RLIMIT_FSIZE, &limit);
	ck_assert_str_eq(now(), "before\n");
	ck_assert_uint_eq(files(), 1);
}
END_TEST

/* In a mount namespace of its own; where that is not allowed, there is nothing to be seen. */
static int on_a_disk_of(const char *options, int (*body)(void))
{
	pid_t pid = fork();
	int status;

	if (pid == 0) {
		if (unshare(CLONE_NEWNS) < 0 ||
		    mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0 ||
		    mount("tmpfs", folder, "tmpfs", 0, options) < 0)
			_exit(77);
		_exit(body());
	}
	waitpid(pid, &status, 0);
	return WIFEXITED(status) ? WEXITSTATUS(status) : 1;
}

static int full_disk(void)
{
	static char large[70000];
	char text[4096];

	memset(large, 'y', sizeof(large));
	if (pb_store_write(path, &kind, "before\n", 7) < 0)
		return 2;
	if (pb_store_write(path, &kind, large, sizeof(large)) != -ENOSPC)
		return 3;
	snprintf(text, sizeof(text), "%s", now());
	if (strcmp(text, "before\n") != 0 || files() != 1)
		return 4;
	return pb_store_write(path, &kind, "fits\n", 5) < 0 || strcmp(now(), "fits\n") != 0;
}

static int read_only(void)
{
	if (pb_store_write(path, &kind, "before\n", 7) < 0 ||
	    mount(NULL, folder, NULL, MS_REMOUNT | MS_RDONLY, NULL) < 0)
		return 2;
	if (pb_store_write(path, &kind, "after\n", 6) != -EROFS)
		return 3;
	return strcmp(now(), "before\n") != 0;
}

START_TEST(disks)
{
	int r = on_a_disk_of("size=64k", full_disk);

	ck_assert_msg(r == 0 || r == 77, "full disk: %d", r);
	r = on_a_disk_of("size=64k", read_only);
	ck_assert_msg(r == 0 || r == 77, "read-only: %d", r);
}
END_TEST

START_TEST(no_folder)
{
	ck_assert_int_eq(pb_store_write("/tmp/pb-no-such-folder/file", &kind, "x", 1), -ENOENT);
}
END_TEST

static void write_raw(const char *text)
{
	FILE *file = fopen(path, "w");

	fputs(text, file);
	fclose(file);
}

/* Each byte that is another one, and each length. */
START_TEST(broken)
{
	char text[200], other[200], why[256], *bytes;
	size_t len, got;
	FILE *file;

	put("first line\nsecond\n");
	file = fopen(path, "r");
	len = fread(text, 1, sizeof(text), file);
	fclose(file);
	for (size_t i = 0; i < 2 * len; i++) {
		memcpy(other, text, len);
		other[i / 2] = (char)(other[i / 2] ^ (i % 2 ? 0x20 : 0x01));
		file = fopen(path, "w");
		fwrite(other, 1, len, file);
		fclose(file);
		ck_assert_int_lt(pb_store_read(path, &kind, &bytes, &got, why, sizeof(why)), 0);
	}
	for (size_t i = 0; i < len; i++) {
		file = fopen(path, "w");
		fwrite(text, 1, i, file);
		fclose(file);
		ck_assert_int_lt(pb_store_read(path, &kind, &bytes, &got, why, sizeof(why)), 0);
	}
}
END_TEST

START_TEST(foreign)
{
	write_raw("test-kind 4\nlater\n");
	ck_assert_int_eq(refused("is of another version of packbridge"), -EPROTO);
	write_raw("something else\n");
	ck_assert_int_eq(refused("is no file of this kind"), -EPROTO);
	write_raw("test-kind 3\n");
	ck_assert_int_eq(refused("its end is missing"), -EBADMSG);
	write_raw("test-kind 3\nchecksum 0000000000000000\n");
	ck_assert_int_eq(refused("its checksum is wrong"), -EBADMSG);
	unlink(path);
	ck_assert_int_eq(mkdir(path, 0700), 0);
	ck_assert_int_eq(refused("is a folder"), -EISDIR);
	rmdir(path);
}
END_TEST

/* A bounded number is kept. */
START_TEST(aside)
{
	char where[160], expected[160];

	for (int i = 1; i <= PB_STORE_ASIDE_MAX + 2; i++) {
		put("x");
		ck_assert_int_eq(pb_store_put_aside(path, where, sizeof(where)), 0);
		snprintf(expected, sizeof(expected), "%s.broken-%d", path,
			 i < PB_STORE_ASIDE_MAX ? i : PB_STORE_ASIDE_MAX);
		ck_assert_str_eq(where, expected);
		ck_assert_int_eq(access(path, F_OK), -1);
	}
	ck_assert_uint_eq(files(), PB_STORE_ASIDE_MAX);
	ck_assert_int_eq(pb_store_put_aside(path, where, sizeof(where)), -ENOENT);
}
END_TEST

int main(void)
{
	TCase *tcase = tcase_create("store");

	tcase_add_checked_fixture(tcase, setup, teardown);
	tcase_add_test(tcase, there_and_back);
	tcase_add_test(tcase, power_cut);
	tcase_add_test(tcase, order);
	tcase_add_test(tcase, no_room);
	tcase_add_test(tcase, disks);
	tcase_add_test(tcase, no_folder);
	tcase_add_test(tcase, broken);
	tcase_add_test(tcase, foreign);
	tcase_add_test(tcase, aside);
	return pb_run_suite("base/store", tcase);
}
