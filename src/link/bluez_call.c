/* SPDX-License-Identifier: MIT */
/*
 * Calls of BlueZ's methods, and who may speak for BlueZ.
 *
 *	signals, calls --> bluez_admit() --> the handlers of bluez.c and bluez_objects.c
 *	replies        --> on_reply()    --> who called
 *
 * What others than BlueZ or the bus send ends in these two functions. Every call is asynchronous
 * and has a time limit of its own: BlueZ itself can take 41 s to say that a silent device does not
 * answer, longer than sd-bus waits by default.
 */
#include "bluez_call.h"

#include "bluez_client.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/*
 * The bus writes the sender into each message, always a unique name, but for its own (from the
 * driver) and those that sd-bus makes.
 */
bool bluez_is_of_bus(sd_bus_message *m)
{
	const char *sender = sd_bus_message_get_sender(m);

	return sender && sender[0] != ':';
}

static bool is_of(sd_bus_message *m, const char *name)
{
	const char *sender = sd_bus_message_get_sender(m);

	return sender && *name && strcmp(sender, name) == 0;
}

/* A call that is out. */
struct waiting {
	struct pb_bluez *bluez;
	sd_bus_message *call;
	sd_bus_message_handler_t done;
	void *userdata;
};

static void waiting_free(void *userdata)
{
	struct waiting *waiting = userdata;

	sd_bus_message_unref(waiting->call);
	free(waiting);
}

/*
 * sd-bus takes a reply by its serial number, whoever sent it. A system bus forwards a reply only
 * from the one whom it gave the call; a bus with the policy of sessions forwards any.
 */
static int on_reply(sd_bus_message *m, void *userdata, sd_bus_error *error)
{
	struct waiting waiting = *(struct waiting *)userdata; /* its end is up to done() */
	sd_bus_message *refused = NULL;
	int r;

	if (bluez_is_of_bus(m) || is_of(m, waiting.bluez->named))
		return waiting.done(m, waiting.userdata, error);
	r = sd_bus_message_new_method_errorf(waiting.call, &refused, SD_BUS_ERROR_FAILED,
					     "%s answered for BlueZ", sd_bus_message_get_sender(m));
	if (r < 0)
		return r;
	r = waiting.done(refused, waiting.userdata, error);
	sd_bus_message_unref(refused);
	return r;
}

int bluez_send(struct pb_bluez *bluez, sd_bus_slot **slot, sd_bus_message *m,
	       sd_bus_message_handler_t done, void *userdata, uint64_t timeout_ms)
{
	struct waiting *waiting = calloc(1, sizeof(*waiting));
	int r;

	if (!waiting)
		return -ENOMEM;
	*waiting = (struct waiting){bluez, sd_bus_message_ref(m), done, userdata};
	r = sd_bus_call_async(bluez->bus, slot, m, on_reply, waiting, timeout_ms * 1000);
	if (r < 0) {
		waiting_free(waiting);
		return r;
	}
	sd_bus_slot_set_destroy_callback(*slot, waiting_free);
	return 0;
}

int bluez_call(struct pb_bluez *bluez, sd_bus_slot **slot, const char *path, const char *interface,
	       const char *method, sd_bus_message_handler_t done, void *userdata,
	       uint64_t timeout_ms, const char *types, ...)
{
	sd_bus_message *m = NULL;
	va_list args;
	int r;

	if (!bluez->bus)
		return -ENOTCONN;
	r = sd_bus_message_new_method_call(bluez->bus, &m, BLUEZ_NAME, path, interface, method);
	va_start(args, types);
	if (r >= 0)
		r = sd_bus_message_appendv(m, types, args);
	va_end(args);
	if (r >= 0)
		r = bluez_send(bluez, slot, m, done, userdata, timeout_ms);
	sd_bus_message_unref(m);
	return r < 0 ? r : 0;
}

void bluez_tell(struct pb_bluez *bluez, const char *path, const char *interface, const char *method)
{
	sd_bus_message *m = NULL;

	if (!bluez->bus ||
	    sd_bus_message_new_method_call(bluez->bus, &m, BLUEZ_NAME, path, interface, method) < 0)
		return;
	sd_bus_message_set_expect_reply(m, 0);
	sd_bus_send(bluez->bus, m, NULL);
	sd_bus_message_unref(m);
}

/* ---- signals and calls ---- */

/* The driver and sd-bus speak one interface each, of their own name. */
static bool admitted(const struct pb_bluez *bluez, sd_bus_message *m)
{
	const char *sender = sd_bus_message_get_sender(m);
	const char *interface = sd_bus_message_get_interface(m);

	if (bluez_is_of_bus(m))
		return interface && strcmp(interface, sender) == 0;
	return is_of(m, bluez->owner) && !(interface && strcmp(interface, DBUS_DRIVER) == 0);
}

/*
 * Every signal and every call passes here first, and every reply on_reply(). The bus delivers what
 * is addressed to us, whatever our matches say, and sd-bus takes any unique name for a sender that
 * a match gives by its well-known name. So anybody on the bus could otherwise speak for BlueZ.
 */
int bluez_admit(sd_bus_message *m, void *userdata, sd_bus_error *error)
{
	(void)error;
	if (admitted(userdata, m))
		return 0;
	if (sd_bus_message_is_method_call(m, NULL, NULL) > 0)
		sd_bus_reply_method_errorf(m, SD_BUS_ERROR_ACCESS_DENIED, "only for BlueZ");
	return 1;
}
