/* SPDX-License-Identifier: MIT */
/*
 * The connection to BlueZ: bus, matches, the first look at its objects, and what to do when any of
 * that goes away. Every call is asynchronous and has a time limit of its own: BlueZ itself can take
 * 41 s to say that a silent device does not answer, longer than sd-bus waits by default.
 */
#include "bluez.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum {
	BUS_RETRY_MS = 2000,  /* until the next try to reach the bus */
	SYNC_RETRY_MS = 5000, /* after a GetManagedObjects that failed */
	SLOW_MS = 10000,      /* until what no signal told is asked for */
	SYNC_MS = 60000,      /* a hung bluetoothd answers as soon as it goes on */
	AUTH_MS = 10000,      /* a bus that accepts, but says nothing */
	FLUSH_MS = 300,	      /* for the last Disconnect calls, at exit */
};

#define DBUS_DRIVER "org.freedesktop.DBus"

static int sync_objects(struct pb_bluez *bluez, bool start_it);

void bluez_kick(struct pb_bluez *bluez)
{
	sd_event_source_set_enabled(bluez->later, SD_EVENT_ONESHOT);
}

static void arm(struct pb_bluez *bluez, uint64_t ms)
{
	sd_event_source_set_time_relative(bluez->timer, ms * 1000);
	sd_event_source_set_enabled(bluez->timer, SD_EVENT_ONESHOT);
}

static void arm_slow(struct pb_bluez *bluez)
{
	sd_event_source_set_time_relative(bluez->slow, (uint64_t)SLOW_MS * 1000);
	sd_event_source_set_enabled(bluez->slow, SD_EVENT_ONESHOT);
}

void bluez_kick_later(struct pb_bluez *bluez, uint64_t ms)
{
	/* in the other states the timer has its own work, which kicks too */
	if (bluez->state == BLUEZ_READY)
		arm(bluez, ms);
}

/* ---- words ---- */

int bluez_error_words(const sd_bus_error *error, char *why, size_t why_cap)
{
	static const struct {
		const char *name;    /* of the error; NULL: any */
		const char *message; /* part of its text; NULL: any */
		int code;
		const char *words;
	} known[] = {
		{SD_BUS_ERROR_NO_REPLY, NULL, -ETIMEDOUT, "bluetoothd does not answer"},
		{SD_BUS_ERROR_TIMEOUT, NULL, -ETIMEDOUT, "bluetoothd does not answer"},
		{SD_BUS_ERROR_ACCESS_DENIED, NULL, -EACCES,
		 "no permission to use BlueZ on D-Bus (is the user in the group bluetooth?)"},
		{SD_BUS_ERROR_SERVICE_UNKNOWN, NULL, -ESRCH, "bluetoothd does not run"},
		{SD_BUS_ERROR_NAME_HAS_NO_OWNER, NULL, -ESRCH, "bluetoothd does not run"},
		{SD_BUS_ERROR_UNKNOWN_OBJECT, NULL, -ENOTCONN, "BlueZ forgot the device"},
		{"org.bluez.Error.AuthenticationFailed", NULL, -EKEYREJECTED,
		 "pairing failed: wrong passkey?"},
		{"org.bluez.Error.AuthenticationRejected", NULL, -EKEYREJECTED,
		 "the pack refused to pair"},
		{"org.bluez.Error.AuthenticationCanceled", NULL, -EKEYREJECTED,
		 "pairing was cancelled"},
		{"org.bluez.Error.AuthenticationTimeout", NULL, -EKEYREJECTED,
		 "pairing took too long"},
		{"org.bluez.Error.NotReady", NULL, -ENETDOWN, "the adapter is off"},
		{"org.bluez.Error.NotPermitted", "acquired", -EALREADY,
		 "another program has them, or BlueZ believes so"},
		{"org.bluez.Error.NotPermitted", "Not paired", -EKEYREJECTED,
		 "the pack wants to be paired: set its passkey"},
		{NULL, "rfkill", -ENETDOWN, "the adapter is blocked by rfkill"},
		{NULL, "Blocked", -ENETDOWN, "the adapter is blocked by rfkill"},
		{NULL, "le-connection-abort-by-local", -EHOSTUNREACH,
		 "no answer: out of range, off, or connected to another central"},
		{NULL, "Page Timeout", -EHOSTUNREACH, "no answer: out of range or off"},
		{NULL, "Software caused connection abort", -EHOSTUNREACH,
		 "the connection broke while it was being made"},
		{NULL, "Encryption", -EKEYREJECTED, "the pack wants to be paired: set its passkey"},
		{NULL, "Authentication", -EKEYREJECTED,
		 "the pack wants to be paired: set its passkey"},
		{NULL, "Not connected", -ENOTCONN, "the connection is gone"},
	};

	for (size_t i = 0; i < PB_ARRAY_SIZE(known); i++) {
		if (known[i].name && !sd_bus_error_has_name(error, known[i].name))
			continue;
		if (known[i].message &&
		    (!error->message || !strstr(error->message, known[i].message)))
			continue;
		snprintf(why, why_cap, "%s", known[i].words);
		return known[i].code;
	}
	snprintf(why, why_cap, "%s%s%s", error->name ? error->name : "error",
		 error->message && *error->message ? ": " : "",
		 error->message ? error->message : "");
	pb_text_clean(why, why_cap, why, strlen(why));
	return -EIO;
}

