/* SPDX-License-Identifier: MIT */
#include "packbridge/pack.h"
#include "packbridge/bridge.h"

#include <stdio.h>

/* FNV-1a: packs get their own jitter, and the same one at each start */
static uint64_t seed_of(const char *name)
{
	uint64_t hash = UINT64_C(0xCBF29CE484222325);

	for (; *name; name++)
		hash = (hash ^ (uint8_t)*name) * UINT64_C(0x100000001B3);
	return hash;
}

int pb_bridge_pack(struct pb_reader **ret, const struct pb_pack_config *config, sd_event *event,
		   struct pb_bluez *bluez, struct pb_multidrop *line,
		   const struct pb_reader_handler *handler, void *userdata)
{
	struct pb_session_config session = {
		.poll_ms = config->poll_ms,
		.gap_ms = config->gap_ms,
		.settle_ms = config->settle_ms,
		.reply_timeout_ms = config->reply_timeout_ms,
		.tries = config->tries,
		.connect_timeout_ms = config->connect_timeout_ms,
		.stale_after_s = config->stale_after_s,
		.stale_fixed = config->stale_fixed,
		.address = (uint8_t)config->address,
		.control = config->control.mode != PB_CONTROL_OFF,
		.seed = seed_of(config->name),
	};
	struct pb_link_setup link = {
		.event = event,
		.bluez = bluez,
		.multidrop = line,
		.name = config->name,
		.limit_ms = config->connect_timeout_ms,
		.passkey = config->passkey,
	};
	const struct pb_link_type *type;
	char why[512];

	pb_session_protocol(&session, config->protocol);
	if (line)
		session.codec = session.codec->multidrop;
	snprintf(session.password, sizeof(session.password), "%s", config->password);
	snprintf(session.pin, sizeof(session.pin), "%s", config->pin);
	type = pb_link_find(config->link, &link.address, why, sizeof(why));
	return pb_pack_new(ret, &session, line ? &pb_link_tap : type, &link, handler, userdata);
}
