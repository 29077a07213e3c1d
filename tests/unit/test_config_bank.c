/* SPDX-License-Identifier: MIT */
/* banks:, limits: and alarms: of a configuration. */
#include "packbridge/config.h"
#include "suite.h"

#include <stdio.h>
#include <string.h>

#define TWO_PACKS                                                                                  \
	"packs:\n"                                                                                 \
	"  - {name: house, link: 'sim:lfp-4s', unit: 1}\n"                                         \
	"  - {name: solar, link: 'sim:lfp-4s', unit: 2}\n"
#define PACK_WITH(keys) "packs: [{name: a, link: 'sim:lfp-4s', unit: 1, " keys "}]\n"

static struct pb_config *load(const char *text)
{
	struct pb_config *config = NULL;
	struct pb_report report = {0};
	int r = pb_config_parse(&config, "t", text, strlen(text), &report);

	ck_assert_msg(r == 0, "%s", report.count ? report.lines[0] : "no error");
	return config;
}

START_TEST(a_bank)
{
	PB_CLEANUP(pb_config_freep)
	struct pb_config *config =
		load(TWO_PACKS
		     "banks:\n"
		     "  - {name: camper, packs: [solar, house], unit: 100, charge_max_a: 80.5}\n"
		     "  - {name: string, packs: [house, solar], unit: 101, topology: series}\n"
		     "  - {name: careful, packs: [house], unit: 102, missing: fault, map: pace,\n"
		     "     alarms: {soc_low: {warning: 30}}}\n"
		     "listen: [{tcp: '*:1502', units: [{unit: 1, bank: string, map: growatt},\n"
		     "                                 {unit: 2, bank: camper}]}]\n");
	const struct pb_bank_config *bank = config->banks;
	const struct pb_show_config *shown = config->listens[0].units;

	ck_assert_uint_eq(config->bank_count, 3);
	ck_assert_str_eq(bank[0].name, "camper");
	ck_assert_str_eq(bank[0].map, "packbridge-bank");
	ck_assert_uint_eq(bank[0].pack_count, 2);
	ck_assert_uint_eq(bank[0].packs[0], 1);
	ck_assert_uint_eq(bank[0].packs[1], 0);
	ck_assert_int_eq(bank[0].setup.topology, PB_TOPOLOGY_PARALLEL);
	ck_assert_int_eq(bank[0].setup.missing, PB_MISSING_EXCLUDE);
	ck_assert_int_eq(bank[0].setup.charge_max_ma, 80500);
	ck_assert_int_eq(bank[0].setup.discharge_max_ma, 0);
	/* its own alarms are few: packs have theirs */
	ck_assert(!bank[0].alarms.rules[PB_ALARM_CELL_HIGH].has_alarm);
	ck_assert(bank[0].alarms.rules[PB_ALARM_SILENT].has_alarm);
	ck_assert_int_eq(bank[1].setup.missing, PB_MISSING_FAULT); /* of a string, always */
	ck_assert_int_eq(bank[2].setup.missing, PB_MISSING_FAULT);
	ck_assert(bank[2].alarms.rules[PB_ALARM_SOC_LOW].has_warning);
	ck_assert(!bank[2].alarms.rules[PB_ALARM_SOC_LOW].has_alarm);
	ck_assert_int_eq(bank[2].alarms.rules[PB_ALARM_SOC_LOW].warning, 300);
	ck_assert_str_eq(shown[0].bank, "string");
	ck_assert_uint_eq(shown[0].index, 1);
	ck_assert_str_eq(shown[0].map, "growatt");
	ck_assert_str_eq(shown[1].map, "packbridge-bank");
}
END_TEST

