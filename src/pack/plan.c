/* SPDX-License-Identifier: MIT */
/*
 * Which query is sent next: see the drawing in plan.h.
 *
 *	plan_begin() ──▶ plan_next() ──▶ PLAN_ASK: send plan->query
 *	                    ▲                 │ reply, refusal or timeout
 *	                    └── plan_finish_query(), or plan_next_codec() if nothing was answered
 */
#include "plan.h"

#include <assert.h>
#include <string.h>

enum {
	ASK_AGAIN_MS = 600000,	     /**< until what was never answered is asked once more */
	RARE_MS = 60000,	     /**< between two requests for what hardly changes */
	RARE_LIMIT_MS = 4 * RARE_MS, /**< not answered for so long: it is not shown any more */
};

static const enum pb_when rounds[] = {PB_ONCE_BEFORE, PB_EACH_POLL, PB_ONCE_AFTER};

void plan_init(struct plan *plan, const struct pb_codec *codec,
	       const struct pb_codec *const *others, uint32_t stale_after_s, bool control)
{
	assert(codec->query_count <= PB_QUERIES_MAX);
	memset(plan, 0, sizeof(*plan));
	plan->first = plan->codec = codec;
	plan->others = others;
	plan->stale_after_s = stale_after_s;
	plan->control = control;
	proof_expect_others(plan, false);
}

bool plan_has(const struct plan *plan, const struct pb_query *query)
{
	return !query->control || plan->control;
}

static size_t query_index(const struct plan *plan)
{
	return (size_t)(plan->query - plan->codec->queries);
}

uint64_t plan_query_bit(const struct plan *plan)
{
	return UINT64_C(1) << query_index(plan);
}

bool plan_in_poll(const struct plan *plan)
{
	return rounds[plan->step / plan->codec->query_count] == PB_EACH_POLL;
}

bool plan_searching(const struct plan *plan)
{
	return !plan->codec_known && (plan->others || plan->first->next);
}

void plan_forget_answers(struct plan *plan)
{
	plan->done = plan->answered = plan->silent = plan->mute = 0;
	memset(&plan->base, 0, sizeof(plan->base));
	memset(plan->base_ms, 0, sizeof(plan->base_ms));
}

/* With `protocol: auto`: what it says of itself may tell where to begin. */
static void guess_codec(struct plan *plan, const struct pb_advert *advert)
{
	const struct pb_codec *codec;
	const struct pb_sign *sign;

	if (plan->codec_known || !plan->others || !advert)
		return;
	codec = pb_codec_of_advert(plan->others, advert, &sign);
	if (!codec)
		return;
	for (plan->candidate = 0; plan->others[plan->candidate] != codec;)
		plan->candidate++;
	plan->codec = codec;
	plan->ever = 0;
}

void plan_connect(struct plan *plan, const struct pb_advert *advert, uint64_t now)
{
	guess_codec(plan, advert);
	plan_forget_answers(plan);
	plan->query = NULL;
	plan->again_ms = plan->up_ms = now;
	plan->meters_ms = 0;
}

/*
 * What was never answered may only have got lost: once in a while it is asked again. What is asked
 * rarely comes again when its time is up, one a poll.
 */
static void ask_again(struct plan *plan, uint64_t now)
{
	bool all = now - plan->again_ms >= ASK_AGAIN_MS;
	bool one = false;

	if (all)
		plan->again_ms = now;
	if (now - plan->muted_ms >= RARE_MS)
		plan->mute = 0;
	for (size_t i = 0; i < plan->codec->query_count; i++) {
		const struct pb_query *query = &plan->codec->queries[i];
		uint64_t bit = UINT64_C(1) << i;
		uint64_t after_ms = query->live ? proof_interval_ms(plan) : RARE_MS;

		if (all && query->when != PB_ONCE_BEFORE && !(plan->answered & bit))
			plan->done &= ~bit;
		/* perhaps it answered an older request: then it seems older than it is */
		if (query->when == PB_ONCE_BEFORE && plan->base_ms[i] &&
		    plan->base_ms[i] < plan->up_ms && plan->proof_ms >= plan->up_ms)
			plan->done &= ~bit;
		if (one || query->when != PB_ONCE_AFTER || !(plan->done & plan->answered & bit) ||
		    now - plan->rare_ms[i] < after_ms)
			continue;
		plan->done &= ~bit;
		one = true;
	}
}

