/* SPDX-License-Identifier: MIT */
#pragma once

struct ble_link;

/** As pb_link_type.describe. */
void ble_describe(const struct ble_link *ble, void (*line)(void *userdata, const char *text),
		  void *userdata);