/* ---- calls ---- */

/*
 * The bus writes the sender into each message, always a unique name, but for its own (from the
 * driver) and those that sd-bus makes.
 */
static bool is_of_bus(sd_bus_message *m)
{
	const char *sender = sd_bus_message_get_sender(m);

	return sender && sender[0] != ':';
}

static bool is_of(sd_bus_message *m, const char *name)
{
	const char *sender = sd_bus_message_get_sender(m);

	return sender && *name && strcmp(sender, name) == 0;
}

/* A call that is out. */
struct waiting {
	struct pb_bluez *bluez;
	sd_bus_message *call;
	sd_bus_message_handler_t done;
	void *userdata;
};

static void waiting_free(void *userdata)
{
	struct waiting *waiting = userdata;

	sd_bus_message_unref(waiting->call);
	free(waiting);
}

/*
 * sd-bus takes a reply by its serial number, whoever sent it. A system bus forwards a reply only
 * from the one whom it gave the call; a bus with the policy of sessions forwards any.
 */
static int on_reply(sd_bus_message *m, void *userdata, sd_bus_error *error)
{
	struct waiting waiting = *(struct waiting *)userdata; /* its end is up to done() */
	sd_bus_message *refused = NULL;
	int r;

	if (is_of_bus(m) || is_of(m, waiting.bluez->named))
		return waiting.done(m, waiting.userdata, error);
	r = sd_bus_message_new_method_errorf(waiting.call, &refused, SD_BUS_ERROR_FAILED,
					     "%s answered for BlueZ", sd_bus_message_get_sender(m));
	if (r < 0)
		return r;
	r = waiting.done(refused, waiting.userdata, error);
	sd_bus_message_unref(refused);
	return r;
}

int bluez_send(struct pb_bluez *bluez, sd_bus_slot **slot, sd_bus_message *m,
	       sd_bus_message_handler_t done, void *userdata, uint64_t timeout_ms)
{
	struct waiting *waiting = calloc(1, sizeof(*waiting));
	int r;

	if (!waiting)
		return -ENOMEM;
	*waiting = (struct waiting){bluez, sd_bus_message_ref(m), done, userdata};
	r = sd_bus_call_async(bluez->bus, slot, m, on_reply, waiting, timeout_ms * 1000);
	if (r < 0) {
		waiting_free(waiting);
		return r;
	}
	sd_bus_slot_set_destroy_callback(*slot, waiting_free);
	return 0;
}

