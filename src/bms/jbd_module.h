/* SPDX-License-Identifier: MIT */
/* What a JBD board is told beyond reads: the login to its radio module, and commands. */
#pragma once

#include "packbridge/bms.h"

/** In pb_dialogue.unlocked. */
enum {
	JBD_NO_ROOT = 1, /**< the module took the user's password, but not the root password */
	JBD_PIN = 2,	 /**< the board took the PIN */
};

enum pb_dialogue_result jbd_login(struct pb_dialogue *login, const struct pb_frame *reply);
/**
 * The two requests that send the root password, in a dialogue of any kind.
 * @first: step of the first one; that of the second is the next number. With another step in
 * @d it begins.
 * @return SEND; DONE at the end, in any case.
 */
enum pb_dialogue_result jbd_module_root(struct pb_dialogue *d, const struct pb_frame *reply,
					int first);
/** A command: both kinds. */
enum pb_dialogue_result jbd_command(struct pb_dialogue *d, const struct pb_frame *reply);
extern const struct pb_sign jbd_signs[];
