/* SPDX-License-Identifier: MIT */
/*
 * The contract of include/packbridge/link.h as tests that every kind of link must pass. A test
 * program implements link_kind() with a row for each kind, and calls link_contract_add().
 *
 * The far end of each kind speaks one sentence of JBD: it answers contract_request, once for each,
 * with contract_reply.
 */
#pragma once

#include "packbridge/link.h"

#include <check.h>
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <systemd/sd-event.h>

enum far_end {
	FAR_ANSWERS,  /* whole replies */
	FAR_PIECES,   /* replies in many pieces, so that a burst takes several turns of the loop */
	FAR_REFUSES,  /* the link never comes up */
	FAR_HANGS_UP, /* answers the first request and ends the link at the second */
	FAR_COUNT,
};

/* One kind of link; the far ends live on the test's event loop or need none. */
struct link_kind {
	const struct pb_link_type *type;
	/* @return what the other two take; may be NULL. */
	void *(*setup)(sd_event *event);
	void (*teardown)(void *far);
	/* What the links share; NULL: they need none. */
	struct pb_bluez *(*bluez)(void *far);
	/* The line to a far end, of taps; NULL: they need none. */
	struct pb_multidrop *(*multidrop)(void *far, const char *address);
	/* Writes the address of a far end, as create() takes it. */
	void (*address)(void *far, enum far_end end, char *out, size_t cap);
	/* A line has no connections: what was on its way when it was closed comes all the same. */
	bool one_stream;
	/* Of `ble:` links. */
	const struct pb_pipe *const *pipes;
	/* Addresses that create() must refuse, with a word that must be in the reason. */
	const char *const (*bad)[2];
	size_t bad_count;
};

static const struct link_kind *link_kind(int index);

static const uint8_t contract_request[] = {0xDD, 0xA5, 0x05, 0x00, 0xFF, 0xFB, 0x77};
static const uint8_t contract_reply[] = {0xDD, 0x05, 0x00, 0x0B, 'S', 'I', 'M',	 '-',  'L',
					 'E',  'A',  'D',  '-',	 '6', 'S', 0xFD, 0x13, 0x77};

enum {
	CONTRACT_BYTES = 1 << 16,
	CONTRACT_WAIT_US = 10000000, /* far more than anything takes; reached only in failure */
	REPLY = sizeof(contract_reply),
};

enum contract_act { ACT_NOTHING, ACT_CLOSE, ACT_CLOSE_OPEN, ACT_OPEN, ACT_SEND };

/* One link and all that it told. */
struct watch {
	struct pb_link *link;
	unsigned int ups, downs, datas;
	size_t len;
	int error;
	char why[256];
	enum contract_act on_up, on_down, on_data;
	bool deaf;    /* closed: nothing may come */
	bool in_call; /* inside a call on the link: nothing may come */
	uint8_t bytes[CONTRACT_BYTES];
};

static const struct link_kind *contract_kind;
static sd_event *contract_event;
static void *contract_far;
/* two links are as many as a test needs; in static memory for their buffers */
static struct watch contract_watches[2];

static int watch_open(struct watch *w)
{
	int r;

	w->deaf = false;
	w->in_call = true;
	r = w->link->type->open(w->link);
	w->in_call = false;
	return r;
}

static void watch_close(struct watch *w)
{
	w->in_call = true;
	w->link->type->close(w->link);
	w->in_call = false;
	w->deaf = true;
}

static int watch_send(struct watch *w)
{
	int r;

	w->in_call = true;
	r = w->link->type->send(w->link, contract_request, sizeof(contract_request));
	w->in_call = false;
	return r > 0 ? 0 : r; /* it waits for its turn, and comes later */
}

static void watch_act(struct watch *w, enum contract_act act)
{
	switch (act) {
	case ACT_NOTHING:
		break;
	case ACT_CLOSE:
		watch_close(w);
		break;
	case ACT_CLOSE_OPEN:
		watch_close(w);
		ck_assert_int_eq(watch_open(w), 0);
		break;
	case ACT_OPEN:
		ck_assert_int_eq(watch_open(w), 0);
		break;
	case ACT_SEND:
		ck_assert_int_eq(watch_send(w), 0);
		break;
	}
}

