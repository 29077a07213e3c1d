/* SPDX-License-Identifier: MIT */
/*
 * A line that several packs share, over a real link that the test plays: who sends when, and who
 * gets what comes. The contract of a link is held by test_sim_links.c for taps, too.
 */
#include "../../src/link/quiet.h"
#include "packbridge/link.h"
#include "suite.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <systemd/sd-event.h>

/* ---- how long a line must be silent ---- */

START_TEST(nothing_yet)
{
	struct quiet quiet = {.gap_ms = 50};

	ck_assert_uint_eq(quiet_due_ms(&quiet, 1000), 0);
}
END_TEST

START_TEST(gap_behind_an_exchange)
{
	struct quiet quiet = {.gap_ms = 50, .ended_ms = 1000};

	ck_assert_uint_eq(quiet_due_ms(&quiet, 400), 1050);
	ck_assert_uint_eq(quiet_due_ms(&quiet, 1040), 1050);
	ck_assert_uint_eq(quiet_due_ms(&quiet, 9000), 1050);
}
END_TEST

START_TEST(bytes_begin_the_gap_anew)
{
	struct quiet quiet = {.gap_ms = 50, .ended_ms = 1000, .heard_ms = 1030};

	ck_assert_uint_eq(quiet_due_ms(&quiet, 400), 1080);
	quiet.heard_ms = 1049;
	ck_assert_uint_eq(quiet_due_ms(&quiet, 400), 1099);
	/* from before the exchange: they do not count */
	quiet.heard_ms = 900;
	ck_assert_uint_eq(quiet_due_ms(&quiet, 400), 1050);
	/* before any exchange */
	quiet = (struct quiet){.gap_ms = 50, .heard_ms = 900};
	ck_assert_uint_eq(quiet_due_ms(&quiet, 400), 950);
}
END_TEST

START_TEST(babble_holds_nobody_up)
{
	struct quiet quiet = {.gap_ms = 50, .ended_ms = 1000};

	for (uint64_t now = 1000; now < 9000; now += 10) {
		quiet.heard_ms = now;
		ck_assert_uint_le(quiet_due_ms(&quiet, 400), 1050 + QUIET_BABBLE_MS);
		ck_assert_uint_le(quiet_due_ms(&quiet, 5000), 5000 + QUIET_BABBLE_MS);
	}
	ck_assert_uint_eq(quiet_due_ms(&quiet, 400), 1050 + QUIET_BABBLE_MS);
}
END_TEST

/* ---- the real link, played by the test ---- */

static struct {
	struct pb_link head;
	bool open;
	unsigned int opens, closes, sends;
	char sent[64]; /* the first byte of each request */
	uint64_t sent_ms;
	int refuses; /* what open() gives */
} real;

static const struct pb_link_type real_type;

static int real_create(struct pb_link **ret, const struct pb_link_setup *setup, char *why,
		       size_t why_cap)
{
	if (strcmp(setup->address, "bad") == 0) {
		snprintf(why, why_cap, "'bad', expected another");
		return -EINVAL;
	}
	memset(&real, 0, sizeof(real));
	real.head = (struct pb_link){&real_type, setup->handler, setup->userdata};
	*ret = &real.head;
	return 0;
}

static int real_open(struct pb_link *link)
{
	(void)link;
	ck_assert(!real.open);
	if (real.refuses)
		return real.refuses;
	real.open = true;
	real.opens++;
	return 0;
}

static void real_close(struct pb_link *link)
{
	(void)link;
	real.open = false;
	real.closes++;
}

static int real_send(struct pb_link *link, const uint8_t *bytes, size_t len)
{
	(void)link;
	ck_assert(real.open);
	ck_assert_uint_gt(len, 0);
	ck_assert_uint_lt(real.sends + 1, sizeof(real.sent));
	real.sent[real.sends++] = (char)bytes[0];
	real.sent_ms = pb_now_ms();
	return 0;
}

