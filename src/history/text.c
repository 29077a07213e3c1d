/* SPDX-License-Identifier: MIT */
/*
 * Records as text: a line that begins a record, then a word and its numbers a line.
 *
 *	pack house
 *	 device_name JBD-SP04S034
 *	 charged_mah 1234567 3512		whole mAh, and halves of mA * ms to the next
 *	 cell_lowest_mv 2913 86400000		the value, and its age in ms
 *
 * Ages are kept, not times: the machine's clock may be set otherwise when the file is read.
 */
#include "packbridge/history.h"

#include "packbridge/base.h"
#include "packbridge/model/field.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LARGEST (INT64_MAX / 16)	 /* of a counter; sums of them never overflow */
#define OLDEST	INT64_C(100000000000000) /* of an age in ms: 3000 years */

enum { LINE_MAX = 200, WORD_MAX = 40, RECORDS_MORE = 64 };

/* A line with one or two whole numbers. */
struct text_row {
	const char *word;
	size_t place, second; /* of int64_t members; second 0: there is none */
	int64_t min, max, max_second;
};

#define AT(member) offsetof(struct pb_history_state, member)

/* clang-format off */
static const struct text_row text_rows[] = {
	{"charged_mah", AT(charge.in.whole), AT(charge.in.rest), 0, LARGEST, PB_HISTORY_REST - 1},
	{"discharged_mah", AT(charge.out.whole), AT(charge.out.rest), 0, LARGEST, PB_HISTORY_REST - 1},
	{"charged_mwh", AT(energy.in.whole), AT(energy.in.rest), 0, LARGEST, PB_HISTORY_REST - 1},
	{"discharged_mwh", AT(energy.out.whole), AT(energy.out.rest), 0, LARGEST, PB_HISTORY_REST - 1},
	{"unmeasured_ms", AT(unmeasured_ms), 0, 0, LARGEST, 0}, /* as of now, see put_rows() */
	{"top_mah", AT(top_mah), 0, -LARGEST, LARGEST, 0},
	{"last_discharge_mah", AT(last_discharge_mah), 0, 0, LARGEST, 0},
	{"deepest_discharge_mah", AT(deepest_discharge_mah), 0, 0, LARGEST, 0},
	{"day_mwh", AT(day_in_mwh), AT(day_out_mwh), 0, LARGEST, LARGEST},
};
/* clang-format on */

static const char *const extreme_words[PB_EXTREME_COUNT] = {
	[PB_EXTREME_CELL_LOWEST] = "cell_lowest_mv",
	[PB_EXTREME_CELL_HIGHEST] = "cell_highest_mv",
	[PB_EXTREME_VOLTAGE_LOWEST] = "voltage_lowest_mv",
	[PB_EXTREME_VOLTAGE_HIGHEST] = "voltage_highest_mv",
	[PB_EXTREME_TEMPERATURE_LOWEST] = "temperature_lowest_mc",
	[PB_EXTREME_TEMPERATURE_HIGHEST] = "temperature_highest_mc",
};

static const char *seen_word(unsigned int protection)
{
	return pb_field_part(pb_field_find(PB_SCOPE_PACK, "protections_seen"), protection);
}

static int64_t *text_member(struct pb_history_state *state, size_t place)
{
	return (int64_t *)(void *)((char *)state + place);
}

/* ---- printing ---- */

struct text_out {
	char *at;
	size_t left;
};

static void put(struct text_out *out, const char *format, ...) PB_PRINTF(2, 3);

static void put(struct text_out *out, const char *format, ...)
{
	va_list args;
	int len;

	va_start(args, format);
	len = vsnprintf(out->at, out->left, format, args);
	va_end(args);
	if (len < 0 || (size_t)len >= out->left)
		len = out->left ? (int)out->left - 1 : 0;
	out->at += len;
	out->left -= (size_t)len;
}

static void put_text(struct text_out *out, const char *word, const char *text)
{
	char clean[LINE_MAX / 2];

	if (*text)
		put(out, " %s %s\n", word, pb_text_clean(clean, sizeof(clean), text, strlen(text)));
}

