/* SPDX-License-Identifier: MIT */
/* What one plant takes over from another. */
#include "plant_bench.h"
#include "suite.h"

#include <errno.h>

START_TEST(readings_and_status)
{
	bench.rssi_dbm = -60;
	bench_read(PACK_A, bench_sample());
	bench_wait(3000);
	bench_reload();
	ck_assert_int_eq(bench_battery(PACK_A)->quality, PB_QUALITY_GOOD);
	ck_assert_uint_eq(bench_battery(PACK_A)->age_s, 3);
	ck_assert_uint_eq(bench_battery(PACK_A)->status.sequence, bench.sequence);
	ck_assert_int_eq(bench_battery(PACK_A)->sample.voltage_mv, 13200);
	ck_assert_str_eq(bench_battery(PACK_A)->protocol, "jbd");
	ck_assert_uint_eq(bench_battery(PACK_A)->link_has, 1);
	ck_assert_int_eq(bench_battery(PACK_A)->rssi_dbm, -60);
	ck_assert_str_eq(pb_plant_pack(bench.plant, PACK_A)->state, "connected");
	ck_assert(bench_battery(PACK_A)->limits.charge_allowed);
	ck_assert_int_eq(bench_battery(PACK_B)->quality, PB_QUALITY_NEVER);
	ck_assert_uint_eq(pb_plant_summary(bench.plant).good, 1);
	/* the deadline of its reading came along */
	ck_assert_uint_eq(bench.deadline_ms, bench.now_ms - 3000 + 1000 * STALE_S);
	ck_assert_uint_eq(bench.lines, 0);
}
END_TEST

/* A pack that is read another way from now on is a new one. */
START_TEST(another_pack)
{
	bench_read_all();
	bench.setup[PACK_A].keep = false;
	bench_reload();
	ck_assert_int_eq(bench_battery(PACK_A)->quality, PB_QUALITY_NEVER);
	ck_assert_uint_eq(bench_battery(PACK_A)->status.sequence, 0);
	ck_assert_str_eq(bench_battery(PACK_A)->protocol, "auto");
	ck_assert_int_eq(bench_battery(PACK_B)->quality, PB_QUALITY_GOOD);
}
END_TEST

START_TEST(latched_alarms)
{
	struct pb_sample fault = bench_sample();
	struct pb_plant_alarm alarm;
	uint64_t since_ms = bench.now_ms;

	bench.alarms[PACK_A].latch = true;
	fault.protection_mask = 1 << PB_PROTECT_SHORT_CIRCUIT;
	bench_read(PACK_A, fault);
	bench_read(PACK_A, bench_sample());
	ck_assert_uint_eq(bench.lines, 1);
	bench_wait(1000);
	bench_reload();
	ck_assert_int_eq(bench_battery(PACK_A)->alarms.severity, PB_LEVEL_ALARM);
	ck_assert_int_eq(bench_battery(BANK_ALL)->alarms.severity, PB_LEVEL_ALARM);
	ck_assert(pb_plant_alarm(bench.plant, PACK_A, PB_ALARM_PROTECTION, &alarm));
	ck_assert_uint_eq(alarm.since_ms, since_ms);
	ck_assert_uint_eq(bench.lines, 1); /* nothing is noted again */
	bench_step((struct pb_plant_event){.type = PB_PLANT_RESET, .battery = PACK_A});
	ck_assert_int_eq(bench_battery(PACK_A)->alarms.severity, PB_LEVEL_NONE);
}
END_TEST

/* How long a value has been beyond its limit, too. */
START_TEST(alarms_that_begin)
{
	struct pb_sample high = bench_sample();

	high.cell_mv[2] = 3640;
	bench_read(PACK_A, high);
	bench_wait(4000);
	bench_reload();
	ck_assert_uint_eq(bench.deadline_ms, bench.now_ms + 1000);
	bench_wait(1000);
	ck_assert_str_eq(bench_last(), "pack a: warning: cell_high, cell 3 at 3.640 V");
}
END_TEST

