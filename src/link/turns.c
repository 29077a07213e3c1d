/* SPDX-License-Identifier: MIT */
/*
 * Who gets the next slot, who is asked to yield, and how long a round takes.
 *
 *	queue of a place:   ticket 7, 9, 12 ... --> the next slot
 *	its slots:          up since 10:00, 10:04, 10:09; the first one is asked to yield
 *
 * So nobody starves: a new user queues behind all that wait, and who yields gets a new ticket.
 */
#include "turns.h"

#include <assert.h>
#include <stddef.h>

void turns_add(struct turns *turns, struct turn *turn, void *owner)
{
	*turn = (struct turn){.next = turns->first, .owner = owner};
	turns->first = turn;
}

void turns_remove(struct turns *turns, struct turn *turn)
{
	struct turn **at = &turns->first;

	while (*at && *at != turn)
		at = &(*at)->next;
	if (*at)
		*at = turn->next;
}

/* ---- one turn ---- */

void turn_wait(struct turns *turns, struct turn *turn, const void *place)
{
	assert(turn->state == TURN_NONE && place);
	turn->state = TURN_WAITING;
	turn->place = place;
	turn->ticket = ++turns->tickets;
}

void turn_begin(struct turn *turn, uint64_t now_ms)
{
	assert(turn->state == TURN_WAITING);
	turn->state = TURN_STARTING;
	turn->since_ms = now_ms;
	turn->asked = false;
}

void turn_up(struct turn *turn)
{
	assert(turn->state == TURN_STARTING);
	turn->state = TURN_UP;
}

void turn_leave(struct turn *turn)
{
	assert(turn_is_granted(turn));
	turn->state = TURN_LEAVING;
}

void turn_end(struct turn *turn)
{
	turn->state = TURN_NONE;
	turn->place = NULL;
}

bool turn_is_granted(const struct turn *turn)
{
	return turn->state == TURN_STARTING || turn->state == TURN_UP;
}

/* ---- all turns of a place ---- */

struct turns_view turns_view(const struct turns *turns, const void *place)
{
	struct turns_view view = {0};

	for (struct turn *turn = turns->first; turn; turn = turn->next) {
		if (turn->place != place)
			continue;
		if (turn->state != TURN_WAITING) {
			view.held++;
			view.busy |= turn->state != TURN_UP;
			continue;
		}
		view.waiting++;
		if (!view.next || turn->ticket < view.next->ticket)
			view.next = turn;
	}
	return view;
}

uint32_t turns_claims(const struct turns *turns, const void *place)
{
	struct turns_view view = turns_view(turns, place);

	return view.waiting + view.held;
}

uint32_t turns_short(const struct turns *turns, const void *place)
{
	uint32_t waiting = 0, leaving = 0;

	for (const struct turn *turn = turns->first; turn; turn = turn->next) {
		if (turn->place != place)
			continue;
		if (turn->state == TURN_WAITING)
			waiting++;
		else if (turn->state == TURN_LEAVING || (turn->state == TURN_UP && turn->asked))
			leaving++;
	}
	return waiting > leaving ? waiting - leaving : 0;
}

struct turn *turns_ask(struct turns *turns, const void *place)
{
	struct turn *oldest = NULL;

	for (struct turn *turn = turns->first; turn; turn = turn->next)
		if (turn->place == place && turn->state == TURN_UP && !turn->asked &&
		    (!oldest || turn->since_ms < oldest->since_ms))
			oldest = turn;
	if (oldest)
		oldest->asked = true;
	return oldest;
}

/* ---- times ---- */

uint32_t turns_round_ms(uint32_t users, uint32_t slots, uint32_t turn_ms)
{
	uint64_t turns = ((uint64_t)users + slots - 1) / slots;
	uint64_t round = turn_ms * turns;

	return round > UINT32_MAX ? UINT32_MAX : (uint32_t)round;
}

uint32_t turns_smooth(uint32_t turn_ms, uint64_t ms)
{
	uint64_t smooth = turn_ms ? (3 * (uint64_t)turn_ms + ms) / 4 : ms;

	return smooth > UINT32_MAX ? UINT32_MAX : (uint32_t)smooth;
}
