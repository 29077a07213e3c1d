/* SPDX-License-Identifier: MIT */
/*
 * serial:DEVICE@BAUD, the bytes of a pack's UART or RS-485 port through a line of this machine.
 */
#include "packbridge/serial.h"

#include "packbridge/link.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <systemd/sd-event.h>
#include <unistd.h>

enum {
	SEND_MAX = 1024, /* as the contract says */
	OUT_MAX = 2048,	 /* what the line may be behind */
	IN_MAX = 512,
};

/*
 *	CLOSED --open()--> STARTING --opened--> UP
 *	  ^                    |                 | send() failed
 *	  '--down-- any of them, and FAILED <----'
 */
enum serial_state {
	SERIAL_CLOSED,
	SERIAL_STARTING, /* open() was called; the loop does the rest */
	SERIAL_UP,
	SERIAL_FAILED, /* the owner will be told from the event loop */
};

struct serial_link {
	struct pb_link head;
	sd_event *event;
	struct pb_serial_config config;
	enum serial_state state;
	struct pb_serial *line; /* NULL: not open */
	int error;
	sd_event_source *io;
	sd_event_source *later; /* what open() and send() leave to the loop */
	size_t out_len;
	uint8_t out[OUT_MAX]; /* taken by send(), not yet by the kernel */
};

static struct serial_link *serial_of(struct pb_link *link)
{
	assert(link->type == &pb_link_serial);
	return (struct serial_link *)link;
}

static void serial_shut(struct serial_link *serial)
{
	serial->io = sd_event_source_disable_unref(serial->io);
	serial->line = pb_serial_free(serial->line);
	sd_event_source_set_enabled(serial->later, SD_EVENT_OFF);
	serial->out_len = 0;
	serial->state = SERIAL_CLOSED;
}

/* Tells the owner; it may open the link again at once, so nothing may follow this. */
static void serial_go_down(struct serial_link *serial, int error, const char *why)
{
	serial_shut(serial);
	serial->head.handler->down(serial->head.userdata, error, why);
}

static void serial_fail(struct serial_link *serial, int error)
{
	serial_go_down(serial, error,
		       error == -ENOBUFS ? "the line accepts no more bytes"
					 : "the adapter is gone");
}

/* ---- data ---- */

/* @return 0, also when the kernel takes no more for now; negative errno. */
static int serial_flush(struct serial_link *serial)
{
	ssize_t n = write(pb_serial_fd(serial->line), serial->out, serial->out_len);

	if (n < 0)
		return errno == EAGAIN || errno == EINTR ? 0 : -errno;
	serial->out_len -= (size_t)n;
	memmove(serial->out, serial->out + n, serial->out_len);
	return 0;
}

static int serial_on_io(sd_event_source *source, int fd, uint32_t events, void *userdata)
{
	struct serial_link *serial = userdata;
	uint8_t bytes[IN_MAX];
	ssize_t n;
	int r;

	(void)source;
	if (events & EPOLLOUT && serial->out_len > 0) {
		r = serial_flush(serial);
		if (r < 0) {
			serial_fail(serial, r);
			return 0;
		}
		if (serial->out_len == 0)
			sd_event_source_set_io_events(serial->io, EPOLLIN);
	}
	if (!(events & (EPOLLIN | EPOLLHUP | EPOLLERR)))
		return 0;
	n = read(fd, bytes, sizeof(bytes));
	/* one call of the owner a turn, and nothing behind it: it may have closed the link */
	if (n > 0)
		serial->head.handler->data(serial->head.userdata, bytes, (size_t)n);
	else if (n == 0 || (errno != EAGAIN && errno != EINTR))
		serial_fail(serial, n == 0 ? -EIO : -errno);
	return 0;
}

/* ---- opening ---- */

static void serial_start(struct serial_link *serial)
{
	char why[PB_SERIAL_DEVICE + 128];
	int r = pb_serial_open(&serial->line, &serial->config, why, sizeof(why));

	if (r >= 0) {
		snprintf(why, sizeof(why), "out of memory");
		r = sd_event_add_io(serial->event, &serial->io, pb_serial_fd(serial->line), EPOLLIN,
				    serial_on_io, serial);
	}
	if (r < 0) {
		serial_go_down(serial, r, why);
		return;
	}
	serial->state = SERIAL_UP;
	serial->head.handler->up(serial->head.userdata);
}

