/* SPDX-License-Identifier: MIT */
/*
 * The daemon as RTU server on a pseudo terminal, whose other end is the test: what it answers, what
 * it leaves to others, and a line that goes away and comes back.
 */
#include "daemon.h"
#include "suite.h"

#include "packbridge/base.h"
#include "packbridge/modbus.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <termios.h>
#include <unistd.h>

enum { PATIENCE_MS = 3000, QUIET_MS = 150 };

static struct daemon packbridge;
static int line = -1;
static char device[128], folder_file[160], config_path[128];

/* A new line, at the end of the same symbolic link. */
static void plug(void)
{
	struct termios raw;

	line = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC);
	ck_assert_int_ge(line, 0);
	ck_assert_int_eq(grantpt(line), 0);
	ck_assert_int_eq(unlockpt(line), 0);
	ck_assert_int_eq(tcgetattr(line, &raw), 0);
	cfmakeraw(&raw);
	ck_assert_int_eq(tcsetattr(line, TCSANOW, &raw), 0);
	unlink(device);
	ck_assert_int_eq(symlink(ptsname(line), device), 0);
}

static void unplug(void)
{
	unlink(device);
	close(line);
	line = -1;
}

/* Writes the configuration anew. @unit: of the pack `store` */
static void configure(const char *options, int unit)
{
	FILE *file = fopen(config_path, "w");

	ck_assert_ptr_nonnull(file);
	fprintf(file,
		"control: %.100s.control\nlisten:\n  - {rtu: %s%s}\n  - {tcp: "
		"'127.0.0.1:0'}\npacks:\n"
		"  - {name: house, link: 'sim:lfp-4s,soc=64,seed=1', unit: 1, poll_ms: 200}\n"
		"  - {name: store, link: 'sim:lfp-16s,soc=40,seed=2', unit: %d, poll_ms: 200}\n",
		folder_file, device, options, unit);
	ck_assert_int_eq(fclose(file), 0);
}

static void start(const char *options)
{
	const char *args[] = {"run", "-c", config_path, NULL};

	daemon_write_file(folder_file, sizeof(folder_file), "line", "");
	snprintf(device, sizeof(device), "%.100s.tty", folder_file);
	plug();
	daemon_write_file(config_path, sizeof(config_path), "packbridge.yaml", "");
	configure(options, 17);
	daemon_start(&packbridge, args);
	daemon_wait_for(&packbridge, "Modbus RTU on ");
	daemon_wait_for(&packbridge, "house: first reading");
	daemon_wait_for(&packbridge, "store: first reading");
}

static void end(void)
{
	daemon_stop(&packbridge);
	if (line >= 0)
		unplug();
}

static size_t frame(uint8_t *adu, const char *hex)
{
	int len = pb_hex_parse(hex, adu, PB_RTU_ADU_MAX - 2);

	ck_assert_int_gt(len, 1);
	return pb_rtu_wrap(adu, adu[0], (size_t)len - 1);
}

static void put(const uint8_t *bytes, size_t len)
{
	ck_assert_int_eq(write(line, bytes, len), (ssize_t)len);
}

static void send_frame(const char *hex)
{
	uint8_t adu[PB_RTU_ADU_MAX];

	put(adu, frame(adu, hex));
}

static size_t receive(uint8_t *bytes, size_t want, int ms)
{
	struct pollfd fd = {.fd = line, .events = POLLIN};
	size_t len = 0;

	while (len < want && poll(&fd, 1, ms) > 0) {
		ssize_t n = read(line, bytes + len, want - len);

		ck_assert_int_gt(n, 0);
		len += (size_t)n;
	}
	return len;
}

static void expect(const char *hex)
{
	uint8_t wanted[PB_RTU_ADU_MAX], got[PB_RTU_ADU_MAX];
	size_t len = frame(wanted, hex);
	char text[3 * PB_RTU_ADU_MAX];

	memset(got, 0, sizeof(got));
	len = receive(got, len, PATIENCE_MS);
	pb_hex_print(text, sizeof(text), got, len, ' ');
	ck_assert_msg(len > 0 && memcmp(got, wanted, len) == 0, "expected %s, got %s", hex, text);
}

static void expect_silence(void)
{
	uint8_t bytes[PB_RTU_ADU_MAX];

	ck_assert_uint_eq(receive(bytes, 1, QUIET_MS), 0);
}

