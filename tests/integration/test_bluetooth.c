/* SPDX-License-Identifier: MIT */
/*
 * The daemon with packs over Bluetooth, against the fake bluetoothd: faults and recovery, taking
 * turns, letting go, and what `scan` and `probe` say. Everything is read over Modbus.
 */
#include "bluetooth.h"
#include "daemon.h"
#include "suite.h"

#include "packbridge/base.h"

#include <errno.h>
#include <modbus/modbus.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <systemd/sd-bus.h>
#include <unistd.h>

#define HOUSE "A5:C2:37:00:00:01"
#define OTHER "A5:C2:37:00:00:02"

enum {
	RECOVERY_MS = 15000,
	QUALITY = 1,
	SEQUENCE = 2,
	LAST_ERROR = 5,
	STALE_S = 7,
	POLLS = 8,
	FAILURES = 10
};

static struct bluetooth bt;
static struct daemon packbridge;
static modbus_t *client;
static char config_path[128], control[160];

/* ---- the daemon and its registers ---- */

static void start_daemon(const char *config)
{
	static char text[8192];
	const char *args[] = {"run", "-c", config_path, NULL};

	snprintf(control, sizeof(control), "%s/control", bt.folder);
	snprintf(text, sizeof(text), "control: %s\nlisten:\n  - tcp: 127.0.0.1:0\n%s", control,
		 config);
	daemon_write_file(config_path, sizeof(config_path), "packbridge.yaml", text);
	daemon_start(&packbridge, args);
	client = modbus_new_tcp("127.0.0.1", daemon_port(&packbridge, "127.0.0.1:0"));
	ck_assert_int_eq(modbus_connect(client), 0);
}

static void stop_daemon(void)
{
	modbus_close(client);
	modbus_free(client);
	daemon_stop(&packbridge);
}

/* The status block, which is always readable. */
static void read_status(int unit, uint16_t *regs)
{
	modbus_set_slave(client, unit);
	ck_assert_int_eq(modbus_read_registers(client, 0, 16, regs), 16);
}

static unsigned int status(int unit, int reg)
{
	uint16_t regs[16];

	read_status(unit, regs);
	return reg == POLLS || reg == FAILURES ? (unsigned int)regs[reg] << 16 | regs[reg + 1]
					       : regs[reg];
}

/* What it says is read, so that the pipe never fills. */
static void listen_to_daemon(void)
{
	struct pollfd fd = {.fd = packbridge.err, .events = POLLIN};

	while (poll(&fd, 1, 0) > 0 && packbridge.len + 1 < sizeof(packbridge.said)) {
		ssize_t n = read(packbridge.err, packbridge.said + packbridge.len,
				 sizeof(packbridge.said) - 1 - packbridge.len);

		if (n <= 0)
			return;
		packbridge.len += (size_t)n;
		packbridge.said[packbridge.len] = '\0';
	}
}

/* Waits for a reading that came after this call. @return how long it took. */
static uint64_t await_reading(int unit, uint64_t ms)
{
	uint64_t begin = daemon_clock_ms(), now;
	unsigned int before = status(unit, SEQUENCE);

	do {
		poll(NULL, 0, 10);
		listen_to_daemon();
		now = daemon_clock_ms();
		ck_assert_msg(now < begin + ms, "unit %d not good within %u ms: %s", unit,
			      (unsigned int)ms, packbridge.said);
	} while (status(unit, QUALITY) != 1 || status(unit, SEQUENCE) == before);
	return now - begin;
}

static void await_trouble(int unit, uint64_t ms)
{
	uint64_t end = daemon_clock_ms() + ms;

	while (status(unit, QUALITY) == 1) {
		poll(NULL, 0, 10);
		ck_assert_msg(daemon_clock_ms() < end, "unit %d is still good", unit);
	}
}

/* ---- packs ---- */

static void add_packs(const char *options)
{
	bluetooth_say(&bt, "adapter hci0 00:AA:01:00:00:00");
	bluetooth_say(&bt, "pack " HOUSE " house lfp-4s,soc=64 %s", options);
	bluetooth_say(&bt, "pack " OTHER " other lfp-16s,soc=40 %s", options);
}

#define QUICK "poll_ms: 100, gap_ms: 1, settle_ms: 0, reply_timeout_ms: 200, stale_after_s: 1"

static void start_two(const char *bluetooth)
{
	char config[1024];

	snprintf(config, sizeof(config),
		 "bluetooth: {%s}\npacks:\n"
		 "  - {name: house, link: 'ble:" HOUSE "', unit: 1, " QUICK "}\n"
		 "  - {name: other, link: 'ble:" OTHER "', unit: 2, " QUICK "}\n",
		 bluetooth);
	start_daemon(config);
	await_reading(1, RECOVERY_MS);
	await_reading(2, RECOVERY_MS);
}

