/* SPDX-License-Identifier: MIT */
/*
 * ble:ADDRESS, a pack over Bluetooth Low Energy.
 *
 * A pack takes one central only and does not advertise while it has one, so a connection is always
 * ended explicitly, also one that an earlier program left behind.
 */
#include "bluez.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum {
	FIND_MS = 20000,      /* of scanning, until a pack counts as not there */
	CALL_SLACK_MS = 5000, /* our own timer ends a call before its time limit does */
};

static struct ble_link *ble_of(struct pb_link *link)
{
	assert(link->type == &pb_link_ble);
	return (struct ble_link *)link;
}

/* ---- letting go ---- */

static void arm(struct ble_link *ble, uint64_t ms)
{
	sd_event_source_set_time_relative(ble->timer, ms * 1000);
	sd_event_source_set_enabled(ble->timer, SD_EVENT_ONESHOT);
}

/* It has no device any more, and no slot. */
static void drop_device(struct ble_link *ble)
{
	turn_end(&ble->turn);
	ble->device = NULL;
}

static int on_left(sd_bus_message *m, void *userdata, sd_bus_error *ret)
{
	struct ble_link *ble = userdata;
	const sd_bus_error *error = sd_bus_message_get_error(m);
	char why[BLUEZ_WHY];

	(void)ret;
	ble->leave_call = sd_bus_slot_unref(ble->leave_call);
	drop_device(ble);
	bluez_kick(ble->bluez);
	if (error && bluez_error_words(error, why, sizeof(why)) == -ETIMEDOUT)
		bluez_suspect(ble->bluez);
	return 0;
}

/* Ends the connection; the slot of the adapter is free when BlueZ says so. */
static void leave(struct ble_link *ble)
{
	struct bluez_device *device = ble->device;
	bool attempt = ble->turn.state == TURN_STARTING;

	if (attempt)
		bluez_adapter_attempt(ble->bluez, device->adapter, false, device->heard);
	else
		bluez_adapter_turn(device->adapter, pb_now_ms() - ble->turn.since_ms);
	if ((attempt || device->connected) &&
	    bluez_call(ble->bluez, &ble->leave_call, device->path, BLUEZ_DEVICE, "Disconnect",
		       on_left, ble, BLUEZ_CALL_MS, "") >= 0)
		turn_leave(&ble->turn);
	else
		drop_device(ble);
}

/* Lets go of all that the state had; what comes next is the caller's to say. */
static void let_go(struct ble_link *ble)
{
	ble->call = sd_bus_slot_unref(ble->call);
	sd_event_source_set_enabled(ble->timer, SD_EVENT_OFF);
	ble_pipe_stop(ble);
	if (turn_is_granted(&ble->turn))
		leave(ble);
	else if (ble->turn.state != TURN_LEAVING)
		drop_device(ble);
	bluez_kick(ble->bluez);
}

static void fail(struct ble_link *ble, int error, const char *why)
{
	if (ble->state == BLE_CLOSED || ble->state == BLE_FAILED)
		return;
	if (ble->state >= BLE_CLEARING && ble->state < BLE_UP)
		ble->must_see = true;
	let_go(ble);
	ble->state = BLE_FAILED;
	ble->error = error;
	snprintf(ble->why, sizeof(ble->why), "%s", why);
}

void ble_fail(struct ble_link *ble, int error, const char *format, ...)
{
	char why[BLUEZ_WHY];
	va_list args;

	va_start(args, format);
	vsnprintf(why, sizeof(why), format, args);
	va_end(args);
	/* BlueZ's own words may be in it */
	fail(ble, error, pb_text_clean(why, sizeof(why), why, strlen(why)));
}

void ble_device_gone(struct ble_link *ble, int error, const char *why)
{
	enum ble_state state = ble->state;

	ble->leave_call = sd_bus_slot_unref(ble->leave_call);
	ble->call = sd_bus_slot_unref(ble->call);
	ble_pipe_stop(ble);
	drop_device(ble);
	bluez_kick(ble->bluez);
	if (state == BLE_QUEUED) {
		ble->state = BLE_FINDING;
		arm(ble, FIND_MS);
	} else if (state >= BLE_CLEARING && state <= BLE_UP) {
		sd_event_source_set_enabled(ble->timer, SD_EVENT_OFF);
		ble->state = BLE_FAILED;
		ble->error = error;
		snprintf(ble->why, sizeof(ble->why), "%s", why);
	}
}

