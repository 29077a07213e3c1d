/* SPDX-License-Identifier: MIT */
/*
 * Commands to JBD boards: requests and replies against tests/data/control/frames.json, the order
 * of what must come first, the two ways to a FET, refusals, and what a reading tells of the
 * switches.
 */
#include "allowed.h"
#include "frames.h"
#include "suite.h"

#include "packbridge/model/sample.h"

#include <errno.h>

enum { CHARGE = 1, DISCHARGE = 2, BOTH = CHARGE | DISCHARGE };

static const struct pb_codec *const jbd = &pb_codec_jbd;

/* @off: set of the FETs to be opened; @change: of those that differ. */
static struct pb_dialogue order(unsigned int off, unsigned int change)
{
	struct pb_dialogue d = {
		.kind = PB_DIALOGUE_COMMAND,
		.command = {.inhibit_charge = off & CHARGE,
			    .inhibit_discharge = off & DISCHARGE,
			    .change_charge = change & CHARGE,
			    .change_discharge = change & DISCHARGE},
	};

	memcpy(d.mac, allowed_mac, sizeof(d.mac));
	return d;
}

/* The next command over the same connection. */
static void again(struct pb_dialogue *d, enum pb_dialogue_kind kind)
{
	d->kind = kind;
	d->step = 0;
}

static void assert_sent(const struct pb_dialogue *d, const char *hex)
{
	uint8_t bytes[PB_REQUEST_MAX];
	int len = pb_hex_parse(hex, bytes, sizeof(bytes));

	ck_assert_int_gt(len, 0);
	ck_assert_uint_eq(d->request.len, (size_t)len);
	ck_assert_mem_eq(d->request.bytes, bytes, (size_t)len);
	ck_assert(allowed(jbd, 0, bytes, (size_t)len));
}

static enum pb_dialogue_result take(struct pb_dialogue *d, const char *hex)
{
	uint8_t bytes[PB_STREAM_MAX];
	int len = pb_hex_parse(hex, bytes, sizeof(bytes));
	struct pb_frame frame;

	ck_assert_int_eq(jbd->frame(bytes, (size_t)len, &d->request, &frame), len);
	return jbd->dialogue(d, &frame);
}

static enum pb_dialogue_result start(struct pb_dialogue *d)
{
	return jbd->dialogue(d, NULL);
}

static struct pb_sample sample_of(const char *hex)
{
	struct pb_sample sample = {0};
	uint8_t bytes[PB_STREAM_MAX];
	int len = pb_hex_parse(hex, bytes, sizeof(bytes));
	struct pb_frame frame;

	ck_assert_int_eq(jbd->frame(bytes, (size_t)len, NULL, &frame), len);
	ck_assert_int_eq(jbd->decode(&frame, &sample), 0);
	return sample;
}

/* ---- captured and documented ---- */

static const char *text(const json_t *entry, const char *key)
{
	return json_string_value(json_object_get(entry, key));
}

/* After the write, the board's next reading shows what it was told. */
static void assert_read_back(const json_t *entry, unsigned int off)
{
	struct pb_sample sample;

	if (!text(entry, "readback_hex"))
		return;
	sample = sample_of(text(entry, "readback_hex"));
	ck_assert(sample.has & PB_HAS(PB_HAS_CHARGE_SWITCH));
	ck_assert(sample.has & PB_HAS(PB_HAS_DISCHARGE_SWITCH));
	ck_assert_int_eq(sample.charge_switch, !(off & CHARGE));
	ck_assert_int_eq(sample.discharge_switch, !(off & DISCHARGE));
	ck_assert_int_eq(sample.charge_fet, !(off & CHARGE));
	ck_assert_int_eq(sample.discharge_fet, !(off & DISCHARGE));
}

static void assert_mask_entry(const json_t *entry)
{
	unsigned int off = (unsigned int)(text(entry, "request_hex")[11] - '0');
	struct pb_dialogue d = order(off, BOTH);

	ck_assert_int_eq(start(&d), PB_DIALOGUE_SEND);
	assert_sent(&d, text(entry, "request_hex"));
	ck_assert_int_eq(take(&d, text(entry, "reply_hex")), PB_DIALOGUE_DONE);
	assert_read_back(entry, off);
}

