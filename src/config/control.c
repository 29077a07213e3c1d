/* SPDX-License-Identifier: MIT */
/*
 * What the configuration says of control: keys of a pack that need `control:`, `keep_closed:` of a
 * bank, and `write:` of a listener.
 *
 * A key that needs `control:` is refused in a pack without that key. With `control: off` it is
 * accepted: then one word turns control off for a while.
 */
#include "part.h"

const char *const config_control_modes[] = {"off", "charge", "charge+discharge", NULL};
const char *const config_lease_ends[] = {"release", "keep", NULL};

void config_check_control(const struct pb_yaml *node, struct pb_report *report)
{
	static const char *const keys[] = {"lease_s",	       "lease_end", "control_min_s",
					   "control_per_hour", "pin",	    "pin_file"};

	if (pb_yaml_get(node, "control"))
		return;
	for (size_t i = 0; i < PB_ARRAY_SIZE(keys); i++) {
		const struct pb_yaml *key = pb_yaml_get(node, keys[i]);

		if (key)
			pb_yaml_error(report, key,
				      "%s has no effect without control, expected control: charge "
				      "or charge+discharge with it",
				      keys[i]);
	}
}

const char *pb_control_mode_name(int mode)
{
	return config_control_modes[mode];
}

/* ---- banks ---- */

int pb_bank_control(const struct pb_config *config, const struct pb_bank_config *bank)
{
	int mode = PB_CONTROL_BOTH;

	for (size_t i = 0; i < bank->pack_count; i++)
		if (config->packs[bank->packs[i]].control.mode < mode)
			mode = config->packs[bank->packs[i]].control.mode;
	return mode;
}

static bool has_control(const struct pb_config *config, const struct pb_bank_config *bank)
{
	for (size_t i = 0; i < bank->pack_count; i++)
		if (config->packs[bank->packs[i]].control_mark.line)
			return true;
	return false;
}

void config_check_keep_closed(const struct pb_config *config, const struct pb_bank_config *bank,
			      const struct pb_yaml *node, struct pb_report *report)
{
	const struct pb_yaml *at = pb_yaml_at(node, "keep_closed");

	if (!bank->keep_closed || !bank->pack_count)
		return;
	if (bank->keep_closed > bank->pack_count)
		pb_yaml_error(report, at, "keep_closed %u, expected at most %zu, the bank's packs",
			      bank->keep_closed, bank->pack_count);
	else if (!has_control(config, bank))
		pb_yaml_error(report, at,
			      "keep_closed has no effect, no pack of the bank has control, "
			      "expected control: charge or charge+discharge in one of them");
}

/* ---- listeners ---- */

int config_read_write(struct pb_listen_config *listen, const struct pb_yaml *node,
		      struct pb_report *report)
{
	bool line = listen->kind == PB_LISTEN_RTU, yes = false;
	int r = pb_yaml_bool(node->text, &yes);

	listen->write_line = line && yes;
	if (line && r < 0)
		pb_yaml_error(report, node,
			      "write, expected true or false: a serial line has one master and no "
			      "networks");
	if (line)
		return 0;
	if (r == 0) {
		pb_yaml_error(report, node,
			      "write '%s', expected a list of networks like [192.168.1.20]; "
			      "without write, nobody may switch",
			      node->text);
		return 0;
	}
	return config_texts(&listen->write, &listen->write_marks, &listen->write_count, node,
			    "write", "networks like 192.168.1.0/24", report);
}