/* ---- connecting, step by step ---- */

/* The reply of the call that the state waits for. @return false: the link has failed. */
static bool replied(struct ble_link *ble, sd_bus_message *m, const char *step)
{
	const sd_bus_error *error = sd_bus_message_get_error(m);
	char why[BLUEZ_WHY];
	int code;

	ble->call = sd_bus_slot_unref(ble->call);
	if (!error || sd_bus_error_has_name(error, "org.bluez.Error.AlreadyConnected") ||
	    sd_bus_error_has_name(error, "org.bluez.Error.AlreadyExists"))
		return true;
	code = bluez_error_words(error, why, sizeof(why));
	ble_fail(ble, code, "%s: %s", step, why);
	if (code == -ETIMEDOUT)
		bluez_suspect(ble->bluez);
	return false;
}

static void call_device(struct ble_link *ble, const char *method, sd_bus_message_handler_t done)
{
	int r = bluez_call(ble->bluez, &ble->call, ble->device->path, BLUEZ_DEVICE, method, done,
			   ble, ble->limit_ms + CALL_SLACK_MS, "");

	if (r < 0)
		ble_fail(ble, r, "%s: %s", method, strerrordesc_np(-r));
}

static void resolve(struct ble_link *ble)
{
	ble->state = BLE_RESOLVING;
	ble_device_changed(ble);
}

static int on_paired(sd_bus_message *m, void *userdata, sd_bus_error *error)
{
	struct ble_link *ble = userdata;

	(void)error;
	if (replied(ble, m, "pairing")) {
		pb_log(PB_LOG_INFO, "bluetooth: %s is paired", ble->name);
		resolve(ble);
	}
	return 0;
}

static int on_connected(sd_bus_message *m, void *userdata, sd_bus_error *error)
{
	struct ble_link *ble = userdata;

	(void)error;
	if (!replied(ble, m, "connecting"))
		return 0;
	/* BlueZ 5.66 on a slow machine never signals Connected (seen in tests/vm): its reply is
	 * enough */
	ble->device->connected = true;
	if (ble->passkey == PB_NO_PASSKEY || ble->device->paired) {
		resolve(ble);
		return 0;
	}
	ble->state = BLE_PAIRING;
	call_device(ble, "Pair", on_paired);
	return 0;
}

static void connect_device(struct ble_link *ble)
{
	ble->state = BLE_CONNECTING;
	call_device(ble, "Connect", on_connected);
}

static int on_cleared(sd_bus_message *m, void *userdata, sd_bus_error *error)
{
	struct ble_link *ble = userdata;

	(void)error;
	ble->call = sd_bus_slot_unref(ble->call);
	/* without a connection to end, Connect will show what the device is worth; else its end
	 * is waited for, which somebody's earlier Disconnect may bring */
	if (!ble->device->connected ||
	    sd_bus_message_is_method_error(m, "org.bluez.Error.NotConnected"))
		connect_device(ble);
	return 0;
}

void ble_begin(struct ble_link *ble)
{
	turn_begin(&ble->turn, pb_now_ms());
	snprintf(ble->path, sizeof(ble->path), "%s", ble->device->path);
	arm(ble, ble->limit_ms);
	if (!ble->device->connected) {
		connect_device(ble);
		return;
	}
	pb_log(PB_LOG_INFO, "bluetooth: %s is connected already, ending that first", ble->name);
	ble->state = BLE_CLEARING;
	call_device(ble, "Disconnect", on_cleared);
}

void ble_device_changed(struct ble_link *ble)
{
	if (ble->state == BLE_CLEARING && !ble->device->connected && !ble->call)
		connect_device(ble);
	if (ble->state < BLE_RESOLVING || ble->state > BLE_UP)
		return;
	if (!ble->device->connected) {
		ble_pipe_drain(ble);
		fail(ble, -ENOTCONN, "the pack ended the connection");
	} else if (ble->state == BLE_RESOLVING && ble->device->resolved) {
		ble_pipe_start(ble);
	}
}

