/* SPDX-License-Identifier: MIT */
/*
 * Three Daly boards on one serial line, each with its address, beside another master: the real
 * program asks them in turn. One of them is dead for a while.
 */
#include "daemon.h"
#include "packbridge/base.h"
#include "packbridge/sim.h"
#include "suite.h"

#include <errno.h>
#include <fcntl.h>
#include <modbus/modbus.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <termios.h>
#include <unistd.h>

enum {
	BOARDS = 3,
	STRANGER = 5, /* the address of a board that is not ours */
	P81_LEN = 8,
	A5_LEN = 13,
	GAP_MS = 20,
	POLL_MS = 1000,
	PATIENCE_MS = 20000,
	/* of the map packbridge */
	QUALITY = 1,
	SEQUENCE = 2,
	CELLS = 30,
};

static const char *const packs[BOARDS] = {"lfp-4s,soc=20", "lfp-8s,soc=50", "lfp-16s,soc=80"};
static const unsigned int cells[BOARDS] = {4, 8, 16};

static const unsigned int all[BOARDS] = {POLL_MS, POLL_MS, POLL_MS};

static struct daemon packbridge;
static modbus_t *client;

/* ---- the line ---- */

static struct {
	int fd, keep;
	bool a5;
	struct pb_sample samples[BOARDS + 1]; /* the last one is the stranger's */
	atomic_bool dead[BOARDS], noisy, stop;
	atomic_uint asked[BOARDS], too_early;
	uint64_t replied_ms;
	pthread_t thread;
} line;

static void sample_of(const char *profile, struct pb_sample *ret)
{
	struct pb_sim_options options;
	struct pb_sim sim;
	char why[200];

	ck_assert_msg(pb_sim_options_parse(&options, profile, why, sizeof(why)) == 0, "%s", why);
	pb_sim_start(&sim, &options);
	pb_sim_read(&sim, ret);
}

/* To the simulated boards, which are all number 1, and back. @return the board's number; 0: none.
 */
static unsigned int readdress_request(uint8_t *request)
{
	unsigned int board;

	if (line.a5) {
		board = request[1] - 0x3FU;
		request[A5_LEN - 1] = (uint8_t)(request[A5_LEN - 1] - request[1] + 0x40);
		request[1] = 0x40;
	} else {
		board = request[0] - 0x80U;
		if (pb_crc16(request, P81_LEN) != 0)
			return 0;
		request[0] = 0x81;
		pb_put_le16(request + P81_LEN - 2, pb_crc16(request, P81_LEN - 2));
	}
	return board;
}

static void readdress_reply(uint8_t *reply, size_t len, unsigned int board)
{
	for (size_t at = 0; line.a5 && at < len; at += A5_LEN) {
		reply[at + 1] = (uint8_t)board;
		reply[at + A5_LEN - 1] = (uint8_t)(reply[at + A5_LEN - 1] + board - 1);
	}
	if (line.a5)
		return;
	reply[0] = (uint8_t)(0x50 + board);
	pb_put_le16(reply + len - 2, pb_crc16(reply, len - 2));
}

static void say(const struct pb_sample *sample, const uint8_t *request, unsigned int board)
{
	const struct pb_sim_board *sim = line.a5 ? &pb_sim_daly_a5_wire : &pb_sim_daly_p81;
	struct pb_sim_talk talk = {0};
	uint8_t reply[PB_SIM_REPLY_MAX];
	size_t len = sim->answer(sim, &talk, sample, request, line.a5 ? A5_LEN : P81_LEN, reply);

	readdress_reply(reply, len, board);
	if (len > 0 && write(line.fd, reply, len) != (ssize_t)len)
		abort();
}

