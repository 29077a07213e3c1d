/* SPDX-License-Identifier: MIT */
/*
 * The daemon with packs over Bluetooth, on a bus where another program of the same user tries to
 * speak for BlueZ: nothing that it sends changes a reading or ends a connection. And a bus on which
 * signals are lost: what they would have told is found out all the same.
 */
#include "bluetooth.h"
#include "daemon.h"
#include "suite.h"

#include "packbridge/base.h"

#include <modbus/modbus.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <systemd/sd-bus.h>
#include <unistd.h>

#define HOUSE	"A5:C2:37:00:00:01"
#define HCI0	"/org/bluez/hci0"
#define DEVICE	HCI0 "/dev_A5_C2_37_00_00_01"
#define SERVICE DEVICE "/service000e"
#define NOTIFY	SERVICE "/char000f"
#define PROPS	"org.freedesktop.DBus.Properties"
#define MANAGER "org.freedesktop.DBus.ObjectManager"

enum {
	RECOVERY_MS = 15000,
	FORGED_MS = 500, /* of forged signals, at 100 a second of each kind */
	EACH_MS = 10,
	REGS = 40,
	QUALITY = 1,
	SEQUENCE = 2,
	FAILURES = 11,
	RECONNECTS = 13,
	VOLTAGE = 16, /* 10 mV */
	CELL_MIN = 31,
};

static struct bluetooth bt;
static struct daemon packbridge;
static modbus_t *client;
static sd_bus *forger;

/* ---- the daemon and the pack ---- */

static void start_daemon(const char *bluetooth, const char *options)
{
	static char text[2048], path[128];
	const char *args[] = {"run", "-c", path, NULL};

	snprintf(text, sizeof(text),
		 "listen:\n  - tcp: 127.0.0.1:0\nbluetooth: {%s}\npacks:\n"
		 "  - {name: house, link: 'ble:" HOUSE "', unit: 1, poll_ms: 100, gap_ms: 1, "
		 "settle_ms: 0, reply_timeout_ms: 200, stale_after_s: 2%s}\n",
		 bluetooth, options);
	daemon_write_file(path, sizeof(path), "packbridge.yaml", text);
	daemon_start(&packbridge, args);
	client = modbus_new_tcp("127.0.0.1", daemon_port(&packbridge, "127.0.0.1:0"));
	ck_assert_int_eq(modbus_connect(client), 0);
	modbus_set_slave(client, 1);
	/* a late answer is measured, not taken for that of the next request */
	modbus_set_response_timeout(client, 10, 0);
}

static void start(const char *policy, const char *pack, const char *bluetooth, const char *options)
{
	bluetooth_start_with(&bt, policy);
	bluetooth_say(&bt, "adapter hci0 00:AA:01:00:00:00");
	bluetooth_say(&bt, "pack " HOUSE " house lfp-4s,soc=64 %s", pack);
	ck_assert_int_ge(sd_bus_open_system(&forger), 0);
	start_daemon(bluetooth, options);
}

static void stop(void)
{
	modbus_close(client);
	modbus_free(client);
	daemon_stop(&packbridge);
	forger = sd_bus_flush_close_unref(forger);
	bluetooth_stop(&bt);
}

static bool good(uint16_t *regs)
{
	/* a block without a reading is answered by an exception */
	memset(regs, 0, REGS * sizeof(*regs));
	return modbus_read_registers(client, 0, REGS, regs) == REGS && regs[QUALITY] == 1;
}

/* What it says is read, so that the pipe never fills and a failure can show it. */
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

static void await_reading(uint64_t ms)
{
	uint64_t end = daemon_clock_ms() + ms;
	uint16_t regs[REGS], first = 0;
	bool any = good(regs);

	first = regs[SEQUENCE];
	while (!good(regs) || (any && regs[SEQUENCE] == first)) {
		listen_to_daemon();
		ck_assert_msg(daemon_clock_ms() < end, "no reading: %s", packbridge.said);
		poll(NULL, 0, EACH_MS);
	}
}

/* ---- the forger ---- */