static void real_free(struct pb_link *link)
{
	(void)link;
	real.open = false;
}

static const struct pb_link_type real_type = {
	.name = "real",
	.create = real_create,
	.open = real_open,
	.close = real_close,
	.send = real_send,
	.free = real_free,
};

static void real_up(void)
{
	real.head.handler->up(real.head.userdata);
}

static void real_down(void)
{
	real.open = false;
	real.head.handler->down(real.head.userdata, -EIO, "the adapter is gone");
}

static void real_says(const char *text)
{
	real.head.handler->data(real.head.userdata, (const uint8_t *)text, strlen(text));
}

/* ---- packs ---- */

enum { PACKS = 3, GAP_MS = 20, LONG_GAP_MS = 400 };

struct user {
	struct pb_link *link;
	unsigned int ups, downs, sents;
	unsigned int sends_at_sent; /* requests on the line when sent() was called */
	bool close_in_sent, done_in_data, open_in_down;
	char heard[64];
	char why[64];
	int error;
};

static sd_event *event;
static struct pb_multidrop *line;
static struct user users[PACKS];

static void user_up(void *userdata)
{
	((struct user *)userdata)->ups++;
}

static void user_down(void *userdata, int error, const char *why)
{
	struct user *user = userdata;

	user->downs++;
	user->error = error;
	snprintf(user->why, sizeof(user->why), "%s", why);
	if (user->open_in_down)
		ck_assert_int_eq(pb_link_tap.open(user->link), 0);
}

static void user_data(void *userdata, const uint8_t *bytes, size_t len)
{
	struct user *user = userdata;

	strncat(user->heard, (const char *)bytes, len);
	if (user->done_in_data)
		pb_link_tap.done(user->link);
}

static void user_sent(void *userdata)
{
	struct user *user = userdata;

	user->sents++;
	user->sends_at_sent = real.sends;
	if (user->close_in_sent)
		pb_link_tap.close(user->link);
}

static const struct pb_link_handler user_handler = {
	.up = user_up,
	.down = user_down,
	.data = user_data,
	.sent = user_sent,
};

/* Turns the loop until @ready, or fails when nothing happens. */
#define WAIT_UNTIL(ready)                                                                          \
	while (!(ready))                                                                           \
	ck_assert_int_gt(sd_event_run(event, 10000000), 0)

/* All that can happen at once. */
static void drain(void)
{
	while (sd_event_run(event, 0) > 0)
		;
}

static void begin(void)
{
	struct pb_link_setup setup = {.address = "there"};
	char why[64];

	ck_assert_int_ge(sd_event_new(&event), 0);
	setup.event = event;
	memset(users, 0, sizeof(users));
	ck_assert_int_eq(pb_multidrop_new(&line, &real_type, &setup, GAP_MS, why, sizeof(why)), 0);
	for (int i = 0; i < PACKS; i++) {
		struct pb_link_setup tap = {.address = "",
					    .event = event,
					    .multidrop = line,
					    .handler = &user_handler,
					    .userdata = &users[i]};

		ck_assert_int_eq(pb_link_tap.create(&users[i].link, &tap, why, sizeof(why)), 0);
	}
}

static void begin_open(void)
{
	begin();
	for (int i = 0; i < PACKS; i++)
		ck_assert_int_eq(pb_link_tap.open(users[i].link), 0);
	real_up();
	WAIT_UNTIL(users[0].ups && users[1].ups && users[2].ups);
}

static void end(void)
{
	for (int i = 0; i < PACKS; i++)
		pb_link_free(users[i].link);
	line = pb_multidrop_unref(line);
	ck_assert(!real.open);
	event = sd_event_unref(event);
}

static int ask(int pack)
{
	uint8_t request[2] = {(uint8_t)('a' + pack), '?'};

	return pb_link_tap.send(users[pack].link, request, sizeof(request));
}

