/* SPDX-License-Identifier: MIT */
/*
 * RTU frames over TCP, and the loop that the sockets of all servers share.
 */
#include "packbridge/server.h"
#include "suite.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <systemd/sd-event.h>
#include <time.h>
#include <unistd.h>

enum { PATIENCE_MS = 5000, TURN_US = 1000, GAP_MS = 60, FRAME_MS = 300 };

static uint8_t registers[2 * PB_READ_REGISTERS_MAX];
static const struct pb_block blocks[] = {
	{
		.tables = PB_TABLE_HOLDING | PB_TABLE_INPUT,
		.count = PB_READ_REGISTERS_MAX,
		.bytes = registers,
	},
	{
		.tables = PB_TABLE_HOLDING | PB_TABLE_INPUT,
		.fault = PB_FAULT_SILENT,
		.addr = 1000,
		.count = 1,
		.bytes = registers,
	},
};
static const struct pb_image image = {.blocks = blocks, .block_count = 2};

static bool owns(void *userdata, uint8_t id)
{
	(void)userdata;
	return id == 1 || id == 7 || id == 255;
}

static const struct pb_image *unit(void *userdata, const struct pb_peer *peer, uint8_t id,
				   uint64_t now_ms)
{
	ck_assert_uint_gt(strlen(peer->name), 0);
	(void)now_ms;
	return owns(userdata, id) ? &image : NULL;
}

static const struct pb_identity identity = {
	.vendor = "v", .product = "p", .revision = "1", .product_name = "n"};
static const struct pb_server_backend backend = {.identity = &identity, .owns = owns, .unit = unit};

static sd_event *event;
static struct pb_hub *hub;
static struct pb_server *server;

static void start(bool rtu)
{
	struct pb_server_config config = {.address = "127.0.0.1:0",
					  .max_clients = 8,
					  .rtu = rtu,
					  .gap_ms = GAP_MS,
					  .frame_timeout_ms = FRAME_MS};
	char why[512] = "";

	ck_assert_int_ge(sd_event_new(&event), 0);
	ck_assert_int_eq(pb_hub_new(&hub, event), 0);
	ck_assert_msg(pb_server_tcp_new(&server, hub, &config, &backend, NULL, why, sizeof(why)) ==
			      0,
		      "%s", why);
	for (size_t i = 0; i < PB_READ_REGISTERS_MAX; i++)
		registers[2 * i + 1] = (uint8_t)i;
}

static void setup(void)
{
	start(true);
}

static void teardown(void)
{
	server = pb_server_free(server);
	hub = pb_hub_free(hub);
	event = sd_event_unref(event);
}

