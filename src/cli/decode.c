/* SPDX-License-Identifier: MIT */
/*
 * Bytes of a battery protocol, given as hex, to fields. All chunks are one stream, as a session
 * would receive them.
 */
#include "cli.h"
#include "logline.h"
#include "options.h"
#include "packbridge/base.h"
#include "packbridge/bridge.h"
#include "packbridge/json.h"
#include "packbridge/model/plausible.h"

#include "packbridge/base.h"
#include "packbridge/bridge.h"

#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char help[] =
	"Usage: packbridge decode [--json] [--protocol NAME] [HEX...]\n"
	"Decodes reply frames of a battery. Each HEX is a piece of one byte stream; blanks and "
	"colons\n"
	"between bytes are allowed. Without arguments, reads any number of lines from standard\n"
	"input: plain hex, a file of `packbridge record`, or the log of another program with "
	"times\n"
	"and words beside the hex. Ignores lines that were sent (>, TX).\n"
	"Prints the content of each valid frame. If there is none, prints the reason and ends "
	"with\n"
	"status 1.\n"
	"\n"
	"  -j, --json           one JSON object per frame and line\n"
	"  -p, --protocol NAME  jbd, daly or jk (default auto: any of them)\n"
	"  -h, --help           this text\n";

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

/*
 * Impossible values are not printed as fields, but with the reason, and whether the whole reading
 * would be refused.
 */
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

/* On a line with several boards nothing is decoded: a frame does not name its board. */
static void add_address(int address, json_t *object)
{
	char text[128];

	snprintf(text, sizeof(text), "a line of parallel boards, address %d: %s", address,
		 pb_error_text(PB_ERROR_SHARED_LINE));
	json_object_set_new(object, "address", json_integer(address));
	json_object_set_new(object, "error", json_string(text));
}

/*
 * @address: of the board, on a line of several; -1: unknown.
 * @sample: what earlier frames left there for later ones; its fields become this frame's.
 */
static json_t *json_frame(const struct pb_codec *codec, const struct pb_frame *frame, int address,
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
	if (frame->kind == PB_FRAME_SHARED)
		json_object_set_new(object, "line", json_true());
	if (frame->has_checksum)
		json_object_set_new(object, "checksum", json_checksum(frame));
	*sample = (struct pb_sample){.carry = sample->carry};
	decode_frame(codec, frame, sample, object);
	add_parameter(codec, frame, object);
	if (frame->kind == PB_FRAME_SHARED)
		address = frame->address;
	if (address >= 0)
		add_address(address, object);
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
	       dialect,
	       json_object_get(object, "module") ? "module frame"
	       : json_object_get(object, "line") ? "frame between boards"
						 : "reply to",
	       number, (unsigned int)json_integer_value(json_object_get(object, "status")));
	if (checksum)
		printf(", checksum %s", text_of(checksum, "expected"));
	putchar('\n');
}

