/* SPDX-License-Identifier: MIT */
/*
 * The lines that packs share: one for each link of packs that have an address. A reload finds the
 * lines that are there by their links; a line lives as long as a site or a tap has it.
 */
#include "packbridge/bridge.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct line {
	char link[PB_CONFIG_LINK];
	uint32_t gap_ms; /* the longest that one of its packs wants */
	struct pb_multidrop *line;
};

struct pb_lines {
	size_t count;
	struct line lines[];
};

static const struct line *lines_find(const struct pb_lines *lines, const char *link)
{
	for (size_t i = 0; lines && i < lines->count; i++)
		if (strcmp(lines->lines[i].link, link) == 0)
			return &lines->lines[i];
	return NULL;
}

static int lines_open(struct line *line, const char *link, sd_event *event,
		      const struct pb_lines *before)
{
	const struct line *old = lines_find(before, link);
	struct pb_link_setup setup = {.event = event, .name = link};
	const struct pb_link_type *type;
	char why[512];

	snprintf(line->link, sizeof(line->link), "%s", link);
	if (old) {
		line->line = pb_multidrop_ref(old->line);
		return 0;
	}
	type = pb_link_find(link, &setup.address, why, sizeof(why));
	return type ? pb_multidrop_new(&line->line, type, &setup, 0, why, sizeof(why)) : -EINVAL;
}

static int lines_add(struct pb_lines *lines, const struct pb_pack_config *pack, sd_event *event,
		     const struct pb_lines *before)
{
	const struct line *there = lines_find(lines, pack->link);
	struct line *line = lines->lines + (there ? there - lines->lines : (ptrdiff_t)lines->count);
	int r = there ? 0 : lines_open(line, pack->link, event, before);

	if (r < 0)
		return r;
	if (!there)
		lines->count++;
	if (pack->gap_ms > line->gap_ms)
		line->gap_ms = pack->gap_ms;
	return 0;
}

int pb_lines_new(struct pb_lines **ret, const struct pb_config *config, sd_event *event,
		 const struct pb_lines *before)
{
	PB_CLEANUP(pb_lines_freep)
	struct pb_lines *lines =
		calloc(1, sizeof(*lines) + config->pack_count * sizeof(lines->lines[0]));
	int r = lines ? 0 : -ENOMEM;

	for (size_t i = 0; r >= 0 && i < config->pack_count; i++)
		if (config->packs[i].address)
			r = lines_add(lines, &config->packs[i], event, before);
	if (r < 0)
		return r;
	*ret = lines;
	lines = NULL;
	return 0;
}

void pb_lines_apply(const struct pb_lines *lines)
{
	for (size_t i = 0; i < lines->count; i++)
		pb_multidrop_set_gap(lines->lines[i].line, lines->lines[i].gap_ms);
}

struct pb_lines *pb_lines_free(struct pb_lines *lines)
{
	if (!lines)
		return NULL;
	while (lines->count > 0)
		pb_multidrop_unref(lines->lines[--lines->count].line);
	free(lines);
	return NULL;
}

struct pb_multidrop *pb_lines_of(const struct pb_lines *lines, const struct pb_pack_config *pack)
{
	const struct line *line = pack->address ? lines_find(lines, pack->link) : NULL;

	return line ? line->line : NULL;
}
