/* SPDX-License-Identifier: MIT */
/*
 * Commands of Daly and JK boards against tests/data/control/frames.json; what each codec may send
 * at all; and what a reading tells of the switches. JBD has a file of its own.
 */
#include "../../src/bms/jk_cells.h"
#include "allowed.h"
#include "frames.h"
#include "suite.h"

#include "packbridge/model/sample.h"

#include <errno.h>

enum { CHARGE = 1, DISCHARGE = 2, BOTH = CHARGE | DISCHARGE };

static struct pb_dialogue order(unsigned int off, unsigned int change)
{
	return (struct pb_dialogue){
		.kind = PB_DIALOGUE_COMMAND,
		.mac = {1, 2, 3, 4, 5, 6},
		.command = {.inhibit_charge = off & CHARGE,
			    .inhibit_discharge = off & DISCHARGE,
			    .change_charge = change & CHARGE,
			    .change_discharge = change & DISCHARGE},
	};
}

static const struct pb_codec *d2(void)
{
	return &pb_codec_daly;
}

static const struct pb_codec *p81(void)
{
	return pb_codec_daly.next;
}

static const struct pb_codec *a5(void)
{
	return p81()->next;
}

static const struct pb_codec *a5_wire(void)
{
	return a5()->next;
}

/* A stream of pieces, as it comes over a link. @return whether a reply to the request is in it. */
static bool hear(const struct pb_codec *codec, const struct pb_dialogue *d,
		 struct pb_stream *stream, const char *hex, struct pb_frame *ret)
{
	uint8_t bytes[PB_STREAM_MAX];
	int len = pb_hex_parse(hex, bytes, sizeof(bytes));

	ck_assert_int_gt(len, 0);
	pb_stream_push(stream, bytes, (size_t)len);
	while (pb_stream_next(stream, codec, &d->request, ret))
		if (ret->command == d->request.command &&
		    ret->kind == (d->request.module ? PB_FRAME_MODULE : PB_FRAME_REPLY))
			return true;
	return false;
}

static enum pb_dialogue_result take(const struct pb_codec *codec, struct pb_dialogue *d,
				    const char *hex)
{
	struct pb_stream stream = {0};
	struct pb_frame frame;

	return codec->dialogue(d, hear(codec, d, &stream, hex, &frame) ? &frame : NULL);
}

static bool is_sent(const struct pb_dialogue *d, const char *hex)
{
	uint8_t bytes[PB_REQUEST_MAX];
	int len = pb_hex_parse(hex, bytes, sizeof(bytes));

	return len > 0 && d->request.len == (size_t)len &&
	       memcmp(d->request.bytes, bytes, (size_t)len) == 0;
}

/* ---- recorded and documented ---- */

static const struct recorded {
	const char *protocol, *request; /* its begin */
	const struct pb_codec *(*codec)(void);
	unsigned int change, value_at; /* of the digit that is 1 for on */
	size_t count;
} recorded[] = {
	{"daly-a5", "a540d90801", a5_wire, DISCHARGE, 9, 2},
	{"daly-a5", "a540d908000000", a5_wire, DISCHARGE, 9, 1},
	{"daly-a5", "a540da08", a5_wire, CHARGE, 9, 2},
	{"daly-a5", "a580d908", a5, DISCHARGE, 9, 2},
	{"daly-a5", "a580da08", a5, CHARGE, 9, 2},
	{"daly-d2", "d20600a5", d2, CHARGE, 11, 2},
	{"daly-d2", "d20600a6", d2, DISCHARGE, 11, 2},
	{"daly-p81", "81060121", p81, CHARGE, 11, 2},
	{"daly-p81", "81060122", p81, DISCHARGE, 11, 2},
	{"jk02", "aa5590eb1d", NULL, CHARGE, 13, 2},
	{"jk02", "aa5590eb1e", NULL, DISCHARGE, 13, 2},
};

static const char *text(const json_t *entry, const char *key)
{
	return json_string_value(json_object_get(entry, key));
}

