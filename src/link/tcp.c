/* SPDX-License-Identifier: MIT */
/*
 * tcp:HOST:PORT, the bytes of a pack through a serial device server.
 *
 * Such servers vanish without a word when they lose power or their cable, and a pack is only
 * spoken to every few seconds, so the kernel is told to probe a silent connection and to give up
 * on unacknowledged requests.
 *
 * The address is resolved at each open(): it may have changed since the last time. All addresses
 * of a name are tried, one after the other. A name server can hold a look-up for ever (it says that
 * its answer is too long, takes the connection that follows, and is silent), and nothing ends the
 * thread that waits: so a link has at most one, and the next open() waits for the same answer.
 */
#include "packbridge/base.h"
#include "packbridge/link.h"
#include "packbridge/net.h"

#include <assert.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <systemd/sd-event.h>
#include <time.h>
#include <unistd.h>

enum {
	SEND_MAX = 1024,	 /* as the contract says */
	OUT_MAX = 2048,		 /* what a peer that does not read may owe us */
	IN_MAX = 4096,		 /* a turn of the loop; the rest waits in the kernel */
	RESOLVE_MS = 15000,	 /* name servers time out themselves, mostly */
	ATTEMPT_MS = 5000,	 /* for each address */
	KEEP_IDLE_S = 15,	 /* TCP keep-alive: silence before the first probe */
	KEEP_INTERVAL_S = 5,	 /* between probes */
	KEEP_COUNT = 3,		 /* unanswered probes that end the connection */
	USER_TIMEOUT_MS = 30000, /* unacknowledged data ends it, too */
};

/*
 *	CLOSED --open()--> STARTING --name--> RESOLVING --> CONNECTING --> UP
 *	  ^                    '---numeric address------------^  '-next-'    |
 *	  |                                                                  | send() failed
 *	  '--down-- any of them, and FAILED <--------------------------------'
 */
enum tcp_state {
	TCP_CLOSED,
	TCP_STARTING, /* open() was called; the loop does the rest */
	TCP_RESOLVING,
	TCP_CONNECTING,
	TCP_UP,
	TCP_FAILED, /* the owner will be told from the event loop */
};

struct tcp_link {
	struct pb_link head;
	sd_event *event;
	enum tcp_state state;
	struct pb_endpoint endpoint;
	struct pb_addresses addresses;
	size_t next; /* address to try next */
	int fd;	     /* socket, or the resolver's descriptor; -1: none */
	int asked;   /* the resolver's, of a look-up that was not waited for; -1: none */
	int error;   /* FAILED: the error for down(); CONNECTING: of the last address */
	sd_event_source *io;
	sd_event_source *later; /* what open() and send() leave to the loop */
	sd_event_source *timer; /* of RESOLVING and CONNECTING */
	size_t out_len;
	uint8_t out[OUT_MAX]; /* taken by send(), not yet by the kernel */
};

static void connect_next(struct tcp_link *tcp);

static struct tcp_link *tcp_of(struct pb_link *link)
{
	assert(link->type == &pb_link_tcp);
	return (struct tcp_link *)link;
}

static void drop_fd(struct tcp_link *tcp)
{
	tcp->io = sd_event_source_disable_unref(tcp->io);
	if (tcp->state == TCP_RESOLVING)
		tcp->asked = tcp->fd;
	else if (tcp->fd >= 0)
		close(tcp->fd);
	tcp->fd = -1;
	sd_event_source_set_enabled(tcp->timer, SD_EVENT_OFF);
}

static void tcp_shut(struct tcp_link *tcp)
{
	drop_fd(tcp);
	sd_event_source_set_enabled(tcp->later, SD_EVENT_OFF);
	tcp->out_len = 0;
	tcp->state = TCP_CLOSED;
}

/* Tells the owner; it may open the link again at once, so nothing may follow this. */
static void tcp_go_down(struct tcp_link *tcp, int error, const char *why)
{
	tcp_shut(tcp);
	tcp->head.handler->down(tcp->head.userdata, error, why);
}

static const char *error_words(int error)
{
	switch (-error) {
	case ECONNREFUSED:
		return "connection refused";
	case ECONNRESET:
	case EPIPE:
		return "connection reset by the peer";
	case ETIMEDOUT:
		return "no answer";
	case EHOSTUNREACH:
		return "no route to the host";
	case ENETUNREACH:
		return "no route to its network";
	case ENOBUFS:
		return "the peer accepts no more bytes";
	default:
		return strerrordesc_np(-error);
	}
}