int bluez_call(struct pb_bluez *bluez, sd_bus_slot **slot, const char *path, const char *interface,
	       const char *method, sd_bus_message_handler_t done, void *userdata,
	       uint64_t timeout_ms, const char *types, ...)
{
	sd_bus_message *m = NULL;
	va_list args;
	int r;

	if (!bluez->bus)
		return -ENOTCONN;
	r = sd_bus_message_new_method_call(bluez->bus, &m, BLUEZ_NAME, path, interface, method);
	va_start(args, types);
	if (r >= 0)
		r = sd_bus_message_appendv(m, types, args);
	va_end(args);
	if (r >= 0)
		r = bluez_send(bluez, slot, m, done, userdata, timeout_ms);
	sd_bus_message_unref(m);
	return r < 0 ? r : 0;
}

void bluez_tell(struct pb_bluez *bluez, const char *path, const char *interface, const char *method)
{
	sd_bus_message *m = NULL;

	if (!bluez->bus ||
	    sd_bus_message_new_method_call(bluez->bus, &m, BLUEZ_NAME, path, interface, method) < 0)
		return;
	sd_bus_message_set_expect_reply(m, 0);
	sd_bus_send(bluez->bus, m, NULL);
	sd_bus_message_unref(m);
}

/* ---- states ---- */

/* The reply of GetManagedObjects has been read, or does not count any more: the bus goes on. */
static void stop_reading(struct pb_bluez *bluez)
{
	if (!bluez->reading)
		return;
	bluez->reading = sd_bus_message_unref(bluez->reading);
	sd_event_source_set_enabled(bluez->reader, SD_EVENT_OFF);
	sd_bus_attach_event(bluez->bus, bluez->event, SD_EVENT_PRIORITY_NORMAL);
}

/* Its signals do not count any more. */
static void forget_owner(struct pb_bluez *bluez)
{
	bluez->owner[0] = '\0';
	stop_reading(bluez);
}

/* BlueZ can't be used now; the log has it once. */
static void enter(struct pb_bluez *bluez, enum bluez_state state, int error, const char *why)
{
	if (state == BLUEZ_READY) {
		if (bluez->why[0])
			pb_log(PB_LOG_INFO, "bluetooth: BlueZ is there");
	} else if (*why && strcmp(why, bluez->why) != 0) {
		pb_log(PB_LOG_WARNING, "bluetooth: %s", why);
	}
	bluez->state = state;
	bluez->error = error;
	if (state != BLUEZ_READY)
		forget_owner(bluez);
	if (why != bluez->why)
		snprintf(bluez->why, sizeof(bluez->why), "%s", why);
	if (state != BLUEZ_READY)
		bluez_objects_clear(bluez);
	bluez_kick(bluez);
}

static void drop_bus(struct pb_bluez *bluez)
{
	forget_owner(bluez);
	bluez->named[0] = '\0';
	bluez->naming = sd_bus_slot_unref(bluez->naming);
	bluez->sync = sd_bus_slot_unref(bluez->sync);
	bluez->agent = sd_bus_slot_unref(bluez->agent);
	while (bluez->slot_count > 0)
		sd_bus_slot_unref(bluez->slots[--bluez->slot_count]);
	bluez->bus = sd_bus_close_unref(bluez->bus);
}

static void lose_bus(struct pb_bluez *bluez, int error, const char *what)
{
	char why[BLUEZ_WHY];

	snprintf(why, sizeof(why), "no D-Bus system bus (%s)", what);
	/* links let go of their calls before the bus goes */
	enter(bluez, BLUEZ_BUS_DOWN, error, why);
	drop_bus(bluez);
	arm(bluez, BUS_RETRY_MS);
}

static int on_disconnected(sd_bus_message *m, void *userdata, sd_bus_error *error)
{
	struct pb_bluez *bluez = userdata;

	(void)m;
	(void)error;
	/* the bus object is in use right now: the pump drops it */
	enter(bluez, BLUEZ_BUS_DOWN, -ENOLINK, "no D-Bus system bus (the connection was lost)");
	return 0;
}