static void print_text(json_t *object)
{
	static const char *const head[] = {"protocol", "dialect", "command",	"status",
					   "module",   "line",	  "impossible", NULL};
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

static void print_frame(const struct pb_codec *codec, const struct pb_frame *frame, int address,
			struct pb_sample *sample, bool json)
{
	json_t *object = json_frame(codec, frame, address, sample);

	if (json) {
		json_dumpf(object, stdout, JSON_COMPACT);
		putchar('\n');
	} else {
		print_text(object);
	}
	json_decref(object);
}

/* ---- the stream ---- */

enum {
	WINDOW = 4096, /* of the stream, that is looked at */
	LOOK = 512,    /* longer than any frame */
	BEHIND = 12,   /* what tells whose frame it is on a shared line, and a byte 00 before it */
};

/* Where the stream fails, for a message: the place that came nearest to being a frame. */
struct failure {
	bool known;
	int rank;
	size_t offset;
	char why[128];
};

struct decoder {
	const struct pb_codec *only; /* NULL: all there are */
	bool json;
	struct pb_sample sample; /* what frames leave for later ones */
	struct failure failure;
	size_t begin; /* of the window, in the stream */
	size_t frames, dropped;
	size_t len;
	uint8_t buf[WINDOW];
};

/* Codecs and their dialects, one behind the other. */
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

static int decode_rank_of(const struct pb_codec *codec, const uint8_t *start, int reason,
			  const struct pb_frame *frame)
{
	struct pb_frame first;

	/* a byte 00 may begin one of these, so it proves nothing */
	if (frame->kind == PB_FRAME_SHARED)
		return 0;
	if (reason == -EBADMSG || reason == -EILSEQ)
		return 4;
	if (reason == PB_FRAME_MORE)
		return frame->len ? 3 : 2;
	return codec->frame(start, 1, NULL, &first) == PB_FRAME_MORE &&
	       first.kind != PB_FRAME_SHARED;
}

static void note_failure(struct decoder *d, const struct pb_codec *codec, size_t at, int reason,
			 const struct pb_frame *frame)
{
	struct failure *failure = &d->failure;
	int rank = decode_rank_of(codec, d->buf + at, reason, frame);

	if (failure->known && rank <= failure->rank)
		return;
	failure->known = true;
	failure->rank = rank;
	failure->offset = d->begin + at;
	if (codec->explain)
		codec->explain(d->buf + at, d->len - at, reason, frame, failure->why,
			       sizeof(failure->why));
	else
		snprintf(failure->why, sizeof(failure->why), "no frame");
}

/*
 * @return length of the frame at @at, with its @ret_codec; PB_FRAME_MORE: bytes may be missing; -1:
 * there is none.
 */
static int find_frame(const struct decoder *d, size_t at, const struct pb_codec **ret_codec,
		      struct pb_frame *ret)
{
	struct walk walk = {.only = d->only};
	int result = -1;

	for (const struct pb_codec *codec = first_codec(&walk); codec; codec = next_codec(&walk)) {
		int r = codec->frame(d->buf + at, d->len - at, NULL, ret);

		*ret_codec = codec;
		if (r > 0)
			return r;
		if (r == PB_FRAME_MORE)
			result = r;
	}
	return result;
}

static void decode_drop(struct decoder *d, size_t at)
{
	struct walk walk = {.only = d->only};
	struct pb_frame frame;

	for (const struct pb_codec *codec = first_codec(&walk); codec; codec = next_codec(&walk)) {
		int r = codec->frame(d->buf + at, d->len - at, NULL, &frame);

		note_failure(d, codec, at, r, &frame);
	}
	d->dropped++;
}

/* The address behind a frame on a line of several boards. @return -1: it is on none. */
static int address_behind(const struct decoder *d, const struct pb_codec *codec, size_t at)
{
	struct pb_frame frame;

	for (size_t gap = 0; gap < 2 && at + gap < d->len; gap++) {
		if (codec->frame(d->buf + at + gap, d->len - at - gap, NULL, &frame) > 0 &&
		    frame.kind == PB_FRAME_SHARED)
			return frame.address;
		if (d->buf[at] != 0)
			break;
	}
	return -1;
}

/* Decodes what is there. @end: nothing comes behind it, so what is missing stays missing. */
static void decode_window(struct decoder *d, bool end)
{
	size_t at = 0;

	while (at < d->len) {
		const struct pb_codec *codec;
		struct pb_frame frame;
		int len = find_frame(d, at, &codec, &frame);
		size_t left = d->len - at;

		if (!end && ((len == PB_FRAME_MORE && left < LOOK) ||
			     (len > 0 && codec->meters && left < (size_t)len + BEHIND)))
			break;
		if (len > 0) {
			print_frame(codec, &frame, address_behind(d, codec, at + (size_t)len),
				    &d->sample, d->json);
			d->frames++;
			at += (size_t)len;
			continue;
		}
		/* nothing will complete this one: what follows may hold whole frames */
		decode_drop(d, at);
		at++;
	}
	d->begin += at;
	d->len -= at;
	memmove(d->buf, d->buf + at, d->len);
}

static void feed(struct decoder *d, const uint8_t *bytes, size_t len)
{
	while (len > 0) {
		size_t room = sizeof(d->buf) - d->len, part = len < room ? len : room;

		memcpy(d->buf + d->len, bytes, part);
		d->len += part;
		bytes += part;
		len -= part;
		decode_window(d, false);
	}
}

static int decode_finish(struct decoder *d)
{
	struct failure *failure = &d->failure;

	decode_window(d, true);
	if (failure->rank == 0 && !d->only)
		snprintf(failure->why, sizeof(failure->why), "no start of a frame");
	if (d->frames > 0 && d->dropped > 0)
		fprintf(stderr,
			"packbridge decode: %zu bytes belong to no frame; at offset %zu: %s\n",
			d->dropped, failure->offset, failure->why);
	if (d->frames > 0)
		return 0;
	if (d->begin == 0)
		fputs("packbridge decode: no bytes\n", stderr);
	else
		fprintf(stderr,
			"packbridge decode: no valid frame in %zu bytes; at offset %zu: %s\n",
			d->begin, failure->offset, failure->why);
	return 1;
}

/* ---- input ---- */

/* @return negative errno, already reported. */
static int feed_hex(struct decoder *d, const char *hex)
{
	size_t cap = strlen(hex) / 2 + 1;
	uint8_t *bytes = malloc(cap);
	int r = bytes ? pb_hex_parse(hex, bytes, cap) : -ENOMEM;

	if (r == -ENOMEM)
		fputs("packbridge decode: out of memory\n", stderr);
	else if (r < 0)
		fprintf(stderr, "packbridge decode: '%s' is not hex, expected e.g. DD03001D\n",
			hex);
	else
		feed(d, bytes, (size_t)r);
	free(bytes);
	return r < 0 ? r : 0;
}

/* Lines of a log, as they come: what they hold is shown before the next is waited for. */
static int feed_lines(struct decoder *d)
{
	char *line = NULL;
	size_t room = 0;
	ssize_t len;
	int r = 0;

	while (r == 0 && (len = getline(&line, &room, stdin)) >= 0) {
		uint8_t *bytes = malloc((size_t)len / 2 + 1);

		line[strcspn(line, "\r\n")] = '\0';
		if (bytes)
			feed(d, bytes, logline_bytes(line, bytes));
		else
			r = -ENOMEM;
		free(bytes);
		fflush(stdout);
	}
	free(line);
	return r;
}

int pb_cli_decode(int argc, char **argv)
{
	const char *protocol = PB_PROTOCOL_AUTO;
	struct decoder decoder = {0};
	const struct option_row rows[] = {
		{"json", 'j', OPTION_FLAG, &decoder.json, 0, 0},
		{"protocol", 'p', OPTION_TEXT, &protocol, 0, 0},
		{0},
	};
	char why[256];
	int status = pb_cli_options(argc, argv, rows, help, "..."), r = 0;

	if (status >= 0)
		return status;
	if (pb_protocol_check(protocol, why, sizeof(why)) < 0) {
		fprintf(stderr, "packbridge decode: %s\n", why);
		return 2;
	}
	decoder.only = pb_codec_find(protocol);
	for (int i = optind; r == 0 && i < argc; i++)
		r = feed_hex(&decoder, argv[i]);
	if (optind == argc)
		r = feed_lines(&decoder);
	return r < 0 ? 2 : decode_finish(&decoder);
}
