/* SPDX-License-Identifier: MIT */
/*
 * How old is a reply at most?
 *
 *	we send    A1 ........ B ......... A2 .......... A3
 *	              \          \           (lost)        \
 *	we receive     a         b                         a    answers A2 or A3: it counts as A2's
 *
 * Replies carry no timestamp. But order is preserved on the way, so a reply was made after the
 * request that it answers was sent, and so was everything behind it: plan->proof_ms. When replies
 * get lost or come late, it is not clear which request a reply answers. Then the oldest request
 * counts that it may answer (requests.h). A reading is as old as the oldest of its parts.
 *
 * Marker. When a reply is missing we cannot tell lost from late. A request with a different command
 * settles it: its reply comes after any late one. So when readings come out too old, such a request
 * is sent, the marker, and the poll begins anew behind its reply. If the marker has open requests
 * itself, it is sent once more than there are. A board that does not answer is asked one kind of
 * request only, so that the others stay good as markers.
 *
 * Others. At the start, and when the pack was left to others, replies may be on the way that this
 * program never asked for. They count as replies to requests sent long ago, so a marker goes first.
 */
#include "plan.h"

enum {
	PROOF_MOST_MS = 5000, /**< between two requests to a board that sends by itself */
	PROOFS_TO_STALE = 3,
	MARKERS_MAX = 1000,
	HOPELESS = 30,		/**< open requests: a silence is the quicker way */
	LONG_AGO_MS = 1,	/**< when others sent requests */
	OTHERS_POLLS = 2,	/**< replies on the way to them, to each request of a poll */
	OTHERS_DETAILS = 1,	/**< and to each of those that are sent rarely */
	OTHERS_MANY = HOPELESS, /**< the same, when some have come */
	STRANGE_POLLS = 2,	/**< without a reading, after an unsolicited reply */
	SHARED_MS = 10000,	/**< without a reading, after a sign of several boards */
	METER_SLACK_S = 5,	/**< a board's clock counts whole seconds, and is not ours */
};

/* ---- requests of others ---- */

static void expect_replies(struct plan *plan, const struct pb_codec *codec, bool many)
{
	for (; codec; codec = codec->next)
		for (size_t i = 0; i < codec->query_count; i++) {
			const struct pb_query *query = &codec->queries[i];
			uint32_t few = query->when == PB_EACH_POLL ? OTHERS_POLLS : OTHERS_DETAILS;

			if (!plan_has(plan, query))
				continue;
			requests_expect(&plan->requests, codec, query->command,
					many ? OTHERS_MANY : few, LONG_AGO_MS);
		}
}

void proof_expect_others(struct plan *plan, bool many)
{
	const struct pb_codec *const *others = plan->others;

	/* the board, or a device between, may have kept what is open */
	requests_sent_long_ago(&plan->requests, LONG_AGO_MS);
	if (!others)
		expect_replies(plan, plan->first, many);
	for (; others && *others; others++)
		expect_replies(plan, *others, many);
}

bool proof_is_strange(const struct plan *plan, const struct pb_frame *frame)
{
	bool answers = frame->kind == PB_FRAME_NOTICE ||
		       (frame->kind == PB_FRAME_REPLY && !proof_is_streamed(plan, frame));

	return answers && !plan->strange &&
	       requests_newest_ms(&plan->requests, plan->codec, frame->command) == LONG_AGO_MS;
}

void proof_forget(struct plan *plan)
{
	plan->strange = true;
	plan_forget_answers(plan);
	plan->proof_ms = plan->work_ms = plan->first_ms = 0;
	plan->step = 0;
}

static uint32_t open_requests(const struct plan *plan, const struct pb_query *query)
{
	return requests_open(&plan->requests, plan->codec, query->command);
}

/* The first request of each poll: a reading is at least as old as it. */
static const struct pb_query *first_query(const struct plan *plan)
{
	const struct pb_query *first = plan->codec->queries;

	while (first->when != PB_EACH_POLL)
		first++;
	return first;
}

/* ---- markers ---- */