/* The reply comes from who has the name. Its earlier signals are in it, and its later ones come
 * behind it: it sends all of them in one order. */
static void begin_reading(struct pb_bluez *bluez, sd_bus_message *m)
{
	if (strcmp(bluez->named, bluez->owner) != 0) /* nothing of another one's is true any more */
		bluez_objects_clear(bluez);
	memcpy(bluez->owner, bluez->named, sizeof(bluez->owner));
	bluez->reading = sd_bus_message_ref(m);
	bluez_objects_begin(bluez, m);
	/* signals wait, since they are newer; the loop does not */
	sd_bus_detach_event(bluez->bus);
	sd_event_source_set_enabled(bluez->reader, SD_EVENT_ON);
}

static int on_reader(sd_event_source *source, void *userdata)
{
	struct pb_bluez *bluez = userdata;

	(void)source;
	if (bluez_objects_read(bluez, bluez->reading))
		return 0;
	stop_reading(bluez);
	bluez_kick(bluez);
	if (bluez->state == BLUEZ_READY)
		return 0;
	enter(bluez, BLUEZ_READY, 0, "");
	bluez_agent_register(bluez);
	bluez->better = true;
	return 0;
}

/* There is no answer with all objects. What is mirrored stays, unless nobody has the name. */
static void no_objects(struct pb_bluez *bluez, const sd_bus_error *error)
{
	char why[BLUEZ_WHY];
	int code = bluez_error_words(error, why, sizeof(why));

	if (code == -ESRCH) {
		enter(bluez, BLUEZ_ABSENT, code, why);
	} else if (bluez->state != BLUEZ_READY) {
		enter(bluez, BLUEZ_SYNCING, code, why);
		arm(bluez, SYNC_RETRY_MS);
	}
}

static int on_objects(sd_bus_message *m, void *userdata, sd_bus_error *ret)
{
	struct pb_bluez *bluez = userdata;
	const sd_bus_error *error = sd_bus_message_get_error(m);

	(void)ret;
	bluez->sync = sd_bus_slot_unref(bluez->sync);
	if (bluez->state != BLUEZ_READY)
		sd_event_source_set_enabled(bluez->timer, SD_EVENT_OFF);
	if (error)
		no_objects(bluez, error);
	else
		begin_reading(bluez, m);
	return 1; /* no filter may rewind what is read from now on */
}

static int on_named(sd_bus_message *m, void *userdata, sd_bus_error *error)
{
	struct pb_bluez *bluez = userdata;
	const char *name;

	(void)error;
	bluez->naming = sd_bus_slot_unref(bluez->naming);
	if (!is_of_bus(m))
		return 0;
	if (sd_bus_message_get_error(m) || sd_bus_message_read(m, "s", &name) <= 0)
		name = "";
	snprintf(bluez->named, sizeof(bluez->named), "%s", name);
	return 0;
}

/* Answered before the call behind it is; and when bluetoothd has to be started for that call, a
 * signal of the driver tells the name. */
static int ask_for_owner(struct pb_bluez *bluez)
{
	bluez->naming = sd_bus_slot_unref(bluez->naming);
	return sd_bus_call_method_async(bluez->bus, &bluez->naming, DBUS_DRIVER,
					"/org/freedesktop/DBus", DBUS_DRIVER, "GetNameOwner",
					on_named, bluez, "s", BLUEZ_NAME);
}

/* @start_it: the bus may start bluetoothd for this call */
static int ask_for_objects(struct pb_bluez *bluez, bool start_it)
{
	sd_bus_message *m = NULL;
	int r = sd_bus_message_new_method_call(bluez->bus, &m, BLUEZ_NAME, "/", DBUS_MANAGER,
					       "GetManagedObjects");

	bluez->sync = sd_bus_slot_unref(bluez->sync);
	if (r >= 0)
		r = sd_bus_message_set_auto_start(m, start_it);
	if (r >= 0)
		r = ask_for_owner(bluez);
	if (r >= 0)
		r = bluez_send(bluez, &bluez->sync, m, on_objects, bluez, SYNC_MS);
	sd_bus_message_unref(m);
	return r < 0 ? r : 0;
}

