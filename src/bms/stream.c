/* SPDX-License-Identifier: MIT */
/*
 * Finds frames in received bytes.
 *
 *	buf:  [ last frame ][ garbage ][ frame, or its beginning ]
 *	       eaten         skipped    returned, or kept for more bytes
 *
 * The codec is asked at each byte in turn. A false start may announce a long frame that never
 * comes, so the search goes on behind it; until then nothing is dropped.
 */
#include "packbridge/bms.h"

#include <errno.h>
#include <string.h>

static void stream_drop(struct pb_stream *stream, size_t count)
{
	stream->len -= count;
	memmove(stream->buf, stream->buf + count, stream->len);
}

/* Takes away the frame that was handed out last, now that nobody looks at it any more. */
static void eat(struct pb_stream *stream)
{
	stream_drop(stream, stream->eaten);
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
		stream_drop(stream, excess);
	}
	memcpy(stream->buf + stream->len, bytes, len);
	stream->len += len;
}

/* Drops what stands before @at, for good. */
static void skip(struct pb_stream *stream, size_t at)
{
	stream->garbage_bytes += (uint32_t)at;
	stream_drop(stream, at);
}

/*
 * Looks for a whole frame from @at on. @return its length with @ret_at; or 0, with @ret_at at the
 * first place that more bytes may complete, or the end.
 */
static int stream_find(struct pb_stream *stream, const struct pb_codec *codec,
		       const struct pb_query *pending, size_t *ret_at)
{
	struct pb_frame frame;
	size_t waiting = stream->len;

	for (size_t at = 0; at < stream->len; at++) {
		int r = codec->frame(stream->buf + at, stream->len - at, pending, &frame);

		if (r > 0) {
			*ret_at = at;
			return r;
		}
		/*
		 * A start that only looks like one can announce more than ever comes, and the real
		 * reply is already behind it: so the search goes on, but nothing is dropped yet.
		 */
		if (r == PB_FRAME_MORE && waiting == stream->len)
			waiting = at;
		else if ((r == -EBADMSG || r == -EILSEQ) && waiting == stream->len)
			stream->bad_frames++;
	}
	*ret_at = waiting;
	return 0;
}

bool pb_stream_next(struct pb_stream *stream, const struct pb_codec *codec,
		    const struct pb_query *pending, struct pb_frame *ret)
{
	size_t at;
	int len;

	eat(stream);
	len = stream_find(stream, codec, pending, &at);
	skip(stream, at);
	if (len == 0)
		return false;
	/* once more, where the frame stands now: @ret points into it */
	len = codec->frame(stream->buf, stream->len, pending, ret);
	stream->eaten = (size_t)len;
	return true;
}

void pb_stream_flush(struct pb_stream *stream)
{
	eat(stream);
	stream->garbage_bytes += (uint32_t)stream->len;
	stream->len = 0;
}
