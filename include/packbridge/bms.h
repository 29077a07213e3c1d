/* SPDX-License-Identifier: MIT */
/*
 * Battery protocols (codecs) and the reassembly of their frames from a byte stream. Pure: nothing
 * here allocates, reads a clock or logs.
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
	PB_FRAME_NOTICE, /**< of the BMS, sent ahead of a reply to the same command: holds for the
			    connection */
	PB_FRAME_MODULE, /**< of the radio module in front of it; carries no battery data */
	PB_FRAME_SHARED, /**< of a line with several boards: a request of another master, or what
			    answers it; no battery data. Frames near it may be of any board */
	PB_FRAME_OTHER,	 /**< of a line with several boards: from another board than the one that
			    was asked, or a request. Passed over: frames name their board */
};

enum { PB_COMMAND_UNKNOWN = 0xFFFF };

/**
 * One frame as a codec measured it. Pointers are borrowed from the buffer that was measured.
 * After a failure, the members up to the fault are still filled, for `decode` to explain it.
 */
struct pb_frame {
	enum pb_frame_kind kind;
	const uint8_t *bytes;
	size_t len;	  /**< the whole frame; what it would need, when bytes are missing */
	uint16_t command; /**< register or command that this answers, or PB_COMMAND_UNKNOWN */
	uint8_t status;	  /**< 0 done, else the maker's code: an answer, but a refusal */
	uint8_t address;  /**< of PB_FRAME_SHARED and PB_FRAME_OTHER: the board it goes to or comes
			     from */
	bool in_parts;	  /**< replies to this command may come in several frames */
	const uint8_t *payload;
	size_t payload_len;
	bool has_checksum;	      /**< the next two are filled */
	uint32_t checksum_expected;   /**< as the frame carries it */
	uint32_t checksum_calculated; /**< as its bytes give it */
	uint8_t checksum_digits;      /**< hex digits to print */
};

/** Reasons why no frame starts at a place, from pb_codec.frame(). */
enum {
	PB_FRAME_MORE = 0, /**< so far so good, more bytes are needed */
			   /* -EPROTO:  no start of a frame, or none that we asked for */
			   /* -EBADMSG: wrong checksum */
			   /* -EILSEQ:  wrong end byte */
};

/** When a request of the plan is sent. */
enum pb_when {
	PB_EACH_POLL,	/**< its reply is part of the reading */
	PB_ONCE_BEFORE, /**< once a connection, before the first reading: replies depend on it */
	PB_ONCE_AFTER,	/**< after the first reading, then again after a while: it can wait */
};

enum { PB_REQUEST_MAX = 64 }; /**< bytes */

/**
 * One read request of a codec's poll plan. One that is not required and was never answered in a
 * connection is sent once in ten minutes only: boards leave out what they do not have.
 */
struct pb_query {
	const char *name; /**< for logs, e.g. "cells" */
	uint16_t command; /**< what the reply's pb_frame.command must be */
	enum pb_when when;
	bool required; /**< without its reply there is no reading */
	/** Answered by a PB_FRAME_NOTICE, and behind it by such replies again and again. */
	bool streams;
	/**
	 * Of PB_ONCE_AFTER. @brings: set of PB_HAS(), what is absent again when the query has not
	 * been answered for long. @live: it changes by itself, so it is asked as often as
	 * stale_after_s needs and does not stay for longer; else a person changes it.
	 */
	uint64_t brings;
	bool live;
	/** Asked by pb_codec.dialogue(), in as many requests as it takes; @bytes are not sent. */
	bool dialogue;
	uint8_t len;
	uint8_t bytes[PB_REQUEST_MAX];
};

/** A parameter register of the BMS, as far as its meaning is known. */
struct pb_parameter {
	bool has_value;
	int32_t value; /**< as the register holds it, unscaled */
	bool has_text;
	char text[256];
};

enum { PB_PASSWORD_MAX = 16 }; /**< of a radio module, the NUL included */

/** What a board counts for as long as it lives, or 0: neither falls in the frames of one board. */
struct pb_meters {
	uint32_t running_s; /**< how long it has been running */
	uint32_t through_mah;
};

/**
 * Exchanges of several requests, of which each may depend on the reply before: on a random number,
 * a length, a refusal.
 */
