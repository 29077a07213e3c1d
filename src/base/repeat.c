/* SPDX-License-Identifier: MIT */
#include "packbridge/base.h"

#include <assert.h>
#include <string.h>

bool pb_repeat_say(struct pb_repeat *repeat, unsigned int key, uint64_t now_ms)
{
	uint64_t bit = UINT64_C(1) << key % 64;
	unsigned int word = key / 64;

	assert(key < PB_REPEAT_KEYS);
	if (now_ms >= repeat->until_ms && !repeat->left_out)
		*repeat = (struct pb_repeat){.until_ms = now_ms + PB_REPEAT_MS};
	if (!(repeat->said[word] & bit)) {
		repeat->said[word] |= bit;
		return true;
	}
	repeat->repeated[word] |= bit;
	repeat->left_out++;
	return false;
}

uint64_t pb_repeat_due_ms(const struct pb_repeat *repeat)
{
	return repeat->left_out ? repeat->until_ms : UINT64_MAX;
}

uint32_t pb_repeat_sum(struct pb_repeat *repeat, uint64_t now_ms)
{
	struct pb_repeat next = {.until_ms = now_ms + PB_REPEAT_MS};
	uint32_t left_out = repeat->left_out;

	if (!left_out || now_ms < repeat->until_ms)
		return 0;
	memcpy(next.said, repeat->repeated, sizeof(next.said));
	*repeat = next;
	return left_out;
}
