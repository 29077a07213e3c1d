/* SPDX-License-Identifier: MIT */
/* What is said of a bank whose packs come and go, in simulated time. */
#include "../../src/bridge/battery.h"
#include "hand_up.h"
#include "packbridge/config.h"
#include "packbridge/yaml.h"
#include "suite.h"

#include <stdio.h>
#include <string.h>

static const char text[] = "packs: [{name: a, link: 'sim:x', unit: 1, stale_after_s: 15},\n"
			   "        {name: b, link: 'sim:y', unit: 2, stale_after_s: 15}]\n"
			   "banks: [{name: all, unit: 3, packs: [a, b]},\n"
			   "        {name: strict, unit: 4, packs: [a, b], missing: fault}]\n";

enum { LINES_MAX = 16 };

static struct pb_config *config;
static sd_event *event;
static struct fleet fleet;
static uint64_t now_ms;
static size_t lines;
static char said[LINES_MAX][128];
static uint16_t sequence;

static int take_line(enum pb_log_level level, const struct pb_log_about *about, const char *line)
{
	(void)level;
	if (about->bank && strcmp(about->bank, "all") == 0 && lines < LINES_MAX)
		snprintf(said[lines++], sizeof(said[0]), "%s", line);
	return 0;
}

static void setup(void)
{
	struct pb_report report = {0};

	ck_assert_int_eq(pb_config_parse(&config, "f", text, strlen(text), &report), 0);
	ck_assert_int_ge(sd_event_new(&event), 0);
	ck_assert_int_eq(fleet_init(&fleet, event, config, "0"), 0);
	now_ms = pb_now_ms();
	lines = 0;
	pb_log_set_sink(take_line);
}

static void teardown(void)
{
	pb_log_set_sink(NULL);
	fleet_clear(&fleet);
	config = pb_config_free(config);
	event = sd_event_unref(event);
}

static int32_t cells = 4; /* of the pack that is read */

static void read_pack(size_t index)
{
	struct pb_sample sample = {
		.has = PB_HAS(PB_HAS_CELLS) | PB_HAS(PB_HAS_VOLTAGE) | PB_HAS(PB_HAS_CURRENT) |
		       PB_HAS(PB_HAS_NOMINAL) | PB_HAS(PB_HAS_FULL) | PB_HAS(PB_HAS_TEMPERATURES) |
		       PB_HAS(PB_HAS_PROTECTION),
		.voltage_mv = 13200,
		.nominal_mah = 100000,
		.full_mah = 100000,
		.cell_count = cells,
		.cell_has = 0xF,
		.cell_mv = {3300, 3300, 3300, 3300},
		.temperature_count = 1,
		.temperature_has = 1,
		.temperature_mc = {20000},
	};
	struct pb_status status = {.stale_after_s = 15,
				   .sampled_ms = now_ms,
				   .quality = PB_QUALITY_GOOD,
				   .sequence = ++sequence};

	pb_sample_derive(&sample);
	if (index == 0) /* which stops charging */
		sample.protection_mask = 1 << PB_PROTECT_CELL_OVERVOLTAGE;
	hand_up(&fleet.sources[index], &sample, &status, true, now_ms);
}

static void fail_pack(size_t index)
{
	struct pb_status status = fleet.sources[index].data.status;

	status.last_error = PB_ERROR_CONNECT;
	hand_up(&fleet.sources[index], NULL, &status, false, now_ms);
}

static const struct source *bank(size_t index)
{
	return fleet_bank(&fleet, index);
}

/* The first pack can't be charged, the second one can: the bank never was "no more". */
START_TEST(packs_come_one_by_one)
{
	read_pack(0);
	read_pack(1);
	now_ms += 1000;
	read_pack(0);
	ck_assert_msg(lines == 0, "%s", said[0]);
	ck_assert_int_eq(bank(0)->data.members.packs_online, 2);
}
END_TEST

START_TEST(a_pack_is_lost_and_comes_back)
{
	read_pack(0);
	read_pack(1);
	now_ms += 16000;
	read_pack(1);
	ck_assert_uint_eq(lines, 1);
	ck_assert_str_eq(said[0], "bank all: 1 of 2 packs with a good reading");
	now_ms += 1000;
	read_pack(1);
	ck_assert_uint_eq(lines, 1);
	read_pack(0);
	ck_assert_uint_eq(lines, 2);
	ck_assert_str_eq(said[1], "bank all: all 2 packs with a good reading");
}
END_TEST

/* One that is not there at the start: said as soon as that is known. */
START_TEST(a_pack_is_missing_from_the_start)
{
	read_pack(0);
	ck_assert_uint_eq(lines, 0);
	fail_pack(1);
	ck_assert_uint_eq(lines, 1);
	ck_assert_str_eq(said[0], "bank all: 1 of 2 packs with a good reading");
}
END_TEST

/* Its packs may have been read: that does not make a reading of it. */
START_TEST(never_read)
{
	read_pack(0);
	ck_assert_int_eq(bank(0)->data.status.quality, PB_QUALITY_GOOD);
	ck_assert_int_eq(bank(1)->data.status.quality, PB_QUALITY_NEVER);
	read_pack(1);
	ck_assert_int_eq(bank(1)->data.status.quality, PB_QUALITY_GOOD);
	now_ms += 16000;
	fail_pack(1);
	ck_assert_int_eq(bank(1)->data.status.quality, PB_QUALITY_LOST);
}
END_TEST

/* Each alarm of a pack, the BMS's own as well. */
START_TEST(alarms_of_its_packs)
{
	read_pack(0);
	ck_assert_int_eq(bank(0)->data.alarms.level[PB_ALARM_PROTECTION], PB_LEVEL_ALARM);
	ck_assert_int_eq(bank(0)->data.alarms.worst[PB_ALARM_CELL_HIGH], PB_LEVEL_ALARM);
	ck_assert_int_eq(bank(0)->data.alarms.severity, PB_LEVEL_ALARM);
	now_ms += 10000;
	read_pack(0);
	now_ms += 1000;
	read_pack(1);
	ck_assert_uint_eq(fleet.sources[0].data.unchanged_s, 10);
	ck_assert_uint_eq(bank(0)->data.unchanged_s, 10);
}
END_TEST

/* The packs have been read, so it is known from now on that they do not fit together. */
START_TEST(packs_of_two_kinds)
{
	read_pack(0);
	cells = 3;
	read_pack(1);
	ck_assert_uint_eq(lines, 1);
	ck_assert_str_eq(said[0], "bank all: packs side by side differ in cells or voltage: no "
				  "current is allowed");
	ck_assert(!bank(0)->data.limits.discharge_allowed);
	read_pack(1);
	ck_assert_uint_eq(lines, 1);
	cells = 4;
	read_pack(1);
	ck_assert_uint_ge(lines, 2);
	ck_assert_str_eq(said[1], "bank all: packs have one voltage again");
}
END_TEST

int main(void)
{
	TCase *tcase = tcase_create("bank");

	tcase_add_checked_fixture(tcase, setup, teardown);
	tcase_add_test(tcase, packs_come_one_by_one);
	tcase_add_test(tcase, a_pack_is_lost_and_comes_back);
	tcase_add_test(tcase, a_pack_is_missing_from_the_start);
	tcase_add_test(tcase, never_read);
	tcase_add_test(tcase, alarms_of_its_packs);
	tcase_add_test(tcase, packs_of_two_kinds);
	return pb_run_suite("bridge/bank", tcase);
}
