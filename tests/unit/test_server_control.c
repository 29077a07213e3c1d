/* SPDX-License-Identifier: MIT */
/*
 * What stands at the path of a control socket: only a socket that nobody has is replaced, only our
 * own is removed.
 */
#include "packbridge/server.h"
#include "suite.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <systemd/sd-event.h>
#include <unistd.h>

static char folder[] = "/tmp/packbridge-control-XXXXXX", path[64], other[64];
static sd_event *event;
static struct pb_hub *hub;

static void setup(void)
{
	strcpy(folder + sizeof(folder) - 7, "XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(folder));
	snprintf(path, sizeof(path), "%s/sock", folder);
	snprintf(other, sizeof(other), "%s/other", folder);
	ck_assert_int_ge(sd_event_new(&event), 0);
	ck_assert_int_ge(pb_hub_new(&hub, event), 0);
}

static void teardown(void)
{
	hub = pb_hub_free(hub);
	event = sd_event_unref(event);
	unlink(path);
	rmdir(path);
	unlink(other);
	/* nothing was left aside */
	ck_assert_int_eq(rmdir(folder), 0);
}

/* Nobody asks anything here. */
static void ask(void *userdata, struct pb_asker *asker, const char *line)
{
	(void)userdata;
	(void)asker;
	ck_abort_msg("%s", line);
}

static void forget(void *userdata, struct pb_asker *asker)
{
	(void)userdata;
	(void)asker;
}

static const struct pb_ask_socket_backend backend = {ask, forget};

static int make(struct pb_ask_socket **ret, char *why, size_t why_cap)
{
	return pb_ask_socket_new(ret, hub, path, 0640, &backend, NULL, why, why_cap);
}

static void write_file(const char *name)
{
	int fd = open(name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);

	ck_assert_int_eq(write(fd, "mine", 4), 4);
	close(fd);
}

static int bind_socket(int type)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, type | SOCK_CLOEXEC, 0);

	strcpy(address.sun_path, path);
	ck_assert_int_eq(bind(fd, (struct sockaddr *)&address, sizeof(address)), 0);
	return fd;
}

static int put_client(void)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0), r;

	strcpy(address.sun_path, path);
	r = connect(fd, (struct sockaddr *)&address, sizeof(address));
	close(fd);
	return r;
}

/* Puts what is not ours to @path. @return a descriptor to be closed, or -1. */
static int put_file(void)
{
	write_file(path);
	return -1;
}

static int put_link(void)
{
	write_file(other);
	ck_assert_int_eq(symlink(other, path), 0);
	return -1;
}

static int put_dangling_link(void)
{
	ck_assert_int_eq(symlink("nowhere", path), 0);
	return -1;
}

static int put_link_to_dead_socket(void)
{
	close(bind_socket(SOCK_STREAM));
	ck_assert_int_eq(rename(path, other), 0);
	ck_assert_int_eq(symlink(other, path), 0);
	return -1;
}

static int put_folder(void)
{
	ck_assert_int_eq(mkdir(path, 0700), 0);
	return -1;
}

static int put_pipe(void)
{
	ck_assert_int_eq(mkfifo(path, 0600), 0);
	return -1;
}

static int put_living(void)
{
	int fd = bind_socket(SOCK_STREAM);

	ck_assert_int_eq(listen(fd, 1), 0);
	return fd;
}

static int put_living_full(void)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int fd = bind_socket(SOCK_STREAM), r = 0;

	ck_assert_int_eq(listen(fd, 0), 0);
	strcpy(address.sun_path, path);
	while (r == 0) /* the queue is full when one more would wait; the test's end closes them */
		r = connect(socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0),
			    (struct sockaddr *)&address, sizeof(address));
	ck_assert_int_eq(errno, EAGAIN);
	return fd;
}

static int put_datagrams(void)
{
	return bind_socket(SOCK_DGRAM);
}

static const struct {
	int (*put)(void);
	int error;
	const char *says;
} foreign[] = {
	{put_file, -EEXIST, "is no socket"},
	{put_link, -EEXIST, "is no socket"},
	{put_dangling_link, -EEXIST, "is no socket"},
	{put_link_to_dead_socket, -EEXIST, "is no socket"},
	{put_folder, -EEXIST, "is no socket"},
	{put_pipe, -EEXIST, "is no socket"},
	{put_living, -EADDRINUSE, "a program listens"},
	{put_living_full, -EADDRINUSE, "a program listens"},
	{put_datagrams, -EADDRINUSE, "a program listens"},
};

