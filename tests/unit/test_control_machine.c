/* SPDX-License-Identifier: MIT */
/* The state machine of one pack's switches: wishes, proofs, leases, interlocks. */
#include "control_bench.h"
#include "suite.h"

#include <errno.h>

static struct control_bench b;

static void setup(void)
{
	bench_init(&b);
	bench_wait(&b, 1500);
}

static struct pb_control told(void)
{
	struct pb_control control;

	pb_control_tell(&b.machine, b.now_ms, &control);
	return control;
}

static void expect(enum pb_control_state state, enum pb_control_reason reason)
{
	ck_assert_str_eq(pb_control_state_text((enum pb_control_state)told().state),
			 pb_control_state_text(state));
	ck_assert_str_eq(pb_control_reason_text((enum pb_control_reason)told().reason),
			 pb_control_reason_text(reason));
}

#define EXPECT(state, reason) expect(PB_CONTROL_STATE_##state, PB_CONTROL_REASON_##reason)

START_TEST(a_wish_is_confirmed)
{
	EXPECT(IDLE, NONE);
	ck_assert_int_eq(bench_charge(&b, true), 0);
	EXPECT(WRITING, NONE);
	ck_assert_str_eq(told().owner, "192.168.1.7");
	ck_assert_uint_eq(told().lease_s, 60);
	bench_wait(&b, BENCH_COMMAND_MS);
	EXPECT(VERIFYING, NONE);
	bench_wait(&b, 1);
	EXPECT(CONFIRMED, NONE);
	ck_assert(b.locked[PB_SWITCH_CHARGE]);
	ck_assert(!b.locked[PB_SWITCH_DISCHARGE]);
	ck_assert_uint_eq(b.commands, 1);
	bench_wait(&b, 20000);
	bench_charge(&b, false);
	EXPECT(WRITING, NONE);
	bench_wait(&b, 200);
	EXPECT(IDLE, NONE);
	ck_assert(!b.locked[PB_SWITCH_CHARGE]);
	ck_assert_uint_eq(b.commands, 2);
}
END_TEST

START_TEST(a_lease_ends)
{
	bench_charge(&b, true);
	bench_wait(&b, 59900);
	EXPECT(CONFIRMED, NONE);
	ck_assert_uint_eq(told().lease_s, 1);
	bench_wait(&b, 100);
	EXPECT(EXPIRED, LEASE_ENDED);
	bench_wait(&b, 200);
	EXPECT(IDLE, LEASE_ENDED);
	ck_assert(!b.locked[PB_SWITCH_CHARGE]);
	ck_assert_str_eq(told().owner, "");
	ck_assert_uint_eq(told().lease_s, PB_LEASE_NONE_S);
}
END_TEST

/* ---- the result of a command: a row for each, of an opening and of a closing ---- */

static const struct {
	enum bench_answer answer;
	size_t opens; /* commands until it settles */
	enum pb_control_state open_state;
	enum pb_control_reason open_reason;
	size_t closes;
	enum pb_control_state close_state;
	enum pb_control_reason close_reason;
} results[] = {
	{BENCH_OBEYS, 1, PB_CONTROL_STATE_CONFIRMED, 0, 1, PB_CONTROL_STATE_IDLE, 0},
	{BENCH_LOSES, 1, PB_CONTROL_STATE_CONFIRMED, 0, 1, PB_CONTROL_STATE_IDLE, 0},
	{BENCH_IGNORES, 1, PB_CONTROL_STATE_FAILED, PB_CONTROL_REASON_IGNORED, 1,
	 PB_CONTROL_STATE_FAILED, PB_CONTROL_REASON_IGNORED},
	{BENCH_REFUSES, 1, PB_CONTROL_STATE_FAILED, PB_CONTROL_REASON_REFUSED, 1,
	 PB_CONTROL_STATE_FAILED, PB_CONTROL_REASON_REFUSED},
	{BENCH_IS_SILENT, 2, PB_CONTROL_STATE_FAILED, PB_CONTROL_REASON_UNANSWERED, 1,
	 PB_CONTROL_STATE_FAILED, PB_CONTROL_REASON_UNANSWERED},
	{BENCH_LACKS, 1, PB_CONTROL_STATE_FAILED, PB_CONTROL_REASON_UNSUPPORTED, 1,
	 PB_CONTROL_STATE_FAILED, PB_CONTROL_REASON_UNSUPPORTED},
};

