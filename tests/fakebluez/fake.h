/* SPDX-License-Identifier: MIT */
/*
 * A bluetoothd for tests: adapters and packs that a test makes and breaks by commands on stdin.
 * What it sends and in which order is what bluetoothd 5.66 was seen to do (the VM test runs the
 * real one); behind each pack is a simulated board.
 *
 * objects.c answers D-Bus, air.c is what happens between adapters and packs, main.c the commands.
 */
#pragma once

#include "packbridge/base.h"
#include "packbridge/sim.h"

#include <systemd/sd-bus.h>
#include <systemd/sd-event.h>

enum { ADAPTERS_MAX = 4, PACKS_MAX = 32, PATH_SIZE = 96, VALUE_MAX = 512 };

struct pack;

/** A service or, behind it, a characteristic of a radio module. */
struct gatt_part {
	uint16_t uuid;	/* 0: the end */
	uint8_t handle; /* behind that of the first service */
	bool service, notify, write;
	const char *refuses; /* to notify: BlueZ's text; NULL: it does not */
	bool nordic;	     /* the UUID is of Nordic's UART service, of 128 bits */
	bool silent; /* ... and as BlueZ before 5.84 has it: AcquireNotify is not answered */
};

struct adapter {
	bool exists, present, powered, scanning;
	char name[16], path[PATH_SIZE], address[18];
	unsigned int links, links_max;
};

/** A pack as one adapter knows it: org.bluez.Device1. */
struct device {
	struct pack *pack;
	struct adapter *adapter;
	char path[PATH_SIZE];
	bool known;	/* listed */
	bool heard;	/* has an RSSI */
	bool temporary; /* forgotten when the scan ends, unless it was connected */
	bool connected, resolved, paired, ghost, gatt;
	unsigned int service; /* its handle, part of the paths; another one after `moved` */
	sd_bus_message *connecting, *disconnecting, *pairing;
	int notify_fd, write_fd;
	sd_event_source *write_io;
	bool notifying;
	const struct gatt_part *heard_on; /* which notifies; NULL: none */
	const struct gatt_part *written;  /* by write_fd */
	const struct gatt_part *stuck;	  /* has an AcquireNotify that was not answered */
};

struct pack {
	bool exists;
	char mac[18], name[96];
	struct pb_sim sim;
	struct pb_sim_talk talk;
	uint64_t moved_ms;
	struct device devices[ADAPTERS_MAX];
	unsigned int adapters; /* set of those that hear it */
	struct device *link;   /* the one central that it has; NULL: none */
	bool out, phone, mute, half;
	unsigned int fails;
	int life; /* one more whenever what was under way is void */
	/* options */
	int rssi;
	unsigned int chunk, mtu, connect_ms, resolve_ms, disconnect_ms, reply_ms, fail_ms, wake,
		hangup;
	const struct gatt_part *shape;
	bool command, request, acquire, no_name;
	char maker;	  /* whose data it advertises: y JBD, d Daly, j JK; 0 none */
	bool unannounced; /* Connected is not signalled, as slow machines have it */
	char dead;	  /* 'c' or 'r': writes of this type are lost */
	char password[8];
	int passkey;
	bool log;     /* prints what it is sent */
	bool outside; /* its board is on the other side of stdin and stdout */
	int counting; /* 0: the model's own values */
	int counted;
	/* the board and its module */
	unsigned int wakes_left, connects, requests, answered, offences;
	bool streaming, still; /* sends by itself; but not before the next request */
	bool unlocked;
	uint8_t random;
	size_t in_len, in_taken; /* of it: whole requests that will be answered */
	uint8_t in[1024];
	size_t request_len;
	uint8_t request_bytes[300];
};

struct fake {
	sd_event *event;
	sd_bus *bus;
	struct adapter adapters[ADAPTERS_MAX];
	struct pack packs[PACKS_MAX];
	char agent_owner[32], agent_path[PATH_SIZE];
	unsigned int crowd; /* devices of others on hci0, which are only listed */
	unsigned int calls, connects, discoveries, overlaps, connects_while_scanning;
};

extern struct fake fake;

/* objects.c */
int objects_message(sd_bus_message *m, void *userdata, sd_bus_error *error);
void emit_added(const char *path);
void emit_device_removed(struct device *device);
void emit_gatt_added(struct device *device);
void emit_gatt_removed(struct device *device);
void emit_adapter_removed(struct adapter *adapter);
/** PropertiesChanged with one property of @interface; an RSSI that is gone is invalidated. */
void emit_changed(const char *path, const char *interface, const char *property);
void emit_value(struct device *device, const uint8_t *bytes, size_t len);
void reply_error(sd_bus_message **m, const char *name, const char *text);
void reply_done(sd_bus_message **m);
/** @return the shape that `service=` names; NULL: there is none. */
const struct gatt_part *gatt_shape(const char *name);
/** @return the service that a part belongs to, or is. */
const struct gatt_part *gatt_service(const struct gatt_part *part);

/* air.c */
void after(unsigned int ms, void (*func)(struct device *device), struct device *device);
void air_scan(struct adapter *adapter, bool on);
void air_power(struct adapter *adapter, bool on);
void air_connect(struct device *device, sd_bus_message *m);
void air_disconnect(struct device *device, sd_bus_message *m);
void air_pair(struct device *device, sd_bus_message *m);
/** The link ends: descriptors first, then the properties (@signals_ms later). */
void air_drop(struct device *device, unsigned int signals_ms);
int air_acquire_notify(struct device *device);
int air_acquire_write(struct device *device);
void air_write(struct device *device, const struct gatt_part *part, const uint8_t *bytes,
	       size_t len, char type);
/** A pack whose board is outside sends these bytes, if it is connected. */
void air_say(struct pack *pack, const char *hex);
void air_moved(struct pack *pack);
void air_advertise(struct pack *pack);
void air_ghost(struct device *device);
void air_linger(struct device *device);
