/* SPDX-License-Identifier: MIT */
#include "exchange.h"

#include "packbridge/base.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <termios.h>
#include <unistd.h>

enum {
	TRANSACTION = 0x7062, /* libmodbus counts from 1 */
	GAP_MS = 20,	      /* a frame on a line ends with a silence */
};

/* @return 1: readable; 0: not until @due_ms; negative errno */
static int wait_until(int fd, uint64_t due_ms)
{
	uint64_t now_ms = pb_now_ms();
	struct pollfd wanted = {.fd = fd, .events = POLLIN};
	int r = poll(&wanted, 1, now_ms < due_ms ? (int)(due_ms - now_ms) : 0);

	if (r < 0)
		return errno == EINTR ? wait_until(fd, due_ms) : -errno;
	return r;
}

/* Reads what is there. @return the number of bytes, 1 at least; -ETIMEDOUT and other errnos */
static int exchange_take(int fd, uint8_t *bytes, size_t room, uint64_t due_ms)
{
	int r = wait_until(fd, due_ms);
	ssize_t n;

	if (r <= 0)
		return r < 0 ? r : -ETIMEDOUT;
	n = read(fd, bytes, room);
	if (n < 0)
		return errno == EAGAIN || errno == EINTR ? exchange_take(fd, bytes, room, due_ms)
							 : -errno;
	return n == 0 ? -ECONNRESET : (int)n;
}

static int exchange_put(int fd, const uint8_t *bytes, size_t len)
{
	while (len > 0) {
		ssize_t n = write(fd, bytes, len);

		if (n < 0 && errno != EINTR && errno != EAGAIN)
			return -errno;
		bytes += n > 0 ? n : 0;
		len -= n > 0 ? (size_t)n : 0;
	}
	return 0;
}

int exchange_tcp(int fd, uint8_t unit, const uint8_t *pdu, size_t len, uint32_t timeout_ms,
		 uint8_t *reply)
{
	const struct pb_adu request = {.transaction = TRANSACTION, .unit = unit};
	uint8_t adu[PB_TCP_ADU_MAX];
	uint64_t due_ms = pb_now_ms() + timeout_ms;
	size_t have = 0;
	int r;

	memcpy(adu + PB_MBAP_LEN, pdu, len);
	r = exchange_put(fd, adu, pb_mbap_wrap(adu, &request, len));
	while (r >= 0) {
		struct pb_adu frame;
		int taken = pb_mbap_next(adu, have, &frame);

		if (taken < 0)
			return taken;
		if (taken > 0 && frame.transaction == TRANSACTION && frame.unit == unit) {
			memcpy(reply, frame.pdu, frame.pdu_len);
			return (int)frame.pdu_len;
		}
		memmove(adu, adu + taken, have - (size_t)taken); /* of another request: too late */
		have -= (size_t)taken;
		r = taken ? 0 : exchange_take(fd, adu + have, sizeof(adu) - have, due_ms);
		have += r > 0 ? (size_t)r : 0;
	}
	return r;
}

int exchange_rtu(int fd, uint8_t unit, const uint8_t *pdu, size_t len, uint32_t timeout_ms,
		 uint8_t *reply)
{
	uint8_t adu[PB_RTU_ADU_MAX];
	uint64_t due_ms = pb_now_ms() + timeout_ms;
	size_t have = 0;
	int r;

	tcflush(fd, TCIFLUSH);
	memcpy(adu + 1, pdu, len);
	r = exchange_put(fd, adu, pb_rtu_wrap(adu, unit, len));
	while (r >= 0 && have < sizeof(adu)) {
		bool whole = have >= PB_RTU_ADU_MIN && adu[0] == unit && pb_crc16(adu, have) == 0;

		r = exchange_take(fd, adu + have, sizeof(adu) - have,
				  whole ? pb_now_ms() + GAP_MS : due_ms);
		if (whole && r == -ETIMEDOUT) {
			memcpy(reply, adu + 1, have - 3);
			return (int)have - 3;
		}
		have += r > 0 ? (size_t)r : 0;
	}
	return r < 0 ? r : -EPROTO;
}
