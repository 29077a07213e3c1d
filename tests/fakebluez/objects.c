/* SPDX-License-Identifier: MIT */
#include "fake.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define MANAGER "org.freedesktop.DBus.ObjectManager"
#define PROPS	"org.freedesktop.DBus.Properties"
#define ADAPTER "org.bluez.Adapter1"
#define DEVICE	"org.bluez.Device1"
#define SERVICE "org.bluez.GattService1"
#define CHAR	"org.bluez.GattCharacteristic1"

/* ---- replies ---- */

static void count_call(sd_bus_message *m)
{
	(void)m;
	fake.calls++;
}

void reply_error(sd_bus_message **m, const char *name, const char *text)
{
	if (*m)
		sd_bus_reply_method_errorf(*m, name, "%s", text);
	*m = sd_bus_message_unref(*m);
}

void reply_done(sd_bus_message **m)
{
	if (*m)
		sd_bus_reply_method_return(*m, "");
	*m = sd_bus_message_unref(*m);
}

/* ---- properties ---- */

static void put(sd_bus_message *m, const char *name, const char *types, ...)
{
	va_list args;

	va_start(args, types);
	sd_bus_message_open_container(m, 'e', "sv");
	sd_bus_message_append(m, "s", name);
	sd_bus_message_open_container(m, 'v', types);
	sd_bus_message_appendv(m, types, args);
	sd_bus_message_close_container(m);
	sd_bus_message_close_container(m);
	va_end(args);
}

/* Is it @only that is wanted? */
static bool want(const char *only, const char *name)
{
	return !only || strcmp(only, name) == 0;
}

static void put_adapter(sd_bus_message *m, const struct adapter *adapter, const char *only)
{
	if (want(only, "Address"))
		put(m, "Address", "s", adapter->address);
	if (want(only, "Name"))
		put(m, "Name", "s", "fake");
	if (want(only, "Powered"))
		put(m, "Powered", "b", (int)adapter->powered);
	if (want(only, "Discovering"))
		put(m, "Discovering", "b", (int)adapter->scanning);
}

static void put_uuid(char *out, size_t cap, const struct gatt_part *part)
{
	snprintf(out, cap,
		 part->nordic ? "6e40%04x-b5a3-f393-e0a9-e50e24dcca9e"
			      : "0000%04x-0000-1000-8000-00805f9b34fb",
		 part->uuid);
}

/* What makers' modules say of themselves. @return its length, with the maker's id. */
static size_t maker_data(const struct pack *pack, uint16_t *ret_id, uint8_t *ret)
{
	uint8_t mac[6];

	pb_hex_parse(pack->mac, mac, sizeof(mac));
	switch (pack->maker) {
	case 'j': /* JK: a mark and the address */
		*ret_id = 0x0B65;
		ret[0] = 0x88;
		ret[1] = 0xA0;
		memcpy(ret + 2, mac, sizeof(mac));
		return 2 + sizeof(mac);
	case 'd': /* Daly */
		*ret_id = 0x0102;
		memcpy(ret, mac, sizeof(mac));
		return sizeof(mac);
	default: /* JBD: the address, the other way round, from where the id belongs */
		*ret_id = (uint16_t)(mac[4] << 8 | mac[5]);
		for (size_t i = 0; i < 4; i++)
			ret[i] = mac[3 - i];
		return 4;
	}
}

static void put_maker(sd_bus_message *m, const struct pack *pack)
{
	uint8_t data[8];
	uint16_t id;
	size_t len = maker_data(pack, &id, data);

	sd_bus_message_open_container(m, 'e', "sv");
	sd_bus_message_append(m, "s", "ManufacturerData");
	sd_bus_message_open_container(m, 'v', "a{qv}");
	sd_bus_message_open_container(m, 'a', "{qv}");
	sd_bus_message_open_container(m, 'e', "qv");
	sd_bus_message_append(m, "q", id);
	sd_bus_message_open_container(m, 'v', "ay");
	sd_bus_message_append_array(m, 'y', data, len);
	for (int i = 0; i < 5; i++)
		sd_bus_message_close_container(m);
}

