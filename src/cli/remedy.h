/* SPDX-License-Identifier: MIT */
/* Remedies: the second half of every error message of `scan` and `probe`. */
#pragma once

#include "packbridge/model/status.h"

/** For an error of a link or of scanning (negative errno). @return NULL: none is known. */
const char *pb_remedy_link(int error);
/** For an error of the session, once the link was up. @return NULL: none is known. */
const char *pb_remedy_session(enum pb_error error);