START_TEST(bad_address)
{
	struct pb_link_setup setup = {.address = "bad"};
	char why[64];

	ck_assert_int_eq(pb_multidrop_new(&line, &real_type, &setup, 0, why, sizeof(why)), -EINVAL);
	ck_assert_str_eq(why, "'bad', expected another");
	ck_assert_int_eq(pb_link_tap.create(NULL, &setup, why, sizeof(why)), 0);
}
END_TEST

/* The real link is opened by the first and closed behind the last. */
START_TEST(opened_once)
{
	begin_open();
	ck_assert_uint_eq(real.opens, 1);
	pb_link_tap.close(users[0].link);
	pb_link_tap.close(users[2].link);
	drain();
	ck_assert(real.open);
	ck_assert_uint_eq(real.closes, 0);
	/* one that comes back finds it open */
	ck_assert_int_eq(pb_link_tap.open(users[2].link), 0);
	ck_assert_uint_eq(users[2].ups, 1);
	WAIT_UNTIL(users[2].ups == 2);
	ck_assert_uint_eq(real.opens, 1);
	pb_link_tap.close(users[1].link);
	ck_assert(real.open);
	pb_link_tap.close(users[2].link);
	ck_assert(!real.open);
	ck_assert_uint_eq(real.closes, 1);
	end();
}
END_TEST

/* Each pack asks once; @answers: what is heard in each turn. */
static void round_of(const char *answers)
{
	for (int i = 0; i < PACKS; i++) {
		unsigned int sends = real.sends;

		ask(i);
		WAIT_UNTIL(real.sends == sends + 1);
		if (answers)
			real_says(answers);
		pb_link_tap.done(users[i].link);
	}
}

/* Nobody is heard any more: perhaps only this connection is dead, so it ends for all. */
START_TEST(a_line_that_is_mute)
{
	begin_open();
	round_of("x");
	for (int i = 0; i < 3; i++)
		round_of(NULL);
	ck_assert_uint_eq(real.closes, 0);
	pb_link_tap.close(users[0].link);
	ck_assert_uint_eq(real.closes, 1);
	ck_assert_uint_eq(users[1].downs, 0); /* told by the loop */
	WAIT_UNTIL(users[1].downs && users[2].downs);
	ck_assert_uint_eq(users[0].downs, 0);
	ck_assert_int_eq(users[1].error, -ETIMEDOUT);
	ck_assert_str_eq(users[1].why, "no pack on the line answers");
	ck_assert_int_eq(pb_link_tap.open(users[1].link), 0);
	ck_assert_uint_eq(real.opens, 2);
	real_up();
	WAIT_UNTIL(users[1].ups == 2);
	end();
}
END_TEST

/* One that is silent for long leaves, and another has not asked as often. */
START_TEST(a_line_that_may_not_be_mute)
{
	begin_open();
	for (int i = 0; i < 3; i++)
		round_of(NULL);
	round_of("x");
	round_of(NULL);
	round_of(NULL);
	pb_link_tap.close(users[0].link);
	drain();
	ck_assert_uint_eq(real.closes, 0);
	ck_assert_uint_eq(users[1].downs + users[2].downs, 0);
	end();
}
END_TEST

START_TEST(one_exchange_at_a_time)
{
	begin_open();
	ck_assert_int_eq(ask(2), 1);
	ck_assert_int_eq(ask(0), 1);
	ck_assert_int_eq(ask(1), 1);
	WAIT_UNTIL(real.sends == 1);
	real_says("C");
	drain();
	ck_assert_uint_eq(real.sends, 1);
	pb_link_tap.done(users[2].link);
	WAIT_UNTIL(real.sends == 2);
	real_says("A");
	pb_link_tap.done(users[0].link);
	WAIT_UNTIL(real.sends == 3);
	real_says("B");
	real_says("b");
	ck_assert_str_eq(real.sent, "cab");
	ck_assert_str_eq(users[0].heard, "A");
	ck_assert_str_eq(users[1].heard, "Bb");
	ck_assert_str_eq(users[2].heard, "C");
	end();
}
END_TEST

