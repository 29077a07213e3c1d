/* SPDX-License-Identifier: MIT */
/*
 * What stands behind "ble:": a device address or a name pattern, and perhaps an adapter.
 *
 *	A4:C1:38:12:34:56    A4:C1:38:12:34:56@hci1    name=xiaoxiang*    name=House?@hci0
 */
#pragma once

#include "packbridge/base.h"
#include "packbridge/link.h"

struct ble_address {
	bool has_mac;
	uint8_t mac[6];		   /**< in display order */
	char glob[PB_ADVERT_NAME]; /**< without a mac: pattern of the name, as fnmatch() has it */
	char adapter[PB_ADAPTER_NAME]; /**< "" for any */
};

/** @return 0; -EINVAL with the reason in @why. */
int ble_address_parse(struct ble_address *ret, const char *text, char *why, size_t why_cap);
/** @return true when a device that says @advert on @adapter is meant. */
bool ble_address_match(const struct ble_address *address, const struct pb_advert *advert,
		       const char *adapter);

enum { BLE_MAC_TEXT = 18 };

/** Prints "A4:C1:38:12:34:56" into BLE_MAC_TEXT bytes. */
void ble_mac_print(char *out, const uint8_t *mac);
/** Reads "A4:C1:38:12:34:56". @return false: it is none. */
bool ble_mac_parse(const char *text, uint8_t *mac);
