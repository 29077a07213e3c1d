/* SPDX-License-Identifier: MIT */
/*
 * What others do to the daemon is not felt by Modbus clients, nor by the watchdog: packs that
 * flood, and all descriptors in use.
 */
#include "daemon.h"
#include "suite.h"

#include "packbridge/base.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <modbus.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

enum {
	FLOODS_MAX = 4,
	GATEWAY = 255,
	PATIENCE_MS = 10000,

	SLOWEST_MS = 500,
	CROWD = 100,
	CROWD_ROOM = 60
};

static struct daemon packbridge;
static char folder[64];
static int manager; /* systemd's end of the notification socket */

/* ---- the service manager ---- */

/* Pings are asked for each 100 ms. */
static void be_the_manager(void)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};

	snprintf(address.sun_path, sizeof(address.sun_path), "%s/notify", folder);
	manager = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	ck_assert_int_eq(bind(manager, (struct sockaddr *)&address, sizeof(address)), 0);
	setenv("NOTIFY_SOCKET", address.sun_path, 1);
	setenv("WATCHDOG_USEC", "300000", 1);
}

static void forget_pings(void)
{
	char text[256];

	while (recv(manager, text, sizeof(text), MSG_DONTWAIT) >= 0)
		;
}

/* Waits for @count pings, which must come. */
static void await_pings(int count)
{
	uint64_t end = daemon_clock_ms() + PATIENCE_MS;

	while (count > 0) {
		struct pollfd fd = {.fd = manager, .events = POLLIN};
		char text[256];
		ssize_t len;

		ck_assert_msg(daemon_clock_ms() < end, "%d pings more did not come", count);
		if (poll(&fd, 1, 100) <= 0)
			continue;
		len = recv(manager, text, sizeof(text) - 1, MSG_DONTWAIT);
		text[len > 0 ? len : 0] = '\0';
		count -= strcmp(text, "WATCHDOG=1") == 0;
	}
}

/* ---- packs that send rubbish as fast as they can ---- */