/* Preset of the chemistry, then what holds for all, then what the pack says. */
START_TEST(layers)
{
	PB_CLEANUP(pb_config_freep)
	struct pb_config *config =
		load("limits: {charge_max_a: 50, hold_s: 60, charge_by_temperature: off}\n"
		     "alarms: {latch: true, cell_high: {alarm: 3.6, delay_s: 9}, soc_low: off, "
		     "voltage_high: {delay_s: 7}}\n"
		     "packs:\n"
		     "  - {name: a, link: 'sim:lfp-4s', unit: 1}\n"
		     "  - {name: b, link: 'sim:lfp-4s', unit: 2, chemistry: nmc,\n"
		     "     limits: {charge_max_a: 20.5, absorption_v: 4.1, float: false,\n"
		     "              discharge_by_soc: [[5, 0], [12.5, 50], [20, 100]]},\n"
		     "     alarms: {latch: false, cell_high: {warning: off, alarm: 4.25},\n"
		     "              voltage_low: {alarm: 40}, charge_cold: {alarm: -2.5}}}\n");
	const struct pb_limit_setup *a = &config->packs[0].limits, *b = &config->packs[1].limits;
	const struct pb_alarm_rule *rules;

	ck_assert_int_eq(a->charge_max_ma, 50000);
	ck_assert_int_eq(a->absorption_mv, 3450);
	ck_assert_uint_eq(a->hold_s, 60);
	ck_assert_uint_eq(a->charge_by_temperature.count, 0);
	ck_assert_uint_eq(a->discharge_by_temperature.count, 8);
	ck_assert_int_eq(b->chemistry, PB_CHEMISTRY_NMC);
	ck_assert_int_eq(b->charge_max_ma, 20500);
	ck_assert_int_eq(b->absorption_mv, 4100);
	ck_assert_int_eq(b->float_mv, 4050);
	ck_assert(!b->to_float);
	ck_assert_uint_eq(b->hold_s, 60);
	ck_assert_uint_eq(b->discharge_by_soc.count, 3);
	ck_assert_int_eq(b->discharge_by_soc.points[1].at, 125);
	ck_assert_int_eq(b->discharge_by_soc.points[1].permille, 500);

	rules = config->packs[0].alarms.rules;
	ck_assert(config->packs[0].alarms.latch);
	ck_assert_int_eq(rules[PB_ALARM_CELL_HIGH].warning, 3550);
	ck_assert_int_eq(rules[PB_ALARM_CELL_HIGH].alarm, 3600);
	ck_assert_uint_eq(rules[PB_ALARM_CELL_HIGH].delay_s, 9);
	ck_assert(!rules[PB_ALARM_SOC_LOW].has_warning && !rules[PB_ALARM_SOC_LOW].has_alarm);
	ck_assert(rules[PB_ALARM_VOLTAGE_LOW].per_cell);
	/* another delay alone leaves the preset of cells */
	ck_assert(rules[PB_ALARM_VOLTAGE_HIGH].per_cell && rules[PB_ALARM_VOLTAGE_HIGH].has_alarm);
	ck_assert_uint_eq(rules[PB_ALARM_VOLTAGE_HIGH].delay_s, 7);
	rules = config->packs[1].alarms.rules;
	ck_assert(!config->packs[1].alarms.latch);
	ck_assert(!rules[PB_ALARM_CELL_HIGH].has_warning);
	ck_assert_int_eq(rules[PB_ALARM_CELL_HIGH].alarm, 4250);
	/* in volts of the whole: the preset, of cells, is gone */
	ck_assert(!rules[PB_ALARM_VOLTAGE_LOW].per_cell);
	ck_assert(!rules[PB_ALARM_VOLTAGE_LOW].has_warning);
	ck_assert_int_eq(rules[PB_ALARM_VOLTAGE_LOW].alarm, 40000);
	ck_assert_int_eq(rules[PB_ALARM_CHARGE_COLD].alarm, -2500);
}
END_TEST

