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
	"  -p, --protocol NAME  what the battery speaks: jbd, daly, jk (default auto: any of "
	"them)\n"
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

/* What cannot be is no field: why not is told, and whether the whole reading would be refused. */
static void add_refusals(const struct pb_refusals *refusals, json_t *object)
{
	char text[64 + PB_REFUSAL_TEXT_MAX];

	json_object_set_new(object, "impossible", pb_json_refusals(refusals));
	if (refusals->readings == 0)
		return;
	pb_refusals_error_text(refusals, PB_ERROR_IMPOSSIBLE, text, sizeof(text));
	json_object_set_new(object, "error", json_string(text));
}

static void decode_frame(const struct pb_codec *codec, const struct pb_frame *frame,
			 struct pb_sample *sample, json_t *object)
{
	struct pb_refusals refusals = {0};
	char command[8];

	snprintf(command, sizeof(command), "%02X", frame->command);
	if (codec->decode(frame, sample) >= 0) {
		pb_sample_check(sample, codec->bounds, &refusals);
	} else {
		pb_refusals_add_reply(&refusals, command, sample, codec->bounds);
		*sample = (struct pb_sample){.carry = sample->carry};
	}
	pb_sample_derive(sample);
	json_object_set_new(object, "fields", pb_json_sample(sample));
	if (refusals.count > 0)
		add_refusals(&refusals, object);
}

/* @sample: what earlier frames left there for later ones; its fields become this frame's. */
static json_t *json_frame(const struct pb_codec *codec, const struct pb_frame *frame,
			  struct pb_sample *sample)
{
	bool known = frame->command != PB_COMMAND_UNKNOWN;
	json_t *object = json_pack("{s:s, s:o, s:i}", "protocol", codec->name, "command",
				   known ? json_integer(frame->command) : json_null(), "status",
				   frame->status);

	if (codec->dialect)
		json_object_set_new(object, "dialect", json_string(codec->dialect));
	if (frame->kind == PB_FRAME_MODULE)
		json_object_set_new(object, "module", json_true());
	if (frame->has_checksum)
		json_object_set_new(object, "checksum", json_checksum(frame));
	*sample = (struct pb_sample){.carry = sample->carry};
	decode_frame(codec, frame, sample, object);
	add_parameter(codec, frame, object);
	return object;
}

static const char *text_of(const json_t *object, const char *key)
{
	const char *text = json_string_value(json_object_get(object, key));

	return text ? text : "";
}

static void print_head(const json_t *object)
{
	const json_t *checksum = json_object_get(object, "checksum");
	const char *dialect = text_of(object, "dialect");
	const json_t *command = json_object_get(object, "command");
	char number[8] = "?";

	if (json_is_integer(command))
		snprintf(number, sizeof(number), "%02X", (unsigned int)json_integer_value(command));
	printf("%s%s%s: %s %s, status %02X", text_of(object, "protocol"), *dialect ? " " : "",
	       dialect, json_object_get(object, "module") ? "module frame" : "reply to", number,
	       (unsigned int)json_integer_value(json_object_get(object, "status")));
	if (checksum)
		printf(", checksum %s", text_of(checksum, "expected"));
	putchar('\n');
}

static void print_text(json_t *object)
{
	static const char *const head[] = {"protocol", "dialect",    "command", "status",
					   "module",   "impossible", NULL};
	const char *key;
	json_t *value;

	print_head(object);
	pb_json_print(json_object_get(object, "fields"));
	pb_json_print_refusals(json_object_get(object, "impossible"), "  impossible           ");
	json_object_foreach(object, key, value)
	{
		size_t i = 0;

		while (head[i] && strcmp(key, head[i]) != 0)
			i++;
		if (json_is_object(value) || head[i])
			continue;
		printf("  %-20s ", key);
		json_dumpf(value, stdout, JSON_COMPACT | JSON_ENCODE_ANY);
		putchar('\n');
	}
}

