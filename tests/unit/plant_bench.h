/* SPDX-License-Identifier: MIT */
/* A plant of two packs and two banks in simulated time, and what it notes. */
#pragma once

#include "packbridge/events.h"
#include "packbridge/plant.h"
#include "packbridge/yaml.h"

#include <check.h>
#include <stdio.h>
#include <string.h>

enum { PACK_A, PACK_B, BANK_ALL, BANK_STRICT, BATTERIES, PACKS = 2 };
enum { BENCH_LINES = 4096, STALE_S = 15 };

static struct {
	struct pb_battery_setup setup[BATTERIES]; /* of the next plant */
	struct pb_battery_setup used[2][BATTERIES];
	int plants;
	struct pb_alarm_setup alarms[BATTERIES];
	struct pb_limit_setup limits[PACKS];
	struct pb_bank_setup banks[BATTERIES];
	struct pb_control_setup control[PACKS];
	struct pb_map *maps[3]; /* pack, bank, gateway */
	struct pb_plant *plant;
	const struct pb_plant_handler *handler; /* NULL: bench_handler */
	struct pb_events *events;		/* of all plants */
	uint64_t start_ms, now_ms, deadline_ms;
	uint16_t sequence;
	int32_t rssi_dbm; /* 0: none */
	/* control: what was sent to the packs, and how often a request made time due */
	struct pb_control_setup controls[PACKS]; /* a test sets setup[].control */
	struct pb_command_status result[PACKS];
	struct pb_command command[PACKS];
	size_t commands, dues;
	/* what was noted about battery @of (NULL: all) */
	const char *of;
	size_t lines;
	struct {
		enum pb_log_level level;
		int32_t unit;
		bool bank;
		char alarm[PB_NAME_MAX], text[1024];
	} line[BENCH_LINES];
} bench;

static inline const char *bench_last(void)
{
	return bench.lines ? bench.line[bench.lines - 1].text : "";
}

static inline size_t bench_lines(const char *text)
{
	size_t count = 0;

	for (size_t i = 0; i < bench.lines; i++)
		count += strcmp(bench.line[i].text, text) == 0;
	return count;
}

static void bench_note(void *userdata, enum pb_log_level level, const struct pb_log_about *about,
		       const char *text)
{
	const char *name = about->bank ? about->bank : about->pack;

	ck_assert_ptr_eq(userdata, &bench);
	if (bench.of && strcmp(bench.of, name) != 0)
		return;
	ck_assert_uint_lt(bench.lines, BENCH_LINES);
	bench.line[bench.lines].level = level;
	bench.line[bench.lines].unit = about->unit;
	bench.line[bench.lines].bank = about->bank != NULL;
	snprintf(bench.line[bench.lines].alarm, PB_NAME_MAX, "%s",
		 about->alarm ? about->alarm : "");
	snprintf(bench.line[bench.lines++].text, sizeof(bench.line[0].text), "%s", text);
}

static void bench_count(void *userdata, struct pb_gateway *gateway)
{
	ck_assert_ptr_eq(userdata, &bench);
	gateway->clients++; /* once a look */
}

static int bench_command(void *userdata, size_t pack, const struct pb_command *command)
{
	ck_assert_ptr_eq(userdata, &bench);
	bench.command[pack] = *command;
	bench.result[pack] = (struct pb_command_status){.state = PB_COMMAND_RUNNING,
							.number = bench.result[pack].number + 1};
	bench.commands++;
	return 0;
}

static void bench_due(void *userdata)
{
	ck_assert_ptr_eq(userdata, &bench);
	bench.dues++;
}

static const struct pb_plant_handler bench_handler = {
	.note = bench_note, .count = bench_count, .command = bench_command, .due = bench_due};

