/* SPDX-License-Identifier: MIT */
/*
 * Modbus RTU on a serial line:
 *
 *	CLOSED --opened--> LISTENING --request--> REPLYING (after the delay, until all is written)
 *	   ^                   |   ^-------------------------------/
 *	   \---- unplugged ----/
 *
 * A request that comes while a reply still waits takes its place: its master has given up on it.
 */
#include "service.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <systemd/sd-event.h>
#include <time.h>
#include <unistd.h>

enum {
	REOPEN_US = 1000000,
	READ_MAX = 512,
	ECHO_SLACK_US = 50000, /* for adapters that collect bytes */
};

struct pb_line {
	struct pb_line_config config;
	struct service service;
	sd_event *event;
	struct pb_serial *serial; /* NULL: closed */
	sd_event_source *io;
	sd_event_source *silence; /* the gap behind the last byte; while closed, the next try */
	sd_event_source *send;	  /* the delay before a reply */
	uint32_t char_us;
	int error; /* why it is closed, as logged last */
	struct pb_rtu rtu;
	struct pb_peer peer;	/* the line */
	size_t out_at, out_len; /* the reply; out_len 0: none */
	uint8_t out[PB_RTU_ADU_MAX];
	size_t echo_at, echo_len; /* what the adapter has repeated of it; echo_len 0: nothing due */
	uint64_t echo_until_ms;
};

static void line_arm(sd_event_source *timer, uint64_t us)
{
	sd_event_source_set_time_relative(timer, us);
	sd_event_source_set_enabled(timer, SD_EVENT_ONESHOT);
}

/* ---- open and closed ---- */

static void line_lost(struct pb_line *line, int error, const char *why)
{
	if (error != line->error)
		pb_log(PB_LOG_WARNING, "Modbus RTU on %s: %s, looking for it each second",
		       line->config.serial.device, why);
	line->error = error;
	line->io = sd_event_source_disable_unref(line->io);
	line->serial = pb_serial_free(line->serial);
	line->service.stats.clients = 0;
	line->out_len = line->echo_len = line->echo_at = 0;
	pb_rtu_reset(&line->rtu);
	sd_event_source_set_enabled(line->send, SD_EVENT_OFF);
	line_arm(line->silence, REOPEN_US);
}

static int line_on_io(sd_event_source *source, int fd, uint32_t events, void *userdata);

static void open_line(struct pb_line *line)
{
	char why[256] = "";
	int r = pb_serial_open(&line->serial, &line->config.serial, why, sizeof(why));

	if (r >= 0) {
		r = sd_event_add_io(line->event, &line->io, pb_serial_fd(line->serial), EPOLLIN,
				    line_on_io, line);
		if (r < 0)
			snprintf(why, sizeof(why), "%s", strerrordesc_np(-r));
	}
	if (r < 0) {
		line_lost(line, r, why);
		return;
	}
	pb_log(PB_LOG_INFO, "Modbus RTU on %s, %u baud, %u%c%u", line->config.serial.device,
	       line->config.serial.baud, line->config.serial.data_bits, line->config.serial.parity,
	       line->config.serial.stop_bits);
	line->error = 0;
	line->service.stats.clients = 1;
	line->service.stats.accepted++;
}

/* ---- replies ---- */

static void line_watch(struct pb_line *line, uint32_t events)
{
	sd_event_source_set_io_events(line->io, events);
}

static void write_reply(struct pb_line *line)
{
	ssize_t len = write(pb_serial_fd(line->serial), line->out + line->out_at,
			    line->out_len - line->out_at);

	if (len < 0 && errno != EAGAIN && errno != EWOULDBLOCK && errno != EINTR) {
		line_lost(line, -errno, "writing failed");
		return;
	}
	line->out_at += len > 0 ? (size_t)len : 0;
	if (line->out_at < line->out_len) {
		line_watch(line, EPOLLIN | EPOLLOUT);
		return;
	}
	line_watch(line, EPOLLIN);
	if (line->config.echo) {
		line->echo_at = 0;
		line->echo_len = line->out_len;
		line->echo_until_ms =
			pb_now_ms() + (line->out_len * line->char_us + ECHO_SLACK_US) / 1000 + 1;
	}
	line->out_len = 0;
}

static int line_on_send(sd_event_source *source, uint64_t usec, void *userdata)
{
	(void)source;
	(void)usec;
	write_reply(userdata);
	return 0;
}

static void line_answer(struct pb_line *line, const struct pb_adu *request)
{
	struct service *service = &line->service;

	line->echo_len = line->echo_at = 0; /* the reply that it was of goes now */
	line->out_at = 0;
	line->out_len = service_reply(service, &pb_framing_rtu, &line->peer, request, pb_now_ms(),
				      line->out);
	if (service->trace)
		service_trace(service, &pb_framing_rtu, "line", request, line->out, line->out_len);
	if (line->out_len > 0)
		line_arm(line->send, pb_rtu_gap_us(line->config.serial.baud) +
					     1000ULL * line->config.reply_delay_ms);
	else
		sd_event_source_set_enabled(line->send, SD_EVENT_OFF);
}

/* ---- requests ---- */