enum pb_dialogue_kind {
	PB_DIALOGUE_LOGIN,   /**< to the radio module in front of the BMS, after connecting */
	PB_DIALOGUE_COMMAND, /**< switches, between two polls */
	PB_DIALOGUE_READ,    /**< a query of the plan with @dialogue set */
};

/** What a dialogue has come to. */
enum pb_dialogue_result {
	PB_DIALOGUE_SEND,    /**< send @request and bring its reply */
	PB_DIALOGUE_DONE,    /**< logged in; the command was taken; all parts were read */
	PB_DIALOGUE_NONE,    /**< there is no such dialogue, or no answer: go on without */
	PB_DIALOGUE_REFUSED, /**< wrong password; the pack refused */
};

/** A dialogue in the making. The caller sets what @kind needs, and @step to 0. */
struct pb_dialogue {
	enum pb_dialogue_kind kind;
	uint8_t address;		/**< as of pb_codec.request() */
	char password[PB_PASSWORD_MAX]; /**< LOGIN */
	uint8_t mac[6];			/**< LOGIN: of the module, in display order */
	struct pb_command command;	/**< COMMAND */
	const struct pb_query *query;	/**< READ */
	int step;			/**< the codec's own: how far it is; 0 at first */
	struct pb_query request;	/**< the codec's: to be sent next */
};

/** Place in a stream of received bytes, for pb_codec.conceal(); zero it when the stream begins. */
struct pb_conceal {
	size_t head;   /**< bytes that look like the head of a frame that has secrets */
	size_t at;     /**< place in such a frame; 0: not in one */
	uint16_t lost; /**< what the blanked bytes are to its checksum */
};

/**
 * One sign in an advertisement that a device is likely to speak a protocol; the proof is its first
 * reply. All that is given must hold. A sign with @maker is worth more than one by services and
 * address, and that more than one with @names.
 */
struct pb_sign {
	const char *text;   /**< for people, a few words; static storage */
	const char *source; /**< who has seen it: a project, an issue, a captured advertisement */
	/**
	 * Manufacturer data, the id first as it is sent, two characters a byte: upper-case hex
	 * digits, ".." any byte, "@@" the six bytes of the device's own address in display order,
	 * "%%" these in reversed order; "*" at the end: more may follow.
	 */
	const char *maker;
	uint16_t service;	      /**< is among its services; 0: whatever */
	uint16_t without;	      /**< is not; 0: whatever */
	const uint8_t (*prefixes)[3]; /**< first bytes of the address, one of these; ended by 0s */
	const char *const *names;     /**< patterns as of fnmatch(3), ended by NULL */
	const char *const *unnamed;   /**< other devices with the same sign go by these */
};

/**
 * One battery protocol, or one dialect of it. A codec keeps no state: one const object serves every
 * pack, the tests and the fuzzer. What later frames need to know of earlier ones, it leaves in
 * pb_sample.carry.
 */
struct pb_codec {
	const char *name;    /**< key in the configuration, e.g. "jbd"; static storage */
	const char *title;   /**< for people: makers and trade names; of the first dialect */
	const char *dialect; /**< for people; NULL: there is only one */
	/** The dialect to be tried when this one is not answered; NULL: this is the last. */
	const struct pb_codec *next;
	const struct pb_query *queries;
	size_t query_count;
	/** What its boards can say, where that is less than the catalogue has: for
	 * pb_sample_check(). */
	const struct pb_bound *bounds;

	/**
	 * Measures and checks the frame at the head of a stream.
	 * @pending: the request that waits for its reply; NULL accepts any register that the
	 * protocol has (`decode`).
	 * @return its length, 1..@len; PB_FRAME_MORE; or a negative reason (above): drop ONE byte
	 *         and ask again, for the real start may be inside.
	 */
	int (*frame)(const uint8_t *buf, size_t len, const struct pb_query *pending,
		     struct pb_frame *ret);

	/**
	 * Decodes a whole frame, as frame() accepted it, into the members that it carries; the
	 * others keep their value. A refusal or a frame without battery data changes nothing.
	 * Values are taken as they are, possible or not, but for those that stand for "not there":
	 * pb_sample_check() judges them, and until then even counts may be out of range.
	 * @return 0; 1: more frames of the same reply follow; -EPROTO: it can't be such a reply
	 * (@sample is intact, or has the number of cells that can't be).
	 */
	int (*decode)(const struct pb_frame *frame, struct pb_sample *sample);

