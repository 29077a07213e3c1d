/* SPDX-License-Identifier: MIT */
/*
 * `limits:` and `alarms:`, of all packs or of one: what is given replaces what was there before.
 */
#include "part.h"

#include <errno.h>
#include <string.h>

/* ---- limits ---- */

struct limits {
	struct pb_limit_setup setup;
	const struct pb_yaml *charge_by_cell, *discharge_by_cell, *charge_by_temperature,
		*discharge_by_temperature, *charge_by_soc, *discharge_by_soc;
};

#define SETUP(member)                                                                              \
	offsetof(struct limits, setup.member), sizeof(((struct pb_limit_setup *)0)->member)
#define CURVE(member) offsetof(struct limits, member), sizeof(const struct pb_yaml *)

#define OF_A_CELL "; the volts of one cell, not of all"

_Static_assert(offsetof(struct limits, setup) == 0, "rows fill and compare at the same offsets");

/* clang-format off */
static const struct pb_yaml_kept kept_charge_by_cell = CONFIG_KEPT(struct pb_limit_setup, charge_by_cell);
static const struct pb_yaml_kept kept_discharge_by_cell = CONFIG_KEPT(struct pb_limit_setup, discharge_by_cell);
static const struct pb_yaml_kept kept_charge_by_temperature = CONFIG_KEPT(struct pb_limit_setup, charge_by_temperature);
static const struct pb_yaml_kept kept_discharge_by_temperature = CONFIG_KEPT(struct pb_limit_setup, discharge_by_temperature);
static const struct pb_yaml_kept kept_charge_by_soc = CONFIG_KEPT(struct pb_limit_setup, charge_by_soc);
static const struct pb_yaml_kept kept_discharge_by_soc = CONFIG_KEPT(struct pb_limit_setup, discharge_by_soc);

