/* SPDX-License-Identifier: MIT */
#include "suite.h"

#include "packbridge/base.h"
#include "packbridge/net.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

static bool match(const char *network, const char *address)
{
	union pb_address parsed = {.in = {.sin_family = AF_INET}};
	uint8_t bytes[PB_ADDRESS_BYTES];
	struct pb_network allow;
	char why[256];

	ck_assert_int_eq(pb_network_parse(&allow, network, why, sizeof(why)), 0);
	if (inet_pton(AF_INET, address, &parsed.in.sin_addr) != 1) {
		parsed.any.sa_family = AF_INET6;
		ck_assert_int_eq(inet_pton(AF_INET6, address, &parsed.in6.sin6_addr), 1);
	}
	pb_address_bytes(&parsed, bytes);
	return pb_networks_have(&allow, 1, bytes);
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
	static const uint8_t address[PB_ADDRESS_BYTES];

	ck_assert(pb_networks_have(NULL, 0, address));
}
END_TEST

START_TEST(a_list)
{
	static const char *const texts[] = {"10.0.0.0/8", "fd00::/8", "nonsense"};
	union pb_address address = pb_address_v4(0x0A010203, 1);
	uint8_t bytes[PB_ADDRESS_BYTES];
	struct pb_network *list;
	char why[256] = "";

	ck_assert_int_eq(pb_networks_parse(&list, texts, 3, why, sizeof(why)), -EINVAL);
	ck_assert_str_eq(why, "'nonsense', expected a network like 192.168.1.0/24 or fd00::/8");
	ck_assert_int_eq(pb_networks_parse(&list, texts, 2, why, sizeof(why)), 0);
	pb_address_bytes(&address, bytes);
	ck_assert(pb_networks_have(list, 2, bytes));
	ck_assert(!pb_networks_have(list + 1, 1, bytes));
	free(list);
	ck_assert_int_eq(pb_networks_parse(&list, NULL, 0, why, sizeof(why)), 0);
	ck_assert_ptr_nonnull(list);
	free(list);
}
END_TEST

static const char *const bad[] = {
	"",
	"localhost",
	"192.168.1.0/33",
	"192.168.1.0/",
	"192.168.1/24",
	"192.168.1.7/24",
	"fd00::/129",
	"fd00::1/8",
	"/8",
	"1.2.3.4/-1",
	"1.2.3.4/8x",
	"1.2.3.4.5.6.7.8.9.10.11.12.13.14.15.16.17.18.19.20.21.22.23.24.25.26.27/8"};

START_TEST(refused)
{
	struct pb_network allow;
	char why[256] = "";

	ck_assert_int_eq(pb_network_parse(&allow, bad[_i], why, sizeof(why)), -EINVAL);
	ck_assert_ptr_nonnull(strstr(why, "expected a network"));
}
END_TEST

int main(void)
{
	TCase *tcase = tcase_create("network");

	tcase_add_loop_test(tcase, networks, 0, (int)PB_ARRAY_SIZE(cases));
	tcase_add_test(tcase, nobody_named_everybody_may);
	tcase_add_test(tcase, a_list);
	tcase_add_loop_test(tcase, refused, 0, (int)PB_ARRAY_SIZE(bad));
	return pb_run_suite("net/network", tcase);
}
