/* SPDX-License-Identifier: MIT */
/*
 * A user of BlueZ's client: it wants a connection to a device, and waits for its turn on the
 * adapter. The client knows no more of it than this.
 */
#pragma once

#include "turns.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct bluez_device;
struct bluez_gatt;
struct pb_bluez;

/** Callbacks of the client to a user. All of them must be set; @userdata is the user's. */
struct bluez_user_handler {
	/** Something changed, somewhere: take the next step, if there is one. */
	void (*step)(void *userdata);
	/** Its turn has begun: connect to its device. */
	void (*begin)(void *userdata);
	/** Others wait for its slot. @round_ms: until the turn would come round again. */
	void (*wanted)(void *userdata, uint32_t round_ms);
	/** Something came back: one that gave up should try again. */
	void (*better)(void *userdata);
	/**
	 * Its device goes away, and must not be used after this call. @error, @why: for the owner.
	 */
	void (*gone)(void *userdata, int error, const char *why);
	/** Its device has changed. @all_read: all objects were read, which shows lost signals. */
	void (*changed)(void *userdata, bool all_read);
	/** A service or characteristic, of whatever device, goes away. */
	void (*forget)(void *userdata, const struct bluez_gatt *gatt);
	/** Bytes came as a signal of the characteristic @path, of whatever device. */
	void (*value)(void *userdata, const char *path, const uint8_t *bytes, size_t len);
	/** Nothing can come of it: give up. */
	void (*fail)(void *userdata, int error, const char *why);
	/** @return true: it may be the device that the user looks for. */
	bool (*may_need)(void *userdata, const struct bluez_device *device);
	/** @return true: it is the user's alone, by its address. */
	bool (*owns)(void *userdata, const struct bluez_device *device);
	/** @return true: @adapter must scan, so that the user finds its device. */
	bool (*wants_scan)(void *userdata, const char *adapter);
};

struct bluez_user {
	const struct bluez_user_handler *handler;
	void *userdata;
	struct bluez_user *next;
	struct turn turn;	     /**< LEAVING: a Disconnect is out */
	struct bluez_device *device; /**< while it has a turn, of whatever state */
	int32_t passkey;	     /**< for pairing; PB_NO_PASSKEY: none */
};

/** Adds a user whose handler, userdata and passkey are set. */
void bluez_user_add(struct pb_bluez *bluez, struct bluez_user *user);
void bluez_user_remove(struct pb_bluez *bluez, struct bluez_user *user);
/** Queues for a slot of the adapter of @device. */
void bluez_user_wait(struct pb_bluez *bluez, struct bluez_user *user, struct bluez_device *device);
/** It has no device and no turn any more. */
void bluez_user_end(struct bluez_user *user);
/** @return true: another user has the device, or it is that one's alone. */
bool bluez_device_taken(const struct pb_bluez *bluez, const struct bluez_user *user,
			const struct bluez_device *device);
