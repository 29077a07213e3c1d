/* SPDX-License-Identifier: MIT */
/* Alarms, reading by reading; the time is made up. */
#include "packbridge/bank.h"
#include "packbridge/base.h"
#include "suite.h"

#include <string.h>

static struct pb_alarm_setup setup;
static struct pb_alarm_state state;
static struct pb_battery battery;
static uint64_t now_ms, next_ms;
static uint32_t changed;

static void begin(void)
{
	pb_alarm_preset(&setup, PB_CHEMISTRY_LIFEPO4);
	state = (struct pb_alarm_state){0};
	battery = (struct pb_battery){0};
	battery.sample.cell_count = 4;
	battery.sample.has = battery.has = ~UINT64_C(0);
	battery.sample.cell_min_mv = battery.sample.cell_max_mv = 3300;
	battery.sample.voltage_mv = 13200;
	battery.sample.temperature_min_mc = battery.sample.temperature_max_mc = 25000;
	battery.sample.soc_permille = 500;
	battery.sample.charge_fet = battery.sample.discharge_fet = true;
	now_ms = 1000000;
}

static int step_after(uint64_t ms, enum pb_alarm alarm)
{
	now_ms += ms;
	changed = pb_alarm_step(&setup, &state, &battery, false, now_ms, &next_ms);
	return battery.alarms.level[alarm];
}

/* One value through its levels; @delay_s of the preset. */
static const struct {
	enum pb_alarm alarm;
	size_t offset;
	int32_t normal, warning, alarm_at, still, over; /* still: within the hysteresis */
	uint32_t delay_s;
} kinds[] = {
#define OF(member) offsetof(struct pb_sample, member)
	{PB_ALARM_CELL_HIGH, OF(cell_max_mv), 3549, 3550, 3650, 3501, 3500, 5},
	{PB_ALARM_CELL_LOW, OF(cell_min_mv), 3001, 3000, 2800, 3099, 3100, 5},
	{PB_ALARM_VOLTAGE_HIGH, OF(voltage_mv), 14199, 14200, 14600, 14001, 14000, 5},
	{PB_ALARM_VOLTAGE_LOW, OF(voltage_mv), 12001, 12000, 11200, 12399, 12400, 5},
	{PB_ALARM_CELL_SPREAD, OF(cell_delta_mv), 149, 150, 300, 131, 130, 60},
	{PB_ALARM_CHARGE_HOT, OF(temperature_max_mc), 44999, 45000, 50000, 43001, 43000, 0},
	{PB_ALARM_CHARGE_COLD, OF(temperature_min_mc), 5001, 5000, 0, 6999, 7000, 0},
	{PB_ALARM_DISCHARGE_HOT, OF(temperature_max_mc), 49999, 50000, 55000, 48001, 48000, 0},
	{PB_ALARM_DISCHARGE_COLD, OF(temperature_min_mc), -9999, -10000, -20000, -8001, -8000, 0},
	{PB_ALARM_SOC_LOW, OF(soc_permille), 201, 200, 100, 219, 220, 0},
};

static void set(size_t offset, int32_t value)
{
	memcpy((char *)&battery.sample + offset, &value, sizeof(value));
}

START_TEST(levels)
{
	uint32_t bit = UINT32_C(1) << kinds[_i].alarm, delay_ms = 1000 * kinds[_i].delay_s;
	enum pb_alarm alarm = kinds[_i].alarm;

	begin();
	set(kinds[_i].offset, kinds[_i].normal);
	ck_assert_int_eq(step_after(0, alarm), PB_LEVEL_NONE);
	set(kinds[_i].offset, kinds[_i].warning);
	if (delay_ms) {
		ck_assert_int_eq(step_after(1000, alarm), PB_LEVEL_NONE);
		ck_assert_uint_eq(next_ms, now_ms + delay_ms);
		ck_assert_int_eq(step_after(delay_ms - 1, alarm), PB_LEVEL_NONE);
	}
	ck_assert_int_eq(step_after(1, alarm), PB_LEVEL_WARNING);
	ck_assert_uint_eq(changed & bit, bit);
	ck_assert_uint_eq(battery.alarms.warnings & bit, bit);
	ck_assert_uint_eq(battery.alarms.alarms & bit, 0);
	ck_assert_int_eq(step_after(1000, alarm), PB_LEVEL_WARNING);
	ck_assert_uint_eq(changed, 0); /* once an edge */
	set(kinds[_i].offset, kinds[_i].alarm_at);
	step_after(1, alarm);
	ck_assert_int_eq(step_after(delay_ms, alarm), PB_LEVEL_ALARM);
	ck_assert_uint_eq(battery.alarms.alarms & bit, bit);
	ck_assert_uint_eq(battery.alarms.warnings & bit, bit);
	ck_assert_int_eq(battery.alarms.severity, PB_LEVEL_ALARM);
	set(kinds[_i].offset, kinds[_i].still);
	ck_assert_int_eq(step_after(1000, alarm), PB_LEVEL_WARNING);
	set(kinds[_i].offset, kinds[_i].over);
	ck_assert_int_eq(step_after(1000, alarm), PB_LEVEL_NONE);
	ck_assert_uint_eq(battery.alarms.warnings & bit, 0);
}
END_TEST

