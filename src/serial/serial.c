/* SPDX-License-Identifier: MIT */
/*
 * A serial line: locked against other programs, opened by libmodbus, and set to RS-485 if
 * configured. libmodbus only opens the line and sets its parameters; bytes are read and written on
 * its descriptor.
 */
#include "packbridge/serial.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/serial.h>
#include <modbus/modbus.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <unistd.h>

struct pb_serial {
	int lock; /* the line, opened to be locked; -1: not ours */
	modbus_t *line;
	int fd; /* of libmodbus; -1: not open */
};

static bool known_baud(uint32_t baud)
{
	static const uint32_t rates[] = {1200,	2400,  4800,   9600,  19200,
					 38400, 57600, 115200, 230400};

	for (size_t i = 0; i < PB_ARRAY_SIZE(rates); i++)
		if (rates[i] == baud)
			return true;
	return false;
}

int pb_serial_check(const struct pb_serial_config *config, char *why, size_t why_cap)
{
	if (config->device[0] != '/') {
		snprintf(why, why_cap, "device '%s', expected a path like /dev/ttyUSB0",
			 config->device);
		return -EINVAL;
	}
	if (!known_baud(config->baud)) {
		snprintf(why, why_cap,
			 "%u baud, expected 1200, 2400, 4800, 9600, 19200, 38400, 57600, 115200 or "
			 "230400",
			 config->baud);
		return -EINVAL;
	}
	if (config->data_bits < 7 || config->data_bits > 8 || config->stop_bits < 1 ||
	    config->stop_bits > 2 || !config->parity || !strchr("NEO", config->parity)) {
		snprintf(why, why_cap, "frame %u%c%u, expected one like 8N1, 8E1, 8N2, 7E1",
			 config->data_bits, config->parity ? config->parity : '?',
			 config->stop_bits);
		return -EINVAL;
	}
	return 0;
}

static int read_frame(struct pb_serial_config *config, const char *text, char *why, size_t why_cap)
{
	if (strlen(text) != 3) {
		snprintf(why, why_cap, "frame '%s', expected one like 8N1, 8E1, 8N2, 7E1", text);
		return -EINVAL;
	}
	config->data_bits = (uint8_t)(text[0] - '0');
	config->parity = text[1];
	config->stop_bits = (uint8_t)(text[2] - '0');
	return 0;
}

int pb_serial_parse(struct pb_serial_config *config, const char *text, char *why, size_t why_cap)
{
	char copy[PB_SERIAL_DEVICE + 32], *at, *comma;
	int64_t baud;

	if ((size_t)snprintf(copy, sizeof(copy), "%s", text) >= sizeof(copy)) {
		snprintf(why, why_cap, "'%s' is too long", text);
		return -EINVAL;
	}
	at = strrchr(copy, '@');
	if (at) {
		*at++ = '\0';
		comma = strchr(at, ',');
		if (comma) {
			*comma++ = '\0';
			if (read_frame(config, comma, why, why_cap) < 0)
				return -EINVAL;
		}
		if (pb_int_parse(at, 1, 4000000, &baud) < 0) {
			snprintf(why, why_cap, "speed '%s', expected one like 9600", at);
			return -EINVAL;
		}
		config->baud = (uint32_t)baud;
	}
	if (strlen(copy) >= sizeof(config->device)) {
		snprintf(why, why_cap, "device '%s' is too long", copy);
		return -EINVAL;
	}
	snprintf(config->device, sizeof(config->device), "%.*s", PB_SERIAL_DEVICE - 1, copy);
	return pb_serial_check(config, why, why_cap);
}

/* ---- opening ---- */

static int serial_explain(int error, const struct pb_serial_config *config, char *why,
			  size_t why_cap)
{
	switch (error) {
	case ENOENT:
	case ENXIO:
	case ENODEV:
		snprintf(why, why_cap, "%s is not there", config->device);
		break;
	case EACCES:
	case EPERM:
		snprintf(why, why_cap,
			 "no permission for %s (add the user to the group dialout, log in anew)",
			 config->device);
		break;
	case EBUSY:
	case EWOULDBLOCK:
		snprintf(why, why_cap, "%s is in use by another program", config->device);
		return -EBUSY;
	case ENOTTY:
		snprintf(why, why_cap, "%s is no serial line", config->device);
		break;
	default:
		snprintf(why, why_cap, "%s: %s", config->device, strerrordesc_np(error));
		break;
	}
	return -error;
}

