/* SPDX-License-Identifier: MIT */
/*
 * The TCP server, its clients in the same process: the clients' sockets do not block, and the event
 * loop is turned by hand until what is awaited is there.
 */
#include "packbridge/base.h"
#include "packbridge/server.h"
#include "suite.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <malloc.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <systemd/sd-event.h>
#include <unistd.h>

enum {
	PATIENCE_MS = 10000, /* for what must come; a test that waits so long has failed */
	TURN_US = 5000,
	ALARM_US = 30000,
	LATE_MS = 1000,
	REQUEST_LEN = 12,
	REPLY_LEN = 9 + 2 * PB_READ_REGISTERS_MAX,
};

static uint8_t registers[2 * PB_READ_REGISTERS_MAX], bits[1] = {0x55};
static const uint8_t writable[1] = {1};
static const struct pb_block blocks[] = {
	{PB_TABLE_HOLDING | PB_TABLE_INPUT, PB_FAULT_NONE, 0, PB_READ_REGISTERS_MAX, registers,
	 NULL},
	{PB_TABLE_DISCRETE, PB_FAULT_NONE, 0, 8, bits, NULL},
	{PB_TABLE_HOLDING, PB_FAULT_SILENT, 1000, 1, registers, writable},
};

/* never asked: the unit is old */
static enum pb_exception take_write(void *userdata, const struct pb_peer *peer, enum pb_table table,
				    uint16_t addr, uint16_t count, const uint8_t *bytes)
{
	(void)userdata;
	(void)peer;
	(void)bytes;
	ck_abort_msg("a write of %u from %u on in table %d", count, addr, table);
	return PB_EXCEPTION_NONE;
}

static const struct pb_image image = {
	.blocks = blocks, .block_count = PB_ARRAY_SIZE(blocks), .write = take_write};
static const struct pb_image short_image = {.blocks = blocks + 1, .block_count = 1};

/* What whoever answers requests may do: set a timer, when unit 2 is asked. */
static sd_event_source *alarm_clock;

static bool may_control; /* of the peer that asked last */

static bool owns(void *userdata, uint8_t id)
{
	(void)userdata;
	return id == 1 || id == 2;
}

static const struct pb_image *unit(void *userdata, const struct pb_peer *peer, uint8_t id,
				   uint64_t now_ms)
{
	ck_assert(strncmp(peer->name, "127.0.0.", 8) == 0 || strcmp(peer->name, "::1") == 0);
	(void)userdata;
	may_control = peer->may_control;
	ck_assert_uint_le(now_ms, pb_now_ms());
	if (alarm_clock && id == 2) {
		sd_event_source_set_time_relative(alarm_clock, ALARM_US);
		sd_event_source_set_enabled(alarm_clock, SD_EVENT_ONESHOT);
	}
	return id == 1 ? &image : id == 2 ? &short_image : NULL;
}

static const struct pb_server_backend backend = {.owns = owns, .unit = unit};

static sd_event *event;
static struct pb_hub *hub;
static struct pb_server *server;

static void open_server(const char *address, uint32_t max_clients)
{
	struct pb_server_config config = {.address = address, .max_clients = max_clients};
	char why[512] = "";
	int r = pb_server_tcp_new(&server, hub, &config, &backend, NULL, why, sizeof(why));

	ck_assert_msg(r == 0, "%d %s", r, why);
	ck_assert_uint_ne(pb_server_port(server), 0);
}

static void setup(void)
{
	for (size_t i = 0; i < PB_READ_REGISTERS_MAX; i++)
		pb_put_be16(registers + 2 * i, (uint16_t)(0x1000 + i));
	ck_assert_int_ge(sd_event_new(&event), 0);
	ck_assert_int_eq(pb_hub_new(&hub, event), 0);
	open_server("127.0.0.1:0", 64);
}

static void teardown(void)
{
	server = pb_server_free(server);
	hub = pb_hub_free(hub);
	event = sd_event_unref(event);
}

static struct pb_server_stats stats(void)
{
	struct pb_server_stats ret;

	pb_server_stats(server, &ret);
	return ret;
}

/* @return whether the loop had anything to do */
static bool turn(void)
{
	int r = sd_event_run(event, 0);

	ck_assert_int_ge(r, 0);
	return r > 0;
}

static void settle(void)
{
	while (turn())
		;
}

/*
 * A non-blocking client; the loop has not turned yet. @buffer: bytes that its kernel holds, 0 for
 * the usual ones. Set before it connects: a window that shrinks later is opened again by a timer
 * only.
 */
static int connect_sized(const char *host, uint16_t port, int buffer)
{
	struct sockaddr_in v4 = {.sin_family = AF_INET, .sin_port = htons(port)};
	struct sockaddr_in6 v6 = {.sin6_family = AF_INET6, .sin6_port = htons(port)};
	bool is_v6 = strchr(host, ':') != NULL;
	int fd = socket(is_v6 ? AF_INET6 : AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	int r;

	ck_assert_int_ge(fd, 0);
	if (buffer) {
		ck_assert_int_eq(setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &buffer, sizeof(buffer)), 0);
		ck_assert_int_eq(setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &buffer, sizeof(buffer)), 0);
	}
	if (is_v6) {
		ck_assert_int_eq(inet_pton(AF_INET6, host, &v6.sin6_addr), 1);
		r = connect(fd, (const struct sockaddr *)&v6, sizeof(v6));
	} else {
		ck_assert_int_eq(inet_pton(AF_INET, host, &v4.sin_addr), 1);
		r = connect(fd, (const struct sockaddr *)&v4, sizeof(v4));
	}
	ck_assert_msg(r == 0, "connect to %s port %u: %s", host, port, strerror(errno));
	ck_assert_int_eq(fcntl(fd, F_SETFL, O_NONBLOCK), 0);
	return fd;
}

static int connect_to(const char *host, uint16_t port)
{
	return connect_sized(host, port, 0);
}

static int accepted_client(int buffer)
{
	uint32_t accepted = stats().accepted;
	uint64_t end = pb_now_ms() + PATIENCE_MS;
	int fd = connect_sized("127.0.0.1", pb_server_port(server), buffer);

	while (stats().accepted == accepted && pb_now_ms() < end)
		sd_event_run(event, TURN_US);
	ck_assert_uint_eq(stats().accepted, accepted + 1);
	return fd;
}

static int connect_client(void)
{
	return accepted_client(0);
}

static void put(int fd, const void *bytes, size_t len)
{
	ck_assert_int_eq(send(fd, bytes, len, MSG_NOSIGNAL), (ssize_t)len);
}

