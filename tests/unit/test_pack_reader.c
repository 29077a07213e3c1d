/* SPDX-License-Identifier: MIT */
/*
 * The reader over a link: what it hands up and when, what it does with the link, and what it shows
 * of the bytes. The link is a toy that does nothing by itself; the codec's frames are F0 COMMAND
 * VALUE, and 5E in received bytes is a secret.
 */
#include "packbridge/pack.h"
#include "suite.h"
#include "toy_frame.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <systemd/sd-event.h>

enum { VOLTS = 2, SWITCH = 3, LOGIN = 4, SECRET = 0x5E };

/* ---- the codec ---- */

static int toy_frame(const uint8_t *buf, size_t len, const struct pb_query *pending,
		     struct pb_frame *ret)
{
	int r = toy_frame_from(TOY_START, buf, len, ret);

	(void)pending;
	if (r > 0 && ret->command == LOGIN)
		ret->kind = PB_FRAME_MODULE;
	return r;
}

static int toy_decode(const struct pb_frame *frame, struct pb_sample *s)
{
	s->voltage_mv = frame->payload[0] * 1000;
	s->has |= PB_HAS(PB_HAS_VOLTAGE);
	return 0;
}

static enum pb_dialogue_result toy_dialogue(struct pb_dialogue *d, const struct pb_frame *reply)
{
	uint8_t code = d->kind == PB_DIALOGUE_LOGIN ? LOGIN : SWITCH;

	if (d->step++ > 0)
		return reply ? PB_DIALOGUE_DONE : PB_DIALOGUE_NONE;
	d->request = (struct pb_query){.name = "toy",
				       .command = code,
				       .module = code == LOGIN,
				       .secret = code == LOGIN,
				       .len = 1,
				       .bytes = {code}};
	return PB_DIALOGUE_SEND;
}

static void toy_conceal(struct pb_conceal *conceal, uint8_t *bytes, size_t len)
{
	(void)conceal;
	for (size_t i = 0; i < len; i++)
		if (bytes[i] == SECRET)
			bytes[i] = 0;
}

static const struct pb_query plan[] = {
	{"volts", VOLTS, .required = true, .len = 1, .bytes = {VOLTS}}};

static const struct pb_codec toy = {.name = "toy",
				    .dialect = "one",
				    .queries = plan,
				    .query_count = 1,
				    .frame = toy_frame,
				    .decode = toy_decode,
				    .dialogue = toy_dialogue,
				    .conceal = toy_conceal};
static const struct pb_codec *const codecs[] = {&toy, NULL};

/* ---- the link ---- */

static struct toy_link {
	struct pb_link link;
	int opens, closes, frees;
	int create_error, open_error;
	bool has_radio;
	uint8_t sent[8];
	size_t sends;
} far;

static int far_create(struct pb_link **ret, const struct pb_link_setup *setup, char *why,
		      size_t why_cap)
{
	snprintf(why, why_cap, "no");
	if (far.create_error)
		return far.create_error;
	far.link.handler = setup->handler;
	far.link.userdata = setup->userdata;
	*ret = &far.link;
	return 0;
}

static int far_open(struct pb_link *link)
{
	(void)link;
	far.opens++;
	return far.open_error;
}

static void far_close(struct pb_link *link)
{
	(void)link;
	far.closes++;
}

static int far_send(struct pb_link *link, const uint8_t *bytes, size_t len)
{
	(void)link;
	ck_assert_uint_eq(len, 1);
	far.sent[far.sends++ % sizeof(far.sent)] = bytes[0];
	return 0;
}

static bool far_advert(struct pb_link *link, struct pb_advert *ret)
{
	(void)link;
	*ret = (struct pb_advert){.mac = {1, 2, 3, 4, 5, 6}};
	return far.has_radio;
}

static void far_describe(struct pb_link *link, void (*line)(void *userdata, const char *text),
			 void *userdata)
{
	(void)link;
	line(userdata, "a toy");
}

static bool far_rssi(struct pb_link *link, int32_t *ret_dbm)
{
	(void)link;
	*ret_dbm = -71;
	return true;
}

static void far_free(struct pb_link *link)
{
	(void)link;
	far.frees++;
}

static const struct pb_link_type full_type = {
	.name = "toy",
	.create = far_create,
	.open = far_open,
	.close = far_close,
	.send = far_send,
	.advert = far_advert,
	.describe = far_describe,
	.rssi = far_rssi,
	.free = far_free,
};