/* A pack with many queries stands behind the others with each of them. */
START_TEST(nobody_starves)
{
	begin_open();
	for (int i = 0; i < PACKS; i++)
		ask(i);
	for (unsigned int n = 1; n <= 12; n++) {
		int pack;

		WAIT_UNTIL(real.sends == n);
		pack = real.sent[n - 1] - 'a';
		pb_link_tap.done(users[pack].link);
		ask(pack);
	}
	ck_assert_str_eq(real.sent, "abcabcabcabc");
	end();
}
END_TEST

/* The time of a request begins when it leaves: sent() stands before it, and comes once. */
START_TEST(sent_is_told)
{
	begin_open();
	ask(0);
	ask(1);
	WAIT_UNTIL(real.sends == 1);
	ck_assert_uint_eq(users[0].sents, 1);
	ck_assert_uint_eq(users[0].sends_at_sent, 0);
	ck_assert_uint_eq(users[1].sents, 0);
	pb_link_tap.done(users[0].link);
	WAIT_UNTIL(real.sends == 2);
	ck_assert_uint_eq(users[0].sents, 1);
	ck_assert_uint_eq(users[1].sents, 1);
	ck_assert_uint_eq(users[1].sends_at_sent, 1);
	end();
}
END_TEST

START_TEST(gap_between_exchanges)
{
	uint64_t ended_ms;

	begin_open();
	for (unsigned int n = 1; n <= 5; n++) {
		ask(0);
		WAIT_UNTIL(real.sends == n);
		if (n > 1)
			ck_assert_uint_ge(real.sent_ms - ended_ms, GAP_MS);
		real_says("A");
		ended_ms = pb_now_ms();
		pb_link_tap.done(users[0].link);
	}
	end();
}
END_TEST

/* Late replies are nobody's, and the line must fall silent again before the next request. */
START_TEST(late_reply)
{
	uint64_t end_ms, last_ms = 0;

	begin_open();
	ask(0);
	WAIT_UNTIL(real.sends == 1);
	pb_multidrop_set_gap(line, LONG_GAP_MS);
	pb_link_tap.done(users[0].link);
	ask(1);
	for (end_ms = pb_now_ms() + 3 * LONG_GAP_MS / 2; pb_now_ms() < end_ms;) {
		last_ms = pb_now_ms();
		real_says("late");
		ck_assert_int_ge(sd_event_run(event, 1000), 0);
	}
	ck_assert_uint_eq(real.sends, 1);
	WAIT_UNTIL(real.sends == 2);
	ck_assert_uint_ge(real.sent_ms - last_ms, LONG_GAP_MS);
	ck_assert_str_eq(users[0].heard, "");
	ck_assert_str_eq(users[1].heard, "");
	end();
}
END_TEST

/* A line that is never silent holds a request up, but not for ever; counted from the request. */
START_TEST(babbling_line)
{
	uint64_t asked_ms;

	begin_open();
	ask(0);
	WAIT_UNTIL(real.sends == 1);
	pb_multidrop_set_gap(line, LONG_GAP_MS);
	pb_link_tap.done(users[0].link);
	for (asked_ms = pb_now_ms() + QUIET_BABBLE_MS + 2 * LONG_GAP_MS; pb_now_ms() < asked_ms;) {
		real_says("late");
		ck_assert_int_ge(sd_event_run(event, 1000), 0);
	}
	asked_ms = pb_now_ms();
	ask(1);
	while (real.sends < 2) {
		real_says("late");
		ck_assert_int_ge(sd_event_run(event, 1000), 0);
	}
	ck_assert_uint_ge(real.sent_ms - asked_ms, QUIET_BABBLE_MS / 2);
	end();
}
END_TEST