/*
 * Takes up to @want bytes, turning the loop meanwhile.
 * @return what came before the server closed or patience ended; *@ret_closed says which.
 */
static size_t take(int fd, uint8_t *bytes, size_t want, bool *ret_closed)
{
	uint64_t end = pb_now_ms() + PATIENCE_MS;
	size_t len = 0;

	*ret_closed = false;
	while (len < want && pb_now_ms() < end) {
		ssize_t n = recv(fd, bytes + len, want - len, 0);

		if (n > 0) {
			len += (size_t)n;
		} else if (n == 0 || errno != EAGAIN) {
			*ret_closed = true;
			break;
		} else {
			sd_event_run(event, TURN_US);
		}
	}
	return len;
}

static void expect(int fd, const void *bytes, size_t len)
{
	uint8_t got[1024];
	bool closed;

	ck_assert_uint_le(len, sizeof(got));
	ck_assert_uint_eq(take(fd, got, len, &closed), len);
	ck_assert_mem_eq(got, bytes, len);
}

static void expect_hex(int fd, const char *hex)
{
	uint8_t bytes[512];
	int len = pb_hex_parse(hex, bytes, sizeof(bytes));

	ck_assert_int_gt(len, 0);
	expect(fd, bytes, (size_t)len);
}

static void put_hex(int fd, const char *hex)
{
	uint8_t bytes[512];
	int len = pb_hex_parse(hex, bytes, sizeof(bytes));

	ck_assert_int_gt(len, 0);
	put(fd, bytes, (size_t)len);
}

static void expect_closed(int fd)
{
	uint8_t byte;
	bool closed;

	ck_assert_uint_eq(take(fd, &byte, 1, &closed), 0);
	ck_assert(closed);
}

static void expect_silence(int fd)
{
	uint8_t byte;

	settle();
	ck_assert_int_eq(recv(fd, &byte, 1, 0), -1);
	ck_assert_int_eq(errno, EAGAIN);
}

/* request number @transaction, for @count registers from 0 */
static void make_request(uint8_t *adu, uint16_t transaction, uint8_t count)
{
	static const uint8_t model[REQUEST_LEN] = {0, 0, 0, 0, 0, 6, 1, 3, 0, 0, 0, 0};

	memcpy(adu, model, sizeof(model));
	pb_put_be16(adu, transaction);
	adu[11] = count;
}

static void put_request(int fd, uint16_t transaction, uint8_t count)
{
	uint8_t adu[REQUEST_LEN];

	make_request(adu, transaction, count);
	put(fd, adu, sizeof(adu));
}

static void expect_reply(int fd, uint16_t transaction, uint8_t count)
{
	uint8_t adu[REPLY_LEN] = {
		0, 0, 0, 0, 0, (uint8_t)(3 + 2 * count), 1, 3, (uint8_t)(2 * count)};

	pb_put_be16(adu, transaction);
	memcpy(adu + 9, registers, 2 * (size_t)count);
	expect(fd, adu, 9 + 2 * (size_t)count);
}

static void check_served(int fd)
{
	put_request(fd, 0xBEEF, 3);
	expect_reply(fd, 0xBEEF, 3);
}

/* ---- requests ---- */

START_TEST(requests_and_exceptions)
{
	int fd = connect_client();

	put_hex(fd, "0001 0000 0006 01 04 0000 0002");
	expect_hex(fd, "0001 0000 0007 01 04 04 1000 1001");
	put_hex(fd, "0002 0000 0006 01 03 007D 0001");
	expect_hex(fd, "0002 0000 0003 01 83 02");
	put_hex(fd, "0003 0000 0002 01 63");
	expect_hex(fd, "0003 0000 0003 01 E3 01");
	ck_assert_uint_eq(stats().clients, 1);
	ck_assert_uint_eq(stats().requests, 3);
	ck_assert_uint_eq(stats().exceptions, 2);
	close(fd);
	settle();
	ck_assert_uint_eq(stats().clients, 0);
	ck_assert_uint_eq(stats().malformed, 0);
}
END_TEST

START_TEST(several_units_on_one_connection)
{
	int fd = connect_client();

	put_hex(fd, "0001 0000 0006 01 03 0000 0001 0002 0000 0006 02 02 0000 0008"
		    "0003 0000 0006 02 03 0000 0001 0004 0000 0006 07 03 0000 0001"
		    "0005 0000 0006 01 03 0001 0001");
	expect_hex(fd, "0001 0000 0005 01 03 02 1000 0002 0000 0004 02 02 01 55"
		       "0003 0000 0003 02 83 02 0004 0000 0003 07 83 0A"
		       "0005 0000 0005 01 03 02 1001");
	close(fd);
}
END_TEST

/* A unit that would be silent on a line holds up no other unit of the connection. */
START_TEST(no_silence)
{
	int fd = connect_client();

	put_hex(fd, "0001 0000 0006 01 03 03E8 0001 0002 0000 0006 02 02 0000 0008"
		    "0003 0000 0006 01 06 03E8 0001 0004 0000 0006 01 03 03E7 0002");
	expect_hex(fd, "0001 0000 0003 01 83 0B 0002 0000 0004 02 02 01 55"
		       "0003 0000 0003 01 86 0B 0004 0000 0003 01 83 02");
	ck_assert_uint_eq(stats().requests, 4);
	ck_assert_uint_eq(stats().exceptions, 3);
	check_served(fd);
	close(fd);
}
END_TEST

/* as long as the length field says, whatever the function would need */
START_TEST(framed_by_length)
{
	int fd = connect_client();

	/* what stands behind the read is a write that must not be seen */
	put_hex(fd, "0001 0000 000C 01 03 0000 0001 06 0000 FFFF 00"
		    "0002 0000 0004 01 03 0000 0003 0000 0006 01 03 0000 0001");
	expect_hex(fd, "0001 0000 0003 01 83 03 0002 0000 0003 01 83 03"
		       "0003 0000 0005 01 03 02 1000");
	ck_assert_uint_eq(stats().requests, 3);
	close(fd);
}
END_TEST

START_TEST(pipelined)
{
	uint8_t adus[100 * REQUEST_LEN];
	int fd = connect_client();

	for (uint16_t i = 0; i < 100; i++)
		make_request(adus + i * REQUEST_LEN, i, (uint8_t)(1 + i % PB_READ_REGISTERS_MAX));
	put(fd, adus, sizeof(adus));
	for (uint16_t i = 0; i < 100; i++)
		expect_reply(fd, i, (uint8_t)(1 + i % PB_READ_REGISTERS_MAX));
	ck_assert_uint_eq(stats().requests, 100);
	expect_silence(fd);
	close(fd);
}
END_TEST