START_TEST(result_of_an_opening)
{
	b.answer = results[_i].answer;
	bench_charge(&b, true);
	bench_wait(&b, 20000);
	expect(results[_i].open_state, results[_i].open_reason);
	ck_assert_uint_eq(b.commands, results[_i].opens);
	bench_charge(&b, true); /* equal values write nothing */
	bench_wait(&b, 30000);
	ck_assert_uint_eq(b.commands, results[_i].opens);
	expect(results[_i].open_state, results[_i].open_reason);
}
END_TEST

START_TEST(result_of_a_closing)
{
	bench_charge(&b, true);
	bench_wait(&b, 20000);
	EXPECT(CONFIRMED, NONE);
	b.commands = 0;
	b.answer = results[_i].answer;
	bench_charge(&b, false);
	bench_wait(&b, 40000);
	expect(results[_i].close_state, results[_i].close_reason);
	ck_assert_uint_eq(b.commands, results[_i].closes);
}
END_TEST

START_TEST(a_failure_lasts_until_a_reset)
{
	b.answer = BENCH_REFUSES;
	bench_charge(&b, true);
	bench_wait(&b, 5000);
	EXPECT(FAILED, REFUSED);
	b.answer = BENCH_OBEYS;
	bench_wait(&b, 20000);
	ck_assert_uint_eq(b.commands, 1);
	bench_ask(&b, (struct pb_control_request){.reset = true});
	bench_wait(&b, 200);
	EXPECT(CONFIRMED, NONE);
	ck_assert_uint_eq(b.commands, 2);
}
END_TEST

START_TEST(a_failure_ends_when_it_is_done_after_all)
{
	b.answer = BENCH_IGNORES;
	bench_charge(&b, true);
	bench_wait(&b, 8000);
	EXPECT(FAILED, IGNORED);
	b.locked[PB_SWITCH_CHARGE] = true;
	bench_wait(&b, 1000);
	EXPECT(CONFIRMED, NONE);
}
END_TEST

START_TEST(nothing_was_sent)
{
	b.answer = BENCH_DROPS;
	bench_charge(&b, true);
	bench_wait(&b, 100);
	EXPECT(PENDING, STALE);
	b.answer = BENCH_OBEYS;
	bench_wait(&b, 1000);
	EXPECT(CONFIRMED, NONE);
	b.r = -ENOTCONN;
	bench_wait(&b, 10000);
	bench_charge(&b, false);
	EXPECT(WRITING, NONE);
	bench_step(&b);
	EXPECT(PENDING, STALE);
	b.r = 0;
	bench_wait(&b, 1500);
	EXPECT(IDLE, NONE);
}
END_TEST

START_TEST(a_reader_that_cannot)
{
	b.r = -EOPNOTSUPP;
	bench_charge(&b, true);
	bench_step(&b);
	EXPECT(FAILED, UNSUPPORTED);
	bench_wait(&b, 20000);
	ck_assert_uint_eq(b.commands, 0);
}
END_TEST

/* ---- readings ---- */

START_TEST(stale_and_lost)
{
	bench_lose(&b);
	bench_step(&b);
	EXPECT(IDLE, STALE);
	bench_charge(&b, true);
	EXPECT(PENDING, STALE);
	bench_wait(&b, 5000);
	ck_assert_uint_eq(b.commands, 0);
	bench_connect(&b);
	ck_assert_uint_eq(b.commands, 0); /* first it is read */
	bench_wait(&b, 1000);
	EXPECT(CONFIRMED, NONE);
	bench_lose(&b);
	bench_step(&b);
	EXPECT(PENDING, STALE);
	bench_wait(&b, 60000); /* the lease ends meanwhile */
	EXPECT(EXPIRED, STALE);
	bench_connect(&b);
	bench_wait(&b, 2000);
	EXPECT(IDLE, LEASE_ENDED);
	ck_assert(!b.locked[PB_SWITCH_CHARGE]);
}
END_TEST

