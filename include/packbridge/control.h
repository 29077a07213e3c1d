/* SPDX-License-Identifier: MIT */
/*
 * Controls the two switches (FETs) of one pack: from what clients ask for, and from what readings
 * show, it decides which command is sent and when. Pure: no clock, no log, no allocation.
 *
 *	request ──▶ wish ──▶ pb_control_step() ──▶ a command for the reader
 *	reading, status, result of the command, facts of banks, time ──▶ state, reason, deadline
 *
 * The rules, in the order in which they decide:
 *
 * - A wish is a level. A command is sent only if the reading shows a switch that is commanded
 *   otherwise. It is sent only on a live reading of the present connection.
 * - An acknowledgement proves nothing. Only a reading that was asked for after the command does. Up
 *   to 3 such readings within 3 s are looked at, or 3 readings, whichever takes longer.
 * - A change is sent twice at most. The second time only if it opens a switch, the first was not
 *   acknowledged and readings show that nothing has happened.
 * - A change that failed is not tried again until the wish is another one, or a reset. If a later
 *   reading shows it after all, it is confirmed.
 * - The first client that inhibits something owns the pack until its wish is clear or its lease
 *   ends. A person at the command line takes over from any client; after the pack is given back it
 *   belongs to nobody, and the client has to write its wish again.
 * - With the end of the lease (@lease_end release) the switches that were opened here are closed.
 *   All others are not touched.
 * - A switch that somebody else opened is foreign. It is shown, and closed only when asked for:
 *   by @give_back, by @reset while nothing is inhibited, or when a client clears a wish that it
 *   had. A client that writes 0 again and again asks for nothing.
 * - Against the opposite current: no switch is opened while more than 2 A flow the other way, as
 *   they would go on through the diode of the open FET. If such a current begins later, the switch
 *   is closed, and opened again when the current has been lower for @min_s.
 * - @min_s after a change no switch is closed, so nothing bounces. No more than @per_hour changes
 *   are begun in an hour: a switch is opened only if there is room for the change that will close
 *   it, so closing never waits for the hour.
 */
#pragma once

#include "packbridge/model/command.h"
#include "packbridge/model/control.h"
#include "packbridge/model/sample.h"
#include "packbridge/model/status.h"

enum {
	PB_SWITCH_CHARGE,
	PB_SWITCH_DISCHARGE,
	PB_SWITCHES,
};

enum {
	/** An open FET's diode passes the opposite current: 0.5 to 1 V, so 2 W and more at 2 A. JBD
	 * boards close the FET again above about the same current. */
	PB_CONTROL_OPPOSITE_MA = 2000,
	/** From the limits of a bank to the command: inverters ask for them each 0.5 to 2 s. Two
	 * such polls, and a second to obey. */
	PB_CONTROL_LIMITS_MS = 5000,
	PB_CONTROL_LOOKS = 3,
	PB_CONTROL_VERIFY_MS = 3000,
	PB_CONTROL_PER_HOUR_MAX = 60, /**< a higher per_hour counts as this */
};

/** How a switch is commanded, as far as it is known. */
enum pb_switch_position { PB_SWITCH_UNKNOWN, PB_SWITCH_CLOSED, PB_SWITCH_OPEN };

/** One switch. Members of this and the next are for room control and its tests. */
struct pb_control_switch {
	bool wish;	 /**< inhibited */
	bool whole;	 /**< the wish is for all packs of a bank together */
	bool ours;	 /**< opened here, so it may be closed here */
	bool adopted;	 /**< ours because its release was asked for; until the connection ends */
	bool keep;	 /**< the lease ended, and it stays open until it is asked for */
	bool diode;	 /**< closed for a while, because of the opposite current */
	bool closing;	 /**< closed by a command; until its FET conducts */
	uint8_t said;	 /**< enum pb_switch_position; of the last reading that told */
	uint8_t failed;	 /**< the position that could not be reached; UNKNOWN: none */
	uint8_t wait;	 /**< enum pb_control_reason why it can't be changed now */
	uint64_t low_ms; /**< since when there is no opposite current; 0: there is */
	uint64_t granted_ms; /**< since when the limits have dropped for it; 0: they have not */
};

enum pb_control_phase {
	PB_CONTROL_REST,
	PB_CONTROL_ASKED, /**< the reader has a command */
	PB_CONTROL_SENT,  /**< it was sent; readings must show it */
};