START_TEST(byte_by_byte)
{
	uint8_t adu[REQUEST_LEN];
	int fd = connect_client();

	for (uint16_t i = 0; i < 3; i++) {
		make_request(adu, i, 2);
		for (size_t byte = 0; byte < sizeof(adu); byte++) {
			ck_assert_uint_eq(stats().requests, i);
			put(fd, adu + byte, 1);
			settle();
		}
		expect_reply(fd, i, 2);
	}
	close(fd);
}
END_TEST

/* cut at each place, the second part together with the next request */
START_TEST(cut_anywhere)
{
	uint8_t adus[2 * REQUEST_LEN];
	int fd = connect_client();

	for (uint16_t cut = 1; cut < sizeof(adus); cut++) {
		make_request(adus, cut, 5);
		make_request(adus + REQUEST_LEN, (uint16_t)(cut + 500), 6);
		put(fd, adus, cut);
		settle();
		put(fd, adus + cut, sizeof(adus) - cut);
		expect_reply(fd, cut, 5);
		expect_reply(fd, (uint16_t)(cut + 500), 6);
	}
	close(fd);
}
END_TEST

START_TEST(largest_frame)
{
	uint8_t adu[PB_TCP_ADU_MAX] = {0, 9, 0, 0, 0, 254, 1, 0x41};
	int fd = connect_client();

	put(fd, adu, sizeof(adu));
	expect_hex(fd, "0009 0000 0003 01 C1 01");
	check_served(fd);
	close(fd);
}
END_TEST

/* ---- the end of a connection ---- */

START_TEST(half_close)
{
	uint8_t adus[3 * REQUEST_LEN];
	int fd = connect_client();

	for (uint16_t i = 0; i < 3; i++)
		make_request(adus + i * REQUEST_LEN, i, PB_READ_REGISTERS_MAX);
	put(fd, adus, sizeof(adus));
	ck_assert_int_eq(shutdown(fd, SHUT_WR), 0);
	for (uint16_t i = 0; i < 3; i++)
		expect_reply(fd, i, PB_READ_REGISTERS_MAX);
	expect_closed(fd);
	ck_assert_uint_eq(stats().clients, 0);
	ck_assert_uint_eq(stats().malformed, 0);
	close(fd);
}
END_TEST

START_TEST(reset_by_the_client)
{
	struct linger linger = {.l_onoff = 1};
	int fd = connect_client(), other = connect_client();

	for (uint16_t i = 0; i < 50; i++)
		put_request(fd, i, PB_READ_REGISTERS_MAX);
	ck_assert_int_eq(setsockopt(fd, SOL_SOCKET, SO_LINGER, &linger, sizeof(linger)), 0);
	close(fd);
	settle();
	ck_assert_uint_eq(stats().clients, 1);
	check_served(other);
	close(other);
}
END_TEST

START_TEST(freed_with_clients)
{
	int fd = connect_client(), half = connect_client();

	check_served(fd);
	put(half, "\0\1\0", 3);
	settle();
	server = pb_server_free(server);
	ck_assert(!turn());
	expect_closed(fd);
	expect_closed(half);
	close(fd);
	close(half);
	ck_assert_ptr_null(pb_server_free(NULL));
}
END_TEST

static const char *const malformed[] = {
	"0001 0005 0006 01 03 0000 0001", /* protocol id */
	"0001 0100 0006 01 03 0000 0001",
	"0001 0000 0000 01 03 0000 0001", /* lengths */
	"0001 0000 0001 01 03 0000 0001",
	"0001 0000 00FF 01 03 0000 0001",
	"0001 0000 FFFF",
	"0001 0005",
	"160301020001000100fc0303", /* TLS */
	"474554202f20485454502f312e310d0a0d0a",
};

START_TEST(no_modbus)
{
	int fd = connect_client(), other = connect_client();

	put_hex(fd, malformed[_i]);
	expect_closed(fd);
	ck_assert_uint_eq(stats().malformed, 1);
	ck_assert_uint_eq(stats().requests, 0);
	ck_assert_uint_eq(stats().clients, 1);
	check_served(other);
	close(fd);
	close(other);
}
END_TEST

START_TEST(requests_before_no_modbus)
{
	uint8_t adus[2 * REQUEST_LEN + 6] = {0};
	int fd = connect_client();

	make_request(adus, 1, 4);
	make_request(adus + REQUEST_LEN, 2, 4);
	adus[2 * REQUEST_LEN + 2] = 0xFF;
	put(fd, adus, sizeof(adus));
	expect_reply(fd, 1, 4);
	expect_reply(fd, 2, 4);
	expect_closed(fd);
	ck_assert_uint_eq(stats().malformed, 1);
	close(fd);
}
END_TEST

/* ---- a client that does not take its replies ---- */

/* sends requests until the server reads no more. @return how many went out whole */
static uint32_t stuff(int fd, size_t *ret_rest)
{
	uint8_t adu[REQUEST_LEN];
	uint32_t count = 0;
	size_t at = 0;

	make_request(adu, 0, PB_READ_REGISTERS_MAX);
	while (count < 10000000) {
		ssize_t n = send(fd, adu + at, sizeof(adu) - at, MSG_NOSIGNAL);

		if (n < 0) {
			ck_assert_int_eq(errno, EAGAIN);
			if (!turn() && send(fd, adu + at, 0, MSG_NOSIGNAL) == 0 && !turn())
				break;
			continue;
		}
		at += (size_t)n;
		if (at == sizeof(adu)) {
			at = 0;
			count++;
			make_request(adu, (uint16_t)count, PB_READ_REGISTERS_MAX);
		}
	}
	*ret_rest = at;
	return count;
}

static int connect_small(void)
{
	return accepted_client(4096);
}

START_TEST(slow_reader)
{
	int fd = connect_small(), other = connect_client();
	uint8_t adu[REQUEST_LEN];
	size_t allocated, rest;
	uint32_t sent, answered;

	check_served(fd);
	allocated = mallinfo2().uordblks;
	sent = stuff(fd, &rest);
	answered = stats().requests - 1;
	ck_assert_uint_lt(answered, sent); /* it was held up, not served into memory */
	ck_assert_uint_eq(mallinfo2().uordblks, allocated);
	ck_assert(!turn()); /* and it costs nothing while it waits */
	check_served(other);

	if (rest > 0) { /* the last one went out in part */
		make_request(adu, (uint16_t)sent, PB_READ_REGISTERS_MAX);
		for (uint32_t i = 0; i < sent; i++)
			expect_reply(fd, (uint16_t)i, PB_READ_REGISTERS_MAX);
		put(fd, adu + rest, sizeof(adu) - rest);
		expect_reply(fd, (uint16_t)sent, PB_READ_REGISTERS_MAX);
	} else {
		for (uint32_t i = 0; i < sent; i++)
			expect_reply(fd, (uint16_t)i, PB_READ_REGISTERS_MAX);
	}
	expect_silence(fd);
	check_served(fd);
	close(fd);
	close(other);
}
END_TEST

