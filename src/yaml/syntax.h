/* SPDX-License-Identifier: MIT */
#pragma once

#include "packbridge/yaml.h"

#include <yaml.h>

/** What is known when libyaml can't go on. */
struct syntax {
	const yaml_parser_t *yaml;
	const char *text; /**< all of the file */
	size_t len;
	bool quoted; /**< the last scalar stood in quotes, from @start to @end */
	yaml_mark_t start, end;
	size_t told; /**< last line (from 1) of which syntax_foreign() had something to say */
	const char *cursor; /**< the line that was looked at last, since marks only go forward */
	size_t cursor_line; /**< from 0 */
};

/** Reports the most likely mistake in @report; if none is found, libyaml's own message. */
void syntax_explain(const struct syntax *syntax, const char *file, struct pb_report *report);

/**
 * Finds characters that look like blanks or quotes but are not valid in YAML, as word processors
 * and web pages insert them. @text: a key or a value without quotes. @return a few words; NULL:
 * nothing of the kind.
 */
const char *syntax_foreign(const char *text, bool is_key);

/** Whether at @mark, where there is no value, one stands behind a '#' without a blank: "#123". */
bool syntax_is_comment(struct syntax *syntax, yaml_mark_t mark);
