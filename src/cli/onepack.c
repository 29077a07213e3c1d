/* SPDX-License-Identifier: MIT */
#include "onepack.h"

#include "serve.h"

#include <assert.h>
#include <getopt.h>
#include <stdio.h>
#include <string.h>
#include <systemd/sd-event.h>
#include <time.h>

static int onepack_check_options(const struct onepack *one)
{
	char why[256];

	if (strlen(one->password) >= PB_PASSWORD_MAX)
		fprintf(stderr, "packbridge %s: --password, expected at most %d characters\n",
			one->command, PB_PASSWORD_MAX - 1);
	else if (pb_protocol_check(one->protocol, why, sizeof(why)) < 0)
		fprintf(stderr, "packbridge %s: %s\n", one->command, why);
	else
		return -1;
	return 2;
}

int onepack_options(struct onepack *one, int argc, char **argv, const struct option_row *more,
		    const char *help, const char *operands)
{
	struct option_row rows[8] = {
		{"protocol", 'p', OPTION_TEXT, &one->protocol, 0, 0},
		{"password", 'P', OPTION_TEXT, &one->password, 0, 0},
		{"passkey", 'k', OPTION_NUMBER, &one->passkey, 0, 999999},
	};
	int status;

	for (size_t i = 3; more->name; i++) {
		assert(i + 1 < PB_ARRAY_SIZE(rows));
		rows[i] = *more++;
	}
	one->command = argv[0];
	one->protocol = PB_PROTOCOL_AUTO;
	one->password = "";
	one->passkey = PB_NO_PASSKEY;
	one->seconds = 60;
	status = pb_cli_options(argc, argv, rows, help, operands);
	if (status >= 0)
		return status;
	one->link = argv[optind];
	return onepack_check_options(one);
}

int onepack_open(struct onepack *one, const struct pb_reader_handler *handler, void *userdata)
{
	const struct pb_bluez_config bluez = {.max_connections = 1, .acquire = true};
	struct pb_session_config session = {
		.poll_ms = one->poll_ms,
		.gap_ms = 100,
		.settle_ms = 300,
		.reply_timeout_ms = 1000,
		.tries = 3,
		.connect_timeout_ms = 20000,
		.stale_after_s = one->stale_after_s,
	};
	struct pb_link_setup link = {
		.name = one->name ? one->name : one->link,
		.limit_ms = 20000,
		.passkey = (int32_t)one->passkey,
	};
	char why[512];
	const struct pb_link_type *type = pb_link_find(one->link, &link.address, why, sizeof(why));
	int r;

	if (!type || type->create(NULL, &link, why, sizeof(why)) < 0) {
		fprintf(stderr, "packbridge %s: %s\n", one->command, why);
		return 2;
	}
	pb_session_protocol(&session, one->protocol);
	snprintf(session.password, sizeof(session.password), "%s", one->password);
	r = pb_cli_event_new(&one->event, NULL, NULL);
	if (r >= 0)
		r = pb_bluez_new(&one->bluez, one->event, &bluez);
	link.event = one->event;
	link.bluez = one->bluez;
	if (r >= 0)
		r = pb_pack_new(&one->reader, &session, type, &link, handler, userdata);
	if (r >= 0)
		return -1;
	fprintf(stderr, "packbridge %s: %s\n", one->command, strerror(-r));
	return 1;
}

int onepack_run(struct onepack *one)
{
	/* without a handler, sd-event ends its loop when the time has come */
	int r = sd_event_add_time_relative(one->event, NULL, CLOCK_BOOTTIME,
					   (uint64_t)one->seconds * 1000000, 0, NULL, NULL);

	if (r >= 0)
		r = one->reader->type->start(one->reader);
	return r < 0 ? r : sd_event_loop(one->event);
}

void onepack_close(struct onepack *one)
{
	pb_reader_free(one->reader);
	pb_bluez_free(one->bluez);
	sd_event_unref(one->event);
}

bool onepack_hopeless(const struct pb_reading *reading)
{
	const struct pb_status *status = reading->status;

	if (status->last_error == PB_ERROR_NONE)
		return false;
	/* a link that does not come up has been tried twice by now; protocols, once each a poll */
	return !status->connected || (status->failures > 0 && !reading->searching);
}