START_TEST(each_recorded_command)
{
	const struct recorded *row = &recorded[_i];
	const struct pb_codec *codec = row->codec ? row->codec() : &pb_codec_jk;
	json_t *root = captured_load("control/frames.json");
	size_t count = 0, i;
	const json_t *entry;

	json_array_foreach(json_object_get(root, "entries"), i, entry)
	{
		const char *request = text(entry, "request_hex"), *reply;
		struct pb_dialogue d;

		if (strcmp(text(entry, "protocol"), row->protocol) != 0 ||
		    strncmp(request, row->request, strlen(row->request)) != 0)
			continue;
		d = order(request[row->value_at] == '1' ? 0 : row->change, row->change);
		ck_assert_int_eq(codec->dialogue(&d, NULL), PB_DIALOGUE_SEND);
		ck_assert_msg(is_sent(&d, request), "%s", text(entry, "id"));
		reply = text(entry, "reply_hex");
		ck_assert_int_eq(take(codec, &d, reply), PB_DIALOGUE_DONE);
		count++;
	}
	ck_assert_uint_eq(count, row->count);
	json_decref(root);
}
END_TEST

/* ---- what is sent, and what must not be ---- */

static const struct pb_codec *const all[] = {&pb_codec_jbd, &pb_codec_daly, &pb_codec_jk};

enum { REPLIES = 6 };

/* Replies to whatever was asked: good, refused, of another kind, or none. */
static const struct pb_frame *reply_to(const struct pb_dialogue *d, int which, struct pb_frame *ret)
{
	static const uint8_t random[] = {9}, done[16] = {0xC8, 1, 1};
	const struct pb_query *request = &d->request;

	*ret = (struct pb_frame){.kind = request->module ? PB_FRAME_MODULE : PB_FRAME_REPLY,
				 .command = request->command,
				 .payload = request->bytes + 2,
				 .payload_len = request->len - 4u};
	if (which == 1)
		ret->status = 0x80;
	if (which == 2)
		ret->payload = done;
	if (which == 3)
		ret->payload = random;
	if (which == 2 || which == 3)
		ret->payload_len = which == 2 ? sizeof(done) : sizeof(random);
	if (which == 4) {
		ret->payload = request->bytes + 4;
		ret->payload_len = 8;
	}
	return which == REPLIES - 1 ? NULL : ret;
}

/* All that follows from here, for every sequence of replies. */
static void drive(const struct pb_codec *codec, struct pb_dialogue d, const struct pb_frame *reply,
		  int depth)
{
	struct pb_frame frame;

	ck_assert_int_lt(depth, 8);
	if (codec->dialogue(&d, reply) != PB_DIALOGUE_SEND)
		return;
	ck_assert(allowed(codec, d.address, d.request.bytes, d.request.len));
	for (int which = 0; which < REPLIES; which++)
		drive(codec, d, reply_to(&d, which, &frame), depth + 1);
}

static void drive_all(const struct pb_codec *codec, uint8_t address)
{
	for (unsigned int bits = 0; bits < 256; bits++) {
		struct pb_dialogue d = order(bits & BOTH, bits >> 2 & BOTH);

		if (!codec->dialogue)
			continue;
		d.kind = bits & 16 ? PB_DIALOGUE_COMMAND_AGAIN : PB_DIALOGUE_COMMAND;
		d.way = bits >> 5 & 1;
		d.unlocked = bits >> 6 & 1;
		d.address = address;
		if (bits & 128)
			memcpy(d.pin, "123456", 7);
		drive(codec, d, NULL, 0);
	}
}

START_TEST(nothing_else_is_ever_sent)
{
	for (const struct pb_codec *codec = all[_i]; codec; codec = codec->next)
		drive_all(codec, 0);
	for (const struct pb_codec *codec = all[_i]->multidrop; codec; codec = codec->next)
		for (uint8_t address = 1; address <= 16; address++)
			drive_all(codec, address);
}
END_TEST

/* Every other write that was recorded: restarts, resets, passwords, calibration and settings. */
START_TEST(other_recorded_writes_are_not_allowed)
{
	json_t *root = captured_load("control/frames.json");
	size_t allowed_ones = 0, i;
	const json_t *entry;

	json_array_foreach(json_object_get(root, "entries"), i, entry)
	{
		uint8_t bytes[PB_REQUEST_MAX];
		int len = pb_hex_parse(text(entry, "request_hex"), bytes, sizeof(bytes));

		for (size_t n = 0; n < PB_ARRAY_SIZE(all); n++)
			allowed_ones += allowed(all[n], 0, bytes, (size_t)len);
	}
	/* those of each_recorded_command, here and for JBD */
	ck_assert_uint_eq(allowed_ones, 21 + 17);
	json_decref(root);
}
END_TEST

