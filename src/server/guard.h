/* SPDX-License-Identifier: MIT */
/*
 * Decides who may read the status page, by the client's address and by the name in `Host:`. A web
 * site can point its own name to our address (DNS rebinding); then a visitor's browser treats our
 * page as a part of that site. But the site cannot change the name in `Host:`.
 */
#pragma once

#include "packbridge/net.h"

struct guard {
	size_t allow_count, host_count;
	struct pb_network *allow;
	char **hosts;
	char own[256]; /**< name of this machine; "": not known */
};

/** @return 0, or -EINVAL and -ENOMEM with the reason in @why; @ret is free of memory then. */
int guard_make(struct guard *ret, const char *const *hosts, size_t host_count,
	       const char *const *allow, size_t allow_count, char *why, size_t why_cap);
void guard_clear(struct guard *guard);

/**
 * @header: content of `Host:`, HOST or HOST:PORT; NULL: no such header (HTTP/1.0), which is
 * accepted, since every browser sends it.
 * @return whether HOST is an address, localhost, this machine or one of @guard's names.
 */
bool guard_host(const struct guard *guard, const char *header);
/** @return whether @address is in one of the networks. */
bool guard_address(const struct guard *guard, const union pb_address *address);
