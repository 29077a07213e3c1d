/* SPDX-License-Identifier: MIT */
/* The requested state of a pack's switches, and the result. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

/**
 * The requested state of a pack's switches. It is a state, not a change: sending it twice does no
 * harm.
 */
struct pb_command {
	bool inhibit_charge;
	bool inhibit_discharge;
	/** Which of the two differ from what the pack has now. A protocol that commands each switch
	 * apart sends these only; one that commands both at once sends both. If neither differs,
	 * nothing is sent. */
	bool change_charge;
	bool change_discharge;
};

enum pb_command_state {
	PB_COMMAND_NONE,    /**< no command yet */
	PB_COMMAND_WAITING, /**< accepted; nothing sent yet */
	PB_COMMAND_RUNNING, /**< requests are being sent */
	/** The pack accepted it; only a later reading shows the effect. The state may change back
	 * to RUNNING once, with a later sent_ms, where a protocol has another way to command a pack
	 * that accepts without an effect. With sent_ms 0: nothing was to be changed. */
	PB_COMMAND_DONE,
	PB_COMMAND_REFUSED,	/**< by the pack */
	PB_COMMAND_UNANSWERED,	/**< sent, but no answer: it may have been executed */
	PB_COMMAND_UNSUPPORTED, /**< the protocol has no such command; nothing was sent */
	PB_COMMAND_DROPPED, /**< nothing was sent: the connection or the live reading was lost */
};

/** Result of the last accepted command. */
struct pb_command_status {
	enum pb_command_state state;
	uint32_t number;  /**< number of commands accepted so far, wraps */
	uint64_t sent_ms; /**< pb_now_ms() of its last request; 0: none was sent. Its effect shows
			     in readings with a later sampled_ms only */
};
