/* SPDX-License-Identifier: MIT */
/*
 * ble:ADDRESS, a pack over Bluetooth Low Energy.
 *
 *	open() --> find the device (ble_find.c) --> wait for a slot of its adapter (turns.c)
 *	       --> connect (ble_connect.c) --> bytes (ble_pipe.c) --> let go (ble_state.c)
 *
 * This file has both of its ends: the link that a session sees, and the user that the client of
 * BlueZ sees.
 */
#include "ble_connect.h"
#include "ble_describe.h"
#include "ble_find.h"
#include "ble_link.h"
#include "ble_pipe.h"
#include "bluez_adapter.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static struct ble_link *ble_of(struct pb_link *link)
{
	assert(link->type == &pb_link_ble);
	return (struct ble_link *)link;
}

/* ---- finding ---- */

static void ble_look(struct ble_link *ble)
{
	struct bluez_device *device;
	char why[BLUEZ_WHY];
	int code;

	if (ble->user.turn.state == TURN_LEAVING) /* until the last connection has ended */
		return;
	code = pb_bluez_trouble(ble->bluez, ble->address.adapter, why, sizeof(why));
	if (code < 0 && code != -EAGAIN) {
		bluez_adapters_forget_failure(ble->bluez);
		ble_fail(ble, code, "%s", why);
		return;
	}
	device = code == 0 ? ble_find(ble) : NULL;
	if (!device)
		return;
	ble->state = BLE_QUEUED;
	bluez_user_wait(ble->bluez, &ble->user, device);
	sd_event_source_set_enabled(ble->timer, SD_EVENT_OFF);
}

static void not_found(struct ble_link *ble)
{
	char why[BLUEZ_WHY];
	int error = ble_not_found(ble, why, sizeof(why));

	ble_fail(ble, error, "%s", why);
}

static int ble_on_timer(sd_event_source *source, uint64_t usec, void *userdata)
{
	struct ble_link *ble = userdata;

	(void)source;
	(void)usec;
	if (ble->state == BLE_FINDING)
		not_found(ble);
	else if (ble->state >= BLE_CLEARING && ble->state < BLE_UP)
		ble_connect_timeout(ble);
	return 0;
}

/* ---- callbacks of BlueZ's client ---- */

static void user_step(void *userdata)
{
	struct ble_link *ble = userdata;

	if (ble->state == BLE_FINDING)
		ble_look(ble);
	else if (ble->state == BLE_QUEUED &&
		 !bluez_adapter_usable(ble->user.device->adapter, ble->address.adapter))
		ble_gone(ble, 0, ""); /* look for it again, perhaps elsewhere */
	else if (ble->state >= BLE_CLEARING && ble->state <= BLE_UP &&
		 !ble->user.device->adapter->powered)
		ble_fail(ble, -ENETDOWN, "adapter %s was switched off",
			 ble->user.device->adapter->name);
	if (ble->state != BLE_FAILED)
		return;
	ble->state = BLE_CLOSED;
	ble->waiting = true;
	ble->head.handler->down(ble->head.userdata, ble->error, ble->why);
}

static void user_wanted(void *userdata, uint32_t round_ms)
{
	struct ble_link *ble = userdata;

	if (ble->head.handler->wanted)
		ble->head.handler->wanted(ble->head.userdata, round_ms);
}

static void user_better(void *userdata)
{
	struct ble_link *ble = userdata;

	if (!ble->waiting || ble->state != BLE_CLOSED)
		return;
	ble->waiting = false;
	if (ble->head.handler->retry)
		ble->head.handler->retry(ble->head.userdata);
}

static void user_begin(void *userdata)
{
	ble_connect(userdata);
}

static void user_gone(void *userdata, int error, const char *why)
{
	ble_gone(userdata, error, why);
}

static void user_changed(void *userdata, bool all_read)
{
	struct ble_link *ble = userdata;

	/*
	 * BlueZ 5.66 was seen not to report a connection that it has made. The end of one shows
	 * without this: by the descriptor, by silence, by a timer.
	 */
	if (all_read && ble->state >= BLE_RESOLVING && ble->state <= BLE_UP)
		ble->user.device->connected = true;
	ble_connect_changed(ble);
}

