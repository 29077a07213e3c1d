/* SPDX-License-Identifier: MIT */
/* A serial line (a pseudo terminal here): whether its master may switch packs. */
#include "packbridge/base.h"
#include "packbridge/server.h"
#include "suite.h"

#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <systemd/sd-event.h>
#include <unistd.h>

enum { PATIENCE_MS = 5000, TURN_US = 1000, REPLY_LEN = 7 };

static uint8_t registers[2] = {0x12, 0x34};
static const struct pb_block block = {PB_TABLE_HOLDING, PB_FAULT_NONE, 0, 1, registers, NULL};
static const struct pb_image image = {.blocks = &block, .block_count = 1};

static struct pb_peer asked; /* the last one */

static bool owns(void *userdata, uint8_t id)
{
	(void)userdata;
	return id == 1;
}

static const struct pb_image *unit(void *userdata, const struct pb_peer *peer, uint8_t id,
				   uint64_t now_ms)
{
	(void)now_ms;
	asked = *peer;
	return owns(userdata, id) ? &image : NULL;
}

static const struct pb_server_backend backend = {.owns = owns, .unit = unit};

static sd_event *event;
static int master;
static char device[64];

static void setup(void)
{
	master = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC | O_NONBLOCK);
	ck_assert_int_ge(master, 0);
	ck_assert_int_eq(grantpt(master), 0);
	ck_assert_int_eq(unlockpt(master), 0);
	snprintf(device, sizeof(device), "%s", ptsname(master));
	ck_assert_int_ge(sd_event_new(&event), 0);
}

static void teardown(void)
{
	close(master);
	event = sd_event_unref(event);
}

static struct pb_line *open_line(bool write)
{
	struct pb_line_config config = {
		.serial = {.baud = 19200, .parity = 'N', .data_bits = 8, .stop_bits = 1},
		.gap_ms = 20,
		.write = write,
	};
	struct pb_line *line = NULL;
	char why[256];

	snprintf(config.serial.device, sizeof(config.serial.device), "%s", device);
	ck_assert_int_eq(pb_line_new(&line, event, &config, &backend, NULL, why, sizeof(why)), 0);
	return line;
}

/* Reads register 0, and waits for the whole reply. */
static void ask(void)
{
	uint8_t frame[PB_RTU_ADU_MAX] = {0, 3, 0, 0, 0, 1}, reply[REPLY_LEN];
	size_t len = pb_rtu_wrap(frame, 1, 5), got = 0;
	uint64_t end = pb_now_ms() + PATIENCE_MS;

	memset(&asked, 0, sizeof(asked));
	ck_assert_int_eq(write(master, frame, len), (ssize_t)len);
	while (got < sizeof(reply) && pb_now_ms() < end) {
		ssize_t n = read(master, reply + got, sizeof(reply) - got);

		if (n > 0)
			got += (size_t)n;
		else
			ck_assert_int_ge(sd_event_run(event, TURN_US), 0);
	}
	ck_assert_uint_eq(got, sizeof(reply));
	ck_assert_str_eq(asked.name, device);
}

START_TEST(who_may_switch)
{
	struct pb_line *line = open_line(_i == 1);

	ask();
	ck_assert_int_eq(asked.may_control, _i == 1);
	pb_line_set_write(line, _i == 0);
	ask();
	ck_assert_int_eq(asked.may_control, _i == 0);
	pb_line_free(line);
}
END_TEST

int main(void)
{
	TCase *tcase = tcase_create("line");

	tcase_add_checked_fixture(tcase, setup, teardown);
	tcase_add_loop_test(tcase, who_may_switch, 0, 2);
	return pb_run_suite("server/line", tcase);
}
