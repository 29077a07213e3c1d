/* SPDX-License-Identifier: MIT */
/*
 * Nobody reads the log: a pipe, a terminal stopped by ^S, a socket, a journald that hangs, a full
 * disk. The daemon goes on, says later how much is missing, and ends when it is told to.
 */
#include "daemon.h"
#include "suite.h"

#include "packbridge/base.h"

#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <modbus.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

enum { SEQUENCE = 2, POLLS = 5 };

static struct daemon packbridge;
static char folder[80], file[160], status[100], journal[100];
static int writes, reads; /* the two ends of the log */
static int journal_pipe;  /* the reading end of stderr, when the log is a journal */

/* ---- kinds of logs ---- */

static void open_pipe(void)
{
	int ends[2];

	ck_assert_int_eq(pipe2(ends, O_CLOEXEC), 0);
	reads = ends[0];
	writes = ends[1];
}

static void open_socket(void)
{
	int ends[2];

	ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), 0);
	reads = ends[0];
	writes = ends[1];
}

static void open_terminal(void)
{
	reads = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC);
	ck_assert_int_ge(reads, 0);
	ck_assert_int_eq(grantpt(reads), 0);
	ck_assert_int_eq(unlockpt(reads), 0);
	writes = open(ptsname(reads), O_RDWR | O_NOCTTY | O_CLOEXEC);
	ck_assert_int_ge(writes, 0);
}

/* stderr as the journal's stream, which is not read either, and its socket beside it. */
static void open_journal(void)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	struct stat info;
	char stream[48];

	open_pipe();
	ck_assert_int_eq(fstat(writes, &info), 0);
	snprintf(stream, sizeof(stream), "%llu:%llu", (unsigned long long)info.st_dev,
		 (unsigned long long)info.st_ino);
	setenv("JOURNAL_STREAM", stream, 1);
	setenv("PACKBRIDGE_JOURNAL", journal, 1);
	journal_pipe = reads;
	reads = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	snprintf(address.sun_path, sizeof(address.sun_path), "%s", journal);
	ck_assert_int_eq(bind(reads, (struct sockaddr *)&address, sizeof(address)), 0);
}

static void fill_pipe(void)
{
	static const char junk[4096];
	char path[32];
	int fd;

	snprintf(path, sizeof(path), "/proc/self/fd/%d", writes);
	fd = open(path, O_WRONLY | O_NONBLOCK | O_CLOEXEC);
	while (write(fd, junk, sizeof(junk)) > 0)
		;
	ck_assert_int_eq(errno, EAGAIN);
	close(fd);
}

static void fill_socket(void)
{
	static const char junk[4096];

	while (send(writes, junk, sizeof(junk), MSG_DONTWAIT) > 0)
		;
	ck_assert_int_eq(errno, EAGAIN);
}

static void stop_terminal(void)
{
	ck_assert_int_eq(write(reads, "\x13", 1), 1);
}

static void fill_journal(void)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	snprintf(address.sun_path, sizeof(address.sun_path), "%s", journal);
	while (sendto(fd, "X=1\n", 4, MSG_DONTWAIT, (struct sockaddr *)&address, sizeof(address)) >
	       0)
		;
	ck_assert_int_eq(errno, EAGAIN);
	close(fd);
}

static void drain(void)
{
	struct pollfd fd = {.fd = reads, .events = POLLIN};
	char junk[4096];

	while (poll(&fd, 1, 0) > 0 && read(reads, junk, sizeof(junk)) > 0)
		;
	packbridge.len = 0;
	packbridge.said[0] = '\0';
}

static void go_on_terminal(void)
{
	ck_assert_int_eq(write(reads, "\x11", 1), 1);
	drain();
}

static const struct {
	void (*open)(void), (*fill)(void), (*go_on)(void);
} logs[] = {
	{open_pipe, fill_pipe, drain},
	{open_socket, fill_socket, drain},
	{open_terminal, stop_terminal, go_on_terminal},
	{open_journal, fill_journal, drain},
};

/* ---- the daemon ---- */

static void setup(void)
{
	daemon_write_file(file, sizeof(file), "log.yaml", "");
	snprintf(folder, sizeof(folder), "%.*s", (int)(strrchr(file, '/') - file), file);
	snprintf(status, sizeof(status), "%s/status", folder);
	snprintf(journal, sizeof(journal), "%s/journal", folder);
}

static void start(void)
{
	const char *args[] = {"run", "-v", "-c", file, NULL};
	FILE *out = fopen(file, "w");

	ck_assert_ptr_nonnull(out);
	fprintf(out,
		"status: %s\npacks: [{name: house, link: 'sim:lfp-4s', unit: 1, poll_ms: 100}]\n"
		"listen: [{tcp: '127.0.0.1:0'}]\n",
		status);
	ck_assert_int_eq(fclose(out), 0);
	daemon_start_at(&packbridge, args, writes, reads);
}

