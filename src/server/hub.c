/* SPDX-License-Identifier: MIT */
/*
 * The sockets of all servers stand in one epoll set, so that a turn of the loop serves many. While
 * pb_hub_run() runs, sd-event's own descriptor is a member of that set: a client's turn costs one
 * epoll_wait() and not also sd-event's. At other times it is the other way round, the set is a
 * source of the event loop.
 *
 * Timers that are set in a client's turn, by us or by whoever answers it, begin when sd-event is
 * prepared again. That costs a system call, so it is done once in LOOK_MS: at once behind a client
 * that asks now and then, at the end of a burst, and under load so often that it costs nothing.
 *
 * sd-event may have something ready without end: packs that flood, people who ask. So a turn is at
 * most one thing of its, and then the sockets. The watchdog is fed behind that, and only there: a
 * daemon that does not come to its sockets any more is restarted.
 */
#include "hub.h"
#include "door.h"
#include "tcp.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <systemd/sd-daemon.h>
#include <systemd/sd-event.h>
#include <time.h>
#include <unistd.h>

enum {
	BATCH = 64, /* ready sockets a turn of the loop */
	LOOK_MS = 4,
	PINGS = 3, /* in the time that the watchdog waits for one */
};

struct pb_hub {
	sd_event *event;
	sd_event_source *source; /* the set, for the event loop */
	int fd;
	bool stirred;	    /* sd-event has to be looked at before we wait */
	bool asked;	    /* clients have had turns since it was */
	uint64_t looked_ms; /* when that was */
	struct pb_server *servers;
	int reserve; /* a descriptor to be given up when there is no other */
	sd_event_source *ping;
	uint64_t ping_us; /* between pings */
	bool ping_is_due;
};

sd_event *hub_event(const struct pb_hub *hub)
{
	return hub->event;
}

struct pb_server **hub_servers(struct pb_hub *hub)
{
	return &hub->servers;
}

int hub_watch(struct pb_hub *hub, struct socket *socket, uint32_t events, bool again)
{
	struct epoll_event event = {.events = events, .data.ptr = socket};
	int operation = again ? EPOLL_CTL_MOD : EPOLL_CTL_ADD;

	return epoll_ctl(hub->fd, operation, socket->fd, &event) < 0 ? -errno : 0;
}

/* Serves what is ready, and notes whether sd-event has to be looked at. */
static void take_turns(struct pb_hub *hub, const struct epoll_event *events, int count)
{
	uint64_t now_ms = pb_now_ms();
	struct socket *knocked[BATCH];
	size_t knocks = 0;

	for (int i = 0; i < count; i++) {
		struct socket *socket = events[i].data.ptr; /* cppcheck-suppress uninitvar */

		if (!socket) /* sd-event's descriptor */
			hub->stirred = true;
		else if (socket->listens)
			knocked[knocks++] = socket;
		else
			client_turn((struct client *)socket, events[i].events, now_ms);
	}
	/* last, because it may close a client that has its turn in this batch */
	for (size_t i = 0; i < knocks; i++)
		tcp_accept(knocked[i]->server, knocked[i]->fd, now_ms);
	hub->asked = hub->asked || count > 0;
	if (hub->asked && now_ms - hub->looked_ms >= LOOK_MS)
		hub->stirred = true;
}

static int on_ready(sd_event_source *source, int fd, uint32_t revents, void *userdata)
{
	struct epoll_event events[BATCH];

	(void)source;
	(void)revents;
	take_turns(userdata, events, epoll_wait(fd, events, BATCH, 0));
	return 0;
}

/* ---- the descriptor in reserve ---- */

int hub_turn_away(struct pb_hub *hub, int listener)
{
	int fd;

	if (hub->reserve >= 0)
		close(hub->reserve);
	fd = door_take(listener, NULL);
	if (fd >= 0)
		close(fd);
	hub->reserve = eventfd(0, EFD_CLOEXEC);
	return fd < 0 ? fd : 0;
}

/* ---- the watchdog ---- */

/* Only notes that a ping is due: who sends it has served the sockets before. */
static int on_ping_due(sd_event_source *source, uint64_t usec, void *userdata)
{
	struct pb_hub *hub = userdata;
	int r;

	(void)usec;
	hub->ping_is_due = true;
	r = sd_event_source_set_time_relative(source, hub->ping_us);
	return r < 0 ? r : sd_event_source_set_enabled(source, SD_EVENT_ONESHOT);
}

