/* SPDX-License-Identifier: MIT */
/*
 * Turns at the slots of adapters: who is next, who is asked to yield, how long a round takes; and
 * fairness in a simulation of packs that take turns, over simulated time.
 */
#include "../../src/link/turns.h"
#include "packbridge/base.h"
#include "suite.h"

#include <string.h>

static const char hci0[] = "hci0", hci1[] = "hci1";

enum { TURNS = 5 };

static struct turns turns;
static struct turn turn[TURNS];

static void begin(void)
{
	turns = (struct turns){0};
	for (size_t i = 0; i < TURNS; i++)
		turns_add(&turns, &turn[i], &turn[i]);
}

/* Gives a turn to one that holds its slot since @since_ms. */
static void hold(size_t i, const void *place, uint64_t since_ms)
{
	turn_wait(&turns, &turn[i], place);
	turn_begin(&turn[i], since_ms);
	turn_up(&turn[i]);
}

START_TEST(first_come_first_served)
{
	static const size_t order[] = {3, 0, 4, 1, 2};

	begin();
	ck_assert_ptr_null(turns_view(&turns, hci0).next);
	for (size_t i = 0; i < TURNS; i++)
		turn_wait(&turns, &turn[order[i]], hci0);
	ck_assert_uint_eq(turns_view(&turns, hci0).waiting, TURNS);
	for (size_t i = 0; i < TURNS; i++) {
		struct turn *next = turns_view(&turns, hci0).next;

		ck_assert_ptr_eq(next, &turn[order[i]]);
		ck_assert_ptr_eq(next->owner, &turn[order[i]]);
		turn_begin(next, i);
		ck_assert_uint_eq(next->since_ms, i);
	}
	ck_assert_ptr_null(turns_view(&turns, hci0).next);
	ck_assert_uint_eq(turns_view(&turns, hci0).held, TURNS);
}
END_TEST

/* Who gives up and comes again stands at the end. */
START_TEST(back_in_the_queue)
{
	begin();
	turn_wait(&turns, &turn[0], hci0);
	turn_wait(&turns, &turn[1], hci0);
	turn_end(&turn[0]);
	ck_assert_ptr_eq(turns_view(&turns, hci0).next, &turn[1]);
	turn_wait(&turns, &turn[0], hci0);
	ck_assert_ptr_eq(turns_view(&turns, hci0).next, &turn[1]);
}
END_TEST

START_TEST(busy_while_taken_and_left)
{
	struct turns_view view;

	begin();
	turn_wait(&turns, &turn[0], hci0);
	ck_assert(!turns_view(&turns, hci0).busy);
	ck_assert(!turn_is_granted(&turn[0]));
	turn_begin(&turn[0], 1);
	ck_assert(turns_view(&turns, hci0).busy);
	ck_assert(turn_is_granted(&turn[0]));
	turn_up(&turn[0]);
	view = turns_view(&turns, hci0);
	ck_assert(!view.busy && view.held == 1 && view.waiting == 0);
	ck_assert(turn_is_granted(&turn[0]));
	turn_leave(&turn[0]);
	view = turns_view(&turns, hci0);
	ck_assert(view.busy && view.held == 1);
	ck_assert(!turn_is_granted(&turn[0]));
	turn_end(&turn[0]);
	view = turns_view(&turns, hci0);
	ck_assert(!view.busy && view.held == 0);
}
END_TEST

START_TEST(places_are_apart)
{
	begin();
	hold(0, hci0, 10);
	turn_wait(&turns, &turn[1], hci1);
	turn_wait(&turns, &turn[2], hci0);
	ck_assert_ptr_eq(turns_view(&turns, hci0).next, &turn[2]);
	ck_assert_ptr_eq(turns_view(&turns, hci1).next, &turn[1]);
	ck_assert_uint_eq(turns_view(&turns, hci1).held, 0);
	ck_assert_uint_eq(turns_claims(&turns, hci0), 2);
	ck_assert_uint_eq(turns_claims(&turns, hci1), 1);
	ck_assert_uint_eq(turns_short(&turns, hci1), 1);
	ck_assert_ptr_null(turns_ask(&turns, hci1));
	ck_assert_ptr_eq(turns_ask(&turns, hci0), &turn[0]);
}
END_TEST

START_TEST(removed)
{
	begin();
	for (size_t i = 0; i < TURNS; i++)
		turn_wait(&turns, &turn[i], hci0);
	turns_remove(&turns, &turn[0]); /* the last of the list */
	turns_remove(&turns, &turn[4]); /* the first */
	turns_remove(&turns, &turn[2]);
	turns_remove(&turns, &turn[2]); /* is not there */
	ck_assert_uint_eq(turns_claims(&turns, hci0), 2);
	ck_assert_ptr_eq(turns_view(&turns, hci0).next, &turn[1]);
}
END_TEST