static const struct pb_link_type bare_type = {
	.name = "bare",
	.self_timed = true,
	.create = far_create,
	.open = far_open,
	.close = far_close,
	.send = far_send,
	.free = far_free,
};

/* ---- what is handed up ---- */

static struct {
	int readings, statuses, changes, notes, received, sent, hidden;
	struct pb_reading last;
	struct pb_sample sample;
	struct pb_status status;
	struct pb_note note;
	struct pb_command_status command;
	uint8_t bytes[2000];
	size_t len;
	char line[32];
} up;

static void on_reading(void *userdata, const struct pb_reading *reading)
{
	ck_assert_ptr_eq(userdata, &up);
	up.changes++;
	up.readings += reading->new_reading;
	up.statuses += reading->new_status;
	up.last = *reading;
	up.sample = *reading->sample;
	up.status = *reading->status;
	up.command = *reading->command;
	ck_assert_str_eq(reading->note->text, up.note.text);
}

static void on_note(void *userdata, const struct pb_note *note)
{
	ck_assert_ptr_eq(userdata, &up);
	up.notes++;
	up.note = *note;
}

static void on_bytes(void *userdata, bool sent, const uint8_t *bytes, size_t len)
{
	ck_assert_ptr_eq(userdata, &up);
	*(sent ? &up.sent : &up.received) += 1;
	up.hidden += bytes == NULL;
	if (bytes && !sent && up.len + len <= sizeof(up.bytes)) {
		memcpy(up.bytes + up.len, bytes, len);
		up.len += len;
	}
}

static void on_line(void *userdata, const char *text)
{
	(void)userdata;
	snprintf(up.line, sizeof(up.line), "%s", text);
}

static const struct pb_reader_handler handler = {
	.reading = on_reading,
	.bytes = on_bytes,
	.note = on_note,
};
static const struct pb_reader_handler quiet_handler = {.reading = on_reading, .note = on_note};

/* ---- the bench ---- */

static sd_event *loop;
static struct pb_reader *reader;

static struct pb_session_config config(void)
{
	return (struct pb_session_config){
		.control = true,
		.codec = &toy,
		.poll_ms = 60000,
		.reply_timeout_ms = 60000,
		.tries = 1,
		.connect_timeout_ms = 60000,
		.stale_after_s = 180,
	};
}

static void make(const struct pb_session_config *session, const struct pb_link_type *type,
		 const struct pb_reader_handler *to)
{
	const struct pb_link_setup setup = {.address = "there", .event = loop};

	far.link.type = type;
	ck_assert_int_eq(pb_pack_new(&reader, session, type, &setup, to, NULL), 0);
	reader->userdata = &up;
}

static void setup(void)
{
	memset(&far, 0, sizeof(far));
	memset(&up, 0, sizeof(up));
	reader = NULL;
	ck_assert_int_ge(sd_event_new(&loop), 0);
}

static void teardown(void)
{
	reader = pb_reader_free(reader);
	loop = sd_event_unref(loop);
	pb_log_set_level(PB_LOG_INFO);
	pb_log_set_sink(NULL);
}

static void start(void)
{
	ck_assert_int_eq(reader->type->start(reader), 0);
}

static void link_up(void)
{
	far.link.handler->up(far.link.userdata);
}

/* The loop turns until @count requests have gone out. */
static void until_sent(size_t count)
{
	while (far.sends < count)
		ck_assert_int_gt(sd_event_run(loop, UINT64_MAX), 0);
}

static void give(const uint8_t *bytes, size_t len)
{
	far.link.handler->data(far.link.userdata, bytes, len);
}

/*
 * Answers from the request with that number on. What others may have asked for is cleared up by
 * the same request, before the poll.
 */
static void until_read(size_t number)
{
	for (; up.readings == 0; number++) {
		ck_assert_uint_lt(number, 10);
		until_sent(number);
		give((const uint8_t[]){TOY_START, VOLTS, 12}, 3);
	}
}

static void read_volts(void)
{
	start();
	link_up();
	until_read(1);
}