static void start_all(void)
{
	bluetooth_start(&bt);
}

static void stop_all(void)
{
	bluetooth_stop(&bt);
}

/* ---- faults ---- */

static void drop(void)
{
	bluetooth_say(&bt, "drop " HOUSE);
}

static void half(void)
{
	bluetooth_say(&bt, "half " HOUSE);
}

static void eof(void)
{
	bluetooth_say(&bt, "eof " HOUSE);
}

static void moved(void)
{
	bluetooth_say(&bt, "moved " HOUSE);
}

static void out(void)
{
	bluetooth_say(&bt, "out " HOUSE);
}

static void in(void)
{
	bluetooth_say(&bt, "in " HOUSE);
}

static void phone(void)
{
	bluetooth_say(&bt, "phone " HOUSE " on");
}

static void no_phone(void)
{
	bluetooth_say(&bt, "phone " HOUSE " off");
}

static void mute(void)
{
	bluetooth_say(&bt, "mute " HOUSE " on");
}

static void no_mute(void)
{
	bluetooth_say(&bt, "mute " HOUSE " off");
}

static void failing(void)
{
	bluetooth_say(&bt, "fail " HOUSE " 3");
	bluetooth_say(&bt, "drop " HOUSE);
}

static void unplug(void)
{
	bluetooth_say(&bt, "unplug hci0");
}

static void plug(void)
{
	bluetooth_say(&bt, "plug hci0 off");
}

static void power_off(void)
{
	bluetooth_say(&bt, "power hci0 off");
}

static void kill_bluez(void)
{
	bluetooth_kill(&bt);
}

static void start_bluez(void)
{
	bluetooth_serve(&bt);
	add_packs("");
	/* as one that follows a crash: the old connection is shown, but dead */
	bluetooth_say(&bt, "ghost " HOUSE " hci0");
}

static void hang(void)
{
	kill(bt.bluez, SIGSTOP);
}

static void go_on(void)
{
	kill(bt.bluez, SIGCONT);
}

static void kill_bus(void)
{
	bluetooth_kill_bus(&bt);
}

static void start_bus(void)
{
	bluetooth_serve_bus(&bt);
	bluetooth_serve(&bt);
	add_packs("");
}

static const struct fault {
	const char *name;
	void (*provoke)(void);
	void (*restore)(void); /* NULL: it ends by itself */
	bool all;	       /* the other pack suffers, too */
} faults[] = {
	{"the pack ends the connection", drop, NULL, false},
	{"... in the middle of a frame", half, NULL, false},
	{"EOF before the signals", eof, NULL, false},
	{"services go and come back elsewhere", moved, NULL, false},
	{"three connects fail in a row", failing, NULL, false},
	{"out of range", out, in, false},
	{"connected to a phone", phone, no_phone, false},
	{"connected but silent", mute, no_mute, false},
	{"adapter unplugged", unplug, plug, true},
	{"adapter powered off", power_off, NULL, true},
	{"bluetoothd killed, old link shown", kill_bluez, start_bluez, true},
	{"bluetoothd hangs", hang, go_on, true},
	{"D-Bus daemon gone", kill_bus, start_bus, true},
};

static void one_fault(const struct fault *fault, const char *mode)
{
	unsigned int polls = status(2, POLLS), failures = status(2, FAILURES);
	uint64_t ms;

	fault->provoke();
	if (fault->restore) {
		await_trouble(1, RECOVERY_MS);
		if (fault->all)
			await_trouble(2, RECOVERY_MS);
		else /* some ten polls went by */
			ck_assert_uint_ge(status(2, POLLS), polls + 5);
		fault->restore();
	}
	ms = await_reading(1, RECOVERY_MS);
	if (fault->all)
		await_reading(2, RECOVERY_MS);
	else
		ck_assert_uint_eq(status(2, FAILURES), failures);
	printf("  %-36s %-8s recovered after %4.1f s\n", fault->name, mode, (double)ms / 1000);
	fflush(stdout);
}

START_TEST(faults_are_survived)
{
	bool acquire = _i % 2;
	const struct fault *fault = &faults[_i / 2];

	start_all();
	add_packs("chunk=20");
	start_two(acquire ? "acquire: true" : "acquire: false");
	one_fault(fault, acquire ? "acquire" : "signals");
	if (!fault->restore) /* those that end by themselves come again and again */
		one_fault(fault, "again");
	stop_daemon();
	stop_all();
}
END_TEST

/* ---- traffic ---- */

static void drain(sd_bus *bus, unsigned int *count)
{
	sd_bus_message *m = NULL;

	while (sd_bus_process(bus, &m) > 0) {
		*count += m != NULL;
		m = sd_bus_message_unref(m);
	}
}

