/* SPDX-License-Identifier: MIT */
/* What both framings have in common, and where they differ: the rows of struct pb_framing. */
#include "packbridge/base.h"
#include "packbridge/modbus.h"
#include "suite.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static const struct pb_framing *const framings[] = {&pb_framing_mbap, &pb_framing_rtu};

static const struct pb_framing *framing;
static struct pb_framer *framer;
static struct pb_adu others;
static uint8_t other_pdu[PB_PDU_MAX];

static bool ours(void *userdata, uint8_t unit)
{
	ck_assert_ptr_eq(userdata, &others);
	return unit == 1 || unit == 7;
}

static void other(void *userdata, const struct pb_adu *request)
{
	ck_assert_ptr_eq(userdata, &others);
	others = *request;
	memcpy(other_pdu, request->pdu, request->pdu_len);
}

static void begin(int which)
{
	framing = framings[which];
	free(framer);
	framer = calloc(1, framing->framer_size);
	ck_assert_ptr_nonnull(framer);
	framer->ours = ours;
	framer->other = other;
	framer->userdata = &others;
	others = (struct pb_adu){0};
}

static void teardown(void)
{
	free(framer);
	framer = NULL;
}

/* Appends a request as a client frames it. @return the new length */
static size_t append(uint8_t *bytes, size_t at, uint16_t transaction, uint8_t unit, const char *hex)
{
	const struct pb_adu request = {.transaction = transaction, .unit = unit};
	int len = pb_hex_parse(hex, bytes + at + framing->head, PB_PDU_MAX);

	ck_assert_int_gt(len, 0);
	return at + framing->wrap(bytes + at, &request, (size_t)len);
}

/* Two requests, in pieces of every size: whatever was not taken is given again. */
START_TEST(any_pieces)
{
	static const char *const pdus[] = {"03 0000 000A", "10 0001 0001 02 1234"};
	uint8_t bytes[64], pdu[16];

	begin(_i);
	for (size_t piece = 1; piece < sizeof(bytes); piece++) {
		size_t len = append(bytes, 0, 0x0102, 1, pdus[0]), got = 0, from = 0, to = 0;

		len = append(bytes, len, 0x0304, 7, pdus[1]);
		while (to < len) {
			struct pb_adu request;
			size_t taken;
			int r;

			to = to + piece < len ? to + piece : len;
			while ((r = framing->next(framer, bytes + from, to - from, false, &taken,
						  &request)) > 0) {
				int pdu_len = pb_hex_parse(pdus[got], pdu, sizeof(pdu));

				ck_assert_uint_eq(request.unit, got ? 7 : 1);
				ck_assert_uint_eq(request.pdu_len, (size_t)pdu_len);
				ck_assert_mem_eq(request.pdu, pdu, request.pdu_len);
				if (framing == &pb_framing_mbap)
					ck_assert_uint_eq(request.transaction,
							  got ? 0x0304 : 0x0102);
				from += taken;
				got++;
			}
			ck_assert_int_eq(r, 0);
			from += taken;
		}
		ck_assert_uint_eq(got, 2);
		ck_assert_uint_eq(from, len);
		ck_assert(!framing->pending(framer));
	}
	ck_assert_uint_eq(framer->frames, 2 * (sizeof(bytes) - 1));
	ck_assert_uint_eq(framer->errors, 0);
}
END_TEST

START_TEST(largest_reply)
{
	static uint8_t adu[PB_TCP_ADU_MAX];
	const struct pb_adu request = {.transaction = 0xABCD, .unit = 7};
	size_t len;

	begin(_i);
	len = framing->wrap(adu, &request, PB_PDU_MAX);
	ck_assert_uint_eq(len, framing->head + PB_PDU_MAX + (size_t)framing->tail);
	ck_assert_uint_le(len, sizeof(adu));
	ck_assert_uint_eq(adu[framing->head - 1], 7); /* both have the unit there */
}
END_TEST

START_TEST(rows)
{
	ck_assert_str_eq(pb_framing_mbap.over_tcp, "TCP");
	ck_assert_str_eq(pb_framing_rtu.over_tcp, "RTU over TCP");
	ck_assert(!pb_framing_mbap.line && !pb_framing_mbap.by_silence);
	ck_assert(pb_framing_rtu.line && pb_framing_rtu.by_silence);
	ck_assert_uint_eq(pb_framing_mbap.framer_size, sizeof(struct pb_framer));
	ck_assert_uint_eq(pb_framing_rtu.framer_size, sizeof(struct pb_rtu));
}
END_TEST