/* ---- who is asked to yield ---- */

START_TEST(longest_holder_is_asked_first)
{
	static const uint64_t since[TURNS] = {300, 100, 500, 200, 400};
	static const size_t order[TURNS] = {1, 3, 0, 4, 2};

	begin();
	for (size_t i = 0; i < TURNS; i++)
		hold(i, hci0, since[i]);
	for (size_t i = 0; i < TURNS; i++)
		ck_assert_ptr_eq(turns_ask(&turns, hci0), &turn[order[i]]);
	ck_assert_ptr_null(turns_ask(&turns, hci0));
}
END_TEST

START_TEST(only_who_is_up_is_asked)
{
	begin();
	turn_wait(&turns, &turn[0], hci0);
	turn_begin(&turn[0], 1);
	hold(1, hci0, 2);
	turn_leave(&turn[1]);
	hold(2, hci0, 3);
	ck_assert_ptr_eq(turns_ask(&turns, hci0), &turn[2]);
	ck_assert_ptr_null(turns_ask(&turns, hci0));
}
END_TEST

/* Asked once a turn; the next turn begins anew. */
START_TEST(asked_anew_in_the_next_turn)
{
	begin();
	hold(0, hci0, 1);
	ck_assert_ptr_eq(turns_ask(&turns, hci0), &turn[0]);
	turn_leave(&turn[0]);
	turn_end(&turn[0]);
	hold(0, hci0, 2);
	ck_assert(!turn[0].asked);
	ck_assert_ptr_eq(turns_ask(&turns, hci0), &turn[0]);
}
END_TEST

START_TEST(one_is_asked_for_each_that_waits)
{
	begin();
	hold(0, hci0, 1);
	hold(1, hci0, 2);
	ck_assert_uint_eq(turns_short(&turns, hci0), 0);
	turn_wait(&turns, &turn[2], hci0);
	turn_wait(&turns, &turn[3], hci0);
	turn_wait(&turns, &turn[4], hci0);
	ck_assert_uint_eq(turns_short(&turns, hci0), 3);
	turns_ask(&turns, hci0);
	ck_assert_uint_eq(turns_short(&turns, hci0), 2);
	turns_ask(&turns, hci0);
	ck_assert_uint_eq(turns_short(&turns, hci0), 1);
	/* one that leaves counts as before, one that has gone does not */
	turn_leave(&turn[0]);
	ck_assert_uint_eq(turns_short(&turns, hci0), 1);
	turn_end(&turn[0]);
	ck_assert_uint_eq(turns_short(&turns, hci0), 2);
	turn_end(&turn[2]);
	turn_end(&turn[3]);
	turn_end(&turn[4]);
	ck_assert_uint_eq(turns_short(&turns, hci0), 0);
}
END_TEST

/* ---- times ---- */

START_TEST(round_time)
{
	ck_assert_uint_eq(turns_round_ms(1, 1, 6000), 6000);
	ck_assert_uint_eq(turns_round_ms(5, 1, 6000), 30000);
	ck_assert_uint_eq(turns_round_ms(6, 3, 6000), 12000);
	ck_assert_uint_eq(turns_round_ms(7, 3, 6000), 18000); /* the last turn is not full */
	ck_assert_uint_eq(turns_round_ms(2, 8, 6000), 6000);
	ck_assert_uint_eq(turns_round_ms(UINT32_MAX, 1, UINT32_MAX), UINT32_MAX);
	ck_assert_uint_eq(turns_round_ms(2, 1, UINT32_MAX), UINT32_MAX);
	ck_assert_uint_eq(turns_round_ms(1, 1, UINT32_MAX), UINT32_MAX);
}
END_TEST

START_TEST(smooth)
{
	uint32_t ms = turns_smooth(0, 8000);

	ck_assert_uint_eq(ms, 8000);
	ms = turns_smooth(ms, 4000);
	ck_assert_uint_eq(ms, 7000);
	for (int i = 0; i < 30; i++)
		ms = turns_smooth(ms, 4000);
	ck_assert_uint_le(ms, 4003);
	ck_assert_uint_ge(ms, 4000);
	ck_assert_uint_eq(turns_smooth(0, UINT64_C(1) << 40), UINT32_MAX);
	ck_assert_uint_eq(turns_smooth(UINT32_MAX, UINT64_C(1) << 40), UINT32_MAX);
}
END_TEST

/* ---- a simulation ---- */

enum {
	STEP_MS = 100,
	LEAVE_MS = 300,
	PACKS_MAX = 40,
	PLACES_MAX = 3,
};

/* An adapter that serves one pack after another, as src/link/bluez_adapter.c does. */
struct place {
	uint32_t slots;
	uint32_t turn_ms;
};

