/* SPDX-License-Identifier: MIT */
/*
 * The client of BlueZ, which all users share.
 *
 * Whatever happens (a signal, a reply, a timer, a call by an owner) only changes state and calls
 * bluez_kick(). One deferred event source, the pump in bluez.c, then looks at every user and every
 * adapter and does what follows. So no handler is called from inside a call, and no order of events
 * is special.
 */
#pragma once

#include "bluez_call.h"
#include "turns.h"

#include "packbridge/link.h"

#include <systemd/sd-bus.h>
#include <systemd/sd-event.h>

struct bluez_adapter;
struct bluez_device;
struct bluez_gatt;
struct bluez_user;

enum { BLUEZ_OWNER = 256 /**< a bus name with its NUL (D-Bus Specification, "Valid Names") */ };

/*
 *	IDLE --> BUS_DOWN --open--> SYNCING --objects--> READY
 *	            ^                ^   |                 |
 *	            |                |   v no bluetoothd   | a call was not answered
 *	            |                |  ABSENT             |
 *	            '-- bus lost ----+---------------------'
 */
enum bluez_state {
	BLUEZ_IDLE,	/**< nobody needs it yet */
	BLUEZ_BUS_DOWN, /**< tried again by the timer */
	BLUEZ_SYNCING,	/**< GetManagedObjects is out */
	BLUEZ_ABSENT,	/**< nobody has the name org.bluez */
	BLUEZ_READY,
};

struct pb_bluez {
	sd_event *event;
	struct pb_bluez_config config;
	enum bluez_state state;
	int error; /**< when not READY: why, as pb_bluez_trouble() gives it */
	char why[BLUEZ_WHY];
	sd_bus *bus;
	sd_bus_slot *slots[9]; /**< filter, matches and the agent's object */
	size_t slot_count;
	char named[BLUEZ_OWNER]; /**< the unique name of who has org.bluez, as the driver said
				    last; "": nobody. Only its replies are taken */
	char owner[BLUEZ_OWNER]; /**< whose objects are mirrored; "": nobody's. Only its signals and
				    calls are taken */
	sd_bus_slot *naming;	 /**< GetNameOwner is out */
	sd_bus_slot *sync;	 /**< GetManagedObjects is out */
	sd_bus_message *reading; /**< its reply; the bus waits while it is read */
	sd_event_source *reader; /**< reads it, piece by piece */
	sd_bus_slot *agent;
	sd_event_source *later; /**< runs the pump */
	sd_event_source
		*timer; /**< of BUS_DOWN and of a sync that failed; and scans to be tried again */
	sd_event_source *slow; /**< reads again what otherwise only a signal reports */
	bool suspected;	       /**< a call was not answered */
	bool better;	       /**< something came back: users that gave up should try again */
	bool scanning;	       /**< pb_bluez_scan() was called */
	char scan_adapter[PB_ADAPTER_NAME];
	struct turns turns; /**< at the adapters, of @users */
	struct bluez_adapter *adapters;
	struct bluez_device *devices; /**< the newest first */
	size_t device_count;
	struct bluez_gatt *gatts;
	size_t gatt_count;
	struct bluez_user *users;
};

/** Something changed: look at everything, soon. */
void bluez_kick(struct pb_bluez *bluez);
/** Looks at everything once more in @ms, at the latest. */
void bluez_kick_later(struct pb_bluez *bluez, uint64_t ms);
/** Sets the timer of the state. */
void bluez_arm(struct pb_bluez *bluez, uint64_t ms);
/** bluetoothd left a call unanswered: the pump drops all, and goes on when it answers again. */
void bluez_suspect(struct pb_bluez *bluez);
/** Connects to the bus, if that was not done yet. */
void bluez_need(struct pb_bluez *bluez);