START_TEST(the_link_is_lost_in_a_command)
{
	bench_charge(&b, true);
	bench_wait(&b, 50);
	bench_lose(&b);
	EXPECT(VERIFYING, STALE);
	b.locked[PB_SWITCH_CHARGE] = true; /* it was obeyed */
	bench_wait(&b, 3000);
	bench_connect(&b);
	bench_wait(&b, 1000);
	EXPECT(CONFIRMED, NONE);
	ck_assert_uint_eq(b.commands, 1);
}
END_TEST

START_TEST(a_pack_that_was_restarted)
{
	bench_charge(&b, true);
	bench_wait(&b, 1000);
	b.locked[PB_SWITCH_CHARGE] = false;
	bench_wait(&b, 2000);
	EXPECT(CONFIRMED, NONE);
	ck_assert_uint_eq(b.commands, 2);
}
END_TEST

START_TEST(a_board_that_does_not_tell)
{
	b.hides = true;
	bench_connect(&b);
	bench_wait(&b, 1000);
	bench_charge(&b, true);
	bench_wait(&b, 1000);
	EXPECT(CONFIRMED, NONE);
	bench_wait(&b, 15000);
	bench_charge(&b, false);
	bench_wait(&b, 1000);
	EXPECT(IDLE, NONE);
	ck_assert_uint_eq(b.commands, 2);
	b.protected[PB_SWITCH_DISCHARGE] = true;
	bench_connect(&b);
	bench_wait(&b, 1000);
	bench_charge(&b, true);
	bench_wait(&b, 5000);
	EXPECT(PENDING, UNKNOWN); /* the command would carry both switches */
	ck_assert_uint_eq(b.commands, 2);
}
END_TEST

START_TEST(a_reading_from_before_the_command)
{
	struct pb_command command;

	bench_charge(&b, true);
	b.answer_ms = UINT64_MAX;
	b.result.state = PB_COMMAND_DONE;
	b.result.sent_ms = b.now_ms;
	b.locked[PB_SWITCH_CHARGE] = true;
	bench_measure(&b);
	b.status.sequence++;
	b.status.sampled_ms = b.now_ms;
	pb_control_step(&b.machine, &b.facts, b.now_ms, &command);
	EXPECT(VERIFYING, NONE);
}
END_TEST

START_TEST(a_refusal_is_no_proof)
{
	bench_charge(&b, true);
	bench_wait(&b, 20000);
	b.answer = BENCH_REFUSES;
	bench_charge(&b, false);
	bench_charge(&b, true); /* while the closing is under way */
	bench_wait(&b, BENCH_COMMAND_MS);
	EXPECT(PENDING, UNKNOWN);
	bench_wait(&b, 1);
	EXPECT(CONFIRMED, NONE);
	ck_assert_uint_eq(b.commands, 2);
}
END_TEST

/* ---- foreign locks ---- */

START_TEST(a_foreign_lock)
{
	b.locked[PB_SWITCH_CHARGE] = true;
	bench_wait(&b, 1000);
	EXPECT(FOREIGN, FOREIGN);
	bench_charge(&b, false); /* as a cyclic master does */
	bench_wait(&b, 20000);
	EXPECT(FOREIGN, FOREIGN);
	ck_assert_uint_eq(b.commands, 0);
	bench_charge(&b, true);
	EXPECT(CONFIRMED, NONE);
	bench_wait(&b, 60000); /* the lease ends: it was not opened here */
	EXPECT(FOREIGN, FOREIGN);
	ck_assert_uint_eq(b.commands, 0);
}
END_TEST

