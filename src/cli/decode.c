/* SPDX-License-Identifier: MIT */
/*
 * Bytes of a battery protocol, given as hex, to fields. All chunks are one stream, as a session
 * would receive them.
 */
#include "cli.h"
#include "options.h"
#include "packbridge/json.h"

#include "packbridge/base.h"
#include "packbridge/bridge.h"

#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char help[] =
	"Usage: packbridge decode [--json] [--protocol NAME] [HEX...]\n"
	"Decodes reply frames of a battery. Each HEX is a chunk of one byte stream (blanks and "
	"colons\n"
	"may stand between bytes); without arguments, the chunks are the lines of standard input.\n"
	"Prints what each sound frame holds; without any, says why and ends with status 1.\n\n"
	"  -j, --json           one JSON object a frame and line\n"
	"  -p, --protocol NAME  what the battery speaks (default jbd)\n"
	"  -h, --help           this text\n";

struct bytes {
	size_t len;
	uint8_t buf[65536];
};

/* ---- input ---- */

static int add_chunk(struct bytes *bytes, const char *hex)
{
	int r = pb_hex_parse(hex, bytes->buf + bytes->len, sizeof(bytes->buf) - bytes->len);

	if (r == -ENOSPC)
		fprintf(stderr, "packbridge decode: more than %zu bytes\n", sizeof(bytes->buf));
	else if (r < 0)
		fprintf(stderr, "packbridge decode: '%s' is not hex, expected e.g. DD03001D\n",
			hex);
	if (r < 0)
		return r;
	bytes->len += (size_t)r;
	return 0;
}

static int read_lines(struct bytes *bytes)
{
	char *line = NULL;
	size_t room = 0;
	int r = 0;

	while (r == 0 && getline(&line, &room, stdin) >= 0) {
		line[strcspn(line, "\r\n")] = '\0';
		r = add_chunk(bytes, line);
	}
	free(line);
	return r;
}

/* ---- output ---- */

static void checksum_text(const struct pb_frame *frame, uint32_t sum, char *out, size_t cap)
{
	snprintf(out, cap, "%0*X", frame->checksum_digits, sum);
}

static json_t *json_checksum(const struct pb_frame *frame)
{
	char expected[12], calculated[12];

	checksum_text(frame, frame->checksum_expected, expected, sizeof(expected));
	checksum_text(frame, frame->checksum_calculated, calculated, sizeof(calculated));
	return json_pack("{s:s, s:s, s:b}", "expected", expected, "calculated", calculated, "ok",
			 frame->checksum_expected == frame->checksum_calculated);
}

static void add_parameter(const struct pb_codec *codec, const struct pb_frame *frame,
			  json_t *object)
{
	struct pb_parameter parameter;
	char hex[2 * 256 + 4];

	if (!codec->parameter || !codec->parameter(frame, &parameter))
		return;
	pb_hex_print(hex, sizeof(hex), frame->payload, frame->payload_len, 0);
	for (char *c = hex; *c; c++)
		if (*c >= 'A')
			*c = (char)(*c + 'a' - 'A');
	json_object_set_new(object, "payload_hex", json_string(hex));
	if (parameter.has_value)
		json_object_set_new(object, "value", json_integer(parameter.value));
	if (parameter.has_text)
		json_object_set_new(object, "string", json_string(parameter.text));
}

static json_t *json_frame(const struct pb_codec *codec, const struct pb_frame *frame)
{
	struct pb_sample sample = {0};
	json_t *object =
		json_pack("{s:i, s:i}", "command", frame->command, "status", frame->status);
	int r;

	if (frame->kind == PB_FRAME_MODULE)
		json_object_set_new(object, "module", json_true());
	if (frame->has_checksum)
		json_object_set_new(object, "checksum", json_checksum(frame));
	r = codec->decode(frame, &sample);
	pb_sample_derive(&sample);
	json_object_set_new(object, "fields", pb_json_sample(&sample));
	if (r < 0)
		json_object_set_new(object, "error",
				    json_string(pb_error_text(PB_ERROR_IMPOSSIBLE)));
	add_parameter(codec, frame, object);
	return object;
}

