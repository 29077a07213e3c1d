/* SPDX-License-Identifier: MIT */
/*
 * A Unix stream socket that answers questions: one line in, a text out, then it is closed. Who may
 * use it is a matter of the file's permissions and of its folder's.
 */
#include "door.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <systemd/sd-event.h>
#include <time.h>
#include <unistd.h>

enum {
	BACKLOG = 64,
	LINE_MAX_LEN = 256,
	SEND_MAX = 65536,      /* a turn */
	PATIENCE_US = 2000000, /* for the line to come, and again for the answer to be taken */
};

/*
 *	READING --a line--> ASKING --the backend's answer--> ANSWERING --all is taken--> free
 */
enum client_state { CLIENT_READING, CLIENT_ASKING, CLIENT_ANSWERING };

struct client {
	struct pb_asker asker; /* the first member: it is this client */
	struct pb_control *control;
	enum client_state state;
	int fd; /* -1: free */
	sd_event_source *io, *timer;
	size_t len;
	char line[LINE_MAX_LEN];
	struct pb_answer *answer;
	size_t answer_at;
};

struct pb_control {
	const struct pb_control_backend *backend;
	void *userdata;
	sd_event *event;
	mode_t mode;
	struct door door;
	struct sockaddr_un address;
	struct client clients[PB_CONTROL_CLIENTS];
};

static void end(struct client *client)
{
	struct pb_control *control = client->control;

	if (client->fd < 0)
		return;
	if (client->state == CLIENT_ASKING)
		control->backend->forget(control->userdata, &client->asker);
	client->io = sd_event_source_disable_unref(client->io);
	client->timer = sd_event_source_disable_unref(client->timer);
	close(client->fd);
	client->answer = pb_answer_unref(client->answer);
	client->fd = -1;
	door_hold(&control->door, false);
}

/* One send: what does not go in waits for the next turn. */
static void send_answer(struct client *client)
{
	const struct pb_answer *answer = client->answer;
	size_t rest = answer->len - client->answer_at;
	ssize_t n = send(client->fd, answer->bytes + client->answer_at,
			 rest < SEND_MAX ? rest : SEND_MAX, MSG_NOSIGNAL | MSG_DONTWAIT);

	if (n > 0)
		client->answer_at += (size_t)n;
	else if (n == 0 || (errno != EAGAIN && errno != EINTR))
		client->answer_at = answer->len; /* a client that is gone */
	if (client->answer_at == answer->len)
		end(client);
	else
		sd_event_source_set_io_events(client->io, EPOLLOUT);
}

static void set_patience(struct client *client)
{
	sd_event_source_set_time_relative(client->timer, PATIENCE_US);
	sd_event_source_set_enabled(client->timer, SD_EVENT_ONESHOT);
}

static void on_answer(struct pb_asker *asker, struct pb_answer *answer)
{
	struct client *client = (struct client *)asker;

	client->state = CLIENT_ANSWERING;
	client->answer = pb_answer_ref(answer);
	if (!answer) {
		end(client);
		return;
	}
	set_patience(client);
	send_answer(client);
}

static void ask(struct client *client)
{
	struct pb_control *control = client->control;

	client->line[strcspn(client->line, "\r\n")] = '\0';
	client->state = CLIENT_ASKING;
	/* it is the backend's time that runs now; an end of the other side's is still heard of */
	sd_event_source_set_enabled(client->timer, SD_EVENT_OFF);
	sd_event_source_set_io_events(client->io, 0);
	control->backend->ask(control->userdata, &client->asker, client->line);
}

static void read_line(struct client *client)
{
	ssize_t n = recv(client->fd, client->line + client->len,
			 sizeof(client->line) - 1 - client->len, MSG_DONTWAIT);

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n > 0)
		client->len += (size_t)n;
	client->line[client->len] = '\0';
	if (strchr(client->line, '\n'))
		ask(client);
	else if (n <= 0 || client->len == sizeof(client->line) - 1)
		end(client);
}

