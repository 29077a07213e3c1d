/* SPDX-License-Identifier: MIT */
/*
 * Calls of BlueZ over D-Bus, and what their errors mean. Replies, signals and calls of others than
 * BlueZ and the bus are turned away here.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <systemd/sd-bus.h>

struct pb_bluez;

#define BLUEZ_NAME    "org.bluez"
#define BLUEZ_ADAPTER "org.bluez.Adapter1"
#define BLUEZ_DEVICE  "org.bluez.Device1"
#define BLUEZ_SERVICE "org.bluez.GattService1"
#define BLUEZ_CHAR    "org.bluez.GattCharacteristic1"
#define DBUS_DRIVER   "org.freedesktop.DBus"
#define DBUS_MANAGER  "org.freedesktop.DBus.ObjectManager"
#define DBUS_PROPS    "org.freedesktop.DBus.Properties"

enum {
	BLUEZ_CALL_MS = 8000, /**< a healthy bluetoothd answers these calls within 3 s */
	BLUEZ_WHY = 192,      /**< room for words about what is wrong */
};

/**
 * Calls a method of BlueZ; @done gets the reply or the error. @types and what follows as for
 * sd_bus_message_append(). @slot owns the call: unref it to cancel @done.
 */
int bluez_call(struct pb_bluez *bluez, sd_bus_slot **slot, const char *path, const char *interface,
	       const char *method, sd_bus_message_handler_t done, void *userdata,
	       uint64_t timeout_ms, const char *types, ...);
/** The same for a message that is made already. */
int bluez_send(struct pb_bluez *bluez, sd_bus_slot **slot, sd_bus_message *m,
	       sd_bus_message_handler_t done, void *userdata, uint64_t timeout_ms);
/** The same as bluez_call(), without waiting for the answer. */
void bluez_tell(struct pb_bluez *bluez, const char *path, const char *interface,
		const char *method);
/**
 * What an error reply means to a person.
 * @return a negative errno for its kind: -ETIMEDOUT no answer from bluetoothd, -EACCES no
 *         permission, -EKEYREJECTED pairing, -EHOSTUNREACH the device does not answer, -EALREADY
 *         another program has the characteristic, -EIO else.
 */
int bluez_error_words(const sd_bus_error *error, char *why, size_t why_cap);

/** @return true: the bus itself sent @m, or sd-bus made it. */
bool bluez_is_of_bus(sd_bus_message *m);
/**
 * The filter that every signal and every call passes first. @userdata: the struct pb_bluez.
 * @return 1: it is dropped, 0: it goes on to its handler.
 */
int bluez_admit(sd_bus_message *m, void *userdata, sd_bus_error *error);