static void put_head(struct text_out *out, const struct pb_history_record *record)
{
	const struct pb_history_identity *identity = &record->state.identity;

	if (record->former_s)
		put(out, "former-pack %s %" PRId64 "\n", record->name, record->former_s);
	else
		put(out, "%s %s\n", record->bank ? "bank" : "pack", record->name);
	put_text(out, "address", identity->address);
	put_text(out, "device_name", identity->device_name);
	if (identity->production_date)
		put(out, " production_date %" PRId32 "\n", identity->production_date);
}

/* What is after the last reading is not measured when this is read again. */
static int64_t unmeasured_ms(const struct pb_history_state *state, int64_t now_ms)
{
	int64_t from_ms = state->open ? state->gap_ms : state->at_ms;

	return state->unmeasured_ms + (state->begun && now_ms > from_ms ? now_ms - from_ms : 0);
}

static void put_rows(struct text_out *out, const struct pb_history_record *record, int64_t now_ms)
{
	const struct pb_history_state *state = &record->state;

	for (size_t i = 0; i < PB_ARRAY_SIZE(text_rows); i++) {
		const struct text_row *row = &text_rows[i];
		const char *bytes = (const char *)state;
		int64_t value, second;

		memcpy(&value, bytes + row->place, sizeof(value));
		if (row->place == AT(unmeasured_ms) && !record->former_s)
			value = unmeasured_ms(state, now_ms);
		put(out, " %s %" PRId64, row->word, value);
		if (row->second) {
			memcpy(&second, bytes + row->second, sizeof(second));
			put(out, " %" PRId64, second);
		}
		put(out, "\n");
	}
}

static void put_extremes(struct text_out *out, const struct pb_history_state *state, int64_t now_ms)
{
	if (state->has_full)
		put(out, " full_charges %" PRIu32 " %" PRId64 "\n full %d\n", state->full_charges,
		    now_ms - state->full_ms, state->full);
	for (int i = 0; i < PB_EXTREME_COUNT; i++)
		if (state->extreme_has >> i & 1)
			put(out, " %s %" PRId32 " %" PRId64 "\n", extreme_words[i],
			    state->extreme[i], now_ms - state->extreme_ms[i]);
}

static void put_protections(struct text_out *out, const struct pb_history_state *state)
{
	put(out, " protections_active %" PRIu32 "\n", state->protections);
	for (unsigned int i = 0; i < PB_PROTECT_COUNT; i++)
		if (state->protections_seen[i])
			put(out, " seen %s %" PRIu32 "\n", seen_word(i),
			    state->protections_seen[i]);
}

size_t pb_history_print(const struct pb_history_record *record, int64_t now_ms,
			char out[static PB_HISTORY_RECORD_MAX])
{
	const struct pb_history_state *state = &record->state;
	struct text_out text = {out, PB_HISTORY_RECORD_MAX};

	put_head(&text, record);
	put_rows(&text, record, now_ms);
	put_extremes(&text, state, now_ms);
	put_protections(&text, state);
	if (state->day != PB_HISTORY_DAY_NONE)
		put(&text, " day %" PRId32 " %" PRId64 "\n", state->day, now_ms - state->day_ms);
	if (state->yesterday)
		put(&text, " yesterday_mwh %" PRId64 " %" PRId64 "\n", state->yesterday_in_mwh,
		    state->yesterday_out_mwh);
	return (size_t)(text.at - out);
}

/* ---- reading ---- */

/* One line: its word, and the rest of it. */
struct text_line {
	char text[LINE_MAX];
	const char *word, *rest;
};

struct text_in {
	const char *at, *end;
	int64_t saved_ms;
	struct pb_history_record *records;
	size_t count, room, max;
};

