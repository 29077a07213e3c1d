/* SPDX-License-Identifier: MIT */
#include "stream.h"

#include <errno.h>
#include <sys/epoll.h>
#include <sys/socket.h>

/* EAGAIN and EWOULDBLOCK may differ; a call that a signal ended is as good as one too early. */
static ssize_t plain_result(ssize_t len)
{
	if (len >= 0)
		return len;
	return errno == EWOULDBLOCK || errno == EINTR ? -EAGAIN : -errno;
}

static ssize_t plain_receive(struct stream *stream, uint8_t *buf, size_t cap)
{
	return plain_result(recv(stream->fd, buf, cap, 0));
}

static ssize_t plain_send(struct stream *stream, const uint8_t *bytes, size_t len)
{
	return plain_result(send(stream->fd, bytes, len, MSG_NOSIGNAL));
}

static uint32_t plain_want(const struct stream *stream, bool sending)
{
	(void)stream;
	return sending ? EPOLLOUT : EPOLLIN;
}

const struct stream_type stream_plain = {plain_receive, plain_send, plain_want};
