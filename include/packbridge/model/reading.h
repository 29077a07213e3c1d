/* SPDX-License-Identifier: MIT */
/*
 * The data that a reader passes on for one pack: the reading, its status and related data. Code
 * that publishes a pack uses this data and asks no reader.
 */
#pragma once

#include "packbridge/base.h"
#include "packbridge/model/command.h"
#include "packbridge/model/plausible.h"

enum { PB_NOTE_MAX = 256 };

/** A message about a pack, for the log and for people. Plain memory, to be copied. */
struct pb_note {
	enum pb_log_level level;
	enum pb_error error; /**< status.last_error when it was written */
	char text[PB_NOTE_MAX];
	size_t lasting;	  /**< number of bytes of @text that stay true later, at most strlen() */
	uint64_t next_ms; /**< pb_now_ms() of the next attempt to connect; 0: none is due */
	uint32_t attempt; /**< its number, from 1 */
};

/** Writes the note for @now_ms, with the time left to the next attempt. */
void pb_note_text(const struct pb_note *note, uint64_t now_ms, char *out, size_t cap);

/** All data of one pack. Pointers are borrowed and valid only during the call. */
struct pb_reading {
	bool new_reading; /**< @sample is new. Set @new_status with it, as the status has changed */
	bool new_status;  /**< @status has changed. If neither is set, only later members have
			     changed */
	const struct pb_sample *sample; /**< the last whole reading; zeros: none yet */
	const struct pb_status *status;
	bool has_rssi;
	int32_t rssi_dbm;     /**< received signal strength of the link, where it has one */
	const char *protocol; /**< spoken, or being tried; static storage, as the next two */
	const char *dialect;  /**< NULL: it has only one */
	const char *state;    /**< a word or two for a person, e.g. "connected" */
	bool searching;	      /**< the right protocol or dialect is not known yet */
	bool logged_in;	      /**< the radio module accepted the password in this connection */
	int link_error;	      /**< negative errno of the link's last end; 0: it never ended */
	/** The last one, as the handler's note() had it; zeros: none yet. Never NULL. */
	const struct pb_note *note;
	/** Impossible values that the pack reported; zeros: none. Never NULL. */
	const struct pb_refusals *refusals;
	const struct pb_command_status *command; /**< zeros: there was no command. Never NULL */
};
