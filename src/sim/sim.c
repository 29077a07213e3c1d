/* SPDX-License-Identifier: MIT */
/*
 * The physical model: all cells carry the pack's current; each has its own charge, resistance and
 * self-discharge. A cell's voltage is its open-circuit voltage, a drop at once and a drop that
 * comes over minutes.
 */
#include "packbridge/sim.h"
#include "model.h"
#include "switches.h"
#include "world.h"

#define LOAD_MAX_C	0.3
#define BLEED_C		0.0005 /* a balancing resistor: 50 mA on a cell of 100 Ah */
#define LEAK_A_DAY	1e-4   /* self-discharge, at most */
#define STEP_MAX_S	60.0
#define STEP_CHARGE_C_S 7.2 /* a step moves at most 0.2 % of the charge */
#define POLARISE_S	180.0
#define HEAT_S		2400.0
#define HEAT_MAX_C	18.0 /* above ambient, for ever at the highest current */
#define OVERCURRENT_S	30.0
#define HEAVY_LOADS	10000 /* one load in so many is too much for the board */

static const struct pb_sim_chemistry *chemistry_of(const struct pb_sim *sim)
{
	return sim->options.profile->chemistry;
}

static int cells_of(const struct pb_sim *sim)
{
	return sim->options.profile->cells;
}

/* Open-circuit voltage at a charge of 0..1 and a bit around it. */
static double open_circuit_mv(const struct pb_sim_chemistry *chemistry, double charge,
			      double *ret_slope)
{
	const struct pb_sim_point *p = chemistry->curve;
	const struct pb_sim_point *last = p + chemistry->points - 2;
	double permille = charge * 1000, slope;

	while (p < last && permille > p[1].charge_permille)
		p++;
	slope = (double)(p[1].mv - p->mv) / (p[1].charge_permille - p->charge_permille);
	if (ret_slope)
		*ret_slope = slope * 1000;
	return p->mv + (permille - p->charge_permille) * slope;
}

double pb_sim_cell_mv(const struct pb_sim *sim, int i)
{
	const struct pb_sim_chemistry *chemistry = chemistry_of(sim);

	return open_circuit_mv(chemistry, sim->cell_charge[i], NULL) + sim->polarisation_mv +
	       sim->current_c * chemistry->resistance_mv * sim->cell_resistance[i];
}

double pb_sim_mean_charge(const struct pb_sim *sim)
{
	double sum = 0;

	for (int i = 0; i < cells_of(sim); i++)
		sum += sim->cell_charge[i];
	return sum / cells_of(sim);
}

static void next_load(struct pb_sim *sim)
{
	struct pb_random *random = &sim->random;
	double size = pb_random_next(random) / 4294967296.0;
	bool idle = pb_random_below(random, 100) < 60;
	bool heavy = pb_random_below(random, HEAVY_LOADS) == 0;
	double longest_s = heavy ? 20 : idle ? 400 : 240;
	double length_s = pb_random_next(random) / 4294967296.0 * longest_s;

	sim->load_c = heavy ? sim->current_max_c * 1.2 : idle ? 0 : size * size * size * LOAD_MAX_C;
	sim->load_until_s = sim->time_s + 10 + length_s;
}

/*
 * What the charger gives to loads and battery when it holds the pack at its full voltage: the
 * current that the battery takes by the end of the step. To look at the end, not at the begin,
 * keeps long steps from swinging.
 */
static double taper_c(const struct pb_sim *sim, double dt)
{
	const struct pb_sim_chemistry *chemistry = chemistry_of(sim);
	double room_mv = 0, rise_mv = 0, hours = dt / 3600;
	double lag = dt / (POLARISE_S + dt);

	for (int i = 0; i < cells_of(sim); i++) {
		double slope;

		room_mv += chemistry->full_mv - sim->polarisation_mv * (1 - lag) -
			   open_circuit_mv(chemistry, sim->cell_charge[i], &slope);
		rise_mv += chemistry->resistance_mv * sim->cell_resistance[i] +
			   chemistry->polarisation_mv * lag + slope * hours;
	}
	return room_mv / rise_mv;
}

