/* SPDX-License-Identifier: MIT */
#include "packbridge/bms.h"

#include <errno.h>
#include <string.h>

static void drop(struct pb_stream *stream, size_t count)
{
	stream->len -= count;
	memmove(stream->buf, stream->buf + count, stream->len);
}

/* Takes away the frame that was handed out last, now that nobody looks at it any more. */
static void eat(struct pb_stream *stream)
{
	drop(stream, stream->eaten);
	stream->eaten = 0;
}

void pb_stream_push(struct pb_stream *stream, const uint8_t *bytes, size_t len)
{
	eat(stream);
	if (len > PB_STREAM_MAX) {
		stream->garbage_bytes += (uint32_t)(len - PB_STREAM_MAX);
		bytes += len - PB_STREAM_MAX;
		len = PB_STREAM_MAX;
	}
	if (stream->len + len > PB_STREAM_MAX) {
		size_t excess = stream->len + len - PB_STREAM_MAX;

		stream->garbage_bytes += (uint32_t)excess;
		drop(stream, excess);
	}
	memcpy(stream->buf + stream->len, bytes, len);
	stream->len += len;
}

bool pb_stream_next(struct pb_stream *stream, const struct pb_codec *codec,
		    const struct pb_query *pending, struct pb_frame *ret)
{
	size_t at = 0;
	int r = PB_FRAME_MORE;

	eat(stream);
	while (at < stream->len) {
		r = codec->frame(stream->buf + at, stream->len - at, pending, ret);
		if (r >= 0)
			break;
		/* the real start may be inside, so one byte only */
		if (r == -EBADMSG || r == -EILSEQ)
			stream->bad_frames++;
		at++;
	}
	if (at > 0) {
		stream->garbage_bytes += (uint32_t)at;
		drop(stream, at);
		ret->bytes = stream->buf;
		if (r > 0)
			codec->frame(stream->buf, stream->len, pending, ret);
	}
	if (stream->len == 0 || r <= 0)
		return false;
	stream->eaten = (size_t)r;
	return true;
}

void pb_stream_flush(struct pb_stream *stream)
{
	eat(stream);
	stream->garbage_bytes += (uint32_t)stream->len;
	stream->len = 0;
}