/* dd5afb02 FET STATE */
static void assert_fet_entry(const json_t *entry)
{
	unsigned int fet = text(entry, "request_hex")[9] == '1' ? CHARGE : DISCHARGE;
	unsigned int off = text(entry, "request_hex")[11] == '1' ? fet : 0;
	struct pb_dialogue d = order(off, fet);

	d.kind = PB_DIALOGUE_COMMAND_AGAIN;
	ck_assert_int_eq(start(&d), PB_DIALOGUE_SEND);
	assert_sent(&d, text(entry, "request_hex"));
	ck_assert_int_eq(take(&d, text(entry, "reply_hex")), PB_DIALOGUE_DONE);
}

static bool is_fet_entry(const char *request)
{
	return strncmp(request, "dd5afb0200", 10) == 0 || strncmp(request, "dd5afb0201", 10) == 0;
}

START_TEST(each_recorded_command)
{
	json_t *root = captured_load("control/frames.json");
	size_t masks = 0, fets = 0, i;
	const json_t *entry;

	json_array_foreach(json_object_get(root, "entries"), i, entry)
	{
		const char *request = text(entry, "request_hex");

		if (strncmp(request, "dd5ae102", 8) == 0) {
			assert_mask_entry(entry);
			masks++;
		} else if (is_fet_entry(request)) {
			assert_fet_entry(entry);
			fets++;
		}
	}
	ck_assert_uint_eq(masks, 13);
	ck_assert_uint_eq(fets, 4);
	json_decref(root);
}
END_TEST

START_TEST(each_recorded_refusal)
{
	json_t *root = captured_load("control/frames.json");
	size_t refusals = 0, i;
	const json_t *entry;

	json_array_foreach(json_object_get(root, "entries"), i, entry)
	{
		const char *reply = text(entry, "reply_hex");
		struct pb_sample sample = {0}, nothing = {0};
		struct pb_frame frame;
		uint8_t bytes[16];
		int len;

		if (strcmp(text(entry, "protocol"), "jbd") != 0 || !reply || reply[4] != '8')
			continue;
		len = pb_hex_parse(reply, bytes, sizeof(bytes));
		ck_assert_int_eq(jbd->frame(bytes, (size_t)len, NULL, &frame), len);
		ck_assert_uint_eq(frame.status, bytes[2]);
		ck_assert_int_eq(jbd->decode(&frame, &sample), 0);
		ck_assert_mem_eq(&sample, &nothing, sizeof(sample));
		refusals++;
	}
	ck_assert_uint_ge(refusals, 3);
	json_decref(root);
}
END_TEST

/* ---- the two ways ---- */

/* As typed in a report: without a checksum. */
static const char *const refusals[] = {"DDE18000FF8077", "DDE18000000077"};

START_TEST(a_board_that_refuses_the_mask)
{
	struct pb_dialogue d = order(BOTH, BOTH);

	start(&d);
	assert_sent(&d, "DD5AE1020003FF1A77");
	ck_assert_int_eq(take(&d, refusals[_i]), PB_DIALOGUE_SEND);
	assert_sent(&d, "DD5AFB020101FF0177");
	ck_assert_int_eq(take(&d, "DDFB0000000077"), PB_DIALOGUE_SEND);
	assert_sent(&d, "DD5AFB020001FF0277");
	ck_assert_int_eq(take(&d, "DDFB0000000077"), PB_DIALOGUE_DONE);
	/* it is remembered; and only what differs is sent */
	again(&d, PB_DIALOGUE_COMMAND);
	d.command = order(DISCHARGE, CHARGE).command;
	ck_assert_int_eq(start(&d), PB_DIALOGUE_SEND);
	assert_sent(&d, "DD5AFB020100FF0277");
	ck_assert_int_eq(take(&d, "DDFB0000000077"), PB_DIALOGUE_DONE);
}
END_TEST

START_TEST(a_board_that_refuses_both_ways)
{
	struct pb_dialogue d = order(CHARGE, CHARGE);

	start(&d);
	ck_assert_int_eq(take(&d, "DDE18000FF8077"), PB_DIALOGUE_SEND);
	ck_assert_int_eq(take(&d, "DDFB8000FF8077"), PB_DIALOGUE_REFUSED);
	/* the next command begins as the first did */
	again(&d, PB_DIALOGUE_COMMAND);
	start(&d);
	assert_sent(&d, "DD5AE1020001FF1C77");
	/* or it knows the refused register, but not FB */
	ck_assert_int_eq(take(&d, "DDE18000FF8077"), PB_DIALOGUE_SEND);
	ck_assert_int_eq(jbd->dialogue(&d, NULL), PB_DIALOGUE_NONE);
	again(&d, PB_DIALOGUE_COMMAND);
	start(&d);
	assert_sent(&d, "DD5AE1020001FF1C77");
}
END_TEST

