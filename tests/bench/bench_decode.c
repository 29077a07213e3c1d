/* SPDX-License-Identifier: MIT */
/*
 * What a captured frame costs each codec: found in a stream of bytes as a session does it, checked
 * and decoded. Beside it the ceiling: the same bytes through the same stream, and their checksum
 * alone. And whether any of it allocates.
 *
 *	bench_decode TESTS_DATA [ROUNDS]	tests/data, 201 rounds
 */
#include "packbridge/bms.h"
#include "packbridge/model/sample.h"

#include <jansson.h>
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define REPEAT 200

enum { ROUNDS_MAX = 1001 };

/* One frame of each kind that is asked for at every poll, with what it needs to know before it. */
static const struct {
	const char *label, *file, *id, *before;
	const struct pb_codec *codec;
	const char *dialect;
} rows[] = {
	{"JBD basic", "jbd", "sp04s034-280ah-03", NULL, &pb_codec_jbd, NULL},
	{"JBD cells", "jbd", "sp15s001-11s-04", NULL, &pb_codec_jbd, NULL},
	{"Daly D2 status, 16 cells", "daly", "d2-16s-it-status", NULL, &pb_codec_daly, "D2"},
	{"Daly P81 cells, 16 cells", "daly", "p81-16s-ess-cells", NULL, &pb_codec_daly, "P81"},
	{"Daly A5, one frame", "daly", "a5-16s-venus-90a", NULL, &pb_codec_daly, "A5"},
	{"Daly A5, 16 cells in 6 frames", "daly", "a5-16s-kr-95", "a5-16s-kr-94", &pb_codec_daly,
	 "A5"},
	{"JK 24S cells", "jk", "jk-b2a24s20p-1007-02", "jk-b2a24s20p-1007-03", &pb_codec_jk, NULL},
	{"JK 32S cells, 16 cells", "jk", "jk-pb2a16s20p-1927-02", "jk-pb2a16s20p-1927-03",
	 &pb_codec_jk, NULL},
};

struct bytes {
	size_t len;
	uint8_t bytes[1024];
};

static void add(struct bytes *ret, const json_t *hex)
{
	int r = pb_hex_parse(json_string_value(hex), ret->bytes + ret->len,
			     sizeof(ret->bytes) - ret->len);

	if (r < 0)
		abort();
	ret->len += (size_t)r;
}

static void load(const char *folder, const char *maker, const char *id, struct bytes *ret)
{
	char path[1024];
	json_t *root, *entry, *piece;
	size_t i, n;

	snprintf(path, sizeof(path), "%s/%s/frames.json", folder, maker);
	root = json_load_file(path, 0, NULL);
	ret->len = 0;
	json_array_foreach(json_object_get(root, "entries"), i, entry)
	{
		if (strcmp(json_string_value(json_object_get(entry, "id")), id) != 0)
			continue;
		if (json_object_get(entry, "frame"))
			add(ret, json_object_get(entry, "frame"));
		json_array_foreach(json_object_get(entry, "chunks"), n, piece) add(ret, piece);
		json_array_foreach(json_object_get(entry, "frames"), n, piece) add(ret, piece);
	}
	json_decref(root);
	if (ret->len == 0) {
		fprintf(stderr, "no entry %s in %s\n", id, path);
		exit(1);
	}
}

static const struct pb_codec *codec_of(size_t row)
{
	const struct pb_codec *codec = rows[row].codec;

	while (rows[row].dialect && strcmp(codec->dialect, rows[row].dialect) != 0)
		codec = codec->next;
	return codec;
}

static struct pb_stream stream;

/* @return frames that were decoded */
static int take(const struct pb_codec *codec, const struct bytes *bytes, struct pb_sample *sample)
{
	struct pb_frame frame;
	int count = 0;

	pb_stream_push(&stream, bytes->bytes, bytes->len);
	while (pb_stream_next(&stream, codec, NULL, &frame)) {
		if (codec->decode(&frame, sample) < 0)
			abort();
		count++;
	}
	return count;
}

static volatile unsigned int sink;

/* The stream moves its bytes, and each is looked at once. */
static void ceiling(const struct bytes *bytes)
{
	unsigned int sum = 0;

	pb_stream_push(&stream, bytes->bytes, bytes->len);
	for (size_t i = 0; i < bytes->len; i++)
		sum += stream.buf[i];
	sink += sum;
	pb_stream_flush(&stream);
}

static double now_us(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec * 1e6 + (double)t.tv_nsec / 1e3;
}

static int by_size(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

static void measure(size_t row, const char *folder, int rounds)
{
	static double decode[ROUNDS_MAX], bare[ROUNDS_MAX];
	const struct pb_codec *codec = codec_of(row);
	struct pb_sample known = {0}, sample;
	struct bytes bytes, before;
	size_t allocated;
	int frames = 0;

	load(folder, rows[row].file, rows[row].id, &bytes);
	if (rows[row].before) {
		load(folder, rows[row].file, rows[row].before, &before);
		take(codec, &before, &known);
	}
	allocated = mallinfo2().uordblks;
	for (int r = 0; r < rounds; r++) {
		double begin = now_us();

		for (int i = 0; i < REPEAT; i++) {
			sample = known;
			frames = take(codec, &bytes, &sample);
		}
		decode[r] = (now_us() - begin) / REPEAT;
		begin = now_us();
		for (int i = 0; i < REPEAT; i++)
			ceiling(&bytes);
		bare[r] = (now_us() - begin) / REPEAT;
	}
	allocated = mallinfo2().uordblks - allocated;
	qsort(decode, (size_t)rounds, sizeof(*decode), by_size);
	qsort(bare, (size_t)rounds, sizeof(*bare), by_size);
	printf("%-30s %4zu %6d %9.2f us %9.2f us %8.1f %10zu\n", rows[row].label, bytes.len, frames,
	       decode[rounds / 2], bare[rounds / 2], decode[rounds / 2] / bare[rounds / 2],
	       allocated);
}

int main(int argc, char **argv)
{
	int rounds = argc > 2 ? atoi(argv[2]) : 201;

	if (argc < 2 || rounds < 1 || rounds > ROUNDS_MAX)
		return 2;
	printf("%-30s %4s %6s %12s %12s %8s %10s\n", "frame", "byte", "frames", "decoded",
	       "ceiling", "ratio", "allocated");
	for (size_t i = 0; i < PB_ARRAY_SIZE(rows); i++)
		measure(i, argv[1], rounds);
	return 0;
}