/* By the kernel's own call: libmodbus's sets neither levels nor delays. */
static int set_rs485(int fd, const struct pb_serial_config *config, char *why, size_t why_cap)
{
	struct serial_rs485 mode = {
		.flags = SER_RS485_ENABLED |
			 (config->rts_low ? SER_RS485_RTS_AFTER_SEND : SER_RS485_RTS_ON_SEND),
		.delay_rts_before_send = config->rts_before_ms,
		.delay_rts_after_send = config->rts_after_ms,
	};

	if (!config->rs485 || ioctl(fd, TIOCSRS485, &mode) == 0)
		return 0;
	snprintf(why, why_cap,
		 "the driver of %s can't switch the direction (RS-485 mode): most USB adapters do "
		 "it themselves, leave rs485 out",
		 config->device);
	return -ENOTSUP;
}

/*
 * Locks the line before anything of it is changed: libmodbus sets it up as it opens it, and would
 * do so to a line on which another program talks. As root nothing else is in the way, since
 * TIOCEXCL is not for root; and on a pseudo terminal it outlives a program that was killed, so it
 * can't be asked who has the line.
 */
static int lock_line(struct pb_serial *serial, const struct pb_serial_config *config, char *why,
		     size_t why_cap)
{
	serial->lock = open(config->device, O_RDWR | O_NOCTTY | O_NONBLOCK | O_CLOEXEC);
	if (serial->lock < 0)
		return serial_explain(errno, config, why, why_cap);
	if (!isatty(serial->lock))
		return serial_explain(ENOTTY, config, why, why_cap);
	if (flock(serial->lock, LOCK_EX | LOCK_NB) < 0)
		return serial_explain(errno, config, why, why_cap);
	return 0;
}

int pb_serial_open(struct pb_serial **ret, const struct pb_serial_config *config, char *why,
		   size_t why_cap)
{
	PB_CLEANUP(pb_serial_freep) struct pb_serial *serial = NULL;
	int r;

	if (pb_serial_check(config, why, why_cap) < 0)
		return -EINVAL;
	serial = calloc(1, sizeof(*serial));
	if (!serial)
		return serial_explain(ENOMEM, config, why, why_cap);
	serial->fd = serial->lock = -1;
	r = lock_line(serial, config, why, why_cap);
	if (r < 0)
		return r;
	serial->line = modbus_new_rtu(config->device, (int)config->baud, config->parity,
				      config->data_bits, config->stop_bits);
	if (!serial->line || modbus_connect(serial->line) < 0)
		return serial_explain(errno, config, why, why_cap);
	serial->fd = modbus_get_socket(serial->line);
	/* libmodbus's O_EXCL excludes nobody */
	if (ioctl(serial->fd, TIOCEXCL) < 0)
		return serial_explain(errno, config, why, why_cap);
	if (set_rs485(serial->fd, config, why, why_cap) < 0)
		return -ENOTSUP;
	tcflush(serial->fd, TCIOFLUSH);
	*ret = serial;
	serial = NULL;
	return 0;
}

struct pb_serial *pb_serial_free(struct pb_serial *serial)
{
	if (!serial)
		return NULL;
	if (serial->fd >= 0) {
		tcflush(serial->fd, TCIOFLUSH); /* close() would wait for a line that is stuck */
		ioctl(serial->fd, TIOCNXCL);
		modbus_close(serial->line);
	}
	if (serial->line)
		modbus_free(serial->line);
	if (serial->lock >= 0)
		close(serial->lock);
	free(serial);
	return NULL;
}

int pb_serial_fd(const struct pb_serial *serial)
{
	return serial->fd;
}
