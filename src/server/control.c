/* SPDX-License-Identifier: MIT */
/*
 * A Unix stream socket that answers questions: one line in, a text out, then it is closed. The
 * permissions of the file and its folder decide who may use it.
 */
#include "door.h"

#include <errno.h>
#include <fcntl.h>
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
	PATH_MAX_LEN = 94,     /* of 107, with room for a name beside it */
	SEND_MAX = 65536,      /* a turn */
	PATIENCE_US = 2000000, /* for the line to come, and again for the answer to be taken */
};

/*
 *	READING --a line--> ASKING --the backend's answer--> ANSWERING --all is taken--> free
 */
enum client_state { CLIENT_READING, CLIENT_ASKING, CLIENT_ANSWERING };

struct control_client {
	struct pb_asker asker; /* the first member: it is this client */
	struct pb_ask_socket *control;
	enum client_state state;
	int fd; /* -1: free */
	sd_event_source *io, *timer;
	size_t len;
	char line[LINE_MAX_LEN];
	struct pb_answer *answer;
	size_t answer_at;
};

struct pb_ask_socket {
	const struct pb_ask_socket_backend *backend;
	void *userdata;
	sd_event *event;
	mode_t mode;
	struct door door;
	struct sockaddr_un address;
	bool ours; /* the file was made: */
	struct stat file;
	struct control_client clients[PB_ASK_SOCKET_CLIENTS];
};

static void control_end(struct control_client *client)
{
	struct pb_ask_socket *control = client->control;

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
static void send_answer(struct control_client *client)
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
		control_end(client);
	else
		sd_event_source_set_io_events(client->io, EPOLLOUT);
}

static void set_patience(struct control_client *client)
{
	sd_event_source_set_time_relative(client->timer, PATIENCE_US);
	sd_event_source_set_enabled(client->timer, SD_EVENT_ONESHOT);
}

static void control_on_answer(struct pb_asker *asker, struct pb_answer *answer)
{
	struct control_client *client = (struct control_client *)asker;

	client->state = CLIENT_ANSWERING;
	client->answer = pb_answer_ref(answer);
	if (!answer) {
		control_end(client);
		return;
	}
	set_patience(client);
	send_answer(client);
}

static void control_ask(struct control_client *client)
{
	struct pb_ask_socket *control = client->control;

	client->line[strcspn(client->line, "\r\n")] = '\0';
	client->state = CLIENT_ASKING;
	/* it is the backend's time that runs now; an end of the other side's is still heard of */
	sd_event_source_set_enabled(client->timer, SD_EVENT_OFF);
	sd_event_source_set_io_events(client->io, 0);
	control->backend->ask(control->userdata, &client->asker, client->line);
}

static void control_read_line(struct control_client *client)
{
	ssize_t n = recv(client->fd, client->line + client->len,
			 sizeof(client->line) - 1 - client->len, MSG_DONTWAIT);

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n > 0)
		client->len += (size_t)n;
	client->line[client->len] = '\0';
	if (strchr(client->line, '\n'))
		control_ask(client);
	else if (n <= 0 || client->len == sizeof(client->line) - 1)
		control_end(client);
}

