/* SPDX-License-Identifier: MIT */
/*
 * Commands to packs of every codec and dialect, answered by whatever bytes: the first byte chooses
 * the codec and the size of the pieces, the second the command, the third what the codec knows of
 * the board; FF in place of a piece is silence. Nothing but what is in allowed.h is ever sent, and
 * a command comes to its end.
 */
#include "../allowed.h"

#include <assert.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { SENT_MAX = 8 /* requests of one command */ };

/* @return NULL: there is none with this number. */
static const struct pb_codec *codec_at(unsigned int index)
{
	static const struct pb_codec *const firsts[] = {&pb_codec_jbd, &pb_codec_daly,
							&pb_codec_jk};
	const struct pb_codec *codec;

	for (size_t i = 0; i < PB_ARRAY_SIZE(firsts); i++) {
		for (codec = firsts[i]; codec; codec = codec->next)
			if (index-- == 0)
				return codec;
		for (codec = firsts[i]->multidrop; codec; codec = codec->next)
			if (index-- == 0)
				return codec;
	}
	return NULL;
}

static enum pb_dialogue_result step(const struct pb_codec *codec, struct pb_dialogue *d,
				    const struct pb_frame *reply, size_t *sent)
{
	enum pb_dialogue_result result = codec->dialogue(d, reply);

	if (result == PB_DIALOGUE_SEND) {
		assert(++*sent <= SENT_MAX);
		assert(allowed(codec, d->address, d->request.bytes, d->request.len));
	}
	return result;
}

/* One command, answered by @data. @return how many bytes of it were taken. */
static size_t fuzz_one_command(const struct pb_codec *codec, struct pb_dialogue *d, size_t piece,
			       const uint8_t *data, size_t size)
{
	struct pb_stream stream = {0};
	struct pb_frame frame;
	enum pb_dialogue_result result;
	size_t sent = 0, at = 0;

	d->step = 0;
	result = step(codec, d, NULL, &sent);
	while (result == PB_DIALOGUE_SEND && at < size) {
		size_t len = size - at < piece ? size - at : piece;

		if (data[at] == 0xFF) {
			result = step(codec, d, NULL, &sent);
			at++;
			continue;
		}
		pb_stream_push(&stream, data + at, len);
		at += len;
		while (result == PB_DIALOGUE_SEND &&
		       pb_stream_next(&stream, codec, &d->request, &frame))
			if (frame.command == d->request.command)
				result = step(codec, d, &frame, &sent);
	}
	return at;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct pb_dialogue d = {.mac = {1, 2, 3, 4, 5, 6}};
	const struct pb_codec *codec;
	size_t at = 3;

	if (size < at)
		return 0;
	codec = codec_at(data[0] & 7);
	if (!codec)
		return 0;
	d.address = codec->request ? (uint8_t)(1 + (data[2] & 15)) : 0;
	d.way = data[2] >> 4 & 1;
	d.unlocked = data[2] >> 5 & 3;
	if (data[2] & 0x80)
		memcpy(d.pin, "123456", 7);
	d.command = (struct pb_command){
		.inhibit_charge = data[1] & 1,
		.inhibit_discharge = data[1] & 2,
		.change_charge = data[1] & 4,
		.change_discharge = data[1] & 8,
	};
	for (int i = 0; i < 4; i++) {
		bool again = data[1] >> (4 + i) & 1;

		d.kind = again ? PB_DIALOGUE_COMMAND_AGAIN : PB_DIALOGUE_COMMAND;
		at += fuzz_one_command(codec, &d, (size_t)(data[0] >> 3) + 1, data + at, size - at);
	}
	return 0;
}