const struct pb_yaml_row config_limit_rows[] = {
	{"charge_max_a", PB_YAML_DECIMAL, SETUP(charge_max_ma), .factor = 1000, .min = 100, .max = 4000000,
	 .doc = "largest charge current; default: by charge_rate"},
	{"discharge_max_a", PB_YAML_DECIMAL, SETUP(discharge_max_ma), .factor = 1000, .min = 100, .max = 4000000,
	 .doc = "largest discharge current; default: by discharge_rate"},
	{"charge_rate", PB_YAML_DECIMAL, SETUP(charge_rate), .factor = 1000, .min = 1, .max = 20000,
	 .doc = "largest charge current in nominal capacities per hour (C)"},
	{"discharge_rate", PB_YAML_DECIMAL, SETUP(discharge_rate), .factor = 1000, .min = 1, .max = 20000,
	 .doc = "the same for discharging"},
	{"absorption_v", PB_YAML_DECIMAL, SETUP(absorption_mv), .factor = 1000, .min = 500, .max = 5000, .note = OF_A_CELL,
	 .doc = "cell voltage up to which the battery is charged"},
	{"float_v", PB_YAML_DECIMAL, SETUP(float_mv), .factor = 1000, .min = 500, .max = 5000, .note = OF_A_CELL,
	 .doc = "cell voltage at which a full battery is kept"},
	{"empty_v", PB_YAML_DECIMAL, SETUP(empty_mv), .factor = 1000, .min = 500, .max = 5000, .note = OF_A_CELL,
	 .doc = "cell voltage at which discharging should end"},
	{"nominal_v", PB_YAML_DECIMAL, SETUP(nominal_mv), .factor = 1000, .min = 500, .max = 5000, .note = OF_A_CELL,
	 .doc = "nominal cell voltage, for energy and power"},
	{"float", PB_YAML_BOOL, SETUP(to_float), .doc = "float after absorption; false: absorption for ever"},
	{"absorption_s", PB_YAML_INT, SETUP(absorption_s), .min = 0, .max = 86400,
	 .doc = "how long absorption lasts with balanced cells"},
	{"absorption_max_s", PB_YAML_INT, SETUP(absorption_max_s), .min = 60, .max = 604800,
	 .doc = "longest absorption, balanced or not"},
	{"balanced_v", PB_YAML_DECIMAL, SETUP(balanced_mv), .factor = 1000, .min = 1, .max = 1000,
	 .doc = "largest difference of balanced cells"},
	{"bulk_below_percent", PB_YAML_DECIMAL, SETUP(bulk_soc_permille), .factor = 10, .min = 0, .max = 1000,
	 .doc = "state of charge below which float ends"},
	{"bulk_spread_v", PB_YAML_DECIMAL, SETUP(bulk_spread_mv), .factor = 1000, .min = 1, .max = 2000,
	 .doc = "this difference of cells ends float, too"},
	{"cell_control", PB_YAML_BOOL, SETUP(cell_control), .doc = "lower the charge voltage when one cell is too high"},
	{"by_switch", PB_YAML_BOOL, SETUP(by_switch), .doc = "no current while the BMS has switched it off"},
	{"by_protection", PB_YAML_BOOL, SETUP(by_protection), .doc = "no current while the BMS reports a protection"},
	{"charge_by_cell", PB_YAML_NODE, CURVE(charge_by_cell),
	 .kept = &kept_charge_by_cell, .doc = "list of [V of the highest cell, % of the largest charge current], or off"},
	{"discharge_by_cell", PB_YAML_NODE, CURVE(discharge_by_cell), .kept = &kept_discharge_by_cell, .doc = "the same for discharging, by the lowest cell"},
	{"charge_by_temperature", PB_YAML_NODE, CURVE(charge_by_temperature),
	 .kept = &kept_charge_by_temperature, .doc = "list of [degrees Celsius, %], by the coldest and the hottest probe, or off"},
	{"discharge_by_temperature", PB_YAML_NODE, CURVE(discharge_by_temperature), .kept = &kept_discharge_by_temperature, .doc = "the same for discharging"},
	{"charge_by_soc", PB_YAML_NODE, CURVE(charge_by_soc), .kept = &kept_charge_by_soc, .doc = "list of [% of charge, % of current], or off"},
	{"discharge_by_soc", PB_YAML_NODE, CURVE(discharge_by_soc), .kept = &kept_discharge_by_soc, .doc = "the same for discharging"},
	{"hold_s", PB_YAML_INT, SETUP(hold_s), .min = 0, .max = 3600,
	 .doc = "wait after a current limit fell, before it rises again"},
	{"rise_percent_s", PB_YAML_DECIMAL, SETUP(rise), .factor = 10, .min = 1, .max = 1000,
	 .doc = "speed of this rise, in % of the largest current per second"},
	{"charge_now_percent", PB_YAML_DECIMAL, SETUP(charge_now_permille), .factor = 10, .min = 0, .max = 1000,
	 .doc = "state of charge up to which the battery requests a charge from any source"},
	{"charge_soon_percent", PB_YAML_DECIMAL, SETUP(charge_soon_permille), .factor = 10, .min = 0, .max = 1000,
	 .doc = "state of charge up to which the battery requests a charge soon"},
	{0},
};
/* clang-format on */

const struct pb_yaml_row *pb_config_limit_rows(void)
{
	return config_limit_rows;
}

static bool is_off(const struct pb_yaml *node)
{
	return node->type == PB_YAML_SCALAR && !node->quoted &&
	       (strcmp(node->text, "off") == 0 || strcmp(node->text, "false") == 0 ||
		strcmp(node->text, "no") == 0);
}

/* @factor, @min, @max: of the first number of each point */
static void read_curve(struct pb_curve *curve, const struct pb_yaml *node, int64_t factor,
		       int64_t min, int64_t max, struct pb_report *report)
{
	struct pb_curve new = {0};
	size_t before = report->count;

	if (!node)
		return;
	if (is_off(node)) {
		*curve = new;
		return;
	}
	if (node->type != PB_YAML_SEQUENCE || !node->child || pb_yaml_count(node) > PB_CURVE_MAX) {
		pb_yaml_error(report, node, "%s, expected off or a list of 1 to %d points [at, %%]",
			      node->key, PB_CURVE_MAX);
		return;
	}
	for (const struct pb_yaml *item = node->child; item; item = item->next) {
		int64_t at = 0, permille = 0;
		int r;

		if (item->type != PB_YAML_SEQUENCE || pb_yaml_count(item) != 2) {
			pb_yaml_error(report, item, "a point, expected two numbers: [at, %%]%s",
				      item->type == PB_YAML_SEQUENCE && pb_yaml_count(item) > 2
					      ? ", with decimal points"
					      : "");
			continue;
		}
		r = pb_yaml_decimal(item->child, node->key, factor, min, max, &at, report);
		pb_yaml_decimal(item->child->next, "percent", 10, 0, 1000, &permille, report);
		if (r < 0)
			continue;
		if (new.count && at <= new.points[new.count - 1].at)
			pb_yaml_error(report, item, "a point, expected one above that before it");
		new.points[new.count++] =
			(struct pb_point){.at = (int32_t)at, .permille = (int32_t)permille};
	}
	if (report->count == before)
		*curve = new;
}