/* Everything that goes over the bus while 20 readings are taken. */
static unsigned int messages_in_20_polls(void)
{
	sd_bus *bus = NULL;
	unsigned int count = 0, polls;

	ck_assert_int_ge(sd_bus_new(&bus), 0);
	ck_assert_int_ge(sd_bus_set_address(bus, bt.address), 0);
	ck_assert_int_ge(sd_bus_set_bus_client(bus, true), 0);
	ck_assert_int_ge(sd_bus_set_monitor(bus, true), 0);
	ck_assert_int_ge(sd_bus_start(bus), 0);
	ck_assert_int_ge(sd_bus_call_method(bus, "org.freedesktop.DBus", "/org/freedesktop/DBus",
					    "org.freedesktop.DBus.Monitoring", "BecomeMonitor",
					    NULL, NULL, "asu", 0, 0),
			 0);
	/* what the monitor itself brought about has passed by the next reading */
	await_reading(1, RECOVERY_MS);
	drain(bus, &count);
	count = 0;
	polls = status(1, POLLS);
	while (status(1, POLLS) < polls + 20) {
		drain(bus, &count);
		poll(NULL, 0, 5);
	}
	drain(bus, &count);
	sd_bus_flush_close_unref(bus);
	return count;
}

START_TEST(no_message_per_poll)
{
	start_all();
	add_packs("");
	start_two("acquire: true");
	await_reading(2, RECOVERY_MS);
	ck_assert_uint_eq(messages_in_20_polls(), 0);
	stop_daemon();
	/* the counter counts: by signals, each poll is many messages */
	start_two("acquire: false");
	ck_assert_uint_gt(messages_in_20_polls(), 20 * 4);
	stop_daemon();
	/* and BlueZ's refusal leads there, too */
	bluetooth_kill(&bt);
	bluetooth_serve(&bt);
	add_packs("acquire=no");
	start_two("acquire: true");
	ck_assert_uint_gt(messages_in_20_polls(), 20 * 4);
	stop_daemon();
	stop_all();
}
END_TEST

/* ---- beginnings and ends ---- */

START_TEST(lets_go_at_exit)
{
	start_all();
	add_packs("");
	start_two("");
	ck_assert_uint_eq(bluetooth_count(&bt, "links"), 2);
	stop_daemon();
	for (int i = 0; i < 200 && bluetooth_count(&bt, "links") > 0; i++)
		poll(NULL, 0, 10);
	ck_assert_uint_eq(bluetooth_count(&bt, "links"), 0);
	ck_assert_uint_eq(bluetooth_count(&bt, "overlaps"), 0);
	ck_assert_uint_eq(bluetooth_count(&bt, "connects_while_scanning"), 0);
	stop_all();
}
END_TEST

START_TEST(ends_what_was_left_over)
{
	start_all();
	add_packs("");
	bluetooth_say(&bt, "linger " HOUSE " hci0");
	start_two("");
	daemon_wait_for(&packbridge, "house is connected already, ending that first");
	stop_daemon();
	stop_all();
}
END_TEST

static const char *const modules[] = {
	"chunk=48",
	"chunk=1",
	"service=fff0",
	"service=fff0-refusing",
	"service=fff0-refusing acquire=no",
	"service=fff0-silent",
	"service=ffe0",
	"service=ffe0 acquire=no",
	"service=ffe0 write=both dead=request",
	"service=ffe0 write=request",
	"service=ffe0-two write=both",
	"service=ffe0-two acquire=no",
	"write=request",
	"write=both dead=command",
	"write=both dead=request acquire=no",
	"wake=2",
	"manufacturer=yes noname=yes",
	"unannounced=yes rssi=127",
};

START_TEST(any_module)
{
	start_all();
	add_packs(modules[_i]);
	start_two("");
	ck_assert_uint_eq(status(1, FAILURES), 0);
	/* the next connection finds its way as well */
	drop();
	await_reading(1, RECOVERY_MS);
	stop_daemon();
	stop_all();
}
END_TEST

#define DALY "A5:C2:37:00:00:03"
#define JK   "C8:47:80:00:00:04"

static unsigned int pack_word(int unit, int addr)
{
	uint16_t word;

	modbus_set_slave(client, unit);
	ck_assert_int_eq(modbus_read_registers(client, addr, 1, &word), 1);
	return word;
}

