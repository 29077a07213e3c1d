/* SPDX-License-Identifier: MIT */
/*
 * What a `ble:` link found at the far end, for `probe`: the device, its services and
 * characteristics, and which of them are used.
 */
#include "ble_describe.h"

#include "ble_link.h"

#include <stdio.h>
#include <string.h>

static void gatt_line(char *out, size_t cap, const struct bluez_gatt *gatt)
{
	static const char *const words[] = {"notify", "write", "write-without-response", "indicate",
					    "read"};
	int at = snprintf(out, cap, "%s %s", gatt->service ? "service" : "  characteristic",
			  gatt->uuid);

	for (size_t i = 0; i < PB_ARRAY_SIZE(words); i++)
		if (gatt->flags >> i & 1 && at > 0 && (size_t)at < cap)
			at += snprintf(out + at, cap - (size_t)at, " %s", words[i]);
	if (gatt->mtu && at > 0 && (size_t)at < cap)
		snprintf(out + at, cap - (size_t)at, ", MTU %u", gatt->mtu);
}

/* The object below @path that comes next to @last in the order of paths, which is that of handles.
 */
static const struct bluez_gatt *next_gatt(const struct pb_bluez *bluez, const char *path,
					  const struct bluez_gatt *last)
{
	const struct bluez_gatt *next = NULL;

	for (const struct bluez_gatt *g = bluez->gatts; g; g = g->next)
		if (strncmp(g->path, path, strlen(path)) == 0 &&
		    (!last || strcmp(g->path, last->path) > 0) &&
		    (!next || strcmp(g->path, next->path) < 0))
			next = g;
	return next;
}

void ble_describe(const struct ble_link *ble, void (*line)(void *userdata, const char *text),
		  void *userdata)
{
	const struct bluez_device *device = bluez_device_find(ble->bluez, ble->path);
	char text[160], mac[BLE_MAC_TEXT], rssi[16] = "";

	if (!device)
		return;
	ble_mac_print(mac, device->advert.mac);
	if (bluez_rssi_known(device))
		snprintf(rssi, sizeof(rssi), ", %d dBm", device->rssi);
	snprintf(text, sizeof(text), "device %s '%s' on %s%s%s", mac, device->advert.name,
		 device->adapter->name, rssi, device->paired ? ", paired" : "");
	line(userdata, text);
	for (const struct bluez_gatt *g = next_gatt(ble->bluez, ble->path, NULL); g;
	     g = next_gatt(ble->bluez, ble->path, g)) {
		gatt_line(text, sizeof(text), g);
		line(userdata, text);
	}
	if (ble->state != BLE_UP)
		return;
	snprintf(text, sizeof(text), "using %.8s and %.8s, %s, by %s", ble->notify->uuid,
		 ble->write->uuid, ble->command ? "write without response" : "write",
		 ble->notify_fd >= 0 ? "descriptors" : "D-Bus signals");
	line(userdata, text);
}
