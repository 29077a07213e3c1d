/* SPDX-License-Identifier: MIT */
/* The simulated JBD board: its bytes, and that the codec reads back what the model says. */
#include "packbridge/bms.h"
#include "packbridge/sim.h"
#include "suite.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { PROFILES = 5 };

static struct pb_sim_talk talk;

static const struct pb_query *query_of(uint8_t command)
{
	for (size_t i = 0; i < pb_codec_jbd.query_count; i++)
		if (pb_codec_jbd.queries[i].command == command)
			return &pb_codec_jbd.queries[i];
	ck_abort_msg("no query 0x%02X", command);
	return NULL;
}

static size_t answer(const struct pb_sample *sample, const char *hex, uint8_t *reply)
{
	uint8_t request[64];
	int len = pb_hex_parse(hex, request, sizeof(request));

	ck_assert_int_ge(len, 0);
	return pb_sim_jbd.answer(&pb_sim_jbd, &talk, sample, request, (size_t)len, reply);
}

/* Asks the board by the codec's own request and decodes what comes. */
static void ask(const struct pb_sample *sample, uint8_t command, struct pb_sample *ret)
{
	const struct pb_query *query = query_of(command);
	uint8_t reply[PB_SIM_REPLY_MAX];
	struct pb_frame frame;
	size_t len = pb_sim_jbd.answer(&pb_sim_jbd, &talk, sample, query->bytes, query->len, reply);

	ck_assert_uint_gt(len, 7);
	ck_assert_int_eq(pb_codec_jbd.frame(reply, len, query, &frame), (int)len);
	ck_assert_int_eq(frame.status, 0);
	ck_assert_int_eq(pb_codec_jbd.decode(&frame, ret), 0);
}

static void ask_all(const struct pb_sample *sample, struct pb_sample *ret)
{
	memset(ret, 0, sizeof(*ret));
	for (size_t i = 0; i < pb_codec_jbd.query_count; i++)
		ask(sample, (uint8_t)pb_codec_jbd.queries[i].command, ret);
	pb_sample_derive(ret);
}

static void start(struct pb_sim *sim, const char *address)
{
	struct pb_sim_options options;
	char why[256] = "";

	ck_assert_msg(pb_sim_options_parse(&options, address, why, sizeof(why)) == 0, "%s", why);
	pb_sim_start(sim, &options);
}

