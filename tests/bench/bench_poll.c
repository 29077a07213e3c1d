/* SPDX-License-Identifier: MIT */
/*
 * What a poll of a pack costs beyond sockets and timers: two JBD frames of a pack with 16 cells are
 * framed and decoded, alarms and limits are taken anew, and the reading is published through the
 * native map. For one pack and for many in step, with warm caches, and with caches that something
 * else has used meanwhile, as they are when a daemon wakes up once a second. Then what a bank of
 *them costs, for each of its packs' polls.
 *
 *	bench_poll MAPS [ROUNDS]	201 rounds, a few seconds
 */
#include "packbridge/bank.h"
#include "packbridge/base.h"
#include "packbridge/bms.h"
#include "packbridge/regmap.h"
#include "packbridge/yaml.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { PACKS_MAX = 240, CELLS = 16, ROUNDS_MAX = 1001, OTHERS = 64 << 20 };

static struct {
	struct pb_battery data;
	struct pb_unit_image *image;
	struct pb_limit_state limits;
	struct pb_alarm_state alarms;
} packs[PACKS_MAX];

static struct pb_limit_setup limit_setup;
static struct pb_alarm_setup alarm_setup;
static uint64_t now_ms = 1000;

static uint8_t basic[128], cells[128];
static size_t basic_len, cells_len;

static size_t make_frame(uint8_t *out, uint8_t reg, const uint8_t *payload, size_t len)
{
	unsigned int sum = (unsigned int)len;

	memcpy(out, (const uint8_t[]){0xDD, reg, 0, (uint8_t)len}, 4);
	memcpy(out + 4, payload, len);
	for (size_t i = 0; i < len; i++)
		sum += payload[i];
	pb_put_be16(out + 4 + len, (uint16_t)(0x10000 - sum));
	out[6 + len] = 0x77;
	return 7 + len;
}

static void make_frames(void)
{
	uint8_t payload[64] = {0x14, 0xC8, 0x01, 0x2C,	0x23, 0x28, 0x27, 0x10, 0x00,
			       0x0C, 0x2A, 0x63, 0,	0,    0,    0,	  0,	0,
			       0x20, 0x5A, 0x03, CELLS, 0x02, 0x0B, 0xA6, 0x0B, 0xA8};

	basic_len = make_frame(basic, 0x03, payload, 27);
	for (size_t i = 0; i < CELLS; i++)
		pb_put_be16(payload + 2 * i, (uint16_t)(3320 + i));
	cells_len = make_frame(cells, 0x04, payload, 2 * CELLS);
}

static void take(struct pb_sample *sample, const uint8_t *bytes, size_t len)
{
	struct pb_frame frame;

	if (pb_codec_jbd.frame(bytes, len, NULL, &frame) != (int)len ||
	    pb_codec_jbd.decode(&frame, sample) < 0)
		abort();
}

static void poll_pack(size_t index)
{
	struct pb_sample *sample = &packs[index].data.sample;
	uint64_t next_ms;

	now_ms += 10;
	memset(sample, 0, sizeof(*sample));
	take(sample, basic, basic_len);
	take(sample, cells, cells_len);
	pb_sample_derive(sample);
	pb_bank_single(&packs[index].data, false);
	pb_limit_step(&limit_setup, &packs[index].limits, &packs[index].data, false, now_ms);
	pb_alarm_step(&alarm_setup, &packs[index].alarms, &packs[index].data, false, now_ms,
		      &next_ms);
	pb_unit_image_encode(packs[index].image, &packs[index].data, false);
}

static double now(void)
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

/* @others: something that pushes everything else out of the caches; NULL: nothing does */
static double measure(size_t count, int rounds, volatile uint8_t *others)
{
	static double times[ROUNDS_MAX];

	for (int r = 0; r < rounds; r++) {
		double begin;

		for (size_t i = 0; others && i < OTHERS; i += 64)
			others[i]++;
		begin = now();
		for (size_t i = 0; i < count; i++)
			poll_pack(i);
		times[r] = (now() - begin) / (double)count;
	}
	qsort(times, (size_t)rounds, sizeof(*times), by_size);
	return times[rounds / 2];
}

static double measure_bank(size_t count, int rounds)
{
	static double times[ROUNDS_MAX];
	static struct pb_battery bank;
	struct pb_bank_setup setup = {0};
	struct pb_member members[PB_MEMBERS_MAX];

	for (size_t i = 0; i < count; i++)
		members[i] = (struct pb_member){.battery = &packs[i].data};
	for (int r = 0; r < rounds; r++) {
		double begin = now();

		for (int n = 0; n < 10; n++)
			pb_bank_compute(&setup, members, count, &bank);
		times[r] = (now() - begin) / 10;
	}
	qsort(times, (size_t)rounds, sizeof(*times), by_size);
	return times[rounds / 2];
}

int main(int argc, char **argv)
{
	static const size_t counts[] = {1, 8, 32, 240};
	int rounds = argc > 2 ? atoi(argv[2]) : 201;
	uint8_t *others = malloc(OTHERS);
	struct pb_report report = {0};
	struct pb_map *map;
	char path[1024];

	if (argc < 2 || rounds < 1 || rounds > ROUNDS_MAX || !others)
		return 2;
	snprintf(path, sizeof(path), "%s/packbridge.yaml", argv[1]);
	if (pb_map_load(&map, path, &report) < 0)
		return 1;
	memset(others, 1, OTHERS);
	pb_limit_preset(&limit_setup, PB_CHEMISTRY_LIFEPO4);
	pb_alarm_preset(&alarm_setup, PB_CHEMISTRY_LIFEPO4);
	make_frames();
	for (size_t i = 0; i < PACKS_MAX; i++) {
		packs[i].data.status.sequence = 1;
		if (pb_unit_image_new(&packs[i].image, map) < 0)
			return 1;
	}
	printf("decode and publish, for each poll:\npacks   warm caches   cold caches\n");
	for (size_t i = 0; i < PB_ARRAY_SIZE(counts); i++)
		printf("%5zu %10.2f us %10.2f us\n", counts[i], measure(counts[i], rounds, NULL),
		       measure(counts[i], rounds, others));
	puts("a bank of them:");
	for (size_t i = 0; i < 3; i++)
		printf("%5zu %10.2f us\n", counts[i], measure_bank(counts[i], rounds));
	for (size_t i = 0; i < PACKS_MAX; i++)
		pb_unit_image_free(packs[i].image);
	pb_map_free(map);
	free(others);
	return 0;
}