static sd_bus_message *begin(const char *path, const char *interface, const char *member)
{
	sd_bus_message *m = NULL;

	ck_assert_int_ge(sd_bus_message_new_signal(forger, &m, path, interface, member), 0);
	return m;
}

static sd_bus_message *changed(const char *path, const char *interface, const char *property,
			       const char *type, int value)
{
	sd_bus_message *m = begin(path, PROPS, "PropertiesChanged");

	ck_assert_int_ge(
		sd_bus_message_append(m, "sa{sv}as", interface, 1, property, type, value, 0), 0);
	return m;
}

static size_t jbd(uint8_t *frame, uint8_t reg, const uint8_t *payload, uint8_t len)
{
	unsigned int sum = len;

	memcpy(frame, (uint8_t[]){0xDD, reg, 0, len}, 4);
	for (size_t i = 0; i < len; i++)
		sum += frame[4 + i] = payload[i];
	pb_put_be16(frame + 4 + len, (uint16_t)(0x10000 - sum));
	frame[6 + len] = 0x77;
	return 7 + (size_t)len;
}

/* 6.66 V, 99 %, cells of 1111 mV: both replies of a poll at once */
static sd_bus_message *value(void)
{
	static const uint8_t basic[] = {0x02, 0x9A, 0, 0, 0x0A, 0x96, 0x0A, 0x96, 0,
					0,    0,    0, 0, 0,	0,    0,    0,	  0,
					0x10, 99,   3, 4, 2,	0x0B, 0xA5, 0x0B, 0xA5};
	static const uint8_t cells[] = {0x04, 0x57, 0x04, 0x57, 0x04, 0x57, 0x04, 0x57};
	sd_bus_message *m = begin(NOTIFY, PROPS, "PropertiesChanged");
	uint8_t frames[64];
	size_t len = jbd(frames, 3, basic, sizeof(basic));

	len += jbd(frames + len, 4, cells, sizeof(cells));
	sd_bus_message_append(m, "s", "org.bluez.GattCharacteristic1");
	sd_bus_message_open_container(m, 'a', "{sv}");
	sd_bus_message_open_container(m, 'e', "sv");
	sd_bus_message_append(m, "s", "Value");
	sd_bus_message_open_container(m, 'v', "ay");
	sd_bus_message_append_array(m, 'y', frames, len);
	for (int i = 0; i < 3; i++)
		sd_bus_message_close_container(m);
	sd_bus_message_append(m, "as", 0);
	return m;
}

static sd_bus_message *disconnected(void)
{
	return changed(DEVICE, "org.bluez.Device1", "Connected", "b", 0);
}

static sd_bus_message *unresolved(void)
{
	return changed(DEVICE, "org.bluez.Device1", "ServicesResolved", "b", 0);
}

static sd_bus_message *unpaired(void)
{
	return changed(DEVICE, "org.bluez.Device1", "Paired", "b", 0);
}

static sd_bus_message *loud(void)
{
	return changed(DEVICE, "org.bluez.Device1", "RSSI", "n", 20);
}

static sd_bus_message *off(void)
{
	return changed(HCI0, "org.bluez.Adapter1", "Powered", "b", 0);
}

static sd_bus_message *removed(const char *path, const char *interface)
{
	sd_bus_message *m = begin("/", MANAGER, "InterfacesRemoved");

	sd_bus_message_append(m, "oas", path, 1, interface);
	return m;
}

static sd_bus_message *no_adapter(void)
{
	return removed(HCI0, "org.bluez.Adapter1");
}

static sd_bus_message *no_device(void)
{
	return removed(DEVICE, "org.bluez.Device1");
}

static sd_bus_message *no_service(void)
{
	return removed(SERVICE, "org.bluez.GattService1");
}

static sd_bus_message *no_characteristic(void)
{
	return removed(NOTIFY, "org.bluez.GattCharacteristic1");
}

static sd_bus_message *added(const char *path, const char *interface, const char *property,
			     const char *type, int on)
{
	sd_bus_message *m = begin("/", MANAGER, "InterfacesAdded");

	sd_bus_message_append(m, "oa{sa{sv}}", path, 1, interface, 1, property, type, on);
	return m;
}

