/* SPDX-License-Identifier: MIT */
/*
 * A link: a two-way stream of bytes to one pack. It does not know the battery protocol and keeps no
 * history; the session decides when to open it again.
 *
 *	closed --open()--> opening --up--> open --down--> closed
 *	                      '-----down-----------------^      close(): closed, without an event
 */
#pragma once

#include "packbridge/base.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct sd_event sd_event;

struct pb_bluez;
struct pb_link;

/**
 * Events of a link, for its owner. Called from the event loop, never from inside a call on the
 * link.
 */
struct pb_link_handler {
	/** Bytes can flow. Once after each open(). */
	void (*up)(void *userdata);
	/**
	 * The link did not come up, or ended. Nothing follows until open() is called again.
	 * @error: negative errno; @why: a few words for a person, valid during the call.
	 */
	void (*down)(void *userdata, int error, const char *why);
	/** Received bytes, at least one, valid during the call. */
	void (*data)(void *userdata, const uint8_t *bytes, size_t len);
	/**
	 * After down(): the obstacle is gone, so open() may succeed now. Only a hint, and the only
	 * event of a closed link. May be NULL.
	 */
	void (*retry)(void *userdata);
	/**
	 * While up: other links wait for the slot that this one holds. close() it when convenient,
	 * and open() it again for the next turn. At most once after each up(). May be NULL.
	 * @round_ms: estimated time until the next turn of this link.
	 */
	void (*wanted)(void *userdata, uint32_t round_ms);
	/**
	 * A request that waited for its turn is sent when this returns. A reply measured before
	 * that time cannot be its answer. Follows a send() that returned 1. May be NULL.
	 */
	void (*sent)(void *userdata);
};

/**
 * Input of pb_link_type.create(). @address is borrowed for the call, the other pointers for the
 * life of the link.
 */
struct pb_link_setup {
	const char *address; /**< the part after "NAME:" */
	sd_event *event;
	struct pb_bluez *bluez;		/**< shared by all `ble:` links; NULL for others */
	struct pb_multidrop *multidrop; /**< shared by taps; NULL for others */
	/**
	 * For `ble:` links: lists of the pipes that the pack may have. Each list ends with a pipe
	 * without a service, and NULL ends the lists. The first pipe that the pack has is used. The
	 * lists are borrowed for the call, the pipes for the life of the link. NULL: none.
	 */
	const struct pb_pipe *const *pipes;
	const char *name;  /**< of the pack, for logs; NULL: the address */
	uint32_t limit_ms; /**< time limit of an attempt, for links with @self_timed */
	int32_t passkey;   /**< for pairing, 0..999999; PB_NO_PASSKEY: none */
	const struct pb_link_handler *handler;
	void *userdata;
};

enum { PB_NO_PASSKEY = -1 };

/** One kind of link. Its functions take links of this kind only. */
struct pb_link_type {
	const char *name;  /**< the part before the ':' */
	const char *usage; /**< e.g. "tcp:HOST:PORT" */
	const char *doc;   /**< one line for people */

	/**
	 * true: the link limits each attempt itself (@limit_ms), and may have to wait for its turn
	 * for any time. false: the owner closes a link that does not come up in time.
	 */
	bool self_timed;

	/**
	 * Checks the address and makes a closed link. @ret NULL: only check; only @setup->address
	 * is used.
	 * @return 0; -EINVAL with the reason in @why (up to @why_cap bytes); -ENOMEM.
	 */
	int (*create)(struct pb_link **ret, const struct pb_link_setup *setup, char *why,
		      size_t why_cap);
	/**
	 * Writes a canonical text for the device at @address, which create() accepted. Two
	 * spellings of one device give the same text; so two packs with one device are found. "":
	 * any number of packs may have this address. May look at files, but waits for nobody. Each
	 * row of pb_links[] has it.
	 */
	void (*identity)(const char *address, char *out, size_t cap);
	/** @return name of the protocol at @address; NULL: not known. May be NULL. */
	const char *(*speaks)(const char *address);
	/** Starts connecting. @return 0: up() or down() follows; -EALREADY when not closed. */
	int (*open)(struct pb_link *link);
	/** Closes at once; no event follows. May be called at any time, also from a handler. */
	void (*close)(struct pb_link *link);
	/**
	 * Sends a request, completely or the link goes down.
	 * @return 0; 1: it waits for its turn; handler->sent() follows, unless the link ends first;
	 *         -ENOTCONN when the link is not up; -EMSGSIZE above 1024 bytes.
	 */
	int (*send)(struct pb_link *link, const uint8_t *bytes, size_t len);
	/**
	 * The last request was answered, or its reply is no longer expected: other packs may send.
	 * May be called at any time. NULL: the link is not shared.
	 */
	void (*done)(struct pb_link *link);
	/**
	 * Gives the advertisement of the device at the far end. @return false: not known yet. NULL:
	 * this kind has none.
	 */
	bool (*advert)(struct pb_link *link, struct pb_advert *ret);
	/**
	 * Describes what the link found at the far end, line by line; for `probe`. NULL: nothing to
	 * describe.
	 */
	void (*describe)(struct pb_link *link, void (*line)(void *userdata, const char *text),
			 void *userdata);
	/** Signal strength in dBm. @return false: not known. NULL: this kind has none. */
	bool (*rssi)(struct pb_link *link, int32_t *ret_dbm);
	/** Frees; not from inside a handler. */
	void (*free)(struct pb_link *link);
};

