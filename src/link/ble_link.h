/* SPDX-License-Identifier: MIT */
/*
 * The inner parts of a `ble:` link: ble.c is the link, ble_find.c chooses the device, ble_connect.c
 * connects, ble_pipe.c transfers the bytes, ble_state.c ends the connection.
 */
#pragma once

#include "ble_address.h"
#include "bluez_call.h"
#include "bluez_client.h"
#include "bluez_mirror.h"
#include "bluez_user.h"

#include "packbridge/base.h"
#include "packbridge/link.h"

#include <systemd/sd-bus.h>
#include <systemd/sd-event.h>

/*
 *	CLOSED --open()--> FINDING --> QUEUED --its turn--> CLEARING --> CONNECTING --> PAIRING
 *	  ^                              ^                                 |               |
 *	  |                              |                                 v               v
 *	  |                              '-- device gone     UP <-- SUBSCRIBING <--- RESOLVING
 *	  |
 *	  '--down-- FAILED <-- any of them
 */
enum ble_state {
	BLE_CLOSED,
	BLE_FINDING,  /**< the device is being looked for */
	BLE_QUEUED,   /**< waits for its turn on the adapter */
	BLE_CLEARING, /**< a connection that was left over is being ended */
	BLE_CONNECTING,
	BLE_PAIRING,
	BLE_RESOLVING,	 /**< BlueZ looks at the device's services */
	BLE_SUBSCRIBING, /**< notifications and writing are being set up */
	BLE_UP,
	BLE_FAILED, /**< the owner will be told */
};

enum { BLE_OUT_MAX = 1024, BLE_PIPES_MAX = 16 };

struct ble_link {
	struct pb_link head;
	struct pb_bluez *bluez;
	struct bluez_user user;
	char name[64];
	struct ble_address address;
	uint32_t limit_ms;
	enum ble_state state;
	char path[BLUEZ_PATH]; /**< of the device of its last turn */
	bool must_see; /**< the last attempt failed: connect only when its advertisement is received
			*/
	bool waiting;  /**< went down by itself: open() may succeed when something comes back */
	int error;     /**< FAILED: the error for down() */
	char why[BLUEZ_WHY];
	sd_event_source *timer;
	sd_bus_slot *call; /**< what the state waits for */
	sd_bus_slot *leave_call;
	size_t pipe_count;
	const struct pb_pipe
		*pipes[BLE_PIPES_MAX]; /**< that the pack may have; no two are the same */
	/* the pipe, while SUBSCRIBING and UP */
	size_t pipe; /**< of @pipes, in use or being tried */
	int refusal; /**< why the first one could not be had; 0: it was not refused */
	char refusal_why[BLUEZ_WHY];
	const struct bluez_gatt *notify, *write;
	int notify_fd, write_fd;
	sd_event_source *notify_io, *write_io;
	bool command;		 /**< write without response */
	bool command_known;	 /**< it is known which of the two works */
	unsigned int unanswered; /**< requests since bytes came last */
	size_t write_max;	 /**< bytes a write */
	bool writing;		 /**< a WriteValue is pending */
	size_t out_len, out_done;
	uint8_t out[BLE_OUT_MAX];
};

/** Wakes ble_on_timer() of ble.c. */
void ble_arm(struct ble_link *ble, uint64_t ms);
/** Releases all that the state holds; the caller sets the next state. */
void ble_let_go(struct ble_link *ble);
/** Ends the link; the owner gets down() from the event loop. */
void ble_fail(struct ble_link *ble, int error, const char *format, ...) PB_PRINTF(3, 4);
/** The device goes away: looks for it again, or fails if there is a connection. */
void ble_gone(struct ble_link *ble, int error, const char *why);
/** Bytes can flow: tells the owner. */
void ble_ready(struct ble_link *ble);
/** Closes the descriptors and forgets the characteristics and what waits to be sent. */
void ble_drop_pipe(struct ble_link *ble);
/** Closes *@fd, if there is one, and sets it to -1. */
void ble_close_fd(int *fd);
