/* SPDX-License-Identifier: MIT */
/*
 * Accepting connections when no descriptor is left:
 *
 *	on_knock() ── accepted ──▶ door->came()
 *	          └── no room ──▶ hub_turn_away(): a reserve descriptor accepts and closes it
 *	                      └── even that fails: pause for DOOR_PAUSE_MS, then try again
 */
#include "door.h"

#include <errno.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <systemd/sd-event.h>
#include <time.h>
#include <unistd.h>

enum { NOTICE_PAUSE_MS = 60000 };

bool notice_is_due(struct notice *notice, uint64_t now_ms)
{
	if (notice->logged && now_ms - notice->logged_ms < NOTICE_PAUSE_MS) {
		notice->left_out++;
		return false;
	}
	notice->logged = true;
	notice->logged_ms = now_ms;
	return true;
}

int door_take(int listener, union pb_address *ret_peer)
{
	socklen_t len = sizeof(*ret_peer);
	int fd = accept4(listener, ret_peer ? &ret_peer->any : NULL, ret_peer ? &len : NULL,
			 SOCK_NONBLOCK | SOCK_CLOEXEC);

	return fd < 0 ? -errno : fd;
}

bool door_lacks_room(int error)
{
	return error == -EMFILE || error == -ENFILE || error == -ENOBUFS || error == -ENOMEM;
}

static void no_room(struct door *door, int error)
{
	uint64_t now_ms = pb_now_ms();
	int r = hub_turn_away(door->hub, door->fd);

	if (notice_is_due(&door->notice, now_ms)) {
		pb_log(PB_LOG_ERR,
		       "%s: no room for a connection (%s), %s (%u more since the last "
		       "such line)",
		       door->name, strerror(-error), r < 0 ? "trying again in 1 s" : "closed",
		       door->notice.left_out);
		door->notice.left_out = 0;
	}
	if (r >= 0)
		return;
	/* the one that waits would wake us at once again */
	if (sd_event_source_set_time(door->pause, (now_ms + DOOR_PAUSE_MS) * 1000) >= 0 &&
	    sd_event_source_set_enabled(door->pause, SD_EVENT_ONESHOT) >= 0)
		sd_event_source_set_enabled(door->io, SD_EVENT_OFF);
}

static int on_knock(sd_event_source *source, int fd, uint32_t revents, void *userdata)
{
	struct door *door = userdata;
	int peer = door_take(fd, NULL);

	(void)source;
	(void)revents;
	if (peer >= 0)
		door->came(door->userdata, peer);
	else if (door_lacks_room(peer))
		no_room(door, peer);
	return 0; /* else it has given up already */
}

static int on_pause_over(sd_event_source *source, uint64_t usec, void *userdata)
{
	struct door *door = userdata;

	(void)source;
	(void)usec;
	return sd_event_source_set_enabled(door->io, SD_EVENT_ON);
}

int door_open(struct door *door, struct pb_hub *hub, int fd, const char *name,
	      void (*came)(void *userdata, int fd), void *userdata)
{
	sd_event *event = hub_event(hub);
	int r;

	*door = (struct door){
		.hub = hub, .name = name, .fd = fd, .came = came, .userdata = userdata};
	r = sd_event_add_io(event, &door->io, fd, EPOLLIN, on_knock, door);
	/* made now: the moment that it is for may have no descriptor left */
	if (r >= 0)
		r = sd_event_add_time(event, &door->pause, CLOCK_BOOTTIME, UINT64_MAX, 0,
				      on_pause_over, door);
	if (r >= 0)
		r = sd_event_source_set_enabled(door->pause, SD_EVENT_OFF);
	if (r < 0)
		door_close(door);
	return r;
}

void door_close(struct door *door)
{
	door->io = sd_event_source_disable_unref(door->io);
	door->pause = sd_event_source_disable_unref(door->pause);
	if (door->fd >= 0)
		close(door->fd);
	door->fd = -1;
}

void door_hold(struct door *door, bool hold)
{
	if (door->fd < 0)
		return;
	sd_event_source_set_enabled(door->pause, SD_EVENT_OFF);
	sd_event_source_set_enabled(door->io, hold ? SD_EVENT_OFF : SD_EVENT_ON);
}