START_TEST(what_is_not_ours_stays)
{
	struct pb_ask_socket *control = NULL;
	int fd = foreign[_i].put();
	struct stat before, after;
	char why[256] = "";

	ck_assert_int_eq(lstat(path, &before), 0);
	ck_assert_int_eq(pb_ask_socket_check(path, why, sizeof(why)),
			 foreign[_i].error == -EEXIST ? -EEXIST : 0);
	ck_assert_int_eq(make(&control, why, sizeof(why)), foreign[_i].error);
	ck_assert_ptr_null(control);
	ck_assert_msg(strstr(why, foreign[_i].says) && strstr(why, path), "%s", why);
	ck_assert_int_eq(lstat(path, &after), 0);
	ck_assert_uint_eq(before.st_ino, after.st_ino);
	ck_assert_uint_eq(before.st_mode, after.st_mode);
	ck_assert_int_eq(before.st_size, after.st_size);
	if (fd >= 0)
		close(fd);
}
END_TEST

START_TEST(a_dead_socket_is_replaced)
{
	struct pb_ask_socket *control = NULL;
	struct stat info;
	char why[256];

	close(bind_socket(SOCK_STREAM));
	ck_assert_int_eq(make(&control, why, sizeof(why)), 0);
	ck_assert_int_eq(lstat(path, &info), 0);
	ck_assert(S_ISSOCK(info.st_mode) && (info.st_mode & 0777) == 0640);
	/* and it is a living one for the next */
	ck_assert_int_eq(make(&control, why, sizeof(why)), -EADDRINUSE);
	pb_ask_socket_free(control);
	ck_assert_int_eq(lstat(path, &info), -1);
}
END_TEST

/* Somebody has put another file in the place of ours: it is theirs. */
START_TEST(at_the_end_only_ours_goes)
{
	struct pb_ask_socket *control = NULL;
	struct stat before, after;
	char why[256];
	int fd = -1;

	ck_assert_int_eq(make(&control, why, sizeof(why)), 0);
	ck_assert_int_eq(unlink(path), 0);
	if (_i == 0)
		put_file();
	else
		fd = put_living();
	ck_assert_int_eq(lstat(path, &before), 0);
	pb_ask_socket_free(control);
	ck_assert_int_eq(lstat(path, &after), 0);
	ck_assert_uint_eq(before.st_ino, after.st_ino);
	if (fd >= 0)
		close(fd);
}
END_TEST

/* Waits at @gate, so that both start together. @return the socket; NULL: the other one has it. */
static struct pb_ask_socket *race(int gate)
{
	struct pb_ask_socket *control = NULL;
	char why[256], byte;
	int r;

	ck_assert_int_eq(read(gate, &byte, 1), 1);
	r = make(&control, why, sizeof(why));
	ck_assert_msg(r == 0 || r == -EADDRINUSE, "%s", why);
	return control;
}

/* Of two that start at once over a dead socket, one has it, and the other takes it from nobody. */
START_TEST(two_at_once)
{
	int gate[2], done[2], hold[2];
	char others = 0, byte;
	struct pb_ask_socket *own;
	pid_t child;

	close(bind_socket(SOCK_STREAM));
	ck_assert_int_eq(pipe(gate) | pipe(done) | pipe(hold), 0);
	child = fork();
	if (child == 0) {
		close(hold[1]);
		ck_assert_int_ge(sd_event_new(&event), 0); /* of its own */
		ck_assert_int_ge(pb_hub_new(&hub, event), 0);
		others = race(gate[0]) != NULL;
		_exit(write(done[1], &others, 1) == 1 && read(hold[0], &byte, 1) == 0 ? 0 : 1);
	}
	close(hold[0]);
	close(done[1]);
	ck_assert_int_eq(write(gate[1], "xx", 2), 2);
	own = race(gate[0]);
	ck_assert_int_eq(read(done[0], &others, 1), 1);
	ck_assert_int_eq((own != NULL) + others, 1);
	ck_assert_int_eq(put_client(), 0); /* somebody listens there */
	pb_ask_socket_free(own);
	close(hold[1]);
	ck_assert_int_eq(waitpid(child, NULL, 0), child);
}
END_TEST

int main(void)
{
	TCase *tcase = tcase_create("control");

	tcase_add_checked_fixture(tcase, setup, teardown);
	tcase_add_loop_test(tcase, what_is_not_ours_stays, 0, PB_ARRAY_SIZE(foreign));
	tcase_add_test(tcase, a_dead_socket_is_replaced);
	tcase_add_loop_test(tcase, at_the_end_only_ours_goes, 0, 2);
	tcase_add_loop_test(tcase, two_at_once, 0, 40);
	return pb_run_suite("server/control", tcase);
}
