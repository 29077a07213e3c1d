/* SPDX-License-Identifier: MIT */
/*
 * What adapters do next: be switched on, scan, or let the next user connect.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

struct bluez_adapter;
struct pb_bluez;

/** Scan, power, whose turn it is. */
void bluez_adapters_pump(struct pb_bluez *bluez);
/** An attempt ended. @heard: the pack was there, so it may be the adapter's fault. */
void bluez_adapter_attempt(struct pb_bluez *bluez, struct bluez_adapter *adapter, bool good,
			   bool heard);
/** A user held its slot so long. */
void bluez_adapter_turn(struct bluez_adapter *adapter, uint64_t ms);
/** A user gave up because the adapters are off: the next one tries to switch them on again. */
void bluez_adapters_forget_failure(struct pb_bluez *bluez);
uint32_t bluez_adapter_limit(const struct pb_bluez *bluez, const struct bluez_adapter *adapter);
/** @return true when there is such an adapter and it is on. */
bool bluez_adapter_usable(const struct bluez_adapter *adapter, const char *name);