static sd_bus_message *off_again(void)
{
	return added(HCI0, "org.bluez.Adapter1", "Powered", "b", 0);
}

static sd_bus_message *other_adapter(void)
{
	return added("/org/bluez/hci1", "org.bluez.Adapter1", "Powered", "b", 1);
}

static sd_bus_message *device_without_connection(void)
{
	return added(DEVICE, "org.bluez.Device1", "Connected", "b", 0);
}

static sd_bus_message *owner_changed(const char *old, const char *new)
{
	sd_bus_message *m =
		begin("/org/freedesktop/DBus", "org.freedesktop.DBus", "NameOwnerChanged");

	sd_bus_message_append(m, "sss", "org.bluez", old, new);
	return m;
}

static sd_bus_message *no_owner(void)
{
	return owner_changed("org.bluez", "");
}

static sd_bus_message *another_owner(void)
{
	const char *name;

	sd_bus_get_unique_name(forger, &name);
	return owner_changed("", name);
}

static sd_bus_message *(*const kinds[])(void) = {
	value,
	disconnected,
	unresolved,
	unpaired,
	loud,
	off,
	no_adapter,
	no_device,
	no_service,
	no_characteristic,
	off_again,
	other_adapter,
	device_without_connection,
	no_owner,
	another_owner,
};

/* To everybody on the bus, one by one, and to all at once. */
static void send(sd_bus_message *m, char **names)
{
	sd_bus_message *copy;

	for (; *names; names++) {
		if ((*names)[0] != ':')
			continue;
		sd_bus_message_seal(m, 1, 0);
		copy = begin(sd_bus_message_get_path(m), sd_bus_message_get_interface(m),
			     sd_bus_message_get_member(m));
		ck_assert_int_ge(sd_bus_message_rewind(m, true), 0);
		ck_assert_int_ge(sd_bus_message_copy(copy, m, true), 0);
		ck_assert_int_ge(sd_bus_send_to(forger, copy, *names, NULL), 0);
		sd_bus_message_unref(copy);
	}
	ck_assert_int_ge(sd_bus_send(forger, m, NULL), 0);
	sd_bus_message_unref(m);
}

static void drain_forger(void)
{
	while (sd_bus_process(forger, NULL) > 0)
		;
	sd_bus_flush(forger);
}

/* ---- forged signals ---- */

/* Everything that the daemon shows is of the pack itself: 12.8 to 13.6 V. */
static void forge(sd_bus_message *(*kind)(void))
{
	uint64_t end = daemon_clock_ms() + FORGED_MS;
	char **names = NULL;
	uint16_t before[REGS], regs[REGS];

	ck_assert(good(before));
	ck_assert_int_ge(sd_bus_list_names(forger, &names, NULL), 0);
	while (daemon_clock_ms() < end) {
		send(kind(), names);
		drain_forger();
		listen_to_daemon();
		ck_assert_msg(good(regs), "quality %u: %s", regs[QUALITY], packbridge.said);
		ck_assert_uint_ge(regs[VOLTAGE], 1280);
		ck_assert_uint_le(regs[VOLTAGE], 1360);
		ck_assert_uint_ge(regs[CELL_MIN], 3200);
		poll(NULL, 0, EACH_MS);
	}
	for (char **name = names; *name; name++)
		free(*name);
	free(names);
	ck_assert_uint_ne(regs[SEQUENCE], before[SEQUENCE]);
	ck_assert_uint_eq(regs[FAILURES], before[FAILURES]);
	ck_assert_uint_eq(regs[RECONNECTS], before[RECONNECTS]);
	ck_assert_uint_eq(bluetooth_count(&bt, "connects"), 1);
}

START_TEST(forged_signals_change_nothing)
{
	start(bluetooth_debian_bus, "", _i % 2 ? "acquire: true" : "acquire: false", "");
	await_reading(RECOVERY_MS);
	forge(kinds[_i / 2]);
	stop();
}
END_TEST

/* ---- another owner ---- */