/* what the kernel holds for a client that does not read is bounded as well */
START_TEST(slow_reader_in_the_kernel)
{
	int fd = connect_small();
	size_t rest;

	stuff(fd, &rest);
	ck_assert_uint_lt(stats().requests * REPLY_LEN, 512 * 1024);
	close(fd);
}
END_TEST

/* its good requests are answered, though it was held up and then spoilt its stream */
START_TEST(slow_reader_then_no_modbus)
{
	uint8_t adus[40 * REQUEST_LEN + 6] = {0};
	int fd = connect_small();
	uint32_t sent = 0;

	/* fill the way to the client until the server is held up with input left over */
	while (sent < 100000) {
		uint32_t before = stats().requests;

		for (uint16_t i = 0; i < 4; i++)
			make_request(adus + i * REQUEST_LEN, (uint16_t)(sent + i),
				     PB_READ_REGISTERS_MAX);
		put(fd, adus, 4 * REQUEST_LEN);
		sent += 4;
		settle();
		if (stats().requests == before)
			break;
	}
	put(fd, "\0\0\0\7\0\0", 6);
	settle();
	for (uint32_t i = 0; i < sent; i++)
		expect_reply(fd, (uint16_t)i, PB_READ_REGISTERS_MAX);
	expect_closed(fd);
	ck_assert_uint_eq(stats().malformed, 1);
	close(fd);
}
END_TEST

/* the last batch before the spoilt part goes out only in part: the rest still follows */
START_TEST(batch_held_up_by_no_modbus)
{
	for (uint32_t lead = 0; lead < 400; lead += 7) {
		uint8_t adus[13 * REQUEST_LEN + 6] = {0};
		int fd = connect_small();

		for (uint32_t i = 0; i < lead; i++) {
			put_request(fd, (uint16_t)i, PB_READ_REGISTERS_MAX);
			settle();
		}
		for (uint16_t i = 0; i < 13; i++)
			make_request(adus + i * REQUEST_LEN, (uint16_t)(lead + i),
				     PB_READ_REGISTERS_MAX);
		adus[13 * REQUEST_LEN + 3] = 7;
		put(fd, adus, sizeof(adus));
		settle();
		for (uint32_t i = 0; i < lead + 13; i++)
			expect_reply(fd, (uint16_t)i, PB_READ_REGISTERS_MAX);
		expect_closed(fd);
		close(fd);
	}
}
END_TEST

START_TEST(half_closed_slow_reader)
{
	int fd = connect_small();
	uint32_t sent = 0;

	do {
		put_request(fd, (uint16_t)sent++, PB_READ_REGISTERS_MAX);
		settle();
	} while (stats().requests == sent && sent < 100000);
	ck_assert_int_eq(shutdown(fd, SHUT_WR), 0);
	settle();
	for (uint32_t i = 0; i < sent; i++)
		expect_reply(fd, (uint16_t)i, PB_READ_REGISTERS_MAX);
	expect_closed(fd);
	close(fd);
}
END_TEST

/* ---- many clients ---- */

START_TEST(many_clients_one_turn)
{
	int fds[32];
	uint32_t before;

	for (size_t i = 0; i < PB_ARRAY_SIZE(fds); i++)
		fds[i] = connect_client();
	settle();
	before = stats().requests;
	for (size_t i = 0; i < PB_ARRAY_SIZE(fds); i++)
		put_request(fds[i], (uint16_t)i, PB_READ_REGISTERS_MAX);
	ck_assert(turn());
	ck_assert_uint_eq(stats().requests - before, PB_ARRAY_SIZE(fds));
	for (size_t i = 0; i < PB_ARRAY_SIZE(fds); i++) {
		expect_reply(fds[i], (uint16_t)i, PB_READ_REGISTERS_MAX);
		close(fds[i]);
	}
}
END_TEST

/* a client with a megabyte of requests gets a bounded part of a turn */
START_TEST(fair)
{
	uint8_t adus[2000 * REQUEST_LEN];
	int flood = connect_client(), victim = connect_client();
	uint32_t before;

	settle();
	for (uint16_t i = 0; i < 2000; i++)
		make_request(adus + i * REQUEST_LEN, i, 1);
	put(flood, adus, sizeof(adus));
	put_request(victim, 77, 1);
	before = stats().requests;
	ck_assert(turn());
	ck_assert_uint_le(stats().requests - before, 200);
	expect_reply(victim, 77, 1);
	for (uint16_t i = 0; i < 2000; i++)
		expect_reply(flood, i, 1);
	close(flood);
	close(victim);
}
END_TEST

/* ---- beside what is always ready ---- */

static int others_had; /* turns */

/* Ends the loop when the client at @userdata has its reply, or after too many turns without. */
static int always_ready(sd_event_source *source, void *userdata)
{
	uint8_t reply[REPLY_LEN];

	(void)source;
	if (recv(*(int *)userdata, reply, sizeof(reply), MSG_PEEK) == REPLY_LEN ||
	    ++others_had == 1000)
		sd_event_exit(event, 0);
	return 0;
}

/* Packs that flood, people who ask: the sockets have their turn behind each single thing. */
START_TEST(served_whatever_else_is_ready)
{
	sd_event_source *others[4];
	int fd = connect_client();

	others_had = 0;
	for (int i = 0; i < _i; i++) {
		ck_assert_int_ge(sd_event_add_defer(event, &others[i], always_ready, &fd), 0);
		ck_assert_int_ge(sd_event_source_set_enabled(others[i], SD_EVENT_ON), 0);
	}
	put_request(fd, 1, 125);
	ck_assert_int_eq(pb_hub_run(hub), 0);
	ck_assert_int_le(others_had, 2);
	for (int i = 0; i < _i; i++)
		sd_event_source_disable_unref(others[i]);
	close(fd);
}
END_TEST

/* Asks unit 1 @count times without a pause, then unit 2, and keeps quiet until it is killed. */
static void ask_in_a_row(int fd, int count)
{
	uint8_t request[] = {0, 1, 0, 0, 0, 6, 1, 3, 0, 0, 0, 1}, reply[64];

	fcntl(fd, F_SETFL, 0);
	for (int i = 0; i <= count; i++) {
		request[6] = i < count ? 1 : 2;
		if (send(fd, request, sizeof(request), MSG_NOSIGNAL) != sizeof(request) ||
		    recv(fd, reply, sizeof(reply), 0) <= 0)
			_exit(1);
	}
	for (;;)
		pause();
}

