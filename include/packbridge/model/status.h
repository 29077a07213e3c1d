/* SPDX-License-Identifier: MIT */
/*
 * struct pb_status: the connection to one pack. It gives the age and the quality of the pack's
 * reading.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

/** How good the data of a unit is; the numbers are published in a register and never change. */
enum pb_quality {
	PB_QUALITY_NEVER = 0, /**< no reading since the start */
	PB_QUALITY_GOOD = 1,
	PB_QUALITY_STALE = 2, /**< the last reading is older than stale_after_s, the link is up */
	PB_QUALITY_LOST = 3,  /**< the same, and there is no connection to the pack */
};

/** Why the last poll or connection failed; published, the numbers never change. */
enum pb_error {
	PB_ERROR_NONE = 0,
	PB_ERROR_CONNECT = 1,	   /**< the link did not come up */
	PB_ERROR_LINK_LOST = 2,	   /**< the link went down while in use */
	PB_ERROR_TIMEOUT = 3,	   /**< connected, but no reply */
	PB_ERROR_CHECKSUM = 4,	   /**< replies with a wrong checksum */
	PB_ERROR_GARBAGE = 5,	   /**< bytes that hold no frame */
	PB_ERROR_REFUSED = 6,	   /**< the BMS refused the request */
	PB_ERROR_IMPOSSIBLE = 7,   /**< a sound frame with impossible content */
	PB_ERROR_SILENT = 8,	   /**< connected, but not one byte: wants a password, or sleeps */
	PB_ERROR_ECHO = 9,	   /**< repeats requests instead of answering: wants to be paired */
	PB_ERROR_PASSWORD = 10,	   /**< the radio module refused the password */
	PB_ERROR_RELEASED = 11,	   /**< released on request, for the phone app */
	PB_ERROR_LATE = 12,	   /**< replies are stale when they arrive */
	PB_ERROR_UNSOLICITED = 13, /**< replies without a request */
	PB_ERROR_SHARED_LINE = 14, /**< frames of several boards that cannot be distinguished */
	PB_ERROR_COUNT
};

/** @return a few words for a person, static storage; "?" for a number that is none. */
const char *pb_error_text(enum pb_error error);
const char *pb_quality_text(enum pb_quality quality);

/** The connection of one pack; kept by its session. Counters wrap at 2^32, `sequence` at 65535. */
struct pb_status {
	bool connected;
	uint16_t sequence;   /**< 0: no reading yet; then 1..65535, one more for each reading */
	uint64_t sampled_ms; /**< pb_now_ms() of the reading; undefined while sequence is 0 */
	uint32_t stale_after_s;
	uint32_t polls;		   /**< poll cycles with a reading */
	uint32_t failures;	   /**< poll cycles without one */
	uint32_t connects;	   /**< times that the link came up */
	uint32_t connect_failures; /**< attempts to connect that failed */
	uint32_t reconnects;	/**< times that the link was closed or lost, after the first success
				 */
	uint32_t timeouts;	/**< requests without a reply, except wake-up requests */
	uint32_t bad_frames;	/**< frames with a wrong checksum or end */
	uint32_t garbage_bytes; /**< bytes that belonged to no frame */
	uint32_t unsolicited;	/**< replies that answer no request of ours */
	uint64_t details_ms; /**< pb_now_ms() of the oldest value that is queried rarely; 0: there
				is none */
	uint32_t impossible_readings; /**< replies and readings refused because of impossible values
				       */
	uint32_t impossible_values;   /**< values that were left out of readings */
	enum pb_error last_error;
};

/** @return true when the reading is stale at @now_ms, or there is none. */
bool pb_status_is_stale(const struct pb_status *status, uint64_t now_ms);
enum { PB_AGE_NONE_S = 65535 };
/** Age of the reading in whole seconds, at most 65534; PB_AGE_NONE_S: never read. */
uint16_t pb_status_age_s(const struct pb_status *status, uint64_t now_ms);
/** Age of the oldest value that is queried rarely, likewise; PB_AGE_NONE_S: there is none. */
uint16_t pb_status_details_age_s(const struct pb_status *status, uint64_t now_ms);
/** The quality at @now_ms, by the clock alone: no timer has to run for it. */
enum pb_quality pb_status_quality(const struct pb_status *status, uint64_t now_ms);
