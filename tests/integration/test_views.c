/* SPDX-License-Identifier: MIT */
/*
 * One daemon, several listeners, each with its own view of the same packs: the packs' own units,
 * other units by another map, and RTU frames over TCP. Read by libmodbus.
 */
#include "daemon.h"
#include "suite.h"

#include <errno.h>
#include <modbus.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static struct daemon packbridge;
static char maps[128];

static const char small_map[] = "map: small\n"
				"version: 1\n"
				"title: what a small inverter wants\n"
				"scope: pack\n"
				"blocks:\n"
				"  - name: all\n"
				"    tables: [holding]\n"
				"    addr: 500\n"
				"    count: 2\n"
				"    rows:\n"
				"      - {addr: 500, type: u16, field: soc_permille, unit: '%'}\n"
				"      - {addr: 501, type: u16, field: cell_count, na: 0xFFFF}\n";

static void setup(void)
{
	static char text[1024], path[160];
	const char *args[] = {"run", "-c", path, NULL};

	daemon_write_file(path, sizeof(path), "small.yaml", small_map);
	snprintf(maps, sizeof(maps), "%.*s", (int)(strrchr(path, '/') - path), path);
	setenv("PACKBRIDGE_MAPS", maps, 1); /* the others are found from the program */
	snprintf(text, sizeof(text),
		 "control: %s/views.control\n"
		 "packs:\n"
		 "  - {name: house, link: 'sim:lfp-4s,soc=64,seed=1', unit: 1, poll_ms: 200}\n"
		 "  - {name: store, link: 'sim:lfp-16s,soc=40,seed=2', unit: 17, poll_ms: 200}\n"
		 "listen:\n"
		 "  - tcp: 127.0.0.1:0\n"
		 "  - tcp: 127.0.0.2:0\n"
		 "    units:\n"
		 "      - {unit: 5, pack: store}\n"
		 "      - {unit: 17, pack: house, map: small}\n"
		 "      - {unit: 18, pack: store, map: small}\n"
		 "  - rtu-over-tcp: 127.0.0.3:0\n"
		 "    units: [{unit: 3, pack: store, map: small}]\n",
		 maps);
	daemon_write_file(path, sizeof(path), "views.yaml", text);
	daemon_start(&packbridge, args);
	daemon_wait_for(&packbridge, "house: first reading");
	daemon_wait_for(&packbridge, "store: first reading");
}

static void teardown(void)
{
	daemon_stop(&packbridge);
}

static modbus_t *connect_to(const char *host)
{
	char address[32];
	modbus_t *ctx;

	snprintf(address, sizeof(address), "%s:0", host);
	ctx = modbus_new_tcp(host, daemon_port(&packbridge, address));
	ck_assert_ptr_nonnull(ctx);
	ck_assert_int_eq(modbus_connect(ctx), 0);
	return ctx;
}

static int read_one(modbus_t *ctx, int unit, int addr)
{
	uint16_t value;

	modbus_set_slave(ctx, unit);
	return modbus_read_registers(ctx, addr, 1, &value) == 1 ? value : -errno;
}

enum { HEARTBEAT = 4, SOC = 17, GATEWAY_UNITS = 100, GOOD = 2 };

START_TEST(each_listener_has_its_units)
{
	modbus_t *usual = connect_to("127.0.0.1"), *other = connect_to("127.0.0.2");

	ck_assert_int_eq(read_one(usual, 1, SOC), 640);
	ck_assert_int_eq(read_one(usual, 17, SOC), 400);
	ck_assert_int_eq(read_one(usual, 5, SOC), -EMBXGPATH);
	ck_assert_int_eq(read_one(usual, 18, 500), -EMBXGPATH);

	ck_assert_int_eq(read_one(other, 5, SOC), 400);
	ck_assert_int_eq(read_one(other, 17, 500), 64);
	ck_assert_int_eq(read_one(other, 17, 501), 4);
	ck_assert_int_eq(read_one(other, 18, 500), 40);
	ck_assert_int_eq(read_one(other, 18, 501), 16);
	ck_assert_int_eq(read_one(other, 17, SOC), -EMBXILADD);
	ck_assert_int_eq(read_one(other, 1, SOC), -EMBXGPATH);

	modbus_free(usual);
	modbus_free(other);
}
END_TEST