/* A tap that opens and closes again wakes the line, which does nothing before its time. */
START_TEST(woken_for_nothing)
{
	uint64_t ended_ms;

	begin_open();
	pb_link_tap.close(users[2].link);
	ask(0);
	ask(1);
	WAIT_UNTIL(real.sends == 1);
	pb_link_tap.open(users[2].link);
	pb_link_tap.close(users[2].link);
	drain();
	ck_assert_uint_eq(real.sends, 1);
	ended_ms = pb_now_ms();
	pb_link_tap.done(users[0].link);
	pb_link_tap.open(users[2].link);
	pb_link_tap.close(users[2].link);
	WAIT_UNTIL(real.sends == 2);
	ck_assert_uint_ge(real.sent_ms - ended_ms, GAP_MS);
	end();
}
END_TEST

/* A pack that is closed in the middle of its exchange gives the line free, and hears no more. */
START_TEST(closed_in_its_exchange)
{
	begin_open();
	ask(0);
	ask(1);
	WAIT_UNTIL(real.sends == 1);
	pb_link_tap.close(users[0].link);
	real_says("A");
	WAIT_UNTIL(real.sends == 2);
	ck_assert_str_eq(real.sent, "ab");
	ck_assert_str_eq(users[0].heard, "");
	ck_assert_str_eq(users[1].heard, "");
	end();
}
END_TEST

START_TEST(closed_before_its_turn)
{
	begin_open();
	ask(0);
	ask(1);
	ask(2);
	WAIT_UNTIL(real.sends == 1);
	pb_link_tap.close(users[1].link);
	pb_link_tap.done(users[0].link);
	WAIT_UNTIL(real.sends == 2);
	ck_assert_str_eq(real.sent, "ac");
	ck_assert_uint_eq(users[1].sents, 0);
	end();
}
END_TEST

/* A request that is given up before its turn does not leave. */
START_TEST(done_before_its_turn)
{
	begin_open();
	ask(0);
	ask(1);
	ask(2);
	WAIT_UNTIL(real.sends == 1);
	pb_link_tap.done(users[1].link);
	pb_link_tap.done(users[0].link);
	WAIT_UNTIL(real.sends == 2);
	ck_assert_str_eq(real.sent, "ac");
	pb_link_tap.done(users[2].link);
	pb_link_tap.done(users[2].link);
	ask(1);
	WAIT_UNTIL(real.sends == 3);
	ck_assert_str_eq(real.sent, "acb");
	end();
}
END_TEST

START_TEST(closed_in_sent)
{
	begin_open();
	users[0].close_in_sent = true;
	ask(0);
	ask(1);
	WAIT_UNTIL(real.sends == 1);
	ck_assert_str_eq(real.sent, "b");
	ck_assert_uint_eq(users[0].sents, 1);
	end();
}
END_TEST

/* Two requests in one turn, as a talk without done() has them. */
START_TEST(more_in_its_turn)
{
	begin_open();
	ck_assert_int_eq(ask(0), 1);
	ck_assert_int_eq(ask(0), 1);
	WAIT_UNTIL(real.sends == 2);
	ck_assert_int_eq(ask(0), 0);
	ck_assert_uint_eq(real.sends, 3);
	ck_assert_uint_eq(users[0].sents, 1);
	end();
}
END_TEST

START_TEST(the_line_ends)
{
	begin_open();
	ask(0);
	ask(1);
	WAIT_UNTIL(real.sends == 1);
	users[1].open_in_down = true;
	pb_link_tap.close(users[2].link);
	real_down();
	ck_assert_int_eq(ask(0), -ENOTCONN);
	ck_assert_uint_eq(users[0].downs + users[1].downs, 0);
	WAIT_UNTIL(users[0].downs && users[1].downs);
	ck_assert_int_eq(users[0].error, -EIO);
	ck_assert_str_eq(users[0].why, "the adapter is gone");
	ck_assert_uint_eq(users[2].downs, 0);
	/* the second has opened it again; what waited is forgotten */
	ck_assert_uint_eq(real.opens, 2);
	real_up();
	WAIT_UNTIL(users[1].ups == 2);
	drain();
	ck_assert_uint_eq(real.sends, 1);
	ck_assert_uint_eq(users[0].ups, 1);
	end();
}
END_TEST

