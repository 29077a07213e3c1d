/* SPDX-License-Identifier: MIT */
/*
 * The client of BlueZ: the bus, the first look at BlueZ's objects, and what to do when any of that
 * goes away.
 *
 *	bus --GetNameOwner, GetManagedObjects--> mirror (bluez_objects.c, bluez_mirror.c)
 *	 |                                          ^
 *	 '---signals, by bluez_admit() -------------'
 *	              each of them kicks:   bluez_on_later(), the pump
 *	                                      |--> each user's step (ble.c)
 *	                                      '--> each adapter (bluez_adapter.c)
 */
#include "bluez_adapter.h"
#include "bluez_agent.h"
#include "bluez_call.h"
#include "bluez_client.h"
#include "bluez_mirror.h"
#include "bluez_objects.h"
#include "bluez_user.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum {
	BUS_RETRY_MS = 2000,  /* until the next try to reach the bus */
	SYNC_RETRY_MS = 5000, /* after a GetManagedObjects that failed */
	SLOW_MS = 10000,      /* until data that no signal reported is read */
	SYNC_MS = 60000,      /* a hung bluetoothd answers as soon as it goes on */
	AUTH_MS = 10000,      /* a bus that accepts the connection, but does not answer */
	FLUSH_MS = 300,	      /* for the last Disconnect calls, at exit */
};

static int sync_objects(struct pb_bluez *bluez, bool start_it);

static void arm_slow(struct pb_bluez *bluez)
{
	sd_event_source_set_time_relative(bluez->slow, (uint64_t)SLOW_MS * 1000);
	sd_event_source_set_enabled(bluez->slow, SD_EVENT_ONESHOT);
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
static void bluez_enter(struct pb_bluez *bluez, enum bluez_state state, int error, const char *why)
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
		bluez_mirror_clear(bluez);
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
	bluez_enter(bluez, BLUEZ_BUS_DOWN, error, why);
	drop_bus(bluez);
	bluez_arm(bluez, BUS_RETRY_MS);
}

static int on_disconnected(sd_bus_message *m, void *userdata, sd_bus_error *error)
{
	struct pb_bluez *bluez = userdata;

	(void)m;
	(void)error;
	/* the bus object is in use right now: the pump drops it */
	bluez_enter(bluez, BLUEZ_BUS_DOWN, -ENOLINK,
		    "no D-Bus system bus (the connection was lost)");
	return 0;
}

/* The reply comes from who has the name. Its earlier signals are in it, and its later ones come
 * behind it: it sends all of them in one order. */
static void begin_reading(struct pb_bluez *bluez, sd_bus_message *m)
{
	if (strcmp(bluez->named, bluez->owner) != 0) /* nothing of another one's is true any more */
		bluez_mirror_clear(bluez);
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
	bluez_enter(bluez, BLUEZ_READY, 0, "");
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
		bluez_enter(bluez, BLUEZ_ABSENT, code, why);
	} else if (bluez->state != BLUEZ_READY) {
		bluez_enter(bluez, BLUEZ_SYNCING, code, why);
		bluez_arm(bluez, SYNC_RETRY_MS);
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
	if (!bluez_is_of_bus(m))
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
		bluez_enter(bluez, BLUEZ_SYNCING, bluez->error ? bluez->error : -EAGAIN,
			    bluez->why);
	return ask_for_objects(bluez, start_it);
}

/* The same, tried again if it can't even be asked. */
static void sync_again(struct pb_bluez *bluez)
{
	if (sync_objects(bluez, false) < 0)
		bluez_arm(bluez, SYNC_RETRY_MS);
}

static bool all_up(const struct pb_bluez *bluez)
{
	for (const struct bluez_user *user = bluez->users; user; user = user->next)
		if (user->turn.state != TURN_UP)
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

/* A call was not answered: all that is mirrored may be wrong. */
static void doubt(struct pb_bluez *bluez)
{
	bluez->suspected = false;
	if (bluez->state != BLUEZ_READY)
		return;
	bluez_enter(bluez, BLUEZ_SYNCING, -ETIMEDOUT, "bluetoothd does not answer");
	sync_again(bluez);
}

static int on_owner(sd_bus_message *m, void *userdata, sd_bus_error *error)
{
	struct pb_bluez *bluez = userdata;
	const char *name, *old, *new;

	(void)error;
	if (sd_bus_message_read(m, "sss", &name, &old, &new) <= 0 || bluez->state == BLUEZ_BUS_DOWN)
		return 0;
	bluez_enter(bluez, BLUEZ_ABSENT, -ESRCH, "bluetoothd does not run");
	snprintf(bluez->named, sizeof(bluez->named), "%s", new);
	bluez->sync = sd_bus_slot_unref(bluez->sync);
	if (*new)
		sync_again(bluez);
	return 0;
}

/* ---- the bus ---- */

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

static void bluez_start(struct pb_bluez *bluez)
{
	int r = open_bus(bluez);

	arm_slow(bluez);
	if (r < 0)
		lose_bus(bluez, -ENOLINK, strerrordesc_np(-r));
}

void bluez_need(struct pb_bluez *bluez)
{
	if (bluez->state == BLUEZ_IDLE)
		bluez_start(bluez);
}

static int bluez_on_timer(sd_event_source *source, uint64_t usec, void *userdata)
{
	struct pb_bluez *bluez = userdata;

	(void)source;
	(void)usec;
	if (bluez->state == BLUEZ_BUS_DOWN)
		bluez_start(bluez);
	else if (bluez->state == BLUEZ_SYNCING)
		sync_again(bluez);
	bluez_kick(bluez);
	return 0;
}

/* ---- the pump ---- */

/* Users that gave up for want of something try again, now that it is there. */
static void tell_better(struct pb_bluez *bluez)
{
	bluez->better = false;
	for (struct bluez_user *user = bluez->users; user; user = user->next)
		user->handler->better(user->userdata);
}

static int bluez_on_later(sd_event_source *source, void *userdata)
{
	struct pb_bluez *bluez = userdata;

	(void)source;
	if (bluez->state == BLUEZ_BUS_DOWN && bluez->bus) {
		drop_bus(bluez);
		bluez_arm(bluez, BUS_RETRY_MS);
	}
	if (bluez->suspected)
		doubt(bluez);
	for (struct bluez_user *user = bluez->users; user; user = user->next)
		user->handler->step(user->userdata);
	if (bluez->state == BLUEZ_READY)
		bluez_adapters_pump(bluez);
	if (bluez->better)
		tell_better(bluez);
	return 0;
}

/* ---- life ---- */

static int bluez_add_sources(struct pb_bluez *bluez)
{
	int r = sd_event_add_defer(bluez->event, &bluez->later, bluez_on_later, bluez);

	if (r >= 0)
		r = sd_event_source_set_enabled(bluez->later, SD_EVENT_OFF);
	if (r >= 0)
		r = sd_event_add_time(bluez->event, &bluez->timer, CLOCK_BOOTTIME, UINT64_MAX, 0,
				      bluez_on_timer, bluez);
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
	r = bluez_add_sources(bluez);
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
static void bluez_flush(struct pb_bluez *bluez)
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
	bluez_flush(bluez);
	bluez->state = BLUEZ_BUS_DOWN;
	bluez_mirror_clear(bluez);
	drop_bus(bluez);
	sd_event_source_disable_unref(bluez->later);
	sd_event_source_disable_unref(bluez->timer);
	sd_event_source_disable_unref(bluez->reader);
	sd_event_source_disable_unref(bluez->slow);
	sd_event_unref(bluez->event);
	free(bluez);
	return NULL;
}
