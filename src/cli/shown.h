/* SPDX-License-Identifier: MIT */
/*
 * Cleans untrusted text before it is printed: names, notes, answers, texts of maps. Such text is
 * already cleaned on input; this is the second guard, in case an input forgot it.
 */
#pragma once

#include <jansson.h>
#include <stdbool.h>
#include <stdio.h>

enum { SHOWN_MAX = 1024 };

/** A text as pb_text_clean() leaves it, cut to SHOWN_MAX; lives as long as the block around it. */
#define SHOWN(text) pb_cli_shown((char[SHOWN_MAX]){0}, text)
const char *pb_cli_shown(char out[static SHOWN_MAX], const char *text);

/** Prints text of any length; its line ends stay when @lines. */
void pb_cli_put(const char *text, bool lines, FILE *out);

/** Cleans all texts in @value, in their places. */
void pb_cli_clean_json(json_t *value);