START_TEST(does_not_open)
{
	begin();
	real.refuses = -EBUSY;
	ck_assert_int_eq(pb_link_tap.open(users[0].link), -EBUSY);
	real.refuses = 0;
	ck_assert_int_eq(pb_link_tap.open(users[0].link), 0);
	ck_assert_int_eq(pb_link_tap.open(users[0].link), -EALREADY);
	real_down();
	/* closed before it was told: it hears nothing */
	pb_link_tap.close(users[0].link);
	drain();
	ck_assert_uint_eq(users[0].downs, 0);
	end();
}
END_TEST

/* One that sends more than can wait goes down; the others do not. */
START_TEST(too_much)
{
	static const uint8_t big[1000];

	begin_open();
	ask(1);
	WAIT_UNTIL(real.sends == 1);
	ck_assert_int_eq(pb_link_tap.send(users[0].link, big, sizeof(big)), 1);
	ck_assert_int_eq(pb_link_tap.send(users[0].link, big, sizeof(big)), 1);
	ck_assert_int_eq(pb_link_tap.send(users[0].link, big, sizeof(big)), 0);
	WAIT_UNTIL(users[0].downs == 1);
	ck_assert_int_eq(users[0].error, -ENOBUFS);
	ck_assert_str_eq(users[0].why, "the line accepts no more bytes");
	ck_assert(real.open);
	real_says("B");
	ck_assert_str_eq(users[1].heard, "B");
	ck_assert_uint_eq(users[1].downs, 0);
	end();
}
END_TEST

/* The reply ends the exchange from inside the handler, as a session does. */
START_TEST(done_in_data)
{
	begin_open();
	users[0].done_in_data = true;
	ask(0);
	ask(1);
	WAIT_UNTIL(real.sends == 1);
	real_says("A");
	real_says("x");
	ck_assert_str_eq(users[0].heard, "A");
	WAIT_UNTIL(real.sends == 2);
	ck_assert_str_eq(users[1].heard, "");
	end();
}
END_TEST

int main(void)
{
	TCase *tcase = tcase_create("multidrop");

	tcase_add_test(tcase, nothing_yet);
	tcase_add_test(tcase, gap_behind_an_exchange);
	tcase_add_test(tcase, bytes_begin_the_gap_anew);
	tcase_add_test(tcase, babble_holds_nobody_up);
	tcase_add_test(tcase, bad_address);
	tcase_add_test(tcase, opened_once);
	tcase_add_test(tcase, a_line_that_is_mute);
	tcase_add_test(tcase, a_line_that_may_not_be_mute);
	tcase_add_test(tcase, one_exchange_at_a_time);
	tcase_add_test(tcase, nobody_starves);
	tcase_add_test(tcase, sent_is_told);
	tcase_add_test(tcase, gap_between_exchanges);
	tcase_add_test(tcase, late_reply);
	tcase_add_test(tcase, babbling_line);
	tcase_add_test(tcase, woken_for_nothing);
	tcase_add_test(tcase, closed_in_its_exchange);
	tcase_add_test(tcase, closed_before_its_turn);
	tcase_add_test(tcase, done_before_its_turn);
	tcase_add_test(tcase, closed_in_sent);
	tcase_add_test(tcase, more_in_its_turn);
	tcase_add_test(tcase, the_line_ends);
	tcase_add_test(tcase, does_not_open);
	tcase_add_test(tcase, too_much);
	tcase_add_test(tcase, done_in_data);
	return pb_run_suite("multidrop", tcase);
}