#define ASSERT_NEAR(a, b, resolution)                                                              \
	ck_assert_msg(llabs((int64_t)(a) - (int64_t)(b)) <= (resolution), "%s %lld, %s %lld", #a,  \
		      (long long)(a), #b, (long long)(b))

/* @unit: of currents and charges, mA and mAh. */
static void assert_same(const struct pb_sample *got, const struct pb_sample *sent, int unit)
{
	/* a current near PB_ACTIVE_MA may round to either side of it; some boards do not tell what
	 * their switches are commanded to do */
	uint64_t either = PB_HAS(PB_HAS_TIME_TO_EMPTY) | PB_HAS(PB_HAS_CHARGE_SWITCH) |
			  PB_HAS(PB_HAS_DISCHARGE_SWITCH);

	ck_assert_uint_eq(got->has | either, sent->has | either);
	ASSERT_NEAR(got->voltage_mv, sent->voltage_mv, 5);
	ASSERT_NEAR(got->current_ma, sent->current_ma, unit / 2);
	ASSERT_NEAR(got->remaining_mah, sent->remaining_mah, unit / 2);
	ASSERT_NEAR(got->nominal_mah, sent->nominal_mah, unit / 2);
	ASSERT_NEAR(got->full_mah, sent->full_mah, unit / 2);
	ASSERT_NEAR(got->soc_permille, sent->soc_permille, 5);
	ck_assert_int_eq(got->cycles, sent->cycles);
	ck_assert_int_eq(got->production_date, sent->production_date);
	ck_assert_uint_eq(got->balance_mask, sent->balance_mask);
	ck_assert_uint_eq(got->protection_mask, sent->protection_mask);
	ck_assert_uint_eq(got->alarm_mask, sent->alarm_mask);
	ck_assert_int_eq(got->version, sent->version);
	ck_assert_int_eq(got->charge_fet, sent->charge_fet);
	ck_assert_int_eq(got->discharge_fet, sent->discharge_fet);
	ck_assert_int_eq(got->cell_count, sent->cell_count);
	ck_assert_uint_eq(got->cell_has, sent->cell_has);
	ck_assert_mem_eq(got->cell_mv, sent->cell_mv, sizeof(got->cell_mv));
	ck_assert_int_eq(got->cell_delta_mv, sent->cell_delta_mv);
	ck_assert_int_eq(got->temperature_count, sent->temperature_count);
	ck_assert_uint_eq(got->temperature_has, sent->temperature_has);
	for (int i = 0; i < sent->temperature_count; i++)
		ASSERT_NEAR(got->temperature_mc[i], sent->temperature_mc[i], 50);
	ck_assert_str_eq(got->device_name, sent->device_name);
	ck_assert_uint_eq(got->counter_has, sent->counter_has);
	ck_assert_mem_eq(got->counters, sent->counters, sizeof(got->counters));
}

/* A year of each profile, a reading every few hours. */
START_TEST(codec_reads_back)
{
	struct pb_sim sim;
	struct pb_sample sent, got;

	start(&sim, pb_sim_profiles()[_i].name);
	for (int i = 0; i < 2000; i++) {
		pb_sim_run(&sim, 15000);
		pb_sim_read(&sim, &sent);
		ask_all(&sent, &got);
		assert_same(&got, &sent, 10);
	}
}
END_TEST

/* A bank beyond 655 Ah: the board switches to units of 0.1 A and 0.1 Ah. */
START_TEST(big_units)
{
	struct pb_sim sim;
	struct pb_sample sent, got;
	uint8_t reply[PB_SIM_REPLY_MAX];

	start(&sim, "lfp-16s,ah=6000,soc=90");
	for (int i = 0; i < 200; i++) {
		pb_sim_run(&sim, 3000);
		pb_sim_read(&sim, &sent);
		answer(&sent, "DDA50300FFFD77", reply);
		ck_assert(reply[4 + 20] & 0x80);
		ask_all(&sent, &got);
		assert_same(&got, &sent, 100);
	}
	start(&sim, "lfp-16s,ah=655");
	pb_sim_read(&sim, &sent);
	answer(&sent, "DDA50300FFFD77", reply);
	ck_assert(!(reply[4 + 20] & 0x80));
}
END_TEST

/* A sample of round numbers, for frames that can be written down. */
static const struct pb_sample plain = {
	.voltage_mv = 13320,
	.current_ma = -1500,
	.remaining_mah = 268250,
	.nominal_mah = 280000,
	.full_mah = 275000,
	.cycles = 7,
	.production_date = 20220328,
	.balance_mask = 0x10005,
	.protection_mask = 1 << PB_PROTECT_CELL_UNDERVOLTAGE,
	.alarm_mask = 0x8000,
	.version = 0x80,
	.soc_permille = 955,
	.charge_fet = true,
	.cell_count = 2,
	.cell_has = 3,
	.cell_mv = {3341, 0},
	.temperature_count = 3,
	.temperature_has = 5,
	.temperature_mc = {19400, 0, -10050},
	.counters = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12},
	.device_name = "JBD-X",
};

/* Written by hand from sections 3 and 4 of docs/protocols/jbd.md. */
static const struct {
	const char *request, *reply;
} exchanges[] = {
	{"DD A5 03 00 FF FD 77",
	 "DD 03 00 26 0534 FF6A 68C9 6D60 0007 2C7C 0005 0001 0002 80 60 01 02 03 0B6D 0000 0A46 "
	 "00 8000 6B6C 68C9 0000 F74D 77"},
	{"DD A5 04 00 FF FC 77", "DD 04 00 04 0D0D 0000 FFE2 77"},
	{"DD A5 05 00 FF FB 77", "DD 05 00 05 4A42442D58 FEA6 77"},
	{"DD A5 AA 00 FF 56 77",
	 "DD AA 00 18 0001 0002 0003 0004 0005 0006 0007 0008 0009 000A 000B 000C FF9A 77"},
	/* registers that it does not have, parameters, writes: refused, as section 5.1 has it */
	{"DD A5 06 00 FF FA 77", "DD 06 80 00 FF 80 77"},
	{"DD A5 24 00 FF DC 77", "DD 24 80 00 FF 80 77"},
	{"DD A5 00 02 00 00 FF FE 77", "DD 00 80 00 FF 80 77"},
	{"DD 5A E1 02 00 03 FF 1A 77", "DD E1 80 00 FF 80 77"},
	{"DD 5A 03 00 FF FD 77", "DD 03 80 00 FF 80 77"},
};

