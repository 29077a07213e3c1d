/* SPDX-License-Identifier: MIT */
#include "teller.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum {
	PIECE_US = 500, /* a turn of the loop, and what the last step takes beyond it */
	ALIVE_MAX =
		8 * 1024 * 1024 /* bytes of answers that are not taken yet: then none is begun */
};

/* What is to be made, and for whom. */
struct question {
	struct question *next;
	const struct telling_kind *kind;
	int64_t unit;
	struct pb_asker *askers;
};

struct teller {
	struct shown (*shown)(const void *userdata);
	const void *userdata;
	sd_event_source *work;
	struct question *questions; /* the first is being made, when telling.out is there */
	struct telling telling;
	char *bytes;
	size_t len;
	size_t alive;
};

static uint64_t monotonic_us(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000 + (uint64_t)now.tv_nsec / 1000;
}

/* Works while there is something to be made, and room for it. */
static void look_for_work(struct teller *teller)
{
	bool can = teller->questions && (teller->telling.out || teller->alive < ALIVE_MAX);

	sd_event_source_set_enabled(teller->work, can ? SD_EVENT_ON : SD_EVENT_OFF);
}

static void answer_freed(void *userdata, size_t len)
{
	struct teller *teller = userdata;

	teller->alive -= len;
	look_for_work(teller);
}

/* ---- one text ---- */

static bool begin(struct teller *teller)
{
	teller->telling = (struct telling){
		.status = 200,
		.unit = teller->questions->unit,
		.out = open_memstream(&teller->bytes, &teller->len),
	};
	return teller->telling.out != NULL;
}

static void drop(struct teller *teller)
{
	if (!teller->telling.out)
		return;
	fclose(teller->telling.out);
	free(teller->telling.kept);
	free(teller->bytes);
	teller->bytes = NULL;
	teller->telling = (struct telling){0};
}

/* @return the text as an answer; NULL: no memory */
static struct pb_answer *finish(struct teller *teller)
{
	const struct telling_kind *kind = teller->questions->kind;
	unsigned int status = teller->telling.status;
	const char *type = status == 200 ? kind->type : "text/plain; charset=utf-8";
	struct pb_answer *answer;

	if (status != 200)
		fprintf(teller->telling.out, "%u\n", status);
	free(teller->telling.kept);
	if (fclose(teller->telling.out) != 0) {
		free(teller->bytes);
		teller->bytes = NULL;
	}
	teller->telling = (struct telling){0};
	answer = teller->bytes ? pb_answer_new(status, type, teller->bytes, teller->len) : NULL;
	teller->bytes = NULL;
	if (!answer)
		return NULL;
	answer->freed = answer_freed;
	answer->userdata = teller;
	teller->alive += answer->len;
	return answer;
}

/* Tells all who asked. What they do then may be to ask for something else. */
static void tell(struct teller *teller, struct pb_answer *answer)
{
	struct question *question = teller->questions;

	teller->questions = question->next;
	while (question->askers) {
		struct pb_asker *asker = question->askers;

		question->askers = asker->next;
		asker->answer(asker, answer);
	}
	free(question);
	pb_answer_unref(answer);
}

/* Steps until the time of a turn is over. @return whether there is more */
static bool make_piece(struct teller *teller)
{
	uint64_t end_us = monotonic_us() + PIECE_US;
	bool more;

	teller->telling.shown = teller->shown(teller->userdata);
	do
		more = teller->questions->kind->step(&teller->telling);
	while (more && monotonic_us() < end_us);
	return more;
}

static int on_work(sd_event_source *source, void *userdata)
{
	struct teller *teller = userdata;

	(void)source;
	if (!teller->telling.out && !begin(teller))
		tell(teller, NULL);
	else if (!make_piece(teller))
		tell(teller, finish(teller));
	look_for_work(teller);
	return 0;
}

unsigned int telling_all(const struct telling_kind *kind, int64_t unit, const struct shown *shown,
			 FILE *out)
{
	struct telling telling = {.shown = *shown, .out = out, .unit = unit, .status = 200};

	while (kind->step(&telling))
		;
	free(telling.kept);
	return telling.status;
}

/* ---- who asks ---- */

/* @return the question of that kind that has not been begun, at its place or at the end */
static struct question **find(struct teller *teller, const struct telling_kind *kind, int64_t unit)
{
	struct question **at = &teller->questions;

	if (*at && teller->telling.out)
		at = &(*at)->next;
	while (*at && ((*at)->kind != kind || (*at)->unit != unit))
		at = &(*at)->next;
	return at;
}

void teller_ask(struct teller *teller, const struct telling_kind *kind, int64_t unit,
		struct pb_asker *asker)
{
	struct question **at = find(teller, kind, unit);

	if (!*at)
		*at = calloc(1, sizeof(**at));
	if (!*at) {
		asker->answer(asker, NULL);
		return;
	}
	(*at)->kind = kind;
	(*at)->unit = unit;
	asker->next = (*at)->askers;
	(*at)->askers = asker;
	look_for_work(teller);
}

static bool remove_asker(struct question *question, const struct pb_asker *asker)
{
	struct pb_asker **at = &question->askers;

	while (*at && *at != asker)
		at = &(*at)->next;
	if (!*at)
		return false;
	*at = asker->next;
	return true;
}

void teller_forget(struct teller *teller, const struct pb_asker *asker)
{
	struct question **at = &teller->questions;

	while (*at && !remove_asker(*at, asker))
		at = &(*at)->next;
	if (!*at || (*at)->askers)
		return;
	/* nobody wants it any more */
	if (*at == teller->questions)
		drop(teller);
	struct question *gone = *at;
	*at = gone->next;
	free(gone);
	look_for_work(teller);
}

void teller_restart(struct teller *teller)
{
	drop(teller);
	look_for_work(teller);
}

/* ---- life ---- */

int teller_new(struct teller **ret, sd_event *event, struct shown (*shown)(const void *userdata),
	       const void *userdata)
{
	struct teller *teller = calloc(1, sizeof(*teller));
	int r;

	if (!teller)
		return -ENOMEM;
	teller->shown = shown;
	teller->userdata = userdata;
	r = sd_event_add_defer(event, &teller->work, on_work, teller);
	if (r >= 0)
		r = sd_event_source_set_enabled(teller->work, SD_EVENT_OFF);
	if (r < 0) {
		teller_free(teller);
		return r;
	}
	*ret = teller;
	return 0;
}

struct teller *teller_free(struct teller *teller)
{
	if (!teller)
		return NULL;
	sd_event_source_disable_unref(teller->work);
	drop(teller);
	free(teller);
	return NULL;
}