/* What a silent pack reported last about its cells is kept, too. */
START_TEST(states_of_cells)
{
	struct pb_sample high = bench_sample();

	high.cell_mv[2] = 3640;
	bench_read(PACK_A, high);
	bench_wait(1000 * STALE_S);
	ck_assert_int_eq(bench_battery(PACK_A)->alarms.cell[2], PB_NORMAL_HIGH);
	bench_reload();
	ck_assert_int_eq(bench_battery(PACK_A)->alarms.cell[2], PB_NORMAL_HIGH);
	ck_assert_uint_eq(bench_battery(PACK_A)->alarms.cell_has, 0xF);
}
END_TEST

START_TEST(sequence_of_a_bank)
{
	bench_read_all();
	bench_read_all();
	ck_assert_uint_eq(bench_battery(BANK_ALL)->status.sequence, 4);
	ck_assert_uint_eq(bench_battery(BANK_STRICT)->status.sequence, 3);
	bench_reload();
	ck_assert_uint_eq(bench_battery(BANK_ALL)->status.sequence, 4);
	ck_assert_uint_eq(bench_battery(BANK_STRICT)->status.sequence, 3);
	bench_read(PACK_A, bench_sample());
	ck_assert_uint_eq(bench_battery(BANK_ALL)->status.sequence, 5);
}
END_TEST

/* Of packs that were read: it has a reading, so it is not "never read". */
START_TEST(a_new_bank)
{
	bench_read_all();
	bench.setup[BANK_ALL].name = "other";
	bench_reload();
	ck_assert_int_eq(bench_battery(BANK_ALL)->quality, PB_QUALITY_GOOD);
	ck_assert_uint_eq(bench_battery(BANK_ALL)->status.sequence, 1);
	ck_assert_uint_eq(bench_battery(BANK_ALL)->age_s, 0);
}
END_TEST

/* It was read under another configuration, but none of the packs that it has now. */
START_TEST(a_bank_of_packs_never_read)
{
	bench_read_all();
	bench.setup[PACK_A].keep = bench.setup[PACK_B].keep = false;
	bench_reload();
	ck_assert_int_eq(bench_battery(BANK_ALL)->quality, PB_QUALITY_NEVER);
	ck_assert_uint_eq(bench_battery(BANK_ALL)->age_s, 65535);
	bench_read(PACK_A, bench_sample());
	ck_assert_uint_eq(bench_battery(BANK_ALL)->age_s, 0);
	/* this one would need both of them */
	ck_assert_int_eq(bench_battery(BANK_STRICT)->quality, PB_QUALITY_NEVER);
	ck_assert_uint_eq(bench_battery(BANK_STRICT)->age_s, 65535);
}
END_TEST

/* Its state was known, so a pack that is read anew is missing at once. */
START_TEST(a_bank_that_lacks_a_pack)
{
	bench.of = "all";
	bench_read_all();
	bench.setup[PACK_A].keep = false;
	bench_reload();
	ck_assert_uint_eq(bench.lines, 1);
	ck_assert_str_eq(bench_last(), "bank all: 1 of 2 packs with a good reading");
}
END_TEST

/* A bank that has the name of what was a pack is none of it. */
START_TEST(a_bank_for_a_pack)
{
	bench_read_all();
	bench.setup[PACK_A].name = "all";
	bench.setup[BANK_ALL].name = "a";
	bench_reload();
	ck_assert_int_eq(bench_battery(PACK_A)->quality, PB_QUALITY_NEVER);
	ck_assert_str_eq(bench_battery(BANK_ALL)->protocol, "bank");
	ck_assert_uint_eq(bench_battery(BANK_ALL)->status.sequence, 1);
	ck_assert_int_eq(bench_battery(BANK_ALL)->members.packs_online, 1);
}
END_TEST