static void arm_timer(struct tcp_link *tcp, uint64_t ms)
{
	sd_event_source_set_time_relative(tcp->timer, ms * 1000);
	sd_event_source_set_enabled(tcp->timer, SD_EVENT_ONESHOT);
}

static int set_option(int fd, int level, int option, int value)
{
	return setsockopt(fd, level, option, &value, sizeof(value)) < 0 ? -errno : 0;
}

static int set_options(int fd)
{
	static const struct {
		int level, option, value;
	} options[] = {
		{IPPROTO_TCP, TCP_NODELAY, 1},
		{SOL_SOCKET, SO_KEEPALIVE, 1},
		{IPPROTO_TCP, TCP_KEEPIDLE, KEEP_IDLE_S},
		{IPPROTO_TCP, TCP_KEEPINTVL, KEEP_INTERVAL_S},
		{IPPROTO_TCP, TCP_KEEPCNT, KEEP_COUNT},
		{IPPROTO_TCP, TCP_USER_TIMEOUT, USER_TIMEOUT_MS},
	};

	for (size_t i = 0; i < PB_ARRAY_SIZE(options); i++) {
		int r = set_option(fd, options[i].level, options[i].option, options[i].value);

		if (r < 0)
			return r;
	}
	return 0;
}

/* ---- data ---- */

/* @return 0, also when the kernel takes no more for now; negative errno. */
static int flush(struct tcp_link *tcp)
{
	ssize_t n = send(tcp->fd, tcp->out, tcp->out_len, MSG_NOSIGNAL);

	if (n < 0)
		return errno == EAGAIN || errno == EINTR ? 0 : -errno;
	tcp->out_len -= (size_t)n;
	memmove(tcp->out, tcp->out + n, tcp->out_len);
	return 0;
}

static void receive(struct tcp_link *tcp)
{
	uint8_t bytes[IN_MAX];
	ssize_t n = recv(tcp->fd, bytes, sizeof(bytes), 0);

	/* one call of the owner a turn, and nothing behind it: it may have closed the link */
	if (n > 0)
		tcp->head.handler->data(tcp->head.userdata, bytes, (size_t)n);
	else if (n == 0)
		tcp_go_down(tcp, -ECONNRESET, "closed by the peer");
	else if (errno != EAGAIN && errno != EINTR)
		tcp_go_down(tcp, -errno, error_words(-errno));
}

static void tcp_exchange(struct tcp_link *tcp, uint32_t revents)
{
	int r;

	if (revents & EPOLLOUT && tcp->out_len > 0) {
		r = flush(tcp);
		if (r < 0) {
			tcp_go_down(tcp, r, error_words(r));
			return;
		}
		if (tcp->out_len == 0)
			sd_event_source_set_io_events(tcp->io, EPOLLIN);
	}
	if (revents & (EPOLLIN | EPOLLHUP | EPOLLERR))
		receive(tcp);
}

/* ---- connecting ---- */

/*
 * A connect to a free port of this machine can meet itself, when the kernel picks that very port
 * as the source: the link would hear its own requests.
 */
static bool met_itself(int fd)
{
	union pb_address here = {0}, there = {0};
	socklen_t here_len = sizeof(here), there_len = sizeof(there);

	return getsockname(fd, &here.any, &here_len) == 0 &&
	       getpeername(fd, &there.any, &there_len) == 0 && here_len == there_len &&
	       memcmp(&here, &there, here_len) == 0;
}

static void finish_connect(struct tcp_link *tcp)
{
	socklen_t len = sizeof(int);
	int error = 0;

	if (getsockopt(tcp->fd, SOL_SOCKET, SO_ERROR, &error, &len) < 0)
		error = errno;
	if (error == 0 && met_itself(tcp->fd))
		error = ECONNREFUSED;
	if (error != 0) {
		tcp->error = -error;
		connect_next(tcp);
		return;
	}
	sd_event_source_set_enabled(tcp->timer, SD_EVENT_OFF);
	sd_event_source_set_io_events(tcp->io, EPOLLIN);
	tcp->state = TCP_UP;
	tcp->head.handler->up(tcp->head.userdata);
}

