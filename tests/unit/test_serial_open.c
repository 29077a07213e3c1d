/* SPDX-License-Identifier: MIT */
#include "packbridge/serial.h"
#include "suite.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <unistd.h>

static int far_end;
static struct pb_serial_config config = {
	.baud = 19200, .parity = 'N', .data_bits = 8, .stop_bits = 1};

static void setup(void)
{
	far_end = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC);
	ck_assert_int_ge(far_end, 0);
	ck_assert_int_eq(grantpt(far_end), 0);
	ck_assert_int_eq(unlockpt(far_end), 0);
	snprintf(config.device, sizeof(config.device), "%s", ptsname(far_end));
}

static void teardown(void)
{
	close(far_end);
}

static int waiting(int fd)
{
	int count = -1;

	ck_assert_int_eq(ioctl(fd, FIONREAD, &count), 0);
	return count;
}

/* Whoever has the line keeps its bytes, its settings and its lock, also against root. */
START_TEST(a_busy_line_is_left_alone)
{
	PB_CLEANUP(pb_serial_freep) struct pb_serial *owner = NULL;
	struct pb_serial_config other = config;
	struct pb_serial *second = NULL;
	struct termios before, after;
	int exclusive = 0, fd;
	char why[256];

	ck_assert_int_eq(pb_serial_open(&owner, &config, why, sizeof(why)), 0);
	fd = pb_serial_fd(owner);
	ck_assert_int_eq(write(far_end, "1234567", 7), 7);
	while (waiting(fd) < 7)
		;
	ck_assert_int_eq(tcgetattr(fd, &before), 0);
	other.baud = 1200;
	other.parity = 'E';
	for (int i = 0; i < 3; i++) {
		ck_assert_int_eq(pb_serial_open(&second, &other, why, sizeof(why)), -EBUSY);
		ck_assert_ptr_null(second);
		ck_assert_ptr_nonnull(strstr(why, "in use by another program"));
	}
	ck_assert_int_eq(waiting(fd), 7);
	ck_assert_int_eq(ioctl(fd, TIOCGEXCL, &exclusive), 0);
	ck_assert_int_eq(exclusive, 1);
	ck_assert_int_eq(tcgetattr(fd, &after), 0);
	ck_assert_uint_eq(before.c_cflag, after.c_cflag);
	ck_assert_uint_eq(cfgetospeed(&before), cfgetospeed(&after));
	/* and it is free when its owner is gone */
	owner = pb_serial_free(owner);
	ck_assert_int_eq(pb_serial_open(&second, &other, why, sizeof(why)), 0);
	pb_serial_free(second);
}
END_TEST

START_TEST(what_is_no_line)
{
	struct pb_serial *serial = NULL;
	char why[256];

	strcpy(config.device, "/dev/null");
	ck_assert_int_eq(pb_serial_open(&serial, &config, why, sizeof(why)), -ENOTTY);
	strcpy(config.device, "/nowhere/tty");
	ck_assert_int_eq(pb_serial_open(&serial, &config, why, sizeof(why)), -ENOENT);
}
END_TEST

int main(void)
{
	TCase *tcase = tcase_create("open");

	tcase_add_checked_fixture(tcase, setup, teardown);
	tcase_add_test(tcase, a_busy_line_is_left_alone);
	tcase_add_test(tcase, what_is_no_line);
	return pb_run_suite("serial/open", tcase);
}
