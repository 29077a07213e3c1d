/* SPDX-License-Identifier: MIT */
/*
 * Presets by chemistry.
 *
 * LiFePO4: the curves and voltages are the defaults of dbus-serialbattery v2.1
 * (config.default.ini), the most used driver of such packs. The others are usual values of cell
 * makers' data sheets: standard charge to 4.15..4.20 V (NMC), 2.7..2.8 V (LTO), 2.40 V absorption
 * and 2.25 V float (lead, 25 degC), with the same shape of curve. docs/charge-control.md lists
 * them.
 */
#include "battery.h"

const char *const pb_chemistry_names[] = {"lifepo4", "nmc", "lto", "lead", NULL};

struct preset {
	struct pb_limit_setup limits;
	struct pb_alarm_rule cell_high, cell_low, spread, charge_hot, charge_cold, discharge_hot,
		discharge_cold;
};

#define CURVE(...)                                                                                 \
	{                                                                                          \
		.count = sizeof((struct pb_point[]){__VA_ARGS__}) / sizeof(struct pb_point),       \
		.points = {                                                                        \
			__VA_ARGS__                                                                \
		}                                                                                  \
	}
/* no preset of temperatures has a hysteresis but this, in milli-degrees */
#define RULE(warning_, alarm_, hysteresis_)                                                        \
	{                                                                                          \
		.has_warning = true, .has_alarm = true, .warning = (warning_), .alarm = (alarm_),  \
		.hysteresis = (hysteresis_)                                                        \
	}

/* clang-format off */
static const struct preset presets[PB_CHEMISTRY_COUNT] = {
	[PB_CHEMISTRY_LIFEPO4] = {
		.limits = {
			.charge_rate = 500, .discharge_rate = 500, .nominal_mv = 3200,
			.absorption_mv = 3450, .float_mv = 3375, .empty_mv = 2900,
			.charge_by_cell = CURVE({3375, 1000}, {3400, 250}, {3425, 50}, {3450, 5}, {3500, 0}),
			.discharge_by_cell = CURVE({2800, 0}, {2900, 5}, {3000, 50}, {3100, 250}, {3190, 1000}),
			.charge_by_temperature = CURVE({0, 0}, {2000, 250}, {5000, 500}, {10000, 1000},
				{40000, 1000}, {45000, 500}, {50000, 250}, {55000, 0}),
			.discharge_by_temperature = CURVE({-10000, 0}, {0, 250}, {5000, 500}, {10000, 1000},
				{40000, 1000}, {45000, 500}, {50000, 250}, {55000, 0}),
		},
		.cell_high = RULE(3550, 3650, 50),
		.cell_low = RULE(3000, 2800, 100),
		.spread = RULE(150, 300, 20),
		.charge_hot = RULE(45000, 50000, 2000),
		.charge_cold = RULE(5000, 0, 2000),
		.discharge_hot = RULE(50000, 55000, 2000),
		.discharge_cold = RULE(-10000, -20000, 2000),
	},
	[PB_CHEMISTRY_NMC] = {
		.limits = {
			.charge_rate = 500, .discharge_rate = 500, .nominal_mv = 3650,
			.absorption_mv = 4150, .float_mv = 4050, .empty_mv = 3200,
			.charge_by_cell = CURVE({4050, 1000}, {4100, 250}, {4130, 50}, {4150, 5}, {4200, 0}),
			.discharge_by_cell = CURVE({3000, 0}, {3100, 5}, {3200, 50}, {3300, 250}, {3400, 1000}),
			.charge_by_temperature = CURVE({0, 0}, {5000, 250}, {10000, 500}, {15000, 1000},
				{40000, 1000}, {45000, 500}, {50000, 0}),
			.discharge_by_temperature = CURVE({-20000, 0}, {-10000, 250}, {0, 500}, {10000, 1000},
				{45000, 1000}, {50000, 500}, {60000, 0}),
		},
		.cell_high = RULE(4180, 4230, 50),
		.cell_low = RULE(3300, 3000, 100),
		.spread = RULE(150, 300, 20),
		.charge_hot = RULE(43000, 48000, 2000),
		.charge_cold = RULE(5000, 0, 2000),
		.discharge_hot = RULE(50000, 58000, 2000),
		.discharge_cold = RULE(-10000, -20000, 2000),
	},
	[PB_CHEMISTRY_LTO] = {
		.limits = {
			.charge_rate = 1000, .discharge_rate = 1000, .nominal_mv = 2300,
			.absorption_mv = 2650, .float_mv = 2500, .empty_mv = 1900,
			.charge_by_cell = CURVE({2600, 1000}, {2630, 250}, {2650, 50}, {2680, 5}, {2750, 0}),
			.discharge_by_cell = CURVE({1700, 0}, {1800, 50}, {1900, 250}, {2000, 1000}),
			.charge_by_temperature = CURVE({-30000, 0}, {-20000, 250}, {-10000, 500}, {0, 1000},
				{45000, 1000}, {55000, 0}),
			.discharge_by_temperature = CURVE({-30000, 0}, {-20000, 500}, {-10000, 1000},
				{50000, 1000}, {60000, 0}),
		},
		.cell_high = RULE(2700, 2800, 50),
		.cell_low = RULE(1900, 1700, 100),
		.spread = RULE(150, 300, 20),
		.charge_hot = RULE(50000, 55000, 2000),
		.charge_cold = RULE(-20000, -30000, 2000),
		.discharge_hot = RULE(52000, 58000, 2000),
		.discharge_cold = RULE(-20000, -30000, 2000),
	},
	[PB_CHEMISTRY_LEAD] = {
		.limits = {
			.charge_rate = 200, .discharge_rate = 200, .nominal_mv = 2000,
			.absorption_mv = 2400, .float_mv = 2250, .empty_mv = 1900,
			.charge_by_cell = CURVE({2400, 1000}, {2450, 100}, {2500, 0}),
			.discharge_by_cell = CURVE({1750, 0}, {1850, 250}, {1950, 1000}),
			.charge_by_temperature = CURVE({-20000, 0}, {-10000, 500}, {0, 1000}, {40000, 1000},
				{50000, 0}),
			.discharge_by_temperature = CURVE({-30000, 0}, {-20000, 500}, {0, 1000},
				{45000, 1000}, {55000, 0}),
		},
		.cell_high = RULE(2450, 2550, 50),
		.cell_low = RULE(1950, 1850, 50),
		.spread = RULE(200, 400, 50),
		.charge_hot = RULE(45000, 50000, 2000),
		.charge_cold = RULE(-10000, -20000, 2000),
		.discharge_hot = RULE(48000, 55000, 2000),
		.discharge_cold = RULE(-20000, -30000, 2000),
	},
};
/* clang-format on */

