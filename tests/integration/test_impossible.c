/* SPDX-License-Identifier: MIT */
/*
 * Boards that say impossible things, of each maker and dialect, behind serial device servers: the
 * simulator's boards, told what to say. No register shows such a value with quality 1, the last
 * reading turns old in its time, and `status` names what was said.
 */
#include "packbridge/sim.h"

#include "daemon.h"
#include "suite.h"

#include <arpa/inet.h>
#include <errno.h>
#include <jansson.h>
#include <modbus/modbus.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { PACKS = 5, STREAM_MS = 100, SOC = 80 };

static const struct {
	const char *name, *protocol;
	const struct pb_sim_board *board;
} makers[PACKS] = {
	{"jbd", "jbd", &pb_sim_jbd},	   {"d2", "daly", &pb_sim_daly_d2},
	{"p81", "daly", &pb_sim_daly_p81}, {"a5", "daly", &pb_sim_daly_a5},
	{"jk", "jk", &pb_sim_jk_new},
};

struct peer {
	int listener, connection;
	uint16_t port;
	struct pb_sim_talk talk;
	uint64_t next_ms;
};

static struct peer peers[PACKS];
static pthread_t thread;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct pb_sample told; /* by all boards; under the lock */
static atomic_bool stop;
static struct daemon packbridge;
static modbus_t *client;
static char status_socket[128];

/* ---- the packs' end ---- */

static struct pb_sample well(void)
{
	struct pb_sample s = {
		.voltage_mv = 13200,
		.soc_permille = 10 * SOC,
		.soh_permille = 1000,
		.remaining_mah = 80000,
		.full_mah = 100000,
		.nominal_mah = 100000,
		.charge_fet = true,
		.discharge_fet = true,
		.cell_count = 4,
		.cell_has = 0x0F,
		.temperature_count = 2,
		.temperature_has = 3,
		.temperature_mc = {20000, 21000},
	};

	for (int i = 0; i < 4; i++)
		s.cell_mv[i] = 3300;
	s.has = UINT64_MAX;
	pb_sample_derive(&s);
	return s;
}

static void tell(const struct pb_sample *s)
{
	pthread_mutex_lock(&lock);
	told = *s;
	pthread_mutex_unlock(&lock);
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

static void send_bytes(struct peer *peer, const uint8_t *bytes, size_t len)
{
	if (len > 0)
		send(peer->connection, bytes, len, MSG_NOSIGNAL);
}

/* Requests come whole: packbridge sends one at a time, and waits. */
static void serve_request(struct peer *peer, const struct pb_sim_board *board)
{
	uint8_t request[256], reply[PB_SIM_REPLY_MAX];
	ssize_t len = read(peer->connection, request, sizeof(request));
	size_t size;

	if (len <= 0) {
		close(peer->connection);
		peer->connection = -1;
		return;
	}
	pthread_mutex_lock(&lock);
	size = board->answer(board, &peer->talk, &told, request, (size_t)len, reply);
	pthread_mutex_unlock(&lock);
	send_bytes(peer, reply, size);
}

static void stream(struct peer *peer, const struct pb_sim_board *board)
{
	uint8_t bytes[PB_SIM_REPLY_MAX];
	size_t size;

	if (!board->stream || peer->connection < 0 || daemon_clock_ms() < peer->next_ms)
		return;
	peer->next_ms = daemon_clock_ms() + STREAM_MS;
	pthread_mutex_lock(&lock);
	size = board->stream(board, &peer->talk, &told, bytes);
	pthread_mutex_unlock(&lock);
	send_bytes(peer, bytes, size);
}

static void serve_peer(struct peer *peer, const struct pb_sim_board *board, short connection,
		       short listener)
{
	if (connection)
		serve_request(peer, board);
	if (listener) {
		if (peer->connection >= 0)
			close(peer->connection);
		peer->connection = accept(peer->listener, NULL, NULL);
		peer->talk = (struct pb_sim_talk){0};
	}
	stream(peer, board);
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
			serve_peer(&peers[i], makers[i].board, fds[2 * i].revents,
				   fds[2 * i + 1].revents);
	}
	return userdata;
}

/* ---- the daemon ---- */