START_TEST(a_reading_has_all_there_is_to_know)
{
	struct pb_session_config session = config();

	make(&session, &full_type, &handler);
	start();
	ck_assert_int_eq(far.opens, 1);
	/* only the state has changed */
	ck_assert_int_eq(up.changes, 1);
	ck_assert_int_eq(up.statuses, 0);
	ck_assert_str_eq(up.last.state, "connecting");
	read_volts();
	ck_assert_int_eq(up.readings, 1);
	ck_assert_int_eq(up.sample.voltage_mv, 12000);
	ck_assert_uint_eq(up.status.sequence, 1);
	ck_assert(up.status.connected);
	ck_assert_str_eq(up.last.state, "connected");
	ck_assert_str_eq(up.last.protocol, "toy");
	ck_assert_str_eq(up.last.dialect, "one");
	ck_assert(!up.last.searching);
	ck_assert(!up.last.logged_in);
	ck_assert(up.last.has_rssi);
	ck_assert_int_eq(up.last.rssi_dbm, -71);
	ck_assert_int_eq(up.last.link_error, 0);
	ck_assert_int_eq(up.command.state, PB_COMMAND_NONE);
	ck_assert_ptr_nonnull(strstr(up.note.text, "first reading: 12.00 V"));
	reader->type->describe(reader, on_line, NULL);
	ck_assert_str_eq(up.line, "a toy");
}
END_TEST

START_TEST(a_link_that_knows_little)
{
	struct pb_session_config session = config();

	make(&session, &bare_type, &quiet_handler);
	read_volts();
	ck_assert(!up.last.has_rssi);
	reader->type->describe(reader, on_line, NULL);
	ck_assert_str_eq(up.line, "");
}
END_TEST

START_TEST(the_end_of_a_link)
{
	struct pb_session_config session = config();

	make(&session, &full_type, &handler);
	read_volts();
	far.link.handler->down(far.link.userdata, -ECONNRESET, "cut");
	ck_assert_int_eq(up.last.link_error, -ECONNRESET);
	ck_assert(!up.status.connected);
	ck_assert_int_eq(up.note.error, PB_ERROR_LINK_LOST);
	ck_assert_ptr_nonnull(strstr(up.note.text, "cut"));
	far.link.handler->retry(far.link.userdata);
	ck_assert_int_eq(far.opens, 2);
	ck_assert_str_eq(up.last.state, "connecting");
}
END_TEST

/* It is down then, whatever it believes itself. */
START_TEST(a_link_that_refuses_an_order)
{
	struct pb_session_config session = config();

	far.open_error = -ENETUNREACH;
	make(&session, &full_type, &handler);
	start();
	ck_assert_int_eq(far.opens, 1);
	ck_assert_int_eq(far.closes, 1);
	ck_assert_ptr_nonnull(strstr(up.note.text, "Network is unreachable"));
	ck_assert_str_eq(up.last.state, "waiting to connect again");
}
END_TEST

START_TEST(a_link_that_cannot_be_made)
{
	struct pb_session_config session = config();
	const struct pb_link_setup setup = {.address = "there", .event = loop, .name = "a"};

	far.create_error = -EINVAL;
	far.link.type = &full_type;
	ck_assert_int_eq(pb_pack_new(&reader, &session, &full_type, &setup, &handler, NULL),
			 -EINVAL);
	ck_assert_ptr_null(reader);
	ck_assert_ptr_null(pb_reader_free(NULL));
}
END_TEST

START_TEST(released_and_taken_back)
{
	struct pb_session_config session = config();

	make(&session, &full_type, &handler);
	read_volts();
	reader->type->release(reader, 60000);
	ck_assert_int_eq(far.closes, 1);
	ck_assert_str_eq(up.last.state, "released");
	ck_assert_int_eq(up.status.last_error, PB_ERROR_RELEASED);
	reader->type->release(reader, 0);
	ck_assert_int_eq(far.opens, 2);
	ck_assert_str_eq(up.note.text, "taking it back");
}
END_TEST

START_TEST(others_want_the_place)
{
	struct pb_session_config session = config();

	make(&session, &full_type, &handler);
	read_volts();
	far.link.handler->wanted(far.link.userdata, 30000);
	ck_assert_int_eq(far.closes, 1);
	ck_assert_str_eq(up.last.state, "waiting for its turn");
}
END_TEST