static bool next_line(struct text_in *in, struct text_line *ret)
{
	const char *end;
	size_t len;
	char *blank;

	if (in->at >= in->end)
		return false;
	end = memchr(in->at, '\n', (size_t)(in->end - in->at));
	len = (size_t)((end ? end : in->end) - in->at);
	snprintf(ret->text, sizeof(ret->text), "%.*s", len < LINE_MAX ? (int)len : LINE_MAX - 1,
		 in->at);
	in->at = end ? end + 1 : in->end;
	ret->word = ret->text + strspn(ret->text, " ");
	blank = ret->text + (ret->word - ret->text) + strcspn(ret->word, " ");
	ret->rest = blank;
	if (*blank) {
		*blank = '\0';
		ret->rest = blank + 1;
	}
	return true;
}

/* Two whole numbers; without a second one, it is 0. */
static bool text_numbers(const char *text, int64_t min, int64_t max, int64_t *ret,
			 int64_t max_second, int64_t *ret_second)
{
	char first[WORD_MAX];
	size_t len = strcspn(text, " ");

	if (len >= sizeof(first))
		return false;
	snprintf(first, sizeof(first), "%.*s", (int)len, text);
	*ret_second = 0;
	if (pb_int_parse(first, min, max, ret) < 0)
		return false;
	return !text[len] || pb_int_parse(text + len + 1, 0, max_second, ret_second) == 0;
}

/* @return 1: the word is another one; 0; -EBADMSG */
static int take_row(struct pb_history_state *state, const struct text_line *line)
{
	for (size_t i = 0; i < PB_ARRAY_SIZE(text_rows); i++) {
		const struct text_row *row = &text_rows[i];
		int64_t value, second;

		if (strcmp(line->word, row->word) != 0)
			continue;
		if (!text_numbers(line->rest, row->min, row->max, &value, row->max_second, &second))
			return -EBADMSG;
		*text_member(state, row->place) = value;
		if (row->second)
			*text_member(state, row->second) = second;
		return 0;
	}
	return 1;
}

static int take_extreme(struct pb_history_state *state, const struct text_line *line,
			int64_t saved_ms)
{
	for (int i = 0; i < PB_EXTREME_COUNT; i++) {
		int64_t value, age;

		if (strcmp(line->word, extreme_words[i]) != 0)
			continue;
		if (!text_numbers(line->rest, INT32_MIN, INT32_MAX, &value, OLDEST, &age))
			return -EBADMSG;
		state->extreme_has |= 1U << i;
		state->extreme[i] = (int32_t)value;
		state->extreme_ms[i] = saved_ms - age;
		return 0;
	}
	return 1;
}

/* "seen short_circuit 3" */
static int take_seen(struct pb_history_state *state, const struct text_line *line)
{
	size_t len = strcspn(line->rest, " ");
	int64_t times;

	if (strcmp(line->word, "seen") != 0)
		return 1;
	if (!line->rest[len] || pb_int_parse(line->rest + len + 1, 0, UINT32_MAX, &times) < 0)
		return -EBADMSG;
	for (unsigned int i = 0; i < PB_PROTECT_COUNT; i++)
		if (strlen(seen_word(i)) == len && strncmp(seen_word(i), line->rest, len) == 0)
			state->protections_seen[i] = (uint32_t)times;
	return 0;
}

static int take_full(struct pb_history_state *state, const struct text_line *line, int64_t saved_ms)
{
	int64_t times, age;

	if (strcmp(line->word, "full") == 0) {
		state->full = strcmp(line->rest, "1") == 0;
		return 0;
	}
	if (strcmp(line->word, "full_charges") != 0)
		return 1;
	if (!text_numbers(line->rest, 0, UINT32_MAX, &times, OLDEST, &age))
		return -EBADMSG;
	state->has_full = true;
	state->full_charges = (uint32_t)times;
	state->full_ms = saved_ms - age;
	return 0;
}

static int take_day(struct pb_history_state *state, const struct text_line *line, int64_t saved_ms)
{
	int64_t day, age;

	if (strcmp(line->word, "yesterday_mwh") == 0) {
		state->yesterday = true;
		return text_numbers(line->rest, 0, LARGEST, &state->yesterday_in_mwh, LARGEST,
				    &state->yesterday_out_mwh)
			       ? 0
			       : -EBADMSG;
	}
	if (strcmp(line->word, "day") != 0)
		return 1;
	if (!text_numbers(line->rest, 1, INT32_MAX, &day, OLDEST, &age))
		return -EBADMSG;
	state->day = (int32_t)day;
	state->day_ms = saved_ms - age;
	return 0;
}

