/* SPDX-License-Identifier: MIT */
/*
 * Readers bring readings of a pack. The present one polls a pack over a link: it connects, polls,
 * reassembles frames, handles timeouts, reconnects, and knows when a reading is stale.
 */
#pragma once

#include "packbridge/base.h"
#include "packbridge/bms.h"
#include "packbridge/link.h"
#include "packbridge/model/plausible.h"
#include "packbridge/model/reading.h"

/** Times of a session; all in ms unless the name says otherwise. */
struct pb_session_config {
	const struct pb_codec *codec; /**< first dialect of the protocol; if @others is set, the
					 codec to begin with */
	/** Codecs that may be the right one (`protocol: auto`), ended by NULL; or NULL. */
	const struct pb_codec *const *others;
	uint32_t poll_ms;
	uint32_t gap_ms;    /**< between a reply and the next request; 0 allowed */
	uint32_t settle_ms; /**< from link up to the first request */
	uint32_t reply_timeout_ms;
	uint32_t tries;		     /**< how often a request is sent at most; at least 1 */
	uint32_t connect_timeout_ms; /**< 0: the link limits its attempts itself */
	uint32_t stale_after_s;
	bool stale_fixed;		/**< true: not extended when packs take turns */
	char password[PB_PASSWORD_MAX]; /**< of the radio module; "": none */
	char pin[PB_PIN_MAX]; /**< of the board, digits; needed for commands only; "": none */
	uint8_t address; /**< of the pack, on a line that several share; as pb_codec.request() */
	uint64_t seed;	 /**< of the back-off's jitter */
	/** The pack's switches may be commanded: query also what is needed to verify a command.
	 * False: the session sends what it sent before there were commands, byte for byte. */
	bool control;
};

/*
 * A reader brings readings of one pack from any source. It passes all data to its handler; other
 * code does not look into it.
 */
struct pb_reader;

/** Called from the event loop, and from start() and release(). */
struct pb_reader_handler {
	/** Something has changed. Called after the note() about the same change. */
	void (*reading)(void *userdata, const struct pb_reading *reading);
	/**
	 * Bytes sent or received on the link, for `probe`; may be NULL. Secrets of a BMS are
	 * redacted to zeros. @bytes is NULL for @len bytes of a password dialogue, in both
	 * directions.
	 */
	void (*bytes)(void *userdata, bool sent, const uint8_t *bytes, size_t len);
	/** A message, to be logged or shown. */
	void (*note)(void *userdata, const struct pb_note *note);
};

/** One kind of reader. */
struct pb_reader_type {
	/** Starts reading; does nothing if it was started already. @return 0; negative errno. */
	int (*start)(struct pb_reader *reader);
	/**
	 * Disconnects from the pack for @ms, so that another program can connect; 0: connects again
	 * now.
	 */
	void (*release)(struct pb_reader *reader, uint32_t ms);
	/**
	 * Operates the switches of the pack, between two polls. The result is in
	 * pb_reading.command.
	 * @return 0: accepted; -EACCES: pb_session_config.control does not allow it; -EBUSY:
	 *         another command is running; -ENOTCONN: there is no connection to the pack, e.g.
	 *         while another pack has its turn; -ENODATA: its reading is stale; -EOPNOTSUPP:
	 *         this kind of reader can't switch a pack.
	 */
	int (*command)(struct pb_reader *reader, const struct pb_command *command);
	/** Describes what was found at the far end, line by line; for `probe`. */
	void (*describe)(struct pb_reader *reader, void (*line)(void *userdata, const char *text),
			 void *userdata);
	/** Ends and frees it; sends nothing. Not from inside a handler. */
	void (*free)(struct pb_reader *reader);
};

/** The head of every reader; each kind appends its own members. */
struct pb_reader {
	const struct pb_reader_type *type;
	const struct pb_reader_handler *handler;
	void *userdata; /**< the handler's; may be changed at any time */
};

struct pb_reader *pb_reader_free(struct pb_reader *reader);
PB_DEFINE_FREEP(struct pb_reader, pb_reader_free)

/**
 * The reader of a pack at the far end of a link: a session, driven by the event loop.
 * @type, @setup: the link; the reader sets its own handler and userdata.
 * @return 0; negative errno.
 */
int pb_pack_new(struct pb_reader **ret, const struct pb_session_config *config,
		const struct pb_link_type *type, const struct pb_link_setup *setup,
		const struct pb_reader_handler *handler, void *userdata);
