/* SPDX-License-Identifier: MIT */
/*
 * Writes documents for the clients of the sockets and the page, one after the other. Each is
 * written in pieces; the event loop runs between them. Clients that ask for the same document
 * before it is begun share it. A later question gets a newer document.
 */
#pragma once

#include "document.h"

struct documents;

/** @snapshot: gives the input of each piece. */
int documents_new(struct documents **ret, sd_event *event,
		  struct snapshot (*snapshot)(const void *userdata), const void *userdata);
/** All askers must be gone, and no answer may be in use. */
struct documents *documents_free(struct documents *documents);

/**
 * Queues @asker for a document; it is answered later, from the event loop. @unit: see struct
 * document.
 */
void documents_ask(struct documents *documents, const struct document_kind *kind, int64_t unit,
		   struct pb_asker *asker);
/** @asker has disconnected; it gets no answer. */
void documents_forget(struct documents *documents, const struct pb_asker *asker);
/** The site has been replaced: the document that is being written begins anew. */
void documents_restart(struct documents *documents);

/** Writes a whole document at once, for tests. @return the status of HTTP. */
unsigned int document_write(const struct document_kind *kind, int64_t unit,
			    const struct snapshot *snapshot, FILE *out);
