/* SPDX-License-Identifier: MIT */
/*
 * What an error reply of BlueZ, or of the bus, means to a person. One row an error; the first row
 * that fits counts.
 */
#include "bluez_call.h"

#include "packbridge/base.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

static const struct {
	const char *name;    /* of the error; NULL: any */
	const char *message; /* part of its text; NULL: any */
	int code;
	const char *words;
} known[] = {
	{SD_BUS_ERROR_NO_REPLY, NULL, -ETIMEDOUT, "bluetoothd does not answer"},
	{SD_BUS_ERROR_TIMEOUT, NULL, -ETIMEDOUT, "bluetoothd does not answer"},
	{SD_BUS_ERROR_ACCESS_DENIED, NULL, -EACCES,
	 "no permission to use BlueZ on D-Bus (is the user in the group bluetooth?)"},
	{SD_BUS_ERROR_SERVICE_UNKNOWN, NULL, -ESRCH, "bluetoothd does not run"},
	{SD_BUS_ERROR_NAME_HAS_NO_OWNER, NULL, -ESRCH, "bluetoothd does not run"},
	{SD_BUS_ERROR_UNKNOWN_OBJECT, NULL, -ENOTCONN, "BlueZ forgot the device"},
	{"org.bluez.Error.AuthenticationFailed", NULL, -EKEYREJECTED,
	 "pairing failed: wrong passkey?"},
	{"org.bluez.Error.AuthenticationRejected", NULL, -EKEYREJECTED, "the pack refused to pair"},
	{"org.bluez.Error.AuthenticationCanceled", NULL, -EKEYREJECTED, "pairing was cancelled"},
	{"org.bluez.Error.AuthenticationTimeout", NULL, -EKEYREJECTED, "pairing took too long"},
	{"org.bluez.Error.NotReady", NULL, -ENETDOWN, "the adapter is off"},
	{"org.bluez.Error.NotPermitted", "acquired", -EALREADY,
	 "another program uses them, or BlueZ believes so"},
	{"org.bluez.Error.NotPermitted", "Not paired", -EKEYREJECTED,
	 "the pack needs to be paired: set its passkey"},
	{NULL, "rfkill", -ENETDOWN, "the adapter is blocked by rfkill"},
	{NULL, "Blocked", -ENETDOWN, "the adapter is blocked by rfkill"},
	{NULL, "le-connection-abort-by-local", -EHOSTUNREACH,
	 "no answer: out of range, off, or connected to another central"},
	{NULL, "Page Timeout", -EHOSTUNREACH, "no answer: out of range or off"},
	{NULL, "Software caused connection abort", -EHOSTUNREACH,
	 "the connection broke while it was being made"},
	{NULL, "Encryption", -EKEYREJECTED, "the pack needs to be paired: set its passkey"},
	{NULL, "Authentication", -EKEYREJECTED, "the pack needs to be paired: set its passkey"},
	{NULL, "Not connected", -ENOTCONN, "the connection is gone"},
};

int bluez_error_words(const sd_bus_error *error, char *why, size_t why_cap)
{
	for (size_t i = 0; i < PB_ARRAY_SIZE(known); i++) {
		if (known[i].name && !sd_bus_error_has_name(error, known[i].name))
			continue;
		if (known[i].message &&
		    (!error->message || !strstr(error->message, known[i].message)))
			continue;
		snprintf(why, why_cap, "%s", known[i].words);
		return known[i].code;
	}
	snprintf(why, why_cap, "%s%s%s", error->name ? error->name : "error",
		 error->message && *error->message ? ": " : "",
		 error->message ? error->message : "");
	pb_text_clean(why, why_cap, why, strlen(why));
	return -EIO;
}
