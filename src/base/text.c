/* SPDX-License-Identifier: MIT */
#include "packbridge/base.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

static int hex_digit(char c)
{
	return c >= '0' && c <= '9'   ? c - '0'
	       : c >= 'a' && c <= 'f' ? c - 'a' + 10
	       : c >= 'A' && c <= 'F' ? c - 'A' + 10
				      : -1;
}

int pb_hex_parse(const char *text, uint8_t *out, size_t cap)
{
	size_t len = 0;

	while (*text) {
		int high, low;

		if (strchr(" \t\r\n:-", *text)) {
			text++;
			continue;
		}
		if (text[0] == '0' && (text[1] == 'x' || text[1] == 'X')) {
			text += 2;
			if (hex_digit(*text) < 0)
				return -EINVAL;
		}
		high = hex_digit(text[0]);
		low = high < 0 ? -1 : hex_digit(text[1]);
		if (low < 0)
			return -EINVAL;
		if (len == cap)
			return -ENOSPC;
		out[len++] = (uint8_t)(high << 4 | low);
		text += 2;
	}
	return (int)len;
}

size_t pb_hex_print(char *out, size_t cap, const uint8_t *bytes, size_t len, char sep)
{
	static const char digits[] = "0123456789ABCDEF";
	size_t at = 0, i = 0;

	for (; i < len; i++) {
		bool parted = i && sep;

		if (at + parted + 2 >= cap)
			break;
		if (parted)
			out[at++] = sep;
		out[at++] = digits[bytes[i] >> 4];
		out[at++] = digits[bytes[i] & 15];
	}
	if (cap)
		out[at] = '\0';
	return i;
}

void pb_hex_trace(char *out, size_t cap, const uint8_t *bytes, size_t len)
{
	enum { MARK = 32 };
	size_t shown = pb_hex_print(out, cap, bytes, len, ' '), at;

	if (shown == len || cap <= MARK)
		return;
	shown = pb_hex_print(out, cap - MARK, bytes, len, ' ');
	at = strlen(out);
	snprintf(out + at, cap - at, " and %zu bytes more", len - shown);
}

enum { WORD_MAX = 40 };

static unsigned int min3(unsigned int a, unsigned int b, unsigned int c)
{
	unsigned int m = a < b ? a : b;

	return m < c ? m : c;
}

/* Levenshtein distance; words are short, so one row of the table on the stack is enough */
static unsigned int distance(const char *a, const char *b)
{
	size_t len = strlen(b);
	unsigned int row[WORD_MAX + 1];

	if (len > WORD_MAX || strlen(a) > WORD_MAX)
		return WORD_MAX;
	for (unsigned int j = 0; j <= len; j++)
		row[j] = j;
	for (size_t i = 0; a[i]; i++) {
		unsigned int corner = row[0];

		row[0] = (unsigned int)i + 1;
		for (size_t j = 0; j < len; j++) {
			unsigned int above = row[j + 1];

			row[j + 1] = min3(row[j] + 1, above + 1, corner + (a[i] != b[j]));
			corner = above;
		}
	}
	return row[len];
}

const char *pb_nearest(const char *word, const char *const *words)
{
	const char *best = NULL;
	unsigned int least = (unsigned int)strlen(word) / 2 + 1;

	for (; *words; words++) {
		unsigned int d = distance(word, *words);

		if (d < least) {
			least = d;
			best = *words;
		}
	}
	return best;
}
