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
	const struct pb_codec *first;	      /**< to begin with */
	const struct pb_codec *const *others; /**< ended by NULL, with @first; NULL: only @first */
	const struct pb_codec *codec;	      /**< in use, or being tried */
	const struct pb_codec *begun;	      /**< the first that was tried in this poll */
	size_t candidate;		      /**< of @others, being tried */
	bool codec_known;		      /**< it brought a reading */
	bool spoken;			      /**< the codec was answered in this poll */

	/* the place in the plan, and what was read */
	const struct pb_query *query; /**< that is out, or goes out next; NULL: none */
	size_t step;
	bool complete;	       /**< PLAN_READING was given in this poll */
	struct pb_sample work; /**< the reading in the making */
	struct pb_sample base; /**< what queries brought that are not sent in each poll */

	/* sets of queries */
	uint64_t done;			  /**< not to be sent (again) in this connection */
	uint64_t answered;		  /**< in this connection */
	uint64_t ever;			  /**< that this codec's pack has ever answered */
	uint64_t silent;		  /**< not answered in the last poll */
	uint64_t mute;			  /**< not answered as markers */
	uint64_t muted_ms;		  /**< when that last happened */
	uint64_t again_ms;		  /**< when those not answered were asked anew */
	uint64_t rare_ms[PB_QUERIES_MAX]; /**< when each query that is asked rarely was asked */

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
	uint32_t unclear_polls; /**< in a row: it was not clear which request was answered */
	bool may_prove;		/**< this poll may still begin anew behind a marker */

	/* who else is on the line */
	bool strange;		 /**< since the last reading, replies to an earlier program came */
	uint32_t strangers;	 /**< polls that can't be trusted, after an unsolicited reply */
	uint64_t shared_ms;	 /**< when frames last were of several boards; 0: never */
	struct pb_meters meters; /**< of the last frame that the board sent by itself */
	uint64_t meters_ms;	 /**< when that was measured at the earliest; 0: there was none */
};

/* ---- plan.c: what goes next ---- */

/** @others: as in pb_session_config. Replies to earlier programs are expected. */
void plan_init(struct plan *plan, const struct pb_codec *codec,
	       const struct pb_codec *const *others, uint32_t stale_after_s);
/** Another codec, or another connection: nothing is known of what is answered. */
void plan_forget_answers(struct plan *plan);
/** A new connection. @advert: what it says of itself may tell the codec; NULL: not known. */
void plan_connect(struct plan *plan, const struct pb_advert *advert, uint64_t now);
/** A new poll. Behind it: plan_next(). */
void plan_begin(struct plan *plan, uint64_t now);
/** Goes on from plan->step, and sets plan->query. */
enum plan_next plan_next(struct plan *plan);
/** The query is answered, refused or given up. Behind it: plan_next(). */
void plan_finish_query(struct plan *plan, uint64_t now);
/**
 * Nobody spoke this codec: on to the next. Behind it: plan_next().
 * @return false: all were tried in this poll.
 */
bool plan_next_codec(struct plan *plan);

/** @return true while it is open which codec or which dialect is the right one. */
bool plan_searching(const struct plan *plan);
/** @return how often the query may be sent, at most @most. */
uint32_t plan_tries(const struct plan *plan, uint32_t most);
/** @return whether the query is asked for the reading of this poll. */
bool plan_in_poll(const struct plan *plan);
/** @return the set with plan->query alone. */
uint64_t plan_query_bit(const struct plan *plan);
/** What goes before all else must be asked anew. */
void plan_forget_before(struct plan *plan);
/** plan->query was answered, well or by a refusal. */
void plan_answered(struct plan *plan);
/**
 * plan->query brought nothing, however often it was tried.
 * @return false: it was answered before all others until now, so the board answers nobody.
 */
bool plan_was_silent(struct plan *plan);
/**
 * Values of queries that are asked rarely, and not answered for too long, become absent.
 * @return when the oldest that stays was measured at the earliest; 0: there is none.
 */
uint64_t plan_drop_old_details(struct plan *plan, uint64_t now);

/* ---- proof.c: how old it is ---- */

/**
 * Another program may have sent requests and left, whose replies are still on the way. What is open
 * itself comes before those and stays, as old as it can be.
 * @many: some have come.
 */
void proof_expect_others(struct plan *plan, bool many);
/** @return whether the frame answers what this program has not sent: the first since a reading. */
bool proof_is_strange(const struct plan *plan, const struct pb_frame *frame);
/** Replies to an earlier program are on the way, nobody knows how many: nothing is proved. */
void proof_forget(struct plan *plan);
/** @return whether nothing but a silence tells which requests will not be answered any more. */
bool proof_is_hopeless(const struct plan *plan);
/** Replies to others may be on the way: then a marker goes before the poll. */
void proof_begin(struct plan *plan, uint64_t now);
/** The same in the middle of a poll, which begins anew. */
void proof_set_first_marker(struct plan *plan, uint64_t now);
/** A request of plan->query is sent, whose reply has @command. */
void proof_sent(struct plan *plan, uint16_t command, uint64_t now);
/** @return how often a board that sends by itself must be asked for its frames to count as new. */
uint64_t proof_interval_ms(const struct plan *plan);
/**
 * A reply, or the notice ahead of streamed ones: what it proves.
 * @return when it was asked for at the earliest; 0: it answers no open request.
 */
uint64_t proof_take(struct plan *plan, const struct pb_frame *frame);
/** What plan->query's reply has brought was asked for at @asked_ms at the earliest. */
void proof_note_time(struct plan *plan, uint64_t asked_ms);
/** plan->query was answered. @return whether it is the marker and must be sent once more. */
bool proof_marker_again(struct plan *plan, uint64_t asked_ms);
/**
 * The first reply of the poll may answer an older request. If it was so in the last poll, too, or
 * if it makes the reading much too old: a marker, and the poll begins anew.
 * @return true: the poll begins anew, plan_next() tells by what.
 */
bool proof_begins_anew(struct plan *plan, uint64_t asked_ms, uint64_t now);
/** plan->query is of no use as the marker. @return false: it was not meant to be one. */
bool proof_drop_marker(struct plan *plan, uint64_t now);

/** What holds until the next one, sent ahead of streamed frames. */
void proof_take_notice(struct plan *plan, const struct pb_frame *frame);
/** @return whether the codec has queries whose frames come by themselves. */
bool proof_has_streams(const struct plan *plan);
/** @return whether such frames come by themselves. */
bool proof_is_streamed(const struct plan *plan, const struct pb_frame *frame);
/** Two boards that both send by themselves: a frame names neither. Looks for signs of that. */
void proof_watch_meters(struct plan *plan, const struct pb_frame *frame, uint64_t now);
/** A reply that comes when it is not waited for: at least the board knows the request. */
void proof_take_late(struct plan *plan, const struct pb_frame *frame);
/**
 * A reply that answers no open request: another device answers, too, or another program asks. Which
 * replies are ours, then nobody knows.
 * @return false: such replies don't matter.
 */
bool proof_take_unsolicited(struct plan *plan, const struct pb_frame *frame);
/** @return whether there were frames of several boards lately: whose the next is, nobody knows. */
bool proof_is_shared(const struct plan *plan, uint64_t now);