/* JBD, Daly and JK side by side; what they are, their names and their replies tell. */
START_TEST(all_makers)
{
	static const char packs[] =
		"packs:\n"
		"  - {name: house, link: 'ble:" HOUSE "', unit: 1, " QUICK ", protocol: auto}\n"
		"  - {name: starter, link: 'ble:" DALY "', unit: 2, " QUICK ", protocol: auto}\n"
		"  - {name: solar, link: 'ble:" JK "', unit: 3, " QUICK ", protocol: auto}\n";
	static const unsigned int cells[] = {4, 14, 16};

	start_all();
	bluetooth_say(&bt, "adapter hci0 00:AA:01:00:00:00");
	bluetooth_say(&bt, "pack " HOUSE " xiaoxiang-1 lfp-4s,soc=64 manufacturer=yes");
	bluetooth_say(&bt, "pack " DALY " DL-401012 daly-nmc-14s,soc=50 service=fff0-refusing "
			   "manufacturer=daly");
	bluetooth_say(&bt, "pack " JK " 506177F49 jk-lfp-16s,soc=40 service=ffe0 mtu=131 "
			   "chunk=128 manufacturer=jk");
	start_daemon(packs);
	for (int unit = 1; unit <= 3; unit++)
		await_reading(unit, RECOVERY_MS);
	for (int unit = 1; unit <= 3; unit++)
		ck_assert_uint_eq(pack_word(unit, 30), cells[unit - 1]);
	/* it falls silent, and the reading gets old; it goes on, and so do we */
	bluetooth_say(&bt, "mute " JK " on");
	await_trouble(3, RECOVERY_MS);
	ck_assert_uint_eq(status(1, QUALITY), 1);
	bluetooth_say(&bt, "mute " JK " off");
	await_reading(3, RECOVERY_MS);
	ck_assert_uint_eq(pack_word(3, 30), 16);
	stop_daemon();
	stop_all();
}
END_TEST

static unsigned int requests_to(const char *mac)
{
	const char *counts = strstr(bluetooth_say(&bt, "stats"), mac);

	ck_assert_ptr_nonnull(counts);
	return (unsigned int)strtoul(strchr(counts, '/') + 1, NULL, 10);
}

static const char *const streams[] = {"service=ffe0", "service=ffe0-two acquire=no"};

/* A board that sends by itself is asked at each poll, as a proof that its frames are new. When it
 * stops, it is asked in the same connection; also when it has forgotten what it was told at first.
 */
START_TEST(a_stream_that_ends)
{
	unsigned int requests;

	start_all();
	bluetooth_say(&bt, "adapter hci0 00:AA:01:00:00:00");
	bluetooth_say(&bt, "pack " JK " JK_B2A8S20P jk-lfp-8s write=both %s", streams[_i]);
	start_daemon("packs:\n  - {name: solar, link: 'ble:" JK "', unit: 1, protocol: jk, " QUICK
		     "}\n");
	await_reading(1, RECOVERY_MS);
	requests = requests_to(JK);
	for (int i = 0; i < 3; i++)
		await_reading(1, RECOVERY_MS);
	ck_assert_uint_ge(requests_to(JK), requests);
	requests = requests_to(JK);
	bluetooth_say(&bt, "still " JK);
	await_reading(1, RECOVERY_MS);
	await_reading(1, RECOVERY_MS);
	ck_assert_uint_gt(requests_to(JK), requests);
	bluetooth_say(&bt, "forget " JK);
	await_trouble(1, RECOVERY_MS);
	await_reading(1, RECOVERY_MS);
	ck_assert_uint_eq(bluetooth_count(&bt, JK), 1);
	stop_daemon();
	stop_all();
}
END_TEST

START_TEST(by_name_on_the_second_adapter)
{
	start_all();
	bluetooth_say(&bt, "adapter hci0 00:AA:01:00:00:00");
	bluetooth_say(&bt, "adapter hci1 00:AA:01:00:00:01 off");
	bluetooth_say(&bt, "pack " HOUSE " xiaoxiang-7 lfp-4s adapters=hci1");
	start_daemon("packs:\n  - {name: house, link: 'ble:name=xiao*@hci1', unit: 1, " QUICK
		     "}\n");
	await_reading(1, RECOVERY_MS);
	daemon_wait_for(&packbridge, "adapter hci1 is off, switching it on");
	daemon_wait_for(&packbridge, "house is " HOUSE ", 'xiaoxiang-7'");
	stop_daemon();
	stop_all();
}
END_TEST

START_TEST(passwords_and_passkeys)
{
	start_all();
	bluetooth_say(&bt, "adapter hci0 00:AA:01:00:00:00");
	bluetooth_say(&bt, "pack " HOUSE " house lfp-4s password=123456");
	bluetooth_say(&bt, "pack " OTHER " other lfp-4s passkey=4711");
	start_daemon("packs:\n  - {name: house, link: 'ble:" HOUSE
		     "', unit: 1, password: '123456', " QUICK "}\n"
		     "  - {name: other, link: 'ble:" OTHER "', unit: 2, passkey: 4711, " QUICK
		     "}\n");
	await_reading(1, RECOVERY_MS);
	await_reading(2, RECOVERY_MS);
	stop_daemon();
	start_daemon("packs:\n  - {name: house, link: 'ble:" HOUSE "', unit: 1, " QUICK "}\n");
	daemon_wait_for(&packbridge, "perhaps it wants a password");
	stop_daemon();
	stop_all();
}
END_TEST

