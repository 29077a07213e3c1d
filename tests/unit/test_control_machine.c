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

int main(void)
{
	TCase *tests = tcase_create("machine");

	tcase_add_checked_fixture(tests, setup, NULL);
	tcase_add_test(tests, a_wish_is_confirmed);
	tcase_add_test(tests, a_lease_ends);
	return pb_run_suite("control", tests);
}
