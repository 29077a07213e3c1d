/* SPDX-License-Identifier: MIT */
/*
 * Captured packs behind serial device servers, `packbridge run` in the middle, libmodbus as the
 * client: every value must come out of the register that the exported map names. Then a pack falls
 * silent, its unit turns stale as documented while the others go on, and it comes back.
 */
#include "daemon.h"
#include "suite.h"

#include "packbridge/base.h"

#include <arpa/inet.h>
#include <errno.h>
#include <jansson.h>
#include <math.h>
#include <modbus/modbus.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/* real packs with both a basic and a cell frame in tests/data/jbd/frames.json */
static const struct {
	const char *basic, *cells;
} captured[] = {
	{"sp04s034-280ah-03", "sp04s034-280ah-04"},
	{"dh04sc02-03", "dh04sc02-04"},
	{"sp10s009-8s-03", "sp10s009-8s-04"},
	{"sp15s001-11s-03-discharge", "sp15s001-11s-04"},
	{"aces-4s-03", "aces-4s-04"},
	{"berger-200-03", "berger-200-04"},
};

enum { PACKS = PB_ARRAY_SIZE(captured), STALE_S = 2 };

struct peer {
	int listener, connection;
	uint16_t port;
	atomic_bool silent;
	uint8_t basic[300], cells[300];
	size_t basic_len, cells_len;
	const json_t *expect_basic, *expect_cells;
};

struct bench {
	json_t *frames, *map;
	struct peer peers[PACKS];
	pthread_t thread;
	atomic_bool stop;
	struct daemon daemon;
	modbus_t *client;
};

/* ---- the packs' end ---- */

static const json_t *entry(const json_t *frames, const char *id)
{
	const json_t *found;
	size_t i;

	json_array_foreach(json_object_get(frames, "entries"), i, found)
	{
		if (strcmp(json_string_value(json_object_get(found, "id")), id) == 0)
			return found;
	}
	ck_abort_msg("no entry %s", id);
	return NULL;
}

static size_t load_frame(const json_t *from, uint8_t *out, size_t cap)
{
	const json_t *frame = json_object_get(from, "frame"), *chunk;
	size_t len = 0, i;
	int r;

	if (frame) {
		r = pb_hex_parse(json_string_value(frame), out, cap);
		ck_assert_int_gt(r, 0);
		return (size_t)r;
	}
	json_array_foreach(json_object_get(from, "chunks"), i, chunk)
	{
		r = pb_hex_parse(json_string_value(chunk), out + len, cap - len);
		ck_assert_int_gt(r, 0);
		len += (size_t)r;
	}
	return len;
}