/* Statuses 81 to 83 are not about FB. */
START_TEST(other_refusals)
{
	static const char *const replies[] = {"DDE18100FF7F77", "DDE18200FF7E77", "DDE18300000077"};
	struct pb_dialogue d = order(CHARGE, CHARGE);

	start(&d);
	ck_assert_int_eq(take(&d, replies[_i]), PB_DIALOGUE_REFUSED);
}
END_TEST

/* Boards acknowledge what they do not have: whatever way shows no effect, the other is next. */
START_TEST(a_way_without_effect)
{
	struct pb_dialogue d = order(CHARGE, CHARGE);

	start(&d);
	ck_assert_int_eq(take(&d, "DDE10000000077"), PB_DIALOGUE_DONE);
	again(&d, PB_DIALOGUE_COMMAND_AGAIN);
	ck_assert_int_eq(start(&d), PB_DIALOGUE_SEND);
	assert_sent(&d, "DD5AFB020101FF0177");
	ck_assert_int_eq(take(&d, "DDFB0000000077"), PB_DIALOGUE_DONE);
	again(&d, PB_DIALOGUE_COMMAND);
	start(&d);
	assert_sent(&d, "DD5AFB020101FF0177");
	ck_assert_int_eq(take(&d, "DDFB0000000077"), PB_DIALOGUE_DONE);
	again(&d, PB_DIALOGUE_COMMAND_AGAIN);
	ck_assert_int_eq(start(&d), PB_DIALOGUE_SEND);
	assert_sent(&d, "DD5AE1020001FF1C77");
	/* refused this time: it is not sent a third time by itself */
	ck_assert_int_eq(take(&d, "DDE18000FF8077"), PB_DIALOGUE_REFUSED);
}
END_TEST

START_TEST(silence)
{
	struct pb_dialogue d = order(CHARGE, CHARGE);

	start(&d);
	ck_assert_int_eq(jbd->dialogue(&d, NULL), PB_DIALOGUE_NONE);
}
END_TEST

START_TEST(nothing_changes)
{
	struct pb_dialogue d = order(CHARGE, 0);

	ck_assert_int_eq(start(&d), PB_DIALOGUE_NONE);
	again(&d, PB_DIALOGUE_COMMAND_AGAIN);
	ck_assert_int_eq(start(&d), PB_DIALOGUE_NONE);
	again(&d, PB_DIALOGUE_READ);
	ck_assert_int_eq(start(&d), PB_DIALOGUE_NONE);
}
END_TEST

/* ---- what must come first ---- */

static struct pb_dialogue with_pin(const char *pin)
{
	struct pb_dialogue d = order(CHARGE, CHARGE);

	memcpy(d.pin, pin, strlen(pin));
	return d;
}

START_TEST(a_pin_goes_first_once_a_connection)
{
	struct pb_dialogue d = with_pin("123456");

	ck_assert_int_eq(start(&d), PB_DIALOGUE_SEND);
	assert_sent(&d, "DD5A060706010203040506FFD877");
	ck_assert(d.request.secret);
	ck_assert_int_eq(take(&d, "DD060000000077"), PB_DIALOGUE_SEND);
	assert_sent(&d, "DD5AE1020001FF1C77");
	ck_assert(!d.request.secret);
	ck_assert_int_eq(take(&d, "DDE10000000077"), PB_DIALOGUE_DONE);
	again(&d, PB_DIALOGUE_COMMAND);
	start(&d);
	assert_sent(&d, "DD5AE1020001FF1C77");
	/* another connection */
	again(&d, PB_DIALOGUE_COMMAND);
	d.unlocked = 0;
	start(&d);
	assert_sent(&d, "DD5A060706010203040506FFD877");
}
END_TEST

