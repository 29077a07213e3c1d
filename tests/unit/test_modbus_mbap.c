/* SPDX-License-Identifier: MIT */
#include "packbridge/base.h"
#include "packbridge/modbus.h"
#include "suite.h"

#include <errno.h>
#include <string.h>

static const struct {
	const char *bytes;
	int result;
} cases[] = {
	/* good frames, alone and with more behind them */
	{"1234 0000 0006 01 03 0000 0001", 12},
	{"0000 0000 0002 00 07", 8},
	{"FFFF 0000 0006 FF 04 0000 0001 1235 0000", 12},
	/* half ones */
	{"", 0},
	{"12", 0},
	{"1234 0000 00", 0},
	{"1234 0000 0006", 0},
	{"1234 0000 0006 01 03 0000 00", 0},
	{"1234 0000 0002 01", 0},
	{"1234 0000 00FE", 0},
	/* protocol id: known from the fourth byte on */
	{"1234 00", 0},
	{"1234 0005", -EPROTO},
	{"1234 0100", -EPROTO},
	{"1234 0001 0006 01 03 0000 0001", -EPROTO},
	{"1603 0102 0001", -EPROTO}, /* a TLS hello */
	{"4745 5420 2F20", -EPROTO}, /* "GET / " */
	/* length: known from the sixth byte on */
	{"1234 0000 0000", -EPROTO},
	{"1234 0000 0001", -EPROTO},
	{"1234 0000 00FF", -EPROTO},
	{"1234 0000 0100", -EPROTO},
	{"1234 0000 FFFF 01 03", -EPROTO},
};

START_TEST(next)
{
	uint8_t bytes[64];
	int len = pb_hex_parse(cases[_i].bytes, bytes, sizeof(bytes));
	struct pb_adu frame = {.pdu_len = 999};
	int r;

	ck_assert_int_ge(len, 0);
	r = pb_mbap_next(bytes, (size_t)len, &frame);
	ck_assert_int_eq(r, cases[_i].result);
	if (r <= 0) {
		ck_assert_uint_eq(frame.pdu_len, 999);
		return;
	}
	ck_assert_uint_eq(frame.transaction, pb_get_be16(bytes));
	ck_assert_uint_eq(frame.unit, bytes[6]);
	ck_assert_ptr_eq(frame.pdu, bytes + 7);
	ck_assert_uint_eq(frame.pdu_len, (size_t)r - 7);
}
END_TEST

START_TEST(largest)
{
	uint8_t adu[PB_TCP_ADU_MAX] = {0, 1, 0, 0, 0, 254, 9, 3};
	struct pb_adu frame;

	for (size_t len = 0; len < sizeof(adu); len++)
		ck_assert_int_eq(pb_mbap_next(adu, len, &frame), 0);
	ck_assert_int_eq(pb_mbap_next(adu, sizeof(adu), &frame), 260);
	ck_assert_uint_eq(frame.pdu_len, PB_PDU_MAX);
}
END_TEST

START_TEST(wrap)
{
	static const uint8_t expected[] = {0xAB, 0xCD, 0, 0, 0, 3, 17, 0x83, 2};
	struct pb_adu request = {.transaction = 0xABCD, .unit = 17};
	uint8_t adu[PB_TCP_ADU_MAX];

	memset(adu, 0xEE, sizeof(adu));
	memcpy(adu + PB_MBAP_LEN, expected + PB_MBAP_LEN, 2);
	ck_assert_uint_eq(pb_mbap_wrap(adu, &request, 2), sizeof(expected));
	ck_assert_mem_eq(adu, expected, sizeof(expected));
	ck_assert_uint_eq(pb_mbap_wrap(adu, &request, PB_PDU_MAX), PB_TCP_ADU_MAX);
	ck_assert_uint_eq(adu[5], 254);
}
END_TEST

int main(void)
{
	TCase *tcase = tcase_create("mbap");

	tcase_add_loop_test(tcase, next, 0, PB_ARRAY_SIZE(cases));
	tcase_add_test(tcase, largest);
	tcase_add_test(tcase, wrap);
	return pb_run_suite("modbus/mbap", tcase);
}