static const struct {
	const char *text, *error;
} errors[] = {
	{TWO_PACKS "banks: [{name: c, packs: [house], unit: 1}]\n",
	 "t:4:41: unit '1' is taken by pack 'house', expected another"},
	{TWO_PACKS "banks: [{name: solar, packs: [house], unit: 9}]\n",
	 "t:4:16: name 'solar' is taken by pack 'solar', expected another"},
	{TWO_PACKS
	 "banks: [{name: c, packs: [house], unit: 9}, {name: c, packs: [house], unit: 8}]\n",
	 "t:4:52: name 'c' is taken by bank 'c', expected another"},
	{TWO_PACKS "banks: [{name: c, packs: [huose], unit: 9}]\n",
	 "t:4:27: no pack 'huose', expected 'house' perhaps"},
	{TWO_PACKS "banks: [{name: c, packs: [], unit: 9}]\n",
	 "t:4:26: packs, expected a list of 1 to 64 names of packs"},
	{TWO_PACKS "banks: [{name: c, packs: [house, house], unit: 9}]\n",
	 "t:4:34: pack 'house' appears twice, expected once"},
	{TWO_PACKS
	 "banks: [{name: c, packs: [house], unit: 9, topology: series, missing: exclude}]\n",
	 "t:4:71: missing 'exclude' in series, expected fault: "},
	{"packs: [{name: a, link: 'sim:lfp-4s', unit: 1},\n"
	 "        {name: b, link: 'sim:nmc-13s', unit: 2, chemistry: nmc}]\n"
	 "banks: [{name: c, packs: [a, b], unit: 9}]\n",
	 "t:3:26: pack 'a' is lifepo4 and 'b' nmc, expected packs in parallel with the same "
	 "chemistry"},
	{TWO_PACKS "banks: [{name: C, packs: [house], unit: 9}]\n",
	 "t:4:16: name 'C', expected only a-z, 0-9 and -"},
	{TWO_PACKS "listen: [{tcp: '*:1', units: [{unit: 1, bank: all}]}]\n",
	 "t:4:47: no bank 'all', expected one of `banks:`"},
	{TWO_PACKS "listen: [{tcp: '*:1', units: [{unit: 1}]}]\n",
	 "t:4:31: a unit with neither a pack nor a bank, expected one of pack and bank"},
	{PACK_WITH("chemistry: lipo"),
	 "t:1:59: chemistry 'lipo', expected one of lifepo4, nmc, lto, lead"},
	{PACK_WITH("limits: {charge_max_a: 10.00001}"),
	 "t:1:71: charge_max_a '10.00001', expected a number from 0.1 to 4000 in steps of 0.001"},
	{PACK_WITH("limits: {charge_max: 10}"),
	 "t:1:57: unknown key 'charge_max', expected 'charge_max_a' perhaps"},
	{PACK_WITH("limits: {float_v: 3.5}"),
	 "t:1:66: empty_v 2900 mV, float_v 3500 mV, absorption_v 3450 mV of pack 'a' (lifepo4), "
	 "expected them in rising "
	 "order"},
	{PACK_WITH("limits: {charge_by_cell: [[3.4, 100], [3.3, 0]]}"),
	 "t:1:86: a point, expected one above that before it"},
	{PACK_WITH("limits: {charge_by_cell: [[3.4]]}"),
	 "t:1:74: a point, expected two numbers: [at, %]"},
	{PACK_WITH("limits: {charge_by_cell: 3.4}"),
	 "t:1:73: charge_by_cell, expected off or a list of 1 to 12 points [at, %]"},
	{PACK_WITH("limits: {charge_by_cell: [[3.4, 101]]}"),
	 "t:1:80: percent '101', expected a number from 0 to 100 in steps of 0.1"},
	{PACK_WITH("alarms: {cell_high: {warning: 3.7, alarm: 3.6}}"),
	 "t:1:90: the alarm cell_high of 'a' comes before the warning, expected it above"},
	{PACK_WITH("alarms: {soc_low: {warning: 10, alarm: 20}}"),
	 "t:1:87: the alarm soc_low of 'a' comes before the warning, expected it below"},
	{PACK_WITH("alarms: {soc_low: {warn: 10}}"),
	 "t:1:67: unknown key 'warn', expected one of: warning, alarm, hysteresis, delay_s"},
	{PACK_WITH("alarms: {cells_high: off}"),
	 "t:1:57: unknown key 'cells_high', expected 'cell_high' perhaps"},
	{PACK_WITH("alarms: {voltage_high: {hysteresis: 1}}"),
	 "t:1:71: neither a warning nor an alarm, expected one of them, or off"},
	{PACK_WITH("alarms: {charge_current: {delay_s: 3}}"),
	 "t:1:73: neither a warning nor an alarm, expected one of them, or off"},
	/* what was refused is not compared with others */
	{PACK_WITH("alarms: {frozen: {warning: 5, alarm: 12}}"),
	 "t:1:75: warning '5', expected a number from 10 to 64800"},
	{PACK_WITH("alarms: {cell_low: {warning: 2.5, alarm: 9}}"), "t:1:89: alarm '9', expected"},
	{PACK_WITH("limits: {absorption_v: 14.4, float_v: 3.5}"),
	 "t:1:71: absorption_v '14.4', expected a number from 0.5 to 5 in steps of 0.001; the "
	 "volts of one cell, not of all"},
	{PACK_WITH("limits: {absorption_s: -1, absorption_max_s: 60}"), "t:1:71: absorption_s"},
	{PACK_WITH("limits: {charge_by_cell: [[3.4, 100], [34, 0], [3.6, 0]]}"),
	 "t:1:87: charge_by_cell '34'"},
	/* what holds for all is told once, however many packs there are */
	{"limits: {float_v: 9}\n" TWO_PACKS,
	 "t:1:19: float_v '9', expected a number from 0.5 to 5 in steps of 0.001"},
	/* a preset that is in the way is told */
	{PACK_WITH("limits: {charge_now_percent: 30}"),
	 "t:1:77: charge_now_percent 30.0 of pack 'a', expected at most charge_soon_percent, 14.0"},
	{PACK_WITH("alarms: {protection: {delay_s: 60}}"),
	 "t:1:79: delay_s of protection, expected none"},
	{PACK_WITH("alarms: {switched_off: {hysteresis: 60}}"),
	 "t:1:84: hysteresis of switched_off, expected none"},
	{PACK_WITH("alarms: {frozen: {alarm: 3600, hysteresis: 64800}}"),
	 "t:1:91: hysteresis of frozen, expected none"},
	{PACK_WITH("alarms: {silent: {alarm: 200, delay_s: 5}}"),
	 "t:1:87: delay_s of silent, expected none"},
	{PACK_WITH("alarms: {frozen: {alarm: 600}}"),
	 "t:1:73: the alarm frozen of 'a' comes before the warning, expected it above, or warning: "
	 "off"},
	{"alarms: {silent: {warning: 1.5}}\n" TWO_PACKS,
	 "t:1:28: warning '1.5', expected a number from 0 to 604800 in steps of 1"},
};