/* As captured, and as a report has it. */
START_TEST(recorded_pins)
{
	struct pb_dialogue d = with_pin("000000"), e = with_pin("333333");
	static const uint8_t zeros[] = {0xDD, 0x5A, 0x06, 0x07, 0x06, 0,    0,
					0,    0,    0,	  0,	0xFF, 0xED, 0x77};
	static const uint8_t threes[] = {0xDD, 0x5A, 0x06, 0x07, 0x06, 3,    3,
					 3,    3,    3,	   3,	 0xFF, 0xDB, 0x77};

	start(&d);
	ck_assert_mem_eq(d.request.bytes, zeros, sizeof(zeros));
	start(&e);
	ck_assert_mem_eq(e.request.bytes, threes, sizeof(threes));
}
END_TEST

START_TEST(pins_that_are_refused)
{
	struct pb_dialogue d = with_pin("123456");

	start(&d);
	ck_assert_int_eq(take(&d, "DD068300FF7D77"), PB_DIALOGUE_REFUSED);
	/* firmware without a PIN refuses any, which means nothing; the next command tries again */
	again(&d, PB_DIALOGUE_COMMAND);
	start(&d);
	ck_assert_int_eq(take(&d, "DD068000FF8077"), PB_DIALOGUE_SEND);
	assert_sent(&d, "DD5AE1020001FF1C77");
	again(&d, PB_DIALOGUE_COMMAND);
	start(&d);
	assert_sent(&d, "DD5A060706010203040506FFD877");
	ck_assert_int_eq(jbd->dialogue(&d, NULL), PB_DIALOGUE_NONE);
}
END_TEST

START_TEST(what_is_no_pin)
{
	static const char *const pins[] = {"", "12345", "12345x", "-12345"};
	struct pb_dialogue d = with_pin(pins[_i]);

	start(&d);
	assert_sent(&d, "DD5AE1020001FF1C77");
}
END_TEST

/* The module took the user's password, and its root password got lost: it lets no write pass. */
START_TEST(the_module_is_unlocked_first)
{
	struct pb_dialogue d = {.kind = PB_DIALOGUE_LOGIN, .password = "123456"};

	memcpy(d.mac, allowed_mac, sizeof(d.mac));
	start(&d);
	take(&d, "FFAA15010016");
	take(&d, "FFAA17010921");
	ck_assert_int_eq(take(&d, "FFAA18010019"), PB_DIALOGUE_SEND);
	assert_sent(&d, "FFAA170017");
	take(&d, "FFAA17010921");
	ck_assert_int_eq(jbd->dialogue(&d, NULL), PB_DIALOGUE_DONE);

	d.command = order(CHARGE, CHARGE).command;
	again(&d, PB_DIALOGUE_COMMAND);
	ck_assert_int_eq(start(&d), PB_DIALOGUE_SEND);
	assert_sent(&d, "FFAA170017");
	ck_assert(d.request.module && d.request.secret);
	ck_assert_int_eq(take(&d, "FFAA17010921"), PB_DIALOGUE_SEND);
	ck_assert_uint_eq(d.request.bytes[2], 0x1D);
	ck_assert(allowed(jbd, 0, d.request.bytes, d.request.len));
	ck_assert_int_eq(take(&d, "FFAA1D01001E"), PB_DIALOGUE_SEND);
	assert_sent(&d, "DD5AE1020001FF1C77");
	ck_assert_int_eq(take(&d, "DDE10000000077"), PB_DIALOGUE_DONE);
	/* it is done for this connection */
	again(&d, PB_DIALOGUE_COMMAND);
	start(&d);
	assert_sent(&d, "DD5AE1020001FF1C77");
}
END_TEST

/* The board decides then. */
START_TEST(the_module_stays_locked)
{
	struct pb_dialogue d = order(CHARGE, CHARGE);

	d.unlocked = 1; /* no root password yet */
	start(&d);
	assert_sent(&d, "FFAA170017");
	ck_assert_int_eq(jbd->dialogue(&d, NULL), PB_DIALOGUE_SEND);
	assert_sent(&d, "DD5AE1020001FF1C77");
	again(&d, PB_DIALOGUE_COMMAND);
	start(&d);
	assert_sent(&d, "FFAA170017");
	take(&d, "FFAA17010921");
	ck_assert_int_eq(take(&d, "FFAA1D01011F"), PB_DIALOGUE_SEND);
	assert_sent(&d, "DD5AE1020001FF1C77");
}
END_TEST

/* ---- refusals are never data ---- */