void config_read_limits(struct pb_limit_setup *setup, const struct pb_yaml *node,
			struct pb_report *report)
{
	struct limits limits = {.setup = *setup};
	struct pb_limit_setup *s = &limits.setup;

	if (!node)
		return;
	pb_yaml_fill(node, config_limit_rows, &limits, report); /* and the curves all the same */
	read_curve(&s->charge_by_cell, limits.charge_by_cell, 1000, 0, 5000, report);
	read_curve(&s->discharge_by_cell, limits.discharge_by_cell, 1000, 0, 5000, report);
	read_curve(&s->charge_by_temperature, limits.charge_by_temperature, 1000, -100000, 150000,
		   report);
	read_curve(&s->discharge_by_temperature, limits.discharge_by_temperature, 1000, -100000,
		   150000, report);
	read_curve(&s->charge_by_soc, limits.charge_by_soc, 10, 0, 1000, report);
	read_curve(&s->discharge_by_soc, limits.discharge_by_soc, 10, 0, 1000, report);
	*setup = *s;
}

/*
 * Where a value of one of @keys was given, the battery's own first; where errors stand when values
 * do not fit together. @return NULL: nowhere
 */
static const struct pb_yaml *given(const struct pb_yaml *own, const struct pb_yaml *all,
				   const char *const *keys)
{
	const struct pb_yaml *node = NULL;

	for (const char *const *key = keys; !node && *key; key++)
		node = pb_yaml_get(own, *key);
	for (const char *const *key = keys; !node && *key; key++)
		node = pb_yaml_get(all, *key);
	return node;
}

/* Whether a value of @keys was refused: then what is there instead says nothing of the file. */
static bool battery_refused(const struct pb_yaml *own, const struct pb_yaml *all,
			    const char *const *keys, const struct pb_report *report)
{
	for (const char *const *key = keys; *key; key++) {
		const struct pb_yaml *of_own = pb_yaml_get(own, *key),
				     *of_all = pb_yaml_get(all, *key);

		if ((of_own && pb_yaml_told(report, of_own)) ||
		    (of_all && pb_yaml_told(report, of_all)))
			return true;
	}
	return false;
}

/* The place for an error of values that are compared with each other. @return NULL: there is
 * nothing to compare */
static const struct pb_yaml *compared(const struct pb_yaml *own, const struct pb_yaml *all,
				      const char *const *keys, const struct pb_report *report)
{
	return battery_refused(own, all, keys, report) ? NULL : given(own, all, keys);
}

void config_check_limits(const struct pb_pack_config *pack, const struct pb_yaml *own,
			 const struct pb_yaml *all, struct pb_report *report)
{
	static const char *const volts[] = {"absorption_v", "float_v", "empty_v", NULL};
	static const char *const times[] = {"absorption_s", "absorption_max_s", NULL};
	static const char *const spreads[] = {"bulk_spread_v", "balanced_v", NULL};
	static const char *const socs[] = {"charge_now_percent", "charge_soon_percent", NULL};
	const struct pb_limit_setup *s = &pack->limits;
	const char *chemistry = pb_chemistry_names[pack->chemistry];
	const struct pb_yaml *node = compared(own, all, volts, report);

	if (node && (s->empty_mv >= s->float_mv || s->float_mv > s->absorption_mv))
		pb_yaml_error(report, node,
			      "empty_v %d mV, float_v %d mV, absorption_v %d mV of pack '%s' (%s), "
			      "expected them in rising order",
			      s->empty_mv, s->float_mv, s->absorption_mv, pack->name, chemistry);
	node = compared(own, all, times, report);
	if (node && s->absorption_s > s->absorption_max_s)
		pb_yaml_error(report, node,
			      "absorption_s %u of pack '%s', expected at most absorption_max_s, %u",
			      s->absorption_s, pack->name, s->absorption_max_s);
	node = compared(own, all, spreads, report);
	if (node && s->bulk_spread_mv <= s->balanced_mv)
		pb_yaml_error(
			report, node,
			"balanced_v %d mV of pack '%s', expected less than bulk_spread_v, %d mV",
			s->balanced_mv, pack->name, s->bulk_spread_mv);
	node = compared(own, all, socs, report);
	if (node && s->charge_now_permille > s->charge_soon_permille)
		pb_yaml_error(report, node,
			      "charge_now_percent %d.%d of pack '%s', expected at most "
			      "charge_soon_percent, %d.%d",
			      s->charge_now_permille / 10, s->charge_now_permille % 10, pack->name,
			      s->charge_soon_permille / 10, s->charge_soon_permille % 10);
}