/* What a radio module is told and answers: from that the password could be computed. */
static bool shows_login(const char *said)
{
	return strstr(said, "FF AA 1") || strstr(said, "FFAA1") || strstr(said, "831407");
}

/* Its text; the file is gone then. */
static void take_file(const char *path, char *out, size_t cap)
{
	FILE *file = fopen(path, "r");

	ck_assert_ptr_nonnull(file);
	out[fread(out, 1, cap - 1, file)] = '\0';
	fclose(file);
	unlink(path);
}

/* Whoever shows bytes: a trace, a debug log, a recording. */
START_TEST(no_trace_has_the_password)
{
	static char recording[96];
	const char *const traces[][9] = {
		{"probe", "--trace", "-P", "831407", "ble:" HOUSE},
		{"probe", "--trace", "-P", "111111", "ble:" HOUSE}, /* and it is wrong */
		{"run", "-v", "-c", config_path},
		{"record", "-P", "831407", "-n", "2", "ble:" HOUSE, recording},
	};
	char text[512], said[32768];

	start_all();
	snprintf(recording, sizeof(recording), "%s/recording", bt.folder);
	bluetooth_say(&bt, "adapter hci0 00:AA:01:00:00:00");
	bluetooth_say(&bt, "pack " HOUSE " house lfp-4s password=831407");
	snprintf(text, sizeof(text),
		 "listen: [{tcp: '127.0.0.1:0'}]\npacks:\n  - {name: house, link: 'ble:" HOUSE
		 "', unit: 1, password: '831407', " QUICK "}\n");
	daemon_write_file(config_path, sizeof(config_path), "packbridge.yaml", text);
	if (strcmp(traces[_i][0], "run") == 0) {
		daemon_start(&packbridge, traces[_i]);
		daemon_wait_for(&packbridge, "first reading");
		memcpy(said, packbridge.said, sizeof(said) - 1);
		said[sizeof(said) - 1] = '\0';
		daemon_stop(&packbridge);
	} else {
		daemon_messages(said, sizeof(said), traces[_i]);
	}
	if (strcmp(traces[_i][0], "record") == 0)
		take_file(recording, said, sizeof(said));
	ck_assert_msg(strstr(said, "bytes of a password's dialogue"), "%s", said);
	ck_assert_msg(!shows_login(said), "%s", said);
	/* what follows is shown; a module that refused gets no request */
	ck_assert_msg(_i == 1 || strstr(said, "DD A5 03") || strstr(said, "DDA503"), "%s", said);
	stop_all();
}
END_TEST

static const char *const mistakes[] = {"password: '83140755'", "password: [831407]",
				       "passkey: 83140755", "passkey: '831407x'"};

START_TEST(no_message_has_the_password)
{
	const char *const args[] = {"check", "-c", config_path, NULL};
	char text[512], said[4096];

	snprintf(text, sizeof(text),
		 "packs:\n  - {name: house, link: 'ble:" HOUSE "', unit: 1, %s}\n", mistakes[_i]);
	daemon_write_file(config_path, sizeof(config_path), "packbridge.yaml", text);
	ck_assert_int_eq(daemon_messages(said, sizeof(said), args), 1);
	ck_assert_ptr_nonnull(strstr(said, "expected"));
	ck_assert_msg(!strstr(said, "831407"), "%s", said);
}
END_TEST

START_TEST(power_cycle_is_the_last_step)
{
	start_all();
	add_packs("");
	bluetooth_say(&bt, "fail " HOUSE " 4");
	start_daemon(
		"bluetooth: {power_cycle_after: 4}\npacks:\n  - {name: house, link: 'ble:" HOUSE
		"', unit: 1, " QUICK "}\n");
	await_reading(1, RECOVERY_MS);
	daemon_wait_for(&packbridge, "4 attempts in a row failed on adapter hci0");
	stop_daemon();
	stop_all();
}
END_TEST

/* ---- release ---- */

START_TEST(release_and_take)
{
	char answer[512];

	start_all();
	add_packs("");
	start_two("");
	{
		const char *const args[] = {"release", "-s", control, "-m", "10", "house", NULL};

		ck_assert_int_eq(daemon_output(answer, sizeof(answer), args), 0);
		ck_assert_str_eq(answer, "ok: house is free for 10 min 0 s\n");
	}
	await_trouble(1, RECOVERY_MS);
	ck_assert_uint_eq(status(1, LAST_ERROR), 11);
	ck_assert_uint_eq(bluetooth_count(&bt, "links"), 1);
	ck_assert_uint_eq(status(2, QUALITY), 1);
	{
		const char *const args[] = {"release", "-s", control, "--take", "house", NULL};

		ck_assert_int_eq(daemon_output(answer, sizeof(answer), args), 0);
	}
	await_reading(1, RECOVERY_MS);
	{
		const char *const args[] = {"release", "-s", control, "hose", NULL};

		ck_assert_int_eq(daemon_messages(answer, sizeof(answer), args), 1);
		ck_assert_str_eq(answer, "error: there is no pack 'hose'\n");
	}
	stop_daemon();
	stop_all();
}
END_TEST

