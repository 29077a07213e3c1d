/* SPDX-License-Identifier: MIT */
#include "logline.h"

#include "packbridge/base.h"

#include <ctype.h>
#include <stdbool.h>
#include <string.h>
#include <strings.h>

/* A word, from @at: letters, digits, and what may stand between bytes. */
struct word {
	const char *at;
	size_t len;
};

/* Hex that stands together: as many bytes, between two places of the line. */
struct run {
	const char *from, *to;
	size_t bytes;
};

enum { FEW = 3 };

enum mark { MARK_NONE, MARK_SENT, MARK_RECEIVED };

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

static bool all_decimal(const struct word *word)
{
	for (size_t i = 0; i < word->len; i++)
		if (!is_digit(word->at[i]))
			return false;
	return true;
}

static const char *blanks(const char *at)
{
	return at + strspn(at, " \t,;");
}

static struct word next_word(const char *at)
{
	struct word word = {.at = blanks(at)};

	while (isalnum((unsigned char)word.at[word.len]) ||
	       (word.len && strchr(":.-_/+", word.at[word.len]) && word.at[word.len]))
		word.len++;
	return word;
}

/* @return bytes of a word of hex: 55AAEB90, 0x55, 55:AA:EB, 55.AA.EB, 55-AA-EB; 0: it is none. */
static size_t hex_bytes(const struct word *word)
{
	size_t i = word->len > 2 && word->at[0] == '0' && (word->at[1] | 0x20) == 'x' ? 2 : 0;
	size_t bytes = 0, parts = 1;

	for (; i < word->len; i += 2) {
		if (bytes && strchr(":.-", word->at[i])) {
			parts++;
			i++;
		} else if (parts > 1 && bytes) {
			return 0; /* with separators, one behind each byte */
		}
		if (i + 1 >= word->len || !isxdigit((unsigned char)word->at[i]) ||
		    !isxdigit((unsigned char)word->at[i + 1]))
			return 0;
		bytes++;
	}
	/* 12.34 and 11-06 are numbers and dates */
	return parts == 2 && bytes == 2 ? 0 : parts > 1 && parts != bytes ? 0 : bytes;
}

/* 1:02, 10:20:30 and 10:20:30.123 */
static bool is_time(const struct word *word)
{
	size_t parts = 0, i = 0;

	while (i < word->len && parts < 3) {
		size_t digits = 0;

		while (i < word->len && is_digit(word->at[i])) {
			digits++;
			i++;
		}
		if (digits < 1 || digits > 2)
			return false;
		parts++;
		if (i < word->len && word->at[i] != ':')
			break;
		i += i < word->len;
	}
	return parts >= 2 && (i >= word->len || (word->at[i] == '.' && parts == 3));
}

/*
 * The first word of a line, with hex behind it: an offset of a hex dump, which begins with 0, or a
 * counter of seconds or ms?
 */
static bool is_counter(const struct word *word)
{
	struct word next = next_word(word->at + word->len);
	size_t next_bytes = hex_bytes(&next);

	if (next_bytes == 0 || word->len < 4 || word->len == next.len)
		return false;
	if (word->at[0] == '0')
		return word->at[1] != 'x' && next.len == 2;
	return all_decimal(word) && (next_bytes >= 4 || (word->len >= 6 && next.len == 2));
}

static bool more_follows(const struct word *word)
{
	return *blanks(word->at + word->len) != '\0';
}

static enum mark mark_of_word(const struct word *word)
{
	static const char *const sent[] = {"tx",    "sent",    "send", "sending",
					   "write", "request", NULL};
	static const char *const received[] = {"rx", "recv", "received", "notify", "reply", NULL};
	size_t len = word->len && word->at[word->len - 1] == ':' ? word->len - 1 : word->len;

	for (size_t i = 0; sent[i]; i++)
		if (strlen(sent[i]) == len && strncasecmp(sent[i], word->at, len) == 0)
			return MARK_SENT;
	for (size_t i = 0; received[i]; i++)
		if (strlen(received[i]) == len && strncasecmp(received[i], word->at, len) == 0)
			return MARK_RECEIVED;
	return MARK_NONE;
}

/* "<", "<<<" and "<-"; ">", ">>>" and "->" */
static enum mark mark_of_arrow(const char *at, size_t len)
{
	if (at[0] == '<')
		return MARK_RECEIVED;
	return at[0] == '>' || (len == 2 && memcmp(at, "->", 2) == 0) ? MARK_SENT : MARK_NONE;
}

static bool is_hex(const char *line, const struct word *word)
{
	if (hex_bytes(word) == 0 || (is_time(word) && more_follows(word)))
		return false;
	return word->at != blanks(line) || !is_counter(word);
}

static void logline_add(struct run *run, const struct word *word)
{
	if (run->bytes == 0)
		run->from = word->at;
	run->bytes += hex_bytes(word);
	run->to = word->at + word->len;
}

static size_t convert(const struct run *run, uint8_t *out)
{
	size_t len = 0;

	for (const char *at = run->from; at < run->to;) {
		char digits[] = {at[0], at[1], '\0'};

		if ((at[0] == '0' && (at[1] | 0x20) == 'x')) {
			at += 2;
		} else if (!isxdigit((unsigned char)at[0])) {
			at++;
		} else {
			pb_hex_parse(digits, out + len++, 1);
			at += 2;
		}
	}
	return len;
}

/* @return the mark of what stands at @at, with its @ret_len; no word and no mark: one character. */
static enum mark take_sign(const char *at, size_t *ret_len)
{
	size_t len = strspn(at, "<>-=");

	*ret_len = len ? len : 1;
	return len ? mark_of_arrow(at, len) : MARK_NONE;
}

size_t logline_bytes(const char *line, uint8_t *out)
{
	struct run run = {0}, best = {.to = ""};
	bool marked = false, words = false;

	if (*line == '#')
		return 0;
	for (const char *at = blanks(line); *at; at = blanks(at)) {
		struct word word = next_word(at);
		size_t len = word.len;
		enum mark mark;

		if (len > 0 && is_hex(line, &word)) {
			logline_add(&run, &word);
			if (run.bytes >= best.bytes)
				best = run;
			at += len;
			continue;
		}
		mark = len > 0 ? mark_of_word(&word) : take_sign(at, &len);
		words |= word.len > 0;
		run.bytes = 0;
		at += len;
		if (marked || mark == MARK_NONE)
			continue;
		if (mark == MARK_SENT)
			return 0;
		marked = true;
		best.bytes = 0;
	}
	/* a number among words is none of bytes, if it is not the end of what was received */
	if (best.bytes < FEW && words && !(marked && *blanks(best.to) == '\0'))
		return 0;
	return best.bytes ? convert(&best, out) : 0;
}
