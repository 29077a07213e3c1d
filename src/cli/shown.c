/* SPDX-License-Identifier: MIT */
#include "packbridge/base.h"

#include "shown.h"

#include <string.h>

const char *pb_cli_shown(char out[static SHOWN_MAX], const char *text)
{
	return pb_text_clean(out, SHOWN_MAX, text, strlen(text));
}

void pb_cli_put(const char *text, bool lines, FILE *out)
{
	const char *end = text + strlen(text);
	char one[4];
	size_t n;

	while (text < end) {
		if (lines && *text == '\n') {
			fputc(*text++, out);
			continue;
		}
		n = pb_text_next(&text, end, one);
		fwrite(one, 1, n, out);
	}
}

static void clean_string(json_t *value)
{
	size_t len = json_string_length(value);
	char text[SHOWN_MAX];

	pb_text_clean(text, sizeof(text), json_string_value(value), len);
	json_string_setn(value, text, strlen(text));
}

void pb_cli_clean_json(json_t *value)
{
	const char *key;
	json_t *item;
	size_t i;

	if (json_is_string(value)) {
		clean_string(value);
	} else if (json_is_array(value)) {
		json_array_foreach(value, i, item)
		{
			pb_cli_clean_json(item);
		}
	} else if (json_is_object(value)) {
		json_object_foreach(value, key, item)
		{
			pb_cli_clean_json(item);
		}
	}
}
