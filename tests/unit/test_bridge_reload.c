/* SPDX-License-Identifier: MIT */
/*
 * What a reload does with listeners: which go on, which are opened anew, how one moves on its own
 * port, and the way back. The kernel's bind() is replaced, so that it can refuse at a given moment.
 */
#include "packbridge/bridge.h"
#include "packbridge/yaml.h"
#include "suite.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <systemd/sd-event.h>
#include <unistd.h>

static int binds_refused; /* so many of the next are */

int bind(int fd, __CONST_SOCKADDR_ARG address, socklen_t len)
{
	if (address.__sockaddr__->sa_family != AF_UNIX && binds_refused > 0) {
		binds_refused--;
		errno = EADDRINUSE;
		return -1;
	}
	return (int)syscall(SYS_bind, fd, address.__sockaddr__, len);
}

static sd_event *event;
static struct pb_bridge *bridge;
static char said[4096]; /* errors of the last load */

#define PACK "packs: [{name: a, link: 'sim:lfp-4s', unit: 1, poll_ms: 3600000}]\n"

#define ANY "listen: [{tcp: '127.0.0.1:0'}]\n"

/* @return of pb_bridge_new() or pb_bridge_reload() */
static int load(const char *text)
{
	static const char *const dirs[] = {PB_SOURCE_DIR "/maps", NULL};
	struct pb_config *config = NULL;
	struct pb_maps *maps = NULL;
	struct pb_report report = {0};
	FILE *out = fmemopen(said, sizeof(said), "w");
	int r;

	said[0] = '\0';
	ck_assert_int_eq(pb_maps_new(&maps, dirs), 0);
	r = pb_config_parse(&config, "f", text, strlen(text), &report);
	ck_assert_msg(r == 0, "%s", report.count ? report.lines[0] : "");
	ck_assert_int_eq(pb_bridge_check(config, maps, &report), 0);
	r = bridge ? pb_bridge_reload(bridge, config, maps, &report)
		   : pb_bridge_new(&bridge, event, config, maps, "0", &report);
	if (r < 0) {
		pb_config_free(config);
		pb_maps_free(maps);
	}
	pb_report_print(&report, out);
	fclose(out);
	pb_report_clear(&report);
	return r;
}

static void setup(void)
{
	pb_log_set_level(PB_LOG_ERR);
	ck_assert_int_ge(sd_event_new(&event), 0);
}

static void teardown(void)
{
	bridge = pb_bridge_free(bridge);
	event = sd_event_unref(event);
	binds_refused = 0;
}

static int connect_to(const char *host, uint16_t port)
{
	struct sockaddr_in at = {.sin_family = AF_INET, .sin_port = htons(port)};
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	inet_pton(AF_INET, host, &at.sin_addr);
	if (connect(fd, (struct sockaddr *)&at, sizeof(at)) == 0)
		return fd;
	close(fd);
	return -errno;
}

static bool listens(const char *host, uint16_t port)
{
	int fd = connect_to(host, port);

	if (fd < 0)
		return false;
	close(fd);
	return true;
}

/* A port that is free on all addresses. */
static uint16_t free_port(void)
{
	struct sockaddr_in at = {.sin_family = AF_INET};
	socklen_t len = sizeof(at);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	ck_assert_int_eq(bind(fd, (struct sockaddr *)&at, sizeof(at)), 0);
	ck_assert_int_eq(getsockname(fd, (struct sockaddr *)&at, &len), 0);
	close(fd);
	return ntohs(at.sin_port);
}

/* ---- which go on ---- */

/* Another key of a socket than its address leaves it open. */
static const char *const of_sockets[] = {
	"max_clients: 9",     "allow: [127.0.0.0/8]", "frame_timeout_ms: 1234",
	"idle_timeout_s: 60", "gap_ms: 33",	      "units: [{unit: 9, pack: a}]",
};

