/* SPDX-License-Identifier: MIT */
/*
 * Control of a pack's switches (FETs): what the configuration allows, what a client asks for, and
 * what has become of it. docs/control.md explains it for users.
 *
 * What a client asks for is the wish: for each direction, whether current is inhibited. A wish is a
 * level, not a pulse: asking again for the same changes nothing at the pack. It ends when its lease
 * ends.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

enum pb_control_mode {
	PB_CONTROL_OFF,	   /**< nothing is ever sent to the pack but requests to read */
	PB_CONTROL_CHARGE, /**< only charging may be inhibited */
	PB_CONTROL_BOTH,
};

/** What happens to the switches when a lease ends, and when the program stops. */
enum pb_lease_end {
	PB_LEASE_RELEASE, /**< they are closed again */
	PB_LEASE_KEEP,	  /**< they stay as they are */
};

/** Control of one pack, from its configuration. */
struct pb_control_setup {
	int mode;	   /**< enum pb_control_mode */
	uint32_t lease_s;  /**< of a wish without a lease of its own; 0: it does not end */
	int lease_end;	   /**< enum pb_lease_end */
	uint32_t min_s;	   /**< from one change to the next change that closes a switch */
	uint32_t per_hour; /**< changes in any hour at most */
};

/** Published, the numbers never change. */
enum pb_control_state {
	PB_CONTROL_STATE_OFF = 0,	 /**< not enabled */
	PB_CONTROL_STATE_LOCAL = 1,	 /**< confirmed, and ordered by `packbridge switch` */
	PB_CONTROL_STATE_IDLE = 2,	 /**< nothing is inhibited */
	PB_CONTROL_STATE_PENDING = 3,	 /**< asked for; waits, see the reason */
	PB_CONTROL_STATE_WRITING = 4,	 /**< a command is under way */
	PB_CONTROL_STATE_VERIFYING = 5,	 /**< sent; waits for a reading that was asked for later */
	PB_CONTROL_STATE_CONFIRMED = 6,	 /**< a later reading shows it */
	PB_CONTROL_STATE_OVERRIDDEN = 7, /**< the BMS holds a switch otherwise, see the reason */
	PB_CONTROL_STATE_FAILED = 8,	 /**< not done; until another wish, or a reset */
	PB_CONTROL_STATE_EXPIRED = 9,	 /**< the lease ended; the switches are being closed */
	PB_CONTROL_STATE_FOREIGN = 10,	 /**< a switch is locked that packbridge did not lock */
	PB_CONTROL_STATE_COUNT
};

/** Why the state is what it is; published, the numbers never change. */
enum pb_control_reason {
	PB_CONTROL_REASON_NONE = 0,
	PB_CONTROL_REASON_NOT_ENABLED = 1, /**< `control:` of the pack does not allow it */
	PB_CONTROL_REASON_STALE = 2,	   /**< no live reading */
	PB_CONTROL_REASON_KEEP_CLOSED = 3, /**< `keep_closed:` of a bank */
	PB_CONTROL_REASON_RATE = 4,	   /**< too soon after the last change, or too many */
	PB_CONTROL_REASON_LEASE_ENDED = 5,
	PB_CONTROL_REASON_OTHER_OWNER = 6,  /**< another client owns the pack */
	PB_CONTROL_REASON_OPPOSITE = 7,	    /**< more than 2 A flow in the opposite direction */
	PB_CONTROL_REASON_LAST_SOURCE = 8,  /**< nothing else would feed the bank */
	PB_CONTROL_REASON_REFUSED = 9,	    /**< by the BMS */
	PB_CONTROL_REASON_UNANSWERED = 10,  /**< the BMS sent no reply */
	PB_CONTROL_REASON_IGNORED = 11,	    /**< acknowledged, but readings show no effect */
	PB_CONTROL_REASON_PROTECTION = 12,  /**< a protection of the BMS holds the switch open */
	PB_CONTROL_REASON_FOREIGN = 13,	    /**< locked by somebody else, e.g. the phone app */
	PB_CONTROL_REASON_UNSUPPORTED = 14, /**< the protocol has no such command */
	PB_CONTROL_REASON_LIMITS = 15,	    /**< the bank's current limits drop first */
	PB_CONTROL_REASON_UNKNOWN = 16,	    /**< the reading does not tell what is locked */
	PB_CONTROL_REASON_BMS = 17,	    /**< the BMS holds the switch otherwise, it is not told
						 why (e.g. heating) */
	PB_CONTROL_REASON_COUNT
};

/** @return a word for a person, static storage; "?" for an invalid number. */
const char *pb_control_state_text(enum pb_control_state state);
/** @return a few words for a person, likewise. */
const char *pb_control_reason_text(enum pb_control_reason reason);

enum { PB_CONTROL_OWNER_MAX = 48, PB_LEASE_NONE_S = 65535 };

/** What a client asks for. Members without their `has_` are as they were. */
struct pb_control_request {
	const char *owner; /**< the client's address or serial line; "local": a person here */
	bool local;	   /**< of `packbridge switch`: takes over from any client */
	bool has_charge, inhibit_charge;
	bool has_discharge, inhibit_discharge;
	bool has_lease;
	uint16_t lease_s; /**< from now on, at most 65534; renews the lease. 0: does not end */
	bool reset;	  /**< forget a failure and try again */
	bool give_back;	  /**< end the wish: close what we opened, and own nothing any more */
};

/** Control as it is told to clients; part of struct pb_battery. */
struct pb_control {
	bool inhibit_charge, inhibit_discharge; /**< the wish, not the state of the switches */
	bool inhibit_both; /**< both of them; as of the last update by a clock */
	uint16_t lease_s;  /**< what remains of it; PB_LEASE_NONE_S: there is no lease */
	uint16_t reset;	   /**< always 0 */
	uint8_t state;	   /**< enum pb_control_state */
	uint8_t reason;	   /**< enum pb_control_reason */
	uint16_t age_s;	   /**< since the last change of state, at most 65534 */
	/** Limits of that direction are 0: the switch is being opened by the wish, or was. */
	bool blocks_charge, blocks_discharge;
	char owner[PB_CONTROL_OWNER_MAX]; /**< "": none */
};
