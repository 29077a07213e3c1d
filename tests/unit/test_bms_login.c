/* SPDX-License-Identifier: MIT */
/*
 * The login to JBD's radio modules against captured exchanges, and how packs are recognised. The
 * vectors' source is docs/protocols/jbd.md, "Password".
 */
#include "suite.h"

#include "packbridge/bms.h"

#include <check.h>
#include <stdio.h>
#include <string.h>

struct vector {
	const char *mac, *password;
	uint8_t random;
	const char *user; /* what 18 carries; NULL: not captured */
	const char *root; /* what 1D carries, with the same random byte */
};

static const struct vector vectors[] = {
	{"a4c137042dbe", "000000", 0x62, "f65369967ff0", NULL},
	{"a4c137042dbe", "123123", 0x37, "cc2a3b6c56c4", "25baaa9d9005ae9b58775a6967696a"},
	{"10a562327536", "123456", 0x24, "45bb752a6424", NULL},
	{"10a562327536", "123456", 0xC9, NULL, "23b0ef19ca0f402dea09ecfbf9fbfc"},
};

static struct pb_dialogue login_for(const char *mac, const char *password)
{
	struct pb_dialogue login = {0};

	ck_assert_int_eq(pb_hex_parse(mac, login.mac, sizeof(login.mac)), 6);
	snprintf(login.password, sizeof(login.password), "%s", password);
	return login;
}

/* The module's answer of one byte. */
static enum pb_dialogue_result answer(struct pb_dialogue *login, uint8_t command, uint8_t value)
{
	struct pb_frame frame;
	uint8_t bytes[6] = {0xFF, 0xAA, command, 0x01, value};

	bytes[5] = (uint8_t)(command + 1 + value);
	ck_assert_int_eq(pb_codec_jbd.frame(bytes, sizeof(bytes), NULL, &frame), 6);
	return pb_codec_jbd.dialogue(login, &frame);
}

static void assert_request(const struct pb_dialogue *login, uint8_t command, const char *data)
{
	uint8_t expected[20] = {0xFF, 0xAA, command}, sum = command;
	int len = *data ? pb_hex_parse(data, expected + 4, 15) : 0;

	expected[3] = (uint8_t)len;
	for (int i = 3; i < 4 + len; i++)
		sum = (uint8_t)(sum + expected[i]);
	expected[4 + len] = sum;
	ck_assert_uint_eq(login->request.len, 5 + (size_t)len);
	ck_assert_mem_eq(login->request.bytes, expected, login->request.len);
	ck_assert_uint_eq(login->request.command, command);
}

START_TEST(captured_exchanges)
{
	const struct vector *v = &vectors[_i];
	struct pb_dialogue login = login_for(v->mac, v->password);

	ck_assert_int_eq(pb_codec_jbd.dialogue(&login, NULL), PB_DIALOGUE_SEND);
	assert_request(&login, 0x15, "303030303030");
	/* as captured, checksum included */
	ck_assert_mem_eq(login.request.bytes,
			 "\xFF\xAA\x15\x06"
			 "000000\x3B",
			 11);
	ck_assert_int_eq(answer(&login, 0x15, 0), PB_DIALOGUE_SEND);
	assert_request(&login, 0x17, "");
	ck_assert_mem_eq(login.request.bytes, "\xFF\xAA\x17\x00\x17", 5);
	ck_assert_int_eq(answer(&login, 0x17, v->random), PB_DIALOGUE_SEND);
	if (v->user)
		assert_request(&login, 0x18, v->user);
	ck_assert_int_eq(answer(&login, 0x18, 0), PB_DIALOGUE_SEND);
	assert_request(&login, 0x17, "");
	ck_assert_int_eq(answer(&login, 0x17, v->random), PB_DIALOGUE_SEND);
	if (v->root)
		assert_request(&login, 0x1D, v->root);
	ck_assert_int_eq(answer(&login, 0x1D, 0), PB_DIALOGUE_DONE);
}
END_TEST

START_TEST(no_password_is_set)
{
	struct pb_dialogue login = login_for("a4c137042dbe", "123456");

	pb_codec_jbd.dialogue(&login, NULL);
	ck_assert_int_eq(answer(&login, 0x15, 2), PB_DIALOGUE_DONE);
}
END_TEST

START_TEST(silence_and_echo_mean_no_login)
{
	struct pb_dialogue login = login_for("a4c137042dbe", "123456");
	struct pb_frame frame;

	pb_codec_jbd.dialogue(&login, NULL);
	ck_assert_int_eq(pb_codec_jbd.dialogue(&login, NULL), PB_DIALOGUE_NONE);

	login = login_for("a4c137042dbe", "123456");
	pb_codec_jbd.dialogue(&login, NULL);
	ck_assert_int_gt(pb_codec_jbd.frame(login.request.bytes, login.request.len, NULL, &frame),
			 0);
	ck_assert_int_eq(pb_codec_jbd.dialogue(&login, &frame), PB_DIALOGUE_NONE);
}
END_TEST

START_TEST(root_password_does_not_matter)
{
	struct pb_dialogue login = login_for("a4c137042dbe", "123456");

	pb_codec_jbd.dialogue(&login, NULL);
	answer(&login, 0x15, 0);
	answer(&login, 0x17, 9);
	answer(&login, 0x18, 0);
	ck_assert_int_eq(pb_codec_jbd.dialogue(&login, NULL), PB_DIALOGUE_DONE);
}
END_TEST

/* A wrong password, or a refused app key: the shorter flow once, then no. */
START_TEST(refused)
{
	struct pb_dialogue login = login_for("a4c137042dbe", "4711");

	pb_codec_jbd.dialogue(&login, NULL);
	answer(&login, 0x15, 0);
	answer(&login, 0x17, 9);
	ck_assert_int_eq(answer(&login, 0x18, 1), PB_DIALOGUE_SEND);
	assert_request(&login, 0x15, "343731310000");
	ck_assert_int_eq(answer(&login, 0x15, 1), PB_DIALOGUE_REFUSED);

	login = login_for("a4c137042dbe", "123123");
	pb_codec_jbd.dialogue(&login, NULL);
	ck_assert_int_eq(answer(&login, 0x15, 1), PB_DIALOGUE_SEND);
	assert_request(&login, 0x15, "313233313233");
	ck_assert_int_eq(answer(&login, 0x15, 0), PB_DIALOGUE_DONE);
}
END_TEST

int main(void)
{
	TCase *tcase = tcase_create("login");

	tcase_add_loop_test(tcase, captured_exchanges, 0, PB_ARRAY_SIZE(vectors));
	tcase_add_test(tcase, no_password_is_set);
	tcase_add_test(tcase, silence_and_echo_mean_no_login);
	tcase_add_test(tcase, root_password_does_not_matter);
	tcase_add_test(tcase, refused);
	return pb_run_suite("bms/login", tcase);
}