/* Without a hysteresis an alarm that begins at its limit is not over there. */
START_TEST(at_the_limit)
{
	const int32_t limit = kinds[_i].warning;

	begin();
	setup.rules[kinds[_i].alarm].hysteresis = 0;
	set(kinds[_i].offset, limit);
	step_after(0, kinds[_i].alarm);
	step_after(1000 * kinds[_i].delay_s, kinds[_i].alarm);
	for (int i = 0; i < 3; i++)
		ck_assert_int_eq(step_after(1000, kinds[_i].alarm), PB_LEVEL_WARNING);
	set(kinds[_i].offset, kinds[_i].normal);
	ck_assert_int_eq(step_after(1000, kinds[_i].alarm), PB_LEVEL_NONE);
}
END_TEST

/* Half a delay, and again: each time it begins anew. */
START_TEST(short_excursions)
{
	begin();
	for (int i = 0; i < 10; i++) {
		battery.sample.cell_min_mv = 2700;
		ck_assert_int_eq(step_after(1000, PB_ALARM_CELL_LOW), PB_LEVEL_NONE);
		ck_assert_int_eq(step_after(4000, PB_ALARM_CELL_LOW), PB_LEVEL_NONE);
		battery.sample.cell_min_mv = 3300;
		ck_assert_int_eq(step_after(500, PB_ALARM_CELL_LOW), PB_LEVEL_NONE);
	}
}
END_TEST

START_TEST(currents)
{
	begin();
	setup.rules[PB_ALARM_CHARGE_CURRENT] = (struct pb_alarm_rule){
		.has_warning = true, .warning = 100000, .has_alarm = true, .alarm = 120000};
	setup.rules[PB_ALARM_DISCHARGE_CURRENT] = setup.rules[PB_ALARM_CHARGE_CURRENT];
	battery.sample.current_ma = -130000;
	ck_assert_int_eq(step_after(0, PB_ALARM_CHARGE_CURRENT), PB_LEVEL_NONE);
	ck_assert_int_eq(battery.alarms.level[PB_ALARM_DISCHARGE_CURRENT], PB_LEVEL_ALARM);
	battery.sample.current_ma = 100000;
	ck_assert_int_eq(step_after(0, PB_ALARM_CHARGE_CURRENT), PB_LEVEL_WARNING);
	ck_assert_int_eq(battery.alarms.level[PB_ALARM_DISCHARGE_CURRENT], PB_LEVEL_NONE);
}
END_TEST

