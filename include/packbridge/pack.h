/* SPDX-License-Identifier: MIT */
/*
 * Readers, and one pack's session: connect, poll, reassemble, time out, reconnect, go stale. The
 * session is a pure step function over simulated or real time; the reader that pb_pack_new() makes
 * drives it with a link and sd-event.
 */
#pragma once

#include "packbridge/base.h"
#include "packbridge/bms.h"
#include "packbridge/link.h"
#include "packbridge/model/plausible.h"
#include "packbridge/model/reading.h"

/** Times of a session; all in ms unless the name says otherwise. */
struct pb_session_config {
	const struct pb_codec
		*codec; /**< its first dialect; to begin with, when @others are there */
	/** Codecs that may be the right one (`protocol: auto`), ended by NULL; or NULL. */
	const struct pb_codec *const *others;
	uint32_t poll_ms;
	uint32_t gap_ms;    /**< between a reply and the next request; 0 allowed */
	uint32_t settle_ms; /**< between the link's coming up and the first request */
	uint32_t reply_timeout_ms;
	uint32_t tries;		     /**< a request is sent at most so often, at least 1 */
	uint32_t connect_timeout_ms; /**< 0: the link has limits of its own */
	uint32_t stale_after_s;
	bool stale_fixed;		/**< not to be lengthened when packs take turns */
	char password[PB_PASSWORD_MAX]; /**< of the radio module; "": none */
	uint64_t seed;			/**< of the back-off's jitter */
};

enum pb_session_event_type {
	PB_SESSION_START,   /**< first; later ones do nothing */
	PB_SESSION_UP,	    /**< the link came up */
	PB_SESSION_DOWN,    /**< the link went down by itself */
	PB_SESSION_DATA,    /**< bytes came */
	PB_SESSION_TIME,    /**< the deadline passed (calling too early does no harm) */
	PB_SESSION_RETRY,   /**< the link says that connecting is worthwhile again */
	PB_SESSION_WANTED,  /**< others wait for the link's place */
	PB_SESSION_RELEASE, /**< let go of the pack for a while: somebody asked for it */
	PB_SESSION_TAKE,    /**< the end of that, early */
};

struct pb_session_event {
	enum pb_session_event_type type;
	const uint8_t *bytes;		/**< DATA */
	size_t len;			/**< DATA */
	const char *why;		/**< DOWN: a few words, may be NULL */
	const struct pb_advert *advert; /**< UP: who is there; NULL: not known */
	uint32_t ms; /**< RELEASE: for how long; WANTED: until the turn comes round again */
};

/** What the driver must do, in this order. */
enum pb_session_todo {
	PB_DO_CLOSE = 1 << 0,	/**< close the link */
	PB_DO_OPEN = 1 << 1,	/**< open the link */
	PB_DO_PUBLISH = 1 << 2, /**< there is a new reading in session->sample */
	PB_DO_STATUS = 1 << 3,	/**< session->status changed otherwise */
	PB_DO_SEND = 1 << 4,	/**< send session->query */
	PB_DO_LOG = 1 << 5,	/**< log session->note */
};

/*
 *	 OFF --start--> CONNECTING --up--> SETTLING (--> LOGIN) --> WAITING <--> GAP
 *	                  ^  ^   |                                    |  ^        |
 *	                  |  |   | down, timeout                      |  | poll   | all asked
 *	                  |  |   v                                    |  |        v
 *	                  |  BACKOFF <------ 3 failed polls, down ----'  '---- RESTING
 *	                  |                                                       |
 *	                  '---- PARKED <------ others wait for the place ---------'
 *
 *	 RELEASED is entered from any state, and left to CONNECTING.
 */
enum pb_session_state {
	PB_STATE_OFF,
	PB_STATE_CONNECTING,
	PB_STATE_SETTLING,
	PB_STATE_LOGIN,	  /**< a request to the radio module is out */
	PB_STATE_WAITING, /**< a request is out, or the BMS sends by itself */
	PB_STATE_GAP,	  /**< silence before the next request or try */
	PB_STATE_RESTING, /**< until the next poll */
	PB_STATE_BACKOFF,
	PB_STATE_PARKED,   /**< another pack has its turn; until the next poll */
	PB_STATE_RELEASED, /**< left to somebody else, until the time is over */
};

enum { PB_REQUESTS_MAX = 64, PB_QUERIES_MAX = 16 };

