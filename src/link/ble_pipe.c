/* SPDX-License-Identifier: MIT */
/*
 * Bytes between a connected pack and the link: which characteristics, and how.
 *
 * With descriptors (AcquireNotify, AcquireWrite) no D-Bus message is needed for a poll; BlueZ hands
 * out one read(2) for each notification. Where it refuses, notifications come as signals and writes
 * go as method calls.
 */
#include "ble_pipe.h"

#include "ble_link.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
	ATT_HEAD = 3,	    /* of a write, part of the MTU */
	ATT_MTU_LEAST = 23, /* what every device has */
	READ_MAX = 512,	    /* the longest attribute value */
	DRAIN_MAX = 64,	    /* packets that are taken of a connection which has ended */
	/* of one write to the pack: longer than a connection lives on which nothing is answered,
	 * 0.4 s unless the pack asks for more, which is 6 s at most */
	ACQUIRE_MS = 6000,
	UNANSWERED_MAX = 3,
};

static void pipe_subscribe(struct ble_link *ble);
static void write_more(struct ble_link *ble);

/* ---- which characteristics ---- */

static bool same_pipe(const struct pb_pipe *a, const struct pb_pipe *b)
{
	return strcasecmp(a->service, b->service) == 0 && strcasecmp(a->notify, b->notify) == 0 &&
	       strcasecmp(a->write, b->write) == 0;
}

static void add_pipe(struct ble_link *ble, const struct pb_pipe *pipe)
{
	for (size_t i = 0; i < ble->pipe_count; i++)
		if (same_pipe(ble->pipes[i], pipe))
			return;
	if (ble->pipe_count < BLE_PIPES_MAX)
		ble->pipes[ble->pipe_count++] = pipe;
}

void ble_pipe_add_all(struct ble_link *ble, const struct pb_pipe *const *lists)
{
	for (; lists && *lists; lists++)
		for (const struct pb_pipe *pipe = *lists; pipe->service; pipe++)
			add_pipe(ble, pipe);
}

/* @full: as BlueZ writes it. @uuid: as a codec does. */
static bool is_uuid(const char *full, const char *uuid)
{
	char longer[37];

	if (strlen(uuid) != 4)
		return strcasecmp(full, uuid) == 0;
	snprintf(longer, sizeof(longer), "0000%.4s-0000-1000-8000-00805f9b34fb", uuid);
	return strcasecmp(full, longer) == 0;
}

static bool in_service(const struct pb_bluez *bluez, const struct bluez_gatt *gatt,
		       const char *service)
{
	size_t len = (size_t)(strrchr(gatt->path, '/') - gatt->path);

	for (const struct bluez_gatt *g = bluez->gatts; g; g = g->next)
		if (g->service && strlen(g->path) == len && strncmp(g->path, gatt->path, len) == 0)
			return is_uuid(g->uuid, service);
	return false;
}

/* New objects stand at the head of the list, so one that came back goes before its old self. */
static const struct bluez_gatt *pipe_find(const struct ble_link *ble, const char *service,
					  const char *uuid, unsigned int flags)
{
	const char *path = ble->user.device->path;
	size_t len = strlen(path);

	for (const struct bluez_gatt *g = ble->bluez->gatts; g; g = g->next)
		if (!g->service && strncmp(g->path, path, len) == 0 && g->path[len] == '/' &&
		    is_uuid(g->uuid, uuid) && g->flags & flags &&
		    in_service(ble->bluez, g, service))
			return g;
	return NULL;
}

/* The first pipe that it has, from the known one @from on. */
static bool find_pipe(struct ble_link *ble, size_t from)
{
	for (size_t i = from; i < ble->pipe_count; i++) {
		const struct pb_pipe *pipe = ble->pipes[i];

		ble->pipe = i;
		ble->notify =
			pipe_find(ble, pipe->service, pipe->notify, GATT_NOTIFY | GATT_INDICATE);
		ble->write = pipe_find(ble, pipe->service, pipe->write, GATT_WRITE | GATT_COMMAND);
		if (ble->notify && ble->write)
			return true;
	}
	ble->notify = ble->write = NULL;
	return false;
}

/* ---- setting up ---- */

