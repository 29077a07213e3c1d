/* SPDX-License-Identifier: MIT */
/*
 * One client over a stream of our own, by a clock of our own: what it waits for, and for how long.
 * What clients see over real sockets is in test_server_tcp.c and test_server_rtu.c.
 */
#include "suite.h"

#include "../../src/server/tcp.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <systemd/sd-event.h>
#include <unistd.h>

enum { READ_LEN = 12, REPLY_LEN = 9 + 2 * 125, FRAME_MS = 5000, IDLE_MS = 60000, GAP_MS = 100 };

/* ---- who is asked ---- */

static uint8_t registers[2 * 125];
static const uint8_t writable[1] = {1};
static const struct pb_block blocks[] = {
	{.tables = PB_TABLE_HOLDING, .count = 125, .bytes = registers, .writable = writable},
};
static int images_made, asked_whether_ours;
static struct pb_peer reader, writer;

static enum pb_exception take_write(void *userdata, const struct pb_peer *peer, enum pb_table table,
				    uint16_t addr, uint16_t count, const uint8_t *bytes)
{
	(void)userdata;
	(void)table;
	(void)addr;
	(void)count;
	(void)bytes;
	writer = *peer;
	return PB_EXCEPTION_NONE;
}

static const struct pb_image image = {.blocks = blocks, .block_count = 1, .write = take_write};

static bool owns(void *userdata, uint8_t unit)
{
	(void)userdata;
	asked_whether_ours++;
	return unit == 1;
}

static const struct pb_image *unit(void *userdata, const struct pb_peer *peer, uint8_t id,
				   uint64_t now_ms)
{
	(void)userdata;
	(void)now_ms;
	reader = *peer;
	images_made++;
	return id == 1 ? &image : NULL;
}

static const struct pb_server_backend backend = {.owns = owns, .unit = unit};
static const struct pb_peer technician = {.name = "10.0.0.7",
					  .address = {[10] = 0xFF, 0xFF, 10, 0, 0, 7}};

/* ---- the stream ---- */

static struct {
	uint8_t in[1024];
	size_t in_len, out_len;
	size_t takes;	    /* bytes that send() takes until it says -EAGAIN */
	int received;	    /* calls */
	bool ended;	    /* the peer has finished */
	int dead;	    /* negative errno of all calls */
	bool reads_sending; /* receive() waits until something can be sent, as TLS may */
} far;

static ssize_t far_receive(struct stream *stream, uint8_t *buf, size_t cap)
{
	size_t len = far.in_len < cap ? far.in_len : cap;

	(void)stream;
	far.received++;
	if (far.dead)
		return far.dead;
	if (len == 0)
		return far.ended ? 0 : -EAGAIN;
	memcpy(buf, far.in, len);
	far.in_len -= len;
	memmove(far.in, far.in + len, far.in_len);
	return (ssize_t)len;
}

static ssize_t far_send(struct stream *stream, const uint8_t *bytes, size_t len)
{
	(void)stream;
	(void)bytes;
	if (far.dead)
		return far.dead;
	if (far.takes == 0)
		return -EAGAIN;
	len = len < far.takes ? len : far.takes;
	far.takes -= len;
	far.out_len += len;
	return (ssize_t)len;
}

static uint32_t far_want(const struct stream *stream, bool sending)
{
	(void)stream;
	return sending || far.reads_sending ? EPOLLOUT : EPOLLIN;
}

static const struct stream_type far_stream = {far_receive, far_send, far_want};

/* ---- the client ---- */

static sd_event *event;
static struct pb_hub *hub;
static struct pb_server server;
static struct client *client;
static int pair[2];

static void begin(const struct pb_framing *framing)
{
	ck_assert_int_ge(sd_event_new(&event), 0);
	ck_assert_int_eq(pb_hub_new(&hub, event), 0);
	memset(&far, 0, sizeof(far));
	far.takes = SIZE_MAX;
	images_made = asked_whether_ours = 0;
	server = (struct pb_server){.hub = hub,
				    .framing = framing,
				    .frame_timeout_ms = FRAME_MS,
				    .gap_ms = GAP_MS,
				    .service.backend = &backend,
				    .name = "Modbus"};
	ck_assert_int_eq(clients_start(&server), 0);
	ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
	ck_assert_int_eq(client_new(&client, &server, pair[0], &technician, 1000), 0);
	client->stream.type = &far_stream;
}

