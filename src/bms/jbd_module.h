/* SPDX-License-Identifier: MIT */
/* The radio module in front of a JBD board: its login, and how it advertises. */
#pragma once

#include "packbridge/bms.h"

enum pb_login_result jbd_login(struct pb_login *login, const struct pb_frame *reply);
extern const struct pb_sign jbd_signs[];
