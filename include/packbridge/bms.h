/* SPDX-License-Identifier: MIT */
/*
 * Battery protocols (codecs) and the reassembly of their frames from a byte stream. Pure: no
 * allocation, no clock, no log.
 */
#pragma once

#include "packbridge/base.h"
#include "packbridge/model/command.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct pb_bound;
struct pb_sample;

enum pb_frame_kind {
	PB_FRAME_REPLY,	 /**< of the BMS */
	PB_FRAME_NOTICE, /**< of the BMS, sent before a reply to the same command; valid for the
			    connection */
	PB_FRAME_MODULE, /**< of the radio module between BMS and link; no battery data */
	PB_FRAME_SHARED, /**< of a line with several boards: a request of another master, or a reply
			    to one; no battery data. Frames close to it may be of any board */
	PB_FRAME_OTHER,	 /**< of a line with several boards: a reply of a board that was not asked,
			    or a request. Ignored, since each frame names its board */
};

enum { PB_COMMAND_UNKNOWN = 0xFFFF };

/**
 * One frame as pb_codec.frame() found it. Pointers are borrowed from its buffer. After a failure,
 * the members before the fault are filled, so that `decode` can explain it.
 */
struct pb_frame {
	enum pb_frame_kind kind;
	const uint8_t *bytes;
	size_t len;	  /**< of the whole frame, also when bytes are missing */
	uint16_t command; /**< register or command of the request; or PB_COMMAND_UNKNOWN */
	uint8_t status;	  /**< 0: done; else the maker's error code: the request was refused */
	uint8_t address;  /**< PB_FRAME_SHARED, PB_FRAME_OTHER: the board that it goes to or comes
			     from */
	bool in_parts;	  /**< replies to this command may come in several frames */
	const uint8_t *payload;
	size_t payload_len;
	bool has_checksum;	      /**< the next two are filled */
	uint32_t checksum_expected;   /**< as found in the frame */
	uint32_t checksum_calculated; /**< as calculated from its bytes */
	uint8_t checksum_digits;      /**< hex digits to print */
};

/** Results of pb_codec.frame() when no whole frame starts at this byte. */
enum {
	PB_FRAME_MORE = 0, /**< valid so far, more bytes are needed */
			   /* -EPROTO: no start of a frame, or not a reply to our request */
			   /* -EBADMSG: wrong checksum */
			   /* -EILSEQ:  wrong end byte */
};

/** When a request of the plan is sent. */
enum pb_when {
	PB_EACH_POLL,	/**< its reply is part of the reading */
	PB_ONCE_BEFORE, /**< once per connection, before the first reading: other replies depend on
			   it */
	PB_ONCE_AFTER,	/**< after the first reading, then again from time to time; not urgent */
};

enum { PB_REQUEST_MAX = 64 }; /**< bytes */

/**
 * One read request of a codec's poll plan. An optional request that was never answered in a
 * connection is sent only once in ten minutes: some boards do not answer what they do not have.
 */
struct pb_query {
	const char *name; /**< for logs, e.g. "cells" */
	uint16_t command; /**< pb_frame.command of its reply */
	enum pb_when when;
	bool required; /**< there is no reading without its reply */
	/** The reply is a PB_FRAME_NOTICE, followed by unsolicited replies again and again. */
	bool streams;
	/**
	 * For PB_ONCE_AFTER. @brings: set of PB_HAS() that the reply fills; these values become
	 * absent when the query has not been answered for a long time. @live: the values change by
	 * themselves, so the query is sent as often as stale_after_s requires, and its values
	 * become absent after that time. Else only a person changes them.
	 */
	uint64_t brings;
	bool live;
	/** pb_codec.dialogue() makes the requests, as many as needed; @bytes are not sent. */
	bool dialogue;
	/** Sent only to packs whose switches may be commanded: what they are commanded to do. */
	bool control;
	bool module; /**< of a dialogue: the reply is a PB_FRAME_MODULE, else a PB_FRAME_REPLY */
	bool secret; /**< of a dialogue: neither it nor its reply may be shown */
	uint8_t len;
	uint8_t bytes[PB_REQUEST_MAX];
};

/** The content of a parameter register of the BMS, if its meaning is known. */
struct pb_parameter {
	bool has_value;
	int32_t value; /**< as the register holds it, unscaled */
	bool has_text;
	char text[256];
};

enum {
	PB_PASSWORD_MAX = 16, /**< of a radio module, the NUL included */
	PB_PIN_MAX = 8,	      /**< of a board, likewise; it has 6 digits */
};

/** Lifetime counters of a board; 0: not known. In frames of one board they never decrease. */
struct pb_meters {
	uint32_t running_s; /**< total running time */
	uint32_t through_mah;
};

/**
 * Kinds of dialogue. A dialogue is a sequence of requests; each may depend on the reply before it
 * (a random number, a length, a refusal).
 */
