/* SPDX-License-Identifier: MIT */
/*
 * Makes texts for those who ask, one after the other, in pieces between which the loop goes on. Who
 * asks for the same while it waits to be made gets the same; who comes later gets one of later.
 */
#pragma once

#include "status.h"

struct teller;

/** @shown: what there is to see now. */
int teller_new(struct teller **ret, sd_event *event, struct shown (*shown)(const void *userdata),
	       const void *userdata);
/** Nobody may wait any more, and no answer be in use. */
struct teller *teller_free(struct teller *teller);

/** Answers @asker later. @unit: see struct telling. */
void teller_ask(struct teller *teller, const struct telling_kind *kind, int64_t unit,
		struct pb_asker *asker);
/** One who waits has gone. */
void teller_forget(struct teller *teller, const struct pb_asker *asker);
/** The site has been replaced: what is being made begins anew. */
void teller_restart(struct teller *teller);

/** The whole text at once, for who may wait. @return the status. */
unsigned int telling_all(const struct telling_kind *kind, int64_t unit, const struct shown *shown,
			 FILE *out);
