/* SPDX-License-Identifier: MIT */
/*
 * A battery pack for the test VM: a simulated JBD board behind a real GATT application and a real
 * advertisement of bluetoothd.
 *
 *	vm_pack ADAPTER NAME PROFILE [CHUNK [SERVICE]]
 *
 * PROFILE as behind sim:; CHUNK bytes a notification (20); SERVICE ff00 with a characteristic for
 * each direction, or ffe0 with one for both, as JK's modules have it (the advertisement stays
 * JBD's). SIGUSR1 ends all connections of its adapter; SIGUSR2 does so in the middle of the next
 * reply.
 */
#include "packbridge/sim.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <systemd/sd-bus.h>
#include <systemd/sd-event.h>

#define ROOT	   "/pack"
#define SERVICE	   ROOT "/service"
#define NOTIFY	   SERVICE "/notify"
#define WRITE	   SERVICE "/write"
#define ADVERT	   ROOT "/advert"
#define CHAR	   "org.bluez.GattCharacteristic1"
#define UUID(part) "0000" part "-0000-1000-8000-00805f9b34fb"

static sd_bus *bus;
static const char *name;
static char adapter[64];
static size_t chunk = 20, value_len;
static uint8_t value[256];
static int notifying;
static bool half, one; /* characteristic */
static struct pb_sim board;
static uint64_t moved_ms;

static void check(int r, const char *what)
{
	if (r >= 0)
		return;
	fprintf(stderr, "vm_pack: %s: %s\n", what, strerror(-r));
	exit(1);
}

/* ---- properties ---- */

static int get_text(sd_bus *b, const char *path, const char *interface, const char *property,
		    sd_bus_message *reply, void *userdata, sd_bus_error *error)
{
	(void)b;
	(void)interface;
	(void)userdata;
	(void)error;
	if (strcmp(property, "Type") == 0)
		return sd_bus_message_append(reply, "s", "peripheral");
	if (strcmp(property, "LocalName") == 0)
		return sd_bus_message_append(reply, "s", name);
	if (one)
		return sd_bus_message_append(
			reply, "s", strcmp(path, SERVICE) == 0 ? UUID("ffe0") : UUID("ffe1"));
	return sd_bus_message_append(reply, "s",
				     strcmp(path, SERVICE) == 0	 ? UUID("ff00")
				     : strcmp(path, NOTIFY) == 0 ? UUID("ff01")
								 : UUID("ff02"));
}

static int get_path(sd_bus *b, const char *path, const char *interface, const char *property,
		    sd_bus_message *reply, void *userdata, sd_bus_error *error)
{
	(void)b;
	(void)path;
	(void)interface;
	(void)property;
	(void)userdata;
	(void)error;
	return sd_bus_message_append(reply, "o", SERVICE);
}

static int get_list(sd_bus *b, const char *path, const char *interface, const char *property,
		    sd_bus_message *reply, void *userdata, sd_bus_error *error)
{
	(void)b;
	(void)interface;
	(void)userdata;
	(void)error;
	if (strcmp(property, "ServiceUUIDs") == 0)
		return sd_bus_message_append(reply, "as", 1, UUID("ff00"));
	if (one)
		return sd_bus_message_append(reply, "as", 4, "read", "notify", "write",
					     "write-without-response");
	if (strcmp(path, NOTIFY) == 0)
		return sd_bus_message_append(reply, "as", 2, "read", "notify");
	return sd_bus_message_append(reply, "as", 2, "write", "write-without-response");
}

static int get_bool(sd_bus *b, const char *path, const char *interface, const char *property,
		    sd_bus_message *reply, void *userdata, sd_bus_error *error)
{
	(void)b;
	(void)path;
	(void)interface;
	(void)userdata;
	(void)error;
	return sd_bus_message_append(reply, "b", strcmp(property, "Primary") == 0 ? 1 : notifying);
}

static int get_value(sd_bus *b, const char *path, const char *interface, const char *property,
		     sd_bus_message *reply, void *userdata, sd_bus_error *error)
{
	(void)b;
	(void)path;
	(void)interface;
	(void)property;
	(void)userdata;
	(void)error;
	return sd_bus_message_append_array(reply, 'y', value, value_len);
}

/* ---- the board ---- */