static void finish_resolve(struct tcp_link *tcp)
{
	char why[PB_HOST_MAX + 128];

	pb_resolve_finish(tcp->fd, &tcp->addresses);
	tcp->state = TCP_CONNECTING;
	if (tcp->addresses.count == 0) {
		snprintf(why, sizeof(why), "'%s' not found: %s", tcp->endpoint.host,
			 tcp->addresses.why);
		tcp_go_down(tcp, -EHOSTUNREACH, why);
		return;
	}
	connect_next(tcp);
}

static int on_io(sd_event_source *source, int fd, uint32_t revents, void *userdata)
{
	struct tcp_link *tcp = userdata;

	(void)source;
	(void)fd;
	switch (tcp->state) {
	case TCP_RESOLVING:
		finish_resolve(tcp);
		break;
	case TCP_CONNECTING:
		finish_connect(tcp);
		break;
	case TCP_UP:
		tcp_exchange(tcp, revents);
		break;
	case TCP_CLOSED:
	case TCP_STARTING:
	case TCP_FAILED:
		break; /* no descriptor is watched */
	}
	return 0;
}

static int start_connect(struct tcp_link *tcp, const union pb_address *address)
{
	int r;

	tcp->fd = socket(address->any.sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (tcp->fd < 0)
		return -errno;
	r = set_options(tcp->fd);
	if (r < 0)
		return r;
	if (connect(tcp->fd, &address->any, pb_address_len(address)) < 0 && errno != EINPROGRESS)
		return -errno;
	return sd_event_add_io(tcp->event, &tcp->io, tcp->fd, EPOLLOUT, on_io, tcp);
}

/* Tries the addresses that are left; with none left the link is down. */
static void connect_next(struct tcp_link *tcp)
{
	tcp->state = TCP_CONNECTING;
	while (tcp->next < tcp->addresses.count) {
		drop_fd(tcp);
		tcp->error = start_connect(tcp, &tcp->addresses.list[tcp->next++]);
		if (tcp->error >= 0) {
			arm_timer(tcp, ATTEMPT_MS);
			return;
		}
	}
	tcp_go_down(tcp, tcp->error, error_words(tcp->error));
}

static int start_resolve(struct tcp_link *tcp)
{
	int r = 0;

	tcp->fd = tcp->asked;
	tcp->asked = -1;
	if (tcp->fd < 0)
		r = pb_resolve_start(&tcp->endpoint, &tcp->fd);
	if (r < 0)
		return r;
	tcp->state = TCP_RESOLVING;
	arm_timer(tcp, RESOLVE_MS);
	return sd_event_add_io(tcp->event, &tcp->io, tcp->fd, EPOLLIN, on_io, tcp);
}

static void tcp_start(struct tcp_link *tcp)
{
	int r;

	tcp->next = 0;
	if (pb_resolve_numeric(&tcp->endpoint, &tcp->addresses) == 0) {
		connect_next(tcp);
		return;
	}
	r = start_resolve(tcp);
	if (r < 0)
		tcp_go_down(tcp, r, error_words(r));
}

static int tcp_on_later(sd_event_source *source, void *userdata)
{
	struct tcp_link *tcp = userdata;

	(void)source;
	if (tcp->state == TCP_STARTING)
		tcp_start(tcp);
	else if (tcp->state == TCP_FAILED)
		tcp_go_down(tcp, tcp->error, error_words(tcp->error));
	return 0;
}

static int tcp_on_timer(sd_event_source *source, uint64_t usec, void *userdata)
{
	struct tcp_link *tcp = userdata;

	(void)source;
	(void)usec;
	if (tcp->state == TCP_RESOLVING) {
		tcp_go_down(tcp, -ETIMEDOUT, "no answer from the name server");
	} else if (tcp->state == TCP_CONNECTING) {
		tcp->error = -ETIMEDOUT;
		connect_next(tcp);
	}
	return 0;
}

/* ---- the link ---- */

static int tcp_open(struct pb_link *link)
{
	struct tcp_link *tcp = tcp_of(link);

	if (tcp->state != TCP_CLOSED)
		return -EALREADY;
	tcp->state = TCP_STARTING;
	return sd_event_source_set_enabled(tcp->later, SD_EVENT_ONESHOT);
}

static void tcp_close(struct pb_link *link)
{
	tcp_shut(tcp_of(link));
}

/* Ends the link; the owner gets down() from the event loop. */
static void fail_later(struct tcp_link *tcp, int error)
{
	drop_fd(tcp);
	tcp->state = TCP_FAILED;
	tcp->error = error;
	sd_event_source_set_enabled(tcp->later, SD_EVENT_ONESHOT);
}

static int tcp_send(struct pb_link *link, const uint8_t *bytes, size_t len)
{
	struct tcp_link *tcp = tcp_of(link);
	int r;

	if (tcp->state != TCP_UP)
		return -ENOTCONN;
	if (len > SEND_MAX)
		return -EMSGSIZE;
	if (tcp->out_len + len > sizeof(tcp->out)) {
		fail_later(tcp, -ENOBUFS);
		return 0;
	}
	memcpy(tcp->out + tcp->out_len, bytes, len);
	tcp->out_len += len;
	r = flush(tcp);
	if (r >= 0 && tcp->out_len > 0)
		r = sd_event_source_set_io_events(tcp->io, EPOLLIN | EPOLLOUT);
	if (r < 0)
		fail_later(tcp, r);
	return 0;
}

static void tcp_free(struct pb_link *link)
{
	struct tcp_link *tcp = tcp_of(link);

	drop_fd(tcp);
	if (tcp->asked >= 0)
		close(tcp->asked);
	sd_event_source_disable_unref(tcp->later);
	sd_event_source_disable_unref(tcp->timer);
	sd_event_unref(tcp->event);
	free(tcp);
}

static int tcp_add_sources(struct tcp_link *tcp)
{
	int r = sd_event_add_defer(tcp->event, &tcp->later, tcp_on_later, tcp);

	if (r < 0)
		return r;
	r = sd_event_source_set_enabled(tcp->later, SD_EVENT_OFF);
	if (r < 0)
		return r;
	r = sd_event_add_time(tcp->event, &tcp->timer, CLOCK_BOOTTIME, UINT64_MAX, 0, tcp_on_timer,
			      tcp);
	if (r < 0)
		return r;
	return sd_event_source_set_enabled(tcp->timer, SD_EVENT_OFF);
}

/* A zone has to be an interface of this machine. */
static int tcp_parse(struct pb_endpoint *ret, const char *address, char *why, size_t why_cap)
{
	struct pb_addresses numeric;
	enum pb_endpoint_fault fault = pb_endpoint_parse(ret, address, PB_ENDPOINT_CONNECT);

	if (fault == PB_ENDPOINT_GOOD && ret->kind == PB_HOST_V6 &&
	    pb_resolve_numeric(ret, &numeric) < 0)
		fault = PB_ENDPOINT_BAD_V6;
	return fault == PB_ENDPOINT_GOOD ? 0 : pb_endpoint_explain(fault, address, why, why_cap);
}

static int tcp_create(struct pb_link **ret, const struct pb_link_setup *setup, char *why,
		      size_t why_cap)
{
	struct pb_endpoint endpoint;
	struct tcp_link *tcp;
	int r = tcp_parse(&endpoint, setup->address, why, why_cap);

	if (r < 0 || !ret)
		return r;
	tcp = calloc(1, sizeof(*tcp));
	if (!tcp)
		return -ENOMEM;
	tcp->head = (struct pb_link){&pb_link_tcp, setup->handler, setup->userdata};
	tcp->event = sd_event_ref(setup->event);
	tcp->fd = tcp->asked = -1;
	tcp->endpoint = endpoint;
	r = tcp_add_sources(tcp);
	if (r < 0) {
		snprintf(why, why_cap, "%s", strerrordesc_np(-r));
		tcp_free(&tcp->head);
		return r;
	}
	*ret = &tcp->head;
	return 0;
}

/* Names are not looked up: the same device by its name and by its address is not found. */
static void tcp_identity(const char *address, char *out, size_t cap)
{
	struct pb_endpoint endpoint;
	char why[320];

	if (tcp_parse(&endpoint, address, why, sizeof(why)) < 0)
		snprintf(out, cap, "%s", address);
	else
		pb_endpoint_canonical(&endpoint, out, cap);
}

const struct pb_link_type pb_link_tcp = {
	.name = "tcp",
	.usage = "tcp:HOST:PORT",
	.doc = "the pack's bytes through a serial device server, without any protocol around them",
	.create = tcp_create,
	.identity = tcp_identity,
	.open = tcp_open,
	.close = tcp_close,
	.send = tcp_send,
	.free = tcp_free,
};