/* ---- replies ---- */

START_TEST(both_switches)
{
	struct pb_dialogue d = order(BOTH, BOTH);

	ck_assert_int_eq(d2()->dialogue(&d, NULL), PB_DIALOGUE_SEND);
	ck_assert(is_sent(&d, "D20600A500008A4A"));
	ck_assert_int_eq(take(d2(), &d, "D20600A500008A4A"), PB_DIALOGUE_SEND);
	ck_assert(is_sent(&d, "D20600A600007A4A"));
	/* an echo of the one before is not the reply */
	ck_assert_int_eq(take(d2(), &d, "D20600A500008A4A"), PB_DIALOGUE_NONE);
}
END_TEST

START_TEST(echoes_of_d2)
{
	static const struct {
		const char *hex;
		enum pb_dialogue_result result;
	} rows[] = {
		{"D20600A500008A4A", PB_DIALOGUE_DONE},
		{"D20600A500008A4B", PB_DIALOGUE_NONE},	   /* damaged, as captured for CF */
		{"D20600A500014B8A", PB_DIALOGUE_REFUSED}, /* another value */
		{"D28603F398", PB_DIALOGUE_REFUSED},
		{"D20600CF0000AA56", PB_DIALOGUE_NONE},	  /* of another write */
		{"D203040001000188FE", PB_DIALOGUE_NONE}, /* of a read */
		{"D20600CF0000AA56D20600A500008A4A", PB_DIALOGUE_DONE},
	};
	struct pb_dialogue d = order(CHARGE, CHARGE);

	d2()->dialogue(&d, NULL);
	ck_assert_int_eq(take(d2(), &d, rows[_i].hex), rows[_i].result);
}
END_TEST

START_TEST(replies_of_a5)
{
	struct pb_dialogue d = order(DISCHARGE, DISCHARGE);

	a5_wire()->dialogue(&d, NULL);
	/* captured, with leftovers of an earlier reply */
	ck_assert_int_eq(take(a5_wire(), &d, "A501D908000D130D210D17C0B9"), PB_DIALOGUE_DONE);
	d.step = 0;
	a5_wire()->dialogue(&d, NULL);
	ck_assert_int_eq(take(a5_wire(), &d, "A501D908010D130D210D17C0BA"), PB_DIALOGUE_REFUSED);
	d.step = 0;
	a5_wire()->dialogue(&d, NULL);
	ck_assert_int_eq(take(a5_wire(), &d, "A501DA08000000000000000088"), PB_DIALOGUE_NONE);
}
END_TEST

START_TEST(boards_of_a_line)
{
	const struct pb_codec *line = pb_codec_daly.multidrop;
	struct pb_dialogue d = order(CHARGE, CHARGE);

	d.address = 2;
	ck_assert_int_eq(line->dialogue(&d, NULL), PB_DIALOGUE_SEND);
	ck_assert(is_sent(&d, "820601210000C7CF"));
	/* of board 1, then of board 2 */
	ck_assert_int_eq(take(line, &d, "510601210000D46C"), PB_DIALOGUE_NONE);
	d.step = 0;
	line->dialogue(&d, NULL);
	ck_assert_int_eq(take(line, &d, "510601210000D46C520601210000D45F"), PB_DIALOGUE_DONE);
	d.step = 0;
	ck_assert_int_eq(line->next->dialogue(&d, NULL), PB_DIALOGUE_SEND);
	ck_assert(is_sent(&d, "A541DA080000000000000000C8"));
	ck_assert_int_eq(take(line->next, &d, "A502DA08000000000000000089"), PB_DIALOGUE_DONE);
}
END_TEST

#define JK_DONE "AA5590EBC8010100000000000000000000000044"

