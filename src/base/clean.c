/* SPDX-License-Identifier: MIT */
/*
 * Cleans untrusted text: names of Bluetooth devices, and texts of a BMS, a server, D-Bus or a map.
 */
#include "packbridge/base.h"

#include <string.h>

struct range {
	uint32_t first, last;
};

static bool is_in(const struct range *ranges, size_t count, uint32_t c)
{
	for (size_t i = 0; i < count; i++)
		if (c >= ranges[i].first && c <= ranges[i].last)
			return true;
	return false;
}

/* TAB to CR, NEL, LINE and PARAGRAPH SEPARATOR: they part words, so they become a blank. */
static bool parts_words(uint32_t c)
{
	return (c >= 0x09 && c <= 0x0D) || c == 0x85 || c == 0x2028 || c == 0x2029;
}

/*
 * Controls steer a terminal. Characters that show nothing or turn the direction of writing make a
 * text look like another one: Default_Ignorable_Code_Point of Unicode 15
 * (DerivedCoreProperties.txt), the interlinear marks, and what is no character.
 */
static bool fools(uint32_t c)
{
	static const struct range ranges[] = {
		{0x00, 0x1F},	  {0x7F, 0x9F},	      {0xAD, 0xAD},	  {0x034F, 0x034F},
		{0x061C, 0x061C}, {0x115F, 0x1160},   {0x17B4, 0x17B5},	  {0x180B, 0x180F},
		{0x200B, 0x200F}, {0x202A, 0x202E},   {0x2060, 0x206F},	  {0x3164, 0x3164},
		{0xFDD0, 0xFDEF}, {0xFE00, 0xFE0F},   {0xFEFF, 0xFEFF},	  {0xFFA0, 0xFFA0},
		{0xFFF0, 0xFFFB}, {0x1BCA0, 0x1BCA3}, {0x1D173, 0x1D17A}, {0xE0000, 0xE0FFF},
	};

	return (c & 0xFFFE) == 0xFFFE || is_in(ranges, PB_ARRAY_SIZE(ranges), c);
}

/* @return the length of the UTF-8 character at @at, 0: broken (also overlong, a surrogate, beyond
 *         U+10FFFF) */
static size_t decode(const uint8_t *at, size_t len, uint32_t *ret)
{
	static const uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
	size_t need = at[0] < 0x80    ? 1
		      : at[0] >= 0xF0 ? 4
		      : at[0] >= 0xE0 ? 3
		      : at[0] >= 0xC0 ? 2
				      : 0;
	uint32_t c = need > 1 ? at[0] & (0x7FU >> need) : at[0];

	if (need == 0 || need > len || at[0] >= 0xF8)
		return 0;
	for (size_t i = 1; i < need; i++) {
		if ((at[i] & 0xC0) != 0x80)
			return 0;
		c = c << 6 | (at[i] & 0x3F);
	}
	if (c < least[need] || c > 0x10FFFF || (c >= 0xD800 && c <= 0xDFFF))
		return 0;
	*ret = c;
	return need;
}

/* The bytes of one broken character: its lead, and what would go on with it. */
static size_t broken_len(const uint8_t *at, size_t len)
{
	size_t n = 1;

	while (n < len && (at[n] & 0xC0) == 0x80)
		n++;
	return n;
}

size_t pb_text_next(const char **text, const char *end, char ret[static 4])
{
	const uint8_t *at = (const uint8_t *)*text;
	size_t len = (size_t)(end - *text), n;
	uint32_t c = 0;

	if (len == 0 || !*at)
		return 0;
	n = decode(at, len, &c);
	*text += n ? n : broken_len(at, len);
	if (n && !parts_words(c) && !fools(c)) {
		memcpy(ret, at, n);
		return n;
	}
	ret[0] = n && parts_words(c) ? ' ' : '?';
	return 1;
}

char *pb_text_clean(char *out, size_t cap, const char *text, size_t len)
{
	const char *end = text + len;
	char one[4];
	size_t at = 0, n;

	while ((n = pb_text_next(&text, end, one)) > 0 && at + n < cap) {
		memcpy(out + at, one, n);
		at += n;
	}
	out[at] = '\0';
	return out;
}