/* The gateway is everywhere, and tells of the units that its listener has. */
START_TEST(gateway_tells_of_its_listener)
{
	modbus_t *usual = connect_to("127.0.0.1"), *other = connect_to("127.0.0.2");

	for (int i = 0; i < 3; i++) { /* in turn, one right behind the other */
		ck_assert_int_eq(read_one(usual, 255, GATEWAY_UNITS + 1), GOOD);
		ck_assert_int_eq(read_one(other, 255, GATEWAY_UNITS + 1), 0);
		ck_assert_int_eq(read_one(usual, 0, GATEWAY_UNITS + 5), 0);
		ck_assert_int_eq(read_one(other, 0, GATEWAY_UNITS + 5), GOOD);
		ck_assert_int_eq(read_one(other, 255, GATEWAY_UNITS + 18), GOOD);
		ck_assert_int_eq(read_one(usual, 255, 4), 2);
	}
	modbus_free(usual);
	modbus_free(other);
}
END_TEST

/* The heartbeat goes on in every view: one is not kept from it by another that was looked at. */
START_TEST(views_are_kept_up_to_date)
{
	modbus_t *usual = connect_to("127.0.0.1"), *other = connect_to("127.0.0.2");
	int first = read_one(usual, 17, HEARTBEAT), beat = read_one(other, 5, HEARTBEAT);
	uint64_t end_ms = daemon_clock_ms() + 5000;

	ck_assert_int_ge(first, 0);
	ck_assert_int_gt(beat, 0);
	while (read_one(usual, 17, HEARTBEAT) == beat && daemon_clock_ms() < end_ms)
		ck_assert_int_eq(read_one(other, 5, SOC), 400);
	ck_assert_int_ge(read_one(other, 5, HEARTBEAT), read_one(usual, 17, HEARTBEAT));
	ck_assert_int_gt(read_one(other, 5, HEARTBEAT), beat);
	modbus_free(usual);
	modbus_free(other);
}
END_TEST

START_TEST(rtu_over_tcp)
{
	modbus_t *rtu = modbus_new_rtu("/dev/null", 9600, 'N', 8, 1);
	modbus_t *tcp = connect_to("127.0.0.3");
	uint16_t values[2];

	/* libmodbus frames as on a line and sends through a socket that somebody else opened */
	modbus_set_socket(rtu, modbus_get_socket(tcp));
	modbus_set_slave(rtu, 3);
	for (int i = 0; i < 100; i++) {
		ck_assert_int_eq(modbus_read_registers(rtu, 500, 2, values), 2);
		ck_assert_uint_eq(values[0], 40);
		ck_assert_uint_eq(values[1], 16);
	}
	ck_assert_int_eq(modbus_read_registers(rtu, 0, 1, values), -1);
	ck_assert_int_eq(errno, EMBXILADD);
	/* a unit that is not ours is somebody else's */
	modbus_set_slave(rtu, 17);
	modbus_set_response_timeout(rtu, 0, 150000);
	ck_assert_int_eq(modbus_read_registers(rtu, 500, 2, values), -1);
	ck_assert_int_eq(errno, ETIMEDOUT);
	modbus_set_slave(rtu, 3);
	modbus_set_response_timeout(rtu, 1, 0);
	ck_assert_int_eq(modbus_read_registers(rtu, 500, 2, values), 2);
	modbus_set_socket(rtu, -1);
	modbus_free(rtu);
	modbus_free(tcp);
}
END_TEST

int main(void)
{
	TCase *tcase = tcase_create("views");

	tcase_add_unchecked_fixture(tcase, setup, teardown);
	tcase_set_timeout(tcase, 30);
	tcase_add_test(tcase, each_listener_has_its_units);
	tcase_add_test(tcase, gateway_tells_of_its_listener);
	tcase_add_test(tcase, views_are_kept_up_to_date);
	tcase_add_test(tcase, rtu_over_tcp);
	return pb_run_suite("views", tcase);
}
