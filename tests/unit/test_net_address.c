/* SPDX-License-Identifier: MIT */
/* Socket addresses, and the look-up of names with a name server of our own. */
#include "packbridge/base.h"
#include "packbridge/net.h"
#include "suite.h"

#include <arpa/inet.h>
#include <dlfcn.h>
#include <errno.h>
#include <netdb.h>
#include <poll.h>
#include <string.h>
#include <unistd.h>

typedef int getaddrinfo_fn(const char *, const char *, const struct addrinfo *, struct addrinfo **);

/* Names that end in ".test" are served from here; numeric addresses by the C library. */
int getaddrinfo(const char *node, const char *service, const struct addrinfo *hints,
		struct addrinfo **ret)
{
	void *symbol = dlsym(RTLD_NEXT, "getaddrinfo");
	getaddrinfo_fn *real;

	memcpy(&real, &symbol, sizeof(real));
	if (!node || !strstr(node, ".test"))
		return real(node, service, hints, ret);
	if (strcmp(node, "one.test") == 0)
		return real("10.0.0.1", service, hints, ret);
	errno = ENETDOWN;
	return strcmp(node, "down.test") == 0 ? EAI_SYSTEM : EAI_NONAME;
}

static union pb_address address(const char *text)
{
	struct pb_endpoint endpoint;
	struct pb_addresses found;

	ck_assert_int_eq(pb_endpoint_parse(&endpoint, text, PB_ENDPOINT_LISTEN), PB_ENDPOINT_GOOD);
	ck_assert_int_eq(pb_resolve_numeric(&endpoint, &found), 0);
	ck_assert_uint_ge(found.count, 1);
	return found.list[0];
}

START_TEST(members)
{
	union pb_address v4 = pb_address_v4(0x0A000001, 502);
	union pb_address v6 = pb_address_v6(&in6addr_loopback, 502);
	union pb_address unix_socket = {.any.sa_family = AF_UNIX};
	uint8_t bytes[PB_ADDRESS_BYTES];
	char text[PB_ADDRESS_TEXT];

	ck_assert_uint_eq(pb_address_len(&v4), sizeof(struct sockaddr_in));
	ck_assert_uint_eq(pb_address_len(&v6), sizeof(struct sockaddr_in6));
	pb_address_set_port(&v4, 1);
	pb_address_set_port(&v6, 2);
	ck_assert_uint_eq(pb_address_port(&v4), 1);
	ck_assert_uint_eq(pb_address_port(&v6), 2);
	pb_address_bytes(&v4, bytes);
	ck_assert_mem_eq(bytes, "\0\0\0\0\0\0\0\0\0\0\xFF\xFF\x0A\0\0\x01", 16);
	pb_address_bytes(&v6, bytes);
	ck_assert_mem_eq(bytes, &in6addr_loopback, 16);
	pb_address_bytes(&unix_socket, bytes);
	ck_assert_mem_eq(bytes, &in6addr_any, 16);
	ck_assert_str_eq(pb_address_print(&unix_socket, text, sizeof(text)), "?");
}
END_TEST

START_TEST(printed)
{
	static const char *const cases[][2] = {{"10.1.2.3:5", "10.1.2.3"},
					       {"[fd00::7]:5", "fd00::7"},
					       {"[::ffff:10.1.2.3]:5", "10.1.2.3"},
					       {"[fe80::1%lo]:5", "fe80::1%lo"}};
	char text[PB_ADDRESS_TEXT];

	for (size_t i = 0; i < PB_ARRAY_SIZE(cases); i++) {
		union pb_address it = address(cases[i][0]);

		ck_assert_str_eq(pb_address_print(&it, text, sizeof(text)), cases[i][1]);
	}
}
END_TEST

