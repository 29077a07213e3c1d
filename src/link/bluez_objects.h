/* SPDX-License-Identifier: MIT */
/* Reads BlueZ's messages about its objects into the mirror. */
#pragma once

#include <stdbool.h>
#include <systemd/sd-bus.h>

struct pb_bluez;

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

/** Handlers of signals that bluez_admit() let in. @userdata: the struct pb_bluez. */
int bluez_objects_on_added(sd_bus_message *m, void *userdata, sd_bus_error *error);
int bluez_objects_on_removed(sd_bus_message *m, void *userdata, sd_bus_error *error);
int bluez_objects_on_changed(sd_bus_message *m, void *userdata, sd_bus_error *error);