static void setup(void)
{
	begin(&pb_framing_mbap);
}

static void teardown(void)
{
	while (server.oldest)
		client_close(server.oldest);
	close(pair[1]);
	sd_event_source_disable_unref(server.sweep);
	trace_free(server.service.trace);
	hub = pb_hub_free(hub);
	event = sd_event_unref(event);
}

static void put(const void *bytes, size_t len)
{
	memcpy(far.in + far.in_len, bytes, len);
	far.in_len += len;
}

static void put_reads(int count)
{
	static const uint8_t adu[READ_LEN] = {0, 1, 0, 0, 0, 6, 1, 3, 0, 0, 0, 125};

	for (int i = 0; i < count; i++)
		put(adu, sizeof(adu));
}

START_TEST(one_turn)
{
	put_reads(3);
	client_turn(client, EPOLLIN, 2000);
	ck_assert_uint_eq(far.out_len, 3 * REPLY_LEN);
	ck_assert_int_eq(far.received, 1);
	ck_assert_uint_eq(client->requests, 3);
	ck_assert_uint_eq(client->active_ms, 2000);
	ck_assert_uint_eq(client->stuck_ms, 0);
	ck_assert_uint_eq(client->waits_for, EPOLLIN);
	ck_assert_str_eq(reader.name, technician.name);
	ck_assert_mem_eq(reader.address, technician.address, sizeof(reader.address));
}
END_TEST

START_TEST(writes_know_their_peer)
{
	static const uint8_t adu[] = {0, 1, 0, 0, 0, 6, 1, 6, 0, 0, 0, 9};

	put(adu, sizeof(adu));
	client_turn(client, EPOLLIN, 2000);
	ck_assert_uint_eq(far.out_len, sizeof(adu));
	ck_assert_str_eq(writer.name, technician.name);
}
END_TEST

/* It has frame_timeout_ms for the next bytes that it takes, not for all of them. */
START_TEST(slow_reader_that_moves)
{
	far.takes = 100;
	put_reads(8);
	client_turn(client, EPOLLIN, 2000);
	ck_assert(client->blocked);
	ck_assert_uint_eq(client->waits_for, EPOLLOUT);
	ck_assert_uint_eq(client->stuck_ms, 2000);
	client_turn(client, EPOLLOUT, 4000); /* woken for nothing */
	ck_assert_uint_eq(client->stuck_ms, 2000);
	ck_assert(!client_is_over(client, 2000 + FRAME_MS - 1));
	ck_assert(client_is_over(client, 2000 + FRAME_MS));
	far.takes = 1;
	client_turn(client, EPOLLOUT, 6000);
	ck_assert_uint_eq(client->stuck_ms, 6000);
	ck_assert(!client_is_over(client, 6000 + FRAME_MS - 1));
	ck_assert(client_is_over(client, 6000 + FRAME_MS));
	far.takes = SIZE_MAX;
	client_turn(client, EPOLLOUT, 9000);
	ck_assert_uint_eq(client->stuck_ms, 0);
	ck_assert_uint_eq(far.out_len, 8 * REPLY_LEN);
	ck_assert_uint_eq(client->waits_for, EPOLLIN);
	ck_assert(!client_is_over(client, UINT64_MAX));
}
END_TEST

START_TEST(not_read_while_blocked)
{
	far.takes = 1;
	put_reads(1);
	client_turn(client, EPOLLIN, 2000);
	put_reads(1);
	client_turn(client, EPOLLIN | EPOLLOUT, 2001);
	ck_assert_int_eq(far.received, 1);
	ck_assert_uint_eq(client->requests, 1);
	far.takes = SIZE_MAX;
	client_turn(client, EPOLLOUT, 2002);
	client_turn(client, EPOLLIN, 2003);
	ck_assert_uint_eq(client->requests, 2);
	ck_assert_uint_eq(far.out_len, 2 * REPLY_LEN);
}
END_TEST