static json_t *ask(void)
{
	const char *args[] = {"status", "-j", "-s", status, NULL};
	char text[32768];
	json_t *all;

	ck_assert_int_eq(daemon_output(text, sizeof(text), args), 0);
	all = json_loads(text, 0, NULL);
	ck_assert_ptr_nonnull(all);
	return all;
}

static json_int_t left_out(void)
{
	json_t *all = ask();
	json_int_t count = json_integer_value(
		json_object_get(json_object_get(all, "gateway"), "log_left_out"));

	json_decref(all);
	return count;
}

static modbus_t *connect_daemon(void)
{
	json_t *all = ask();
	json_t *listener = json_array_get(json_object_get(all, "listeners"), 0);
	modbus_t *ctx = modbus_new_tcp("127.0.0.1",
				       (int)json_integer_value(json_object_get(listener, "port")));

	json_decref(all);
	ck_assert_int_eq(modbus_connect(ctx), 0);
	modbus_set_slave(ctx, 1);
	return ctx;
}

static int sequence(modbus_t *ctx)
{
	uint16_t value;

	ck_assert_int_eq(modbus_read_registers(ctx, SEQUENCE, 1, &value), 1);
	return value;
}

/* Some polls more, each of which has lines to say. */
static void wait_for_polls(modbus_t *ctx)
{
	uint64_t end_ms = daemon_clock_ms() + 10000;
	int first = sequence(ctx);

	while (sequence(ctx) < first + POLLS)
		ck_assert_uint_lt(daemon_clock_ms(), end_ms);
}

static void wait_until_full(void)
{
	uint64_t end_ms = daemon_clock_ms() + 10000;
	json_int_t before = left_out();

	while (left_out() == before)
		ck_assert_uint_lt(daemon_clock_ms(), end_ms);
}

START_TEST(nobody_reads)
{
	modbus_t *ctx;

	logs[_i].open();
	start();
	daemon_wait_for(&packbridge, "house: first reading");
	ctx = connect_daemon();
	logs[_i].fill();
	wait_until_full();
	wait_for_polls(ctx);
	logs[_i].go_on();
	daemon_wait_for(&packbridge, " messages were left out");
	logs[_i].fill();
	wait_until_full();
	wait_for_polls(ctx);
	modbus_free(ctx);
	daemon_stop(&packbridge); /* within a second, though it would like to say something */
}
END_TEST

/* O_NONBLOCK would be seen by all who share the pipe, for as long as it lives. */
START_TEST(others_see_no_difference)
{
	open_pipe();
	start();
	daemon_wait_for(&packbridge, "house: first reading");
	ck_assert_int_eq(fcntl(writes, F_GETFL) & O_NONBLOCK, 0);
	daemon_stop(&packbridge);
	ck_assert_int_eq(fcntl(writes, F_GETFL) & O_NONBLOCK, 0);
}
END_TEST

START_TEST(a_full_disk)
{
	uint64_t end_ms = daemon_clock_ms() + 10000;
	modbus_t *ctx;

	writes = open("/dev/full", O_WRONLY | O_CLOEXEC);
	reads = open("/dev/null", O_RDONLY | O_CLOEXEC);
	start();
	while (access(status, F_OK) < 0) /* it answers when it is there */
		ck_assert_uint_lt(daemon_clock_ms(), end_ms);
	ctx = connect_daemon();
	while (left_out() == 0)
		ck_assert_uint_lt(daemon_clock_ms(), end_ms);
	while (modbus_read_registers(ctx, SEQUENCE, 1, &(uint16_t){0}) < 0)
		ck_assert_uint_lt(daemon_clock_ms(), end_ms);
	wait_for_polls(ctx);
	modbus_free(ctx);
	daemon_stop(&packbridge);
}
END_TEST

/* A journald that is not there, or has gone: stderr, which it reads too, takes the lines. */
START_TEST(no_journald)
{
	open_journal();
	close(reads);
	ck_assert_int_eq(unlink(journal), 0);
	reads = journal_pipe;
	start();
	daemon_wait_for(&packbridge, "<6>pack house: first reading");
	daemon_stop(&packbridge);
}
END_TEST

/* Fields as journald reads them; values with newlines have a length. */
START_TEST(journal_fields)
{
	open_journal();
	start();
	daemon_wait_for(&packbridge, "MESSAGE=pack house: first reading");
	daemon_wait_for(&packbridge, "PACKBRIDGE_PACK=house\n");
	daemon_wait_for(&packbridge, "PRIORITY=6\n");
	daemon_wait_for(&packbridge, "SYSLOG_IDENTIFIER=packbridge\n");
	daemon_stop(&packbridge);
}
END_TEST

int main(void)
{
	TCase *tcase = tcase_create("log");

	tcase_set_timeout(tcase, 60);
	tcase_add_checked_fixture(tcase, setup, NULL);
	tcase_add_loop_test(tcase, nobody_reads, 0, PB_ARRAY_SIZE(logs));
	tcase_add_test(tcase, others_see_no_difference);
	tcase_add_test(tcase, a_full_disk);
	tcase_add_test(tcase, no_journald);
	tcase_add_test(tcase, journal_fields);
	return pb_run_suite("log", tcase);
}
