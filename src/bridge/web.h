/* SPDX-License-Identifier: MIT */
/* The status page: what stands where. */
#pragma once

#include "document.h"

/** What stands at a path: a text that is there already, or a kind that is made when asked for. */
struct web_page {
	const char *text; /**< static storage; NULL: see @kind */
	size_t len;
	const char *type; /**< of @text */
	const struct document_kind *kind;
	int64_t unit; /**< for document_registers */
};

/** @return 200; 400 and 404, with nothing in @ret. See struct pb_http_backend. */
unsigned int web_find(const char *path, const char *(*argument)(void *query, const char *name),
		      void *query, struct web_page *ret);