enum pb_dialogue_kind {
	PB_DIALOGUE_LOGIN,   /**< log in to the radio module, after connecting */
	PB_DIALOGUE_COMMAND, /**< operate switches, between two polls */
	/** The same in another way, if there is one: the pack accepted a COMMAND, but a reading
	 * taken a second later or more shows that nothing has changed. */
	PB_DIALOGUE_COMMAND_AGAIN,
	PB_DIALOGUE_READ, /**< a query of the plan with @dialogue set */
};

/** Result of one step of a dialogue. */
enum pb_dialogue_result {
	PB_DIALOGUE_SEND,    /**< send @request, then call again with its reply */
	PB_DIALOGUE_DONE,    /**< logged in; the command was accepted; all parts were read */
	PB_DIALOGUE_NONE,    /**< there is no such dialogue, or no answer: continue without it */
	PB_DIALOGUE_REFUSED, /**< wrong password; the pack refused */
};

/** A running dialogue. The caller sets the members that @kind needs, and @step to 0. */
struct pb_dialogue {
	enum pb_dialogue_kind kind;
	uint8_t address;		/**< as of pb_codec.request() */
	char password[PB_PASSWORD_MAX]; /**< LOGIN */
	uint8_t mac[6];			/**< LOGIN: of the module, in display order */
	char pin[PB_PIN_MAX];		/**< COMMAND: of the board; "": none */
	struct pb_command command;	/**< COMMAND */
	const struct pb_sample *sample; /**< COMMAND: the last reading */
	const struct pb_query *query;	/**< READ */
	int step;			/**< of the codec: its progress; 0 at the start */
	/** Of the codec, from dialogue to dialogue: how far the board is unlocked. The caller sets
	 * 0 when it connects. */
	uint8_t unlocked;
	/** Of the codec, likewise: how this board is commanded. The caller sets 0 when it may be
	 * another board. */
	uint8_t way;
	/** Of the codec: to be sent next. Its @command is that of the reply. */
	struct pb_query request;
};

/**
 * Position in a stream of received bytes, for pb_codec.conceal(). Zero it when the stream begins.
 */
struct pb_conceal {
	size_t head;   /**< bytes so far that match the head of a frame with secrets */
	size_t at;     /**< position in such a frame; 0: outside */
	uint16_t lost; /**< share of the redacted bytes in its checksum */
};

/**
 * One sign in an advertisement that a device probably speaks a protocol; only its first reply
 * proves it. All given conditions must hold. A sign with @maker ranks above one with services and
 * address; that one ranks above one with @names.
 */
struct pb_sign {
	const char *text;   /**< a few words for people; static storage */
	const char *source; /**< where it was seen: a project, an issue, a captured advertisement */
	/**
	 * Pattern of the manufacturer data as sent, the id first, two characters for each byte:
	 * upper-case hex digits; ".." any byte; "@@" the six bytes of the device's address in
	 * display order; "%%" the same in reverse order. "*" at the end: more bytes may follow.
	 */
	const char *maker;
	uint16_t service;	      /**< it must advertise this service; 0: any */
	uint16_t without;	      /**< it must not advertise this service; 0: any */
	const uint8_t (*prefixes)[3]; /**< how its address begins: one of these; ended by 0s */
	const char *const *names;     /**< patterns as of fnmatch(3), ended by NULL */
	const char *const *unnamed;   /**< patterns of names that it must not have */
};

enum { PB_QUERIES_MAX = 16 /**< of one codec */ };

/**
 * One battery protocol, or one dialect of it. A codec keeps no state: one const object serves all
 * packs, the tests and the fuzzer. Data that later frames need from earlier ones is kept in
 * pb_sample.carry.
 */
struct pb_codec {
	const char *name;    /**< key in the configuration, e.g. "jbd"; static storage */
	const char *title;   /**< for people: makers and trade names; of the first dialect */
	const char *dialect; /**< for people; NULL: there is only one */
	/** The dialect to try next when this one gets no answer; NULL: this is the last. */
	const struct pb_codec *next;
	const struct pb_query *queries; /**< at least one of them PB_EACH_POLL */
	size_t query_count;		/**< at most PB_QUERIES_MAX */
	/**
	 * Value ranges of its boards where they are tighter than the catalogue's, for
	 * pb_sample_check().
	 */
	const struct pb_bound *bounds;

	/**
	 * Measures and checks the frame at the head of a stream.
	 * @pending: the request that waits for a reply; NULL: accept any register of the protocol
	 * (`decode`).
	 * @return its length, 1..@len; PB_FRAME_MORE; or a negative reason (above): drop ONE byte
	 *         and call again, since the real start may be inside.
	 */
	int (*frame)(const uint8_t *buf, size_t len, const struct pb_query *pending,
		     struct pb_frame *ret);