/* ---- another configuration ---- */

static void reload(const char *config)
{
	const char *const args[] = {"reload", "-s", control, NULL};
	char answer[512];
	FILE *file = fopen(config_path, "w");

	ck_assert_ptr_nonnull(file);
	fprintf(file, "control: %s\nlisten:\n  - tcp: 127.0.0.1:0\n%s", control, config);
	ck_assert_int_eq(fclose(file), 0);
	ck_assert_int_eq(daemon_output(answer, sizeof(answer), args), 0);
}

#define SLOWER "poll_ms: 150, gap_ms: 1, settle_ms: 0, reply_timeout_ms: 200, stale_after_s: 1"

/* A connection outlives what does not concern it; a pack whose polling changes is connected anew,
 * though another central would not be let in before the first one has left. */
START_TEST(reload_keeps_connections)
{
	unsigned int connects;

	start_all();
	add_packs("");
	start_two("");
	await_reading(1, RECOVERY_MS);
	await_reading(2, RECOVERY_MS);
	connects = bluetooth_count(&bt, "connects");
	reload("bluetooth: {max_connections: 4}\nlimits: {charge_max_a: 20}\npacks:\n"
	       "  - {name: house, link: 'ble:" HOUSE "', unit: 1, " QUICK "}\n"
	       "  - {name: other, link: 'ble:" OTHER "', unit: 2, " SLOWER "}\n"
	       "banks:\n  - {name: both, packs: [house, other], unit: 100}\n");
	ck_assert_uint_eq(status(1, QUALITY), 1);
	await_reading(1, RECOVERY_MS);
	await_reading(2, RECOVERY_MS);
	ck_assert_uint_eq(bluetooth_count(&bt, "connects"), connects + 1);
	ck_assert_uint_eq(bluetooth_count(&bt, "links"), 2);
	/* one goes, and its connection with it */
	reload("packs:\n  - {name: house, link: 'ble:" HOUSE "', unit: 1, " QUICK "}\n");
	await_reading(1, RECOVERY_MS);
	for (int i = 0; i < 500 && bluetooth_count(&bt, "links") != 1; i++)
		poll(NULL, 0, 10);
	ck_assert_uint_eq(bluetooth_count(&bt, "links"), 1);
	ck_assert_uint_eq(bluetooth_count(&bt, "connects"), connects + 1);
	stop_daemon();
	stop_all();
}
END_TEST

/* ---- more packs than places ---- */

enum { CROWD = 8 };

START_TEST(packs_take_turns)
{
	char config[4096] = "bluetooth: {max_connections: 4, adapters: [{name: hci0, "
			    "max_connections: 2}]}\npacks:\n";
	unsigned int least = UINT32_MAX, most = 0;

	start_all();
	bluetooth_say(&bt, "adapter hci0 00:AA:01:00:00:00");
	for (int i = 1; i <= CROWD; i++) {
		size_t at = strlen(config);

		bluetooth_say(&bt, "pack A5:C2:37:00:00:%02d crowd lfp-4s connect_ms=50", i);
		snprintf(config + at, sizeof(config) - at,
			 "  - {name: pack-%d, link: 'ble:A5:C2:37:00:00:%02d', unit: %d, "
			 "poll_ms: 200, gap_ms: 1, settle_ms: 0}\n",
			 i, i, i);
	}
	start_daemon(config);
	for (int i = 1; i <= CROWD; i++)
		await_reading(i, RECOVERY_MS);
	for (int turn = 0; turn < 4; turn++)
		await_reading(1, RECOVERY_MS);
	for (int i = 1; i <= CROWD; i++) {
		unsigned int polls = status(i, POLLS);

		least = polls < least ? polls : least;
		most = polls > most ? polls : most;
		ck_assert_uint_eq(status(i, QUALITY), 1);
		ck_assert_uint_eq(status(i, FAILURES), 0);
		ck_assert_uint_ge(status(i, STALE_S), 15);
	}
	ck_assert_uint_ge(least, 3);
	ck_assert_uint_le(most, 2 * least + 3);
	ck_assert_uint_eq(bluetooth_count(&bt, "max_hci0"), 2);
	ck_assert_uint_eq(bluetooth_count(&bt, "overlaps"), 0);
	ck_assert_uint_eq(bluetooth_count(&bt, "connects_while_scanning"), 0);
	stop_daemon();
	stop_all();
}
END_TEST

