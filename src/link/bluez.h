/* SPDX-License-Identifier: MIT */
/*
 * The BlueZ client, seen from inside: a mirror of BlueZ's objects, the connection to the bus, the
 * adapters' queues, and the links that use them.
 *
 * Whatever happens (a signal, a reply, a timer, a call by an owner) only changes state and calls
 * bluez_kick(); one deferred event source then looks at every link and every adapter and does what
 * follows. So no handler is called from inside a call, and no order of events is special.
 */
#pragma once

#include "ble_address.h"
#include "turns.h"

#include "packbridge/base.h"
#include "packbridge/link.h"

#include <systemd/sd-bus.h>
#include <systemd/sd-event.h>

#define BLUEZ_NAME    "org.bluez"
#define BLUEZ_ADAPTER "org.bluez.Adapter1"
#define BLUEZ_DEVICE  "org.bluez.Device1"
#define BLUEZ_SERVICE "org.bluez.GattService1"
#define BLUEZ_CHAR    "org.bluez.GattCharacteristic1"
#define DBUS_MANAGER  "org.freedesktop.DBus.ObjectManager"
#define DBUS_PROPS    "org.freedesktop.DBus.Properties"

enum {
	BLUEZ_PATH = 128,
	BLUEZ_CALL_MS = 8000, /**< a healthy bluetoothd answers these calls within 3 s */
	BLUEZ_WHY = 192,
	BLUEZ_OWNER = 256, /**< a bus name with its NUL (D-Bus Specification, "Valid Names") */
};

/* ---- the mirror: bluez_objects.c ---- */

enum bluez_scan { SCAN_OFF, SCAN_STARTING, SCAN_ON, SCAN_STOPPING };

struct bluez_adapter {
	struct bluez_adapter *next;
	struct pb_bluez *bluez;
	char path[BLUEZ_PATH];
	char name[PB_ADAPTER_NAME]; /**< the last part of @path */
	bool powered;
	bool discovering; /**< for anybody; as last read, not followed */
	bool listed;	  /**< in the reply that is being read */
	/* ours */
	bool was_powered; /**< at the last look */
	enum bluez_scan scan;
	sd_bus_slot *call;	/**< of scan or power */
	bool powering;		/**< Powered is being set to true */
	bool cycling;		/**< off as the first half of a power cycle */
	uint64_t scan_after_ms; /**< no scan before this: the last one could not be started */
	unsigned int failed;	/**< attempts in a row that failed though the pack was heard */
	uint32_t turn_ms;	/**< how long a link holds its place, smoothed */
	char why[BLUEZ_WHY];	/**< why it can't be switched on or can't scan; "": it can */
};

struct bluez_device {
	struct bluez_device *next;
	char path[BLUEZ_PATH];
	struct bluez_adapter *adapter;
	struct pb_advert advert;
	bool connected, resolved, paired;
	bool listed;   /**< in the reply that is being read */
	bool has_rssi; /**< heard in the running scan */
	bool heard;    /**< in any scan of ours */
	int16_t rssi;  /**< the last one heard; 127: not told (Core Specification, HCI) */
};

static inline bool bluez_rssi_known(const struct bluez_device *device)
{
	return device->heard && device->rssi != 127;
}

enum {
	GATT_NOTIFY = 1 << 0,
	GATT_WRITE = 1 << 1,   /**< with response */
	GATT_COMMAND = 1 << 2, /**< without */
	GATT_INDICATE = 1 << 3,
	GATT_READ = 1 << 4,
};

/** A service or a characteristic. */
struct bluez_gatt {
	struct bluez_gatt *next;
	char path[BLUEZ_PATH];
	char uuid[37];
	bool service;
	bool listed;	    /**< in the reply that is being read */
	unsigned int flags; /**< set of GATT_... */
	uint16_t mtu;	    /**< 0: not told */
};

struct pb_bluez;
struct ble_link;