void ble_ready(struct ble_link *ble)
{
	char mac[BLE_MAC_TEXT];

	sd_event_source_set_enabled(ble->timer, SD_EVENT_OFF);
	ble->state = BLE_UP;
	ble->must_see = false;
	turn_up(&ble->turn);
	bluez_adapter_attempt(ble->bluez, ble->device->adapter, true, true);
	bluez_kick(ble->bluez);
	if (!ble->address.has_mac) {
		/* from now on it is this device, whatever else answers to the name */
		ble->address.has_mac = true;
		memcpy(ble->address.mac, ble->device->advert.mac, sizeof(ble->address.mac));
		ble_mac_print(mac, ble->address.mac);
		pb_log(PB_LOG_INFO, "bluetooth: %s is %s, '%s'", ble->name, mac,
		       ble->device->advert.name);
	}
	ble->head.handler->up(ble->head.userdata);
}

/* ---- finding ---- */

static bool taken(const struct ble_link *ble, const struct bluez_device *device)
{
	for (const struct ble_link *other = ble->bluez->links; other; other = other->next) {
		if (other == ble)
			continue;
		if (other->device == device ||
		    (other->address.has_mac && memcmp(other->address.mac, device->advert.mac,
						      sizeof(device->advert.mac)) == 0))
			return true;
	}
	return false;
}

static bool has_room(const struct ble_link *ble, const struct bluez_adapter *adapter)
{
	return turns_claims(&ble->bluez->turns, adapter) < bluez_adapter_limit(ble->bluez, adapter);
}

/* How good a device is for the link; 0: not to be used now. */
static int merit(const struct ble_link *ble, const struct bluez_device *device)
{
	int merit = 1;

	if (!bluez_adapter_usable(device->adapter, ble->address.adapter) ||
	    !ble_address_match(&ble->address, &device->advert, device->adapter->name))
		return 0;
	if (!ble->address.has_mac && taken(ble, device))
		return 0;
	if (device->has_rssi)
		merit += 500 + device->rssi;
	else if (device->connected)
		merit += 300;
	else if (ble->must_see || !ble->address.has_mac)
		return 0;
	return merit + (has_room(ble, device->adapter) ? 1000 : 0);
}

bool ble_may_need(const struct ble_link *ble, const struct bluez_device *device)
{
	return ble->device == device ||
	       ble_address_match(&ble->address, &device->advert, device->adapter->name);
}

static struct bluez_device *pick(const struct ble_link *ble)
{
	struct bluez_device *best = NULL;
	int most = 0;

	for (struct bluez_device *d = ble->bluez->devices; d; d = d->next) {
		int m = merit(ble, d);

		if (m > most) {
			most = m;
			best = d;
		}
	}
	return best;
}

static void find(struct ble_link *ble)
{
	struct bluez_device *device;
	char why[BLUEZ_WHY];
	int code;

	if (ble->turn.state == TURN_LEAVING) /* until the last connection has ended */
		return;
	code = pb_bluez_trouble(ble->bluez, ble->address.adapter, why, sizeof(why));
	if (code < 0 && code != -EAGAIN) {
		bluez_adapters_forget_failure(ble->bluez);
		fail(ble, code, why);
		return;
	}
	device = code == 0 ? pick(ble) : NULL;
	if (!device)
		return;
	ble->device = device;
	ble->state = BLE_QUEUED;
	turn_wait(&ble->bluez->turns, &ble->turn, device->adapter);
	sd_event_source_set_enabled(ble->timer, SD_EVENT_OFF);
}

static void not_found(struct ble_link *ble)
{
	char why[BLUEZ_WHY];
	int code = pb_bluez_trouble(ble->bluez, ble->address.adapter, why, sizeof(why));

	if (code < 0)
		fail(ble, code == -EAGAIN ? -ETIMEDOUT : code, why);
	else
		ble_fail(ble, -EHOSTUNREACH,
			 "not heard in %d s of scanning: out of range, off, or connected to "
			 "another central",
			 FIND_MS / 1000);
}

static const char *step_words(enum ble_state state)
{
	switch (state) {
	case BLE_CLEARING:
		return "the old connection did not end";
	case BLE_CONNECTING:
		return "no answer (out of range, off, or connected to another central)";
	case BLE_PAIRING:
		return "pairing did not end";
	case BLE_RESOLVING:
		return "connected, but its services were not found";
	case BLE_SUBSCRIBING:
		return "connected, but notifications could not be switched on";
	case BLE_CLOSED:
	case BLE_FINDING:
	case BLE_QUEUED:
	case BLE_UP:
	case BLE_FAILED:
		break;
	}
	return "nothing happened";
}