static int control_on_io(sd_event_source *source, int fd, uint32_t revents, void *userdata)
{
	struct control_client *client = userdata;

	(void)source;
	(void)fd;
	(void)revents;
	switch (client->state) {
	case CLIENT_READING:
		control_read_line(client);
		break;
	case CLIENT_ASKING: /* only an end can be */
		control_end(client);
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
	control_end(userdata);
	return 0;
}

static struct control_client *free_client(struct pb_ask_socket *control)
{
	for (size_t i = 0; i < PB_ASK_SOCKET_CLIENTS; i++)
		if (control->clients[i].fd < 0)
			return &control->clients[i];
	return NULL;
}

static void control_on_client(void *userdata, int fd)
{
	struct pb_ask_socket *control = userdata;
	struct control_client *client = free_client(control);

	*client = (struct control_client){.asker.answer = control_on_answer,
					  .control = control,
					  .fd = fd,
					  .state = CLIENT_READING};
	if (sd_event_add_io(control->event, &client->io, fd, EPOLLIN, control_on_io, client) < 0 ||
	    sd_event_add_time_relative(control->event, &client->timer, CLOCK_BOOTTIME, PATIENCE_US,
				       0, on_late, client) < 0)
		control_end(client);
	else if (!free_client(control)) /* the next ones wait, in their order */
		door_hold(&control->door, true);
}

/* ---- the file ---- */

/* What stands at @path itself: symbolic links are not followed. @return 0; -ENOENT; -EEXIST: it is
 * no socket. */
static int look_at(const char *path, struct stat *ret)
{
	if (lstat(path, ret) < 0)
		return -errno;
	return S_ISSOCK(ret->st_mode) ? 0 : -EEXIST;
}

/* @return true when nobody listens on the socket: a crash left it behind. */
static bool is_dead(const struct sockaddr_un *address)
{
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	bool dead = fd >= 0 &&
		    connect(fd, (const struct sockaddr *)address, sizeof(*address)) < 0 &&
		    errno == ECONNREFUSED;

	if (fd >= 0)
		close(fd);
	return dead;
}

static bool is_same(const struct stat *a, const struct stat *b)
{
	return a->st_dev == b->st_dev && a->st_ino == b->st_ino;
}

/* Renames a file, and replaces nothing. @return 0; -EEXIST, -errno. */
static int move_file(const char *from, const char *to)
{
	if (renameat2(AT_FDCWD, from, AT_FDCWD, to, RENAME_NOREPLACE) == 0)
		return 0;
	if (errno != EINVAL)
		return -errno;
	/* a file system that can't */
	return link(from, to) < 0 || unlink(from) < 0 ? -errno : 0;
}

/*
 * Removes the file @path if it is the socket @which. Between a look and unlink() another may take
 * its place: another daemon's, that starts too, or somebody's file. So whatever stands there is
 * moved aside in one step, looked at, and put back if it is not meant.
 */
static int remove_socket(const char *path, const struct stat *which)
{
	char aside[sizeof(((struct sockaddr_un *)0)->sun_path) + 32];
	struct stat info;
	int r = look_at(path, &info);

	if (r == 0 && !is_same(&info, which))
		r = -EADDRINUSE;
	if (r < 0)
		return r;
	snprintf(aside, sizeof(aside), "%s.going-%d", path, (int)getpid());
	if (rename(path, aside) < 0)
		return -errno;
	r = look_at(aside, &info);
	if (r == 0 && !is_same(&info, which))
		r = -EADDRINUSE;
	if (r == 0)
		return unlink(aside) < 0 ? -errno : 0;
	move_file(aside, path); /* where there is something else by now, it stays aside */
	return r;
}

int pb_ask_socket_check(const char *path, char *why, size_t why_cap)
{
	struct stat info;

	if (strlen(path) > PATH_MAX_LEN) {
		snprintf(why, why_cap, "'%.*s...', expected a path of at most %d characters",
			 PATH_MAX_LEN, path, PATH_MAX_LEN);
		return -ENAMETOOLONG;
	}
	if (look_at(path, &info) != -EEXIST)
		return 0;
	snprintf(why, why_cap,
		 "%s is there and is no socket, expected a path that is free: remove that file if "
		 "nobody needs it, or choose another path",
		 path);
	return -EEXIST;
}

static int control_explain(int r, const char *path, char *why, size_t why_cap)
{
	if (r == -EADDRINUSE)
		snprintf(why, why_cap,
			 "%s: a program listens there, perhaps another packbridge: stop it, or "
			 "choose another path",
			 path);
	else if (r == -ENOENT)
		snprintf(why, why_cap, "%s: its folder does not exist", path);
	else
		snprintf(why, why_cap, "%s: %s", path, strerrordesc_np(-r));
	return r;
}

/* Binds to a name that nobody else uses; a process of our number may have died there. */
static int bind_beside(int fd, const struct sockaddr_un *address)
{
	const struct sockaddr *any = (const struct sockaddr *)address;
	struct stat info;
	int r;

	if (bind(fd, any, sizeof(*address)) == 0)
		return 0;
	if (errno != EADDRINUSE)
		return -errno;
	r = look_at(address->sun_path, &info);
	if (r == 0)
		r = is_dead(address) ? remove_socket(address->sun_path, &info) : -EADDRINUSE;
	return r < 0 || bind(fd, any, sizeof(*address)) == 0 ? r : -errno;
}

/* Gives the file its name; what stands there already goes if it is a socket that nobody has. */
static int publish(const struct pb_ask_socket *control, const char *from)
{
	const char *path = control->address.sun_path;
	struct stat info;
	int r = move_file(from, path);

	if (r != -EEXIST)
		return r;
	r = look_at(path, &info);
	if (r == 0)
		r = is_dead(&control->address) ? remove_socket(path, &info) : -EADDRINUSE;
	if (r < 0 && r != -ENOENT)
		return r;
	r = move_file(from, path);
	return r == -EEXIST ? -EADDRINUSE : r;
}

/*
 * The socket is made under another name and moved when it listens, with its mode: nobody sees it
 * before, and another daemon that starts at the same time does not take it for dead. Not by
 * rename(), which would replace whatever has come there.
 */
static int make_file(struct pb_ask_socket *control, int fd)
{
	struct sockaddr_un beside = control->address;
	int r;

	snprintf(beside.sun_path, sizeof(beside.sun_path), "%.*s.%d", PATH_MAX_LEN,
		 control->address.sun_path, (int)getpid());
	/* the file gets the socket's mode less the umask: first too little, then what is meant */
	if (fchmod(fd, 0600) < 0)
		return -errno;
	r = bind_beside(fd, &beside);
	if (r < 0)
		return r;
	r = look_at(beside.sun_path, &control->file);
	if (r == 0 &&
	    (fchmodat(AT_FDCWD, beside.sun_path, control->mode, AT_SYMLINK_NOFOLLOW) < 0 ||
	     listen(fd, BACKLOG) < 0))
		r = -errno;
	if (r == 0)
		r = publish(control, beside.sun_path);
	if (r < 0)
		unlink(beside.sun_path);
	control->ours = r == 0;
	return r;
}

static int control_start(struct pb_ask_socket *control, struct pb_hub *hub)
{
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0), r;

	if (fd < 0)
		return -errno;
	r = make_file(control, fd);
	if (r < 0) {
		close(fd);
		return r;
	}
	return door_open(&control->door, hub, fd, control->address.sun_path, control_on_client,
			 control);
}

