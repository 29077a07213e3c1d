/* SPDX-License-Identifier: MIT */
#include "packbridge/base.h"
#include "suite.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

static char folder[] = "/tmp/packbridge-file-XXXXXX", path[64];

static void setup(void)
{
	strcpy(folder + sizeof(folder) - 7, "XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(folder));
	snprintf(path, sizeof(path), "%s/file", folder);
}

static void teardown(void)
{
	unlink(path);
	rmdir(folder);
}

static void write_bytes(const char *bytes, size_t len)
{
	FILE *file = fopen(path, "w");

	ck_assert_ptr_nonnull(file);
	ck_assert_uint_eq(fwrite(bytes, 1, len, file), len);
	ck_assert_int_eq(fclose(file), 0);
}

static const size_t lengths[] = {0, 1, 4095, 4096, 4097, 100000};

/* On 32-bit machines a file system of 64-bit inodes, or a time after 2038, is an EOVERFLOW
 * otherwise. */
_Static_assert(sizeof(off_t) == 8 && sizeof(ino_t) == 8, "_FILE_OFFSET_BITS is 64");
_Static_assert(sizeof(time_t) == 8, "_TIME_BITS is 64");

START_TEST(whole)
{
	size_t len = lengths[_i], got;
	char *bytes = calloc(1, len + 1), *text = NULL, why[64] = "";

	for (size_t i = 0; i < len; i++)
		bytes[i] = (char)(i * 7);
	write_bytes(bytes, len);
	ck_assert_int_eq(pb_file_read(path, len, &text, &got, why, sizeof(why)), 0);
	ck_assert_uint_eq(got, len);
	ck_assert_int_eq(memcmp(text, bytes, len + 1), 0);
	free(text);
	if (len > 0) {
		ck_assert_int_eq(pb_file_read(path, len - 1, &text, &got, why, sizeof(why)),
				 -EFBIG);
		ck_assert_ptr_nonnull(strstr(why, "more than"));
	}
	free(bytes);
}
END_TEST

/* Each of them would be waited for, or read without an end. */
START_TEST(what_is_no_file)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	char *text, why[64];
	size_t len;
	int fd;

	ck_assert_int_eq(pb_file_read(path, 100, &text, &len, why, sizeof(why)), -ENOENT);
	ck_assert_int_eq(pb_file_read(folder, 100, &text, &len, why, sizeof(why)), -EISDIR);
	ck_assert_str_eq(why, "is a folder");
	ck_assert_int_eq(pb_file_read("/dev/zero", 100, &text, &len, why, sizeof(why)), -ENODEV);
	ck_assert_str_eq(why, "is a device");
	ck_assert_int_eq(mkfifo(path, 0600), 0);
	ck_assert_int_eq(pb_file_read(path, 100, &text, &len, why, sizeof(why)), -ENODEV);
	ck_assert_str_eq(why, "is a pipe");
	unlink(path);
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	strcpy(address.sun_path, path);
	ck_assert_int_eq(bind(fd, (struct sockaddr *)&address, sizeof(address)), 0);
	ck_assert_int_eq(pb_file_read(path, 100, &text, &len, why, sizeof(why)), -ENODEV);
	ck_assert_str_eq(why, "is a socket");
	close(fd);
}
END_TEST

/* Sizes of files in /proc are 0. */
START_TEST(files_without_a_size)
{
	char *text, why[64];
	size_t len;

	ck_assert_int_eq(pb_file_read("/proc/self/stat", 4096, &text, &len, why, sizeof(why)), 0);
	ck_assert_uint_gt(len, 10);
	free(text);
}
END_TEST

int main(void)
{
	TCase *tcase = tcase_create("file");

	tcase_add_checked_fixture(tcase, setup, teardown);
	tcase_add_loop_test(tcase, whole, 0, PB_ARRAY_SIZE(lengths));
	tcase_add_test(tcase, what_is_no_file);
	tcase_add_test(tcase, files_without_a_size);
	return pb_run_suite("file", tcase);
}