	/**
	 * What tells the frames of two boards apart that both send by themselves and name neither;
	 * of codecs with a query that streams. NULL: nothing does.
	 * @sample: what earlier frames of the connection left for later ones.
	 * @return false: this frame does not say.
	 */
	bool (*meters)(const struct pb_frame *frame, const struct pb_sample *sample,
		       struct pb_meters *ret);

	/**
	 * What else a frame says that is no field of a reading, e.g. a parameter's value; for
	 * `decode`. May be NULL.
	 * @return false: nothing.
	 */
	bool (*parameter)(const struct pb_frame *frame, struct pb_parameter *ret);

	/**
	 * The first dialect of the same protocol for a line that several packs share: its boards
	 * are told apart by addresses, which requests and replies name. NULL: there is none.
	 */
	const struct pb_codec *multidrop;
	uint8_t addresses; /**< of the first such dialect: boards have addresses 1 to this */

	/**
	 * Makes the request of a query at run time, e.g. with an address and a checksum. NULL:
	 * queries are sent as they are.
	 * @address: of the pack on a line that several share.
	 * @out: a copy of @query; its bytes and length are to be set.
	 */
	void (*request)(const struct pb_query *query, uint8_t address, struct pb_query *out);

	/**
	 * The next step of a dialogue. A kind that the protocol lacks is PB_DIALOGUE_NONE at the
	 * start. NULL: it lacks all of them.
	 * @reply: the frame that answers dialogue->request, of PB_DIALOGUE_READ decoded already;
	 * NULL at the start, and when none came.
	 */
	enum pb_dialogue_result (*dialogue)(struct pb_dialogue *dialogue,
					    const struct pb_frame *reply);

	/**
	 * Blanks the secrets (passcodes) that a BMS tells everyone, before received bytes are shown
	 * or written down, in frames whose bytes all arrive. Frames stay sound. NULL: it tells
	 * none.
	 */
	void (*conceal)(struct pb_conceal *conceal, uint8_t *bytes, size_t len);

	/**
	 * By which advertisements its packs are recognised; ended by a sign without text. Of the
	 * first dialect. NULL: by none.
	 */
	const struct pb_sign *signs;

	/**
	 * The GATT characteristics that its packs' radio modules may have, the preferred ones
	 * first; ended by one without a service. Of the first dialect. NULL: it is not spoken over
	 * radio.
	 */
	const struct pb_pipe *pipes;

	/**
	 * Explains why no frame starts at the head of a stream, in a few words; for `decode`.
	 * @reason, @frame: what frame() gave for the same bytes.
	 */
	void (*explain)(const uint8_t *buf, size_t len, int reason, const struct pb_frame *frame,
			char *out, size_t cap);
};

extern const struct pb_codec pb_codec_jbd;
extern const struct pb_codec pb_codec_daly;
extern const struct pb_codec pb_codec_jk;

/**
 * Which of @codecs (ended by NULL) an advertisement calls for: the one with the strongest sign, of
 * equal ones the first.
 * @return NULL: none has a sign.
 */
const struct pb_codec *pb_codec_of_advert(const struct pb_codec *const *codecs,
					  const struct pb_advert *advert,
					  const struct pb_sign **ret_sign);

enum { PB_STREAM_MAX = 1024 };

/** Reassembly: bytes in as they come, frames out. Zero it to start or to forget what is there. */
struct pb_stream {
	size_t len;
	size_t eaten;		/**< bytes of the frame that was handed out last */
	uint32_t garbage_bytes; /**< dropped since the start, wraps */
	uint32_t bad_frames;	/**< wrong checksum or end byte, wraps */
	uint8_t buf[PB_STREAM_MAX];
};

/**
 * Appends received bytes. When they do not fit, the oldest ones go (and count as garbage): the
 * newest bytes are those that a resynchronisation needs.
 */
void pb_stream_push(struct pb_stream *stream, const uint8_t *bytes, size_t len);

/**
 * Takes the next frame. @ret points into @stream and is good until the next call on it.
 * @return true: a frame; false: none in what is there (more bytes may complete one).
 */
bool pb_stream_next(struct pb_stream *stream, const struct pb_codec *codec,
		    const struct pb_query *pending, struct pb_frame *ret);

/** Drops an incomplete frame, after a silence in the middle of it. */
void pb_stream_flush(struct pb_stream *stream);
