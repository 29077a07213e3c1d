/* SPDX-License-Identifier: MIT */
#include "address.h"

#include "packbridge/base.h"
#include "packbridge/server.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <systemd/sd-daemon.h>
#include <unistd.h>

enum {
	HOST_MAX = 80, /* the longest IPv6 text, a zone behind it */
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

static int expected(const char *text, char *why, size_t why_cap)
{
	snprintf(why, why_cap,
		 "'%s' is no address to listen on, expected HOST:PORT such as 0.0.0.0:502, "
		 "[::]:502, *:502 or localhost:1502 (names are not looked up)",
		 text);
	return -EINVAL;
}

static struct pb_endpoint endpoint_v4(in_addr_t host_order, uint16_t port)
{
	struct pb_endpoint ret = {.len = sizeof(ret.addr.v4)};

	ret.addr.v4.sin_family = AF_INET;
	ret.addr.v4.sin_addr.s_addr = htonl(host_order);
	ret.addr.v4.sin_port = htons(port);
	return ret;
}

static struct pb_endpoint endpoint_v6(const struct in6_addr *host, uint16_t port)
{
	struct pb_endpoint ret = {.len = sizeof(ret.addr.v6)};

	ret.addr.v6.sin6_family = AF_INET6;
	ret.addr.v6.sin6_addr = *host;
	ret.addr.v6.sin6_port = htons(port);
	return ret;
}

/* the only form with a zone ("fe80::1%eth0"), which inet_pton() does not know */
static int parse_v6(struct pb_endpoint *ret, const char *host, uint16_t port)
{
	const struct addrinfo hints = {.ai_family = AF_INET6,
				       .ai_socktype = SOCK_STREAM,
				       .ai_flags = AI_NUMERICHOST | AI_NUMERICSERV};
	struct addrinfo *found;

	if (getaddrinfo(host, NULL, &hints, &found) != 0)
		return -EINVAL;
	memcpy(&ret->addr.v6, found->ai_addr, sizeof(ret->addr.v6));
	freeaddrinfo(found);
	ret->addr.v6.sin6_port = htons(port);
	ret->len = sizeof(ret->addr.v6);
	return 0;
}

static int parse_port(const char *text, uint16_t *ret)
{
	size_t digits = strspn(text, "0123456789");
	long port;

	if (digits < 1 || digits > 5 || text[digits])
		return -EINVAL;
	port = strtol(text, NULL, 10);
	if (port > UINT16_MAX)
		return -ERANGE;
	*ret = (uint16_t)port;
	return 0;
}

/* Splits HOST:PORT; @ret_bracketed: the host stood in brackets, which only IPv6 does. */
static int split(const char *text, char *host, size_t host_cap, bool *ret_bracketed,
		 const char **ret_port)
{
	const char *colon = strrchr(text, ':');
	size_t len;

	if (!colon)
		return -EINVAL;
	len = (size_t)(colon - text);
	*ret_port = colon + 1;
	*ret_bracketed = len >= 2 && text[0] == '[' && text[len - 1] == ']';
	if (*ret_bracketed) {
		text++;
		len -= 2;
	}
	if (len == 0 || len >= host_cap)
		return -EINVAL;
	memcpy(host, text, len);
	host[len] = '\0';
	return 0;
}

static int parse_host(struct pb_address *ret, const char *host, bool bracketed, uint16_t port)
{
	struct in_addr v4;

	if (bracketed)
		return parse_v6(&ret->first, host, port);
	if (strcmp(host, "*") == 0) {
		ret->first = endpoint_v6(&in6addr_any, port);
		ret->second = endpoint_v4(INADDR_ANY, port);
		ret->kind = PB_ADDRESS_EITHER;
	} else if (strcmp(host, "localhost") == 0) {
		ret->first = endpoint_v4(INADDR_LOOPBACK, port);
		ret->second = endpoint_v6(&in6addr_loopback, port);
		ret->kind = PB_ADDRESS_BOTH;
	} else if (inet_pton(AF_INET, host, &v4) == 1) {
		ret->first = endpoint_v4(ntohl(v4.s_addr), port);
	} else {
		return -EINVAL;
	}
	return 0;
}

/* "http://127.0.0.1:8502/" */
static int no_url(const char *text, char *why, size_t why_cap)
{
	const char *from = strstr(text, "://") + strlen("://");

	snprintf(why, why_cap, "'%s', expected the address alone: %.*s", text,
		 (int)strcspn(from, "/"), from);
	return -EINVAL;
}

int pb_address_parse(struct pb_address *ret, const char *text, char *why, size_t why_cap)
{
	struct pb_address address = {.kind = PB_ADDRESS_ONE};
	char host[HOST_MAX];
	const char *port_text;
	bool bracketed;
	uint16_t port;
	int r = split(text, host, sizeof(host), &bracketed, &port_text);

	if (strstr(text, "://"))
		return no_url(text, why, why_cap);
	if (r < 0)
		return expected(text, why, why_cap);
	if (text[0] != '[' && strchr(host, ':')) {
		snprintf(why, why_cap, "'%s': an IPv6 address stands in brackets: [%s]:%s", text,
			 host, port_text);
		return -EINVAL;
	}
	r = parse_port(port_text, &port);
	if (r < 0) {
		snprintf(why, why_cap, "'%s': port '%s', expected 1 to 65535", text, port_text);
		return -EINVAL;
	}
	if (parse_host(&address, host, bracketed, port) < 0)
		return expected(text, why, why_cap);
	*ret = address;
	return 0;
}

static void endpoint_set_port(struct pb_endpoint *endpoint, uint16_t port)
{
	if (endpoint->addr.any.sa_family == AF_INET6)
		endpoint->addr.v6.sin6_port = htons(port);
	else
		endpoint->addr.v4.sin_port = htons(port);
}

void pb_address_set_port(struct pb_address *address, uint16_t port)
{
	endpoint_set_port(&address->first, port);
	if (address->kind != PB_ADDRESS_ONE)
		endpoint_set_port(&address->second, port);
}

int pb_server_tcp_check(const char *address, char *why, size_t why_cap)
{
	struct pb_address parsed;

	return pb_address_parse(&parsed, address, why, why_cap);
}

static uint16_t endpoint_port(const struct pb_endpoint *endpoint)
{
	return ntohs(endpoint->addr.any.sa_family == AF_INET6 ? endpoint->addr.v6.sin6_port
							      : endpoint->addr.v4.sin_port);
}

static bool endpoint_is_any(const struct pb_endpoint *endpoint)
{
	if (endpoint->addr.any.sa_family == AF_INET6)
		return IN6_IS_ADDR_UNSPECIFIED(&endpoint->addr.v6.sin6_addr);
	return endpoint->addr.v4.sin_addr.s_addr == htonl(INADDR_ANY);
}

/* IPv4 within IPv6 as IPv4, since a socket for both families takes both. */
static struct pb_endpoint endpoint_plain(const struct pb_endpoint *endpoint)
{
	const struct in6_addr *v6 = &endpoint->addr.v6.sin6_addr;
	in_addr_t v4;