/* Nothing but the hub looks whether one was set in a client's turn: no other thing is ready. */
START_TEST(timer_set_by_whoever_answers)
{
	sd_event_source *late;
	int fd = connect_client(), status;
	uint64_t begin;
	pid_t pid;

	settle();
	/* without a handler they end the loop */
	ck_assert_int_ge(sd_event_add_time_relative(event, &late, CLOCK_BOOTTIME, 1000 * LATE_MS, 0,
						    NULL, NULL),
			 0);
	ck_assert_int_ge(
		sd_event_add_time(event, &alarm_clock, CLOCK_BOOTTIME, UINT64_MAX, 1, NULL, NULL),
		0);
	sd_event_source_set_enabled(alarm_clock, SD_EVENT_OFF);
	pid = fork();
	ck_assert_int_ge(pid, 0);
	if (pid == 0)
		ask_in_a_row(fd, _i);
	begin = pb_now_ms();
	ck_assert_int_ge(pb_hub_run(hub), 0);
	ck_assert_uint_lt(pb_now_ms() - begin, LATE_MS);
	alarm_clock = sd_event_source_disable_unref(alarm_clock);
	sd_event_source_disable_unref(late);
	close(fd);
	ck_assert_int_eq(kill(pid, SIGKILL), 0);
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	ck_assert(WIFSIGNALED(status));
}
END_TEST

START_TEST(longest_idle_is_evicted)
{
	int a, b, c, d;

	server = pb_server_free(server);
	open_server("127.0.0.1:0", 3);
	a = connect_client();
	b = connect_client();
	c = connect_client();
	check_served(a);
	put(b, "\0\1\0", 3); /* half a header is no request: it does not keep a place */
	settle();
	d = connect_client();
	expect_closed(b);
	ck_assert_uint_eq(stats().clients, 3);
	ck_assert_uint_eq(stats().evicted, 1);
	check_served(d);
	check_served(c);
	check_served(a);
	close(b);
	b = connect_client(); /* now d is the one that asked longest ago */
	expect_closed(d);
	check_served(a);
	check_served(b);
	check_served(c);
	close(a);
	close(b);
	close(c);
	close(d);
}
END_TEST

/* However many come at once and ask nothing, those who work stay. */
START_TEST(a_storm_pushes_itself_out)
{
	int worker, fds[20];

	server = pb_server_free(server);
	open_server("127.0.0.1:0", 4);
	worker = connect_client();
	check_served(worker);
	for (size_t i = 0; i < PB_ARRAY_SIZE(fds); i++)
		fds[i] = connect_client();
	ck_assert_uint_eq(stats().evicted, PB_ARRAY_SIZE(fds) - 3);
	for (size_t i = 0; i < PB_ARRAY_SIZE(fds) - 3; i++)
		expect_closed(fds[i]);
	check_served(worker);
	check_served(fds[PB_ARRAY_SIZE(fds) - 1]); /* the last one in is not the first one out */
	for (size_t i = 0; i < PB_ARRAY_SIZE(fds); i++)
		close(fds[i]);
	close(worker);
}
END_TEST

static int connect_from(const char *host)
{
	struct sockaddr_in from = {.sin_family = AF_INET},
			   to = {.sin_family = AF_INET, .sin_port = htons(pb_server_port(server))};
	uint32_t accepted = stats().accepted;
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	ck_assert_int_eq(inet_pton(AF_INET, host, &from.sin_addr), 1);
	ck_assert_int_eq(inet_pton(AF_INET, "127.0.0.1", &to.sin_addr), 1);
	ck_assert_int_eq(bind(fd, (struct sockaddr *)&from, sizeof(from)), 0);
	if (connect(fd, (struct sockaddr *)&to, sizeof(to)) < 0)
		ck_assert_int_eq(errno, EINPROGRESS);
	while (stats().accepted == accepted)
		sd_event_run(event, TURN_US);
	return fd;
}

/* A machine with more busy clients than there are places takes them from itself only. */
START_TEST(many_of_one_address)
{
	int quiet[2], busy[12];

	server = pb_server_free(server);
	open_server("127.0.0.1:0", 6);
	for (int i = 0; i < 2; i++) {
		quiet[i] = connect_from(i ? "127.0.0.2" : "127.0.0.3");
		check_served(quiet[i]);
	}
	for (int i = 0; i < 12; i++) {
		busy[i] = connect_from("127.0.0.1");
		check_served(busy[i]);
	}
	ck_assert_uint_eq(stats().evicted, 12 - 4);
	for (int i = 0; i < 12 - 4; i++)
		expect_closed(busy[i]);
	for (int i = 0; i < 2; i++) {
		check_served(quiet[i]);
		close(quiet[i]);
	}
	for (int i = 0; i < 12; i++)
		close(busy[i]);
}
END_TEST

/* With places as few as addresses, who comes back takes nobody's but its own. */
START_TEST(one_that_comes_back_again_and_again)
{
	int quiet, busy[8];

	server = pb_server_free(server);
	open_server("127.0.0.1:0", 2);
	quiet = connect_from("127.0.0.2");
	check_served(quiet);
	for (int i = 0; i < 8; i++) {
		busy[i] = connect_from("127.0.0.1");
		check_served(busy[i]);
	}
	check_served(quiet);
	for (int i = 0; i < 8; i++)
		close(busy[i]);
	close(quiet);
}
END_TEST

static void open_with(struct pb_server_config config)
{
	char why[512] = "";

	server = pb_server_free(server);
	config.address = "127.0.0.1:0";
	config.max_clients = 64;
	ck_assert_int_eq(pb_server_tcp_new(&server, hub, &config, &backend, NULL, why, sizeof(why)),
			 0);
}

static void await_clients(uint32_t count)
{
	uint64_t end = pb_now_ms() + PATIENCE_MS;

	while (stats().clients != count && pb_now_ms() < end)
		sd_event_run(event, TURN_US);
	ck_assert_uint_eq(stats().clients, count);
}