static void put_device(sd_bus_message *m, const struct device *device, const char *only)
{
	const struct pack *pack = device->pack;
	char uuid[40];

	if (want(only, "Address"))
		put(m, "Address", "s", pack->mac);
	if (want(only, "AddressType"))
		put(m, "AddressType", "s", "public");
	if (want(only, "Name") && !pack->no_name)
		put(m, "Name", "s", pack->name);
	if (want(only, "Alias"))
		put(m, "Alias", "s", pack->name);
	if (want(only, "RSSI") && device->heard)
		put(m, "RSSI", "n", (int16_t)pack->rssi);
	put_uuid(uuid, sizeof(uuid), pack->shape);
	if (want(only, "UUIDs"))
		put(m, "UUIDs", "as", 1, uuid);
	if (want(only, "ManufacturerData") && pack->maker)
		put_maker(m, pack);
	if (want(only, "Adapter"))
		put(m, "Adapter", "o", device->adapter->path);
	if (want(only, "Connected"))
		put(m, "Connected", "b", (int)device->connected);
	if (want(only, "Paired"))
		put(m, "Paired", "b", (int)device->paired);
	if (want(only, "ServicesResolved"))
		put(m, "ServicesResolved", "b", (int)device->resolved);
}

/* ---- radio modules ---- */

#define SERVICE_PART(name, at)                                                                     \
	{                                                                                          \
		.uuid = (name), .handle = (at), .service = true                                    \
	}
#define CHAR_PART(name, at, ...)                                                                   \
	{                                                                                          \
		.uuid = (name), .handle = (at), __VA_ARGS__                                        \
	}

static const struct {
	const char *name;
	struct gatt_part parts[8];
} shapes[] = {
	/* a headset's battery: no pack */
	{"180f", {SERVICE_PART(0x180F, 0), CHAR_PART(0x2A19, 1, .notify = true)}},
	{"ff00",
	 {SERVICE_PART(0xFF00, 0), CHAR_PART(0xFF01, 1, .notify = true),
	  CHAR_PART(0xFF02, 4, .write = true)}},
	{"fff0",
	 {SERVICE_PART(0xFFF0, 0), CHAR_PART(0xFFF1, 1, .notify = true),
	  CHAR_PART(0xFFF2, 4, .write = true)}},
	{"ff06",
	 {SERVICE_PART(0xFF06, 0), CHAR_PART(0xFF07, 1, .notify = true),
	  CHAR_PART(0xFF08, 4, .write = true)}},
	/* newer modules of Daly */
	{"fff0-refusing",
	 {SERVICE_PART(0xFFF0, 0),
	  CHAR_PART(0xFFF1, 1, .notify = true, .refuses = "Notify acquired"),
	  CHAR_PART(0xFFF2, 4, .write = true), SERVICE_PART(0xFF00, 8),
	  CHAR_PART(0xFF01, 9, .notify = true), CHAR_PART(0xFF02, 12, .write = true)}},
	{"fff0-silent",
	 {SERVICE_PART(0xFFF0, 0),
	  CHAR_PART(0xFFF1, 1, .notify = true, .silent = true, .refuses = "Write not permitted"),
	  CHAR_PART(0xFFF2, 4, .write = true), SERVICE_PART(0xFF00, 8),
	  CHAR_PART(0xFF01, 9, .notify = true), CHAR_PART(0xFF02, 12, .write = true)}},
	{"all-refusing",
	 {SERVICE_PART(0xFFF0, 0),
	  CHAR_PART(0xFFF1, 1, .notify = true, .refuses = "Notify acquired"),
	  CHAR_PART(0xFFF2, 4, .write = true), SERVICE_PART(0xFF00, 8),
	  CHAR_PART(0xFF01, 9, .notify = true, .refuses = "Write not permitted"),
	  CHAR_PART(0xFF02, 12, .write = true)}},
	/* a module of a maker that has its own service, behind a common one */
	{"nordic",
	 {SERVICE_PART(0x180F, 0),
	  CHAR_PART(0x2A19, 1, .notify = true),
	  {.uuid = 1, .handle = 4, .service = true, .nordic = true},
	  CHAR_PART(2, 5, .write = true, .nordic = true),
	  CHAR_PART(3, 7, .notify = true, .nordic = true)}},
	/* JK's, of one characteristic and of two */
	{"ffe0", {SERVICE_PART(0xFFE0, 0), CHAR_PART(0xFFE1, 1, .notify = true, .write = true)}},
	{"ffe0-unpaired",
	 {SERVICE_PART(0xFFE0, 0),
	  CHAR_PART(0xFFE1, 1, .notify = true, .write = true, .refuses = "Not paired")}},
	{"ffe0-two",
	 {SERVICE_PART(0xFFE0, 0), CHAR_PART(0xFFE1, 1, .write = true),
	  CHAR_PART(0xFFE1, 4, .notify = true)}},
};

