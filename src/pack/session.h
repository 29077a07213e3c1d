/* SPDX-License-Identifier: MIT */
/*
 * One pack's session, as its driver (pack.c) sees it: a step function over simulated or real time.
 * Events go in, orders come out. The state of the pack is in struct pb_session. The session opens
 * no link, reads no clock and prints nothing.
 *
 *	 OFF --start--> CONNECTING --up--> SETTLING (--> DIALOGUE) --> WAITING <--> GAP
 *	                  ^  ^   |                                       |  ^        |
 *	                  |  |   | down, timeout                         |  | poll   | all asked
 *	                  |  |   v                                       |  |        v
 *	                  |  BACKOFF <------ 3 failed polls, down -------'  '---- RESTING
 *	                  |                                                          |
 *	                  '---- PARKED <------ others wait for the place ------------'
 *
 *	 RELEASED is entered from any state, and left to CONNECTING. A command goes from RESTING to
 *	 DIALOGUE, and from there to the next poll.
 */
#pragma once

#include "packbridge/pack.h"

enum pb_session_event_type {
	PB_SESSION_START,   /**< first; later ones do nothing */
	PB_SESSION_UP,	    /**< the link came up */
	PB_SESSION_DOWN,    /**< the link went down by itself */
	PB_SESSION_DATA,    /**< bytes came */
	PB_SESSION_TIME,    /**< the deadline passed (calling too early does no harm) */
	PB_SESSION_QUEUED,  /**< the request waits for its turn on a line; SENT will follow */
	PB_SESSION_SENT,    /**< it leaves now */
	PB_SESSION_RETRY,   /**< the link reports that connecting may succeed now */
	PB_SESSION_WANTED,  /**< others wait for the link's slot */
	PB_SESSION_RELEASE, /**< disconnect for a while, on request */
	PB_SESSION_TAKE,    /**< end of RELEASE before its time */
	PB_SESSION_COMMAND, /**< switch; ignored unless pb_session_may_command() */
};

struct pb_session_event {
	enum pb_session_event_type type;
	const uint8_t *bytes;		  /**< DATA */
	size_t len;			  /**< DATA */
	const char *why;		  /**< DOWN: a few words, may be NULL */
	const struct pb_advert *advert;	  /**< UP: who is there; NULL: not known */
	const struct pb_command *command; /**< COMMAND */
	uint32_t ms; /**< RELEASE: for how long; WANTED: until the turn comes round again */
};

/** What the driver must do, in this order. */
enum pb_session_todo {
	PB_DO_CLOSE = 1 << 0,	/**< close the link */
	PB_DO_OPEN = 1 << 1,	/**< open the link */
	PB_DO_PUBLISH = 1 << 2, /**< @sample is new */
	PB_DO_STATUS = 1 << 3,	/**< @status changed otherwise */
	PB_DO_SEND = 1 << 4,	/**< send @request */
	PB_DO_LOG = 1 << 5,	/**< log @note */
};

enum pb_session_state {
	PB_STATE_OFF,
	PB_STATE_CONNECTING,
	PB_STATE_SETTLING,
	PB_STATE_DIALOGUE, /**< waits for a reply of a login or command */
	PB_STATE_WAITING,  /**< waits for a reply, or for an unsolicited frame */
	PB_STATE_GAP,	   /**< silence before the next request or try */
	PB_STATE_RESTING,  /**< until the next poll */
	PB_STATE_BACKOFF,
	PB_STATE_PARKED,   /**< another pack has its turn; until the next poll */
	PB_STATE_RELEASED, /**< disconnected on request, until the time is over */
};

/** The state of a pack; read only. The rest of a session is in state.h. */
struct pb_session {
	enum pb_session_state state;
	const struct pb_codec *codec; /**< in use, or being tried */
	bool searching;		      /**< the right codec or dialect is not known yet */
	bool logged_in; /**< the radio module accepted the password in this connection */
	bool secret;	/**< bytes on the link belong to a dialogue about a password or PIN */
	struct pb_command_status command;
	/** The request that is sent, or to be sent next, in its final form; NULL: none. */
	const struct pb_query *request;
	struct pb_status status;
	struct pb_sample sample; /**< the last whole reading */
	struct pb_note note;	 /**< the last message */
	struct pb_refusals refusals;
};

/** @return 0; -ENOMEM. */
int pb_session_new(struct pb_session **ret, const struct pb_session_config *config);
struct pb_session *pb_session_free(struct pb_session *session);

/**
 * Takes one event.
 * @now_ms: never goes back.
 * @ret_deadline_ms: when PB_SESSION_TIME is due; UINT64_MAX: never.
 * @return set of enum pb_session_todo.
 */
unsigned int pb_session_step(struct pb_session *session, const struct pb_session_event *event,
			     uint64_t now_ms, uint64_t *ret_deadline_ms);

/**
 * @return 0: a command would be accepted; -EACCES: control is off; -EBUSY: another one is running;
 *         -ENOTCONN: no connection that has brought a reading; -ENODATA: the reading is stale.
 */
int pb_session_may_command(const struct pb_session *session, uint64_t now_ms);

/** @return a word or two for a person, static storage. */
const char *pb_session_state_text(enum pb_session_state state);
