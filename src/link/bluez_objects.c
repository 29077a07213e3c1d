/* SPDX-License-Identifier: MIT */
/*
 * Reads BlueZ's messages about its objects into the mirror: GetManagedObjects, InterfacesAdded,
 * InterfacesRemoved and PropertiesChanged. The messages are untrusted: unreadable parts and unknown
 * objects are ignored.
 */
#include "bluez_objects.h"

#include "ble_address.h"
#include "bluez_call.h"
#include "bluez_client.h"
#include "bluez_mirror.h"
#include "bluez_user.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { READ_OBJECTS = 16 /* at a time: what one turn of the loop takes */ };

/* ---- reading properties ---- */

static bool read_bool(sd_bus_message *m)
{
	int value = 0;

	return sd_bus_message_read(m, "v", "b", &value) >= 0 && value;
}

static void read_text(sd_bus_message *m, char *out, size_t cap)
{
	const char *text;

	if (sd_bus_message_read(m, "v", "s", &text) >= 0)
		pb_text_clean(out, cap, text, strlen(text));
}

static void read_uuids(sd_bus_message *m, struct pb_advert *advert)
{
	const char *uuid;

	if (sd_bus_message_enter_container(m, 'v', "as") < 0)
		return;
	sd_bus_message_enter_container(m, 'a', "s");
	advert->uuid_count = 0;
	while (sd_bus_message_read(m, "s", &uuid) > 0) {
		uint16_t number = bluez_uuid16(uuid);

		if (number && advert->uuid_count < PB_ADVERT_UUIDS)
			advert->uuids[advert->uuid_count++] = number;
	}
	sd_bus_message_exit_container(m);
	sd_bus_message_exit_container(m);
}

/* One entry of a{qv}: the company id, and an array of bytes. */
static void read_maker_entry(sd_bus_message *m, struct pb_advert *advert)
{
	const void *bytes;
	uint16_t id;
	size_t len;

	if (sd_bus_message_read(m, "q", &id) < 0 ||
	    sd_bus_message_enter_container(m, 'v', "ay") < 0)
		return;
	if (sd_bus_message_read_array(m, 'y', &bytes, &len) >= 0 && advert->maker_len == 0) {
		if (len > PB_ADVERT_MAKER - 2)
			len = PB_ADVERT_MAKER - 2;
		advert->maker[0] = (uint8_t)id;
		advert->maker[1] = (uint8_t)(id >> 8);
		memcpy(advert->maker + 2, bytes, len);
		advert->maker_len = len + 2;
	}
	sd_bus_message_exit_container(m);
}

static void read_maker(sd_bus_message *m, struct pb_advert *advert)
{
	if (sd_bus_message_enter_container(m, 'v', "a{qv}") < 0)
		return;
	sd_bus_message_enter_container(m, 'a', "{qv}");
	advert->maker_len = 0;
	while (sd_bus_message_enter_container(m, 'e', "qv") > 0) {
		read_maker_entry(m, advert);
		sd_bus_message_exit_container(m);
	}
	sd_bus_message_exit_container(m);
	sd_bus_message_exit_container(m);
}

static void object_read_rssi(sd_bus_message *m, struct bluez_device *device)
{
	int16_t rssi;

	if (sd_bus_message_read(m, "v", "n", &rssi) < 0)
		return;
	device->rssi = rssi;
	device->has_rssi = true;
	device->heard = true;
}

static unsigned int flag_of(const char *word)
{
	static const struct {
		const char *word;
		unsigned int flag;
	} flags[] = {
		{"notify", GATT_NOTIFY}, {"indicate", GATT_INDICATE},
		{"write", GATT_WRITE},	 {"write-without-response", GATT_COMMAND},
		{"read", GATT_READ},
	};

	for (size_t i = 0; i < PB_ARRAY_SIZE(flags); i++)
		if (strcmp(flags[i].word, word) == 0)
			return flags[i].flag;
	return 0;
}