/* Ends every connection of our adapter, as a pack does that goes away. */
static void drop_centrals(void)
{
	sd_bus_message *reply = NULL;
	const char *path;

	check(sd_bus_call_method(bus, "org.bluez", "/", "org.freedesktop.DBus.ObjectManager",
				 "GetManagedObjects", NULL, &reply, ""),
	      "GetManagedObjects");
	sd_bus_message_enter_container(reply, 'a', "{oa{sa{sv}}}");
	while (sd_bus_message_enter_container(reply, 'e', "oa{sa{sv}}") > 0) {
		int connected = 0;

		sd_bus_message_read(reply, "o", &path);
		sd_bus_message_skip(reply, "a{sa{sv}}");
		sd_bus_message_exit_container(reply);
		if (strncmp(path, adapter, strlen(adapter)) != 0 || !strstr(path, "/dev_") ||
		    strstr(path, "/service"))
			continue;
		sd_bus_get_property_trivial(bus, "org.bluez", path, "org.bluez.Device1",
					    "Connected", NULL, 'b', &connected);
		if (connected)
			sd_bus_call_method_async(bus, NULL, "org.bluez", path, "org.bluez.Device1",
						 "Disconnect", NULL, NULL, "");
	}
	sd_bus_message_unref(reply);
}

static void notify(const uint8_t *bytes, size_t len)
{
	for (size_t at = 0; at < len; at += value_len) {
		value_len = len - at < chunk ? len - at : chunk;
		memcpy(value, bytes + at, value_len);
		sd_bus_emit_properties_changed(bus, NOTIFY, CHAR, "Value", NULL);
	}
}

static void answer(const uint8_t *request, size_t request_len)
{
	static struct pb_sim_talk talk = {.sim = &board};
	uint8_t reply[PB_SIM_REPLY_MAX];
	struct pb_sample sample;
	uint64_t now = pb_now_ms();
	size_t len;

	pb_sim_run(&board, (double)(now - moved_ms) / 1000);
	moved_ms = now;
	pb_sim_read(&board, &sample);
	len = pb_sim_jbd.answer(&pb_sim_jbd, &talk, &sample, request, request_len, reply);
	notify(reply, half ? len / 2 : len);
	if (half)
		drop_centrals();
	half = false;
}

static int on_write(sd_bus_message *m, void *userdata, sd_bus_error *error)
{
	uint8_t request[64];
	const void *bytes;
	size_t len;
	int r = sd_bus_message_read_array(m, 'y', &bytes, &len);

	(void)userdata;
	(void)error;
	if (r < 0 || len > sizeof(request))
		return r;
	memcpy(request, bytes, len);
	r = sd_bus_reply_method_return(m, "");
	if (notifying)
		answer(request, len);
	return r;
}

static int on_read(sd_bus_message *m, void *userdata, sd_bus_error *error)
{
	sd_bus_message *reply = NULL;
	int r = sd_bus_message_new_method_return(m, &reply);

	(void)userdata;
	(void)error;
	if (r >= 0)
		r = sd_bus_message_append_array(reply, 'y', value, value_len);
	if (r >= 0)
		r = sd_bus_send(bus, reply, NULL);
	sd_bus_message_unref(reply);
	return r;
}

static int on_notify(sd_bus_message *m, void *userdata, sd_bus_error *error)
{
	(void)userdata;
	(void)error;
	notifying = sd_bus_message_is_method_call(m, NULL, "StartNotify") > 0;
	return sd_bus_reply_method_return(m, "");
}

static int on_release(sd_bus_message *m, void *userdata, sd_bus_error *error)
{
	(void)userdata;
	(void)error;
	return sd_bus_reply_method_return(m, "");
}

/* ---- objects ---- */

static const sd_bus_vtable service_table[] = {
	SD_BUS_VTABLE_START(0),
	SD_BUS_PROPERTY("UUID", "s", get_text, 0, SD_BUS_VTABLE_PROPERTY_CONST),
	SD_BUS_PROPERTY("Primary", "b", get_bool, 0, SD_BUS_VTABLE_PROPERTY_CONST),
	SD_BUS_VTABLE_END,
};

static const sd_bus_vtable notify_table[] = {
	SD_BUS_VTABLE_START(0),
	SD_BUS_PROPERTY("UUID", "s", get_text, 0, SD_BUS_VTABLE_PROPERTY_CONST),
	SD_BUS_PROPERTY("Service", "o", get_path, 0, SD_BUS_VTABLE_PROPERTY_CONST),
	SD_BUS_PROPERTY("Flags", "as", get_list, 0, SD_BUS_VTABLE_PROPERTY_CONST),
	SD_BUS_PROPERTY("Notifying", "b", get_bool, 0, 0),
	SD_BUS_PROPERTY("Value", "ay", get_value, 0, SD_BUS_VTABLE_PROPERTY_EMITS_CHANGE),
	SD_BUS_METHOD("ReadValue", "a{sv}", "ay", on_read, SD_BUS_VTABLE_UNPRIVILEGED),
	SD_BUS_METHOD("StartNotify", "", "", on_notify, SD_BUS_VTABLE_UNPRIVILEGED),
	SD_BUS_METHOD("StopNotify", "", "", on_notify, SD_BUS_VTABLE_UNPRIVILEGED),
	/* with one characteristic only: its flags say so */
	SD_BUS_METHOD("WriteValue", "aya{sv}", "", on_write, SD_BUS_VTABLE_UNPRIVILEGED),
	SD_BUS_VTABLE_END,
};

