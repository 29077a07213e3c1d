/* SPDX-License-Identifier: MIT */
/*
 * The plan of one session: which query goes next (plan.c), and how old its answer is at most
 * (proof.c). Pure: it knows no link, no time limit, no message.
 *
 *	step:     0 ... n-1          n ... 2n-1                  2n ... 3n-1
 *	          PB_ONCE_BEFORE  -> PB_EACH_POLL  -- reading -> PB_ONCE_AFTER  -> end of the poll
 *	          and a marker       the reading                 shows in the next reading
 *
 * `step` runs through the codec's n queries three times: first those sent once after connecting,
 * then those of each poll, then those sent rarely. Where several codecs or dialects may be the
 * right one, the next of them is tried within the same poll, until one has brought a reading.
 */
#pragma once

#include "packbridge/model/sample.h"
#include "requests.h"

/** What comes next. */
enum plan_next {
	PLAN_ASK,     /**< plan->query */
	PLAN_READING, /**< nothing yet: the parts of a reading are together, in plan->work */
	PLAN_END,     /**< nothing more in this poll */
};

struct plan {
	/* the codec */
	const struct pb_codec *first;	      /**< tried first */
	const struct pb_codec *const *others; /**< ended by NULL, with @first; NULL: only @first */
	const struct pb_codec *codec;	      /**< in use, or being tried */
	const struct pb_codec *begun;	      /**< the first codec tried in this poll */
	size_t candidate;		      /**< index in @others that is being tried */
	bool codec_known;		      /**< it brought a reading */
	bool spoken;			      /**< the codec was answered in this poll */
	bool control; /**< queries with @control are sent, too; else they do not exist */

	/* the place in the plan, and what was read */
	const struct pb_query *query; /**< sent, or to be sent next; NULL: none */
	size_t step;
	bool complete;	       /**< PLAN_READING was given in this poll */
	struct pb_sample work; /**< the reading being collected */
	struct pb_sample base; /**< data of queries that are not sent in each poll */

	/* sets of queries */
	uint64_t done;			  /**< not to be sent again in this connection */
	uint64_t answered;		  /**< in this connection */
	uint64_t ever;			  /**< ever answered by the pack with this codec */
	uint64_t silent;		  /**< not answered in the last poll */
	uint64_t mute;			  /**< not answered as markers */
	uint64_t muted_ms;		  /**< when that happened last */
	uint64_t again_ms;		  /**< when unanswered queries were sent again */
	uint64_t rare_ms[PB_QUERIES_MAX]; /**< when each rare query was sent */

	/* how old it is; times are of requests, so the values are younger */
	uint32_t stale_after_s;
	struct pb_requests requests;
	uint64_t up_ms;	   /**< when the connection was made */
	uint64_t proof_ms; /**< data received from now on was measured after this time; 0: not known
			    */
	uint64_t first_ms; /**< when the first request of this poll was sent; 0: not yet */
	uint64_t work_ms; /**< all data of this poll was measured after this time; 0: no data yet */
	uint64_t base_ms[PB_QUERIES_MAX]; /**< the same for the data of each query in @base */
	const struct pb_query *marker;	  /**< the request that gives the proof; NULL: not needed */
	uint64_t marker_ms;		  /**< the proof is a reply to a request sent since then */
	uint32_t markers_left;		  /**< how often it may be sent */
	uint32_t unclear_polls; /**< number of polls in a row in which it was unclear which request
				   was answered */
	bool may_prove;		/**< this poll may still start again with a marker */

	/* who else is on the line */
	bool strange; /**< replies to an earlier program were received since the last reading */
	uint32_t strangers;	 /**< polls that can't be trusted, after an unsolicited reply */
	uint64_t shared_ms;	 /**< when frames of several boards were seen last; 0: never */
	struct pb_meters meters; /**< of the last unsolicited frame */
	uint64_t meters_ms;	 /**< when that was measured at the earliest; 0: there was none */
};

/* ---- plan.c: what goes next ---- */

/** @others, @control: as in pb_session_config. Replies to earlier programs are expected. */
void plan_init(struct plan *plan, const struct pb_codec *codec,
	       const struct pb_codec *const *others, uint32_t stale_after_s, bool control);
/** @return whether the query may be sent at all. */
bool plan_has(const struct plan *plan, const struct pb_query *query);
/** Another codec, or another connection: forgets which queries are answered. */
void plan_forget_answers(struct plan *plan);
/** A new connection. @advert: may help to choose the codec; NULL: not known. */
void plan_connect(struct plan *plan, const struct pb_advert *advert, uint64_t now);
/** A new poll. Then call plan_next(). */
void plan_begin(struct plan *plan, uint64_t now);
/** Continues from plan->step, and sets plan->query. */
enum plan_next plan_next(struct plan *plan);
/** The query is answered, refused or given up. Then call plan_next(). */
void plan_finish_query(struct plan *plan, uint64_t now);
/**
 * No answer with this codec: changes to the next one. Then call plan_next().
 * @return false: all were tried in this poll.
 */
