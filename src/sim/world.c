/* SPDX-License-Identifier: MIT */
#include "world.h"

#include "packbridge/base.h"

#define SUN_PEAK_C     0.22
#define CLOUD_S	       75.0
#define BASE_LOAD_C    0.004
#define BASE_LOAD_S    20.0
#define YEAR_DAYS      365.0
#define DAYLIGHT_BEGIN 0.25 /* of the day, and as much at its end */

static int64_t floor_of(double x)
{
	int64_t i = (int64_t)x;

	return x < (double)i ? i - 1 : i;
}

double pb_sim_hash(uint64_t seed, uint32_t channel, int64_t index)
{
	struct pb_random random;

	pb_random_seed(&random, seed ^ ((uint64_t)channel << 48) ^
					((uint64_t)index * UINT64_C(0x9E3779B97F4A7C15)));
	return pb_random_next(&random) / 4294967296.0;
}

/* Runs smoothly through the hashes at whole @x. */
static double smooth(uint64_t seed, enum pb_sim_channel channel, double x)
{
	int64_t index = floor_of(x);
	double f = x - (double)index, a = pb_sim_hash(seed, channel, index);
	double b = pb_sim_hash(seed, channel, index + 1);

	return a + (b - a) * f * f * (3 - 2 * f);
}

/* Like a sine of period 1, made of two parabolas: the same on every machine, and no libm. */
static double wave(double x)
{
	x -= (double)floor_of(x);
	return x < 0.5 ? 16 * x * (0.5 - x) : -16 * (x - 0.5) * (1 - x);
}

double pb_sim_sun_c(uint64_t seed, double time_s)
{
	double days = time_s / PB_SIM_DAY_S;
	int64_t day = floor_of(days);
	double x = (days - (double)day - DAYLIGHT_BEGIN) / (1 - 2 * DAYLIGHT_BEGIN);
	double weather = 0.15 + 0.85 * pb_sim_hash(seed, CHANNEL_WEATHER, day);
	double clouds = 1 - 0.35 * smooth(seed, CHANNEL_CLOUDS, time_s / CLOUD_S);

	return x <= 0 || x >= 1 ? 0 : SUN_PEAK_C * 4 * x * (1 - x) * weather * clouds;
}

double pb_sim_base_load_c(uint64_t seed, double time_s)
{
	return BASE_LOAD_C * (0.7 + 0.6 * smooth(seed, CHANNEL_BASE_LOAD, time_s / BASE_LOAD_S));
}

double pb_sim_ambient_c(uint64_t seed, double time_s)
{
	double days = time_s / PB_SIM_DAY_S;

	/* warmest at the end of July, and at four in the afternoon */
	return 14 + 9 * wave(days / YEAR_DAYS - 0.32) + 5 * wave(days - 0.42) +
	       4 * (2 * smooth(seed, CHANNEL_WARMTH, days) - 1);
}

double pb_sim_first_time_s(uint64_t seed)
{
	double day = 120 + (double)(int)(120 * pb_sim_hash(seed, CHANNEL_START, 0));
	double hour = 8 + 9 * pb_sim_hash(seed, CHANNEL_START, 1);

	return (day + hour / 24) * PB_SIM_DAY_S;
}
