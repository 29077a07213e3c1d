/* SPDX-License-Identifier: MIT */
/* What batteries say, in simulated time: a change at once, what flaps once a minute. */
#include "../../src/bridge/battery.h"
#include "hand_up.h"
#include "packbridge/config.h"
#include "packbridge/yaml.h"
#include "suite.h"

#include <stdio.h>
#include <string.h>

enum { POLL_MS = 150 };

static const char text[] = "packs: [{name: a, link: 'sim:x', unit: 1, poll_ms: 100, alarms: "
			   "{cell_high: {warning: off, "
			   "alarm: 3.6, hysteresis: 0, delay_s: 0}, silent: off}}]\n"
			   "banks: [{name: all, unit: 2, packs: [a]}]\n";

static struct pb_config *config;
static sd_event *event;
static struct fleet fleet;
static uint64_t now_ms;
static size_t lines, sums;
static char last[1100];

static int count_line(enum pb_log_level level, const struct pb_log_about *about, const char *line)
{
	(void)level;
	if (about->bank)
		return 0;
	lines++;
	sums += strstr(line, " times more ") != NULL;
	snprintf(last, sizeof(last), "%s", line);
	return 0;
}

static void setup(void)
{
	struct pb_report report = {0};

	ck_assert_int_eq(pb_config_parse(&config, "f", text, strlen(text), &report), 0);
	ck_assert_int_ge(sd_event_new(&event), 0);
	ck_assert_int_eq(fleet_init(&fleet, event, config, "0"), 0);
	now_ms = pb_now_ms();
	lines = sums = 0;
	pb_log_set_sink(count_line);
}

static void teardown(void)
{
	pb_log_set_sink(NULL);
	fleet_clear(&fleet);
	config = pb_config_free(config);
	event = sd_event_unref(event);
}

static void reading(int32_t cell_mv)
{
	static uint16_t sequence;
	struct pb_sample sample = {.cell_count = 4};
	struct pb_status status = {.stale_after_s = 15, .sampled_ms = now_ms};

	for (size_t i = 0; i < 4; i++)
		sample.cell_mv[i] = cell_mv;
	sample.cell_has = 0xF;
	sample.has = PB_HAS(PB_HAS_CELLS);
	pb_sample_derive(&sample);
	status.sequence = ++sequence;
	status.quality = PB_QUALITY_GOOD;
	hand_up(&fleet.sources[0], &sample, &status, true, now_ms);
	now_ms += POLL_MS;
}

/* Polled each 150 ms, once it made 7 lines a second. */
START_TEST(flapping_is_summed_up)
{
	const uint64_t start_ms = now_ms;

	for (int i = 0; now_ms < start_ms + 10 * PB_REPEAT_MS; i++)
		reading(i % 2 ? 3700 : 3300);
	ck_assert_uint_ge(sums, 9);
	ck_assert_uint_le(lines, 2 * 10 + 4);
	ck_assert_uint_ge(fleet.sources[0].repeat.left_out, 1);
}
END_TEST

START_TEST(a_change_is_said_at_once)
{
	reading(3300);
	ck_assert_uint_eq(lines, 0);
	reading(3700);
	ck_assert_uint_eq(lines, 1);
	ck_assert_ptr_nonnull(strstr(last, "ALARM: cell_high"));
	reading(3300);
	ck_assert_uint_eq(lines, 2);
	ck_assert_ptr_nonnull(strstr(last, "cell_high is over"));
}
END_TEST

/* A rule that a reload switches off ends its alarm; of its cause it says nothing. */
START_TEST(no_longer_watched)
{
	struct pb_alarm_setup without = *fleet.sources[0].alarms;

	without.rules[PB_ALARM_CELL_HIGH] = (struct pb_alarm_rule){0};
	reading(3700);
	ck_assert_ptr_nonnull(strstr(last, "ALARM: cell_high"));
	fleet.sources[0].alarms = &without;
	reading(3700);
	ck_assert_ptr_nonnull(strstr(last, "cell_high is no longer watched"));
	reading(3300);
	ck_assert_uint_eq(lines, 2);
}
END_TEST

/* The last change is left out: the sum says how it stands, though no reading comes any more. */
START_TEST(the_sum_says_how_it_stands)
{
	uint64_t time_us;
	int enabled;

	for (int i = 0; i < 10; i++)
		reading(i % 2 ? 3700 : 3300);
	ck_assert_uint_eq(sums, 0);
	/* the timer rings by then, whether readings come or not */
	ck_assert_int_eq(sd_event_source_get_enabled(fleet.timer, &enabled), 1);
	ck_assert_int_ge(sd_event_source_get_time(fleet.timer, &time_us), 0);
	ck_assert_uint_le(time_us / 1000, fleet.sources[0].repeat.until_ms);
	now_ms += PB_REPEAT_MS;
	reading(3700);
	ck_assert_uint_eq(sums, 1);
	ck_assert_msg(strstr(last, "now ALARM cell_high") != NULL, "%s", last);
}
END_TEST

