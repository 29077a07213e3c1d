/* SPDX-License-Identifier: MIT */
/*
 * Messages of a session. A trouble that comes and goes is logged once a minute: the first one at
 * once; the others are counted, and their number is added to the first message after that minute.
 */
#include "state.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

enum { SAY_AGAIN_MS = 60000 };

const char *pb_session_state_text(enum pb_session_state state)
{
	switch (state) {
	case PB_STATE_OFF:
		return "off";
	case PB_STATE_CONNECTING:
		return "connecting";
	case PB_STATE_SETTLING:
	case PB_STATE_DIALOGUE:
	case PB_STATE_WAITING:
	case PB_STATE_GAP:
	case PB_STATE_RESTING:
		return "connected";
	case PB_STATE_BACKOFF:
		return "waiting to connect again";
	case PB_STATE_PARKED:
		return "waiting for its turn";
	case PB_STATE_RELEASED:
		return "released";
	}
	return "?";
}

unsigned int note_write(struct session *s, enum pb_log_level level, const char *format, ...)
{
	struct pb_note *note = &s->head.note;
	va_list args;

	va_start(args, format);
	vsnprintf(note->text, sizeof(note->text), format, args);
	va_end(args);
	note->level = level;
	note->error = s->head.status.last_error;
	note->lasting = strlen(note->text);
	return PB_DO_LOG;
}

enum pb_log_level note_trouble(struct session *s, uint64_t now)
{
	bool again = s->said_ms && now - s->said_ms < SAY_AGAIN_MS;

	if (!s->trouble && again) {
		s->quiet = true;
		s->unsaid++;
	} else if (!again) {
		s->quiet = false;
	}
	if (!s->trouble && !again)
		s->said_ms = now;
	s->trouble = true;
	return s->quiet ? PB_LOG_DEBUG : PB_LOG_WARNING;
}

const char *note_unsaid(struct session *s, char *out, size_t cap)
{
	out[0] = '\0';
	if (s->quiet || s->unsaid == 0)
		return out;
	snprintf(out, cap, "; %u more such problems since the last message", s->unsaid);
	s->unsaid = 0;
	return out;
}

unsigned int note_first(struct session *s)
{
	const struct pb_codec *codec = s->plan.codec;
	const struct pb_sample *sample = &s->head.sample;
	const char *dialect = codec->dialect ? codec->dialect : "";
	bool open = s->plan.others || *dialect;
	char voltage[32] = "";

	if (sample->has & PB_HAS(PB_HAS_VOLTAGE))
		snprintf(voltage, sizeof(voltage), "%d.%02d V, ", sample->voltage_mv / 1000,
			 sample->voltage_mv % 1000 / 10);
	return note_write(s, PB_LOG_INFO, "first reading: %s%d cells%s%s%s%s", voltage,
			  sample->cell_count, open ? ", protocol " : "", open ? codec->name : "",
			  *dialect ? " " : "", dialect);
}