static void open_peer(struct peer *peer, const json_t *frames, size_t index)
{
	struct sockaddr_in address = {.sin_family = AF_INET,
				      .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t len = sizeof(address);
	const json_t *basic = entry(frames, captured[index].basic);
	const json_t *cells = entry(frames, captured[index].cells);

	peer->connection = -1;
	peer->basic_len = load_frame(basic, peer->basic, sizeof(peer->basic));
	peer->cells_len = load_frame(cells, peer->cells, sizeof(peer->cells));
	peer->expect_basic = json_object_get(basic, "expect");
	peer->expect_cells = json_object_get(cells, "expect");
	peer->listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	ck_assert_int_ge(peer->listener, 0);
	ck_assert_int_eq(bind(peer->listener, (struct sockaddr *)&address, len), 0);
	ck_assert_int_eq(listen(peer->listener, 4), 0);
	ck_assert_int_eq(getsockname(peer->listener, (struct sockaddr *)&address, &len), 0);
	peer->port = ntohs(address.sin_port);
}

static void reply(struct peer *peer, uint8_t command)
{
	const uint8_t refusal[] = {0xDD, command, 0x80, 0, 0xFF, 0x80, 0x77};
	const uint8_t *bytes = command == 3 ? peer->basic : command == 4 ? peer->cells : refusal;
	size_t len = command == 3   ? peer->basic_len
		     : command == 4 ? peer->cells_len
				    : sizeof(refusal);
	size_t half = len / 2;

	/* in two pieces, as a device server's packing timer may cut it */
	if (send(peer->connection, bytes, half, MSG_NOSIGNAL) == (ssize_t)half)
		send(peer->connection, bytes + half, len - half, MSG_NOSIGNAL);
}

static void serve_peer(struct peer *peer)
{
	uint8_t request[256];
	ssize_t len = recv(peer->connection, request, sizeof(request), 0);

	if (len <= 0) {
		close(peer->connection);
		peer->connection = -1;
		return;
	}
	/* one whole 7-byte request at a time is what the session promises */
	if (!peer->silent && len == 7 && request[0] == 0xDD && request[1] == 0xA5)
		reply(peer, request[2]);
}

static void *run_peers(void *userdata)
{
	struct bench *bench = userdata;

	while (!bench->stop) {
		struct pollfd fds[2 * PACKS];

		for (size_t i = 0; i < PACKS; i++) {
			fds[i] = (struct pollfd){.fd = bench->peers[i].listener, .events = POLLIN};
			fds[PACKS + i] =
				(struct pollfd){.fd = bench->peers[i].connection, .events = POLLIN};
		}
		poll(fds, 2 * PACKS, 50);
		for (size_t i = 0; i < PACKS; i++) {
			struct peer *peer = &bench->peers[i];

			if (fds[PACKS + i].revents)
				serve_peer(peer);
			if (fds[i].revents) {
				if (peer->connection >= 0)
					close(peer->connection);
				peer->connection =
					accept4(peer->listener, NULL, NULL, SOCK_CLOEXEC);
			}
		}
	}
	return NULL;
}

/* ---- the map, as a client knows it ---- */

static const json_t *row_of(const struct bench *bench, const char *field, int index)
{
	const json_t *row;
	size_t i;

	json_array_foreach(json_object_get(bench->map, "rows"), i, row)
	{
		const json_t *at = json_object_get(row, "index");
		const char *table =
			json_string_value(json_array_get(json_object_get(row, "table"), 0));
		const char *name = json_string_value(json_object_get(row, "field"));

		if (!name || strcmp(name, field) != 0 || strcmp(table, "input") != 0)
			continue;
		if (index < 0 ? json_is_null(at) : json_integer_value(at) == index)
			return row;
	}
	ck_abort_msg("the map has no %s", field);
	return NULL;
}

/* @return 0 with the raw value, or the errno of libmodbus */
static int read_raw(struct bench *bench, int unit, const json_t *row, int64_t *ret)
{
	const char *type = json_string_value(json_object_get(row, "type"));
	int addr = (int)json_integer_value(json_object_get(row, "address"));
	int words = (int)json_integer_value(json_object_get(row, "words"));
	uint16_t regs[4];

	ck_assert_int_le(words, 4);
	ck_assert_int_eq(modbus_set_slave(bench->client, unit), 0);
	if (modbus_read_registers(bench->client, addr, words, regs) != words)
		return errno;
	*ret = regs[0];
	for (int i = 1; i < words; i++)
		*ret = *ret << 16 | regs[i];
	if (type[0] == 's' && words == 1)
		*ret = (int16_t)*ret;
	if (type[0] == 's' && words == 2)
		*ret = (int32_t)*ret;
	return 0;
}

static int64_t raw(struct bench *bench, int unit, const char *field, int index)
{
	int64_t value = 0;
	int r = read_raw(bench, unit, row_of(bench, field, index), &value);

	ck_assert_msg(r == 0, "unit %d %s: %s", unit, field, modbus_strerror(r));
	return value;
}

static void check_value(struct bench *bench, int unit, const char *field, int index,
			double expected)
{
	const json_t *row = row_of(bench, field, index);
	double scale = json_number_value(json_object_get(row, "scale"));
	double seen = (double)raw(bench, unit, field, index) * scale;

	ck_assert_msg(fabs(seen - expected) <= scale / 2 + 1e-9, "unit %d %s[%d]: %g, expected %g",
		      unit, field, index, seen, expected);
}

static void check_absent(struct bench *bench, int unit, const char *field, int index)
{
	const json_t *row = row_of(bench, field, index);

	ck_assert_int_eq(raw(bench, unit, field, index),
			 json_integer_value(json_object_get(row, "na")));
}

static double number(const json_t *object, const char *key)
{
	const json_t *value = json_object_get(object, key);

	ck_assert_msg(json_is_number(value) || json_is_boolean(value), "no %s", key);
	return json_is_boolean(value) ? json_is_true(value) : json_number_value(value);
}

static void check_basic(struct bench *bench, int unit, const json_t *expect)
{
	static const struct {
		const char *field, *key;
	} values[] = {
		{"voltage_mv", "total_voltage_v"},
		{"current_ma", "current_a"},
		{"soc_permille", "soc_percent"},
		{"remaining_mah", "capacity_remaining_ah"},
		{"nominal_mah", "capacity_full_ah"},
		{"cycles", "cycles"},
		{"protection_mask", "protection_mask"},
		{"balance_mask", "balance_mask"},
		{"version", "version_raw"},
		{"cell_count", "cell_count"},
		{"charge_fet", "charge_fet"},
		{"discharge_fet", "discharge_fet"},
	};
	const json_t *temperatures = json_object_get(expect, "temperatures_c");
	size_t count = json_array_size(temperatures);

	for (size_t i = 0; i < PB_ARRAY_SIZE(values); i++)
		check_value(bench, unit, values[i].field, -1, number(expect, values[i].key));
	check_value(bench, unit, "temperature_count", -1, (double)count);
	for (size_t i = 0; i < count; i++)
		check_value(bench, unit, "temperature_mc", (int)i,
			    json_number_value(json_array_get(temperatures, i)));
	check_absent(bench, unit, "temperature_mc", (int)count);
}

static void check_cells(struct bench *bench, int unit, const json_t *expect)
{
	const json_t *cells = json_object_get(expect, "cell_voltages_v");
	const json_t *row = row_of(bench, "cell_mv", 0);
	double unit_v =
		strcmp(json_string_value(json_object_get(row, "unit")), "mV") == 0 ? 1000 : 1;
	size_t count = json_array_size(cells);

	for (size_t i = 0; i < count; i++)
		check_value(bench, unit, "cell_mv", (int)i,
			    json_number_value(json_array_get(cells, i)) * unit_v);
	check_absent(bench, unit, "cell_mv", (int)count);
}

/* ---- the course of the test ---- */

static void wait_quality(struct bench *bench, int unit, int64_t quality)
{
	uint64_t deadline = daemon_clock_ms() + 15000;

	while (raw(bench, unit, "quality", -1) != quality) {
		ck_assert_msg(daemon_clock_ms() < deadline, "unit %d does not reach quality %d",
			      unit, (int)quality);
		poll(NULL, 0, 10);
	}
}

static void set_up(struct bench *bench)
{
	static char export[1 << 20];
	char config[4096], path[128];
	size_t at =
		(size_t)snprintf(config, sizeof(config), "listen:\n  - tcp: 127.0.0.1:0\npacks:\n");

	memset(bench, 0, sizeof(*bench));
	bench->frames = json_load_file(PB_TEST_DATA "/jbd/frames.json", 0, NULL);
	ck_assert_ptr_nonnull(bench->frames);
	ck_assert_int_eq(daemon_output(export, sizeof(export),
				       (const char *[]){"map", "export", "packbridge", "--format",
							"json", NULL}),
			 0);
	bench->map = json_loads(export, 0, NULL);
	ck_assert_ptr_nonnull(bench->map);
	for (size_t i = 0; i < PACKS; i++) {
		open_peer(&bench->peers[i], bench->frames, i);
		at += (size_t)snprintf(config + at, sizeof(config) - at,
				       "  - {name: p%zu, link: 'tcp:127.0.0.1:%u', unit: %zu,"
				       " poll_ms: 100, gap_ms: 0, settle_ms: 0,"
				       " reply_timeout_ms: 300, tries: 2, stale_after_s: %d}\n",
				       i + 1, bench->peers[i].port, i + 1, STALE_S);
	}
	ck_assert_int_eq(pthread_create(&bench->thread, NULL, run_peers, bench), 0);
	daemon_write_file(path, sizeof(path), "packbridge.yaml", config);
	daemon_start(&bench->daemon, (const char *[]){"run", "-c", path, NULL});
	bench->client = modbus_new_tcp("127.0.0.1", daemon_port(&bench->daemon, "127.0.0.1:0"));
	ck_assert_int_eq(modbus_connect(bench->client), 0);
}

static void tear_down(struct bench *bench)
{
	modbus_close(bench->client);
	modbus_free(bench->client);
	daemon_stop(&bench->daemon);
	bench->stop = true;
	pthread_join(bench->thread, NULL);
	for (size_t i = 0; i < PACKS; i++) {
		close(bench->peers[i].listener);
		if (bench->peers[i].connection >= 0)
			close(bench->peers[i].connection);
	}
	json_decref(bench->frames);
	json_decref(bench->map);
}

static void check_gateway(struct bench *bench, int64_t online)
{
	uint16_t regs[8];

	for (int i = 0; i < 2; i++) {
		modbus_set_slave(bench->client, i ? 255 : 0);
		ck_assert_int_eq(modbus_read_input_registers(bench->client, 0, 8, regs), 8);
	}
	modbus_set_slave(bench->client, 99);
	ck_assert_int_eq(modbus_read_registers(bench->client, 0, 1, regs), -1);
	ck_assert_int_eq(errno, EMBXGPATH);
	for (int unit = 1; unit <= PACKS; unit++)
		online -= raw(bench, unit, "quality", -1) == 1;
	ck_assert_int_eq(online, 0);
}

/* Until the data turns into an exception, each answer that was given must have been young. */
static void wait_stale(struct bench *bench, int unit)
{
	const json_t *voltage = row_of(bench, "voltage_mv", -1);
	uint64_t deadline = daemon_clock_ms() + 15000;
	int64_t value;
	int r;

	for (;;) {
		r = read_raw(bench, unit, voltage, &value);
		if (r == EMBXGTAR)
			break;
		ck_assert_msg(r == 0, "%s", modbus_strerror(r));
		ck_assert_msg(daemon_clock_ms() < deadline, "unit %d does not turn stale", unit);
		poll(NULL, 0, 10);
	}
	ck_assert_int_ge(raw(bench, unit, "age_s", -1), STALE_S);
	ck_assert_int_ne(raw(bench, unit, "quality", -1), 1);
}

START_TEST(captured_packs)
{
	static struct bench bench;
	int64_t sequence;

	set_up(&bench);
	for (int unit = 1; unit <= PACKS; unit++) {
		wait_quality(&bench, unit, 1);
		check_basic(&bench, unit, bench.peers[unit - 1].expect_basic);
		check_cells(&bench, unit, bench.peers[unit - 1].expect_cells);
	}
	check_gateway(&bench, PACKS);

	bench.peers[1].silent = true;
	wait_stale(&bench, 2);
	sequence = raw(&bench, 2, "sequence", -1);
	ck_assert_int_gt(raw(&bench, 2, "failures", -1), 0);
	ck_assert_int_eq(raw(&bench, 2, "last_error", -1), 3);
	/* the others did not notice */
	for (int unit = 1; unit <= PACKS; unit++) {
		if (unit == 2)
			continue;
		ck_assert_int_eq(raw(&bench, unit, "quality", -1), 1);
		ck_assert_int_eq(raw(&bench, unit, "failures", -1), 0);
		check_basic(&bench, unit, bench.peers[unit - 1].expect_basic);
	}

	bench.peers[1].silent = false;
	wait_quality(&bench, 2, 1);
	ck_assert_int_gt(raw(&bench, 2, "sequence", -1), sequence);
	check_basic(&bench, 2, bench.peers[1].expect_basic);
	check_cells(&bench, 2, bench.peers[1].expect_cells);
	tear_down(&bench);
}
END_TEST

int main(void)
{
	TCase *tcase = tcase_create("daemon");

	tcase_set_timeout(tcase, 100);
	tcase_add_test(tcase, captured_packs);
	return pb_run_suite("integration/daemon", tcase);
}
