/* SPDX-License-Identifier: MIT */
/*
 * Simulated Daly and JK boards: the codecs, which captures have proved, read back what the model
 * says; and what boards do not answer.
 */
#include "packbridge/bms.h"
#include "packbridge/sim.h"
#include "suite.h"

#include <stdlib.h>
#include <string.h>

static const struct {
	const char *profile;
	const struct pb_codec *codec;
	const char *dialect;
	int32_t coarse; /* mV, mA and mAh of one step */
	bool has_full, has_protection, has_mask;
} boards[] = {
	{"daly-lfp-4s", &pb_codec_daly, "D2", 100, false, true, true},
	{"daly-lfp-16s", &pb_codec_daly, "P81", 100, true, false, true},
	{"daly-nmc-14s", &pb_codec_daly, "A5", 100, false, true, true},
	{"daly-old-lfp-8s", &pb_codec_daly, "A5, host 40", 100, false, true, true},
	{"jk-lfp-8s", &pb_codec_jk, NULL, 1, true, true, false},
	{"jk-lfp-16s", &pb_codec_jk, NULL, 1, true, true, false},
	{"jk-nmc-14s", &pb_codec_jk, NULL, 1, true, true, false},
};

static struct pb_sim_talk talk;

static const struct pb_codec *codec_of(int index)
{
	const struct pb_codec *codec = boards[index].codec;

	while (boards[index].dialect && strcmp(codec->dialect, boards[index].dialect) != 0)
		codec = codec->next;
	return codec;
}

static void start(struct pb_sim *sim, const char *address)
{
	struct pb_sim_options options;
	char why[256] = "";

	ck_assert_msg(pb_sim_options_parse(&options, address, why, sizeof(why)) == 0, "%s", why);
	pb_sim_start(sim, &options);
	talk = (struct pb_sim_talk){0};
}

/* Decodes what a board sent. @return frames that hold something. */
static int take(const struct pb_codec *codec, const struct pb_query *query, const uint8_t *bytes,
		size_t len, struct pb_sample *ret)
{
	struct pb_stream stream = {0};
	struct pb_frame frame;
	int count = 0;

	pb_stream_push(&stream, bytes, len);
	while (pb_stream_next(&stream, codec, query, &frame)) {
		if (frame.kind == PB_FRAME_MODULE)
			continue;
		ck_assert_uint_eq(frame.command, query->command);
		ck_assert_int_ge(codec->decode(&frame, ret), 0);
		count++;
	}
	ck_assert_uint_eq(stream.garbage_bytes, 0);
	ck_assert_uint_eq(stream.bad_frames, 0);
	return count;
}

/* The codec's plan, from the requests that go before the others to the last. */
static void ask_all(const struct pb_sim_board *board, const struct pb_codec *codec,
		    const struct pb_sample *sample, struct pb_sample *ret)
{
	static const enum pb_when rounds[] = {PB_ONCE_BEFORE, PB_EACH_POLL, PB_ONCE_AFTER};
	uint8_t bytes[PB_SIM_REPLY_MAX];

	memset(ret, 0, sizeof(*ret));
	for (size_t r = 0; r < PB_ARRAY_SIZE(rounds); r++) {
		for (size_t i = 0; i < codec->query_count; i++) {
			const struct pb_query *q = &codec->queries[i];
			size_t len;

			if (q->when != rounds[r])
				continue;
			len = board->answer(board, &talk, sample, q->bytes, q->len, bytes);
			ck_assert_int_ge(take(codec, q, bytes, len, ret), 1);
			if (!q->streams)
				continue;
			len = board->stream(board, &talk, sample, bytes);
			ck_assert_int_eq(take(codec, q, bytes, len, ret), 1);
		}
	}
	pb_sample_derive(ret);
}

static bool near(int64_t got, int64_t sent, int64_t step)
{
	return llabs(got - sent) <= step / 2;
}

static bool has(const struct pb_sample *s, enum pb_has what)
{
	return s->has & PB_HAS(what);
}