/**
 * Begins to take what GetManagedObjects answered. Until bluez_objects_read() is done, no signal may
 * be taken: it would be newer than the reply.
 */
void bluez_objects_begin(struct pb_bluez *bluez, sd_bus_message *reply);
/**
 * Takes the next objects, a bounded number of them.
 * @return true while there are more; false: all are taken, and what was not among them is dropped.
 */
bool bluez_objects_read(struct pb_bluez *bluez, sd_bus_message *reply);
void bluez_objects_clear(struct pb_bluez *bluez);
int bluez_objects_on_added(sd_bus_message *m, void *userdata, sd_bus_error *error);
int bluez_objects_on_removed(sd_bus_message *m, void *userdata, sd_bus_error *error);
int bluez_objects_on_changed(sd_bus_message *m, void *userdata, sd_bus_error *error);
struct bluez_device *bluez_device_find(struct pb_bluez *bluez, const char *path);
struct bluez_adapter *bluez_adapter_find(struct pb_bluez *bluez, const char *path);
/** @return the number NNNN of a UUID 0000NNNN-0000-1000-8000-00805F9B34FB; 0: another UUID. */
uint16_t bluez_uuid16(const char *uuid);

/* ---- the client: bluez.c ---- */

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
	sd_event_source *slow; /**< asks again for what only a signal could tell */
	bool better;	       /**< something came back: links that gave up should try again */
	bool scanning;	       /**< pb_bluez_scan() was called */
	char scan_adapter[PB_ADAPTER_NAME];
	struct turns turns; /**< on the adapters, of @links */
	struct bluez_adapter *adapters;
	struct bluez_device *devices; /**< the newest first */
	size_t device_count;
	struct bluez_gatt *gatts;
	size_t gatt_count;
	struct ble_link *links;
};

/** Something changed: look at everything, soon. */
void bluez_kick(struct pb_bluez *bluez);
/** Looks at everything once more in @ms, at the latest. */
void bluez_kick_later(struct pb_bluez *bluez, uint64_t ms);
/** Connects to the bus, if that was not done yet. */
void bluez_need(struct pb_bluez *bluez);
/** bluetoothd left a call unanswered: drop all, and go on when it answers again. */
void bluez_suspect(struct pb_bluez *bluez);

/**
 * Calls a method of BlueZ; @done gets the reply or the error. @types and what follows as for
 * sd_bus_message_append(). @slot owns the call: unref it to be told nothing.
 */
int bluez_call(struct pb_bluez *bluez, sd_bus_slot **slot, const char *path, const char *interface,
	       const char *method, sd_bus_message_handler_t done, void *userdata,
	       uint64_t timeout_ms, const char *types, ...);
/** The same for a message that is made already. */
int bluez_send(struct pb_bluez *bluez, sd_bus_slot **slot, sd_bus_message *m,
	       sd_bus_message_handler_t done, void *userdata, uint64_t timeout_ms);
/** The same as bluez_call(), and nobody waits for the answer. */
void bluez_tell(struct pb_bluez *bluez, const char *path, const char *interface,
		const char *method);
/**
 * What an error reply means to a person.
 * @return a negative errno for its kind: -ETIMEDOUT no answer from bluetoothd, -EACCES no
 *         permission, -EKEYREJECTED pairing, -EHOSTUNREACH the device does not answer, -EALREADY
 *         another program has the characteristic, -EIO else.
 */
int bluez_error_words(const sd_bus_error *error, char *why, size_t why_cap);

/* ---- adapters: bluez_adapter.c ---- */

/** Scan, power, whose turn it is. */
void bluez_adapters_pump(struct pb_bluez *bluez);
/** An attempt ended. @heard: the pack was there, so it may be the adapter's fault. */
void bluez_adapter_attempt(struct pb_bluez *bluez, struct bluez_adapter *adapter, bool good,
			   bool heard);
