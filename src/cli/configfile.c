/* SPDX-License-Identifier: MIT */
#include "configfile.h"

#include "cli.h"
#include "options.h"

#include "packbridge/yaml.h"

#include <stdio.h>
#include <string.h>

int pb_cli_config_options(int argc, char **argv, const char *help, const char **ret_file)
{
	bool verbose = false;
	const struct option_row rows[] = {
		{"config", 'c', OPTION_TEXT, ret_file, 0, 0},
		{"verbose", 'v', OPTION_FLAG, &verbose, 0, 0},
		{0},
	};
	int status;

	*ret_file = PB_CONFIG_FILE;
	status = pb_cli_options(argc, argv, rows, help, "");
	if (verbose)
		pb_log_set_level(PB_LOG_DEBUG);
	return status;
}

int pb_cli_config_read(const char *file, struct pb_config **ret_config, struct pb_maps **ret_maps,
		       struct pb_report *report)
{
	PB_CLEANUP(pb_config_freep) struct pb_config *config = NULL;
	PB_CLEANUP(pb_maps_freep) struct pb_maps *maps = NULL;
	int r = pb_cli_maps(&maps), checked = 0;

	if (r >= 0)
		r = pb_config_read(&config, file, report);
	if (config) /* all mistakes in one run */
		checked = pb_bridge_check(config, maps, report);
	r = r < 0 ? r : checked;
	if (r < 0 && report->count == 0)
		pb_report_add(report, file, 0, 0, "%s", strerror(-r));
	pb_report_sort(report);
	if (r >= 0) {
		*ret_config = config;
		config = NULL;
	}
	*ret_maps = maps;
	maps = NULL;
	return r;
}

int pb_cli_config_load(const char *file, struct pb_config **ret_config, struct pb_maps **ret_maps)
{
	struct pb_report report = {0};
	int r = pb_cli_config_read(file, ret_config, ret_maps, &report);

	pb_report_print(&report, stderr);
	pb_report_clear(&report);
	return r;
}
