/* SPDX-License-Identifier: MIT */
#pragma once

#include <stddef.h>

struct ble_link;
struct bluez_device;

enum { BLE_FIND_MS = 20000 /**< of scanning, until a pack counts as missing */ };

/** @return the best device for the link; NULL: none that could be used now is known. */
struct bluez_device *ble_find(const struct ble_link *ble);
/** Why none was found in BLE_FIND_MS. @return negative errno; the words in @why. */
int ble_not_found(const struct ble_link *ble, char *why, size_t why_cap);