const struct gatt_part *gatt_shape(const char *name)
{
	for (size_t i = 0; i < PB_ARRAY_SIZE(shapes); i++)
		if (strcmp(shapes[i].name, name) == 0)
			return shapes[i].parts;
	return NULL;
}

const struct gatt_part *gatt_service(const struct gatt_part *part)
{
	while (!part->service)
		part--;
	return part;
}

static void gatt_path(char *out, const struct device *device, const struct gatt_part *part)
{
	int at = snprintf(out, PATH_SIZE, "%s/service%04x", device->path,
			  device->service + gatt_service(part)->handle);

	if (!part->service)
		snprintf(out + at, PATH_SIZE - (size_t)at, "/char%04x",
			 device->service + part->handle);
}

static void put_flags(sd_bus_message *m, const struct pack *pack, const struct gatt_part *part)
{
	const char *flags[5] = {NULL};
	size_t count = 0;

	if (part->notify) {
		flags[count++] = "read";
		flags[count++] = "notify";
	}
	if (part->write && pack->command)
		flags[count++] = "write-without-response";
	if (part->write && (pack->request || !pack->command))
		flags[count++] = "write";
	sd_bus_message_open_container(m, 'e', "sv");
	sd_bus_message_append(m, "s", "Flags");
	sd_bus_message_open_container(m, 'v', "as");
	sd_bus_message_append_strv(m, (char **)(uintptr_t)flags);
	sd_bus_message_close_container(m);
	sd_bus_message_close_container(m);
}

static void put_gatt(sd_bus_message *m, const struct device *device, const struct gatt_part *part)
{
	const struct pack *pack = device->pack;
	char uuid[40], service[PATH_SIZE];

	put_uuid(uuid, sizeof(uuid), part);
	put(m, "UUID", "s", uuid);
	if (part->service) {
		put(m, "Device", "o", device->path);
		put(m, "Primary", "b", 1);
		return;
	}
	gatt_path(service, device, gatt_service(part));
	put(m, "Service", "o", service);
	put(m, "MTU", "q", (uint16_t)pack->mtu);
	put_flags(m, pack, part);
}

/* ---- objects ---- */

static struct adapter *adapter_at(const char *path)
{
	for (size_t i = 0; i < ADAPTERS_MAX; i++)
		if (fake.adapters[i].exists && fake.adapters[i].present &&
		    strcmp(fake.adapters[i].path, path) == 0)
			return &fake.adapters[i];
	return NULL;
}

/* The device that @path is, or lies below. */
static struct device *device_at(const char *path)
{
	for (size_t i = 0; i < PACKS_MAX; i++) {
		for (size_t j = 0; fake.packs[i].exists && j < ADAPTERS_MAX; j++) {
			struct device *device = &fake.packs[i].devices[j];
			size_t len = strlen(device->path);

			if (len && device->known && strncmp(path, device->path, len) == 0 &&
			    (path[len] == '\0' || path[len] == '/'))
				return device;
		}
	}
	return NULL;
}

/* a{sa{sv}} of an object: an @adapter, a @device, or a @part of one */
static void put_object(sd_bus_message *m, const struct adapter *adapter,
		       const struct device *device, const struct gatt_part *part)
{
	const char *interface = adapter ? ADAPTER : !part ? DEVICE : part->service ? SERVICE : CHAR;

	sd_bus_message_open_container(m, 'a', "{sa{sv}}");
	sd_bus_message_open_container(m, 'e', "sa{sv}");
	sd_bus_message_append(m, "s", interface);
	sd_bus_message_open_container(m, 'a', "{sv}");
	if (adapter)
		put_adapter(m, adapter, NULL);
	else if (!part)
		put_device(m, device, NULL);
	else
		put_gatt(m, device, part);
	sd_bus_message_close_container(m);
	sd_bus_message_close_container(m);
	sd_bus_message_close_container(m);
}

static void put_entry(sd_bus_message *m, const char *path, const struct adapter *adapter,
		      const struct device *device, const struct gatt_part *part)
{
	sd_bus_message_open_container(m, 'e', "oa{sa{sv}}");
	sd_bus_message_append(m, "o", path);
	put_object(m, adapter, device, part);
	sd_bus_message_close_container(m);
}

