/* SPDX-License-Identifier: MIT */
/*
 * Listening sockets of one address:
 *
 *	text ── listen_parse() ──▶ listen_address ── listen_open() ──▶ 1..LISTEN_SOCKETS sockets
 *
 * One IPv6 socket accepts IPv4 as well. Only localhost has two, 127.0.0.1 and ::1, with one port. A
 * socket that systemd has already opened for the address is used. Errors are explained with a
 * remedy.
 */
#include "listen.h"

#include "packbridge/base.h"
#include "packbridge/server.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <string.h>
#include <systemd/sd-daemon.h>
#include <unistd.h>

enum {
	PRIVILEGED_PORTS = 1024,

	/*
	 * A client that vanished without a word (a PLC that was switched off) is found by
	 * keep-alive after 60 + 3 * 10 s; one that no longer takes its replies after 30 s.
	 */
	KEEP_IDLE_S = 60,
	KEEP_INTERVAL_S = 10,
	KEEP_COUNT = 3,
	USER_TIMEOUT_MS = 30000,

	/* replies that one client lets lie in the kernel; by default it would be megabytes */
	SEND_BUFFER = 32 * 1024,
};

static int listen_expected(const char *text, char *why, size_t why_cap)
{
	snprintf(why, why_cap,
		 "'%s' is no address to listen on, expected HOST:PORT such as 0.0.0.0:502, "
		 "[::]:502, *:502 or localhost:1502 (names are not looked up)",
		 text);
	return -EINVAL;
}

/* @return 0; -EINVAL: a name, or a zone that this machine does not have */
static int listen_addresses(const struct pb_endpoint *endpoint, struct listen_address *ret)
{
	struct pb_addresses numeric;
	uint16_t port = endpoint->port;

	*ret = (struct listen_address){.kind = LISTEN_ONE};
	if (endpoint->kind == PB_HOST_ALL) {
		ret->first = pb_address_v6(&in6addr_any, port);
		ret->second = pb_address_v4(INADDR_ANY, port);
		ret->kind = LISTEN_EITHER;
	} else if (pb_endpoint_is_localhost(endpoint)) {
		ret->first = pb_address_v4(INADDR_LOOPBACK, port);
		ret->second = pb_address_v6(&in6addr_loopback, port);
		ret->kind = LISTEN_BOTH;
	} else if (pb_resolve_numeric(endpoint, &numeric) == 0) {
		ret->first = numeric.list[0];
	} else {
		return -EINVAL;
	}
	return 0;
}

/* "http://127.0.0.1:8502/" */
static int listen_no_url(const char *text, char *why, size_t why_cap)
{
	const char *from = strstr(text, "://") + strlen("://");

	snprintf(why, why_cap, "'%s', expected the address alone: %.*s", text,
		 (int)strcspn(from, "/"), from);
	return -EINVAL;
}

int listen_parse(struct listen_address *ret, const char *text, char *why, size_t why_cap)
{
	struct pb_endpoint endpoint;
	enum pb_endpoint_fault fault = pb_endpoint_parse(&endpoint, text, PB_ENDPOINT_LISTEN);
	char reason[320];

	if (strstr(text, "://"))
		return listen_no_url(text, why, why_cap);
	if (fault == PB_ENDPOINT_BARE_V6 || fault == PB_ENDPOINT_BAD_PORT) {
		pb_endpoint_explain(fault, text, reason, sizeof(reason));
		snprintf(why, why_cap, "'%s': %s", text, reason);
		return -EINVAL;
	}
	if (fault != PB_ENDPOINT_GOOD || listen_addresses(&endpoint, ret) < 0)
		return listen_expected(text, why, why_cap);
	return 0;
}

void listen_set_port(struct listen_address *address, uint16_t port)
{
	pb_address_set_port(&address->first, port);
	if (address->kind != LISTEN_ONE)
		pb_address_set_port(&address->second, port);
}