/* ---- scan and probe ---- */

START_TEST(scan_finds_packs)
{
	const char *const args[] = {"scan", "--seconds", "1", NULL};
	const char *const json[] = {"scan", "--seconds", "1", "--json", NULL};
	const char *const wrong[] = {"scan", "--seconds", "3", "--adapter", "hci7", NULL};
	char said[4096];

	start_all();
	bluetooth_say(&bt, "adapter hci0 00:AA:01:00:00:00");
	bluetooth_say(&bt, "pack " HOUSE " House_1 lfp-4s manufacturer=yes rssi=-71");
	bluetooth_say(&bt, "pack 00:11:22:33:44:55 printer lfp-4s");
	bluetooth_say(&bt,
		      "pack " DALY " starter daly-lfp-4s service=fff0 rssi=-80 manufacturer=daly");
	bluetooth_say(&bt,
		      "pack " JK " 506177F49 jk-lfp-16s service=ffe0 rssi=-85 manufacturer=jk");
	ck_assert_int_eq(daemon_output(said, sizeof(said), args), 0);
	ck_assert_ptr_nonnull(strstr(said, HOUSE "  -71 dBm   hci0"));
	ck_assert_ptr_nonnull(strstr(said, "service ff00 and its own address as maker data"));
	ck_assert_ptr_nonnull(strstr(said, "  - name: house-1-1\n    link: ble:" HOUSE "\n"));
	ck_assert_ptr_nonnull(strstr(said, "service fff0 and a Daly maker id"));
	ck_assert_ptr_nonnull(strstr(said, "maker data of a JK module"));
	ck_assert_ptr_null(strstr(said, "printer"));
	ck_assert_int_eq(daemon_output(said, sizeof(said), json), 0);
	ck_assert_ptr_nonnull(strstr(said, "\"rssi_dbm\":-71"));
	ck_assert_int_eq(daemon_messages(said, sizeof(said), wrong), 1);
	ck_assert_ptr_nonnull(strstr(said, "there is no adapter hci7"));
	stop_all();
}
END_TEST

/* A name from the air is one word of a line, whatever is in it; for scan, probe and the log. */
START_TEST(names_from_the_air_are_only_names)
{
	const char *const scan[] = {"scan", "--seconds", "1", "--all", NULL};
	const char *const json[] = {"scan", "--seconds", "1", "--all", "--json", NULL};
	const char *const probe[] = {"probe", "ble:" HOUSE, NULL};
	const char *const *const commands[] = {scan, json, probe};
	char said[16384];

	start_all();
	bluetooth_say(&bt, "adapter hci0 00:AA:01:00:00:00");
	bluetooth_say(&bt, "pack " HOUSE " DL-%%1B]0;owned%%07%%0A" OTHER
			   "%%E2%%80%%AE%%C2%%9B2J%%C3%%A4 lfp-4s");
	for (size_t i = 0; i < PB_ARRAY_SIZE(commands); i++) {
		ck_assert_int_eq(daemon_output(said, sizeof(said), commands[i]), 0);
		ck_assert_msg(strstr(said, "DL-?]0;owned? " OTHER "??2J\u00e4"), "%s", said);
		ck_assert_ptr_null(strpbrk(said, "\033\007"));
		ck_assert_ptr_null(strstr(said, "\n" OTHER));
	}
	start_daemon("packs:\n  - {name: house, link: 'ble:name=DL*', unit: 1, " QUICK "}\n");
	await_reading(1, RECOVERY_MS);
	daemon_wait_for(&packbridge, "'DL-?]0;owned? " OTHER "??2J\u00e4'");
	ck_assert_ptr_null(strpbrk(packbridge.said, "\033\007"));
	stop_daemon();
	stop_all();
}
END_TEST

