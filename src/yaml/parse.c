/* SPDX-License-Identifier: MIT */
/*
 * YAML text -> tree, by libyaml's events. Each function takes the events of what it is named after.
 *
 * libyaml's document loader (yaml_parser_load()) would save 90 lines, but not keep the messages:
 * its nodes have no anchors and no tags like !!str, it follows aliases, and after an error nothing
 * is left of what stood before it. Files with anchors would pass, and the hints about quotes need
 * the last scalar before the error: 8 of 78 checks of tests/unit/test_yaml_parse.c fail with it.
 */
#include "syntax.h"

#include <errno.h>
#include <search.h>
#include <stdlib.h>
#include <string.h>
#include <yaml.h>

enum { DEPTH_MAX = 32, SIZE_MAX_BYTES = 1 << 20 };

struct parser {
	yaml_parser_t yaml;
	const char *file;
	struct pb_report *report;
	int depth;
	struct syntax syntax; /* what is known when it can't go on */
};

static void error_at(struct parser *p, yaml_mark_t mark, const char *what)
{
	pb_report_add(p->report, p->file, (unsigned int)mark.line + 1,
		      (unsigned int)mark.column + 1, "%s", what);
}

/* The next event; errors are reported. */
static int next(struct parser *p, yaml_event_t *event)
{
	if (!yaml_parser_parse(&p->yaml, event)) {
		if (p->yaml.error == YAML_MEMORY_ERROR)
			return -ENOMEM;
		syntax_explain(&p->syntax, p->file, p->report);
		return -EINVAL;
	}
	if (event->type == YAML_SCALAR_EVENT) {
		p->syntax.quoted = event->data.scalar.style == YAML_SINGLE_QUOTED_SCALAR_STYLE ||
				   event->data.scalar.style == YAML_DOUBLE_QUOTED_SCALAR_STYLE;
		p->syntax.start = event->start_mark;
		p->syntax.end = event->end_mark;
	}
	return 0;
}

static struct pb_yaml *node_new(struct parser *p, enum pb_yaml_type type, yaml_mark_t mark)
{
	struct pb_yaml *node = calloc(1, sizeof(*node));

	if (!node)
		return NULL;
	node->type = type;
	node->file = p->file;
	node->line = (unsigned int)mark.line + 1;
	node->col = (unsigned int)mark.column + 1;
	return node;
}

static struct pb_yaml *nodes_free(struct pb_yaml *node)
{
	union {
		const char *in;
		char *out;
	} text, key;

	while (node) {
		struct pb_yaml *next_node = node->next;

		nodes_free(node->child);
		text.in = node->text;
		key.in = node->key;
		free(text.out);
		free(key.out);
		free(node);
		node = next_node;
	}
	return NULL;
}

static int parse_node(struct parser *p, yaml_event_t *event, struct pb_yaml **ret);

static const char *mark_error(bool anchor)
{
	return anchor ? "an anchor, expected the value in quotes if its '&' belongs to it"
		      : "a tag, expected the value in quotes if its '!' belongs to it";
}

/*
 * A value or a key. What is wrong with it is told, and reading goes on behind it: an error that
 * stands at a place is the only one there (pb_yaml_told()).
 */
static void check_scalar(struct parser *p, const yaml_event_t *event, bool is_key)
{
	const char *text = (const char *)event->data.scalar.value, *foreign = NULL;

	if (event->data.scalar.style == YAML_PLAIN_SCALAR_STYLE)
		foreign = syntax_foreign(text, is_key);
	if (foreign)
		p->syntax.told = event->start_mark.line + 1;
	if (event->data.scalar.style == YAML_PLAIN_SCALAR_STYLE && !*text &&
	    syntax_is_comment(&p->syntax, event->end_mark))
		foreign = "'#' begins a comment, expected the value in quotes";
	if (event->data.scalar.anchor || event->data.scalar.tag)
		error_at(p, event->start_mark, mark_error(event->data.scalar.anchor));
	else if (strlen(text) != event->data.scalar.length)
		error_at(p, event->start_mark, "a NUL character, expected text");
	else if (foreign)
		error_at(p, event->start_mark, foreign);
}

static int parse_scalar(struct parser *p, const yaml_event_t *event, struct pb_yaml **ret)
{
	bool alias = event->type == YAML_ALIAS_EVENT;
	struct pb_yaml *node = node_new(p, PB_YAML_SCALAR, event->start_mark);

	if (!node)
		return -ENOMEM;
	node->text = strdup(alias ? "" : (const char *)event->data.scalar.value);
	if (!node->text) {
		nodes_free(node);
		return -ENOMEM;
	}
	if (alias)
		error_at(p, event->start_mark,
			 "an alias, expected the value in quotes if its '*' belongs to it");
	else
		check_scalar(p, event, false);
	node->quoted = !alias && event->data.scalar.style != YAML_PLAIN_SCALAR_STYLE;
	*ret = node;
	return 0;
}