static enum contract_act once(enum contract_act *act)
{
	enum contract_act now = *act;

	if (now != ACT_SEND)
		*act = ACT_NOTHING;
	return now;
}

static void watch_up(void *userdata)
{
	struct watch *w = userdata;

	ck_assert(!w->in_call);
	ck_assert(!w->deaf);
	w->ups++;
	watch_act(w, once(&w->on_up));
}

static void watch_down(void *userdata, int error, const char *why)
{
	struct watch *w = userdata;

	ck_assert(!w->in_call);
	ck_assert(!w->deaf);
	ck_assert_int_lt(error, 0);
	ck_assert_ptr_nonnull(why);
	ck_assert_uint_gt(strlen(why), 0);
	w->downs++;
	w->error = error;
	snprintf(w->why, sizeof(w->why), "%s", why);
	w->deaf = true;
	watch_act(w, once(&w->on_down));
}

static void watch_data(void *userdata, const uint8_t *bytes, size_t len)
{
	struct watch *w = userdata;

	ck_assert(!w->in_call);
	ck_assert(!w->deaf);
	ck_assert_uint_gt(len, 0);
	ck_assert_uint_le(w->len + len, sizeof(w->bytes));
	memcpy(w->bytes + w->len, bytes, len);
	w->len += len;
	w->datas++;
	watch_act(w, once(&w->on_data));
}

static const struct pb_link_handler watch_handler = {
	.up = watch_up,
	.down = watch_down,
	.data = watch_data,
};

static struct pb_link_setup contract_link(const char *address, struct watch *w)
{
	return (struct pb_link_setup){
		.address = address,
		.event = contract_event,
		.bluez = contract_kind->bluez ? contract_kind->bluez(contract_far) : NULL,
		.pipes = contract_kind->pipes,
		.limit_ms = 10000,
		.passkey = PB_NO_PASSKEY,
		.handler = &watch_handler,
		.userdata = w,
	};
}

/* A closed link to a far end of the kind under test. */
static struct watch *watch_new(size_t index, enum far_end end)
{
	struct watch *w = &contract_watches[index];
	char address[256] = "", why[256] = "";
	struct pb_link_setup setup = contract_link(address, w);
	int r;

	memset(w, 0, sizeof(*w));
	w->deaf = true;
	contract_kind->address(contract_far, end, address, sizeof(address));
	if (contract_kind->multidrop)
		setup.multidrop = contract_kind->multidrop(contract_far, address);
	r = contract_kind->type->create(&w->link, &setup, why, sizeof(why));
	ck_assert_msg(r == 0, "%s: %s", address, why);
	ck_assert_ptr_eq(w->link->type, contract_kind->type);
	return w;
}

static void watch_free(struct watch *w)
{
	w->in_call = true;
	w->link = pb_link_free(w->link);
	ck_assert_ptr_null(w->link);
}

/* Turns the loop until *counter is at least @value. */
#define WAIT_FOR(counter, value)                                                                   \
	while ((counter) < (value))                                                                \
	ck_assert_int_gt(sd_event_run(contract_event, CONTRACT_WAIT_US), 0)

static void drain(void)
{
	int r;

	do
		r = sd_event_run(contract_event, 0);
	while (r > 0);
	ck_assert_int_eq(r, 0);
}

/* Long enough for everything that could still come to have come: a whole talk of another link. */
static void calm(void)
{
	struct watch *w = watch_new(1, FAR_ANSWERS);

	drain();
	w->on_up = ACT_SEND;
	ck_assert_int_eq(watch_open(w), 0);
	WAIT_FOR(w->len, (size_t)REPLY);
	watch_close(w);
	drain();
	watch_free(w);
	drain();
}

static struct watch *watch_new_up(enum far_end end)
{
	struct watch *w = watch_new(0, end);

	ck_assert_int_eq(watch_open(w), 0);
	WAIT_FOR(w->ups, 1U);
	return w;
}

static void assert_replies(const struct watch *w, size_t count)
{
	ck_assert_uint_eq(w->len, count * REPLY);
	for (size_t i = 0; i < count; i++)
		ck_assert_mem_eq(w->bytes + i * REPLY, contract_reply, REPLY);
}