	/**
	 * Decodes a frame that frame() accepted into the members that it carries; other members
	 * keep their value. A refusal or a frame without battery data changes nothing. Values that
	 * mean "not there" are left out. All others are stored without a check, even counts out of
	 * range: pb_sample_check() checks them later.
	 * @return 0; 1: more frames of the same reply follow; -EPROTO: not a valid reply (@sample
	 *         is unchanged, or holds the impossible number of cells).
	 */
	int (*decode)(const struct pb_frame *frame, struct pb_sample *sample);

	/**
	 * Reads the lifetime counters from a frame. With them the session notices that two boards
	 * stream frames that do not name their board. For codecs with a query that streams; NULL:
	 * the frames have no such counters.
	 * @sample: the sample with what earlier frames of the connection left in `carry`.
	 * @return false: this frame has no counters.
	 */
	bool (*meters)(const struct pb_frame *frame, const struct pb_sample *sample,
		       struct pb_meters *ret);

	/**
	 * Reads the content of a frame that is not a field of a reading, e.g. a parameter's value;
	 * for `decode`. May be NULL.
	 * @return false: nothing.
	 */
	bool (*parameter)(const struct pb_frame *frame, struct pb_parameter *ret);

	/**
	 * The first dialect of the same protocol for a line that several packs share: requests and
	 * replies carry the address of the board. NULL: there is none.
	 */
	const struct pb_codec *multidrop;
	uint8_t addresses; /**< of the first such dialect: boards have addresses 1 to this */

	/**
	 * Builds the request of a query at run time, e.g. with an address and a checksum. NULL:
	 * queries are sent unchanged.
	 * @address: of the pack on a line that several share.
	 * @out: a copy of @query; set its bytes and length.
	 */
	void (*request)(const struct pb_query *query, uint8_t address, struct pb_query *out);

	/**
	 * The next step of a dialogue. Returns PB_DIALOGUE_NONE at the start if the protocol does
	 * not have this kind. NULL: the protocol has no dialogues.
	 * @reply: the frame that answers dialogue->request; for PB_DIALOGUE_READ it is already
	 * decoded. NULL at the start, and when no reply came.
	 */
	enum pb_dialogue_result (*dialogue)(struct pb_dialogue *dialogue,
					    const struct pb_frame *reply);

	/**
	 * Redacts the secrets (passcodes) that some BMS send to everyone, before received bytes are
	 * shown or recorded. Works on frames whose bytes all arrive; checksums stay valid. NULL:
	 * the BMS sends no secrets.
	 */
	void (*conceal)(struct pb_conceal *conceal, uint8_t *bytes, size_t len);

	/**
	 * Advertisements by which its packs are recognised; ended by a sign without text. Set in
	 * the first dialect. NULL: none.
	 */
	const struct pb_sign *signs;

	/**
	 * The GATT characteristics that radio modules of its packs may have, preferred ones first;
	 * ended by one without a service. Set in the first dialect. NULL: not used over radio.
	 */
	const struct pb_pipe *pipes;

	/**
	 * Explains why no frame starts at the head of a stream, in a few words; for `decode`. NULL:
	 * `decode` gives the reason only.
	 * @reason, @frame: what frame() gave for the same bytes.
	 */
	void (*explain)(const uint8_t *buf, size_t len, int reason, const struct pb_frame *frame,
			char *out, size_t cap);
};

extern const struct pb_codec pb_codec_jbd;
extern const struct pb_codec pb_codec_daly;
extern const struct pb_codec pb_codec_jk;

/**
 * Chooses the codec for an advertisement from @codecs (ended by NULL): the one with the strongest
 * sign, the first of equal ones.
 * @return NULL: no codec has a matching sign.
 */
const struct pb_codec *pb_codec_of_advert(const struct pb_codec *const *codecs,
					  const struct pb_advert *advert,
					  const struct pb_sign **ret_sign);

enum { PB_STREAM_MAX = 1024 };

/** Reassembly: received bytes in, frames out. Zero it to start or to drop its bytes. */
struct pb_stream {
	size_t len;
	size_t eaten;		/**< length of the frame that was returned last */
	uint32_t garbage_bytes; /**< dropped since the start, wraps */
	uint32_t bad_frames;	/**< wrong checksum or end byte, wraps */
	uint8_t buf[PB_STREAM_MAX];
};

/**
 * Appends received bytes. If they do not fit, the oldest ones are dropped and count as garbage:
 * only the newest bytes help to find the next frame.
 */
void pb_stream_push(struct pb_stream *stream, const uint8_t *bytes, size_t len);

/**
 * Takes the next frame. @ret points into @stream and is valid until the next call on it.
 * @return true: a frame; false: no whole frame yet.
 */
bool pb_stream_next(struct pb_stream *stream, const struct pb_codec *codec,
		    const struct pb_query *pending, struct pb_frame *ret);

/** Drops an incomplete frame after a silence in the middle of it. */
void pb_stream_flush(struct pb_stream *stream);
