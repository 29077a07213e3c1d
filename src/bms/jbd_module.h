/* SPDX-License-Identifier: MIT */
/* The radio module in front of a JBD board: its login, and how it advertises. */
#pragma once

#include "packbridge/bms.h"

enum pb_dialogue_result jbd_dialogue(struct pb_dialogue *login, const struct pb_frame *reply);
extern const struct pb_sign jbd_signs[];
