/* SPDX-License-Identifier: MIT */
#include "cli.h"
#include "configfile.h"
#include "serve.h"

#include <stdio.h>

static const char help[] = "Usage: packbridge run [-c FILE] [-v]\n"
			   "Polls the packs of the configuration and serves each as a Modbus unit, "
			   "in the foreground,\n"
			   "until SIGTERM or SIGINT. Messages go to stderr.\n\n"
			   "  -c, --config FILE  configuration (default " PB_CONFIG_FILE ")\n"
			   "  -v, --verbose      say more: every request and reply, as bytes\n"
			   "  -h, --help         this text\n";

int pb_cli_run(int argc, char **argv)
{
	PB_CLEANUP(pb_config_freep) struct pb_config *config = NULL;
	PB_CLEANUP(pb_maps_freep) struct pb_maps *maps = NULL;
	const char *file;
	int status = pb_cli_config_options(argc, argv, help, &file);

	if (status >= 0)
		return status;
	if (pb_cli_config_load(file, &config, &maps) < 0)
		return 1;
	return pb_cli_serve(config, maps, NULL);
}
