/* SPDX-License-Identifier: MIT */
/*
 * The objects that BlueZ has: adapters, devices on them, services and characteristics of those.
 *
 *	/org/bluez/hci0                                        adapter
 *	/org/bluez/hci0/dev_A4_C1_38_12_34_56                  device
 *	/org/bluez/hci0/dev_A4_C1_38_12_34_56/service000e/...  bluez_gatt
 *
 * What lies below an object goes with it, and users are told before their device is gone.
 */
#include "bluez_mirror.h"

#include "bluez_client.h"
#include "bluez_user.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
	/* Anyone in radio range can make BlueZ list as many as it likes. A user's own device is
	 * never among those that go. */
	DEVICES_MAX = 512,
	GATTS_MAX = 8192, /* many times what 240 packs have */
};

/* ---- finding and dropping ---- */

struct bluez_adapter *bluez_adapter_find(struct pb_bluez *bluez, const char *path)
{
	for (struct bluez_adapter *a = bluez->adapters; a; a = a->next)
		if (strcmp(a->path, path) == 0)
			return a;
	return NULL;
}

struct bluez_device *bluez_device_find(struct pb_bluez *bluez, const char *path)
{
	for (struct bluez_device *d = bluez->devices; d; d = d->next)
		if (strcmp(d->path, path) == 0)
			return d;
	return NULL;
}

struct bluez_gatt *bluez_gatt_find(struct pb_bluez *bluez, const char *path)
{
	for (struct bluez_gatt *g = bluez->gatts; g; g = g->next)
		if (strcmp(g->path, path) == 0)
			return g;
	return NULL;
}

/* @return true when @path is @parent or lies below it. */
static bool below(const char *path, const char *parent)
{
	size_t len = strlen(parent);

	return strncmp(path, parent, len) == 0 && (path[len] == '\0' || path[len] == '/');
}

void bluez_gatt_drop(struct pb_bluez *bluez, struct bluez_gatt *gatt)
{
	struct bluez_gatt **at = &bluez->gatts;

	for (struct bluez_user *user = bluez->users; user; user = user->next)
		user->handler->forget(user->userdata, gatt);
	while (*at != gatt)
		at = &(*at)->next;
	*at = gatt->next;
	bluez->gatt_count--;
	free(gatt);
}

static void gatts_drop_below(struct pb_bluez *bluez, const char *parent)
{
	struct bluez_gatt *next;

	for (struct bluez_gatt *g = bluez->gatts; g; g = next) {
		next = g->next;
		if (below(g->path, parent))
			bluez_gatt_drop(bluez, g);
	}
}

void bluez_device_drop(struct pb_bluez *bluez, struct bluez_device *device, int error,
		       const char *why)
{
	struct bluez_device **at = &bluez->devices;

	for (struct bluez_user *user = bluez->users; user; user = user->next)
		if (user->device == device)
			user->handler->gone(user->userdata, error, why);
	gatts_drop_below(bluez, device->path);
	while (*at != device)
		at = &(*at)->next;
	*at = device->next;
	bluez->device_count--;
	free(device);
}

void bluez_adapter_drop(struct pb_bluez *bluez, struct bluez_adapter *adapter, int error,
			const char *why)
{
	struct bluez_adapter **at = &bluez->adapters;
	struct bluez_device *next;

	for (struct bluez_device *d = bluez->devices; d; d = next) {
		next = d->next;
		if (d->adapter == adapter)
			bluez_device_drop(bluez, d, error, why);
	}
	adapter->call = sd_bus_slot_unref(adapter->call);
	while (*at != adapter)
		at = &(*at)->next;
	*at = adapter->next;
	free(adapter);
}

void bluez_mirror_clear(struct pb_bluez *bluez)
{
	while (bluez->adapters)
		bluez_adapter_drop(bluez, bluez->adapters, bluez->error, bluez->why);
	while (bluez->devices)
		bluez_device_drop(bluez, bluez->devices, bluez->error, bluez->why);
	while (bluez->gatts)
		bluez_gatt_drop(bluez, bluez->gatts);
}

/* ---- making ---- */