int pb_server_tcp_check(const char *address, char *why, size_t why_cap)
{
	struct listen_address parsed;

	return listen_parse(&parsed, address, why, why_cap);
}

bool pb_server_tcp_overlap(const char *one, const char *other)
{
	struct listen_address a, b;
	char why[256];

	if (listen_parse(&a, one, why, sizeof(why)) < 0 ||
	    listen_parse(&b, other, why, sizeof(why)) < 0)
		return false;
	return pb_address_overlap(&a.first, &b.first) ||
	       (a.kind != LISTEN_ONE && pb_address_overlap(&a.second, &b.first)) ||
	       (b.kind != LISTEN_ONE && pb_address_overlap(&a.first, &b.second)) ||
	       (a.kind != LISTEN_ONE && b.kind != LISTEN_ONE &&
		pb_address_overlap(&a.second, &b.second));
}

static void listen_explain(const union pb_address *address, const char *text, int error, char *why,
			   size_t why_cap)
{
	unsigned int port = pb_address_port(address);

	if (error == EADDRINUSE)
		snprintf(why, why_cap,
			 "can't listen on %s: another program%s has port %u; `ss -ltnp 'sport = "
			 ":%u'` shows which; stop it or choose another port",
			 text,
			 pb_address_is_any(address)
				 ? " or another listener (* and [::] take IPv4 too)"
				 : "",
			 port, port);
	else if (error == EACCES && port < PRIVILEGED_PORTS)
		snprintf(why, why_cap,
			 "can't listen on %s: port %u needs a right that this process does not "
			 "have; give it by AmbientCapabilities=CAP_NET_BIND_SERVICE in the systemd "
			 "unit (or `setcap cap_net_bind_service=+ep` on the program), or open low "
			 "ports to all by `sysctl net.ipv4.ip_unprivileged_port_start=%u`, or "
			 "choose a port from %d up",
			 text, port, port, PRIVILEGED_PORTS);
	else if (error == EADDRNOTAVAIL)
		snprintf(why, why_cap,
			 "can't listen on %s: this machine has no such address (`ip address` lists "
			 "them); *:%u listens on all, also on those that come up later",
			 text, port);
	else if (error == EAFNOSUPPORT)
		snprintf(why, why_cap,
			 "can't listen on %s: this machine has no IPv6; 0.0.0.0:%u listens on all "
			 "IPv4 addresses",
			 text, port);
	else
		snprintf(why, why_cap, "can't listen on %s: %s", text, strerror(error));
}

static int listen_set_option(int fd, int level, int option, int value)
{
	return setsockopt(fd, level, option, &value, sizeof(value)) < 0 ? -errno : 0;
}

/* Linux hands these on to accepted sockets (tcp(7)), which saves six calls for each client. */
static int listen_set_options(int fd, int family)
{
	static const struct {
		int level, option, value;
	} options[] = {
		{SOL_SOCKET, SO_REUSEADDR, 1}, /* else a restart fails for a minute */
		{SOL_SOCKET, SO_KEEPALIVE, 1},
		{SOL_SOCKET, SO_SNDBUF, SEND_BUFFER},
		{IPPROTO_TCP, TCP_NODELAY, 1},
		{IPPROTO_TCP, TCP_KEEPIDLE, KEEP_IDLE_S},
		{IPPROTO_TCP, TCP_KEEPINTVL, KEEP_INTERVAL_S},
		{IPPROTO_TCP, TCP_KEEPCNT, KEEP_COUNT},
		{IPPROTO_TCP, TCP_USER_TIMEOUT, USER_TIMEOUT_MS},
	};
	int r = 0;

	for (size_t i = 0; r == 0 && i < PB_ARRAY_SIZE(options); i++)
		r = listen_set_option(fd, options[i].level, options[i].option, options[i].value);
	if (r == 0 && family == AF_INET6) /* whatever the machine's default is */
		r = listen_set_option(fd, IPPROTO_IPV6, IPV6_V6ONLY, 0);
	return r;
}