static size_t open_descriptors(void)
{
	DIR *dir = opendir("/proc/self/fd");
	size_t count = 0;

	ck_assert_ptr_nonnull(dir);
	while (readdir(dir))
		count++;
	closedir(dir);
	return count;
}

static void contract_setup(int index)
{
	contract_kind = link_kind(index);
	ck_assert_int_ge(sd_event_new(&contract_event), 0);
	contract_far = contract_kind->setup ? contract_kind->setup(contract_event) : NULL;
}

static void contract_teardown(void)
{
	if (contract_kind->teardown)
		contract_kind->teardown(contract_far);
	contract_event = sd_event_unref(contract_event);
}

/* ---- the contract ---- */

START_TEST(contract_up_once)
{
	struct watch *w;

	contract_setup(_i);
	w = watch_new_up(FAR_ANSWERS);
	calm();
	ck_assert_uint_eq(w->ups, 1);
	ck_assert_uint_eq(w->downs, 0);
	ck_assert_uint_eq(w->datas, 0);
	watch_free(w);
	contract_teardown();
}
END_TEST

START_TEST(contract_created_is_closed)
{
	struct watch *w;

	contract_setup(_i);
	w = watch_new(0, FAR_ANSWERS);
	calm();
	ck_assert_uint_eq(w->ups + w->downs + w->datas, 0);
	ck_assert_int_eq(watch_send(w), -ENOTCONN);
	watch_close(w);
	ck_assert_int_eq(watch_open(w), 0);
	WAIT_FOR(w->ups, 1U);
	watch_free(w);
	contract_teardown();
}
END_TEST

START_TEST(contract_exchange)
{
	struct watch *w;

	contract_setup(_i);
	w = watch_new_up(FAR_ANSWERS);
	ck_assert_int_eq(watch_send(w), 0);
	WAIT_FOR(w->len, (size_t)REPLY);
	calm();
	assert_replies(w, 1);
	watch_free(w);
	contract_teardown();
}
END_TEST

/* Requests that overtake the replies: bytes come whole and in order all the same. */
START_TEST(contract_order)
{
	static const enum far_end ends[] = {FAR_ANSWERS, FAR_PIECES};

	contract_setup(_i);
	for (size_t end = 0; end < 2; end++) {
		struct watch *w = watch_new_up(ends[end]);

		for (size_t round = 1; round <= 200; round++) {
			for (int i = 0; i < 3; i++)
				ck_assert_int_eq(watch_send(w), 0);
			WAIT_FOR(w->len, 3 * round * REPLY);
		}
		assert_replies(w, 600);
		watch_free(w);
	}
	contract_teardown();
}
END_TEST

START_TEST(contract_pieces)
{
	struct watch *w;

	contract_setup(_i);
	w = watch_new_up(FAR_PIECES);
	for (int i = 0; i < 3; i++)
		ck_assert_int_eq(watch_send(w), 0);
	WAIT_FOR(w->len, (size_t)3 * REPLY);
	assert_replies(w, 3);
	ck_assert_uint_gt(w->datas, 3);
	watch_free(w);
	contract_teardown();
}
END_TEST

/* The usual way of a session: the next request goes out from inside the handler. */
START_TEST(contract_send_in_handlers)
{
	struct watch *w;

	contract_setup(_i);
	w = watch_new(0, FAR_ANSWERS);
	w->on_up = ACT_SEND;
	w->on_data = ACT_SEND;
	ck_assert_int_eq(watch_open(w), 0);
	WAIT_FOR(w->len, (size_t)1000 * REPLY);
	watch_close(w);
	for (size_t i = 0; i < 1000; i++)
		ck_assert_mem_eq(w->bytes + i * REPLY, contract_reply, REPLY);
	watch_free(w);
	contract_teardown();
}
END_TEST

START_TEST(contract_send_needs_up)
{
	struct watch *w;

	contract_setup(_i);
	w = watch_new(0, FAR_ANSWERS);
	ck_assert_int_eq(watch_send(w), -ENOTCONN);
	ck_assert_int_eq(watch_open(w), 0);
	ck_assert_int_eq(watch_send(w), -ENOTCONN);
	WAIT_FOR(w->ups, 1U);
	watch_close(w);
	ck_assert_int_eq(watch_send(w), -ENOTCONN);
	calm();
	ck_assert_uint_eq(w->len, 0);
	watch_free(w);
	contract_teardown();
}
END_TEST

