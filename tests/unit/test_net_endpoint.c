/* SPDX-License-Identifier: MIT */
/*
 * One grammar of HOST:PORT. There were six, with differences; the cases that they disagreed on are
 * marked with what some of them did.
 */
#include "packbridge/base.h"
#include "packbridge/net.h"
#include "suite.h"

#include <errno.h>
#include <string.h>

enum { C = 1 << PB_ENDPOINT_CONNECT, L = 1 << PB_ENDPOINT_LISTEN, M = 1 << PB_ENDPOINT_MODBUS };

#define X16  "xxxxxxxxxxxxxxxx"
#define X63  X16 X16 X16 "xxxxxxxxxxxxxxx"
#define X253 X63 "." X63 "." X63 "." X16 X16 X16 "xxxxxxxxxxxxx"

static const struct {
	const char *text;
	unsigned int uses; /* that take it */
	const char *host;
	enum pb_host_kind kind;
	uint16_t port;
} good[] = {
	{"192.168.1.7:502", C | L | M, "192.168.1.7", PB_HOST_V4, 502},
	{"0.0.0.0:1", C | L | M, "0.0.0.0", PB_HOST_V4, 1},
	{"[::1]:1502", C | L | M, "::1", PB_HOST_V6, 1502},
	{"[::ffff:1.2.3.4]:65535", C | L | M, "::ffff:1.2.3.4", PB_HOST_V6, 65535},
	/* a zone is one of the machine that the text is for: here only its form counts */
	{"[fe80::1%eth0.7]:502", C | L | M, "fe80::1%eth0.7", PB_HOST_V6, 502},
	{"localhost:502", C | L | M, "localhost", PB_HOST_NAME, 502},
	{"packs.lan:502", C | L | M, "packs.lan", PB_HOST_NAME, 502},
	{"Packs-1.lan.:502", C | L | M, "Packs-1.lan.", PB_HOST_NAME, 502},
	{"a_b:00502", C | L | M, "a_b", PB_HOST_NAME, 502},
	{"4ever:1", C | L | M, "4ever", PB_HOST_NAME, 1},
	{X63 ":1", C | L | M, X63, PB_HOST_NAME, 1},
	{X253 ":1", C | L | M, X253, PB_HOST_NAME, 1},
	{X253 ".:1", C | L | M, X253 ".", PB_HOST_NAME, 1},
	{"*:502", L, "*", PB_HOST_ALL, 502},
	{"127.0.0.1:0", L, "127.0.0.1", PB_HOST_V4, 0},
	/* without a port */
	{"packs", M, "packs", PB_HOST_NAME, 502},
	{"10.0.0.1", M, "10.0.0.1", PB_HOST_V4, 502},
	{"[::1]", M, "::1", PB_HOST_V6, 502},
	{"::1", M, "::1", PB_HOST_V6, 502},
	{"::1:1502", M, "::1:1502", PB_HOST_V6, 502}, /* all of it is the address */
	{"fe80::1%eth0", M, "fe80::1%eth0", PB_HOST_V6, 502},
};

START_TEST(takes)
{
	for (int use = PB_ENDPOINT_CONNECT; use <= PB_ENDPOINT_MODBUS; use++) {
		struct pb_endpoint endpoint = {.port = 7};
		enum pb_endpoint_fault fault =
			pb_endpoint_parse(&endpoint, good[_i].text, (enum pb_endpoint_use)use);

		if (!(good[_i].uses & 1U << use)) {
			ck_assert_msg(fault != PB_ENDPOINT_GOOD, "%s, %d", good[_i].text, use);
			ck_assert_uint_eq(endpoint.port, 7);
			continue;
		}
		ck_assert_msg(fault == PB_ENDPOINT_GOOD, "%s, %d: %d", good[_i].text, use, fault);
		ck_assert_str_eq(endpoint.host, good[_i].host);
		ck_assert_int_eq(endpoint.kind, good[_i].kind);
		ck_assert_uint_eq(endpoint.port, good[_i].port);
	}
}
END_TEST

