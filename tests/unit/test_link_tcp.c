/* SPDX-License-Identifier: MIT */
/*
 * What is special about tcp: host names, several addresses, the words for each way to fail, and
 * peers that do not read. What all links have in common is in test_sim_links.c.
 */
#include "packbridge/base.h"
#include "packbridge/link.h"
#include "suite.h"

#include <dirent.h>
#include <dlfcn.h>
#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <systemd/sd-event.h>
#include <unistd.h>

enum { WAIT_US = 10000000, FAR_MAX = 4 };

/*
 * The name server of these tests. Names that end in ".test" are served from here, all others by
 * the real one; the link calls it from a thread of its own.
 */
static struct {
	int gate[2]; /* "slow.test" waits until a byte can be read here */
	int asked;
} names;

typedef int getaddrinfo_fn(const char *, const char *, const struct addrinfo *, struct addrinfo **);

static int numeric(const char *address, const char *service, struct addrinfo **ret)
{
	const struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_NUMERICHOST};
	void *symbol = dlsym(RTLD_NEXT, "getaddrinfo");
	getaddrinfo_fn *real;

	memcpy(&real, &symbol, sizeof(real));
	return real(address, service, &hints, ret);
}

int getaddrinfo(const char *node, const char *service, const struct addrinfo *hints,
		struct addrinfo **ret)
{
	void *symbol = dlsym(RTLD_NEXT, "getaddrinfo");
	getaddrinfo_fn *real;
	char byte;
	int r;

	memcpy(&real, &symbol, sizeof(real));
	if (!node || hints->ai_flags & AI_NUMERICHOST || !strstr(node, ".test"))
		return real(node, service, hints, ret);

	__atomic_add_fetch(&names.asked, 1, __ATOMIC_SEQ_CST);
	if (strcmp(node, "slow.test") == 0 && read(names.gate[0], &byte, 1) < 0)
		return EAI_SYSTEM;
	if (strcmp(node, "two.test") == 0) {
		/* nobody listens on the first */
		r = numeric("127.0.0.2", service, ret);
		return r ? r : numeric("127.0.0.1", service, &(*ret)->ai_next);
	}
	if (strcmp(node, "one.test") == 0 || strcmp(node, "slow.test") == 0)
		return numeric("127.0.0.1", service, ret);
	return EAI_NONAME;
}

/* With @to_itself, a socket gets the very port that it connects to as its own. */
static bool to_itself;

typedef int connect_fn(int, const struct sockaddr *, socklen_t);

int connect(int fd, const struct sockaddr *address, socklen_t len)
{
	void *symbol = dlsym(RTLD_NEXT, "connect");
	connect_fn *real;

	memcpy(&real, &symbol, sizeof(real));
	if (to_itself && address->sa_family == AF_INET)
		ck_assert_int_eq(bind(fd, address, len), 0);
	return real(fd, address, len);
}

/* A kernel that takes at most @portion bytes (0: all), and every second time none. */
static struct {
	size_t portion;
	unsigned int calls, refusals;
	int last_fd;
} kernel;

typedef ssize_t send_fn(int, const void *, size_t, int);

ssize_t send(int fd, const void *bytes, size_t len, int flags)
{
	void *symbol = dlsym(RTLD_NEXT, "send");
	send_fn *real;

	memcpy(&real, &symbol, sizeof(real));
	kernel.last_fd = fd;
	if (kernel.portion > 0 && ++kernel.calls % 2 == 0) {
		kernel.refusals++;
		errno = EAGAIN;
		return -1;
	}
	if (kernel.portion > 0 && len > kernel.portion)
		len = kernel.portion;
	return real(fd, bytes, len, flags);
}

/* ---- the link and what it told ---- */

static struct {
	sd_event *event;
	struct pb_link *link;
	unsigned int ups, downs;
	size_t len;
	int error;
	char why[256];
	bool reopen; /* in down() */
} here;

static void on_up(void *userdata)
{
	(void)userdata;
	here.ups++;
}

static void on_down(void *userdata, int error, const char *why)
{
	(void)userdata;
	here.downs++;
	here.error = error;
	snprintf(here.why, sizeof(here.why), "%s", why);
	if (here.reopen)
		ck_assert_int_eq(here.link->type->open(here.link), 0);
}