static double flow_c(struct pb_sim *sim, double dt)
{
	double sun = pb_sim_sun_c(sim->options.seed, sim->time_s);
	double load = sim->load_c + pb_sim_base_load_c(sim->options.seed, sim->time_s);
	double charger = taper_c(sim, dt) + load, current;

	if (sim->options.has_current)
		return sim->options.current_ma / sim->full_mah;
	charger = charger < 0 ? 0 : charger > sun ? sun : charger;
	current = charger - load;
	if (-current > sim->current_max_c && !(sim->protection_mask & PB_SIM_STOPS_DISCHARGE)) {
		sim->protection_mask |= 1U << PB_PROTECT_DISCHARGE_OVERCURRENT;
		sim->counters[PB_COUNTER_DISCHARGE_OVERCURRENT]++;
		sim->overcurrent_until_s = sim->time_s + OVERCURRENT_S;
	}
	return current;
}

/* What the FETs let through of a current. */
static double pass_c(const struct pb_sim *sim, double current)
{
	unsigned int which = current > 0 ? PB_SIM_CHARGE : PB_SIM_DISCHARGE;

	return sim_closed(sim, which, current) ? current : 0;
}

static void move_charge(struct pb_sim *sim, double dt)
{
	for (int i = 0; i < cells_of(sim); i++) {
		double bleed_c = sim->balance_mask >> i & 1 ? BLEED_C : 0;

		sim->cell_charge[i] +=
			(sim->current_c - bleed_c) * dt / 3600 - sim->cell_leak[i] * dt;
	}
	if (sim->current_c < 0)
		sim->discharged_c_h -= sim->current_c * dt / 3600;
}

static void move_heat(struct pb_sim *sim, double dt)
{
	double part = sim->current_c / sim->current_max_c;
	double goal = pb_sim_ambient_c(sim->options.seed, sim->time_s) + HEAT_MAX_C * part * part;

	sim->core_c += (goal - sim->core_c) * dt / (HEAT_S + dt);
}

/* One protection: @trip above @release guards against too much, else against too little. */
struct sim_protection {
	enum pb_protection bit;
	enum pb_counter counter;
	double value, trip, release;
};

static void guard(struct pb_sim *sim, const struct sim_protection *limit)
{
	bool upper = limit->trip > limit->release;
	bool tripped = upper ? limit->value > limit->trip : limit->value < limit->trip;
	bool released = upper ? limit->value < limit->release : limit->value > limit->release;
	uint32_t bit = 1U << limit->bit;

	if (!(sim->protection_mask & bit) && tripped) {
		sim->protection_mask |= bit;
		sim->counters[limit->counter]++;
	} else if (released) {
		sim->protection_mask &= ~bit;
	}
}

static void protect(struct pb_sim *sim, double min_mv, double max_mv, double sum_mv)
{
	const struct pb_sim_chemistry *c = chemistry_of(sim);
	int n = cells_of(sim);
	double cold = c->charge_min_mc / 1000.0;
	const struct sim_protection limits[] = {
		{PB_PROTECT_CELL_OVERVOLTAGE, PB_COUNTER_CELL_OVERVOLTAGE, max_mv, c->over_mv,
		 c->over_release_mv},
		{PB_PROTECT_CELL_UNDERVOLTAGE, PB_COUNTER_CELL_UNDERVOLTAGE, min_mv, c->under_mv,
		 c->under_release_mv},
		{PB_PROTECT_PACK_OVERVOLTAGE, PB_COUNTER_PACK_OVERVOLTAGE, sum_mv,
		 n * (c->over_mv - 20), n * c->over_release_mv},
		{PB_PROTECT_PACK_UNDERVOLTAGE, PB_COUNTER_PACK_UNDERVOLTAGE, sum_mv,
		 n * (c->under_mv + 20), n * c->under_release_mv},
		{PB_PROTECT_CHARGE_OVERTEMPERATURE, PB_COUNTER_CHARGE_OVERTEMPERATURE, sim->core_c,
		 55, 50},
		{PB_PROTECT_CHARGE_UNDERTEMPERATURE, PB_COUNTER_CHARGE_UNDERTEMPERATURE,
		 sim->core_c, cold, cold + 3},
		{PB_PROTECT_DISCHARGE_OVERTEMPERATURE, PB_COUNTER_DISCHARGE_OVERTEMPERATURE,
		 sim->core_c, 65, 60},
		{PB_PROTECT_DISCHARGE_UNDERTEMPERATURE, PB_COUNTER_DISCHARGE_UNDERTEMPERATURE,
		 sim->core_c, -20, -15},
	};

	for (size_t i = 0; i < PB_ARRAY_SIZE(limits); i++)
		guard(sim, &limits[i]);
	if (sim->time_s >= sim->overcurrent_until_s)
		sim->protection_mask &= ~(1U << PB_PROTECT_DISCHARGE_OVERCURRENT);
	sim->protection_mask |= sim->forced_protection;
}