static int parse_sequence(struct parser *p, struct pb_yaml *parent)
{
	struct pb_yaml **tail = &parent->child;

	for (;;) {
		yaml_event_t event;
		int r = next(p, &event);

		if (r < 0)
			return r;
		if (event.type == YAML_SEQUENCE_END_EVENT) {
			yaml_event_delete(&event);
			return 0;
		}
		r = parse_node(p, &event, tail);
		yaml_event_delete(&event);
		if (r < 0)
			return r;
		tail = &(*tail)->next;
	}
}

static int by_text(const void *a, const void *b)
{
	return strcmp(a, b);
}

static void keep_key(void *key)
{
	(void)key; /* its node has it */
}

/*
 * @keys: those before it, as a tree of tsearch(3), so that many of them take no time.
 * @ret: the key; a duplicate is reported and kept without a name.
 */
static int take_key(struct parser *p, void **keys, const yaml_event_t *event, char **ret)
{
	const char *text = (const char *)event->data.scalar.value;
	yaml_mark_t mark = event->start_mark;

	check_scalar(p, event, true);
	if (tfind(text, keys, by_text)) {
		pb_report_add(p->report, p->file, (unsigned int)mark.line + 1,
			      (unsigned int)mark.column + 1,
			      "key '%s' appears twice, expected once", text);
		*ret = strdup("");
		return *ret ? 0 : -ENOMEM;
	}
	*ret = strdup(text);
	if (*ret && tsearch(*ret, keys, by_text))
		return 0;
	free(*ret);
	*ret = NULL;
	return -ENOMEM;
}

/* Takes the key of one member; @ret_key is NULL at the mapping's end. */
static int parse_key(struct parser *p, void **keys, char **ret_key, yaml_mark_t *ret_mark)
{
	yaml_event_t event;
	int r = next(p, &event);

	if (r < 0)
		return r;
	*ret_key = NULL;
	*ret_mark = event.start_mark;
	if (event.type == YAML_SCALAR_EVENT) {
		r = take_key(p, keys, &event, ret_key);
	} else if (event.type != YAML_MAPPING_END_EVENT) {
		error_at(p, event.start_mark, "a key that is no word, expected 'key: value'");
		r = -EINVAL;
	}
	yaml_event_delete(&event);
	return r;
}

static int parse_members(struct parser *p, struct pb_yaml *parent, void **keys)
{
	struct pb_yaml **tail = &parent->child;

	for (;;) {
		yaml_event_t event;
		yaml_mark_t mark;
		char *key;
		int r = parse_key(p, keys, &key, &mark);

		if (r < 0 || !key)
			return r;
		r = next(p, &event);
		if (r == 0) {
			r = parse_node(p, &event, tail);
			yaml_event_delete(&event);
		}
		if (r < 0) {
			free(key);
			return r;
		}
		/* parse_node() has made it */
		(*tail)->key = key; /* NOLINT(clang-analyzer-core.NullDereference) */
		(*tail)->key_line = (unsigned int)mark.line + 1;
		(*tail)->key_col = (unsigned int)mark.column + 1;
		tail = &(*tail)->next;
	}
}

static int parse_mapping(struct parser *p, struct pb_yaml *parent)
{
	void *keys = NULL;
	int r = parse_members(p, parent, &keys);

	tdestroy(keys, keep_key);
	return r;
}

static int parse_collection(struct parser *p, const yaml_event_t *event, struct pb_yaml **ret)
{
	bool mapping = event->type == YAML_MAPPING_START_EVENT;
	bool anchor =
		mapping ? event->data.mapping_start.anchor : event->data.sequence_start.anchor;
	bool tag = mapping ? event->data.mapping_start.tag : event->data.sequence_start.tag;
	int r;

	if (anchor || tag)
		error_at(p, event->start_mark, mark_error(anchor));
	if (p->depth >= DEPTH_MAX) {
		error_at(p, event->start_mark, "nested too deep, expected at most 32 levels");
		return -EINVAL;
	}
	*ret = node_new(p, mapping ? PB_YAML_MAPPING : PB_YAML_SEQUENCE, event->start_mark);
	if (!*ret)
		return -ENOMEM;
	(*ret)->flow = mapping && event->data.mapping_start.style == YAML_FLOW_MAPPING_STYLE;
	p->depth++;
	r = mapping ? parse_mapping(p, *ret) : parse_sequence(p, *ret);
	p->depth--;
	return r;
}