START_TEST(a_foreign_lock_is_released_on_request)
{
	static const struct pb_control_request requests[] = {
		{.local = true, .give_back = true},
		{.reset = true},
		{.has_charge = true},
	};

	b.locked[PB_SWITCH_CHARGE] = true;
	bench_wait(&b, 1000);
	if (requests[_i].has_charge)
		bench_charge(&b, true);
	ck_assert_int_eq(bench_ask(&b, requests[_i]), 0);
	bench_wait(&b, 1000);
	EXPECT(IDLE, NONE);
	ck_assert_uint_eq(b.commands, 1);
}
END_TEST

START_TEST(a_request_ends_with_the_connection)
{
	b.locked[PB_SWITCH_CHARGE] = true;
	bench_wait(&b, 1000);
	b.facts.may_send = false;
	bench_ask(&b, (struct pb_control_request){.reset = true});
	bench_lose(&b);
	b.facts.may_send = true;
	bench_connect(&b);
	bench_wait(&b, 3000);
	EXPECT(FOREIGN, FOREIGN);
	ck_assert_uint_eq(b.commands, 0);
}
END_TEST

/* ---- owners and leases ---- */

START_TEST(owners)
{
	struct pb_control_request other = {
		.owner = "192.168.1.8", .has_charge = true, .inhibit_charge = true};

	ck_assert_int_eq(bench_charge(&b, true), 0);
	ck_assert_int_eq(bench_ask(&b, other), -EBUSY);
	other.local = true;
	other.owner = "local";
	other.inhibit_charge = true;
	ck_assert_int_eq(bench_ask(&b, other), 0);
	bench_wait(&b, 1000);
	EXPECT(LOCAL, NONE);
	ck_assert_uint_eq(told().lease_s, PB_LEASE_NONE_S);
	ck_assert_int_eq(bench_charge(&b, false), -EBUSY);
	bench_wait(&b, 120000);
	EXPECT(LOCAL, NONE);
	bench_ask(&b, (struct pb_control_request){.local = true, .give_back = true});
	bench_wait(&b, 1000);
	EXPECT(IDLE, NONE);
	ck_assert_str_eq(told().owner, "");
	ck_assert_int_eq(bench_charge(&b, true), 0);
}
END_TEST

START_TEST(a_person_keeps_it_closed)
{
	b.protected[PB_SWITCH_CHARGE] = true;
	bench_ask(&b, (struct pb_control_request){.local = true, .has_charge = true});
	bench_wait(&b, 1000);
	EXPECT(OVERRIDDEN, PROTECTION);
	b.protected[PB_SWITCH_CHARGE] = false;
	bench_wait(&b, 1000);
	EXPECT(LOCAL, NONE);
	ck_assert_uint_eq(b.commands, 0);
}
END_TEST

START_TEST(leases)
{
	bench_ask(&b, (struct pb_control_request){.has_lease = true, .lease_s = 100});
	ck_assert_uint_eq(told().lease_s, PB_LEASE_NONE_S);
	bench_charge(&b, true);
	ck_assert_uint_eq(told().lease_s, 100);
	bench_wait(&b, 90000);
	ck_assert_uint_eq(told().lease_s, 10);
	bench_charge(&b, true);
	ck_assert_uint_eq(told().lease_s, 100);
	bench_ask(&b, (struct pb_control_request){.has_lease = true, .lease_s = 5});
	ck_assert_uint_eq(told().lease_s, 5);
	bench_ask(&b, (struct pb_control_request){.has_lease = true});
	ck_assert_uint_eq(told().lease_s, PB_LEASE_NONE_S);
	ck_assert_int_eq(
		bench_ask(&b, (struct pb_control_request){.has_lease = true, .lease_s = 65535}),
		-EINVAL);
}
END_TEST