static const struct {
	const char *one, *other;
	bool overlap;
} pairs[] = {
	{"127.0.0.1:502", "127.0.0.1:502", true},
	{"127.0.0.1:502", "127.0.0.2:502", false},
	{"127.0.0.1:502", "127.0.0.1:503", false},
	{"127.0.0.1:0", "127.0.0.1:0", false}, /* each gets another port */
	{"0.0.0.0:502", "127.0.0.1:502", true},
	{"[::]:502", "127.0.0.1:502", true}, /* takes IPv4 too */
	{"[::]:502", "[::1]:502", true},
	{"[::1]:502", "127.0.0.1:502", false},
	{"[::1]:502", "0.0.0.0:502", false},
	{"[::1]:502", "[::1]:502", true},
	{"[::1]:502", "[fd00::1]:502", false},
	{"[::ffff:127.0.0.1]:502", "127.0.0.1:502", true},
	{"[fe80::1%lo]:502", "[fe80::1%lo]:502", true},
	{"[fe80::1%lo]:502", "[fe80::1]:502", false},
};

START_TEST(overlaps)
{
	union pb_address one = address(pairs[_i].one), other = address(pairs[_i].other);

	ck_assert(pb_address_overlap(&one, &other) == pairs[_i].overlap);
	ck_assert(pb_address_overlap(&other, &one) == pairs[_i].overlap);
}
END_TEST

static int numeric(const char *text, struct pb_addresses *ret)
{
	struct pb_endpoint endpoint;

	ck_assert_int_eq(pb_endpoint_parse(&endpoint, text, PB_ENDPOINT_LISTEN), PB_ENDPOINT_GOOD);
	return pb_resolve_numeric(&endpoint, ret);
}

START_TEST(without_a_name_server)
{
	struct pb_addresses found;

	ck_assert_int_eq(numeric("localhost:7", &found), 0);
	ck_assert_uint_ge(found.count, 1);
	ck_assert_uint_eq(pb_address_port(&found.list[0]), 7);
	ck_assert_int_eq(numeric("LOCALHOST:7", &found), 0);
	ck_assert_int_eq(numeric("one.test:7", &found), -ENOENT);
	ck_assert_int_eq(numeric("*:7", &found), -ENOENT);
	ck_assert_int_eq(numeric("[fe80::1%nosuchzone]:7", &found), -ENOENT);
}
END_TEST

static void look_up(const char *text, struct pb_addresses *ret)
{
	struct pb_endpoint endpoint;
	struct pollfd readable = {.events = POLLIN};

	ck_assert_int_eq(pb_endpoint_parse(&endpoint, text, PB_ENDPOINT_CONNECT), PB_ENDPOINT_GOOD);
	ck_assert_int_eq(pb_resolve_start(&endpoint, &readable.fd), 0);
	ck_assert_int_eq(poll(&readable, 1, 10000), 1);
	pb_resolve_finish(readable.fd, ret);
	close(readable.fd);
}

START_TEST(by_a_name_server)
{
	struct pb_addresses found;
	char text[PB_ADDRESS_TEXT];

	look_up("one.test:77", &found);
	ck_assert_uint_eq(found.count, 1);
	ck_assert_uint_eq(pb_address_port(&found.list[0]), 77);
	ck_assert_str_eq(pb_address_print(&found.list[0], text, sizeof(text)), "10.0.0.1");
	look_up("none.test:77", &found);
	ck_assert_uint_eq(found.count, 0);
	ck_assert_str_eq(found.why, gai_strerror(EAI_NONAME));
	look_up("down.test:77", &found);
	ck_assert_uint_eq(found.count, 0);
	ck_assert_str_eq(found.why, strerrordesc_np(ENETDOWN));
}
END_TEST

START_TEST(a_look_up_that_ended_without_an_answer)
{
	struct pb_addresses found;
	int pair[2];

	ck_assert_int_eq(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, pair), 0);
	close(pair[1]);
	pb_resolve_finish(pair[0], &found);
	ck_assert_uint_eq(found.count, 0);
	ck_assert_str_eq(found.why, "no answer");
	close(pair[0]);
}
END_TEST

int main(void)
{
	TCase *tcase = tcase_create("address");

	tcase_add_test(tcase, members);
	tcase_add_test(tcase, printed);
	tcase_add_loop_test(tcase, overlaps, 0, (int)PB_ARRAY_SIZE(pairs));
	tcase_add_test(tcase, without_a_name_server);
	tcase_add_test(tcase, by_a_name_server);
	tcase_add_test(tcase, a_look_up_that_ended_without_an_answer);
	return pb_run_suite("net/address", tcase);
}
