/* SPDX-License-Identifier: MIT */
/*
 * The listeners of one configuration. A reload works on two sets, @before and the new one:
 *
 *	listeners_prepare()    opens sockets that @before does not have
 *	listeners_make_room()  closes listening sockets of @before that the new set does not use
 *	listeners_return()     opens those again, if the reload failed
 *	listeners_take()       takes over unchanged listeners, closes the others, opens serial lines
 */
#include "listeners.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void line_config(const struct pb_listen_config *listen, struct pb_line_config *ret)
{
	*ret = (struct pb_line_config){
		.serial = {.baud = listen->baud,
			   .parity = "NEO"[listen->parity],
			   .data_bits = (uint8_t)listen->data_bits,
			   .stop_bits = (uint8_t)listen->stop_bits,
			   .rs485 = listen->rs485,
			   .rts_low = listen->rts == PB_RTS_LOW,
			   .rts_before_ms = listen->rts_before_ms,
			   .rts_after_ms = listen->rts_after_ms},
		.gap_ms = listen->gap_ms,
		.reply_delay_ms = listen->reply_delay_ms,
		.echo = listen->echo,
		.write = listen->write_line,
	};
	snprintf(ret->serial.device, sizeof(ret->serial.device), "%.*s", PB_SERIAL_DEVICE - 1,
		 listen->address);
}

static void socket_config(const struct pb_listen_config *listen, struct pb_server_config *ret)
{
	*ret = (struct pb_server_config){
		.address = listen->address,
		.max_clients = listen->max_clients,
		.frame_timeout_ms = listen->frame_timeout_ms,
		.idle_timeout_ms = 1000 * listen->idle_timeout_s,
		.allow = (const char *const *)listen->allow,
		.allow_count = listen->allow_count,
		.write = (const char *const *)listen->write,
		.write_count = listen->write_count,
		.rtu = listen->kind == PB_LISTEN_RTU_TCP,
		.gap_ms = listen->gap_ms,
	};
}

int listener_check(const struct pb_listen_config *listen, struct pb_mark *ret_mark, char *why,
		   size_t why_cap)
{
	const char *at = strrchr(listen->address, '@'); /* as links are written */
	struct pb_line_config config;

	*ret_mark = listen->mark;
	if (listen->kind != PB_LISTEN_RTU)
		return pb_server_tcp_check(listen->address, why, why_cap);
	if (at && isdigit((unsigned char)at[1])) {
		snprintf(why, why_cap, "'%s', expected the device alone: rtu: %.*s, and baud: %.*s",
			 listen->address, (int)(at - listen->address), listen->address,
			 (int)strspn(at + 1, "0123456789"), at + 1);
		return -EINVAL;
	}
	line_config(listen, &config);
	if (listen->address[0] == '/') /* a device: it is its rate that can be wrong */
		*ret_mark = listen->baud_mark;
	return pb_serial_check(&config.serial, why, why_cap);
}

/* A socket can take other settings, a line is opened with them. */
static bool goes_on(const struct pb_listen_config *a, const struct pb_listen_config *b)
{
	unsigned int changes = pb_yaml_changes(pb_config_listen_rows(), a, b);

	return !(changes & PB_CHANGE_REPLACES) &&
	       (a->kind != PB_LISTEN_RTU || !(changes & PB_CHANGE_REOPENS));
}

/*
 * Which listener of @before each of @config goes on from: @ret[i] is 1 + its place, 0 for none.
 * Each is taken once: several of one address, as port 0 allows, are several sockets.
 */
static void find_kept(const struct listeners *before, const struct pb_config *config, size_t *ret)
{
	for (size_t old = 0; before && old < before->config->listen_count; old++) {
		for (size_t i = 0; i < config->listen_count; i++) {
			if (ret[i] || !goes_on(&before->config->listens[old], &config->listens[i]))
				continue;
			ret[i] = old + 1;
			break;
		}
	}
}

int listeners_prepare(struct listeners *ret, const struct listeners_setup *setup,
		      const struct site *site, const struct listeners *before,
		      struct pb_report *report)
{
	const struct pb_config *config = site->config;
	size_t *kept = calloc(config->listen_count, sizeof(*kept));
	int r = 0;

