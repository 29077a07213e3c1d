/* SPDX-License-Identifier: MIT */
/*
 * Packs of three makers in one run: captured bytes behind serial device servers, the JK one sending
 * by itself. Three units of one map and a bank over them, read through libmodbus and by
 * `packbridge read`; then another Daly whose dialect has to be found.
 */
#include "daemon.h"
#include "frames.h"
#include "suite.h"

#include <arpa/inet.h>
#include <errno.h>
#include <modbus/modbus.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { PACKS = 4, REPLIES_MAX = 8, STREAM_MS = 200, BANK = 100 };

/* Who answers what: frames of tests/data/MAKER/frames.json, each to the request it answered. */
static const struct {
	const char *maker;
	const char *frames[REPLIES_MAX];
	const char *stream; /* sent again and again once something was asked */
} captured[PACKS] = {
	{"jbd", {"sp04s034-280ah-03", "sp04s034-280ah-04"}, NULL},
	{"daly",
	 {"d2-4s-aio-status", "d2-4s-aio-3e", "d2-settings-soc68", "d2-4s-aio-version"},
	 NULL},
	/* the device's frame is that of another pack of the same model: its own was not captured */
	{"jk", {"jk-b2a8s20p-1117-03", "jk-4s-365-01"}, "jk-4s-365-02"},
	{"daly",
	 {"a5-14s-sr-90", "a5-14s-sr-93", "a5-14s-sr-94", "a5-14s-sr-95", "a5-14s-sr-97",
	  "a5-14s-sr-98"},
	 NULL},
};

struct answer {
	struct captured entry;
	uint8_t request[32];
	size_t request_len;
};

struct peer {
	int listener, connection;
	uint16_t port;
	json_t *frames;
	size_t count;
	struct answer answers[REPLIES_MAX];
	struct captured stream;
	bool streams, asked;
	atomic_bool silent;
	uint64_t next_ms;
};

static struct peer peers[PACKS];
static pthread_t thread;
static atomic_bool stop;
static struct daemon packbridge;
static modbus_t *client;
static char endpoint[64];

/* ---- the packs' end ---- */

static void find(json_t *frames, const char *id, struct captured *ret)
{
	size_t count = json_array_size(json_object_get(frames, "entries"));

	for (size_t i = 0; i < count; i++) {
		captured_get(frames, i, ret);
		if (strcmp(ret->id, id) == 0)
			return;
	}
	ck_abort_msg("no entry %s", id);
}

static void load_peer(struct peer *peer, size_t index)
{
	char file[64];

	snprintf(file, sizeof(file), "%s/frames.json", captured[index].maker);
	peer->frames = captured_load(file);
	for (peer->count = 0; captured[index].frames[peer->count]; peer->count++) {
		struct answer *answer = &peer->answers[peer->count];
		const char *hex;
		int len;

		find(peer->frames, captured[index].frames[peer->count], &answer->entry);
		hex = json_string_value(json_object_get(answer->entry.entry, "request_hex"));
		len = pb_hex_parse(hex, answer->request, sizeof(answer->request));
		ck_assert_int_gt(len, 0);
		answer->request_len = (size_t)len;
	}
	peer->streams = captured[index].stream;
	if (peer->streams)
		find(peer->frames, captured[index].stream, &peer->stream);
}