static void print_frame(const struct pb_codec *codec, const struct pb_frame *frame,
			struct pb_sample *sample, bool json)
{
	json_t *object = json_frame(codec, frame, sample);

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

static int rank_of(const struct pb_codec *codec, const uint8_t *start, int reason,
		   const struct pb_frame *frame)
{
	struct pb_frame first;

	if (reason == -EBADMSG || reason == -EILSEQ)
		return 4;
	if (reason == PB_FRAME_MORE)
		return frame->len ? 3 : 2;
	return codec->frame(start, 1, NULL, &first) == PB_FRAME_MORE;
}

static void note_failure(struct failure *failure, const struct pb_codec *codec,
			 const struct bytes *bytes, size_t offset, int reason,
			 const struct pb_frame *frame)
{
	int rank = rank_of(codec, bytes->buf + offset, reason, frame);

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

/* Codecs and their dialects, one behind the other; @only NULL: all there are. */
struct walk {
	const struct pb_codec *only, *codec;
	size_t index;
};

static const struct pb_codec *first_codec(struct walk *walk)
{
	walk->index = 0;
	walk->codec = walk->only ? walk->only : pb_codecs[0];
	return walk->codec;
}

static const struct pb_codec *next_codec(struct walk *walk)
{
	if (walk->codec->next)
		walk->codec = walk->codec->next;
	else
		walk->codec = walk->only ? NULL : pb_codecs[++walk->index];
	return walk->codec;
}

/* @return length of the frame at @at, with its @ret_codec; 0: there is none. */
static size_t find_frame(struct walk *walk, const struct bytes *bytes, size_t at,
			 struct failure *failure, const struct pb_codec **ret_codec,
			 struct pb_frame *ret)
{
	for (const struct pb_codec *codec = first_codec(walk); codec; codec = next_codec(walk)) {
		int r = codec->frame(bytes->buf + at, bytes->len - at, NULL, ret);

		*ret_codec = codec;
		if (r > 0)
			return (size_t)r;
		note_failure(failure, codec, bytes, at, r, ret);
	}
	return 0;
}

/* The same walk as pb_stream_next(), but with offsets and without an end. */
static int decode_stream(const struct pb_codec *only, const struct bytes *bytes, bool json)
{
	struct walk walk = {.only = only};
	struct failure failure = {0};
	struct pb_sample sample = {0};
	size_t at = 0, frames = 0, dropped = 0;

	while (at < bytes->len) {
		const struct pb_codec *codec;
		struct pb_frame frame;
		size_t len = find_frame(&walk, bytes, at, &failure, &codec, &frame);

		if (len > 0) {
			print_frame(codec, &frame, &sample, json);
			frames++;
			at += len;
			continue;
		}
		/* nothing will complete this one: what follows may hold whole frames */
		dropped++;
		at++;
	}
	if (failure.rank == 0 && !only)
		snprintf(failure.why, sizeof(failure.why), "no start of a frame");
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
	const char *protocol = PB_PROTOCOL_AUTO;
	bool json = false;
	const struct option_row rows[] = {
		{"json", 'j', OPTION_FLAG, &json, 0, 0},
		{"protocol", 'p', OPTION_TEXT, &protocol, 0, 0},
		{0},
	};
	struct bytes bytes = {0};
	char why[256];
	int status = pb_cli_options(argc, argv, rows, help, "..."), r = 0;

	if (status >= 0)
		return status;
	if (pb_protocol_check(protocol, why, sizeof(why)) < 0) {
		fprintf(stderr, "packbridge decode: %s\n", why);
		return 2;
	}
	for (int i = optind; r == 0 && i < argc; i++)
		r = add_chunk(&bytes, argv[i]);
	if (optind == argc)
		r = read_lines(&bytes);
	return r < 0 ? 2 : decode_stream(pb_codec_find(protocol), &bytes, json);
}
