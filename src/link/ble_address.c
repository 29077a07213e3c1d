/* SPDX-License-Identifier: MIT */
#include "ble_address.h"

#include <errno.h>
#include <fnmatch.h>
#include <stdio.h>
#include <string.h>

#define NAME_KEY "name="

void ble_mac_print(char *out, const uint8_t *mac)
{
	pb_hex_print(out, BLE_MAC_TEXT, mac, 6, ':');
}

bool ble_mac_parse(const char *text, uint8_t *mac)
{
	uint8_t bytes[6];

	if (strlen(text) != BLE_MAC_TEXT - 1)
		return false;
	for (size_t i = 2; i < BLE_MAC_TEXT - 1; i += 3)
		if (text[i] != ':')
			return false;
	if (pb_hex_parse(text, bytes, sizeof(bytes)) != sizeof(bytes))
		return false;
	memcpy(mac, bytes, sizeof(bytes));
	return true;
}

/* "A4-C1-38-12-34-56", "a4c138123456" and the like, as other programs print it. */
static bool mac_otherwise(const char *text, uint8_t *mac)
{
	char digits[13];
	size_t count = 0;

	for (; *text; text++) {
		if (strchr(":-. _", *text))
			continue;
		if (count == sizeof(digits) - 1)
			return false;
		digits[count++] = *text;
	}
	digits[count] = '\0';
	return count == sizeof(digits) - 1 && pb_hex_parse(digits, mac, 6) == 6;
}

static int refuse_address(const char *text, char *why, size_t why_cap)
{
	char meant[BLE_MAC_TEXT];
	uint8_t mac[6];

	if (mac_otherwise(text, mac)) {
		ble_mac_print(meant, mac);
		snprintf(why, why_cap, "'%s', expected an address written so: %s", text, meant);
	} else {
		snprintf(why, why_cap,
			 "'%s', expected an address like A4:C1:38:12:34:56 or name=PATTERN", text);
	}
	return -EINVAL;
}

/* "hci" and a number: what BlueZ calls adapters. */
static bool good_adapter(const char *name)
{
	int64_t index;

	return strncmp(name, "hci", 3) == 0 && name[3] != '+' && name[3] != '-' &&
	       pb_int_parse(name + 3, 0, 65535, &index) == 0;
}

/* Cuts "@hciN" off the end of @text, if there is one. @return 0; -EINVAL. */
static int cut_adapter(struct ble_address *ret, char *text, char *why, size_t why_cap)
{
	char *at = strrchr(text, '@');

	if (!at)
		return 0;
	*at++ = '\0';
	if (strlen(at) < sizeof(ret->adapter) && good_adapter(at)) {
		snprintf(ret->adapter, sizeof(ret->adapter), "%s", at);
		return 0;
	}
	snprintf(why, why_cap, "adapter '%s', expected one like hci0", at);
	return -EINVAL;
}

int ble_address_parse(struct ble_address *ret, const char *text, char *why, size_t why_cap)
{
	struct ble_address address = {0};
	char copy[PB_ADVERT_NAME + PB_ADAPTER_NAME + sizeof(NAME_KEY)];

	if ((size_t)snprintf(copy, sizeof(copy), "%s", text) >= sizeof(copy)) {
		snprintf(why, why_cap, "'%s' is too long", text);
		return -EINVAL;
	}
	if (cut_adapter(&address, copy, why, why_cap) < 0)
		return -EINVAL;
	if (strncmp(copy, NAME_KEY, strlen(NAME_KEY)) == 0) {
		const char *glob = copy + strlen(NAME_KEY);

		if (!*glob || strlen(glob) >= sizeof(address.glob)) {
			snprintf(why, why_cap, "name of %zu characters, expected 1 to %zu",
				 strlen(glob), sizeof(address.glob) - 1);
			return -EINVAL;
		}
		snprintf(address.glob, sizeof(address.glob), "%s", glob);
	} else if (ble_mac_parse(copy, address.mac)) {
		address.has_mac = true;
	} else {
		return refuse_address(copy, why, why_cap);
	}
	*ret = address;
	return 0;
}

bool ble_address_match(const struct ble_address *address, const struct pb_advert *advert,
		       const char *adapter)
{
	if (address->adapter[0] && strcmp(address->adapter, adapter) != 0)
		return false;
	if (address->has_mac)
		return memcmp(address->mac, advert->mac, sizeof(advert->mac)) == 0;
	return advert->name[0] && fnmatch(address->glob, advert->name, 0) == 0;
}
