/* SPDX-License-Identifier: MIT */
/* The bytes of a `ble:` link: choice of the characteristics, and the transfer. */
#pragma once

#include <stddef.h>
#include <stdint.h>

struct ble_link;
struct bluez_gatt;
struct pb_pipe;

/** The pipes that the pack may have, as pb_link_setup.pipes. */
void ble_pipe_add_all(struct ble_link *ble, const struct pb_pipe *const *lists);

/** Sets notifications and writing up; ends in ble_ready() or ble_fail(). */
void ble_pipe_start(struct ble_link *ble);
/**
 * Delivers the bytes received before the connection ended, since the signal of its end may overtake
 * them.
 */
void ble_pipe_drain(struct ble_link *ble);
/** @return 0; -ENOBUFS: more is waiting than the pipe holds. */
int ble_pipe_send(struct ble_link *ble, const uint8_t *bytes, size_t len);
/**
 * Bytes came as a signal of the characteristic @path. They are dropped if a descriptor is in use.
 */
void ble_pipe_signalled(struct ble_link *ble, const char *path, const uint8_t *bytes, size_t len);
/** A service or characteristic is gone. */
void ble_pipe_forget(struct ble_link *ble, const struct bluez_gatt *gatt);