int pb_ask_socket_new(struct pb_ask_socket **ret, struct pb_hub *hub, const char *path,
		      uint32_t mode, const struct pb_ask_socket_backend *backend, void *userdata,
		      char *why, size_t why_cap)
{
	PB_CLEANUP(pb_ask_socket_freep) struct pb_ask_socket *control = NULL;
	int r = pb_ask_socket_check(path, why, why_cap);

	if (r < 0)
		return r;
	control = calloc(1, sizeof(*control));
	if (!control)
		return control_explain(-ENOMEM, path, why, why_cap);
	control->door.fd = -1;
	control->backend = backend;
	control->mode = mode;
	control->userdata = userdata;
	control->event = sd_event_ref(hub_event(hub));
	control->address.sun_family = AF_UNIX;
	strcpy(control->address.sun_path, path);
	for (size_t i = 0; i < PB_ASK_SOCKET_CLIENTS; i++)
		control->clients[i] = (struct control_client){.control = control, .fd = -1};
	r = control_start(control, hub);
	if (r < 0)
		return control_explain(r, path, why, why_cap);
	*ret = control;
	control = NULL;
	return 0;
}

struct pb_ask_socket *pb_ask_socket_free(struct pb_ask_socket *control)
{
	if (!control)
		return NULL;
	/* while the socket is open, no other file gets its inode's number */
	if (control->ours)
		remove_socket(control->address.sun_path, &control->file);
	door_close(&control->door);
	for (size_t i = 0; i < PB_ASK_SOCKET_CLIENTS; i++)
		control_end(&control->clients[i]);
	sd_event_unref(control->event);
	free(control);
	return NULL;
}
