/* SPDX-License-Identifier: MIT */
/* A pack's limits, reading by reading; the time is made up. */
#include "packbridge/bank.h"
#include "packbridge/base.h"
#include "suite.h"

#include <string.h>

static struct pb_limit_setup setup;
static struct pb_limit_state state;
static struct pb_battery battery;
static uint64_t now_ms;

#define HAS(what) pb_battery_has(&battery, what)

/* Four LiFePO4 cells of 100 Ah, 3.30 V each, 25 degC, half full, at rest. */
static void begin(void)
{
	struct pb_sample *s = &battery.sample;

	pb_limit_preset(&setup, PB_CHEMISTRY_LIFEPO4);
	setup.charge_max_ma = 100000;
	setup.discharge_max_ma = 200000;
	state = (struct pb_limit_state){0};
	battery = (struct pb_battery){0};
	now_ms = 1000000;
	s->cell_count = 4;
	for (int i = 0; i < 4; i++)
		s->cell_mv[i] = 3300;
	s->cell_has = 0xF;
	s->temperature_count = 2;
	s->temperature_has = 3;
	s->temperature_mc[0] = s->temperature_mc[1] = 25000;
	s->voltage_mv = 13200;
	s->soc_permille = 500;
	s->nominal_mah = s->full_mah = 100000;
	s->remaining_mah = 50000;
	s->charge_fet = s->discharge_fet = true;
}

static void step_after(uint64_t ms)
{
	struct pb_sample *s = &battery.sample;

	now_ms += ms;
	s->has = PB_HAS(PB_HAS_VOLTAGE) | PB_HAS(PB_HAS_CURRENT) | PB_HAS(PB_HAS_SOC) |
		 PB_HAS(PB_HAS_NOMINAL) | PB_HAS(PB_HAS_FULL) | PB_HAS(PB_HAS_REMAINING) |
		 PB_HAS(PB_HAS_PROTECTION) | PB_HAS(PB_HAS_CHARGE_FET) |
		 PB_HAS(PB_HAS_DISCHARGE_FET) | PB_HAS(PB_HAS_CELLS) | PB_HAS(PB_HAS_TEMPERATURES);
	pb_sample_derive(s);
	pb_limit_step(&setup, &state, &battery, false, now_ms);
}

static void set_cells(int32_t a, int32_t b, int32_t c, int32_t d)
{
	int32_t *mv = battery.sample.cell_mv;

	mv[0] = a;
	mv[1] = b;
	mv[2] = c;
	mv[3] = d;
}

