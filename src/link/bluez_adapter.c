/* SPDX-License-Identifier: MIT */
/*
 * What an adapter does next: be switched on, scan, or let the next link connect. It does one of
 * them at a time: a scan and a connection attempt get into each other's way in many controllers.
 */
#include "bluez_adapter.h"

#include "bluez_call.h"
#include "bluez_client.h"
#include "bluez_mirror.h"
#include "bluez_user.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

enum {
	SCAN_RETRY_MS = 3000, /* after a scan that could not be started */
	TURN_MS = 6000,	      /* a first guess of how long a link holds its slot */
};

bool bluez_adapter_usable(const struct bluez_adapter *adapter, const char *name)
{
	return adapter->powered && (!name[0] || strcmp(name, adapter->name) == 0);
}

uint32_t bluez_adapter_limit(const struct pb_bluez *bluez, const struct bluez_adapter *adapter)
{
	for (size_t i = 0; i < bluez->config.limit_count; i++)
		if (strcmp(bluez->config.limits[i].adapter, adapter->name) == 0)
			return bluez->config.limits[i].max_connections;
	return bluez->config.max_connections;
}

/* What just failed is tried again, but not at once. */
static void not_before(struct bluez_adapter *adapter)
{
	adapter->scan_after_ms = pb_now_ms() + SCAN_RETRY_MS;
	bluez_kick_later(adapter->bluez, SCAN_RETRY_MS);
}

/* ---- power ---- */

static int on_power(sd_bus_message *m, void *userdata, sd_bus_error *ret)
{
	struct bluez_adapter *adapter = userdata;
	struct pb_bluez *bluez = adapter->bluez;
	const sd_bus_error *error = sd_bus_message_get_error(m);
	bool on = adapter->powering;
	int code;

	(void)ret;
	adapter->call = sd_bus_slot_unref(adapter->call);
	adapter->powering = adapter->cycling = false;
	bluez_kick(bluez);
	if (!error) {
		/* the signal may have been lost; else this would be asked without end */
		adapter->powered = on;
		adapter->why[0] = '\0';
		return 0;
	}
	code = bluez_error_words(error, adapter->why, sizeof(adapter->why));
	pb_log(PB_LOG_WARNING, "bluetooth: adapter %s can't be switched: %s", adapter->name,
	       adapter->why);
	not_before(adapter);
	if (code == -ETIMEDOUT)
		bluez_suspect(bluez);
	return 0;
}

static int set_power(struct pb_bluez *bluez, struct bluez_adapter *adapter, bool on)
{
	return bluez_call(bluez, &adapter->call, adapter->path, DBUS_PROPS, "Set", on_power,
			  adapter, BLUEZ_CALL_MS, "ssv", BLUEZ_ADAPTER, "Powered", "b", (int)on);
}

static void switch_on(struct pb_bluez *bluez, struct bluez_adapter *adapter)
{
	if (adapter->call || pb_now_ms() < adapter->scan_after_ms)
		return;
	if (set_power(bluez, adapter, true) < 0)
		return;
	adapter->powering = true;
	pb_log(PB_LOG_INFO, "bluetooth: adapter %s is off, switching it on", adapter->name);
}

/* ---- attempts ---- */

void bluez_adapter_attempt(struct pb_bluez *bluez, struct bluez_adapter *adapter, bool good,
			   bool heard)
{
	if (good)
		adapter->failed = 0;
	else if (heard)
		adapter->failed++;
	if (bluez->config.power_cycle_after == 0 ||
	    adapter->failed < bluez->config.power_cycle_after || adapter->call)
		return;
	pb_log(PB_LOG_WARNING,
	       "bluetooth: %u attempts in a row failed on adapter %s, switching it off and on",
	       adapter->failed, adapter->name);
	adapter->failed = 0;
	/* it is switched on again as any adapter that is found off */
	if (set_power(bluez, adapter, false) >= 0)
		adapter->cycling = true;
}

/* Asks the links that are up longest to yield their slots, one for each that waits. */
static void ask_for_room(struct pb_bluez *bluez, const struct bluez_adapter *adapter,
			 uint32_t users)
{
	uint32_t round_ms = turns_round_ms(users, bluez_adapter_limit(bluez, adapter),
					   adapter->turn_ms ? adapter->turn_ms : TURN_MS);
	struct turn *turn;

	for (uint32_t n = turns_short(&bluez->turns, adapter); n > 0; n--) {
		const struct bluez_user *user;

		turn = turns_ask(&bluez->turns, adapter);
		if (!turn)
			return;
		user = turn->owner;
		user->handler->wanted(user->userdata, round_ms);
	}
}

void bluez_adapter_turn(struct bluez_adapter *adapter, uint64_t ms)
{
	adapter->turn_ms = turns_smooth(adapter->turn_ms, ms);
}

