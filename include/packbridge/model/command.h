/* SPDX-License-Identifier: MIT */
/* What a pack's switches are wanted to be, and what became of it. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

/** The wanted state of a pack's switches, not a change of it: to send it twice does no harm. */
struct pb_command {
	bool inhibit_charge;
	bool inhibit_discharge;
};

enum pb_command_state {
	PB_COMMAND_NONE,	/**< there was none yet */
	PB_COMMAND_WAITING,	/**< taken; nothing of it was sent yet */
	PB_COMMAND_RUNNING,	/**< requests are being sent */
	PB_COMMAND_DONE,	/**< the pack took it; whether it did it, only a reading shows */
	PB_COMMAND_REFUSED,	/**< by the pack */
	PB_COMMAND_UNANSWERED,	/**< sent, without an answer: perhaps it was done */
	PB_COMMAND_UNSUPPORTED, /**< the protocol has no such command; nothing was sent */
	PB_COMMAND_DROPPED,	/**< nothing was sent: connection or live reading went before */
};

/** What became of the last command that was taken. */
struct pb_command_status {
	enum pb_command_state state;
	uint32_t number;  /**< how many were taken so far, wraps */
	uint64_t sent_ms; /**< pb_now_ms() of its last request; 0: none was sent. Its effect shows
			     in readings with a later sampled_ms only */
};
