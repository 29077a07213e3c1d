/* SPDX-License-Identifier: MIT */
/* A private bus with the fake bluetoothd (tests/fakebluez) on it, for one test. */
#pragma once

#include <stddef.h>
#include <sys/types.h>

struct bluetooth {
	char folder[64], address[96]; /* of the bus; also in $DBUS_SYSTEM_BUS_ADDRESS */
	pid_t bus, bluez;
	int in, out; /* of the fake; -1: not running */
	char answer[4096];
};

/** Starts the bus, and the fake on it; sets the environment for programs that are started then. */
void bluetooth_start(struct bluetooth *b);
/** The same with one of these policies; bluetooth_start() takes the first. */
void bluetooth_start_with(struct bluetooth *b, const char *policy);
extern const char bluetooth_open_bus[];	  /**< everybody may send anything to everybody */
extern const char bluetooth_debian_bus[]; /**< as Debian's system.conf and bluetooth.conf */
extern const char bluetooth_deaf_bus[];	  /**< nobody hears a signal */
/** Tells the fake a command and gives what it answers behind "ok"; fails the test on "error". */
const char *bluetooth_say(struct bluetooth *b, const char *format, ...)
	__attribute__((format(printf, 2, 3)));
/** A counter of `stats`, e.g. "calls". */
unsigned int bluetooth_count(struct bluetooth *b, const char *name);
/** Kills the fake, or starts it again, without any adapter. */
void bluetooth_kill(struct bluetooth *b);
void bluetooth_serve(struct bluetooth *b);
/** Kills the bus, and the fake with it; or starts it again at the same address. */
void bluetooth_kill_bus(struct bluetooth *b);
void bluetooth_serve_bus(struct bluetooth *b);
void bluetooth_stop(struct bluetooth *b);