static void print_text(json_t *object)
{
	json_t *checksum = json_object_get(object, "checksum"), *value;
	const char *key;

	printf("%s %02X, status %02X, checksum %s\n",
	       json_object_get(object, "module") ? "module frame" : "reply to",
	       (unsigned int)json_integer_value(json_object_get(object, "command")),
	       (unsigned int)json_integer_value(json_object_get(object, "status")),
	       json_string_value(json_object_get(checksum, "expected")));
	pb_json_print(json_object_get(object, "fields"));
	json_object_foreach(object, key, value)
	{
		if (json_is_object(value) || strcmp(key, "command") == 0 ||
		    strcmp(key, "status") == 0 || strcmp(key, "module") == 0)
			continue;
		printf("  %-20s ", key);
		json_dumpf(value, stdout, JSON_COMPACT | JSON_ENCODE_ANY);
		putchar('\n');
	}
}

static void print_frame(const struct pb_codec *codec, const struct pb_frame *frame, bool json)
{
	json_t *object = json_frame(codec, frame);

	if (json) {
		json_dumpf(object, stdout, JSON_COMPACT);
		putchar('\n');
	} else {
		print_text(object);
	}
	json_decref(object);
}

/* ---- the stream ---- */

/* Where the stream fails, for a message: the place that came nearest to being a frame. */
struct failure {
	bool known;
	int rank;
	size_t offset;
	char why[128];
};

static int rank_of(int reason, const struct pb_frame *frame)
{
	if (reason == -EBADMSG || reason == -EILSEQ)
		return 3;
	if (reason == PB_FRAME_MORE)
		return frame->len ? 2 : 1;
	return 0;
}

static void note_failure(struct failure *failure, const struct pb_codec *codec,
			 const struct bytes *bytes, size_t offset, int reason,
			 const struct pb_frame *frame)
{
	int rank = rank_of(reason, frame);

	if (failure->known && rank <= failure->rank)
		return;
	failure->known = true;
	failure->rank = rank;
	failure->offset = offset;
	if (codec->explain)
		codec->explain(bytes->buf + offset, bytes->len - offset, reason, frame,
			       failure->why, sizeof(failure->why));
	else
		snprintf(failure->why, sizeof(failure->why), "no frame");
}

/* The same walk as pb_stream_next(), but with offsets and without an end. */
static int decode_stream(const struct pb_codec *codec, const struct bytes *bytes, bool json)
{
	struct failure failure = {0};
	size_t at = 0, frames = 0, dropped = 0;

	while (at < bytes->len) {
		struct pb_frame frame;
		int r = codec->frame(bytes->buf + at, bytes->len - at, NULL, &frame);

		if (r > 0) {
			print_frame(codec, &frame, json);
			frames++;
			at += (size_t)r;
			continue;
		}
		note_failure(&failure, codec, bytes, at, r, &frame);
		/* nothing will complete this one: what follows may hold whole frames */
		dropped++;
		at++;
	}
	if (frames > 0 && dropped > 0)
		fprintf(stderr,
			"packbridge decode: %zu bytes belong to no frame; at offset %zu: %s\n",
			dropped, failure.offset, failure.why);
	if (frames > 0)
		return 0;
	if (bytes->len == 0)
		fputs("packbridge decode: no bytes\n", stderr);
	else
		fprintf(stderr,
			"packbridge decode: no sound frame in %zu bytes; at offset %zu: %s\n",
			bytes->len, failure.offset, failure.why);
	return 1;
}

int pb_cli_decode(int argc, char **argv)
{
	const char *protocol = "jbd";
	bool json = false;
	const struct option_row rows[] = {
		{"json", 'j', OPTION_FLAG, &json, 0, 0},
		{"protocol", 'p', OPTION_TEXT, &protocol, 0, 0},
		{0},
	};
	const struct pb_codec *codec;
	struct bytes bytes = {0};
	int status = pb_cli_options(argc, argv, rows, help, "..."), r = 0;

	if (status >= 0)
		return status;
	codec = pb_codec_find(protocol);
	if (!codec) {
		fprintf(stderr, "packbridge decode: no protocol '%s', expected jbd\n", protocol);
		return 2;
	}
	for (int i = optind; r == 0 && i < argc; i++)
		r = add_chunk(&bytes, argv[i]);
	if (optind == argc)
		r = read_lines(&bytes);
	return r < 0 ? 2 : decode_stream(codec, &bytes, json);
}