static int take_identity(struct pb_history_state *state, const struct text_line *line)
{
	struct pb_history_identity *identity = &state->identity;
	int64_t number = 0;

	if (strcmp(line->word, "address") == 0) {
		snprintf(identity->address, sizeof(identity->address), "%.47s", line->rest);
	} else if (strcmp(line->word, "device_name") == 0) {
		snprintf(identity->device_name, sizeof(identity->device_name), "%.31s", line->rest);
	} else if (strcmp(line->word, "production_date") == 0) {
		if (pb_int_parse(line->rest, 0, INT32_MAX, &number) < 0)
			return -EBADMSG;
		identity->production_date = (int32_t)number;
	} else if (strcmp(line->word, "protections_active") == 0) {
		if (pb_int_parse(line->rest, 0, UINT32_MAX, &number) < 0)
			return -EBADMSG;
		state->protections = (uint32_t)number;
	}
	return 0;
}

/* Lines of a record; a word of a later version means nothing here. */
static int take_line(struct pb_history_state *state, const struct text_line *line, int64_t saved_ms)
{
	int r = take_row(state, line);

	if (r > 0)
		r = take_extreme(state, line, saved_ms);
	if (r > 0)
		r = take_seen(state, line);
	if (r > 0)
		r = take_full(state, line, saved_ms);
	if (r > 0)
		r = take_day(state, line, saved_ms);
	return r > 0 ? take_identity(state, line) : r;
}

static int add_record(struct text_in *in)
{
	struct pb_history_record *more;

	if (in->count < in->room)
		return 0;
	more = realloc(in->records, (in->room + RECORDS_MORE) * sizeof(*more));
	if (!more)
		return -ENOMEM;
	in->records = more;
	in->room += RECORDS_MORE;
	return 0;
}

/* "pack NAME", "bank NAME", "former-pack NAME SECONDS". @return 1: it begins no record */
static int begin_record(struct text_in *in, const struct text_line *line)
{
	bool former = strcmp(line->word, "former-pack") == 0,
	     bank = strcmp(line->word, "bank") == 0;
	struct pb_history_record *record;
	size_t len = strcspn(line->rest, " ");
	int64_t former_s = 0;

	if (!former && !bank && strcmp(line->word, "pack") != 0)
		return 1;
	if (len == 0 || len >= sizeof(record->name) ||
	    (former &&
	     (!line->rest[len] || pb_int_parse(line->rest + len + 1, 1, INT64_MAX, &former_s) < 0)))
		return -EBADMSG;
	if (add_record(in) < 0)
		return -ENOMEM;
	record = &in->records[in->count++];
	*record = (struct pb_history_record){.bank = bank, .former_s = former_s};
	snprintf(record->name, sizeof(record->name), "%.*s", (int)len, line->rest);
	record->state.begun = record->state.open = true;
	record->state.gap_ms = in->saved_ms;
	return 0;
}

static int take_records(struct text_in *in, unsigned int *ret_line)
{
	struct text_line line;
	bool wanted = true;

	*ret_line = 0;
	while (next_line(in, &line) && wanted) {
		int r = begin_record(in, &line);

		++*ret_line;
		if (r > 0 && in->count > 0)
			r = take_line(&in->records[in->count - 1].state, &line, in->saved_ms);
		if (r < 0)
			return r;
		wanted = in->count <= in->max;
	}
	if (!wanted)
		in->count = in->max;
	return 0;
}

int pb_history_parse(const char *text, size_t len, int64_t saved_ms, size_t max,
		     struct pb_history_record **ret, size_t *ret_count, unsigned int *ret_line)
{
	struct text_in in = {.at = text, .end = text + len, .saved_ms = saved_ms, .max = max};
	int r = take_records(&in, ret_line);

	if (r < 0) {
		free(in.records);
		return r;
	}
	*ret = in.records;
	*ret_count = in.count;
	return 0;
}
