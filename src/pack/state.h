/* SPDX-License-Identifier: MIT */
/*
 * The whole state of a session, and what its parts do for each other:
 *
 *	   events                                             orders
 *	     |                                                  ^
 *	     v                                                  |
 *	 session.c    connects, waits, lets go  ------------> note.c   what is said of it
 *	     |   ^
 *	     v   |
 *	  poll.c      sends requests, takes replies --------> publish.c   a reading is whole
 *	     |   ^    dialogue.c: several that depend on each other
 *	     v   |
 *	  plan.c, proof.c   which query is next, and how old its answer is (plan.h)
 *
 * All functions that return unsigned int return a set of enum pb_session_todo.
 */
#pragma once

#include "plan.h"
#include "session.h"

enum {
	SESSION_WAKES = 2,	 /**< requests that a board may swallow when it wakes up */
	SESSION_RETRY_MS = 5000, /**< after a failed poll, however long the poll interval is */
	SESSION_CHECKS = 3,	 /**< readings that follow a command quickly */
	SESSION_CHECK_MS = 1000, /**< between two of them at most */
};

/** Plain memory, no allocation. */
struct session {
	struct pb_session head;
	struct pb_session_config config;
	struct plan plan;
	struct pb_stream stream;
	struct pb_random random;
	struct pb_dialogue dialogue;
	struct pb_query request; /**< that is out, or goes out next, as it is sent */

	/* times */
	uint64_t deadline_ms; /**< of the state */
	uint64_t held_ms;  /**< what was left of it when the request had to wait; 0: none waits */
	uint64_t stale_ms; /**< when the reading turns stale; UINT64_MAX: it is, or there is none */
	uint64_t step_ms;  /**< of the last event */
	uint64_t late_ms;  /**< sum of the delays of our deadlines */

	/* the connection */
	uint32_t attempt;	 /**< connections without a reading, in a row */
	uint32_t flaps;		 /**< connections in a row that brought readings and did not last */
	uint32_t failed_cycles;	 /**< in a row */
	uint64_t received_ms;	 /**< of the last bytes, for dropping half frames */
	uint32_t unframed_bytes; /**< since the last frame, or since it connected */
	bool heard;		 /**< bytes came in this connection */
	bool echoed;		 /**< and they were the request itself */
	bool read_here;		 /**< and a reading */
	bool has_radio;	   /**< the far end is a radio module, with an address in dialogue.mac */
	bool drain;	   /**< let the line fall silent before the first request */
	uint64_t drain_ms; /**< since when it waits for a silence */

	/* after a command */
	uint32_t checks_left; /**< readings that still follow it quickly */
	bool may_repeat;      /**< it may be sent in another way, once */

	/* turns with other packs */
	bool wanted; /**< others wait for the link's place */
	bool turned; /**< yielded its slot since the last reading, and nothing else went wrong */
	uint32_t round_ms; /**< how long a round of turns takes */

	/* the poll */
	uint64_t cycle_ms;		  /**< when the running or last poll was due */
	uint64_t begun_ms, begun_late_ms; /**< its start, and late_ms then */
	uint64_t took_ms;		  /**< how long the poll before took; 0: there is none */
	uint64_t read_late_ms;		  /**< late_ms at the last reading */
	uint64_t reply_ms;    /**< of the last reply: a board that is left alone falls asleep */
	uint64_t streamed_ms; /**< when the last frame came that the board sends by itself */
	uint64_t need_ms;     /**< frames that the board sends by itself count if they are newer */
	uint32_t tries_left;
	uint32_t wakes_left; /**< requests that a sleeping board may still swallow */
	uint32_t bad_before, garbage_before; /**< counters when the request went out */
	enum pb_error cycle_error;
	bool listening; /**< WAITING, but nothing was sent: the BMS sends by itself */
	bool in_parts;	/**< more frames of the reply are to come */
	const struct pb_codec *read_codec; /**< of the last reading */

	/* what is said of it */
	uint64_t said_ms; /**< when a trouble was logged last */
	uint32_t unsaid;  /**< troubles since then */
	bool trouble;	  /**< logged, so its end is logged too */
	bool quiet;	  /**< the running trouble is logged at a low level */
};

