/* SPDX-License-Identifier: MIT */
/* Who may connect: networks as "192.168.1.0/24", "fd00::/8", or one address. */
#pragma once

#include "packbridge/base.h"

#include <sys/socket.h>

struct allow {
	uint8_t network[16]; /**< IPv4 as ::ffff:a.b.c.d */
	uint8_t bits;
};

/** @return 0; -EINVAL with the reason in @why. */
int allow_parse(struct allow *ret, const char *text, char *why, size_t why_cap);
/** @return whether one of the @count networks has @address; without networks, all may. */
bool allow_match(const struct allow *list, size_t count, const struct sockaddr *address);