START_TEST(a_command)
{
	const struct pb_command on = {.change_charge = true};
	struct pb_session_config session = config();
	size_t before;

	make(&session, &full_type, &handler);
	ck_assert_int_eq(reader->type->command(reader, &on), -ENOTCONN);
	read_volts();
	before = far.sends;
	ck_assert_int_eq(reader->type->command(reader, &on), 0);
	ck_assert_int_eq(up.command.state, PB_COMMAND_RUNNING);
	ck_assert_int_eq(reader->type->command(reader, &on), -EBUSY);
	until_sent(before + 1);
	ck_assert_uint_eq(far.sent[before % sizeof(far.sent)], SWITCH);
	give((const uint8_t[]){TOY_START, SWITCH, 0}, 3);
	ck_assert_int_eq(up.command.state, PB_COMMAND_DONE);
	ck_assert_int_eq(up.hidden, 0);
}
END_TEST

/* From a password's dialogue, the password can be computed. */
START_TEST(a_login_is_not_shown)
{
	struct pb_session_config session = config();
	int sent;

	snprintf(session.password, sizeof(session.password), "123456");
	far.has_radio = true;
	make(&session, &full_type, &handler);
	start();
	link_up();
	until_sent(1);
	ck_assert_uint_eq(far.sent[0], LOGIN);
	ck_assert_int_eq(up.hidden, 1);
	give((const uint8_t[]){TOY_START, LOGIN, 0}, 3);
	ck_assert_int_eq(up.hidden, 2);
	sent = up.sent;
	until_sent(2);
	ck_assert_int_ge(up.sent, sent);
	ck_assert_int_eq(up.hidden, 2);
	until_read(2);
	ck_assert(up.last.logged_in);
}
END_TEST

/* Longer pieces than the reader looks at in one go; with one codec and with several. */
START_TEST(secrets_of_a_board_are_zeros)
{
	struct pb_session_config session = config();
	uint8_t bytes[1500] = {0};

	session.others = _i ? codecs : NULL;
	make(&session, &full_type, &handler);
	start();
	link_up();
	bytes[10] = bytes[1490] = SECRET;
	bytes[11] = 7;
	give(bytes, sizeof(bytes));
	ck_assert_uint_eq(up.len, sizeof(bytes));
	ck_assert_uint_eq(up.bytes[10], 0);
	ck_assert_uint_eq(up.bytes[11], 7);
	ck_assert_uint_eq(up.bytes[1490], 0);
	ck_assert(up.last.searching == (_i > 0));
}
END_TEST

static char log_text[400];

static int keep_line(enum pb_log_level level, const struct pb_log_about *about, const char *line)
{
	(void)about;
	if (level == PB_LOG_DEBUG)
		snprintf(log_text, sizeof(log_text), "%s", line);
	return 0;
}

START_TEST(bytes_in_the_log)
{
	struct pb_session_config session = config();

	pb_log_set_sink(keep_line);
	pb_log_set_level(PB_LOG_DEBUG);
	snprintf(session.password, sizeof(session.password), "123456");
	far.has_radio = true;
	make(&session, &full_type, &quiet_handler);
	start();
	link_up();
	until_sent(1);
	ck_assert_str_eq(log_text, "pack there: > 1 bytes of a password's dialogue");
	give((const uint8_t[]){TOY_START, LOGIN, 0}, 3);
	until_sent(2);
	ck_assert_msg(strncmp(log_text, "pack there: > 02", 16) == 0, "%s", log_text);
	give((const uint8_t[]){TOY_START, VOLTS, 12}, 3);
	ck_assert_ptr_nonnull(strstr(log_text, "pack there: "));
}
END_TEST

int main(void)
{
	TCase *tcase = tcase_create("reader");

	tcase_add_checked_fixture(tcase, setup, teardown);
	tcase_add_test(tcase, a_reading_has_all_there_is_to_know);
	tcase_add_test(tcase, a_link_that_knows_little);
	tcase_add_test(tcase, the_end_of_a_link);
	tcase_add_test(tcase, a_link_that_refuses_an_order);
	tcase_add_test(tcase, a_link_that_cannot_be_made);
	tcase_add_test(tcase, released_and_taken_back);
	tcase_add_test(tcase, others_want_the_place);
	tcase_add_test(tcase, a_command);
	tcase_add_test(tcase, a_login_is_not_shown);
	tcase_add_loop_test(tcase, secrets_of_a_board_are_zeros, 0, 2);
	tcase_add_test(tcase, bytes_in_the_log);
	return pb_run_suite("pack/reader", tcase);
}