/** An open request: sent, and perhaps still to be answered. Or several of the same command. */
struct pb_request {
	uint64_t first_ms;	      /**< none of them was sent earlier */
	uint64_t last_ms;	      /**< when the last of them was sent */
	const struct pb_codec *codec; /**< NULL: it stands for every codec and command */
	uint16_t command;
	uint32_t count; /**< at most so many replies are to come */
};

/** Open requests of all connections, oldest first; see src/pack/requests.h. */
struct pb_requests {
	size_t count;
	struct pb_request open[PB_REQUESTS_MAX];
};

/** The whole state; plain memory, no allocation. */
struct pb_session {
	struct pb_session_config config;
	const struct pb_codec *codec; /**< in use, or being tried */
	bool codec_known;	      /**< it brought a reading */
	enum pb_session_state state;
	struct pb_status status;
	struct pb_sample sample;      /**< the last whole reading */
	const struct pb_query *query; /**< that is out, or goes out next */
	struct pb_note note;	      /**< the last message */
	bool logged_in;		      /**< the radio module took the password, in this connection */
	struct pb_refusals refusals;  /**< what the pack said that can't be */

	/* private to session.c from here on */
	struct pb_sample work; /**< the reading in the making */
	struct pb_sample base; /**< what once-a-connection queries brought */
	struct pb_stream stream;
	struct pb_random random;
	uint64_t deadline_ms; /**< of the state */
	uint64_t stale_ms; /**< when the reading turns old; UINT64_MAX: it is, or there is none */
	uint64_t cycle_ms; /**< when the running or last poll was due */
	uint64_t step_ms;  /**< of the last event */
	uint64_t late_ms;  /**< how much later than asked for we were called, summed up */
	uint64_t begun_ms, begun_late_ms; /**< start of the poll, and late_ms then */
	uint64_t took_ms;		  /**< how long the poll before took; 0: there is none */
	uint64_t read_late_ms;		  /**< late_ms at the last reading */
	struct pb_requests requests;
	uint64_t proof_ms; /**< what comes from now on was measured after this time; 0: not known */
	uint64_t work_ms;  /**< what this poll has brought was measured after this time; 0: it has
			      brought nothing yet */
	uint64_t base_ms[PB_QUERIES_MAX]; /**< the same for what each query brought to @base */
	uint64_t rare_ms[PB_QUERIES_MAX]; /**< when each query that is asked rarely was asked */
	uint64_t received_ms;		  /**< of the last bytes, for dropping half frames */
	uint64_t reply_ms; /**< of the last reply: a board that is left alone falls asleep */
	size_t step;	   /**< place in the plan: thrice round the queries, see session.c */
	uint32_t tries_left;
	uint32_t wakes_left;	/**< requests that a sleeping board may still swallow */
	uint32_t failed_cycles; /**< in a row */
	uint32_t attempt;	/**< connections without a reading, in a row */
	uint64_t done;		/**< set of queries not to be sent (again) in this connection */
	uint64_t answered;	/**< set of queries answered in this connection */
	uint64_t again_ms;	/**< when those that were not were asked anew */
	uint64_t silent;	/**< set of queries not answered in the last poll */
	uint64_t streamed_ms;	/**< when the last frame came that the board sends by itself */
	uint64_t need_ms;  /**< frames that the board sends by itself count if they are younger */
	uint64_t up_ms;	   /**< when the link came up */
	uint64_t drain_ms; /**< since when it waits for a silence */
	uint64_t said_ms;  /**< when a lost connection was last told */
	uint32_t unsaid;   /**< lost connections since then */
	uint32_t bad_before, garbage_before; /**< counters when the request went out */
	uint32_t unframed_bytes;	     /**< since the last frame, or since it connected */
	enum pb_error cycle_error;
	bool trouble;	   /**< said in the log, so the end of it is said too */
	bool wanted;	   /**< others wait for the link's place */
	bool turned;	   /**< parked since the last reading, and nothing else went wrong */
	bool heard;	   /**< bytes came in this connection */
	bool read_here;	   /**< and a reading */
	bool echoed;	   /**< and they were the request itself */
	bool has_radio;	   /**< the far end is a radio module, with an address in login.mac */
	uint32_t round_ms; /**< how long a round of turns takes */
	bool listening;	   /**< WAITING, but nothing was sent: the BMS sends by itself */
	bool spoken;	   /**< the codec was answered in this poll */
	size_t candidate;  /**< of config.others, being tried */
	const struct pb_codec *begun; /**< the first that was tried in this poll */
	struct pb_login login;