START_TEST(half_a_request_has_its_time)
{
	int half, idle, drip;
	uint64_t begin, ms;

	open_with((struct pb_server_config){.frame_timeout_ms = 200});
	half = connect_client();
	idle = connect_client();
	drip = connect_client();
	begin = pb_now_ms();
	put(half, "\0\1\0", 3);
	/* a byte at a time does not help: the time counts from the first */
	put(drip, "\0\1", 2);
	settle();
	put(drip, "\0", 1);
	await_clients(1);
	ck_assert_uint_ge(pb_now_ms() - begin, 200);
	expect_closed(half);
	expect_closed(drip);
	check_served(idle); /* who says nothing may stay */
	ck_assert_uint_eq(stats().timeouts, 2);
	ck_assert_uint_eq(stats().malformed, 0);
	/* and in pieces that come in time it is served */
	put(idle, "\0\1\0\0\0\6\1\3", 8);
	settle();
	put(idle, "\0\0\0\1", 4);
	settle();
	for (ms = pb_now_ms(); pb_now_ms() < ms + 400;)
		sd_event_run(event, TURN_US);
	ck_assert_uint_eq(stats().clients, 1);
	close(half);
	close(drip);
	close(idle);
}
END_TEST

START_TEST(replies_not_taken_have_their_time)
{
	uint8_t request[] = {0, 1, 0, 0, 0, 6, 1, 3, 0, 0, 0, 125};
	int deaf, other;

	open_with((struct pb_server_config){.frame_timeout_ms = 200});
	deaf = accepted_client(4096);
	other = connect_client();
	for (int i = 0; i < 100000; i++) {
		if (send(deaf, request, sizeof(request), MSG_NOSIGNAL) != sizeof(request))
			break;
		turn();
	}
	await_clients(1);
	ck_assert_uint_eq(stats().timeouts, 1);
	check_served(other);
	close(deaf);
	close(other);
}
END_TEST

START_TEST(idle_clients_have_their_time)
{
	int idle, busy;
	uint64_t begin;

	open_with((struct pb_server_config){.idle_timeout_ms = 300});
	begin = pb_now_ms();
	idle = connect_client();
	busy = connect_client();
	while (stats().clients == 2 && pb_now_ms() < begin + PATIENCE_MS) {
		check_served(busy);
		sd_event_run(event, TURN_US);
	}
	ck_assert_uint_ge(pb_now_ms() - begin, 300);
	expect_closed(idle);
	check_served(busy);
	ck_assert_uint_eq(stats().timeouts, 1);
	close(idle);
	close(busy);
}
END_TEST

START_TEST(allow_lists)
{
	static const char *const near[] = {"10.0.0.0/8", "127.0.0.0/8"}, *const far[] = {
										 "10.0.0.0/8"};
	int fd;

	open_with((struct pb_server_config){.allow = near, .allow_count = 2});
	fd = connect_client();
	check_served(fd);
	close(fd);
	open_with((struct pb_server_config){.allow = far, .allow_count = 1});
	fd = connect_to("127.0.0.1", pb_server_port(server));
	for (uint64_t end = pb_now_ms() + PATIENCE_MS; stats().refused == 0 && pb_now_ms() < end;)
		sd_event_run(event, TURN_US);
	ck_assert_uint_eq(stats().refused, 1);
	ck_assert_uint_eq(stats().clients, 0);
	expect_closed(fd);
	close(fd);
}
END_TEST

/* Who may switch packs: nobody, unless it is said; and a change is for connected clients, too. */
START_TEST(write_lists)
{
	static const char *const near[] = {"10.0.0.0/8", "127.0.0.1"},
				 *const far[] = {"10.0.0.0/8"}, *const wrong[] = {"10.0.0.0/99"};
	static const struct {
		const char *const *write;
		size_t count;
		bool may;
		int r;
	} steps[] = {{near, 2, true, 0},
		     {far, 1, false, 0},
		     {near, 2, true, 0},
		     {wrong, 1, true, -EINVAL},
		     {NULL, 0, false, 0}};
	struct pb_server_config config = {.address = "127.0.0.1:0", .max_clients = 4};
	char why[512];
	int fd = connect_client();

	check_served(fd);
	ck_assert(!may_control);
	for (size_t i = 0; i < PB_ARRAY_SIZE(steps); i++) {
		config.write = steps[i].write;
		config.write_count = steps[i].count;
		ck_assert_int_eq(pb_server_tcp_configure(server, &config, why, sizeof(why)),
				 steps[i].r);
		check_served(fd);
		ck_assert_int_eq(may_control, steps[i].may);
	}
	close(fd);
	open_with((struct pb_server_config){.write = near, .write_count = 2});
	fd = connect_client();
	check_served(fd);
	ck_assert(may_control);
	close(fd);
}
END_TEST

START_TEST(come_and_go)
{
	server = pb_server_free(server);
	open_server("127.0.0.1:0", 4);
	for (int i = 0; i < 500; i++) {
		int fd = connect_client();

		if (i % 3 == 0)
			check_served(fd);
		close(fd);
	}
	settle();
	ck_assert_uint_eq(stats().clients, 0);
	ck_assert_uint_eq(stats().accepted, 500);
}
END_TEST

/* Leaves no descriptor to this process until release_descriptors(). */
static struct rlimit exhaust_descriptors(void)
{
	struct rlimit old, none;
	int next = dup(0);

	ck_assert_int_ge(next, 0);
	close(next);
	ck_assert_int_eq(getrlimit(RLIMIT_NOFILE, &old), 0);
	none = old;
	none.rlim_cur = (rlim_t)next;
	ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &none), 0);
	return old;
}

static int prepared_socket(void)
{
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	ck_assert_int_ge(fd, 0);
	return fd;
}

static void connect_prepared(int fd)
{
	struct sockaddr_in addr = {.sin_family = AF_INET,
				   .sin_port = htons(pb_server_port(server))};

	addr.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	if (connect(fd, (const struct sockaddr *)&addr, sizeof(addr)) < 0)
		ck_assert_int_eq(errno, EINPROGRESS);
}

START_TEST(out_of_descriptors)
{
	int a = connect_client(), b = connect_client(), c = prepared_socket();
	struct rlimit old;

	check_served(a);
	old = exhaust_descriptors();
	connect_prepared(c);
	check_served(c);
	ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &old), 0);
	ck_assert_uint_eq(stats().evicted, 1);
	expect_closed(b);
	check_served(a);
	close(a);
	close(b);
	close(c);
}
END_TEST

/* who fills one listener takes no client of another */
START_TEST(out_of_descriptors_at_another_listener)
{
	struct pb_server *first = server;
	int quiet = connect_client(), crowd[5], last[3];
	struct rlimit old;

	check_served(quiet);
	server = NULL;
	open_server("127.0.0.1:0", 64);
	for (int i = 0; i < 5; i++)
		crowd[i] = connect_client();
	for (int i = 0; i < 5; i++)
		check_served(crowd[i]);
	for (int i = 0; i < 3; i++)
		last[i] = prepared_socket();
	old = exhaust_descriptors();
	for (int i = 0; i < 3; i++) {
		struct pb_server *second = server;

		server = first;
		connect_prepared(last[i]);
		check_served(last[i]);
		check_served(quiet);
		server = second;
	}
	ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &old), 0);
	ck_assert_uint_ge(stats().evicted, 2);
	for (int i = 0; i < 5; i++)
		close(crowd[i]);
	for (int i = 0; i < 3; i++)
		close(last[i]);
	close(quiet);
	pb_server_free(first);
}
END_TEST