static void put_device_entries(sd_bus_message *m, const struct device *device)
{
	char path[PATH_SIZE];

	const struct gatt_part *part = device->pack->shape;

	put_entry(m, device->path, NULL, device, NULL);
	for (; device->gatt && part->uuid; part++) {
		gatt_path(path, device, part);
		put_entry(m, path, NULL, device, part);
	}
}

static void put_stranger(sd_bus_message *m, unsigned int number)
{
	char path[PATH_SIZE], address[18];

	snprintf(address, sizeof(address), "C0:00:%02X:%02X:%02X:%02X", number >> 24 & 0xFF,
		 number >> 16 & 0xFF, number >> 8 & 0xFF, number & 0xFF);
	snprintf(path, sizeof(path), "/org/bluez/hci0/dev_%s", address);
	for (char *c = path; *c; c++)
		*c = *c == ':' ? '_' : *c;
	sd_bus_message_open_container(m, 'e', "oa{sa{sv}}");
	sd_bus_message_append(
		m, "oa{sa{sv}}", path, 1, DEVICE, 10, "Address", "s", address, "AddressType", "s",
		"public", "Name", "s", "somebody's", "Alias", "s", "somebody's", "Paired", "b", 0,
		"Connected", "b", 0, "ServicesResolved", "b", 0, "RSSI", "n", -90, "UUIDs", "as", 1,
		"0000180f-0000-1000-8000-00805f9b34fb", "Adapter", "o", "/org/bluez/hci0");
	sd_bus_message_close_container(m);
}

static int get_managed_objects(sd_bus_message *call)
{
	sd_bus_message *m = NULL;
	int r = sd_bus_message_new_method_return(call, &m);

	if (r < 0)
		return r;
	sd_bus_message_open_container(m, 'a', "{oa{sa{sv}}}");
	for (size_t i = 0; i < ADAPTERS_MAX; i++)
		if (fake.adapters[i].exists && fake.adapters[i].present)
			put_entry(m, fake.adapters[i].path, &fake.adapters[i], NULL, NULL);
	for (size_t i = 0; i < PACKS_MAX; i++)
		for (size_t j = 0; fake.packs[i].exists && j < ADAPTERS_MAX; j++)
			if (fake.packs[i].devices[j].known)
				put_device_entries(m, &fake.packs[i].devices[j]);
	for (unsigned int i = 0; i < fake.crowd; i++)
		put_stranger(m, i);
	sd_bus_message_close_container(m);
	r = sd_bus_send(fake.bus, m, NULL);
	sd_bus_message_unref(m);
	return r;
}

/* ---- signals ---- */

static void emit_object(const char *path, const struct adapter *adapter,
			const struct device *device, const struct gatt_part *part)
{
	sd_bus_message *m = NULL;

	if (sd_bus_message_new_signal(fake.bus, &m, "/", MANAGER, "InterfacesAdded") < 0)
		return;
	sd_bus_message_append(m, "o", path);
	put_object(m, adapter, device, part);
	sd_bus_send(fake.bus, m, NULL);
	sd_bus_message_unref(m);
}

void emit_added(const char *path)
{
	struct adapter *adapter = adapter_at(path);

	emit_object(path, adapter, adapter ? NULL : device_at(path), NULL);
}

static void emit_removed(const char *path, const char *interface)
{
	sd_bus_emit_signal(fake.bus, "/", MANAGER, "InterfacesRemoved", "oas", path, 1, interface);
}

void emit_gatt_added(struct device *device)
{
	char path[PATH_SIZE];

	for (const struct gatt_part *part = device->pack->shape; part->uuid; part++) {
		gatt_path(path, device, part);
		emit_object(path, NULL, device, part);
	}
}

void emit_gatt_removed(struct device *device)
{
	const struct gatt_part *part = device->pack->shape;
	char path[PATH_SIZE];

	device->stuck = NULL;
	while (part->uuid)
		part++;
	while (part > device->pack->shape) {
		part--;
		gatt_path(path, device, part);
		emit_removed(path, part->service ? SERVICE : CHAR);
	}
}

void emit_device_removed(struct device *device)
{
	if (device->gatt)
		emit_gatt_removed(device);
	device->gatt = false;
	emit_removed(device->path, DEVICE);
}

