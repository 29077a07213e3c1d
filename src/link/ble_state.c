/* SPDX-License-Identifier: MIT */
/*
 * How a `ble:` link comes up and goes down: what each state holds, and how that is let go.
 *
 *	from QUEUED on       a device, and a turn at its adapter
 *	CLEARING to UP       a connection: it ends with Disconnect, behind which the slot is free
 *	SUBSCRIBING and UP   characteristics, descriptors, bytes that wait
 */
#include "ble_find.h"
#include "ble_link.h"
#include "bluez_adapter.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

void ble_close_fd(int *fd)
{
	if (*fd >= 0)
		close(*fd);
	*fd = -1;
}

void ble_drop_pipe(struct ble_link *ble)
{
	ble->notify_io = sd_event_source_disable_unref(ble->notify_io);
	ble->write_io = sd_event_source_disable_unref(ble->write_io);
	ble_close_fd(&ble->notify_fd);
	ble_close_fd(&ble->write_fd);
	ble->notify = ble->write = NULL;
	ble->writing = false;
	ble->out_len = ble->out_done = 0;
}

void ble_arm(struct ble_link *ble, uint64_t ms)
{
	sd_event_source_set_time_relative(ble->timer, ms * 1000);
	sd_event_source_set_enabled(ble->timer, SD_EVENT_ONESHOT);
}

static int on_left(sd_bus_message *m, void *userdata, sd_bus_error *ret)
{
	struct ble_link *ble = userdata;
	const sd_bus_error *error = sd_bus_message_get_error(m);
	char why[BLUEZ_WHY];

	(void)ret;
	ble->leave_call = sd_bus_slot_unref(ble->leave_call);
	bluez_user_end(&ble->user);
	bluez_kick(ble->bluez);
	if (error && bluez_error_words(error, why, sizeof(why)) == -ETIMEDOUT)
		bluez_suspect(ble->bluez);
	return 0;
}

/* Ends the connection; the slot of the adapter is free when BlueZ says so. */
static void leave(struct ble_link *ble)
{
	struct bluez_device *device = ble->user.device;
	bool attempt = ble->user.turn.state == TURN_STARTING;

	if (attempt)
		bluez_adapter_attempt(ble->bluez, device->adapter, false, device->heard);
	else
		bluez_adapter_turn(device->adapter, pb_now_ms() - ble->user.turn.since_ms);
	if ((attempt || device->connected) &&
	    bluez_call(ble->bluez, &ble->leave_call, device->path, BLUEZ_DEVICE, "Disconnect",
		       on_left, ble, BLUEZ_CALL_MS, "") >= 0)
		turn_leave(&ble->user.turn);
	else
		bluez_user_end(&ble->user);
}

/* Lets go of all that the state had; what comes next is the caller's to say. */
void ble_let_go(struct ble_link *ble)
{
	ble->call = sd_bus_slot_unref(ble->call);
	sd_event_source_set_enabled(ble->timer, SD_EVENT_OFF);
	ble_drop_pipe(ble);
	if (turn_is_granted(&ble->user.turn))
		leave(ble);
	else if (ble->user.turn.state != TURN_LEAVING)
		bluez_user_end(&ble->user);
	bluez_kick(ble->bluez);
}

static void enter_failed(struct ble_link *ble, int error, const char *why)
{
	ble->state = BLE_FAILED;
	ble->error = error;
	snprintf(ble->why, sizeof(ble->why), "%s", why);
}

void ble_fail(struct ble_link *ble, int error, const char *format, ...)
{
	char why[BLUEZ_WHY];
	va_list args;

	va_start(args, format);
	vsnprintf(why, sizeof(why), format, args);
	va_end(args);
	/* BlueZ's own words may be in it */
	pb_text_clean(why, sizeof(why), why, strlen(why));
	if (ble->state == BLE_CLOSED || ble->state == BLE_FAILED)
		return;
	if (ble->state >= BLE_CLEARING && ble->state < BLE_UP)
		ble->must_see = true;
	ble_let_go(ble);
	enter_failed(ble, error, why);
}

void ble_gone(struct ble_link *ble, int error, const char *why)
{
	enum ble_state state = ble->state;

	ble->leave_call = sd_bus_slot_unref(ble->leave_call);
	ble->call = sd_bus_slot_unref(ble->call);
	ble_drop_pipe(ble);
	bluez_user_end(&ble->user);
	bluez_kick(ble->bluez);
	if (state == BLE_QUEUED) {
		ble->state = BLE_FINDING;
		ble_arm(ble, BLE_FIND_MS);
	} else if (state >= BLE_CLEARING && state <= BLE_UP) {
		sd_event_source_set_enabled(ble->timer, SD_EVENT_OFF);
		enter_failed(ble, error, why);
	}
}

void ble_ready(struct ble_link *ble)
{
	char mac[BLE_MAC_TEXT];

	sd_event_source_set_enabled(ble->timer, SD_EVENT_OFF);
	ble->state = BLE_UP;
	ble->must_see = false;
	turn_up(&ble->user.turn);
	bluez_adapter_attempt(ble->bluez, ble->user.device->adapter, true, true);
	bluez_kick(ble->bluez);
	if (!ble->address.has_mac) {
		/* from now on it is this device, whatever else answers to the name */
		ble->address.has_mac = true;
		memcpy(ble->address.mac, ble->user.device->advert.mac, sizeof(ble->address.mac));
		ble_mac_print(mac, ble->address.mac);
		pb_log(PB_LOG_INFO, "bluetooth: %s is %s, '%s'", ble->name, mac,
		       ble->user.device->advert.name);
	}
	ble->head.handler->up(ble->head.userdata);
}
