/* SPDX-License-Identifier: MIT */
/*
 * The sockets of all servers stand in one epoll set, so that a turn of the loop serves many. While
 * pb_hub_run() runs, sd-event's own descriptor is a member of that set: a client's turn costs one
 * epoll_wait() and not also sd-event's. At other times it is the other way round, the set is a
 * source of the event loop.
 */
#include "hub.h"
#include "tcp.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <systemd/sd-event.h>
#include <unistd.h>

enum { BATCH = 64 /* ready sockets a turn of the loop */ };

struct pb_hub {
	sd_event *event;
	sd_event_source *source; /* the set, for the event loop */
	int fd;
	bool stirred; /* sd-event has to look at its timers before we wait */
};

sd_event *hub_event(const struct pb_hub *hub)
{
	return hub->event;
}

void hub_stir(struct pb_hub *hub)
{
	hub->stirred = true;
}

int hub_watch(struct pb_hub *hub, struct socket *socket, uint32_t events, bool again)
{
	struct epoll_event event = {.events = events, .data.ptr = socket};
	int operation = again ? EPOLL_CTL_MOD : EPOLL_CTL_ADD;

	return epoll_ctl(hub->fd, operation, socket->fd, &event) < 0 ? -errno : 0;
}

/* @return whether sd-event's descriptor, which has no socket, is among them */
static bool take_turns(const struct epoll_event *events, int count)
{
	uint64_t now_ms = pb_now_ms();
	struct socket *knocked[BATCH];
	size_t knocks = 0;
	bool other = false;

	for (int i = 0; i < count; i++) {
		struct socket *socket = events[i].data.ptr; /* cppcheck-suppress uninitvar */

		if (!socket)
			other = true;
		else if (socket->listens)
			knocked[knocks++] = socket;
		else
			tcp_client_turn((struct client *)socket, events[i].events, now_ms);
	}
	/* last, because it may close a client that has its turn in this batch */
	for (size_t i = 0; i < knocks; i++)
		tcp_accept(knocked[i]->server, knocked[i]->fd, now_ms);
	return other;
}

static int on_ready(sd_event_source *source, int fd, uint32_t revents, void *userdata)
{
	struct epoll_event events[BATCH];

	(void)source;
	(void)revents;
	(void)userdata;
	take_turns(events, epoll_wait(fd, events, BATCH, 0));
	return 0;
}

/* ---- the loop ---- */

/* @return 1 when sd-event is ready to be waited for, 0 after it had work at once, negative errno */
static int prepare(struct pb_hub *hub)
{
	int r = sd_event_prepare(hub->event);

	if (r > 0)
		r = sd_event_dispatch(hub->event);
	else if (r == 0) {
		hub->stirred = false;
		return 1;
	}
	return r < 0 ? r : 0;
}

static int turn(struct pb_hub *hub)
{
	struct epoll_event events[BATCH];
	bool other;
	int count, r = 1;

	if (hub->stirred)
		r = prepare(hub);
	if (r <= 0)
		return r;
	count = epoll_wait(hub->fd, events, BATCH, -1);
	if (count < 0 && errno != EINTR)
		return -errno;
	other = take_turns(events, count);
	if (!other && !hub->stirred)
		return 0;
	/* also when only timers were set: this is the way back to where they are looked at */
	hub->stirred = true;
	r = sd_event_wait(hub->event, 0);
	if (r > 0)
		r = sd_event_dispatch(hub->event);
	return r < 0 ? r : 0;
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
		r = turn(hub);
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
	if (hub->fd < 0)
		return -errno;
	r = sd_event_add_io(event, &hub->source, hub->fd, EPOLLIN, on_ready, hub);
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
	if (hub->fd >= 0)
		close(hub->fd);
	sd_event_unref(hub->event);
	free(hub);
	return NULL;
}