/* How bad a query is as a marker; UINT32_MAX: it can't be one. */
static uint32_t marker_cost(const struct plan *plan, size_t index)
{
	const struct pb_query *query = &plan->codec->queries[index];
	uint64_t bit = UINT64_C(1) << index;
	bool unknown = plan->done & bit && !(plan->answered & bit);
	uint32_t open = open_requests(plan, query);

	if (query->streams || query->dialogue || !plan_has(plan, query) || plan->mute & bit ||
	    unknown || open >= MARKERS_MAX)
		return UINT32_MAX;
	/* what is not part of each poll is better; the first query itself is the last resort */
	return open * 4 + (query->when == PB_EACH_POLL) + (query == first_query(plan));
}

/* @return the best one, NULL: there is none. */
static const struct pb_query *best_marker(const struct plan *plan)
{
	const struct pb_query *best = NULL;
	uint32_t least = UINT32_MAX;

	for (size_t i = 0; i < plan->codec->query_count; i++) {
		uint32_t cost = marker_cost(plan, i);

		if (cost < least) {
			least = cost;
			best = &plan->codec->queries[i];
		}
	}
	return best;
}

static void set_marker(struct plan *plan, const struct pb_query *marker, uint64_t now)
{
	plan->marker = marker;
	plan->marker_ms = now;
	plan->markers_left = open_requests(plan, marker) + 1;
}

void proof_set_first_marker(struct plan *plan, uint64_t now)
{
	const struct pb_query *marker = best_marker(plan);

	if (marker && plan->requests.count > 0 && plan->requests.open[0].first_ms == LONG_AGO_MS &&
	    !plan_searching(plan))
		set_marker(plan, marker, now);
}

void proof_begin(struct plan *plan, uint64_t now)
{
	plan->marker = NULL;
	plan->first_ms = 0;
	plan->may_prove = true;
	plan->strangers -= plan->strangers > 0;
	proof_set_first_marker(plan, now);
}

static bool wants_proof(struct plan *plan, uint64_t asked_ms, uint64_t now)
{
	bool unclear = asked_ms < plan->first_ms;

	if (!plan_in_poll(plan) || plan->query != first_query(plan) || !plan->may_prove)
		return false;
	plan->may_prove = false;
	plan->unclear_polls = unclear ? plan->unclear_polls + 1 : 0;
	return unclear && (plan->unclear_polls >= 2 ||
			   now - asked_ms >= plan->stale_after_s * UINT64_C(1000) / 2);
}

bool proof_begins_anew(struct plan *plan, uint64_t asked_ms, uint64_t now)
{
	if (!wants_proof(plan, asked_ms, now))
		return false;
	plan->marker = best_marker(plan);
	if (!plan->marker)
		return false;
	set_marker(plan, plan->marker, now);
	plan->work_ms = plan->first_ms = 0;
	plan->step = 0;
	return true;
}

bool proof_marker_again(struct plan *plan, uint64_t asked_ms)
{
	if (plan->query != plan->marker || plan_in_poll(plan))
		return false;
	if (asked_ms < plan->marker_ms && --plan->markers_left > 0)
		return true;
	plan->marker = NULL;
	return false;
}

bool proof_drop_marker(struct plan *plan, uint64_t now)
{
	if (plan->query != plan->marker || plan_in_poll(plan))
		return false;
	plan->mute |= plan_query_bit(plan);
	plan->muted_ms = now;
	plan->marker = NULL;
	plan->may_prove = true; /* by another one */
	return true;
}

bool proof_is_hopeless(const struct plan *plan)
{
	const struct pb_query *marker = best_marker(plan);
	uint32_t open = open_requests(plan, first_query(plan));

	/* the marker is needed only where the first reply of a poll is not clear by itself */
	return marker ? open > 0 && open_requests(plan, marker) >= HOPELESS : open >= HOPELESS;
}

/* ---- times ---- */

void proof_sent(struct plan *plan, uint16_t command, uint64_t now)
{
	if (plan_in_poll(plan) && plan->first_ms == 0)
		plan->first_ms = now;
	requests_sent(&plan->requests, plan->codec, command, now);
}