/* ---- what the BMS says ---- */

static void publish(struct pb_sample sample)
{
	struct pb_status status = {.stale_after_s = 15, .sampled_ms = now_ms};
	static uint16_t sequence;

	pb_sample_derive(&sample);
	status.sequence = ++sequence;
	hand_up(&fleet.sources[0], &sample, &status, true, now_ms);
}

static struct pb_sample usual(void)
{
	struct pb_sample sample = {
		.has = PB_HAS(PB_HAS_CURRENT) | PB_HAS(PB_HAS_VOLTAGE) | PB_HAS(PB_HAS_CELLS) |
		       PB_HAS(PB_HAS_TEMPERATURES) | PB_HAS(PB_HAS_PROTECTION) |
		       PB_HAS(PB_HAS_SOC) | PB_HAS(PB_HAS_REMAINING) | PB_HAS(PB_HAS_CYCLES) |
		       PB_HAS(PB_HAS_CHARGE_FET) | PB_HAS(PB_HAS_DISCHARGE_FET) |
		       PB_HAS(PB_HAS_BALANCE) | PB_HAS(PB_HAS_ALARM),
		.voltage_mv = 13200,
		.current_ma = -35000,
		.soc_permille = 500,
		.remaining_mah = 50000,
		.cell_count = 4,
		.cell_has = 0xF,
		.cell_mv = {3300, 3300, 3300, 3300},
		.temperature_count = 1,
		.temperature_has = 1,
		.temperature_mc = {20000},
		.charge_fet = true,
		.discharge_fet = true,
	};

	return sample;
}

/* At the first reading, and each that joins it, however short the time between. */
START_TEST(protections_are_named)
{
	struct pb_sample sample = usual();

	sample.protection_mask = 1 << PB_PROTECT_SHORT_CIRCUIT;
	publish(sample);
	ck_assert_uint_eq(lines, 1);
	ck_assert_str_eq(last, "pack a: ALARM: protection, short circuit");
	for (int i = 0; i < 3; i++) {
		now_ms += POLL_MS;
		publish(sample);
	}
	ck_assert_uint_eq(lines, 1);
	now_ms += POLL_MS;
	sample.protection_mask |= 1 << PB_PROTECT_CELL_OVERVOLTAGE;
	publish(sample);
	ck_assert_uint_eq(lines, 2);
	ck_assert_str_eq(last, "pack a: ALARM: protection, cell over-voltage, short circuit");
	now_ms += POLL_MS;
	sample.protection_mask = 0;
	publish(sample);
	ck_assert_str_eq(last, "pack a: protection is over");
}
END_TEST

/* ---- a frozen board ---- */

enum { HOURS_MS = 6 * 3600 * 1000 };

START_TEST(frozen)
{
	const uint64_t start_ms = now_ms;
	struct pb_sample sample = usual();
	const struct pb_battery *data = &fleet.sources[0].data;

	for (; now_ms - start_ms < 1800 * 1000; now_ms += 1000) {
		sample.remaining_mah--; /* it counts, but does not measure */
		sample.soc_permille = (int32_t)(sample.remaining_mah / 100);
		sample.cycles = (int32_t)((now_ms - start_ms) / 600000);
		publish(sample);
		ck_assert_uint_eq(data->unchanged_s, (now_ms - start_ms) / 1000);
	}
	ck_assert_uint_eq(lines, 0);
	publish(sample);
	ck_assert_uint_eq(lines, 1);
	ck_assert_str_eq(last,
			 "pack a: warning: frozen, no value has changed for 1800 s at -35.0 A");
	ck_assert_uint_eq(data->alarms.warnings, 1 << PB_ALARM_FROZEN);
	now_ms = start_ms + HOURS_MS;
	publish(sample);
	ck_assert_uint_eq(data->unchanged_s, HOURS_MS / 1000);
	now_ms = start_ms + 24 * 3600 * 1000;
	publish(sample);
	ck_assert_uint_eq(data->unchanged_s, 65534);
	sample.cell_mv[3]++;
	publish(sample);
	ck_assert_uint_eq(data->unchanged_s, 0);
	ck_assert_uint_eq(data->alarms.warnings, 0);
}
END_TEST

int main(void)
{
	TCase *tcase = tcase_create("battery");

	tcase_add_checked_fixture(tcase, setup, teardown);
	tcase_add_test(tcase, flapping_is_summed_up);
	tcase_add_test(tcase, a_change_is_said_at_once);
	tcase_add_test(tcase, no_longer_watched);
	tcase_add_test(tcase, the_sum_says_how_it_stands);
	tcase_add_test(tcase, protections_are_named);
	tcase_add_test(tcase, frozen);
	return pb_run_suite("bridge/battery", tcase);
}