	if (endpoint->addr.any.sa_family != AF_INET6 || !IN6_IS_ADDR_V4MAPPED(v6))
		return *endpoint;
	memcpy(&v4, &v6->s6_addr[12], sizeof(v4));
	return endpoint_v4(ntohl(v4), endpoint_port(endpoint));
}

/* Whether the kernel refuses one of them while the other listens. */
static bool endpoints_overlap(const struct pb_endpoint *one, const struct pb_endpoint *other)
{
	struct pb_endpoint a = endpoint_plain(one), b = endpoint_plain(other);
	bool a6 = a.addr.any.sa_family == AF_INET6, b6 = b.addr.any.sa_family == AF_INET6;

	if (endpoint_port(&a) != endpoint_port(&b) || endpoint_port(&a) == 0)
		return false;
	if ((a6 && endpoint_is_any(&a)) || (b6 && endpoint_is_any(&b)))
		return true;
	if (a6 != b6)
		return false;
	if (a6)
		return memcmp(&a.addr.v6.sin6_addr, &b.addr.v6.sin6_addr, 16) == 0 &&
		       a.addr.v6.sin6_scope_id == b.addr.v6.sin6_scope_id;
	return endpoint_is_any(&a) || endpoint_is_any(&b) ||
	       a.addr.v4.sin_addr.s_addr == b.addr.v4.sin_addr.s_addr;
}

bool pb_server_tcp_overlap(const char *one, const char *other)
{
	struct pb_address a, b;
	char why[256];

	if (pb_address_parse(&a, one, why, sizeof(why)) < 0 ||
	    pb_address_parse(&b, other, why, sizeof(why)) < 0)
		return false;
	return endpoints_overlap(&a.first, &b.first) ||
	       (a.kind != PB_ADDRESS_ONE && endpoints_overlap(&a.second, &b.first)) ||
	       (b.kind != PB_ADDRESS_ONE && endpoints_overlap(&a.first, &b.second)) ||
	       (a.kind != PB_ADDRESS_ONE && b.kind != PB_ADDRESS_ONE &&
		endpoints_overlap(&a.second, &b.second));
}

static void explain(const struct pb_endpoint *endpoint, const char *text, int error, char *why,
		    size_t why_cap)
{
	unsigned int port = endpoint_port(endpoint);

	if (error == EADDRINUSE)
		snprintf(why, why_cap,
			 "can't listen on %s: another program%s has port %u; `ss -ltnp 'sport = "
			 ":%u'` shows which; stop it or choose another port",
			 text,
			 endpoint_is_any(endpoint)
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

static int set_option(int fd, int level, int option, int value)
{
	return setsockopt(fd, level, option, &value, sizeof(value)) < 0 ? -errno : 0;
}

/* Linux hands these on to accepted sockets (tcp(7)), which saves six calls for each client. */
static int set_options(int fd, int family)
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
		r = set_option(fd, options[i].level, options[i].option, options[i].value);
	if (r == 0 && family == AF_INET6) /* whatever the machine's default is */
		r = set_option(fd, IPPROTO_IPV6, IPV6_V6ONLY, 0);
	return r;
}

static bool same_place(const struct pb_endpoint *a, const struct pb_endpoint *b)
{
	bool v6 = a->addr.any.sa_family == AF_INET6;

	if (endpoint_port(a) != endpoint_port(b))
		return false;
	if (endpoint_is_any(a) && endpoint_is_any(b)) /* [::] takes IPv4 too */
		return v6 || b->addr.any.sa_family == AF_INET;
	if (a->addr.any.sa_family != b->addr.any.sa_family)
		return false;
	return v6 ? memcmp(&a->addr.v6.sin6_addr, &b->addr.v6.sin6_addr, 16) == 0
		  : a->addr.v4.sin_addr.s_addr == b->addr.v4.sin_addr.s_addr;
}

/*
 * A socket that systemd has opened for us (sd_listen_fds(3)), so that no right is needed here. The
 * original stays open: a listener that is closed and opened again finds it.
 * @return a copy; -ENOENT: none for this place.
 */
static int inherit(const struct pb_endpoint *endpoint)
{
	int count = sd_listen_fds(0);

	for (int i = 0; i < count; i++) {
		struct pb_endpoint bound = {.len = sizeof(bound.addr)};
		int fd = SD_LISTEN_FDS_START + i;

		if (sd_is_socket_inet(fd, AF_UNSPEC, SOCK_STREAM, 1, 0) <= 0 ||
		    getsockname(fd, &bound.addr.any, &bound.len) < 0 ||
		    !same_place(&bound, endpoint))
			continue;
		fd = fcntl(fd, F_DUPFD_CLOEXEC, 0);
		if (fd < 0 || fcntl(fd, F_SETFL, O_NONBLOCK) < 0)
			return -errno;
		/* the rest is as its maker wanted it; what is bound can't be changed to IPv6 alone
		 */
		set_options(fd, AF_INET);
		return fd;
	}
	return -ENOENT;
}

static int listen_on(const struct pb_endpoint *endpoint)
{
	int family = endpoint->addr.any.sa_family;
	int fd = inherit(endpoint);
	int r;

	if (fd != -ENOENT)
		return fd;
	fd = socket(family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return -errno;
	r = set_options(fd, family);
	if (r == 0 && bind(fd, &endpoint->addr.any, endpoint->len) < 0)
		r = -errno;
	if (r == 0 && listen(fd, SOMAXCONN) < 0)
		r = -errno;
	if (r < 0) {
		close(fd);
		return r;
	}
	return fd;
}

static int bound_port(int fd, uint16_t *ret)
{
	struct pb_endpoint bound = {.len = sizeof(bound.addr)};

	if (getsockname(fd, &bound.addr.any, &bound.len) < 0)
		return -errno;
	*ret = endpoint_port(&bound);
	return 0;
}

/* @return 1 and the socket; 0 the machine does not have it; negative errno. */
static int listen_second(struct pb_endpoint endpoint, uint16_t port, int *socket)
{
	int r;

	endpoint_set_port(&endpoint, port);
	r = listen_on(&endpoint);
	if (r == -EAFNOSUPPORT || r == -EADDRNOTAVAIL)
		return 0;
	if (r < 0)
		return r;
	*socket = r;
	return 1;
}

int pb_address_listen(const struct pb_address *address, const char *text, int *sockets,
		      uint16_t *ret_port, char *why, size_t why_cap)
{
	const struct pb_endpoint *used = &address->first;
	uint16_t port = 0;
	int fd, r;

	fd = listen_on(used);
	if (fd == -EAFNOSUPPORT && address->kind == PB_ADDRESS_EITHER) {
		used = &address->second;
		fd = listen_on(used);
	}
	if (fd < 0) {
		explain(used, text, -fd, why, why_cap);
		return fd;
	}
	r = bound_port(fd, &port);
	sockets[0] = fd;
	if (r == 0 && address->kind == PB_ADDRESS_BOTH) {
		used = &address->second;
		r = listen_second(*used, port, &sockets[1]);
	}
	if (r < 0) {
		explain(used, text, -r, why, why_cap);
		close(fd);
		return r;
	}
	*ret_port = port;
	return 1 + r;
}