START_TEST(a_lease_that_keeps)
{
	b.setup.lease_end = PB_LEASE_KEEP;
	bench_charge(&b, true);
	bench_wait(&b, 100000);
	EXPECT(EXPIRED, LEASE_ENDED);
	ck_assert(b.locked[PB_SWITCH_CHARGE]);
	ck_assert(!told().inhibit_charge);
	bench_charge(&b, false);
	bench_wait(&b, 1000);
	EXPECT(IDLE, LEASE_ENDED);
	ck_assert(!b.locked[PB_SWITCH_CHARGE]);
}
END_TEST

START_TEST(modes)
{
	b.setup.mode = PB_CONTROL_CHARGE;
	ck_assert_int_eq(bench_discharge(&b, true), -EPERM);
	ck_assert_int_eq(bench_discharge(&b, false), 0);
	ck_assert_int_eq(bench_charge(&b, true), 0);
	b.setup.mode = PB_CONTROL_OFF;
	ck_assert_int_eq(bench_charge(&b, true), -EPERM);
	bench_step(&b);
	EXPECT(OFF, NOT_ENABLED);
}
END_TEST

/* ---- rates, limits, currents ---- */

START_TEST(closing_waits)
{
	bench_charge(&b, true);
	bench_wait(&b, 1000);
	bench_charge(&b, false);
	EXPECT(PENDING, RATE);
	bench_charge(&b, true);
	EXPECT(CONFIRMED, NONE);
	bench_charge(&b, false);
	bench_wait(&b, 8999);
	ck_assert_uint_eq(b.commands, 1);
	bench_wait(&b, 1000);
	EXPECT(IDLE, NONE);
	ck_assert_uint_eq(b.commands, 2);
}
END_TEST

START_TEST(changes_in_an_hour)
{
	b.setup.per_hour = 4;
	b.setup.lease_s = 0;
	for (int i = 0; i < 4; i++) {
		bench_charge(&b, i % 2 == 0);
		bench_wait(&b, 20000);
	}
	ck_assert_uint_eq(b.commands, 4);
	bench_charge(&b, true);
	EXPECT(PENDING, RATE);
	bench_wait(&b, 3600000 - 80000);
	EXPECT(PENDING, RATE); /* one place: it is for the closing */
	bench_wait(&b, 21000);
	EXPECT(CONFIRMED, NONE);
}
END_TEST

START_TEST(limits_drop_first)
{
	b.facts.in_bank = true;
	bench_charge(&b, true);
	EXPECT(PENDING, LIMITS);
	ck_assert(told().blocks_charge && !told().blocks_discharge);
	bench_wait(&b, PB_CONTROL_LIMITS_MS - 1);
	ck_assert_uint_eq(b.commands, 0);
	bench_wait(&b, 1000);
	EXPECT(CONFIRMED, NONE);
	ck_assert(told().blocks_charge);
	bench_wait(&b, 20000);
	bench_charge(&b, false);
	bench_wait(&b, 1000);
	ck_assert(!told().blocks_charge);
}
END_TEST

START_TEST(a_bank_forbids)
{
	bench_discharge(&b, false);
	b.facts.hold[PB_SWITCH_DISCHARGE] = PB_CONTROL_REASON_KEEP_CLOSED;
	bench_discharge(&b, true);
	EXPECT(PENDING, KEEP_CLOSED);
	ck_assert(pb_control_wants_open(&b.machine, PB_SWITCH_DISCHARGE));
	b.facts.hold[PB_SWITCH_DISCHARGE] = PB_CONTROL_REASON_NONE;
	bench_wait(&b, 2000);
	EXPECT(CONFIRMED, NONE);
}
END_TEST

