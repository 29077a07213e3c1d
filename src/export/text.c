/* SPDX-License-Identifier: MIT */
/* Texts of maps within files of other programs: cleaned, and escaped as each kind of file wants. */
#include "format.h"

#include <string.h>

void export_xml(const char *text, FILE *out)
{
	const char *end = text + strlen(text);
	char one[4];
	size_t n;

	while (text < end) {
		if (*text == '\n' || *text == '\t') { /* of our own code */
			fputc(*text++, out);
			continue;
		}
		n = pb_text_next(&text, end, one);
		if (one[0] == '<')
			fputs("&lt;", out);
		else if (one[0] == '>')
			fputs("&gt;", out);
		else if (one[0] == '&')
			fputs("&amp;", out);
		else if (one[0] == '"')
			fputs("&quot;", out);
		else
			fwrite(one, 1, n, out);
	}
}

void export_comment(const char *text, FILE *out)
{
	const char *end = text + strlen(text);
	char one[4];
	size_t n;

	while ((n = pb_text_next(&text, end, one)) > 0)
		fwrite(one, 1, n, out);
}

void export_quoted(const char *text, FILE *out)
{
	const char *end = text + strlen(text);
	char one[4];
	size_t n;

	while ((n = pb_text_next(&text, end, one)) > 0) {
		if (one[0] == '"' || one[0] == '\\')
			fputc('\\', out);
		fwrite(one, 1, n, out);
	}
}

void export_words(const char *name, const char *value, char *out, size_t cap)
{
	size_t at = (size_t)snprintf(out, cap, "%s ", name);

	for (; *value && at + 1 < cap; value++)
		out[at++] = *value;
	if (cap)
		out[at < cap ? at : cap - 1] = '\0';
	for (size_t i = strlen(name); i < at && i < cap; i++)
		if (out[i] == '_')
			out[i] = ' ';
}