void bluez_adapters_forget_failure(struct pb_bluez *bluez)
{
	for (struct bluez_adapter *a = bluez->adapters; a; a = a->next)
		a->why[0] = '\0';
}

/* ---- scanning ---- */

static int on_scan(sd_bus_message *m, void *userdata, sd_bus_error *ret)
{
	struct bluez_adapter *adapter = userdata;
	struct pb_bluez *bluez = adapter->bluez;
	const sd_bus_error *error = sd_bus_message_get_error(m);
	bool starting;

	(void)ret;
	adapter->call = sd_bus_slot_unref(adapter->call);
	starting = adapter->scan == SCAN_STARTING;
	bluez_kick(bluez);
	if (!error || sd_bus_error_has_name(error, "org.bluez.Error.InProgress")) {
		adapter->scan = starting ? SCAN_ON : SCAN_OFF;
		adapter->why[0] = '\0';
		return 0;
	}
	adapter->scan = SCAN_OFF;
	if (starting) {
		not_before(adapter);
		if (bluez_error_words(error, adapter->why, sizeof(adapter->why)) == -ETIMEDOUT)
			bluez_suspect(bluez);
	}
	return 0;
}

static int on_filter(sd_bus_message *m, void *userdata, sd_bus_error *ret)
{
	struct bluez_adapter *adapter = userdata;
	struct pb_bluez *bluez = adapter->bluez;

	(void)m;
	(void)ret;
	adapter->call = sd_bus_slot_unref(adapter->call);
	/* without a filter it still works, only with more to hear */
	if (bluez_call(bluez, &adapter->call, adapter->path, BLUEZ_ADAPTER, "StartDiscovery",
		       on_scan, adapter, BLUEZ_CALL_MS, "") < 0)
		adapter->scan = SCAN_OFF;
	return 0;
}

static void start_scan(struct pb_bluez *bluez, struct bluez_adapter *adapter)
{
	if (adapter->call || pb_now_ms() < adapter->scan_after_ms)
		return;
	if (bluez_call(bluez, &adapter->call, adapter->path, BLUEZ_ADAPTER, "SetDiscoveryFilter",
		       on_filter, adapter, BLUEZ_CALL_MS, "a{sv}", 1, "Transport", "s", "le") >= 0)
		adapter->scan = SCAN_STARTING;
}

static void stop_scan(struct pb_bluez *bluez, struct bluez_adapter *adapter)
{
	if (adapter->scan != SCAN_ON || adapter->call)
		return;
	if (bluez_call(bluez, &adapter->call, adapter->path, BLUEZ_ADAPTER, "StopDiscovery",
		       on_scan, adapter, BLUEZ_CALL_MS, "") >= 0)
		adapter->scan = SCAN_STOPPING;
}

static bool scan_wanted(const struct pb_bluez *bluez, const struct bluez_adapter *adapter)
{
	if (bluez->scanning &&
	    (!bluez->scan_adapter[0] || strcmp(bluez->scan_adapter, adapter->name) == 0))
		return true;
	for (const struct bluez_user *user = bluez->users; user; user = user->next)
		if (user->handler->wants_scan(user->userdata, adapter->name))
			return true;
	return false;
}

/* ---- the pump ---- */

static void adapter_begin(struct bluez_user *user)
{
	turn_begin(&user->turn, pb_now_ms());
	user->handler->begin(user->userdata);
}

static void adapter_pump(struct pb_bluez *bluez, struct bluez_adapter *adapter)
{
	struct turns_view view = turns_view(&bluez->turns, adapter);
	bool wanted = scan_wanted(bluez, adapter);

	if (adapter->powered && !adapter->was_powered) {
		adapter->why[0] = '\0';
		adapter->scan = SCAN_OFF;
		bluez->better = true;
	}
	adapter->was_powered = adapter->powered;
	if (!adapter->powered) {
		if (wanted || view.next)
			switch_on(bluez, adapter);
		return;
	}
	if (view.busy || adapter->cycling)
		return;
	if (view.next && view.held >= bluez_adapter_limit(bluez, adapter)) {
		ask_for_room(bluez, adapter, view.waiting + view.held);
		view.next = NULL;
	}
	if (view.next && adapter->scan == SCAN_OFF && !adapter->call)
		adapter_begin(view.next->owner);
	else if (view.next || !wanted)
		stop_scan(bluez, adapter);
	else if (adapter->scan == SCAN_OFF)
		start_scan(bluez, adapter);
}

void bluez_adapters_pump(struct pb_bluez *bluez)
{
	for (struct bluez_adapter *a = bluez->adapters; a; a = a->next)
		adapter_pump(bluez, a);
}