static void set_up(void)
{
	struct pb_sample s = well();
	char config[2048], path[256];
	int at;

	stop = false;
	tell(&s);
	snprintf(status_socket, sizeof(status_socket), "/tmp/packbridge-impossible-%d.sock",
		 (int)getpid());
	at = snprintf(config, sizeof(config),
		      "listen: [{tcp: '127.0.0.1:0'}]\nstatus: %s\npacks:\n", status_socket);
	for (size_t i = 0; i < PACKS; i++) {
		open_peer(&peers[i]);
		at += snprintf(config + at, sizeof(config) - (size_t)at,
			       "  - {name: %s, link: 'tcp:127.0.0.1:%u', unit: %zu, protocol: %s,"
			       " poll_ms: 200, gap_ms: 0, settle_ms: 0, reply_timeout_ms: 300,"
			       " stale_after_s: 2}\n",
			       makers[i].name, peers[i].port, i + 1, makers[i].protocol);
	}
	ck_assert_int_eq(pthread_create(&thread, NULL, serve, NULL), 0);
	daemon_write_file(path, sizeof(path), "impossible.yaml", config);
	daemon_start(&packbridge, (const char *[]){"run", "-c", path, NULL});
	client = modbus_new_tcp("127.0.0.1", daemon_port(&packbridge, "127.0.0.1:0"));
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
	}
}

/* ---- registers of the map `packbridge` ---- */

enum {
	QUALITY = 1,
	VOLTAGE = 16,
	PERMILLE = 17,
	CURRENT = 18,
	COUNT = 30,
	CELLS = 100,
	TEMPERATURE = 148
};

static uint16_t words[200];

static int quality(size_t pack)
{
	modbus_set_slave(client, (int)pack + 1);
	ck_assert_int_eq(modbus_read_registers(client, 0, 16, words), 16);
	return words[QUALITY];
}

/* One reply with quality and values: what is good is what the board said when it was well. */
static void look(size_t pack)
{
	modbus_set_slave(client, (int)pack + 1);
	if (modbus_read_registers(client, 0, 100, words) < 0) {
		ck_assert_int_eq(errno, EMBXGTAR); /* too old to be shown */
		return;
	}
	ck_assert_int_eq(words[QUALITY], 1);
	ck_assert_int_eq(words[VOLTAGE], 1320);
	ck_assert_int_eq(words[PERMILLE], 10 * SOC);
	ck_assert_int_eq(words[CURRENT] | words[CURRENT + 1], 0);
	ck_assert_int_eq(words[COUNT], 4);
	if (modbus_read_registers(client, CELLS, 100, words + CELLS) < 0)
		return;
	for (size_t i = 0; i < 4; i++)
		ck_assert_int_eq(words[CELLS + i], 3300);
	ck_assert_int_eq(words[CELLS + 4], 0xFFFF);
}

static void wait_quality(int wanted)
{
	uint64_t deadline = daemon_clock_ms() + 20000;

	for (size_t i = 0; i < PACKS; i++)
		while (quality(i) != wanted) {
			ck_assert_msg(daemon_clock_ms() < deadline, "%s: quality %d, not %d",
				      makers[i].name, words[QUALITY], wanted);
			poll(NULL, 0, 10);
		}
}

/* Until no pack has a good reading any more. */
static void wait_old(void)
{
	uint64_t deadline = daemon_clock_ms() + 20000;
	bool good;

	do {
		good = false;
		ck_assert_msg(daemon_clock_ms() < deadline, "still good");
		for (size_t i = 0; i < PACKS; i++) {
			look(i);
			good |= quality(i) == 1;
		}
		poll(NULL, 0, 10);
	} while (good);
}

/* ---- what `status` says ---- */

static json_t *status(void)
{
	static char out[262144];
	json_t *all;

	ck_assert_int_eq(
		daemon_output(out, sizeof(out),
			      (const char *[]){"status", "--json", "-s", status_socket, NULL}),
		0);
	all = json_loads(out, 0, NULL);
	ck_assert_ptr_nonnull(all);
	return all;
}

/* @return its row about @field; NULL: there is none. */
static json_t *row_of(json_t *all, size_t pack, const char *field)
{
	json_t *list =
		json_object_get(json_array_get(json_object_get(all, "packs"), pack), "impossible");
	json_t *row;
	size_t i;

	json_array_foreach(list, i, row)
	{
		const char *name = json_string_value(json_object_get(row, "field"));

		if (name && strcmp(name, field) == 0)
			return row;
	}
	return NULL;
}

static json_int_t times(json_t *all, size_t pack, const char *field)
{
	return json_integer_value(json_object_get(row_of(all, pack, field), "times"));
}

/* ---- the lies ---- */

static void lie_voltage(struct pb_sample *s)
{
	s->voltage_mv = 53120; /* of sixteen cells */
}

static void lie_asleep(struct pb_sample *s)
{
	s->voltage_mv = 0;
}