START_TEST(a_socket_stays_open)
{
	char text[256];
	uint16_t port;

	ck_assert_int_eq(load(PACK "listen: [{rtu-over-tcp: '127.0.0.1:0'}]\n"), 0);
	ck_assert(pb_bridge_listener_is_new(bridge, 0));
	port = pb_bridge_port(bridge, 0);
	snprintf(text, sizeof(text), PACK "listen: [{rtu-over-tcp: '127.0.0.1:0', %s}]\n",
		 of_sockets[_i]);
	ck_assert_int_eq(load(text), 0);
	ck_assert(!pb_bridge_listener_is_new(bridge, 0));
	ck_assert_uint_eq(pb_bridge_port(bridge, 0), port);
	ck_assert(listens("127.0.0.1", port));
	ck_assert_int_eq(load(PACK "listen: [{tcp: '127.0.0.1:0'}]\n"), 0);
	ck_assert(pb_bridge_listener_is_new(bridge, 0));
	ck_assert(!listens("127.0.0.1", port)); /* the earlier one is gone */
}
END_TEST

/* The page, too; and what is not listened on any more is free. */
START_TEST(a_page_stays_open)
{
	uint16_t port = free_port();
	char text[256], byte;
	int client;

	snprintf(text, sizeof(text), PACK "http: '127.0.0.1:%u'\n" ANY, port);
	ck_assert_int_eq(load(text), 0);
	client = connect_to("127.0.0.1", port);
	ck_assert_int_ge(client, 0);
	snprintf(text, sizeof(text),
		 PACK "http: {address: '127.0.0.1:%u', allow: [127.0.0.0/8]}\n" ANY, port);
	ck_assert_msg(load(text) == 0, "%s", said);
	ck_assert_int_eq(recv(client, &byte, 1, MSG_DONTWAIT), -1);
	ck_assert_int_eq(errno, EAGAIN);
	close(client);
	ck_assert_int_eq(load(PACK ANY), 0);
	ck_assert(!listens("127.0.0.1", port));
}
END_TEST

/* Another key of a line opens it anew; not its units. */
static const struct {
	const char *key;
	bool reopens;
} of_lines[] = {
	{"baud: 19200", true},
	{"parity: even", true},
	{"data_bits: 7", true},
	{"stop_bits: 2", true},
	{"gap_ms: 33", true},
	{"reply_delay_ms: 5", true},
	{"echo: true", true},
	{"rts_before_ms: 1", true},
	{"rts_after_ms: 1", true},
	{"rts: low", true},
	{"units: [{unit: 9, pack: a}]", false},
	{"baud: 9600", false}, /* which is its preset */
};

START_TEST(a_line_is_opened_anew)
{
	int pty = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC);
	char text[256];

	ck_assert_int_eq(grantpt(pty), 0);
	ck_assert_int_eq(unlockpt(pty), 0);
	snprintf(text, sizeof(text), PACK "listen: [{rtu: %s}]\n", ptsname(pty));
	ck_assert_int_eq(load(text), 0);
	snprintf(text, sizeof(text), PACK "listen: [{rtu: %s, %s}]\n", ptsname(pty),
		 of_lines[_i].key);
	ck_assert_int_eq(load(text), 0);
	ck_assert_int_eq(pb_bridge_listener_is_new(bridge, 0), of_lines[_i].reopens);
	ck_assert_str_eq(said, "");
	close(pty);
}
END_TEST

/* ---- moving on its own port ---- */

static void listen_text(char *text, size_t cap, const char *format, uint16_t port)
{
	size_t len = (size_t)snprintf(text, cap, PACK);

	snprintf(text + len, cap - len, format, port, port);
}

static const char *const moves[] = {
	"listen: [{tcp: '127.0.0.1:%u'}]\n",
	"listen: [{tcp: '0.0.0.0:%u'}]\n",
	"listen: [{rtu-over-tcp: '0.0.0.0:%u'}]\n",
	"listen: [{tcp: '[::]:%u'}]\n",
	"listen: [{tcp: '127.0.0.1:%u'}]\n",
	"http: '127.0.0.1:%u'\nlisten: [{tcp: '127.0.0.1:0'}]\n",
	"http: '0.0.0.0:%u'\nlisten: [{tcp: '127.0.0.1:0'}]\n",
	"http: '[::]:%u'\nlisten: [{tcp: '127.0.0.1:0'}]\n",
	"listen: [{tcp: '127.0.0.1:0'}, {tcp: '*:%u'}]\n",
	"listen: [{tcp: '127.0.0.1:%u'}, {tcp: '127.0.0.2:%u'}]\n",
	"listen: [{tcp: '127.0.0.2:%u'}, {tcp: '127.0.0.1:%u'}]\n",
};