/* ---- alarms ---- */

struct kind {
	const char *doc;
	int64_t factor, min, max; /* of the limits */
	bool falls;		  /* the alarm lies below the warning */
	bool lasts;		  /* the limits are times */
};

#define VOLTS(doc_, falls_)                                                                        \
	{                                                                                          \
		doc_, 1000, 0, 5000, falls_, false                                                 \
	}
#define DEGREES(doc_, falls_)                                                                      \
	{                                                                                          \
		doc_, 1000, -100000, 150000, falls_, false                                         \
	}

static const struct kind kinds[PB_ALARM_COUNT] = {
	[PB_ALARM_CELL_HIGH] = VOLTS("the highest cell, in V", false),
	[PB_ALARM_CELL_LOW] = VOLTS("the lowest cell, in V", true),
	[PB_ALARM_VOLTAGE_HIGH] = {"the terminals, in V", 1000, 0, 38400000, false, false},
	[PB_ALARM_VOLTAGE_LOW] = {"the terminals, in V", 1000, 0, 38400000, true, false},
	[PB_ALARM_CELL_SPREAD] = VOLTS("highest minus lowest cell, in V", false),
	[PB_ALARM_CHARGE_HOT] = DEGREES("too hot to be charged, in degC", false),
	[PB_ALARM_CHARGE_COLD] = DEGREES("too cold to be charged, in degC", true),
	[PB_ALARM_DISCHARGE_HOT] = DEGREES("too hot to be discharged, in degC", false),
	[PB_ALARM_DISCHARGE_COLD] = DEGREES("too cold to be discharged, in degC", true),
	[PB_ALARM_SOC_LOW] = {"state of charge, in %", 10, 0, 1000, true, false},
	[PB_ALARM_CHARGE_CURRENT] = {"charge current, in A", 1000, 0, 256000000, false, false},
	[PB_ALARM_DISCHARGE_CURRENT] = {"discharge current, in A", 1000, 0, 256000000, false,
					false},
	[PB_ALARM_SILENT] = {"time without a good reading, in s", 1, 0, 604800, false, true},
	[PB_ALARM_PROTECTION] = {"protections of the BMS: how long they have been active, in s", 1,
				 0, 604800, false, true},
	[PB_ALARM_SWITCHED_OFF] = {"FETs that the BMS has switched off: how long, in s", 1, 0,
				   604800, false, true},
	[PB_ALARM_FROZEN] = {"how long no value has changed though a current flows, in s", 1, 10,
			     64800, false, true},
};

struct rule {
	uint32_t delay_s;
	const struct pb_yaml *warning, *alarm, *hysteresis;
};

#define RULE(member) offsetof(struct rule, member), sizeof(((struct rule *)0)->member)

static const struct pb_yaml_row rule_rows[] = {
	{"warning", PB_YAML_NODE, RULE(warning), .doc = "where the warning begins, or off"},
	{"alarm", PB_YAML_NODE, RULE(alarm), .doc = "where the alarm begins, or off"},
	{"hysteresis", PB_YAML_NODE, RULE(hysteresis), .doc = "so far back they end"},
	{"delay_s", PB_YAML_INT, RULE(delay_s), .min = 0, .max = 86400,
	 .doc = "it must last so long to begin"},
	{0},
};

static void read_level(const struct pb_yaml *node, const struct kind *kind, bool *has,
		       int32_t *level, struct pb_report *report)
{
	int64_t value;

	if (!node)
		return;
	*has = !is_off(node);
	if (*has && pb_yaml_decimal(node, node->key, kind->factor, kind->min, kind->max, &value,
				    report) == 0)
		*level = (int32_t)value;
}

/* Levels that are times wait by themselves, and what they are about has no half way back. */
static void refuse_without_effect(const struct kind *kind, const struct pb_yaml *rule,
				  struct pb_report *report)
{
	static const char *const keys[] = {"delay_s", "hysteresis"};