void emit_adapter_removed(struct adapter *adapter)
{
	emit_removed(adapter->path, ADAPTER);
}

void emit_changed(const char *path, const char *interface, const char *property)
{
	struct adapter *adapter = adapter_at(path);
	struct device *device = adapter ? NULL : device_at(path);
	bool gone = device && strcmp(property, "RSSI") == 0 && !device->heard;
	sd_bus_message *m = NULL;

	if ((!adapter && !device) ||
	    sd_bus_message_new_signal(fake.bus, &m, path, PROPS, "PropertiesChanged") < 0)
		return;
	sd_bus_message_append(m, "s", interface);
	sd_bus_message_open_container(m, 'a', "{sv}");
	if (adapter)
		put_adapter(m, adapter, property);
	else
		put_device(m, device, property);
	sd_bus_message_close_container(m);
	if (gone)
		sd_bus_message_append(m, "as", 1, property);
	else
		sd_bus_message_append(m, "as", 0);
	sd_bus_send(fake.bus, m, NULL);
	sd_bus_message_unref(m);
}

void emit_value(struct device *device, const uint8_t *bytes, size_t len)
{
	sd_bus_message *m = NULL;
	char path[PATH_SIZE];

	gatt_path(path, device, device->heard_on);
	if (sd_bus_message_new_signal(fake.bus, &m, path, PROPS, "PropertiesChanged") < 0)
		return;
	sd_bus_message_append(m, "s", CHAR);
	sd_bus_message_open_container(m, 'a', "{sv}");
	sd_bus_message_open_container(m, 'e', "sv");
	sd_bus_message_append(m, "s", "Value");
	sd_bus_message_open_container(m, 'v', "ay");
	sd_bus_message_append_array(m, 'y', bytes, len);
	sd_bus_message_close_container(m);
	sd_bus_message_close_container(m);
	sd_bus_message_close_container(m);
	sd_bus_message_append(m, "as", 0);
	sd_bus_send(fake.bus, m, NULL);
	sd_bus_message_unref(m);
}

/* ---- calls ---- */

static bool is(sd_bus_message *m, const char *interface, const char *member)
{
	return sd_bus_message_is_method_call(m, interface, member) > 0;
}

static int fail(sd_bus_message *m, const char *name, const char *text)
{
	return sd_bus_reply_method_errorf(m, name, "%s", text);
}

static int adapter_call(sd_bus_message *m, struct adapter *adapter)
{
	const char *interface, *property;
	int on;

	if (is(m, ADAPTER, "SetDiscoveryFilter"))
		return sd_bus_reply_method_return(m, "");
	if (is(m, ADAPTER, "StartDiscovery") || is(m, ADAPTER, "StopDiscovery")) {
		bool start = is(m, ADAPTER, "StartDiscovery");

		if (!adapter->powered)
			return fail(m, "org.bluez.Error.NotReady", "Resource Not Ready");
		if (adapter->scanning == start)
			return fail(m,
				    start ? "org.bluez.Error.InProgress" : "org.bluez.Error.Failed",
				    "Operation already in progress");
		fake.discoveries += start;
		air_scan(adapter, start);
		return sd_bus_reply_method_return(m, "");
	}
	if (is(m, PROPS, "Set") && sd_bus_message_read(m, "ss", &interface, &property) > 0 &&
	    strcmp(property, "Powered") == 0 && sd_bus_message_read(m, "v", "b", &on) > 0) {
		air_power(adapter, on);
		return sd_bus_reply_method_return(m, "");
	}
	return fail(m, SD_BUS_ERROR_UNKNOWN_METHOD, "not in the fake");
}

static int device_call(sd_bus_message *m, struct device *device)
{
	if (is(m, DEVICE, "Connect"))
		air_connect(device, sd_bus_message_ref(m));
	else if (is(m, DEVICE, "Disconnect"))
		air_disconnect(device, sd_bus_message_ref(m));
	else if (is(m, DEVICE, "Pair"))
		air_pair(device, sd_bus_message_ref(m));
	else
		return fail(m, SD_BUS_ERROR_UNKNOWN_METHOD, "not in the fake");
	return 1;
}