START_TEST(the_opposite_current)
{
	b.setup.lease_s = 0;
	b.sample.current_ma = -2001;
	bench_charge(&b, true);
	EXPECT(PENDING, OPPOSITE);
	b.sample.current_ma = -2000;
	bench_wait(&b, 2000);
	EXPECT(CONFIRMED, NONE);
	b.sample.current_ma = -5000; /* through the diode */
	bench_wait(&b, 20000);
	EXPECT(PENDING, OPPOSITE);
	ck_assert(!b.locked[PB_SWITCH_CHARGE]);
	ck_assert_uint_eq(b.commands, 2);
	b.sample.current_ma = 0;
	bench_wait(&b, 9000);
	EXPECT(PENDING, OPPOSITE);
	bench_wait(&b, 3000);
	EXPECT(CONFIRMED, NONE);
	ck_assert_uint_eq(b.commands, 3);
}
END_TEST

START_TEST(the_bms_closes_it_again)
{
	bench_discharge(&b, true);
	bench_wait(&b, 1000);
	b.closed[PB_SWITCH_DISCHARGE] = true;
	b.sample.current_ma = 9000;
	bench_wait(&b, 1000);
	EXPECT(OVERRIDDEN, OPPOSITE);
	b.sample.current_ma = 0;
	bench_wait(&b, 1000);
	EXPECT(OVERRIDDEN, BMS);
	b.closed[PB_SWITCH_DISCHARGE] = false;
	bench_wait(&b, 20000);
	EXPECT(CONFIRMED, NONE);
	ck_assert_uint_eq(b.commands, 1);
	b.protected[PB_SWITCH_DISCHARGE] = true;
	bench_discharge(&b, false);
	bench_wait(&b, 5000);
	EXPECT(OVERRIDDEN, PROTECTION);
	b.protected[PB_SWITCH_DISCHARGE] = false;
	bench_wait(&b, 1000);
	EXPECT(IDLE, NONE);
}
END_TEST

/* ---- the end, and another configuration ---- */

START_TEST(the_end)
{
	bench_charge(&b, true);
	bench_wait(&b, 1000);
	pb_control_let_go(&b.machine, &b.setup);
	ck_assert_int_eq(bench_charge(&b, true), -EBUSY);
	bench_step(&b);
	ck_assert(pb_control_is_closing(&b.machine));
	bench_wait(&b, 500); /* no waiting for control_min_s */
	ck_assert(!pb_control_is_closing(&b.machine));
	ck_assert(!pb_control_holds(&b.machine, PB_SWITCH_CHARGE));
	ck_assert(!b.locked[PB_SWITCH_CHARGE]);
}
END_TEST

START_TEST(the_end_without_a_link)
{
	bench_charge(&b, true);
	bench_wait(&b, 1000);
	bench_lose(&b);
	pb_control_let_go(&b.machine, &b.setup);
	bench_step(&b);
	ck_assert(!pb_control_is_closing(&b.machine));
	ck_assert(pb_control_holds(&b.machine, PB_SWITCH_CHARGE));
}
END_TEST

START_TEST(the_end_that_keeps)
{
	b.setup.lease_end = PB_LEASE_KEEP;
	bench_charge(&b, true);
	bench_wait(&b, 1000);
	pb_control_let_go(&b.machine, &b.setup);
	bench_step(&b);
	ck_assert(!pb_control_is_closing(&b.machine));
	ck_assert(pb_control_holds(&b.machine, PB_SWITCH_CHARGE));
	ck_assert_uint_eq(b.commands, 1);
}
END_TEST

START_TEST(another_setup)
{
	bench_discharge(&b, true);
	bench_wait(&b, 1000);
	b.setup.mode = PB_CONTROL_CHARGE;
	pb_control_move(&b.machine, &b.setup, true);
	ck_assert(!told().inhibit_discharge);
	ck_assert_str_eq(told().owner, "");
	bench_wait(&b, 100000);
	ck_assert(b.locked[PB_SWITCH_DISCHARGE]);
	b.setup.mode = PB_CONTROL_OFF;
	pb_control_move(&b.machine, &b.setup, true);
	EXPECT(OFF, NOT_ENABLED);
}
END_TEST