static void read_flags(sd_bus_message *m, struct bluez_gatt *gatt)
{
	const char *word;

	if (sd_bus_message_enter_container(m, 'v', "as") < 0)
		return;
	sd_bus_message_enter_container(m, 'a', "s");
	gatt->flags = 0;
	while (sd_bus_message_read(m, "s", &word) > 0)
		gatt->flags |= flag_of(word);
	sd_bus_message_exit_container(m);
	sd_bus_message_exit_container(m);
}

static void adapter_property(void *object, const char *name, sd_bus_message *m)
{
	struct bluez_adapter *adapter = object;

	if (strcmp(name, "Powered") == 0)
		adapter->powered = read_bool(m);
	else if (strcmp(name, "Discovering") == 0)
		adapter->discovering = read_bool(m);
	else
		sd_bus_message_skip(m, "v");
}

static void device_property(void *object, const char *name, sd_bus_message *m)
{
	struct bluez_device *device = object;
	char text[BLE_MAC_TEXT] = "";

	if (strcmp(name, "Connected") == 0) {
		device->connected = read_bool(m);
	} else if (strcmp(name, "ServicesResolved") == 0) {
		device->resolved = read_bool(m);
	} else if (strcmp(name, "Paired") == 0) {
		device->paired = read_bool(m);
	} else if (strcmp(name, "RSSI") == 0) {
		object_read_rssi(m, device);
	} else if (strcmp(name, "Name") == 0) {
		read_text(m, device->advert.name, sizeof(device->advert.name));
	} else if (strcmp(name, "Address") == 0) {
		read_text(m, text, sizeof(text));
		ble_mac_parse(text, device->advert.mac);
	} else if (strcmp(name, "UUIDs") == 0) {
		read_uuids(m, &device->advert);
	} else if (strcmp(name, "ManufacturerData") == 0) {
		read_maker(m, &device->advert);
	} else {
		sd_bus_message_skip(m, "v");
	}
}

static void gatt_property(void *object, const char *name, sd_bus_message *m)
{
	struct bluez_gatt *gatt = object;

	if (strcmp(name, "UUID") == 0)
		read_text(m, gatt->uuid, sizeof(gatt->uuid));
	else if (strcmp(name, "Flags") == 0)
		read_flags(m, gatt);
	else if (strcmp(name, "MTU") == 0)
		sd_bus_message_read(m, "v", "q", &gatt->mtu);
	else
		sd_bus_message_skip(m, "v");
}

typedef void (*property_func)(void *object, const char *name, sd_bus_message *m);

/* a{sv} */
static void read_properties(sd_bus_message *m, void *object, property_func property)
{
	const char *name;

	if (sd_bus_message_enter_container(m, 'a', "{sv}") < 0)
		return;
	while (sd_bus_message_enter_container(m, 'e', "sv") > 0) {
		if (sd_bus_message_read(m, "s", &name) > 0)
			property(object, name, m);
		sd_bus_message_exit_container(m);
	}
	sd_bus_message_exit_container(m);
}

/* The object of an interface that we follow; made when @make says so. NULL: not ours. */
static void *object_of(struct pb_bluez *bluez, const char *path, const char *interface, bool make,
		       property_func *ret_property)
{
	if (strcmp(interface, BLUEZ_ADAPTER) == 0) {
		*ret_property = adapter_property;
		return make ? bluez_adapter_make(bluez, path) : bluez_adapter_find(bluez, path);
	}
	if (strcmp(interface, BLUEZ_DEVICE) == 0) {
		*ret_property = device_property;
		return make ? bluez_device_make(bluez, path) : bluez_device_find(bluez, path);
	}
	*ret_property = gatt_property;
	if (strcmp(interface, BLUEZ_SERVICE) == 0 || strcmp(interface, BLUEZ_CHAR) == 0)
		return make ? bluez_gatt_make(bluez, path) : bluez_gatt_find(bluez, path);
	return NULL;
}

/* Properties without a value are not listed, and that one comes and goes. */
static void forget_optional(void *object, property_func property)
{
	if (property == device_property)
		((struct bluez_device *)object)->has_rssi = false;
}

