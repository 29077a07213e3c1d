/* SPDX-License-Identifier: MIT */
/* The physical model over years: what must hold always, and what must happen now and then. */
#include "packbridge/sim.h"
#include "suite.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define DAY_S 86400.0

enum { PROFILES = 5 /* that differ in more than their board */, DAYS = 330 };

/* As ck_assert(), which leaves a trace of each success: too slow for millions of them. */
#define MUST(condition)                                                                            \
	do                                                                                         \
		if (!(condition))                                                                  \
			ck_abort_msg("%s", #condition);                                            \
	while (0)

static void start(struct pb_sim *sim, const char *format, const char *profile)
{
	struct pb_sim_options options;
	char address[128], why[256] = "";

	snprintf(address, sizeof(address), format, profile);
	ck_assert_msg(pb_sim_options_parse(&options, address, why, sizeof(why)) == 0, "%s: %s",
		      address, why);
	pb_sim_start(sim, &options);
}

static const char *profile_name(int index)
{
	return pb_sim_profiles()[index].name;
}

/* ---- what must hold always ---- */

static void check_cells(const struct pb_sim *sim, const struct pb_sample *s)
{
	const struct pb_sim_chemistry *chemistry = sim->options.profile->chemistry;
	int64_t sum = 0;

	MUST(s->cell_count == sim->options.profile->cells);
	MUST(s->cell_has == (UINT64_C(1) << s->cell_count) - 1);
	for (int i = 0; i < s->cell_count; i++) {
		MUST(s->cell_mv[i] > chemistry->under_mv - 200);
		MUST(s->cell_mv[i] < chemistry->over_mv + 100);
		sum += s->cell_mv[i];
	}
	MUST(llabs(sum - s->voltage_mv) <= 60);
	MUST(s->cell_delta_mv <= 500);
	MUST(s->balance_mask >> s->cell_count == 0);
	/* only cells that are high are bled, and never the lowest */
	if (s->balance_mask) {
		MUST(s->cell_max_mv > chemistry->balance_mv - 5);
		MUST(!(s->balance_mask >> (s->cell_min_index - 1) & 1));
	}
}

static void check_charge(const struct pb_sim *sim, const struct pb_sample *s)
{
	int64_t limit_ma = (int64_t)(sim->current_max_c * sim->full_mah * 1.01);

	MUST(s->soc_permille >= 0);
	MUST(s->soc_permille <= 1000);
	MUST(s->remaining_mah >= 0);
	MUST(s->remaining_mah <= s->full_mah);
	MUST(s->full_mah <= s->nominal_mah);
	MUST(s->full_mah > s->nominal_mah / 10 * 9);
	MUST(llabs(s->current_ma) <= limit_ma);
	MUST(s->charge_fet || s->current_ma <= 0);
	MUST(s->discharge_fet || s->current_ma >= 0);
	/* a FET is off for a reason, and only then */
	MUST(s->charge_fet || s->protection_mask);
	MUST(s->discharge_fet || s->protection_mask);
	MUST(!s->protection_mask || !s->charge_fet || !s->discharge_fet);
}

static void check_temperatures(const struct pb_sim *sim, const struct pb_sample *s)
{
	MUST(s->temperature_count == sim->options.profile->temperatures);
	for (int i = 0; i < s->temperature_count; i++) {
		MUST(s->temperature_mc[i] > -12000);
		MUST(s->temperature_mc[i] < 60000);
	}
}

static void check(const struct pb_sim *sim, const struct pb_sample *s)
{
	check_cells(sim, s);
	check_charge(sim, s);
	check_temperatures(sim, s);
}

/* ---- what must happen ---- */

struct seen {
	int charging, discharging, resting, balancing;
	int low, full; /* SoC below 15 %, above 97 % */
	int32_t warmest_mc, coldest_mc;
	int readings;
};

static void note(struct seen *seen, const struct pb_sample *s)
{
	seen->readings++;
	seen->charging += s->current_ma > 0;
	seen->discharging += s->current_ma < 0;
	seen->resting += s->current_ma == 0;
	seen->balancing += s->balance_mask != 0;
	seen->low += s->soc_permille < 150;
	seen->full += s->soc_permille > 970;
	if (seen->readings == 1 || s->temperature_mc[0] > seen->warmest_mc)
		seen->warmest_mc = s->temperature_mc[0];
	if (seen->readings == 1 || s->temperature_mc[0] < seen->coldest_mc)
		seen->coldest_mc = s->temperature_mc[0];
}

/* Every profile over DAYS days, in steps of some minutes to a day. */
static const double steps_s[] = {600, 5000, DAY_S / 2 - 1, DAY_S + 3600};

START_TEST(years)
{
	struct pb_sim sim;
	struct pb_sample sample;
	struct seen seen = {0};
	double step_s = steps_s[_i % 4], done_s = 0;
	int32_t cycles;

	start(&sim, "%s", profile_name(_i / 4));
	pb_sim_read(&sim, &sample);
	cycles = sample.cycles;
	for (; done_s < (double)DAYS * DAY_S; done_s += step_s) {
		pb_sim_run(&sim, step_s);
		pb_sim_read(&sim, &sample);
		check(&sim, &sample);
		ck_assert_int_ge(sample.cycles, cycles);
		note(&seen, &sample);
	}
	ck_assert_int_gt(seen.charging, seen.readings / 6);
	ck_assert_int_gt(seen.discharging, seen.readings / 6);
	ck_assert_int_gt(seen.warmest_mc - seen.coldest_mc, 10000);
	ck_assert_int_gt(sample.cycles, cycles + DAYS / 5);
	ck_assert_int_lt(sample.cycles, cycles + 2 * DAYS);
	if (step_s < 3600) {
		ck_assert_int_gt(seen.balancing, 0);
		ck_assert_int_gt(seen.full, 0);
		ck_assert_int_gt(seen.low, 0);
		/* not stuck at an end */
		ck_assert_int_lt(seen.full + seen.low, seen.readings / 2);
	}
}
END_TEST

/* At steps of 0.2 s to 10 s: the course is continuous, and charge follows current. */
START_TEST(hours_in_small_steps)
{
	static const double small_s[] = {0.2, 1, 10};
	double step_s = small_s[_i % 3];
	struct pb_sim sim;
	struct pb_sample now, before;
	int moved = 0;

	start(&sim, "%s,soc=60", profile_name(_i / 3));
	pb_sim_read(&sim, &before);
	for (int i = 0; i < 20000; i++) {
		pb_sim_run(&sim, step_s);
		pb_sim_read(&sim, &now);
		check(&sim, &now);
		if (now.current_ma > 1000 && before.current_ma > 1000)
			MUST(now.remaining_mah >= before.remaining_mah);
		if (now.current_ma < -1000 && before.current_ma < -1000)
			MUST(now.remaining_mah <= before.remaining_mah);
		MUST(abs(now.soc_permille - before.soc_permille) <= 3);
		MUST(abs(now.temperature_mc[0] - before.temperature_mc[0]) <= 500);
		moved += now.current_ma != before.current_ma;
		before = now;
	}
	MUST(moved > 1000);
}
END_TEST

/* The integral of the current is the charge. */
START_TEST(charge_is_counted)
{
	struct pb_sim sim;
	double counted_mah = 0, begin, end;
	struct pb_sample sample;

	start(&sim, "%s,soc=30", profile_name(_i));
	pb_sim_read(&sim, &sample);
	begin = (double)sample.remaining_mah;
	for (int i = 0; i < 3 * 3600; i++) {
		pb_sim_run(&sim, 1);
		counted_mah += sim.current_c * sim.full_mah / 3600;
	}
	pb_sim_read(&sim, &sample);
	end = (double)sample.remaining_mah;
	ck_assert_double_le(end - begin - counted_mah, 0.001 * sim.full_mah);
	ck_assert_double_ge(end - begin - counted_mah, -0.001 * sim.full_mah);
	ck_assert_double_ge(counted_mah > 0 ? counted_mah : -counted_mah, 0.005 * sim.full_mah);
}
END_TEST

static bool same_course(const char *a, const char *b)
{
	struct pb_sim one, two;
	struct pb_sample sample_one, sample_two;
	bool same = true;

	start(&one, a, "lfp-8s");
	start(&two, b, "lfp-8s");
	for (int i = 0; i < 2000; i++) {
		pb_sim_run(&one, 37 + i % 100);
		pb_sim_run(&two, 37 + i % 100);
		pb_sim_read(&one, &sample_one);
		pb_sim_read(&two, &sample_two);
		same &= memcmp(&sample_one, &sample_two, sizeof(sample_one)) == 0;
	}
	return same;
}

START_TEST(seed)
{
	ck_assert(same_course("%s", "%s"));
	ck_assert(same_course("%s,seed=5", "%s,seed=5"));
	ck_assert(!same_course("%s,seed=5", "%s,seed=6"));
	/* without a seed the address decides */
	ck_assert(!same_course("%s,speed=1", "%s,speed=2"));
}
END_TEST

/* Sun, weather and loads come with the time, so that steps make little difference. */
START_TEST(step_width_matters_little)
{
	struct pb_sim one, two;
	struct pb_sample sample_one, sample_two;

	start(&one, "%s,soc=50", profile_name(_i));
	start(&two, "%s,soc=50", profile_name(_i));
	for (int hour = 0; hour < 24; hour++) {
		for (int i = 0; i < 3600; i++)
			pb_sim_run(&one, 1);
		pb_sim_run(&two, 3600);
		pb_sim_read(&one, &sample_one);
		pb_sim_read(&two, &sample_two);
		ck_assert_int_le(abs(sample_one.soc_permille - sample_two.soc_permille), 15);
	}
}
END_TEST

/* ---- at the ends ---- */

/* The charger holds the voltage of a full pack, and long steps do not make it swing. */
START_TEST(full_is_held)
{
	struct pb_sim sim;
	struct pb_sample sample;
	int held = 0;

	start(&sim, "%s,soc=98", profile_name(_i));
	sim.time_s = (200 + 10.0 / 24) * DAY_S; /* ten in the morning */
	sim.load_until_s = 0;
	for (int i = 0; i < 5 * 60; i++) {
		int64_t full_mv = (int64_t)sim.options.profile->cells *
				  sim.options.profile->chemistry->full_mv;

		pb_sim_run(&sim, 60);
		pb_sim_read(&sim, &sample);
		MUST(sample.voltage_mv <= full_mv + full_mv / 200);
		held += sample.voltage_mv >= full_mv - full_mv / 200;
	}
	ck_assert_int_gt(held, 30);
}
END_TEST

/* @return true once the sample is as wanted, within @days. */
static bool until(struct pb_sim *sim, int days, bool (*wanted)(const struct pb_sample *))
{
	struct pb_sample sample;

	for (int i = 0; i < days * 1440; i++) {
		pb_sim_read(sim, &sample);
		check(sim, &sample);
		if (wanted(&sample))
			return true;
		pb_sim_run(sim, 60);
	}
	return false;
}

static bool is_cut_off(const struct pb_sample *s)
{
	return s->protection_mask >> PB_PROTECT_CELL_UNDERVOLTAGE & 1 && !s->discharge_fet &&
	       s->counters[PB_COUNTER_CELL_UNDERVOLTAGE] > 0;
}

static bool is_back(const struct pb_sample *s)
{
	return !s->protection_mask && s->charge_fet && s->discharge_fet && s->soc_permille > 200;
}

START_TEST(empty_and_back)
{
	struct pb_sim sim;

	start(&sim, "%s,soc=0", profile_name(_i));
	/* a heavy load on an empty pack */
	sim.load_c = 0.3;
	sim.load_until_s = sim.time_s + 3600;
	sim.time_s -= DAY_S / 2; /* at night */
	sim.load_until_s -= DAY_S / 2;
	ck_assert(until(&sim, 1, is_cut_off));
	ck_assert(until(&sim, 20, is_back));
}
END_TEST

static bool is_overcharged(const struct pb_sample *s)
{
	return s->protection_mask >> PB_PROTECT_CELL_OVERVOLTAGE & 1 && !s->charge_fet &&
	       s->counters[PB_COUNTER_CELL_OVERVOLTAGE] > 0;
}

/* The charge at which a cell rests at @mv. */
static double charge_at(const struct pb_sim_chemistry *chemistry, int mv)
{
	const struct pb_sim_point *p = chemistry->curve, *last = p + chemistry->points - 2;

	while (p < last && p[1].mv < mv)
		p++;
	return (p->charge_permille + (double)(mv - p->mv) / (p[1].mv - p->mv) *
					     (p[1].charge_permille - p->charge_permille)) /
	       1000;
}

START_TEST(overcharged_and_back)
{
	struct pb_sim sim;
	const struct pb_sim_chemistry *chemistry;

	start(&sim, "%s,soc=99", profile_name(_i));
	chemistry = sim.options.profile->chemistry;
	/* one cell is far ahead of the others */
	sim.cell_charge[1] = charge_at(chemistry, chemistry->over_mv + 40);
	ck_assert(until(&sim, 1, is_overcharged));
	ck_assert(until(&sim, 20, is_back));
}
END_TEST

static bool is_overloaded(const struct pb_sample *s)
{
	return s->protection_mask >> PB_PROTECT_DISCHARGE_OVERCURRENT & 1 && s->current_ma == 0 &&
	       s->counters[PB_COUNTER_DISCHARGE_OVERCURRENT] > 0;
}

START_TEST(overload_and_back)
{
	struct pb_sim sim;

	start(&sim, "%s,soc=70", profile_name(_i));
	sim.load_c = 2 * sim.current_max_c;
	sim.load_until_s = sim.time_s + 40;
	pb_sim_run(&sim, 1);
	ck_assert(until(&sim, 1, is_overloaded));
	ck_assert(until(&sim, 1, is_back));
}
END_TEST

/* Balancing draws the cells together, slowly. */
START_TEST(cells_converge)
{
	struct pb_sim sim;
	double first = 0, last = 0;

	start(&sim, "%s,soc=80,seed=3", profile_name(_i));
	for (int i = 0; i < sim.options.profile->cells; i++)
		sim.cell_charge[i] = 0.8 + (i % 2 ? 0.01 : -0.01);
	for (int day = 0; day < 120; day++) {
		double least = 2, most = -1;

		for (int i = 0; i < sim.options.profile->cells; i++) {
			least = sim.cell_charge[i] < least ? sim.cell_charge[i] : least;
			most = sim.cell_charge[i] > most ? sim.cell_charge[i] : most;
		}
		last = most - least;
		first = day == 0 ? last : first;
		if (day == 1)
			ck_assert_double_gt(last, 0.7 * first);
		pb_sim_run(&sim, DAY_S);
	}
	ck_assert_double_lt(last, 0.6 * first);
}
END_TEST

/* Self-discharge draws them apart, so that balancing never ends for good. */
START_TEST(cells_drift)
{
	struct pb_sim sim;

	start(&sim, "%s,soc=40", profile_name(_i));
	for (int i = 0; i < sim.options.profile->cells; i++)
		sim.cell_charge[i] = 0.4;
	pb_sim_run(&sim, 3600);
	for (int i = 1; i < sim.options.profile->cells; i++)
		ck_assert_double_ne(sim.cell_charge[i], sim.cell_charge[0]);
}
END_TEST

/* A program that slept for years is not busy for minutes when it wakes. */
START_TEST(long_sleep)
{
	struct pb_sim sim;
	struct pb_sample sample;
	double before;

	start(&sim, "%s", profile_name(_i));
	before = sim.time_s;
	pb_sim_run(&sim, 1e10);
	ck_assert_double_ge(sim.time_s, before + 1e10 - 1);
	ck_assert_double_le(sim.time_s, before + 1e10 + 1);
	pb_sim_read(&sim, &sample);
	check(&sim, &sample);
	before = sim.time_s;
	pb_sim_run(&sim, 0);
	ck_assert_double_eq(sim.time_s, before);
}
END_TEST

/* ---- options ---- */

START_TEST(options)
{
	struct pb_sim_options o;
	struct pb_sim sim;
	struct pb_sample sample;
	char why[256];

	ck_assert_int_eq(pb_sim_options_parse(&o,
					      "lfp-16s,soc=64.5,ah=314.5,seed=0,speed=60,lost=1,"
					      "bad=2,stray=3,chunk=20,wake=4,delay=5,drop=6,"
					      "silent=7+8,down=9+10",
					      why, sizeof(why)),
			 0);
	ck_assert_str_eq(o.profile->name, "lfp-16s");
	ck_assert_int_eq(o.soc_permille, 645);
	ck_assert_int_eq(o.capacity_mah, 314500);
	ck_assert_uint_eq(o.seed, 0);
	ck_assert_uint_eq(o.speed, 60);
	ck_assert_uint_eq(o.lost, 1);
	ck_assert_uint_eq(o.bad, 2);
	ck_assert_uint_eq(o.stray, 3);
	ck_assert_uint_eq(o.chunk, 20);
	ck_assert_uint_eq(o.wake, 4);
	ck_assert_uint_eq(o.delay_ms, 5);
	ck_assert_uint_eq(o.drop, 6);
	ck_assert_uint_eq(o.silent_after_s, 7);
	ck_assert_uint_eq(o.silent_for_s, 8);
	ck_assert_uint_eq(o.down_after_s, 9);
	ck_assert_uint_eq(o.down_for_s, 10);

	pb_sim_start(&sim, &o);
	pb_sim_read(&sim, &sample);
	ck_assert_int_eq(sample.nominal_mah, 314500);
	ck_assert_int_ge(sample.soc_permille, 644);
	ck_assert_int_le(sample.soc_permille, 646);
}
END_TEST

START_TEST(profiles_are_sound)
{
	const struct pb_sim_profile *p = &pb_sim_profiles()[_i];
	const struct pb_sim_chemistry *c = p->chemistry;
	struct pb_sim_options o;
	char why[64];

	ck_assert_int_eq(pb_sim_options_parse(&o, p->name, why, sizeof(why)), 0);
	ck_assert_int_ge(o.soc_permille, 300);
	ck_assert_int_le(o.soc_permille, 900);
	ck_assert_uint_eq(o.speed, 1);
	ck_assert_uint_gt(strlen(p->doc), 0);
	ck_assert_uint_lt(strlen(p->device_name), PB_NAME_MAX);
	ck_assert_int_le(p->cells, PB_SIM_CELLS_MAX);
	for (size_t i = 1; i < c->points; i++) {
		ck_assert_int_gt(c->curve[i].mv, c->curve[i - 1].mv);
		ck_assert_int_gt(c->curve[i].charge_permille, c->curve[i - 1].charge_permille);
	}
	ck_assert(c->under_mv < c->under_release_mv && c->under_release_mv < c->balance_mv);
	ck_assert(c->balance_mv < c->full_mv && c->full_mv < c->over_mv);
	ck_assert_int_lt(c->over_release_mv, c->over_mv);
}
END_TEST

START_TEST(profile_list)
{
	static const char *const names[] = {
		"lfp-4s",	   "lfp-8s",	  "lfp-16s",	  "lead-12v",
		"nmc-13s",	   "daly-lfp-4s", "daly-lfp-16s", "daly-nmc-14s",
		"daly-old-lfp-8s", "jk-lfp-8s",	  "jk-lfp-16s",	  "jk-nmc-14s",
	};

	for (size_t i = 0; i < PB_ARRAY_SIZE(names); i++)
		ck_assert_str_eq(profile_name((int)i), names[i]);
	ck_assert_ptr_null(profile_name(PB_ARRAY_SIZE(names)));
}
END_TEST

int main(void)
{
	TCase *tcase = tcase_create("model");

	tcase_set_timeout(tcase, 60);
	tcase_add_test(tcase, profile_list);
	tcase_add_loop_test(tcase, profiles_are_sound, 0, PROFILES);
	tcase_add_test(tcase, options);
	tcase_add_loop_test(tcase, years, 0, PROFILES * 4);
	tcase_add_loop_test(tcase, hours_in_small_steps, 0, PROFILES * 3);
	tcase_add_loop_test(tcase, charge_is_counted, 0, PROFILES);
	tcase_add_test(tcase, seed);
	tcase_add_loop_test(tcase, step_width_matters_little, 0, PROFILES);
	tcase_add_loop_test(tcase, full_is_held, 0, PROFILES);
	tcase_add_loop_test(tcase, empty_and_back, 0, PROFILES);
	tcase_add_loop_test(tcase, overcharged_and_back, 0, PROFILES);
	tcase_add_loop_test(tcase, overload_and_back, 0, PROFILES);
	tcase_add_loop_test(tcase, cells_converge, 0, PROFILES);
	tcase_add_loop_test(tcase, cells_drift, 0, PROFILES);
	tcase_add_loop_test(tcase, long_sleep, 0, PROFILES);
	return pb_run_suite("model", tcase);
}