START_TEST(a_listener_moves_on_its_port)
{
	uint16_t port = free_port();
	char text[256];

	for (size_t i = 0; i < PB_ARRAY_SIZE(moves); i++) {
		listen_text(text, sizeof(text), moves[i], port);
		ck_assert_msg(load(text) == 0, "%s: %s", moves[i], said);
		ck_assert_msg(listens("127.0.0.1", port), "%s", moves[i]);
	}
}
END_TEST

/* ---- the way back ---- */

/* @refused: at first, for want of room; then, with room; then on the way back. */
static void fail_to_move(const char *from, const char *to, uint16_t port, int refused)
{
	char text[256];

	listen_text(text, sizeof(text), from, port);
	ck_assert_int_eq(load(text), 0);
	listen_text(text, sizeof(text), to, port);
	binds_refused = refused;
	ck_assert_int_eq(load(text), -EADDRINUSE);
	ck_assert_int_eq(binds_refused, 0);
}

START_TEST(back_again)
{
	uint16_t port = free_port();
	char text[256];

	fail_to_move(moves[0], moves[1], port, 2);
	ck_assert_ptr_nonnull(strstr(said, "f:2:16: can't listen on 0.0.0.0:"));
	ck_assert_ptr_null(strchr(strchr(said, '\n') + 1, '\n')); /* and no more */
	ck_assert(listens("127.0.0.1", port));
	ck_assert(!listens("127.0.0.2", port));
	listen_text(text, sizeof(text), moves[1], port);
	ck_assert_int_eq(load(text), 0);
	ck_assert(listens("127.0.0.2", port));
}
END_TEST

/* Even the old address can't be had again: that is said, and each reload tries it once more. */
START_TEST(no_way_back)
{
	uint16_t port = free_port();
	char text[256];

	fail_to_move(moves[0], moves[1], port, 3);
	ck_assert_ptr_nonnull(strstr(said, "f:2:16: can't listen on 0.0.0.0:"));
	ck_assert_ptr_nonnull(strstr(said, "f: can't listen on 127.0.0.1:"));
	ck_assert_ptr_nonnull(strstr(said, "until a reload succeeds, it is closed"));
	ck_assert(!listens("127.0.0.1", port));

	listen_text(text, sizeof(text), moves[0], port);
	binds_refused = 1;
	ck_assert_int_eq(load(text), 0);
	ck_assert_ptr_nonnull(strstr(said, "f:2:16: can't listen on 127.0.0.1:"));
	ck_assert(!listens("127.0.0.1", port));
	ck_assert_int_eq(load(text), 0);
	ck_assert_str_eq(said, "");
	ck_assert(listens("127.0.0.1", port));
	ck_assert(!pb_bridge_listener_is_new(bridge, 0));
}
END_TEST

/* What does not move is not touched, and its clients stay. */
START_TEST(others_do_not_notice)
{
	static const char from[] = "listen: [{tcp: '127.0.0.2:0'}, {tcp: '127.0.0.1:%u'}]\n",
			  to[] = "listen: [{tcp: '127.0.0.2:0'}, {tcp: '0.0.0.0:%u'}]\n";
	uint16_t port = free_port(), other;
	char text[256], byte;
	int client;

	listen_text(text, sizeof(text), from, port);
	ck_assert_int_eq(load(text), 0);
	other = pb_bridge_port(bridge, 0);
	client = connect_to("127.0.0.2", other);
	ck_assert_int_ge(client, 0);
	fail_to_move(from, to, port, 2);
	ck_assert_uint_eq(pb_bridge_port(bridge, 0), other);
	ck_assert(listens("127.0.0.2", other));
	ck_assert_int_eq(recv(client, &byte, 1, MSG_DONTWAIT), -1);
	ck_assert_int_eq(errno, EAGAIN);
	close(client);
}
END_TEST