static void supervise(struct pb_sim *sim)
{
	const struct pb_sim_chemistry *chemistry = chemistry_of(sim);
	double mv[PB_SIM_CELLS_MAX] = {0}, min_mv = 1e9, max_mv = 0, sum_mv = 0;

	for (int i = 0; i < cells_of(sim); i++) {
		mv[i] = pb_sim_cell_mv(sim, i);
		min_mv = mv[i] < min_mv ? mv[i] : min_mv;
		max_mv = mv[i] > max_mv ? mv[i] : max_mv;
		sum_mv += mv[i];
	}
	protect(sim, min_mv, max_mv, sum_mv);
	sim->balance_mask = 0;
	for (int i = 0; i < cells_of(sim); i++)
		if (mv[i] > chemistry->balance_mv && mv[i] > min_mv + chemistry->balance_delta_mv)
			sim->balance_mask |= UINT64_C(1) << i;
}

static void step(struct pb_sim *sim, double dt)
{
	double polarised_mv;

	sim->current_c = pass_c(sim, flow_c(sim, dt));
	move_charge(sim, dt);
	polarised_mv = sim->current_c * chemistry_of(sim)->polarisation_mv;
	sim->polarisation_mv += (polarised_mv - sim->polarisation_mv) * dt / (POLARISE_S + dt);
	move_heat(sim, dt);
	sim->time_s += dt;
	sim_follow(sim);
	supervise(sim);
	sim->current_c = pass_c(sim, sim->current_c);
}

static double step_width(const struct pb_sim *sim)
{
	double to_load_s = sim->load_until_s - sim->time_s;
	double current_c = sim->current_c < 0 ? -sim->current_c : sim->current_c;
	double rate_c = sim->load_c > current_c ? sim->load_c : current_c;
	double width_s = STEP_MAX_S;

	if (rate_c * width_s > STEP_CHARGE_C_S)
		width_s = STEP_CHARGE_C_S / rate_c;
	return width_s < to_load_s ? width_s : to_load_s;
}

void pb_sim_run(struct pb_sim *sim, double seconds)
{
	double end_s;

	/* one day is like another; a program that slept for a month must not work it all off */
	if (seconds > 2 * PB_SIM_DAY_S) {
		double days = (double)(int64_t)(seconds / PB_SIM_DAY_S) - 1;

		sim->time_s += days * PB_SIM_DAY_S;
		seconds -= days * PB_SIM_DAY_S;
	}
	end_s = sim->time_s + seconds;
	while (end_s - sim->time_s > 1e-6) {
		double width_s;

		if (sim->time_s >= sim->load_until_s)
			next_load(sim);
		width_s = step_width(sim);
		step(sim, width_s < end_s - sim->time_s ? width_s : end_s - sim->time_s);
	}
}

static void make_cells(struct pb_sim *sim, uint64_t seed)
{
	double mean;

	for (int i = 0; i < cells_of(sim); i++) {
		sim->cell_charge[i] = 0.012 * pb_sim_hash(seed, CHANNEL_IMBALANCE, i);
		sim->cell_resistance[i] = 0.92 + 0.16 * pb_sim_hash(seed, CHANNEL_RESISTANCE, i);
		sim->cell_leak[i] = LEAK_A_DAY / PB_SIM_DAY_S * pb_sim_hash(seed, CHANNEL_LEAK, i);
	}
	mean = pb_sim_mean_charge(sim);
	for (int i = 0; i < cells_of(sim); i++)
		sim->cell_charge[i] += sim->options.soc_permille / 1000.0 - mean;
}

void pb_sim_start(struct pb_sim *sim, const struct pb_sim_options *options)
{
	const struct pb_sim_profile *profile = options->profile;
	double age = pb_sim_hash(options->seed, CHANNEL_AGE, 0);

	*sim = (struct pb_sim){.options = *options};
	pb_random_seed(&sim->random, options->seed);
	sim->time_s = pb_sim_first_time_s(options->seed);
	sim->full_mah = options->capacity_mah * (1 - 0.06 * age);
	sim->current_max_c = (double)profile->current_max_ma / profile->capacity_mah;
	sim->discharged_c_h = 300 * age;
	sim->core_c = pb_sim_ambient_c(options->seed, sim->time_s);
	sim->counters[PB_COUNTER_SYSTEM_RESTARTS] = 1;
	make_cells(sim, options->seed);
	/* a first moment, so that a current flows */
	pb_sim_run(sim, 1);
}