struct bluez_adapter *bluez_adapter_make(struct pb_bluez *bluez, const char *path)
{
	struct bluez_adapter *a = bluez_adapter_find(bluez, path);
	const char *name = strrchr(path, '/');

	if (a || !name || strlen(path) >= BLUEZ_PATH || strlen(name + 1) >= PB_ADAPTER_NAME)
		return a;
	a = calloc(1, sizeof(*a));
	if (!a)
		return NULL;
	snprintf(a->path, sizeof(a->path), "%s", path);
	snprintf(a->name, sizeof(a->name), "%s", name + 1);
	a->bluez = bluez;
	a->next = bluez->adapters;
	bluez->adapters = a;
	bluez->better = true;
	return a;
}

/* The adapter of /org/bluez/hci0/dev_... */
static struct bluez_adapter *adapter_of(struct pb_bluez *bluez, const char *path)
{
	const char *cut = strrchr(path, '/');
	char parent[BLUEZ_PATH];

	if (!cut || (size_t)(cut - path) >= sizeof(parent))
		return NULL;
	snprintf(parent, sizeof(parent), "%.*s", (int)(cut - path), path);
	return bluez_adapter_make(bluez, parent);
}

enum need { NEED_NONE, NEED_PERHAPS, NEED_NOW };

static enum need need_of(const struct pb_bluez *bluez, const struct bluez_device *device)
{
	enum need need = device->connected ? NEED_NOW : NEED_NONE;

	for (const struct bluez_user *user = bluez->users; user && need != NEED_NOW;
	     user = user->next) {
		if (user->device == device)
			need = NEED_NOW;
		else if (user->handler->may_need(user->userdata, device))
			need = NEED_PERHAPS;
	}
	return need;
}

/* Drops the device that is least needed, the oldest of these. */
static void make_room(struct pb_bluez *bluez)
{
	struct bluez_device *least = NULL;
	enum need of_least = NEED_NOW;

	for (struct bluez_device *d = bluez->devices; d; d = d->next) {
		enum need need = need_of(bluez, d);

		if (need == NEED_NOW || need > of_least)
			continue;
		least = d;
		of_least = need;
	}
	if (least)
		bluez_device_drop(bluez, least, -ENOTCONN, "too many devices");
}

struct bluez_device *bluez_device_make(struct pb_bluez *bluez, const char *path)
{
	struct bluez_device *d = bluez_device_find(bluez, path);
	struct bluez_adapter *adapter;

	if (d || strlen(path) >= BLUEZ_PATH)
		return d;
	adapter = adapter_of(bluez, path);
	if (bluez->device_count >= DEVICES_MAX)
		make_room(bluez);
	d = adapter ? calloc(1, sizeof(*d)) : NULL;
	if (!d)
		return NULL;
	snprintf(d->path, sizeof(d->path), "%s", path);
	d->adapter = adapter;
	d->next = bluez->devices;
	bluez->devices = d;
	bluez->device_count++;
	return d;
}

struct bluez_gatt *bluez_gatt_make(struct pb_bluez *bluez, const char *path)
{
	struct bluez_gatt *g = bluez_gatt_find(bluez, path);

	if (g || strlen(path) >= BLUEZ_PATH || bluez->gatt_count >= GATTS_MAX)
		return g;
	g = calloc(1, sizeof(*g));
	if (!g)
		return NULL;
	snprintf(g->path, sizeof(g->path), "%s", path);
	g->next = bluez->gatts;
	bluez->gatts = g;
	bluez->gatt_count++;
	return g;
}

uint16_t bluez_uuid16(const char *uuid)
{
	uint8_t bytes[2];

	if (strlen(uuid) != 36 || strncmp(uuid, "0000", 4) != 0 ||
	    strcasecmp(uuid + 8, "-0000-1000-8000-00805f9b34fb") != 0)
		return 0;
	char digits[5] = {uuid[4], uuid[5], uuid[6], uuid[7]};

	return pb_hex_parse(digits, bytes, sizeof(bytes)) == 2 ? pb_get_be16(bytes) : 0;
}