static unsigned int ask_counter(const char *sub)
{
	uint8_t reply[8];
	char request[32];

	snprintf(request, sizeof(request), "0108%s0000", sub);
	send_frame(request);
	ck_assert_uint_eq(receive(reply, sizeof(reply), PATIENCE_MS), sizeof(reply));
	ck_assert_uint_eq(pb_crc16(reply, sizeof(reply)), 0);
	return pb_get_be16(reply + 4);
}

START_TEST(answers_its_units)
{
	start("");
	send_frame("010300110001");
	expect("0103020280"); /* 64.0 % */
	send_frame("110400110001");
	expect("1104020190");
	send_frame("01030011007E");
	expect("018303");
	send_frame("0103FFFF0002");
	expect("018302");
	send_frame("010600000001");
	expect("018602");
	send_frame("010800001234");
	expect("010800001234");
	send_frame("012B0E0406");
	expect("012B0E04830000010605686F757365");
	/* silence decides */
	send_frame("0142DEAD");
	expect("01C201");
	/* a request in single bytes */
	for (size_t i = 0; i < 8; i++) {
		uint8_t adu[PB_RTU_ADU_MAX];

		ck_assert_uint_eq(frame(adu, "010300110001"), 8);
		put(adu + i, 1);
	}
	expect("0103020280");
	end();
}
END_TEST

START_TEST(leaves_the_rest_to_others)
{
	uint8_t adu[PB_RTU_ADU_MAX];
	size_t len;

	start("");
	/* others, with and without their replies; broadcasts; the gateway's TCP units */
	send_frame("050300000001");
	send_frame("0503021234");
	send_frame("050300000001");
	send_frame("000600000001");
	send_frame("000300000001");
	send_frame("FF0300000001");
	expect_silence();
	send_frame("010300110001");
	expect("0103020280");
	/* wrong CRC */
	len = frame(adu, "010300110001");
	adu[len - 1] ^= 1;
	put(adu, len);
	expect_silence();
	send_frame("010300110001");
	expect("0103020280");
	ck_assert_uint_eq(ask_counter("000C"), 1); /* CRC errors */
	ck_assert_uint_eq(ask_counter("000F"), 2); /* not answered: the broadcasts */
	ck_assert_uint_gt(ask_counter("000B"), 8);
	send_frame("0108000A0000");
	expect("0108000A0000");
	ck_assert_uint_eq(ask_counter("000C"), 0);
	end();
}
END_TEST

/* Deterministic, the same everywhere. */
static unsigned int dice(unsigned int sides)
{
	static uint64_t state = 88172645463325252;

	state ^= state << 13;
	state ^= state >> 7;
	state ^= state << 17;
	return (unsigned int)(state % sides);
}

/* Another server's turn: it answers, refuses, or is not there. */
static void somebody_else(void)
{
	static const struct {
		const char *request, *replies[3];
	} talks[] = {
		{"050300110001", {"0503020280", "058302", NULL}},
		{"050300100010",
		 {"0503200001000200030004000500060007000800090010001100120013001400150016",
		  "05830B", NULL}},
		/* what looks like a request for us is in it */
		{"0610000000040801030011000195CF", {"061000000004", "069002", NULL}},
		{"C8060001FF00", {"C8060001FF00", "C88601", NULL}},
		{"060100000008", {"060101A5", "068104", NULL}},
		{"161700000002000500010200FF", {"16170411112222", "169701", NULL}},
	};
	unsigned int talk = dice(sizeof(talks) / sizeof(talks[0]));
	const char *reply = talks[talk].replies[dice(3)];

	send_frame(talks[talk].request);
	if (reply)
		send_frame(reply);
}

static void our_turn(void)
{
	static const struct {
		const char *request, *reply;
	} talks[] = {
		{"010300110001", "0103020280"},	  {"110400110001", "1104020190"},
		{"010200000002", "01020103"},	  {"1103FFFF0002", "118302"},
		{"0110000000010200AA", "019002"}, {"01080000ABCD", "01080000ABCD"},
	};
	unsigned int talk = dice(sizeof(talks) / sizeof(talks[0]));

	send_frame(talks[talk].request);
	expect(talks[talk].reply);
}

