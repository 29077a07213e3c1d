/* SPDX-License-Identifier: MIT */
#include "packbridge/base.h"
#include "packbridge/bms.h"

#include "suite.h"

#include <string.h>

/* an empty good reply to register 04, and one that announces 255 bytes */
static const uint8_t empty[] = {0xDD, 0x04, 0x00, 0x00, 0x00, 0x00, 0x77};
static const uint8_t lure[] = {0xDD, 0x03, 0x00, 0xFF};

static struct pb_stream stream;
static struct pb_frame frame;

static bool next(void)
{
	return pb_stream_next(&stream, &pb_codec_jbd, NULL, &frame);
}

static void forget(void)
{
	memset(&stream, 0, sizeof(stream));
}

START_TEST(frames_in_a_row)
{
	uint8_t three[3 * sizeof(empty)];

	for (size_t i = 0; i < 3; i++)
		memcpy(three + i * sizeof(empty), empty, sizeof(empty));
	pb_stream_push(&stream, three, sizeof(three));
	for (int i = 0; i < 3; i++) {
		ck_assert(next());
		ck_assert_uint_eq(frame.len, sizeof(empty));
		ck_assert_uint_eq(frame.command, 4);
	}
	ck_assert(!next());
	ck_assert_uint_eq(stream.garbage_bytes, 0);
	ck_assert_uint_eq(stream.len, 0);
}
END_TEST

START_TEST(more_than_the_buffer_holds)
{
	uint8_t noise[3000] = {0};

	pb_stream_push(&stream, noise, sizeof(noise));
	ck_assert_uint_eq(stream.len, PB_STREAM_MAX);
	ck_assert_uint_eq(stream.garbage_bytes, sizeof(noise) - PB_STREAM_MAX);
	ck_assert(!next());
	ck_assert_uint_eq(stream.garbage_bytes, sizeof(noise));
	ck_assert_uint_eq(stream.len, 0);

	/* the newest bytes are those that count, in one push or in several */
	memcpy(noise + sizeof(noise) - sizeof(empty), empty, sizeof(empty));
	pb_stream_push(&stream, noise, sizeof(noise));
	ck_assert(next());
	ck_assert(!next());
	for (int i = 0; i < 300; i++)
		pb_stream_push(&stream, lure, sizeof(lure));
	pb_stream_push(&stream, empty, sizeof(empty));
	ck_assert_uint_le(stream.len, PB_STREAM_MAX);
	ck_assert(next());
	ck_assert_uint_eq(frame.command, 4);
}
END_TEST

START_TEST(a_lure_does_not_hide_a_frame)
{
	pb_stream_push(&stream, lure, sizeof(lure));
	ck_assert(!next());
	ck_assert_uint_eq(stream.garbage_bytes, 0); /* it may still become a frame */
	pb_stream_push(&stream, empty, sizeof(empty));
	ck_assert(next());
	ck_assert_uint_eq(frame.command, 4);
	ck_assert_uint_eq(stream.garbage_bytes, sizeof(lure));
}
END_TEST

START_TEST(half_a_frame_is_dropped)
{
	pb_stream_push(&stream, empty, 4);
	ck_assert(!next());
	pb_stream_flush(&stream);
	ck_assert_uint_eq(stream.garbage_bytes, 4);
	pb_stream_push(&stream, empty + 4, sizeof(empty) - 4);
	ck_assert(!next());
	ck_assert_uint_eq(stream.garbage_bytes, sizeof(empty));
	ck_assert_uint_eq(stream.bad_frames, 0);
}
END_TEST

START_TEST(bad_frames_are_counted_once)
{
	uint8_t bad[sizeof(empty)];

	memcpy(bad, empty, sizeof(empty));
	bad[5] = 1; /* checksum */
	pb_stream_push(&stream, bad, sizeof(bad));
	ck_assert(!next());
	ck_assert(!next());
	ck_assert_uint_eq(stream.bad_frames, 1);
	bad[5] = 0;
	bad[6] = 0x78; /* end */
	pb_stream_push(&stream, bad, sizeof(bad));
	ck_assert(!next());
	ck_assert_uint_eq(stream.bad_frames, 2);
	ck_assert_uint_eq(stream.garbage_bytes, 2 * sizeof(bad));
}
END_TEST

int main(void)
{
	TCase *tcase = tcase_create("stream");

	tcase_add_checked_fixture(tcase, forget, NULL);
	tcase_add_test(tcase, frames_in_a_row);
	tcase_add_test(tcase, more_than_the_buffer_holds);
	tcase_add_test(tcase, a_lure_does_not_hide_a_frame);
	tcase_add_test(tcase, half_a_frame_is_dropped);
	tcase_add_test(tcase, bad_frames_are_counted_once);
	return pb_run_suite("bms/stream", tcase);
}