/* A current that has just fallen waits before it rises, across a reload. */
START_TEST(limits_in_progress)
{
	struct pb_sample off = bench_sample();

	bench_read(PACK_A, bench_sample());
	off.charge_fet = false;
	bench_read(PACK_A, off);
	ck_assert_int_eq(bench_battery(PACK_A)->limits.charge_current_ma, 0);
	bench_reload();
	bench_wait(1000);
	bench_read(PACK_A, bench_sample());
	ck_assert_int_eq(bench_battery(PACK_A)->limits.charge_current_ma, 0);
	ck_assert_int_eq(bench_battery(PACK_A)->limits.charge_current_reason, PB_REASON_RISING);
}
END_TEST

/* Whether it was allowed is known from before, so a change is noted. */
START_TEST(limits_are_noted)
{
	bench_read(PACK_A, bench_sample());
	bench.of = "a";
	bench.limits[PACK_A].charge_by_soc =
		(struct pb_curve){.count = 1, .points = {{.at = 0, .permille = 0}}};
	bench_reload();
	ck_assert_uint_eq(bench.lines, 1);
	ck_assert_str_eq(bench_last(), "pack a: no more charging: state of charge");
}
END_TEST

START_TEST(unchanged)
{
	bench_read(PACK_A, bench_sample());
	bench_wait(10000);
	bench_read(PACK_A, bench_sample());
	bench_reload();
	ck_assert(pb_battery_has(bench_battery(PACK_A), PB_HAS_UNCHANGED));
	ck_assert_uint_eq(bench_battery(PACK_A)->unchanged_s, 10);
	bench_wait(10000);
	bench_read(PACK_A, bench_sample());
	ck_assert_uint_eq(bench_battery(PACK_A)->unchanged_s, 20);
}
END_TEST

/* What was noted in the running minute is not noted again because of a reload. */
START_TEST(repeated_notes)
{
	struct pb_sample fault = bench_sample();

	fault.protection_mask = 1 << PB_PROTECT_SHORT_CIRCUIT;
	bench.of = "a";
	for (int i = 0; i < 4; i++) {
		bench_read(PACK_A, fault);
		bench_read(PACK_A, bench_sample());
	}
	ck_assert_uint_eq(bench.lines, 2); /* the alarm and its end */
	bench_reload();
	bench_read(PACK_A, fault);
	ck_assert_uint_eq(bench.lines, 2);
}
END_TEST

/* A bank that lacks a pack, or whose packs do not fit, is not noted again either. */
START_TEST(notes_of_banks)
{
	struct pb_sample three = bench_sample();

	three.cell_count = 3;
	bench.of = "all";
	bench_read(PACK_A, bench_sample());
	bench_read(PACK_B, three);
	ck_assert_uint_eq(bench.lines, 1);
	/* what flaps is noted once, and counted */
	for (int i = 0; i < 3; i++) {
		bench_read(PACK_B, bench_sample());
		bench_read(PACK_B, three);
	}
	ck_assert_uint_eq(bench_lines("bank all: packs have one voltage again"), 1);
	ck_assert_uint_eq(bench_lines("bank all: packs in parallel differ in cells or voltage: no "
				      "current is allowed"),
			  1);
	bench_wait(STALE_S * 1000);
	bench_read(PACK_B, three);
	bench.lines = 0;
	bench_reload();
	bench_read(PACK_B, three);
	ck_assert_msg(bench.lines == 0, "%s", bench_last());
}
END_TEST

/* ---- what clients wrote ---- */

static const char map_text[] = "map: m\n"
			       "version: 1\n"
			       "title: t\n"
			       "scope: pack\n"
			       "blocks:\n"
			       "  - name: places\n"
			       "    tables: [holding]\n"
			       "    addr: 10\n"
			       "    count: 1\n"
			       "    always: true\n"
			       "    rows:\n"
			       "      - {addr: 10, type: u16, value: 7, access: rw}\n"
			       "  - name: flags\n"
			       "    tables: [coil]\n"
			       "    addr: 3\n"
			       "    count: 1\n"
			       "    always: true\n"
			       "    rows:\n"
			       "      - {addr: 3, type: coil, value: 0, access: rw}\n";