static void take_request(uint8_t *request)
{
	unsigned int board = readdress_request(request);

	if (daemon_clock_ms() < line.replied_ms + GAP_MS - 1)
		line.too_early++;
	if (board < 1 || board > BOARDS)
		return;
	line.asked[board - 1]++;
	line.replied_ms = daemon_clock_ms();
	/* the reply of a board that somebody else has asked comes first */
	if (line.noisy)
		say(&line.samples[BOARDS], request, STRANGER);
	if (!line.dead[board - 1])
		say(&line.samples[board - 1], request, board);
}

/* Requests come whole, since the line is silent between them. Boards hear their own kind only. */
static void *serve(void *userdata)
{
	ssize_t need = line.a5 ? A5_LEN : P81_LEN;
	uint8_t bytes[64];

	while (!line.stop) {
		struct pollfd fd = {.fd = line.fd, .events = POLLIN};

		if (poll(&fd, 1, 50) > 0 && read(line.fd, bytes, sizeof(bytes)) == need)
			take_request(bytes);
	}
	return userdata;
}

static void plug(void)
{
	struct termios raw;

	line.fd = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC);
	ck_assert_int_ge(line.fd, 0);
	ck_assert_int_eq(grantpt(line.fd), 0);
	ck_assert_int_eq(unlockpt(line.fd), 0);
	ck_assert_int_eq(tcgetattr(line.fd, &raw), 0);
	cfmakeraw(&raw);
	ck_assert_int_eq(tcsetattr(line.fd, TCSANOW, &raw), 0);
	line.keep = open(ptsname(line.fd), O_RDWR | O_NOCTTY | O_CLOEXEC);
	ck_assert_int_ge(line.keep, 0);
	for (size_t i = 0; i < BOARDS; i++)
		sample_of(packs[i], &line.samples[i]);
	sample_of("nmc-13s,soc=99", &line.samples[BOARDS]);
	ck_assert_int_eq(pthread_create(&line.thread, NULL, serve, NULL), 0);
}

/* ---- the program ---- */

static char path[128];

/* @polls_ms: of each pack; 0: it is not in the file. */
static const char *file_text(const unsigned int *polls_ms)
{
	static char text[1024];
	size_t at =
		(size_t)snprintf(text, sizeof(text), "listen: [{tcp: '127.0.0.1:0'}]\npacks:\n");

	for (int i = 1; i <= BOARDS; i++)
		if (polls_ms[i - 1])
			at += (size_t)snprintf(
				text + at, sizeof(text) - at,
				"  - {name: p%d, link: 'serial:%s@9600', address: %d, unit: %d, "
				"protocol: daly, poll_ms: %u, gap_ms: %d, settle_ms: 0, "
				"reply_timeout_ms: 200, tries: 1, stale_after_s: 4}\n",
				i, ptsname(line.fd), i, i, polls_ms[i - 1], GAP_MS);
	return text;
}

static void start(bool a5, const unsigned int *polls_ms)
{
	const char *args[] = {"run", "-c", path, NULL};

	memset(&line, 0, sizeof(line));
	line.a5 = a5;
	line.dead[1] = true;
	plug();
	daemon_write_file(path, sizeof(path), "packbridge.yaml", file_text(polls_ms));
	daemon_start(&packbridge, args);
	client = modbus_new_tcp("127.0.0.1", daemon_port(&packbridge, "127.0.0.1:0"));
	ck_assert_int_eq(modbus_connect(client), 0);
}

static void end(void)
{
	modbus_close(client);
	modbus_free(client);
	daemon_stop(&packbridge);
	line.stop = true;
	pthread_join(line.thread, NULL);
	close(line.keep);
	close(line.fd);
}

static unsigned int word(int unit, int reg)
{
	uint16_t value;

	modbus_set_slave(client, unit);
	ck_assert_int_eq(modbus_read_registers(client, reg, 1, &value), 1);
	return value;
}

static bool is_good(int unit)
{
	return word(unit, QUALITY) == 1;
}