void plan_begin(struct plan *plan, uint64_t now)
{
	plan->work_ms = 0;
	plan->step = 0;
	plan->begun = plan->codec;
	plan->spoken = false;
	ask_again(plan, now);
	proof_begin(plan, now);
}

/* The query at the place in the plan, or NULL: nothing to ask there. */
static const struct pb_query *query_at(const struct plan *plan, size_t step)
{
	size_t count = plan->codec->query_count, index = step % count;
	const struct pb_query *query = &plan->codec->queries[index];

	if (!plan_has(plan, query))
		return NULL;
	if (query->when == rounds[step / count] && !(plan->done >> index & 1))
		return query;
	return rounds[step / count] == PB_ONCE_BEFORE && query == plan->marker ? query : NULL;
}

enum plan_next plan_next(struct plan *plan)
{
	size_t count = plan->codec->query_count;

	for (plan->query = NULL; plan->step < PB_ARRAY_SIZE(rounds) * count; plan->step++) {
		if (plan->step == 0)
			plan->complete = false;
		if (plan->step == count)
			plan->work = plan->base;
		if (plan->step == 2 * count && !plan->complete) {
			plan->complete = true;
			return PLAN_READING;
		}
		plan->query = query_at(plan, plan->step);
		if (plan->query)
			return PLAN_ASK;
	}
	return PLAN_END;
}

uint32_t plan_tries(const struct plan *plan, uint32_t most)
{
	uint64_t bit = plan_query_bit(plan);

	/* what a board has not answered lately costs one time limit a poll, not all of them */
	return (plan_searching(plan) && !plan->spoken) || plan->silent & bit ||
			       (plan->query == plan->marker && !(plan->ever & bit))
		       ? 1
		       : most;
}

void plan_finish_query(struct plan *plan, uint64_t now)
{
	if (plan->query->when != PB_EACH_POLL) {
		plan->done |= plan_query_bit(plan);
		plan->rare_ms[query_index(plan)] = now;
	}
	plan->step++;
}

/* The one to be tried behind the one that was tried: its dialects, then those of others. */
static const struct pb_codec *following(struct plan *plan)
{
	if (plan->codec->next)
		return plan->codec->next;
	if (!plan->others)
		return plan->first;
	plan->candidate++;
	if (!plan->others[plan->candidate])
		plan->candidate = 0;
	return plan->others[plan->candidate];
}

bool plan_next_codec(struct plan *plan)
{
	plan->codec = following(plan);
	plan->ever = 0;
	plan_forget_answers(plan);
	plan->step = 0;
	return plan->codec != plan->begun;
}

void plan_forget_before(struct plan *plan)
{
	for (size_t i = 0; i < plan->codec->query_count; i++)
		if (plan->codec->queries[i].when == PB_ONCE_BEFORE)
			plan->done &= ~(UINT64_C(1) << i);
}

void plan_answered(struct plan *plan)
{
	uint64_t bit = plan_query_bit(plan);

	plan->answered |= bit;
	plan->ever |= bit;
	plan->silent &= ~bit;
}

bool plan_was_silent(struct plan *plan)
{
	uint64_t bit = plan_query_bit(plan);

	plan->silent |= bit;
	/* silent to what it has always answered: it will not answer others either */
	if (plan->query->when == PB_ONCE_BEFORE && plan->ever & bit)
		return false;
	if (!(plan->answered & bit))
		plan->done |= bit;
	return true;
}

uint64_t plan_drop_old_details(struct plan *plan, uint64_t now)
{
	uint64_t oldest_ms = 0;

	for (size_t i = 0; i < plan->codec->query_count; i++) {
		const struct pb_query *query = &plan->codec->queries[i];
		uint64_t limit_ms =
			query->live ? plan->stale_after_s * UINT64_C(1000) : RARE_LIMIT_MS;

		if (plan->base_ms[i] == 0)
			continue;
		if (query->when == PB_ONCE_AFTER && now - plan->base_ms[i] >= limit_ms) {
			plan->base.has &= ~query->brings;
			plan->work.has &= ~query->brings;
			plan->base_ms[i] = 0;
		} else if (oldest_ms == 0 || plan->base_ms[i] < oldest_ms) {
			oldest_ms = plan->base_ms[i];
		}
	}
	return oldest_ms;
}
