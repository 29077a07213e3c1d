/* SPDX-License-Identifier: MIT */
#include "recording.h"

#include "packbridge/base.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define HEADER "packbridge recording 1"

/* A text that is read line by line. */
struct reader {
	const char *at, *end;
	unsigned int line;
	struct recording *recording;
	size_t room, used; /* events, bytes */
	char *why;
	size_t why_cap;
};

static int wrong(struct reader *reader, const char *what)
{
	snprintf(reader->why, reader->why_cap, "line %u: %s", reader->line, what);
	return -EINVAL;
}

static int recording_take_bytes(struct reader *reader, const char *text, size_t len,
				struct recording_event *event)
{
	char hex[2 * RECORDING_BYTES_MAX + 1];
	uint8_t *bytes = reader->recording->bytes + reader->used;

	if (len == 0 || len % 2 != 0 || len / 2 > RECORDING_BYTES_MAX)
		return wrong(reader, "expected 1 to 1024 bytes as hex digits");
	snprintf(hex, sizeof(hex), "%.*s", (int)len, text);
	/* blanks and the like, which pb_hex_parse() passes over, would make fewer bytes */
	if (pb_hex_parse(hex, bytes, len / 2) != (int)(len / 2))
		return wrong(reader, "expected hex digits");
	event->at = reader->used;
	event->len = len / 2;
	reader->used += len / 2;
	return 0;
}

static void take_text(struct reader *reader, const char *text, size_t len,
		      struct recording_event *event)
{
	memcpy(reader->recording->bytes + reader->used, text, len);
	reader->recording->bytes[reader->used + len] = '\0';
	event->at = reader->used;
	event->len = len;
	reader->used += len + 1;
}

static int add_event(struct reader *reader, const struct recording_event *event)
{
	struct recording *recording = reader->recording;

	if (recording->count == reader->room) {
		size_t room = reader->room ? 2 * reader->room : 64;
		struct recording_event *more =
			realloc(recording->events, room * sizeof(*recording->events));

		if (!more)
			return -ENOMEM;
		recording->events = more;
		reader->room = room;
	}
	recording->events[recording->count++] = *event;
	return 0;
}

/* "48 < DD03..." */
static int take_line(struct reader *reader, const char *line, size_t len)
{
	struct recording *recording = reader->recording;
	struct recording_event event = {0};
	size_t at = 0;
	int r = 0;

	while (at < len && at < 15 && line[at] >= '0' && line[at] <= '9')
		event.ms = event.ms * 10 + (uint64_t)(line[at++] - '0');
	if (at == 0 || at == len || line[at] != ' ')
		return wrong(reader, "expected the time in ms, then up, >, < or down");
	if (recording->count && event.ms < recording->events[recording->count - 1].ms)
		return wrong(reader, "expected a time that is not before the last one");
	line += at + 1;
	len -= at + 1;
	if (len == 2 && memcmp(line, "up", 2) == 0) {
		event.kind = RECORDING_UP;
	} else if (len >= 4 && memcmp(line, "down", 4) == 0) {
		event.kind = RECORDING_DOWN;
		len -= len > 4 ? 5 : 4;
		take_text(reader, line + (len ? 5 : 4), len, &event);
	} else if (len > 2 && (line[0] == '>' || line[0] == '<') && line[1] == ' ') {
		event.kind = line[0] == '>' ? RECORDING_SENT : RECORDING_RECEIVED;
		r = recording_take_bytes(reader, line + 2, len - 2, &event);
	} else {
		r = wrong(reader, "expected up, > BYTES, < BYTES or down WHY");
	}
	return r < 0 ? r : add_event(reader, &event);
}

static bool next_line(struct reader *reader, const char **ret_line, size_t *ret_len)
{
	const char *end;

	if (reader->at >= reader->end)
		return false;
	end = memchr(reader->at, '\n', (size_t)(reader->end - reader->at));
	if (!end)
		end = reader->end;
	*ret_line = reader->at;
	*ret_len = (size_t)(end - reader->at);
	if (*ret_len && (*ret_line)[*ret_len - 1] == '\r')
		--*ret_len;
	reader->at = end < reader->end ? end + 1 : end;
	reader->line++;
	return true;
}

static int recording_read_all(struct reader *reader)
{
	const char *line;
	size_t len;
	int r = 0;

	if (!next_line(reader, &line, &len) || len != strlen(HEADER) ||
	    memcmp(line, HEADER, len) != 0)
		return wrong(reader, "expected '" HEADER "'");
	while (r == 0 && next_line(reader, &line, &len))
		if (len > 0 && line[0] != '#')
			r = take_line(reader, line, len);
	return r;
}

int recording_parse(struct recording *ret, const char *text, size_t len, char *why, size_t why_cap)
{
	struct reader reader = {
		.at = text, .end = text + len, .recording = ret, .why = why, .why_cap = why_cap};
	int r;

	*ret = (struct recording){0};
	if (len > RECORDING_TEXT_MAX) {
		snprintf(why, why_cap, "%zu bytes, expected %d at most", len, RECORDING_TEXT_MAX);
		return -EINVAL;
	}
	snprintf(why, why_cap, "out of memory");
	/* no event needs more bytes than it has characters */
	ret->bytes = malloc(len + 1);
	if (!ret->bytes)
		return -ENOMEM;
	reader.line = 0;
	r = recording_read_all(&reader);
	if (r < 0)
		recording_clear(ret);
	return r;
}

int recording_load(struct recording *ret, const char *path, char *why, size_t why_cap)
{
	char *text = NULL, reason[160];
	size_t len;
	int r = pb_file_read(path, RECORDING_TEXT_MAX, &text, &len, reason, sizeof(reason));

	*ret = (struct recording){0};
	if (r == 0)
		r = recording_parse(ret, text, len, reason, sizeof(reason));
	if (r < 0)
		snprintf(why, why_cap, "recording %.200s: %s", path, reason);
	free(text);
	return r;
}

void recording_clear(struct recording *recording)
{
	free(recording->events);
	free(recording->bytes);
	*recording = (struct recording){0};
}

size_t recording_find(const struct recording *recording, size_t from, const uint8_t *request,
		      size_t len)
{
	for (size_t i = 0; i < recording->count; i++) {
		size_t place = (from + i) % recording->count;
		const struct recording_event *event = &recording->events[place];

		if (event->kind == RECORDING_SENT && event->len == len &&
		    memcmp(recording->bytes + event->at, request, len) == 0)
			return place;
	}
	return SIZE_MAX;
}