START_TEST(bytes)
{
	uint8_t expected[PB_SIM_REPLY_MAX], got[PB_SIM_REPLY_MAX];
	int len = pb_hex_parse(exchanges[_i].reply, expected, sizeof(expected));
	char text[3 * PB_SIM_REPLY_MAX];
	size_t got_len = answer(&plain, exchanges[_i].request, got);

	pb_hex_print(text, sizeof(text), got, got_len, ' ');
	ck_assert_int_gt(len, 0);
	ck_assert_msg(got_len == (size_t)len && memcmp(got, expected, got_len) == 0, "%s", text);
}
END_TEST

static const char *const unsound[] = {
	"",
	"DD",
	"DD A5 03 00 FF FD",	   /* short */
	"DD A5 03 00 FF FD 77 00", /* long */
	"DE A5 03 00 FF FD 77",	   /* start */
	"DD A6 03 00 FF FD 77",	   /* operation */
	"DD A5 03 00 FF FC 77",	   /* checksum */
	"DD A5 03 00 FF FD 78",	   /* end */
	"DD A5 03 01 FF FC 77",	   /* length */
	"DD A5 03 FF FE FE 77",
	"FF AA 15 06 30 30 30 30 30 30 3B", /* for the radio module */
};

START_TEST(broken_requests)
{
	uint8_t reply[PB_SIM_REPLY_MAX];

	ck_assert_uint_eq(answer(&plain, unsound[_i], reply), 0);
}
END_TEST

/* Values that no field can hold are cut at its ends; nothing wraps. */
START_TEST(saturation)
{
	struct pb_sample sent = plain, got;

	sent.voltage_mv = 1000000;
	sent.current_ma = -9000000;
	sent.remaining_mah = INT32_MAX;
	sent.cycles = 100000;
	sent.cell_mv[0] = 70000;
	ask(&sent, 0x03, &got);
	ask(&sent, 0x04, &got);
	ck_assert_int_eq(got.voltage_mv, 655350);
	ck_assert_int_eq(got.current_ma, -3276800);
	ck_assert_int_eq(got.remaining_mah, 6553500);
	ck_assert_int_eq(got.cycles, 65535);
	ck_assert_int_eq(got.cell_mv[0], 65535);
}
END_TEST

/* As many cells, probes and letters as there can be. */
START_TEST(biggest_pack)
{
	struct pb_sample sent = plain, got = {0};

	sent.cell_count = PB_CELLS_MAX;
	sent.temperature_count = PB_TEMPERATURES_MAX;
	sent.temperature_has = (1U << PB_TEMPERATURES_MAX) - 1;
	for (int i = 0; i < PB_CELLS_MAX; i++)
		sent.cell_mv[i] = 3000 + i;
	memset(sent.device_name, 'x', sizeof(sent.device_name) - 1);
	ask(&sent, 0x03, &got);
	ck_assert_int_eq(got.temperature_count, PB_TEMPERATURES_MAX);
	ck_assert_int_eq(got.full_mah, 275000);
	ask(&sent, 0x04, &got);
	ck_assert_int_eq(got.cell_count, PB_CELLS_MAX);
	ck_assert_int_eq(got.cell_mv[PB_CELLS_MAX - 1], 3000 + PB_CELLS_MAX - 1);
	ask(&sent, 0x05, &got);
	ck_assert_str_eq(got.device_name, sent.device_name);
}
END_TEST

int main(void)
{
	TCase *tcase = tcase_create("board");

	tcase_set_timeout(tcase, 30);
	tcase_add_loop_test(tcase, codec_reads_back, 0, PROFILES);
	tcase_add_test(tcase, big_units);
	tcase_add_loop_test(tcase, bytes, 0, PB_ARRAY_SIZE(exchanges));
	tcase_add_loop_test(tcase, broken_requests, 0, PB_ARRAY_SIZE(unsound));
	tcase_add_test(tcase, saturation);
	tcase_add_test(tcase, biggest_pack);
	return pb_run_suite("board", tcase);
}