static int on_timer(sd_event_source *source, uint64_t usec, void *userdata)
{
	struct ble_link *ble = userdata;

	(void)source;
	(void)usec;
	if (ble->state == BLE_FINDING)
		not_found(ble);
	else if (ble->state >= BLE_CLEARING && ble->state < BLE_UP)
		ble_fail(ble, ble->state == BLE_CONNECTING ? -EHOSTUNREACH : -ETIMEDOUT,
			 "%s within %u s", step_words(ble->state), ble->limit_ms / 1000);
	return 0;
}

void ble_step(struct ble_link *ble)
{
	if (ble->state == BLE_FINDING)
		find(ble);
	else if (ble->state == BLE_QUEUED &&
		 !bluez_adapter_usable(ble->device->adapter, ble->address.adapter))
		ble_device_gone(ble, 0, ""); /* look for it again, perhaps elsewhere */
	else if (ble->state >= BLE_CLEARING && ble->state <= BLE_UP &&
		 !ble->device->adapter->powered)
		ble_fail(ble, -ENETDOWN, "adapter %s was switched off", ble->device->adapter->name);
	if (ble->state != BLE_FAILED)
		return;
	ble->state = BLE_CLOSED;
	ble->waiting = true;
	ble->head.handler->down(ble->head.userdata, ble->error, ble->why);
}

/* ---- the link ---- */

static int link_open(struct pb_link *link)
{
	struct ble_link *ble = ble_of(link);

	if (ble->state != BLE_CLOSED)
		return -EALREADY;
	ble->state = BLE_FINDING;
	ble->waiting = false;
	arm(ble, FIND_MS);
	bluez_need(ble->bluez);
	bluez_kick(ble->bluez);
	return 0;
}

static void link_close(struct pb_link *link)
{
	struct ble_link *ble = ble_of(link);

	ble->waiting = false;
	if (ble->state == BLE_CLOSED)
		return;
	if (ble->state != BLE_FAILED)
		let_go(ble);
	ble->state = BLE_CLOSED;
}

static int link_send(struct pb_link *link, const uint8_t *bytes, size_t len)
{
	struct ble_link *ble = ble_of(link);

	if (ble->state != BLE_UP)
		return -ENOTCONN;
	if (len > BLE_OUT_MAX)
		return -EMSGSIZE;
	if (ble_pipe_send(ble, bytes, len) < 0)
		fail(ble, -ENOBUFS, "the pack takes no more bytes");
	return 0;
}

static bool link_advert(struct pb_link *link, struct pb_advert *ret)
{
	struct ble_link *ble = ble_of(link);

	if (!ble->device)
		return false;
	*ret = ble->device->advert;
	return true;
}

static bool link_rssi(struct pb_link *link, int32_t *ret_dbm)
{
	struct ble_link *ble = ble_of(link);

	if (!ble->device || !bluez_rssi_known(ble->device))
		return false;
	*ret_dbm = ble->device->rssi;
	return true;
}

static void gatt_line(char *out, size_t cap, const struct bluez_gatt *gatt)
{
	static const char *const words[] = {"notify", "write", "write-without-response", "indicate",
					    "read"};
	int at = snprintf(out, cap, "%s %s", gatt->service ? "service" : "  characteristic",
			  gatt->uuid);

	for (size_t i = 0; i < PB_ARRAY_SIZE(words); i++)
		if (gatt->flags >> i & 1 && at > 0 && (size_t)at < cap)
			at += snprintf(out + at, cap - (size_t)at, " %s", words[i]);
	if (gatt->mtu && at > 0 && (size_t)at < cap)
		snprintf(out + at, cap - (size_t)at, ", MTU %u", gatt->mtu);
}

/* The object below @path that comes next to @last in the order of paths, which is that of handles.
 */
static const struct bluez_gatt *next_gatt(const struct pb_bluez *bluez, const char *path,
					  const struct bluez_gatt *last)
{
	const struct bluez_gatt *next = NULL;

	for (const struct bluez_gatt *g = bluez->gatts; g; g = g->next)
		if (strncmp(g->path, path, strlen(path)) == 0 &&
		    (!last || strcmp(g->path, last->path) > 0) &&
		    (!next || strcmp(g->path, next->path) < 0))
			next = g;
	return next;
}

