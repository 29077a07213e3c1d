/* SPDX-License-Identifier: MIT */
/* Tables of codecs and links, by name. A new one is one row here. */
#include "packbridge/bridge.h"
#include "packbridge/pack.h"
#include "packbridge/sim.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

const struct pb_codec *const pb_codecs[] = {
	&pb_codec_jbd,
	&pb_codec_daly,
	&pb_codec_jk,
	NULL,
};

const struct pb_link_type *const pb_links[] = {
	&pb_link_ble, &pb_link_tcp, &pb_link_serial, &pb_link_sim, NULL,
};

const struct pb_codec *pb_codec_find(const char *name)
{
	for (const struct pb_codec *const *codec = pb_codecs; *codec; codec++)
		if (strcmp((*codec)->name, name) == 0)
			return *codec;
	return NULL;
}

const struct pb_codec *pb_codec_multidrop(const char *protocol)
{
	const struct pb_codec *codec = pb_codec_find(protocol);

	return codec ? codec->multidrop : NULL;
}

int pb_protocol_check(const char *protocol, char *why, size_t why_cap)
{
	int at;

	if (strcmp(protocol, PB_PROTOCOL_AUTO) == 0 || pb_codec_find(protocol))
		return 0;
	at = snprintf(why, why_cap, "no protocol '%s', expected", protocol);
	for (const struct pb_codec *const *codec = pb_codecs; *codec; codec++)
		if (at > 0 && (size_t)at < why_cap)
			at += snprintf(why + at, why_cap - (size_t)at, " %s,", (*codec)->name);
	if (at > 0 && (size_t)at < why_cap)
		snprintf(why + at - 1, why_cap - (size_t)at + 1, " or " PB_PROTOCOL_AUTO);
	return -EINVAL;
}

void pb_session_protocol(struct pb_session_config *config, const char *protocol)
{
	bool open = strcmp(protocol, PB_PROTOCOL_AUTO) == 0;

	config->codec = open ? pb_codecs[0] : pb_codec_find(protocol);
	config->others = open ? pb_codecs : NULL;
}

/* What is meant by an address without its kind, "" when that can't be told. */
static void guess(const char *link, char *out, size_t cap)
{
	struct pb_link_setup setup = {.address = link};
	char why[512];

	*out = '\0';
	for (const struct pb_link_type *const *type = pb_links; *type; type++) {
		size_t len = strlen((*type)->name);

		if (strncasecmp((*type)->name, link, len) == 0 && link[len] == ':')
			snprintf(out, cap, "%s%s", (*type)->name, link + len);
	}
	if (*out)
		return;
	if (pb_link_ble.create(NULL, &setup, why, sizeof(why)) == 0)
		snprintf(out, cap, "ble:%s", link);
	else if (strncmp(link, "/dev/", 5) == 0)
		snprintf(out, cap, "serial:%s%s", link, strchr(link, '@') ? "" : "@9600");
	else if (pb_link_sim.create(NULL, &setup, why, sizeof(why)) == 0)
		snprintf(out, cap, "sim:%s", link);
	else if (strspn(link, "0123456789.") == strcspn(link, ":") &&
		 pb_link_tcp.create(NULL, &setup, why, sizeof(why)) == 0)
		snprintf(out, cap, "tcp:%s", link);
}

const struct pb_link_type *pb_link_find(const char *link, const char **ret_address, char *why,
					size_t why_cap)
{
	size_t len = strcspn(link, ":");
	char meant[300];
	int at;

	for (const struct pb_link_type *const *type = pb_links; link[len] && *type; type++) {
		if (strlen((*type)->name) == len && strncmp((*type)->name, link, len) == 0) {
			*ret_address = link + len + 1;
			return *type;
		}
	}

	guess(link, meant, sizeof(meant));
	if (*meant) {
		snprintf(why, why_cap, "link '%s' has no known type, expected %s perhaps", link,
			 meant);
		return NULL;
	}
	at = snprintf(why, why_cap, "link '%s' has no known type, expected", link);
	for (const struct pb_link_type *const *type = pb_links; *type; type++)
		if (at > 0 && (size_t)at < why_cap)
			at += snprintf(why + at, why_cap - (size_t)at, "%s %s",
				       type == pb_links ? "" : " or", (*type)->usage);
	return NULL;
}
