/* SPDX-License-Identifier: MIT */
/*
 * Readers: what brings readings of a pack. The one there is polls a pack over a link: it connects,
 * polls, reassembles, times out, reconnects, and knows when a reading is stale.
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
	uint8_t address; /**< of the pack, on a line that several share; as pb_codec.request() */
	uint64_t seed;	 /**< of the back-off's jitter */
};

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
	/**
	 * Switches the pack, between two polls; what becomes of it is in pb_reading.command.
	 * @return 0: taken; -EBUSY: another one is under way; -ENOTCONN: there is no connection to
	 *         the pack; -ENODATA: its reading is stale.
	 */
	int (*command)(struct pb_reader *reader, const struct pb_command *command);
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