void pb_limit_preset(struct pb_limit_setup *ret, enum pb_chemistry chemistry)
{
	*ret = presets[chemistry].limits;
	ret->chemistry = (int32_t)chemistry;
	/* what follows is of dbus-serialbattery, too, but for absorption_max_s, hold_s and rise */
	ret->to_float = true;
	ret->absorption_s = 900;
	ret->absorption_max_s = 4 * 3600;
	ret->balanced_mv = 10;
	ret->bulk_soc_permille = 800;
	ret->bulk_spread_mv = 80;
	ret->cell_control = true;
	ret->by_switch = true;
	ret->by_protection = true;
	ret->hold_s = 30;
	ret->rise = 50;
	/* Voltronic's "charge immediately" 1 and 2: docs/inverters.md */
	ret->charge_now_permille = 90;
	ret->charge_soon_permille = 140;
}

void pb_alarm_preset(struct pb_alarm_setup *ret, enum pb_chemistry chemistry)
{
	const struct preset *preset = &presets[chemistry];
	struct pb_alarm_rule *rules = ret->rules;

	*ret = (struct pb_alarm_setup){0};
	rules[PB_ALARM_CELL_HIGH] = preset->cell_high;
	rules[PB_ALARM_CELL_LOW] = preset->cell_low;
	rules[PB_ALARM_VOLTAGE_HIGH] = preset->cell_high;
	rules[PB_ALARM_VOLTAGE_LOW] = preset->cell_low;
	rules[PB_ALARM_VOLTAGE_HIGH].per_cell = rules[PB_ALARM_VOLTAGE_LOW].per_cell = true;
	rules[PB_ALARM_CELL_SPREAD] = preset->spread;
	rules[PB_ALARM_CHARGE_HOT] = preset->charge_hot;
	rules[PB_ALARM_CHARGE_COLD] = preset->charge_cold;
	rules[PB_ALARM_DISCHARGE_HOT] = preset->discharge_hot;
	rules[PB_ALARM_DISCHARGE_COLD] = preset->discharge_cold;
	for (int i = PB_ALARM_CELL_HIGH; i <= PB_ALARM_VOLTAGE_LOW; i++)
		rules[i].delay_s = 5; /* a load that is switched on pulls cells down for a moment */
	rules[PB_ALARM_CELL_SPREAD].delay_s = 60;
	/* 20 % and 10 %: dbus-serialbattery */
	rules[PB_ALARM_SOC_LOW] = (struct pb_alarm_rule)RULE(200, 100, 20);
	/* what it is to be silent for long; the quality of the reading tells at once */
	rules[PB_ALARM_SILENT] = (struct pb_alarm_rule)RULE(30, 120, 0);
	/* what the BMS reports is so at once */
	rules[PB_ALARM_PROTECTION] = rules[PB_ALARM_SWITCHED_OFF] =
		(struct pb_alarm_rule){.has_alarm = true};
	/* a half-hour of a hundredth of its capacity an hour moves some cell by a millivolt */
	rules[PB_ALARM_FROZEN] = (struct pb_alarm_rule){.has_warning = true, .warning = 1800};
}