/* Alone, split, wrapped; and with other frames in between. */
START_TEST(acknowledgements_of_jk)
{
	static const char *const pieces[][3] = {
		{JK_DONE},
		{"AA5590EBC80101000000", "00000000000000000044"},
		{"41540D0A" JK_DONE "41540D0A"},
		{"41540D0AAA5590EBC801", "0100000000000000000000", "00004441540D0A"},
	};
	struct pb_dialogue d = order(BOTH, BOTH);
	struct pb_stream stream = {0};
	struct pb_frame frame;
	bool heard = false;

	ck_assert_int_eq(pb_codec_jk.dialogue(&d, NULL), PB_DIALOGUE_SEND);
	for (size_t i = 0; i < 3 && pieces[_i][i]; i++) {
		ck_assert(!heard);
		heard = hear(&pb_codec_jk, &d, &stream, pieces[_i][i], &frame);
	}
	ck_assert(heard);
	ck_assert_int_eq(pb_codec_jk.dialogue(&d, &frame), PB_DIALOGUE_SEND);
	ck_assert(is_sent(&d, "AA5590EB1E04000000000000000000000000009C"));
	ck_assert_int_eq(take(&pb_codec_jk, &d, JK_DONE), PB_DIALOGUE_DONE);
}
END_TEST

START_TEST(what_is_no_acknowledgement_of_jk)
{
	struct pb_dialogue d = order(CHARGE, CHARGE);

	pb_codec_jk.dialogue(&d, NULL);
	ck_assert_int_eq(take(&pb_codec_jk, &d, "AA5590EBC8010000000000000000000000000043"),
			 PB_DIALOGUE_NONE);
	d.step = 0;
	pb_codec_jk.dialogue(&d, NULL);
	ck_assert_int_eq(take(&pb_codec_jk, &d, "41540D0A"), PB_DIALOGUE_NONE);
}
END_TEST

START_TEST(no_command_for_jk04)
{
	const struct pb_sample sample = {.carry.layout = JK_LAYOUT_JK04};
	struct pb_dialogue d = order(CHARGE, CHARGE);

	d.sample = &sample;
	ck_assert_int_eq(pb_codec_jk.dialogue(&d, NULL), PB_DIALOGUE_NONE);
}
END_TEST

/* ---- readings ---- */

static struct pb_sample sample_of(const struct pb_codec *codec, const uint8_t *bytes, size_t len)
{
	struct pb_sample sample = {0};
	struct pb_frame frame;

	ck_assert_int_eq(codec->frame(bytes, len, NULL, &frame), (int)len);
	ck_assert_int_eq(codec->decode(&frame, &sample), 0);
	return sample;
}

/* The registers of the switches, of D2 and P81; FFFF: the board does not have it. */
START_TEST(registers_of_daly)
{
	static const struct {
		uint16_t charge, discharge;
	} rows[] = {{0, 1}, {1, 0}, {0, 0}, {1, 1}, {0xFFFF, 1}, {1, 0xFFFF}};
	uint8_t frame[9] = {0, 0x03, 0x04};
	const struct pb_codec *codecs[] = {d2(), p81()};

	for (size_t i = 0; i < 2; i++) {
		struct pb_sample s;

		frame[0] = i == 0 ? 0xD2 : 0x51;
		pb_put_be16(frame + 3, rows[_i].charge);
		pb_put_be16(frame + 5, rows[_i].discharge);
		pb_put_le16(frame + 7, pb_crc16(frame, 7));
		s = sample_of(codecs[i], frame, sizeof(frame));
		ck_assert_int_eq((s.has & PB_HAS(PB_HAS_CHARGE_SWITCH)) != 0,
				 rows[_i].charge != 0xFFFF);
		ck_assert_int_eq((s.has & PB_HAS(PB_HAS_DISCHARGE_SWITCH)) != 0,
				 rows[_i].discharge != 0xFFFF);
		ck_assert(s.charge_switch == (rows[_i].charge == 1));
		ck_assert(s.discharge_switch == (rows[_i].discharge == 1));
	}
}
END_TEST

/* @return a status reply: 16 cells, FETs and the word of reasons. */
static struct pb_sample status_of_d2(uint16_t charge, uint16_t discharge, uint16_t reasons)
{
	uint8_t frame[129] = {0xD2, 0x03, 0x7C};

	pb_put_be16(frame + 3 + 2 * 0x31, 16);
	pb_put_be16(frame + 3 + 2 * 0x35, charge);
	pb_put_be16(frame + 3 + 2 * 0x36, discharge);
	pb_put_be16(frame + 3 + 2 * 0x3D, reasons);
	pb_put_le16(frame + 127, pb_crc16(frame, 127));
	return sample_of(d2(), frame, sizeof(frame));
}

