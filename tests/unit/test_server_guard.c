/* SPDX-License-Identifier: MIT */
#include "suite.h"

#include "../../src/server/guard.h"

#include "packbridge/server.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>

static const char *const names[] = {"packbridge.lan", "Bus.Example."};
static const char *const networks[] = {"192.168.1.0/24", "fd00::/8"};

static void make(struct guard *guard)
{
	char why[256];

	ck_assert_int_eq(guard_make(guard, names, 2, networks, 2, why, sizeof(why)), 0);
	snprintf(guard->own, sizeof(guard->own), "camper.home.arpa");
}

static const struct {
	const char *header;
	bool passes;
} headers[] = {
	{NULL, true},
	/* addresses */
	{"127.0.0.1", true},
	{"192.168.7.9:8502", true},
	{"10.0.0.1.", true},
	{"10.0.0.1.:80", true},
	{"[::1]", true},
	{"[::1]:8502", true},
	{"[FE80::1]:8502", true},
	{"[::ffff:10.0.0.1]", true},
	/* localhost, the machine, and names that are configured */
	{"localhost", true},
	{"LocalHost:8502", true},
	{"localhost.", true},
	{"camper", true},
	{"CAMPER:8502", true},
	{"camper.home.arpa.", true},
	{"camper.local:8502", true},
	{"packbridge.lan", true},
	{"PackBridge.LAN.:8502", true},
	{"bus.example:80", true},
	{"packbridge.lan:", true},
	/* names of others, however they look */
	{"", false},
	{".", false},
	{":8502", false},
	{"evil.example", false},
	{"evil.example:8502", false},
	{"127.0.0.1.evil.example", false},
	{"localhost.evil.example", false},
	{"camper.evil.example", false},
	{"packbridge.lan.evil.example", false},
	{"evilpackbridge.lan", false},
	{"camper.loca", false},
	{"camper.local.evil.example", false},
	{"camper.home", false},
	{"localhost..", false},
	{"local", false},
	{"2130706433", false},
	{"0x7f.1", false},
	{"127.1", false},
	{"127.0.0.1:x", false},
	{"127.0.0.1:99999", false},
	{"127.0.0.1:80:80", false},
	{"evil.example@127.0.0.1", false},
	{"127.0.0.1@evil.example", false},
	{"127.0.0.1/evil.example", false},
	{"127.0.0.1, evil.example", false},
	{" 127.0.0.1", false},
	{"::1", false},
	{"[::1", false},
	{"[]", false},
	{"[evil.example]", false},
	{"[127.0.0.1]", false},
	{"[::1]evil.example", false},
	{"[::1].evil.example:80", false},
};

START_TEST(hosts)
{
	struct guard guard;

	make(&guard);
	ck_assert_msg(guard_host(&guard, headers[_i].header) == headers[_i].passes, "%s",
		      headers[_i].header ? headers[_i].header : "(none)");
	/* a machine without a name is not called "" */
	guard.own[0] = '\0';
	ck_assert(!guard_host(&guard, "."));
	ck_assert(!guard_host(&guard, ".local"));
	ck_assert(!guard_host(&guard, "camper"));
	guard_clear(&guard);
}
END_TEST

START_TEST(long_names)
{
	struct guard guard;
	char header[2000];

	make(&guard);
	memset(header, 'a', sizeof(header) - 1);
	header[sizeof(header) - 1] = '\0';
	ck_assert(!guard_host(&guard, header));
	header[0] = '[';
	ck_assert(!guard_host(&guard, header));
	header[sizeof(header) - 2] = ']';
	ck_assert(!guard_host(&guard, header));
	guard_clear(&guard);
}
END_TEST

START_TEST(addresses)
{
	union pb_address v4 = {.in.sin_family = AF_INET}, v6 = {.in6.sin6_family = AF_INET6};
	struct guard guard, all;
	char why[256];

	make(&guard);
	ck_assert_int_eq(guard_make(&all, NULL, 0, NULL, 0, why, sizeof(why)), 0);
	inet_pton(AF_INET, "192.168.1.77", &v4.in.sin_addr);
	ck_assert(guard_address(&guard, &v4));
	inet_pton(AF_INET, "192.168.2.77", &v4.in.sin_addr);
	ck_assert(!guard_address(&guard, &v4));
	ck_assert(guard_address(&all, &v4));
	inet_pton(AF_INET6, "::ffff:192.168.1.77", &v6.in6.sin6_addr);
	ck_assert(guard_address(&guard, &v6));
	inet_pton(AF_INET6, "2001:db8::1", &v6.in6.sin6_addr);
	ck_assert(!guard_address(&guard, &v6));
	guard_clear(&guard);
	guard_clear(&all);
}
END_TEST

static const char *const wrong_names[] = {"",	 "a b",	 "a:80", "http://a",  "*.lan",
					  "a/b", ".lan", "-lan", "\u00e4.lan"};

START_TEST(wrong_ones_are_refused)
{
	const char *const bad_network[] = {"192.168.1.1/24"};
	struct guard guard;
	char why[256];

	ck_assert_int_lt(guard_make(&guard, &wrong_names[_i], 1, NULL, 0, why, sizeof(why)), 0);
	ck_assert_msg(strstr(why, "expected a name like"), "%s", why);
	ck_assert_int_lt(pb_http_host_check(wrong_names[_i], why, sizeof(why)), 0);
	ck_assert_int_lt(guard_make(&guard, NULL, 0, bad_network, 1, why, sizeof(why)), 0);
	ck_assert_msg(strstr(why, "expected a network"), "%s", why);
}
END_TEST

int main(void)
{
	TCase *tcase = tcase_create("guard");

	tcase_add_loop_test(tcase, hosts, 0, PB_ARRAY_SIZE(headers));
	tcase_add_test(tcase, long_names);
	tcase_add_test(tcase, addresses);
	tcase_add_loop_test(tcase, wrong_ones_are_refused, 0, PB_ARRAY_SIZE(wrong_names));
	return pb_run_suite("guard", tcase);
}