static int connect_client(void)
{
	struct sockaddr_in address = {.sin_family = AF_INET,
				      .sin_port = htons(pb_server_port(server)),
				      .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	ck_assert_int_eq(connect(fd, (struct sockaddr *)&address, sizeof(address)), 0);
	return fd;
}

static struct pb_server_stats stats(void)
{
	struct pb_server_stats ret;

	pb_server_stats(server, &ret);
	return ret;
}

/* Appends the frame of @hex, with its CRC. @return the new length */
static size_t add_frame(uint8_t *bytes, size_t at, const char *hex)
{
	int len = pb_hex_parse(hex, bytes + at, PB_RTU_ADU_MAX - 2);

	ck_assert_int_gt(len, 1);
	return at + pb_rtu_wrap(bytes + at, bytes[at], (size_t)len - 1);
}

static void put(int fd, const uint8_t *bytes, size_t len)
{
	ck_assert_int_eq(send(fd, bytes, len, MSG_NOSIGNAL), (ssize_t)len);
}

static void put_frame(int fd, const char *hex)
{
	uint8_t bytes[PB_RTU_ADU_MAX];

	put(fd, bytes, add_frame(bytes, 0, hex));
}

/* @return what came before @want bytes were there, the server closed, or @ms were over */
static size_t take(int fd, uint8_t *bytes, size_t want, uint64_t ms)
{
	uint64_t end = pb_now_ms() + ms;
	size_t len = 0;

	while (len < want && pb_now_ms() < end) {
		ssize_t n = recv(fd, bytes + len, want - len, MSG_DONTWAIT);

		if (n == 0)
			break;
		if (n > 0)
			len += (size_t)n;
		else
			sd_event_run(event, TURN_US);
	}
	return len;
}

static void expect_frame(int fd, const char *hex)
{
	uint8_t wanted[PB_RTU_ADU_MAX], got[PB_RTU_ADU_MAX];
	size_t len = add_frame(wanted, 0, hex);

	ck_assert_uint_eq(take(fd, got, len, PATIENCE_MS), len);
	ck_assert_mem_eq(got, wanted, len);
}

static void settle_until(bool (*done)(void))
{
	uint64_t end = pb_now_ms() + PATIENCE_MS;

	while (!done() && pb_now_ms() < end)
		sd_event_run(event, TURN_US);
	ck_assert(done());
}

START_TEST(answers)
{
	int fd = connect_client();

	put_frame(fd, "01 03 0005 0002");
	expect_frame(fd, "01 03 04 0005 0006");
	put_frame(fd, "07 04 0000 0001");
	expect_frame(fd, "07 04 02 0000");
	put_frame(fd, "01 06 0000 0001");
	expect_frame(fd, "01 86 02");
	ck_assert_uint_eq(stats().requests, 3);
	ck_assert_uint_eq(stats().exceptions, 1);
	close(fd);
}
END_TEST

/* Others' units, the broadcast, and the gateway's id, which no serial line has. */
START_TEST(silent_for_others)
{
	int fd = connect_client();

	put_frame(fd, "02 03 0005 0002");
	put_frame(fd, "02 03 04 1122 3344"); /* and its own server answers on the same line */
	put_frame(fd, "00 06 0000 0001");
	put_frame(fd, "ff 03 0000 0001");
	put_frame(fd, "01 03 0001 0001");
	expect_frame(fd, "01 03 02 0001");
	close(fd);
}
END_TEST

/* RTU over TCP is a line: an inverter may be behind it, and takes no reply for a lost battery. */
START_TEST(silent_when_old)
{
	int fd = connect_client();

	put_frame(fd, "01 03 03E8 0001");
	put_frame(fd, "01 03 0001 0001");
	expect_frame(fd, "01 03 02 0001");
	ck_assert_uint_eq(stats().exceptions, 0);
	close(fd);
}
END_TEST

START_TEST(byte_by_byte)
{
	int fd = connect_client();
	uint8_t bytes[PB_RTU_ADU_MAX];
	size_t len = add_frame(bytes, 0, "01 03 0005 0002");

	for (size_t i = 0; i < len; i++) {
		put(fd, bytes + i, 1);
		sd_event_run(event, TURN_US);
	}
	expect_frame(fd, "01 03 04 0005 0006");
	close(fd);
}
END_TEST

/* More in one go than input and output can hold. */
START_TEST(pipelined)
{
	static uint8_t bytes[400 * 8], got[400 * 255];
	int fd = connect_client();
	uint8_t wanted[PB_RTU_ADU_MAX];
	size_t len = 0, reply;

	for (int i = 0; i < 400; i++)
		len = add_frame(bytes, len, "01 03 0000 007d");
	put(fd, bytes, len);
	ck_assert_uint_eq(take(fd, got, sizeof(got), PATIENCE_MS), sizeof(got));
	memcpy(wanted, "\x01\x03\xfa", 3);
	memcpy(wanted + 3, registers, sizeof(registers));
	reply = pb_rtu_wrap(wanted, 1, 2 + sizeof(registers));
	ck_assert_uint_eq(reply, 255);
	for (size_t i = 0; i < 400; i++)
		ck_assert_mem_eq(got + i * reply, wanted, reply);
	ck_assert_uint_eq(stats().requests, 400);
	close(fd);
}
END_TEST

/* Nothing tells where a frame of an unknown function ends, but the silence behind it. */
START_TEST(unknown_function_ends_with_silence)
{
	int fd = connect_client();
	uint64_t start_ms = pb_now_ms();

	put_frame(fd, "01 64 01 02 03");
	expect_frame(fd, "01 e4 01");
	ck_assert_uint_ge(pb_now_ms() - start_ms, GAP_MS - 1);
	put_frame(fd, "01 03 0001 0001");
	expect_frame(fd, "01 03 02 0001");
	close(fd);
}
END_TEST

static bool one_malformed(void)
{
	return stats().malformed == 1;
}

static const size_t garbage_sizes[] = {5, 200, 300};

START_TEST(garbage_ends_with_silence)
{
	static const uint8_t garbage[300] = {1, 3, 0, 0, 0, 1, 0xAA, 0xAA};
	int fd = connect_client();
	uint8_t got[8];

	put(fd, garbage, garbage_sizes[_i]);
	settle_until(one_malformed);
	ck_assert_uint_eq(take(fd, got, 1, 2 * GAP_MS), 0); /* the gap, for what is too long */
	put_frame(fd, "01 03 0001 0001");
	expect_frame(fd, "01 03 02 0001");
	ck_assert_uint_eq(stats().clients, 1); /* the line goes on */
	close(fd);
}
END_TEST

static bool nobody(void)
{
	return stats().accepted > 0 && stats().clients == 0;
}

START_TEST(half_close_is_answered)
{
	int fd = connect_client();

	put_frame(fd, "01 03 0001 0001");
	shutdown(fd, SHUT_WR);
	expect_frame(fd, "01 03 02 0001");
	settle_until(nobody);
	close(fd);
}
END_TEST

/* ---- the loop of one's own ---- */

/* @return 0 when all was as expected */
static int good_client(void)
{
	static const uint8_t request[] = {0, 9, 0, 0, 0, 6, 1, 3, 0, 1, 0, 1};
	int fd = connect_client();
	uint8_t reply[11];

	for (int i = 0; i < 1000; i++)
		if (send(fd, request, sizeof(request), MSG_NOSIGNAL) != sizeof(request) ||
		    recv(fd, reply, sizeof(reply), MSG_WAITALL) != sizeof(reply) || reply[10] != 1)
			return 1;
	close(fd);
	return 0;
}

/* Half a header: the timer that closes it is set in a client's turn. */
static int stuck_client(void)
{
	int fd = connect_client();
	struct timeval limit = {.tv_sec = PATIENCE_MS / 1000};
	uint8_t byte;

	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
	send(fd, "\0\0\0", 3, MSG_NOSIGNAL);
	return recv(fd, &byte, 1, 0) != 0;
}

static int left;

static int on_child(sd_event_source *source, const siginfo_t *info, void *userdata)
{
	(void)source;
	(void)userdata;
	if (info->si_code != CLD_EXITED || info->si_status != 0)
		sd_event_exit(event, 99);
	else if (--left == 0)
		sd_event_exit(event, 7);
	return 0;
}

static int on_tick(sd_event_source *source, uint64_t usec, void *userdata)
{
	++*(int *)userdata;
	sd_event_source_set_time(source, usec + 1000);
	sd_event_source_set_enabled(source, SD_EVENT_ONESHOT);
	return 0;
}

static void start_child(int (*client)(void))
{
	pid_t pid = fork();

	ck_assert_int_ge(pid, 0);
	if (pid == 0)
		_exit(client());
	ck_assert_int_ge(sd_event_add_child(event, NULL, pid, WEXITED, on_child, NULL), 0);
	left++;
}

/* Sockets, timers, signals and exit codes all work in it, and sd-event's own works again after. */
START_TEST(loop)
{
	sigset_t set;
	int ticks = 0, code = 0;

	teardown();
	start(false);
	sigemptyset(&set);
	sigaddset(&set, SIGCHLD);
	sigprocmask(SIG_BLOCK, &set, NULL);
	left = 0;
	start_child(good_client);
	start_child(good_client);
	start_child(stuck_client);
	sd_event_add_time_relative(event, NULL, CLOCK_BOOTTIME, 1000, 1, on_tick, &ticks);
	ck_assert_int_eq(pb_hub_run(hub), 7);
	ck_assert_uint_eq(stats().requests, 2000);
	ck_assert_uint_eq(stats().timeouts, 1);
	ck_assert_int_gt(ticks, FRAME_MS / 10);
	ck_assert_int_eq(sd_event_get_exit_code(event, &code), 0);
	ck_assert_int_eq(code, 7);
}
END_TEST

int main(void)
{
	TCase *tcase = tcase_create("rtu");

	pb_log_set_level(PB_LOG_ERR);
	tcase_add_checked_fixture(tcase, setup, teardown);
	tcase_set_timeout(tcase, 60);
	tcase_add_test(tcase, answers);
	tcase_add_test(tcase, silent_for_others);
	tcase_add_test(tcase, silent_when_old);
	tcase_add_test(tcase, byte_by_byte);
	tcase_add_test(tcase, pipelined);
	tcase_add_test(tcase, unknown_function_ends_with_silence);
	tcase_add_loop_test(tcase, garbage_ends_with_silence, 0, PB_ARRAY_SIZE(garbage_sizes));
	tcase_add_test(tcase, half_close_is_answered);
	tcase_add_test(tcase, loop);
	return pb_run_suite("server/rtu", tcase);
}