/* Answers as a bluetoothd without adapters would, until it was asked for its objects. */
static void be_bluez(void)
{
	uint64_t end = daemon_clock_ms() + RECOVERY_MS;
	bool asked = false;

	ck_assert_int_ge(sd_bus_request_name(forger, "org.bluez", 0), 0);
	while (!asked) {
		sd_bus_message *m = NULL;

		ck_assert_uint_lt(daemon_clock_ms(), end);
		ck_assert_int_ge(sd_bus_process(forger, &m), 0);
		if (!m)
			sd_bus_wait(forger, 100000);
		else if (sd_bus_message_is_method_call(m, MANAGER, "GetManagedObjects") > 0)
			asked = sd_bus_reply_method_return(m, "a{oa{sa{sv}}}", 0) >= 0;
		sd_bus_message_unref(m);
	}
	ck_assert_int_ge(sd_bus_release_name(forger, "org.bluez"), 0);
}

START_TEST(the_former_owner_has_no_say)
{
	start(bluetooth_debian_bus, "", "acquire: false", "");
	await_reading(RECOVERY_MS);
	bluetooth_kill(&bt);
	be_bluez();
	bluetooth_serve(&bt);
	bluetooth_say(&bt, "adapter hci0 00:AA:01:00:00:00");
	bluetooth_say(&bt, "pack " HOUSE " house lfp-4s,soc=64");
	await_reading(RECOVERY_MS);
	await_reading(RECOVERY_MS);
	for (size_t i = 0; i < PB_ARRAY_SIZE(kinds); i++)
		forge(kinds[i]);
	stop();
}
END_TEST

/* ---- forged replies ---- */

/* As if they answered what everybody on the bus may have called: "no objects". */
static void forge_replies(void)
{
	char **names = NULL;

	ck_assert_int_ge(sd_bus_list_names(forger, &names, NULL), 0);
	for (char **name = names; *name; name++) {
		for (uint64_t serial = 1; (*name)[0] == ':' && serial < 40; serial++) {
			sd_bus_message *call = NULL, *reply = NULL;

			ck_assert_int_ge(sd_bus_message_new_method_call(forger, &call, *name, "/",
									MANAGER, "X"),
					 0);
			ck_assert_int_ge(sd_bus_message_seal(call, serial, 0), 0);
			ck_assert_int_ge(sd_bus_message_new_method_return(call, &reply), 0);
			ck_assert_int_ge(sd_bus_message_append(reply, "a{oa{sa{sv}}}", 0), 0);
			ck_assert_int_ge(sd_bus_send_to(forger, reply, *name, NULL), 0);
			sd_bus_message_unref(reply);
			sd_bus_message_unref(call);
		}
		free(*name);
	}
	free(names);
	drain_forger();
}

/* Where the bus forwards them, as one with the policy of sessions does. The call is lost, but asked
 * again; nothing is believed. */
START_TEST(forged_replies_are_not_taken)
{
	uint64_t end;
	uint16_t regs[REGS];

	bluetooth_start_with(&bt, bluetooth_open_bus);
	bluetooth_say(&bt, "adapter hci0 00:AA:01:00:00:00");
	bluetooth_say(&bt, "pack " HOUSE " house lfp-4s,soc=64");
	ck_assert_int_ge(sd_bus_open_system(&forger), 0);
	kill(bt.bluez, SIGSTOP); /* its own replies come later */
	start_daemon("", "");
	end = daemon_clock_ms() + 2 * FORGED_MS;
	while (daemon_clock_ms() < end) {
		forge_replies();
		ck_assert(!good(regs));
		listen_to_daemon();
		ck_assert_msg(!strstr(packbridge.said, "no Bluetooth adapter"), "%s",
			      packbridge.said);
		poll(NULL, 0, EACH_MS);
	}
	daemon_wait_for(&packbridge, "answered for BlueZ");
	kill(bt.bluez, SIGCONT);
	await_reading(RECOVERY_MS);
	stop();
}
END_TEST

/* ---- the agent ---- */

static const char *const questions[] = {"RequestPasskey", "RequestPinCode"};