struct pack {
	struct turn turn;
	uint64_t connect_ms; /* until it is up */
	uint64_t use_ms;     /* it must be up so long before it can yield */
	bool fails;	     /* it never comes up */
	bool quits;	     /* it leaves when it is served, asked or not */
	uint64_t at_ms;	     /* when its state began */
	uint64_t wait_ms;    /* the longest that it ever waited */
	unsigned int served;
};

static struct place places[PLACES_MAX];
static size_t place_count;
static struct pack packs[PACKS_MAX];
static size_t pack_count;

static void sim_begin(size_t count, const uint32_t *slots, size_t slots_count)
{
	memset(packs, 0, sizeof(packs));
	turns = (struct turns){0};
	place_count = slots_count;
	for (size_t i = 0; i < place_count; i++)
		places[i] = (struct place){.slots = slots[i]};
	pack_count = count;
	for (size_t i = 0; i < count; i++) {
		turns_add(&turns, &packs[i].turn, &packs[i]);
		packs[i].connect_ms = 1000;
		packs[i].use_ms = 6000;
	}
}

/* The place where it needs not wait, else the one with most slots a user. */
static struct place *best_place(void)
{
	struct place *best = &places[0];

	for (struct place *p = places; p < places + place_count; p++)
		if (turns_claims(&turns, p) * best->slots < turns_claims(&turns, best) * p->slots)
			best = p;
	return best;
}

static void place_step(struct place *place, uint64_t now)
{
	struct turns_view view = turns_view(&turns, place);

	ck_assert_uint_le(view.held, place->slots);
	if (view.busy || !view.next)
		return;
	if (view.held < place->slots) {
		struct pack *pack = view.next->owner;

		turn_begin(view.next, now);
		if (now - pack->at_ms > pack->wait_ms)
			pack->wait_ms = now - pack->at_ms;
		pack->at_ms = now;
		return;
	}
	for (uint32_t n = turns_short(&turns, place); n > 0 && turns_ask(&turns, place);)
		n--;
}

static void pack_leave(struct pack *pack, uint64_t now)
{
	for (struct place *p = places; p < places + place_count; p++)
		if (pack->turn.state == TURN_UP && p == pack->turn.place)
			p->turn_ms = turns_smooth(p->turn_ms, now - pack->turn.since_ms);
	turn_leave(&pack->turn);
	pack->at_ms = now;
}

static void pack_step(struct pack *pack, uint64_t now)
{
	uint64_t since = now - pack->at_ms;

	switch (pack->turn.state) {
	case TURN_NONE:
		turn_wait(&turns, &pack->turn, best_place());
		pack->at_ms = now;
		break;
	case TURN_WAITING:
		break;
	case TURN_STARTING:
		if (since < pack->connect_ms)
			break;
		if (pack->fails) {
			pack_leave(pack, now);
			break;
		}
		turn_up(&pack->turn);
		pack->served++;
		pack->at_ms = now;
		break;
	case TURN_UP:
		if (since >= pack->use_ms && (pack->turn.asked || pack->quits))
			pack_leave(pack, now);
		break;
	case TURN_LEAVING:
		if (since >= LEAVE_MS)
			turn_end(&pack->turn);
		break;
	}
}

static void sim_run(uint64_t for_ms)
{
	for (uint64_t now = STEP_MS; now <= for_ms; now += STEP_MS) {
		for (size_t i = 0; i < pack_count; i++)
			pack_step(&packs[i], now);
		for (size_t i = 0; i < place_count; i++)
			place_step(&places[i], now);
	}
}

static unsigned int least_served(void)
{
	unsigned int least = UINT32_MAX;

	for (size_t i = 0; i < pack_count; i++)
		if (!packs[i].fails && packs[i].served < least)
			least = packs[i].served;
	return least;
}

static unsigned int most_served(void)
{
	unsigned int most = 0;

	for (size_t i = 0; i < pack_count; i++)
		if (packs[i].served > most)
			most = packs[i].served;
	return most;
}

static uint64_t longest_wait(void)
{
	uint64_t most = 0;

	for (size_t i = 0; i < pack_count; i++)
		if (packs[i].wait_ms > most)
			most = packs[i].wait_ms;
	return most;
}

static const struct {
	size_t packs;
	uint32_t slots;
} fleets[] = {{2, 1}, {3, 2}, {5, 1}, {8, 3}, {11, 7}, {40, 5}};

/* Each of N packs on M slots gets as many turns as the others, and waits no longer than a round. */
START_TEST(all_get_their_turn)
{
	uint64_t hours = (uint64_t)4 * 3600 * 1000;

	sim_begin(fleets[_i].packs, &fleets[_i].slots, 1);
	sim_run(hours);
	ck_assert_uint_ge(least_served(), 10);
	ck_assert_uint_le(most_served() - least_served(), 1);
	ck_assert_uint_le(longest_wait(),
			  turns_round_ms((uint32_t)fleets[_i].packs, fleets[_i].slots,
					 places[0].turn_ms + LEAVE_MS + 2 * STEP_MS));
}
END_TEST