static int serial_on_later(sd_event_source *source, void *userdata)
{
	struct serial_link *serial = userdata;

	(void)source;
	if (serial->state == SERIAL_STARTING)
		serial_start(serial);
	else if (serial->state == SERIAL_FAILED)
		serial_fail(serial, serial->error);
	return 0;
}

/* ---- the link ---- */

static int serial_open(struct pb_link *link)
{
	struct serial_link *serial = serial_of(link);

	if (serial->state != SERIAL_CLOSED)
		return -EALREADY;
	serial->state = SERIAL_STARTING;
	return sd_event_source_set_enabled(serial->later, SD_EVENT_ONESHOT);
}

static void serial_close(struct pb_link *link)
{
	serial_shut(serial_of(link));
}

/* Ends the link; the owner gets down() from the event loop. */
static void serial_fail_later(struct serial_link *serial, int error)
{
	serial_shut(serial);
	serial->state = SERIAL_FAILED;
	serial->error = error;
	sd_event_source_set_enabled(serial->later, SD_EVENT_ONESHOT);
}

static int serial_send(struct pb_link *link, const uint8_t *bytes, size_t len)
{
	struct serial_link *serial = serial_of(link);
	int r;

	if (serial->state != SERIAL_UP)
		return -ENOTCONN;
	if (len > SEND_MAX)
		return -EMSGSIZE;
	if (serial->out_len + len > sizeof(serial->out)) {
		serial_fail_later(serial, -ENOBUFS);
		return 0;
	}
	memcpy(serial->out + serial->out_len, bytes, len);
	serial->out_len += len;
	r = serial_flush(serial);
	if (r >= 0 && serial->out_len > 0)
		r = sd_event_source_set_io_events(serial->io, EPOLLIN | EPOLLOUT);
	if (r < 0)
		serial_fail_later(serial, r);
	return 0;
}

static void serial_free(struct pb_link *link)
{
	struct serial_link *serial = serial_of(link);

	sd_event_source_disable_unref(serial->io);
	sd_event_source_disable_unref(serial->later);
	pb_serial_free(serial->line);
	sd_event_unref(serial->event);
	free(serial);
}

/* what the UARTs of packs have */
static const struct pb_serial_config pack_line = {
	.baud = 9600, .parity = 'N', .data_bits = 8, .stop_bits = 1};

static int serial_create(struct pb_link **ret, const struct pb_link_setup *setup, char *why,
			 size_t why_cap)
{
	struct pb_serial_config config = pack_line;
	struct serial_link *serial;
	int r = pb_serial_parse(&config, setup->address, why, why_cap);

	if (r < 0 || !ret)
		return r;
	serial = calloc(1, sizeof(*serial));
	if (!serial)
		return -ENOMEM;
	serial->head = (struct pb_link){&pb_link_serial, setup->handler, setup->userdata};
	serial->event = sd_event_ref(setup->event);
	serial->config = config;
	r = sd_event_add_defer(serial->event, &serial->later, serial_on_later, serial);
	if (r >= 0)
		r = sd_event_source_set_enabled(serial->later, SD_EVENT_OFF);
	if (r < 0) {
		snprintf(why, why_cap, "%s", strerrordesc_np(-r));
		serial_free(&serial->head);
		return r;
	}
	*ret = &serial->head;
	return 0;
}

/* A line has one user, whatever its speed and whichever of its names is given. */
static void serial_identity(const char *address, char *out, size_t cap)
{
	struct pb_serial_config config = pack_line;
	char why[256];

	if (pb_serial_parse(&config, address, why, sizeof(why)) < 0)
		snprintf(out, cap, "%s", address);
	else
		pb_path_canonical(config.device, out, cap);
}

const struct pb_link_type pb_link_serial = {
	.name = "serial",
	.usage = "serial:DEVICE@BAUD",
	.doc = "the pack's UART or RS-485 port on a serial line, 9600 8N1 unless set otherwise",
	.create = serial_create,
	.identity = serial_identity,
	.open = serial_open,
	.close = serial_close,
	.send = serial_send,
	.free = serial_free,
};