START_TEST(contract_send_has_a_limit)
{
	static const uint8_t big[1025];
	struct watch *w;

	contract_setup(_i);
	w = watch_new_up(FAR_ANSWERS);
	ck_assert_int_eq(w->link->type->send(w->link, big, sizeof(big)), -EMSGSIZE);
	ck_assert_int_eq(watch_send(w), 0);
	WAIT_FOR(w->len, (size_t)REPLY);
	assert_replies(w, 1);
	watch_free(w);
	contract_teardown();
}
END_TEST

START_TEST(contract_open_twice)
{
	struct watch *w;

	contract_setup(_i);
	w = watch_new(0, FAR_ANSWERS);
	ck_assert_int_eq(watch_open(w), 0);
	ck_assert_int_eq(watch_open(w), -EALREADY);
	WAIT_FOR(w->ups, 1U);
	ck_assert_int_eq(watch_open(w), -EALREADY);
	ck_assert_int_eq(watch_send(w), 0);
	WAIT_FOR(w->len, (size_t)REPLY);
	calm();
	ck_assert_uint_eq(w->ups, 1);
	watch_free(w);
	contract_teardown();
}
END_TEST

START_TEST(contract_close_while_opening)
{
	struct watch *w;

	contract_setup(_i);
	for (int turns = 0; turns < 4; turns++) {
		w = watch_new(0, FAR_ANSWERS);
		ck_assert_int_eq(watch_open(w), 0);
		for (int i = 0; i < turns; i++)
			ck_assert_int_ge(sd_event_run(contract_event, 0), 0);
		watch_close(w);
		calm();
		ck_assert_uint_eq(w->downs, 0);
		watch_free(w);
	}
	contract_teardown();
}
END_TEST

START_TEST(contract_close_with_reply_on_its_way)
{
	struct watch *w;

	contract_setup(_i);
	w = watch_new_up(FAR_PIECES);
	ck_assert_int_eq(watch_send(w), 0);
	watch_close(w);
	calm();
	ck_assert_uint_eq(w->datas, 0);
	ck_assert_uint_eq(w->downs, 0);
	/* and nothing of it shows up in the next connection */
	ck_assert_int_eq(watch_open(w), 0);
	WAIT_FOR(w->ups, 2U);
	ck_assert_int_eq(watch_send(w), 0);
	WAIT_FOR(w->len, (size_t)REPLY);
	calm();
	assert_replies(w, 1);
	watch_free(w);
	contract_teardown();
}
END_TEST

START_TEST(contract_close_in_up)
{
	struct watch *w;

	contract_setup(_i);
	w = watch_new(0, FAR_ANSWERS);
	w->on_up = ACT_CLOSE;
	ck_assert_int_eq(watch_open(w), 0);
	WAIT_FOR(w->ups, 1U);
	calm();
	ck_assert_uint_eq(w->ups, 1);
	ck_assert_uint_eq(w->downs, 0);
	watch_free(w);
	contract_teardown();
}
END_TEST

START_TEST(contract_close_in_data)
{
	struct watch *w;

	contract_setup(_i);
	w = watch_new(0, FAR_PIECES);
	w->on_data = ACT_CLOSE;
	ck_assert_int_eq(watch_open(w), 0);
	WAIT_FOR(w->ups, 1U);
	for (int i = 0; i < 4; i++)
		ck_assert_int_eq(watch_send(w), 0);
	WAIT_FOR(w->datas, 1U);
	calm();
	ck_assert_uint_eq(w->datas, 1);
	ck_assert_uint_lt(w->len, 4 * REPLY);
	ck_assert_uint_eq(w->downs, 0);
	watch_free(w);
	contract_teardown();
}
END_TEST

