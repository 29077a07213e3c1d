/* SPDX-License-Identifier: MIT */
/*
 * A link: a pipe of bytes to one pack. It knows no battery and keeps no history; the session
 * decides when to open it again.
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

/** What a link tells its owner, always from the event loop, never from inside a call on the link.
 */
struct pb_link_handler {
	/** Bytes can flow. Once after each open(). */
	void (*up)(void *userdata);
	/**
	 * The link did not come up, or ended. Nothing follows until open() is called again.
	 * @error: negative errno; @why: a few words for a person, good during the call.
	 */
	void (*down)(void *userdata, int error, const char *why);
	/** Received bytes, at least one, good during the call. */
	void (*data)(void *userdata, const uint8_t *bytes, size_t len);
	/**
	 * After down(): what stood in the way is gone, an open() is worthwhile now. May be NULL; a
	 * hint only, and the one event that a closed link sends.
	 */
	void (*retry)(void *userdata);
	/**
	 * While up: other links wait for the place that this one holds; close() it as soon as it
	 * suits, and open() again for the next turn. May be NULL. At most once after each up().
	 * @round_ms: how long it will take about until the turn comes round again.
	 */
	void (*wanted)(void *userdata, uint32_t round_ms);
	/**
	 * A request that waited for its turn leaves the moment this returns: no reply can answer it
	 * that was measured before. Follows a send() that returned 1. May be NULL.
	 */
	void (*sent)(void *userdata);
};

/** What a link is made of. Pointers are borrowed: @address for the call, the others for its life.
 */
struct pb_link_setup {
	const char *address; /**< what follows "NAME:" */
	sd_event *event;
	struct pb_bluez *bluez;		/**< what all `ble:` links share; others need none */
	struct pb_multidrop *multidrop; /**< what taps share; others need none */
	/**
	 * For `ble:` links: lists of pipes that the pack may have, each ended by one without a
	 * service, the lists by NULL. The first pipe that it has is used. The lists are borrowed
	 * for the call, the pipes for the link's life. NULL: none.
	 */
	const struct pb_pipe *const *pipes;
	const char *name;  /**< of the pack, for logs; NULL: the address */
	uint32_t limit_ms; /**< of an attempt, for links with @self_timed */
	int32_t passkey;   /**< for pairing, 0..999999; PB_NO_PASSKEY: none */
	const struct pb_link_handler *handler;
	void *userdata;
};

enum { PB_NO_PASSKEY = -1 };

/** One kind of link. The functions that take a pb_link work on a link of this kind only. */
struct pb_link_type {
	const char *name;  /**< what stands before the ':' */
	const char *usage; /**< e.g. "tcp:HOST:PORT" */
	const char *doc;   /**< one line for people */

	/**
	 * Opening takes as long as it takes: the link may have to wait for its turn, and limits
	 * each attempt itself (@limit_ms). Else the owner closes a link that does not come up.
	 */
	bool self_timed;

	/**
	 * Checks the address and makes a closed link.
	 * @ret NULL: only check; nothing but @setup->address is looked at.
	 * @return 0; -EINVAL with the reason in @why (up to @why_cap bytes); -ENOMEM.
	 */
	int (*create)(struct pb_link **ret, const struct pb_link_setup *setup, char *why,
		      size_t why_cap);
	/**
	 * Writes what is one text for one device, however @address, which create() let pass, spells
	 * it; "": nothing, any number may be there. For two packs that are one. May look at files,
	 * asks nobody.
	 */
	void (*identity)(const char *address, char *out, size_t cap);
	/** @return name of the protocol that is spoken there; NULL: not known. May be NULL. */
	const char *(*speaks)(const char *address);
	/** Starts connecting. @return 0: up or down will follow; -EALREADY when not closed. */
	int (*open)(struct pb_link *link);
	/** Ends at once; no event follows. May be called at any time, from a handler too. */
	void (*close)(struct pb_link *link);
	/**
	 * Sends a request. All of it is taken, or the link goes down.
	 * @return 0; 1 when it waits for its turn: handler->sent() follows, unless the link ends
	 *         before; -ENOTCONN when the link is not up; -EMSGSIZE above 1024 bytes.
	 */
	int (*send)(struct pb_link *link, const uint8_t *bytes, size_t len);
	/**
	 * The last request was answered, or its answer is not waited for any more: others may send.
	 * May be called at any time. NULL: there are no others.
	 */
	void (*done)(struct pb_link *link);
	/**
	 * Who is at the far end, as far as it is known. @return false: nobody yet. NULL: this kind
	 * never knows.
	 */
	bool (*advert)(struct pb_link *link, struct pb_advert *ret);
	/**
	 * Shows what the link found at the far end, line by line; for `probe`. NULL: nothing to
	 * show.
	 */
	void (*describe)(struct pb_link *link, void (*line)(void *userdata, const char *text),
			 void *userdata);
	/** Signal strength in dBm. @return false: there is none. NULL: this kind never has one. */
	bool (*rssi)(struct pb_link *link, int32_t *ret_dbm);
	/** Frees; not from inside a handler. */
	void (*free)(struct pb_link *link);
};