static int take_fd(sd_bus_message *m, int *ret_fd, uint16_t *ret_mtu)
{
	int fd;

	if (sd_bus_message_read(m, "hq", &fd, ret_mtu) < 0)
		return -EBADMSG;
	fd = fcntl(fd, F_DUPFD_CLOEXEC, 3);
	if (fd < 0)
		return -errno;
	if (fcntl(fd, F_SETFL, O_NONBLOCK) < 0) {
		close(fd);
		return -errno;
	}
	*ret_fd = fd;
	return 0;
}

/* @return true when the error of a set-up call means that nothing else is worth a try. */
static bool hopeless(struct ble_link *ble, const sd_bus_error *error, const char *step)
{
	char why[BLUEZ_WHY];
	int code = bluez_error_words(error, why, sizeof(why));

	if (code == -EIO || code == -EALREADY)
		return false;
	ble_fail(ble, code, "%s: %s", step, why);
	if (code == -ETIMEDOUT)
		bluez_suspect(ble->bluez);
	return true;
}

static void pipe_take(struct ble_link *ble, const uint8_t *bytes, size_t len)
{
	if (ble->state != BLE_UP || len == 0)
		return;
	ble->unanswered = 0;
	ble->command_known = true;
	ble->head.handler->data(ble->head.userdata, bytes, len);
}

void ble_pipe_signalled(struct ble_link *ble, const char *path, const uint8_t *bytes, size_t len)
{
	if (ble->notify && strcmp(ble->notify->path, path) == 0 && ble->notify_fd < 0)
		pipe_take(ble, bytes, len);
}

static int on_notification(sd_event_source *source, int fd, uint32_t revents, void *userdata)
{
	struct ble_link *ble = userdata;
	uint8_t bytes[READ_MAX];
	ssize_t n = read(fd, bytes, sizeof(bytes));

	(void)source;
	(void)revents;
	if (n > 0)
		pipe_take(ble, bytes, (size_t)n);
	else if (n == 0 || (errno != EAGAIN && errno != EINTR))
		ble_fail(ble, -ENOTCONN, "the pack ended the connection");
	return 0;
}

void ble_pipe_drain(struct ble_link *ble)
{
	uint8_t bytes[READ_MAX];
	ssize_t n = 1;

	/* the owner may close the link meanwhile; one that sends without end is not listened to so
	 */
	for (int i = 0; i < DRAIN_MAX && ble->state == BLE_UP && ble->notify_fd >= 0 && n > 0;
	     i++) {
		n = read(ble->notify_fd, bytes, sizeof(bytes));
		if (n > 0)
			pipe_take(ble, bytes, (size_t)n);
	}
}

static int on_acquired_write(sd_bus_message *m, void *userdata, sd_bus_error *ret)
{
	struct ble_link *ble = userdata;
	const sd_bus_error *error = sd_bus_message_get_error(m);
	uint16_t mtu;

	(void)ret;
	ble->call = sd_bus_slot_unref(ble->call);
	if (error) {
		if (hopeless(ble, error, "writing"))
			return 0;
	} else if (take_fd(m, &ble->write_fd, &mtu) >= 0 && mtu > ATT_HEAD) {
		ble->write_max = (size_t)mtu - ATT_HEAD;
	}
	ble_ready(ble);
	return 0;
}

static void set_up_write(struct ble_link *ble)
{
	uint16_t mtu = ble->write->mtu > ATT_MTU_LEAST ? ble->write->mtu : ATT_MTU_LEAST;

	ble->write_max = (size_t)mtu - ATT_HEAD;
	if (!ble->command_known ||
	    !(ble->write->flags & (ble->command ? GATT_COMMAND : GATT_WRITE)))
		ble->command = ble->write->flags & GATT_COMMAND;
	if (ble->command && ble->notify_fd >= 0 &&
	    bluez_call(ble->bluez, &ble->call, ble->write->path, BLUEZ_CHAR, "AcquireWrite",
		       on_acquired_write, ble, ble->limit_ms, "a{sv}", 0) >= 0)
		return;
	ble_ready(ble);
}

