/* SPDX-License-Identifier: MIT */
#pragma once

#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/socket.h>

/** Where to listen. */
struct pb_address {
	struct sockaddr_storage sockaddr;
	socklen_t len;
	bool dual; /* IPv6 that takes IPv4 too */
};

/** As pb_server_tcp_check() says. @return 0, or -EINVAL with the reason in @why. */
int pb_address_parse(struct pb_address *ret, const char *text, char *why, size_t why_cap);