static const struct {
	const char *text;
	enum pb_endpoint_use use;
	const char *why;
} bad[] = {
	{"", PB_ENDPOINT_CONNECT, "'', expected HOST:PORT or [IPV6]:PORT"},
	{"packs", PB_ENDPOINT_CONNECT, "'packs', expected HOST:PORT or [IPV6]:PORT"},
	{"[::1]", PB_ENDPOINT_CONNECT, "'[::1]', expected HOST:PORT or [IPV6]:PORT"},
	{"[::1:502", PB_ENDPOINT_CONNECT, "'[::1:502', expected HOST:PORT or [IPV6]:PORT"},
	{"[::1", PB_ENDPOINT_MODBUS, "'[::1', expected HOST:PORT or [IPV6]:PORT"}, /* was a host */
	{"[::1]5", PB_ENDPOINT_MODBUS, "'[::1]5', expected HOST:PORT or [IPV6]:PORT"},
	{"[::1]:2:3", PB_ENDPOINT_CONNECT, "port '2:3', expected 1 to 65535"},
	{"packs:", PB_ENDPOINT_CONNECT, "port '', expected 1 to 65535"},
	{"packs:", PB_ENDPOINT_MODBUS, "port '', expected 1 to 65535"},
	{"packs:0", PB_ENDPOINT_CONNECT, "port '0', expected 1 to 65535"},
	{"packs:0", PB_ENDPOINT_MODBUS, "port '0', expected 1 to 65535"},
	{"packs:65536", PB_ENDPOINT_CONNECT, "port '65536', expected 1 to 65535"},
	{"packs:000502", PB_ENDPOINT_CONNECT, "port '000502', expected 1 to 65535"},
	{"packs:99999999999999999999", PB_ENDPOINT_LISTEN,
	 "port '99999999999999999999', expected 1 to 65535"},
	{"packs:+502", PB_ENDPOINT_MODBUS, "port '+502', expected 1 to 65535"},	   /* was a port */
	{"packs:0x1f6", PB_ENDPOINT_CONNECT, "port '0x1f6', expected 1 to 65535"}, /* was a port */
	{"packs: 502", PB_ENDPOINT_CONNECT, "port ' 502', expected 1 to 65535"},
	{":502", PB_ENDPOINT_CONNECT, "no host, expected HOST:PORT"},
	{"", PB_ENDPOINT_MODBUS, "no host, expected HOST:PORT"},
	{"::1:502", PB_ENDPOINT_CONNECT, "an IPv6 address needs brackets: [::1]:502"},
	{"::1:502", PB_ENDPOINT_LISTEN, "an IPv6 address needs brackets: [::1]:502"},
	{"[]:502", PB_ENDPOINT_CONNECT, "no host, expected HOST:PORT"},
	{"[127.0.0.1]:502", PB_ENDPOINT_CONNECT, "'127.0.0.1' is no IPv6 address"},
	{"[packs]:502", PB_ENDPOINT_MODBUS, "'packs' is no IPv6 address"}, /* was a host */
	{"[::g]:502", PB_ENDPOINT_LISTEN, "'::g' is no IPv6 address"},
	{"[fe80::1%]:502", PB_ENDPOINT_CONNECT, "'fe80::1%' is no IPv6 address"},
	{"[fe80::1%a b]:502", PB_ENDPOINT_CONNECT, "'fe80::1%a b' is no IPv6 address"},
	{"[0000:0000:0000:0000:0000:0000:0000:0000:0000:0000]:502", PB_ENDPOINT_CONNECT,
	 "'0000:0000:0000:0000:0000:0000:0000:0000:0000:0000' is no IPv6 address"},
	{"a:b:c", PB_ENDPOINT_MODBUS, "'a:b:c' is no IPv6 address"}, /* was a host */
	{"127.1:502", PB_ENDPOINT_CONNECT, "'127.1' is no IPv4 address"},
	{"1.2.3.256:502", PB_ENDPOINT_LISTEN, "'1.2.3.256' is no IPv4 address"},
	{"502", PB_ENDPOINT_MODBUS, "'502' is no IPv4 address"},
	{"*:502", PB_ENDPOINT_CONNECT, "'*' is no host name"},
	{"a b:502", PB_ENDPOINT_CONNECT, "'a b' is no host name"},
	{"a/b:502", PB_ENDPOINT_LISTEN, "'a/b' is no host name"},
	/* these were names to links */
	{"-a:502", PB_ENDPOINT_CONNECT, "'-a' is no host name"},
	{"a-.b:502", PB_ENDPOINT_CONNECT, "'a-.b' is no host name"},
	{"a..b:502", PB_ENDPOINT_CONNECT, "'a..b' is no host name"},
	{".a:502", PB_ENDPOINT_CONNECT, "'.a' is no host name"},
	{"a..:502", PB_ENDPOINT_CONNECT, "'a..' is no host name"},
	{"a.7:502", PB_ENDPOINT_CONNECT, "'a.7' is no host name"},
	{X63 "x:502", PB_ENDPOINT_CONNECT, "'" X63 "x' is no host name"},
	{X253 "x:502", PB_ENDPOINT_CONNECT, "'" X253 "x' is no host name"},
	{X253 "xx:502", PB_ENDPOINT_CONNECT, "the host name is longer than 253 characters"},
	{X253 X63 ":502", PB_ENDPOINT_CONNECT, "the host name is longer than 253 characters"},
};