START_TEST(another_reader)
{
	bench_charge(&b, true);
	bench_wait(&b, 1000);
	pb_control_move(&b.machine, &b.setup, false);
	b.status.connects = 1;
	b.status.sequence = 0;
	b.result = (struct pb_command_status){0};
	bench_step(&b);
	EXPECT(PENDING, STALE);
	bench_wait(&b, 1500);
	EXPECT(CONFIRMED, NONE);
	ck_assert_uint_eq(b.commands, 1);
	bench_wait(&b, 60000);
	EXPECT(IDLE, LEASE_ENDED);
}
END_TEST

/* The codec tries another way to the same command: readings count from then on, and as many again.
 */
START_TEST(another_way)
{
	b.answer = BENCH_IGNORES;
	bench_charge(&b, true);
	bench_wait(&b, 2200);
	EXPECT(VERIFYING, NONE);
	b.result.sent_ms = b.now_ms;
	bench_wait(&b, 2000);
	EXPECT(VERIFYING, NONE);
	bench_wait(&b, 2000);
	EXPECT(FAILED, IGNORED);
	ck_assert_uint_eq(b.commands, 1);
}
END_TEST

/* A lock of somebody else does not end with the connection. */
START_TEST(foreign_over_a_lost_link)
{
	b.locked[PB_SWITCH_CHARGE] = true;
	bench_wait(&b, 2000);
	EXPECT(FOREIGN, FOREIGN);
	b.status.connected = false;
	bench_wait(&b, 2000);
	bench_step(&b);
	EXPECT(FOREIGN, STALE);
	b.status.connected = true;
	b.status.connects++;
	b.locked[PB_SWITCH_CHARGE] = false;
	bench_wait(&b, 2000);
	EXPECT(IDLE, NONE);
}
END_TEST

int main(void)
{
	TCase *tests = tcase_create("machine");

	tcase_add_checked_fixture(tests, setup, NULL);
	tcase_add_test(tests, a_wish_is_confirmed);
	tcase_add_test(tests, a_lease_ends);
	tcase_add_loop_test(tests, result_of_an_opening, 0, PB_ARRAY_SIZE(results));
	tcase_add_loop_test(tests, result_of_a_closing, 0, PB_ARRAY_SIZE(results));
	tcase_add_test(tests, a_failure_lasts_until_a_reset);
	tcase_add_test(tests, a_failure_ends_when_it_is_done_after_all);
	tcase_add_test(tests, nothing_was_sent);
	tcase_add_test(tests, a_reader_that_cannot);
	tcase_add_test(tests, stale_and_lost);
	tcase_add_test(tests, the_link_is_lost_in_a_command);
	tcase_add_test(tests, a_pack_that_was_restarted);
	tcase_add_test(tests, a_board_that_does_not_tell);
	tcase_add_test(tests, a_reading_from_before_the_command);
	tcase_add_test(tests, a_refusal_is_no_proof);
	tcase_add_test(tests, a_foreign_lock);
	tcase_add_loop_test(tests, a_foreign_lock_is_released_on_request, 0, 3);
	tcase_add_test(tests, a_request_ends_with_the_connection);
	tcase_add_test(tests, owners);
	tcase_add_test(tests, a_person_keeps_it_closed);
	tcase_add_test(tests, leases);
	tcase_add_test(tests, a_lease_that_keeps);
	tcase_add_test(tests, modes);
	tcase_add_test(tests, closing_waits);
	tcase_add_test(tests, changes_in_an_hour);
	tcase_add_test(tests, limits_drop_first);
	tcase_add_test(tests, a_bank_forbids);
	tcase_add_test(tests, the_opposite_current);
	tcase_add_test(tests, the_bms_closes_it_again);
	tcase_add_test(tests, the_end);
	tcase_add_test(tests, the_end_without_a_link);
	tcase_add_test(tests, the_end_that_keeps);
	tcase_add_test(tests, another_setup);
	tcase_add_test(tests, another_reader);
	tcase_add_test(tests, another_way);
	tcase_add_test(tests, foreign_over_a_lost_link);
	return pb_run_suite("control", tests);
}