static void user_forget(void *userdata, const struct bluez_gatt *gatt)
{
	ble_pipe_forget(userdata, gatt);
}

static void user_value(void *userdata, const char *path, const uint8_t *bytes, size_t len)
{
	ble_pipe_signalled(userdata, path, bytes, len);
}

static void user_fail(void *userdata, int error, const char *why)
{
	ble_fail(userdata, error, "%s", why);
}

static bool user_may_need(void *userdata, const struct bluez_device *device)
{
	const struct ble_link *ble = userdata;

	return ble_address_match(&ble->address, &device->advert, device->adapter->name);
}

static bool user_owns(void *userdata, const struct bluez_device *device)
{
	const struct ble_link *ble = userdata;

	return ble->address.has_mac &&
	       memcmp(ble->address.mac, device->advert.mac, sizeof(device->advert.mac)) == 0;
}

static bool user_wants_scan(void *userdata, const char *adapter)
{
	const struct ble_link *ble = userdata;

	return ble->state == BLE_FINDING &&
	       (!ble->address.adapter[0] || strcmp(ble->address.adapter, adapter) == 0);
}

static const struct bluez_user_handler user_handler = {
	.step = user_step,
	.begin = user_begin,
	.wanted = user_wanted,
	.better = user_better,
	.gone = user_gone,
	.changed = user_changed,
	.forget = user_forget,
	.value = user_value,
	.fail = user_fail,
	.may_need = user_may_need,
	.owns = user_owns,
	.wants_scan = user_wants_scan,
};

/* ---- the link ---- */

static int link_open(struct pb_link *link)
{
	struct ble_link *ble = ble_of(link);

	if (ble->state != BLE_CLOSED)
		return -EALREADY;
	ble->state = BLE_FINDING;
	ble->waiting = false;
	ble_arm(ble, BLE_FIND_MS);
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
		ble_let_go(ble);
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
		ble_fail(ble, -ENOBUFS, "the pack accepts no more bytes");
	return 0;
}

static bool link_advert(struct pb_link *link, struct pb_advert *ret)
{
	struct ble_link *ble = ble_of(link);

	if (!ble->user.device)
		return false;
	*ret = ble->user.device->advert;
	return true;
}

static bool link_rssi(struct pb_link *link, int32_t *ret_dbm)
{
	struct ble_link *ble = ble_of(link);

	if (!ble->user.device || !bluez_rssi_known(ble->user.device))
		return false;
	*ret_dbm = ble->user.device->rssi;
	return true;
}

static void link_describe(struct pb_link *link, void (*line)(void *userdata, const char *text),
			  void *userdata)
{
	ble_describe(ble_of(link), line, userdata);
}

static void link_free(struct pb_link *link)
{
	struct ble_link *ble = ble_of(link);

	/* nobody will wait for the answer */
	if (turn_is_granted(&ble->user.turn))
		bluez_tell(ble->bluez, ble->user.device->path, BLUEZ_DEVICE, "Disconnect");
	bluez_user_remove(ble->bluez, &ble->user);
	ble->call = sd_bus_slot_unref(ble->call);
	ble->leave_call = sd_bus_slot_unref(ble->leave_call);
	ble_drop_pipe(ble);
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
	ble_pipe_add_all(ble, setup->pipes);
	ble->user = (struct bluez_user){
		.handler = &user_handler,
		.userdata = ble,
		.passkey = setup->passkey,
	};
	ble->notify_fd = ble->write_fd = -1;
	snprintf(ble->name, sizeof(ble->name), "%s", setup->name ? setup->name : setup->address);
	r = sd_event_add_time(setup->event, &ble->timer, CLOCK_BOOTTIME, UINT64_MAX, 0,
			      ble_on_timer, ble);
	if (r < 0) {
		snprintf(why, why_cap, "%s", strerrordesc_np(-r));
		free(ble);
		return r;
	}
	sd_event_source_set_enabled(ble->timer, SD_EVENT_OFF);
	bluez_user_add(ble->bluez, &ble->user);
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