static bool listen_same_place(const union pb_address *a, const union pb_address *b)
{
	bool v6 = a->any.sa_family == AF_INET6;

	if (pb_address_port(a) != pb_address_port(b))
		return false;
	if (pb_address_is_any(a) && pb_address_is_any(b)) /* [::] takes IPv4 too */
		return v6 || b->any.sa_family == AF_INET;
	if (a->any.sa_family != b->any.sa_family)
		return false;
	return v6 ? memcmp(&a->in6.sin6_addr, &b->in6.sin6_addr, 16) == 0
		  : a->in.sin_addr.s_addr == b->in.sin_addr.s_addr;
}

/*
 * A socket that systemd has opened for us (sd_listen_fds(3)), so that no right is needed here. The
 * original stays open: a listener that is closed and opened again finds it.
 * @return a copy; -ENOENT: none for this place.
 */
static int listen_inherit(const union pb_address *address)
{
	int count = sd_listen_fds(0);

	for (int i = 0; i < count; i++) {
		union pb_address bound = {0};
		socklen_t len = sizeof(bound);
		int fd = SD_LISTEN_FDS_START + i;

		if (sd_is_socket_inet(fd, AF_UNSPEC, SOCK_STREAM, 1, 0) <= 0 ||
		    getsockname(fd, &bound.any, &len) < 0 || !listen_same_place(&bound, address))
			continue;
		fd = fcntl(fd, F_DUPFD_CLOEXEC, 0);
		if (fd < 0 || fcntl(fd, F_SETFL, O_NONBLOCK) < 0)
			return -errno;
		/* the rest is as its maker wanted it; what is bound can't be changed to IPv6 alone
		 */
		listen_set_options(fd, AF_INET);
		return fd;
	}
	return -ENOENT;
}

static int listen_at(const union pb_address *address)
{
	int family = address->any.sa_family;
	int fd = listen_inherit(address);
	int r;

	if (fd != -ENOENT)
		return fd;
	fd = socket(family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return -errno;
	r = listen_set_options(fd, family);
	if (r == 0 && bind(fd, &address->any, pb_address_len(address)) < 0)
		r = -errno;
	if (r == 0 && listen(fd, SOMAXCONN) < 0)
		r = -errno;
	if (r < 0) {
		close(fd);
		return r;
	}
	return fd;
}

static int listen_bound_port(int fd, uint16_t *ret)
{
	union pb_address bound = {0};
	socklen_t len = sizeof(bound);

	if (getsockname(fd, &bound.any, &len) < 0)
		return -errno;
	*ret = pb_address_port(&bound);
	return 0;
}

/* @return 1 and the socket; 0 the machine does not have it; negative errno. */
static int listen_second(union pb_address address, uint16_t port, int *socket)
{
	int r;

	pb_address_set_port(&address, port);
	r = listen_at(&address);
	if (r == -EAFNOSUPPORT || r == -EADDRNOTAVAIL)
		return 0;
	if (r < 0)
		return r;
	*socket = r;
	return 1;
}

int listen_open(const struct listen_address *address, const char *text, int *sockets,
		uint16_t *ret_port, char *why, size_t why_cap)
{
	const union pb_address *used = &address->first;
	uint16_t port = 0;
	int fd, r;

	fd = listen_at(used);
	if (fd == -EAFNOSUPPORT && address->kind == LISTEN_EITHER) {
		used = &address->second;
		fd = listen_at(used);
	}
	if (fd < 0) {
		listen_explain(used, text, -fd, why, why_cap);
		return fd;
	}
	r = listen_bound_port(fd, &port);
	sockets[0] = fd;
	if (r == 0 && address->kind == LISTEN_BOTH) {
		used = &address->second;
		r = listen_second(*used, port, &sockets[1]);
	}
	if (r < 0) {
		listen_explain(used, text, -r, why, why_cap);
		close(fd);
		return r;
	}
	*ret_port = port;
	return 1 + r;
}