static size_t ask(const uint8_t *pdu, size_t len, uint8_t *reply)
{
	struct pb_unit_table *table = pb_plant_table(bench.plant, 1);

	return pb_modbus_reply(NULL, pb_plant_image(table, 9, bench.now_ms), pdu, len, reply);
}

static unsigned int read_register(void)
{
	static const uint8_t pdu[] = {PB_FC_READ_HOLDING_REGISTERS, 0, 10, 0, 1};
	uint8_t reply[PB_PDU_MAX];

	ck_assert_uint_eq(ask(pdu, sizeof(pdu), reply), 4);
	return pb_get_be16(reply + 2);
}

START_TEST(writes)
{
	static const uint8_t write_register[] = {PB_FC_WRITE_REGISTER, 0, 10, 0, 42};
	static const uint8_t write_coil[] = {PB_FC_WRITE_COIL, 0, 3, 0xFF, 0};
	struct pb_report report = {0};
	struct pb_map *map;
	uint8_t reply[PB_PDU_MAX];

	ck_assert_int_eq(pb_map_parse(&map, "m.yaml", map_text, strlen(map_text), &report), 0);
	ck_assert_int_eq(pb_plant_add_unit(bench.plant, 1, 9, PACK_A, map), 0);
	ck_assert_uint_eq(read_register(), 7);
	ck_assert_uint_eq(ask(write_register, sizeof(write_register), reply), 5);
	ck_assert_uint_eq(read_register(), 42);
	ck_assert_uint_eq(bench.lines, 0);
	/* noted for those who look for it */
	pb_log_set_level(PB_LOG_DEBUG);
	ck_assert_uint_eq(ask(write_register, sizeof(write_register), reply), 5);
	ck_assert_str_eq(bench_last(), "a: register 10 of map m is written: 42");
	ck_assert_int_eq(bench.line[0].level, PB_LOG_DEBUG);
	ck_assert_uint_eq(ask(write_coil, sizeof(write_coil), reply), 5);
	ck_assert_str_eq(bench_last(), "a: coil 3 of map m is written: 1");
	pb_log_set_level(PB_LOG_INFO);
	/* the other plant has the unit elsewhere, and another battery by the same map */
	struct pb_plant *next = bench_plant();
	ck_assert_int_eq(pb_plant_add_unit(next, 1, 8, PACK_B, map), 0);
	ck_assert_int_eq(pb_plant_add_unit(next, 1, 9, PACK_A, map), 0);
	pb_plant_take(next, bench.plant);
	pb_plant_free(bench.plant);
	bench.plant = next;
	bench_start();
	ck_assert_uint_eq(read_register(), 42);
	ck_assert_int_eq(pb_plant_add_unit(bench.plant, 1, 9, PACK_B, map), 0);
	ck_assert_uint_eq(read_register(), 7);
	bench.plant = pb_plant_free(bench.plant);
	pb_map_free(map);
}
END_TEST

int main(void)
{
	TCase *tcase = tcase_create("reload");

	tcase_add_checked_fixture(tcase, bench_setup, bench_teardown);
	tcase_add_test(tcase, readings_and_status);
	tcase_add_test(tcase, another_pack);
	tcase_add_test(tcase, latched_alarms);
	tcase_add_test(tcase, alarms_that_begin);
	tcase_add_test(tcase, states_of_cells);
	tcase_add_test(tcase, sequence_of_a_bank);
	tcase_add_test(tcase, a_new_bank);
	tcase_add_test(tcase, a_bank_of_packs_never_read);
	tcase_add_test(tcase, a_bank_that_lacks_a_pack);
	tcase_add_test(tcase, a_bank_for_a_pack);
	tcase_add_test(tcase, limits_in_progress);
	tcase_add_test(tcase, limits_are_noted);
	tcase_add_test(tcase, unchanged);
	tcase_add_test(tcase, repeated_notes);
	tcase_add_test(tcase, notes_of_banks);
	tcase_add_test(tcase, writes);
	return pb_run_suite("plant/reload", tcase);
}
