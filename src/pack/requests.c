/* SPDX-License-Identifier: MIT */
/*
 * The list is sorted by time. A reply may answer the oldest open request with its command:
 *
 *	open:  A 10:00, B 10:01, A 10:02        reply to B: strikes A 10:00 and B 10:01
 *
 * If the list is full, two entries of one command are merged; a merged entry keeps its oldest time,
 * so a reply can only look older than it is.
 */
#include "requests.h"

#include <string.h>

/*
 * An entry without a codec stands for every command. Dialects that measure frames alike have the
 * same replies (Daly's A5 to host 80 and to host 40): no reply tells to which of their requests.
 */
static bool requests_match(const struct pb_request *entry, const struct pb_codec *codec,
			   uint16_t command)
{
	return !entry->codec || (entry->command == command && entry->codec->frame == codec->frame);
}

/* @return the newest entry before @index of the same command; -1: there is none. */
static int requests_before(const struct pb_requests *requests, size_t index)
{
	const struct pb_request *entry = &requests->open[index];

	for (int i = (int)index - 1; entry->codec && i >= 0; i--)
		if (requests_match(&requests->open[i], entry->codec, entry->command))
			return i;
	return -1;
}

/*
 * Makes room in a full list: two entries of one command become one, those two that are closest
 * together. So little is lost of when each was sent, and nothing of commands that are sent rarely.
 * @return false: there are more commands than places.
 */
static bool requests_merge(struct pb_requests *requests)
{
	uint64_t least_ms = UINT64_MAX;
	struct pb_request *into = NULL, *from = NULL;

	for (size_t i = 1; i < requests->count; i++) {
		int before = requests_before(requests, i);
		uint64_t span_ms;

		if (before < 0)
			continue;
		span_ms = requests->open[i].last_ms - requests->open[before].first_ms;
		if (span_ms >= least_ms)
			continue;
		least_ms = span_ms;
		into = &requests->open[before];
		from = &requests->open[i];
	}
	if (!from)
		return false;
	if (from->last_ms > into->last_ms)
		into->last_ms = from->last_ms;
	into->count += from->count;
	memmove(from, from + 1,
		(size_t)(requests->open + requests->count - 1 - from) * sizeof(*from));
	requests->count--;
	return true;
}

/* @return the entry of requests that were all sent at @sent_ms; NULL: there is none. */
static struct pb_request *requests_sent_at(struct pb_requests *requests,
					   const struct pb_codec *codec, uint16_t command,
					   uint64_t sent_ms)
{
	for (size_t i = 0; i < requests->count; i++) {
		struct pb_request *entry = &requests->open[i];

		if (entry->codec == codec && entry->command == command &&
		    entry->first_ms == sent_ms && entry->last_ms == sent_ms)
			return entry;
	}
	return NULL;
}

void requests_expect(struct pb_requests *requests, const struct pb_codec *codec, uint16_t command,
		     uint32_t count, uint64_t sent_ms)
{
	struct pb_request *last = &requests->open[PB_REQUESTS_MAX - 1];
	struct pb_request *same = requests_sent_at(requests, codec, command, sent_ms);

	if (same) {
		same->count += count;
		return;
	}

	if (requests->count == PB_REQUESTS_MAX && !requests_merge(requests)) {
		last->codec = NULL;
		last->last_ms = sent_ms;
		last->count += count;
		return;
	}
	requests->open[requests->count++] = (struct pb_request){.first_ms = sent_ms,
								.last_ms = sent_ms,
								.codec = codec,
								.command = command,
								.count = count};
}

void requests_sent(struct pb_requests *requests, const struct pb_codec *codec, uint16_t command,
		   uint64_t now_ms)
{
	requests_expect(requests, codec, command, 1, now_ms);
}

void requests_left(struct pb_requests *requests, const struct pb_codec *codec, uint16_t command,
		   uint64_t now_ms)
{
	struct pb_request *last = requests->open + requests->count - 1;

	if (requests->count == 0 || last->codec != codec || last->command != command ||
	    last->count != 1)
		return;
	last->first_ms = last->last_ms = now_ms;
}

/* Of an entry that stands for several requests, those after @sent_ms stay. */
static void requests_strike(struct pb_requests *requests, uint64_t sent_ms)
{
	size_t kept = 0;

	for (size_t i = 0; i < requests->count; i++) {
		struct pb_request entry = requests->open[i];

		if (entry.count == 0 || entry.last_ms < sent_ms)
			continue;
		if (entry.first_ms < sent_ms)
			entry.first_ms = sent_ms;
		requests->open[kept++] = entry;
	}
	requests->count = kept;
}

uint64_t requests_answered(struct pb_requests *requests, const struct pb_codec *codec,
			   uint16_t command)
{
	struct pb_request *entry = requests->open, *end = entry + requests->count;
	uint64_t sent_ms;

	while (entry < end && !requests_match(entry, codec, command))
		entry++;
	if (entry == end)
		return 0;
	sent_ms = entry->first_ms;
	entry->count--;
	if (entry->count == 1)
		entry->first_ms = entry->last_ms;
	requests_strike(requests, sent_ms);
	return sent_ms;
}

uint32_t requests_open(const struct pb_requests *requests, const struct pb_codec *codec,
		       uint16_t command)
{
	uint32_t total = 0;

	for (size_t i = 0; i < requests->count; i++) {
		const struct pb_request *entry = &requests->open[i];

		if (requests_match(entry, codec, command))
			total += entry->count;
	}
	return total;
}

uint64_t requests_newest_ms(const struct pb_requests *requests, const struct pb_codec *codec,
			    uint16_t command)
{
	for (size_t i = requests->count; i-- > 0;)
		if (requests_match(&requests->open[i], codec, command))
			return requests->open[i].last_ms;
	return 0;
}

void requests_sent_long_ago(struct pb_requests *requests, uint64_t sent_ms)
{
	struct pb_requests all = *requests;

	requests->count = 0;
	for (size_t i = 0; i < all.count; i++) {
		const struct pb_request *entry = &all.open[i];

		requests_expect(requests, entry->codec, entry->command, entry->count, sent_ms);
	}
}