static int acquire(sd_bus_message *m, struct device *device, bool write)
{
	int fd, r;

	if (!device->pack->acquire)
		return fail(m, "org.bluez.Error.NotSupported", "Operation is not supported");
	if (write ? device->write_fd >= 0 : device->notify_fd >= 0 || device->notifying)
		return fail(m, "org.bluez.Error.NotPermitted", "Acquired already");
	fd = write ? air_acquire_write(device) : air_acquire_notify(device);
	r = sd_bus_reply_method_return(m, "hq", fd, (uint16_t)device->pack->mtu);
	close(fd);
	return r;
}

static int write_value(sd_bus_message *m, struct device *device, const struct gatt_part *part)
{
	const char *key, *type = "request";
	const void *bytes;
	size_t len;

	if (sd_bus_message_read_array(m, 'y', &bytes, &len) < 0)
		return fail(m, "org.bluez.Error.InvalidArguments", "no bytes");
	sd_bus_message_enter_container(m, 'a', "{sv}");
	while (sd_bus_message_enter_container(m, 'e', "sv") > 0) {
		sd_bus_message_read(m, "s", &key);
		if (strcmp(key, "type") == 0)
			sd_bus_message_read(m, "v", "s", &type);
		else
			sd_bus_message_skip(m, "v");
		sd_bus_message_exit_container(m);
	}
	air_write(device, part, bytes, len, type[0]);
	return sd_bus_reply_method_return(m, "");
}

static int notify_call(sd_bus_message *m, struct device *device, const struct gatt_part *part)
{
	if (device->stuck == part)
		return fail(m, "org.bluez.Error.NotPermitted", "Notify acquired");
	if (part->silent && is(m, CHAR, "AcquireNotify")) {
		device->stuck = part;
		return 1;
	}
	if (part->refuses)
		return fail(m, "org.bluez.Error.NotPermitted", part->refuses);
	device->heard_on = part;
	if (is(m, CHAR, "AcquireNotify"))
		return acquire(m, device, false);
	device->notifying = true;
	return sd_bus_reply_method_return(m, "");
}

static int char_call(sd_bus_message *m, struct device *device, const struct gatt_part *part)
{
	if (!device->connected)
		return fail(m, "org.bluez.Error.Failed", "Not connected");
	if (part->notify && (is(m, CHAR, "AcquireNotify") || is(m, CHAR, "StartNotify")))
		return notify_call(m, device, part);
	if (part->write && is(m, CHAR, "AcquireWrite")) {
		device->written = part;
		return acquire(m, device, true);
	}
	if (part->write && is(m, CHAR, "WriteValue"))
		return write_value(m, device, part);
	return fail(m, SD_BUS_ERROR_UNKNOWN_METHOD, "not in the fake");
}

/* The characteristic of @device at @path; NULL: there is none. */
static const struct gatt_part *part_at(const struct device *device, const char *path)
{
	const struct gatt_part *part = device->pack->shape;
	char own[PATH_SIZE];

	for (; device->gatt && part->uuid; part++) {
		gatt_path(own, device, part);
		if (!part->service && strcmp(own, path) == 0)
			return part;
	}
	return NULL;
}

static int agent_call(sd_bus_message *m)
{
	const char *path;

	if (is(m, "org.bluez.AgentManager1", "RegisterAgent") &&
	    sd_bus_message_read(m, "o", &path) > 0) {
		snprintf(fake.agent_owner, sizeof(fake.agent_owner), "%s",
			 sd_bus_message_get_sender(m));
		snprintf(fake.agent_path, sizeof(fake.agent_path), "%s", path);
	}
	return sd_bus_reply_method_return(m, "");
}

int objects_message(sd_bus_message *m, void *userdata, sd_bus_error *error)
{
	const char *path = sd_bus_message_get_path(m);
	struct adapter *adapter = adapter_at(path);
	struct device *device = device_at(path);
	const struct gatt_part *part = device ? part_at(device, path) : NULL;

	(void)userdata;
	(void)error;
	count_call(m);
	if (is(m, MANAGER, "GetManagedObjects"))
		return get_managed_objects(m);
	if (strcmp(path, "/org/bluez") == 0)
		return agent_call(m);
	if (adapter)
		return adapter_call(m, adapter);
	if (device && strcmp(device->path, path) == 0)
		return device_call(m, device);
	if (part)
		return char_call(m, device, part);
	return fail(m, SD_BUS_ERROR_UNKNOWN_OBJECT, "no such object");
}