static int listen_anywhere(uint16_t *ret_port)
{
	struct sockaddr_in address = {.sin_family = AF_INET,
				      .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t len = sizeof(address);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	ck_assert_int_eq(bind(fd, (struct sockaddr *)&address, len), 0);
	ck_assert_int_eq(listen(fd, 8), 0);
	ck_assert_int_eq(getsockname(fd, (struct sockaddr *)&address, &len), 0);
	*ret_port = ntohs(address.sin_port);
	return fd;
}

static _Noreturn void flood(int listener)
{
	static uint8_t rubbish[65536];

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	memset(rubbish, 0xDD, sizeof(rubbish));
	for (;;) {
		int fd = accept(listener, NULL, NULL);

		while (send(fd, rubbish, sizeof(rubbish), MSG_NOSIGNAL) > 0)
			;
		close(fd);
	}
}

static pid_t start_flood(uint16_t *ret_port)
{
	int listener = listen_anywhere(ret_port);
	pid_t pid = fork();

	ck_assert_int_ge(pid, 0);
	if (pid == 0)
		flood(listener);
	close(listener);
	return pid;
}

/* ---- a Modbus client ---- */

static modbus_t *connect_client(uint16_t port)
{
	modbus_t *client = modbus_new_tcp("127.0.0.1", port);

	ck_assert_ptr_nonnull(client);
	modbus_set_slave(client, GATEWAY);
	modbus_set_response_timeout(client, 5, 0);
	ck_assert_int_eq(modbus_connect(client), 0);
	return client;
}

/* @return ms that the slowest of @count requests took; each must be answered */
static uint64_t slowest_of(modbus_t *client, int count)
{
	uint64_t slowest = 0;

	for (int i = 0; i < count; i++) {
		uint64_t begin = daemon_clock_ms(), took;
		uint16_t words[8];

		ck_assert_msg(modbus_read_registers(client, 0, 8, words) == 8, "request %d: %s", i,
			      modbus_strerror(errno));
		took = daemon_clock_ms() - begin;
		slowest = took > slowest ? took : slowest;
	}
	return slowest;
}

/* ---- the daemon ---- */

static void start(const char *packs)
{
	static char text[65536];
	char path[128];

	snprintf(text, sizeof(text),
		 "control: %s/control\nstatus: %s/status\nhttp: 127.0.0.1:0\n"
		 "listen:\n  - {tcp: '127.0.0.1:0', max_clients: 4096}\npacks:\n%s",
		 folder, folder, packs);
	daemon_write_file(path, sizeof(path), "packbridge.yaml", text);
	daemon_start(&packbridge, (const char *const[]){"run", "-c", path, NULL});
}

static long ticks_used(void)
{
	char path[64], text[512], *at;
	long user, system;
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%d/stat", (int)packbridge.pid);
	f = fopen(path, "r");
	ck_assert_ptr_nonnull(f);
	ck_assert_ptr_nonnull(fgets(text, sizeof(text), f));
	fclose(f);
	at = strrchr(text, ')');
	ck_assert_int_eq(sscanf(at + 1, " %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %ld %ld",
				&user, &system),
			 2);
	return user + system;
}

static void setup(void)
{
	snprintf(folder, sizeof(folder), "/tmp/packbridge-test-XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(folder));
	be_the_manager();
}

static void teardown(void)
{
	close(manager);
	unsetenv("NOTIFY_SOCKET");
	unsetenv("WATCHDOG_USEC");
}

/* ---- tests ---- */

START_TEST(packs_that_flood)
{
	int floods = _i;
	char packs[1024] = "";
	pid_t pids[FLOODS_MAX];
	modbus_t *client;
	uint64_t slowest;

	for (int i = 0; i < floods; i++) {
		uint16_t port;
		size_t len = strlen(packs);

		pids[i] = start_flood(&port);
		snprintf(packs + len, sizeof(packs) - len,
			 "  - {name: p%d, link: 'tcp:127.0.0.1:%u', protocol: jbd, unit: %d, "
			 "settle_ms: 0}\n",
			 i, port, i + 1);
	}
	start(packs);
	client = connect_client(daemon_port(&packbridge, "127.0.0.1:0"));
	slowest = slowest_of(client, 500);
	ck_assert_msg(slowest < SLOWEST_MS, "%u ms", (unsigned int)slowest);
	forget_pings();
	await_pings(3);
	slowest = slowest_of(client, 500);
	ck_assert_msg(slowest < SLOWEST_MS, "%u ms", (unsigned int)slowest);
	modbus_close(client);
	modbus_free(client);
	for (int i = 0; i < floods; i++) {
		kill(pids[i], SIGKILL);
		waitpid(pids[i], NULL, 0);
	}
	daemon_stop(&packbridge);
}
END_TEST

static int connect_port(uint16_t port)
{
	struct sockaddr_in address = {.sin_family = AF_INET,
				      .sin_addr.s_addr = htonl(INADDR_LOOPBACK),
				      .sin_port = htons(port)};
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(connect(fd, (struct sockaddr *)&address, sizeof(address)), 0);
	return fd;
}

static int connect_socket(const char *name)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	ck_assert_int_ge(fd, 0);
	snprintf(address.sun_path, sizeof(address.sun_path), "%s/%s", folder, name);
	ck_assert_int_eq(connect(fd, (struct sockaddr *)&address, sizeof(address)), 0);
	return fd;
}

/* @return how much came before the end, which must come */
static size_t answer_to(int fd, const char *question)
{
	struct timeval patience = {.tv_sec = PATIENCE_MS / 1000};
	char bytes[4096];
	size_t total = 0;
	ssize_t len;

	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
	send(fd, question, strlen(question), MSG_NOSIGNAL);
	while ((len = recv(fd, bytes, sizeof(bytes), 0)) > 0)
		total += (size_t)len;
	ck_assert_msg(len == 0 || errno == ECONNRESET || errno == EPIPE, "%s", strerror(errno));
	close(fd);
	return total;
}

#define GET "GET /metrics HTTP/1.0\r\n\r\n"

/* No more than CROWD clients have room: what happens then is not for ever, and costs nothing. */
START_TEST(descriptors_that_are_all_in_use)
{
	struct rlimit enough, few;
	int crowd[CROWD];
	uint16_t port, page;
	modbus_t *client;
	uint64_t begin;
	long ticks;

	start("  - {name: a, link: 'sim:lfp-16s', unit: 1, poll_ms: 60000}\n");
	page = (uint16_t)atoi(strstr(daemon_wait_for(&packbridge, "status page on"), "port ") + 5);
	port = daemon_port(&packbridge, "127.0.0.1:0");
	daemon_wait_for(&packbridge, "first reading");
	ck_assert_int_eq(prlimit(packbridge.pid, RLIMIT_NOFILE, NULL, &enough), 0);
	few = (struct rlimit){.rlim_cur = CROWD_ROOM, .rlim_max = enough.rlim_max};
	ck_assert_int_eq(prlimit(packbridge.pid, RLIMIT_NOFILE, &few, NULL), 0);
	for (int i = 0; i < CROWD; i++)
		crowd[i] = connect_port(port);
	client = connect_client(port);
	slowest_of(client, 10);
	/* nobody is left hanging */
	ck_assert_uint_eq(answer_to(connect_socket("status"), "status\n"), 0);
	ck_assert_uint_eq(answer_to(connect_socket("control"), "take a\n"), 0);
	ck_assert_uint_eq(answer_to(connect_port(page), GET), 0);
	forget_pings();
	ticks = ticks_used();
	begin = daemon_clock_ms();
	await_pings(5);
	ticks = (ticks_used() - ticks) * 1000 / sysconf(_SC_CLK_TCK);
	ck_assert_msg(ticks <= (long)(daemon_clock_ms() - begin) / 5 + 10,
		      "busy for %ld ms of about 500", ticks);
	ck_assert_uint_lt(slowest_of(client, 100), SLOWEST_MS);
	/* and it is over when it is over */
	ck_assert_int_eq(prlimit(packbridge.pid, RLIMIT_NOFILE, &enough, NULL), 0);
	ck_assert_uint_gt(answer_to(connect_socket("status"), "status\n"), 100);
	ck_assert_uint_gt(answer_to(connect_port(page), GET), 100);
	for (int i = 0; i < CROWD; i++)
		close(crowd[i]);
	modbus_close(client);
	modbus_free(client);
	daemon_stop(&packbridge);
}
END_TEST

/* ---- hundreds of packs ---- */

static void start_crowd(void)
{
	static char packs[32768];
	size_t len = 0;

	for (int i = 1; i <= 240; i++)
		len += (size_t)snprintf(packs + len, sizeof(packs) - len,
					"  - {name: p%d, link: 'sim:lfp-16s,seed=%d', unit: %d, "
					"poll_ms: 10000}\n",
					i, i, i);
	start(packs);
}

/* Takes an answer to its end. @return it, ended by NUL; to be freed */
static char *whole_answer(int fd)
{
	struct timeval patience = {.tv_sec = PATIENCE_MS / 1000};
	char *text = NULL, bytes[65536];
	size_t size = 0;
	ssize_t len;
	FILE *out = open_memstream(&text, &size);

	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
	while ((len = recv(fd, bytes, sizeof(bytes), 0)) > 0)
		fwrite(bytes, 1, (size_t)len, out);
	ck_assert_int_eq(len, 0);
	fclose(out);
	close(fd);
	return text;
}

static void check_status(char *text)
{
	json_error_t error;
	json_t *all = json_loads(text, 0, &error);

	ck_assert_msg(all != NULL, "%s at %d of %.60s", error.text, error.position, text);
	ck_assert_uint_eq(json_array_size(json_object_get(all, "packs")), 240);
	ck_assert_uint_eq(json_array_size(json_object_get(all, "listeners")), 1);
	json_decref(all);
	free(text);
}

/* More ask at once than there are places: each gets the whole, Modbus clients wait for none. */
START_TEST(status_of_hundreds_of_packs)
{
	int fds[16];
	modbus_t *client;

	start_crowd();
	client = connect_client(daemon_port(&packbridge, "127.0.0.1:0"));
	for (int turn = 0; turn < 5; turn++) {
		for (size_t i = 0; i < PB_ARRAY_SIZE(fds); i++) {
			fds[i] = connect_socket("status");
			ck_assert_int_eq(send(fds[i], "status\n", 7, MSG_NOSIGNAL), 7);
		}
		ck_assert_uint_lt(slowest_of(client, 200), SLOWEST_MS);
		for (size_t i = 0; i < PB_ARRAY_SIZE(fds); i++)
			check_status(whole_answer(fds[i]));
	}
	forget_pings();
	await_pings(2);
	modbus_close(client);
	modbus_free(client);
	daemon_stop(&packbridge);
}
END_TEST

/* Who never reads is ended, and those behind it get theirs. */
START_TEST(answers_that_nobody_takes)
{
	int idle[16];

	start_crowd();
	daemon_port(&packbridge, "127.0.0.1:0");
	for (size_t i = 0; i < PB_ARRAY_SIZE(idle); i++) {
		idle[i] = connect_socket("status");
		ck_assert_int_eq(send(idle[i], "metrics\n", 8, MSG_NOSIGNAL), 8);
	}
	for (int i = 0; i < 2; i++) {
		int fd = connect_socket("status");

		ck_assert_int_eq(send(fd, "status\n", 7, MSG_NOSIGNAL), 7);
		check_status(whole_answer(fd));
	}
	for (size_t i = 0; i < PB_ARRAY_SIZE(idle); i++)
		close(idle[i]);
	daemon_stop(&packbridge);
}
END_TEST

/* Who holds texts of the page takes nothing from those at the sockets. */
START_TEST(page_that_nobody_takes)
{
	int idle[8], small = 4096;
	uint64_t begin;
	uint16_t page;

	start_crowd();
	page = (uint16_t)atoi(strstr(daemon_wait_for(&packbridge, "status page on"), "port ") + 5);
	daemon_port(&packbridge, "127.0.0.1:0");
	for (int i = 0; i < 240; i++) /* the texts are long once there are readings */
		daemon_wait_for(&packbridge, "first reading");
	for (size_t i = 0; i < PB_ARRAY_SIZE(idle); i++) {
		struct pollfd answer;

		idle[i] = connect_port(page);
		setsockopt(idle[i], SOL_SOCKET, SO_RCVBUF, &small, sizeof(small));
		ck_assert_int_gt(send(idle[i], GET, strlen(GET), MSG_NOSIGNAL), 0);
		/* so each has a text of its own; when too many are held, the next gets none */
		answer = (struct pollfd){.fd = idle[i], .events = POLLIN};
		ck_assert_int_ge(poll(&answer, 1, 1000), 0);
	}
	begin = daemon_clock_ms();
	for (int i = 0; i < 2; i++) {
		int fd = connect_socket("status");

		ck_assert_int_eq(send(fd, "status\n", 7, MSG_NOSIGNAL), 7);
		check_status(whole_answer(fd));
	}
	ck_assert_uint_lt(daemon_clock_ms() - begin, 5000);
	for (size_t i = 0; i < PB_ARRAY_SIZE(idle); i++)
		close(idle[i]);
	daemon_stop(&packbridge);
}
END_TEST

/* Reloads that come while one is read are one more, behind it; texts under way stay whole. */
START_TEST(reloads_while_others_ask)
{
	int orders[6], fd;
	modbus_t *client;

	start_crowd();
	client = connect_client(daemon_port(&packbridge, "127.0.0.1:0"));
	for (int turn = 0; turn < 5; turn++) {
		for (size_t i = 0; i < PB_ARRAY_SIZE(orders); i++) {
			orders[i] = connect_socket("control");
			ck_assert_int_eq(send(orders[i], "reload\n", 7, MSG_NOSIGNAL), 7);
			ck_assert_int_eq(kill(packbridge.pid, SIGHUP), 0);
		}
		fd = connect_socket("status");
		ck_assert_int_eq(send(fd, "status\n", 7, MSG_NOSIGNAL), 7);
		ck_assert_uint_lt(slowest_of(client, 100), SLOWEST_MS);
		check_status(whole_answer(fd));
		for (size_t i = 0; i < PB_ARRAY_SIZE(orders); i++) {
			char *text = whole_answer(orders[i]);

			ck_assert_msg(strncmp(text, "ok: ", 4) == 0, "%s", text);
			free(text);
		}
	}
	modbus_close(client);
	modbus_free(client);
	daemon_stop(&packbridge);
}
END_TEST

int main(void)
{
	TCase *tcase = tcase_create("fairness");

	tcase_set_timeout(tcase, 60);
	tcase_add_checked_fixture(tcase, setup, teardown);
	tcase_add_loop_test(tcase, packs_that_flood, 2, 5);
	tcase_add_test(tcase, descriptors_that_are_all_in_use);
	tcase_add_test(tcase, status_of_hundreds_of_packs);
	tcase_add_test(tcase, answers_that_nobody_takes);
	tcase_add_test(tcase, page_that_nobody_takes);
	tcase_add_test(tcase, reloads_while_others_ask);
	return pb_run_suite("fairness", tcase);
}
