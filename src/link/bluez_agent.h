/* SPDX-License-Identifier: MIT */
#pragma once

#include <systemd/sd-bus.h>

struct pb_bluez;

/** org.bluez.Agent1; its userdata is the struct pb_bluez. */
extern const sd_bus_vtable bluez_agent_vtable[];
#define BLUEZ_AGENT_PATH "/org/packbridge/agent"
void bluez_agent_register(struct pb_bluez *bluez);
