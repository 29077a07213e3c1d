/* SPDX-License-Identifier: MIT */
/*
 * A session among events of any order: each byte chooses an event, what follows it are the bytes
 * that come, or the time that passes. The deadline is never in the past for good, and a reading is
 * never younger than the bytes that it came from.
 */
#include "../../src/pack/state.h"

#include <assert.h>
#include <errno.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* What a byte below 0xE0 chooses. */
static const enum pb_session_event_type types[] = {
	PB_SESSION_UP,	  PB_SESSION_DOWN,   PB_SESSION_DATA,	 PB_SESSION_TIME,
	PB_SESSION_RETRY, PB_SESSION_WANTED, PB_SESSION_RELEASE, PB_SESSION_TAKE};

static void check_command(const struct pb_session *head, uint64_t now_ms)
{
	const struct pb_command_status *command = &head->command;
	bool under_way =
		command->state == PB_COMMAND_WAITING || command->state == PB_COMMAND_RUNNING;

	assert(!under_way || head->status.connected);
	assert(command->sent_ms <= now_ms);
	assert(command->state != PB_COMMAND_DONE || command->sent_ms > 0);
	assert((pb_session_may_command(head, now_ms) == -EBUSY) == under_way);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const struct pb_codec *const codecs[] = {&pb_codec_jbd, &pb_codec_daly, &pb_codec_jk,
							NULL};
	unsigned int which = size ? data[0] & 3 : 0;
	const struct pb_session_config config = {
		.codec = codecs[which % 3],
		.others = which == 3 ? codecs : NULL,
		.poll_ms = 1000,
		.gap_ms = 50,
		.settle_ms = 100,
		.reply_timeout_ms = 500,
		.tries = 3,
		.connect_timeout_ms = 5000,
		.stale_after_s = 5,
		.password = "1234",
		.pin = "123456",
		.control = true,
		.seed = 1,
	};
	const struct pb_command command = {
		.inhibit_charge = true, .change_charge = true, .change_discharge = true};
	const struct pb_session_event queued = {.type = PB_SESSION_QUEUED};
	bool shared = size && data[0] & 0x40; /* each request waits for its turn on a line */
	struct session session;
	struct pb_session_event event = {.type = PB_SESSION_START};
	uint64_t now_ms = 1000, deadline_ms = 0;
	unsigned int todo;

	session_init(&session, &config);
	pb_session_step(&session.head, &event, now_ms, &deadline_ms);
	for (size_t at = 1; at + 1 < size;) {
		size_t len = data[at + 1];

		event = (struct pb_session_event){.type = types[data[at] % PB_ARRAY_SIZE(types)],
						  .ms = 1000U * data[at + 1],
						  .command = &command};
		if (data[at] >= 0xE0)
			event.type = data[at] >= 0xF0 ? PB_SESSION_COMMAND : PB_SESSION_SENT;
		at += 2;
		if (event.type == PB_SESSION_DATA) {
			len = len > size - at ? size - at : len;
			event.bytes = data + at;
			event.len = len;
			at += len;
			now_ms += 5;
		} else if (event.type == PB_SESSION_TIME) {
			now_ms = data[at - 1] & 1 && deadline_ms != UINT64_MAX &&
						 deadline_ms > now_ms
					 ? deadline_ms
					 : now_ms + 10 * len;
		}
		todo = pb_session_step(&session.head, &event, now_ms, &deadline_ms);
		if (todo & PB_DO_SEND && shared)
			pb_session_step(&session.head, &queued, now_ms, &deadline_ms);
		check_command(&session.head, now_ms);
		assert(memchr(session.head.note.text, 0, sizeof(session.head.note.text)));
		assert(!(todo & PB_DO_SEND) ||
		       (session.head.request && session.head.request->len > 0));
		if (todo & PB_DO_PUBLISH) {
			/* the last request of the plan may be one that is given up */
			assert(event.type == PB_SESSION_DATA || event.type == PB_SESSION_TIME);
			assert(session.head.status.sequence > 0 &&
			       session.head.status.sampled_ms <= now_ms);
		}
		assert(session.head.state != PB_STATE_WAITING || session.held_ms ||
		       deadline_ms != UINT64_MAX);
		assert(pb_session_state_text(session.head.state)[0] != '?');
	}
	return 0;
}