uint64_t proof_interval_ms(const struct plan *plan)
{
	uint64_t ms = (uint64_t)plan->stale_after_s * 1000 / PROOFS_TO_STALE;

	return ms < PROOF_MOST_MS ? ms : PROOF_MOST_MS;
}

uint64_t proof_take(struct plan *plan, const struct pb_frame *frame)
{
	uint64_t asked_ms = requests_answered(&plan->requests, plan->codec, frame->command);

	if (asked_ms == 0)
		return 0;
	if (asked_ms > plan->proof_ms)
		plan->proof_ms = asked_ms;
	return plan->proof_ms;
}

void proof_note_time(struct plan *plan, uint64_t asked_ms)
{
	if (plan->query->when != PB_EACH_POLL)
		plan->base_ms[plan->query - plan->codec->queries] = asked_ms;
	else if (plan_in_poll(plan) && (plan->work_ms == 0 || asked_ms < plan->work_ms))
		plan->work_ms = asked_ms;
}

/* ---- frames that come by themselves ---- */

bool proof_has_streams(const struct plan *plan)
{
	for (size_t i = 0; i < plan->codec->query_count; i++)
		if (plan->codec->queries[i].streams)
			return true;
	return false;
}

bool proof_is_streamed(const struct plan *plan, const struct pb_frame *frame)
{
	const struct pb_codec *codec = plan->codec;

	for (size_t i = 0; i < codec->query_count; i++)
		if (codec->queries[i].streams && codec->queries[i].command == frame->command)
			return true;
	return false;
}

void proof_take_notice(struct plan *plan, const struct pb_frame *frame)
{
	const struct pb_codec *codec = plan->codec;

	proof_take(plan, frame);
	if (plan->proof_ms == 0)
		return;
	codec->decode(frame, &plan->base);
	codec->decode(frame, &plan->work);
	for (size_t i = 0; i < codec->query_count; i++)
		if (codec->queries[i].command == frame->command)
			plan->base_ms[i] = plan->proof_ms;
}

/*
 * What one board counts does not fall, and its clock does not run ahead of ours: the frame before
 * was measured after meters_ms.
 */
static bool is_other_board(const struct plan *plan, const struct pb_meters *meters, uint64_t now)
{
	uint64_t most_s = (now - plan->meters_ms) / 1000 * 17 / 16 + METER_SLACK_S;

	return meters->running_s < plan->meters.running_s ||
	       meters->through_mah < plan->meters.through_mah ||
	       meters->running_s - plan->meters.running_s > most_s;
}

void proof_watch_meters(struct plan *plan, const struct pb_frame *frame, uint64_t now)
{
	const struct pb_codec *codec = plan->codec;
	struct pb_meters meters;

	if (plan->proof_ms == 0 || !codec->meters || !codec->meters(frame, &plan->base, &meters))
		return;
	if (plan->meters_ms && is_other_board(plan, &meters, now))
		plan->shared_ms = now;
	plan->meters = meters;
	plan->meters_ms = plan->proof_ms;
}

/* ---- replies that are not ours, or not in time ---- */

void proof_take_late(struct plan *plan, const struct pb_frame *frame)
{
	for (size_t i = 0; i < plan->codec->query_count; i++) {
		uint64_t bit = UINT64_C(1) << i;

		if (plan->codec->queries[i].command != frame->command)
			continue;
		if (!(plan->answered & bit))
			plan->done &= ~bit;
		plan->answered |= bit;
		plan->mute &= ~bit;
	}
}

bool proof_take_unsolicited(struct plan *plan, const struct pb_frame *frame)
{
	for (size_t i = 0; i < plan->codec->query_count; i++) {
		const struct pb_query *query = &plan->codec->queries[i];

		if (query->command != frame->command || query->when != PB_EACH_POLL ||
		    !plan_has(plan, query))
			continue;
		plan->strangers = STRANGE_POLLS;
		return true;
	}
	return false;
}

bool proof_is_shared(const struct plan *plan, uint64_t now)
{
	return plan->shared_ms && now - plan->shared_ms < SHARED_MS;
}
