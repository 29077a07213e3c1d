/* SPDX-License-Identifier: MIT */
/*
 * Which device is the pack that a `ble:` link is for, and by which adapter.
 *
 *	merit   0      not it, another user's, or not heard: not now
 *	        1..    known, and it may answer
 *	        300    connected already
 *	        500+   heard in this scan, by its signal strength
 *	        +1000  its adapter has a slot that nobody claims
 */
#include "ble_find.h"

#include "ble_link.h"
#include "bluez_adapter.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

static bool adapter_has_room(const struct ble_link *ble, const struct bluez_adapter *adapter)
{
	return turns_claims(&ble->bluez->turns, adapter) < bluez_adapter_limit(ble->bluez, adapter);
}

/* How good a device is for the link; 0: not to be used now. */
static int merit(const struct ble_link *ble, const struct bluez_device *device)
{
	int merit = 1;

	if (!bluez_adapter_usable(device->adapter, ble->address.adapter) ||
	    !ble_address_match(&ble->address, &device->advert, device->adapter->name))
		return 0;
	if (!ble->address.has_mac && bluez_device_taken(ble->bluez, &ble->user, device))
		return 0;
	if (device->has_rssi)
		merit += 500 + device->rssi;
	else if (device->connected)
		merit += 300;
	else if (ble->must_see || !ble->address.has_mac)
		return 0;
	return merit + (adapter_has_room(ble, device->adapter) ? 1000 : 0);
}

struct bluez_device *ble_find(const struct ble_link *ble)
{
	struct bluez_device *best = NULL;
	int most = 0;

	for (struct bluez_device *d = ble->bluez->devices; d; d = d->next) {
		int m = merit(ble, d);

		if (m > most) {
			most = m;
			best = d;
		}
	}
	return best;
}

int ble_not_found(const struct ble_link *ble, char *why, size_t why_cap)
{
	int code = pb_bluez_trouble(ble->bluez, ble->address.adapter, why, why_cap);

	if (code < 0)
		return code == -EAGAIN ? -ETIMEDOUT : code;
	snprintf(
		why, why_cap,
		"not heard in %d s of scanning: out of range, off, or connected to another central",
		BLE_FIND_MS / 1000);
	return -EHOSTUNREACH;
}