/* Notifications of this pipe can't be had: the next one, or what was wrong with the first. */
static void pipe_refused(struct ble_link *ble, const sd_bus_error *error)
{
	if (ble->refusal == 0)
		ble->refusal = bluez_error_words(error, ble->refusal_why, sizeof(ble->refusal_why));
	if (find_pipe(ble, ble->pipe + 1))
		pipe_subscribe(ble);
	else
		ble_fail(ble, ble->refusal, "notifications: %s", ble->refusal_why);
}

static int on_notifying(sd_bus_message *m, void *userdata, sd_bus_error *ret)
{
	struct ble_link *ble = userdata;
	const sd_bus_error *error = sd_bus_message_get_error(m);

	(void)ret;
	ble->call = sd_bus_slot_unref(ble->call);
	if (!error)
		set_up_write(ble);
	else if (!hopeless(ble, error, "notifications"))
		pipe_refused(ble, error);
	return 0;
}

static void start_notify(struct ble_link *ble)
{
	int r = bluez_call(ble->bluez, &ble->call, ble->notify->path, BLUEZ_CHAR, "StartNotify",
			   on_notifying, ble, ble->limit_ms, "");

	if (r < 0)
		ble_fail(ble, r, "notifications: %s", strerrordesc_np(-r));
}

static int on_acquired_notify(sd_bus_message *m, void *userdata, sd_bus_error *ret)
{
	struct ble_link *ble = userdata;
	const sd_bus_error *error = sd_bus_message_get_error(m);
	char why[BLUEZ_WHY];
	uint16_t mtu;
	int r;

	(void)ret;
	ble->call = sd_bus_slot_unref(ble->call);
	if (error) {
		/* Refused, or somebody else listens by signals: so can we. BlueZ before 5.84
		 * (commit 476ae809a2) does not answer when it is the pack that refuses; if it is
		 * bluetoothd that hangs, StartNotify will show it. */
		if (bluez_error_words(error, why, sizeof(why)) == -ETIMEDOUT ||
		    !hopeless(ble, error, "notifications"))
			start_notify(ble);
		return 0;
	}
	r = take_fd(m, &ble->notify_fd, &mtu);
	if (r >= 0)
		r = sd_event_add_io(ble->bluez->event, &ble->notify_io, ble->notify_fd, EPOLLIN,
				    on_notification, ble);
	if (r < 0)
		ble_fail(ble, r, "notifications: %s", strerrordesc_np(-r));
	else
		set_up_write(ble);
	return 0;
}

static void pipe_subscribe(struct ble_link *ble)
{
	uint32_t limit_ms = ble->limit_ms < ACQUIRE_MS ? ble->limit_ms : ACQUIRE_MS;

	if (!ble->bluez->config.acquire ||
	    bluez_call(ble->bluez, &ble->call, ble->notify->path, BLUEZ_CHAR, "AcquireNotify",
		       on_acquired_notify, ble, limit_ms, "a{sv}", 0) < 0)
		start_notify(ble);
}

/* Tells which ones would do. */
static void no_pipe(struct ble_link *ble)
{
	char names[BLUEZ_WHY] = "";
	int at = 0;

	for (size_t i = 0; i < ble->pipe_count; i++) {
		const struct pb_pipe *pipe = ble->pipes[i];
		bool one = strcasecmp(pipe->notify, pipe->write) == 0;
		const char *before = i == 0 ? "" : i + 1 < ble->pipe_count ? ", " : ", and ";

		if (at >= 0 && (size_t)at < sizeof(names))
			at += snprintf(names + at, sizeof(names) - (size_t)at, "%s%s%s%s", before,
				       pipe->notify, one ? "" : " with ", one ? "" : pipe->write);
	}
	ble_fail(ble, -ENOPROTOOPT, "it has none of %s: not a known pack", names);
}

void ble_pipe_start(struct ble_link *ble)
{
	ble->state = BLE_SUBSCRIBING;
	ble->unanswered = 0;
	ble->refusal = 0;
	if (find_pipe(ble, 0))
		pipe_subscribe(ble);
	else
		no_pipe(ble);
}

void ble_pipe_forget(struct ble_link *ble, const struct bluez_gatt *gatt)
{
	if (ble->notify == gatt || ble->write == gatt)
		ble_fail(ble, -ENOTCONN, "the pack's services went away");
}