static struct pb_sample status_of_p81(uint16_t charge, uint16_t discharge, uint16_t reasons)
{
	uint8_t frame[129] = {0x51, 0x03, 0x7C};

	pb_put_be16(frame + 3 + 2 * (0x52 - 0x41), charge);
	pb_put_be16(frame + 3 + 2 * (0x53 - 0x41), discharge);
	pb_put_be16(frame + 3 + 2 * (0x73 - 0x41), reasons);
	pb_put_le16(frame + 127, pb_crc16(frame, 127));
	return sample_of(p81(), frame, sizeof(frame));
}

/* Reasons name a switch only while it is open. */
START_TEST(reasons_of_daly)
{
	static const struct {
		struct pb_sample (*status)(uint16_t charge, uint16_t discharge, uint16_t reasons);
		uint16_t charge, discharge, reasons;
		bool charge_off, discharge_off;
	} rows[] = {
		{status_of_d2, 0, 1, 0x10, true, false},
		{status_of_d2, 1, 0, 0x10, false, true},
		{status_of_d2, 1, 1, 0x10, false, false},
		{status_of_d2, 0, 0, 0x0F, false, false},
		{status_of_d2, 0, 0, 0xFFFF, false, false},
		{status_of_p81, 0, 0, 0x100, true, false},
		{status_of_p81, 0, 0, 0x200, false, true},
		{status_of_p81, 1, 1, 0x300, false, false},
		{status_of_p81, 0, 0, 0xFFFF, false, false},
	};
	struct pb_sample s = rows[_i].status(rows[_i].charge, rows[_i].discharge, rows[_i].reasons);

	ck_assert_int_eq((s.has & PB_HAS(PB_HAS_CHARGE_SWITCH)) != 0, rows[_i].charge_off);
	ck_assert_int_eq((s.has & PB_HAS(PB_HAS_DISCHARGE_SWITCH)) != 0, rows[_i].discharge_off);
	ck_assert(!s.charge_switch && !s.discharge_switch);
}
END_TEST

START_TEST(settings_of_jk)
{
	static const struct {
		uint8_t charge, discharge;
	} rows[] = {{0, 1}, {1, 0}, {2, 1}, {1, 2}};
	uint8_t frame[300] = {0x55, 0xAA, 0xEB, 0x90, 0x01};
	struct pb_sample s;

	frame[118] = rows[_i].charge;
	frame[122] = rows[_i].discharge;
	for (size_t i = 0; i < 299; i++)
		frame[299] = (uint8_t)(frame[299] + frame[i]);
	s = sample_of(&pb_codec_jk, frame, sizeof(frame));
	ck_assert_int_eq((s.has & PB_HAS(PB_HAS_CHARGE_SWITCH)) != 0, rows[_i].charge < 2);
	ck_assert_int_eq((s.has & PB_HAS(PB_HAS_DISCHARGE_SWITCH)) != 0, rows[_i].discharge < 2);
	ck_assert(s.charge_switch == (rows[_i].charge == 1));
	ck_assert(s.discharge_switch == (rows[_i].discharge == 1));
}
END_TEST

int main(void)
{
	TCase *tcase = tcase_create("control");

	tcase_add_loop_test(tcase, each_recorded_command, 0, PB_ARRAY_SIZE(recorded));
	tcase_add_loop_test(tcase, nothing_else_is_ever_sent, 0, PB_ARRAY_SIZE(all));
	tcase_add_test(tcase, other_recorded_writes_are_not_allowed);
	tcase_add_test(tcase, both_switches);
	tcase_add_loop_test(tcase, echoes_of_d2, 0, 7);
	tcase_add_test(tcase, replies_of_a5);
	tcase_add_test(tcase, boards_of_a_line);
	tcase_add_loop_test(tcase, acknowledgements_of_jk, 0, 4);
	tcase_add_test(tcase, what_is_no_acknowledgement_of_jk);
	tcase_add_test(tcase, no_command_for_jk04);
	tcase_add_loop_test(tcase, registers_of_daly, 0, 6);
	tcase_add_loop_test(tcase, reasons_of_daly, 0, 9);
	tcase_add_loop_test(tcase, settings_of_jk, 0, 4);
	return pb_run_suite("bms/control", tcase);
}