/* The round that packs are told is what it takes from one turn to the next. */
START_TEST(round_is_right)
{
	const uint64_t hours = (uint64_t)4 * 3600 * 1000;
	uint64_t real_ms, told_ms;

	sim_begin(fleets[_i].packs, &fleets[_i].slots, 1);
	sim_run(hours);
	real_ms = hours / packs[0].served;
	told_ms = turns_round_ms((uint32_t)fleets[_i].packs, fleets[_i].slots, places[0].turn_ms);
	ck_assert_uint_ge(told_ms * 10, real_ms * 7);
	ck_assert_uint_le(told_ms * 10, real_ms * 17);
}
END_TEST

/* Who needs its slot longer than others does not get more turns for it, nor fewer. */
START_TEST(slow_packs)
{
	static const uint32_t slots = 2;

	sim_begin(6, &slots, 1);
	packs[2].use_ms = 20000;
	packs[4].connect_ms = 9000;
	sim_run((uint64_t)4 * 3600 * 1000);
	ck_assert_uint_ge(least_served(), 100);
	ck_assert_uint_le(most_served() * 10, least_served() * 15);
}
END_TEST

/* Packs out of reach cost the others their attempts, and no more. */
START_TEST(failing_packs)
{
	static const uint32_t slots = 2;
	const uint64_t hours = (uint64_t)4 * 3600 * 1000;

	sim_begin(6, &slots, 1);
	packs[0].fails = packs[5].fails = true;
	packs[0].connect_ms = packs[5].connect_ms = 10000;
	sim_run(hours);
	ck_assert_uint_eq(packs[0].served, 0);
	ck_assert_uint_le(most_served() - least_served(), 1);
	/* a round: two attempts that fail, one after the other, and four connections */
	ck_assert_uint_ge(least_served(), hours / (2 * (10000 + LEAVE_MS) +
						   4 * (1000 + 6000 + LEAVE_MS) + 12 * STEP_MS));
}
END_TEST

/* Two adapters with 1 and 4 slots: users spread by slots, and each place is fair. */
START_TEST(unequal_places)
{
	static const uint32_t slots[] = {1, 4};

	sim_begin(15, slots, 2);
	for (size_t i = 0; i < pack_count; i++)
		packs[i].use_ms = 30000; /* so long that connecting does not count */
	sim_run((uint64_t)8 * 3600 * 1000);
	ck_assert_uint_ge(least_served(), 100);
	ck_assert_uint_le(most_served() * 10, least_served() * 13);
}
END_TEST

/* As many slots as packs: nobody is asked, nobody leaves. */
START_TEST(enough_slots)
{
	static const uint32_t slots = 5;

	sim_begin(5, &slots, 1);
	sim_run((uint64_t)3600 * 1000);
	for (size_t i = 0; i < pack_count; i++) {
		ck_assert_uint_eq(packs[i].served, 1);
		ck_assert(!packs[i].turn.asked);
		ck_assert_int_eq(packs[i].turn.state, TURN_UP);
	}
}
END_TEST

/* A pack that comes and goes by itself does not push ahead of those that wait. */
START_TEST(restless_pack)
{
	static const uint32_t slots = 1;

	sim_begin(4, &slots, 1);
	packs[1].quits = true;
	packs[1].use_ms = 0;
	sim_run((uint64_t)3600 * 1000);
	ck_assert_uint_ge(least_served(), 100);
	ck_assert_uint_le(most_served() - least_served(), 1);
}
END_TEST

int main(void)
{
	TCase *tcase = tcase_create("turns");

	tcase_add_test(tcase, first_come_first_served);
	tcase_add_test(tcase, back_in_the_queue);
	tcase_add_test(tcase, busy_while_taken_and_left);
	tcase_add_test(tcase, places_are_apart);
	tcase_add_test(tcase, removed);
	tcase_add_test(tcase, longest_holder_is_asked_first);
	tcase_add_test(tcase, only_who_is_up_is_asked);
	tcase_add_test(tcase, asked_anew_in_the_next_turn);
	tcase_add_test(tcase, one_is_asked_for_each_that_waits);
	tcase_add_test(tcase, round_time);
	tcase_add_test(tcase, smooth);
	tcase_add_loop_test(tcase, all_get_their_turn, 0, PB_ARRAY_SIZE(fleets));
	tcase_add_loop_test(tcase, round_is_right, 0, PB_ARRAY_SIZE(fleets));
	tcase_add_test(tcase, slow_packs);
	tcase_add_test(tcase, failing_packs);
	tcase_add_test(tcase, unequal_places);
	tcase_add_test(tcase, enough_slots);
	tcase_add_test(tcase, restless_pack);
	return pb_run_suite("turns", tcase);
}