/** A link held its place so long. */
void bluez_adapter_turn(struct bluez_adapter *adapter, uint64_t ms);
/** A link gave up because the adapters are off: the next one tries to switch them on again. */
void bluez_adapters_forget_failure(struct pb_bluez *bluez);
/** The adapter goes away. */
void bluez_adapter_drop(struct bluez_adapter *adapter);
uint32_t bluez_adapter_limit(const struct pb_bluez *bluez, const struct bluez_adapter *adapter);
/** @return true when there is such an adapter and it is on. */
bool bluez_adapter_usable(const struct bluez_adapter *adapter, const char *name);

/* ---- agent: bluez_agent.c ---- */

extern const sd_bus_vtable bluez_agent_vtable[];
#define BLUEZ_AGENT_PATH "/org/packbridge/agent"
void bluez_agent_register(struct pb_bluez *bluez);

/* ---- links: ble.c and ble_pipe.c ---- */

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

enum { BLE_OUT_MAX = 1024 };

struct ble_link {
	struct pb_link head;
	struct pb_bluez *bluez;
	struct ble_link *next;
	char name[64];
	struct ble_address address;
	uint32_t limit_ms;
	int32_t passkey;
	enum ble_state state;
	struct bluez_device *device; /**< from QUEUED on, and while leaving */
	char path[BLUEZ_PATH];	     /**< of the last device that it had its turn with */
	bool must_see;		     /**< the last attempt failed: connect only when it is heard */
	bool waiting; /**< down by itself: an open() may be worthwhile when something comes back */
	struct turn turn; /**< LEAVING: a Disconnect is out; a new open() waits for its end */
	int error;	  /**< FAILED: what to tell */
	char why[BLUEZ_WHY];
	sd_event_source *timer;
	sd_bus_slot *call; /**< what the state waits for */
	sd_bus_slot *leave_call;
	/* the pipe, while SUBSCRIBING and UP */
	size_t pipe; /**< which of those that are known */
	int refusal; /**< why the first one could not be had; 0: it was not refused */
	char refusal_why[BLUEZ_WHY];
	const struct bluez_gatt *notify, *write;
	int notify_fd, write_fd;
	sd_event_source *notify_io, *write_io;
	bool command;		 /**< write without response */
	bool command_known;	 /**< which of the two works was found out */
	unsigned int unanswered; /**< requests since bytes came last */
	size_t write_max;	 /**< bytes a write */
	bool writing;		 /**< a WriteValue is out */
	size_t out_len, out_done;
	uint8_t out[BLE_OUT_MAX];
};

/** One look at a link: what follows from what is known now? */
void ble_step(struct ble_link *ble);
/** The adapter gives the link its turn. */
void ble_begin(struct ble_link *ble);
/** The device is gone from the bus, or its connection has ended. */
void ble_device_gone(struct ble_link *ble, int error, const char *why);
void ble_device_changed(struct ble_link *ble);
/** Ends the link; the owner hears of it from the loop. */
void ble_fail(struct ble_link *ble, int error, const char *format, ...) PB_PRINTF(3, 4);
/** Bytes came as a signal; beside a descriptor they are nobody's. */
void ble_signalled(struct ble_link *ble, const uint8_t *bytes, size_t len);
/** @return true when the device may be what the link looks for, or is. */
bool ble_may_need(const struct ble_link *ble, const struct bluez_device *device);
/** The link is ready for bytes. */
void ble_ready(struct ble_link *ble);

/** Sets notifications and writing up; ends in ble_ready() or ble_fail(). */
void ble_pipe_start(struct ble_link *ble);
void ble_pipe_stop(struct ble_link *ble);
/** Hands over what came before the connection ended: its signal may overtake the bytes. */
void ble_pipe_drain(struct ble_link *ble);
/** @return 0; -ENOBUFS: more is waiting than the pipe holds. */
int ble_pipe_send(struct ble_link *ble, const uint8_t *bytes, size_t len);
/** A service or characteristic is gone. */
void ble_pipe_forget(struct ble_link *ble, const struct bluez_gatt *gatt);