	for (size_t i = 0; kind->lasts && i < PB_ARRAY_SIZE(keys); i++) {
		const struct pb_yaml *node = pb_yaml_get(rule, keys[i]);

		if (node)
			pb_yaml_error(report, node,
				      "%s of %s, expected none: warning and alarm are times there",
				      keys[i], rule->key);
	}
}

static void read_rule(struct pb_alarm_rule *rule, const struct kind *kind,
		      const struct pb_yaml *node, struct pb_report *report)
{
	struct rule source = {.delay_s = rule->delay_s};
	bool good;
	int64_t back;

	if (is_off(node)) {
		*rule = (struct pb_alarm_rule){0};
		return;
	}
	if (node->type == PB_YAML_SCALAR) {
		pb_yaml_error(report, node,
			      "%s '%s', expected off, or a warning and an alarm: {warning: ..., "
			      "alarm: ...}",
			      node->key, node->text);
		return;
	}
	good = pb_yaml_fill(node, rule_rows, &source, report) == 0;
	refuse_without_effect(kind, node, report);
	if (rule->per_cell && (source.warning || source.alarm || source.hysteresis))
		*rule = (struct pb_alarm_rule){
			0}; /* the preset is of cells, this is of the whole */
	rule->delay_s = source.delay_s;
	read_level(source.warning, kind, &rule->has_warning, &rule->warning, report);
	read_level(source.alarm, kind, &rule->has_alarm, &rule->alarm, report);
	if (source.hysteresis && pb_yaml_decimal(source.hysteresis, "hysteresis", kind->factor, 0,
						 kind->max, &back, report) == 0)
		rule->hysteresis = (int32_t)back;
	if (good && !rule->has_warning && !rule->has_alarm && !source.warning && !source.alarm)
		pb_yaml_error(report, node,
			      "neither a warning nor an alarm, expected one of them, or off");
}

struct alarms {
	bool latch;
	const struct pb_yaml *kinds[PB_ALARM_COUNT];
};

bool config_is_alarm(const char *key)
{
	int i = 0;

	while (i < PB_ALARM_COUNT && strcmp(pb_alarm_name((enum pb_alarm)i), key) != 0)
		i++;
	return i < PB_ALARM_COUNT || strcmp(key, "latch") == 0;
}

void config_read_alarms(struct pb_alarm_setup *setup, const struct pb_yaml *node,
			struct pb_report *report)
{
	struct alarms alarms = {.latch = setup->latch};
	struct pb_yaml_row rows[PB_ALARM_COUNT + 2] = {
		{"latch", PB_YAML_BOOL, offsetof(struct alarms, latch), sizeof(bool),
		 .doc = "alarms stay until they are reset"},
	};

	if (!node)
		return;
	for (int i = 0; i < PB_ALARM_COUNT; i++)
		rows[i + 1] = (struct pb_yaml_row){
			.key = pb_alarm_name((enum pb_alarm)i),
			.type = PB_YAML_NODE,
			.offset = offsetof(struct alarms, kinds) + (size_t)i * sizeof(node),
			.size = sizeof(node),
			.doc = kinds[i].doc,
		};
	pb_yaml_fill(node, rows, &alarms, report); /* and the alarms all the same */
	setup->latch = alarms.latch;
	for (int i = 0; i < PB_ALARM_COUNT; i++)
		if (alarms.kinds[i])
			read_rule(&setup->rules[i], &kinds[i], alarms.kinds[i], report);
}

void config_check_alarms(const struct pb_alarm_setup *setup, const char *name,
			 const struct pb_yaml *own, const struct pb_yaml *all,
			 struct pb_report *report)
{
	static const char *const levels[] = {"alarm", "warning", NULL};

	for (int i = 0; i < PB_ALARM_COUNT; i++) {
		const char *kind = pb_alarm_name((enum pb_alarm)i);
		const struct pb_alarm_rule *rule = &setup->rules[i];
		const struct pb_yaml *node =
			compared(pb_yaml_get(own, kind), pb_yaml_get(all, kind), levels, report);

		if (node && rule->has_warning && rule->has_alarm &&
		    (kinds[i].falls ? rule->alarm > rule->warning : rule->alarm < rule->warning))
			pb_yaml_error(
				report, node,
				"the alarm %s of '%s' comes before the warning, expected it %s, or "
				"warning: off",
				kind, name, kinds[i].falls ? "below" : "above");
	}
}