/** The head of every link object; each kind puts its own members behind. */
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
 * The line owns the real link. Each pack has a *tap*, which is a link like any other:
 *
 *	session a -- tap --.
 *	session b -- tap --+-- line -- serial: or tcp: -- boards a, b, c
 *	session c -- tap --'
 *
 * The real link is open while any tap is. Requests wait for their turn, in the order in which they
 * came. One exchange is on the line at a time: from its request until done(), close() or the end
 * of the link. Then the line is silent for a gap, and the next request leaves. What comes during
 * an exchange goes to its tap, whichever board sent it: to know the own board's frames is up to the
 * codec. What comes between exchanges goes to nobody.
 *
 * A pack that is silent costs the others the time that its session waits for a reply. Then its
 * session calls done(), and asks ever more rarely; closing its tap leaves those of the others open.
 */
struct pb_multidrop;

/**
 * @type, @setup: the real link; its handler and userdata are the line's own. It must not be
 * self-timed.
 * @gap_ms: silence between an exchange and the next request, of whichever tap.
 * @return 0; -EINVAL with the reason in @why; -ENOMEM.
 */
int pb_multidrop_new(struct pb_multidrop **ret, const struct pb_link_type *type,
		     const struct pb_link_setup *setup, uint32_t gap_ms, char *why, size_t why_cap);
/** Another owner of the same line. Taps are owners, too. @return @line. */
struct pb_multidrop *pb_multidrop_ref(struct pb_multidrop *line);
/** One owner less: the last one frees it. */
struct pb_multidrop *pb_multidrop_unref(struct pb_multidrop *line);
PB_DEFINE_FREEP(struct pb_multidrop, pb_multidrop_unref)
/** The gap from now on. */
void pb_multidrop_set_gap(struct pb_multidrop *line, uint32_t gap_ms);

/** A tap of pb_link_setup.multidrop; its address is not looked at. */
extern const struct pb_link_type pb_link_tap;

/* ---- Bluetooth: what the `ble:` links of a program share ---- */

enum { PB_ADAPTER_NAME = 16 };

/** A limit that differs from the one for all adapters. */
struct pb_adapter_limit {
	char adapter[PB_ADAPTER_NAME]; /**< "hci0" */
	uint32_t max_connections;
};

struct pb_bluez_config {
	uint32_t max_connections;   /**< at a time on one adapter, at least 1 */
	uint32_t power_cycle_after; /**< failed attempts in a row on an adapter; 0: never */
	bool acquire; /**< move bytes through descriptors if BlueZ can; else through D-Bus */
	size_t limit_count;
	const struct pb_adapter_limit *limits; /**< borrowed */
};

/**
 * A client of BlueZ (org.bluez on the system bus, or on $DBUS_SYSTEM_BUS_ADDRESS). It connects when
 * the first link is opened or the first scan begun, and again whenever the bus went away.
 * @return 0; -ENOMEM and the like.
 */
int pb_bluez_new(struct pb_bluez **ret, sd_event *event, const struct pb_bluez_config *config);
/** Other settings from now on; connections that are there stay. */
void pb_bluez_configure(struct pb_bluez *bluez, const struct pb_bluez_config *config);
/** After all its links. */
struct pb_bluez *pb_bluez_free(struct pb_bluez *bluez);
PB_DEFINE_FREEP(struct pb_bluez, pb_bluez_free)

/** A device as a scan shows it. */
struct pb_seen {
	struct pb_advert advert;
	char adapter[PB_ADAPTER_NAME];
	bool has_rssi;
	int32_t rssi_dbm;
	bool connected; /**< to this machine, by whomever */
	bool paired;
};

/** Scans from now on, until the client is freed. @adapter: "hci0", or "" for all. */
int pb_bluez_scan(struct pb_bluez *bluez, const char *adapter);
/** Calls @each for every device that was heard since, or is connected. Borrowed pointers. */
void pb_bluez_seen(struct pb_bluez *bluez, void (*each)(void *userdata, const struct pb_seen *seen),
		   void *userdata);
/**
 * Why scanning, or opening a link, can't go on now, in words with a remedy.
 * @return -ENOLINK no D-Bus, -EACCES no permission on it, -ESRCH no bluetoothd, -ETIMEDOUT
 *         bluetoothd does not answer, -ENODEV no adapter, -ENETDOWN the adapter is off; 0: nothing
 *         stands in the way.
 */
int pb_bluez_trouble(struct pb_bluez *bluez, const char *adapter, char *why, size_t why_cap);