static void line_take(struct pb_line *line, const uint8_t *bytes, size_t len, bool silence)
{
	struct pb_framer *framer = &line->rtu.framer;
	struct pb_adu request;
	size_t at = 0, taken;

	while (pb_framing_rtu.next(framer, bytes + at, len - at, silence, &taken, &request) > 0) {
		at += taken;
		service_count_frames(&line->service, framer);
		/* partly written, a reply can't be replaced any more */
		if (line->out_len == 0 || line->out_at == 0)
			line_answer(line, &request);
	}
	service_count_frames(&line->service, framer);
}

/* What looked like our reply was somebody's request: it is one all the same. */
static void no_echo(struct pb_line *line)
{
	pb_rtu_push(&line->rtu, line->out, line->echo_at);
	line->echo_len = line->echo_at = 0;
}

/* @return how many of the bytes were our own reply, coming back, or are taken care of */
static size_t take_echo(struct pb_line *line, const uint8_t *bytes, size_t len)
{
	size_t at = 0;

	if (line->echo_len > 0 && pb_now_ms() > line->echo_until_ms)
		no_echo(line);
	while (at < len && line->echo_at < line->echo_len) {
		if (bytes[at] != line->out[line->echo_at]) {
			no_echo(line);
			return at;
		}
		at++;
		line->echo_at++;
	}
	if (line->echo_at == line->echo_len)
		line->echo_len = line->echo_at = 0;
	return at;
}

static int line_on_io(sd_event_source *source, int fd, uint32_t events, void *userdata)
{
	struct pb_line *line = userdata;
	uint8_t bytes[READ_MAX];
	ssize_t got = 0;

	(void)source;
	if (events & (EPOLLIN | EPOLLHUP | EPOLLERR)) {
		got = read(fd, bytes, sizeof(bytes));
		if (got == 0 ||
		    (got < 0 && errno != EAGAIN && errno != EWOULDBLOCK && errno != EINTR)) {
			line_lost(line, -ENODEV, "the adapter is gone");
			return 0;
		}
	}
	if (got > 0) {
		size_t at = take_echo(line, bytes, (size_t)got);

		line_take(line, bytes + at, (size_t)got - at, false);
		if (pb_framing_rtu.pending(&line->rtu.framer))
			line_arm(line->silence, 1000ULL * line->config.gap_ms);
		else
			sd_event_source_set_enabled(line->silence, SD_EVENT_OFF);
	}
	if (line->serial && events & EPOLLOUT && line->out_len > 0)
		write_reply(line);
	return 0;
}

static int line_on_silence(sd_event_source *source, uint64_t usec, void *userdata)
{
	struct pb_line *line = userdata;

	(void)source;
	(void)usec;
	if (line->serial)
		line_take(line, NULL, 0, true);
	else
		open_line(line);
	return 0;
}

/* ---- life ---- */

static int add_timer(struct pb_line *line, sd_event_source **ret, sd_event_time_handler_t handler)
{
	/* 1 us of accuracy means: do not gather wake-ups */
	int r = sd_event_add_time(line->event, ret, CLOCK_BOOTTIME, UINT64_MAX, 1, handler, line);

	return r < 0 ? r : sd_event_source_set_enabled(*ret, SD_EVENT_OFF);
}

int pb_line_new(struct pb_line **ret, sd_event *event, const struct pb_line_config *config,
		const struct pb_server_backend *backend, void *userdata, char *why, size_t why_cap)
{
	PB_CLEANUP(pb_line_freep) struct pb_line *line = NULL;
	uint32_t gap_us = pb_rtu_gap_us(config->serial.baud);

	if (pb_serial_check(&config->serial, why, why_cap) < 0)
		return -EINVAL;
	snprintf(why, why_cap, "out of memory");
	line = calloc(1, sizeof(*line));
	if (!line)
		return -ENOMEM;
	line->config = *config;
	if (1000 * config->gap_ms < gap_us)
		line->config.gap_ms = (gap_us + 999) / 1000;
	line->service.backend = backend;
	line->service.userdata = userdata;
	line->event = sd_event_ref(event);
	line->char_us = 11 * 1000000 / config->serial.baud;
	service_frames(&line->service, &line->rtu.framer);
	snprintf(line->peer.name, sizeof(line->peer.name), "%.*s", (int)sizeof(line->peer.name) - 1,
		 config->serial.device);
	line->peer.may_control = config->write;
	if (add_timer(line, &line->silence, line_on_silence) < 0 ||
	    add_timer(line, &line->send, line_on_send) < 0)
		return -ENOMEM;
	open_line(line);
	*ret = line;
	line = NULL;
	return 0;
}

struct pb_line *pb_line_free(struct pb_line *line)
{
	if (!line)
		return NULL;
	sd_event_source_disable_unref(line->io);
	sd_event_source_disable_unref(line->silence);
	sd_event_source_disable_unref(line->send);
	pb_serial_free(line->serial);
	trace_free(line->service.trace);
	sd_event_unref(line->event);
	free(line);
	return NULL;
}

void pb_line_set_userdata(struct pb_line *line, void *userdata)
{
	line->service.userdata = userdata;
}

void pb_line_set_write(struct pb_line *line, bool write)
{
	line->peer.may_control = write;
}

void pb_line_stats(const struct pb_line *line, struct pb_server_stats *ret)
{
	*ret = line->service.stats;
}

int pb_line_trace(struct pb_line *line, uint64_t since, uint64_t now_ms, FILE *out)
{
	return trace_tell(&line->service.trace, since, now_ms, out);
}
