/* SPDX-License-Identifier: MIT */
/*
 * Writes documents for those who ask, one after the other, in pieces between which the loop goes
 * on. Askers that want the same document before it is begun share it. Whoever asks later gets a
 * newer one.
 */
#pragma once

#include "document.h"

struct documents;

/** @snapshot: gives what a piece is written from. */
int documents_new(struct documents **ret, sd_event *event,
		  struct snapshot (*snapshot)(const void *userdata), const void *userdata);
/** Nobody may wait any more, and no answer may be in use. */
struct documents *documents_free(struct documents *documents);

/** Answers @asker later. @unit: see struct document. */
void documents_ask(struct documents *documents, const struct document_kind *kind, int64_t unit,
		   struct pb_asker *asker);
/** @asker, who waits, has gone. */
void documents_forget(struct documents *documents, const struct pb_asker *asker);
/** The site has been replaced: the document that is being written begins anew. */
void documents_restart(struct documents *documents);

/** Writes a whole document at once, for tests. @return the status of HTTP. */
unsigned int document_write(const struct document_kind *kind, int64_t unit,
			    const struct snapshot *snapshot, FILE *out);