static void lie_current(struct pb_sample *s)
{
	s->current_ma = -3000000; /* Daly's raw 0; all that fits in JBD's tenths */
}

static void lie_charge(struct pb_sample *s)
{
	s->soc_permille = 1010;
}

static void lie_cell(struct pb_sample *s)
{
	s->cell_mv[1] = 65535;
}

static const struct {
	const char *field;
	void (*lie)(struct pb_sample *s);
} lies[] = {
	{"voltage_mv", lie_voltage},  {"voltage_mv", lie_asleep}, {"current_ma", lie_current},
	{"soc_permille", lie_charge}, {"cell_mv", lie_cell},
};

/* For good: nothing is shown, then nothing is good; it is named; and it is over when it is over. */
START_TEST(no_reading)
{
	struct pb_sample good = well(), bad = good;
	json_t *all;

	set_up();
	wait_quality(1);
	for (size_t i = 0; i < PACKS; i++)
		look(i);
	lies[_i].lie(&bad);
	tell(&bad);
	wait_old();
	all = status();
	for (size_t i = 0; i < PACKS; i++) {
		json_t *pack = json_array_get(json_object_get(all, "packs"), i);
		const char *error = json_string_value(json_object_get(pack, "last_error"));

		ck_assert_msg(times(all, i, lies[_i].field) > 0, "%s: %s is not named",
			      makers[i].name, lies[_i].field);
		ck_assert(json_is_true(json_object_get(row_of(all, i, lies[_i].field), "reading")));
		ck_assert_msg(error && strstr(error, lies[_i].field), "%s: %s", makers[i].name,
			      error ? error : "");
	}
	json_decref(all);
	tell(&good);
	wait_quality(1);
	for (size_t i = 0; i < PACKS; i++)
		look(i);
	tear_down();
}
END_TEST

/* A probe alone: absent, no alarm, and all else goes on. Daly has a byte for it, FF says none. */
START_TEST(without_the_probe)
{
	struct pb_sample bad = well();
	uint64_t deadline = daemon_clock_ms() + 40000;
	static char out[262144];
	json_t *all;

	set_up();
	wait_quality(1);
	bad.temperature_mc[0] = 6280400;
	tell(&bad);
	do {
		ck_assert_msg(daemon_clock_ms() < deadline, "no probe is named");
		poll(NULL, 0, 10);
		all = status();
		for (size_t i = 0; i < PACKS; i++)
			look(i);
		if (times(all, 0, "temperature_mc") >= 3 && times(all, 4, "temperature_mc") >= 3)
			break;
		json_decref(all);
	} while (true);
	for (size_t i = 0; i < PACKS; i++) {
		json_t *pack = json_array_get(json_object_get(all, "packs"), i);

		ck_assert_int_eq(quality(i), 1);
		ck_assert_int_eq(modbus_read_registers(client, TEMPERATURE, 2, words), 2);
		ck_assert_msg(words[0] == 0x8000 || i == 1 || i == 2 || i == 3, "%s: %04X",
			      makers[i].name, words[0]);
		ck_assert_msg(words[0] == 0x8000 || words[0] <= 1500, "%s: %d", makers[i].name,
			      words[0]);
		ck_assert_int_eq(words[1], 210);
		ck_assert_uint_eq(json_array_size(json_object_get(pack, "alarms")), 0);
	}
	json_decref(all);
	ck_assert_int_eq(daemon_output(out, sizeof(out),
				       (const char *[]){"status", "-s", status_socket, NULL}),
			 0);
	ck_assert_ptr_nonnull(strstr(out, "\nIMPOSSIBLE\njbd: temperature_mc[0] is 6280400, "
					  "expected -40000 to 150000, left out "));
	ck_assert_int_eq(
		daemon_output(out, sizeof(out),
			      (const char *[]){"status", "--metrics", "-s", status_socket, NULL}),
		0);
	ck_assert_ptr_nonnull(strstr(out, "packbridge_impossible_values_total{pack=\"jbd\"} "));
	ck_assert_ptr_nonnull(
		strstr(out, "packbridge_impossible_readings_total{pack=\"jbd\"} 0\n"));
	tear_down();
}
END_TEST

int main(void)
{
	TCase *tcase = tcase_create("impossible");

	tcase_set_timeout(tcase, 60);
	tcase_add_loop_test(tcase, no_reading, 0, PB_ARRAY_SIZE(lies));
	tcase_add_test(tcase, without_the_probe);
	return pb_run_suite("integration/impossible", tcase);
}
