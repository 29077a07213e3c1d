/* SPDX-License-Identifier: MIT */
/*
 * The mirror of BlueZ's objects, kept by GetManagedObjects, InterfacesAdded, InterfacesRemoved and
 * PropertiesChanged. Messages come from outside: what can't be read is passed over, an object that
 * is unknown is ignored.
 */
#include "bluez.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
	/* Anyone in radio range can make BlueZ list as many as it likes. A link's own device is
	 * never among those that go. */
	DEVICES_MAX = 512,
	GATTS_MAX = 8192,  /* many times what 240 packs have */
	READ_OBJECTS = 16, /* at a time: what one turn of the loop takes */
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

static struct bluez_gatt *find_gatt(struct pb_bluez *bluez, const char *path)
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

static void drop_gatt(struct pb_bluez *bluez, struct bluez_gatt *gatt)
{
	struct bluez_gatt **at = &bluez->gatts;

	for (struct ble_link *ble = bluez->links; ble; ble = ble->next)
		ble_pipe_forget(ble, gatt);
	while (*at != gatt)
		at = &(*at)->next;
	*at = gatt->next;
	bluez->gatt_count--;
	free(gatt);
}

static void drop_gatts_below(struct pb_bluez *bluez, const char *parent)
{
	struct bluez_gatt *next;

	for (struct bluez_gatt *g = bluez->gatts; g; g = next) {
		next = g->next;
		if (below(g->path, parent))
			drop_gatt(bluez, g);
	}
}

static void drop_device(struct pb_bluez *bluez, struct bluez_device *device, int error,
			const char *why)
{
	struct bluez_device **at = &bluez->devices;

	for (struct ble_link *ble = bluez->links; ble; ble = ble->next)
		if (ble->device == device)
			ble_device_gone(ble, error, why);
	drop_gatts_below(bluez, device->path);
	while (*at != device)
		at = &(*at)->next;
	*at = device->next;
	bluez->device_count--;
	free(device);
}

static void drop_adapter(struct pb_bluez *bluez, struct bluez_adapter *adapter, int error,
			 const char *why)
{
	struct bluez_adapter **at = &bluez->adapters;
	struct bluez_device *next;

	for (struct bluez_device *d = bluez->devices; d; d = next) {
		next = d->next;
		if (d->adapter == adapter)
			drop_device(bluez, d, error, why);
	}
	bluez_adapter_drop(adapter);
	while (*at != adapter)
		at = &(*at)->next;
	*at = adapter->next;
	free(adapter);
}

void bluez_objects_clear(struct pb_bluez *bluez)
{
	while (bluez->adapters)
		drop_adapter(bluez, bluez->adapters, bluez->error, bluez->why);
	while (bluez->devices)
		drop_device(bluez, bluez->devices, bluez->error, bluez->why);
	while (bluez->gatts)
		drop_gatt(bluez, bluez->gatts);
}

/* ---- making ---- */

static struct bluez_adapter *make_adapter(struct pb_bluez *bluez, const char *path)
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
	return make_adapter(bluez, parent);
}

enum need { NEED_NONE, NEED_PERHAPS, NEED_NOW };

static enum need need_of(const struct pb_bluez *bluez, const struct bluez_device *device)
{
	enum need need = device->connected ? NEED_NOW : NEED_NONE;

	for (const struct ble_link *ble = bluez->links; ble && need != NEED_NOW; ble = ble->next) {
		if (ble->device == device)
			need = NEED_NOW;
		else if (ble_may_need(ble, device))
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
		drop_device(bluez, least, -ENOTCONN, "too many devices");
}

static struct bluez_device *make_device(struct pb_bluez *bluez, const char *path)
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

static struct bluez_gatt *make_gatt(struct pb_bluez *bluez, const char *path)
{
	struct bluez_gatt *g = find_gatt(bluez, path);

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

uint16_t bluez_uuid16(const char *uuid)
{
	uint8_t bytes[2];

	if (strlen(uuid) != 36 || strncmp(uuid, "0000", 4) != 0 ||
	    strcasecmp(uuid + 8, "-0000-1000-8000-00805f9b34fb") != 0)
		return 0;
	char digits[5] = {uuid[4], uuid[5], uuid[6], uuid[7]};

	return pb_hex_parse(digits, bytes, sizeof(bytes)) == 2 ? pb_get_be16(bytes) : 0;
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

static void read_rssi(sd_bus_message *m, struct bluez_device *device)
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
		read_rssi(m, device);
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
		return make ? make_adapter(bluez, path) : bluez_adapter_find(bluez, path);
	}
	if (strcmp(interface, BLUEZ_DEVICE) == 0) {
		*ret_property = device_property;
		return make ? make_device(bluez, path) : bluez_device_find(bluez, path);
	}
	*ret_property = gatt_property;
	if (strcmp(interface, BLUEZ_SERVICE) == 0 || strcmp(interface, BLUEZ_CHAR) == 0)
		return make ? make_gatt(bluez, path) : find_gatt(bluez, path);
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
	drop_adapter(bluez, adapter, -ENODEV, why);
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
			drop_device(bluez, d, -ENOTCONN, "BlueZ forgot the device");
	}
	for (struct bluez_gatt *g = bluez->gatts; g; g = next_gatt) {
		next_gatt = g->next;
		if (!g->listed)
			drop_gatt(bluez, g);
	}
}

/* What no signal told, too. */
static void all_changed(struct pb_bluez *bluez)
{
	for (struct bluez_adapter *a = bluez->adapters; a; a = a->next)
		if (a->scan == SCAN_ON && !a->discovering && !a->call)
			a->scan = SCAN_OFF;
	for (struct ble_link *ble = bluez->links; ble; ble = ble->next) {
		if (!ble->device)
			continue;
		/* BlueZ 5.66 was seen not to tell of a connection that it has made. The end of one
		 * shows without this: by the descriptor, by silence, by a timer. */
		if (ble->state >= BLE_RESOLVING && ble->state <= BLE_UP)
			ble->device->connected = true;
		ble_device_changed(ble);
	}
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
	struct bluez_gatt *gatt = find_gatt(bluez, path);

	if (adapter && strcmp(interface, BLUEZ_ADAPTER) == 0) {
		unplugged(bluez, adapter);
	} else if (device && strcmp(interface, BLUEZ_DEVICE) == 0) {
		drop_device(bluez, device, -ENOTCONN, "BlueZ forgot the device");
	} else if (gatt && strcmp(interface, gatt->service ? BLUEZ_SERVICE : BLUEZ_CHAR) == 0) {
		drop_gatt(bluez, gatt);
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
			for (struct ble_link *ble = bluez->links; ble; ble = ble->next)
				if (ble->notify && strcmp(ble->notify->path, path) == 0)
					ble_signalled(ble, bytes, len);
			return;
		}
		sd_bus_message_skip(m, "v");
		sd_bus_message_exit_container(m);
	}
}

static void device_changed(struct pb_bluez *bluez, struct bluez_device *device)
{
	for (struct ble_link *ble = bluez->links; ble; ble = ble->next)
		if (ble->device == device)
			ble_device_changed(ble);
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