static const struct {
	const char *pack;   /* options of the fake's pack */
	const char *fault;  /* a command of the fake; NULL: none */
	const char *arg[2]; /* of probe */
	int exit;
	const char *says[2]; /* on stderr when it fails, else on stdout */
} probes[] = {
	{"", NULL, {0}, 0, {"protocol jbd, open", "ff01-0000-1000-8000-00805f9b34fb notify"}},
	{"password=123456", NULL, {"-P", "123456"}, 0, {"protocol jbd, password (FF AA)", ""}},
	{"password=123456",
	 NULL,
	 {0},
	 1,
	 {"perhaps it wants a password", "--password of `packbridge probe`"}},
	{"password=123456", NULL, {"-P", "111111"}, 1, {"wrong password", "maker's app"}},
	{"passkey=123456", NULL, {"-k", "123456"}, 0, {"pairing with a passkey", ", paired"}},
	{"passkey=123456", NULL, {0}, 1, {"repeats requests", "--passkey of `packbridge probe`"}},
	{"passkey=123456", NULL, {"-k", "1"}, 1, {"pairing failed: wrong passkey?", "passkey:"}},
	{"fail_ms=100", "fail " HOUSE " 9", {0}, 1, {"connected to another central", "phone app"}},
	{"", "unplug hci0", {0}, 1, {"there is no Bluetooth adapter", "plug one in"}},
	{"service=180f", NULL, {0}, 1, {"and ffe1: not a known pack", "the right device"}},
	{"service=ff06", NULL, {0}, 0, {"0000ff07 and 0000ff08", "protocol jbd"}},
	{"service=ffe0 write=both", NULL, {0}, 0, {"0000ffe1 and 0000ffe1, write without", ""}},
	{"service=all-refusing", NULL, {0}, 1, {"another program uses them", "restart bluetooth"}},
	{"service=ffe0-unpaired",
	 NULL,
	 {0},
	 1,
	 {"needs to be paired", "--passkey of `packbridge probe`"}},
	{"service=fff0-refusing", NULL, {0}, 0, {"0000ff01 and 0000ff02", "by descriptors"}},
};

START_TEST(probe_says_what_is_wrong)
{
	const char *args[] = {"probe", "ble:" HOUSE, probes[_i].arg[0], probes[_i].arg[1], NULL};
	char said[16384];
	int exit;

	start_all();
	bluetooth_say(&bt, "adapter hci0 00:AA:01:00:00:00");
	bluetooth_say(&bt, "pack " HOUSE " house lfp-4s %s", probes[_i].pack);
	if (probes[_i].fault)
		bluetooth_say(&bt, "%s", probes[_i].fault);
	exit = (probes[_i].exit ? daemon_messages : daemon_output)(said, sizeof(said), args);
	ck_assert_msg(exit == probes[_i].exit, "%d: %s", exit, said);
	for (int i = 0; i < 2; i++)
		ck_assert_msg(strstr(said, probes[_i].says[i]), "no '%s' in: %s",
			      probes[_i].says[i], said);
	/* nothing stays connected behind it */
	for (int i = 0; i < 200 && bluetooth_count(&bt, "links") > 0; i++)
		poll(NULL, 0, 10);
	ck_assert_uint_eq(bluetooth_count(&bt, "links"), 0);
	stop_all();
}
END_TEST

START_TEST(probe_without_bluetoothd_or_bus)
{
	const char *const args[] = {"probe", "ble:" HOUSE, NULL};
	char said[4096];

	start_all();
	bluetooth_kill(&bt);
	ck_assert_int_eq(daemon_messages(said, sizeof(said), args), 1);
	ck_assert_ptr_nonnull(strstr(said, "bluetoothd does not run"));
	ck_assert_ptr_nonnull(strstr(said, "systemctl start bluetooth"));
	bluetooth_kill_bus(&bt);
	ck_assert_int_eq(daemon_messages(said, sizeof(said), args), 1);
	ck_assert_ptr_nonnull(strstr(said, "no D-Bus system bus"));
	stop_all();
}
END_TEST

int main(void)
{
	TCase *tcase = tcase_create("bluetooth");

	tcase_set_timeout(tcase, 90);
	tcase_add_loop_test(tcase, faults_are_survived, 0, 2 * PB_ARRAY_SIZE(faults));
	tcase_add_test(tcase, no_message_per_poll);
	tcase_add_test(tcase, lets_go_at_exit);
	tcase_add_test(tcase, ends_what_was_left_over);
	tcase_add_test(tcase, all_makers);
	tcase_add_loop_test(tcase, a_stream_that_ends, 0, PB_ARRAY_SIZE(streams));
	tcase_add_loop_test(tcase, any_module, 0, PB_ARRAY_SIZE(modules));
	tcase_add_test(tcase, by_name_on_the_second_adapter);
	tcase_add_test(tcase, passwords_and_passkeys);
	tcase_add_loop_test(tcase, no_trace_has_the_password, 0, 4);
	tcase_add_loop_test(tcase, no_message_has_the_password, 0, PB_ARRAY_SIZE(mistakes));
	tcase_add_test(tcase, power_cycle_is_the_last_step);
	tcase_add_test(tcase, release_and_take);
	tcase_add_test(tcase, reload_keeps_connections);
	tcase_add_test(tcase, packs_take_turns);
	tcase_add_test(tcase, scan_finds_packs);
	tcase_add_test(tcase, names_from_the_air_are_only_names);
	tcase_add_loop_test(tcase, probe_says_what_is_wrong, 0, PB_ARRAY_SIZE(probes));
	tcase_add_test(tcase, probe_without_bluetoothd_or_bus);
	return pb_run_suite("bluetooth", tcase);
}
