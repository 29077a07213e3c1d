/* SPDX-License-Identifier: MIT */
/* Control of packs from the plant's side: banks, limits, notes, a reload, the end. */
#include "plant_bench.h"
#include "suite.h"

static bool locked[PACKS][2];

static struct pb_sample sample_of(int pack)
{
	struct pb_sample s = bench_sample();

	s.current_ma = 0;
	s.has |= PB_HAS(PB_HAS_CHARGE_SWITCH) | PB_HAS(PB_HAS_DISCHARGE_SWITCH);
	s.charge_fet = s.charge_switch = !locked[pack][0];
	s.discharge_fet = s.discharge_switch = !locked[pack][1];
	return s;
}

/* Half a second passes. A command that is under way is obeyed, and all packs are read. */
static void turn(void)
{
	bench_wait(500);
	for (int i = 0; i < PACKS; i++) {
		if (bench.result[i].state == PB_COMMAND_RUNNING) {
			bench.result[i].state = PB_COMMAND_DONE;
			bench.result[i].sent_ms = bench.now_ms - 1;
			if (bench.command[i].change_charge)
				locked[i][0] = bench.command[i].inhibit_charge;
			if (bench.command[i].change_discharge)
				locked[i][1] = bench.command[i].inhibit_discharge;
		}
		bench_read(i, sample_of(i));
	}
}

static void turns(int count)
{
	while (count-- > 0)
		turn();
}

static void setup(void)
{
	memset(locked, 0, sizeof(locked));
	bench_setup();
	for (int i = 0; i < PACKS; i++) {
		bench.controls[i] = (struct pb_control_setup){
			.mode = PB_CONTROL_BOTH, .lease_s = 60, .min_s = 2, .per_hour = 60};
		bench.setup[i].control = &bench.controls[i];
	}
	bench_reload();
	turn();
	bench.of = "a";
}

static enum pb_exception ask(int battery, struct pb_control_request request)
{
	enum pb_exception r;

	if (!request.owner)
		request.owner = "10.0.0.1";
	r = pb_plant_control(bench.plant, (size_t)battery, &request, bench.now_ms);
	if (r == PB_EXCEPTION_NONE)
		bench.deadline_ms = bench.now_ms + 1; /* as a site does by due() */
	return r;
}

static enum pb_exception charge(int battery, bool inhibit)
{
	return ask(battery,
		   (struct pb_control_request){.has_charge = true, .inhibit_charge = inhibit});
}

static enum pb_exception discharge(int battery, bool inhibit)
{
	return ask(battery, (struct pb_control_request){.has_discharge = true,
							.inhibit_discharge = inhibit});
}

static const struct pb_control *told(int battery)
{
	return &bench_battery(battery)->control;
}