/* An old reading ends no alarm, and begins none but that of silence. */
START_TEST(silence)
{
	begin();
	battery.sample.soc_permille = 50;
	ck_assert_int_eq(step_after(0, PB_ALARM_SOC_LOW), PB_LEVEL_ALARM);
	battery.sample.soc_permille = 500;
	battery.sample.cell_max_mv = 4000;
	pb_alarm_step(&setup, &state, &battery, true, now_ms, &next_ms);
	ck_assert_uint_eq(next_ms, now_ms + 30000);
	ck_assert_int_eq(battery.alarms.level[PB_ALARM_SILENT], PB_LEVEL_NONE);
	changed = pb_alarm_step(&setup, &state, &battery, true, now_ms + 30000, &next_ms);
	ck_assert_uint_eq(changed, 1 << PB_ALARM_SILENT);
	ck_assert_uint_eq(next_ms, now_ms + 120000);
	ck_assert_int_eq(battery.alarms.level[PB_ALARM_SILENT], PB_LEVEL_WARNING);
	ck_assert_int_eq(battery.alarms.level[PB_ALARM_SOC_LOW], PB_LEVEL_ALARM);
	pb_alarm_step(&setup, &state, &battery, true, now_ms + 120000, &next_ms);
	ck_assert_int_eq(battery.alarms.level[PB_ALARM_SILENT], PB_LEVEL_ALARM);
	ck_assert_int_eq(battery.alarms.level[PB_ALARM_CELL_HIGH], PB_LEVEL_NONE);
	ck_assert_uint_eq(next_ms, UINT64_MAX);
	ck_assert_int_eq(step_after(130000, PB_ALARM_SILENT), PB_LEVEL_NONE);
	ck_assert_int_eq(battery.alarms.level[PB_ALARM_SOC_LOW], PB_LEVEL_NONE);
}
END_TEST

START_TEST(latched)
{
	begin();
	setup.latch = true;
	battery.sample.soc_permille = 150;
	step_after(0, PB_ALARM_SOC_LOW);
	battery.sample.soc_permille = 500;
	ck_assert_int_eq(step_after(1000, PB_ALARM_SOC_LOW), PB_LEVEL_NONE); /* a warning is not */
	battery.sample.soc_permille = 50;
	step_after(1000, PB_ALARM_SOC_LOW);
	battery.sample.soc_permille = 500;
	ck_assert_int_eq(step_after(1000, PB_ALARM_SOC_LOW), PB_LEVEL_ALARM);
	pb_alarm_reset(&state);
	ck_assert_int_eq(step_after(1000, PB_ALARM_SOC_LOW), PB_LEVEL_NONE);
	ck_assert_uint_eq(changed, 1 << PB_ALARM_SOC_LOW);
	battery.sample.soc_permille = 50; /* a reset does not hide what is still there */
	step_after(1000, PB_ALARM_SOC_LOW);
	pb_alarm_reset(&state);
	ck_assert_int_eq(step_after(1000, PB_ALARM_SOC_LOW), PB_LEVEL_ALARM);
}
END_TEST

/* What a reading lacks proves nothing. */
START_TEST(absent)
{
	begin();
	battery.sample.soc_permille = 50;
	step_after(0, PB_ALARM_SOC_LOW);
	battery.sample.has &= ~PB_HAS(PB_HAS_SOC);
	battery.sample.soc_permille = 0;
	ck_assert_int_eq(step_after(1000, PB_ALARM_SOC_LOW), PB_LEVEL_ALARM);
	begin();
	battery.sample.has = battery.has = 0;
	memset(&battery.sample, 0, sizeof(battery.sample));
	step_after(100000, PB_ALARM_SOC_LOW);
	step_after(100000, PB_ALARM_SOC_LOW);
	ck_assert_uint_eq(battery.alarms.warnings, 0);
}
END_TEST

/* ---- what the BMS says ---- */

START_TEST(protections)
{
	const uint32_t bit = 1 << PB_ALARM_PROTECTION;

	begin();
	/* with the very first reading */
	battery.sample.protection_mask = 1 << _i;
	step_after(0, PB_ALARM_PROTECTION);
	if (!(PB_PROTECT_FAULTS >> _i & 1)) {
		ck_assert_uint_eq(battery.alarms.warnings | changed, 0);
		return;
	}
	ck_assert_uint_eq(changed, bit);
	ck_assert_uint_eq(battery.alarms.alarms, bit);
	ck_assert_int_eq(battery.alarms.severity, PB_LEVEL_ALARM);
	step_after(1000, PB_ALARM_PROTECTION);
	ck_assert_uint_eq(changed, 0); /* once */
	battery.sample.protection_mask |= UINT32_C(1) << (_i == 0);
	step_after(1000, PB_ALARM_PROTECTION);
	ck_assert_uint_eq(changed, bit); /* another one joins it */
	ck_assert_uint_eq(state.kinds[PB_ALARM_PROTECTION].new_causes, 1 << (_i == 0));
	battery.sample.protection_mask = 1 << _i;
	step_after(1000, PB_ALARM_PROTECTION);
	ck_assert_uint_eq(changed, 0); /* it leaves it */
	pb_alarm_step(&setup, &state, &battery, true, now_ms, &next_ms);
	ck_assert_uint_eq(battery.alarms.alarms, bit); /* an old reading proves nothing */
	battery.sample.protection_mask = 0;
	ck_assert_int_eq(step_after(1000, PB_ALARM_PROTECTION), PB_LEVEL_NONE);
	ck_assert_uint_eq(changed, bit);
}
END_TEST