void session_init(struct session *session, const struct pb_session_config *config);

/* ---- session.c ---- */

/** @return the request that is out, or goes out next; NULL: none. */
const struct pb_query *session_query(const struct session *session);
/** The one way into a state, until @deadline_ms. */
unsigned int session_enter(struct session *session, enum pb_session_state state,
			   uint64_t deadline_ms);
/** The link is down or given up: try again later. */
unsigned int session_back_off(struct session *session, enum pb_error error, const char *why,
			      uint64_t now);
/** The poll is over: rest until @interval_ms after it was due. */
unsigned int session_rest(struct session *session, uint32_t interval_ms, uint64_t now);
/** Replies to an earlier program come: nothing is known of what they answer. */
unsigned int session_await_others(struct session *session, uint64_t now);
void session_copy_counters(struct session *session);

/* ---- poll.c ---- */

/** @gap: leave the silence before it that boards need. */
unsigned int poll_begin(struct session *session, bool gap, uint64_t now);
/** Goes on with what the plan has next. @gap: likewise. */
unsigned int poll_go_on(struct session *session, bool gap, uint64_t now);
/** The silence before the next request is over. */
unsigned int poll_ask(struct session *session, uint64_t now);
/** No reply in time. */
unsigned int poll_time_out(struct session *session, uint64_t now);
/** The request that had to wait for its turn on the line leaves. */
void poll_left(struct session *session, uint64_t now);
/** Frames that answer nothing we wait for are passed over. */
unsigned int poll_take_frame(struct session *session, const struct pb_frame *frame, uint64_t now);
/** No reading in this poll. */
unsigned int poll_fail(struct session *session, uint64_t now);

/* ---- dialogue.c ---- */

/** The login, if there is one, and then the first poll. */
unsigned int dialogue_login(struct session *session, uint64_t now);
/** A new command: runs it, or has it wait for the end of the poll. */
unsigned int dialogue_take_command(struct session *session, const struct pb_command *command,
				   uint64_t now);
/** RESTING is entered: runs the command that waits, or repeats one that had no effect. */
unsigned int dialogue_command(struct session *session, uint64_t now);
/** The connection is lost or given up, or the reading is stale: ends a command. */
unsigned int dialogue_abort(struct session *session);
/** Sends the request of a login or of a command. */
unsigned int dialogue_send(struct session *session, uint64_t now);
/** The request that had to wait for its turn on the line leaves. */
void dialogue_left(struct session *session, uint64_t now);
/** A reading was published: one less of those that follow a command. */
void dialogue_note_reading(struct session *session);
/** @return the interval to the next poll, @interval_ms at most. */
uint32_t dialogue_interval_ms(const struct session *session, uint32_t interval_ms);
/** @return whether the frame answers that. */
bool dialogue_awaits(const struct session *session, const struct pb_frame *frame);
/** The next step. @reply: NULL: none came in time. */
unsigned int dialogue_step(struct session *session, const struct pb_frame *reply, uint64_t now);
/** Makes the request of plan.query. @return false: the codec has none after all. */
bool dialogue_prepare(struct session *session);
/** plan.query was answered. @return SEND: with one more request to go; DONE: as a whole. */
enum pb_dialogue_result dialogue_next_part(struct session *session, const struct pb_frame *reply);

/* ---- publish.c ---- */

/** A poll is complete and its values are possible. @return with PB_DO_PUBLISH: it counts. */
unsigned int publish_reading(struct session *session, uint64_t now);

/* ---- note.c ---- */

unsigned int note_write(struct session *session, enum pb_log_level level, const char *format, ...)
	PB_PRINTF(3, 4);
/** A trouble begins, or continues. @return the log level for it. */
enum pb_log_level note_trouble(struct session *session, uint64_t now);
/** Reports messages left out before. @return text to append to a message, in @out. */
const char *note_unsaid(struct session *session, char *out, size_t cap);
/** The first reading by this codec: what was found out about the pack goes with it. */
unsigned int note_first(struct session *session);
