/* SPDX-License-Identifier: MIT */
/*
 * org.bluez.Agent1: answers the passkey of packs whose radio modules want real pairing (modules of
 * 2026, docs/protocols/jbd.md). The capability is KeyboardOnly: anything less gives "Just Works",
 * with which such a module echoes instead of answering. It answers for devices that have a passkey
 * in the configuration and refuses all others.
 */
#include "bluez_agent.h"

#include "bluez_call.h"
#include "bluez_client.h"
#include "bluez_mirror.h"
#include "bluez_user.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

static struct bluez_user *user_of(struct pb_bluez *bluez, const char *path)
{
	for (struct bluez_user *user = bluez->users; user; user = user->next)
		if (user->device && strcmp(user->device->path, path) == 0)
			return user;
	return NULL;
}

static int agent_refuse(sd_bus_message *m, struct bluez_user *user)
{
	if (user)
		user->handler->fail(user->userdata, -EKEYREJECTED,
				    "the pack asks for a passkey, but none is configured");
	return sd_bus_reply_method_errorf(m, "org.bluez.Error.Rejected", "not configured");
}

static int on_passkey(sd_bus_message *m, void *userdata, sd_bus_error *error)
{
	struct pb_bluez *bluez = userdata;
	struct bluez_user *user;
	const char *path;

	(void)error;
	if (sd_bus_message_read(m, "o", &path) <= 0)
		return -EINVAL;
	user = user_of(bluez, path);
	if (!user || user->passkey == PB_NO_PASSKEY)
		return agent_refuse(m, user);
	return sd_bus_reply_method_return(m, "u", (uint32_t)user->passkey);
}

/* The older form of the same, as text. */
static int on_pin(sd_bus_message *m, void *userdata, sd_bus_error *error)
{
	struct pb_bluez *bluez = userdata;
	struct bluez_user *user;
	const char *path;
	char digits[16];

	(void)error;
	if (sd_bus_message_read(m, "o", &path) <= 0)
		return -EINVAL;
	user = user_of(bluez, path);
	if (!user || user->passkey == PB_NO_PASSKEY)
		return agent_refuse(m, user);
	snprintf(digits, sizeof(digits), "%06d", user->passkey);
	return sd_bus_reply_method_return(m, "s", digits);
}

/* Someone else would have to look and say yes; nobody is there. */
static int on_question(sd_bus_message *m, void *userdata, sd_bus_error *error)
{
	(void)userdata;
	(void)error;
	return sd_bus_reply_method_errorf(m, "org.bluez.Error.Rejected", "nobody is here to ask");
}

static int on_notice(sd_bus_message *m, void *userdata, sd_bus_error *error)
{
	(void)userdata;
	(void)error;
	return sd_bus_reply_method_return(m, "");
}

const sd_bus_vtable bluez_agent_vtable[] = {
	SD_BUS_VTABLE_START(0),
	SD_BUS_METHOD("RequestPasskey", "o", "u", on_passkey, SD_BUS_VTABLE_UNPRIVILEGED),
	SD_BUS_METHOD("RequestPinCode", "o", "s", on_pin, SD_BUS_VTABLE_UNPRIVILEGED),
	SD_BUS_METHOD("RequestConfirmation", "ou", "", on_question, SD_BUS_VTABLE_UNPRIVILEGED),
	SD_BUS_METHOD("RequestAuthorization", "o", "", on_question, SD_BUS_VTABLE_UNPRIVILEGED),
	SD_BUS_METHOD("AuthorizeService", "os", "", on_question, SD_BUS_VTABLE_UNPRIVILEGED),
	SD_BUS_METHOD("DisplayPasskey", "ouq", "", on_notice, SD_BUS_VTABLE_UNPRIVILEGED),
	SD_BUS_METHOD("DisplayPinCode", "os", "", on_notice, SD_BUS_VTABLE_UNPRIVILEGED),
	SD_BUS_METHOD("Cancel", "", "", on_notice, SD_BUS_VTABLE_UNPRIVILEGED),
	SD_BUS_METHOD("Release", "", "", on_notice, SD_BUS_VTABLE_UNPRIVILEGED),
	SD_BUS_VTABLE_END,
};

static int on_registered(sd_bus_message *m, void *userdata, sd_bus_error *ret)
{
	struct pb_bluez *bluez = userdata;
	const sd_bus_error *error = sd_bus_message_get_error(m);

	(void)ret;
	bluez->agent = sd_bus_slot_unref(bluez->agent);
	if (error)
		pb_log(PB_LOG_WARNING, "bluetooth: passkeys can't be answered: %s: %s", error->name,
		       error->message);
	return 0;
}

/*
 * The default agent is asked when a pack, not we, begins the pairing. On a machine with a desktop
 * that place belongs to others, so it is only taken when a pack has a passkey.
 */
static bool wants_default(const struct pb_bluez *bluez)
{
	for (const struct bluez_user *user = bluez->users; user; user = user->next)
		if (user->passkey != PB_NO_PASSKEY)
			return true;
	return false;
}

void bluez_agent_register(struct pb_bluez *bluez)
{
	bluez->agent = sd_bus_slot_unref(bluez->agent);
	bluez_call(bluez, &bluez->agent, "/org/bluez", "org.bluez.AgentManager1", "RegisterAgent",
		   on_registered, bluez, BLUEZ_CALL_MS, "os", BLUEZ_AGENT_PATH, "KeyboardOnly");
	if (wants_default(bluez)) {
		sd_bus_message *m = NULL;

		if (sd_bus_message_new_method_call(bluez->bus, &m, BLUEZ_NAME, "/org/bluez",
						   "org.bluez.AgentManager1",
						   "RequestDefaultAgent") >= 0 &&
		    sd_bus_message_append(m, "o", BLUEZ_AGENT_PATH) >= 0) {
			sd_bus_message_set_expect_reply(m, 0);
			sd_bus_send(bluez->bus, m, NULL);
		}
		sd_bus_message_unref(m);
	}
}