/* 10000 requests on a line that others share: none of ours is lost, none of theirs is answered. */
START_TEST(shared_line)
{
	enum { REQUESTS = 10000 };
	unsigned int ours = 0;

	start(", baud: 230400");
	for (unsigned int i = 0; i < REQUESTS; i++) {
		if (dice(2)) {
			somebody_else();
			continue;
		}
		our_turn(); /* whatever else were to come would be in front of the next reply */
		ours++;
	}
	expect_silence();
	ck_assert_uint_gt(ours, REQUESTS / 3);
	ck_assert_uint_eq(ask_counter("000C"), 0);
	ck_assert_uint_eq(ask_counter("000F"), 0);
	end();
}
END_TEST

START_TEST(adapters_that_echo)
{
	uint8_t adu[PB_RTU_ADU_MAX];

	start(", echo: true");
	for (int i = 0; i < 5; i++) {
		send_frame("010800001234");
		expect("010800001234");
		/* the same bytes would be a request */
		put(adu, frame(adu, "010800001234"));
		expect_silence();
	}
	ck_assert_uint_eq(ask_counter("000C"), 0);
	end();
}
END_TEST

START_TEST(echo_is_told_but_there_is_none)
{
	start(", echo: true");
	for (int i = 0; i < 5; i++) {
		uint8_t adu[PB_RTU_ADU_MAX];

		/* begins like the reply before it, in one piece and in single bytes */
		send_frame("010300110001");
		expect("0103020280");
		ck_assert_uint_eq(frame(adu, "010300110001"), 8);
		for (size_t n = 0; n < 8; n++)
			put(adu + n, 1);
		expect("0103020280");
	}
	ck_assert_uint_eq(ask_counter("000C"), 0);
	end();
}
END_TEST

START_TEST(unplugged_and_plugged)
{
	start("");
	unplug();
	daemon_wait_for(&packbridge, "looking for it each second");
	packbridge.len = 0; /* what it says from now on */
	packbridge.said[0] = '\0';
	plug();
	daemon_wait_for(&packbridge, "9600 baud, 8N1\n");
	send_frame("010300110001");
	expect("0103020280");
	end();
}
END_TEST

/* A line that a reload leaves open shows the units of the new configuration. */
START_TEST(goes_on_over_a_reload)
{
	start("");
	configure("", 18);
	ck_assert_int_eq(kill(packbridge.pid, SIGHUP), 0);
	daemon_wait_for(&packbridge, "is loaded");
	send_frame("120400110001");
	expect("1204020190");
	send_frame("110400110001");
	expect_silence();
	send_frame("010300110001");
	expect("0103020280");
	end();
}
END_TEST

START_TEST(in_use)
{
	static char text[1024];
	const char *args[] = {"run", "-c", config_path, NULL};
	int other;

	daemon_write_file(folder_file, sizeof(folder_file), "line", "");
	snprintf(device, sizeof(device), "%.100s.tty", folder_file);
	plug();
	other = open(device, O_RDWR | O_NOCTTY | O_CLOEXEC);
	ck_assert_int_ge(other, 0);
	ck_assert_int_eq(flock(other, LOCK_EX), 0);
	snprintf(text, sizeof(text),
		 "control: %.100s.control\nlisten:\n  - {rtu: %s, baud: 19200, parity: "
		 "even}\npacks:\n"
		 "  - {name: house, link: 'sim:lfp-4s,soc=64,seed=1', unit: 1}\n",
		 folder_file, device);
	daemon_write_file(config_path, sizeof(config_path), "packbridge.yaml", text);
	daemon_start(&packbridge, args);
	daemon_wait_for(&packbridge, "is in use by another program");
	close(other);
	daemon_wait_for(&packbridge, "19200 baud, 8E1");
	daemon_wait_for(&packbridge, "first reading");
	send_frame("010300110001");
	expect("0103020280");
	end();
}
END_TEST

int main(void)
{
	TCase *tcase = tcase_create("rtu");

	tcase_set_timeout(tcase, 120);
	tcase_add_test(tcase, answers_its_units);
	tcase_add_test(tcase, leaves_the_rest_to_others);
	tcase_add_test(tcase, shared_line);
	tcase_add_test(tcase, adapters_that_echo);
	tcase_add_test(tcase, echo_is_told_but_there_is_none);
	tcase_add_test(tcase, unplugged_and_plugged);
	tcase_add_test(tcase, goes_on_over_a_reload);
	tcase_add_test(tcase, in_use);
	return pb_run_suite("rtu", tcase);
}
