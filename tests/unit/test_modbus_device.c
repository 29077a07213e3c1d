/* SPDX-License-Identifier: MIT */
/* Functions 7, 8, 17 and 43/14. */
#include "packbridge/base.h"
#include "packbridge/modbus.h"
#include "suite.h"

#include <string.h>

static const struct pb_identity identity = {
	.vendor = "packbridge",
	.product = "packbridge",
	.revision = "1.2",
	.url = "u",
	.product_name = "gateway",
};
static struct pb_diagnostics diagnostics;
static const struct pb_origin origin = {NULL, &identity, &diagnostics};
static const struct pb_image image = {
	.exception_status = 0x81, .model = "packbridge 1", .name = "house", .protocol = "jbd"};

static void expect_of(const struct pb_image *of, const char *request_hex, const char *reply_hex)
{
	uint8_t request[PB_PDU_MAX], expected[PB_PDU_MAX], reply[PB_PDU_MAX];
	int request_len = pb_hex_parse(request_hex, request, sizeof(request));
	int expected_len = pb_hex_parse(reply_hex, expected, sizeof(expected));
	size_t len = pb_modbus_reply(&origin, of, request, (size_t)request_len, reply);
	char text[3 * PB_PDU_MAX + 1];

	pb_hex_print(text, sizeof(text), reply, len, ' ');
	ck_assert_msg(len == (size_t)expected_len && memcmp(reply, expected, len) == 0,
		      "%s is answered by %s", request_hex, text);
}

static void expect(const char *request_hex, const char *reply_hex)
{
	expect_of(&image, request_hex, reply_hex);
}

START_TEST(exception_status)
{
	expect("07", "07 81");
	expect("07 00", "87 03");
}
END_TEST

START_TEST(echo)
{
	expect("08 0000 A537", "08 0000 A537");
	expect("08 0000", "08 0000");
	expect("08 0000 01020304050607", "08 0000 01020304050607");
	expect("08 00", "88 03");
	expect("08", "88 03");
}
END_TEST

START_TEST(counters)
{
	diagnostics = (struct pb_diagnostics){1, 2, 3, 4, 5, 6, 7, 0xFFFF};
	expect("08 000B 0000", "08 000B 0001");
	expect("08 000C 0000", "08 000C 0002");
	expect("08 000D 0000", "08 000D 0003");
	expect("08 000E 0000", "08 000E 0004");
	expect("08 000F 0000", "08 000F 0005");
	expect("08 0010 0000", "08 0010 0006");
	expect("08 0011 0000", "08 0011 0007");
	expect("08 0012 0000", "08 0012 FFFF");
	expect("08 000A 0000", "08 000A 0000");
	expect("08 000B 0000", "08 000B 0000");
	expect("08 0012 0000", "08 0012 0000");
	expect("08 000B 0001", "88 03");
	expect("08 000B 00", "88 03");
	expect("08 000B 000000", "88 03");
	/* restart and listen-only are nothing for a gateway */
	expect("08 0001 0000", "88 01");
	expect("08 0004 0000", "88 01");
	expect("08 0013 0000", "88 01");
	expect("08 FFFF 0000", "88 01");
}
END_TEST

START_TEST(server_id)
{
	/* "packbridge 1.2 house" */
	expect("11", "11 16 50 FF 7061636B62726964676520312E3220686F757365");
	expect("11 00", "91 03");
}
END_TEST

START_TEST(identification)
{
	expect("2B 0E 01 00", "2B 0E 01 83 00 00 03 00 0A 7061636B627269646765"
			      " 01 0A 7061636B627269646765 02 03 312E32");
	expect("2B 0E 01 02", "2B 0E 01 83 00 00 01 02 03 312E32");
	/* from the beginning, for an object that is not in the stream */
	expect("2B 0E 01 05", "2B 0E 01 83 00 00 03 00 0A 7061636B627269646765"
			      " 01 0A 7061636B627269646765 02 03 312E32");
	expect("2B 0E 02 03", "2B 0E 02 83 00 00 04 03 01 75 04 07 67617465776179"
			      " 05 0C 7061636B6272696467652031 06 05 686F757365");
	expect("2B 0E 03 06", "2B 0E 03 83 00 00 02 06 05 686F757365 80 03 6A6264");
	expect("2B 0E 04 06", "2B 0E 04 83 00 00 01 06 05 686F757365");
	expect("2B 0E 04 80", "2B 0E 04 83 00 00 01 80 03 6A6264");
	expect("2B 0E 04 07", "AB 02");
	expect("2B 0E 04 FF", "AB 02");
	expect("2B 0E 00 00", "AB 03");
	expect("2B 0E 05 00", "AB 03");
	expect("2B 0E 01", "AB 03");
	expect("2B 0E 01 00 00", "AB 03");
	expect("2B 0D 01 00", "AB 01");
	expect("2B", "AB 03");
}
END_TEST

START_TEST(what_is_not_told)
{
	static const struct pb_image bare = {0};

	expect_of(&bare, "11", "11 10 50 FF 7061636B62726964676520312E32");
	expect_of(&bare, "2B 0E 04 06", "AB 02");
	expect_of(&bare, "2B 0E 02 03", "2B 0E 02 83 00 00 02 03 01 75 04 07 67617465776179");
	expect_of(NULL, "2B 0E 01 00", "AB 0A");
	expect_of(NULL, "08 0000 0000", "88 0A");
	expect_of(NULL, "11", "91 0A");
}
END_TEST

/* Long texts: objects are never split, and the stream goes on where it says. */
START_TEST(more_follows)
{
	static char text[251], longer[301];
	struct pb_identity wordy = {text, text, "r", text, longer};
	struct pb_origin far = {.identity = &wordy};
	uint8_t request[] = {0x2B, 0x0E, 0x02, 0}, reply[PB_PDU_MAX];
	unsigned int seen = 0;

	memset(text, 'a', 200);
	memset(longer, 'b', 300);
	for (int turn = 0; turn < 10; turn++) {
		size_t len = pb_modbus_reply(&far, &image, request, sizeof(request), reply);

		ck_assert_uint_le(len, PB_PDU_MAX);
		ck_assert_uint_gt(reply[6], 0);
		for (size_t at = 7, i = 0; i < reply[6]; i++) {
			ck_assert_uint_eq(reply[at], seen);
			seen++;
			at += 2 + (size_t)reply[at + 1];
			ck_assert_uint_le(at, len);
		}
		if (reply[4] == 0)
			break;
		ck_assert_uint_eq(reply[4], 0xFF);
		ck_assert_uint_eq(reply[5], seen);
		request[3] = reply[5];
	}
	ck_assert_uint_eq(seen, 7);
}
END_TEST

int main(void)
{
	TCase *tcase = tcase_create("device");

	tcase_add_test(tcase, exception_status);
	tcase_add_test(tcase, echo);
	tcase_add_test(tcase, counters);
	tcase_add_test(tcase, server_id);
	tcase_add_test(tcase, identification);
	tcase_add_test(tcase, what_is_not_told);
	tcase_add_test(tcase, more_follows);
	return pb_run_suite("modbus/device", tcase);
}
