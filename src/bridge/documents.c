/* SPDX-License-Identifier: MIT */
/*
 *	documents_ask() ──▶ questions ──▶ on_work() ──▶ answer to all askers of a question
 *	                                  begin, pieces of 0.5 ms, finish
 *
 * A question holds all askers of the same document. An answer is freed when its last asker has
 * sent it. While too many bytes are not sent yet, no other document is begun.
 */
#include "documents.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum {
	PIECE_US = 500, /* a turn of the loop; the last step may go beyond it */
	ALIVE_MAX =
		8 * 1024 * 1024 /* bytes of answers that are not taken yet: then none is begun */
};

/* A document to be written, and for whom. */
struct question {
	struct question *next;
	const struct document_kind *kind;
	int64_t unit;
	struct pb_asker *askers;
};

struct documents {
	struct snapshot (*snapshot)(const void *userdata);
	const void *userdata;
	sd_event_source *work;
	struct question *questions; /* the first is being written while current.out is set */
	struct document current;
	char *bytes;
	size_t len;
	size_t alive;
};

static uint64_t documents_monotonic_us(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000 + (uint64_t)now.tv_nsec / 1000;
}

/* Works while there is something to write, and room for it. */
static void look_for_work(struct documents *documents)
{
	bool can = documents->questions && (documents->current.out || documents->alive < ALIVE_MAX);

	sd_event_source_set_enabled(documents->work, can ? SD_EVENT_ON : SD_EVENT_OFF);
}

static void answer_freed(void *userdata, size_t len)
{
	struct documents *documents = userdata;

	documents->alive -= len;
	look_for_work(documents);
}

/* ---- one document ---- */

static bool documents_begin(struct documents *documents)
{
	documents->current = (struct document){
		.status = 200,
		.unit = documents->questions->unit,
		.out = open_memstream(&documents->bytes, &documents->len),
	};
	return documents->current.out != NULL;
}

static void documents_drop(struct documents *documents)
{
	if (!documents->current.out)
		return;
	fclose(documents->current.out);
	free(documents->current.kept);
	free(documents->bytes);
	documents->bytes = NULL;
	documents->current = (struct document){0};
}

/* @return the document as an answer; NULL: no memory */
static struct pb_answer *documents_finish(struct documents *documents)
{
	const struct document_kind *kind = documents->questions->kind;
	unsigned int status = documents->current.status;
	const char *type = status == 200 ? kind->type : "text/plain; charset=utf-8";
	struct pb_answer *answer;

	if (status != 200)
		fprintf(documents->current.out, "%u\n", status);
	free(documents->current.kept);
	if (fclose(documents->current.out) != 0) {
		free(documents->bytes);
		documents->bytes = NULL;
	}
	documents->current = (struct document){0};
	answer = documents->bytes ? pb_answer_new(status, type, documents->bytes, documents->len)
				  : NULL;
	documents->bytes = NULL;
	if (!answer)
		return NULL;
	answer->freed = answer_freed;
	answer->userdata = documents;
	documents->alive += answer->len;
	return answer;
}

/* Answers all who asked. They may ask for something else at once. */
static void documents_tell(struct documents *documents, struct pb_answer *answer)
{
	struct question *question = documents->questions;

	documents->questions = question->next;
	while (question->askers) {
		struct pb_asker *asker = question->askers;

		question->askers = asker->next;
		asker->answer(asker, answer);
	}
	free(question);
	pb_answer_unref(answer);
}

/* Steps until the time of a turn is over. @return whether there is more */
static bool make_piece(struct documents *documents)
{
	uint64_t end_us = documents_monotonic_us() + PIECE_US;
	bool more;

	documents->current.snapshot = documents->snapshot(documents->userdata);
	do
		more = documents->questions->kind->step(&documents->current);
	while (more && documents_monotonic_us() < end_us);
	return more;
}

static int on_work(sd_event_source *source, void *userdata)
{
	struct documents *documents = userdata;

	(void)source;
	if (!documents->current.out && !documents_begin(documents))
		documents_tell(documents, NULL);
	else if (!make_piece(documents))
		documents_tell(documents, documents_finish(documents));
	look_for_work(documents);
	return 0;
}

unsigned int document_write(const struct document_kind *kind, int64_t unit,
			    const struct snapshot *snapshot, FILE *out)
{
	struct document document = {.snapshot = *snapshot, .out = out, .unit = unit, .status = 200};

	while (kind->step(&document))
		;
	free(document.kept);
	return document.status;
}

/* ---- who asks ---- */

/* @return the question of that kind that has not been begun, at its place or at the end */
static struct question **documents_find(struct documents *documents,
					const struct document_kind *kind, int64_t unit)
{
	struct question **at = &documents->questions;

	if (*at && documents->current.out)
		at = &(*at)->next;
	while (*at && ((*at)->kind != kind || (*at)->unit != unit))
		at = &(*at)->next;
	return at;
}

void documents_ask(struct documents *documents, const struct document_kind *kind, int64_t unit,
		   struct pb_asker *asker)
{
	struct question **at = documents_find(documents, kind, unit);

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
	look_for_work(documents);
}

static bool documents_remove_asker(struct question *question, const struct pb_asker *asker)
{
	struct pb_asker **at = &question->askers;

	while (*at && *at != asker)
		at = &(*at)->next;
	if (!*at)
		return false;
	*at = asker->next;
	return true;
}

void documents_forget(struct documents *documents, const struct pb_asker *asker)
{
	struct question **at = &documents->questions;

	while (*at && !documents_remove_asker(*at, asker))
		at = &(*at)->next;
	if (!*at || (*at)->askers)
		return;
	/* nobody wants it any more */
	if (*at == documents->questions)
		documents_drop(documents);
	struct question *gone = *at;
	*at = gone->next;
	free(gone);
	look_for_work(documents);
}

void documents_restart(struct documents *documents)
{
	documents_drop(documents);
	look_for_work(documents);
}

/* ---- life ---- */

int documents_new(struct documents **ret, sd_event *event,
		  struct snapshot (*snapshot)(const void *userdata), const void *userdata)
{
	struct documents *documents = calloc(1, sizeof(*documents));
	int r;

	if (!documents)
		return -ENOMEM;
	documents->snapshot = snapshot;
	documents->userdata = userdata;
	r = sd_event_add_defer(event, &documents->work, on_work, documents);
	if (r >= 0)
		r = sd_event_source_set_enabled(documents->work, SD_EVENT_OFF);
	if (r < 0) {
		documents_free(documents);
		return r;
	}
	*ret = documents;
	return 0;
}

struct documents *documents_free(struct documents *documents)
{
	if (!documents)
		return NULL;
	sd_event_source_disable_unref(documents->work);
	documents_drop(documents);
	free(documents);
	return NULL;
}