/* The kind that has the same meaning is as bad as the protection. */
START_TEST(worst_level)
{
	static const int kind_of[] = {
		PB_ALARM_CELL_HIGH,	    PB_ALARM_CELL_LOW,		PB_ALARM_VOLTAGE_HIGH,
		PB_ALARM_VOLTAGE_LOW,	    PB_ALARM_CHARGE_HOT,	PB_ALARM_CHARGE_COLD,
		PB_ALARM_DISCHARGE_HOT,	    PB_ALARM_DISCHARGE_COLD,	PB_ALARM_CHARGE_CURRENT,
		PB_ALARM_DISCHARGE_CURRENT, PB_ALARM_DISCHARGE_CURRENT,
	};

	begin();
	battery.sample.protection_mask = 1 << _i;
	step_after(0, PB_ALARM_PROTECTION);
	for (int i = 0; i < PB_ALARM_COUNT; i++)
		ck_assert_int_eq(battery.alarms.worst[i],
				 i == PB_ALARM_PROTECTION || i == kind_of[_i] ? PB_LEVEL_ALARM
									      : PB_LEVEL_NONE);
	ck_assert_uint_eq(battery.alarms.alarms, 1 << PB_ALARM_PROTECTION);
}
END_TEST

static const struct {
	bool charge, discharge;
	uint32_t protections;
	enum pb_level level;
	const char *text;
} switches[] = {
	{true, true, 0, PB_LEVEL_NONE, "on again"},
	{false, true, 0, PB_LEVEL_ALARM, "charge FET off"},
	{true, false, 0, PB_LEVEL_ALARM, "discharge FET off"},
	{false, false, 0, PB_LEVEL_ALARM, "charge and discharge FET off"},
	/* the protection says it */
	{false, true, 1 << PB_PROTECT_CELL_OVERVOLTAGE, PB_LEVEL_NONE, "on again"},
	{false, false, 1 << PB_PROTECT_SHORT_CIRCUIT, PB_LEVEL_NONE, "on again"},
	/* but not that of the other direction */
	{true, false, 1 << PB_PROTECT_CELL_OVERVOLTAGE, PB_LEVEL_ALARM, "discharge FET off"},
	{false, true, 1 << PB_PROTECT_FET_LOCKED, PB_LEVEL_WARNING,
	 "charge FET off, locked by command"},
};

START_TEST(fets)
{
	char text[PB_ALARM_TEXT_MAX];

	begin();
	battery.sample.charge_fet = switches[_i].charge;
	battery.sample.discharge_fet = switches[_i].discharge;
	battery.sample.protection_mask = switches[_i].protections;
	ck_assert_int_eq(step_after(0, PB_ALARM_SWITCHED_OFF), switches[_i].level);
	pb_alarm_describe(PB_ALARM_SWITCHED_OFF, &battery, text, sizeof(text));
	ck_assert_str_eq(text, switches[_i].text);
	/* a pack that does not tell starts nothing */
	begin();
	battery.sample.charge_fet = battery.sample.discharge_fet = false;
	battery.sample.has &= ~(PB_HAS(PB_HAS_CHARGE_FET) | PB_HAS(PB_HAS_DISCHARGE_FET));
	ck_assert_int_eq(step_after(0, PB_ALARM_SWITCHED_OFF), PB_LEVEL_NONE);
}
END_TEST

/* The levels of these kinds are times. */
START_TEST(protection_after_a_time)
{
	begin();
	setup.rules[PB_ALARM_PROTECTION] =
		(struct pb_alarm_rule){.has_warning = true, .has_alarm = true, .alarm = 60};
	battery.sample.protection_mask = 1;
	ck_assert_int_eq(step_after(0, PB_ALARM_PROTECTION), PB_LEVEL_WARNING);
	ck_assert_uint_eq(next_ms, now_ms + 60000);
	ck_assert_int_eq(step_after(59999, PB_ALARM_PROTECTION), PB_LEVEL_WARNING);
	ck_assert_int_eq(step_after(1, PB_ALARM_PROTECTION), PB_LEVEL_ALARM);
	setup.rules[PB_ALARM_PROTECTION] = (struct pb_alarm_rule){0};
	ck_assert_int_eq(step_after(1, PB_ALARM_PROTECTION), PB_LEVEL_NONE);
}
END_TEST

