/* SPDX-License-Identifier: MIT */
/* Any bytes as YAML: a sound tree, or errors with a place. */
#include "packbridge/yaml.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static size_t walk(const struct pb_yaml *node)
{
	size_t count = 0;

	for (; node; node = node->next) {
		if (node->line == 0 || node->col == 0 ||
		    (node->type == PB_YAML_SCALAR) != (node->text != NULL) ||
		    (node->type == PB_YAML_SCALAR && node->child))
			abort();
		count += 1 + walk(node->child);
	}
	return count;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	PB_CLEANUP(pb_yaml_freep) struct pb_yaml *root = NULL;
	struct pb_report report = {0};
	int r = pb_yaml_parse(&root, "fuzz", (const char *)data, size, &report);

	if (r == 0 ? !root || report.count : !report.count)
		abort();
	if (root && walk(root) == 0)
		abort();
	pb_report_clear(&report);
	return 0;
}