static int sync_objects(struct pb_bluez *bluez, bool start_it)
{
	/* until the answer is there, what is wrong stays as it was said last */
	if (bluez->state != BLUEZ_SYNCING)
		enter(bluez, BLUEZ_SYNCING, bluez->error ? bluez->error : -EAGAIN, bluez->why);
	return ask_for_objects(bluez, start_it);
}

/* The same, tried again if it can't even be asked. */
static void sync_again(struct pb_bluez *bluez)
{
	if (sync_objects(bluez, false) < 0)
		arm(bluez, SYNC_RETRY_MS);
}

static bool all_up(const struct pb_bluez *bluez)
{
	for (const struct ble_link *ble = bluez->links; ble; ble = ble->next)
		if (ble->state != BLE_UP)
			return false;
	return true;
}

/*
 * What only a signal would end must not last when that signal is lost: bluetoothd that is absent,
 * and an adapter or a device that some link waits for.
 */
static int on_slow(sd_event_source *source, uint64_t usec, void *userdata)
{
	struct pb_bluez *bluez = userdata;

	(void)source;
	(void)usec;
	if (bluez->state == BLUEZ_ABSENT)
		sync_again(bluez);
	else if (bluez->state == BLUEZ_READY && !bluez->sync && !bluez->reading && !all_up(bluez))
		ask_for_objects(bluez, false);
	arm_slow(bluez);
	return 0;
}

void bluez_suspect(struct pb_bluez *bluez)
{
	if (bluez->state != BLUEZ_READY)
		return;
	enter(bluez, BLUEZ_SYNCING, -ETIMEDOUT, "bluetoothd does not answer");
	sync_again(bluez);
}

static int on_owner(sd_bus_message *m, void *userdata, sd_bus_error *error)
{
	struct pb_bluez *bluez = userdata;
	const char *name, *old, *new;

	(void)error;
	if (sd_bus_message_read(m, "sss", &name, &old, &new) <= 0 || bluez->state == BLUEZ_BUS_DOWN)
		return 0;
	enter(bluez, BLUEZ_ABSENT, -ESRCH, "bluetoothd does not run");
	snprintf(bluez->named, sizeof(bluez->named), "%s", new);
	bluez->sync = sd_bus_slot_unref(bluez->sync);
	if (*new)
		sync_again(bluez);
	return 0;
}

/* ---- the bus ---- */

/* The driver and sd-bus speak one interface each, of their own name. */
static bool admitted(const struct pb_bluez *bluez, sd_bus_message *m)
{
	const char *sender = sd_bus_message_get_sender(m);
	const char *interface = sd_bus_message_get_interface(m);

	if (is_of_bus(m))
		return interface && strcmp(interface, sender) == 0;
	return is_of(m, bluez->owner) && !(interface && strcmp(interface, DBUS_DRIVER) == 0);
}

/*
 * Every signal and every call passes here first, and every reply on_reply(). The bus delivers what
 * is addressed to us, whatever our matches say, and sd-bus takes any unique name for a sender that
 * a match gives by its well-known name. So anybody on the bus could otherwise speak for BlueZ.
 */
static int bluez_admit(sd_bus_message *m, void *userdata, sd_bus_error *error)
{
	(void)error;
	if (admitted(userdata, m))
		return 0;
	if (sd_bus_message_is_method_call(m, NULL, NULL) > 0)
		sd_bus_reply_method_errorf(m, SD_BUS_ERROR_ACCESS_DENIED, "only for BlueZ");
	return 1;
}

/* Nobody waits for the answer to AddMatch: a bus that refuses it refuses the rest as well. */
static int matched(sd_bus_message *m, void *userdata, sd_bus_error *error)
{
	(void)m;
	(void)userdata;
	(void)error;
	return 0;
}