static int on_io(sd_event_source *source, int fd, uint32_t revents, void *userdata)
{
	struct client *client = userdata;

	(void)source;
	(void)fd;
	(void)revents;
	switch (client->state) {
	case CLIENT_READING:
		read_line(client);
		break;
	case CLIENT_ASKING: /* only an end can be */
		end(client);
		break;
	case CLIENT_ANSWERING:
		send_answer(client);
		break;
	}
	return 0;
}

static int on_late(sd_event_source *source, uint64_t usec, void *userdata)
{
	(void)source;
	(void)usec;
	end(userdata);
	return 0;
}

static struct client *free_client(struct pb_control *control)
{
	for (size_t i = 0; i < PB_CONTROL_CLIENTS; i++)
		if (control->clients[i].fd < 0)
			return &control->clients[i];
	return NULL;
}

static void on_client(void *userdata, int fd)
{
	struct pb_control *control = userdata;
	struct client *client = free_client(control);

	*client = (struct client){
		.asker.answer = on_answer, .control = control, .fd = fd, .state = CLIENT_READING};
	if (sd_event_add_io(control->event, &client->io, fd, EPOLLIN, on_io, client) < 0 ||
	    sd_event_add_time_relative(control->event, &client->timer, CLOCK_BOOTTIME, PATIENCE_US,
				       0, on_late, client) < 0)
		end(client);
	else if (!free_client(control)) /* the next ones wait, in their order */
		door_hold(&control->door, true);
}

/* @return true when a socket file is there that nobody listens on: a crash left it behind. */
static bool left_behind(const struct sockaddr_un *address)
{
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	bool dead = fd >= 0 &&
		    connect(fd, (const struct sockaddr *)address, sizeof(*address)) < 0 &&
		    errno == ECONNREFUSED;

	if (fd >= 0)
		close(fd);
	return dead;
}

static int bind_path(int fd, const struct sockaddr_un *address, mode_t mode)
{
	const struct sockaddr *any = (const struct sockaddr *)address;

	/* the file gets the socket's mode less the umask: first too little, then what is meant */
	if (fchmod(fd, 0600) < 0)
		return -errno;
	if (bind(fd, any, sizeof(*address)) < 0) {
		if (errno != EADDRINUSE || !left_behind(address))
			return -errno;
		unlink(address->sun_path);
		if (bind(fd, any, sizeof(*address)) < 0)
			return -errno;
	}
	return chmod(address->sun_path, mode) < 0 ? -errno : 0;
}

static int start(struct pb_control *control, struct pb_hub *hub)
{
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0), r;

	if (fd < 0)
		return -errno;
	r = bind_path(fd, &control->address, control->mode);
	if (r < 0)
		control->address.sun_path[0] = '\0'; /* not ours to remove */
	else if (listen(fd, BACKLOG) < 0)
		r = -errno;
	if (r < 0) {
		close(fd);
		return r;
	}
	return door_open(&control->door, hub, fd, control->address.sun_path, on_client, control);
}

int pb_control_new(struct pb_control **ret, struct pb_hub *hub, const char *path, uint32_t mode,
		   const struct pb_control_backend *backend, void *userdata)
{
	PB_CLEANUP(pb_control_freep) struct pb_control *control = NULL;
	int r;

	if (strlen(path) >= sizeof(control->address.sun_path))
		return -ENAMETOOLONG;
	control = calloc(1, sizeof(*control));
	if (!control)
		return -ENOMEM;
	control->door.fd = -1;
	control->backend = backend;
	control->mode = mode;
	control->userdata = userdata;
	control->event = sd_event_ref(hub_event(hub));
	control->address.sun_family = AF_UNIX;
	strcpy(control->address.sun_path, path);
	for (size_t i = 0; i < PB_CONTROL_CLIENTS; i++)
		control->clients[i] = (struct client){.control = control, .fd = -1};
	r = start(control, hub);
	if (r < 0)
		return r;
	*ret = control;
	control = NULL;
	return 0;
}

struct pb_control *pb_control_free(struct pb_control *control)
{
	if (!control)
		return NULL;
	door_close(&control->door);
	for (size_t i = 0; i < PB_CONTROL_CLIENTS; i++)
		end(&control->clients[i]);
	if (control->address.sun_path[0])
		unlink(control->address.sun_path);
	sd_event_unref(control->event);
	free(control);
	return NULL;
}
