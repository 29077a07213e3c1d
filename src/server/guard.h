/* SPDX-License-Identifier: MIT */
/*
 * Who may see the status page: by address, and by the name that a browser asks for. A web site can
 * let its own name point to any address (DNS rebinding), so that a visitor's browser takes our page
 * for a part of that site. What it can't do is change the name in `Host:`.
 */
#pragma once

#include "packbridge/net.h"

struct guard {
	size_t allow_count, host_count;
	struct pb_network *allow;
	char **hosts;
	char own[256]; /**< what this machine is called; "": not known */
};

/** @return 0, or -EINVAL and -ENOMEM with the reason in @why; @ret is free of memory then. */
int guard_make(struct guard *ret, const char *const *hosts, size_t host_count,
	       const char *const *allow, size_t allow_count, char *why, size_t why_cap);
void guard_clear(struct guard *guard);

/**
 * @header: what stands behind `Host:`, HOST or HOST:PORT; NULL: there is none, as in HTTP/1.0. That
 * passes, since no browser leaves it out.
 * @return whether HOST is an address, localhost, this machine or one of @guard's names.
 */
bool guard_host(const struct guard *guard, const char *header);
/** @return whether @address is in one of the networks. */
bool guard_address(const struct guard *guard, const union pb_address *address);
