/* SPDX-License-Identifier: MIT */
/*
 * `bluetooth:`: what the adapters may do.
 */
#include "part.h"

#include <errno.h>
#include <string.h>

enum { ADAPTERS_MAX = 64 };

#define BLUETOOTH(member)                                                                          \
	offsetof(struct bluetooth, config.member), sizeof(((struct pb_bluetooth_config *)0)->member)
#define ADAPTER(member)                                                                            \
	offsetof(struct pb_adapter_config, member), sizeof(((struct pb_adapter_config *)0)->member)

/* The section as it stands in the file. */
struct bluetooth {
	struct pb_bluetooth_config config;
	const struct pb_yaml *adapters;
};

_Static_assert(offsetof(struct bluetooth, config) == 0,
	       "rows fill and compare at the same offsets");

/* clang-format off */
static const struct pb_yaml_row adapter_rows[] = {
	{"name", PB_YAML_TEXT, ADAPTER(name), .required = true, .doc = "hci0, hci1..."},
	{"max_connections", PB_YAML_INT, ADAPTER(max_connections), .required = true, .min = 1, .max = 64,
	 .doc = "packs that it is connected to at a time"},
	{0},
};

static const struct pb_yaml_kept kept_adapters = CONFIG_KEPT_ITEMS(struct pb_bluetooth_config, adapters, adapter_count, adapter_rows);

const struct pb_yaml_row config_bluetooth_rows[] = {
	{"max_connections", PB_YAML_INT, BLUETOOTH(max_connections), .min = 1, .max = 64, .preset = "5",
	 .change = PB_CHANGE_APPLIES, .doc = "packs that one adapter is connected to at a time; more take turns"},
	{"power_cycle_after", PB_YAML_INT, BLUETOOTH(power_cycle_after), .min = 0, .max = 1000, .preset = "0",
	 .change = PB_CHANGE_APPLIES, .doc = "failed connection attempts in a row after which an adapter is switched off and on; 0: never"},
	{"acquire", PB_YAML_BOOL, BLUETOOTH(acquire), .preset = "true",
	 .change = PB_CHANGE_APPLIES, .doc = "move bytes through descriptors; false: through D-Bus messages"},
	{"adapters", PB_YAML_NODE, offsetof(struct bluetooth, adapters), sizeof(const struct pb_yaml *),
	 .change = PB_CHANGE_APPLIES, .kept = &kept_adapters, .doc = "list of {name: hci0, max_connections: 3}, for adapters with a limit of their own"},
	{0},
};
/* clang-format on */

const struct pb_yaml_row *pb_config_bluetooth_rows(void)
{
	return config_bluetooth_rows;
}

static int read_adapters(struct pb_bluetooth_config *bluetooth, const struct pb_yaml *node,
			 struct pb_report *report)
{
	size_t index = 0;

	bluetooth->adapters = config_items(node, sizeof(*bluetooth->adapters), ADAPTERS_MAX,
					   &bluetooth->adapter_count, "adapters", report);
	if (!bluetooth->adapters)
		return bluetooth->adapter_count ? -ENOMEM : 0;
	for (const struct pb_yaml *item = node->child; item; item = item->next, index++) {
		struct pb_adapter_config *adapter = &bluetooth->adapters[index];

		if (pb_yaml_fill(item, adapter_rows, adapter, report) < 0 && !*adapter->name)
			continue;
		for (size_t i = 0; i < index; i++)
			if (strcmp(bluetooth->adapters[i].name, adapter->name) == 0)
				pb_yaml_error(report, pb_yaml_at(item, "name"),
					      "'%s' appears twice, expected another adapter",
					      adapter->name);
	}
	return 0;
}

int config_read_bluetooth(struct pb_config *config, const struct pb_yaml *node,
			  struct pb_report *report)
{
	/* without the section, its presets count */
	const struct pb_yaml empty = {.type = PB_YAML_MAPPING, .file = config->file};
	struct bluetooth section = {0};
	int r = 0;

	pb_yaml_fill(node ? node : &empty, config_bluetooth_rows, &section, report);
	config->bluetooth = section.config;
	if (section.adapters)
		r = read_adapters(&config->bluetooth, section.adapters, report);
	return r;
}