/* ---- writing ---- */

static int on_written(sd_bus_message *m, void *userdata, sd_bus_error *ret)
{
	struct ble_link *ble = userdata;
	const sd_bus_error *error = sd_bus_message_get_error(m);

	(void)ret;
	ble->call = sd_bus_slot_unref(ble->call);
	ble->writing = false;
	if (!error)
		write_more(ble);
	else if (!hopeless(ble, error, "writing"))
		ble_fail(ble, -EIO, "writing: %s: %s", error->name, error->message);
	return 0;
}

static int pipe_write_value(struct ble_link *ble, const uint8_t *bytes, size_t len)
{
	sd_bus_message *m = NULL;
	int r = sd_bus_message_new_method_call(ble->bluez->bus, &m, BLUEZ_NAME, ble->write->path,
					       BLUEZ_CHAR, "WriteValue");

	if (r >= 0)
		r = sd_bus_message_append_array(m, 'y', bytes, len);
	if (r >= 0)
		r = sd_bus_message_append(m, "a{sv}", 1, "type", "s",
					  ble->command ? "command" : "request");
	if (r >= 0)
		r = bluez_send(ble->bluez, &ble->call, m, on_written, ble, BLUEZ_CALL_MS);
	sd_bus_message_unref(m);
	ble->writing = r >= 0;
	return r < 0 ? r : 0;
}

static int on_writable(sd_event_source *source, int fd, uint32_t revents, void *userdata)
{
	struct ble_link *ble = userdata;

	(void)source;
	(void)fd;
	(void)revents;
	ble->write_io = sd_event_source_disable_unref(ble->write_io);
	write_more(ble);
	return 0;
}

/* @return bytes taken, 0: none for now; negative errno. */
static ssize_t write_fd(struct ble_link *ble, const uint8_t *bytes, size_t len)
{
	ssize_t n = send(ble->write_fd, bytes, len, MSG_NOSIGNAL);

	if (n >= 0)
		return n;
	if (errno != EAGAIN && errno != EINTR)
		return -errno;
	return ble->write_io ? 0
			     : sd_event_add_io(ble->bluez->event, &ble->write_io, ble->write_fd,
					       EPOLLOUT, on_writable, ble);
}

static void write_more(struct ble_link *ble)
{
	while (ble->out_done < ble->out_len && !ble->writing && !ble->write_io) {
		const uint8_t *bytes = ble->out + ble->out_done;
		size_t len = ble->out_len - ble->out_done;
		ssize_t n;

		if (len > ble->write_max)
			len = ble->write_max;
		if (ble->write_fd >= 0)
			n = write_fd(ble, bytes, len);
		else
			n = pipe_write_value(ble, bytes, len) < 0 ? -EIO : (ssize_t)len;
		if (n < 0) {
			ble_fail(ble, (int)n, "writing: %s", strerrordesc_np((int)-n));
			return;
		}
		ble->out_done += (size_t)n;
	}
	if (ble->out_done == ble->out_len)
		ble->out_done = ble->out_len = 0;
}

/* Modules exist that offer both kinds of write and hear only one of them. */
static void try_other_write(struct ble_link *ble)
{
	if (ble->command_known || ++ble->unanswered <= UNANSWERED_MAX ||
	    (ble->write->flags & (GATT_WRITE | GATT_COMMAND)) != (GATT_WRITE | GATT_COMMAND))
		return;
	ble->unanswered = 1;
	ble->command = !ble->command;
	ble->write_io = sd_event_source_disable_unref(ble->write_io);
	ble_close_fd(&ble->write_fd);
	pb_log(PB_LOG_INFO, "bluetooth: %s does not answer, trying writes with%s response",
	       ble->name, ble->command ? "out" : "");
}

int ble_pipe_send(struct ble_link *ble, const uint8_t *bytes, size_t len)
{
	try_other_write(ble);
	if (ble->out_len + len > sizeof(ble->out))
		return -ENOBUFS;
	memcpy(ble->out + ble->out_len, bytes, len);
	ble->out_len += len;
	write_more(ble);
	return 0;
}
