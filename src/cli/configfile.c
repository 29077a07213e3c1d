/* SPDX-License-Identifier: MIT */
#include "configfile.h"

#include "cli.h"

#include "packbridge/yaml.h"

#include <getopt.h>
#include <stdio.h>
#include <string.h>

int pb_cli_config_options(int argc, char **argv, const char *help, const char **ret_file)
{
	static const struct option options[] = {
		{"config", required_argument, NULL, 'c'},
		{"verbose", no_argument, NULL, 'v'},
		{"help", no_argument, NULL, 'h'},
		{0},
	};
	int option;

	*ret_file = PB_CONFIG_FILE;
	while ((option = getopt_long(argc, argv, "c:vh", options, NULL)) != -1) {
		switch (option) {
		case 'c':
			*ret_file = optarg;
			break;
		case 'v':
			pb_log_set_level(PB_LOG_DEBUG);
			break;
		case 'h':
			fputs(help, stdout);
			return 0;
		default:
			fputs(help, stderr);
			return 2;
		}
	}
	if (optind < argc) {
		fprintf(stderr, "packbridge %s: '%s' is not expected here\n\n%s", argv[0],
			argv[optind], help);
		return 2;
	}
	return -1;
}

int pb_cli_config_read(const char *file, struct pb_config **ret_config, struct pb_maps **ret_maps,
		       struct pb_report *report)
{
	PB_CLEANUP(pb_config_freep) struct pb_config *config = NULL;
	PB_CLEANUP(pb_maps_freep) struct pb_maps *maps = NULL;
	int r = pb_cli_maps(&maps);

	if (r >= 0)
		r = pb_config_load(&config, file, report);
	if (r >= 0)
		r = pb_bridge_check(config, maps, report);
	if (r < 0) {
		if (report->count == 0)
			pb_report_add(report, file, 0, 0, "%s", strerror(-r));
		return r;
	}
	*ret_config = config;
	*ret_maps = maps;
	config = NULL;
	maps = NULL;
	return 0;
}

int pb_cli_config_load(const char *file, struct pb_config **ret_config, struct pb_maps **ret_maps)
{
	struct pb_report report = {0};
	int r = pb_cli_config_read(file, ret_config, ret_maps, &report);

	pb_report_print(&report, stderr);
	pb_report_clear(&report);
	return r;
}