static void assert_same(int index, const struct pb_sample *got, const struct pb_sample *sent)
{
	int32_t step = boards[index].coarse;
	bool jk = boards[index].codec == &pb_codec_jk;
	int probes = jk && strcmp(boards[index].profile, "jk-lfp-16s") == 0 ? 4 : 2;

	ck_assert(near(got->voltage_mv, sent->voltage_mv, step));
	ck_assert(near(got->current_ma, sent->current_ma, step));
	ck_assert(near(got->soc_permille, sent->soc_permille, jk ? 10 : 1));
	ck_assert(has(got, PB_HAS_REMAINING) &&
		  near(got->remaining_mah, sent->remaining_mah, step));
	ck_assert_int_eq(got->nominal_mah, sent->nominal_mah);
	ck_assert_int_eq(has(got, PB_HAS_FULL), boards[index].has_full);
	if (boards[index].has_full)
		ck_assert_int_eq(got->full_mah, sent->full_mah);
	ck_assert_int_eq(got->cycles, sent->cycles);
	ck_assert_int_eq(got->cell_count, sent->cell_count);
	ck_assert_uint_eq(got->cell_has, sent->cell_has);
	for (int i = 0; i < sent->cell_count; i++)
		ck_assert_int_eq(got->cell_mv[i], sent->cell_mv[i]);
	ck_assert_int_eq(got->charge_fet, sent->charge_fet);
	ck_assert_int_eq(got->discharge_fet, sent->discharge_fet);
	ck_assert_int_eq(got->balancing, sent->balance_mask != 0);
	ck_assert_int_eq(has(got, PB_HAS_BALANCE), boards[index].has_mask);
	if (boards[index].has_mask)
		ck_assert_uint_eq(got->balance_mask, sent->balance_mask);
	ck_assert_int_eq(has(got, PB_HAS_PROTECTION), boards[index].has_protection);
	if (!jk)
		probes = sent->temperature_count;
	ck_assert_int_eq(got->temperature_count, probes);
	for (int i = 0; i < sent->temperature_count; i++)
		ck_assert(near(got->temperature_mc[i], sent->temperature_mc[i], jk ? 100 : 1000));
}

/* JK tells a full cell as a full battery, which is no fault; other bits are the same. */
static uint32_t told(int index, uint32_t protections)
{
	return boards[index].codec == &pb_codec_jk
		       ? protections & ~(uint32_t)(1 << PB_PROTECT_CELL_OVERVOLTAGE |
						   1 << PB_PROTECT_DISCHARGE_UNDERTEMPERATURE)
		       : protections;
}

/* A year, a reading every few hours. */
START_TEST(codec_reads_back)
{
	const struct pb_codec *codec = codec_of(_i);
	struct pb_sample sent, got;
	struct pb_sim sim;

	start(&sim, boards[_i].profile);
	for (int i = 0; i < 1000; i++) {
		pb_sim_run(&sim, 30000);
		pb_sim_read(&sim, &sent);
		ask_all(sim.options.profile->board, codec, &sent, &got);
		assert_same(_i, &got, &sent);
		if (boards[_i].has_protection)
			ck_assert_uint_eq(got.protection_mask, told(_i, sent.protection_mask));
	}
}
END_TEST

/* Each protection that the board can tell comes back as the same. */
START_TEST(protections)
{
	const struct pb_codec *codec = codec_of(_i);
	struct pb_sample sent, got;
	struct pb_sim sim;
	int back = 0;

	start(&sim, boards[_i].profile);
	pb_sim_read(&sim, &sent);
	for (int bit = 0; bit < PB_PROTECT_COUNT; bit++) {
		sent.protection_mask = UINT32_C(1) << bit;
		ask_all(sim.options.profile->board, codec, &sent, &got);
		ck_assert(got.protection_mask == 0 || got.protection_mask == sent.protection_mask);
		back += got.protection_mask != 0;
	}
	ck_assert_int_ge(back, boards[_i].has_protection ? 10 : 0);
}
END_TEST

/* A probe that is not fitted is absent, and not the coldest place of the world. */
START_TEST(absent_probe)
{
	struct pb_sample sent, got;
	struct pb_sim sim;

	start(&sim, boards[_i].profile);
	pb_sim_read(&sim, &sent);
	sent.temperature_has &= ~UINT64_C(1);
	ask_all(sim.options.profile->board, codec_of(_i), &sent, &got);
	ck_assert_uint_eq(got.temperature_has & 1, 0);
	ck_assert_uint_eq(got.temperature_has >> 1 & 1, 1);
}
END_TEST

/* Of a pack without probes nothing is made up, not of its transistors either. */
START_TEST(no_probes)
{
	struct pb_sample sent, got;
	struct pb_sim sim;

	start(&sim, boards[_i].profile);
	pb_sim_read(&sim, &sent);
	sent.temperature_count = 0;
	sent.temperature_has = 0;
	sent.has &= ~(PB_HAS(PB_HAS_TEMPERATURES) | PB_HAS(PB_HAS_TEMPERATURE_EXTREMES));
	ask_all(sim.options.profile->board, codec_of(_i), &sent, &got);
	ck_assert_uint_eq(got.temperature_has, 0);
	ck_assert(!has(&got, PB_HAS_MOS_TEMPERATURE));
}
END_TEST

