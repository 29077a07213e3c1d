/* SPDX-License-Identifier: MIT */
/*
 * Turns: more users than slots. A place (a Bluetooth adapter, a serial line) has a number of
 * slots; a user holds one of them for its turn and then yields it to who waits longest. Pure: no
 * clock, no bus, no memory of its own.
 *
 *	NONE --turn_wait()--> WAITING --turn_begin()--> STARTING --turn_up()--> UP
 *	  ^                                                |                    |
 *	  |                                                v    turn_leave()    v
 *	  '------------------ turn_end() --------------------- LEAVING <--------'
 *
 *	turn_end() may come in any state.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

enum turn_state {
	TURN_NONE,
	TURN_WAITING,  /**< for a slot */
	TURN_STARTING, /**< has a slot and is not ready yet; meanwhile the place does nothing else
			*/
	TURN_UP,       /**< has a slot and uses it */
	TURN_LEAVING,  /**< the slot is about to be free: the same */
};

/** One user's turn. Zero it, then turns_add(). */
struct turn {
	struct turn *next;
	void *owner; /**< whose turn it is; borrowed */
	enum turn_state state;
	const void *place; /**< whose slots; NULL: TURN_NONE */
	uint64_t ticket;   /**< WAITING: the lowest is served first */
	uint64_t since_ms; /**< when it was given its slot */
	bool asked;	   /**< to yield it */
};

/** All users, of all places. Zero it to begin. */
struct turns {
	struct turn *first;
	uint64_t tickets; /**< given out so far */
};

/** What goes on at one place. */
struct turns_view {
	struct turn *next; /**< who waits longest; NULL: nobody waits */
	uint32_t waiting;
	uint32_t held; /**< slots, of whatever state */
	bool busy;     /**< one of them is being taken or left */
};

void turns_add(struct turns *turns, struct turn *turn, void *owner);
void turns_remove(struct turns *turns, struct turn *turn);

/** Joins the end of the queue of @place. The turn must be of state NONE, as in the drawing. */
void turn_wait(struct turns *turns, struct turn *turn, const void *place);
void turn_begin(struct turn *turn, uint64_t now_ms);
void turn_up(struct turn *turn);
void turn_leave(struct turn *turn);
/** From any state: it gives up, its slot is free, or the place is gone. */
void turn_end(struct turn *turn);

/** @return true: it has a slot and keeps it: STARTING or UP. */
bool turn_is_granted(const struct turn *turn);

struct turns_view turns_view(const struct turns *turns, const void *place);
/** @return users that have a slot of @place or wait for one. */
uint32_t turns_claims(const struct turns *turns, const void *place);
/** @return how many more users must be asked to yield, so that each that waits gets a slot. */
uint32_t turns_short(const struct turns *turns, const void *place);
/**
 * Chooses who is asked to yield: of those that are up and were not asked yet, the one that holds
 * its slot longest. It counts as asked from now on.
 * @return NULL: there is none.
 */
struct turn *turns_ask(struct turns *turns, const void *place);

/**
 * @return ms until each of @users has had its turn on @slots (at least 1), when each takes
 *         @turn_ms; UINT32_MAX: as long or longer.
 */
uint32_t turns_round_ms(uint32_t users, uint32_t slots, uint32_t turn_ms);
/** @return the smoothed time of a turn, after one of @ms. @turn_ms: before; 0: there was none. */
uint32_t turns_smooth(uint32_t turn_ms, uint64_t ms);
