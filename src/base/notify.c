/* SPDX-License-Identifier: MIT */
/*
 * sd_notify() opens a socket for each message, which fails when all descriptors are in use: then
 * the watchdog would end a daemon that works. Source of the protocol: sd_notify(3).
 */
#include "packbridge/base.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

/* @return a connected socket; -1: nobody listens */
static int connect_manager(void)
{
	const char *path = getenv("NOTIFY_SOCKET");
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	size_t len = path ? strlen(path) : 0;
	int fd;

	if (len < 2 || len >= sizeof(address.sun_path) || (path[0] != '/' && path[0] != '@'))
		return -1;
	memcpy(address.sun_path, path, len);
	if (path[0] == '@') /* abstract: the name begins behind a NUL, and is not ended by one */
		address.sun_path[0] = '\0';
	len += offsetof(struct sockaddr_un, sun_path) + (path[0] == '/');
	fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd >= 0 && connect(fd, (struct sockaddr *)&address, (socklen_t)len) == 0)
		return fd;
	if (fd >= 0)
		close(fd);
	return -1;
}

void pb_notify(const char *format, ...)
{
	static int manager = -1;
	char text[256];
	va_list args;
	int len;

	va_start(args, format);
	len = vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	if (manager < 0)
		manager = connect_manager();
	if (manager < 0 || len < 0 || (size_t)len >= sizeof(text))
		return;
	/* one that is not taken is not worth waiting for; after a restart of its, we connect anew
	 */
	if (send(manager, text, (size_t)len, MSG_NOSIGNAL | MSG_DONTWAIT) < 0 &&
	    errno == ECONNREFUSED) {
		close(manager);
		manager = -1;
	}
}
