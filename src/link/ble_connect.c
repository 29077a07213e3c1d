/* SPDX-License-Identifier: MIT */
/*
 * Connecting to the device, from the begin of the turn until bytes can flow:
 *
 *	Disconnect (if it is connected)  CLEARING
 *	Connect                          CONNECTING
 *	Pair (if there is a passkey)     PAIRING
 *	ServicesResolved                 RESOLVING
 *	notifications, writing           SUBSCRIBING, in ble_pipe.c
 *
 * A pack takes one central only and does not advertise while it has one, so a connection is always
 * ended explicitly, also one that an earlier program left behind.
 */
#include "ble_connect.h"

#include "ble_link.h"
#include "ble_pipe.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

enum { CALL_SLACK_MS = 5000 /* our own timer ends a call before its time limit does */ };

/* The reply of the call that the state waits for. @return false: the link has failed. */
static bool replied(struct ble_link *ble, sd_bus_message *m, const char *step)
{
	const sd_bus_error *error = sd_bus_message_get_error(m);
	char why[BLUEZ_WHY];
	int code;

	ble->call = sd_bus_slot_unref(ble->call);
	if (!error || sd_bus_error_has_name(error, "org.bluez.Error.AlreadyConnected") ||
	    sd_bus_error_has_name(error, "org.bluez.Error.AlreadyExists"))
		return true;
	code = bluez_error_words(error, why, sizeof(why));
	ble_fail(ble, code, "%s: %s", step, why);
	if (code == -ETIMEDOUT)
		bluez_suspect(ble->bluez);
	return false;
}

static void call_device(struct ble_link *ble, const char *method, sd_bus_message_handler_t done)
{
	int r = bluez_call(ble->bluez, &ble->call, ble->user.device->path, BLUEZ_DEVICE, method,
			   done, ble, ble->limit_ms + CALL_SLACK_MS, "");

	if (r < 0)
		ble_fail(ble, r, "%s: %s", method, strerrordesc_np(-r));
}

static void resolve(struct ble_link *ble)
{
	ble->state = BLE_RESOLVING;
	ble_connect_changed(ble);
}

static int on_paired(sd_bus_message *m, void *userdata, sd_bus_error *error)
{
	struct ble_link *ble = userdata;

	(void)error;
	if (replied(ble, m, "pairing")) {
		pb_log(PB_LOG_INFO, "bluetooth: %s is paired", ble->name);
		resolve(ble);
	}
	return 0;
}

static int on_connected(sd_bus_message *m, void *userdata, sd_bus_error *error)
{
	struct ble_link *ble = userdata;

	(void)error;
	if (!replied(ble, m, "connecting"))
		return 0;
	/* BlueZ 5.66 on a slow machine never signals Connected (seen in tests/vm): its reply is
	 * enough */
	ble->user.device->connected = true;
	if (ble->user.passkey == PB_NO_PASSKEY || ble->user.device->paired) {
		resolve(ble);
		return 0;
	}
	ble->state = BLE_PAIRING;
	call_device(ble, "Pair", on_paired);
	return 0;
}

static void connect_device(struct ble_link *ble)
{
	ble->state = BLE_CONNECTING;
	call_device(ble, "Connect", on_connected);
}

static int on_cleared(sd_bus_message *m, void *userdata, sd_bus_error *error)
{
	struct ble_link *ble = userdata;

	(void)error;
	ble->call = sd_bus_slot_unref(ble->call);
	/* without a connection to end, Connect will show what the device is worth; else its end
	 * is waited for, which somebody's earlier Disconnect may bring */
	if (!ble->user.device->connected ||
	    sd_bus_message_is_method_error(m, "org.bluez.Error.NotConnected"))
		connect_device(ble);
	return 0;
}

void ble_connect(struct ble_link *ble)
{
	snprintf(ble->path, sizeof(ble->path), "%s", ble->user.device->path);
	ble_arm(ble, ble->limit_ms);
	if (!ble->user.device->connected) {
		connect_device(ble);
		return;
	}
	pb_log(PB_LOG_INFO, "bluetooth: %s is connected already, ending that first", ble->name);
	ble->state = BLE_CLEARING;
	call_device(ble, "Disconnect", on_cleared);
}

void ble_connect_changed(struct ble_link *ble)
{
	if (ble->state == BLE_CLEARING && !ble->user.device->connected && !ble->call)
		connect_device(ble);
	if (ble->state < BLE_RESOLVING || ble->state > BLE_UP)
		return;
	if (!ble->user.device->connected) {
		ble_pipe_drain(ble);
		ble_fail(ble, -ENOTCONN, "the pack ended the connection");
	} else if (ble->state == BLE_RESOLVING && ble->user.device->resolved) {
		ble_pipe_start(ble);
	}
}

static const char *step_words(enum ble_state state)
{
	switch (state) {
	case BLE_CLEARING:
		return "the old connection did not end";
	case BLE_CONNECTING:
		return "no answer (out of range, off, or connected to another central)";
	case BLE_PAIRING:
		return "pairing did not end";
	case BLE_RESOLVING:
		return "connected, but its services were not found";
	case BLE_SUBSCRIBING:
		return "connected, but notifications could not be switched on";
	case BLE_CLOSED:
	case BLE_FINDING:
	case BLE_QUEUED:
	case BLE_UP:
	case BLE_FAILED:
		break;
	}
	return "nothing happened";
}

void ble_connect_timeout(struct ble_link *ble)
{
	ble_fail(ble, ble->state == BLE_CONNECTING ? -EHOSTUNREACH : -ETIMEDOUT, "%s within %u s",
		 step_words(ble->state), ble->limit_ms / 1000);
}