static int start_watchdog(struct pb_hub *hub)
{
	uint64_t limit_us;
	int r = sd_watchdog_enabled(false, &limit_us);

	if (r <= 0)
		return r;
	hub->ping_us = limit_us / PINGS;
	return sd_event_add_time_relative(hub->event, &hub->ping, CLOCK_BOOTTIME, hub->ping_us,
					  hub->ping_us / 10, on_ping_due, hub);
}

static void ping(struct pb_hub *hub)
{
	if (!hub->ping_is_due)
		return;
	hub->ping_is_due = false;
	pb_notify("WATCHDOG=1");
}

/* ---- the loop ---- */

/*
 * At most one thing of sd-event's.
 * @return 1: it did one, and there may be more; 0: there is none, and its descriptor wakes us for
 *         the next; negative errno.
 */
static int dispatch_one(struct pb_hub *hub)
{
	int r = 0;

	if (!hub->stirred)
		return 0;
	hub->asked = false;
	hub->looked_ms = pb_now_ms();
	/* armed, it has to be waited for before it can be prepared anew: timers are set there */
	if (sd_event_get_state(hub->event) == SD_EVENT_ARMED)
		r = sd_event_wait(hub->event, 0);
	if (r == 0)
		r = sd_event_prepare(hub->event);
	if (r > 0)
		r = sd_event_dispatch(hub->event);
	else if (r == 0)
		return 0;
	return r < 0 ? r : 1;
}

/* The sockets get their turn after every single thing of sd-event's, whatever else is ready. */
static int hub_turn(struct pb_hub *hub)
{
	struct epoll_event events[BATCH];
	int busy = dispatch_one(hub), count;

	if (busy < 0)
		return busy;
	hub->stirred = busy;
	count = epoll_wait(hub->fd, events, BATCH, busy ? 0 : hub->asked ? LOOK_MS : -1);
	if (count < 0 && errno != EINTR)
		return -errno;
	take_turns(hub, events, count);
	ping(hub);
	return 0;
}

int pb_hub_run(struct pb_hub *hub)
{
	struct epoll_event inner = {.events = EPOLLIN};
	int fd = sd_event_get_fd(hub->event), code = 0, r;

	/* first out, then in: a set can't wait for one that waits for it */
	r = sd_event_source_set_enabled(hub->source, SD_EVENT_OFF);
	if (r < 0)
		return r;
	if (epoll_ctl(hub->fd, EPOLL_CTL_ADD, fd, &inner) < 0)
		return -errno;
	hub->stirred = true;
	/* it can only have finished by something that it did */
	while (r >= 0 && !(hub->stirred && sd_event_get_state(hub->event) == SD_EVENT_FINISHED))
		r = hub_turn(hub);
	epoll_ctl(hub->fd, EPOLL_CTL_DEL, fd, NULL);
	if (r >= 0)
		r = sd_event_get_exit_code(hub->event, &code);
	return r < 0 ? r : code;
}

/* ---- life ---- */

int pb_hub_new(struct pb_hub **ret, sd_event *event)
{
	PB_CLEANUP(pb_hub_freep) struct pb_hub *hub = calloc(1, sizeof(*hub));
	int r;

	if (!hub)
		return -ENOMEM;
	hub->event = sd_event_ref(event);
	hub->fd = epoll_create1(EPOLL_CLOEXEC);
	hub->reserve = eventfd(0, EFD_CLOEXEC);
	if (hub->fd < 0 || hub->reserve < 0)
		return -errno;
	r = sd_event_add_io(event, &hub->source, hub->fd, EPOLLIN, on_ready, hub);
	if (r >= 0)
		r = start_watchdog(hub);
	if (r < 0)
		return r;
	*ret = hub;
	hub = NULL;
	return 0;
}

struct pb_hub *pb_hub_free(struct pb_hub *hub)
{
	if (!hub)
		return NULL;
	sd_event_source_disable_unref(hub->source);
	sd_event_source_disable_unref(hub->ping);
	if (hub->fd >= 0)
		close(hub->fd);
	if (hub->reserve >= 0)
		close(hub->reserve);
	sd_event_unref(hub->event);
	free(hub);
	return NULL;
}