/* `limits:` and `alarms:` of the file are right or wrong by what they make of each pack. */
static const struct {
	const char *chemistry, *rest, *error; /* error NULL: good */
} chemistries[] = {
	{"lto", "limits: {absorption_v: 2.6}", NULL},
	{"lifepo4", "limits: {absorption_v: 2.6}",
	 "t:1:24: empty_v 2900 mV, float_v 3375 mV, absorption_v 2600 mV of pack 'a' (lifepo4)"},
	{"nmc", "limits: {absorption_v: 3.6}",
	 "t:1:24: empty_v 3200 mV, float_v 4050 mV, absorption_v 3600 mV of pack 'a' (nmc)"},
	{"lifepo4", "limits: {absorption_v: 3.6}", NULL},
	{"lto", "alarms: {cell_low: {warning: 2.0}}", NULL},
	{"lifepo4", "alarms: {cell_low: {warning: 2.0}}",
	 "t:1:30: the alarm cell_low of 'a' comes before the warning"},
};

START_TEST(by_its_own_chemistry)
{
	PB_CLEANUP(pb_config_freep) struct pb_config *config = NULL;
	struct pb_report report = {0};
	const char *error = chemistries[_i].error;
	char text[256];
	int r;

	snprintf(text, sizeof(text),
		 "%s\npacks: [{name: a, unit: 1, link: 'sim:lfp-4s', chemistry: %s}]\n",
		 chemistries[_i].rest, chemistries[_i].chemistry);
	r = pb_config_parse(&config, "t", text, strlen(text), &report);
	ck_assert_msg((r < 0) == (error != NULL), "%s", report.count ? report.lines[0] : "good");
	if (!error)
		return;
	ck_assert_uint_eq(report.count, 1);
	ck_assert_msg(strncmp(report.lines[0], error, strlen(error)) == 0, "%s", report.lines[0]);
	pb_report_clear(&report);
}
END_TEST

START_TEST(refused)
{
	struct pb_config *config = NULL;
	struct pb_report report = {0};
	const char *error = errors[_i].error;

	ck_assert_int_lt(
		pb_config_parse(&config, "t", errors[_i].text, strlen(errors[_i].text), &report),
		0);
	ck_assert_msg(strncmp(report.lines[0], error, strlen(error)) == 0, "'%s', expected '%s'",
		      report.lines[0], error);
	ck_assert_msg(report.count == 1, "and then '%s'", report.count > 1 ? report.lines[1] : "");
	pb_report_clear(&report);
}
END_TEST

static void has_key(const char *page, const char *name, const char *key)
{
	char quoted[64];

	snprintf(quoted, sizeof(quoted), "`%s`", key);
	ck_assert_msg(strstr(page, quoted) != NULL, "docs/%s lacks %s", name, quoted);
}

/* The pages name each key. */
START_TEST(documented)
{
	static char page[1 << 16];
	const struct pb_yaml_row *rows[] = {pb_config_bank_rows(), pb_config_limit_rows()};
	static const char *const names[] = {"banks.md", "charge-control.md", "alarms.md"};

	for (size_t i = 0; i < PB_ARRAY_SIZE(names); i++) {
		char path[512];
		FILE *file;

		snprintf(path, sizeof(path), PB_SOURCE_DIR "/docs/%s", names[i]);
		file = fopen(path, "re");
		ck_assert_ptr_nonnull(file);
		page[fread(page, 1, sizeof(page) - 1, file)] = '\0';
		fclose(file);
		for (size_t n = 0; i < PB_ARRAY_SIZE(rows) && rows[i][n].key; n++)
			has_key(page, names[i], rows[i][n].key);
	}
	for (int i = 0; i < PB_ALARM_COUNT; i++)
		has_key(page, names[2], pb_alarm_name((enum pb_alarm)i));
}
END_TEST

int main(void)
{
	TCase *tcase = tcase_create("bank");

	tcase_add_test(tcase, a_bank);
	tcase_add_test(tcase, layers);
	tcase_add_loop_test(tcase, by_its_own_chemistry, 0, PB_ARRAY_SIZE(chemistries));
	tcase_add_loop_test(tcase, refused, 0, PB_ARRAY_SIZE(errors));
	tcase_add_test(tcase, documented);
	return pb_run_suite("config/bank", tcase);
}