START_TEST(mbap_that_can_not_be_trusted)
{
	static const uint8_t good_and_bad[] = {0, 1, 0, 0, 0, 2, 9, 7, 0, 1, 0, 1, 0, 6, 1, 3};
	struct pb_adu request;
	size_t taken;

	begin(0);
	/* any unit is a request here: who has none, is told */
	ck_assert_int_eq(
		framing->next(framer, good_and_bad, sizeof(good_and_bad), false, &taken, &request),
		1);
	ck_assert_uint_eq(taken, 8);
	ck_assert_uint_eq(request.unit, 9);
	ck_assert_int_eq(framing->next(framer, good_and_bad + 8, 8, false, &taken, &request),
			 -EPROTO);
	ck_assert_uint_eq(taken, 0);
	ck_assert_uint_eq(framer->frames, 1);
}
END_TEST

START_TEST(rtu_ends_by_silence)
{
	uint8_t bytes[64];
	struct pb_adu request;
	size_t taken, len;

	begin(1);
	len = append(bytes, 0, 0, 1, "41 010203"); /* a function of no known length */
	ck_assert_int_eq(framing->next(framer, bytes, len, false, &taken, &request), 0);
	ck_assert_uint_eq(taken, len);
	ck_assert(framing->pending(framer));
	ck_assert_int_eq(framing->next(framer, NULL, 0, true, &taken, &request), 1);
	ck_assert_uint_eq(taken, 0);
	ck_assert_uint_eq(request.pdu_len, 4);
	ck_assert(!framing->pending(framer));
	/* half a frame is an error then */
	ck_assert_int_eq(framing->next(framer, bytes, 3, false, &taken, &request), 0);
	ck_assert_int_eq(framing->next(framer, NULL, 0, true, &taken, &request), 0);
	ck_assert_uint_eq(framer->errors, 1);
	ck_assert(!framing->pending(framer));
}
END_TEST

START_TEST(rtu_of_others)
{
	uint8_t bytes[64];
	struct pb_adu request;
	size_t taken, len;

	begin(1);
	len = append(bytes, 0, 0, 9, "03 0000 0001");
	len = append(bytes, len, 0, 9, "03 02 1234");
	len = append(bytes, len, 0, 0, "06 0000 0001");
	ck_assert_int_eq(framing->next(framer, bytes, len, false, &taken, &request), 1);
	ck_assert_uint_eq(request.unit, 0); /* a broadcast is for all */
	ck_assert_uint_eq(others.unit, 9);
	ck_assert_uint_eq(others.pdu_len, 5);
	ck_assert_uint_eq(other_pdu[0], 3);
	ck_assert_uint_eq(framer->frames, 3);
}
END_TEST

START_TEST(rtu_too_long_then_reset)
{
	static uint8_t bytes[PB_RTU_ADU_MAX + 1];
	struct pb_adu request;
	size_t taken;

	begin(1);
	ck_assert_int_eq(framing->next(framer, bytes, sizeof(bytes), false, &taken, &request), 0);
	ck_assert_uint_eq(taken, sizeof(bytes));
	ck_assert_uint_eq(framer->overruns, 1);
	ck_assert(framing->pending(framer)); /* until the silence */
	pb_rtu_reset((struct pb_rtu *)framer);
	ck_assert(!framing->pending(framer));
	ck_assert_uint_eq(framer->overruns, 1);
}
END_TEST

int main(void)
{
	TCase *tcase = tcase_create("framing");

	tcase_add_checked_fixture(tcase, NULL, teardown);
	tcase_add_loop_test(tcase, any_pieces, 0, (int)PB_ARRAY_SIZE(framings));
	tcase_add_loop_test(tcase, largest_reply, 0, (int)PB_ARRAY_SIZE(framings));
	tcase_add_test(tcase, rows);
	tcase_add_test(tcase, mbap_that_can_not_be_trusted);
	tcase_add_test(tcase, rtu_ends_by_silence);
	tcase_add_test(tcase, rtu_of_others);
	tcase_add_test(tcase, rtu_too_long_then_reset);
	return pb_run_suite("modbus/framing", tcase);
}
