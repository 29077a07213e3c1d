/* SPDX-License-Identifier: MIT */
/*
 * What wakes the client's pump, in bluez.c: see bluez_client.h.
 */
#include "bluez_client.h"

void bluez_kick(struct pb_bluez *bluez)
{
	sd_event_source_set_enabled(bluez->later, SD_EVENT_ONESHOT);
}

void bluez_arm(struct pb_bluez *bluez, uint64_t ms)
{
	sd_event_source_set_time_relative(bluez->timer, ms * 1000);
	sd_event_source_set_enabled(bluez->timer, SD_EVENT_ONESHOT);
}

void bluez_kick_later(struct pb_bluez *bluez, uint64_t ms)
{
	/* in the other states the timer has its own work, which kicks too */
	if (bluez->state == BLUEZ_READY)
		bluez_arm(bluez, ms);
}

void bluez_suspect(struct pb_bluez *bluez)
{
	bluez->suspected = true;
	bluez_kick(bluez);
}