static int add_matches(struct pb_bluez *bluez)
{
#define FROM_BLUEZ "type='signal',sender='" BLUEZ_NAME "',"
#define CHANGED	   FROM_BLUEZ "interface='" DBUS_PROPS "',member='PropertiesChanged',arg0='"
	static const struct {
		const char *match;
		sd_bus_message_handler_t handler;
	} matches[] = {
		{"type='signal',sender='" DBUS_DRIVER "',interface='" DBUS_DRIVER "',"
		 "member='NameOwnerChanged',arg0='" BLUEZ_NAME "'",
		 on_owner},
		{FROM_BLUEZ "member='InterfacesAdded'", bluez_objects_on_added},
		{FROM_BLUEZ "member='InterfacesRemoved'", bluez_objects_on_removed},
		{CHANGED BLUEZ_ADAPTER "'", bluez_objects_on_changed},
		{CHANGED BLUEZ_DEVICE "'", bluez_objects_on_changed},
		{CHANGED BLUEZ_CHAR "'", bluez_objects_on_changed},
		{"type='signal',sender='org.freedesktop.DBus.Local',member='Disconnected'",
		 on_disconnected},
	};
	int r = sd_bus_add_filter(bluez->bus, &bluez->slots[bluez->slot_count], bluez_admit, bluez);

	if (r >= 0)
		bluez->slot_count++;
	for (size_t i = 0; r >= 0 && i < PB_ARRAY_SIZE(matches); i++) {
		r = sd_bus_add_match_async(bluez->bus, &bluez->slots[bluez->slot_count],
					   matches[i].match, matches[i].handler, matched, bluez);
		if (r >= 0)
			bluez->slot_count++;
	}
	return r;
}

static int open_bus(struct pb_bluez *bluez)
{
	int r = sd_bus_open_system(&bluez->bus);

	if (r < 0)
		return r;
	r = sd_bus_set_method_call_timeout(bluez->bus, (uint64_t)AUTH_MS * 1000);
	/* else it would be closed when the loop ends, before the packs are let go */
	if (r >= 0)
		r = sd_bus_set_close_on_exit(bluez->bus, false);
	if (r >= 0)
		r = sd_bus_attach_event(bluez->bus, bluez->event, SD_EVENT_PRIORITY_NORMAL);
	if (r >= 0)
		r = add_matches(bluez);
	if (r >= 0)
		r = sd_bus_add_object_vtable(bluez->bus, &bluez->slots[bluez->slot_count],
					     BLUEZ_AGENT_PATH, "org.bluez.Agent1",
					     bluez_agent_vtable, bluez);
	if (r < 0)
		return r;
	bluez->slot_count++;
	return sync_objects(bluez, true);
}

static void start(struct pb_bluez *bluez)
{
	int r = open_bus(bluez);

	arm_slow(bluez);
	if (r < 0)
		lose_bus(bluez, -ENOLINK, strerrordesc_np(-r));
}

void bluez_need(struct pb_bluez *bluez)
{
	if (bluez->state == BLUEZ_IDLE)
		start(bluez);
}

static int on_timer(sd_event_source *source, uint64_t usec, void *userdata)
{
	struct pb_bluez *bluez = userdata;

	(void)source;
	(void)usec;
	if (bluez->state == BLUEZ_BUS_DOWN)
		start(bluez);
	else if (bluez->state == BLUEZ_SYNCING)
		sync_again(bluez);
	bluez_kick(bluez);
	return 0;
}

/* ---- the pump ---- */

/* Links that gave up for want of something try again, now that it is there. */
static void tell_better(struct pb_bluez *bluez)
{
	bluez->better = false;
	for (struct ble_link *ble = bluez->links; ble; ble = ble->next) {
		if (!ble->waiting || ble->state != BLE_CLOSED)
			continue;
		ble->waiting = false;
		if (ble->head.handler->retry)
			ble->head.handler->retry(ble->head.userdata);
	}
}