static inline struct pb_map *bench_map(const char *name)
{
	char path[512];
	struct pb_map *map = NULL;
	struct pb_report report = {0};

	snprintf(path, sizeof(path), "%s/maps/%s.yaml", PB_SOURCE_DIR, name);
	ck_assert_int_eq(pb_map_load(&map, path, &report), 0);
	return map;
}

/* By the setup as it is in the bench. Units 1 to 4 are the batteries, in table 0; table 1 is empty.
 */
static inline struct pb_plant *bench_plant(void)
{
	struct pb_battery_setup *used = bench.used[bench.plants++ % 2];
	const struct pb_plant_setup setup = {
		.batteries = used,
		.pack_count = PACKS,
		.bank_count = BATTERIES - PACKS,
		.table_count = 2,
		.gateway_map = bench.maps[2],
		.version = "1.2.3",
		.start_ms = bench.start_ms,
		.events = bench.events,
		.handler = bench.handler ? bench.handler : &bench_handler,
		.userdata = &bench,
	};
	struct pb_plant *plant;

	memcpy(used, bench.setup, sizeof(bench.setup));
	ck_assert_int_eq(pb_plant_new(&plant, &setup), 0);
	for (int i = 0; i < BATTERIES; i++)
		ck_assert_int_eq(
			pb_plant_add_unit(plant, 0, i + 1, (size_t)i, bench.maps[i >= PACKS]), 0);
	return plant;
}

static inline void bench_step(struct pb_plant_event event)
{
	bench.deadline_ms = pb_plant_step(bench.plant, &event, bench.now_ms);
}

static inline void bench_start(void)
{
	bench_step((struct pb_plant_event){.type = PB_PLANT_START});
}

static inline void bench_setup(void)
{
	static const char *const names[] = {"a", "b", "all", "strict"};
	static const size_t packs[] = {PACK_A, PACK_B};

	memset(&bench, 0, sizeof(bench));
	for (int i = 0; i < BATTERIES; i++) {
		bench.setup[i] = (struct pb_battery_setup){
			.name = names[i],
			.protocol = i < PACKS ? "auto" : "bank",
			.unit = i + 1,
			.alarms = &bench.alarms[i],
		};
	}
	for (int i = 0; i < PACKS; i++) {
		pb_alarm_preset(&bench.alarms[i], PB_CHEMISTRY_LIFEPO4);
		pb_limit_preset(&bench.limits[i], PB_CHEMISTRY_LIFEPO4);
		bench.setup[i].limits = &bench.limits[i];
		bench.setup[i].control = &bench.control[i];
		bench.setup[i].stale_after_s = STALE_S;
		bench.setup[i].keep = true;
	}
	for (int i = PACKS; i < BATTERIES; i++) {
		bench.alarms[i].rules[PB_ALARM_SILENT] =
			(struct pb_alarm_rule){.has_warning = true, .warning = 30};
		bench.setup[i].bank = &bench.banks[i];
		bench.setup[i].packs = packs;
		bench.setup[i].pack_count = 2;
	}
	bench.banks[BANK_STRICT].missing = PB_MISSING_FAULT;
	bench.maps[0] = bench_map("packbridge");
	bench.maps[1] = bench_map("packbridge-bank");
	bench.maps[2] = bench_map("packbridge-gateway");
	bench.start_ms = 1000000;
	bench.now_ms = bench.start_ms + 500;
	ck_assert_int_eq(pb_events_new(&bench.events), 0);
	bench.plant = bench_plant();
	bench_start();
}

static inline void bench_teardown(void)
{
	pb_plant_free(bench.plant);
	pb_events_free(bench.events);
	for (size_t i = 0; i < PB_ARRAY_SIZE(bench.maps); i++)
		pb_map_free(bench.maps[i]);
}

/* Another plant by the setup as it is now, which goes on from the one that is there. */
static inline void bench_reload(void)
{
	struct pb_plant *next = bench_plant();

	pb_plant_take(next, bench.plant);
	pb_plant_free(bench.plant);
	bench.plant = next;
	bench_start();
}