static void mark_listed(void *object, property_func property)
{
	if (property == adapter_property)
		((struct bluez_adapter *)object)->listed = true;
	else if (property == device_property)
		((struct bluez_device *)object)->listed = true;
	else
		((struct bluez_gatt *)object)->listed = true;
}

/* sa{sv}: one interface, whole */
static void read_interface(struct pb_bluez *bluez, sd_bus_message *m, const char *path)
{
	const char *interface;
	property_func property;
	void *object;

	if (sd_bus_message_read(m, "s", &interface) <= 0)
		return;
	object = object_of(bluez, path, interface, true, &property);
	if (!object) {
		sd_bus_message_skip(m, "a{sv}");
		return;
	}
	forget_optional(object, property);
	mark_listed(object, property);
	read_properties(m, object, property);
	if (strcmp(interface, BLUEZ_SERVICE) == 0)
		((struct bluez_gatt *)object)->service = true;
}

/* a{sa{sv}}: all interfaces of one object */
static void read_object(struct pb_bluez *bluez, sd_bus_message *m, const char *path)
{
	if (sd_bus_message_enter_container(m, 'a', "{sa{sv}}") < 0)
		return;
	while (sd_bus_message_enter_container(m, 'e', "sa{sv}") > 0) {
		read_interface(bluez, m, path);
		sd_bus_message_exit_container(m);
	}
	sd_bus_message_exit_container(m);
}

/* ---- all objects ---- */

void bluez_objects_begin(struct pb_bluez *bluez, sd_bus_message *reply)
{
	for (struct bluez_adapter *a = bluez->adapters; a; a = a->next)
		a->listed = false;
	for (struct bluez_device *d = bluez->devices; d; d = d->next)
		d->listed = false;
	for (struct bluez_gatt *g = bluez->gatts; g; g = g->next)
		g->listed = false;
	sd_bus_message_enter_container(reply, 'a', "{oa{sa{sv}}}");
}

static void unplugged(struct pb_bluez *bluez, struct bluez_adapter *adapter)
{
	char why[BLUEZ_WHY];

	snprintf(why, sizeof(why), "adapter %s was unplugged", adapter->name);
	pb_log(PB_LOG_WARNING, "bluetooth: %s", why);
	bluez_adapter_drop(bluez, adapter, -ENODEV, why);
}

static void drop_unlisted(struct pb_bluez *bluez)
{
	struct bluez_adapter *next_adapter;
	struct bluez_device *next_device;
	struct bluez_gatt *next_gatt;

	/* each of these drops only what the later ones would */
	for (struct bluez_adapter *a = bluez->adapters; a; a = next_adapter) {
		next_adapter = a->next;
		if (!a->listed)
			unplugged(bluez, a);
	}
	for (struct bluez_device *d = bluez->devices; d; d = next_device) {
		next_device = d->next;
		if (!d->listed)
			bluez_device_drop(bluez, d, -ENOTCONN, "BlueZ forgot the device");
	}
	for (struct bluez_gatt *g = bluez->gatts; g; g = next_gatt) {
		next_gatt = g->next;
		if (!g->listed)
			bluez_gatt_drop(bluez, g);
	}
}

/* Also what no signal reported. */
static void all_changed(struct pb_bluez *bluez)
{
	for (struct bluez_adapter *a = bluez->adapters; a; a = a->next)
		if (a->scan == SCAN_ON && !a->discovering && !a->call)
			a->scan = SCAN_OFF;
	for (struct bluez_user *user = bluez->users; user; user = user->next)
		if (user->device)
			user->handler->changed(user->userdata, true);
}

bool bluez_objects_read(struct pb_bluez *bluez, sd_bus_message *reply)
{
	const char *path;

	for (int i = 0; i < READ_OBJECTS; i++) {
		if (sd_bus_message_enter_container(reply, 'e', "oa{sa{sv}}") <= 0) {
			drop_unlisted(bluez);
			all_changed(bluez);
			return false;
		}
		if (sd_bus_message_read(reply, "o", &path) > 0)
			read_object(bluez, reply, path);
		sd_bus_message_exit_container(reply);
	}
	return true;
}

