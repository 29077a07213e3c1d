/* SPDX-License-Identifier: MIT */
#include "warnings.h"

#include "descriptors.h"

#include <stdio.h>

enum { POLL_REQUESTS = 2 /* of the codecs that ask least */ };

static void check_times(const struct pb_pack_config *pack, void (*say)(const char *text))
{
	uint64_t wait_ms = (uint64_t)pack->reply_timeout_ms * pack->tries;
	char text[256];

	if (wait_ms > (uint64_t)pack->stale_after_s * 1000) {
		snprintf(text, sizeof(text),
			 "pack '%s': waiting for a reply takes up to %llu.%llu s (reply_timeout_ms "
			 "x tries), but a reading is stale after stale_after_s, %u s",
			 pack->name, (unsigned long long)(wait_ms / 1000),
			 (unsigned long long)(wait_ms % 1000 / 100), pack->stale_after_s);
		say(text);
	}
	if ((uint64_t)pack->gap_ms * POLL_REQUESTS > pack->poll_ms) {
		snprintf(text, sizeof(text),
			 "pack '%s': a poll takes at least %d times gap_ms, %u ms, which is more "
			 "than "
			 "poll_ms, %u",
			 pack->name, POLL_REQUESTS, pack->gap_ms * POLL_REQUESTS, pack->poll_ms);
		say(text);
	}
}

void warnings_each(const struct pb_config *config, void (*say)(const char *text))
{
	char text[256];

	if (pb_cli_lacks_descriptors(config, text, sizeof(text)))
		say(text);
	for (size_t i = 0; i < config->pack_count; i++)
		check_times(&config->packs[i], say);
}