/** The head of every link object; each kind appends its own members. */
struct pb_link {
	const struct pb_link_type *type;
	const struct pb_link_handler *handler;
	void *userdata;
};

struct pb_link *pb_link_free(struct pb_link *link);

enum { PB_LINK_IDENTITY = 512 /**< room for an identity */ };

extern const struct pb_link_type pb_link_tcp;
extern const struct pb_link_type pb_link_ble;
extern const struct pb_link_type pb_link_serial;

/* ---- multi-drop: one serial line, or TCP connection, that several packs share ---- */

/*
 * The line owns the real link. Each pack has a *tap*, which is used like any other link:
 *
 *	session a -- tap --.
 *	session b -- tap --+-- line -- serial: or tcp: -- boards a, b, c
 *	session c -- tap --'
 *
 * The real link is open while any tap is open. Requests wait for their turn, first come, first
 * served. One exchange is on the line at a time: from its request until done(), close() or the end
 * of the link. Then the line is silent for a gap, and the next request is sent. Bytes received
 * during an exchange go to its tap, whichever board sent them: the codec must recognise the frames
 * of its own board. Bytes between exchanges are dropped.
 *
 * A silent pack delays the others by the reply timeout of its session. Then its session calls
 * done() and polls less and less often. Closing its tap leaves the other taps open.
 */
struct pb_multidrop;

/**
 * @type, @setup: the real link; the line sets its own handler and userdata. It must not be
 * self-timed.
 * @gap_ms: silence between an exchange and the next request of any tap.
 * @return 0; -EINVAL with the reason in @why; -ENOMEM.
 */
int pb_multidrop_new(struct pb_multidrop **ret, const struct pb_link_type *type,
		     const struct pb_link_setup *setup, uint32_t gap_ms, char *why, size_t why_cap);
/** Adds a reference to the line. Taps have references, too. @return @line. */
struct pb_multidrop *pb_multidrop_ref(struct pb_multidrop *line);
/** Drops a reference; the last one frees the line. */
struct pb_multidrop *pb_multidrop_unref(struct pb_multidrop *line);
PB_DEFINE_FREEP(struct pb_multidrop, pb_multidrop_unref)
/** Sets the gap for all exchanges from now on. */
void pb_multidrop_set_gap(struct pb_multidrop *line, uint32_t gap_ms);

/** A tap of pb_link_setup.multidrop; its address is not used. */
extern const struct pb_link_type pb_link_tap;

/* ---- Bluetooth: shared by all `ble:` links ---- */

enum { PB_ADAPTER_NAME = 16 };

/** The limit of one adapter, where it differs from the general one. */
struct pb_adapter_limit {
	char adapter[PB_ADAPTER_NAME]; /**< "hci0" */
	uint32_t max_connections;
};

struct pb_bluez_config {
	uint32_t max_connections;   /**< at a time on one adapter, at least 1 */
	uint32_t power_cycle_after; /**< failed attempts in a row on an adapter; 0: never */
	bool acquire; /**< true: transfer bytes through descriptors if BlueZ can; else through D-Bus
		       */
	size_t limit_count;
	const struct pb_adapter_limit *limits; /**< borrowed */
};

/**
 * A client of BlueZ (org.bluez on the system bus, or on $DBUS_SYSTEM_BUS_ADDRESS). It connects when
 * the first link is opened or the first scan begins, and again whenever the bus connection is lost.
 * @return 0; -ENOMEM and the like.
 */
int pb_bluez_new(struct pb_bluez **ret, sd_event *event, const struct pb_bluez_config *config);
/** Changes the settings; existing connections stay. */
void pb_bluez_configure(struct pb_bluez *bluez, const struct pb_bluez_config *config);
/** Call it after all its links are freed. */
struct pb_bluez *pb_bluez_free(struct pb_bluez *bluez);
PB_DEFINE_FREEP(struct pb_bluez, pb_bluez_free)

/** A device as a scan shows it. */
struct pb_seen {
	struct pb_advert advert;
	char adapter[PB_ADAPTER_NAME];
	bool has_rssi;
	int32_t rssi_dbm;
	bool connected; /**< to this machine, by any program */
	bool paired;
};

/** Scans from now on, until the client is freed. @adapter: "hci0", or "" for all. */
int pb_bluez_scan(struct pb_bluez *bluez, const char *adapter);
/**
 * Calls @each for every device that was received since pb_bluez_scan() or is connected. Pointers
 * are borrowed.
 */
void pb_bluez_seen(struct pb_bluez *bluez, void (*each)(void *userdata, const struct pb_seen *seen),
		   void *userdata);
/**
 * Explains why scanning or opening a link is not possible now, with a remedy.
 * @return -ENOLINK no D-Bus, -EACCES no permission on it, -ESRCH no bluetoothd, -ETIMEDOUT
 *         bluetoothd does not answer, -ENODEV no adapter, -ENETDOWN the adapter is off; 0: no
 *         obstacle.
 */
int pb_bluez_trouble(struct pb_bluez *bluez, const char *adapter, char *why, size_t why_cap);