START_TEST(contract_reopen_in_data)
{
	struct watch *w;
	size_t before;

	contract_setup(_i);
	w = watch_new(0, FAR_PIECES);
	w->on_data = ACT_CLOSE_OPEN;
	ck_assert_int_eq(watch_open(w), 0);
	WAIT_FOR(w->ups, 1U);
	for (int i = 0; i < 4; i++)
		ck_assert_int_eq(watch_send(w), 0);
	WAIT_FOR(w->ups, 2U);
	before = w->len;
	calm();
	/* the rest of the burst belonged to the old connection */
	if (!contract_kind->one_stream) {
		ck_assert_uint_eq(w->len, before);
		ck_assert_uint_eq(w->datas, 1);
	}
	watch_free(w);
	contract_teardown();
}
END_TEST

START_TEST(contract_reopen_in_up)
{
	struct watch *w;

	contract_setup(_i);
	w = watch_new(0, FAR_ANSWERS);
	w->on_up = ACT_CLOSE_OPEN;
	ck_assert_int_eq(watch_open(w), 0);
	WAIT_FOR(w->ups, 2U);
	ck_assert_int_eq(watch_send(w), 0);
	WAIT_FOR(w->len, (size_t)REPLY);
	calm();
	ck_assert_uint_eq(w->ups, 2);
	ck_assert_uint_eq(w->downs, 0);
	assert_replies(w, 1);
	watch_free(w);
	contract_teardown();
}
END_TEST

START_TEST(contract_refused)
{
	struct watch *w;

	contract_setup(_i);
	w = watch_new(0, FAR_REFUSES);
	ck_assert_int_eq(watch_open(w), 0);
	WAIT_FOR(w->downs, 1U);
	calm();
	ck_assert_uint_eq(w->ups, 0);
	ck_assert_uint_eq(w->downs, 1);
	ck_assert_int_eq(watch_send(w), -ENOTCONN);
	/* it says so each time */
	ck_assert_int_eq(watch_open(w), 0);
	WAIT_FOR(w->downs, 2U);
	watch_free(w);
	contract_teardown();
}
END_TEST

START_TEST(contract_close_in_down)
{
	struct watch *w;

	contract_setup(_i);
	w = watch_new(0, FAR_REFUSES);
	w->on_down = ACT_CLOSE;
	ck_assert_int_eq(watch_open(w), 0);
	WAIT_FOR(w->downs, 1U);
	calm();
	ck_assert_uint_eq(w->downs, 1);
	watch_free(w);
	contract_teardown();
}
END_TEST

START_TEST(contract_hangs_up)
{
	struct watch *w;

	contract_setup(_i);
	w = watch_new_up(FAR_HANGS_UP);
	for (unsigned int round = 1; round <= 3; round++) {
		ck_assert_int_eq(watch_send(w), 0);
		ck_assert_int_eq(watch_send(w), 0);
		WAIT_FOR(w->downs, round);
		calm();
		ck_assert_uint_eq(w->downs, round);
		ck_assert_uint_ge(w->len, REPLY);
		ck_assert_mem_eq(w->bytes, contract_reply, REPLY);
		ck_assert_int_eq(watch_send(w), -ENOTCONN);
		w->len = 0;
		ck_assert_int_eq(watch_open(w), 0);
		WAIT_FOR(w->ups, round + 1);
	}
	watch_free(w);
	contract_teardown();
}
END_TEST

START_TEST(contract_reopen_in_down)
{
	struct watch *w;

	contract_setup(_i);
	w = watch_new_up(FAR_HANGS_UP);
	w->on_down = ACT_OPEN;
	ck_assert_int_eq(watch_send(w), 0);
	ck_assert_int_eq(watch_send(w), 0);
	WAIT_FOR(w->ups, 2U);
	ck_assert_uint_eq(w->downs, 1);
	w->len = 0;
	ck_assert_int_eq(watch_send(w), 0);
	WAIT_FOR(w->len, (size_t)REPLY);
	assert_replies(w, 1);
	watch_free(w);
	contract_teardown();
}
END_TEST

START_TEST(contract_free_in_any_state)
{
	struct watch *w;

	contract_setup(_i);
	watch_free(watch_new(0, FAR_ANSWERS));
	for (int turns = 0; turns < 4; turns++) {
		w = watch_new(0, FAR_ANSWERS);
		ck_assert_int_eq(watch_open(w), 0);
		for (int i = 0; i < turns; i++)
			ck_assert_int_ge(sd_event_run(contract_event, 0), 0);
		watch_free(w);
		calm();
	}
	w = watch_new_up(FAR_PIECES);
	ck_assert_int_eq(watch_send(w), 0);
	watch_free(w);
	calm();
	w = watch_new(0, FAR_REFUSES);
	ck_assert_int_eq(watch_open(w), 0);
	WAIT_FOR(w->downs, 1U);
	watch_free(w);
	ck_assert_ptr_null(pb_link_free(NULL));
	contract_teardown();
}
END_TEST