#define AWAIT(condition)                                                                           \
	for (uint64_t until = daemon_clock_ms() + PATIENCE_MS; !(condition); poll(NULL, 0, 10))    \
	ck_assert_msg(daemon_clock_ms() < until, "not " #condition ": %s", packbridge.said)

static void assert_own_values(int unit)
{
	ck_assert_uint_eq(word(unit, CELLS), cells[unit - 1]);
}

/* Units 1 and 3 have @count more readings; @return how long that took. */
static uint64_t more_readings(unsigned int count)
{
	unsigned int first = word(1, SEQUENCE), third = word(3, SEQUENCE);
	uint64_t begin = daemon_clock_ms();

	AWAIT(word(1, SEQUENCE) - first >= count && word(3, SEQUENCE) - third >= count);
	return daemon_clock_ms() - begin;
}

START_TEST(one_is_dead)
{
	start(_i, all);
	AWAIT(is_good(1) && is_good(3));
	assert_own_values(1);
	assert_own_values(3);
	ck_assert(!is_good(2));
	/* the dead one costs a reply time now and then, and the others keep their rate */
	ck_assert_uint_le(more_readings(5), 5 * POLL_MS * 2);
	ck_assert(!is_good(2));
	ck_assert_uint_gt(line.asked[1], 0);
	/* it comes to life; another dies, and only that one turns stale */
	line.dead[1] = false;
	AWAIT(is_good(2));
	assert_own_values(2);
	line.dead[0] = true;
	AWAIT(!is_good(1));
	ck_assert(is_good(2) && is_good(3));
	line.dead[0] = false;
	AWAIT(is_good(1));
	assert_own_values(1);
	ck_assert_uint_eq(line.too_early, 0);
	end();
}
END_TEST

/* Replies of another board, to another master, stand before each of ours. */
START_TEST(another_master)
{
	start(_i, all);
	line.dead[1] = false;
	line.noisy = true;
	AWAIT(is_good(1) && is_good(2) && is_good(3));
	more_readings(5);
	for (int unit = 1; unit <= BOARDS; unit++) {
		assert_own_values(unit);
		ck_assert(is_good(unit));
	}
	/* a dead board's reading is not made of the stranger's */
	line.dead[2] = true;
	AWAIT(!is_good(3));
	ck_assert(is_good(1) && is_good(2));
	end();
}
END_TEST

static void reload(const unsigned int *polls_ms)
{
	FILE *file = fopen(path, "w");

	ck_assert_ptr_nonnull(file);
	fputs(file_text(polls_ms), file);
	ck_assert_int_eq(fclose(file), 0);
	packbridge.len = 0;
	packbridge.said[0] = '\0';
	ck_assert_int_eq(kill(packbridge.pid, SIGHUP), 0);
	daemon_wait_for(&packbridge, "is loaded");
}

/* A reload that changes one pack of a line leaves the line and the others as they are. */
START_TEST(reloaded)
{
	static const unsigned int two[BOARDS] = {POLL_MS, 0, POLL_MS},
				  slower[BOARDS] = {POLL_MS, 0, 1300};
	unsigned int first;

	start(_i, two);
	AWAIT(is_good(1) && is_good(3));
	first = word(1, SEQUENCE);
	line.dead[1] = false;
	reload(all);
	AWAIT(is_good(2));
	assert_own_values(2);
	ck_assert_uint_ge(word(1, SEQUENCE), first);
	ck_assert(is_good(1) && is_good(3));
	reload(slower);
	AWAIT(is_good(3));
	more_readings(3);
	assert_own_values(1);
	assert_own_values(3);
	ck_assert_uint_gt(word(1, SEQUENCE), first);
	ck_assert_uint_eq(line.too_early, 0);
	end();
}
END_TEST

int main(void)
{
	TCase *tcase = tcase_create("multidrop");

	tcase_set_timeout(tcase, 120);
	tcase_add_loop_test(tcase, one_is_dead, 0, 2);
	tcase_add_loop_test(tcase, another_master, 0, 2);
	tcase_add_loop_test(tcase, reloaded, 0, 2);
	return pb_run_suite("multidrop", tcase);
}