START_TEST(a_refusal_needs_no_checksum)
{
	static const struct {
		const char *hex;
		int r;
	} rows[] = {
		{"DD038000000077", 7},		{"DD038100123477", 7},
		{"DD038000000078", -EILSEQ},	{"DD030000123477", -EBADMSG},
		{"DD03800101123477", -EBADMSG}, {"DD038400000077", -EPROTO},
	};
	struct pb_frame frame;
	uint8_t bytes[16];
	int len = pb_hex_parse(rows[_i].hex, bytes, sizeof(bytes));

	ck_assert_int_eq(jbd->frame(bytes, (size_t)len, &jbd->queries[0], &frame), rows[_i].r);
}
END_TEST

/* ---- what a reading tells ---- */

/* The captured reading, with another protection word and other FETs. */
static struct pb_sample reading(unsigned int protection, unsigned int fets)
{
	uint8_t bytes[] = {0xDD, 0x03, 0x00, 0x1D, 0x05, 0x33, 0x00, 0x00, 0x68, 0xC9, 0x6D, 0x60,
			   0x00, 0x00, 0x2C, 0x7C, 0x00, 0x00, 0x00, 0x00, 0x10, 0x00, 0x80, 0x60,
			   0x02, 0x04, 0x03, 0x0B, 0x6D, 0x0B, 0x6D, 0x0B, 0x69, 0xFA, 0xA8, 0x77};
	struct pb_sample sample = {0};
	struct pb_frame frame;
	unsigned int sum = 0;

	bytes[20] = (uint8_t)(protection >> 8);
	bytes[21] = (uint8_t)protection;
	bytes[24] = (uint8_t)fets;
	for (size_t i = 2; i < sizeof(bytes) - 3; i++)
		sum += bytes[i];
	bytes[33] = (uint8_t)(-sum >> 8);
	bytes[34] = (uint8_t)-sum;
	ck_assert_int_gt(jbd->frame(bytes, sizeof(bytes), NULL, &frame), 0);
	ck_assert_int_eq(jbd->decode(&frame, &sample), 0);
	return sample;
}

START_TEST(what_is_commanded)
{
	static const struct {
		unsigned int protection, fets;
		bool known, charge, discharge;
	} rows[] = {
		{0x0000, 3, true, true, true},	  {0x1000, 2, true, false, true},
		{0x1000, 1, true, true, false},	  {0x1000, 0, true, false, false},
		{0x1000, 3, false, false, false}, /* closed again by an opposite current */
		{0x1001, 2, false, false, false}, /* a protection may have opened it */
		{0x0001, 2, true, true, true},	  /* and nothing else has */
		{0xFFFF, 3, false, false, false},
	};
	uint64_t both = PB_HAS(PB_HAS_CHARGE_SWITCH) | PB_HAS(PB_HAS_DISCHARGE_SWITCH);
	struct pb_sample sample = reading(rows[_i].protection, rows[_i].fets);

	ck_assert_uint_eq(sample.has & both, rows[_i].known ? both : 0);
	if (!rows[_i].known)
		return;
	ck_assert_int_eq(sample.charge_switch, rows[_i].charge);
	ck_assert_int_eq(sample.discharge_switch, rows[_i].discharge);
}
END_TEST

int main(void)
{
	TCase *tcase = tcase_create("control");

	tcase_add_test(tcase, each_recorded_command);
	tcase_add_test(tcase, each_recorded_refusal);
	tcase_add_loop_test(tcase, a_board_that_refuses_the_mask, 0, PB_ARRAY_SIZE(refusals));
	tcase_add_test(tcase, a_board_that_refuses_both_ways);
	tcase_add_loop_test(tcase, other_refusals, 0, 3);
	tcase_add_test(tcase, a_way_without_effect);
	tcase_add_test(tcase, silence);
	tcase_add_test(tcase, nothing_changes);
	tcase_add_test(tcase, a_pin_goes_first_once_a_connection);
	tcase_add_test(tcase, recorded_pins);
	tcase_add_test(tcase, pins_that_are_refused);
	tcase_add_loop_test(tcase, what_is_no_pin, 0, 4);
	tcase_add_test(tcase, the_module_is_unlocked_first);
	tcase_add_test(tcase, the_module_stays_locked);
	tcase_add_loop_test(tcase, a_refusal_needs_no_checksum, 0, 6);
	tcase_add_loop_test(tcase, what_is_commanded, 0, 8);
	return pb_run_suite("bms/control_jbd", tcase);
}
