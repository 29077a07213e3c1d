/* SPDX-License-Identifier: MIT */
#include "suite.h"

#include "../../src/server/allow.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <string.h>

static bool match(const char *network, const char *address)
{
	struct sockaddr_in v4 = {.sin_family = AF_INET};
	struct sockaddr_in6 v6 = {.sin6_family = AF_INET6};
	struct allow allow;
	char why[256];

	ck_assert_int_eq(allow_parse(&allow, network, why, sizeof(why)), 0);
	if (inet_pton(AF_INET, address, &v4.sin_addr) == 1)
		return allow_match(&allow, 1, (const struct sockaddr *)&v4);
	ck_assert_int_eq(inet_pton(AF_INET6, address, &v6.sin6_addr), 1);
	return allow_match(&allow, 1, (const struct sockaddr *)&v6);
}

static const struct {
	const char *network, *address;
	bool in;
} cases[] = {
	{"192.168.1.0/24", "192.168.1.77", true},
	{"192.168.1.0/24", "192.168.2.77", false},
	{"192.168.1.0/24", "::ffff:192.168.1.77", true}, /* IPv4 on a socket for both */
	{"192.168.1.0/24", "fd00::1", false},
	{"10.1.2.3", "10.1.2.3", true},
	{"10.1.2.3", "10.1.2.4", false},
	{"172.16.0.0/12", "172.31.255.255", true},
	{"172.16.0.0/12", "172.32.0.0", false},
	{"0.0.0.0/0", "8.8.8.8", true},
	{"0.0.0.0/0", "2001:db8::1", false},
	{"fd00::/8", "fdff::1", true},
	{"fd00::/8", "fe80::1", false},
	{"2001:db8::5", "2001:db8::5", true},
	{"2001:db8::/127", "2001:db8::1", true},
	{"2001:db8::/127", "2001:db8::2", false},
	{"::/0", "10.0.0.1", true},
};

START_TEST(networks)
{
	ck_assert_msg(match(cases[_i].network, cases[_i].address) == cases[_i].in, "%s in %s",
		      cases[_i].address, cases[_i].network);
}
END_TEST

START_TEST(nobody_named_everybody_may)
{
	struct sockaddr_in v4 = {.sin_family = AF_INET};

	ck_assert(allow_match(NULL, 0, (const struct sockaddr *)&v4));
}
END_TEST

static const char *const bad[] = {"",
				  "localhost",
				  "192.168.1.0/33",
				  "192.168.1.0/",
				  "192.168.1/24",
				  "192.168.1.7/24",
				  "fd00::/129",
				  "fd00::1/8",
				  "/8",
				  "1.2.3.4/-1",
				  "1.2.3.4/8x"};

START_TEST(refused)
{
	struct allow allow;
	char why[256] = "";

	ck_assert_int_eq(allow_parse(&allow, bad[_i], why, sizeof(why)), -EINVAL);
	ck_assert_ptr_nonnull(strstr(why, "expected a network"));
}
END_TEST

int main(void)
{
	TCase *tcase = tcase_create("allow");

	tcase_add_loop_test(tcase, networks, 0, (int)PB_ARRAY_SIZE(cases));
	tcase_add_test(tcase, nobody_named_everybody_may);
	tcase_add_loop_test(tcase, refused, 0, (int)PB_ARRAY_SIZE(bad));
	return pb_run_suite("server/allow", tcase);
}
