/* SPDX-License-Identifier: MIT */
/*
 * A poll is complete: does it count as a reading, and when does that reading turn stale?
 *
 * As a rule after stale_after_s of the configuration. Two things lengthen it: packs that share
 * slots by turns are read once a round (follow_round), and some boards take longer for their
 * replies than a poll should last (follow_pace). Time that this program slept through counts for
 * neither.
 */
#include "state.h"

#include <string.h>

enum {
	ROUNDS_TO_STALE = 3,
	STALE_MOST_S = 600, /**< however long a round of turns takes */
};

/* How much of the time since @since_ms this program was there, when late_ms was @late_ms then. */
static uint64_t awake_ms(const struct session *s, uint64_t since_ms, uint64_t late_ms, uint64_t now)
{
	uint64_t all_ms = now - since_ms, away_ms = s->late_ms - late_ms;

	return all_ms > away_ms ? all_ms - away_ms : 0;
}

/* The length of a round, as the adapter reckons it at first, then as it is measured. */
static void measure_round(struct session *s, uint64_t now)
{
	const struct pb_status *status = &s->head.status;
	uint64_t round_ms;

	if (s->turned && status->sequence != 0) {
		round_ms = awake_ms(s, status->sampled_ms, s->read_late_ms, now);
		s->round_ms = round_ms > s->round_ms
				      ? (uint32_t)pb_clamp((int64_t)round_ms, 0, INT32_MAX)
				      : s->round_ms / 4 * 3 + (uint32_t)round_ms / 4;
	} else if (!s->wanted) {
		s->round_ms = 0;
	}
	s->turned = false;
}

static void follow_round(struct session *s, uint64_t now)
{
	uint64_t stale_s = s->config.stale_after_s, rounds_s;

	measure_round(s, now);
	rounds_s = (uint64_t)s->round_ms * ROUNDS_TO_STALE / 1000 + 1;
	if (!s->config.stale_fixed && rounds_s > stale_s && s->round_ms)
		stale_s = rounds_s > STALE_MOST_S ? STALE_MOST_S : rounds_s;
	if (stale_s < s->config.stale_after_s)
		stale_s = s->config.stale_after_s;
	s->head.status.stale_after_s = (uint32_t)stale_s;
}

/* One poll that takes long is no pace: then the line stood still, and may be about to end. */
static void follow_pace(struct session *s, uint64_t now)
{
	uint64_t took_ms = awake_ms(s, s->begun_ms, s->begun_late_ms, now), pace_ms, stale_s;

	pace_ms = took_ms < s->took_ms ? took_ms : s->took_ms;
	s->took_ms = took_ms;
	stale_s = pace_ms * ROUNDS_TO_STALE / 1000 + 1;
	if (pace_ms <= s->config.poll_ms || s->config.stale_fixed)
		return;
	if (stale_s > STALE_MOST_S)
		stale_s = STALE_MOST_S;
	if (stale_s > s->head.status.stale_after_s)
		s->head.status.stale_after_s = (uint32_t)stale_s;
}

/* Why the poll must not count as a reading. @return PB_ERROR_NONE: it may. */
static enum pb_error objection(const struct session *s, uint64_t now)
{
	uint64_t stale_after_ms = s->head.status.stale_after_s * UINT64_C(1000);

	if (proof_is_shared(&s->plan, now))
		return PB_ERROR_SHARED_LINE;
	if (s->plan.strangers > 0)
		return PB_ERROR_UNSOLICITED;
	return now - s->plan.work_ms >= stale_after_ms ? PB_ERROR_LATE : PB_ERROR_NONE;
}

/* From now on, what was in the making is the last reading. */
static void take_over(struct session *s, uint64_t now)
{
	struct pb_status *status = &s->head.status;
	struct plan *plan = &s->plan;

	status->details_ms = plan_drop_old_details(plan, now);
	plan->codec_known = s->read_here = true;
	plan->strange = false;
	if (s->read_codec != plan->codec)
		s->dialogue.way = 0;
	s->read_codec = plan->codec;
	pb_sample_derive(&plan->work);
	s->head.sample = plan->work;
	status->polls++;
	status->sequence = status->sequence == 65535 ? 1 : (uint16_t)(status->sequence + 1);
	status->sampled_ms = plan->work_ms;
	s->read_late_ms = s->late_ms;
	s->stale_ms = plan->work_ms + (uint64_t)status->stale_after_s * 1000;
	s->failed_cycles = 0;
	s->attempt = 0;
	s->trouble = false;
	dialogue_note_reading(s);
	session_copy_counters(s);
}

unsigned int publish_reading(struct session *s, uint64_t now)
{
	bool first = s->read_codec != s->plan.codec, trouble = s->trouble;
	uint16_t age_s = pb_status_age_s(&s->head.status, now);

	follow_round(s, s->plan.work_ms);
	follow_pace(s, now);
	s->cycle_error = objection(s, now);
	if (s->cycle_error != PB_ERROR_NONE)
		return poll_fail(s, now);
	take_over(s, now);
	if (first)
		return PB_DO_PUBLISH | note_first(s);
	if (trouble)
		return PB_DO_PUBLISH | note_write(s, s->quiet ? PB_LOG_DEBUG : PB_LOG_INFO,
						  "readings again, the last was %u s ago", age_s);
	return PB_DO_PUBLISH;
}