START_TEST(half_a_request)
{
	put_reads(1);
	far.in_len -= 3;
	client_turn(client, EPOLLIN, 2000);
	ck_assert_uint_eq(client->stuck_ms, 2000);
	ck_assert_uint_eq(client->waits_for, EPOLLIN);
	put("\0", 1);
	client_turn(client, EPOLLIN, 3000); /* bytes alone do not help */
	ck_assert_uint_eq(client->stuck_ms, 2000);
	ck_assert(client_is_over(client, 2000 + FRAME_MS));
	put("\0\7", 2);
	client_turn(client, EPOLLIN, 4000);
	ck_assert_uint_eq(client->requests, 1);
	ck_assert_uint_eq(client->stuck_ms, 0);
}
END_TEST

START_TEST(idle)
{
	server.idle_timeout_ms = IDLE_MS;
	ck_assert(!client_is_over(client, 1000 + IDLE_MS - 1));
	ck_assert(client_is_over(client, 1000 + IDLE_MS));
	put_reads(1);
	client_turn(client, EPOLLIN, 2000);
	ck_assert(!client_is_over(client, 2000 + IDLE_MS - 1));
	ck_assert(client_is_over(client, 2000 + IDLE_MS));
}
END_TEST

START_TEST(receiving_that_waits_for_sending)
{
	far.reads_sending = true;
	client_turn(client, EPOLLIN, 2000);
	ck_assert_uint_eq(client->waits_for, EPOLLOUT);
	ck_assert(!client->blocked);
	far.reads_sending = false;
	put_reads(1);
	client_turn(client, EPOLLOUT, 2001);
	ck_assert_uint_eq(client->requests, 1);
	ck_assert_uint_eq(client->waits_for, EPOLLIN);
}
END_TEST

START_TEST(dead_streams_are_closed)
{
	put_reads(1);
	if (_i == 0) { /* while it sends */
		far.takes = 1;
		client_turn(client, EPOLLIN, 2000);
		far.dead = -ECONNRESET;
		client_turn(client, EPOLLOUT, 2001);
	} else if (_i == 1) { /* while it receives */
		far.dead = -ECONNRESET;
		client_turn(client, EPOLLIN, 2001);
	} else if (_i == 2) { /* while nothing is read */
		far.takes = 1;
		client_turn(client, EPOLLIN, 2000);
		client_turn(client, EPOLLHUP, 2001);
	} else { /* it has finished, and has its reply */
		far.ended = true;
		client_turn(client, EPOLLIN, 2000);
		ck_assert_uint_eq(server.service.stats.clients, 1);
		client_turn(client, EPOLLIN, 2001);
		ck_assert_uint_eq(far.out_len, REPLY_LEN);
	}
	ck_assert_uint_eq(server.service.stats.clients, 0);
	ck_assert_ptr_null(server.oldest);
	ck_assert_ptr_null(server.peers);
}
END_TEST

/* Function 8 counts what came before it. */
START_TEST(counted_one_by_one)
{
	static const uint8_t messages[] = {0, 1, 0, 0, 0, 6, 1, 8, 0, 0x0B, 0, 0};
	uint8_t *reply = client->out + 2 * REPLY_LEN;

	put_reads(2);
	put(messages, sizeof(messages));
	far.takes = 1;
	client_turn(client, EPOLLIN, 2000);
	ck_assert_uint_eq(pb_get_be16(reply + 10), 2);
	ck_assert_uint_eq(server.service.diagnostics.bus_messages, 3);
}
END_TEST

/* What one machine may have all of is one address: an IPv4 address, an IPv6 network of 64 bits. */
START_TEST(counted_by_address)
{
	static const uint8_t addresses[][16] = {
		{[10] = 0xFF, 0xFF, 10, 0, 0, 7},
		{[10] = 0xFF, 0xFF, 10, 0, 0, 8},
		{0xFD, 0, [15] = 1},
		{0xFD, 0, [8] = 9, [15] = 2},
		{0xFD, 0, [7] = 1, [15] = 1},
	};
	static const uint32_t together[] = {2, 1, 1, 2, 1}; /* the first is the fixture's, too */
	struct peer_count *counts[PB_ARRAY_SIZE(addresses)];

	for (size_t i = 0; i < PB_ARRAY_SIZE(addresses); i++) {
		counts[i] = peers_join(&server.peers, addresses[i]);
		ck_assert_uint_eq(counts[i]->clients, together[i]);
	}
	ck_assert_uint_eq(peers_most(server.peers), 2);
	for (size_t i = 0; i < PB_ARRAY_SIZE(addresses); i++)
		peers_leave(&server.peers, counts[i]);
	ck_assert_uint_eq(peers_most(server.peers), 1);
}
END_TEST