static void link_describe(struct pb_link *link, void (*line)(void *userdata, const char *text),
			  void *userdata)
{
	struct ble_link *ble = ble_of(link);
	const struct bluez_device *device = bluez_device_find(ble->bluez, ble->path);
	char text[160], mac[BLE_MAC_TEXT], rssi[16] = "";

	if (!device)
		return;
	ble_mac_print(mac, device->advert.mac);
	if (bluez_rssi_known(device))
		snprintf(rssi, sizeof(rssi), ", %d dBm", device->rssi);
	snprintf(text, sizeof(text), "device %s '%s' on %s%s%s", mac, device->advert.name,
		 device->adapter->name, rssi, device->paired ? ", paired" : "");
	line(userdata, text);
	for (const struct bluez_gatt *g = next_gatt(ble->bluez, ble->path, NULL); g;
	     g = next_gatt(ble->bluez, ble->path, g)) {
		gatt_line(text, sizeof(text), g);
		line(userdata, text);
	}
	if (ble->state != BLE_UP)
		return;
	snprintf(text, sizeof(text), "using %.8s and %.8s, %s, by %s", ble->notify->uuid,
		 ble->write->uuid, ble->command ? "write without response" : "write",
		 ble->notify_fd >= 0 ? "descriptors" : "D-Bus signals");
	line(userdata, text);
}

static void unlink_from(struct pb_bluez *bluez, struct ble_link *ble)
{
	struct ble_link **at = &bluez->links;

	while (*at && *at != ble)
		at = &(*at)->next;
	if (*at)
		*at = ble->next;
}

static void link_free(struct pb_link *link)
{
	struct ble_link *ble = ble_of(link);

	/* nobody will wait for the answer */
	if (turn_is_granted(&ble->turn))
		bluez_tell(ble->bluez, ble->device->path, BLUEZ_DEVICE, "Disconnect");
	unlink_from(ble->bluez, ble);
	turns_remove(&ble->bluez->turns, &ble->turn);
	ble->call = sd_bus_slot_unref(ble->call);
	ble->leave_call = sd_bus_slot_unref(ble->leave_call);
	ble_pipe_stop(ble);
	sd_event_source_disable_unref(ble->timer);
	bluez_kick(ble->bluez);
	free(ble);
}

static int link_create(struct pb_link **ret, const struct pb_link_setup *setup, char *why,
		       size_t why_cap)
{
	struct ble_address address;
	struct ble_link *ble;
	int r = ble_address_parse(&address, setup->address, why, why_cap);

	if (r < 0 || !ret)
		return r;
	assert(setup->bluez);
	ble = calloc(1, sizeof(*ble));
	if (!ble)
		return -ENOMEM;
	ble->head = (struct pb_link){&pb_link_ble, setup->handler, setup->userdata};
	ble->bluez = setup->bluez;
	ble->address = address;
	ble->limit_ms = setup->limit_ms;
	ble->passkey = setup->passkey;
	ble->notify_fd = ble->write_fd = -1;
	snprintf(ble->name, sizeof(ble->name), "%s", setup->name ? setup->name : setup->address);
	r = sd_event_add_time(setup->event, &ble->timer, CLOCK_BOOTTIME, UINT64_MAX, 0, on_timer,
			      ble);
	if (r < 0) {
		snprintf(why, why_cap, "%s", strerrordesc_np(-r));
		free(ble);
		return r;
	}
	sd_event_source_set_enabled(ble->timer, SD_EVENT_OFF);
	ble->next = ble->bluez->links;
	ble->bluez->links = ble;
	turns_add(&ble->bluez->turns, &ble->turn, ble);
	*ret = &ble->head;
	return 0;
}

/* A device is one by whichever adapter; of a name there may be one at each. */
static void link_identity(const char *text, char *out, size_t cap)
{
	struct ble_address address;
	char mac[BLE_MAC_TEXT], why[256];

	if (ble_address_parse(&address, text, why, sizeof(why)) < 0 || !address.has_mac) {
		snprintf(out, cap, "%s", text);
		return;
	}
	ble_mac_print(mac, address.mac);
	snprintf(out, cap, "%s", mac);
}

const struct pb_link_type pb_link_ble = {
	.name = "ble",
	.usage = "ble:ADDRESS[@hciN] or ble:name=PATTERN[@hciN]",
	.doc = "Bluetooth Low Energy, through BlueZ",
	.self_timed = true,
	.create = link_create,
	.identity = link_identity,
	.open = link_open,
	.close = link_close,
	.send = link_send,
	.advert = link_advert,
	.describe = link_describe,
	.rssi = link_rssi,
	.free = link_free,
};