static void open_peer(struct peer *peer)
{
	struct sockaddr_in address = {.sin_family = AF_INET,
				      .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t len = sizeof(address);

	peer->connection = -1;
	peer->listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	ck_assert_int_eq(bind(peer->listener, (struct sockaddr *)&address, len), 0);
	ck_assert_int_eq(listen(peer->listener, 4), 0);
	ck_assert_int_eq(getsockname(peer->listener, (struct sockaddr *)&address, &len), 0);
	peer->port = ntohs(address.sin_port);
}

/* Requests come whole: packbridge sends one at a time, and waits. */
static void serve_request(struct peer *peer)
{
	uint8_t request[256];
	ssize_t len = read(peer->connection, request, sizeof(request));

	if (len <= 0) {
		close(peer->connection);
		peer->connection = -1;
		return;
	}
	for (size_t i = 0; i < peer->count && !peer->silent; i++) {
		struct answer *answer = &peer->answers[i];

		if (answer->request_len != (size_t)len ||
		    memcmp(answer->request, request, (size_t)len) != 0)
			continue;
		send(peer->connection, answer->entry.bytes, answer->entry.len, MSG_NOSIGNAL);
		peer->asked = true;
	}
}

static void serve_peer(struct peer *peer, short connection, short listener)
{
	if (connection)
		serve_request(peer);
	if (listener) {
		if (peer->connection >= 0)
			close(peer->connection);
		peer->connection = accept(peer->listener, NULL, NULL);
		peer->asked = false;
	}
	if (!peer->streams || !peer->asked || peer->silent || peer->connection < 0 ||
	    daemon_clock_ms() < peer->next_ms)
		return;
	peer->next_ms = daemon_clock_ms() + STREAM_MS;
	send(peer->connection, peer->stream.bytes, peer->stream.len, MSG_NOSIGNAL);
}

static void *serve(void *userdata)
{
	struct pollfd fds[2 * PACKS];

	while (!stop) {
		for (size_t i = 0; i < PACKS; i++) {
			fds[2 * i] = (struct pollfd){.fd = peers[i].connection, .events = POLLIN};
			fds[2 * i + 1] = (struct pollfd){.fd = peers[i].listener, .events = POLLIN};
		}
		poll(fds, 2 * PACKS, 20);
		for (size_t i = 0; i < PACKS; i++)
			serve_peer(&peers[i], fds[2 * i].revents, fds[2 * i + 1].revents);
	}
	return userdata;
}

/* ---- the daemon ---- */

static void set_up(void)
{
	static const char *const packs[PACKS] = {"house", "starter", "solar", "cart"};
	static const char *const protocols[PACKS] = {"jbd", "auto", "jk", "daly"};
	char config[2048], path[256];
	int at = snprintf(config, sizeof(config), "listen: [{tcp: '127.0.0.1:0'}]\npacks:\n");

	for (size_t i = 0; i < PACKS; i++) {
		load_peer(&peers[i], i);
		open_peer(&peers[i]);
		at += snprintf(config + at, sizeof(config) - (size_t)at,
			       "  - {name: %s, link: 'tcp:127.0.0.1:%u', unit: %zu, protocol: %s,"
			       " poll_ms: 500, gap_ms: 0, settle_ms: 0, reply_timeout_ms: 200,"
			       " stale_after_s: 3}\n",
			       packs[i], peers[i].port, i + 1, protocols[i]);
	}
	snprintf(config + at, sizeof(config) - (size_t)at,
		 "banks: [{name: camper, packs: [house, starter, solar], unit: %d}]\n", BANK);
	ck_assert_int_eq(pthread_create(&thread, NULL, serve, NULL), 0);
	daemon_write_file(path, sizeof(path), "makers.yaml", config);
	daemon_start(&packbridge, (const char *[]){"run", "-c", path, NULL});
	snprintf(endpoint, sizeof(endpoint), "tcp:127.0.0.1:%u",
		 daemon_port(&packbridge, "127.0.0.1:0"));
	client = modbus_new_tcp("127.0.0.1", atoi(endpoint + strlen("tcp:127.0.0.1:")));
	ck_assert_int_eq(modbus_connect(client), 0);
}

static void tear_down(void)
{
	modbus_close(client);
	modbus_free(client);
	daemon_stop(&packbridge);
	stop = true;
	pthread_join(thread, NULL);
	for (size_t i = 0; i < PACKS; i++) {
		close(peers[i].listener);
		if (peers[i].connection >= 0)
			close(peers[i].connection);
		json_decref(peers[i].frames);
	}
}

/* ---- registers of the map `packbridge` ---- */

enum {
	VOLTAGE = 16, /* 0.01 V */
	SOC = 17,     /* 0.1 % */
	CURRENT = 18, /* mA, two words */
	CYCLES = 23,
	REMAINING = 24, /* mAh, two words */
	NOMINAL = 26,
	CELL_COUNT = 30,
	CHARGE_FET = 40,
	DISCHARGE_FET = 41,
	ALARM_MASK = 44,
	MOS_TEMPERATURE = 53, /* 0.1 degC */
	FIRMWARE = 84,
	CELLS = 100,
	TEMPERATURES = 148,
	NO_S16 = -32768,
};

static uint16_t words[250];

static void read_unit(int unit)
{
	modbus_set_slave(client, unit);
	ck_assert_int_eq(modbus_read_registers(client, 0, 100, words), 100);
	ck_assert_int_eq(modbus_read_registers(client, 100, 100, words + 100), 100);
}

static int32_t number(int addr)
{
	return (int32_t)((uint32_t)words[addr] << 16 | words[addr + 1]);
}

/* The expected value of a captured field, in thousandths. */
static int64_t expected(const struct captured *entry, const char *key)
{
	const json_t *value = captured_expect(entry, key);

	ck_assert_msg(value != NULL, "%s has no %s", entry->id, key);
	return (int64_t)(json_number_value(value) * 1000 +
			 (json_number_value(value) < 0 ? -0.5 : 0.5));
}

/* All that the makers have in common, against the captures. */
static void check_unit(int unit, const struct captured *pack, const struct captured *cells)
{
	const json_t *list = captured_expect(cells, "cell_voltages_v");

	read_unit(unit);
	ck_assert_int_eq(words[1], 1);
	ck_assert_int_eq(words[VOLTAGE], (expected(pack, "total_voltage_v") + 5) / 10);
	ck_assert_int_eq(number(CURRENT), expected(pack, "current_a"));
	ck_assert_int_eq(words[SOC], expected(pack, "soc_percent") / 100);
	ck_assert_int_eq(words[CYCLES], expected(pack, "cycles") / 1000);
	ck_assert_int_eq(number(REMAINING), expected(pack, "capacity_remaining_ah"));
	ck_assert_int_eq(words[CHARGE_FET], json_is_true(captured_expect(pack, "charge_fet")));
	ck_assert_int_eq(words[DISCHARGE_FET],
			 json_is_true(captured_expect(pack, "discharge_fet")));
	ck_assert_int_eq(words[CELL_COUNT], (int)json_array_size(list));
	for (size_t i = 0; i < json_array_size(list); i++)
		ck_assert_int_eq(words[CELLS + i],
				 (int)(json_number_value(json_array_get(list, i)) * 1000 + 0.5));
	ck_assert_int_eq(words[CELLS + json_array_size(list)], 0xFFFF);
}

static void check_packs(void)
{
	const struct captured *jk = &peers[2].stream;

	check_unit(1, &peers[0].answers[0].entry, &peers[0].answers[1].entry);
	ck_assert_int_eq((int16_t)words[MOS_TEMPERATURE], NO_S16);
	ck_assert_int_eq(words[FIRMWARE], 0);
	check_unit(2, &peers[1].answers[0].entry, &peers[1].answers[0].entry);
	ck_assert_int_eq(words[MOS_TEMPERATURE], 380);
	ck_assert_int_eq(words[TEMPERATURES + 3], 230);
	ck_assert_int_eq(number(NOMINAL), 105000);
	ck_assert_int_eq(words[FIRMWARE], 'T' << 8 | '0');
	check_unit(3, jk, jk);
	ck_assert_int_eq(words[MOS_TEMPERATURE], 374);
	ck_assert_int_eq(words[TEMPERATURES], 300);
	ck_assert_int_eq(words[TEMPERATURES + 1], 304);
	ck_assert_int_eq(number(NOMINAL), 320000); /* came along, with the settings */
	ck_assert_int_eq(number(ALARM_MASK), 524288);
	ck_assert_int_eq(words[22], 790); /* state of health */
}

/* The old Daly: its dialect, its cells in parts, and no value for what it was not asked. */
static void check_dialect(void)
{
	read_unit(4);
	ck_assert_int_eq(words[1], 1);
	ck_assert_int_eq(words[VOLTAGE], 5280);
	ck_assert_int_eq(number(CURRENT), -25600);
	ck_assert_int_eq(words[CELL_COUNT], 14);
	ck_assert_int_eq(words[CELLS + 13], 3776);
	ck_assert_int_eq(words[CELLS + 14], 0xFFFF);
	ck_assert_int_eq(number(REMAINING), 20000);
	ck_assert_int_eq((int16_t)words[TEMPERATURES], NO_S16);
	ck_assert_int_eq(number(NOMINAL), -1);
}

/* Side by side: mean voltage, the sum of the currents and charges, the extreme cells. */
static void check_bank(void)
{
	int32_t jbd = 13320, daly = 14000, jk = 13405;

	modbus_set_slave(client, BANK);
	ck_assert_int_eq(modbus_read_registers(client, 0, 100, words), 100);
	ck_assert_int_eq(words[1], 1);
	ck_assert_int_eq(words[7], 3);
	ck_assert_int_eq(number(16), (jbd + daly + jk) / 3);
	ck_assert_int_eq(number(18), 0 + 3000 + 33292);
	ck_assert_int_eq(number(24), 268250 + 345600 + 165500);
}

/* `packbridge read`: the same names for all. */
static void check_read(void)
{
	static const char *const names[] = {"voltage_mv", "current_ma",	    "soc_permille",
					    "cell_mv",	  "temperature_mc", "charge_fet",
					    "cycles",	  "remaining_mah",  "nominal_mah"};
	static char out[65536];

	for (int unit = 1; unit <= 3; unit++) {
		char number_text[8];
		json_t *object;

		snprintf(number_text, sizeof(number_text), "%d", unit);
		ck_assert_int_eq(daemon_output(out, sizeof(out),
					       (const char *[]){"read", "--json", "-u", number_text,
								endpoint, NULL}),
				 0);
		object = json_loads(out, 0, NULL);
		ck_assert_msg(object != NULL, "%s", out);
		for (size_t i = 0; i < PB_ARRAY_SIZE(names); i++)
			ck_assert_msg(strstr(out, names[i]) != NULL, "unit %d: no %s in %s", unit,
				      names[i], out);
		json_decref(object);
	}
}

static void wait_quality(int unit, int quality)
{
	uint64_t deadline = daemon_clock_ms() + 20000;

	do {
		ck_assert_msg(daemon_clock_ms() < deadline, "unit %d is not %d", unit, quality);
		poll(NULL, 0, 10);
		modbus_set_slave(client, unit);
		ck_assert_int_eq(modbus_read_registers(client, 0, 16, words), 16);
	} while (words[1] != quality);
}

START_TEST(three_makers)
{
	set_up();
	daemon_wait_for(&packbridge,
			"pack starter: first reading: 14.00 V, 4 cells, protocol daly D2");
	daemon_wait_for(&packbridge,
			"pack cart: first reading: 52.80 V, 14 cells, protocol daly A5");
	for (int unit = 1; unit <= PACKS; unit++)
		wait_quality(unit, 1);
	/* what is asked for behind the first reading shows from the second on */
	modbus_set_slave(client, 2);
	do {
		poll(NULL, 0, 10);
		ck_assert_int_eq(modbus_read_registers(client, 0, 16, words), 16);
	} while (words[2] < 2);
	check_packs();
	check_dialect();
	check_bank();
	check_read();

	/* JK's stops sending: its unit turns old, and good again when it goes on */
	peers[2].silent = true;
	wait_quality(3, 2);
	modbus_set_slave(client, 3);
	ck_assert_int_eq(modbus_read_registers(client, VOLTAGE, 1, words), -1);
	ck_assert_int_eq(errno, EMBXGTAR);
	wait_quality(BANK, 1);
	ck_assert_int_eq(words[7], 2);
	peers[2].silent = false;
	wait_quality(3, 1);
	for (int unit = 1; unit <= 2; unit++)
		wait_quality(unit, 1);
	check_packs();
	tear_down();
}
END_TEST

int main(void)
{
	TCase *tcase = tcase_create("makers");

	tcase_set_timeout(tcase, 60);
	tcase_add_test(tcase, three_makers);
	return pb_run_suite("integration/makers", tcase);
}