static int on_later(sd_event_source *source, void *userdata)
{
	struct pb_bluez *bluez = userdata;

	(void)source;
	if (bluez->state == BLUEZ_BUS_DOWN && bluez->bus) {
		drop_bus(bluez);
		arm(bluez, BUS_RETRY_MS);
	}
	for (struct ble_link *ble = bluez->links; ble; ble = ble->next)
		ble_step(ble);
	if (bluez->state == BLUEZ_READY)
		bluez_adapters_pump(bluez);
	if (bluez->better)
		tell_better(bluez);
	return 0;
}

/* ---- scanning ---- */

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

/* ---- life ---- */

static int add_sources(struct pb_bluez *bluez)
{
	int r = sd_event_add_defer(bluez->event, &bluez->later, on_later, bluez);

	if (r >= 0)
		r = sd_event_source_set_enabled(bluez->later, SD_EVENT_OFF);
	if (r >= 0)
		r = sd_event_add_time(bluez->event, &bluez->timer, CLOCK_BOOTTIME, UINT64_MAX, 0,
				      on_timer, bluez);
	if (r >= 0)
		r = sd_event_source_set_enabled(bluez->timer, SD_EVENT_OFF);
	if (r >= 0)
		r = sd_event_add_defer(bluez->event, &bluez->reader, on_reader, bluez);
	if (r >= 0)
		r = sd_event_source_set_enabled(bluez->reader, SD_EVENT_OFF);
	if (r >= 0)
		r = sd_event_add_time(bluez->event, &bluez->slow, CLOCK_BOOTTIME, UINT64_MAX, 0,
				      on_slow, bluez);
	return r < 0 ? r : sd_event_source_set_enabled(bluez->slow, SD_EVENT_OFF);
}

int pb_bluez_new(struct pb_bluez **ret, sd_event *event, const struct pb_bluez_config *config)
{
	PB_CLEANUP(pb_bluez_freep) struct pb_bluez *bluez = calloc(1, sizeof(*bluez));
	int r;

	if (!bluez)
		return -ENOMEM;
	bluez->event = sd_event_ref(event);
	bluez->config = *config;
	r = add_sources(bluez);
	if (r < 0)
		return r;
	*ret = bluez;
	bluez = NULL;
	return 0;
}

void pb_bluez_configure(struct pb_bluez *bluez, const struct pb_bluez_config *config)
{
	bluez->config = *config;
	bluez_kick(bluez);
}

/*
 * The last Disconnect calls leave the queue, if the bus takes them at all: connections that stay
 * behind would lock everybody out of their packs.
 */
static void flush(struct pb_bluez *bluez)
{
	uint64_t end = pb_now_ms() + FLUSH_MS;
	uint64_t queued, now;

	if (!bluez->bus)
		return;
	while (sd_bus_get_n_queued_write(bluez->bus, &queued) >= 0 && queued > 0 &&
	       (now = pb_now_ms()) < end) {
		if (sd_bus_process(bluez->bus, NULL) == 0)
			sd_bus_wait(bluez->bus, (end - now) * 1000);
	}
}

struct pb_bluez *pb_bluez_free(struct pb_bluez *bluez)
{
	if (!bluez)
		return NULL;
	for (struct bluez_adapter *a = bluez->adapters; a; a = a->next)
		if (a->scan == SCAN_STARTING || a->scan == SCAN_ON)
			bluez_tell(bluez, a->path, BLUEZ_ADAPTER, "StopDiscovery");
	flush(bluez);
	bluez->state = BLUEZ_BUS_DOWN;
	bluez_objects_clear(bluez);
	drop_bus(bluez);
	sd_event_source_disable_unref(bluez->later);
	sd_event_source_disable_unref(bluez->timer);
	sd_event_source_disable_unref(bluez->reader);
	sd_event_source_disable_unref(bluez->slow);
	sd_event_unref(bluez->event);
	free(bluez);
	return NULL;
}