START_TEST(refuses)
{
	struct pb_endpoint endpoint;
	char why[512] = "";
	enum pb_endpoint_fault fault = pb_endpoint_parse(&endpoint, bad[_i].text, bad[_i].use);

	ck_assert_msg(fault != PB_ENDPOINT_GOOD, "%s", bad[_i].text);
	ck_assert_int_eq(pb_endpoint_explain(fault, bad[_i].text, why, sizeof(why)), -EINVAL);
	ck_assert_str_eq(why, bad[_i].why);
}
END_TEST

static struct pb_endpoint read_it(const char *text)
{
	struct pb_endpoint endpoint;

	ck_assert_int_eq(pb_endpoint_parse(&endpoint, text, PB_ENDPOINT_LISTEN), PB_ENDPOINT_GOOD);
	return endpoint;
}

static const struct {
	const char *text, *printed, *canonical, *reached;
} outs[] = {
	{"127.0.0.1:01502", "127.0.0.1:1502", "127.0.0.1:1502", "127.0.0.1:1502"},
	{"[0::1]:502", "[0::1]:502", "[::1]:502", "[0::1]:502"},
	{"[::ffff:10.0.0.1]:5", "[::ffff:10.0.0.1]:5", "10.0.0.1:5", "[::ffff:10.0.0.1]:5"},
	{"[fe80::1%lo]:5", "[fe80::1%lo]:5", "[fe80::1%lo]:5", "[fe80::1%lo]:5"},
	{"LocalHost:5", "LocalHost:5", "127.0.0.1:5", "LocalHost:5"},
	{"Packs.Lan.:5", "Packs.Lan.:5", "packs.lan:5", "Packs.Lan.:5"},
	{"packs.lan:5", "packs.lan:5", "packs.lan:5", "packs.lan:5"},
	{"*:502", "*:502", "*:502", "127.0.0.1:502"},
	{"0.0.0.0:502", "0.0.0.0:502", "0.0.0.0:502", "127.0.0.1:502"},
	{"[::]:502", "[::]:502", "[::]:502", "[::1]:502"},
	{"[0:0::]:502", "[0:0::]:502", "[::]:502", "[::1]:502"},
};

START_TEST(out_again)
{
	struct pb_endpoint endpoint = read_it(outs[_i].text), reached;
	char text[PB_ENDPOINT_MAX];

	ck_assert_str_eq(pb_endpoint_print(&endpoint, text, sizeof(text)), outs[_i].printed);
	pb_endpoint_canonical(&endpoint, text, sizeof(text));
	ck_assert_str_eq(text, outs[_i].canonical);
	pb_endpoint_reach(&endpoint, &reached);
	ck_assert_str_eq(pb_endpoint_print(&reached, text, sizeof(text)), outs[_i].reached);
}
END_TEST

static const struct {
	const char *text;
	bool is;
} loopbacks[] = {
	{"127.0.0.1:5", true},
	{"127.9.9.9:5", true},
	{"[::1]:5", true},
	{"localhost:5", true},
	{"[::ffff:127.0.0.1]:5", true},
	{"126.0.0.1:5", false},
	{"0.0.0.0:5", false},
	{"[::]:5", false},
	{"packs:5", false},
	{"[fd00::1]:5", false},
};

START_TEST(loopback)
{
	struct pb_endpoint endpoint = read_it(loopbacks[_i].text);

	ck_assert(pb_endpoint_is_loopback(&endpoint) == loopbacks[_i].is);
}
END_TEST

int main(void)
{
	TCase *tcase = tcase_create("endpoint");

	tcase_add_loop_test(tcase, takes, 0, (int)PB_ARRAY_SIZE(good));
	tcase_add_loop_test(tcase, refuses, 0, (int)PB_ARRAY_SIZE(bad));
	tcase_add_loop_test(tcase, out_again, 0, (int)PB_ARRAY_SIZE(outs));
	tcase_add_loop_test(tcase, loopback, 0, (int)PB_ARRAY_SIZE(loopbacks));
	return pb_run_suite("net/endpoint", tcase);
}