/* The passkey is BlueZ's to ask for. */
START_TEST(passkeys_are_not_for_everybody)
{
	unsigned int refused = 0;
	char **names = NULL;

	start(bluetooth_open_bus, "passkey=4711", "", ", passkey: 4711");
	await_reading(RECOVERY_MS);
	ck_assert_int_ge(sd_bus_list_names(forger, &names, NULL), 0);
	for (char **name = names; *name; name++) {
		sd_bus_error error = SD_BUS_ERROR_NULL;

		/* not the forger itself, nor the fake, which is asked by its own name, too */
		for (size_t i = 0; i < PB_ARRAY_SIZE(questions) && (*name)[0] == ':'; i++) {
			ck_assert_int_lt(sd_bus_call_method(forger, *name, "/org/packbridge/agent",
							    "org.bluez.Agent1", questions[i],
							    &error, NULL, "o", DEVICE),
					 0);
			refused += sd_bus_error_has_name(&error, SD_BUS_ERROR_ACCESS_DENIED) > 0;
			sd_bus_error_free(&error);
		}
		free(*name);
	}
	free(names);
	ck_assert_uint_eq(refused, PB_ARRAY_SIZE(questions));
	await_reading(RECOVERY_MS);
	stop();
}
END_TEST

/* ---- lost signals ---- */

static void await_trouble(void)
{
	uint64_t end = daemon_clock_ms() + RECOVERY_MS;
	uint16_t regs[REGS];

	while (good(regs)) {
		ck_assert_uint_lt(daemon_clock_ms(), end);
		poll(NULL, 0, EACH_MS);
	}
}

/* Adapters, devices, connections, services, bluetoothd: whatever becomes of them, no signal tells.
 * It is found out, only later. */
START_TEST(without_any_signal)
{
	start(bluetooth_deaf_bus, "", "acquire: true", "");
	await_reading(4 * RECOVERY_MS);
	bluetooth_say(&bt, "power hci0 off");
	await_trouble();
	await_reading(4 * RECOVERY_MS);
	bluetooth_kill(&bt);
	await_trouble();
	bluetooth_serve(&bt);
	bluetooth_say(&bt, "adapter hci0 00:AA:01:00:00:00");
	bluetooth_say(&bt, "pack " HOUSE " house lfp-4s,soc=64");
	await_reading(4 * RECOVERY_MS);
	stop();
}
END_TEST

/* ---- a crowd ---- */

enum { CROWD = 20000, SLOWEST_MS = 1000 };

/* Whoever is in range can announce as many devices as he likes. They are all told at the start, and
 * again while a pack is missing. The gateway answers meanwhile, and the pack is found. */
START_TEST(a_crowd_holds_nobody)
{
	uint64_t begin, slowest = 0, end = daemon_clock_ms() + 2 * RECOVERY_MS;
	uint16_t regs[REGS];
	bool found = false;

	bluetooth_start_with(&bt, bluetooth_debian_bus);
	bluetooth_say(&bt, "adapter hci0 00:AA:01:00:00:00");
	bluetooth_say(&bt, "pack " HOUSE " house lfp-4s,soc=64");
	bluetooth_say(&bt, "crowd %d", CROWD);
	ck_assert_int_ge(sd_bus_open_system(&forger), 0);
	start_daemon("", "");
	while (!found) {
		begin = daemon_clock_ms();
		listen_to_daemon();
		ck_assert_msg(begin < end, "not found: %s", packbridge.said);
		found = good(regs);
		if (daemon_clock_ms() - begin > slowest)
			slowest = daemon_clock_ms() - begin;
	}
	printf("  slowest answer while %d devices were listed: %u ms\n", CROWD,
	       (unsigned int)slowest);
	ck_assert_uint_lt(slowest, SLOWEST_MS);
	stop();
}
END_TEST

int main(void)
{
	TCase *tcase = tcase_create("forgery");

	tcase_set_timeout(tcase, 180);
	tcase_add_loop_test(tcase, forged_signals_change_nothing, 0, 2 * PB_ARRAY_SIZE(kinds));
	tcase_add_test(tcase, the_former_owner_has_no_say);
	tcase_add_test(tcase, forged_replies_are_not_taken);
	tcase_add_test(tcase, passkeys_are_not_for_everybody);
	tcase_add_test(tcase, without_any_signal);
	tcase_add_test(tcase, a_crowd_holds_nobody);
	return pb_run_suite("forgery", tcase);
}