/* with nobody to evict, the descriptor in reserve lets the newcomer know, again and again */
START_TEST(out_of_descriptors_without_clients)
{
	int fds[3] = {prepared_socket(), prepared_socket(), prepared_socket()}, last, turns = 0;
	struct rlimit old;

	last = prepared_socket();
	old = exhaust_descriptors();
	for (int i = 0; i < 3; i++) {
		connect_prepared(fds[i]);
		expect_closed(fds[i]);
	}
	while (turn())
		ck_assert_int_lt(++turns, 10);
	ck_assert_uint_eq(stats().accepted, 0);
	ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &old), 0);
	connect_prepared(last);
	check_served(last);
	for (int i = 0; i < 3; i++)
		close(fds[i]);
	close(last);
}
END_TEST

/* ---- sockets and addresses ---- */

/* the server's end of the connection of @client */
static int server_end(int client)
{
	struct sockaddr_in mine, theirs;
	socklen_t len = sizeof(mine);

	ck_assert_int_eq(getsockname(client, (struct sockaddr *)&mine, &len), 0);
	for (int fd = 0; fd < 1024; fd++) {
		len = sizeof(theirs);
		if (getpeername(fd, (struct sockaddr *)&theirs, &len) == 0 &&
		    theirs.sin_family == AF_INET && theirs.sin_port == mine.sin_port)
			return fd;
	}
	ck_abort_msg("no such connection");
}

static int get_option(int fd, int level, int option)
{
	int value = -1;
	socklen_t len = sizeof(value);

	ck_assert_int_eq(getsockopt(fd, level, option, &value, &len), 0);
	return value;
}

START_TEST(options_of_accepted_sockets)
{
	int client = connect_client(), fd = server_end(client);

	ck_assert_int_eq(get_option(fd, IPPROTO_TCP, TCP_NODELAY), 1);
	ck_assert_int_eq(get_option(fd, SOL_SOCKET, SO_KEEPALIVE), 1);
	ck_assert_int_eq(get_option(fd, IPPROTO_TCP, TCP_KEEPIDLE), 60);
	ck_assert_int_eq(get_option(fd, IPPROTO_TCP, TCP_KEEPINTVL), 10);
	ck_assert_int_eq(get_option(fd, IPPROTO_TCP, TCP_KEEPCNT), 3);
	ck_assert_int_gt(get_option(fd, IPPROTO_TCP, TCP_USER_TIMEOUT), 0);
	ck_assert_int_ne(fcntl(fd, F_GETFL) & O_NONBLOCK, 0);
	ck_assert_int_ne(fcntl(fd, F_GETFD) & FD_CLOEXEC, 0);
	close(client);
}
END_TEST

static bool have_ipv6(void)
{
	struct sockaddr_in6 addr = {.sin6_family = AF_INET6, .sin6_addr = IN6ADDR_LOOPBACK_INIT};
	int fd = socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0);
	bool have = fd >= 0 && bind(fd, (const struct sockaddr *)&addr, sizeof(addr)) == 0;

	if (fd >= 0)
		close(fd);
	return have;
}

static const struct {
	const char *address;
	const char *v4, *v6; /* where it must be reached */
} listens[] = {
	{"127.0.0.1:0", "127.0.0.1", NULL}, {"0.0.0.0:0", "127.0.0.1", NULL},
	{"[::1]:0", NULL, "::1"},	    {"[::]:0", "127.0.0.1", "::1"},
	{"*:0", "127.0.0.1", "::1"},	    {"localhost:0", "127.0.0.1", "::1"},
};

START_TEST(reached_by)
{
	const char *hosts[] = {listens[_i].v4, listens[_i].v6};

	if (listens[_i].address[0] == '[' && !have_ipv6())
		return;
	server = pb_server_free(server);
	open_server(listens[_i].address, 8);
	for (size_t i = 0; i < 2; i++) {
		int fd;

		if (!hosts[i] || (i == 1 && !have_ipv6()))
			continue;
		fd = connect_to(hosts[i], pb_server_port(server));
		check_served(fd);
		put_hex(fd, "0001 0005");
		expect_closed(fd);
		close(fd);
	}
}
END_TEST

static const struct {
	const char *address;
	int result;
} addresses[] = {
	{"0.0.0.0:502", 0},
	{"127.0.0.1:1502", 0},
	{"192.168.1.7:1", 0},
	{"*:65535", 0},
	{"localhost:1502", 0},
	{"[::]:502", 0},
	{"[::1]:502", 0},
	{"[2001:db8::7]:502", 0},
	{"", -EINVAL},
	{":", -EINVAL},
	{":502", -EINVAL},
	{"502", -EINVAL},
	{"127.0.0.1", -EINVAL},
	{"127.0.0.1:", -EINVAL},
	{"127.0.0.1:x", -EINVAL},
	{"127.0.0.1:65536", -EINVAL},
	{"127.0.0.1:-1", -EINVAL},
	{"127.0.0.1:+5", -EINVAL},
	{"127.0.0.1: 5", -EINVAL},
	{"127.0.0.1:5 ", -EINVAL},
	{"127.0.0.1:0x1F6", -EINVAL},
	{"127.0.0.1:99999999999999999999", -EINVAL},
	{"127.0.0.256:502", -EINVAL},
	{"127.1:502", -EINVAL}, /* inet_aton()'s short forms hide typing errors */
	{"1:502", -EINVAL},
	{"plc.example:502", -EINVAL},
	{"::1:502", -EINVAL},
	{"[::1]", -EINVAL},
	{"[]:502", -EINVAL},
	{"[::1:502", -EINVAL},
	{"[127.0.0.1]:502", -EINVAL},
	{"[::g]:502", -EINVAL},
};

START_TEST(address_text)
{
	char why[256] = "";
	int r = pb_server_tcp_check(addresses[_i].address, why, sizeof(why));

	ck_assert_msg(r == addresses[_i].result, "'%s': %d", addresses[_i].address, r);
	ck_assert_int_eq(why[0] == '\0', r == 0);
	if (r < 0)
		ck_assert_ptr_nonnull(strstr(why, addresses[_i].address));
}
END_TEST