/* ---- RTU frames over TCP ---- */

static size_t rtu(uint8_t *adu, uint8_t id, const char *hex)
{
	int len = pb_hex_parse(hex, adu + 1, PB_PDU_MAX);

	ck_assert_int_gt(len, 0);
	return pb_rtu_wrap(adu, id, (size_t)len);
}

static void setup_rtu(void)
{
	begin(&pb_framing_rtu);
}

/* Whether a unit is ours is no reason to make its image. */
START_TEST(other_units_cost_no_image)
{
	uint8_t adu[16];

	put(adu, rtu(adu, 9, "03 0000 0001"));
	client_turn(client, EPOLLIN, 2000);
	ck_assert_int_eq(asked_whether_ours, 1);
	ck_assert_int_eq(images_made, 0);
	ck_assert_uint_eq(far.out_len, 0);
	ck_assert_uint_eq(client->requests, 0);
	put(adu, rtu(adu, 0xFF, "03 0000 0001")); /* no unit of a line: nobody is asked */
	client_turn(client, EPOLLIN, 2001);
	ck_assert_int_eq(asked_whether_ours, 1);
	put(adu, rtu(adu, 1, "03 0000 0001"));
	client_turn(client, EPOLLIN, 2002);
	ck_assert_int_eq(images_made, 1);
	ck_assert_uint_eq(far.out_len, 7);
}
END_TEST

START_TEST(a_gap_ends_a_frame)
{
	uint8_t adu[16];

	put(adu, rtu(adu, 1, "41 00")); /* no function whose length is known */
	client_turn(client, EPOLLIN, 2000);
	ck_assert_uint_eq(client->requests, 0);
	ck_assert_uint_eq(client->stuck_ms, 2000);
	client_silence(client, 2000 + GAP_MS - 1);
	ck_assert_uint_eq(client->requests, 0);
	client_silence(client, 2000 + GAP_MS);
	ck_assert_uint_eq(client->requests, 1);
	ck_assert_uint_eq(client->exceptions, 1);
	ck_assert_uint_eq(client->stuck_ms, 0);
	ck_assert_uint_eq(client->active_ms, 2000 + GAP_MS);
	ck_assert_uint_eq(far.out_len, 5);
}
END_TEST

START_TEST(a_part_of_a_frame_is_stuck)
{
	uint8_t adu[16];

	put(adu, rtu(adu, 1, "03 0000 0001") - 2);
	client_turn(client, EPOLLIN, 2000);
	ck_assert_uint_eq(client->in_len, 0);
	ck_assert_uint_eq(client->stuck_ms, 2000);
	client_silence(client, 2000 + GAP_MS);
	ck_assert_uint_eq(client->stuck_ms, 0);
	ck_assert_uint_eq(server.service.stats.malformed, 1);
}
END_TEST

int main(void)
{
	TCase *mbap = tcase_create("mbap"), *framed = tcase_create("rtu");

	tcase_add_checked_fixture(mbap, setup, teardown);
	tcase_add_test(mbap, one_turn);
	tcase_add_test(mbap, writes_know_their_peer);
	tcase_add_test(mbap, slow_reader_that_moves);
	tcase_add_test(mbap, not_read_while_blocked);
	tcase_add_test(mbap, half_a_request);
	tcase_add_test(mbap, idle);
	tcase_add_test(mbap, receiving_that_waits_for_sending);
	tcase_add_loop_test(mbap, dead_streams_are_closed, 0, 4);
	tcase_add_test(mbap, counted_one_by_one);
	tcase_add_test(mbap, counted_by_address);
	tcase_add_checked_fixture(framed, setup_rtu, teardown);
	tcase_add_test(framed, other_units_cost_no_image);
	tcase_add_test(framed, a_gap_ends_a_frame);
	tcase_add_test(framed, a_part_of_a_frame_is_stuck);
	return pb_run_suite("server/client", mbap) | pb_run_suite("server/client of rtu", framed);
}