/* ---- signals, which bluez_admit() let in ---- */

int bluez_objects_on_added(sd_bus_message *m, void *userdata, sd_bus_error *error)
{
	struct pb_bluez *bluez = userdata;
	const char *path;

	(void)error;
	if (sd_bus_message_read(m, "o", &path) <= 0)
		return 0;
	read_object(bluez, m, path);
	bluez_kick(bluez);
	return 0;
}

static void remove_interface(struct pb_bluez *bluez, const char *path, const char *interface)
{
	struct bluez_adapter *adapter = bluez_adapter_find(bluez, path);
	struct bluez_device *device = bluez_device_find(bluez, path);
	struct bluez_gatt *gatt = bluez_gatt_find(bluez, path);

	if (adapter && strcmp(interface, BLUEZ_ADAPTER) == 0) {
		unplugged(bluez, adapter);
	} else if (device && strcmp(interface, BLUEZ_DEVICE) == 0) {
		bluez_device_drop(bluez, device, -ENOTCONN, "BlueZ forgot the device");
	} else if (gatt && strcmp(interface, gatt->service ? BLUEZ_SERVICE : BLUEZ_CHAR) == 0) {
		bluez_gatt_drop(bluez, gatt);
	}
}

int bluez_objects_on_removed(sd_bus_message *m, void *userdata, sd_bus_error *error)
{
	struct pb_bluez *bluez = userdata;
	const char *path, *interface;

	(void)error;
	if (sd_bus_message_read(m, "o", &path) <= 0 ||
	    sd_bus_message_enter_container(m, 'a', "s") < 0)
		return 0;
	while (sd_bus_message_read(m, "s", &interface) > 0)
		remove_interface(bluez, path, interface);
	bluez_kick(bluez);
	return 0;
}

/* The names of properties that have no value any more. */
static void read_invalidated(sd_bus_message *m, struct bluez_device *device)
{
	const char *name;

	if (sd_bus_message_enter_container(m, 'a', "s") < 0)
		return;
	while (sd_bus_message_read(m, "s", &name) > 0)
		if (strcmp(name, "RSSI") == 0)
			device->has_rssi = false;
}

/* Bytes of a characteristic that signals its notifications. */
static void read_value(struct pb_bluez *bluez, sd_bus_message *m, const char *path)
{
	const char *name;
	const void *bytes;
	size_t len;

	if (sd_bus_message_enter_container(m, 'a', "{sv}") < 0)
		return;
	while (sd_bus_message_enter_container(m, 'e', "sv") > 0) {
		if (sd_bus_message_read(m, "s", &name) > 0 && strcmp(name, "Value") == 0 &&
		    sd_bus_message_enter_container(m, 'v', "ay") >= 0 &&
		    sd_bus_message_read_array(m, 'y', &bytes, &len) > 0) {
			for (struct bluez_user *user = bluez->users; user; user = user->next)
				user->handler->value(user->userdata, path, bytes, len);
			return;
		}
		sd_bus_message_skip(m, "v");
		sd_bus_message_exit_container(m);
	}
}

static void device_changed(struct pb_bluez *bluez, struct bluez_device *device)
{
	for (struct bluez_user *user = bluez->users; user; user = user->next)
		if (user->device == device)
			user->handler->changed(user->userdata, false);
}

int bluez_objects_on_changed(sd_bus_message *m, void *userdata, sd_bus_error *error)
{
	struct pb_bluez *bluez = userdata;
	const char *path = sd_bus_message_get_path(m), *interface;
	property_func property;
	void *object;

	(void)error;
	if (sd_bus_message_read(m, "s", &interface) <= 0)
		return 0;
	if (strcmp(interface, BLUEZ_CHAR) == 0) {
		read_value(bluez, m, path);
		return 0;
	}
	object = object_of(bluez, path, interface, false, &property);
	if (!object)
		return 0;
	read_properties(m, object, property);
	if (property == device_property) {
		read_invalidated(m, object);
		device_changed(bluez, object);
	}
	bluez_kick(bluez);
	return 0;
}
