/* SPDX-License-Identifier: MIT */
/*
 * What a person asks of BlueZ: which devices are in range, and what is wrong with Bluetooth.
 */
#include "bluez_client.h"
#include "bluez_mirror.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

int pb_bluez_scan(struct pb_bluez *bluez, const char *adapter)
{
	bluez->scanning = true;
	snprintf(bluez->scan_adapter, sizeof(bluez->scan_adapter), "%s", adapter);
	bluez_need(bluez);
	bluez_kick(bluez);
	return 0;
}

void pb_bluez_seen(struct pb_bluez *bluez, void (*each)(void *userdata, const struct pb_seen *seen),
		   void *userdata)
{
	for (struct bluez_device *d = bluez->devices; d; d = d->next) {
		struct pb_seen seen = {
			.advert = d->advert,
			.has_rssi = bluez_rssi_known(d),
			.rssi_dbm = d->rssi,
			.connected = d->connected,
			.paired = d->paired,
		};

		if (!d->heard && !d->connected)
			continue;
		snprintf(seen.adapter, sizeof(seen.adapter), "%s", d->adapter->name);
		each(userdata, &seen);
	}
}

int pb_bluez_trouble(struct pb_bluez *bluez, const char *adapter, char *why, size_t why_cap)
{
	const struct bluez_adapter *off = NULL;

	if (bluez->state != BLUEZ_READY) {
		snprintf(why, why_cap, "%s", bluez->why[0] ? bluez->why : "waiting for BlueZ");
		return bluez->error ? bluez->error : -EAGAIN;
	}
	for (struct bluez_adapter *a = bluez->adapters; a; a = a->next) {
		if (adapter[0] && strcmp(adapter, a->name) != 0)
			continue;
		if (a->powered)
			return 0;
		off = a;
	}
	if (off && off->why[0]) {
		snprintf(why, why_cap, "adapter %s is off: %s", off->name, off->why);
		return -ENETDOWN;
	}
	if (off) {
		snprintf(why, why_cap, "adapter %s is being switched on", off->name);
		return -EAGAIN;
	}
	if (adapter[0])
		snprintf(why, why_cap, "there is no adapter %s", adapter);
	else
		snprintf(why, why_cap, "there is no Bluetooth adapter");
	return -ENODEV;
}