/* The page moves the same way. */
START_TEST(the_page_comes_back)
{
	uint16_t port = free_port();

	fail_to_move(moves[5], moves[6], port, 2);
	ck_assert_ptr_nonnull(strstr(said, "can't listen on 0.0.0.0:"));
	ck_assert(listens("127.0.0.1", port));
	ck_assert(!listens("127.0.0.2", port));
}
END_TEST

/* ---- a line that packs share ---- */

/* The far end of the line: nobody answers, so each pack asks again and again. */
static struct {
	int listener, fd;
	uint16_t port;
} far;

static void far_listen(void)
{
	struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t len = sizeof(at);

	far.fd = -1;
	far.listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	ck_assert_int_eq(bind(far.listener, (struct sockaddr *)&at, sizeof(at)), 0);
	ck_assert_int_eq(listen(far.listener, 1), 0);
	ck_assert_int_eq(getsockname(far.listener, (struct sockaddr *)&at, &len), 0);
	far.port = ntohs(at.sin_port);
}

/* @return how many bytes of requests come within @ms. */
static size_t far_hear(uint64_t ms)
{
	uint64_t end_ms = pb_now_ms() + ms;
	uint8_t bytes[256];
	size_t heard = 0;

	while (pb_now_ms() < end_ms) {
		ssize_t n;

		sd_event_run(event, 10000);
		if (far.fd < 0)
			far.fd = accept(far.listener, NULL, NULL);
		n = far.fd < 0 ? -1 : recv(far.fd, bytes, sizeof(bytes), MSG_DONTWAIT);
		heard += n > 0 ? (size_t)n : 0;
		if (n == 0) { /* it is about to connect again */
			close(far.fd);
			far.fd = -1;
		}
	}
	return heard;
}

static int load_line(unsigned int gap_ms, const char *listen)
{
	char text[1024];

	snprintf(text, sizeof(text),
		 "packs:\n"
		 "  - {name: a, link: 'tcp:127.0.0.1:%u', protocol: daly, address: 1, unit: 1, "
		 "poll_ms: 300, gap_ms: 0, settle_ms: 0, reply_timeout_ms: 50}\n"
		 "  - {name: b, link: 'tcp:127.0.0.1:%u', protocol: daly, address: 2, unit: 2, "
		 "reply_timeout_ms: 50, gap_ms: %u, stale_after_s: 600}\n"
		 "listen: [{tcp: '%s'}]\n",
		 far.port, far.port, gap_ms, listen);
	return load(text);
}

/* A reload that is refused changes nothing of what its packs wait for; the next one does. */
START_TEST(the_gap_of_a_line)
{
	far_listen();
	ck_assert_msg(load_line(0, "127.0.0.1:0") == 0, "%s", said);
	ck_assert_int_ge(pb_bridge_start(bridge), 0);
	ck_assert_uint_gt(far_hear(400), 0);
	binds_refused = 100;
	ck_assert_int_lt(load_line(60000, "127.0.0.2:0"), 0);
	binds_refused = 0;
	far_hear(100); /* what was under way */
	ck_assert_uint_gt(far_hear(700), 0);
	ck_assert_msg(load_line(60000, "127.0.0.1:0") == 0, "%s", said);
	far_hear(300);
	ck_assert_uint_eq(far_hear(700), 0);
	if (far.fd >= 0)
		close(far.fd);
	close(far.listener);
}
END_TEST

int main(void)
{
	TCase *tcase = tcase_create("reload");

	tcase_add_checked_fixture(tcase, setup, teardown);
	tcase_add_loop_test(tcase, a_socket_stays_open, 0, PB_ARRAY_SIZE(of_sockets));
	tcase_add_test(tcase, a_page_stays_open);
	tcase_add_loop_test(tcase, a_line_is_opened_anew, 0, PB_ARRAY_SIZE(of_lines));
	tcase_add_test(tcase, a_listener_moves_on_its_port);
	tcase_add_test(tcase, back_again);
	tcase_add_test(tcase, no_way_back);
	tcase_add_test(tcase, others_do_not_notice);
	tcase_add_test(tcase, the_page_comes_back);
	tcase_add_test(tcase, the_gap_of_a_line);
	return pb_run_suite("bridge/reload", tcase);
}
