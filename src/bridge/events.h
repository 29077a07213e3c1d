/* SPDX-License-Identifier: MIT */
/* Events as JSON, for the document of all and for those who follow. */
#pragma once

#include "document.h"

#include "packbridge/events.h"

#include <jansson.h>

/** @return an object that the caller owns; docs/follow.md lists its keys. */
json_t *events_json(const struct pb_event *event, uint64_t now_ms);
