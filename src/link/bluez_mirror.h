/* SPDX-License-Identifier: MIT */
/*
 * The mirror of BlueZ's objects: adapters, devices, services and characteristics. bluez_objects.c
 * fills it from BlueZ's messages.
 */
#pragma once

#include "bluez_call.h"

#include "packbridge/base.h"
#include "packbridge/link.h"

#include <systemd/sd-bus.h>

enum { BLUEZ_PATH = 128 };

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
	uint32_t turn_ms;	/**< how long a user holds its slot, smoothed */
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
	int16_t rssi;  /**< the last one received; 127: not reported (Core Specification, HCI) */
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
	uint16_t mtu;	    /**< 0: not reported */
};

struct bluez_device *bluez_device_find(struct pb_bluez *bluez, const char *path);
struct bluez_adapter *bluez_adapter_find(struct pb_bluez *bluez, const char *path);
struct bluez_gatt *bluez_gatt_find(struct pb_bluez *bluez, const char *path);

/** The object of that path, made if it is new. @return NULL: there is no room or memory for it. */
struct bluez_adapter *bluez_adapter_make(struct pb_bluez *bluez, const char *path);
struct bluez_device *bluez_device_make(struct pb_bluez *bluez, const char *path);
struct bluez_gatt *bluez_gatt_make(struct pb_bluez *bluez, const char *path);

/** An object is gone, with all objects below it. @error, @why: for the users of a device. */
void bluez_adapter_drop(struct pb_bluez *bluez, struct bluez_adapter *adapter, int error,
			const char *why);
void bluez_device_drop(struct pb_bluez *bluez, struct bluez_device *device, int error,
		       const char *why);
void bluez_gatt_drop(struct pb_bluez *bluez, struct bluez_gatt *gatt);
/** Drops all objects; users get the client's own error. */
void bluez_mirror_clear(struct pb_bluez *bluez);

/** @return the number NNNN of a UUID 0000NNNN-0000-1000-8000-00805F9B34FB; 0: another UUID. */
uint16_t bluez_uuid16(const char *uuid);