	*ret = (struct listeners){.config = config};
	ret->all = calloc(config->listen_count, sizeof(*ret->all));
	if (!ret->all || !kept) {
		free(kept);
		return -ENOMEM;
	}
	find_kept(before, config, kept);
	/* all are tried, so that every one in use is reported at once */
	for (size_t i = 0; i < config->listen_count; i++) {
		const struct pb_listen_config *listen = &config->listens[i];
		struct listener *listener = &ret->all[i];
		struct pb_server_config socket;
		char why[512];

		listener->kept = kept[i];
		if (listener->kept || listen->kind == PB_LISTEN_RTU)
			continue;
		socket_config(listen, &socket);
		if (pb_server_tcp_new(&listener->server, setup->hub, &socket, setup->backend,
				      site_table(site, i), why, sizeof(why)) >= 0)
			continue;
		pb_report_at(report, config->file, listen->mark, why);
		r = -EADDRINUSE;
	}
	free(kept);
	if (r < 0)
		listeners_clear(ret);
	return r;
}

int listeners_make_room(const struct listeners *before, const struct pb_config *config)
{
	size_t *kept = calloc(config->listen_count, sizeof(*kept));
	int count = 0;

	if (!kept)
		return -ENOMEM;
	find_kept(before, config, kept);
	for (size_t old = 0; old < before->config->listen_count; old++) {
		size_t i = 0;

		while (i < config->listen_count && kept[i] != old + 1)
			i++;
		if (i < config->listen_count || !before->all[old].server)
			continue;
		pb_server_pause(before->all[old].server);
		count++;
	}
	free(kept);
	return count;
}

void listeners_return(const struct listeners *listeners, struct pb_report *report)
{
	for (size_t i = 0; i < listeners->config->listen_count; i++) {
		const char *address = listeners->config->listens[i].address;
		struct pb_server *server = listeners->all[i].server;
		char why[512], text[640];

		if (!server || pb_server_resume(server, address, why, sizeof(why)) >= 0)
			continue;
		snprintf(text, sizeof(text), "%s; until a reload succeeds, it is closed", why);
		pb_report_at(report, listeners->config->file, (struct pb_mark){0}, text);
	}
}

/* @return 0; negative with the reason in @why, and it goes on with its old settings */
static int listeners_take_one(struct listener *listener, struct listener *before,
			      const struct pb_listen_config *listen, struct pb_unit_table *table,
			      char *why, size_t why_cap)
{
	struct pb_server_config socket;
	int r;

	listener->server = before->server;
	listener->line = before->line;
	*before = (struct listener){0};
	if (listener->line) {
		pb_line_set_userdata(listener->line, table);
		pb_line_set_write(listener->line, listen->write_line);
		return 0;
	}
	pb_server_set_userdata(listener->server, table);
	socket_config(listen, &socket);
	r = pb_server_tcp_configure(listener->server, &socket, why, why_cap);
	if (r < 0)
		return r;
	/* it is closed when an earlier reload failed and its way back did, too */
	return pb_server_resume(listener->server, listen->address, why, why_cap);
}

int listeners_take(struct listeners *listeners, const struct listeners_setup *setup,
		   const struct site *site, struct listeners *before, struct pb_report *report)
{
	const struct pb_config *config = listeners->config;
	char why[512];
	int r = 0;

	for (size_t i = 0; i < config->listen_count; i++) {
		struct listener *listener = &listeners->all[i];

		if (listener->kept && listeners_take_one(listener, &before->all[listener->kept - 1],
							 &config->listens[i], site_table(site, i),
							 why, sizeof(why)) < 0)
			pb_report_at(report, config->file, config->listens[i].mark, why);
	}
	if (before)
		listeners_clear(before);
	for (size_t i = 0; i < config->listen_count; i++) {
		struct listener *listener = &listeners->all[i];
		struct pb_line_config line;
		int error;

		if (listener->kept || config->listens[i].kind != PB_LISTEN_RTU)
			continue;
		line_config(&config->listens[i], &line);
		error = pb_line_new(&listener->line, setup->event, &line, setup->backend,
				    site_table(site, i), why, sizeof(why));
		if (error < 0) {
			pb_report_at(report, config->file, config->listens[i].mark, why);
			r = error;
		}
	}
	return r;
}

void listeners_clear(struct listeners *listeners)
{
	for (size_t i = 0; listeners->all && i < listeners->config->listen_count; i++) {
		pb_server_free(listeners->all[i].server);
		pb_line_free(listeners->all[i].line);
	}
	free(listeners->all);
	listeners->all = NULL;
}

void listener_stats(const struct listener *listener, struct pb_server_stats *ret)
{
	if (listener->line)
		pb_line_stats(listener->line, ret);
	else if (listener->server)
		pb_server_stats(listener->server, ret);
	else
		*ret = (struct pb_server_stats){0};
}