/* What is not for this board, or not whole, is not answered. */
START_TEST(silence)
{
	struct pb_sim sim;
	struct pb_sample sample;
	const struct pb_sim_board *board;
	uint8_t bytes[PB_SIM_REPLY_MAX], request[32];
	static const struct pb_codec *const codecs[] = {&pb_codec_jbd, &pb_codec_daly,
							&pb_codec_jk};

	start(&sim, boards[_i].profile);
	board = sim.options.profile->board;
	pb_sim_read(&sim, &sample);
	for (size_t c = 0; c < PB_ARRAY_SIZE(codecs); c++) {
		for (const struct pb_codec *codec = codecs[c]; codec; codec = codec->next) {
			const struct pb_query *q = &codec->queries[0];
			bool own = codec == codec_of(_i);

			/* an A5 board that hears host 80 hears host 40, too */
			if (boards[_i].dialect && strcmp(boards[_i].dialect, "A5") == 0 &&
			    codec->dialect && strncmp(codec->dialect, "A5", 2) == 0)
				own = true;
			ck_assert((board->answer(board, &talk, &sample, q->bytes, q->len, bytes) >
				   0) == own);
			memcpy(request, q->bytes, q->len);
			request[q->len - 1] ^= 1;
			ck_assert_uint_eq(
				board->answer(board, &talk, &sample, request, q->len, bytes), 0);
			ck_assert_uint_eq(
				board->answer(board, &talk, &sample, q->bytes, q->len - 1u, bytes),
				0);
		}
	}
}
END_TEST

/* Nothing comes before both the device and the cells were asked for. */
START_TEST(stream_begins)
{
	const struct pb_query *q = pb_codec_jk.queries;
	struct pb_sim sim;
	struct pb_sample sample;
	const struct pb_sim_board *board;
	uint8_t bytes[PB_SIM_REPLY_MAX];

	for (int first = 0; first < 2; first++) {
		start(&sim, "jk-lfp-16s");
		board = sim.options.profile->board;
		pb_sim_read(&sim, &sample);
		ck_assert_uint_eq(board->stream(board, &talk, &sample, bytes), 0);
		ck_assert_uint_eq(board->answer(board, &talk, &sample, q[first].bytes, 20, bytes),
				  320);
		ck_assert_uint_eq(board->stream(board, &talk, &sample, bytes), 0);
		ck_assert_uint_eq(
			board->answer(board, &talk, &sample, q[1 - first].bytes, 20, bytes), 320);
		/* the command of a modem, then the frame; frames are numbered */
		ck_assert_uint_eq(board->stream(board, &talk, &sample, bytes), 304);
		ck_assert_mem_eq(bytes, "AT\r\n\x55\xAA\xEB\x90\x02\x02", 10);
		board->stream(board, &talk, &sample, bytes);
		ck_assert_uint_eq(bytes[9], 3);
	}
}
END_TEST

/* Registers that a D2 board does not have are all ones. */
START_TEST(unknown_registers)
{
	uint8_t request[8] = {0xD2, 0x03, 0x00, 0x63, 0x00, 0x1C}, bytes[PB_SIM_REPLY_MAX];
	struct pb_sample sample = {0};
	size_t len;

	pb_put_le16(request + 6, pb_crc16(request, 6));
	len = pb_sim_daly_d2.answer(&pb_sim_daly_d2, &talk, &sample, request, 8, bytes);
	ck_assert_uint_eq(len, 3 + 56 + 2);
	for (int i = 3; i < 59; i++)
		ck_assert_uint_eq(bytes[i], 0xFF);
	ck_assert_uint_eq(pb_crc16(bytes, len), 0);
}
END_TEST

int main(void)
{
	TCase *tcase = tcase_create("makers");
	int count = PB_ARRAY_SIZE(boards);

	tcase_set_timeout(tcase, 60);
	tcase_add_loop_test(tcase, codec_reads_back, 0, count);
	tcase_add_loop_test(tcase, protections, 0, count);
	tcase_add_loop_test(tcase, absent_probe, 0, count);
	tcase_add_loop_test(tcase, no_probes, 0, count);
	tcase_add_loop_test(tcase, silence, 0, count);
	tcase_add_test(tcase, stream_begins);
	tcase_add_test(tcase, unknown_registers);
	return pb_run_suite("sim/makers", tcase);
}