static const sd_bus_vtable write_table[] = {
	SD_BUS_VTABLE_START(0),
	SD_BUS_PROPERTY("UUID", "s", get_text, 0, SD_BUS_VTABLE_PROPERTY_CONST),
	SD_BUS_PROPERTY("Service", "o", get_path, 0, SD_BUS_VTABLE_PROPERTY_CONST),
	SD_BUS_PROPERTY("Flags", "as", get_list, 0, SD_BUS_VTABLE_PROPERTY_CONST),
	SD_BUS_METHOD("WriteValue", "aya{sv}", "", on_write, SD_BUS_VTABLE_UNPRIVILEGED),
	SD_BUS_VTABLE_END,
};

static const sd_bus_vtable advert_table[] = {
	SD_BUS_VTABLE_START(0),
	SD_BUS_PROPERTY("Type", "s", get_text, 0, SD_BUS_VTABLE_PROPERTY_CONST),
	SD_BUS_PROPERTY("LocalName", "s", get_text, 0, SD_BUS_VTABLE_PROPERTY_CONST),
	SD_BUS_PROPERTY("ServiceUUIDs", "as", get_list, 0, SD_BUS_VTABLE_PROPERTY_CONST),
	SD_BUS_METHOD("Release", "", "", on_release, SD_BUS_VTABLE_UNPRIVILEGED),
	SD_BUS_VTABLE_END,
};

static int on_registered(sd_bus_message *m, void *userdata, sd_bus_error *error)
{
	const sd_bus_error *failed = sd_bus_message_get_error(m);

	(void)error;
	if (failed) {
		fprintf(stderr, "vm_pack: %s: %s\n", (char *)userdata, failed->message);
		exit(1);
	}
	printf("%s done\n", (char *)userdata);
	fflush(stdout);
	return 0;
}

static int on_drop(sd_event_source *source, const struct signalfd_siginfo *info, void *userdata)
{
	(void)source;
	(void)userdata;
	if (info->ssi_signo == SIGUSR2)
		half = true;
	else
		drop_centrals();
	return 0;
}

static void register_all(void)
{
	static char application[] = "application", advertisement[] = "advertisement";

	check(sd_bus_add_object_manager(bus, NULL, ROOT), "objects");
	check(sd_bus_add_object_vtable(bus, NULL, SERVICE, "org.bluez.GattService1", service_table,
				       NULL),
	      SERVICE);
	check(sd_bus_add_object_vtable(bus, NULL, NOTIFY, CHAR, notify_table, NULL), NOTIFY);
	if (!one)
		check(sd_bus_add_object_vtable(bus, NULL, WRITE, CHAR, write_table, NULL), WRITE);
	check(sd_bus_add_object_vtable(bus, NULL, ADVERT, "org.bluez.LEAdvertisement1",
				       advert_table, NULL),
	      ADVERT);
	/* bluetoothd calls back before it answers */
	check(sd_bus_call_method_async(bus, NULL, "org.bluez", adapter, "org.bluez.GattManager1",
				       "RegisterApplication", on_registered, application, "oa{sv}",
				       ROOT, 0),
	      application);
	check(sd_bus_call_method_async(bus, NULL, "org.bluez", adapter,
				       "org.bluez.LEAdvertisingManager1", "RegisterAdvertisement",
				       on_registered, advertisement, "oa{sv}", ADVERT, 0),
	      advertisement);
}

int main(int argc, char **argv)
{
	struct pb_sim_options options;
	sd_event *event;
	char why[256];

	if (argc < 4 || pb_sim_options_parse(&options, argv[3], why, sizeof(why)) < 0)
		return 2;
	snprintf(adapter, sizeof(adapter), "/org/bluez/%s", argv[1]);
	name = argv[2];
	if (argc > 4)
		chunk = strtoul(argv[4], NULL, 10);
	one = argc > 5 && strcmp(argv[5], "ffe0") == 0;
	pb_sim_start(&board, &options);
	moved_ms = pb_now_ms();
	check(sd_event_default(&event), "event");
	check(sd_bus_open_system(&bus), "bus");
	check(sd_bus_attach_event(bus, event, 0), "bus");
	check(sd_event_add_signal(event, NULL, SIGUSR1 | SD_EVENT_SIGNAL_PROCMASK, on_drop, NULL),
	      "signal");
	check(sd_event_add_signal(event, NULL, SIGUSR2 | SD_EVENT_SIGNAL_PROCMASK, on_drop, NULL),
	      "signal");
	register_all();
	return sd_event_loop(event) < 0;
}