/* The time goes on, and the plant is asked at each of its deadlines. */
static inline void bench_wait(uint64_t ms)
{
	const uint64_t end_ms = bench.now_ms + ms;

	while (bench.deadline_ms <= end_ms) {
		ck_assert_uint_gt(bench.deadline_ms, bench.now_ms);
		bench.now_ms = bench.deadline_ms;
		bench_step((struct pb_plant_event){.type = PB_PLANT_TIME});
	}
	bench.now_ms = end_ms;
}

/* ---- readings ---- */

static inline struct pb_sample bench_sample(void)
{
	return (struct pb_sample){
		.has = PB_HAS(PB_HAS_CURRENT) | PB_HAS(PB_HAS_VOLTAGE) | PB_HAS(PB_HAS_CELLS) |
		       PB_HAS(PB_HAS_TEMPERATURES) | PB_HAS(PB_HAS_PROTECTION) |
		       PB_HAS(PB_HAS_SOC) | PB_HAS(PB_HAS_REMAINING) | PB_HAS(PB_HAS_CYCLES) |
		       PB_HAS(PB_HAS_NOMINAL) | PB_HAS(PB_HAS_FULL) | PB_HAS(PB_HAS_CHARGE_FET) |
		       PB_HAS(PB_HAS_DISCHARGE_FET) | PB_HAS(PB_HAS_BALANCE) | PB_HAS(PB_HAS_ALARM),
		.voltage_mv = 13200,
		.current_ma = -35000,
		.soc_permille = 500,
		.remaining_mah = 50000,
		.nominal_mah = 100000,
		.full_mah = 100000,
		.cell_count = 4,
		.cell_has = 0xF,
		.cell_mv = {3300, 3300, 3300, 3300},
		.temperature_count = 1,
		.temperature_has = 1,
		.temperature_mc = {20000},
		.charge_fet = true,
		.discharge_fet = true,
	};
}

static inline struct pb_status bench_status(void)
{
	return (struct pb_status){
		.sequence = bench.sequence,
		.sampled_ms = bench.now_ms,
		.stale_after_s = STALE_S,
		.connected = true,
	};
}

static inline void bench_hand_up(int pack, struct pb_reading reading)
{
	static const struct pb_note note = {.level = PB_LOG_INFO, .text = "first reading"};
	static const struct pb_refusals refusals = {
		.readings = 3, .count = 2, .rows = {{.times = 1}, {.times = 2}}};

	reading.command = &bench.result[pack];
	reading.protocol = "jbd";
	reading.state = "connected";
	reading.has_rssi = bench.rssi_dbm != 0;
	reading.rssi_dbm = bench.rssi_dbm;
	reading.note = &note;
	reading.refusals = &refusals;
	bench_step((struct pb_plant_event){
		.type = PB_PLANT_READING, .battery = pack, .reading = &reading});
}

static inline void bench_read(int pack, struct pb_sample sample)
{
	struct pb_status status;

	bench.sequence++;
	status = bench_status();
	pb_sample_derive(&sample);
	bench_hand_up(pack, (struct pb_reading){.new_reading = true,
						.new_status = true,
						.sample = &sample,
						.status = &status});
}

static inline void bench_read_all(void)
{
	bench_read(PACK_A, bench_sample());
	bench_read(PACK_B, bench_sample());
}

static inline const struct pb_battery *bench_battery(int battery)
{
	return pb_plant_battery(bench.plant, (size_t)battery, bench.now_ms);
}

/* The poll of a pack fails. */
static inline void bench_fail(int pack, enum pb_error error)
{
	const struct pb_sample *sample = &bench_battery(pack)->sample;
	struct pb_status status = bench_battery(pack)->status;

	status.last_error = error;
	status.connected = false;
	bench_hand_up(pack,
		      (struct pb_reading){.new_status = true, .sample = sample, .status = &status});
}