#define EXPECT(battery, state_, reason_)                                                           \
	do {                                                                                       \
		ck_assert_int_eq(told(battery)->state, PB_CONTROL_STATE_##state_);                 \
		ck_assert_int_eq(told(battery)->reason, PB_CONTROL_REASON_##reason_);              \
	} while (0)

START_TEST(limits_drop_before_the_command)
{
	ck_assert(bench_battery(PACK_A)->limits.charge_allowed);
	ck_assert_int_eq(charge(PACK_A, true), PB_EXCEPTION_NONE);
	ck_assert_uint_eq(bench.dues, 1);
	EXPECT(PACK_A, PENDING, LIMITS);
	ck_assert_int_eq(bench_battery(PACK_A)->limits.charge_current_ma, 0);
	ck_assert_int_eq(bench_battery(PACK_A)->limits.charge_current_reason, PB_REASON_CONTROL);
	ck_assert(bench_battery(PACK_A)->limits.discharge_allowed);
	/* the other pack alone carries the bank */
	ck_assert_int_eq(bench_battery(BANK_ALL)->limits.charge_current_ma,
			 bench_battery(PACK_B)->limits.charge_current_ma);
	ck_assert_int_eq(bench_battery(BANK_ALL)->members.packs_charge, 1);
	turns(9);
	ck_assert_uint_eq(bench.commands, 0);
	turns(2);
	ck_assert_uint_eq(bench.commands, 1);
	EXPECT(PACK_A, CONFIRMED, NONE);
	/* our own lock is no alarm */
	ck_assert_int_eq(bench_battery(PACK_A)->alarms.level[PB_ALARM_SWITCHED_OFF], 0);
}
END_TEST

START_TEST(notes)
{
	bench.lines = 0;
	charge(PACK_A, true);
	ck_assert_uint_eq(
		bench_lines("pack a: 10.0.0.1 inhibits charging, lease 60 s; before: nothing"), 1);
	ck_assert_uint_eq(bench_lines("pack a: control is pending: the limits of the bank drop "
				      "first; inhibited: charging by 10.0.0.1"),
			  1);
	turns(13);
	ck_assert_uint_eq(bench_lines("pack a: sends a command: charge switch open"), 1);
	ck_assert_uint_eq(
		bench_lines("pack a: control is confirmed; inhibited: charging by 10.0.0.1"), 1);
	charge(PACK_A, false);
	ck_assert_uint_eq(
		bench_lines("pack a: 10.0.0.1 inhibits nothing any more; before: charging"), 1);
	turns(2);
	charge(PACK_A, true);
	turns(130);
	ck_assert_uint_eq(bench_lines("pack a: the lease of 10.0.0.1 has ended, nothing is "
				      "inhibited any more; before: charging"),
			  1);
	EXPECT(PACK_A, IDLE, LEASE_ENDED);
	ck_assert(!locked[PACK_A][0]);
}
END_TEST

/* Each change, but not without end. */
START_TEST(notes_have_a_bound)
{
	bench.lines = 0;
	for (int i = 0; i < 200; i++)
		charge(PACK_A, i % 2 == 0);
	ck_assert_uint_gt(bench.lines, 25);
	ck_assert_uint_lt(bench.lines, 40);
	turns(130);
	ck_assert_ptr_nonnull(strstr(bench.line[bench.lines - 1].text, "control changed"));
}
END_TEST

START_TEST(exceptions)
{
	ck_assert_int_eq(
		ask(PACK_A, (struct pb_control_request){.has_lease = true, .lease_s = 65535}),
		PB_EXCEPTION_ILLEGAL_VALUE);
	charge(PACK_B, true);
	ck_assert_int_eq(ask(BANK_ALL, (struct pb_control_request){.owner = "10.0.0.2",
								   .has_charge = true,
								   .inhibit_charge = true}),
			 PB_EXCEPTION_DEVICE_BUSY);
	ck_assert(!told(PACK_A)->inhibit_charge); /* to all or to none */
	bench.setup[PACK_A].control = NULL;
	bench_reload();
	ck_assert_int_eq(charge(PACK_A, true), PB_EXCEPTION_ILLEGAL_ADDRESS);
	ck_assert_int_eq(charge(BANK_ALL, true), PB_EXCEPTION_ILLEGAL_ADDRESS);
	EXPECT(PACK_A, OFF, NOT_ENABLED);
	EXPECT(BANK_ALL, OFF, NOT_ENABLED);
}
END_TEST

START_TEST(a_bank_as_a_whole)
{
	ck_assert_int_eq(discharge(BANK_ALL, true), PB_EXCEPTION_NONE);
	ck_assert(told(BANK_ALL)->inhibit_discharge);
	turns(13);
	ck_assert_uint_eq(bench.commands, 2);
	EXPECT(BANK_ALL, CONFIRMED, NONE);
	ck_assert_str_eq(told(BANK_ALL)->owner, "10.0.0.1");
	ck_assert_uint_le(told(BANK_ALL)->lease_s, 54);
	discharge(PACK_A, false);
	turns(3);
	ck_assert_str_eq(told(BANK_ALL)->owner, "several");
	ck_assert(!told(BANK_ALL)->inhibit_discharge);
}
END_TEST

START_TEST(keep_closed)
{
	bench.setup[BANK_ALL].keep_closed = 1;
	bench_reload();
	charge(PACK_A, true);
	charge(PACK_B, true);
	turns(20);
	EXPECT(PACK_A, CONFIRMED, NONE);
	EXPECT(PACK_B, PENDING, KEEP_CLOSED);
	charge(PACK_A, false);
	turns(20);
	EXPECT(PACK_B, CONFIRMED, NONE);
}
END_TEST

START_TEST(keep_closed_of_a_whole_bank)
{
	bench.setup[BANK_ALL].keep_closed = 1;
	bench_reload();
	charge(BANK_ALL, true);
	turns(20);
	EXPECT(BANK_ALL, PENDING, KEEP_CLOSED);
	ck_assert_uint_eq(bench.commands, 0);
}
END_TEST

/* A stale pack counts as open. */
START_TEST(the_last_source)
{
	discharge(PACK_A, true);
	turns(13);
	EXPECT(PACK_A, CONFIRMED, NONE);
	discharge(PACK_B, true);
	turns(13);
	EXPECT(PACK_B, PENDING, LAST_SOURCE);
	charge(PACK_B, true);
	turns(13);
	ck_assert(locked[PACK_B][0] && !locked[PACK_B][1]);
}
END_TEST

START_TEST(series)
{
	bench.banks[BANK_ALL].topology = PB_TOPOLOGY_SERIES;
	discharge(PACK_A, true);
	turns(13);
	EXPECT(PACK_A, PENDING, LAST_SOURCE);
	discharge(BANK_ALL, true);
	turns(13);
	EXPECT(BANK_ALL, CONFIRMED, NONE);
}
END_TEST

START_TEST(a_reload_goes_on)
{
	charge(PACK_A, true);
	turns(5);
	bench_reload();
	EXPECT(PACK_A, PENDING, LIMITS);
	turns(8);
	EXPECT(PACK_A, CONFIRMED, NONE);
	bench.lines = 0;
	bench_reload();
	EXPECT(PACK_A, CONFIRMED, NONE);
	ck_assert_uint_eq(bench.lines, 0);
	turns(130);
	EXPECT(PACK_A, IDLE, LEASE_ENDED);
	ck_assert(!locked[PACK_A][0]);
}
END_TEST

START_TEST(a_reload_without_control)
{
	size_t commands;

	charge(PACK_A, true);
	turns(13);
	commands = bench.commands;
	bench.setup[PACK_A].control = NULL;
	bench.lines = 0;
	bench_reload();
	ck_assert_uint_eq(bench_lines("pack a: charging stays inhibited by the pack's switch: "
				      "packbridge opened it, and may not close it any more"),
			  1);
	EXPECT(PACK_A, OFF, NOT_ENABLED);
	turns(200);
	ck_assert_uint_eq(bench.commands, commands);
}
END_TEST

START_TEST(a_reload_with_another_reader)
{
	charge(PACK_A, true);
	turns(13);
	bench.setup[PACK_A].keep = false;
	bench.setup[PACK_A].same_link = true;
	bench_reload();
	EXPECT(PACK_A, PENDING, STALE);
	bench.result[PACK_A] = (struct pb_command_status){0};
	turn();
	EXPECT(PACK_A, CONFIRMED, NONE);
	bench.setup[PACK_A].same_link = false;
	bench_reload();
	turn();
	EXPECT(PACK_A, FOREIGN, FOREIGN); /* another pack, as far as is known */
}
END_TEST

START_TEST(the_end)
{
	charge(PACK_A, true);
	turns(13);
	ck_assert(pb_plant_holds(bench.plant, PACK_A));
	bench_step((struct pb_plant_event){.type = PB_PLANT_LET_GO, .battery = PB_PLANT_ALL});
	ck_assert(pb_plant_is_closing(bench.plant));
	ck_assert_int_eq(charge(PACK_B, true), PB_EXCEPTION_DEVICE_BUSY);
	bench.deadline_ms = bench.now_ms + 1;
	turns(2);
	ck_assert(!pb_plant_is_closing(bench.plant));
	ck_assert(!pb_plant_holds(bench.plant, PACK_A));
	ck_assert(!locked[PACK_A][0]);
}
END_TEST

int main(void)
{
	TCase *tests = tcase_create("control");

	tcase_add_checked_fixture(tests, setup, bench_teardown);
	tcase_add_test(tests, limits_drop_before_the_command);
	tcase_add_test(tests, notes);
	tcase_add_test(tests, notes_have_a_bound);
	tcase_add_test(tests, exceptions);
	tcase_add_test(tests, a_bank_as_a_whole);
	tcase_add_test(tests, keep_closed);
	tcase_add_test(tests, keep_closed_of_a_whole_bank);
	tcase_add_test(tests, the_last_source);
	tcase_add_test(tests, series);
	tcase_add_test(tests, a_reload_goes_on);
	tcase_add_test(tests, a_reload_without_control);
	tcase_add_test(tests, a_reload_with_another_reader);
	tcase_add_test(tests, the_end);
	return pb_run_suite("plant_control", tests);
}
