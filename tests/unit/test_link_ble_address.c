/* SPDX-License-Identifier: MIT */
#include "suite.h"

#include "../../src/link/ble_address.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

static const uint8_t mac[6] = {0xA4, 0xC1, 0x38, 0x12, 0x34, 0x56};

static const struct {
	const char *text;
	bool has_mac;
	const char *glob, *adapter;
} good[] = {
	{"A4:C1:38:12:34:56", true, "", ""},
	{"a4:c1:38:12:34:56@hci1", true, "", "hci1"},
	{"name=xiaoxiang*", false, "xiaoxiang*", ""},
	{"name=House ?@hci0", false, "House ?", "hci0"},
	{"name=me@home@hci12", false, "me@home", "hci12"},
};

START_TEST(parses)
{
	struct ble_address address;
	char why[256] = "";

	ck_assert_int_eq(ble_address_parse(&address, good[_i].text, why, sizeof(why)), 0);
	ck_assert(address.has_mac == good[_i].has_mac);
	if (address.has_mac)
		ck_assert_mem_eq(address.mac, mac, sizeof(mac));
	ck_assert_str_eq(address.glob, good[_i].glob);
	ck_assert_str_eq(address.adapter, good[_i].adapter);
}
END_TEST

static const char *const bad[] = {
	"",
	"A4:C1:38:12:34",
	"A4:C1:38:12:34:5G",
	"A4-C1-38-12-34-56",
	"A4:C1:38:12:34:56:78",
	"A4:C1:38:12:34:56@",
	"A4:C1:38:12:34:56@eth0",
	"A4:C1:38:12:34:56@hci",
	"A4:C1:38:12:34:56@hci-1",
	"A4:C1:38:12:34:56@hci123456789012345",
	"name=",
	"name=@hci0",
	"house",
};

START_TEST(refuses)
{
	struct ble_address address = {.adapter = "as before"};
	char why[256] = "";

	ck_assert_int_eq(ble_address_parse(&address, bad[_i], why, sizeof(why)), -EINVAL);
	ck_assert_uint_gt(strlen(why), 0);
	ck_assert_str_eq(address.adapter, "as before");
}
END_TEST

START_TEST(long_text)
{
	struct ble_address address;
	char text[4096] = "name=", why[256] = "";

	memset(text + 5, 'x', sizeof(text) - 6);
	ck_assert_int_eq(ble_address_parse(&address, text, why, sizeof(why)), -EINVAL);
	text[5 + sizeof(address.glob) - 1] = '\0';
	ck_assert_int_eq(ble_address_parse(&address, text, why, sizeof(why)), 0);
	text[5 + sizeof(address.glob) - 1] = 'x';
	text[5 + sizeof(address.glob)] = '\0';
	ck_assert_int_eq(ble_address_parse(&address, text, why, sizeof(why)), -EINVAL);
}
END_TEST

START_TEST(matches)
{
	struct pb_advert advert = {.name = "JBD-house"};
	struct ble_address address;
	char why[256];

	memcpy(advert.mac, mac, sizeof(mac));
	ble_address_parse(&address, "A4:C1:38:12:34:56", why, sizeof(why));
	ck_assert(ble_address_match(&address, &advert, "hci0"));
	ble_address_parse(&address, "A4:C1:38:12:34:56@hci1", why, sizeof(why));
	ck_assert(!ble_address_match(&address, &advert, "hci0"));
	ck_assert(ble_address_match(&address, &advert, "hci1"));
	ble_address_parse(&address, "A4:C1:38:12:34:57", why, sizeof(why));
	ck_assert(!ble_address_match(&address, &advert, "hci0"));
	ble_address_parse(&address, "name=JBD-*", why, sizeof(why));
	ck_assert(ble_address_match(&address, &advert, "hci0"));
	ble_address_parse(&address, "name=JBD-h", why, sizeof(why));
	ck_assert(!ble_address_match(&address, &advert, "hci0"));
	/* a device whose name is not known is nobody's */
	advert.name[0] = '\0';
	ble_address_parse(&address, "name=*", why, sizeof(why));
	ck_assert(!ble_address_match(&address, &advert, "hci0"));
}
END_TEST

int main(void)
{
	TCase *tcase = tcase_create("ble_address");

	tcase_add_loop_test(tcase, parses, 0, (int)PB_ARRAY_SIZE(good));
	tcase_add_loop_test(tcase, refuses, 0, (int)PB_ARRAY_SIZE(bad));
	tcase_add_test(tcase, long_text);
	tcase_add_test(tcase, matches);
	return pb_run_suite("link/ble_address", tcase);
}