static void on_data(void *userdata, const uint8_t *bytes, size_t len)
{
	/* the peers here send what they count: 0, 1, .. 255, 0, .. */
	(void)userdata;
	for (size_t i = 0; i < len; i++)
		ck_assert_uint_eq(bytes[i], (uint8_t)here.len++);
}

static const struct pb_link_handler handler = {.up = on_up, .down = on_down, .data = on_data};

static int far_fd;
static uint16_t far_port;

static int listen_on(const struct sockaddr *address, socklen_t len)
{
	int fd = socket(address->sa_family, SOCK_STREAM | SOCK_CLOEXEC, 0);

	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &(int){1}, sizeof(int)), 0);
	if (bind(fd, address, len) < 0) {
		close(fd);
		return -1;
	}
	ck_assert_int_eq(listen(fd, 16), 0);
	return fd;
}

static void setup(void)
{
	struct sockaddr_in address = {.sin_family = AF_INET,
				      .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t len = sizeof(address);

	memset(&here, 0, sizeof(here));
	memset(&kernel, 0, sizeof(kernel));
	kernel.last_fd = -1;
	to_itself = false;
	names.asked = 0;
	ck_assert_int_eq(pipe(names.gate), 0);
	ck_assert_int_ge(sd_event_new(&here.event), 0);
	far_fd = listen_on((struct sockaddr *)&address, len);
	ck_assert_int_ge(far_fd, 0);
	ck_assert_int_eq(getsockname(far_fd, (struct sockaddr *)&address, &len), 0);
	far_port = ntohs(address.sin_port);
}

static void teardown(void)
{
	here.link = pb_link_free(here.link);
	here.event = sd_event_unref(here.event);
	close(far_fd);
	close(names.gate[0]);
	close(names.gate[1]);
}

static int make_link(const char *address, char *why, size_t cap)
{
	struct pb_link_setup setup = {.address = address, .event = here.event, .handler = &handler};

	return pb_link_tcp.create(&here.link, &setup, why, cap);
}

static void open_link(const char *host)
{
	char address[300], why[256] = "";

	snprintf(address, sizeof(address), "%s:%u", host, far_port);
	ck_assert_msg(make_link(address, why, sizeof(why)) == 0, "%s", why);
	ck_assert_int_eq(here.link->type->open(here.link), 0);
}

#define WAIT_FOR(condition)                                                                        \
	while (!(condition))                                                                       \
	ck_assert_int_gt(sd_event_run(here.event, WAIT_US), 0)

static void drain(void)
{
	while (sd_event_run(here.event, 0) > 0)
		;
}

/* @return the peer's end of a link that is up. */
static int open_up(const char *host)
{
	int fd;

	open_link(host);
	WAIT_FOR(here.ups + here.downs > 0);
	ck_assert_msg(here.ups == 1, "%s: %s", host, here.why);
	fd = accept4(far_fd, NULL, NULL, SOCK_CLOEXEC);
	ck_assert_int_ge(fd, 0);
	return fd;
}

static size_t open_descriptors(void)
{
	DIR *dir = opendir("/proc/self/fd");
	size_t count = 0;

	ck_assert_ptr_nonnull(dir);
	while (readdir(dir))
		count++;
	closedir(dir);
	return count;
}

/* ---- names ---- */

static const char *const good_hosts[] = {"127.0.0.1", "localhost", "one.test", "two.test"};

START_TEST(host)
{
	int fd = open_up(good_hosts[_i]);
	char byte = 0;

	ck_assert_int_eq(here.link->type->send(here.link, (const uint8_t *)"x", 1), 0);
	ck_assert_int_eq(read(fd, &byte, 1), 1);
	ck_assert_int_eq(byte, 'x');
	/* numbers and "localhost" need no name server */
	ck_assert_int_eq(names.asked, strstr(good_hosts[_i], "test") ? 1 : 0);
	close(fd);
}
END_TEST

START_TEST(ipv6)
{
	struct sockaddr_in6 address = {.sin6_family = AF_INET6, .sin6_addr = IN6ADDR_LOOPBACK_INIT};
	int fd;

	close(far_fd);
	address.sin6_port = htons(far_port);
	far_fd = socket(AF_INET6, SOCK_STREAM, 0);
	if (far_fd < 0 || bind(far_fd, (struct sockaddr *)&address, sizeof(address)) < 0)
		return; /* a machine without IPv6 */
	ck_assert_int_eq(listen(far_fd, 16), 0);
	fd = open_up("[::1]");
	close(fd);
}
END_TEST

START_TEST(unknown_name)
{
	size_t before;

	open_link("nowhere.test");
	WAIT_FOR(here.downs > 0);
	ck_assert_uint_eq(here.ups, 0);
	ck_assert_int_lt(here.error, 0);
	ck_assert_msg(strstr(here.why, "'nowhere.test' not found: "), "%s", here.why);
	before = open_descriptors();
	/* asked again each time: it may be known by then */
	ck_assert_int_eq(here.link->type->open(here.link), 0);
	WAIT_FOR(here.downs > 1);
	ck_assert_int_eq(names.asked, 2);
	/* the threads let go of theirs, though not always before they are heard */
	while (open_descriptors() > before)
		sched_yield();
}
END_TEST

/* Nothing on the loop waits for a name server. */
START_TEST(slow_name_server)
{
	open_link("slow.test");
	drain();
	ck_assert_uint_eq(here.ups + here.downs, 0);
	ck_assert_int_eq(here.link->type->open(here.link), -EALREADY);
	ck_assert_int_eq(here.link->type->send(here.link, (const uint8_t *)"x", 1), -ENOTCONN);
	ck_assert_int_eq(write(names.gate[1], "!", 1), 1);
	WAIT_FOR(here.ups > 0);
}
END_TEST

START_TEST(closed_while_asking)
{
	open_link("slow.test");
	drain();
	here.link->type->close(here.link);
	/* while the question is still out */
	ck_assert_int_eq(here.link->type->open(here.link), 0);
	drain();
	ck_assert_int_eq(write(names.gate[1], "!", 1), 1);
	WAIT_FOR(here.ups > 0);
	drain();
	ck_assert_uint_eq(here.ups, 1);
	ck_assert_uint_eq(here.downs, 0);
}
END_TEST

/* However often it is asked for: one look-up is on its way, and its answer counts. */
START_TEST(name_server_hangs)
{
	size_t before;
	int asked = __atomic_load_n(&names.asked, __ATOMIC_SEQ_CST);

	open_link("slow.test");
	drain();
	before = open_descriptors();
	for (int i = 0; i < 20; i++) {
		here.link->type->close(here.link);
		ck_assert_int_eq(here.link->type->open(here.link), 0);
		drain();
	}
	ck_assert_uint_eq(open_descriptors(), before);
	ck_assert_int_eq(write(names.gate[1], "", 1), 1);
	WAIT_FOR(here.ups > 0);
	ck_assert_int_eq(__atomic_load_n(&names.asked, __ATOMIC_SEQ_CST), asked + 1);
}
END_TEST

START_TEST(freed_while_asking)
{
	open_link("slow.test");
	drain();
	here.link = pb_link_free(here.link);
	ck_assert_int_eq(write(names.gate[1], "!", 1), 1);
}
END_TEST

/* ---- failures in words ---- */

START_TEST(refused)
{
	close(far_fd);
	far_fd = -1;
	open_link("127.0.0.1");
	WAIT_FOR(here.downs > 0);
	ck_assert_int_eq(here.error, -ECONNREFUSED);
	ck_assert_str_eq(here.why, "connection refused");
}
END_TEST

START_TEST(all_addresses_refused)
{
	close(far_fd);
	far_fd = -1;
	open_link("two.test");
	WAIT_FOR(here.downs > 0);
	drain();
	ck_assert_uint_eq(here.downs, 1);
	ck_assert_str_eq(here.why, "connection refused");
}
END_TEST

/* Refused at the first try of the system call, without a wait. */
START_TEST(refused_at_once)
{
	char why[256];

	/* TCP to a broadcast address is refused by the kernel itself */
	ck_assert_int_eq(make_link("255.255.255.255:4001", why, sizeof(why)), 0);
	ck_assert_int_eq(here.link->type->open(here.link), 0);
	ck_assert_uint_eq(here.downs, 0);
	WAIT_FOR(here.downs > 0);
	ck_assert_int_lt(here.error, 0);
	ck_assert_uint_gt(strlen(here.why), 0);
}
END_TEST

/*
 * Nobody listens, and the kernel happens to pick the port that the link connects to as the link's
 * own: TCP then connects it to itself, and it would hear its own requests.
 */
START_TEST(not_to_itself)
{
	close(far_fd);
	far_fd = -1;
	to_itself = true;
	open_link("127.0.0.1");
	WAIT_FOR(here.downs > 0);
	ck_assert_uint_eq(here.ups, 0);
	ck_assert_str_eq(here.why, "connection refused");
}
END_TEST

START_TEST(closed_by_the_peer)
{
	int fd = open_up("127.0.0.1");

	close(fd);
	WAIT_FOR(here.downs > 0);
	ck_assert_str_eq(here.why, "closed by the peer");
	drain();
	ck_assert_uint_eq(here.downs, 1);
}
END_TEST

START_TEST(reset_by_the_peer)
{
	const struct linger linger = {.l_onoff = 1, .l_linger = 0};
	int fd = open_up("127.0.0.1");

	ck_assert_int_eq(setsockopt(fd, SOL_SOCKET, SO_LINGER, &linger, sizeof(linger)), 0);
	close(fd);
	/* found by a send() or by the loop, whichever is first: told once, from the loop */
	ck_assert_int_eq(here.link->type->send(here.link, (const uint8_t *)"x", 1), 0);
	ck_assert_uint_eq(here.downs, 0);
	WAIT_FOR(here.downs > 0);
	ck_assert_str_eq(here.why, "connection reset by the peer");
	drain();
	ck_assert_uint_eq(here.downs, 1);
}
END_TEST

START_TEST(peer_restarts)
{
	int fd = open_up("127.0.0.1");

	here.reopen = true;
	for (unsigned int i = 2; i < 20; i++) {
		close(fd);
		WAIT_FOR(here.ups == i);
		fd = accept(far_fd, NULL, NULL);
		ck_assert_int_ge(fd, 0);
		ck_assert_uint_eq(here.downs, i - 1);
	}
	close(fd);
}
END_TEST

/* ---- much data ---- */

START_TEST(burst)
{
	static uint8_t bytes[1 << 16];
	int fd = open_up("127.0.0.1");
	size_t sent = 0, total = 20 * sizeof(bytes);

	for (size_t i = 0; i < sizeof(bytes); i++)
		bytes[i] = (uint8_t)i;
	while (sent < total) {
		size_t at = sent % sizeof(bytes);
		ssize_t n = send(fd, bytes + at, sizeof(bytes) - at, MSG_DONTWAIT);

		if (n > 0)
			sent += (size_t)n;
		else
			ck_assert_int_gt(sd_event_run(here.event, WAIT_US), 0);
	}
	/* what the peer sent before it closed comes before the end is told */
	close(fd);
	WAIT_FOR(here.downs > 0);
	ck_assert_uint_eq(here.len, total);
}
END_TEST

/* Sends until the peer, which does not read, has the link's own buffer fill up. */
static size_t send_until_stuck(int fd)
{
	uint8_t bytes[1000];
	size_t sent = 0;
	struct pollfd poll_fd = {.fd = fd, .events = POLLIN};
	int r;

	ck_assert_int_eq(poll(&poll_fd, 1, 0), 0);
	for (;;) {
		for (size_t i = 0; i < sizeof(bytes); i++)
			bytes[i] = (uint8_t)(sent + i);
		r = here.link->type->send(here.link, bytes, sizeof(bytes));
		if (r < 0)
			break;
		sent += sizeof(bytes);
		ck_assert_uint_lt(sent, 1 << 28);
	}
	ck_assert_int_eq(r, -ENOTCONN);
	return sent;
}

START_TEST(peer_does_not_read)
{
	int fd = open_up("127.0.0.1");

	send_until_stuck(fd);
	ck_assert_uint_eq(here.downs, 0);
	WAIT_FOR(here.downs > 0);
	ck_assert_str_eq(here.why, "the peer accepts no more bytes");
	drain();
	ck_assert_uint_eq(here.downs, 1);
	close(fd);
}
END_TEST

/* What the kernel does not take at once goes out later, whole and in order. */
START_TEST(stingy_kernel)
{
	static const size_t portions[] = {1, 7, 799, 800};
	int fd = open_up("127.0.0.1");
	uint8_t bytes[2000];
	size_t sent = 0, got = 0;

	for (size_t round = 0; round < PB_ARRAY_SIZE(portions); round++) {
		kernel.portion = portions[round];
		for (int i = 0; i < 2; i++) {
			for (size_t k = 0; k < 800; k++)
				bytes[k] = (uint8_t)(sent + k);
			ck_assert_int_eq(here.link->type->send(here.link, bytes, 800), 0);
			sent += 800;
		}
		drain();
		while (got < sent) {
			ssize_t n = recv(fd, bytes, sizeof(bytes), MSG_DONTWAIT);

			ck_assert_int_gt(n, 0);
			for (ssize_t k = 0; k < n; k++)
				ck_assert_uint_eq(bytes[k], (uint8_t)got++);
		}
	}
	ck_assert_uint_gt(kernel.refusals, 100);
	ck_assert_uint_eq(here.downs, 0);
	/* nothing of it is left to wake the loop */
	ck_assert_int_eq(sd_event_run(here.event, 0), 0);
	close(fd);
}
END_TEST

/* What an old connection still held back is not for the new one. */
START_TEST(held_back_bytes_die)
{
	int old = open_up("127.0.0.1"), fd;
	uint8_t bytes[16];

	kernel.portion = 1;
	ck_assert_int_eq(here.link->type->send(here.link, (const uint8_t *)"old", 3), 0);
	here.link->type->close(here.link);
	kernel.portion = 0;
	ck_assert_int_eq(here.link->type->open(here.link), 0);
	WAIT_FOR(here.ups == 2);
	fd = accept(far_fd, NULL, NULL);
	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(here.link->type->send(here.link, (const uint8_t *)"new", 3), 0);
	ck_assert_int_eq(recv(fd, bytes, sizeof(bytes), 0), 3);
	ck_assert_mem_eq(bytes, "new", 3);
	close(old);
	close(fd);
}
END_TEST

/* The options that find out that a peer has gone without a word. */
START_TEST(silent_death_is_found)
{
	static const struct {
		int level, option, least, most;
	} options[] = {
		{SOL_SOCKET, SO_KEEPALIVE, 1, 1},    {IPPROTO_TCP, TCP_KEEPIDLE, 1, 30},
		{IPPROTO_TCP, TCP_KEEPINTVL, 1, 10}, {IPPROTO_TCP, TCP_KEEPCNT, 1, 5},
		{IPPROTO_TCP, TCP_NODELAY, 1, 1},    {IPPROTO_TCP, TCP_USER_TIMEOUT, 1000, 60000},
	};
	int fd = open_up("127.0.0.1");

	ck_assert_int_eq(here.link->type->send(here.link, (const uint8_t *)"x", 1), 0);
	ck_assert_int_ge(kernel.last_fd, 0);
	for (size_t i = 0; i < PB_ARRAY_SIZE(options); i++) {
		socklen_t len = sizeof(int);
		int value = 0;

		ck_assert_int_eq(getsockopt(kernel.last_fd, options[i].level, options[i].option,
					    &value, &len),
				 0);
		ck_assert_int_ge(value, options[i].least);
		ck_assert_int_le(value, options[i].most);
	}
	close(fd);
}
END_TEST

int main(void)
{
	TCase *tcase = tcase_create("tcp");

	tcase_set_timeout(tcase, 30);
	tcase_add_checked_fixture(tcase, setup, teardown);
	tcase_add_loop_test(tcase, host, 0, PB_ARRAY_SIZE(good_hosts));
	tcase_add_test(tcase, ipv6);
	tcase_add_test(tcase, unknown_name);
	tcase_add_test(tcase, slow_name_server);
	tcase_add_test(tcase, closed_while_asking);
	tcase_add_test(tcase, name_server_hangs);
	tcase_add_test(tcase, freed_while_asking);
	tcase_add_test(tcase, refused);
	tcase_add_test(tcase, all_addresses_refused);
	tcase_add_test(tcase, refused_at_once);
	tcase_add_test(tcase, not_to_itself);
	tcase_add_test(tcase, closed_by_the_peer);
	tcase_add_test(tcase, reset_by_the_peer);
	tcase_add_test(tcase, peer_restarts);
	tcase_add_test(tcase, burst);
	tcase_add_test(tcase, peer_does_not_read);
	tcase_add_test(tcase, stingy_kernel);
	tcase_add_test(tcase, held_back_bytes_die);
	tcase_add_test(tcase, silent_death_is_found);
	return pb_run_suite("tcp", tcase);
}
