/* SPDX-License-Identifier: MIT */
#include "packbridge/model/status.h"

static const uint16_t age_most_s = 65534;

static uint16_t status_age_s(uint64_t since_ms, uint64_t now_ms)
{
	uint64_t age_s = (now_ms - since_ms) / 1000;

	return age_s > age_most_s ? age_most_s : (uint16_t)age_s;
}

bool pb_status_is_stale(const struct pb_status *status, uint64_t now_ms)
{
	return status->sequence == 0 ||
	       now_ms - status->sampled_ms >= (uint64_t)status->stale_after_s * 1000;
}

uint16_t pb_status_age_s(const struct pb_status *status, uint64_t now_ms)
{
	return status->sequence == 0 ? PB_AGE_NONE_S : status_age_s(status->sampled_ms, now_ms);
}

uint16_t pb_status_details_age_s(const struct pb_status *status, uint64_t now_ms)
{
	return status->details_ms == 0 ? PB_AGE_NONE_S : status_age_s(status->details_ms, now_ms);
}

enum pb_quality pb_status_quality(const struct pb_status *status, uint64_t now_ms)
{
	if (status->sequence == 0)
		return PB_QUALITY_NEVER;
	if (!pb_status_is_stale(status, now_ms))
		return PB_QUALITY_GOOD;
	return status->connected ? PB_QUALITY_STALE : PB_QUALITY_LOST;
}
