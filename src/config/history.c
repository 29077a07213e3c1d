/* SPDX-License-Identifier: MIT */
/*
 * `history:`: where counted values are remembered, and how often they are saved. `off` alone is
 * short for nowhere.
 */
#include "part.h"

#include <stdio.h>
#include <string.h>

#define HISTORY(member)                                                                            \
	offsetof(struct pb_history_section, member),                                               \
		sizeof(((struct pb_history_section *)0)->member)

/* clang-format off */
const struct pb_yaml_row config_history_rows[] = {
	{"keep", PB_YAML_BOOL, HISTORY(keep), .preset = "true",
	 .change = PB_CHANGE_APPLIES, .doc = "false: counting begins anew at each start; `history: off` is the same"},
	{"path", PB_YAML_TEXT, HISTORY(path),
	 .change = PB_CHANGE_APPLIES, .doc = "the file, whose folder the program must be able to write; default: `history` in the StateDirectory of the service, /var/lib/packbridge/history"},
	{"interval_s", PB_YAML_INT, HISTORY(interval_s), .min = 60, .max = 86400, .preset = "900",
	 .change = PB_CHANGE_APPLIES, .doc = "it is saved so often if something has changed, and at each stop and reload; at most so much is lost when the power fails"},
	{0},
};
/* clang-format on */

const struct pb_yaml_row *pb_config_history_rows(void)
{
	return config_history_rows;
}

static bool is_off(const struct pb_yaml *node)
{
	static const char *const words[] = {"off", "no", "false"};

	for (size_t i = 0; node->type == PB_YAML_SCALAR && i < PB_ARRAY_SIZE(words); i++)
		if (strcmp(node->text, words[i]) == 0)
			return true;
	return false;
}

void config_read_history(struct pb_config *config, const struct pb_yaml *node,
			 struct pb_report *report)
{
	/* without the section, its presets count */
	const struct pb_yaml empty = {.type = PB_YAML_MAPPING, .file = config->file};
	struct pb_history_section *section = &config->history;
	bool off = node && is_off(node);

	if (node && node->type == PB_YAML_SCALAR && !off)
		pb_yaml_error(report, node,
			      "history '%s', expected off, or a section with path and interval_s",
			      node->text);
	if (!node || node->type == PB_YAML_SCALAR)
		node = &empty;
	pb_yaml_fill(node, config_history_rows, section, report);
	section->keep &= !off;
}