/* Since when it has its level, with a latch, too. */
START_TEST(since_when)
{
	uint64_t begun_ms;

	begin();
	setup.latch = true;
	battery.sample.soc_permille = 150;
	step_after(0, PB_ALARM_SOC_LOW);
	ck_assert_uint_eq(state.kinds[PB_ALARM_SOC_LOW].shown_ms, now_ms);
	battery.sample.soc_permille = 100;
	step_after(5000, PB_ALARM_SOC_LOW);
	begun_ms = now_ms;
	battery.sample.soc_permille = 900;
	step_after(5000, PB_ALARM_SOC_LOW);
	step_after(5000, PB_ALARM_SOC_LOW);
	ck_assert_uint_eq(state.kinds[PB_ALARM_SOC_LOW].shown_ms, begun_ms);
}
END_TEST

/* ---- a frozen board ---- */

static const struct {
	int32_t current_ma;
	int64_t nominal_mah;
	bool warns;
} frozen_rows[] = {
	{-35000, 100000, true}, {35000, 100000, true}, {0, 100000, false}, {-999, 100000, false},
	{-1000, 100000, true},	{100, 0, true},	       {99, 0, false},	   {-2799, 280000, false},
};

START_TEST(frozen)
{
	begin();
	battery.sample.current_ma = frozen_rows[_i].current_ma;
	battery.sample.nominal_mah = frozen_rows[_i].nominal_mah;
	if (!battery.sample.nominal_mah)
		battery.sample.has &= ~PB_HAS(PB_HAS_NOMINAL);
	battery.unchanged_s = 1799;
	ck_assert_int_eq(step_after(0, PB_ALARM_FROZEN), PB_LEVEL_NONE);
	battery.unchanged_s = 1800;
	ck_assert_int_eq(step_after(1000, PB_ALARM_FROZEN),
			 frozen_rows[_i].warns ? PB_LEVEL_WARNING : PB_LEVEL_NONE);
	battery.unchanged_s = 0;
	ck_assert_int_eq(step_after(1000, PB_ALARM_FROZEN), PB_LEVEL_NONE);
	battery.unchanged_s = 65534;
	battery.sample.has &= ~PB_HAS(PB_HAS_CURRENT);
	ck_assert_int_eq(step_after(1000, PB_ALARM_FROZEN), PB_LEVEL_NONE);
}
END_TEST

START_TEST(switched_off)
{
	begin();
	memset(&setup, 0, sizeof(setup));
	battery.sample.soc_permille = 0;
	battery.sample.cell_min_mv = 0;
	battery.sample.cell_max_mv = 9000;
	battery.sample.protection_mask = PB_PROTECT_FAULTS;
	battery.sample.charge_fet = battery.sample.discharge_fet = false;
	battery.sample.current_ma = 50000;
	battery.unchanged_s = 65534;
	step_after(0, PB_ALARM_SOC_LOW);
	pb_alarm_step(&setup, &state, &battery, true, now_ms + 1000000, &next_ms);
	ck_assert_uint_eq(battery.alarms.warnings, 0);
	ck_assert_uint_eq(next_ms, UINT64_MAX);
}
END_TEST