static int refused(const char *address, uint32_t max_clients, char *why, size_t why_cap)
{
	struct pb_server *other = NULL;
	struct pb_server_config config = {.address = address, .max_clients = max_clients};
	int r = pb_server_tcp_new(&other, hub, &config, &backend, NULL, why, why_cap);

	ck_assert_int_lt(r, 0);
	ck_assert_ptr_null(other);
	return r;
}

START_TEST(port_in_use)
{
	char address[32], port[16], why[512];

	snprintf(port, sizeof(port), ":%u", pb_server_port(server));
	snprintf(address, sizeof(address), "127.0.0.1%s", port);
	ck_assert_int_eq(refused(address, 4, why, sizeof(why)), -EADDRINUSE);
	ck_assert_ptr_nonnull(strstr(why, address));
	ck_assert_ptr_nonnull(strstr(why, "another program"));
	ck_assert_ptr_nonnull(strstr(why, "ss -ltnp 'sport = :"));
	ck_assert_ptr_nonnull(strstr(why, "another port"));
	check_served(connect_client());
}
END_TEST

START_TEST(port_again_at_once)
{
	char address[32];
	int fd = connect_client();

	check_served(fd);
	snprintf(address, sizeof(address), "127.0.0.1:%u", pb_server_port(server));
	server = pb_server_free(server); /* our end closes first and stays in TIME_WAIT */
	expect_closed(fd);
	close(fd);
	open_server(address, 4);
	fd = connect_client();
	check_served(fd);
	close(fd);
}
END_TEST

START_TEST(foreign_address)
{
	char why[512];

	/* 192.0.2.0/24 is for documents (RFC 5737) and on no machine */
	ck_assert_int_eq(refused("192.0.2.1:1502", 4, why, sizeof(why)), -EADDRNOTAVAIL);
	ck_assert_ptr_nonnull(strstr(why, "192.0.2.1:1502"));
	ck_assert_ptr_nonnull(strstr(why, "no such address"));
}
END_TEST

START_TEST(client_limits)
{
	char why[512];

	ck_assert_int_eq(refused("127.0.0.1:0", 0, why, sizeof(why)), -EINVAL);
	ck_assert_int_eq(refused("127.0.0.1:0", 4097, why, sizeof(why)), -EINVAL);
}
END_TEST

/* tried in a child, which gives its rights away */
static int bind_without_rights(void)
{
	static const struct pb_server_config config = {.address = "127.0.0.1:1", .max_clients = 4};
	char why[512] = "";
	struct pb_server *low;
	int r;

	if (getuid() == 0 && setuid(65534) < 0)
		return 77;
	r = pb_server_tcp_new(&low, hub, &config, &backend, NULL, why, sizeof(why));
	if (r != -EACCES) /* low ports are open to all here, or it has the right in another way */
		return 77;
	return strstr(why, "127.0.0.1:1") && strstr(why, "CAP_NET_BIND_SERVICE") &&
			       strstr(why, "ip_unprivileged_port_start") && strstr(why, "1024")
		       ? 0
		       : 1;
}

START_TEST(low_port_without_rights)
{
	pid_t pid = fork();
	int status;

	ck_assert_int_ge(pid, 0);
	if (pid == 0)
		_exit(bind_without_rights());
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	ck_assert(WIFEXITED(status));
	ck_assert(WEXITSTATUS(status) == 0 || WEXITSTATUS(status) == 77);
}
END_TEST

static void add_tests(TCase *tcase)
{
	tcase_add_test(tcase, requests_and_exceptions);
	tcase_add_test(tcase, several_units_on_one_connection);
	tcase_add_test(tcase, no_silence);
	tcase_add_test(tcase, framed_by_length);
	tcase_add_test(tcase, pipelined);
	tcase_add_test(tcase, byte_by_byte);
	tcase_add_test(tcase, cut_anywhere);
	tcase_add_test(tcase, largest_frame);
	tcase_add_test(tcase, half_close);
	tcase_add_test(tcase, reset_by_the_client);
	tcase_add_test(tcase, freed_with_clients);
	tcase_add_loop_test(tcase, no_modbus, 0, PB_ARRAY_SIZE(malformed));
	tcase_add_test(tcase, requests_before_no_modbus);
	tcase_add_test(tcase, slow_reader);
	tcase_add_test(tcase, slow_reader_in_the_kernel);
	tcase_add_test(tcase, slow_reader_then_no_modbus);
	tcase_add_test(tcase, batch_held_up_by_no_modbus);
	tcase_add_test(tcase, half_closed_slow_reader);
	tcase_add_test(tcase, many_clients_one_turn);
	tcase_add_test(tcase, fair);
	tcase_add_loop_test(tcase, served_whatever_else_is_ready, 1, 5);
	tcase_add_loop_test(tcase, timer_set_by_whoever_answers, 0, 8);
	tcase_add_test(tcase, longest_idle_is_evicted);
	tcase_add_test(tcase, a_storm_pushes_itself_out);
	tcase_add_test(tcase, many_of_one_address);
	tcase_add_test(tcase, one_that_comes_back_again_and_again);
	tcase_add_test(tcase, half_a_request_has_its_time);
	tcase_add_test(tcase, replies_not_taken_have_their_time);
	tcase_add_test(tcase, idle_clients_have_their_time);
	tcase_add_test(tcase, allow_lists);
	tcase_add_test(tcase, write_lists);
	tcase_add_test(tcase, come_and_go);
	tcase_add_test(tcase, out_of_descriptors);
	tcase_add_test(tcase, out_of_descriptors_at_another_listener);
	tcase_add_test(tcase, out_of_descriptors_without_clients);
}

static void add_socket_tests(TCase *tcase)
{
	tcase_add_test(tcase, options_of_accepted_sockets);
	tcase_add_loop_test(tcase, reached_by, 0, PB_ARRAY_SIZE(listens));
	tcase_add_loop_test(tcase, address_text, 0, PB_ARRAY_SIZE(addresses));
	tcase_add_test(tcase, port_in_use);
	tcase_add_test(tcase, port_again_at_once);
	tcase_add_test(tcase, foreign_address);
	tcase_add_test(tcase, client_limits);
	tcase_add_test(tcase, low_port_without_rights);
}

int main(void)
{
	TCase *tcase = tcase_create("tcp");

	pb_log_set_level(PB_LOG_ERR);
	tcase_add_checked_fixture(tcase, setup, teardown);
	tcase_set_timeout(tcase, 60);
	add_tests(tcase);
	add_socket_tests(tcase);
	return pb_run_suite("server/tcp", tcase);
}