START_TEST(contract_many_connections)
{
	size_t before;
	struct watch *w;

	contract_setup(_i);
	calm();
	before = open_descriptors();
	w = watch_new(0, FAR_ANSWERS);
	for (unsigned int i = 1; i <= 200; i++) {
		ck_assert_int_eq(watch_open(w), 0);
		WAIT_FOR(w->ups, i);
		watch_close(w);
	}
	watch_free(w);
	calm();
	ck_assert_uint_eq(open_descriptors(), before);
	contract_teardown();
}
END_TEST

START_TEST(contract_links_are_apart)
{
	struct watch *a, *b;

	contract_setup(_i);
	a = watch_new(0, FAR_ANSWERS);
	b = watch_new(1, FAR_PIECES);
	ck_assert_int_eq(watch_open(a), 0);
	ck_assert_int_eq(watch_open(b), 0);
	WAIT_FOR(a->ups + b->ups, 2U);
	ck_assert_int_eq(watch_send(a), 0);
	ck_assert_int_eq(watch_send(b), 0);
	watch_close(a);
	WAIT_FOR(b->len, (size_t)REPLY);
	assert_replies(b, 1);
	watch_free(a);
	ck_assert_int_eq(watch_send(b), 0);
	WAIT_FOR(b->len, (size_t)2 * REPLY);
	watch_free(b);
	contract_teardown();
}
END_TEST

START_TEST(contract_addresses)
{
	struct pb_link *untouched = (struct pb_link *)&contract_event, *link = untouched;
	struct pb_link_setup good = {0};
	char address[256], why[256];

	contract_setup(_i);
	for (size_t i = 0; i < contract_kind->bad_count; i++) {
		const char *bad = contract_kind->bad[i][0], *word = contract_kind->bad[i][1];
		struct pb_link_setup setup = contract_link(bad, NULL);

		why[0] = '\0';
		ck_assert_int_eq(contract_kind->type->create(&link, &setup, why, sizeof(why)),
				 -EINVAL);
		ck_assert_ptr_eq(link, untouched);
		ck_assert_msg(strstr(why, word), "'%s': no '%s' in '%s'", bad, word, why);
		/* a check alone, and a small buffer, say the same */
		setup = (struct pb_link_setup){.address = bad};
		ck_assert_int_eq(contract_kind->type->create(NULL, &setup, why, 8), -EINVAL);
		ck_assert_uint_lt(strlen(why), 8);
	}
	contract_kind->address(contract_far, FAR_ANSWERS, address, sizeof(address));
	good.address = address;
	ck_assert_int_eq(contract_kind->type->create(NULL, &good, why, sizeof(why)), 0);
	ck_assert_ptr_nonnull(contract_kind->type->usage);
	ck_assert_ptr_nonnull(contract_kind->type->doc);
	contract_teardown();
}
END_TEST

static void link_contract_add(TCase *tcase, int kinds)
{
	static const TTest *const *const tests[] = {
		&contract_up_once,
		&contract_created_is_closed,
		&contract_exchange,
		&contract_order,
		&contract_pieces,
		&contract_send_in_handlers,
		&contract_send_needs_up,
		&contract_send_has_a_limit,
		&contract_open_twice,
		&contract_close_while_opening,
		&contract_close_with_reply_on_its_way,
		&contract_close_in_up,
		&contract_close_in_data,
		&contract_reopen_in_data,
		&contract_reopen_in_up,
		&contract_refused,
		&contract_close_in_down,
		&contract_hangs_up,
		&contract_reopen_in_down,
		&contract_free_in_any_state,
		&contract_many_connections,
		&contract_links_are_apart,
		&contract_addresses,
	};

	for (size_t i = 0; i < sizeof(tests) / sizeof(tests[0]); i++)
		tcase_add_loop_test(tcase, *tests[i], 0, kinds);
}