START_TEST(each_cell)
{
	begin();
	battery.sample.cell_has = 0xF;
	battery.sample.cell_mv[0] = 3600;
	battery.sample.cell_mv[1] = 3300;
	battery.sample.cell_mv[2] = 2900;
	battery.sample.cell_mv[3] = 3300;
	battery.sample.temperature_has = 0x5;
	battery.sample.temperature_mc[0] = -30000;
	battery.sample.temperature_mc[1] = 90000; /* no probe there */
	battery.sample.temperature_mc[2] = 60000;
	battery.sample.temperature_count = 2; /* but the third tells a value */
	battery.sample.has |= PB_HAS(PB_HAS_TEMPERATURES) | PB_HAS(PB_HAS_CELLS);
	battery.sample.cell_count = 5;
	step_after(0, PB_ALARM_CELL_HIGH);
	ck_assert_uint_eq(battery.alarms.cell_has, 0x1F);
	ck_assert_uint_eq(battery.alarms.temperature_has, 0x7);
	ck_assert_int_eq(battery.alarms.cell[4], PB_NORMAL_UNKNOWN);
	ck_assert_int_eq(battery.alarms.cell[0], PB_NORMAL_HIGH);
	ck_assert_int_eq(battery.alarms.cell[1], PB_NORMAL);
	ck_assert_int_eq(battery.alarms.cell[2], PB_NORMAL_LOW);
	ck_assert_int_eq(battery.alarms.temperature[0], PB_NORMAL_LOW);
	ck_assert_int_eq(battery.alarms.temperature[1], PB_NORMAL_UNKNOWN);
	ck_assert_int_eq(battery.alarms.temperature[2], PB_NORMAL_HIGH);
	ck_assert_int_eq(battery.rating.cell_high_mv, 3650);
	ck_assert_int_eq(battery.rating.cell_low_mv, 2800);
}
END_TEST

static const struct {
	enum pb_alarm alarm;
	const char *text;
} texts[] = {
	{PB_ALARM_CELL_HIGH, "cell 2.4 at 3.652 V"},
	{PB_ALARM_CELL_LOW, "cell 1 at 2.700 V"},
	{PB_ALARM_VOLTAGE_LOW, "13.200 V"},
	{PB_ALARM_CELL_SPREAD, "cells 952 mV apart"},
	{PB_ALARM_CHARGE_COLD, "probe 2 at -0.5 degC"},
	{PB_ALARM_SOC_LOW, "9.5 %"},
	{PB_ALARM_DISCHARGE_CURRENT, "131.5 A"},
	{PB_ALARM_SILENT, "no reading"},
	{PB_ALARM_PROTECTION, "cell over-voltage, short circuit"},
	{PB_ALARM_FROZEN, "no value has changed for 21600 s at -131.5 A"},
};

START_TEST(described)
{
	char text[64];

	begin();
	battery.sample.cell_max_mv = 3652;
	battery.sample.cell_min_mv = 2700;
	battery.sample.cell_delta_mv = 952;
	battery.sample.temperature_min_mc = -500;
	battery.sample.soc_permille = 95;
	battery.sample.current_ma = -131500;
	battery.sample.protection_mask = 1 << PB_PROTECT_SHORT_CIRCUIT |
					 1 << PB_PROTECT_FET_LOCKED |
					 1 << PB_PROTECT_CELL_OVERVOLTAGE;
	battery.unchanged_s = 21600;
	strcpy(battery.members.cell_max_name, "2.4");
	strcpy(battery.members.cell_min_name, "1");
	strcpy(battery.members.temperature_min_name, "2");
	pb_alarm_describe(texts[_i].alarm, &battery, text, sizeof(text));
	ck_assert_str_eq(text, texts[_i].text);
}
END_TEST

int main(void)
{
	TCase *tcase = tcase_create("alarms");

	tcase_add_loop_test(tcase, levels, 0, PB_ARRAY_SIZE(kinds));
	tcase_add_loop_test(tcase, at_the_limit, 0, PB_ARRAY_SIZE(kinds));
	tcase_add_test(tcase, short_excursions);
	tcase_add_test(tcase, currents);
	tcase_add_test(tcase, silence);
	tcase_add_test(tcase, latched);
	tcase_add_test(tcase, absent);
	tcase_add_loop_test(tcase, protections, 0, PB_PROTECT_COUNT);
	tcase_add_loop_test(tcase, worst_level, 0, PB_PROTECT_SHORT_CIRCUIT + 1);
	tcase_add_loop_test(tcase, fets, 0, PB_ARRAY_SIZE(switches));
	tcase_add_test(tcase, protection_after_a_time);
	tcase_add_test(tcase, since_when);
	tcase_add_loop_test(tcase, frozen, 0, PB_ARRAY_SIZE(frozen_rows));
	tcase_add_test(tcase, switched_off);
	tcase_add_test(tcase, each_cell);
	tcase_add_loop_test(tcase, described, 0, PB_ARRAY_SIZE(texts));
	return pb_run_suite("bank/alarms", tcase);
}