/** The switches of one pack. Zero it to start. */
struct pb_control_machine {
	struct pb_control_switch switches[PB_SWITCHES];
	/* the wish's owner */
	char owner[PB_CONTROL_OWNER_MAX]; /**< "": none */
	bool local;
	uint64_t lease_end_ms;		     /**< UINT64_MAX: it does not end; only with an owner */
	char lease_of[PB_CONTROL_OWNER_MAX]; /**< who gave @lease_s; "": nobody */
	uint16_t lease_s;
	bool ended;   /**< the lease has ended; until somebody asks for something */
	bool letting; /**< everything is being closed: nothing can be asked for any more */
	/* the command */
	enum pb_control_phase phase;
	struct pb_command command;
	bool ours_before[PB_SWITCHES]; /**< the command */
	uint32_t number;	       /**< of the command, by the reader's count */
	uint64_t sent_ms;
	bool acknowledged;
	uint8_t looks;	/**< readings since then */
	uint8_t writes; /**< of this change */
	uint8_t why;	/**< enum pb_control_reason of the last failure */
	/* the reading */
	uint16_t sequence;
	uint32_t connects; /**< the connection that it is of */
	bool live;	   /**< it is a live one of the present connection */
	bool unread;	   /**< the reader took no command: wait for another reading */
	/* changes */
	uint64_t changes_ms[PB_CONTROL_PER_HOUR_MAX]; /**< a ring: when the last ones began */
	uint32_t changes;			      /**< number of all */
	/* what is told */
	uint8_t state, reason;
	uint64_t since_ms; /**< when @state began; 0: it never changed */
	uint64_t due_ms;   /**< UINT64_MAX: it needs no time */
};

/** The pack, as it is now. All pointers are borrowed. */
struct pb_control_facts {
	const struct pb_control_setup *setup;
	const struct pb_sample *sample;
	const struct pb_status *status;
	const struct pb_command_status *command;
	/** enum pb_control_reason why a bank forbids to open a switch; NONE: none does. It counts
	 * only while pb_control_wants_open(). */
	uint8_t hold[PB_SWITCHES];
	bool in_bank;  /**< limits have to drop before it is taken out */
	bool may_send; /**< false: what is to be sent waits for the next step */
};

/**
 * @return 0: @request would be accepted; -EPERM: the setup does not allow it; -EINVAL: a lease of
 *         65535 s; -EBUSY: another client owns the pack, or the pack is being given up.
 */
int pb_control_allows(const struct pb_control_machine *machine,
		      const struct pb_control_setup *setup,
		      const struct pb_control_request *request);
/**
 * Takes a request that pb_control_allows(). Nothing is sent before the next step.
 * @whole: it is for all packs of a bank together.
 */
void pb_control_take(struct pb_control_machine *machine, const struct pb_control_setup *setup,
		     const struct pb_control_request *request, bool whole, uint64_t now_ms);
/**
 * The wish ends, what was opened here is closed at once if @lease_end says so, and no request is
 * taken any more.
 */
void pb_control_let_go(struct pb_control_machine *machine, const struct pb_control_setup *setup);

/**
 * Goes on by another setup. Switches that it does not allow are forgotten: nobody closes them.
 * @same_reader: the reader goes on, too; false: it begins anew, with a connection of its own.
 */
void pb_control_move(struct pb_control_machine *machine, const struct pb_control_setup *setup,
		     bool same_reader);

/**
 * Processes what has changed: call it with each reading or status, after requests, and when
 * pb_control_machine.due_ms has passed.
 * @now_ms: above 0, never goes back.
 * @return whether @ret is to be sent now; then pb_control_result() follows at once.
 */
bool pb_control_step(struct pb_control_machine *machine, const struct pb_control_facts *facts,
		     uint64_t now_ms, struct pb_command *ret);
/** The reader's answer to the command: @r as pb_reader_type.command(). */
void pb_control_result(struct pb_control_machine *machine, int r);

/** @return whether the wish needs that switch opened, and it is not. */
bool pb_control_wants_open(const struct pb_control_machine *machine, int which);
/** @return whether limits of that direction are 0: the switch is being opened, or was. */
bool pb_control_blocks(const struct pb_control_machine *machine, int which);
/** @return whether a switch is open, or may be, that was opened here. */
bool pb_control_holds(const struct pb_control_machine *machine, int which);
/** @return whether a switch of pb_control_let_go() is still being closed. */
bool pb_control_is_closing(const struct pb_control_machine *machine);
/** Writes what clients are told at @now_ms. */
void pb_control_tell(const struct pb_control_machine *machine, uint64_t now_ms,
		     struct pb_control *ret);