bool plan_next_codec(struct plan *plan);

/** @return true while the right codec or dialect is not known. */
bool plan_searching(const struct plan *plan);
/** @return how often the query may be sent, at most @most. */
uint32_t plan_tries(const struct plan *plan, uint32_t most);
/** @return whether the query is asked for the reading of this poll. */
bool plan_in_poll(const struct plan *plan);
/** @return the set with plan->query alone. */
uint64_t plan_query_bit(const struct plan *plan);
/** The queries sent first in a connection must be sent again. */
void plan_forget_before(struct plan *plan);
/** plan->query was answered, well or by a refusal. */
void plan_answered(struct plan *plan);
/**
 * plan->query got no answer in all its tries.
 * @return false: it was answered before all others until now, so the board answers nobody.
 */
bool plan_was_silent(struct plan *plan);
/**
 * Values of rare queries that were not answered for too long become absent.
 * @return the earliest time at which the oldest remaining value was measured; 0: there is none.
 */
uint64_t plan_drop_old_details(struct plan *plan, uint64_t now);

/* ---- proof.c: how old it is ---- */

/**
 * Another program may have sent requests before it left, and their replies may still arrive. Our
 * own open requests stay before them in the list, as old as possible.
 * @many: some have already arrived.
 */
void proof_expect_others(struct plan *plan, bool many);
/**
 * @return whether the frame is the first since a reading that answers no request of this program.
 */
bool proof_is_strange(const struct plan *plan, const struct pb_frame *frame);
/** An unknown number of replies to an earlier program may arrive: discards the proof. */
void proof_forget(struct plan *plan);
/** @return whether only a silence can show which requests will never be answered. */
bool proof_is_hopeless(const struct plan *plan);
/** If replies to other programs may arrive, the poll begins with a marker. */
void proof_begin(struct plan *plan, uint64_t now);
/** The same in the middle of a poll, which then starts again. */
void proof_set_first_marker(struct plan *plan, uint64_t now);
/** A request of plan->query is sent, whose reply has @command. */
void proof_sent(struct plan *plan, uint16_t command, uint64_t now);
/** @return how often a board that sends by itself must be asked for its frames to count as new. */
uint64_t proof_interval_ms(const struct plan *plan);
/**
 * Takes a reply, or the notice before streamed replies, as proof.
 * @return the earliest time of its request; 0: it answers no open request.
 */
uint64_t proof_take(struct plan *plan, const struct pb_frame *frame);
/** Notes that the data of plan->query's reply was requested at @asked_ms or later. */
void proof_note_time(struct plan *plan, uint64_t asked_ms);
/** plan->query was answered. @return whether it is the marker and must be sent once more. */
bool proof_marker_again(struct plan *plan, uint64_t asked_ms);
/**
 * The first reply of the poll may answer an older request. If that was so in the last poll, too, or
 * if it makes the reading much too old, a marker is sent and the poll starts again.
 * @return true: the poll starts again; plan_next() gives the query.
 */
bool proof_begins_anew(struct plan *plan, uint64_t asked_ms, uint64_t now);
/** plan->query does not work as the marker. @return false: it was not meant to be one. */
bool proof_drop_marker(struct plan *plan, uint64_t now);

/** Takes a notice; it is valid until the next one and precedes streamed frames. */
void proof_take_notice(struct plan *plan, const struct pb_frame *frame);
/** @return whether the codec has queries with unsolicited frames. */
bool proof_has_streams(const struct plan *plan);
/** @return whether frames like this one are unsolicited. */
bool proof_is_streamed(const struct plan *plan, const struct pb_frame *frame);
/** Looks for signs that two boards send unsolicited frames, which do not name their board. */
void proof_watch_meters(struct plan *plan, const struct pb_frame *frame, uint64_t now);
/** A reply that arrives when it is no longer expected: at least the board knows the request. */
void proof_take_late(struct plan *plan, const struct pb_frame *frame);
/**
 * A reply that answers no open request: another device answers too, or another program sends
 * requests. Then it is unknown which replies are ours.
 * @return false: such replies don't matter.
 */
bool proof_take_unsolicited(struct plan *plan, const struct pb_frame *frame);
/**
 * @return whether frames of several boards were seen lately, so the board of the next frame is
 *         unknown.
 */
bool proof_is_shared(const struct plan *plan, uint64_t now);