	/* the proof that replies are new, see session.c */
	const struct pb_query *marker; /**< the request that gives it; NULL: none is needed */
	uint64_t marker_ms;	       /**< the proof is a reply to a request sent since then */
	uint32_t markers_left;	       /**< how often it may be sent */
	bool quiet;		       /**< the running trouble is not told loudly */
	bool in_parts;		       /**< more frames of the reply are to come */
	uint32_t strangers;	 /**< polls that can't be trusted, after an unsolicited reply */
	uint64_t shared_ms;	 /**< when frames last were of several boards; 0: never */
	struct pb_meters meters; /**< of the last frame that the board sent by itself */
	uint64_t meters_ms;	 /**< when that was measured at the earliest; 0: there was none */
	uint32_t flaps;	   /**< connections lost in a row that brought readings and did not last */
	uint64_t first_ms; /**< when the first request of this poll was sent; 0: not yet */
	uint32_t unclear_polls; /**< in a row: it was not clear which request was answered */
	bool may_prove;		/**< this poll may still begin anew behind a marker */
	uint64_t ever;		/**< set of queries that this codec's pack has ever answered */
	uint64_t mute;		/**< set of queries that were not answered as markers */
	uint64_t muted_ms;	/**< when that last happened */
	const struct pb_codec *read_codec; /**< of the last reading */
	bool strange; /**< since the last reading, replies to an earlier program came */
	bool drain;   /**< let the line fall silent before the first request */
};

/** @return true while it is open which codec or which dialect is the right one. */
bool pb_session_searching(const struct pb_session *session);
/** @return a word or two for a person, static storage. */
const char *pb_session_state_text(enum pb_session_state state);

void pb_session_init(struct pb_session *session, const struct pb_session_config *config);

/**
 * Takes one event.
 * @now_ms: never goes back.
 * @ret_deadline_ms: when PB_SESSION_TIME is due; UINT64_MAX: never.
 * @return set of enum pb_session_todo.
 */
unsigned int pb_session_step(struct pb_session *session, const struct pb_session_event *event,
			     uint64_t now_ms, uint64_t *ret_deadline_ms);

/*
 * A reader brings readings of one pack, from wherever. It hands up all there is by its handler;
 * nobody looks into it.
 */
struct pb_reader;

/** Called from the event loop, and from start() and release(). */
struct pb_reader_handler {
	/** Something has changed; behind the note() that is about it. */
	void (*reading)(void *userdata, const struct pb_reading *reading);
	/**
	 * What goes over the link, for `probe`; may be NULL. Of a BMS's secrets @bytes has zeros;
	 * it is NULL for @len bytes of a password's dialogue, in either direction.
	 */
	void (*bytes)(void *userdata, bool sent, const uint8_t *bytes, size_t len);
	/** A message, to be logged or shown. */
	void (*note)(void *userdata, const struct pb_note *note);
};

/** One kind of reader. */
struct pb_reader_type {
	/** Starts reading; one that was started goes on as it is. @return 0; negative errno. */
	int (*start)(struct pb_reader *reader);
	/** Lets go of the pack for @ms, so that another program can have it; 0: takes it back. */
	void (*release)(struct pb_reader *reader, uint32_t ms);
	/** Shows what was found at the far end, line by line; for `probe`. */
	void (*describe)(struct pb_reader *reader, void (*line)(void *userdata, const char *text),
			 void *userdata);
	/** Ends and frees it; sends nothing. Not from inside a handler. */
	void (*free)(struct pb_reader *reader);
};

/** The head of every reader; each kind puts its own members behind. */
struct pb_reader {
	const struct pb_reader_type *type;
	const struct pb_reader_handler *handler;
	void *userdata; /**< the handler's; may be changed at any time */
};

struct pb_reader *pb_reader_free(struct pb_reader *reader);
PB_DEFINE_FREEP(struct pb_reader, pb_reader_free)

/**
 * The reader of a pack at the far end of a link: a session, driven by the event loop.
 * @type, @setup: the link; its handler and userdata are the reader's own.
 * @return 0; negative errno.
 */
int pb_pack_new(struct pb_reader **ret, const struct pb_session_config *config,
		const struct pb_link_type *type, const struct pb_link_setup *setup,
		const struct pb_reader_handler *handler, void *userdata);