#define ASSERT_CHARGE(ma, why)                                                                     \
	do {                                                                                       \
		ck_assert_int_eq(battery.limits.charge_current_ma, ma);                            \
		ck_assert_int_eq(battery.limits.charge_current_reason, PB_REASON_##why);           \
		ck_assert_str_eq(battery.limits.charge_current_text,                               \
				 pb_reason_text(PB_REASON_##why));                                 \
		ck_assert_int_eq(battery.limits.charge_allowed, (ma) > 0);                         \
	} while (0)
#define ASSERT_DISCHARGE(ma, why)                                                                  \
	do {                                                                                       \
		ck_assert_int_eq(battery.limits.discharge_current_ma, ma);                         \
		ck_assert_int_eq(battery.limits.discharge_current_reason, PB_REASON_##why);        \
		ck_assert_int_eq(battery.limits.discharge_allowed, (ma) > 0);                      \
	} while (0)
#define ASSERT_VOLTAGE(mv, why, in)                                                                \
	do {                                                                                       \
		ck_assert_int_eq(battery.limits.charge_voltage_mv, mv);                            \
		ck_assert_int_eq(battery.limits.charge_voltage_reason, PB_REASON_##why);           \
		ck_assert_int_eq(battery.limits.charge_phase, PB_PHASE_##in);                      \
	} while (0)

START_TEST(at_rest)
{
	begin();
	step_after(0);
	ASSERT_VOLTAGE(4 * 3450, ABSORPTION, BULK);
	ASSERT_CHARGE(100000, MAXIMUM);
	ASSERT_DISCHARGE(200000, MAXIMUM);
	ck_assert_int_eq(battery.limits.discharge_voltage_mv, 4 * 2900);
	ck_assert_int_eq(battery.rating.full_voltage_mv, 4 * 3450);
	ck_assert_int_eq(battery.rating.energy_mwh, 1280000);
	ck_assert_int_eq(battery.rating.charge_max_mw, 1280000);
	ck_assert(!battery.limits.charge_now && !battery.limits.charge_soon);
}
END_TEST

START_TEST(by_capacity)
{
	begin();
	setup.charge_max_ma = setup.discharge_max_ma = 0;
	step_after(0);
	ASSERT_CHARGE(50000, MAXIMUM);
	ASSERT_DISCHARGE(50000, MAXIMUM);
}
END_TEST

/* The points of dbus-serialbattery's tables, and between them. */
static const struct {
	int32_t low_mv, high_mv, cold_mc, hot_mc;
	int32_t charge_ma;
	enum pb_reason charge_reason;
	int32_t discharge_ma;
	enum pb_reason discharge_reason;
} curves[] = {
	{3300, 3375, 25000, 25000, 100000, PB_REASON_MAXIMUM, 200000, PB_REASON_MAXIMUM},
	{3300, 3400, 25000, 25000, 25000, PB_REASON_CELL, 200000, PB_REASON_MAXIMUM},
	{3300, 3387, 25000, 25000, 64000, PB_REASON_CELL, 200000, PB_REASON_MAXIMUM},
	{3300, 3450, 25000, 25000, 500, PB_REASON_CELL, 200000, PB_REASON_MAXIMUM},
	{3300, 3500, 25000, 25000, 0, PB_REASON_CELL, 200000, PB_REASON_MAXIMUM},
	{3300, 3900, 25000, 25000, 0, PB_REASON_CELL, 200000, PB_REASON_MAXIMUM},
	{3190, 3300, 25000, 25000, 100000, PB_REASON_MAXIMUM, 200000, PB_REASON_MAXIMUM},
	{3100, 3300, 25000, 25000, 100000, PB_REASON_MAXIMUM, 50000, PB_REASON_CELL},
	{2900, 3300, 25000, 25000, 100000, PB_REASON_MAXIMUM, 1000, PB_REASON_CELL},
	{2800, 3300, 25000, 25000, 100000, PB_REASON_MAXIMUM, 0, PB_REASON_CELL},
	{3300, 3300, 0, 25000, 0, PB_REASON_TEMPERATURE, 50000, PB_REASON_TEMPERATURE},
	{3300, 3300, 2000, 25000, 25000, PB_REASON_TEMPERATURE, 70000, PB_REASON_TEMPERATURE},
	{3300, 3300, 5000, 45000, 50000, PB_REASON_TEMPERATURE, 100000, PB_REASON_TEMPERATURE},
	{3300, 3300, 25000, 55000, 0, PB_REASON_TEMPERATURE, 0, PB_REASON_TEMPERATURE},
	{3300, 3300, -40000, 25000, 0, PB_REASON_TEMPERATURE, 0, PB_REASON_TEMPERATURE},
	/* equal ones: the reason is that of the first rule, and it is a reason of its own */
	{3300, 3400, 2000, 25000, 25000, PB_REASON_CELL, 70000, PB_REASON_TEMPERATURE},
};

START_TEST(derating)
{
	begin();
	set_cells(curves[_i].low_mv, curves[_i].low_mv, curves[_i].high_mv, curves[_i].high_mv);
	battery.sample.temperature_mc[0] = curves[_i].cold_mc;
	battery.sample.temperature_mc[1] = curves[_i].hot_mc;
	step_after(0);
	ck_assert_int_eq(battery.limits.charge_current_ma, curves[_i].charge_ma);
	ck_assert_int_eq(battery.limits.charge_current_reason, curves[_i].charge_reason);
	ck_assert_int_eq(battery.limits.discharge_current_ma, curves[_i].discharge_ma);
	ck_assert_int_eq(battery.limits.discharge_current_reason, curves[_i].discharge_reason);
}
END_TEST

START_TEST(by_charge)
{
	begin();
	setup.discharge_by_soc = (struct pb_curve){2, {{50, 100}, {200, 1000}}};
	battery.sample.soc_permille = 125;
	step_after(0);
	ASSERT_DISCHARGE(110000, SOC);
	ASSERT_CHARGE(100000, MAXIMUM);
}
END_TEST

static const struct {
	int bit;
	bool charge, discharge; /* goes on */
} protections[] = {
	{PB_PROTECT_CELL_OVERVOLTAGE, false, true},
	{PB_PROTECT_CELL_UNDERVOLTAGE, true, false},
	{PB_PROTECT_PACK_OVERVOLTAGE, false, true},
	{PB_PROTECT_PACK_UNDERVOLTAGE, true, false},
	{PB_PROTECT_CHARGE_OVERTEMPERATURE, false, true},
	{PB_PROTECT_CHARGE_UNDERTEMPERATURE, false, true},
	{PB_PROTECT_DISCHARGE_OVERTEMPERATURE, true, false},
	{PB_PROTECT_DISCHARGE_UNDERTEMPERATURE, true, false},
	{PB_PROTECT_CHARGE_OVERCURRENT, false, true},
	{PB_PROTECT_DISCHARGE_OVERCURRENT, true, false},
	{PB_PROTECT_SHORT_CIRCUIT, false, false},
	{PB_PROTECT_FRONT_END, false, false},
	{PB_PROTECT_FET_LOCKED, true, true},
	{PB_PROTECT_CHARGE_FET_BROKEN, false, true},
	{PB_PROTECT_DISCHARGE_FET_BROKEN, true, false},
};

START_TEST(protection)
{
	begin();
	battery.sample.protection_mask = UINT32_C(1) << protections[_i].bit;
	step_after(0);
	if (protections[_i].charge)
		ASSERT_CHARGE(100000, MAXIMUM);
	else
		ASSERT_CHARGE(0, PROTECTION);
	if (protections[_i].discharge)
		ASSERT_DISCHARGE(200000, MAXIMUM);
	else
		ASSERT_DISCHARGE(0, PROTECTION);
	begin();
	setup.by_protection = false;
	step_after(0);
	ASSERT_CHARGE(100000, MAXIMUM);
}
END_TEST

static void step_without_protections(void)
{
	now_ms += 1000;
	battery.sample.has &= ~PB_HAS(PB_HAS_PROTECTION);
	pb_limit_step(&setup, &state, &battery, false, now_ms);
}

/* Who told protections and does not now, may have one; who never told them, has none to tell. */
START_TEST(protections_vanish)
{
	begin();
	step_after(0);
	ASSERT_CHARGE(100000, MAXIMUM);
	step_without_protections();
	ASSERT_CHARGE(0, INCOMPLETE);
	ASSERT_DISCHARGE(0, INCOMPLETE);
	begin();
	setup.by_protection = false;
	step_after(0);
	step_without_protections();
	ASSERT_CHARGE(100000, MAXIMUM);
	begin();
	step_after(0);
	state = (struct pb_limit_state){0};
	step_without_protections();
	ASSERT_CHARGE(100000, MAXIMUM);
}
END_TEST

START_TEST(switches)
{
	begin();
	battery.sample.charge_fet = false;
	step_after(0);
	ASSERT_CHARGE(0, SWITCH);
	ASSERT_DISCHARGE(200000, MAXIMUM);
	begin();
	setup.by_switch = false;
	battery.sample.charge_fet = false;
	step_after(0);
	ASSERT_CHARGE(100000, MAXIMUM);
}
END_TEST

/* Down at once, up after half a minute and slowly, and never above what the reading allows. */
START_TEST(comes_back_slowly)
{
	begin();
	step_after(0);
	set_cells(3300, 3300, 3300, 3425);
	step_after(5000);
	ASSERT_CHARGE(5000, CELL);
	set_cells(3300, 3300, 3300, 3300);
	for (int i = 0; i < 5; i++) {
		step_after(5000);
		ASSERT_CHARGE(5000, RISING);
	}
	step_after(5000); /* 5 % a second */
	ASSERT_CHARGE(30000, RISING);
	set_cells(3300, 3300, 3300, 3395); /* 40 A is all that there is now */
	step_after(5000);
	ASSERT_CHARGE(40000, CELL);
	set_cells(3300, 3300, 3300, 3300);
	step_after(5000);
	ASSERT_CHARGE(65000, RISING);
	step_after(60000);
	ASSERT_CHARGE(100000, MAXIMUM);
}
END_TEST

START_TEST(noise_does_not_hold)
{
	begin();
	set_cells(3300, 3300, 3300, 3400);
	step_after(0);
	for (int i = 0; i < 20; i++) { /* 1 mV is 0.8 % here */
		set_cells(3300, 3300, 3300, 3400 + i % 2);
		step_after(5000);
	}
	set_cells(3300, 3300, 3300, 3300);
	step_after(5000);
	ck_assert_int_gt(battery.limits.charge_current_ma, 25000);
}
END_TEST

/* From 0, a limit that is hardly worth it stays away. */
START_TEST(leaves_zero_for_good)
{
	begin();
	set_cells(3300, 3300, 3300, 3510);
	step_after(0);
	ASSERT_CHARGE(0, CELL);
	set_cells(3300, 3300, 3300, 3445);
	step_after(100000);
	ASSERT_CHARGE(0, CELL);
	set_cells(3300, 3300, 3300, 3430);
	step_after(100000);
	ck_assert_int_gt(battery.limits.charge_current_ma, 0);
}
END_TEST

START_TEST(incomplete)
{
	begin();
	step_after(0);
	battery.sample.temperature_has = 0;
	step_after(5000);
	ASSERT_CHARGE(0, INCOMPLETE);
	ASSERT_DISCHARGE(0, INCOMPLETE);
	begin();
	battery.sample.temperature_has = 0;
	setup.charge_by_temperature.count = setup.discharge_by_temperature.count = 0;
	step_after(0);
	ASSERT_CHARGE(100000, MAXIMUM);
	begin();
	battery.sample.cell_has = 0x7;
	step_after(0);
	ASSERT_VOLTAGE(4 * 3375, INCOMPLETE, UNKNOWN);
	begin();
	battery.sample.cell_count = 0;
	battery.sample.cell_has = 0;
	step_after(0);
	ck_assert(!HAS(PB_HAS_CHARGE_VOLTAGE));
	ASSERT_CHARGE(0, INCOMPLETE);
}
END_TEST

START_TEST(no_maximum_known)
{
	begin();
	setup.charge_max_ma = setup.discharge_max_ma = 0;
	battery.sample.nominal_mah = 0;
	step_after(0);
	ck_assert(!HAS(PB_HAS_CHARGE_CURRENT) && !HAS(PB_HAS_REQUESTS));
	battery.sample.charge_fet = false; /* 0 is known all the same */
	step_after(1000);
	ck_assert(HAS(PB_HAS_CHARGE_CURRENT));
	ck_assert_int_eq(battery.limits.charge_current_reason, PB_REASON_SWITCH);
}
END_TEST

/* One direction's limit is known by the configuration, the other's can't be. */
START_TEST(one_direction_known)
{
	struct pb_limit_setup plain;
	struct pb_limit_state fresh = {0};
	struct pb_battery b = {0};

	pb_limit_preset(&plain, PB_CHEMISTRY_LIFEPO4);
	plain.charge_max_ma = 100000;
	plain.charge_by_temperature.count = plain.discharge_by_temperature.count = 0;
	plain.charge_by_cell.count = plain.discharge_by_cell.count = 0;
	pb_limit_step(&plain, &fresh, &b, false, 1000);
	ck_assert_int_eq(b.limits.charge_current_ma, 100000);
	ck_assert(pb_battery_has(&b, PB_HAS_REQUESTS));
	ck_assert(b.limits.charge_allowed && !b.limits.discharge_allowed);
	ck_assert(!pb_battery_has(&b, PB_HAS_DISCHARGE_CURRENT));
}
END_TEST

START_TEST(silent)
{
	begin();
	step_after(0);
	pb_limit_step(&setup, &state, &battery, true, now_ms + 60000);
	ck_assert(!HAS(PB_HAS_CHARGE_CURRENT) && !HAS(PB_HAS_DISCHARGE_CURRENT) &&
		  !HAS(PB_HAS_CHARGE_VOLTAGE) && !HAS(PB_HAS_REQUESTS));
	ck_assert_int_eq(battery.limits.charge_current_reason, PB_REASON_SILENT);
	step_after(61000);
	ASSERT_CHARGE(100000, MAXIMUM); /* as a start: no ramp */
}
END_TEST

/* Bulk, absorption for 15 min with balanced cells, slowly down to float, and up again. */
START_TEST(through_the_phases)
{
	begin();
	step_after(0);
	ASSERT_VOLTAGE(13800, ABSORPTION, BULK);
	set_cells(3441, 3445, 3448, 3449);
	battery.sample.soc_permille = 990;
	step_after(5000);
	ASSERT_VOLTAGE(13800, ABSORPTION, ABSORPTION);
	for (int i = 0; i < 179; i++) {
		step_after(5000);
		ASSERT_VOLTAGE(13800, ABSORPTION, ABSORPTION);
	}
	step_after(5000);
	ASSERT_VOLTAGE(13798, FLOAT, FLOAT); /* 0.1 mV a second and cell */
	set_cells(3380, 3380, 3380, 3380);
	for (int i = 0; i < 200; i++)
		step_after(5000);
	ASSERT_VOLTAGE(13500, FLOAT, FLOAT);
	battery.sample.soc_permille = 799;
	step_after(5000);
	ck_assert_int_eq(battery.limits.charge_phase, PB_PHASE_BULK);
	for (int i = 0; i < 200; i++)
		step_after(5000);
	ASSERT_VOLTAGE(13800, ABSORPTION, BULK);
}
END_TEST

START_TEST(absorption_ends_without_balance)
{
	int readings = 0;

	begin();
	set_cells(3360, 3400, 3445, 3450);
	battery.sample.soc_permille = 990;
	do {
		step_after(5000);
		readings++;
		ck_assert_int_le(readings, 3000);
	} while (battery.limits.charge_phase != PB_PHASE_FLOAT);
	ck_assert_int_eq(readings, 4 * 720 + 1);
	/* cells that are still far apart after an hour get another turn */
	for (readings = 0; battery.limits.charge_phase == PB_PHASE_FLOAT; readings++) {
		ck_assert_int_le(readings, 3000);
		step_after(5000);
	}
	ck_assert_int_eq(readings, 720);
	begin();
	setup.to_float = false;
	set_cells(3450, 3450, 3450, 3450);
	for (int i = 0; i < 5000; i++)
		step_after(5000);
	ASSERT_VOLTAGE(13800, ABSORPTION, ABSORPTION);
}
END_TEST

START_TEST(interrupted_absorption)
{
	begin();
	set_cells(3450, 3450, 3450, 3450);
	for (int i = 0; i < 100; i++)
		step_after(5000);
	ck_assert_int_eq(battery.limits.charge_phase, PB_PHASE_ABSORPTION);
	set_cells(3399, 3399, 3399, 3399);
	step_after(5000);
	ck_assert_int_eq(battery.limits.charge_phase, PB_PHASE_BULK);
}
END_TEST

/* One cell ahead of the others: the voltage falls by what it is too high, at once, and comes back
 * slowly but not above what the cells allow. */
START_TEST(a_cell_runs_high)
{
	begin();
	set_cells(3420, 3420, 3420, 3500);
	step_after(0);
	ASSERT_VOLTAGE(3 * 3420 + 3450, CELL_HIGH, ABSORPTION);
	set_cells(3420, 3420, 3420, 3460);
	step_after(5000);
	ck_assert_int_eq(battery.limits.charge_voltage_mv, 3 * 3420 + 3450);
	set_cells(3440, 3440, 3440, 3440);
	step_after(30000);
	ck_assert_int_eq(battery.limits.charge_voltage_mv, 3 * 3420 + 3450); /* held for 60 s */
	ck_assert_int_eq(battery.limits.charge_voltage_reason, PB_REASON_RISING);
	step_after(30000);
	step_after(30000);
	ck_assert_int_gt(battery.limits.charge_voltage_mv, 3 * 3420 + 3450);
	ck_assert_int_lt(battery.limits.charge_voltage_mv, 13800);
	setup.cell_control = false;
	set_cells(3420, 3420, 3420, 3500);
	for (int i = 0; i < 100; i++)
		step_after(5000);
	ASSERT_VOLTAGE(13800, ABSORPTION, ABSORPTION);
}
END_TEST

START_TEST(asks_to_be_charged)
{
	begin();
	battery.sample.soc_permille = 140;
	step_after(0);
	ck_assert(battery.limits.charge_soon && !battery.limits.charge_now);
	battery.sample.soc_permille = 90;
	step_after(5000);
	ck_assert(battery.limits.charge_now && !battery.limits.charge_soon);
	battery.sample.soc_permille = 100; /* 1 % of hysteresis */
	step_after(5000);
	ck_assert(battery.limits.charge_now);
	battery.sample.soc_permille = 101;
	step_after(5000);
	ck_assert(!battery.limits.charge_now && battery.limits.charge_soon);
	battery.sample.charge_fet = false; /* what can't be charged asks for nothing */
	step_after(5000);
	ck_assert(!battery.limits.charge_now && !battery.limits.charge_soon);
}
END_TEST

/* Whatever comes in, what goes out stays in its bounds and 0 means not allowed. */
START_TEST(anything)
{
	struct pb_random dice;

	pb_random_seed(&dice, 7);
	begin();
	for (int i = 0; i < 20000; i++) {
		const struct pb_limits *l = &battery.limits;

		if (pb_random_below(&dice, 500) == 0) {
			int chemistry = (int)pb_random_below(&dice, PB_CHEMISTRY_COUNT);

			begin();
			pb_limit_preset(&setup, (enum pb_chemistry)chemistry);
		}
		for (int n = 0; n < 4; n++)
			battery.sample.cell_mv[n] = (int32_t)pb_random_below(&dice, 5000);
		battery.sample.temperature_mc[0] = (int32_t)pb_random_below(&dice, 100000) - 30000;
		battery.sample.soc_permille = (int32_t)pb_random_below(&dice, 1001);
		battery.sample.protection_mask =
			pb_random_below(&dice, 4) ? 0 : pb_random_next(&dice) & 0x7FFF;
		step_after(pb_random_below(&dice, 120000));
		ck_assert_int_ge(l->charge_current_ma, 0);
		ck_assert_int_le(l->charge_current_ma, battery.rating.charge_max_ma);
		ck_assert_int_ge(l->discharge_current_ma, 0);
		ck_assert_int_le(l->discharge_current_ma, battery.rating.discharge_max_ma);
		ck_assert_int_le(l->charge_voltage_mv, battery.rating.full_voltage_mv);
		ck_assert_int_ge(l->charge_voltage_mv, 4 * setup.empty_mv);
		ck_assert_int_eq(l->charge_allowed, l->charge_current_ma > 0);
		if (battery.sample.protection_mask & 1 << PB_PROTECT_SHORT_CIRCUIT)
			ck_assert_int_eq(l->charge_current_ma + l->discharge_current_ma, 0);
	}
}
END_TEST

START_TEST(presets)
{
	for (int i = 0; i < PB_CHEMISTRY_COUNT; i++) {
		const struct pb_curve *curves_of[] = {
			&setup.charge_by_cell,
			&setup.discharge_by_cell,
			&setup.charge_by_temperature,
			&setup.discharge_by_temperature,
		};

		pb_limit_preset(&setup, (enum pb_chemistry)i);
		ck_assert_int_lt(setup.empty_mv, setup.float_mv);
		ck_assert_int_lt(setup.float_mv, setup.absorption_mv);
		for (size_t n = 0; n < PB_ARRAY_SIZE(curves_of); n++)
			for (size_t p = 1; p < curves_of[n]->count; p++)
				ck_assert_int_lt(curves_of[n]->points[p - 1].at,
						 curves_of[n]->points[p].at);
		/* charging must be possible up to absorption, and has to end */
		ck_assert_int_gt(pb_curve_at(&setup.charge_by_cell, setup.absorption_mv - 1), 0);
		ck_assert_int_eq(pb_curve_at(&setup.charge_by_cell, 10000), 0);
		ck_assert_int_eq(pb_curve_at(&setup.discharge_by_cell, 0), 0);
		ck_assert_ptr_nonnull(pb_chemistry_names[i]);
	}
	ck_assert_ptr_null(pb_chemistry_names[PB_CHEMISTRY_COUNT]);
}
END_TEST

int main(void)
{
	TCase *tcase = tcase_create("limits");

	tcase_add_test(tcase, at_rest);
	tcase_add_test(tcase, by_capacity);
	tcase_add_loop_test(tcase, derating, 0, PB_ARRAY_SIZE(curves));
	tcase_add_test(tcase, by_charge);
	tcase_add_loop_test(tcase, protection, 0, PB_ARRAY_SIZE(protections));
	tcase_add_test(tcase, protections_vanish);
	tcase_add_test(tcase, switches);
	tcase_add_test(tcase, comes_back_slowly);
	tcase_add_test(tcase, noise_does_not_hold);
	tcase_add_test(tcase, leaves_zero_for_good);
	tcase_add_test(tcase, incomplete);
	tcase_add_test(tcase, no_maximum_known);
	tcase_add_test(tcase, one_direction_known);
	tcase_add_test(tcase, silent);
	tcase_add_test(tcase, through_the_phases);
	tcase_add_test(tcase, absorption_ends_without_balance);
	tcase_add_test(tcase, interrupted_absorption);
	tcase_add_test(tcase, a_cell_runs_high);
	tcase_add_test(tcase, asks_to_be_charged);
	tcase_add_test(tcase, anything);
	tcase_add_test(tcase, presets);
	return pb_run_suite("bank/limits", tcase);
}
