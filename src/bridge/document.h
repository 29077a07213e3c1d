/* SPDX-License-Identifier: MIT */
/*
 * Documents about a site and its listeners: status.c writes JSON, metrics.c the text format of
 * Prometheus, web.c the registers of one unit. Each is written in pieces, so that clients can be
 * served between them.
 */
#pragma once

#include "listeners.h"

/** The input of documents at one moment. */
struct snapshot {
	const struct pb_config *config;
	struct site *site;
	const struct listeners *listeners;
	uint64_t now_ms;
};

/** A document that is being written. */
struct document {
	struct snapshot snapshot; /**< of this piece; the site is the same for all pieces */
	FILE *out;
	int64_t unit;	      /**< whose registers */
	unsigned int status;  /**< as HTTP has it; 200 unless a step sets it */
	size_t part, at, sub; /**< of the step: where it continues; 0 at first */
	void *kept; /**< of the step: data that must not change between pieces; freed by free() */
};

/** A kind of document. */
struct document_kind {
	const char *type; /**< Content-Type */
	/** Writes a piece, what one pack or one client takes. @return whether there is more. */
	bool (*step)(struct document *document);
};

extern const struct document_kind document_status, document_metrics, document_registers,
	document_events;
