/* SPDX-License-Identifier: MIT */
/*
 * What the parts of the configuration have in common: places, lists, names.
 */
#include "part.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum { TEXTS_MAX = 1000 /* networks or names in a list */ };

struct pb_mark config_mark(const struct pb_yaml *node, const char *key)
{
	const struct pb_yaml *at = pb_yaml_at(node, key);

	return (struct pb_mark){at->line, at->col};
}

void *config_items(const struct pb_yaml *node, size_t size, size_t max, size_t *ret_count,
		   const char *what, struct pb_report *report)
{
	size_t count = pb_yaml_count(node);

	if (node->type != PB_YAML_SEQUENCE || !node->child) {
		pb_yaml_error(report, node, "%s, expected a list (lines that start with '- ')",
			      what);
		return NULL;
	}
	if (count > max) {
		pb_yaml_error(report, node, "%s, %zu in the list, expected at most %zu", what,
			      count, max);
		return NULL;
	}
	*ret_count = count;
	return calloc(count, size);
}

int config_texts(char ***ret, struct pb_mark **ret_marks, size_t *ret_count,
		 const struct pb_yaml *node, const char *what, const char *expected,
		 struct pb_report *report)
{
	size_t count = 0;
	char **texts;

	*ret = NULL;
	*ret_marks = NULL;
	*ret_count = 0;
	if (node->type == PB_YAML_SCALAR && *node->text) {
		pb_yaml_error(report, node, "%s '%s', expected a list: [%s]", what, node->text,
			      node->text);
		return 0;
	}
	texts = config_items(node, sizeof(*texts), TEXTS_MAX, &count, what, report);

	*ret = texts;
	*ret_count = 0;
	if (!texts)
		return count ? -ENOMEM : 0;
	*ret_marks = calloc(count, sizeof(**ret_marks));
	if (!*ret_marks)
		return -ENOMEM;
	for (const struct pb_yaml *item = node->child; item; item = item->next) {
		if (item->type != PB_YAML_SCALAR) {
			pb_yaml_error(report, item, "%s, expected %s", what, expected);
			continue;
		}
		texts[*ret_count] = strdup(item->text);
		if (!texts[*ret_count])
			return -ENOMEM;
		(*ret_marks)[*ret_count] = (struct pb_mark){item->line, item->col};
		++*ret_count;
	}
	return 0;
}

void config_free_texts(char **texts, size_t count)
{
	for (size_t i = 0; i < count; i++)
		free(texts[i]);
	free(texts);
}

bool config_good_name(const char *name)
{
	return name[strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789-")] == '\0' && *name;
}

const char **config_pack_names(const struct pb_config *config)
{
	const char **names = calloc(config->pack_count + 1, sizeof(*names));

	for (size_t i = 0; names && i < config->pack_count; i++)
		names[i] = config->packs[i].name;
	return names;
}

void config_no_such(const struct pb_yaml *node, const char *what, const char *name,
		    const char *const *names, struct pb_report *report)
{
	const char *near = names && !pb_report_is_full(report) ? pb_nearest(name, names) : NULL;

	for (size_t i = 0; names && names[i]; i++)
		if (!*names[i]) /* one has no name, which is already reported: it may be this one */
			return;
	pb_yaml_error(report, node, "no %s '%s', expected %s%s%s%s", what, name,
		      near ? "'" : "one of `", near ? near : what, near ? "'" : "s:`",
		      near ? " perhaps" : "");
}
