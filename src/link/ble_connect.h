/* SPDX-License-Identifier: MIT */
#pragma once

struct ble_link;

/** The turn has begun: connects, until ble_ready() or ble_fail(). */
void ble_connect(struct ble_link *ble);
/** The device has changed: the next step, or the end of the connection. */
void ble_connect_changed(struct ble_link *ble);
/** The time of the attempt is over. */
void ble_connect_timeout(struct ble_link *ble);