/* The node that starts with @event. What was made stands in @ret, also after an error. */
static int parse_node(struct parser *p, yaml_event_t *event, struct pb_yaml **ret)
{
	if (event->type == YAML_MAPPING_START_EVENT || event->type == YAML_SEQUENCE_START_EVENT)
		return parse_collection(p, event, ret);
	return parse_scalar(p, event, ret);
}

/* The stream: start, one document with one node, end. */
static int parse_stream(struct parser *p, struct pb_yaml **ret)
{
	bool done = false;

	for (;;) {
		yaml_event_t event;
		yaml_event_type_t type;
		int r = next(p, &event);

		if (r < 0)
			return r;
		type = event.type;
		if (type == YAML_DOCUMENT_START_EVENT && done) {
			error_at(p, event.start_mark, "a second document, expected one");
			r = -EINVAL;
		} else if (type != YAML_STREAM_START_EVENT && type != YAML_STREAM_END_EVENT &&
			   type != YAML_DOCUMENT_START_EVENT && type != YAML_DOCUMENT_END_EVENT) {
			r = parse_node(p, &event, ret);
			done = true;
		}
		yaml_event_delete(&event);
		if (r < 0 || type == YAML_STREAM_END_EVENT)
			return r;
	}
}

int pb_yaml_parse(struct pb_yaml **ret, const char *file, const char *text, size_t len,
		  struct pb_report *report)
{
	PB_CLEANUP(pb_yaml_freep) struct pb_yaml *root = NULL;
	struct parser parser = {.report = report,
				.syntax = {.yaml = &parser.yaml, .text = text, .len = len}};
	size_t before = report->count;
	char *name;
	int r;

	if (len > SIZE_MAX_BYTES) {
		pb_report_add(report, file, 0, 0, "%zu bytes, expected at most 1 MiB", len);
		return -EINVAL;
	}
	name = strdup(file);
	if (!name)
		return -ENOMEM;
	if (!yaml_parser_initialize(&parser.yaml)) {
		free(name);
		return -ENOMEM;
	}
	parser.file = name;
	yaml_parser_set_input_string(&parser.yaml, (const unsigned char *)text, len);
	r = parse_stream(&parser, &root);
	yaml_parser_delete(&parser.yaml);
	if (r == 0 && !root) {
		pb_report_add(report, file, 1, 1, "nothing in it, expected a mapping%s%s",
			      report->sample ? "; a sample: " : "",
			      report->sample ? report->sample : "");
		r = -EINVAL;
	}
	if (r < 0) {
		/* nodes point to the name, so it goes last */
		root = nodes_free(root);
		free(name);
		return r;
	}
	*ret = root;
	root = NULL;
	return report->count > before ? -EINVAL : 0;
}

int pb_yaml_load(struct pb_yaml **ret, const char *path, struct pb_report *report)
{
	char *text = NULL, why[160];
	size_t len = 0;
	int r = pb_file_read(path, SIZE_MAX_BYTES, &text, &len, why, sizeof(why));

	if (r < 0) {
		pb_report_add(report, path, 0, 0, "%s, expected %s%s%s", why,
			      r == -EFBIG ? "at most 1 MiB" : "a regular file that can be read",
			      r == -ENOENT && report->sample ? "; a sample: " : "",
			      r == -ENOENT && report->sample ? report->sample : "");
		return r;
	}
	r = pb_yaml_parse(ret, path, text, len, report);
	free(text);
	return r;
}

struct pb_yaml *pb_yaml_free(struct pb_yaml *root)
{
	union {
		const char *in;
		char *out;
	} name = {.in = root ? root->file : NULL};

	nodes_free(root);
	free(name.out);
	return NULL;
}

const struct pb_yaml *pb_yaml_get(const struct pb_yaml *node, const char *key)
{
	if (!node || node->type != PB_YAML_MAPPING)
		return NULL;
	for (const struct pb_yaml *member = node->child; member; member = member->next)
		if (strcmp(member->key, key) == 0)
			return member;
	return NULL;
}

const struct pb_yaml *pb_yaml_at(const struct pb_yaml *node, const char *key)
{
	const struct pb_yaml *member = pb_yaml_get(node, key);

	return member ? member : node;
}

size_t pb_yaml_count(const struct pb_yaml *node)
{
	size_t count = 0;

	for (const struct pb_yaml *child = node->child; child; child = child->next)
		count++;
	return count;
}
